/*
 * check - verifies a data directory without changing it (embedded.h).
 *
 * Reads every byte that a query or a replay would read, by the same code, so what passes here is
 * what can be served.  Beside a running server files come and go: one that vanished between listing
 * and opening is none of ours, and a torn tail of a log is a write under way.
 */
#include "store/embedded/internal.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

struct check {
    struct tk_env *env;
    const char *dir;
    char path[TK_WAL_PATH_SIZE]; /* of what is listed */
    void (*report)(void *arg, const char *line);
    void *report_arg;
    struct tk_embedded_check counts;
    struct tk_cache cache; /* keeps nothing */
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

/* Blocks in order against the table: each row must be of the trace that the table says. */
static enum tk_err
check_rows(struct check *check, struct tk_segment *segment, const struct tk_table *table,
           struct tk_error *err)
{
    uint32_t entry = 0, left = table->count > 0 ? table->entries[0].row_count : 0;
    for (uint32_t number = 0; number < segment->block_count; number++) {
        struct tk_cache_item *item = NULL;
        enum tk_err code = tk_segment_block(segment, number, &item, err);
        const struct tk_batch *batch = code == TK_OK ? item->value : NULL;
        if (code == TK_ERR_MEMORY)
            return code;
        check->counts.blocks++;
        bool wrong = false;
        for (uint32_t row = 0; row < segment->blocks[number].row_count; row++, left--) {
            if (left == 0)
                left = table->entries[++entry].row_count;
            wrong = wrong || (batch != NULL &&
                              !tk_trace_id_eq(batch->trace_id[row], table->entries[entry].id));
        }
        if (batch != NULL)
            check->counts.spans += batch->span_count;
        if (wrong) {
            check->counts.damaged_blocks++;
            say(check, "a block's rows are of other traces than the table says");
        }
        tk_cache_release(item);
    }
    return TK_OK;
}

static enum tk_err
check_segment(struct check *check, const char *path, struct tk_segment_name name,
              struct tk_error *err)
{
    struct tk_segment *segment = NULL;
    struct tk_cache_item *table = NULL;
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
        code = tk_segment_table(segment, &table, err);
    if (code == TK_OK)
        code = check_rows(check, segment, table->value, err);
    tk_cache_release(table);
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
    (void)snprintf(check->path, sizeof check->path, "%s/log", check->dir);
    enum tk_err code = tk_wal_list(check->env, check->path, &numbers, &count, check->err);
    for (size_t i = 0; i < count && code == TK_OK; i++) {
        struct tk_wal_read read = {0};
        code = tk_wal_read(check->env, check->path, numbers[i], check_record, say, check, &read,
                           check->err);
        check->counts.damaged_blocks += read.damaged;
        check->counts.files += code == TK_OK;
        if (code == TK_ERR_NOT_FOUND)
            code = TK_OK;
    }
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
    tk_cache_init(&check.cache, 0);
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
