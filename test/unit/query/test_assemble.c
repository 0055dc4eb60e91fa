/*
 * Trees of spans: chosen shapes, and thousands of random ones (with cycles, orphans, twins and
 * spans of no duration) against a model that is slow and plain.
 */
#include "query/assemble.h"
#include "query/spans.h"

#include <stdlib.h>

static struct tk_arena arena;

static struct tk_tree
build(const struct tk_batch *trace)
{
    struct tk_tree tree;
    assert_int_equal(tk_tree_build(trace, &arena, &tree), TK_OK);
    return tree;
}

/* ---- the model ---- */

enum { MODEL_MAX = 24 };

struct model {
    const struct tk_batch *trace;
    uint32_t count;
    uint32_t parent[MODEL_MAX]; /* by row, TK_NO_SPAN */
    bool orphan[MODEL_MAX];
    uint32_t shown[MODEL_MAX]; /* rows in display order */
    uint32_t depth[MODEL_MAX]; /* by display position */
    uint32_t shown_count;
};

static bool
is_before(const struct tk_batch *t, uint32_t a, uint32_t b)
{
    if (t->start_nano[a] != t->start_nano[b])
        return t->start_nano[a] < t->start_nano[b];
    if (t->span_id[a] != t->span_id[b])
        return t->span_id[a] < t->span_id[b];
    return a < b;
}

static void
model_parents(struct model *m)
{
    const struct tk_batch *t = m->trace;
    for (uint32_t row = 0; row < m->count; row++) {
        m->parent[row] = TK_NO_SPAN;
        for (uint32_t other = 0; t->parent_id[row] != 0 && other < m->count; other++) {
            if (t->span_id[other] == t->parent_id[row] &&
                (m->parent[row] == TK_NO_SPAN || is_before(t, other, m->parent[row])))
                m->parent[row] = other;
        }
        m->orphan[row] = t->parent_id[row] != 0 && m->parent[row] == TK_NO_SPAN;
    }
}

/* A span that is its own ancestor, and the first one of its cycle, loses its parent. */
static void
model_cycles(struct model *m)
{
    for (uint32_t row = 0; row < m->count; row++) {
        uint32_t at = m->parent[row], steps = 0;
        bool first = true;
        while (at != TK_NO_SPAN && at != row && steps++ < m->count) {
            first = first && is_before(m->trace, row, at);
            at = m->parent[at];
        }
        if (at == row && first) {
            m->parent[row] = TK_NO_SPAN;
            m->orphan[row] = true;
        }
    }
}

static void
model_show(struct model *m, uint32_t parent, uint32_t depth)
{
    bool done[MODEL_MAX] = {false};
    for (;;) {
        uint32_t next = TK_NO_SPAN;
        for (uint32_t row = 0; row < m->count; row++) {
            if (m->parent[row] == parent && !done[row] &&
                (next == TK_NO_SPAN || is_before(m->trace, row, next)))
                next = row;
        }
        if (next == TK_NO_SPAN)
            return;
        done[next] = true;
        m->depth[m->shown_count] = depth;
        m->shown[m->shown_count++] = next;
        model_show(m, next, depth + 1);
    }
}

/* Millisecond by millisecond. */
static uint64_t
model_self_time(const struct model *m, uint32_t row)
{
    const struct tk_batch *t = m->trace;
    uint64_t self = 0;
    for (uint64_t at = t->start_nano[row]; at < t->end_nano[row]; at += MS) {
        bool covered = false;
        for (uint32_t child = 0; child < m->count; child++)
            covered = covered || (m->parent[child] == row && t->start_nano[child] <= at &&
                                  at < t->end_nano[child]);
        self += covered ? 0 : MS;
    }
    return self;
}

static void
expect_as_modelled(const struct tk_batch *trace, unsigned seed)
{
    struct model m = {.trace = trace, .count = trace->span_count};
    struct tk_tree tree = build(trace);
    uint32_t tops = 0;
    bool orphans = false;
    model_parents(&m);
    model_cycles(&m);
    model_show(&m, TK_NO_SPAN, 0);
    assert_int_equal(m.shown_count, m.count);
    for (uint32_t i = 0; i < m.count; i++) {
        uint32_t row = m.shown[i];
        uint32_t parent = tree.parent[i] == TK_NO_SPAN ? TK_NO_SPAN : tree.row[tree.parent[i]];
        if (tree.row[i] != row || tree.depth[i] != m.depth[i] || parent != m.parent[row] ||
            tree.orphan[i] != m.orphan[row] || tree.self_nano[i] != model_self_time(&m, row))
            fail_msg("seed %u, position %u", seed, i);
        tops += m.parent[row] == TK_NO_SPAN;
        orphans = orphans || m.orphan[row];
    }
    assert_int_equal(tree.broken, orphans || tops != 1);
}

static void
random_trees_are_as_modelled(void **state)
{
    (void)state;
    for (unsigned seed = 1; seed <= 3000; seed++) {
        struct tk_batch *trace = new_batch();
        uint32_t service = add_service(trace, "a");
        srand(seed);
        uint32_t count = 1 + (uint32_t)rand() % MODEL_MAX;
        unsigned ids =
            (unsigned)count + (unsigned)rand() % 4; /* few: orphans; more than ids: twins */
        bool unique = rand() % 4 != 0;
        for (uint32_t i = 0; i < count; i++) {
            tk_span_id id = unique ? i + 1 : 1 + (unsigned)rand() % ids;
            tk_span_id parent = rand() % 8 == 0 ? 0 : 1 + (unsigned)rand() % ids;
            if (seed % 2 == 0 && unique) /* a tree */
                parent = i == 0 ? 0 : 1 + (unsigned)rand() % i;
            add_span(trace, service, id, parent, "x", (uint64_t)(rand() % 12),
                     (uint64_t)(rand() % 9));
        }
        expect_as_modelled(trace, seed);
        tk_batch_free(trace);
        tk_arena_clear(&arena);
    }
}

/* ---- chosen shapes ---- */

static void
the_documents_trace_is_in_order(void **state)
{
    static const char *const names[] = {"React Frontend", "fetch /api/users", "Node.js API",
                                        "GET /api/users", "GET /users",       "db.Query",
                                        "validate-auth"};
    static const uint32_t depths[] = {0, 1, 2, 3, 4, 5, 3};
    static const uint64_t self_ms[] = {40, 20, 20, 60, 60, 180, 40};
    struct tk_batch *trace = document_trace();
    struct tk_tree tree = build(trace);
    (void)state;
    for (uint32_t i = 0; i < 7; i++) {
        assert_true(tk_str_eq(trace->name[tree.row[i]], tk_str_from(names[i])));
        assert_int_equal(tree.depth[i], depths[i]);
        assert_int_equal(tree.self_nano[i], self_ms[i] * MS);
    }
    assert_int_equal(tree.root, 0);
    assert_false(tree.broken);
    assert_int_equal(tree.end_nano - tree.start_nano, 420 * MS);
    tk_batch_free(trace);
}

static void
a_span_that_is_its_own_parent_stands_at_the_top(void **state)
{
    struct tk_batch *trace = new_batch();
    (void)state;
    add_span(trace, add_service(trace, "a"), 1, 1, "x", 0, 5);
    struct tk_tree tree = build(trace);
    assert_true(tree.broken && tree.orphan[0] && tree.parent[0] == TK_NO_SPAN);
    assert_int_equal(tree.self_nano[0], 5 * MS);
    tk_batch_free(trace);
}

static void
depth_and_breadth_cost_no_recursion(void **state)
{
    enum { COUNT = 200000 };
    struct tk_batch *deep = new_batch(), *broad = new_batch();
    uint32_t a = add_service(deep, "a"), b = add_service(broad, "b");
    (void)state;
    for (uint32_t i = 1; i <= COUNT; i++) {
        add_span(deep, a, i, i - 1, "x", i, 2 * COUNT - i);
        add_span(broad, b, i, i > 1, "x", i, 1);
    }
    struct tk_tree tree = build(deep);
    assert_int_equal(tree.depth[COUNT - 1], COUNT - 1);
    tree = build(broad);
    assert_int_equal(tree.depth[COUNT - 1], 1);
    /* one long cycle */
    deep->parent_id[0] = COUNT;
    tree = build(deep);
    assert_true(tree.broken && tree.orphan[0]);
    assert_int_equal(tree.depth[COUNT - 1], COUNT - 1);
    tk_batch_free(deep);
    tk_batch_free(broad);
}

static void
many_siblings_stand_by_start_then_span_id(void **state)
{
    enum { COUNT = 50000 };
    struct tk_batch *trace = new_batch();
    uint32_t service = add_service(trace, "a");
    uint64_t random = 1;
    (void)state;
    for (uint32_t i = 0; i < COUNT; i++) {
        random = random * 6364136223846793005u + 1442695040888963407u;
        add_span(trace, service, (random >> 8) | 1, 0, "x", 0, 0);
        /* some at the same time, some days apart */
        trace->start_nano[i] =
            EPOCH + (random >> 60) * (random >> 61) * 86400 * 1000 * MS + (random >> 50) % 4096;
        trace->end_nano[i] = trace->start_nano[i];
    }
    struct tk_tree tree = build(trace);
    for (uint32_t i = 1; i < COUNT; i++)
        assert_true(is_before(trace, tree.row[i - 1], tree.row[i]));
    tk_batch_free(trace);
}

static void
the_root_is_the_earliest_span_without_a_parent(void **state)
{
    struct tk_batch *trace = new_batch();
    uint32_t a = add_service(trace, "a");
    (void)state;
    add_span(trace, a, 5, 9, "orphan", 0, 1);
    assert_int_equal(tk_trace_root(trace), 0);
    add_span(trace, a, 3, 0, "second", 7, 1);
    add_span(trace, a, 2, 0, "root", 7, 1);
    assert_int_equal(tk_trace_root(trace), 2);
    struct tk_tree tree = build(trace);
    assert_int_equal(tree.row[tree.root], 2);
    tk_batch_free(trace);
}

static void
services_come_by_first_appearance(void **state)
{
    struct tk_batch *trace = document_trace();
    struct tk_tree tree = build(trace);
    struct tk_trace_services services;
    (void)state;
    trace->status[0] = TK_STATUS_ERROR;
    assert_int_equal(tk_trace_services(trace, &tree, &arena, &services), TK_OK);
    assert_int_equal(services.count, 3);
    assert_true(tk_str_eq(services.service[0].name, TK_STR("React Frontend")));
    assert_true(tk_str_eq(services.service[2].name, TK_STR("Go Microservice")));
    assert_int_equal(services.service[1].span_count, 3);
    assert_int_equal(services.service[2].error_count, 1);
    tk_batch_free(trace);
}

static int
setup(void **state)
{
    (void)state;
    tk_arena_init(&arena, 1024, 1 << 28);
    return 0;
}

static int
teardown(void **state)
{
    (void)state;
    tk_arena_release(&arena);
    return 0;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(random_trees_are_as_modelled),
        TEST(the_documents_trace_is_in_order),
        TEST(a_span_that_is_its_own_parent_stands_at_the_top),
        TEST(depth_and_breadth_cost_no_recursion),
        TEST(many_siblings_stand_by_start_then_span_id),
        TEST(the_root_is_the_earliest_span_without_a_parent),
        TEST(services_come_by_first_appearance),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
