/* The chunked body by itself: whole, in every cut, and what it must not take. */
#include "net/http1_chunked.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static struct tk_buf body;

static int
sink(void *arg, tk_str bytes)
{
    (void)arg;
    tk_buf_append(&body, bytes);
    return body.status == TK_OK ? 0 : 413;
}

static void
start(struct tk_http1_chunked *chunked, size_t body_max)
{
    tk_buf_release(&body);
    tk_buf_init(&body, body_max);
    *chunked = (struct tk_http1_chunked){.sink = sink, .overhead_max = 100};
    tk_http1_chunked_init(chunked);
}

/* Feeds the text in two pieces; how much was used, or -1. */
static ptrdiff_t
feed(struct tk_http1_chunked *chunked, tk_str text, size_t cut, bool *ret_done)
{
    *ret_done = false;
    ptrdiff_t first = tk_http1_chunked_feed(chunked, (tk_str){text.ptr, cut}, ret_done);
    if (first < 0 || *ret_done)
        return first;
    assert_int_equal(first, cut);
    tk_str rest = {text.ptr + cut, text.len - cut};
    ptrdiff_t second = tk_http1_chunked_feed(chunked, rest, ret_done);
    return second < 0 ? second : first + second;
}

static void
a_body_is_the_same_however_it_is_cut(void **state)
{
    const tk_str text = TK_STR("5;a=b\r\nhello\r\n1\r\n!\r\n0\r\nX: y\r\n\r\nGET / HTTP/1.1\r\n");
    const size_t end = text.len - strlen("GET / HTTP/1.1\r\n");
    (void)state;
    for (size_t cut = 0; cut <= text.len; cut++) {
        struct tk_http1_chunked chunked;
        bool done;
        start(&chunked, 100);
        assert_int_equal(feed(&chunked, text, cut, &done), end);
        assert_true(done);
        assert_true(tk_str_eq(tk_buf_str(&body), TK_STR("hello!")));
    }
}

static void
malformed_bodies_are_refused_however_they_are_cut(void **state)
{
    static const char *const texts[] = {
        "5\nhello\r\n0\r\n\r\n",
        "5\r\nhelloXX0\r\n\r\n",
        "5\r\nhello\r\n0\r\n\n",
        "5\r\nhello\r\n0\r\nX: y\r\n\n",
        "g\r\n",
        "-1\r\n",
        " 5\r\nhello\r\n0\r\n\r\n",
        "ffffffffffffffff1\r\n",
        "5\r\nhello\r\n0\r\nX: a\rb\r\n\r\n",
    };
    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        for (size_t cut = 0; cut <= strlen(texts[i]); cut++) {
            struct tk_http1_chunked chunked;
            bool done;
            start(&chunked, 100);
            assert_int_equal(feed(&chunked, tk_str_from(texts[i]), cut, &done), -1);
            assert_int_equal(chunked.status, 400);
            assert_non_null(chunked.reason);
        }
}

static void
the_sinks_refusal_is_passed_on(void **state)
{
    struct tk_http1_chunked chunked;
    bool done;
    (void)state;
    start(&chunked, 4);
    assert_int_equal(feed(&chunked, TK_STR("5\r\nhello\r\n"), 0, &done), -1);
    assert_int_equal(chunked.status, 413);
    start(&chunked, 5);
    assert_int_equal(feed(&chunked, TK_STR("5\r\nhello\r\n"), 0, &done), 10);
}

static void
what_stands_between_two_pieces_has_a_limit(void **state)
{
    (void)state;
    /* "1;" + n + "\r\n" is the overhead before the first piece: at most 100. */
    for (size_t size = 96; size <= 97; size++)
        for (size_t cut = 0; cut < 50; cut += 7) {
            char text[200];
            struct tk_http1_chunked chunked;
            bool done;
            memset(text, 'x', sizeof text);
            memcpy(text, "1;", 2);
            memcpy(text + 2 + size, "\r\nh\r\n", 5);
            start(&chunked, 100);
            ptrdiff_t used = feed(&chunked, (tk_str){text, size + 7}, cut, &done);
            assert_int_equal(used, size == 96 ? (ptrdiff_t)size + 7 : -1);
            if (size > 96)
                assert_int_equal(chunked.status, 431);
        }
}

static int
teardown(void **state)
{
    (void)state;
    tk_buf_release(&body);
    return 0;
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_body_is_the_same_however_it_is_cut),
        cmocka_unit_test(malformed_bodies_are_refused_however_they_are_cut),
        cmocka_unit_test(the_sinks_refusal_is_passed_on),
        cmocka_unit_test(what_stands_between_two_pieces_has_a_limit),
    };
    return cmocka_run_group_tests(tests, NULL, teardown);
}
