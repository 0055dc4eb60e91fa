#ifndef TK_NET_HTTP1_H
#define TK_NET_HTTP1_H
/* http1 - private to net/: the HTTP/1.0 and HTTP/1.1 side of a connection. */
#include "net/conn.h"

struct tk_http1 *tk_http1_new(struct tk_conn *conn); /* NULL: no memory */
void tk_http1_free(struct tk_http1 *http1);
/* Where the next bytes should land: the tail of a body of known length, or NULL. */
char *tk_http1_buffer(struct tk_http1 *http1, size_t *ret_size);
void tk_http1_received(struct tk_http1 *http1, const char *bytes, size_t size);
void tk_http1_eof(struct tk_http1 *http1);
/* Goes on with what was received, if something can be done now. True when it did something. */
bool tk_http1_advance(struct tk_http1 *http1);
void tk_http1_answer(struct tk_http1 *http1, struct tk_exchange *exchange);
void tk_http1_stream(struct tk_http1 *http1, struct tk_exchange *exchange,
                     struct tk_stream_part *part);
void tk_http1_timeout(struct tk_http1 *http1, enum tk_deadline deadline);
void tk_http1_drain(struct tk_http1 *http1);

#endif
