#ifndef TK_API_PRIVATE_H
#define TK_API_PRIVATE_H
/*
 * private - what the files of src/api share among themselves.
 */
#include "api/api.h"
#include "api/limit.h"
#include "api/opened.h"

#include <stdatomic.h>

enum {
    TK_JSON_BODY_MAX = 64 << 10, /* of every route but ingest */
    TK_REPLY_SIZE_MAX = 1 << 30,
    TK_RETRY_AFTER_S = 1, /* for 429 and 503 */
};

struct tk_tails;

struct tk_api {
    struct tk_api_options options;
    struct tk_tails *tails;
    const struct tk_server *_Atomic server;
    struct tk_limit browser_limit;
    struct tk_opened_last opened;
    _Atomic uint64_t spans_accepted, spans_rejected; /* acknowledged; named in partial_success */
};

/* routes.c */
extern const struct tk_route tk_routes[];
extern const size_t tk_route_count;
/* Fills `args`. NULL when no route has that path and method. */
const struct tk_route *tk_route_find(tk_str method, tk_str path, struct tk_arena *arena,
                                     tk_str args[TK_PATH_ARGS_MAX]);
/* "GET, HEAD, OPTIONS" of the routes with that path into `arena`; empty when there is none. */
tk_str tk_route_methods(tk_str path, struct tk_arena *arena);

/* auth.c: finds out who calls and whether the route is open to them. False: replied. */
bool tk_authorize(struct tk_call *call);
/* "localhost:3000", "127.0.0.1", "[::1]:80" */
bool tk_host_is_loopback(tk_str host);
bool tk_origin_is_loopback(tk_str origin);

/* cors.c: which page may read the answer; answers a preflight (path of `route`). */
void tk_cors_begin(struct tk_call *call);
void tk_cors_preflight(struct tk_call *call, tk_str methods);

/* reply.c */
void tk_reply_static(struct tk_call *call, int status, tk_str content_type, tk_str body);
void tk_reply_empty(struct tk_call *call, int status);
/* Begins a long answer: tk_response_write and tk_response_end go on. */
void tk_reply_start(struct tk_call *call, tk_str content_type);
bool tk_accepts_gzip(const struct tk_request *request);
/* The same as tk_reply, gzipped for a client that takes it. */
void tk_reply_packed(struct tk_call *call, int status, tk_str content_type, struct tk_buf *body);
/* A gRPC message. */
void tk_reply_grpc(struct tk_call *call, struct tk_buf *message);
/* Shapes an answer that the net floor gives by itself. */
void tk_reply_refused(void *arg, struct tk_request *request, int status, const char *reason,
                      struct tk_response *response);

/* The routes that api.h does not name. */
size_t tk_ingest_head(struct tk_call *call);
void tk_route_ingest(struct tk_call *call);         /* ingest.c */
void tk_route_trace_columns(struct tk_call *call);  /* columns.c */
void tk_route_trace_span(struct tk_call *call);     /* columns.c */
void tk_route_trace_findings(struct tk_call *call); /* findings.c */
void tk_route_findings(struct tk_call *call);       /* findings.c */
void tk_route_differences(struct tk_call *call);    /* differences.c */
void tk_route_compare(struct tk_call *call);        /* compare.c */
void tk_route_map(struct tk_call *call);            /* map.c */
void tk_route_projects(struct tk_call *call);       /* accounts.c */
void tk_route_project_create(struct tk_call *call); /* accounts.c */
void tk_route_project_change(struct tk_call *call); /* accounts.c */
void tk_route_project_due(struct tk_call *call);    /* accounts.c */
void tk_route_project_delete(struct tk_call *call); /* accounts.c */
void tk_route_keys(struct tk_call *call);           /* accounts.c */
void tk_route_key_create(struct tk_call *call);     /* accounts.c */
void tk_route_key_revoke(struct tk_call *call);     /* accounts.c */
void tk_route_session_create(struct tk_call *call); /* session.c */
void tk_route_session_end(struct tk_call *call);    /* session.c */
void tk_route_signin(struct tk_call *call);         /* session.c */
void tk_route_whoami(struct tk_call *call);         /* session.c */
void tk_route_healthz(struct tk_call *call);        /* health.c */
void tk_route_readyz(struct tk_call *call);         /* health.c */
void tk_route_metrics(struct tk_call *call);        /* metrics.c */
void tk_route_openapi(struct tk_call *call);        /* openapi.c */
void tk_route_tail(struct tk_call *call);           /* tail.c */

/* ingest.c: the format that the request's content type names; false: another type. */
bool tk_ingest_format(struct tk_request *request, enum tk_format *ret_format);
/* session.c: the value of the session cookie; ptr NULL when there is none. */
tk_str tk_session_cookie(const struct tk_request *request);
/* page.c: a GET that no route answers: a file of the page, or the page for an address of its own.
   NULL: neither. */
const struct tk_route *tk_page_find(const struct tk_request *request);

#endif
