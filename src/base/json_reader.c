/*
 * json_reader - the reading half of json.h.
 *
 * A state says what may come next; the stack of open containers is one flag each.  No recursion.
 */
#include "base/json.h"

enum state {
    EXPECT_VALUE, /* at the start, behind a colon, behind a comma of an array */
    EXPECT_FIRST, /* behind an opening bracket: its end, or what EXPECT_VALUE or _KEY takes */
    EXPECT_KEY,   /* behind a comma of an object */
    EXPECT_NEXT,  /* behind a value: a comma or the end */
};

void
tk_json_reader_init(struct tk_json_reader *json, tk_str input, struct tk_arena *arena)
{
    *json = (struct tk_json_reader){.input = input, .arena = arena, ._state = EXPECT_VALUE};
}

static enum tk_err
fail(struct tk_json_reader *json, size_t at, const char *what, struct tk_error *err)
{
    json->at = at;
    return tk_error_set(err, TK_ERR_INPUT, "byte %zu: %s", at,
                        at < json->input.len ? what : "unexpected end");
}

static bool
in_object(const struct tk_json_reader *json)
{
    return json->depth > 0 && json->_in_object[json->depth - 1];
}

/* The byte at `at`, or -1 behind the last. */
static int
byte_at(const struct tk_json_reader *json, size_t at)
{
    return at < json->input.len ? (unsigned char)json->input.ptr[at] : -1;
}

static void
skip_space(struct tk_json_reader *json)
{
    for (;; json->at++) {
        int c = byte_at(json, json->at);
        if (c != ' ' && c != '\n' && c != '\r' && c != '\t')
            return;
    }
}

/* Four hex digits at `at`, or -1. */
static int32_t
read_hex4(const struct tk_json_reader *json, size_t at)
{
    int32_t unit = 0;
    for (size_t i = 0; i < 4; i++) {
        int c = byte_at(json, at + i);
        if (c >= '0' && c <= '9')
            unit = unit * 16 + (c - '0');
        else if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f')
            unit = unit * 16 + ((c | 0x20) - 'a' + 10);
        else
            return -1;
    }
    return unit;
}

static size_t
put_utf8(uint32_t point, char *out)
{
    if (point < 0x80) {
        out[0] = (char)point;
        return 1;
    }
    if (point < 0x800) {
        out[0] = (char)(0xC0 | point >> 6);
        out[1] = (char)(0x80 | (point & 0x3F));
        return 2;
    }
    if (point < 0x10000) {
        out[0] = (char)(0xE0 | point >> 12);
        out[1] = (char)(0x80 | (point >> 6 & 0x3F));
        out[2] = (char)(0x80 | (point & 0x3F));
        return 3;
    }
    out[0] = (char)(0xF0 | point >> 18);
    out[1] = (char)(0x80 | (point >> 12 & 0x3F));
    out[2] = (char)(0x80 | (point >> 6 & 0x3F));
    out[3] = (char)(0x80 | (point & 0x3F));
    return 4;
}

/* The escape at *at (its backslash) into `out`; moves *at behind it.  Its digits were checked. */
static size_t
unescape(const struct tk_json_reader *json, size_t *at, char *out)
{
    static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
    int c = byte_at(json, *at + 1);
    if (c != 'u') {
        *at += 2;
        *out = to[strchr(from, c) - from];
        return 1;
    }
    uint32_t point = (uint32_t)read_hex4(json, *at + 2);
    *at += 6;
    if (point >= 0xD800 && point < 0xDC00 && byte_at(json, *at) == '\\' &&
        byte_at(json, *at + 1) == 'u') {
        uint32_t low = (uint32_t)read_hex4(json, *at + 2);
        if (low >= 0xDC00 && low < 0xE000) {
            *at += 6;
            return put_utf8(0x10000 + ((point - 0xD800) << 10) + (low - 0xDC00), out);
        }
    }
    return put_utf8(point >= 0xD800 && point < 0xE000 ? 0xFFFD : point, out);
}

/* No escape makes more bytes than it is written with. */
static enum tk_err
unescape_all(struct tk_json_reader *json, size_t begin, size_t end, tk_str *ret_text)
{
    char *text = tk_arena_alloc(json->arena, end - begin);
    size_t len = 0;
    if (text == NULL)
        return TK_ERR_MEMORY;
    for (size_t at = begin; at < end;) {
        if (json->input.ptr[at] == '\\')
            len += unescape(json, &at, text + len);
        else
            text[len++] = json->input.ptr[at++];
    }
    *ret_text = (tk_str){text, len};
    return TK_OK;
}

/* Moves behind an escape at `at`, or returns 0 when it is none. */
static size_t
check_escape(const struct tk_json_reader *json, size_t at)
{
    int c = byte_at(json, at + 1);
    if (c == 'u')
        return read_hex4(json, at + 2) >= 0 ? at + 6 : 0;
    return c > 0 && strchr("\"\\/bfnrt", c) != NULL ? at + 2 : 0;
}

/* Is any of the eight bytes a quote, a backslash or below 0x20?  (A borrow may also point at a byte
   behind such a one; only whether there is any counts.) */
static bool
has_special(uint64_t bytes)
{
    const uint64_t ones = 0x0101010101010101u, tops = 0x8080808080808080u;
    uint64_t quote = bytes ^ ones * '"', backslash = bytes ^ ones * '\\';
    uint64_t found = ((quote - ones) & ~quote) | ((backslash - ones) & ~backslash) |
                     ((bytes - ones * 0x20) & ~bytes);
    return (found & tops) != 0;
}

/* Moves over bytes that stand for themselves, by eights. */
static size_t
skip_plain(const struct tk_json_reader *json, size_t at)
{
    uint64_t bytes;
    while (json->input.len - at >= sizeof bytes) {
        memcpy(&bytes, json->input.ptr + at, sizeof bytes);
        if (has_special(bytes))
            break;
        at += sizeof bytes;
    }
    return at;
}

static enum tk_err
read_string(struct tk_json_reader *json, tk_str *ret_text, struct tk_error *err)
{
    size_t begin = json->at + 1, at = skip_plain(json, begin), bad;
    bool escaped = false;
    for (;;) {
        int c = byte_at(json, at);
        if (c == '"')
            break;
        if (c == '\\') {
            size_t behind = check_escape(json, at);
            if (behind == 0)
                return fail(json, at, "bad escape in a string", err);
            escaped = true;
            at = skip_plain(json, behind);
        } else if (c < 0x20) {
            return fail(json, at, "control character in a string", err);
        } else {
            at++;
        }
    }
    tk_str raw = {json->input.ptr + begin, at - begin};
    if (!tk_utf8_valid(raw, &bad))
        return fail(json, begin + bad, "invalid UTF-8", err);
    json->at = at + 1;
    *ret_text = raw;
    if (escaped && json->arena != NULL)
        return unescape_all(json, begin, at, ret_text);
    return TK_OK;
}

static size_t
skip_digits(const struct tk_json_reader *json, size_t at)
{
    while (byte_at(json, at) >= '0' && byte_at(json, at) <= '9')
        at++;
    return at;
}

static enum tk_err
read_number(struct tk_json_reader *json, tk_str *ret_text, struct tk_error *err)
{
    size_t at = json->at, digits;
    if (byte_at(json, at) == '-')
        at++;
    digits = at;
    at = byte_at(json, at) == '0' ? at + 1 : skip_digits(json, at);
    if (at == digits)
        return fail(json, at, "a digit is expected", err);
    if (byte_at(json, at) == '.') {
        digits = at + 1;
        at = skip_digits(json, digits);
        if (at == digits)
            return fail(json, at, "a digit is expected", err);
    }
    if ((byte_at(json, at) | 0x20) == 'e') {
        digits = at + 1;
        if (byte_at(json, digits) == '+' || byte_at(json, digits) == '-')
            digits++;
        at = skip_digits(json, digits);
        if (at == digits)
            return fail(json, at, "a digit is expected", err);
    }
    *ret_text = (tk_str){json->input.ptr + json->at, at - json->at};
    json->at = at;
    return TK_OK;
}

static enum tk_err
read_word(struct tk_json_reader *json, const char *word, struct tk_error *err)
{
    for (; *word != '\0'; word++, json->at++)
        if (byte_at(json, json->at) != *word)
            return fail(json, json->at, "a value is expected", err);
    return TK_OK;
}

static enum tk_err
open_container(struct tk_json_reader *json, bool is_object, struct tk_error *err)
{
    if (json->depth == TK_JSON_DEPTH_MAX)
        return fail(json, json->at, "nested too deep", err);
    json->_in_object[json->depth++] = is_object;
    json->at++;
    json->_state = EXPECT_FIRST;
    return TK_OK;
}

static enum tk_err
read_value(struct tk_json_reader *json, struct tk_json_token *token, struct tk_error *err)
{
    json->_state = EXPECT_NEXT;
    switch (byte_at(json, json->at)) {
    case '{':
        token->type = TK_JSON_OBJECT;
        return open_container(json, true, err);
    case '[':
        token->type = TK_JSON_ARRAY;
        return open_container(json, false, err);
    case '"':
        token->type = TK_JSON_STRING;
        return read_string(json, &token->text, err);
    case 't':
        token->type = TK_JSON_TRUE;
        return read_word(json, "true", err);
    case 'f':
        token->type = TK_JSON_FALSE;
        return read_word(json, "false", err);
    case 'n':
        token->type = TK_JSON_NULL;
        return read_word(json, "null", err);
    case '-':
    case '0':
    case '1':
    case '2':
    case '3':
    case '4':
    case '5':
    case '6':
    case '7':
    case '8':
    case '9':
        token->type = TK_JSON_NUMBER;
        return read_number(json, &token->text, err);
    default:
        return fail(json, json->at, "a value is expected", err);
    }
}

static enum tk_err
read_key(struct tk_json_reader *json, struct tk_json_token *token, struct tk_error *err)
{
    if (byte_at(json, json->at) != '"')
        return fail(json, json->at, "a member name is expected", err);
    token->type = TK_JSON_KEY;
    enum tk_err code = read_string(json, &token->text, err);
    if (code != TK_OK)
        return code;
    skip_space(json);
    if (byte_at(json, json->at) != ':')
        return fail(json, json->at, "a colon is expected", err);
    json->at++;
    json->_state = EXPECT_VALUE;
    return TK_OK;
}

enum tk_err
tk_json_next(struct tk_json_reader *json, struct tk_json_token *ret_token, struct tk_error *err)
{
    struct tk_json_token token = {.type = TK_JSON_DONE};
    enum tk_err code = TK_OK;
    skip_space(json);
    if (json->_state == EXPECT_NEXT && json->depth > 0 && byte_at(json, json->at) == ',') {
        json->at++;
        json->_state = in_object(json) ? EXPECT_KEY : EXPECT_VALUE;
        skip_space(json);
    }
    bool may_end = json->depth > 0 &&
                   (json->_state == EXPECT_NEXT || json->_state == EXPECT_FIRST) &&
                   byte_at(json, json->at) == (in_object(json) ? '}' : ']');
    token.offset = json->at;
    if (may_end) {
        token.type = in_object(json) ? TK_JSON_OBJECT_END : TK_JSON_ARRAY_END;
        json->at++;
        json->depth--;
        json->_state = EXPECT_NEXT;
    } else if (json->_state == EXPECT_NEXT && json->depth > 0) {
        code = fail(json, json->at, "a comma or an end is expected", err);
    } else if (json->_state == EXPECT_NEXT) {
        if (json->at < json->input.len)
            code = fail(json, json->at, "bytes behind the end", err);
    } else if (json->_state == EXPECT_KEY || (json->_state == EXPECT_FIRST && in_object(json))) {
        code = read_key(json, &token, err);
    } else {
        code = read_value(json, &token, err);
    }
    if (code == TK_OK)
        *ret_token = token;
    return code;
}

enum tk_err
tk_json_skip(struct tk_json_reader *json, struct tk_error *err)
{
    struct tk_arena *arena = json->arena;
    uint32_t depth = json->depth;
    struct tk_json_token token;
    enum tk_err code;
    json->arena = NULL; /* nobody will look at the text */
    do
        code = tk_json_next(json, &token, err);
    while (code == TK_OK && json->depth > depth);
    json->arena = arena;
    return code;
}
