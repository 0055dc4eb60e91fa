/*
 * sim - simulations of the embedded store, each from a seed.
 *
 *   sim --seeds N [--from SEED]    so many, in a row; says which failed
 *   sim --seed N                   one, with its story
 *   sim --oom                      a script of the store, its allocations refused one at a time:
 *                                  once, and with all behind it
 *   sim --oom-answers              the same for decoding, queries and answers
 *   sim --oom --seed N             one of those, with its story
 *   --step N                       only every Nth
 *
 * Seeds run in child processes, so that one that crashes is a finding like any other.
 */
#include "fail.h"
#include "heap.h"
#include "sched.h"
#include "world.h"

#include "base/log.h"

#include <inttypes.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum { SEED_SECONDS = 120, FAILURES_MAX = 20 };

uint64_t sim_seed;
bool sim_verbose;

void
sim_fail(const char *format, ...)
{
    va_list args;
    printf("seed %" PRIu64 ": ", sim_seed);
    va_start(args, format);
    vprintf(format, args);
    va_end(args);
    printf("\n");
    fflush(stdout);
    if (getenv("SIM_ABORT") != NULL)
        abort();
    _exit(1);
}

void
sim_say(const char *format, ...)
{
    va_list args;
    if (!sim_verbose)
        return;
    printf("%9.3f ", (double)(sched_now() % (1000000 * (uint64_t)SECOND_NANO)) / SECOND_NANO);
    va_start(args, format);
    vprintf(format, args);
    va_end(args);
    printf("\n");
}

/* The code under test logs into our story. */
void __wrap_tk_log(enum tk_log_level level, const char *module, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

void
__wrap_tk_log(enum tk_log_level level, const char *module, const char *format, ...)
{
    char line[1024];
    va_list args;
    (void)level;
    (void)module;
    if (!sim_verbose)
        return;
    va_start(args, format);
    (void)vsnprintf(line, sizeof line, format, args);
    va_end(args);
    sim_say("    log: %s", line);
}

/* What is run from one number: false when there is none of that number any more. */
typedef bool (*simulation)(uint64_t number);

static bool
run_seed(uint64_t seed)
{
    world_run(seed);
    return true;
}

/* Even numbers: one allocation is refused; odd ones: all behind it, too. */
static bool
refuse(bool (*script)(uint64_t n, bool forever), bool over[2], uint64_t number)
{
    over[number % 2] = over[number % 2] || !script(number / 2 + 1, number % 2 != 0);
    return !over[0] || !over[1];
}

static bool
run_refusal(uint64_t number)
{
    static bool over[2];
    return refuse(world_run_refused, over, number);
}

static bool
run_answers_refusal(uint64_t number)
{
    static bool over[2];
    return refuse(answers_run_refused, over, number);
}

static bool
run_one(simulation run, uint64_t number)
{
    sim_seed = number;
    (void)alarm(SEED_SECONDS);
    bool more = run(number);
    (void)alarm(0);
    return more;
}

struct progress {
    uint64_t passed;
    bool over;
};

/* From `from` on, by `step`, until one fails, `count` are done, or there is no more. */
static struct progress
run_until_failure(simulation run, uint64_t from, uint64_t step, uint64_t count)
{
    int status = 0;
    struct progress *shared =
        mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shared == MAP_FAILED)
        abort();
    *shared = (struct progress){0};
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        while (!shared->over && run_one(run, from + shared->passed * step))
            shared->over = ++shared->passed == count;
        shared->over = true;
        fflush(stdout);
        _exit(0);
    }
    if (child < 0 || waitpid(child, &status, 0) != child)
        abort();
    struct progress progress = *shared;
    (void)munmap(shared, sizeof *shared);
    if (!progress.over && WIFSIGNALED(status))
        printf("seed %" PRIu64 ": killed by signal %d (%s)\n", from + progress.passed * step,
               WTERMSIG(status), strsignal(WTERMSIG(status)));
    return progress;
}

static int
run_many(simulation run, uint64_t from, uint64_t step, uint64_t count, const char *how_to_replay)
{
    uint64_t passed = 0, failed = 0;
    while (passed + failed < count && failed < FAILURES_MAX) {
        uint64_t done = passed + failed, first = from + done * step;
        struct progress progress = run_until_failure(run, first, step, count - done);
        passed += progress.passed;
        if (progress.over)
            break;
        failed++;
        uint64_t number = first + progress.passed * step;
        printf("seed %" PRIu64 " failed; replay it: %s %" PRIu64 "\n", number, how_to_replay,
               number);
    }
    printf("%" PRIu64 " passed, %" PRIu64 " failed\n", passed, failed);
    return failed > 0;
}

static int
usage(void)
{
    fprintf(stderr,
            "usage: sim --seeds N [--from SEED] [--step N] |\n"
            "           [--oom | --oom-answers] --seed N | --oom | --oom-answers [--step N]\n");
    return 2;
}

int
main(int argc, char **argv)
{
    uint64_t from = 0, step = 1, count = 0, seed = 0;
    bool one = false, oom = false;
    simulation run = run_seed;
    for (int i = 1; i < argc; i++) {
        if (strncmp(argv[i], "--oom", 5) == 0) {
            run = argv[i][5] == '\0' ? run_refusal : run_answers_refusal;
            oom = true;
            continue;
        }
        if (i + 1 == argc)
            return usage();
        uint64_t value = strtoull(argv[++i], NULL, 10);
        if (strcmp(argv[i - 1], "--from") == 0)
            from = value;
        else if (strcmp(argv[i - 1], "--step") == 0)
            step = value;
        else if (strcmp(argv[i - 1], "--seeds") == 0)
            count = value;
        else if (strcmp(argv[i - 1], "--seed") == 0)
            seed = value, one = true;
        else
            return usage();
    }
    if (!one && oom)
        return run_many(run, from, step, UINT64_MAX, "sim --oom[-answers] --seed");
    if (!one)
        return count > 0 ? run_many(run, from, step, count, "./dev test --seed") : usage();
    sim_verbose = true;
    (void)run_one(run, seed);
    printf("seed %" PRIu64 " passes\n", seed);
    return 0;
}
