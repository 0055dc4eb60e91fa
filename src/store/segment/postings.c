/*
 * postings - code -> groups (value_index.h, docs/formats/segment.md).
 *
 * While they are made, the list of a code is the bytes that will be written, in a chain of small
 * chunks out of one pool; a list that grows beyond what is worth listing gives its chunks back.
 */
#include "store/segment/value_index.h"

#include "base/assert.h"
#include "store/segment/columns.h"
#include "store/segment/varint.h"

#include <stdlib.h>

enum { CODES_PER_OFFSET = 64, CHUNK_BYTES = 12, TOO_MANY = TK_POSTINGS_MAX + 1 };

struct list {
    uint32_t first, last; /* chunks, + 1; 0: none */
    uint32_t group;       /* the newest */
    uint8_t count;        /* TOO_MANY: not listed */
    uint8_t used;         /* bytes of the last chunk */
};

struct chunk {
    uint32_t next; /* + 1; 0: none */
    unsigned char bytes[CHUNK_BYTES];
};

struct tk_postings {
    uint32_t code_count;
    struct list *lists; /* [code_count] */
    struct chunk *chunks;
    uint32_t chunk_count, chunk_capacity;
    uint32_t free; /* + 1 */
};

struct tk_postings *
tk_postings_new(uint32_t code_count)
{
    struct tk_postings *postings = calloc(1, sizeof *postings);
    if (postings == NULL)
        return NULL;
    postings->code_count = code_count;
    postings->lists = calloc((size_t)code_count + 1, sizeof *postings->lists);
    if (postings->lists == NULL) {
        free(postings);
        return NULL;
    }
    return postings;
}

void
tk_postings_free(struct tk_postings *postings)
{
    if (postings == NULL)
        return;
    free(postings->lists);
    free(postings->chunks);
    free(postings);
}

/* Number + 1 of an empty chunk; 0: out of memory. */
static uint32_t
new_chunk(struct tk_postings *postings)
{
    uint32_t at = postings->free;
    if (at > 0) {
        postings->free = postings->chunks[at - 1].next;
    } else {
        if (postings->chunk_count == postings->chunk_capacity) {
            uint32_t capacity = postings->chunk_capacity > 0 ? postings->chunk_capacity * 2 : 64;
            struct chunk *chunks = realloc(postings->chunks, capacity * sizeof *chunks);
            if (chunks == NULL)
                return 0;
            postings->chunks = chunks;
            postings->chunk_capacity = capacity;
        }
        at = ++postings->chunk_count;
    }
    postings->chunks[at - 1].next = 0;
    return at;
}

static enum tk_err
append_byte(struct tk_postings *postings, struct list *list, unsigned char byte)
{
    if (list->last == 0 || list->used == CHUNK_BYTES) {
        uint32_t chunk = new_chunk(postings);
        if (chunk == 0)
            return TK_ERR_MEMORY;
        if (list->last == 0)
            list->first = chunk;
        else
            postings->chunks[list->last - 1].next = chunk;
        list->last = chunk;
        list->used = 0;
    }
    postings->chunks[list->last - 1].bytes[list->used++] = byte;
    return TK_OK;
}

static void
give_up(struct tk_postings *postings, struct list *list)
{
    postings->chunks[list->last - 1].next = postings->free;
    postings->free = list->first;
    *list = (struct list){.count = TOO_MANY};
}

enum tk_err
tk_postings_add(struct tk_postings *postings, uint32_t code, uint32_t group)
{
    TK_ASSERT(code < postings->code_count);
    struct list *list = &postings->lists[code];
    if (list->count == TOO_MANY || (list->count > 0 && list->group == group))
        return TK_OK;
    if (list->count == TK_POSTINGS_MAX) {
        give_up(postings, list);
        return TK_OK;
    }
    TK_ASSERT(list->count == 0 || list->group < group);
    uint32_t delta = list->count > 0 ? group - list->group : group;
    enum tk_err code_of = TK_OK;
    for (; delta >= 0x80 && code_of == TK_OK; delta >>= 7)
        code_of = append_byte(postings, list, (unsigned char)(delta | 0x80));
    if (code_of == TK_OK)
        code_of = append_byte(postings, list, (unsigned char)delta);
    list->group = group;
    list->count++;
    return code_of;
}

static uint32_t
list_size(const struct tk_postings *postings, const struct list *list)
{
    uint32_t size = 0;
    for (uint32_t at = list->first; at > 0; at = postings->chunks[at - 1].next)
        size += at == list->last ? list->used : CHUNK_BYTES;
    return size;
}

void
tk_postings_write(const struct tk_postings *postings, struct tk_buf *out)
{
    uint32_t offset = 0;
    for (uint32_t code = 0; code < postings->code_count; code++) {
        if (code % CODES_PER_OFFSET == 0)
            tk_put_bytes(out, &offset, sizeof offset);
        offset += list_size(postings, &postings->lists[code]);
    }
    for (uint32_t code = 0; code < postings->code_count; code++) {
        uint8_t count = postings->lists[code].count;
        tk_buf_append_char(out, count == TOO_MANY ? 0 : (char)count);
    }
    for (uint32_t code = 0; code < postings->code_count; code++) {
        const struct list *list = &postings->lists[code];
        for (uint32_t at = list->first; at > 0; at = postings->chunks[at - 1].next)
            tk_put_bytes(out, postings->chunks[at - 1].bytes,
                         at == list->last ? list->used : CHUNK_BYTES);
    }
}

enum tk_err
tk_postings_lookup(tk_str section, uint32_t code_count, uint32_t code, uint32_t groups[128],
                   uint32_t *ret_count, bool *ret_all)
{
    size_t offsets_size =
        sizeof(uint32_t) * (((size_t)code_count + CODES_PER_OFFSET - 1) / CODES_PER_OFFSET);
    if (code >= code_count || section.len < offsets_size + code_count)
        return TK_ERR_CORRUPT;
    const unsigned char *counts = (const unsigned char *)section.ptr + offsets_size;
    const unsigned char *end = (const unsigned char *)section.ptr + section.len;
    uint32_t at = code / CODES_PER_OFFSET * CODES_PER_OFFSET, offset;
    memcpy(&offset, section.ptr + code / CODES_PER_OFFSET * sizeof offset, sizeof offset);
    if (offset > (size_t)(end - counts) - code_count)
        return TK_ERR_CORRUPT;
    struct tk_reader in = {counts + code_count + offset, end, true};
    for (; at < code && in.ok; at++)
        for (uint32_t i = 0; i < counts[at]; i++)
            (void)tk_get_varint(&in);
    uint32_t count = counts[code];
    uint64_t group = 0;
    if (count > TK_POSTINGS_MAX)
        return TK_ERR_CORRUPT;
    for (uint32_t i = 0; i < count; i++) {
        uint64_t delta = tk_get_varint(&in);
        group += delta;
        if ((i > 0 && delta == 0) || delta > UINT32_MAX || group > UINT32_MAX)
            return TK_ERR_CORRUPT;
        groups[i] = (uint32_t)group;
    }
    if (!in.ok)
        return TK_ERR_CORRUPT;
    *ret_count = count;
    *ret_all = count == 0;
    return TK_OK;
}
