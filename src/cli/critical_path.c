/* critical_path - see critical_path.h. */
#include "cli/critical_path.h"

#include <stdlib.h>

enum { OPERATIONS_MAX = 1 << 28 }; /* more than spans that a trace has */

struct node {
    uint64_t start, end;
    uint32_t parent; /* 0: the whole trace, which is node 0 */
    uint32_t depth;
    uint32_t row;
    uint32_t child, next; /* children, the one that ends last first; 0: none */
    uint64_t until;       /* how far back its time is given away already */
};

struct path {
    struct node *nodes; /* [count]; 0 is the trace itself, then its spans in display order */
    uint32_t count;
};

void
tk_path_table_init(struct tk_path_table *table)
{
    *table = (struct tk_path_table){0};
    tk_intern_init(&table->_keys, OPERATIONS_MAX);
}

void
tk_path_table_release(struct tk_path_table *table)
{
    free(table->rows);
    tk_intern_release(&table->_keys);
}

/* The row of an operation, new or known. */
static bool
find_row(struct tk_path_table *table, struct tk_arena *arena, tk_str service, tk_str name,
         uint32_t *ret_row)
{
    tk_str key = tk_arena_printf(arena, "%.*s\n%.*s", TK_STR_ARG(service), TK_STR_ARG(name));
    if (key.ptr == NULL || tk_intern_add(&table->_keys, key, ret_row) != TK_OK)
        return false;
    if (*ret_row < table->count)
        return true;
    if (table->count == table->_capacity) {
        size_t capacity = table->_capacity * 2 + 64;
        struct tk_path_row *rows = realloc(table->rows, capacity * sizeof *rows);
        if (rows == NULL)
            return false;
        table->rows = rows;
        table->_capacity = capacity;
    }
    table->rows[table->count++] = (struct tk_path_row){.service = service, .name = name};
    return true;
}

static bool
read_spans(struct path *path, struct tk_path_table *table, int side,
           const struct tk_json_node *trace, struct tk_arena *arena)
{
    uint32_t count = 1, *last; /* of each depth, the newest span */
    size_t deepest = 0;
    const struct tk_json_node *span = tk_json_get(trace, "spans")->child;
    for (; span != NULL; span = span->next, count++)
        if (tk_json_get_u64(span, "depth") > deepest)
            deepest = tk_json_get_u64(span, "depth");
    if (deepest > count) /* no server of ours says so */
        return false;
    path->nodes = tk_arena_zalloc(arena, count, sizeof *path->nodes);
    last = tk_arena_zalloc(arena, deepest + 1, sizeof *last);
    if (path->nodes == NULL || last == NULL ||
        !find_row(table, arena, TK_STR_NONE, TK_STR_NONE, &path->nodes[0].row))
        return false;
    uint64_t begin = tk_json_get_u64(trace, "startTimeUnixNano");
    path->nodes[0].start = begin;
    path->nodes[0].end = begin + tk_json_get_u64(trace, "durationNano");
    path->count = 1;
    for (span = tk_json_get(trace, "spans")->child; span != NULL; span = span->next) {
        struct node *node = &path->nodes[path->count];
        node->depth = (uint32_t)tk_json_get_u64(span, "depth");
        node->start = tk_json_get_u64(span, "startTimeUnixNano");
        node->end = node->start + tk_json_get_u64(span, "durationNano");
        node->parent = node->depth > 0 ? last[node->depth - 1] : 0;
        if (!find_row(table, arena, tk_json_get_str(span, "serviceName"),
                      tk_json_get_str(span, "name"), &node->row))
            return false;
        table->rows[node->row].count[side]++;
        last[node->depth] = path->count++;
    }
    return true;
}

/* For qsort, which knows no context: nodes by their end. */
struct ending {
    uint64_t end;
    uint32_t node;
};

static int
by_end(const void *a, const void *b)
{
    const struct ending *x = a, *y = b;
    if (x->end != y->end)
        return x->end < y->end ? -1 : 1;
    return (x->node > y->node) - (x->node < y->node);
}

static bool
link_children(struct path *path, struct tk_arena *arena)
{
    struct ending *order = tk_arena_alloc(arena, path->count * sizeof *order);
    if (order == NULL)
        return false;
    for (uint32_t i = 1; i < path->count; i++)
        order[i] = (struct ending){path->nodes[i].end, i};
    qsort(order + 1, path->count - 1, sizeof *order, by_end);
    for (uint32_t i = 1; i < path->count; i++) { /* each before those that ended earlier */
        struct node *node = &path->nodes[order[i].node];
        struct node *parent = &path->nodes[node->parent];
        node->next = parent->child;
        parent->child = order[i].node;
    }
    return true;
}

/*
 * Down from the trace's end: a node gives what lies behind its last child to itself, goes into that
 * child, and continues where the child began.  `until` and `child` are what is left to give away.
 */
static void
give_away(struct path *path, struct tk_path_table *table, int side)
{
    uint32_t at = 0;
    path->nodes[0].until = path->nodes[0].end;
    for (;;) {
        struct node *node = &path->nodes[at];
        struct node *child = &path->nodes[node->child];
        uint64_t *own = &table->rows[node->row].nano[side];
        if (node->child == 0 || node->until <= node->start) {
            *own += node->until > node->start ? node->until - node->start : 0;
            if (at == 0)
                return;
            struct node *parent = &path->nodes[node->parent];
            if (node->start < parent->until) /* what is before the parent is nobody's here */
                parent->until = node->start > parent->start ? node->start : parent->start;
            at = node->parent;
            continue;
        }
        uint32_t next = node->child;
        node->child = child->next;
        if (child->start >= node->until || child->end <= node->start)
            continue; /* ran beside one that held up longer, or outside of its parent */
        child->until = child->end < node->until ? child->end : node->until;
        *own += node->until - child->until;
        node->until = child->until;
        at = next;
    }
}

/* A child that began before its parent gives the rest to itself, beyond the parent: cut it off. */
static void
clip(struct path *path)
{
    for (uint32_t i = 1; i < path->count; i++) {
        struct node *node = &path->nodes[i];
        const struct node *parent = &path->nodes[node->parent];
        if (node->start < parent->start)
            node->start = parent->start < node->end ? parent->start : node->end;
    }
}

bool
tk_path_table_add(struct tk_path_table *table, int side, const struct tk_json_node *trace,
                  struct tk_arena *arena)
{
    struct path path = {0};
    if (!read_spans(&path, table, side, trace, arena))
        return false;
    clip(&path);
    if (!link_children(&path, arena))
        return false;
    give_away(&path, table, side);
    return true;
}
