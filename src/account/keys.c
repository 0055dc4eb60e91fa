/* keys - API keys of a project: made, listed, revoked.  Revoked keys stay listed. */
#include "account/private.h"

#include <stdio.h>

enum {
    KEY_NAME_MAX = 200, /* bytes */
    ORIGIN_SIZE_MAX = 255,
    SECRET_DIGITS = 32,  /* 160 random bits */
    PREFIX_DIGITS = 6,   /* of them, for people */
    GIVEN_PREFIX_MAX = 6 /* of a key that was given, and never more than a quarter of it */
};

/* A given key must pass through an HTTP header. */
static bool
given_valid(tk_str given)
{
    for (size_t i = 0; i < given.len; i++)
        if (given.ptr[i] <= ' ' || given.ptr[i] > '~')
            return false;
    return given.len <= TK_KEY_SIZE_MAX;
}

/* An origin as browsers send it (RFC 6454, 6.1): scheme://host[:port], lower case, nothing more. */
static bool
origin_valid(tk_str origin)
{
    tk_str host = origin;
    if (origin.len > ORIGIN_SIZE_MAX)
        return false;
    for (size_t i = 0; i < origin.len; i++) {
        char c = origin.ptr[i];
        if (c <= ' ' || c > '~' || (c >= 'A' && c <= 'Z') || strchr("*?#@\\,;\"", c) != NULL)
            return false;
    }
    tk_str scheme = tk_str_split(&host, ':');
    return scheme.len > 0 && tk_str_starts_with(host, TK_STR("//")) && host.len > 2 &&
           memchr(host.ptr + 2, '/', host.len - 2) == NULL;
}

static enum tk_err
check_request(const struct tk_key_request *request, struct tk_error *err)
{
    if (request->name.len > KEY_NAME_MAX || !tk_utf8_valid(request->name, NULL))
        return tk_error_set(err, TK_ERR_INPUT, "a key's name is UTF-8 of at most %d bytes",
                            KEY_NAME_MAX);
    if (request->origin_count > 0 && request->kind != TK_KEY_BROWSER)
        return tk_error_set(err, TK_ERR_INPUT, "only browser keys have origins");
    if (request->origin_count > TK_ORIGINS_MAX)
        return tk_error_set(err, TK_ERR_INPUT, "a key has at most %d origins", TK_ORIGINS_MAX);
    for (size_t i = 0; i < request->origin_count; i++)
        if (!origin_valid(request->origins[i]))
            return tk_error_set(err, TK_ERR_INPUT,
                                "origin \"%.*s\": expected scheme://host or scheme://host:port "
                                "in lower case, as in https://app.example.com",
                                TK_STR_ARG(request->origins[i]));
    return TK_OK;
}

/* Writes the new (or the given) key and returns how much of it may be shown later. */
static size_t
make_secret(struct tk_env *env, enum tk_key_kind kind, tk_str given,
            char secret[TK_KEY_SIZE_MAX + 1])
{
    if (given.len == 0) {
        int head = snprintf(secret, TK_KEY_SIZE_MAX, "tk_%s_", tk_key_kind_text(kind));
        tk_secret_key_text(env, secret + head, SECRET_DIGITS);
        return (size_t)head + PREFIX_DIGITS;
    }
    memcpy(secret, given.ptr, given.len);
    secret[given.len] = '\0';
    return given.len / 4 < GIVEN_PREFIX_MAX ? given.len / 4 : GIVEN_PREFIX_MAX;
}

enum tk_err
tk_key_insert(struct tk_account *account, int64_t project_id, const struct tk_key_request *request,
              tk_str given, char secret[TK_KEY_SIZE_MAX + 1], int64_t *ret_id, struct tk_error *err)
{
    static const char sql[] = "INSERT INTO key (project_id, kind, name, prefix, hash, created_nano)"
                              " VALUES (?, ?, ?, ?, ?, ?)";
    unsigned char hash[TK_SECRET_HASH_SIZE];
    enum tk_err result = check_request(request, err);
    if (result != TK_OK)
        return result;
    if (!given_valid(given))
        return tk_error_set(err, TK_ERR_INPUT,
                            "a key is at most %d printable ASCII characters without spaces",
                            TK_KEY_SIZE_MAX);
    size_t shown = make_secret(account->env, request->kind, given, secret);
    tk_secret_hash(tk_str_from(secret), hash);
    result =
        tk_db_run(account->db, err, sql, "iittbi", project_id, (int64_t)request->kind,
                  request->name, (tk_str){secret, shown}, (tk_str){(const char *)hash, sizeof hash},
                  (int64_t)account->env->wall_nano(account->env));
    if (result != TK_OK)
        return result;
    *ret_id = sqlite3_last_insert_rowid(account->db);
    for (size_t i = 0; i < request->origin_count && result == TK_OK; i++)
        result = tk_db_run(account->db, err, "INSERT OR IGNORE INTO origin VALUES (?, ?)", "it",
                           *ret_id, request->origins[i]);
    return result;
}

/* Of one key: the origins, into `arena`. */
static enum tk_err
read_origins(struct tk_account *account, struct tk_key *key, struct tk_arena *arena,
             struct tk_error *err)
{
    sqlite3_stmt *statement;
    tk_str *origins = tk_arena_zalloc(arena, TK_ORIGINS_MAX, sizeof *origins);
    if (origins == NULL)
        return tk_error_set(err, TK_ERR_MEMORY, "too many keys to list");
    enum tk_err result = tk_db_prepare(account->db, &statement, err,
                                       "SELECT origin FROM origin WHERE key_id = ? ORDER BY origin",
                                       "i", (int64_t)key->id);
    if (result != TK_OK)
        return result;
    key->origins = origins;
    while ((result = tk_db_step(statement, err)) == TK_OK)
        if (key->origin_count < TK_ORIGINS_MAX)
            origins[key->origin_count++] = tk_db_text_copy(statement, 0, arena);
    (void)sqlite3_finalize(statement);
    return result == TK_ERR_END ? TK_OK : result;
}

static enum tk_err
read_key(struct tk_account *account, sqlite3_stmt *row, struct tk_arena *arena,
         struct tk_key *ret_key, struct tk_error *err)
{
    *ret_key = (struct tk_key){
        .id = (uint32_t)sqlite3_column_int64(row, 0),
        .project_id = (uint32_t)sqlite3_column_int64(row, 1),
        .project = tk_db_text_copy(row, 2, arena),
        .kind = (enum tk_key_kind)sqlite3_column_int(row, 3),
        .name = tk_db_text_copy(row, 4, arena),
        .prefix = tk_db_text_copy(row, 5, arena),
        .created_nano = (uint64_t)sqlite3_column_int64(row, 6),
        .last_used_nano = (uint64_t)sqlite3_column_int64(row, 7),
        .revoked = sqlite3_column_int(row, 8) != 0,
    };
    if (ret_key->kind != TK_KEY_BROWSER)
        return TK_OK;
    return read_origins(account, ret_key, arena, err);
}

/* All keys of a project (0: of every project), or the one with `key_id` (0: all). */
static enum tk_err
select_keys(struct tk_account *account, uint32_t project_id, int64_t key_id, struct tk_arena *arena,
            struct tk_key **ret_keys, size_t *ret_count, struct tk_error *err)
{
    static const char sql[] =
        "SELECT key.id, project.id, project.name, kind, key.name, prefix, key.created_nano,"
        " last_used_nano, revoked, count(*) OVER ()"
        " FROM key JOIN project ON project.id = project_id"
        " WHERE ?1 IN (0, project_id) AND ?2 IN (0, key.id) ORDER BY key.id";
    struct tk_key *keys = NULL;
    size_t count = 0;
    sqlite3_stmt *statement;
    enum tk_err result =
        tk_db_prepare(account->db, &statement, err, sql, "ii", (int64_t)project_id, key_id);
    if (result != TK_OK)
        return result;
    while ((result = tk_db_step(statement, err)) == TK_OK) {
        if (keys == NULL)
            keys = tk_arena_zalloc(arena, (size_t)sqlite3_column_int64(statement, 9), sizeof *keys);
        if (keys == NULL)
            result = tk_error_set(err, TK_ERR_MEMORY, "too many keys to list");
        else
            result = read_key(account, statement, arena, &keys[count++], err);
        if (result != TK_OK)
            break;
    }
    (void)sqlite3_finalize(statement);
    if (result != TK_ERR_END)
        return result;
    *ret_keys = keys;
    *ret_count = count;
    return TK_OK;
}

static enum tk_err
create(struct tk_account *account, const struct tk_key_request *request, struct tk_arena *arena,
       struct tk_key *ret_key, char secret[TK_KEY_SIZE_MAX + 1], struct tk_error *err)
{
    struct tk_key *made;
    size_t count;
    int64_t key_id;
    sqlite3_stmt *statement;
    enum tk_err result =
        tk_db_prepare(account->db, &statement, err, "SELECT id FROM project WHERE name = ?", "t",
                      request->project);
    if (result != TK_OK)
        return result;
    result = tk_db_step(statement, err);
    int64_t project_id = sqlite3_column_int64(statement, 0);
    (void)sqlite3_finalize(statement);
    if (result == TK_ERR_END)
        return tk_error_set(err, TK_ERR_NOT_FOUND, "no project %.*s", TK_STR_ARG(request->project));
    if (result == TK_OK)
        result = tk_key_insert(account, project_id, request, TK_STR_NONE, secret, &key_id, err);
    if (result == TK_OK)
        result = select_keys(account, 0, key_id, arena, &made, &count, err);
    if (result == TK_OK)
        *ret_key = made[0];
    return result;
}

enum tk_err
tk_account_key_create(struct tk_account *account, const struct tk_key_request *request,
                      struct tk_arena *arena, struct tk_key *ret_key,
                      char secret[TK_KEY_SIZE_MAX + 1], struct tk_error *err)
{
    (void)pthread_mutex_lock(&account->lock);
    enum tk_err result = tk_db_run(account->db, err, "BEGIN IMMEDIATE", "");
    if (result == TK_OK) {
        result = create(account, request, arena, ret_key, secret, err);
        result = tk_db_end(account->db, result, err);
    }
    (void)pthread_mutex_unlock(&account->lock);
    tk_identities_refresh(account->identities, TK_REFRESH_NOW);
    return result;
}

enum tk_err
tk_account_key_list(struct tk_account *account, uint32_t project_id, struct tk_arena *arena,
                    struct tk_key **ret_keys, size_t *ret_count, struct tk_error *err)
{
    (void)pthread_mutex_lock(&account->lock);
    enum tk_err result = select_keys(account, project_id, 0, arena, ret_keys, ret_count, err);
    (void)pthread_mutex_unlock(&account->lock);
    return result;
}

enum tk_err
tk_account_key_revoke(struct tk_account *account, uint32_t key_id, struct tk_error *err)
{
    (void)pthread_mutex_lock(&account->lock);
    enum tk_err result = tk_db_run(account->db, err, "UPDATE key SET revoked = 1 WHERE id = ?", "i",
                                   (int64_t)key_id);
    if (result == TK_OK && sqlite3_changes(account->db) == 0)
        result = tk_error_set(err, TK_ERR_NOT_FOUND, "no key %u", key_id);
    (void)pthread_mutex_unlock(&account->lock);
    tk_identities_refresh(account->identities, TK_REFRESH_NOW);
    return result;
}
