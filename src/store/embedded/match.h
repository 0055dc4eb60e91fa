#ifndef TK_STORE_MATCH_H
#define TK_STORE_MATCH_H
/*
 * match - which traces of a segment or a buffer may satisfy filters (store/filter.h).
 *
 * A segment is asked in two steps: which groups may have a span for which a filter holds - from
 * dictionaries, postings, value indexes and zones, without a row being read - and then, group by
 * group, which rows have.  Filter i of a scan is bit i of a mask; those beyond TK_MATCH_MAX are not
 * looked at, as if they held.
 */
#include "store/embedded/buffer.h"
#include "store/segment/group.h"
#include "store/segment/trace_entry.h"
#include "store/store.h"

enum { TK_MATCH_MAX = 32 };

struct tk_filters {
    const struct tk_filter *const *filter; /* [count] */
    uint32_t count;                        /* at most TK_MATCH_MAX */
};

/* match.c: filters against one segment, which must outlive it.  Not thread-safe. */
struct tk_match;
enum tk_err tk_match_open(struct tk_segment *segment, struct tk_filters filters,
                          struct tk_match **ret_match, struct tk_error *err) TK_MUST_USE;
void tk_match_close(struct tk_match *match); /* NULL is fine */
/* Groups in which filter `number` may hold, one bit each; NULL: in any. */
const uint64_t *tk_match_groups(const struct tk_match *match, uint32_t number);
/* match_group.c: *ret_masks [trace_count] of the group: which filters hold for a row of the trace
   there; good until the next call.  If `needed` holds nowhere, all masks may be 0. */
enum tk_err tk_match_group(struct tk_match *match, uint32_t number, uint32_t needed,
                           const uint32_t **ret_masks, struct tk_error *err) TK_MUST_USE;

/* match_batch.c: which rows of a batch the filter holds for: sets bits of `rows`, which are 0. */
enum tk_err tk_match_batch(const struct tk_filter *filter, const struct tk_batch *batch,
                           uint64_t *rows) TK_MUST_USE;
/* Does it hold for this row?  For few rows. */
bool tk_match_row(const struct tk_filter *filter, const struct tk_batch *batch, uint32_t row);
/* Which resources (scopes) of the batch pass a test, as far as these decide: sets bits from
   `first` on. */
void tk_match_resources(const struct tk_filter *test, const struct tk_batch *batch, uint64_t *bits,
                        uint32_t first);
void tk_match_scopes(const struct tk_filter *test, const struct tk_batch *batch, uint64_t *bits,
                     uint32_t first);

/* Does a value pass the test?  Types that no test looks into pass every one. */
bool tk_match_value(const struct tk_filter *test, struct tk_value value);
/* May a number between these pass it? */
bool tk_match_between(const struct tk_filter *test, struct tk_value least,
                      struct tk_value greatest);

static inline bool
tk_bit(const uint64_t *bits, uint64_t at)
{
    return bits[at >> 6] >> (at & 63) & 1;
}
static inline void
tk_bit_set(uint64_t *bits, uint64_t at)
{
    bits[at >> 6] |= (uint64_t)1 << (at & 63);
}

#endif
