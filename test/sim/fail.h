#ifndef SIM_FAIL_H
#define SIM_FAIL_H
/*
 * fail - how a simulation says what it does, and that it found something.
 */
#include <stdbool.h>
#include <stdint.h>

extern uint64_t sim_seed;
extern bool sim_verbose;

/* One line with the seed and how to replay it, then the end of the process. */
void sim_fail(const char *format, ...) __attribute__((noreturn, format(printf, 1, 2)));
/* A line of the story, when somebody wants to read it. */
void sim_say(const char *format, ...) __attribute__((format(printf, 1, 2)));

#define SIM_CHECK(condition, ...)                                                                  \
    do {                                                                                           \
        if (!(condition))                                                                          \
            sim_fail(__VA_ARGS__);                                                                 \
    } while (0)

#endif
