#ifndef TK_NET_HTTP2_INT_H
#define TK_NET_HTTP2_INT_H
/* http2_int - what http2.c (session, requests) and http2_answer.c (answers) share. */
#include "net/http2.h"
#include "net/http2_abuse.h"

#include <nghttp2/nghttp2.h>

struct tk_http2 {
    struct tk_conn *conn;
    nghttp2_session *session;
    struct tk_exchange *exchanges;
    unsigned exchange_count;
    size_t handling;        /* bytes of requests that the handler has */
    size_t withheld;        /* bytes of the connection's window not given back */
    size_t unsent;          /* bytes of answers not yet in frames */
    bool in_headers;        /* between the start and the end of a header block ... */
    uint64_t in_headers_ms; /* ... since */
    bool dead;              /* a fatal error: nothing is read any more */
    struct tk_abuse abuse;
};

/* http2.c */
void tk_http2_free_exchange(struct tk_http2 *http2, struct tk_exchange *exchange);
/* The handler has answered: what was withheld for it goes back to the connection's window. */
void tk_http2_end_handling(struct tk_http2 *http2, struct tk_exchange *exchange);

/* http2_answer.c */
bool tk_http2_should_hold(const struct tk_exchange *exchange);
/* Hands an answer to nghttp2. */
void tk_http2_submit(struct tk_http2 *http2, struct tk_exchange *exchange);

#endif
