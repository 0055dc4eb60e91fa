#ifndef TK_CLI_PORTION_H
#define TK_CLI_PORTION_H
/*
 * portion - a batch in parts of about a MiB: a trace of a million spans is many documents, which
 * import puts together again.
 */
#include "trace/batch.h"

enum { TK_PORTION_BYTES = 1 << 20 };

/* How many rows from `begin` on make one: at least one row; 0: there is none left. */
uint32_t tk_portion_rows(const struct tk_batch *batch, uint32_t begin);

#endif
