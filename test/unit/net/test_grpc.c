/* gRPC's framing and encodings. */
#include "net/grpc.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static struct tk_arena arena;

static int
setup(void **state)
{
    (void)state;
    tk_arena_init(&arena, 256, 1 << 20);
    return 0;
}

static int
teardown(void **state)
{
    (void)state;
    tk_arena_release(&arena);
    return 0;
}

static void
content_types_of_grpc_are_known(void **state)
{
    (void)state;
    assert_true(tk_grpc_is_content_type(TK_STR("application/grpc")));
    assert_true(tk_grpc_is_content_type(TK_STR("application/grpc+proto")));
    assert_true(tk_grpc_is_content_type(TK_STR("Application/gRPC ; x=y")));
    assert_false(tk_grpc_is_content_type(TK_STR("application/grpc-web")));
    assert_false(tk_grpc_is_content_type(TK_STR("application/grpc+json")));
    assert_false(tk_grpc_is_content_type(TK_STR_NONE));
}

static void
a_message_is_what_its_prefix_says(void **state)
{
    tk_str body = TK_STR("\1\0\0\0\3abc");
    bool compressed = false;
    const char *reason;
    (void)state;
    assert_int_equal(tk_grpc_open_message(&body, &compressed, &reason), 0);
    assert_true(compressed);
    assert_true(tk_str_eq(body, TK_STR("abc")));
    body = TK_STR("\0\0\0\0\0");
    assert_int_equal(tk_grpc_open_message(&body, &compressed, &reason), 0);
    assert_false(compressed);
    assert_int_equal(body.len, 0);
}

static void
anything_but_one_message_is_refused(void **state)
{
    const tk_str bodies[] = {TK_STR_NONE,
                             TK_STR("\0\0\0\0"),
                             TK_STR("\0\0\0\0\1"),
                             TK_STR("\0\xff\xff\xff\xff"),
                             TK_STR("\2\0\0\0\0"),
                             TK_STR("\0\0\0\0\0\0"),
                             TK_STR("\0\0\0\0\0\0\0\0\0\0")};
    const int expected[] = {400, 400, 400, 400, 400, 501, 501};
    (void)state;
    for (size_t i = 0; i < sizeof bodies / sizeof bodies[0]; i++) {
        tk_str body = bodies[i];
        bool compressed;
        const char *reason = NULL;
        assert_int_equal(tk_grpc_open_message(&body, &compressed, &reason), expected[i]);
        assert_non_null(reason);
    }
}

static void
a_prefix_is_read_as_it_was_written(void **state)
{
    const size_t sizes[] = {0, 1, 255, 256, 0x01020304, UINT32_MAX};
    (void)state;
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        char prefix[TK_GRPC_PREFIX_SIZE];
        tk_grpc_write_prefix(prefix, sizes[i]);
        assert_int_equal(prefix[0], 0);
        assert_int_equal(tk_grpc_message_size(prefix), sizes[i]);
    }
}

static void
messages_are_percent_encoded(void **state)
{
    (void)state;
    tk_str encoded = tk_grpc_percent_encode(&arena, TK_STR("a b%\n\xc3\xb6~\x7f"));
    assert_true(tk_str_eq(encoded, TK_STR("a b%25%0A%C3%B6~%7F")));
    assert_int_equal(tk_grpc_percent_encode(&arena, TK_STR_NONE).len, 0);
}

static void
details_are_base64_without_padding(void **state)
{
    static const char *const pairs[][2] = {
        {"", ""},           {"f", "Zg"},          {"fo", "Zm8"},       {"foo", "Zm9v"},
        {"foob", "Zm9vYg"}, {"fooba", "Zm9vYmE"}, {"\xff\xfe", "//4"}, {"foobar", "Zm9vYmFy"}};
    (void)state;
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
        tk_str encoded = tk_grpc_base64(&arena, tk_str_from(pairs[i][0]));
        assert_true(tk_str_eq(encoded, tk_str_from(pairs[i][1])));
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(content_types_of_grpc_are_known),
        cmocka_unit_test(a_message_is_what_its_prefix_says),
        cmocka_unit_test(anything_but_one_message_is_refused),
        cmocka_unit_test(a_prefix_is_read_as_it_was_written),
        cmocka_unit_test_setup_teardown(messages_are_percent_encoded, setup, teardown),
        cmocka_unit_test_setup_teardown(details_are_base64_without_padding, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
