/*
 * assemble - see assemble.h.
 *
 * 1. Rows are ranked by (start, span id, row).  Everything below speaks in ranks, so that siblings
 *    are in order by themselves.
 * 2. Span id -> rank, in an open-addressed table; of equal ids the first rank is the parent.
 * 3. Walking up finds the cycles; each is cut above its first rank.
 * 4. Children of one parent are a list; a walk along the lists gives the display order.
 */
#include "query/assemble.h"

#include "base/assert.h"
#include "base/memory.h"

#include <stdlib.h>
#include <string.h>

/* A span by rank: rows of the batch and ranks, or TK_NO_SPAN.  Long traces miss every cache, so
   what is asked of a span together lies together, and times are looked at once. */
struct node {
    uint32_t row;
    uint32_t parent, first_child, next; /* the next has the same parent */
};

/* Span id -> rank, open-addressed; no span has the id 0. */
struct slot {
    tk_span_id id;
    uint32_t rank;
};

enum { AHEAD = 16 }; /* what will be needed is asked for so much ahead */

/* A block that is used all over; NULL: out of memory. */
static void *
make_block(size_t size)
{
    void *block = malloc(size);
    tk_memory_huge(block, size);
    return block;
}

struct builder {
    const struct tk_batch *trace;
    uint32_t count;
    uint32_t *row;      /* by rank; at last ranks in display order */
    struct node *node;  /* by rank */
    uint32_t *position; /* by rank: in display order */
    uint32_t first_top;
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
    uint32_t *from = row, *to = make_block(count * sizeof *to), *spare = to;
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

static void
fill_nodes(struct builder *b)
{
    for (uint32_t rank = 0; rank < b->count; rank++)
        b->node[rank] = (struct node){.row = b->row[rank],
                                      .parent = TK_NO_SPAN,
                                      .first_child = TK_NO_SPAN,
                                      .next = TK_NO_SPAN};
}

/* ---- parents ---- */

static uint32_t
slot_of(tk_span_id id, uint32_t mask)
{
    return (uint32_t)((id * 0x9e3779b97f4a7c15u) >> 32) & mask;
}

/* Where the id is, or would be. */
static struct slot *
find_slot(struct slot *slots, uint32_t mask, tk_span_id id)
{
    uint32_t at = slot_of(id, mask);
    while (slots[at].id != 0 && slots[at].id != id)
        at = (at + 1) & mask;
    return &slots[at];
}

static enum tk_err
find_parents(struct builder *b)
{
    const struct tk_batch *t = b->trace;
    uint32_t slot_count = 4;
    while (slot_count / 2 < b->count)
        slot_count *= 2;
    uint32_t mask = slot_count - 1;
    struct slot *slots = make_block(slot_count * sizeof *slots);
    if (slots == NULL)
        return TK_ERR_MEMORY;
    memset(slots, 0, slot_count * sizeof *slots);
    for (uint32_t rank = 0; rank < b->count; rank++) {
        if (rank + AHEAD < b->count)
            __builtin_prefetch(&slots[slot_of(t->span_id[b->row[rank + AHEAD]], mask)], 1);
        tk_span_id id = t->span_id[b->row[rank]];
        struct slot *slot = find_slot(slots, mask, id);
        if (slot->id == 0)
            *slot = (struct slot){id, rank};
    }
    for (uint32_t rank = 0; rank < b->count; rank++) {
        if (rank + AHEAD < b->count)
            __builtin_prefetch(&slots[slot_of(t->parent_id[b->row[rank + AHEAD]], mask)]);
        tk_span_id id = t->parent_id[b->row[rank]];
        const struct slot *found = id != 0 ? find_slot(slots, mask, id) : NULL;
        if (found != NULL && found->id != 0)
            b->node[rank].parent = found->rank;
    }
    free(slots);
    return TK_OK;
}

/*
 * A cycle has a span whose parent does not come before it, so walks begin at those alone.
 * `position` is 0 for a span not seen yet, else the number of the walk that saw it first.  A walk
 * that meets its own number has found a cycle; one that meets an older one, or the top, has not.
 */
static void
cut_cycles(struct builder *b)
{
    struct node *node = b->node;
    for (uint32_t rank = 0; rank < b->count; rank++) {
        if (node[rank].parent == TK_NO_SPAN || node[rank].parent < rank)
            continue;
        uint32_t at = rank;
        while (at != TK_NO_SPAN && b->position[at] == 0) {
            b->position[at] = rank + 1;
            at = node[at].parent;
        }
        if (at == TK_NO_SPAN || b->position[at] != rank + 1)
            continue;
        uint32_t first = at;
        for (uint32_t i = node[at].parent; i != at; i = node[i].parent)
            first = i < first ? i : first;
        node[first].parent = TK_NO_SPAN;
    }
}

/* ---- children ---- */

/* From the last to the first, so that each list begins with the earliest. */
static void
link_children(struct builder *b)
{
    b->first_top = TK_NO_SPAN;
    for (uint32_t rank = b->count; rank-- > 0;) {
        uint32_t parent = b->node[rank].parent;
        uint32_t *first = parent != TK_NO_SPAN ? &b->node[parent].first_child : &b->first_top;
        b->node[rank].next = *first;
        *first = rank;
    }
}

/* Down, else aside, else to what was left aside last; `row` takes the ranks in that order. */
static enum tk_err
walk(struct builder *b)
{
    uint32_t *aside = make_block(b->count * sizeof *aside);
    uint32_t height = 0, shown = 0;
    if (aside == NULL)
        return TK_ERR_MEMORY;
    for (uint32_t rank = b->first_top; rank != TK_NO_SPAN || height > 0;) {
        if (rank == TK_NO_SPAN)
            rank = aside[--height];
        const struct node *node = &b->node[rank];
        b->row[shown++] = rank;
        if (node->next != TK_NO_SPAN) {
            __builtin_prefetch(&b->node[node->next]); /* while its sibling's children are walked */
            aside[height++] = node->next;
        }
        rank = node->first_child;
    }
    free(aside);
    TK_ASSERT(shown == b->count);
    return TK_OK;
}

/*
 * Siblings come by start, so the union of each parent's children grows at its end: what a child
 * adds to it is taken from the parent's own time.  `covered_to` by position: how far, from its
 * start on, the children met so far cover a span.
 */
static void
cover_parent(const struct tk_batch *t, struct tk_tree *tree, uint64_t *covered_to, uint32_t parent,
             uint64_t from, uint64_t to)
{
    uint64_t end = t->end_nano[tree->row[parent]];
    from = from > covered_to[parent] ? from : covered_to[parent];
    to = to < end ? to : end;
    if (to > from) {
        tree->self_nano[parent] -= to - from;
        covered_to[parent] = to;
    }
}

/* Asks for what position `i` will need of its span: first the node, then the times. */
static void
look_ahead(const struct builder *b, uint32_t i)
{
    if (i + 2 * AHEAD < b->count)
        __builtin_prefetch(&b->node[b->row[i + 2 * AHEAD]]);
    if (i + AHEAD < b->count) {
        const struct node *node = &b->node[b->row[i + AHEAD]];
        __builtin_prefetch(&b->trace->start_nano[node->row]);
        __builtin_prefetch(&b->trace->end_nano[node->row]);
        __builtin_prefetch(&b->position[b->row[i + AHEAD]], 1);
        if (node->parent != TK_NO_SPAN)
            __builtin_prefetch(&b->position[node->parent]);
    }
}

static enum tk_err
fill_tree(struct builder *b, struct tk_tree *tree)
{
    const struct tk_batch *t = b->trace;
    uint64_t *covered_to = make_block(b->count * sizeof *covered_to);
    if (covered_to == NULL)
        return TK_ERR_MEMORY;
    for (uint32_t i = 0; i < b->count; i++) {
        look_ahead(b, i);
        const struct node *node = &b->node[b->row[i]];
        uint64_t start = t->start_nano[node->row], end = t->end_nano[node->row];
        bool is_top = node->parent == TK_NO_SPAN;
        uint32_t parent = is_top ? TK_NO_SPAN : b->position[node->parent];
        b->position[b->row[i]] = i;
        tree->row[i] = node->row;
        tree->parent[i] = parent;
        tree->depth[i] = is_top ? 0 : tree->depth[parent] + 1;
        tree->self_nano[i] = end - start;
        tree->orphan[i] = is_top && t->parent_id[node->row] != 0;
        covered_to[i] = start;
        if (!is_top)
            cover_parent(t, tree, covered_to, parent, start, end);
    }
    free(covered_to);
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

/* From the trace to what the walk needs, in memory that is gone when the tree stands. */
static enum tk_err
build(struct builder *b, struct tk_tree *tree)
{
    enum tk_err result = TK_ERR_MEMORY;
    b->row = make_block(b->count * sizeof *b->row);
    b->position = make_block(b->count * sizeof *b->position);
    b->node = make_block(b->count * sizeof *b->node);
    if (b->row == NULL || b->position == NULL || b->node == NULL ||
        (result = rank_rows(b)) != TK_OK)
        goto out;
    fill_nodes(b);
    memset(b->position, 0, b->count * sizeof *b->position);
    if ((result = find_parents(b)) != TK_OK)
        goto out;
    cut_cycles(b);
    link_children(b);
    if ((result = walk(b)) == TK_OK)
        result = fill_tree(b, tree);
out:
    free(b->row);
    free(b->position);
    free(b->node);
    return result;
}

enum tk_err
tk_tree_build(const struct tk_batch *trace, struct tk_arena *arena, struct tk_tree *ret_tree)
{
    struct builder b = {.trace = trace, .count = trace->span_count};
    struct tk_tree tree = {.span_count = b.count};
    TK_ASSERT(b.count > 0 && b.count < TK_NO_SPAN / 4);
    tree.row = tk_arena_alloc(arena, b.count * sizeof *tree.row);
    tree.parent = tk_arena_alloc(arena, b.count * sizeof *tree.parent);
    tree.depth = tk_arena_alloc(arena, b.count * sizeof *tree.depth);
    tree.self_nano = tk_arena_alloc(arena, b.count * sizeof *tree.self_nano);
    tree.orphan = tk_arena_alloc(arena, b.count * sizeof *tree.orphan);
    if (tree.row == NULL || tree.parent == NULL || tree.depth == NULL || tree.self_nano == NULL ||
        tree.orphan == NULL)
        return TK_ERR_MEMORY;
    enum tk_err result = build(&b, &tree);
    if (result != TK_OK)
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
        if (i + AHEAD < tree->span_count) {
            __builtin_prefetch(&trace->resource[tree->row[i + AHEAD]]);
            __builtin_prefetch(&trace->status[tree->row[i + AHEAD]]);
        }
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
