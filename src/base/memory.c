/*
 * memory - see memory.h.
 *
 * Threads that allocate at the same time do so in different arenas, and what one arena keeps
 * another cannot use: as many as there are cores are enough.
 */
#include "base/memory.h"

#include <limits.h>
#include <malloc.h>
#include <stdatomic.h>
#include <stdint.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

enum {
    MAP_MIN = 32 << 20, /* blocks from here on are mapped alone; malloc takes no more */
    TOP_STEP = 1 << 20, /* the heap grows by so much at least */
    ARENAS_MIN = 2,
    HUGE_PAGE = 2 << 20,
};

void
tk_memory_setup(size_t keep)
{
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    (void)mallopt(M_MMAP_THRESHOLD, MAP_MIN);
    (void)mallopt(M_TRIM_THRESHOLD, keep < INT_MAX ? (int)keep : INT_MAX);
    (void)mallopt(M_TOP_PAD, TOP_STEP);
    (void)mallopt(M_ARENA_MAX, cores > ARENAS_MIN && cores < INT_MAX ? (int)cores : ARENAS_MIN);
}

void
tk_memory_trim(void)
{
    static _Atomic int64_t next_s; /* seconds, monotonic */
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    int64_t due = atomic_load_explicit(&next_s, memory_order_relaxed);
    if (now.tv_sec >= due &&
        atomic_compare_exchange_strong(&next_s, &due, now.tv_sec + TK_MEMORY_TRIM_SECONDS))
        (void)malloc_trim(0);
}

void
tk_memory_huge(void *block, size_t size)
{
    uintptr_t begin = ((uintptr_t)block + HUGE_PAGE - 1) & ~(uintptr_t)(HUGE_PAGE - 1);
    uintptr_t end = ((uintptr_t)block + size) & ~(uintptr_t)(HUGE_PAGE - 1);
    if (block != NULL && size >= TK_MEMORY_HUGE && begin < end)
        (void)madvise((void *)begin, end - begin, MADV_HUGEPAGE); /* a kernel without: as before */
}
