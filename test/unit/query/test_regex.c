/* Regular expressions: the whole text, every time the same answer, and never for long. */
#include "query/regex.h"

#include "query/spans.h"

#include <stdio.h>

static struct tk_regex *
compile(const char *pattern)
{
    struct tk_regex *regex;
    struct tk_error err;
    assert_int_equal(tk_regex_compile(tk_str_from(pattern), &regex, &err), TK_OK);
    return regex;
}

static bool
matches(struct tk_regex *regex, tk_str text)
{
    bool result = false;
    assert_int_equal(tk_regex_match(regex, text, &result), TK_OK);
    return result;
}

static void
the_whole_text_is_matched(void **state)
{
    struct tk_regex *regex = compile("GET /[a-z]+|\xe2\x82\xac.");
    (void)state;
    assert_true(matches(regex, TK_STR("GET /users")));
    assert_false(matches(regex, TK_STR("GET /users/1")));
    assert_false(matches(regex, TK_STR("a GET /users")));
    assert_true(matches(regex, TK_STR("\xe2\x82\xac\n")));
    assert_false(matches(regex, TK_STR_NONE));
    tk_regex_free(regex);
}

/* More texts than are remembered, some too long for it, each asked about several times. */
static void
an_answer_is_the_same_from_memory(void **state)
{
    enum { TEXTS = 40000 };
    static char text[2048];
    struct tk_regex *regex = compile("(x*)n[0-9]*7");
    (void)state;
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < TEXTS; i++) {
            size_t pad = i % 100 == 0 ? 600 : 0;
            memset(text, 'x', pad);
            (void)snprintf(text + pad, sizeof text - pad, "n%d", i);
            if (matches(regex, tk_str_from(text)) != (i % 10 == 7))
                fail_msg("%s", text);
        }
    }
    tk_regex_free(regex);
}

static void
what_is_too_costly_is_an_error_each_time(void **state)
{
    struct tk_regex *regex = compile("(a+)+[bd]");
    bool result;
    (void)state;
    for (int i = 0; i < 2; i++)
        assert_int_equal(
            tk_regex_match(regex, TK_STR("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaac"), &result),
            TK_ERR_LIMIT);
    tk_regex_free(regex);
}

static void
a_wrong_pattern_says_why(void **state)
{
    struct tk_regex *regex;
    struct tk_error err;
    (void)state;
    assert_int_equal(tk_regex_compile(TK_STR("(a"), &regex, &err), TK_ERR_INPUT);
    assert_string_equal(err.message, "missing closing parenthesis");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_whole_text_is_matched),
        cmocka_unit_test(an_answer_is_the_same_from_memory),
        cmocka_unit_test(what_is_too_costly_is_an_error_each_time),
        cmocka_unit_test(a_wrong_pattern_says_why),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
