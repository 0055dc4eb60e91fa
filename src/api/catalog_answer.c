/* catalog_answer - see catalog_answer.h. */
#include "api/catalog_answer.h"

enum { ARENA_CHUNK = 16 << 10, ANSWER_MAX = 256 << 20 };

void
tk_answer_catalog(struct tk_call *call, tk_write_catalog *write, void *arg)
{
    const struct tk_api_options *options = tk_api_options(call->api);
    struct tk_error err = {.message = ""};
    struct tk_json_writer json;
    struct tk_arena arena;
    struct tk_buf body;
    bool no_time;
    struct tk_catalog catalog = {
        .env = options->env, .memory = tk_query_memory(call), .arena = &arena};

    tk_arena_init(&arena, ARENA_CHUNK, catalog.memory);
    if (!tk_param_times(call, &catalog.begin_nano, &catalog.end_nano, &no_time) ||
        !tk_param_query(call, &arena, &catalog.query)) {
        tk_arena_release(&arena);
        return;
    }
    if (no_time) /* the store's 0 is "no end": none starts within the last ns of all times */
        catalog.begin_nano = UINT64_MAX;
    catalog.deadline_nano = tk_query_deadline(call);
    tk_buf_init(&body, ANSWER_MAX);
    tk_json_writer_init(&json, &body);
    enum tk_err result =
        tk_store_view_open(options->store, call->identity.project_id, &catalog.view, &err);
    if (result == TK_OK) {
        result = write(&catalog, arg, &json, &err);
        tk_store_view_close(catalog.view);
    }
    if (result == TK_OK) {
        tk_reply_json(call, 200, &body);
    } else {
        tk_buf_release(&body);
        tk_reply_query_failed(call, catalog.query, result, &err);
    }
    tk_query_release(catalog.query);
    tk_arena_release(&arena);
}
