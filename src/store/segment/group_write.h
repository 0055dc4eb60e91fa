#ifndef TK_STORE_GROUP_WRITE_H
#define TK_STORE_GROUP_WRITE_H
/*
 * group_write - the group under construction: values gathered column by column, then written.
 *
 * What a column needs that depends on the rows around it (the distance to the parent, the start as
 * a difference) is made here.  Failure (memory) sticks in `status`.
 */
#include "store/segment/segment_write.h"

struct tk_group_column {
    uint32_t count, capacity;
    uint64_t *number; /* [count] */
    tk_str *text;     /* [count]; of plain columns, instead; in the arena of the group */
    uint16_t *row;    /* [count]; of attribute columns: whose value it is */
    /* Its chunk, as another segment has it, instead of one made of the values; those that are there
       besides are only looked through. */
    tk_str chunk;
    uint32_t chunk_checksum; /* low half */
    uint32_t chunk_count;    /* values in it */
    uint32_t without_zstd;   /* groups for which zstd is not tried, as it did not help before */
};

struct tk_group_writer {
    const struct tk_schema *schema;
    struct tk_group_column *columns; /* [schema->column_count] */
    struct tk_group_entry entry;     /* of what is there; sizes and checksum when it is encoded */
    size_t bytes;                    /* of values, about */
    enum tk_err status;
    /* of rows, for who counts: [row_count] */
    uint64_t *end_nano;
    bool *counted;
    bool any_counted;
    /* private: scratch to encode; [row_count + 1] each */
    uint32_t *_first, *_names;
    struct tk_buf _chunks;
    /* of the trace under construction */
    struct tk_arena _texts;
    char *_text_at; /* in a block of it: texts lie back to back, each is read soon */
    size_t _text_left;
    uint64_t *_start_nano, *_parent_id; /* of rows */
    uint32_t _trace_row;                /* its first row */
    uint64_t _trace_start;
    uint32_t *_slots; /* span id -> row + 1 */
    uint32_t _slot_count;
};

enum tk_err tk_group_writer_init(struct tk_group_writer *group,
                                 const struct tk_schema *schema) TK_MUST_USE;
void tk_group_writer_release(struct tk_group_writer *group);
void tk_group_writer_clear(struct tk_group_writer *group);

static inline bool
tk_group_writer_is_full(const struct tk_group_writer *group)
{
    return group->entry.row_count >= TK_GROUP_ROWS || group->bytes >= TK_GROUP_BYTES;
}

/* The next trace, of which `before` rows are in earlier groups. */
void tk_group_writer_trace(struct tk_group_writer *group, struct tk_trace_id id,
                           uint64_t start_nano, uint64_t end_nano, uint32_t before, uint32_t total);
/* The next row of it; there is room. */
void tk_group_writer_row(struct tk_group_writer *group, const struct tk_row *row);
/* No row of the trace follows in this group. */
void tk_group_writer_end_trace(struct tk_group_writer *group);

/* Makes room in a column; false: out of memory. */
bool tk_group_writer_grow(struct tk_group_writer *group, uint32_t column);

/* A value of the newest row. */
static inline void
tk_group_writer_number(struct tk_group_writer *group, uint32_t column, uint64_t number)
{
    struct tk_group_column *to = &group->columns[column];
    if (to->count == to->capacity && !tk_group_writer_grow(group, column))
        return;
    if (to->row != NULL)
        to->row[to->count] = (uint16_t)(group->entry.row_count - 1);
    to->number[to->count++] = number;
    group->bytes += 4;
}
void tk_group_writer_text(struct tk_group_writer *group, uint32_t column, tk_str text);

/* A group that is copied: the values of a column at once (numbers are copied, texts viewed); no
   rows are told. */
void tk_group_writer_values(struct tk_group_writer *group, uint32_t column, uint32_t count,
                            const uint64_t *numbers, const tk_str *texts);
/* The group is this one, but for offset, sizes and checksum. */
void tk_group_writer_copied(struct tk_group_writer *group, const struct tk_group_entry *entry);

/* Appends the group; its entry is complete but for the offset. */
void tk_group_writer_encode(struct tk_group_writer *group, int level, struct tk_buf *out);

#endif
