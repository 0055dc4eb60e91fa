#ifndef TK_API_ARRIVALS_H
#define TK_API_ARRIVALS_H
/*
 * arrivals - which traces requests bring spans of, for those who wait for them (tail.h).
 *
 * A request notes its traces while it still has them, and adds what it noted once they are stored;
 * whoever waits takes what came since the last time.  What does not fit is counted, never dropped
 * in silence.  Projects that nobody watches cost nothing.
 *
 * Threads: a note is its request's; all else is guarded by the caller's lock.
 */
#include "trace/batch.h"

enum {
    TK_ARRIVALS_MAX = 16 << 10,           /* traces between two takes */
    TK_ARRIVALS_OF_REQUEST_MAX = 1 << 10, /* ... of one request */
    TK_WATCHERS_MAX = 64,
};

/* The traces that one request has spans of. */
struct tk_arrivals_note {
    struct tk_trace_id *ids; /* in the request's arena */
    uint32_t count;
    uint32_t left_out; /* those beyond TK_ARRIVALS_OF_REQUEST_MAX; some perhaps counted twice */
};

struct tk_arrival {
    uint32_t project;
    struct tk_trace_id id;
};

/* A project that somebody watches. */
struct tk_watched {
    uint32_t project, watchers;
    uint64_t left_out; /* arrivals that did not fit */
};

struct tk_arrivals {
    struct tk_arrival arrival[TK_ARRIVALS_MAX];
    uint32_t count;
    struct tk_watched watched[TK_WATCHERS_MAX];
};

void tk_arrivals_note(const struct tk_batch *batch, struct tk_arena *arena,
                      struct tk_arrivals_note *ret_note);
void tk_arrivals_add(struct tk_arrivals *arrivals, uint32_t project,
                     const struct tk_arrivals_note *note);
/* At most TK_WATCHERS_MAX in all: the caller counts them. */
void tk_arrivals_watch(struct tk_arrivals *arrivals, uint32_t project);
void tk_arrivals_unwatch(struct tk_arrivals *arrivals, uint32_t project);
/* Moves what came to *ret_taken; tk_arrivals_sort makes that ready to be read. */
void tk_arrivals_take(struct tk_arrivals *arrivals, struct tk_arrivals *ret_taken);
void tk_arrivals_sort(struct tk_arrivals *taken);
/* Of a project: its traces, each once, and how many were left out. */
const struct tk_arrival *tk_arrivals_of(const struct tk_arrivals *taken, uint32_t project,
                                        uint32_t *ret_count, uint64_t *ret_left_out);

#endif
