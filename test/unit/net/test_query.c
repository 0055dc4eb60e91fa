/* Parameters of a query string. */
#include "net/server.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static void
check(const char *query, const char *name, const char *expected)
{
    struct tk_request request = {.query = tk_str_from(query)};
    tk_arena_init(&request.arena, 256, 1 << 20);
    tk_str value = tk_request_param(&request, tk_str_from(name));
    if (expected == NULL)
        assert_null(value.ptr);
    else
        assert_true(value.ptr != NULL && tk_str_eq(value, tk_str_from(expected)));
    tk_arena_release(&request.arena);
}

static void
parameters_are_found_by_their_decoded_name(void **state)
{
    (void)state;
    check("a=1&b=2", "b", "2");
    check("a=1&a=2", "a", "1");
    check("%61b=1", "ab", "1");
    check("ab=1", "a", NULL);
    check("", "a", NULL);
    check("b", "a", NULL);
}

static void
a_parameter_without_value_is_there_and_empty(void **state)
{
    (void)state;
    check("a", "a", "");
    check("a=", "a", "");
    check("&&a&", "a", "");
}

static void
values_are_decoded_and_what_is_no_escape_stays(void **state)
{
    (void)state;
    check("q=%7B+x%3d%22y%22%20%7D", "q", "{ x=\"y\" }");
    check("q=a=b", "q", "a=b");
    check("q=%", "q", "%");
    check("q=%4", "q", "%4");
    check("q=%zz%41", "q", "%zzA");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parameters_are_found_by_their_decoded_name),
        cmocka_unit_test(a_parameter_without_value_is_there_and_empty),
        cmocka_unit_test(values_are_decoded_and_what_is_no_escape_stays),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
