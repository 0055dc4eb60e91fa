/*
 * zipkin - see zipkin.h.
 *
 *   Zipkin                              OpenTelemetry
 *   localEndpoint.serviceName           service.name of the resource
 *   localEndpoint.ipv4|ipv6, port       network.local.address, network.local.port
 *   remoteEndpoint.serviceName          peer.service
 *   remoteEndpoint.ipv4|ipv6, port      network.peer.address, network.peer.port
 *   kind, none                          kind, INTERNAL
 *   timestamp, duration (us)            start, end = start + duration
 *   annotations                         events; `"name": {...}` is an event with attributes
 *   tags                                attributes, as strings, but for:
 *     otel.status_code, error           status, and its message; an `error` alone stays a tag, too
 *     otel.scope.*, otel.library.*      scope
 *     otel.dropped_*_count              dropped counts
 *
 * In Zipkin both sides of a call may share one span id (B3).  The receiver's side, which says
 * `shared`, gets an id made from the two ids and becomes a child of the caller's.
 *
 * A member may come in any order, but attributes must lie in one run: annotations, which have some
 * of their own, are put off until the span has been read.
 */
#include "wire/zipkin.h"
#include "base/hash.h"
#include "wire/json_body.h"
#include "wire/rejected.h"

#include <stdio.h>
#include <stdlib.h>

enum {
    NANO_PER_MICRO = 1000,
    TRACE_ID_HEX_MIN = 16,
    SERVICES_MAX = 1 << 20,
    PATH_SIZE = 160,
};

struct zipkin {
    struct tk_json_body body;
    struct tk_batch *batch;
    struct tk_rejected *rejected;
    struct tk_intern services; /* number = resource */
    struct tk_intern scopes;   /* name NUL version; number = scope */
};

struct endpoint {
    tk_str service, address;
    uint32_t port; /* 0: none */
};

/* What a span says before it is whole. */
struct draft {
    tk_str trace_id, span_id, parent_id;
    uint64_t start_micro, duration_micro;
    bool shared;
    struct endpoint local, remote;
    tk_str scope_name, scope_version;
    tk_str status_code, error;       /* of the tags; ptr is NULL when there was none */
    struct tk_json_body annotations; /* as of the value; text.ptr is NULL when there was none */
};

static struct tk_value
string_value(tk_str text)
{
    return (struct tk_value){.type = TK_VALUE_STRING, .len = (uint32_t)text.len, .ptr = text.ptr};
}

static bool
add_string(struct zipkin *z, const char *key, tk_str text)
{
    return text.len == 0 ||
           tk_json_body_keep(&z->body,
                             tk_batch_add_attr(z->batch, tk_str_from(key), string_value(text)));
}

static bool
add_int(struct zipkin *z, const char *key, int64_t number)
{
    struct tk_value value = {.type = TK_VALUE_INT, .i = number};
    return number == 0 ||
           tk_json_body_keep(&z->body, tk_batch_add_attr(z->batch, tk_str_from(key), value));
}

static bool
read_endpoint(struct zipkin *z, struct endpoint *endpoint)
{
    static const char *const names[] = {"serviceName", "ipv4", "ipv6", "port", NULL};
    struct tk_json_body *body = &z->body;
    tk_str name, address = TK_STR("");
    bool good = true;
    *endpoint = (struct endpoint){0};
    if (!tk_json_body_is_object(body))
        return body->code == TK_OK;
    while (good && tk_json_body_member(body, &name)) {
        switch (tk_json_body_name(name, names)) {
        case 0:
            good = tk_json_body_string(body, &endpoint->service);
            break;
        case 1:
        case 2:
            good = tk_json_body_string(body, &address);
            if (good && address.len > 0)
                endpoint->address = address;
            break;
        case 3:
            good = tk_json_body_u32(body, &endpoint->port);
            break;
        default:
            good = tk_json_body_skip(body);
        }
    }
    return good && body->code == TK_OK;
}

/* A tag or annotation that is a number or a word instead of a string is taken as it is written. */
static bool
read_text(struct tk_json_body *body, tk_str *ret_text)
{
    switch (body->token.type) {
    case TK_JSON_NUMBER:
        *ret_text = body->token.text;
        return true;
    case TK_JSON_TRUE:
        *ret_text = TK_STR("true");
        return true;
    case TK_JSON_FALSE:
        *ret_text = TK_STR("false");
        return true;
    default:
        return tk_json_body_string(body, ret_text);
    }
}

static void
set_count(tk_str text, uint32_t *count)
{
    uint64_t wide;
    if (tk_str_to_u64(text, &wide) && wide <= UINT32_MAX)
        *count = (uint32_t)wide;
}

/* Tags that stand for something else than an attribute. */
static bool
is_special_tag(struct zipkin *z, uint32_t row, struct draft *draft, tk_str key, tk_str value)
{
    if (tk_str_eq(key, TK_STR("otel.status_code")))
        draft->status_code = value;
    else if (tk_str_eq(key, TK_STR("otel.scope.name")) ||
             tk_str_eq(key, TK_STR("otel.library.name")))
        draft->scope_name = value;
    else if (tk_str_eq(key, TK_STR("otel.scope.version")) ||
             tk_str_eq(key, TK_STR("otel.library.version")))
        draft->scope_version = value;
    else if (tk_str_eq(key, TK_STR("error")))
        draft->error = value;
    else if (tk_str_eq(key, TK_STR("otel.dropped_attributes_count")))
        set_count(value, &z->batch->dropped_attrs[row]);
    else if (tk_str_eq(key, TK_STR("otel.dropped_events_count")))
        set_count(value, &z->batch->dropped_events[row]);
    else if (tk_str_eq(key, TK_STR("otel.dropped_links_count")))
        set_count(value, &z->batch->dropped_links[row]);
    else
        return false;
    return true;
}

static bool
read_tags(struct zipkin *z, uint32_t row, struct draft *draft)
{
    struct tk_json_body *body = &z->body;
    tk_str key, value;
    z->batch->attrs[row].begin = z->batch->attr_count;
    draft->error = TK_STR_NONE;
    if (!tk_json_body_is_object(body))
        return body->code == TK_OK;
    while (tk_json_body_member(body, &key)) {
        if (!read_text(body, &value))
            return false;
        if (is_special_tag(z, row, draft, key, value))
            continue;
        if (!tk_json_body_keep(body, tk_batch_add_attr(z->batch, key, string_value(value))))
            return false;
    }
    return body->code == TK_OK;
}

/* The attributes of an event as exporters write them: a JSON object of scalars, the rest as text.
 */
static bool
read_event_attr(struct zipkin *z, struct tk_json_body *body, tk_str key)
{
    struct tk_value value = {.type = TK_VALUE_EMPTY};
    size_t begin = body->token.offset;
    switch (body->token.type) {
    case TK_JSON_STRING:
        value = string_value(body->token.text);
        break;
    case TK_JSON_TRUE:
    case TK_JSON_FALSE:
        value = (struct tk_value){.type = TK_VALUE_BOOL, .b = body->token.type == TK_JSON_TRUE};
        break;
    case TK_JSON_NUMBER:
        if (tk_json_body_i64(body, &value.i)) {
            value.type = TK_VALUE_INT;
            break;
        }
        body->code = TK_OK; /* not integral, then */
        if (!tk_json_body_double(body, &value.d))
            return false;
        value.type = TK_VALUE_DOUBLE;
        break;
    case TK_JSON_NULL:
        break;
    default:
        if (!tk_json_body_skip(body))
            return false;
        value = string_value((tk_str){body->text.ptr + begin, body->reader.at - begin});
    }
    return tk_json_body_keep(body, tk_batch_add_attr(z->batch, key, value));
}

/* `"name": {"key": value, ...}`; false when the text is anything else. */
static bool
read_event_text(struct zipkin *z, tk_str text, struct tk_event *event)
{
    struct tk_json_body body;
    tk_str name, key;
    if (text.len == 0 || text.ptr[0] != '"')
        return false;
    tk_str whole = tk_arena_printf(&z->batch->arena, "{%.*s}", TK_STR_ARG(text));
    if (whole.ptr == NULL)
        return false;
    tk_json_body_init(&body, whole, &z->batch->arena);
    if (!tk_json_body_next(&body) || !tk_json_body_member(&body, &name) ||
        body.token.type != TK_JSON_OBJECT)
        return false;
    while (tk_json_body_member(&body, &key))
        if (!read_event_attr(z, &body, key))
            return false;
    if (body.code != TK_OK || tk_json_body_member(&body, &key) || body.code != TK_OK)
        return false;
    event->name = name;
    return true;
}

static bool
read_annotation(struct zipkin *z)
{
    static const char *const names[] = {"timestamp", "value", NULL};
    struct tk_json_body *body = &z->body;
    tk_str name, text = TK_STR("");
    uint64_t micro = 0;
    uint32_t index;
    bool good = tk_json_body_must_be_object(body);
    while (good && tk_json_body_member(body, &name)) {
        switch (tk_json_body_name(name, names)) {
        case 0:
            good = tk_json_body_u64(body, &micro);
            break;
        case 1:
            good = read_text(body, &text);
            break;
        default:
            good = tk_json_body_skip(body);
        }
    }
    if (!good || body->code != TK_OK ||
        !tk_json_body_keep(body, tk_batch_add_event(z->batch, &index)))
        return false;
    struct tk_event *event = &z->batch->event[index];
    struct tk_batch_mark before = tk_batch_mark(z->batch);
    if (__builtin_mul_overflow(micro, (uint64_t)NANO_PER_MICRO, &event->time_nano))
        event->time_nano = UINT64_MAX;
    event->attrs.begin = z->batch->attr_count;
    if (!read_event_text(z, text, event)) {
        tk_batch_rewind(z->batch, before);
        event->name = text;
    }
    event->attrs.count = z->batch->attr_count - event->attrs.begin;
    return true;
}

static bool
read_annotations(struct zipkin *z, uint32_t row, const struct tk_json_body *at)
{
    struct tk_range *events = &z->batch->events[row];
    struct tk_json_body behind = z->body;
    bool good = true;
    events->begin = z->batch->event_count;
    if (at->text.ptr == NULL)
        return true;
    z->body = *at;
    if (tk_json_body_is_array(&z->body))
        while (good && tk_json_body_element(&z->body))
            good = read_annotation(z);
    if (!good || z->body.code != TK_OK)
        return false;
    z->body = behind;
    events->count = z->batch->event_count - events->begin;
    return true;
}

/* In the order of the cases of read_member. */
static const char *const span_names[] = {"traceId",
                                         "id",
                                         "parentId",
                                         "name",
                                         "kind",
                                         "timestamp",
                                         "duration",
                                         "localEndpoint",
                                         "remoteEndpoint",
                                         "annotations",
                                         "tags",
                                         "shared",
                                         NULL};

static bool
read_kind(struct tk_json_body *body, int32_t *ret_kind)
{
    static const struct {
        const char *name;
        int32_t kind;
    } kinds[] = {{"CLIENT", TK_KIND_CLIENT},
                 {"SERVER", TK_KIND_SERVER},
                 {"PRODUCER", TK_KIND_PRODUCER},
                 {"CONSUMER", TK_KIND_CONSUMER},
                 {"", TK_KIND_INTERNAL}};
    tk_str name;
    if (!tk_json_body_string(body, &name))
        return false;
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        if (tk_str_eq_nocase(name, tk_str_from(kinds[i].name))) {
            *ret_kind = kinds[i].kind;
            return true;
        }
    }
    return tk_json_body_fail(body, body->token.offset,
                             "CLIENT, SERVER, PRODUCER or CONSUMER is expected");
}

static bool
read_member(struct zipkin *z, int member, uint32_t row, struct draft *draft)
{
    struct tk_json_body *body = &z->body;
    switch (member) {
    case 0:
        return tk_json_body_string(body, &draft->trace_id);
    case 1:
        return tk_json_body_string(body, &draft->span_id);
    case 2:
        return tk_json_body_string(body, &draft->parent_id);
    case 3:
        return tk_json_body_string(body, &z->batch->name[row]);
    case 4:
        return read_kind(body, &z->batch->kind[row]);
    case 5:
        return tk_json_body_u64(body, &draft->start_micro);
    case 6:
        return tk_json_body_u64(body, &draft->duration_micro);
    case 7:
        return read_endpoint(z, &draft->local);
    case 8:
        return read_endpoint(z, &draft->remote);
    case 9:
        draft->annotations = *body;
        return tk_json_body_skip(body);
    case 10:
        return read_tags(z, row, draft);
    case 11:
        return tk_json_body_bool(body, &draft->shared);
    default:
        return tk_json_body_skip(body);
    }
}

static bool
is_zeros(tk_str hex)
{
    for (size_t i = 0; i < hex.len; i++)
        if (hex.ptr[i] != '0')
            return false;
    return true;
}

/* 16 to 32 digits, zeros in front of fewer than 32. */
static bool
parse_trace_id(tk_str hex, struct tk_trace_id *ret_id)
{
    char padded[TK_TRACE_ID_HEX];
    if (hex.len < TRACE_ID_HEX_MIN || hex.len > TK_TRACE_ID_HEX)
        return false;
    memset(padded, '0', sizeof padded);
    memcpy(padded + sizeof padded - hex.len, hex.ptr, hex.len);
    return tk_trace_id_parse((tk_str){padded, sizeof padded}, ret_id);
}

/* The same for the same span whenever it is sent again. */
static tk_span_id
make_shared_id(struct tk_trace_id trace_id, tk_span_id span_id)
{
    uint64_t words[3] = {trace_id.high, trace_id.low, span_id};
    tk_span_id made = tk_hash_stable((tk_str){(const char *)words, sizeof words});
    return made != 0 ? made : 1;
}

static const char *
set_ids(struct tk_batch *batch, uint32_t row, const struct draft *draft)
{
    if (!parse_trace_id(draft->trace_id, &batch->trace_id[row]))
        return draft->trace_id.len >= TRACE_ID_HEX_MIN && is_zeros(draft->trace_id)
                   ? "traceId is all zero"
                   : "traceId is not 16 to 32 hex digits";
    if (!tk_span_id_parse(draft->span_id, &batch->span_id[row]))
        return draft->span_id.len == TK_SPAN_ID_HEX && is_zeros(draft->span_id)
                   ? "id is all zero"
                   : "id is not 16 hex digits";
    if (!tk_span_id_parse(draft->parent_id, &batch->parent_id[row]) &&
        !((draft->parent_id.len == 0 || draft->parent_id.len == TK_SPAN_ID_HEX) &&
          is_zeros(draft->parent_id)))
        return "parentId is not 16 hex digits";
    if (draft->shared) {
        batch->parent_id[row] = batch->span_id[row];
        batch->span_id[row] = make_shared_id(batch->trace_id[row], batch->span_id[row]);
    }
    return NULL;
}

static const char *
set_times(struct tk_batch *batch, uint32_t row, const struct draft *draft)
{
    const uint64_t micro_max = INT64_MAX / NANO_PER_MICRO;
    if (draft->start_micro > micro_max || draft->duration_micro > micro_max)
        return tk_rejected_times(UINT64_MAX, UINT64_MAX);
    batch->start_nano[row] = draft->start_micro * NANO_PER_MICRO;
    batch->end_nano[row] = batch->start_nano[row] + draft->duration_micro * NANO_PER_MICRO;
    return tk_rejected_times(batch->start_nano[row], batch->end_nano[row]);
}

static void
set_status(struct tk_batch *batch, uint32_t row, const struct draft *draft)
{
    bool plain_error = draft->error.ptr != NULL && !tk_str_eq(draft->error, TK_STR("false"));
    if (tk_str_eq(draft->status_code, TK_STR("OK")))
        batch->status[row] = TK_STATUS_OK;
    else if (tk_str_eq(draft->status_code, TK_STR("ERROR")) || plain_error)
        batch->status[row] = TK_STATUS_ERROR;
    if (batch->status[row] == TK_STATUS_ERROR && plain_error &&
        !tk_str_eq(draft->error, TK_STR("true")))
        batch->status_message[row] = draft->error;
}

static bool
set_resource(struct zipkin *z, uint32_t row, tk_str service)
{
    uint32_t known = z->services.count, index;
    if (!tk_json_body_keep(&z->body,
                           tk_intern_add(&z->services, service, &z->batch->resource[row])))
        return false;
    if (z->services.count == known)
        return true;
    if (!tk_json_body_keep(&z->body, tk_batch_add_resource(z->batch, &index)))
        return false;
    struct tk_range *attrs = &z->batch->resources[index].attrs;
    attrs->begin = z->batch->attr_count;
    if (!add_string(z, "service.name", service))
        return false;
    attrs->count = z->batch->attr_count - attrs->begin;
    return true;
}

static bool
set_scope(struct zipkin *z, uint32_t row, tk_str name, tk_str version)
{
    uint32_t known = z->scopes.count, index;
    tk_str both = TK_STR("\0");
    if (name.len + version.len > 0)
        both = tk_arena_printf(&z->batch->arena, "%.*s%c%.*s", TK_STR_ARG(name), 0,
                               TK_STR_ARG(version));
    if (both.ptr == NULL)
        return tk_json_body_keep(&z->body, TK_ERR_MEMORY);
    if (!tk_json_body_keep(&z->body, tk_intern_add(&z->scopes, both, &z->batch->scope[row])))
        return false;
    if (z->scopes.count == known)
        return true;
    if (!tk_json_body_keep(&z->body, tk_batch_add_scope(z->batch, &index)))
        return false;
    z->batch->scopes[index].name = name;
    z->batch->scopes[index].version = version;
    return true;
}

/* What became of the span's other members: attributes, behind those of its tags. */
static bool
add_attrs(struct zipkin *z, uint32_t row, const struct draft *draft)
{
    struct tk_range *attrs = &z->batch->attrs[row];
    if (draft->error.ptr != NULL && draft->status_code.ptr == NULL &&
        !tk_json_body_keep(
            &z->body, tk_batch_add_attr(z->batch, TK_STR("error"), string_value(draft->error))))
        return false;
    if (!add_string(z, "network.local.address", draft->local.address) ||
        !add_int(z, "network.local.port", draft->local.port) ||
        !add_string(z, "peer.service", draft->remote.service) ||
        !add_string(z, "network.peer.address", draft->remote.address) ||
        !add_int(z, "network.peer.port", draft->remote.port))
        return false;
    attrs->count = z->batch->attr_count - attrs->begin;
    return true;
}

static bool
read_span(struct zipkin *z)
{
    struct tk_batch *batch = z->batch;
    struct tk_batch_mark before = tk_batch_mark(batch);
    struct draft draft = {.shared = false};
    size_t span_at = z->body.token.offset;
    tk_str name;
    uint32_t row;
    if (!tk_json_body_must_be_object(&z->body) ||
        !tk_json_body_keep(&z->body, tk_batch_add_span(batch, &row)))
        return false;
    batch->kind[row] = TK_KIND_INTERNAL;
    batch->attrs[row].begin = batch->attr_count;
    while (tk_json_body_member(&z->body, &name))
        if (!read_member(z, tk_json_body_name(name, span_names), row, &draft))
            return false;
    if (z->body.code != TK_OK || !add_attrs(z, row, &draft) ||
        !read_annotations(z, row, &draft.annotations))
        return false;
    set_status(batch, row, &draft);
    const char *reason = set_ids(batch, row, &draft);
    if (reason == NULL)
        reason = set_times(batch, row, &draft);
    if (reason == NULL) /* only now, so that nothing of a resource is ever taken back */
        return set_resource(z, row, draft.local.service) &&
               set_scope(z, row, draft.scope_name, draft.scope_version);
    char path[PATH_SIZE];
    path[0] = '\0';
    if (z->rejected->span_count == 0) /* only the first is told */
        tk_json_body_path(z->body.text, span_at, path, sizeof path);
    tk_rejected_add(z->rejected, path, batch->name[row], reason);
    tk_batch_rewind(batch, before);
    return true;
}

enum tk_err
tk_zipkin_json_decode(tk_str body, struct tk_batch *batch, struct tk_rejected *ret_rejected,
                      struct tk_error *err)
{
    struct zipkin z = {.batch = batch, .rejected = ret_rejected};
    enum tk_err code = TK_OK;
    *ret_rejected = (struct tk_rejected){0};
    tk_json_body_init(&z.body, body, &batch->arena);
    tk_intern_init(&z.services, SERVICES_MAX);
    tk_intern_init(&z.scopes, SERVICES_MAX);
    bool good = tk_json_body_next(&z.body);
    if (good && z.body.token.type != TK_JSON_ARRAY)
        good = tk_json_body_fail(&z.body, z.body.token.offset, "an array of spans is expected");
    while (good && tk_json_body_element(&z.body))
        good = read_span(&z);
    if (!good || z.body.code != TK_OK || !tk_json_body_next(&z.body)) /* nothing behind it */
        code = tk_json_body_explain(&z.body, err);
    tk_intern_release(&z.services);
    tk_intern_release(&z.scopes);
    return code;
}
