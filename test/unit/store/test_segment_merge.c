/*
 * Segments merged into one: every trace of the sources is there as the sources together tell it,
 * in order, found by its id, and counted as often as they counted it.
 */
#include "store/segment/segment_merge.h"

#include "store/segment/cache.h"
#include "store/segment/group.h"
#include "store/embedded/merge.h"
#include "store/segment/schema_merge.h"
#include "store/embedded/seal.h"
#include "store/fixture.h"

enum { SOURCES_MAX = 12, TRACES = 400 };

static struct tk_cache cache;
static struct tk_segment_host host;
static char *dir;
static uint64_t next_file;

static void
report(void *arg, const char *line)
{
    (void)arg;
    fail_msg("%s", line);
}

static int
setup(void **state)
{
    (void)state;
    tk_cache_init(&cache, 16 << 20);
    host = (struct tk_segment_host){.env = tk_env_host(), .cache = &cache, .report = report};
    dir = fx_dir();
    next_file = 1;
    return 0;
}

static int
teardown(void **state)
{
    (void)state;
    tk_cache_release_all(&cache);
    fx_remove_dir(dir);
    return 0;
}

static void
path_of(uint64_t file, char path[512])
{
    (void)snprintf(path, 512, "%s/%llu.seg", dir, (unsigned long long)file);
}

static struct tk_segment *
open_segment(uint64_t file)
{
    struct tk_segment *segment;
    struct tk_error err = {0};
    char path[512];
    path_of(file, path);
    if (tk_segment_open(&host, path, (struct tk_segment_name){1, file, file}, &segment, &err) !=
        TK_OK)
        fail_msg("open: %s", err.message);
    return segment;
}

/* Takes the batch over. */
static struct tk_segment *
seal_batch(struct tk_batch *batch)
{
    struct tk_segment_writer *writer;
    struct tk_seal seal;
    struct tk_error err = {0};
    char path[512];
    uint64_t file = next_file++;
    struct tk_buffer *buffer = tk_buffer_new(1);
    path_of(file, path);
    assert_int_equal(tk_buffer_add(buffer, batch), TK_OK);
    assert_int_equal(tk_seal_init(&seal, buffer, &err), TK_OK);
    assert_int_equal(tk_segment_writer_open(host.env, path, (struct tk_segment_name){1, file, file},
                                            &seal.builder.schema, 1, &writer, &err),
                     TK_OK);
    assert_int_equal(tk_seal_write(&seal, writer, NULL, &err), TK_OK);
    assert_int_equal(tk_segment_writer_finish(writer, 0, &err), TK_OK);
    tk_seal_release(&seal);
    tk_buffer_unref(buffer);
    return open_segment(file);
}

static struct tk_segment *
seal_spans(const struct fx_span *spans, size_t count)
{
    struct tk_buf body;
    struct tk_batch *made = fx_batch(spans, count);
    fx_encode(made, &body);
    tk_batch_free(made);
    struct tk_batch *batch = fx_decode(tk_buf_str(&body));
    tk_buf_release(&body);
    return seal_batch(batch);
}

#define SEAL(...)                                                                                  \
    seal_spans((struct fx_span[]){__VA_ARGS__},                                                    \
               sizeof((struct fx_span[]){__VA_ARGS__}) / sizeof(struct fx_span))

static enum tk_err
try_merge(const struct tk_segment_merge *merge, uint64_t file, struct tk_error *err)
{
    struct tk_schema_merge schema;
    struct tk_segment_writer *writer;
    char path[512];
    path_of(file, path);
    enum tk_err code = tk_schema_merge_init(&schema, merge->segments, merge->count, err);
    if (code != TK_OK)
        return code;
    assert_int_equal(tk_segment_writer_open(host.env, path, (struct tk_segment_name){1, file, file},
                                            &schema.schema, 3, &writer, err),
                     TK_OK);
    code = tk_segment_merge(merge, &schema, writer, err);
    if (code == TK_OK)
        code = tk_segment_writer_finish(writer, 0, err);
    else
        tk_segment_writer_abort(writer);
    tk_schema_merge_release(&schema);
    return code;
}

static struct tk_segment *
merge_segments(struct tk_segment *const *segments, uint32_t count)
{
    struct tk_segment_merge merge = {.segments = segments, .count = count};
    struct tk_error err = {0};
    uint64_t file = next_file++;
    if (try_merge(&merge, file, &err) != TK_OK)
        fail_msg("merge: %s", err.message);
    return open_segment(file);
}

/* ---- what is in there ---- */

static struct tk_sources
sources_of(struct tk_segment *const *segments, uint32_t count)
{
    struct tk_sources sources;
    tk_sources_init(&sources);
    for (uint32_t i = 0; i < count; i++)
        assert_int_equal(tk_sources_add_segment(&sources, segments[i]), TK_OK);
    return sources;
}

/* Row by row: the same resource may be told twice where parts come together. */
static void
assert_same_rows(const struct tk_batch *a, const struct tk_batch *b)
{
    assert_int_equal(a->span_count, b->span_count);
    for (uint32_t row = 0; row < a->span_count; row++) {
        struct tk_buf x, y;
        tk_buf_init(&x, SIZE_MAX / 2);
        tk_buf_init(&y, SIZE_MAX / 2);
        tk_otlp_protobuf_encode(a, (struct tk_range){row, 1}, &x);
        tk_otlp_protobuf_encode(b, (struct tk_range){fx_row_of(b, a->span_id[row]), 1}, &y);
        assert_int_equal(x.len, y.len);
        assert_memory_equal(x.ptr, y.ptr, x.len);
        tk_buf_release(&x);
        tk_buf_release(&y);
    }
}

static void
assert_same_traces(struct tk_segment *const *segments, uint32_t count, struct tk_segment *merged)
{
    static const struct tk_store_range everything = {0};
    struct tk_sources before = sources_of(segments, count), after = sources_of(&merged, 1);
    struct tk_merge *a, *b;
    struct tk_pieces x, y;
    struct tk_batch *xs = tk_batch_new(), *ys = tk_batch_new();
    struct tk_trace_entry m, n;
    struct tk_error err = {0};
    uint64_t traces = 0, rows = 0;
    tk_pieces_init(&x);
    tk_pieces_init(&y);
    assert_int_equal(tk_merge_open(&before, &everything, &a, &err), TK_OK);
    assert_int_equal(tk_merge_open(&after, &everything, &b, &err), TK_OK);
    for (;; traces++) {
        enum tk_err code = tk_merge_next(a, &m, &x, &err);
        assert_int_equal(tk_merge_next(b, &n, &y, &err), code);
        if (code != TK_OK)
            break;
        assert_true(tk_trace_id_eq(m.id, n.id));
        assert_true(m.start_nano == n.start_nano && m.end_nano == n.end_nano);
        assert_int_equal(tk_pieces_copy(&x, m.id, NULL, xs, &err), TK_OK);
        assert_int_equal(tk_pieces_copy(&y, n.id, NULL, ys, &err), TK_OK);
        assert_same_rows(xs, ys);
        rows += ys->span_count;
        assert_int_equal(tk_segment_find(merged, m.id, false, &n, &err), TK_OK);
        assert_int_equal(n.row_count, ys->span_count);
        tk_batch_clear(xs);
        tk_batch_clear(ys);
    }
    assert_int_equal(merged->trace_count, traces);
    assert_int_equal(merged->row_count, rows);
    tk_merge_close(a);
    tk_merge_close(b);
    tk_batch_free(xs);
    tk_batch_free(ys);
    tk_pieces_release(&x);
    tk_pieces_release(&y);
    tk_sources_release(&before);
    tk_sources_release(&after);
}

static struct tk_operations *
operations_of(struct tk_segment *segment)
{
    struct tk_cache_item *item;
    struct tk_operations *operations;
    struct tk_error err;
    assert_int_equal(tk_segment_section(segment, &segment->operations, &item, &err), TK_OK);
    assert_int_equal(tk_operations_read(*(const tk_str *)item->value, &operations), TK_OK);
    tk_cache_release(item);
    return operations;
}

struct tally {
    uint64_t spans, errors, last, durations;
};

static enum tk_err
add_to_tally(void *arg, tk_str service, tk_str name, int32_t kind,
             const struct tk_store_count *count)
{
    struct tally *tally = arg;
    (void)service;
    (void)name;
    (void)kind;
    tally->spans += count->span_count;
    tally->errors += count->error_count;
    tally->last = count->last_nano > tally->last ? count->last_nano : tally->last;
    tally->durations += count->durations->count;
    return TK_OK;
}

/* Spans of all operations, and of all values of column `key`. */
static struct tally
tally_of(struct tk_segment *segment, const char *key)
{
    struct tally tally = {0};
    struct tk_cache_item *item, *section;
    struct tk_error err;
    struct tk_operations *operations = operations_of(segment);
    assert_int_equal(tk_operations_each(operations, true, add_to_tally, &tally), TK_OK);
    tk_operations_free(operations);
    assert_int_equal(tk_segment_schema(segment, &item, &err), TK_OK);
    const struct tk_schema_view *schema = item->value;
    for (uint32_t c = TK_COLUMN_FIXED; c < schema->column_count; c++) {
        const struct tk_column *column = &schema->columns[c];
        struct tk_counts counts;
        if (column->owner != TK_COLUMN_OF_SPAN || !tk_str_eq(column->key, tk_str_from(key)))
            continue;
        assert_int_equal(column->kind, TK_COLUMN_DICTIONARY);
        assert_int_equal(tk_segment_section(segment, &column->counts, &section, &err), TK_OK);
        assert_int_equal(tk_counts_read(*(const tk_str *)section->value, column->distinct, &counts),
                         TK_OK);
        for (uint32_t i = 0; i < counts.code_count; i++)
            tally.durations += counts.span_count[i];
        tk_counts_release(&counts);
        tk_cache_release(section);
    }
    tk_cache_release(item);
    return tally;
}

static void
assert_counts_add_up(struct tk_segment *const *segments, uint32_t count, struct tk_segment *merged)
{
    struct tally sum = {0}, after = tally_of(merged, "yes");
    for (uint32_t i = 0; i < count; i++) {
        struct tally one = tally_of(segments[i], "yes");
        sum.spans += one.spans;
        sum.errors += one.errors;
        sum.last = one.last > sum.last ? one.last : sum.last;
        sum.durations += one.durations;
    }
    assert_memory_equal(&sum, &after, sizeof sum);
}

static void
release(struct tk_segment **segments, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        tk_segment_unref(segments[i]);
}

/* Merges, compares, lets go. */
static void
assert_merges(struct tk_segment **segments, uint32_t count)
{
    struct tk_segment *merged = merge_segments(segments, count);
    assert_same_traces(segments, count, merged);
    assert_counts_add_up(segments, count, merged);
    release(segments, count);
    tk_segment_unref(merged);
}

/* ---- tests ---- */

static void
segments_one_after_the_other_become_one(void **state)
{
    struct tk_segment *segments[3];
    (void)state;
    for (uint64_t i = 0; i < 3; i++)
        segments[i] = SEAL({.trace = 2 * i + 1, .span = 1, .start = 1000 + i * 100, .name = "a"},
                           {.trace = 2 * i + 1, .span = 2, .parent = 1, .start = 1010 + i * 100},
                           {.trace = 2 * i + 2, .span = 3, .start = 1050 + i * 100, .name = "c"});
    assert_merges(segments, 3);
}

static void
parts_of_a_trace_come_together_where_it_starts(void **state)
{
    struct tk_segment *segments[] = {
        SEAL({.trace = 1, .span = 1, .start = 5000}, {.trace = 3, .span = 1, .start = 3000}),
        SEAL({.trace = 1, .span = 2, .parent = 1, .start = 1000},
             {.trace = 2, .span = 9, .start = 4000}),
        SEAL({.trace = 1, .span = 3, .parent = 2, .start = 5500},
             {.trace = 3, .span = 2, .start = 3000}),
    };
    (void)state;
    assert_merges(segments, 3);
}

static void
of_a_span_that_is_there_twice_the_fuller_one_stays(void **state)
{
    struct tk_segment *segments[] = {
        SEAL({.trace = 1, .span = 1, .start = 1000, .attrs = 5, .name = "full"},
             {.trace = 1, .span = 2, .start = 1000, .name = "short", .end = 1100},
             {.trace = 1, .span = 3, .start = 1000, .name = "first"}),
        SEAL({.trace = 1, .span = 1, .start = 900, .name = "lean"},
             {.trace = 1, .span = 2, .start = 1000, .name = "long", .end = 1200},
             {.trace = 1, .span = 3, .start = 1000, .name = "second"}),
    };
    (void)state;
    assert_merges(segments, 2);
}

static void
one_segment_comes_out_as_it_was(void **state)
{
    struct tk_segment *segment = SEAL({.trace = 1, .span = 1, .start = 1000, .attrs = 3},
                                      {.trace = 2, .span = 1, .start = 900, .attrs = 2});
    (void)state;
    assert_merges(&segment, 1);
}

/* What differs from segment to segment: keys, names, values, how many of them there are. */
static struct tk_batch *
random_batch(unsigned *seed, uint64_t at)
{
    static char texts[1 << 16][24];
    static uint32_t next_text;
    struct fx_span spans[TRACES];
    uint32_t count = 1 + (uint32_t)rand_r(seed) % TRACES;
    for (uint32_t i = 0; i < count; i++) {
        char *name = texts[next_text++ % (1 << 16)];
        (void)snprintf(name, sizeof texts[0], "name %d", rand_r(seed) % 50);
        uint64_t start = at + (uint64_t)rand_r(seed) % 5000 + 1;
        spans[i] = (struct fx_span){.trace = 1 + (uint64_t)rand_r(seed) % (2 * TRACES),
                                    .span = 1 + (uint64_t)rand_r(seed) % 200,
                                    .parent = (uint64_t)rand_r(seed) % 200,
                                    .start = start,
                                    .end = start + (uint64_t)rand_r(seed) % 100000,
                                    .attrs = (uint32_t)rand_r(seed) % 12,
                                    .name = name};
    }
    struct tk_buf body;
    struct tk_batch *made = fx_batch(spans, count);
    for (uint32_t i = 0; i < made->attr_count; i++) /* many different numbers, and the same key */
        if (made->attr_value[i].type == TK_VALUE_DOUBLE)
            made->attr_value[i].d = rand_r(seed) % 3 == 0 ? 0.5 : rand_r(seed);
        else if (made->attr_value[i].type == TK_VALUE_INT && rand_r(seed) % 40 == 0)
            made->attr_key[i] = made->attr_key[0];
    fx_encode(made, &body);
    tk_batch_free(made);
    struct tk_batch *batch = fx_decode(tk_buf_str(&body));
    tk_buf_release(&body);
    return batch;
}

static void
random_segments_merge_into_what_they_are_together(void **state)
{
    (void)state;
    for (unsigned round = 1; round <= 12; round++) {
        struct tk_segment *segments[SOURCES_MAX];
        unsigned seed = round;
        uint32_t count = 1 + round % SOURCES_MAX;
        for (uint32_t i = 0; i < count; i++)
            segments[i] = seal_batch(random_batch(&seed, 1000 + i * (round % 3) * 2000));
        assert_merges(segments, count);
    }
}

static void
what_was_merged_can_be_merged_again(void **state)
{
    struct tk_segment *small[9], *large[3];
    unsigned seed = 99;
    (void)state;
    for (uint32_t i = 0; i < 9; i++)
        small[i] = seal_batch(random_batch(&seed, 1000 + i * 1000));
    for (uint32_t i = 0; i < 3; i++)
        large[i] = merge_segments(&small[i * 3], 3);
    struct tk_segment *merged = merge_segments(large, 3);
    assert_same_traces(small, 9, merged);
    assert_counts_add_up(small, 9, merged);
    release(small, 9);
    release(large, 3);
    tk_segment_unref(merged);
}

/* More values of one key than a dictionary holds. */
static void
dictionaries_that_do_not_fit_together_are_written_out(void **state)
{
    enum { COUNT = TK_DICTIONARY_NUMBERS_MAX };
    static struct fx_span spans[COUNT];
    struct tk_segment *segments[2];
    (void)state;
    for (uint64_t s = 0; s < 2; s++) {
        for (uint64_t i = 0; i < COUNT; i++)
            spans[i] = (struct fx_span){
                .trace = i + 1, .span = s * COUNT + i + 1, .start = 1000 + i, .name = "n"};
        segments[s] = seal_spans(spans, COUNT);
    }
    assert_merges(segments, 2);
}

static void
a_trace_of_many_groups_is_merged(void **state)
{
    enum { COUNT = 5000 };
    struct fx_span *spans = calloc(COUNT, sizeof *spans);
    struct tk_segment *segments[3];
    (void)state;
    for (uint64_t s = 0; s < 3; s++) {
        for (uint64_t i = 0; i < COUNT; i++)
            spans[i] = (struct fx_span){.trace = i % 100 == 0 ? 7 + i : 7,
                                        .span = i * 2 + s,
                                        .parent = i * 2 - 2 + s,
                                        .start = 100000 + i * 3 + s};
        spans[0].span = 1;
        segments[s] = seal_spans(spans, COUNT);
    }
    free(spans);
    assert_merges(segments, 3);
}

/* Every segment has names of its own, so that codes change; and none of the others' time. */
static void
groups_that_come_whole_are_copied_whole(void **state)
{
    enum { COUNT = 1500 };
    static const char *const names[] = {"m", "z", "a"};
    static struct fx_span spans[COUNT];
    struct tk_segment *segments[3];
    (void)state;
    for (uint64_t s = 0; s < 3; s++) {
        for (uint64_t i = 0; i < COUNT; i++)
            spans[i] = (struct fx_span){.trace = s * COUNT + i / 3 + 1,
                                        .span = i + 2,
                                        .parent = i % 3 == 0 ? i * 7 : i + 1,
                                        .start = 1000 + s * COUNT + i,
                                        .attrs = (uint32_t)(i % 12),
                                        .name = names[i % 10 == 0 ? s : 0]};
        segments[s] = seal_spans(spans, COUNT);
    }
    struct tk_segment *merged = merge_segments(segments, 3);
    assert_int_equal(merged->group_count, 3); /* two, if rows were gathered anew */
    assert_same_traces(segments, 3, merged);
    assert_counts_add_up(segments, 3, merged);
    release(segments, 3);
    tk_segment_unref(merged);
}

static enum tk_err
keep_even(void *arg, const struct tk_trace_entry *trace, uint32_t row_count, struct tk_error *err)
{
    uint64_t *gone = arg;
    (void)err;
    assert_true(trace->start_nano > 0 && trace->end_nano >= trace->start_nano);
    *gone += trace->id.high % 2 != 0 ? row_count : 0;
    return trace->id.high % 2 == 0 ? TK_OK : TK_ERR_NOT_FOUND;
}

static void
traces_that_are_not_kept_go_and_counts_stay(void **state)
{
    struct tk_segment *segment =
        SEAL({.trace = 1, .span = 1, .start = 1000}, {.trace = 2, .span = 1, .start = 1001},
             {.trace = 3, .span = 1, .start = 1002}, {.trace = 3, .span = 2, .start = 1003});
    uint64_t gone = 0;
    struct tk_segment_merge merge = {
        .segments = &segment, .count = 1, .keep = keep_even, .arg = &gone};
    struct tk_error err = {0};
    struct tk_trace_entry entry;
    (void)state;
    assert_int_equal(try_merge(&merge, next_file, &err), TK_OK);
    struct tk_segment *merged = open_segment(next_file++);
    assert_int_equal(gone, 3);
    assert_int_equal(merged->row_count, 1);
    assert_int_equal(tk_segment_find(merged, fx_trace_id(2), false, &entry, &err), TK_OK);
    assert_int_equal(tk_segment_find(merged, fx_trace_id(3), false, &entry, &err),
                     TK_ERR_NOT_FOUND);
    assert_counts_add_up(&segment, 1, merged);
    tk_segment_unref(segment);
    tk_segment_unref(merged);
}

static enum tk_err
keep_none(void *arg, const struct tk_trace_entry *trace, uint32_t row_count, struct tk_error *err)
{
    (void)arg, (void)trace, (void)row_count, (void)err;
    return TK_ERR_NOT_FOUND;
}

static void
of_a_segment_may_be_left_nothing_but_its_counts(void **state)
{
    struct tk_segment *segments[2] = {SEAL({.trace = 1, .span = 1, .start = 1000}), NULL};
    struct tk_segment_merge merge = {.segments = segments, .count = 1, .keep = keep_none};
    struct tk_error err = {0};
    struct tk_trace_entry entry;
    (void)state;
    assert_int_equal(try_merge(&merge, next_file, &err), TK_OK);
    struct tk_segment *empty = open_segment(next_file++);
    assert_int_equal(empty->row_count, 0);
    assert_int_equal(tk_segment_find(empty, fx_trace_id(1), false, &entry, &err), TK_ERR_NOT_FOUND);
    assert_counts_add_up(segments, 1, empty);
    tk_segment_unref(segments[0]);
    segments[0] = empty;
    segments[1] = SEAL({.trace = 1, .span = 1, .start = 1000}, {.trace = 9, .span = 1, .start = 9});
    assert_merges(segments, 2);
}

static void
a_merge_stops_when_it_is_told_to(void **state)
{
    struct tk_segment *segment = SEAL({.trace = 1, .span = 1, .start = 1000});
    atomic_bool stop = true;
    struct tk_segment_merge merge = {.segments = &segment, .count = 1, .stop = &stop};
    struct tk_error err = {0};
    (void)state;
    assert_int_equal(try_merge(&merge, next_file++, &err), TK_ERR_BUSY);
    tk_segment_unref(segment);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(segments_one_after_the_other_become_one),
        TEST(parts_of_a_trace_come_together_where_it_starts),
        TEST(of_a_span_that_is_there_twice_the_fuller_one_stays),
        TEST(one_segment_comes_out_as_it_was),
        TEST(random_segments_merge_into_what_they_are_together),
        TEST(what_was_merged_can_be_merged_again),
        TEST(dictionaries_that_do_not_fit_together_are_written_out),
        TEST(a_trace_of_many_groups_is_merged),
        TEST(groups_that_come_whole_are_copied_whole),
        TEST(traces_that_are_not_kept_go_and_counts_stay),
        TEST(of_a_segment_may_be_left_nothing_but_its_counts),
        TEST(a_merge_stops_when_it_is_told_to),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
