/*
 * rows - see rows.h.
 *
 * Spans arrive in display order, so a span's visit is known when it is met: its parent's, or a new
 * one.  Visits are then listed by caller and walked with a stack of their own; those of one caller
 * are measured, and sorted by start, when the walk comes to it.  So the first rows of a long trace
 * cost little: without gaps it is known how many there are, and the walk ends when all wanted are
 * made.
 *
 * Gap rows stand behind the row of the span whose time they are.  Their bounds are measured, their
 * names are careful: before and after a call's only child there is network and queueing, any other
 * hole is own work or a call that nobody instrumented.
 */
#include "query/rows.h"

#include "base/assert.h"
#include "base/memory.h"

#include <stdlib.h>

struct visit {
    uint32_t caller; /* visit, or TK_NO_SPAN */
    uint32_t service;
    uint32_t first, last;              /* its spans, a list through `next` in display order */
    uint32_t called_end, called_count; /* in `order` */
    uint64_t start_nano, end_nano;
    bool folded;
};

struct builder {
    const struct tk_batch *trace;
    const struct tk_tree *tree;
    const struct tk_trace_services *services;
    struct tk_rows_want want;
    uint32_t *visit_of; /* by position */
    uint32_t *next;     /* by position: the visit's next span */
    uint32_t *depth;    /* by position: row depth within the visit */
    uint32_t *service;  /* by position */
    uint32_t *size;     /* by position: spans of the subtree; with gaps only */
    struct visit *visit;
    uint32_t visit_count, top_count, folded_count;
    uint32_t *order; /* visits by caller; those at the top come last */
    struct tk_row *row;
    uint32_t row_count; /* made */
    uint32_t row_total; /* met */
};

static uint64_t
start_of(const struct builder *b, uint32_t position)
{
    return b->trace->start_nano[b->tree->row[position]];
}

static uint64_t
end_of(const struct builder *b, uint32_t position)
{
    return b->trace->end_nano[b->tree->row[position]];
}

/* ---- visits ---- */

static void
begin_visit(struct builder *b, uint32_t position, uint32_t caller)
{
    uint32_t service = b->service[position];
    tk_str name = b->trace->name[b->tree->row[position]];
    struct visit *visit = &b->visit[b->visit_count];
    *visit = (struct visit){.caller = caller,
                            .service = service,
                            .first = position,
                            .last = position,
                            .folded = tk_str_eq(name, b->services->service[service].name)};
    b->visit_of[position] = b->visit_count++;
    b->depth[position] = visit->folded ? 0 : 1;
    b->folded_count += visit->folded;
    if (caller == TK_NO_SPAN)
        b->top_count++;
    else
        b->visit[caller].called_count++;
}

static void
join_visit(struct builder *b, uint32_t position, uint32_t parent)
{
    struct visit *visit = &b->visit[b->visit_of[parent]];
    b->visit_of[position] = b->visit_of[parent];
    b->depth[position] = b->depth[parent] + 1;
    b->next[visit->last] = position;
    visit->last = position;
}

static void
find_visits(struct builder *b)
{
    enum { AHEAD = 16 }; /* what will be needed is asked for so much ahead */
    for (uint32_t i = 0; i < b->tree->span_count; i++) {
        uint32_t parent = b->tree->parent[i];
        if (i + AHEAD < b->tree->span_count) {
            __builtin_prefetch(&b->trace->resource[b->tree->row[i + AHEAD]]);
            __builtin_prefetch(&b->trace->name[b->tree->row[i + AHEAD]]);
        }
        b->next[i] = TK_NO_SPAN;
        b->service[i] = b->services->of_resource[b->trace->resource[b->tree->row[i]]];
        if (parent == TK_NO_SPAN)
            begin_visit(b, i, TK_NO_SPAN);
        else if (b->service[parent] != b->service[i])
            begin_visit(b, i, b->visit_of[parent]);
        else
            join_visit(b, i, parent);
    }
}

/* A counting sort by caller. */
static void
list_visits(struct builder *b)
{
    uint32_t end = 0;
    for (uint32_t i = 0; i < b->visit_count; i++) {
        b->visit[i].called_end = end; /* while filling: where the next one goes */
        end += b->visit[i].called_count;
    }
    for (uint32_t i = 0; i < b->visit_count; i++) {
        uint32_t caller = b->visit[i].caller;
        b->order[caller == TK_NO_SPAN ? end++ : b->visit[caller].called_end++] = i;
    }
}

static int
compare_visits(const void *a, const void *b, void *arg)
{
    const struct visit *visits = arg;
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    if (visits[x].start_nano != visits[y].start_nano)
        return visits[x].start_nano < visits[y].start_nano ? -1 : 1;
    return (x > y) - (x < y);
}

static void
measure_visit(struct builder *b, struct visit *visit)
{
    visit->start_nano = UINT64_MAX;
    for (uint32_t i = visit->first; i != TK_NO_SPAN; i = b->next[i]) {
        uint64_t start = start_of(b, i), end = end_of(b, i);
        visit->start_nano = start < visit->start_nano ? start : visit->start_nano;
        visit->end_nano = end > visit->end_nano ? end : visit->end_nano;
    }
}

/* Puts the visits order[end - count .. end) on the stack, the earliest on top. */
static uint32_t
push_visits(struct builder *b, uint32_t *stack, uint32_t height, uint32_t end, uint32_t count)
{
    for (uint32_t i = end - count; i < end; i++)
        measure_visit(b, &b->visit[b->order[i]]);
    if (count > 1)
        qsort_r(b->order + end - count, count, sizeof *b->order, compare_visits, b->visit);
    for (; count > 0; count--)
        stack[height++] = b->order[--end];
    return height;
}

/* ---- rows ---- */

/* Are all rows made that are wanted?  With gaps the rest is walked to be counted. */
static bool
is_done(const struct builder *b)
{
    return !b->want.gaps && b->row_count == b->want.limit;
}

/* Room for the next row, or NULL: it is not wanted, only counted. */
static struct tk_row *
next_row(struct builder *b)
{
    uint32_t number = b->row_total++;
    if (number < b->want.offset || number - b->want.offset >= b->want.limit)
        return NULL;
    return &b->row[b->row_count++];
}

static void
add_gap(struct builder *b, uint32_t span, uint64_t from, uint64_t to, const char *name)
{
    struct tk_row *row = to > from ? next_row(b) : NULL;
    if (row != NULL)
        *row = (struct tk_row){
            .type = TK_ROW_GAP,
            .depth = b->depth[span] + 1,
            .service = b->service[span],
            .name = tk_str_from(name),
            .span = span,
            .start_nano = from,
            .duration_nano = to - from,
        };
}

/* At most two a child, and one. */
static void
add_gaps(struct builder *b, uint32_t span)
{
    static const char own[] = "own work or not instrumented";
    uint32_t first = span + 1, behind = span + b->size[span];
    uint64_t end = end_of(b, span), covered_to = start_of(b, span);
    if (first == behind)
        return;
    bool call = first + b->size[first] == behind && b->service[first] != b->service[span];
    for (uint32_t child = first; child < behind; child += b->size[child]) {
        uint64_t start = start_of(b, child);
        if (start >= end) {
            add_gap(b, span, covered_to, end, own);
            add_gap(b, span, end > covered_to ? end : covered_to, start,
                    "async: runs after the response");
        } else {
            add_gap(b, span, covered_to, start, call ? "request on the way: network + queue" : own);
        }
        covered_to = end_of(b, child) > covered_to ? end_of(b, child) : covered_to;
    }
    add_gap(b, span, covered_to, end, call ? "response on the way: network + queue" : own);
}

static void
add_service_row(struct builder *b, const struct visit *visit)
{
    struct tk_row *row = next_row(b);
    if (row != NULL)
        *row = (struct tk_row){
            .type = TK_ROW_SERVICE,
            .service = visit->service,
            .name = b->services->service[visit->service].name,
            .span = visit->folded ? visit->first : TK_NO_SPAN,
            .start_nano = visit->start_nano,
            .duration_nano = visit->end_nano - visit->start_nano,
        };
}

static void
add_span_row(struct builder *b, uint32_t span)
{
    struct tk_row *row = next_row(b);
    if (row != NULL)
        *row = (struct tk_row){
            .type = TK_ROW_SPAN,
            .depth = b->depth[span],
            .service = b->service[span],
            .name = b->trace->name[b->tree->row[span]],
            .span = span,
            .start_nano = start_of(b, span),
            .duration_nano = end_of(b, span) - start_of(b, span),
        };
}

static void
add_block(struct builder *b, const struct visit *visit)
{
    add_service_row(b, visit);
    for (uint32_t i = visit->first; i != TK_NO_SPAN && !is_done(b); i = b->next[i]) {
        if (i != visit->first || !visit->folded)
            add_span_row(b, i);
        if (b->want.gaps)
            add_gaps(b, i);
    }
}

static enum tk_err
add_blocks(struct builder *b)
{
    TK_ASSERT(b->visit_count > 0);
    uint32_t *stack = malloc(b->visit_count * sizeof *stack);
    if (stack == NULL)
        return TK_ERR_MEMORY;
    uint32_t height = push_visits(b, stack, 0, b->visit_count, b->top_count);
    while (height > 0 && !is_done(b)) {
        const struct visit *visit = &b->visit[stack[--height]];
        add_block(b, visit);
        height = push_visits(b, stack, height, visit->called_end, visit->called_count);
    }
    free(stack);
    if (!b->want.gaps)
        b->row_total = b->tree->span_count + b->visit_count - b->folded_count;
    return TK_OK;
}

static void
measure_subtrees(struct builder *b)
{
    for (uint32_t i = 0; i < b->tree->span_count; i++)
        b->size[i] = 1;
    for (uint32_t i = b->tree->span_count; i > 0; i--) {
        if (b->tree->parent[i - 1] != TK_NO_SPAN)
            b->size[b->tree->parent[i - 1]] += b->size[i - 1];
    }
}

enum tk_err
tk_rows_build(const struct tk_batch *trace, const struct tk_tree *tree,
              const struct tk_trace_services *services, const struct tk_rows_want *want,
              struct tk_arena *arena, struct tk_rows *ret_rows)
{
    uint32_t count = tree->span_count;
    struct builder b = {.trace = trace, .tree = tree, .services = services, .want = *want};
    enum tk_err result = TK_ERR_MEMORY;
    uint32_t *columns = malloc(6 * (size_t)count * sizeof *columns);
    b.visit = malloc(count * sizeof *b.visit);
    tk_memory_huge(columns, 6 * (size_t)count * sizeof *columns);
    tk_memory_huge(b.visit, count * sizeof *b.visit);
    if (columns == NULL || b.visit == NULL)
        goto out;
    b.visit_of = columns;
    b.next = columns + count;
    b.depth = columns + 2 * (size_t)count;
    b.service = columns + 3 * (size_t)count;
    b.order = columns + 4 * (size_t)count;
    b.size = columns + 5 * (size_t)count;
    if (want->gaps)
        measure_subtrees(&b);
    find_visits(&b);
    list_visits(&b);
    size_t rows_max = count + b.visit_count + (want->gaps ? 3 * (size_t)count : 0);
    if (want->limit == 0)
        b.want.limit = UINT32_MAX;
    b.row =
        tk_arena_alloc(arena, (rows_max < b.want.limit ? rows_max : b.want.limit) * sizeof *b.row);
    if (b.row == NULL || (result = add_blocks(&b)) != TK_OK)
        goto out;
    TK_ASSERT(b.row_total <= rows_max);
    *ret_rows = (struct tk_rows){b.row, b.row_count, b.row_total};
out:
    free(b.visit);
    free(columns);
    return result;
}
