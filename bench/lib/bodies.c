/* bodies - see bodies.h. */
#include "bodies.h"

#include "wire/otlp.h"
#include "wire/otlp_schema.h"

#include <stdlib.h>

enum { BODY_LIMIT = 1 << 30 };

static bool
note(struct tk_body *body, const char *at, enum tk_patch_kind kind, uint64_t value)
{
    if ((body->patch_count & (body->patch_count - 1)) == 0) { /* full: double it */
        size_t capacity = body->patch_count > 0 ? body->patch_count * 2 : 1;
        struct tk_patch *patches = realloc(body->patches, capacity * sizeof *patches);
        if (patches == NULL)
            return false;
        body->patches = patches;
    }
    body->patches[body->patch_count++] =
        (struct tk_patch){.offset = (uint32_t)(at - body->ptr), .kind = kind, .value = value};
    return true;
}

static bool
note_field(struct tk_body *body, const struct tk_pb_message *message, uint32_t number,
           const char *value_at)
{
    bool is_span = message == &tk_otlp_span, is_link = message == &tk_otlp_link;
    uint64_t value;
    if ((is_span || is_link) && number == 1) { /* behind the length, which is one byte */
        memcpy(&value, value_at + 9, sizeof value);
        return note(body, value_at + 9, TK_PATCH_TRACE_ID, value);
    }
    if ((is_span && (number == 7 || number == 8)) || (message == &tk_otlp_event && number == 1)) {
        memcpy(&value, value_at, sizeof value);
        return note(body, value_at, TK_PATCH_TIME, value);
    }
    return true;
}

/* Every id and time in the message that ends at `end`; our own encoder's, so it is well-formed. */
static bool
note_protobuf(struct tk_body *body, struct tk_pb *pb, const char *end,
              const struct tk_pb_message *message)
{
    uint32_t tag;
    while (pb->at < end && tk_pb_read_tag(pb, end, &tag)) {
        const struct tk_pb_field *field = message->fields;
        const char *value_at = pb->at;
        while (field->number != 0 && field->number != tag >> 3)
            field++;
        if (!note_field(body, message, tag >> 3, value_at) || !tk_pb_skip(pb, end, tag))
            return false;
        if (field->message == NULL || field->message == &tk_otlp_key_value)
            continue;
        const char *after = pb->at;
        tk_str inner;
        pb->at = value_at;
        if (!tk_pb_read_bytes(pb, end, &inner))
            return false;
        pb->at = inner.ptr;
        if (!note_protobuf(body, pb, after, field->message))
            return false;
        pb->at = after;
    }
    return true;
}

static bool
note_json(struct tk_body *body)
{
    static const char name[] = "\"traceId\":\"";
    const char *at = body->ptr, *end = body->ptr + body->len;
    while ((at = memmem(at, (size_t)(end - at), name, sizeof name - 1)) != NULL) {
        tk_span_id low;
        at += sizeof name - 1;
        if (!tk_span_id_parse((tk_str){at + 16, 16}, &low) ||
            !note(body, at + 16, TK_PATCH_TRACE_HEX, low))
            return false;
    }
    return true;
}

enum tk_err
tk_body_make(struct tk_body *body, struct tk_generate *generate, uint32_t span_count,
             enum tk_format format)
{
    *body = (struct tk_body){0};
    struct tk_batch *batch = tk_batch_new();
    struct tk_buf out;
    enum tk_err code = TK_ERR_MEMORY;
    tk_buf_init(&out, BODY_LIMIT);
    if (batch == NULL)
        goto out;
    code = tk_generate_spans(generate, span_count, batch);
    if (code != TK_OK)
        goto out;
    body->span_count = batch->span_count;
    for (uint32_t row = 0; row < batch->span_count; row++)
        if (batch->end_nano[row] > body->end_nano)
            body->end_nano = batch->end_nano[row];
    if (format == TK_FORMAT_OTLP_PROTOBUF)
        tk_otlp_protobuf_encode(batch, (struct tk_range){0, batch->span_count}, &out);
    else
        tk_otlp_json_encode(batch, (struct tk_range){0, batch->span_count}, &out);
    code = out.status;
    if (code != TK_OK)
        goto out;
    body->ptr = tk_buf_detach(&out, &body->len);
    struct tk_pb pb = tk_pb_reader((tk_str){body->ptr, body->len});
    bool noted = format == TK_FORMAT_OTLP_PROTOBUF
                     ? note_protobuf(body, &pb, body->ptr + body->len, &tk_otlp_traces_data)
                     : note_json(body);
    code = noted ? TK_OK : TK_ERR_MEMORY;
out:
    if (code != TK_OK)
        tk_body_release(body);
    tk_buf_release(&out);
    tk_batch_free(batch);
    return code;
}

void
tk_body_release(struct tk_body *body)
{
    free(body->ptr);
    free(body->patches);
    *body = (struct tk_body){0};
}

void
tk_body_copy(const struct tk_body *body, uint64_t sending, uint64_t now_nano, char *to)
{
    uint64_t shift = now_nano - body->end_nano; /* wraps, and back again */
    uint64_t salt = (sending + 1) * 0x9E3779B97F4A7C15u;
    char hex[TK_SPAN_ID_HEX + 1];
    memcpy(to, body->ptr, body->len);
    for (size_t i = 0; i < body->patch_count; i++) {
        struct tk_patch patch = body->patches[i];
        uint64_t value = patch.kind == TK_PATCH_TIME ? patch.value + shift : patch.value ^ salt;
        if (patch.kind == TK_PATCH_TRACE_HEX) {
            tk_span_id_format(value, hex);
            memcpy(to + patch.offset, hex, TK_SPAN_ID_HEX);
        } else {
            memcpy(to + patch.offset, &value, sizeof value);
        }
    }
}
