/*
 * segment - reading (segment.h, docs/formats/segment.md).
 *
 * pread, never mmap: a bad disk is an error value here, not a signal.  Each part is checked before
 * anything in it is believed.  A damaged block or table is reported and counted once, then every
 * reader that meets it goes on without it.
 */
#include "store/embedded/segment.h"

#include "base/assert.h"
#include "store/embedded/block.h"
#include "store/embedded/segment_format.h"
#include "store/embedded/varint.h"

#include <stdio.h>
#include <stdlib.h>
#include <zstd.h>

#define TABLE_PART UINT32_MAX

static atomic_uint_fast64_t last_serial;

static enum tk_err
corrupt(struct tk_segment *segment, uint32_t number, struct tk_error *err, const char *why)
{
    char line[256], what[32] = "trace table";
    if (number < segment->block_count)
        (void)snprintf(what, sizeof what, "block %u", number);
    (void)snprintf(line, sizeof line, "p%u/%08llu-%08llu.seg: %s is damaged: %s",
                   segment->name.project, (unsigned long long)segment->name.first,
                   (unsigned long long)segment->name.last, what, why);
    atomic_store(&segment->_any_damaged, true);
    if (atomic_exchange(&segment->_damaged[number], 1) == 0) {
        atomic_fetch_add(&segment->host->damaged_blocks, 1);
        if (segment->host->report != NULL)
            segment->host->report(segment->host->report_arg, line);
    }
    return tk_error_set(err, TK_ERR_CORRUPT, "%s", line);
}

static bool
footer_ok(const struct tk_segment_footer *footer, uint64_t file_size)
{
    const struct tk_segment_part *parts[] = {&footer->table, &footer->filter, &footer->index};
    for (size_t i = 0; i < 3; i++)
        if (parts[i]->offset > file_size || parts[i]->size > file_size - parts[i]->offset ||
            parts[i]->raw_size > TK_SEGMENT_BLOCK_RAW_MAX)
            return false;
    return footer->filter.size == tk_filter_words(footer->trace_count) * sizeof(uint64_t) &&
           footer->index.size == footer->block_count * sizeof(struct tk_segment_index_entry) &&
           footer->row_count <= UINT32_MAX && footer->trace_count <= footer->row_count;
}

static enum tk_err
read_footer(struct tk_env *env, tk_file *file, const char *path, struct tk_segment_footer *footer,
            uint64_t *ret_size, struct tk_error *err)
{
    enum tk_err code = env->size(env, file, ret_size, err);
    if (code != TK_OK)
        return code;
    if (*ret_size < sizeof *footer)
        return tk_error_set(err, TK_ERR_CORRUPT, "%s: too short", path);
    code = env->read_at(env, file, footer, sizeof *footer, *ret_size - sizeof *footer, err);
    if (code != TK_OK)
        return code;
    tk_str checked = {(const char *)footer, offsetof(struct tk_segment_footer, crc)};
    if (memcmp(footer->magic, TK_SEGMENT_MAGIC, sizeof TK_SEGMENT_MAGIC) != 0 ||
        footer->crc != tk_crc32c(0, checked))
        return tk_error_set(err, TK_ERR_CORRUPT, "%s: its footer is damaged", path);
    if (footer->version != TK_SEGMENT_VERSION)
        return tk_error_set(err, TK_ERR_UNSUPPORTED, "%s: version %u is not known here", path,
                            footer->version);
    if (!footer_ok(footer, *ret_size))
        return tk_error_set(err, TK_ERR_CORRUPT, "%s: its footer makes no sense", path);
    return TK_OK;
}

/* Reads an uncompressed part and checks it; malloc'ed. */
static enum tk_err
read_part(struct tk_env *env, tk_file *file, const char *path, const struct tk_segment_part *part,
          void **ret_bytes, struct tk_error *err)
{
    void *bytes = malloc(part->size + 1);
    if (bytes == NULL)
        return tk_error_set(err, TK_ERR_MEMORY, "%s: out of memory", path);
    enum tk_err code = env->read_at(env, file, bytes, part->size, part->offset, err);
    if (code == TK_OK && tk_hash_stable((tk_str){bytes, part->size}) != part->checksum)
        code = tk_error_set(err, TK_ERR_CORRUPT, "%s: bytes from %llu are damaged", path,
                            (unsigned long long)part->offset);
    if (code != TK_OK)
        free(bytes);
    else
        *ret_bytes = bytes;
    return code;
}

static enum tk_err
read_index(struct tk_segment *segment, const struct tk_segment_footer *footer, const char *path,
           struct tk_error *err)
{
    void *bytes = NULL;
    uint64_t row = 0;
    struct tk_env *env = segment->host->env;
    enum tk_err code = read_part(env, segment->_file, path, &footer->index, &bytes, err);
    if (code != TK_OK)
        return code;
    segment->blocks = calloc((size_t)footer->block_count + 1, sizeof *segment->blocks);
    segment->_damaged = calloc((size_t)footer->block_count + 1, sizeof *segment->_damaged);
    if (segment->blocks == NULL || segment->_damaged == NULL)
        code = tk_error_set(err, TK_ERR_MEMORY, "%s: out of memory", path);
    for (uint32_t i = 0; i < footer->block_count && code == TK_OK; i++) {
        struct tk_segment_index_entry entry;
        memcpy(&entry, (const char *)bytes + i * sizeof entry, sizeof entry);
        if (entry.offset > segment->size || entry.size > segment->size - entry.offset ||
            entry.raw_size > TK_SEGMENT_BLOCK_RAW_MAX || entry.row_count == 0 ||
            entry.row_count > footer->row_count - row)
            code = tk_error_set(err, TK_ERR_CORRUPT, "%s: its index makes no sense", path);
        segment->blocks[i] =
            (struct tk_segment_block){entry.offset,   entry.checksum, entry.size,
                                      entry.raw_size, (uint32_t)row,  entry.row_count};
        row += entry.row_count;
    }
    if (code == TK_OK && row != footer->row_count)
        code = tk_error_set(err, TK_ERR_CORRUPT, "%s: its index misses rows", path);
    free(bytes);
    return code;
}

static enum tk_err
load(struct tk_segment *segment, const char *path, struct tk_error *err)
{
    struct tk_segment_footer footer;
    struct tk_env *env = segment->host->env;
    void *filter = NULL;
    enum tk_err code = env->open(env, path, TK_OPEN_READ, &segment->_file, err);
    if (code == TK_OK)
        code = read_footer(env, segment->_file, path, &footer, &segment->size, err);
    if (code == TK_OK && (footer.project != segment->name.project ||
                          footer.first != segment->name.first || footer.last != segment->name.last))
        code = tk_error_set(err, TK_ERR_CORRUPT, "%s: is another file under this name", path);
    if (code == TK_OK)
        code = read_part(env, segment->_file, path, &footer.filter, &filter, err);
    segment->_filter = filter;
    if (code == TK_OK)
        code = read_index(segment, &footer, path, err);
    if (code != TK_OK)
        return code == TK_ERR_END ? TK_ERR_CORRUPT : code;
    segment->row_count = footer.row_count;
    segment->trace_count = footer.trace_count;
    segment->start_min = footer.start_min;
    segment->start_max = footer.start_max;
    segment->end_max = footer.end_max;
    segment->block_count = footer.block_count;
    segment->_filter_words = tk_filter_words(footer.trace_count);
    segment->_table_offset = footer.table.offset;
    segment->_table_size = footer.table.size;
    segment->_table_raw_size = footer.table.raw_size;
    segment->_table_checksum = footer.table.checksum;
    return TK_OK;
}

enum tk_err
tk_segment_open(struct tk_segment_host *host, const char *path, struct tk_segment_name name,
                struct tk_segment **ret_segment, struct tk_error *err)
{
    struct tk_segment *segment = calloc(1, sizeof *segment);
    if (segment == NULL)
        return tk_error_set(err, TK_ERR_MEMORY, "%s: out of memory", path);
    segment->host = host;
    segment->name = name;
    segment->serial = atomic_fetch_add(&last_serial, 1) + 1;
    atomic_init(&segment->_references, 1);
    enum tk_err code = load(segment, path, err);
    if (code != TK_OK)
        tk_segment_unref(segment);
    else
        *ret_segment = segment;
    return code;
}

struct tk_segment *
tk_segment_ref(struct tk_segment *segment)
{
    atomic_fetch_add_explicit(&segment->_references, 1, memory_order_relaxed);
    return segment;
}

void
tk_segment_unref(struct tk_segment *segment)
{
    if (segment == NULL ||
        atomic_fetch_sub_explicit(&segment->_references, 1, memory_order_acq_rel) != 1)
        return;
    if (segment->_file != NULL)
        segment->host->env->close(segment->host->env, segment->_file);
    free(segment->blocks);
    free(segment->_damaged);
    free(segment->_filter);
    free(segment);
}

bool
tk_segment_is_damaged(const struct tk_segment *segment)
{
    return atomic_load(&segment->_any_damaged);
}

/* Reads, decompresses and checks; malloc'ed.  TK_ERR_CORRUPT with the reason in *ret_why. */
static enum tk_err
read_compressed(struct tk_segment *segment, const struct tk_segment_part *part, char **ret_bytes,
                const char **ret_why, struct tk_error *err)
{
    struct tk_env *env = segment->host->env;
    char *packed = malloc(part->size + 1), *bytes = malloc(part->raw_size + 1);
    enum tk_err code =
        packed == NULL || bytes == NULL
            ? tk_error_set(err, TK_ERR_MEMORY, "out of memory for a block")
            : env->read_at(env, segment->_file, packed, part->size, part->offset, err);
    if (code == TK_ERR_END) {
        code = TK_ERR_CORRUPT;
        *ret_why = "the file is cut short";
    } else if (code == TK_ERR_IO) {
        code = TK_ERR_CORRUPT;
        *ret_why = "the disk cannot read it";
    }
    if (code == TK_OK) {
        size_t got = ZSTD_decompress(bytes, part->raw_size, packed, part->size);
        if (ZSTD_isError(got) || got != part->raw_size) {
            code = TK_ERR_CORRUPT;
            *ret_why = "it does not decompress";
        } else if (tk_hash_stable((tk_str){bytes, got}) != part->checksum) {
            code = TK_ERR_CORRUPT;
            *ret_why = "wrong checksum";
        }
    }
    free(packed);
    if (code != TK_OK)
        free(bytes);
    else
        *ret_bytes = bytes;
    return code;
}

static void
free_table(void *value)
{
    struct tk_table *table = value;
    free(table->entries);
    free(table->by_id);
    free(table);
}

/* Every entry within the segment's rows, in order, and the ids in order too. */
static bool
table_ok(const struct tk_table *table, uint64_t row_count)
{
    uint64_t row = 0;
    for (uint32_t i = 0; i < table->count; i++) {
        const struct tk_trace_entry *at = &table->entries[i];
        if (at->row_count == 0 || tk_trace_id_is_none(at->id) || table->by_id[i] >= table->count)
            return false;
        row += at->row_count;
        if (i > 0 && tk_trace_entry_cmp(at[-1].start_nano, at[-1].id, at->start_nano, at->id) >= 0)
            return false;
        if (i > 0 && tk_trace_id_cmp(table->entries[table->by_id[i - 1]].id,
                                     table->entries[table->by_id[i]].id) >= 0)
            return false;
    }
    return row == row_count;
}

/* Columns: ids, starts (falling), durations, row counts, numbers by id. */
static bool
parse_table(struct tk_table *table, const char *bytes, size_t size, uint64_t row_count)
{
    struct tk_reader in = {(const unsigned char *)bytes, (const unsigned char *)bytes + size, true};
    uint64_t start = 0;
    uint32_t row = 0;
    for (uint32_t i = 0; i < table->count; i++) {
        table->entries[i].id.high = tk_get_u64(&in);
        table->entries[i].id.low = tk_get_u64(&in);
    }
    for (uint32_t i = 0; i < table->count; i++) {
        uint64_t delta = tk_get_varint(&in);
        start = i == 0 ? delta : start - delta;
        table->entries[i].start_nano = start;
    }
    for (uint32_t i = 0; i < table->count; i++)
        table->entries[i].end_nano = table->entries[i].start_nano + tk_get_varint(&in);
    for (uint32_t i = 0; i < table->count; i++) {
        table->entries[i].row = row;
        table->entries[i].row_count = tk_get_u32(&in);
        row += table->entries[i].row_count;
    }
    const void *by_id = tk_get_bytes(&in, table->count * sizeof *table->by_id);
    if (by_id == NULL || !in.ok || in.at != in.end)
        return false;
    memcpy(table->by_id, by_id, table->count * sizeof *table->by_id);
    return table_ok(table, row_count);
}

static enum tk_err
load_table(struct tk_segment *segment, struct tk_table **ret_table, struct tk_error *err)
{
    struct tk_segment_part part = {segment->_table_offset, segment->_table_size,
                                   segment->_table_raw_size, segment->_table_checksum};
    char *bytes = NULL;
    const char *why = "it makes no sense";
    struct tk_table *table = NULL;
    enum tk_err code = read_compressed(segment, &part, &bytes, &why, err);
    if (code == TK_OK && segment->trace_count * sizeof(struct tk_trace_id) > part.raw_size)
        code = TK_ERR_CORRUPT;
    if (code != TK_OK)
        goto out;
    table = calloc(1, sizeof *table);
    if (table != NULL) {
        table->count = (uint32_t)segment->trace_count;
        table->entries = calloc((size_t)table->count + 1, sizeof *table->entries);
        table->by_id = calloc((size_t)table->count + 1, sizeof *table->by_id);
    }
    if (table == NULL || table->entries == NULL || table->by_id == NULL)
        code = tk_error_set(err, TK_ERR_MEMORY, "out of memory for a trace table");
    else if (!parse_table(table, bytes, part.raw_size, segment->row_count))
        code = TK_ERR_CORRUPT;
out:
    free(bytes);
    if (code == TK_OK)
        *ret_table = table;
    else if (table != NULL)
        free_table(table);
    return code == TK_ERR_CORRUPT ? corrupt(segment, segment->block_count, err, why) : code;
}

enum tk_err
tk_segment_table(struct tk_segment *segment, struct tk_cache_item **ret_item, struct tk_error *err)
{
    struct tk_cache_key key = {segment->serial, TABLE_PART};
    struct tk_cache_item *item = tk_cache_get(segment->host->cache, key);
    struct tk_table *table = NULL;
    if (item == NULL) {
        enum tk_err code = load_table(segment, &table, err);
        if (code != TK_OK)
            return code;
        size_t bytes = table->count * (sizeof *table->entries + sizeof *table->by_id);
        item = tk_cache_put(segment->host->cache, key, table, bytes, free_table);
    }
    if (item == NULL)
        return tk_error_set(err, TK_ERR_MEMORY, "out of memory for a trace table");
    *ret_item = item;
    return TK_OK;
}

static void
free_batch(void *value)
{
    tk_batch_free(value);
}

static enum tk_err
load_block(struct tk_segment *segment, uint32_t number, struct tk_batch **ret_batch,
           struct tk_error *err)
{
    const struct tk_segment_block *block = &segment->blocks[number];
    struct tk_segment_part part = {block->offset, block->size, block->raw_size, block->checksum};
    char *bytes = NULL;
    const char *why = "it makes no sense";
    struct tk_batch *batch = NULL;
    enum tk_err code = read_compressed(segment, &part, &bytes, &why, err);
    if (code != TK_OK)
        goto out;
    batch = tk_batch_new();
    code = batch == NULL ? TK_ERR_MEMORY : tk_block_decode(bytes, part.raw_size, batch);
    if (code == TK_OK)
        bytes = NULL; /* the batch has it */
    if (code == TK_OK && batch->span_count != block->row_count)
        code = TK_ERR_CORRUPT;
out:
    free(bytes);
    if (code == TK_OK)
        *ret_batch = batch;
    else
        tk_batch_free(batch);
    if (code == TK_ERR_MEMORY)
        return tk_error_set(err, TK_ERR_MEMORY, "out of memory for a block");
    return code == TK_ERR_CORRUPT ? corrupt(segment, number, err, why) : code;
}

enum tk_err
tk_segment_block(struct tk_segment *segment, uint32_t number, struct tk_cache_item **ret_item,
                 struct tk_error *err)
{
    struct tk_cache_key key = {segment->serial, number};
    struct tk_cache_item *item = tk_cache_get(segment->host->cache, key);
    struct tk_batch *batch = NULL;
    TK_ASSERT(number < segment->block_count);
    if (item == NULL) {
        enum tk_err code = load_block(segment, number, &batch, err);
        if (code != TK_OK)
            return code;
        size_t bytes = tk_batch_memory(batch);
        item = tk_cache_put(segment->host->cache, key, batch, bytes, free_batch);
    }
    if (item == NULL)
        return tk_error_set(err, TK_ERR_MEMORY, "out of memory for a block");
    *ret_item = item;
    return TK_OK;
}

enum tk_err
tk_segment_find(struct tk_segment *segment, struct tk_trace_id id, struct tk_trace_entry *ret_entry,
                struct tk_error *err)
{
    struct tk_cache_item *item;
    if (!tk_filter_visit(segment->_filter, segment->_filter_words, id, false))
        return TK_ERR_NOT_FOUND;
    enum tk_err code = tk_segment_table(segment, &item, err);
    if (code != TK_OK)
        return code;
    const struct tk_table *table = item->value;
    uint32_t low = 0, high = table->count;
    code = TK_ERR_NOT_FOUND;
    while (low < high && code != TK_OK) {
        uint32_t middle = low + (high - low) / 2;
        const struct tk_trace_entry *entry = &table->entries[table->by_id[middle]];
        int order = tk_trace_id_cmp(id, entry->id);
        if (order == 0) {
            *ret_entry = *entry;
            code = TK_OK;
        } else if (order < 0) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    tk_cache_release(item);
    return code;
}

/* The block that holds `row`. */
static uint32_t
block_of(const struct tk_segment *segment, uint32_t row)
{
    uint32_t low = 0, high = segment->block_count;
    while (high - low > 1) {
        uint32_t middle = low + (high - low) / 2;
        if (segment->blocks[middle].first_row <= row)
            low = middle;
        else
            high = middle;
    }
    return low;
}

/* Rows [begin, end) of the segment, as far as they lie in one block and are of trace `id`. */
static enum tk_err
collect_block(struct tk_segment *segment, uint32_t number, struct tk_trace_id id, uint32_t begin,
              uint32_t end, struct tk_pieces *pieces, struct tk_error *err)
{
    struct tk_cache_item *item;
    enum tk_err code = tk_segment_block(segment, number, &item, err);
    if (code != TK_OK)
        return code;
    const struct tk_batch *batch = item->value;
    code = tk_pieces_hold(pieces, item);
    for (uint32_t row = begin; row < end && code == TK_OK; row++) {
        uint32_t at = row - segment->blocks[number].first_row;
        if (!tk_trace_id_eq(batch->trace_id[at], id))
            return corrupt(segment, number, err, "its rows are of another trace");
        code = tk_pieces_add(pieces, batch, at);
    }
    return code;
}

enum tk_err
tk_segment_collect(struct tk_segment *segment, const struct tk_trace_entry *entry,
                   struct tk_pieces *pieces, struct tk_error *err)
{
    enum tk_err damage = TK_OK;
    uint32_t row = entry->row, end = entry->row + entry->row_count;
    for (uint32_t number = block_of(segment, row); row < end; number++) {
        uint32_t block_end = segment->blocks[number].first_row + segment->blocks[number].row_count;
        uint32_t stop = block_end < end ? block_end : end;
        enum tk_err code = collect_block(segment, number, entry->id, row, stop, pieces, err);
        if (code == TK_ERR_CORRUPT)
            damage = code;
        else if (code != TK_OK)
            return code;
        row = stop;
    }
    return damage;
}
