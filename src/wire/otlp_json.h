#ifndef TK_WIRE_OTLP_JSON_H
#define TK_WIRE_OTLP_JSON_H
/*
 * otlp_json - attributes in OTLP/JSON, shared by the halves of its decoder.
 *
 * Nested values are written into `scratch` as the protobuf bytes that a batch keeps (batch.h,
 * invariant 3), and copied into the batch's arena once they are whole.
 */
#include "trace/batch.h"
#include "wire/json_body.h"

struct tk_otlp_json {
    struct tk_json_body body;
    struct tk_batch *batch;
    struct tk_rejected *rejected;
    struct tk_buf scratch;
};

/* The current value, an array of KeyValue, behind the batch's attributes. */
bool tk_otlp_json_attrs(struct tk_otlp_json *d, struct tk_range *ret_range);

#endif
