/*
 * numbers - see numbers.h; docs/formats/segment.md, "Numbers and texts".
 *
 * The encoder looks at the numbers once (twice when they are wide), estimates what each codec would
 * take in bits, and writes with the one that takes least.  zstd comes on top where its bytes can
 * repeat: it is tried on the numbers packed to whole bytes, and taken when it is shorter.
 *
 * Codecs nest (a delta is numbers again), but never deeper than what an encoder makes:
 * decimals, steps, delta, split, zstd, packed.
 */
#include "store/segment/numbers.h"

#include "base/assert.h"
#include "store/segment/varint.h"
#include "store/segment/zstd.h"

#include <math.h>
#include <stdlib.h>

enum codec { ZERO, CONSTANT, PACKED, SPLIT, DELTA, ZSTD, STEPS, DECIMALS };

enum {
    DEPTH_MAX = 6,
    NARROW = 8, /* bits; below it nothing beats packing but zstd */
    ZSTD_COUNT_MIN = 32,
    CLASSES = 65,       /* bit lengths of numbers */
    RAW_BYTES_MAX = 16, /* of a number before zstd, and */
    RAW_OVERHEAD = 64,  /* of all: more than any codec takes */
    DECIMALS_MAX = 6,   /* digits behind the point */
    DOUBLE_WIDTH = 40,  /* bits; doubles that differ by less are not worth looking at */
};

static inline unsigned
bit_length(uint64_t number)
{
    return (63 ^ (unsigned)__builtin_clzll(number | 1)) + (number != 0);
}

static size_t
packed_bytes(uint64_t count, unsigned width)
{
    return (size_t)((count * width + 7) / 8);
}

static uint64_t
low_bits(unsigned count)
{
    return count >= 64 ? UINT64_MAX : ((uint64_t)1 << count) - 1;
}

/* ---- writing ----------------------------------------------------------------------------------
 */

struct bit_writer {
    char *at; /* there is room for 8 bytes behind the last bit */
    uint64_t bits;
    unsigned count; /* of bits that wait, < 64 */
};

static inline void
put_bits(struct bit_writer *writer, uint64_t bits, unsigned count)
{
    writer->bits |= bits << writer->count;
    writer->count += count;
    if (writer->count >= 64) {
        memcpy(writer->at, &writer->bits, sizeof writer->bits);
        writer->at += sizeof writer->bits;
        writer->count -= 64;
        /* what did not fit; `count` > writer->count unless nothing is left */
        writer->bits = writer->count == 0 ? 0 : bits >> (count - writer->count);
    }
}

static void
put_rest(struct bit_writer *writer)
{
    memcpy(writer->at, &writer->bits, (writer->count + 7) / 8);
}

/* As many of the numbers as can be put eight at a time: of at most 8 bits each they are `width`
   bytes. There is room for 8 bytes behind the last. */
static uint32_t
put_eights(const uint64_t *numbers, uint32_t count, uint64_t base, unsigned width, char *to)
{
    uint32_t i = 0;
    for (; i + 8 <= count; i += 8, to += width) {
        uint64_t bits = 0;
#pragma GCC unroll 8
        for (unsigned k = 8; k > 0; k--)
            bits = bits << width | (numbers[i + k - 1] - base);
        memcpy(to, &bits, sizeof bits);
    }
    return i;
}

static void
put_packed(const uint64_t *numbers, uint32_t count, uint64_t base, unsigned width,
           struct tk_buf *out)
{
    tk_buf_append_char(out, PACKED);
    tk_buf_append_char(out, (char)width);
    tk_put_varint(out, base);
    size_t size = packed_bytes(count, width);
    char *to = tk_buf_reserve(out, size + sizeof(uint64_t));
    if (to == NULL)
        return;
    uint32_t i = width <= NARROW ? put_eights(numbers, count, base, width, to) : 0;
    struct bit_writer writer = {.at = to + i / 8 * width};
    for (; i < count; i++)
        put_bits(&writer, numbers[i] - base, width);
    put_rest(&writer);
    out->len += size;
}

/* Puts `raw` as a zstd codec behind `begin`, in place of what stands there, if that is shorter. */
static void
put_zstd_if_shorter(tk_str raw, int level, size_t begin, struct tk_buf *out)
{
    struct tk_buf frame;
    tk_buf_init(&frame, SIZE_MAX / 2);
    tk_zstd_compress(raw, level, &frame);
    if (frame.status != TK_OK)
        out->status = frame.status;
    else if (out->status == TK_OK && frame.len + 7 < out->len - begin) {
        out->len = begin;
        tk_buf_append_char(out, ZSTD);
        tk_put_varint(out, raw.len);
        tk_put_varint(out, frame.len);
        tk_buf_append(out, tk_buf_str(&frame));
    }
    tk_buf_release(&frame);
}

static void
encode_packed(const uint64_t *numbers, uint32_t count, uint64_t base, unsigned width, int level,
              struct tk_buf *out)
{
    size_t begin = out->len;
    put_packed(numbers, count, base, width, out);
    if (level == 0 || count < ZSTD_COUNT_MIN || width == 64)
        return; /* 64 bits: ids, which are random */
    struct tk_buf raw;
    tk_buf_init(&raw, SIZE_MAX / 2);
    put_packed(numbers, count, base, (width + 7) / 8 * 8, &raw);
    if (raw.status != TK_OK)
        out->status = raw.status;
    else
        put_zstd_if_shorter(tk_buf_str(&raw), level, begin, out);
    tk_buf_release(&raw);
}

struct survey {
    uint64_t least, greatest;
    uint32_t classes[CLASSES];
};

static void
survey_classes(const uint64_t *numbers, uint32_t count, struct survey *survey)
{
    memset(survey->classes, 0, sizeof survey->classes);
    for (uint32_t i = 0; i < count; i++)
        survey->classes[bit_length(numbers[i])]++;
}

static void
survey_range(const uint64_t *numbers, uint32_t count, struct survey *survey)
{
    uint64_t least = numbers[0], greatest = numbers[0];
    for (uint32_t i = 1; i < count; i++) {
        least = numbers[i] < least ? numbers[i] : least;
        greatest = numbers[i] > greatest ? numbers[i] : greatest;
    }
    survey->least = least;
    survey->greatest = greatest;
}

/* About how many bits `split` takes. */
static double
split_cost(const struct survey *survey, uint32_t count, int level)
{
    double bits = 400, entropy = 0;
    unsigned least = CLASSES, greatest = 0;
    for (unsigned class = 0; class < CLASSES; class ++) {
        double n = survey->classes[class];
        if (n == 0)
            continue;
        least = class < least ? class : least;
        greatest = class;
        bits += n * (class > 0 ? class - 1 : 0);
        entropy += n * log2(count / n);
    }
    return bits + (level != 0 ? entropy * 1.05 : (double)count * bit_length(greatest - least));
}

static double
packed_cost(const struct survey *survey, uint32_t count)
{
    return (double)count * bit_length(survey->greatest - survey->least);
}

static void
put_split_bits(const uint64_t *numbers, uint32_t count, const struct survey *survey,
               struct tk_buf *out)
{
    uint64_t bits = 0;
    for (unsigned class = 2; class < CLASSES; class ++)
        bits += (uint64_t)survey->classes[class] * (class - 1);
    size_t size = (size_t)((bits + 7) / 8);
    struct bit_writer writer = {.at = tk_buf_reserve(out, size)};
    if (writer.at == NULL)
        return;
    for (uint32_t i = 0; i < count; i++) {
        unsigned length = bit_length(numbers[i]);
        if (length > 1)
            put_bits(&writer, numbers[i] & low_bits(length - 1), length - 1);
    }
    put_rest(&writer);
    out->len += size;
}

/* What may still be tried: each of these stands at most once in a nest, in the order of it. */
enum nest { PLAIN_ONLY, DELTAS_TOO, DECIMALS_TOO };

static void encode_any(const uint64_t *numbers, uint32_t count, int level, enum nest nest,
                       struct tk_buf *out);

static void
encode_split(const uint64_t *numbers, uint32_t count, const struct survey *survey, int level,
             struct tk_buf *out)
{
    uint64_t *classes = malloc(count * sizeof *classes);
    if (classes == NULL) {
        out->status = TK_ERR_MEMORY;
        return;
    }
    for (uint32_t i = 0; i < count; i++)
        classes[i] = bit_length(numbers[i]);
    tk_buf_append_char(out, SPLIT);
    encode_any(classes, count, level, PLAIN_ONLY, out);
    put_split_bits(numbers, count, survey, out);
    free(classes);
}

/* The differences as `delta` writes them, [count - 1]; NULL: out of memory. */
static uint64_t *
make_deltas(const uint64_t *numbers, uint32_t count)
{
    uint64_t *deltas = malloc(count * sizeof *deltas);
    for (uint32_t i = 1; deltas != NULL && i < count; i++)
        deltas[i - 1] = tk_zigzag((int64_t)(numbers[i] - numbers[i - 1]));
    return deltas;
}

/* Wide numbers: whichever of packed, split and delta takes fewest bits. */
static void
encode_wide(const uint64_t *numbers, uint32_t count, struct survey *survey, int level,
            enum nest nest, struct tk_buf *out)
{
    struct survey of_deltas;
    survey_classes(numbers, count, survey);
    double packed = packed_cost(survey, count), split = split_cost(survey, count, level);
    uint64_t *differences = nest >= DELTAS_TOO && count > 2 ? make_deltas(numbers, count) : NULL;
    if (differences != NULL) { /* out of memory: they are not tried */
        survey_range(differences, count - 1, &of_deltas);
        survey_classes(differences, count - 1, &of_deltas);
        double best =
            fmin(packed_cost(&of_deltas, count - 1), split_cost(&of_deltas, count - 1, level));
        if (best + 64 < fmin(packed, split)) {
            tk_buf_append_char(out, DELTA);
            tk_put_varint(out, numbers[0]);
            encode_any(differences, count - 1, level, PLAIN_ONLY, out);
            free(differences);
            return;
        }
    }
    free(differences);
    if (split < packed)
        encode_split(numbers, count, survey, level, out);
    else
        encode_packed(numbers, count, survey->least, bit_length(survey->greatest - survey->least),
                      level, out);
}

/* The greatest number of which all are multiples, from `least` on: clocks tell micro- or
   milliseconds, flags are a few high bits.  Soon 1 if there is none. */
static uint64_t
step_of(const uint64_t *numbers, uint32_t count, uint64_t least)
{
    uint64_t step = 0;
    for (uint32_t i = 0; i < count && step != 1; i++) {
        uint64_t rest = step > 0 ? (numbers[i] - least) % step : numbers[i] - least;
        while (rest != 0) {
            uint64_t next = step % rest;
            step = rest;
            rest = next;
        }
    }
    return step;
}

static void
encode_steps(const uint64_t *numbers, uint32_t count, uint64_t least, uint64_t step, int level,
             struct tk_buf *out)
{
    uint64_t *steps = malloc(count * sizeof *steps);
    if (steps == NULL) {
        out->status = TK_ERR_MEMORY;
        return;
    }
    for (uint32_t i = 0; i < count; i++)
        steps[i] = (numbers[i] - least) / step;
    tk_buf_append_char(out, STEPS);
    tk_put_varint(out, least);
    tk_put_varint(out, step);
    encode_any(steps, count, level, DELTAS_TOO, out); /* these have no step */
    free(steps);
}

static const double POWERS[DECIMALS_MAX + 1] = {1, 10, 100, 1e3, 1e4, 1e5, 1e6};

/* The bits of the double that is nearest to `decimal` with so many digits behind the point. */
static uint64_t
double_of(int64_t decimal, unsigned digits)
{
    double number = (double)decimal / POWERS[digits];
    uint64_t bits;
    memcpy(&bits, &number, sizeof bits);
    return bits;
}

/* Is it such a double? */
static bool
decimal_of(uint64_t bits, unsigned digits, int64_t *ret_decimal)
{
    static const double LARGEST = 9007199254740992.0; /* integers up to it are doubles */
    double number;
    memcpy(&number, &bits, sizeof number);
    number *= POWERS[digits];
    if (!(number > -LARGEST && number < LARGEST)) /* nor not a number */
        return false;
    *ret_decimal = (int64_t)(number < 0 ? number - 0.5 : number + 0.5);
    return double_of(*ret_decimal, digits) == bits;
}

/* Prices, percentages, what was rounded: doubles with few digits.  False, and nothing put: other
   ones, or no doubles at all (for integers the first is enough to know). */
static bool
put_decimals(const uint64_t *numbers, uint32_t count, int level, struct tk_buf *out)
{
    unsigned digits = 0;
    uint32_t i = 0;
    int64_t decimal = 0;
    uint64_t *decimals = NULL;
    while (digits <= DECIMALS_MAX && !decimal_of(numbers[0], digits, &decimal))
        digits++;
    if (digits <= DECIMALS_MAX)
        decimals = malloc(count * sizeof *decimals);
    while (decimals != NULL && i < count) {
        if (decimal_of(numbers[i], digits, &decimal))
            decimals[i++] = tk_zigzag(decimal);
        else if (digits++ < DECIMALS_MAX)
            i = 0; /* again, with one more */
        else
            break;
    }
    bool all = decimals != NULL && i == count;
    if (all) {
        tk_buf_append_char(out, DECIMALS);
        tk_buf_append_char(out, (char)digits);
        encode_any(decimals, count, level, DELTAS_TOO, out);
    }
    free(decimals);
    return all;
}

static void
encode_any(const uint64_t *numbers, uint32_t count, int level, enum nest nest, struct tk_buf *out)
{
    struct survey survey = {0};
    if (count > 0)
        survey_range(numbers, count, &survey);
    if (survey.greatest == 0) {
        tk_buf_append_char(out, ZERO);
    } else if (survey.least == survey.greatest) {
        tk_buf_append_char(out, CONSTANT);
        tk_put_varint(out, survey.least);
    } else {
        unsigned width = bit_length(survey.greatest - survey.least);
        if (width > DOUBLE_WIDTH && nest >= DECIMALS_TOO &&
            put_decimals(numbers, count, level, out))
            return;
        uint64_t step =
            width > NARROW && nest >= DELTAS_TOO ? step_of(numbers, count, survey.least) : 1;
        if (step > 1)
            encode_steps(numbers, count, survey.least, step, level, out);
        else if (width <= NARROW)
            encode_packed(numbers, count, survey.least, width, level, out);
        else
            encode_wide(numbers, count, &survey, level, nest, out);
    }
}

void
tk_numbers_encode(const uint64_t *numbers, uint32_t count, int level, struct tk_buf *out)
{
    encode_any(numbers, count, level, DECIMALS_TOO, out);
}

/* ---- reading ----------------------------------------------------------------------------------
 */

/* `count` bits, at most 64, at bit `at` of `size` bytes that hold them. */
static inline uint64_t
get_bits(const unsigned char *bytes, size_t size, uint64_t at, unsigned count)
{
    size_t byte = (size_t)(at >> 3);
    unsigned skip = (unsigned)(at & 7);
    uint64_t bits = 0;
    if (byte + sizeof bits <= size)
        memcpy(&bits, bytes + byte, sizeof bits);
    else
        memcpy(&bits, bytes + byte, size - byte);
    bits >>= skip;
    if (count + skip > 64)
        bits |= (uint64_t)bytes[byte + 8] << (64 - skip);
    return bits & low_bits(count);
}

/* Which of the numbers are wanted. */
struct part {
    uint32_t begin, count;
};

static enum tk_err
get_packed(struct tk_reader *in, uint32_t count, struct part part, uint64_t *numbers)
{
    const unsigned char *head = tk_get_bytes(in, 1);
    unsigned width = head != NULL ? *head : 0;
    uint64_t base = tk_get_varint(in), mask = low_bits(width);
    size_t size = packed_bytes(count, width);
    const unsigned char *bytes = width <= 64 ? tk_get_bytes(in, size) : NULL;
    if (width == 0 || bytes == NULL || !in->ok)
        return TK_ERR_CORRUPT;
    uint32_t i = part.begin, last = part.begin + part.count;
    if (width <= 57 && size >= 8) { /* as many as one load each may reach */
        uint64_t fast = (((uint64_t)size - 8) * 8 + 7) / width + 1;
        uint32_t end = fast < last ? (uint32_t)fast : last;
        for (uint64_t at = (uint64_t)i * width; i < end; i++, at += width) {
            uint64_t bits;
            memcpy(&bits, bytes + (at >> 3), sizeof bits);
            *numbers++ = base + (bits >> (at & 7) & mask);
        }
    }
    for (; i < last; i++)
        *numbers++ = base + get_bits(bytes, size, (uint64_t)i * width, width);
    return TK_OK;
}

static enum tk_err get_any(struct tk_reader *in, uint32_t count, struct part part, unsigned depth,
                           uint64_t *numbers);
static enum tk_err
get_all(struct tk_reader *in, uint32_t count, unsigned depth, uint64_t *numbers)
{
    return get_any(in, count, (struct part){0, count}, depth, numbers);
}

static enum tk_err
get_split(struct tk_reader *in, uint32_t count, unsigned depth, uint64_t *numbers)
{
    enum tk_err code = get_all(in, count, depth, numbers); /* the classes */
    uint64_t bits = 0, at = 0;
    for (uint32_t i = 0; i < count && code == TK_OK; i++) {
        if (numbers[i] >= CLASSES)
            code = TK_ERR_CORRUPT;
        bits += numbers[i] > 1 ? numbers[i] - 1 : 0;
    }
    if (code != TK_OK)
        return code;
    size_t size = (size_t)((bits + 7) / 8);
    const unsigned char *bytes = tk_get_bytes(in, size);
    if (bytes == NULL)
        return TK_ERR_CORRUPT;
    for (uint32_t i = 0; i < count; i++) {
        unsigned class = (unsigned)numbers[i];
        if (class <= 1)
            continue; /* 0 and 1 are themselves */
        numbers[i] = (uint64_t)1 << (class - 1) | get_bits(bytes, size, at, class - 1);
        at += class - 1;
    }
    return TK_OK;
}

static enum tk_err
get_delta(struct tk_reader *in, uint32_t count, unsigned depth, uint64_t *numbers)
{
    if (count == 0)
        return TK_ERR_CORRUPT;
    numbers[0] = tk_get_varint(in);
    enum tk_err code = get_all(in, count - 1, depth, numbers + 1);
    for (uint32_t i = 1; i < count && code == TK_OK; i++)
        numbers[i] = numbers[i - 1] + (uint64_t)tk_unzigzag(numbers[i]);
    return code;
}

/* In these each number depends on those before: all are made, and the part is cut out. */
static enum tk_err
get_split_or_delta(struct tk_reader *in, bool is_split, uint32_t count, struct part part,
                   unsigned depth, uint64_t *numbers)
{
    bool all = part.count == count;
    uint64_t *made = all ? numbers : malloc((size_t)count * sizeof *made + 1);
    if (made == NULL)
        return TK_ERR_MEMORY;
    enum tk_err code =
        is_split ? get_split(in, count, depth, made) : get_delta(in, count, depth, made);
    if (all)
        return code;
    if (code == TK_OK)
        memcpy(numbers, made + part.begin, part.count * sizeof *made);
    free(made);
    return code;
}

static enum tk_err
get_decimals(struct tk_reader *in, uint32_t count, struct part part, unsigned depth,
             uint64_t *numbers)
{
    const unsigned char *digits = tk_get_bytes(in, 1);
    if (digits == NULL || *digits > DECIMALS_MAX)
        return TK_ERR_CORRUPT;
    enum tk_err code = get_any(in, count, part, depth, numbers);
    for (uint32_t i = 0; i < part.count && code == TK_OK; i++)
        numbers[i] = double_of(tk_unzigzag(numbers[i]), *digits);
    return code;
}

static enum tk_err
get_steps(struct tk_reader *in, uint32_t count, struct part part, unsigned depth, uint64_t *numbers)
{
    uint64_t least = tk_get_varint(in), step = tk_get_varint(in);
    enum tk_err code = in->ok ? get_any(in, count, part, depth, numbers) : TK_ERR_CORRUPT;
    for (uint32_t i = 0; i < part.count && code == TK_OK; i++)
        numbers[i] = least + numbers[i] * step;
    return code;
}

static enum tk_err
get_zstd(struct tk_reader *in, uint32_t count, struct part part, unsigned depth, uint64_t *numbers)
{
    uint64_t raw_size = tk_get_varint(in), size = tk_get_varint(in);
    const void *frame = tk_get_bytes(in, (size_t)size);
    if (!in->ok || raw_size > (uint64_t)count * RAW_BYTES_MAX + RAW_OVERHEAD)
        return TK_ERR_CORRUPT;
    unsigned char *raw = malloc((size_t)raw_size + 1);
    if (raw == NULL)
        return TK_ERR_MEMORY;
    enum tk_err code = tk_zstd_decompress((tk_str){frame, (size_t)size}, raw, (size_t)raw_size);
    struct tk_reader inner = {raw, raw + raw_size, true};
    if (code == TK_OK)
        code = get_any(&inner, count, part, depth, numbers);
    if (code == TK_OK && tk_reader_left(&inner) > 0)
        code = TK_ERR_CORRUPT;
    free(raw);
    return code;
}

static enum tk_err
get_any(struct tk_reader *in, uint32_t count, struct part part, unsigned depth, uint64_t *numbers)
{
    const unsigned char *codec = tk_get_bytes(in, 1);
    if (codec == NULL || depth == DEPTH_MAX)
        return TK_ERR_CORRUPT;
    switch (*codec) {
    case ZERO:
        memset(numbers, 0, part.count * sizeof *numbers);
        return TK_OK;
    case CONSTANT: {
        uint64_t number = tk_get_varint(in);
        for (uint32_t i = 0; i < part.count; i++)
            numbers[i] = number;
        return in->ok ? TK_OK : TK_ERR_CORRUPT;
    }
    case PACKED:
        return get_packed(in, count, part, numbers);
    case SPLIT:
    case DELTA:
        return get_split_or_delta(in, *codec == SPLIT, count, part, depth + 1, numbers);
    case ZSTD:
        return get_zstd(in, count, part, depth + 1, numbers);
    case STEPS:
        return get_steps(in, count, part, depth + 1, numbers);
    case DECIMALS:
        return get_decimals(in, count, part, depth + 1, numbers);
    default:
        return TK_ERR_CORRUPT;
    }
}

bool
tk_numbers_is_zstd(tk_str numbers)
{
    /* Varints in front of the numbers within, by codec; the digits of decimals are one byte, too.
     */
    static const unsigned char heads[] = {[SPLIT] = 0, [DELTA] = 1, [STEPS] = 2, [DECIMALS] = 1};
    size_t at = 0;
    while (at < numbers.len && (numbers.ptr[at] == SPLIT || numbers.ptr[at] == DELTA ||
                                numbers.ptr[at] == STEPS || numbers.ptr[at] == DECIMALS)) {
        unsigned varints = heads[(unsigned char)numbers.ptr[at++]];
        for (; varints > 0 && at < numbers.len; at++)
            varints -= (numbers.ptr[at] & 0x80) == 0;
    }
    return at < numbers.len && numbers.ptr[at] == ZSTD;
}

enum tk_err
tk_numbers_decode_part(tk_str *in, uint32_t count, uint32_t begin, uint32_t part_count,
                       uint64_t *numbers)
{
    TK_ASSERT(begin <= count && part_count <= count - begin);
    struct tk_reader reader = {(const unsigned char *)in->ptr,
                               (const unsigned char *)in->ptr + in->len, true};
    enum tk_err code = get_any(&reader, count, (struct part){begin, part_count}, 0, numbers);
    if (code == TK_OK)
        *in = (tk_str){(const char *)reader.at, tk_reader_left(&reader)};
    return code;
}

enum tk_err
tk_numbers_decode(tk_str *in, uint32_t count, uint64_t *numbers)
{
    return tk_numbers_decode_part(in, count, 0, count, numbers);
}
