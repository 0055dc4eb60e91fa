/*
 * `tracekit check` against segments whose checksums are right and whose indexes are not: an index
 * that leaves a group out hides its rows from every search, without a sign.
 */
#include "store/segment/segment.h"
#include "store/fixture.h"

static const struct tk_segment_name NAME = {1, 1, 1};
static char said[1024];

static void
listen(void *arg, const char *line)
{
    (void)arg;
    (void)snprintf(said, sizeof said, "%s", line);
}

/* A data directory with one of the golden segments, of which all is in `bytes`. */
struct directory {
    char *dir, *path;
    char bytes[1 << 16];
    size_t size;
};

static void
make(struct directory *made, const char *file_name)
{
    char *golden, *project;
    const char *source = getenv("TRACEKIT_SOURCE");
    assert_true(asprintf(&golden, "%s/test/unit/store/golden/%s", source != NULL ? source : ".",
                         file_name) > 0);
    made->dir = fx_dir();
    assert_true(asprintf(&project, "%s/p1", made->dir) > 0);
    assert_true(asprintf(&made->path, "%s/00000001-00000001.seg", project) > 0);
    assert_int_equal(tk_env_host()->make_dir(tk_env_host(), project, NULL), TK_OK);
    FILE *file = fopen(golden, "rb");
    assert_non_null(file);
    made->size = fread(made->bytes, 1, sizeof made->bytes, file);
    assert_true(made->size > sizeof(struct tk_footer) && made->size < sizeof made->bytes);
    (void)fclose(file);
    free(project);
    free(golden);
}

static void
remove_made(struct directory *made)
{
    fx_remove_dir(made->dir);
    free(made->path);
}

static struct tk_embedded_check
check(struct directory *made)
{
    struct tk_embedded_check counts = {0};
    struct tk_error err = {0};
    FILE *file = fopen(made->path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(made->bytes, 1, made->size, file), made->size);
    (void)fclose(file);
    said[0] = '\0';
    if (tk_embedded_check(NULL, made->dir, listen, NULL, &counts, &err) != TK_OK)
        fail_msg("%s", err.message);
    return counts;
}

/* The parts of the attribute column with this key. */
static struct tk_column
find_column(struct directory *made, const char *key)
{
    struct tk_cache cache;
    struct tk_segment *segment;
    struct tk_cache_item *item;
    struct tk_column found = {.owner = UINT8_MAX};
    struct tk_error err = {0};
    (void)check(made);
    tk_cache_init(&cache, 1 << 20);
    struct tk_segment_host host = {.env = tk_env_host(), .cache = &cache};
    if (tk_segment_open(&host, made->path, NAME, &segment, &err) != TK_OK)
        fail_msg("%s", err.message);
    assert_int_equal(tk_segment_schema(segment, &item, &err), TK_OK);
    const struct tk_schema_view *schema = item->value;
    for (uint32_t c = 0; c < schema->column_count; c++)
        if (schema->columns[c].owner == TK_COLUMN_OF_SPAN &&
            tk_str_eq(schema->columns[c].key, tk_str_from(key)))
            found = schema->columns[c];
    tk_cache_release(item);
    tk_segment_unref(segment);
    tk_cache_release_all(&cache);
    assert_int_not_equal(found.owner, UINT8_MAX);
    return found;
}

/* `part` was changed: its checksum, that of the columns which have it, and that of the footer. */
static void
seal_again(struct directory *made, struct tk_part part)
{
    struct tk_footer footer;
    char *at = made->bytes + made->size - sizeof footer;
    memcpy(&footer, at, sizeof footer);
    char *columns = made->bytes + footer.columns.offset;
    char *entry = memmem(columns, footer.columns.size, &part, sizeof part);
    assert_non_null(entry);
    part.checksum = tk_hash_stable((tk_str){made->bytes + part.offset, part.size});
    memcpy(entry, &part, sizeof part);
    footer.columns.checksum = tk_hash_stable((tk_str){columns, footer.columns.size});
    footer.crc = tk_crc32c(0, (tk_str){(const char *)&footer, offsetof(struct tk_footer, crc)});
    memcpy(at, &footer, sizeof footer);
}

static void
assert_finds(struct directory *made, const char *what)
{
    struct tk_embedded_check counts = check(made);
    assert_int_equal(counts.damaged_files, 0);
    assert_int_equal(counts.damaged_blocks, 1);
    if (strstr(said, what) == NULL || strstr(said, "leaves out") == NULL)
        fail_msg("said: %s", said);
}

static void
a_segment_that_agrees_with_itself_is_well(void **state)
{
    struct directory made;
    (void)state;
    make(&made, "v3/plain.seg");
    struct tk_embedded_check counts = check(&made);
    assert_int_equal(counts.spans, 12);
    assert_int_equal(counts.damaged_blocks + counts.damaged_files, 0);
    remove_made(&made);
}

static void
a_value_index_that_leaves_out_a_value_is_damage(void **state)
{
    struct directory made;
    (void)state;
    make(&made, "v3/plain.seg");
    struct tk_part part = find_column(&made, "unique").index;
    assert_true(part.size >= 32); /* head, entry of a page: its size at 8 */
    memset(made.bytes + part.offset + 16 + 8, 0, 4);
    seal_again(&made, part);
    assert_finds(&made, "a value index");
    remove_made(&made);
}

static void
zones_that_leave_out_a_number_are_damage(void **state)
{
    struct directory made;
    (void)state;
    make(&made, "v3/plain.seg");
    struct tk_part part = find_column(&made, "big").zones;
    char *greatest = made.bytes + part.offset + part.size - 1; /* a constant: the last byte */
    assert_int_equal(*greatest, 11);
    *greatest = 10;
    seal_again(&made, part);
    assert_finds(&made, "zones");
    remove_made(&made);
}

static void
postings_that_leave_out_a_group_are_damage(void **state)
{
    struct directory made;
    (void)state;
    make(&made, "v3/plain.seg");
    struct tk_part part = find_column(&made, "http.route").index;
    assert_int_equal(part.size, 6); /* an offset, a count, one group: 0 */
    made.bytes[part.offset + 5] = 1;
    seal_again(&made, part);
    assert_finds(&made, "postings");
    remove_made(&made);
}

/* Segments with a table of columns made anew: all checksums are right. */
static void
columns_whose_numbers_stand_for_nothing_are_damage(void **state)
{
    static const char *const files[] = {"forged/names-without-values.seg",
                                        "forged/links-of-a-dictionary.seg"};
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct directory made;
        make(&made, files[i]);
        struct tk_embedded_check counts = check(&made);
        assert_true(counts.damaged_blocks + counts.damaged_files > 0);
        remove_made(&made);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_segment_that_agrees_with_itself_is_well),
        cmocka_unit_test(a_value_index_that_leaves_out_a_value_is_damage),
        cmocka_unit_test(zones_that_leave_out_a_number_are_damage),
        cmocka_unit_test(postings_that_leave_out_a_group_are_damage),
        cmocka_unit_test(columns_whose_numbers_stand_for_nothing_are_damage),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
