#ifndef TK_QUERY_SEARCH_H
#define TK_QUERY_SEARCH_H
/*
 * search - the traces of a store that a query holds for: newest first, page by page, exact.
 */
#include "query/traceql.h"
#include "store/store.h"

enum { TK_CURSOR_TEXT = 48 }; /* lower-case hex: start, trace id */

/* A position in the order of traces: behind the trace it names. */
struct tk_cursor {
    uint64_t start_nano;
    struct tk_trace_id id;
};
void tk_cursor_format(const struct tk_cursor *cursor, char text[TK_CURSOR_TEXT + 1]);
bool tk_cursor_parse(tk_str text, struct tk_cursor *ret_cursor);

struct tk_search {
    struct tk_query *query;
    uint64_t begin_nano, end_nano; /* begin <= start of the trace < end; end 0: no end */
    uint64_t ended_nano;           /* traces that ended before this may be left out; 0: none */
    const struct tk_cursor *after; /* NULL: from the newest */
    uint32_t limit;                /* 0: no limit */
    bool lean;                     /* `each` needs no more of the spans than a summary shows */
    struct tk_env *env;            /* whose clock the deadline is read from */
    uint64_t deadline_nano;        /* of env->mono_nano; 0: none */
    size_t memory;                 /* budget for deciding on one trace; 0: the query's default */
    /* Called for each trace, while its spans are good. */
    enum tk_err (*each)(void *arg, const struct tk_store_trace *trace);
    void *arg;
};

/*
 * *ret_more: there is at least one more trace behind *ret_last, the last one given to `each`.
 * TK_ERR_TIMEOUT: the deadline passed; TK_ERR_LIMIT: the memory of one query was used up, a regular
 * expression was too costly (tk_query_hit tells), or what `each` said.  Either way the answer is
 * not complete and must not be shown as one.
 */
enum tk_err tk_search_run(struct tk_store_view *view, const struct tk_search *search,
                          struct tk_cursor *ret_last, bool *ret_more,
                          struct tk_error *err) TK_MUST_USE;

#endif
