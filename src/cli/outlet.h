#ifndef TK_CLI_OUTLET_H
#define TK_CLI_OUTLET_H
/*
 * outlet - where imported spans go: a server, or a store that this process has open.
 *
 * Spans of many small documents leave together, those of a large one in portions, always as OTLP
 * protobuf, so that neither a server's --max-body nor one sync a document stands in the way.
 */
#include "cli/local.h"
#include "cli/remote.h"

struct tk_outlet;

/* One of `remote` and `local` is NULL; the other must live as long as the outlet. */
struct tk_outlet *tk_outlet_new(struct tk_remote *remote, struct tk_local *local) TK_MUST_USE;
/* Copies what it needs. What went wrong, with these spans or earlier ones, is said on stderr. */
enum tk_exit tk_outlet_add(struct tk_outlet *outlet, const struct tk_batch *batch) TK_MUST_USE;
/* Good: everything that was added is durable. */
enum tk_exit tk_outlet_finish(struct tk_outlet *outlet, uint64_t *ret_rejected) TK_MUST_USE;
void tk_outlet_free(struct tk_outlet *outlet); /* NULL is fine; waits for what is under way */

#endif
