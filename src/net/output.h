#ifndef TK_NET_OUTPUT_H
#define TK_NET_OUTPUT_H
/*
 * output - bytes waiting to be sent: a queue of chunks, each owned by the queue until its bytes
 * are gone.  Then (or when the connection dies) its `done` is called, which frees it.
 */
#include "base/bytes.h"

#include <sys/uio.h>

struct tk_chunk {
    struct tk_chunk *_next;
    tk_str bytes; /* what is left of them */
    void (*done)(struct tk_chunk *chunk);
};

struct tk_output {
    struct tk_chunk *_first, **_last;
    size_t size; /* bytes of all chunks */
};

void tk_output_init(struct tk_output *output);
void tk_output_release(struct tk_output *output); /* every chunk is done */
void tk_output_add(struct tk_output *output, struct tk_chunk *chunk);
/* A chunk with room for `size` bytes behind it, freed when done; write to chunk->bytes.ptr, set
   chunk->bytes.len to what was written. */
struct tk_chunk *tk_chunk_new(size_t size, char **ret_bytes) TK_MUST_USE;
/* Copies.  TK_ERR_MEMORY: nothing was added. */
enum tk_err tk_output_copy(struct tk_output *output, tk_str bytes) TK_MUST_USE;
/* Views of the front, for one writev; returns how many were filled. */
size_t tk_output_peek(const struct tk_output *output, struct iovec *views, size_t max);
/* The first `size` bytes were sent. */
void tk_output_consume(struct tk_output *output, size_t size);

#endif
