/*
 * account - opening accounts.db: its schema, and the first start.
 *
 * Two connections to one file.  `db` is for people and programs that manage projects, keys and
 * sessions (projects.c, keys.c, sessions.c); it may wait for a disk or for another process.
 * `identities` has its own, which only reads, so that a request that must know who it is never
 * waits behind a write.
 *
 * Invariants
 *   (1) ids are never given twice (AUTOINCREMENT): data of a deleted project can never become
 *       visible to a later one;
 *   (2) no secret is in the file: keys, sessions and sign-in tokens are there as SHA-256 only;
 *   (3) every change is one transaction, followed by tk_identities_refresh(TK_REFRESH_NOW).
 */
#include "account/private.h"

#include <stdlib.h>

enum { SCHEMA_VERSION = 2, BUSY_MS = 5000 };

/* Each is what makes its version out of the one before.  Times are ns since the epoch. */
static const char schema_1[] =
    "CREATE TABLE project ("
    " id INTEGER PRIMARY KEY AUTOINCREMENT,"
    " name TEXT NOT NULL UNIQUE,"
    " created_nano INTEGER NOT NULL) STRICT;"

    "CREATE TABLE key ("
    " id INTEGER PRIMARY KEY AUTOINCREMENT,"
    " project_id INTEGER NOT NULL REFERENCES project (id) ON DELETE CASCADE,"
    " kind INTEGER NOT NULL," /* enum tk_key_kind */
    " name TEXT NOT NULL,"
    " prefix TEXT NOT NULL,"
    " hash BLOB NOT NULL UNIQUE,"
    " created_nano INTEGER NOT NULL,"
    " last_used_nano INTEGER NOT NULL DEFAULT 0,"
    " revoked INTEGER NOT NULL DEFAULT 0) STRICT;"
    "CREATE INDEX key_project ON key (project_id);"

    "CREATE TABLE origin ("
    " key_id INTEGER NOT NULL REFERENCES key (id) ON DELETE CASCADE,"
    " origin TEXT NOT NULL,"
    " PRIMARY KEY (key_id, origin)) STRICT, WITHOUT ROWID;"

    "CREATE TABLE session ("
    " hash BLOB PRIMARY KEY,"
    " key_id INTEGER REFERENCES key (id) ON DELETE CASCADE," /* NULL: from a sign-in token */
    " expires_nano INTEGER NOT NULL) STRICT, WITHOUT ROWID;"
    "CREATE INDEX session_key ON session (key_id);"

    "CREATE TABLE first_start (" /* one row once a server has started here */
    " nano INTEGER NOT NULL) STRICT;"

    "CREATE TABLE signin ("
    " hash BLOB PRIMARY KEY,"
    " expires_nano INTEGER NOT NULL) STRICT, WITHOUT ROWID;"

    "PRAGMA user_version = 1";

static const char schema_2[] =
    /* 0: the server's own; -1: no limit */
    "ALTER TABLE project ADD COLUMN retention_nano INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE project ADD COLUMN disk_bytes INTEGER NOT NULL DEFAULT 0;"

    "CREATE TABLE deleted (" /* a project whose spans have still to go */
    " project_id INTEGER PRIMARY KEY,"
    " nano INTEGER NOT NULL) STRICT;"

    "PRAGMA user_version = 2";

static const char *const schemas[SCHEMA_VERSION] = {schema_1, schema_2};

static const char *const kind_texts[] = {"server", "browser", "read", "admin"};

const char *
tk_key_kind_text(enum tk_key_kind kind)
{
    return kind_texts[kind];
}

bool
tk_key_kind_parse(tk_str text, enum tk_key_kind *ret_kind)
{
    for (unsigned kind = 0; kind < sizeof kind_texts / sizeof *kind_texts; kind++) {
        if (tk_str_eq(text, tk_str_from(kind_texts[kind]))) {
            *ret_kind = (enum tk_key_kind)kind;
            return true;
        }
    }
    return false;
}

/* Project `default` is there from the first moment on, whichever command comes first. */
static enum tk_err
raise_schema(struct tk_account *account, int64_t version, struct tk_error *err)
{
    struct tk_project project;
    for (int64_t at = version; at < SCHEMA_VERSION; at++)
        if (sqlite3_exec(account->db, schemas[at], NULL, NULL, NULL) != SQLITE_OK)
            return tk_db_error(account->db, err);
    return version == 0 ? tk_project_insert(account, TK_STR("default"), &project, err) : TK_OK;
}

/* Inside a write transaction, so that two processes that start at once do not both make it. */
static enum tk_err
check_schema(struct tk_account *account, struct tk_error *err)
{
    sqlite3 *db = account->db;
    int64_t version;
    enum tk_err result = tk_db_run(db, err, "BEGIN IMMEDIATE", "");
    if (result != TK_OK)
        return result;
    result = tk_db_number(db, &version, err, "PRAGMA user_version");
    if (result == TK_OK && version > SCHEMA_VERSION)
        result = tk_error_set(err, TK_ERR_UNSUPPORTED,
                              "%s: made by a newer tracekit (schema %lld, this one knows %d)",
                              sqlite3_db_filename(db, "main"), (long long)version, SCHEMA_VERSION);
    if (result == TK_OK)
        result = raise_schema(account, version, err);
    return tk_db_end(db, result, err);
}

enum tk_err
tk_account_open(struct tk_env *env, const char *dir, struct tk_account **ret_account,
                struct tk_error *err)
{
    struct tk_account *account = calloc(1, sizeof *account);
    struct tk_buf path;
    enum tk_err result;
    tk_buf_init(&path, 1 << 16);
    tk_buf_printf(&path, "%s/accounts.db", dir);
    if (account != NULL)
        (void)pthread_mutex_init(&account->lock, NULL);
    if (account == NULL || path.status != TK_OK) {
        result = tk_error_set(err, TK_ERR_MEMORY, "%s: out of memory", dir);
        goto out;
    }
    account->env = env;
    result = env->make_dir(env, dir, err);
    if (result == TK_OK)
        result = tk_db_open(path.ptr, BUSY_MS, &account->db, err);
    if (result == TK_OK)
        result = check_schema(account, err);
    if (result == TK_OK)
        result = tk_identities_open(env, path.ptr, &account->identities, err);
    if (result == TK_OK) {
        *ret_account = account;
        account = NULL;
    }
out:
    tk_buf_release(&path);
    tk_account_close(account);
    return result;
}

void
tk_account_close(struct tk_account *account)
{
    if (account == NULL)
        return;
    tk_identities_close(account->identities);
    tk_db_close(account->db);
    (void)pthread_mutex_destroy(&account->lock);
    free(account);
}

static enum tk_err
first_start(struct tk_account *account, tk_str given, char key[TK_KEY_SIZE_MAX + 1],
            bool *ret_first, struct tk_error *err)
{
    sqlite3 *db = account->db;
    const struct tk_key_request request = {.kind = TK_KEY_SERVER, .name = TK_STR("first start")};
    int64_t started, project_id, key_id;
    enum tk_err result = tk_db_number(db, &started, err, "SELECT count(*) FROM first_start");
    if (result == TK_OK)
        result = tk_db_number(db, &project_id, err,
                              "SELECT coalesce(max(id), 0) FROM project WHERE name = 'default'");
    if (result != TK_OK)
        return result;
    *ret_first = started == 0 && project_id != 0;
    if (!*ret_first)
        return TK_OK;
    result = tk_db_run(db, err, "INSERT INTO first_start VALUES (?)", "i",
                       (int64_t)account->env->wall_nano(account->env));
    if (result == TK_OK)
        result = tk_key_insert(account, project_id, &request, given, key, &key_id, err);
    return result;
}

enum tk_err
tk_account_first_start(struct tk_account *account, tk_str given, char key[TK_KEY_SIZE_MAX + 1],
                       bool *ret_first, struct tk_error *err)
{
    (void)pthread_mutex_lock(&account->lock);
    enum tk_err result = tk_db_run(account->db, err, "BEGIN IMMEDIATE", "");
    if (result == TK_OK) {
        result = first_start(account, given, key, ret_first, err);
        result = tk_db_end(account->db, result, err);
    }
    (void)pthread_mutex_unlock(&account->lock);
    tk_identities_refresh(account->identities, TK_REFRESH_NOW);
    return result;
}
