#ifndef TK_NET_WORKERS_H
#define TK_NET_WORKERS_H
/*
 * workers - a fixed pool of threads over one bounded queue, for what would block a loop.
 * Jobs are intrusive, run in the order they came in, and belong to whoever runs them.
 */
#include "base/error.h"

struct tk_job {
    struct tk_job *_next;
    void (*run)(struct tk_job *job);
};

struct tk_workers;

enum tk_err tk_workers_start(unsigned threads, unsigned queue_max, struct tk_workers **ret_workers,
                             struct tk_error *err) TK_MUST_USE;
/* Any thread.  TK_ERR_BUSY when `queue_max` jobs wait already. */
enum tk_err tk_workers_submit(struct tk_workers *workers, struct tk_job *job) TK_MUST_USE;
/* Runs what is queued, joins the threads, frees. Nobody may submit any more. */
void tk_workers_stop(struct tk_workers *workers);

#endif
