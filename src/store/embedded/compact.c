/*
 * compact - the compaction thread: many small neighbouring segments become one (internal.h).
 *
 * Size-tiered, in three levels: what came in drops, what was sealed under load, what is large.  As
 * soon as a level has so many neighbours that it is worth it they become one, so a span is
 * rewritten at most once per level.  Neighbours in the order of log files, so that the new one
 * covers a range without holes; and of one day, so that age can be kept by dropping whole segments.
 * What is left of a day that is over becomes one even if it is fewer; and when no segment came for
 * a while, what is there becomes one as long as no segment is rewritten for less than there is in
 * it.
 *
 * When there is nothing to merge, the oldest segment that is due is thinned (thinner.c): rewritten
 * under its own name.
 *
 * The merge is one of codes (segment_merge.h): parts of a trace come together, duplicates go.  A
 * segment with damage is never compacted: what can still be read stays as it is.
 */
#include "store/embedded/internal.h"

#include "base/log.h"
#include "base/memory.h"
#include "store/segment/schema_merge.h"
#include "store/segment/segment_merge.h"

#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>

enum {
    ROWS_MAX = 16 << 20, /* of a segment; half of that is not compacted any more */
    FAN = 16,            /* so many of a level become one */
    RUN_MAX = 2 * FAN,   /* with smaller ones between them */
    SEGMENTS_MANY = 512, /* of a project: then days do not matter (clocks may be wrong) */
    RETENTION_SECONDS = 60,
    QUIET_WAITS = 6, /* for so long, when no segment comes: longer than it takes to seal by age */
    ZSTD_LEVEL = 1,  /* 3 takes a tenth more CPU and saves nothing */
};
static const uint64_t DAY_NANO = UINT64_C(86400) * 1000000000;

/* Segments of at most so many rows; and how many of them become one. */
static const struct {
    uint64_t rows_max;
    uint32_t fan;
} levels[] = {{16 << 10, 8}, {256 << 10, FAN}, {ROWS_MAX / 2, FAN}};
enum { LEVELS = sizeof levels / sizeof *levels };

static unsigned
level_of(const struct tk_segment *segment)
{
    unsigned level = 0;
    if (segment->alone)
        return LEVELS;
    while (level < LEVELS && segment->row_count > levels[level].rows_max)
        level++;
    return level;
}

struct run {
    uint32_t begin, count;   /* of a project's segments */
    uint32_t level_count;    /* of those, of the very level that was asked for */
    uint64_t rows, rows_max; /* of all; of the largest */
    uint64_t bytes;
    bool is_over; /* the next one is of another day */
    bool is_full; /* or would be too much */
};

/* The neighbours of this level or less from `begin` on that may become one. */
static struct run
run_from(const struct tk_project *project, uint32_t begin, unsigned level, uint64_t bytes_max)
{
    struct run run = {.begin = begin};
    uint64_t day = project->segments[begin]->start_max / DAY_NANO;
    for (uint32_t i = begin; i < project->count; i++) {
        const struct tk_segment *segment = project->segments[i];
        unsigned its_level = level_of(segment);
        run.is_over = segment->start_max / DAY_NANO != day && project->count <= SEGMENTS_MANY;
        run.is_full = its_level <= level && (run.rows + segment->row_count > ROWS_MAX ||
                                             run.bytes + segment->size > bytes_max);
        if (run.is_over || run.is_full || its_level > level || run.count == RUN_MAX ||
            run.level_count == FAN)
            return run;
        run.count++;
        run.level_count += its_level == level;
        run.rows += segment->row_count;
        run.bytes += segment->size;
        run.rows_max = segment->row_count > run.rows_max ? segment->row_count : run.rows_max;
    }
    return run;
}

/* Is this run worth its price?  `quiet`: no segment came for a while. */
static bool
is_worth_it(const struct run *run, unsigned level, bool quiet)
{
    bool is_even = run->rows_max <= run->rows - run->rows_max;
    if (run->count < 2)
        return false;
    return run->level_count >= levels[level].fan || run->count == RUN_MAX || run->is_over ||
           ((run->is_full || quiet) && is_even);
}

/* The oldest run of this level or less that is worth it; count 0: none. */
static struct run
find_run(const struct tk_project *project, unsigned level, bool quiet, uint64_t bytes_max)
{
    for (uint32_t begin = 0; begin < project->count; begin++) {
        struct run run = run_from(project, begin, level, bytes_max);
        if (is_worth_it(&run, level, quiet))
            return run;
    }
    return (struct run){.count = 0};
}

/* The run to be compacted next, as sources; none: sources->count is 0.  Under `lock`. */
static enum tk_err
pick(struct tk_embedded *store, bool quiet, struct tk_sources *sources)
{
    enum tk_err code = TK_OK;
    uint64_t bytes_max = tk_retention_reserve_max(store);
    for (uint32_t p = 0; p < store->project_count; p++) {
        const struct tk_project *project = &store->projects[p];
        if (project->damaged)
            continue;
        for (unsigned level = 0; level < LEVELS; level++) {
            struct run run = find_run(project, level, quiet, bytes_max);
            for (uint32_t i = 0; i < run.count && code == TK_OK; i++)
                code = tk_sources_add_segment(sources, project->segments[run.begin + i]);
            if (run.count > 0)
                return code;
        }
    }
    return code;
}

/* Under `lock`. */
static bool
are_installed(struct tk_embedded *store, const struct tk_sources *sources)
{
    const struct tk_project *project =
        tk_catalog_find(store, sources->source[0].segment->name.project);
    uint32_t found = 0;
    for (uint32_t i = 0; i < project->count; i++)
        for (uint32_t k = 0; k < sources->count; k++)
            found += project->segments[i] == sources->source[k].segment;
    return found == sources->count;
}

/* Gives the new segment its name and puts it in the place of the old ones, unless those were
   dropped in the meantime. */
static enum tk_err
swap_in(struct tk_embedded *store, const struct tk_sources *sources, struct tk_segment_name name,
        const struct tk_thinner *thinner, struct tk_error *err)
{
    struct tk_segment *segment = NULL;
    enum tk_err code = TK_OK;
    pthread_mutex_lock(&store->files_lock);
    pthread_mutex_lock(&store->lock);
    bool dropped = !are_installed(store, sources);
    pthread_mutex_unlock(&store->lock);
    if (dropped)
        tk_catalog_discard(store, name);
    else
        code = tk_catalog_publish(store, name, &segment, err);
    if (segment != NULL && store->warm_max > 0)
        tk_segment_warm(segment);
    if (segment != NULL) {
        pthread_mutex_lock(&store->lock);
        code = tk_catalog_install(store, segment);
        if (code != TK_OK)
            tk_segment_unref(segment);
        else if (thinner == NULL)
            tk_catalog_count(&store->stats.compacted, segment);
        else
            tk_thinner_count(thinner, sources->source[0].segment, segment);
        pthread_mutex_unlock(&store->lock);
        /* A thinned one has taken the place of its source, under the same name. */
        for (uint32_t i = 0; i < sources->count && code == TK_OK && thinner == NULL; i++)
            code = tk_catalog_remove_file(store, sources->source[i].segment->name, err);
    }
    pthread_mutex_unlock(&store->files_lock);
    return code;
}

static bool
is_damaged(const struct tk_sources *sources)
{
    for (uint32_t i = 0; i < sources->count; i++)
        if (tk_segment_is_damaged(sources->source[i].segment))
            return true;
    return false;
}

static void
mark_damaged(struct tk_embedded *store, uint32_t id)
{
    pthread_mutex_lock(&store->lock);
    struct tk_project *project = tk_catalog_find(store, id);
    if (project != NULL)
        project->damaged = true;
    pthread_mutex_unlock(&store->lock);
}

/* What is written is no larger than what it is made of. */
static bool
reserve(struct tk_embedded *store, const struct tk_sources *sources)
{
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < sources->count; i++)
        bytes += sources->source[i].segment->size;
    return tk_retention_reserve(store, bytes);
}

static enum tk_err
judge(void *arg, const struct tk_trace_entry *trace, uint32_t row_count, struct tk_error *err)
{
    return tk_thinner_judge(arg, trace, row_count, err);
}

/* How far all of them are thinned. */
static uint64_t
thinned_of(const struct tk_segment_merge *merge)
{
    uint64_t least = UINT64_MAX;
    for (uint32_t i = 0; i < merge->count; i++)
        if (merge->segments[i]->thinned < least)
            least = merge->segments[i]->thinned;
    return least;
}

static enum tk_err
write_merged(struct tk_embedded *store, const struct tk_segment_merge *merge,
             struct tk_segment_name name, const struct tk_thinner *thinner, struct tk_error *err)
{
    struct tk_schema_merge schema;
    struct tk_segment_writer *writer;
    enum tk_err code = tk_schema_merge_init(&schema, merge->segments, merge->count, err);
    if (code != TK_OK)
        return code;
    code = tk_catalog_writer(store, name, &schema.schema, ZSTD_LEVEL, &writer, err);
    if (code == TK_OK) {
        code = tk_segment_merge(merge, &schema, writer, err);
        if (code == TK_OK)
            code = tk_segment_writer_finish(
                writer, thinner != NULL ? thinner->threshold : thinned_of(merge), err);
        else
            tk_segment_writer_abort(writer);
    }
    tk_schema_merge_release(&schema);
    return code;
}

/* They stay as they are from now on. */
static void
leave_alone(struct tk_embedded *store, const struct tk_sources *sources)
{
    pthread_mutex_lock(&store->lock);
    for (uint32_t i = 0; i < sources->count; i++)
        sources->source[i].segment->alone = true;
    pthread_mutex_unlock(&store->lock);
}

static enum tk_err
write_file(struct tk_embedded *store, const struct tk_sources *sources, struct tk_segment_name name,
           struct tk_thinner *thinner, struct tk_error *err)
{
    struct tk_segment_merge merge = {.count = sources->count,
                                     .stop = &store->stop_compact,
                                     .keep = thinner != NULL ? judge : NULL,
                                     .arg = thinner};
    struct tk_segment **segments = malloc(sources->count * sizeof *segments);
    if (segments == NULL)
        return tk_error_set(err, TK_ERR_MEMORY, "out of memory");
    for (uint32_t i = 0; i < sources->count; i++)
        segments[i] = sources->source[i].segment;
    merge.segments = segments;
    tk_catalog_discard(store, name); /* of an earlier attempt */
    enum tk_err code = write_merged(store, &merge, name, thinner, err);
    free(segments);
    if (code != TK_OK)
        tk_catalog_discard(store, name);
    return code;
}

static enum tk_err
compact(struct tk_embedded *store, const struct tk_sources *sources, struct tk_thinner *thinner,
        struct tk_error *err)
{
    const struct tk_segment *first = sources->source[0].segment;
    const struct tk_segment *last = sources->source[sources->count - 1].segment;
    struct tk_segment_name name = {first->name.project, first->name.first, last->name.last};
    tk_memory_trim(); /* what sealing left: it lies where this thread's malloc does not look */
    enum tk_err code = write_file(store, sources, name, thinner, err);
    tk_memory_trim(); /* and the other way round */
    if (code == TK_ERR_CORRUPT || (code == TK_OK && is_damaged(sources))) {
        tk_catalog_discard(store, name);
        mark_damaged(store, name.project);
        return TK_OK;
    }
    if (code == TK_ERR_LIMIT) {
        leave_alone(store, sources);
        return TK_OK;
    }
    return code == TK_OK ? swap_in(store, sources, name, thinner, err) : code;
}

/* Thins one segment; none is due: *ret_idle. */
static enum tk_err
thin(struct tk_embedded *store, bool *ret_idle, struct tk_error *err)
{
    struct tk_sources sources;
    struct tk_thinner thinner = {0};
    uint64_t threshold;
    tk_sources_init(&sources);
    pthread_mutex_lock(&store->lock);
    struct tk_segment *segment = tk_thinner_pick(store, &threshold);
    enum tk_err code = segment != NULL ? tk_sources_add_segment(&sources, segment) : TK_OK;
    pthread_mutex_unlock(&store->lock);
    *ret_idle = segment == NULL || !reserve(store, &sources);
    if (code == TK_OK && !*ret_idle)
        code = tk_thinner_init(&thinner, store, segment->name.project, threshold, err);
    if (code == TK_OK && !*ret_idle)
        code = compact(store, &sources, &thinner, err);
    tk_thinner_release(&thinner);
    tk_sources_release(&sources);
    tk_segment_unref(segment);
    return code;
}

/* Waits until a segment came behind the change `seen`: true; or until it is time to look at the
   ages again. */
static bool
wait_for_growth(struct tk_embedded *store, uint64_t seen)
{
    struct timespec until;
    (void)clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += RETENTION_SECONDS; /* also how long a failure is left alone */
    pthread_mutex_lock(&store->lock);
    if (!atomic_load(&store->stop_compact) && store->changes == seen)
        (void)pthread_cond_timedwait(&store->grown, &store->lock, &until);
    bool grown = store->changes != seen;
    pthread_mutex_unlock(&store->lock);
    return grown;
}

/* All segments there are, project by project, oldest first. */
static enum tk_err
list_segments(struct tk_embedded *store, struct tk_sources *sources)
{
    enum tk_err code = TK_OK;
    pthread_mutex_lock(&store->lock);
    for (uint32_t p = 0; p < store->project_count; p++)
        for (uint32_t i = 0; i < store->projects[p].count && code == TK_OK; i++)
            code = tk_sources_add_segment(sources, store->projects[p].segments[i]);
    pthread_mutex_unlock(&store->lock);
    return code;
}

/* Who asks first after a start would otherwise wait for what all others find in the cache.  The
   newest first, as most questions do. */
static void
warm(struct tk_embedded *store)
{
    struct tk_sources sources;
    uint64_t bytes = 0, hits, misses;
    tk_sources_init(&sources);
    enum tk_err code = store->warm_max > 0 ? list_segments(store, &sources) : TK_OK;
    for (uint32_t i = sources.count; i-- > 0 && code == TK_OK && bytes < store->warm_max &&
                                     !atomic_load(&store->stop_compact);) {
        tk_segment_warm(sources.source[i].segment);
        tk_cache_stats(&store->cache, &bytes, &hits, &misses);
    }
    tk_sources_release(&sources);
}

void *
tk_compact_run(void *arg)
{
    struct tk_embedded *store = arg;
    struct tk_sources sources;
    struct tk_error err = {0};
    uint32_t quiet = 0; /* waits in a row without a new segment */
    (void)pthread_setname_np(pthread_self(), "tk-compact");
    (void)setpriority(PRIO_PROCESS, 0, 19); /* Linux: of this thread; ingest comes first */
    warm(store);
    while (!atomic_load(&store->stop_compact)) {
        if (tk_retention_run(store, &err) != TK_OK)
            TK_LOG_EVERY_MS(60000, TK_LOG_WARNING, "store", "cannot drop: %s", err.message);
        tk_sources_init(&sources);
        pthread_mutex_lock(&store->lock);
        uint64_t seen = store->changes;
        enum tk_err code = pick(store, quiet >= QUIET_WAITS, &sources);
        pthread_mutex_unlock(&store->lock);
        bool idle = sources.count == 0 || !reserve(store, &sources);
        if (code == TK_OK && !idle)
            code = compact(store, &sources, NULL, &err);
        else if (code == TK_OK)
            code = thin(store, &idle, &err);
        (void)tk_retention_reserve(store, 0);
        tk_sources_release(&sources);
        if (code != TK_OK && code != TK_ERR_BUSY)
            tk_log(TK_LOG_WARNING, "store", "cannot compact: %s", err.message);
        if (idle || code != TK_OK)
            quiet = wait_for_growth(store, seen) ? 0 : quiet + 1;
        if (quiet > 0)
            tk_memory_trim();
    }
    return NULL;
}
