#include "test.h"

static void
utf8_is_valid_exactly_when_rfc_3629_says_so(void **state)
{
    static const char *const good[] = {"",
                                       "plain ascii, longer than sixteen bytes",
                                       "\xC2\x80",
                                       "\xDF\xBF",
                                       "\xE0\xA0\x80",
                                       "\xED\x9F\xBF",
                                       "\xEE\x80\x80",
                                       "\xEF\xBF\xBF",
                                       "\xF0\x90\x80\x80",
                                       "\xF4\x8F\xBF\xBF",
                                       "0123456789abcde\xC3\xBC and more"};
    static const struct {
        const char *text;
        size_t offset;
    } bad[] = {{"\x80", 0},
               {"a\xC0\x80", 1},
               {"ab\xC1\xBF", 2},
               {"\xC2", 0},
               {"\xE0\x9F\xBF", 0},
               {"\xED\xA0\x80", 0},
               {"\xE2\x82", 0},
               {"\xF0\x8F\xBF\xBF", 0},
               {"\xF4\x90\x80\x80", 0},
               {"\xF5\x80\x80\x80", 0},
               {"\xFF", 0},
               {"0123456789abcdef0123456789abcdef\xC3", 32},
               {"0123456789abcdef0123\xC3\xBC\xFF"
                "56789",
                22}};
    size_t offset;
    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        assert_true(tk_utf8_valid(tk_str_from(good[i]), &offset));
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_false(tk_utf8_valid(tk_str_from(bad[i].text), &offset));
        assert_int_equal(offset, bad[i].offset);
        assert_false(tk_utf8_valid(tk_str_from(bad[i].text), NULL));
    }
}

/* One bad byte at every place of strings of every short length: whatever is read at once, no byte
   goes unseen and none behind the end is looked at. */
static void
utf8_validation_sees_every_byte_and_no_more(void **state)
{
    (void)state;
    for (size_t len = 1; len < 80; len++) {
        for (size_t bad = 0; bad <= len; bad++) {
            char *text = malloc(len);
            size_t offset = 999;
            memset(text, 'x', len);
            if (bad < len)
                text[bad] = (char)0xFF;
            assert_int_equal(tk_utf8_valid((tk_str){text, len}, &offset), bad == len);
            assert_int_equal(offset, bad < len ? bad : 999);
            free(text);
        }
    }
}

static void
a_buffer_stops_at_its_limit_and_says_so_once(void **state)
{
    struct tk_buf buf;
    (void)state;
    tk_buf_init(&buf, 5);
    tk_buf_append(&buf, TK_STR("abcde"));
    assert_int_equal(buf.status, TK_OK);
    tk_buf_append_char(&buf, 'f');
    assert_int_equal(buf.status, TK_ERR_LIMIT);
    assert_text(tk_buf_str(&buf), "abcde");
    tk_buf_clear(&buf);
    tk_buf_append(&buf, TK_STR("xyz"));
    assert_text(tk_buf_str(&buf), "xyz");
    tk_buf_release(&buf);
}

static void
nothing_asked_of_an_empty_buffer_is_nothing(void **state)
{
    (void)state;
    struct tk_buf buf;
    tk_buf_init(&buf, 10);
    assert_null(tk_buf_reserve(&buf, 0));
    tk_buf_append(&buf, TK_STR(""));
    assert_int_equal(buf.status, TK_OK);
    assert_int_equal(buf.len, 0);
    assert_non_null(tk_buf_reserve(&buf, 1));
    assert_ptr_equal(tk_buf_reserve(&buf, 0), buf.ptr);
    tk_buf_release(&buf);
}

static void
views_are_cut_compared_and_read_as_numbers(void **state)
{
    tk_str rest = TK_STR("a,,b");
    uint64_t number = 7;
    (void)state;
    assert_text(tk_str_split(&rest, ','), "a");
    assert_text(tk_str_split(&rest, ','), "");
    assert_text(tk_str_split(&rest, ','), "b");
    assert_int_equal(rest.len, 0);
    assert_true(tk_str_cmp(TK_STR("a"), TK_STR("ab")) < 0);
    assert_true(tk_str_cmp(TK_STR("b"), TK_STR("ab")) > 0);
    assert_true(tk_str_cmp(TK_STR_NONE, TK_STR("")) == 0);
    assert_true(tk_str_eq_nocase(TK_STR("GZip"), TK_STR("gzip")));
    assert_text(tk_str_trim(TK_STR(" \tx ")), "x");
    assert_true(tk_str_to_u64(TK_STR("18446744073709551615"), &number));
    assert_true(number == UINT64_MAX);
    assert_false(tk_str_to_u64(TK_STR("18446744073709551616"), &number));
    assert_false(tk_str_to_u64(TK_STR(""), &number));
    assert_false(tk_str_to_u64(TK_STR("1x"), &number));
}

static void
short_names_are_compared_to_their_last_byte(void **state)
{
    (void)state;
    for (size_t len = 0; len <= 40; len++) {
        char a[40], b[40];
        memset(a, 'k', sizeof a);
        memset(b, 'k', sizeof b);
        assert_true(tk_name_eq((tk_str){a, len}, (tk_str){b, len}));
        if (len > 0)
            assert_false(tk_name_eq((tk_str){a, len}, (tk_str){b, len - 1}));
        for (size_t at = 0; at < sizeof b; at++) {
            b[at] = 'j';
            assert_int_equal(tk_name_eq((tk_str){a, len}, (tk_str){b, len}), at >= len);
            b[at] = 'k';
        }
    }
    assert_true(tk_name_eq(TK_STR_NONE, TK_STR("")));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(utf8_is_valid_exactly_when_rfc_3629_says_so),
        cmocka_unit_test(utf8_validation_sees_every_byte_and_no_more),
        cmocka_unit_test(short_names_are_compared_to_their_last_byte),
        cmocka_unit_test(a_buffer_stops_at_its_limit_and_says_so_once),
        cmocka_unit_test(nothing_asked_of_an_empty_buffer_is_nothing),
        cmocka_unit_test(views_are_cut_compared_and_read_as_numbers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
