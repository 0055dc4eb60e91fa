#ifndef TK_WIRE_PROTOBUF_H
#define TK_WIRE_PROTOBUF_H
/*
 * protobuf - the wire format (protobuf.dev/programming-guides/encoding), read in place and written
 * into a tk_buf.  Knows nothing of OTLP.
 *
 * Reading: one cursor walks the whole body; messages nest as ends that callers hold.  A function
 * that returns false has set `problem` and `problem_at`, and the reader is of no more use.
 * Groups are skipped when nobody knows their field.  A varint beyond 64 bits is an error.
 */
#include "base/bytes.h"

enum tk_pb_type {
    TK_PB_VARINT = 0,
    TK_PB_FIXED64 = 1,
    TK_PB_LENGTH = 2,
    TK_PB_GROUP = 3,
    TK_PB_GROUP_END = 4,
    TK_PB_FIXED32 = 5,
};

enum { TK_PB_GROUP_DEPTH_MAX = 64 };

/* The tag of a field: what stands in front of it on the wire. */
#define TK_PB_TAG(number, type) ((uint32_t)(number) << 3 | (uint32_t)(type))

struct tk_pb {
    const char *at;
    const char *tag_at;     /* the field being read */
    const char *problem_at; /* NULL: none */
    const char *problem;    /* static text */
    bool must_merge;        /* set by value.h */
};

static inline struct tk_pb
tk_pb_reader(tk_str body)
{
    return (struct tk_pb){.at = body.ptr, .tag_at = body.ptr};
}

static inline bool
tk_pb_fail(struct tk_pb *pb, const char *at, const char *problem)
{
    pb->problem_at = at;
    pb->problem = problem;
    return false;
}

/* A varint of one or two bytes, which nearly all are: returns what lies behind it, or NULL (cut
   short, or longer). */
static inline const char *
tk_pb_short_varint(const char *at, const char *end, size_t *ret_value)
{
    if (at >= end)
        return NULL;
    size_t low = (unsigned char)*at++;
    if (low < 0x80) {
        *ret_value = low;
        return at;
    }
    if (at >= end || *at < 0)
        return NULL;
    *ret_value = (low & 0x7F) | (size_t)*at++ << 7;
    return at;
}

bool tk_pb_read_long_varint(struct tk_pb *pb, const char *end, uint64_t *ret_value);

static inline bool
tk_pb_read_varint(struct tk_pb *pb, const char *end, uint64_t *ret_value)
{
    size_t value;
    const char *at = tk_pb_short_varint(pb->at, end, &value);
    if (at == NULL)
        return tk_pb_read_long_varint(pb, end, ret_value);
    pb->at = at;
    *ret_value = value;
    return true;
}

/* A tag with a field number from 1 to 2^29 - 1. */
static inline bool
tk_pb_read_tag(struct tk_pb *pb, const char *end, uint32_t *ret_tag)
{
    uint64_t tag;
    pb->tag_at = pb->at;
    if (!tk_pb_read_varint(pb, end, &tag))
        return false;
    if (tag < TK_PB_TAG(1, 0) || tag > UINT32_MAX)
        return tk_pb_fail(pb, pb->tag_at, "field number out of range");
    *ret_tag = (uint32_t)tag;
    return true;
}

static inline bool
tk_pb_read_bytes(struct tk_pb *pb, const char *end, tk_str *ret_bytes)
{
    uint64_t len;
    if (!tk_pb_read_varint(pb, end, &len))
        return false;
    if (len > (uint64_t)(end - pb->at))
        return tk_pb_fail(pb, pb->tag_at, "length goes past the end");
    *ret_bytes = (tk_str){pb->at, (size_t)len};
    pb->at += len;
    return true;
}

static inline bool
tk_pb_read_fixed64(struct tk_pb *pb, const char *end, uint64_t *ret_value)
{
    if (end - pb->at < 8)
        return tk_pb_fail(pb, pb->tag_at, "cut short");
    memcpy(ret_value, pb->at, 8);
    pb->at += 8;
    return true;
}

static inline bool
tk_pb_read_fixed32(struct tk_pb *pb, const char *end, uint32_t *ret_value)
{
    if (end - pb->at < 4)
        return tk_pb_fail(pb, pb->tag_at, "cut short");
    memcpy(ret_value, pb->at, 4);
    pb->at += 4;
    return true;
}

/* Bytes that must be UTF-8. */
bool tk_pb_check_text(struct tk_pb *pb, tk_str text);
static inline bool
tk_pb_read_text(struct tk_pb *pb, const char *end, tk_str *ret_text)
{
    return tk_pb_read_bytes(pb, end, ret_text) &&
           (tk_is_ascii(*ret_text) || tk_pb_check_text(pb, *ret_text));
}
/* The value behind a tag just read, whatever it is. */
bool tk_pb_skip(struct tk_pb *pb, const char *end, uint32_t tag);

/* Writing.  A failure shows in out->status. */
void tk_pb_put_varint(struct tk_buf *out, uint64_t value);
void tk_pb_put_tag(struct tk_buf *out, uint32_t number, enum tk_pb_type type);
void tk_pb_put_bytes(struct tk_buf *out, uint32_t number, tk_str bytes);
void tk_pb_put_fixed64(struct tk_buf *out, uint32_t number, uint64_t value);
void tk_pb_put_fixed32(struct tk_buf *out, uint32_t number, uint32_t value);
/* As proto3 does: nothing when it is empty or zero. */
void tk_pb_put_bytes_unless_empty(struct tk_buf *out, uint32_t number, tk_str bytes);
void tk_pb_put_varint_unless_zero(struct tk_buf *out, uint32_t number, uint64_t value);
/* A message in a message: everything put between begin and end. */
size_t tk_pb_begin(struct tk_buf *out, uint32_t number);
void tk_pb_end(struct tk_buf *out, size_t begun);

#endif
