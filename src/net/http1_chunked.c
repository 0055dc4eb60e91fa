/*
 * http1_chunked - see http1_chunked.h.
 *
 * The real head was judged in http1_head.c; here llhttp starts behind a canonical one, so nothing
 * a client wrote into its head can change how the body is read.
 */
#include "net/http1_chunked.h"

#include "base/assert.h"

static int
refuse(struct tk_http1_chunked *chunked, int status, const char *reason)
{
    chunked->status = status;
    chunked->reason = reason;
    return -1;
}

/* What stands between two pieces: sizes, extensions, trailers. */
static int
check_overhead(struct tk_http1_chunked *chunked, const char *until)
{
    chunked->_overhead += (size_t)(until - chunked->_piece_end);
    if (chunked->_overhead > chunked->overhead_max)
        return refuse(chunked, 431, "chunk extensions or trailers too long");
    return 0;
}

static int
on_body(llhttp_t *parser, const char *at, size_t len)
{
    struct tk_http1_chunked *chunked = parser->data;
    if (check_overhead(chunked, at) != 0)
        return -1;
    chunked->_overhead = 0;
    chunked->_piece_end = at + len;
    chunked->status = chunked->sink(chunked->arg, (tk_str){at, len});
    return chunked->status == 0 ? 0 : -1;
}

static int
on_message_complete(llhttp_t *parser)
{
    struct tk_http1_chunked *chunked = parser->data;
    chunked->_done = true;
    return HPE_PAUSED;
}

void
tk_http1_chunked_init(struct tk_http1_chunked *chunked)
{
    static const llhttp_settings_t settings = {.on_body = on_body,
                                               .on_message_complete = on_message_complete};
    static const char head[] = "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n";
    llhttp_init(&chunked->_parser, HTTP_REQUEST, &settings);
    chunked->_parser.data = chunked;
    TK_ASSERT(llhttp_execute(&chunked->_parser, head, sizeof head - 1) == HPE_OK);
    chunked->status = 0;
    chunked->_overhead = 0;
    chunked->_done = false;
}

ptrdiff_t
tk_http1_chunked_feed(struct tk_http1_chunked *chunked, tk_str bytes, bool *ret_done)
{
    if (bytes.len == 0)
        return 0;
    chunked->_piece_end = bytes.ptr;
    llhttp_errno_t error = llhttp_execute(&chunked->_parser, bytes.ptr, bytes.len);
    if (chunked->status != 0)
        return -1;
    if (chunked->_done) {
        size_t used = (size_t)(llhttp_get_error_pos(&chunked->_parser) - bytes.ptr);
        TK_ASSERT(used > 0 && used <= bytes.len);
        /* llhttp takes a bare LF for the empty line behind the trailers. */
        if ((used > 1 ? bytes.ptr[used - 2] : chunked->_last) != '\r')
            return refuse(chunked, 400, "malformed chunked body");
        *ret_done = true;
        return check_overhead(chunked, bytes.ptr + used) == 0 ? (ptrdiff_t)used : -1;
    }
    if (error != HPE_OK)
        return refuse(chunked, 400, "malformed chunked body");
    chunked->_last = bytes.ptr[bytes.len - 1];
    return check_overhead(chunked, bytes.ptr + bytes.len) == 0 ? (ptrdiff_t)bytes.len : -1;
}
