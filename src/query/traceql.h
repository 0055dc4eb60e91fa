#ifndef TK_QUERY_TRACEQL_H
#define TK_QUERY_TRACEQL_H
/*
 * traceql - the query language: parse, translate the shorthand, evaluate on one trace.
 *
 * A query selects traces: it holds when its spanset expression yields at least one span.
 * docs/query.md is the language as users see it.
 *
 * Threads: a query is used by one thread at a time.
 */
#include "trace/batch.h"

enum { TK_QUERY_TEXT_MAX = 16384, TK_QUERY_DEPTH_MAX = 64 };

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
/* Does it hold for this trace (all its spans)? TK_ERR_LIMIT: a regular expression hit its limit. */
enum tk_err tk_query_matches(struct tk_query *query, const struct tk_batch *trace,
                             bool *ret_matches) TK_MUST_USE;
/* The same, and ret_selected[row] says which spans it yields; [span_count], none if it fails. */
enum tk_err tk_query_select(struct tk_query *query, const struct tk_batch *trace,
                            bool *ret_selected, bool *ret_matches) TK_MUST_USE;

#endif
