#ifndef TK_STORE_THIN_H
#define TK_STORE_THIN_H
/*
 * thin - which traces stay as they grow old: deferred tail sampling.
 *
 * A step "0.1@3d" lets one trace in ten stay once it is three days old; which one, its id says: the
 * low 56 bits are random (W3C Trace Context level 2), and a trace stays when they are not below
 * the threshold, (1 - ratio) * 2^56.  So all parts of a trace agree, a later step keeps a part of
 * what an earlier one kept, and traces that were sampled on their way here by the same rule
 * (OpenTelemetry's consistent probability sampling) are not thinned twice.
 */
#include "trace/ids.h"

enum { TK_THIN_STEPS_MAX = 8, TK_THIN_DIGITS_MAX = 9 };
static const uint64_t TK_THIN_ALL = (uint64_t)1 << 56; /* a threshold that no id reaches */

struct tk_thin_step {
    uint64_t age_nano;
    uint64_t threshold;
};

/* "RATIO@TIME": 0 <= RATIO < 1 with at most 9 digits behind the point, TIME like 3d. */
bool tk_thin_parse(tk_str text, struct tk_thin_step *ret_step);
/* The threshold for what is so old: the greatest of the steps whose age it has reached; 0: all
   stay. */
uint64_t tk_thin_threshold(const struct tk_thin_step *steps, size_t count, uint64_t age_nano);
bool tk_thin_stays(uint64_t threshold, struct tk_trace_id id);

#endif
