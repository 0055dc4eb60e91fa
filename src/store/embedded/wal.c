/*
 * wal - see wal.h and docs/formats/log.md.
 *
 * A group of records is one sync, and one write for each TK_WAL_PIECE of it, around the page cache
 * where the disk allows it (env.h): the log is read after a crash only, and copying it there costs
 * twice what writing does.  So each group fills whole blocks, with zeros behind its last record,
 * and none is ever written twice.  Invariants:
 *   (1) bytes before `length` are whole records; nothing behind it is ever acknowledged;
 *   (2) each record says how many bytes of its file were on disk when it was written (`synced`).
 *       That tells damage from a torn tail: a hole at offset X was on disk once if a later record
 *       has synced > X, else it is the remains of a group that nobody was told about;
 *   (3) each record carries its file's number, so that what an older file left in the same disk
 *       blocks is never taken for this one's.
 *
 * ENOSPC on the write itself is no catastrophe: nothing was acknowledged, and the file is cut back
 * to `length`.  An error of sync is one: the pages may be gone, and trying again would lie.
 */
#include "store/embedded/wal.h"

#include "base/assert.h"
#include "base/hash.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "the files are little-endian");

struct file_header {
    char magic[8];
    uint32_t version;
    uint32_t reserved;
    uint64_t number;
    uint32_t reserved2;
    uint32_t crc; /* of the bytes before it */
};
_Static_assert(sizeof(struct file_header) == 32, "docs/formats/log.md");

struct record_header {
    uint32_t magic;
    uint32_t crc; /* of the bytes of the header behind it */
    uint32_t body_size;
    uint32_t body_crc;
    uint64_t synced;
    uint64_t file_number;
    uint64_t time_nano;
    uint32_t project;
    uint8_t type;
    uint8_t format;
    uint8_t encoding;
    uint8_t reserved;
};
_Static_assert(sizeof(struct record_header) == 48, "docs/formats/log.md");
_Static_assert((int)TK_WAL_BLOCK == (int)TK_ENV_BLOCK, "docs/formats/log.md");
_Static_assert(TK_WAL_PIECE % TK_WAL_BLOCK == 0, "whole blocks");

static const char FILE_MAGIC[8] = {'T', 'K', 'L', 'O', 'G', '\r', '\n', 0x1A};
static const char RECORD_MAGIC[4] = {'T', 'K', 'r', 0x01};
enum { CRC_SKIP = 8 };

static void
path_of(char path[TK_WAL_PATH_SIZE], const char *dir, uint64_t number)
{
    (void)snprintf(path, TK_WAL_PATH_SIZE, "%s/%08" PRIu64 ".log", dir, number);
}

void
tk_wal_init(struct tk_wal *wal, struct tk_env *env, const char *dir)
{
    *wal = (struct tk_wal){.env = env, .dir = dir};
}

void
tk_wal_release(struct tk_wal *wal)
{
    tk_wal_close_file(wal);
    free(wal->piece);
    wal->piece = NULL;
}

void
tk_wal_close_file(struct tk_wal *wal)
{
    if (wal->file != NULL)
        wal->env->close(wal->env, wal->file);
    wal->file = NULL;
    wal->length = wal->synced = 0;
}

static uint32_t
header_crc(const struct record_header *header)
{
    return tk_crc32c(0, (tk_str){(const char *)header + CRC_SKIP, sizeof *header - CRC_SKIP});
}

/* Writes what lies in the piece behind what was written of the group. */
static enum tk_err
write_piece(struct tk_wal *wal, uint64_t *offset, struct tk_error *err)
{
    enum tk_err code =
        wal->env->write_at(wal->env, wal->file, wal->piece, wal->piece_len, *offset, err);
    *offset += wal->piece_len;
    wal->piece_len = 0;
    return code;
}

static enum tk_err
put(struct tk_wal *wal, tk_str bytes, uint64_t *offset, struct tk_error *err)
{
    enum tk_err code = TK_OK;
    while (bytes.len > 0 && code == TK_OK) {
        size_t room = TK_WAL_PIECE - wal->piece_len;
        size_t part = bytes.len < room ? bytes.len : room;
        memcpy(wal->piece + wal->piece_len, bytes.ptr, part);
        wal->piece_len += part;
        bytes = (tk_str){bytes.ptr + part, bytes.len - part};
        if (wal->piece_len == TK_WAL_PIECE)
            code = write_piece(wal, offset, err);
    }
    return code;
}

static enum tk_err
put_file_header(struct tk_wal *wal, uint64_t *offset, struct tk_error *err)
{
    struct file_header header = {.version = TK_WAL_VERSION, .number = wal->number};
    memcpy(header.magic, FILE_MAGIC, sizeof header.magic);
    header.crc = tk_crc32c(0, (tk_str){(const char *)&header, offsetof(struct file_header, crc)});
    return put(wal, (tk_str){(const char *)&header, sizeof header}, offset, err);
}

static enum tk_err
put_record(struct tk_wal *wal, const struct tk_wal_record *record, uint64_t *offset,
           struct tk_error *err)
{
    TK_ASSERT(record->body.len <= TK_WAL_BODY_MAX);
    struct record_header header = {
        .body_size = (uint32_t)record->body.len,
        .body_crc = tk_crc32c(0, record->body),
        .synced = wal->synced,
        .file_number = wal->number,
        .time_nano = record->time_nano,
        .project = record->project,
        .type = (uint8_t)record->type,
        .format = (uint8_t)record->format,
        .encoding = (uint8_t)record->encoding,
    };
    memcpy(&header.magic, RECORD_MAGIC, sizeof header.magic);
    header.crc = header_crc(&header);
    enum tk_err code = put(wal, (tk_str){(const char *)&header, sizeof header}, offset, err);
    return code == TK_OK ? put(wal, record->body, offset, err) : code;
}

/* All records, and zeros up to the end of the last block.  *offset: where the next group begins. */
static enum tk_err
write_group(struct tk_wal *wal, const struct tk_wal_record *records, size_t count, uint64_t *offset,
            struct tk_error *err)
{
    enum tk_err code = TK_OK;
    wal->piece_len = 0;
    if (*offset == 0)
        code = put_file_header(wal, offset, err);
    for (size_t i = 0; i < count && code == TK_OK; i++)
        code = put_record(wal, &records[i], offset, err);
    if (code != TK_OK || wal->piece_len == 0)
        return code;
    size_t padding = -wal->piece_len % TK_WAL_BLOCK;
    memset(wal->piece + wal->piece_len, 0, padding);
    wal->piece_len += padding;
    return write_piece(wal, offset, err);
}

static enum tk_err
make_file(struct tk_wal *wal, uint64_t number, struct tk_error *err)
{
    char path[TK_WAL_PATH_SIZE];
    path_of(path, wal->dir, number);
    wal->number = number;
    wal->length = wal->synced = 0;
    enum tk_err code = wal->env->open(wal->env, path, TK_OPEN_CREATE, &wal->file, err);
    if (code == TK_OK && wal->env->go_around_cache != NULL)
        wal->env->go_around_cache(wal->env, wal->file);
    return code;
}

/* Undoes a write that did not fit.  A file that got nothing yet goes away altogether, so that the
   next attempt makes it anew. */
static enum tk_err
undo_write(struct tk_wal *wal, struct tk_error *err)
{
    struct tk_error ignored;
    enum tk_err code;
    if (wal->length > 0) {
        code = wal->env->truncate(wal->env, wal->file, wal->length, &ignored);
    } else {
        tk_wal_close_file(wal);
        code = tk_wal_remove(wal->env, wal->dir, wal->number, &ignored);
    }
    if (code != TK_OK)
        return tk_error_set(err, TK_ERR_IO, "cannot undo a write that did not fit: %s",
                            ignored.message);
    return TK_ERR_FULL;
}

enum tk_err
tk_wal_append(struct tk_wal *wal, uint64_t number, const struct tk_wal_record *records,
              size_t count, struct tk_error *err)
{
    enum tk_err code = TK_OK;
    if (wal->piece == NULL)
        wal->piece = aligned_alloc(TK_WAL_BLOCK, TK_WAL_PIECE);
    if (wal->piece == NULL)
        return tk_error_set(err, TK_ERR_MEMORY, "out of memory for the log");
    if (wal->file == NULL) {
        code = make_file(wal, number, err);
        if (code != TK_OK)
            return code == TK_ERR_FULL || code == TK_ERR_MEMORY ? code : TK_ERR_BUSY;
    }
    TK_ASSERT(wal->number == number);
    uint64_t end = wal->length;
    code = write_group(wal, records, count, &end, err);
    if (code == TK_OK)
        wal->length = end;
    else
        code = code == TK_ERR_FULL ? undo_write(wal, err) : TK_ERR_IO;
    return code;
}

enum tk_err
tk_wal_sync(struct tk_wal *wal, struct tk_error *err)
{
    if (wal->file == NULL || wal->synced == wal->length)
        return TK_OK;
    if (wal->env->sync(wal->env, wal->file, err) != TK_OK)
        return TK_ERR_IO;
    /* A new file is only there once its directory is on disk too. */
    if (wal->synced == 0 && wal->env->sync_dir(wal->env, wal->dir, err) != TK_OK)
        return TK_ERR_IO;
    wal->synced = wal->length;
    return TK_OK;
}

/* The record at `at`; 0, or how many bytes it takes. */
static size_t
parse_record(tk_str file, size_t at, uint64_t number, struct record_header *ret_header)
{
    if (file.len - at < sizeof *ret_header)
        return 0;
    memcpy(ret_header, file.ptr + at, sizeof *ret_header);
    if (memcmp(&ret_header->magic, RECORD_MAGIC, sizeof RECORD_MAGIC) != 0 ||
        ret_header->crc != header_crc(ret_header) || ret_header->file_number != number ||
        ret_header->body_size > file.len - at - sizeof *ret_header)
        return 0;
    tk_str body = {file.ptr + at + sizeof *ret_header, ret_header->body_size};
    return tk_crc32c(0, body) == ret_header->body_crc ? sizeof *ret_header + body.len : 0;
}

/* Behind a record, at `at`: the zeros that fill its block, if they do, are passed over. */
static size_t
skip_padding(tk_str file, size_t at)
{
    size_t end = at + -at % TK_WAL_BLOCK;
    if (end > file.len)
        end = file.len;
    for (size_t i = at; i < end; i++)
        if (file.ptr[i] != 0)
            return at;
    return end;
}

/* The first whole record behind `at`, or the end of the file. */
static size_t
find_record(tk_str file, size_t at, uint64_t number)
{
    struct record_header header;
    while (++at < file.len) {
        const char *next = memchr(file.ptr + at, RECORD_MAGIC[0], file.len - at);
        if (next == NULL)
            return file.len;
        at = (size_t)(next - file.ptr);
        if (parse_record(file, at, number, &header) > 0)
            return at;
    }
    return file.len;
}

/* Invariant (2): is there a record from `at` on that was written after byte `hole` was on disk? */
static bool
was_on_disk(tk_str file, size_t hole, size_t at, uint64_t number)
{
    struct record_header header;
    while (at < file.len) {
        size_t size = parse_record(file, at, number, &header);
        if (size > 0 && header.synced > hole)
            return true;
        at = size > 0 ? at + size : find_record(file, at, number);
    }
    return false;
}

static bool
file_header_ok(tk_str file, uint64_t number)
{
    struct file_header header;
    if (file.len < sizeof header)
        return false;
    memcpy(&header, file.ptr, sizeof header);
    return memcmp(header.magic, FILE_MAGIC, sizeof FILE_MAGIC) == 0 && header.version >= 1 &&
           header.version <= TK_WAL_VERSION && header.number == number &&
           header.crc == tk_crc32c(0, (tk_str){file.ptr, offsetof(struct file_header, crc)});
}

static struct tk_wal_record
record_of(const struct record_header *header, const char *body)
{
    return (struct tk_wal_record){
        .type = (enum tk_wal_type)header->type,
        .project = header->project,
        .format = (enum tk_format)header->format,
        .encoding = (enum tk_encoding)header->encoding,
        .time_nano = header->time_nano,
        .body = {body, header->body_size},
    };
}

/* The file's bytes, in `bytes`: nobody had read them yet, so they are not in the page cache. */
static enum tk_err
read_whole(struct tk_env *env, const char *path, struct tk_buf *bytes, tk_str *ret_file,
           struct tk_error *err)
{
    tk_file *file;
    uint64_t size = 0;
    bool around = env->go_around_cache != NULL;
    tk_buf_clear(bytes);
    enum tk_err code = env->open(env, path, TK_OPEN_READ, &file, err);
    if (code != TK_OK)
        return code;
    code = env->size(env, file, &size, err);
    char *at = code == TK_OK ? tk_buf_reserve(bytes, size + (around ? TK_ENV_BLOCK : 1)) : NULL;
    if (code == TK_OK && at == NULL)
        code = tk_error_set(err, TK_ERR_MEMORY, "%s: out of memory", path);
    size_t blocks = around ? size / TK_ENV_BLOCK * TK_ENV_BLOCK : 0;
    if (code == TK_OK && blocks > 0) {
        at += -(uintptr_t)at % TK_ENV_BLOCK;
        env->go_around_cache(env, file);
        code = env->read_at(env, file, at, blocks, 0, err);
    }
    if (code == TK_OK && blocks < size)
        code = env->read_at(env, file, at + blocks, size - blocks, blocks, err);
    *ret_file = (tk_str){at, size};
    env->close(env, file);
    return code;
}

enum tk_err
tk_wal_read(struct tk_env *env, const char *dir, uint64_t number,
            enum tk_err (*each)(void *arg, const struct tk_wal_record *record,
                                struct tk_error *err),
            void (*report)(void *arg, const char *line), void *arg, struct tk_buf *bytes,
            struct tk_wal_read *ret_read, struct tk_error *err)
{
    char path[TK_WAL_PATH_SIZE], line[TK_WAL_PATH_SIZE + 128];
    struct tk_wal_read read = {0};
    struct record_header header;
    path_of(path, dir, number);
    tk_str file;
    enum tk_err code = read_whole(env, path, bytes, &file, err);
    if (code != TK_OK)
        return code;
    size_t at = file_header_ok(file, number) ? sizeof(struct file_header) : 0;
    while (code == TK_OK && at < file.len) {
        size_t size = at > 0 ? parse_record(file, at, number, &header) : 0;
        if (size > 0) {
            struct tk_wal_record record = record_of(&header, file.ptr + at + sizeof header);
            code = each(arg, &record, err);
            at = skip_padding(file, at + size);
            read.records++;
            continue;
        }
        size_t next = find_record(file, at, number);
        if (was_on_disk(file, at, next, number)) {
            read.damaged++;
            (void)snprintf(line, sizeof line, "%s: bytes %zu to %zu are damaged", path, at, next);
            if (report != NULL)
                report(arg, line);
        } else {
            read.torn_bytes += next - at;
        }
        at = next;
    }
    if (code == TK_OK)
        *ret_read = read;
    return code;
}

struct listing {
    uint64_t *numbers;
    size_t count, capacity;
    bool failed;
};

/* "<digits>.log" */
static bool
add_listed(void *arg, const char *name)
{
    struct listing *listing = arg;
    tk_str digits = tk_str_from(name);
    uint64_t number;
    if (!tk_str_ends_with(digits, TK_STR(".log")))
        return true;
    digits.len -= 4;
    if (!tk_str_to_u64(digits, &number) || number > TK_WAL_NUMBER_MAX)
        return true;
    if (listing->count == listing->capacity) {
        size_t capacity = listing->capacity > 0 ? listing->capacity * 2 : 16;
        uint64_t *numbers = realloc(listing->numbers, capacity * sizeof *numbers);
        listing->failed = numbers == NULL;
        if (listing->failed)
            return false;
        listing->numbers = numbers;
        listing->capacity = capacity;
    }
    listing->numbers[listing->count++] = number;
    return true;
}

static int
compare_numbers(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

enum tk_err
tk_wal_list(struct tk_env *env, const char *dir, uint64_t **ret_numbers, size_t *ret_count,
            struct tk_error *err)
{
    struct listing listing = {0};
    enum tk_err code = env->list(env, dir, add_listed, &listing, err);
    if (code == TK_ERR_NOT_FOUND)
        code = TK_OK;
    if (code == TK_OK && listing.failed)
        code = tk_error_set(err, TK_ERR_MEMORY, "%s: out of memory", dir);
    if (code != TK_OK) {
        free(listing.numbers);
        return code;
    }
    if (listing.count > 1)
        qsort(listing.numbers, listing.count, sizeof *listing.numbers, compare_numbers);
    *ret_numbers = listing.numbers;
    *ret_count = listing.count;
    return TK_OK;
}

enum tk_err
tk_wal_remove(struct tk_env *env, const char *dir, uint64_t number, struct tk_error *err)
{
    char path[TK_WAL_PATH_SIZE];
    path_of(path, dir, number);
    return env->remove(env, path, err);
}
