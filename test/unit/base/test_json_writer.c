#include "base/json.h"
#include "test.h"

#include <float.h>
#include <math.h>

static struct tk_buf out;
static struct tk_json_writer json;

static int
begin(void **state)
{
    (void)state;
    tk_buf_init(&out, 1 << 16);
    tk_json_writer_init(&json, &out);
    return 0;
}

static int
end(void **state)
{
    (void)state;
    tk_buf_release(&out);
    return 0;
}

static void
commas_and_colons_come_by_themselves(void **state)
{
    (void)state;
    tk_json_object(&json);
    tk_json_key(&json, TK_STR("a"));
    tk_json_array(&json);
    tk_json_int(&json, -1);
    tk_json_uint(&json, UINT64_MAX);
    tk_json_object(&json);
    tk_json_object_end(&json);
    tk_json_null(&json);
    tk_json_array_end(&json);
    tk_json_key(&json, TK_STR("b"));
    tk_json_bool(&json, true);
    tk_json_key(&json, TK_STR("c"));
    tk_json_raw(&json, TK_STR("[1]"));
    tk_json_object_end(&json);
    assert_text(tk_buf_str(&out), "{\"a\":[-1,18446744073709551615,{},null],\"b\":true,\"c\":[1]}");
}

static void
strings_are_escaped_and_invalid_utf8_is_replaced(void **state)
{
    (void)state;
    tk_json_array(&json);
    tk_json_string(&json, TK_STR("\"\\/\b\f\n\r\t\x01\x7F\0z"));
    tk_json_string(&json, TK_STR("\xF0\x9F\xA7\xB5\xFFok\xC3"));
    tk_json_string(&json, TK_STR_NONE);
    tk_json_array_end(&json);
    assert_text(tk_buf_str(&out), "[\"\\\"\\\\/\\b\\f\\n\\r\\t\\u0001\x7F\\u0000z\","
                                  "\"\xF0\x9F\xA7\xB5\xEF\xBF\xBDok\xEF\xBF\xBD\",\"\"]");
}

/* As RFC 8259 has it, told once more: what stands for one byte among letters. */
static const char *
text_of(unsigned char c, char buffer[8])
{
    static const char names[] = "btnvfr";
    if (c >= 0x80)
        return "\xEF\xBF\xBD";
    if (c >= '\b' && c <= '\r' && c != '\v')
        (void)snprintf(buffer, 8, "\\%c", names[c - '\b']);
    else if (c < 0x20)
        (void)snprintf(buffer, 8, "\\u%04x", c);
    else
        (void)snprintf(buffer, 8, c == '"' || c == '\\' ? "\\%c" : "%c", c);
    return buffer;
}

static void
every_byte_is_escaped_alike_at_every_place(void **state)
{
    char text[20], expected[64], buffer[8];
    (void)state;
    for (size_t len = 1; len <= sizeof text; len++) {
        for (size_t i = 0; i < len * 256; i++) {
            size_t at = i / 256;
            unsigned char c = (unsigned char)(i % 256);
            memset(text, 'a', len);
            text[at] = (char)c;
            (void)snprintf(expected, sizeof expected, "\"%.*s%s%.*s\"", (int)at,
                           "aaaaaaaaaaaaaaaaaaaa", text_of(c, buffer), (int)(len - at - 1),
                           "aaaaaaaaaaaaaaaaaaaa");
            tk_buf_clear(&out);
            tk_json_writer_init(&json, &out);
            tk_json_string(&json, (tk_str){text, len});
            assert_true(tk_str_eq(tk_buf_str(&out), tk_str_from(expected)));
        }
    }
}

static void
doubles_are_the_shortest_that_read_back_equal(void **state)
{
    static const double values[] = {
        0.5,     3.0,  -0.0,    0.1,       1e300,  5e-324, DBL_MAX, DBL_MIN,
        1.0 / 3, 1e22, 123456., 0.1 + 0.2, 2e-310, 1e15,   1e16,    440.20000000018626};
    (void)state;
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        tk_buf_clear(&out);
        tk_json_double(&json, values[i]);
        tk_buf_append_char(&out, '\0');
        double again = strtod(out.ptr, NULL);
        assert_memory_equal(&again, &values[i], sizeof again);
    }
    tk_buf_clear(&out);
    tk_json_array(&json);
    tk_json_double(&json, 0.1);
    tk_json_double(&json, -0.0);
    tk_json_double(&json, 5e-324);
    tk_json_double(&json, NAN);
    tk_json_double(&json, -INFINITY);
    tk_json_double(&json, INFINITY);
    tk_json_array_end(&json);
    assert_text(tk_buf_str(&out), "[0.1,-0.0,5e-324,\"NaN\",\"-Infinity\",\"Infinity\"]");
}

static void
numbers_as_strings_bytes_as_base64_and_hex(void **state)
{
    (void)state;
    tk_json_array(&json);
    tk_json_int_string(&json, INT64_MIN);
    tk_json_uint_string(&json, 0);
    tk_json_base64(&json, TK_STR(""));
    tk_json_base64(&json, TK_STR("f"));
    tk_json_base64(&json, TK_STR("fo"));
    tk_json_base64(&json, TK_STR("foo"));
    tk_json_base64(&json, TK_STR("\xFF\xFE\xFD\xFC"));
    tk_json_hex(&json, TK_STR("\x00\xAb"));
    tk_json_array_end(&json);
    assert_text(tk_buf_str(&out), "[\"-9223372036854775808\",\"0\",\"\",\"Zg==\",\"Zm8=\",\"Zm9v\","
                                  "\"//79/A==\",\"00ab\"]");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(commas_and_colons_come_by_themselves, begin, end),
        cmocka_unit_test_setup_teardown(strings_are_escaped_and_invalid_utf8_is_replaced, begin,
                                        end),
        cmocka_unit_test_setup_teardown(every_byte_is_escaped_alike_at_every_place, begin, end),
        cmocka_unit_test_setup_teardown(doubles_are_the_shortest_that_read_back_equal, begin, end),
        cmocka_unit_test_setup_teardown(numbers_as_strings_bytes_as_base64_and_hex, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
