#ifndef TK_TRACE_BATCH_H
#define TK_TRACE_BATCH_H
/*
 * batch - spans as columns: the only currency between wire, store, query and api.
 *
 * Each span is a row index into the span columns.  Attributes of spans, events, links, resources
 * and scopes lie in one pair of columns (key, value) and are referred to as ranges.  Nothing is
 * allocated per span or per attribute: columns grow by doubling, text is viewed where it lies.
 *
 * Ownership: a batch owns its columns, its arena and (after tk_batch_adopt) the source bytes that
 * its views look into.  Views in a batch are good until tk_batch_clear or tk_batch_free.
 * Threads: whoever holds a batch may change it; once handed to the store it is never changed.
 *
 * Invariants
 *   (1) every range lies within the attribute, event or link columns;
 *   (2) resource[i] < resource_count, scope[i] < scope_count, attr_key[i] < keys.count;
 *   (3) a nested value (TK_VALUE_ARRAY, TK_VALUE_MAP) holds the valid protobuf bytes of an OTLP
 *       ArrayValue / KeyValueList, at most TK_VALUE_DEPTH_MAX deep: lossless, and no tree.
 *   (4) trace and span ids are not zero; 0 < start <= end < 2^63.
 */
#include "base/arena.h"
#include "base/intern.h"
#include "trace/ids.h"

enum {
    TK_VALUE_DEPTH_MAX = 64,        /* arrays and maps in arrays and maps */
    TK_BATCH_KEYS_MAX = 1 << 20,    /* distinct attribute keys in one batch */
    TK_BATCH_ARENA_LIMIT = 1 << 30, /* bytes of unescaped text in one batch */
    /* spans, attributes, events, links each: two bytes of a body can make one of them */
    TK_BATCH_ELEMENTS_MAX = 1 << 23,
};

enum tk_value_type {                 /* AnyValue (opentelemetry-proto common.proto) */
                     TK_VALUE_EMPTY, /* an AnyValue with nothing set */
                     TK_VALUE_STRING,
                     TK_VALUE_BOOL,
                     TK_VALUE_INT,
                     TK_VALUE_DOUBLE,
                     TK_VALUE_BYTES,
                     TK_VALUE_ARRAY, /* protobuf bytes of ArrayValue */
                     TK_VALUE_MAP,   /* protobuf bytes of KeyValueList */
};

struct tk_value {
    uint8_t type; /* enum tk_value_type */
    uint32_t len; /* of STRING, BYTES, ARRAY, MAP */
    union {
        const char *ptr;
        int64_t i;
        double d;
        bool b;
    };
};
_Static_assert(sizeof(struct tk_value) == 16, "attribute values are 16 bytes");

static inline tk_str
tk_value_str(struct tk_value value) /* of STRING, BYTES, ARRAY, MAP */
{
    return (tk_str){value.ptr, value.len};
}

struct tk_range {
    uint32_t begin, count;
};

struct tk_resource {
    struct tk_range attrs;
    uint32_t dropped_attrs;
    tk_str schema_url;
};

struct tk_scope {
    tk_str name, version, schema_url;
    struct tk_range attrs;
    uint32_t dropped_attrs;
};

struct tk_event {
    uint64_t time_nano;
    tk_str name;
    struct tk_range attrs;
    uint32_t dropped_attrs;
};

struct tk_link {
    struct tk_trace_id trace_id;
    tk_span_id span_id;
    tk_str trace_state;
    struct tk_range attrs;
    uint32_t dropped_attrs;
    uint32_t flags;
};

enum tk_kind { /* Span.SpanKind; other numbers are kept as they came */
               TK_KIND_UNSPECIFIED,
               TK_KIND_INTERNAL,
               TK_KIND_SERVER,
               TK_KIND_CLIENT,
               TK_KIND_PRODUCER,
               TK_KIND_CONSUMER,
};

enum tk_status { TK_STATUS_UNSET, TK_STATUS_OK, TK_STATUS_ERROR };

struct tk_batch {
    /* spans: [span_count] each */
    uint32_t span_count;
    uint32_t _spans_used; /* private: rows behind these were never written to, and are zero */
    struct tk_trace_id *trace_id;
    tk_span_id *span_id;
    tk_span_id *parent_id; /* 0: none */
    uint64_t *start_nano;  /* ns since the epoch */
    uint64_t *end_nano;
    tk_str *name;
    tk_str *trace_state;
    tk_str *status_message;
    int32_t *status; /* enum tk_status; other numbers are kept */
    int32_t *kind;   /* enum tk_kind */
    uint32_t *flags; /* all 32 bits of Span.flags */
    uint32_t *resource;
    uint32_t *scope;
    struct tk_range *attrs;
    struct tk_range *events;
    struct tk_range *links;
    uint32_t *dropped_attrs;
    uint32_t *dropped_events;
    uint32_t *dropped_links;

    /* what they refer to */
    uint32_t attr_count;
    uint32_t *attr_key; /* into keys */
    struct tk_value *attr_value;
    uint32_t event_count;
    struct tk_event *event;
    uint32_t link_count;
    struct tk_link *link;
    uint32_t resource_count;
    struct tk_resource *resources;
    uint32_t scope_count;
    struct tk_scope *scopes;
    struct tk_intern keys; /* attribute keys by number */

    /* Spans from one piece of code carry the same keys with the same types: their shape.  NULL
       until tk_batch_find_shapes(); all that tk_wire_decode() yields has it. */
    uint32_t *shape; /* [span_count]; into shapes */
    uint32_t shape_count;
    struct tk_range *shapes; /* attributes of the first span of each: keys and types are there */

    struct tk_arena arena; /* text that is not a view of the source */

    size_t memory_max; /* bytes that the columns may take, then TK_ERR_LIMIT; 0: no limit */

    /* private */
    uint32_t _span_capacity, _attr_capacity, _event_capacity, _link_capacity;
    uint32_t _resource_capacity, _scope_capacity;
    void *_spans; /* the block with all span columns */
    void *_source;
};

/* A new, empty batch, or NULL when memory ran out. */
struct tk_batch *tk_batch_new(void) TK_MUST_USE;
void tk_batch_free(struct tk_batch *batch); /* NULL is fine */
/* Empties it and keeps the columns' memory; frees an adopted source. */
void tk_batch_clear(struct tk_batch *batch);
/* The batch will free(source): a malloc'ed block that its views look into. One at most. */
void tk_batch_adopt(struct tk_batch *batch, void *source);
/* Bytes that the batch holds: columns, arena, adopted source. */
size_t tk_batch_memory(const struct tk_batch *batch);

/*
 * Appending.  tk_batch_add_* make a zeroed element and return its index; the caller fills the
 * columns.  Attributes of one owner must be added in one run:
 *     range.begin = batch->attr_count; tk_batch_add_attr(...)...; range.count = ...
 */
enum tk_err tk_batch_add_span(struct tk_batch *batch, uint32_t *ret_row) TK_MUST_USE;
/* Room for so many more (or as many as there may be) at once, instead of a little at a time. */
enum tk_err tk_batch_reserve(struct tk_batch *batch, uint32_t spans, uint32_t attrs) TK_MUST_USE;
enum tk_err tk_batch_add_attr(struct tk_batch *batch, tk_str key,
                              struct tk_value value) TK_MUST_USE;
/* The same with a key that is in batch->keys already (tk_intern_add), for whoever adds many. */
enum tk_err tk_batch_grow_attrs(struct tk_batch *batch) TK_MUST_USE; /* private */
static inline enum tk_err TK_MUST_USE
tk_batch_add_attr_id(struct tk_batch *batch, uint32_t key_id, struct tk_value value)
{
    if (batch->attr_count == batch->_attr_capacity) {
        enum tk_err code = tk_batch_grow_attrs(batch);
        if (code != TK_OK)
            return code;
    }
    batch->attr_key[batch->attr_count] = key_id;
    batch->attr_value[batch->attr_count++] = value;
    return TK_OK;
}
enum tk_err tk_batch_add_event(struct tk_batch *batch, uint32_t *ret_index) TK_MUST_USE;
enum tk_err tk_batch_add_link(struct tk_batch *batch, uint32_t *ret_index) TK_MUST_USE;
enum tk_err tk_batch_add_resource(struct tk_batch *batch, uint32_t *ret_index) TK_MUST_USE;
enum tk_err tk_batch_add_scope(struct tk_batch *batch, uint32_t *ret_index) TK_MUST_USE;
/* Takes back the newest span and everything that was added after `mark` (a refused span). */
struct tk_batch_mark {
    uint32_t span_count, attr_count, event_count, link_count;
};
struct tk_batch_mark tk_batch_mark(const struct tk_batch *batch);
void tk_batch_rewind(struct tk_batch *batch, struct tk_batch_mark mark);

/*
 * Numbers the shapes; for a batch to which nothing is added any more.  Spans with equal numbers
 * have equal attribute keys and value types in equal order; spans that are equal in these may,
 * rarely, have different numbers.
 */
enum tk_err tk_batch_find_shapes(struct tk_batch *batch) TK_MUST_USE;

/*
 * Copies row `row` of `from` with everything it refers to behind the rows of `to`.  Text is viewed,
 * not copied, when `deep` is false: then `from` must outlive `to`.  `map` remembers which resources
 * and scopes of `from` are in `to` already; one map per pair of batches.
 */
struct tk_batch_map {
    uint32_t *resource, *scope; /* index in `to` + 1, 0 = not yet; owned */
    uint32_t *key;              /* same, keys */
};
enum tk_err tk_batch_map_init(struct tk_batch_map *map, const struct tk_batch *from) TK_MUST_USE;
void tk_batch_map_release(struct tk_batch_map *map);
enum tk_err tk_batch_copy_span(struct tk_batch *to, const struct tk_batch *from, uint32_t row,
                               bool deep, struct tk_batch_map *map) TK_MUST_USE;

/* Attribute of a range by key; NULL when absent. The first of equal keys. */
const struct tk_value *tk_batch_find_attr(const struct tk_batch *batch, struct tk_range range,
                                          tk_str key);
/* service.name of the span's resource; "unknown_service" when it has none or an empty one
   (semantic conventions, Service). */
tk_str tk_batch_service(const struct tk_batch *batch, uint32_t row);
tk_str tk_batch_resource_service(const struct tk_batch *batch, uint32_t resource);

#endif
