/*
 * loop - see loop.h.
 *
 * Deadlines are looked after by one timer that sweeps over all connections a few times per
 * shortest time-out: cheap for idle connections, and nothing to re-arm per request.
 */
#include "net/loop.h"

#include "base/assert.h"
#include "net/conn.h"
#include "net/socket.h"

#include <signal.h>
#include <stdlib.h>
#include <time.h>

enum { SWEEP_MS_MIN = 5, SWEEP_MS_MAX = 500, SWEEP_MS_DRAINING = 10, LISTEN_BACKLOG = 1024 };

static _Thread_local const struct tk_loop *current;

void
tk_loop_adopt(const struct tk_loop *loop)
{
    current = loop;
}

bool
tk_loop_is_current(const struct tk_loop *loop)
{
    return current == loop;
}

tk_str
tk_loop_date(struct tk_loop *loop)
{
    struct tm utc;
    time_t now = time(NULL);
    if (now != loop->date_s && gmtime_r(&now, &utc) != NULL) {
        static const char days[][4] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
        static const char months[][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                         "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
        (void)snprintf(loop->date, sizeof loop->date, "%s, %02u %s %04u %02u:%02u:%02u GMT",
                       days[utc.tm_wday], (unsigned)utc.tm_mday % 100, months[utc.tm_mon],
                       ((unsigned)utc.tm_year + 1900) % 10000, (unsigned)utc.tm_hour % 100,
                       (unsigned)utc.tm_min % 100, (unsigned)utc.tm_sec % 100);
        loop->date_s = now;
    }
    return tk_str_from(loop->date);
}

/* ---- the sweep ---- */

static void
close_all(struct tk_loop *loop)
{
    for (struct tk_conn *conn = loop->conns, *next; conn != NULL; conn = next) {
        next = conn->next;
        tk_conn_close(conn);
    }
}

/* Draining: when the last connection and the last request are gone, so is the loop. */
static void
stop_when_empty(struct tk_loop *loop)
{
    if (loop->now_ms >= loop->stop_at_ms)
        close_all(loop);
    if (loop->conns != NULL || loop->exchange_count > 0)
        return;
    uv_close((uv_handle_t *)&loop->sweep, NULL);
    tk_mailbox_close(&loop->mailbox);
}

static void
on_sweep(uv_timer_t *timer)
{
    struct tk_loop *loop = timer->data;
    loop->now_ms = uv_now(&loop->uv);
    for (struct tk_conn *conn = loop->conns, *next; conn != NULL; conn = next) {
        next = conn->next; /* closing frees it in a later round */
        tk_conn_check_deadlines(conn);
    }
    if (loop->draining)
        stop_when_empty(loop);
    else if (loop->conns == NULL)
        uv_timer_stop(timer);
}

void
tk_loop_watch(struct tk_loop *loop)
{
    if (!uv_is_active((uv_handle_t *)&loop->sweep))
        TK_ASSERT(uv_timer_start(&loop->sweep, on_sweep, loop->sweep_ms, loop->sweep_ms) == 0);
}

/* ---- life ---- */

static uint64_t
sweep_interval(const struct tk_server_options *options)
{
    uint64_t shortest = options->head_timeout_ms;
    if (options->body_timeout_ms < shortest)
        shortest = options->body_timeout_ms;
    if (options->idle_timeout_ms < shortest)
        shortest = options->idle_timeout_ms;
    uint64_t interval = shortest / 8;
    return interval < SWEEP_MS_MIN   ? SWEEP_MS_MIN
           : interval > SWEEP_MS_MAX ? SWEEP_MS_MAX
                                     : interval;
}

enum tk_err
tk_loop_init(struct tk_loop *loop, struct tk_shared *shared, struct tk_error *err)
{
    loop->shared = shared;
    loop->scratch = malloc(2 * TK_SCRATCH_SIZE + TK_FRAME_SCRATCH_SIZE);
    if (loop->scratch == NULL || uv_loop_init(&loop->uv) != 0) {
        free(loop->scratch);
        return tk_error_set(err, TK_ERR_MEMORY, "cannot make an event loop");
    }
    loop->wire_scratch = loop->scratch + TK_SCRATCH_SIZE;
    loop->frame_scratch = loop->wire_scratch + TK_SCRATCH_SIZE;
    loop->sweep_ms = sweep_interval(&shared->options);
    tk_mailbox_init(&loop->mailbox, &loop->uv);
    TK_ASSERT(uv_timer_init(&loop->uv, &loop->sweep) == 0);
    loop->sweep.data = loop;
    return TK_OK;
}

enum tk_err
tk_loop_listen(struct tk_loop *loop, int fd, struct tk_error *err)
{
    uv_tcp_t *listener = &loop->listeners[loop->listener_count];
    int status = uv_tcp_init(&loop->uv, listener);
    TK_ASSERT(status == 0);
    loop->listener_count++;
    listener->data = loop;
    status = uv_tcp_open(listener, fd);
    if (status == 0)
        status = uv_listen((uv_stream_t *)listener, LISTEN_BACKLOG, tk_socket_accept);
    if (status != 0)
        return tk_error_set(err, status == UV_EADDRINUSE ? TK_ERR_EXISTS : TK_ERR_IO,
                            "cannot listen: %s", uv_strerror(status));
    return TK_OK;
}

static void
run(void *arg)
{
    struct tk_loop *loop = arg;
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGPIPE); /* libuv writes without MSG_NOSIGNAL; EPIPE tells enough */
    (void)pthread_sigmask(SIG_BLOCK, &signals, NULL);
    tk_loop_adopt(loop);
    TK_ASSERT(uv_run(&loop->uv, UV_RUN_DEFAULT) == 0);
}

enum tk_err
tk_loop_start(struct tk_loop *loop, struct tk_error *err)
{
    if (uv_thread_create(&loop->thread, run, loop) != 0)
        return tk_error_set(err, TK_ERR_MEMORY, "cannot start an event-loop thread");
    loop->started = true;
    return TK_OK;
}

static void
drain(struct tk_mail *mail)
{
    struct tk_loop *loop = tk_container_of(mail, struct tk_loop, stop_mail);
    uv_update_time(&loop->uv);
    loop->now_ms = uv_now(&loop->uv);
    loop->draining = true;
    loop->stop_at_ms = loop->now_ms + loop->grace_ms;
    for (size_t i = 0; i < loop->listener_count; i++)
        uv_close((uv_handle_t *)&loop->listeners[i], NULL);
    for (struct tk_conn *conn = loop->conns, *next; conn != NULL; conn = next) {
        next = conn->next;
        tk_conn_drain(conn);
    }
    TK_ASSERT(uv_timer_start(&loop->sweep, on_sweep, 0, SWEEP_MS_DRAINING) == 0);
}

void
tk_loop_stop(struct tk_loop *loop, unsigned grace_ms)
{
    loop->grace_ms = grace_ms;
    loop->stop_mail.run = drain;
    tk_mailbox_post(&loop->mailbox, &loop->stop_mail);
}

void
tk_loop_release(struct tk_loop *loop)
{
    if (loop->started) {
        uv_thread_join(&loop->thread);
    } else if (loop->scratch != NULL) { /* never ran: close by hand what it would have */
        drain(&loop->stop_mail);
        run(loop);
        tk_loop_adopt(NULL);
    }
    if (loop->scratch != NULL) {
        TK_ASSERT(uv_loop_close(&loop->uv) == 0);
        tk_mailbox_release(&loop->mailbox);
    }
    free(loop->scratch);
    free(loop->listeners);
}
