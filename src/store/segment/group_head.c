/* group_head - see group_head.h. */
#include "store/segment/group_head.h"

bool
tk_group_head_next(struct tk_reader *in, uint32_t version, const struct tk_chunk *before,
                   struct tk_chunk *ret_chunk)
{
    uint32_t head[4] = {0}; /* version 2: column, size, checksum */
    const void *bytes = version == 2 ? tk_get_bytes(in, sizeof head) : NULL;
    if (bytes != NULL) {
        memcpy(head, bytes, sizeof head);
    } else if (version > 2) {
        uint64_t column = tk_get_u32(in) + (uint64_t)(before != NULL ? before->column : 0);
        head[0] = column < UINT32_MAX ? (uint32_t)column : UINT32_MAX;
        head[1] = tk_get_u32(in);
        bytes = tk_get_bytes(in, sizeof *head);
        if (bytes != NULL)
            memcpy(&head[2], bytes, sizeof *head);
    }
    bool ok = in->ok && (before == NULL || head[0] > before->column);
    *ret_chunk = (struct tk_chunk){head[0], head[1], head[2]};
    return ok;
}

void
tk_group_head_put(const struct tk_chunk *chunk, uint32_t before, struct tk_buf *head)
{
    tk_put_varint(head, chunk->column - before);
    tk_put_varint(head, chunk->size);
    tk_put_bytes(head, &chunk->checksum, sizeof chunk->checksum);
}
