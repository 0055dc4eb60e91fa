/* bytes - see bytes.h. */
#include "base/bytes.h"

#include <stdio.h>
#include <stdlib.h>

int
tk_str_cmp(tk_str a, tk_str b)
{
    size_t shared = a.len < b.len ? a.len : b.len;
    int order = shared > 0 ? memcmp(a.ptr, b.ptr, shared) : 0;
    return order != 0 ? order : (a.len > b.len) - (a.len < b.len);
}

static unsigned char
ascii_lower(char c)
{
    return (unsigned char)(c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c);
}

bool
tk_str_eq_nocase(tk_str a, tk_str b)
{
    if (a.len != b.len)
        return false;
    for (size_t i = 0; i < a.len; i++)
        if (ascii_lower(a.ptr[i]) != ascii_lower(b.ptr[i]))
            return false;
    return true;
}

bool
tk_str_starts_with(tk_str s, tk_str prefix)
{
    return s.len >= prefix.len && tk_str_eq((tk_str){s.ptr, prefix.len}, prefix);
}

bool
tk_str_ends_with(tk_str s, tk_str suffix)
{
    return s.len >= suffix.len &&
           tk_str_eq((tk_str){s.ptr + (s.len - suffix.len), suffix.len}, suffix);
}

tk_str
tk_str_trim(tk_str s)
{
    while (s.len > 0 && (s.ptr[0] == ' ' || s.ptr[0] == '\t'))
        s = (tk_str){s.ptr + 1, s.len - 1};
    while (s.len > 0 && (s.ptr[s.len - 1] == ' ' || s.ptr[s.len - 1] == '\t'))
        s.len--;
    return s;
}

tk_str
tk_str_split(tk_str *rest, char separator)
{
    const char *cut = rest->len > 0 ? memchr(rest->ptr, separator, rest->len) : NULL;
    tk_str before = *rest;
    if (cut == NULL) {
        *rest = TK_STR_NONE;
        return before;
    }
    before.len = (size_t)(cut - rest->ptr);
    *rest = (tk_str){cut + 1, rest->len - before.len - 1};
    return before;
}

bool
tk_str_to_u64(tk_str s, uint64_t *ret_value)
{
    uint64_t value = 0;
    if (s.len == 0)
        return false;
    for (size_t i = 0; i < s.len; i++) {
        if (s.ptr[i] < '0' || s.ptr[i] > '9')
            return false;
        uint64_t digit = (uint64_t)(s.ptr[i] - '0');
        if (value > (UINT64_MAX - digit) / 10)
            return false;
        value = value * 10 + digit;
    }
    *ret_value = value;
    return true;
}

/* Length of the well-formed sequence at p (RFC 3629 section 4), 0 when there is none. */
static size_t
utf8_sequence(const unsigned char *p, size_t left)
{
    unsigned char low = 0x80, high = 0xBF;
    size_t len;
    if (p[0] < 0x80)
        return 1;
    if (p[0] >= 0xC2 && p[0] <= 0xDF)
        len = 2;
    else if (p[0] >= 0xE0 && p[0] <= 0xEF)
        len = 3;
    else if (p[0] >= 0xF0 && p[0] <= 0xF4)
        len = 4;
    else
        return 0;
    if (left < len)
        return 0;
    if (p[0] == 0xE0)
        low = 0xA0; /* overlong */
    else if (p[0] == 0xED)
        high = 0x9F; /* surrogates */
    else if (p[0] == 0xF0)
        low = 0x90; /* overlong */
    else if (p[0] == 0xF4)
        high = 0x8F; /* beyond U+10FFFF */
    if (p[1] < low || p[1] > high)
        return 0;
    for (size_t i = 2; i < len; i++)
        if (p[i] < 0x80 || p[i] > 0xBF)
            return 0;
    return len;
}

bool
tk_utf8_valid(tk_str s, size_t *ret_offset)
{
    const unsigned char *p = (const unsigned char *)s.ptr;
    if (tk_is_ascii(s))
        return true;
    for (size_t i = 0; i < s.len;) {
        size_t len = utf8_sequence(p + i, s.len - i);
        if (len == 0) {
            if (ret_offset != NULL)
                *ret_offset = i;
            return false;
        }
        i += len;
    }
    return true;
}

void
tk_buf_init(struct tk_buf *buf, size_t limit)
{
    *buf = (struct tk_buf){.limit = limit};
}

void
tk_buf_release(struct tk_buf *buf)
{
    free(buf->ptr);
    *buf = (struct tk_buf){.limit = buf->limit};
}

void
tk_buf_clear(struct tk_buf *buf)
{
    buf->len = 0;
    buf->status = TK_OK;
}

char *
tk_buf_grow(struct tk_buf *buf, size_t more)
{
    if (buf->status != TK_OK)
        return NULL;
    if (more > buf->limit - buf->len) {
        buf->status = TK_ERR_LIMIT;
        return NULL;
    }
    if (buf->capacity - buf->len < more) {
        size_t capacity = buf->capacity > 0 ? buf->capacity : 256;
        while (capacity < buf->len + more)
            capacity = capacity <= SIZE_MAX / 2 ? capacity * 2 : buf->len + more;
        char *grown = realloc(buf->ptr, capacity);
        if (grown == NULL) {
            buf->status = TK_ERR_MEMORY;
            return NULL;
        }
        buf->ptr = grown;
        buf->capacity = capacity;
    }
    return buf->ptr != NULL ? buf->ptr + buf->len : NULL;
}

void
tk_buf_printf(struct tk_buf *buf, const char *format, ...)
{
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    int len = vsnprintf(NULL, 0, format, args);
    char *at = len >= 0 ? tk_buf_reserve(buf, (size_t)len + 1) : NULL;
    if (at != NULL) {
        (void)vsnprintf(at, (size_t)len + 1, format, again);
        buf->len += (size_t)len;
    }
    va_end(again);
    va_end(args);
}

char *
tk_buf_detach(struct tk_buf *buf, size_t *ret_len)
{
    char *ptr = buf->ptr;
    *ret_len = buf->len;
    *buf = (struct tk_buf){.limit = buf->limit};
    return ptr;
}
