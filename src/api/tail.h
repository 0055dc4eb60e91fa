#ifndef TK_API_TAIL_H
#define TK_API_TAIL_H
/*
 * tail - GET /api/v1/tail: who asks hears of traces as they arrive, as server-sent events.
 *
 * Ingest notes which traces a request brings spans of, and tells once they are stored.  One thread,
 * `tk-tail`, collects them for TK_TAIL_INTERVAL_MS, looks each trace up as it is then, asks each
 * query, and writes.  So a trace is sent when its first spans match, and again whenever it grows: a
 * reader replaces what it has by traceId.  Nothing is remembered of what was sent.
 *
 * Nobody waits for a slow reader: what it has no room for is dropped, and counted as soon as there
 * is room again.  So is what arrives faster than it can be looked up (arrivals.h).  A tail ends by
 * itself after TK_TAIL_SECONDS_MAX, so that a revoked key hears no more; an EventSource comes back
 * on its own.
 *
 *     event: trace      data: Summary (api.md)
 *     event: dropped    data: {"traceCount":n}     since the last of these
 *     : heartbeat                                  every TK_TAIL_HEARTBEAT_SECONDS of silence
 *
 * Threads: any, but for stop and free.
 */
#include "api/arrivals.h"
#include "store/store.h"

struct tk_tails;

enum {
    TK_TAILS_MAX = TK_WATCHERS_MAX, /* at one time, over all projects; then 503 */
    TK_TAIL_SECONDS_MAX = 600,
    TK_TAIL_HEARTBEAT_SECONDS = 5, /* two, and a reader that left is noticed */
    TK_TAIL_INTERVAL_MS = 200,
    TK_TAIL_WAITING_MAX = 256 << 10, /* bytes that one reader has not read yet */
};

enum tk_err tk_tails_new(struct tk_store *store, struct tk_env *env, struct tk_tails **ret_tails,
                         struct tk_error *err) TK_MUST_USE;
/* Ends all, and takes no more. */
void tk_tails_stop(struct tk_tails *tails);
void tk_tails_free(struct tk_tails *tails); /* after stop; NULL is fine */

/* Costs nothing while nobody tails.  Before the batch is the store's; then, once it is stored. */
void tk_tails_note(struct tk_tails *tails, const struct tk_batch *batch, struct tk_arena *arena,
                   struct tk_arrivals_note *ret_note);
void tk_tails_arrived(struct tk_tails *tails, uint32_t project,
                      const struct tk_arrivals_note *note);

#endif
