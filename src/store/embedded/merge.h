#ifndef TK_STORE_MERGE_H
#define TK_STORE_MERGE_H
/*
 * merge - whole traces, newest first, out of several sources that may each hold a part of one.
 * Not thread-safe; the sources must outlive it.
 */
#include "store/embedded/buffer.h"
#include "store/segment/segment.h"
#include "store/store.h"

struct tk_source {
    struct tk_segment *segment; /* or NULL */
    struct tk_buffer *buffer;   /* or NULL */
    uint32_t batch_count;       /* of the buffer: those that count */
};

/* Oldest first: what arrived later lies in a later source.  Owns one reference of each. */
struct tk_sources {
    struct tk_source *source; /* [count] */
    uint32_t count;
    uint32_t _capacity;
};

void tk_sources_init(struct tk_sources *sources);
void tk_sources_release(struct tk_sources *sources);
/* They take a reference of their own. */
enum tk_err tk_sources_add_segment(struct tk_sources *sources,
                                   struct tk_segment *segment) TK_MUST_USE;
enum tk_err tk_sources_add_buffer(struct tk_sources *sources, struct tk_buffer *buffer,
                                  uint32_t batch_count) TK_MUST_USE;

/* The part of a trace that a source has.  `whole`: most columns will be asked for.
   TK_ERR_NOT_FOUND: none. */
enum tk_err tk_source_find(const struct tk_source *source, struct tk_trace_id id, bool whole,
                           struct tk_trace_entry *ret_part, struct tk_error *err) TK_MUST_USE;
/* Has the disk look for what finding it in all of them but `own` will read (UINT32_MAX: in all). */
void tk_sources_find_ahead(const struct tk_sources *sources, uint32_t own, struct tk_trace_id id);
/* Adds its rows.  TK_ERR_CORRUPT when some cannot be read
   (it is reported); the others are there. */
enum tk_err tk_source_collect(const struct tk_source *source, const struct tk_trace_entry *part,
                              bool whole, struct tk_pieces *pieces,
                              struct tk_error *err) TK_MUST_USE;

/* store.h, tk_store_stamp. */
enum tk_err tk_sources_stamp(const struct tk_sources *sources, struct tk_trace_id id,
                             uint64_t *ret_stamp, struct tk_error *err) TK_MUST_USE;

/*
 * One trace from all sources, without duplicates, into `pieces` (cleared before).  TK_ERR_NOT_FOUND
 * when none has it; TK_ERR_CORRUPT when what was there cannot be read any more.
 */
enum tk_err tk_sources_find(const struct tk_sources *sources, struct tk_trace_id id, bool whole,
                            struct tk_pieces *pieces, struct tk_error *err) TK_MUST_USE;

struct tk_merge;
enum tk_err tk_merge_open(const struct tk_sources *sources, const struct tk_store_range *range,
                          struct tk_merge **ret_merge, struct tk_error *err) TK_MUST_USE;
/* The next trace; TK_ERR_END behind the last.  What is damaged was reported, and is left out. */
enum tk_err tk_merge_next(struct tk_merge *merge, struct tk_trace_entry *ret_entry,
                          struct tk_pieces *pieces, struct tk_error *err) TK_MUST_USE;
void tk_merge_close(struct tk_merge *merge); /* NULL is fine */

#endif
