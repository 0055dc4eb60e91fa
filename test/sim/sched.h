#ifndef SIM_SCHED_H
#define SIM_SCHED_H
/*
 * sched - the threads and the clock of the simulated world.
 *
 * The linker hands every pthread_* call of the code under test to us (--wrap, see CMakeLists.txt).
 * A thread is a fiber here: one runs at a time, and at every lock, wait, signal and file call the
 * seed decides who runs next.  Time stands still while anybody can run, but for what file calls
 * cost; when all wait it jumps to the first deadline.  When there is none that is a deadlock, and
 * the seed has failed.
 */
#include <stdbool.h>
#include <stdint.h>

#define SECOND_NANO 1000000000u
#define MILLI_NANO 1000000u

/* Who is favoured, and how often who runs changes: drawn from the seed. */
void sched_init(uint64_t seed, uint64_t begin_nano);
/* Runs `client` as a thread, and what threads it starts, until it returns (true) or somebody calls
   sched_stop (false: all threads are gone, wherever they were). */
bool sched_run(void (*client)(void *arg), void *arg);
void sched_stop(void) __attribute__((noreturn));

/* Somebody else may run now. `what` tells a reader of a failure where a thread was. */
void sched_point(const char *what);
uint64_t sched_now(void);             /* ns, of both clocks */
void sched_pass(uint64_t nano);       /* something took this long */
void sched_sleep(uint64_t nano);      /* the caller waits this long */
void sched_wait_for(const bool *set); /* the caller waits until somebody set it and called... */
void sched_wake_waiters(void);        /* ...this */
const char *sched_name(void);         /* of the thread that runs */
/* Frees what the caller keeps as its own (pthread_setspecific), as if it had ended. */
void sched_free_values(void);
/* Every nth pthread_create fails; 0: none does. */
void sched_fail_create(uint64_t one_in);
uint64_t sched_create_failures(void); /* so far */

#endif
