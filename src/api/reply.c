/*
 * reply - every answer leaves through here.
 *
 * An error takes the shape of the caller's protocol: google.rpc.Status in the request's encoding
 * for ingest, a status code with details for gRPC, application/problem+json for the rest.
 */
#include "api/private.h"

#include "base/assert.h"
#include "wire/compress.h"
#include "wire/otlp.h"

#include <stdio.h>

void
tk_reply_header(struct tk_call *call, tk_str name, tk_str value)
{
    TK_ASSERT(call->header_count < TK_REPLY_HEADERS_MAX);
    call->headers[call->header_count++] = (struct tk_header){name, value};
}

/* What every answer carries. */
static void
add_headers(struct tk_call *call, int status)
{
    tk_reply_header(call, TK_STR("x-content-type-options"), TK_STR("nosniff"));
    if (status == 429 || status == 503)
        tk_reply_header(call, TK_STR("retry-after"),
                        tk_arena_printf(&call->request->arena, "%d", TK_RETRY_AFTER_S));
    if (call->route == NULL || call->route->access == TK_ACCESS_INGEST)
        tk_reply_header(call, TK_STR("vary"), TK_STR("Origin"));
    if (call->cors_origin.len > 0) {
        tk_reply_header(call, TK_STR("access-control-allow-origin"), call->cors_origin);
        /* navigator.sendBeacon always asks with credentials; ingest takes no cookie */
        tk_reply_header(call, TK_STR("access-control-allow-credentials"), TK_STR("true"));
        tk_reply_header(call, TK_STR("access-control-expose-headers"), TK_STR("retry-after"));
    }
}

static void
respond(struct tk_call *call, struct tk_response *response)
{
    add_headers(call, response->status);
    response->headers = call->headers;
    response->header_count = call->header_count;
    tk_request_respond(call->request, response);
}

void
tk_reply_start(struct tk_call *call, tk_str content_type)
{
    struct tk_response response = {.status = 200, .content_type = content_type};
    add_headers(call, response.status);
    tk_reply_header(call, TK_STR("cache-control"), TK_STR("no-store"));
    response.headers = call->headers;
    response.header_count = call->header_count;
    tk_response_start(call->request, &response);
}

void
tk_reply(struct tk_call *call, int status, tk_str content_type, struct tk_buf *body)
{
    struct tk_response response = {.status = status, .content_type = content_type};
    if (body->status != TK_OK) {
        tk_buf_release(body);
        tk_reply_problem(call, 500, "Answer too large", "the answer does not fit into memory");
        return;
    }
    response.body_owned = tk_buf_detach(body, &response.body.len);
    response.body.ptr = response.body_owned;
    respond(call, &response);
}

/* RFC 9110 12.5.3, as browsers write it: gzip is there and not with q=0. */
bool
tk_accepts_gzip(const struct tk_request *request)
{
    tk_str rest = tk_request_header(request, TK_STR("accept-encoding"));
    while (rest.len > 0) {
        tk_str weight = tk_str_split(&rest, ',');
        tk_str name = tk_str_trim(tk_str_split(&weight, ';'));
        if (tk_str_eq_nocase(name, TK_STR("gzip")) || tk_str_eq(name, TK_STR("*"))) {
            weight = tk_str_trim(weight);
            return !tk_str_eq(weight, TK_STR("q=0")) &&
                   !tk_str_starts_with(weight, TK_STR("q=0.0"));
        }
    }
    return false;
}

/* Level 1: on a link of any speed but the fastest it saves more time than it takes. */
void
tk_reply_packed(struct tk_call *call, int status, tk_str content_type, struct tk_buf *body)
{
    enum { PACK_MIN = 1 << 10, LEVEL = 1 };
    tk_reply_header(call, TK_STR("vary"), TK_STR("Accept-Encoding"));
    if (body->status == TK_OK && body->len >= PACK_MIN && tk_accepts_gzip(call->request)) {
        struct tk_buf packed;
        tk_buf_init(&packed, TK_REPLY_SIZE_MAX);
        if (tk_compress(TK_ENCODING_GZIP, LEVEL, tk_buf_str(body), &packed.ptr, &packed.len) ==
            TK_OK) {
            tk_buf_release(body);
            *body = packed;
            tk_reply_header(call, TK_STR("content-encoding"), TK_STR("gzip"));
        }
    }
    tk_reply(call, status, content_type, body);
}

void
tk_reply_json(struct tk_call *call, int status, struct tk_buf *body)
{
    tk_reply_header(call, TK_STR("cache-control"), TK_STR("no-store"));
    tk_reply(call, status, TK_STR("application/json"), body);
}

void
tk_reply_static(struct tk_call *call, int status, tk_str content_type, tk_str body)
{
    respond(call, &(struct tk_response){.status = status,
                                        .content_type = content_type,
                                        .body = body,
                                        .body_static = body.ptr});
}

void
tk_reply_empty(struct tk_call *call, int status)
{
    respond(call, &(struct tk_response){.status = status});
}

void
tk_reply_grpc(struct tk_call *call, struct tk_buf *message)
{
    struct tk_response response = {.status = 200};
    response.body_owned = tk_buf_detach(message, &response.body.len);
    response.body.ptr = response.body_owned;
    respond(call, &response);
}

/* google.rpc.Code, as the OTLP specification pairs them with HTTP's. */
static int
grpc_code(int status)
{
    switch (status) {
    case 400:
        return 3; /* INVALID_ARGUMENT */
    case 401:
        return 16; /* UNAUTHENTICATED */
    case 403:
        return 7; /* PERMISSION_DENIED */
    case 404:
    case 405:
    case 415:
        return 12; /* UNIMPLEMENTED */
    case 413:
    case 429:
        return 8; /* RESOURCE_EXHAUSTED */
    case 408:
    case 503:
        return 14; /* UNAVAILABLE */
    default:
        return 13; /* INTERNAL */
    }
}

static void
refuse_grpc(struct tk_call *call, int code, bool retry, tk_str message)
{
    struct tk_response response = {.status = 200, .grpc_status = code, .grpc_message = message};
    struct tk_buf details;
    tk_buf_init(&details, TK_REPLY_SIZE_MAX);
    if (retry) {
        tk_otlp_retry_status_encode(code, message, TK_RETRY_AFTER_S * 1000, &details);
        response.grpc_details = tk_buf_str(&details);
    }
    respond(call, &response);
    tk_buf_release(&details);
}

static void
status_body(struct tk_request *request, int code, tk_str message, struct tk_buf *body,
            tk_str *ret_content_type)
{
    enum tk_format format;
    bool protobuf = tk_ingest_format(request, &format) && format == TK_FORMAT_OTLP_PROTOBUF;
    *ret_content_type = protobuf ? TK_STR("application/x-protobuf") : TK_STR("application/json");
    tk_otlp_status_encode(protobuf ? TK_FORMAT_OTLP_PROTOBUF : TK_FORMAT_OTLP_JSON, code, message,
                          body);
}

static void
problem_body(int status, tk_str title, tk_str detail, struct tk_buf *body, tk_str *ret_content_type)
{
    struct tk_json_writer json;
    *ret_content_type = TK_STR("application/problem+json");
    tk_json_writer_init(&json, body);
    tk_json_object(&json);
    tk_json_key(&json, TK_STR("title"));
    tk_json_string(&json, title);
    tk_json_key(&json, TK_STR("status"));
    tk_json_int(&json, status);
    tk_json_key(&json, TK_STR("detail"));
    tk_json_string(&json, detail);
    tk_json_object_end(&json);
}

static void
error_body(const struct tk_call *call, int status, const char *title, const char *detail,
           struct tk_buf *body, tk_str *ret_content_type)
{
    if (call->route != NULL && call->route->access == TK_ACCESS_INGEST)
        status_body(call->request, grpc_code(status), tk_str_from(detail), body, ret_content_type);
    else
        problem_body(status, tk_str_from(title), tk_str_from(detail), body, ret_content_type);
}

void
tk_reply_problem(struct tk_call *call, int status, const char *title, const char *detail, ...)
{
    char text[TK_ERROR_MESSAGE_SIZE + 128];
    tk_str content_type;
    struct tk_buf body;
    va_list args;
    va_start(args, detail);
    (void)vsnprintf(text, sizeof text, detail, args);
    va_end(args);

    if (call->request->grpc) {
        refuse_grpc(call, grpc_code(status), status == 429 || status == 503, tk_str_from(text));
        return;
    }
    tk_buf_init(&body, TK_REPLY_SIZE_MAX);
    error_body(call, status, title, text, &body, &content_type);
    if (body.status != TK_OK) { /* out of memory: the status alone */
        tk_buf_release(&body);
        tk_reply_empty(call, status);
        return;
    }
    tk_reply(call, status, content_type, &body);
}

void
tk_reply_error(struct tk_call *call, enum tk_err code, const struct tk_error *err)
{
    const char *detail = err != NULL && err->code == code && err->message[0] != '\0'
                             ? err->message
                             : tk_err_text(code);
    switch (code) {
    case TK_ERR_INPUT:
        tk_reply_problem(call, 400, "Bad request", "%s", detail);
        break;
    case TK_ERR_DENIED:
        tk_reply_problem(call, 403, "Forbidden", "%s", detail);
        break;
    case TK_ERR_NOT_FOUND:
        tk_reply_problem(call, 404, "Not found", "%s", detail);
        break;
    case TK_ERR_EXISTS:
        tk_reply_problem(call, 409, "Exists already", "%s", detail);
        break;
    case TK_ERR_LIMIT:
        tk_reply_problem(call, 413, "Too large", "%s", detail);
        break;
    case TK_ERR_UNSUPPORTED:
        tk_reply_problem(call, 415, "Unsupported media type", "%s", detail);
        break;
    case TK_ERR_BUSY:
        tk_reply_problem(call, 429, "Busy", "%s", detail);
        break;
    case TK_ERR_FULL:
        tk_reply_problem(call, 503, "No space left", "%s", detail);
        break;
    default:
        tk_reply_problem(call, 500, "Internal error", "%s", detail);
    }
}

void
tk_reply_refused(void *arg, struct tk_request *request, int status, const char *reason,
                 struct tk_response *response)
{
    struct tk_call *call = request->user;
    struct tk_buf body;
    tk_str content_type;
    if (call == NULL) { /* the head was not even complete */
        call = tk_arena_zalloc(&request->arena, 1, sizeof *call);
        if (call == NULL)
            return;
        call->api = arg;
        call->request = request;
    }
    tk_buf_init(&body, TK_REPLY_SIZE_MAX);
    error_body(call, status, reason, reason, &body, &content_type);
    tk_str kept = tk_arena_copy(&request->arena, tk_buf_str(&body));
    if (body.status == TK_OK && kept.ptr != NULL) {
        response->content_type = content_type;
        response->body = kept;
    }
    tk_buf_release(&body);
    add_headers(call, status);
    response->headers = call->headers;
    response->header_count = call->header_count;
}
