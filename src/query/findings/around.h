#ifndef TK_QUERY_FINDINGS_AROUND_H
#define TK_QUERY_FINDINGS_AROUND_H
/*
 * around - what the store has beside a trace: who served what the trace asked for, in a trace of
 * their own, and what hosts the project's services answer at.
 *
 * Each look is a scan of the store with filters, bounded in traces.  What is learned of a host is
 * remembered for the whole question.
 */
#include "query/findings/exam.h"

struct tk_around {
    const struct tk_findings_ask *ask;
    struct tk_host *hosts; /* looked up, in ask->arena */
    uint32_t host_count;
    uint32_t looks_left;    /* scans that may still be made beside one trace */
    uint64_t deadline_nano; /* of ask->env->mono_nano */
};

/* First: the trace in other projects that the caller may see.  Calls answered there are dropped. */
enum tk_err tk_around_elsewhere(struct tk_around *around, struct tk_exam *exam,
                                struct tk_error *err) TK_MUST_USE;
/* Then fills in exam->call[].host, .answer and .inner, and exam->servers. */
enum tk_err tk_around_look(struct tk_around *around, struct tk_exam *exam,
                           struct tk_error *err) TK_MUST_USE;
/* Frees what tk_around_elsewhere found. */
void tk_around_forget(struct tk_exam *exam);

/* "Go-http-client/1.1" is "go"; empty for browsers and what is not known. */
tk_str tk_agent_language(tk_str agent);

#endif
