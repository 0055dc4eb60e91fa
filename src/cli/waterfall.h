#ifndef TK_CLI_WATERFALL_H
#define TK_CLI_WATERFALL_H
/*
 * waterfall - one trace drawn in a terminal, from the API's rows.
 *
 *   Service                     Timeline                                      Duration
 *   React Frontend              |========================================|    420ms
 *     fetch /api/users          | =====================================  |    380ms
 */
#include "cli/cli.h"
#include "cli/json_tree.h"

/* `trace` is what GET /api/v1/traces/{id} answers.  A span whose parent is `known_parent` (hex; or
   the empty view) is not called an orphan.  False: out of memory, nothing drawn. */
bool tk_cli_waterfall(const struct tk_json_node *trace, tk_str known_parent,
                      struct tk_arena *arena) TK_MUST_USE;

#endif
