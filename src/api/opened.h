#ifndef TK_API_OPENED_H
#define TK_API_OPENED_H
/*
 * opened - a trace as the page needs it, assembled: spans without their attributes, tree, services.
 *
 * Who opens a long trace asks for its first rows, then for all of them, then again.  So the last
 * long one is kept, as long as the store has nothing else of it (tk_store_stamp), if all of it
 * could be read.
 *
 * Ownership: an opened trace is counted and never changed.  Threads: any.
 */
#include "query/assemble.h"
#include "store/store.h"

#include <pthread.h>
#include <stdatomic.h>

enum { TK_OPENED_KEPT_MIN = 10000 }; /* spans; shorter ones are assembled sooner than looked for */

struct tk_opened {
    struct tk_batch *spans;
    struct tk_tree tree;
    struct tk_trace_services services;
    struct tk_arena _arena;
    atomic_uint _references;
    uint32_t _project;
    struct tk_trace_id _id;
    uint64_t _stamp;
    bool _damaged; /* some of it could not be read: maybe it can the next time */
};

/* The one that is kept. */
struct tk_opened_last {
    size_t max; /* bytes that it may take */
    pthread_mutex_t _lock;
    struct tk_opened *_trace; /* NULL: none */
};

void tk_opened_last_init(struct tk_opened_last *last, size_t max);
void tk_opened_last_release(struct tk_opened_last *last);
/* The project is deleted: nothing of it is kept. */
void tk_opened_forget(struct tk_opened_last *last, uint32_t project);

/* The project's trace, to be let go by tk_opened_release; errors as of tk_store_find. */
enum tk_err tk_opened_find(struct tk_opened_last *last, struct tk_store *store, uint32_t project,
                           struct tk_trace_id id, struct tk_opened **ret_opened,
                           struct tk_error *err) TK_MUST_USE;
void tk_opened_release(struct tk_opened *opened);        /* NULL is fine */
size_t tk_opened_memory(const struct tk_opened *opened); /* bytes that it holds */

#endif
