/*
 * heap - see heap.h.
 *
 * A table of the live blocks' addresses: whatever is not in it was made by a library, and is freed
 * as such.
 */
#include "heap.h"
#include "fail.h"
#include "rng.h"

#include <execinfo.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define REAL(name) __real_##name
#define WRAP(name) __wrap_##name
void *REAL(malloc)(size_t);
void *REAL(calloc)(size_t, size_t);
void *REAL(realloc)(void *, size_t);
void *REAL(aligned_alloc)(size_t, size_t);
void REAL(free)(void *);
void *WRAP(malloc)(size_t);
void *WRAP(calloc)(size_t, size_t);
void *WRAP(realloc)(void *, size_t);
void *WRAP(aligned_alloc)(size_t, size_t);
int WRAP(posix_memalign)(void **, size_t, size_t);
void WRAP(free)(void *);
char *WRAP(strdup)(const char *);
int WRAP(asprintf)(char **, const char *, ...) __attribute__((format(printf, 2, 3)));
struct ZSTD_CCtx_s *REAL(ZSTD_createCCtx)(void);
struct ZSTD_DCtx_s *REAL(ZSTD_createDCtx)(void);
struct ZSTD_CCtx_s *WRAP(ZSTD_createCCtx)(void);
struct ZSTD_DCtx_s *WRAP(ZSTD_createDCtx)(void);
struct libdeflate_compressor *REAL(libdeflate_alloc_compressor)(int);
struct libdeflate_decompressor *REAL(libdeflate_alloc_decompressor)(void);
struct libdeflate_compressor *WRAP(libdeflate_alloc_compressor)(int);
struct libdeflate_decompressor *WRAP(libdeflate_alloc_decompressor)(void);

enum { CALLERS = 8 };

struct block {
    void *ptr; /* NULL: free slot */
    size_t size;
    void **callers; /* [CALLERS], only when the story is told */
};

static struct {
    struct block *blocks; /* [capacity], a power of two */
    size_t capacity, count, bytes;
    uint64_t fail_at, made, refused, fail_one_in;
    bool forever;
    int paused;
    struct rng rng;
} heap;

void *
sim_alloc(size_t size)
{
    void *ptr = REAL(calloc)(1, size > 0 ? size : 1);
    SIM_CHECK(ptr != NULL, "the machine is out of memory");
    return ptr;
}

void *
sim_realloc(void *ptr, size_t size)
{
    ptr = REAL(realloc)(ptr, size > 0 ? size : 1);
    SIM_CHECK(ptr != NULL, "the machine is out of memory");
    return ptr;
}

void
sim_free(void *ptr)
{
    REAL(free)(ptr);
}

static size_t
slot_of(const void *ptr)
{
    uint64_t hash = (uint64_t)(uintptr_t)ptr * 0x9E3779B97F4A7C15u;
    return (size_t)(hash >> 20) & (heap.capacity - 1);
}

static void
insert(const struct block *block)
{
    size_t at = slot_of(block->ptr);
    while (heap.blocks[at].ptr != NULL)
        at = (at + 1) & (heap.capacity - 1);
    heap.blocks[at] = *block;
}

static void
grow(void)
{
    struct block *old = heap.blocks;
    size_t old_capacity = heap.capacity;
    heap.capacity = old_capacity > 0 ? old_capacity * 2 : 4096;
    heap.blocks = sim_alloc(heap.capacity * sizeof *heap.blocks);
    for (size_t i = 0; i < old_capacity; i++)
        if (old[i].ptr != NULL)
            insert(&old[i]);
    sim_free(old);
}

static void *
add(void *ptr, size_t size)
{
    struct block block = {.ptr = ptr, .size = size};
    SIM_CHECK(ptr != NULL, "the machine is out of memory: %zu bytes", size);
    if (heap.count * 2 >= heap.capacity)
        grow();
    if (sim_verbose) {
        block.callers = sim_alloc(CALLERS * sizeof *block.callers);
        (void)backtrace(block.callers, CALLERS);
    }
    insert(&block);
    heap.count++;
    heap.bytes += size;
    return ptr;
}

/* Forgets a block; false: not one of ours. */
static bool
take(const void *ptr)
{
    if (heap.capacity == 0)
        return false;
    size_t mask = heap.capacity - 1, at = slot_of(ptr);
    while (heap.blocks[at].ptr != ptr) {
        if (heap.blocks[at].ptr == NULL)
            return false;
        at = (at + 1) & mask;
    }
    heap.count--;
    heap.bytes -= heap.blocks[at].size;
    sim_free(heap.blocks[at].callers);
    for (size_t next = (at + 1) & mask; heap.blocks[next].ptr != NULL; next = (next + 1) & mask) {
        size_t home = slot_of(heap.blocks[next].ptr);
        if (((next - home) & mask) >= ((next - at) & mask)) {
            heap.blocks[at] = heap.blocks[next];
            at = next;
        }
    }
    heap.blocks[at].ptr = NULL;
    return true;
}

void
heap_fail_at(uint64_t n, bool forever)
{
    heap.fail_at = n > 0 ? heap.made + n : 0;
    heap.forever = forever;
}

void
heap_fail_by_chance(uint64_t one_in, uint64_t seed)
{
    heap.fail_one_in = one_in;
    heap.rng = rng_stream(seed, 3);
}

void
heap_pause(void)
{
    heap.paused++;
}

void
heap_resume(void)
{
    heap.paused--;
}

uint64_t
heap_refused(void)
{
    return heap.refused;
}

bool
heap_is_out(const char *what)
{
    if (heap.paused > 0)
        return false;
    heap.made++;
    bool out = heap.fail_at != 0 &&
               (heap.made == heap.fail_at || (heap.forever && heap.made > heap.fail_at));
    out = out || rng_one_in(&heap.rng, heap.fail_one_in);
    if (out) {
        heap.refused++;
        sim_say("    memory: no %s", what);
    }
    return out;
}

uint64_t
heap_live(void)
{
    return heap.count;
}

uint64_t
heap_bytes(void)
{
    return heap.bytes;
}

extern const char __executable_start[]; /* the linker's: so that addr2line -e understands */

void
heap_say_leaks(void)
{
    int said = 0;
    for (size_t i = 0; i < heap.capacity && said < 20; i++) {
        const struct block *block = &heap.blocks[i];
        if (block->ptr == NULL)
            continue;
        said++;
        printf("  leaked: %zu bytes", block->size);
        for (int k = 2; block->callers != NULL && k < CALLERS && block->callers[k] != NULL; k++)
            printf(" %#tx", (const char *)block->callers[k] - __executable_start);
        printf("\n");
    }
}

void
heap_free_all(void)
{
    for (size_t i = 0; i < heap.capacity && heap.count > 0; i++) {
        if (heap.blocks[i].ptr == NULL)
            continue;
        REAL(free)(heap.blocks[i].ptr);
        sim_free(heap.blocks[i].callers);
        heap.blocks[i].ptr = NULL;
        heap.count--;
    }
    heap.bytes = 0;
}

void *
WRAP(malloc)(size_t size)
{
    return heap_is_out("malloc") ? NULL : add(REAL(malloc)(size > 0 ? size : 1), size);
}

void *
WRAP(calloc)(size_t count, size_t size)
{
    if (heap_is_out("calloc"))
        return NULL;
    return add(REAL(calloc)(count > 0 ? count : 1, size > 0 ? size : 1), count * size);
}

void *
WRAP(realloc)(void *ptr, size_t size)
{
    if (heap_is_out("realloc"))
        return NULL;
    if (ptr != NULL && !take(ptr))
        sim_fail("realloc of what is not a block");
    return add(REAL(realloc)(ptr, size > 0 ? size : 1), size);
}

void *
WRAP(aligned_alloc)(size_t alignment, size_t size)
{
    if (heap_is_out("aligned_alloc"))
        return NULL;
    return add(REAL(aligned_alloc)(alignment, size), size);
}

int
WRAP(posix_memalign)(void **ret, size_t alignment, size_t size)
{
    if (heap_is_out("posix_memalign"))
        return 12; /* ENOMEM */
    size = (size + alignment - 1) / alignment * alignment;
    *ret = add(REAL(aligned_alloc)(alignment, size > 0 ? size : alignment), size);
    return 0;
}

void
WRAP(free)(void *ptr)
{
    if (ptr != NULL)
        (void)take(ptr);
    REAL(free)(ptr);
}

char *
WRAP(strdup)(const char *text)
{
    size_t size = strlen(text) + 1;
    if (heap_is_out("strdup"))
        return NULL;
    return memcpy(add(REAL(malloc)(size), size), text, size);
}

int
WRAP(asprintf)(char **ret, const char *format, ...)
{
    va_list args;
    if (heap_is_out("asprintf"))
        return -1;
    va_start(args, format);
    int len = vasprintf(ret, format, args);
    va_end(args);
    if (len >= 0)
        (void)add(*ret, (size_t)len + 1);
    return len;
}

/* Libraries' own memory: refused, but not counted. */

struct ZSTD_CCtx_s *
WRAP(ZSTD_createCCtx)(void)
{
    return heap_is_out("ZSTD_createCCtx") ? NULL : REAL(ZSTD_createCCtx)();
}

struct ZSTD_DCtx_s *
WRAP(ZSTD_createDCtx)(void)
{
    return heap_is_out("ZSTD_createDCtx") ? NULL : REAL(ZSTD_createDCtx)();
}

struct libdeflate_compressor *
WRAP(libdeflate_alloc_compressor)(int level)
{
    return heap_is_out("libdeflate_alloc_compressor") ? NULL
                                                      : REAL(libdeflate_alloc_compressor)(level);
}

struct libdeflate_decompressor *
WRAP(libdeflate_alloc_decompressor)(void)
{
    return heap_is_out("libdeflate_alloc_decompressor") ? NULL
                                                        : REAL(libdeflate_alloc_decompressor)();
}
