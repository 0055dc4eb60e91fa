/* model - see model.h. */
#include "model.h"
#include "fail.h"
#include "features.h"
#include "heap.h"
#include "sched.h"

#include <stdlib.h>
#include <string.h>

/* "fsync within a second" (store.h), and then it takes a while. */
#define ASYNC_NANO (3ull * SECOND_NANO / 2)

void
model_init(struct model *model, uint32_t project_count, bool async)
{
    *model = (struct model){.project_count = project_count, .async = async};
    for (uint32_t i = 0; i < project_count; i++)
        model->projects[i].id = i + 1;
}

void
model_release(struct model *model)
{
    for (uint32_t i = 0; i < model->project_count; i++) {
        struct model_project *project = &model->projects[i];
        for (uint32_t k = 0; k < project->count; k++)
            request_free(project->requests[k]);
        sim_free(project->requests);
        pool_release(&project->pool);
    }
}

static struct model_project *
project_of(struct model *model, const struct request *request)
{
    return &model->projects[request->project - 1];
}

void
model_ask(struct model *model, struct request *request)
{
    struct model_project *project = project_of(model, request);
    if (project->count == project->capacity) {
        project->capacity = project->capacity > 0 ? project->capacity * 2 : 64;
        project->requests =
            sim_realloc(project->requests, project->capacity * sizeof(struct request *));
    }
    project->requests[project->count++] = request;
    request->state = REQUEST_ASKED;
    request->asked_nano = sched_now();
}

void
model_answer(struct model *model, struct request *request, enum tk_err code, uint64_t now)
{
    SIM_CHECK(!request->answered, "request %u is answered twice", request->number);
    request->answered = true;
    request->answered_nano = now;
    request->state = code == TK_OK ? REQUEST_ACKED : REQUEST_FAILED;
    request->durable = code == TK_OK && !model->async;
}

void
model_sealed(struct model *model)
{
    for (uint32_t i = 0; i < model->project_count; i++) {
        struct model_project *project = &model->projects[i];
        project->dropped_nano = 0;
        for (uint32_t k = project->dropped; k < project->count; k++) {
            struct request *request = project->requests[k];
            if (request->state == REQUEST_SEEN)
                request->state = REQUEST_ACKED;
            request->durable = request->state == REQUEST_ACKED;
        }
    }
}

/* May an acknowledgement that was not synced be lost now? */
static bool
may_be_lost(const struct request *request, bool syncs_failed, uint64_t now)
{
    return syncs_failed || now - request->answered_nano < ASYNC_NANO;
}

void
model_died(struct model *model, bool power, bool syncs_failed, uint64_t now)
{
    for (uint32_t i = 0; i < model->project_count; i++) {
        struct model_project *project = &model->projects[i];
        bool drop_lost = project->dropped_nano != 0 &&
                         (syncs_failed || now - project->dropped_nano < ASYNC_NANO);
        if ((project->drop_asked && (!power || model->async)) || drop_lost)
            project->lenient = true; /* part of it may come back, once more, later */
        if (drop_lost)               /* all of what was dropped, too */
            project->dropped = 0;
        for (uint32_t k = project->dropped; k < project->count; k++) {
            struct request *request = project->requests[k];
            request->answered = true; /* nobody waits for it any more */
            if (request->state == REQUEST_ACKED && !request->durable &&
                may_be_lost(request, syncs_failed, now))
                request->state = power || syncs_failed ? REQUEST_ASKED : REQUEST_SEEN;
            if (request->state == REQUEST_SEEN && power)
                request->state = REQUEST_ASKED;
        }
    }
}

void
model_dropped(struct model_project *project, uint32_t asks, uint64_t now, bool durable)
{
    project->dropped = asks;
    project->drop_asked = false;
    project->lenient = false;
    project->dropped_nano = durable ? 0 : now;
}

/* Pictures. */

struct entry {
    const struct copy *copy;
    uint32_t arrival;
    bool sure;     /* that it arrived at that place of the order */
    bool optional; /* nobody can say whether it is there */
};

static int
compare_entries(const void *a, const void *b)
{
    const struct entry *x = a, *y = b;
    int order = tk_trace_id_cmp(x->copy->trace, y->copy->trace);
    if (order != 0)
        return order;
    if (x->copy->span != y->copy->span)
        return x->copy->span < y->copy->span ? -1 : 1;
    return (x->arrival > y->arrival) - (x->arrival < y->arrival);
}

/* The order of contract 4. */
static int
compare_traces(const void *a, const void *b)
{
    const struct expected_trace *x = a, *y = b;
    if (x->start_nano != y->start_nano)
        return x->start_nano > y->start_nano ? -1 : 1;
    return tk_trace_id_cmp(x->id, y->id);
}

static bool
is_below(const struct copy *a, const struct copy *b)
{
    return a->fullness != b->fullness ? a->fullness < b->fullness : a->end_nano < b->end_nano;
}

/* The fullest of those that must be there; NULL: none must. */
static const struct copy *
best_of(const struct entry *entries, uint32_t count)
{
    const struct copy *best = NULL;
    for (uint32_t i = 0; i < count; i++)
        if (!entries[i].optional && (best == NULL || is_below(best, entries[i].copy)))
            best = entries[i].copy;
    return best;
}

/* How many different starts it was told with. */
static uint32_t
count_starts(const struct entry *entries, uint32_t count)
{
    uint32_t starts = 0;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t k = 0;
        while (entries[k].copy->start_nano != entries[i].copy->start_nano)
            k++;
        starts += k == i;
    }
    return starts;
}

/* Those of the span's copies that may be the one shown: the fullest, then the last to arrive. */
static void
add_span(struct picture *picture, uint32_t *allowed_count, const struct entry *entries,
         uint32_t count)
{
    const struct copy *best = best_of(entries, count);
    bool settled = false; /* what came before is not shown, if it must be there */
    struct expected_span *span = &picture->spans[picture->span_count++];
    *span = (struct expected_span){entries[0].copy->span, *allowed_count, 0, best != NULL};
    for (uint32_t i = count; i > 0; i--) {
        const struct entry *entry = &entries[i - 1];
        if ((best != NULL && is_below(entry->copy, best)) || (settled && !entry->optional))
            continue;
        picture->allowed[(*allowed_count)++] = entry->copy;
        span->count++;
        settled = settled || (entry->sure && !entry->optional);
    }
}

static void
widen(struct expected_trace *trace, const struct entry *entry)
{
    const struct copy *copy = entry->copy;
    if (copy->start_nano < trace->start_nano)
        trace->start_nano = copy->start_nano;
    if (copy->end_nano > trace->end_nano)
        trace->end_nano = copy->end_nano;
    if (entry->optional)
        return;
    trace->must = true;
    if (copy->start_nano < trace->start_max)
        trace->start_max = copy->start_nano;
    if (copy->end_nano > trace->end_min)
        trace->end_min = copy->end_nano;
}

static uint32_t
add_trace(struct picture *picture, uint32_t *allowed_count, const struct entry *entries,
          uint32_t count)
{
    struct expected_trace trace = {.id = entries[0].copy->trace,
                                   .start_nano = UINT64_MAX,
                                   .start_max = UINT64_MAX,
                                   .first = picture->span_count};
    uint32_t at = 0;
    while (at < count && tk_trace_id_eq(entries[at].copy->trace, trace.id)) {
        uint32_t end = at;
        while (end < count && tk_trace_id_eq(entries[end].copy->trace, trace.id) &&
               entries[end].copy->span == entries[at].copy->span)
            widen(&trace, &entries[end++]);
        add_span(picture, allowed_count, &entries[at], end - at);
        picture->told_count += count_starts(&entries[at], end - at);
        trace.count++;
        at = end;
    }
    picture->traces[picture->trace_count++] = trace;
    return at;
}

static int
compare_by_id(const void *a, const void *b, void *arg)
{
    const struct picture *picture = arg;
    const uint32_t *x = a, *y = b;
    return tk_trace_id_cmp(picture->traces[*x].id, picture->traces[*y].id);
}

static struct picture *
work_out(struct picture *picture, struct entry *entries, uint32_t count)
{
    uint32_t allowed_count = 0;
    size_t room = (size_t)count + 1;
    picture->traces = sim_alloc(room * sizeof *picture->traces);
    picture->spans = sim_alloc(room * sizeof *picture->spans);
    picture->allowed = sim_alloc(room * sizeof *picture->allowed);
    picture->by_id = sim_alloc(room * sizeof *picture->by_id);
    if (count > 1)
        qsort(entries, count, sizeof *entries, compare_entries);
    for (uint32_t at = 0; at < count;)
        at += add_trace(picture, &allowed_count, &entries[at], count - at);
    if (picture->trace_count > 1)
        qsort(picture->traces, picture->trace_count, sizeof *picture->traces, compare_traces);
    for (uint32_t i = 0; i < picture->trace_count; i++)
        picture->by_id[i] = i;
    if (picture->trace_count > 1)
        qsort_r(picture->by_id, picture->trace_count, sizeof *picture->by_id, compare_by_id,
                picture);
    return picture;
}

bool
model_has_twin(const struct model_project *project, const struct request *request)
{
    const struct request *first = request->original != NULL ? request->original : request;
    for (uint32_t k = project->dropped; k < project->count; k++) {
        const struct request *other = project->requests[k];
        if (other != request && (other == first || other->original == first))
            return true;
    }
    return false;
}

enum request_state *
picture_states(const struct model_project *project)
{
    enum request_state *states = sim_alloc(project->count * sizeof *states);
    for (uint32_t k = 0; k < project->count; k++)
        states[k] = project->requests[k]->state;
    return states;
}

bool
model_may_be_gone(const struct ages *ages, const struct request *request, const struct copy *copy)
{
    const struct copy *first = &request->copies[0];
    /* A trace with an error stays.  One that came with these spans, and that no other copy can
       take the place of, was there whenever they were judged. */
    bool kept =
        tk_thin_stays(ages->thin_threshold, copy->trace) ||
        ((first->features & FEATURE_ERROR) != 0 && tk_trace_id_eq(first->trace, copy->trace));
    return copy->end_nano < ages->expired_nano || (copy->end_nano < ages->thinned_nano && !kept);
}

/* Adds the copies of one request that may be there. */
static uint32_t
add_request(struct picture *picture, const struct model_project *project, uint32_t number,
            const struct picture_options *options, struct entry *entries, uint32_t count)
{
    const struct request *request = project->requests[number];
    enum request_state state = options->states[number];
    bool must = state == REQUEST_ACKED || state == REQUEST_SEEN;
    bool may_miss = options->may_miss || project->lenient;
    if (!may_miss && state == REQUEST_GONE)
        return count;
    if (!may_miss && !must && !options->is_there(options->arg, request)) {
        if (!model_may_be_gone(&options->ages, request, &request->copies[0]))
            return count;
        may_miss = true; /* what would tell may be gone by itself */
    }
    bool sure = !request->doubtful && (state == REQUEST_ACKED || !model_has_twin(project, request));
    for (uint32_t i = 0; i < request->count; i++) {
        const struct copy *copy = &request->copies[i];
        bool optional = may_miss || model_may_be_gone(&options->ages, request, copy);
        picture->loose = picture->loose || optional;
        entries[count + i] = (struct entry){copy, count + i, sure, optional};
    }
    return count + request->count;
}

struct picture *
picture_new(const struct model_project *project, const struct picture_options *options)
{
    struct picture *picture = sim_alloc(sizeof *picture);
    uint32_t room = 1, count = 0;
    for (uint32_t k = project->dropped; k < project->count; k++)
        room += project->requests[k]->count;
    struct entry *entries = sim_alloc(room * sizeof *entries);
    bool may_miss = options->may_miss || project->lenient;
    *picture =
        (struct picture){.project = project->id, .loose = may_miss, .all_optional = may_miss};
    for (uint32_t k = project->dropped; k < project->count; k++)
        count = add_request(picture, project, k, options, entries, count);
    (void)work_out(picture, entries, count);
    sim_free(entries);
    return picture;
}

void
picture_free(struct picture *picture)
{
    if (picture == NULL)
        return;
    sim_free(picture->traces);
    sim_free(picture->spans);
    sim_free(picture->allowed);
    sim_free(picture->by_id);
    sim_free(picture);
}

const struct expected_trace *
picture_find(const struct picture *picture, struct tk_trace_id id)
{
    uint32_t low = 0, high = picture->trace_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        const struct expected_trace *trace = &picture->traces[picture->by_id[middle]];
        int order = tk_trace_id_cmp(trace->id, id);
        if (order == 0)
            return trace;
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}
