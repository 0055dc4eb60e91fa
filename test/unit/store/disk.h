#ifndef TK_TEST_STORE_DISK_H
#define TK_TEST_STORE_DISK_H
/*
 * disk - a disk in memory that knows what is durable, and fails when told to.
 *
 * A file has bytes as written and bytes as synced; a name is there at once, and durable once its
 * directory was synced.  disk_crash() makes the disk that is found after the power went: what was
 * durable, plus, if asked, part of what was not (any prefix of a file's unsynced growth may have
 * reached the platter, and then some garbage).
 *
 * Every call that changes something counts as one operation; `fail_at` names the one that fails,
 * and with `fail_forever` all behind it too: that is a crash, as seen by whoever still runs.
 */
#include "base/env.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

enum { DISK_NAMES_MAX = 512, DISK_PATH_MAX = 128 };

struct disk_inode {
    char *bytes, *synced;
    size_t len, synced_len;
    int references;
};

struct tk_file {
    struct disk_inode *inode;
};

struct disk_name {
    char path[DISK_PATH_MAX];
    struct disk_inode *inode; /* NULL: a directory */
};

struct disk_names {
    struct disk_name name[DISK_NAMES_MAX];
    int count;
};

enum disk_what {
    DISK_ANY,
    DISK_WRITE,
    DISK_SYNC,
    DISK_OTHER,
    DISK_READ, /* counts for no other */
};

struct disk {
    struct tk_env env; /* first */
    pthread_mutex_t lock;
    struct disk_names now, durable;
    uint64_t space; /* bytes of the disk; 0: no limit */
    uint64_t operations;
    uint64_t fail_at; /* the operation that fails, counted from 1; 0: none */
    enum disk_what fail_what;
    enum tk_err fail_code;
    bool fail_forever;
    bool fail_short; /* a failing write writes half */
    uint64_t failed;
    bool locked;
};

static inline struct disk *
disk_of(struct tk_env *env)
{
    return (struct disk *)env;
}

static inline struct disk_name *
disk_find(struct disk_names *names, const char *path)
{
    for (int i = 0; i < names->count; i++)
        if (strcmp(names->name[i].path, path) == 0)
            return &names->name[i];
    return NULL;
}

static inline void
disk_unref(struct disk_inode *inode)
{
    if (inode == NULL || --inode->references > 0)
        return;
    free(inode->bytes);
    free(inode->synced);
    free(inode);
}

static inline void
disk_put(struct disk_names *names, const char *path, struct disk_inode *inode)
{
    struct disk_name *name = disk_find(names, path);
    if (inode != NULL)
        inode->references++;
    if (name != NULL) {
        disk_unref(name->inode);
    } else {
        if (names->count == DISK_NAMES_MAX || strlen(path) >= DISK_PATH_MAX)
            abort();
        name = &names->name[names->count++];
        (void)snprintf(name->path, sizeof name->path, "%s", path);
    }
    name->inode = inode;
}

static inline void
disk_take(struct disk_names *names, const char *path)
{
    struct disk_name *name = disk_find(names, path);
    if (name == NULL)
        return;
    disk_unref(name->inode);
    *name = names->name[--names->count];
}

/* Counts one operation; not TK_OK: it fails.  Under the lock. */
static inline enum tk_err
disk_operation(struct disk *disk, enum disk_what what, struct tk_error *err)
{
    if (disk->fail_what != DISK_ANY && what != disk->fail_what)
        return TK_OK;
    disk->operations++;
    bool now =
        disk->fail_forever ? disk->operations >= disk->fail_at : disk->operations == disk->fail_at;
    if (disk->fail_at == 0 || !now)
        return TK_OK;
    disk->failed++;
    return tk_error_set(err, disk->fail_code, "the disk was told to fail");
}

/* From now on, while somebody may be using it: the operation `at`, counted from 1, and all behind
   it fail; 0: none. */
static inline void
disk_fail(struct disk *disk, enum disk_what what, enum tk_err code, uint64_t at)
{
    pthread_mutex_lock(&disk->lock);
    disk->fail_what = what;
    disk->fail_code = code;
    disk->fail_forever = true;
    disk->operations = 0;
    disk->fail_at = at;
    pthread_mutex_unlock(&disk->lock);
}

static inline uint64_t
disk_used(const struct disk *disk)
{
    uint64_t used = 0;
    for (int i = 0; i < disk->now.count; i++)
        if (disk->now.name[i].inode != NULL)
            used += disk->now.name[i].inode->len;
    return used;
}

static inline uint64_t
disk_wall(struct tk_env *env)
{
    return tk_env_host()->wall_nano(tk_env_host()) + (env == NULL);
}

static inline uint64_t
disk_mono(struct tk_env *env)
{
    return tk_env_host()->mono_nano(tk_env_host()) + (env == NULL);
}

static inline enum tk_err
disk_open(struct tk_env *env, const char *path, enum tk_open how, tk_file **ret_file,
          struct tk_error *err)
{
    struct disk *disk = disk_of(env);
    enum tk_err code = TK_OK;
    pthread_mutex_lock(&disk->lock);
    struct disk_name *name = disk_find(&disk->now, path);
    if (how == TK_OPEN_CREATE) {
        code = disk_operation(disk, DISK_OTHER, err);
        if (code == TK_OK && name != NULL)
            code = tk_error_set(err, TK_ERR_EXISTS, "%s: exists", path);
        if (code == TK_OK) {
            disk_put(&disk->now, path, calloc(1, sizeof(struct disk_inode)));
            name = disk_find(&disk->now, path);
        }
    } else if (name == NULL || name->inode == NULL) {
        code = tk_error_set(err, TK_ERR_NOT_FOUND, "%s: not found", path);
    }
    if (code == TK_OK) {
        *ret_file = calloc(1, sizeof **ret_file);
        (*ret_file)->inode = name->inode;
        name->inode->references++;
    }
    pthread_mutex_unlock(&disk->lock);
    return code;
}

static inline void
disk_close(struct tk_env *env, tk_file *file)
{
    struct disk *disk = disk_of(env);
    pthread_mutex_lock(&disk->lock);
    if (file->inode == NULL)
        disk->locked = false;
    disk_unref(file->inode);
    free(file);
    pthread_mutex_unlock(&disk->lock);
}

static inline enum tk_err
disk_read(struct tk_env *env, tk_file *file, void *bytes, size_t size, uint64_t offset,
          struct tk_error *err)
{
    struct disk *disk = disk_of(env);
    pthread_mutex_lock(&disk->lock);
    enum tk_err code = disk->fail_what == DISK_READ ? disk_operation(disk, DISK_READ, err) : TK_OK;
    if (code == TK_OK && (offset > file->inode->len || size > file->inode->len - offset))
        code = tk_error_set(err, TK_ERR_END, "past the end");
    if (code == TK_OK && size > 0)
        memcpy(bytes, file->inode->bytes + offset, size);
    pthread_mutex_unlock(&disk->lock);
    return code;
}

static inline void
disk_resize(struct disk_inode *inode, size_t len)
{
    inode->bytes = realloc(inode->bytes, len + 1);
    if (len > inode->len)
        memset(inode->bytes + inode->len, 0, len - inode->len);
    inode->len = len;
}

static inline enum tk_err
disk_write(struct tk_env *env, tk_file *file, const void *bytes, size_t size, uint64_t offset,
           struct tk_error *err)
{
    struct disk *disk = disk_of(env);
    pthread_mutex_lock(&disk->lock);
    enum tk_err code = disk_operation(disk, DISK_WRITE, err);
    size_t done = code == TK_OK ? size : disk->fail_short ? size / 2 : 0;
    size_t grown = offset + done > file->inode->len ? offset + done - file->inode->len : 0;
    if (code == TK_OK && disk->space > 0 && disk_used(disk) + grown > disk->space) {
        code = tk_error_set(err, TK_ERR_FULL, "no space left");
        done = 0;
    }
    if (done > 0) {
        if (offset + done > file->inode->len)
            disk_resize(file->inode, offset + done);
        memcpy(file->inode->bytes + offset, bytes, done);
    }
    pthread_mutex_unlock(&disk->lock);
    return code;
}

static inline enum tk_err
disk_sync(struct tk_env *env, tk_file *file, struct tk_error *err)
{
    struct disk *disk = disk_of(env);
    struct disk_inode *inode = file->inode;
    pthread_mutex_lock(&disk->lock);
    enum tk_err code = disk_operation(disk, DISK_SYNC, err);
    if (code == TK_OK) {
        free(inode->synced);
        inode->synced = malloc(inode->len + 1);
        if (inode->len > 0)
            memcpy(inode->synced, inode->bytes, inode->len);
        inode->synced_len = inode->len;
    }
    pthread_mutex_unlock(&disk->lock);
    return code;
}

static inline enum tk_err
disk_size(struct tk_env *env, tk_file *file, uint64_t *ret_size, struct tk_error *err)
{
    struct disk *disk = disk_of(env);
    (void)err;
    pthread_mutex_lock(&disk->lock);
    *ret_size = file->inode->len;
    pthread_mutex_unlock(&disk->lock);
    return TK_OK;
}

static inline enum tk_err
disk_truncate(struct tk_env *env, tk_file *file, uint64_t size, struct tk_error *err)
{
    struct disk *disk = disk_of(env);
    pthread_mutex_lock(&disk->lock);
    enum tk_err code = disk_operation(disk, DISK_OTHER, err);
    if (code == TK_OK)
        disk_resize(file->inode, size);
    pthread_mutex_unlock(&disk->lock);
    return code;
}

static inline enum tk_err
disk_rename(struct tk_env *env, const char *from, const char *to, struct tk_error *err)
{
    struct disk *disk = disk_of(env);
    pthread_mutex_lock(&disk->lock);
    enum tk_err code = disk_operation(disk, DISK_OTHER, err);
    struct disk_name *name = disk_find(&disk->now, from);
    if (code == TK_OK && name == NULL)
        code = tk_error_set(err, TK_ERR_NOT_FOUND, "%s: not found", from);
    if (code == TK_OK) {
        disk_put(&disk->now, to, name->inode);
        disk_take(&disk->now, from);
    }
    pthread_mutex_unlock(&disk->lock);
    return code;
}

static inline enum tk_err
disk_remove(struct tk_env *env, const char *path, struct tk_error *err)
{
    struct disk *disk = disk_of(env);
    enum tk_err code = TK_OK;
    pthread_mutex_lock(&disk->lock);
    if (disk_find(&disk->now, path) == NULL)
        code = tk_error_set(err, TK_ERR_NOT_FOUND, "%s: not found", path);
    else
        code = disk_operation(disk, DISK_OTHER, err);
    if (code == TK_OK)
        disk_take(&disk->now, path);
    pthread_mutex_unlock(&disk->lock);
    return code;
}

static inline enum tk_err
disk_make_dir(struct tk_env *env, const char *path, struct tk_error *err)
{
    struct disk *disk = disk_of(env);
    enum tk_err code = TK_OK;
    pthread_mutex_lock(&disk->lock);
    if (disk_find(&disk->now, path) == NULL) {
        code = disk_operation(disk, DISK_OTHER, err);
        if (code == TK_OK)
            disk_put(&disk->now, path, NULL);
    }
    pthread_mutex_unlock(&disk->lock);
    return code;
}

/* Is `path` directly in `dir`? */
static inline bool
disk_is_in(const char *path, const char *dir)
{
    size_t len = strlen(dir);
    return strncmp(path, dir, len) == 0 && path[len] == '/' && strchr(path + len + 1, '/') == NULL;
}

static inline enum tk_err
disk_sync_dir(struct tk_env *env, const char *path, struct tk_error *err)
{
    struct disk *disk = disk_of(env);
    pthread_mutex_lock(&disk->lock);
    enum tk_err code = disk_operation(disk, DISK_SYNC, err);
    for (int i = disk->durable.count - 1; i >= 0 && code == TK_OK; i--)
        if (disk_is_in(disk->durable.name[i].path, path) &&
            disk_find(&disk->now, disk->durable.name[i].path) == NULL)
            disk_take(&disk->durable, disk->durable.name[i].path);
    for (int i = 0; i < disk->now.count && code == TK_OK; i++)
        if (disk_is_in(disk->now.name[i].path, path))
            disk_put(&disk->durable, disk->now.name[i].path, disk->now.name[i].inode);
    pthread_mutex_unlock(&disk->lock);
    return code;
}

static inline enum tk_err
disk_list(struct tk_env *env, const char *path, bool (*each)(void *arg, const char *name),
          void *arg, struct tk_error *err)
{
    struct disk *disk = disk_of(env);
    static const size_t size = DISK_NAMES_MAX * DISK_PATH_MAX;
    char *found = malloc(size);
    int count = 0;
    pthread_mutex_lock(&disk->lock);
    bool there = disk_find(&disk->now, path) != NULL;
    for (int i = 0; i < disk->now.count; i++)
        if (disk_is_in(disk->now.name[i].path, path))
            memcpy(found + DISK_PATH_MAX * count++, disk->now.name[i].path + strlen(path) + 1,
                   DISK_PATH_MAX - strlen(path) - 1);
    pthread_mutex_unlock(&disk->lock);
    for (int i = 0; i < count; i++)
        if (!each(arg, found + DISK_PATH_MAX * i))
            break;
    free(found);
    return there ? TK_OK : tk_error_set(err, TK_ERR_NOT_FOUND, "%s: not found", path);
}

static inline enum tk_err
disk_free_space(struct tk_env *env, const char *path, uint64_t *ret_bytes, struct tk_error *err)
{
    struct disk *disk = disk_of(env);
    (void)path;
    (void)err;
    pthread_mutex_lock(&disk->lock);
    uint64_t used = disk_used(disk);
    *ret_bytes = disk->space == 0 ? (uint64_t)1 << 40 : disk->space > used ? disk->space - used : 0;
    pthread_mutex_unlock(&disk->lock);
    return TK_OK;
}

static inline enum tk_err
disk_lock(struct tk_env *env, const char *path, tk_file **ret_file, struct tk_error *err)
{
    struct disk *disk = disk_of(env);
    if (disk->locked)
        return tk_error_set(err, TK_ERR_LOCKED, "%s is held by process 1", path);
    disk->locked = true;
    *ret_file = calloc(1, sizeof **ret_file);
    return TK_OK;
}

static inline struct disk *
disk_new(void)
{
    struct disk *disk = calloc(1, sizeof *disk);
    pthread_mutex_init(&disk->lock, NULL);
    disk->env = (struct tk_env){.wall_nano = disk_wall,
                                .mono_nano = disk_mono,
                                .open = disk_open,
                                .close = disk_close,
                                .read_at = disk_read,
                                .write_at = disk_write,
                                .sync = disk_sync,
                                .size = disk_size,
                                .truncate = disk_truncate,
                                .rename = disk_rename,
                                .remove = disk_remove,
                                .make_dir = disk_make_dir,
                                .sync_dir = disk_sync_dir,
                                .list = disk_list,
                                .free_space = disk_free_space,
                                .lock = disk_lock};
    return disk;
}

static inline void
disk_free(struct disk *disk)
{
    while (disk->now.count > 0)
        disk_take(&disk->now, disk->now.name[0].path);
    while (disk->durable.count > 0)
        disk_take(&disk->durable, disk->durable.name[0].path);
    pthread_mutex_destroy(&disk->lock);
    free(disk);
}

/* How much of what was not synced is found after the crash. */
enum disk_luck {
    DISK_NOTHING, /* power loss: only what was synced, under names that were synced */
    DISK_ALL,     /* kill -9: all that was written */
    DISK_TORN,    /* power loss: half of each file's unsynced growth, then garbage */
    DISK_LUCKS,
};

/* `synced` with part of the growth of `inode` behind it. */
static inline struct disk_inode *
disk_after(const struct disk_inode *inode, enum disk_luck luck)
{
    struct disk_inode *made = calloc(1, sizeof *made);
    size_t len = luck == DISK_ALL ? inode->len : inode->synced_len;
    if (luck == DISK_TORN && inode->len > inode->synced_len)
        len = inode->len;
    disk_resize(made, len);
    if (luck == DISK_ALL && len > 0)
        memcpy(made->bytes, inode->bytes, len);
    if (luck != DISK_ALL && inode->synced_len > 0)
        memcpy(made->bytes, inode->synced, inode->synced_len);
    if (luck == DISK_TORN && len > inode->synced_len) {
        size_t half = (len - inode->synced_len) / 2;
        memcpy(made->bytes + inode->synced_len, inode->bytes + inode->synced_len, half);
        memset(made->bytes + inode->synced_len + half, 0x5A, len - inode->synced_len - half);
    }
    made->synced = malloc(len + 1);
    memcpy(made->synced, made->bytes, len);
    made->synced_len = len;
    return made;
}

/* The disk as it is found after a crash at this instant. */
static inline struct disk *
disk_crash(struct disk *disk, enum disk_luck luck)
{
    struct disk *after = disk_new();
    pthread_mutex_lock(&disk->lock);
    const struct disk_names *names = luck == DISK_NOTHING ? &disk->durable : &disk->now;
    for (int i = 0; i < names->count; i++) {
        const struct disk_inode *inode = names->name[i].inode;
        struct disk_inode *copy = inode != NULL ? disk_after(inode, luck) : NULL;
        disk_put(&after->now, names->name[i].path, copy);
        disk_put(&after->durable, names->name[i].path, copy);
    }
    pthread_mutex_unlock(&disk->lock);
    return after;
}

#endif
