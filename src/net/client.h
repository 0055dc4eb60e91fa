#ifndef TK_NET_CLIENT_H
#define TK_NET_CLIENT_H
/*
 * client - outgoing HTTP by libcurl, for the command line (and later webhooks and ClickHouse).
 * Blocking; one client per thread; keeps its connection.
 */
#include "base/arena.h"

struct tk_client;

struct tk_client_request {
    const char *method; /* NULL: GET, or POST when there is a body */
    const char *url;
    const char *const *headers; /* "Name: value" */
    size_t header_count;
    tk_str body;
    unsigned timeout_ms; /* whole exchange; 0: 30 s */
};

struct tk_client_response {
    int status;
    tk_str body; /* lives until the next request of this client */
    tk_str content_type;
    unsigned retry_after_s; /* 0: not said */
};

enum tk_err tk_client_new(struct tk_client **ret_client, struct tk_error *err) TK_MUST_USE;
void tk_client_free(struct tk_client *client);
/* TK_ERR_UNREACHABLE (message says what and where) or TK_ERR_TIMEOUT when there is no answer. */
enum tk_err tk_client_send(struct tk_client *client, const struct tk_client_request *request,
                           struct tk_client_response *ret_response,
                           struct tk_error *err) TK_MUST_USE;
/* A header of the last answer, its name in any case; empty when it was not there.  *ret_count,
   which may be NULL: how often it was there.  Lives until the next request. */
tk_str tk_client_header(struct tk_client *client, const char *name, size_t *ret_count);

#endif
