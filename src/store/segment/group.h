#ifndef TK_STORE_GROUP_H
#define TK_STORE_GROUP_H
/*
 * group - at most TK_GROUP_ROWS rows of a segment, column by column: as the writer gathers them and
 * as a reader finds them.
 *
 * Values of a column stand in the order of their owners (rows, traces, events, links; of
 * attributes: the owners whose shape has the column).  Kinds: numbers and codes as uint64_t, plain
 * as tk_str.
 */
#include "store/segment/columns.h"
#include "store/segment/numbers.h"
#include "store/segment/segment.h"

struct tk_values {
    uint32_t count;
    const uint64_t *number; /* [count]; numbers, codes */
    const tk_str *text;     /* [count]; plain */
};

/*
 * Reading (group.c).  Columns are read and decoded when they are first asked for, and kept; so a
 * group costs what is looked at.  Thread-safe; what was returned is good as long as the group.
 * The segment must live while something is asked.
 */
struct tk_group;
/* `whole`: all bytes in one read (who wants most columns). */
enum tk_err tk_group_open(struct tk_segment *segment, uint32_t number, bool whole,
                          struct tk_group **ret_group, struct tk_error *err) TK_MUST_USE;
void tk_group_close(struct tk_group *group); /* NULL is fine */
/* The same through the cache: item->value is a struct tk_group, held. */
enum tk_err tk_segment_group(struct tk_segment *segment, uint32_t number, bool whole,
                             struct tk_cache_item **ret_item, struct tk_error *err) TK_MUST_USE;

const struct tk_group_entry *tk_group_entry(const struct tk_group *group);
const struct tk_schema_view *tk_group_schema(const struct tk_group *group);
/* A fixed column that is not there is zeroes (number and text are both set); an attribute column
   that is not there has count 0.  Codes are below the column's `distinct`. */
enum tk_err tk_group_values(struct tk_group *group, uint32_t column, struct tk_values *ret_values,
                            struct tk_error *err) TK_MUST_USE;

/* Of these only [begin, begin + count), as far as there are so many: made in `arena`, and kept by
   nobody.  For who wants few rows of many columns. */
enum tk_err tk_group_part(struct tk_group *group, uint32_t column, uint32_t begin, uint32_t count,
                          struct tk_arena *arena, struct tk_values *ret_values,
                          struct tk_error *err) TK_MUST_USE;

/* A column as it lies in the file, checked; *ret_chunk is empty when the group has none of it.  Of
   a group that was opened whole. */
enum tk_err tk_group_chunk(struct tk_group *group, uint32_t column, tk_str *ret_chunk,
                           uint32_t *ret_checksum, struct tk_error *err) TK_MUST_USE;

/* What columns say together, worked out when first asked for. */
enum tk_group_array {
    TK_GROUP_TRACE_ROW,   /* uint32_t [traces + 1]: first row of each trace */
    TK_GROUP_EVENT_BEGIN, /* uint32_t [rows + 1] */
    TK_GROUP_LINK_BEGIN,  /* uint32_t [rows + 1] */
    TK_GROUP_STARTS,      /* uint64_t [rows]: ns since the epoch */
    TK_GROUP_NAMES,       /* uint32_t [rows + 1]: names as told.h numbers them, how many */
    TK_GROUP_ARRAYS,
};
enum tk_err tk_group_array(struct tk_group *group, enum tk_group_array what, const void **ret_array,
                           struct tk_error *err) TK_MUST_USE;

/* The attributes of all owners of a kind: those of owner i lie at [begin[i], begin[i + 1]), in
   order of its shape's columns; each at place at[] of its column.  Shape 0: one, in OTHER. */
struct tk_group_attrs {
    const uint32_t *shape; /* [owners] */
    const uint32_t *begin; /* [owners + 1] */
    const uint32_t *at;
};
enum tk_err tk_group_attrs(struct tk_group *group, enum tk_column_owner owner,
                           struct tk_group_attrs *ret_attrs, struct tk_error *err) TK_MUST_USE;
/* The same of `count` spans from row `first` on alone, which is their number 0; made in `arena`. */
enum tk_err tk_group_attrs_part(struct tk_group *group, uint32_t first, uint32_t count,
                                struct tk_arena *arena, struct tk_group_attrs *ret_attrs,
                                struct tk_error *err) TK_MUST_USE;

#endif
