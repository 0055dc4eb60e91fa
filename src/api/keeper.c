/*
 * keeper - see keeper.h.
 *
 * A deleted project is dropped as soon as that is noticed, and once more a minute later: a request
 * that was let in just before may have brought spans behind the first drop.  Only then is the note
 * of it (account.h) taken away, so a crash in between only means that it is done again.
 */
#include "api/keeper.h"

#include "base/log.h"

#include <pthread.h>
#include <stdlib.h>
#include <time.h>

enum { LOOK_SECONDS = 1, ARENA_LIMIT = 64 << 20 };
static const uint64_t settled_nano = UINT64_C(60) * 1000000000;

struct tk_keeper {
    struct tk_store *store;
    struct tk_account *account;
    struct tk_env *env;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    bool stop;
    uint64_t version; /* of the accounts, that the store was told */
    bool pending;     /* something is to be done again, though nothing changes */
};

static enum tk_err
set_limits(struct tk_keeper *keeper, struct tk_arena *arena, struct tk_error *err)
{
    struct tk_project *projects = NULL;
    size_t count = 0;
    enum tk_err result = tk_account_project_list(keeper->account, arena, &projects, &count, err);
    for (size_t i = 0; i < count && result == TK_OK; i++) {
        struct tk_store_limits limits = {projects[i].retention_nano, projects[i].disk_bytes};
        result = tk_store_set_limits(keeper->store, projects[i].id, &limits, err);
    }
    return result;
}

/* `changed`: one of them may be new. */
static enum tk_err
drop_deleted(struct tk_keeper *keeper, bool changed, struct tk_arena *arena, struct tk_error *err)
{
    uint64_t now = keeper->env->wall_nano(keeper->env);
    struct tk_deleted *deleted = NULL;
    size_t count = 0;
    enum tk_err result = tk_account_deleted_list(keeper->account, arena, &deleted, &count, err);
    for (size_t i = 0; i < count && result == TK_OK; i++) {
        bool settled = now > deleted[i].nano && now - deleted[i].nano > settled_nano;
        keeper->pending |= !settled;
        if (settled || changed)
            result = tk_store_drop(keeper->store, deleted[i].project_id, err);
        if (settled && result == TK_OK)
            result = tk_account_deleted_done(keeper->account, deleted[i].project_id, err);
    }
    return result;
}

static enum tk_err
look(struct tk_keeper *keeper, struct tk_error *err)
{
    uint64_t version = tk_account_version(keeper->account);
    bool changed = version != keeper->version;
    struct tk_arena arena;
    enum tk_err result = TK_OK;
    if (!changed && !keeper->pending)
        return TK_OK;
    keeper->pending = false;
    tk_arena_init(&arena, 4096, ARENA_LIMIT);
    if (changed)
        result = set_limits(keeper, &arena, err);
    if (result == TK_OK)
        result = drop_deleted(keeper, changed, &arena, err);
    if (result == TK_OK)
        keeper->version = version;
    tk_arena_release(&arena);
    return result;
}

static bool
wait_a_second(struct tk_keeper *keeper)
{
    struct timespec until;
    (void)clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += LOOK_SECONDS;
    (void)pthread_mutex_lock(&keeper->lock);
    if (!keeper->stop)
        (void)pthread_cond_timedwait(&keeper->wake, &keeper->lock, &until);
    bool stop = keeper->stop;
    (void)pthread_mutex_unlock(&keeper->lock);
    return !stop;
}

static void *
run(void *arg)
{
    struct tk_keeper *keeper = arg;
    struct tk_error err = {0};
    (void)pthread_setname_np(pthread_self(), "tk-keeper");
    while (wait_a_second(keeper))
        if (look(keeper, &err) != TK_OK)
            TK_LOG_EVERY_MS(60000, TK_LOG_WARNING, "keeper", "will try again: %s", err.message);
    return NULL;
}

enum tk_err
tk_keeper_start(struct tk_store *store, struct tk_account *account, struct tk_env *env,
                const struct tk_store_limits *limits, struct tk_keeper **ret_keeper,
                struct tk_error *err)
{
    struct tk_keeper *keeper = calloc(1, sizeof *keeper);
    if (keeper == NULL)
        return tk_error_set(err, TK_ERR_MEMORY, "out of memory");
    *keeper = (struct tk_keeper){.store = store, .account = account, .env = env};
    (void)pthread_mutex_init(&keeper->lock, NULL);
    (void)pthread_cond_init(&keeper->wake, NULL);
    enum tk_err result = look(keeper, err);
    if (result == TK_OK)
        result = tk_store_set_limits(store, 0, limits, err);
    if (result == TK_OK && pthread_create(&keeper->thread, NULL, run, keeper) != 0)
        result = tk_error_set(err, TK_ERR_MEMORY, "cannot start a thread");
    if (result == TK_OK) {
        *ret_keeper = keeper;
        return TK_OK;
    }
    (void)pthread_cond_destroy(&keeper->wake);
    (void)pthread_mutex_destroy(&keeper->lock);
    free(keeper);
    return result;
}

void
tk_keeper_stop(struct tk_keeper *keeper)
{
    if (keeper == NULL)
        return;
    (void)pthread_mutex_lock(&keeper->lock);
    keeper->stop = true;
    (void)pthread_cond_signal(&keeper->wake);
    (void)pthread_mutex_unlock(&keeper->lock);
    (void)pthread_join(keeper->thread, NULL);
    (void)pthread_cond_destroy(&keeper->wake);
    (void)pthread_mutex_destroy(&keeper->lock);
    free(keeper);
}
