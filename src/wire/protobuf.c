/*
 * protobuf - see protobuf.h.
 *
 * tk_pb_end() learns the length of a message only when it is complete: tk_pb_begin() leaves one
 * byte for it, and a longer length moves the message.  One memmove per level is cheaper than
 * measuring everything first, and the shortest form is what other encoders write.
 */
#include "wire/protobuf.h"

#include "base/assert.h"

enum { VARINT_SIZE_MAX = 10 };

bool
tk_pb_read_long_varint(struct tk_pb *pb, const char *end, uint64_t *ret_value)
{
    uint64_t value = 0;
    for (unsigned i = 0; i < VARINT_SIZE_MAX; i++) {
        if (pb->at + i >= end)
            return tk_pb_fail(pb, pb->tag_at, "varint cut short");
        uint64_t byte = (unsigned char)pb->at[i];
        if (i == VARINT_SIZE_MAX - 1 && byte > 1)
            break;
        value |= (byte & 0x7F) << (7 * i);
        if (byte < 0x80) {
            pb->at += i + 1;
            *ret_value = value;
            return true;
        }
    }
    return tk_pb_fail(pb, pb->tag_at, "varint beyond 64 bits");
}

bool
tk_pb_check_text(struct tk_pb *pb, tk_str text)
{
    size_t bad;
    return tk_utf8_valid(text, &bad) || tk_pb_fail(pb, text.ptr + bad, "invalid UTF-8");
}

/* Everything up to the end of the group whose tag has been read; groups in it are counted, not
   recursed into. */
static bool
skip_group(struct tk_pb *pb, const char *end, uint32_t tag)
{
    uint32_t open[TK_PB_GROUP_DEPTH_MAX]; /* field numbers */
    const char *group_at = pb->tag_at;
    size_t depth = 0;
    open[depth++] = tag >> 3;
    while (depth > 0) {
        if (pb->at >= end)
            return tk_pb_fail(pb, group_at, "group without an end");
        if (!tk_pb_read_tag(pb, end, &tag))
            return false;
        if ((tag & 7) == TK_PB_GROUP) {
            if (depth == TK_PB_GROUP_DEPTH_MAX)
                return tk_pb_fail(pb, pb->tag_at, "groups nested too deep");
            open[depth++] = tag >> 3;
        } else if ((tag & 7) == TK_PB_GROUP_END) {
            if (open[--depth] != tag >> 3)
                return tk_pb_fail(pb, pb->tag_at, "end of another group");
        } else if (!tk_pb_skip(pb, end, tag)) {
            return false;
        }
    }
    return true;
}

bool
tk_pb_skip(struct tk_pb *pb, const char *end, uint32_t tag)
{
    uint64_t wide;
    uint32_t narrow;
    tk_str bytes;
    switch (tag & 7) {
    case TK_PB_VARINT:
        return tk_pb_read_varint(pb, end, &wide);
    case TK_PB_FIXED64:
        return tk_pb_read_fixed64(pb, end, &wide);
    case TK_PB_LENGTH:
        return tk_pb_read_bytes(pb, end, &bytes);
    case TK_PB_GROUP:
        return skip_group(pb, end, tag);
    case TK_PB_GROUP_END:
        return tk_pb_fail(pb, pb->tag_at, "end of a group that was not begun");
    case TK_PB_FIXED32:
        return tk_pb_read_fixed32(pb, end, &narrow);
    default:
        return tk_pb_fail(pb, pb->tag_at, "unknown wire type");
    }
}

static size_t
encode_varint(uint64_t value, char bytes[VARINT_SIZE_MAX])
{
    size_t len = 0;
    for (; value >= 0x80; value >>= 7)
        bytes[len++] = (char)(value | 0x80);
    bytes[len++] = (char)value;
    return len;
}

void
tk_pb_put_varint(struct tk_buf *out, uint64_t value)
{
    char bytes[VARINT_SIZE_MAX];
    tk_buf_append(out, (tk_str){bytes, encode_varint(value, bytes)});
}

void
tk_pb_put_tag(struct tk_buf *out, uint32_t number, enum tk_pb_type type)
{
    tk_pb_put_varint(out, TK_PB_TAG(number, type));
}

void
tk_pb_put_bytes(struct tk_buf *out, uint32_t number, tk_str bytes)
{
    tk_pb_put_tag(out, number, TK_PB_LENGTH);
    tk_pb_put_varint(out, bytes.len);
    tk_buf_append(out, bytes);
}

void
tk_pb_put_fixed64(struct tk_buf *out, uint32_t number, uint64_t value)
{
    tk_pb_put_tag(out, number, TK_PB_FIXED64);
    tk_buf_append(out, (tk_str){(const char *)&value, sizeof value});
}

void
tk_pb_put_fixed32(struct tk_buf *out, uint32_t number, uint32_t value)
{
    tk_pb_put_tag(out, number, TK_PB_FIXED32);
    tk_buf_append(out, (tk_str){(const char *)&value, sizeof value});
}

void
tk_pb_put_bytes_unless_empty(struct tk_buf *out, uint32_t number, tk_str bytes)
{
    if (bytes.len > 0)
        tk_pb_put_bytes(out, number, bytes);
}

void
tk_pb_put_varint_unless_zero(struct tk_buf *out, uint32_t number, uint64_t value)
{
    if (value == 0)
        return;
    tk_pb_put_tag(out, number, TK_PB_VARINT);
    tk_pb_put_varint(out, value);
}

size_t
tk_pb_begin(struct tk_buf *out, uint32_t number)
{
    tk_pb_put_tag(out, number, TK_PB_LENGTH);
    tk_buf_append_char(out, 0); /* the length, mostly */
    return out->len;
}

void
tk_pb_end(struct tk_buf *out, size_t begun)
{
    char bytes[VARINT_SIZE_MAX];
    if (out->status != TK_OK)
        return;
    TK_ASSERT(begun > 0 && begun <= out->len);
    size_t body_len = out->len - begun;
    size_t len_size = encode_varint(body_len, bytes);
    if (len_size > 1) {
        if (tk_buf_reserve(out, len_size - 1) == NULL)
            return;
        memmove(out->ptr + begun + len_size - 1, out->ptr + begun, body_len);
        out->len += len_size - 1;
    }
    memcpy(out->ptr + begun - 1, bytes, len_size);
}
