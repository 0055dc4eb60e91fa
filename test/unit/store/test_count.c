/*
 * What the store counts: operations, keys and values, each of them the same whether the spans are
 * in open buffers, in segments, in both, or read by the scan that does without counts.
 */
#include "store/count.h"

#include "store/fixture.h"

enum { LINES_MAX = 1024, ALL_DETAILS = TK_COUNT_NAMES | TK_COUNT_LAST | TK_COUNT_DURATIONS };

/* What came, added up, as lines in order: "what count errors last durations"; of steps but the
   first with their number, and if asked with where durations fell. */
struct lines {
    struct line {
        char what[96];
        struct tk_store_count count;
        uint64_t durations;
        uint64_t buckets; /* of each its number: a sum that tells where they fell */
    } line[LINES_MAX];
    uint32_t count;
    uint32_t first_step; /* that of what comes as step 0 */
    unsigned details;    /* what is added up; the rest may be told all the same */
    struct tk_buf text;
};

static struct line *
find_line(struct lines *lines, const char *what)
{
    for (uint32_t i = 0; i < lines->count; i++)
        if (strcmp(lines->line[i].what, what) == 0)
            return &lines->line[i];
    assert_true(lines->count < LINES_MAX);
    struct line *line = &lines->line[lines->count++];
    *line = (struct line){.durations = 0};
    (void)snprintf(line->what, sizeof line->what, "%s", what);
    return line;
}

static void
add_line(struct lines *lines, const char *what, const struct tk_store_count *count)
{
    char name[96];
    uint32_t step = lines->first_step + count->step;
    (void)snprintf(name, sizeof name, step > 0 ? "%s in step %u" : "%s", what, step);
    struct line *line = find_line(lines, name);
    line->count.span_count += count->span_count;
    line->count.error_count += count->error_count;
    if ((lines->details & TK_COUNT_LAST) != 0 && count->last_nano > line->count.last_nano)
        line->count.last_nano = count->last_nano;
    if (count->durations != NULL && (lines->details & TK_COUNT_DURATIONS) != 0) {
        assert_int_equal(count->durations->count, count->span_count);
        line->durations += count->durations->count;
        for (uint32_t i = count->durations->begin; i < count->durations->end; i++)
            line->buckets += i * tk_histogram_get(count->durations, i);
    }
}

static enum tk_err
add_operation(void *arg, tk_str service, tk_str name, int32_t kind,
              const struct tk_store_count *count)
{
    char what[64];
    const struct lines *lines = arg;
    if ((lines->details & TK_COUNT_NAMES) != 0)
        (void)snprintf(what, sizeof what, "%.*s/%.*s/%d", TK_STR_ARG(service), TK_STR_ARG(name),
                       kind);
    else
        (void)snprintf(what, sizeof what, "%.*s", TK_STR_ARG(service));
    add_line(arg, what, count);
    return TK_OK;
}

static enum tk_err
add_value(void *arg, struct tk_value value, const struct tk_store_count *count)
{
    char what[64];
    if (value.type == TK_VALUE_STRING)
        (void)snprintf(what, sizeof what, "\"%.*s\"", TK_STR_ARG(tk_value_str(value)));
    else if (value.type == TK_VALUE_INT)
        (void)snprintf(what, sizeof what, "%lld", (long long)value.i);
    else if (value.type == TK_VALUE_DOUBLE)
        (void)snprintf(what, sizeof what, "%.1f", value.d);
    else
        (void)snprintf(what, sizeof what, value.b ? "true" : "false");
    add_line(arg, what, count);
    return TK_OK;
}

static enum tk_err
add_key(void *arg, enum tk_owner owner, tk_str key, enum tk_value_type type)
{
    char what[96];
    (void)snprintf(what, sizeof what, "%d %.*s %d", (int)owner, TK_STR_ARG(key), (int)type);
    add_line(arg, what, &(struct tk_store_count){.span_count = 1});
    return TK_OK;
}

static int
compare_lines(const void *a, const void *b)
{
    return strcmp(((const struct line *)a)->what, ((const struct line *)b)->what);
}

static const char *
print(struct lines *lines, bool counts, bool buckets)
{
    qsort(lines->line, lines->count, sizeof lines->line[0], compare_lines);
    tk_buf_init(&lines->text, SIZE_MAX);
    for (uint32_t i = 0; i < lines->count; i++) {
        const struct line *line = &lines->line[i];
        tk_buf_printf(&lines->text, "%s", line->what);
        if (counts)
            tk_buf_printf(
                &lines->text, " %llu %llu %llu %llu", (unsigned long long)line->count.span_count,
                (unsigned long long)line->count.error_count,
                (unsigned long long)line->count.last_nano, (unsigned long long)line->durations);
        if (buckets)
            tk_buf_printf(&lines->text, " %llu", (unsigned long long)line->buckets);
        tk_buf_append(&lines->text, TK_STR("\n"));
    }
    tk_buf_append_char(&lines->text, '\0');
    return lines->text.ptr;
}

/* ---- the store as it is at one point of a test ---- */

struct question {
    enum { OPERATIONS, VALUES, KEYS } what;
    unsigned owners;
    const char *key, *prefix;
    struct tk_store_range range;
};

/* Adds what is told to `lines`. */
static void
ask_more(struct tk_store_view *view, const struct question *q, bool by_scan, struct lines *lines)
{
    struct tk_error err = {0};
    lines->details = q->range.details;
    struct tk_count_values values = {.owners = q->owners,
                                     .key = tk_str_from(q->key),
                                     .prefix = tk_str_from(q->prefix),
                                     .want_durations = (q->range.details & TK_COUNT_DURATIONS) != 0,
                                     .each = add_value,
                                     .arg = lines};
    enum tk_err code = TK_ERR_INPUT;
    if (q->what == OPERATIONS && by_scan)
        code = tk_count_operations(view, &q->range, add_operation, lines, &err);
    else if (q->what == OPERATIONS)
        code = tk_store_operations(view, &q->range, add_operation, lines, &err);
    else if (q->what == KEYS && by_scan)
        code = tk_count_keys(view, add_key, lines, &err);
    else if (q->what == KEYS)
        code = tk_store_keys(view, add_key, lines, &err);
    else if (by_scan)
        code = tk_count_values(view, &q->range, &values, &err);
    else
        code = tk_store_values(view, q->owners, values.key, values.prefix, &q->range, add_value,
                               lines, &err);
    tk_count_values_release(&values);
    if (code != TK_OK)
        fail_msg("%s: %s", tk_err_text(code), err.message);
}

static void
ask(struct tk_store_view *view, const struct question *q, bool by_scan, struct lines *lines)
{
    lines->count = lines->first_step = 0;
    ask_more(view, q, by_scan, lines);
}

/* Each step by itself, by scan. */
static void
ask_step_by_step(struct tk_store_view *view, const struct question *q, struct lines *lines)
{
    const struct tk_store_range *range = &q->range;
    lines->count = lines->first_step = 0;
    for (uint64_t begin = range->begin_nano; begin < range->end_nano; lines->first_step++) {
        struct question one = *q;
        uint64_t end = begin + range->step_nano;
        one.range.begin_nano = begin;
        one.range.end_nano = end < range->end_nano ? end : range->end_nano;
        one.range.step_nano = 0;
        ask_more(view, &one, true, lines);
        begin = end;
    }
}

static void
assert_answer(struct tk_store *store, const struct question *question, const char *expected)
{
    static struct lines lines;
    struct tk_store_view *view;
    struct tk_error err;
    assert_int_equal(tk_store_view_open(store, 1, &view, &err), TK_OK);
    for (int by_scan = 0; by_scan < 2; by_scan++) {
        ask(view, question, by_scan, &lines);
        const char *text = print(&lines, question->what != KEYS, false);
        if (strcmp(text, expected) != 0)
            fail_msg("%s:\n%s is not\n%s", by_scan ? "by scan" : "by the store", text, expected);
        tk_buf_release(&lines.text);
    }
    tk_store_view_close(view);
}

/* The store and the scan agree; of steps, all at once and one at a time too. */
static void
assert_agreement(struct tk_store *store, const struct question *question)
{
    static struct lines by_store, by_scan;
    struct tk_store_view *view;
    struct tk_error err;
    assert_int_equal(tk_store_view_open(store, 1, &view, &err), TK_OK);
    if (question->range.step_nano > 0)
        ask_step_by_step(view, question, &by_scan);
    else
        ask(view, question, true, &by_scan);
    const char *expected = print(&by_scan, true, true);
    for (int store_scans = 0; store_scans < 2; store_scans++) {
        ask(view, question, store_scans, &by_store);
        const char *text = print(&by_store, true, true);
        if (strcmp(text, expected) != 0)
            fail_msg("from %llu to %llu by %llu:\n%s is not\n%s",
                     (unsigned long long)question->range.begin_nano,
                     (unsigned long long)question->range.end_nano,
                     (unsigned long long)question->range.step_nano, text, expected);
        tk_buf_release(&by_store.text);
    }
    tk_buf_release(&by_scan.text);
    tk_store_view_close(view);
}

#define OPERATIONS_OF(...)                                                                         \
    &(struct question)                                                                             \
    {                                                                                              \
        .what = OPERATIONS, .range = { __VA_ARGS__, .details = ALL_DETAILS }                       \
    }
#define VALUES_OF(of, name, begin, ...)                                                            \
    &(struct question)                                                                             \
    {                                                                                              \
        .what = VALUES, .owners = (of), .key = (name), .prefix = (begin), .range = {               \
            __VA_ARGS__,                                                                           \
            .details = ALL_DETAILS                                                                 \
        }                                                                                          \
    }

struct home {
    char *dir;
    struct tk_store *store;
};

static struct home
make_home_with(size_t memory)
{
    struct home home = {.dir = fx_dir()};
    struct tk_error err = {0};
    struct tk_store_options options = {.dir = home.dir, .memory = memory};
    if (tk_embedded_open(&options, &home.store, &err) != TK_OK)
        fail_msg("open: %s", err.message);
    return home;
}

static struct home
make_home(void)
{
    return make_home_with(32 << 20);
}

static void
end_home(struct home *home)
{
    tk_store_close(home->store);
    fx_remove_dir(home->dir);
}

static void
seal(struct home *home)
{
    struct tk_error err;
    assert_int_equal(tk_store_seal(home->store, &err), TK_OK);
}

/* Three spans in two traces; kind is the span's number, number 2 and 5 failed. */
static void
send_some(struct home *home)
{
    assert_int_equal(FX_SEND(home->store, 1, {.trace = 1, .span = 1, .start = 1000, .name = "a"},
                             {.trace = 1, .span = 2, .start = 3000, .end = 3010, .name = "b"},
                             {.trace = 2, .span = 7, .start = 2000, .name = "a"}),
                     TK_OK);
}

static void
send_more(struct home *home)
{
    assert_int_equal(FX_SEND(home->store, 1, {.trace = 1, .span = 5, .start = 4000, .name = "c"}),
                     TK_OK);
}

static void
operations_are_counted_wherever_the_spans_are(void **state)
{
    struct home home = make_home();
    (void)state;
    assert_answer(home.store, OPERATIONS_OF(0), "");
    send_some(&home);
    for (int i = 0; i < 2; i++) {
        assert_answer(home.store, OPERATIONS_OF(0),
                      "users-api/a/1 2 0 3000 2\nusers-api/b/2 1 1 3010 1\n");
        seal(&home);
    }
    send_more(&home);
    for (int i = 0; i < 2; i++) {
        assert_answer(home.store, OPERATIONS_OF(0),
                      "users-api/a/1 2 0 3000 2\nusers-api/b/2 1 1 3010 1\n"
                      "users-api/c/5 1 1 5000 1\n");
        seal(&home);
    }
    end_home(&home);
}

static void
a_span_counts_by_its_own_start(void **state)
{
    struct home home = make_home();
    (void)state;
    send_some(&home);
    for (int i = 0; i < 2; i++) {
        assert_answer(home.store, OPERATIONS_OF(.begin_nano = 2000, .end_nano = 3001),
                      "users-api/a/1 1 0 3000 1\nusers-api/b/2 1 1 3010 1\n");
        assert_answer(home.store, OPERATIONS_OF(.begin_nano = 2001, .end_nano = 3000), "");
        assert_answer(home.store, OPERATIONS_OF(.begin_nano = 3000), "users-api/b/2 1 1 3010 1\n");
        assert_answer(home.store, OPERATIONS_OF(.end_nano = 2000), "users-api/a/1 1 0 2000 1\n");
        assert_answer(home.store,
                      VALUES_OF(TK_OWNER_SPAN, "yes", "", .begin_nano = 2000, .end_nano = 3001),
                      "false 1 0 3000 1\ntrue 1 1 3010 1\n");
        seal(&home);
    }
    end_home(&home);
}

static uint32_t
next_random(uint32_t *random, uint32_t below)
{
    *random = *random * 1664525 + 1013904223;
    return (*random >> 8) % below;
}

static void
assert_agreement_on_all(struct tk_store *store, uint64_t begin, uint64_t end, uint64_t step)
{
    assert_agreement(store, OPERATIONS_OF(begin, end, .step_nano = step));
    assert_agreement(store, VALUES_OF(TK_OWNER_SPAN, "yes", "", begin, end, .step_nano = step));
    assert_agreement(store,
                     VALUES_OF(TK_OWNER_SPAN, "http.route", "/", begin, end, .step_nano = step));
    assert_agreement(store, VALUES_OF(TK_OWNER_EVENT, "big", "", begin, end, .step_nano = step));
    assert_agreement(store, VALUES_OF(TK_OWNER_RESOURCE | TK_OWNER_SCOPE, "service.name", "", begin,
                                      end, .step_nano = step));
}

/* Spans of many traces, some of them again, in many segments: ranges cut through them. */
static void
ranges_that_cut_through_segments_count_what_their_rows_say(void **state)
{
    enum { GENERATIONS = 6, SPANS = 50, RANGES = 60 };
    static const char *const names[] = {"a", "b", "c"};
    struct home home = make_home();
    uint32_t random = 1;
    (void)state;
    for (int g = 0; g < GENERATIONS; g++) {
        struct fx_span spans[SPANS];
        for (int i = 0; i < SPANS; i++) {
            uint32_t id = 1 + next_random(&random, 200); /* the same id: the same span */
            spans[i] = (struct fx_span){.trace = 1 + id % 40,
                                        .span = id,
                                        .start = 1000 + 7 * (uint64_t)id,
                                        .end = 1001 + 9 * (uint64_t)id,
                                        .name = names[id % 3]};
        }
        assert_int_equal(fx_send(home.store, 1, spans, SPANS), TK_OK);
        if (g < GENERATIONS - 1) /* the last stays open */
            seal(&home);
    }
    for (int i = 0; i < RANGES; i++) {
        uint64_t begin = 1000 + next_random(&random, 1400);
        uint64_t end = i % 5 == 0 ? 0 : begin + 1 + next_random(&random, 700);
        assert_agreement_on_all(home.store, begin, end, 0);
        if (end != 0)
            assert_agreement_on_all(home.store, begin, end,
                                    1 + (end - begin) / (1 + next_random(&random, 30)));
    }
    assert_agreement_on_all(home.store, 500, 5000, 4500); /* whole segments in the only step, */
    assert_agreement_on_all(home.store, 500, 5000, 3000); /* in the first of two */
    assert_agreement_on_all(home.store, 1, 5000, 999);    /* and in some but the first */
    end_home(&home);
}

/* Segments of several groups: some lie within a step as a whole. */
static void
steps_that_cut_through_groups_count_what_their_rows_say(void **state)
{
    enum { GENERATIONS = 3, SPANS = 6000, LATE = 997 };
    static const char *const names[] = {"a", "b", "c"};
    static const uint64_t steps[] = {100000, 30000, 7001, 997};
    static const unsigned details[] = {0, TK_COUNT_NAMES, TK_COUNT_LAST, TK_COUNT_DURATIONS,
                                       ALL_DETAILS};
    struct home home = make_home();
    struct fx_span *spans = calloc(SPANS, sizeof *spans);
    (void)state;
    for (uint64_t g = 0; g < GENERATIONS; g++) {
        for (uint64_t i = 0; i < SPANS; i++) {
            uint64_t id = g * (SPANS - 100) + i;        /* a hundred of each come again */
            uint64_t late = id % LATE == 0 ? 20000 : 0; /* traces that last over several steps */
            spans[i] = (struct fx_span){.trace = 1 + id / 10,
                                        .span = 1 + id,
                                        .start = 1000 + 5 * id + late,
                                        .end = 1000 + 5 * id + late + id % 300,
                                        .name = names[id % 3]};
        }
        assert_int_equal(fx_send(home.store, 1, spans, SPANS), TK_OK);
        if (g < GENERATIONS - 1)
            seal(&home);
    }
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++)
        for (size_t k = 0; k < sizeof details / sizeof *details; k++) {
            struct tk_store_range range = {.begin_nano = 900 + 3000 * i,
                                           .end_nano = 100000 - 20000 * i,
                                           .step_nano = steps[i],
                                           .details = details[k]};
            assert_agreement(home.store, &(struct question){.what = OPERATIONS, .range = range});
            assert_agreement(home.store, &(struct question){.what = VALUES,
                                                            .owners = TK_OWNER_SPAN,
                                                            .key = "yes",
                                                            .prefix = "",
                                                            .range = range});
        }
    free(spans);
    end_home(&home);
}

/* A segment of several blocks of groups, asked again and again. */
static void
what_blocks_of_groups_counted_is_remembered_and_still_true(void **state)
{
    enum { REQUEST = 1000, REQUESTS = 10 };
    static const char *const names[] = {"a", "b", "c"};
    static const unsigned details[] = {0, TK_COUNT_NAMES};
    struct tk_store_stats first, again;
    struct home home = make_home_with(512 << 20); /* all in one segment */
    struct fx_span *spans = calloc(REQUEST, sizeof *spans);
    (void)state;
    for (uint64_t request = 0; request < REQUESTS; request++) {
        for (uint64_t i = 0; i < REQUEST; i++) {
            uint64_t id = request * REQUEST + i;
            spans[i] = (struct fx_span){.trace = 1 + id / 10,
                                        .span = 1 + id,
                                        .start = 1000 + id,
                                        .name = names[id / 1000 % 3]};
        }
        assert_int_equal(fx_send(home.store, 1, spans, REQUEST), TK_OK);
    }
    seal(&home);
    tk_store_get_stats(home.store, &first);
    assert_int_equal(first.segments, 1);
    for (int i = 0; i < 4; i++) { /* steps differ, blocks do not */
        struct tk_store_range range = {
            .begin_nano = 1000, .end_nano = 60000, .step_nano = 9300 + 100 * (uint64_t)i};
        tk_store_get_stats(home.store, &first);
        for (size_t k = 0; k < 2; k++) {
            range.details = details[k];
            assert_agreement(home.store, &(struct question){.what = OPERATIONS, .range = range});
        }
        assert_agreement(home.store, &(struct question){.what = VALUES,
                                                        .owners = TK_OWNER_SPAN,
                                                        .key = "yes",
                                                        .prefix = "",
                                                        .range = range});
        tk_store_get_stats(home.store, &again);
        assert_true(i == 0 ? again.cache_misses > first.cache_misses
                           : again.cache_hits > first.cache_hits);
    }
    free(spans);
    end_home(&home);
}

/* Sent again into the same buffer, into another one, and once more after both were sealed. */
static void
a_span_that_came_twice_counts_once(void **state)
{
    struct home home = make_home();
    (void)state;
    for (int i = 0; i < 5; i++) {
        send_some(&home);
        assert_answer(home.store, OPERATIONS_OF(0),
                      "users-api/a/1 2 0 3000 2\nusers-api/b/2 1 1 3010 1\n");
        assert_answer(home.store, VALUES_OF(TK_OWNER_SPAN, "yes", "", 0),
                      "false 2 0 3000 2\ntrue 1 1 3010 1\n");
        if (i % 2 == 1)
            seal(&home);
    }
    end_home(&home);
}

static void
values_are_counted_of_each_type_and_owner(void **state)
{
    struct home home = make_home();
    (void)state;
    send_some(&home);
    for (int i = 0; i < 2; i++) {
        assert_answer(home.store, VALUES_OF(TK_OWNER_SPAN, "http.route", "", 0),
                      "\"/users/:id\" 3 1 3010 3\n");
        assert_answer(home.store, VALUES_OF(TK_OWNER_SPAN, "ratio", "", 0),
                      "0.1 1 0 2000 1\n0.2 1 1 3010 1\n0.7 1 0 3000 1\n");
        assert_answer(home.store, VALUES_OF(TK_OWNER_EVENT, "big", "", 0),
                      "-9223372036854775801 1 0 3000 1\n-9223372036854775806 1 1 3010 1\n"
                      "-9223372036854775807 1 0 2000 1\n");
        assert_answer(home.store, VALUES_OF(TK_OWNER_LINK | TK_OWNER_SPAN, "yes", "", 0),
                      "false 4 0 3000 4\ntrue 2 2 3010 2\n");
        assert_answer(home.store,
                      VALUES_OF(TK_OWNER_RESOURCE | TK_OWNER_SPAN, "service.name", "", 0),
                      "\"users-api\" 3 1 3010 3\n");
        assert_answer(home.store, VALUES_OF(TK_OWNER_SCOPE, "scope.attr", "", 0),
                      "\"s\" 3 1 3010 3\n");
        assert_answer(home.store, VALUES_OF(TK_OWNER_SPAN, "list", "", 0), "");
        assert_answer(home.store, VALUES_OF(TK_OWNER_SPAN, "nothing", "", 0), "");
        assert_answer(home.store, VALUES_OF(TK_OWNER_SPAN, "never", "", 0), "");
        assert_answer(home.store, VALUES_OF(TK_OWNER_SCOPE, "yes", "", 0), "");
        seal(&home);
    }
    end_home(&home);
}

static void
texts_are_chosen_by_their_beginning(void **state)
{
    struct home home = make_home();
    (void)state;
    send_some(&home);
    for (int i = 0; i < 2; i++) {
        assert_answer(home.store, VALUES_OF(TK_OWNER_SPAN, "http.route", "/users/", 0),
                      "\"/users/:id\" 3 1 3010 3\n");
        assert_answer(home.store, VALUES_OF(TK_OWNER_SPAN, "http.route", "/users/:id2", 0), "");
        assert_answer(home.store, VALUES_OF(TK_OWNER_RESOURCE, "service.name", "v", 0), "");
        seal(&home);
    }
    end_home(&home);
}

static void
keys_come_with_owner_and_type(void **state)
{
    struct home home = make_home();
    struct tk_buf expected;
    static const char *const attrs[] = {"big 3",     "empty 1", "http.route 1", "list 6", "map 7",
                                        "nothing 0", "ratio 4", "raw 5",        "yes 2"};
    static const char *const owners[] = {"1", "16", "2", "4", "8"}; /* in order of text */
    (void)state;
    tk_buf_init(&expected, SIZE_MAX);
    for (size_t k = 0; k < 5; k++) {
        if (k == 2)
            tk_buf_printf(&expected, "2 service.instance.id 1\n2 service.name 1\n");
        if (k == 3)
            tk_buf_printf(&expected, "4 scope.attr 1\n");
        for (size_t i = 0; k != 2 && k != 3 && i < sizeof attrs / sizeof *attrs; i++)
            tk_buf_printf(&expected, "%s %s\n", owners[k], attrs[i]);
    }
    tk_buf_append_char(&expected, '\0');
    send_some(&home);
    for (int i = 0; i < 2; i++) {
        assert_answer(home.store, &(struct question){.what = KEYS}, expected.ptr);
        seal(&home);
    }
    tk_buf_release(&expected);
    end_home(&home);
}

/* ---- one row ---- */

static void
many_events_with_one_value_are_one_span(void **state)
{
    static struct lines lines;
    struct tk_batch *batch = fx_batch(&(struct fx_span){.trace = 1, .span = 1, .start = 5}, 1);
    (void)state;
    for (int i = 0; i < 3; i++) {
        uint32_t event;
        uint32_t begin = batch->attr_count;
        fx_attr(batch, "k", fx_text(i == 1 ? "b" : "a"));
        fx_attr(batch, "k", (struct tk_value){.type = TK_VALUE_BOOL, .b = true});
        assert_int_equal(tk_batch_add_event(batch, &event), TK_OK);
        batch->event[event] = (struct tk_event){.attrs = {begin, 2}};
        batch->events[0].count = event - batch->events[0].begin + 1;
    }
    struct tk_count_values values = {.owners = TK_OWNER_EVENT,
                                     .key = TK_STR("k"),
                                     .prefix = TK_STR(""),
                                     .each = add_value,
                                     .arg = &lines};
    lines.count = lines.first_step = 0;
    lines.details = ALL_DETAILS;
    for (int i = 0; i < 2; i++) /* what was seen is forgotten between rows */
        assert_int_equal(tk_count_row_values(&values, batch, 0), TK_OK);
    assert_string_equal(print(&lines, true, false),
                        "\"a\" 2 0 1005 0\n\"b\" 2 0 1005 0\ntrue 2 0 1005 0\n");
    tk_buf_release(&lines.text);
    tk_count_values_release(&values);
    tk_batch_free(batch);
}

static bool
is_expired(void *arg)
{
    (void)arg;
    return true;
}

static enum tk_err
refuse(void *arg, tk_str service, tk_str name, int32_t kind, const struct tk_store_count *count)
{
    (void)arg;
    (void)service;
    (void)name;
    (void)kind;
    (void)count;
    return TK_ERR_BUSY;
}

static void
counting_ends_when_time_is_up_or_who_asks_has_enough(void **state)
{
    struct home home = make_home();
    struct tk_store_view *view;
    struct tk_error err;
    struct tk_store_range all = {0}, none = {.expired = is_expired, .begin_nano = 1};
    static struct lines lines;
    (void)state;
    send_some(&home);
    assert_int_equal(tk_store_view_open(home.store, 1, &view, &err), TK_OK);
    assert_int_equal(tk_store_operations(view, &all, refuse, NULL, &err), TK_ERR_BUSY);
    assert_int_equal(tk_store_operations(view, &none, add_operation, &lines, &err), TK_ERR_TIMEOUT);
    assert_int_equal(tk_store_values(view, TK_OWNER_SPAN, TK_STR("yes"), TK_STR(""), &none,
                                     add_value, &lines, &err),
                     TK_ERR_TIMEOUT);
    tk_store_view_close(view);
    end_home(&home);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(operations_are_counted_wherever_the_spans_are),
        cmocka_unit_test(a_span_counts_by_its_own_start),
        cmocka_unit_test(ranges_that_cut_through_segments_count_what_their_rows_say),
        cmocka_unit_test(steps_that_cut_through_groups_count_what_their_rows_say),
        cmocka_unit_test(what_blocks_of_groups_counted_is_remembered_and_still_true),
        cmocka_unit_test(a_span_that_came_twice_counts_once),
        cmocka_unit_test(values_are_counted_of_each_type_and_owner),
        cmocka_unit_test(texts_are_chosen_by_their_beginning),
        cmocka_unit_test(keys_come_with_owner_and_type),
        cmocka_unit_test(many_events_with_one_value_are_one_span),
        cmocka_unit_test(counting_ends_when_time_is_up_or_who_asks_has_enough),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
