/* map - GET /api/v1/map: who calls whom. */
#include "api/params.h"
#include "api/private.h"
#include "query/service_map.h"

enum { ARENA_CHUNK = 64 << 10 };

static void
numbers_json(struct tk_json_writer *json, const struct tk_map_numbers *numbers)
{
    tk_json_key(json, TK_STR("callCount"));
    tk_json_uint(json, numbers->count);
    tk_json_key(json, TK_STR("errorCount"));
    tk_json_uint(json, numbers->error_count);
    tk_json_key(json, TK_STR("p50Nano"));
    tk_json_uint_string(json, numbers->p50_nano);
    tk_json_key(json, TK_STR("p95Nano"));
    tk_json_uint_string(json, numbers->p95_nano);
    tk_json_key(json, TK_STR("p99Nano"));
    tk_json_uint_string(json, numbers->p99_nano);
}

static void
nodes_json(struct tk_json_writer *json, const struct tk_map *map)
{
    static const char *const kinds[] = {"service", "database", "messaging", "external"};
    tk_json_key(json, TK_STR("nodes"));
    tk_json_array(json);
    for (uint32_t i = 0; i < map->node_count; i++) {
        const struct tk_map_node *node = &map->nodes[i];
        tk_json_object(json);
        tk_json_key(json, TK_STR("name"));
        tk_json_string(json, node->name);
        tk_json_key(json, TK_STR("kind"));
        tk_json_string(json, tk_str_from(kinds[node->kind]));
        if (node->attribute != NULL) {
            tk_json_key(json, TK_STR("attribute"));
            tk_json_string(json, tk_str_from(node->attribute));
        }
        numbers_json(json, &node->calls);
        tk_json_object_end(json);
    }
    tk_json_array_end(json);
}

static void
calls_json(struct tk_json_writer *json, const struct tk_map *map)
{
    tk_json_key(json, TK_STR("calls"));
    tk_json_array(json);
    for (uint32_t i = 0; i < map->call_count; i++) {
        tk_json_object(json);
        tk_json_key(json, TK_STR("caller"));
        tk_json_uint(json, map->calls[i].caller);
        tk_json_key(json, TK_STR("callee"));
        tk_json_uint(json, map->calls[i].callee);
        numbers_json(json, &map->calls[i].calls);
        tk_json_object_end(json);
    }
    tk_json_array_end(json);
}

static void
map_json(struct tk_json_writer *json, const struct tk_map_ask *ask, const struct tk_map *map)
{
    static const char *const cuts[] = {NULL, "traces", "time", "memory", "nodes"};
    tk_json_object(json);
    tk_json_key(json, TK_STR("startTimeUnixNano"));
    tk_json_uint_string(json, map->begin_nano);
    tk_json_key(json, TK_STR("endTimeUnixNano"));
    tk_json_uint_string(json, ask->end_nano);
    tk_json_key(json, TK_STR("traceCount"));
    tk_json_uint(json, map->trace_count);
    tk_json_key(json, TK_STR("spanCount"));
    tk_json_uint(json, map->span_count);
    if (map->cut != TK_MAP_WHOLE) {
        tk_json_key(json, TK_STR("cut"));
        tk_json_string(json, tk_str_from(cuts[map->cut]));
    }
    nodes_json(json, map);
    calls_json(json, map);
    tk_json_object_end(json);
}

static void
answer(struct tk_call *call, struct tk_map_ask *ask)
{
    const struct tk_api_options *options = tk_api_options(call->api);
    struct tk_error err = {.message = ""};
    struct tk_map map;
    struct tk_json_writer json;
    struct tk_buf body;
    enum tk_err result =
        tk_store_view_open(options->store, call->identity.project_id, &ask->view, &err);
    if (result == TK_OK) {
        result = tk_map_make(ask, &map, &err);
        tk_store_view_close(ask->view);
    }
    if (result != TK_OK) {
        tk_reply_query_failed(call, NULL, result, &err);
        return;
    }
    tk_buf_init(&body, TK_REPLY_SIZE_MAX);
    tk_json_writer_init(&json, &body);
    map_json(&json, ask, &map);
    tk_reply_json(call, 200, &body);
}

void
tk_route_map(struct tk_call *call)
{
    struct tk_map_ask ask = {
        .env = tk_api_options(call->api)->env,
        .deadline_nano = tk_query_deadline(call),
        .memory = tk_query_memory(call),
    };
    struct tk_arena arena;
    tk_arena_init(&arena, ARENA_CHUNK, ask.memory);
    ask.arena = &arena;
    if (tk_param_recent(call, &ask.begin_nano, &ask.end_nano) &&
        tk_param_limit(call, TK_MAP_TRACES, TK_MAP_TRACES_MAX, &ask.trace_max))
        answer(call, &ask);
    tk_arena_release(&arena);
}
