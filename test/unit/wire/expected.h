#ifndef TK_TEST_EXPECTED_H
#define TK_TEST_EXPECTED_H
/*
 * expected - a span of a batch as one line of JSON that says everything about it, types and all:
 * the form in which the corpus states what an independent decoder found.
 */
#include "test.h"
#include "wire/otlp.h"

static void expected_attr(struct tk_json_writer *json, tk_str key, struct tk_value value);
static void expected_value(struct tk_json_writer *json, struct tk_value value);

static bool
expected_member(void *arg, tk_str key, struct tk_value value)
{
    expected_attr(arg, key, value);
    return true;
}

static bool
expected_element(void *arg, tk_str key, struct tk_value value)
{
    assert_int_equal(key.len, 0);
    tk_json_object(arg);
    expected_value(arg, value);
    tk_json_object_end(arg);
    return true;
}

/* As Python writes it: 3.0, not 3. */
static void
expected_double(struct tk_json_writer *json, double value)
{
    char bytes[64];
    struct tk_buf text = {.ptr = bytes, .capacity = sizeof bytes, .limit = sizeof bytes};
    struct tk_json_writer number;
    tk_json_writer_init(&number, &text);
    tk_json_double(&number, value);
    if (memchr(text.ptr, '.', text.len) == NULL && memchr(text.ptr, 'e', text.len) == NULL &&
        text.ptr[0] != '"')
        tk_buf_append(&text, TK_STR(".0"));
    tk_json_raw(json, tk_buf_str(&text));
}

static const char *
expected_type(uint8_t type)
{
    switch (type) {
    case TK_VALUE_STRING:
        return "string";
    case TK_VALUE_BOOL:
        return "bool";
    case TK_VALUE_INT:
        return "int";
    case TK_VALUE_DOUBLE:
        return "double";
    case TK_VALUE_BYTES:
        return "bytes";
    case TK_VALUE_ARRAY:
        return "array";
    case TK_VALUE_MAP:
        return "map";
    default:
        return "empty";
    }
}

/* "type" and "value" of an open object. */
static void
expected_value(struct tk_json_writer *json, struct tk_value value)
{
    tk_json_key(json, TK_STR("type"));
    tk_json_string(json, tk_str_from(expected_type(value.type)));
    if (value.type == TK_VALUE_EMPTY)
        return;
    tk_json_key(json, TK_STR("value"));
    switch (value.type) {
    case TK_VALUE_STRING:
        tk_json_string(json, tk_value_str(value));
        break;
    case TK_VALUE_BOOL:
        tk_json_bool(json, value.b);
        break;
    case TK_VALUE_INT:
        tk_json_int_string(json, value.i);
        break;
    case TK_VALUE_DOUBLE:
        expected_double(json, value.d);
        break;
    case TK_VALUE_BYTES:
        tk_json_hex(json, tk_value_str(value));
        break;
    default:
        tk_json_array(json);
        tk_value_each(value, value.type == TK_VALUE_MAP ? expected_member : expected_element, json);
        tk_json_array_end(json);
    }
}

static void
expected_attr(struct tk_json_writer *json, tk_str key, struct tk_value value)
{
    tk_json_object(json);
    tk_json_key(json, TK_STR("key"));
    tk_json_string(json, key);
    expected_value(json, value);
    tk_json_object_end(json);
}

static void
expected_text(struct tk_json_writer *json, const char *name, tk_str text)
{
    tk_json_key(json, tk_str_from(name));
    tk_json_string(json, text);
}

static void
expected_number(struct tk_json_writer *json, const char *name, int64_t number)
{
    tk_json_key(json, tk_str_from(name));
    tk_json_int(json, number);
}

static void
expected_time(struct tk_json_writer *json, const char *name, uint64_t nano)
{
    tk_json_key(json, tk_str_from(name));
    tk_json_uint_string(json, nano);
}

static void
expected_span_id(struct tk_json_writer *json, const char *name, tk_span_id id)
{
    char text[TK_SPAN_ID_HEX + 1];
    tk_span_id_format(id, text);
    expected_text(json, name, tk_str_from(id != 0 ? text : ""));
}

static void
expected_trace_id(struct tk_json_writer *json, struct tk_trace_id id)
{
    char text[TK_TRACE_ID_HEX + 1];
    tk_trace_id_format(id, text);
    expected_text(json, "trace_id", tk_str_from(text));
}

static void
expected_attrs(struct tk_json_writer *json, const struct tk_batch *batch, struct tk_range range,
               uint32_t dropped)
{
    tk_json_key(json, TK_STR("attributes"));
    tk_json_array(json);
    for (uint32_t i = range.begin; i < range.begin + range.count; i++)
        expected_attr(json, batch->keys.strings[batch->attr_key[i]], batch->attr_value[i]);
    tk_json_array_end(json);
    expected_number(json, "dropped_attributes_count", dropped);
}

static void
expected_events(struct tk_json_writer *json, const struct tk_batch *batch, uint32_t row)
{
    struct tk_range range = batch->events[row];
    tk_json_key(json, TK_STR("events"));
    tk_json_array(json);
    for (uint32_t i = range.begin; i < range.begin + range.count; i++) {
        const struct tk_event *event = &batch->event[i];
        tk_json_object(json);
        expected_time(json, "time_unix_nano", event->time_nano);
        expected_text(json, "name", event->name);
        expected_attrs(json, batch, event->attrs, event->dropped_attrs);
        tk_json_object_end(json);
    }
    tk_json_array_end(json);
    expected_number(json, "dropped_events_count", batch->dropped_events[row]);
}

static void
expected_links(struct tk_json_writer *json, const struct tk_batch *batch, uint32_t row)
{
    struct tk_range range = batch->links[row];
    tk_json_key(json, TK_STR("links"));
    tk_json_array(json);
    for (uint32_t i = range.begin; i < range.begin + range.count; i++) {
        const struct tk_link *link = &batch->link[i];
        tk_json_object(json);
        expected_trace_id(json, link->trace_id);
        expected_span_id(json, "span_id", link->span_id);
        expected_text(json, "trace_state", link->trace_state);
        expected_number(json, "flags", link->flags);
        expected_attrs(json, batch, link->attrs, link->dropped_attrs);
        tk_json_object_end(json);
    }
    tk_json_array_end(json);
    expected_number(json, "dropped_links_count", batch->dropped_links[row]);
}

static void
expected_owners(struct tk_json_writer *json, const struct tk_batch *batch, uint32_t row)
{
    const struct tk_resource *resource = &batch->resources[batch->resource[row]];
    const struct tk_scope *scope = &batch->scopes[batch->scope[row]];
    tk_json_key(json, TK_STR("resource"));
    tk_json_object(json);
    expected_attrs(json, batch, resource->attrs, resource->dropped_attrs);
    expected_text(json, "schema_url", resource->schema_url);
    tk_json_object_end(json);
    tk_json_key(json, TK_STR("scope"));
    tk_json_object(json);
    expected_text(json, "name", scope->name);
    expected_text(json, "version", scope->version);
    expected_attrs(json, batch, scope->attrs, scope->dropped_attrs);
    expected_text(json, "schema_url", scope->schema_url);
    tk_json_object_end(json);
}

/* Appends the line, without a newline. */
static void
expected_span(struct tk_buf *out, const struct tk_batch *batch, uint32_t row)
{
    struct tk_json_writer writer, *json = &writer;
    tk_json_writer_init(json, out);
    tk_json_object(json);
    expected_trace_id(json, batch->trace_id[row]);
    expected_span_id(json, "span_id", batch->span_id[row]);
    expected_span_id(json, "parent_span_id", batch->parent_id[row]);
    expected_text(json, "trace_state", batch->trace_state[row]);
    expected_number(json, "flags", batch->flags[row]);
    expected_text(json, "name", batch->name[row]);
    expected_number(json, "kind", batch->kind[row]);
    expected_time(json, "start_time_unix_nano", batch->start_nano[row]);
    expected_time(json, "end_time_unix_nano", batch->end_nano[row]);
    tk_json_key(json, TK_STR("status"));
    tk_json_object(json);
    expected_number(json, "code", batch->status[row]);
    expected_text(json, "message", batch->status_message[row]);
    tk_json_object_end(json);
    expected_attrs(json, batch, batch->attrs[row], batch->dropped_attrs[row]);
    expected_events(json, batch, row);
    expected_links(json, batch, row);
    expected_owners(json, batch, row);
    tk_json_object_end(json);
}

/* All spans, a line each. */
static void
expected_batch(struct tk_buf *out, const struct tk_batch *batch)
{
    for (uint32_t row = 0; row < batch->span_count; row++) {
        expected_span(out, batch, row);
        tk_buf_append_char(out, '\n');
    }
}

#endif
