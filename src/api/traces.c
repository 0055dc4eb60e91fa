/*
 * traces - GET /api/v1/traces and GET /api/v1/traces/{traceId}.
 *
 * An answer is written in full before it is sent: a search that fails half-way is an error, never
 * a shorter list.
 */
#include "api/params.h"
#include "api/trace_json.h"
#include "query/search.h"
#include "wire/otlp.h"

enum {
    ARENA_CHUNK = 64 << 10,
    ARENA_MAX = 1 << 30,  /* of one request: trees and rows of the largest trace */
    ANSWER_MAX = 1 << 30, /* bytes of one answer */
    SPAN_ABOUT = 1 << 10, /* bytes of a span in it, for many a span */
    ROOM_MAX = 1 << 20,   /* that is made at once */
    LIMIT_DEFAULT = 20,
};

/* ---- the list ---- */

struct list {
    struct tk_json_writer json;
    struct tk_query *query;
    struct tk_arena arena; /* of one summary at a time */
};

static enum tk_err
add_summary(void *arg, const struct tk_store_trace *trace)
{
    struct list *list = arg;
    enum tk_err result = tk_summary_json(&list->json, trace->spans, list->query, &list->arena);
    tk_arena_clear(&list->arena);
    return result;
}

static bool
param_cursor(struct tk_call *call, struct tk_cursor *cursor, const struct tk_cursor **ret_after)
{
    tk_str text = tk_request_param(call->request, TK_STR("cursor"));
    *ret_after = NULL;
    if (text.len == 0)
        return true;
    if (!tk_cursor_parse(text, cursor)) {
        tk_reply_problem(call, 400, "Bad cursor", "cursor must be one that an earlier answer gave");
        return false;
    }
    *ret_after = cursor;
    return true;
}

static enum tk_err
search(struct tk_call *call, const struct tk_search *search, struct tk_cursor *last, bool *more,
       struct tk_error *err)
{
    struct tk_store_view *view;
    enum tk_err result =
        tk_store_view_open(tk_api_options(call->api)->store, call->identity.project_id, &view, err);
    if (result != TK_OK)
        return result;
    result = tk_search_run(view, search, last, more, err);
    tk_store_view_close(view);
    return result;
}

static void
answer_list(struct tk_call *call, const struct tk_search *terms, bool empty)
{
    struct list list;
    struct tk_search listing = *terms;
    struct tk_buf body;
    struct tk_cursor last;
    struct tk_error err = {.message = ""};
    char cursor[TK_CURSOR_TEXT + 1];
    bool more = false;
    enum tk_err result = TK_OK;

    tk_buf_init(&body, ANSWER_MAX);
    tk_arena_init(&list.arena, ARENA_CHUNK, ARENA_MAX);
    tk_json_writer_init(&list.json, &body);
    list.query = terms->query;
    listing.each = add_summary;
    listing.arg = &list;
    tk_json_object(&list.json);
    tk_json_key(&list.json, TK_STR("traces"));
    tk_json_array(&list.json);
    if (!empty)
        result = search(call, &listing, &last, &more, &err);
    tk_arena_release(&list.arena);
    if (result != TK_OK) {
        tk_buf_release(&body);
        tk_reply_query_failed(call, terms->query, result, &err);
        return;
    }
    tk_json_array_end(&list.json);
    tk_json_key(&list.json, TK_STR("cursor"));
    if (more) {
        tk_cursor_format(&last, cursor);
        tk_json_string(&list.json, tk_str_from(cursor));
    } else {
        tk_json_null(&list.json);
    }
    tk_json_key(&list.json, TK_STR("query"));
    tk_json_string(&list.json, tk_query_text(terms->query));
    tk_json_object_end(&list.json);
    tk_reply_json(call, 200, &body);
}

void
tk_route_traces(struct tk_call *call)
{
    struct tk_search terms = {.env = tk_api_options(call->api)->env, .lean = true};
    struct tk_cursor cursor;
    struct tk_arena arena;
    bool empty;
    tk_arena_init(&arena, ARENA_CHUNK, ARENA_MAX);
    if (tk_param_limit(call, LIMIT_DEFAULT, TK_LIMIT_MAX, &terms.limit) &&
        tk_param_times(call, &terms.begin_nano, &terms.end_nano, &empty) &&
        param_cursor(call, &cursor, &terms.after) &&
        tk_param_trace_query(call, &arena, &terms.query)) {
        terms.deadline_nano = tk_query_deadline(call);
        terms.memory = tk_query_memory(call);
        answer_list(call, &terms, empty);
        tk_query_release(terms.query);
    }
    tk_arena_release(&arena);
}

/* ---- one trace ---- */

enum shape { SHAPE_JSON, SHAPE_OTLP_PROTOBUF, SHAPE_OTLP_JSON };

static bool
contains(tk_str text, tk_str part)
{
    return text.len >= part.len && memmem(text.ptr, text.len, part.ptr, part.len) != NULL;
}

static bool
param_shape(struct tk_call *call, enum shape *ret_shape)
{
    tk_str format = tk_request_param(call->request, TK_STR("format"));
    tk_str accept = tk_request_header(call->request, TK_STR("accept"));
    bool protobuf = contains(accept, TK_STR("application/x-protobuf"));
    if (format.len == 0) {
        *ret_shape = protobuf ? SHAPE_OTLP_PROTOBUF : SHAPE_JSON;
    } else if (tk_str_eq(format, TK_STR("otlp"))) {
        *ret_shape = !protobuf && contains(accept, TK_STR("application/json"))
                         ? SHAPE_OTLP_JSON
                         : SHAPE_OTLP_PROTOBUF;
    } else {
        tk_reply_problem(call, 400, "Bad format", "format must be otlp or left out");
        return false;
    }
    return true;
}

static enum tk_err
find(struct tk_call *call, struct tk_trace_id id, struct tk_batch *trace, struct tk_error *err)
{
    struct tk_store_view *view;
    enum tk_err result =
        tk_store_view_open(tk_api_options(call->api)->store, call->identity.project_id, &view, err);
    if (result != TK_OK)
        return result;
    result = tk_store_find(view, id, NULL, trace, err);
    tk_store_view_close(view);
    return result;
}

static enum tk_err
write_trace(struct tk_call *call, const struct tk_batch *trace, struct tk_buf *body)
{
    struct tk_json_writer json;
    struct tk_arena arena;
    tk_str gaps = tk_request_param(call->request, TK_STR("gaps"));
    tk_arena_init(&arena, ARENA_CHUNK, ARENA_MAX);
    tk_json_writer_init(&json, body);
    size_t room = (size_t)trace->span_count * SPAN_ABOUT;
    (void)tk_buf_reserve(body, room < ROOM_MAX ? room : ROOM_MAX);
    enum tk_err result = tk_trace_json(&json, trace, tk_str_eq(gaps, TK_STR("1")), &arena);
    tk_arena_release(&arena);
    return result;
}

static void
answer_trace(struct tk_call *call, const struct tk_batch *trace, enum shape shape)
{
    struct tk_range all = {0, trace->span_count};
    struct tk_buf body;
    enum tk_err result = TK_OK;
    tk_buf_init(&body, ANSWER_MAX);
    if (shape == SHAPE_OTLP_PROTOBUF)
        tk_otlp_protobuf_encode(trace, all, &body);
    else if (shape == SHAPE_OTLP_JSON)
        tk_otlp_json_encode(trace, all, &body);
    else
        result = write_trace(call, trace, &body);
    if (result != TK_OK) {
        tk_buf_release(&body);
        tk_reply_error(call, result, NULL);
    } else if (shape == SHAPE_OTLP_PROTOBUF) {
        tk_reply(call, 200, TK_STR("application/x-protobuf"), &body);
    } else {
        tk_reply_json(call, 200, &body);
    }
}

void
tk_route_trace(struct tk_call *call)
{
    struct tk_trace_id id;
    struct tk_error err = {.message = ""};
    enum shape shape;
    if (!tk_trace_id_parse(call->args[0], &id)) {
        tk_reply_problem(call, 400, "Bad trace id", "a trace id is 32 hex digits, not all zero");
        return;
    }
    if (!param_shape(call, &shape))
        return;
    struct tk_batch *trace = tk_batch_new();
    if (trace == NULL) {
        tk_reply_error(call, TK_ERR_MEMORY, NULL);
        return;
    }
    enum tk_err result = find(call, id, trace, &err);
    if (result == TK_ERR_NOT_FOUND)
        tk_reply_problem(call, 404, "No such trace", "no span of trace %.*s has arrived",
                         TK_STR_ARG(call->args[0]));
    else if (result != TK_OK)
        tk_reply_error(call, result, &err);
    else
        answer_trace(call, trace, shape);
    tk_batch_free(trace);
}
