#ifndef TK_WIRE_WIRE_H
#define TK_WIRE_WIRE_H
/*
 * wire - one door to all decoders: a body as it came, into a span batch.
 *
 * tk_wire_decode() undoes the content encoding, decodes the format and leaves a batch that owns
 * whatever its views look into and whose shapes are numbered.  It is what ingest calls, and what
 * replay of the log calls again.
 *
 * A body that cannot be decoded is TK_ERR_INPUT with the place in the message ("byte 123:
 * resource_spans[0].scope_spans[2].spans[17].name: invalid UTF-8", or the JSON path); beyond
 * `limit` bytes after decompression, or TK_WIRE_COLUMNS_FACTOR, it is TK_ERR_LIMIT.  A span with a
 * bad id or bad times (start = 0, end before start, beyond 2^63-1 ns) is left out alone and counted
 * in *ret_rejected with the first reason.
 */
#include "trace/batch.h"

enum tk_format {
    TK_FORMAT_OTLP_PROTOBUF, /* ExportTraceServiceRequest = TracesData */
    TK_FORMAT_OTLP_JSON,
    TK_FORMAT_ZIPKIN_JSON_V2,
};

enum tk_encoding { TK_ENCODING_NONE, TK_ENCODING_GZIP, TK_ENCODING_DEFLATE, TK_ENCODING_ZSTD };

/* What the log holds was taken, and acknowledged, under the limits of its time. */
#define TK_WIRE_UNLIMITED (SIZE_MAX / 2)

enum {
    /* The columns of a batch mostly take less than its body, and up to 4.4 times as much for the
       smallest event that says when it was.  A body that costs more, two bytes for an event of
       nothing, was made for that. */
    TK_WIRE_COLUMNS_FACTOR = 5,
    TK_WIRE_COLUMNS_MIN = 256 << 10, /* bytes that any body may cost */
};

struct tk_rejected {
    uint64_t span_count;
    char reason[256]; /* of the first one; "" when none */
};

/*
 * `body` is copied when it must be kept; if `body_owned` is not NULL (the malloc'ed block that body
 * lies in, anywhere: a gRPC message stands behind its prefix) it is taken over on success instead.
 * `batch` must be empty; on failure it is left empty.
 */
enum tk_err tk_wire_decode(enum tk_format format, enum tk_encoding encoding, tk_str body,
                           void *body_owned, size_t limit, struct tk_batch *batch,
                           struct tk_rejected *ret_rejected, struct tk_error *err) TK_MUST_USE;

/* Content-Encoding as sent ("", "identity", "gzip", "x-gzip", "deflate", "zstd", any case). */
bool tk_encoding_parse(tk_str name, enum tk_encoding *ret_encoding);

#endif
