/*
 * retention - what goes when: by age, and by the cap on the disk (store.h, contract 6).
 *
 * Deleting is dropping whole segment files, nothing else: the log, and with it what is acknowledged
 * but not sealed, is never touched.  A segment is as old as its newest span.  It goes
 *   - when that is older than its project's age;
 *   - the oldest first, while its project's segments take more than the project's cap;
 *   - the oldest of all first, while log and segments take more than the store's cap.
 * In this order, so that a project with a cap of its own pays for itself before others do.
 *
 * A file is removed first and forgotten then.  A crash that undoes the removal brings back a
 * segment that is due, and goes at the next start.  Whoever reads one holds it open and reads on.
 *
 * tk_retention_usage says beforehand what would go, by the same order, and what a project takes.
 *
 * Runs after each sealing (the cap) and at least once a minute (the age).
 */
#include "store/embedded/internal.h"

#include "base/log.h"

#include <inttypes.h>
#include <stdlib.h>

enum { RESERVE_SHARE = 16 }; /* of the cap: most that is kept free for a compaction */

/* Why a segment goes. */
enum reason { KEPT, EXPIRED, EVICTED };

struct victim {
    struct tk_segment *segment; /* held */
    enum reason reason;
};

/* A limit of 0 is not given. */
static uint64_t
limit_of(uint64_t own, uint64_t common)
{
    uint64_t given = own != 0 ? own : common;
    return given != 0 ? given : TK_STORE_UNLIMITED;
}

/* Oldest data first; of the same age, what came first. */
static bool
is_older(const struct tk_segment *a, const struct tk_segment *b)
{
    if (b == NULL || a->end_max != b->end_max)
        return b == NULL || a->end_max < b->end_max;
    return a->name.first < b->name.first;
}

static bool
is_expired(const struct tk_segment *segment, uint64_t now, uint64_t retention_nano)
{
    return segment->end_max < now && now - segment->end_max > retention_nano;
}

/* What is no segment yet: the log, once more the same, since sealing writes a segment before its
   log goes, and what a compaction writes before its sources go. */
static uint64_t
bytes_under_way(const struct tk_embedded *store)
{
    return 2 * store->unsealed_log_bytes + store->compacting_bytes;
}

/* The next one to go; KEPT: none.  Under `lock`. */
static struct victim
pick(struct tk_embedded *store, uint64_t now)
{
    uint64_t bytes_all = bytes_under_way(store);
    struct tk_segment *oldest_of_all = NULL;
    for (uint32_t p = 0; p < store->project_count; p++) {
        const struct tk_project *project = &store->projects[p];
        struct tk_segment *oldest = NULL;
        uint64_t bytes = 0;
        for (uint32_t i = 0; i < project->count; i++) {
            bytes += project->segments[i]->size;
            if (is_older(project->segments[i], oldest))
                oldest = project->segments[i];
        }
        if (oldest == NULL)
            continue;
        uint64_t retention_nano =
            limit_of(project->limits.retention_nano, store->limits.retention_nano);
        if (is_expired(oldest, now, retention_nano))
            return (struct victim){tk_segment_ref(oldest), EXPIRED};
        if (bytes > limit_of(project->limits.disk_bytes, 0))
            return (struct victim){tk_segment_ref(oldest), EVICTED};
        if (is_older(oldest, oldest_of_all))
            oldest_of_all = oldest;
        bytes_all += bytes;
    }
    if (oldest_of_all != NULL && bytes_all > limit_of(store->limits.disk_bytes, 0))
        return (struct victim){tk_segment_ref(oldest_of_all), EVICTED};
    return (struct victim){NULL, KEPT};
}

static enum tk_err
remove_victim(struct tk_embedded *store, const struct victim *victim, struct tk_error *err)
{
    const struct tk_segment *segment = victim->segment;
    enum tk_err code = tk_catalog_remove_file(store, segment->name, err);
    if (code != TK_OK)
        return code;
    tk_log(TK_LOG_INFO, "store",
           "project %" PRIu32 ": segment %" PRIu64 "-%" PRIu64 " %s: %" PRIu64 " spans, %" PRIu64
           " bytes",
           segment->name.project, segment->name.first, segment->name.last,
           victim->reason == EXPIRED ? "expired" : "made room", segment->row_count, segment->size);
    pthread_mutex_lock(&store->lock);
    tk_catalog_count(victim->reason == EXPIRED ? &store->stats.expired : &store->stats.evicted,
                     victim->segment);
    tk_catalog_forget(store, victim->segment);
    pthread_mutex_unlock(&store->lock);
    return TK_OK;
}

enum tk_err
tk_retention_run(struct tk_embedded *store, struct tk_error *err)
{
    uint64_t now = store->env->wall_nano(store->env);
    enum tk_err code = TK_OK;
    bool more = true;
    pthread_mutex_lock(&store->files_lock);
    while (more && code == TK_OK) {
        pthread_mutex_lock(&store->lock);
        struct victim victim = pick(store, now);
        pthread_mutex_unlock(&store->lock);
        more = victim.reason != KEPT;
        if (more)
            code = remove_victim(store, &victim, err);
        tk_segment_unref(victim.segment);
    }
    pthread_mutex_unlock(&store->files_lock);
    return code;
}

uint64_t
tk_retention_reserve_max(const struct tk_embedded *store)
{
    uint64_t cap = store->limits.disk_bytes;
    return cap == 0 ? UINT64_MAX : cap / RESERVE_SHARE;
}

bool
tk_retention_reserve(struct tk_embedded *store, uint64_t bytes)
{
    struct tk_error err;
    pthread_mutex_lock(&store->lock);
    bool fits = bytes <= tk_retention_reserve_max(store);
    store->compacting_bytes = fits ? bytes : 0;
    pthread_mutex_unlock(&store->lock);
    return fits && (bytes == 0 || tk_retention_run(store, &err) == TK_OK);
}

enum tk_err
tk_retention_set_limits(struct tk_store *base, uint32_t id, const struct tk_store_limits *limits,
                        struct tk_error *err)
{
    struct tk_embedded *store = (struct tk_embedded *)base;
    pthread_mutex_lock(&store->lock);
    struct tk_project *project = id != 0 ? tk_catalog_add(store, id) : NULL;
    struct tk_store_limits *to = id == 0           ? &store->limits
                                 : project != NULL ? &project->limits
                                                   : NULL;
    if (to != NULL)
        *to = *limits;
    store->changes++; /* the compactor may have more room now */
    pthread_cond_signal(&store->grown);
    pthread_mutex_unlock(&store->lock);
    if (to == NULL)
        return tk_error_set(err, TK_ERR_MEMORY, "out of memory");
    return tk_retention_run(store, err);
}

/* ---- what a project takes ---- */

static int
by_age(const void *a, const void *b)
{
    const struct tk_segment *first = *(struct tk_segment *const *)a;
    const struct tk_segment *second = *(struct tk_segment *const *)b;
    return is_older(first, second) ? -1 : is_older(second, first);
}

/* What pick() would take of these: by age, then the oldest until the rest is not too much. */
static void
count_due(struct tk_segment **segments, uint32_t count, uint64_t now,
          const struct tk_store_limits *limits, struct tk_store_usage *usage)
{
    uint64_t left = usage->sealed.bytes;
    qsort(segments, count, sizeof(struct tk_segment *), by_age);
    for (uint32_t i = 0; i < count; i++) {
        if (!is_expired(segments[i], now, limits->retention_nano) && left <= limits->disk_bytes)
            break;
        tk_catalog_count(&usage->due, segments[i]);
        left -= segments[i]->size;
    }
}

static void
count_batch(const struct tk_batch *batch, struct tk_store_usage *usage)
{
    usage->open_spans += batch->span_count;
    for (uint32_t i = 0; i < batch->span_count; i++) {
        if (usage->oldest_nano > batch->start_nano[i])
            usage->oldest_nano = batch->start_nano[i];
        if (usage->newest_nano < batch->end_nano[i])
            usage->newest_nano = batch->end_nano[i];
    }
}

/* Sums up a picture of the project; its segments into `segments`, which has room for all. */
static uint32_t
count_sources(const struct tk_sources *sources, struct tk_segment **segments,
              struct tk_store_usage *usage)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < sources->count; i++) {
        const struct tk_source *source = &sources->source[i];
        for (uint32_t b = 0; source->buffer != NULL && b < source->batch_count; b++)
            count_batch(tk_buffer_batch(source->buffer, b), usage);
        if (source->segment == NULL)
            continue;
        segments[count++] = source->segment;
        tk_catalog_count(&usage->sealed, source->segment);
        if (usage->oldest_nano > source->segment->start_min)
            usage->oldest_nano = source->segment->start_min;
        if (usage->newest_nano < source->segment->end_max)
            usage->newest_nano = source->segment->end_max;
    }
    return count;
}

enum tk_err
tk_retention_usage(struct tk_store *base, uint32_t id, const struct tk_store_limits *limits,
                   struct tk_store_usage *ret_usage, struct tk_error *err)
{
    struct tk_embedded *store = (struct tk_embedded *)base;
    struct tk_store_usage usage = {.oldest_nano = UINT64_MAX};
    struct tk_store_view *view;
    enum tk_err code = tk_view_open(base, id, &view, err);
    if (code != TK_OK)
        return code;
    const struct tk_sources *sources = &((struct tk_view *)view)->sources;
    struct tk_segment **segments = calloc(sources->count + 1, sizeof(struct tk_segment *));
    if (segments == NULL) {
        tk_view_close(view);
        return tk_error_set(err, TK_ERR_MEMORY, "out of memory");
    }
    pthread_mutex_lock(&store->lock);
    uint64_t common = store->limits.retention_nano;
    pthread_mutex_unlock(&store->lock);
    struct tk_store_limits all = {limit_of(limits->retention_nano, common),
                                  limit_of(limits->disk_bytes, 0)};
    uint32_t count = count_sources(sources, segments, &usage);
    count_due(segments, count, store->env->wall_nano(store->env), &all, &usage);
    if (usage.sealed.spans + usage.open_spans == 0)
        usage.oldest_nano = 0;
    *ret_usage = usage;
    free(segments);
    tk_view_close(view);
    return TK_OK;
}
