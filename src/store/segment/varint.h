#ifndef TK_STORE_VARINT_H
#define TK_STORE_VARINT_H
/*
 * varint - numbers in as few bytes as they need (LEB128), and a reader that never leaves its bytes.
 *
 * A reader that meets the end or nonsense turns `ok` off and yields zeros from then on, so that a
 * decoder asks once, at the end of a column.
 */
#include "base/bytes.h"

enum { TK_VARINT_MAX = 10 };

static inline uint64_t
tk_zigzag(int64_t value)
{
    return ((uint64_t)value << 1) ^ (uint64_t)(value >> 63);
}

static inline int64_t
tk_unzigzag(uint64_t value)
{
    return (int64_t)(value >> 1) ^ -(int64_t)(value & 1);
}

static inline void
tk_put_varint(struct tk_buf *out, uint64_t value)
{
    if (out->capacity - out->len < TK_VARINT_MAX && tk_buf_reserve(out, TK_VARINT_MAX) == NULL)
        return;
    while (value >= 0x80) {
        out->ptr[out->len++] = (char)(value | 0x80);
        value >>= 7;
    }
    out->ptr[out->len++] = (char)value;
}

static inline void
tk_put_bytes(struct tk_buf *out, const void *bytes, size_t size)
{
    tk_buf_append(out, (tk_str){bytes, size});
}

struct tk_reader {
    const unsigned char *at, *end;
    bool ok;
};

static inline size_t
tk_reader_left(const struct tk_reader *in)
{
    return (size_t)(in->end - in->at);
}

static inline uint64_t
tk_get_varint(struct tk_reader *in)
{
    uint64_t value = 0;
    for (unsigned shift = 0; in->at < in->end && shift < 64; shift += 7) {
        unsigned char byte = *in->at++;
        value |= (uint64_t)(byte & 0x7F) << shift;
        if (byte < 0x80)
            return value;
    }
    in->ok = false;
    in->at = in->end;
    return 0;
}

/* A number of things of which each takes a byte or more of what is left. */
static inline uint32_t
tk_get_count(struct tk_reader *in)
{
    uint64_t count = tk_get_varint(in);
    if (count > tk_reader_left(in) || count > INT32_MAX) {
        in->ok = false;
        return 0;
    }
    return (uint32_t)count;
}

/* A number below 2^32. */
static inline uint32_t
tk_get_u32(struct tk_reader *in)
{
    uint64_t value = tk_get_varint(in);
    if (value > UINT32_MAX) {
        in->ok = false;
        return 0;
    }
    return (uint32_t)value;
}

static inline const void *
tk_get_bytes(struct tk_reader *in, size_t size) /* NULL: not so many left */
{
    if (size > tk_reader_left(in)) {
        in->ok = false;
        return NULL;
    }
    const unsigned char *at = in->at;
    in->at += size;
    return at;
}

static inline uint64_t
tk_get_u64(struct tk_reader *in) /* eight bytes, little-endian */
{
    uint64_t value = 0;
    const void *bytes = tk_get_bytes(in, sizeof value);
    if (bytes != NULL)
        memcpy(&value, bytes, sizeof value);
    return value;
}

#endif
