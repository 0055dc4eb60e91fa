#ifndef TK_TRANSPORT_H
#define TK_TRANSPORT_H
/* transport - what posts a batch when the caller has nothing of its own. Blocking, on the
 * exporter's thread. */
#include <tracekit.h>

/* A plain socket: http only, one connection a request. `data` is not used. */
void tk_transport_socket(void *data, const tracekit_post *post, tracekit_answer *answer);

#ifdef TRACEKIT_WITH_CURL
/* libcurl: TLS, proxies, a connection that is kept. `data` is a CURL *. */
void tk_transport_curl(void *data, const tracekit_post *post, tracekit_answer *answer);
#endif

/* The library's choice; 0, or TRACEKIT_ERROR_MEMORY. */
int tk_transport_default(tracekit_transport **ret_transport, void **ret_data);
void tk_transport_release(void *data);

/* Whether it can post to the URL: https needs libcurl. */
bool tk_transport_can(const char *url);

#endif
