/*
 * Answers of the whole engine: parser, plan, filters, lean reading, paging, on the embedded store,
 * against asking every trace.  The open buffer, several segments and what compaction makes of them
 * hold the traces, some of them in parts.
 */
#include "query/random.h"
#include "query/search.h"
#include "store/fixture.h"

#include "base/env.h"

enum {
    TRACES_MAX = 400,
    ROUNDS = 4,
    TRACES_A_ROUND = 40,
    QUERIES_A_ROUND = 1200,
    SEGMENTS = 8, /* as many small ones become one */
};

static struct tk_arena arena;
static struct tk_store *store;
static char *dir;
static uint64_t next_span;

/* ---- what is stored ---- */

static void
send(struct tk_batch *batch)
{
    struct fx_done done = FX_DONE_INIT;
    struct tk_buf body;
    struct tk_error err;
    fx_encode(batch, &body);
    tk_batch_free(batch);
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

/* A few spans of one trace.  Two traces each begin at the same time. */
static void
add_trace(struct tk_batch *batch, uint64_t trace, uint64_t later_ms)
{
    uint64_t first = next_span + 1;
    for (uint32_t i = 1 + below(6); i > 0; i--) {
        uint64_t parent = next_span < first ? 0 : first + below((uint32_t)(next_span + 2 - first));
        random_span(batch, ++next_span, parent, trace / 2 * 3 + later_ms + below(3) * (i > 1));
        batch->trace_id[batch->span_count - 1] = (struct tk_trace_id){1, trace + 1};
    }
}

/* Traces from `first` on, and late parts of some of those before. */
static void
send_traces(uint64_t first, uint64_t count, uint64_t late_count)
{
    struct tk_batch *batch = new_batch();
    random_resources(batch);
    for (uint64_t i = 0; i < count; i++)
        add_trace(batch, first + i, 0);
    for (uint64_t i = 0; i < late_count; i++)
        add_trace(batch, below((uint32_t)first), 5);
    send(batch);
}

static void
seal(void)
{
    struct tk_error err;
    assert_int_equal(tk_store_seal(store, &err), TK_OK);
}

/* Segments that compaction made. */
static uint64_t
compacted(void)
{
    struct tk_store_stats stats;
    tk_store_get_stats(store, &stats);
    return stats.compacted.segments;
}

static struct tk_store_view *
open_view(void)
{
    struct tk_store_view *view;
    struct tk_error err;
    assert_int_equal(tk_store_view_open(store, 1, &view, &err), TK_OK);
    return view;
}

/* ---- every trace, asked one by one ---- */

static struct tk_batch *whole[TRACES_MAX];
static struct tk_cursor place[TRACES_MAX];
static uint32_t whole_count;

static void
read_all(void)
{
    struct tk_store_view *view = open_view();
    struct tk_store_range range = {0};
    struct tk_store_scan *scan;
    struct tk_store_trace trace;
    struct tk_error err;
    for (; whole_count > 0; whole_count--)
        tk_batch_free(whole[whole_count - 1]);
    assert_int_equal(tk_store_scan_open(view, &range, &scan, &err), TK_OK);
    while (tk_store_scan_next(scan, &trace, &err) == TK_OK) {
        whole[whole_count] = tk_batch_new();
        assert_int_equal(tk_store_find(view, trace.id, NULL, whole[whole_count], &err), TK_OK);
        place[whole_count++] = (struct tk_cursor){trace.start_nano, trace.id};
        assert_true(whole_count < TRACES_MAX);
    }
    tk_store_scan_close(scan);
    tk_store_view_close(view);
}

/* ---- what a search says ---- */

struct found {
    struct tk_query *query;
    struct tk_cursor place[TRACES_MAX];
    uint64_t said[TRACES_MAX]; /* which spans are in which groups */
    uint32_t count;
};

/* The same for any order of rows. */
static uint64_t
digest(struct tk_query *query, const struct tk_batch *trace)
{
    struct tk_query_groups groups;
    uint64_t sum = 0;
    assert_int_equal(tk_query_group(query, trace, &groups), TK_OK);
    for (uint32_t row = 0; row < trace->span_count; row++) {
        uint64_t first = UINT64_MAX; /* a group is known by the least id in it */
        for (uint32_t other = 0; other < trace->span_count; other++) {
            if (groups.of[other] == groups.of[row] && trace->span_id[other] < first)
                first = trace->span_id[other];
        }
        if (groups.of[row] != TK_NO_GROUP)
            sum += trace->span_id[row] * UINT64_C(0x9E3779B97F4A7C15) ^ first;
    }
    return sum;
}

static enum tk_err
keep(void *arg, const struct tk_store_trace *trace)
{
    struct found *found = arg;
    assert_true(found->count < TRACES_MAX);
    found->place[found->count] = (struct tk_cursor){trace->start_nano, trace->id};
    found->said[found->count++] = digest(found->query, trace->spans);
    return TK_OK;
}

/* The next page; false when it was the last. */
static bool
read_page(struct found *found, uint32_t limit)
{
    struct tk_store_view *view = open_view();
    struct tk_search search = {.query = found->query,
                               .limit = limit,
                               .lean = true,
                               .env = tk_env_host(),
                               .after = found->count > 0 ? &found->place[found->count - 1] : NULL,
                               .each = keep,
                               .arg = found};
    struct tk_cursor last, after;
    struct tk_error err;
    uint32_t before = found->count;
    bool more;
    if (search.after != NULL) { /* as text, as people keep it */
        char text[TK_CURSOR_TEXT + 1];
        tk_cursor_format(search.after, text);
        assert_true(tk_cursor_parse(tk_str_from(text), &after));
        search.after = &after;
    }
    assert_int_equal(tk_search_run(view, &search, &last, &more, &err), TK_OK);
    assert_true(found->count - before <= limit && (!more || found->count - before == limit));
    tk_store_view_close(view);
    return more;
}

static bool
same_place(const struct tk_cursor *a, const struct tk_cursor *b)
{
    return a->start_nano == b->start_nano && tk_trace_id_eq(a->id, b->id);
}

static struct tk_query *
parse(tk_str text)
{
    struct tk_query *query;
    struct tk_query_error error;
    tk_arena_clear(&arena);
    return tk_query_parse(text, &arena, &query, &error) == TK_OK ? query : NULL;
}

/* How many traces it selects. */
static uint32_t
expect_what_each_trace_says(struct tk_query *query, tk_str text)
{
    static struct found found;
    uint32_t expected = 0, limit = 1 + below(30);
    found.query = query;
    found.count = 0;
    while (read_page(&found, limit))
        ;
    for (uint32_t i = 0; i < whole_count; i++) {
        bool matches;
        assert_int_equal(tk_query_matches(query, whole[i], &matches), TK_OK);
        if (!matches)
            continue;
        if (expected == found.count || !same_place(&found.place[expected], &place[i]) ||
            found.said[expected] != digest(query, whole[i]))
            fail_msg("%.*s: trace %u is not found as it should be", TK_STR_ARG(text), i);
        expected++;
    }
    if (expected != found.count)
        fail_msg("%.*s finds %u traces, not %u", TK_STR_ARG(text), found.count, expected);
    return expected;
}

static void
random_questions_are_answered_as_if_every_trace_was_asked(void **state)
{
    uint32_t asked = 0, some = 0;
    struct tk_buf text;
    (void)state;
    random_seed = 88172645463325252u;
    tk_buf_init(&text, 1 << 16);
    for (uint64_t round = 0; round < ROUNDS; round++) {
        send_traces(round * TRACES_A_ROUND, TRACES_A_ROUND, round * TRACES_A_ROUND / 4);
        if (round != ROUNDS - 1)
            seal();
        read_all();
        for (uint32_t i = 0; i < QUERIES_A_ROUND; i++) {
            tk_buf_clear(&text);
            random_spansets(&text, 0);
            struct tk_query *query = parse(tk_buf_str(&text));
            if (query == NULL)
                continue; /* types that do not go together */
            uint32_t count = expect_what_each_trace_says(query, tk_buf_str(&text));
            asked++;
            some += count > 0 && count < whole_count;
            tk_query_release(query);
        }
    }
    assert_true(asked > ROUNDS * QUERIES_A_ROUND / 4 && some > asked / 3);
    tk_buf_release(&text);
}

/* ---- pages while the store moves ---- */

static void
wait_for_compaction(uint64_t before)
{
    for (int wait = 0; wait < 6000 && compacted() == before; wait++)
        (void)usleep(5000);
    assert_true(compacted() > before);
}

/* What no page to come has: a newer trace, and more of one that was seen. */
static void
send_behind(const struct found *paged, uint64_t newest)
{
    struct tk_batch *batch = new_batch();
    random_resources(batch);
    add_trace(batch, newest, 0);
    add_trace(batch, paged->place[below(paged->count)].id.low - 1, 5);
    send(batch);
}

static void
pages_go_on_where_they_were_whatever_the_store_does_between_them(void **state)
{
    static const char *const queries[] = {
        "{}",
        "{ name = \"x\" }",
        "{} >> { kind != server } | by(name) | count() > 0",
    };
    static struct found before, paged;
    (void)state;
    for (size_t q = 0; q < sizeof queries / sizeof *queries; q++) {
        struct tk_query *query = parse(tk_str_from(queries[q]));
        assert_non_null(query);
        before.query = paged.query = query;
        before.count = paged.count = 0;
        random_seed = 88172645463325252u + q;
        uint64_t compacted_before = compacted();
        send_traces(q * 100, 80, 0); /* the open buffer */
        (void)read_page(&before, TRACES_MAX);
        assert_true(before.count > 2 * (SEGMENTS + 2));
        for (uint64_t page = 0; read_page(&paged, 2); page++) {
            if (page > SEGMENTS)
                continue; /* the rest, out of one segment */
            send_behind(&paged, q * 100 + 80 + page);
            seal();
            if (page == SEGMENTS)
                wait_for_compaction(compacted_before);
        }
        assert_int_equal(paged.count, before.count);
        for (uint32_t i = 0; i < before.count; i++)
            assert_true(same_place(&paged.place[i], &before.place[i]));
        tk_query_release(query);
    }
}

static int
setup(void **state)
{
    struct tk_error err;
    (void)state;
    tk_arena_init(&arena, 1024, 1 << 26);
    dir = fx_dir();
    struct tk_store_options options = {.dir = dir, .fsync = TK_FSYNC_ASYNC};
    next_span = 0;
    return tk_embedded_open(&options, &store, &err) == TK_OK ? 0 : -1;
}

static int
teardown(void **state)
{
    (void)state;
    for (; whole_count > 0; whole_count--)
        tk_batch_free(whole[whole_count - 1]);
    tk_store_close(store);
    fx_remove_dir(dir);
    tk_arena_release(&arena);
    return 0;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(random_questions_are_answered_as_if_every_trace_was_asked),
        TEST(pages_go_on_where_they_were_whatever_the_store_does_between_them),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
