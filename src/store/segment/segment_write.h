#ifndef TK_STORE_SEGMENT_WRITE_H
#define TK_STORE_SEGMENT_WRITE_H
/*
 * segment_write - a segment, column by column.
 *
 * First what is known of the whole file (columns with their sorted dictionaries, shapes, resources,
 * scopes: `schema`), then traces in the order of the file: begin_trace, and for each row its fixed
 * values and those of its attributes, pushed to their columns in order.  Sealing makes codes out of
 * texts before; merging segments maps codes to codes, and never sees a text of a dictionary.
 */
#include "store/segment/counts.h"
#include "store/segment/group.h"

/* A text of a dictionary is its place in it.  All views must outlive the writer. */
struct tk_schema_column {
    struct tk_column column; /* owner, type, kind, key, distinct */
    const tk_str *texts;     /* [distinct]; dictionary of texts, in order of bytes */
    const uint64_t *numbers; /* [distinct]; dictionary of numbers, ascending */
};
struct tk_schema_shape {
    uint32_t count;
    const uint32_t *columns;
};
struct tk_schema {
    struct tk_schema_column *columns; /* [column_count], the fixed ones first */
    uint32_t column_count;
    struct tk_schema_shape *shapes; /* [shape_count]; 0: see docs */
    uint32_t shape_count;
    tk_str *resources, *scopes; /* OTLP messages */
    uint32_t resource_count, scope_count;
};

struct tk_segment_writer;
/* `level` of zstd; 0: nothing is compressed with it, so the bytes are the same with any zstd. */
enum tk_err tk_segment_writer_open(struct tk_env *env, const char *path,
                                   struct tk_segment_name name, const struct tk_schema *schema,
                                   int level, struct tk_segment_writer **ret_writer,
                                   struct tk_error *err) TK_MUST_USE;
/* The next trace; `total` rows follow. */
enum tk_err tk_segment_writer_trace(struct tk_segment_writer *writer, struct tk_trace_id id,
                                    uint64_t start_nano, uint64_t end_nano, uint32_t total,
                                    struct tk_error *err) TK_MUST_USE;
/* The next row of it.  May write the group that is full by now.  The fixed per-row columns of
   `fixed`
   ([TK_COLUMN_FIXED], those of traces, events and links are not looked at); `start_nano` absolute,
   column 10 is made here; parents: the raw id in `parent_id`, columns 8 and 9 are made here. */
struct tk_row {
    uint64_t span_id, parent_id, start_nano, duration_nano;
    uint64_t fixed[TK_COLUMN_OTHER]; /* by column: NAME .. LINKS; codes if it is a dictionary */
    bool counted; /* an older segment has it already, or counts are merged: false */
};
enum tk_err tk_segment_writer_row(struct tk_segment_writer *writer, const struct tk_row *row,
                                  struct tk_error *err) TK_MUST_USE;
/* Values of the row just begun: attributes in order of its shape, then its events and links with
   theirs (columns EVENT_*, LINK_*, attribute columns of their shapes). */
void tk_segment_writer_number(struct tk_segment_writer *writer, uint32_t column, uint64_t number);
void tk_segment_writer_text(struct tk_segment_writer *writer, uint32_t column, tk_str text);
/* The same without a call for each: tk_group_writer_number, _text (group_write.h). */
struct tk_group_writer *tk_segment_writer_group(struct tk_segment_writer *writer);
/*
 * Between traces, a whole group of another segment (segment_merge.h): begin, its columns, end.  A
 * chunk is taken as it lies there; with it come the values where the writer looks through them
 * (tk_segment_writer_wants), without one the values are encoded.  Everything is good until the end.
 * What was gathered before becomes a group, however small; so a copy may be made only if groups
 * stay large in the mean.
 */
bool tk_segment_writer_may_copy(const struct tk_segment_writer *writer, uint32_t row_count);
bool tk_segment_writer_wants(const struct tk_segment_writer *writer, uint32_t column);
enum tk_err tk_segment_writer_copy_begin(struct tk_segment_writer *writer,
                                         struct tk_error *err) TK_MUST_USE;
void tk_segment_writer_copy_chunk(struct tk_segment_writer *writer, uint32_t column, uint32_t count,
                                  tk_str chunk, uint32_t checksum);
void tk_segment_writer_copy_values(struct tk_segment_writer *writer, uint32_t column,
                                   uint32_t count, const uint64_t *numbers, const tk_str *texts);
/* Traces that begin in it: `trace_count`; the latest end of one: `end_max`. */
enum tk_err tk_segment_writer_copy_end(struct tk_segment_writer *writer,
                                       const struct tk_group_entry *entry, uint32_t trace_count,
                                       uint64_t end_max, struct tk_error *err) TK_MUST_USE;
/* Counts of merged segments, before finish. */
struct tk_counts *tk_segment_writer_counts(struct tk_segment_writer *writer, uint32_t column);
struct tk_operations *tk_segment_writer_operations(struct tk_segment_writer *writer);
/* Writes what is left, syncs.  Frees the writer, whatever comes back; an unfinished file is the
   caller's to remove. */
enum tk_err tk_segment_writer_finish(struct tk_segment_writer *writer, uint64_t thinned,
                                     struct tk_error *err) TK_MUST_USE;
void tk_segment_writer_abort(struct tk_segment_writer *writer); /* NULL is fine */

#endif
