/*
 * ingest - spans come in: OTLP over HTTP and gRPC, Zipkin.
 *
 * head -> body -> decode -> tk_store_append -> (fsynced) stored -> answer.  A small body is decoded
 * on the loop that read it, a large one on a worker, so that it does not hold up the loop's other
 * connections.  Nothing is answered 200 before the store has called `stored`, from its own thread.
 *
 * Who frees what: the body's block is taken from the request.  Uncompressed, the batch views and
 * owns it; compressed, the batch owns what was unpacked and the block is ours.  The store writes
 * the body as it came to its log, so the block lives until `stored`: the store keeps the batch at
 * least that long, and we the compressed block.
 */
#include "api/private.h"
#include "api/tail.h"

#include "base/log.h"
#include "wire/otlp.h"

#include <stdlib.h>

enum { /* bytes as received; beyond, decoding takes a millisecond or more */
       LOOP_PLAIN_MAX = 512 << 10,
       LOOP_COMPRESSED_MAX = 64 << 10,
};

struct ingest {
    struct tk_call *call;
    enum tk_format format;
    enum tk_encoding encoding;
    tk_str body;
    void *block; /* body's memory while it is ours */
    struct tk_rejected rejected;
    uint32_t span_count;
    struct tk_arrivals_note arrivals; /* for those who tail */
};

static bool
is_zipkin(const struct tk_request *request)
{
    return tk_str_starts_with(request->path, TK_STR("/api/"));
}

bool
tk_ingest_format(struct tk_request *request, enum tk_format *ret_format)
{
    tk_str rest = tk_request_header(request, TK_STR("content-type"));
    tk_str type = tk_str_trim(tk_str_split(&rest, ';'));
    bool json = tk_str_eq_nocase(type, TK_STR("application/json"));
    /* A browser asks no preflight for text/plain: what pages send on their last breath. */
    if (tk_str_eq_nocase(type, TK_STR("text/plain")))
        json = tk_request_param(request, TK_STR("api_key")).len > 0;
    if (is_zipkin(request) || json) {
        *ret_format = is_zipkin(request) ? TK_FORMAT_ZIPKIN_JSON_V2 : TK_FORMAT_OTLP_JSON;
        return json;
    }
    *ret_format = TK_FORMAT_OTLP_PROTOBUF;
    return request->grpc || tk_str_eq_nocase(type, TK_STR("application/x-protobuf"));
}

static size_t
refuse_type(struct tk_call *call, const char *what, tk_str value, const char *taken)
{
    tk_reply_problem(call, 415, "Unsupported media type", "%s `%.*s` is not taken here: send %s",
                     what, TK_STR_ARG(value), taken);
    return TK_BODY_ANSWERED;
}

size_t
tk_ingest_head(struct tk_call *call)
{
    struct tk_request *request = call->request;
    struct ingest *ingest = tk_arena_zalloc(&request->arena, 1, sizeof *ingest);
    bool grpc_path = tk_str_ends_with(request->path, TK_STR("/Export"));
    tk_str encoding = tk_request_header(request, request->grpc ? TK_STR("grpc-encoding")
                                                               : TK_STR("content-encoding"));
    if (ingest == NULL) {
        tk_reply_problem(call, 503, "Out of memory", "out of memory; try again");
        return TK_BODY_ANSWERED;
    }
    ingest->call = call;
    call->state = ingest;
    if (!tk_ingest_format(request, &ingest->format) || grpc_path != request->grpc)
        return refuse_type(call, "content type", tk_request_header(request, TK_STR("content-type")),
                           grpc_path            ? "application/grpc"
                           : is_zipkin(request) ? "application/json"
                                                : "application/x-protobuf or application/json");
    if (!tk_encoding_parse(encoding, &ingest->encoding))
        return refuse_type(call, "content encoding", encoding, "gzip, deflate, zstd or none");
    return call->api->options.body_max;
}

static void
accept(struct ingest *ingest)
{
    struct tk_call *call = ingest->call;
    struct tk_buf body;
    atomic_fetch_add_explicit(&call->api->spans_accepted, ingest->span_count, memory_order_relaxed);
    if (ingest->rejected.span_count > 0) {
        atomic_fetch_add_explicit(&call->api->spans_rejected, ingest->rejected.span_count,
                                  memory_order_relaxed);
        TK_LOG_EVERY_MS(10000, TK_LOG_WARNING, "ingest", "project %s: rejected %llu spans: %s",
                        call->identity.project, (unsigned long long)ingest->rejected.span_count,
                        ingest->rejected.reason);
    }
    if (ingest->format == TK_FORMAT_ZIPKIN_JSON_V2 && ingest->rejected.span_count == 0) {
        tk_reply_empty(call, 202);
        return;
    }
    tk_buf_init(&body, TK_REPLY_SIZE_MAX);
    tk_otlp_response_encode(ingest->format == TK_FORMAT_OTLP_PROTOBUF ? TK_FORMAT_OTLP_PROTOBUF
                                                                      : TK_FORMAT_OTLP_JSON,
                            &ingest->rejected, &body);
    if (call->request->grpc)
        tk_reply_grpc(call, &body);
    else if (ingest->format == TK_FORMAT_OTLP_PROTOBUF)
        tk_reply(call, 200, TK_STR("application/x-protobuf"), &body);
    else
        tk_reply(call, ingest->format == TK_FORMAT_OTLP_JSON ? 200 : 202,
                 TK_STR("application/json"), &body);
}

/* What the store says when it keeps nothing.  A full disk is a resource that is exhausted, which
   gRPC has a word for: the same as for 429. */
static void
refuse_store(struct ingest *ingest, enum tk_err result, const struct tk_error *err)
{
    const char *detail = err->message[0] != '\0' ? err->message : tk_err_text(result);
    bool full = result == TK_ERR_FULL && ingest->call->request->grpc;
    tk_reply_problem(ingest->call, result == TK_ERR_BUSY || full ? 429 : 503, "Not stored", "%s",
                     detail);
}

static void
stored(void *arg, enum tk_err result, const struct tk_error *err)
{
    struct ingest *ingest = arg;
    free(ingest->block);
    ingest->block = NULL;
    if (result == TK_OK)
        tk_tails_arrived(ingest->call->api->tails, ingest->call->identity.project_id,
                         &ingest->arrivals);
    if (result == TK_OK)
        accept(ingest);
    else
        refuse_store(ingest, result, err != NULL ? err : &(struct tk_error){0});
}

static void
store(struct ingest *ingest, struct tk_batch *batch)
{
    struct tk_call *call = ingest->call;
    struct tk_error err = {0};
    struct tk_store_append append = {
        .project = call->identity.project_id,
        .format = ingest->format,
        .encoding = ingest->encoding,
        .body = ingest->body,
        .batch = batch,
        .done = stored,
        .arg = ingest,
    };
    ingest->span_count = batch->span_count;
    tk_tails_note(call->api->tails, batch, &call->request->arena, &ingest->arrivals);
    enum tk_err result = tk_store_append(call->api->options.store, &append, &err);
    if (result == TK_OK)
        return; /* `stored` goes on, and may be done already */
    tk_batch_free(batch);
    stored(ingest, result, &err);
}

/* On the loop or on a worker. */
static void
decode(struct tk_request *request, void *arg)
{
    struct ingest *ingest = arg;
    struct tk_error err = {0};
    struct tk_batch *batch = tk_batch_new();
    bool plain = ingest->encoding == TK_ENCODING_NONE;
    enum tk_err result = TK_ERR_MEMORY;
    (void)request;
    if (batch != NULL)
        result = tk_wire_decode(ingest->format, ingest->encoding, ingest->body,
                                plain ? ingest->block : NULL, ingest->call->api->options.body_max,
                                batch, &ingest->rejected, &err);
    if (result == TK_OK && plain)
        ingest->block = NULL; /* the batch's now */
    if (result == TK_OK && batch->span_count > 0) {
        store(ingest, batch);
        return;
    }
    tk_batch_free(batch);
    free(ingest->block);
    if (result == TK_OK)
        accept(ingest); /* nothing in it, or nothing that could be kept */
    else if (result == TK_ERR_INPUT || result == TK_ERR_LIMIT)
        tk_reply_error(ingest->call, result, &err);
    else
        tk_reply_problem(ingest->call, 503, "Not decoded", "%s", tk_err_text(result));
}

void
tk_route_ingest(struct tk_call *call)
{
    struct tk_request *request = call->request;
    struct ingest *ingest = call->state;
    if (request->grpc && !request->grpc_compressed)
        ingest->encoding = TK_ENCODING_NONE;
    ingest->body = request->body;
    ingest->block = tk_request_take_body(request);
    bool plain = ingest->encoding == TK_ENCODING_NONE;
    if (ingest->body.len <= (plain ? LOOP_PLAIN_MAX : LOOP_COMPRESSED_MAX)) {
        decode(request, ingest);
    } else if (tk_request_offload(request, decode, ingest) != TK_OK) {
        free(ingest->block);
        tk_reply_problem(call, 429, "Busy", "too much is waiting to be decoded; try again");
    }
}
