#ifndef TK_QUERY_SERVICE_MAP_H
#define TK_QUERY_SERVICE_MAP_H
/*
 * service_map - who calls whom: services, what they call that sends no spans of its own, and the
 * calls between them, counted over the newest traces of a time.
 *
 * A call is a span whose parent is in another service, or a SERVER or CONSUMER span below a CLIENT
 * or PRODUCER span of the same one.  A CLIENT or PRODUCER span that nobody answered is a call of
 * what its attributes name: a database, a queue or topic, another host.  A CONSUMER span without a
 * caller was called by its queue.  A call takes as long as the callee's span says (of what sends
 * none: the caller's), and failed if that span or the caller's failed.
 */
#include "store/store.h"

enum {
    TK_MAP_TRACES = 10000, /* counted, unless told */
    TK_MAP_TRACES_MAX = 100000,
    TK_MAP_NODES_MAX = 1000, /* calls from and to further ones are left out, and said so */
    TK_MAP_CALLS_MAX = 4000,
};

enum tk_map_kind { TK_MAP_SERVICE, TK_MAP_DATABASE, TK_MAP_MESSAGING, TK_MAP_EXTERNAL };

struct tk_map_numbers {
    uint64_t count, error_count, p50_nano, p95_nano, p99_nano;
};

struct tk_map_node {
    tk_str name;
    enum tk_map_kind kind;
    const char *attribute;       /* of its callers' spans, that names it; NULL for a service */
    struct tk_map_numbers calls; /* that came to it, those that no span made too */
};

struct tk_map_call {
    uint32_t caller, callee; /* nodes */
    struct tk_map_numbers calls;
};

enum tk_map_cut { /* why some is missing */
                  TK_MAP_WHOLE,
                  TK_MAP_CUT_TRACES, /* there are older traces within the time */
                  TK_MAP_CUT_TIME,   /* the deadline passed: the same */
                  TK_MAP_CUT_MEMORY, /* a trace was too long to be looked at */
                  TK_MAP_CUT_NODES,  /* or too many calls */
};

struct tk_map {
    struct tk_map_node *nodes; /* as they were first seen */
    uint32_t node_count;
    struct tk_map_call *calls; /* most first */
    uint32_t call_count;
    uint64_t begin_nano; /* what was counted starts here: of a cut map, with its oldest trace */
    uint64_t trace_count, span_count;
    enum tk_map_cut cut;
};

struct tk_map_ask {
    struct tk_store_view *view;
    uint64_t begin_nano, end_nano; /* begin <= start of the trace < end */
    uint32_t trace_max;
    struct tk_env *env;
    uint64_t deadline_nano; /* of env->mono_nano; 0: none */
    size_t memory;          /* budget for one trace */
    struct tk_arena *arena; /* of the result */
};

enum tk_err tk_map_make(const struct tk_map_ask *ask, struct tk_map *ret_map,
                        struct tk_error *err) TK_MUST_USE;

#endif
