/* Points in time as users write them. */
#include "query/timestamp.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void
rfc_3339_and_integers_are_taken(void **state)
{
    static const struct {
        const char *text;
        uint64_t nano;
    } cases[] = {
        {"0", 0},
        {"1700000000000000001", 1700000000000000001},
        {"1970-01-01T00:00:00Z", 0},
        {"2023-11-14T22:13:20Z", 1700000000000000000},
        {"2023-11-14T22:13:20.000000001Z", 1700000000000000001},
        {"2023-11-14T22:13:20.5z", 1700000000500000000},
        {"2023-11-14t23:13:20+01:00", 1700000000000000000},
        {"2023-11-14T23:13:20 01:00", 1700000000000000000},
        {"2023-11-14 21:43:20-00:30", 1700000000000000000},
        {"2024-02-29T00:00:00Z", 1709164800000000000},
        {"2000-02-29T00:00:00Z", 951782400000000000},
        {"2016-12-31T23:59:60Z", 1483228800000000000},
        {"1969-12-31T23:59:59Z", 0},
        {"9999-01-01T00:00:00Z", INT64_MAX},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        uint64_t nano = 1;
        assert_true(tk_timestamp_parse(tk_str_from(cases[i].text), &nano));
        assert_int_equal(nano, cases[i].nano);
    }
}

static void
anything_else_is_not(void **state)
{
    static const char *const cases[] = {
        "",
        "-1",
        "1.5",
        "yesterday",
        "2023-11-14",
        "2023-11-14T22:13:20",
        "2023-11-14T22:13:20.Z",
        "2023-13-14T22:13:20Z",
        "2023-02-29T22:13:20Z",
        "2100-02-29T00:00:00Z",
        "2023-11-31T22:13:20Z",
        "2023-11-14T24:13:20Z",
        "2023-11-14T22:60:20Z",
        "2023-11-14T22:13:61Z",
        "2023-11-14T22:13:20+24:00",
        "2023-11-14T22:13:20Zx",
        "23-11-14T22:13:20Z",
        "99999999999999999999",
    };
    uint64_t nano;
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        assert_false(tk_timestamp_parse(tk_str_from(cases[i]), &nano));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rfc_3339_and_integers_are_taken),
        cmocka_unit_test(anything_else_is_not),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
