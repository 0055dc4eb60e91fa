/*
 * net_conn - what the fuzz targets of net share: a connection without a socket, whose output is
 * swallowed and whose handler answers at once.
 */
#include "base/assert.h"
#include "net/conn.h"

#include <stdlib.h>

struct seen { /* what the handler saw of requests that came through whole */
    uint64_t requests, hash;
};

static struct seen seen;

static void
mix(tk_str bytes)
{
    for (size_t i = 0; i < bytes.len; i++)
        seen.hash = (seen.hash ^ (unsigned char)bytes.ptr[i]) * 0x100000001b3;
    seen.hash = (seen.hash ^ 0x100 ^ bytes.len) * 0x100000001b3;
}

static void
answer(struct tk_request *request, int status)
{
    const struct tk_header extra = {TK_STR("X-Extra"), request->query};
    struct tk_response response = {.status = status,
                                   .content_type = TK_STR("text/plain"),
                                   .headers = &extra,
                                   .header_count = 1,
                                   .body = request->path,
                                   .grpc_status = status == 200 ? 0 : 5};
    tk_request_respond(request, &response);
}

static size_t
on_head(void *arg, struct tk_request *request)
{
    (void)arg;
    TK_ASSERT(request->path.len > 0 && request->path.ptr[0] == '/');
    for (size_t i = 0; i < request->header_count; i++)
        TK_ASSERT(request->headers[i].name.len > 0 && request->headers[i].value.ptr != NULL);
    if (tk_str_starts_with(request->path, TK_STR("/d"))) {
        answer(request, 401);
        return TK_BODY_ANSWERED;
    }
    return tk_str_starts_with(request->path, TK_STR("/l")) ? 10 : 100000;
}

static void
on_request(void *arg, struct tk_request *request)
{
    (void)arg;
    seen.requests++;
    mix(request->method);
    mix(request->path);
    mix(request->query);
    for (size_t i = 0; i < request->header_count; i++) {
        mix(request->headers[i].name);
        mix(request->headers[i].value);
    }
    mix(request->body);
    (void)tk_request_param(request, TK_STR("x"));
    if (request->body.len % 2 == 1)
        free(tk_request_take_body(request));
    answer(request, 200);
}

static void
flush(struct tk_conn *conn)
{
    tk_output_consume(&conn->out, conn->out.size);
}

static void
no_pause(struct tk_conn *conn, bool pause)
{
    conn->paused = pause;
}

static void
nothing(struct tk_conn *conn)
{
    (void)conn;
}

/* One connection from its first byte to its end.  The input arrives in pieces whose sizes come
   from `seed`; 0: all at once. */
static struct seen
run_conn(tk_str input, uint64_t seed)
{
    static const struct tk_transport transport = {
        .flush = flush, .pause = no_pause, .shutdown = nothing, .close = nothing};
    struct tk_shared shared = {
        .options = {.head_size_max = 1000,
                    .head_timeout_ms = 1,
                    .body_timeout_ms = 1,
                    .idle_timeout_ms = 1,
                    .buffered_max = 1 << 20},
        .handler = {.on_head = on_head, .on_request = on_request},
    };
    static char scratch[TK_SCRATCH_SIZE + TK_FRAME_SCRATCH_SIZE];
    struct tk_loop loop = {
        .shared = &shared, .scratch = scratch, .frame_scratch = scratch + TK_SCRATCH_SIZE};
    struct tk_conn conn = {.transport = &transport};
    seen = (struct seen){0, 0xcbf29ce484222325};
    tk_loop_adopt(&loop);
    tk_conn_init(&conn, &loop);
    while (input.len > 0 && !conn.closed) {
        size_t room, size = seed != 0 ? 1 + (seed >> 33) % 40 : input.len;
        char *bytes = tk_conn_buffer(&conn, &room);
        size = size < room ? size : room;
        size = size < input.len ? size : input.len;
        memcpy(bytes, input.ptr, size);
        tk_conn_received(&conn, bytes, size);
        tk_conn_settle(&conn);
        input = (tk_str){input.ptr + size, input.len - size};
        seed = seed * 6364136223846793005 + (seed != 0);
    }
    loop.now_ms += 10; /* every deadline has passed */
    if (!conn.closed)
        tk_conn_check_deadlines(&conn);
    if (!conn.closed) {
        tk_conn_eof(&conn);
        tk_conn_settle(&conn);
    }
    if (!conn.closed)
        tk_conn_close(&conn);
    tk_conn_release(&conn);
    TK_ASSERT(loop.exchange_count == 0 && loop.conns == NULL);
    TK_ASSERT(atomic_load(&shared.buffered) == 0);
    return seen;
}
