/* The worker pool: every job runs once, and a full queue says so. */
#include "net/workers.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <uv.h>

static atomic_int ran;
static uv_sem_t gate;

static void
count(struct tk_job *job)
{
    (void)job;
    ran++;
}

static void
wait_at_gate(struct tk_job *job)
{
    (void)job;
    uv_sem_wait(&gate);
    ran++;
}

static void
every_job_runs_once_and_stopping_waits_for_them(void **state)
{
    enum { COUNT = 1000 };
    static struct tk_job jobs[COUNT];
    struct tk_workers *workers;
    (void)state;
    ran = 0;
    assert_int_equal(tk_workers_start(4, COUNT, &workers, NULL), TK_OK);
    for (int i = 0; i < COUNT; i++) {
        jobs[i].run = count;
        assert_int_equal(tk_workers_submit(workers, &jobs[i]), TK_OK);
    }
    tk_workers_stop(workers);
    assert_int_equal(ran, COUNT);
}

static void
a_full_queue_is_busy_and_takes_jobs_again_later(void **state)
{
    struct tk_job jobs[4] = {
        {.run = wait_at_gate}, {.run = wait_at_gate}, {.run = wait_at_gate}, {.run = wait_at_gate}};
    struct tk_workers *workers;
    int taken = 0;
    (void)state;
    ran = 0;
    assert_int_equal(uv_sem_init(&gate, 0), 0);
    assert_int_equal(tk_workers_start(1, 2, &workers, NULL), TK_OK);
    /* One may be with the worker already, two wait; the fourth is one too many. */
    for (int i = 0; i < 4; i++)
        taken += tk_workers_submit(workers, &jobs[i]) == TK_OK;
    assert_in_range(taken, 2, 3);
    for (int i = 0; i < taken; i++)
        uv_sem_post(&gate);
    tk_workers_stop(workers);
    assert_int_equal(ran, taken);
    uv_sem_destroy(&gate);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_job_runs_once_and_stopping_waits_for_them),
        cmocka_unit_test(a_full_queue_is_busy_and_takes_jobs_again_later),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
