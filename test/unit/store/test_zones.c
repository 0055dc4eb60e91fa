/* Zones: which groups have a column, and between which values. */
#include "store/segment/value_index.h"
#include "test.h"

static void
zones_come_back_as_they_were_added(void **state)
{
    (void)state;
    for (uint32_t step = 1; step <= 3; step++)
        for (int ranged = 0; ranged <= 1; ranged++) {
            struct tk_zones made = {0}, read;
            struct tk_buf out;
            uint32_t group_count = 100;
            tk_buf_init(&out, SIZE_MAX / 2);
            for (uint32_t group = 0; group < group_count; group += step)
                assert_int_equal(
                    tk_zones_add(&made, group, ranged, UINT64_MAX - group, UINT64_MAX / 2), TK_OK);
            tk_zones_write(&made, group_count, &out);
            assert_int_equal(tk_zones_read(tk_buf_str(&out), group_count, ranged, &read), TK_OK);
            assert_int_equal(read.count, made.count);
            assert_int_equal(read.all, step == 1);
            for (uint32_t i = 0; i < read.count; i++) {
                assert_true(read.all || read.group[i] == i * step);
                assert_true(!ranged || (read.least[i] == UINT64_MAX - i * step &&
                                        read.greatest[i] == UINT64_MAX / 2));
            }
            tk_zones_release(&read);
            for (size_t len = 0; len < out.len; len++)
                assert_int_equal(tk_zones_read((tk_str){out.ptr, len}, group_count, ranged, &read),
                                 TK_ERR_CORRUPT);
            tk_zones_release(&made);
            tk_buf_release(&out);
        }
}

int
main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(zones_come_back_as_they_were_added),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
