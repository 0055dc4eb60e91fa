#ifndef TK_API_API_H
#define TK_API_API_H
/*
 * api - one table of routes; each route is one small function.
 *
 * tk_api_handler() gives the net floor its callbacks.  For each request the route is looked up by
 * method and path, the caller identified (identity), its access checked, and the route's function
 * called: on the loop for routes marked TK_RUN_LOOP, else on a worker.
 */
#include "account/account.h"
#include "base/json.h"
#include "net/server.h"
#include "store/store.h"

struct tk_api;

struct tk_api_options {
    struct tk_store *store;
    struct tk_account *account;
    struct tk_env *env;
    bool dev;            /* --dev: loopback requests need no key and belong to project `default` */
    size_t body_max;     /* --max-body, bytes after decompression */
    uint64_t query_nano; /* --query-timeout: the time of one query; 0: params.h's default */
    size_t opened_max;   /* bytes of the long trace that is kept (opened.h); 0: none is */
    size_t query_memory; /* --query-memory: bytes of one query; 0: traceql.h's default */
    struct tk_store_limits limits; /* --retention, --disk: the store's, to be told */
};

enum tk_err tk_api_new(const struct tk_api_options *options, struct tk_api **ret_api,
                       struct tk_error *err) TK_MUST_USE;
/* Ends the answers that would not end by themselves; before the server is stopped. */
void tk_api_stop(struct tk_api *api);
void tk_api_free(struct tk_api *api); /* after the server has stopped */
struct tk_server_handler tk_api_handler(struct tk_api *api);
/* For /metrics; called once the server has started. */
void tk_api_set_server(struct tk_api *api, const struct tk_server *server);

/* ---- for the routes ---- */

enum tk_access {
    TK_ACCESS_PUBLIC,
    TK_ACCESS_INGEST, /* server or browser key */
    TK_ACCESS_READ,   /* read or admin key, session */
    TK_ACCESS_ADMIN,  /* admin key, session */
};

enum tk_run { TK_RUN_WORKER, TK_RUN_LOOP };

enum { TK_PATH_ARGS_MAX = 2 };

/* What the caller showed to be let in. */
enum tk_credential {
    TK_CREDENTIAL_NONE, /* TK_ACCESS_PUBLIC */
    TK_CREDENTIAL_DEV,  /* --dev and loopback */
    TK_CREDENTIAL_KEY,
    TK_CREDENTIAL_SESSION,
};

enum { TK_REPLY_HEADERS_MAX = 16 };

/* One request on its way through a route. Lives in the request's arena. */
struct tk_call {
    struct tk_api *api;
    struct tk_request *request;
    const struct tk_route *route;
    enum tk_credential credential;
    struct tk_identity identity;   /* not for TK_ACCESS_PUBLIC */
    tk_str args[TK_PATH_ARGS_MAX]; /* what stood at each {name} of the path, percent-decoded */
    tk_str cors_origin;            /* the page that may read the answer; ptr NULL: none */
    void *state;                   /* the route's own */
    struct tk_header headers[TK_REPLY_HEADERS_MAX]; /* of the answer, beside content-type */
    size_t header_count;
};

struct tk_route {
    const char *method;
    const char *path; /* "/api/v1/traces/{traceId}" */
    enum tk_access access;
    enum tk_run run;
    void (*function)(struct tk_call *call);
    /* Before the body is read: the largest body it takes, or TK_BODY_ANSWERED after a reply.
       NULL: a small body. */
    size_t (*head)(struct tk_call *call);
    /* For openapi.json: what it does; its query parameters; schemas of body and answer. */
    const char *summary;
    const char *params; /* names, separated by spaces, of openapi.c's table */
    const char *body;   /* NULL: none */
    const char *answer; /* "200 TraceList", "204" */
};

const struct tk_api_options *tk_api_options(const struct tk_api *api);

/* Adds a header to the answer, before it is given. The value must live until then. */
void tk_reply_header(struct tk_call *call, tk_str name, tk_str value);
/* Answers.  Each ends the call: its memory may be gone when they return. */
void tk_reply(struct tk_call *call, int status, tk_str content_type, struct tk_buf *body);
void tk_reply_json(struct tk_call *call, int status, struct tk_buf *body);
/* An error, in the shape of the caller's protocol: application/problem+json (RFC 9457),
   google.rpc.Status for ingest and gRPC.  429 and 503 carry Retry-After.  detail as printf. */
void tk_reply_problem(struct tk_call *call, int status, const char *title, const char *detail, ...)
    TK_PRINTF(4, 5);
/* The same from an error of the floors below: INPUT 400, DENIED 403, NOT_FOUND 404, EXISTS 409,
   LIMIT 413, UNSUPPORTED 415, BUSY 429, FULL 503, the rest 500. */
void tk_reply_error(struct tk_call *call, enum tk_err code, const struct tk_error *err);

/* The routes, one file each; listed in routes.c. */
void tk_route_traces(struct tk_call *call);        /* traces.c */
void tk_route_trace(struct tk_call *call);         /* traces.c */
void tk_route_metrics_query(struct tk_call *call); /* metrics_query.c */
void tk_route_services(struct tk_call *call);      /* services.c */
void tk_route_operations(struct tk_call *call);    /* services.c */
void tk_route_tags(struct tk_call *call);          /* tags.c */
void tk_route_tag_values(struct tk_call *call);    /* tags.c */

#endif
