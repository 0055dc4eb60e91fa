#ifndef TK_STORE_BLOCK_H
#define TK_STORE_BLOCK_H
/*
 * block - a span batch as bytes and back, lossless: the unit that a segment compresses and checks.
 * docs/formats/segment.md gives the layout.
 */
#include "trace/batch.h"

/* Appends the batch's bytes.  Failure shows in out->status. */
void tk_block_encode(const struct tk_batch *batch, struct tk_buf *out);

/*
 * `bytes` is malloc'ed; the empty `batch` takes it over on success and views it.
 * TK_ERR_CORRUPT: not what tk_block_encode made; `batch` is left empty.
 */
enum tk_err tk_block_decode(char *bytes, size_t size, struct tk_batch *batch) TK_MUST_USE;

#endif
