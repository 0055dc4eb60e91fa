/* critical_path - see critical_path.h. */
#include "query/critical_path.h"

#include <stdlib.h>

enum {
    OPERATIONS_MAX = 1 << 28, /* more than spans that a trace has */
    KEY_MAX = 1 << 30,
};

struct node {
    uint64_t start, end;
    uint32_t parent; /* 0: the whole, which is node 0 */
    uint32_t row;
    uint32_t child, next; /* children, the one that ends last first; 0: none */
    uint64_t until;       /* how far back its time is given away already */
};

struct path {
    struct node *nodes; /* [count]; 0 is the whole, then its spans in display order */
    uint32_t count;
};

void
tk_path_table_init(struct tk_path_table *table)
{
    *table = (struct tk_path_table){0};
    tk_intern_init(&table->_keys, OPERATIONS_MAX);
    tk_buf_init(&table->_key, KEY_MAX);
}

void
tk_path_table_release(struct tk_path_table *table)
{
    free(table->rows);
    tk_intern_release(&table->_keys);
    tk_buf_release(&table->_key);
}

/* The row of an operation, new or known. */
static enum tk_err
find_row(struct tk_path_table *table, struct tk_arena *arena, tk_str service, tk_str name,
         uint32_t *ret_row)
{
    tk_buf_clear(&table->_key);
    tk_buf_append(&table->_key, (tk_str){(const char *)&service.len, sizeof service.len});
    tk_buf_append(&table->_key, service);
    tk_buf_append(&table->_key, name);
    enum tk_err result = table->_key.status;
    if (result == TK_OK)
        result = tk_intern_copy(&table->_keys, arena, tk_buf_str(&table->_key), ret_row);
    if (result != TK_OK || *ret_row < table->count)
        return result;
    if (table->count == table->_capacity) {
        size_t capacity = table->_capacity * 2 + 64;
        struct tk_path_row *rows = realloc(table->rows, capacity * sizeof *rows);
        if (rows == NULL)
            return TK_ERR_MEMORY;
        table->rows = rows;
        table->_capacity = capacity;
    }
    table->rows[table->count++] = (struct tk_path_row){.service = service, .name = name};
    return TK_OK;
}

/* Where what is below the span at `top` ends. */
static uint32_t
end_below(const struct tk_tree *tree, uint32_t top)
{
    uint32_t end = top + 1;
    while (end < tree->span_count && tree->depth[end] > tree->depth[top])
        end++;
    return end;
}

static enum tk_err
read_spans(struct path *path, struct tk_path_table *table, int side, const struct tk_batch *trace,
           const struct tk_tree *tree, uint32_t top, struct tk_arena *arena)
{
    uint32_t begin = top == TK_NO_SPAN ? 0 : top;
    uint32_t end = top == TK_NO_SPAN ? tree->span_count : end_below(tree, top);
    path->nodes = tk_arena_zalloc(arena, (size_t)(end - begin) + 1, sizeof *path->nodes);
    if (path->nodes == NULL)
        return TK_ERR_LIMIT;
    struct node *whole = &path->nodes[0];
    whole->start = top == TK_NO_SPAN ? tree->start_nano : trace->start_nano[tree->row[top]];
    whole->end = top == TK_NO_SPAN ? tree->end_nano : trace->end_nano[tree->row[top]];
    enum tk_err result = find_row(table, arena, TK_STR(""), TK_STR(""), &whole->row);
    path->count = 1;
    for (uint32_t at = begin; at < end && result == TK_OK; at++, path->count++) {
        struct node *node = &path->nodes[path->count];
        uint32_t row = tree->row[at], parent = tree->parent[at];
        node->start = trace->start_nano[row];
        node->end = trace->end_nano[row];
        node->parent = parent == TK_NO_SPAN || parent < begin ? 0 : parent - begin + 1;
        result = find_row(table, arena, tk_batch_service(trace, row), trace->name[row], &node->row);
        if (result == TK_OK)
            table->rows[node->row].count[side]++;
    }
    return result;
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

static enum tk_err
link_children(struct path *path, struct tk_arena *arena)
{
    struct ending *order = tk_arena_alloc(arena, path->count * sizeof *order);
    if (order == NULL)
        return TK_ERR_LIMIT;
    for (uint32_t i = 1; i < path->count; i++)
        order[i] = (struct ending){path->nodes[i].end, i};
    qsort(order + 1, path->count - 1, sizeof *order, by_end);
    for (uint32_t i = 1; i < path->count; i++) { /* each before those that ended earlier */
        struct node *node = &path->nodes[order[i].node];
        struct node *parent = &path->nodes[node->parent];
        node->next = parent->child;
        parent->child = order[i].node;
    }
    return TK_OK;
}

/*
 * Down from the end of the whole: a node gives what lies behind its last child to itself, goes into
 * that child, and continues where the child began.  `until` and `child` are what is left to give
 * away.
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

enum tk_err
tk_path_table_add(struct tk_path_table *table, int side, const struct tk_batch *trace,
                  const struct tk_tree *tree, uint32_t top, struct tk_arena *arena)
{
    struct path path = {0};
    enum tk_err result = read_spans(&path, table, side, trace, tree, top, arena);
    if (result != TK_OK)
        return result;
    clip(&path);
    if ((result = link_children(&path, arena)) == TK_OK)
        give_away(&path, table, side);
    return result;
}

static uint64_t
change(const struct tk_path_row *row)
{
    return row->nano[1] > row->nano[0] ? row->nano[1] - row->nano[0] : row->nano[0] - row->nano[1];
}

static int
by_change(const void *a, const void *b)
{
    const struct tk_path_row *x = a, *y = b;
    if (change(x) != change(y))
        return change(x) < change(y) ? 1 : -1;
    int service = tk_str_cmp(x->service, y->service);
    return service != 0 ? service : tk_str_cmp(x->name, y->name);
}

void
tk_path_table_sort(struct tk_path_table *table)
{
    if (table->count > 1)
        qsort(table->rows, table->count, sizeof *table->rows, by_change);
}
