/*
 * otlp_json_encode - a span batch in OTLP's JSON encoding; see otlp.h.  Members with their default
 * are left out, but for names and times, which readers like to find.
 */
#include "wire/otlp.h"
#include "wire/otlp_order.h"

static void put_any_value(struct tk_json_writer *json, struct tk_value value);

static void
put_text(struct tk_json_writer *json, const char *name, tk_str text)
{
    if (text.len == 0)
        return;
    tk_json_key(json, tk_str_from(name));
    tk_json_string(json, text);
}

static void
put_number(struct tk_json_writer *json, const char *name, int64_t number)
{
    if (number == 0)
        return;
    tk_json_key(json, tk_str_from(name));
    tk_json_int(json, number);
}

static void
put_time(struct tk_json_writer *json, const char *name, uint64_t nano)
{
    tk_json_key(json, tk_str_from(name));
    tk_json_uint_string(json, nano);
}

static void
put_trace_id(struct tk_json_writer *json, struct tk_trace_id id)
{
    char bytes[TK_TRACE_ID_SIZE];
    tk_trace_id_write(id, bytes);
    tk_json_key(json, TK_STR("traceId"));
    tk_json_hex(json, (tk_str){bytes, sizeof bytes});
}

static void
put_span_id(struct tk_json_writer *json, const char *name, tk_span_id id)
{
    char bytes[TK_SPAN_ID_SIZE];
    tk_span_id_write(id, bytes);
    tk_json_key(json, tk_str_from(name));
    tk_json_hex(json, (tk_str){bytes, sizeof bytes});
}

static void
put_key_value(struct tk_json_writer *json, tk_str key, struct tk_value value)
{
    tk_json_object(json);
    tk_json_key(json, TK_STR("key"));
    tk_json_string(json, key);
    tk_json_key(json, TK_STR("value"));
    put_any_value(json, value);
    tk_json_object_end(json);
}

static bool
put_element(void *arg, tk_str key, struct tk_value value)
{
    (void)key;
    put_any_value(arg, value);
    return true;
}

static bool
put_member(void *arg, tk_str key, struct tk_value value)
{
    put_key_value(arg, key, value);
    return true;
}

static void
put_list(struct tk_json_writer *json, struct tk_value value)
{
    tk_json_object(json);
    tk_json_key(json, TK_STR("values"));
    tk_json_array(json);
    tk_value_each(value, value.type == TK_VALUE_MAP ? put_member : put_element, json);
    tk_json_array_end(json);
    tk_json_object_end(json);
}

static void
put_any_value(struct tk_json_writer *json, struct tk_value value)
{
    tk_json_object(json);
    switch (value.type) {
    case TK_VALUE_STRING:
        tk_json_key(json, TK_STR("stringValue"));
        tk_json_string(json, tk_value_str(value));
        break;
    case TK_VALUE_BOOL:
        tk_json_key(json, TK_STR("boolValue"));
        tk_json_bool(json, value.b);
        break;
    case TK_VALUE_INT:
        tk_json_key(json, TK_STR("intValue"));
        tk_json_int_string(json, value.i);
        break;
    case TK_VALUE_DOUBLE:
        tk_json_key(json, TK_STR("doubleValue"));
        tk_json_double(json, value.d);
        break;
    case TK_VALUE_BYTES:
        tk_json_key(json, TK_STR("bytesValue"));
        tk_json_base64(json, tk_value_str(value));
        break;
    case TK_VALUE_ARRAY:
        tk_json_key(json, TK_STR("arrayValue"));
        put_list(json, value);
        break;
    case TK_VALUE_MAP:
        tk_json_key(json, TK_STR("kvlistValue"));
        put_list(json, value);
        break;
    default: /* an AnyValue with nothing set */
        break;
    }
    tk_json_object_end(json);
}

static void
put_attrs(struct tk_json_writer *json, const struct tk_batch *batch, struct tk_range range,
          uint32_t dropped)
{
    if (range.count > 0) {
        tk_json_key(json, TK_STR("attributes"));
        tk_json_array(json);
        for (uint32_t i = range.begin; i < range.begin + range.count; i++)
            put_key_value(json, batch->keys.strings[batch->attr_key[i]], batch->attr_value[i]);
        tk_json_array_end(json);
    }
    put_number(json, "droppedAttributesCount", dropped);
}

static void
put_events(struct tk_json_writer *json, const struct tk_batch *batch, uint32_t row)
{
    struct tk_range range = batch->events[row];
    if (range.count > 0) {
        tk_json_key(json, TK_STR("events"));
        tk_json_array(json);
        for (uint32_t i = range.begin; i < range.begin + range.count; i++) {
            const struct tk_event *event = &batch->event[i];
            tk_json_object(json);
            put_time(json, "timeUnixNano", event->time_nano);
            put_text(json, "name", event->name);
            put_attrs(json, batch, event->attrs, event->dropped_attrs);
            tk_json_object_end(json);
        }
        tk_json_array_end(json);
    }
    put_number(json, "droppedEventsCount", batch->dropped_events[row]);
}

static void
put_links(struct tk_json_writer *json, const struct tk_batch *batch, uint32_t row)
{
    struct tk_range range = batch->links[row];
    if (range.count > 0) {
        tk_json_key(json, TK_STR("links"));
        tk_json_array(json);
        for (uint32_t i = range.begin; i < range.begin + range.count; i++) {
            const struct tk_link *link = &batch->link[i];
            tk_json_object(json);
            put_trace_id(json, link->trace_id);
            put_span_id(json, "spanId", link->span_id);
            put_text(json, "traceState", link->trace_state);
            put_attrs(json, batch, link->attrs, link->dropped_attrs);
            put_number(json, "flags", link->flags);
            tk_json_object_end(json);
        }
        tk_json_array_end(json);
    }
    put_number(json, "droppedLinksCount", batch->dropped_links[row]);
}

static void
put_status(struct tk_json_writer *json, const struct tk_batch *batch, uint32_t row)
{
    tk_json_key(json, TK_STR("status"));
    tk_json_object(json);
    put_text(json, "message", batch->status_message[row]);
    put_number(json, "code", batch->status[row]);
    tk_json_object_end(json);
}

static void
put_span(struct tk_json_writer *json, const struct tk_batch *batch, uint32_t row)
{
    tk_json_object(json);
    put_trace_id(json, batch->trace_id[row]);
    put_span_id(json, "spanId", batch->span_id[row]);
    put_text(json, "traceState", batch->trace_state[row]);
    if (batch->parent_id[row] != 0)
        put_span_id(json, "parentSpanId", batch->parent_id[row]);
    tk_json_key(json, TK_STR("name"));
    tk_json_string(json, batch->name[row]);
    put_number(json, "kind", batch->kind[row]);
    put_time(json, "startTimeUnixNano", batch->start_nano[row]);
    put_time(json, "endTimeUnixNano", batch->end_nano[row]);
    put_attrs(json, batch, batch->attrs[row], batch->dropped_attrs[row]);
    put_events(json, batch, row);
    put_links(json, batch, row);
    put_status(json, batch, row);
    put_number(json, "flags", batch->flags[row]);
    tk_json_object_end(json);
}

static void
put_scope(struct tk_json_writer *json, const struct tk_batch *batch, const struct tk_scope *scope)
{
    tk_json_key(json, TK_STR("scope"));
    tk_json_object(json);
    put_text(json, "name", scope->name);
    put_text(json, "version", scope->version);
    put_attrs(json, batch, scope->attrs, scope->dropped_attrs);
    tk_json_object_end(json);
}

/* The ScopeSpans that begins at rows[at]; returns where the next one begins. */
static uint32_t
put_scope_spans(struct tk_json_writer *json, const struct tk_batch *batch,
                const struct tk_otlp_order *order, uint32_t at)
{
    uint32_t resource = batch->resource[order->rows[at]], index = batch->scope[order->rows[at]];
    const struct tk_scope *scope = &batch->scopes[index];
    tk_json_object(json);
    put_scope(json, batch, scope);
    tk_json_key(json, TK_STR("spans"));
    tk_json_array(json);
    for (; at < order->count && batch->resource[order->rows[at]] == resource &&
           batch->scope[order->rows[at]] == index;
         at++)
        put_span(json, batch, order->rows[at]);
    tk_json_array_end(json);
    put_text(json, "schemaUrl", scope->schema_url);
    tk_json_object_end(json);
    return at;
}

static void
put_resource_spans(struct tk_json_writer *json, const struct tk_batch *batch,
                   const struct tk_otlp_order *order, uint32_t *at)
{
    uint32_t index = batch->resource[order->rows[*at]];
    const struct tk_resource *resource = &batch->resources[index];
    tk_json_object(json);
    tk_json_key(json, TK_STR("resource"));
    tk_json_object(json);
    put_attrs(json, batch, resource->attrs, resource->dropped_attrs);
    tk_json_object_end(json);
    tk_json_key(json, TK_STR("scopeSpans"));
    tk_json_array(json);
    while (*at < order->count && batch->resource[order->rows[*at]] == index)
        *at = put_scope_spans(json, batch, order, *at);
    tk_json_array_end(json);
    put_text(json, "schemaUrl", resource->schema_url);
    tk_json_object_end(json);
}

void
tk_otlp_json_encode(const struct tk_batch *batch, struct tk_range rows, struct tk_buf *out)
{
    struct tk_otlp_order order;
    struct tk_json_writer json;
    if (tk_otlp_order_init(&order, batch, rows) != TK_OK) {
        out->status = TK_ERR_MEMORY;
        return;
    }
    tk_json_writer_init(&json, out);
    tk_json_object(&json);
    tk_json_key(&json, TK_STR("resourceSpans"));
    tk_json_array(&json);
    for (uint32_t at = 0; at < order.count;)
        put_resource_spans(&json, batch, &order, &at);
    tk_json_array_end(&json);
    tk_json_object_end(&json);
    tk_otlp_order_release(&order);
}
