#ifndef TK_CLI_MCP_H
#define TK_CLI_MCP_H
/*
 * mcp - the Model Context Protocol (2025-06-18): this program's commands as tools of an assistant.
 *
 *   mcp.c        the command and its two transports: lines on stdin and stdout, or HTTP
 *   mcp_rpc.c    JSON-RPC 2.0: initialize, tools/list, tools/call, ping
 *   mcp_tools.c  the table of tools; a call runs this program again with the tool's command
 */
#include "cli/json_tree.h"

enum {
    TK_MCP_MESSAGE_MAX = 4 << 20, /* bytes of a request */
    TK_MCP_OUTPUT_MAX =
        1 << 20,               /* bytes of a tool's answer; the rest is cut off, and that is said */
    TK_MCP_CALL_SECONDS = 150, /* a call that takes longer is ended */
};

/*
 * Answers one JSON-RPC message into `out`, which stays empty when nobody waits for an answer (a
 * notification).  Runs a tool to its end.  Any thread.
 */
void tk_mcp_answer(tk_str message, struct tk_buf *out);

/* The array of tools as tools/list gives it. */
void tk_mcp_tools_json(struct tk_json_writer *json);
/*
 * Runs the tool `name` with `arguments` (an object) and appends what it printed to `out`.
 * TK_ERR_NOT_FOUND: no such tool.  TK_ERR_INPUT: an argument is missing, unknown or of another
 * type.  *ret_failed: it ran and failed; `out` says why.
 */
enum tk_err tk_mcp_tool_run(tk_str name, const struct tk_json_node *arguments, struct tk_buf *out,
                            bool *ret_failed, struct tk_error *err) TK_MUST_USE;

#endif
