/* mcp_rpc - JSON-RPC 2.0 as the Model Context Protocol uses it; see mcp.h. */
#include "cli/mcp.h"

enum {
    PARSE_ERROR = -32700,
    INVALID_REQUEST = -32600,
    METHOD_NOT_FOUND = -32601,
    INVALID_PARAMS = -32602,
    INTERNAL_ERROR = -32603,
};

/* What a client may ask for that speaks the same of what is used here; the first is the newest. */
static const char *const versions[] = {"2025-06-18", "2025-03-26", "2024-11-05"};

static void
begin(struct tk_json_writer *json, const struct tk_json_node *id)
{
    tk_json_object(json);
    tk_json_key(json, TK_STR("jsonrpc"));
    tk_json_string(json, TK_STR("2.0"));
    tk_json_key(json, TK_STR("id"));
    if (id != NULL && id->type == TK_JSON_STRING)
        tk_json_string(json, id->text);
    else if (id != NULL && id->type == TK_JSON_NUMBER)
        tk_json_raw(json, id->text);
    else
        tk_json_null(json);
}

static void
fail(struct tk_json_writer *json, const struct tk_json_node *id, int code, const char *message)
{
    begin(json, id);
    tk_json_key(json, TK_STR("error"));
    tk_json_object(json);
    tk_json_key(json, TK_STR("code"));
    tk_json_int(json, code);
    tk_json_key(json, TK_STR("message"));
    tk_json_string(json, tk_str_from(message));
    tk_json_object_end(json);
    tk_json_object_end(json);
}

static void
initialize(struct tk_json_writer *json, const struct tk_json_node *params)
{
    tk_str asked = tk_json_get_str(params, "protocolVersion");
    const char *version = versions[0];
    for (size_t i = 0; i < sizeof versions / sizeof *versions; i++)
        if (tk_str_eq(asked, tk_str_from(versions[i])))
            version = versions[i];
    tk_json_object(json);
    tk_json_key(json, TK_STR("protocolVersion"));
    tk_json_string(json, tk_str_from(version));
    tk_json_key(json, TK_STR("capabilities"));
    tk_json_raw(json, TK_STR("{\"tools\":{}}"));
    tk_json_key(json, TK_STR("serverInfo"));
    tk_json_raw(json, TK_STR("{\"name\":\"tracekit\",\"title\":\"TraceKit\",\"version\":"
                             "\"" TK_VERSION "\"}"));
    tk_json_key(json, TK_STR("instructions"));
    tk_json_string(json, TK_STR("Distributed traces of the services that send to this server. "
                                "Search first, then open a trace by its id; verify proves a set-up "
                                "with one request."));
    tk_json_object_end(json);
}

static void
call_tool(struct tk_json_writer *json, const struct tk_json_node *id,
          const struct tk_json_node *params)
{
    struct tk_error err = {0};
    struct tk_buf text;
    bool failed = false;
    tk_buf_init(&text, TK_MCP_OUTPUT_MAX + 4096);
    enum tk_err result = tk_mcp_tool_run(tk_json_get_str(params, "name"),
                                         tk_json_get(params, "arguments"), &text, &failed, &err);
    if (result != TK_OK) {
        bool input = result == TK_ERR_INPUT || result == TK_ERR_NOT_FOUND;
        fail(json, id, input ? INVALID_PARAMS : INTERNAL_ERROR, err.message);
    } else {
        begin(json, id);
        tk_json_key(json, TK_STR("result"));
        tk_json_object(json);
        tk_json_key(json, TK_STR("content"));
        tk_json_array(json);
        tk_json_object(json);
        tk_json_key(json, TK_STR("type"));
        tk_json_string(json, TK_STR("text"));
        tk_json_key(json, TK_STR("text"));
        tk_json_string(json, tk_buf_str(&text));
        tk_json_object_end(json);
        tk_json_array_end(json);
        tk_json_key(json, TK_STR("isError"));
        tk_json_bool(json, failed);
        tk_json_object_end(json);
        tk_json_object_end(json);
    }
    tk_buf_release(&text);
}

static void
answer(struct tk_json_writer *json, const struct tk_json_node *request)
{
    const struct tk_json_node *id = tk_json_get(request, "id");
    const struct tk_json_node *params = tk_json_get(request, "params");
    tk_str method = tk_json_get_str(request, "method");
    bool waits = id->type == TK_JSON_STRING || id->type == TK_JSON_NUMBER;
    if (request->type != TK_JSON_OBJECT || method.len == 0 ||
        !tk_str_eq(tk_json_get_str(request, "jsonrpc"), TK_STR("2.0"))) {
        fail(json, id, INVALID_REQUEST, "expected one JSON-RPC 2.0 request");
        return;
    }
    if (!waits) /* notifications/initialized and the like */
        return;
    if (tk_str_eq(method, TK_STR("tools/call"))) {
        call_tool(json, id, params);
        return;
    }
    bool is_initialize = tk_str_eq(method, TK_STR("initialize"));
    bool is_list = tk_str_eq(method, TK_STR("tools/list"));
    if (!is_initialize && !is_list && !tk_str_eq(method, TK_STR("ping"))) {
        fail(json, id, METHOD_NOT_FOUND,
             "the methods are initialize, ping, tools/list, tools/call");
        return;
    }
    begin(json, id);
    tk_json_key(json, TK_STR("result"));
    if (is_initialize) {
        initialize(json, params);
    } else {
        tk_json_object(json);
        if (is_list) {
            tk_json_key(json, TK_STR("tools"));
            tk_mcp_tools_json(json);
        }
        tk_json_object_end(json);
    }
    tk_json_object_end(json);
}

void
tk_mcp_answer(tk_str message, struct tk_buf *out)
{
    struct tk_error err = {0};
    struct tk_json_node *request;
    struct tk_json_writer json;
    struct tk_arena arena;
    tk_arena_init(&arena, 4096, (size_t)TK_MCP_MESSAGE_MAX * 16);
    tk_json_writer_init(&json, out);
    enum tk_err result = message.len <= TK_MCP_MESSAGE_MAX
                             ? tk_json_tree_parse(message, &arena, &request, &err)
                             : tk_error_set(&err, TK_ERR_LIMIT, "a message has at most %d bytes",
                                            TK_MCP_MESSAGE_MAX);
    if (result == TK_OK)
        answer(&json, request);
    else
        fail(&json, NULL, PARSE_ERROR, err.message[0] != '\0' ? err.message : tk_err_text(result));
    tk_arena_release(&arena);
}
