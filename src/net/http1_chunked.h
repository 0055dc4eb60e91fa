#ifndef TK_NET_HTTP1_CHUNKED_H
#define TK_NET_HTTP1_CHUNKED_H
/*
 * http1_chunked - private to net/: takes a chunked body apart (RFC 9112, 7.1), by llhttp.
 * Extensions and trailers are read over; together they may not be long.
 */
#include "base/bytes.h"

#include <llhttp.h>

struct tk_http1_chunked {
    llhttp_t _parser;
    /* Takes a piece of the body.  0, or the status to refuse the request with. */
    int (*sink)(void *arg, tk_str bytes);
    void *arg;
    size_t overhead_max; /* bytes between two pieces of the body */
    int status;          /* why feeding failed */
    const char *reason;
    size_t _overhead;       /* since the last piece, in what was fed before */
    const char *_piece_end; /* in what is being fed: behind the last piece, or its start */
    char _last;             /* byte of what was fed before */
    bool _done;
};

void tk_http1_chunked_init(struct tk_http1_chunked *chunked);
/* How many bytes belong to the body; *ret_done when it has ended there.  -1: see `status`. */
ptrdiff_t tk_http1_chunked_feed(struct tk_http1_chunked *chunked, tk_str bytes, bool *ret_done);

#endif
