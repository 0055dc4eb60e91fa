#ifndef TK_STORE_WAL_H
#define TK_STORE_WAL_H
/*
 * wal - the write-ahead log: the bodies as they were received, in numbered files.
 *
 * docs/formats/log.md describes the files.  A log file holds what one generation of the open buffer
 * holds, no more and no less, and is deleted once that generation is in segments.
 * One thread writes (wal is not locked); anyone may read a file that is there.
 */
#include "base/env.h"
#include "wire/wire.h"

enum {
    TK_WAL_VERSION = 2, /* 1 had groups back to back; it is read, too */
    TK_WAL_PATH_SIZE = 4096,
    TK_WAL_BODY_MAX = 1 << 30, /* bytes of one body */
    TK_WAL_BLOCK = 4096,       /* a group begins at a multiple of it */
    TK_WAL_PIECE = 1 << 20,    /* bytes of one write */
};

enum tk_wal_type {
    TK_WAL_SPANS = 1, /* a body in `format`, encoded as `encoding` */
    TK_WAL_DROP = 2,  /* everything of `project` before this record is void; no body */
};

/* A file's number; beyond it a name is nothing of ours. */
static const uint64_t TK_WAL_NUMBER_MAX = (uint64_t)1 << 48;

struct tk_wal_record {
    enum tk_wal_type type;
    uint32_t project;
    enum tk_format format;
    enum tk_encoding encoding;
    uint64_t time_nano; /* when it was written */
    tk_str body;
};

struct tk_wal {
    struct tk_env *env;
    const char *dir; /* "<store>/log"; borrowed */
    tk_file *file;   /* NULL: none is open */
    uint64_t number; /* of the open file */
    uint64_t length; /* good bytes in it; a group is written behind them */
    uint64_t synced; /* of those, known to be on disk */
    char *piece;     /* [TK_WAL_PIECE] of the group under construction; NULL: none was yet */
    size_t piece_len;
};

void tk_wal_init(struct tk_wal *wal, struct tk_env *env, const char *dir);
void tk_wal_release(struct tk_wal *wal);

/*
 * Writes the records behind the others, making file `number` when none is open.
 * TK_ERR_FULL: nothing was written, or what was is cut off again; try again when there is space.
 * TK_ERR_MEMORY, TK_ERR_BUSY (the file cannot be made): nothing was written.
 * TK_ERR_IO: the file's state is unknown: write no more.
 */
enum tk_err tk_wal_append(struct tk_wal *wal, uint64_t number, const struct tk_wal_record *records,
                          size_t count, struct tk_error *err) TK_MUST_USE;
/* What was appended is on disk.  A failure is final: the kernel may have dropped the pages. */
enum tk_err tk_wal_sync(struct tk_wal *wal, struct tk_error *err) TK_MUST_USE;
/* Ends the open file (synced before, when that matters). */
void tk_wal_close_file(struct tk_wal *wal);

struct tk_wal_read {
    uint64_t records;
    uint64_t damaged;    /* places where bytes that were on disk cannot be read */
    uint64_t torn_bytes; /* cut off at the end: written, but never acknowledged */
};

/*
 * Calls `each` for every whole record of the file, in order; views are good during the call.  All
 * of the file is read into `bytes`, whose memory is good for the next one too.  A damaged place is
 * counted, told to `report` (which may be NULL) and skipped.  Fails as the env does, or as `each`
 * does, which ends it.
 */
enum tk_err tk_wal_read(struct tk_env *env, const char *dir, uint64_t number,
                        enum tk_err (*each)(void *arg, const struct tk_wal_record *record,
                                            struct tk_error *err),
                        void (*report)(void *arg, const char *line), void *arg,
                        struct tk_buf *bytes, struct tk_wal_read *ret_read,
                        struct tk_error *err) TK_MUST_USE;

/* The numbers of the log files in `dir`, ascending; malloc'ed.  No directory: none. */
enum tk_err tk_wal_list(struct tk_env *env, const char *dir, uint64_t **ret_numbers,
                        size_t *ret_count, struct tk_error *err) TK_MUST_USE;
enum tk_err tk_wal_remove(struct tk_env *env, const char *dir, uint64_t number,
                          struct tk_error *err) TK_MUST_USE;

#endif
