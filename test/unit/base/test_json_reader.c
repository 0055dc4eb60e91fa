#include "base/json.h"
#include "test.h"

static struct tk_arena arena;
static struct tk_json_reader json;
static struct tk_json_token token;
static struct tk_error err;

static int
begin(void **state)
{
    (void)state;
    tk_arena_init(&arena, 256, 1 << 20);
    return 0;
}

static int
end(void **state)
{
    (void)state;
    tk_arena_release(&arena);
    return 0;
}

static void
open_text(tk_str text)
{
    tk_json_reader_init(&json, text, &arena);
}

static void
expect(enum tk_json_type type)
{
    if (tk_json_next(&json, &token, &err) != TK_OK)
        fail_msg("%s", err.message);
    assert_int_equal(token.type, type);
}

/* Reads to the end or the first error; what it says, "" when all is well. */
static const char *
read_all(tk_str text)
{
    open_text(text);
    err.message[0] = '\0';
    do
        if (tk_json_next(&json, &token, &err) != TK_OK)
            break;
    while (token.type != TK_JSON_DONE);
    return err.message;
}

static void
tokens_come_one_by_one_with_their_place(void **state)
{
    (void)state;
    open_text(TK_STR(" {\"a\" : [1, -2.5e+3, true,false , null, \"s\"], \"b\":{}}\n"));
    expect(TK_JSON_OBJECT);
    assert_int_equal(token.offset, 1);
    expect(TK_JSON_KEY);
    assert_text(token.text, "a");
    assert_int_equal(token.offset, 2);
    expect(TK_JSON_ARRAY);
    expect(TK_JSON_NUMBER);
    assert_text(token.text, "1");
    expect(TK_JSON_NUMBER);
    assert_text(token.text, "-2.5e+3");
    assert_int_equal(token.offset, 12);
    expect(TK_JSON_TRUE);
    expect(TK_JSON_FALSE);
    expect(TK_JSON_NULL);
    expect(TK_JSON_STRING);
    assert_text(token.text, "s");
    assert_ptr_equal(token.text.ptr, json.input.ptr + 41);
    expect(TK_JSON_ARRAY_END);
    expect(TK_JSON_KEY);
    expect(TK_JSON_OBJECT);
    expect(TK_JSON_OBJECT_END);
    expect(TK_JSON_OBJECT_END);
    expect(TK_JSON_DONE);
    expect(TK_JSON_DONE);
}

static void
escapes_become_the_characters_they_stand_for(void **state)
{
    (void)state;
    open_text(TK_STR(
        "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00fc\\u0000\\ud83e\\udDF5\\uD800x\\udc00\\ud800\\u0041\""));
    expect(TK_JSON_STRING);
    assert_text(token.text, "\"\\/\b\f\n\r\t\xC3\xBC\0\xF0\x9F\xA7\xB5\xEF\xBF\xBDx\xEF\xBF\xBD"
                            "\xEF\xBF\xBD"
                            "A");
}

static void
what_rfc_8259_forbids_is_refused_with_its_place(void **state)
{
    static const struct {
        const char *text, *says;
    } bad[] = {
        {"", "byte 0: unexpected end"},
        {"{", "byte 1: unexpected end"},
        {"[1", "byte 2: unexpected end"},
        {"{\"a\"", "byte 4: unexpected end"},
        {"[1,]", "byte 3: a value is expected"},
        {"{,}", "byte 1: a member name is expected"},
        {"{\"a\":1,}", "byte 7: a member name is expected"},
        {"{\"a\" 1}", "byte 5: a colon is expected"},
        {"[1 2]", "byte 3: a comma or an end is expected"},
        {"[1}", "byte 2: a comma or an end is expected"},
        {"1 2", "byte 2: bytes behind the end"},
        {"01", "byte 1: bytes behind the end"},
        {"+1", "byte 0: a value is expected"},
        {"-", "byte 1: unexpected end"},
        {"1.", "byte 2: unexpected end"},
        {".5", "byte 0: a value is expected"},
        {"[1.e5]", "byte 3: a digit is expected"},
        {"[1e+]", "byte 4: a digit is expected"},
        {"tru", "byte 3: unexpected end"},
        {"nulL", "byte 3: a value is expected"},
        {"NaN", "byte 0: a value is expected"},
        {"\"\\x\"", "byte 1: bad escape in a string"},
        {"\"\\u12g4\"", "byte 1: bad escape in a string"},
        {"\"a\nb\"", "byte 2: control character in a string"},
        {"\"ab\xFF\"", "byte 3: invalid UTF-8"},
        {"\"ab", "byte 3: unexpected end"},
        {"\xEF\xBB\xBF{}", "byte 0: a value is expected"},
        {"[1]]", "byte 3: bytes behind the end"},
        {"'a'", "byte 0: a value is expected"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_string_equal(read_all(tk_str_from(bad[i].text)), bad[i].says);
}

static void
nesting_is_taken_to_the_limit_and_no_further(void **state)
{
    char text[2 * TK_JSON_DEPTH_MAX + 2];
    static char deep[100000];
    (void)state;
    memset(text, '[', TK_JSON_DEPTH_MAX);
    memset(text + TK_JSON_DEPTH_MAX, ']', TK_JSON_DEPTH_MAX);
    assert_string_equal(read_all((tk_str){text, 2 * TK_JSON_DEPTH_MAX}), "");
    memset(text, '[', TK_JSON_DEPTH_MAX + 1);
    memset(text + TK_JSON_DEPTH_MAX + 1, ']', TK_JSON_DEPTH_MAX + 1);
    assert_string_equal(read_all((tk_str){text, sizeof text}), "byte 300: nested too deep");
    memset(deep, '[', sizeof deep);
    assert_says(read_all((tk_str){deep, sizeof deep}), "nested too deep");
}

static void
a_value_can_be_skipped_whole(void **state)
{
    (void)state;
    open_text(TK_STR("{\"skip\":{\"a\":[1,{\"b\":\"\\n\"}]},\"keep\":\"\\n\"}"));
    expect(TK_JSON_OBJECT);
    expect(TK_JSON_KEY);
    assert_int_equal(tk_json_skip(&json, &err), TK_OK);
    assert_int_equal(arena.used, 0);
    expect(TK_JSON_KEY);
    assert_text(token.text, "keep");
    expect(TK_JSON_STRING);
    assert_text(token.text, "\n");
    expect(TK_JSON_OBJECT_END);
    expect(TK_JSON_DONE);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(tokens_come_one_by_one_with_their_place, begin, end),
        cmocka_unit_test_setup_teardown(escapes_become_the_characters_they_stand_for, begin, end),
        cmocka_unit_test_setup_teardown(what_rfc_8259_forbids_is_refused_with_its_place, begin,
                                        end),
        cmocka_unit_test_setup_teardown(nesting_is_taken_to_the_limit_and_no_further, begin, end),
        cmocka_unit_test_setup_teardown(a_value_can_be_skipped_whole, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
