/* trace_json - see trace_json.h. */
#include "api/trace_json.h"

#include "api/match_json.h"
#include "api/json_members.h"

#include "query/rows.h"
#include "wire/otlp.h"

const char *
tk_kind_text(int32_t kind)
{
    static const char *const names[] = {NULL,     "INTERNAL", "SERVER",
                                        "CLIENT", "PRODUCER", "CONSUMER"};
    return kind >= 0 && kind < (int32_t)(sizeof names / sizeof names[0]) ? names[kind] : NULL;
}

static void
attributes_json(struct tk_json_writer *json, const struct tk_batch *batch, struct tk_range range)
{
    tk_member(json, "attributes");
    tk_json_object(json);
    for (uint32_t i = range.begin; i < range.begin + range.count; i++) {
        tk_json_key(json, batch->keys.strings[batch->attr_key[i]]);
        tk_value_json(json, batch->attr_value[i]);
    }
    tk_json_object_end(json);
}

/* ---- what Summary and Trace share ---- */

struct picture {
    struct tk_tree tree;
    struct tk_trace_services services;
};

static enum tk_err
draw(const struct tk_batch *trace, struct tk_arena *arena, struct picture *picture)
{
    enum tk_err result = tk_tree_build(trace, arena, &picture->tree);
    if (result != TK_OK)
        return result;
    return tk_trace_services(trace, &picture->tree, arena, &picture->services);
}

static void
times_json(struct tk_json_writer *json, const struct tk_batch *trace, const struct tk_tree *tree)
{
    tk_member_trace_id(json, "traceId", trace->trace_id[0]);
    tk_member_nano(json, "startTimeUnixNano", tree->start_nano);
    tk_member_nano(json, "durationNano", tree->end_nano - tree->start_nano);
}

static void
counts_json(struct tk_json_writer *json, const struct tk_batch *trace,
            const struct tk_trace_services *services)
{
    uint64_t errors = 0;
    for (uint32_t i = 0; i < services->count; i++)
        errors += services->service[i].error_count;
    tk_member_uint(json, "spanCount", trace->span_count);
    tk_member_uint(json, "errorCount", errors);
    tk_member(json, "services");
    tk_json_array(json);
    for (uint32_t i = 0; i < services->count; i++) {
        tk_json_object(json);
        tk_member_string(json, "name", services->service[i].name);
        tk_member_uint(json, "spanCount", services->service[i].span_count);
        tk_member_uint(json, "errorCount", services->service[i].error_count);
        tk_json_object_end(json);
    }
    tk_json_array_end(json);
}

enum tk_err
tk_summary_json(struct tk_json_writer *json, const struct tk_batch *trace, struct tk_query *query,
                struct tk_arena *arena)
{
    struct picture picture;
    enum tk_err result = draw(trace, arena, &picture);
    if (result != TK_OK)
        return result;
    uint32_t root = picture.tree.row[picture.tree.root];
    tk_json_object(json);
    times_json(json, trace, &picture.tree);
    tk_member_string(json, "rootServiceName", tk_batch_service(trace, root));
    tk_member_string(json, "rootName", trace->name[root]);
    counts_json(json, trace, &picture.services);
    tk_member(json, "broken");
    tk_json_bool(json, picture.tree.broken);
    if (query != NULL)
        result = tk_match_json(json, query, trace);
    tk_json_object_end(json);
    return result;
}

/* ---- spans ---- */

static void
status_json(struct tk_json_writer *json, const struct tk_batch *trace, uint32_t row)
{
    int32_t status = trace->status[row];
    tk_member(json, "status");
    tk_json_object(json);
    tk_member_string(json, "code",
                     status == TK_STATUS_ERROR ? TK_STR("ERROR")
                     : status == TK_STATUS_OK  ? TK_STR("OK")
                                               : TK_STR("UNSET"));
    tk_optional_string(json, "message", trace->status_message[row]);
    tk_json_object_end(json);
}

static void
events_json(struct tk_json_writer *json, const struct tk_batch *trace, struct tk_range events)
{
    if (events.count == 0)
        return;
    tk_member(json, "events");
    tk_json_array(json);
    for (uint32_t i = events.begin; i < events.begin + events.count; i++) {
        const struct tk_event *event = &trace->event[i];
        tk_json_object(json);
        tk_member_string(json, "name", event->name);
        tk_member_nano(json, "timeUnixNano", event->time_nano);
        attributes_json(json, trace, event->attrs);
        tk_optional_uint(json, "droppedAttributesCount", event->dropped_attrs);
        tk_json_object_end(json);
    }
    tk_json_array_end(json);
}

static void
links_json(struct tk_json_writer *json, const struct tk_batch *trace, struct tk_range links)
{
    if (links.count == 0)
        return;
    tk_member(json, "links");
    tk_json_array(json);
    for (uint32_t i = links.begin; i < links.begin + links.count; i++) {
        const struct tk_link *link = &trace->link[i];
        tk_json_object(json);
        tk_member_trace_id(json, "traceId", link->trace_id);
        tk_member_span_id(json, "spanId", link->span_id);
        tk_optional_string(json, "traceState", link->trace_state);
        attributes_json(json, trace, link->attrs);
        tk_optional_uint(json, "droppedAttributesCount", link->dropped_attrs);
        tk_optional_uint(json, "flags", link->flags);
        tk_json_object_end(json);
    }
    tk_json_array_end(json);
}

static void
span_head_json(struct tk_json_writer *json, const struct tk_batch *trace, uint32_t row, bool orphan)
{
    const char *kind = tk_kind_text(trace->kind[row]);
    tk_member_span_id(json, "spanId", trace->span_id[row]);
    if (trace->parent_id[row] != 0)
        tk_member_span_id(json, "parentSpanId", trace->parent_id[row]);
    if (orphan) {
        tk_member(json, "orphan");
        tk_json_bool(json, true);
    }
    tk_member_string(json, "name", trace->name[row]);
    if (kind != NULL)
        tk_member_string(json, "kind", tk_str_from(kind));
    tk_member_string(json, "serviceName", tk_batch_service(trace, row));
    tk_member_nano(json, "startTimeUnixNano", trace->start_nano[row]);
    tk_member_nano(json, "durationNano", trace->end_nano[row] - trace->start_nano[row]);
}

static void
span_rest_json(struct tk_json_writer *json, const struct tk_batch *trace, uint32_t row)
{
    status_json(json, trace, row);
    tk_optional_string(json, "traceState", trace->trace_state[row]);
    tk_optional_uint(json, "flags", trace->flags[row]);
    attributes_json(json, trace, trace->attrs[row]);
    events_json(json, trace, trace->events[row]);
    links_json(json, trace, trace->links[row]);
}

static void
span_dropped_json(struct tk_json_writer *json, const struct tk_batch *trace, uint32_t row)
{
    tk_optional_uint(json, "droppedAttributesCount", trace->dropped_attrs[row]);
    tk_optional_uint(json, "droppedEventsCount", trace->dropped_events[row]);
    tk_optional_uint(json, "droppedLinksCount", trace->dropped_links[row]);
}

static void
span_json(struct tk_json_writer *json, const struct tk_batch *trace, const struct tk_tree *tree,
          uint32_t position)
{
    uint32_t row = tree->row[position];
    tk_json_object(json);
    span_head_json(json, trace, row, tree->orphan[position]);
    tk_member_nano(json, "selfTimeNano", tree->self_nano[position]);
    tk_member_uint(json, "depth", tree->depth[position]);
    span_rest_json(json, trace, row);
    tk_member_uint(json, "resource", trace->resource[row]);
    tk_member_uint(json, "scope", trace->scope[row]);
    span_dropped_json(json, trace, row);
    tk_json_object_end(json);
}

static void
rows_json(struct tk_json_writer *json, const struct tk_rows *rows,
          const struct tk_trace_services *services, uint64_t start_nano)
{
    static const char *const types[] = {"service", "span", "gap"};
    tk_member(json, "rows");
    tk_json_array(json);
    for (uint32_t i = 0; i < rows->count; i++) {
        const struct tk_row *row = &rows->row[i];
        tk_json_object(json);
        tk_member_string(json, "type", tk_str_from(types[row->type]));
        tk_member_uint(json, "depth", row->depth);
        tk_member_string(json, "service", services->service[row->service].name);
        tk_member_string(json, "name", row->name);
        tk_member(json, "span");
        if (row->span == TK_NO_SPAN)
            tk_json_null(json);
        else
            tk_json_uint(json, row->span);
        tk_member_nano(json, "offsetNano", row->start_nano - start_nano);
        tk_member_nano(json, "durationNano", row->duration_nano);
        tk_json_object_end(json);
    }
    tk_json_array_end(json);
}

static void
resource_json(struct tk_json_writer *json, const struct tk_batch *trace,
              const struct tk_resource *resource)
{
    tk_json_object(json);
    attributes_json(json, trace, resource->attrs);
    tk_optional_uint(json, "droppedAttributesCount", resource->dropped_attrs);
    tk_optional_string(json, "schemaUrl", resource->schema_url);
    tk_json_object_end(json);
}

static void
scope_json(struct tk_json_writer *json, const struct tk_batch *trace, const struct tk_scope *scope)
{
    tk_json_object(json);
    tk_optional_string(json, "name", scope->name);
    tk_optional_string(json, "version", scope->version);
    attributes_json(json, trace, scope->attrs);
    tk_optional_uint(json, "droppedAttributesCount", scope->dropped_attrs);
    tk_optional_string(json, "schemaUrl", scope->schema_url);
    tk_json_object_end(json);
}

static void
resources_json(struct tk_json_writer *json, const struct tk_batch *trace)
{
    tk_member(json, "resources");
    tk_json_array(json);
    for (uint32_t i = 0; i < trace->resource_count; i++)
        resource_json(json, trace, &trace->resources[i]);
    tk_json_array_end(json);
}

static void
scopes_json(struct tk_json_writer *json, const struct tk_batch *trace)
{
    tk_member(json, "scopes");
    tk_json_array(json);
    for (uint32_t i = 0; i < trace->scope_count; i++)
        scope_json(json, trace, &trace->scopes[i]);
    tk_json_array_end(json);
}

enum tk_err
tk_trace_json(struct tk_json_writer *json, const struct tk_batch *trace, bool gaps,
              struct tk_arena *arena)
{
    struct picture picture;
    struct tk_rows rows;
    struct tk_rows_want want = {.gaps = gaps};
    enum tk_err result;
    if ((result = draw(trace, arena, &picture)) != TK_OK ||
        (result = tk_rows_build(trace, &picture.tree, &picture.services, &want, arena, &rows)) !=
            TK_OK)
        return result;
    tk_json_object(json);
    times_json(json, trace, &picture.tree);
    counts_json(json, trace, &picture.services);
    tk_member(json, "broken");
    tk_json_bool(json, picture.tree.broken);
    tk_member(json, "spans");
    tk_json_array(json);
    for (uint32_t i = 0; i < picture.tree.span_count; i++)
        span_json(json, trace, &picture.tree, i);
    tk_json_array_end(json);
    rows_json(json, &rows, &picture.services, picture.tree.start_nano);
    resources_json(json, trace);
    scopes_json(json, trace);
    tk_json_object_end(json);
    return TK_OK;
}

void
tk_span_json(struct tk_json_writer *json, const struct tk_batch *trace, uint32_t row)
{
    tk_json_object(json);
    span_head_json(json, trace, row, false);
    span_rest_json(json, trace, row);
    tk_member(json, "resource");
    resource_json(json, trace, &trace->resources[trace->resource[row]]);
    tk_member(json, "scope");
    scope_json(json, trace, &trace->scopes[trace->scope[row]]);
    span_dropped_json(json, trace, row);
    tk_json_object_end(json);
}
