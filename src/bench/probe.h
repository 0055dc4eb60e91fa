#ifndef TK_BENCH_PROBE_H
#define TK_BENCH_PROBE_H
/*
 * probe - how long a span, once acknowledged, cannot be found.
 *
 * Sends one span with a value that no other has, and from its acknowledgement on searches for that
 * value until the answer holds its trace.  What counts is from acknowledged to the end of the
 * search that found it, so it is the time of a search over all that is stored, at least.
 */
#include "base/bytes.h"

struct tk_probe_options {
    const char *url;
    const char *send_key, *read_key; /* NULL: none */
    uint64_t count;                  /* probes, one after the other */
    uint64_t pause_ms;               /* between two */
};

struct tk_probe_result {
    uint64_t count;
    double found_p50_ms, found_p99_ms, found_max_ms;
};

/* Blocks, on a thread of its own or not.  TK_ERR_TIMEOUT: not found within ten seconds. */
enum tk_err tk_probe_run(const struct tk_probe_options *options, struct tk_probe_result *ret_result,
                         struct tk_error *err) TK_MUST_USE;

#endif
