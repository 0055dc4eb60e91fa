/*
 * metrics_query - GET /api/v1/metrics: numbers over time of the spans that a query selects.
 *
 * Without times the last hour is asked for, without a step some sixty of them.
 */
#include "api/match_json.h"
#include "api/params.h"
#include "base/options.h"
#include "query/metrics.h"

#include <math.h>

enum {
    ARENA_CHUNK = 64 << 10,
    ANSWER_MAX = 256 << 20,
    STEPS_DEFAULT = 60,
};

#define NANO_PER_S UINT64_C(1000000000)
static const uint64_t HOUR_NANO = 3600 * NANO_PER_S;

/* ---- what is asked ---- */

/* The shortest step people count in that needs no more than STEPS_DEFAULT of them. */
static uint64_t
default_step(uint64_t range_nano)
{
    static const uint32_t seconds[] = {1,   2,   5,    10,   15,   30,    60,    120,   300,
                                       600, 900, 1800, 3600, 7200, 14400, 21600, 43200, 86400};
    for (size_t i = 0; i < sizeof seconds / sizeof *seconds; i++) {
        if (range_nano / (seconds[i] * NANO_PER_S) < STEPS_DEFAULT)
            return seconds[i] * NANO_PER_S;
    }
    uint64_t days = range_nano / (24 * HOUR_NANO) / STEPS_DEFAULT + 1;
    return days * 24 * HOUR_NANO;
}

static bool
param_step(struct tk_call *call, struct tk_metrics_ask *ask)
{
    tk_str text = tk_request_param(call->request, TK_STR("step"));
    uint64_t range = ask->end_nano - ask->begin_nano;
    ask->step_nano = default_step(range);
    if (text.len > 0 && !tk_str_to_u64(text, &ask->step_nano) &&
        !tk_parse_duration(text, &ask->step_nano))
        ask->step_nano = 0;
    if (ask->step_nano == 0) {
        tk_reply_problem(call, 400, "Bad step",
                         "step must be a duration, such as 30s, or nanoseconds, and more than 0");
        return false;
    }
    if ((range - 1) / ask->step_nano >= TK_METRICS_STEPS_MAX) {
        tk_reply_problem(call, 400, "Bad step", "more than %d steps; ask for longer ones",
                         TK_METRICS_STEPS_MAX);
        return false;
    }
    if (ask->step_nano > range)
        ask->step_nano = range;
    return true;
}

static bool
param_by(struct tk_call *call, struct tk_query *query)
{
    tk_str by = tk_request_param(call->request, TK_STR("by"));
    struct tk_query_error error;
    size_t position;
    if (by.len == 0)
        return true;
    if (tk_query_is_metrics(query, &position)) {
        tk_reply_problem(call, 400, "Bad by", "the query has a function, which says by ( ) itself");
        return false;
    }
    enum tk_err result = tk_metrics_by(query, by, &error);
    if (result == TK_ERR_INPUT)
        tk_reply_bad_query(call, "Bad by", &error);
    else if (result != TK_OK)
        tk_reply_error(call, result, NULL);
    return result == TK_OK;
}

/* ---- the answer ---- */

static void
number_json(struct tk_json_writer *json, double value)
{
    if (isfinite(value))
        tk_json_double(json, value);
    else
        tk_json_null(json);
}

static void
labels_json(struct tk_json_writer *json, const struct tk_series *series)
{
    tk_json_key(json, TK_STR("labels"));
    tk_json_object(json);
    for (size_t i = 0; i < series->label_count; i++) {
        tk_json_key(json, series->labels[i].name);
        tk_field_json(json, &series->labels[i]);
    }
    tk_json_object_end(json);
}

static void
counts_json(struct tk_json_writer *json, const struct tk_series *series, uint32_t step_count)
{
    tk_json_key(json, TK_STR("bounds"));
    tk_json_array(json);
    for (size_t i = 0; i < series->bound_count; i++)
        number_json(json, series->bounds[i]);
    tk_json_array_end(json);
    tk_json_key(json, TK_STR("counts"));
    tk_json_array(json);
    for (uint32_t step = 0; step < step_count; step++) {
        tk_json_array(json);
        for (size_t i = 0; i < series->bound_count; i++)
            tk_json_uint(json, series->counts[step * series->bound_count + i]);
        tk_json_array_end(json);
    }
    tk_json_array_end(json);
}

static void
series_json(struct tk_json_writer *json, const struct tk_series *series, uint32_t step_count)
{
    tk_json_object(json);
    tk_json_key(json, TK_STR("name"));
    tk_json_string(json, tk_str_from(series->name));
    tk_json_key(json, TK_STR("unit"));
    tk_json_string(json, tk_str_from(series->unit));
    labels_json(json, series);
    if (series->bounds != NULL) {
        counts_json(json, series, step_count);
    } else {
        tk_json_key(json, TK_STR("values"));
        tk_json_array(json);
        for (uint32_t step = 0; step < step_count; step++)
            number_json(json, series->values[step]);
        tk_json_array_end(json);
    }
    tk_json_object_end(json);
}

static void
write_metrics(struct tk_json_writer *json, const struct tk_metrics_ask *ask,
              const struct tk_metrics *metrics)
{
    tk_json_object(json);
    tk_json_key(json, TK_STR("startTimeUnixNano"));
    tk_json_uint_string(json, ask->begin_nano);
    tk_json_key(json, TK_STR("endTimeUnixNano"));
    tk_json_uint_string(json, ask->end_nano);
    tk_json_key(json, TK_STR("stepNano"));
    tk_json_uint_string(json, ask->step_nano);
    tk_json_key(json, TK_STR("timesUnixNano"));
    tk_json_array(json);
    for (uint32_t step = 0; step < metrics->step_count; step++)
        tk_json_uint_string(json, ask->begin_nano + step * ask->step_nano);
    tk_json_array_end(json);
    tk_json_key(json, TK_STR("series"));
    tk_json_array(json);
    for (size_t i = 0; i < metrics->series_count; i++)
        series_json(json, &metrics->series[i], metrics->step_count);
    tk_json_array_end(json);
    if (metrics->spans_left_out > 0) {
        tk_json_key(json, TK_STR("leftOut"));
        tk_json_object(json);
        tk_json_key(json, TK_STR("groupsMax"));
        tk_json_int(json, TK_METRICS_GROUPS_MAX);
        tk_json_key(json, TK_STR("spanCount"));
        tk_json_uint(json, metrics->spans_left_out);
        tk_json_object_end(json);
    }
    tk_json_key(json, TK_STR("query"));
    tk_json_string(json, tk_query_text(ask->query));
    tk_json_object_end(json);
}

static void
answer(struct tk_call *call, struct tk_metrics_ask *ask)
{
    const struct tk_api_options *options = tk_api_options(call->api);
    struct tk_error err = {.message = ""};
    struct tk_metrics metrics;
    struct tk_json_writer json;
    struct tk_buf body;
    ask->deadline_nano = tk_query_deadline(call);
    enum tk_err result =
        tk_store_view_open(options->store, call->identity.project_id, &ask->view, &err);
    if (result == TK_OK) {
        result = tk_metrics_run(ask, &metrics, &err);
        tk_store_view_close(ask->view);
    }
    if (result != TK_OK) {
        tk_reply_query_failed(call, ask->query, result, &err);
        return;
    }
    tk_buf_init(&body, ANSWER_MAX);
    tk_json_writer_init(&json, &body);
    write_metrics(&json, ask, &metrics);
    tk_reply_json(call, 200, &body);
}

void
tk_route_metrics_query(struct tk_call *call)
{
    struct tk_metrics_ask ask = {
        .env = tk_api_options(call->api)->env,
        .memory = tk_query_memory(call),
    };
    struct tk_arena arena;
    tk_arena_init(&arena, ARENA_CHUNK, ask.memory);
    ask.arena = &arena;
    if (tk_param_recent(call, &ask.begin_nano, &ask.end_nano) && param_step(call, &ask) &&
        tk_param_query(call, &arena, &ask.query)) {
        if (param_by(call, ask.query))
            answer(call, &ask);
        tk_query_release(ask.query);
    }
    tk_arena_release(&arena);
}
