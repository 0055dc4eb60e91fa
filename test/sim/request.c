/* request - see request.h. */
#include "request.h"
#include "fail.h"
#include "features.h"
#include "heap.h"

#include "base/hash.h"
#include "wire/compress.h"
#include "wire/otlp.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum { POOL_MAX = 48, GIANT_MIN = 1500, GIANT_MAX = 9000 };
#define DAY_NANO 86400000000000u

void
pool_release(struct pool *pool)
{
    for (uint32_t i = 0; i < pool->count; i++)
        sim_free(pool->traces[i].spans);
    sim_free(pool->traces);
    *pool = (struct pool){0};
}

static struct pool_trace *
add_trace(struct rng *rng, struct pool *pool, const struct request_shape *shape)
{
    if (pool->count == POOL_MAX) { /* an old one is never heard of again */
        uint32_t at = (uint32_t)rng_below(rng, POOL_MAX);
        sim_free(pool->traces[at].spans);
        pool->traces[at] = pool->traces[--pool->count];
    }
    if (pool->count == pool->capacity) {
        pool->capacity = POOL_MAX;
        pool->traces = sim_realloc(pool->traces, POOL_MAX * sizeof *pool->traces);
    }
    /* Few distinct starts and halves of ids, so that ties come up. */
    uint64_t back = rng_below(rng, shape->days + 1) * DAY_NANO + rng_below(rng, 16) * 1000000;
    pool->traces[pool->count] =
        (struct pool_trace){.id = {rng_below(rng, 4), rng_next(rng) | 1},
                            .start_nano = shape->now_nano - back - rng_below(rng, 2) * 1000};
    return &pool->traces[pool->count++];
}

static uint64_t
new_span_id(struct rng *rng, struct pool_trace *trace)
{
    if (trace->span_count == trace->span_capacity) {
        trace->span_capacity = trace->span_capacity > 0 ? trace->span_capacity * 2 : 8;
        trace->spans = sim_realloc(trace->spans, trace->span_capacity * sizeof *trace->spans);
    }
    return trace->spans[trace->span_count++] = rng_next(rng) | 1;
}

static void
must(enum tk_err code)
{
    SIM_CHECK(code == TK_OK, "the test cannot make a batch: %s", tk_err_text(code));
}

/* Text that lives as long as the batch. */
static tk_str
text_of(struct rng *rng, struct tk_batch *batch, const struct request_shape *shape)
{
    static const char *const usual[] = {"", "GET", "/users/:id", "ok", "a\"b\\c\n", "größe"};
    uint64_t kind = rng_below(rng, 8);
    if (rng_one_in(rng, shape->big_text_one_in)) {
        size_t len = rng_between(rng, 10000, 300000);
        char *big = tk_arena_alloc(&batch->arena, len);
        SIM_CHECK(big != NULL, "no memory for a big text");
        for (size_t i = 0; i < len; i++)
            big[i] = (char)('0' + (rng_next(rng) >> 58)); /* hardly to be compressed */
        return (tk_str){big, len};
    }
    if (kind < 6)
        return tk_str_from(usual[kind]);
    return tk_arena_printf(&batch->arena, "%016" PRIx64, rng_next(rng));
}

static struct tk_value
value_of(struct rng *rng, struct tk_batch *batch, const struct request_shape *shape)
{
    static const char array[] = "\n\x02\x18\x05", map[] = "\n\x08\n\x01k\x12\x03\n\x01v";
    tk_str text;
    switch (rng_below(rng, 10)) {
    case 0:
        return (struct tk_value){.type = TK_VALUE_EMPTY};
    case 1:
        return (struct tk_value){.type = TK_VALUE_BOOL, .b = rng_one_in(rng, 2)};
    case 2:
        return (struct tk_value){.type = TK_VALUE_INT, .i = (int64_t)rng_below(rng, 5)};
    case 3:
        return (struct tk_value){.type = TK_VALUE_INT, .i = (int64_t)rng_next(rng)};
    case 4:
        return (struct tk_value){.type = TK_VALUE_DOUBLE, .d = (double)rng_below(rng, 1000) / 8};
    case 5:
        return (struct tk_value){.type = TK_VALUE_BYTES, .len = 3, .ptr = "\0\xFF\x01"};
    case 6:
        return (struct tk_value){.type = TK_VALUE_ARRAY, .len = sizeof array - 1, .ptr = array};
    case 7:
        return (struct tk_value){.type = TK_VALUE_MAP, .len = sizeof map - 1, .ptr = map};
    default:
        text = text_of(rng, batch, shape);
        return (struct tk_value){
            .type = TK_VALUE_STRING, .len = (uint32_t)text.len, .ptr = text.ptr};
    }
}

static struct tk_range
add_attrs(struct rng *rng, struct tk_batch *batch, const struct request_shape *shape, uint64_t max)
{
    static const char *const keys[] = {
        "http.route", "http.method", "db.statement", "n", "ratio", "empty", "user.id", "x", "y",
        "z"};
    struct tk_range range = {batch->attr_count, (uint32_t)rng_below(rng, max + 1)};
    for (uint32_t i = 0; i < range.count; i++) {
        tk_str key = tk_str_from(keys[rng_below(rng, 10)]);
        if (rng_one_in(rng, 40))
            key = tk_arena_printf(&batch->arena, "key.%" PRIu64, rng_below(rng, 1000));
        must(tk_batch_add_attr(batch, key, value_of(rng, batch, shape)));
    }
    return range;
}

static void
add_resource(struct rng *rng, struct tk_batch *batch, const struct request_shape *shape)
{
    uint32_t index;
    tk_str service = tk_arena_printf(&batch->arena, "service-%" PRIu64, rng_below(rng, 4));
    struct tk_range attrs = {batch->attr_count, 0};
    must(tk_batch_add_attr(batch, TK_STR("service.name"),
                           (struct tk_value){.type = TK_VALUE_STRING,
                                             .len = (uint32_t)service.len,
                                             .ptr = service.ptr}));
    attrs.count = 1 + add_attrs(rng, batch, shape, 2).count;
    must(tk_batch_add_resource(batch, &index));
    batch->resources[index] = (struct tk_resource){.attrs = attrs,
                                                   .dropped_attrs = (uint32_t)rng_below(rng, 2),
                                                   .schema_url = TK_STR("schema/1")};
    attrs = add_attrs(rng, batch, shape, 1);
    must(tk_batch_add_scope(batch, &index));
    batch->scopes[index] =
        (struct tk_scope){.name = TK_STR("lib"), .version = TK_STR("1.2"), .attrs = attrs};
}

static void
add_event(struct rng *rng, struct tk_batch *batch, uint32_t row, const struct request_shape *shape)
{
    uint32_t index;
    struct tk_range attrs = add_attrs(rng, batch, shape, 2);
    must(tk_batch_add_event(batch, &index));
    batch->event[index] = (struct tk_event){.time_nano = batch->start_nano[row] + rng_below(rng, 9),
                                            .name = TK_STR("exception"),
                                            .attrs = attrs,
                                            .dropped_attrs = (uint32_t)rng_below(rng, 2)};
    batch->events[row] = (struct tk_range){index, 1};
}

static void
add_link(struct rng *rng, struct tk_batch *batch, uint32_t row, const struct request_shape *shape)
{
    uint32_t index;
    struct tk_range attrs = add_attrs(rng, batch, shape, 1);
    must(tk_batch_add_link(batch, &index));
    batch->link[index] = (struct tk_link){.trace_id = {rng_next(rng), 7},
                                          .span_id = rng_next(rng) | 1,
                                          .trace_state = TK_STR("v=1"),
                                          .attrs = attrs,
                                          .flags = 0x301};
    batch->links[row] = (struct tk_range){index, 1};
}

static void
add_span(struct rng *rng, struct tk_batch *batch, struct pool_trace *trace, uint64_t span,
         const struct request_shape *shape)
{
    uint32_t row;
    static const char *const names[] = {"GET /users", "query", "render", ""};
    must(tk_batch_add_span(batch, &row));
    uint64_t start = trace->start_nano + rng_below(rng, 4) * 1000;
    if (rng_one_in(rng, 20))
        start -= rng_below(rng, 3) * 1000000; /* the trace began earlier than anybody knew */
    batch->trace_id[row] = trace->id;
    batch->span_id[row] = span;
    if (trace->span_count > 1 && rng_one_in(rng, 2))
        batch->parent_id[row] = trace->spans[rng_below(rng, trace->span_count)];
    batch->start_nano[row] = start;
    batch->end_nano[row] = start + rng_below(rng, 4) * 500;
    batch->name[row] = tk_str_from(names[rng_below(rng, 4)]);
    batch->trace_state[row] = rng_one_in(rng, 3) ? TK_STR("ot=th:0") : TK_STR_NONE;
    batch->status[row] = (int32_t)rng_below(rng, 3);
    batch->status_message[row] = rng_one_in(rng, 4) ? TK_STR("failed") : TK_STR_NONE;
    batch->kind[row] = (int32_t)rng_below(rng, 7);
    batch->flags[row] = (uint32_t)(0x100 | rng_below(rng, 2));
    batch->dropped_attrs[row] = (uint32_t)rng_below(rng, 3);
    batch->dropped_events[row] = (uint32_t)rng_below(rng, 2);
    batch->dropped_links[row] = (uint32_t)rng_below(rng, 2);
    batch->resource[row] = (uint32_t)rng_below(rng, batch->resource_count);
    batch->scope[row] = (uint32_t)rng_below(rng, batch->scope_count);
    batch->attrs[row] = add_attrs(rng, batch, shape, 4);
    if (rng_one_in(rng, 4))
        add_event(rng, batch, row, shape);
    if (rng_one_in(rng, 8))
        add_link(rng, batch, row, shape);
}

/* Which spans: the first one is new, the others are new, or known ones told again. */
static struct tk_batch *
make_batch(struct rng *rng, struct pool *pool, const struct request_shape *shape)
{
    struct tk_batch *batch = tk_batch_new();
    SIM_CHECK(batch != NULL, "no memory for a batch");
    bool giant = rng_one_in(rng, shape->giant_one_in);
    uint64_t count =
        giant ? rng_between(rng, GIANT_MIN, GIANT_MAX) : rng_between(rng, 1, shape->spans_max);
    struct pool_trace *trace = NULL;
    for (uint64_t i = rng_between(rng, 1, 2); i > 0; i--)
        add_resource(rng, batch, shape);
    for (uint64_t i = 0; i < count; i++) {
        if (trace == NULL || (!giant && rng_one_in(rng, 3)))
            trace = pool->count > 0 && !rng_one_in(rng, 4)
                        ? &pool->traces[rng_below(rng, pool->count)]
                        : add_trace(rng, pool, shape);
        bool again = i > 0 && trace->span_count > 0 && rng_one_in(rng, 4);
        uint64_t span = i == 0  ? rng_next(rng) | 1
                        : again ? trace->spans[rng_below(rng, trace->span_count)]
                                : new_span_id(rng, trace);
        add_span(rng, batch, trace, span, shape);
    }
    return batch;
}

/* The little that Zipkin can say. */
static void
encode_zipkin(const struct tk_batch *batch, struct tk_buf *out)
{
    tk_buf_append(out, TK_STR("["));
    for (uint32_t row = 0; row < batch->span_count; row++) {
        char trace[TK_TRACE_ID_HEX + 1], span[TK_SPAN_ID_HEX + 1];
        tk_trace_id_format(batch->trace_id[row], trace);
        tk_span_id_format(batch->span_id[row], span);
        tk_buf_printf(out,
                      "%s{\"traceId\":\"%s\",\"id\":\"%s\",\"name\":\"z%u\",\"timestamp\":%" PRIu64
                      ",\"duration\":%" PRIu64
                      ",\"kind\":\"SERVER\",\"localEndpoint\":{\"serviceName\":\"zip\"},"
                      "\"tags\":{",
                      row > 0 ? "," : "", trace, span, row % 3, batch->start_nano[row] / 1000,
                      1 + (batch->end_nano[row] - batch->start_nano[row]) / 1000);
        for (uint32_t i = 0; i < batch->attrs[row].count; i++)
            tk_buf_printf(out, "%s\"t%u\":\"%u\"", i > 0 ? "," : "", i, i * row);
        tk_buf_append(out, TK_STR("}}"));
    }
    tk_buf_append(out, TK_STR("]"));
}

static void
encode(struct rng *rng, const struct tk_batch *batch, struct request *request)
{
    struct tk_buf out;
    char *ptr;
    tk_buf_init(&out, SIZE_MAX / 2);
    if (request->format == TK_FORMAT_ZIPKIN_JSON_V2)
        encode_zipkin(batch, &out);
    else if (request->format == TK_FORMAT_OTLP_JSON)
        tk_otlp_json_encode(batch, (struct tk_range){0, batch->span_count}, &out);
    else
        tk_otlp_protobuf_encode(batch, (struct tk_range){0, batch->span_count}, &out);
    must(out.status);
    request->encoding = rng_one_in(rng, 2) ? TK_ENCODING_NONE : (enum tk_encoding)rng_below(rng, 4);
    if (request->encoding == TK_ENCODING_NONE)
        ptr = tk_buf_detach(&out, &request->body_len);
    else
        must(tk_compress(request->encoding, 1, tk_buf_str(&out), &ptr, &request->body_len));
    tk_buf_release(&out);
    request->body = sim_alloc(request->body_len);
    memcpy(request->body, ptr, request->body_len);
    free(ptr);
}

struct copy
copy_of_row(const struct tk_batch *batch, uint32_t row, bool hash)
{
    struct copy copy = {
        .trace = batch->trace_id[row],
        .span = batch->span_id[row],
        .start_nano = batch->start_nano[row],
        .end_nano = batch->end_nano[row],
        .fullness =
            (uint64_t)batch->attrs[row].count + batch->events[row].count + batch->links[row].count,
    };
    if (hash) {
        struct tk_buf out;
        heap_pause();
        tk_buf_init(&out, SIZE_MAX / 2);
        tk_otlp_protobuf_encode(batch, (struct tk_range){row, 1}, &out);
        must(out.status);
        copy.hash = tk_hash_stable(tk_buf_str(&out));
        tk_buf_release(&out);
        heap_resume();
    }
    return copy;
}

struct tk_batch *
request_decode(const struct request *request)
{
    struct tk_rejected rejected;
    struct tk_error err = {0};
    struct tk_batch *batch = tk_batch_new();
    if (batch == NULL)
        return NULL;
    enum tk_err code = tk_wire_decode(request->format, request->encoding,
                                      (tk_str){request->body, request->body_len}, NULL,
                                      SIZE_MAX / 2, batch, &rejected, &err);
    SIM_CHECK(code == TK_OK || code == TK_ERR_MEMORY, "request %u: decode: %s: %s", request->number,
              tk_err_text(code), err.message);
    if (code != TK_OK) {
        tk_batch_free(batch);
        return NULL;
    }
    SIM_CHECK(rejected.span_count == 0, "a good span is rejected: %s", rejected.reason);
    return batch;
}

struct request *
request_new(struct rng *rng, struct pool *pool, const struct request_shape *shape, uint32_t project,
            uint32_t number)
{
    struct request *request = sim_alloc(sizeof *request);
    request->number = number;
    request->project = project;
    heap_pause();
    struct tk_batch *made = make_batch(rng, pool, shape);
    if (!shape->otlp_only)
        request->format = (enum tk_format)rng_below(rng, 3);
    encode(rng, made, request);
    tk_batch_free(made);
    struct tk_batch *batch = request_decode(request);
    SIM_CHECK(batch != NULL, "no memory for a batch");
    request->count = batch->span_count;
    request->copies = sim_alloc(request->count * sizeof *request->copies);
    for (uint32_t row = 0; row < batch->span_count; row++) {
        request->copies[row] = copy_of_row(batch, row, true);
        request->copies[row].features = features_of_row(batch, row);
    }
    tk_batch_free(batch);
    heap_resume();
    return request;
}

struct request *
request_again(const struct request *original, uint32_t number)
{
    struct request *request = sim_alloc(sizeof *request);
    *request = (struct request){
        .number = number,
        .project = original->project,
        .format = original->format,
        .encoding = original->encoding,
        .body = sim_alloc(original->body_len),
        .body_len = original->body_len,
        .copies = sim_alloc(original->count * sizeof *original->copies),
        .count = original->count,
        .original = original->original != NULL ? original->original : original,
    };
    memcpy(request->body, original->body, original->body_len);
    memcpy(request->copies, original->copies, original->count * sizeof *original->copies);
    return request;
}

void
request_free(struct request *request)
{
    sim_free(request->body);
    sim_free(request->copies);
    sim_free(request);
}
