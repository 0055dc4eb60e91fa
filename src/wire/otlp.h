#ifndef TK_WIRE_OTLP_H
#define TK_WIRE_OTLP_H
/*
 * otlp - OTLP traces (opentelemetry-proto 1.x) from and to a span batch, protobuf and JSON.
 *
 * Decoders: see wire.h for what they refuse.  They view `body`, which must outlive the batch's use.
 * Unknown fields are skipped; a known field with the wrong wire type is TK_ERR_INPUT.
 * Encoders are lossless: types, order of attributes, empty strings, flags, dropped counts, schema
 * URLs.  Spans are grouped by (resource, scope) in order of first sight.
 */
#include "base/json.h"
#include "wire/wire.h"

enum tk_err tk_otlp_protobuf_decode(tk_str body, struct tk_batch *batch,
                                    struct tk_rejected *ret_rejected,
                                    struct tk_error *err) TK_MUST_USE;
enum tk_err tk_otlp_json_decode(tk_str body, struct tk_batch *batch,
                                struct tk_rejected *ret_rejected, struct tk_error *err) TK_MUST_USE;

/* TracesData of rows [begin, begin + count) of the batch. Failure shows in out->status. */
void tk_otlp_protobuf_encode(const struct tk_batch *batch, struct tk_range rows,
                             struct tk_buf *out);
void tk_otlp_json_encode(const struct tk_batch *batch, struct tk_range rows, struct tk_buf *out);

/* A resource as a ResourceSpans without scope_spans, a scope as a ScopeSpans without spans. */
void tk_otlp_resource_encode(const struct tk_batch *batch, uint32_t resource, struct tk_buf *out);
void tk_otlp_scope_encode(const struct tk_batch *batch, uint32_t scope, struct tk_buf *out);

/* Adds the resource, or the scope, that was encoded so to the batch, which views `text`. */
enum tk_err tk_otlp_resource_decode(tk_str text, struct tk_batch *batch,
                                    struct tk_error *err) TK_MUST_USE;
enum tk_err tk_otlp_scope_decode(tk_str text, struct tk_batch *batch,
                                 struct tk_error *err) TK_MUST_USE;

/* Answers (opentelemetry-proto collector/trace/v1, google/rpc/status.proto), in either encoding. */
void tk_otlp_response_encode(enum tk_format format, const struct tk_rejected *rejected,
                             struct tk_buf *out);
void tk_otlp_status_encode(enum tk_format format, int32_t grpc_code, tk_str message,
                           struct tk_buf *out);
/* google.rpc.Status with a RetryInfo detail, for gRPC's grpc-status-details-bin (not base64ed). */
void tk_otlp_retry_status_encode(int32_t grpc_code, tk_str message, uint64_t retry_after_ms,
                                 struct tk_buf *out);

/* One attribute value as plain JSON, the way the query API prints it (api.md): integers beyond
   +-2^53 and bytes (base64) as strings, EMPTY as null, arrays and maps as arrays and objects. */
void tk_value_json(struct tk_json_writer *json, struct tk_value value);

/* Do the bytes of an ARRAY or a MAP, of unknown origin, make one?  Else nothing may walk it. */
bool tk_value_is_whole(struct tk_value nested);
/* Walks a nested value: for each element of an ARRAY (key is empty) or member of a MAP, until
   `each` returns false. */
void tk_value_each(struct tk_value nested, bool (*each)(void *arg, tk_str key, struct tk_value v),
                   void *arg);

#endif
