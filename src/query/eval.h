#ifndef TK_QUERY_EVAL_H
#define TK_QUERY_EVAL_H
/*
 * eval - a query being asked of one trace.  Internal to the query floor.
 *
 * eval.c answers for one span, eval_trace.c for spansets and pipelines.  What fails (a costly
 * regular expression, a budget) is noted in `status`; what is returned then means nothing.
 */
#include "query/assemble.h"
#include "query/ast.h"

/* Who is whose child; made when it is first asked for.  By display position. */
struct tk_structure {
    struct tk_tree tree;
    uint32_t *position;    /* by row */
    uint32_t *end;         /* behind the last descendant */
    uint32_t *child_count; /* of each */
};

enum { TK_EVAL_ID_TEXTS = 4 }; /* ids being compared at one time, and to spare */

struct tk_eval {
    struct tk_query *query;
    const struct tk_batch *trace;
    enum tk_err status;
    bool have_root, have_times;
    uint32_t root;
    uint64_t start_nano, end_nano;
    struct tk_structure *structure;
    struct tk_ql_value **aggregates; /* by number of the aggregate, then group */
    uint32_t ticks;
    unsigned id_text_at;
    char id_text[TK_EVAL_ID_TEXTS][TK_TRACE_ID_HEX + 1];
};

/* Looks the keys of the query up in the trace and forgets the trace before. */
void tk_eval_begin(struct tk_eval *eval, struct tk_query *query, const struct tk_batch *trace);
/* From the query's memory budget; NULL once it is used up (see status). */
void *tk_eval_alloc(struct tk_eval *eval, size_t count, size_t size);
void tk_eval_out_of_memory(struct tk_eval *eval);
/* To be called now and then: false when the time is over. */
bool tk_eval_tick(struct tk_eval *eval);
const struct tk_structure *tk_eval_structure(struct tk_eval *eval); /* NULL: see status */

/* Does the condition hold for the span? */
bool tk_eval_holds(struct tk_eval *eval, const struct tk_ql_node *node, uint32_t row);
/* The value for the span; of a scalar's aggregate: for the group.  Ids are good until a few more
   are asked for. */
struct tk_ql_value tk_eval_value(struct tk_eval *eval, const struct tk_ql_node *node, uint32_t row);
/* Of a value with many: the first; then the next, false when there is none. */
void tk_eval_first(struct tk_eval *eval, const struct tk_ql_node *owner, uint32_t row);
bool tk_eval_next(struct tk_eval *eval, const struct tk_ql_node *owner, uint32_t row);

#endif
