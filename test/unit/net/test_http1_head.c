/* The head reader by itself: what it makes of a head, and where the end of one is found. */
#include "net/http1_head.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static struct tk_arena arena;
static struct tk_http1_head head;
static const char *reason;

static int
setup(void **state)
{
    (void)state;
    tk_arena_init(&arena, 1024, 1 << 20);
    reason = NULL;
    return 0;
}

static int
teardown(void **state)
{
    (void)state;
    tk_arena_release(&arena);
    return 0;
}

static int
parse(const char *text)
{
    tk_str copy = tk_arena_copy(&arena, tk_str_from(text));
    return tk_http1_head_parse(&arena, (char *)copy.ptr, copy.len, &head, &reason);
}

static void
assert_str(tk_str actual, const char *expected)
{
    assert_int_equal(actual.len, strlen(expected));
    assert_memory_equal(actual.ptr, expected, actual.len);
}

static void
a_head_is_cut_into_its_parts(void **state)
{
    (void)state;
    assert_int_equal(parse("POST /a/b?c=d&e HTTP/1.1\r\nHost: h\r\nX-ONE:  1 \r\nx:\r\n\r\n"), 0);
    assert_str(head.method, "POST");
    assert_str(head.path, "/a/b");
    assert_str(head.query, "c=d&e");
    assert_int_equal(head.minor, 1);
    assert_int_equal(head.header_count, 3);
    assert_str(head.headers[1].name, "x-one");
    assert_str(head.headers[1].value, "1");
    assert_str(head.headers[2].name, "x");
    assert_str(head.headers[2].value, "");
    assert_true(head.keep_alive);
    assert_false(head.chunked);
    assert_int_equal(head.content_length, 0);
}

static void
the_absolute_form_is_a_path_too(void **state)
{
    (void)state;
    assert_int_equal(parse("GET http://h:1/p?q HTTP/1.1\r\nHost: h\r\n\r\n"), 0);
    assert_str(head.path, "/p");
    assert_str(head.query, "q");
    assert_int_equal(parse("GET http://h HTTP/1.1\r\nHost: h\r\n\r\n"), 0);
    assert_str(head.path, "/");
    assert_int_equal(parse("GET http://h?q HTTP/1.1\r\nHost: h\r\n\r\n"), 0);
    assert_str(head.path, "/");
    assert_str(head.query, "q");
    assert_int_equal(parse("GET http:///p HTTP/1.1\r\nHost: h\r\n\r\n"), 400);
    assert_int_equal(parse("GET p HTTP/1.1\r\nHost: h\r\n\r\n"), 400);
}

static void
the_length_of_the_body_is_understood(void **state)
{
    (void)state;
    assert_int_equal(parse("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 42\r\n\r\n"), 0);
    assert_int_equal(head.content_length, 42);
    assert_int_equal(parse("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: Chunked\r\n\r\n"), 0);
    assert_true(head.chunked);
    assert_int_equal(parse("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\n"
                           "Content-Length: 1\r\n\r\n"),
                     400);
    assert_int_equal(parse("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: a, chunked\r\n\r\n"),
                     501);
    assert_int_equal(parse("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked, a\r\n\r\n"),
                     400);
}

static void
keeping_the_connection_depends_on_version_and_wish(void **state)
{
    (void)state;
    assert_int_equal(parse("GET / HTTP/1.1\r\nHost: h\r\nConnection: a, CLOSE\r\n\r\n"), 0);
    assert_false(head.keep_alive);
    assert_int_equal(parse("GET / HTTP/1.0\r\n\r\n"), 0);
    assert_false(head.keep_alive);
    assert_int_equal(parse("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"), 0);
    assert_true(head.keep_alive);
}

static void
an_expectation_counts_from_http_1_1_on(void **state)
{
    (void)state;
    assert_int_equal(parse("PUT / HTTP/1.1\r\nHost: h\r\nExpect: 100-Continue\r\n\r\n"), 0);
    assert_true(head.expect_continue);
    assert_int_equal(parse("PUT / HTTP/1.0\r\nHost: h\r\nExpect: 100-continue\r\n\r\n"), 0);
    assert_false(head.expect_continue);
}

static void
what_is_known_of_a_refused_head_is_safe_to_show(void **state)
{
    (void)state;
    assert_int_equal(parse("GET /x HTTP/1.1\r\nHost : h\r\n\r\n"), 400);
    assert_non_null(reason);
    assert_str(head.path, "/");
    assert_int_equal(head.header_count, 0);
}

static void
the_number_of_headers_has_a_limit(void **state)
{
    (void)state;
    for (int count = 255; count <= 256; count++) {
        struct tk_buf text;
        tk_buf_init(&text, 1 << 20);
        tk_buf_append(&text, TK_STR("GET / HTTP/1.1\r\nHost: h\r\n"));
        for (int i = 0; i < count; i++)
            tk_buf_append(&text, TK_STR("x: y\r\n"));
        tk_buf_append(&text, TK_STR("\r\n\0"));
        assert_int_equal(parse(text.ptr), count == 255 ? 0 : 431);
        tk_buf_release(&text);
    }
}

static void
the_end_of_a_head_is_found_however_it_arrives(void **state)
{
    (void)state;
    const char text[] = "GET / HTTP/1.1\r\nHost: h\r\n\r\nrest";
    const size_t end = sizeof text - 1 - 4;
    for (size_t cut = 0; cut < end; cut++) {
        size_t scanned = 0;
        assert_int_equal(tk_http1_head_find_end(text, cut, &scanned), 0);
        assert_true(scanned <= cut);
        assert_int_equal(tk_http1_head_find_end(text, sizeof text - 1, &scanned), end);
    }
}

static void
a_line_without_cr_is_noticed_at_once(void **state)
{
    (void)state;
    size_t scanned = 0;
    assert_int_equal(tk_http1_head_find_end("GET / HTTP/1.1\n", 15, &scanned), -1);
    scanned = 0;
    assert_int_equal(tk_http1_head_find_end("\n", 1, &scanned), -1);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_head_is_cut_into_its_parts, setup, teardown),
        cmocka_unit_test_setup_teardown(the_absolute_form_is_a_path_too, setup, teardown),
        cmocka_unit_test_setup_teardown(the_length_of_the_body_is_understood, setup, teardown),
        cmocka_unit_test_setup_teardown(keeping_the_connection_depends_on_version_and_wish, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(an_expectation_counts_from_http_1_1_on, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_known_of_a_refused_head_is_safe_to_show, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(the_number_of_headers_has_a_limit, setup, teardown),
        cmocka_unit_test(the_end_of_a_head_is_found_however_it_arrives),
        cmocka_unit_test(a_line_without_cr_is_noticed_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
