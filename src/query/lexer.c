/* lexer - see lexer.h. */
#include "query/lexer.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { NUMBER_LENGTH_MAX = 128 };

static size_t
count_characters(tk_str text)
{
    size_t count = 0;
    for (size_t i = 0; i < text.len; i++)
        count += ((unsigned char)text.ptr[i] & 0xc0) != 0x80;
    return count;
}

enum tk_err
tk_ql_fail(struct tk_query_error *error, tk_str text, size_t byte, const char *expected,
           const char *detail, ...)
{
    va_list args;
    if (byte > text.len)
        byte = text.len;
    error->position = count_characters((tk_str){text.ptr, byte});
    error->expected = tk_str_from(expected);
    va_start(args, detail);
    (void)vsnprintf(error->detail, sizeof error->detail, detail, args);
    va_end(args);
    return TK_ERR_INPUT;
}

bool
tk_ql_is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static bool
is_digit(char c)
{
    return c >= '0' && c <= '9';
}

bool
tk_ql_is_word_byte(char c)
{
    return !tk_ql_is_space(c) && c != '\0' && strchr("{}()=~!<>&|^,", c) == NULL;
}

/* ---- numbers ---- */

static const struct {
    tk_str name;
    int64_t nano;
} units[] = {
    /* longer names first */
    {{"ns", 2}, 1},
    {{"us", 2}, 1000},
    {{"\xc2\xb5s", 3}, 1000}, /* U+00B5 micro sign */
    {{"\xce\xbcs", 3}, 1000}, /* U+03BC Greek mu */
    {{"ms", 2}, 1000000},
    {{"s", 1}, 1000000000},
    {{"m", 1}, 60000000000},
    {{"h", 1}, 3600000000000},
    {{"d", 1}, 86400000000000},
    {{"w", 1}, 604800000000000},
    {{"y", 1}, 31536000000000000},
};

/* Digits with an optional fraction at the front of *rest, moved behind it. */
static bool
take_decimal(tk_str *rest, int64_t *ret_whole, double *ret_fraction)
{
    int64_t whole = 0;
    double fraction = 0, scale = 0.1;
    size_t i = 0;
    for (; i < rest->len && is_digit(rest->ptr[i]); i++) {
        if (whole > (INT64_MAX - 9) / 10)
            return false;
        whole = whole * 10 + (rest->ptr[i] - '0');
    }
    if (i == 0)
        return false;
    if (i + 1 < rest->len && rest->ptr[i] == '.' && is_digit(rest->ptr[i + 1])) {
        for (i++; i < rest->len && is_digit(rest->ptr[i]); i++, scale /= 10)
            fraction += scale * (rest->ptr[i] - '0');
    }
    *ret_whole = whole;
    *ret_fraction = fraction;
    *rest = (tk_str){rest->ptr + i, rest->len - i};
    return true;
}

/* "1h2m", "1.5s", "200ms": a sum of parts, each with its unit. */
static bool
parse_duration(tk_str text, int64_t *ret_nano)
{
    int64_t sum = 0;
    if (text.len == 0)
        return false;
    while (text.len > 0) {
        int64_t whole, part;
        double fraction;
        size_t unit = 0;
        if (!take_decimal(&text, &whole, &fraction))
            return false;
        while (unit < sizeof units / sizeof units[0] && !tk_str_starts_with(text, units[unit].name))
            unit++;
        if (unit == sizeof units / sizeof units[0])
            return false;
        if (__builtin_mul_overflow(whole, units[unit].nano, &part) ||
            __builtin_add_overflow(part, (int64_t)llround(fraction * (double)units[unit].nano),
                                   &part) ||
            __builtin_add_overflow(sum, part, &sum))
            return false;
        text = (tk_str){text.ptr + units[unit].name.len, text.len - units[unit].name.len};
    }
    *ret_nano = sum;
    return true;
}

/* digits [. digits] [e [+-] digits], nothing else that strtod would take. */
static bool
is_plain_number(tk_str text, bool *ret_integer)
{
    size_t i = 0;
    *ret_integer = true;
    while (i < text.len && is_digit(text.ptr[i]))
        i++;
    if (i == 0)
        return false;
    if (i < text.len && text.ptr[i] == '.') {
        size_t begin = ++i;
        *ret_integer = false;
        while (i < text.len && is_digit(text.ptr[i]))
            i++;
        if (i == begin)
            return false;
    }
    if (i < text.len && (text.ptr[i] == 'e' || text.ptr[i] == 'E')) {
        *ret_integer = false;
        i++;
        if (i < text.len && (text.ptr[i] == '+' || text.ptr[i] == '-'))
            i++;
        size_t begin = i;
        while (i < text.len && is_digit(text.ptr[i]))
            i++;
        if (i == begin)
            return false;
    }
    return i == text.len;
}

bool
tk_ql_number(tk_str text, struct tk_ql_value *ret_value)
{
    char copy[NUMBER_LENGTH_MAX];
    bool integer;
    if (text.len >= sizeof copy)
        return false;
    if (!is_plain_number(text, &integer)) {
        int64_t nano;
        if (!parse_duration(text, &nano))
            return false;
        *ret_value = (struct tk_ql_value){.type = TK_QL_DURATION, .i = nano};
        return true;
    }
    memcpy(copy, text.ptr, text.len);
    copy[text.len] = '\0';
    if (integer) {
        errno = 0;
        long long number = strtoll(copy, NULL, 10);
        if (errno != 0)
            return false;
        *ret_value = (struct tk_ql_value){.type = TK_QL_INT, .i = number};
    } else {
        double number = strtod(copy, NULL);
        if (!isfinite(number))
            return false;
        *ret_value = (struct tk_ql_value){.type = TK_QL_FLOAT, .d = number};
    }
    return true;
}

static enum tk_err
lex_number(struct tk_ql_lexer *lexer, struct tk_ql_token *token)
{
    size_t end = lexer->at;
    tk_str text = lexer->text;
    /* `1e+5`, but not the sum `1+5`: that is arithmetic */
    while (end < text.len && tk_ql_is_word_byte(text.ptr[end])) {
        bool sign = text.ptr[end] == '+' || text.ptr[end] == '-';
        if (strchr("*/%", text.ptr[end]) != NULL)
            break;
        if (sign && text.ptr[end - 1] != 'e' && text.ptr[end - 1] != 'E')
            break;
        end++;
    }
    token->type = TK_QL_TOKEN_VALUE;
    token->raw = (tk_str){text.ptr + lexer->at, end - lexer->at};
    if (!tk_ql_number(token->raw, &token->value))
        return tk_ql_fail(lexer->error, text, lexer->at, "a number or a duration such as 200ms",
                          "\"%.*s\" is no number that a span could hold, and no duration",
                          (int)(token->raw.len < 40 ? token->raw.len : 40), token->raw.ptr);
    lexer->at = end;
    return TK_OK;
}

/* ---- strings ---- */

static size_t
put_utf8(uint32_t code, char *out)
{
    if (code < 0x80) {
        out[0] = (char)code;
        return 1;
    }
    if (code < 0x800) {
        out[0] = (char)(0xc0 | code >> 6);
        out[1] = (char)(0x80 | (code & 0x3f));
        return 2;
    }
    if (code < 0x10000) {
        out[0] = (char)(0xe0 | code >> 12);
        out[1] = (char)(0x80 | (code >> 6 & 0x3f));
        out[2] = (char)(0x80 | (code & 0x3f));
        return 3;
    }
    out[0] = (char)(0xf0 | code >> 18);
    out[1] = (char)(0x80 | (code >> 12 & 0x3f));
    out[2] = (char)(0x80 | (code >> 6 & 0x3f));
    out[3] = (char)(0x80 | (code & 0x3f));
    return 4;
}

/* Exactly `count` digits of `base` at text[at]. */
static bool
read_digits(tk_str text, size_t at, size_t count, int base, uint32_t *ret_code)
{
    char digits[9];
    char *end;
    if (count > text.len || at > text.len - count)
        return false;
    memcpy(digits, text.ptr + at, count);
    digits[count] = '\0';
    if (digits[0] == '-' || digits[0] == '+' || tk_ql_is_space(digits[0]) ||
        (count > 1 && (digits[1] == 'x' || digits[1] == 'X')))
        return false;
    *ret_code = (uint32_t)strtoul(digits, &end, base);
    return *end == '\0';
}

/* One escape of Go's interpreted strings; *at stands at the backslash and is moved behind it. */
static bool
read_escape(tk_str text, size_t *at, char out[4], size_t *ret_len)
{
    static const char letters[] = "abfnrtv\\\"'", bytes[] = "\a\b\f\n\r\t\v\\\"'";
    char c = *at + 1 < text.len ? text.ptr[*at + 1] : '\0';
    const char *letter = c != '\0' ? strchr(letters, c) : NULL;
    size_t digits = c == 'x' ? 2 : c == 'u' ? 4 : c == 'U' ? 8 : 0;
    uint32_t code;
    if (letter != NULL) {
        out[0] = bytes[letter - letters];
        *ret_len = 1;
        *at += 2;
    } else if (digits > 0) {
        if (!read_digits(text, *at + 2, digits, 16, &code) || code > 0x10ffff ||
            (digits > 2 && code >= 0xd800 && code < 0xe000))
            return false;
        *ret_len = digits == 2 ? 1 : put_utf8(code, out);
        if (digits == 2)
            out[0] = (char)code;
        *at += 2 + digits;
    } else {
        if (!read_digits(text, *at + 1, 3, 8, &code) || code > 0xff)
            return false;
        out[0] = (char)code;
        *ret_len = 1;
        *at += 4;
    }
    return true;
}

static enum tk_err
lex_string(struct tk_ql_lexer *lexer, struct tk_ql_token *token)
{
    tk_str text = lexer->text;
    size_t begin = lexer->at, at = begin + 1, end = at, len = 0;
    char quote = text.ptr[begin];
    while (end < text.len && text.ptr[end] != quote)
        end += quote == '"' && text.ptr[end] == '\\' ? 2 : 1;
    if (end >= text.len)
        return tk_ql_fail(lexer->error, text, begin, quote == '"' ? "a closing \"" : "a closing `",
                          "a string that does not end");
    char *out = tk_arena_alloc(lexer->arena, end - begin); /* an escape is longer than its text */
    if (out == NULL)
        return TK_ERR_MEMORY;
    while (at < end) {
        if (quote == '"' && text.ptr[at] == '\\') {
            size_t more;
            if (!read_escape(text, &at, out + len, &more))
                return tk_ql_fail(lexer->error, text, at,
                                  "an escape such as \\n, \\\" or \\\\ (or `...` around the text)",
                                  "unknown escape in a string");
            len += more;
        } else {
            out[len++] = text.ptr[at++];
        }
    }
    *token = (struct tk_ql_token){
        .type = TK_QL_TOKEN_VALUE,
        .raw = {text.ptr + begin, end + 1 - begin},
        .value = {.type = TK_QL_STRING, .text = {out, len}},
    };
    lexer->at = end + 1;
    return TK_OK;
}

/* ---- words ---- */

static enum tk_err
lex_word(struct tk_ql_lexer *lexer, struct tk_ql_token *token)
{
    tk_str text = lexer->text;
    size_t at = lexer->at;
    while (at < text.len && tk_ql_is_word_byte(text.ptr[at])) {
        size_t begin = at;
        if (text.ptr[at++] != '"')
            continue;
        while (at < text.len && text.ptr[at] != '"')
            at += text.ptr[at] == '\\' ? 2 : 1;
        if (at >= text.len)
            return tk_ql_fail(lexer->error, text, begin, "a closing \"",
                              "a quoted name that does not end");
        at++;
    }
    token->type = TK_QL_TOKEN_WORD;
    token->raw = (tk_str){text.ptr + lexer->at, at - lexer->at};
    lexer->at = at;
    return TK_OK;
}

enum tk_err
tk_ql_unquote_name(struct tk_ql_lexer *lexer, tk_str raw, tk_str *ret_name)
{
    bool quoted = false;
    size_t len = 0;
    if (raw.len == 0 || memchr(raw.ptr, '"', raw.len) == NULL) {
        *ret_name = raw;
        return TK_OK;
    }
    char *name = tk_arena_alloc(lexer->arena, raw.len);
    if (name == NULL)
        return TK_ERR_MEMORY;
    for (size_t i = 0; i < raw.len; i++) {
        char c = raw.ptr[i];
        if (c == '"') {
            quoted = !quoted;
            continue;
        }
        if (quoted && c == '\\') {
            c = i + 1 < raw.len ? raw.ptr[++i] : '\0';
            if (c != '"' && c != '\\')
                return tk_ql_fail(lexer->error, lexer->text,
                                  (size_t)(raw.ptr - lexer->text.ptr) + i, "\\\" or \\\\",
                                  "unknown escape in a quoted name");
        }
        name[len++] = c;
    }
    *ret_name = (tk_str){name, len};
    return TK_OK;
}

/* ---- tokens ---- */

/* Longer ones first, so that the first that fits is the right one. */
static const struct {
    const char *text;
    enum tk_ql_token_type type;
    enum tk_ql_op op;
} symbols[] = {
    {"&>>", TK_QL_TOKEN_STRUCTURAL, 0},
    {"&<<", TK_QL_TOKEN_STRUCTURAL, 0},
    {"!>>", TK_QL_TOKEN_STRUCTURAL, 0},
    {"!<<", TK_QL_TOKEN_STRUCTURAL, 0},
    {"&&", TK_QL_TOKEN_AND, 0},
    {"&>", TK_QL_TOKEN_STRUCTURAL, 0},
    {"&<", TK_QL_TOKEN_STRUCTURAL, 0},
    {"&~", TK_QL_TOKEN_STRUCTURAL, 0},
    {"||", TK_QL_TOKEN_OR, 0},
    {"!=", TK_QL_TOKEN_COMPARE, TK_QL_NE},
    {"!~", TK_QL_TOKEN_COMPARE, TK_QL_NRE},
    {"!>", TK_QL_TOKEN_STRUCTURAL, 0},
    {"!<", TK_QL_TOKEN_STRUCTURAL, 0},
    {">>", TK_QL_TOKEN_STRUCTURAL, 0},
    {"<<", TK_QL_TOKEN_STRUCTURAL, 0},
    {"=~", TK_QL_TOKEN_COMPARE, TK_QL_RE},
    {">=", TK_QL_TOKEN_COMPARE, TK_QL_GE},
    {"<=", TK_QL_TOKEN_COMPARE, TK_QL_LE},
    {"=", TK_QL_TOKEN_COMPARE, TK_QL_EQ},
    {">", TK_QL_TOKEN_COMPARE, TK_QL_GT},
    {"<", TK_QL_TOKEN_COMPARE, TK_QL_LT},
    {"!", TK_QL_TOKEN_NOT, 0},
    {"{", TK_QL_TOKEN_OPEN_BRACE, 0},
    {"}", TK_QL_TOKEN_CLOSE_BRACE, 0},
    {"(", TK_QL_TOKEN_OPEN_PAREN, 0},
    {")", TK_QL_TOKEN_CLOSE_PAREN, 0},
    {"|", TK_QL_TOKEN_PIPE, 0},
    {"~", TK_QL_TOKEN_STRUCTURAL, 0},
    {"-", TK_QL_TOKEN_MINUS, 0},
    {"+", TK_QL_TOKEN_ARITHMETIC, 0},
    {"*", TK_QL_TOKEN_ARITHMETIC, 0},
    {"/", TK_QL_TOKEN_ARITHMETIC, 0},
    {"%", TK_QL_TOKEN_ARITHMETIC, 0},
    {"^", TK_QL_TOKEN_ARITHMETIC, 0},
    {",", TK_QL_TOKEN_COMMA, 0},
};

enum tk_err
tk_ql_next(struct tk_ql_lexer *lexer, struct tk_ql_token *ret_token)
{
    tk_str text = lexer->text;
    while (lexer->at < text.len && tk_ql_is_space(text.ptr[lexer->at]))
        lexer->at++;
    tk_str rest = {text.ptr + lexer->at, text.len - lexer->at};
    *ret_token = (struct tk_ql_token){.type = TK_QL_TOKEN_END, .raw = {rest.ptr, 0}};
    if (rest.len == 0)
        return TK_OK;
    for (size_t i = 0; i < sizeof symbols / sizeof symbols[0]; i++) {
        tk_str symbol = tk_str_from(symbols[i].text);
        if (!tk_str_starts_with(rest, symbol))
            continue;
        ret_token->type = symbols[i].type;
        ret_token->op = symbols[i].op;
        ret_token->raw.len = symbol.len;
        lexer->at += symbol.len;
        return TK_OK;
    }
    if (rest.ptr[0] == '"' || rest.ptr[0] == '`')
        return lex_string(lexer, ret_token);
    if (is_digit(rest.ptr[0]))
        return lex_number(lexer, ret_token);
    if (tk_ql_is_word_byte(rest.ptr[0]))
        return lex_word(lexer, ret_token);
    return tk_ql_fail(lexer->error, text, lexer->at, "", "unexpected \"%c\"", rest.ptr[0]);
}
