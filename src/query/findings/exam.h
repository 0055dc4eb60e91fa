#ifndef TK_QUERY_FINDINGS_EXAM_H
#define TK_QUERY_FINDINGS_EXAM_H
/*
 * exam - one trace as the rules see it.
 *
 * Rules read an exam and report; they change nothing else.  Positions are those of the tree.
 */
#include "query/assemble.h"
#include "query/findings/findings.h"

enum {
    TK_EXAM_CALLS_MAX = 64,     /* unanswered calls of one trace that are followed */
    TK_EXAM_SERVERS_MAX = 4096, /* server spans around a trace */
};

/* Where an HTTP request goes to, or says that it came to. */
struct tk_address {
    tk_str host;
    uint32_t port; /* 0: not known */
    tk_str method; /* may be empty */
    tk_str path;   /* may be empty */
};

/* The attribute tracekit.propagation (sdk/js/targets.ts). */
enum tk_propagation {
    TK_PROPAGATION_UNKNOWN,
    TK_PROPAGATION_SENT,
    TK_PROPAGATION_NOT_TARGET,
    TK_PROPAGATION_SAME_ORIGIN,
};

/* A server span of any trace: the first of its service there. */
struct tk_server {
    struct tk_trace_id trace_id;
    tk_span_id span_id;
    tk_str service, language, sdk, agent; /* agent: user_agent.original */
    struct tk_address address;
    uint64_t start_nano, end_nano;
    bool joined; /* it has a parent: a header came with the request */
    bool calls;  /* its trace has a call to the host of the trace examined, or to an unknown one */
};

/* What is known of a host that was called. */
struct tk_host {
    struct tk_address address; /* host and port */
    bool known;                /* some service of the project answers there */
    bool joins;                /* it has continued traces of others */
    bool several;              /* services: `service` is one of them */
    tk_str service, language, sdk;
    struct tk_host *next;
};

/* A call over HTTP that nothing in the trace answers. */
struct tk_call {
    uint32_t position;
    struct tk_address address;
    enum tk_propagation propagation;
    uint64_t status;     /* of the response; 0: none came */
    tk_str error;        /* error.type */
    bool crosses_origin; /* the page it was made from is of another origin, or not known */
    const struct tk_host *host;
    const struct tk_server *answer; /* in another trace; NULL */
    uint32_t answer_count;          /* that fit as well */
    /* A service that began a trace of its own meanwhile, without a server span; span_id 0: none. */
    struct tk_finding_other inner;
    tk_str inner_language;
};

/* Spans of a batch by id. */
struct tk_known {
    struct tk_known_span {
        tk_span_id id;
        uint32_t at; /* position or row */
    } * span;
    uint32_t count;
};

struct tk_exam {
    const struct tk_batch *trace;
    struct tk_tree tree;
    struct tk_trace_services services;
    uint32_t *entry; /* by position: where this visit to the service begins */
    bool *answered;  /* by position: another service is below */
    bool settled;    /* no more spans are expected */
    bool whole;      /* all of its spans are here */
    bool loose;      /* a parent is missing, or a call has no answer: part of it may be elsewhere */

    struct tk_call call[TK_EXAM_CALLS_MAX];
    uint32_t call_count;
    const struct tk_server *servers; /* that served beside it; NULL when there were too many */
    uint32_t server_count;

    /* The same trace in other projects that the caller may see. */
    struct tk_exam_elsewhere {
        tk_str project;
        struct tk_batch *spans;
        struct tk_known known; /* rows */
        struct tk_exam_elsewhere *next;
    } * elsewhere;
    struct tk_known known; /* positions; where there is an elsewhere */

    struct tk_book *book;   /* of the whole question: what was reported, and noticed */
    struct tk_arena *arena; /* of this trace */
};

/* The tree and the calls. The rest is 0. */
enum tk_err tk_exam_begin(struct tk_exam *exam, const struct tk_batch *trace,
                          struct tk_arena *arena) TK_MUST_USE;

/* Positions of a tree, or (NULL) rows of a batch. */
enum tk_err tk_known_sort(struct tk_known *known, const struct tk_batch *spans,
                          const struct tk_tree *tree, struct tk_arena *arena) TK_MUST_USE;
/* TK_NO_SPAN: not there, or no id. */
uint32_t tk_known_find(const struct tk_known *known, tk_span_id id);

/* Attributes that exams are made of, for a lean read. */
extern const tk_str tk_exam_keys[];
extern const size_t tk_exam_key_count;

/* Text of an attribute under its new or its old name; empty when it is not there. */
tk_str tk_span_text(const struct tk_batch *trace, uint32_t row, const char *key, const char *old);
tk_str tk_resource_text(const struct tk_batch *trace, uint32_t row, const char *key);
/* False: not an HTTP request, or one to nowhere. */
bool tk_call_address(const struct tk_batch *trace, uint32_t row, struct tk_address *ret_address);
bool tk_server_address(const struct tk_batch *trace, uint32_t row, struct tk_address *ret_address);
bool tk_same_host(const struct tk_address *a, const struct tk_address *b);

static inline uint32_t
tk_exam_row(const struct tk_exam *exam, uint32_t position)
{
    return exam->tree.row[position];
}
static inline tk_str
tk_exam_service(const struct tk_exam *exam, uint32_t position)
{
    const struct tk_trace_services *services = &exam->services;
    return services->service[services->of_resource[exam->trace->resource[exam->tree.row[position]]]]
        .name;
}
tk_str tk_exam_language(const struct tk_exam *exam, uint32_t position);

#endif
