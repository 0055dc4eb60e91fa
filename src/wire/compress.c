/*
 * compress - see compress.h.
 *
 * The output grows by doubling up to the limit, whatever the input claims about its size: what a
 * header says is only ever a first guess.  A member of gzip or deflate that did not fit is undone
 * again from its start, which costs at most as much as the last attempt.  zstd is undone in one
 * call, which needs no window beside the output.
 */
#include "wire/compress.h"

#include <libdeflate.h>
#include <stdlib.h>
#include <zstd.h>
#include <zstd_errors.h>

enum {
    FIRST_GUESS_FACTOR = 6, /* typical for OTLP protobuf with gzip */
    DEFLATE_FACTOR_MAX = 1032,
    GZIP_MEMBER_MIN = 18, /* header and trailer */
};

struct output {
    char *ptr; /* owned */
    size_t len, capacity, limit;
};

/* At least one more byte; TK_ERR_LIMIT when there is no more to be had. */
static enum tk_err
grow(struct output *out)
{
    if (out->capacity >= out->limit)
        return TK_ERR_LIMIT;
    size_t capacity = out->capacity <= out->limit / 2 ? out->capacity * 2 : out->limit;
    char *ptr = realloc(out->ptr, capacity);
    if (ptr == NULL)
        return TK_ERR_MEMORY;
    out->ptr = ptr;
    out->capacity = capacity;
    return TK_OK;
}

static enum tk_err
start(struct output *out, size_t guess, size_t limit)
{
    size_t capacity = guess < limit ? guess : limit;
    *out = (struct output){.limit = limit};
    out->ptr = malloc(capacity > 0 ? capacity : 1);
    if (out->ptr == NULL)
        return TK_ERR_MEMORY;
    out->capacity = capacity > 0 ? capacity : limit > 0 ? 1 : 0;
    return TK_OK;
}

typedef enum libdeflate_result inflate(struct libdeflate_decompressor *inflater, const void *in,
                                       size_t in_len, void *out, size_t out_capacity,
                                       size_t *ret_in_len, size_t *ret_out_len);

/* One member of `in` behind what is in `out`; *ret_used bytes of `in` belong to it. */
static enum tk_err
inflate_member(struct libdeflate_decompressor *inflater, inflate *how, tk_str in,
               struct output *out, size_t *ret_used, struct tk_error *err)
{
    for (;;) {
        size_t out_len;
        switch (how(inflater, in.ptr, in.len, out->ptr + out->len, out->capacity - out->len,
                    ret_used, &out_len)) {
        case LIBDEFLATE_SUCCESS:
            out->len += out_len;
            return TK_OK;
        case LIBDEFLATE_INSUFFICIENT_SPACE:
            break;
        default:
            return tk_error_set(err, TK_ERR_INPUT, "damaged or cut short compressed body");
        }
        enum tk_err code = grow(out);
        if (code != TK_OK)
            return tk_error_set(err, code, "body beyond %zu bytes after decompression", out->limit);
    }
}

/* gzip's trailer holds the size modulo 2^32: a good guess, when deflate can reach it at all. */
static size_t
guess_gzip(tk_str in)
{
    uint32_t size = 0;
    if (in.len >= GZIP_MEMBER_MIN)
        memcpy(&size, in.ptr + in.len - sizeof size, sizeof size);
    if (size / DEFLATE_FACTOR_MAX > in.len)
        size = 0;
    return size > 0 ? size : in.len * FIRST_GUESS_FACTOR;
}

static enum tk_err
gunzip(struct libdeflate_decompressor *inflater, tk_str in, size_t limit, struct output *out,
       struct tk_error *err)
{
    enum tk_err code = start(out, guess_gzip(in), limit);
    if (code == TK_OK && in.len == 0)
        return tk_error_set(err, TK_ERR_INPUT, "empty body is not gzip");
    while (code == TK_OK && in.len > 0) {
        size_t used;
        code = inflate_member(inflater, libdeflate_gzip_decompress_ex, in, out, &used, err);
        if (code == TK_OK)
            in = (tk_str){in.ptr + used, in.len - used};
    }
    return code;
}

/* RFC 1950: 8 in the low four bits, no preset dictionary, header a multiple of 31. */
static bool
has_zlib_header(tk_str in)
{
    if (in.len < 2)
        return false;
    unsigned first = (unsigned char)in.ptr[0], second = (unsigned char)in.ptr[1];
    return (first & 15) == 8 && (second & 0x20) == 0 && (first * 256 + second) % 31 == 0;
}

static enum tk_err
undeflate(struct libdeflate_decompressor *inflater, tk_str in, size_t limit, struct output *out,
          struct tk_error *err)
{
    size_t used = 0;
    enum tk_err code = start(out, in.len * FIRST_GUESS_FACTOR, limit);
    if (code != TK_OK)
        return code;
    code = TK_ERR_INPUT;
    if (has_zlib_header(in))
        code = inflate_member(inflater, libdeflate_zlib_decompress_ex, in, out, &used, err);
    if (code == TK_ERR_INPUT)
        code = inflate_member(inflater, libdeflate_deflate_decompress_ex, in, out, &used, err);
    if (code == TK_OK && used != in.len)
        return tk_error_set(err, TK_ERR_INPUT, "byte %zu: bytes behind the compressed body", used);
    return code;
}

/* All frames at once; begun anew with more room when they did not fit. */
static enum tk_err
unzstd(tk_str in, size_t limit, struct output *out, struct tk_error *err)
{
    unsigned long long size = ZSTD_getFrameContentSize(in.ptr, in.len); /* of the first frame */
    size_t guess = in.len * FIRST_GUESS_FACTOR;
    if (size == ZSTD_CONTENTSIZE_ERROR || in.len == 0)
        return tk_error_set(err, TK_ERR_INPUT, "body is not zstd");
    if (size != ZSTD_CONTENTSIZE_UNKNOWN && size > guess)
        guess = size < limit ? (size_t)size : limit;
    enum tk_err code = start(out, guess, limit);
    while (code == TK_OK) {
        size_t result = ZSTD_decompress(out->ptr, out->capacity, in.ptr, in.len);
        if (!ZSTD_isError(result)) {
            out->len = result;
            return TK_OK;
        }
        if (ZSTD_getErrorCode(result) == ZSTD_error_memory_allocation)
            return TK_ERR_MEMORY;
        if (ZSTD_getErrorCode(result) != ZSTD_error_dstSize_tooSmall)
            return tk_error_set(err, TK_ERR_INPUT, "damaged compressed body: %s",
                                ZSTD_getErrorName(result));
        code = grow(out);
    }
    return tk_error_set(err, code, "body beyond %zu bytes after decompression", limit);
}

static enum tk_err
copy_plain(tk_str in, size_t limit, struct output *out, struct tk_error *err)
{
    if (in.len > limit)
        return tk_error_set(err, TK_ERR_LIMIT, "body beyond %zu bytes", limit);
    enum tk_err code = start(out, in.len, limit);
    if (code == TK_OK && in.len > 0)
        memcpy(out->ptr, in.ptr, in.len);
    out->len = in.len;
    return code;
}

enum tk_err
tk_decompress(enum tk_encoding encoding, tk_str in, size_t limit, char **ret_ptr, size_t *ret_len,
              struct tk_error *err)
{
    struct output out = {0};
    struct libdeflate_decompressor *inflater = NULL;
    enum tk_err code = TK_ERR_MEMORY;
    if (encoding == TK_ENCODING_GZIP || encoding == TK_ENCODING_DEFLATE) {
        inflater = libdeflate_alloc_decompressor();
        if (inflater == NULL)
            goto out;
    }
    switch (encoding) {
    case TK_ENCODING_NONE:
        code = copy_plain(in, limit, &out, err);
        break;
    case TK_ENCODING_GZIP:
        code = gunzip(inflater, in, limit, &out, err);
        break;
    case TK_ENCODING_DEFLATE:
        code = undeflate(inflater, in, limit, &out, err);
        break;
    case TK_ENCODING_ZSTD:
        code = unzstd(in, limit, &out, err);
        break;
    }
out:
    libdeflate_free_decompressor(inflater);
    if (code != TK_OK) {
        free(out.ptr);
        return code;
    }
    *ret_ptr = out.ptr;
    *ret_len = out.len;
    return TK_OK;
}

static enum tk_err
compress_deflate(enum tk_encoding encoding, int level, tk_str in, struct output *out)
{
    struct libdeflate_compressor *deflater = libdeflate_alloc_compressor(level);
    if (deflater == NULL)
        return TK_ERR_MEMORY;
    bool gzip = encoding == TK_ENCODING_GZIP;
    size_t bound = gzip ? libdeflate_gzip_compress_bound(deflater, in.len)
                        : libdeflate_zlib_compress_bound(deflater, in.len);
    enum tk_err code = start(out, bound, bound);
    if (code == TK_OK)
        out->len =
            gzip ? libdeflate_gzip_compress(deflater, in.ptr, in.len, out->ptr, out->capacity)
                 : libdeflate_zlib_compress(deflater, in.ptr, in.len, out->ptr, out->capacity);
    libdeflate_free_compressor(deflater);
    return code;
}

static enum tk_err
compress_zstd(int level, tk_str in, struct output *out)
{
    size_t bound = ZSTD_compressBound(in.len);
    enum tk_err code = start(out, bound, bound);
    if (code != TK_OK)
        return code;
    size_t result = ZSTD_compress(out->ptr, out->capacity, in.ptr, in.len, level);
    if (ZSTD_isError(result))
        return TK_ERR_MEMORY; /* the room was enough: nothing else is left to fail */
    out->len = result;
    return TK_OK;
}

enum tk_err
tk_compress(enum tk_encoding encoding, int level, tk_str in, char **ret_ptr, size_t *ret_len)
{
    struct output out = {0};
    enum tk_err code = TK_OK;
    switch (encoding) {
    case TK_ENCODING_NONE:
        code = copy_plain(in, in.len, &out, NULL);
        break;
    case TK_ENCODING_GZIP:
    case TK_ENCODING_DEFLATE:
        code = compress_deflate(encoding, level, in, &out);
        break;
    case TK_ENCODING_ZSTD:
        code = compress_zstd(level, in, &out);
        break;
    }
    if (code != TK_OK) {
        free(out.ptr);
        return code;
    }
    *ret_ptr = out.ptr;
    *ret_len = out.len;
    return TK_OK;
}

enum tk_encoding
tk_encoding_sniff(tk_str bytes)
{
    if (tk_str_starts_with(bytes, TK_STR("\x1f\x8b\x08")))
        return TK_ENCODING_GZIP;
    if (tk_str_starts_with(bytes, TK_STR("\x28\xb5\x2f\xfd")))
        return TK_ENCODING_ZSTD;
    return TK_ENCODING_NONE;
}
