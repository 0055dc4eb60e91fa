/* routes: which row of the table a path and a method find. */
#include "api/private.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static struct tk_arena arena;
static tk_str args[TK_PATH_ARGS_MAX];

static const char *
find(const char *method, const char *path)
{
    const struct tk_route *route =
        tk_route_find(tk_str_from(method), tk_str_from(path), &arena, args);
    return route != NULL ? route->path : NULL;
}

static void
assert_text(tk_str found, const char *expected)
{
    assert_int_equal(found.len, strlen(expected));
    assert_memory_equal(found.ptr, expected, found.len);
}

static void
a_literal_path_is_found_by_its_method(void **state)
{
    (void)state;
    assert_string_equal(find("POST", "/v1/traces"), "/v1/traces");
    assert_string_equal(find("GET", "/api/v1/traces"), "/api/v1/traces");
    assert_null(find("GET", "/v1/traces"));
    assert_null(find("post", "/v1/traces"));
    assert_null(find("GET", "/nothing"));
}

static void
head_finds_what_get_finds(void **state)
{
    (void)state;
    assert_string_equal(find("HEAD", "/healthz"), "/healthz");
    assert_null(find("HEAD", "/v1/traces"));
}

static void
a_path_is_whole_or_not_at_all(void **state)
{
    (void)state;
    assert_null(find("POST", "/v1/traces/"));
    assert_null(find("POST", "/v1"));
    assert_null(find("POST", "v1/traces"));
    assert_null(find("POST", "//v1/traces"));
    assert_null(find("GET", "/api/v1/traces/1/2"));
    assert_null(find("GET", "/"));
    assert_null(find("GET", ""));
}

static void
a_name_takes_one_segment_that_is_not_empty(void **state)
{
    (void)state;
    assert_string_equal(find("GET", "/api/v1/traces/4bf9"), "/api/v1/traces/{traceId}");
    assert_text(args[0], "4bf9");
    assert_null(find("GET", "/api/v1/traces/"));
    assert_string_equal(find("GET", "/api/v1/services/shop/operations"),
                        "/api/v1/services/{name}/operations");
    assert_text(args[0], "shop");
    assert_null(find("GET", "/api/v1/services//operations"));
}

static void
a_segment_is_percent_decoded_after_it_was_cut(void **state)
{
    (void)state;
    assert_non_null(find("GET", "/api/v1/services/a%2Fb+c%20%C3%A4/operations"));
    assert_text(args[0], "a/b+c \xc3\xa4");
    assert_non_null(find("GET", "/api/v1/tags/50%/values"));
    assert_text(args[0], "50%");
    assert_non_null(find("GET", "/api/v1/tags/%zz%4/values"));
    assert_text(args[0], "%zz%4");
}

static void
the_methods_of_a_path_are_named(void **state)
{
    (void)state;
    assert_text(tk_route_methods(TK_STR("/v1/traces"), &arena), "POST, OPTIONS");
    assert_text(tk_route_methods(TK_STR("/api/v1/keys"), &arena), "GET, HEAD, POST, OPTIONS");
    assert_text(tk_route_methods(TK_STR("/nothing"), &arena), "");
}

static void
every_route_describes_itself(void **state)
{
    (void)state;
    for (size_t i = 0; i < tk_route_count; i++) {
        assert_non_null(tk_routes[i].function);
        assert_true(strlen(tk_routes[i].summary) > 0);
        assert_non_null(tk_routes[i].params);
        assert_non_null(tk_routes[i].answer);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_literal_path_is_found_by_its_method),
        cmocka_unit_test(head_finds_what_get_finds),
        cmocka_unit_test(a_path_is_whole_or_not_at_all),
        cmocka_unit_test(a_name_takes_one_segment_that_is_not_empty),
        cmocka_unit_test(a_segment_is_percent_decoded_after_it_was_cut),
        cmocka_unit_test(the_methods_of_a_path_are_named),
        cmocka_unit_test(every_route_describes_itself),
    };
    tk_arena_init(&arena, 4096, 1 << 20);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    tk_arena_release(&arena);
    return failed;
}
