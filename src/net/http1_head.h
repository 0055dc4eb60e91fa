#ifndef TK_NET_HTTP1_HEAD_H
#define TK_NET_HTTP1_HEAD_H
/*
 * http1_head - private to net/: reads a complete HTTP/1.x request head, strictly (RFC 9112).
 *
 * Whatever two readers could take for different messages is refused: what stands in front of us
 * (a proxy) must never see other borders between requests than we do.
 */
#include "base/arena.h"
#include "net/server.h"

struct tk_http1_head {
    tk_str method, path, query;
    struct tk_header *headers; /* in the arena; names in lower case */
    size_t header_count;
    int minor; /* HTTP/1.minor: 0 or 1 */
    bool keep_alive;
    bool expect_continue;
    bool chunked;
    uint64_t content_length; /* 0 when chunked, and when not said */
};

/*
 * `text` ends with the empty line; it is changed in place (names to lower case) and must live as
 * long as the head.  0, or the status to refuse with (400, 431, 501, 503, 505) and why; what was
 * read until then is in *ret_head.
 */
int tk_http1_head_parse(struct tk_arena *arena, char *text, size_t size,
                        struct tk_http1_head *ret_head, const char **ret_reason);

/* Looks for the end of a head in text[*scanned..size), line by line.  The head's size, 0 when its
   end is not there yet (*scanned moves on), or -1: a line does not end with CR LF. */
ptrdiff_t tk_http1_head_find_end(const char *text, size_t size, size_t *scanned);

#endif
