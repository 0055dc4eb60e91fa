#ifndef TK_STORE_GROUP_HEAD_H
#define TK_STORE_GROUP_HEAD_H
/* group_head - which chunks a group has (docs/formats/segment.md, "Group"). */
#include "store/segment/columns.h"
#include "store/segment/varint.h"

/* A chunk as the head of its group tells it. */
struct tk_chunk {
    uint32_t column, size;
    uint32_t checksum; /* low half */
};
enum { TK_CHUNK_HEAD_MIN = 6 }; /* bytes in a head */

/* The next chunk; `before` is the one before it (NULL: none; may be `ret_chunk`).  False: it makes
   no sense. */
bool tk_group_head_next(struct tk_reader *in, uint32_t version, const struct tk_chunk *before,
                        struct tk_chunk *ret_chunk);
/* `before`: column of the chunk before it, or 0. */
void tk_group_head_put(const struct tk_chunk *chunk, uint32_t before, struct tk_buf *head);

#endif
