#ifndef TK_WIRE_ZIPKIN_H
#define TK_WIRE_ZIPKIN_H
/*
 * zipkin - Zipkin JSON v2 spans into a span batch, translated as OpenTelemetry's Zipkin
 * specification says (trace/sdk_exporters/zipkin, read backwards).  64-bit trace ids get sixteen
 * zeros in front; a span shared between client and server is kept as two.
 */
#include "wire/wire.h"

enum tk_err tk_zipkin_json_decode(tk_str body, struct tk_batch *batch,
                                  struct tk_rejected *ret_rejected,
                                  struct tk_error *err) TK_MUST_USE;

#endif
