/* numbers: every codec gives back what went in, and nothing that is cut or changed is a crash. */
#include "store/segment/numbers.h"

#include "test.h"

#include <stdlib.h>

enum { MANY = 2048 };

static uint64_t seed = 1;

static uint64_t
next_random(void)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return seed;
}

/* Any part of them comes as it does with all the others. */
static void
check_parts(const char *bytes, size_t size, const uint64_t *numbers, uint32_t count)
{
    const uint32_t parts[][2] = {{0, 0},         {0, 1},         {0, count / 2}, {count / 3, count},
                                 {count / 2, 9}, {count - 1, 1}, {count, 0}};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        tk_str in = {bytes, size};
        uint32_t begin = parts[i][0] <= count ? parts[i][0] : 0;
        uint32_t left = count - begin, wanted = parts[i][1] < left ? parts[i][1] : left;
        uint64_t *got = malloc(wanted * sizeof *got + 1);
        assert_int_equal(tk_numbers_decode_part(&in, count, begin, wanted, got), TK_OK);
        assert_int_equal(in.len, 0);
        assert_true(wanted == 0 || memcmp(got, numbers + begin, wanted * sizeof *got) == 0);
        free(got);
    }
}

/* Returns how many bytes they took. */
static size_t
round_trip(const uint64_t *numbers, uint32_t count, int level)
{
    struct tk_buf out;
    uint64_t *got = malloc(((size_t)count + 1) * sizeof *got);
    tk_buf_init(&out, SIZE_MAX / 2);
    tk_numbers_encode(numbers, count, level, &out);
    assert_int_equal(out.status, TK_OK);
    size_t size = out.len;
    /* the very end of a block of memory, so that a sanitizer sees what reads too far */
    char *exact = malloc(size);
    memcpy(exact, out.ptr, size);
    tk_str in = {exact, size};
    assert_int_equal(tk_numbers_decode(&in, count, got), TK_OK);
    assert_int_equal(in.len, 0);
    assert_true(count == 0 || memcmp(got, numbers, count * sizeof *got) == 0);
    check_parts(exact, size, numbers, count);
    if (size > 0 && count > 0) { /* a byte short */
        in = (tk_str){exact, size - 1};
        char *cut = malloc(size);
        memcpy(cut, exact, size - 1);
        in.ptr = cut;
        assert_int_equal(tk_numbers_decode(&in, count, got), TK_ERR_CORRUPT);
        free(cut);
    }
    free(exact);
    free(got);
    tk_buf_release(&out);
    return size;
}

static void
numbers_of_every_width_and_count_come_back(void **state)
{
    (void)state;
    static const uint32_t counts[] = {0, 1, 2, 3, 7, 8, 9, 63, 64, 65, 500};
    uint64_t numbers[500];
    for (int level = 0; level <= 3; level += 3)
        for (unsigned width = 0; width <= 64; width++)
            for (size_t c = 0; c < sizeof counts / sizeof *counts; c++) {
                for (uint32_t i = 0; i < counts[c]; i++)
                    numbers[i] = width == 0 ? 0 : next_random() >> (64 - width);
                (void)round_trip(numbers, counts[c], level);
                for (uint32_t i = 0; i < counts[c]; i++)
                    numbers[i] += UINT64_MAX - (width == 64 ? UINT64_MAX : (1ull << width) - 1);
                (void)round_trip(numbers, counts[c], level);
            }
}

static void
numbers_of_very_different_size_come_back(void **state)
{
    (void)state;
    static uint64_t numbers[MANY];
    for (int level = 0; level <= 1; level++)
        for (unsigned round = 0; round < 50; round++) {
            for (uint32_t i = 0; i < MANY; i++)
                numbers[i] = next_random() >> (next_random() % 64);
            (void)round_trip(numbers, MANY, level);
        }
    for (uint32_t i = 0; i < MANY; i++)
        numbers[i] = i % 100 == 0 ? UINT64_MAX - i : next_random() & 0xFFF;
    assert_true(round_trip(numbers, MANY, 0) < MANY * 3);
}

static void
numbers_that_grow_take_the_bytes_of_their_differences(void **state)
{
    (void)state;
    static uint64_t numbers[MANY];
    numbers[0] = 1700000000000000000;
    for (uint32_t i = 1; i < MANY; i++)
        numbers[i] = numbers[i - 1] - (next_random() & 0xFFF);
    assert_true(round_trip(numbers, MANY, 0) < MANY * 2);
    for (uint32_t i = 0; i < MANY; i++)
        numbers[i] = i % 2 == 0 ? 0 : UINT64_MAX; /* differences that wrap */
    (void)round_trip(numbers, MANY, 0);
}

static void
numbers_of_a_coarse_clock_take_the_bytes_of_its_steps(void **state)
{
    (void)state;
    static uint64_t numbers[MANY];
    for (uint32_t i = 0; i < MANY; i++)
        numbers[i] = 1700000000000000123 + 1000 * (next_random() & 0xFFF);
    assert_true(round_trip(numbers, MANY, 0) < MANY * 12 / 8 + 32);
    for (uint32_t i = 0; i < MANY; i++) /* flags */
        numbers[i] = next_random() % 2 > 0 ? 0x101 : 0x301;
    assert_true(round_trip(numbers, MANY, 0) < MANY / 8 + 16);
    for (uint32_t i = 0; i < MANY; i++) /* as far as they go */
        numbers[i] = 7 + (next_random() % 2 << 63);
    assert_true(round_trip(numbers, MANY, 0) < MANY / 8 + 32);
    numbers[MANY / 2]++; /* one does not fit */
    (void)round_trip(numbers, MANY, 0);
}

static void
equal_numbers_take_no_room(void **state)
{
    (void)state;
    static uint64_t numbers[MANY];
    assert_int_equal(round_trip(numbers, MANY, 1), 1);
    for (uint32_t i = 0; i < MANY; i++)
        numbers[i] = 300;
    assert_int_equal(round_trip(numbers, MANY, 1), 3);
}

static void
numbers_that_repeat_are_compressed_unless_the_level_is_0(void **state)
{
    (void)state;
    static uint64_t numbers[MANY];
    for (uint32_t i = 0; i < MANY; i++)
        numbers[i] = i % 7 * 31;
    assert_true(round_trip(numbers, MANY, 0) >= MANY);
    assert_true(round_trip(numbers, MANY, 1) < 64);
}

static uint64_t
bits_of(double number)
{
    uint64_t bits;
    memcpy(&bits, &number, sizeof bits);
    return bits;
}

static void
doubles_of_few_digits_take_no_more_than_the_digits(void **state)
{
    (void)state;
    static uint64_t numbers[MANY];
    for (uint32_t i = 0; i < MANY; i++) /* 0.00 to 999.99: 17 bits */
        numbers[i] = bits_of((double)(next_random() % 100000) / 100);
    assert_in_range(round_trip(numbers, MANY, 0), MANY * 17 / 8, MANY * 17 / 8 + 24);
    for (uint32_t i = 0; i < MANY; i++)
        numbers[i] = bits_of((double)((int64_t)(next_random() % 1000000) - 500000) / 1e6);
    assert_true(round_trip(numbers, MANY, 0) < MANY * 3);
    static const double odd[] = {-0.0, 0.0 / 1.0, 1e300, 1.0 / 3, 5e-324, 9007199254740993.0};
    for (size_t k = 0; k < sizeof odd / sizeof *odd; k++) { /* one that is none: all as they are */
        numbers[MANY / 2] = bits_of(odd[k]);
        (void)round_trip(numbers, MANY, 1);
    }
    numbers[0] = bits_of(0.0) | UINT64_C(0x7FF8000000000001); /* not a number */
    (void)round_trip(numbers, MANY, 1);
}

static void
what_stands_behind_is_left(void **state)
{
    (void)state;
    struct tk_buf out;
    uint64_t got[3], numbers[] = {1, 2, 900};
    tk_buf_init(&out, 1000);
    tk_numbers_encode(numbers, 3, 0, &out);
    tk_buf_append(&out, TK_STR("tail"));
    tk_str in = tk_buf_str(&out);
    assert_int_equal(tk_numbers_decode(&in, 3, got), TK_OK);
    assert_true(tk_str_eq(in, TK_STR("tail")));
    tk_buf_release(&out);
}

/* Bits of doubles times two or three: steps, and what is left of them are doubles of few digits. */
static void
multiples_of_doubles_come_back(void **state)
{
    (void)state;
    enum { COUNT = 1500 };
    for (unsigned multiple = 1; multiple <= 3; multiple++) {
        for (unsigned level = 0; level <= 3; level++) {
            for (unsigned wide = 24; wide <= 29; wide++) {
                uint64_t numbers[COUNT], got[COUNT];
                int64_t sum = 0;
                for (unsigned i = 0; i < COUNT; i++) {
                    double tenths = (double)sum / 10;
                    uint64_t bits;
                    memcpy(&bits, &tenths, sizeof bits);
                    numbers[i] = bits * multiple;
                    unsigned width = i / 50 % 2 ? 3 : wide;
                    sum += (int64_t)((next_random() & ((1U << width) - 1)) | 1U << (width - 1));
                }
                struct tk_buf out;
                tk_buf_init(&out, SIZE_MAX / 2);
                tk_numbers_encode(numbers, COUNT, (int)level, &out);
                tk_str in = tk_buf_str(&out);
                assert_int_equal(tk_numbers_decode(&in, COUNT, got), TK_OK);
                assert_memory_equal(got, numbers, sizeof numbers);
                tk_buf_release(&out);
            }
        }
    }
}

static void
foreign_bytes_are_damage_not_a_crash(void **state)
{
    (void)state;
    uint64_t got[300];
    for (unsigned round = 0; round < 200000; round++) {
        unsigned char bytes[40];
        size_t size = next_random() % sizeof bytes;
        for (size_t i = 0; i < size; i++)
            bytes[i] = (unsigned char)next_random();
        if (size > 0)
            bytes[0] %= 8;
        char *exact = malloc(size + 1);
        memcpy(exact, bytes, size);
        tk_str in = {exact, size};
        enum tk_err code = tk_numbers_decode(&in, (uint32_t)(next_random() % 300), got);
        assert_true(code == TK_OK || code == TK_ERR_CORRUPT);
        free(exact);
    }
    static const struct {
        const char *what;
        tk_str bytes;
    } wrong[] = {
        {"nothing", {"", 0}},
        {"no such codec", {"\x08\0\0\0\0", 5}},
        {"decimals without digits told", {"\x07", 1}},
        {"decimals of too many digits", {"\x07\x07\0", 3}},
        {"width 0", {"\x02\0\0\0\0", 5}},
        {"width 65", {"\x02\x41\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 27}},
        {"a class beyond 64", {"\x03\x01\x41\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 23}},
        {"deltas in deltas without end", {"\x04\0\x04\0\x04\0\x04\0\x04\0\0", 11}},
        {"steps in steps without end", {"\x06\0\1\x06\0\1\x06\0\1\x06\0\1\x06\0\1\x06\0\1\0", 19}},
        {"a frame that is none",
         {"\x05\x04\x04"
          "abcd",
          7}},
        {"a huge frame",
         {"\x05\xFF\xFF\xFF\xFF\x0F\x01"
          "a",
          8}},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        tk_str in = wrong[i].bytes;
        if (tk_numbers_decode(&in, 3, got) != TK_ERR_CORRUPT)
            fail_msg("%s was taken", wrong[i].what);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_of_every_width_and_count_come_back),
        cmocka_unit_test(numbers_of_very_different_size_come_back),
        cmocka_unit_test(numbers_that_grow_take_the_bytes_of_their_differences),
        cmocka_unit_test(numbers_of_a_coarse_clock_take_the_bytes_of_its_steps),
        cmocka_unit_test(equal_numbers_take_no_room),
        cmocka_unit_test(numbers_that_repeat_are_compressed_unless_the_level_is_0),
        cmocka_unit_test(doubles_of_few_digits_take_no_more_than_the_digits),
        cmocka_unit_test(multiples_of_doubles_come_back),
        cmocka_unit_test(what_stands_behind_is_left),
        cmocka_unit_test(foreign_bytes_are_damage_not_a_crash),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
