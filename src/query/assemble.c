/*
 * assemble - see assemble.h.
 *
 * 1. Rows are ranked by (start, span id, row).  Everything below speaks in ranks, so that siblings
 *    are in order by themselves.
 * 2. Span id -> rank, in an open-addressed table; of equal ids the first rank is the parent.
 * 3. Walking up from every span finds the cycles; each is cut above its first rank.
 * 4. A counting sort by parent lays out the children; a walk with a stack of its own gives the
 *    display order.  A child list is read once, so the stack never holds more than all spans.
 */
#include "query/assemble.h"

#include "base/assert.h"

#include <stdlib.h>

struct builder {
    const struct tk_batch *trace;
    struct tk_arena *arena;
    uint32_t count;
    uint32_t *row;         /* by rank */
    uint32_t *parent;      /* by rank; TK_NO_SPAN */
    uint32_t *first_child; /* by rank, [count + 2]; index into child */
    uint32_t *child;       /* ranks, children of one parent together */
    uint64_t *self_nano;   /* by rank */
    bool *orphan;          /* by rank */
};

static int
compare_rows(const void *a, const void *b, void *arg)
{
    const struct tk_batch *t = arg;
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    if (t->start_nano[x] != t->start_nano[y])
        return t->start_nano[x] < t->start_nano[y] ? -1 : 1;
    if (t->span_id[x] != t->span_id[y])
        return t->span_id[x] < t->span_id[y] ? -1 : 1;
    return (x > y) - (x < y);
}

/* Rows in order of start: a radix sort, stable, 16 bits at a time of what the starts differ in. */
static enum tk_err
sort_by_start(const struct tk_batch *t, uint32_t *row, uint32_t count)
{
    enum { DIGITS = 1 << 16 };
    uint32_t *from = row, *to = malloc(count * sizeof *to), *spare = to;
    uint32_t *next = malloc(DIGITS * sizeof *next);
    uint64_t least = UINT64_MAX, greatest = 0;
    if (to == NULL || next == NULL) {
        free(spare);
        free(next);
        return TK_ERR_MEMORY;
    }
    for (uint32_t i = 0; i < count; i++) {
        least = t->start_nano[i] < least ? t->start_nano[i] : least;
        greatest = t->start_nano[i] > greatest ? t->start_nano[i] : greatest;
    }
    for (unsigned shift = 0; shift < 64 && (greatest - least) >> shift != 0; shift += 16) {
        memset(next, 0, DIGITS * sizeof *next);
        for (uint32_t i = 0; i < count; i++)
            next[(t->start_nano[from[i]] - least) >> shift & (DIGITS - 1)]++;
        for (uint32_t digit = 0, sum = 0; digit < DIGITS; digit++) {
            uint32_t here = next[digit];
            next[digit] = sum;
            sum += here;
        }
        for (uint32_t i = 0; i < count; i++)
            to[next[(t->start_nano[from[i]] - least) >> shift & (DIGITS - 1)]++] = from[i];
        uint32_t *swap = from;
        from = to;
        to = swap;
    }
    if (from != row)
        memcpy(row, from, count * sizeof *row);
    free(spare);
    free(next);
    return TK_OK;
}

static bool
is_sorted_by_start(const struct tk_batch *t) /* as one segment has them */
{
    for (uint32_t row = 1; row < t->span_count; row++)
        if (t->start_nano[row] < t->start_nano[row - 1])
            return false;
    return true;
}

static enum tk_err
rank_rows(struct builder *b)
{
    enum { MANY = 4096 }; /* so many that comparing is dearer than counting */
    const struct tk_batch *t = b->trace;
    enum tk_err result = TK_OK;
    b->row = tk_arena_alloc(b->arena, b->count * sizeof *b->row);
    if (b->row == NULL)
        return TK_ERR_MEMORY;
    for (uint32_t i = 0; i < b->count; i++)
        b->row[i] = i;
    if (b->count >= MANY && !is_sorted_by_start(t))
        result = sort_by_start(t, b->row, b->count);
    for (uint32_t i = 0, end; i < b->count && result == TK_OK; i = end) {
        for (end = i + 1; end < b->count; end++)
            if (b->count >= MANY && t->start_nano[b->row[end]] != t->start_nano[b->row[i]])
                break;
        if (end - i > 1)
            qsort_r(b->row + i, end - i, sizeof *b->row, compare_rows, (void *)(uintptr_t)t);
    }
    return result;
}

/* ---- parents ---- */

static uint32_t
slot_of(tk_span_id id, uint32_t mask)
{
    return (uint32_t)((id * 0x9e3779b97f4a7c15u) >> 32) & mask;
}

/* Where the id is, or would be. */
static uint32_t *
find_slot(const struct builder *b, uint32_t *slots, uint32_t mask, tk_span_id id)
{
    uint32_t slot = slot_of(id, mask);
    while (slots[slot] != 0 && b->trace->span_id[b->row[slots[slot] - 1]] != id)
        slot = (slot + 1) & mask;
    return &slots[slot];
}

static enum tk_err
find_parents(struct builder *b)
{
    enum { AHEAD = 16 }; /* many spans miss every cache: slots are asked for a little ahead */
    const struct tk_batch *t = b->trace;
    uint32_t slot_count = 4;
    while (slot_count / 2 < b->count)
        slot_count *= 2;
    uint32_t mask = slot_count - 1;
    uint32_t *slots = calloc(slot_count, sizeof *slots); /* rank + 1; gone when the tree stands */
    b->parent = tk_arena_alloc(b->arena, b->count * sizeof *b->parent);
    b->orphan = tk_arena_zalloc(b->arena, b->count, sizeof *b->orphan);
    if (slots == NULL || b->parent == NULL || b->orphan == NULL) {
        free(slots);
        return TK_ERR_MEMORY;
    }
    for (uint32_t rank = 0; rank < b->count; rank++) {
        if (rank + AHEAD < b->count)
            __builtin_prefetch(&slots[slot_of(t->span_id[b->row[rank + AHEAD]], mask)]);
        uint32_t *slot = find_slot(b, slots, mask, t->span_id[b->row[rank]]);
        if (*slot == 0)
            *slot = rank + 1;
    }
    for (uint32_t rank = 0; rank < b->count; rank++) {
        if (rank + AHEAD < b->count)
            __builtin_prefetch(&slots[slot_of(t->parent_id[b->row[rank + AHEAD]], mask)]);
        tk_span_id id = t->parent_id[b->row[rank]];
        uint32_t found = id != 0 ? *find_slot(b, slots, mask, id) : 0;
        b->parent[rank] = found != 0 ? found - 1 : TK_NO_SPAN;
        b->orphan[rank] = id != 0 && found == 0;
    }
    free(slots);
    return TK_OK;
}

/*
 * mark[rank] is 0 for a span not seen yet, else the number of the walk that saw it first.  A walk
 * that meets its own mark has found a cycle; one that meets an older mark, or the top, has not.
 */
static enum tk_err
cut_cycles(struct builder *b)
{
    uint32_t *mark = calloc(b->count, sizeof *mark);
    if (mark == NULL)
        return TK_ERR_MEMORY;
    for (uint32_t rank = 0; rank < b->count; rank++) {
        uint32_t at = rank;
        while (at != TK_NO_SPAN && mark[at] == 0) {
            mark[at] = rank + 1;
            at = b->parent[at];
        }
        if (at == TK_NO_SPAN || mark[at] != rank + 1)
            continue;
        uint32_t first = at;
        for (uint32_t i = b->parent[at]; i != at; i = b->parent[i])
            first = i < first ? i : first;
        b->parent[first] = TK_NO_SPAN;
        b->orphan[first] = true;
    }
    free(mark);
    return TK_OK;
}

/* ---- children ---- */

/* Children of rank r are child[first_child[r] .. first_child[r + 1]); the top's are at [count]. */
static enum tk_err
sort_children(struct builder *b)
{
    b->first_child = tk_arena_zalloc(b->arena, (size_t)b->count + 3, sizeof *b->first_child);
    b->child = tk_arena_alloc(b->arena, b->count * sizeof *b->child);
    if (b->first_child == NULL || b->child == NULL)
        return TK_ERR_MEMORY;
    uint32_t *next = b->first_child + 1; /* while filling: where the next child goes */
    for (uint32_t rank = 0; rank < b->count; rank++) {
        uint32_t parent = b->parent[rank] == TK_NO_SPAN ? b->count : b->parent[rank];
        next[parent + 1]++;
    }
    for (uint32_t parent = 0; parent <= b->count; parent++)
        next[parent + 1] += next[parent];
    for (uint32_t rank = 0; rank < b->count; rank++) {
        uint32_t parent = b->parent[rank] == TK_NO_SPAN ? b->count : b->parent[rank];
        b->child[next[parent]++] = rank;
    }
    return TK_OK;
}

/*
 * Ranks come by start, so the union of each parent's children grows at its end: what a child adds
 * to it is taken from the parent's own time.
 */
static enum tk_err
measure_self(struct builder *b)
{
    const struct tk_batch *t = b->trace;
    uint64_t *covered_to = malloc(b->count * sizeof *covered_to); /* by rank */
    b->self_nano = tk_arena_alloc(b->arena, b->count * sizeof *b->self_nano);
    if (covered_to == NULL || b->self_nano == NULL) {
        free(covered_to);
        return TK_ERR_MEMORY;
    }
    for (uint32_t rank = 0; rank < b->count; rank++) {
        covered_to[rank] = t->start_nano[b->row[rank]];
        b->self_nano[rank] = t->end_nano[b->row[rank]] - covered_to[rank];
    }
    for (uint32_t rank = 0; rank < b->count; rank++) {
        uint32_t parent = b->parent[rank];
        if (parent == TK_NO_SPAN)
            continue;
        uint64_t from = t->start_nano[b->row[rank]], to = t->end_nano[b->row[rank]];
        uint64_t end = t->end_nano[b->row[parent]];
        from = from > covered_to[parent] ? from : covered_to[parent];
        to = to < end ? to : end;
        if (to > from) {
            b->self_nano[parent] -= to - from;
            covered_to[parent] = to;
        }
    }
    free(covered_to);
    return TK_OK;
}

static enum tk_err
walk(struct builder *b, struct tk_tree *tree)
{
    uint32_t *stack = malloc(b->count * sizeof *stack);       /* ranks still to be shown */
    uint32_t *position = malloc(b->count * sizeof *position); /* by rank */
    uint32_t height = 0, shown = 0;
    if (stack == NULL || position == NULL) {
        free(stack);
        free(position);
        return TK_ERR_MEMORY;
    }
    for (uint32_t i = b->first_child[b->count + 1]; i > b->first_child[b->count]; i--)
        stack[height++] = b->child[i - 1];
    while (height > 0) {
        uint32_t rank = stack[--height];
        uint32_t parent = b->parent[rank];
        position[rank] = shown;
        tree->row[shown] = b->row[rank];
        tree->parent[shown] = parent == TK_NO_SPAN ? TK_NO_SPAN : position[parent];
        tree->depth[shown] = parent == TK_NO_SPAN ? 0 : tree->depth[position[parent]] + 1;
        tree->self_nano[shown] = b->self_nano[rank];
        tree->orphan[shown] = b->orphan[rank];
        shown++;
        for (uint32_t i = b->first_child[rank + 1]; i > b->first_child[rank]; i--)
            stack[height++] = b->child[i - 1];
    }
    free(stack);
    free(position);
    TK_ASSERT(shown == b->count);
    return TK_OK;
}

static void
find_root(const struct tk_batch *trace, struct tk_tree *tree)
{
    uint32_t root = tk_trace_root(trace), tops = 0;
    tree->broken = false;
    for (uint32_t i = 0; i < tree->span_count; i++) {
        tops += tree->depth[i] == 0;
        tree->broken = tree->broken || tree->orphan[i];
        if (tree->row[i] == root)
            tree->root = i;
    }
    tree->broken = tree->broken || tops != 1;
}

enum tk_err
tk_tree_build(const struct tk_batch *trace, struct tk_arena *arena, struct tk_tree *ret_tree)
{
    struct builder b = {.trace = trace, .arena = arena, .count = trace->span_count};
    struct tk_tree tree = {.span_count = b.count};
    enum tk_err result;
    TK_ASSERT(b.count > 0 && b.count < TK_NO_SPAN / 4);
    tree.row = tk_arena_alloc(arena, b.count * sizeof *tree.row);
    tree.parent = tk_arena_alloc(arena, b.count * sizeof *tree.parent);
    tree.depth = tk_arena_alloc(arena, b.count * sizeof *tree.depth);
    tree.self_nano = tk_arena_alloc(arena, b.count * sizeof *tree.self_nano);
    tree.orphan = tk_arena_alloc(arena, b.count * sizeof *tree.orphan);
    if (tree.row == NULL || tree.parent == NULL || tree.depth == NULL || tree.self_nano == NULL ||
        tree.orphan == NULL)
        return TK_ERR_MEMORY;
    if ((result = rank_rows(&b)) != TK_OK || (result = find_parents(&b)) != TK_OK ||
        (result = cut_cycles(&b)) != TK_OK || (result = sort_children(&b)) != TK_OK ||
        (result = measure_self(&b)) != TK_OK || (result = walk(&b, &tree)) != TK_OK)
        return result;
    tk_trace_times(trace, &tree.start_nano, &tree.end_nano);
    find_root(trace, &tree);
    *ret_tree = tree;
    return TK_OK;
}

/* ---- without a tree ---- */

uint32_t
tk_trace_root(const struct tk_batch *trace)
{
    uint32_t root = 0;
    for (uint32_t row = 1; row < trace->span_count; row++) {
        bool is_top = trace->parent_id[row] == 0, root_is_top = trace->parent_id[root] == 0;
        if (is_top != root_is_top ? is_top
                                  : compare_rows(&row, &root, (void *)(uintptr_t)trace) < 0)
            root = row;
    }
    return root;
}

void
tk_trace_times(const struct tk_batch *trace, uint64_t *ret_start_nano, uint64_t *ret_end_nano)
{
    uint64_t start = UINT64_MAX, end = 0;
    for (uint32_t row = 0; row < trace->span_count; row++) {
        start = trace->start_nano[row] < start ? trace->start_nano[row] : start;
        end = trace->end_nano[row] > end ? trace->end_nano[row] : end;
    }
    *ret_start_nano = start;
    *ret_end_nano = end;
}

enum tk_err
tk_trace_services(const struct tk_batch *trace, const struct tk_tree *tree, struct tk_arena *arena,
                  struct tk_trace_services *ret_services)
{
    struct tk_trace_services services = {.count = 0};
    enum tk_err result = TK_OK;
    struct tk_intern names;
    tk_intern_init(&names, trace->resource_count);
    services.service = tk_arena_zalloc(arena, trace->resource_count, sizeof *services.service);
    services.of_resource =
        tk_arena_alloc(arena, trace->resource_count * sizeof *services.of_resource);
    if (services.service == NULL || services.of_resource == NULL) {
        result = TK_ERR_MEMORY;
        goto out;
    }
    memset(services.of_resource, 0xff, trace->resource_count * sizeof *services.of_resource);
    for (uint32_t i = 0; i < tree->span_count; i++) {
        uint32_t row = tree->row[i];
        uint32_t *number = &services.of_resource[trace->resource[row]];
        if (*number == TK_NO_SPAN) {
            tk_str name = tk_batch_service(trace, row);
            if ((result = tk_intern_add(&names, name, number)) != TK_OK)
                goto out;
            services.service[*number].name = name;
        }
        services.service[*number].span_count++;
        services.service[*number].error_count += trace->status[row] == TK_STATUS_ERROR;
    }
    services.count = names.count;
    *ret_services = services;
out:
    tk_intern_release(&names);
    return result;
}
