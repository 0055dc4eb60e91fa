/*
 * otlp_protobuf_decode - ExportTraceServiceRequest (= TracesData) into a span batch; see otlp.h.
 *
 * One cursor walks the body; text, bytes and nested values stay where they lie.
 *
 * A batch wants the attributes of one owner in one run, and the wire may mix anything with anything
 * (a resource behind its spans, events between attributes).  So a message is walked once per kind
 * of thing in it: first its own fields and attributes, then, from the first one seen, the messages
 * that have attributes of their own.  Passing over them costs a tag and a length each.
 *
 * Most of a body is attributes, and nearly all of them are written in one way, with keys that came
 * in the same order before.  That way has a short path of its own (read_plain_attr), which takes an
 * attribute whole or leaves it to the general one, and never complains.
 *
 * Errors keep only a position; the path to it is worked out once it is needed (otlp_schema.h).
 */
#include "wire/otlp.h"
#include "wire/otlp_schema.h"
#include "wire/rejected.h"
#include "wire/value.h"

#include <stdio.h>

enum {
    PATH_SIZE = 160,
    GUESSES_LOG2 = 10,
    GUESSES = 1 << GUESSES_LOG2,
    SPAN_SIZE_MIN = 48, /* bytes of one that can be kept: two ids and two times */
    ATTR_SIZE = 44,     /* bytes of a usual attribute, with its part of the span around it */
};

#define SPREAD 0x9E3779B97F4A7C15u /* any odd number with its bits well spread */

/* Keys come in the same order again and again: which one came after the same ones before it. */
struct guesses {
    uint32_t key[GUESSES]; /* id + 1; 0: none yet */
    uint64_t context;      /* of those before it, in the same run */
};

struct decoder {
    struct tk_pb pb;
    struct tk_batch *batch;
    tk_str body;
    struct tk_rejected *rejected;
    enum tk_err code; /* of the batch; TK_OK when the problem is the reader's */
    struct guesses guesses;
};

/* The batch's code turned into "go on?". */
static bool
kept(struct decoder *d, enum tk_err code)
{
    d->code = code;
    return code == TK_OK;
}

static bool
read_u32(struct decoder *d, const char *end, uint32_t *ret_value)
{
    uint64_t wide;
    if (!tk_pb_read_varint(&d->pb, end, &wide))
        return false;
    *ret_value = (uint32_t)wide; /* protobuf: the low 32 bits */
    return true;
}

static bool
read_i32(struct decoder *d, const char *end, int32_t *ret_value)
{
    uint64_t wide;
    if (!tk_pb_read_varint(&d->pb, end, &wide))
        return false;
    *ret_value = (int32_t)(uint32_t)wide;
    return true;
}

/* The value behind a tag, when it ends where its message ends; else false, and nothing is known. */
static inline bool
plain_value(const char *at, const char *end, struct tk_value *ret_value)
{
    uint64_t word = 0;
    size_t len;
    switch (end > at ? *at++ : 0) {
    case TK_PB_TAG(1, TK_PB_LENGTH):
        at = tk_pb_short_varint(at, end, &len);
        if (at == NULL || len != (size_t)(end - at) ||
            (!tk_is_ascii((tk_str){at, len}) && !tk_utf8_valid((tk_str){at, len}, NULL)))
            return false;
        *ret_value = (struct tk_value){.type = TK_VALUE_STRING, .len = (uint32_t)len, .ptr = at};
        return true;
    case TK_PB_TAG(2, TK_PB_VARINT):
        if (end - at != 1 || *at < 0)
            return false;
        *ret_value = (struct tk_value){.type = TK_VALUE_BOOL, .b = *at != 0};
        return true;
    case TK_PB_TAG(3, TK_PB_VARINT):
        at = tk_pb_short_varint(at, end, &len);
        if (at != end)
            return false;
        *ret_value = (struct tk_value){.type = TK_VALUE_INT, .i = (int64_t)len};
        return true;
    case TK_PB_TAG(4, TK_PB_FIXED64):
        if (end - at != sizeof word)
            return false;
        *ret_value = (struct tk_value){.type = TK_VALUE_DOUBLE};
        memcpy(&ret_value->d, at, sizeof word);
        return true;
    default:
        return false;
    }
}

/* The number of a key, guessed, or looked up; false when it is new. */
static inline bool
find_key(struct decoder *d, tk_str key, uint32_t *ret_id)
{
    struct tk_intern *keys = &d->batch->keys;
    uint32_t *guess = &d->guesses.key[d->guesses.context >> (64 - GUESSES_LOG2)];
    if (*guess == 0 || !tk_name_eq(keys->strings[*guess - 1], key)) {
        if (!tk_intern_find(keys, key, ret_id))
            return false;
        *guess = *ret_id + 1;
    }
    *ret_id = *guess - 1;
    d->guesses.context = (d->guesses.context + *guess) * SPREAD;
    return true;
}

/*
 * An attribute the way encoders write it: a key that we know, then a value, nothing twice and
 * nothing else, lengths of one or two bytes.  False says nothing and has changed nothing: the
 * general way reads it then, or says what is wrong with it.
 */
static inline bool
read_plain_attr(struct decoder *d, const char *end)
{
    struct tk_value value;
    uint32_t key_id;
    size_t len;
    const char *at = tk_pb_short_varint(d->pb.at, end, &len);
    if (at == NULL || len < 4 || len > (size_t)(end - at))
        return false;
    end = at + len;
    tk_str key = {at + 2, (unsigned char)at[1]};
    if (at[0] != TK_PB_TAG(1, TK_PB_LENGTH) || key.len > len - 4)
        return false;
    at = key.ptr + key.len;
    if (*at++ != TK_PB_TAG(2, TK_PB_LENGTH))
        return false;
    at = tk_pb_short_varint(at, end, &len);
    if (at == NULL || len != (size_t)(end - at) || !plain_value(at, end, &value))
        return false;
    if (!find_key(d, key, &key_id) || !kept(d, tk_batch_add_attr_id(d->batch, key_id, value)))
        return false;
    d->pb.at = end;
    return true;
}

/* One attribute, whose length is still to be read, behind those that are there. */
static bool
read_any_attr(struct decoder *d, const char *end)
{
    struct tk_pb *pb = &d->pb;
    struct tk_batch *batch = d->batch;
    tk_str pair, key;
    struct tk_value value;
    if (!tk_pb_read_bytes(pb, end, &pair))
        return false;
    end = pair.ptr + pair.len;
    pb->at = pair.ptr;
    if (!tk_key_value_read(pb, end, 0, &key, &value))
        return false;
    if (pb->must_merge) {
        struct tk_pb merged = {0};
        if (!kept(d, tk_key_value_merge(&batch->arena, pair, &pair)))
            return false;
        merged = tk_pb_reader(pair);
        if (!tk_key_value_read(&merged, pair.ptr + pair.len, 0, &key, &value))
            return tk_pb_fail(pb, pb->tag_at, merged.problem);
        pb->must_merge = false;
    }
    uint32_t known = batch->keys.count;
    size_t bad;
    if (!kept(d, tk_batch_add_attr(batch, key, value)))
        return false;
    if (batch->keys.count > known && !tk_utf8_valid(key, &bad)) /* a key is checked once */
        return tk_pb_fail(pb, key.ptr + bad, "invalid UTF-8");
    return true;
}

/* And those that follow at once, which saves going round the switch of its owner for each. */
static bool
read_attrs(struct decoder *d, const char *end, uint32_t tag)
{
    for (;;) {
        if (!read_plain_attr(d, end) && !read_any_attr(d, end))
            return false;
        if (d->pb.at >= end || *d->pb.at != (char)tag)
            return true;
        d->pb.tag_at = d->pb.at++;
    }
}

static bool
read_resource(struct decoder *d, const char *end, struct tk_resource *resource)
{
    uint32_t tag;
    bool good = true;
    while (good && d->pb.at < end) {
        if (!tk_pb_read_tag(&d->pb, end, &tag))
            return false;
        switch (tag) {
        case TK_PB_TAG(1, TK_PB_LENGTH):
            good = read_attrs(d, end, tag);
            break;
        case TK_PB_TAG(2, TK_PB_VARINT):
            good = read_u32(d, end, &resource->dropped_attrs);
            break;
        default:
            good = tk_otlp_skip(&d->pb, end, tag, &tk_otlp_resource);
        }
    }
    return good;
}

static bool
read_scope(struct decoder *d, const char *end, struct tk_scope *scope)
{
    uint32_t tag;
    bool good = true;
    while (good && d->pb.at < end) {
        if (!tk_pb_read_tag(&d->pb, end, &tag))
            return false;
        switch (tag) {
        case TK_PB_TAG(1, TK_PB_LENGTH):
            good = tk_pb_read_text(&d->pb, end, &scope->name);
            break;
        case TK_PB_TAG(2, TK_PB_LENGTH):
            good = tk_pb_read_text(&d->pb, end, &scope->version);
            break;
        case TK_PB_TAG(3, TK_PB_LENGTH):
            good = read_attrs(d, end, tag);
            break;
        case TK_PB_TAG(4, TK_PB_VARINT):
            good = read_u32(d, end, &scope->dropped_attrs);
            break;
        default:
            good = tk_otlp_skip(&d->pb, end, tag, &tk_otlp_scope);
        }
    }
    return good;
}

static bool
read_event(struct decoder *d, const char *end)
{
    struct tk_batch *batch = d->batch;
    uint32_t tag, index;
    if (!kept(d, tk_batch_add_event(batch, &index)))
        return false;
    struct tk_event *event = &batch->event[index];
    event->attrs.begin = batch->attr_count;
    bool good = true;
    while (good && d->pb.at < end) {
        if (!tk_pb_read_tag(&d->pb, end, &tag))
            return false;
        switch (tag) {
        case TK_PB_TAG(1, TK_PB_FIXED64):
            good = tk_pb_read_fixed64(&d->pb, end, &event->time_nano);
            break;
        case TK_PB_TAG(2, TK_PB_LENGTH):
            good = tk_pb_read_text(&d->pb, end, &event->name);
            break;
        case TK_PB_TAG(3, TK_PB_LENGTH):
            good = read_attrs(d, end, tag);
            break;
        case TK_PB_TAG(4, TK_PB_VARINT):
            good = read_u32(d, end, &event->dropped_attrs);
            break;
        default:
            good = tk_otlp_skip(&d->pb, end, tag, &tk_otlp_event);
        }
    }
    event->attrs.count = batch->attr_count - event->attrs.begin;
    return good;
}

/* A link may point nowhere (no id or all zero), but not to half an id. */
static const char *
set_link_ids(struct tk_link *link, tk_str trace_id, tk_str span_id)
{
    if (trace_id.len == TK_TRACE_ID_SIZE)
        link->trace_id = tk_trace_id_read(trace_id.ptr);
    else if (trace_id.len != 0)
        return "the trace_id of a link is not 16 bytes long";
    if (span_id.len == TK_SPAN_ID_SIZE)
        link->span_id = tk_span_id_read(span_id.ptr);
    else if (span_id.len != 0)
        return "the span_id of a link is not 8 bytes long";
    return NULL;
}

/* *ret_reason: why the span cannot be kept, else untouched. */
static bool
read_link(struct decoder *d, const char *end, const char **ret_reason)
{
    struct tk_batch *batch = d->batch;
    uint32_t tag, index;
    tk_str trace_id = TK_STR_NONE, span_id = TK_STR_NONE;
    if (!kept(d, tk_batch_add_link(batch, &index)))
        return false;
    struct tk_link *link = &batch->link[index];
    link->attrs.begin = batch->attr_count;
    bool good = true;
    while (good && d->pb.at < end) {
        if (!tk_pb_read_tag(&d->pb, end, &tag))
            return false;
        switch (tag) {
        case TK_PB_TAG(1, TK_PB_LENGTH):
            good = tk_pb_read_bytes(&d->pb, end, &trace_id);
            break;
        case TK_PB_TAG(2, TK_PB_LENGTH):
            good = tk_pb_read_bytes(&d->pb, end, &span_id);
            break;
        case TK_PB_TAG(3, TK_PB_LENGTH):
            good = tk_pb_read_text(&d->pb, end, &link->trace_state);
            break;
        case TK_PB_TAG(4, TK_PB_LENGTH):
            good = read_attrs(d, end, tag);
            break;
        case TK_PB_TAG(5, TK_PB_VARINT):
            good = read_u32(d, end, &link->dropped_attrs);
            break;
        case TK_PB_TAG(6, TK_PB_FIXED32):
            good = tk_pb_read_fixed32(&d->pb, end, &link->flags);
            break;
        default:
            good = tk_otlp_skip(&d->pb, end, tag, &tk_otlp_link);
        }
    }
    link->attrs.count = batch->attr_count - link->attrs.begin;
    const char *reason = good ? set_link_ids(link, trace_id, span_id) : NULL;
    if (reason != NULL)
        *ret_reason = reason;
    return good;
}

static bool
read_status(struct decoder *d, const char *end, uint32_t row)
{
    uint32_t tag;
    bool good = true;
    while (good && d->pb.at < end) {
        if (!tk_pb_read_tag(&d->pb, end, &tag))
            return false;
        switch (tag) {
        case TK_PB_TAG(2, TK_PB_LENGTH):
            good = tk_pb_read_text(&d->pb, end, &d->batch->status_message[row]);
            break;
        case TK_PB_TAG(3, TK_PB_VARINT):
            good = read_i32(d, end, &d->batch->status[row]);
            break;
        default:
            good = tk_otlp_skip(&d->pb, end, tag, &tk_otlp_status);
        }
    }
    return good;
}

/* What the first walk over a span leaves for later. */
struct span_draft {
    tk_str trace_id, span_id, parent_id;
    const char *events_at, *links_at; /* tag of the first one; NULL: none */
    const char *reason;               /* why it cannot be kept; NULL: it can */
};

/* Enters a message whose length is next, and leaves *ret_end at its end. */
static bool
enter(struct decoder *d, const char *end, const char **ret_end)
{
    tk_str message;
    if (!tk_pb_read_bytes(&d->pb, end, &message))
        return false;
    d->pb.at = message.ptr;
    *ret_end = message.ptr + message.len;
    return true;
}

/* Passes over a message and remembers the first. */
static bool
pass(struct decoder *d, const char *end, const char **first)
{
    tk_str message;
    if (*first == NULL)
        *first = d->pb.tag_at;
    return tk_pb_read_bytes(&d->pb, end, &message);
}

static bool
read_span_field(struct decoder *d, const char *end, uint32_t tag, uint32_t row,
                struct span_draft *draft)
{
    struct tk_pb *pb = &d->pb;
    struct tk_batch *batch = d->batch;
    const char *inner_end;
    switch (tag) {
    case TK_PB_TAG(1, TK_PB_LENGTH):
        return tk_pb_read_bytes(pb, end, &draft->trace_id);
    case TK_PB_TAG(2, TK_PB_LENGTH):
        return tk_pb_read_bytes(pb, end, &draft->span_id);
    case TK_PB_TAG(3, TK_PB_LENGTH):
        return tk_pb_read_text(pb, end, &batch->trace_state[row]);
    case TK_PB_TAG(4, TK_PB_LENGTH):
        return tk_pb_read_bytes(pb, end, &draft->parent_id);
    case TK_PB_TAG(5, TK_PB_LENGTH):
        return tk_pb_read_text(pb, end, &batch->name[row]);
    case TK_PB_TAG(6, TK_PB_VARINT):
        return read_i32(d, end, &batch->kind[row]);
    case TK_PB_TAG(7, TK_PB_FIXED64):
        return tk_pb_read_fixed64(pb, end, &batch->start_nano[row]);
    case TK_PB_TAG(8, TK_PB_FIXED64):
        return tk_pb_read_fixed64(pb, end, &batch->end_nano[row]);
    case TK_PB_TAG(9, TK_PB_LENGTH):
        return read_attrs(d, end, tag);
    case TK_PB_TAG(10, TK_PB_VARINT):
        return read_u32(d, end, &batch->dropped_attrs[row]);
    case TK_PB_TAG(11, TK_PB_LENGTH):
        return pass(d, end, &draft->events_at);
    case TK_PB_TAG(12, TK_PB_VARINT):
        return read_u32(d, end, &batch->dropped_events[row]);
    case TK_PB_TAG(13, TK_PB_LENGTH):
        return pass(d, end, &draft->links_at);
    case TK_PB_TAG(14, TK_PB_VARINT):
        return read_u32(d, end, &batch->dropped_links[row]);
    case TK_PB_TAG(15, TK_PB_LENGTH):
        return enter(d, end, &inner_end) && read_status(d, inner_end, row);
    case TK_PB_TAG(16, TK_PB_FIXED32):
        return tk_pb_read_fixed32(pb, end, &batch->flags[row]);
    default:
        return tk_otlp_skip(pb, end, tag, &tk_otlp_span);
    }
}

/* Walks on to the next `wanted` field that is a message. False: none is left, or a problem. */
static bool
next_message(struct decoder *d, const char *end, uint32_t wanted, const char **ret_end)
{
    uint32_t tag;
    while (d->pb.at < end && tk_pb_read_tag(&d->pb, end, &tag)) {
        if (tag == TK_PB_TAG(wanted, TK_PB_LENGTH))
            return enter(d, end, ret_end);
        if (!tk_pb_skip(&d->pb, end, tag))
            return false;
    }
    return false;
}

static bool
read_events(struct decoder *d, const char *end, uint32_t row)
{
    struct tk_range *events = &d->batch->events[row];
    const char *event_end;
    events->begin = d->batch->event_count;
    while (next_message(d, end, 11, &event_end))
        if (!read_event(d, event_end))
            return false;
    events->count = d->batch->event_count - events->begin;
    return d->pb.problem_at == NULL;
}

static bool
read_links(struct decoder *d, const char *end, uint32_t row, const char **ret_reason)
{
    struct tk_range *links = &d->batch->links[row];
    const char *link_end;
    links->begin = d->batch->link_count;
    while (next_message(d, end, 13, &link_end))
        if (!read_link(d, link_end, ret_reason))
            return false;
    links->count = d->batch->link_count - links->begin;
    return d->pb.problem_at == NULL;
}

static const char *
set_ids(struct tk_batch *batch, uint32_t row, const struct span_draft *draft)
{
    if (draft->trace_id.len != TK_TRACE_ID_SIZE)
        return draft->trace_id.len == 0 ? "trace_id is missing" : "trace_id is not 16 bytes long";
    batch->trace_id[row] = tk_trace_id_read(draft->trace_id.ptr);
    if (tk_trace_id_is_none(batch->trace_id[row]))
        return "trace_id is all zero";
    if (draft->span_id.len != TK_SPAN_ID_SIZE)
        return draft->span_id.len == 0 ? "span_id is missing" : "span_id is not 8 bytes long";
    batch->span_id[row] = tk_span_id_read(draft->span_id.ptr);
    if (batch->span_id[row] == 0)
        return "span_id is all zero";
    if (draft->parent_id.len == TK_SPAN_ID_SIZE)
        batch->parent_id[row] = tk_span_id_read(draft->parent_id.ptr);
    else if (draft->parent_id.len != 0)
        return "parent_span_id is not 8 bytes long";
    return tk_rejected_times(batch->start_nano[row], batch->end_nano[row]);
}

static void
reject(struct decoder *d, const char *span_at, uint32_t row, const char *reason)
{
    char path[PATH_SIZE] = "";
    if (d->rejected->span_count == 0) /* only the first is told */
        tk_otlp_path(d->body, (size_t)(span_at - d->body.ptr), path, sizeof path);
    tk_rejected_add(d->rejected, path, d->batch->name[row], reason);
}

static bool
read_span(struct decoder *d, const char *end, uint32_t resource, uint32_t scope)
{
    struct tk_batch *batch = d->batch;
    struct tk_batch_mark before = tk_batch_mark(batch);
    const char *span_at = d->pb.tag_at;
    struct span_draft draft = {0};
    uint32_t row, tag;
    if (!kept(d, tk_batch_add_span(batch, &row)))
        return false;
    batch->resource[row] = resource;
    batch->scope[row] = scope;
    batch->attrs[row].begin = batch->attr_count;
    d->guesses.context = 0;
    while (d->pb.at < end)
        if (!tk_pb_read_tag(&d->pb, end, &tag) || !read_span_field(d, end, tag, row, &draft))
            return false;
    batch->attrs[row].count = batch->attr_count - batch->attrs[row].begin;
    if (draft.events_at != NULL) {
        d->pb.at = draft.events_at;
        if (!read_events(d, end, row))
            return false;
    }
    if (draft.links_at != NULL) {
        d->pb.at = draft.links_at;
        if (!read_links(d, end, row, &draft.reason))
            return false;
    }
    const char *reason = set_ids(batch, row, &draft);
    if (reason == NULL)
        reason = draft.reason;
    if (reason != NULL) {
        reject(d, span_at, row, reason);
        tk_batch_rewind(batch, before);
    }
    return true;
}

/*
 * Room for all spans that the body will have, when those that this scope has do not fit: if the
 * rest of the body is like this scope.  What is guessed wrong costs a little memory, or growing.
 */
static bool
reserve(struct decoder *d, const char *spans_at, const char *end, uint32_t count)
{
    struct tk_batch *batch = d->batch;
    size_t here = (size_t)(end - spans_at);
    size_t rest = (size_t)(d->body.ptr + d->body.len - end);
    if (batch->span_count + count <= batch->_span_capacity)
        return true;
    size_t more = (size_t)((double)count * (double)rest / (double)here);
    if (more > rest / SPAN_SIZE_MIN)
        more = rest / SPAN_SIZE_MIN;
    size_t attrs = (here + rest) / ATTR_SIZE;
    if (more > TK_BATCH_ELEMENTS_MAX || attrs > TK_BATCH_ELEMENTS_MAX)
        more = attrs = 0;
    return kept(d, tk_batch_reserve(batch, count + (uint32_t)more, (uint32_t)attrs));
}

/* All but its spans: *ret_spans_at is the first, NULL without any. */
static bool
read_scope_head(struct decoder *d, const char *end, const char **ret_spans_at,
                uint32_t *ret_span_count)
{
    struct tk_batch *batch = d->batch;
    const char *inner_end;
    uint32_t tag, index;
    bool good = true;
    *ret_spans_at = NULL;
    *ret_span_count = 0;
    if (!kept(d, tk_batch_add_scope(batch, &index)))
        return false;
    batch->scopes[index].attrs.begin = batch->attr_count;
    while (good && d->pb.at < end) {
        if (!tk_pb_read_tag(&d->pb, end, &tag))
            return false;
        switch (tag) {
        case TK_PB_TAG(1, TK_PB_LENGTH):
            good = enter(d, end, &inner_end) && read_scope(d, inner_end, &batch->scopes[index]);
            break;
        case TK_PB_TAG(2, TK_PB_LENGTH):
            good = pass(d, end, ret_spans_at);
            ++*ret_span_count;
            break;
        case TK_PB_TAG(3, TK_PB_LENGTH):
            good = tk_pb_read_text(&d->pb, end, &batch->scopes[index].schema_url);
            break;
        default:
            good = tk_otlp_skip(&d->pb, end, tag, &tk_otlp_scope_spans);
        }
    }
    batch->scopes[index].attrs.count = batch->attr_count - batch->scopes[index].attrs.begin;
    return good;
}

static bool
read_scope_spans(struct decoder *d, const char *end, uint32_t resource)
{
    struct tk_batch *batch = d->batch;
    struct tk_batch_mark before = tk_batch_mark(batch);
    const char *spans_at, *inner_end;
    uint32_t index = batch->scope_count, span_count;
    if (!read_scope_head(d, end, &spans_at, &span_count))
        return false;
    if (spans_at != NULL) {
        if (!reserve(d, spans_at, end, span_count))
            return false;
        d->pb.at = spans_at;
        while (next_message(d, end, 2, &inner_end))
            if (!read_span(d, inner_end, resource, index))
                return false;
    }
    if (batch->span_count == before.span_count) { /* nobody refers to it */
        tk_batch_rewind(batch, before);
        batch->scope_count = index;
    }
    return d->pb.problem_at == NULL;
}

/* All but its scopes: *ret_scopes_at is the first, NULL without any. */
static bool
read_resource_head(struct decoder *d, const char *end, const char **ret_scopes_at)
{
    struct tk_batch *batch = d->batch;
    const char *inner_end;
    uint32_t tag, index;
    bool good = true;
    *ret_scopes_at = NULL;
    if (!kept(d, tk_batch_add_resource(batch, &index)))
        return false;
    struct tk_resource *resource = &batch->resources[index];
    resource->attrs.begin = batch->attr_count;
    while (good && d->pb.at < end) {
        if (!tk_pb_read_tag(&d->pb, end, &tag))
            return false;
        switch (tag) {
        case TK_PB_TAG(1, TK_PB_LENGTH):
            good = enter(d, end, &inner_end) && read_resource(d, inner_end, resource);
            break;
        case TK_PB_TAG(2, TK_PB_LENGTH):
            good = pass(d, end, ret_scopes_at);
            break;
        case TK_PB_TAG(3, TK_PB_LENGTH):
            good = tk_pb_read_text(&d->pb, end, &resource->schema_url);
            break;
        default:
            good = tk_otlp_skip(&d->pb, end, tag, &tk_otlp_resource_spans);
        }
    }
    resource->attrs.count = batch->attr_count - resource->attrs.begin;
    return good;
}

static bool
read_resource_spans(struct decoder *d, const char *end)
{
    struct tk_batch *batch = d->batch;
    struct tk_batch_mark before = tk_batch_mark(batch);
    const char *scopes_at, *inner_end;
    uint32_t index = batch->resource_count;
    if (!read_resource_head(d, end, &scopes_at))
        return false;
    if (scopes_at != NULL) {
        d->pb.at = scopes_at;
        while (next_message(d, end, 2, &inner_end))
            if (!read_scope_spans(d, inner_end, index))
                return false;
    }
    if (batch->span_count == before.span_count) {
        tk_batch_rewind(batch, before);
        batch->resource_count = index;
    }
    return d->pb.problem_at == NULL;
}

static bool
read_traces_data(struct decoder *d, const char *end)
{
    const char *inner_end;
    uint32_t tag;
    while (d->pb.at < end) {
        if (!tk_pb_read_tag(&d->pb, end, &tag))
            return false;
        bool good = tag == TK_PB_TAG(1, TK_PB_LENGTH)
                        ? enter(d, end, &inner_end) && read_resource_spans(d, inner_end)
                        : tk_otlp_skip(&d->pb, end, tag, &tk_otlp_traces_data);
        if (!good)
            return false;
    }
    return true;
}

static enum tk_err
explain(const struct decoder *d, struct tk_error *err)
{
    char path[PATH_SIZE];
    if (d->pb.problem_at == NULL)
        return tk_error_set(err, d->code, "%s",
                            d->code == TK_ERR_LIMIT ? "more spans, attributes, events, links or "
                                                      "attribute keys than one body may hold"
                                                    : "");
    size_t offset = (size_t)(d->pb.problem_at - d->body.ptr);
    tk_otlp_path(d->body, offset, path, sizeof path);
    return tk_error_set(err, TK_ERR_INPUT, "byte %zu: %s%s%s", offset, path,
                        path[0] != '\0' ? ": " : "", d->pb.problem);
}

enum tk_err
tk_otlp_protobuf_decode(tk_str body, struct tk_batch *batch, struct tk_rejected *ret_rejected,
                        struct tk_error *err)
{
    *ret_rejected = (struct tk_rejected){0};
    if (body.len == 0)
        return TK_OK;
    struct decoder d = {
        .pb = tk_pb_reader(body),
        .batch = batch,
        .body = body,
        .rejected = ret_rejected,
    };
    return read_traces_data(&d, body.ptr + body.len) ? TK_OK : explain(&d, err);
}

enum tk_err
tk_otlp_resource_decode(tk_str text, struct tk_batch *batch, struct tk_error *err)
{
    struct decoder d = {.pb = tk_pb_reader(text), .batch = batch, .body = text};
    const char *scopes_at;
    return read_resource_head(&d, text.ptr + text.len, &scopes_at) ? TK_OK : explain(&d, err);
}

enum tk_err
tk_otlp_scope_decode(tk_str text, struct tk_batch *batch, struct tk_error *err)
{
    struct decoder d = {.pb = tk_pb_reader(text), .batch = batch, .body = text};
    const char *spans_at;
    uint32_t span_count;
    return read_scope_head(&d, text.ptr + text.len, &spans_at, &span_count) ? TK_OK
                                                                            : explain(&d, err);
}
