/*
 * texts - see numbers.h; docs/formats/segment.md, "Numbers and texts".
 *
 * Ids are most of what cannot be told from what stood before; written in hexadecimal digits they
 * carry four bits a character, which `template` takes and zstd does not reach.
 */
#include "store/segment/numbers.h"

#include "base/assert.h"
#include "store/segment/texts_words.h"
#include "store/segment/zstd.h"

#include <stdlib.h>

enum codec { PLAIN, ZSTD, TEMPLATE, CONSTANT, REPEATS, WORDS };

enum {
    TEMPLATE_MAX = 256,  /* bytes of a text */
    TEMPLATE_COUNT = 8,  /* texts, at least */
    ZSTD_BYTES_MIN = 32, /* in all */
    SAMPLE = 128,        /* texts that are asked whether they repeat */
    WORDS_SHARE = 2,     /* below that part of the bytes zstd is not tried beside words */
};

#define ONES 0x0101010101010101u
#define HIGHS (128 * ONES)

static const char DIGITS[] = "0123456789abcdef";

/* ---- writing ----------------------------------------------------------------------------------
 */

static bool
are_equal(const tk_str *texts, uint32_t count)
{
    for (uint32_t i = 1; i < count; i++)
        if (!tk_str_eq(texts[i], texts[0]))
            return false;
    return true;
}

/* Bytes in words of 8, first one lowest. */
static inline uint64_t
load(const char *from, size_t len)
{
    uint64_t word = 0;
    memcpy(&word, from, len < sizeof word ? len : sizeof word);
    return word;
}

/* Each byte `n` or more?  Then its high bit is set; all are below 128. */
static inline uint64_t
not_below(uint64_t word, unsigned n)
{
    return (word + (128 - n) * ONES) & HIGHS;
}

/* Eight digits to eight times four bits, first one lowest; false: they are not all digits. */
static inline bool
pack_digits(uint64_t word, uint64_t *ret_bits)
{
    uint64_t digits = not_below(word, '0') & ~not_below(word, '9' + 1);
    uint64_t letters = not_below(word, 'a') & ~not_below(word, 'f' + 1);
    if ((word & HIGHS) != 0 || (digits | letters) != HIGHS)
        return false;
    word = (word & 15 * ONES) + (letters >> 7) * 9;
    word = (word | word >> 4) & 0x00FF00FF00FF00FF;
    word = (word | word >> 8) & 0x0000FFFF0000FFFF;
    *ret_bits = (word | word >> 16) & UINT32_MAX;
    return true;
}

/* Marks in `is_digit` the places of digits; false: there is no template.  A place where all texts
   have the same is a literal, which costs nothing for each. */
static bool
find_places(const tk_str *texts, uint32_t count, bool is_digit[TEMPLATE_MAX])
{
    size_t len = texts[0].len;
    uint64_t first[TEMPLATE_MAX / 8], differs[TEMPLATE_MAX / 8] = {0};
    if (len > TEMPLATE_MAX || count < TEMPLATE_COUNT)
        return false;
    for (size_t at = 0; at < len; at += 8)
        first[at / 8] = load(texts[0].ptr + at, len - at);
    for (uint32_t i = 1; i < count; i++) {
        if (texts[i].len != len)
            return false;
        for (size_t at = 0; at < len; at += 8)
            differs[at / 8] |= load(texts[i].ptr + at, len - at) ^ first[at / 8];
    }
    for (size_t k = 0; k < len; k++)
        is_digit[k] = (differs[k / 8] >> k % 8 * 8 & 255) != 0;
    return true;
}

/* Runs of places of digits. */
struct runs {
    uint32_t count, digit_count;
    struct {
        uint32_t begin, count;
    } run[TEMPLATE_MAX / 2];
};

static void
find_runs(const bool is_digit[TEMPLATE_MAX], size_t len, struct runs *runs)
{
    runs->count = runs->digit_count = 0;
    for (uint32_t k = 0; k < len; k++) {
        if (!is_digit[k])
            continue;
        if (k == 0 || !is_digit[k - 1]) {
            runs->run[runs->count].begin = k;
            runs->run[runs->count++].count = 0;
        }
        runs->run[runs->count - 1].count++;
        runs->digit_count++;
    }
}

/* The digits of all texts, four bits each; false: not all are. */
static bool
put_digits(const tk_str *texts, uint32_t count, const struct runs *runs, char *to, size_t size)
{
    char digits[TEMPLATE_MAX + 8];
    uint64_t bits = 0, packed;
    unsigned bit_count = 0;
    char *end = to + size;
    for (uint32_t i = 0; i < count; i++) {
        size_t at = 0;
        for (uint32_t r = 0; r < runs->count; at += runs->run[r++].count)
            memcpy(digits + at, texts[i].ptr + runs->run[r].begin, runs->run[r].count);
        memset(digits + at, '0', 8); /* what the last word has too many */
        for (size_t k = 0; k < runs->digit_count; k += 8) {
            size_t left = runs->digit_count - k;
            if (!pack_digits(load(digits + k, 8), &packed))
                return false;
            bits |= packed << bit_count; /* fewer than 8 wait */
            bit_count += 4 * (unsigned)(left < 8 ? left : 8);
            for (; bit_count >= 8; bit_count -= 8, bits >>= 8)
                *to++ = (char)bits;
        }
    }
    if (bit_count > 0)
        *to++ = (char)bits;
    TK_ASSERT(to == end);
    return true;
}

/* False, and nothing put: there is no template. */
static bool
put_template(const tk_str *texts, uint32_t count, struct tk_buf *out)
{
    bool is_digit[TEMPLATE_MAX];
    struct runs runs;
    if (!find_places(texts, count, is_digit))
        return false;
    size_t len = texts[0].len, begin = out->len;
    unsigned char marks[TEMPLATE_MAX / 8] = {0};
    find_runs(is_digit, len, &runs);
    tk_buf_append_char(out, TEMPLATE);
    tk_put_varint(out, len);
    for (size_t k = 0; k < len; k++)
        marks[k / 8] |= (unsigned char)(is_digit[k] << k % 8);
    tk_put_bytes(out, marks, (len + 7) / 8);
    for (size_t k = 0; k < len; k++)
        if (!is_digit[k])
            tk_buf_append_char(out, texts[0].ptr[k]);
    size_t size = ((size_t)count * runs.digit_count + 1) / 2;
    char *to = tk_buf_reserve(out, size);
    if (to == NULL)
        return true; /* out of memory is in `out` */
    if (!put_digits(texts, count, &runs, to, size)) {
        out->len = begin;
        return false;
    }
    out->len += size;
    return true;
}

/* The codec, the lengths, and a buffer of the bytes if zstd is to be tried. */
static void
put_plain_or_zstd(const tk_str *texts, uint32_t count, int level, struct tk_buf *out)
{
    uint64_t *lengths = malloc(((size_t)count + 1) * sizeof *lengths);
    size_t begin = out->len, total = 0;
    struct tk_buf frame;
    if (lengths == NULL) {
        out->status = TK_ERR_MEMORY;
        return;
    }
    for (uint32_t i = 0; i < count; i++) {
        lengths[i] = texts[i].len;
        total += texts[i].len;
    }
    tk_buf_append_char(out, PLAIN);
    tk_numbers_encode(lengths, count, level, out);
    free(lengths);
    size_t bytes_at = out->len;
    char *to = tk_buf_reserve(out, total);
    for (uint32_t i = 0; i < count && to != NULL; i++) {
        if (texts[i].len > 0) /* an empty view may have no bytes at all */
            memcpy(to, texts[i].ptr, texts[i].len);
        to += texts[i].len;
    }
    if (to == NULL)
        return;
    out->len += total;
    if (level == 0 || total < ZSTD_BYTES_MIN)
        return;
    tk_buf_init(&frame, SIZE_MAX / 2);
    tk_zstd_compress((tk_str){out->ptr + bytes_at, total}, level, &frame);
    if (frame.status != TK_OK) {
        out->status = frame.status;
    } else if (frame.len + 8 < total) {
        out->ptr[begin] = ZSTD;
        out->len = bytes_at;
        tk_put_varint(out, total);
        tk_put_varint(out, frame.len);
        tk_buf_append(out, tk_buf_str(&frame));
    }
    tk_buf_release(&frame);
}

static size_t
bytes_of(const tk_str *texts, uint32_t count)
{
    size_t bytes = 0;
    for (uint32_t i = 0; i < count; i++)
        bytes += texts[i].len;
    return bytes;
}

/* Puts `other` behind `begin`, in place of what stands there, if that is shorter or nothing. */
static void
take_shorter(size_t begin, struct tk_buf *other, struct tk_buf *out)
{
    if (other->status != TK_OK) {
        out->status = other->status;
    } else if (other->len > 0 && (out->len == begin || other->len < out->len - begin)) {
        out->len = begin;
        tk_buf_append(out, tk_buf_str(other));
    }
    tk_buf_release(other);
}

/* Of texts that are all different. */
static void
put_different(const tk_str *texts, uint32_t count, int level, struct tk_buf *out)
{
    size_t begin = out->len;
    bool good = put_template(texts, count, out);
    struct tk_buf other;
    if (level != 0) {
        tk_buf_init(&other, SIZE_MAX / 2);
        tk_buf_append_char(&other, WORDS);
        if (!tk_words_put(texts, count, &other))
            tk_buf_clear(&other);
        good = good || (other.len > 0 && other.len * WORDS_SHARE < bytes_of(texts, count));
        take_shorter(begin, &other, out);
    }
    if (!good) {
        tk_buf_init(&other, SIZE_MAX / 2);
        put_plain_or_zstd(texts, count, level, &other);
        take_shorter(begin, &other, out);
    }
}

/* Each text once, and where it comes again.  False, and nothing put: they do not repeat. */
static bool
put_repeats(const tk_str *texts, uint32_t count, int level, struct tk_buf *out)
{
    struct tk_distinct distinct;
    uint32_t sample = count < SAMPLE ? count : SAMPLE;
    if (!tk_distinct_make(texts + (count - sample) / 2, sample, &distinct))
        return false;
    bool repeat = distinct.count < sample - sample / 8;
    tk_distinct_release(&distinct);
    if (!repeat || !tk_distinct_make(texts, count, &distinct))
        return false;
    uint64_t seen = 0;
    for (uint32_t i = 0; i < count; i++) {
        bool is_new = distinct.which[i] == seen;
        distinct.which[i] = is_new ? 0 : seen - distinct.which[i];
        seen += is_new;
    }
    tk_buf_append_char(out, REPEATS);
    tk_put_varint(out, distinct.count);
    tk_numbers_encode(distinct.which, count, level, out);
    put_different(distinct.texts, distinct.count, level, out);
    tk_distinct_release(&distinct);
    return true;
}

void
tk_texts_encode(const tk_str *texts, uint32_t count, int level, struct tk_buf *out)
{
    if (count == 0 || are_equal(texts, count)) {
        tk_buf_append_char(out, CONSTANT);
        tk_put_varint(out, count > 0 ? texts[0].len : 0);
        if (count > 0)
            tk_buf_append(out, texts[0]);
    } else if (level == 0 || !put_repeats(texts, count, level, out)) {
        put_different(texts, count, level, out);
    }
}

/* ---- reading ----------------------------------------------------------------------------------
 */

static enum tk_err
get_constant(struct tk_reader *in, struct tk_texts_part part, size_t bytes_max,
             struct tk_arena *arena, tk_str *texts)
{
    uint64_t len = tk_get_varint(in);
    const void *bytes = len <= bytes_max ? tk_get_bytes(in, (size_t)len) : NULL;
    if (bytes == NULL || !in->ok)
        return TK_ERR_CORRUPT;
    tk_str text = tk_arena_copy(arena, (tk_str){bytes, (size_t)len});
    if (text.ptr == NULL)
        return TK_ERR_MEMORY;
    for (uint32_t i = 0; i < part.count; i++)
        texts[i] = text;
    return TK_OK;
}

static enum tk_err
get_plain_or_zstd(struct tk_reader *in, bool is_zstd, uint32_t count, struct tk_texts_part part,
                  size_t bytes_max, struct tk_arena *arena, tk_str *texts)
{
    uint64_t *lengths = tk_arena_alloc(arena, ((size_t)count + 1) * sizeof *lengths);
    tk_str left = {(const char *)in->at, tk_reader_left(in)};
    uint64_t total = 0, before = 0, wanted = 0;
    if (lengths == NULL)
        return TK_ERR_MEMORY;
    enum tk_err code = tk_numbers_decode(&left, count, lengths);
    if (code != TK_OK)
        return code;
    in->at = (const unsigned char *)left.ptr;
    for (uint32_t i = 0; i < count; i++) {
        if (lengths[i] > bytes_max - total)
            return TK_ERR_CORRUPT;
        total += lengths[i];
        before += i < part.begin ? lengths[i] : 0;
    }
    for (uint32_t i = 0; i < part.count; i++)
        wanted += lengths[part.begin + i];
    uint64_t raw_size = is_zstd ? tk_get_varint(in) : total;
    uint64_t size = is_zstd ? tk_get_varint(in) : total;
    const char *bytes = tk_get_bytes(in, (size_t)size);
    if (bytes == NULL || raw_size != total || !in->ok)
        return TK_ERR_CORRUPT;
    char *to = tk_arena_alloc(arena, (size_t)(is_zstd ? total : wanted) + 1);
    if (to == NULL)
        return TK_ERR_MEMORY;
    if (is_zstd) {
        code = tk_zstd_decompress((tk_str){bytes, (size_t)size}, to, (size_t)total);
        to += before;
    } else {
        memcpy(to, bytes + before, (size_t)wanted);
    }
    for (uint32_t i = 0; i < part.count; i++) {
        texts[i] = (tk_str){to, (size_t)lengths[part.begin + i]};
        to += texts[i].len;
    }
    return code;
}

static enum tk_err
get_template(struct tk_reader *in, uint32_t count, struct tk_texts_part part, size_t bytes_max,
             struct tk_arena *arena, tk_str *texts)
{
    uint32_t places[TEMPLATE_MAX];
    char first[TEMPLATE_MAX];
    uint64_t len = tk_get_varint(in);
    if (!in->ok || len > TEMPLATE_MAX || len * count > bytes_max)
        return TK_ERR_CORRUPT;
    const unsigned char *marks = tk_get_bytes(in, (size_t)(len + 7) / 8);
    char *to = tk_arena_alloc(arena, (size_t)(len * part.count) + 1);
    size_t digit_count = 0;
    if (to == NULL)
        return TK_ERR_MEMORY;
    for (uint32_t k = 0; in->ok && k < len; k++) {
        if (marks[k / 8] >> k % 8 & 1) {
            places[digit_count++] = k;
        } else {
            const char *literal = tk_get_bytes(in, 1);
            first[k] = literal != NULL ? *literal : '0';
        }
    }
    const unsigned char *bytes = in->ok ? tk_get_bytes(in, (count * digit_count + 1) / 2) : NULL;
    if (bytes == NULL)
        return TK_ERR_CORRUPT;
    size_t at = part.begin * digit_count;
    for (uint32_t i = 0; i < part.count; i++, to += len) {
        memcpy(to, first, (size_t)len);
        for (size_t k = 0; k < digit_count; k++, at++)
            to[places[k]] = DIGITS[bytes[at / 2] >> at % 2 * 4 & 15];
        texts[i] = (tk_str){to, (size_t)len};
    }
    return TK_OK;
}

static enum tk_err get_texts(struct tk_reader *in, uint32_t count, struct tk_texts_part part,
                             size_t bytes_max, enum codec deepest, struct tk_arena *arena,
                             tk_str *texts);

enum tk_err
tk_numbers_get(struct tk_reader *in, uint32_t count, uint64_t *numbers)
{
    tk_str left = {(const char *)in->at, tk_reader_left(in)};
    enum tk_err code = tk_numbers_decode(&left, count, numbers);
    if (code == TK_OK)
        in->at = (const unsigned char *)left.ptr;
    return code;
}

/* Turns distances into numbers of texts; false: they make no sense. */
static bool
number_repeats(uint64_t *which, uint32_t count, uint64_t distinct)
{
    uint64_t seen = 0;
    for (uint32_t i = 0; i < count; i++) {
        if (which[i] > seen)
            return false;
        which[i] = seen - which[i];
        seen += which[i] == seen;
    }
    return seen == distinct;
}

static enum tk_err
get_repeats(struct tk_reader *in, uint32_t count, struct tk_texts_part part, size_t bytes_max,
            struct tk_arena *arena, tk_str *texts)
{
    uint64_t distinct = tk_get_varint(in);
    if (!in->ok || distinct == 0 || distinct > count)
        return TK_ERR_CORRUPT;
    uint64_t *which = malloc(count * sizeof *which);
    if (which == NULL)
        return TK_ERR_MEMORY;
    enum tk_err code = tk_numbers_get(in, count, which);
    if (code == TK_OK && !number_repeats(which, count, distinct))
        code = TK_ERR_CORRUPT;
    uint64_t least = distinct, end = 0; /* of those that are wanted */
    for (uint32_t i = part.begin; i < part.begin + part.count && code == TK_OK; i++) {
        least = which[i] < least ? which[i] : least;
        end = which[i] >= end ? which[i] + 1 : end;
    }
    struct tk_texts_part wanted = {(uint32_t)least, end > least ? (uint32_t)(end - least) : 0};
    tk_str *once = code == TK_OK ? malloc(((size_t)wanted.count + 1) * sizeof *once) : NULL;
    if (code == TK_OK && once == NULL)
        code = TK_ERR_MEMORY;
    if (code == TK_OK)
        code = get_texts(in, (uint32_t)distinct, wanted, bytes_max, WORDS, arena, once);
    size_t total = 0;
    for (uint32_t i = 0; i < part.count && code == TK_OK; i++) {
        texts[i] = once[which[part.begin + i] - least];
        if (texts[i].len > bytes_max - total)
            code = TK_ERR_CORRUPT;
        total += texts[i].len;
    }
    free(once);
    free(which);
    return code;
}

/* Texts lie in texts: `deepest` is the last codec that may come here (repeats is first of all). */
static enum tk_err
get_texts(struct tk_reader *in, uint32_t count, struct tk_texts_part part, size_t bytes_max,
          enum codec deepest, struct tk_arena *arena, tk_str *texts)
{
    const unsigned char *codec = tk_get_bytes(in, 1);
    switch (codec != NULL ? *codec : UINT8_MAX) {
    case PLAIN:
    case ZSTD:
        return get_plain_or_zstd(in, *codec == ZSTD, count, part, bytes_max, arena, texts);
    case TEMPLATE:
        return get_template(in, count, part, bytes_max, arena, texts);
    case CONSTANT:
        return get_constant(in, part, bytes_max, arena, texts);
    case REPEATS:
        return deepest == REPEATS ? get_repeats(in, count, part, bytes_max, arena, texts)
                                  : TK_ERR_CORRUPT;
    case WORDS:
        return deepest != CONSTANT ? tk_words_get(in, count, part, bytes_max, arena, texts)
                                   : TK_ERR_CORRUPT;
    default:
        return TK_ERR_CORRUPT;
    }
}

enum tk_err
tk_texts_get_simple(struct tk_reader *in, uint32_t count, size_t bytes_max, struct tk_arena *arena,
                    tk_str *texts)
{
    return get_texts(in, count, (struct tk_texts_part){0, count}, bytes_max, CONSTANT, arena,
                     texts);
}

enum tk_err
tk_texts_decode_part(tk_str *in, uint32_t count, uint32_t begin, uint32_t part_count,
                     size_t bytes_max, struct tk_arena *arena, tk_str *texts)
{
    TK_ASSERT(begin <= count && part_count <= count - begin);
    struct tk_reader reader = {(const unsigned char *)in->ptr,
                               (const unsigned char *)in->ptr + in->len, true};
    enum tk_err code = get_texts(&reader, count, (struct tk_texts_part){begin, part_count},
                                 bytes_max, REPEATS, arena, texts);
    if (code == TK_OK)
        *in = (tk_str){(const char *)reader.at, tk_reader_left(&reader)};
    return code;
}

enum tk_err
tk_texts_decode(tk_str *in, uint32_t count, size_t bytes_max, struct tk_arena *arena, tk_str *texts)
{
    return tk_texts_decode_part(in, count, 0, count, bytes_max, arena, texts);
}
