/* The query language: what is said, what it means, and what is said to who says it wrongly. */
#include "query/spans.h"
#include "query/traceql.h"

#include <stdio.h>

static struct tk_arena arena;

static struct tk_query *
parse(const char *text)
{
    struct tk_query *query = NULL;
    struct tk_query_error error;
    enum tk_err result = tk_query_parse(tk_str_from(text), &arena, &query, &error);
    if (result != TK_OK)
        fail_msg("\"%s\": %zu: %s (expected %.*s)", text, error.position, error.detail,
                 TK_STR_ARG(error.expected));
    return query;
}

static bool
matches(const char *text, const struct tk_batch *trace)
{
    struct tk_query *query = parse(text);
    bool result = false;
    assert_int_equal(tk_query_matches(query, trace, &result), TK_OK);
    tk_query_release(query);
    return result;
}

static void
expect(const struct tk_batch *trace, bool expected, const char *const *queries, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (matches(queries[i], trace) != expected)
            fail_msg("%s should%s hold", queries[i], expected ? "" : " not");
    }
}

#define EXPECT(trace, expected, ...)                                                               \
    expect(trace, expected, (const char *const[]){__VA_ARGS__},                                    \
           sizeof((const char *const[]){__VA_ARGS__}) / sizeof(const char *))

static void
what_tempo_takes_is_taken(void **state)
{
    static const char *const queries[] = {
        "{}",
        "{ }",
        "{ true }",
        "{ !true }",
        "{ true && false }",
        "{ true || false }",
        "{ 1 = 2 }",
        "{ 1 != 2 }",
        "{ 1 > 2 }",
        "{ 1 >= 2 }",
        "{ 1 < 2 }",
        "{ 1 <= 2 }",
        "{ -1 = 2 }",
        "{ \"test\" =~ \"test\" }",
        "{ \"test\" !~ \"test\" }",
        "{ \"test\" = \"test\" }",
        "{ \"test\" != \"test\" }",
        "{ .a }",
        "{ !.a }",
        "{ .a && false }",
        "{ .a || true }",
        "{ .a = 2 }",
        "{ .a != 2 }",
        "{ .a > 2 }",
        "{ .a >= 2 }",
        "{ .a < 2 }",
        "{ .a <= 2 }",
        "{ .a =~ \"test\" }",
        "{ .a !~ \"test\" }",
        "{ .a = \"test\" }",
        "{ .a != \"test\" }",
        "{ resource.a != 3 }",
        "{ span.a != 3 }",
        "{ !(\"test\" != .c || ((true && .b) || 3 < .a)) }",
        "{ status = ok }",
        "{ status = unset }",
        "{ status = error }",
        "{ status != error }",
        "{ statusMessage = \"status message\" }",
        "{ statusMessage = \"\" }",
        "{ statusMessage =~ \".*\" }",
        "{ statusMessage != \"\" }",
        "{ kind = internal }",
        "{ kind = client }",
        "{ kind = consumer }",
        "{ traceDuration > 1s }",
        "{ rootServiceName = \"foo\" }",
        "{ rootName != \"foo\" }",
        "{ duration > 1s }",
        "{ 1 < 1h }",
        "{ 1 <= 1.1 }",
        "{ event.foo = \"bar\" }",
        "{ link.foo = \"bar\" }",
        "{ instrumentation.foo = \"bar\" }",
        "{ trace:duration > 2s }",
        "{ trace:rootName = \"a\" }",
        "{ trace:rootService = \"a\" }",
        "{ trace:id = \"aasdf4ergf\" }",
        "{ span:duration > 2s }",
        "{ span:status = error }",
        "{ span:kind = client }",
        "{ span:statusMessage = \"status message\" }",
        "{ span:id = \"61626364656667\" }",
        "{ event:name = \"exception\" }",
        "{ event:timeSinceStart > 1s }",
        "{ link:traceID = \"f1f1f1f1f1f1ff1f1f1f1f1f1f1f1f1\" }",
        "{ link:spanID = \"f1f1f1f1f1f1f1f1\" }",
        "{ instrumentation:name = \"grpc\" }",
        "{ instrumentation:version = \"v3.34\" }",
        "{ .http.status >= \"200\" }",
        "{ true } && { true }",
        "{ true } || { true }",
        "({ true } && { true }) || { false }",
        "{ .foo = nil }",
        "{ .foo != nil }",
        "{ span.\"odd key\" = 1 }",
        "{ .a.\"b c\".d = 1 }",
        "{ duration >= 1h2m3.5s }",
        "{ duration < 10us }",
        "{ duration < 10\xc2\xb5s }",
        "{ duration > 100 }",
        "{ .a = `raw \\ text` }",
        "{ .http.status-code = 200 }",
        "{ span.order.id = \"42\" && resource.service.name = \"api\" && duration > 200ms }",
        "{ order.id = 42 }",
        "{ -.a = 2 }",
        "{ 1 + 1 = 2 }",
        "{ .a ^ 1 = 2 }",
        "{ duration > 1s * 2s }",
        "{ duration < (10s * 20s) }",
        "{ 1 * 1h = 1 }",
        "{ (-(3 / 2) * .test - parent.blerg + .other)^3 = 2 }",
        "{ parent.a != 3 }",
        "{ parent.resource.a && true }",
        "{ parent.span.a > 3 }",
        "{ parent.duration = 1h }",
        "{ span:childCount > 2 }",
        "{ .a < maxInt }",
        "{ nestedSetLeft > 3 }",
        "{ (.a = 1) = true }",
        "{ true } >> { true }",
        "{ true } << { true }",
        "{ true } > { true }",
        "{ true } < { true }",
        "{ true } ~ { true }",
        "{ true } !> { true }",
        "{ true } !< { true }",
        "{ true } !~ { true }",
        "{ true } !>> { true }",
        "{ true } !<< { true }",
        "{ true } &> { true }",
        "{ true } &< { true }",
        "{ true } &~ { true }",
        "{ true } &>> { true }",
        "{ true } &<< { true }",
        "({ true } | count() > 1 | { false }) >> ({ true } | count() > 1 | { false })",
        "({ true } | count() > 1 | { false }) && ({ true } | count() > 1 | { false })",
        "avg(.field) > 1",
        "max(duration) >= 1s",
        "{ true } | sum(duration) = 1h",
        "{ true } | max((1 + .a) * 2) = 1",
        "max(duration) > 3s | { status = error || .http.status = 500 }",
        "min(.field) + max(span:childCount) > max(duration) - min(.field)",
        "{ true } | count() + count() = 1",
        "{ true } | max(parent.a) = 1",
        "min(childCount) < 2 / 6",
        "count() = 1 | { true }",
        "-1 < count()",
        "select(.a)",
        "{} | select(.a,.b,.c)",
        "{ true } | by(1 + .a) | coalesce()",
        "by(.a) | { true }",
        "{ true } | by(3 * .field - 2) | max(duration) < 1s",
        "{ } >> { kind = server } | select(nestedSetLeft, nestedSetRight, nestedSetParent)",
        "{} | rate()",
        "{} | count_over_time() by (name) with(sample=0.1)",
        "{} with(most_recent=true, a=\"b\")",
        "{} | min_over_time(duration) by (span.http.path)",
        "{} | quantile_over_time(duration, 0, 0.9, 1) by (span.http.path, name)",
        "{} | histogram_over_time(duration)",
        "{} | by(name) | count() > 2 | rate() by (name)",
        "{} | rate() | topk(5) > 20 | bottomk (10) <= 10",
        "{} | rate() > -3",
        "{} | rate() >= 100 * 3",
        "{.a=1&&.b=-2.5e-3||!.c}",
        "\t{\n.a = 1\r\n}  ",
    };
    (void)state;
    for (size_t i = 0; i < sizeof queries / sizeof queries[0]; i++)
        tk_query_release(parse(queries[i]));
}

static void
what_is_wrong_is_refused_at_its_place(void **state)
{
    static const struct {
        const char *query;
        size_t position;
        const char *detail; /* a part of it */
    } cases[] = {
        /* Tempo's parse_fails and validate_fails, as far as they are spanset filters */
        {"( true )", 2, "unexpected"},
        {"{ . }", 2, ""},
        {"{ < }", 2, "unexpected"},
        {"{ .a < }", 7, "unexpected"},
        {"{ .a < 3", 8, "ends too early"},
        {"{ (.a < 3 }", 10, "unexpected"},
        {"{ attribute = 4 }", 2, "unknown name"},
        {"{ .attribute == 4 }", 14, "unexpected"},
        {"{ span. }", 2, ""},
        {"{ true } + { true }", 9, "unexpected"},
        {"{ true } = { true }", 9, "unexpected"},
        {"{ trace:status = error }", 2, "unknown name"},
        {"{ span:rootName = \"bar\" }", 2, "unknown name"},
        {"{ status }", 2, "neither true nor false"},
        {"{ ok }", 2, "neither true nor false"},
        {"{ 1.1 }", 2, "neither true nor false"},
        {"{ 1h }", 2, "neither true nor false"},
        {"{ \"foo\" }", 2, "neither true nor false"},
        {"{ 1 = \"foo\" }", 6, "never be equal"},
        {"{ 1 != true }", 7, "never be equal"},
        {"{ 1 > ok }", 6, "never be equal"},
        {"{ 1 = name }", 6, "never be equal"},
        {"{ 1 =~ 2}", 7, "regular expression"},
        {"{ 1 && \"foo\" }", 2, "neither true nor false"},
        {"{ true || 1.1 }", 10, "neither true nor false"},
        {"{ status > ok }", 2, "order"},
        {"{ kind < consumer }", 2, "order"},
        {"{ traceDuration > \"test\" }", 18, "never be equal"},
        {"{ rootServiceName = 1 }", 20, "never be equal"},
        {"{ span.foo =~ \"[\" }", 14, "missing terminating ]"},
        {"{ -true }", 3, "only numbers"},
        {"{ -\"foo\" = \"bar\" }", 3, "only numbers"},
        {"{ !name = \"foo\" }", 3, "\"!\""},
        {"{ !1 = 1 }", 3, "\"!\""},
        {"{ 1 + 1 }", 2, "neither true nor false"},
        {"{ 1 + \"foo\" = 1 }", 6, "of numbers only"},
        {"{ 1 - true = 1 }", 6, "of numbers only"},
        {"{ 1 / ok = 1 }", 6, "of numbers only"},
        {"{ 1 ^ name = 1 }", 6, "of numbers only"},
        {"{ \"foo\" = childCount }", 10, "never be equal"},
        {"{ nestedSetLeft = \"foo\" }", 18, "never be equal"},
        {"{ parent }", 2, "unknown name"},
        {"{ parent. = 1 }", 2, "unexpected"},
        {"{ (.a = 1) = 2 }", 13, "never be equal"},
        {"{ -ok = status }", 3, "only numbers"},
        {"{ !ok = status }", 3, "\"!\""},
        /* pipelines */
        {"{} |", 4, "too early"},
        {"{} | {", 6, "too early"},
        {"{} | count()", 12, "too early"},
        {"{} | count = 1", 11, "unexpected"},
        {"{} | max() = 1", 9, "unexpected"},
        {"{} | max(name) = \"foo\"", 9, "only numbers"},
        {"{} | max(3) = 1", 9, "the same for every span"},
        {"{} | count() = \"foo\"", 15, "never be equal"},
        {"{} | .a = 1", 5, "unexpected"},
        {"{} | 3 > 2", 5, "the same for every trace"},
        {"{} | by()", 8, "unexpected"},
        {"{} | by(1)", 8, "the same for every span"},
        {"coalesce() | {}", 0, "groups to put together"},
        {"({} | coalesce()", 16, "too early"},
        {"{} | select()", 12, "attribute or an intrinsic"},
        {"{} | select(1)", 12, "attribute or an intrinsic"},
        {"select(.a", 9, "too early"},
        {"{} | notAnAggregate() = 1", 5, "unexpected"},
        {"count() > 3 && {}", 12, "unexpected"},
        {"({ true }) && (count())", 22, "unexpected"},
        {"{} > 10", 5, "unexpected"},
        {"{} <= {}", 3, "unexpected"},
        /* metrics */
        {"{} | topk(10)", 5, "unexpected"},
        {"{} | rate() | topk(-1)", 19, "unexpected"},
        {"{} | rate() | topk(0)", 19, "unexpected"},
        {"{} | rate() == 42", 13, "unexpected"},
        {"{} | rate() + 5", 12, "unexpected"},
        {"{} | rate() | {}", 14, "unexpected"},
        {"({} | rate()) * 2", 6, "not supported"},
        {"{} | compare({ status = error })", 5, "not supported"},
        {"{} | quantile_over_time(duration)", 32, "unexpected"},
        {"{} | quantile_over_time(duration, 1.5)", 34, "share of all"},
        {"{} | max_over_time(name)", 19, "not a number"},
        {"{} | rate() by (1)", 16, "attribute or an intrinsic"},
        {"{} | rate() with(a)", 18, "unexpected"},
        /* words and numbers */
        {"{ .a = \"open }", 7, "does not end"},
        {"{ .a = \"\\q\" }", 8, "unknown escape"},
        {"{ .a = 12abc }", 7, "no number"},
        {"{ .a = 99999999999999999999 }", 7, "no number"},
        {"{ span.\"open = 1 }", 7, "does not end"},
        {"{ .a = error }", 7, "never holds a status"},
        {"{ .a > true }", 7, "order"},
        {"{ .a = 1 } { .b = 2 }", 11, "unexpected"},
        {"{ .a = 1, .b = 2 }", 8, "unexpected"},
        /* characters, not bytes */
        {"{ .\xc3\xa9 = \"\xe2\x82\xac\" ) }", 11, "unexpected"},
        {"  { name = 1 }", 11, "never be equal"},
        /* shorthand */
        {"order.id=", 9, "nothing behind"},
        {"error duration>200", 15, "is not that"},
        {"status:500", 7, "is not that"},
        {"kind:browser", 5, "is not that"},
        {"error name=~\"(\"", 6, "missing closing parenthesis"},
        {"a=1 && b=2", 4, "unexpected"},
        {"maximum(duration) > 1s", 7, "unexpected"},
        {"error {", 6, "unexpected"},
        {"\"open", 0, "does not end"},
        {"kind>server", 0, "order"},
    };
    int wrong = 0;
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct tk_query *query;
        struct tk_query_error error = {.detail = "taken"};
        enum tk_err result = tk_query_parse(tk_str_from(cases[i].query), &arena, &query, &error);
        bool said = strstr(error.detail, cases[i].detail) != NULL ||
                    (error.expected.len > 0 && strstr(error.expected.ptr, cases[i].detail) != NULL);
        if (error.position == cases[i].position && said && result == TK_ERR_INPUT)
            continue;
        print_error("%s: %zu %s (expected %.*s)\n", cases[i].query, error.position, error.detail,
                    TK_STR_ARG(error.expected));
        wrong++;
    }
    assert_int_equal(wrong, 0);
}

static struct tk_batch *
shop_trace(void)
{
    struct tk_batch *t = new_batch();
    uint32_t web = add_service(t, "web"), api = add_service(t, "api");
    add_span(t, web, 1, 0, "GET /Checkout", 0, 500);
    t->kind[0] = TK_KIND_CLIENT;
    add_attr(t, "order.id", string_attr("42"));
    add_attr(t, "http.request.method", string_attr("POST"));
    add_span(t, api, 2, 1, "charge", 100, 250);
    t->kind[1] = TK_KIND_SERVER;
    t->status[1] = TK_STATUS_ERROR;
    t->status_message[1] = TK_STR("card refused");
    add_attr(t, "http.status_code", int_attr(502));
    add_attr(t, "order.id", int_attr(42));
    add_attr(t, "big", int_attr(INT64_C(9007199254740993)));
    add_attr(t, "retry", bool_attr(true));
    add_attr(t, "cart total", double_attr(42.0));
    add_attr(t, "service.tier", string_attr("gold"));
    return t;
}

static void
conditions_hold_for_the_spans_that_fulfil_them(void **state)
{
    struct tk_batch *t = shop_trace();
    (void)state;
    EXPECT(t, true, "{}", "{ name = \"charge\" }", "{ span:name = `charge` }", "{ kind = server }",
           "{ span:kind = client }", "{ status = error }", "{ statusMessage = \"card refused\" }",
           "{ duration = 250ms }", "{ duration > 249ms && duration < 251ms }",
           "{ duration = 250000000 }", "{ traceDuration = 500ms }", "{ trace:duration = 0.5s }",
           "{ rootName = \"GET /Checkout\" && status = error }", "{ rootServiceName = \"web\" }",
           "{ trace:rootService = \"web\" }", "{ resource.service.name = \"api\" }",
           "{ .service.name = \"api\" }", "{ span.order.id = \"42\" }", "{ span.order.id = 42 }",
           "{ .order.id = 42.0 }", "{ .\"cart total\" = 42 }", "{ span.\"cart total\" = 42 }",
           "{ .\"cart total\" >= 41.5 }", "{ .retry }", "{ .retry = true }", "{ !.missing }",
           "{ .missing = nil }", "{ .retry != nil }", "{ .order.id != 43 }", "{ 42 = .order.id }",
           "{ .big = 9007199254740993 }", "{ .big > 9007199254740992.0 }", "{ name =~ \"GET.*\" }",
           "{ name !~ \"GET.*\" }", "{ .http.request.method =~ \"P.ST\" }",
           "{ .http.response.status_code = 502 }", "{ .http.status_code = 502 }",
           "{ .http.method = \"POST\" }", "{ span.http.response.status_code >= 500 }",
           "{ trace:id = \"4BF92F3577B34DA6A3CE929D0E0E4736\" }",
           "{ span:id = \"0000000000000002\" && span:parentID = \"0000000000000001\" }",
           "{ false || true && true }", "{ true || true && false }",
           "{ name = \"charge\" } && { kind = client }", "{ false } || { kind = client }",
           "({ false } || { true }) && { true }", "{ span.order.id = \"42\" || false }",
           "{ .order.id != \"43\" }", "{ order.id = 42 }", "{ \"a\" < \"b\" }",
           "{ .service.tier > \"go\" }", "{ 1 + 2 * 3 ^ 2 = 19 }", "{ 2 ^ 3 ^ 2 = 512 }",
           "{ -2 ^ 2 = -4 }", "{ 7 / 2 = 3 && 7.0 / 2 = 3.5 && 7 % 4 = 3 && 1 - 2 - 3 = -4 }",
           "{ 0 / 0 != 1 }", "{ maxInt + 1 > maxInt }", "{ minInt / -1 > 9e18 }",
           "{ .order.id + 1 = 43 && .order.id * 2 = 84 }", "{ -.order.id = -42 }",
           "{ duration / 2 = 125ms }", "{ duration > .http.status_code * 1us }",
           "{ duration = traceDuration / 2 }", "{ .order.id = .\"cart total\" }",
           "{ .http.status_code > .order.id }", "{ (.order.id = 42) = .retry }",
           "{ (.missing = nil) = true }", "{ !(.order.id = 42 && .missing) = true }",
           "{ parent.name = \"GET /Checkout\" && name = \"charge\" }",
           "{ parent.order.id = \"42\" && span.order.id = 42 }", "{ parent.kind = nil }",
           "{ parent.resource.service.name != .service.name && kind = server }",
           "{ childCount = 1 && kind = client }", "{ span:childCount = 0 && kind = server }",
           "{ nestedSetParent = -1 && nestedSetLeft = 1 && nestedSetRight = 4 }",
           "{ nestedSetParent = 1 && nestedSetLeft = 2 && nestedSetRight = 3 }");
    EXPECT(t, false, "{ false }", "{ name = \"char\" }", "{ name =~ \"char\" }",
           "{ name = \"charge\" && kind = client }", "{ duration > 500ms }",
           "{ resource.order.id = 42 }", "{ .missing }", "{ .missing != 1 }", "{ .missing < 1 }",
           "{ .missing + 1 = 1 }", "{ !(duration >= 250ms) }", "{ 1 / 0 = 1 }",
           "{ parent.name = \"charge\" }", "{ kind = client && parent.kind != nil }",
           "{ kind = server && parent.order.id = 42 }", "{ childCount = 2 }", "{ .missing != nil }",
           "{ .missing = .missing2 }", "{ .missing != .missing2 }", "{ .retry = \"true\" }",
           "{ .http.status_code = \"502\" }", "{ .big = 9007199254740992 }",
           "{ .big = 9007199254740992.0 }", "{ name = \"charge\" } && { name = \"missing\" }",
           "{ .order.id = \"43\" }", "{ .order.id > \"5\" && kind = server }",
           "{ span.service.name = \"api\" }", "{ .order.id }");
    tk_batch_free(t);
}

static void
events_links_and_lists_have_many_values(void **state)
{
    /* ArrayValue { values { string_value: "x" } values { int_value: 7 } } */
    static const char list[] = "\x0a\x03\x0a\x01x\x0a\x02\x18\x07";
    struct tk_batch *t = shop_trace();
    uint32_t event, link;
    (void)state;
    add_attr(t, "list",
             (struct tk_value){.type = TK_VALUE_ARRAY, .len = sizeof list - 1, .ptr = list});
    for (int i = 0; i < 2; i++) {
        assert_int_equal(tk_batch_add_event(t, &event), TK_OK);
        t->event[event].name = i == 0 ? TK_STR("exception") : TK_STR("retry");
        t->event[event].time_nano = t->start_nano[1] + (uint64_t)(i + 1) * 10 * MS;
        t->event[event].attrs = (struct tk_range){t->attr_count, 1};
        assert_int_equal(tk_batch_add_attr(t, TK_STR("n"), int_attr(i)), TK_OK);
    }
    t->events[1] = (struct tk_range){event - 1, 2};
    assert_int_equal(tk_batch_add_link(t, &link), TK_OK);
    t->link[link].trace_id = (struct tk_trace_id){1, 2};
    t->link[link].span_id = 3;
    t->links[1] = (struct tk_range){link, 1};
    EXPECT(t, true, "{ event:name = \"retry\" }", "{ event:name = \"exception\" }",
           "{ event.n = 0 && event.n = 1 }", "{ event.n != 0 }", "{ event.n = nil }",
           "{ kind = client && event:name = nil }", "{ event:timeSinceStart = 20ms }",
           "{ link:spanID = \"0000000000000003\" }",
           "{ link:traceID = \"00000000000000010000000000000002\" }", "{ .list = \"x\" }",
           "{ .list = 7 }", "{ .list != 8 }", "{ .list != \"y\" }", "{ .list =~ \"[x-z]\" }",
           "{ .list != nil }", "{ event.n + 1 = 2 }", "{ event.n + event.n = 1 }",
           "{ -event.n = -1 }", "{ (event.n) = 1 }", "{ event:timeSinceStart * 2 = 40ms }",
           "{ (event.n = 1) = true }", "{ event.n > event.n }");
    EXPECT(t, false, "{ event.n + event.n = 3 }", "{ parent.event.n = 1 }", "{ event.n = 2 }",
           "{ kind = server && event.n = nil }", "{ event:name = \"none\" }", "{ link.a = 1 }",
           "{ .list = \"y\" }", "{ .list != 7 }", "{ .list !~ \"x\" }", "{ .list = true }",
           "{ .list != true }");
    tk_batch_free(t);
}

static void
shorthand_is_translated(void **state)
{
    static const struct {
        const char *words, *traceql;
    } cases[] = {
        {"", "{}"},
        {"  ", "{}"},
        {"error", "{ status = error }"},
        {"order.id=42", "{ (.order.id = 42 || .order.id = \"42\") }"},
        {"order.id:42", "{ (.order.id = 42 || .order.id = \"42\") }"},
        {"order.id=\"42\"", "{ .order.id = \"42\" }"},
        {"order.id=A-7", "{ .order.id = \"A-7\" }"},
        {"order.id!=42", "{ (.order.id != 42 || .order.id != \"42\") }"},
        {"cart.items>3", "{ .cart.items > 3 }"},
        {"a=true", "{ (.a = true || .a = \"true\") }"},
        {"a=nil", "{ .a = nil }"},
        {"a=200ms", "{ .a = \"200ms\" }"},
        {"a=error", "{ .a = \"error\" }"},
        {"span.a=1 resource.b=x", "{ (span.a = 1 || span.a = \"1\") && resource.b = \"x\" }"},
        {"\"odd key\"=1", "{ (.\"odd key\" = 1 || .\"odd key\" = \"1\") }"},
        {"service:api", "{ resource.service.name = \"api\" }"},
        {"service!=api", "{ resource.service.name != \"api\" }"},
        {"duration>200ms", "{ duration > 200ms }"},
        {"duration >= 1.5s", "{ duration >= 1.5s }"},
        {"span:duration>200ms", "{ span:duration > 200ms }"},
        {"name:charge", "{ name = \"charge\" }"},
        {"name:\"GET /users\"", "{ name = \"GET /users\" }"},
        {"name=~\"GET .*\"", "{ name =~ \"GET .*\" }"},
        {"status:error kind:server", "{ status = error && kind = server }"},
        {"timeout", "{ name =~ \"(?i).*timeout.*\" }"},
        {"\"two words\"", "{ name =~ \"(?i).*two words.*\" }"},
        {"/a.b", "{ name =~ \"(?i).*/a\\\\.b.*\" }"},
        {"4bf92f3577b34da6a3ce929d0e0e4736", "{ trace:id = \"4bf92f3577b34da6a3ce929d0e0e4736\" }"},
        {"trace:4bf92f3577b34da6a3ce929d0e0e4736",
         "{ trace:id = \"4bf92f3577b34da6a3ce929d0e0e4736\" }"},
        {"order.id=42 service:api error duration>200ms",
         "{ (.order.id = 42 || .order.id = \"42\") && resource.service.name = \"api\" && "
         "status = error && duration > 200ms }"},
        {" { .a = 1 } ", "{ .a = 1 }"},
        {"k=\"a\\\"b\\\\c\"", "{ .k = \"a\\\"b\\\\c\" }"},
        {"url=http://x/?a=b&c=(d)", "{ .url = \"http://x/?a=b&c=(d)\" }"},
        {"n=-5", "{ (.n = -5 || .n = \"-5\") }"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct tk_query *query = parse(cases[i].words);
        char text[512];
        (void)snprintf(text, sizeof text, "%.*s", TK_STR_ARG(tk_query_text(query)));
        assert_string_equal(text, cases[i].traceql);
        tk_query_release(query);
    }
}

static void
shorthand_finds_every_type_of_a_number_on_one_span(void **state)
{
    struct tk_batch *t = shop_trace();
    (void)state;
    EXPECT(t, true, "order.id=42", "order.id=42 service:api error duration>200ms",
           "order.id=42 service:web", "\"cart total\"=42", "checkout", "CHARGE", "\"get /check\"",
           "order.id=\"42\" service:web", "http.status_code=502", "retry=true",
           "4bf92f3577b34da6a3ce929d0e0e4736");
    EXPECT(t, false, "order.id=42 service:web error", "order.id=43", "order.id=\"42\" service:api",
           "nothing", "4bf92f3577b34da6a3ce929d0e0e4737", "checkout error");
    tk_batch_free(t);
}

static void
a_bare_trace_id_can_be_looked_up(void **state)
{
    struct tk_trace_id id = {0};
    (void)state;
    assert_true(tk_query_trace_id(parse(" 4BF92F3577B34DA6A3CE929D0E0E4736 "), &id));
    assert_true(id.high == 0x4bf92f3577b34da6 && id.low == 0xa3ce929d0e0e4736);
    assert_true(
        tk_query_trace_id(parse("{ trace:id = \"4bf92f3577b34da6a3ce929d0e0e4736\" }"), &id));
    assert_false(tk_query_trace_id(parse("4bf92f3577b34da6a3ce929d0e0e4736 error"), &id));
    assert_false(tk_query_trace_id(parse("{}"), &id));
}

static void
a_costly_regular_expression_hits_its_limit(void **state)
{
    struct tk_batch *t = new_batch();
    struct tk_query *query = parse("{ name =~ \"(a+)+[bd]\" }");
    bool result = true;
    (void)state;
    add_span(t, add_service(t, "a"), 1, 0, "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaac", 0,
             1);
    assert_int_equal(tk_query_matches(query, t, &result), TK_ERR_LIMIT);
    tk_query_release(query);
    tk_batch_free(t);
}

static void
depth_and_length_have_limits(void **state)
{
    static char text[TK_QUERY_TEXT_MAX + 2];
    struct tk_query *query;
    struct tk_query_error error;
    (void)state;
    /* "{" is the first level */
    for (int depth = TK_QUERY_DEPTH_MAX - 1; depth <= TK_QUERY_DEPTH_MAX; depth++) {
        int at = 0;
        text[at++] = '{';
        for (int i = 0; i < depth; i++)
            text[at++] = i % 2 == 0 ? '(' : '!';
        memcpy(text + at, "true", 4);
        at += 4;
        for (int i = 0; i < depth; i++) {
            if (i % 2 == 0)
                text[at++] = ')';
        }
        text[at++] = '}';
        enum tk_err result = tk_query_parse((tk_str){text, (size_t)at}, &arena, &query, &error);
        assert_int_equal(result, depth < TK_QUERY_DEPTH_MAX ? TK_OK : TK_ERR_INPUT);
    }
    memset(text, ' ', sizeof text);
    assert_int_equal(tk_query_parse((tk_str){text, TK_QUERY_TEXT_MAX}, &arena, &query, &error),
                     TK_OK);
    assert_int_equal(tk_query_parse((tk_str){text, TK_QUERY_TEXT_MAX + 1}, &arena, &query, &error),
                     TK_ERR_INPUT);
}

static void
selected_spans_are_those_of_the_spansets_that_hold(void **state)
{
    struct tk_batch *t = shop_trace();
    bool selected[2], result;
    struct tk_query *query = parse("{ kind = client } || ({ kind = server } && { false })");
    (void)state;
    assert_int_equal(tk_query_select(query, t, selected, &result), TK_OK);
    assert_true(result && selected[0] && !selected[1]);
    tk_query_release(query);
    query = parse("{ kind = client } && { kind = server }");
    assert_int_equal(tk_query_select(query, t, selected, &result), TK_OK);
    assert_true(result && selected[0] && selected[1]);
    tk_query_release(query);
    query = parse("{ kind = client } && { false }");
    assert_int_equal(tk_query_select(query, t, selected, &result), TK_OK);
    assert_true(!result && !selected[0] && !selected[1]);
    tk_query_release(query);
    tk_batch_free(t);
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

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_tempo_takes_is_taken),
        TEST(what_is_wrong_is_refused_at_its_place),
        TEST(conditions_hold_for_the_spans_that_fulfil_them),
        TEST(events_links_and_lists_have_many_values),
        TEST(shorthand_is_translated),
        TEST(shorthand_finds_every_type_of_a_number_on_one_span),
        TEST(a_bare_trace_id_can_be_looked_up),
        TEST(a_costly_regular_expression_hits_its_limit),
        TEST(depth_and_length_have_limits),
        TEST(selected_spans_are_those_of_the_spansets_that_hold),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
