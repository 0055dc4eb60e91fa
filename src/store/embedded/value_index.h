#ifndef TK_STORE_VALUE_INDEX_H
#define TK_STORE_VALUE_INDEX_H
/*
 * value_index, postings, zones - in which groups of a segment a value may be
 * (docs/formats/segment.md, "Zones, postings, value index").  What tells too much is a hint that is
 * looked up in the group; what tells nothing is certain.
 *
 * Builders collect while a segment is written; not thread-safe.
 */
#include "base/bytes.h"

#include <stdbool.h>

/* Pairs (hash, group); equal pairs are one. */
struct tk_value_index {
    uint64_t *hash; /* [count] */
    uint32_t *group;
    size_t count, _capacity;
};
void tk_value_index_release(struct tk_value_index *index);
enum tk_err tk_value_index_add(struct tk_value_index *index, uint64_t hash,
                               uint32_t group) TK_MUST_USE;
/* Sorts, and appends the section.  `tag_bits` 8, or 16 for trace ids. */
enum tk_err tk_value_index_write(struct tk_value_index *index, uint32_t group_count,
                                 unsigned tag_bits, struct tk_buf *out) TK_MUST_USE;

/* Reading: head and page table are kept (cache), the page is read by whoever has the file. */
struct tk_value_index_page {
    uint64_t offset; /* from the section's begin */
    uint32_t size;   /* 0: nothing is there */
    uint32_t checksum;
};
/* Bytes of head and page table of a section that begins with these 16 bytes; 0: not one. */
uint64_t tk_value_index_head_size(const void *head, uint64_t section_size);
bool tk_value_index_page_of(tk_str head_and_table, uint64_t hash,
                            struct tk_value_index_page *ret_page);
/* Groups, ascending, at most `capacity`; returns how many there are, or UINT32_MAX: corrupt. */
uint32_t tk_value_index_lookup(tk_str head, tk_str page, unsigned tag_bits, uint64_t hash,
                               uint32_t *groups, uint32_t capacity);

/* Postings: groups of each code of a dictionary; codes are known from the start. */
struct tk_postings; /* builder */
struct tk_postings *tk_postings_new(uint32_t code_count) TK_MUST_USE;
void tk_postings_free(struct tk_postings *postings);
/* Groups come in ascending order. */
enum tk_err tk_postings_add(struct tk_postings *postings, uint32_t code,
                            uint32_t group) TK_MUST_USE;
void tk_postings_write(const struct tk_postings *postings, struct tk_buf *out);
/* Groups of a code out of a whole section; *ret_all: too many to be listed. */
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
enum tk_err tk_zones_add(struct tk_zones *zones, uint32_t group, bool ranged, uint64_t least,
                         uint64_t greatest) TK_MUST_USE;
void tk_zones_write(const struct tk_zones *zones, uint32_t group_count, struct tk_buf *out);
enum tk_err tk_zones_read(tk_str section, uint32_t group_count, bool ranged,
                          struct tk_zones *ret_zones) TK_MUST_USE;

#endif
