#ifndef TK_NET_HTTP2_H
#define TK_NET_HTTP2_H
/* http2 - private to net/: the HTTP/2 side of a connection, by nghttp2; gRPC rides on it. */
#include "net/conn.h"

struct tk_http2 *tk_http2_new(struct tk_conn *conn); /* NULL: no memory */
void tk_http2_free(struct tk_http2 *http2);
void tk_http2_received(struct tk_http2 *http2, const char *bytes, size_t size);
/* Moves frames into the output while there is room.  True when some were. */
bool tk_http2_advance(struct tk_http2 *http2);
void tk_http2_answer(struct tk_http2 *http2, struct tk_exchange *exchange);
void tk_http2_stream(struct tk_http2 *http2, struct tk_exchange *exchange,
                     struct tk_stream_part *part);
void tk_http2_timeout(struct tk_http2 *http2, enum tk_deadline deadline);
void tk_http2_check_deadlines(struct tk_http2 *http2);
void tk_http2_drain(struct tk_http2 *http2);

#endif
