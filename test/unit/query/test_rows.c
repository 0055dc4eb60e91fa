/* The unified waterfall: the document's eight rows, and the shapes it does not show. */
#include "query/rows.h"
#include "query/spans.h"

#include <stdio.h>
#include <stdlib.h>

static struct tk_arena arena;

/* One line a row: type, depth, name, offset and duration in ms, span. */
static void
expect_rows(const struct tk_batch *trace, bool gaps, const char *expected)
{
    struct tk_tree tree;
    struct tk_trace_services services;
    struct tk_rows rows;
    struct tk_buf text;
    static const char *const types[] = {"service", "span", "gap"};
    assert_int_equal(tk_tree_build(trace, &arena, &tree), TK_OK);
    assert_int_equal(tk_trace_services(trace, &tree, &arena, &services), TK_OK);
    struct tk_rows_want want = {.gaps = gaps};
    assert_int_equal(tk_rows_build(trace, &tree, &services, &want, &arena, &rows), TK_OK);
    tk_buf_init(&text, 1 << 20);
    for (uint32_t i = 0; i < rows.count; i++) {
        const struct tk_row *row = &rows.row[i];
        tk_buf_printf(&text, "%s %u [%.*s] %.*s +%llu %llums", types[row->type], row->depth,
                      TK_STR_ARG(services.service[row->service].name), TK_STR_ARG(row->name),
                      (unsigned long long)((row->start_nano - tree.start_nano) / MS),
                      (unsigned long long)(row->duration_nano / MS));
        if (row->span != TK_NO_SPAN)
            tk_buf_printf(&text, " #%u", row->span);
        tk_buf_append_char(&text, '\n');
    }
    tk_buf_append_char(&text, '\0');
    assert_string_equal(text.ptr, expected);
    tk_buf_release(&text);
}

static void
the_documents_trace_has_its_eight_rows(void **state)
{
    struct tk_batch *trace = document_trace();
    (void)state;
    expect_rows(trace, false,
                "service 0 [React Frontend] React Frontend +0 420ms #0\n"
                "span 1 [React Frontend] fetch /api/users +20 380ms #1\n"
                "service 0 [Node.js API] Node.js API +30 360ms #2\n"
                "span 1 [Node.js API] GET /api/users +40 300ms #3\n"
                "span 1 [Node.js API] validate-auth +350 40ms #6\n"
                "service 0 [Go Microservice] Go Microservice +80 240ms\n"
                "span 1 [Go Microservice] GET /users +80 240ms #4\n"
                "span 2 [Go Microservice] db.Query +110 180ms #5\n");
    tk_batch_free(trace);
}

static void
gaps_have_names_and_bounds(void **state)
{
    struct tk_batch *trace = document_trace();
    (void)state;
    expect_rows(trace, true,
                "service 0 [React Frontend] React Frontend +0 420ms #0\n"
                "gap 1 [React Frontend] own work or not instrumented +0 20ms #0\n"
                "gap 1 [React Frontend] own work or not instrumented +400 20ms #0\n"
                "span 1 [React Frontend] fetch /api/users +20 380ms #1\n"
                "gap 2 [React Frontend] request on the way: network + queue +20 10ms #1\n"
                "gap 2 [React Frontend] response on the way: network + queue +390 10ms #1\n"
                "service 0 [Node.js API] Node.js API +30 360ms #2\n"
                "gap 1 [Node.js API] own work or not instrumented +30 10ms #2\n"
                "gap 1 [Node.js API] own work or not instrumented +340 10ms #2\n"
                "span 1 [Node.js API] GET /api/users +40 300ms #3\n"
                "gap 2 [Node.js API] request on the way: network + queue +40 40ms #3\n"
                "gap 2 [Node.js API] response on the way: network + queue +320 20ms #3\n"
                "span 1 [Node.js API] validate-auth +350 40ms #6\n"
                "service 0 [Go Microservice] Go Microservice +80 240ms\n"
                "span 1 [Go Microservice] GET /users +80 240ms #4\n"
                "gap 2 [Go Microservice] own work or not instrumented +80 30ms #4\n"
                "gap 2 [Go Microservice] own work or not instrumented +290 30ms #4\n"
                "span 2 [Go Microservice] db.Query +110 180ms #5\n");
    tk_batch_free(trace);
}

static void
a_child_behind_its_parents_end_is_asynchronous(void **state)
{
    struct tk_batch *trace = new_batch();
    uint32_t a = add_service(trace, "a");
    (void)state;
    add_span(trace, a, 1, 0, "root", 0, 10);
    add_span(trace, a, 2, 1, "later", 15, 5);
    expect_rows(trace, true,
                "service 0 [a] a +0 20ms\n"
                "span 1 [a] root +0 10ms #0\n"
                "gap 2 [a] own work or not instrumented +0 10ms #0\n"
                "gap 2 [a] async: runs after the response +10 5ms #0\n"
                "span 2 [a] later +15 5ms #1\n");
    tk_batch_free(trace);
}

static void
every_visit_to_a_service_is_a_block_of_its_own(void **state)
{
    struct tk_batch *trace = new_batch();
    uint32_t a = add_service(trace, "a"), b = add_service(trace, "b");
    (void)state;
    add_span(trace, a, 1, 0, "root", 0, 100);
    add_span(trace, b, 2, 1, "second", 50, 10);
    add_span(trace, b, 3, 1, "first", 10, 30);
    add_span(trace, a, 4, 3, "called back", 15, 10);
    add_span(trace, a, 5, 1, "own", 70, 10);
    expect_rows(trace, false,
                "service 0 [a] a +0 100ms\n"
                "span 1 [a] root +0 100ms #0\n"
                "span 2 [a] own +70 10ms #4\n"
                "service 0 [b] b +10 30ms\n"
                "span 1 [b] first +10 30ms #1\n"
                "service 0 [a] a +15 10ms\n"
                "span 1 [a] called back +15 10ms #2\n"
                "service 0 [b] b +50 10ms\n"
                "span 1 [b] second +50 10ms #3\n");
    tk_batch_free(trace);
}

static void
orphans_begin_blocks_of_their_own(void **state)
{
    struct tk_batch *trace = new_batch();
    uint32_t a = add_service(trace, "a"), none = add_service(trace, NULL);
    (void)state;
    add_span(trace, a, 2, 99, "late", 20, 10);
    add_span(trace, none, 1, 0, "root", 0, 10);
    expect_rows(trace, false,
                "service 0 [unknown_service] unknown_service +0 10ms\n"
                "span 1 [unknown_service] root +0 10ms #0\n"
                "service 0 [a] a +20 10ms\n"
                "span 1 [a] late +20 10ms #1\n");
    tk_batch_free(trace);
}

/* ---- random traces against a plain model ---- */

struct model {
    const struct tk_batch *trace;
    const struct tk_tree *tree;
    const struct tk_row *row; /* the next one to be expected */
};

static tk_str
service_at(const struct model *m, uint32_t position)
{
    return tk_batch_service(m->trace, m->tree->row[position]);
}

static bool
begins_visit(const struct model *m, uint32_t position)
{
    uint32_t parent = m->tree->parent[position];
    return parent == TK_NO_SPAN || !tk_str_eq(service_at(m, parent), service_at(m, position));
}

/* The span that begins the visit a span belongs to. */
static uint32_t
entry_of(const struct model *m, uint32_t position)
{
    while (!begins_visit(m, position))
        position = m->tree->parent[position];
    return position;
}

static uint64_t
visit_start(const struct model *m, uint32_t entry)
{
    uint64_t start = UINT64_MAX;
    for (uint32_t i = entry; i < m->tree->span_count; i++) {
        if (entry_of(m, i) == entry && m->trace->start_nano[m->tree->row[i]] < start)
            start = m->trace->start_nano[m->tree->row[i]];
    }
    return start;
}

static uint64_t
visit_end(const struct model *m, uint32_t entry)
{
    uint64_t end = 0;
    for (uint32_t i = entry; i < m->tree->span_count; i++) {
        if (entry_of(m, i) == entry && m->trace->end_nano[m->tree->row[i]] > end)
            end = m->trace->end_nano[m->tree->row[i]];
    }
    return end;
}

static void
expect_block(struct model *m, uint32_t entry)
{
    const struct tk_row *row = m->row++;
    bool folded = tk_str_eq(m->trace->name[m->tree->row[entry]], service_at(m, entry));
    assert_int_equal(row->type, TK_ROW_SERVICE);
    assert_int_equal(row->depth, 0);
    assert_int_equal(row->span, folded ? entry : TK_NO_SPAN);
    assert_true(tk_str_eq(row->name, service_at(m, entry)));
    assert_int_equal(row->start_nano, visit_start(m, entry));
    assert_int_equal(row->start_nano + row->duration_nano, visit_end(m, entry));
    for (uint32_t i = entry; i < m->tree->span_count; i++) {
        if (entry_of(m, i) != entry || (folded && i == entry))
            continue;
        row = m->row++;
        assert_int_equal(row->type, TK_ROW_SPAN);
        assert_int_equal(row->span, i);
        assert_int_equal(row->depth, m->tree->depth[i] - m->tree->depth[entry] + (folded ? 0 : 1));
    }
}

/* The blocks of the visits called from `caller`, by start; TK_NO_SPAN: those at the top. */
static void
expect_called(struct model *m, uint32_t caller)
{
    uint64_t behind_start = 0;
    uint32_t behind = TK_NO_SPAN;
    for (;;) {
        uint32_t next = TK_NO_SPAN;
        for (uint32_t i = 0; i < m->tree->span_count; i++) {
            uint32_t parent = m->tree->parent[i];
            uint64_t start = visit_start(m, i);
            if (!begins_visit(m, i) ||
                (parent == TK_NO_SPAN ? TK_NO_SPAN : entry_of(m, parent)) != caller)
                continue;
            if (behind != TK_NO_SPAN &&
                (start < behind_start || (start == behind_start && i <= behind)))
                continue;
            if (next == TK_NO_SPAN || start < visit_start(m, next))
                next = i;
        }
        if (next == TK_NO_SPAN)
            return;
        behind = next;
        behind_start = visit_start(m, next);
        expect_block(m, next);
        expect_called(m, next);
    }
}

static struct tk_batch *
random_trace(unsigned seed)
{
    static const char *const names[] = {"a", "b", "c"};
    struct tk_batch *trace = new_batch();
    uint32_t resource[3];
    srand(seed);
    for (int i = 0; i < 3; i++)
        resource[i] = add_service(trace, names[i]);
    for (uint32_t i = 1, count = 1 + (uint32_t)rand() % 20; i <= count; i++)
        add_span(trace, resource[rand() % 3], i, i == 1 ? 0 : (unsigned)rand() % i,
                 names[rand() % 3], (uint64_t)(rand() % 10), (uint64_t)(rand() % 10));
    return trace;
}

static void
random_traces_have_the_rows_of_the_model(void **state)
{
    static const struct tk_rows_want all = {0};
    (void)state;
    for (unsigned seed = 1; seed <= 500; seed++) {
        struct tk_batch *trace = random_trace(seed);
        struct tk_tree tree;
        struct tk_trace_services services;
        struct tk_rows rows;
        assert_int_equal(tk_tree_build(trace, &arena, &tree), TK_OK);
        assert_int_equal(tk_trace_services(trace, &tree, &arena, &services), TK_OK);
        assert_int_equal(tk_rows_build(trace, &tree, &services, &all, &arena, &rows), TK_OK);
        struct model m = {.trace = trace, .tree = &tree, .row = rows.row};
        expect_called(&m, TK_NO_SPAN);
        assert_int_equal(m.row - rows.row, rows.count);
        tk_batch_free(trace);
        tk_arena_clear(&arena);
    }
}

static void
a_window_has_the_rows_that_all_rows_have_there(void **state)
{
    (void)state;
    for (unsigned seed = 1; seed <= 100; seed++) {
        struct tk_batch *trace = random_trace(seed);
        struct tk_tree tree;
        struct tk_trace_services services;
        struct tk_rows all, rows;
        struct tk_rows_want want = {.gaps = seed % 2 == 0};
        assert_int_equal(tk_tree_build(trace, &arena, &tree), TK_OK);
        assert_int_equal(tk_trace_services(trace, &tree, &arena, &services), TK_OK);
        assert_int_equal(tk_rows_build(trace, &tree, &services, &want, &arena, &all), TK_OK);
        assert_int_equal(all.count, all.total);
        want.offset = (uint32_t)rand() % (all.total + 2);
        want.limit = seed % 3 == 0 ? UINT32_MAX : 1 + (uint32_t)rand() % (all.total + 2);
        uint32_t left = want.offset < all.total ? all.total - want.offset : 0;
        assert_int_equal(tk_rows_build(trace, &tree, &services, &want, &arena, &rows), TK_OK);
        assert_int_equal(rows.total, all.total);
        assert_int_equal(rows.count, left < want.limit ? left : want.limit);
        for (uint32_t i = 0; i < rows.count; i++) {
            const struct tk_row *a = &rows.row[i], *b = &all.row[want.offset + i];
            assert_true(a->type == b->type && a->depth == b->depth && a->service == b->service);
            assert_true(a->span == b->span && a->start_nano == b->start_nano &&
                        a->duration_nano == b->duration_nano && tk_str_eq(a->name, b->name));
        }
        tk_batch_free(trace);
        tk_arena_clear(&arena);
    }
}

static int
setup(void **state)
{
    (void)state;
    tk_arena_init(&arena, 1024, 1 << 26);
    return 0;
}

static int
teardown(void **state)
{
    (void)state;
    tk_arena_release(&arena);
    return 0;
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_documents_trace_has_its_eight_rows, setup, teardown),
        cmocka_unit_test_setup_teardown(gaps_have_names_and_bounds, setup, teardown),
        cmocka_unit_test_setup_teardown(a_child_behind_its_parents_end_is_asynchronous, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(every_visit_to_a_service_is_a_block_of_its_own, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(orphans_begin_blocks_of_their_own, setup, teardown),
        cmocka_unit_test_setup_teardown(a_window_has_the_rows_that_all_rows_have_there, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(random_traces_have_the_rows_of_the_model, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
