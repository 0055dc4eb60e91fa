#ifndef TK_STORE_SCHEMA_BUILD_H
#define TK_STORE_SCHEMA_BUILD_H
/*
 * schema_build - what the batches of a buffer have in common: columns with their dictionaries,
 * shapes, resources and scopes; and each batch said in these terms.
 *
 * Batches are added one by one, then tk_schema_build_finish() makes the schema.  Views of the
 * batches stay in it.  Not thread-safe.
 */
#include "store/segment/dictionary.h"
#include "store/segment/segment_write.h"

/*
 * A span in terms of the schema, everything side by side: traces are written in another order than
 * spans came in, and looking for each value in a column of its own costs a miss each.
 */
struct tk_packed_span {
    uint64_t span_id, parent_id, start_nano, duration_nano;
    uint32_t fixed[TK_COLUMN_OTHER - TK_COLUMN_NAME]; /* NAME to LINKS */
    struct tk_range attrs;
    uint32_t attr_code[]; /* [attrs.count] */
};

/* The values of one batch as numbers.  Codes are in order of first sight, see `emit`. */
struct tk_batch_codes {
    uint32_t *span;                          /* [span_count]; where it lies in `packed` */
    uint64_t *packed;                        /* struct tk_packed_span */
    uint32_t *attr;                          /* [attr_count]; those of events and links */
    uint32_t *resource, *scope;              /* [resource_count], [scope_count]; + 1, 0: unused */
    uint32_t *event_shape, *event_name;      /* [event_count] */
    uint32_t *link_shape, *link_trace_state; /* [link_count] */
};

static inline const struct tk_packed_span *
tk_packed_span(const struct tk_batch_codes *codes, uint32_t row)
{
    return (const void *)(codes->packed + codes->span[row]);
}

/* How values of a column are written. */
struct tk_column_emit {
    const uint32_t *order; /* by code; NULL: no dictionary */
    bool is_text;
};

struct tk_schema_builder {
    struct tk_schema schema;      /* once finished */
    struct tk_column_emit *emit;  /* [schema.column_count], once finished */
    struct tk_batch_codes *codes; /* [batch_count] */
    uint32_t batch_count;
    /* private */
    uint32_t _batch_capacity;
    struct tk_build_column *_columns;
    uint32_t _column_count, _column_capacity, *_column_slots;
    struct tk_build_shape *_shapes;
    uint32_t _shape_count, _shape_capacity, *_shape_slots, _shape_slot_count;
    struct tk_intern _resources, _scopes;
    struct tk_buf _bytes; /* scratch */
    struct tk_arena _arena;
};

void tk_schema_builder_init(struct tk_schema_builder *builder);
void tk_schema_builder_release(struct tk_schema_builder *builder);
enum tk_err tk_schema_builder_add(struct tk_schema_builder *builder,
                                  const struct tk_batch *batch) TK_MUST_USE;
enum tk_err tk_schema_builder_finish(struct tk_schema_builder *builder) TK_MUST_USE;

/* A value that is not text, as its column has it. */
static inline uint64_t
tk_value_number(struct tk_value value)
{
    switch (value.type) {
    case TK_VALUE_BOOL:
        return value.b;
    case TK_VALUE_INT:
        return tk_zigzag(value.i);
    case TK_VALUE_DOUBLE:
        return (uint64_t)value.i; /* its bits */
    default:
        return 0;
    }
}

static inline bool
tk_type_is_text(uint8_t type)
{
    return type == TK_VALUE_STRING || type >= TK_VALUE_BYTES;
}

#endif
