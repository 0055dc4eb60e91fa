/*
 * thinner - deferred tail sampling: which segments are due to be thinned, and which traces stay
 * (store.h, struct tk_store_thinning).
 *
 * A segment is as old as its newest span and is thinned as a whole, once for each step whose age it
 * reaches: compaction rewrites it under its own name without the traces that go.  A trace whose id
 * does not let it stay is looked up everywhere in its project and judged whole: a part of it in
 * another segment may be the one that keeps it.  In doubt (something of it cannot be read) it
 * stays.
 */
#include "store/embedded/internal.h"

struct tk_segment *
tk_thinner_pick(struct tk_embedded *store, uint64_t *ret_threshold)
{
    const struct tk_store_thinning *thinning = &store->thinning;
    uint64_t now = store->env->wall_nano(store->env);
    struct tk_segment *oldest = NULL;
    for (uint32_t p = 0; p < store->project_count && thinning->step_count > 0; p++) {
        const struct tk_project *project = &store->projects[p];
        for (uint32_t i = 0; i < project->count && !project->damaged; i++) {
            struct tk_segment *segment = project->segments[i];
            uint64_t age = now > segment->end_max ? now - segment->end_max : 0;
            uint64_t threshold = tk_thin_threshold(thinning->steps, thinning->step_count, age);
            if (threshold <= segment->thinned || segment->row_count == 0 ||
                (oldest != NULL && oldest->end_max <= segment->end_max))
                continue;
            oldest = segment;
            *ret_threshold = threshold;
        }
    }
    return oldest != NULL ? tk_segment_ref(oldest) : NULL;
}

enum tk_err
tk_thinner_init(struct tk_thinner *thinner, struct tk_embedded *store, uint32_t project,
                uint64_t threshold, struct tk_error *err)
{
    *thinner = (struct tk_thinner){.store = store, .threshold = threshold};
    thinner->batch = tk_batch_new();
    if (thinner->batch == NULL)
        return tk_error_set(err, TK_ERR_MEMORY, "out of memory");
    return tk_view_open(&store->base, project, &thinner->view, err);
}

void
tk_thinner_release(struct tk_thinner *thinner)
{
    tk_store_view_close(thinner->view);
    tk_batch_free(thinner->batch);
}

/* Does the rule keep it? */
static enum tk_err
keep(struct tk_thinner *thinner, const struct tk_trace_entry *entry, bool *ret_keep,
     struct tk_error *err)
{
    const struct tk_store_thinning *thinning = &thinner->store->thinning;
    *ret_keep = false;
    if (thinning->keep == NULL)
        return TK_OK;
    tk_batch_clear(thinner->batch);
    err->code = TK_OK;
    enum tk_err code = tk_view_find(thinner->view, entry->id, &thinning->want, thinner->batch, err);
    if (code != TK_OK && code != TK_ERR_CORRUPT)
        return code == TK_ERR_NOT_FOUND ? TK_OK : code;
    struct tk_store_trace trace = {entry->id, entry->start_nano, entry->end_nano, thinner->batch};
    *ret_keep = err->code != TK_OK || thinning->keep(thinning->arg, &trace);
    return TK_OK;
}

enum tk_err
tk_thinner_judge(struct tk_thinner *thinner, const struct tk_trace_entry *entry, uint32_t row_count,
                 struct tk_error *err)
{
    bool kept = tk_thin_stays(thinner->threshold, entry->id);
    enum tk_err code = kept ? TK_OK : keep(thinner, entry, &kept, err);
    if (code != TK_OK || kept)
        return code;
    thinner->spans_gone += row_count;
    return TK_ERR_NOT_FOUND;
}

void
tk_thinner_count(const struct tk_thinner *thinner, const struct tk_segment *from,
                 const struct tk_segment *to)
{
    struct tk_store_tally *gone = &thinner->store->stats.thinned;
    gone->segments++;
    gone->spans += thinner->spans_gone;
    gone->bytes += from->size > to->size ? from->size - to->size : 0;
}
