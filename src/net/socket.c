/*
 * socket - see socket.h.
 *
 * Output is written at once as far as the kernel takes it (one writev for head and body of an
 * answer); only what is left waits for uv_write, a piece at a time, so that the progress of a slow
 * reader can be seen.  With TLS the plaintext of conn->out becomes records in `wire` first, never
 * more than WIRE_MAX ahead of the network.
 */
#include "net/socket.h"

#include "base/assert.h"
#include "base/log.h"
#include "net/tls.h"

#include <netinet/in.h>
#include <stdlib.h>

enum {
    VIEWS_MAX = 32,
    WRITE_PIECE = 64 << 10,
    WIRE_MAX = 256 << 10,
    REFUSED_MAX = 256, /* connections over the limit that are told so at the same time */
};

struct socket {
    struct tk_conn conn; /* MUST BE FIRST */
    uv_tcp_t tcp;
    uv_write_t write;
    uv_shutdown_t shutdown;
    bool writing; /* `write` is under way, of `written` bytes */
    size_t written;
    bool over_limit;    /* only here to be told 503 */
    struct tk_tls *tls; /* NULL: plaintext */
    struct tk_output wire;
};

static struct socket *
socket_of(struct tk_conn *conn)
{
    return (struct socket *)conn;
}

/* ---- closing ---- */

static void
on_closed(uv_handle_t *handle)
{
    struct socket *socket = handle->data;
    struct tk_shared *shared = socket->conn.loop->shared;
    tk_conn_release(&socket->conn);
    tk_output_release(&socket->wire);
    tk_tls_free(socket->tls);
    atomic_fetch_sub(socket->over_limit ? &shared->lingering : &shared->connections, 1);
    free(socket);
}

static void
close_socket(struct tk_conn *conn)
{
    uv_close((uv_handle_t *)&socket_of(conn)->tcp, on_closed);
}

/* ---- writing ---- */

static void on_written(uv_write_t *write, int status);

/* Hands the front of the queue to libuv until the kernel takes it. */
static void
write_later(struct socket *socket, const struct tk_output *queue)
{
    struct iovec view;
    TK_ASSERT(tk_output_peek(queue, &view, 1) == 1);
    socket->written = view.iov_len < WRITE_PIECE ? view.iov_len : WRITE_PIECE;
    uv_buf_t buf = uv_buf_init(view.iov_base, (unsigned)socket->written);
    socket->writing = true;
    if (uv_write(&socket->write, (uv_stream_t *)&socket->tcp, &buf, 1, on_written) != 0)
        tk_conn_close(&socket->conn);
}

static void
sent(struct socket *socket, struct tk_output *queue, size_t size)
{
    tk_output_consume(queue, size);
    tk_count(&socket->conn.loop->counters.bytes_out, size);
    if (size > 0)
        tk_conn_progress(&socket->conn);
}

static void
flush(struct tk_conn *conn)
{
    struct socket *socket = socket_of(conn);
    struct tk_output *queue = socket->tls != NULL ? &socket->wire : &conn->out;
    while (!socket->writing && !conn->closed) {
        struct iovec views[VIEWS_MAX];
        /* Beyond WIRE_MAX only answers to the peer's key updates pile up: it floods, unread. */
        if (socket->tls != NULL && (!tk_tls_encrypt(socket->tls, &conn->out, queue, WIRE_MAX) ||
                                    queue->size > 2 * WIRE_MAX)) {
            tk_conn_close(conn);
            break;
        }
        size_t count = tk_output_peek(queue, views, VIEWS_MAX);
        if (count == 0) {
            tk_output_consume(queue, 0); /* chunks without bytes are done, too */
            break;
        }
        _Static_assert(sizeof(uv_buf_t) == sizeof(struct iovec), "libuv says they are the same");
        int written =
            uv_try_write((uv_stream_t *)&socket->tcp, (const uv_buf_t *)views, (unsigned)count);
        if (written >= 0)
            sent(socket, queue, (size_t)written);
        else if (written == UV_EAGAIN)
            write_later(socket, queue);
        else
            tk_conn_close(conn);
    }
    conn->wire_size = socket->wire.size;
}

static void
on_written(uv_write_t *write, int status)
{
    struct socket *socket = tk_container_of(write, struct socket, write);
    struct tk_conn *conn = &socket->conn;
    conn->loop->now_ms = uv_now(&conn->loop->uv);
    socket->writing = false;
    if (conn->closed)
        return;
    if (status < 0) {
        tk_conn_close(conn);
        return;
    }
    sent(socket, socket->tls != NULL ? &socket->wire : &conn->out, socket->written);
    tk_conn_settle(conn);
}

static void
shutdown_socket(struct tk_conn *conn)
{
    struct socket *socket = socket_of(conn);
    if (socket->tls != NULL) {
        tk_tls_shutdown(socket->tls, &socket->wire);
        flush(conn);
    }
    if (!conn->closed && uv_shutdown(&socket->shutdown, (uv_stream_t *)&socket->tcp, NULL) != 0)
        tk_conn_close(conn);
}

/* ---- reading ---- */

static void
on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
    struct socket *socket = handle->data;
    size_t size = TK_SCRATCH_SIZE;
    char *bytes = socket->tls != NULL ? socket->conn.loop->wire_scratch
                                      : tk_conn_buffer(&socket->conn, &size);
    (void)suggested;
    *buf = uv_buf_init(bytes, (unsigned)(size < INT32_MAX ? size : INT32_MAX));
}

/* Records to plaintext to the protocol, for as long as there is some. */
static void
decrypt(struct socket *socket, tk_str records)
{
    struct tk_conn *conn = &socket->conn;
    enum tk_tls_state state = tk_tls_feed(socket->tls, records, &socket->wire);
    if (socket->wire.size > 2 * WIRE_MAX)
        state = TK_TLS_FAILED;
    while (state == TK_TLS_OPEN && !conn->closed) {
        size_t size, room;
        if (conn->speaks == TK_CONN_SNIFFING && tk_tls_chose_http2(socket->tls))
            tk_conn_use_http2(conn);
        char *bytes = tk_conn_buffer(conn, &room);
        state = tk_tls_read(socket->tls, bytes, room, &size);
        tk_conn_received(conn, bytes, size);
        if (size == 0)
            break;
    }
    if (state == TK_TLS_CLOSED)
        tk_conn_eof(conn);
    else if (state == TK_TLS_FAILED) {
        flush(conn); /* the alert */
        tk_conn_close(conn);
    }
}

static void
on_read(uv_stream_t *stream, ssize_t size, const uv_buf_t *buf)
{
    struct socket *socket = stream->data;
    struct tk_conn *conn = &socket->conn;
    conn->loop->now_ms = uv_now(&conn->loop->uv);
    if (size == UV_EOF)
        tk_conn_eof(conn);
    else if (size < 0)
        tk_conn_close(conn);
    else if (socket->tls != NULL)
        decrypt(socket, (tk_str){buf->base, (size_t)size});
    else
        tk_conn_received(conn, buf->base, (size_t)size);
    if (!conn->closed)
        tk_conn_settle(conn);
}

static void
pause_socket(struct tk_conn *conn, bool pause)
{
    uv_stream_t *stream = (uv_stream_t *)&socket_of(conn)->tcp;
    conn->paused = pause;
    if (pause)
        uv_read_stop(stream);
    else if (!conn->eof && uv_read_start(stream, on_alloc, on_read) != 0)
        tk_conn_close(conn);
}

/* ---- accepting ---- */

static bool
is_loopback(uv_tcp_t *tcp)
{
    struct sockaddr_storage address;
    int size = sizeof address;
    if (uv_tcp_getpeername(tcp, (struct sockaddr *)&address, &size) != 0)
        return false;
    if (address.ss_family == AF_INET) {
        const struct sockaddr_in *v4 = (const struct sockaddr_in *)&address;
        return ntohl(v4->sin_addr.s_addr) >> 24 == 127;
    }
    const struct in6_addr *v6 = &((const struct sockaddr_in6 *)&address)->sin6_addr;
    return IN6_IS_ADDR_LOOPBACK(v6) || (IN6_IS_ADDR_V4MAPPED(v6) && v6->s6_addr[12] == 127);
}

/* One too many: says so, as far as that is cheap. */
static void
turn_away(struct socket *socket)
{
    struct tk_conn *conn = &socket->conn;
    static const char answer[] = "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n"
                                 "Retry-After: 1\r\nConnection: close\r\n\r\n";
    const struct tk_shared *shared = conn->loop->shared;
    unsigned told_max = shared->options.connections_max / 2; /* they are open files too */
    if (told_max > REFUSED_MAX)
        told_max = REFUSED_MAX;
    tk_count(&conn->loop->counters.refused_total, 1);
    if (conn->tls || atomic_load(&shared->lingering) > told_max ||
        tk_output_copy(&conn->out, (tk_str){answer, sizeof answer - 1}) != TK_OK) {
        tk_conn_close(conn);
        return;
    }
    tk_conn_finish(conn);
    tk_conn_settle(conn);
}

static void
count_in(struct socket *socket)
{
    struct tk_shared *shared = socket->conn.loop->shared;
    socket->over_limit =
        atomic_fetch_add(&shared->connections, 1) >= shared->options.connections_max;
    if (socket->over_limit) {
        atomic_fetch_sub(&shared->connections, 1);
        atomic_fetch_add(&shared->lingering, 1);
    }
    tk_count(&socket->conn.loop->counters.connections_total, 1);
}

void
tk_socket_accept(uv_stream_t *listener, int status)
{
    static const struct tk_transport transport = {
        .flush = flush, .pause = pause_socket, .shutdown = shutdown_socket, .close = close_socket};
    struct tk_loop *loop = listener->data;
    struct socket *socket = status == 0 ? calloc(1, sizeof *socket) : NULL;
    if (socket == NULL || uv_tcp_init(&loop->uv, &socket->tcp) != 0) {
        TK_LOG_EVERY_MS(10000, TK_LOG_WARNING, "net", "cannot accept a connection: %s",
                        status != 0 ? uv_strerror(status) : "out of memory");
        free(socket);
        return;
    }
    struct tk_conn *conn = &socket->conn;
    loop->now_ms = uv_now(&loop->uv);
    socket->tcp.data = socket;
    tk_output_init(&socket->wire);
    conn->transport = &transport;
    conn->tls = loop->shared->tls != NULL;
    tk_conn_init(conn, loop);
    count_in(socket);
    if (uv_accept(listener, (uv_stream_t *)&socket->tcp) != 0) {
        tk_conn_close(conn);
        return;
    }
    (void)uv_tcp_nodelay(&socket->tcp, 1);
    conn->loopback = is_loopback(&socket->tcp);
    if (conn->tls && !socket->over_limit) {
        socket->tls = tk_tls_new(loop->shared->tls);
        tk_conn_set_deadline(conn, TK_DEADLINE_HEAD, loop->shared->options.head_timeout_ms);
    }
    if (conn->tls && socket->tls == NULL && !socket->over_limit)
        tk_conn_close(conn);
    else
        pause_socket(conn, false);
    if (socket->over_limit && !conn->closed)
        turn_away(socket);
    tk_loop_watch(loop);
}
