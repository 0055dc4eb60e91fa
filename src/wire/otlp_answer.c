/*
 * otlp_answer - what an OTLP receiver answers: ExportTraceServiceResponse, and google.rpc.Status
 * when nothing could be taken; see otlp.h.
 */
#include "wire/otlp.h"
#include "wire/protobuf.h"

static void
response_json(const struct tk_rejected *rejected, struct tk_buf *out)
{
    struct tk_json_writer json;
    tk_json_writer_init(&json, out);
    tk_json_object(&json);
    if (rejected->span_count > 0) {
        tk_json_key(&json, TK_STR("partialSuccess"));
        tk_json_object(&json);
        tk_json_key(&json, TK_STR("rejectedSpans"));
        tk_json_uint_string(&json, rejected->span_count);
        tk_json_key(&json, TK_STR("errorMessage"));
        tk_json_string(&json, tk_str_from(rejected->reason));
        tk_json_object_end(&json);
    }
    tk_json_object_end(&json);
}

void
tk_otlp_response_encode(enum tk_format format, const struct tk_rejected *rejected,
                        struct tk_buf *out)
{
    if (format == TK_FORMAT_OTLP_JSON) {
        response_json(rejected, out);
    } else if (rejected->span_count > 0) {
        size_t begun = tk_pb_begin(out, 1); /* partial_success */
        tk_pb_put_varint_unless_zero(out, 1, rejected->span_count);
        tk_pb_put_bytes_unless_empty(out, 2, tk_str_from(rejected->reason));
        tk_pb_end(out, begun);
    }
}

void
tk_otlp_status_encode(enum tk_format format, int32_t grpc_code, tk_str message, struct tk_buf *out)
{
    if (format == TK_FORMAT_OTLP_JSON) {
        struct tk_json_writer json;
        tk_json_writer_init(&json, out);
        tk_json_object(&json);
        tk_json_key(&json, TK_STR("code"));
        tk_json_int(&json, grpc_code);
        tk_json_key(&json, TK_STR("message"));
        tk_json_string(&json, message);
        tk_json_object_end(&json);
    } else {
        tk_pb_put_varint_unless_zero(out, 1, (uint64_t)grpc_code);
        tk_pb_put_bytes_unless_empty(out, 2, message);
    }
}

void
tk_otlp_retry_status_encode(int32_t grpc_code, tk_str message, uint64_t retry_after_ms,
                            struct tk_buf *out)
{
    tk_otlp_status_encode(TK_FORMAT_OTLP_PROTOBUF, grpc_code, message, out);
    size_t detail = tk_pb_begin(out, 3); /* google.protobuf.Any */
    tk_pb_put_bytes(out, 1, TK_STR("type.googleapis.com/google.rpc.RetryInfo"));
    size_t info = tk_pb_begin(out, 2);
    size_t delay = tk_pb_begin(out, 1); /* google.protobuf.Duration */
    tk_pb_put_varint_unless_zero(out, 1, retry_after_ms / 1000);
    tk_pb_put_varint_unless_zero(out, 2, retry_after_ms % 1000 * 1000000);
    tk_pb_end(out, delay);
    tk_pb_end(out, info);
    tk_pb_end(out, detail);
}
