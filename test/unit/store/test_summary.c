/*
 * Summaries of groups: their bytes and limits; what a chart makes of them is what the rows say,
 * whether they were made by sealing or by merging; `tracekit check` believes none.
 */
#include "store/segment/summary.h"

#include "store/embedded/seal.h"
#include "store/fixture.h"
#include "store/segment/schema_merge.h"
#include "store/segment/segment_merge.h"

enum {
    TRACE_SPANS = 8,
    SPANS = 40 * TK_GROUP_ROWS,
    SERVICES = 5,
    STEPS_MAX = 64,
    SPAN_NANO = 1000, /* one begins so long after the other */
};
static const uint64_t BEGIN = 1700000000000000000;

/* ---- making and reading ---- */

static struct tk_counted_span
row_of(uint32_t service, uint32_t bucket, bool is_error)
{
    return (struct tk_counted_span){
        .code = service, .bucket = (uint16_t)bucket, .is_error = is_error};
}

static void
add_group(struct tk_summary_writer *writer, const struct tk_counted_span *rows,
          const uint64_t *resources, uint32_t count, uint64_t bytes)
{
    assert_int_equal(tk_summary_writer_rows(writer, rows, resources, count), TK_OK);
    tk_summary_writer_end_group(writer, bytes);
}

/* The groups of one stretch and another one, each of `count` rows. */
static tk_str
make_stretches(struct tk_summary_writer *writer, const struct tk_counted_span *rows,
               const uint64_t *resources, uint32_t count, uint64_t bytes)
{
    tk_str section;
    for (uint32_t g = 0; g <= TK_SUMMARY_GROUPS; g++)
        add_group(writer, rows, resources, count, bytes);
    assert_int_equal(tk_summary_writer_section(writer, &section), TK_OK);
    return section;
}

static void
the_section_has_the_bytes_that_are_documented(void **state)
{
    static const char expected[] = "\x0E"             /* bytes of the first stretch */
                                   "\x02\x20\x10\x04" /* resource 2: 32 spans, 16 errors */
                                   "\x03\x10\x61\x10" /* 16 in bucket 3, 16 in bucket 100 */
                                   "\x01\x10\x00\x02" /* resource 1: 16 spans */
                                   "\x00\x10";        /* in bucket 0 */
    struct tk_counted_span rows[] = {row_of(0, 3, false), row_of(1, 0, false),
                                     row_of(0, 100, true)};
    uint64_t resources[] = {2, 1, 0}; /* 0 is of the same service as 2 */
    struct tk_summary_writer writer;
    (void)state;
    assert_int_equal(tk_summary_writer_init(&writer, 3), TK_OK);
    tk_str section = make_stretches(&writer, rows, resources, 3, 1000);
    assert_memory_equal(section.ptr, expected, 15);
    tk_summary_writer_release(&writer);
}

static void
one_stretch_has_no_section(void **state)
{
    struct tk_counted_span row = row_of(0, 3, false);
    uint64_t resource = 0;
    struct tk_summary_writer writer;
    tk_str section;
    (void)state;
    assert_int_equal(tk_summary_writer_init(&writer, 1), TK_OK);
    for (uint32_t g = 0; g < TK_SUMMARY_GROUPS; g++)
        add_group(&writer, &row, &resource, 1, 1000);
    assert_int_equal(tk_summary_writer_section(&writer, &section), TK_OK);
    assert_int_equal(section.len, 0);
    tk_summary_writer_release(&writer);
}

static tk_str
first_stretch(tk_str section, uint32_t resource_count)
{
    struct tk_summary_of of = {.group_count = TK_SUMMARY_GROUPS + 1,
                               .resource_count = resource_count};
    struct tk_summaries *summaries;
    assert_int_equal(tk_summaries_read(section, &of, &summaries), TK_OK);
    assert_int_equal(summaries->count, 2);
    tk_str first = summaries->stretch[0];
    tk_summaries_free(summaries);
    return first;
}

static void
a_summary_that_takes_more_than_its_share_is_left_out(void **state)
{
    struct tk_counted_span row = row_of(0, 3, false);
    uint64_t resource = 0;
    (void)state;
    for (int over = 0; over < 2; over++) { /* 6 bytes for 16 groups */
        struct tk_summary_writer writer;
        assert_int_equal(tk_summary_writer_init(&writer, 1), TK_OK);
        uint64_t bytes = 6 * TK_SUMMARY_SHARE / TK_SUMMARY_GROUPS - (uint64_t)over;
        tk_str section = make_stretches(&writer, &row, &resource, 1, bytes);
        assert_int_equal(first_stretch(section, 1).len, over ? 0 : 6);
        tk_summary_writer_release(&writer);
    }
}

static void
groups_with_more_services_than_the_limit_have_no_summary(void **state)
{
    enum { MORE = TK_SUMMARY_SERVICES_MAX + 1 };
    static struct tk_counted_span rows[MORE];
    static uint64_t resources[MORE];
    (void)state;
    for (uint32_t i = 0; i < MORE; i++) {
        rows[i] = row_of(i, 1, false);
        resources[i] = i;
    }
    for (uint32_t count = TK_SUMMARY_SERVICES_MAX; count <= MORE; count++) {
        struct tk_summary_writer writer;
        assert_int_equal(tk_summary_writer_init(&writer, MORE), TK_OK);
        tk_str section = make_stretches(&writer, rows, resources, count, 1 << 20);
        assert_true((first_stretch(section, MORE).len > 0) == (count < MORE));
        tk_summary_writer_release(&writer);
    }
}

static void
a_section_that_makes_no_sense_is_refused(void **state)
{
    static const struct {
        const char *bytes;
        size_t len;
    } wrong[] = {
        {"\x06\x00\x02\x00\x02\x03", 6},                  /* cut short */
        {"\x06\x01\x02\x00\x02\x03\x02\x00", 8},          /* a resource that is not there */
        {"\x06\x00\x02\x03\x02\x03\x02\x00", 8},          /* more errors than spans */
        {"\x06\x00\x02\x00\x02\x03\x01\x00", 8},          /* durations of fewer spans */
        {"\x06\x00\x02\x00\x02\x03\x03\x00", 8},          /* of more */
        {"\x08\x00\x02\x00\x04\x03\x01\x00\x01\x00", 10}, /* a bucket twice */
        {"\x08\x00\x02\x00\x04\x03\x02\x01\x00\x00", 10}, /* an empty bucket */
        {"\x07\x00\x02\x00\x03\x80\x0F\x02\x00", 9},      /* a bucket that there is not */
        {"\x06\x00\x02\x00\x02\x03\x02\x00\x00", 9},      /* something behind it */
        {"\x00", 1},                                      /* one stretch of two */
    };
    struct tk_group_entry groups[TK_SUMMARY_GROUPS + 1] = {{.row_count = 2}};
    struct tk_summary_of of = {groups, TK_SUMMARY_GROUPS + 1, 1};
    struct tk_summaries *summaries;
    (void)state;
    tk_str right = {"\x06\x00\x02\x00\x02\x03\x02\x00", 8};
    assert_int_equal(tk_summaries_read(right, &of, &summaries), TK_OK);
    tk_summaries_free(summaries);
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        if (tk_summaries_read((tk_str){wrong[i].bytes, wrong[i].len}, &of, &summaries) !=
            TK_ERR_CORRUPT)
            fail_msg("number %zu was read", i);
    groups[1].row_count = 1; /* that nobody counted */
    assert_int_equal(tk_summaries_read(right, &of, &summaries), TK_ERR_CORRUPT);
}

/* ---- segments ---- */

static const char *const services[SERVICES] = {"a", "b", "c", "d", "unknown_service"};

static void
add_resource(struct tk_batch *batch, const char *service)
{
    uint32_t index;
    struct tk_range attrs = {batch->attr_count, 0};
    if (strcmp(service, "unknown_service") != 0) {
        fx_attr(batch, "service.name", fx_text(service));
        attrs.count = 1;
    }
    fx_attr(batch, "service.instance.id", fx_text("one"));
    attrs.count++;
    assert_int_equal(tk_batch_add_resource(batch, &index), TK_OK);
    batch->resources[index] = (struct tk_resource){.attrs = attrs};
}

static uint64_t
start_of(uint64_t i)
{
    return BEGIN + i * SPAN_NANO;
}

static uint64_t
duration_of(uint64_t i)
{
    return 1000 * (1 + i % 50 * (i % 3));
}

static uint32_t
service_of(uint64_t i)
{
    return (uint32_t)(i / 3 % SERVICES);
}

/* Spans `first`, first + step, ... below SPANS; eight that follow one another make a trace. */
static struct tk_batch *
make_batch(uint64_t first, uint64_t step)
{
    struct tk_batch *batch = tk_batch_new();
    uint32_t scope;
    for (uint32_t s = 0; s < SERVICES; s++)
        add_resource(batch, services[s]);
    assert_int_equal(tk_batch_add_scope(batch, &scope), TK_OK);
    for (uint64_t i = first; i < SPANS; i += step) {
        uint32_t row;
        assert_int_equal(tk_batch_add_span(batch, &row), TK_OK);
        batch->trace_id[row] = fx_trace_id(1 + i / TRACE_SPANS);
        batch->span_id[row] = i + 1;
        batch->start_nano[row] = start_of(i);
        batch->end_nano[row] = start_of(i) + duration_of(i);
        batch->name[row] = TK_STR("step");
        batch->status[row] = i % 7 == 0 ? TK_STATUS_ERROR : TK_STATUS_UNSET;
        batch->resource[row] = service_of(i);
    }
    return batch;
}

struct place {
    char *dir;
    struct tk_cache cache;
    struct tk_segment_host host;
};

static char said[1024];

static void
listen(void *arg, const char *line)
{
    (void)arg;
    (void)snprintf(said, sizeof said, "%s", line);
}

static void
begin_place(struct place *place)
{
    char path[512];
    place->dir = fx_dir();
    (void)snprintf(path, sizeof path, "%s/p1", place->dir);
    assert_int_equal(tk_env_host()->make_dir(tk_env_host(), path, NULL), TK_OK);
    tk_cache_init(&place->cache, 16 << 20);
    place->host = (struct tk_segment_host){.env = tk_env_host(), .cache = &place->cache};
}

static void
end_place(struct place *place)
{
    tk_cache_release_all(&place->cache);
    fx_remove_dir(place->dir);
}

static void
path_of(const struct place *place, struct tk_segment_name name, char path[512])
{
    (void)snprintf(path, 512, "%s/p1/%08llu-%08llu.seg", place->dir, (unsigned long long)name.first,
                   (unsigned long long)name.last);
}

/* Takes the batch over. */
static void
seal_batch(struct place *place, struct tk_segment_name name, struct tk_batch *batch,
           struct tk_seal_counted *counted)
{
    struct tk_segment_writer *writer;
    struct tk_seal seal;
    struct tk_error err = {0};
    char path[512];
    struct tk_buffer *buffer = tk_buffer_new(1);
    path_of(place, name, path);
    assert_int_equal(tk_buffer_add(buffer, batch), TK_OK);
    assert_int_equal(tk_seal_init(&seal, buffer, &err), TK_OK);
    assert_int_equal(
        tk_segment_writer_open(place->host.env, path, name, &seal.builder.schema, 1, &writer, &err),
        TK_OK);
    assert_int_equal(tk_seal_write(&seal, writer, counted, &err), TK_OK);
    assert_int_equal(tk_segment_writer_finish(writer, 0, &err), TK_OK);
    tk_seal_release(&seal);
    tk_buffer_unref(buffer);
}

static struct tk_segment *
open_segment(struct place *place, struct tk_segment_name name)
{
    struct tk_segment *segment;
    struct tk_error err = {0};
    char path[512];
    path_of(place, name, path);
    if (tk_segment_open(&place->host, path, name, &segment, &err) != TK_OK)
        fail_msg("%s", err.message);
    return segment;
}

static void
merge_two(struct place *place, struct tk_segment_name a, struct tk_segment_name b,
          struct tk_segment_name name)
{
    struct tk_segment *segments[] = {open_segment(place, a), open_segment(place, b)};
    struct tk_segment_merge merge = {.segments = segments, .count = 2};
    struct tk_schema_merge schema;
    struct tk_segment_writer *writer;
    struct tk_error err = {0};
    char path[512];
    path_of(place, name, path);
    assert_int_equal(tk_schema_merge_init(&schema, segments, 2, &err), TK_OK);
    assert_int_equal(
        tk_segment_writer_open(place->host.env, path, name, &schema.schema, 3, &writer, &err),
        TK_OK);
    assert_int_equal(tk_segment_merge(&merge, &schema, writer, &err), TK_OK);
    assert_int_equal(tk_segment_writer_finish(writer, 0, &err), TK_OK);
    tk_schema_merge_release(&schema);
    tk_segment_unref(segments[0]);
    tk_segment_unref(segments[1]);
}

static void
assert_all_summarized(struct place *place, struct tk_segment_name name)
{
    struct tk_segment *segment = open_segment(place, name);
    struct tk_cache_item *item;
    struct tk_error err;
    assert_int_equal(tk_segment_summaries(segment, &item, &err), TK_OK);
    const struct tk_summaries *summaries = item->value;
    assert_true(summaries->count > 1);
    for (uint32_t i = 0; i < summaries->count; i++)
        assert_true(summaries->stretch[i].len > 0);
    tk_cache_release(item);
    tk_segment_unref(segment);
}

static uint64_t
damages(const struct place *place)
{
    struct tk_embedded_check counts = {0};
    struct tk_error err = {0};
    said[0] = '\0';
    if (tk_embedded_check(NULL, place->dir, listen, NULL, &counts, &err) != TK_OK)
        fail_msg("%s", err.message);
    return counts.damaged_blocks + counts.damaged_files;
}

/* ---- charts ---- */

struct chart {
    struct bar {
        uint64_t spans, errors, durations, buckets; /* sum of the numbers of their buckets */
    } bar[STEPS_MAX][SERVICES];
};

static enum tk_err
draw(void *arg, tk_str service, tk_str name, int32_t kind, const struct tk_store_count *count)
{
    struct chart *chart = arg;
    uint32_t s = 0;
    (void)name;
    (void)kind;
    while (!tk_str_eq(service, tk_str_from(services[s])))
        s++;
    struct bar *bar = &chart->bar[count->step][s];
    bar->spans += count->span_count;
    bar->errors += count->error_count;
    const struct tk_histogram *h = count->durations;
    for (uint32_t i = h != NULL ? h->begin : 0; h != NULL && i < h->end; i++) {
        bar->durations += tk_histogram_get(h, i);
        bar->buckets += i * tk_histogram_get(h, i);
    }
    return TK_OK;
}

static void
draw_expected(const struct tk_store_range *range, struct chart *chart)
{
    for (uint64_t i = 0; i < SPANS; i++) {
        if (start_of(i) < range->begin_nano || start_of(i) >= range->end_nano)
            continue;
        uint64_t step = (start_of(i) - range->begin_nano) / range->step_nano;
        struct bar *bar = &chart->bar[step][service_of(i)];
        bar->spans++;
        bar->errors += i % 7 == 0;
        if ((range->details & TK_COUNT_DURATIONS) == 0)
            continue;
        bar->durations++;
        bar->buckets += tk_histogram_bucket(duration_of(i));
    }
}

static void
assert_charts(const struct place *place)
{
    static struct chart expected, drawn;
    static const uint64_t steps[] = {SPANS * 5ull, SPANS / 2, SPANS / 3 + 7, SPANS / 61};
    struct tk_store_options options = {.dir = place->dir, .memory = 32 << 20};
    struct tk_store *store;
    struct tk_store_view *view;
    struct tk_error err = {0};
    if (tk_embedded_open(&options, &store, &err) != TK_OK)
        fail_msg("%s", err.message);
    assert_int_equal(tk_store_view_open(store, 1, &view, &err), TK_OK);
    for (size_t i = 0; i < 2 * sizeof steps / sizeof *steps; i++) {
        struct tk_store_range range = {.begin_nano = start_of(i * 100) + 1,
                                       .end_nano = start_of(SPANS - 50),
                                       .step_nano = steps[i / 2] * SPAN_NANO,
                                       .details = i % 2 > 0 ? TK_COUNT_DURATIONS : 0};
        memset(&expected, 0, sizeof expected);
        memset(&drawn, 0, sizeof drawn);
        draw_expected(&range, &expected);
        assert_int_equal(tk_store_operations(view, &range, draw, &drawn, &err), TK_OK);
        assert_memory_equal(&expected, &drawn, sizeof drawn);
    }
    tk_store_view_close(view);
    tk_store_close(store);
}

static void
charts_of_what_was_sealed_say_what_the_rows_say(void **state)
{
    struct tk_segment_name name = {1, 1, 1};
    struct place place;
    (void)state;
    begin_place(&place);
    seal_batch(&place, name, make_batch(0, 1), NULL);
    assert_all_summarized(&place, name);
    assert_int_equal(damages(&place), 0);
    assert_charts(&place);
    end_place(&place);
}

/* Groups that are copied as they are, and traces of which each segment has a part. */
static void
charts_of_what_was_merged_say_what_the_rows_say(void **state)
{
    struct tk_segment_name a = {1, 1, 1}, b = {1, 2, 2}, both = {1, 1, 2};
    (void)state;
    for (int halves = 0; halves < 2; halves++) {
        struct place place;
        begin_place(&place);
        seal_batch(&place, a, make_batch(halves ? SPANS / 2 : 0, halves ? 1 : 2), NULL);
        struct tk_batch *rest = make_batch(halves ? 0 : 1, halves ? 1 : 2);
        seal_batch(&place, b, rest, NULL); /* halves: the newer half comes a second time */
        merge_two(&place, a, b, both);
        assert_all_summarized(&place, both);
        assert_int_equal(damages(&place), 0);
        assert_charts(&place);
        end_place(&place);
    }
}

/* Of the newer half of the spans. */
static bool
is_newer(void *arg, struct tk_trace_id id, tk_span_id span_id, uint64_t start_nano)
{
    (void)arg;
    (void)id;
    (void)span_id;
    return start_nano >= start_of(SPANS / 2);
}

/* Half of the spans are there twice, and count once. */
static void
charts_over_segments_that_overlap_say_what_the_rows_say(void **state)
{
    struct tk_segment_name a = {1, 1, 1}, b = {1, 2, 2};
    struct tk_seal_counted newer = {.is_counted = is_newer};
    struct place place;
    (void)state;
    begin_place(&place);
    seal_batch(&place, a, make_batch(SPANS / 2, 1), NULL);
    seal_batch(&place, b, make_batch(0, 1), &newer);
    assert_charts(&place);
    end_place(&place);
}

/* One span more of a service and one less of another one: checksums are right, rows are not so. */
static void
a_summary_that_is_not_what_the_rows_say_is_found_by_check(void **state)
{
    struct tk_segment_name name = {1, 1, 1};
    struct place place;
    struct tk_footer footer;
    struct tk_error err;
    char path[512];
    (void)state;
    begin_place(&place);
    seal_batch(&place, name, make_batch(0, 1), NULL);
    path_of(&place, name, path);
    struct tk_segment *segment = open_segment(&place, name);
    struct tk_part part = segment->summaries;
    uint64_t size = segment->size;
    char *raw;
    assert_int_equal(tk_segment_read_part(segment, &part, &raw, &err), TK_OK);
    tk_segment_unref(segment);
    FILE *file = fopen(path, "r+b");
    assert_int_equal(fseek(file, (long)(size - sizeof footer), SEEK_SET), 0);
    assert_int_equal(fread(&footer, sizeof footer, 1, file), 1);
    assert_int_equal(fseek(file, (long)(size - sizeof footer), SEEK_SET), 0);
    /* stretch: length (2 bytes), resource (1), spans (2), errors (2): one error less */
    assert_true((raw[5] & 0x7F) > 0);
    raw[5]--;
    footer.summaries = (struct tk_part){size - sizeof footer, part.raw_size, part.raw_size,
                                        tk_hash_stable((tk_str){raw, part.raw_size})};
    footer.crc = tk_crc32c(0, (tk_str){(const char *)&footer, offsetof(struct tk_footer, crc)});
    assert_int_equal(fwrite(raw, part.raw_size, 1, file), 1);
    assert_int_equal(fwrite(&footer, sizeof footer, 1, file), 1);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(damages(&place), 1);
    assert_non_null(strstr(said, "they are not what the rows say"));
    free(raw);
    end_place(&place);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_section_has_the_bytes_that_are_documented),
        cmocka_unit_test(one_stretch_has_no_section),
        cmocka_unit_test(a_summary_that_takes_more_than_its_share_is_left_out),
        cmocka_unit_test(groups_with_more_services_than_the_limit_have_no_summary),
        cmocka_unit_test(a_section_that_makes_no_sense_is_refused),
        cmocka_unit_test(charts_of_what_was_sealed_say_what_the_rows_say),
        cmocka_unit_test(charts_of_what_was_merged_say_what_the_rows_say),
        cmocka_unit_test(charts_over_segments_that_overlap_say_what_the_rows_say),
        cmocka_unit_test(a_summary_that_is_not_what_the_rows_say_is_found_by_check),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
