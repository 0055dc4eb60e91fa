/* params - see params.h. */
#include "api/params.h"

#include "query/timestamp.h"

enum { PROBLEM_SIZE_MAX = 64 << 10 };

const struct tk_param_names tk_param_names_usual = {"q", "start", "end"};

bool
tk_param_limit(struct tk_call *call, uint32_t by_default, uint32_t most, uint32_t *ret_limit)
{
    tk_str text = tk_request_param(call->request, TK_STR("limit"));
    uint64_t limit = by_default;
    if (text.ptr != NULL && (!tk_str_to_u64(text, &limit) || limit < 1 || limit > most)) {
        tk_reply_problem(call, 400, "Bad limit", "limit must be a number from 1 to %u", most);
        return false;
    }
    *ret_limit = (uint32_t)limit;
    return true;
}

static bool
param_time(struct tk_call *call, tk_str name, uint64_t *ret_nano, bool *ret_given)
{
    tk_str text = tk_request_param(call->request, name);
    *ret_nano = 0;
    *ret_given = text.len > 0;
    if (text.len == 0 || tk_timestamp_parse(text, ret_nano))
        return true;
    tk_reply_problem(call, 400, "Bad time",
                     "%.*s must be RFC 3339, such as 2026-11-23T05:21:34Z, or integer nanoseconds "
                     "since 1970",
                     TK_STR_ARG(name));
    return false;
}

bool
tk_param_times_of(struct tk_call *call, const struct tk_param_names *names,
                  uint64_t *ret_begin_nano, uint64_t *ret_end_nano, bool *ret_empty)
{
    bool begin_given, end_given;
    if (!param_time(call, tk_str_from(names->start), ret_begin_nano, &begin_given) ||
        !param_time(call, tk_str_from(names->end), ret_end_nano, &end_given))
        return false;
    *ret_empty = end_given && *ret_end_nano <= *ret_begin_nano;
    return true;
}

bool
tk_param_times(struct tk_call *call, uint64_t *ret_begin_nano, uint64_t *ret_end_nano,
               bool *ret_empty)
{
    return tk_param_times_of(call, &tk_param_names_usual, ret_begin_nano, ret_end_nano, ret_empty);
}

void
tk_reply_bad_query(struct tk_call *call, const char *title, const struct tk_query_error *error)
{
    struct tk_buf body;
    struct tk_json_writer json;
    tk_buf_init(&body, PROBLEM_SIZE_MAX);
    tk_json_writer_init(&json, &body);
    tk_json_object(&json);
    tk_json_key(&json, TK_STR("title"));
    tk_json_string(&json, tk_str_from(title));
    tk_json_key(&json, TK_STR("status"));
    tk_json_int(&json, 400);
    tk_json_key(&json, TK_STR("detail"));
    tk_json_string(&json, tk_str_from(error->detail));
    tk_json_key(&json, TK_STR("position"));
    tk_json_uint(&json, error->position);
    if (error->expected.len > 0) {
        tk_json_key(&json, TK_STR("expected"));
        tk_json_string(&json, error->expected);
    }
    tk_json_object_end(&json);
    tk_reply(call, 400, TK_STR("application/problem+json"), &body);
}

bool
tk_param_recent(struct tk_call *call, uint64_t *ret_begin_nano, uint64_t *ret_end_nano)
{
    static const uint64_t hour_nano = UINT64_C(3600) * 1000000000;
    struct tk_env *env = tk_api_options(call->api)->env;
    uint64_t begin, end;
    bool empty;
    if (!tk_param_times(call, &begin, &end, &empty))
        return false;
    if (end == 0 && !empty)
        end = env->wall_nano(env) + 1;
    if (tk_request_param(call->request, TK_STR("start")).len == 0)
        begin = end > hour_nano ? end - hour_nano : 0;
    if (begin >= end || end >= (uint64_t)1 << 63) {
        tk_reply_problem(call, 400, "Bad time", "there is no time between start and end");
        return false;
    }
    *ret_begin_nano = begin;
    *ret_end_nano = end;
    return true;
}

static bool
param_query(struct tk_call *call, const char *name, struct tk_arena *arena,
            struct tk_query **ret_query)
{
    struct tk_query_error error;
    tk_str text = tk_request_param(call->request, tk_str_from(name));
    enum tk_err result = tk_query_parse(text, arena, ret_query, &error);
    if (result == TK_ERR_INPUT)
        tk_reply_bad_query(call, "Bad query", &error);
    else if (result != TK_OK)
        tk_reply_error(call, result, NULL);
    return result == TK_OK;
}

bool
tk_param_query(struct tk_call *call, struct tk_arena *arena, struct tk_query **ret_query)
{
    return param_query(call, tk_param_names_usual.query, arena, ret_query);
}

bool
tk_param_trace_query_of(struct tk_call *call, const struct tk_param_names *names,
                        struct tk_arena *arena, struct tk_query **ret_query)
{
    struct tk_query_error error = {.detail = "this query gives numbers over time, not traces",
                                   .expected = TK_STR("the end; GET /api/v1/metrics takes it")};
    if (!param_query(call, names->query, arena, ret_query))
        return false;
    if (!tk_query_is_metrics(*ret_query, &error.position))
        return true;
    tk_query_release(*ret_query);
    tk_reply_bad_query(call, "Bad query", &error);
    return false;
}

bool
tk_param_trace_query(struct tk_call *call, struct tk_arena *arena, struct tk_query **ret_query)
{
    return tk_param_trace_query_of(call, &tk_param_names_usual, arena, ret_query);
}

static uint64_t
query_nano(const struct tk_call *call)
{
    uint64_t nano = tk_api_options(call->api)->query_nano;
    return nano != 0 ? nano : (uint64_t)TK_QUERY_SECONDS_DEFAULT * 1000000000;
}

uint64_t
tk_query_deadline(const struct tk_call *call)
{
    struct tk_env *env = tk_api_options(call->api)->env;
    return env->mono_nano(env) + query_nano(call);
}

size_t
tk_query_memory(const struct tk_call *call)
{
    size_t memory = tk_api_options(call->api)->query_memory;
    return memory != 0 ? memory : (size_t)TK_QUERY_MEMORY_MAX;
}

/* Which budget is used up, how large it is, and how to need less of it. */
static void
reply_budget(struct tk_call *call, int status, const char *budget, uint64_t limit,
             const char *detail)
{
    struct tk_buf body;
    struct tk_json_writer json;
    tk_buf_init(&body, PROBLEM_SIZE_MAX);
    tk_json_writer_init(&json, &body);
    tk_json_object(&json);
    tk_json_key(&json, TK_STR("title"));
    tk_json_string(&json,
                   status == 503 ? TK_STR("Query took too long") : TK_STR("Query too costly"));
    tk_json_key(&json, TK_STR("status"));
    tk_json_int(&json, status);
    tk_json_key(&json, TK_STR("detail"));
    tk_json_string(&json, tk_str_from(detail));
    tk_json_key(&json, TK_STR("budget"));
    tk_json_string(&json, tk_str_from(budget));
    if (limit > 0) {
        tk_json_key(&json, TK_STR("limit"));
        tk_json_uint_string(&json, limit);
    }
    tk_json_object_end(&json);
    tk_reply(call, status, TK_STR("application/problem+json"), &body);
}

void
tk_reply_query_failed(struct tk_call *call, const struct tk_query *query, enum tk_err code,
                      const struct tk_error *err)
{
    bool regex = query != NULL && tk_query_hit(query) == TK_BUDGET_REGEX;
    if (code == TK_ERR_LIMIT && regex)
        reply_budget(call, 400, "steps", 0, err->message);
    else if (code == TK_ERR_LIMIT)
        reply_budget(call, 400, "memory", tk_query_memory(call), err->message);
    else if (code == TK_ERR_TIMEOUT)
        reply_budget(call, 503, "time", query_nano(call), err->message);
    else
        tk_reply_error(call, code, err);
}
