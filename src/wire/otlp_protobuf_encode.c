/* otlp_protobuf_encode - a span batch as TracesData; see otlp.h.  Fields by number, defaults left
   out, as protobuf's own encoders write. */
#include "wire/otlp.h"
#include "wire/otlp_order.h"
#include "wire/value.h"

static void
put_attrs(struct tk_buf *out, uint32_t number, const struct tk_batch *batch, struct tk_range range)
{
    for (uint32_t i = range.begin; i < range.begin + range.count; i++)
        tk_key_value_put(out, number, batch->keys.strings[batch->attr_key[i]],
                         batch->attr_value[i]);
}

static void
put_trace_id(struct tk_buf *out, uint32_t number, struct tk_trace_id id)
{
    char bytes[TK_TRACE_ID_SIZE];
    tk_trace_id_write(id, bytes);
    tk_pb_put_bytes(out, number, (tk_str){bytes, sizeof bytes});
}

static void
put_span_id(struct tk_buf *out, uint32_t number, tk_span_id id)
{
    char bytes[TK_SPAN_ID_SIZE];
    tk_span_id_write(id, bytes);
    tk_pb_put_bytes(out, number, (tk_str){bytes, sizeof bytes});
}

static void
put_event(struct tk_buf *out, const struct tk_batch *batch, const struct tk_event *event)
{
    size_t begun = tk_pb_begin(out, 11);
    if (event->time_nano != 0)
        tk_pb_put_fixed64(out, 1, event->time_nano);
    tk_pb_put_bytes_unless_empty(out, 2, event->name);
    put_attrs(out, 3, batch, event->attrs);
    tk_pb_put_varint_unless_zero(out, 4, event->dropped_attrs);
    tk_pb_end(out, begun);
}

static void
put_link(struct tk_buf *out, const struct tk_batch *batch, const struct tk_link *link)
{
    size_t begun = tk_pb_begin(out, 13);
    put_trace_id(out, 1, link->trace_id);
    put_span_id(out, 2, link->span_id);
    tk_pb_put_bytes_unless_empty(out, 3, link->trace_state);
    put_attrs(out, 4, batch, link->attrs);
    tk_pb_put_varint_unless_zero(out, 5, link->dropped_attrs);
    if (link->flags != 0)
        tk_pb_put_fixed32(out, 6, link->flags);
    tk_pb_end(out, begun);
}

static void
put_status(struct tk_buf *out, const struct tk_batch *batch, uint32_t row)
{
    if (batch->status[row] == TK_STATUS_UNSET && batch->status_message[row].len == 0)
        return;
    size_t begun = tk_pb_begin(out, 15);
    tk_pb_put_bytes_unless_empty(out, 2, batch->status_message[row]);
    tk_pb_put_varint_unless_zero(out, 3, (uint64_t)batch->status[row]);
    tk_pb_end(out, begun);
}

static void
put_span(struct tk_buf *out, const struct tk_batch *batch, uint32_t row)
{
    struct tk_range events = batch->events[row], links = batch->links[row];
    size_t begun = tk_pb_begin(out, 2);
    put_trace_id(out, 1, batch->trace_id[row]);
    put_span_id(out, 2, batch->span_id[row]);
    tk_pb_put_bytes_unless_empty(out, 3, batch->trace_state[row]);
    if (batch->parent_id[row] != 0)
        put_span_id(out, 4, batch->parent_id[row]);
    tk_pb_put_bytes_unless_empty(out, 5, batch->name[row]);
    tk_pb_put_varint_unless_zero(out, 6, (uint64_t)batch->kind[row]);
    tk_pb_put_fixed64(out, 7, batch->start_nano[row]);
    tk_pb_put_fixed64(out, 8, batch->end_nano[row]);
    put_attrs(out, 9, batch, batch->attrs[row]);
    tk_pb_put_varint_unless_zero(out, 10, batch->dropped_attrs[row]);
    for (uint32_t i = events.begin; i < events.begin + events.count; i++)
        put_event(out, batch, &batch->event[i]);
    tk_pb_put_varint_unless_zero(out, 12, batch->dropped_events[row]);
    for (uint32_t i = links.begin; i < links.begin + links.count; i++)
        put_link(out, batch, &batch->link[i]);
    tk_pb_put_varint_unless_zero(out, 14, batch->dropped_links[row]);
    put_status(out, batch, row);
    if (batch->flags[row] != 0)
        tk_pb_put_fixed32(out, 16, batch->flags[row]);
    tk_pb_end(out, begun);
}

static void
put_resource(struct tk_buf *out, const struct tk_batch *batch, const struct tk_resource *resource)
{
    size_t begun = tk_pb_begin(out, 1);
    put_attrs(out, 1, batch, resource->attrs);
    tk_pb_put_varint_unless_zero(out, 2, resource->dropped_attrs);
    tk_pb_end(out, begun);
}

static void
put_scope(struct tk_buf *out, const struct tk_batch *batch, const struct tk_scope *scope)
{
    size_t begun = tk_pb_begin(out, 1);
    tk_pb_put_bytes_unless_empty(out, 1, scope->name);
    tk_pb_put_bytes_unless_empty(out, 2, scope->version);
    put_attrs(out, 3, batch, scope->attrs);
    tk_pb_put_varint_unless_zero(out, 4, scope->dropped_attrs);
    tk_pb_end(out, begun);
}

/* The ScopeSpans that begins at rows[at]; returns where the next one begins. */
static uint32_t
put_scope_spans(struct tk_buf *out, const struct tk_batch *batch, const struct tk_otlp_order *order,
                uint32_t at)
{
    uint32_t resource = batch->resource[order->rows[at]], index = batch->scope[order->rows[at]];
    const struct tk_scope *scope = &batch->scopes[index];
    size_t begun = tk_pb_begin(out, 2);
    put_scope(out, batch, scope);
    for (; at < order->count && batch->resource[order->rows[at]] == resource &&
           batch->scope[order->rows[at]] == index;
         at++)
        put_span(out, batch, order->rows[at]);
    tk_pb_put_bytes_unless_empty(out, 3, scope->schema_url);
    tk_pb_end(out, begun);
    return at;
}

void
tk_otlp_protobuf_encode(const struct tk_batch *batch, struct tk_range rows, struct tk_buf *out)
{
    struct tk_otlp_order order;
    if (tk_otlp_order_init(&order, batch, rows) != TK_OK) {
        out->status = TK_ERR_MEMORY;
        return;
    }
    for (uint32_t at = 0; at < order.count;) {
        uint32_t index = batch->resource[order.rows[at]];
        const struct tk_resource *resource = &batch->resources[index];
        size_t begun = tk_pb_begin(out, 1);
        put_resource(out, batch, resource);
        while (at < order.count && batch->resource[order.rows[at]] == index)
            at = put_scope_spans(out, batch, &order, at);
        tk_pb_put_bytes_unless_empty(out, 3, resource->schema_url);
        tk_pb_end(out, begun);
    }
    tk_otlp_order_release(&order);
}

void
tk_otlp_resource_encode(const struct tk_batch *batch, uint32_t resource, struct tk_buf *out)
{
    put_resource(out, batch, &batch->resources[resource]);
    tk_pb_put_bytes_unless_empty(out, 3, batch->resources[resource].schema_url);
}

void
tk_otlp_scope_encode(const struct tk_batch *batch, uint32_t scope, struct tk_buf *out)
{
    put_scope(out, batch, &batch->scopes[scope]);
    tk_pb_put_bytes_unless_empty(out, 3, batch->scopes[scope].schema_url);
}
