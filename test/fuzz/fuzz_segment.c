/*
 * Any bytes as a segment file.  The checksums of footer, filter, index and trace table are put
 * right first (as far as they lie within the file), so that what stands behind them is reached.
 * Whatever opens can be listed, found and collected without leaving its bytes.
 */
#include "memory_file.h"

#include "base/assert.h"
#include "store/embedded/segment_format.h"

#include <stdlib.h>
#include <zstd.h>

enum { RAW_LIMIT = 1 << 20 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool
lies_within(struct tk_segment_part part, size_t size)
{
    return part.offset <= size && part.size <= size - part.offset;
}

static void
mend_plain(struct tk_segment_part *part, tk_str file)
{
    if (lies_within(*part, file.len))
        part->checksum = tk_hash_stable((tk_str){file.ptr + part->offset, part->size});
}

static void
mend_compressed(struct tk_segment_part *part, tk_str file)
{
    static char raw[RAW_LIMIT];
    if (!lies_within(*part, file.len))
        return;
    size_t got = ZSTD_decompress(raw, sizeof raw, file.ptr + part->offset, part->size);
    if (ZSTD_isError(got))
        return;
    part->raw_size = got;
    part->checksum = tk_hash_stable((tk_str){raw, got});
}

static void
mend(char *bytes, size_t size, struct tk_segment_footer *footer)
{
    size_t at = size - sizeof *footer;
    memcpy(footer, bytes + at, sizeof *footer);
    mend_plain(&footer->filter, (tk_str){bytes, size});
    mend_plain(&footer->index, (tk_str){bytes, size});
    mend_compressed(&footer->table, (tk_str){bytes, size});
    memcpy(footer->magic, TK_SEGMENT_MAGIC, sizeof TK_SEGMENT_MAGIC);
    footer->crc =
        tk_crc32c(0, (tk_str){(const char *)footer, offsetof(struct tk_segment_footer, crc)});
    memcpy(bytes + at, footer, sizeof *footer);
}

static void
use(struct tk_segment *segment)
{
    struct tk_cache_item *item;
    struct tk_pieces pieces;
    struct tk_trace_entry found;
    if (tk_segment_table(segment, &item, NULL) != TK_OK)
        return;
    const struct tk_table *table = item->value;
    tk_pieces_init(&pieces);
    for (uint32_t i = 0; i < table->count; i++) {
        (void)!tk_segment_find(segment, table->entries[i].id, &found, NULL);
        tk_pieces_clear(&pieces);
        enum tk_err code = tk_segment_collect(segment, &table->entries[i], &pieces, NULL);
        TK_ASSERT(code == TK_OK || code == TK_ERR_CORRUPT);
        for (uint32_t k = 0; k < pieces.count; k++)
            TK_ASSERT(tk_trace_id_eq(pieces.piece[k].batch->trace_id[pieces.piece[k].row],
                                     table->entries[i].id));
    }
    tk_pieces_release(&pieces);
    tk_cache_release(item);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct tk_segment_footer footer;
    struct memory_env memory;
    struct tk_cache cache;
    struct tk_segment *segment;
    if (size < sizeof footer)
        return 0;
    char *bytes = malloc(size);
    memcpy(bytes, data, size);
    mend(bytes, size, &footer);
    memory_env_init(&memory, (tk_str){bytes, size});
    tk_cache_init(&cache, 1 << 20);
    struct tk_segment_host host = {.env = &memory.env, .cache = &cache};
    struct tk_segment_name name = {footer.project, footer.first, footer.last};
    if (footer.table.raw_size <= RAW_LIMIT &&
        tk_segment_open(&host, "fuzz.seg", name, &segment, NULL) == TK_OK) {
        bool small = true;
        for (uint32_t i = 0; i < segment->block_count; i++)
            small = small && segment->blocks[i].raw_size <= RAW_LIMIT;
        if (small)
            use(segment);
        tk_segment_unref(segment);
    }
    tk_cache_release_all(&cache);
    free(bytes);
    return 0;
}
