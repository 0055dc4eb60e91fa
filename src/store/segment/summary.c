/* summary - see summary.h. */
#include "store/segment/summary.h"

#include "store/segment/varint.h"

#include <stdlib.h>

/* ---- making ---- */

enum tk_err
tk_summary_writer_init(struct tk_summary_writer *writer, uint32_t resource_count)
{
    uint32_t services =
        resource_count < TK_SUMMARY_SERVICES_MAX ? resource_count : TK_SUMMARY_SERVICES_MAX;
    *writer = (struct tk_summary_writer){0};
    tk_buf_init(&writer->_one, SIZE_MAX / 2);
    tk_buf_init(&writer->_buckets, SIZE_MAX / 2);
    tk_buf_init(&writer->_section, TK_SEGMENT_PART_MAX);
    writer->_resource = calloc((size_t)services + 1, sizeof *writer->_resource);
    writer->_services = calloc((size_t)services + 1, sizeof *writer->_services);
    writer->_met = calloc((size_t)services + 1, sizeof *writer->_met);
    if (writer->_resource == NULL || writer->_services == NULL || writer->_met == NULL)
        return TK_ERR_MEMORY;
    return tk_counts_init_with(&writer->_counts, services, true);
}

void
tk_summary_writer_release(struct tk_summary_writer *writer)
{
    tk_counts_release(&writer->_counts);
    free(writer->_resource);
    free(writer->_services);
    free(writer->_met);
    tk_buf_release(&writer->_one);
    tk_buf_release(&writer->_buckets);
    tk_buf_release(&writer->_section);
    *writer = (struct tk_summary_writer){0};
}

enum tk_err
tk_summary_writer_rows(struct tk_summary_writer *writer, const struct tk_counted_span *rows,
                       const uint64_t *resources, uint32_t count)
{
    for (uint32_t i = 0; i < count && !writer->_too_many; i++) {
        uint32_t service = rows[i].code;
        if (service >= writer->_counts.code_count) {
            writer->_too_many = true;
        } else if (!writer->_met[service]) {
            writer->_met[service] = true;
            writer->_resource[service] = (uint32_t)resources[i];
            writer->_services[writer->_service_count++] = service;
        }
    }
    return writer->_too_many ? TK_OK : tk_counts_add(&writer->_counts, rows, count);
}

/* Buckets that are not empty: how far behind the one before, and how many. */
static void
put_buckets(const struct tk_histogram *durations, struct tk_buf *out)
{
    uint32_t before = 0;
    for (uint32_t bucket = durations->begin; bucket < durations->end; bucket++) {
        uint64_t count = tk_histogram_get(durations, bucket);
        if (count == 0)
            continue;
        tk_put_varint(out, bucket - before);
        tk_put_varint(out, count);
        before = bucket;
    }
}

static void
put_service(struct tk_summary_writer *writer, uint32_t service)
{
    const struct tk_counts *counts = &writer->_counts;
    struct tk_buf *buckets = &writer->_buckets, *out = &writer->_one;
    tk_buf_clear(buckets);
    put_buckets(&counts->durations[service], buckets);
    tk_put_varint(out, writer->_resource[service]);
    tk_put_varint(out, counts->span_count[service]);
    tk_put_varint(out, counts->error_count[service]);
    tk_put_varint(out, buckets->len);
    tk_buf_append(out, tk_buf_str(buckets));
    if (buckets->status != TK_OK)
        out->status = buckets->status;
}

static void
end_stretch(struct tk_summary_writer *writer)
{
    struct tk_buf *one = &writer->_one;
    tk_buf_clear(one);
    for (uint32_t i = 0; i < writer->_service_count && !writer->_too_many; i++)
        put_service(writer, writer->_services[i]);
    if (one->len > writer->_bytes / TK_SUMMARY_SHARE)
        tk_buf_clear(one);
    tk_put_varint(&writer->_section, one->len);
    tk_buf_append(&writer->_section, tk_buf_str(one));
    if (one->status != TK_OK)
        writer->_section.status = one->status;
    for (uint32_t i = 0; i < writer->_service_count; i++)
        writer->_met[writer->_services[i]] = false;
    tk_counts_clear(&writer->_counts, writer->_counts.code_count);
    writer->_service_count = writer->_group_count = 0;
    writer->_bytes = 0;
    writer->_too_many = false;
    writer->_stretch_count++;
}

void
tk_summary_writer_end_group(struct tk_summary_writer *writer, uint64_t bytes)
{
    writer->_bytes += bytes;
    if (++writer->_group_count == TK_SUMMARY_GROUPS)
        end_stretch(writer);
}

enum tk_err
tk_summary_writer_section(struct tk_summary_writer *writer, tk_str *ret_section)
{
    if (writer->_group_count > 0)
        end_stretch(writer);
    *ret_section = writer->_stretch_count > 1 ? tk_buf_str(&writer->_section) : TK_STR("");
    return writer->_section.status;
}

/* ---- reading ---- */

static struct tk_reader
reader_of(tk_str bytes)
{
    const unsigned char *at = (const unsigned char *)bytes.ptr;
    return (struct tk_reader){at, at + bytes.len, true};
}

static tk_str
get_str(struct tk_reader *in)
{
    uint64_t size = tk_get_varint(in);
    const char *bytes = tk_get_bytes(in, size);
    return bytes != NULL ? (tk_str){bytes, size} : TK_STR("");
}

static struct tk_summary_entry
get_entry(struct tk_reader *in)
{
    struct tk_summary_entry entry = {.resource = tk_get_u32(in)};
    entry.span_count = tk_get_varint(in);
    entry.error_count = tk_get_varint(in);
    entry.buckets = get_str(in);
    return entry;
}

/* Buckets ascend, none is empty, and together they are all spans. */
static bool
buckets_ok(const struct tk_summary_entry *entry)
{
    struct tk_reader in = reader_of(entry->buckets);
    uint64_t bucket = 0, left = entry->span_count;
    for (bool first = true; in.ok && in.at < in.end; first = false) {
        uint64_t further = tk_get_varint(&in), count = tk_get_varint(&in);
        if (further >= TK_HISTOGRAM_BUCKETS - bucket || (further == 0 && !first) || count == 0 ||
            count > left)
            return false;
        bucket += further;
        left -= count;
    }
    return in.ok && left == 0;
}

/* As many spans as there are rows; `rows` 0: any number. */
static bool
stretch_ok(tk_str stretch, uint64_t rows, uint32_t resource_count)
{
    struct tk_reader in = reader_of(stretch);
    uint64_t sum = 0;
    while (in.ok && in.at < in.end) {
        struct tk_summary_entry entry = get_entry(&in);
        if (!in.ok || entry.resource >= resource_count || entry.span_count == 0 ||
            entry.span_count > UINT32_MAX || entry.error_count > entry.span_count ||
            !buckets_ok(&entry))
            return false;
        sum += entry.span_count;
    }
    return in.ok && (rows == 0 || stretch.len == 0 || sum == rows);
}

static uint64_t
rows_of(const struct tk_summary_of *of, uint32_t stretch)
{
    uint32_t first = stretch * TK_SUMMARY_GROUPS;
    uint64_t rows = 0;
    for (uint32_t g = first; of->groups != NULL && g < of->group_count; g++) {
        if (g - first == TK_SUMMARY_GROUPS)
            break;
        rows += of->groups[g].row_count;
    }
    return rows;
}

enum tk_err
tk_summaries_read(tk_str section, const struct tk_summary_of *of,
                  struct tk_summaries **ret_summaries)
{
    uint32_t count =
        of->group_count / TK_SUMMARY_GROUPS + (of->group_count % TK_SUMMARY_GROUPS > 0);
    struct tk_reader in = reader_of(section);
    if (count > section.len) /* each takes a byte or more */
        return TK_ERR_CORRUPT;
    struct tk_summaries *summaries = malloc(sizeof *summaries + count * sizeof *summaries->stretch);
    if (summaries == NULL)
        return TK_ERR_MEMORY;
    *summaries = (struct tk_summaries){.section = section, .count = count};
    bool ok = true;
    for (uint32_t i = 0; i < count && ok; i++) {
        summaries->stretch[i] = get_str(&in);
        ok = in.ok && stretch_ok(summaries->stretch[i], rows_of(of, i), of->resource_count);
    }
    if (ok && in.at == in.end) {
        *ret_summaries = summaries;
        return TK_OK;
    }
    free(summaries);
    return TK_ERR_CORRUPT;
}

void
tk_summaries_free(struct tk_summaries *summaries)
{
    free(summaries);
}

bool
tk_summary_next(tk_str *stretch, struct tk_summary_entry *ret_entry)
{
    struct tk_reader in = reader_of(*stretch);
    if (stretch->len == 0)
        return false;
    *ret_entry = get_entry(&in);
    *stretch = (tk_str){(const char *)in.at, tk_reader_left(&in)};
    return in.ok;
}

enum tk_err
tk_summary_durations(const struct tk_summary_entry *entry, struct tk_histogram *to)
{
    struct tk_reader in = reader_of(entry->buckets);
    uint32_t bucket = 0;
    enum tk_err code = TK_OK;
    while (in.at < in.end && code == TK_OK) {
        bucket += (uint32_t)tk_get_varint(&in);
        code = tk_histogram_add(to, bucket, tk_get_varint(&in));
    }
    return code;
}

/* ---- through the cache ---- */

static void
free_with_section(void *value)
{
    struct tk_summaries *summaries = value;
    free((char *)(uintptr_t)summaries->section.ptr);
    tk_summaries_free(summaries);
}

static enum tk_err
read_section(struct tk_segment *segment, struct tk_summaries **ret_summaries, struct tk_error *err)
{
    const struct tk_part *part = &segment->summaries;
    struct tk_summary_of of = {.groups = segment->groups, .group_count = segment->group_count};
    char *bytes;
    enum tk_err code =
        tk_segment_message_count(segment, TK_MESSAGE_RESOURCE, &of.resource_count, err);
    if (code == TK_OK)
        code = tk_segment_read_part(segment, part, &bytes, err);
    if (code != TK_OK)
        return code;
    code = tk_summaries_read((tk_str){bytes, part->raw_size}, &of, ret_summaries);
    if (code == TK_OK)
        return TK_OK;
    free(bytes);
    return code == TK_ERR_CORRUPT
               ? tk_segment_corrupt(segment, part->offset, "summaries", "they make no sense", err)
               : tk_error_set(err, code, "out of memory for summaries");
}

enum tk_err
tk_segment_summaries(struct tk_segment *segment, struct tk_cache_item **ret_item,
                     struct tk_error *err)
{
    struct tk_cache_key key = {segment->serial, TK_SEGMENT_KEY(TK_SEGMENT_SUMMARIES, 0)};
    struct tk_summaries *summaries;
    if (segment->summaries.size == 0)
        return TK_ERR_NOT_FOUND;
    struct tk_cache_item *item = tk_cache_get(segment->host->cache, key);
    if (item == NULL) {
        enum tk_err code = read_section(segment, &summaries, err);
        if (code != TK_OK)
            return code;
        size_t bytes = sizeof *summaries + summaries->count * sizeof *summaries->stretch +
                       summaries->section.len;
        item = tk_cache_put(segment->host->cache, key, summaries, bytes, free_with_section);
        if (item == NULL)
            return tk_error_set(err, TK_ERR_MEMORY, "out of memory for summaries");
    }
    *ret_item = item;
    return TK_OK;
}
