#ifndef TK_API_KEEP_H
#define TK_API_KEEP_H
/*
 * keep - `--keep` and `--thin`: what stays of old traces, as the store takes it.
 */
#include "query/plan.h"
#include "store/store.h"

struct tk_keep; /* the rule, compiled */

/*
 * `thin`: steps like "0.1@3d".  `rule`: the traces that stay whole: TraceQL or shorthand, and
 * shorthand words may be joined by `||` here; NULL or empty: none.  *ret_keep must live as long as
 * the store that is given *ret_thinning.  TK_ERR_INPUT says what is wrong.
 */
enum tk_err tk_keep_new(const char *rule, const char *const *thin, size_t thin_count,
                        struct tk_keep **ret_keep, struct tk_store_thinning *ret_thinning,
                        struct tk_error *err) TK_MUST_USE;
void tk_keep_free(struct tk_keep *keep); /* NULL is fine */

#endif
