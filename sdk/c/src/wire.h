#ifndef TK_WIRE_H
#define TK_WIRE_H
/*
 * wire - protobuf's building blocks, inline: they are what recording a span costs.
 *
 * Writers take where to write and give where they stopped; whoever calls has made room. Field
 * numbers are opentelemetry-proto's trace.proto and common.proto; a tag is number << 3 | wire type,
 * one byte up to number 15.
 */
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

enum {
    TK_TAG_SPAN = 0x12, /* ScopeSpans.spans */

    TK_TAG_TRACE_ID = 0x0a,
    TK_TAG_SPAN_ID = 0x12,
    TK_TAG_TRACE_STATE = 0x1a,
    TK_TAG_PARENT_ID = 0x22,
    TK_TAG_NAME = 0x2a,
    TK_TAG_KIND = 0x30,
    TK_TAG_START = 0x39,
    TK_TAG_END = 0x41,
    TK_TAG_ATTRIBUTE = 0x4a,
    TK_TAG_DROPPED_ATTRIBUTES = 0x50,
    TK_TAG_EVENT = 0x5a,
    TK_TAG_DROPPED_EVENTS = 0x60,
    TK_TAG_LINK = 0x6a,
    TK_TAG_DROPPED_LINKS = 0x70,
    TK_TAG_STATUS = 0x7a,
    TK_TAG_FLAGS = 0x0185, /* two bytes: 85 01 */

    TK_TAG_KEY = 0x0a,
    TK_TAG_VALUE = 0x12,

    TK_TAG_VALUE_STRING = 0x0a,
    TK_TAG_VALUE_BOOL = 0x10,
    TK_TAG_VALUE_INT = 0x18,
    TK_TAG_VALUE_DOUBLE = 0x21,
    TK_TAG_VALUE_ARRAY = 0x2a,
    TK_TAG_VALUE_MAP = 0x32,
    TK_TAG_VALUE_BYTES = 0x3a,
    TK_TAG_ITEM = 0x0a, /* ArrayValue.values, KeyValueList.values */

    TK_VARINT_MAX = 10,
    TK_LENGTH_SIZE_MAX = 5,
};

static inline uint32_t
tk_varint_size(uint64_t value)
{
    uint32_t size = 1;
    while (value >= 0x80) {
        value >>= 7;
        size++;
    }
    return size;
}

static inline uint8_t *
tk_put_varint(uint8_t *to, uint64_t value)
{
    while (value >= 0x80) {
        *to++ = (uint8_t)(value | 0x80);
        value >>= 7;
    }
    *to++ = (uint8_t)value;
    return to;
}

/* Little-endian, whatever the machine is. */
static inline uint8_t *
tk_put_fixed32(uint8_t *to, uint32_t value)
{
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    value = __builtin_bswap32(value);
#endif
    memcpy(to, &value, sizeof value);
    return to + sizeof value;
}

static inline uint8_t *
tk_put_fixed64(uint8_t *to, uint64_t value)
{
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    value = __builtin_bswap64(value);
#endif
    memcpy(to, &value, sizeof value);
    return to + sizeof value;
}

/* Reads a varint of at most 32 bits that this library wrote itself. */
static inline const uint8_t *
tk_get_length(const uint8_t *from, uint32_t *ret_length)
{
    uint32_t length = *from & 0x7fU;
    for (int shift = 7; *from++ & 0x80; shift += 7)
        length |= (*from & 0x7fU) << shift;
    *ret_length = length;
    return from;
}

/* Sixteen bytes at once, where the machine can. */
typedef uint64_t tk_pair __attribute__((vector_size(16)));

/* Copies text and says whether all of it is ASCII. Short texts are most there is: two loads that
 * overlap, and no call. */
static inline bool
tk_copy_ascii(uint8_t *to, const char *from, size_t size)
{
    if (size >= 16) {
        tk_pair pair, seen = {0, 0};
        for (size_t at = 0; at + 16 < size; at += 16) {
            memcpy(&pair, from + at, 16);
            memcpy(to + at, &pair, 16);
            seen |= pair;
        }
        memcpy(&pair, from + size - 16, 16);
        memcpy(to + size - 16, &pair, 16);
        seen |= pair;
        return ((seen[0] | seen[1]) & 0x8080808080808080ULL) == 0;
    }
    if (size >= 8) {
        uint64_t first, last;
        memcpy(&first, from, 8);
        memcpy(&last, from + size - 8, 8);
        memcpy(to, &first, 8);
        memcpy(to + size - 8, &last, 8);
        return ((first | last) & 0x8080808080808080ULL) == 0;
    }
    if (size >= 4) {
        uint32_t first, last;
        memcpy(&first, from, 4);
        memcpy(&last, from + size - 4, 4);
        memcpy(to, &first, 4);
        memcpy(to + size - 4, &last, 4);
        return ((first | last) & 0x80808080U) == 0;
    }
    if (size == 0)
        return true;
    uint8_t first = (uint8_t)from[0], middle = (uint8_t)from[size / 2],
            last = (uint8_t)from[size - 1];
    to[0] = first;
    to[size / 2] = middle;
    to[size - 1] = last;
    return ((first | middle | last) & 0x80) == 0;
}

#endif
