/*
 * sched - see sched.h.
 *
 * Fibers switch by the compiler's setjmp and longjmp: no system call, and nothing that a sanitizer
 * would look into.  What abandons a frame keeps no variables that ASan would fence (NO_FENCES).
 *
 * A simulated mutex or condition lives in the memory of the
 * real one, which the code under test never looks into; zeroed memory is an unlocked one, so static
 * initialisers work.  `epoch` tells what a crash left behind from what is alive.
 *
 * Who runs next: either the thread of the highest priority, with priorities that change now and
 * then (which finds what needs few switches at the right places), or anybody by chance.
 */
#include "sched.h"
#include "fail.h"
#include "heap.h"
#include "rng.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/types.h>
#include <time.h>
#include <ucontext.h>

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif

#define NO_FENCES __attribute__((no_sanitize_address))

enum { FIBERS_MAX = 32, STACK_SIZE = 1 << 20, KEYS_MAX = 4 };

/* Nobody waits that long for anything but forever. */
#define STUCK_NANO (900ull * SECOND_NANO)

enum state { UNUSED, RUNNABLE, BLOCKED, DONE };

struct fiber {
    void *at[5]; /* of __builtin_setjmp */
    enum state state;
    bool started, timed_out, detached;
    uint32_t priority;
    const void *waits_for; /* of a BLOCKED one: mutex, condition, fiber, flag */
    uint64_t deadline;     /* 0: none */
    const char *what;
    char name[16];
    void *(*run)(void *arg);
    void *arg, *result;
    char *stack;
    void *values[KEYS_MAX]; /* pthread_setspecific */
    void *fake_stack;       /* ASan's */
};

static struct {
    struct rng rng;
    struct fiber root, fibers[FIBERS_MAX];
    struct fiber *current, *client;
    uint64_t now, epoch, blocked_since;
    uint64_t switch_one_in, create_fails_one_in;
    uint64_t create_failures;
    bool by_priority;
    bool client_done;
    void (*free_value[KEYS_MAX])(void *);
    uint32_t key_count; /* made once: keys outlive the store */
} sched;

static struct fiber *
stack_of(struct fiber *fiber)
{
    if (fiber->stack == NULL) {
        fiber->stack = mmap(NULL, STACK_SIZE, PROT_READ | PROT_WRITE,
                            MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (fiber->stack == MAP_FAILED || mprotect(fiber->stack, 4096, PROT_NONE) != 0)
            sim_fail("no memory for a stack");
    }
#ifdef __SANITIZE_ADDRESS__
    __asan_unpoison_memory_region(fiber->stack, STACK_SIZE);
#endif
    return fiber;
}

NO_FENCES static void
before_switch(struct fiber *from, const struct fiber *to, bool for_good)
{
#ifdef __SANITIZE_ADDRESS__
    static const void *root_stack;
    static size_t root_size;
    if (from == &sched.root && root_stack == NULL) {
        pthread_attr_t attr;
        void *stack;
        if (pthread_getattr_np(pthread_self(), &attr) == 0 &&
            pthread_attr_getstack(&attr, &stack, &root_size) == 0)
            root_stack = stack;
    }
    __sanitizer_start_switch_fiber(for_good ? NULL : &from->fake_stack,
                                   to == &sched.root ? root_stack : to->stack,
                                   to == &sched.root ? root_size : STACK_SIZE);
#else
    (void)from;
    (void)to;
    (void)for_good;
#endif
}

static void
after_switch(struct fiber *self)
{
#ifdef __SANITIZE_ADDRESS__
    __sanitizer_finish_switch_fiber(self->fake_stack, NULL, NULL);
#else
    (void)self;
#endif
}

static void
free_values(struct fiber *fiber)
{
    for (uint32_t key = 0; key < sched.key_count; key++) {
        void *value = fiber->values[key];
        fiber->values[key] = NULL;
        if (value != NULL && sched.free_value[key] != NULL)
            sched.free_value[key](value);
    }
}

static void run_next(void) __attribute__((noreturn));
static void jump(struct fiber *to) __attribute__((noreturn, noinline));

NO_FENCES static void
fiber_main(void)
{
    struct fiber *self = sched.current;
    after_switch(self);
    self->result = self->run(self->arg);
    free_values(self);
    self->state = DONE;
    if (self == sched.client) {
        sched.client_done = true;
        sched_stop();
    }
    for (int i = 0; i < FIBERS_MAX; i++)
        if (sched.fibers[i].state == BLOCKED && sched.fibers[i].waits_for == self)
            sched.fibers[i].state = RUNNABLE;
    run_next();
}

NO_FENCES static void
jump(struct fiber *to)
{
    if (to->started)
        __builtin_longjmp(to->at, 1);
    to->started = true;
    ucontext_t context;
    (void)getcontext(&context);
    context.uc_stack.ss_sp = to->stack;
    context.uc_stack.ss_size = STACK_SIZE;
    context.uc_link = NULL;
    makecontext(&context, fiber_main, 0);
    (void)setcontext(&context);
    abort();
}

NO_FENCES static void __attribute__((noinline)) switch_to(struct fiber *to)
{
    if (to == sched.current)
        return;
    if (__builtin_setjmp(sched.current->at) == 0) {
        before_switch(sched.current, to, false);
        sched.current = to;
        jump(to);
    }
    after_switch(sched.current);
}

static struct fiber *
new_fiber(const char *name, void *(*run)(void *), void *arg)
{
    for (int i = 0; i < FIBERS_MAX; i++) {
        struct fiber *fiber = &sched.fibers[i];
        if (fiber->state != UNUSED)
            continue;
        *fiber = (struct fiber){.state = RUNNABLE,
                                .priority = (uint32_t)rng_next(&sched.rng),
                                .run = run,
                                .arg = arg,
                                .stack = fiber->stack,
                                .what = "start"};
        (void)snprintf(fiber->name, sizeof fiber->name, "%s", name);
        return stack_of(fiber);
    }
    sim_fail("more than %d threads", FIBERS_MAX);
}

static void
say_who_waits(const char *why)
{
    char text[2048];
    size_t len = 0;
    for (int i = 0; i < FIBERS_MAX && len < sizeof text - 100; i++)
        if (sched.fibers[i].state == BLOCKED)
            len +=
                (size_t)snprintf(text + len, sizeof text - len, "%s%s in %s", len > 0 ? ", " : "",
                                 sched.fibers[i].name, sched.fibers[i].what);
    sim_fail("%s: %s", why, text);
}

/* All wait: the first deadline comes. */
static struct fiber *
pass_time(void)
{
    struct fiber *first = NULL;
    for (int i = 0; i < FIBERS_MAX; i++) {
        struct fiber *fiber = &sched.fibers[i];
        if (fiber->state == BLOCKED && fiber->deadline != 0 &&
            (first == NULL || fiber->deadline < first->deadline))
            first = fiber;
    }
    if (first == NULL)
        say_who_waits("deadlock");
    if (first->deadline > sched.now)
        sched.now = first->deadline;
    if (sched.client->deadline == 0 && sched.now - sched.blocked_since > STUCK_NANO)
        say_who_waits("the client waits for something that never comes");
    first->timed_out = true;
    first->state = RUNNABLE;
    return first;
}

static struct fiber *
pick(void)
{
    struct fiber *best = NULL;
    uint64_t count = 0;
    for (int i = 0; i < FIBERS_MAX; i++) {
        struct fiber *fiber = &sched.fibers[i];
        if (fiber->state != RUNNABLE)
            continue;
        count++;
        if (sched.by_priority ? best == NULL || fiber->priority > best->priority
                              : rng_one_in(&sched.rng, count))
            best = fiber;
    }
    return best != NULL ? best : pass_time();
}

NO_FENCES static void
run_next(void)
{
    struct fiber *to = pick();
    before_switch(sched.current, to, true);
    sched.current = to;
    jump(to);
}

void
sched_init(uint64_t seed, uint64_t begin_nano)
{
    static const uint64_t switch_one_in[] = {1, 2, 5, 20, 100};
    sched.rng = rng_stream(seed, 1);
    sched.by_priority = rng_one_in(&sched.rng, 2);
    sched.switch_one_in = switch_one_in[rng_below(&sched.rng, 5)];
    sched.create_fails_one_in = 0;
    sched.now = begin_nano;
}

static void *
run_client(void *arg)
{
    void **call = arg;
    void (*client)(void *);
    memcpy(&client, &call[0], sizeof client);
    client(call[1]);
    return NULL;
}

bool
sched_run(void (*client)(void *arg), void *arg)
{
    void *call[2] = {NULL, arg};
    memcpy(&call[0], &client, sizeof client);
    sched.epoch++;
    sched.client_done = false;
    for (int i = 0; i < FIBERS_MAX; i++)
        sched.fibers[i].state = UNUSED;
    sched.current = &sched.root;
    sched.root.started = true;
    sched.client = new_fiber("client", run_client, call);
    switch_to(sched.client);
    for (int i = 0; i < FIBERS_MAX; i++) /* of those that died where they were */
        free_values(&sched.fibers[i]);
    return sched.client_done;
}

NO_FENCES void
sched_stop(void)
{
    for (int i = 0; i < FIBERS_MAX && sched.client_done; i++)
        SIM_CHECK(sched.fibers[i].state == UNUSED || &sched.fibers[i] == sched.client,
                  "thread %s was not joined", sched.fibers[i].name);
    before_switch(sched.current, &sched.root, true);
    sched.current = &sched.root;
    jump(&sched.root);
}

void
sched_point(const char *what)
{
    struct fiber *self = sched.current;
    if (self == NULL || self == &sched.root)
        return;
    self->what = what;
    if (!rng_one_in(&sched.rng, sched.switch_one_in))
        return;
    if (sched.by_priority)
        self->priority = (uint32_t)rng_next(&sched.rng);
    switch_to(pick());
}

/* Until somebody makes it runnable; false: the deadline came first. */
static bool
block(const void *on, uint64_t deadline, const char *what)
{
    struct fiber *self = sched.current;
    self->state = BLOCKED;
    self->waits_for = on;
    self->deadline = deadline;
    self->timed_out = false;
    self->what = what;
    if (self == sched.client)
        sched.blocked_since = sched.now;
    switch_to(pick());
    self->waits_for = NULL;
    self->deadline = 0;
    return !self->timed_out;
}

static void
wake_all(const void *on)
{
    for (int i = 0; i < FIBERS_MAX; i++)
        if (sched.fibers[i].state == BLOCKED && sched.fibers[i].waits_for == on)
            sched.fibers[i].state = RUNNABLE;
}

uint64_t
sched_now(void)
{
    return sched.now;
}

void
sched_pass(uint64_t nano)
{
    sched.now += nano;
}

void
sched_sleep(uint64_t nano)
{
    (void)block(sched.current, sched.now + nano, "sleep");
}

static const char waiters; /* its address is what they wait for */

void
sched_wait_for(const bool *set)
{
    while (!*set)
        (void)block(&waiters, 0, "waiting for an answer");
}

void
sched_wake_waiters(void)
{
    wake_all(&waiters);
}

const char *
sched_name(void)
{
    return sched.current != NULL ? sched.current->name : "";
}

void
sched_free_values(void)
{
    free_values(sched.current);
}

void
sched_fail_create(uint64_t one_in)
{
    sched.create_fails_one_in = one_in;
}

uint64_t
sched_create_failures(void)
{
    return sched.create_failures;
}

/* What the linker gives us in place of the host's. */

struct mutex {
    uint64_t epoch;
    struct fiber *owner;
};
_Static_assert(sizeof(struct mutex) <= sizeof(pthread_mutex_t), "lives in its place");

static struct mutex *
mutex_of(pthread_mutex_t *real)
{
    struct mutex *mutex = (struct mutex *)real;
    if (mutex->epoch != sched.epoch)
        *mutex = (struct mutex){.epoch = sched.epoch};
    return mutex;
}

#define WRAP(name) __wrap_##name
int WRAP(pthread_create)(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);
int WRAP(pthread_join)(pthread_t, void **);
int WRAP(pthread_mutex_init)(pthread_mutex_t *, const pthread_mutexattr_t *);
int WRAP(pthread_mutex_destroy)(pthread_mutex_t *);
int WRAP(pthread_mutex_lock)(pthread_mutex_t *);
int WRAP(pthread_mutex_trylock)(pthread_mutex_t *);
int WRAP(pthread_mutex_unlock)(pthread_mutex_t *);
int WRAP(pthread_cond_init)(pthread_cond_t *, const pthread_condattr_t *);
int WRAP(pthread_cond_destroy)(pthread_cond_t *);
int WRAP(pthread_cond_wait)(pthread_cond_t *, pthread_mutex_t *);
int WRAP(pthread_cond_timedwait)(pthread_cond_t *, pthread_mutex_t *, const struct timespec *);
int WRAP(pthread_cond_signal)(pthread_cond_t *);
int WRAP(pthread_cond_broadcast)(pthread_cond_t *);
int WRAP(pthread_setname_np)(pthread_t, const char *);
int WRAP(pthread_key_create)(pthread_key_t *, void (*)(void *));
void *WRAP(pthread_getspecific)(pthread_key_t);
int WRAP(pthread_setspecific)(pthread_key_t, const void *);
int WRAP(clock_gettime)(clockid_t, struct timespec *);
ssize_t WRAP(getrandom)(void *, size_t, unsigned);
int WRAP(setpriority)(int, unsigned, int);
int WRAP(malloc_trim)(size_t);

int
WRAP(pthread_create)(pthread_t *ret, const pthread_attr_t *attr, void *(*run)(void *), void *arg)
{
    (void)attr;
    sched_point("pthread_create");
    if (rng_one_in(&sched.rng, sched.create_fails_one_in) || heap_is_out("a thread")) {
        sched.create_failures++;
        return EAGAIN;
    }
    struct fiber *fiber = new_fiber("thread", run, arg);
    *ret = (pthread_t)(uintptr_t)fiber;
    sched_point("pthread_create");
    return 0;
}

int
WRAP(pthread_join)(pthread_t thread, void **ret)
{
    struct fiber *fiber = (struct fiber *)(uintptr_t)thread;
    while (fiber->state != DONE)
        (void)block(fiber, 0, "pthread_join");
    if (ret != NULL)
        *ret = fiber->result;
    fiber->state = UNUSED;
    return 0;
}

int
WRAP(pthread_setname_np)(pthread_t thread, const char *name)
{
    (void)thread; /* always the caller's own */
    (void)snprintf(sched.current->name, sizeof sched.current->name, "%s", name);
    return 0;
}

int
WRAP(pthread_key_create)(pthread_key_t *ret, void (*free_value)(void *))
{
    SIM_CHECK(sched.key_count < KEYS_MAX, "more than %d keys", KEYS_MAX);
    sched.free_value[sched.key_count] = free_value;
    *ret = sched.key_count++;
    return 0;
}

void *
WRAP(pthread_getspecific)(pthread_key_t key)
{
    return sched.current->values[key];
}

int
WRAP(pthread_setspecific)(pthread_key_t key, const void *value)
{
    if (heap_is_out("pthread_setspecific"))
        return ENOMEM;
    sched.current->values[key] = (void *)value;
    return 0;
}

int
WRAP(pthread_mutex_init)(pthread_mutex_t *real, const pthread_mutexattr_t *attr)
{
    (void)attr;
    memset(real, 0, sizeof *real);
    return 0;
}

int
WRAP(pthread_mutex_destroy)(pthread_mutex_t *real)
{
    SIM_CHECK(mutex_of(real)->owner == NULL, "a locked mutex is destroyed");
    return 0;
}

int
WRAP(pthread_mutex_lock)(pthread_mutex_t *real)
{
    struct mutex *mutex = mutex_of(real);
    sched_point("pthread_mutex_lock");
    SIM_CHECK(mutex->owner != sched.current, "%s locks what it has locked", sched_name());
    while (mutex->owner != NULL)
        (void)block(mutex, 0, "pthread_mutex_lock");
    mutex->owner = sched.current;
    return 0;
}

int
WRAP(pthread_mutex_trylock)(pthread_mutex_t *real)
{
    struct mutex *mutex = mutex_of(real);
    sched_point("pthread_mutex_trylock");
    if (mutex->owner != NULL)
        return EBUSY;
    mutex->owner = sched.current;
    return 0;
}

static void
unlock(pthread_mutex_t *real)
{
    struct mutex *mutex = mutex_of(real);
    SIM_CHECK(mutex->owner == sched.current, "%s unlocks what it has not locked", sched_name());
    mutex->owner = NULL;
    wake_all(mutex);
}

int
WRAP(pthread_mutex_unlock)(pthread_mutex_t *real)
{
    unlock(real);
    sched_point("pthread_mutex_unlock");
    return 0;
}

int
WRAP(pthread_cond_init)(pthread_cond_t *cond, const pthread_condattr_t *attr)
{
    (void)attr; /* both clocks are one */
    memset(cond, 0, sizeof *cond);
    return 0;
}

int
WRAP(pthread_cond_destroy)(pthread_cond_t *cond)
{
    for (int i = 0; i < FIBERS_MAX; i++)
        SIM_CHECK(sched.fibers[i].state != BLOCKED || sched.fibers[i].waits_for != cond,
                  "%s waits for a condition that is destroyed", sched.fibers[i].name);
    return 0;
}

static int
cond_wait(pthread_cond_t *cond, pthread_mutex_t *mutex, uint64_t deadline, const char *what)
{
    bool in_time = true;
    unlock(mutex);
    if (deadline != 0 && deadline <= sched.now)
        in_time = false;
    else if (rng_one_in(&sched.rng, 64))
        sched_point(what); /* POSIX lets a wait end for no reason */
    else
        in_time = block(cond, deadline, what);
    (void)WRAP(pthread_mutex_lock)(mutex);
    return in_time ? 0 : ETIMEDOUT;
}

int
WRAP(pthread_cond_wait)(pthread_cond_t *cond, pthread_mutex_t *mutex)
{
    return cond_wait(cond, mutex, 0, "pthread_cond_wait");
}

int
WRAP(pthread_cond_timedwait)(pthread_cond_t *cond, pthread_mutex_t *mutex,
                             const struct timespec *until)
{
    uint64_t deadline = (uint64_t)until->tv_sec * SECOND_NANO + (uint64_t)until->tv_nsec;
    return cond_wait(cond, mutex, deadline, "pthread_cond_timedwait");
}

int
WRAP(pthread_cond_signal)(pthread_cond_t *cond)
{
    struct fiber *chosen = NULL;
    uint64_t count = 0;
    for (int i = 0; i < FIBERS_MAX; i++)
        if (sched.fibers[i].state == BLOCKED && sched.fibers[i].waits_for == cond &&
            rng_one_in(&sched.rng, ++count))
            chosen = &sched.fibers[i];
    if (chosen != NULL)
        chosen->state = RUNNABLE;
    sched_point("pthread_cond_signal");
    return 0;
}

int
WRAP(pthread_cond_broadcast)(pthread_cond_t *cond)
{
    wake_all(cond);
    sched_point("pthread_cond_broadcast");
    return 0;
}

int
WRAP(clock_gettime)(clockid_t clock, struct timespec *ret)
{
    (void)clock;
    *ret = (struct timespec){(time_t)(sched.now / SECOND_NANO), (long)(sched.now % SECOND_NANO)};
    return 0;
}

/* Seeds of hash tables: the same in every run, so that a seed means the same. */
ssize_t
WRAP(getrandom)(void *bytes, size_t size, unsigned flags)
{
    (void)flags;
    memset(bytes, 0x5A, size);
    return (ssize_t)size;
}

/* Without meaning here, and slow. */
int
WRAP(setpriority)(int which, unsigned who, int priority)
{
    (void)which;
    (void)who;
    (void)priority;
    return 0;
}

int
WRAP(malloc_trim)(size_t pad)
{
    (void)pad;
    return 0;
}
