/* opened - see opened.h. */
#include "api/opened.h"

#include <stdlib.h>

enum {
    ARENA_CHUNK = 64 << 10,
    ARENA_MAX = 1 << 30, /* the tree of the longest trace */
};

void
tk_opened_last_init(struct tk_opened_last *last, size_t max)
{
    *last = (struct tk_opened_last){.max = max};
    pthread_mutex_init(&last->_lock, NULL);
}

void
tk_opened_last_release(struct tk_opened_last *last)
{
    tk_opened_release(last->_trace);
    pthread_mutex_destroy(&last->_lock);
}

void
tk_opened_release(struct tk_opened *opened)
{
    if (opened == NULL || atomic_fetch_sub(&opened->_references, 1) > 1)
        return;
    tk_batch_free(opened->spans);
    tk_arena_release(&opened->_arena);
    free(opened);
}

size_t
tk_opened_memory(const struct tk_opened *opened)
{
    return sizeof *opened + tk_batch_memory(opened->spans) + opened->_arena.used;
}

/* One more reference to what is kept, if it is this; else NULL. */
static struct tk_opened *
look_up(struct tk_opened_last *last, uint32_t project, struct tk_trace_id id, uint64_t stamp)
{
    pthread_mutex_lock(&last->_lock);
    struct tk_opened *kept = last->_trace;
    bool same = kept != NULL && kept->_project == project && tk_trace_id_eq(kept->_id, id) &&
                kept->_stamp == stamp;
    if (same)
        atomic_fetch_add(&kept->_references, 1);
    pthread_mutex_unlock(&last->_lock);
    return same ? kept : NULL;
}

static void
keep(struct tk_opened_last *last, struct tk_opened *opened)
{
    if (opened->_damaged || opened->spans->span_count < TK_OPENED_KEPT_MIN ||
        tk_opened_memory(opened) > last->max)
        return;
    atomic_fetch_add(&opened->_references, 1);
    pthread_mutex_lock(&last->_lock);
    struct tk_opened *before = last->_trace;
    last->_trace = opened;
    pthread_mutex_unlock(&last->_lock);
    tk_opened_release(before);
}

/* Lets go of what is kept if it is of the project, and is this trace of it (NULL: any). */
static void
forget(struct tk_opened_last *last, uint32_t project, const struct tk_trace_id *id)
{
    pthread_mutex_lock(&last->_lock);
    struct tk_opened *kept = last->_trace;
    bool same =
        kept != NULL && kept->_project == project && (id == NULL || tk_trace_id_eq(kept->_id, *id));
    if (same)
        last->_trace = NULL;
    pthread_mutex_unlock(&last->_lock);
    if (same)
        tk_opened_release(kept);
}

void
tk_opened_forget(struct tk_opened_last *last, uint32_t project)
{
    forget(last, project, NULL);
}

static enum tk_err
assemble(struct tk_store_view *view, struct tk_opened *opened, struct tk_error *err)
{
    static const struct tk_store_want lean = {.lean = true};
    err->code = TK_OK;
    enum tk_err code = tk_store_find(view, opened->_id, &lean, opened->spans, err);
    if (code != TK_OK)
        return code;
    opened->_damaged = err->code != TK_OK;
    code = tk_tree_build(opened->spans, &opened->_arena, &opened->tree);
    if (code == TK_OK)
        code = tk_trace_services(opened->spans, &opened->tree, &opened->_arena, &opened->services);
    return code == TK_OK ? TK_OK : tk_error_set(err, code, "out of memory for a trace");
}

static enum tk_err
open_new(struct tk_store_view *view, uint32_t project, struct tk_trace_id id, uint64_t stamp,
         struct tk_opened **ret_opened, struct tk_error *err)
{
    struct tk_opened *opened = calloc(1, sizeof *opened);
    if (opened == NULL)
        return tk_error_set(err, TK_ERR_MEMORY, "out of memory");
    atomic_init(&opened->_references, 1);
    opened->_project = project;
    opened->_id = id;
    opened->_stamp = stamp;
    tk_arena_init(&opened->_arena, ARENA_CHUNK, ARENA_MAX);
    opened->spans = tk_batch_new();
    enum tk_err code = opened->spans != NULL ? assemble(view, opened, err)
                                             : tk_error_set(err, TK_ERR_MEMORY, "out of memory");
    if (code != TK_OK) {
        tk_opened_release(opened);
        return code;
    }
    *ret_opened = opened;
    return TK_OK;
}

enum tk_err
tk_opened_find(struct tk_opened_last *last, struct tk_store *store, uint32_t project,
               struct tk_trace_id id, struct tk_opened **ret_opened, struct tk_error *err)
{
    struct tk_store_view *view;
    uint64_t stamp;
    enum tk_err code = tk_store_view_open(store, project, &view, err);
    if (code != TK_OK)
        return code;
    code = tk_store_stamp(view, id, &stamp, err);
    *ret_opened = code == TK_OK ? look_up(last, project, id, stamp) : NULL;
    if (*ret_opened == NULL) {
        /* what was kept of another state of the store goes first: both need not fit */
        forget(last, project, &id);
        if (code == TK_OK)
            code = open_new(view, project, id, stamp, ret_opened, err);
        if (code == TK_OK)
            keep(last, *ret_opened);
    }
    tk_store_view_close(view);
    return code;
}
