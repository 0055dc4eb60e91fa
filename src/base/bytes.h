#ifndef TK_BASE_BYTES_H
#define TK_BASE_BYTES_H
/*
 * bytes - tk_str, a borrowed view of bytes; tk_buf, a growing buffer with a limit.
 *
 * A tk_str is {ptr, len} by value, not NUL-terminated, and lives as long as what it looks at.
 * A tk_buf is created with the largest size it may reach.  An append that does not fit (limit or
 * memory) sets `status` and nothing is appended any more, so that a writer checks once, at the end.
 */
#include "base/error.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

typedef struct tk_str {
    const char *ptr;
    size_t len; /* bytes */
} tk_str;

#define TK_STR(literal) ((tk_str){(literal), sizeof(literal) - 1})
#define TK_STR_NONE ((tk_str){NULL, 0})
#define TK_STR_ARG(s) (int)(s).len, (s).ptr /* for "%.*s" */

static inline tk_str
tk_str_from(const char *text) /* NUL-terminated, or NULL for the empty view */
{
    return (tk_str){text, text != NULL ? strlen(text) : 0};
}

static inline uint64_t
tk_load_u64(const char *p)
{
    uint64_t word;
    memcpy(&word, p, sizeof word);
    return word;
}

/* Every byte of a text of less than 8 bytes, some of them twice; the same for equal texts of equal
   length only. */
static inline uint64_t
tk_load_short(tk_str s)
{
    uint32_t first, last;
    if (s.len >= sizeof first) {
        memcpy(&first, s.ptr, sizeof first);
        memcpy(&last, s.ptr + s.len - sizeof last, sizeof last);
        return (uint64_t)last << 32 | first;
    }
    if (s.len == 0)
        return 0;
    return (uint64_t)(unsigned char)s.ptr[0] | (uint64_t)(unsigned char)s.ptr[s.len / 2] << 8 |
           (uint64_t)(unsigned char)s.ptr[s.len - 1] << 16;
}

/* The same as tk_str_eq, without a call: for names, which are short and mostly equal. */
static inline bool
tk_name_eq(tk_str a, tk_str b)
{
    uint64_t differ = 0;
    if (a.len != b.len)
        return false;
    if (a.len < sizeof differ)
        return tk_load_short(a) == tk_load_short(b);
    for (size_t i = 0; i + sizeof differ < a.len; i += sizeof differ)
        differ |= tk_load_u64(a.ptr + i) ^ tk_load_u64(b.ptr + i);
    size_t last = a.len - sizeof differ; /* overlaps those before */
    return (differ | (tk_load_u64(a.ptr + last) ^ tk_load_u64(b.ptr + last))) == 0;
}

static inline bool
tk_str_eq(tk_str a, tk_str b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

/* Byte order, shorter first on a tie: <0, 0, >0. */
int tk_str_cmp(tk_str a, tk_str b);
bool tk_str_eq_nocase(tk_str a, tk_str b); /* ASCII */
bool tk_str_starts_with(tk_str s, tk_str prefix);
bool tk_str_ends_with(tk_str s, tk_str suffix);
tk_str tk_str_trim(tk_str s); /* spaces and tabs at both ends */
/* Cuts *rest at the first `separator`; returns what stood before it and moves *rest behind it. */
tk_str tk_str_split(tk_str *rest, char separator);
/* Decimal digits only; false when empty, foreign or beyond 64 bits. */
bool tk_str_to_u64(tk_str s, uint64_t *ret_value);
/* Nearly all text is: eight bytes at a time, the last eight overlapping those before. */
static inline bool
tk_is_ascii(tk_str s)
{
    uint64_t seen = 0;
    if (s.len < sizeof seen)
        return (tk_load_short(s) & 0x8080808080808080u) == 0;
    for (size_t i = 0; i + sizeof seen < s.len; i += sizeof seen)
        seen |= tk_load_u64(s.ptr + i);
    seen |= tk_load_u64(s.ptr + s.len - sizeof seen);
    return (seen & 0x8080808080808080u) == 0;
}
/* True when every byte sequence is well-formed UTF-8 (RFC 3629). *ret_offset: first bad byte. */
bool tk_utf8_valid(tk_str s, size_t *ret_offset);

struct tk_buf {
    char *ptr; /* owned; malloc */
    size_t len;
    size_t capacity;
    size_t limit;       /* `len` never passes it */
    enum tk_err status; /* TK_OK, or why an append failed: TK_ERR_LIMIT or TK_ERR_MEMORY */
};

void tk_buf_init(struct tk_buf *buf, size_t limit);
void tk_buf_release(struct tk_buf *buf);
void tk_buf_clear(struct tk_buf *buf); /* keeps the memory; forgets a failure */
/* Makes room for `more` bytes and returns where to write them, or NULL: then see `status`, which is
   TK_OK only where nothing was asked of a buffer that holds nothing. */
char *tk_buf_grow(struct tk_buf *buf, size_t more); /* private */
static inline char *
tk_buf_reserve(struct tk_buf *buf, size_t more)
{
    bool fits = buf->status == TK_OK && buf->ptr != NULL && more <= buf->limit - buf->len &&
                more <= buf->capacity - buf->len;
    return fits ? buf->ptr + buf->len : tk_buf_grow(buf, more);
}
static inline void
tk_buf_append(struct tk_buf *buf, tk_str bytes)
{
    char *at = tk_buf_reserve(buf, bytes.len);
    if (at != NULL && bytes.len > 0) {
        memcpy(at, bytes.ptr, bytes.len);
        buf->len += bytes.len;
    }
}
static inline void
tk_buf_append_char(struct tk_buf *buf, char c)
{
    char *at = tk_buf_reserve(buf, 1);
    if (at != NULL) {
        *at = c;
        buf->len++;
    }
}
void tk_buf_printf(struct tk_buf *buf, const char *format, ...) TK_PRINTF(2, 3);
static inline tk_str
tk_buf_str(const struct tk_buf *buf)
{
    return (tk_str){buf->ptr, buf->len};
}
/* Hands the bytes over; the caller frees ptr.  The buffer is empty afterwards. */
char *tk_buf_detach(struct tk_buf *buf, size_t *ret_len);

#endif
