/*
 * layout - where the bytes of a segment go, section by section (embedded.h).
 *
 * Every byte of the file belongs to one section; what is left over when all are summed is told as
 * "lost", and a test holds it at nothing.  Names of columns are those of TraceQL.
 */
#include "store/embedded/internal.h"

#include "store/segment/group_head.h"
#include "store/segment/segment.h"
#include "store/segment/value_index.h"

#include <stdio.h>
#include <stdlib.h>

enum { NAME_SIZE = 256 };
static const size_t CACHE_BYTES = 4 << 20;

struct layout {
    struct tk_segment *segment;
    const struct tk_schema_view *schema;
    void (*each)(void *arg, const char *name, uint64_t bytes);
    void *arg;
    uint64_t told;
};

static const char *const fixed_names[TK_COLUMN_FIXED] = {
    [TK_COLUMN_TRACE_HIGH] = "trace id",
    [TK_COLUMN_TRACE_LOW] = "trace id",
    [TK_COLUMN_TRACE_START] = "trace start",
    [TK_COLUMN_TRACE_DURATION] = "trace duration",
    [TK_COLUMN_TRACE_ROWS] = "trace rows",
    [TK_COLUMN_TRACE_BEFORE] = "trace rows",
    [TK_COLUMN_TRACE_TOTAL] = "trace rows",
    [TK_COLUMN_SPAN_ID] = "span id",
    [TK_COLUMN_PARENT] = "parent",
    [TK_COLUMN_PARENT_ID] = "parent",
    [TK_COLUMN_START] = "start",
    [TK_COLUMN_DURATION] = "duration",
    [TK_COLUMN_NAME] = "name",
    [TK_COLUMN_TRACE_STATE] = "trace state",
    [TK_COLUMN_STATUS_MESSAGE] = "status",
    [TK_COLUMN_STATUS] = "status",
    [TK_COLUMN_KIND] = "kind",
    [TK_COLUMN_FLAGS] = "flags",
    [TK_COLUMN_RESOURCE] = "resource number",
    [TK_COLUMN_SCOPE] = "scope number",
    [TK_COLUMN_SHAPE] = "shape",
    [TK_COLUMN_DROPPED_ATTRS] = "dropped counts",
    [TK_COLUMN_DROPPED_EVENTS] = "dropped counts",
    [TK_COLUMN_DROPPED_LINKS] = "dropped counts",
    [TK_COLUMN_OTHER] = "attributes without columns",
    [TK_COLUMN_EVENT_OTHER] = "attributes without columns",
    [TK_COLUMN_LINK_OTHER] = "attributes without columns",
};

static void
tell(struct layout *layout, const char *what, uint32_t column, uint64_t bytes)
{
    static const char *const owners[] = {"", "span.", "event.", "link."};
    char name[NAME_SIZE];
    const struct tk_column *described = &layout->schema->columns[column];
    layout->told += bytes;
    if (bytes == 0)
        return;
    if (column >= TK_COLUMN_FIXED)
        (void)snprintf(name, sizeof name, "%s%s%.*s", what, owners[described->owner],
                       TK_STR_ARG(described->key));
    else if (fixed_names[column] != NULL)
        (void)snprintf(name, sizeof name, "%s%s", what, fixed_names[column]);
    else
        (void)snprintf(name, sizeof name, "%sevents and links", what);
    layout->each(layout->arg, name, bytes);
}

static void
tell_all(struct layout *layout, const char *name, uint64_t bytes)
{
    layout->told += bytes;
    if (bytes > 0)
        layout->each(layout->arg, name, bytes);
}

/* The values themselves, group by group. */
static enum tk_err
tell_groups(struct layout *layout, struct tk_error *err)
{
    struct tk_segment *segment = layout->segment;
    for (uint32_t i = 0; i < segment->group_count; i++) {
        const struct tk_group_entry *group = &segment->groups[i];
        char *head;
        enum tk_err code = tk_segment_read(segment, group->offset, group->head_size, &head, err);
        if (code != TK_OK)
            return code;
        tell_all(layout, "heads of groups", group->head_size);
        struct tk_reader in = {(const unsigned char *)head,
                               (const unsigned char *)head + group->head_size, true};
        struct tk_chunk chunk, *before = NULL;
        while (tk_reader_left(&in) > 0 &&
               tk_group_head_next(&in, segment->version, before, &chunk)) {
            if (chunk.column < layout->schema->column_count)
                tell(layout, "", chunk.column, chunk.size);
            before = &chunk;
        }
        free(head);
    }
    return TK_OK;
}

/* The pages of a value index; its section has their tables. */
static enum tk_err
tell_pages(struct layout *layout, uint32_t column, struct tk_error *err)
{
    struct tk_value_index_run run;
    struct tk_cache_item *item;
    enum tk_err code =
        tk_segment_section(layout->segment, &layout->schema->columns[column].index, &item, err);
    if (code != TK_OK)
        return code;
    tk_str rest = *(const tk_str *)item->value;
    while ((code = tk_value_index_next(&rest, &run)) == TK_OK)
        for (uint64_t i = 0; i < (uint64_t)1 << run.page_bits; i++) {
            struct tk_page page;
            memcpy(&page, run.pages + i * sizeof page, sizeof page);
            tell(layout, "index of ", column, page.size);
        }
    tk_cache_release(item);
    return code == TK_ERR_END ? TK_OK : code;
}

static enum tk_err
tell_columns(struct layout *layout, struct tk_error *err)
{
    enum tk_err code = TK_OK;
    for (uint32_t c = 0; c < layout->schema->column_count && code == TK_OK; c++) {
        const struct tk_column *column = &layout->schema->columns[c];
        tell(layout, "dictionary of ", c, column->dictionary.size);
        tell(layout, "zones of ", c, column->zones.size);
        tell(layout, "index of ", c, column->index.size);
        tell(layout, "counts of ", c, column->counts.size);
        if (c == TK_COLUMN_TRACE_HIGH || column->kind == TK_COLUMN_PLAIN)
            code = tell_pages(layout, c, err);
    }
    return code;
}

/* Resources or scopes: a section of page entries, and the pages. */
static enum tk_err
tell_messages(struct layout *layout, const struct tk_part *part, const char *name,
              struct tk_error *err)
{
    struct tk_cache_item *item;
    uint64_t count_size = sizeof(uint64_t);
    tell_all(layout, name, part->size);
    enum tk_err code = tk_segment_section(layout->segment, part, &item, err);
    if (code != TK_OK)
        return code;
    const tk_str *section = item->value;
    for (uint64_t at = count_size; at + sizeof(struct tk_page) <= section->len;
         at += sizeof(struct tk_page)) {
        struct tk_page page;
        memcpy(&page, section->ptr + at, sizeof page);
        tell_all(layout, name, page.size);
    }
    tk_cache_release(item);
    return TK_OK;
}

static enum tk_err
tell_rest(struct layout *layout, struct tk_error *err)
{
    struct tk_segment *segment = layout->segment;
    struct tk_footer footer;
    char *bytes;
    enum tk_err code =
        tk_segment_read(segment, segment->size - sizeof footer, sizeof footer, &bytes, err);
    if (code != TK_OK)
        return code;
    memcpy(&footer, bytes, sizeof footer);
    free(bytes);
    tell_all(layout, "footer", sizeof footer);
    tell_all(layout, "group index", footer.groups.size);
    tell_all(layout, "columns and shapes", footer.columns.size + footer.shapes.size);
    tell_all(layout, "operations", footer.operations.size);
    tell_all(layout, "summaries", footer.summaries.size);
    code = tell_messages(layout, &footer.resources, "resources", err);
    if (code == TK_OK)
        code = tell_messages(layout, &footer.scopes, "scopes", err);
    return code;
}

static enum tk_err
tell_segment(struct tk_segment *segment, void (*each)(void *arg, const char *name, uint64_t bytes),
             void *arg, struct tk_error *err)
{
    struct layout layout = {.segment = segment, .each = each, .arg = arg};
    struct tk_cache_item *schema;
    enum tk_err code = tk_segment_schema(segment, &schema, err);
    if (code != TK_OK)
        return code;
    layout.schema = schema->value;
    code = tell_groups(&layout, err);
    if (code == TK_OK)
        code = tell_columns(&layout, err);
    if (code == TK_OK)
        code = tell_rest(&layout, err);
    tk_cache_release(schema);
    if (code == TK_OK && layout.told != segment->size)
        each(arg, "lost", segment->size - layout.told);
    return code;
}

/* ---- all segments of a directory ------------------------------------------------------------- */

struct walk {
    struct tk_env *env;
    const char *dir;
    struct tk_segment_host host;
    struct tk_cache cache;
    uint32_t project;
    char path[TK_WAL_PATH_SIZE]; /* of the project */
    void (*each)(void *arg, const char *name, uint64_t bytes);
    void *arg;
    enum tk_err code;
    struct tk_error *err;
};

static bool
walk_segment(void *arg, const char *file)
{
    struct walk *walk = arg;
    struct tk_segment *segment = NULL;
    struct tk_segment_name name = {.project = walk->project};
    char path[2 * TK_WAL_PATH_SIZE];
    if (!tk_catalog_parse_name(file, &name))
        return true;
    (void)snprintf(path, sizeof path, "%s/%s", walk->path, file);
    enum tk_err code = tk_segment_open(&walk->host, path, name, &segment, walk->err);
    if (code == TK_OK)
        code = tell_segment(segment, walk->each, walk->arg, walk->err);
    tk_segment_unref(segment);
    /* Compacted away meanwhile, or damaged, which is tk_embedded_check's to tell. */
    if (code != TK_ERR_NOT_FOUND && code != TK_ERR_CORRUPT && code != TK_ERR_UNSUPPORTED)
        walk->code = code;
    return walk->code == TK_OK;
}

static bool
walk_project(void *arg, const char *file)
{
    struct walk *walk = arg;
    uint64_t id;
    if (file[0] != 'p' || !tk_str_to_u64(tk_str_from(file + 1), &id) || id > UINT32_MAX)
        return true;
    walk->project = (uint32_t)id;
    (void)snprintf(walk->path, sizeof walk->path, "%s/%s", walk->dir, file);
    enum tk_err code = walk->env->list(walk->env, walk->path, walk_segment, walk, walk->err);
    if (code != TK_OK && code != TK_ERR_NOT_FOUND)
        walk->code = code;
    return walk->code == TK_OK;
}

enum tk_err
tk_embedded_sections(struct tk_env *env, const char *dir,
                     void (*each)(void *arg, const char *name, uint64_t bytes), void *arg,
                     struct tk_error *err)
{
    struct walk walk = {
        .env = env != NULL ? env : tk_env_host(), .dir = dir, .each = each, .arg = arg, .err = err};
    tk_cache_init(&walk.cache, CACHE_BYTES);
    walk.host = (struct tk_segment_host){.env = walk.env, .cache = &walk.cache};
    enum tk_err code = walk.env->list(walk.env, dir, walk_project, &walk, err);
    tk_cache_release_all(&walk.cache);
    return code != TK_OK ? code : walk.code;
}
