/*
 * view - pictures of one project, finding and scanning (store.h).
 *
 * A picture is a list of references: the segments, and how many batches each buffer had.  It is
 * taken under the store's lock, at which instant every span is either in a buffer or in a segment.
 */
#include "store/embedded/internal.h"

#include <stdlib.h>

struct scan {
    struct tk_store_scan base;
    struct tk_merge *merge;
    struct tk_pieces pieces;
    struct tk_store_want want;
    struct tk_batch *batch; /* what the last call yielded */
};

static enum tk_err
add_generations(struct tk_embedded *store, uint32_t project, struct tk_sources *sources)
{
    enum tk_err code = TK_OK;
    struct tk_generation *at = store->oldest;
    for (; at != NULL && code == TK_OK; at = at->newer) {
        struct tk_buffer *buffer = tk_generation_find(at, project);
        if (buffer != NULL)
            code = tk_sources_add_buffer(sources, buffer, tk_buffer_batch_count(buffer));
    }
    return code;
}

enum tk_err
tk_view_open(struct tk_store *base, uint32_t project, struct tk_store_view **ret_view,
             struct tk_error *err)
{
    struct tk_embedded *store = (struct tk_embedded *)base;
    struct tk_view *view = calloc(1, sizeof *view);
    if (view == NULL)
        return tk_error_set(err, TK_ERR_MEMORY, "out of memory");
    enum tk_err code = TK_OK;
    view->base.vtable = base->vtable;
    tk_sources_init(&view->sources);
    pthread_mutex_lock(&store->lock);
    const struct tk_project *known = tk_catalog_find(store, project);
    for (uint32_t i = 0; known != NULL && i < known->count && code == TK_OK; i++)
        code = tk_sources_add_segment(&view->sources, known->segments[i]);
    if (code == TK_OK)
        code = add_generations(store, project, &view->sources);
    pthread_mutex_unlock(&store->lock);
    if (code != TK_OK) {
        tk_view_close(&view->base);
        return tk_error_set(err, code, "out of memory");
    }
    *ret_view = &view->base;
    return TK_OK;
}

void
tk_view_close(struct tk_store_view *base)
{
    struct tk_view *view = (struct tk_view *)base;
    tk_sources_release(&view->sources);
    free(view);
}

enum tk_err
tk_view_find(struct tk_store_view *base, struct tk_trace_id id, const struct tk_store_want *want,
             struct tk_batch *to, struct tk_error *err)
{
    struct tk_view *view = (struct tk_view *)base;
    struct tk_pieces pieces;
    tk_pieces_init(&pieces);
    pieces.deep = true;
    bool whole = want == NULL || !want->lean;
    enum tk_err code = tk_sources_find(&view->sources, id, whole, &pieces, err);
    if (code == TK_OK)
        code = tk_pieces_copy(&pieces, id, want, to, err);
    tk_pieces_release(&pieces);
    return code;
}

enum tk_err
tk_view_stamp(struct tk_store_view *base, struct tk_trace_id id, uint64_t *ret_stamp,
              struct tk_error *err)
{
    return tk_sources_stamp(&((struct tk_view *)base)->sources, id, ret_stamp, err);
}

enum tk_err
tk_view_scan_open(struct tk_store_view *base, const struct tk_store_range *range,
                  struct tk_store_scan **ret_scan, struct tk_error *err)
{
    struct tk_view *view = (struct tk_view *)base;
    struct scan *scan = calloc(1, sizeof *scan);
    if (scan == NULL)
        return tk_error_set(err, TK_ERR_MEMORY, "out of memory");
    scan->base.vtable = base->vtable;
    scan->want = range->want;
    tk_pieces_init(&scan->pieces);
    scan->batch = tk_batch_new();
    enum tk_err code = scan->batch != NULL ? tk_merge_open(&view->sources, range, &scan->merge, err)
                                           : tk_error_set(err, TK_ERR_MEMORY, "out of memory");
    if (code != TK_OK)
        tk_view_scan_close(&scan->base);
    else
        *ret_scan = &scan->base;
    return code;
}

enum tk_err
tk_view_scan_next(struct tk_store_scan *base, struct tk_store_trace *ret_trace,
                  struct tk_error *err)
{
    struct scan *scan = (struct scan *)base;
    struct tk_trace_entry entry;
    enum tk_err code;
    do { /* a trace of which nothing can be read was reported, and is left out */
        tk_batch_clear(scan->batch); /* it views what `pieces` holds: first this, then that */
        code = tk_merge_next(scan->merge, &entry, &scan->pieces, err);
        if (code == TK_OK)
            code = tk_pieces_copy(&scan->pieces, entry.id, &scan->want, scan->batch, err);
    } while (code == TK_ERR_CORRUPT);
    if (code == TK_OK)
        *ret_trace =
            (struct tk_store_trace){entry.id, entry.start_nano, entry.end_nano, scan->batch};
    return code;
}

void
tk_view_scan_close(struct tk_store_scan *base)
{
    struct scan *scan = (struct scan *)base;
    tk_batch_free(scan->batch);
    tk_merge_close(scan->merge);
    tk_pieces_release(&scan->pieces);
    free(scan);
}
