#ifndef TK_QUERY_TRACEQL_H
#define TK_QUERY_TRACEQL_H
/*
 * traceql - the query language: parse, translate the shorthand, evaluate on one trace.
 *
 * A query selects spans, in groups, and with them traces: those of which it selects some.  What it
 * says of groups and spans beyond that (by, select, aggregates) comes as fields.  A metrics query
 * (| rate()) selects spans too; query/metrics.h runs it.
 * docs/query.md is the language as users see it.
 *
 * Threads: a query is used by one thread at a time.
 */
#include "trace/batch.h"

enum {
    TK_QUERY_TEXT_MAX = 16384,
    TK_QUERY_DEPTH_MAX = 64,
    TK_QUERY_MEMORY_MAX = 256 << 20, /* bytes that deciding on one trace may take */
};

struct tk_query; /* lives in the arena it was parsed into */

/* Where a query is wrong: filled for TK_ERR_INPUT. */
struct tk_query_error {
    size_t position; /* character (not byte) offset into the text as given */
    tk_str expected; /* what would be right there, for people; may be empty */
    char detail[TK_ERROR_MESSAGE_SIZE];
};

/* TraceQL, shorthand, a bare trace id or the empty text (everything). */
enum tk_err tk_query_parse(tk_str text, struct tk_arena *arena, struct tk_query **ret_query,
                           struct tk_query_error *ret_error) TK_MUST_USE;
/* Frees what does not live in the arena (compiled regular expressions). NULL is fine. */
void tk_query_release(struct tk_query *query);
/* The query as TraceQL. */
tk_str tk_query_text(const struct tk_query *query);
/* True when the query is nothing but a trace id. */
bool tk_query_trace_id(const struct tk_query *query, struct tk_trace_id *ret_id);
/* True for `... | rate()` and its likes; *ret_position: the character where the function stands. */
bool tk_query_is_metrics(const struct tk_query *query, size_t *ret_position);
/* True when answers say more of a trace than that it matches: tk_query_group, tk_query_shown. */
bool tk_query_has_fields(const struct tk_query *query);

/*
 * Budgets of a run over one trace [TK_QUERY_MEMORY_MAX, no end of time].  `expired` is asked now
 * and then. What runs out of one fails with TK_ERR_LIMIT or TK_ERR_TIMEOUT, and tk_query_hit says
 * which.
 */
enum tk_query_budget {
    TK_BUDGET_NONE,
    TK_BUDGET_TIME,
    TK_BUDGET_MEMORY,
    TK_BUDGET_REGEX, /* a regular expression that takes too many steps */
};
void tk_query_set_budget(struct tk_query *query, size_t memory, bool (*expired)(void *arg),
                         void *arg);
enum tk_query_budget tk_query_hit(const struct tk_query *query);

/* Does it hold for this trace (all its spans)? */
enum tk_err tk_query_matches(struct tk_query *query, const struct tk_batch *trace,
                             bool *ret_matches) TK_MUST_USE;
/* The same, and ret_selected[row] says which spans it yields; [span_count], none if it fails. */
enum tk_err tk_query_select(struct tk_query *query, const struct tk_batch *trace,
                            bool *ret_selected, bool *ret_matches) TK_MUST_USE;

/* What was said of a group or a span: `name` as the query has it; `nano`: INT nanoseconds. */
struct tk_field {
    tk_str name;
    struct tk_value value;
    bool nano;
};
struct tk_field_list {
    struct tk_field field;
    const struct tk_field_list *next;
};
#define TK_NO_GROUP UINT32_MAX
/* The selected spans in groups; all of it is good until the query is run again. */
struct tk_query_groups {
    const uint32_t *of;                  /* by row: group, or TK_NO_GROUP */
    uint32_t count;                      /* none is empty */
    const struct tk_field_list **fields; /* by group, the latest stage's first */
};
enum tk_err tk_query_group(struct tk_query *query, const struct tk_batch *trace,
                           struct tk_query_groups *ret_groups) TK_MUST_USE;
/* What select() asks for of a span, the last first; to be called after tk_query_group on this
   trace, and good as long. */
const struct tk_field_list *tk_query_shown(struct tk_query *query, const struct tk_batch *trace,
                                           uint32_t row);

#endif
