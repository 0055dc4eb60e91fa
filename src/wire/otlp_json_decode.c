/*
 * otlp_json_decode - ExportTraceServiceRequest in OTLP's JSON encoding into a span batch; see
 * otlp.h and opentelemetry-proto docs/specification.md, "JSON Protobuf Encoding".
 *
 * A JSON list comes in one piece, so one walk over the body is enough: each list makes its run in
 * the batch when it is met.  When a member comes again the last one counts; rows that the first
 * one made are taken back, attributes and events of it are left behind unreferred to.
 */
#include "wire/otlp_json.h"
#include "wire/otlp.h"
#include "wire/rejected.h"

enum { PATH_SIZE = 160 };

static bool
read_resource(struct tk_otlp_json *d, struct tk_resource *resource)
{
    static const char *const names[] = {"attributes", "droppedAttributesCount", NULL};
    struct tk_json_body *body = &d->body;
    tk_str name;
    bool good = true;
    *resource = (struct tk_resource){.schema_url = resource->schema_url};
    if (!tk_json_body_is_object(body))
        return body->code == TK_OK;
    while (good && tk_json_body_member(body, &name)) {
        switch (tk_json_body_name(name, names)) {
        case 0:
            good = tk_otlp_json_attrs(d, &resource->attrs);
            break;
        case 1:
            good = tk_json_body_u32(body, &resource->dropped_attrs);
            break;
        default:
            good = tk_json_body_skip(body);
        }
    }
    return good && body->code == TK_OK;
}

static bool
read_scope(struct tk_otlp_json *d, struct tk_scope *scope)
{
    static const char *const names[] = {"name", "version", "attributes", "droppedAttributesCount",
                                        NULL};
    struct tk_json_body *body = &d->body;
    tk_str name;
    bool good = true;
    *scope = (struct tk_scope){.schema_url = scope->schema_url};
    if (!tk_json_body_is_object(body))
        return body->code == TK_OK;
    while (good && tk_json_body_member(body, &name)) {
        switch (tk_json_body_name(name, names)) {
        case 0:
            good = tk_json_body_string(body, &scope->name);
            break;
        case 1:
            good = tk_json_body_string(body, &scope->version);
            break;
        case 2:
            good = tk_otlp_json_attrs(d, &scope->attrs);
            break;
        case 3:
            good = tk_json_body_u32(body, &scope->dropped_attrs);
            break;
        default:
            good = tk_json_body_skip(body);
        }
    }
    return good && body->code == TK_OK;
}

static bool
read_event(struct tk_otlp_json *d)
{
    static const char *const names[] = {"timeUnixNano", "name", "attributes",
                                        "droppedAttributesCount", NULL};
    struct tk_json_body *body = &d->body;
    tk_str name;
    uint32_t index;
    if (!tk_json_body_must_be_object(body) ||
        !tk_json_body_keep(body, tk_batch_add_event(d->batch, &index)))
        return false;
    struct tk_event *event = &d->batch->event[index];
    bool good = true;
    while (good && tk_json_body_member(body, &name)) {
        switch (tk_json_body_name(name, names)) {
        case 0:
            good = tk_json_body_u64(body, &event->time_nano);
            break;
        case 1:
            good = tk_json_body_string(body, &event->name);
            break;
        case 2:
            good = tk_otlp_json_attrs(d, &event->attrs);
            break;
        case 3:
            good = tk_json_body_u32(body, &event->dropped_attrs);
            break;
        default:
            good = tk_json_body_skip(body);
        }
    }
    return good && body->code == TK_OK;
}

/* All zero is how "none" is written, where none is allowed. */
static bool
is_zeros(tk_str hex)
{
    for (size_t i = 0; i < hex.len; i++)
        if (hex.ptr[i] != '0')
            return false;
    return true;
}

static const char *
set_link_ids(struct tk_link *link, tk_str trace_id, tk_str span_id)
{
    if (!tk_trace_id_parse(trace_id, &link->trace_id) &&
        !((trace_id.len == 0 || trace_id.len == TK_TRACE_ID_HEX) && is_zeros(trace_id)))
        return "the traceId of a link is not 32 hex digits";
    if (!tk_span_id_parse(span_id, &link->span_id) &&
        !((span_id.len == 0 || span_id.len == TK_SPAN_ID_HEX) && is_zeros(span_id)))
        return "the spanId of a link is not 16 hex digits";
    return NULL;
}

/* What a span says before it is known to be good. */
struct span_draft {
    tk_str trace_id, span_id, parent_id;
    const char *reason; /* why it cannot be kept; NULL: it can */
};

static bool
read_link(struct tk_otlp_json *d, struct span_draft *draft)
{
    static const char *const names[] = {
        "traceId", "spanId", "traceState", "attributes", "droppedAttributesCount", "flags", NULL};
    struct tk_json_body *body = &d->body;
    tk_str name, trace_id = TK_STR(""), span_id = TK_STR("");
    uint32_t index;
    if (!tk_json_body_must_be_object(body) ||
        !tk_json_body_keep(body, tk_batch_add_link(d->batch, &index)))
        return false;
    struct tk_link *link = &d->batch->link[index];
    bool good = true;
    while (good && tk_json_body_member(body, &name)) {
        switch (tk_json_body_name(name, names)) {
        case 0:
            good = tk_json_body_string(body, &trace_id);
            break;
        case 1:
            good = tk_json_body_string(body, &span_id);
            break;
        case 2:
            good = tk_json_body_string(body, &link->trace_state);
            break;
        case 3:
            good = tk_otlp_json_attrs(d, &link->attrs);
            break;
        case 4:
            good = tk_json_body_u32(body, &link->dropped_attrs);
            break;
        case 5:
            good = tk_json_body_u32(body, &link->flags);
            break;
        default:
            good = tk_json_body_skip(body);
        }
    }
    const char *reason = set_link_ids(link, trace_id, span_id);
    if (reason != NULL)
        draft->reason = reason;
    return good && body->code == TK_OK;
}

static bool
read_events(struct tk_otlp_json *d, uint32_t row)
{
    struct tk_range *events = &d->batch->events[row];
    bool good = true;
    *events = (struct tk_range){d->batch->event_count, 0};
    if (!tk_json_body_is_array(&d->body))
        return d->body.code == TK_OK;
    while (good && tk_json_body_element(&d->body))
        good = read_event(d);
    events->count = d->batch->event_count - events->begin;
    return good && d->body.code == TK_OK;
}

static bool
read_links(struct tk_otlp_json *d, uint32_t row, struct span_draft *draft)
{
    struct tk_range *links = &d->batch->links[row];
    bool good = true;
    *links = (struct tk_range){d->batch->link_count, 0};
    draft->reason = NULL;
    if (!tk_json_body_is_array(&d->body))
        return d->body.code == TK_OK;
    while (good && tk_json_body_element(&d->body))
        good = read_link(d, draft);
    links->count = d->batch->link_count - links->begin;
    return good && d->body.code == TK_OK;
}

static bool
read_status(struct tk_otlp_json *d, uint32_t row)
{
    static const char *const names[] = {"message", "code", NULL};
    static const char *const codes[] = {"STATUS_CODE_UNSET", "STATUS_CODE_OK", "STATUS_CODE_ERROR",
                                        NULL};
    struct tk_json_body *body = &d->body;
    tk_str name;
    bool good = true;
    d->batch->status[row] = TK_STATUS_UNSET;
    d->batch->status_message[row] = TK_STR("");
    if (!tk_json_body_is_object(body))
        return body->code == TK_OK;
    while (good && tk_json_body_member(body, &name)) {
        switch (tk_json_body_name(name, names)) {
        case 0:
            good = tk_json_body_string(body, &d->batch->status_message[row]);
            break;
        case 1:
            good = tk_json_body_enum(body, codes, &d->batch->status[row]);
            break;
        default:
            good = tk_json_body_skip(body);
        }
    }
    return good && body->code == TK_OK;
}

/* In the order of span_names. */
enum span_member {
    SPAN_TRACE_ID,
    SPAN_SPAN_ID,
    SPAN_TRACE_STATE,
    SPAN_PARENT_ID,
    SPAN_NAME,
    SPAN_KIND,
    SPAN_START,
    SPAN_END,
    SPAN_ATTRS,
    SPAN_DROPPED_ATTRS,
    SPAN_EVENTS,
    SPAN_DROPPED_EVENTS,
    SPAN_LINKS,
    SPAN_DROPPED_LINKS,
    SPAN_STATUS,
    SPAN_FLAGS,
};

static const char *const span_names[] = {"traceId",
                                         "spanId",
                                         "traceState",
                                         "parentSpanId",
                                         "name",
                                         "kind",
                                         "startTimeUnixNano",
                                         "endTimeUnixNano",
                                         "attributes",
                                         "droppedAttributesCount",
                                         "events",
                                         "droppedEventsCount",
                                         "links",
                                         "droppedLinksCount",
                                         "status",
                                         "flags",
                                         NULL};

static const char *const kind_names[] = {"SPAN_KIND_UNSPECIFIED",
                                         "SPAN_KIND_INTERNAL",
                                         "SPAN_KIND_SERVER",
                                         "SPAN_KIND_CLIENT",
                                         "SPAN_KIND_PRODUCER",
                                         "SPAN_KIND_CONSUMER",
                                         NULL};

static bool
read_span_member(struct tk_otlp_json *d, int member, uint32_t row, struct span_draft *draft)
{
    struct tk_json_body *body = &d->body;
    struct tk_batch *batch = d->batch;
    switch (member) {
    case SPAN_TRACE_ID:
        return tk_json_body_string(body, &draft->trace_id);
    case SPAN_SPAN_ID:
        return tk_json_body_string(body, &draft->span_id);
    case SPAN_TRACE_STATE:
        return tk_json_body_string(body, &batch->trace_state[row]);
    case SPAN_PARENT_ID:
        return tk_json_body_string(body, &draft->parent_id);
    case SPAN_NAME:
        return tk_json_body_string(body, &batch->name[row]);
    case SPAN_KIND:
        return tk_json_body_enum(body, kind_names, &batch->kind[row]);
    case SPAN_START:
        return tk_json_body_u64(body, &batch->start_nano[row]);
    case SPAN_END:
        return tk_json_body_u64(body, &batch->end_nano[row]);
    case SPAN_ATTRS:
        return tk_otlp_json_attrs(d, &batch->attrs[row]);
    case SPAN_DROPPED_ATTRS:
        return tk_json_body_u32(body, &batch->dropped_attrs[row]);
    case SPAN_EVENTS:
        return read_events(d, row);
    case SPAN_DROPPED_EVENTS:
        return tk_json_body_u32(body, &batch->dropped_events[row]);
    case SPAN_LINKS:
        return read_links(d, row, draft);
    case SPAN_DROPPED_LINKS:
        return tk_json_body_u32(body, &batch->dropped_links[row]);
    case SPAN_STATUS:
        return read_status(d, row);
    case SPAN_FLAGS:
        return tk_json_body_u32(body, &batch->flags[row]);
    default:
        return tk_json_body_skip(body);
    }
}

static const char *
set_ids(struct tk_batch *batch, uint32_t row, const struct span_draft *draft)
{
    if (!tk_trace_id_parse(draft->trace_id, &batch->trace_id[row])) {
        if (draft->trace_id.len == 0)
            return "traceId is missing";
        return draft->trace_id.len == TK_TRACE_ID_HEX && is_zeros(draft->trace_id)
                   ? "traceId is all zero"
                   : "traceId is not 32 hex digits";
    }
    if (!tk_span_id_parse(draft->span_id, &batch->span_id[row])) {
        if (draft->span_id.len == 0)
            return "spanId is missing";
        return draft->span_id.len == TK_SPAN_ID_HEX && is_zeros(draft->span_id)
                   ? "spanId is all zero"
                   : "spanId is not 16 hex digits";
    }
    if (!tk_span_id_parse(draft->parent_id, &batch->parent_id[row]) &&
        !((draft->parent_id.len == 0 || draft->parent_id.len == TK_SPAN_ID_HEX) &&
          is_zeros(draft->parent_id)))
        return "parentSpanId is not 16 hex digits";
    return tk_rejected_times(batch->start_nano[row], batch->end_nano[row]);
}

static void
reject(struct tk_otlp_json *d, size_t span_at, tk_str name, const char *reason)
{
    char path[PATH_SIZE] = "";
    if (d->rejected->span_count == 0) /* only the first is told; the path as of what is in it */
        tk_json_body_path(d->body.text, span_at, path, sizeof path);
    tk_rejected_add(d->rejected, path, name, reason);
}

static bool
read_span(struct tk_otlp_json *d, uint32_t resource, uint32_t scope)
{
    struct tk_batch *batch = d->batch;
    struct tk_batch_mark before = tk_batch_mark(batch);
    struct span_draft draft = {0};
    size_t span_at = d->body.token.offset;
    tk_str name;
    uint32_t row;
    if (!tk_json_body_must_be_object(&d->body) ||
        !tk_json_body_keep(&d->body, tk_batch_add_span(batch, &row)))
        return false;
    batch->resource[row] = resource;
    batch->scope[row] = scope;
    while (tk_json_body_member(&d->body, &name))
        if (!read_span_member(d, tk_json_body_name(name, span_names), row, &draft))
            return false;
    if (d->body.code != TK_OK)
        return false;
    const char *reason = set_ids(batch, row, &draft);
    if (reason == NULL)
        reason = draft.reason;
    if (reason != NULL) {
        reject(d, span_at, batch->name[row], reason);
        tk_batch_rewind(batch, before);
    }
    return true;
}

/* Where a list of spans began, in case that it comes again and does not count. */
struct list_start {
    uint32_t span_count;
    struct tk_rejected rejected;
};

static struct list_start
start_list(const struct tk_otlp_json *d)
{
    return (struct list_start){d->batch->span_count, *d->rejected};
}

static void
restart_list(struct tk_otlp_json *d, const struct list_start *start)
{
    d->batch->span_count = start->span_count;
    *d->rejected = start->rejected;
}

static bool
read_scope_spans(struct tk_otlp_json *d, uint32_t resource)
{
    static const char *const names[] = {"scope", "spans", "schemaUrl", NULL};
    struct tk_json_body *body = &d->body;
    struct list_start start = start_list(d);
    struct tk_batch_mark before = tk_batch_mark(d->batch);
    tk_str name;
    uint32_t index;
    if (!tk_json_body_must_be_object(body) ||
        !tk_json_body_keep(body, tk_batch_add_scope(d->batch, &index)))
        return false;
    struct tk_scope *scope = &d->batch->scopes[index];
    bool good = true;
    while (good && tk_json_body_member(body, &name)) {
        switch (tk_json_body_name(name, names)) {
        case 0:
            good = read_scope(d, scope);
            break;
        case 1:
            restart_list(d, &start);
            if (tk_json_body_is_array(body))
                while (good && tk_json_body_element(body))
                    good = read_span(d, resource, index);
            break;
        case 2:
            good = tk_json_body_string(body, &scope->schema_url);
            break;
        default:
            good = tk_json_body_skip(body);
        }
    }
    if (d->batch->span_count == before.span_count) { /* nobody refers to it */
        tk_batch_rewind(d->batch, before);
        d->batch->scope_count = index;
    }
    return good && body->code == TK_OK;
}

static bool
read_resource_spans(struct tk_otlp_json *d)
{
    static const char *const names[] = {"resource", "scopeSpans", "schemaUrl", NULL};
    struct tk_json_body *body = &d->body;
    struct list_start start = start_list(d);
    struct tk_batch_mark before = tk_batch_mark(d->batch);
    tk_str name;
    uint32_t index;
    if (!tk_json_body_must_be_object(body) ||
        !tk_json_body_keep(body, tk_batch_add_resource(d->batch, &index)))
        return false;
    struct tk_resource *resource = &d->batch->resources[index];
    bool good = true;
    while (good && tk_json_body_member(body, &name)) {
        switch (tk_json_body_name(name, names)) {
        case 0:
            good = read_resource(d, resource);
            break;
        case 1:
            restart_list(d, &start);
            if (tk_json_body_is_array(body))
                while (good && tk_json_body_element(body))
                    good = read_scope_spans(d, index);
            break;
        case 2:
            good = tk_json_body_string(body, &resource->schema_url);
            break;
        default:
            good = tk_json_body_skip(body);
        }
    }
    if (d->batch->span_count == before.span_count) {
        tk_batch_rewind(d->batch, before);
        d->batch->resource_count = index;
    }
    return good && body->code == TK_OK;
}

static bool
read_traces_data(struct tk_otlp_json *d)
{
    static const char *const names[] = {"resourceSpans", NULL};
    struct tk_json_body *body = &d->body;
    struct list_start start = start_list(d);
    tk_str name;
    bool empty = true, known = false;
    bool good = tk_json_body_next(body) && tk_json_body_must_be_object(body);
    while (good && tk_json_body_member(body, &name)) {
        empty = false;
        if (tk_json_body_name(name, names) < 0) {
            good = tk_json_body_skip(body);
            continue;
        }
        known = true;
        restart_list(d, &start);
        if (tk_json_body_is_array(body))
            while (good && tk_json_body_element(body))
                good = read_resource_spans(d);
    }
    good = good && body->code == TK_OK && tk_json_body_next(body); /* nothing behind it */
    /* Skipping what is unknown must not make a body of another kind an empty success. */
    if (good && !empty && !known)
        good = tk_json_body_fail(body, 0, "there is no resourceSpans: this is not OTLP");
    return good;
}

enum tk_err
tk_otlp_json_decode(tk_str body, struct tk_batch *batch, struct tk_rejected *ret_rejected,
                    struct tk_error *err)
{
    struct tk_otlp_json d = {.batch = batch, .rejected = ret_rejected};
    enum tk_err code = TK_OK;
    *ret_rejected = (struct tk_rejected){0};
    tk_json_body_init(&d.body, body, &batch->arena);
    tk_buf_init(&d.scratch, TK_BATCH_ARENA_LIMIT);
    if (!read_traces_data(&d))
        code = tk_json_body_explain(&d.body, err);
    tk_buf_release(&d.scratch);
    return code;
}
