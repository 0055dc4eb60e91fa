#ifndef TK_CLI_VERIFY_H
#define TK_CLI_VERIFY_H
/*
 * verify - one request with a traceparent of our own, and whether its trace came whole.
 *
 *   verify.c           the command: sends, waits for the trace, draws it, tells the findings
 *   verify_browser.c   the request as a browser would send it: CORS preflight
 *   verify_hops.c      which services must appear, who must call whom, and why one is missing
 */
#include "cli/remote.h"
#include "trace/ids.h"

struct tk_verify_finding {
    tk_str rule; /* as in the findings of the server, where both know it */
    tk_str severity;
    tk_str message, fix;
    struct tk_verify_finding *next;
};

struct tk_verify_hop {
    tk_str caller, called; /* services */
};

enum { TK_VERIFY_NAMES_MAX = 64 };

struct tk_verify {
    struct tk_remote remote; /* its arena is cleared before each look at the server */
    struct tk_arena *arena;  /* of the whole run */
    const char *url;
    const char *method;
    const char *origin;            /* of --browser, or NULL */
    struct tk_option_list headers; /* "Name: value" */
    tk_str services[TK_VERIFY_NAMES_MAX];
    struct tk_verify_hop hops[TK_VERIFY_NAMES_MAX];
    size_t service_count, hop_count;

    char trace_id[TK_TRACE_ID_HEX + 1], span_id[TK_SPAN_ID_HEX + 1];
    uint64_t sent_nano;
    struct tk_verify_finding *findings, **findings_end;
    bool broken; /* one of them is an error */
};

/* Adds an error; `fix` lives as long as the run.  message as printf. */
void tk_verify_add(struct tk_verify *verify, const char *rule, tk_str fix, const char *format, ...)
    TK_PRINTF(4, 5);

/*
 * Asks as a browser on a page of `verify->origin` would before a request with traceparent, and adds
 * what such a browser would refuse (Fetch Standard, 4.8 CORS-preflight fetch).  GOOD also when
 * there were findings; UNREACHABLE, said on stderr, when nobody answers.
 */
enum tk_exit tk_verify_preflight(struct tk_verify *verify, struct tk_client *client);
/* The same of the answer to the request itself, which `client` has just received. */
void tk_verify_answer(struct tk_verify *verify, struct tk_client *client);

/* `text`: "a,b,c".  False: too many. */
bool tk_verify_parse_services(struct tk_verify *verify, tk_str text);
/* `text`: "service:a > service:b > c".  False: not of that form, or too many. */
bool tk_verify_parse_hops(struct tk_verify *verify, tk_str text);
/* Is everything there that was asked for, and no parent missing?  `trace` as the API gives it. */
bool tk_verify_complete(const struct tk_verify *verify, const struct tk_json_node *trace);
/* Adds what the server finds in the trace, and an error for each thing that is not there, with what
   the server's other traces tell about it; `trace` is NULL when nothing arrived at all. */
enum tk_exit tk_verify_explain(struct tk_verify *verify, const struct tk_json_node *trace);

#endif
