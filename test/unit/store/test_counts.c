/* Counts by code and by operation: added, merged, written and read again. */
#include "store/segment/counts.h"

#include "store/segment/columns.h"
#include "test.h"

static void
add(struct tk_counts *counts, uint32_t code, bool is_error, uint64_t end_nano, uint64_t duration)
{
    struct tk_counted_span span = {code, (uint16_t)tk_histogram_bucket(duration), is_error,
                                   end_nano};
    assert_int_equal(tk_counts_add(counts, &span, 1), TK_OK);
}

static struct tk_counts
some_counts(uint32_t code_count)
{
    struct tk_counts counts;
    assert_int_equal(tk_counts_init(&counts, code_count), TK_OK);
    for (uint32_t i = 0; i < 1000; i++)
        add(&counts, i % (code_count - 1), i % 7 == 0, 1700000000000000000u + i, i * i * 1000);
    return counts; /* nothing has the last code */
}

/* In a scratch that is released by the caller. */
static const struct tk_histogram *
durations_of(const struct tk_counts *counts, uint32_t code, struct tk_histogram *scratch)
{
    const struct tk_histogram *durations;
    assert_int_equal(tk_counts_durations(counts, code, scratch, &durations), TK_OK);
    return durations;
}

static void
assert_equal(const struct tk_counts *a, const struct tk_counts *b)
{
    struct tk_histogram scratch_a = {0}, scratch_b = {0};
    assert_int_equal(a->code_count, b->code_count);
    for (uint32_t i = 0; i < a->code_count; i++) {
        assert_true(a->span_count[i] == b->span_count[i]);
        assert_true(a->error_count[i] == b->error_count[i]);
        assert_true(a->last_nano[i] == b->last_nano[i]);
        const struct tk_histogram *of_a = durations_of(a, i, &scratch_a);
        const struct tk_histogram *of_b = durations_of(b, i, &scratch_b);
        assert_int_equal(of_a != NULL, of_b != NULL);
        assert_true(of_a == NULL || of_a->count == of_b->count);
        for (uint32_t k = 0; of_a != NULL && k < TK_HISTOGRAM_BUCKETS; k++)
            assert_true(tk_histogram_get(of_a, k) == tk_histogram_get(of_b, k));
    }
    tk_histogram_release(&scratch_a);
    tk_histogram_release(&scratch_b);
}

static void
counts_come_back_as_they_were_written(void **state)
{
    (void)state;
    static const uint32_t code_counts[] = {2, 3, TK_COUNTS_HISTOGRAMS_MAX,
                                           TK_COUNTS_HISTOGRAMS_MAX + 1, TK_DICTIONARY_MAX};
    for (size_t i = 0; i < sizeof code_counts / sizeof *code_counts; i++) {
        struct tk_counts counts = some_counts(code_counts[i]), back;
        struct tk_buf out;
        tk_buf_init(&out, SIZE_MAX);
        tk_counts_write(&counts, &out);
        assert_int_equal(out.status, TK_OK);
        assert_int_equal(tk_counts_read(tk_buf_str(&out), code_counts[i], &back), TK_OK);
        assert_equal(&counts, &back);
        tk_counts_release(&counts);
        tk_counts_release(&back);
        tk_buf_release(&out);
    }
}

static void
only_so_many_codes_have_a_histogram(void **state)
{
    struct tk_counts counts = some_counts(TK_COUNTS_HISTOGRAMS_MAX);
    (void)state;
    assert_non_null(counts.durations);
    tk_counts_release(&counts);
    counts = some_counts(TK_COUNTS_HISTOGRAMS_MAX + 1);
    assert_null(counts.durations);
    tk_counts_release(&counts);
}

static void
merged_counts_add_up_under_the_codes_of_the_new_dictionary(void **state)
{
    static const uint32_t a_map[] = {0, 2}, b_map[] = {1, 2};
    struct tk_counts a, b, to;
    (void)state;
    assert_int_equal(tk_counts_init(&a, 2), TK_OK);
    assert_int_equal(tk_counts_init(&b, 2), TK_OK);
    assert_int_equal(tk_counts_init(&to, 3), TK_OK);
    add(&a, 0, false, 10, 100);
    add(&a, 1, true, 30, 200);
    add(&b, 0, false, 40, 300);
    add(&b, 1, true, 20, 200);
    assert_int_equal(tk_counts_merge(&to, &a, a_map), TK_OK);
    assert_int_equal(tk_counts_merge(&to, &b, b_map), TK_OK);
    assert_int_equal(to.span_count[0], 1);
    assert_int_equal(to.span_count[1], 1);
    assert_int_equal(to.span_count[2], 2);
    assert_int_equal(to.error_count[2], 2);
    assert_int_equal(to.last_nano[2], 30);
    assert_int_equal(tk_histogram_get(&to.durations[2], tk_histogram_bucket(200)), 2);
    tk_counts_release(&a);
    tk_counts_release(&b);
    tk_counts_release(&to);
}

/* What was read is kept packed: it is merged and written as what was counted is. */
static void
counts_that_were_read_merge_and_are_written_as_those_counted(void **state)
{
    static const uint32_t map[] = {2, 1, 0, 3};
    struct tk_counts counts = some_counts(4), back, to_counted, to_read;
    struct tk_buf counted, read;
    (void)state;
    tk_buf_init(&counted, SIZE_MAX);
    tk_buf_init(&read, SIZE_MAX);
    tk_counts_write(&counts, &counted);
    assert_int_equal(tk_counts_read(tk_buf_str(&counted), 4, &back), TK_OK);
    tk_counts_write(&back, &read);
    assert_true(tk_str_eq(tk_buf_str(&counted), tk_buf_str(&read)));
    assert_int_equal(tk_counts_init(&to_counted, 4), TK_OK);
    assert_int_equal(tk_counts_init(&to_read, 4), TK_OK);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(tk_counts_merge(&to_counted, &counts, map), TK_OK);
        assert_int_equal(tk_counts_merge(&to_read, &back, map), TK_OK);
    }
    assert_equal(&to_counted, &to_read);
    tk_counts_release(&counts);
    tk_counts_release(&back);
    tk_counts_release(&to_counted);
    tk_counts_release(&to_read);
    tk_buf_release(&counted);
    tk_buf_release(&read);
}

static void
histograms_that_were_read_take_the_memory_of_what_is_in_them(void **state)
{
    struct tk_counts counts, back;
    struct tk_buf out;
    (void)state;
    assert_int_equal(tk_counts_init(&counts, 200), TK_OK);
    for (uint32_t i = 0; i < 200; i++) { /* a nanosecond and an hour: far apart */
        add(&counts, i, false, 1, 1);
        add(&counts, i, false, 1, 3600000000000);
    }
    tk_buf_init(&out, SIZE_MAX);
    tk_counts_write(&counts, &out);
    assert_int_equal(tk_counts_read(tk_buf_str(&out), 200, &back), TK_OK);
    assert_true(tk_counts_memory(&back) < 200 * 64);
    assert_true(tk_counts_memory(&counts) > 200 * 1000 * sizeof(uint64_t));
    assert_equal(&counts, &back);
    tk_counts_release(&counts);
    tk_counts_release(&back);
    tk_buf_release(&out);
}

static void
cleared_counts_are_as_new(void **state)
{
    struct tk_counts counts = some_counts(20), none;
    (void)state;
    assert_int_equal(tk_counts_init(&none, 20), TK_OK);
    tk_counts_clear(&counts, 20);
    assert_equal(&counts, &none);
    tk_counts_release(&counts);
    tk_counts_release(&none);
}

/* Every prefix, and every byte changed: an error or counts, never a crash. */
static void
damaged_counts_are_refused_or_read_but_never_trusted(void **state)
{
    struct tk_counts counts = some_counts(20), back;
    struct tk_buf out;
    (void)state;
    tk_buf_init(&out, SIZE_MAX);
    tk_counts_write(&counts, &out);
    for (size_t len = 0; len < out.len; len++) {
        char *cut = malloc(len + 1); /* of this size, so that reading beyond it shows */
        memcpy(cut, out.ptr, len);
        assert_int_equal(tk_counts_read((tk_str){cut, len}, 20, &back), TK_ERR_CORRUPT);
        free(cut);
    }
    for (size_t i = 0; i < out.len * 8; i++) {
        out.ptr[i / 8] ^= (char)(1 << (i % 8));
        if (tk_counts_read(tk_buf_str(&out), 20, &back) == TK_OK) {
            struct tk_histogram scratch = {0};
            for (uint32_t k = 0; k < 20; k++)
                assert_true(durations_of(&back, k, &scratch)->count == back.span_count[k] &&
                            back.error_count[k] <= back.span_count[k]);
            tk_histogram_release(&scratch);
            tk_counts_release(&back);
        }
        out.ptr[i / 8] ^= (char)(1 << (i % 8));
    }
    tk_counts_release(&counts);
    tk_buf_release(&out);
}

/* ---- operations ---- */

static uint32_t
intern(struct tk_operations *operations, const char *service, const char *name, int32_t kind)
{
    uint32_t number;
    assert_int_equal(
        tk_operations_intern(operations, tk_str_from(service), tk_str_from(name), kind, &number),
        TK_OK);
    return number;
}

static void
count(struct tk_operations *operations, uint32_t number, bool is_error, uint64_t end_nano,
      uint64_t duration)
{
    struct tk_counted_span span = {number, (uint16_t)tk_histogram_bucket(duration), is_error,
                                   end_nano};
    assert_int_equal(tk_operations_add(operations, &span, 1), TK_OK);
}

static enum tk_err
print(void *arg, tk_str service, tk_str name, int32_t kind, const struct tk_store_count *found)
{
    assert_true(found->durations->count == found->span_count);
    tk_buf_printf(arg, "%.*s/%.*s/%d %llu %llu %llu; ", TK_STR_ARG(service), TK_STR_ARG(name), kind,
                  (unsigned long long)found->span_count, (unsigned long long)found->error_count,
                  (unsigned long long)found->last_nano);
    return TK_OK;
}

static void
assert_operations(const struct tk_operations *operations, const char *expected)
{
    struct tk_buf out;
    tk_buf_init(&out, SIZE_MAX);
    assert_int_equal(tk_operations_each(operations, true, print, &out), TK_OK);
    tk_buf_append_char(&out, '\0');
    assert_string_equal(out.ptr, expected);
    tk_buf_release(&out);
}

static struct tk_operations *
read_back(const struct tk_operations *operations)
{
    struct tk_operations *back;
    struct tk_buf out;
    tk_buf_init(&out, SIZE_MAX);
    tk_operations_write(operations, &out);
    assert_int_equal(out.status, TK_OK);
    assert_int_equal(tk_operations_read(tk_buf_str(&out), &back), TK_OK);
    tk_buf_release(&out);
    return back;
}

static void
operations_are_told_apart_by_service_name_and_kind(void **state)
{
    struct tk_operations *operations = tk_operations_new();
    (void)state;
    uint32_t ab = intern(operations, "a", "b", 1), empty = intern(operations, "", "ab", 1);
    uint32_t client = intern(operations, "a", "b", -3);
    assert_true(ab != empty && ab != client && empty != client);
    assert_int_equal(intern(operations, "a", "b", 1), ab);
    count(operations, ab, false, 10, 5);
    count(operations, ab, true, 8, 50000);
    count(operations, client, true, 12, 7);
    assert_operations(operations, "a/b/1 2 1 10; /ab/1 0 0 0; a/b/-3 1 1 12; ");
    struct tk_operations *back = read_back(operations);
    assert_operations(back, "a/b/1 2 1 10; /ab/1 0 0 0; a/b/-3 1 1 12; ");
    tk_operations_free(back);
    tk_operations_free(operations);
}

static void
no_operation_at_all_is_not_too_many(void **state)
{
    struct tk_operations *none = tk_operations_new(), *back = read_back(none);
    (void)state;
    assert_operations(back, "");
    tk_operations_free(none);
    tk_operations_free(back);
}

static void
merged_operations_add_up(void **state)
{
    struct tk_operations *a = tk_operations_new(), *b = tk_operations_new();
    (void)state;
    count(a, intern(a, "s", "one", 1), false, 10, 5);
    count(a, intern(a, "s", "two", 1), false, 10, 5);
    count(b, intern(b, "s", "two", 1), true, 20, 5);
    count(b, intern(b, "s", "new", 1), false, 10, 5);
    assert_int_equal(tk_operations_merge(a, b), TK_OK);
    assert_operations(a, "s/one/1 1 0 10; s/two/1 2 1 20; s/new/1 1 0 10; ");
    tk_operations_free(a);
    tk_operations_free(b);
}

static struct tk_operations *
many_operations(uint32_t amount)
{
    struct tk_operations *operations = tk_operations_new();
    char name[16];
    for (uint32_t i = 0; i < amount; i++) {
        (void)snprintf(name, sizeof name, "name %u", i);
        uint32_t number = intern(operations, "s", name, 1);
        assert_int_equal(number, i < TK_OPERATIONS_MAX ? i : UINT32_MAX);
        count(operations, number, false, i, 3);
    }
    return operations;
}

static void
beyond_their_number_operations_are_not_counted_any_more(void **state)
{
    struct tk_operations *full = many_operations(TK_OPERATIONS_MAX), *back = read_back(full);
    struct tk_operations *beyond = many_operations(TK_OPERATIONS_MAX + 1), *merged;
    struct tk_buf out;
    (void)state;
    tk_buf_init(&out, SIZE_MAX);
    tk_operations_write(beyond, &out);
    assert_int_equal(out.len, 0);
    merged = tk_operations_new();
    count(merged, intern(merged, "s", "other", 1), false, 1, 1);
    assert_int_equal(tk_operations_merge(merged, back), TK_OK);
    tk_operations_write(merged, &out);
    assert_int_equal(out.len, 0);
    tk_operations_free(full);
    tk_operations_free(back);
    tk_operations_free(beyond);
    tk_operations_free(merged);
}

static void
what_is_merged_with_too_many_is_too_many(void **state)
{
    struct tk_operations *operations = tk_operations_new();
    struct tk_buf out;
    (void)state;
    count(operations, intern(operations, "s", "one", 1), false, 1, 1);
    assert_int_equal(tk_operations_merge(operations, NULL), TK_OK);
    assert_int_equal(intern(operations, "s", "one", 1), UINT32_MAX);
    tk_buf_init(&out, SIZE_MAX);
    tk_operations_write(operations, &out);
    assert_int_equal(out.len, 0);
    tk_operations_free(operations);
}

static void
durations_far_apart_do_not_take_unbounded_memory(void **state)
{
    struct tk_operations *operations = tk_operations_new();
    uint32_t number = 0, amount = 0;
    char name[16];
    (void)state;
    for (; number != UINT32_MAX && amount < TK_OPERATIONS_MAX; amount++) {
        (void)snprintf(name, sizeof name, "name %u", amount);
        number = intern(operations, "s", name, 1);
        count(operations, number, false, 1, 1);
        count(operations, number, false, 1, UINT64_MAX);
    }
    assert_true(amount > 2000 && amount < 4000);
    tk_operations_free(operations);
}

static void
damaged_operations_are_refused_or_read_but_never_trusted(void **state)
{
    struct tk_operations *operations = many_operations(30), *back;
    struct tk_buf out;
    (void)state;
    tk_buf_init(&out, SIZE_MAX);
    tk_operations_write(operations, &out);
    for (size_t len = 0; len < out.len; len++) {
        char *cut = malloc(len + 1);
        memcpy(cut, out.ptr, len);
        assert_int_equal(tk_operations_read((tk_str){cut, len}, &back), TK_ERR_CORRUPT);
        free(cut);
    }
    for (size_t i = 0; i < out.len * 8; i++) {
        out.ptr[i / 8] ^= (char)(1 << (i % 8));
        if (tk_operations_read(tk_buf_str(&out), &back) == TK_OK)
            tk_operations_free(back);
        out.ptr[i / 8] ^= (char)(1 << (i % 8));
    }
    tk_operations_free(operations);
    tk_buf_release(&out);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counts_come_back_as_they_were_written),
        cmocka_unit_test(only_so_many_codes_have_a_histogram),
        cmocka_unit_test(merged_counts_add_up_under_the_codes_of_the_new_dictionary),
        cmocka_unit_test(counts_that_were_read_merge_and_are_written_as_those_counted),
        cmocka_unit_test(histograms_that_were_read_take_the_memory_of_what_is_in_them),
        cmocka_unit_test(cleared_counts_are_as_new),
        cmocka_unit_test(damaged_counts_are_refused_or_read_but_never_trusted),
        cmocka_unit_test(operations_are_told_apart_by_service_name_and_kind),
        cmocka_unit_test(no_operation_at_all_is_not_too_many),
        cmocka_unit_test(merged_operations_add_up),
        cmocka_unit_test(beyond_their_number_operations_are_not_counted_any_more),
        cmocka_unit_test(what_is_merged_with_too_many_is_too_many),
        cmocka_unit_test(durations_far_apart_do_not_take_unbounded_memory),
        cmocka_unit_test(damaged_operations_are_refused_or_read_but_never_trusted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
