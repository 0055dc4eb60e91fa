#ifndef TK_BASE_ENV_H
#define TK_BASE_ENV_H
/*
 * env - the one seam to the host for what a test must be able to own: clock, randomness, files.
 *
 * The store and everything else that must be simulated takes a `struct tk_env *`; tk_env_host() is
 * the real one.  A test embeds struct tk_env in its own struct and overrides what it wants to fail.
 * All file offsets and sizes are bytes.  File calls never touch errno upwards: they return codes
 * (TK_ERR_FULL for ENOSPC and EDQUOT, TK_ERR_NOT_FOUND for ENOENT, TK_ERR_EXISTS for EEXIST,
 * TK_ERR_DENIED for EACCES/EPERM/EROFS, TK_ERR_IO for the rest) with the path in *err.
 */
#include "base/bytes.h"

struct tk_env;
typedef struct tk_file tk_file; /* opaque: of the env that opened it */

enum tk_open {
    TK_OPEN_READ,   /* must exist */
    TK_OPEN_CREATE, /* must not exist; read and write */
    TK_OPEN_WRITE,  /* must exist; read and write */
};

enum { TK_ENV_BLOCK = 4096 };

struct tk_env {
    uint64_t (*wall_nano)(struct tk_env *env); /* ns since the epoch */
    uint64_t (*mono_nano)(struct tk_env *env); /* ns, never goes back */
    void (*random)(struct tk_env *env, void *bytes, size_t size);

    enum tk_err (*open)(struct tk_env *env, const char *path, enum tk_open how, tk_file **ret_file,
                        struct tk_error *err);
    void (*close)(struct tk_env *env, tk_file *file);
    /* Reads exactly `size` bytes or fails; past the end is TK_ERR_END. */
    enum tk_err (*read_at)(struct tk_env *env, tk_file *file, void *bytes, size_t size,
                           uint64_t offset, struct tk_error *err);
    enum tk_err (*write_at)(struct tk_env *env, tk_file *file, const void *bytes, size_t size,
                            uint64_t offset, struct tk_error *err);
    /*
     * A hint, which an env need not have (NULL): what the file holds is not wanted again soon.
     * Whole blocks of TK_ENV_BLOCK bytes, at multiples of it and in memory aligned to it, then go
     * to the disk or come from it without a copy in the page cache; others cost more than before.
     */
    void (*go_around_cache)(struct tk_env *env, tk_file *file);
    /*
     * Another one (NULL): this will be read in a moment.  Who is about to read several places says
     * so of all first, and the disk looks for them together.
     */
    void (*read_ahead)(struct tk_env *env, tk_file *file, uint64_t offset, uint64_t size);
    enum tk_err (*sync)(struct tk_env *env, tk_file *file, struct tk_error *err); /* fdatasync */
    enum tk_err (*size)(struct tk_env *env, tk_file *file, uint64_t *ret_size,
                        struct tk_error *err);
    enum tk_err (*truncate)(struct tk_env *env, tk_file *file, uint64_t size, struct tk_error *err);

    enum tk_err (*rename)(struct tk_env *env, const char *from, const char *to,
                          struct tk_error *err);
    enum tk_err (*remove)(struct tk_env *env, const char *path, struct tk_error *err);
    enum tk_err (*make_dir)(struct tk_env *env, const char *path,
                            struct tk_error *err); /* there already is fine */
    enum tk_err (*remove_dir)(struct tk_env *env, const char *path, struct tk_error *err);
    enum tk_err (*sync_dir)(struct tk_env *env, const char *path, struct tk_error *err);
    /* Calls `each` for every entry but "." and "..", in no order, until it returns false. */
    enum tk_err (*list)(struct tk_env *env, const char *path,
                        bool (*each)(void *arg, const char *name), void *arg, struct tk_error *err);
    /* Bytes free to us on the file system of `path`. */
    enum tk_err (*free_space)(struct tk_env *env, const char *path, uint64_t *ret_bytes,
                              struct tk_error *err);
    /* Takes an exclusive lock that dies with the process.  TK_ERR_LOCKED says by which pid. */
    enum tk_err (*lock)(struct tk_env *env, const char *path, tk_file **ret_file,
                        struct tk_error *err);
};

struct tk_env *tk_env_host(void);

#endif
