#ifndef TK_BENCH_ROUND_H
#define TK_BENCH_ROUND_H
/*
 * round - request bodies made once and sent many times, never the same spans twice.
 *
 * A round is the traces of a while as requests: one body holds what one process gathered.  Each
 * sending of the round makes new everything that is unique in life, in place and at the same
 * length: trace and span ids, times, and of the attributes of spans and events every UUID, every
 * text that ends in eight digits and every integer of ten digits.  What such a value becomes
 * depends on itself and the sending alone, so links, parents and ids that several spans share
 * still match.  What repeats from sending to sending are choices (names, routes, users, small
 * numbers) and durations.
 *
 * Where all this stands is noted when a body is made; tk_round_copy() costs little beside a copy.
 */
#include "bench/generate.h"
#include "wire/wire.h"

enum { TK_ROUND_NEEDLE_SIZE = sizeof "user-00000042" - 1 };
enum { TK_ROUND_SPANS = 500000 };
extern const char tk_round_needle[TK_ROUND_NEEDLE_SIZE + 1]; /* an enduser.id */

struct tk_round_options {
    struct tk_generate_options generate;
    uint32_t spans;      /* about so many in a round, 0: TK_ROUND_SPANS */
    uint32_t body_spans; /* about so many in a full body, 0: 512 */
    enum tk_format format;
};

struct tk_body {
    uint64_t offset; /* in bytes */
    uint32_t len;
    uint32_t span_count;
    uint64_t patch_begin;
    uint32_t patch_count;
    uint32_t user;     /* the first patch that is an enduser.id, + 1; 0: there is none */
    uint64_t end_nano; /* of the span that ends last */
};

struct tk_round_trace {
    struct tk_trace_id id;
    uint32_t span_count;
};

struct tk_round {
    char *bytes;
    struct tk_body *bodies;
    uint32_t *patches; /* kind << 28 | offset in the body */
    struct tk_round_trace *traces;
    uint32_t body_count, trace_count;
    uint32_t body_len_max;
    uint64_t byte_count, patch_count, span_count;
    uint64_t start_nano, length_nano; /* of the traces' starts */
    /* private */
    enum tk_format _format;
    uint64_t _byte_capacity, _body_capacity, _patch_capacity, _trace_capacity;
};

struct tk_sending {
    uint64_t number;     /* another one makes other ids and values */
    uint64_t start_nano; /* when the round's first trace starts */
    bool needle;         /* one enduser.id, if there is one, becomes tk_round_needle */
};

enum tk_err tk_round_make(struct tk_round *round,
                          const struct tk_round_options *options) TK_MUST_USE;
void tk_round_release(struct tk_round *round);
/* Writes body->len bytes to `to`. */
void tk_round_copy(const struct tk_round *round, const struct tk_body *body,
                   const struct tk_sending *sending, char *to);
/* The id that a trace of the round has in this sending. */
struct tk_trace_id tk_round_trace_id(const struct tk_round *round, uint32_t trace,
                                     const struct tk_sending *sending);

#endif
