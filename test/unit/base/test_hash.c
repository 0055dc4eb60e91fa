#include "base/hash.h"
#include "test.h"

static void
crc32c_agrees_with_the_vectors_of_rfc_3720(void **state)
{
    char bytes[32];
    (void)state;
    memset(bytes, 0, sizeof bytes);
    assert_int_equal(tk_crc32c(0, (tk_str){bytes, 32}), 0x8A9136AA);
    memset(bytes, 0xFF, sizeof bytes);
    assert_int_equal(tk_crc32c(0, (tk_str){bytes, 32}), 0x62A8AB43);
    for (int i = 0; i < 32; i++)
        bytes[i] = (char)i;
    assert_int_equal(tk_crc32c(0, (tk_str){bytes, 32}), 0x46DD794E);
    assert_int_equal(tk_crc32c(0, TK_STR("123456789")), 0xE3069283);
    assert_int_equal(tk_crc32c(0, TK_STR_NONE), 0);
}

static void
crc32c_can_be_taken_in_pieces(void **state)
{
    tk_str whole = TK_STR("the quick brown fox jumps over the lazy dog");
    (void)state;
    for (size_t cut = 0; cut <= whole.len; cut++) {
        uint32_t crc = tk_crc32c(0, (tk_str){whole.ptr, cut});
        crc = tk_crc32c(crc, (tk_str){whole.ptr + cut, whole.len - cut});
        assert_int_equal(crc, tk_crc32c(0, whole));
    }
}

static void
crc32c_of_a_long_text_is_that_of_its_pieces(void **state)
{
    static char bytes[10000];
    (void)state;
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (char)(i * i >> 3);
    for (size_t len = 3000; len < sizeof bytes; len += 997) {
        uint32_t crc = 0;
        for (size_t at = 0; at < len; at += 100)
            crc = tk_crc32c(crc, (tk_str){bytes + at, len - at < 100 ? len - at : 100});
        assert_int_equal(tk_crc32c(0, (tk_str){bytes, len}), crc);
    }
}

static void
the_stable_hash_is_xxh3_and_the_seeded_one_is_not(void **state)
{
    (void)state;
    assert_true(tk_hash_stable(TK_STR_NONE) == 0x2D06800538D394C2); /* XXH3's own test vector */
    assert_true(tk_hash_stable(TK_STR("a")) == tk_hash_stable(TK_STR("a")));
    assert_true(tk_hash(TK_STR("a")) == tk_hash(TK_STR("a")));
    assert_true(tk_hash(TK_STR("a")) != tk_hash_stable(TK_STR("a")));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(crc32c_agrees_with_the_vectors_of_rfc_3720),
        cmocka_unit_test(crc32c_can_be_taken_in_pieces),
        cmocka_unit_test(crc32c_of_a_long_text_is_that_of_its_pieces),
        cmocka_unit_test(the_stable_hash_is_xxh3_and_the_seeded_one_is_not),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
