/*
 * columns - GET /api/v1/traces/{traceId}/columns and .../spans/{spanId}: a trace of any size for a
 * page, row by row in binary columns, and one span of it in full.
 */
#include "api/private.h"
#include "api/trace_columns.h"
#include "api/trace_json.h"

enum {
    ARENA_CHUNK = 64 << 10,
    ARENA_MAX = 1 << 30, /* rows and columns of the largest trace */
};

static bool
param_number(struct tk_call *call, tk_str name, uint32_t *ret_number)
{
    tk_str text = tk_request_param(call->request, name);
    uint64_t number = 0;
    if (text.ptr != NULL && (!tk_str_to_u64(text, &number) || number > UINT32_MAX)) {
        tk_reply_problem(call, 400, "Bad window", "%.*s must be a number from 0 to 4294967295",
                         TK_STR_ARG(name));
        return false;
    }
    *ret_number = (uint32_t)number;
    return true;
}

static bool
param_window(struct tk_call *call, struct tk_columns_window *ret_window)
{
    struct tk_columns_window window = {0};
    tk_str view = tk_request_param(call->request, TK_STR("view"));
    window.tree = tk_str_eq(view, TK_STR("tree"));
    if (view.ptr != NULL && !window.tree && !tk_str_eq(view, TK_STR("services"))) {
        tk_reply_problem(call, 400, "Bad view", "view must be services or tree");
        return false;
    }
    window.ids = tk_str_eq(tk_request_param(call->request, TK_STR("ids")), TK_STR("1"));
    if (!param_number(call, TK_STR("offset"), &window.offset) ||
        !param_number(call, TK_STR("limit"), &window.limit))
        return false;
    *ret_window = window;
    return true;
}

static bool
param_trace_id(struct tk_call *call, struct tk_trace_id *ret_id)
{
    if (tk_trace_id_parse(call->args[0], ret_id))
        return true;
    tk_reply_problem(call, 400, "Bad trace id", "a trace id is 32 hex digits, not all zero");
    return false;
}

static void
refuse(struct tk_call *call, enum tk_err result, const struct tk_error *err)
{
    if (result == TK_ERR_NOT_FOUND)
        tk_reply_problem(call, 404, "No such trace", "no span of trace %.*s has arrived",
                         TK_STR_ARG(call->args[0]));
    else
        tk_reply_error(call, result, err);
}

/* The trace's spans in a new batch, or NULL: replied. */
static struct tk_batch *
find(struct tk_call *call, struct tk_trace_id id, const struct tk_store_want *want)
{
    struct tk_store_view *view;
    struct tk_error err = {.message = ""};
    struct tk_batch *trace = tk_batch_new();
    enum tk_err result = TK_ERR_MEMORY;
    if (trace != NULL)
        result = tk_store_view_open(tk_api_options(call->api)->store, call->identity.project_id,
                                    &view, &err);
    if (result == TK_OK) {
        result = tk_store_find(view, id, want, trace, &err);
        tk_store_view_close(view);
    }
    if (result == TK_OK)
        return trace;
    tk_batch_free(trace);
    refuse(call, result, &err);
    return NULL;
}

void
tk_route_trace_columns(struct tk_call *call)
{
    struct tk_columns_window window;
    struct tk_opened *trace;
    struct tk_trace_id id;
    struct tk_error err = {.message = ""};
    struct tk_arena arena;
    struct tk_buf body;
    if (!param_trace_id(call, &id) || !param_window(call, &window))
        return;
    enum tk_err result = tk_opened_find(&call->api->opened, tk_api_options(call->api)->store,
                                        call->identity.project_id, id, &trace, &err);
    if (result != TK_OK) {
        refuse(call, result, &err);
        return;
    }
    tk_buf_init(&body, TK_REPLY_SIZE_MAX);
    tk_arena_init(&arena, ARENA_CHUNK, ARENA_MAX);
    result = tk_trace_columns(trace, &window, &arena, &body);
    tk_arena_release(&arena);
    tk_opened_release(trace);
    if (result != TK_OK) {
        tk_buf_release(&body);
        tk_reply_error(call, result, NULL);
        return;
    }
    tk_reply_header(call, TK_STR("cache-control"), TK_STR("no-store"));
    tk_reply_packed(call, 200, TK_STR("application/vnd.tracekit.columns"), &body);
}

static void
answer_span(struct tk_call *call, const struct tk_batch *trace, tk_span_id span_id)
{
    struct tk_json_writer json;
    struct tk_buf body;
    uint32_t row = 0;
    while (row < trace->span_count && trace->span_id[row] != span_id)
        row++;
    if (row == trace->span_count) {
        tk_reply_problem(call, 404, "No such span", "trace %.*s has no span %.*s",
                         TK_STR_ARG(call->args[0]), TK_STR_ARG(call->args[1]));
        return;
    }
    tk_buf_init(&body, TK_REPLY_SIZE_MAX);
    tk_json_writer_init(&json, &body);
    tk_span_json(&json, trace, row);
    tk_reply_json(call, 200, &body);
}

void
tk_route_trace_span(struct tk_call *call)
{
    struct tk_store_want want = {0};
    struct tk_trace_id id;
    if (!param_trace_id(call, &id))
        return;
    if (!tk_span_id_parse(call->args[1], &want.only)) {
        tk_reply_problem(call, 400, "Bad span id", "a span id is 16 hex digits, not all zero");
        return;
    }
    struct tk_batch *trace = find(call, id, &want);
    if (trace == NULL)
        return;
    answer_span(call, trace, want.only);
    tk_batch_free(trace);
}
