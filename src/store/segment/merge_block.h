#ifndef TK_STORE_MERGE_BLOCK_H
#define TK_STORE_MERGE_BLOCK_H
/*
 * merge_block - a group of a source, ready to be copied into a new segment, row by row or whole;
 * and the few of them that a merge keeps open.
 */
#include "store/segment/schema_merge.h"

struct tk_merge_block {
    struct tk_segment *segment;
    const struct tk_source_map *map;
    uint32_t number;
    uint64_t used; /* when last */
    struct tk_group *group;
    const struct tk_group_entry *entry;
    struct tk_values fixed[TK_COLUMN_FIXED]; /* those of traces; once it is prepared all */
    bool prepared;
    struct tk_values *attributes; /* [column_count - TK_COLUMN_FIXED]; when first asked for */
    const uint32_t *trace_row, *event_begin, *link_begin;
    const uint64_t *starts;
    uint64_t *parents; /* [row_count]; ids */
    struct tk_group_attrs attrs[TK_COLUMN_OF_LINK + 1];
    uint64_t *numbers; /* scratch */
    tk_str *texts;
    uint32_t scratch_count;
};

/* The blocks used last. */
struct tk_merge_blocks {
    struct tk_merge_block *block; /* [block_count] */
    uint32_t block_count;
    uint64_t _clock;
};
enum tk_err tk_merge_blocks_init(struct tk_merge_blocks *blocks, uint32_t count) TK_MUST_USE;
void tk_merge_blocks_release(struct tk_merge_blocks *blocks);
/* Good until `count` - 1 others were asked for. */
enum tk_err tk_merge_blocks_get(struct tk_merge_blocks *blocks, struct tk_segment *segment,
                                const struct tk_source_map *map, uint32_t number,
                                struct tk_merge_block **ret_block,
                                struct tk_error *err) TK_MUST_USE;

/* Before anything is asked of rows. */
enum tk_err tk_merge_block_prepare(struct tk_merge_block *block, struct tk_error *err) TK_MUST_USE;
/* Attributes, events and links of a row: the more, the fuller is the span. */
enum tk_err tk_merge_block_fullness(struct tk_merge_block *block, uint32_t row, uint64_t *ret_size,
                                    struct tk_error *err) TK_MUST_USE;
/* Copies a row behind what the writer has. */
enum tk_err tk_merge_block_copy(struct tk_merge_block *block, uint32_t row,
                                struct tk_segment_writer *writer, const struct tk_schema *schema,
                                struct tk_error *err) TK_MUST_USE;
/* Copies all of it as one group, for which the writer has begun a copy, and ends that. */
enum tk_err tk_merge_block_copy_all(struct tk_merge_block *block, struct tk_segment_writer *writer,
                                    struct tk_error *err) TK_MUST_USE;

#endif
