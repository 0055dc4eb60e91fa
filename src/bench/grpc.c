/* grpc - see grpc.h. */
#include "bench/grpc.h"

#include "bench/http.h"

#include <nghttp2/nghttp2.h>

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum { PREFIX_SIZE = 5, OUT_FULL = 256 << 10, OUT_LIMIT = 64 << 20, RECEIVE_SIZE = 16 << 10 };

static ssize_t
read_message(nghttp2_session *session, int32_t stream, uint8_t *to, size_t room, uint32_t *flags,
             nghttp2_data_source *source, void *arg)
{
    struct tk_export *export = arg;
    size_t done = 0;
    (void)session, (void)stream, (void)source;
    while (done < room && export->_message_sent < PREFIX_SIZE)
        to[done++] = (uint8_t) export->_prefix[export->_message_sent++];
    size_t at = export->_message_sent - PREFIX_SIZE, left = export->_message.len - at;
    size_t more = left < room - done ? left : room - done;
    if (more > 0)
        memcpy(to + done, export->_message.ptr + at, more);
    export->_message_sent += more;
    if (more == left)
        *flags |= NGHTTP2_DATA_FLAG_EOF;
    return (ssize_t)(done + more);
}

static int
on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name,
          size_t name_len, const uint8_t *value, size_t value_len, uint8_t flags, void *arg)
{
    struct tk_export *export = arg;
    tk_str key = {(const char *)name, name_len}, text = {(const char *)value, value_len};
    (void)session, (void)frame, (void)flags;
    if (tk_str_eq(key, TK_STR("grpc-status"))) {
        uint64_t status = 0;
        export->grpc_status = tk_str_to_u64(text, &status) ? (int)status : -1;
    } else if (tk_str_eq(key, TK_STR("grpc-message"))) {
        (void)snprintf(export->why, sizeof export->why, "%.*s", TK_STR_ARG(text));
    } else if (tk_str_eq(key, TK_STR(":status")) && !tk_str_eq(text, TK_STR("200"))) {
        (void)snprintf(export->why, sizeof export->why, "HTTP status %.*s", TK_STR_ARG(text));
    }
    return 0;
}

static int
on_data(nghttp2_session *session, uint8_t flags, int32_t stream, const uint8_t *bytes, size_t len,
        void *arg)
{
    struct tk_export *export = arg;
    (void)session, (void)flags, (void)stream, (void)bytes;
    export->answer_bytes += len;
    return 0;
}

static int
on_close(nghttp2_session *session, int32_t stream, uint32_t code, void *arg)
{
    struct tk_export *export = arg;
    (void)session, (void)stream, (void)code;
    export->done = true;
    return 0;
}

enum tk_err
tk_export_connect(struct tk_export *export, const char *host, const char *port,
                  struct tk_error *err)
{
    nghttp2_session_callbacks *callbacks = NULL;
    *export = (struct tk_export){.fd = -1, .grpc_status = -1};
    tk_buf_init(&export->_out, OUT_LIMIT);
    (void)snprintf(export->_authority, sizeof export->_authority, "%s:%s", host, port);
    enum tk_err code = tk_http_socket(host, port, true, &export->fd, err);
    if (code != TK_OK)
        return code;
    if (nghttp2_session_callbacks_new(&callbacks) != 0)
        return TK_ERR_MEMORY;
    nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data);
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_close);
    int failed = nghttp2_session_client_new(&export->_session, callbacks, export);
    nghttp2_session_callbacks_del(callbacks);
    if (failed != 0 || nghttp2_submit_settings(export->_session, NGHTTP2_FLAG_NONE, NULL, 0) != 0)
        return TK_ERR_MEMORY;
    return TK_OK;
}

void
tk_export_close(struct tk_export *export)
{
    if (export->fd > 0)
        (void)close(export->fd);
    nghttp2_session_del(export->_session);
    tk_buf_release(&export->_out);
    *export = (struct tk_export){.fd = -1};
}

static nghttp2_nv
header(const char *name, const char *value)
{
    return (nghttp2_nv){.name = (uint8_t *)(uintptr_t)name,
                        .value = (uint8_t *)(uintptr_t)value,
                        .namelen = strlen(name),
                        .valuelen = strlen(value)};
}

enum tk_err
tk_export_begin(struct tk_export *export, const char *encoding, const char *key, tk_str message,
                struct tk_error *err)
{
    nghttp2_nv headers[10] = {
        header(":method", "POST"),
        header(":scheme", "http"),
        header(":path", "/opentelemetry.proto.collector.trace.v1.TraceService/Export"),
        header(":authority", export->_authority),
        header("te", "trailers"),
        header("content-type", "application/grpc"),
    };
    size_t count = 6;
    nghttp2_data_provider provider = {.read_callback = read_message};
    if (encoding != NULL)
        headers[count++] = header("grpc-encoding", encoding);
    if (key != NULL)
        headers[count++] = header("x-api-key", key);
    export->_message = message;
    export->_message_sent = 0;
    export->_prefix[0] = encoding != NULL;
    for (unsigned i = 0; i < 4; i++)
        export->_prefix[1 + i] = (char)(message.len >> (24 - 8 * i));
    export->done = false;
    export->grpc_status = -1;
    export->why[0] = '\0';
    export->answer_bytes = 0;
    int stream = nghttp2_submit_request(export->_session, NULL, headers, count, &provider, NULL);
    if (stream < 0)
        return tk_error_set(err, TK_ERR_IO, "HTTP/2: %s", nghttp2_strerror(stream));
    export->answer_bytes = 0;
    return TK_OK;
}

static enum tk_err
io_error(const char *what, struct tk_error *err)
{
    if (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR)
        return TK_ERR_BUSY;
    return tk_error_set(err, TK_ERR_IO, "%s: %s", what, strerror(errno));
}

static enum tk_err
send_more(struct tk_export *export, struct tk_error *err)
{
    for (;;) {
        const uint8_t *frame;
        ssize_t len = 1;
        while (export->_out.len < OUT_FULL &&
               (len = nghttp2_session_mem_send(export->_session, &frame)) > 0)
            tk_buf_append(&export->_out, (tk_str){(const char *)frame, (size_t)len});
        if (len < 0 || export->_out.status != TK_OK)
            return tk_error_set(err, TK_ERR_IO, "HTTP/2: %s",
                                len < 0 ? nghttp2_strerror((int)len) : "out of memory");
        if (export->_out.len == 0)
            return TK_OK;
        ssize_t sent = send(export->fd, export->_out.ptr + export->_sent,
                            export->_out.len - export->_sent, MSG_NOSIGNAL);
        if (sent < 0)
            return io_error("send", err);
        export->_sent += (size_t)sent;
        if (export->_sent == export->_out.len) {
            tk_buf_clear(&export->_out);
            export->_sent = 0;
        }
    }
}

enum tk_err
tk_export_step(struct tk_export *export, struct tk_error *err)
{
    uint8_t bytes[RECEIVE_SIZE];
    for (;;) {
        enum tk_err code = send_more(export, err);
        if (code != TK_OK && code != TK_ERR_BUSY)
            return code;
        if (export->done)
            return TK_OK;
        ssize_t got = recv(export->fd, bytes, sizeof bytes, 0);
        if (got < 0)
            return io_error("recv", err);
        if (got == 0)
            return tk_error_set(err, TK_ERR_END, "the server closed the connection");
        ssize_t taken = nghttp2_session_mem_recv(export->_session, bytes, (size_t)got);
        if (taken < 0)
            return tk_error_set(err, TK_ERR_IO, "HTTP/2: %s", nghttp2_strerror((int)taken));
    }
}

short
tk_export_events(const struct tk_export *export)
{
    return (short)(export->_out.len > 0 ? POLLIN | POLLOUT : POLLIN);
}
