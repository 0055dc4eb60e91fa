/*
 * http2_answer - the way out of http2.h: headers, DATA in the pieces flow control allows, and what
 * gRPC wants behind them.
 *
 * A gRPC answer with a message is HEADERS, DATA (the prefix first) and trailers; they are submitted
 * from the read callback that ends the DATA, earlier ones would overtake it.  One without a message
 * is a single HEADERS frame that ends the stream ("Trailers-Only").
 */
#include "net/http2_int.h"

#include "net/grpc.h"

enum {
    OWN_HEADERS_MAX = 8,
    HOLD_MAX = 16 << 20, /* of a body whose answer waits for its end */
};

struct header_list {
    nghttp2_nv *list;
    size_t count;
};

static void
add_header(struct header_list *headers, tk_str name, tk_str value)
{
    headers->list[headers->count++] = (nghttp2_nv){.name = (uint8_t *)name.ptr,
                                                   .namelen = name.len,
                                                   .value = (uint8_t *)value.ptr,
                                                   .valuelen = value.len};
}

static bool
is_hop_by_hop(tk_str name)
{
    return tk_str_eq(name, TK_STR("connection")) || tk_str_eq(name, TK_STR("keep-alive")) ||
           tk_str_eq(name, TK_STR("transfer-encoding")) || tk_str_eq(name, TK_STR("upgrade"));
}

/* grpc-status and what explains it. */
static void
add_grpc_status(struct tk_exchange *exchange, struct header_list *headers)
{
    struct tk_arena *arena = &exchange->request.arena;
    const struct tk_response *response = &exchange->response;
    add_header(headers, TK_STR("grpc-status"), tk_arena_printf(arena, "%d", response->grpc_status));
    if (response->grpc_message.len > 0)
        add_header(headers, TK_STR("grpc-message"),
                   tk_grpc_percent_encode(arena, response->grpc_message));
    if (response->grpc_details.len > 0)
        add_header(headers, TK_STR("grpc-status-details-bin"),
                   tk_grpc_base64(arena, response->grpc_details));
}

/* The answer's headers in the arena; false when there is no memory. */
static bool
make_headers(struct tk_http2 *http2, struct tk_exchange *exchange, struct header_list *headers)
{
    struct tk_arena *arena = &exchange->request.arena;
    const struct tk_response *response = &exchange->response;
    bool grpc = exchange->request.grpc;
    headers->list =
        tk_arena_zalloc(arena, response->header_count + OWN_HEADERS_MAX, sizeof *headers->list);
    if (headers->list == NULL)
        return false;
    add_header(headers, TK_STR(":status"),
               tk_arena_printf(arena, "%d", grpc ? 200 : response->status));
    add_header(headers, TK_STR("date"), tk_loop_date(http2->conn->loop));
    if (grpc)
        add_header(headers, TK_STR("content-type"), TK_STR("application/grpc"));
    else if (response->content_type.len > 0)
        add_header(headers, TK_STR("content-type"), response->content_type);
    if (!grpc && !exchange->streaming && response->status != 204 && response->status != 304)
        add_header(headers, TK_STR("content-length"),
                   tk_arena_printf(arena, "%zu", response->body.len));
    for (size_t i = 0; i < response->header_count; i++)
        if (!is_hop_by_hop(response->headers[i].name))
            add_header(headers, response->headers[i].name, response->headers[i].value);
    if (grpc && response->grpc_status != TK_GRPC_OK)
        add_grpc_status(exchange, headers); /* no message: the headers are the trailers */
    for (size_t i = 0; i < headers->count; i++)
        if (headers->list[i].value == NULL && headers->list[i].valuelen == 0)
            headers->list[i].value = (uint8_t *)"";
    return true;
}

static void
sent_data(struct tk_http2 *http2, struct tk_exchange *exchange, size_t size)
{
    exchange->unsent -= size;
    http2->unsent -= size;
    exchange->heard_ms = http2->conn->loop->now_ms;
    tk_abuse_earn(&http2->abuse, TK_ABUSE_PER_DATA);
}

/* Ends the DATA; of a gRPC call, with trailers behind it. */
static void
end_data(struct tk_http2 *http2, struct tk_exchange *exchange, uint32_t *data_flags)
{
    *data_flags |= NGHTTP2_DATA_FLAG_EOF;
    if (!exchange->request.grpc)
        return;
    nghttp2_nv list[3];
    struct header_list trailers = {.list = list};
    add_grpc_status(exchange, &trailers);
    *data_flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
    (void)nghttp2_submit_trailer(http2->session, exchange->stream_id, trailers.list,
                                 trailers.count);
}

/* One piece of the body; of a gRPC call the prefix comes first. */
static ssize_t
read_body(nghttp2_session *session, int32_t stream_id, uint8_t *room, size_t size,
          uint32_t *data_flags, nghttp2_data_source *source, void *user)
{
    struct tk_http2 *http2 = user;
    struct tk_exchange *exchange = source->ptr;
    tk_str parts[2] = {{exchange->grpc_prefix, sizeof exchange->grpc_prefix},
                       exchange->response.body};
    size_t skip = exchange->data_sent, used = 0;
    (void)session;
    (void)stream_id;
    for (int i = exchange->request.grpc ? 0 : 1; i < 2; i++) {
        size_t skipped = skip < parts[i].len ? skip : parts[i].len;
        size_t part = parts[i].len - skipped < size - used ? parts[i].len - skipped : size - used;
        if (part > 0)
            memcpy(room + used, parts[i].ptr + skipped, part);
        skip -= skipped;
        used += part;
    }
    exchange->data_sent += used;
    sent_data(http2, exchange, used);
    if (exchange->unsent == 0)
        end_data(http2, exchange, data_flags);
    return (ssize_t)used;
}

static ssize_t
read_parts(nghttp2_session *session, int32_t stream_id, uint8_t *room, size_t size,
           uint32_t *data_flags, nghttp2_data_source *source, void *user)
{
    struct tk_http2 *http2 = user;
    struct tk_exchange *exchange = source->ptr;
    struct iovec view;
    size_t used = 0;
    (void)session;
    (void)stream_id;
    while (used < size && tk_output_peek(&exchange->parts, &view, 1) == 1) {
        size_t part = view.iov_len < size - used ? view.iov_len : size - used;
        memcpy(room + used, view.iov_base, part);
        tk_output_consume(&exchange->parts, part);
        used += part;
    }
    sent_data(http2, exchange, used);
    if (exchange->parts.size == 0 && exchange->parts_ended)
        *data_flags |= NGHTTP2_DATA_FLAG_EOF;
    else if (used == 0)
        return NGHTTP2_ERR_DEFERRED;
    return (ssize_t)used;
}

static bool
has_data(const struct tk_exchange *exchange)
{
    int status = exchange->response.status;
    if (exchange->request.grpc)
        return exchange->response.grpc_status == TK_GRPC_OK;
    if (exchange->head_only || status == 204 || status == 304)
        return false;
    return exchange->streaming || exchange->response.body.len > 0;
}

/* An answer without DATA ends the stream with its headers.  Clients that are still sending then may
   never notice (curl 7.88), so such an answer waits for the end of the request, up to a bound. */
bool
tk_http2_should_hold(const struct tk_exchange *exchange)
{
    return !has_data(exchange) && !exchange->body_done && exchange->discarded <= HOLD_MAX &&
           !exchange->expects_continue && exchange->response.status != 408;
}

void
tk_http2_submit(struct tk_http2 *http2, struct tk_exchange *exchange)
{
    struct header_list headers = {0};
    if (!make_headers(http2, exchange, &headers)) {
        tk_conn_close(http2->conn);
        return;
    }
    nghttp2_data_provider data = {.source.ptr = exchange,
                                  .read_callback = exchange->streaming ? read_parts : read_body};
    exchange->held = false;
    exchange->heard_ms = http2->conn->loop->now_ms;
    if (nghttp2_submit_response(http2->session, exchange->stream_id, headers.list, headers.count,
                                has_data(exchange) ? &data : NULL) != 0)
        tk_conn_close(http2->conn);
}

void
tk_http2_answer(struct tk_http2 *http2, struct tk_exchange *exchange)
{
    tk_http2_end_handling(http2, exchange);
    tk_abuse_earn(&http2->abuse, TK_ABUSE_PER_ANSWER);
    if (exchange->stream_id == 0) { /* nobody waits for it */
        if (!exchange->streaming)
            tk_http2_free_exchange(http2, exchange);
        return;
    }
    if (has_data(exchange) && !exchange->streaming) {
        exchange->unsent = exchange->response.body.len;
        if (exchange->request.grpc) {
            tk_grpc_write_prefix(exchange->grpc_prefix, exchange->response.body.len);
            exchange->unsent += sizeof exchange->grpc_prefix;
        }
        http2->unsent += exchange->unsent;
    }
    exchange->sending = true;
    exchange->held = tk_http2_should_hold(exchange);
    if (!exchange->held)
        tk_http2_submit(http2, exchange);
}

void
tk_http2_stream(struct tk_http2 *http2, struct tk_exchange *exchange, struct tk_stream_part *part)
{
    if (exchange->stream_id == 0) {
        if (part != NULL)
            part->chunk.done(&part->chunk);
        else
            tk_http2_free_exchange(http2, exchange);
        return;
    }
    if (part == NULL) {
        exchange->parts_ended = true;
    } else {
        if (exchange->parts.size == 0)
            exchange->heard_ms = http2->conn->loop->now_ms; /* there was nothing to wait for */
        exchange->unsent += part->chunk.bytes.len;
        http2->unsent += part->chunk.bytes.len;
        tk_output_add(&exchange->parts, &part->chunk);
    }
    (void)nghttp2_session_resume_data(http2->session, exchange->stream_id);
}
