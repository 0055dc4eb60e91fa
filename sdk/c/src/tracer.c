/* tracer - threads, slots and the clock: see tracer.h. */
#include "tracer.h"

#include "random.h"

#include <stdlib.h>

struct tk_tracer tk_tracer = {.lock = PTHREAD_MUTEX_INITIALIZER};

/* Initial-exec: a shared library reaches it without a call. It is one pointer, which dlopen has
 * room for. */
static _Thread_local struct tk_thread *self __attribute__((tls_model("initial-exec")));

static pthread_once_t key_once = PTHREAD_ONCE_INIT;
static pthread_key_t key;
static bool key_made;

void
tk_lock(sigset_t *ret_signals)
{
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, ret_signals);
    pthread_mutex_lock(&tk_tracer.lock);
}

void
tk_unlock(const sigset_t *signals)
{
    pthread_mutex_unlock(&tk_tracer.lock);
    pthread_sigmask(SIG_SETMASK, signals, NULL);
}

static tracekit_span *
pop(tracekit_span **list)
{
    tracekit_span *span = *list;
    if (span != NULL)
        *list = span->outer;
    return span;
}

static void
push(tracekit_span **list, tracekit_span *span)
{
    span->outer = *list;
    *list = span;
}

/* ---- threads ---- */

/* The thread ends. Spans that are still on its stack lose their place there; the exporter reads
 * what it queued. */
static void
thread_exit(void *argument)
{
    sigset_t signals;
    struct tk_thread *thread = argument;
    self = NULL;
    while (thread->current != NULL) {
        tracekit_span *span = pop(&thread->current);
        atomic_store(&span->attached, NULL);
        if (atomic_load(&span->state) == TK_ENDED)
            tk_span_recycle(thread, span);
    }
    tk_lock(&signals);
    while (thread->free != NULL)
        push(&tk_tracer.free_spans, pop(&thread->free));
    thread->free_count = 0;
    atomic_store(&thread->gone, true); /* the exporter may take it from here on */
    tk_unlock(&signals);
}

static void
make_key(void)
{
    key_made = pthread_key_create(&key, thread_exit) == 0;
}

static struct tk_thread *
make_thread(void)
{
    sigset_t signals;
    pthread_once(&key_once, make_key);
    tk_lock(&signals);
    struct tk_thread *thread = tk_tracer.free_threads;
    if (thread != NULL)
        tk_tracer.free_threads = thread->next;
    tk_unlock(&signals);
    if (thread == NULL && (thread = aligned_alloc(64, sizeof *thread)) == NULL)
        return NULL;
    memset(thread, 0, sizeof *thread);
    if (!key_made || pthread_setspecific(key, thread) != 0) {
        free(thread);
        return NULL;
    }
    tk_random_seed(thread->random);
    tk_lock(&signals);
    thread->next = tk_tracer.threads;
    tk_tracer.threads = thread;
    tk_unlock(&signals);
    return self = thread;
}

struct tk_thread *
tk_thread_self(void)
{
    return self != NULL ? self : make_thread();
}

/* ---- slots ---- */

/* A slab is made of slots at once, and never freed: its slots may be in use, or in use by mistake.
 * The lock is held. */
static void
make_slab(void)
{
    if (tk_tracer.spans_made >= TK_OPEN_SPANS_MAX)
        return;
    uint8_t *slab = aligned_alloc(64, (size_t)TK_SLAB_SLOTS * TK_SLOT_SIZE);
    if (slab == NULL)
        return;
    for (int i = 0; i < TK_SLAB_SLOTS; i++) {
        tracekit_span *span = (tracekit_span *)(void *)(slab + (size_t)i * TK_SLOT_SIZE);
        memset(span, 0, sizeof *span);
        push(&tk_tracer.free_spans, span);
    }
    tk_tracer.spans_made += TK_SLAB_SLOTS;
}

static void
fill_cache(struct tk_thread *thread)
{
    sigset_t signals;
    tk_lock(&signals);
    if (tk_tracer.free_spans == NULL)
        make_slab();
    while (thread->free_count < TK_CACHE_SLOTS / 4 && tk_tracer.free_spans != NULL) {
        push(&thread->free, pop(&tk_tracer.free_spans));
        thread->free_count++;
    }
    tk_unlock(&signals);
}

static void
halve_cache(struct tk_thread *thread)
{
    sigset_t signals;
    tk_lock(&signals);
    while (thread->free_count > TK_CACHE_SLOTS / 2) {
        push(&tk_tracer.free_spans, pop(&thread->free));
        thread->free_count--;
    }
    tk_unlock(&signals);
}

tracekit_span *
tk_span_take(struct tk_thread *thread)
{
    if (thread->free == NULL)
        fill_cache(thread);
    tracekit_span *span = pop(&thread->free);
    if (span != NULL)
        thread->free_count--;
    return span;
}

void
tk_span_give(struct tk_thread *thread, tracekit_span *span)
{
    atomic_store_explicit(&span->state, TK_FREE, memory_order_relaxed);
    push(&thread->free, span);
    if (++thread->free_count > TK_CACHE_SLOTS)
        halve_cache(thread);
}

/* ---- fork, clock ---- */

void
tk_tracer_after_fork(void)
{
    struct tk_thread *all = tk_tracer.threads;
    pthread_mutex_init(&tk_tracer.lock, NULL);
    atomic_fetch_add(&tk_tracer.generation, 1);
    tk_tracer.threads = NULL;
    while (all != NULL) {
        struct tk_thread *thread = all;
        all = thread->next;
        tk_queue_clear(thread);
        if (thread == self) {
            tk_random_seed(thread->random);
            thread->next = NULL;
            tk_tracer.threads = thread;
            continue;
        }
        while (thread->free != NULL)
            push(&tk_tracer.free_spans, pop(&thread->free));
        thread->next = tk_tracer.free_threads;
        tk_tracer.free_threads = thread;
    }
    if (tk_tracer.config.instance_id != NULL)
        tk_config_uuid(tk_tracer.config.instance_id);
    atomic_store(&tk_tracer.sent, 0);
    atomic_store(&tk_tracer.dropped, 0);
    atomic_store(&tk_tracer.under_way, 0);
}

void
tk_clock_sync(void)
{
    tk_clock_calibrate();
    atomic_store(&tk_tracer.wall_offset, tk_clock_wall_offset());
}
