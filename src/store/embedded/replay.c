/*
 * replay - what the log holds becomes generations again, at start (internal.h).
 *
 * A log file is one generation, as it was before.  They may take more memory than is unsealed
 * otherwise, so that whoever waits for the start need not wait for sealing too; when half of it is
 * taken the sealer, which runs already, begins, and when three quarters are the next file waits: so
 * memory stays bounded however much log there is.  Projects that have a segment of this log file
 * are left out: the crash came between sealing and deleting.
 */
#include "store/embedded/internal.h"

#include "base/log.h"

#include <stdio.h>
#include <stdlib.h>

struct replay {
    struct tk_embedded *store;
    uint64_t number;     /* of the log file at hand */
    struct tk_buf bytes; /* that file */
};

static void
report(void *arg, const char *line)
{
    struct replay *replay = arg;
    atomic_fetch_add(&replay->store->host.damaged_blocks, 1);
    tk_log(TK_LOG_ERROR, "store", "%s", line);
}

static enum tk_err
open_generation(struct tk_embedded *store, uint64_t number, struct tk_error *err)
{
    struct tk_generation *generation = tk_generation_new(number);
    if (generation == NULL)
        return tk_error_set(err, TK_ERR_MEMORY, "out of memory");
    pthread_mutex_lock(&store->lock);
    if (store->open != NULL)
        store->open->newer = generation;
    else
        store->oldest = generation;
    store->open = generation;
    pthread_cond_signal(&store->sealing);
    pthread_mutex_unlock(&store->lock);
    return TK_OK;
}

/* Adds a decoded batch to the generation at hand. */
static enum tk_err
add_batch(struct replay *replay, uint32_t project, struct tk_batch *batch, struct tk_error *err)
{
    struct tk_embedded *store = replay->store;
    uint32_t span_count = batch->span_count;
    pthread_mutex_lock(&store->lock);
    enum tk_err code = tk_generation_add(store, store->open, project, batch, tk_writer_cost(batch));
    if (code == TK_OK)
        store->stats.replayed_spans += span_count;
    pthread_mutex_unlock(&store->lock);
    return code == TK_OK ? code : tk_error_set(err, code, "out of memory during replay");
}

static enum tk_err
replay_spans(struct replay *replay, const struct tk_wal_record *record, struct tk_error *err)
{
    struct tk_rejected rejected;
    struct tk_error why = {0};
    char line[TK_ERROR_MESSAGE_SIZE + 128];
    if (tk_catalog_covers(replay->store, record->project, replay->number))
        return TK_OK;
    struct tk_batch *batch = tk_batch_new();
    if (batch == NULL)
        return tk_error_set(err, TK_ERR_MEMORY, "out of memory during replay");
    /* No limit: it was taken, and acknowledged, under the limit of its time. */
    enum tk_err code = tk_wire_decode(record->format, record->encoding, record->body, NULL,
                                      TK_WIRE_UNLIMITED, batch, &rejected, &why);
    if (code == TK_OK && batch->span_count > 0)
        code = add_batch(replay, record->project, batch, err);
    else if (code == TK_ERR_MEMORY)
        code = tk_error_set(err, code, "out of memory during replay");
    else {
        (void)snprintf(line, sizeof line, "a record of log file %llu cannot be decoded: %s",
                       (unsigned long long)replay->number, why.message);
        report(replay, line);
        tk_batch_free(batch);
        return TK_OK;
    }
    if (code != TK_OK)
        tk_batch_free(batch);
    return code;
}

static enum tk_err
replay_record(void *arg, const struct tk_wal_record *record, struct tk_error *err)
{
    struct replay *replay = arg;
    struct tk_embedded *store = replay->store;
    pthread_mutex_lock(&store->lock);
    store->open->log_bytes += record->body.len;
    store->unsealed_log_bytes += record->body.len;
    pthread_mutex_unlock(&store->lock);
    if (record->type == TK_WAL_DROP)
        return tk_writer_apply_drop(store, record->project, replay->number, err);
    return replay_spans(replay, record, err);
}

static enum tk_err
replay_file(struct replay *replay, struct tk_error *err)
{
    struct tk_wal_read read;
    struct tk_embedded *store = replay->store;
    enum tk_err code = open_generation(store, replay->number, err);
    if (code == TK_OK)
        code = tk_wal_read(store->env, store->log_dir, replay->number, replay_record, report,
                           replay, &replay->bytes, &read, err);
    if (code != TK_OK)
        return code;
    tk_log(TK_LOG_INFO, "store", "log file %llu: %llu records, %llu damaged, %llu torn bytes",
           (unsigned long long)replay->number, (unsigned long long)read.records,
           (unsigned long long)read.damaged, (unsigned long long)read.torn_bytes);
    return TK_OK;
}

/* Every log file; *last: the last one there is. */
static enum tk_err
replay_files(struct tk_embedded *store, uint64_t *last, struct tk_error *err)
{
    struct replay replay = {.store = store};
    uint64_t *numbers = NULL;
    size_t count = 0;
    enum tk_err code = tk_wal_list(store->env, store->log_dir, &numbers, &count, err);
    tk_buf_init(&replay.bytes, SIZE_MAX / 2);
    pthread_mutex_lock(&store->lock);
    store->first_log = count > 0 ? numbers[0] : *last + 1;
    pthread_mutex_unlock(&store->lock);
    for (size_t i = 0; i < count && code == TK_OK; i++) {
        replay.number = numbers[i];
        tk_sealer_catch_up(store, 0);
        code = replay_file(&replay, err);
        if (numbers[i] > *last)
            *last = numbers[i];
    }
    tk_buf_release(&replay.bytes);
    free(numbers);
    return code;
}

enum tk_err
tk_replay(struct tk_embedded *store, uint64_t last_covered, struct tk_error *err)
{
    uint64_t last = last_covered, begin = store->env->mono_nano(store->env);
    enum tk_err code = replay_files(store, &last, err);
    pthread_mutex_lock(&store->lock);
    store->replaying = false;
    tk_sealer_set_room(store);
    pthread_mutex_unlock(&store->lock);
    if (code == TK_OK)
        code = open_generation(store, last + 1, err);
    store->stats.replay_nano = store->env->mono_nano(store->env) - begin;
    return code;
}
