/*
 * zstd - see zstd.h.
 *
 * Contexts are a thread's own and go with it.
 */
#include "store/segment/zstd.h"

#include <pthread.h>
#include <stdlib.h>
#include <zstd.h>

struct contexts {
    ZSTD_CCtx *compress;
    ZSTD_DCtx *decompress;
};

static pthread_once_t once = PTHREAD_ONCE_INIT;
static pthread_key_t key;
static bool key_made;

static void
free_contexts(void *arg)
{
    struct contexts *contexts = arg;
    (void)ZSTD_freeCCtx(contexts->compress);
    (void)ZSTD_freeDCtx(contexts->decompress);
    free(contexts);
}

static void
make_key(void)
{
    key_made = pthread_key_create(&key, free_contexts) == 0;
}

/* NULL: out of memory. */
static struct contexts *
this_thread(void)
{
    if (pthread_once(&once, make_key) != 0 || !key_made)
        return NULL;
    struct contexts *contexts = pthread_getspecific(key);
    if (contexts != NULL)
        return contexts;
    contexts = calloc(1, sizeof *contexts);
    if (contexts != NULL && pthread_setspecific(key, contexts) != 0) {
        free(contexts);
        return NULL;
    }
    return contexts;
}

void
tk_zstd_compress(tk_str bytes, int level, struct tk_buf *out)
{
    struct contexts *contexts = this_thread();
    if (contexts != NULL && contexts->compress == NULL)
        contexts->compress = ZSTD_createCCtx();
    if (contexts == NULL || contexts->compress == NULL) {
        out->status = TK_ERR_MEMORY;
        return;
    }
    size_t bound = ZSTD_compressBound(bytes.len);
    char *to = tk_buf_reserve(out, bound);
    if (to == NULL)
        return;
    size_t size = ZSTD_compressCCtx(contexts->compress, to, bound, bytes.ptr, bytes.len, level);
    if (ZSTD_isError(size))
        out->status = TK_ERR_MEMORY; /* nothing else can fail: there is room */
    else
        out->len += size;
}

enum tk_err
tk_zstd_decompress(tk_str frame, void *to, size_t size)
{
    struct contexts *contexts = this_thread();
    if (contexts != NULL && contexts->decompress == NULL)
        contexts->decompress = ZSTD_createDCtx();
    if (contexts == NULL || contexts->decompress == NULL)
        return TK_ERR_MEMORY;
    size_t got = ZSTD_decompressDCtx(contexts->decompress, to, size, frame.ptr, frame.len);
    return ZSTD_isError(got) || got != size ? TK_ERR_CORRUPT : TK_OK;
}
