/* value - see value.h; and the parts of otlp.h that are about one attribute value. */
#include "wire/value.h"

#include "base/assert.h"
#include "wire/otlp.h"
#include "wire/otlp_schema.h"

enum { EXACT_INT_MAX = 53 }; /* bits of an integer that every JSON reader keeps */

static bool read_nested(struct tk_pb *pb, const char *end, uint32_t depth, uint8_t type);

static bool
set_bytes(struct tk_pb *pb, tk_str bytes, uint8_t type, struct tk_value *value)
{
    if (bytes.len > UINT32_MAX)
        return tk_pb_fail(pb, pb->tag_at, "value beyond 4 GiB");
    *value = (struct tk_value){.type = type, .len = (uint32_t)bytes.len, .ptr = bytes.ptr};
    return true;
}

static bool
read_container(struct tk_pb *pb, const char *end, uint32_t depth, uint8_t type,
               struct tk_value *value)
{
    tk_str bytes;
    if (!tk_pb_read_bytes(pb, end, &bytes))
        return false;
    if (depth >= TK_VALUE_DEPTH_MAX)
        return tk_pb_fail(pb, pb->tag_at, "value nested deeper than 64 levels");
    if (value->type == type)
        pb->must_merge = true;
    pb->at = bytes.ptr;
    return read_nested(pb, bytes.ptr + bytes.len, depth + 1, type) &&
           set_bytes(pb, bytes, type, value);
}

bool
tk_any_value_read(struct tk_pb *pb, const char *end, uint32_t depth, struct tk_value *value)
{
    uint32_t tag;
    uint64_t word;
    tk_str bytes;
    bool good = true;
    while (good && pb->at < end) {
        if (!tk_pb_read_tag(pb, end, &tag))
            return false;
        switch (tag) {
        case TK_PB_TAG(1, TK_PB_LENGTH):
            good = tk_pb_read_text(pb, end, &bytes) && set_bytes(pb, bytes, TK_VALUE_STRING, value);
            break;
        case TK_PB_TAG(2, TK_PB_VARINT):
            good = tk_pb_read_varint(pb, end, &word);
            *value = (struct tk_value){.type = TK_VALUE_BOOL, .b = good && word != 0};
            break;
        case TK_PB_TAG(3, TK_PB_VARINT):
            good = tk_pb_read_varint(pb, end, &word);
            *value = (struct tk_value){.type = TK_VALUE_INT, .i = good ? (int64_t)word : 0};
            break;
        case TK_PB_TAG(4, TK_PB_FIXED64):
            *value = (struct tk_value){.type = TK_VALUE_DOUBLE};
            good = tk_pb_read_fixed64(pb, end, &word);
            if (good)
                memcpy(&value->d, &word, sizeof value->d);
            break;
        case TK_PB_TAG(5, TK_PB_LENGTH):
            good = read_container(pb, end, depth, TK_VALUE_ARRAY, value);
            break;
        case TK_PB_TAG(6, TK_PB_LENGTH):
            good = read_container(pb, end, depth, TK_VALUE_MAP, value);
            break;
        case TK_PB_TAG(7, TK_PB_LENGTH):
            good = tk_pb_read_bytes(pb, end, &bytes) && set_bytes(pb, bytes, TK_VALUE_BYTES, value);
            break;
        default:
            good = tk_otlp_skip(pb, end, tag, &tk_otlp_any_value);
        }
    }
    return good;
}

bool
tk_key_value_read(struct tk_pb *pb, const char *end, uint32_t depth, tk_str *key,
                  struct tk_value *value)
{
    uint32_t tag;
    tk_str bytes;
    *key = TK_STR("");
    *value = (struct tk_value){.type = TK_VALUE_EMPTY};
    while (pb->at < end) {
        if (!tk_pb_read_tag(pb, end, &tag))
            return false;
        if (tag == TK_PB_TAG(1, TK_PB_LENGTH)) {
            if (!tk_pb_read_bytes(pb, end, key))
                return false;
        } else if (tag == TK_PB_TAG(2, TK_PB_LENGTH)) {
            if (!tk_pb_read_bytes(pb, end, &bytes))
                return false;
            pb->at = bytes.ptr;
            if (!tk_any_value_read(pb, bytes.ptr + bytes.len, depth, value))
                return false;
        } else if (!tk_otlp_skip(pb, end, tag, &tk_otlp_key_value)) {
            return false;
        }
    }
    return true;
}

/* Reads the next element of an ArrayValue or member of a KeyValueList, TK_ERR_END after the last;
   another negative code means a problem. */
static enum tk_err
next_element(struct tk_pb *pb, const char *end, uint32_t depth, uint8_t type, tk_str *ret_key,
             struct tk_value *ret_value)
{
    bool is_map = type == TK_VALUE_MAP;
    uint32_t tag;
    tk_str bytes;
    while (pb->at < end) {
        if (!tk_pb_read_tag(pb, end, &tag))
            return TK_ERR_INPUT;
        if (tag != TK_PB_TAG(1, TK_PB_LENGTH)) {
            if (!tk_otlp_skip(pb, end, tag,
                              is_map ? &tk_otlp_key_value_list : &tk_otlp_array_value))
                return TK_ERR_INPUT;
            continue;
        }
        if (!tk_pb_read_bytes(pb, end, &bytes))
            return TK_ERR_INPUT;
        pb->at = bytes.ptr;
        *ret_key = TK_STR("");
        *ret_value = (struct tk_value){.type = TK_VALUE_EMPTY};
        bool good = is_map ? tk_key_value_read(pb, bytes.ptr + bytes.len, depth, ret_key, ret_value)
                           : tk_any_value_read(pb, bytes.ptr + bytes.len, depth, ret_value);
        return good ? TK_OK : TK_ERR_INPUT;
    }
    return TK_ERR_END;
}

static bool
read_nested(struct tk_pb *pb, const char *end, uint32_t depth, uint8_t type)
{
    tk_str key;
    struct tk_value value;
    enum tk_err code;
    size_t bad;
    while ((code = next_element(pb, end, depth, type, &key, &value)) == TK_OK)
        if (!tk_utf8_valid(key, &bad))
            return tk_pb_fail(pb, key.ptr + bad, "invalid UTF-8");
    return code == TK_ERR_END;
}

/* An empty one may have no bytes at all. */
static const char *
end_of(struct tk_value nested)
{
    return nested.len > 0 ? nested.ptr + nested.len : nested.ptr;
}

bool
tk_value_is_whole(struct tk_value nested)
{
    struct tk_pb pb = tk_pb_reader(tk_value_str(nested));
    return read_nested(&pb, end_of(nested), 0, nested.type);
}

void
tk_value_each(struct tk_value nested, bool (*each)(void *arg, tk_str key, struct tk_value v),
              void *arg)
{
    TK_ASSERT(nested.type == TK_VALUE_ARRAY || nested.type == TK_VALUE_MAP);
    struct tk_pb pb = tk_pb_reader(tk_value_str(nested));
    const char *end = end_of(nested);
    tk_str key;
    struct tk_value value;
    /* Each level was checked when it came in, so the depth below it need not be counted again. */
    while (next_element(&pb, end, 0, nested.type, &key, &value) == TK_OK)
        if (!each(arg, key, value))
            return;
    TK_ASSERT(pb.problem_at == NULL);
}

static bool
put_json_element(void *arg, tk_str key, struct tk_value value)
{
    (void)key;
    tk_value_json(arg, value);
    return true;
}

static bool
put_json_member(void *arg, tk_str key, struct tk_value value)
{
    tk_json_key(arg, key);
    tk_value_json(arg, value);
    return true;
}

void
tk_value_json(struct tk_json_writer *json, struct tk_value value)
{
    const int64_t exact = (int64_t)1 << EXACT_INT_MAX;
    switch (value.type) {
    case TK_VALUE_STRING:
        tk_json_string(json, tk_value_str(value));
        break;
    case TK_VALUE_BOOL:
        tk_json_bool(json, value.b);
        break;
    case TK_VALUE_INT:
        if (value.i > exact || value.i < -exact)
            tk_json_int_string(json, value.i);
        else
            tk_json_int(json, value.i);
        break;
    case TK_VALUE_DOUBLE:
        tk_json_double(json, value.d);
        break;
    case TK_VALUE_BYTES:
        tk_json_base64(json, tk_value_str(value));
        break;
    case TK_VALUE_ARRAY:
        tk_json_array(json);
        tk_value_each(value, put_json_element, json);
        tk_json_array_end(json);
        break;
    case TK_VALUE_MAP:
        tk_json_object(json);
        tk_value_each(value, put_json_member, json);
        tk_json_object_end(json);
        break;
    default:
        tk_json_null(json);
    }
}

void
tk_any_value_put(struct tk_buf *out, struct tk_value value)
{
    uint64_t word;
    switch (value.type) {
    case TK_VALUE_STRING:
        tk_pb_put_bytes(out, 1, tk_value_str(value));
        break;
    case TK_VALUE_BOOL:
        tk_pb_put_tag(out, 2, TK_PB_VARINT);
        tk_pb_put_varint(out, value.b);
        break;
    case TK_VALUE_INT:
        tk_pb_put_tag(out, 3, TK_PB_VARINT);
        tk_pb_put_varint(out, (uint64_t)value.i);
        break;
    case TK_VALUE_DOUBLE:
        memcpy(&word, &value.d, sizeof word);
        tk_pb_put_fixed64(out, 4, word);
        break;
    case TK_VALUE_ARRAY:
        tk_pb_put_bytes(out, 5, tk_value_str(value));
        break;
    case TK_VALUE_MAP:
        tk_pb_put_bytes(out, 6, tk_value_str(value));
        break;
    case TK_VALUE_BYTES:
        tk_pb_put_bytes(out, 7, tk_value_str(value));
        break;
    default: /* an AnyValue with nothing set */
        break;
    }
}

void
tk_key_value_put(struct tk_buf *out, uint32_t number, tk_str key, struct tk_value value)
{
    size_t pair = tk_pb_begin(out, number);
    tk_pb_put_bytes_unless_empty(out, 1, key);
    size_t any = tk_pb_begin(out, 2);
    tk_any_value_put(out, value);
    tk_pb_end(out, any);
    tk_pb_end(out, pair);
}
