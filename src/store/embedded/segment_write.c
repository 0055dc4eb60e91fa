/*
 * segment_write - writing (segment.h, docs/formats/segment.md).
 *
 * Traces come in the order of the table.  Their rows are gathered in one batch (views only, nothing
 * is copied); when that is full it becomes a block: encoded, checksummed, compressed, written.
 * Equal resources and scopes of different requests become one on the way in, within a block.
 */
#include "store/embedded/segment.h"

#include "base/assert.h"
#include "store/embedded/block.h"
#include "store/embedded/segment_format.h"
#include "store/embedded/varint.h"

#include <stdlib.h>
#include <zstd.h>

enum { LEVEL = 1, SPAN_BYTES = 64, ATTR_BYTES = 4, MAPS_MIN = 64 };

/* One source batch of the block under construction. */
struct source {
    const struct tk_batch *from; /* NULL: free slot */
    struct tk_batch_map map;
};

/* A resource (or scope) of the block under construction, by what it says. */
struct known {
    uint64_t hash;
    uint32_t index;
};

struct tk_segment_writer {
    struct tk_env *env;
    tk_file *file;
    uint64_t offset; /* where the next bytes go */
    ZSTD_CCtx *zstd;
    struct tk_buf raw, packed;

    struct tk_batch *batch; /* of the block under construction */
    size_t batch_bytes;     /* about what it takes encoded */
    struct tk_pieces held;  /* keeps alive what `batch` views */
    struct source *sources; /* open addressing by `from` */
    uint32_t source_count, source_slots;
    struct known *resources, *scopes; /* [resource_count], [scope_count] of `batch` */
    uint32_t resource_capacity, scope_capacity;

    struct tk_trace_entry *entries;
    uint32_t entry_count, entry_capacity;
    struct tk_buf index;
    struct tk_segment_footer footer;
};

static enum tk_err
no_memory(struct tk_error *err)
{
    return tk_error_set(err, TK_ERR_MEMORY, "out of memory while writing a segment");
}

enum tk_err
tk_segment_writer_open(struct tk_env *env, const char *path, struct tk_segment_name name,
                       struct tk_segment_writer **ret_writer, struct tk_error *err)
{
    struct tk_segment_writer *writer = calloc(1, sizeof *writer);
    if (writer == NULL)
        return no_memory(err);
    writer->env = env;
    writer->source_slots = MAPS_MIN;
    tk_pieces_init(&writer->held);
    tk_buf_init(&writer->raw, TK_SEGMENT_BLOCK_RAW_MAX);
    tk_buf_init(&writer->packed, SIZE_MAX / 2);
    tk_buf_init(&writer->index, UINT32_MAX);
    writer->footer = (struct tk_segment_footer){.version = TK_SEGMENT_VERSION,
                                                .project = name.project,
                                                .first = name.first,
                                                .last = name.last,
                                                .start_min = UINT64_MAX};
    memcpy(writer->footer.magic, TK_SEGMENT_MAGIC, sizeof TK_SEGMENT_MAGIC);
    writer->zstd = ZSTD_createCCtx();
    writer->batch = tk_batch_new();
    writer->sources = calloc(writer->source_slots, sizeof *writer->sources);
    enum tk_err code = TK_OK;
    if (writer->zstd == NULL || writer->batch == NULL || writer->sources == NULL)
        code = no_memory(err);
    if (code == TK_OK)
        code = env->open(env, path, TK_OPEN_CREATE, &writer->file, err);
    if (code != TK_OK)
        tk_segment_writer_abort(writer);
    else
        *ret_writer = writer;
    return code;
}

static void
forget_sources(struct tk_segment_writer *writer)
{
    for (uint32_t i = 0; i < writer->source_slots; i++)
        if (writer->sources[i].from != NULL) {
            tk_batch_map_release(&writer->sources[i].map);
            writer->sources[i].from = NULL;
        }
    writer->source_count = 0;
}

void
tk_segment_writer_abort(struct tk_segment_writer *writer)
{
    if (writer == NULL)
        return;
    if (writer->sources != NULL)
        forget_sources(writer);
    if (writer->file != NULL)
        writer->env->close(writer->env, writer->file);
    tk_batch_free(writer->batch);
    tk_pieces_release(&writer->held);
    ZSTD_freeCCtx(writer->zstd);
    tk_buf_release(&writer->raw);
    tk_buf_release(&writer->packed);
    tk_buf_release(&writer->index);
    free(writer->sources);
    free(writer->resources);
    free(writer->scopes);
    free(writer->entries);
    free(writer);
}

static enum tk_err
write_bytes(struct tk_segment_writer *writer, const void *bytes, size_t size, struct tk_error *err)
{
    enum tk_err code =
        writer->env->write_at(writer->env, writer->file, bytes, size, writer->offset, err);
    if (code == TK_OK)
        writer->offset += size;
    return code;
}

/* Compresses writer->raw and writes it; *ret_part says where and what. */
static enum tk_err
write_compressed(struct tk_segment_writer *writer, struct tk_segment_part *ret_part,
                 struct tk_error *err)
{
    if (writer->raw.status != TK_OK)
        return tk_error_set(err, writer->raw.status, "a block of a segment is too large");
    size_t bound = ZSTD_compressBound(writer->raw.len);
    tk_buf_clear(&writer->packed);
    char *to = tk_buf_reserve(&writer->packed, bound);
    if (to == NULL)
        return no_memory(err);
    size_t size =
        ZSTD_compressCCtx(writer->zstd, to, bound, writer->raw.ptr, writer->raw.len, LEVEL);
    if (ZSTD_isError(size))
        return no_memory(err);
    *ret_part = (struct tk_segment_part){writer->offset, size, writer->raw.len,
                                         tk_hash_stable(tk_buf_str(&writer->raw))};
    return write_bytes(writer, to, size, err);
}

/* Writes the block under construction. */
static enum tk_err
flush(struct tk_segment_writer *writer, struct tk_error *err)
{
    struct tk_segment_part part;
    if (writer->batch->span_count == 0)
        return TK_OK;
    tk_buf_clear(&writer->raw);
    tk_block_encode(writer->batch, &writer->raw);
    enum tk_err code = write_compressed(writer, &part, err);
    if (code != TK_OK)
        return code;
    TK_ASSERT(part.size <= UINT32_MAX);
    struct tk_segment_index_entry entry = {part.offset,
                                           part.checksum,
                                           (uint32_t)part.size,
                                           (uint32_t)part.raw_size,
                                           writer->batch->span_count,
                                           0};
    tk_buf_append(&writer->index, (tk_str){(const char *)&entry, sizeof entry});
    writer->footer.block_count++;
    forget_sources(writer);
    tk_batch_clear(writer->batch);
    tk_pieces_clear(&writer->held);
    writer->batch_bytes = 0;
    return TK_OK;
}

static uint64_t
mix(uint64_t hash, tk_str text)
{
    return (hash ^ tk_hash(text)) * 0x9E3779B97F4A7C15u;
}

static bool
holds_text(struct tk_value value)
{
    return value.type == TK_VALUE_STRING || value.type >= TK_VALUE_BYTES;
}

static uint64_t
hash_attrs(const struct tk_batch *batch, struct tk_range range)
{
    uint64_t hash = range.count;
    for (uint32_t i = range.begin; i < range.begin + range.count; i++) {
        struct tk_value value = batch->attr_value[i];
        hash = mix(hash, batch->keys.strings[batch->attr_key[i]]);
        hash = holds_text(value) ? mix(hash, tk_value_str(value)) : hash;
    }
    return hash;
}

static bool
same_value(struct tk_value a, struct tk_value b)
{
    if (a.type != b.type)
        return false;
    if (holds_text(a))
        return tk_str_eq(tk_value_str(a), tk_value_str(b));
    switch (a.type) {
    case TK_VALUE_BOOL:
        return a.b == b.b;
    case TK_VALUE_INT:
    case TK_VALUE_DOUBLE: /* by its bits: NaN equals itself, and 0.0 is not -0.0 */
        return a.i == b.i;
    default:
        return true;
    }
}

static bool
same_attrs(const struct tk_batch *a, struct tk_range a_range, const struct tk_batch *b,
           struct tk_range b_range)
{
    if (a_range.count != b_range.count)
        return false;
    for (uint32_t i = 0; i < a_range.count; i++) {
        uint32_t x = a_range.begin + i, y = b_range.begin + i;
        if (!tk_str_eq(a->keys.strings[a->attr_key[x]], b->keys.strings[b->attr_key[y]]) ||
            !same_value(a->attr_value[x], b->attr_value[y]))
            return false;
    }
    return true;
}

static bool
same_resource(const struct tk_batch *a, uint32_t a_index, const struct tk_batch *b,
              uint32_t b_index)
{
    const struct tk_resource *x = &a->resources[a_index], *y = &b->resources[b_index];
    return x->dropped_attrs == y->dropped_attrs && tk_str_eq(x->schema_url, y->schema_url) &&
           same_attrs(a, x->attrs, b, y->attrs);
}

static bool
same_scope(const struct tk_batch *a, uint32_t a_index, const struct tk_batch *b, uint32_t b_index)
{
    const struct tk_scope *x = &a->scopes[a_index], *y = &b->scopes[b_index];
    return x->dropped_attrs == y->dropped_attrs && tk_str_eq(x->name, y->name) &&
           tk_str_eq(x->version, y->version) && tk_str_eq(x->schema_url, y->schema_url) &&
           same_attrs(a, x->attrs, b, y->attrs);
}

/*
 * Looks among the block's resources (scopes) for one that says the same as number `index` of
 * `from`; when there is one, `*ret_mapped` (the map's entry) points to it, so that it is not copied
 * once more.  Else it remembers that the next one made will be this.
 */
static enum tk_err
canonicalize(struct known **known, uint32_t *capacity, uint32_t count, uint64_t hash,
             const struct tk_batch *batch, const struct tk_batch *from, uint32_t index,
             bool (*same)(const struct tk_batch *, uint32_t, const struct tk_batch *, uint32_t),
             uint32_t *ret_mapped)
{
    for (uint32_t i = 0; i < count; i++)
        if ((*known)[i].hash == hash && same(batch, (*known)[i].index, from, index)) {
            *ret_mapped = (*known)[i].index + 1;
            return TK_OK;
        }
    if (count == *capacity) {
        uint32_t grown = *capacity > 0 ? *capacity * 2 : 16;
        struct known *moved = realloc(*known, grown * sizeof *moved);
        if (moved == NULL)
            return TK_ERR_MEMORY;
        *known = moved;
        *capacity = grown;
    }
    (*known)[count] = (struct known){hash, count};
    return TK_OK;
}

static enum tk_err
map_resource_and_scope(struct tk_segment_writer *writer, struct source *source, uint32_t row)
{
    const struct tk_batch *from = source->from;
    uint32_t resource = from->resource[row], scope = from->scope[row];
    enum tk_err code = TK_OK;
    if (source->map.resource[resource] == 0)
        code = canonicalize(&writer->resources, &writer->resource_capacity,
                            writer->batch->resource_count,
                            hash_attrs(from, from->resources[resource].attrs), writer->batch, from,
                            resource, same_resource, &source->map.resource[resource]);
    if (code == TK_OK && source->map.scope[scope] == 0)
        code =
            canonicalize(&writer->scopes, &writer->scope_capacity, writer->batch->scope_count,
                         mix(hash_attrs(from, from->scopes[scope].attrs), from->scopes[scope].name),
                         writer->batch, from, scope, same_scope, &source->map.scope[scope]);
    return code;
}

static struct source *
source_slot(struct source *sources, uint32_t slots, const struct tk_batch *from)
{
    uint32_t at = (uint32_t)(((uint64_t)(uintptr_t)from * 0x9E3779B97F4A7C15u) >> 32);
    while (sources[at & (slots - 1)].from != NULL && sources[at & (slots - 1)].from != from)
        at++;
    return &sources[at & (slots - 1)];
}

static bool
grow_sources(struct tk_segment_writer *writer)
{
    uint32_t slots = writer->source_slots * 2;
    struct source *grown = calloc(slots, sizeof *grown);
    if (grown == NULL)
        return false;
    for (uint32_t i = 0; i < writer->source_slots; i++)
        if (writer->sources[i].from != NULL)
            *source_slot(grown, slots, writer->sources[i].from) = writer->sources[i];
    free(writer->sources);
    writer->sources = grown;
    writer->source_slots = slots;
    return true;
}

static enum tk_err
find_source(struct tk_segment_writer *writer, const struct tk_batch *from,
            struct source **ret_source)
{
    if (writer->source_count >= writer->source_slots / 2 && !grow_sources(writer))
        return TK_ERR_MEMORY;
    struct source *source = source_slot(writer->sources, writer->source_slots, from);
    if (source->from == NULL) {
        if (tk_batch_map_init(&source->map, from) != TK_OK)
            return TK_ERR_MEMORY;
        source->from = from;
        writer->source_count++;
    }
    *ret_source = source;
    return TK_OK;
}

/* About what the row takes in an encoded block. */
static size_t
row_bytes(const struct tk_batch *batch, uint32_t row)
{
    size_t size = SPAN_BYTES + batch->name[row].len + batch->status_message[row].len;
    struct tk_range attrs = batch->attrs[row];
    for (uint32_t i = attrs.begin; i < attrs.begin + attrs.count; i++)
        size += ATTR_BYTES + (holds_text(batch->attr_value[i]) ? batch->attr_value[i].len : 0);
    for (uint32_t e = 0; e < batch->events[row].count; e++) {
        attrs = batch->event[batch->events[row].begin + e].attrs;
        for (uint32_t i = attrs.begin; i < attrs.begin + attrs.count; i++)
            size += ATTR_BYTES + (holds_text(batch->attr_value[i]) ? batch->attr_value[i].len : 0);
    }
    return size;
}

static enum tk_err
add_row(struct tk_segment_writer *writer, const struct tk_batch *from, uint32_t row,
        struct tk_error *err)
{
    struct source *source;
    if (writer->batch->span_count >= TK_SEGMENT_BLOCK_ROWS ||
        writer->batch_bytes >= TK_SEGMENT_BLOCK_BYTES) {
        enum tk_err code = flush(writer, err);
        if (code != TK_OK)
            return code;
    }
    if (find_source(writer, from, &source) != TK_OK ||
        map_resource_and_scope(writer, source, row) != TK_OK ||
        tk_batch_copy_span(writer->batch, from, row, false, &source->map) != TK_OK)
        return no_memory(err);
    writer->batch_bytes += row_bytes(from, row);
    writer->footer.row_count++;
    return TK_OK;
}

enum tk_err
tk_segment_writer_add(struct tk_segment_writer *writer, const struct tk_trace_entry *entry,
                      const struct tk_pieces *pieces, struct tk_error *err)
{
    if (writer->entry_count == writer->entry_capacity) {
        uint32_t capacity = writer->entry_capacity > 0 ? writer->entry_capacity * 2 : 1024;
        struct tk_trace_entry *entries = realloc(writer->entries, capacity * sizeof *entries);
        if (entries == NULL)
            return no_memory(err);
        writer->entries = entries;
        writer->entry_capacity = capacity;
    }
    struct tk_trace_entry *made = &writer->entries[writer->entry_count++];
    *made = *entry;
    made->row = (uint32_t)writer->footer.row_count;
    made->row_count = pieces->count;
    if (entry->start_nano < writer->footer.start_min)
        writer->footer.start_min = entry->start_nano;
    if (entry->start_nano > writer->footer.start_max)
        writer->footer.start_max = entry->start_nano;
    if (entry->end_nano > writer->footer.end_max)
        writer->footer.end_max = entry->end_nano;
    enum tk_err code = TK_OK;
    for (uint32_t i = 0; i < pieces->count && code == TK_OK; i++)
        code = add_row(writer, pieces->piece[i].batch, pieces->piece[i].row, err);
    if (code == TK_OK && tk_pieces_hold_all(&writer->held, pieces) != TK_OK)
        code = no_memory(err);
    return code;
}

struct id_number {
    struct tk_trace_id id;
    uint32_t number;
};

static int
compare_ids(const void *a, const void *b)
{
    return tk_trace_id_cmp(((const struct id_number *)a)->id, ((const struct id_number *)b)->id);
}

static bool
put_by_id(struct tk_segment_writer *writer)
{
    struct id_number *order = malloc(((size_t)writer->entry_count + 1) * sizeof *order);
    if (order == NULL)
        return false;
    for (uint32_t i = 0; i < writer->entry_count; i++)
        order[i] = (struct id_number){writer->entries[i].id, i};
    qsort(order, writer->entry_count, sizeof *order, compare_ids);
    for (uint32_t i = 0; i < writer->entry_count; i++)
        tk_put_bytes(&writer->raw, &order[i].number, sizeof order[i].number);
    free(order);
    return true;
}

static enum tk_err
write_table(struct tk_segment_writer *writer, struct tk_error *err)
{
    struct tk_buf *out = &writer->raw;
    const struct tk_trace_entry *entries = writer->entries;
    tk_buf_clear(out);
    for (uint32_t i = 0; i < writer->entry_count; i++)
        tk_put_bytes(out, &entries[i].id, sizeof entries[i].id);
    for (uint32_t i = 0; i < writer->entry_count; i++)
        tk_put_varint(out, i == 0 ? entries[i].start_nano
                                  : entries[i - 1].start_nano - entries[i].start_nano);
    for (uint32_t i = 0; i < writer->entry_count; i++)
        tk_put_varint(out, entries[i].end_nano - entries[i].start_nano);
    for (uint32_t i = 0; i < writer->entry_count; i++)
        tk_put_varint(out, entries[i].row_count);
    if (!put_by_id(writer))
        return no_memory(err);
    writer->footer.trace_count = writer->entry_count;
    return write_compressed(writer, &writer->footer.table, err);
}

static enum tk_err
write_plain(struct tk_segment_writer *writer, const void *bytes, size_t size,
            struct tk_segment_part *ret_part, struct tk_error *err)
{
    *ret_part =
        (struct tk_segment_part){writer->offset, size, size, tk_hash_stable((tk_str){bytes, size})};
    return write_bytes(writer, bytes, size, err);
}

static enum tk_err
write_filter(struct tk_segment_writer *writer, struct tk_error *err)
{
    uint64_t count = tk_filter_words(writer->entry_count);
    uint64_t *words = calloc(count, sizeof *words);
    if (words == NULL)
        return no_memory(err);
    for (uint32_t i = 0; i < writer->entry_count; i++)
        (void)tk_filter_visit(words, count, writer->entries[i].id, true);
    enum tk_err code =
        write_plain(writer, words, count * sizeof *words, &writer->footer.filter, err);
    free(words);
    return code;
}

enum tk_err
tk_segment_writer_finish(struct tk_segment_writer *writer, struct tk_error *err)
{
    struct tk_segment_footer *footer = &writer->footer;
    enum tk_err code = flush(writer, err);
    if (code == TK_OK)
        code = write_table(writer, err);
    if (code == TK_OK)
        code = write_filter(writer, err);
    if (code == TK_OK && writer->index.status != TK_OK)
        code = no_memory(err);
    if (code == TK_OK)
        code = write_plain(writer, writer->index.ptr, writer->index.len, &footer->index, err);
    if (code == TK_OK) {
        tk_str checked = {(const char *)footer, offsetof(struct tk_segment_footer, crc)};
        footer->crc = tk_crc32c(0, checked);
        code = write_bytes(writer, footer, sizeof *footer, err);
    }
    if (code == TK_OK)
        code = writer->env->sync(writer->env, writer->file, err);
    tk_segment_writer_abort(writer);
    return code;
}
