/*
 * disk - see disk.h.
 *
 * A file has two contents, `now` and `durable`, and a mark for each sector that was written since
 * the last sync.  Names have two tables, and a list of what was done to them and is not durable
 * yet.  After a crash all three begin anew from what is left.
 */
#include "disk.h"
#include "fail.h"
#include "heap.h"
#include "rng.h"
#include "sched.h"

#include <stdio.h>
#include <string.h>

enum { SECTOR = 512, PAGE_SECTORS = 8, PATH_SIZE = 160 };

struct content {
    char *bytes;
    uint64_t size, capacity;
};

struct inode {
    struct inode *next; /* all of them */
    bool directory;
    uint32_t handles;
    struct content now, durable;
    unsigned char *dirty; /* [dirty_capacity]: sectors */
    uint64_t dirty_capacity;
};

struct name {
    char path[PATH_SIZE];
    struct inode *inode; /* NULL: removed */
};

struct names {
    struct name *name;
    uint32_t count, capacity;
};

struct change { /* of a directory, not durable yet; in order */
    char path[PATH_SIZE], from[PATH_SIZE];
    struct inode *inode; /* that `path` means now; NULL: nothing */
};

struct tk_file {
    struct tk_file *next;
    struct inode *inode;
    bool locks;
    char path[PATH_SIZE];
};

static struct {
    struct tk_env env;
    struct rng rng;
    struct disk_faults faults;
    struct inode *inodes;
    struct tk_file *handles;
    struct names now, durable;
    struct change *changes;
    uint32_t change_count, change_capacity;
    uint64_t capacity, crash_at;
    struct disk_counts counts;
} disk;

static void *
grown(void *items, uint32_t count, uint32_t *capacity, size_t size)
{
    if (count < *capacity)
        return items;
    *capacity = *capacity > 0 ? *capacity * 2 : 32;
    return sim_realloc(items, *capacity * size);
}

/* Names. */

static struct name *
name_of(const struct names *names, const char *path)
{
    for (uint32_t i = 0; i < names->count; i++)
        if (strcmp(names->name[i].path, path) == 0)
            return &names->name[i];
    return NULL;
}

static void
set_name(struct names *names, const char *path, struct inode *inode)
{
    struct name *name = name_of(names, path);
    if (inode == NULL) {
        if (name != NULL)
            *name = names->name[--names->count];
        return;
    }
    if (name == NULL) {
        names->name = grown(names->name, names->count, &names->capacity, sizeof *names->name);
        name = &names->name[names->count++];
        (void)snprintf(name->path, sizeof name->path, "%s", path);
    }
    name->inode = inode;
}

static size_t
parent_len(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash != NULL ? (size_t)(slash - path) : 0;
}

static bool
is_in(const char *path, const char *dir)
{
    size_t len = parent_len(path);
    return len == strlen(dir) && strncmp(path, dir, len) == 0;
}

static struct inode *
find(const char *path)
{
    struct name *name = name_of(&disk.now, path);
    return name != NULL ? name->inode : NULL;
}

static void
apply(struct names *names, const struct change *change)
{
    if (change->from[0] != '\0') {
        struct name *from = name_of(names, change->from);
        if (from != NULL && from->inode == change->inode)
            set_name(names, change->from, NULL);
    }
    set_name(names, change->path, change->inode);
}

static void
change_names(const char *path, struct inode *inode, const char *from)
{
    struct change change = {.inode = inode};
    (void)snprintf(change.path, sizeof change.path, "%s", path);
    (void)snprintf(change.from, sizeof change.from, "%s", from != NULL ? from : "");
    apply(&disk.now, &change);
    disk.changes =
        grown(disk.changes, disk.change_count, &disk.change_capacity, sizeof *disk.changes);
    disk.changes[disk.change_count++] = change;
}

static bool
parent_exists(const char *path)
{
    char parent[PATH_SIZE];
    (void)snprintf(parent, sizeof parent, "%.*s", (int)parent_len(path), path);
    struct inode *inode = find(parent);
    return parent[0] == '\0' || (inode != NULL && inode->directory);
}

/* Contents. */

static struct inode *
new_inode(bool directory)
{
    struct inode *inode = sim_alloc(sizeof *inode);
    *inode = (struct inode){.next = disk.inodes, .directory = directory};
    return disk.inodes = inode;
}

static void
set_size(struct content *content, uint64_t size)
{
    if (size > content->capacity) {
        uint64_t capacity = content->capacity > 0 ? content->capacity : 4096;
        while (capacity < size)
            capacity *= 2;
        content->bytes = sim_realloc(content->bytes, capacity);
        content->capacity = capacity;
    }
    if (size > content->size)
        memset(content->bytes + content->size, 0, size - content->size);
    content->size = size;
}

static void
mark_dirty(struct inode *inode, uint64_t begin, uint64_t end)
{
    uint64_t last = (end + SECTOR - 1) / SECTOR;
    if (last > inode->dirty_capacity) {
        uint64_t capacity = last * 2 + 16;
        inode->dirty = sim_realloc(inode->dirty, capacity);
        memset(inode->dirty + inode->dirty_capacity, 0, capacity - inode->dirty_capacity);
        inode->dirty_capacity = capacity;
    }
    for (uint64_t i = begin / SECTOR; i < last; i++)
        inode->dirty[i] = 1;
}

/* One sector of what is now becomes durable. */
static void
write_back(struct inode *inode, uint64_t sector)
{
    uint64_t begin = sector * SECTOR, end = begin + SECTOR;
    if (end > inode->now.size)
        end = inode->now.size;
    if (end <= begin)
        return;
    if (inode->durable.size < end)
        set_size(&inode->durable, end);
    memcpy(inode->durable.bytes + begin, inode->now.bytes + begin, end - begin);
}

/* Some of the dirty sectors become durable, by whole files, pages or sectors. */
static void
write_back_some(struct inode *inode)
{
    uint64_t how = rng_below(&disk.rng, 4), unit = how == 3 ? 1 : PAGE_SECTORS;
    uint64_t keep_one_in = how == 0 ? 0 : how == 1 ? 1 : rng_between(&disk.rng, 2, 4);
    bool keep = false;
    for (uint64_t i = 0; i < inode->dirty_capacity; i++) {
        if (i % unit == 0)
            keep = rng_one_in(&disk.rng, keep_one_in);
        if (inode->dirty[i] && keep)
            write_back(inode, i);
    }
}

static void
clean(struct inode *inode)
{
    if (inode->dirty_capacity > 0)
        memset(inode->dirty, 0, inode->dirty_capacity);
}

static uint64_t
used(void)
{
    uint64_t bytes = 0;
    for (const struct inode *inode = disk.inodes; inode != NULL; inode = inode->next)
        bytes += inode->handles > 0 || !inode->directory ? inode->now.size : 0;
    return bytes;
}

static bool
is_named(const struct names *names, const struct inode *inode)
{
    for (uint32_t i = 0; i < names->count; i++)
        if (names->name[i].inode == inode)
            return true;
    return false;
}

static bool
is_reachable(const struct inode *inode)
{
    for (uint32_t i = 0; i < disk.change_count; i++)
        if (disk.changes[i].inode == inode)
            return true;
    return inode->handles > 0 || is_named(&disk.now, inode) || is_named(&disk.durable, inode);
}

/* Frees what no name and no handle leads to. */
static void
collect(void)
{
    for (struct inode **at = &disk.inodes; *at != NULL;) {
        struct inode *inode = *at;
        if (is_reachable(inode)) {
            at = &inode->next;
            continue;
        }
        *at = inode->next;
        sim_free(inode->now.bytes);
        sim_free(inode->durable.bytes);
        sim_free(inode->dirty);
        sim_free(inode);
    }
}

/* Crashes. */

static void
lose_changes(void)
{
    /* A journal keeps an order; without one, any may be there. */
    bool journal = rng_one_in(&disk.rng, 2);
    uint64_t kept = rng_below(&disk.rng, disk.change_count + 1);
    for (uint32_t i = 0; i < disk.change_count; i++)
        if (journal ? i < kept : rng_one_in(&disk.rng, 2))
            apply(&disk.durable, &disk.changes[i]);
    disk.now.count = 0;
    for (uint32_t i = 0; i < disk.durable.count; i++) {
        const struct name *name = &disk.durable.name[i];
        set_name(&disk.now, name->path, name->inode);
    }
    /* What lies in a directory that is not there is not there. */
    for (bool again = true; again;) {
        again = false;
        for (uint32_t i = 0; i < disk.now.count && !again; i++)
            if (!parent_exists(disk.now.name[i].path)) {
                set_name(&disk.durable, disk.now.name[i].path, NULL);
                disk.now.name[i] = disk.now.name[--disk.now.count];
                again = true;
            }
    }
    disk.change_count = 0;
}

static void
lose_writes(struct inode *inode)
{
    write_back_some(inode);
    uint64_t size = inode->durable.size;
    if (inode->now.size != size && rng_one_in(&disk.rng, 3)) { /* a size without its bytes */
        uint64_t low = size < inode->now.size ? size : inode->now.size;
        uint64_t high = size < inode->now.size ? inode->now.size : size;
        set_size(&inode->durable, rng_between(&disk.rng, low, high));
    }
    set_size(&inode->now, inode->durable.size);
    if (inode->durable.size > 0)
        memcpy(inode->now.bytes, inode->durable.bytes, inode->durable.size);
    clean(inode);
}

void
disk_crash(enum disk_crash how)
{
    while (disk.handles != NULL) {
        struct tk_file *file = disk.handles;
        disk.handles = file->next;
        file->inode->handles--;
        sim_free(file);
    }
    if (how == DISK_POWER) {
        lose_changes();
        for (struct inode *inode = disk.inodes; inode != NULL; inode = inode->next)
            lose_writes(inode);
    }
    collect();
    disk.crash_at = 0;
}

void
disk_crash_at(uint64_t n)
{
    disk.crash_at = n > 0 ? disk.counts.calls + n : 0;
}

/* What every call of the env begins with. */
static void
enter(const char *what, const char *path)
{
    disk.counts.calls++;
    sched_point(what);
    sched_pass(2000);
    if (sim_verbose)
        sim_say("      %-10s %s %s", sched_name(), what, path);
    if (disk.crash_at != 0 && disk.counts.calls >= disk.crash_at && rng_one_in(&disk.rng, 2))
        sched_stop();
    if (disk.inodes != NULL && rng_one_in(&disk.rng, 32)) { /* the kernel writes back */
        struct inode *inode = disk.inodes;
        for (uint64_t i = rng_below(&disk.rng, 8); i > 0 && inode->next != NULL; i--)
            inode = inode->next;
        write_back_some(inode);
    }
}

/* The effect took place; the process may die before it hears of it. */
static enum tk_err
leave(enum tk_err code)
{
    if (disk.crash_at != 0 && disk.counts.calls >= disk.crash_at)
        sched_stop();
    sched_point("file call");
    return code;
}

static enum tk_err
inject(enum tk_err code, struct tk_error *err, const char *what, const char *path)
{
    disk.counts.failed++;
    sim_say("    disk: %s %s: %s", what, path, tk_err_text(code));
    return tk_error_set(err, code, "%s %s: injected", what, path);
}

/* The seam. */

static uint64_t
env_now(struct tk_env *env)
{
    (void)env;
    return sched_now();
}

static void
env_random(struct tk_env *env, void *bytes, size_t size)
{
    (void)env;
    for (size_t i = 0; i < size; i++)
        ((unsigned char *)bytes)[i] = (unsigned char)rng_next(&disk.rng);
}

static struct tk_file *
new_handle(struct inode *inode, const char *path)
{
    struct tk_file *file = sim_alloc(sizeof *file);
    *file = (struct tk_file){.next = disk.handles, .inode = inode};
    (void)snprintf(file->path, sizeof file->path, "%s", path);
    inode->handles++;
    return disk.handles = file;
}

static enum tk_err
env_open(struct tk_env *env, const char *path, enum tk_open how, tk_file **ret_file,
         struct tk_error *err)
{
    (void)env;
    enter(how == TK_OPEN_CREATE ? "create" : "open", path);
    SIM_CHECK(strlen(path) < PATH_SIZE, "a long path: %s", path);
    struct inode *inode = find(path);
    if (heap_is_out("file"))
        return tk_error_set(err, TK_ERR_MEMORY, "open %s: out of memory", path);
    if (how == TK_OPEN_CREATE) {
        if (inode != NULL)
            return tk_error_set(err, TK_ERR_EXISTS, "create %s: exists", path);
        if (!parent_exists(path))
            return tk_error_set(err, TK_ERR_NOT_FOUND, "create %s: no directory", path);
        if (rng_one_in(&disk.rng, disk.faults.name_io))
            return leave(inject(TK_ERR_IO, err, "create", path));
        if (rng_one_in(&disk.rng, disk.faults.create_full)) {
            disk.counts.full++;
            return leave(inject(TK_ERR_FULL, err, "create", path));
        }
        inode = new_inode(false);
        change_names(path, inode, NULL);
    } else if (inode == NULL || inode->directory) {
        return tk_error_set(err, TK_ERR_NOT_FOUND, "open %s: not found", path);
    } else if (rng_one_in(&disk.rng, disk.faults.read_io)) {
        disk.counts.failed_reads++;
        return leave(inject(TK_ERR_IO, err, "open", path));
    }
    *ret_file = new_handle(inode, path);
    return leave(TK_OK);
}

static void
env_close(struct tk_env *env, tk_file *file)
{
    (void)env;
    enter("close", file->path);
    struct tk_file **at = &disk.handles;
    while (*at != NULL && *at != file)
        at = &(*at)->next;
    SIM_CHECK(*at == file, "a file that is not open is closed");
    *at = file->next;
    file->inode->handles--;
    sim_free(file);
    collect();
    (void)leave(TK_OK);
}

static enum tk_err
env_read_at(struct tk_env *env, tk_file *file, void *bytes, size_t size, uint64_t offset,
            struct tk_error *err)
{
    (void)env;
    enter("read", file->path);
    const struct content *now = &file->inode->now;
    if (rng_one_in(&disk.rng, disk.faults.read_io)) {
        disk.counts.failed_reads++;
        return leave(inject(TK_ERR_IO, err, "read", file->path));
    }
    if (offset > now->size || size > now->size - offset)
        return leave(tk_error_set(err, TK_ERR_END, "read %s: past the end", file->path));
    if (size > 0)
        memcpy(bytes, now->bytes + offset, size);
    return leave(TK_OK);
}

static void
put(struct inode *inode, const void *bytes, uint64_t size, uint64_t offset)
{
    if (size == 0)
        return;
    if (offset + size > inode->now.size)
        set_size(&inode->now, offset + size);
    memcpy(inode->now.bytes + offset, bytes, size);
    mark_dirty(inode, offset, offset + size);
}

static enum tk_err
env_write_at(struct tk_env *env, tk_file *file, const void *bytes, size_t size, uint64_t offset,
             struct tk_error *err)
{
    struct inode *inode = file->inode;
    (void)env;
    enter("write", file->path);
    sched_pass(size / 2);
    uint64_t growth = offset + size > inode->now.size ? offset + size - inode->now.size : 0;
    uint64_t part = rng_below(&disk.rng, size + 1);
    if (disk.crash_at != 0 && disk.counts.calls >= disk.crash_at && rng_one_in(&disk.rng, 2)) {
        put(inode, bytes, part, offset);
        sched_stop();
    }
    if (rng_one_in(&disk.rng, disk.faults.write_io)) {
        put(inode, bytes, part, offset);
        return leave(inject(TK_ERR_IO, err, "write", file->path));
    }
    bool full = disk.capacity > 0 && used() + growth > disk.capacity;
    if (full || rng_one_in(&disk.rng, disk.faults.write_full)) {
        put(inode, bytes, part < growth ? size - growth : 0, offset);
        disk.counts.full++;
        return leave(inject(TK_ERR_FULL, err, "write", file->path));
    }
    put(inode, bytes, size, offset);
    return leave(TK_OK);
}

static enum tk_err
env_sync(struct tk_env *env, tk_file *file, struct tk_error *err)
{
    struct inode *inode = file->inode;
    (void)env;
    enter("sync", file->path);
    sched_pass(200000);
    if (rng_one_in(&disk.rng, disk.faults.sync_io)) {
        disk.counts.failed_syncs++;
        write_back_some(inode);
        clean(inode); /* never written, and never tried again */
        return leave(inject(TK_ERR_IO, err, "sync", file->path));
    }
    for (uint64_t i = 0; i < inode->dirty_capacity; i++)
        if (inode->dirty[i])
            write_back(inode, i);
    set_size(&inode->durable, inode->now.size);
    clean(inode);
    return leave(TK_OK);
}

static enum tk_err
env_size(struct tk_env *env, tk_file *file, uint64_t *ret_size, struct tk_error *err)
{
    (void)env;
    (void)err;
    enter("size", file->path);
    *ret_size = file->inode->now.size;
    return leave(TK_OK);
}

static enum tk_err
env_truncate(struct tk_env *env, tk_file *file, uint64_t size, struct tk_error *err)
{
    (void)env;
    enter("truncate", file->path);
    if (rng_one_in(&disk.rng, disk.faults.name_io))
        return leave(inject(TK_ERR_IO, err, "truncate", file->path));
    uint64_t old = file->inode->now.size;
    set_size(&file->inode->now, size);
    mark_dirty(file->inode, size < old ? size : old, size < old ? old : size);
    return leave(TK_OK);
}

static enum tk_err
env_rename(struct tk_env *env, const char *from, const char *to, struct tk_error *err)
{
    (void)env;
    enter("rename", to);
    struct inode *inode = find(from);
    if (inode == NULL || !parent_exists(to))
        return tk_error_set(err, TK_ERR_NOT_FOUND, "rename %s: not found", from);
    if (rng_one_in(&disk.rng, disk.faults.name_io))
        return leave(inject(TK_ERR_IO, err, "rename", from));
    change_names(to, inode, from);
    collect();
    return leave(TK_OK);
}

static enum tk_err
env_remove(struct tk_env *env, const char *path, struct tk_error *err)
{
    (void)env;
    enter("remove", path);
    struct inode *inode = find(path);
    if (inode == NULL || inode->directory)
        return tk_error_set(err, TK_ERR_NOT_FOUND, "remove %s: not found", path);
    if (rng_one_in(&disk.rng, disk.faults.name_io))
        return leave(inject(TK_ERR_IO, err, "remove", path));
    change_names(path, NULL, NULL);
    collect();
    return leave(TK_OK);
}

static enum tk_err
env_make_dir(struct tk_env *env, const char *path, struct tk_error *err)
{
    (void)env;
    enter("make_dir", path);
    const struct inode *inode = find(path);
    if (inode != NULL)
        return inode->directory ? TK_OK : tk_error_set(err, TK_ERR_EXISTS, "%s: a file", path);
    if (!parent_exists(path))
        return tk_error_set(err, TK_ERR_NOT_FOUND, "make directory %s: no parent", path);
    if (rng_one_in(&disk.rng, disk.faults.name_io))
        return leave(inject(TK_ERR_IO, err, "make_dir", path));
    change_names(path, new_inode(true), NULL);
    return leave(TK_OK);
}

static enum tk_err
env_remove_dir(struct tk_env *env, const char *path, struct tk_error *err)
{
    (void)env;
    enter("remove_dir", path);
    const struct inode *inode = find(path);
    if (inode == NULL || !inode->directory)
        return tk_error_set(err, TK_ERR_NOT_FOUND, "remove directory %s: not found", path);
    for (uint32_t i = 0; i < disk.now.count; i++)
        if (is_in(disk.now.name[i].path, path))
            return tk_error_set(err, TK_ERR_IO, "remove directory %s: not empty", path);
    change_names(path, NULL, NULL);
    return leave(TK_OK);
}

static enum tk_err
env_sync_dir(struct tk_env *env, const char *path, struct tk_error *err)
{
    uint32_t kept = 0;
    (void)env;
    enter("sync_dir", path);
    sched_pass(100000);
    if (strcmp(path, ".") == 0)
        path = "";
    const struct inode *inode = find(path);
    if (path[0] != '\0' && (inode == NULL || !inode->directory))
        return tk_error_set(err, TK_ERR_NOT_FOUND, "sync directory %s: not found", path);
    if (rng_one_in(&disk.rng, disk.faults.sync_io)) {
        disk.counts.failed_syncs++;
        return leave(inject(TK_ERR_IO, err, "sync_dir", path));
    }
    for (uint32_t i = 0; i < disk.change_count; i++) {
        if (is_in(disk.changes[i].path, path))
            apply(&disk.durable, &disk.changes[i]);
        else
            disk.changes[kept++] = disk.changes[i];
    }
    disk.change_count = kept;
    return leave(TK_OK);
}

static enum tk_err
env_list(struct tk_env *env, const char *path, bool (*each)(void *arg, const char *name), void *arg,
         struct tk_error *err)
{
    (void)env;
    enter("list", path);
    const struct inode *inode = find(path);
    if (inode == NULL || !inode->directory)
        return tk_error_set(err, TK_ERR_NOT_FOUND, "list %s: not found", path);
    if (rng_one_in(&disk.rng, disk.faults.read_io)) {
        disk.counts.failed_reads++;
        return leave(inject(TK_ERR_IO, err, "list", path));
    }
    struct names listed = {0}; /* as of now: `each` may change what is there */
    for (uint32_t i = 0; i < disk.now.count; i++)
        if (is_in(disk.now.name[i].path, path))
            set_name(&listed, disk.now.name[i].path, disk.now.name[i].inode);
    while (listed.count > 0) { /* in no order */
        struct name name = listed.name[rng_below(&disk.rng, listed.count)];
        set_name(&listed, name.path, NULL);
        if (!each(arg, name.path + strlen(path) + 1))
            break;
    }
    sim_free(listed.name);
    return leave(TK_OK);
}

static enum tk_err
env_free_space(struct tk_env *env, const char *path, uint64_t *ret_bytes, struct tk_error *err)
{
    (void)env;
    (void)err;
    enter("free_space", path);
    uint64_t now = used();
    if (disk.capacity == 0 || disk.faults.free_space_lies)
        *ret_bytes = (uint64_t)1 << 40;
    else
        *ret_bytes = disk.capacity > now ? disk.capacity - now : 0;
    return leave(TK_OK);
}

static enum tk_err
env_lock(struct tk_env *env, const char *path, tk_file **ret_file, struct tk_error *err)
{
    (void)env;
    enter("lock", path);
    for (const struct tk_file *file = disk.handles; file != NULL; file = file->next)
        if (file->locks && strcmp(file->path, path) == 0)
            return tk_error_set(err, TK_ERR_LOCKED, "%s is held", path);
    if (!parent_exists(path))
        return tk_error_set(err, TK_ERR_NOT_FOUND, "lock %s: no directory", path);
    if (find(path) == NULL)
        change_names(path, new_inode(false), NULL);
    *ret_file = new_handle(find(path), path);
    (*ret_file)->locks = true;
    return leave(TK_OK);
}

struct tk_env *
disk_env(void)
{
    disk.env = (struct tk_env){
        .wall_nano = env_now,
        .mono_nano = env_now,
        .random = env_random,
        .open = env_open,
        .close = env_close,
        .read_at = env_read_at,
        .write_at = env_write_at,
        .sync = env_sync,
        .size = env_size,
        .truncate = env_truncate,
        .rename = env_rename,
        .remove = env_remove,
        .make_dir = env_make_dir,
        .remove_dir = env_remove_dir,
        .sync_dir = env_sync_dir,
        .list = env_list,
        .free_space = env_free_space,
        .lock = env_lock,
    };
    return &disk.env;
}

void
disk_init(uint64_t seed, uint64_t capacity)
{
    disk_crash(DISK_KILL);
    disk.now.count = disk.durable.count = disk.change_count = 0;
    collect();
    disk.rng = rng_stream(seed, 2);
    disk.capacity = capacity;
    disk.counts = (struct disk_counts){0};
    disk.faults = (struct disk_faults){0};
}

void
disk_set_faults(const struct disk_faults *faults)
{
    disk.faults = faults != NULL ? *faults : (struct disk_faults){0};
}

struct disk_counts
disk_counts(void)
{
    struct disk_counts counts = disk.counts;
    counts.files = counts.open_files = counts.bytes = 0;
    for (uint32_t i = 0; i < disk.now.count; i++) {
        counts.files += !disk.now.name[i].inode->directory;
        counts.bytes += disk.now.name[i].inode->now.size;
    }
    for (const struct tk_file *file = disk.handles; file != NULL; file = file->next)
        counts.open_files++;
    return counts;
}

bool
disk_flip_bit(const char *suffix)
{
    struct inode *chosen = NULL;
    const char *path = "";
    uint64_t count = 0;
    for (uint32_t i = 0; i < disk.now.count; i++) {
        struct name *name = &disk.now.name[i];
        size_t len = strlen(name->path), tail = strlen(suffix);
        bool fits = len >= tail && strcmp(name->path + len - tail, suffix) == 0;
        if (fits && name->inode->durable.size > 0 && rng_one_in(&disk.rng, ++count)) {
            chosen = name->inode;
            path = name->path;
        }
    }
    if (chosen == NULL)
        return false;
    uint64_t at = rng_below(&disk.rng, chosen->durable.size);
    char bit = (char)(1 << rng_below(&disk.rng, 8));
    sim_say("    disk: a bit flips in %s at %llu", path, (unsigned long long)at);
    chosen->durable.bytes[at] ^= bit;
    if (at < chosen->now.size)
        chosen->now.bytes[at] ^= bit;
    return true;
}
