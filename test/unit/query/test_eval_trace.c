/* Spansets and pipelines over whole traces: relations by their definition, groups, budgets. */
#include "query/assemble.h"
#include "query/spans.h"
#include "query/traceql.h"

#include <stdio.h>
#include <stdlib.h>

static struct tk_arena arena;

static struct tk_query *
parse(const char *text)
{
    struct tk_query *query = NULL;
    struct tk_query_error error;
    if (tk_query_parse(tk_str_from(text), &arena, &query, &error) != TK_OK)
        fail_msg("\"%s\": %zu: %s", text, error.position, error.detail);
    return query;
}

/* ---- relations ---- */

static uint64_t seed;

static uint32_t
below(uint32_t count)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return (uint32_t)(seed >> 32) % count;
}

/* Spans named a, b or c with an attribute g; parents that are missing, of a cycle, or itself. */
static struct tk_batch *
random_trace(void)
{
    static const char *const names[] = {"a", "b", "c"};
    struct tk_batch *t = new_batch();
    uint32_t resource = add_service(t, "s"), count = 1 + below(12);
    for (uint32_t i = 1; i <= count; i++) {
        add_span(t, resource, i, below(count + 3), names[below(3)], below(5), 1);
        add_attr(t, "g", int_attr(below(2)));
    }
    return t;
}

static uint32_t
parent_of(const struct tk_tree *tree, uint32_t row)
{
    for (uint32_t i = 0; i < tree->span_count; i++) {
        if (tree->row[i] == row)
            return tree->parent[i] == TK_NO_SPAN ? TK_NO_SPAN : tree->row[tree->parent[i]];
    }
    return TK_NO_SPAN;
}

static bool
is_related(const struct tk_tree *tree, char relation, uint32_t left, uint32_t right)
{
    uint32_t up;
    switch (relation) {
    case '>':
        return parent_of(tree, right) == left;
    case '<':
        return parent_of(tree, left) == right;
    case 'd':
    case 'a':
        up = relation == 'd' ? right : left;
        do
            up = parent_of(tree, up);
        while (up != TK_NO_SPAN && up != (relation == 'd' ? left : right));
        return up != TK_NO_SPAN;
    default:
        return left != right && parent_of(tree, left) != TK_NO_SPAN &&
               parent_of(tree, left) == parent_of(tree, right);
    }
}

struct relation {
    const char *symbol;
    char kind;
    bool negated, both;
};

static bool
is_expected(const struct tk_batch *t, const struct tk_tree *tree, const struct relation *relation,
            bool grouped, uint32_t row)
{
    bool related_right = false, related_left = false;
    bool is_left = tk_str_eq(t->name[row], TK_STR("a")) || tk_str_eq(t->name[row], TK_STR("c"));
    bool is_right = tk_str_eq(t->name[row], TK_STR("b")) || tk_str_eq(t->name[row], TK_STR("c"));
    for (uint32_t other = 0; other < t->span_count; other++) {
        bool same = t->attr_value[t->attrs[row].begin].i == t->attr_value[t->attrs[other].begin].i;
        if (grouped && !same)
            continue;
        bool a = !tk_str_eq(t->name[other], TK_STR("b"));
        bool b = !tk_str_eq(t->name[other], TK_STR("a"));
        related_right = related_right || (a && is_related(tree, relation->kind, other, row));
        related_left = related_left || (b && is_related(tree, relation->kind, row, other));
    }
    if (relation->negated)
        return is_right && !related_right;
    return (is_right && related_right) || (relation->both && is_left && related_left);
}

static void
relations_are_what_they_are_defined_as(void **state)
{
    static const struct relation relations[] = {
        {">", '>', false, false},  {"<", '<', false, false},  {">>", 'd', false, false},
        {"<<", 'a', false, false}, {"~", '~', false, false},  {"!>", '>', true, false},
        {"!<", '<', true, false},  {"!>>", 'd', true, false}, {"!<<", 'a', true, false},
        {"!~", '~', true, false},  {"&>", '>', false, true},  {"&<", '<', false, true},
        {"&>>", 'd', false, true}, {"&<<", 'a', false, true}, {"&~", '~', false, true},
    };
    enum { RELATIONS = sizeof relations / sizeof *relations, TRACES = 2000 };
    struct tk_query *queries[2][RELATIONS];
    (void)state;
    seed = 88172645463325252u;
    for (size_t k = 0; k < RELATIONS; k++) {
        for (int grouped = 0; grouped < 2; grouped++) {
            char text[128];
            (void)snprintf(text, sizeof text, "%s{ name != \"b\" } %s { name != \"a\" }",
                           grouped ? "by(.g) | " : "", relations[k].symbol);
            queries[grouped][k] = parse(text);
        }
    }
    for (int n = 0; n < TRACES; n++) {
        struct tk_batch *t = random_trace();
        struct tk_tree tree;
        assert_int_equal(tk_tree_build(t, &arena, &tree), TK_OK);
        for (size_t k = 0; k < 2 * RELATIONS; k++) {
            const struct relation *relation = &relations[k / 2];
            bool grouped = k % 2 == 1, matches, selected[16], any = false;
            assert_int_equal(tk_query_select(queries[grouped][k / 2], t, selected, &matches),
                             TK_OK);
            for (uint32_t row = 0; row < t->span_count; row++) {
                bool expected = is_expected(t, &tree, relation, grouped, row);
                if (selected[row] != expected)
                    fail_msg("trace %d, %s%s, row %u: %d", n, relation->symbol,
                             grouped ? " in groups" : "", row, selected[row]);
                any = any || expected;
            }
            assert_int_equal(matches, any);
        }
        tk_batch_free(t);
    }
    for (size_t k = 0; k < RELATIONS; k++) {
        tk_query_release(queries[0][k]);
        tk_query_release(queries[1][k]);
    }
}

/* ---- pipelines ---- */

/* web: home(GET 400 ms) > list(100), list(200), pay(50, error); pay > db(40) */
static struct tk_batch *
shop(void)
{
    struct tk_batch *t = new_batch();
    uint32_t web = add_service(t, "web"), db = add_service(t, "db");
    add_span(t, web, 1, 0, "home", 0, 400);
    add_span(t, web, 2, 1, "list", 10, 100);
    add_attr(t, "items", int_attr(3));
    add_span(t, web, 3, 1, "list", 20, 200);
    add_attr(t, "items", int_attr(4));
    add_span(t, web, 4, 1, "pay", 300, 50);
    t->status[3] = TK_STATUS_ERROR;
    add_attr(t, "items", double_attr(0.5));
    add_span(t, db, 5, 4, "db", 305, 40);
    return t;
}

/* The names of the selected spans by group: "list list|pay". */
static void
expect_groups(const struct tk_batch *t, const char *text, const char *expected)
{
    struct tk_query *query = parse(text);
    struct tk_query_groups groups;
    struct tk_buf out;
    bool matches;
    tk_buf_init(&out, 1 << 16);
    assert_int_equal(tk_query_matches(query, t, &matches), TK_OK);
    assert_int_equal(tk_query_group(query, t, &groups), TK_OK);
    assert_int_equal(matches, groups.count > 0);
    for (uint32_t group = 0; group < groups.count; group++) {
        tk_buf_append(&out, group > 0 ? TK_STR("|") : TK_STR(""));
        bool first = true;
        for (uint32_t row = 0; row < t->span_count; row++) {
            if (groups.of[row] != group)
                continue;
            tk_buf_printf(&out, "%s%.*s", first ? "" : " ", TK_STR_ARG(t->name[row]));
            first = false;
        }
    }
    tk_buf_append_char(&out, '\0');
    if (strcmp(out.ptr, expected) != 0)
        fail_msg("%s\n  yields   %s\n  expected %s", text, out.ptr, expected);
    tk_buf_release(&out);
    tk_query_release(query);
}

static void
stages_work_on_what_the_ones_before_left(void **state)
{
    struct tk_batch *t = shop();
    (void)state;
    expect_groups(t, "{ name = \"list\" } | count() = 2", "list list");
    expect_groups(t, "{ name = \"list\" } | count() > 2", "");
    expect_groups(t, "count() = 5 | { name = \"pay\" }", "pay");
    expect_groups(t, "{ name = \"list\" } | { duration > 150ms }", "list");
    expect_groups(t, "{ name = \"list\" } | { name = \"pay\" }", "");
    expect_groups(t, "by(name) | count() > 1", "list list");
    expect_groups(t, "by(resource.service.name) | count() >= 1", "home list list pay|db");
    expect_groups(t, "by(name) | { duration < 150ms }", "list|pay|db");
    expect_groups(t, "by(name) | { duration < 150ms } | coalesce()", "list pay db");
    expect_groups(t, "by(name) | coalesce() | count() = 5", "home list list pay db");
    expect_groups(t, "by(resource.service.name) | { name = \"pay\" } && { name = \"list\" }",
                  "list list pay");
    expect_groups(t, "by(resource.service.name) | { name = \"pay\" } > { name = \"db\" }", "");
    expect_groups(t, "{ name = \"pay\" } > { name = \"db\" }", "db");
    expect_groups(t, "{ name = \"pay\" } &> { name = \"db\" }", "pay db");
    expect_groups(t, "{ name = \"db\" } << { status = error }", "pay");
    expect_groups(t, "{} > {} > {}", "db");
    expect_groups(t, "{ name = \"none\" } !>> { name = \"db\" }", "db");
    expect_groups(t, "({ name = \"list\" } | count() = 2) ~ { name = \"pay\" }", "pay");
    expect_groups(t, "({ name = \"list\" } | count() = 3) ~ { name = \"pay\" }", "");
    expect_groups(t, "({} | by(name) | count() = 2) && { name = \"db\" }", "list list db");
    expect_groups(t, "{ name = \"db\" } || { name = \"none\" } && { name = \"pay\" }", "db");
    expect_groups(t, "by(.items > 3)", "home list pay db|list");
    tk_batch_free(t);
}

static void
aggregates_are_of_numbers_that_are_there(void **state)
{
    struct tk_batch *t = shop();
    (void)state;
    expect_groups(t, "{} | max(duration) = 400ms | { name = \"pay\" }", "pay");
    expect_groups(t, "{ name = \"list\" } | min(duration) = 100ms", "list list");
    expect_groups(t, "{ name = \"list\" } | sum(duration) = 300ms", "list list");
    expect_groups(t, "{ name = \"list\" } | avg(duration) = 150ms", "list list");
    expect_groups(t, "{} | sum(.items) = 7.5 | { name = \"pay\" }", "pay");
    expect_groups(t, "{} | avg(.items) = 2.5 | { name = \"pay\" }", "pay");
    tk_batch_free(t);
}

static void
aggregates_compare_with_each_other(void **state)
{
    struct tk_batch *t = shop();
    (void)state;
    expect_groups(t, "{ name = \"list\" } | max(duration) > min(duration)", "list list");
    expect_groups(t, "{ name = \"pay\" } | max(duration) > min(duration)", "");
    expect_groups(t, "{ name = \"list\" } | max(.items) - min(.items) = 1", "list list");
    expect_groups(t, "{ name = \"list\" } | count() * 2 = 4", "list list");
    expect_groups(t, "{ name = \"list\" } | 1 < count()", "list list");
    expect_groups(t, "{ name = \"db\" } | sum(.items) >= 0", "");
    expect_groups(t, "{ name = \"db\" } | max(duration * 2) = 80ms", "db");
    tk_batch_free(t);
}

static void
groups_and_spans_say_what_was_asked_of_them(void **state)
{
    struct tk_batch *t = shop();
    struct tk_query *query =
        parse("{ .items > 0 } | by(name) | count() > 1 | select(.items, kind)");
    struct tk_query_groups groups;
    (void)state;
    assert_true(tk_query_has_fields(query));
    assert_false(tk_query_has_fields(parse("{} >> {}")));
    assert_int_equal(tk_query_group(query, t, &groups), TK_OK);
    assert_int_equal(groups.count, 1);
    const struct tk_field_list *fields = groups.fields[0];
    assert_true(tk_str_eq(fields->field.name, TK_STR("count()")) && fields->field.value.i == 2);
    fields = fields->next;
    assert_true(tk_str_eq(fields->field.name, TK_STR("name")));
    assert_true(tk_str_eq(tk_value_str(fields->field.value), TK_STR("list")));
    assert_null(fields->next);
    fields = tk_query_shown(query, t, 2);
    assert_true(tk_str_eq(fields->field.name, TK_STR("kind")));
    assert_true(tk_str_eq(tk_value_str(fields->field.value), TK_STR("internal")));
    fields = fields->next;
    assert_true(tk_str_eq(fields->field.name, TK_STR(".items")) && fields->field.value.i == 4);
    assert_null(fields->next);
    tk_query_release(query);
    tk_batch_free(t);
}

/* ---- budgets ---- */

/* `count` spans, each the child of the one before, or all of the first. */
static struct tk_batch *
long_trace(uint32_t count, bool deep)
{
    struct tk_batch *t = new_batch();
    uint32_t resource = add_service(t, "s");
    for (uint32_t i = 1; i <= count; i++)
        add_span(t, resource, i, i == 1 ? 0 : deep ? i - 1 : 1, i == count ? "last" : "x", i, 1);
    return t;
}

static void
a_million_spans_are_related_like_a_few(void **state)
{
    static const char *const queries[] = {
        "{ nestedSetParent = -1 } >> { name = \"last\" }",
        "{ name = \"last\" } << { nestedSetParent = -1 }",
        "by(name) | { } !> { }",
        "{ } ~ { name = \"last\" } | count() = 1",
    };
    (void)state;
    for (int deep = 0; deep < 2; deep++) {
        struct tk_batch *t = long_trace(1000000, deep == 1);
        for (size_t i = 0; i < sizeof queries / sizeof *queries; i++) {
            struct tk_query *query = parse(queries[i]);
            bool matches;
            assert_int_equal(tk_query_matches(query, t, &matches), TK_OK);
            assert_int_equal(matches, i < 3 || deep == 0);
            tk_query_release(query);
        }
        tk_batch_free(t);
    }
}

static void
memory_has_a_budget(void **state)
{
    struct tk_batch *t = long_trace(10000, true);
    struct tk_query *query = parse("{ } >> { name = \"last\" } | by(span:id)");
    bool matches;
    (void)state;
    tk_query_set_budget(query, 200 << 10, NULL, NULL);
    assert_int_equal(tk_query_matches(query, t, &matches), TK_ERR_LIMIT);
    assert_int_equal(tk_query_hit(query), TK_BUDGET_MEMORY);
    tk_query_set_budget(query, 8 << 20, NULL, NULL);
    assert_int_equal(tk_query_matches(query, t, &matches), TK_OK);
    assert_int_equal(tk_query_hit(query), TK_BUDGET_NONE);
    assert_true(matches);
    tk_query_release(query);
    tk_batch_free(t);
}

/* Every allocation fails once, until there is enough. */
static void
no_budget_is_too_small_to_be_refused_properly(void **state)
{
    struct tk_batch *t = long_trace(300, true);
    struct tk_query *query = NULL;
    bool matches = false;
    enum tk_err result = TK_ERR_LIMIT;
    (void)state;
    for (size_t budget = 0; result == TK_ERR_LIMIT; budget += 1000) {
        tk_query_release(query);
        query = parse("({ } &>> { } | by(span:id)) && ({ name = \"last\" } ~ { } || { }) | "
                      "by(name) | max(duration) > 0ms | coalesce()");
        tk_query_set_budget(query, budget, NULL, NULL);
        result = tk_query_matches(query, t, &matches);
        assert_true(budget < 4 << 20);
    }
    assert_int_equal(result, TK_OK);
    assert_true(matches);
    tk_query_release(query);
    tk_batch_free(t);
}

static bool
is_expired(void *arg)
{
    return *(bool *)arg;
}

static void
time_has_a_budget(void **state)
{
    struct tk_batch *t = long_trace(10000, true);
    struct tk_query *query = parse("{ name = \"none\" }");
    bool matches, over = true;
    (void)state;
    tk_query_set_budget(query, 8 << 20, is_expired, &over);
    assert_int_equal(tk_query_matches(query, t, &matches), TK_ERR_TIMEOUT);
    assert_int_equal(tk_query_hit(query), TK_BUDGET_TIME);
    over = false;
    assert_int_equal(tk_query_matches(query, t, &matches), TK_OK);
    tk_query_release(query);
    tk_batch_free(t);
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
        TEST(relations_are_what_they_are_defined_as),
        TEST(stages_work_on_what_the_ones_before_left),
        TEST(aggregates_are_of_numbers_that_are_there),
        TEST(aggregates_compare_with_each_other),
        TEST(groups_and_spans_say_what_was_asked_of_them),
        TEST(a_million_spans_are_related_like_a_few),
        TEST(memory_has_a_budget),
        TEST(no_budget_is_too_small_to_be_refused_properly),
        TEST(time_has_a_budget),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
