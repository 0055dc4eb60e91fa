#ifndef TK_STORE_ZSTD_H
#define TK_STORE_ZSTD_H
/*
 * zstd - frames of zstd; each thread keeps a context, so that a small frame costs little.
 */
#include "base/bytes.h"

/* Appends one frame. */
void tk_zstd_compress(tk_str bytes, int level, struct tk_buf *out);
/* TK_ERR_CORRUPT: it is not a frame of exactly `size` bytes. */
enum tk_err tk_zstd_decompress(tk_str frame, void *to, size_t size) TK_MUST_USE;

#endif
