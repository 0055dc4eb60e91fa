/*
 * exchange - see exchange.h; and what server.h promises of a request.
 *
 * An answer is copied on the thread that gives it, then crosses to the loop as mail.  Only inside
 * the handler's own callback (`calling`, which the loop's thread alone reads) it is taken directly,
 * so that it leaves in the same round.
 */
#include "net/exchange.h"

#include "base/assert.h"
#include "net/conn.h"
#include "net/grpc.h"

#include <stdio.h>
#include <stdlib.h>

enum {
    ARENA_CHUNK_SIZE = 2 << 10,
    BODY_FIRST_MAX = 256 << 10,   /* taken on the word of a Content-Length */
    BODY_STEP_MIN = 16 << 10,     /* when nothing is known */
    STREAM_PENDING_MAX = 1 << 20, /* a writing worker waits above */
};
#define ARENA_LIMIT ((size_t)1 << 30)

/* ---- life ---- */

struct tk_exchange *
tk_exchange_new(struct tk_loop *loop, struct tk_conn *conn)
{
    struct tk_exchange *exchange = calloc(1, sizeof *exchange);
    if (exchange == NULL)
        return NULL;
    exchange->loop = loop;
    exchange->conn = conn;
    exchange->request.tls = conn->tls;
    exchange->request.loopback = conn->loopback;
    exchange->request.method = TK_STR("");
    exchange->request.path = TK_STR("/");
    exchange->request.query = TK_STR("");
    tk_arena_init(&exchange->request.arena, ARENA_CHUNK_SIZE, ARENA_LIMIT);
    tk_output_init(&exchange->parts);
    loop->exchange_count++;
    return exchange;
}

void
tk_exchange_free(struct tk_exchange *exchange)
{
    struct tk_shared *shared = exchange->loop->shared;
    atomic_fetch_sub_explicit(&shared->buffered, exchange->body_capacity, memory_order_relaxed);
    tk_output_release(&exchange->parts);
    if (exchange->stream.ready) {
        uv_cond_destroy(&exchange->stream.drained);
        uv_mutex_destroy(&exchange->stream.lock);
    }
    free(exchange->body);
    free(exchange->response.body_owned);
    tk_arena_release(&exchange->request.arena);
    exchange->loop->exchange_count--;
    free(exchange);
}

void
tk_exchange_hang_up(struct tk_exchange *exchange)
{
    uv_mutex_lock(&exchange->stream.lock);
    exchange->stream.gone = true;
    uv_cond_broadcast(&exchange->stream.drained);
    uv_mutex_unlock(&exchange->stream.lock);
}

void
tk_exchange_abandon(struct tk_exchange *exchange)
{
    exchange->conn = NULL;
    if (exchange->handed)
        tk_exchange_hang_up(exchange);
    else
        tk_exchange_free(exchange);
}

/* ---- the body ---- */

enum tk_err
tk_exchange_reserve(struct tk_exchange *exchange, size_t hint)
{
    struct tk_shared *shared = exchange->loop->shared;
    size_t capacity = exchange->body_capacity;
    if (exchange->body_len < capacity)
        return TK_OK;
    size_t step = capacity > BODY_STEP_MIN ? capacity : BODY_STEP_MIN;
    if (hint > 0) {
        size_t most = capacity > BODY_FIRST_MAX ? capacity : BODY_FIRST_MAX;
        step = hint < most ? hint : most;
    }
    size_t before = atomic_fetch_add_explicit(&shared->buffered, step, memory_order_relaxed);
    if (before + step > shared->options.buffered_max) {
        atomic_fetch_sub_explicit(&shared->buffered, step, memory_order_relaxed);
        return TK_ERR_BUSY;
    }
    char *body = realloc(exchange->body, capacity + step);
    if (body == NULL) {
        atomic_fetch_sub_explicit(&shared->buffered, step, memory_order_relaxed);
        return TK_ERR_MEMORY;
    }
    exchange->body = body;
    exchange->body_capacity = capacity + step;
    return TK_OK;
}

enum tk_err
tk_exchange_append(struct tk_exchange *exchange, tk_str bytes, size_t hint)
{
    while (bytes.len > 0) {
        enum tk_err status = tk_exchange_reserve(exchange, hint > bytes.len ? hint : bytes.len);
        if (status != TK_OK)
            return status;
        size_t room = exchange->body_capacity - exchange->body_len;
        size_t part = bytes.len < room ? bytes.len : room;
        memcpy(exchange->body + exchange->body_len, bytes.ptr, part);
        exchange->body_len += part;
        bytes = (tk_str){bytes.ptr + part, bytes.len - part};
        hint -= part < hint ? part : hint;
    }
    return TK_OK;
}

/* ---- to the handler ---- */

/* From here on the handler owns the exchange, until it answers. */
static void
hand_over(struct tk_exchange *exchange)
{
    exchange->handed = true;
    if (exchange->stream.ready)
        return;
    TK_ASSERT(uv_mutex_init(&exchange->stream.lock) == 0);
    TK_ASSERT(uv_cond_init(&exchange->stream.drained) == 0);
    exchange->stream.ready = true;
}

bool
tk_exchange_head(struct tk_exchange *exchange)
{
    const struct tk_server_handler *handler = &exchange->loop->shared->handler;
    tk_count(&exchange->loop->counters.requests_total, 1);
    hand_over(exchange); /* it may answer at once */
    exchange->calling = true;
    exchange->body_max = handler->on_head(handler->arg, &exchange->request);
    exchange->calling = false;
    if (exchange->body_max == TK_BODY_ANSWERED)
        return false;
    exchange->handed = false;
    return true;
}

void
tk_exchange_handle(struct tk_exchange *exchange)
{
    const struct tk_server_handler *handler = &exchange->loop->shared->handler;
    tk_str body = {exchange->body, exchange->body_len};
    if (exchange->request.grpc) {
        const char *reason;
        int status = tk_grpc_open_message(&body, &exchange->request.grpc_compressed, &reason);
        if (status != 0) {
            tk_exchange_refuse(exchange, status, reason);
            return;
        }
    }
    exchange->request.body = body;
    hand_over(exchange);
    exchange->calling = true;
    handler->on_request(handler->arg, &exchange->request);
    exchange->calling = false;
}

static void
run_job(struct tk_job *job)
{
    struct tk_exchange *exchange = tk_container_of(job, struct tk_exchange, job);
    exchange->work(&exchange->request, exchange->work_arg);
}

enum tk_err
tk_request_offload(struct tk_request *request, void (*work)(struct tk_request *request, void *arg),
                   void *arg)
{
    struct tk_exchange *exchange = tk_exchange_of(request);
    exchange->work = work;
    exchange->work_arg = arg;
    exchange->job.run = run_job;
    return tk_workers_submit(exchange->loop->shared->workers, &exchange->job);
}

void *
tk_request_take_body(struct tk_request *request)
{
    struct tk_exchange *exchange = tk_exchange_of(request);
    void *body = exchange->body;
    atomic_fetch_sub_explicit(&exchange->loop->shared->buffered, exchange->body_capacity,
                              memory_order_relaxed);
    exchange->body = NULL;
    exchange->body_capacity = 0;
    return body;
}

tk_str
tk_request_header(const struct tk_request *request, tk_str name)
{
    for (size_t i = 0; i < request->header_count; i++)
        if (tk_str_eq(request->headers[i].name, name))
            return request->headers[i].value;
    return TK_STR_NONE;
}

/* ---- the answer ---- */

/* What would end a header early, or smuggle one in, is not sent. */
static bool
is_sendable(tk_str value)
{
    for (size_t i = 0; i < value.len; i++)
        if (value.ptr[i] == '\r' || value.ptr[i] == '\n' || value.ptr[i] == '\0')
            return false;
    return true;
}

/* HTTP/2 knows no other names. */
static tk_str
lower_copy(struct tk_arena *arena, tk_str name)
{
    char *copy = tk_arena_alloc(arena, name.len);
    for (size_t i = 0; i < name.len && copy != NULL; i++)
        copy[i] = name.ptr[i] >= 'A' && name.ptr[i] <= 'Z' ? (char)(name.ptr[i] + ('a' - 'A'))
                                                           : name.ptr[i];
    return (tk_str){copy, name.len};
}

static bool
keep_headers(struct tk_arena *arena, const struct tk_response *from, struct tk_response *to)
{
    struct tk_header *headers = tk_arena_zalloc(arena, from->header_count, sizeof *headers);
    if (headers == NULL)
        return false;
    to->headers = headers;
    to->header_count = 0;
    for (size_t i = 0; i < from->header_count; i++) {
        if (!is_sendable(from->headers[i].name) || !is_sendable(from->headers[i].value))
            continue;
        struct tk_header *header = &headers[to->header_count++];
        header->name = lower_copy(arena, from->headers[i].name);
        header->value = tk_arena_copy(arena, from->headers[i].value);
        if (header->name.ptr == NULL || header->value.ptr == NULL)
            return false;
    }
    return true;
}

static bool
keep_str(struct tk_arena *arena, tk_str *str)
{
    if (str->len > 0)
        *str = tk_arena_copy(arena, *str);
    return str->len == 0 || str->ptr != NULL;
}

/* Makes the answer ours; an answer that does not fit into memory becomes a bare 503. */
static void
keep_response(struct tk_exchange *exchange, const struct tk_response *response)
{
    struct tk_arena *arena = &exchange->request.arena;
    struct tk_response *kept = &exchange->response;
    *kept = *response;
    if (!is_sendable(kept->content_type))
        kept->content_type = TK_STR_NONE;
    bool fits = keep_str(arena, &kept->content_type) && keep_str(arena, &kept->grpc_message) &&
                keep_str(arena, &kept->grpc_details) && keep_headers(arena, response, kept);
    if (fits && kept->body_owned == NULL && kept->body_static == NULL)
        fits = keep_str(arena, &kept->body);
    if (!fits)
        *kept = (struct tk_response){
            .status = 503, .grpc_status = TK_GRPC_UNAVAILABLE, .body_owned = kept->body_owned};
}

static void
answer(struct tk_exchange *exchange)
{
    exchange->handed = exchange->streaming; /* a long answer: until its end */
    if (exchange->conn != NULL)
        tk_conn_answer(exchange->conn, exchange);
    else if (!exchange->streaming)
        tk_exchange_free(exchange);
}

static void
receive_answer(struct tk_mail *mail)
{
    struct tk_exchange *exchange = tk_container_of(mail, struct tk_exchange, mail);
    struct tk_conn *conn = exchange->conn;
    answer(exchange);
    if (conn != NULL)
        tk_conn_settle(conn);
}

void
tk_request_respond(struct tk_request *request, const struct tk_response *response)
{
    struct tk_exchange *exchange = tk_exchange_of(request);
    TK_ASSERT(!atomic_exchange(&exchange->responded, true));
    keep_response(exchange, response);
    if (tk_loop_is_current(exchange->loop) && exchange->calling) {
        answer(exchange);
        return;
    }
    exchange->mail.run = receive_answer;
    tk_mailbox_post(&exchange->loop->mailbox, &exchange->mail);
}

void
tk_exchange_refuse(struct tk_exchange *exchange, int status, const char *reason)
{
    const struct tk_server_handler *handler = &exchange->loop->shared->handler;
    struct tk_response response = {
        .status = status, .content_type = TK_STR("text/plain"), .body = tk_str_from(reason)};
    tk_count(&exchange->loop->counters.refused_total, 1);
    exchange->refused = true;
    if (exchange->request.grpc) {
        response.grpc_status = tk_grpc_status_of(status);
        response.grpc_message = tk_str_from(reason);
    } else if (handler->on_refused != NULL) {
        handler->on_refused(handler->arg, &exchange->request, status, reason, &response);
    }
    TK_ASSERT(!atomic_exchange(&exchange->responded, true));
    keep_response(exchange, &response);
    answer(exchange);
}

/* ---- long answers ---- */

void
tk_response_start(struct tk_request *request, const struct tk_response *head)
{
    struct tk_exchange *exchange = tk_exchange_of(request);
    TK_ASSERT(head->body.len == 0);
    TK_ASSERT(!atomic_exchange(&exchange->responded, true));
    keep_response(exchange, head);
    exchange->streaming = true;
    exchange->mail.run = receive_answer;
    tk_mailbox_post(&exchange->loop->mailbox, &exchange->mail);
}

static void
part_done(struct tk_chunk *chunk)
{
    struct tk_stream_part *part = tk_container_of(chunk, struct tk_stream_part, chunk);
    tk_exchange_sent(part->exchange, part->size);
    free(part);
}

static void
receive_part(struct tk_mail *mail)
{
    struct tk_stream_part *part = tk_container_of(mail, struct tk_stream_part, mail);
    struct tk_conn *conn = part->exchange->conn;
    if (conn == NULL || part->exchange->head_only) {
        part_done(&part->chunk);
        return;
    }
    tk_conn_stream(conn, part->exchange, part);
    tk_conn_settle(conn);
}

static void
receive_end(struct tk_mail *mail)
{
    struct tk_exchange *exchange = tk_container_of(mail, struct tk_exchange, end_mail);
    struct tk_conn *conn = exchange->conn;
    exchange->handed = false;
    if (conn == NULL) {
        tk_exchange_free(exchange);
        return;
    }
    tk_conn_stream(conn, exchange, NULL);
    tk_conn_settle(conn);
}

/* Waits until there is room; false when nobody reads any more. */
static bool
stream_charge(struct tk_exchange *exchange, size_t size)
{
    bool may_block = !tk_loop_is_current(exchange->loop);
    uv_mutex_lock(&exchange->stream.lock);
    while (may_block && !exchange->stream.gone && exchange->stream.pending > STREAM_PENDING_MAX)
        uv_cond_wait(&exchange->stream.drained, &exchange->stream.lock);
    bool gone = exchange->stream.gone;
    if (!gone)
        exchange->stream.pending += size;
    uv_mutex_unlock(&exchange->stream.lock);
    return !gone;
}

void
tk_exchange_sent(struct tk_exchange *exchange, size_t size)
{
    uv_mutex_lock(&exchange->stream.lock);
    TK_ASSERT(size <= exchange->stream.pending);
    exchange->stream.pending -= size;
    if (exchange->stream.pending <= STREAM_PENDING_MAX)
        uv_cond_signal(&exchange->stream.drained);
    uv_mutex_unlock(&exchange->stream.lock);
}

enum tk_err
tk_response_write(struct tk_request *request, tk_str bytes)
{
    enum { FRAMING_MAX = 24 }; /* hexadecimal size and two line ends */
    struct tk_exchange *exchange = tk_exchange_of(request);
    if (bytes.len == 0)
        return TK_OK; /* an empty chunk would end the body */
    if (!stream_charge(exchange, bytes.len))
        return TK_ERR_UNREACHABLE;
    struct tk_stream_part *part = malloc(sizeof *part + bytes.len + FRAMING_MAX);
    if (part == NULL) {
        tk_exchange_sent(exchange, bytes.len);
        return TK_ERR_MEMORY;
    }
    char *text = (char *)(part + 1);
    size_t len = 0;
    if (exchange->chunked)
        len = (size_t)snprintf(text, FRAMING_MAX, "%zx\r\n", bytes.len);
    memcpy(text + len, bytes.ptr, bytes.len);
    len += bytes.len;
    if (exchange->chunked) {
        memcpy(text + len, "\r\n", 2);
        len += 2;
    }
    *part = (struct tk_stream_part){.mail.run = receive_part,
                                    .exchange = exchange,
                                    .size = bytes.len,
                                    .chunk = {.bytes = {text, len}, .done = part_done}};
    tk_mailbox_post(&exchange->loop->mailbox, &part->mail);
    return TK_OK;
}

void
tk_response_end(struct tk_request *request)
{
    struct tk_exchange *exchange = tk_exchange_of(request);
    exchange->end_mail.run = receive_end;
    tk_mailbox_post(&exchange->loop->mailbox, &exchange->end_mail);
}

size_t
tk_response_waiting(struct tk_request *request)
{
    struct tk_exchange *exchange = tk_exchange_of(request);
    uv_mutex_lock(&exchange->stream.lock);
    size_t waiting = exchange->stream.gone ? SIZE_MAX : exchange->stream.pending;
    uv_mutex_unlock(&exchange->stream.lock);
    return waiting;
}
