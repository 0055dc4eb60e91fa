/* params - see params.h. */
#include "api/params.h"

#include "query/timestamp.h"

enum { PROBLEM_SIZE_MAX = 64 << 10 };

bool
tk_param_limit(struct tk_call *call, uint32_t by_default, uint32_t *ret_limit)
{
    tk_str text = tk_request_param(call->request, TK_STR("limit"));
    uint64_t limit = by_default;
    if (text.ptr != NULL && (!tk_str_to_u64(text, &limit) || limit < 1 || limit > TK_LIMIT_MAX)) {
        tk_reply_problem(call, 400, "Bad limit", "limit must be a number from 1 to %d",
                         TK_LIMIT_MAX);
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
tk_param_times(struct tk_call *call, uint64_t *ret_begin_nano, uint64_t *ret_end_nano,
               bool *ret_empty)
{
    bool begin_given, end_given;
    if (!param_time(call, TK_STR("start"), ret_begin_nano, &begin_given) ||
        !param_time(call, TK_STR("end"), ret_end_nano, &end_given))
        return false;
    *ret_empty = end_given && *ret_end_nano <= *ret_begin_nano;
    return true;
}

static void
reply_query_problem(struct tk_call *call, const struct tk_query_error *error)
{
    struct tk_buf body;
    struct tk_json_writer json;
    tk_buf_init(&body, PROBLEM_SIZE_MAX);
    tk_json_writer_init(&json, &body);
    tk_json_object(&json);
    tk_json_key(&json, TK_STR("title"));
    tk_json_string(&json, TK_STR("Bad query"));
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
tk_param_query(struct tk_call *call, struct tk_arena *arena, struct tk_query **ret_query)
{
    struct tk_query_error error;
    tk_str text = tk_request_param(call->request, TK_STR("q"));
    enum tk_err result = tk_query_parse(text, arena, ret_query, &error);
    if (result == TK_ERR_INPUT)
        reply_query_problem(call, &error);
    else if (result != TK_OK)
        tk_reply_error(call, result, NULL);
    return result == TK_OK;
}

uint64_t
tk_query_deadline(const struct tk_call *call)
{
    struct tk_env *env = tk_api_options(call->api)->env;
    return env->mono_nano(env) + (uint64_t)TK_QUERY_SECONDS_MAX * 1000000000;
}

void
tk_reply_query_error(struct tk_call *call, enum tk_err code, const struct tk_error *err)
{
    if (code == TK_ERR_LIMIT)
        tk_reply_problem(call, 400, "Query too costly", "%s", err->message);
    else if (code == TK_ERR_TIMEOUT)
        tk_reply_problem(call, 503, "Query took too long", "%s", err->message);
    else
        tk_reply_error(call, code, err);
}
