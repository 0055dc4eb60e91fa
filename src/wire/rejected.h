#ifndef TK_WIRE_REJECTED_H
#define TK_WIRE_REJECTED_H
/* rejected - counts spans that are left out and keeps the first reason, for all decoders. */
#include "wire/wire.h"

/* `place` is the path to the span in its body, `name` its name (valid UTF-8). */
void tk_rejected_add(struct tk_rejected *rejected, const char *place, tk_str name,
                     const char *reason);

/* NULL when the times are good (batch.h, invariant 4), or what is wrong with them. */
const char *tk_rejected_times(uint64_t start_nano, uint64_t end_nano);

#endif
