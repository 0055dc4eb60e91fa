#include "test.h"
#include "wire/compress.h"

static const enum tk_encoding encodings[] = {TK_ENCODING_NONE, TK_ENCODING_GZIP,
                                             TK_ENCODING_DEFLATE, TK_ENCODING_ZSTD};

static tk_str
pack(enum tk_encoding encoding, tk_str plain)
{
    char *ptr;
    size_t len;
    assert_int_equal(tk_compress(encoding, 3, plain, &ptr, &len), TK_OK);
    return (tk_str){ptr, len};
}

static enum tk_err
unpack(enum tk_encoding encoding, tk_str packed, size_t limit, tk_str *ret_plain)
{
    struct tk_error err = {0};
    char *ptr = NULL;
    size_t len = 0;
    enum tk_err code = tk_decompress(encoding, packed, limit, &ptr, &len, &err);
    *ret_plain = (tk_str){ptr, len};
    assert_true(code == TK_OK || err.message[0] != '\0');
    return code;
}

static void
free_text(tk_str text)
{
    free((void *)(uintptr_t)text.ptr);
}

static void
bodies_come_back_at_the_limit_and_not_beyond(void **state)
{
    static char plain[300000];
    static const size_t sizes[] = {0, 1, 1000, 131072, sizeof plain};
    (void)state;
    for (size_t i = 0; i < sizeof plain; i++)
        plain[i] = (char)(i % 251 ^ i / 997);
    for (size_t e = 0; e < 4; e++) {
        for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
            tk_str body = {plain, sizes[s]}, again;
            tk_str packed = pack(encodings[e], body);
            assert_int_equal(unpack(encodings[e], packed, body.len, &again), TK_OK);
            assert_true(tk_str_eq(body, again));
            free_text(again);
            if (body.len > 0)
                assert_int_equal(unpack(encodings[e], packed, body.len - 1, &again), TK_ERR_LIMIT);
            free_text(packed);
        }
    }
}

static void
a_bomb_goes_off_at_the_limit(void **state)
{
    size_t size = 64 << 20;
    char *zeros = calloc(1, size);
    (void)state;
    for (size_t e = 1; e < 4; e++) {
        tk_str packed = pack(encodings[e], (tk_str){zeros, size}), plain;
        assert_true(packed.len < size / 500);
        assert_int_equal(unpack(encodings[e], packed, 1 << 20, &plain), TK_ERR_LIMIT);
        free_text(packed);
    }
    free(zeros);
}

static void
several_members_and_frames_are_one_body(void **state)
{
    (void)state;
    for (size_t e = 1; e < 4; e += 2) {
        tk_str one = pack(encodings[e], TK_STR("first ")), two = pack(encodings[e], TK_STR("")),
               three = pack(encodings[e], TK_STR("second")), plain;
        struct tk_buf all;
        tk_buf_init(&all, 1 << 16);
        tk_buf_append(&all, one);
        tk_buf_append(&all, two);
        tk_buf_append(&all, three);
        assert_int_equal(unpack(encodings[e], tk_buf_str(&all), 100, &plain), TK_OK);
        assert_text(plain, "first second");
        free_text(plain);
        assert_int_equal(unpack(encodings[e], tk_buf_str(&all), 11, &plain), TK_ERR_LIMIT);
        tk_buf_release(&all);
        free_text(one);
        free_text(two);
        free_text(three);
    }
}

static void
damage_and_bytes_behind_the_end_are_refused(void **state)
{
    (void)state;
    for (size_t e = 1; e < 4; e++) {
        tk_str packed = pack(encodings[e], TK_STR("a body to be damaged, long enough to be one"));
        tk_str plain;
        struct tk_buf damaged;
        for (size_t cut = 0; cut < packed.len; cut++)
            assert_int_equal(unpack(encodings[e], (tk_str){packed.ptr, cut}, 1000, &plain),
                             TK_ERR_INPUT);
        tk_buf_init(&damaged, 1 << 16);
        tk_buf_append(&damaged, packed);
        tk_buf_append(&damaged, TK_STR("garbage"));
        assert_int_equal(unpack(encodings[e], tk_buf_str(&damaged), 1000, &plain), TK_ERR_INPUT);
        tk_buf_release(&damaged);
        free_text(packed);
    }
}

static void
gzip_may_lie_about_its_size(void **state)
{
    static const uint32_t lies[] = {0, 1, 1000, 0xFFFFFFFF};
    tk_str packed = pack(TK_ENCODING_GZIP, TK_STR("hello hello hello hello")), plain;
    (void)state;
    for (size_t i = 0; i < sizeof lies / sizeof *lies; i++) {
        memcpy((char *)(uintptr_t)packed.ptr + packed.len - 4, &lies[i], 4);
        assert_int_equal(unpack(TK_ENCODING_GZIP, packed, 1000, &plain), TK_ERR_INPUT);
    }
    free_text(packed);
}

static void
raw_deflate_is_taken_for_deflate(void **state)
{
    tk_str packed = pack(TK_ENCODING_DEFLATE, TK_STR("hello hello hello")), plain;
    tk_str raw = {packed.ptr + 2, packed.len - 6}; /* without header and checksum */
    (void)state;
    assert_int_equal(unpack(TK_ENCODING_DEFLATE, raw, 100, &plain), TK_OK);
    assert_text(plain, "hello hello hello");
    free_text(plain);
    free_text(packed);
}

/* A frame as a streaming sender makes it: it does not say how long it is. */
static void
zstd_need_not_say_its_size(void **state)
{
    static const char no_checksum[] = "\x28\xb5\x2f\xfd\x00\x58\x29\x00\x00hello";
    tk_str plain;
    (void)state;
    assert_int_equal(
        unpack(TK_ENCODING_ZSTD, (tk_str){no_checksum, sizeof no_checksum - 1}, 5, &plain), TK_OK);
    assert_text(plain, "hello");
    free_text(plain);
    assert_int_equal(
        unpack(TK_ENCODING_ZSTD, (tk_str){no_checksum, sizeof no_checksum - 1}, 4, &plain),
        TK_ERR_LIMIT);
}

static void
encodings_are_known_by_name_and_by_their_first_bytes(void **state)
{
    enum tk_encoding encoding;
    (void)state;
    assert_true(tk_encoding_parse(TK_STR(""), &encoding) && encoding == TK_ENCODING_NONE);
    assert_true(tk_encoding_parse(TK_STR("Identity"), &encoding) && encoding == TK_ENCODING_NONE);
    assert_true(tk_encoding_parse(TK_STR("X-GZIP"), &encoding) && encoding == TK_ENCODING_GZIP);
    assert_true(tk_encoding_parse(TK_STR(" zstd"), &encoding) && encoding == TK_ENCODING_ZSTD);
    assert_false(tk_encoding_parse(TK_STR("br"), &encoding));
    assert_false(tk_encoding_parse(TK_STR("gzip, gzip"), &encoding));
    for (size_t e = 0; e < 4; e++) {
        tk_str packed = pack(encodings[e], TK_STR("x"));
        bool known = encodings[e] == TK_ENCODING_GZIP || encodings[e] == TK_ENCODING_ZSTD;
        assert_int_equal(tk_encoding_sniff(packed), known ? encodings[e] : TK_ENCODING_NONE);
        free_text(packed);
    }
    assert_int_equal(tk_encoding_sniff(TK_STR_NONE), TK_ENCODING_NONE);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bodies_come_back_at_the_limit_and_not_beyond),
        cmocka_unit_test(a_bomb_goes_off_at_the_limit),
        cmocka_unit_test(several_members_and_frames_are_one_body),
        cmocka_unit_test(damage_and_bytes_behind_the_end_are_refused),
        cmocka_unit_test(gzip_may_lie_about_its_size),
        cmocka_unit_test(raw_deflate_is_taken_for_deflate),
        cmocka_unit_test(zstd_need_not_say_its_size),
        cmocka_unit_test(encodings_are_known_by_name_and_by_their_first_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
