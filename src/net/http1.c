/*
 * http1 - see http1.h.
 *
 * One request at a time: the next one of a pipeline is not looked at until the answer to the one
 * before lies in the output, so answers leave in order and a connection holds one body.
 *
 *   HEAD ----head complete----> LENGTH | CHUNKED ----body complete----> HANDLING --answer--> HEAD
 *     \                             |                                                 (or closing)
 *      `--- refused, or answered by on_head ---> DISCARD (the rest of the body) ---> HEAD
 *
 * Bytes that cannot be used yet wait in `pending`.  A body of known length is read straight into
 * its place (tk_http1_buffer): llhttp sees heads and chunked bodies only.
 *
 * Invariants
 *  (1) `exchange` is not NULL exactly in LENGTH, CHUNKED and HANDLING.
 *  (2) `pending` is not looked at in HANDLING; reading stops when it is PENDING_MAX long.
 *  (3) after conn->finishing nothing is parsed any more.
 */
#include "net/http1.h"

#include "base/assert.h"
#include "net/http1_chunked.h"
#include "net/http1_head.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    PENDING_MAX = 64 << 10,
    DISCARD_MAX = 256 << 10, /* of a refused body: more is not worth keeping the connection */
};

enum state { HEAD, LENGTH, CHUNKED, HANDLING, DISCARD };

struct tk_http1 {
    struct tk_conn *conn;
    enum state state;
    struct tk_exchange *exchange;
    bool keep_alive; /* the client's wish for the current request */
    bool discard;    /* it was answered early: what is left of its body is thrown away */
    struct tk_buf pending;
    size_t scanned; /* HEAD: how far the search for its end has come */
    uint64_t left;  /* LENGTH and DISCARD: bytes of the body to come */
    struct tk_http1_chunked chunked;
};

struct tk_http1 *
tk_http1_new(struct tk_conn *conn)
{
    struct tk_http1 *http1 = calloc(1, sizeof *http1);
    if (http1 == NULL)
        return NULL;
    http1->conn = conn;
    tk_buf_init(&http1->pending,
                conn->loop->shared->options.head_size_max + PENDING_MAX + 2 * TK_SCRATCH_SIZE);
    return http1;
}

void
tk_http1_free(struct tk_http1 *http1)
{
    if (http1 == NULL)
        return;
    if (http1->exchange != NULL)
        tk_exchange_abandon(http1->exchange);
    tk_buf_release(&http1->pending);
    free(http1);
}

static void
expect(struct tk_http1 *http1, enum tk_deadline deadline)
{
    const struct tk_server_options *options = &http1->conn->loop->shared->options;
    unsigned ms = deadline == TK_DEADLINE_HEAD   ? options->head_timeout_ms
                  : deadline == TK_DEADLINE_BODY ? options->body_timeout_ms
                                                 : options->idle_timeout_ms;
    tk_conn_set_deadline(http1->conn, deadline, ms);
}

/* The request is over for us; on to the next one. */
static void
next_request(struct tk_http1 *http1)
{
    http1->state = HEAD;
    http1->exchange = NULL;
    http1->discard = false;
    http1->scanned = 0;
    expect(http1, TK_DEADLINE_IDLE);
}

/* ---- refusing ---- */

/* Nothing behind this point can be understood. */
static void
refuse(struct tk_http1 *http1, int status, const char *reason)
{
    struct tk_exchange *exchange = http1->exchange;
    if (exchange == NULL)
        exchange = tk_exchange_new(http1->conn->loop, http1->conn);
    if (exchange == NULL) {
        tk_conn_close(http1->conn);
        return;
    }
    http1->keep_alive = false;
    http1->exchange = exchange;
    tk_exchange_refuse(exchange, status, reason);
}

static int
status_of(enum tk_err error, const char **ret_reason)
{
    *ret_reason =
        error == TK_ERR_BUSY ? "the server holds too many unfinished requests" : "out of memory";
    return 503;
}

/* ---- the body ---- */

static void
body_complete(struct tk_http1 *http1)
{
    http1->state = HANDLING;
    tk_conn_set_deadline(http1->conn, TK_DEADLINE_NONE, 0);
    tk_exchange_handle(http1->exchange);
}

static void
got_body(struct tk_http1 *http1, size_t size)
{
    TK_ASSERT(size <= http1->left);
    http1->left -= size;
    expect(http1, TK_DEADLINE_BODY);
    if (http1->left == 0)
        body_complete(http1);
}

static size_t
read_length(struct tk_http1 *http1, tk_str bytes)
{
    tk_str part = {bytes.ptr, bytes.len < http1->left ? bytes.len : (size_t)http1->left};
    enum tk_err error = tk_exchange_append(http1->exchange, part, (size_t)http1->left);
    if (error != TK_OK) {
        const char *reason;
        int status = status_of(error, &reason);
        refuse(http1, status, reason);
        return bytes.len;
    }
    got_body(http1, part.len);
    return part.len;
}

static int
take_piece(void *arg, tk_str bytes)
{
    struct tk_http1 *http1 = arg;
    struct tk_exchange *exchange = http1->exchange;
    if (bytes.len > exchange->body_max - exchange->body_len) {
        http1->chunked.reason = "the body is too large";
        return 413;
    }
    enum tk_err error = tk_exchange_append(exchange, bytes, 0);
    return error == TK_OK ? 0 : status_of(error, &http1->chunked.reason);
}

static size_t
read_chunked(struct tk_http1 *http1, tk_str bytes)
{
    bool done = false;
    ptrdiff_t used = tk_http1_chunked_feed(&http1->chunked, bytes, &done);
    if (used < 0) {
        refuse(http1, http1->chunked.status, http1->chunked.reason);
        return bytes.len;
    }
    expect(http1, TK_DEADLINE_BODY);
    if (done)
        body_complete(http1);
    return (size_t)used;
}

static size_t
discard(struct tk_http1 *http1, tk_str bytes)
{
    size_t part = bytes.len < http1->left ? bytes.len : (size_t)http1->left;
    http1->left -= part;
    if (http1->left == 0)
        next_request(http1);
    return part;
}

/* ---- the head ---- */

static void
send_continue(struct tk_http1 *http1)
{
    if (tk_output_copy(&http1->conn->out, TK_STR("HTTP/1.1 100 Continue\r\n\r\n")) != TK_OK)
        tk_conn_close(http1->conn);
}

/* The head is understood: asks the handler what it wants of the body. */
static void
start_body(struct tk_http1 *http1, const struct tk_http1_head *head, bool more_is_here)
{
    struct tk_exchange *exchange = http1->exchange;
    http1->keep_alive = head->keep_alive;
    http1->left = head->content_length;
    /* After an answer given this early, the rest of the body must be skipped to find the next
       request: only if that is cheap and sure. */
    http1->discard = head->content_length > 0;
    if (head->chunked || head->content_length > DISCARD_MAX ||
        (head->expect_continue && head->content_length > 0))
        http1->keep_alive = false;
    if (!tk_exchange_head(exchange)) {
        if (http1->exchange == exchange)
            http1->state = HANDLING; /* the answer is still to come */
        return;
    }
    if (head->content_length > exchange->body_max) {
        tk_exchange_refuse(exchange, 413, "the body is too large");
        return;
    }
    http1->keep_alive = head->keep_alive;
    http1->discard = false;
    if (head->expect_continue && !more_is_here && (head->chunked || head->content_length > 0))
        send_continue(http1);
    if (head->chunked) {
        http1->state = CHUNKED;
        http1->chunked.sink = take_piece;
        http1->chunked.arg = http1;
        http1->chunked.overhead_max = http1->conn->loop->shared->options.head_size_max;
        tk_http1_chunked_init(&http1->chunked);
        expect(http1, TK_DEADLINE_BODY);
    } else if (head->content_length > 0) {
        http1->state = LENGTH;
        expect(http1, TK_DEADLINE_BODY);
    } else {
        body_complete(http1);
    }
}

static void
read_request(struct tk_http1 *http1, tk_str text, bool more_is_here)
{
    struct tk_exchange *exchange = tk_exchange_new(http1->conn->loop, http1->conn);
    struct tk_http1_head head;
    const char *reason;
    http1->exchange = exchange;
    http1->scanned = 0;
    tk_str copy = exchange != NULL ? tk_arena_copy(&exchange->request.arena, text) : TK_STR_NONE;
    if (copy.ptr == NULL) {
        refuse(http1, 503, "out of memory");
        return;
    }
    int status =
        tk_http1_head_parse(&exchange->request.arena, (char *)copy.ptr, copy.len, &head, &reason);
    struct tk_request *request = &exchange->request;
    request->protocol = TK_PROTOCOL_HTTP1;
    request->method = head.method;
    request->path = head.path;
    request->query = head.query;
    request->headers = head.headers;
    request->header_count = head.header_count;
    exchange->head_only = tk_str_eq(head.method, TK_STR("HEAD"));
    exchange->chunked = head.minor > 0;
    if (status != 0)
        refuse(http1, status, reason);
    else
        start_body(http1, &head, more_is_here);
}

/* How many bytes were used: all of a head, or none. */
static size_t
read_head(struct tk_http1 *http1, tk_str bytes)
{
    size_t max = http1->conn->loop->shared->options.head_size_max;
    if (http1->scanned == 0 && tk_str_starts_with(bytes, TK_STR("\r\n")))
        return 2; /* an empty line before a request is overlooked (RFC 9112, 2.2) */
    if (http1->conn->deadline != TK_DEADLINE_HEAD)
        expect(http1, TK_DEADLINE_HEAD);
    ptrdiff_t size = tk_http1_head_find_end(bytes.ptr, bytes.len, &http1->scanned);
    if (size < 0) {
        refuse(http1, 400, "a line of the head does not end with CR LF");
        return bytes.len;
    }
    if ((size_t)size > max || (size == 0 && bytes.len > max)) {
        bool in_first_line = memchr(bytes.ptr, '\n', max) == NULL;
        refuse(http1, in_first_line ? 414 : 431,
               in_first_line ? "the request line is too long" : "the headers are too large");
        return bytes.len;
    }
    if (size > 0)
        read_request(http1, (tk_str){bytes.ptr, (size_t)size}, (size_t)size < bytes.len);
    return (size_t)size;
}

/* ---- input ---- */

static bool
may_read(const struct tk_http1 *http1)
{
    const struct tk_conn *conn = http1->conn;
    return http1->state != HANDLING && !conn->finishing && !conn->closed &&
           conn->out.size < TK_OUTPUT_HIGH;
}

/* Returns what could not be used yet. */
static tk_str
process(struct tk_http1 *http1, tk_str bytes)
{
    while (bytes.len > 0 && may_read(http1)) {
        size_t used = http1->state == HEAD      ? read_head(http1, bytes)
                      : http1->state == LENGTH  ? read_length(http1, bytes)
                      : http1->state == CHUNKED ? read_chunked(http1, bytes)
                                                : discard(http1, bytes);
        if (used == 0)
            break; /* the head is not complete */
        bytes = (tk_str){bytes.ptr + used, bytes.len - used};
    }
    if (http1->conn->finishing || http1->conn->closed)
        return TK_STR_NONE;
    return bytes;
}

static void
keep_pending(struct tk_http1 *http1, tk_str rest)
{
    struct tk_conn *conn = http1->conn;
    struct tk_buf *pending = &http1->pending;
    if (rest.len == 0) {
        tk_buf_release(pending); /* an idle connection holds no memory */
    } else if (pending->len > 0) {
        memmove(pending->ptr, rest.ptr, rest.len);
        pending->len = rest.len;
    } else {
        tk_buf_append(pending, rest);
        if (pending->status != TK_OK)
            tk_conn_close(conn);
    }
    bool pause = pending->len >= PENDING_MAX && !may_read(http1);
    if (pause != conn->paused && !conn->closed) {
        conn->paused = pause;
        conn->transport->pause(conn, pause);
    }
}

char *
tk_http1_buffer(struct tk_http1 *http1, size_t *ret_size)
{
    struct tk_exchange *exchange = http1->exchange;
    if (http1->state != LENGTH || http1->pending.len > 0)
        return NULL;
    if (tk_exchange_reserve(exchange, (size_t)http1->left) != TK_OK)
        return NULL; /* the ordinary way will say so to the client */
    size_t room = exchange->body_capacity - exchange->body_len;
    *ret_size = room < http1->left ? room : (size_t)http1->left;
    return exchange->body + exchange->body_len;
}

void
tk_http1_received(struct tk_http1 *http1, const char *bytes, size_t size)
{
    struct tk_exchange *exchange = http1->exchange;
    if (http1->state == LENGTH && bytes == exchange->body + exchange->body_len) {
        exchange->body_len += size;
        got_body(http1, size);
        return;
    }
    tk_str all = {bytes, size};
    if (http1->pending.len > 0) {
        tk_buf_append(&http1->pending, all);
        if (http1->pending.status != TK_OK) {
            tk_conn_close(http1->conn);
            return;
        }
        all = tk_buf_str(&http1->pending);
    }
    keep_pending(http1, process(http1, all));
}

bool
tk_http1_advance(struct tk_http1 *http1)
{
    size_t before = http1->pending.len;
    if (!may_read(http1))
        return false;
    if (before > 0)
        keep_pending(http1, process(http1, tk_buf_str(&http1->pending)));
    if (http1->pending.len != before)
        return true;
    if (http1->conn->eof && may_read(http1))
        tk_conn_finish(http1->conn); /* what was begun will never be complete */
    return false;
}

void
tk_http1_eof(struct tk_http1 *http1)
{
    (void)tk_http1_advance(http1);
}

/* ---- output ---- */

static void
exchange_sent(struct tk_chunk *chunk)
{
    tk_exchange_free(tk_container_of(chunk, struct tk_exchange, body_chunk));
}

static void
head_sent(struct tk_chunk *chunk)
{
    (void)chunk; /* lies in the exchange's arena */
}

static bool
has_no_body(int status)
{
    return status == 204 || status == 304 || status / 100 == 1;
}

/* The answer's head, into the arena; TK_STR_NONE when there is no memory. */
static tk_str
write_head(struct tk_http1 *http1, struct tk_exchange *exchange)
{
    const struct tk_response *response = &exchange->response;
    struct tk_arena *arena = &exchange->request.arena;
    char length[64] = "";
    struct tk_buf head;
    if (exchange->streaming)
        (void)snprintf(length, sizeof length, "%s",
                       exchange->chunked ? "Transfer-Encoding: chunked\r\n" : "");
    else if (!has_no_body(response->status))
        (void)snprintf(length, sizeof length, "Content-Length: %zu\r\n", response->body.len);

    tk_buf_init(&head, SIZE_MAX / 2);
    tk_buf_printf(&head, "HTTP/1.1 %d %s\r\nDate: %.*s\r\n%s", response->status,
                  tk_status_text(response->status), TK_STR_ARG(tk_loop_date(http1->conn->loop)),
                  length);
    if (response->content_type.len > 0)
        tk_buf_printf(&head, "Content-Type: %.*s\r\n", TK_STR_ARG(response->content_type));
    for (size_t i = 0; i < response->header_count; i++)
        tk_buf_printf(&head, "%.*s: %.*s\r\n", TK_STR_ARG(response->headers[i].name),
                      TK_STR_ARG(response->headers[i].value));
    if (!http1->keep_alive)
        tk_buf_append(&head, TK_STR("Connection: close\r\n"));
    else if (!exchange->chunked) /* HTTP/1.0 must be told */
        tk_buf_append(&head, TK_STR("Connection: keep-alive\r\n"));
    tk_buf_append(&head, TK_STR("\r\n"));
    tk_str copy = head.status == TK_OK ? tk_arena_copy(arena, tk_buf_str(&head)) : TK_STR_NONE;
    tk_buf_release(&head);
    return copy;
}

/* The exchange's answer lies in the output as a whole. */
static void
answered(struct tk_http1 *http1)
{
    bool discards = http1->discard;
    http1->exchange = NULL;
    if (!http1->keep_alive) {
        tk_conn_finish(http1->conn);
        return;
    }
    next_request(http1);
    if (discards) {
        http1->state = DISCARD;
        expect(http1, TK_DEADLINE_BODY);
    }
}

void
tk_http1_answer(struct tk_http1 *http1, struct tk_exchange *exchange)
{
    struct tk_conn *conn = http1->conn;
    TK_ASSERT(exchange == http1->exchange);
    if (conn->loop->draining || (exchange->streaming && !exchange->chunked))
        http1->keep_alive = false;
    tk_str head = write_head(http1, exchange);
    if (head.ptr == NULL) {
        tk_conn_close(conn);
        return;
    }
    bool whole = !exchange->streaming;
    bool with_body = whole && !exchange->head_only && !has_no_body(exchange->response.status);
    exchange->head_chunk = (struct tk_chunk){.bytes = head, .done = head_sent};
    tk_output_add(&conn->out, &exchange->head_chunk);
    if (!whole)
        return;
    exchange->body_chunk = (struct tk_chunk){
        .bytes = with_body ? exchange->response.body : TK_STR(""), .done = exchange_sent};
    tk_output_add(&conn->out, &exchange->body_chunk);
    answered(http1);
}

void
tk_http1_stream(struct tk_http1 *http1, struct tk_exchange *exchange, struct tk_stream_part *part)
{
    TK_ASSERT(exchange == http1->exchange);
    if (part != NULL) {
        tk_output_add(&http1->conn->out, &part->chunk);
        return;
    }
    exchange->body_chunk = (struct tk_chunk){.bytes = TK_STR(""), .done = exchange_sent};
    if (exchange->chunked && !exchange->head_only)
        exchange->body_chunk.bytes = TK_STR("0\r\n\r\n");
    tk_output_add(&http1->conn->out, &exchange->body_chunk);
    answered(http1);
}

/* ---- time ---- */

void
tk_http1_timeout(struct tk_http1 *http1, enum tk_deadline deadline)
{
    if (deadline == TK_DEADLINE_IDLE || http1->state == DISCARD)
        tk_conn_finish(http1->conn);
    else if (deadline == TK_DEADLINE_HEAD)
        refuse(http1, 408, "the request's head took too long");
    else
        refuse(http1, 408, "the request's body took too long");
}

void
tk_http1_drain(struct tk_http1 *http1)
{
    if (http1->state == HEAD && http1->pending.len == 0)
        tk_conn_finish(http1->conn);
}
