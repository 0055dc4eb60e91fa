/*
 * What is written now is what version 3 was when it was settled, byte for byte (golden/v3/): a
 * change of the format shows here, and wants another version.  Nothing in these files is compressed
 * by zstd, so it does not matter which one there is.  test_embedded opens such as are.  What
 * version 2 wrote (golden/v2/) is read, and becomes version 3 when it is merged.
 *
 * A codec that is chosen otherwise shows too; then the old files still open, and these are made
 * anew: with TRACEKIT_MAKE_GOLDEN=<folder> they are written there.
 */
#include "store/embedded/merge.h"
#include "store/embedded/seal.h"
#include "store/fixture.h"
#include "store/segment/schema_merge.h"
#include "store/segment/segment_merge.h"

enum { PLAIN_SPANS = 12, LONG_SPANS = TK_GROUP_ROWS + 12, NO_ZSTD = 0 };
static const struct tk_segment_name NAME = {1, 1, 1};
static const uint64_t BEGIN = 1700000000000000000;

/* A column of values that are mostly distinct has no dictionary; so many would make a large file.
 */
static void
without_dictionary(struct tk_seal *seal, const char *key)
{
    struct tk_schema *schema = &seal->builder.schema;
    for (uint32_t c = TK_COLUMN_FIXED; c < schema->column_count; c++) {
        struct tk_schema_column *column = &schema->columns[c];
        if (!tk_str_eq(column->column.key, tk_str_from(key)))
            continue;
        bool is_text = tk_type_is_text(column->column.type);
        column->column.kind = is_text ? TK_COLUMN_PLAIN : TK_COLUMN_NUMBERS;
        column->column.distinct = 0;
        column->texts = NULL;
        column->numbers = NULL;
        seal->builder.emit[c] = (struct tk_column_emit){NULL, is_text};
    }
}

/* Every kind of column and of value; two traces; attributes that have no columns. */
static struct tk_batch *
plain_batch(void)
{
    struct tk_batch *batch = tk_batch_new();
    static char unique[PLAIN_SPANS][32];
    for (uint64_t i = 0; i < PLAIN_SPANS; i++) {
        uint64_t trace = 1 + i / 7;
        struct fx_span span = {
            .trace = trace, .span = 100 + i, .start = BEGIN + trace * 10000000 + i * 1000};
        span.parent = i % 7 == 0 ? 0 : i == 4 ? 77 : 99 + i;
        fx_add_span(batch, &span);
        (void)snprintf(unique[i], sizeof unique[i], "req-%016llx",
                       (unsigned long long)(i + 1) * 0x9E3779B97F4A7C15u);
        struct tk_range attrs = fx_attrs(batch, i, i % 2);
        fx_attr(batch, "unique", fx_text(unique[i]));
        attrs.count++;
        if (i == 5) {
            fx_attr(batch, "twice", fx_text("one"));
            fx_attr(batch, "twice", fx_text("two"));
            attrs.count += 2;
        }
        batch->attrs[i] = attrs;
    }
    return batch;
}

/* One trace that reaches over two groups. */
static struct tk_batch *
long_batch(void)
{
    struct tk_batch *batch = tk_batch_new();
    fx_add_resource(batch);
    for (uint32_t i = 0; i < LONG_SPANS; i++) {
        uint32_t row;
        assert_int_equal(tk_batch_add_span(batch, &row), TK_OK);
        batch->trace_id[row] = fx_trace_id(3);
        batch->span_id[row] = i + 1;
        batch->parent_id[row] = i;
        batch->start_nano[row] = BEGIN + i * 1000ull;
        batch->end_nano[row] = batch->start_nano[row] + 500;
        batch->name[row] = TK_STR("step");
    }
    return batch;
}

/* Takes the batch over. */
static void
write_segment(struct tk_batch *batch, const char *path)
{
    struct tk_segment_writer *writer;
    struct tk_seal seal;
    struct tk_error err = {0};
    struct tk_buffer *buffer = tk_buffer_new(1);
    assert_int_equal(tk_buffer_add(buffer, batch), TK_OK);
    assert_int_equal(tk_seal_init(&seal, buffer, &err), TK_OK);
    without_dictionary(&seal, "unique");
    without_dictionary(&seal, "big");
    assert_int_equal(tk_segment_writer_open(tk_env_host(), path, NAME, &seal.builder.schema,
                                            NO_ZSTD, &writer, &err),
                     TK_OK);
    assert_int_equal(tk_seal_write(&seal, writer, NULL, &err), TK_OK);
    assert_int_equal(tk_segment_writer_finish(writer, 0, &err), TK_OK);
    tk_seal_release(&seal);
    tk_buffer_unref(buffer);
}

static size_t
read_whole(const char *path, char **ret_bytes)
{
    FILE *file = fopen(path, "rb");
    if (file == NULL)
        fail_msg("%s is not there", path);
    assert_int_equal(fseek(file, 0, SEEK_END), 0);
    size_t size = (size_t)ftell(file);
    rewind(file);
    *ret_bytes = malloc(size + 1);
    assert_int_equal(fread(*ret_bytes, 1, size, file), size);
    (void)fclose(file);
    return size;
}

static char *
path_of(const char *dir, const char *file)
{
    char *path;
    assert_true(asprintf(&path, "%s/%s", dir, file) > 0);
    return path;
}

static char *
golden_path(const char *file)
{
    char *path;
    const char *source = getenv("TRACEKIT_SOURCE");
    assert_true(
        asprintf(&path, "%s/test/unit/store/golden/%s", source != NULL ? source : ".", file) > 0);
    return path;
}

static void
assert_written_as(struct tk_batch *(*make)(void), const char *file)
{
    char *dir = fx_dir(), *path = path_of(dir, file), *folder_v3 = path_of("v3", file);
    char *golden = golden_path(folder_v3);
    const char *folder = getenv("TRACEKIT_MAKE_GOLDEN");
    char *bytes, *wanted;
    if (folder != NULL) {
        char *made = path_of(folder, file);
        (void)remove(made);
        write_segment(make(), made);
        free(made);
    }
    write_segment(make(), path);
    size_t size = read_whole(path, &bytes), wanted_size = read_whole(golden, &wanted);
    if (size != wanted_size || memcmp(bytes, wanted, size) != 0)
        fail_msg("%s is written otherwise now; TRACEKIT_MAKE_GOLDEN=<folder> writes it anew", file);
    free(bytes);
    free(wanted);
    free(path);
    free(golden);
    free(folder_v3);
    fx_remove_dir(dir);
}

static void
report(void *arg, const char *line)
{
    (void)arg;
    fail_msg("%s", line);
}

/* The file holds the traces of the batch, which has them in order of span ids. */
static void
assert_holds(const char *path, struct tk_batch *sent)
{
    struct tk_cache cache;
    struct tk_segment *segment;
    struct tk_sources sources;
    struct tk_pieces pieces;
    struct tk_error err = {0};
    tk_cache_init(&cache, 1 << 20);
    struct tk_segment_host host = {.env = tk_env_host(), .cache = &cache, .report = report};
    if (tk_segment_open(&host, path, NAME, &segment, &err) != TK_OK)
        fail_msg("%s", err.message);
    assert_int_equal(segment->row_count, sent->span_count);
    tk_sources_init(&sources);
    assert_int_equal(tk_sources_add_segment(&sources, segment), TK_OK);
    for (uint32_t row = 0; row < sent->span_count;) {
        struct tk_batch *found = tk_batch_new();
        struct tk_range rows = {row, 0};
        while (row < sent->span_count &&
               tk_trace_id_eq(sent->trace_id[row], sent->trace_id[rows.begin]))
            row++;
        rows.count = row - rows.begin;
        tk_pieces_init(&pieces);
        pieces.deep = true;
        assert_int_equal(tk_sources_find(&sources, sent->trace_id[rows.begin], true, &pieces, &err),
                         TK_OK);
        assert_int_equal(tk_pieces_copy(&pieces, sent->trace_id[rows.begin], NULL, found, &err),
                         TK_OK);
        struct tk_buf a, b;
        tk_buf_init(&a, 1 << 26);
        tk_buf_init(&b, 1 << 26);
        tk_otlp_protobuf_encode(sent, rows, &a);
        tk_otlp_protobuf_encode(found, (struct tk_range){0, found->span_count}, &b);
        assert_int_equal(a.len, b.len);
        assert_memory_equal(a.ptr, b.ptr, a.len);
        tk_buf_release(&a);
        tk_buf_release(&b);
        tk_pieces_release(&pieces);
        tk_batch_free(found);
    }
    tk_sources_release(&sources);
    tk_segment_unref(segment);
    tk_cache_release_all(&cache);
    tk_batch_free(sent);
}

static void
assert_golden_holds(const char *file, struct tk_batch *sent)
{
    char *path = golden_path(file);
    assert_holds(path, sent);
    free(path);
}

static void
a_segment_is_written_byte_for_byte_as_ever(void **state)
{
    (void)state;
    assert_written_as(plain_batch, "plain.seg");
    assert_written_as(long_batch, "long.seg");
}

static void
segments_of_both_versions_hold_what_was_put_into_them(void **state)
{
    (void)state;
    assert_golden_holds("v2/plain.seg", plain_batch());
    assert_golden_holds("v2/long.seg", long_batch());
    assert_golden_holds("v3/plain.seg", plain_batch());
    assert_golden_holds("v3/long.seg", long_batch());
}

static void
merge_one(const char *from, const char *to)
{
    struct tk_cache cache;
    struct tk_segment *segment;
    struct tk_schema_merge schema;
    struct tk_segment_writer *writer;
    struct tk_error err = {0};
    tk_cache_init(&cache, 1 << 20);
    struct tk_segment_host host = {.env = tk_env_host(), .cache = &cache, .report = report};
    assert_int_equal(tk_segment_open(&host, from, NAME, &segment, &err), TK_OK);
    assert_int_equal(segment->version, 2);
    assert_int_equal(tk_schema_merge_init(&schema, &segment, 1, &err), TK_OK);
    assert_int_equal(
        tk_segment_writer_open(tk_env_host(), to, NAME, &schema.schema, 1, &writer, &err), TK_OK);
    const struct tk_segment_merge what = {.segments = &segment, .count = 1};
    assert_int_equal(tk_segment_merge(&what, &schema, writer, &err), TK_OK);
    assert_int_equal(tk_segment_writer_finish(writer, 0, &err), TK_OK);
    tk_schema_merge_release(&schema);
    tk_segment_unref(segment);
    tk_cache_release_all(&cache);
}

static void
a_segment_of_version_2_becomes_one_of_version_3_when_it_is_merged(void **state)
{
    struct tk_batch *(*const make[])(void) = {plain_batch, long_batch};
    const char *const files[] = {"v2/plain.seg", "v2/long.seg"};
    char *dir = fx_dir(), *path = path_of(dir, "merged.seg");
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        char *golden = golden_path(files[i]);
        (void)remove(path);
        merge_one(golden, path);
        assert_holds(path, make[i]());
        free(golden);
    }
    free(path);
    fx_remove_dir(dir);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_segment_is_written_byte_for_byte_as_ever),
        cmocka_unit_test(segments_of_both_versions_hold_what_was_put_into_them),
        cmocka_unit_test(a_segment_of_version_2_becomes_one_of_version_3_when_it_is_merged),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
