#ifndef TK_URL_H
#define TK_URL_H
/* url - where spans go, which requests carry headers, and what of a URL may be told. */
#include <regex.h>
#include <stdbool.h>
#include <stddef.h>

enum { TK_URL_MAX = 4096 }; /* bytes; longer ones match no target, and are recorded cut off */

/*
 * Gives the URL that spans are posted to: the base URL (NULL or empty: the local server) with
 * /v1/traces behind it, unless it is there. False when it is no web address, or too long.
 */
bool tk_url_endpoint(const char *endpoint, char ret_url[TK_URL_MAX]);

/* Redacts a URL: user-info, fragment, and the values of parameters that are credentials. Gives the
 * size. */
size_t tk_url_redact(const char *url, char ret_url[TK_URL_MAX]);

/* Redacts a query without its question mark. */
size_t tk_url_redact_query(const char *query, char ret_query[TK_URL_MAX]);

/* tracekit_options.propagation_targets, compiled. */
struct tk_target {
    char *text; /* NULL: the expression */
    regex_t expression;
};

struct tk_targets {
    bool set;
    size_t count;
    struct tk_target *list;
};

/* 0, TRACEKIT_ERROR_MEMORY, or TRACEKIT_ERROR_ARGUMENT with the expression that is none in
 * *ret_bad. */
int tk_targets_init(struct tk_targets *targets, const char *const *list, const char **ret_bad);
void tk_targets_release(struct tk_targets *targets);
bool tk_targets_match(const struct tk_targets *targets, const char *url);

/* The host and port of a URL or of a Host header; *ret_port is -1 when there is none. False: too
 * long, or no host. */
bool tk_url_host(const char *url, char ret_host[256], int *ret_port);

#endif
