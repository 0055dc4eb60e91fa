#include "test.h"
#include "trace/ids.h"

static void
ids_read_write_parse_and_print_the_same(void **state)
{
    struct tk_trace_id id;
    tk_span_id span;
    char text[TK_TRACE_ID_HEX + 1], bytes[TK_TRACE_ID_SIZE];
    (void)state;
    assert_true(tk_trace_id_parse(TK_STR("0AF7651916CD43dd8448eb211c80319c"), &id));
    tk_trace_id_format(id, text);
    assert_string_equal(text, "0af7651916cd43dd8448eb211c80319c");
    tk_trace_id_write(id, bytes);
    assert_memory_equal(bytes, "\x0a\xf7\x65\x19\x16\xcd\x43\xdd\x84\x48\xeb\x21\x1c\x80\x31\x9c",
                        16);
    assert_true(tk_trace_id_eq(tk_trace_id_read(bytes), id));
    assert_true(tk_span_id_parse(TK_STR("00f067aa0ba902B7"), &span));
    assert_true(span == 0x00f067aa0ba902b7);
    tk_span_id_format(span, text);
    assert_string_equal(text, "00f067aa0ba902b7");
    tk_span_id_write(span, bytes);
    assert_true(tk_span_id_read(bytes) == span);
}

static void
what_is_no_id_is_refused(void **state)
{
    struct tk_trace_id id = {1, 2};
    tk_span_id span = 3;
    (void)state;
    assert_false(tk_trace_id_parse(TK_STR("00000000000000000000000000000000"), &id));
    assert_false(tk_trace_id_parse(TK_STR("0af7651916cd43dd8448eb211c80319"), &id));
    assert_false(tk_trace_id_parse(TK_STR("0af7651916cd43dd8448eb211c80319cc"), &id));
    assert_false(tk_trace_id_parse(TK_STR("0af7651916cd43dd8448eb211c80319g"), &id));
    assert_false(tk_trace_id_parse(TK_STR_NONE, &id));
    assert_false(tk_span_id_parse(TK_STR("0000000000000000"), &span));
    assert_false(tk_span_id_parse(TK_STR("00f067aa0ba902b"), &span));
    assert_false(tk_span_id_parse(TK_STR("0x00f067aa0ba902"), &span));
    assert_true(id.high == 1 && id.low == 2 && span == 3);
}

static void
numeric_order_is_the_order_of_the_text(void **state)
{
    struct tk_trace_id a = {1, 0}, b = {0, UINT64_MAX};
    (void)state;
    assert_true(tk_trace_id_cmp(a, b) > 0);
    assert_true(tk_trace_id_cmp(b, a) < 0);
    assert_true(tk_trace_id_cmp(a, a) == 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ids_read_write_parse_and_print_the_same),
        cmocka_unit_test(what_is_no_id_is_refused),
        cmocka_unit_test(numeric_order_is_the_order_of_the_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
