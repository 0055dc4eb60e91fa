#ifndef TK_WIRE_COMPRESS_H
#define TK_WIRE_COMPRESS_H
/*
 * compress - gzip and deflate by libdeflate, zstd by libzstd.
 *
 * deflate is zlib-wrapped (RFC 9110 8.4.1.2); raw deflate, which some clients send, is accepted.
 * gzip and zstd of several members / frames are one body.
 */
#include "wire/wire.h"

/* A new malloc'ed block in *ret_ptr (caller frees).  More than `limit` bytes is TK_ERR_LIMIT, found
   without ever holding more than that. */
enum tk_err tk_decompress(enum tk_encoding encoding, tk_str in, size_t limit, char **ret_ptr,
                          size_t *ret_len, struct tk_error *err) TK_MUST_USE;
enum tk_err tk_compress(enum tk_encoding encoding, int level, tk_str in, char **ret_ptr,
                        size_t *ret_len) TK_MUST_USE;
/* By magic number: TK_ENCODING_GZIP, TK_ENCODING_ZSTD, or TK_ENCODING_NONE. */
enum tk_encoding tk_encoding_sniff(tk_str bytes);

#endif
