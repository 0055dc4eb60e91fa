/* texts: every codec gives back what went in, and nothing that is cut or changed is a crash. */
#include "store/segment/numbers.h"
#include "store/segment/varint.h"
#include "store/segment/zstd.h"

#include "test.h"

#include <stdlib.h>
#include <sys/resource.h>

enum { MANY = 500, WIDE = 64 };

static uint64_t seed = 1;

static uint64_t
next_random(void)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return seed;
}

static char memory[MANY][WIDE];
static tk_str texts[MANY];

__attribute__((format(printf, 2, 3))) static void
set_text(uint32_t i, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int len = vsnprintf(memory[i], WIDE, format, args);
    va_end(args);
    texts[i] = (tk_str){memory[i], (size_t)len};
}

/* Any part of them comes as it does with all the others. */
static void
check_parts(tk_str bytes, uint32_t count, size_t total)
{
    const uint32_t begins[] = {0, count / 3, count / 2, count > 0 ? count - 1 : 0, count};
    struct tk_arena arena;
    tk_str got[MANY];
    for (size_t i = 0; i < sizeof begins / sizeof *begins; i++)
        for (uint32_t wanted = 0; wanted <= count - begins[i]; wanted = wanted * 3 + 1) {
            tk_str in = bytes;
            tk_arena_init(&arena, 64, 1 << 20);
            assert_int_equal(
                tk_texts_decode_part(&in, count, begins[i], wanted, total, &arena, got), TK_OK);
            assert_int_equal(in.len, 0);
            for (uint32_t k = 0; k < wanted; k++)
                assert_true(tk_str_eq(got[k], texts[begins[i] + k]));
            tk_arena_release(&arena);
        }
}

/* Returns how many bytes they took. */
static size_t
round_trip(uint32_t count, int level)
{
    struct tk_buf out;
    struct tk_arena arena;
    tk_str got[MANY];
    size_t total = 0;
    for (uint32_t i = 0; i < count; i++)
        total += texts[i].len;
    tk_arena_init(&arena, 1024, 1 << 20);
    tk_buf_init(&out, SIZE_MAX / 2);
    tk_texts_encode(texts, count, level, &out);
    assert_int_equal(out.status, TK_OK);
    size_t size = out.len;
    for (size_t cut = 0; cut <= 1 && count > 0; cut++) {
        char *exact = malloc(size);
        memcpy(exact, out.ptr, size - cut);
        char *fitted = realloc(exact, size - cut);
        tk_str in = {fitted, size - cut};
        enum tk_err code = tk_texts_decode(&in, count, total, &arena, got);
        assert_int_equal(code, cut == 0 ? TK_OK : TK_ERR_CORRUPT);
        if (cut == 0)
            check_parts((tk_str){fitted, size}, count, total);
        free(fitted);
        for (uint32_t i = 0; i < count && cut == 0; i++)
            assert_true(tk_str_eq(got[i], texts[i]));
    }
    tk_arena_release(&arena);
    tk_buf_release(&out);
    return size;
}

static void
texts_of_all_lengths_come_back(void **state)
{
    (void)state;
    for (int level = 0; level <= 1; level++)
        for (uint32_t count = 0; count <= MANY; count = count * 2 + 1) {
            for (uint32_t i = 0; i < count; i++)
                set_text(i, "%.*s", (int)(next_random() % 40),
                         "a text that is long enough for all of these lengths");
            (void)round_trip(count, level);
        }
}

static void
equal_texts_lie_once(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < MANY; i++)
        set_text(i, "checkout");
    assert_int_equal(round_trip(MANY, 1), 10);
    for (uint32_t i = 0; i < MANY; i++)
        texts[i] = TK_STR_NONE;
    assert_int_equal(round_trip(MANY, 1), 2);
}

static void
hexadecimal_ids_take_half_their_characters(void **state)
{
    (void)state;
    for (int level = 0; level <= 1; level++) {
        for (uint32_t i = 0; i < MANY; i++)
            set_text(i, "%08x-%04x-4000", (unsigned)next_random(),
                     (unsigned)next_random() & 0xFFFF);
        assert_in_range(round_trip(MANY, level), MANY * 6, MANY * 6 + 30);
        for (uint32_t i = 0; i < MANY; i++) /* an odd number of digits */
            set_text(i, "req-%07x", (unsigned)next_random() & 0xFFFFFFF);
        assert_in_range(round_trip(MANY, level), MANY * 7 / 2, MANY * 7 / 2 + 30);
    }
}

static void
an_id_on_many_spans_in_a_row_costs_little_more_than_once(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < MANY; i++)
        set_text(i, "%016llx", (unsigned long long)(i / 10 + 1) * 0x9E3779B97F4A7C15u);
    assert_true(round_trip(MANY, 1) < MANY * 3);
}

static void
texts_that_come_again_lie_once(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < MANY; i++) /* of 50, none beside itself */
        set_text(i, "%08X-%08X", i % 50 * 0x9E3779B9u, i % 50 * 0x85EBCA6Bu);
    assert_true(round_trip(MANY, 1) < 50 * 17 + MANY / 2);
    for (uint32_t i = 0; i < MANY; i++) /* and of those that do some are new */
        set_text(i, "%s-%u", i % 3 == 0 ? "old" : "new", i % 3 == 0 ? i : i / 3 * 1000);
    (void)round_trip(MANY, 1);
}

static void
texts_made_alike_cost_their_numbers_and_a_few_bits_a_word(void **state)
{
    static const char *const hosts[] = {"users", "orders", "stock", "mail"};
    (void)state;
    for (uint32_t i = 0; i < MANY; i++)
        set_text(i, "http://%s.shop.svc:8080/v1/items/%u", hosts[next_random() % 4],
                 10000000 + (unsigned)(next_random() % 90000000));
    assert_in_range(round_trip(MANY, 1), MANY * 29 / 8, MANY * 29 / 8 + 150);
    for (uint32_t i = 0; i < MANY; i++) /* as many fields as differ from text to text */
        set_text(i, i % 5 == 0 ? "10.%u.0.%u" : "node-%u.eu/%u", i % 7,
                 (unsigned)(next_random() % 256));
    assert_true(round_trip(MANY, 1) < MANY * 2);
}

static void
numbers_in_texts_keep_their_zeroes_and_their_size(void **state)
{
    static const char *const odd[] = {
        "0",     "00",     "007",        "a0",   "0a", "1.50", "00.00", "999999999999999999",
        "x18_y", "000018", "\xC3\xA9 7", "7\t8", "-1", "",     "1e5",   "v0.0.1",
    };
    enum { ODD = sizeof odd / sizeof *odd };
    (void)state;
    for (uint32_t i = 0; i < MANY; i++)
        set_text(i, "%s", odd[i % ODD]);
    (void)round_trip(MANY, 1);
    for (uint32_t i = 0; i < MANY; i++) /* patterns, at most 16 */
        set_text(i, "%.*s%u", (int)(i % 17), "-----------------", i);
    (void)round_trip(MANY, 1);
    for (uint32_t i = 0; i < MANY; i++) /* digits of a number, at most 18 */
        set_text(i, "%u%018llu", 1 + i % 9, (unsigned long long)(next_random() % 1000000000000));
    (void)round_trip(MANY, 1);
    for (uint32_t i = 0; i < MANY; i++) /* fields, at most 32 */
        set_text(i, "%.*s%u", i % 2 == 0 ? 60 : 62,
                 "a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.", i % 10);
    (void)round_trip(MANY, 1);
}

static void
texts_that_are_no_ids_stay_as_they_are(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < MANY; i++) /* capitals; one that is longer; a dash that moves */
        set_text(i, "%08X", (unsigned)next_random());
    assert_true(round_trip(MANY, 0) >= MANY * 8);
    for (uint32_t i = 0; i < MANY; i++)
        set_text(i, "%08x%s", (unsigned)next_random(), i == 300 ? "0" : "");
    assert_true(round_trip(MANY, 0) >= MANY * 8);
    for (uint32_t i = 0; i < MANY; i++)
        set_text(i, i == 400 ? "%04x-%03x" : "%05x%03x", (unsigned)next_random() & 0xFFFF,
                 (unsigned)next_random() & 0xFFF);
    assert_true(round_trip(MANY, 0) >= MANY * 8);
}

static void
more_bytes_than_the_reader_takes_are_damage(void **state)
{
    (void)state;
    struct tk_arena arena;
    struct tk_buf out;
    tk_str got[MANY];
    for (unsigned kind = 0; kind < 3; kind++) {
        for (uint32_t i = 0; i < MANY; i++)
            set_text(i,
                     kind == 0   ? "%08x"
                     : kind == 1 ? "%08X"
                                 : "12345678",
                     (unsigned)next_random() | 1u << 31);
        tk_arena_init(&arena, 1024, 1 << 20);
        tk_buf_init(&out, SIZE_MAX / 2);
        tk_texts_encode(texts, MANY, 1, &out);
        size_t total = kind == 2 ? 8 : (size_t)MANY * 8; /* a constant lies once */
        tk_str in = tk_buf_str(&out);
        assert_int_equal(tk_texts_decode(&in, MANY, total - 1, &arena, got), TK_ERR_CORRUPT);
        assert_int_equal(tk_texts_decode(&in, MANY, total, &arena, got), TK_OK);
        tk_buf_release(&out);
        tk_arena_release(&arena);
    }
}

static void
foreign_bytes_are_damage_not_a_crash(void **state)
{
    (void)state;
    tk_str got[MANY];
    for (unsigned round = 0; round < 200000; round++) {
        struct tk_arena arena;
        size_t size = next_random() % 40;
        char *exact = malloc(size + 1);
        char *fitted = realloc(exact, size > 0 ? size : 1);
        for (size_t i = 0; i < size; i++)
            fitted[i] = (char)next_random();
        if (size > 0)
            fitted[0] = (char)((unsigned char)fitted[0] % 6);
        tk_arena_init(&arena, 1024, 1 << 20);
        tk_str in = {fitted, size};
        enum tk_err code =
            tk_texts_decode(&in, (uint32_t)(next_random() % MANY), 10000, &arena, got);
        assert_true(code == TK_OK || code == TK_ERR_CORRUPT);
        tk_arena_release(&arena);
        free(fitted);
    }
}

static long
peak_mib(void)
{
    struct rusage usage;
    assert_int_equal(getrusage(RUSAGE_SELF, &usage), 0);
    return usage.ru_maxrss >> 10;
}

/* One text of four words; a few bytes of file would stand for 64 MiB each. */
static void
words_longer_than_words_are_cost_nothing(void **state)
{
    enum { WORDS = 4, SIZE = 64 << 20, WORDS_CODEC = 5, ZSTD_TEXTS = 1 };
    struct tk_buf frame, chunk;
    (void)state;
    tk_buf_init(&frame, SIZE_MAX / 2);
    tk_buf_init(&chunk, SIZE_MAX / 2);
    char *zeroes = calloc(SIZE, 1);
    tk_zstd_compress((tk_str){zeroes, SIZE}, 1, &frame);
    free(zeroes);
    tk_buf_append_char(&chunk, WORDS_CODEC);
    tk_put_varint(&chunk, 1); /* one shape */
    tk_buf_append_char(&chunk, 3);
    tk_put_varint(&chunk, WORDS);
    tk_buf_append(&chunk, TK_STR("wwww"));
    tk_buf_append_char(&chunk, 0); /* of the one text */
    for (unsigned word = 0; word < WORDS; word++) {
        tk_put_varint(&chunk, 1); /* distinct */
        tk_buf_append_char(&chunk, ZSTD_TEXTS);
        tk_buf_append_char(&chunk, 1); /* its length: a constant */
        tk_put_varint(&chunk, SIZE);
        tk_put_varint(&chunk, SIZE);
        tk_put_varint(&chunk, frame.len);
        tk_buf_append(&chunk, tk_buf_str(&frame));
        tk_buf_append_char(&chunk, 0); /* which: all the first */
    }
    struct tk_arena arena;
    tk_str got, in = tk_buf_str(&chunk);
    tk_arena_init(&arena, 4096, (size_t)1 << 32);
    long before = peak_mib();
    assert_int_equal(tk_texts_decode(&in, 1, (size_t)1 << 30, &arena, &got), TK_ERR_CORRUPT);
    assert_true(peak_mib() - before < 32);
    tk_arena_release(&arena);
    tk_buf_release(&frame);
    tk_buf_release(&chunk);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts_of_all_lengths_come_back),
        cmocka_unit_test(equal_texts_lie_once),
        cmocka_unit_test(hexadecimal_ids_take_half_their_characters),
        cmocka_unit_test(an_id_on_many_spans_in_a_row_costs_little_more_than_once),
        cmocka_unit_test(texts_that_come_again_lie_once),
        cmocka_unit_test(texts_made_alike_cost_their_numbers_and_a_few_bits_a_word),
        cmocka_unit_test(numbers_in_texts_keep_their_zeroes_and_their_size),
        cmocka_unit_test(texts_that_are_no_ids_stay_as_they_are),
        cmocka_unit_test(more_bytes_than_the_reader_takes_are_damage),
        cmocka_unit_test(words_longer_than_words_are_cost_nothing),
        cmocka_unit_test(foreign_bytes_are_damage_not_a_crash),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
