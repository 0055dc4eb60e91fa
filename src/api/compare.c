/*
 * compare - GET /api/v1/compare: why one trace took longer than another, by the time of each
 * operation on the critical paths of both.  The changes add up to the change of the whole.
 */
#include "api/params.h"
#include "api/private.h"
#include "query/critical_path.h"
#include "store/store.h"

enum {
    ARENA_CHUNK = 64 << 10,
    ARENA_MAX = 1 << 30, /* of one request: trees of the two largest traces */
};

static const char *const sides[] = {"first", "second"};
static const char *const span_params[] = {"first_span", "second_span"};

struct comparison {
    struct tk_trace_id id[2];
    tk_span_id span[2]; /* 0: the whole trace */
    uint64_t duration[2];
    struct tk_batch *trace[2];
    struct tk_path_table table;
    struct tk_arena arena;
    uint64_t deadline_nano;
};

static bool
param_sides(struct tk_call *call, struct comparison *c)
{
    for (int side = 0; side < 2; side++) {
        tk_str id = tk_request_param(call->request, tk_str_from(sides[side]));
        tk_str span = tk_request_param(call->request, tk_str_from(span_params[side]));
        if (!tk_trace_id_parse(id, &c->id[side])) {
            tk_reply_problem(call, 400, "Bad trace id",
                             "%s must be a trace id: 32 hex digits, not all zero", sides[side]);
            return false;
        }
        if (span.len > 0 && !tk_span_id_parse(span, &c->span[side])) {
            tk_reply_problem(call, 400, "Bad span id",
                             "%s must be a span id, 16 hex digits, not all zero, or left out",
                             span_params[side]);
            return false;
        }
    }
    return true;
}

/* The display position of the span that is asked for. */
static bool
find_top(const struct comparison *c, int side, const struct tk_tree *tree, uint32_t *ret_top)
{
    *ret_top = TK_NO_SPAN;
    for (uint32_t at = 0; at < tree->span_count && c->span[side] != 0; at++) {
        if (c->trace[side]->span_id[tree->row[at]] == c->span[side]) {
            *ret_top = at;
            return true;
        }
    }
    return c->span[side] == 0;
}

static enum tk_err
add_side(struct comparison *c, int side)
{
    struct tk_tree tree;
    uint32_t top;
    const struct tk_batch *trace = c->trace[side];
    enum tk_err result = tk_tree_build(trace, &c->arena, &tree);
    if (result != TK_OK)
        return result;
    if (!find_top(c, side, &tree, &top))
        return TK_ERR_NOT_FOUND;
    uint64_t start = top == TK_NO_SPAN ? tree.start_nano : trace->start_nano[tree.row[top]];
    uint64_t end = top == TK_NO_SPAN ? tree.end_nano : trace->end_nano[tree.row[top]];
    c->duration[side] = end - start;
    return tk_path_table_add(&c->table, side, trace, &tree, top, &c->arena);
}

/* Asked before each step that takes as long as its trace is. */
static enum tk_err
check_time(struct tk_call *call, const struct comparison *c, struct tk_error *err)
{
    struct tk_env *env = tk_api_options(call->api)->env;
    return env->mono_nano(env) <= c->deadline_nano
               ? TK_OK
               : tk_error_set(err, TK_ERR_TIMEOUT, "the time of one query was over");
}

/* *ret_side: which one failed. */
static enum tk_err
compare(struct tk_call *call, struct comparison *c, int *ret_side, struct tk_error *err)
{
    static const struct tk_store_want lean = {.lean = true};
    struct tk_store_view *view;
    enum tk_err result =
        tk_store_view_open(tk_api_options(call->api)->store, call->identity.project_id, &view, err);
    if (result != TK_OK)
        return result;
    for (int side = 0; side < 2 && result == TK_OK; side++) {
        *ret_side = side;
        result = check_time(call, c, err);
        if (result == TK_OK)
            result = tk_store_find(view, c->id[side], &lean, c->trace[side], err);
        if (result == TK_OK)
            result = check_time(call, c, err);
        if (result == TK_OK)
            result = add_side(c, side);
    }
    tk_store_view_close(view);
    tk_path_table_sort(&c->table);
    return result;
}

static void
side_json(struct tk_json_writer *json, const struct comparison *c, int side)
{
    char id[TK_TRACE_ID_HEX + 1], span[TK_SPAN_ID_HEX + 1];
    tk_trace_id_format(c->id[side], id);
    tk_json_key(json, tk_str_from(sides[side]));
    tk_json_object(json);
    tk_json_key(json, TK_STR("traceId"));
    tk_json_string(json, tk_str_from(id));
    if (c->span[side] != 0) {
        tk_span_id_format(c->span[side], span);
        tk_json_key(json, TK_STR("spanId"));
        tk_json_string(json, tk_str_from(span));
    }
    tk_json_key(json, TK_STR("durationNano"));
    tk_json_uint_string(json, c->duration[side]);
    tk_json_object_end(json);
}

static void
operation_json(struct tk_json_writer *json, const struct tk_path_row *row)
{
    tk_json_object(json);
    if (row->service.len > 0) {
        tk_json_key(json, TK_STR("serviceName"));
        tk_json_string(json, row->service);
        tk_json_key(json, TK_STR("name"));
        tk_json_string(json, row->name);
    }
    for (int side = 0; side < 2; side++) {
        tk_json_key(json, tk_str_from(sides[side]));
        tk_json_object(json);
        tk_json_key(json, TK_STR("pathNano"));
        tk_json_uint_string(json, row->nano[side]);
        tk_json_key(json, TK_STR("spanCount"));
        tk_json_uint(json, row->count[side]);
        tk_json_object_end(json);
    }
    tk_json_object_end(json);
}

static void
answer(struct tk_call *call, const struct comparison *c)
{
    struct tk_json_writer json;
    struct tk_buf body;
    tk_buf_init(&body, TK_REPLY_SIZE_MAX);
    tk_json_writer_init(&json, &body);
    tk_json_object(&json);
    side_json(&json, c, 0);
    side_json(&json, c, 1);
    tk_json_key(&json, TK_STR("operations"));
    tk_json_array(&json);
    for (size_t i = 0; i < c->table.count; i++)
        operation_json(&json, &c->table.rows[i]);
    tk_json_array_end(&json);
    tk_json_object_end(&json);
    tk_reply_json(call, 200, &body);
}

void
tk_route_compare(struct tk_call *call)
{
    struct comparison c = {.deadline_nano = tk_query_deadline(call)};
    struct tk_error err = {.message = ""};
    int side = 0;
    if (!param_sides(call, &c))
        return;
    tk_path_table_init(&c.table);
    tk_arena_init(&c.arena, ARENA_CHUNK, ARENA_MAX);
    c.trace[0] = tk_batch_new();
    c.trace[1] = tk_batch_new();
    enum tk_err result =
        c.trace[0] == NULL || c.trace[1] == NULL ? TK_ERR_MEMORY : compare(call, &c, &side, &err);
    if (result == TK_OK) {
        answer(call, &c);
    } else if (result == TK_ERR_NOT_FOUND) {
        char id[TK_TRACE_ID_HEX + 1];
        tk_trace_id_format(c.id[side], id);
        tk_reply_problem(call, 404, "No such trace", "no such span of trace %s (%s) has arrived",
                         id, sides[side]);
    } else {
        tk_reply_query_failed(call, NULL, result, &err);
    }
    tk_batch_free(c.trace[0]);
    tk_batch_free(c.trace[1]);
    tk_arena_release(&c.arena);
    tk_path_table_release(&c.table);
}
