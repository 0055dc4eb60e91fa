#ifndef TK_API_MATCH_JSON_H
#define TK_API_MATCH_JSON_H
/* match_json - what a query says of a trace beyond that it matches: groups, aggregates, fields. */
#include "base/json.h"
#include "query/traceql.h"

enum {
    TK_MATCH_SETS_MAX = 20,  /* spansets of one trace that are shown */
    TK_MATCH_SPANS_MAX = 20, /* spans of one spanset that are shown */
};

/* The member "spanSets" of an open object; nothing when the query has no pipeline. */
enum tk_err tk_match_json(struct tk_json_writer *json, struct tk_query *query,
                          const struct tk_batch *trace) TK_MUST_USE;
/* A value of a field; nanoseconds as a decimal string. */
void tk_field_json(struct tk_json_writer *json, const struct tk_field *field);

#endif
