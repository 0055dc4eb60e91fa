/*
 * differences - GET /api/v1/differences: which attributes are special about the spans that a query
 * selects, compared with the rest.
 */
#include "query/differences.h"
#include "api/params.h"
#include "api/private.h"
#include "wire/otlp.h"

enum { ARENA_CHUNK = 64 << 10, LIMIT_DEFAULT = 20, LIMIT_MAX = 200 };

static void
key(struct tk_json_writer *json, const char *name)
{
    tk_json_key(json, tk_str_from(name));
}

static void
side_json(struct tk_json_writer *json, const char *name, const struct tk_differences *differences,
          unsigned side, const struct tk_query *query)
{
    key(json, name);
    tk_json_object(json);
    key(json, "query");
    tk_json_string(json, tk_query_text(query));
    key(json, "spanCount");
    tk_json_uint(json, differences->span_count[side]);
    key(json, "cut");
    tk_json_bool(json, differences->cut[side]);
    tk_json_object_end(json);
}

static void
difference_json(struct tk_json_writer *json, const struct tk_difference *difference)
{
    static const char *const scopes[] = {"span", "resource", "intrinsic"};
    tk_json_object(json);
    key(json, "scope");
    tk_json_string(json, tk_str_from(scopes[difference->scope]));
    key(json, "key");
    tk_json_string(json, difference->key);
    key(json, "value");
    if (difference->value.type == TK_VALUE_EMPTY)
        tk_json_null(json);
    else
        tk_value_json(json, difference->value);
    key(json, "selectedCount");
    tk_json_uint(json, difference->count[0]);
    key(json, "restCount");
    tk_json_uint(json, difference->count[1]);
    key(json, "score");
    tk_json_double(json, difference->score);
    tk_json_object_end(json);
}

static void
answer(struct tk_call *call, const struct tk_differences_ask *ask,
       const struct tk_differences *differences, uint32_t limit)
{
    struct tk_json_writer json;
    struct tk_buf body;
    tk_buf_init(&body, TK_REPLY_SIZE_MAX);
    tk_json_writer_init(&json, &body);
    tk_json_object(&json);
    side_json(&json, "selected", differences, 0, ask->selected.query);
    side_json(&json, "rest", differences, 1, ask->rest.query);
    key(&json, "differences");
    tk_json_array(&json);
    for (size_t i = 0; i < differences->count && i < limit; i++)
        difference_json(&json, &differences->entries[i]);
    tk_json_array_end(&json);
    tk_json_object_end(&json);
    tk_reply_json(call, 200, &body);
}

static void
run(struct tk_call *call, struct tk_differences_ask *ask, uint32_t limit)
{
    struct tk_differences differences;
    struct tk_error err = {.message = ""};
    enum tk_err result = tk_store_view_open(tk_api_options(call->api)->store,
                                            call->identity.project_id, &ask->view, &err);
    if (result == TK_OK) {
        result = tk_differences_run(ask, &differences, &err);
        tk_store_view_close(ask->view);
    }
    if (result == TK_OK)
        answer(call, ask, &differences, limit);
    else
        tk_reply_query_failed(call,
                              tk_query_hit(ask->rest.query) == TK_BUDGET_NONE ? ask->selected.query
                                                                              : ask->rest.query,
                              result, &err);
}

/* ?q= ?start= ?end=, and the same of the rest. */
static bool
param_side(struct tk_call *call, const struct tk_param_names *names, struct tk_arena *arena,
           struct tk_differences_side *side)
{
    bool empty;
    if (!tk_param_times_of(call, names, &side->begin_nano, &side->end_nano, &empty))
        return false;
    if (empty) { /* the store's 0 is "no end": none starts within the last ns of all times */
        side->begin_nano = UINT64_MAX;
        side->end_nano = 0;
    }
    return tk_param_trace_query_of(call, names, arena, &side->query);
}

void
tk_route_differences(struct tk_call *call)
{
    static const struct tk_param_names rest = {"rest", "rest_start", "rest_end"};
    struct tk_differences_ask ask = {
        .env = tk_api_options(call->api)->env,
        .memory = tk_query_memory(call),
    };
    struct tk_arena arena;
    uint32_t limit;
    tk_arena_init(&arena, ARENA_CHUNK, ask.memory);
    ask.arena = &arena;
    ask.deadline_nano = tk_query_deadline(call);
    if (tk_param_limit(call, LIMIT_DEFAULT, LIMIT_MAX, &limit) &&
        param_side(call, &tk_param_names_usual, &arena, &ask.selected)) {
        if (param_side(call, &rest, &arena, &ask.rest)) {
            run(call, &ask, limit);
            tk_query_release(ask.rest.query);
        }
        tk_query_release(ask.selected.query);
    }
    tk_arena_release(&arena);
}
