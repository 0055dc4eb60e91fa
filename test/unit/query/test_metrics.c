/* Metrics: what the series say, that counting and reading agree, and the budgets. */
#include "query/memory_store.h"
#include "query/metrics.h"
#include "store/count.h"

#include <math.h>
#include <stdio.h>

static struct tk_arena arena;
static struct tk_store_vtable vtable;
static uint32_t counted; /* times that the store was asked to count */

static enum tk_err
count_operations(struct tk_store_view *view, const struct tk_store_range *range,
                 enum tk_err (*each)(void *arg, tk_str service, tk_str name, int32_t kind,
                                     const struct tk_store_count *count),
                 void *arg, struct tk_error *err)
{
    counted++;
    return tk_count_operations(view, range, each, arg, err);
}

static uint64_t
mono_nano(struct tk_env *env)
{
    (void)env;
    return 1000;
}

static struct tk_env env = {.mono_nano = mono_nano};

struct terms {
    const char *by;
    uint64_t begin_ms, end_ms, step_ms; /* behind EPOCH; [all, one step] */
    uint64_t deadline_nano;
    size_t memory;
};

static enum tk_err
run(const char *q, struct terms terms, struct tk_metrics *metrics, struct tk_error *err)
{
    struct tk_query_error error;
    struct tk_metrics_ask ask = {
        .view = &memory_store.view,
        .begin_nano = EPOCH + terms.begin_ms * MS,
        .end_nano = EPOCH + (terms.end_ms != 0 ? terms.end_ms : 100000) * MS,
        .env = &env,
        .deadline_nano = terms.deadline_nano,
        .memory = terms.memory != 0 ? terms.memory : 64 << 20,
        .arena = &arena,
    };
    ask.step_nano = terms.step_ms != 0 ? terms.step_ms * MS : ask.end_nano - ask.begin_nano;
    if (tk_query_parse(tk_str_from(q), &arena, &ask.query, &error) != TK_OK)
        fail_msg("\"%s\": %zu: %s", q, error.position, error.detail);
    if (terms.by != NULL)
        assert_int_equal(tk_metrics_by(ask.query, tk_str_from(terms.by), &error), TK_OK);
    arena.limit = arena.used + ask.memory;
    enum tk_err result = tk_metrics_run(&ask, metrics, err);
    arena.limit = SIZE_MAX / 2;
    tk_query_release(ask.query);
    return result;
}

static void
write_label(struct tk_buf *out, const struct tk_field *label)
{
    const struct tk_value *value = &label->value;
    tk_buf_printf(out, "%.*s=", TK_STR_ARG(label->name));
    if (value->type == TK_VALUE_STRING)
        tk_buf_append(out, tk_value_str(*value));
    else if (value->type == TK_VALUE_INT)
        tk_buf_printf(out, "%lld", (long long)value->i);
    else if (value->type == TK_VALUE_DOUBLE)
        tk_buf_printf(out, "%g", value->d);
    else
        tk_buf_append(out, value->type == TK_VALUE_EMPTY  ? TK_STR("nil")
                           : value->type != TK_VALUE_BOOL ? TK_STR("?")
                           : value->b                     ? TK_STR("true")
                                                          : TK_STR("false"));
}

/* "rate{name=a}: 1 0.5 -" a line */
static void
write_series(struct tk_buf *out, const struct tk_metrics *metrics)
{
    for (size_t i = 0; i < metrics->series_count; i++) {
        const struct tk_series *series = &metrics->series[i];
        tk_buf_printf(out, "%s{", series->name);
        for (size_t k = 0; k < series->label_count; k++) {
            tk_buf_append(out, k > 0 ? TK_STR(",") : TK_STR(""));
            write_label(out, &series->labels[k]);
        }
        tk_buf_append(out, TK_STR("}:"));
        for (uint32_t step = 0; step < metrics->step_count; step++) {
            for (size_t b = 0; series->bounds != NULL && b < series->bound_count; b++)
                tk_buf_printf(out, "%s<%.10g:%llu", b > 0 ? "," : " ", series->bounds[b],
                              (unsigned long long)series->counts[step * series->bound_count + b]);
            if (series->bounds == NULL && isnan(series->values[step]))
                tk_buf_append(out, TK_STR(" -"));
            else if (series->bounds == NULL)
                tk_buf_printf(out, " %.10g", series->values[step]);
        }
        tk_buf_append(out, TK_STR("\n"));
    }
}

static void
expect_series(const char *q, struct terms terms, const char *expected)
{
    struct tk_metrics metrics;
    struct tk_error err = {.message = ""};
    struct tk_buf out;
    tk_buf_init(&out, 1 << 20);
    assert_int_equal(run(q, terms, &metrics, &err), TK_OK);
    write_series(&out, &metrics);
    tk_buf_append_char(&out, '\0');
    if (strcmp(out.ptr, expected) != 0)
        fail_msg("%s\ngives\n%sexpected\n%s", q, out.ptr, expected);
    tk_buf_release(&out);
}

/* Three traces: web calls db; the last begins before its spans. */
static void
fill(void)
{
    struct tk_batch *t = new_batch();
    uint32_t web = add_service(t, "web"), db = add_service(t, "db");
    add_span(t, web, 1, 0, "home", 0, 16);
    t->kind[0] = TK_KIND_SERVER;
    add_attr(t, "n", int_attr(1));
    add_span(t, db, 2, 1, "read", 1000, 2);
    t->status[1] = TK_STATUS_ERROR;
    add_attr(t, "n", double_attr(2.5));
    memory_store_add(t, 1);
    t = new_batch();
    web = add_service(t, "web");
    add_span(t, web, 1, 0, "home", 1500, 16);
    add_attr(t, "n", int_attr(-4));
    memory_store_add(t, 2);
    t = new_batch();
    db = add_service(t, "db");
    add_span(t, db, 1, 0, "job", 500, 9000);
    add_span(t, db, 2, 1, "read", 3500, 4);
    memory_store_add(t, 3);
}

static void
a_span_counts_in_the_step_in_which_it_starts(void **state)
{
    (void)state;
    fill();
    expect_series("{} | count_over_time()", (struct terms){.end_ms = 4000, .step_ms = 1000},
                  "count_over_time{}: 2 2 0 1\n");
    expect_series("{ true } | count_over_time()", (struct terms){.end_ms = 4000, .step_ms = 1000},
                  "count_over_time{}: 2 2 0 1\n");
    expect_series("{ true } | count_over_time()",
                  (struct terms){.begin_ms = 1000, .end_ms = 3501, .step_ms = 1000},
                  "count_over_time{}: 2 0 1\n");
    expect_series("{} | rate()", (struct terms){.end_ms = 2000, .step_ms = 500},
                  "rate{}: 2 2 2 2\n");
    /* the last step is half as long */
    expect_series("{} | rate()", (struct terms){.end_ms = 1500, .step_ms = 1000}, "rate{}: 2 2\n");
}

static void
groups_have_series_of_their_own(void **state)
{
    struct terms terms = {.end_ms = 4000, .step_ms = 2000};
    (void)state;
    fill();
    expect_series("{} | count_over_time() by (resource.service.name, name)", terms,
                  "count_over_time{resource.service.name=db,name=read}: 1 1\n"
                  "count_over_time{resource.service.name=web,name=home}: 2 0\n"
                  "count_over_time{resource.service.name=db,name=job}: 1 0\n");
    expect_series("{} | count_over_time() by (span.n)", terms,
                  "count_over_time{span.n=nil}: 1 1\n"
                  "count_over_time{span.n=1}: 1 0\n"
                  "count_over_time{span.n=-4}: 1 0\n"
                  "count_over_time{span.n=2.5}: 1 0\n");
    expect_series("{ status = error } >> {} || { kind = server } | count_over_time() by (kind)",
                  terms, "count_over_time{kind=server}: 1 0\n");
}

static void
functions_are_of_the_numbers_that_are_there(void **state)
{
    struct terms terms = {.end_ms = 4000, .step_ms = 2000};
    (void)state;
    fill();
    expect_series("{} | min_over_time(.n)", terms, "min_over_time{}: -4 -\n");
    expect_series("{} | max_over_time(.n)", terms, "max_over_time{}: 2.5 -\n");
    expect_series("{} | sum_over_time(.n)", terms, "sum_over_time{}: -0.5 -\n");
    expect_series("{ .n > 0 } | avg_over_time(.n)", terms, "avg_over_time{}: 1.75 -\n");
    expect_series("{ name = \"read\" } | max_over_time(duration)", terms,
                  "max_over_time{}: 2000000 4000000\n");
    expect_series("{ name = \"read\" } | histogram_over_time(duration)", terms,
                  "histogram_over_time{}: <2097152:1,<4194304:0 <2097152:0,<4194304:1\n");
    expect_series("{} | histogram_over_time(.n)", terms,
                  "histogram_over_time{}: <1:1,<2:1,<4:1 <1:0,<2:0,<4:0\n");
}

static void
quantiles_are_near(void **state)
{
    struct tk_metrics metrics;
    struct tk_error err;
    struct tk_batch *t = new_batch();
    uint32_t web = add_service(t, "web");
    (void)state;
    for (uint32_t i = 1; i <= 1000; i++) {
        add_span(t, web, i, 0, "x", 0, i);
        add_attr(t, "n", double_attr((double)i / 10 - 50));
    }
    memory_store_add(t, 1);
    static const struct {
        const char *q;
        double expected[3];
    } cases[] = {
        {"{} | quantile_over_time(duration, 0, 0.5, .99)", {1e6, 500e6, 990e6}},
        {"{ true } | quantile_over_time(duration, 0, 0.5, .99)", {1e6, 500e6, 990e6}},
        {"{} | quantile_over_time(.n, 0, 0.25, 0.75)", {-49.9, -25, 25}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_int_equal(run(cases[i].q, (struct terms){0}, &metrics, &err), TK_OK);
        assert_int_equal(metrics.series_count, 3);
        for (size_t k = 0; k < 3; k++) {
            double value = metrics.series[k].values[0], expected = cases[i].expected[k];
            if (fabs(value - expected) > fabs(expected) * 0.04)
                fail_msg("%s: %zu: %g, not %g", cases[i].q, k, value, expected);
            assert_true(tk_str_eq(metrics.series[k].labels[0].name, TK_STR("quantile")));
        }
    }
}

static void
a_plain_query_gives_rate_errors_latencies_and_a_histogram(void **state)
{
    static const char *const names[] = {"rate", "errors", "p50", "p95", "p99", "histogram"};
    struct tk_metrics metrics;
    struct tk_error err;
    (void)state;
    fill();
    for (int reading = 0; reading < 2; reading++) {
        assert_int_equal(run(reading ? "{ true }" : "{}",
                             (struct terms){.by = "service", .end_ms = 2000}, &metrics, &err),
                         TK_OK);
        assert_int_equal(metrics.series_count, 12);
        for (size_t i = 0; i < 12; i++) {
            assert_string_equal(metrics.series[i].name, names[i % 6]);
            tk_str service = tk_value_str(metrics.series[i].labels[0].value);
            assert_true(tk_str_eq(service, i < 6 ? TK_STR("db") : TK_STR("web")));
        }
        assert_true(metrics.series[0].values[0] == 1);   /* two spans in two seconds */
        assert_true(metrics.series[1].values[0] == 0.5); /* one of them failed */
        assert_true(fabs(metrics.series[2 + 6].values[0] - 16e6) < 16e6 * 0.04);
    }
}

static void
the_largest_or_smallest_are_kept_in_each_step(void **state)
{
    struct terms terms = {.end_ms = 4000, .step_ms = 2000};
    (void)state;
    fill();
    expect_series("{} | count_over_time() by (name) | topk(1)", terms,
                  "count_over_time{name=home}: 2 -\n"
                  "count_over_time{name=read}: - 1\n");
    expect_series("{} | count_over_time() by (name) | bottomk(1)", terms,
                  "count_over_time{name=home}: - 0\n"
                  "count_over_time{name=read}: 1 -\n");
    expect_series("{} | count_over_time() by (name) > 1", terms,
                  "count_over_time{name=home}: 2 -\n");
    expect_series("{} | count_over_time() by (name) >= 1 | topk(2) != 2 with(x=1)", terms,
                  "count_over_time{name=read}: 1 1\n");
    expect_series("{} | count_over_time() by (name) > 9", terms, "");
}

/* ---- counting and reading ---- */

static uint64_t seed = 88172645463325252u;

static uint32_t
below(uint32_t count)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return (uint32_t)(seed >> 32) % count;
}

static struct tk_value
random_value(void)
{
    static const char list[] = "\x0a\x03\x0a\x01x";
    switch (below(6)) {
    case 0:
        return int_attr(below(3));
    case 1:
        return double_attr(below(2) + 0.5);
    case 2:
        return bool_attr(below(2) == 0);
    case 3:
        return (struct tk_value){.type = TK_VALUE_ARRAY, .len = sizeof list - 1, .ptr = list};
    default:
        return string_attr(below(2) == 0 ? "x" : "y");
    }
}

static struct tk_batch *
random_trace(bool with_both)
{
    static const char *const services[] = {"a", "b", NULL};
    static const char *const names[] = {"p", "q", "r"};
    struct tk_batch *t = new_batch();
    uint32_t at = below(3000);
    for (uint32_t resource = 0; resource < 2; resource++) {
        add_service(t, services[below(3)]);
        uint32_t begin = t->resources[resource].attrs.begin;
        if (below(2) == 0)
            assert_int_equal(tk_batch_add_attr(t, TK_STR("r"), random_value()), TK_OK);
        if (with_both && below(2) == 0)
            assert_int_equal(tk_batch_add_attr(t, TK_STR("g"), random_value()), TK_OK);
        t->resources[resource].attrs.count = t->attr_count - begin;
    }
    for (uint32_t i = 1; i <= 1 + below(6); i++) {
        uint32_t row =
            add_span(t, below(2), i, i - 1, names[below(3)], at + below(3000), below(50));
        t->kind[row] = (int32_t)below(7);
        t->status[row] = (int32_t)below(3);
        if (below(3) > 0)
            add_attr(t, "g", random_value());
        if (below(2) == 0)
            add_attr(t, "http.request.method", random_value());
        if (with_both && below(2) == 0)
            add_attr(t, "http.method", random_value());
    }
    return t;
}

static void
counting_and_reading_say_the_same(void **state)
{
    static const char *const bys[] = {
        NULL,
        "service",
        "name",
        "kind",
        "service, name",
        "kind, name",
        "span.g",
        ".g",
        "g.g",
        "resource.g",
        ".r",
        "resource.r",
        ".http.method",
        "span.http.request.method",
        ".service.name",
        "span.service.name",
        ".none",
        "instrumentation.g",
        "service, .g",
        "parent.name",
        "status",
    };
    static const char *const functions[] = {
        "",
        " | rate()",
        " | quantile_over_time(duration, 0.5, 0.9)",
        " | histogram_over_time(duration)",
        " | count_over_time()",
    };
    static const char *const conditions[] = {
        "status = error",
        "resource.service.name = \"a\"",
        "resource.service.name = \"unknown_service\"",
        "resource.service.name = \"a\" && (status = error)",
    };
    enum {
        FUNCTIONS = sizeof functions / sizeof *functions,
        CONDITIONS = 1 + sizeof conditions / sizeof *conditions,
    };
    (void)state;
    for (int both = 0; both < 2; both++) {
        memory_store_end();
        for (uint64_t i = 1; i <= 40; i++)
            memory_store_add(random_trace(both == 1), i);
        for (size_t n = 0; n < CONDITIONS * FUNCTIONS * sizeof bys / sizeof *bys; n++) {
            size_t c = n % CONDITIONS, k = n / CONDITIONS; /* 0: none */
            struct tk_buf out[2];
            char q[224], by[64] = "";
            struct terms terms = {.begin_ms = 1000, .end_ms = 5100, .step_ms = 500};
            const char *function = functions[k % FUNCTIONS];
            bool is_plain = function[0] == '\0';
            char spans[2][96] = {"{}", "{ true }"};
            if (c > 0) {
                (void)snprintf(spans[0], sizeof spans[0], "{ %s }", conditions[c - 1]);
                (void)snprintf(spans[1], sizeof spans[1], "{ %s && true }", conditions[c - 1]);
            }
            terms.by = is_plain ? bys[k / FUNCTIONS] : NULL;
            if (!is_plain && bys[k / FUNCTIONS] != NULL)
                (void)snprintf(by, sizeof by, " by (%s)",
                               strcmp(bys[k / FUNCTIONS], "service") == 0 ? "resource.service.name"
                               : strncmp(bys[k / FUNCTIONS], "service,", 8) == 0
                                   ? "resource.service.name, .g"
                                   : bys[k / FUNCTIONS]);
            for (int reading = 0; reading < 2; reading++) {
                struct tk_metrics metrics;
                struct tk_error err;
                (void)snprintf(q, sizeof q, "%s%s%s", spans[reading], function, by);
                tk_buf_init(&out[reading], 1 << 20);
                counted = 0;
                assert_int_equal(run(q, terms, &metrics, &err), TK_OK);
                write_series(&out[reading], &metrics);
                tk_buf_append_char(&out[reading], '\0');
                assert_true(!reading || counted == 0);
            }
            if (strcmp(out[0].ptr, out[1].ptr) != 0)
                fail_msg("%s by %s%s\ncounted\n%sread\n%s", spans[0], bys[k / FUNCTIONS], function,
                         out[0].ptr, out[1].ptr);
            tk_buf_release(&out[0]);
            tk_buf_release(&out[1]);
        }
    }
}

static void
what_the_store_counts_is_not_read(void **state)
{
    static const struct {
        const char *q, *by;
        bool counts;
    } cases[] = {
        {"{}", "service, name, kind", true},
        {"{}", NULL, true},
        {"{}", ".n", true},
        {"{}", ".service.name", true},
        {"{} | rate() by (name)", NULL, true},
        {"{} | quantile_over_time(duration, 0.95) by (span.n)", NULL, true},
        {"{ status = error } | rate() by (resource.service.name)", NULL, true},
        {"{ resource.service.name = \"db\" }", NULL, true},
        {"{ resource.service.name = \"db\" } | histogram_over_time(duration)", NULL, true},
        {"{ resource.service.name = \"db\" && status = error } | rate()", NULL, true},
        {"{ resource.service.name = \"db\" && resource.service.name = \"db\" }", NULL, false},
        {"{ resource.service.name != \"db\" }", NULL, false},
        {"{ .service.name = \"db\" }", NULL, false},
        {"{ span.service.name = \"db\" }", NULL, false},
        {"{ resource.service.name = \"db\" || status = error } | rate()", NULL, false},
        {"{ resource.service.name = \"db\" }", ".n", false},
        {"{ error = status } | count_over_time() by (span.n)", NULL, false},
        {"{ status = error }", "name", false},
        {"{ status != error } | rate()", NULL, false},
        {"{ status = error } | quantile_over_time(duration, 0.95)", NULL, false},
        {"{}", "status", false},
        {"{}", "name, .n", false},
        {"{}", "event.n", false},
        {"{ true }", "name", false},
        {"{} | max_over_time(duration)", NULL, false},
        {"{} | count() > 1 | rate()", NULL, false},
    };
    (void)state;
    fill();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct tk_metrics metrics;
        struct tk_error err;
        counted = 0;
        assert_int_equal(run(cases[i].q, (struct terms){.by = cases[i].by}, &metrics, &err), TK_OK);
        if ((counted > 0) != cases[i].counts)
            fail_msg("%s by %s: counted %u times", cases[i].q, cases[i].by, counted);
    }
}

/* ---- limits ---- */

static void
further_groups_are_left_out_and_counted(void **state)
{
    struct tk_metrics metrics;
    struct tk_error err;
    struct tk_batch *t = new_batch();
    uint32_t web = add_service(t, "web");
    (void)state;
    for (uint32_t i = 1; i <= TK_METRICS_GROUPS_MAX + 7; i++) {
        add_span(t, web, i, 0, "x", i, 1);
        add_attr(t, "n", int_attr(i));
    }
    memory_store_add(t, 1);
    for (int reading = 0; reading < 2; reading++) {
        const char *q = reading ? "{ true } | rate() by (span.n)" : "{} | rate() by (span.n)";
        assert_int_equal(run(q, (struct terms){0}, &metrics, &err), TK_OK);
        assert_int_equal(metrics.series_count, TK_METRICS_GROUPS_MAX);
        assert_int_equal(metrics.spans_left_out, 7);
        assert_int_equal(
            run(q, (struct terms){.end_ms = TK_METRICS_GROUPS_MAX + 1}, &metrics, &err), TK_OK);
        assert_int_equal(metrics.spans_left_out, 0);
    }
}

static void
memory_has_a_budget(void **state)
{
    struct tk_metrics metrics;
    struct tk_error err;
    struct terms terms = {.by = "name", .step_ms = 100, .memory = 4 << 20};
    (void)state;
    fill();
    assert_int_equal(run("{ true }", terms, &metrics, &err), TK_OK);
    terms.memory = 200 << 10;
    assert_int_equal(run("{ true }", terms, &metrics, &err), TK_ERR_LIMIT);
    assert_non_null(strstr(err.message, "memory"));
    assert_int_equal(run("{}", terms, &metrics, &err), TK_ERR_LIMIT);
}

static void
time_has_a_budget(void **state)
{
    struct tk_metrics metrics;
    struct tk_error err;
    (void)state;
    fill();
    for (int reading = 0; reading < 2; reading++) {
        const char *q = reading ? "{ true }" : "{}";
        assert_int_equal(run(q, (struct terms){.deadline_nano = 999}, &metrics, &err),
                         TK_ERR_TIMEOUT);
        assert_int_equal(run(q, (struct terms){.deadline_nano = 1001}, &metrics, &err), TK_OK);
    }
}

static void
a_wrong_by_says_where(void **state)
{
    static const struct {
        const char *by;
        size_t position;
    } cases[] = {
        {"nothing", 0}, {"name,", 5}, {"name kind", 5},
        {"name, 1", 6}, {"name)", 4}, {"a.a,a.a,a.a,a.a,a.a,a.a,a.a,a.a,a.a", 32},
    };
    struct tk_query *query;
    struct tk_query_error error;
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_int_equal(tk_query_parse(TK_STR("{}"), &arena, &query, &error), TK_OK);
        enum tk_err result = tk_metrics_by(query, tk_str_from(cases[i].by), &error);
        if (cases[i].position != 5 || i != 1) /* a comma at the end is forgiven */
            assert_int_equal(result, TK_ERR_INPUT);
        if (result == TK_ERR_INPUT && error.position != cases[i].position)
            fail_msg("%s: %zu: %s", cases[i].by, error.position, error.detail);
        tk_query_release(query);
    }
}

static int
setup(void **state)
{
    (void)state;
    tk_arena_init(&arena, 1024, SIZE_MAX / 2);
    memory_store_begin();
    vtable = memory_store_vtable;
    vtable.operations = count_operations;
    memory_store.view.vtable = &vtable;
    return 0;
}

static int
teardown(void **state)
{
    (void)state;
    memory_store_end();
    tk_arena_release(&arena);
    return 0;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_span_counts_in_the_step_in_which_it_starts),
        TEST(groups_have_series_of_their_own),
        TEST(functions_are_of_the_numbers_that_are_there),
        TEST(quantiles_are_near),
        TEST(a_plain_query_gives_rate_errors_latencies_and_a_histogram),
        TEST(the_largest_or_smallest_are_kept_in_each_step),
        TEST(counting_and_reading_say_the_same),
        TEST(what_the_store_counts_is_not_read),
        TEST(further_groups_are_left_out_and_counted),
        TEST(memory_has_a_budget),
        TEST(time_has_a_budget),
        TEST(a_wrong_by_says_where),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
