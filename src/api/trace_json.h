#ifndef TK_API_TRACE_JSON_H
#define TK_API_TRACE_JSON_H
/*
 * trace_json - Summary and Trace of the query API (docs/api.md).
 *
 * Nanoseconds are decimal strings, ids lower-case hex; what is unset is left out.  Failure shows in
 * the writer's buffer; TK_ERR_MEMORY is returned where the arena ran out.
 */
#include "base/json.h"
#include "query/assemble.h"
#include "query/traceql.h"

/* One object, with what the query says of the trace (NULL: nothing).  The arena's memory is needed
   during the call only. */
enum tk_err tk_summary_json(struct tk_json_writer *json, const struct tk_batch *trace,
                            struct tk_query *query, struct tk_arena *arena) TK_MUST_USE;
/* One object, with spans in display order and the rows of the waterfall. */
enum tk_err tk_trace_json(struct tk_json_writer *json, const struct tk_batch *trace, bool gaps,
                          struct tk_arena *arena) TK_MUST_USE;
/* One span by itself: no tree, its resource and scope within it. */
void tk_span_json(struct tk_json_writer *json, const struct tk_batch *trace, uint32_t row);
/* "SERVER"; NULL when the kind is not set or not known. */
const char *tk_kind_text(int32_t kind);

#endif
