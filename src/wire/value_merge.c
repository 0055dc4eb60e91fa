/*
 * value_merge - tk_key_value_merge() of value.h: protobuf's merge rules, for the rare sender that
 * relies on them.
 *
 * The rule is that reading two messages one behind the other merges them.  So the bytes of a field
 * that comes twice are joined and read as one; from the outermost level inwards each field is then
 * written once.  What comes in has been checked before, so reading it cannot fail.
 */
#include "base/assert.h"
#include "wire/value.h"

struct merge {
    struct tk_arena *arena; /* joined bytes */
    struct tk_buf out;
    bool no_memory;
};

static void merge_any_value(struct merge *merge, tk_str any);

static bool
next_field(struct tk_pb *pb, const char *end, uint32_t *ret_tag, tk_str *ret_value)
{
    if (pb->at >= end)
        return false;
    TK_ASSERT(tk_pb_read_tag(pb, end, ret_tag));
    const char *value_at = pb->at;
    TK_ASSERT(tk_pb_skip(pb, end, *ret_tag));
    if ((*ret_tag & 7) == TK_PB_LENGTH) {
        pb->at = value_at;
        TK_ASSERT(tk_pb_read_bytes(pb, end, ret_value));
    } else {
        *ret_value = (tk_str){value_at, (size_t)(pb->at - value_at)};
    }
    return true;
}

/* The bytes of all `tag` fields of `message` from `from` on, one behind the other. */
static tk_str
join(struct merge *merge, tk_str message, const char *from, uint32_t tag)
{
    const char *end = message.ptr + message.len;
    struct tk_pb pb = {.at = from};
    tk_str value, first = TK_STR_NONE;
    size_t len = 0, count = 0;
    uint32_t found;
    while (next_field(&pb, end, &found, &value)) {
        if (found != tag)
            continue;
        if (count++ == 0)
            first = value;
        len += value.len;
    }
    if (count <= 1)
        return first;
    char *joined = tk_arena_alloc(merge->arena, len);
    if (joined == NULL) {
        merge->no_memory = true;
        return TK_STR_NONE;
    }
    pb = (struct tk_pb){.at = from};
    len = 0;
    while (next_field(&pb, end, &found, &value)) {
        if (found == tag && value.len > 0) {
            memcpy(joined + len, value.ptr, value.len);
            len += value.len;
        }
    }
    return (tk_str){joined, len};
}

static void
merge_key_value(struct merge *merge, tk_str key_value)
{
    struct tk_pb pb = tk_pb_reader(key_value);
    tk_str value, key = TK_STR_NONE;
    uint32_t tag;
    while (next_field(&pb, key_value.ptr + key_value.len, &tag, &value))
        if (tag == TK_PB_TAG(1, TK_PB_LENGTH))
            key = value;
    tk_pb_put_bytes_unless_empty(&merge->out, 1, key);
    size_t begun = tk_pb_begin(&merge->out, 2);
    merge_any_value(merge, join(merge, key_value, key_value.ptr, TK_PB_TAG(2, TK_PB_LENGTH)));
    tk_pb_end(&merge->out, begun);
}

/* `list`: an ArrayValue or a KeyValueList; both hold their elements in field 1. */
static void
merge_list(struct merge *merge, uint32_t number, tk_str list,
           void (*merge_element)(struct merge *merge, tk_str element))
{
    struct tk_pb pb = tk_pb_reader(list);
    tk_str element;
    uint32_t tag;
    size_t begun = tk_pb_begin(&merge->out, number);
    while (!merge->no_memory && next_field(&pb, list.ptr + list.len, &tag, &element)) {
        if (tag != TK_PB_TAG(1, TK_PB_LENGTH))
            continue;
        size_t inner = tk_pb_begin(&merge->out, 1);
        merge_element(merge, element);
        tk_pb_end(&merge->out, inner);
    }
    tk_pb_end(&merge->out, begun);
}

/* A oneof: the last field counts, joined with those of its kind right before it. */
static void
merge_any_value(struct merge *merge, tk_str any)
{
    struct tk_pb pb = tk_pb_reader(any);
    tk_str value;
    uint32_t tag, last = 0;
    const char *last_run = any.ptr;
    for (;;) {
        const char *field_at = pb.at;
        if (!next_field(&pb, any.ptr + any.len, &tag, &value))
            break;
        if (tag >> 3 > 7) /* not of the oneof */
            continue;
        bool is_list = tag == TK_PB_TAG(5, TK_PB_LENGTH) || tag == TK_PB_TAG(6, TK_PB_LENGTH);
        if (tag != last || !is_list)
            last_run = field_at;
        last = tag;
    }
    if (last == TK_PB_TAG(5, TK_PB_LENGTH)) {
        merge_list(merge, 5, join(merge, any, last_run, last), merge_any_value);
    } else if (last == TK_PB_TAG(6, TK_PB_LENGTH)) {
        merge_list(merge, 6, join(merge, any, last_run, last), merge_key_value);
    } else if (last != 0) {
        pb = (struct tk_pb){.at = last_run};
        struct tk_value scalar = {.type = TK_VALUE_EMPTY};
        TK_ASSERT(tk_any_value_read(&pb, any.ptr + any.len, 0, &scalar));
        tk_any_value_put(&merge->out, scalar);
    }
}

enum tk_err
tk_key_value_merge(struct tk_arena *arena, tk_str key_value, tk_str *ret_merged)
{
    struct merge merge = {.arena = arena};
    enum tk_err code = TK_OK;
    /* A field stays as it is or gets shorter, but for values that were not there at all. */
    tk_buf_init(&merge.out, 3 * key_value.len + 64);
    merge_key_value(&merge, key_value);
    if (merge.no_memory || merge.out.status != TK_OK) {
        code = TK_ERR_MEMORY;
    } else {
        tk_str merged = tk_arena_copy(arena, tk_buf_str(&merge.out));
        if (merged.ptr == NULL)
            code = TK_ERR_MEMORY;
        else
            *ret_merged = merged;
    }
    tk_buf_release(&merge.out);
    return code;
}
