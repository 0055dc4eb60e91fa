/*
 * check - verifies a data directory without changing it (embedded.h).
 *
 * Reads every byte that a query or a replay would read, by the same code, so what passes here is
 * what can be served.  Beside a running server files come and go: one that vanished between listing
 * and opening is none of ours, and a torn tail of a log is a write under way.
 */
#include "store/embedded/internal.h"

#include "store/segment/group.h"
#include "store/segment/row_copy.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

static const size_t CACHE_BYTES = 128 << 20;

struct check {
    struct tk_env *env;
    const char *dir;
    char path[TK_WAL_PATH_SIZE]; /* of what is listed */
    void (*report)(void *arg, const char *line);
    void *report_arg;
    struct tk_embedded_check counts;
    struct tk_cache cache;
    struct tk_segment_host host;
    uint32_t project; /* that is listed */
    enum tk_err code; /* what ends the check */
    struct tk_error *err;
};

static void
say(void *arg, const char *line)
{
    struct check *check = arg;
    if (check->report != NULL)
        check->report(check->report_arg, line);
}

/* What belongs to the whole column. */
static enum tk_err
check_column(struct tk_segment *segment, const struct tk_schema_view *schema, uint32_t number,
             struct tk_error *err)
{
    const struct tk_column *column = &schema->columns[number];
    struct tk_cache_item *item = NULL;
    enum tk_err code = TK_OK;
    if (column->dictionary.size > 0)
        code = tk_segment_dictionary(segment, schema, number, &item, err);
    if (code == TK_OK)
        tk_cache_release(item);
    if (code == TK_OK || code == TK_ERR_CORRUPT)
        code = tk_segment_zones(segment, schema, number, &item, err);
    if (code == TK_OK)
        tk_cache_release(item);
    if (code == TK_OK || code == TK_ERR_CORRUPT)
        code = tk_segment_section(segment, &column->index, &item, err);
    if (code == TK_OK)
        tk_cache_release(item);
    if (code == TK_OK || code == TK_ERR_CORRUPT)
        code = tk_segment_counts(segment, schema, number, &item, err);
    if (code == TK_OK)
        tk_cache_release(item);
    return code == TK_ERR_CORRUPT || code == TK_ERR_NOT_FOUND ? TK_OK : code;
}

/* The pages of a value index. */
static enum tk_err
check_index(struct tk_segment *segment, const struct tk_part *part, struct tk_error *err)
{
    struct tk_cache_item *item, *page_item;
    struct tk_value_index_run run;
    enum tk_err code = tk_segment_section(segment, part, &item, err);
    if (code != TK_OK)
        return code == TK_ERR_CORRUPT ? TK_OK : code;
    tk_str rest = *(const tk_str *)item->value;
    while ((code = tk_value_index_next(&rest, &run)) == TK_OK)
        for (uint64_t i = 0; i < (uint64_t)1 << run.page_bits; i++) {
            struct tk_page page;
            memcpy(&page, run.pages + i * sizeof page, sizeof page);
            if (page.size > 0 && tk_segment_page(segment, &page, &page_item, err) == TK_OK)
                tk_cache_release(page_item);
        }
    tk_cache_release(item);
    if (code == TK_ERR_CORRUPT)
        (void)tk_segment_corrupt(segment, part->offset, "a value index", "it makes no sense", err);
    return TK_OK;
}

static enum tk_err
check_sections(struct tk_segment *segment, const struct tk_schema_view *schema,
               struct tk_error *err)
{
    struct tk_cache_item *item;
    enum tk_err code = tk_segment_operations(segment, &item, err);
    if (code == TK_OK)
        tk_cache_release(item);
    else if (code != TK_ERR_CORRUPT && code != TK_ERR_NOT_FOUND)
        return code;
    code = TK_OK;
    for (uint32_t c = 0; c < schema->column_count && code == TK_OK; c++) {
        code = check_column(segment, schema, c, err);
        if (code == TK_OK &&
            (c == TK_COLUMN_TRACE_HIGH || schema->columns[c].kind == TK_COLUMN_PLAIN))
            code = check_index(segment, &schema->columns[c].index, err);
    }
    for (uint32_t m = 0; m < 2 && code == TK_OK; m++) {
        enum tk_message what = m == 0 ? TK_MESSAGE_RESOURCE : TK_MESSAGE_SCOPE;
        uint32_t count;
        code = tk_segment_message_count(segment, what, &count, err);
        for (uint32_t i = 0; code == TK_OK && i < count; i += TK_RESOURCE_PAGE) {
            code = tk_segment_decoded(segment, what, i / TK_RESOURCE_PAGE, &item, err);
            if (code == TK_OK)
                tk_cache_release(item);
            else if (code == TK_ERR_CORRUPT)
                code = TK_OK;
        }
        if (code == TK_ERR_CORRUPT)
            code = TK_OK;
    }
    return code;
}

/* Every trace is found by its id. */
static enum tk_err
check_traces(struct tk_segment *segment, struct tk_group *group, uint32_t number,
             struct tk_error *err)
{
    struct tk_trace_entry entry, found;
    enum tk_err code = TK_OK;
    for (uint32_t t = 0; code == TK_OK && t < tk_group_entry(group)->trace_count; t++) {
        code = tk_segment_trace(segment, group, number, t, &entry, err);
        if (code == TK_OK)
            code = tk_segment_find(segment, entry.id, true, &found, err);
        if (code == TK_ERR_NOT_FOUND)
            code = tk_segment_corrupt(segment, tk_group_entry(group)->offset, "a group",
                                      "a trace of it is not in the index", err);
    }
    return code;
}

/* Every row becomes a span again; of which trace does not matter. */
static enum tk_err
check_group(struct check *check, struct tk_segment *segment, uint32_t number, struct tk_error *err)
{
    struct tk_cache_item *item;
    struct tk_row_copy copy;
    struct tk_trace_id any = {1, 1};
    enum tk_err code = tk_segment_group(segment, number, true, &item, err);
    if (code != TK_OK)
        return code;
    struct tk_group *group = item->value;
    tk_row_copy_init(&copy);
    copy.to = tk_batch_new();
    code = copy.to == NULL ? tk_error_set(err, TK_ERR_MEMORY, "out of memory")
                           : tk_row_copy_add(&copy, segment, group, any, 0,
                                             tk_group_entry(group)->row_count, err);
    if (code == TK_OK)
        code = check_traces(segment, group, number, err);
    if (code == TK_OK)
        code = tk_check_index(segment, group, number, err);
    if (copy.to != NULL)
        check->counts.spans += copy.to->span_count;
    tk_batch_free(copy.to);
    tk_row_copy_release(&copy);
    tk_cache_release(item);
    return code;
}

static enum tk_err
check_rows(struct check *check, struct tk_segment *segment, struct tk_error *err)
{
    struct tk_cache_item *schema;
    enum tk_err code = tk_segment_schema(segment, &schema, err);
    if (code != TK_OK)
        return code;
    code = check_sections(segment, schema->value, err);
    for (uint32_t number = 0; number < segment->group_count && code == TK_OK; number++) {
        check->counts.groups++;
        code = check_group(check, segment, number, err);
        if (code == TK_ERR_CORRUPT)
            code = TK_OK;
    }
    if (code == TK_OK)
        code = tk_check_summaries(segment, schema->value, err);
    tk_cache_release(schema);
    return code;
}

static enum tk_err
check_segment(struct check *check, const char *path, struct tk_segment_name name,
              struct tk_error *err)
{
    struct tk_segment *segment = NULL;
    enum tk_err code = tk_segment_open(&check->host, path, name, &segment, err);
    if (code == TK_ERR_NOT_FOUND)
        return TK_OK;
    check->counts.files++;
    check->counts.segments++;
    if (code == TK_ERR_CORRUPT || code == TK_ERR_UNSUPPORTED || code == TK_ERR_IO) {
        check->counts.damaged_files++;
        say(check, err->message);
        return TK_OK;
    }
    if (code == TK_OK)
        code = check_rows(check, segment, err);
    tk_segment_unref(segment);
    return code == TK_ERR_CORRUPT ? TK_OK : code;
}

static bool
check_segment_file(void *arg, const char *file)
{
    struct check *check = arg;
    char path[2 * TK_WAL_PATH_SIZE];
    struct tk_segment_name name = {.project = check->project};
    if (!tk_catalog_parse_name(file, &name))
        return true;
    (void)snprintf(path, sizeof path, "%s/%s", check->path, file);
    struct tk_error err = {0};
    check->code = check_segment(check, path, name, &err);
    if (check->code != TK_OK)
        (void)tk_error_set(check->err, check->code, "%s", err.message);
    return check->code == TK_OK;
}

static bool
check_project_dir(void *arg, const char *file)
{
    struct check *check = arg;
    uint64_t id;
    if (file[0] != 'p' || !tk_str_to_u64(tk_str_from(file + 1), &id) || id > UINT32_MAX)
        return true;
    check->project = (uint32_t)id;
    (void)snprintf(check->path, sizeof check->path, "%s/%s", check->dir, file);
    enum tk_err code =
        check->env->list(check->env, check->path, check_segment_file, check, check->err);
    if (code != TK_OK && code != TK_ERR_NOT_FOUND)
        check->code = code;
    return check->code == TK_OK;
}

static enum tk_err
check_record(void *arg, const struct tk_wal_record *record, struct tk_error *err)
{
    struct check *check = arg;
    struct tk_rejected rejected;
    struct tk_error why = {0};
    check->counts.log_records++;
    if (record->type != TK_WAL_SPANS)
        return TK_OK;
    struct tk_batch *batch = tk_batch_new();
    if (batch == NULL)
        return tk_error_set(err, TK_ERR_MEMORY, "out of memory");
    enum tk_err code = tk_wire_decode(record->format, record->encoding, record->body, NULL,
                                      TK_WIRE_UNLIMITED, batch, &rejected, &why);
    check->counts.spans += batch->span_count;
    tk_batch_free(batch);
    if (code == TK_ERR_MEMORY)
        return tk_error_set(err, code, "out of memory");
    if (code != TK_OK) {
        check->counts.damaged_blocks++;
        say(check, why.message);
    }
    return TK_OK;
}

static enum tk_err
check_log(struct check *check)
{
    uint64_t *numbers = NULL;
    size_t count = 0;
    struct tk_buf bytes;
    tk_buf_init(&bytes, SIZE_MAX / 2);
    (void)snprintf(check->path, sizeof check->path, "%s/log", check->dir);
    enum tk_err code = tk_wal_list(check->env, check->path, &numbers, &count, check->err);
    for (size_t i = 0; i < count && code == TK_OK; i++) {
        struct tk_wal_read read = {0};
        code = tk_wal_read(check->env, check->path, numbers[i], check_record, say, check, &bytes,
                           &read, check->err);
        check->counts.damaged_blocks += read.damaged;
        check->counts.files += code == TK_OK;
        if (code == TK_ERR_NOT_FOUND)
            code = TK_OK;
    }
    tk_buf_release(&bytes);
    free(numbers);
    return code;
}

enum tk_err
tk_embedded_check(struct tk_env *env, const char *dir, void (*report)(void *arg, const char *line),
                  void *arg, struct tk_embedded_check *ret_check, struct tk_error *err)
{
    struct tk_error why = {0};
    struct check check = {.env = env != NULL ? env : tk_env_host(),
                          .dir = dir,
                          .report = report,
                          .report_arg = arg,
                          .err = &why};
    tk_cache_init(&check.cache, CACHE_BYTES);
    check.host = (struct tk_segment_host){
        .env = check.env, .cache = &check.cache, .report = say, .report_arg = &check};
    enum tk_err code = check_log(&check);
    if (code == TK_OK)
        code = check.env->list(check.env, dir, check_project_dir, &check, &why);
    if (code == TK_OK)
        code = check.code;
    check.counts.damaged_blocks += atomic_load(&check.host.damaged_blocks);
    tk_cache_release_all(&check.cache);
    if (code != TK_OK)
        return tk_error_set(err, code, "%s", why.message);
    *ret_check = check.counts;
    return TK_OK;
}
