/*
 * json_writer - the writing half of json.h.
 *
 * Text goes straight into the buffer; a failed append shows in out->status, as everywhere.
 */
#include "base/json.h"

#include "base/assert.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { WRITER_DEPTH_MAX = TK_JSON_DEPTH_MAX + 8 };

void
tk_json_writer_init(struct tk_json_writer *json, struct tk_buf *out)
{
    *json = (struct tk_json_writer){.out = out};
}

/* What stands before every value: nothing behind a key, else the comma of an array. */
static void
before_value(struct tk_json_writer *json)
{
    if (json->_after_key) {
        json->_after_key = false;
        return;
    }
    if (json->_depth == 0)
        return;
    TK_ASSERT(!json->_is_object[json->_depth - 1]);
    if (json->_has_member[json->_depth - 1])
        tk_buf_append_char(json->out, ',');
    json->_has_member[json->_depth - 1] = true;
}

static void
open_container(struct tk_json_writer *json, bool is_object)
{
    before_value(json);
    TK_ASSERT(json->_depth < WRITER_DEPTH_MAX);
    json->_is_object[json->_depth] = is_object;
    json->_has_member[json->_depth++] = false;
    tk_buf_append_char(json->out, is_object ? '{' : '[');
}

static void
close_container(struct tk_json_writer *json, bool is_object)
{
    TK_ASSERT(json->_depth > 0 && !json->_after_key);
    json->_depth--;
    TK_ASSERT(json->_is_object[json->_depth] == is_object);
    tk_buf_append_char(json->out, is_object ? '}' : ']');
}

void
tk_json_object(struct tk_json_writer *json)
{
    open_container(json, true);
}

void
tk_json_object_end(struct tk_json_writer *json)
{
    close_container(json, true);
}

void
tk_json_array(struct tk_json_writer *json)
{
    open_container(json, false);
}

void
tk_json_array_end(struct tk_json_writer *json)
{
    close_container(json, false);
}

static void
append_escape(struct tk_buf *out, unsigned char c)
{
    switch (c) {
    case '"':
        tk_buf_append(out, TK_STR("\\\""));
        break;
    case '\\':
        tk_buf_append(out, TK_STR("\\\\"));
        break;
    case '\b':
        tk_buf_append(out, TK_STR("\\b"));
        break;
    case '\f':
        tk_buf_append(out, TK_STR("\\f"));
        break;
    case '\n':
        tk_buf_append(out, TK_STR("\\n"));
        break;
    case '\r':
        tk_buf_append(out, TK_STR("\\r"));
        break;
    case '\t':
        tk_buf_append(out, TK_STR("\\t"));
        break;
    default:
        tk_buf_printf(out, "\\u%04x", c);
    }
}

/* Valid UTF-8, quoted, escaped where RFC 8259 section 7 demands it. */
static void
append_escaped(struct tk_buf *out, tk_str text)
{
    size_t plain = 0; /* where the run not yet copied begins */
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.ptr[i];
        if (c >= 0x20 && c != '"' && c != '\\')
            continue;
        tk_buf_append(out, (tk_str){text.ptr + plain, i - plain});
        append_escape(out, c);
        plain = i + 1;
    }
    if (text.len > plain)
        tk_buf_append(out, (tk_str){text.ptr + plain, text.len - plain});
}

/* Not 0 when one of eight bytes is a control character, a quote, a backslash or not ASCII. */
static uint64_t
odd_bytes(uint64_t bytes)
{
    const uint64_t ones = 0x0101010101010101u;
    uint64_t quote = (bytes ^ ones * '"') - ones, backslash = (bytes ^ ones * '\\') - ones;
    return (bytes | (bytes - ones * 0x20) | quote | backslash) & ones << 7;
}

/* Most texts need neither escapes nor a look at their UTF-8. */
static bool
is_plain(tk_str text)
{
    uint64_t odd = 0, last = UINT64_C(0x2020202020202020);
    for (size_t i = 0; i + sizeof odd <= text.len; i += sizeof odd)
        odd |= odd_bytes(tk_load_u64(text.ptr + i));
    if (text.len >= sizeof last) /* the last eight, some of them once more */
        last = tk_load_u64(text.ptr + text.len - sizeof last);
    else
        for (size_t i = 0; i < text.len; i++)
            last = last << 8 | (unsigned char)text.ptr[i];
    return (odd | odd_bytes(last)) == 0;
}

static void
append_quoted(struct tk_buf *out, tk_str text)
{
    size_t bad;
    char *at = is_plain(text) ? tk_buf_reserve(out, text.len + 2) : NULL;
    if (at != NULL) {
        *at = '"';
        if (text.len > 0)
            memcpy(at + 1, text.ptr, text.len);
        at[text.len + 1] = '"';
        out->len += text.len + 2;
        return;
    }
    tk_buf_append_char(out, '"');
    while (!tk_utf8_valid(text, &bad)) {
        append_escaped(out, (tk_str){text.ptr, bad});
        tk_buf_append(out, TK_STR("\xEF\xBF\xBD")); /* U+FFFD */
        text = (tk_str){text.ptr + bad + 1, text.len - bad - 1};
    }
    append_escaped(out, text);
    tk_buf_append_char(out, '"');
}

void
tk_json_key(struct tk_json_writer *json, tk_str key)
{
    TK_ASSERT(json->_depth > 0 && json->_is_object[json->_depth - 1] && !json->_after_key);
    if (json->_has_member[json->_depth - 1])
        tk_buf_append_char(json->out, ',');
    json->_has_member[json->_depth - 1] = true;
    append_quoted(json->out, key);
    tk_buf_append_char(json->out, ':');
    json->_after_key = true;
}

void
tk_json_string(struct tk_json_writer *json, tk_str value)
{
    before_value(json);
    append_quoted(json->out, value);
}

static void
append_uint(struct tk_buf *out, uint64_t value)
{
    char digits[20];
    size_t at = sizeof digits;
    do
        digits[--at] = (char)('0' + value % 10);
    while ((value /= 10) > 0);
    tk_buf_append(out, (tk_str){digits + at, sizeof digits - at});
}

static void
append_int(struct tk_buf *out, int64_t value)
{
    if (value < 0)
        tk_buf_append_char(out, '-');
    append_uint(out, value < 0 ? 0 - (uint64_t)value : (uint64_t)value);
}

void
tk_json_int(struct tk_json_writer *json, int64_t value)
{
    before_value(json);
    append_int(json->out, value);
}

void
tk_json_uint(struct tk_json_writer *json, uint64_t value)
{
    before_value(json);
    append_uint(json->out, value);
}

void
tk_json_uint_string(struct tk_json_writer *json, uint64_t value)
{
    before_value(json);
    tk_buf_append_char(json->out, '"');
    append_uint(json->out, value);
    tk_buf_append_char(json->out, '"');
}

void
tk_json_int_string(struct tk_json_writer *json, int64_t value)
{
    before_value(json);
    tk_buf_append_char(json->out, '"');
    append_int(json->out, value);
    tk_buf_append_char(json->out, '"');
}

void
tk_json_double(struct tk_json_writer *json, double value)
{
    if (!isfinite(value)) {
        const char *name = isnan(value) ? "NaN" : value > 0 ? "Infinity" : "-Infinity";
        tk_json_string(json, tk_str_from(name));
        return;
    }
    if (value == 0 && signbit(value)) { /* "-0" is an integer to some readers, and loses its sign */
        tk_json_raw(json, TK_STR("-0.0"));
        return;
    }
    char text[40];
    /* %g drops trailing zeros, so 15 digits are short enough to begin with - but for numbers that
       have fewer of them; 17 always read back equal. */
    for (int digits = fabs(value) < DBL_MIN ? 1 : 15; digits <= 17; digits++) {
        (void)snprintf(text, sizeof text, "%.*g", digits, value);
        if (strtod(text, NULL) == value)
            break;
    }
    before_value(json);
    tk_buf_append(json->out, tk_str_from(text));
}

void
tk_json_bool(struct tk_json_writer *json, bool value)
{
    tk_json_raw(json, value ? TK_STR("true") : TK_STR("false"));
}

void
tk_json_null(struct tk_json_writer *json)
{
    tk_json_raw(json, TK_STR("null"));
}

void
tk_json_base64(struct tk_json_writer *json, tk_str bytes)
{
    static const char alphabet[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    before_value(json);
    tk_buf_append_char(json->out, '"');
    for (size_t i = 0; i < bytes.len; i += 3) {
        size_t left = bytes.len - i < 3 ? bytes.len - i : 3;
        uint32_t word = 0;
        for (size_t k = 0; k < 3; k++)
            word = word << 8 | (k < left ? (unsigned char)bytes.ptr[i + k] : 0u);
        char group[4];
        for (size_t k = 0; k < 4; k++)
            group[k] = k <= left ? alphabet[word >> (18 - 6 * k) & 63] : '=';
        tk_buf_append(json->out, (tk_str){group, sizeof group});
    }
    tk_buf_append_char(json->out, '"');
}

void
tk_json_hex(struct tk_json_writer *json, tk_str bytes)
{
    static const char digits[] = "0123456789abcdef";
    before_value(json);
    tk_buf_append_char(json->out, '"');
    char *at = tk_buf_reserve(json->out, 2 * bytes.len);
    for (size_t i = 0; at != NULL && i < bytes.len; i++) {
        unsigned char byte = (unsigned char)bytes.ptr[i];
        *at++ = digits[byte >> 4];
        *at++ = digits[byte & 15];
    }
    json->out->len += at != NULL ? 2 * bytes.len : 0;
    tk_buf_append_char(json->out, '"');
}

void
tk_json_raw(struct tk_json_writer *json, tk_str ready)
{
    before_value(json);
    tk_buf_append(json->out, ready);
}
