#ifndef TK_FUZZ_MEMORY_FILE_H
#define TK_FUZZ_MEMORY_FILE_H
/*
 * memory_file - an env whose every file is the same bytes, for the readers of store files; it has
 * one segment of project 1 and no log.
 */
#include "base/env.h"

struct tk_file {
    tk_str bytes;
};

struct memory_env {
    struct tk_env env; /* first */
    struct tk_file file;
};

static enum tk_err
memory_open(struct tk_env *env, const char *path, enum tk_open how, tk_file **ret_file,
            struct tk_error *err)
{
    (void)path;
    (void)how;
    (void)err;
    *ret_file = &((struct memory_env *)env)->file;
    return TK_OK;
}

static void
memory_close(struct tk_env *env, tk_file *file)
{
    (void)env;
    (void)file;
}

static enum tk_err
memory_read(struct tk_env *env, tk_file *file, void *bytes, size_t size, uint64_t offset,
            struct tk_error *err)
{
    (void)env;
    if (offset > file->bytes.len || size > file->bytes.len - offset)
        return tk_error_set(err, TK_ERR_END, "past the end");
    if (size > 0)
        memcpy(bytes, file->bytes.ptr + offset, size);
    return TK_OK;
}

static enum tk_err
memory_size(struct tk_env *env, tk_file *file, uint64_t *ret_size, struct tk_error *err)
{
    (void)env;
    (void)err;
    *ret_size = file->bytes.len;
    return TK_OK;
}

static enum tk_err
memory_list(struct tk_env *env, const char *path, bool (*each)(void *arg, const char *name),
            void *arg, struct tk_error *err)
{
    tk_str at = tk_str_from(path);
    (void)env;
    (void)err;
    if (tk_str_ends_with(at, TK_STR("/p1")))
        (void)each(arg, "00000001-00000001.seg");
    else if (!tk_str_ends_with(at, TK_STR("/log")))
        (void)each(arg, "p1");
    return TK_OK;
}

static void
memory_env_init(struct memory_env *memory, tk_str bytes)
{
    *memory = (struct memory_env){.env = {.open = memory_open,
                                          .close = memory_close,
                                          .read_at = memory_read,
                                          .size = memory_size,
                                          .list = memory_list},
                                  .file = {bytes}};
}

#endif
