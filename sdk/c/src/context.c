/*
 * context - what travels between services.
 *
 * Headers are read one by one as the server hands them out, and what is kept is ready to be sent
 * on: tracestate is checked, without blanks, without empty members and without a key twice. One bad
 * member, or one too many, discards all of it, and never the traceparent. Two traceparents, even
 * equal ones, discard both.
 */
#include "context.h"

#include <stdio.h>
#include <strings.h>

enum { DISCARDED = 255 };

/* ---- traceparent -------------------------------------------------------------------------------
 */

/* Of a lower-case digit: W3C allows no other. */
static int
hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool
hex_bytes(uint8_t *to, const char *text, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        int high = hex_digit(text[2 * i]), low = hex_digit(text[2 * i + 1]);
        if (high < 0 || low < 0)
            return false;
        to[i] = (uint8_t)(high << 4 | low);
    }
    return true;
}

static bool
all_zero(const uint8_t *bytes, size_t size)
{
    uint8_t any = 0;
    for (size_t i = 0; i < size; i++)
        any |= bytes[i];
    return any == 0;
}

/* Spaces and tabs around a field's value are not part of it: RFC 9110, section 5.5. */
static void
trim(const char **text, size_t *size)
{
    while (*size > 0 && (**text == ' ' || **text == '\t')) {
        (*text)++;
        (*size)--;
    }
    while (*size > 0 && ((*text)[*size - 1] == ' ' || (*text)[*size - 1] == '\t'))
        (*size)--;
}

static bool
read_traceparent(tracekit_context *context, const char *text, size_t size)
{
    uint8_t version, flags, trace_id[16], span_id[8];
    trim(&text, &size);
    if (size < TK_TRACEPARENT_SIZE || text[2] != '-' || text[35] != '-' || text[52] != '-')
        return false;
    if (!hex_bytes(&version, text, 1) || version == 0xff || !hex_bytes(trace_id, text + 3, 16) ||
        !hex_bytes(span_id, text + 36, 8) || !hex_bytes(&flags, text + 53, 1))
        return false;
    if (size > TK_TRACEPARENT_SIZE && (version == 0 || text[TK_TRACEPARENT_SIZE] != '-'))
        return false; /* only versions to come may have more behind it */
    if (all_zero(trace_id, sizeof trace_id) || all_zero(span_id, sizeof span_id))
        return false;
    memcpy(context->trace_id, trace_id, sizeof trace_id);
    memcpy(context->span_id, span_id, sizeof span_id);
    context->flags = flags & (TK_FLAG_SAMPLED | TK_FLAG_RANDOM);
    return true;
}

void
tk_hex(char *to, const uint8_t *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        to[2 * i] = "0123456789abcdef"[bytes[i] >> 4];
        to[2 * i + 1] = "0123456789abcdef"[bytes[i] & 15];
    }
}

void
tk_traceparent_write(char to[TK_TRACEPARENT_SIZE + 1], const uint8_t trace_id[16],
                     const uint8_t span_id[8], uint8_t flags)
{
    memcpy(to, "00-", 3);
    tk_hex(to + 3, trace_id, 16);
    to[35] = '-';
    tk_hex(to + 36, span_id, 8);
    to[52] = '-';
    tk_hex(to + 53, &flags, 1);
    to[TK_TRACEPARENT_SIZE] = '\0';
}

/* ---- tracestate --------------------------------------------------------------------------------
 */

static bool
valid_state_key(const char *key, size_t size)
{
    if (size == 0 || size > TK_TRACESTATE_KEY_MAX)
        return false;
    for (size_t i = 0; i < size; i++) {
        char c = key[i];
        bool alphanumeric = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
        if (!alphanumeric && (i == 0 || c == '\0' || strchr("_-*/@", c) == NULL))
            return false;
    }
    return true;
}

static bool
valid_state_value(const char *value, size_t size)
{
    if (size == 0 || size > TK_TRACESTATE_VALUE_MAX || value[size - 1] == ' ')
        return false;
    for (size_t i = 0; i < size; i++)
        if (value[i] < 0x20 || value[i] > 0x7e || value[i] == ',' || value[i] == '=')
            return false;
    return true;
}

/* The size of the first member in a list; 0 at its end. */
static size_t
member_size(const char *list, size_t size)
{
    const char *comma = memchr(list, ',', size);
    return comma != NULL ? (size_t)(comma - list) : size;
}

static bool
has_member(const tracekit_context *context, const char *key, size_t key_size)
{
    for (size_t at = 0; at < context->tracestate_size;) {
        const char *member = context->tracestate + at;
        size_t size = member_size(member, context->tracestate_size - at);
        if (size > key_size && member[key_size] == '=' && memcmp(member, key, key_size) == 0)
            return true;
        at += size + 1;
    }
    return false;
}

/* Takes a member out, with the comma that parts it from its neighbour. */
static void
remove_member(tracekit_context *context, size_t at, size_t size)
{
    size_t begin = at > 0 ? at - 1 : 0, end = at + size;
    if (at == 0 && end < context->tracestate_size)
        end++;
    memmove(context->tracestate + begin, context->tracestate + end, context->tracestate_size - end);
    context->tracestate_size = (uint16_t)(context->tracestate_size - (end - begin));
}

/* Makes room by taking out whole members: long ones first, then from the right (section 3.3.1.5).
 */
static bool
make_state_room(tracekit_context *context, size_t wanted)
{
    if (context->tracestate_size + wanted <= TRACEKIT_TRACESTATE_MAX)
        return true;
    for (size_t at = 0; at < context->tracestate_size;) {
        size_t size = member_size(context->tracestate + at, context->tracestate_size - at);
        if (size > TK_TRACESTATE_LONG_MEMBER) {
            remove_member(context, at, size);
            return make_state_room(context, wanted);
        }
        at += size + 1;
    }
    return false; /* the new member is the right-most */
}

static void
read_state_member(tracekit_context *context, const char *member, size_t size)
{
    trim(&member, &size);
    if (size == 0)
        return;
    const char *equals = memchr(member, '=', size);
    size_t key_size = equals != NULL ? (size_t)(equals - member) : 0;
    if (equals == NULL || context->members == TK_TRACESTATE_MEMBERS_MAX ||
        !valid_state_key(member, key_size) || !valid_state_value(equals + 1, size - key_size - 1)) {
        context->members = DISCARDED;
        context->tracestate_size = 0;
        return;
    }
    context->members++;
    if (has_member(context, member, key_size) || !make_state_room(context, size + 1))
        return;
    if (context->tracestate_size > 0)
        context->tracestate[context->tracestate_size++] = ',';
    memcpy(context->tracestate + context->tracestate_size, member, size);
    context->tracestate_size = (uint16_t)(context->tracestate_size + size);
}

static void
read_tracestate(tracekit_context *context, const char *text, size_t size)
{
    for (size_t at = 0; at < size && context->members != DISCARDED;) {
        size_t member = member_size(text + at, size - at);
        read_state_member(context, text + at, member);
        at += member + 1;
    }
}

/* ---- baggage -----------------------------------------------------------------------------------
 */

/* A token of RFC 9110. */
static bool
valid_token(const char *key, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        char c = key[i];
        bool alphanumeric =
            (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        if (!alphanumeric && (c == '\0' || strchr("!#$%&'*+-.^_`|~", c) == NULL))
            return false;
    }
    return size > 0;
}

bool
tk_baggage_valid_key(const char *key)
{
    return valid_token(key, strlen(key));
}

/* The key of a member, without the blanks around it; an empty one when the member is not
 * well-formed. */
static size_t
baggage_key(const char **member, size_t size)
{
    const char *equals = memchr(*member, '=', size);
    size_t key_size = equals != NULL ? (size_t)(equals - *member) : 0;
    trim(member, &key_size);
    return valid_token(*member, key_size) ? key_size : 0;
}

/* Whether a header can carry it: no control characters, nothing beyond ASCII. */
static bool
printable(const char *text, size_t size)
{
    for (size_t i = 0; i < size; i++)
        if ((text[i] < 0x20 && text[i] != '\t') || text[i] > 0x7e)
            return false;
    return true;
}

static size_t
count_members(const char *list, size_t size)
{
    size_t count = size > 0;
    for (size_t i = 0; i < size; i++)
        count += list[i] == ',';
    return count;
}

size_t
tk_baggage_append(char *to, size_t size, const char *members, size_t members_size)
{
    size_t count = count_members(to, size);
    for (size_t at = 0; at < members_size;) {
        const char *member = members + at, *key = member;
        size_t whole = member_size(member, members_size - at);
        at += whole + 1;
        trim(&member, &whole);
        key = member;
        if (baggage_key(&key, whole) == 0 || !printable(member, whole))
            continue;
        if (count == TK_BAGGAGE_MEMBERS_MAX || size + whole + 1 > TRACEKIT_BAGGAGE_MAX)
            break;
        if (size > 0)
            to[size++] = ',';
        memcpy(to + size, member, whole);
        size += whole;
        count++;
    }
    return size;
}

/* What W3C Baggage allows in a value as it is; the percent sign begins an escape. */
static bool
plain_in_baggage(char c)
{
    return c > 0x20 && c < 0x7f && c != '"' && c != ',' && c != ';' && c != '\\' && c != '%';
}

long
tk_baggage_set(char to[TRACEKIT_BAGGAGE_MAX], const char *from, size_t from_size, const char *key,
               const char *value)
{
    size_t key_size = strlen(key), size = 0;
    for (size_t at = 0; at < from_size;) { /* all but the key's own member */
        const char *name = from + at;
        size_t whole = member_size(from + at, from_size - at),
               name_size = baggage_key(&name, whole);
        if (name_size != key_size || memcmp(name, key, key_size) != 0)
            size = tk_baggage_append(to, size, from + at, whole);
        at += whole + 1;
    }
    if (value == NULL)
        return (long)size;
    if (count_members(to, size) >= TK_BAGGAGE_MEMBERS_MAX ||
        size + key_size + 2 + 3 * strlen(value) > TRACEKIT_BAGGAGE_MAX)
        return -1;
    if (size > 0)
        to[size++] = ',';
    memcpy(to + size, key, key_size);
    size += key_size;
    to[size++] = '=';
    for (; *value != '\0'; value++) {
        if (plain_in_baggage(*value)) {
            to[size++] = *value;
            continue;
        }
        to[size++] = '%';
        to[size++] = "0123456789ABCDEF"[(uint8_t)*value >> 4];
        to[size++] = "0123456789ABCDEF"[(uint8_t)*value & 15];
    }
    return (long)size;
}

static int
any_hex_digit(char c)
{
    return hex_digit(c >= 'A' && c <= 'F' ? (char)(c - 'A' + 'a') : c);
}

long
tk_baggage_get(const char *from, size_t from_size, const char *key, char *to, size_t capacity)
{
    for (size_t at = 0; at < from_size;) {
        const char *name = from + at;
        size_t whole = member_size(from + at, from_size - at),
               name_size = baggage_key(&name, whole);
        const char *member = from + at, *end = member + whole;
        at += whole + 1;
        if (name_size == 0 || name_size != strlen(key) || memcmp(name, key, name_size) != 0)
            continue;
        const char *value = (const char *)memchr(member, '=', whole) + 1;
        const char *properties = memchr(value, ';', (size_t)(end - value));
        size_t left = (size_t)((properties != NULL ? properties : end) - value), size = 0;
        trim(&value, &left);
        for (size_t i = 0; i < left; i++, size++) {
            char c = value[i];
            if (c == '%' && i + 2 < left && any_hex_digit(value[i + 1]) >= 0 &&
                any_hex_digit(value[i + 2]) >= 0) {
                c = (char)(any_hex_digit(value[i + 1]) << 4 | any_hex_digit(value[i + 2]));
                i += 2;
            }
            if (size < capacity)
                to[size] = c;
        }
        if (capacity > 0)
            to[size < capacity ? size : capacity - 1] = '\0';
        return (long)size;
    }
    return -1;
}

/* ---- headers -----------------------------------------------------------------------------------
 */

static bool
is_header(const char *name, size_t size, const char *wanted)
{
    return size == strlen(wanted) && strncasecmp(name, wanted, size) == 0;
}

void
tracekit_extract_n(tracekit_context *context, const char *name, size_t name_size, const char *value,
                   size_t value_size)
{
    if (context == NULL || name == NULL || value == NULL)
        return;
    if (is_header(name, name_size, "traceparent")) {
        if (context->traceparents < 2)
            context->traceparents++;
        context->valid = context->traceparents == 1 && read_traceparent(context, value, value_size);
    } else if (is_header(name, name_size, "tracestate")) {
        read_tracestate(context, value, value_size);
    } else if (is_header(name, name_size, "baggage")) {
        context->baggage_size =
            (uint16_t)tk_baggage_append(context->baggage, context->baggage_size, value, value_size);
    }
}
