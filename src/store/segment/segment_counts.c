/*
 * segment_counts - what a segment counted, read through the cache (segment.h).
 *
 * Kept as it is used and not as it lies in the file: whoever draws a page asks for the counts of
 * all segments again and again, and decoding them takes far longer than adding them up.
 */
#include "store/segment/segment.h"

#include "store/segment/counts.h"

#include <stdlib.h>

static enum tk_err
failed(struct tk_segment *segment, const struct tk_part *part, enum tk_err code,
       struct tk_error *err)
{
    if (code == TK_ERR_CORRUPT)
        return tk_segment_corrupt(segment, part->offset, "counts", "they make no sense", err);
    return tk_error_set(err, code, "out of memory for counts");
}

static void
free_counts(void *value)
{
    tk_counts_release(value);
    free(value);
}

static enum tk_err
read_counts(struct tk_segment *segment, const struct tk_part *part, uint32_t code_count,
            struct tk_counts **ret_counts, struct tk_error *err)
{
    char *bytes;
    enum tk_err code = tk_segment_read_part(segment, part, &bytes, err);
    if (code != TK_OK)
        return code;
    struct tk_counts *counts = malloc(sizeof *counts);
    code = counts != NULL ? tk_counts_read((tk_str){bytes, part->raw_size}, code_count, counts)
                          : TK_ERR_MEMORY;
    free(bytes);
    if (code == TK_OK) {
        *ret_counts = counts;
        return TK_OK;
    }
    free(counts);
    return failed(segment, part, code, err);
}

enum tk_err
tk_segment_counts(struct tk_segment *segment, const struct tk_schema_view *schema, uint32_t column,
                  struct tk_cache_item **ret_item, struct tk_error *err)
{
    const struct tk_column *of = &schema->columns[column];
    struct tk_cache_key key = {segment->serial, TK_SEGMENT_KEY(TK_SEGMENT_COUNTS, column)};
    struct tk_counts *counts = NULL;
    if (of->counts.size == 0)
        return TK_ERR_NOT_FOUND;
    struct tk_cache_item *item = tk_cache_get(segment->host->cache, key);
    if (item == NULL) {
        enum tk_err code = read_counts(segment, &of->counts, of->distinct, &counts, err);
        if (code != TK_OK)
            return code;
        item =
            tk_cache_put(segment->host->cache, key, counts, tk_counts_memory(counts), free_counts);
        if (item == NULL)
            return failed(segment, &of->counts, TK_ERR_MEMORY, err);
    }
    *ret_item = item;
    return TK_OK;
}

static void
free_operations(void *value)
{
    tk_operations_free(value);
}

enum tk_err
tk_segment_operations(struct tk_segment *segment, struct tk_cache_item **ret_item,
                      struct tk_error *err)
{
    const struct tk_part *part = &segment->operations;
    struct tk_cache_key key = {segment->serial, TK_SEGMENT_KEY(TK_SEGMENT_OPERATIONS, 0)};
    struct tk_operations *operations = NULL;
    char *bytes;
    if (part->size == 0)
        return TK_ERR_NOT_FOUND;
    struct tk_cache_item *item = tk_cache_get(segment->host->cache, key);
    if (item == NULL) {
        enum tk_err code = tk_segment_read_part(segment, part, &bytes, err);
        if (code != TK_OK)
            return code;
        code = tk_operations_read((tk_str){bytes, part->raw_size}, &operations);
        free(bytes);
        if (code != TK_OK)
            return failed(segment, part, code, err);
        item = tk_cache_put(segment->host->cache, key, operations, tk_operations_memory(operations),
                            free_operations);
        if (item == NULL)
            return failed(segment, part, TK_ERR_MEMORY, err);
    }
    *ret_item = item;
    return TK_OK;
}
