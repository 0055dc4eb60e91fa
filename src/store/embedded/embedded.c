/* embedded - opening, closing and the calls that are not writer's or view's (internal.h). */
#include "store/embedded/internal.h"

#include "base/log.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static const size_t MEMORY_DEFAULT = 256u << 20;

/* How the budget is shared out, and how much of it is of use however large it is: a larger open
   buffer is memory that nobody asked for.  Under load it grows on while the one before is sealed,
   and the more of a trace is sealed together, the less is to be merged. */
enum { QUEUE_SHARE = 8, SEAL_SHARE = 6, UNSEALED_SHARE = 2, CACHE_SHARE = 8 };
enum { REPLAY_SHARE = 4 }; /* left alone by a replay: nobody asks or sends yet */
enum { WARM_SHARE = 2 };   /* of the cache, before the first question */
enum {
    SEAL_MIN = 32 << 20,
    SEAL_MAX = 128 << 20,
    UNSEALED_MAX = 384 << 20,
    REPLAY_MAX = 2 * UNSEALED_MAX, /* what a crash can leave is half of it: sealing may wait */
    QUEUE_MAX = 48 << 20,
    CACHE_MAX = 128 << 20,
};

static size_t
at_most(size_t value, size_t most)
{
    return value < most ? value : most;
}

static void
report_damage(void *arg, const char *line)
{
    (void)arg;
    tk_log(TK_LOG_ERROR, "store", "%s", line);
}

/* A name is only there for good once the directory that it is in is on disk.  Which ones we have
   made we do not know; what we may not read we cannot have made. */
static enum tk_err
sync_parent(struct tk_env *env, char *path, struct tk_error *err)
{
    char *slash = strrchr(path, '/');
    if (slash != NULL && slash != path)
        *slash = '\0';
    enum tk_err code = env->sync_dir(env, slash == NULL ? "." : slash == path ? "/" : path, err);
    return code == TK_ERR_DENIED ? TK_OK : code;
}

/* Makes the directory and those above it. */
static enum tk_err
make_dirs(struct tk_env *env, const char *dir, struct tk_error *err)
{
    char path[TK_WAL_PATH_SIZE];
    enum tk_err code = TK_OK;
    size_t len = strlen(dir);
    for (size_t i = 1; i <= len && code == TK_OK; i++)
        if ((dir[i] == '/' || dir[i] == '\0') && dir[i - 1] != '/') {
            memcpy(path, dir, i);
            path[i] = '\0';
            code = env->make_dir(env, path, err);
            if (code == TK_OK)
                code = sync_parent(env, path, err);
        }
    return code;
}

static void
init_sync(struct tk_embedded *store)
{
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_mutex_init(&store->lock, NULL);
    pthread_mutex_init(&store->files_lock, NULL);
    pthread_cond_init(&store->work, &monotonic);
    pthread_cond_init(&store->sealing, &monotonic);
    pthread_cond_init(&store->sealed, &monotonic);
    pthread_cond_init(&store->grown, &monotonic);
    pthread_condattr_destroy(&monotonic);
}

static void
free_store(struct tk_embedded *store)
{
    while (store->oldest != NULL) {
        struct tk_generation *newer = store->oldest->newer;
        tk_generation_free(store->oldest);
        store->oldest = newer;
    }
    tk_wal_release(&store->wal);
    tk_cache_forget(&store->cache, 0, 0); /* all at once, not segment by segment */
    tk_catalog_release(store);
    tk_cache_release_all(&store->cache);
    if (store->lock_file != NULL)
        store->env->close(store->env, store->lock_file);
    pthread_mutex_destroy(&store->lock);
    pthread_mutex_destroy(&store->files_lock);
    pthread_cond_destroy(&store->work);
    pthread_cond_destroy(&store->sealing);
    pthread_cond_destroy(&store->sealed);
    pthread_cond_destroy(&store->grown);
    free(store->dir);
    free(store->log_dir);
    free(store);
}

static struct tk_embedded *
new_store(const struct tk_store_options *options)
{
    struct tk_embedded *store = calloc(1, sizeof *store);
    if (store == NULL)
        return NULL;
    size_t memory = options->memory > 0 ? options->memory : MEMORY_DEFAULT;
    store->base.vtable = &tk_embedded_vtable;
    store->env = options->env != NULL ? options->env : tk_env_host();
    store->fsync = options->fsync;
    store->thinning = options->thinning;
    store->queue_max = at_most(memory / QUEUE_SHARE, QUEUE_MAX);
    store->seal_min = at_most(memory / SEAL_SHARE, SEAL_MIN);
    store->seal_max = at_most(memory / SEAL_SHARE, SEAL_MAX);
    store->unsealed_min = at_most(memory / UNSEALED_SHARE, UNSEALED_MAX);
    store->unsealed_max = at_most(memory - memory / REPLAY_SHARE, REPLAY_MAX);
    store->warm_max = options->warm ? at_most(memory / CACHE_SHARE, CACHE_MAX) / WARM_SHARE : 0;
    store->replaying = true;
    store->queue_tail = &store->queue_head;
    init_sync(store);
    tk_cache_init(&store->cache, at_most(memory / CACHE_SHARE, CACHE_MAX));
    store->host = (struct tk_segment_host){
        .env = store->env, .cache = &store->cache, .report = report_damage};
    store->dir = strdup(options->dir);
    if (store->dir == NULL || asprintf(&store->log_dir, "%s/log", options->dir) < 0) {
        store->log_dir = NULL;
        free_store(store);
        return NULL;
    }
    tk_wal_init(&store->wal, store->env, store->log_dir);
    return store;
}

static enum tk_err
open_dirs(struct tk_embedded *store, struct tk_error *err)
{
    char path[TK_WAL_PATH_SIZE];
    struct tk_env *env = store->env;
    if (strlen(store->dir) > TK_WAL_PATH_SIZE - 64)
        return tk_error_set(err, TK_ERR_LIMIT, "the directory's name is too long");
    enum tk_err code = make_dirs(env, store->dir, err);
    if (code != TK_OK)
        return code;
    (void)snprintf(path, sizeof path, "%s/lock", store->dir);
    code = env->lock(env, path, &store->lock_file, err);
    if (code == TK_OK)
        code = env->make_dir(env, store->log_dir, err);
    if (code == TK_OK)
        code = env->sync_dir(env, store->log_dir, err); /* as in catalog.c: names come again */
    return code == TK_OK ? env->sync_dir(env, store->dir, err) : code;
}

/* Ends the threads that were started, in the order in which they feed each other. */
static void
stop_threads(struct tk_embedded *store, bool writer, bool sealer, bool compactor)
{
    pthread_mutex_lock(&store->lock);
    store->stop = true;
    atomic_store(&store->stop_compact, true);
    pthread_cond_broadcast(&store->work);
    pthread_cond_broadcast(&store->sealing);
    pthread_cond_broadcast(&store->grown);
    pthread_mutex_unlock(&store->lock);
    if (writer)
        pthread_join(store->writer, NULL);
    if (sealer)
        pthread_join(store->sealer, NULL);
    if (compactor)
        pthread_join(store->compactor, NULL);
}

static enum tk_err
start(struct tk_embedded *store, struct tk_error *err)
{
    uint64_t last_covered = 0;
    bool sealer = false, compactor = false;
    enum tk_err code = open_dirs(store, err);
    if (code == TK_OK)
        code = tk_catalog_load(store, &last_covered, err);
    if (code != TK_OK)
        return code;
    sealer = pthread_create(&store->sealer, NULL, tk_sealer_run, store) == 0;
    if (sealer)
        code = tk_replay(store, last_covered, err);
    if (sealer && code == TK_OK)
        compactor = pthread_create(&store->compactor, NULL, tk_compact_run, store) == 0;
    if (compactor && pthread_create(&store->writer, NULL, tk_writer_run, store) == 0)
        return TK_OK;
    stop_threads(store, false, sealer, compactor);
    return code != TK_OK ? code : tk_error_set(err, TK_ERR_MEMORY, "cannot start a thread");
}

enum tk_err
tk_embedded_open(const struct tk_store_options *options, struct tk_store **ret_store,
                 struct tk_error *err)
{
    struct tk_error why = {0};
    struct tk_embedded *store = new_store(options);
    if (store == NULL)
        return tk_error_set(err, TK_ERR_MEMORY, "out of memory");
    enum tk_err code = start(store, &why);
    if (code != TK_OK) {
        free_store(store);
        return tk_error_set(err, code, "%s", why.message);
    }
    *ret_store = &store->base;
    return TK_OK;
}

static enum tk_err
seal(struct tk_store *base, struct tk_error *err)
{
    struct tk_embedded *store = (struct tk_embedded *)base;
    enum tk_err code = TK_OK;
    pthread_mutex_lock(&store->lock);
    uint64_t target = store->open->number, attempts = store->seal_attempts;
    store->rotate = true;
    store->retry_seal = true;
    pthread_cond_signal(&store->work);
    pthread_cond_signal(&store->sealing);
    while (store->rotate || (store->oldest != store->open && store->oldest->number <= target)) {
        if (store->seal_failure.code != TK_OK && store->seal_attempts > attempts) {
            code = tk_error_set(err, store->seal_failure.code, "%s", store->seal_failure.message);
            break;
        }
        pthread_cond_wait(&store->sealed, &store->lock);
    }
    if (code == TK_OK && store->open->number == target && store->open->span_count > 0)
        code = tk_error_set(err, TK_ERR_MEMORY, "out of memory");
    pthread_mutex_unlock(&store->lock);
    return code;
}

/* A drop goes the way of an append, so that it has its place in the log; here one waits for it. */
struct waiter {
    pthread_mutex_t lock;
    pthread_cond_t done;
    bool is_done;
    enum tk_err code;
    struct tk_error err;
};

static void
wake(void *arg, enum tk_err result, const struct tk_error *err)
{
    struct waiter *waiter = arg;
    pthread_mutex_lock(&waiter->lock);
    waiter->is_done = true;
    waiter->code = result;
    if (err != NULL)
        waiter->err = *err;
    pthread_cond_signal(&waiter->done);
    pthread_mutex_unlock(&waiter->lock);
}

static enum tk_err
drop(struct tk_store *base, uint32_t project, struct tk_error *err)
{
    struct waiter waiter = {.lock = PTHREAD_MUTEX_INITIALIZER, .done = PTHREAD_COND_INITIALIZER};
    struct tk_store_append append = {.project = project, .done = wake, .arg = &waiter};
    enum tk_err code = tk_writer_append(base, &append, err);
    if (code != TK_OK)
        return code;
    pthread_mutex_lock(&waiter.lock);
    while (!waiter.is_done)
        pthread_cond_wait(&waiter.done, &waiter.lock);
    pthread_mutex_unlock(&waiter.lock);
    if (waiter.code != TK_OK)
        return tk_error_set(err, waiter.code, "%s", waiter.err.message);
    return TK_OK;
}

static void
get_stats(struct tk_store *base, struct tk_store_stats *ret_stats)
{
    struct tk_embedded *store = (struct tk_embedded *)base;
    uint64_t oldest = UINT64_MAX;
    pthread_mutex_lock(&store->lock);
    *ret_stats = store->stats;
    ret_stats->log_bytes = store->unsealed_log_bytes;
    ret_stats->disk_limit = store->limits.disk_bytes;
    ret_stats->open_bytes = store->unsealed_bytes;
    for (const struct tk_generation *at = store->oldest; at != NULL; at = at->newer)
        ret_stats->open_spans += at->span_count;
    for (uint32_t p = 0; p < store->project_count; p++) {
        const struct tk_project *project = &store->projects[p];
        ret_stats->segments += project->count;
        for (uint32_t i = 0; i < project->count; i++) {
            ret_stats->segment_spans += project->segments[i]->row_count;
            ret_stats->segment_bytes += project->segments[i]->size;
            if (oldest > project->segments[i]->start_min)
                oldest = project->segments[i]->start_min;
        }
    }
    ret_stats->oldest_nano = ret_stats->segments > 0 ? oldest : 0;
    ret_stats->damaged_blocks = atomic_load(&store->host.damaged_blocks);
    pthread_mutex_unlock(&store->lock);
    tk_cache_stats(&store->cache, &ret_stats->cache_bytes, &ret_stats->cache_hits,
                   &ret_stats->cache_misses);
}

static void
close_store(struct tk_store *base)
{
    struct tk_embedded *store = (struct tk_embedded *)base;
    struct tk_error err;
    if (seal(base, &err) != TK_OK)
        tk_log(TK_LOG_WARNING, "store", "not sealed, the log keeps it: %s", err.message);
    stop_threads(store, true, true, true);
    free_store(store);
}

const struct tk_store_vtable tk_embedded_vtable = {
    .append = tk_writer_append,
    .seal = seal,
    .drop = drop,
    .set_limits = tk_retention_set_limits,
    .get_stats = get_stats,
    .usage = tk_retention_usage,
    .ready = tk_writer_ready,
    .close = close_store,
    .view_open = tk_view_open,
    .view_close = tk_view_close,
    .find = tk_view_find,
    .stamp = tk_view_stamp,
    .scan_open = tk_view_scan_open,
    .scan_next = tk_view_scan_next,
    .scan_close = tk_view_scan_close,
    .operations = tk_view_operations,
    .keys = tk_view_keys,
    .values = tk_view_values,
};
