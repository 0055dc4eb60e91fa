#ifndef TK_STORE_SEGMENT_H
#define TK_STORE_SEGMENT_H
/*
 * segment - one immutable file of one project: traces newest first, their rows in checked,
 * compressed blocks.  docs/formats/segment.md describes the file.
 *
 * What stays in memory of an open segment is its block index and its filter (2 bytes a trace); the
 * trace table and the blocks go through the cache.  Reference-counted, thread-safe.
 */
#include "base/env.h"
#include "store/embedded/pieces.h"

#include <stdatomic.h>

enum {
    TK_SEGMENT_VERSION = 2,
    TK_SEGMENT_BLOCK_ROWS = 2048,       /* most rows of a block */
    TK_SEGMENT_BLOCK_BYTES = 1 << 20,   /* about; a block ends behind the row that passes it */
    TK_SEGMENT_BLOCK_RAW_MAX = 1 << 30, /* bytes of a block before compression */
};

/* What all segments of a store share; borrowed. */
struct tk_segment_host {
    struct tk_env *env;
    struct tk_cache *cache;
    atomic_uint_fast64_t damaged_blocks;         /* met so far, each counted once */
    void (*report)(void *arg, const char *line); /* one line per damage */
    void *report_arg;
};

/* Which log files it covers. */
struct tk_segment_name {
    uint32_t project;
    uint64_t first, last;
};

struct tk_segment_block {
    uint64_t offset;
    uint64_t checksum; /* XXH3-64 of the bytes before compression */
    uint32_t size;     /* as it lies in the file */
    uint32_t raw_size;
    uint32_t first_row, row_count;
};

struct tk_segment {
    struct tk_segment_host *host;
    struct tk_segment_name name;
    uint64_t serial; /* of this process: the cache's key */
    uint64_t size;   /* of the file */
    uint64_t row_count, trace_count;
    uint64_t start_min, start_max, end_max; /* ns, over its traces */
    uint64_t thinned; /* threshold that its traces have passed (thin.h); 0 when opened, so far */
    uint32_t block_count;
    struct tk_segment_block *blocks;
    /* private */
    tk_file *_file;
    uint64_t *_filter;
    uint64_t _filter_words;
    uint64_t _table_offset, _table_size, _table_raw_size, _table_checksum;
    atomic_uchar *_damaged; /* [block_count + 1]: reported already; the last is the table */
    atomic_bool _any_damaged;
    atomic_uint _references;
};

struct tk_table {
    struct tk_trace_entry *entries; /* [count]; newest first, ties by id */
    uint32_t *by_id;                /* [count]; numbers of entries in order of id */
    uint32_t count;
};

/* TK_ERR_CORRUPT when footer, index or filter are damaged, TK_ERR_UNSUPPORTED when it was written
   by a later version; else as the env fails. */
enum tk_err tk_segment_open(struct tk_segment_host *host, const char *path,
                            struct tk_segment_name name, struct tk_segment **ret_segment,
                            struct tk_error *err) TK_MUST_USE;
struct tk_segment *tk_segment_ref(struct tk_segment *segment);
void tk_segment_unref(struct tk_segment *segment); /* NULL is fine */

/* Has anything of it turned out to be unreadable so far? */
bool tk_segment_is_damaged(const struct tk_segment *segment);

/* item->value is a struct tk_table; held for the caller.  TK_ERR_CORRUPT is reported here. */
enum tk_err tk_segment_table(struct tk_segment *segment, struct tk_cache_item **ret_item,
                             struct tk_error *err) TK_MUST_USE;
/* item->value is a struct tk_batch. */
enum tk_err tk_segment_block(struct tk_segment *segment, uint32_t number,
                             struct tk_cache_item **ret_item, struct tk_error *err) TK_MUST_USE;
/* TK_ERR_NOT_FOUND: not in this segment. */
enum tk_err tk_segment_find(struct tk_segment *segment, struct tk_trace_id id,
                            struct tk_trace_entry *ret_entry, struct tk_error *err) TK_MUST_USE;
/* Adds the rows of an entry of this segment's table.  TK_ERR_CORRUPT when some cannot be read (it
   is reported); the others are there. */
enum tk_err tk_segment_collect(struct tk_segment *segment, const struct tk_trace_entry *entry,
                               struct tk_pieces *pieces, struct tk_error *err) TK_MUST_USE;

#endif
