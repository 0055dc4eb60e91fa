/*
 * texts_words - see texts_words.h; docs/formats/segment.md, "Numbers and texts".
 *
 * A text is words, numbers and what lies between them.  Its *pattern* is what is left when each
 * word is a `w` and each number an `n`: "http://users:8080/v1/items/42" is "w://w:n/wn/w/n".  Texts
 * that one line of code makes have one pattern or few; then the first numbers from the end, the
 * second ones and so on are columns of numbers, and so are words, each told once.  Counted from the
 * end, because what differs in length (hosts) comes first and what differs most (ids) last.
 */
#include "store/segment/texts_words.h"

#include "base/assert.h"
#include "base/hash.h"

#include <stdlib.h>

enum {
    PATTERNS_MAX = 16,
    PATTERN_LEN_MAX = 128,
    FIELDS_MAX = 32,    /* of a kind in a text */
    DIGITS_MAX = 18,    /* of a number */
    WORD_LEN_MAX = 255, /* longer ones are prose */
    COUNT_MIN = 16,     /* texts; fewer do not pay for the columns */
};

/* ---- each once --------------------------------------------------------------------------------
 */

void
tk_distinct_release(struct tk_distinct *distinct)
{
    free(distinct->texts);
    free(distinct->which);
    *distinct = (struct tk_distinct){0};
}

bool
tk_distinct_make(const tk_str *texts, uint32_t count, struct tk_distinct *ret_distinct)
{
    size_t slot_count = 16;
    while (slot_count < (size_t)count * 2)
        slot_count *= 2;
    struct tk_distinct distinct = {.texts = malloc(((size_t)count + 1) * sizeof *distinct.texts),
                                   .which = malloc(((size_t)count + 1) * sizeof *distinct.which)};
    uint32_t *slots = calloc(slot_count, sizeof *slots); /* number + 1 */
    if (distinct.texts == NULL || distinct.which == NULL || slots == NULL) {
        tk_distinct_release(&distinct);
        free(slots);
        return false;
    }
    for (uint32_t i = 0; i < count; i++) {
        if (i > 0 && tk_name_eq(texts[i], texts[i - 1])) {
            distinct.which[i] = distinct.which[i - 1];
            continue;
        }
        size_t at = (size_t)tk_hash(texts[i]) & (slot_count - 1);
        while (slots[at] != 0 && !tk_name_eq(distinct.texts[slots[at] - 1], texts[i]))
            at = (at + 1) & (slot_count - 1);
        if (slots[at] == 0) {
            distinct.texts[distinct.count] = texts[i];
            slots[at] = ++distinct.count;
        }
        distinct.which[i] = slots[at] - 1;
    }
    free(slots);
    *ret_distinct = distinct;
    return true;
}

/* ---- writing ----------------------------------------------------------------------------------
 */

enum class { LETTER = 'w', DIGIT = 'n' }; /* anything else is of the pattern */

/* Of each byte. */
#define W8 "wwwwwwww"
static const char CLASSES[] = "................................................"
                              "nnnnnnnnnn......"     /* 0 to 9 */
                              "." W8 W8 W8 "ww....w" /* A to Z, _ */
                              "." W8 W8 W8 "ww....." /* a to z */
    W8 W8 W8 W8 W8 W8 W8 W8 W8 W8 W8 W8 W8 W8 W8 W8;
_Static_assert(sizeof CLASSES == 256 + 1, "one for each byte");

static inline bool
is_digit(char c)
{
    return (unsigned)((unsigned char)c - '0') < 10;
}

/* What one text consists of; words and numbers in order. */
struct cut {
    char pattern[PATTERN_LEN_MAX];
    uint32_t pattern_len, word_count, number_count;
    tk_str word[FIELDS_MAX];
    uint64_t number[FIELDS_MAX];
};

static inline bool
put_sign(struct cut *cut, char sign)
{
    if (cut->pattern_len == PATTERN_LEN_MAX)
        return false;
    cut->pattern[cut->pattern_len++] = sign;
    return true;
}

/* A number from *at on; zeroes before it are of the pattern. */
static bool
cut_number(tk_str text, size_t *at, struct cut *cut)
{
    size_t i = *at;
    while (i + 1 < text.len && text.ptr[i] == '0' && is_digit(text.ptr[i + 1])) {
        if (!put_sign(cut, '0'))
            return false;
        i++;
    }
    uint64_t number = 0;
    size_t begin = i;
    for (; i < text.len && is_digit(text.ptr[i]); i++) {
        if (i - begin == DIGITS_MAX)
            return false;
        number = number * 10 + (uint64_t)(text.ptr[i] - '0');
    }
    *at = i;
    if (cut->number_count == FIELDS_MAX)
        return false;
    cut->number[cut->number_count++] = number;
    return put_sign(cut, 'n');
}

static bool
cut_word(tk_str text, size_t *at, struct cut *cut)
{
    size_t begin = *at, end = begin;
    while (end < text.len && CLASSES[(unsigned char)text.ptr[end]] == LETTER)
        end++;
    *at = end;
    if (cut->word_count == FIELDS_MAX || end - begin > WORD_LEN_MAX)
        return false;
    cut->word[cut->word_count++] = (tk_str){text.ptr + begin, end - begin};
    return put_sign(cut, 'w');
}

/* False: it has too much of something. */
static bool
cut_text(tk_str text, struct cut *cut)
{
    cut->pattern_len = cut->word_count = cut->number_count = 0;
    for (size_t at = 0; at < text.len;) {
        char class = CLASSES[(unsigned char)text.ptr[at]];
        bool ok = class == DIGIT    ? cut_number(text, &at, cut)
                  : class == LETTER ? cut_word(text, &at, cut)
                                    : put_sign(cut, text.ptr[at++]);
        if (!ok)
            return false;
    }
    return true;
}

/* The k-th words, or numbers, from the end. */
struct field {
    union {
        tk_str *word;
        uint64_t *number;
    };
    uint32_t count;
};

struct words {
    uint32_t pattern_count, word_fields, number_fields;
    char pattern_bytes[PATTERNS_MAX][PATTERN_LEN_MAX];
    tk_str pattern[PATTERNS_MAX];
    uint64_t *which; /* [count] */
    struct field word[FIELDS_MAX], number[FIELDS_MAX];
};

static bool
find_pattern(struct words *words, const struct cut *cut, uint64_t *ret_which)
{
    tk_str wanted = {cut->pattern, cut->pattern_len};
    uint32_t i = 0;
    while (i < words->pattern_count && !tk_name_eq(words->pattern[i], wanted))
        i++;
    if (i == PATTERNS_MAX)
        return false;
    if (i == words->pattern_count) {
        memcpy(words->pattern_bytes[i], wanted.ptr, wanted.len);
        words->pattern[i] = (tk_str){words->pattern_bytes[i], wanted.len};
        words->pattern_count++;
    }
    *ret_which = i;
    return true;
}

/* False: not alike, or out of memory. */
static bool
add_cut(struct words *words, const struct cut *cut, uint32_t count)
{
    while (words->word_fields < cut->word_count) {
        tk_str *word = malloc(count * sizeof *word);
        if (word == NULL)
            return false;
        words->word[words->word_fields++].word = word;
    }
    while (words->number_fields < cut->number_count) {
        uint64_t *number = malloc(count * sizeof *number);
        if (number == NULL)
            return false;
        words->number[words->number_fields++].number = number;
    }
    for (uint32_t k = 0; k < cut->word_count; k++) {
        struct field *field = &words->word[k];
        field->word[field->count++] = cut->word[cut->word_count - 1 - k];
    }
    for (uint32_t k = 0; k < cut->number_count; k++) {
        struct field *field = &words->number[k];
        field->number[field->count++] = cut->number[cut->number_count - 1 - k];
    }
    return true;
}

static bool
cut_all(const tk_str *texts, uint32_t count, struct words *words)
{
    struct cut cut;
    for (uint32_t i = 0; i < count; i++)
        if (!cut_text(texts[i], &cut) || !find_pattern(words, &cut, &words->which[i]) ||
            !add_cut(words, &cut, count))
            return false;
    return true;
}

static void
put_texts(const tk_str *texts, uint32_t count, struct tk_buf *out)
{
    tk_put_varint(out, count);
    tk_texts_encode(texts, count, 0, out);
}

static void
put_words(const struct words *words, uint32_t count, struct tk_buf *out)
{
    put_texts(words->pattern, words->pattern_count, out);
    tk_numbers_encode(words->which, count, 0, out);
    for (uint32_t k = 0; k < words->number_fields; k++)
        tk_numbers_encode(words->number[k].number, words->number[k].count, 0, out);
    for (uint32_t k = 0; k < words->word_fields; k++) {
        struct tk_distinct distinct;
        if (!tk_distinct_make(words->word[k].word, words->word[k].count, &distinct)) {
            out->status = TK_ERR_MEMORY;
            return;
        }
        put_texts(distinct.texts, distinct.count, out);
        tk_numbers_encode(distinct.which, words->word[k].count, 0, out);
        tk_distinct_release(&distinct);
    }
}

bool
tk_words_put(const tk_str *texts, uint32_t count, struct tk_buf *out)
{
    struct words *words = count >= COUNT_MIN ? calloc(1, sizeof *words) : NULL;
    if (words == NULL)
        return false;
    words->which = malloc(count * sizeof *words->which);
    bool alike = words->which != NULL && cut_all(texts, count, words);
    if (alike)
        put_words(words, count, out);
    for (uint32_t k = 0; k < words->word_fields; k++)
        free(words->word[k].word);
    for (uint32_t k = 0; k < words->number_fields; k++)
        free(words->number[k].number);
    free(words->which);
    free(words);
    return alike;
}

/* ---- reading ----------------------------------------------------------------------------------
 */

struct reading {
    struct tk_arena scratch;
    uint32_t pattern_count;
    tk_str pattern[PATTERNS_MAX];
    uint32_t words_of[PATTERNS_MAX], numbers_of[PATTERNS_MAX];
    uint64_t *which;
    const tk_str *word[FIELDS_MAX];     /* distinct ones; of the k-th field from the end */
    const uint64_t *code[FIELDS_MAX];   /* of them, for each text that has the field */
    const uint64_t *number[FIELDS_MAX]; /* likewise */
    uint32_t word_at[FIELDS_MAX], number_at[FIELDS_MAX]; /* of the next text that has it */
};

static enum tk_err
get_patterns(struct reading *r, struct tk_reader *in, uint32_t count)
{
    r->pattern_count = tk_get_u32(in);
    if (!in->ok || r->pattern_count > PATTERNS_MAX)
        return TK_ERR_CORRUPT;
    enum tk_err code = tk_texts_get_simple(in, r->pattern_count, PATTERNS_MAX * PATTERN_LEN_MAX,
                                           &r->scratch, r->pattern);
    for (uint32_t i = 0; i < r->pattern_count && code == TK_OK; i++) {
        for (size_t k = 0; k < r->pattern[i].len; k++) {
            r->words_of[i] += r->pattern[i].ptr[k] == 'w';
            r->numbers_of[i] += r->pattern[i].ptr[k] == 'n';
        }
        if (r->words_of[i] > FIELDS_MAX || r->numbers_of[i] > FIELDS_MAX)
            code = TK_ERR_CORRUPT;
    }
    r->which = tk_arena_alloc(&r->scratch, ((size_t)count + 1) * sizeof *r->which);
    if (code == TK_OK && r->which == NULL)
        code = TK_ERR_MEMORY;
    if (code == TK_OK)
        code = tk_numbers_get(in, count, r->which);
    for (uint32_t i = 0; i < count && code == TK_OK; i++)
        if (r->which[i] >= r->pattern_count)
            code = TK_ERR_CORRUPT;
    return code;
}

static enum tk_err
get_number_field(struct reading *r, struct tk_reader *in, uint32_t count,
                 const uint64_t **ret_numbers)
{
    uint64_t *numbers = tk_arena_alloc(&r->scratch, ((size_t)count + 1) * sizeof *numbers);
    if (numbers == NULL)
        return TK_ERR_MEMORY;
    *ret_numbers = numbers;
    return tk_numbers_get(in, count, numbers);
}

static enum tk_err
get_word_field(struct reading *r, struct tk_reader *in, uint32_t count, size_t bytes_max,
               uint32_t k)
{
    uint64_t distinct = tk_get_varint(in);
    if (!in->ok || distinct > count)
        return TK_ERR_CORRUPT;
    tk_str *word = tk_arena_alloc(&r->scratch, (size_t)(distinct + 1) * sizeof *word);
    if (word == NULL)
        return TK_ERR_MEMORY;
    r->word[k] = word;
    if (bytes_max > (size_t)distinct * WORD_LEN_MAX)
        bytes_max = (size_t)distinct * WORD_LEN_MAX;
    enum tk_err code = tk_texts_get_simple(in, (uint32_t)distinct, bytes_max, &r->scratch, word);
    if (code == TK_OK)
        code = get_number_field(r, in, count, &r->code[k]);
    for (uint32_t i = 0; i < count && code == TK_OK; i++)
        if (r->code[k][i] >= distinct)
            code = TK_ERR_CORRUPT;
    return code;
}

/* How many of the first `count` texts have each field; fields: how many any has. */
static uint32_t
count_fields(const struct reading *r, uint32_t count, const uint32_t *fields_of,
             uint32_t texts_with[FIELDS_MAX])
{
    uint32_t used[PATTERNS_MAX] = {0}, fields = 0;
    memset(texts_with, 0, FIELDS_MAX * sizeof *texts_with);
    for (uint32_t i = 0; i < count; i++)
        used[r->which[i]]++;
    for (uint32_t p = 0; p < r->pattern_count; p++) {
        fields = fields_of[p] > fields ? fields_of[p] : fields;
        for (uint32_t k = 0; k < fields_of[p]; k++)
            texts_with[k] += used[p];
    }
    return fields;
}

static enum tk_err
get_fields(struct reading *r, struct tk_reader *in, uint32_t count, size_t bytes_max)
{
    uint32_t with[FIELDS_MAX];
    enum tk_err code = TK_OK;
    uint32_t fields = count_fields(r, count, r->numbers_of, with);
    for (uint32_t k = 0; k < fields && code == TK_OK; k++)
        code = get_number_field(r, in, with[k], &r->number[k]);
    fields = count_fields(r, count, r->words_of, with);
    for (uint32_t k = 0; k < fields && code == TK_OK; k++)
        code = get_word_field(r, in, with[k], bytes_max, k);
    return code;
}

static size_t
digits_of(uint64_t number)
{
    size_t digits = 1;
    for (; number >= 10; number /= 10)
        digits++;
    return digits;
}

static char *
print_number(char *to, uint64_t number)
{
    size_t digits = digits_of(number);
    for (size_t i = digits; i-- > 0; number /= 10)
        to[i] = (char)('0' + number % 10);
    return to + digits;
}

/* The size of the text whose fields are next. */
static size_t
size_of_next(const struct reading *r, uint32_t pattern)
{
    uint32_t words = r->words_of[pattern], numbers = r->numbers_of[pattern];
    size_t size = r->pattern[pattern].len - words - numbers;
    for (uint32_t k = 0; k < words; k++)
        size += r->word[k][r->code[k][r->word_at[k]]].len;
    for (uint32_t k = 0; k < numbers; k++)
        size += digits_of(r->number[k][r->number_at[k]]);
    return size;
}

static char *
print_next(struct reading *r, uint32_t pattern, char *to)
{
    uint32_t word = r->words_of[pattern], number = r->numbers_of[pattern];
    for (size_t i = 0; i < r->pattern[pattern].len; i++) {
        char sign = r->pattern[pattern].ptr[i];
        if (sign == 'w') {
            word--;
            tk_str text = r->word[word][r->code[word][r->word_at[word]++]];
            if (text.len > 0)
                memcpy(to, text.ptr, text.len);
            to += text.len;
        } else if (sign == 'n') {
            number--;
            to = print_number(to, r->number[number][r->number_at[number]++]);
        } else {
            *to++ = sign;
        }
    }
    return to;
}

static enum tk_err
make_texts(struct reading *r, struct tk_texts_part part, size_t bytes_max, struct tk_arena *arena,
           tk_str *texts)
{
    size_t total = 0;
    (void)count_fields(r, part.begin, r->words_of, r->word_at);
    (void)count_fields(r, part.begin, r->numbers_of, r->number_at);
    for (uint32_t i = 0; i < part.count; i++) {
        uint32_t pattern = (uint32_t)r->which[part.begin + i];
        texts[i].len = size_of_next(r, pattern);
        if (texts[i].len > bytes_max - total)
            return TK_ERR_CORRUPT;
        total += texts[i].len;
        char *to = tk_arena_alloc(arena, texts[i].len + 1);
        if (to == NULL)
            return TK_ERR_MEMORY;
        texts[i].ptr = to;
        (void)print_next(r, pattern, to);
    }
    return TK_OK;
}

enum tk_err
tk_words_get(struct tk_reader *in, uint32_t count, struct tk_texts_part part, size_t bytes_max,
             struct tk_arena *arena, tk_str *texts)
{
    struct reading r = {0};
    tk_arena_init(&r.scratch, 4096, SIZE_MAX / 2);
    enum tk_err code = get_patterns(&r, in, count);
    if (code == TK_OK)
        code = get_fields(&r, in, count, bytes_max);
    if (code == TK_OK)
        code = make_texts(&r, part, bytes_max, arena, texts);
    tk_arena_release(&r.scratch);
    return code;
}
