#ifndef TK_BENCH_LOAD_H
#define TK_BENCH_LOAD_H
/*
 * load - sends rounds of spans (round.h) to any OTLP receiver, and says how many were acknowledged
 * and how soon.
 *
 * One thread, sockets that do not block, one request at a time on each connection.  Without a rate
 * each connection sends again as soon as it was answered; with one requests fall due at even times,
 * and latency counts from then, so that a stall cannot hide itself.  A request that is refused for
 * now (429, 503; RESOURCE_EXHAUSTED, UNAVAILABLE) is sent again 100 ms later, is counted, and its
 * latency goes on.  Anything else but an acknowledgement of every span is a failure.
 *
 * Times: with a rate, the present.  Without, the spans are dated as if 10,000 had come every
 * second: so that they end about now when their number is given, or from an hour ago on.
 *
 * Compressed bodies are made before the load begins, for all of it: so their number must be given.
 */
#include "bench/round.h"

enum { TK_LOAD_CONNECTIONS_MAX = 256 };

struct tk_load_options {
    const char *url; /* http://HOST:PORT */
    const char *key; /* NULL: none */
    struct tk_round_options round;
    enum tk_encoding encoding;
    bool grpc;
    uint64_t spans;   /* about so many, in whole rounds; 0: see seconds */
    uint64_t seconds; /* 0: see spans */
    uint64_t rate;    /* spans a second; 0: all it takes */
    uint64_t connections;
    uint64_t run;     /* below 2^32; another number makes other ids and values */
    uint64_t needles; /* so many traces, spread over all spans, get tk_round_needle; needs spans */
};

struct tk_load_result {
    uint64_t spans; /* acknowledged */
    uint64_t sent_bytes, requests, refused, failed, needles;
    uint64_t rounds; /* begun */
    double seconds;  /* from the first request to the last answer */
    double ack_p50_ms, ack_p99_ms, ack_max_ms;
    char failure[256]; /* the first one; "" */
};

struct tk_load; /* holds the round after the run, for tk_load_trace */

enum tk_err tk_load_new(struct tk_load **ret_load, const struct tk_load_options *options,
                        struct tk_error *err) TK_MUST_USE;
void tk_load_free(struct tk_load *load);
enum tk_err tk_load_run(struct tk_load *load, struct tk_load_result *ret_result,
                        struct tk_error *err) TK_MUST_USE;
/* The trace number `index` of what was sent, in whole rounds; false beyond the last. */
bool tk_load_trace(const struct tk_load *load, uint64_t index, struct tk_trace_id *ret_id,
                   uint32_t *ret_span_count);
uint64_t tk_load_trace_count(const struct tk_load *load);

#endif
