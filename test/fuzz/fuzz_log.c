/*
 * Any bytes as a log file: nothing but whole records with right checksums comes out of it, in the
 * order in which they lie there.  The checksums of what looks like a record are put right first.
 */
#include "memory_file.h"

#include "base/assert.h"
#include "base/hash.h"
#include "store/embedded/wal.h"

#include <stdlib.h>

enum { NUMBER = 1, HEADER = 48 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct seen {
    tk_str file;
    const char *last; /* end of the last record */
    uint64_t count;
};

static void
put_u32(char *at, uint32_t value)
{
    memcpy(at, &value, sizeof value);
}

/* docs/formats/log.md: magic 0, crc 4, body size 8, body crc 12, file number 24. */
static void
mend(char *bytes, size_t size)
{
    static const char magic[4] = {'T', 'K', 'r', 1};
    for (size_t at = 0; at + HEADER <= size; at++) {
        uint32_t body_size;
        if (memcmp(bytes + at, magic, sizeof magic) != 0)
            continue;
        memcpy(&body_size, bytes + at + 8, sizeof body_size);
        body_size = (uint32_t)(body_size % (size - at - HEADER + 2)); /* may pass the end by one */
        put_u32(bytes + at + 8, body_size);
        if (body_size <= size - at - HEADER)
            put_u32(bytes + at + 12, tk_crc32c(0, (tk_str){bytes + at + HEADER, body_size}));
        put_u32(bytes + at + 24, NUMBER);
        put_u32(bytes + at + 28, 0);
        put_u32(bytes + at + 4, tk_crc32c(0, (tk_str){bytes + at + 8, HEADER - 8}));
        at += HEADER - 1;
    }
}

static enum tk_err
see(void *arg, const struct tk_wal_record *record, struct tk_error *err)
{
    struct seen *seen = arg;
    (void)err;
    TK_ASSERT(seen->last == NULL || record->body.ptr >= seen->last + HEADER);
    seen->last = record->body.ptr + record->body.len;
    seen->count++;
    return TK_OK;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct memory_env memory;
    struct tk_wal_read read;
    struct seen seen = {0};
    struct tk_buf scratch;
    char *bytes = malloc(size + 1);
    memcpy(bytes, data, size);
    mend(bytes, size);
    tk_buf_init(&scratch, size + 1);
    scratch.ptr = malloc(size + 1); /* no larger than it must be: what reads too far is caught */
    scratch.capacity = size + 1;
    memory_env_init(&memory, (tk_str){bytes, size});
    TK_ASSERT(tk_wal_read(&memory.env, "log", NUMBER, see, NULL, &seen, &scratch, &read, NULL) ==
              TK_OK);
    TK_ASSERT(read.records == seen.count && read.torn_bytes <= size);
    tk_buf_release(&scratch);
    free(bytes);
    return 0;
}
