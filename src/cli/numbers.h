#ifndef TK_CLI_NUMBERS_H
#define TK_CLI_NUMBERS_H
/* numbers - GET /api/v1/metrics on a terminal: a line for each series, drawn over time. */
#include "cli/cli.h"
#include "cli/json_tree.h"

/* Something was found: false when no series has a number. */
bool tk_cli_print_numbers(const struct tk_json_node *answer);
/* "  key=value  key=value" of an object. */
void tk_cli_fields(const struct tk_json_node *object, struct tk_buf *to);

#endif
