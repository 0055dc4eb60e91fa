/* block_counts - see block_counts.h. */
#include "store/embedded/block_counts.h"

#include <stdlib.h>

/* Columns are numbered below 2^28, blocks are fewer than groups: 2^32. */
static struct tk_cache_key
key_of(const struct tk_segment *segment, uint32_t what, uint32_t block)
{
    uint64_t which = (uint64_t)what << 32 | block;
    return (struct tk_cache_key){segment->serial, TK_SEGMENT_KEY(TK_SEGMENT_BLOCK_COUNTS, which)};
}

struct tk_cache_item *
tk_block_counts_get(struct tk_segment *segment, uint32_t what, uint32_t block)
{
    return tk_cache_get(segment->host->cache, key_of(segment, what, block));
}

void
tk_block_counts_put(struct tk_segment *segment, uint32_t what, uint32_t block,
                    struct tk_block_counts *counts)
{
    size_t bytes = sizeof *counts + counts->count * sizeof *counts->entry;
    tk_cache_release(
        tk_cache_put(segment->host->cache, key_of(segment, what, block), counts, bytes, free));
}
