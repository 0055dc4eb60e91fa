/*
 * segment - opening a file, and finding a trace in it (segment.h, docs/formats/segment.md).
 *
 * pread, never mmap: a bad disk is an error value here, not a signal.  Each part is checked before
 * anything in it is believed.  A damaged part is reported and counted once, then every reader that
 * meets it goes on without it.
 */
#include "store/segment/segment.h"

#include "store/segment/group.h"

#include <stdio.h>
#include <stdlib.h>

static const char MAGIC[8] = {'T', 'K', 'S', 'E', 'G', '\r', '\n', 0x1A};
enum { CANDIDATES = 16 };

static atomic_uint_fast64_t last_serial;

/* Was this part met before?  Remembers it. */
static bool
is_known_damage(struct tk_segment *segment, uint64_t offset)
{
    bool known = false;
    pthread_mutex_lock(&segment->_damage_lock);
    for (uint32_t i = 0; i < segment->_damaged_count && !known; i++)
        known = segment->_damaged[i] == offset;
    uint64_t *grown =
        known ? NULL : realloc(segment->_damaged, (segment->_damaged_count + 1u) * sizeof *grown);
    if (grown != NULL) {
        segment->_damaged = grown;
        segment->_damaged[segment->_damaged_count++] = offset;
    }
    pthread_mutex_unlock(&segment->_damage_lock);
    return known;
}

enum tk_err
tk_segment_corrupt(struct tk_segment *segment, uint64_t offset, const char *what, const char *why,
                   struct tk_error *err)
{
    char line[256];
    (void)snprintf(line, sizeof line, "p%u/%08llu-%08llu.seg: %s at byte %llu is damaged: %s",
                   segment->name.project, (unsigned long long)segment->name.first,
                   (unsigned long long)segment->name.last, what, (unsigned long long)offset, why);
    atomic_store(&segment->_any_damaged, true);
    if (segment->_is_open && !is_known_damage(segment, offset)) {
        atomic_fetch_add(&segment->host->damaged_blocks, 1);
        if (segment->host->report != NULL)
            segment->host->report(segment->host->report_arg, line);
    }
    return tk_error_set(err, TK_ERR_CORRUPT, "%s", line);
}

bool
tk_segment_is_damaged(const struct tk_segment *segment)
{
    return atomic_load(&segment->_any_damaged);
}

enum tk_err
tk_segment_read(struct tk_segment *segment, uint64_t offset, uint64_t size, char **ret_bytes,
                struct tk_error *err)
{
    if (offset > segment->size || size > segment->size - offset)
        return tk_error_set(err, TK_ERR_CORRUPT, "beyond the end of the file");
    char *bytes = malloc(size + 1);
    if (bytes == NULL)
        return tk_error_set(err, TK_ERR_MEMORY, "out of memory");
    struct tk_env *env = segment->host->env;
    enum tk_err code = env->read_at(env, segment->_file, bytes, size, offset, err);
    if (code == TK_OK)
        *ret_bytes = bytes;
    else
        free(bytes);
    return code == TK_ERR_END || code == TK_ERR_IO ? TK_ERR_CORRUPT : code;
}

static bool
footer_ok(const struct tk_footer *footer, uint64_t file_size)
{
    const struct tk_part *parts = &footer->groups;
    for (size_t i = 0; i < 7; i++)
        if (parts[i].offset > file_size || parts[i].size > file_size - parts[i].offset ||
            parts[i].raw_size > TK_SEGMENT_PART_MAX)
            return false;
    return footer->groups.raw_size == footer->group_count * sizeof(struct tk_group_entry) &&
           footer->trace_count <= footer->row_count && footer->column_count >= TK_COLUMN_FIXED &&
           footer->column_count <= TK_COLUMNS_MAX;
}

static enum tk_err
read_footer(struct tk_segment *segment, const char *path, struct tk_footer *footer,
            struct tk_error *err)
{
    struct tk_env *env = segment->host->env;
    enum tk_err code = env->size(env, segment->_file, &segment->size, err);
    if (code != TK_OK)
        return code;
    if (segment->size < sizeof *footer)
        return tk_error_set(err, TK_ERR_CORRUPT, "%s: too short", path);
    code = env->read_at(env, segment->_file, footer, sizeof *footer, segment->size - sizeof *footer,
                        err);
    if (code != TK_OK)
        return code;
    tk_str checked = {(const char *)footer, offsetof(struct tk_footer, crc)};
    if (memcmp(footer->magic, MAGIC, sizeof MAGIC) != 0 ||
        !tk_checksum_is(tk_crc32c(0, checked), footer->crc))
        return tk_error_set(err, TK_ERR_CORRUPT, "%s: its footer is damaged", path);
    if (footer->version < TK_SEGMENT_VERSION_MIN || footer->version > TK_SEGMENT_VERSION)
        return tk_error_set(err, TK_ERR_UNSUPPORTED,
                            "%s: version %u is not known here (%d to %d are); `tracekit export` "
                            "of the version that wrote it and `tracekit import` bring it over",
                            path, footer->version, TK_SEGMENT_VERSION_MIN, TK_SEGMENT_VERSION);
    if (!footer_ok(footer, segment->size))
        return tk_error_set(err, TK_ERR_CORRUPT, "%s: its footer makes no sense", path);
    if (footer->project != segment->name.project || footer->first != segment->name.first ||
        footer->last != segment->name.last)
        return tk_error_set(err, TK_ERR_CORRUPT, "%s: is another file under this name", path);
    return TK_OK;
}

static bool
entry_ok(const struct tk_segment *segment, const struct tk_group_entry *entry)
{
    return entry->offset <= segment->size && entry->size <= segment->size - entry->offset &&
           entry->head_size <= entry->size && entry->row_count > 0 &&
           entry->row_count <= TK_GROUP_ROWS && entry->trace_count > 0 &&
           entry->trace_count <= entry->row_count && entry->event_count <= entry->size * 4096ull &&
           entry->link_count <= entry->size * 4096ull &&
           entry->trace_start_min <= entry->trace_start_max;
}

static enum tk_err
read_groups(struct tk_segment *segment, const struct tk_footer *footer, const char *path,
            struct tk_error *err)
{
    char *bytes = NULL;
    uint64_t rows = 0;
    enum tk_err code = TK_OK;
    if (footer->group_count > 0) /* nothing may be left of a segment that was thinned */
        code = tk_segment_read_part(segment, &footer->groups, &bytes, err);
    if (code != TK_OK)
        return code;
    segment->groups = (void *)bytes;
    for (uint32_t i = 0; i < footer->group_count; i++) {
        const struct tk_group_entry *entry = &segment->groups[i];
        rows += entry->row_count;
        if (!entry_ok(segment, entry) ||
            (i > 0 && entry[-1].trace_start_min < entry->trace_start_max))
            return tk_error_set(err, TK_ERR_CORRUPT, "%s: its group index makes no sense", path);
    }
    if (rows != footer->row_count)
        return tk_error_set(err, TK_ERR_CORRUPT, "%s: its group index misses rows", path);
    return TK_OK;
}

static enum tk_err
load(struct tk_segment *segment, const char *path, struct tk_error *err)
{
    struct tk_footer footer;
    struct tk_cache_item *schema = NULL;
    struct tk_env *env = segment->host->env;
    enum tk_err code = env->open(env, path, TK_OPEN_READ, &segment->_file, err);
    if (code == TK_OK)
        code = read_footer(segment, path, &footer, err);
    if (code == TK_OK)
        code = read_groups(segment, &footer, path, err);
    if (code != TK_OK)
        return code == TK_ERR_END ? TK_ERR_CORRUPT : code;
    segment->version = footer.version;
    segment->row_count = footer.row_count;
    segment->trace_count = footer.trace_count;
    segment->start_min = footer.start_min;
    segment->start_max = footer.start_max;
    segment->end_max = footer.end_max;
    segment->thinned = footer.thinned;
    segment->group_count = footer.group_count;
    segment->column_count = footer.column_count;
    segment->operations = footer.operations;
    segment->summaries = footer.summaries;
    segment->_columns = footer.columns;
    segment->_shapes = footer.shapes;
    segment->_messages[TK_MESSAGE_RESOURCE] = footer.resources;
    segment->_messages[TK_MESSAGE_SCOPE] = footer.scopes;
    code = tk_segment_schema(segment, &schema, err);
    if (code != TK_OK)
        return code;
    const struct tk_schema_view *view = schema->value;
    segment->_trace_index = view->columns[TK_COLUMN_TRACE_HIGH].index;
    tk_cache_release(schema);
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
    pthread_mutex_init(&segment->_damage_lock, NULL);
    enum tk_err code = load(segment, path, err);
    segment->_is_open = true;
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
    tk_cache_forget(segment->host->cache, segment->serial, 0);
    if (segment->_file != NULL)
        segment->host->env->close(segment->host->env, segment->_file);
    pthread_mutex_destroy(&segment->_damage_lock);
    free(segment->groups);
    free(segment->_damaged);
    free(segment);
}

enum tk_err
tk_segment_trace(struct tk_segment *segment, struct tk_group *group, uint32_t number,
                 uint32_t trace, struct tk_trace_entry *ret_entry, struct tk_error *err)
{
    static const uint32_t columns[] = {TK_COLUMN_TRACE_HIGH,  TK_COLUMN_TRACE_LOW,
                                       TK_COLUMN_TRACE_START, TK_COLUMN_TRACE_DURATION,
                                       TK_COLUMN_TRACE_TOTAL, TK_COLUMN_TRACE_BEFORE};
    struct tk_values values;
    uint64_t told[6];
    for (size_t i = 0; i < 6; i++) {
        enum tk_err code = tk_group_values(group, columns[i], &values, err);
        if (code != TK_OK)
            return code;
        told[i] = values.number[trace];
    }
    if (told[3] > UINT64_MAX - told[2] || told[4] > UINT32_MAX || told[5] >= told[4])
        return tk_segment_corrupt(segment, tk_group_entry(group)->offset, "a group",
                                  "a trace makes no sense", err);
    *ret_entry = (struct tk_trace_entry){{told[0], told[1]},
                                         told[2],
                                         told[2] + told[3],
                                         0,
                                         (uint32_t)(told[4] - told[5]),
                                         number,
                                         trace};
    return TK_OK;
}

/* Looks for the trace in a group where it may begin. */
static enum tk_err
find_in_group(struct tk_segment *segment, uint32_t number, struct tk_trace_id id, bool whole,
              struct tk_trace_entry *ret_entry, struct tk_error *err)
{
    struct tk_cache_item *item;
    struct tk_values high = {0}, low = {0}, before = {0};
    enum tk_err code = tk_segment_group(segment, number, whole, &item, err);
    if (code != TK_OK)
        return code;
    struct tk_group *group = item->value;
    code = tk_group_values(group, TK_COLUMN_TRACE_HIGH, &high, err);
    if (code == TK_OK)
        code = tk_group_values(group, TK_COLUMN_TRACE_LOW, &low, err);
    if (code == TK_OK)
        code = tk_group_values(group, TK_COLUMN_TRACE_BEFORE, &before, err);
    uint32_t at = 0;
    while (code == TK_OK && at < high.count &&
           (high.number[at] != id.high || low.number[at] != id.low || before.number[at] != 0))
        at++;
    if (code == TK_OK)
        code = at < high.count ? tk_segment_trace(segment, group, number, at, ret_entry, err)
                               : TK_ERR_NOT_FOUND;
    tk_cache_release(item);
    return code;
}

/* Looks in the groups that one run of the index names. */
static enum tk_err
find_in_run(struct tk_segment *segment, const struct tk_value_index_run *run, uint64_t hash,
            struct tk_trace_id id, bool whole, struct tk_trace_entry *ret_entry,
            struct tk_error *err)
{
    uint32_t few[CANDIDATES], *groups = few, count;
    enum tk_err damage = TK_ERR_NOT_FOUND;
    enum tk_err code = tk_segment_lookup(segment, run, hash, groups, CANDIDATES, &count, err);
    if (code == TK_OK && count > CANDIDATES) { /* somebody aims at a bucket */
        groups = malloc(count * sizeof *groups);
        if (groups == NULL)
            return tk_error_set(err, TK_ERR_MEMORY, "out of memory");
        code = tk_segment_lookup(segment, run, hash, groups, count, &count, err);
    }
    for (uint32_t i = 0; code == TK_OK && i < count; i++) {
        if (groups[i] >= segment->group_count)
            break;
        code = find_in_group(segment, groups[i], id, whole, ret_entry, err);
        if (code == TK_OK)
            goto out;
        if (code == TK_ERR_CORRUPT)
            damage = code;
        if (code == TK_ERR_CORRUPT || code == TK_ERR_NOT_FOUND)
            code = TK_OK;
    }
    if (code == TK_OK)
        code = damage;
out:
    if (groups != few)
        free(groups);
    return code;
}

enum tk_err
tk_segment_find(struct tk_segment *segment, struct tk_trace_id id, bool whole,
                struct tk_trace_entry *ret_entry, struct tk_error *err)
{
    struct tk_cache_item *index = NULL;
    enum tk_err damage = TK_ERR_NOT_FOUND;
    enum tk_err code = tk_segment_section(segment, &segment->_trace_index, &index, err);
    if (code == TK_OK) {
        uint64_t hash = tk_hash_stable((tk_str){(const char *)&id, sizeof id});
        tk_str rest = *(const tk_str *)index->value;
        struct tk_value_index_run run;
        while ((code = tk_value_index_next(&rest, &run)) == TK_OK) {
            code = find_in_run(segment, &run, hash, id, whole, ret_entry, err);
            if (code == TK_ERR_CORRUPT)
                damage = code;
            else if (code != TK_ERR_NOT_FOUND)
                break;
        }
        if (code == TK_ERR_CORRUPT)
            code = tk_segment_corrupt(segment, segment->_columns.offset, "the index of traces",
                                      "it makes no sense", err);
    }
    tk_cache_release(index);
    return code == TK_ERR_END ? damage : code;
}
