/*
 * context - what travels between services.
 *
 * Headers are read one by one as the server hands them out, and what is kept is ready to be sent
 * on: tracestate is checked, without blanks, without empty members and without a key twice. One bad
 * member, or one too many, discards all of it, and never the traceparent. Two traceparents, even
 * equal ones, discard both.
 */
#include "context.h"

#include "utf8.h"

#include <stdio.h>
#include <strings.h>

enum { DISCARDED = 255 };

/* ---- traceparent ---- */

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

/* ---- tracestate ---- */

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

/* ---- baggage ---- */

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

/* A member of a list, without the blanks around its parts; `rest` is the value, and properties
 * behind a semicolon. */
struct member {
    const char *key, *rest;
    size_t key_size, value_size, rest_size;
};

/* What W3C Baggage allows in a value; in one that is made, the percent sign begins an escape. */
static bool
baggage_octet(char c)
{
    return c > 0x20 && c < 0x7f && c != '"' && c != ',' && c != ';' && c != '\\';
}

static bool
all_octets(const char *text, size_t size)
{
    for (size_t i = 0; i < size; i++)
        if (!baggage_octet(text[i]))
            return false;
    return true;
}

/* Properties are kept as they came, if a header can carry them. */
static bool
printable(const char *text, size_t size)
{
    for (size_t i = 0; i < size; i++)
        if ((text[i] < 0x20 && text[i] != '\t') || text[i] > 0x7e)
            return false;
    return true;
}

static bool
read_member(const char *text, size_t size, struct member *ret_member)
{
    const char *equals = memchr(text, '=', size);
    if (equals == NULL)
        return false;
    struct member member = {.key = text, .key_size = (size_t)(equals - text), .rest = equals + 1};
    member.rest_size = size - member.key_size - 1;
    trim(&member.key, &member.key_size);
    trim(&member.rest, &member.rest_size);
    const char *properties = memchr(member.rest, ';', member.rest_size), *value = member.rest;
    member.value_size = properties != NULL ? (size_t)(properties - member.rest) : member.rest_size;
    trim(&value, &member.value_size);
    *ret_member = member;
    return valid_token(member.key, member.key_size) && all_octets(value, member.value_size) &&
           printable(member.rest, member.rest_size);
}

/* Where in a list the member with this key stands; its size is 0 when it is not there. */
static size_t
find_baggage(const char *list, size_t size, const char *key, size_t key_size,
             size_t *ret_member_size)
{
    size_t at = 0, whole = 0;
    for (; at < size; at += whole + 1) {
        whole = member_size(list + at, size - at);
        if (whole > key_size && list[at + key_size] == '=' && memcmp(list + at, key, key_size) == 0)
            break;
    }
    *ret_member_size = at < size ? whole : 0;
    return at < size ? at : size;
}

static size_t
count_members(const char *list, size_t size)
{
    size_t count = size > 0;
    for (size_t i = 0; i < size; i++)
        count += list[i] == ',';
    return count;
}

/* Puts a member in the place of the one with its key, else at the end; false when it does not fit.
 */
static bool
put_member(char *list, size_t *size, const struct member *member)
{
    size_t old, at = find_baggage(list, *size, member->key, member->key_size, &old);
    size_t comma = old == 0 && *size > 0, own = member->key_size + 1 + member->rest_size;
    if ((old == 0 && count_members(list, *size) >= TK_BAGGAGE_MEMBERS_MAX) ||
        *size - old + comma + own > TRACEKIT_BAGGAGE_MAX)
        return false;
    memmove(list + at + comma + own, list + at + old, *size - at - old);
    if (comma)
        list[at++] = ',';
    memcpy(list + at, member->key, member->key_size);
    list[at + member->key_size] = '=';
    memcpy(list + at + member->key_size + 1, member->rest, member->rest_size);
    *size += comma + own - old;
    return true;
}

size_t
tk_baggage_append(char *to, size_t size, const char *members, size_t members_size)
{
    struct member member;
    for (size_t at = 0; at < members_size;) {
        size_t whole = member_size(members + at, members_size - at);
        if (read_member(members + at, whole, &member))
            put_member(to, &size, &member); /* what does not fit is left out, what follows is not */
        at += whole + 1;
    }
    return size;
}

/* Takes a member out, with the comma that parts it from its neighbour. */
static size_t
remove_baggage(char *list, size_t size, const char *key)
{
    size_t old, at = find_baggage(list, size, key, strlen(key), &old);
    if (old == 0)
        return size;
    size_t begin = at > 0 ? at - 1 : 0, end = at + old + (at == 0 && old < size);
    memmove(list + begin, list + end, size - end);
    return size - (end - begin);
}

long
tk_baggage_set(char list[TRACEKIT_BAGGAGE_MAX], size_t size, const char *key, const char *value)
{
    char encoded[TRACEKIT_BAGGAGE_MAX];
    struct member member = {.key = key, .key_size = strlen(key), .rest = encoded};
    if (value == NULL)
        return (long)remove_baggage(list, size, key);
    for (; *value != '\0'; value++) {
        char *to = encoded + member.rest_size;
        if (member.rest_size + 3 > sizeof encoded)
            return -1;
        if (baggage_octet(*value) && *value != '%') {
            *to = *value;
            member.rest_size++;
            continue;
        }
        to[0] = '%';
        to[1] = "0123456789ABCDEF"[(uint8_t)*value >> 4];
        to[2] = "0123456789ABCDEF"[(uint8_t)*value & 15];
        member.rest_size += 3;
    }
    return put_member(list, &size, &member) ? (long)size : -1;
}

static int
any_hex_digit(char c)
{
    return hex_digit(c >= 'A' && c <= 'F' ? (char)(c - 'A' + 'a') : c);
}

long
tk_baggage_get(const char *list, size_t size, const char *key, char *to, size_t capacity)
{
    struct member member;
    char decoded[TRACEKIT_BAGGAGE_MAX];
    uint8_t text[TK_UTF8_GROWTH * TRACEKIT_BAGGAGE_MAX];
    size_t whole, at = find_baggage(list, size, key, strlen(key), &whole), length = 0;
    if (whole == 0 || !read_member(list + at, whole, &member))
        return -1;
    for (size_t i = 0; i < member.value_size; i++) {
        char c = member.rest[i];
        if (c == '%' && i + 2 < member.value_size && any_hex_digit(member.rest[i + 1]) >= 0 &&
            any_hex_digit(member.rest[i + 2]) >= 0) {
            c = (char)(any_hex_digit(member.rest[i + 1]) << 4 | any_hex_digit(member.rest[i + 2]));
            i += 2;
        }
        decoded[length++] = c;
    }
    length = tk_utf8_copy(text, decoded, length);
    if (capacity > 0) {
        size_t kept = length < capacity ? length : capacity - 1;
        memcpy(to, text, kept);
        to[kept] = '\0';
    }
    return (long)length;
}

/* ---- headers ---- */

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
