#ifndef TK_STORE_VALUE_INDEX_H
#define TK_STORE_VALUE_INDEX_H
/*
 * value_index, postings, zones - in which groups of a segment a value may be
 * (docs/formats/segment.md, "Zones, postings, value index").  What tells too much is a hint that is
 * looked up in the group; what tells nothing is certain.
 *
 * Builders collect while a segment is written.  Nothing here is thread-safe.
 */
#include "store/segment/columns.h"

#include <stdbool.h>

/*
 * Value index: pairs (hash, group); equal pairs are one.  It is made in runs, so that it can be
 * written while the groups still come and memory stays bounded: whoever has added enough flushes.
 */
enum { TK_VALUE_INDEX_TAG = 8, TK_VALUE_INDEX_TRACE_TAG = 16 }; /* bits */

struct tk_value_index {
    uint64_t *hash; /* [count]; since the last flush */
    uint32_t *group;
    size_t count;
    unsigned tag_bits;
    size_t _capacity;
    struct tk_buf _runs; /* heads and page tables of the runs */
};
void tk_value_index_init(struct tk_value_index *index, unsigned tag_bits);
void tk_value_index_release(struct tk_value_index *index);
enum tk_err tk_value_index_add(struct tk_value_index *index, uint64_t hash,
                               uint32_t group) TK_MUST_USE;
/* Ends a run: appends its pages to `pages`, whose first byte (ptr) will lie at `offset` of the
   file.  Nothing when nothing was added. */
enum tk_err tk_value_index_flush(struct tk_value_index *index, uint64_t offset,
                                 struct tk_buf *pages) TK_MUST_USE;
/* The section, after the last flush: heads and page tables.  Empty when nothing was ever added. */
tk_str tk_value_index_section(const struct tk_value_index *index);

/* Reading: the section is kept (cache), pages are read and checked by whoever has the file. */
struct tk_value_index_run {
    uint64_t pair_count;
    unsigned page_bits, group_bits, tag_bits;
    bool has_buckets;  /* as version 2 wrote them */
    const char *pages; /* the table */
};
/* The first run of *rest, which moves behind it.  TK_ERR_END: none is left; TK_ERR_CORRUPT. */
enum tk_err tk_value_index_next(tk_str *rest, struct tk_value_index_run *ret_run) TK_MUST_USE;
struct tk_page tk_value_index_page_of(const struct tk_value_index_run *run, uint64_t hash);
/* Groups, ascending, the first `capacity` of them; *ret_count is how many there are. */
enum tk_err tk_value_index_lookup(const struct tk_value_index_run *run, tk_str page, uint64_t hash,
                                  uint32_t *groups, uint32_t capacity,
                                  uint32_t *ret_count) TK_MUST_USE;

/* Postings: groups of each code of a dictionary; codes are known from the start. */
struct tk_postings; /* builder */
struct tk_postings *tk_postings_new(uint32_t code_count) TK_MUST_USE;
void tk_postings_free(struct tk_postings *postings); /* NULL is fine */
/* Groups of a code never fall; the same one again is nothing new. */
enum tk_err tk_postings_add(struct tk_postings *postings, uint32_t code,
                            uint32_t group) TK_MUST_USE;
void tk_postings_write(const struct tk_postings *postings, struct tk_buf *out);
/* Groups of a code out of a whole section, ascending; *ret_all: too many to be listed. */
enum tk_err tk_postings_lookup(tk_str section, uint32_t code_count, uint32_t code,
                               uint32_t groups[128], uint32_t *ret_count,
                               bool *ret_all) TK_MUST_USE;

/* Zones: which groups have a column, and of numbers the least and greatest value (order kept). */
struct tk_zones {
    bool all;                   /* every group has it: group[] is not used */
    uint32_t count;             /* groups that have it */
    uint32_t *group;            /* [count], ascending */
    uint64_t *least, *greatest; /* [count], or NULL */
};
void tk_zones_release(struct tk_zones *zones);
/* A number in the encoding of its type (enum tk_value_type), so that what is less is less. */
uint64_t tk_zones_order(uint8_t type, uint64_t number);
enum tk_err tk_zones_add(struct tk_zones *zones, uint32_t group, bool ranged, uint64_t least,
                         uint64_t greatest) TK_MUST_USE;
void tk_zones_write(const struct tk_zones *zones, uint32_t group_count, struct tk_buf *out);
enum tk_err tk_zones_read(tk_str section, uint32_t group_count, bool ranged,
                          struct tk_zones *ret_zones) TK_MUST_USE;

#endif
