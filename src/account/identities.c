/*
 * identities - see identities.h.
 *
 * Readers take `picture_lock` for reading, find, and copy out what they found.  Whoever looks at
 * the database holds `watch_lock`; it alone uses `watch`, compares PRAGMA data_version (a few
 * microseconds) and, when the version has moved, loads a new picture and swaps it in.
 *
 * "Last used" is noted in the picture and saved by the look that finds it a minute old, without
 * waiting: when another process is writing, the next look tries again.
 */
#include "account/private.h"

#include "base/assert.h"
#include "base/log.h"

#include <stdatomic.h>
#include <stdlib.h>

static const uint64_t look_interval_nano = 1000000000;
static const uint64_t miss_interval_nano = 1000000;
static const uint64_t save_interval_nano = UINT64_C(60) * 1000000000;

enum { PICTURE_SIZE_MAX = 1 << 30 };

struct entry {
    unsigned char hash[TK_SECRET_HASH_SIZE];
    struct tk_identity identity;
    bool session;
    uint64_t expires_nano; /* sessions */
    tk_str *origins;       /* browser keys; a run of picture.origins */
    size_t origin_count;
    _Atomic uint64_t used_nano; /* wall clock */
    uint64_t saved_nano;        /* what the database says of it */
};

struct picture {
    struct tk_arena arena; /* all below */
    struct entry *entries; /* keys by id, then sessions */
    size_t key_count, entry_count;
    uint32_t *slots; /* open addressing by the hash's first bytes; index + 1 */
    size_t slot_mask;
    tk_str *origins;        /* of all keys, by key id */
    tk_str *sorted_origins; /* the same in byte order */
    size_t origin_count;
    struct tk_project *projects; /* by name */
    size_t project_count;
};

struct tk_identities {
    struct tk_env *env;
    pthread_rwlock_t picture_lock;
    struct picture *picture;
    pthread_mutex_t watch_lock;
    sqlite3 *watch;
    sqlite3_stmt *version_statement;
    int64_t version;              /* of `picture` */
    _Atomic uint64_t pictures;    /* so far */
    _Atomic uint64_t looked_nano; /* monotonic; when the last look began */
};

static void
picture_free(struct picture *picture)
{
    if (picture != NULL)
        tk_arena_release(&picture->arena);
    free(picture);
}

static struct entry *
find(const struct picture *picture, const unsigned char hash[TK_SECRET_HASH_SIZE])
{
    size_t slot;
    memcpy(&slot, hash, sizeof slot);
    for (;; slot++) {
        uint32_t index = picture->slots[slot & picture->slot_mask];
        if (index == 0)
            return NULL;
        struct entry *entry = &picture->entries[index - 1];
        if (memcmp(entry->hash, hash, TK_SECRET_HASH_SIZE) == 0)
            return entry;
    }
}

static void
add(struct picture *picture, const struct entry *entry)
{
    size_t slot;
    memcpy(&slot, entry->hash, sizeof slot);
    while (picture->slots[slot & picture->slot_mask] != 0)
        slot++;
    picture->slots[slot & picture->slot_mask] = (uint32_t)(entry - picture->entries) + 1;
}

/* ---- loading ---- */

static enum tk_err
allocate(struct picture *picture, sqlite3 *db, struct tk_error *err)
{
    static const char sql[] =
        "SELECT (SELECT count(*) FROM key WHERE NOT revoked), (SELECT count(*) FROM session),"
        " (SELECT count(*) FROM origin), (SELECT count(*) FROM project)";
    sqlite3_stmt *row;
    enum tk_err result = tk_db_prepare(db, &row, err, sql, "");
    if (result != TK_OK)
        return result;
    result = tk_db_step(row, err);
    if (result == TK_OK) {
        size_t entries = (size_t)(sqlite3_column_int64(row, 0) + sqlite3_column_int64(row, 1));
        size_t origins = (size_t)sqlite3_column_int64(row, 2);
        size_t projects = (size_t)sqlite3_column_int64(row, 3);
        size_t slots = 16;
        while (slots < entries * 2)
            slots *= 2;
        picture->slot_mask = slots - 1;
        struct tk_arena *arena = &picture->arena;
        picture->entries = tk_arena_zalloc(arena, entries + 1, sizeof *picture->entries);
        picture->slots = tk_arena_zalloc(arena, slots, sizeof *picture->slots);
        picture->origins = tk_arena_zalloc(arena, origins + 1, sizeof *picture->origins);
        picture->sorted_origins = tk_arena_zalloc(arena, origins + 1, sizeof *picture->origins);
        picture->projects = tk_arena_zalloc(arena, projects + 1, sizeof *picture->projects);
        if (picture->entries == NULL || picture->slots == NULL || picture->origins == NULL ||
            picture->sorted_origins == NULL || picture->projects == NULL)
            result = TK_ERR_MEMORY;
    }
    (void)sqlite3_finalize(row);
    if (result == TK_ERR_MEMORY)
        (void)tk_error_set(err, result, "too many keys to hold in memory");
    return result;
}

/* Columns: hash, kind, project id, project name, key id, last used, expires, all projects. */
static enum tk_err
load_entries(struct picture *picture, sqlite3 *db, bool sessions, struct tk_error *err)
{
    static const char keys_sql[] =
        "SELECT hash, kind, project.id, project.name, key.id, last_used_nano, 0, 0"
        " FROM key JOIN project ON project.id = project_id WHERE NOT revoked ORDER BY key.id";
    static const char sessions_sql[] =
        "SELECT session.hash, coalesce(kind, ?), project.id, project.name, 0, 0, expires_nano,"
        " key_id IS NULL"
        " FROM session LEFT JOIN key ON key.id = key_id LEFT JOIN project ON project.id ="
        " coalesce(project_id, (SELECT id FROM project ORDER BY name <> 'default', id LIMIT 1))"
        " WHERE key_id IS NULL OR NOT revoked";
    sqlite3_stmt *row;
    enum tk_err result =
        sessions ? tk_db_prepare(db, &row, err, sessions_sql, "i", (int64_t)TK_KEY_ADMIN)
                 : tk_db_prepare(db, &row, err, keys_sql, "");
    if (result != TK_OK)
        return result;
    while ((result = tk_db_step(row, err)) == TK_OK) {
        tk_str hash = tk_db_text(row, 0), project = tk_db_text(row, 3);
        struct entry *entry = &picture->entries[picture->entry_count];
        if (hash.ptr == NULL || hash.len != sizeof entry->hash ||
            project.len >= sizeof entry->identity.project)
            continue; /* not written by us */
        memcpy(entry->hash, hash.ptr, hash.len);
        if (project.len > 0)
            memcpy(entry->identity.project, project.ptr, project.len);
        entry->identity.kind = (enum tk_key_kind)sqlite3_column_int(row, 1);
        entry->identity.project_id = (uint32_t)sqlite3_column_int64(row, 2);
        entry->identity.key_id = (uint32_t)sqlite3_column_int64(row, 4);
        entry->identity.all_projects = sqlite3_column_int(row, 7) != 0;
        entry->session = sessions;
        entry->saved_nano = (uint64_t)sqlite3_column_int64(row, 5);
        entry->expires_nano = (uint64_t)sqlite3_column_int64(row, 6);
        atomic_init(&entry->used_nano, entry->saved_nano);
        add(picture, entry);
        picture->entry_count++;
    }
    (void)sqlite3_finalize(row);
    return result == TK_ERR_END ? TK_OK : result;
}

static int
compare_key_ids(const void *a, const void *b)
{
    uint32_t left = ((const struct entry *)a)->identity.key_id;
    uint32_t right = ((const struct entry *)b)->identity.key_id;
    return (left > right) - (left < right);
}

static struct entry *
find_key_id(const struct picture *picture, uint32_t key_id)
{
    struct entry wanted = {.identity = {.key_id = key_id}};
    return bsearch(&wanted, picture->entries, picture->key_count, sizeof wanted, compare_key_ids);
}

static int
compare_text(const void *a, const void *b)
{
    return tk_str_cmp(*(const tk_str *)a, *(const tk_str *)b);
}

static enum tk_err
load_origins(struct picture *picture, sqlite3 *db, struct tk_error *err)
{
    static const char sql[] = "SELECT key_id, origin FROM origin ORDER BY key_id, origin";
    sqlite3_stmt *row;
    enum tk_err result = tk_db_prepare(db, &row, err, sql, "");
    if (result != TK_OK)
        return result;
    while ((result = tk_db_step(row, err)) == TK_OK) {
        struct entry *entry = find_key_id(picture, (uint32_t)sqlite3_column_int64(row, 0));
        if (entry == NULL)
            continue; /* revoked */
        tk_str *origin = &picture->origins[picture->origin_count++];
        *origin = tk_db_text_copy(row, 1, &picture->arena);
        if (entry->origin_count++ == 0)
            entry->origins = origin;
    }
    (void)sqlite3_finalize(row);
    memcpy(picture->sorted_origins, picture->origins,
           picture->origin_count * sizeof *picture->origins);
    qsort(picture->sorted_origins, picture->origin_count, sizeof *picture->origins, compare_text);
    return result == TK_ERR_END ? TK_OK : result;
}

static enum tk_err
load_projects(struct picture *picture, sqlite3 *db, struct tk_error *err)
{
    sqlite3_stmt *row;
    enum tk_err result =
        tk_db_prepare(db, &row, err, "SELECT id, name FROM project ORDER BY name", "");
    if (result != TK_OK)
        return result;
    while ((result = tk_db_step(row, err)) == TK_OK)
        picture->projects[picture->project_count++] =
            (struct tk_project){.id = (uint32_t)sqlite3_column_int64(row, 0),
                                .name = tk_db_text_copy(row, 1, &picture->arena)};
    (void)sqlite3_finalize(row);
    return result == TK_ERR_END ? TK_OK : result;
}

/* In one read transaction, so that the parts fit together. */
static enum tk_err
load(struct tk_identities *identities, struct picture **ret_picture, struct tk_error *err)
{
    struct picture *picture = calloc(1, sizeof *picture);
    if (picture == NULL)
        return tk_error_set(err, TK_ERR_MEMORY, "out of memory");
    tk_arena_init(&picture->arena, 4096, PICTURE_SIZE_MAX);
    enum tk_err result = tk_db_run(identities->watch, err, "BEGIN", "");
    if (result == TK_OK) {
        result = allocate(picture, identities->watch, err);
        if (result == TK_OK)
            result = load_entries(picture, identities->watch, false, err);
        picture->key_count = picture->entry_count;
        if (result == TK_OK)
            result = load_entries(picture, identities->watch, true, err);
        if (result == TK_OK)
            result = load_origins(picture, identities->watch, err);
        if (result == TK_OK)
            result = load_projects(picture, identities->watch, err);
        result = tk_db_end(identities->watch, result, err);
    }
    if (result == TK_OK)
        *ret_picture = picture;
    else
        picture_free(picture);
    return result;
}

/* ---- looking ---- */

static enum tk_err
read_version(struct tk_identities *identities, int64_t *ret_version, struct tk_error *err)
{
    enum tk_err result = tk_db_step(identities->version_statement, err);
    if (result == TK_OK)
        *ret_version = sqlite3_column_int64(identities->version_statement, 0);
    (void)sqlite3_reset(identities->version_statement);
    return result;
}

/* What was noted since the old picture was loaded goes into the new one. */
static void
carry_used(const struct picture *old, struct picture *fresh)
{
    for (size_t i = 0; i < old->key_count; i++) {
        uint64_t used = atomic_load(&old->entries[i].used_nano);
        struct entry *entry = find_key_id(fresh, old->entries[i].identity.key_id);
        if (entry != NULL && used > entry->saved_nano)
            atomic_store(&entry->used_nano, used);
    }
}

static enum tk_err
reload_if_changed(struct tk_identities *identities, struct tk_error *err)
{
    int64_t version;
    struct picture *fresh = NULL, *old = identities->picture;
    enum tk_err result = read_version(identities, &version, err);
    if (result != TK_OK || (old != NULL && version == identities->version))
        return result;
    result = load(identities, &fresh, err);
    if (result != TK_OK)
        return result;
    TK_ASSERT(fresh != NULL);
    (void)pthread_rwlock_wrlock(&identities->picture_lock);
    if (old != NULL)
        carry_used(old, fresh);
    identities->picture = fresh;
    (void)pthread_rwlock_unlock(&identities->picture_lock);
    identities->version = version;
    atomic_fetch_add(&identities->pictures, 1);
    picture_free(old);
    return TK_OK;
}

/* Saves "last used" of the keys for which it is `older_nano` behind. */
static void
save_used(struct tk_identities *identities, uint64_t older_nano)
{
    struct picture *picture = identities->picture;
    bool begun = false;
    enum tk_err result = TK_OK;
    for (size_t i = 0; i < picture->key_count && result == TK_OK; i++) {
        struct entry *entry = &picture->entries[i];
        uint64_t used = atomic_load(&entry->used_nano);
        if (used <= entry->saved_nano || used - entry->saved_nano < older_nano)
            continue;
        if (!begun)
            result = tk_db_run(identities->watch, NULL, "BEGIN IMMEDIATE", "");
        if (result != TK_OK)
            return; /* somebody else is writing: next time */
        begun = true;
        result =
            tk_db_run(identities->watch, NULL, "UPDATE key SET last_used_nano = ? WHERE id = ?",
                      "ii", (int64_t)used, (int64_t)entry->identity.key_id);
        entry->saved_nano = used;
    }
    if (begun && tk_db_end(identities->watch, result, NULL) != TK_OK)
        TK_LOG_EVERY_MS(60000, TK_LOG_WARNING, "account", "cannot note when keys were last used");
}

void
tk_identities_refresh(struct tk_identities *identities, enum tk_refresh when)
{
    uint64_t now = identities->env->mono_nano(identities->env);
    struct tk_error err;
    if (when == TK_REFRESH_DUE) {
        if (now - atomic_load(&identities->looked_nano) < look_interval_nano ||
            pthread_mutex_trylock(&identities->watch_lock) != 0)
            return; /* not yet, or somebody is looking right now */
    } else {
        (void)pthread_mutex_lock(&identities->watch_lock);
    }
    /* After a wait the look of whoever held the lock may be news enough. */
    if (when != TK_REFRESH_MISS ||
        now >= atomic_load(&identities->looked_nano) + miss_interval_nano) {
        atomic_store(&identities->looked_nano, now);
        if (reload_if_changed(identities, &err) != TK_OK)
            TK_LOG_EVERY_MS(10000, TK_LOG_ERROR, "account", "%s", err.message);
        save_used(identities, save_interval_nano);
    }
    (void)pthread_mutex_unlock(&identities->watch_lock);
}

uint64_t
tk_identities_version(struct tk_identities *identities)
{
    return atomic_load(&identities->pictures);
}

enum tk_err
tk_identities_open(struct tk_env *env, const char *path, struct tk_identities **ret_identities,
                   struct tk_error *err)
{
    struct tk_identities *identities = calloc(1, sizeof *identities);
    if (identities == NULL)
        return tk_error_set(err, TK_ERR_MEMORY, "out of memory");
    identities->env = env;
    (void)pthread_rwlock_init(&identities->picture_lock, NULL);
    (void)pthread_mutex_init(&identities->watch_lock, NULL);
    atomic_init(&identities->looked_nano, env->mono_nano(env));
    enum tk_err result = tk_db_open(path, 0, &identities->watch, err);
    /* "Last used" may be lost with the power: its commits need not wait for the disk. */
    if (result == TK_OK)
        result = tk_db_run(identities->watch, err, "PRAGMA synchronous = NORMAL", "");
    if (result == TK_OK)
        result = tk_db_prepare(identities->watch, &identities->version_statement, err,
                               "PRAGMA data_version", "");
    if (result == TK_OK)
        result = reload_if_changed(identities, err);
    if (result == TK_OK)
        *ret_identities = identities;
    else
        tk_identities_close(identities);
    return result;
}

void
tk_identities_close(struct tk_identities *identities)
{
    if (identities == NULL)
        return;
    if (identities->picture != NULL)
        save_used(identities, 0);
    (void)sqlite3_finalize(identities->version_statement);
    tk_db_close(identities->watch);
    picture_free(identities->picture);
    (void)pthread_mutex_destroy(&identities->watch_lock);
    (void)pthread_rwlock_destroy(&identities->picture_lock);
    free(identities);
}

/* ---- answering ---- */

static bool
lookup(struct tk_identities *identities, const unsigned char hash[TK_SECRET_HASH_SIZE],
       bool session, uint64_t now, struct tk_identity *ret_identity)
{
    (void)pthread_rwlock_rdlock(&identities->picture_lock);
    struct entry *entry = find(identities->picture, hash);
    bool good =
        entry != NULL && entry->session == session && (!session || now < entry->expires_nano);
    if (good) {
        *ret_identity = entry->identity;
        /* Not on every request: the line would travel from core to core. */
        if (now >
            atomic_load_explicit(&entry->used_nano, memory_order_relaxed) + look_interval_nano)
            atomic_store_explicit(&entry->used_nano, now, memory_order_relaxed);
    }
    (void)pthread_rwlock_unlock(&identities->picture_lock);
    return good;
}

static enum tk_err
who(struct tk_account *account, tk_str secret, bool session, struct tk_identity *ret_identity)
{
    unsigned char hash[TK_SECRET_HASH_SIZE];
    uint64_t now = account->env->wall_nano(account->env);
    if (secret.len == 0 || secret.len > TK_KEY_SIZE_MAX)
        return TK_ERR_DENIED;
    tk_secret_hash(secret, hash);
    tk_identities_refresh(account->identities, TK_REFRESH_DUE);
    if (lookup(account->identities, hash, session, now, ret_identity))
        return TK_OK;
    tk_identities_refresh(account->identities, TK_REFRESH_MISS);
    return lookup(account->identities, hash, session, now, ret_identity) ? TK_OK : TK_ERR_DENIED;
}

enum tk_err
tk_account_authenticate(struct tk_account *account, tk_str key, struct tk_identity *ret_identity)
{
    return who(account, key, false, ret_identity);
}

enum tk_err
tk_account_session(struct tk_account *account, tk_str session, struct tk_identity *ret_identity)
{
    return who(account, session, true, ret_identity);
}

bool
tk_account_origin_allowed(struct tk_account *account, uint32_t key_id, tk_str origin)
{
    struct tk_identities *identities = account->identities;
    bool allowed = false;
    (void)pthread_rwlock_rdlock(&identities->picture_lock);
    const struct entry *entry = find_key_id(identities->picture, key_id);
    for (size_t i = 0; entry != NULL && i < entry->origin_count && !allowed; i++)
        allowed = tk_str_eq(entry->origins[i], origin);
    (void)pthread_rwlock_unlock(&identities->picture_lock);
    return allowed;
}

static bool
origin_known(struct tk_identities *identities, tk_str origin)
{
    (void)pthread_rwlock_rdlock(&identities->picture_lock);
    const struct picture *picture = identities->picture;
    bool known = bsearch(&origin, picture->sorted_origins, picture->origin_count, sizeof origin,
                         compare_text) != NULL;
    (void)pthread_rwlock_unlock(&identities->picture_lock);
    return known;
}

bool
tk_account_origin_known(struct tk_account *account, tk_str origin)
{
    tk_identities_refresh(account->identities, TK_REFRESH_DUE);
    if (origin_known(account->identities, origin))
        return true;
    tk_identities_refresh(account->identities, TK_REFRESH_MISS);
    return origin_known(account->identities, origin);
}

static enum tk_err
project_find(struct tk_identities *identities, tk_str name, uint32_t *ret_id)
{
    enum tk_err result = TK_ERR_NOT_FOUND;
    (void)pthread_rwlock_rdlock(&identities->picture_lock);
    const struct picture *picture = identities->picture;
    size_t low = 0, high = picture->project_count;
    while (low < high && result != TK_OK) {
        size_t middle = low + (high - low) / 2;
        int order = tk_str_cmp(picture->projects[middle].name, name);
        if (order == 0) {
            *ret_id = picture->projects[middle].id;
            result = TK_OK;
        } else if (order < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    (void)pthread_rwlock_unlock(&identities->picture_lock);
    return result;
}

enum tk_err
tk_account_project_find(struct tk_account *account, tk_str name, uint32_t *ret_id)
{
    tk_identities_refresh(account->identities, TK_REFRESH_DUE);
    if (project_find(account->identities, name, ret_id) == TK_OK)
        return TK_OK;
    tk_identities_refresh(account->identities, TK_REFRESH_MISS);
    return project_find(account->identities, name, ret_id);
}
