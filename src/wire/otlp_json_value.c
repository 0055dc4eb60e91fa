/*
 * otlp_json_value - KeyValue and AnyValue of OTLP/JSON; see otlp_json.h.
 *
 * A length stands in front of a message but is known behind it, so bytes are put in front of what
 * is in `scratch` already: one memmove per level of nesting.
 */
#include "wire/otlp_json.h"
#include "wire/value.h"

/* Moves the bytes from `at` on back and puts `bytes` in front of them. */
static void
insert(struct tk_buf *out, size_t at, tk_str bytes)
{
    if (bytes.len == 0 || tk_buf_reserve(out, bytes.len) == NULL)
        return;
    memmove(out->ptr + at + bytes.len, out->ptr + at, out->len - at);
    memcpy(out->ptr + at, bytes.ptr, bytes.len);
    out->len += bytes.len;
}

/* Makes the `len` bytes at `at` the contents of field `number`. */
static void
insert_header(struct tk_buf *out, size_t at, uint32_t number, size_t len)
{
    char header[16]; /* two varints of at most 5 and 10 bytes */
    struct tk_buf head = {.ptr = header, .capacity = sizeof header, .limit = sizeof header};
    tk_pb_put_tag(&head, number, TK_PB_LENGTH);
    tk_pb_put_varint(&head, len);
    insert(out, at, tk_buf_str(&head));
}

static void
wrap(struct tk_buf *out, size_t at, uint32_t number)
{
    insert_header(out, at, number, out->len - at);
}

static bool read_any_value(struct tk_otlp_json *d, uint32_t depth, struct tk_value *value);

/* The AnyValue that is the current value, as its fields. */
static bool
put_any_value(struct tk_otlp_json *d, uint32_t depth)
{
    size_t begin = d->scratch.len;
    struct tk_value value;
    if (!read_any_value(d, depth, &value))
        return false;
    if (value.type == TK_VALUE_ARRAY || value.type == TK_VALUE_MAP)
        wrap(&d->scratch, begin, value.type == TK_VALUE_ARRAY ? 5 : 6);
    else
        tk_any_value_put(&d->scratch, value);
    return true;
}

static const char *const key_value_names[] = {"key", "value", NULL};
enum { KEY_VALUE_KEY, KEY_VALUE_VALUE };

/* The KeyValue that is the current value, as its fields. */
static bool
put_key_value(struct tk_otlp_json *d, uint32_t depth)
{
    struct tk_json_body *body = &d->body;
    size_t begin = d->scratch.len;
    tk_str name, key = TK_STR("");
    bool good = tk_json_body_must_be_object(body);
    while (good && tk_json_body_member(body, &name)) {
        switch (tk_json_body_name(name, key_value_names)) {
        case KEY_VALUE_KEY:
            good = tk_json_body_string(body, &key);
            break;
        case KEY_VALUE_VALUE:
            d->scratch.len = begin; /* the last one counts */
            good = put_any_value(d, depth);
            break;
        default:
            good = tk_json_body_skip(body);
        }
    }
    if (!good || body->code != TK_OK)
        return false;
    wrap(&d->scratch, begin, 2);
    if (key.len > 0) { /* in front, where protobuf's encoders have it */
        insert(&d->scratch, begin, key);
        insert_header(&d->scratch, begin, 1, key.len);
    }
    return true;
}

/* An ArrayValue or KeyValueList, {"values": [...]}: its elements into `scratch`. */
static bool
read_list(struct tk_otlp_json *d, uint32_t depth, uint8_t type, struct tk_value *value)
{
    static const char *const names[] = {"values", NULL};
    struct tk_json_body *body = &d->body;
    size_t begin = d->scratch.len;
    tk_str name;
    bool good = true;
    if (!tk_json_body_is_object(body))
        return body->code == TK_OK;
    if (depth >= TK_VALUE_DEPTH_MAX)
        return tk_json_body_fail(body, body->token.offset, "value nested deeper than 64 levels");
    *value = (struct tk_value){.type = type};
    while (good && tk_json_body_member(body, &name)) {
        if (tk_json_body_name(name, names) < 0) {
            good = tk_json_body_skip(body);
            continue;
        }
        d->scratch.len = begin;
        if (!tk_json_body_is_array(body)) /* null: none */
            continue;
        while (good && tk_json_body_element(body)) {
            size_t element = d->scratch.len;
            good = type == TK_VALUE_MAP ? put_key_value(d, depth + 1) : put_any_value(d, depth + 1);
            wrap(&d->scratch, element, 1);
        }
    }
    return good && body->code == TK_OK;
}

static bool
set_bytes(struct tk_value *value, uint8_t type, tk_str bytes)
{
    *value = (struct tk_value){.type = type, .len = (uint32_t)bytes.len, .ptr = bytes.ptr};
    return true;
}

enum { ANY_STRING, ANY_BOOL, ANY_INT, ANY_DOUBLE, ANY_ARRAY, ANY_MAP, ANY_BYTES };

static bool
read_any_member(struct tk_otlp_json *d, uint32_t depth, int member, struct tk_value *value)
{
    struct tk_json_body *body = &d->body;
    tk_str text;
    *value = (struct tk_value){.type = TK_VALUE_EMPTY};
    if (body->token.type == TK_JSON_NULL) /* JavaScript's NaN, too */
        return true;
    switch (member) {
    case ANY_STRING:
        return tk_json_body_string(body, &text) && set_bytes(value, TK_VALUE_STRING, text);
    case ANY_BOOL:
        value->type = TK_VALUE_BOOL;
        return tk_json_body_bool(body, &value->b);
    case ANY_INT:
        value->type = TK_VALUE_INT;
        return tk_json_body_i64(body, &value->i);
    case ANY_DOUBLE:
        value->type = TK_VALUE_DOUBLE;
        return tk_json_body_double(body, &value->d);
    case ANY_ARRAY:
        return read_list(d, depth, TK_VALUE_ARRAY, value);
    case ANY_MAP:
        return read_list(d, depth, TK_VALUE_MAP, value);
    default:
        return tk_json_body_base64(body, &text) && set_bytes(value, TK_VALUE_BYTES, text);
    }
}

/*
 * The AnyValue that is the current value; null is an empty one.  Of an ARRAY or MAP only the type
 * is set: its bytes are what has been put into `scratch`.
 */
static bool
read_any_value(struct tk_otlp_json *d, uint32_t depth, struct tk_value *value)
{
    static const char *const names[] = {"stringValue", "boolValue",   "intValue",   "doubleValue",
                                        "arrayValue",  "kvlistValue", "bytesValue", NULL};
    struct tk_json_body *body = &d->body;
    size_t begin = d->scratch.len;
    tk_str name;
    bool good = true;
    *value = (struct tk_value){.type = TK_VALUE_EMPTY};
    if (!tk_json_body_is_object(body))
        return body->code == TK_OK;
    while (good && tk_json_body_member(body, &name)) {
        int member = tk_json_body_name(name, names);
        if (member < 0) {
            good = tk_json_body_skip(body);
            continue;
        }
        d->scratch.len = begin; /* the last one counts */
        good = read_any_member(d, depth, member, value);
    }
    return good && body->code == TK_OK;
}

/* Copies what is in `scratch` to where it lasts. */
static bool
settle(struct tk_otlp_json *d, struct tk_value *value)
{
    if (value->type != TK_VALUE_ARRAY && value->type != TK_VALUE_MAP)
        return true;
    if (d->scratch.status != TK_OK)
        return tk_json_body_keep(&d->body, d->scratch.status);
    tk_str bytes = tk_arena_copy(&d->batch->arena, tk_buf_str(&d->scratch));
    if (bytes.ptr == NULL)
        return tk_json_body_keep(&d->body, TK_ERR_MEMORY);
    return set_bytes(value, value->type, bytes);
}

static bool
read_attr(struct tk_otlp_json *d)
{
    struct tk_json_body *body = &d->body;
    tk_str name, key = TK_STR("");
    struct tk_value value = {.type = TK_VALUE_EMPTY};
    bool good = tk_json_body_must_be_object(body);
    while (good && tk_json_body_member(body, &name)) {
        switch (tk_json_body_name(name, key_value_names)) {
        case KEY_VALUE_KEY:
            good = tk_json_body_string(body, &key);
            break;
        case KEY_VALUE_VALUE:
            tk_buf_clear(&d->scratch);
            good = read_any_value(d, 0, &value) && settle(d, &value);
            break;
        default:
            good = tk_json_body_skip(body);
        }
    }
    return good && body->code == TK_OK &&
           tk_json_body_keep(body, tk_batch_add_attr(d->batch, key, value));
}

bool
tk_otlp_json_attrs(struct tk_otlp_json *d, struct tk_range *ret_range)
{
    bool good = true;
    *ret_range = (struct tk_range){d->batch->attr_count, 0};
    if (!tk_json_body_is_array(&d->body))
        return d->body.code == TK_OK;
    while (good && tk_json_body_element(&d->body))
        good = read_attr(d);
    ret_range->count = d->batch->attr_count - ret_range->begin;
    return good && d->body.code == TK_OK;
}
