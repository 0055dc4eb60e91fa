/*
 * record - a span as the OTLP bytes it will be.
 *
 * `bytes` holds fields of the message Span in the order they were set: at most one traceState, then
 * name, attributes, events, links, status. Protobuf lets them stand in any order. Invariants:
 *
 * 1. Every field in it is length-delimited and has a tag of one byte, so that skipping is one step
 * per field.
 * 2. There is at most one name, one status, and one attribute of a key: what is set again takes the
 * old one out first.
 * 3. A call either writes its field whole or, when there is no room, nothing, and counts it.
 *
 * A key is looked for only when its bit in `keys` is set: nearly always, a key that is new is known
 * to be new.
 */
#include "record.h"

#include "utf8.h"
#include "wire.h"

#include <tracekit.h>

enum { FIRST_CAPACITY = 1024 };

/* Makes room for so many more bytes. */
static bool
room(tracekit_record *record, size_t more)
{
    size_t wanted = record->size + more;
    if (wanted <= record->capacity)
        return true;
    if (wanted > TK_SPAN_BYTES_MAX || record->grow == NULL)
        return false;
    size_t capacity = record->capacity > 0 ? record->capacity : FIRST_CAPACITY;
    while (capacity < wanted)
        capacity *= 2;
    if (capacity > TK_SPAN_BYTES_MAX)
        capacity = TK_SPAN_BYTES_MAX;
    return record->grow(record, (uint32_t)capacity);
}

/* Text with its tag and length; the caller has made room for TK_TEXT_SIZE_MAX(size). */
#define TK_TEXT_SIZE_MAX(size) (1 + TK_LENGTH_SIZE_MAX + TK_UTF8_GROWTH * (size_t)(size))

enum { LONG_TEXT = 256 };

/* The same for texts that may be long: what is exact costs a look at them. */
static inline size_t
text_room(const char *text, size_t size)
{
    if (size < LONG_TEXT || text == NULL)
        return TK_TEXT_SIZE_MAX(size);
    return 1 + TK_LENGTH_SIZE_MAX + tk_utf8_size(text, size);
}

static uint8_t *
put_text_slowly(uint8_t *to, uint8_t tag, const char *text, size_t size)
{
    uint8_t *start = to + 1 + TK_LENGTH_SIZE_MAX;
    size_t valid = tk_utf8_copy(start, text, size);
    *to = tag;
    to = tk_put_varint(to + 1, valid);
    memmove(to, start, valid);
    return to + valid;
}

static inline uint8_t *
put_text(uint8_t *to, uint8_t tag, const char *text, size_t size)
{
    uint8_t *start = to;
    *to++ = tag;
    to = tk_put_varint(to, size);
    if (!tk_copy_ascii(to, text, size))
        return put_text_slowly(start, tag, text, size);
    return to + size;
}

static uint8_t *
end_of(const tracekit_record *record)
{
    return record->bytes + record->size;
}

static void
set_end(tracekit_record *record, const uint8_t *end)
{
    record->size = (uint32_t)(end - record->bytes);
}

/* ---- what is there already ---- */

static uint8_t *
next_field(uint8_t *field)
{
    uint32_t length;
    uint8_t *body = field + (tk_get_length(field + 1, &length) - field);
    return body + length;
}

static void
take_out(tracekit_record *record, uint8_t *field)
{
    uint8_t *next = next_field(field);
    memmove(field, next, (size_t)(end_of(record) - next));
    record->size -= (uint32_t)(next - field);
}

static uint8_t *
find_field(const tracekit_record *record, uint8_t tag)
{
    for (uint8_t *field = record->bytes; field < end_of(record); field = next_field(field))
        if (*field == tag)
            return field;
    return NULL;
}

static uint8_t *
find_attribute(const tracekit_record *record, const char *key, size_t key_size)
{
    for (uint8_t *field = record->bytes; field < end_of(record); field = next_field(field)) {
        if (*field != TK_TAG_ATTRIBUTE)
            continue;
        uint32_t length, size;
        const uint8_t *text = tk_get_length(field + 1, &length) + 1;
        text = tk_get_length(text, &size);
        if (size == key_size && memcmp(text, key, size) == 0)
            return field;
    }
    return NULL;
}

/* Of the first and the last eight bytes and the size: keys share prefixes, seldom all three. */
static inline unsigned
key_bit(const char *key, size_t size)
{
    uint64_t first = (uint8_t)key[0], last = (uint8_t)key[size - 1];
    if (size >= 8) {
        memcpy(&first, key, 8);
        memcpy(&last, key + size - 8, 8);
    }
    return (unsigned)((first + 3 * last + size) * 0x9e3779b97f4a7c15ULL >> 56);
}

/* Makes room for an attribute: takes out the one with the same key; says no when there are too
 * many. */
static inline bool
begin_attribute(tracekit_record *record, const char *key, size_t key_size, size_t value_size)
{
    unsigned bit = key_bit(key, key_size);
    uint64_t *keys = &record->keys[bit / 64], mask = 1ULL << bit % 64;
    if (*keys & mask) {
        uint8_t *old = find_attribute(record, key, key_size);
        if (old != NULL) {
            take_out(record, old);
            record->attributes--;
        }
    }
    size_t most = 2 * (1 + TK_LENGTH_SIZE_MAX) + text_room(key, key_size) + value_size;
    if (record->attributes >= TK_ATTRIBUTES_MAX || !room(record, most)) {
        record->dropped_attributes++;
        return false;
    }
    *keys |= mask;
    record->attributes++;
    return true;
}

/* Keys as long as values may be, but no longer. An empty key is none. */
static inline bool
valid_key(const char *key, size_t *size)
{
    if (key == NULL || *size == 0)
        return false;
    if (*size > TK_TEXT_MAX)
        *size = tk_utf8_cut(key, *size, TK_TEXT_MAX);
    return true;
}

/* ---- messages whose size is known at their end ---- */

/* Writes the tag and leaves a byte for the length. */
static uint8_t *
open_message(uint8_t *to, uint8_t tag, uint8_t **ret_body)
{
    *to = tag;
    *ret_body = to + 2;
    return to + 2;
}

/* Puts the length in front of the body, moving it when one byte is too few. Needs
 * TK_LENGTH_SIZE_MAX - 1 bytes more. */
static uint8_t *
close_message(uint8_t *body, uint8_t *end)
{
    size_t size = (size_t)(end - body);
    uint32_t more = tk_varint_size(size) - 1;
    if (more > 0)
        memmove(body + more, body, size);
    tk_put_varint(body - 1, size);
    return end + more;
}

/* ---- values ---- */

static size_t value_size_max(const tracekit_value *value, int depth);

static size_t
least(size_t a, size_t b)
{
    return a < b ? a : b;
}

static size_t
attribute_size_max(const tracekit_attribute *attribute, int depth)
{
    size_t key = attribute->key != NULL ? least(strlen(attribute->key), TK_TEXT_MAX) : 0;
    return 2 * (1 + TK_LENGTH_SIZE_MAX) + text_room(attribute->key, key) +
           value_size_max(&attribute->value, depth);
}

/* The most bytes an AnyValue with its tag can take. Beyond a span's limit the sum does not matter.
 */
static size_t
value_size_max(const tracekit_value *value, int depth)
{
    size_t sum = 2 * (1 + TK_LENGTH_SIZE_MAX) + TK_VARINT_MAX;
    if (value->type == TRACEKIT_TYPE_STRING)
        return sum + text_room(value->as.bytes.start, least(value->as.bytes.size, TK_TEXT_MAX));
    if (value->type == TRACEKIT_TYPE_BYTES)
        return sum + least(value->as.bytes.size, TK_TEXT_MAX);
    if (depth >= TK_VALUE_DEPTH_MAX)
        return sum;
    if (value->type == TRACEKIT_TYPE_ARRAY)
        for (size_t i = 0;
             i < least(value->as.array.count, TK_ATTRIBUTES_MAX) && sum <= TK_SPAN_BYTES_MAX; i++)
            sum += value_size_max(&value->as.array.items[i], depth + 1);
    if (value->type == TRACEKIT_TYPE_MAP)
        for (size_t i = 0;
             i < least(value->as.map.count, TK_ATTRIBUTES_MAX) && sum <= TK_SPAN_BYTES_MAX; i++)
            sum += attribute_size_max(&value->as.map.items[i], depth + 1);
    return sum;
}

static uint8_t *put_value(uint8_t *to, const tracekit_value *value, int depth);

/* KeyValue behind `tag`. An attribute without a key is left out. */
static uint8_t *
put_attribute(uint8_t *to, uint8_t tag, const tracekit_attribute *attribute, int depth)
{
    size_t key_size = attribute->key != NULL ? strlen(attribute->key) : 0;
    if (!valid_key(attribute->key, &key_size))
        return to;
    uint8_t *body, *value;
    to = open_message(to, tag, &body);
    to = put_text(to, TK_TAG_KEY, attribute->key, key_size);
    to = open_message(to, TK_TAG_VALUE, &value);
    to = close_message(value, put_value(to, &attribute->value, depth));
    return close_message(body, to);
}

static uint8_t *
put_list(uint8_t *to, const tracekit_value *value, int depth)
{
    bool array = value->type == TRACEKIT_TYPE_ARRAY;
    size_t count = array ? value->as.array.count : value->as.map.count;
    uint8_t *list, *item;
    to = open_message(to, array ? TK_TAG_VALUE_ARRAY : TK_TAG_VALUE_MAP, &list);
    for (size_t i = 0; i < least(count, TK_ATTRIBUTES_MAX) && depth < TK_VALUE_DEPTH_MAX; i++) {
        if (array) {
            to = open_message(to, TK_TAG_ITEM, &item);
            to = close_message(item, put_value(to, &value->as.array.items[i], depth + 1));
        } else {
            to = put_attribute(to, TK_TAG_ITEM, &value->as.map.items[i], depth + 1);
        }
    }
    return close_message(list, to);
}

/* The fields of AnyValue, without a tag around them; an unknown type and a missing string are an
 * empty value. */
static uint8_t *
put_value(uint8_t *to, const tracekit_value *value, int depth)
{
    const char *start = value->as.bytes.start;
    switch (value->type) {
    case TRACEKIT_TYPE_STRING:
        if (start == NULL)
            return to;
        return put_text(to, TK_TAG_VALUE_STRING, start,
                        tk_utf8_cut(start, value->as.bytes.size, TK_TEXT_MAX));
    case TRACEKIT_TYPE_BYTES: {
        size_t size = start != NULL ? least(value->as.bytes.size, TK_TEXT_MAX) : 0;
        *to = TK_TAG_VALUE_BYTES;
        to = tk_put_varint(to + 1, size);
        if (size > 0)
            memcpy(to, start, size);
        return to + size;
    }
    case TRACEKIT_TYPE_INT:
        *to = TK_TAG_VALUE_INT;
        return tk_put_varint(to + 1, (uint64_t)value->as.integer);
    case TRACEKIT_TYPE_DOUBLE: {
        uint64_t bits;
        memcpy(&bits, &value->as.number, sizeof bits);
        *to = TK_TAG_VALUE_DOUBLE;
        return tk_put_fixed64(to + 1, bits);
    }
    case TRACEKIT_TYPE_BOOL:
        to[0] = TK_TAG_VALUE_BOOL;
        to[1] = value->as.boolean;
        return to + 2;
    case TRACEKIT_TYPE_ARRAY:
    case TRACEKIT_TYPE_MAP:
        return put_list(to, value, depth);
    }
    return to;
}

/* ---- the calls ---- */

bool
tracekit_record_begin(tracekit_record *record, void *bytes, uint32_t capacity,
                      const char *tracestate, size_t tracestate_size, const char *name,
                      size_t name_size)
{
    bool (*grow)(tracekit_record *, uint32_t) = record->grow;
    *record = (tracekit_record){.bytes = bytes, .capacity = capacity, .grow = grow};
    if (name_size > TK_TEXT_MAX)
        name_size = tk_utf8_cut(name, name_size, TK_TEXT_MAX);
    if (!room(record, TK_TEXT_SIZE_MAX(tracestate_size) + TK_TEXT_SIZE_MAX(name_size)))
        return false;
    uint8_t *to = record->bytes;
    if (tracestate_size > 0)
        to = put_text(to, TK_TAG_TRACE_STATE, tracestate, tracestate_size);
    set_end(record, put_text(to, TK_TAG_NAME, name, name_size));
    return true;
}

void
tk_record_first_name(tracekit_record *record, const char *name, size_t name_size)
{
    if (name_size > TK_TEXT_MAX)
        name_size = tk_utf8_cut(name, name_size, TK_TEXT_MAX);
    if (room(record, TK_TEXT_SIZE_MAX(name_size)))
        set_end(record, put_text(end_of(record), TK_TAG_NAME, name, name_size));
}

void
tracekit_record_name(tracekit_record *record, const char *name, size_t name_size)
{
    name_size = tk_utf8_cut(name, name_size, TK_TEXT_MAX);
    if (!room(record, TK_TEXT_SIZE_MAX(name_size)))
        return;
    uint8_t *old = find_field(record, TK_TAG_NAME);
    if (old != NULL)
        take_out(record, old);
    set_end(record, put_text(end_of(record), TK_TAG_NAME, name, name_size));
}

void
tracekit_record_status(tracekit_record *record, tracekit_status status, const char *message,
                       size_t message_size)
{
    if (message == NULL || status != TRACEKIT_STATUS_ERROR)
        message_size = 0;
    message_size = tk_utf8_cut(message, message_size, TK_TEXT_MAX);
    uint8_t *old = find_field(record, TK_TAG_STATUS), *body;
    if (old != NULL)
        take_out(record, old);
    record->failed = status == TRACEKIT_STATUS_ERROR;
    if (status == TRACEKIT_STATUS_UNSET ||
        !room(record, 2 * TK_LENGTH_SIZE_MAX + 4 + TK_TEXT_SIZE_MAX(message_size)))
        return;
    uint8_t *to = open_message(end_of(record), TK_TAG_STATUS, &body);
    if (message_size > 0)
        to = put_text(to, 0x12, message, message_size);
    *to++ = 0x18;
    *to++ = (uint8_t)status;
    set_end(record, close_message(body, to));
}

/*
 * The commonest by far, quickly: a key that is new, texts that are short, so that all lengths are
 * one byte, ASCII, and room for them. Gives where the attribute begins, and the bit of its key, or
 * NULL: then it is nothing yet, and goes the long way.
 */
enum { SHORT_MAX = 0x7f - 6, SHORT_ROOM = 0x7f + 2 };

static inline uint8_t *
short_room(tracekit_record *record, const char *key, size_t key_size, size_t value_size,
           unsigned *ret_bit)
{
    if (key == NULL || key_size - 1 >= SHORT_MAX || key_size + value_size > SHORT_MAX ||
        record->capacity - record->size < SHORT_ROOM || record->attributes >= TK_ATTRIBUTES_MAX)
        return NULL;
    *ret_bit = key_bit(key, key_size);
    if (record->keys[*ret_bit / 64] >> *ret_bit % 64 & 1)
        return NULL;
    return end_of(record);
}

/* The attribute's key and the tag of its value, whose size with its own tag is known. */
static inline uint8_t *
put_short_key(uint8_t *to, const char *key, size_t key_size, size_t value_size, bool *ret_ascii)
{
    to[0] = TK_TAG_ATTRIBUTE;
    to[1] = (uint8_t)(key_size + value_size + 4);
    to[2] = TK_TAG_KEY;
    to[3] = (uint8_t)key_size;
    *ret_ascii = tk_copy_ascii(to + 4, key, key_size);
    to += 4 + key_size;
    to[0] = TK_TAG_VALUE;
    to[1] = (uint8_t)value_size;
    return to + 2;
}

static inline void
added_short(tracekit_record *record, unsigned bit, const uint8_t *end)
{
    record->keys[bit / 64] |= 1ULL << bit % 64;
    record->attributes++;
    set_end(record, end);
}

static __attribute__((noinline)) void
record_string_slowly(tracekit_record *record, const char *key, size_t key_size, const char *value,
                     size_t value_size)
{
    if (!valid_key(key, &key_size) || value == NULL)
        return;
    if (value_size > TK_TEXT_MAX)
        value_size = tk_utf8_cut(value, value_size, TK_TEXT_MAX);
    if (!begin_attribute(record, key, key_size, text_room(value, value_size)))
        return;
    uint8_t *body, *inner, *to = end_of(record);
    to = put_text(open_message(to, TK_TAG_ATTRIBUTE, &body), TK_TAG_KEY, key, key_size);
    to = put_text(open_message(to, TK_TAG_VALUE, &inner), TK_TAG_VALUE_STRING, value, value_size);
    set_end(record, close_message(body, close_message(inner, to)));
}

void
tracekit_record_string(tracekit_record *record, const char *key, size_t key_size, const char *value,
                       size_t value_size)
{
    unsigned bit;
    uint8_t *to = value_size <= SHORT_MAX && value != NULL
                      ? short_room(record, key, key_size, value_size, &bit)
                      : NULL;
    if (to != NULL) {
        bool ascii;
        to = put_short_key(to, key, key_size, value_size + 2, &ascii);
        to[0] = TK_TAG_VALUE_STRING;
        to[1] = (uint8_t)value_size;
        if (ascii & tk_copy_ascii(to + 2, value, value_size)) {
            added_short(record, bit, to + 2 + value_size);
            return;
        }
    }
    record_string_slowly(record, key, key_size, value, value_size);
}

/* A number is its tag and at most ten bytes. */
enum { NUMBER_MAX = 1 + TK_VARINT_MAX };

static __attribute__((noinline)) void
record_number_slowly(tracekit_record *record, const char *key, size_t key_size,
                     const uint8_t *number, size_t size)
{
    if (!valid_key(key, &key_size) || !begin_attribute(record, key, key_size, NUMBER_MAX))
        return;
    uint8_t *body, *to = open_message(end_of(record), TK_TAG_ATTRIBUTE, &body);
    to = put_text(to, TK_TAG_KEY, key, key_size);
    to[0] = TK_TAG_VALUE;
    to[1] = (uint8_t)size;
    memcpy(to + 2, number, size);
    set_end(record, close_message(body, to + 2 + size));
}

/* `number` has NUMBER_MAX bytes, of which the first `size` count. */
static inline void
record_number(tracekit_record *record, const char *key, size_t key_size, const uint8_t *number,
              size_t size)
{
    unsigned bit;
    uint8_t *to = short_room(record, key, key_size, NUMBER_MAX, &bit);
    bool ascii = false;
    if (to != NULL)
        to = put_short_key(to, key, key_size, size, &ascii);
    if (!ascii) {
        record_number_slowly(record, key, key_size, number, size);
        return;
    }
    memcpy(to, number, NUMBER_MAX);
    added_short(record, bit, to + size);
}

void
tracekit_record_int(tracekit_record *record, const char *key, size_t key_size, int64_t value)
{
    uint8_t number[NUMBER_MAX] = {TK_TAG_VALUE_INT};
    uint8_t *end = tk_put_varint(number + 1, (uint64_t)value);
    record_number(record, key, key_size, number, (size_t)(end - number));
}

void
tracekit_record_double(tracekit_record *record, const char *key, size_t key_size, double value)
{
    uint8_t number[NUMBER_MAX] = {TK_TAG_VALUE_DOUBLE};
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    tk_put_fixed64(number + 1, bits);
    record_number(record, key, key_size, number, 1 + sizeof bits);
}

void
tracekit_record_bool(tracekit_record *record, const char *key, size_t key_size, bool value)
{
    const uint8_t number[NUMBER_MAX] = {TK_TAG_VALUE_BOOL, value};
    record_number(record, key, key_size, number, 2);
}

void
tracekit_record_value(tracekit_record *record, const char *key, size_t key_size,
                      const tracekit_value *value)
{
    if (!valid_key(key, &key_size) || value == NULL)
        return;
    if (!begin_attribute(record, key, key_size, value_size_max(value, 0)))
        return;
    uint8_t *body, *inner;
    uint8_t *to =
        put_text(open_message(end_of(record), TK_TAG_ATTRIBUTE, &body), TK_TAG_KEY, key, key_size);
    to = put_value(open_message(to, TK_TAG_VALUE, &inner), value, 0);
    set_end(record, close_message(body, close_message(inner, to)));
}

/* `tag`, a length and the bytes. */
static uint8_t *
put_bytes(uint8_t *to, uint8_t tag, const void *bytes, size_t size)
{
    *to = tag;
    to = tk_put_varint(to + 1, size);
    memcpy(to, bytes, size);
    return to + size;
}

void
tracekit_record_encoded(tracekit_record *record, const char *key, size_t key_size,
                        const void *value, size_t value_size)
{
    if (!valid_key(key, &key_size) ||
        !begin_attribute(record, key, key_size, 1 + TK_LENGTH_SIZE_MAX + value_size))
        return;
    uint8_t *body, *to = open_message(end_of(record), TK_TAG_ATTRIBUTE, &body);
    to = put_text(to, TK_TAG_KEY, key, key_size);
    set_end(record, close_message(body, put_bytes(to, TK_TAG_VALUE, value, value_size)));
}

void
tracekit_record_remove(tracekit_record *record, const char *key, size_t key_size)
{
    if (!valid_key(key, &key_size))
        return;
    uint8_t *old = find_attribute(record, key, key_size);
    if (old != NULL) {
        take_out(record, old);
        record->attributes--;
    }
}

/* An event or a link, if there may be one more. */
static void
put_whole(tracekit_record *record, uint8_t tag, const void *message, size_t size, uint8_t *count,
          uint32_t *dropped)
{
    if (*count >= TK_EVENTS_MAX || !room(record, 1 + TK_LENGTH_SIZE_MAX + size)) {
        ++*dropped;
        return;
    }
    set_end(record, put_bytes(end_of(record), tag, message, size));
    ++*count;
}

void
tracekit_record_encoded_event(tracekit_record *record, const void *event, size_t size)
{
    put_whole(record, TK_TAG_EVENT, event, size, &record->events, &record->dropped_events);
}

void
tracekit_record_encoded_link(tracekit_record *record, const void *link, size_t size)
{
    put_whole(record, TK_TAG_LINK, link, size, &record->links, &record->dropped_links);
}

void
tracekit_record_event(tracekit_record *record, uint64_t time_unix_nano, const char *name,
                      size_t name_size, const tracekit_attribute *attributes,
                      size_t attribute_count)
{
    name_size = tk_utf8_cut(name, name_size, TK_TEXT_MAX);
    size_t dropped = attribute_count > TK_ATTRIBUTES_MAX ? attribute_count - TK_ATTRIBUTES_MAX : 0;
    size_t most = 32 + TK_TEXT_SIZE_MAX(name_size);
    for (size_t i = 0; i < attribute_count - dropped && most <= TK_SPAN_BYTES_MAX; i++)
        most += attribute_size_max(&attributes[i], 0);
    if (record->events >= TK_EVENTS_MAX || !room(record, most)) {
        record->dropped_events++;
        return;
    }
    uint8_t *body, *to = open_message(end_of(record), TK_TAG_EVENT, &body);
    *to = 0x09;
    to = tk_put_fixed64(to + 1, time_unix_nano);
    to = put_text(to, 0x12, name, name_size);
    for (size_t i = 0; i < attribute_count - dropped; i++)
        to = put_attribute(to, 0x1a, &attributes[i], 0);
    if (dropped > 0) {
        *to = 0x20;
        to = tk_put_varint(to + 1, dropped);
    }
    set_end(record, close_message(body, to));
    record->events++;
}

void
tracekit_record_link(tracekit_record *record, const tracekit_context *link)
{
    if (record->links >= TK_LINKS_MAX ||
        !room(record, 64 + TK_TEXT_SIZE_MAX(link->tracestate_size))) {
        record->dropped_links++;
        return;
    }
    uint8_t *body, *to = open_message(end_of(record), TK_TAG_LINK, &body);
    *to++ = TK_TAG_TRACE_ID;
    *to++ = sizeof link->trace_id;
    memcpy(to, link->trace_id, sizeof link->trace_id);
    to += sizeof link->trace_id;
    *to++ = TK_TAG_SPAN_ID;
    *to++ = sizeof link->span_id;
    memcpy(to, link->span_id, sizeof link->span_id);
    to += sizeof link->span_id;
    if (link->tracestate_size > 0)
        to = put_text(to, TK_TAG_TRACE_STATE, link->tracestate, link->tracestate_size);
    *to++ = 0x35; /* Link.flags, fixed32 */
    to = tk_put_fixed32(to, link->flags | TK_REMOTE_IS_KNOWN | TK_IS_REMOTE);
    set_end(record, close_message(body, to));
    record->links++;
}

/* ---- the end ---- */

static bool
has_parent(const tracekit_identity *identity)
{
    uint64_t id;
    memcpy(&id, identity->parent_id, sizeof id);
    return id != 0;
}

/* Tags and values that are always there: ids, kind, times, flags. */
enum { FIXED_SIZE = 18 + 10 + 2 + 9 + 9 + 6, PARENT_SIZE = 10 };

static uint32_t
count_size(uint32_t count)
{
    return count > 0 ? 1 + tk_varint_size(count) : 0;
}

static uint32_t
body_size(const tracekit_record *record, const tracekit_identity *identity)
{
    uint32_t size = record->size + FIXED_SIZE + (has_parent(identity) ? PARENT_SIZE : 0);
    if (record->dropped_attributes | record->dropped_events | record->dropped_links)
        size += count_size(record->dropped_attributes) + count_size(record->dropped_events) +
                count_size(record->dropped_links);
    return size;
}

size_t
tracekit_record_size(const tracekit_record *record, const tracekit_identity *identity)
{
    uint32_t size = body_size(record, identity);
    return 1 + tk_varint_size(size) + size;
}

static uint8_t *
put_count(uint8_t *to, uint8_t tag, uint32_t count)
{
    if (count == 0)
        return to;
    *to = tag;
    return tk_put_varint(to + 1, count);
}

uint8_t *
tracekit_record_end(const tracekit_record *record, const tracekit_identity *identity, uint8_t *to)
{
    *to = TK_TAG_SPAN;
    to = tk_put_varint(to + 1, body_size(record, identity));
    *to++ = TK_TAG_TRACE_ID;
    *to++ = sizeof identity->trace_id;
    memcpy(to, identity->trace_id, sizeof identity->trace_id);
    to += sizeof identity->trace_id;
    *to++ = TK_TAG_SPAN_ID;
    *to++ = sizeof identity->span_id;
    memcpy(to, identity->span_id, sizeof identity->span_id);
    to += sizeof identity->span_id;
    if (has_parent(identity)) {
        *to++ = TK_TAG_PARENT_ID;
        *to++ = sizeof identity->parent_id;
        memcpy(to, identity->parent_id, sizeof identity->parent_id);
        to += sizeof identity->parent_id;
    }
    *to++ = TK_TAG_KIND;
    *to++ = identity->kind;
    *to++ = TK_TAG_START;
    to = tk_put_fixed64(to, identity->start_unix_nano);
    *to++ = TK_TAG_END;
    to = tk_put_fixed64(to, identity->end_unix_nano);
    *to++ = TK_TAG_FLAGS & 0xff;
    *to++ = TK_TAG_FLAGS >> 8;
    to = tk_put_fixed32(to, identity->flags | TK_REMOTE_IS_KNOWN |
                                (identity->parent_is_remote ? TK_IS_REMOTE : 0));
    memcpy(to, record->bytes, record->size);
    to += record->size;
    if (record->dropped_attributes | record->dropped_events | record->dropped_links) {
        to = put_count(to, TK_TAG_DROPPED_ATTRIBUTES, record->dropped_attributes);
        to = put_count(to, TK_TAG_DROPPED_EVENTS, record->dropped_events);
        to = put_count(to, TK_TAG_DROPPED_LINKS, record->dropped_links);
    }
    return to;
}
