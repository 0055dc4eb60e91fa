/* tail - see tail.h.  `lock` guards what ingest and new readers hand over; the tails themselves are
   the thread's alone. */
#include "api/tail.h"

#include "api/params.h"
#include "api/private.h"
#include "api/trace_json.h"
#include "query/plan.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { ARENA_CHUNK = 16 << 10, SUMMARY_MAX = 4 << 20 };
static const uint64_t second_nano = UINT64_C(1000000000);

struct tail {
    struct tail *next;
    struct tk_request *request;
    uint32_t project;
    struct tk_arena arena; /* the query's */
    struct tk_query *query;
    struct tk_plan plan;
    uint64_t end_nano, written_nano; /* monotonic */
    uint64_t dropped;
    bool gone;
};

struct tk_tails {
    struct tk_store *store;
    struct tk_env *env;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    bool started, stop;
    _Atomic uint32_t count;
    struct tail *incoming;
    struct tk_arrivals arrivals;
    /* the thread's */
    struct tail *tails;
    struct tk_arrivals taken;
    uint64_t deadline_nano; /* of the tail at hand */
};

/* ---- what arrives ---- */

void
tk_tails_note(struct tk_tails *tails, const struct tk_batch *batch, struct tk_arena *arena,
              struct tk_arrivals_note *ret_note)
{
    *ret_note = (struct tk_arrivals_note){.count = 0};
    if (atomic_load_explicit(&tails->count, memory_order_relaxed) > 0)
        tk_arrivals_note(batch, arena, ret_note);
}

void
tk_tails_arrived(struct tk_tails *tails, uint32_t project, const struct tk_arrivals_note *note)
{
    if (note->count == 0 && note->left_out == 0)
        return;
    (void)pthread_mutex_lock(&tails->lock);
    tk_arrivals_add(&tails->arrivals, project, note);
    (void)pthread_mutex_unlock(&tails->lock);
}

/* ---- one tail ---- */

static void
free_tail(struct tail *tail)
{
    tk_query_release(tail->query);
    tk_arena_release(&tail->arena);
    free(tail);
}

/* Hands the request back; nothing of it may be touched afterwards. */
static void
end_tail(struct tk_tails *tails, struct tail *tail)
{
    (void)pthread_mutex_lock(&tails->lock);
    tk_arrivals_unwatch(&tails->arrivals, tail->project);
    (void)pthread_mutex_unlock(&tails->lock);
    tk_response_end(tail->request);
    free_tail(tail);
    atomic_fetch_sub(&tails->count, 1);
}

static void
write_text(struct tk_tails *tails, struct tail *tail, tk_str text)
{
    if (tk_response_write(tail->request, text) != TK_OK)
        tail->gone = true;
    tail->written_nano = tails->env->mono_nano(tails->env);
}

static void
write_dropped(struct tk_tails *tails, struct tail *tail)
{
    char text[96];
    if (tail->dropped == 0 || tk_response_waiting(tail->request) > TK_TAIL_WAITING_MAX)
        return;
    (void)snprintf(text, sizeof text, "event: dropped\ndata: {\"traceCount\":%llu}\n\n",
                   (unsigned long long)tail->dropped);
    tail->dropped = 0;
    write_text(tails, tail, tk_str_from(text));
}

static void
write_event(struct tk_tails *tails, struct tail *tail, struct tk_buf *event)
{
    write_dropped(tails, tail);
    if (event->status != TK_OK || tk_response_waiting(tail->request) > TK_TAIL_WAITING_MAX)
        tail->dropped++;
    else
        write_text(tails, tail, tk_buf_str(event));
}

/* What cannot be decided on (a budget, a damaged block) is dropped like what has no room. */
static enum tk_err
ask_tail(struct tail *tail, struct tk_store_view *view, struct tk_trace_id id, struct tk_buf *event)
{
    struct tk_batch *spans = tk_batch_new();
    struct tk_error err = {0};
    struct tk_json_writer json;
    struct tk_arena arena;
    bool matches = false;
    if (spans == NULL)
        return TK_ERR_MEMORY;
    enum tk_err result = tk_store_find(view, id, &tail->plan.want, spans, &err);
    if (result == TK_OK)
        result = tk_query_matches(tail->query, spans, &matches);
    if (result == TK_OK && matches) {
        tk_arena_init(&arena, ARENA_CHUNK, TK_QUERY_MEMORY_MAX);
        tk_buf_append(event, TK_STR("event: trace\ndata: "));
        tk_json_writer_init(&json, event);
        result = tk_summary_json(&json, spans, tail->query, &arena);
        tk_buf_append(event, TK_STR("\n\n"));
        tk_arena_release(&arena);
    }
    tk_batch_free(spans);
    return result == TK_ERR_NOT_FOUND ? TK_OK : result;
}

static bool
is_over(void *arg)
{
    const struct tk_tails *tails = arg;
    return tails->env->mono_nano(tails->env) > tails->deadline_nano;
}

static void
feed_tail(struct tk_tails *tails, struct tail *tail, const struct tk_arrival *arrivals,
          uint32_t count)
{
    struct tk_store_view *view;
    struct tk_error err = {0};
    struct tk_buf event;
    if (count == 0)
        return;
    if (tk_store_view_open(tails->store, tail->project, &view, &err) != TK_OK) {
        tail->dropped += count;
        return;
    }
    tk_buf_init(&event, SUMMARY_MAX);
    for (uint32_t i = 0; i < count && !tail->gone; i++) {
        if (is_over(tails)) {
            tail->dropped += count - i;
            break;
        }
        tk_buf_clear(&event);
        if (ask_tail(tail, view, arrivals[i].id, &event) != TK_OK)
            tail->dropped++;
        else if (event.len > 0)
            write_event(tails, tail, &event);
    }
    tk_buf_release(&event);
    tk_store_view_close(view);
}

/* ---- the thread ---- */

/* One after the other; each may take as long as one interval, so that none starves the others. */
static void
serve(struct tk_tails *tails)
{
    tk_arrivals_sort(&tails->taken);
    for (struct tail **link = &tails->tails; *link != NULL;) {
        struct tail *tail = *link;
        uint64_t now = tails->env->mono_nano(tails->env), left_out;
        uint32_t count;
        const struct tk_arrival *arrivals =
            tk_arrivals_of(&tails->taken, tail->project, &count, &left_out);
        tail->dropped += left_out;
        tails->deadline_nano = now + TK_TAIL_INTERVAL_MS * UINT64_C(1000000);
        feed_tail(tails, tail, arrivals, count);
        write_dropped(tails, tail);
        size_t waiting = tk_response_waiting(tail->request);
        tail->gone = tail->gone || waiting == SIZE_MAX;
        if (waiting == 0 && now - tail->written_nano >= TK_TAIL_HEARTBEAT_SECONDS * second_nano)
            write_text(tails, tail, TK_STR(": heartbeat\n\n"));
        if (tail->gone || now >= tail->end_nano) {
            *link = tail->next;
            end_tail(tails, tail);
        } else {
            link = &tail->next;
        }
    }
}

/* Waits for one interval, or while nobody tails.  False: stop. */
static bool
collect(struct tk_tails *tails)
{
    struct timespec until;
    (void)clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += TK_TAIL_INTERVAL_MS * 1000000L;
    until.tv_sec += until.tv_nsec / 1000000000L;
    until.tv_nsec %= 1000000000L;
    (void)pthread_mutex_lock(&tails->lock);
    while (!tails->stop && tails->tails == NULL && tails->incoming == NULL)
        (void)pthread_cond_wait(&tails->wake, &tails->lock);
    if (!tails->stop && tails->tails != NULL)
        (void)pthread_cond_timedwait(&tails->wake, &tails->lock, &until);
    while (tails->incoming != NULL) {
        struct tail *tail = tails->incoming;
        tails->incoming = tail->next;
        tail->next = tails->tails;
        tails->tails = tail;
    }
    tk_arrivals_take(&tails->arrivals, &tails->taken);
    bool stop = tails->stop;
    (void)pthread_mutex_unlock(&tails->lock);
    return !stop;
}

static void *
run(void *arg)
{
    struct tk_tails *tails = arg;
    (void)pthread_setname_np(pthread_self(), "tk-tail");
    while (collect(tails))
        serve(tails);
    while (tails->tails != NULL) {
        struct tail *tail = tails->tails;
        tails->tails = tail->next;
        end_tail(tails, tail);
    }
    return NULL;
}

enum tk_err
tk_tails_new(struct tk_store *store, struct tk_env *env, struct tk_tails **ret_tails,
             struct tk_error *err)
{
    pthread_condattr_t attributes;
    struct tk_tails *tails = calloc(1, sizeof *tails);
    if (tails == NULL)
        return tk_error_set(err, TK_ERR_MEMORY, "out of memory");
    tails->store = store;
    tails->env = env;
    (void)pthread_mutex_init(&tails->lock, NULL);
    (void)pthread_condattr_init(&attributes);
    (void)pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&tails->wake, &attributes);
    (void)pthread_condattr_destroy(&attributes);
    *ret_tails = tails;
    return TK_OK;
}

void
tk_tails_stop(struct tk_tails *tails)
{
    (void)pthread_mutex_lock(&tails->lock);
    tails->stop = true;
    (void)pthread_cond_signal(&tails->wake);
    bool started = tails->started;
    (void)pthread_mutex_unlock(&tails->lock);
    if (started)
        (void)pthread_join(tails->thread, NULL);
    tails->started = false;
}

void
tk_tails_free(struct tk_tails *tails)
{
    if (tails == NULL)
        return;
    (void)pthread_cond_destroy(&tails->wake);
    (void)pthread_mutex_destroy(&tails->lock);
    free(tails);
}

/* ---- the route ---- */

/* The thread is there from the first tail on.  False: too many, or the server stops. */
static bool
may_tail(struct tk_tails *tails, uint32_t project)
{
    (void)pthread_mutex_lock(&tails->lock);
    bool may = !tails->stop && atomic_load(&tails->count) < TK_TAILS_MAX;
    if (may && !tails->started)
        may = tails->started = pthread_create(&tails->thread, NULL, run, tails) == 0;
    if (may) {
        tk_arrivals_watch(&tails->arrivals, project);
        atomic_fetch_add(&tails->count, 1);
    }
    (void)pthread_mutex_unlock(&tails->lock);
    return may;
}

/* Hands the tail, whose answer has begun, to the thread. */
static void
add_tail(struct tk_tails *tails, struct tail *tail)
{
    (void)pthread_mutex_lock(&tails->lock);
    bool stop = tails->stop;
    if (!stop) {
        tail->next = tails->incoming;
        tails->incoming = tail;
        (void)pthread_cond_signal(&tails->wake);
    }
    (void)pthread_mutex_unlock(&tails->lock);
    if (stop)
        end_tail(tails, tail);
}

static struct tail *
new_tail(struct tk_call *call)
{
    struct tail *tail = calloc(1, sizeof *tail);
    if (tail == NULL) {
        tk_reply_error(call, TK_ERR_MEMORY, NULL);
        return NULL;
    }
    tk_arena_init(&tail->arena, ARENA_CHUNK, TK_QUERY_MEMORY_MAX);
    if (tk_param_trace_query(call, &tail->arena, &tail->query)) {
        if (tk_plan_make(tail->query, &tail->plan) == TK_OK)
            return tail;
        tk_reply_error(call, TK_ERR_MEMORY, NULL);
    }
    free_tail(tail);
    return NULL;
}

void
tk_route_tail(struct tk_call *call)
{
    struct tk_tails *tails = call->api->tails;
    struct tk_request *request = call->request;
    struct tail *tail = new_tail(call);
    if (tail == NULL)
        return;
    if (!may_tail(tails, call->identity.project_id)) {
        free_tail(tail);
        tk_reply_problem(call, 503, "Too many tails", "%d are there already, try again later",
                         TK_TAILS_MAX);
        return;
    }
    tail->request = request;
    tail->project = call->identity.project_id;
    tail->written_nano = tails->env->mono_nano(tails->env);
    tk_query_set_budget(tail->query, tk_query_memory(call), is_over, tails);
    tail->end_nano = tail->written_nano + TK_TAIL_SECONDS_MAX * second_nano;
    bool head_only = tk_str_eq(request->method, TK_STR("HEAD"));
    tk_reply_start(call, TK_STR("text/event-stream"));
    if (head_only) {
        end_tail(tails, tail);
        return;
    }
    write_text(tails, tail, TK_STR("retry: 2000\n\n"));
    add_tail(tails, tail);
}
