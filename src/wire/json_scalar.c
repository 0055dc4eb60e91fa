/* json_scalar - the scalars of json_body.h. */
#include "wire/json_body.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

static bool
is_null(const struct tk_json_body *body)
{
    return body->token.type == TK_JSON_NULL;
}

static bool
fail_here(struct tk_json_body *body, const char *problem)
{
    return tk_json_body_fail(body, body->token.offset, problem);
}

bool
tk_json_body_string(struct tk_json_body *body, tk_str *ret_text)
{
    if (!is_null(body) && body->token.type != TK_JSON_STRING)
        return fail_here(body, "a string is expected");
    *ret_text = is_null(body) ? TK_STR("") : body->token.text;
    return true;
}

/* The exponent behind 'e', as far as it can matter: clamped to +-100000. */
static bool
parse_exponent(tk_str text, int64_t *ret_exponent)
{
    bool negative = text.len > 0 && text.ptr[0] == '-';
    int64_t exponent = 0;
    size_t at = text.len > 0 && (text.ptr[0] == '-' || text.ptr[0] == '+');
    if (at == text.len)
        return false;
    for (; at < text.len; at++) {
        if (text.ptr[at] < '0' || text.ptr[at] > '9')
            return false;
        if (exponent < 100000)
            exponent = exponent * 10 + (text.ptr[at] - '0');
    }
    *ret_exponent = negative ? -exponent : exponent;
    return true;
}

/*
 * A JSON number as sign and magnitude, exactly; false when it is no number, not integral or beyond
 * 64 bits.  Digits and the decimal point make a whole number times ten to some power; that power
 * must be undone by the number's own trailing zeros.
 */
static bool
parse_integer(tk_str text, bool *ret_negative, uint64_t *ret_magnitude)
{
    uint64_t magnitude = 0;
    int64_t power = 0, exponent = 0, zeros = 0; /* zeros: seen, not yet in magnitude */
    bool point = false, digits = false;
    size_t at = text.len > 0 && text.ptr[0] == '-';
    *ret_negative = at == 1;
    for (; at < text.len && (text.ptr[at] | 0x20) != 'e'; at++) {
        char c = text.ptr[at];
        if (c == '.' && !point) {
            point = true;
            continue;
        }
        if (c < '0' || c > '9')
            return false;
        digits = true;
        power -= point;
        if (c == '0') {
            zeros++;
            continue;
        }
        for (; zeros > 0 && magnitude > 0; zeros--)
            if (__builtin_mul_overflow(magnitude, 10u, &magnitude))
                return false;
        zeros = 0;
        if (__builtin_mul_overflow(magnitude, 10u, &magnitude) ||
            __builtin_add_overflow(magnitude, (uint64_t)(c - '0'), &magnitude))
            return false;
    }
    if (at < text.len && !parse_exponent((tk_str){text.ptr + at + 1, text.len - at - 1}, &exponent))
        return false;
    power += exponent + zeros;
    if (!digits || (power < 0 && magnitude > 0))
        return false;
    for (; power > 0 && magnitude > 0; power--)
        if (__builtin_mul_overflow(magnitude, 10u, &magnitude))
            return false;
    *ret_magnitude = magnitude;
    return true;
}

/* A number or a string that holds one. */
static bool
read_integer(struct tk_json_body *body, bool *ret_negative, uint64_t *ret_magnitude)
{
    if (body->token.type != TK_JSON_NUMBER && body->token.type != TK_JSON_STRING)
        return fail_here(body, "an integer is expected");
    return parse_integer(body->token.text, ret_negative, ret_magnitude) ||
           fail_here(body, "an integer of 64 bits is expected");
}

bool
tk_json_body_u64(struct tk_json_body *body, uint64_t *ret_value)
{
    bool negative = false;
    uint64_t magnitude = 0;
    if (!is_null(body) && !read_integer(body, &negative, &magnitude))
        return false;
    if (negative && magnitude > 0)
        return fail_here(body, "a number below 0 is not expected");
    *ret_value = magnitude;
    return true;
}

bool
tk_json_body_i64(struct tk_json_body *body, int64_t *ret_value)
{
    bool negative = false;
    uint64_t magnitude = 0;
    if (!is_null(body) && !read_integer(body, &negative, &magnitude))
        return false;
    if (magnitude > (uint64_t)INT64_MAX + negative)
        return fail_here(body, "an integer of 64 bits is expected");
    *ret_value = (int64_t)(negative ? 0 - magnitude : magnitude);
    return true;
}

bool
tk_json_body_u32(struct tk_json_body *body, uint32_t *ret_value)
{
    uint64_t wide = 0;
    if (!tk_json_body_u64(body, &wide))
        return false;
    if (wide > UINT32_MAX)
        return fail_here(body, "an integer of 32 bits is expected");
    *ret_value = (uint32_t)wide;
    return true;
}

bool
tk_json_body_enum(struct tk_json_body *body, const char *const *names, int32_t *ret_value)
{
    int64_t wide = 0;
    if (body->token.type == TK_JSON_STRING) {
        for (int32_t i = 0; names[i] != NULL; i++) {
            if (tk_str_eq(body->token.text, tk_str_from(names[i]))) {
                *ret_value = i;
                return true;
            }
        }
        return fail_here(body, "unknown name");
    }
    if (!tk_json_body_i64(body, &wide))
        return false;
    if (wide < INT32_MIN || wide > INT32_MAX)
        return fail_here(body, "an integer of 32 bits is expected");
    *ret_value = (int32_t)wide;
    return true;
}

/* True when all of `text` is a JSON number. */
static bool
is_number(tk_str text)
{
    struct tk_json_reader reader;
    struct tk_json_token token;
    tk_json_reader_init(&reader, text, NULL);
    return text.len > 0 && tk_json_next(&reader, &token, NULL) == TK_OK &&
           token.type == TK_JSON_NUMBER && token.text.len == text.len;
}

static bool
is_not_finite(tk_str text, double *ret_value)
{
    static const struct {
        const char *name;
        double value;
    } names[] = {{"NaN", NAN}, {"Infinity", INFINITY}, {"-Infinity", -INFINITY}};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (tk_str_eq(text, tk_str_from(names[i].name))) {
            *ret_value = names[i].value;
            return true;
        }
    }
    return false;
}

bool
tk_json_body_double(struct tk_json_body *body, double *ret_value)
{
    char small[64];
    const char *number = small;
    tk_str text = body->token.text;
    *ret_value = 0;
    if (is_null(body))
        return true;
    bool quoted = body->token.type == TK_JSON_STRING;
    if (quoted && is_not_finite(text, ret_value))
        return true;
    if (quoted ? !is_number(text) : body->token.type != TK_JSON_NUMBER)
        return fail_here(body, "a number is expected");
    if (text.len < sizeof small) {
        memcpy(small, text.ptr, text.len);
        small[text.len] = '\0';
    } else {
        number = tk_arena_copy(body->reader.arena, text).ptr;
        if (number == NULL)
            return tk_json_body_keep(body, TK_ERR_MEMORY);
    }
    *ret_value = strtod(number, NULL);
    return isfinite(*ret_value) || fail_here(body, "a number beyond what a double holds");
}

bool
tk_json_body_bool(struct tk_json_body *body, bool *ret_value)
{
    if (!is_null(body) && body->token.type != TK_JSON_TRUE && body->token.type != TK_JSON_FALSE)
        return fail_here(body, "true or false is expected");
    *ret_value = body->token.type == TK_JSON_TRUE;
    return true;
}

/* The six bits of a digit of either alphabet (RFC 4648 sections 4 and 5), or -1. */
static int
base64_digit(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    if (c == '+' || c == '-')
        return 62;
    return c == '/' || c == '_' ? 63 : -1;
}

bool
tk_json_body_base64(struct tk_json_body *body, tk_str *ret_bytes)
{
    tk_str text = TK_STR_NONE;
    if (!tk_json_body_string(body, &text))
        return false;
    for (int padding = 0; padding < 2 && text.len > 0 && text.ptr[text.len - 1] == '='; padding++)
        text.len--;
    char *bytes = tk_arena_alloc(body->reader.arena, text.len * 3 / 4 + 1);
    if (bytes == NULL)
        return tk_json_body_keep(body, TK_ERR_MEMORY);
    size_t len = 0;
    uint32_t word = 0;
    for (size_t i = 0; i < text.len; i++) {
        int digit = base64_digit(text.ptr[i]);
        if (digit < 0)
            return fail_here(body, "base64 is expected");
        word = word << 6 | (uint32_t)digit;
        if (i % 4 > 0) /* each digit but the first of four completes a byte */
            bytes[len++] = (char)(word >> (6 - 2 * (i % 4)));
    }
    if (text.len % 4 == 1)
        return fail_here(body, "base64 is expected");
    *ret_bytes = (tk_str){bytes, len};
    return true;
}
