#ifndef TK_QUERY_FINDINGS_FINDINGS_H
#define TK_QUERY_FINDINGS_FINDINGS_H
/*
 * findings - why is it not connected?  The doctor over stored traces.
 *
 * A trace is examined by the rules of rules.c, one after the other; docs/findings.md tells of each.
 * A project is examined by a sample of its traces.  Nothing is said of a trace that may still be
 * arriving which more spans could prove wrong.
 *
 *   findings.c  finds the traces, runs the rules, puts equal findings together
 *   rules.c     the table of rules, and each rule
 *   exam.c      a trace as the rules see it: tree, services, calls that nobody answered
 *   around.c    what the store has beside it: who answered those calls, in a trace of his own
 */
#include "store/store.h"

enum {
    TK_FINDING_SPANS_MAX = 20,        /* named in one finding; span_count counts all */
    TK_FINDING_TRACES_MAX = 5,        /* examples in a finding about a project */
    TK_FINDINGS_TRACES_MAX = 1000,    /* of one sample */
    TK_FINDINGS_TRACES = 200,         /* by default */
    TK_FINDINGS_SECONDS = 5,          /* for a project; then what was seen until there is told */
    TK_FINDINGS_SETTLED_SECONDS = 30, /* after its last span a trace is taken to be all there */
    TK_FINDINGS_MAX = 1000,           /* different ones in one answer */
};

enum tk_severity { TK_SEVERITY_ERROR, TK_SEVERITY_WARNING, TK_SEVERITY_HINT };
/* CERTAIN: the spans say so.  LIKELY: nothing else is known that looks so.  POSSIBLE: one of
   several explanations. */
enum tk_confidence { TK_CONFIDENCE_CERTAIN, TK_CONFIDENCE_LIKELY, TK_CONFIDENCE_POSSIBLE };

/* Evidence outside of the trace. */
struct tk_finding_other {
    struct tk_trace_id trace_id;
    tk_span_id span_id;
    tk_str service;
    tk_str project; /* empty: the same */
};

struct tk_finding {
    const char *rule; /* "not-a-target" */
    enum tk_severity severity;
    enum tk_confidence confidence;
    tk_str service;  /* whose set-up has to change; may be empty */
    tk_str peer;     /* the other side: a service or a host; may be empty */
    tk_str message;  /* what is wrong */
    tk_str cause;    /* why it is so */
    tk_str fix;      /* what to do */
    tk_str language; /* of `service`, as telemetry.sdk.language says it; may be empty */
    tk_str snippet;  /* the cure in that language; may be empty */
    tk_span_id spans[TK_FINDING_SPANS_MAX]; /* of the (first) trace */
    uint32_t span_count;
    struct tk_finding_other other;                    /* span_id 0: none */
    struct tk_trace_id traces[TK_FINDING_TRACES_MAX]; /* where it was found, newest first */
    uint32_t trace_count;
    struct tk_trace_id last; /* of them */
    uint64_t last_seen_nano; /* start of the newest of them */
    struct tk_finding *next;
};

/* Why not all of it was looked at. */
enum tk_findings_cut {
    TK_FINDINGS_WHOLE,
    TK_FINDINGS_CUT_MEMORY, /* the trace is too long: some of its spans were looked at */
    TK_FINDINGS_CUT_TRACES, /* there are more traces than the sample takes */
    TK_FINDINGS_CUT_COUNT,  /* there are more than TK_FINDINGS_MAX findings */
    TK_FINDINGS_CUT_TIME,   /* the time was up */
};

struct tk_findings {
    struct tk_finding *first; /* by severity, then as found */
    uint32_t count;
    uint32_t trace_count; /* looked at */
    uint64_t span_count;
    bool settled; /* of a trace: no more spans are expected */
    enum tk_findings_cut cut;
};

/* Another project that the caller may see. */
struct tk_findings_project {
    tk_str name;
    struct tk_store_view *view;
};

struct tk_findings_ask {
    struct tk_store_view *view;
    const struct tk_findings_project *others; /* [other_count] */
    size_t other_count;
    struct tk_env *env;
    uint64_t deadline_nano; /* of env->mono_nano; 0: none */
    size_t memory;          /* bytes for the spans of one trace */
    struct tk_arena *arena; /* what is found lies here */
};

/* TK_ERR_NOT_FOUND: no such trace.  TK_ERR_TIMEOUT: the deadline passed. */
enum tk_err tk_findings_of_trace(const struct tk_findings_ask *ask, struct tk_trace_id id,
                                 struct tk_findings *ret_findings,
                                 struct tk_error *err) TK_MUST_USE;
/* Of `limit` traces with begin <= start < end, the newest of each part of that time. */
enum tk_err tk_findings_of_project(const struct tk_findings_ask *ask, uint64_t begin_nano,
                                   uint64_t end_nano, uint32_t limit,
                                   struct tk_findings *ret_findings,
                                   struct tk_error *err) TK_MUST_USE;

#endif
