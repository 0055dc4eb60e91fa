/*
 * assemble - see assemble.h.
 *
 * 1. Rows are ranked by (start, span id, row).  Everything below speaks in ranks, so that siblings
 *    are in order by themselves.
 * 2. Span id -> rank, in an open-addressed table; of equal ids the first rank is the parent.
 * 3. Walking up finds the cycles; each is cut above its first rank.
 * 4. A span stands behind its parent and the subtrees of its earlier siblings, so sizes of subtrees
 *    say where: no walk from span to span, each of which would have to be waited for.
 */
#include "query/assemble.h"

#include "base/assert.h"
#include "base/memory.h"

#include <stdlib.h>
#include <string.h>

/* Span id -> rank, open-addressed.  Half of the id's hash says where, the other half is kept: what
   is touched here is most of what a tree takes. */
struct slot {
    uint32_t tag;
    uint32_t rank; /* + 1; 0: free */
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
    uint32_t *row;      /* by rank */
    uint32_t *parent;   /* by rank: a rank, or TK_NO_SPAN */
    uint32_t *size;     /* by rank: spans of the subtree */
    uint32_t *position; /* by rank: in display order */
    uint32_t *order;    /* ranks, parents before their children; NULL: as they are */
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

/* ---- parents ---- */

static uint64_t
hash_of(tk_span_id id)
{
    return id * 0x9e3779b97f4a7c15u;
}

static struct slot *
slot_of(struct slot *slots, uint32_t mask, tk_span_id id)
{
    return &slots[(uint32_t)(hash_of(id) >> 32) & mask];
}

/* Where the id is, or would be. */
static struct slot *
find_slot(const struct builder *b, struct slot *slots, uint32_t mask, tk_span_id id)
{
    const tk_span_id *ids = b->trace->span_id;
    struct slot *slot = slot_of(slots, mask, id);
    while (slot->rank != 0 &&
           (slot->tag != (uint32_t)hash_of(id) || ids[b->row[slot->rank - 1]] != id))
        slot = slot == slots + mask ? slots : slot + 1;
    return slot;
}

static enum tk_err
find_parents(struct builder *b)
{
    const struct tk_batch *t = b->trace;
    uint32_t slot_count = 4;
    while (slot_count / 2 < b->count)
        slot_count *= 2;
    uint32_t mask = slot_count - 1;
    struct slot *slots = calloc(slot_count, sizeof *slots);
    if (slots == NULL)
        return TK_ERR_MEMORY;
    tk_memory_huge(slots, slot_count * sizeof *slots);
    for (uint32_t rank = 0; rank < b->count; rank++) {
        if (rank + AHEAD < b->count)
            __builtin_prefetch(slot_of(slots, mask, t->span_id[b->row[rank + AHEAD]]), 1);
        tk_span_id id = t->span_id[b->row[rank]];
        struct slot *slot = find_slot(b, slots, mask, id);
        if (slot->rank == 0)
            *slot = (struct slot){(uint32_t)hash_of(id), rank + 1};
    }
    for (uint32_t rank = 0; rank < b->count; rank++) {
        if (rank + AHEAD < b->count)
            __builtin_prefetch(slot_of(slots, mask, t->parent_id[b->row[rank + AHEAD]]));
        tk_span_id id = t->parent_id[b->row[rank]];
        const struct slot *found = id != 0 ? find_slot(b, slots, mask, id) : NULL;
        b->parent[rank] = found != NULL && found->rank != 0 ? found->rank - 1 : TK_NO_SPAN;
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
    uint32_t *parent = b->parent;
    for (uint32_t rank = 0; rank < b->count; rank++) {
        if (parent[rank] == TK_NO_SPAN || parent[rank] < rank)
            continue;
        uint32_t at = rank;
        while (at != TK_NO_SPAN && b->position[at] == 0) {
            b->position[at] = rank + 1;
            at = parent[at];
        }
        if (at == TK_NO_SPAN || b->position[at] != rank + 1)
            continue;
        uint32_t first = at;
        for (uint32_t i = parent[at]; i != at; i = parent[i])
            first = i < first ? i : first;
        parent[first] = TK_NO_SPAN;
    }
}

/* ---- places ---- */

static bool
is_parent_first(const struct builder *b) /* unless clocks disagree */
{
    for (uint32_t rank = 0; rank < b->count; rank++)
        if (b->parent[rank] != TK_NO_SPAN && b->parent[rank] > rank)
            return false;
    return true;
}

/* Those above a span that were not met yet come before it. */
static enum tk_err
put_parents_first(struct builder *b)
{
    uint32_t height = 0, placed = 0;
    if (is_parent_first(b))
        return TK_OK;
    b->order = make_block(b->count * sizeof *b->order);
    uint32_t *above = make_block(b->count * sizeof *above);
    if (b->order == NULL || above == NULL) {
        free(above);
        return TK_ERR_MEMORY;
    }
    memset(b->size, 0, b->count * sizeof *b->size); /* for now: was it met? */
    for (uint32_t rank = 0; rank < b->count; rank++) {
        for (uint32_t at = rank; at != TK_NO_SPAN && b->size[at] == 0; at = b->parent[at]) {
            b->size[at] = 1;
            above[height++] = at;
        }
        while (height > 0)
            b->order[placed++] = above[--height];
    }
    free(above);
    TK_ASSERT(placed == b->count);
    return TK_OK;
}

static uint32_t
rank_at(const struct builder *b, uint32_t i)
{
    return b->order != NULL ? b->order[i] : i;
}

static void
measure_subtrees(struct builder *b)
{
    for (uint32_t rank = 0; rank < b->count; rank++)
        b->size[rank] = 1;
    for (uint32_t i = b->count; i-- > 0;) {
        uint32_t rank = rank_at(b, i), parent = b->parent[rank];
        if (parent != TK_NO_SPAN)
            b->size[parent] += b->size[rank];
    }
}

/* Siblings come by rank.  `next` is where a span's next child goes, counted from itself. */
static enum tk_err
find_positions(struct builder *b)
{
    uint32_t *next = make_block(b->count * sizeof *next), next_top = 0;
    if (next == NULL)
        return TK_ERR_MEMORY;
    for (uint32_t rank = 0; rank < b->count; rank++)
        next[rank] = 1;
    for (uint32_t rank = 0; rank < b->count; rank++) {
        uint32_t parent = b->parent[rank];
        uint32_t *at = parent != TK_NO_SPAN ? &next[parent] : &next_top;
        b->position[rank] = *at;
        *at += b->size[rank];
    }
    free(next);
    for (uint32_t i = 0; i < b->count; i++) {
        uint32_t rank = rank_at(b, i);
        if (b->parent[rank] != TK_NO_SPAN)
            b->position[rank] += b->position[b->parent[rank]];
    }
    return TK_OK;
}

/* Asks for what is about to be written. */
static void
look_ahead(const struct tk_tree *tree, uint32_t at)
{
    __builtin_prefetch(&tree->row[at], 1);
    __builtin_prefetch(&tree->parent[at], 1);
    __builtin_prefetch(&tree->depth[at], 1);
    __builtin_prefetch(&tree->self_nano[at], 1);
    __builtin_prefetch(&tree->orphan[at], 1);
}

static void
fill_tree(const struct builder *b, struct tk_tree *tree)
{
    const struct tk_batch *t = b->trace;
    for (uint32_t i = 0; i < b->count; i++) {
        if (i + AHEAD < b->count)
            look_ahead(tree, b->position[rank_at(b, i + AHEAD)]);
        uint32_t rank = rank_at(b, i), at = b->position[rank], row = b->row[rank];
        bool is_top = b->parent[rank] == TK_NO_SPAN;
        uint32_t parent = is_top ? TK_NO_SPAN : b->position[b->parent[rank]];
        tree->row[at] = row;
        tree->parent[at] = parent;
        tree->depth[at] = is_top ? 0 : tree->depth[parent] + 1;
        tree->self_nano[at] = t->end_nano[row] - t->start_nano[row];
        tree->orphan[at] = is_top && t->parent_id[row] != 0;
    }
}

/*
 * Siblings come by start, so the union of each parent's children grows at its end: what a child
 * adds to it is taken from the parent's own time.  `covered_to`: how far, from its start on, the
 * children met so far cover a span.
 */
static enum tk_err
cover_parents(const struct builder *b, struct tk_tree *tree)
{
    const struct tk_batch *t = b->trace;
    uint64_t *covered_to = make_block(b->count * sizeof *covered_to);
    if (covered_to == NULL)
        return TK_ERR_MEMORY;
    for (uint32_t rank = 0; rank < b->count; rank++)
        covered_to[rank] = t->start_nano[b->row[rank]];
    for (uint32_t rank = 0; rank < b->count; rank++) {
        uint32_t parent = b->parent[rank], row = b->row[rank];
        if (parent == TK_NO_SPAN)
            continue;
        uint64_t from = t->start_nano[row], to = t->end_nano[row];
        uint64_t end = t->end_nano[b->row[parent]];
        from = from > covered_to[parent] ? from : covered_to[parent];
        to = to < end ? to : end;
        if (to > from) {
            tree->self_nano[b->position[parent]] -= to - from;
            covered_to[parent] = to;
        }
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
    enum tk_err result;
    uint32_t *columns = make_block(4 * (size_t)b->count * sizeof *columns);
    if (columns == NULL)
        return TK_ERR_MEMORY;
    b->row = columns;
    b->parent = columns + b->count;
    b->size = columns + 2 * (size_t)b->count;
    b->position = columns + 3 * (size_t)b->count;
    if ((result = rank_rows(b)) != TK_OK || (result = find_parents(b)) != TK_OK)
        goto out;
    memset(b->position, 0, b->count * sizeof *b->position);
    cut_cycles(b);
    if ((result = put_parents_first(b)) != TK_OK)
        goto out;
    measure_subtrees(b);
    if ((result = find_positions(b)) != TK_OK)
        goto out;
    fill_tree(b, tree);
    result = cover_parents(b, tree);
out:
    free(columns);
    free(b->order);
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
