/*
 * Scans with filters against scans without: the same traces, in the same order, with the same
 * spans - those for which, for each filter, one of the spans passes.
 *
 * Spans are made at random from a seed, with values of every type and rarity, in several segments
 * and in the open buffer; traces lie in one or several of them.
 */
#include "fixture.h"
#include "store/embedded/match.h"

enum { ROUNDS = 5, SPANS_A_ROUND = 2500, TRACES = 900, FILTERS_MAX = 3, NODES = 64 };
/* Sanitizers, many times slower, look for other things than right answers. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
enum { SCANS = 80 };
#else
enum { SCANS = 400 };
#endif

static uint64_t state;

static uint64_t
below(uint64_t limit)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state % limit;
}

/* Text that outlives the batch. */
static const char *
text(const char *format, uint64_t number)
{
    static char texts[1 << 16][24];
    static uint32_t next;
    char *at = texts[next++ % (1 << 16)];
    (void)snprintf(at, sizeof texts[0], format, (unsigned long long)number);
    return at;
}

static struct tk_value
of_int(int64_t number)
{
    struct tk_value value = {.type = TK_VALUE_INT};
    value.i = number;
    return value;
}

static struct tk_value
of_double(double number)
{
    struct tk_value value = {.type = TK_VALUE_DOUBLE};
    value.d = number;
    return value;
}

/* Keys by how often they come and how distinct their values are. */
static struct tk_range
random_attrs(struct tk_batch *batch, uint64_t seed)
{
    struct tk_range range = {batch->attr_count, 0};
    fx_attr(batch, "common", fx_text(text("c%llu", below(4))));
    if (below(2) == 0)
        fx_attr(batch, "many", fx_text(text("m%llu", below(3000))));
    fx_attr(batch, "unique", fx_text(text("u-%016llx", seed * 7)));
    if (below(3) == 0)
        fx_attr(batch, "number",
                below(2) == 0 ? of_int((int64_t)below(1000) - 500)
                              : of_double((double)below(1000) / 4 - 100));
    if (below(4) == 0)
        fx_attr(batch, "code", of_int((int64_t)below(5)));
    if (below(5) == 0) {
        struct tk_value value = {.type = TK_VALUE_BOOL};
        value.b = below(2) == 0;
        fx_attr(batch, "flag", value);
    }
    if (below(300) == 0)
        fx_attr(batch, "rare", fx_text(text("r%llu", below(10))));
    if (below(100) == 0)
        fx_attr(batch, "many", below(2) == 0 ? fx_text(text("m%llu", below(3000))) : of_int(7));
    if (below(200) == 0)
        fx_attr(batch, "common",
                (struct tk_value){.type = TK_VALUE_BYTES, .len = 2, .ptr = "\1\2"});
    range.count = batch->attr_count - range.begin;
    return range;
}

static void
add_resources(struct tk_batch *batch)
{
    for (uint64_t i = 0; i < 4; i++) {
        uint32_t index;
        struct tk_range attrs = {batch->attr_count, 2};
        uint64_t number = below(20);
        fx_attr(batch, "service.name", fx_text(text("service-%llu", number % 5)));
        fx_attr(batch, "instance", of_int((int64_t)number));
        assert_int_equal(tk_batch_add_resource(batch, &index), TK_OK);
        batch->resources[index].attrs = attrs;
        attrs = (struct tk_range){batch->attr_count, 1};
        fx_attr(batch, "scope.attr", fx_text(text("s%llu", below(3))));
        assert_int_equal(tk_batch_add_scope(batch, &index), TK_OK);
        batch->scopes[index] = (struct tk_scope){.name = tk_str_from(text("lib%llu", below(3))),
                                                 .version = tk_str_from(text("%llu.0", below(2))),
                                                 .attrs = attrs};
    }
}

static void
add_random_span(struct tk_batch *batch, uint64_t trace, uint64_t span)
{
    uint32_t row, index;
    assert_int_equal(tk_batch_add_span(batch, &row), TK_OK);
    batch->trace_id[row] = fx_trace_id(trace);
    batch->span_id[row] = span;
    batch->parent_id[row] = below(3) == 0 ? 0 : below(span) + 1;
    batch->start_nano[row] = 1000000 + trace * 1000 + below(5000);
    batch->end_nano[row] = batch->start_nano[row] + below(100000);
    batch->name[row] = tk_str_from(text("GET /%llu", below(12)));
    batch->status[row] = (int32_t)below(3);
    batch->status_message[row] = below(20) == 0 ? TK_STR("failed") : TK_STR_NONE;
    batch->kind[row] = (int32_t)below(6);
    batch->resource[row] = (uint32_t)below(4);
    batch->scope[row] = (uint32_t)below(4);
    struct tk_range attrs = random_attrs(batch, span);
    batch->attrs[row] = attrs;
    batch->events[row].begin = batch->event_count;
    for (uint64_t i = below(3); i > 1; i--) {
        attrs = random_attrs(batch, span);
        assert_int_equal(tk_batch_add_event(batch, &index), TK_OK);
        batch->event[index] = (struct tk_event){.time_nano = batch->start_nano[row],
                                                .name = tk_str_from(text("e%llu", below(4))),
                                                .attrs = attrs};
        batch->events[row].count++;
    }
    if (below(10) == 0) {
        attrs = random_attrs(batch, span);
        assert_int_equal(tk_batch_add_link(batch, &index), TK_OK);
        batch->link[index] = (struct tk_link){.trace_id = {1, 2}, .span_id = 3, .attrs = attrs};
        batch->links[row] = (struct tk_range){index, 1};
    }
}

/* Most traces of a round are its own; some come again in a later one. */
static void
send_round(struct tk_store *store, uint64_t round)
{
    struct fx_done done = FX_DONE_INIT;
    struct tk_buf body;
    struct tk_error err;
    struct tk_batch *made = tk_batch_new();
    add_resources(made);
    for (uint64_t i = 0; i < SPANS_A_ROUND; i++) {
        uint64_t trace = below(10) == 0 ? below(TRACES) : round * (TRACES / ROUNDS) + below(150);
        add_random_span(made, trace + 1, round * SPANS_A_ROUND + i + 1);
    }
    fx_encode(made, &body);
    tk_batch_free(made);
    struct tk_store_append append = {.project = 1,
                                     .format = TK_FORMAT_OTLP_PROTOBUF,
                                     .body = tk_buf_str(&body),
                                     .batch = fx_decode(tk_buf_str(&body)),
                                     .done = fx_on_done,
                                     .arg = &done};
    assert_int_equal(tk_store_append(store, &append, &err), TK_OK);
    assert_int_equal(fx_wait(&done), TK_OK);
    tk_buf_release(&body);
}

/* Filters. */

static struct tk_filter nodes[NODES];
static uint32_t node_count;

static bool
ends_in_seven(void *arg, tk_str of)
{
    (void)arg;
    return of.len > 0 && of.ptr[of.len - 1] == '7';
}

static struct tk_filter
random_attribute_test(void)
{
    static const char *const keys[] = {"common",     "many",         "unique",  "number",
                                       "code",       "flag",         "rare",    "nowhere",
                                       "scope.attr", "service.name", "instance"};
    struct tk_filter test = {.type = TK_FILTER_TEST, .field = TK_FIELD_ATTRIBUTE};
    const char *key = keys[below(sizeof keys / sizeof keys[0])];
    test.key = tk_str_from(key);
    test.owners = below(3) == 0 ? (unsigned)below(31) + 1 : TK_OWNER_SPAN | TK_OWNER_RESOURCE;
    test.op = (enum tk_filter_op)below(TK_FILTER_MATCHES + 1);
    switch (below(8)) {
    case 0:
        test.value = of_int((int64_t)below(20) - 3);
        break;
    case 1:
        test.value = of_double((double)below(400) / 4 - 20);
        break;
    case 2:
        test.value.type = TK_VALUE_BOOL;
        test.value.b = true;
        break;
    default:
        test.op = below(4) == 0 ? TK_FILTER_MATCHES : TK_FILTER_EQ;
        test.value = fx_text(strcmp(key, "unique") == 0 ? text("u-%016llx", (1 + below(12500)) * 7)
                             : strcmp(key, "many") == 0 ? text("m%llu", below(3000))
                             : strcmp(key, "rare") == 0 ? text("r%llu", below(12))
                             : strcmp(key, "common") == 0     ? text("c%llu", below(5))
                             : strcmp(key, "scope.attr") == 0 ? text("s%llu", below(4))
                                                              : text("service-%llu", below(6)));
    }
    test.matches = ends_in_seven;
    return test;
}

static struct tk_filter
random_field_test(void)
{
    struct tk_filter test = {.type = TK_FILTER_TEST, .op = TK_FILTER_EQ, .matches = ends_in_seven};
    test.field = (enum tk_filter_field)(1 + below(TK_FIELD_DURATION));
    switch (test.field) {
    case TK_FIELD_NAME:
        test.value = fx_text(text("GET /%llu", below(14)));
        break;
    case TK_FIELD_STATUS_MESSAGE:
        test.value = fx_text(below(3) == 0 ? "" : "failed");
        break;
    case TK_FIELD_EVENT_NAME:
        test.value = fx_text(text("e%llu", below(5)));
        break;
    case TK_FIELD_SCOPE_NAME:
        test.value = fx_text(text("lib%llu", below(4)));
        break;
    case TK_FIELD_SCOPE_VERSION:
        test.value = fx_text(text("%llu.0", below(3)));
        break;
    default:
        test.op = (enum tk_filter_op)below(TK_FILTER_MATCHES);
        test.value = test.field == TK_FIELD_DURATION ? of_int((int64_t)below(100000))
                                                     : of_int((int64_t)below(6));
        return test;
    }
    if (below(4) == 0)
        test.op = below(2) == 0 ? TK_FILTER_MATCHES : TK_FILTER_EXISTS;
    return test;
}

static const struct tk_filter *
random_filter(uint32_t depth)
{
    struct tk_filter *node = &nodes[node_count++];
    assert_true(node_count < NODES);
    if (depth == 0 || below(3) == 0) {
        *node = below(3) > 0 ? random_attribute_test() : random_field_test();
        return node;
    }
    *node = (struct tk_filter){.type = below(2) == 0 ? TK_FILTER_ALL : TK_FILTER_ANY};
    const struct tk_filter *first = NULL;
    for (uint64_t i = below(4); i > 0; i--) {
        struct tk_filter *child = (struct tk_filter *)(uintptr_t)random_filter(depth - 1);
        child->next = first;
        first = child;
    }
    node->child = first;
    return node;
}

/* All of it in memory. */
struct expected {
    struct tk_trace_id id;
    uint64_t start_nano, end_nano;
    struct tk_batch *spans;
};
static struct expected all[TRACES];
static uint32_t all_count;

static void
copy_all(struct tk_store_view *view)
{
    struct tk_store_range range = {0};
    struct tk_store_scan *scan;
    struct tk_store_trace trace;
    struct tk_error err;
    enum tk_err code;
    assert_int_equal(tk_store_scan_open(view, &range, &scan, &err), TK_OK);
    all_count = 0;
    while ((code = tk_store_scan_next(scan, &trace, &err)) == TK_OK) {
        struct tk_batch *spans = tk_batch_new();
        assert_int_equal(tk_store_find(view, trace.id, NULL, spans, &err), TK_OK);
        fx_assert_same_spans(trace.spans, spans);
        all[all_count++] = (struct expected){trace.id, trace.start_nano, trace.end_nano, spans};
    }
    assert_int_equal(code, TK_ERR_END);
    tk_store_scan_close(scan);
}

static void
free_all(void)
{
    for (uint32_t i = 0; i < all_count; i++)
        tk_batch_free(all[i].spans);
}

static bool
is_expected(const struct expected *trace, const struct tk_store_range *range)
{
    if (trace->start_nano < range->begin_nano ||
        (range->end_nano != 0 && trace->start_nano >= range->end_nano) ||
        trace->end_nano < range->ended_nano)
        return false;
    if (range->after && (trace->start_nano > range->after_start_nano ||
                         (trace->start_nano == range->after_start_nano &&
                          tk_trace_id_cmp(trace->id, range->after_id) <= 0)))
        return false;
    for (size_t f = 0; f < range->filter_count; f++) {
        bool holds = false;
        for (uint32_t row = 0; row < trace->spans->span_count && !holds; row++)
            holds = tk_match_row(range->filters[f], trace->spans, row);
        if (!holds)
            return false;
    }
    return true;
}

static struct tk_store_range
random_range(const struct tk_filter **filters)
{
    struct tk_store_range range = {.filters = filters, .filter_count = 1 + below(FILTERS_MAX)};
    node_count = 0;
    for (size_t i = 0; i < range.filter_count; i++)
        filters[i] = random_filter((uint32_t)below(3));
    if (below(3) == 0)
        range.begin_nano = 1000000 + below(TRACES * 1000);
    if (below(3) == 0)
        range.end_nano = 1000000 + below(TRACES * 1000);
    if (below(4) == 0)
        range.ended_nano = 1000000 + below(TRACES * 1000);
    if (below(3) == 0) {
        const struct expected *after = &all[below(all_count)];
        range.after = true;
        range.after_start_nano = after->start_nano;
        range.after_id = after->id;
    }
    range.want.lean = below(2) == 0;
    return range;
}

static void
compare_lean(const struct tk_batch *lean, const struct tk_batch *spans)
{
    assert_int_equal(lean->span_count, spans->span_count);
    for (uint32_t row = 0; row < lean->span_count; row++) {
        uint32_t other = fx_row_of(spans, lean->span_id[row]);
        assert_true(lean->start_nano[row] == spans->start_nano[other]);
        assert_true(lean->end_nano[row] == spans->end_nano[other]);
        assert_true(lean->parent_id[row] == spans->parent_id[other]);
        assert_true(tk_str_eq(lean->name[row], spans->name[other]));
        assert_int_equal(lean->status[row], spans->status[other]);
        assert_int_equal(lean->kind[row], spans->kind[other]);
        assert_true(tk_str_eq(tk_batch_service(lean, row), tk_batch_service(spans, other)));
    }
}

static void
compare_scan(struct tk_store_view *view, const struct tk_store_range *range)
{
    struct tk_store_scan *scan;
    struct tk_store_trace trace;
    struct tk_error err;
    assert_int_equal(tk_store_scan_open(view, range, &scan, &err), TK_OK);
    for (uint32_t i = 0; i < all_count; i++) {
        if (!is_expected(&all[i], range))
            continue;
        assert_int_equal(tk_store_scan_next(scan, &trace, &err), TK_OK);
        assert_true(tk_trace_id_eq(trace.id, all[i].id));
        assert_true(trace.start_nano == all[i].start_nano && trace.end_nano == all[i].end_nano);
        if (range->want.lean)
            compare_lean(trace.spans, all[i].spans);
        else
            fx_assert_same_spans(trace.spans, all[i].spans);
    }
    assert_int_equal(tk_store_scan_next(scan, &trace, &err), TK_ERR_END);
    tk_store_scan_close(scan);
}

static void
a_scan_with_filters_yields_what_passes_in_the_order_of_one_without(void **unused)
{
    char *dir = fx_dir();
    struct tk_store *store;
    struct tk_error err;
    (void)unused;
    struct tk_store_options options = {.dir = dir, .fsync = TK_FSYNC_ASYNC};
    state = 88172645463325252u;
    assert_int_equal(tk_embedded_open(&options, &store, &err), TK_OK);
    for (uint64_t round = 0; round < ROUNDS; round++) {
        struct tk_store_view *view;
        const struct tk_filter *filters[FILTERS_MAX];
        send_round(store, round);
        if (round % 2 == 1)
            assert_int_equal(tk_store_seal(store, &err), TK_OK);
        assert_int_equal(tk_store_view_open(store, 1, &view, &err), TK_OK);
        copy_all(view);
        for (uint32_t i = 0; i < SCANS; i++) {
            struct tk_store_range range = random_range(filters);
            compare_scan(view, &range);
        }
        free_all();
        tk_store_view_close(view);
    }
    tk_store_close(store);
    fx_remove_dir(dir);
}

/* What of a test passes, value by value. */
static void
numbers_compare_by_value_and_texts_by_bytes(void **unused)
{
    struct tk_filter test = {.type = TK_FILTER_TEST, .op = TK_FILTER_EQ};
    (void)unused;
    test.value = of_int(3);
    assert_true(tk_match_value(&test, of_int(3)));
    assert_true(tk_match_value(&test, of_double(3)));
    assert_false(tk_match_value(&test, of_double(3.5)));
    assert_false(tk_match_value(&test, fx_text("3")));
    test.value = of_double(9007199254740992.0); /* 2^53: one more is not a double */
    assert_true(tk_match_value(&test, of_int(9007199254740992)));
    assert_false(tk_match_value(&test, of_int(9007199254740993)));
    test.op = TK_FILTER_LT;
    assert_true(tk_match_value(&test, of_int(-1)));
    assert_false(tk_match_value(&test, of_int(INT64_MAX)));
    test.op = TK_FILTER_GE;
    assert_true(tk_match_value(&test, of_int(INT64_MAX)));
    assert_false(tk_match_value(&test, fx_text("x")));
    test.op = TK_FILTER_EQ;
    test.value = fx_text("a");
    assert_true(tk_match_value(&test, fx_text("a")));
    assert_false(tk_match_value(&test, fx_text("A")));
    assert_false(tk_match_value(&test, of_int(1)));
    assert_true(tk_match_value(&test, (struct tk_value){.type = TK_VALUE_EMPTY}));
    assert_true(tk_match_value(&test, (struct tk_value){.type = TK_VALUE_MAP}));
}

static bool
at_once(void *arg)
{
    ++*(uint32_t *)arg;
    return true;
}

static void
a_scan_that_takes_too_long_ends(void **unused)
{
    char *dir = fx_dir();
    struct tk_store *store;
    struct tk_store_view *view;
    struct tk_store_scan *scan;
    struct tk_store_trace trace;
    struct tk_error err;
    uint32_t asked = 0;
    (void)unused;
    struct tk_store_options options = {.dir = dir, .fsync = TK_FSYNC_ASYNC};
    assert_int_equal(tk_embedded_open(&options, &store, &err), TK_OK);
    assert_int_equal(FX_SEND(store, 1, {.trace = 1, .span = 1, .start = 5}), TK_OK);
    assert_int_equal(tk_store_view_open(store, 1, &view, &err), TK_OK);
    struct tk_store_range range = {.expired = at_once, .expired_arg = &asked};
    assert_int_equal(tk_store_scan_open(view, &range, &scan, &err), TK_OK);
    assert_int_equal(tk_store_scan_next(scan, &trace, &err), TK_ERR_TIMEOUT);
    assert_int_equal(asked, 1);
    tk_store_scan_close(scan);
    tk_store_view_close(view);
    tk_store_close(store);
    fx_remove_dir(dir);
}

int
main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_compare_by_value_and_texts_by_bytes),
        cmocka_unit_test(a_scan_with_filters_yields_what_passes_in_the_order_of_one_without),
        cmocka_unit_test(a_scan_that_takes_too_long_ends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
