#ifndef TK_BENCH_GENERATE_H
#define TK_BENCH_GENERATE_H
/*
 * generate - realistic traces from a seed: the same seed and options make the same spans, in the
 * same order, everywhere.
 *
 * A trace begins with a request to a gateway and spreads through services by HTTP, into databases
 * and over a message queue; it has 1 to 200 spans, 10 in the mean.  Each service runs as several
 * processes, and each process gathers its own spans, children before their parents, as SDKs do: so
 * a trace lies in as many batches as processes took part in it.  Resources have 20 attributes,
 * spans 8 to 12, with UUIDs, ids and numbers among them that no other span has; some requests fail
 * with an exception; consumers link to their producers.
 */
#include "trace/batch.h"

enum { TK_GENERATE_TRACE_SPANS_MAX = 10000000 };

struct tk_generate_options {
    uint64_t seed;
    uint32_t services;    /* 0: 30 */
    uint32_t instances;   /* processes of each service; 0: 8 */
    uint32_t error_in;    /* one in so many requests fails; 0: 50 */
    uint32_t trace_spans; /* exactly so many in a trace; 0: 1 to 200, 10 in the mean */
    uint64_t start_nano;  /* of the first trace; 0: 2026-01-01 */
    uint64_t step_nano;   /* from one trace to the next; 0: 1 ms */
};

struct tk_generate {
    struct tk_generate_options options;
    uint64_t random;
    uint64_t now_nano; /* when the next trace starts */
    uint32_t process_count;
    struct tk_batch **processes; /* owned; what each gathered; clear them as you like */
    struct tk_batch *_batch;     /* where attributes go */
    struct tk_trace_id _trace_id;
    char _request_id[40]; /* a UUID, of the whole trace */
    uint32_t _left;       /* spans that the trace may still have */
    enum tk_err _code;
};

enum tk_err tk_generate_init(struct tk_generate *generate,
                             const struct tk_generate_options *options) TK_MUST_USE;
void tk_generate_release(struct tk_generate *generate);
/* One more trace into the processes' batches. */
enum tk_err tk_generate_trace(struct tk_generate *generate, struct tk_trace_id *ret_trace_id,
                              uint32_t *ret_span_count) TK_MUST_USE;

#endif
