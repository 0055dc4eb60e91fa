/*
 * exporter - the thread that sends, and what starts and ends it.
 *
 * It sleeps in poll on a pipe, so that a signal handler can wake it, and wakes for a full batch, a
 * flush, the end, or every TK_INTERVAL_MS. Exports never overlap. A batch is tried as retry.h says;
 * while it waits between tries the queues fill and then drop. Somebody who flushes ends such a
 * wait; once shutting down, a batch is tried once.
 *
 * A flush takes a number, and is done when `flushed` has reached it: two atomics and the pipe, no
 * lock, which is what makes it fit for signal handlers.
 */
#include "log.h"
#include "random.h"
#include "retry.h"
#include "tracer.h"
#include "transport.h"
#include "wire.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#ifdef TRACEKIT_WITH_ZLIB
#include <zlib.h>
#endif

enum exporter_state { NOT_STARTED, RUNNING, ENDED };

static struct {
    atomic_int state;
    pthread_t thread;
    int pipe[2];
    pthread_mutex_t starting;
    _Atomic uint32_t wanted, flushed; /* numbers of flushes */
    atomic_bool stopping, abandoned, awake;
    tracekit_transport *transport;
    void *transport_data;
    bool own_transport;

    /* Of the thread alone. */
    struct tk_buffer body, zipped;
    uint64_t random[4];
    uint32_t hurried; /* the last flush that ended a wait between tries */
    bool failing;     /* said already, until a batch goes through */
    bool answered;    /* the first export was told in debug mode */
    bool partial_said;
} exporter = {.pipe = {-1, -1}, .starting = PTHREAD_MUTEX_INITIALIZER};

/* ---- waking and waiting ---- */

static void
ring(void)
{
    ssize_t written = write(exporter.pipe[1], "x", 1);
    (void)written; /* a full pipe wakes as well */
}

void
tk_exporter_wake(void)
{
    /* An exchange, and not a look first: it also orders the push before it, which the exporter must
     * see once it has fallen asleep again. */
    if (!atomic_exchange(&exporter.awake, true)) {
        int error = errno;
        ring();
        errno = error;
    }
}

static int64_t
now_ms(void)
{
    return tk_now() / 1000000;
}

static bool
flush_wanted(void)
{
    return atomic_load(&exporter.wanted) != atomic_load(&exporter.flushed);
}

/* Sleeps until somebody rings, at most until the deadline. */
static void
wait_until(int64_t deadline_ms)
{
    char bytes[64];
    int64_t left = deadline_ms - now_ms();
    struct pollfd bell = {.fd = exporter.pipe[0], .events = POLLIN};
    if (left > 0)
        poll(&bell, 1, (int)left);
    while (read(exporter.pipe[0], bytes, sizeof bytes) > 0)
        ;
    atomic_store(&exporter.awake, false);
}

/* ---- the body ---- */

/* Room in front of the spans for what stands before them: three tags and lengths, resource and
 * scope. */
static size_t
head_room(void)
{
    return tk_tracer.config.resource_size + tk_tracer.config.scope_size +
           2 * (1 + TK_LENGTH_SIZE_MAX);
}

/* Writes the head right in front of the spans; gives where the body begins. */
static uint8_t *
put_head(struct tk_buffer *buffer)
{
    const struct tk_config *config = &tk_tracer.config;
    size_t spans = buffer->size - head_room();
    size_t scope_spans = config->scope_size + spans;
    size_t resource_spans = config->resource_size + 1 + tk_varint_size(scope_spans) + scope_spans;
    uint8_t *start = buffer->bytes + head_room() - (resource_spans - spans) - 1 -
                     tk_varint_size(resource_spans),
            *to = start;
    *to = 0x0a; /* resource_spans */
    to = tk_put_varint(to + 1, resource_spans);
    memcpy(to, config->head, config->resource_size);
    to += config->resource_size;
    *to = 0x12; /* scope_spans */
    to = tk_put_varint(to + 1, scope_spans);
    memcpy(to, config->head + config->resource_size, config->scope_size);
    return start;
}

#ifdef TRACEKIT_WITH_ZLIB
/* Under the lock: a fork finds the old memory or the new, and not what is between. */
static void
make_zipped_room(size_t capacity)
{
    sigset_t signals;
    tk_lock(&signals);
    uint8_t *bytes = realloc(exporter.zipped.bytes, capacity);
    if (bytes != NULL)
        exporter.zipped = (struct tk_buffer){bytes, 0, capacity};
    tk_unlock(&signals);
}

/* Compresses once per batch, off every request's way. False: it goes as it is. */
static bool
compress_body(const uint8_t *body, size_t size)
{
    z_stream stream = {0};
    if (deflateInit2(&stream, Z_BEST_SPEED, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) != Z_OK)
        return false;
    size_t capacity = deflateBound(&stream, (uLong)size);
    if (capacity > exporter.zipped.capacity)
        make_zipped_room(capacity);
    bool done = false;
    if (capacity <= exporter.zipped.capacity) {
        stream.next_in = (Bytef *)(uintptr_t)body;
        stream.avail_in = (uInt)size;
        stream.next_out = exporter.zipped.bytes;
        stream.avail_out = (uInt)exporter.zipped.capacity;
        done = deflate(&stream, Z_FINISH) == Z_STREAM_END;
        exporter.zipped.size = stream.total_out;
    }
    deflateEnd(&stream);
    return done;
}
#else
static bool
compress_body(const uint8_t *body, size_t size)
{
    (void)body;
    (void)size;
    return false;
}
#endif

/* ---- one batch ---- */

static void
report_failure(const tracekit_answer *answer)
{
    const char *url = tk_tracer.config.url;
    if (exporter.failing && !tk_tracer.config.debug)
        return;
    exporter.failing = true;
    if (answer->status == 401 || answer->status == 403)
        tk_log("%s refuses the API key (it answered %d)", url, answer->status);
    else if (answer->status != 0)
        tk_log("cannot send spans to %s: it answered %d (the program goes on)", url,
               answer->status);
    else
        tk_log("cannot send spans to %s: %s; is the server running? (the program goes on)", url,
               answer->error);
}

static void
report_delivery(const tracekit_answer *answer, unsigned count)
{
    char message[256];
    uint64_t rejected = tk_retry_rejected(answer->body, answer->body_size, message);
    if (rejected > count)
        rejected = count;
    atomic_fetch_add(&tk_tracer.sent, count - rejected);
    atomic_fetch_add(&tk_tracer.dropped, rejected);
    if ((rejected > 0 || message[0] != '\0') && !exporter.partial_said) {
        exporter.partial_said = true;
        tk_log("%s refused %llu of %u spans: %s", tk_tracer.config.url,
               (unsigned long long)rejected, count, message);
    }
    if (tk_tracer.config.debug && (exporter.failing || !exporter.answered))
        tk_log("%s takes our spans", tk_tracer.config.url);
    exporter.failing = false;
    exporter.answered = true;
}

/* Waits between two tries, or until somebody flushes, once each, or stops. */
static void
wait_to_retry(int delay_ms)
{
    int64_t deadline = now_ms() + delay_ms;
    while (now_ms() < deadline && !atomic_load(&exporter.stopping) &&
           atomic_load(&exporter.wanted) == exporter.hurried)
        wait_until(deadline);
    exporter.hurried = atomic_load(&exporter.wanted);
}

static void
deliver(const tracekit_post *post, unsigned count)
{
    exporter.hurried = atomic_load(&exporter.wanted);
    for (int attempt = 1;; attempt++) {
        tracekit_answer answer = {0};
        exporter.transport(exporter.transport_data, post, &answer);
        answer.retry_after[sizeof answer.retry_after - 1] = '\0';
        answer.error[sizeof answer.error - 1] = '\0';
        if (answer.body_size > sizeof answer.body)
            answer.body_size = sizeof answer.body;
        enum tk_outcome outcome = tk_retry_outcome(answer.status);
        if (outcome == TK_DELIVERED) {
            report_delivery(&answer, count);
            return;
        }
        report_failure(&answer);
        if (outcome == TK_DROP || attempt == TK_ATTEMPTS_MAX || atomic_load(&exporter.stopping)) {
            tk_queue_drop(count, "the server does not take them");
            return;
        }
        double chance = (double)(tk_random_next(exporter.random) >> 11) / (double)(1ULL << 53);
        struct timespec wall;
        clock_gettime(CLOCK_REALTIME, &wall);
        wait_to_retry(
            tk_retry_delay_ms(attempt, answer.retry_after, (int64_t)wall.tv_sec * 1000, chance));
    }
}

static void
send_batch(unsigned count)
{
    struct tk_config *config = &tk_tracer.config;
    uint8_t *body = put_head(&exporter.body);
    size_t size = (size_t)(exporter.body.bytes + exporter.body.size - body);
    bool zipped = config->compresses && compress_body(body, size);
    config->headers[config->header_count] =
        zipped ? (char *)(uintptr_t) "Content-Encoding: gzip" : NULL;
    tracekit_post post = {
        .url = config->url,
        .headers = (const char *const *)config->headers,
        .body = zipped ? exporter.zipped.bytes : body,
        .body_size = zipped ? exporter.zipped.size : size,
        .timeout_ms = TK_REQUEST_TIMEOUT_MS,
    };
    deliver(&post, count);
    atomic_fetch_sub(&tk_tracer.under_way, count);
}

/* ---- the thread ---- */

static uint64_t
waiting(void)
{
    sigset_t signals;
    tk_lock(&signals);
    uint64_t count = tk_queue_waiting();
    tk_unlock(&signals);
    return count;
}

/* Sends batches while there are full ones, or all that waits. */
static void
export_spans(bool all)
{
    while ((all || waiting() >= TK_BATCH_MAX) && !atomic_load(&exporter.abandoned)) {
        exporter.body.size = head_room();
        unsigned count = tk_queue_take(&exporter.body);
        if (count == 0)
            return;
        send_batch(count);
    }
}

static void *
run(void *argument)
{
    (void)argument;
    int64_t tick = now_ms() + TK_INTERVAL_MS;
    for (;;) {
        if (!flush_wanted()) /* a wait between tries may have heard the bell */
            wait_until(tick);
        bool stopping = atomic_load(&exporter.stopping), timed = now_ms() >= tick;
        uint32_t wanted = atomic_load(&exporter.wanted);
        if (timed || atomic_load(&tk_clock.ratio) == 0)
            tk_clock_sync();
        if (timed) {
            tick = now_ms() + TK_INTERVAL_MS;
        }
        export_spans(stopping || timed || flush_wanted());
        atomic_store(&exporter.flushed, wanted);
        if (stopping)
            break;
    }
    atomic_store(&exporter.state, ENDED);
    return NULL;
}

/* Signals are the program's own threads' business. */
static bool
start_thread(void)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int error = pthread_create(&exporter.thread, NULL, run, NULL);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return error == 0;
}

static bool
open_pipe(void)
{
    if (exporter.pipe[0] >= 0)
        return true;
    return pipe2(exporter.pipe, O_CLOEXEC | O_NONBLOCK) == 0;
}

/* The body's buffer, with room for the head. */
static bool
make_body(void)
{
    if (exporter.body.capacity < head_room()) {
        uint8_t *bytes = realloc(exporter.body.bytes, head_room());
        if (bytes == NULL)
            return false;
        exporter.body = (struct tk_buffer){bytes, 0, head_room()};
    }
    return true;
}

static bool
make_transport(void)
{
    exporter.transport = tk_tracer.config.transport;
    exporter.transport_data = tk_tracer.config.transport_data;
    exporter.own_transport = exporter.transport == NULL;
    return !exporter.own_transport ||
           tk_transport_default(&exporter.transport, &exporter.transport_data) == 0;
}

static bool
start(void)
{
    if (!open_pipe() || !make_body() || !make_transport())
        return false;
    tk_random_seed(exporter.random);
    exporter.failing = exporter.answered = exporter.partial_said = false;
    atomic_store(&exporter.stopping, false);
    atomic_store(&exporter.abandoned, false);
    atomic_store(&exporter.awake, false);
    atomic_store(&exporter.state, RUNNING);
    if (start_thread())
        return true;
    atomic_store(&exporter.state, NOT_STARTED);
    if (exporter.own_transport)
        tk_transport_release(exporter.transport_data);
    return false;
}

void
tk_exporter_ensure(void)
{
    if (atomic_load(&exporter.state) != NOT_STARTED || !atomic_load(&tk_tracer.enabled) ||
        pthread_mutex_trylock(&exporter.starting) != 0)
        return;
    /* Looked at again: whoever shuts down has said so before it takes the mutex. */
    if (atomic_load(&exporter.state) == NOT_STARTED && atomic_load(&tk_tracer.enabled))
        start();
    pthread_mutex_unlock(&exporter.starting);
}

/* The thread has ended: what it had is let go. */
static void
join_thread(void)
{
    pthread_join(exporter.thread, NULL);
    if (exporter.own_transport)
        tk_transport_release(exporter.transport_data);
    atomic_store(&exporter.state, NOT_STARTED);
}

/* ---- fork, exit ---- */

static sigset_t fork_signals; /* those of the thread that forks */

static void
before_fork(void)
{
    sigset_t signals;
    tk_lock(&signals);
    fork_signals = signals;
}

static void
after_fork_in_parent(void)
{
    sigset_t signals = fork_signals;
    tk_unlock(&signals);
}

/* The thread, its connection and its pipe are the parent's. The transport's memory is let be: to
 * close it would say goodbye in the parent's name. */
static void
after_fork_in_child(void)
{
    tk_tracer_after_fork();
    for (int i = 0; i < 2; i++) {
        if (exporter.pipe[i] >= 0)
            close(exporter.pipe[i]);
        exporter.pipe[i] = -1;
    }
    pthread_mutex_init(&exporter.starting, NULL);
    atomic_store(&exporter.state, NOT_STARTED);
    atomic_store(&exporter.flushed, atomic_load(&exporter.wanted));
    pthread_sigmask(SIG_SETMASK, &fork_signals, NULL);
}

static void
at_exit(void)
{
    tracekit_shutdown(TK_EXIT_FLUSH_MS);
}

static void
register_handlers(void)
{
    pthread_atfork(before_fork, after_fork_in_parent, after_fork_in_child);
    atexit(at_exit);
}

/* ---- the public calls ---- */

static void
say_set_up(const struct tk_config *config)
{
    if (!config->sends)
        tk_log("TRACEKIT_API_KEY is not set: spans are not sent");
    else if (config->transport == NULL && !tk_transport_can(config->url))
        tk_log("%s needs TLS: build the library with libcurl, or give tracekit_init a transport",
               config->url);
    if (config->debug)
        tk_log("service \"%s\", endpoint %s, sample rate %g, %s", config->service_name, config->url,
               config->sample_rate, config->sends ? "sending" : "not sending");
}

int
tracekit_init(const tracekit_options *options)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    static const tracekit_options none;
    struct tk_config config;
    if (options == NULL)
        options = &none;
    if (!atomic_load(&tk_tracer.enabled) && atomic_load(&exporter.state) == ENDED)
        join_thread(); /* of a shutdown that did not wait for it */
    if (atomic_load(&tk_tracer.enabled) || atomic_load(&exporter.state) != NOT_STARTED)
        return TRACEKIT_ERROR_STATE;
    tk_log_to(options->log, options->log_data);
    int error = tk_config_init(&config, options);
    if (error != 0)
        return error;
    tk_config_release(&tk_tracer.config);
    tk_tracer.config = config;
    tk_clock_sync();
    atomic_store(&tk_tracer.sent, 0);
    atomic_store(&tk_tracer.dropped, 0);
    atomic_store(&tk_tracer.drop_said, false);
    tk_queue_discard(); /* of threads that were in tracekit_end as the set-up before was shut down
                         */
    if (config.disabled)
        return TRACEKIT_OK;
    say_set_up(&config);
    if (config.sends && !start()) {
        tk_log("no thread, memory or descriptors for sending; trying again later");
        error = TRACEKIT_ERROR_MEMORY;
    }
    pthread_once(&once,
                 register_handlers); /* behind libcurl's own, so that exit calls ours first */
    atomic_store_explicit(&tk_tracer.enabled, true, memory_order_release);
    return error;
}

/* Waits, with calls that signal handlers may make, until `done` or the deadline. */
static bool
poll_until(bool (*done)(uint32_t), uint32_t number, int timeout_ms)
{
    int64_t deadline = now_ms() + timeout_ms;
    struct timespec pause = {0, 100000};
    while (!done(number)) {
        if (now_ms() >= deadline)
            return false;
        nanosleep(&pause, NULL);
        if (pause.tv_nsec < 2000000)
            pause.tv_nsec += pause.tv_nsec / 2;
    }
    return true;
}

static bool
has_flushed(uint32_t number)
{
    return (int32_t)(atomic_load(&exporter.flushed) - number) >= 0 ||
           atomic_load(&exporter.state) != RUNNING;
}

static bool
has_ended(uint32_t number)
{
    (void)number;
    return atomic_load(&exporter.state) != RUNNING;
}

int
tracekit_flush(int timeout_ms)
{
    if (atomic_load(&exporter.state) != RUNNING)
        return TRACEKIT_OK; /* nothing can wait: what is pushed first starts it */
    int error = errno;
    uint32_t number = atomic_fetch_add(&exporter.wanted, 1) + 1;
    ring();
    bool done = poll_until(has_flushed, number, timeout_ms);
    errno = error;
    return done ? TRACEKIT_OK : TRACEKIT_ERROR_TIMEOUT;
}

/* Nobody is starting the thread: from here on nobody will. */
static bool
holds_starting(uint32_t number)
{
    (void)number;
    return pthread_mutex_trylock(&exporter.starting) == 0;
}

/* The thread, if there is one, is to end. */
static bool
stop(int timeout_ms)
{
    if (!poll_until(holds_starting, 0, timeout_ms))
        return false;
    if (atomic_load(&exporter.state) == RUNNING) {
        atomic_store(&exporter.stopping, true);
        atomic_fetch_add(&exporter.wanted, 1);
        ring();
    }
    pthread_mutex_unlock(&exporter.starting);
    return true;
}

int
tracekit_shutdown(int timeout_ms)
{
    int64_t begin = now_ms();
    if (!atomic_exchange(&tk_tracer.enabled, false))
        return TRACEKIT_OK;
    if (!stop(timeout_ms) || !poll_until(has_ended, 0, timeout_ms - (int)(now_ms() - begin))) {
        /* It ends behind the batch it has, or with the process. */
        atomic_store(&exporter.abandoned, true);
        tk_queue_drop(tk_queue_discard(), "the program ends before they could be sent");
        return TRACEKIT_ERROR_TIMEOUT;
    }
    if (atomic_load(&exporter.state) == ENDED)
        join_thread();
    return TRACEKIT_OK;
}

void
tracekit_get_statistics(tracekit_statistics *ret_statistics)
{
    ret_statistics->sent = atomic_load(&tk_tracer.sent);
    ret_statistics->dropped = atomic_load(&tk_tracer.dropped);
    ret_statistics->queued = waiting() + atomic_load(&tk_tracer.under_way);
}
