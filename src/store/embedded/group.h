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
#include "store/embedded/columns.h"
#include "store/embedded/numbers.h"

struct tk_values {
    uint32_t count;
    uint64_t *number; /* [count]; numbers, codes */
    tk_str *text;     /* [count]; plain */
};

/*
 * Reading (group.c).  Columns are read and decoded when they are first asked for, and kept; so a
 * group costs what is looked at.  Not thread-safe: one holder at a time; cached whole by segment.c.
 */
struct tk_group;
struct tk_segment;
/* `whole`: all bytes in one read (who wants all columns). */
enum tk_err tk_group_open(struct tk_segment *segment, uint32_t number, bool whole,
                          struct tk_group **ret_group, struct tk_error *err) TK_MUST_USE;
void tk_group_close(struct tk_group *group); /* NULL is fine */
const struct tk_group_entry *tk_group_entry(const struct tk_group *group);
/* A fixed column that is not there is zeroes; an attribute column that is not there has count 0. */
enum tk_err tk_group_values(struct tk_group *group, uint32_t column,
                            const struct tk_values **ret_values, struct tk_error *err) TK_MUST_USE;

#endif
