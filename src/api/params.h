#ifndef TK_API_PARAMS_H
#define TK_API_PARAMS_H
/*
 * params - the parameters that the query routes share.  Each function answers the call itself
 * (400, problem+json) and returns false when the parameter is wrong.
 */
#include "api/api.h"
#include "query/traceql.h"

enum {
    TK_LIMIT_MAX = 1000,
    TK_QUERY_SECONDS_DEFAULT = 30, /* of one query; then 503, never half an answer */
};

/* ?limit=, 1 to `most`. */
bool tk_param_limit(struct tk_call *call, uint32_t by_default, uint32_t most, uint32_t *ret_limit);
/* Parameters that say which spans: of a question about two kinds of them the second has others. */
struct tk_param_names {
    const char *query, *start, *end;
};
extern const struct tk_param_names tk_param_names_usual; /* q, start, end */

/* ?start= and ?end=: RFC 3339 or ns. 0 when absent; *ret_empty: no time lies between them. */
bool tk_param_times(struct tk_call *call, uint64_t *ret_begin_nano, uint64_t *ret_end_nano,
                    bool *ret_empty);
bool tk_param_times_of(struct tk_call *call, const struct tk_param_names *names,
                       uint64_t *ret_begin_nano, uint64_t *ret_end_nano, bool *ret_empty);
/* The same where the last hour is meant by default, and some time must lie between them. */
bool tk_param_recent(struct tk_call *call, uint64_t *ret_begin_nano, uint64_t *ret_end_nano);
/* ?q=: the caller releases the query. A wrong one is answered with its position. */
bool tk_param_query(struct tk_call *call, struct tk_arena *arena, struct tk_query **ret_query);
/* The same where a metrics query (| rate()) is wrong. */
bool tk_param_trace_query(struct tk_call *call, struct tk_arena *arena,
                          struct tk_query **ret_query);
bool tk_param_trace_query_of(struct tk_call *call, const struct tk_param_names *names,
                             struct tk_arena *arena, struct tk_query **ret_query);

/* The budgets of one query: when it must have ended (of env->mono_nano), bytes. */
uint64_t tk_query_deadline(const struct tk_call *call);
size_t tk_query_memory(const struct tk_call *call);

/* 400: what is wrong in a text that the caller gave, where, and what would be right. */
void tk_reply_bad_query(struct tk_call *call, const char *title,
                        const struct tk_query_error *error);
/* Answers an error of a search, metrics or a catalog; of a budget with its name and size.  query
   NULL: there was none. */
void tk_reply_query_failed(struct tk_call *call, const struct tk_query *query, enum tk_err code,
                           const struct tk_error *err);

#endif
