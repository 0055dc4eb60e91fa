/*
 * writer - the log-writer thread: queue -> log -> sync -> open buffer -> done (internal.h).
 *
 * Group commit needs no timer: while one group is being written and synced, the next one gathers.
 * So a lone request waits for one sync, and under load one sync serves many.
 *
 * What happens when the disk says no:
 *   - before the write there is room for the group and for sealing what is unsealed, or the group
 *     is refused (TK_ERR_FULL) and the open generation is sealed, which frees its log file;
 *   - the write itself does not fit: the log is cut back, the group is refused, we go on;
 *   - anything else, above all a failed sync: nobody can say what is on disk.  Nothing more is
 *     appended until the store is opened again; reading goes on.
 */
#include "store/embedded/internal.h"

#include "base/assert.h"
#include "base/log.h"

#include <stdlib.h>
#include <time.h>

#define SECOND_NANO 1000000000u
#define SEAL_AGE_NANO (300ull * SECOND_NANO)

enum {
    GROUP_MAX = 4 << 20,     /* bytes of bodies in one group, so that no one waits for all others */
    GROUP_RECORDS_MAX = 512, /* the same */
    SPACE_MIN = 1 << 20,     /* bytes left free on the disk */
    SEAL_SHARE = 8,   /* the log takes at most this part of what is free, then it is sealed */
    LITTLE_SHARE = 8, /* of the budget: as good as nothing */
};

size_t
tk_writer_cost(const struct tk_batch *batch)
{
    return tk_batch_memory(batch) + batch->span_count * 16u; /* the index */
}

/* Sealing what is in memory needs room too: its segments are hardly larger than its log. */
static uint64_t
space_needed(const struct tk_embedded *store, uint64_t more)
{
    return more + SPACE_MIN + store->unsealed_log_bytes + more;
}

static bool
has_space(struct tk_embedded *store, uint64_t more, uint64_t *ret_free)
{
    struct tk_error err;
    pthread_mutex_lock(&store->lock);
    uint64_t needed = space_needed(store, more), cap = store->limits.disk_bytes;
    pthread_mutex_unlock(&store->lock);
    /* Who cannot tell us how much is free lets us try. */
    if (store->env->free_space(store->env, store->dir, ret_free, &err) != TK_OK)
        *ret_free = UINT64_MAX;
    /* Under a cap segments make room (retention.c), so all of it may become log. */
    if (cap != 0 && cap < *ret_free)
        *ret_free = cap;
    return *ret_free >= needed;
}

static enum tk_err
no_space(struct tk_embedded *store, struct tk_error *err)
{
    return tk_error_set(err, TK_ERR_FULL, "the disk of %s is full", store->dir);
}

/* Full, and still so?  Forgets it when there is room again. */
static enum tk_err
check_full(struct tk_embedded *store, uint64_t more, struct tk_error *err)
{
    uint64_t bytes_free;
    pthread_mutex_lock(&store->lock);
    bool full = store->full;
    pthread_mutex_unlock(&store->lock);
    if (!full)
        return TK_OK;
    if (!has_space(store, more, &bytes_free))
        return no_space(store, err);
    pthread_mutex_lock(&store->lock);
    store->full = false;
    pthread_mutex_unlock(&store->lock);
    return TK_OK;
}

enum tk_err
tk_writer_ready(struct tk_store *base, struct tk_error *err)
{
    struct tk_embedded *store = (struct tk_embedded *)base;
    pthread_mutex_lock(&store->lock);
    struct tk_error failure = store->failure;
    pthread_mutex_unlock(&store->lock);
    if (failure.code != TK_OK)
        return tk_error_set(err, failure.code, "%s", failure.message);
    return check_full(store, SPACE_MIN, err); /* room for more than the next small one */
}

/* Under `lock`.  One that is too large for the budget is taken when hardly anything else is
   there. */
static bool
has_room(const struct tk_embedded *store, size_t bytes)
{
    if (store->queue_bytes > 0 && store->queue_bytes + bytes > store->queue_max)
        return false;
    size_t waiting = store->unsealed_bytes + store->queue_bytes;
    return waiting <= store->unsealed_max / LITTLE_SHARE || waiting + bytes <= store->unsealed_max;
}

static enum tk_err
enqueue(struct tk_embedded *store, struct tk_pending *pending, struct tk_error *err)
{
    enum tk_err code = TK_OK;
    pthread_mutex_lock(&store->lock);
    if (store->failure.code != TK_OK) {
        code = tk_error_set(err, store->failure.code, "%s", store->failure.message);
    } else if (!has_room(store, pending->bytes)) {
        code = store->seal_failure.code == TK_ERR_FULL
                   ? no_space(store, err)
                   : tk_error_set(err, TK_ERR_BUSY, "too much is waiting to be written");
    } else {
        *store->queue_tail = pending;
        store->queue_tail = &pending->next;
        store->queue_bytes += pending->bytes;
        pthread_cond_signal(&store->work);
    }
    if (code != TK_OK)
        store->stats.appends_refused++;
    if (code == TK_ERR_BUSY && store->queue_bytes == 0 && store->oldest == store->open) {
        store->rotate = true; /* nothing else would make room before it is old */
        pthread_cond_signal(&store->work);
    }
    pthread_mutex_unlock(&store->lock);
    return code;
}

enum tk_err
tk_writer_append(struct tk_store *base, const struct tk_store_append *append, struct tk_error *err)
{
    struct tk_embedded *store = (struct tk_embedded *)base;
    TK_ASSERT(append->project > 0 && append->done != NULL);
    TK_ASSERT(append->batch == NULL || append->batch->span_count > 0);
    if (append->body.len > TK_WAL_BODY_MAX)
        return tk_error_set(err, TK_ERR_LIMIT, "a body of %zu bytes", append->body.len);
    enum tk_err code = TK_OK;
    if (append->batch != NULL) /* a drop makes room: it may try */
        code = check_full(store, append->body.len, err);
    if (code != TK_OK)
        return code;
    struct tk_pending *pending = malloc(sizeof *pending);
    if (pending == NULL)
        return tk_error_set(err, TK_ERR_MEMORY, "out of memory");
    *pending = (struct tk_pending){.append = *append, .bytes = append->body.len};
    if (append->batch != NULL)
        pending->bytes += tk_writer_cost(append->batch);
    code = enqueue(store, pending, err);
    if (code != TK_OK)
        free(pending);
    return code;
}

enum tk_err
tk_writer_apply_drop(struct tk_embedded *store, uint32_t project, uint64_t before,
                     struct tk_error *err)
{
    pthread_mutex_lock(&store->files_lock);
    pthread_mutex_lock(&store->lock);
    for (struct tk_generation *at = store->oldest; at != NULL; at = at->newer)
        tk_generation_remove(at, project);
    pthread_mutex_unlock(&store->lock);
    enum tk_err code = tk_catalog_drop(store, project, before, err);
    pthread_mutex_unlock(&store->files_lock);
    return code;
}

/* Fails everything from now on. */
static void
set_failure(struct tk_embedded *store, const struct tk_error *err)
{
    pthread_mutex_lock(&store->lock);
    store->failure.code = TK_ERR_IO;
    (void)tk_error_set(&store->failure, TK_ERR_IO, "the log cannot be written any more: %s",
                       err->message);
    pthread_mutex_unlock(&store->lock);
    tk_log(TK_LOG_ERROR, "store", "%s; restart to go on", store->failure.message);
}

/* Takes a group off the queue: a list that ends in NULL.  Under `lock`. */
static struct tk_pending *
take_group(struct tk_embedded *store)
{
    struct tk_pending *group = store->queue_head, **end = &store->queue_head;
    size_t bytes = 0, count = 0;
    size_t count_max = store->fsync == TK_FSYNC_ALWAYS ? 1 : GROUP_RECORDS_MAX;
    while (*end != NULL && count < count_max && bytes < GROUP_MAX) {
        bytes += (*end)->append.body.len;
        count++;
        end = &(*end)->next;
    }
    store->queue_head = *end;
    if (store->queue_head == NULL)
        store->queue_tail = &store->queue_head;
    *end = NULL;
    return group;
}

static uint64_t
body_bytes(const struct tk_pending *group)
{
    uint64_t bytes = 0;
    for (; group != NULL; group = group->next)
        bytes += group->append.body.len;
    return bytes;
}

static size_t
memory_bytes(const struct tk_pending *group)
{
    size_t bytes = 0;
    for (; group != NULL; group = group->next)
        bytes += group->bytes;
    return bytes;
}

static enum tk_err
sync_log(struct tk_embedded *store, struct tk_error *err)
{
    enum tk_err code = tk_wal_sync(&store->wal, err);
    store->unsynced_since_nano = 0;
    pthread_mutex_lock(&store->lock);
    store->stats.log_syncs++;
    pthread_mutex_unlock(&store->lock);
    return code;
}

static enum tk_err
write_group(struct tk_embedded *store, const struct tk_pending *group, struct tk_error *err)
{
    struct tk_wal_record records[GROUP_RECORDS_MAX];
    size_t count = 0;
    uint64_t now = store->env->wall_nano(store->env), before = store->wal.length;
    for (const struct tk_pending *at = group; at != NULL; at = at->next)
        records[count++] = (struct tk_wal_record){
            .type = at->append.batch != NULL ? TK_WAL_SPANS : TK_WAL_DROP,
            .project = at->append.project,
            .format = at->append.format,
            .encoding = at->append.encoding,
            .time_nano = now,
            .body = at->append.body,
        };
    enum tk_err code = tk_wal_append(&store->wal, store->open->number, records, count, err);
    if (code != TK_OK)
        return code;
    pthread_mutex_lock(&store->lock);
    store->open->log_bytes = store->wal.length;
    store->unsealed_log_bytes += store->wal.length - before;
    store->stats.log_written += store->wal.length - before;
    pthread_mutex_unlock(&store->lock);
    if (store->fsync == TK_FSYNC_ASYNC) {
        if (store->unsynced_since_nano == 0)
            store->unsynced_since_nano = store->env->mono_nano(store->env);
        return TK_OK;
    }
    return sync_log(store, err);
}

/* What is on disk becomes visible. */
static enum tk_err
apply(struct tk_embedded *store, struct tk_pending *pending, struct tk_error *err)
{
    const struct tk_store_append *append = &pending->append;
    if (append->batch == NULL)
        return tk_writer_apply_drop(store, append->project, store->open->number, err);
    uint32_t span_count = append->batch->span_count;
    pthread_mutex_lock(&store->lock);
    enum tk_err code = tk_generation_add(store, store->open, append->project, append->batch,
                                         pending->bytes - append->body.len);
    if (code == TK_OK) {
        store->stats.spans_appended += span_count;
        store->stats.bytes_appended += append->body.len;
    }
    pthread_mutex_unlock(&store->lock);
    return code == TK_OK ? code : tk_error_set(err, code, "out of memory for the open buffer");
}

static void
finish(struct tk_embedded *store, struct tk_pending *pending, enum tk_err code,
       const struct tk_error *err)
{
    pthread_mutex_lock(&store->lock);
    store->queue_bytes -= pending->bytes;
    if (code != TK_OK)
        store->stats.appends_refused++;
    pthread_mutex_unlock(&store->lock);
    if (code != TK_OK)
        tk_batch_free(pending->append.batch);
    pending->append.done(pending->append.arg, code, err);
    free(pending);
}

static void
set_full(struct tk_embedded *store)
{
    pthread_mutex_lock(&store->lock);
    store->full = true;
    store->rotate = true; /* sealing gives its log file back */
    pthread_mutex_unlock(&store->lock);
    TK_LOG_EVERY_MS(10000, TK_LOG_ERROR, "store", "the disk of %s is full: spans are refused",
                    store->dir);
}

static void
commit(struct tk_embedded *store, struct tk_pending *group)
{
    struct tk_error err = {0};
    uint64_t bytes = body_bytes(group), bytes_free = UINT64_MAX;
    enum tk_err code = store->failure.code;
    if (code != TK_OK)
        err = store->failure;
    else if (bytes > 0 && !has_space(store, bytes, &bytes_free))
        code = no_space(store, &err);
    else
        code = write_group(store, group, &err);
    if (code == TK_ERR_IO && store->failure.code == TK_OK)
        set_failure(store, &err);
    if (code == TK_ERR_FULL)
        set_full(store);
    else if (code == TK_OK && store->open->log_bytes > bytes_free / SEAL_SHARE) {
        pthread_mutex_lock(&store->lock);
        store->rotate = true;
        pthread_mutex_unlock(&store->lock);
    }
    while (group != NULL) {
        struct tk_pending *next = group->next;
        enum tk_err one = code == TK_OK ? apply(store, group, &err) : code;
        finish(store, group, one, one == TK_OK ? NULL : &err);
        group = next;
    }
}

/* Under `lock`. */
static bool
is_rotation_due(const struct tk_embedded *store, uint64_t now)
{
    const struct tk_generation *open = store->open;
    size_t enough = store->oldest == open ? store->seal_min : store->seal_max;
    return store->rotate || open->bytes >= enough ||
           (open->span_count > 0 && now - open->opened_nano >= SEAL_AGE_NANO);
}

/* The log file of the open generation is complete: ends it, and the generation with it. */
static void
rotate(struct tk_embedded *store)
{
    struct tk_error err;
    /* After a failed write, too: what was acknowledged before it stands in this file. */
    if (store->unsynced_since_nano != 0 && sync_log(store, &err) != TK_OK)
        set_failure(store, &err);
    pthread_mutex_lock(&store->lock);
    uint64_t before = store->open->number;
    if (tk_generation_rotate(store) != TK_OK)
        tk_log(TK_LOG_ERROR, "store", "out of memory: the open buffer grows on");
    store->rotate = false;
    bool rotated = store->open->number != before;
    pthread_cond_broadcast(&store->sealed); /* who waits may see that nothing is left */
    pthread_mutex_unlock(&store->lock);
    if (rotated)
        tk_wal_close_file(&store->wal);
}

static void
sync_late(struct tk_embedded *store, uint64_t now)
{
    struct tk_error err;
    if (store->unsynced_since_nano == 0 || now - store->unsynced_since_nano < SECOND_NANO)
        return;
    if (sync_log(store, &err) != TK_OK)
        set_failure(store, &err);
}

/* Waits for work, at most a second (age, late syncs).  Under `lock`. */
static void
wait_for_work(struct tk_embedded *store)
{
    struct timespec until;
    (void)clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += 1;
    if (store->queue_head == NULL && !store->rotate && !store->stop)
        (void)pthread_cond_timedwait(&store->work, &store->lock, &until);
}

void *
tk_writer_run(void *arg)
{
    struct tk_embedded *store = arg;
    (void)pthread_setname_np(pthread_self(), "tk-log");
    for (;;) {
        pthread_mutex_lock(&store->lock);
        wait_for_work(store);
        struct tk_pending *group = take_group(store);
        bool stop = store->stop && group == NULL && !store->rotate;
        pthread_mutex_unlock(&store->lock);
        if (stop)
            return NULL;
        if (group != NULL) {
            tk_sealer_catch_up(store, memory_bytes(group));
            commit(store, group);
        }
        uint64_t now = store->env->mono_nano(store->env);
        pthread_mutex_lock(&store->lock);
        bool due = is_rotation_due(store, now);
        pthread_mutex_unlock(&store->lock);
        if (due)
            rotate(store);
        sync_late(store, now);
    }
}
