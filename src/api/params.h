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
    TK_QUERY_SECONDS_MAX = 30, /* of one scan; then 503, never half an answer */
};

/* ?limit=, 1 to TK_LIMIT_MAX. */
bool tk_param_limit(struct tk_call *call, uint32_t by_default, uint32_t *ret_limit);
/* ?start= and ?end=: RFC 3339 or ns. 0 when absent; *ret_empty: no time lies between them. */
bool tk_param_times(struct tk_call *call, uint64_t *ret_begin_nano, uint64_t *ret_end_nano,
                    bool *ret_empty);
/* ?q=: the caller releases the query. A wrong one is answered with its position. */
bool tk_param_query(struct tk_call *call, struct tk_arena *arena, struct tk_query **ret_query);

uint64_t tk_query_deadline(const struct tk_call *call);
/* Answers an error of a search or a catalog. */
void tk_reply_query_error(struct tk_call *call, enum tk_err code, const struct tk_error *err);

#endif
