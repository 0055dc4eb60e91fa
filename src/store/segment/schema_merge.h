#ifndef TK_STORE_SCHEMA_MERGE_H
#define TK_STORE_SCHEMA_MERGE_H
/*
 * schema_merge - one schema for several segments, and how what each of them has maps to it.
 *
 * A column of the new segment is a dictionary as long as it was one everywhere and the values of
 * all fit; then codes map to codes.  Else its values are written out, and codes map to values.
 */
#include "store/segment/segment.h"
#include "store/segment/segment_write.h"

/* Of one column of a source. */
struct tk_column_map {
    uint32_t to;           /* column of the new segment */
    const uint32_t *codes; /* code -> code; or NULL */
    bool same;             /* each to itself */
    /* A dictionary that is none any more: code -> value. */
    const tk_str *texts;
    const uint64_t *numbers;
};

struct tk_source_map {
    struct tk_cache_item *item;
    const struct tk_schema_view *schema;
    struct tk_column_map *columns; /* [schema->column_count] */
    uint32_t *shapes;              /* [schema->shape_count]; of shape 0: 0 */
    uint32_t *resources, *scopes;  /* by number */
    uint32_t resource_count, scope_count;
};

struct tk_schema_merge {
    struct tk_schema schema;       /* for the writer */
    struct tk_source_map *sources; /* [source_count] */
    uint32_t source_count;
    /* private */
    struct tk_arena _arena;
    struct tk_intern _keys, _shapes, _resources, _scopes;
    struct tk_cache_item **_items; /* dictionaries, held */
    uint32_t _item_count, _item_capacity;
    size_t _dictionary_bytes;
};

/* Oldest segment first.  TK_ERR_LIMIT: they have too many columns, shapes or resources for one. */
enum tk_err tk_schema_merge_init(struct tk_schema_merge *merge, struct tk_segment *const *segments,
                                 uint32_t count, struct tk_error *err) TK_MUST_USE;
void tk_schema_merge_release(struct tk_schema_merge *merge);

#endif
