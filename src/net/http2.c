/*
 * http2 - see http2.h.  Answers are in http2_answer.c; only these two know nghttp2.
 *
 * nghttp2 does no I/O: tk_http2_received() feeds it, tk_http2_advance() fetches frames while the
 * connection's output has room, so a peer that does not read holds TK_OUTPUT_HIGH bytes of frames
 * and no more.  Every exchange of a live stream hangs in `exchanges` and is its stream's user data;
 * one whose stream died while the handler had it stays in the list without a stream (stream_id 0)
 * until the answer comes, so that resetting streams does not buy a client more work than
 * MAX_CONCURRENT_STREAMS allows (rapid reset, MadeYouReset).
 *
 * Flow control: a stream's window is given back with every piece of DATA, else a message larger
 * than the window would never end; bodies are bounded by what the handler takes and by
 * buffered_max.  The connection's window is given back at once, too, unless HANDLING_MAX bytes of
 * this connection are being handled: then only when answers go out.  That always comes, so nothing
 * can lock up.
 */
#include "net/http2_int.h"

#include "base/assert.h"
#include "net/grpc.h"

#include <stdlib.h>

enum {
    STREAMS_MAX = 128,
    EXCHANGES_MAX = 2 * STREAMS_MAX, /* with those whose stream is gone */
    STREAM_WINDOW = 1 << 20,
    CONNECTION_WINDOW = 16 << 20,
    HANDLING_MAX = 16 << 20,
    UNSENT_MAX = 64 << 20,   /* answers waiting for a slow reader: no new requests above */
    DISCARD_MAX = 128 << 20, /* of a body whose answer is out: then the stream is reset */
    CONTINUATIONS_MAX = 8,
    ACKS_MAX = 256,
    QUEUE_MAX = 2000, /* frames waiting for a peer that does not read */
    HEADERS_MAX = 256,
};

/* ---- the list of exchanges ---- */

static void
update_deadline(struct tk_http2 *http2)
{
    struct tk_conn *conn = http2->conn;
    if (http2->exchanges == NULL)
        tk_conn_set_deadline(conn, TK_DEADLINE_IDLE, conn->loop->shared->options.idle_timeout_ms);
    else
        tk_conn_set_deadline(conn, TK_DEADLINE_NONE, 0);
}

static void
link_exchange(struct tk_http2 *http2, struct tk_exchange *exchange)
{
    exchange->next = http2->exchanges;
    if (exchange->next != NULL)
        exchange->next->prev = exchange;
    http2->exchanges = exchange;
    http2->exchange_count++;
    update_deadline(http2);
}

static void
unlink_exchange(struct tk_http2 *http2, struct tk_exchange *exchange)
{
    if (exchange->prev != NULL)
        exchange->prev->next = exchange->next;
    else
        http2->exchanges = exchange->next;
    if (exchange->next != NULL)
        exchange->next->prev = exchange->prev;
    exchange->prev = exchange->next = NULL;
    http2->exchange_count--;
    update_deadline(http2);
}

void
tk_http2_free_exchange(struct tk_http2 *http2, struct tk_exchange *exchange)
{
    http2->unsent -= exchange->unsent;
    unlink_exchange(http2, exchange);
    tk_exchange_free(exchange);
}

/* ---- flow control ---- */

static void
give_back(struct tk_http2 *http2, size_t size)
{
    if (http2->handling >= HANDLING_MAX)
        http2->withheld += size;
    else
        (void)nghttp2_session_consume_connection(http2->session, size);
}

static void
start_handling(struct tk_http2 *http2, struct tk_exchange *exchange)
{
    exchange->handling = exchange->body_len;
    http2->handling += exchange->handling;
}

void
tk_http2_end_handling(struct tk_http2 *http2, struct tk_exchange *exchange)
{
    http2->handling -= exchange->handling;
    exchange->handling = 0;
    if (http2->withheld > 0 && http2->handling < HANDLING_MAX) {
        (void)nghttp2_session_consume_connection(http2->session, http2->withheld);
        http2->withheld = 0;
    }
}

/* ---- requests ---- */

static bool
keep_header(struct tk_exchange *exchange, tk_str name, tk_str value)
{
    struct tk_request *request = &exchange->request;
    if (request->header_count == HEADERS_MAX)
        return false;
    if (request->header_count == exchange->header_capacity) {
        size_t capacity = exchange->header_capacity > 0 ? 2 * exchange->header_capacity : 16;
        struct tk_header *more = tk_arena_zalloc(&request->arena, capacity, sizeof *more);
        if (more == NULL)
            return false;
        if (request->header_count > 0)
            memcpy(more, request->headers, request->header_count * sizeof *more);
        request->headers = more;
        exchange->header_capacity = capacity;
    }
    request->headers[request->header_count++] = (struct tk_header){name, value};
    return true;
}

static int
on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name,
          size_t name_len, const uint8_t *value, size_t value_len, uint8_t flags, void *user)
{
    struct tk_http2 *http2 = user;
    struct tk_exchange *exchange =
        nghttp2_session_get_stream_user_data(session, frame->hd.stream_id);
    (void)flags;
    if (exchange == NULL || exchange->head_done || exchange->head_too_large)
        return 0;                                     /* refused, or a trailer */
    exchange->head_size += name_len + value_len + 32; /* RFC 9113, 6.5.2 */
    if (exchange->head_size > http2->conn->loop->shared->options.head_size_max) {
        exchange->head_too_large = true;
        return 0;
    }
    struct tk_request *request = &exchange->request;
    tk_str key = tk_arena_copy(&request->arena, (tk_str){(const char *)name, name_len});
    tk_str text = tk_arena_copy(&request->arena, (tk_str){(const char *)value, value_len});
    if (key.ptr == NULL || text.ptr == NULL)
        return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    if (tk_str_eq(key, TK_STR(":method"))) {
        request->method = text;
    } else if (tk_str_eq(key, TK_STR(":path"))) {
        request->query = text;
        request->path = tk_str_split(&request->query, '?');
        if (request->query.ptr == NULL)
            request->query = TK_STR("");
    } else if (tk_str_eq(key, TK_STR(":authority"))) {
        exchange->head_too_large = !keep_header(exchange, TK_STR("host"), text);
    } else if (name[0] != ':') {
        exchange->head_too_large = !keep_header(exchange, key, text);
    }
    return 0;
}

static int
on_begin_headers(nghttp2_session *session, const nghttp2_frame *frame, void *user)
{
    struct tk_http2 *http2 = user;
    if (frame->hd.type != NGHTTP2_HEADERS || frame->headers.cat != NGHTTP2_HCAT_REQUEST)
        return 0;
    int32_t stream_id = frame->hd.stream_id;
    struct tk_exchange *exchange = NULL;
    if (http2->exchange_count < EXCHANGES_MAX && http2->unsent < UNSENT_MAX)
        exchange = tk_exchange_new(http2->conn->loop, http2->conn);
    if (exchange == NULL) {
        tk_count(&http2->conn->loop->counters.refused_total, 1);
        return nghttp2_submit_rst_stream(session, NGHTTP2_FLAG_NONE, stream_id,
                                         NGHTTP2_REFUSED_STREAM);
    }
    exchange->request.protocol = TK_PROTOCOL_HTTP2;
    exchange->stream_id = stream_id;
    exchange->heard_ms = http2->conn->loop->now_ms;
    link_exchange(http2, exchange);
    return nghttp2_session_set_stream_user_data(session, stream_id, exchange);
}

static size_t
body_limit(const struct tk_exchange *exchange)
{
    size_t more = exchange->request.grpc ? TK_GRPC_PREFIX_SIZE : 0;
    return exchange->body_max < SIZE_MAX - more ? exchange->body_max + more : SIZE_MAX;
}

static void
send_continue(struct tk_http2 *http2, struct tk_exchange *exchange)
{
    const nghttp2_nv status = {
        .name = (uint8_t *)":status", .namelen = 7, .value = (uint8_t *)"100", .valuelen = 3};
    (void)nghttp2_submit_headers(http2->session, NGHTTP2_FLAG_NONE, exchange->stream_id, NULL,
                                 &status, 1, NULL);
}

static void
head_complete(struct tk_http2 *http2, struct tk_exchange *exchange)
{
    struct tk_request *request = &exchange->request;
    tk_str content_type = tk_request_header(request, TK_STR("content-type"));
    exchange->head_done = true;
    exchange->head_only = tk_str_eq(request->method, TK_STR("HEAD"));
    request->grpc = tk_grpc_is_content_type(content_type);
    if (exchange->head_too_large) {
        tk_exchange_refuse(exchange, 431, "the headers are too large");
        return;
    }
    if (tk_str_eq(request->method, TK_STR("CONNECT"))) {
        tk_exchange_refuse(exchange, 501, "this is not a proxy");
        return;
    }
    if (request->path.len == 0 || request->path.ptr[0] != '/') {
        tk_exchange_refuse(exchange, 400, "the request target is not a path");
        return;
    }
    exchange->expects_continue =
        tk_str_eq_nocase(tk_request_header(request, TK_STR("expect")), TK_STR("100-continue"));
    if (!tk_exchange_head(exchange))
        return;
    tk_str length = tk_request_header(request, TK_STR("content-length"));
    exchange->length_known = length.ptr != NULL && tk_str_to_u64(length, &exchange->length);
    if (exchange->length_known && exchange->length > body_limit(exchange))
        tk_exchange_refuse(exchange, 413, "the body is too large");
    else if (tk_str_eq_nocase(tk_request_header(request, TK_STR("expect")), TK_STR("100-continue")))
        send_continue(http2, exchange);
}

static void
request_complete(struct tk_http2 *http2, struct tk_exchange *exchange)
{
    exchange->body_done = true;
    if (exchange->held)
        tk_http2_submit(http2, exchange);
    if (exchange->sending || exchange->handed)
        return; /* it was answered early */
    start_handling(http2, exchange);
    tk_exchange_handle(exchange);
}

/* How much of the body is still to come, as far as that is said. */
static size_t
body_hint(const struct tk_exchange *exchange)
{
    uint64_t whole = exchange->length_known ? exchange->length : 0;
    if (exchange->request.grpc && exchange->body_len >= TK_GRPC_PREFIX_SIZE)
        whole = tk_grpc_message_size(exchange->body) + TK_GRPC_PREFIX_SIZE;
    if (whole > body_limit(exchange))
        whole = body_limit(exchange);
    return whole > exchange->body_len ? (size_t)whole - exchange->body_len : 0;
}

/* The answer was there before the request.  Resetting the stream at once would be right (RFC 9113,
   8.1), but clients then forget the answer (curl 7.88), so the rest is read, up to a bound. */
static int
discard(struct tk_http2 *http2, struct tk_exchange *exchange, size_t size)
{
    exchange->discarded += size;
    if (exchange->held && !tk_http2_should_hold(exchange))
        tk_http2_submit(http2, exchange);
    if (exchange->discarded <= DISCARD_MAX || !exchange->sending)
        return 0;
    return nghttp2_submit_rst_stream(http2->session, NGHTTP2_FLAG_NONE, exchange->stream_id,
                                     NGHTTP2_NO_ERROR);
}

static int
on_data(nghttp2_session *session, uint8_t flags, int32_t stream_id, const uint8_t *bytes,
        size_t size, void *user)
{
    struct tk_http2 *http2 = user;
    struct tk_exchange *exchange = nghttp2_session_get_stream_user_data(session, stream_id);
    (void)flags;
    (void)nghttp2_session_consume_stream(session, stream_id, size);
    give_back(http2, size);
    if (exchange == NULL)
        return 0;
    exchange->heard_ms = http2->conn->loop->now_ms;
    if (exchange->sending || exchange->handed)
        return discard(http2, exchange, size);
    if (size > body_limit(exchange) - exchange->body_len) {
        tk_exchange_refuse(exchange, 413, "the body is too large");
        return 0;
    }
    enum tk_err error =
        tk_exchange_append(exchange, (tk_str){(const char *)bytes, size}, body_hint(exchange));
    if (error == TK_ERR_BUSY)
        tk_exchange_refuse(exchange, 503, "the server holds too many unfinished requests");
    else if (error != TK_OK)
        tk_exchange_refuse(exchange, 503, "out of memory");
    return 0;
}

static int
on_begin_frame(nghttp2_session *session, const nghttp2_frame_hd *frame, void *user)
{
    struct tk_http2 *http2 = user;
    if (nghttp2_session_get_outbound_queue_size(session) > QUEUE_MAX)
        return NGHTTP2_ERR_CALLBACK_FAILURE;
    if (frame->type != NGHTTP2_CONTINUATION) {
        http2->in_headers = frame->type == NGHTTP2_HEADERS;
        http2->in_headers_ms = http2->conn->loop->now_ms;
    }
    if (!tk_abuse_spend(&http2->abuse, http2->conn->loop->now_ms, frame->type, frame->length))
        return NGHTTP2_ERR_CALLBACK_FAILURE;
    return 0;
}

static int
on_frame(nghttp2_session *session, const nghttp2_frame *frame, void *user)
{
    struct tk_http2 *http2 = user;
    struct tk_exchange *exchange =
        nghttp2_session_get_stream_user_data(session, frame->hd.stream_id);
    http2->in_headers = false;
    if (exchange == NULL)
        return 0;
    if (frame->hd.type == NGHTTP2_HEADERS && !exchange->head_done)
        head_complete(http2, exchange);
    if ((frame->hd.type == NGHTTP2_HEADERS || frame->hd.type == NGHTTP2_DATA) &&
        (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0)
        request_complete(http2, exchange);
    return 0;
}

static int
on_frame_sent(nghttp2_session *session, const nghttp2_frame *frame, void *user)
{
    struct tk_http2 *http2 = user;
    if (frame->hd.type == NGHTTP2_RST_STREAM) {
        http2->in_headers = false;
        if (!tk_abuse_reset(&http2->abuse, http2->conn->loop->now_ms)) {
            tk_count(&http2->conn->loop->counters.refused_total, 1);
            return nghttp2_session_terminate_session(session, NGHTTP2_ENHANCE_YOUR_CALM);
        }
    }
    return 0;
}

static int
on_stream_close(nghttp2_session *session, int32_t stream_id, uint32_t error_code, void *user)
{
    struct tk_http2 *http2 = user;
    struct tk_exchange *exchange = nghttp2_session_get_stream_user_data(session, stream_id);
    (void)error_code;
    if (exchange == NULL)
        return 0;
    exchange->stream_id = 0;
    if (exchange->handed)
        tk_exchange_hang_up(exchange); /* the answer is still to come, and will be dropped */
    else
        tk_http2_free_exchange(http2, exchange);
    return 0;
}

/* ---- the session ---- */

static int
make_session(struct tk_http2 *http2)
{
    nghttp2_session_callbacks *callbacks = NULL;
    nghttp2_option *option = NULL;
    int status = nghttp2_session_callbacks_new(&callbacks);
    if (status == 0)
        status = nghttp2_option_new(&option);
    if (status != 0)
        goto out;
    nghttp2_session_callbacks_set_on_begin_frame_callback(callbacks, on_begin_frame);
    nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks, on_begin_headers);
    nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data);
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame);
    nghttp2_session_callbacks_set_on_frame_send_callback(callbacks, on_frame_sent);
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_stream_close);
    nghttp2_option_set_no_auto_window_update(option, 1);
    nghttp2_option_set_no_closed_streams(option, 1);
    nghttp2_option_set_max_continuations(option, CONTINUATIONS_MAX);
    nghttp2_option_set_max_outbound_ack(option, ACKS_MAX);
    nghttp2_option_set_stream_reset_rate_limit(option, TK_ABUSE_RESETS_BURST,
                                               TK_ABUSE_RESETS_PER_S);
    status = nghttp2_session_server_new2(&http2->session, callbacks, http2, option);
out:
    nghttp2_option_del(option);
    nghttp2_session_callbacks_del(callbacks);
    return status;
}

static int
say_hello(struct tk_http2 *http2)
{
    const struct tk_server_options *options = &http2->conn->loop->shared->options;
    const nghttp2_settings_entry settings[] = {
        {NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, STREAMS_MAX},
        {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, STREAM_WINDOW},
        {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, (uint32_t)options->head_size_max},
        {NGHTTP2_SETTINGS_NO_RFC7540_PRIORITIES, 1},
    };
    int status = nghttp2_submit_settings(http2->session, NGHTTP2_FLAG_NONE, settings,
                                         sizeof settings / sizeof settings[0]);
    if (status != 0)
        return status;
    return nghttp2_session_set_local_window_size(http2->session, NGHTTP2_FLAG_NONE, 0,
                                                 CONNECTION_WINDOW);
}

struct tk_http2 *
tk_http2_new(struct tk_conn *conn)
{
    struct tk_http2 *http2 = calloc(1, sizeof *http2);
    if (http2 == NULL)
        return NULL;
    http2->conn = conn;
    tk_abuse_init(&http2->abuse, conn->loop->now_ms);
    if (make_session(http2) != 0 || say_hello(http2) != 0) {
        nghttp2_session_del(http2->session);
        free(http2);
        return NULL;
    }
    update_deadline(http2);
    return http2;
}

void
tk_http2_free(struct tk_http2 *http2)
{
    if (http2 == NULL)
        return;
    nghttp2_session_del(http2->session);
    for (struct tk_exchange *exchange = http2->exchanges, *next; exchange != NULL;
         exchange = next) {
        next = exchange->next;
        tk_exchange_abandon(exchange);
    }
    free(http2);
}

/* The peer breaks the rules, or overdoes it: says so, and goodbye. */
static void
give_up(struct tk_http2 *http2, uint32_t error_code)
{
    http2->dead = true;
    tk_count(&http2->conn->loop->counters.refused_total, 1);
    if (nghttp2_session_terminate_session(http2->session, error_code) != 0)
        tk_conn_close(http2->conn);
}

void
tk_http2_received(struct tk_http2 *http2, const char *bytes, size_t size)
{
    if (http2->dead)
        return;
    if (http2->exchanges == NULL)
        update_deadline(http2);
    ssize_t used = nghttp2_session_mem_recv(http2->session, (const uint8_t *)bytes, size);
    if (used == NGHTTP2_ERR_NOMEM)
        tk_conn_close(http2->conn);
    else if (used == NGHTTP2_ERR_BAD_CLIENT_MAGIC)
        give_up(http2, NGHTTP2_PROTOCOL_ERROR);
    else if (used < 0)
        give_up(http2, NGHTTP2_ENHANCE_YOUR_CALM); /* a flood, by us or by nghttp2 */
}

bool
tk_http2_advance(struct tk_http2 *http2)
{
    struct tk_conn *conn = http2->conn;
    char *frames = conn->loop->frame_scratch;
    size_t before = conn->out.size, size = 0;
    ssize_t more = 0;
    while (conn->out.size + size < TK_OUTPUT_HIGH && !conn->closed) {
        const uint8_t *bytes;
        more = nghttp2_session_mem_send(http2->session, &bytes);
        if (more <= 0)
            break;
        TK_ASSERT((size_t)more <= TK_FRAME_SCRATCH_SIZE);
        if ((size_t)more > TK_FRAME_SCRATCH_SIZE - size) {
            if (tk_output_copy(&conn->out, (tk_str){frames, size}) != TK_OK)
                tk_conn_close(conn);
            size = 0;
        }
        memcpy(frames + size, bytes, (size_t)more);
        size += (size_t)more;
    }
    if (more < 0 || (size > 0 && tk_output_copy(&conn->out, (tk_str){frames, size}) != TK_OK))
        tk_conn_close(conn);
    bool grew = conn->out.size > before;
    bool over = nghttp2_session_want_read(http2->session) == 0 &&
                nghttp2_session_want_write(http2->session) == 0;
    if (!conn->closed && (over || (conn->eof && http2->exchanges == NULL)))
        tk_conn_finish(conn);
    return grew;
}

/* ---- time ---- */

void
tk_http2_timeout(struct tk_http2 *http2, enum tk_deadline deadline)
{
    (void)deadline; /* only ever idle */
    if (nghttp2_session_terminate_session(http2->session, NGHTTP2_NO_ERROR) != 0)
        tk_conn_close(http2->conn);
    tk_conn_set_deadline(http2->conn, TK_DEADLINE_LINGER,
                         http2->conn->loop->shared->options.idle_timeout_ms);
}

/* The peer keeps us waiting: for its body, or for room to answer. */
static void
check_exchange(struct tk_http2 *http2, struct tk_exchange *exchange)
{
    if (exchange->stream_id == 0)
        return;
    if (!exchange->body_done && exchange->head_done && !exchange->sending && !exchange->handed) {
        tk_exchange_refuse(exchange, 408, "the request's body took too long");
    } else if (exchange->held) {
        tk_http2_submit(http2, exchange);
    } else if (exchange->sending && (exchange->unsent > 0 || !exchange->handed)) {
        (void)nghttp2_submit_rst_stream(http2->session, NGHTTP2_FLAG_NONE, exchange->stream_id,
                                        NGHTTP2_CANCEL);
        exchange->heard_ms = http2->conn->loop->now_ms;
        tk_count(&http2->conn->loop->counters.refused_total, 1);
    }
}

void
tk_http2_check_deadlines(struct tk_http2 *http2)
{
    const struct tk_server_options *options = &http2->conn->loop->shared->options;
    uint64_t now = http2->conn->loop->now_ms;
    for (struct tk_exchange *exchange = http2->exchanges; exchange != NULL;
         exchange = exchange->next)
        if (now - exchange->heard_ms >= options->body_timeout_ms)
            check_exchange(http2, exchange);
    if (http2->in_headers && now - http2->in_headers_ms >= options->head_timeout_ms && !http2->dead)
        give_up(http2, NGHTTP2_ENHANCE_YOUR_CALM);
}

void
tk_http2_drain(struct tk_http2 *http2)
{
    int32_t last = nghttp2_session_get_last_proc_stream_id(http2->session);
    if (nghttp2_submit_goaway(http2->session, NGHTTP2_FLAG_NONE, last, NGHTTP2_NO_ERROR, NULL, 0) !=
        0)
        tk_conn_close(http2->conn);
}
