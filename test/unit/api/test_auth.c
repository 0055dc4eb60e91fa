/* auth: which hosts and origins are this machine's own. The matrix of keys is test/api's. */
#include "api/private.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void
loopback_names_and_addresses_are_loopback_with_and_without_a_port(void **state)
{
    static const char *const hosts[] = {"localhost",   "LocalHost:4318",     "127.0.0.1",
                                        "127.0.0.1:1", "127.255.255.254",    "[::1]",
                                        "[::1]:4318",  "app.localhost:3000", "a.b.LOCALHOST"};
    (void)state;
    for (size_t i = 0; i < sizeof hosts / sizeof *hosts; i++)
        assert_true(tk_host_is_loopback(tk_str_from(hosts[i])));
}

static void
names_that_only_look_like_loopback_are_not(void **state)
{
    static const char *const hosts[] = {"",
                                        "example.com",
                                        "localhost.example.com",
                                        "notlocalhost",
                                        ".localhost",
                                        "127.0.0.1.example.com",
                                        "127.evil",
                                        "127.1",
                                        "128.0.0.1",
                                        "0.0.0.0",
                                        "[::1].example.com",
                                        "[::2]",
                                        "::1",
                                        "2130706433"};
    (void)state;
    for (size_t i = 0; i < sizeof hosts / sizeof *hosts; i++)
        assert_false(tk_host_is_loopback(tk_str_from(hosts[i])));
}

static void
an_origin_is_loopback_by_its_host_and_only_over_http(void **state)
{
    (void)state;
    assert_true(tk_origin_is_loopback(TK_STR("http://localhost:3000")));
    assert_true(tk_origin_is_loopback(TK_STR("https://127.0.0.1")));
    assert_true(tk_origin_is_loopback(TK_STR("http://[::1]:3000")));
    assert_false(tk_origin_is_loopback(TK_STR("null")));
    assert_false(tk_origin_is_loopback(TK_STR("localhost:3000")));
    assert_false(tk_origin_is_loopback(TK_STR("ftp://localhost")));
    assert_false(tk_origin_is_loopback(TK_STR("https://localhost.example.com")));
    assert_false(tk_origin_is_loopback(TK_STR("https://user@localhost")));
}

static void
the_session_is_found_among_other_cookies(void **state)
{
    (void)state;
    struct tk_header headers[] = {
        {TK_STR("cookie"), TK_STR("a=1; tracekit_session=one")},
        {TK_STR("cookie"), TK_STR("tracekit_session=two")},
    };
    struct tk_request request = {.headers = headers, .header_count = 2};
    assert_true(tk_str_eq(tk_session_cookie(&request), TK_STR("one")));
    headers[0].value = TK_STR("xtracekit_session=no;other=2");
    assert_true(tk_str_eq(tk_session_cookie(&request), TK_STR("two")));
    request.header_count = 1;
    assert_null(tk_session_cookie(&request).ptr);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(loopback_names_and_addresses_are_loopback_with_and_without_a_port),
        cmocka_unit_test(names_that_only_look_like_loopback_are_not),
        cmocka_unit_test(an_origin_is_loopback_by_its_host_and_only_over_http),
        cmocka_unit_test(the_session_is_found_among_other_cookies),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
