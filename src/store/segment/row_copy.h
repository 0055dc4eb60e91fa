#ifndef TK_STORE_ROW_COPY_H
#define TK_STORE_ROW_COPY_H
/*
 * row_copy - rows of groups become rows of a span batch again, all of them or what a lean search
 * wants.
 *
 * Texts are viewed where they lie (group, dictionary, page of resources) unless `deep`; what they
 * lie in is held until tk_row_copy_clear, but for the group and the segment: these the caller
 * holds.  Not thread-safe.
 */
#include "store/segment/group.h"
#include "store/segment/number_map.h"
#include "store/store.h"

/* A text of a dictionary that was copied. */
struct tk_row_text {
    const char *from;
    tk_str own;
};
enum { TK_ROW_TEXTS = 256 };

struct tk_row_copy {
    struct tk_batch *to;
    const struct tk_store_want *want; /* NULL: everything */
    bool deep;
    /* Nobody comes for other rows of the group soon: of its columns only these rows are decoded. */
    bool alone;
    /* private */
    struct tk_arena _part; /* of the group at hand: what was decoded of it alone */
    struct tk_number_map _resources, _scopes; /* (segment, number) -> of `to` */
    struct tk_number_map _shapes;             /* of the group at hand -> into _entries */
    struct tk_number_map _columns;            /* of the group at hand -> into _views */
    struct tk_row_entry *_entries;
    uint32_t _entry_count, _entry_capacity;
    struct tk_row_view *_views;
    uint32_t _view_count, _view_capacity;
    struct tk_cache_item **_items; /* held */
    uint32_t _item_count, _item_capacity;
    struct tk_row_text _texts[TK_ROW_TEXTS]; /* of `deep`, by a hash of `from` */
};

void tk_row_copy_init(struct tk_row_copy *copy);
void tk_row_copy_release(struct tk_row_copy *copy);
/* Begins anew, into another batch or one that is empty again. */
void tk_row_copy_clear(struct tk_row_copy *copy);
/* Rows [begin, begin + count) of a group, of trace `id`, behind those of copy->to. */
enum tk_err tk_row_copy_add(struct tk_row_copy *copy, struct tk_segment *segment,
                            struct tk_group *group, struct tk_trace_id id, uint32_t begin,
                            uint32_t count, struct tk_error *err) TK_MUST_USE;
/* How many attributes the text at `place` of column OTHER has. */
enum tk_err tk_row_copy_count(struct tk_segment *segment, struct tk_group *group, uint32_t place,
                              uint32_t *ret_count, struct tk_error *err) TK_MUST_USE;

#endif
