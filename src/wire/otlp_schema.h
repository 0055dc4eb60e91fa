#ifndef TK_WIRE_OTLP_SCHEMA_H
#define TK_WIRE_OTLP_SCHEMA_H
/*
 * otlp_schema - the fields of OTLP's trace messages (opentelemetry-proto 1.x), as one table per
 * message.
 *
 * The decoder does not run on it: its switch statements do the work.  It is looked up where speed
 * does not count: is this field one that we know, and what is the path to this byte?
 */
#include "wire/protobuf.h"

struct tk_pb_message;

struct tk_pb_field {
    uint8_t number; /* 0 ends a table */
    uint8_t type;   /* enum tk_pb_type */
    bool repeated;
    const char *name;
    const struct tk_pb_message *message; /* NULL unless the field is a message */
};

struct tk_pb_message {
    const struct tk_pb_field *fields;
};

extern const struct tk_pb_message tk_otlp_traces_data, tk_otlp_resource_spans, tk_otlp_resource,
    tk_otlp_scope_spans, tk_otlp_scope, tk_otlp_span, tk_otlp_event, tk_otlp_link, tk_otlp_status,
    tk_otlp_key_value, tk_otlp_any_value, tk_otlp_array_value, tk_otlp_key_value_list;

/*
 * Skips a field that the message's switch did not take: unknown, or known with another wire type,
 * which is an error.
 */
bool tk_otlp_skip(struct tk_pb *pb, const char *end, uint32_t tag,
                  const struct tk_pb_message *message);

/* The path to the byte at `offset` of a TracesData, "resource_spans[0].resource" and so on; ""
   when it lies in no field that we know.  Cut to fit. */
void tk_otlp_path(tk_str body, size_t offset, char *text, size_t size);

#endif
