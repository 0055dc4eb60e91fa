#ifndef TK_BENCH_GENERATE_H
#define TK_BENCH_GENERATE_H
/*
 * generate - realistic traces from a seed: the same seed and options make the same spans, in the
 * same order, everywhere.
 *
 * A trace begins with a request to a gateway and spreads through services by HTTP, into databases
 * and over a message queue.  Resources have 20 attributes, spans 8 to 12, ids and UUIDs among them;
 * some requests fail with an exception; consumers link to their producers.
 */
#include "trace/batch.h"

struct tk_generate_options {
    uint64_t seed;
    uint32_t services;   /* 0: 12 */
    uint32_t instances;  /* of each service; 0: 3 */
    uint32_t depth_max;  /* services behind each other in a trace; 0: 4 */
    uint32_t error_in;   /* one in so many requests fails; 0: 50 */
    uint64_t start_nano; /* of the first trace; 0: 2026-01-01 */
    uint64_t step_nano;  /* from one trace to the next; 0: 1 ms */
};

struct tk_generate {
    struct tk_generate_options options;
    uint64_t random;
    uint64_t now_nano;
    struct tk_batch *_batch;
    uint32_t *_resources; /* [services * instances]: index in _batch + 1, 0 = not yet */
    enum tk_err _code;
};

enum tk_err tk_generate_init(struct tk_generate *generate,
                             const struct tk_generate_options *options) TK_MUST_USE;
void tk_generate_release(struct tk_generate *generate);
/* Whole traces into an empty batch, until it has at least `span_count` spans. */
enum tk_err tk_generate_spans(struct tk_generate *generate, uint32_t span_count,
                              struct tk_batch *batch) TK_MUST_USE;

#endif
