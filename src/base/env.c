/*
 * env - the host's clock, randomness and files, behind the seam of env.h.
 *
 * A tk_file is one file descriptor.  Reads and writes are pread/pwrite and go on after short
 * transfers and EINTR.  fsync errors are handed up as they are: the caller must not try again.
 */
#include "base/env.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

struct tk_file {
    int fd;
    bool direct; /* writes go around the page cache */
    char path[]; /* for messages */
};

static enum tk_err
code_of(int number)
{
    switch (number) {
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
        return TK_ERR_FULL;
    case ENOENT:
    case ENOTDIR:
        return TK_ERR_NOT_FOUND;
    case EEXIST:
        return TK_ERR_EXISTS;
    case EACCES:
    case EPERM:
    case EROFS:
        return TK_ERR_DENIED;
    case ENOMEM:
        return TK_ERR_MEMORY;
    default:
        return TK_ERR_IO;
    }
}

static enum tk_err
fail(struct tk_error *err, const char *what, const char *path)
{
    int number = errno;
    return tk_error_set(err, code_of(number), "%s %s: %s", what, path, strerror(number));
}

static uint64_t
clock_nano(clockid_t id)
{
    struct timespec now;
    (void)clock_gettime(id, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static uint64_t
host_wall_nano(struct tk_env *env)
{
    (void)env;
    return clock_nano(CLOCK_REALTIME);
}

static uint64_t
host_mono_nano(struct tk_env *env)
{
    (void)env;
    return clock_nano(CLOCK_MONOTONIC);
}

static void
host_random(struct tk_env *env, void *bytes, size_t size)
{
    (void)env;
    for (char *at = bytes; size > 0;) {
        ssize_t got = getrandom(at, size, 0);
        if (got < 0 && errno != EINTR)
            abort(); /* no randomness: nothing that must be secret could be made */
        if (got > 0) {
            at += got;
            size -= (size_t)got;
        }
    }
}

static enum tk_err
wrap(int fd, const char *path, tk_file **ret_file, struct tk_error *err)
{
    size_t size = strlen(path) + 1;
    tk_file *file = malloc(sizeof *file + size);
    if (file == NULL) {
        (void)close(fd);
        return tk_error_set(err, TK_ERR_MEMORY, "open %s: out of memory", path);
    }
    file->fd = fd;
    file->direct = false;
    memcpy(file->path, path, size);
    *ret_file = file;
    return TK_OK;
}

static enum tk_err
host_open(struct tk_env *env, const char *path, enum tk_open how, tk_file **ret_file,
          struct tk_error *err)
{
    int flags = O_CLOEXEC;
    (void)env;
    if (how == TK_OPEN_READ)
        flags |= O_RDONLY;
    else
        flags |= O_RDWR | (how == TK_OPEN_CREATE ? O_CREAT | O_EXCL : 0);
    int fd = open(path, flags, 0640);
    if (fd < 0)
        return fail(err, "open", path);
    return wrap(fd, path, ret_file, err);
}

static void
host_close(struct tk_env *env, tk_file *file)
{
    (void)env;
    if (file != NULL)
        (void)close(file->fd);
    free(file);
}

static bool
set_direct(tk_file *file, bool direct)
{
    int flags = fcntl(file->fd, F_GETFL);
    file->direct = flags >= 0 && direct;
    return flags >= 0 &&
           fcntl(file->fd, F_SETFL, direct ? flags | O_DIRECT : flags & ~O_DIRECT) == 0;
}

/* A transfer that is not aligned, or a disk that cannot after all: as an ordinary file then. */
static bool
go_through_cache(tk_file *file)
{
    return file->direct && set_direct(file, false);
}

/* A file system that cannot (an older tmpfs) says so, and all stays as it was. */
static void
host_go_around_cache(struct tk_env *env, tk_file *file)
{
    (void)env;
    if (!set_direct(file, true))
        file->direct = false;
}

static void
host_read_ahead(struct tk_env *env, tk_file *file, uint64_t offset, uint64_t size)
{
    (void)env;
    (void)posix_fadvise(file->fd, (off_t)offset, (off_t)size, POSIX_FADV_WILLNEED);
}

static enum tk_err
host_read_at(struct tk_env *env, tk_file *file, void *bytes, size_t size, uint64_t offset,
             struct tk_error *err)
{
    (void)env;
    for (char *at = bytes; size > 0;) {
        ssize_t got = pread(file->fd, at, size, (off_t)offset);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0 && errno == EINVAL && go_through_cache(file))
            continue;
        if (got < 0)
            return fail(err, "read", file->path);
        if (got == 0)
            return tk_error_set(err, TK_ERR_END, "read %s: ends at byte %llu", file->path,
                                (unsigned long long)offset);
        at += got;
        offset += (uint64_t)got;
        size -= (size_t)got;
    }
    return TK_OK;
}

static enum tk_err
host_write_at(struct tk_env *env, tk_file *file, const void *bytes, size_t size, uint64_t offset,
              struct tk_error *err)
{
    (void)env;
    for (const char *at = bytes; size > 0;) {
        ssize_t put = pwrite(file->fd, at, size, (off_t)offset);
        if (put < 0 && errno == EINTR)
            continue;
        if (put < 0 && errno == EINVAL && go_through_cache(file))
            continue;
        if (put < 0)
            return fail(err, "write", file->path);
        at += put;
        offset += (uint64_t)put;
        size -= (size_t)put;
    }
    return TK_OK;
}

static enum tk_err
host_sync(struct tk_env *env, tk_file *file, struct tk_error *err)
{
    (void)env;
    return fdatasync(file->fd) == 0 ? TK_OK : fail(err, "sync", file->path);
}

static enum tk_err
host_size(struct tk_env *env, tk_file *file, uint64_t *ret_size, struct tk_error *err)
{
    struct stat status;
    (void)env;
    if (fstat(file->fd, &status) != 0)
        return fail(err, "stat", file->path);
    *ret_size = (uint64_t)status.st_size;
    return TK_OK;
}

static enum tk_err
host_truncate(struct tk_env *env, tk_file *file, uint64_t size, struct tk_error *err)
{
    (void)env;
    return ftruncate(file->fd, (off_t)size) == 0 ? TK_OK : fail(err, "truncate", file->path);
}

static enum tk_err
host_rename(struct tk_env *env, const char *from, const char *to, struct tk_error *err)
{
    (void)env;
    return rename(from, to) == 0 ? TK_OK : fail(err, "rename", from);
}

static enum tk_err
host_remove(struct tk_env *env, const char *path, struct tk_error *err)
{
    (void)env;
    return unlink(path) == 0 ? TK_OK : fail(err, "remove", path);
}

static enum tk_err
host_make_dir(struct tk_env *env, const char *path, struct tk_error *err)
{
    struct stat status;
    (void)env;
    if (mkdir(path, 0750) == 0)
        return TK_OK;
    if (errno == EEXIST && stat(path, &status) == 0 && S_ISDIR(status.st_mode))
        return TK_OK;
    return fail(err, "make directory", path);
}

static enum tk_err
host_remove_dir(struct tk_env *env, const char *path, struct tk_error *err)
{
    (void)env;
    return rmdir(path) == 0 ? TK_OK : fail(err, "remove directory", path);
}

static enum tk_err
host_sync_dir(struct tk_env *env, const char *path, struct tk_error *err)
{
    enum tk_err result = TK_OK;
    (void)env;
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return fail(err, "open directory", path);
    if (fsync(fd) != 0)
        result = fail(err, "sync directory", path);
    (void)close(fd);
    return result;
}

static enum tk_err
host_list(struct tk_env *env, const char *path, bool (*each)(void *arg, const char *name),
          void *arg, struct tk_error *err)
{
    (void)env;
    DIR *dir = opendir(path);
    if (dir == NULL)
        return fail(err, "list", path);
    for (struct dirent *entry; (entry = readdir(dir)) != NULL;) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        if (!each(arg, entry->d_name))
            break;
    }
    (void)closedir(dir);
    return TK_OK;
}

static enum tk_err
host_free_space(struct tk_env *env, const char *path, uint64_t *ret_bytes, struct tk_error *err)
{
    struct statvfs status;
    (void)env;
    if (statvfs(path, &status) != 0)
        return fail(err, "stat file system of", path);
    *ret_bytes = (uint64_t)status.f_bavail * status.f_frsize;
    return TK_OK;
}

/* The lock file holds its owner's pid, so that the next one can say who has it. */
static enum tk_err
host_lock(struct tk_env *env, const char *path, tk_file **ret_file, struct tk_error *err)
{
    char pid[32] = "";
    (void)env;
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0640);
    if (fd < 0)
        return fail(err, "open", path);
    if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        ssize_t got = pread(fd, pid, sizeof pid - 1, 0);
        pid[got > 0 ? got : 0] = '\0';
        pid[strcspn(pid, "\n")] = '\0';
        (void)close(fd);
        return tk_error_set(err, TK_ERR_LOCKED, "%s is held by process %s", path,
                            pid[0] != '\0' ? pid : "(unknown)");
    }
    int len = snprintf(pid, sizeof pid, "%ld\n", (long)getpid());
    if (ftruncate(fd, 0) != 0 || pwrite(fd, pid, (size_t)len, 0) != len) {
        enum tk_err result = fail(err, "write", path);
        (void)close(fd);
        return result;
    }
    return wrap(fd, path, ret_file, err);
}

struct tk_env *
tk_env_host(void)
{
    static struct tk_env host = {
        .wall_nano = host_wall_nano,
        .mono_nano = host_mono_nano,
        .random = host_random,
        .open = host_open,
        .close = host_close,
        .read_at = host_read_at,
        .write_at = host_write_at,
        .go_around_cache = host_go_around_cache,
        .read_ahead = host_read_ahead,
        .sync = host_sync,
        .size = host_size,
        .truncate = host_truncate,
        .rename = host_rename,
        .remove = host_remove,
        .make_dir = host_make_dir,
        .remove_dir = host_remove_dir,
        .sync_dir = host_sync_dir,
        .list = host_list,
        .free_space = host_free_space,
        .lock = host_lock,
    };
    return &host;
}
