/* projects - a project is a tenant: its keys, its data; nothing is seen across two of them. */
#include "account/private.h"

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

static enum tk_err
list(struct tk_account *account, struct tk_arena *arena, struct tk_project **ret_projects,
     size_t *ret_count, struct tk_error *err)
{
    static const char sql[] = "SELECT id, name, created_nano, count(*) OVER () FROM project "
                              "ORDER BY name";
    struct tk_project *projects = NULL;
    size_t count = 0;
    sqlite3_stmt *statement;
    enum tk_err result = tk_db_prepare(account->db, &statement, err, sql, "");
    if (result != TK_OK)
        return result;
    while ((result = tk_db_step(statement, err)) == TK_OK) {
        if (projects == NULL)
            projects = tk_arena_zalloc(arena, (size_t)sqlite3_column_int64(statement, 3),
                                       sizeof *projects);
        if (projects == NULL) {
            result = tk_error_set(err, TK_ERR_MEMORY, "too many projects to list");
            break;
        }
        projects[count++] =
            (struct tk_project){.id = (uint32_t)sqlite3_column_int64(statement, 0),
                                .name = tk_db_text_copy(statement, 1, arena),
                                .created_nano = (uint64_t)sqlite3_column_int64(statement, 2)};
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

enum tk_err
tk_account_project_delete(struct tk_account *account, tk_str name, struct tk_error *err)
{
    (void)pthread_mutex_lock(&account->lock);
    enum tk_err result =
        tk_db_run(account->db, err, "DELETE FROM project WHERE name = ?", "t", name);
    if (result == TK_OK && sqlite3_changes(account->db) == 0)
        result = tk_error_set(err, TK_ERR_NOT_FOUND, "no project %.*s", TK_STR_ARG(name));
    (void)pthread_mutex_unlock(&account->lock);
    tk_identities_refresh(account->identities, TK_REFRESH_NOW);
    return result;
}
