#ifndef TK_STORE_SEAL_H
#define TK_STORE_SEAL_H
/*
 * seal - what gathered in a buffer, as the rows of a segment: traces in the order of the file, each
 * span once.
 */
#include "store/embedded/buffer.h"
#include "store/segment/schema_build.h"

struct tk_seal {
    struct tk_buffer *buffer; /* nothing is added to it any more */
    struct tk_schema_builder builder;
};

/* Looks through the buffer: makes seal->builder.schema, which the writer wants first. */
enum tk_err tk_seal_init(struct tk_seal *seal, struct tk_buffer *buffer,
                         struct tk_error *err) TK_MUST_USE;
void tk_seal_release(struct tk_seal *seal);
/* Whether a span that is in the buffer was counted when an older segment was made; NULL: never. */
struct tk_seal_counted {
    bool (*is_counted)(void *arg, struct tk_trace_id id, tk_span_id span_id, uint64_t start_nano);
    void *arg;
};
enum tk_err tk_seal_write(struct tk_seal *seal, struct tk_segment_writer *writer,
                          const struct tk_seal_counted *counted, struct tk_error *err) TK_MUST_USE;

#endif
