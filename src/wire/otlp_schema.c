/* otlp_schema - see otlp_schema.h. */
#include "wire/otlp_schema.h"

#include <stdio.h>

#define FIELD(number, type, name)                                                                  \
    {                                                                                              \
        number, TK_PB_##type, false, name, NULL                                                    \
    }
#define MESSAGE(number, name, message)                                                             \
    {                                                                                              \
        number, TK_PB_LENGTH, false, name, &tk_otlp_##message                                      \
    }
#define MESSAGES(number, name, message)                                                            \
    {                                                                                              \
        number, TK_PB_LENGTH, true, name, &tk_otlp_##message                                       \
    }
#define DEFINE(message, ...)                                                                       \
    static const struct tk_pb_field message##_fields[] = {__VA_ARGS__, {0}};                       \
    const struct tk_pb_message tk_otlp_##message = {message##_fields};

/* clang-format off */
DEFINE(traces_data,
    MESSAGES(1, "resource_spans", resource_spans))
DEFINE(resource_spans,
    MESSAGE(1, "resource", resource),
    MESSAGES(2, "scope_spans", scope_spans),
    FIELD(3, LENGTH, "schema_url"))
DEFINE(resource,
    MESSAGES(1, "attributes", key_value),
    FIELD(2, VARINT, "dropped_attributes_count"))
DEFINE(scope_spans,
    MESSAGE(1, "scope", scope),
    MESSAGES(2, "spans", span),
    FIELD(3, LENGTH, "schema_url"))
DEFINE(scope,
    FIELD(1, LENGTH, "name"),
    FIELD(2, LENGTH, "version"),
    MESSAGES(3, "attributes", key_value),
    FIELD(4, VARINT, "dropped_attributes_count"))
DEFINE(span,
    FIELD(1, LENGTH, "trace_id"),
    FIELD(2, LENGTH, "span_id"),
    FIELD(3, LENGTH, "trace_state"),
    FIELD(4, LENGTH, "parent_span_id"),
    FIELD(5, LENGTH, "name"),
    FIELD(6, VARINT, "kind"),
    FIELD(7, FIXED64, "start_time_unix_nano"),
    FIELD(8, FIXED64, "end_time_unix_nano"),
    MESSAGES(9, "attributes", key_value),
    FIELD(10, VARINT, "dropped_attributes_count"),
    MESSAGES(11, "events", event),
    FIELD(12, VARINT, "dropped_events_count"),
    MESSAGES(13, "links", link),
    FIELD(14, VARINT, "dropped_links_count"),
    MESSAGE(15, "status", status),
    FIELD(16, FIXED32, "flags"))
DEFINE(event,
    FIELD(1, FIXED64, "time_unix_nano"),
    FIELD(2, LENGTH, "name"),
    MESSAGES(3, "attributes", key_value),
    FIELD(4, VARINT, "dropped_attributes_count"))
DEFINE(link,
    FIELD(1, LENGTH, "trace_id"),
    FIELD(2, LENGTH, "span_id"),
    FIELD(3, LENGTH, "trace_state"),
    MESSAGES(4, "attributes", key_value),
    FIELD(5, VARINT, "dropped_attributes_count"),
    FIELD(6, FIXED32, "flags"))
DEFINE(status,
    FIELD(2, LENGTH, "message"),
    FIELD(3, VARINT, "code"))
DEFINE(key_value,
    FIELD(1, LENGTH, "key"),
    MESSAGE(2, "value", any_value))
DEFINE(any_value,
    FIELD(1, LENGTH, "string_value"),
    FIELD(2, VARINT, "bool_value"),
    FIELD(3, VARINT, "int_value"),
    FIELD(4, FIXED64, "double_value"),
    MESSAGE(5, "array_value", array_value),
    MESSAGE(6, "kvlist_value", key_value_list),
    FIELD(7, LENGTH, "bytes_value"))
DEFINE(array_value,
    MESSAGES(1, "values", any_value))
DEFINE(key_value_list,
    MESSAGES(1, "values", key_value))
/* clang-format on */

static const struct tk_pb_field *
find_field(const struct tk_pb_message *message, uint32_t number)
{
    for (const struct tk_pb_field *field = message->fields; field->number != 0; field++)
        if (field->number == number)
            return field;
    return NULL;
}

bool
tk_otlp_skip(struct tk_pb *pb, const char *end, uint32_t tag, const struct tk_pb_message *message)
{
    const struct tk_pb_field *field = find_field(message, tag >> 3);
    if (field == NULL)
        return tk_pb_skip(pb, end, tag);
    switch (field->type) {
    case TK_PB_VARINT:
        return tk_pb_fail(pb, pb->tag_at, "wrong wire type: a varint (0) is expected");
    case TK_PB_FIXED64:
        return tk_pb_fail(pb, pb->tag_at, "wrong wire type: 64 bits (1) are expected");
    case TK_PB_LENGTH:
        return tk_pb_fail(pb, pb->tag_at, "wrong wire type: a length (2) is expected");
    default:
        return tk_pb_fail(pb, pb->tag_at, "wrong wire type: 32 bits (5) are expected");
    }
}

/* Appends ".name" or ".name[index]" to what is in text. */
static void
append_step(char *text, size_t size, const struct tk_pb_field *field, unsigned index)
{
    size_t len = strlen(text);
    const char *dot = len > 0 ? "." : "";
    if (field->repeated)
        (void)snprintf(text + len, size - len, "%s%s[%u]", dot, field->name, index);
    else
        (void)snprintf(text + len, size - len, "%s%s", dot, field->name);
}

/*
 * Walks one message to the field that holds *target and names it.  Narrows the cursor and *end to
 * that field's bytes and returns its message, or NULL when the path ends here.
 */
static const struct tk_pb_message *
step_towards(const char *target, struct tk_pb *pb, const char **end,
             const struct tk_pb_message *message, char *text, size_t size)
{
    unsigned seen[32] = {0}; /* by field number */
    uint32_t tag;
    while (pb->at < *end && tk_pb_read_tag(pb, *end, &tag)) {
        const struct tk_pb_field *field = find_field(message, tag >> 3);
        const char *value_at = pb->at;
        bool whole = tk_pb_skip(pb, *end, tag);
        if (whole && target >= pb->at) {
            if (field != NULL)
                seen[field->number]++;
            continue;
        }
        if (field == NULL)
            return NULL;
        append_step(text, size, field, seen[field->number]);
        if (!whole || field->message == NULL || (tag & 7) != TK_PB_LENGTH || target < value_at)
            return NULL;
        tk_str bytes;
        const char *after = pb->at;
        pb->at = value_at;
        if (!tk_pb_read_bytes(pb, after, &bytes) || target < bytes.ptr)
            return NULL;
        pb->at = bytes.ptr;
        *end = after;
        return field->message;
    }
    return NULL;
}

void
tk_otlp_path(tk_str body, size_t offset, char *text, size_t size)
{
    struct tk_pb pb = tk_pb_reader(body);
    const char *target = body.ptr + offset, *end = body.ptr + body.len;
    const struct tk_pb_message *message = &tk_otlp_traces_data;
    text[0] = '\0';
    while (message != NULL && strlen(text) + 1 < size)
        message = step_towards(target, &pb, &end, message, text, size);
}
