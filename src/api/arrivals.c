/* arrivals - see arrivals.h. */
#include "api/arrivals.h"

#include "base/assert.h"

#include <stdlib.h>
#include <string.h>

void
tk_arrivals_note(const struct tk_batch *batch, struct tk_arena *arena,
                 struct tk_arrivals_note *ret_note)
{
    uint32_t most = batch->span_count < TK_ARRIVALS_OF_REQUEST_MAX ? batch->span_count
                                                                   : TK_ARRIVALS_OF_REQUEST_MAX;
    struct tk_arrivals_note note = {.ids = tk_arena_alloc(arena, most * sizeof *note.ids)};
    for (uint32_t row = 0; row < batch->span_count; row++) {
        struct tk_trace_id id = batch->trace_id[row];
        if (row > 0 && tk_trace_id_eq(batch->trace_id[row - 1], id))
            continue;
        if (note.ids == NULL || note.count == most)
            note.left_out++;
        else
            note.ids[note.count++] = id;
    }
    *ret_note = note;
}

/* TK_WATCHERS_MAX: nobody watches it. */
static size_t
find(const struct tk_watched *watched, uint32_t project)
{
    size_t i = 0;
    while (i < TK_WATCHERS_MAX && (watched[i].watchers == 0 || watched[i].project != project))
        i++;
    return i;
}

void
tk_arrivals_add(struct tk_arrivals *arrivals, uint32_t project, const struct tk_arrivals_note *note)
{
    size_t at = find(arrivals->watched, project);
    if (at == TK_WATCHERS_MAX)
        return;
    struct tk_watched *watched = &arrivals->watched[at];
    watched->left_out += note->left_out;
    for (uint32_t i = 0; i < note->count; i++) {
        if (arrivals->count == TK_ARRIVALS_MAX)
            watched->left_out++;
        else
            arrivals->arrival[arrivals->count++] = (struct tk_arrival){project, note->ids[i]};
    }
}

void
tk_arrivals_watch(struct tk_arrivals *arrivals, uint32_t project)
{
    size_t at = find(arrivals->watched, project);
    if (at == TK_WATCHERS_MAX) {
        for (at = 0; at < TK_WATCHERS_MAX && arrivals->watched[at].watchers > 0;)
            at++;
        TK_ASSERT(at < TK_WATCHERS_MAX);
        arrivals->watched[at] = (struct tk_watched){.project = project};
    }
    arrivals->watched[at].watchers++;
}

void
tk_arrivals_unwatch(struct tk_arrivals *arrivals, uint32_t project)
{
    size_t at = find(arrivals->watched, project);
    TK_ASSERT(at < TK_WATCHERS_MAX);
    arrivals->watched[at].watchers--;
}

void
tk_arrivals_take(struct tk_arrivals *arrivals, struct tk_arrivals *ret_taken)
{
    memcpy(ret_taken->arrival, arrivals->arrival, arrivals->count * sizeof *arrivals->arrival);
    memcpy(ret_taken->watched, arrivals->watched, sizeof arrivals->watched);
    ret_taken->count = arrivals->count;
    arrivals->count = 0;
    for (size_t i = 0; i < TK_WATCHERS_MAX; i++)
        arrivals->watched[i].left_out = 0;
}

static int
compare(const void *a, const void *b)
{
    const struct tk_arrival *x = a, *y = b;
    if (x->project != y->project)
        return x->project < y->project ? -1 : 1;
    return tk_trace_id_cmp(x->id, y->id);
}

void
tk_arrivals_sort(struct tk_arrivals *taken)
{
    struct tk_arrival *arrival = taken->arrival;
    uint32_t kept = 0;
    qsort(arrival, taken->count, sizeof *arrival, compare);
    for (uint32_t i = 0; i < taken->count; i++) {
        if (kept == 0 || compare(&arrival[kept - 1], &arrival[i]) != 0)
            arrival[kept++] = arrival[i];
    }
    taken->count = kept;
}

const struct tk_arrival *
tk_arrivals_of(const struct tk_arrivals *taken, uint32_t project, uint32_t *ret_count,
               uint64_t *ret_left_out)
{
    uint32_t begin = 0, end;
    while (begin < taken->count && taken->arrival[begin].project < project)
        begin++;
    for (end = begin; end < taken->count && taken->arrival[end].project == project;)
        end++;
    size_t at = find(taken->watched, project);
    *ret_left_out = at < TK_WATCHERS_MAX ? taken->watched[at].left_out : 0;
    *ret_count = end - begin;
    return taken->arrival + begin;
}
