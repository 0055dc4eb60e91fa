/*
 * queue - ended spans on their way to the exporter.
 *
 * A thread's queue is a chain of blocks. The thread appends whole spans to the last one and
 * publishes them by storing `used`; when the next span does not fit it links another block, after
 * which `used` of the one before is final. The exporter walks behind: a block that is read to its
 * end and has a next one goes back to the pool. Nobody waits.
 *
 * The pool's lock costs two system calls, for signals wait meanwhile. So a thread that has filled a
 * block takes some along, of those that are there; the exporter takes back what an idle one has not
 * used.
 */
#include "tracer.h"

#include "log.h"
#include "wire.h"

#include <stdlib.h>

/* ---- blocks ---- */

enum { USUAL_CAPACITY = TK_BLOCK_SIZE - (int)sizeof(struct tk_block) };

/* Frees blocks of the usual size, as far as there are some, where a large one wants their room. The
 * lock is held. */
static void
make_block_room(size_t wanted)
{
    struct tk_block *block;
    while (tk_tracer.block_bytes + wanted > TK_QUEUE_BYTES_MAX &&
           (block = tk_tracer.free_blocks) != NULL) {
        tk_tracer.free_blocks = atomic_load_explicit(&block->next, memory_order_relaxed);
        tk_tracer.block_bytes -= block->capacity;
        free(block);
    }
}

/* The lock is held. */
static struct tk_block *
take_block(size_t wanted)
{
    size_t capacity = USUAL_CAPACITY;
    struct tk_block *block = tk_tracer.free_blocks;
    if (wanted > capacity) {
        capacity = wanted;
        block = NULL; /* one for this span alone */
        make_block_room(wanted);
    } else if (block != NULL) {
        tk_tracer.free_blocks = atomic_load_explicit(&block->next, memory_order_relaxed);
    }
    if (block == NULL) {
        if (tk_tracer.block_bytes + capacity > TK_QUEUE_BYTES_MAX)
            return NULL;
        block = malloc(sizeof *block + capacity);
        if (block == NULL)
            return NULL;
        block->capacity = (uint32_t)capacity;
        tk_tracer.block_bytes += capacity;
    }
    atomic_store_explicit(&block->next, NULL, memory_order_relaxed);
    atomic_store_explicit(&block->used, 0, memory_order_relaxed);
    return block;
}

/* The lock is held. */
static void
give_block(struct tk_block *block)
{
    if (block->capacity > USUAL_CAPACITY) {
        tk_tracer.block_bytes -= block->capacity;
        free(block);
        return;
    }
    atomic_store_explicit(&block->next, tk_tracer.free_blocks, memory_order_relaxed);
    tk_tracer.free_blocks = block;
}

/* The lock is held. */
static void
give_spares(struct tk_thread *thread)
{
    struct tk_block *block = atomic_exchange(&thread->spare, NULL);
    while (block != NULL) {
        struct tk_block *next = atomic_load_explicit(&block->next, memory_order_relaxed);
        give_block(block);
        block = next;
    }
}

/* The lock is held. */
static void
take_spares(struct tk_thread *thread)
{
    struct tk_block *list = NULL;
    for (int i = 0; i < TK_SPARE_BLOCKS && tk_tracer.free_blocks != NULL; i++) {
        struct tk_block *block = take_block(0);
        atomic_store_explicit(&block->next, list, memory_order_relaxed);
        list = block;
    }
    atomic_store(&thread->spare, list);
}

static struct tk_block *
pop_spare(struct tk_thread *thread)
{
    struct tk_block *block = atomic_exchange(&thread->spare, NULL);
    if (block != NULL) {
        atomic_store(&thread->spare, atomic_load_explicit(&block->next, memory_order_relaxed));
        atomic_store_explicit(&block->next, NULL, memory_order_relaxed);
    }
    return block;
}

static struct tk_block *
take_from_pool(struct tk_thread *thread, size_t wanted)
{
    sigset_t signals;
    tk_lock(&signals);
    struct tk_block *block = take_block(wanted);
    if (thread->write != NULL && atomic_load(&thread->spare) == NULL)
        take_spares(thread);
    tk_unlock(&signals);
    return block;
}

/* Another block at the end of the thread's chain. */
static struct tk_block *
next_block(struct tk_thread *thread, size_t wanted)
{
    tk_exporter_ensure(); /* it does not run yet in a child after fork */
    struct tk_block *block = wanted <= USUAL_CAPACITY ? pop_spare(thread) : NULL;
    if (block == NULL)
        block = take_from_pool(thread, wanted);
    if (block == NULL)
        return NULL;
    if (thread->write == NULL)
        atomic_store_explicit(&thread->first, block, memory_order_release);
    else
        atomic_store_explicit(&thread->write->next, block, memory_order_release);
    thread->write = block;
    thread->written = 0;
    return block;
}

/* ---- the thread's side ---- */

void
tk_queue_drop(uint64_t count, const char *why)
{
    if (count == 0)
        return;
    atomic_fetch_add(&tk_tracer.dropped, count);
    if (!atomic_exchange(&tk_tracer.drop_said, true))
        tk_log("spans are being dropped: %s", why);
}

void
tk_queue_push(struct tk_thread *thread, const tracekit_record *record,
              const tracekit_identity *identity)
{
    uint64_t pushed = atomic_load_explicit(&thread->pushed, memory_order_relaxed);
    uint64_t waiting = pushed - atomic_load_explicit(&thread->popped, memory_order_acquire);
    if (waiting >= TK_QUEUE_MAX) {
        tk_queue_drop(1, "the queue is full");
        return;
    }
    size_t size = tracekit_record_size(record, identity);
    struct tk_block *block = thread->write;
    if (block == NULL || size > block->capacity - thread->written) {
        block = next_block(thread, size);
        if (block == NULL) {
            tk_queue_drop(1, "there is no memory for the queue");
            return;
        }
    }
    uint8_t *end = tracekit_record_end(record, identity, block->bytes + thread->written);
    thread->written = (uint32_t)(end - block->bytes);
    atomic_store_explicit(&block->used, thread->written, memory_order_release);
    atomic_store_explicit(&thread->pushed, pushed + 1, memory_order_release);
    if (waiting + 1 >= TK_BATCH_MAX)
        tk_exporter_wake();
}

/* ---- the exporter's side ---- */

uint64_t
tk_queue_waiting(void)
{
    uint64_t waiting = 0;
    for (struct tk_thread *thread = tk_tracer.threads; thread != NULL; thread = thread->next)
        waiting += atomic_load(&thread->pushed) - atomic_load(&thread->popped);
    return waiting;
}

/* The block with the next unread span, or NULL. Gives read ones back. The lock is held. */
static struct tk_block *
unread_block(struct tk_thread *thread, uint32_t *ret_used)
{
    if (thread->read == NULL)
        thread->read = atomic_load_explicit(&thread->first, memory_order_acquire);
    while (thread->read != NULL) {
        struct tk_block *block = thread->read;
        struct tk_block *next = atomic_load_explicit(&block->next, memory_order_acquire);
        *ret_used = atomic_load_explicit(&block->used, memory_order_acquire);
        if (thread->read_at < *ret_used)
            return block;
        if (next == NULL)
            return NULL;
        thread->read = next;
        thread->read_at = 0;
        give_block(block);
    }
    return NULL;
}

static bool
make_room(struct tk_buffer *buffer, size_t more)
{
    size_t wanted = buffer->size + more, capacity = buffer->capacity;
    if (wanted <= capacity)
        return true;
    while (capacity < wanted)
        capacity = capacity > 0 ? 2 * capacity : (size_t)64 << 10;
    uint8_t *bytes = realloc(buffer->bytes, capacity);
    if (bytes == NULL)
        return false;
    buffer->bytes = bytes;
    buffer->capacity = capacity;
    return true;
}

/* Copies spans of a block until the batch is full; gives their number. */
static unsigned
copy_spans(struct tk_thread *thread, struct tk_block *block, uint32_t used,
           struct tk_buffer *buffer, unsigned most)
{
    unsigned count = 0;
    while (count < most && thread->read_at < used) {
        const uint8_t *span = block->bytes + thread->read_at;
        uint32_t length;
        const uint8_t *body = tk_get_length(span + 1, &length);
        size_t size = (size_t)(body - span) + length;
        if (buffer->size + size > TK_BATCH_BYTES_MAX)
            break;
        if (make_room(buffer, size)) {
            memcpy(buffer->bytes + buffer->size, span, size);
            buffer->size += size;
            count++;
        } else if (count > 0) {
            break; /* what is there can go out, and gives memory back */
        } else {
            tk_queue_drop(1, "there is no memory for a request");
        }
        thread->read_at += (uint32_t)size;
        atomic_store_explicit(&thread->popped, atomic_load(&thread->popped) + 1,
                              memory_order_release);
    }
    return count;
}

/* Takes what ended threads leave behind. The lock is held. */
static void
reap_threads(void)
{
    for (struct tk_thread **link = &tk_tracer.threads; *link != NULL;) {
        struct tk_thread *thread = *link;
        uint32_t used;
        if (!atomic_load(&thread->gone) || unread_block(thread, &used) != NULL) {
            link = &thread->next;
            continue;
        }
        *link = thread->next;
        tk_queue_clear(thread);
        thread->next = tk_tracer.free_threads;
        tk_tracer.free_threads = thread;
    }
}

unsigned
tk_queue_take(struct tk_buffer *buffer)
{
    sigset_t signals;
    unsigned count = 0;
    size_t before;
    tk_lock(&signals);
    reap_threads();
    for (struct tk_thread *thread = tk_tracer.threads; thread != NULL && count < TK_BATCH_MAX;
         thread = thread->next) {
        uint32_t used;
        struct tk_block *block;
        while (count < TK_BATCH_MAX && (block = unread_block(thread, &used)) != NULL) {
            before = thread->read_at;
            count += copy_spans(thread, block, used, buffer, TK_BATCH_MAX - count);
            if (thread->read_at == before)
                break;
        }
        if (count < TK_BATCH_MAX)
            give_spares(thread);
    }
    atomic_fetch_add(&tk_tracer.under_way, count);
    tk_unlock(&signals);
    return count;
}

uint64_t
tk_queue_discard(void)
{
    sigset_t signals;
    uint64_t count = 0;
    tk_lock(&signals);
    for (struct tk_thread *thread = tk_tracer.threads; thread != NULL; thread = thread->next) {
        uint64_t found = 0;
        uint32_t used, length;
        for (struct tk_block *block; (block = unread_block(thread, &used)) != NULL; found++) {
            const uint8_t *body = tk_get_length(block->bytes + thread->read_at + 1, &length);
            thread->read_at = (uint32_t)(body - block->bytes) + length;
        }
        atomic_fetch_add(&thread->popped, found);
        count += found;
    }
    tk_unlock(&signals);
    return count;
}

uint64_t
tk_queue_clear(struct tk_thread *thread)
{
    struct tk_block *block = thread->read != NULL ? thread->read : atomic_load(&thread->first);
    while (block != NULL) {
        struct tk_block *next = atomic_load(&block->next);
        give_block(block);
        block = next;
    }
    give_spares(thread);
    uint64_t left = atomic_load(&thread->pushed) - atomic_load(&thread->popped);
    thread->read = thread->write = NULL;
    thread->read_at = thread->written = 0;
    atomic_store(&thread->first, NULL);
    atomic_store(&thread->popped, atomic_load(&thread->pushed));
    return left;
}
