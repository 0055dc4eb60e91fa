/* workers - see workers.h. */
#include "net/workers.h"

#include <stdbool.h>
#include <stdlib.h>
#include <uv.h>

struct tk_workers {
    uv_mutex_t lock; /* guards all below but the threads */
    uv_cond_t wake;
    struct tk_job *first, **last;
    unsigned queued, queue_max;
    bool stopping;
    unsigned thread_count;
    uv_thread_t threads[];
};

static void
work(void *arg)
{
    struct tk_workers *workers = arg;
    uv_mutex_lock(&workers->lock);
    for (;;) {
        struct tk_job *job = workers->first;
        if (job == NULL && workers->stopping)
            break;
        if (job == NULL) {
            uv_cond_wait(&workers->wake, &workers->lock);
            continue;
        }
        workers->first = job->_next;
        if (workers->first == NULL)
            workers->last = &workers->first;
        workers->queued--;
        uv_mutex_unlock(&workers->lock);
        job->run(job);
        uv_mutex_lock(&workers->lock);
    }
    uv_mutex_unlock(&workers->lock);
}

enum tk_err
tk_workers_start(unsigned threads, unsigned queue_max, struct tk_workers **ret_workers,
                 struct tk_error *err)
{
    struct tk_workers *workers = calloc(1, sizeof *workers + threads * sizeof workers->threads[0]);
    if (workers == NULL)
        return tk_error_set(err, TK_ERR_MEMORY, "no memory for %u worker threads", threads);
    workers->queue_max = queue_max;
    workers->last = &workers->first;
    if (uv_mutex_init(&workers->lock) != 0 || uv_cond_init(&workers->wake) != 0) {
        free(workers);
        return tk_error_set(err, TK_ERR_MEMORY, "no memory for the worker queue");
    }
    for (; workers->thread_count < threads; workers->thread_count++)
        if (uv_thread_create(&workers->threads[workers->thread_count], work, workers) != 0) {
            tk_workers_stop(workers);
            return tk_error_set(err, TK_ERR_MEMORY, "cannot start %u worker threads", threads);
        }
    *ret_workers = workers;
    return TK_OK;
}

enum tk_err
tk_workers_submit(struct tk_workers *workers, struct tk_job *job)
{
    enum tk_err status = TK_OK;
    job->_next = NULL;
    uv_mutex_lock(&workers->lock);
    if (workers->queued == workers->queue_max) {
        status = TK_ERR_BUSY;
    } else {
        *workers->last = job;
        workers->last = &job->_next;
        workers->queued++;
        uv_cond_signal(&workers->wake);
    }
    uv_mutex_unlock(&workers->lock);
    return status;
}

void
tk_workers_stop(struct tk_workers *workers)
{
    uv_mutex_lock(&workers->lock);
    workers->stopping = true;
    uv_cond_broadcast(&workers->wake);
    uv_mutex_unlock(&workers->lock);
    for (unsigned i = 0; i < workers->thread_count; i++)
        uv_thread_join(&workers->threads[i]);
    uv_cond_destroy(&workers->wake);
    uv_mutex_destroy(&workers->lock);
    free(workers);
}
