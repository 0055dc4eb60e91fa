#ifndef TK_STORE_BUFFER_H
#define TK_STORE_BUFFER_H
/*
 * buffer - the open buffer: what one project has in one log file, before it is in a segment.
 *
 * The batches themselves as they were appended, never changed, and an index trace id -> rows that
 * catches up when somebody asks (a reader, or the sealing), so that ingest does not pay for it.
 *
 * A picture of the buffer is {buffer, batch_count}: batches are only ever added, so whoever
 * remembers how many there were sees the same rows forever.
 * Threads: one adds, many read.  Reference-counted; batches die with the buffer.
 */
#include "store/embedded/pieces.h"

struct tk_buffer;

/* NULL: out of memory. */
struct tk_buffer *tk_buffer_new(uint32_t project) TK_MUST_USE;
struct tk_buffer *tk_buffer_ref(struct tk_buffer *buffer);
void tk_buffer_unref(struct tk_buffer *buffer); /* NULL is fine */

uint32_t tk_buffer_project(const struct tk_buffer *buffer);
uint64_t tk_buffer_serial(const struct tk_buffer *buffer); /* of this process; no other has it */
/* Takes the batch over on success. */
enum tk_err tk_buffer_add(struct tk_buffer *buffer, struct tk_batch *batch) TK_MUST_USE;
uint32_t tk_buffer_batch_count(struct tk_buffer *buffer);

/* Every trace of the first `batch_count` batches, newest first, ties by id; malloc'ed.  `row` of an
   entry is for tk_buffer_rows, `row_count` counts every copy.  `rows` [batch_count], if not NULL:
   only traces that have a row whose bit is set. */
enum tk_err tk_buffer_list(struct tk_buffer *buffer, uint32_t batch_count, uint64_t *const *rows,
                           struct tk_trace_entry **ret_entries, uint32_t *ret_count) TK_MUST_USE;
/* TK_ERR_NOT_FOUND: no such trace in the first `batch_count` batches. */
enum tk_err tk_buffer_find(struct tk_buffer *buffer, uint32_t batch_count, struct tk_trace_id id,
                           struct tk_trace_entry *ret_entry) TK_MUST_USE;
/* Adds the trace's rows to `pieces`, in order of arrival.  None: TK_OK. */
enum tk_err tk_buffer_collect(struct tk_buffer *buffer, uint32_t batch_count, struct tk_trace_id id,
                              struct tk_pieces *pieces) TK_MUST_USE;

/* Sealing, which needs all of it: the rows of an entry of tk_buffer_list, [row_count], in order of
   arrival. */
struct tk_buffer_row {
    uint32_t batch, row;
};
const struct tk_batch *tk_buffer_batch(struct tk_buffer *buffer, uint32_t number);
void tk_buffer_rows(struct tk_buffer *buffer, const struct tk_trace_entry *entry,
                    struct tk_buffer_row *rows);

#endif
