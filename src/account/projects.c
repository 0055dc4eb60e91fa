/* projects - a project is a tenant: its keys, its data; nothing is seen across two of them. */
#include "account/private.h"

#include "base/options.h"

#include <inttypes.h>
#include <stdio.h>

static bool
name_valid(tk_str name)
{
    if (name.len == 0 || name.len > TK_PROJECT_NAME_MAX)
        return false;
    for (size_t i = 0; i < name.len; i++) {
        char c = name.ptr[i];
        bool alnum = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
        if (!alnum && (i == 0 || (c != '-' && c != '_')))
            return false;
    }
    return true;
}

enum tk_err
tk_project_insert(struct tk_account *account, tk_str name, struct tk_project *ret_project,
                  struct tk_error *err)
{
    uint64_t now = account->env->wall_nano(account->env);
    if (!name_valid(name))
        return tk_error_set(err, TK_ERR_INPUT,
                            "a project's name is 1 to %d of a-z 0-9 - _, a letter or digit first",
                            TK_PROJECT_NAME_MAX);
    enum tk_err result =
        tk_db_run(account->db, err, "INSERT INTO project (name, created_nano) VALUES (?, ?)", "ti",
                  name, (int64_t)now);
    if (result == TK_ERR_EXISTS)
        return tk_error_set(err, result, "project %.*s exists already", TK_STR_ARG(name));
    if (result == TK_OK)
        *ret_project = (struct tk_project){.id = (uint32_t)sqlite3_last_insert_rowid(account->db),
                                           .name = name,
                                           .created_nano = now};
    return result;
}

enum tk_err
tk_account_project_create(struct tk_account *account, tk_str name, struct tk_project *ret_project,
                          struct tk_error *err)
{
    (void)pthread_mutex_lock(&account->lock);
    enum tk_err result = tk_project_insert(account, name, ret_project, err);
    (void)pthread_mutex_unlock(&account->lock);
    tk_identities_refresh(account->identities, TK_REFRESH_NOW);
    return result;
}

#define PROJECT "id, name, created_nano, retention_nano, disk_bytes"

static struct tk_project
read_project(sqlite3_stmt *row, tk_str name)
{
    return (struct tk_project){.id = (uint32_t)sqlite3_column_int64(row, 0),
                               .name = name,
                               .created_nano = (uint64_t)sqlite3_column_int64(row, 2),
                               .retention_nano = (uint64_t)sqlite3_column_int64(row, 3),
                               .disk_bytes = (uint64_t)sqlite3_column_int64(row, 4)};
}

static enum tk_err
list(struct tk_account *account, struct tk_arena *arena, struct tk_project **ret_projects,
     size_t *ret_count, struct tk_error *err)
{
    static const char sql[] = "SELECT " PROJECT ", count(*) OVER () FROM project ORDER BY name";
    struct tk_project *projects = NULL;
    size_t count = 0;
    sqlite3_stmt *statement;
    enum tk_err result = tk_db_prepare(account->db, &statement, err, sql, "");
    if (result != TK_OK)
        return result;
    while ((result = tk_db_step(statement, err)) == TK_OK) {
        if (projects == NULL)
            projects = tk_arena_zalloc(arena, (size_t)sqlite3_column_int64(statement, 5),
                                       sizeof *projects);
        if (projects == NULL) {
            result = tk_error_set(err, TK_ERR_MEMORY, "too many projects to list");
            break;
        }
        projects[count++] = read_project(statement, tk_db_text_copy(statement, 1, arena));
    }
    (void)sqlite3_finalize(statement);
    if (result != TK_ERR_END)
        return result;
    *ret_projects = projects;
    *ret_count = count;
    return TK_OK;
}

enum tk_err
tk_account_project_list(struct tk_account *account, struct tk_arena *arena,
                        struct tk_project **ret_projects, size_t *ret_count, struct tk_error *err)
{
    (void)pthread_mutex_lock(&account->lock);
    enum tk_err result = list(account, arena, ret_projects, ret_count, err);
    (void)pthread_mutex_unlock(&account->lock);
    return result;
}

static enum tk_err
remove_project(struct tk_account *account, tk_str name, struct tk_error *err)
{
    uint64_t now = account->env->wall_nano(account->env);
    enum tk_err result =
        tk_db_run(account->db, err, "INSERT INTO deleted SELECT id, ? FROM project WHERE name = ?",
                  "it", (int64_t)now, name);
    if (result == TK_OK && sqlite3_changes(account->db) == 0)
        return tk_error_set(err, TK_ERR_NOT_FOUND, "no project %.*s", TK_STR_ARG(name));
    if (result == TK_OK)
        result = tk_db_run(account->db, err, "DELETE FROM project WHERE name = ?", "t", name);
    return result;
}

enum tk_err
tk_account_project_delete(struct tk_account *account, tk_str name, struct tk_error *err)
{
    (void)pthread_mutex_lock(&account->lock);
    enum tk_err result = tk_db_run(account->db, err, "BEGIN IMMEDIATE", "");
    if (result == TK_OK)
        result = tk_db_end(account->db, remove_project(account, name, err), err);
    (void)pthread_mutex_unlock(&account->lock);
    tk_identities_refresh(account->identities, TK_REFRESH_NOW);
    return result;
}

static enum tk_err
list_deleted(struct tk_account *account, struct tk_arena *arena, struct tk_deleted **ret_deleted,
             size_t *ret_count, struct tk_error *err)
{
    static const char sql[] = "SELECT project_id, nano, count(*) OVER () FROM deleted";
    struct tk_deleted *deleted = NULL;
    size_t count = 0;
    sqlite3_stmt *statement;
    enum tk_err result = tk_db_prepare(account->db, &statement, err, sql, "");
    if (result != TK_OK)
        return result;
    while ((result = tk_db_step(statement, err)) == TK_OK) {
        if (deleted == NULL)
            deleted =
                tk_arena_zalloc(arena, (size_t)sqlite3_column_int64(statement, 2), sizeof *deleted);
        if (deleted == NULL) {
            result = tk_error_set(err, TK_ERR_MEMORY, "too many projects to list");
            break;
        }
        deleted[count++] = (struct tk_deleted){(uint32_t)sqlite3_column_int64(statement, 0),
                                               (uint64_t)sqlite3_column_int64(statement, 1)};
    }
    (void)sqlite3_finalize(statement);
    if (result != TK_ERR_END)
        return result;
    *ret_deleted = deleted;
    *ret_count = count;
    return TK_OK;
}

enum tk_err
tk_account_deleted_list(struct tk_account *account, struct tk_arena *arena,
                        struct tk_deleted **ret_deleted, size_t *ret_count, struct tk_error *err)
{
    (void)pthread_mutex_lock(&account->lock);
    enum tk_err result = list_deleted(account, arena, ret_deleted, ret_count, err);
    (void)pthread_mutex_unlock(&account->lock);
    return result;
}

enum tk_err
tk_account_deleted_done(struct tk_account *account, uint32_t project_id, struct tk_error *err)
{
    (void)pthread_mutex_lock(&account->lock);
    enum tk_err result = tk_db_run(account->db, err, "DELETE FROM deleted WHERE project_id = ?",
                                   "i", (int64_t)project_id);
    (void)pthread_mutex_unlock(&account->lock);
    return result;
}

uint64_t
tk_account_version(struct tk_account *account)
{
    tk_identities_refresh(account->identities, TK_REFRESH_DUE);
    return tk_identities_version(account->identities);
}

/* ---- what is kept of it ---- */

struct unit {
    uint64_t size;
    const char *name;
};

static bool
parse_limit(tk_str text, bool (*parse)(tk_str text, uint64_t *ret_limit), uint64_t *ret_limit)
{
    uint64_t limit;
    if (tk_str_eq(text, TK_STR("default")))
        limit = 0;
    else if (tk_str_eq(text, TK_STR("none")))
        limit = UINT64_MAX;
    else if (!parse(text, &limit) || limit == 0 || limit > INT64_MAX)
        return false;
    *ret_limit = limit;
    return true;
}

enum tk_err
tk_project_limits_parse(tk_str retention, tk_str disk, struct tk_project *project,
                        struct tk_error *err)
{
    if (retention.len > 0 && !parse_limit(retention, tk_parse_duration, &project->retention_nano))
        return tk_error_set(err, TK_ERR_INPUT,
                            "retention: \"%.*s\" is not a time like 7d, `none` or `default`",
                            TK_STR_ARG(retention));
    if (disk.len > 0 && !parse_limit(disk, tk_parse_size, &project->disk_bytes))
        return tk_error_set(err, TK_ERR_INPUT,
                            "disk: \"%.*s\" is not a size like 10GiB, `none` or `default`",
                            TK_STR_ARG(disk));
    return TK_OK;
}

static enum tk_err
update(struct tk_account *account, const struct tk_project *project, struct tk_error *err)
{
    return tk_db_run(account->db, err,
                     "UPDATE project SET retention_nano = ?, disk_bytes = ? WHERE id = ?", "iii",
                     (int64_t)project->retention_nano, (int64_t)project->disk_bytes,
                     (int64_t)project->id);
}

static enum tk_err
set_limits(struct tk_account *account, tk_str name, tk_str retention, tk_str disk,
           struct tk_project *ret_project, struct tk_error *err)
{
    struct tk_project project = {0};
    sqlite3_stmt *statement;
    enum tk_err result = tk_db_prepare(account->db, &statement, err,
                                       "SELECT " PROJECT " FROM project WHERE name = ?", "t", name);
    if (result != TK_OK)
        return result;
    result = tk_db_step(statement, err);
    if (result == TK_OK)
        project = read_project(statement, name);
    (void)sqlite3_finalize(statement);
    if (result == TK_ERR_END)
        return tk_error_set(err, TK_ERR_NOT_FOUND, "there is no project `%.*s`", TK_STR_ARG(name));
    if (result == TK_OK)
        result = tk_project_limits_parse(retention, disk, &project, err);
    if (result == TK_OK)
        result = update(account, &project, err);
    if (result == TK_OK)
        *ret_project = project;
    return result;
}

enum tk_err
tk_account_project_set(struct tk_account *account, tk_str name, tk_str retention, tk_str disk,
                       struct tk_project *ret_project, struct tk_error *err)
{
    (void)pthread_mutex_lock(&account->lock);
    enum tk_err result = tk_db_run(account->db, err, "BEGIN IMMEDIATE", "");
    if (result == TK_OK) {
        result = set_limits(account, name, retention, disk, ret_project, err);
        result = tk_db_end(account->db, result, err);
    }
    (void)pthread_mutex_unlock(&account->lock);
    tk_identities_refresh(account->identities, TK_REFRESH_NOW);
    return result;
}

/* In the largest unit that divides it, so that it reads back as the same. */
static void
limit_text(uint64_t limit, const struct unit *units, char text[TK_LIMIT_TEXT])
{
    if (limit == 0 || limit == UINT64_MAX) {
        (void)snprintf(text, TK_LIMIT_TEXT, "%s", limit == 0 ? "default" : "none");
        return;
    }
    while (limit % units->size != 0)
        units++;
    (void)snprintf(text, TK_LIMIT_TEXT, "%" PRIu64 "%s", limit / units->size, units->name);
}

void
tk_project_limits_text(const struct tk_project *project, char retention[TK_LIMIT_TEXT],
                       char disk[TK_LIMIT_TEXT])
{
    static const struct unit times[] = {{UINT64_C(86400000000000), "d"},
                                        {UINT64_C(3600000000000), "h"},
                                        {UINT64_C(60000000000), "m"},
                                        {1000000000, "s"},
                                        {1000000, "ms"},
                                        {1, "ns"}};
    static const struct unit sizes[] = {
        {UINT64_C(1) << 40, "TiB"}, {1 << 30, "GiB"}, {1 << 20, "MiB"}, {1 << 10, "KiB"}, {1, "B"}};
    limit_text(project->retention_nano, times, retention);
    limit_text(project->disk_bytes, sizes, disk);
}
