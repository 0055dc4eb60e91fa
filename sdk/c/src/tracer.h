#ifndef TK_TRACER_H
#define TK_TRACER_H
/*
 * tracer - what all of the library shares: one tracer per process, a state per thread, spans, and
 * the queue between them and the thread that sends.
 *
 * Memory. Open spans are slots of fixed size. Ended ones are copied, as bytes, into blocks: a chain
 * per thread, written by the thread and read by the exporter, without a lock between them. Both
 * come from pools that grow to a limit. Slots are never given back: a pointer to a span that ended
 * is a mistake of the caller's, but no crash of ours. Blocks are, where a large span wants the
 * room.
 *
 * Locks. `lock` guards the pools and the list of threads, and is held for a few instructions. What
 * the exporter reads of a thread, and the thread of the exporter, is atomic.
 */
#include "clock.h"
#include "config.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <time.h>

#include <tracekit.h>

enum {
    TK_QUEUE_MAX = 2048,           /* spans that wait, per thread */
    TK_QUEUE_BYTES_MAX = 16 << 20, /* of them, of all threads */
    TK_BATCH_MAX = 512,            /* spans in a request */
    TK_BATCH_BYTES_MAX = 4 << 20,  /* before compression */
    TK_INTERVAL_MS = 5000,
    TK_REQUEST_TIMEOUT_MS = 10000,
    TK_EXIT_FLUSH_MS = 3000,

    TK_OPEN_SPANS_MAX = 8192,
    TK_SLOT_SIZE = 1024,
    TK_SLAB_SLOTS = 32,  /* slots made at a time */
    TK_CACHE_SLOTS = 64, /* that a thread keeps for itself */
    TK_BLOCK_SIZE = 8192,
    TK_SPARE_BLOCKS = 7, /* that a thread takes along from the pool */
};

struct tk_baggage {
    atomic_uint references;
    uint32_t size;
    char text[];
};

enum tk_span_state { TK_FREE, TK_OPEN, TK_ENDED };

struct tracekit_span {
    tracekit_record record; /* begins with tracestate, also of a span that is not recorded */
    tracekit_identity identity;
    int64_t wall_offset; /* to what tk_now says, while the span is open */
    struct tracekit_span
        *outer; /* below it on the stack of current spans, or next in a list of free ones */
    struct tk_thread *_Atomic attached; /* on whose stack it is */
    struct tk_baggage *baggage;
    uint32_t generation; /* of processes: a span is sent by the one that began it */
    uint16_t state_size; /* of the field tracestate */
    atomic_uchar state;
    bool recording;
    uint8_t bytes[];
};

struct tk_block {
    struct tk_block *_Atomic next;
    _Atomic uint32_t used;
    uint32_t capacity;
    uint8_t bytes[];
};

struct tk_thread {
    /* Of the thread itself. */
    tracekit_span *current, *free;
    unsigned free_count;
    uint64_t random[4];
    struct tk_block *write;
    uint32_t written;       /* bytes in `write` */
    struct tk_thread *next; /* in the list of all, or of free ones; under the lock */

    /* Written by the thread, read by all. */
    struct tk_block *_Atomic first;
    _Atomic uint64_t pushed, dropped;
    atomic_bool gone;
    struct tk_block *_Atomic spare; /* put there by the thread, taken by it and by the exporter */

    /* Of the exporter, away from what the thread writes all the time. */
    _Alignas(64) struct tk_block *read;
    uint32_t read_at;
    _Atomic uint64_t popped;
};

struct tk_tracer {
    atomic_bool enabled;
    _Atomic uint32_t generation;
    _Atomic int64_t wall_offset; /* Unix time less the monotonic clock */
    struct tk_config config;

    pthread_mutex_t lock;
    struct tk_thread *threads, *free_threads;
    tracekit_span *free_spans;
    unsigned spans_made;
    struct tk_block *free_blocks;
    size_t block_bytes;
    _Atomic size_t grown_bytes; /* of spans larger than a slot */

    _Atomic uint64_t sent, dropped, under_way;
    atomic_bool drop_said;
};

extern struct tk_tracer tk_tracer;

/* ---- tracer.c ---- */

/*
 * Takes and releases the lock. Signals wait meanwhile: a handler that flushes waits for the
 * exporter, which would wait for the thread that the handler interrupted.
 */
void tk_lock(sigset_t *ret_signals);
void tk_unlock(const sigset_t *signals);

/* The calling thread's state; NULL without memory. */
struct tk_thread *tk_thread_self(void);

/* A free slot, and its way back. */
tracekit_span *tk_span_take(struct tk_thread *thread);
void tk_span_give(struct tk_thread *thread, tracekit_span *span);

/* The same of a span with what it holds besides its slot. In span.c. */
void tk_span_recycle(struct tk_thread *thread, tracekit_span *span);

/* In the child after fork: everything but the calling thread's open spans begins anew. */
void tk_tracer_after_fork(void);

/* Looks up where the monotonic clock stands in time. */
void tk_clock_sync(void);

/* ---- queue.c ---- */

/* Hands an ended span over; counts it as dropped when there is no room. */
void tk_queue_push(struct tk_thread *thread, const tracekit_record *record,
                   const tracekit_identity *identity);

/* Counts spans that are lost, and says so, once. */
void tk_queue_drop(uint64_t count, const char *why);

/* How many spans wait. The lock is held. */
uint64_t tk_queue_waiting(void);

/* Copies up to TK_BATCH_MAX spans to *ret_bytes, growing it; gives their number. The lock is not
 * held. */
struct tk_buffer {
    uint8_t *bytes;
    size_t size, capacity;
};
unsigned tk_queue_take(struct tk_buffer *buffer);

/* Takes what waits and lets it go; gives its number. The lock is not held. */
uint64_t tk_queue_discard(void);

/* Forgets what a thread has queued; gives its number. The lock is held and nobody else uses the
 * thread. */
uint64_t tk_queue_clear(struct tk_thread *thread);

/* ---- exporter.c ---- */

/* A batch is full: the exporter should look. Any thread, a signal handler too. */
void tk_exporter_wake(void);

/* Starts the thread unless it runs. */
void tk_exporter_ensure(void);

#endif
