/*
 * sealer - the sealing thread: the oldest closed-off generation becomes segments (internal.h).
 *
 * Per project: write, sync, name, install; at that instant readers see the segment instead of the
 * buffer.  When all projects are through, the log file has nothing left to say and is deleted.
 * A failure (a full disk) leaves the generation in memory and its log on disk; another attempt
 * starts over with a new file after a while.
 */
#include "store/embedded/internal.h"

#include "base/log.h"
#include "store/embedded/counted.h"
#include "store/embedded/seal.h"

#include <errno.h>
#include <stdlib.h>
#include <time.h>

#define SECOND_NANO 1000000000u

enum {
    RETRY_SECONDS = 1,
    SEAL_LEVEL = 1,            /* of zstd: what is sealed is soon merged */
    PACE_NANO_MAX = 100000000, /* that one group waits while there is room */
};

static void
add_nano(struct timespec *time, uint64_t nano)
{
    nano += (uint64_t)time->tv_nsec;
    time->tv_sec += (time_t)(nano / SECOND_NANO);
    time->tv_nsec = (long)(nano % SECOND_NANO);
}

/* Is more than `quarters` of the memory for what is unsealed taken, and the sealer at it?  Under
   `lock`. */
static bool
is_behind(const struct tk_embedded *store, size_t quarters)
{
    return store->oldest != store->open &&
           store->unsealed_bytes > store->unsealed_max / 4 * quarters &&
           store->seal_failure.code == TK_OK && !store->stop;
}

void
tk_sealer_catch_up(struct tk_embedded *store, size_t bytes)
{
    struct timespec until;
    (void)clock_gettime(CLOCK_MONOTONIC, &until);
    pthread_mutex_lock(&store->lock);
    double nano = store->seal_nano * (double)bytes;
    add_nano(&until, nano < PACE_NANO_MAX ? (uint64_t)nano : PACE_NANO_MAX);
    while (is_behind(store, 2) &&
           pthread_cond_timedwait(&store->sealed, &store->lock, &until) != ETIMEDOUT)
        continue;
    if (is_behind(store, 3)) /* a replay that came to it in one step has not told */
        pthread_cond_signal(&store->sealing);
    while (is_behind(store, 3))
        (void)pthread_cond_wait(&store->sealed, &store->lock);
    pthread_mutex_unlock(&store->lock);
}

/* Gives the segment its name and puts it in the place of the buffer, unless that was dropped in
   the meantime. */
static enum tk_err
swap_in(struct tk_embedded *store, struct tk_generation *generation, struct tk_buffer *buffer,
        struct tk_segment_name name, struct tk_error *err)
{
    struct tk_segment *segment = NULL;
    enum tk_err code = TK_OK;
    pthread_mutex_lock(&store->files_lock);
    pthread_mutex_lock(&store->lock);
    bool dropped = tk_generation_find(generation, name.project) != buffer;
    pthread_mutex_unlock(&store->lock);
    if (dropped)
        tk_catalog_discard(store, name);
    else
        code = tk_catalog_publish(store, name, &segment, err);
    if (segment != NULL) {
        pthread_mutex_lock(&store->lock);
        code = tk_catalog_install(store, segment);
        if (code == TK_OK) {
            tk_catalog_count(&store->stats.sealed, segment);
            tk_generation_remove(generation, name.project);
        } else {
            tk_segment_unref(segment);
        }
        pthread_mutex_unlock(&store->lock);
    }
    pthread_mutex_unlock(&store->files_lock);
    return code;
}

static bool
is_counted(void *arg, struct tk_trace_id id, tk_span_id span_id, uint64_t start_nano)
{
    return tk_counted_has(arg, id, span_id, start_nano);
}

void
tk_sealer_set_room(struct tk_embedded *store)
{
    size_t room = store->unsealed_bytes <= SIZE_MAX / 2 ? store->unsealed_bytes * 2 : SIZE_MAX;
    if (room < store->unsealed_max)
        store->unsealed_max = room > store->unsealed_min ? room : store->unsealed_min;
}

/* Writes what the buffer holds into a new segment file, unpublished.  `older`: what the project has
   in segments. */
static enum tk_err
write_segment(struct tk_embedded *store, struct tk_buffer *buffer, const struct tk_sources *older,
              struct tk_segment_name name, struct tk_error *err)
{
    struct tk_seal seal;
    struct tk_segment_writer *writer = NULL;
    struct tk_counted counted;
    struct tk_seal_counted asked = {is_counted, &counted};
    tk_catalog_discard(store, name); /* of an earlier attempt */
    if (tk_counted_init(&counted, older->source, older->count) != TK_OK)
        return tk_error_set(err, TK_ERR_MEMORY, "out of memory while sealing");
    enum tk_err code = tk_seal_init(&seal, buffer, err);
    if (code != TK_OK) {
        tk_counted_release(&counted);
        return code;
    }
    code = tk_catalog_writer(store, name, &seal.builder.schema, SEAL_LEVEL, &writer, err);
    if (code == TK_OK) {
        code = tk_seal_write(&seal, writer, &asked, err);
        if (code == TK_OK)
            code = tk_segment_writer_finish(writer, 0, err);
        else
            tk_segment_writer_abort(writer);
    }
    if (code != TK_OK)
        tk_catalog_discard(store, name);
    tk_seal_release(&seal);
    tk_counted_release(&counted);
    return code;
}

static enum tk_err
find_older(struct tk_embedded *store, uint32_t project, struct tk_sources *older)
{
    enum tk_err code = TK_OK;
    pthread_mutex_lock(&store->lock);
    const struct tk_project *known = tk_catalog_find(store, project);
    for (uint32_t i = 0; known != NULL && i < known->count && code == TK_OK; i++)
        code = tk_sources_add_segment(older, known->segments[i]);
    pthread_mutex_unlock(&store->lock);
    return code;
}

static enum tk_err
seal_buffer(struct tk_embedded *store, struct tk_generation *generation, struct tk_buffer *buffer,
            struct tk_error *err)
{
    struct tk_segment_name name = {tk_buffer_project(buffer), generation->number,
                                   generation->number};
    struct tk_sources older;
    tk_sources_init(&older);
    enum tk_err code = find_older(store, name.project, &older);
    if (code != TK_OK)
        code = tk_error_set(err, code, "out of memory while sealing");
    else
        code = write_segment(store, buffer, &older, name, err);
    tk_sources_release(&older);
    return code == TK_OK ? swap_in(store, generation, buffer, name, err) : code;
}

/* The next buffer of the generation, held; NULL when none is left. */
static struct tk_buffer *
next_buffer(struct tk_embedded *store, struct tk_generation *generation)
{
    pthread_mutex_lock(&store->lock);
    struct tk_buffer *buffer =
        generation->buffer_count > 0 ? tk_buffer_ref(generation->buffers[0]) : NULL;
    pthread_mutex_unlock(&store->lock);
    return buffer;
}

/*
 * Deletes the log files up to `last`, strictly in order, on disk too: a log file with the record of
 * a drop must outlive the older ones, or replay would bring back what was dropped.  What cannot be
 * deleted now is deleted with the next one; the next start knows that it is covered.
 */
static void
remove_logs(struct tk_embedded *store, uint64_t last)
{
    struct tk_error err;
    enum tk_err code = TK_OK;
    pthread_mutex_lock(&store->lock);
    uint64_t first = store->first_log;
    pthread_mutex_unlock(&store->lock);
    for (uint64_t number = first; number <= last && code == TK_OK; number++) {
        code = tk_wal_remove(store->env, store->log_dir, number, &err);
        if (code == TK_ERR_NOT_FOUND)
            code = TK_OK;
        if (code == TK_OK)
            code = store->env->sync_dir(store->env, store->log_dir, &err);
        if (code == TK_OK)
            first = number + 1;
    }
    if (code != TK_OK)
        tk_log(TK_LOG_WARNING, "store", "%s", err.message);
    pthread_mutex_lock(&store->lock);
    store->first_log = first;
    pthread_mutex_unlock(&store->lock);
}

static enum tk_err
seal_generation(struct tk_embedded *store, struct tk_generation *generation, struct tk_error *err)
{
    struct tk_buffer *buffer;
    while ((buffer = next_buffer(store, generation)) != NULL) {
        uint64_t before = tk_cache_number(&store->cache);
        enum tk_err code = seal_buffer(store, generation, buffer, err);
        tk_buffer_unref(buffer);
        /* Which spans older segments have was asked for; nobody else will ask for that. */
        tk_cache_forget(&store->cache, 0, before);
        if (code != TK_OK)
            return code;
    }
    remove_logs(store, generation->number);
    return TK_OK;
}

/* Under `lock`. */
static void
forget_generation(struct tk_embedded *store, struct tk_generation *generation)
{
    store->oldest = generation->newer;
    store->unsealed_bytes -= generation->bytes;
    store->unsealed_log_bytes -= generation->log_bytes;
    if (!store->replaying)
        tk_sealer_set_room(store);
    tk_generation_free(generation);
}

static void
wait_for_retry(struct tk_embedded *store)
{
    struct timespec until;
    (void)clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += RETRY_SECONDS;
    pthread_mutex_lock(&store->lock);
    while (!store->stop && !store->retry_seal &&
           pthread_cond_timedwait(&store->sealing, &store->lock, &until) != ETIMEDOUT)
        continue;
    store->retry_seal = false;
    pthread_mutex_unlock(&store->lock);
}

/* One attempt at the oldest generation; waits a while after a failure. */
static void
attempt(struct tk_embedded *store, struct tk_generation *generation)
{
    struct tk_error err = {0};
    uint64_t begin = store->env->mono_nano(store->env);
    enum tk_err code = seal_generation(store, generation, &err);
    uint64_t nano = store->env->mono_nano(store->env) - begin;
    pthread_mutex_lock(&store->lock);
    store->seal_attempts++;
    store->seal_nano = (double)nano / ((double)generation->bytes + 1);
    store->seal_failure = (struct tk_error){0};
    if (code != TK_OK)
        (void)tk_error_set(&store->seal_failure, code, "%s", err.message);
    else
        forget_generation(store, generation);
    pthread_cond_broadcast(&store->sealed);
    pthread_mutex_unlock(&store->lock);
    if (code == TK_OK) {
        if (tk_retention_run(store, &err) != TK_OK)
            TK_LOG_EVERY_MS(60000, TK_LOG_WARNING, "store", "cannot drop: %s", err.message);
        return;
    }
    TK_LOG_EVERY_MS(10000, TK_LOG_ERROR, "store", "cannot seal, will try again: %s", err.message);
    wait_for_retry(store);
}

/* Under `lock`. */
static bool
has_work(const struct tk_embedded *store)
{
    bool may_wait = store->replaying && store->unsealed_bytes <= store->unsealed_max / 2;
    return store->oldest != store->open && !may_wait;
}

void *
tk_sealer_run(void *arg)
{
    struct tk_embedded *store = arg;
    (void)pthread_setname_np(pthread_self(), "tk-seal");
    for (;;) {
        pthread_mutex_lock(&store->lock);
        while (!has_work(store) && !store->stop)
            pthread_cond_wait(&store->sealing, &store->lock);
        struct tk_generation *generation = store->oldest;
        bool stop = store->stop;
        pthread_mutex_unlock(&store->lock);
        if (stop)
            return NULL;
        attempt(store, generation);
    }
}
