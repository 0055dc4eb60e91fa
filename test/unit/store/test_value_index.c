/* The value index and postings: in which groups a value may be. */
#include "store/segment/value_index.h"
#include "test.h"

/* A file of pages, and the section that goes with it. */
struct made {
    struct tk_value_index index;
    struct tk_buf pages;
};

static const uint64_t FILE_OFFSET = 1000;

static void
made_init(struct made *made, unsigned tag_bits)
{
    tk_value_index_init(&made->index, tag_bits);
    tk_buf_init(&made->pages, SIZE_MAX / 2);
}

static void
made_release(struct made *made)
{
    tk_value_index_release(&made->index);
    tk_buf_release(&made->pages);
}

static void
add(struct made *made, uint64_t hash, uint32_t group)
{
    assert_int_equal(tk_value_index_add(&made->index, hash, group), TK_OK);
}

static void
flush(struct made *made)
{
    assert_int_equal(tk_value_index_flush(&made->index, FILE_OFFSET, &made->pages), TK_OK);
}

static tk_str
page_bytes(const struct made *made, struct tk_page page)
{
    tk_str bytes = {made->pages.ptr + (page.offset - FILE_OFFSET), page.size};
    assert_true(page.offset >= FILE_OFFSET);
    assert_true(page.offset - FILE_OFFSET + page.size <= made->pages.len);
    assert_int_equal(tk_page_checksum(bytes), page.checksum);
    return bytes;
}

/* All groups of all runs. */
static uint32_t
look_up(const struct made *made, uint64_t hash, uint32_t *groups, uint32_t capacity)
{
    tk_str rest = tk_value_index_section(&made->index);
    struct tk_value_index_run run;
    uint32_t found = 0, count;
    enum tk_err code;
    while ((code = tk_value_index_next(&rest, &run)) == TK_OK) {
        struct tk_page page = tk_value_index_page_of(&run, hash);
        if (page.size == 0)
            continue;
        uint32_t left = found < capacity ? capacity - found : 0;
        assert_int_equal(
            tk_value_index_lookup(&run, page_bytes(made, page), hash, groups + found, left, &count),
            TK_OK);
        found += count;
    }
    assert_int_equal(code, TK_ERR_END);
    return found;
}

static uint64_t
hash_of(uint64_t number)
{
    return tk_hash_stable((tk_str){(const char *)&number, sizeof number});
}

static bool
has(const uint32_t *groups, uint32_t count, uint32_t group)
{
    for (uint32_t i = 0; i < count; i++)
        if (groups[i] == group)
            return true;
    return false;
}

static void
every_value_is_found_in_its_group_and_few_others_are(void **state)
{
    static const uint32_t counts[] = {1, 2, 63, 2048, 2049, 100000};
    uint32_t groups[64], wrong = 0;
    (void)state;
    for (size_t c = 0; c < sizeof counts / sizeof counts[0]; c++) {
        struct made made;
        made_init(&made, TK_VALUE_INDEX_TAG);
        for (uint32_t i = 0; i < counts[c]; i++)
            add(&made, hash_of(i), i / 100);
        flush(&made);
        for (uint32_t i = 0; i < counts[c]; i++) {
            uint32_t count = look_up(&made, hash_of(i), groups, 64);
            assert_true(has(groups, count, i / 100));
            wrong += count - 1;
        }
        for (uint32_t i = 0; i < 10000; i++)
            wrong += look_up(&made, hash_of(~(uint64_t)i), groups, 64);
        made_release(&made);
    }
    assert_true(wrong < (100000 + 10000 * 6) / 4); /* of 2048 keys, told apart by 14 bits */
}

static void
a_long_tag_is_hardly_ever_wrong(void **state)
{
    struct made made;
    uint32_t groups[64], wrong = 0;
    (void)state;
    made_init(&made, TK_VALUE_INDEX_TRACE_TAG);
    for (uint32_t i = 0; i < 50000; i++)
        add(&made, hash_of(i), i / 100);
    flush(&made);
    for (uint32_t i = 0; i < 50000; i++)
        wrong += look_up(&made, hash_of(i), groups, 64) - 1;
    assert_true(wrong < 100);
    made_release(&made);
}

static void
runs_add_up_and_what_was_never_added_has_no_section(void **state)
{
    struct made made;
    uint32_t groups[8];
    (void)state;
    made_init(&made, TK_VALUE_INDEX_TAG);
    flush(&made);
    assert_int_equal(tk_value_index_section(&made.index).len, 0);
    for (uint32_t group = 0; group < 5; group++) {
        add(&made, hash_of(7), group);
        add(&made, hash_of(7), group);
        add(&made, hash_of(100 + group), group);
        flush(&made);
    }
    assert_int_equal(look_up(&made, hash_of(7), groups, 8), 5);
    for (uint32_t group = 0; group < 5; group++) {
        assert_int_equal(groups[group], group);
        assert_int_equal(look_up(&made, hash_of(100 + group), groups + 5, 1), 1);
        assert_int_equal(groups[5], group);
    }
    made_release(&made);
}

static void
a_value_of_very_many_groups_tells_how_many(void **state)
{
    struct made made;
    uint32_t groups[10];
    (void)state;
    made_init(&made, TK_VALUE_INDEX_TAG);
    for (uint32_t group = 0; group < 200000; group++)
        add(&made, hash_of(1), group);
    flush(&made);
    assert_int_equal(look_up(&made, hash_of(1), groups, 10), 200000);
    for (uint32_t i = 0; i < 10; i++)
        assert_int_equal(groups[i], i);
    made_release(&made);
}

static void
hashes_and_groups_at_their_bounds_are_found(void **state)
{
    struct made made;
    uint32_t groups[4];
    (void)state;
    made_init(&made, TK_VALUE_INDEX_TRACE_TAG);
    add(&made, 0, UINT32_MAX);
    add(&made, UINT64_MAX, 0);
    add(&made, UINT64_MAX, UINT32_MAX);
    flush(&made);
    assert_int_equal(look_up(&made, 0, groups, 4), 1);
    assert_int_equal(groups[0], UINT32_MAX);
    assert_int_equal(look_up(&made, UINT64_MAX, groups, 4), 2);
    assert_int_equal(groups[0], 0);
    assert_int_equal(groups[1], UINT32_MAX);
    made_release(&made);
}

static void
an_index_that_is_cut_or_makes_no_sense_is_refused(void **state)
{
    struct made made;
    struct tk_value_index_run run;
    uint32_t count, groups[4];
    char head[32] = {0};
    (void)state;
    made_init(&made, TK_VALUE_INDEX_TAG);
    for (uint32_t i = 0; i < 3000; i++)
        add(&made, hash_of(i), i);
    flush(&made);
    tk_str section = tk_value_index_section(&made.index);
    for (size_t len = 1; len < section.len; len++) {
        tk_str rest = {section.ptr, len};
        assert_int_equal(tk_value_index_next(&rest, &run), TK_ERR_CORRUPT);
    }
    assert_int_equal(tk_value_index_next(&section, &run), TK_OK);
    tk_str page = page_bytes(&made, tk_value_index_page_of(&run, 0));
    for (size_t len = 0; len < page.len; len++)
        assert_int_equal(tk_value_index_lookup(&run, (tk_str){page.ptr, len}, 0, groups, 4, &count),
                         TK_ERR_CORRUPT);
    static const char bad[][3] = {{21, 8, 8}, {0, 33, 8}, {0, 8, 0}, {0, 8, 17}};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        memcpy(head + 8, bad[i], 3);
        tk_str rest = {head, sizeof head};
        assert_int_equal(tk_value_index_next(&rest, &run), TK_ERR_CORRUPT);
    }
    memcpy(head + 8, (char[]){0, 32, 16}, 3);
    tk_str rest = {head, sizeof head};
    assert_int_equal(tk_value_index_next(&rest, &run), TK_OK);
    made_release(&made);
}

static void
postings_list_the_groups_of_each_code(void **state)
{
    enum { CODES = 1000 };
    struct tk_postings *postings = tk_postings_new(CODES);
    struct tk_buf out;
    uint32_t groups[TK_POSTINGS_MAX], count;
    bool all;
    (void)state;
    tk_buf_init(&out, SIZE_MAX / 2);
    for (uint32_t group = 0; group < 300; group++)
        for (uint32_t code = 0; code < CODES; code++) /* code c: every (c + 1)th group, twice */
            if (group % (code + 1) == 0) {
                assert_int_equal(tk_postings_add(postings, code, group * 1000), TK_OK);
                assert_int_equal(tk_postings_add(postings, code, group * 1000), TK_OK);
            }
    tk_postings_write(postings, &out);
    tk_postings_free(postings);
    for (uint32_t code = 0; code < CODES; code++) {
        uint32_t expected = 299 / (code + 1) + 1;
        assert_int_equal(tk_postings_lookup(tk_buf_str(&out), CODES, code, groups, &count, &all),
                         TK_OK);
        assert_int_equal(all, expected > TK_POSTINGS_MAX);
        assert_int_equal(count, all ? 0 : expected);
        for (uint32_t i = 0; i < count; i++)
            assert_int_equal(groups[i], i * (code + 1) * 1000);
    }
    tk_buf_release(&out);
}

static void
a_list_of_128_groups_is_kept_and_one_of_129_is_not(void **state)
{
    struct tk_postings *postings = tk_postings_new(2);
    struct tk_buf out;
    uint32_t groups[TK_POSTINGS_MAX], count;
    bool all;
    (void)state;
    tk_buf_init(&out, SIZE_MAX / 2);
    for (uint32_t group = 0; group < TK_POSTINGS_MAX + 1; group++) {
        if (group < TK_POSTINGS_MAX)
            assert_int_equal(tk_postings_add(postings, 0, group), TK_OK);
        assert_int_equal(tk_postings_add(postings, 1, group), TK_OK);
    }
    tk_postings_write(postings, &out);
    tk_postings_free(postings);
    assert_int_equal(tk_postings_lookup(tk_buf_str(&out), 2, 0, groups, &count, &all), TK_OK);
    assert_int_equal(count, TK_POSTINGS_MAX);
    assert_false(all);
    assert_int_equal(tk_postings_lookup(tk_buf_str(&out), 2, 1, groups, &count, &all), TK_OK);
    assert_true(all);
    tk_buf_release(&out);
}

static void
postings_that_are_cut_are_refused(void **state)
{
    struct tk_postings *postings = tk_postings_new(100);
    struct tk_buf out;
    uint32_t groups[TK_POSTINGS_MAX], count;
    bool all;
    (void)state;
    tk_buf_init(&out, SIZE_MAX / 2);
    for (uint32_t code = 0; code < 100; code++)
        assert_int_equal(tk_postings_add(postings, code, 70000), TK_OK);
    tk_postings_write(postings, &out);
    tk_postings_free(postings);
    for (size_t len = 0; len < out.len; len++)
        assert_int_equal(tk_postings_lookup((tk_str){out.ptr, len}, 100, 99, groups, &count, &all),
                         TK_ERR_CORRUPT);
    assert_int_equal(tk_postings_lookup(tk_buf_str(&out), 100, 100, groups, &count, &all),
                     TK_ERR_CORRUPT);
    tk_buf_release(&out);
}

int
main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_value_is_found_in_its_group_and_few_others_are),
        cmocka_unit_test(a_long_tag_is_hardly_ever_wrong),
        cmocka_unit_test(runs_add_up_and_what_was_never_added_has_no_section),
        cmocka_unit_test(a_value_of_very_many_groups_tells_how_many),
        cmocka_unit_test(hashes_and_groups_at_their_bounds_are_found),
        cmocka_unit_test(an_index_that_is_cut_or_makes_no_sense_is_refused),
        cmocka_unit_test(postings_list_the_groups_of_each_code),
        cmocka_unit_test(a_list_of_128_groups_is_kept_and_one_of_129_is_not),
        cmocka_unit_test(postings_that_are_cut_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
