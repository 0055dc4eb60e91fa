/*
 * openapi - GET /api/v1/openapi.json: the server describes itself (OpenAPI 3.0.3).
 *
 * Paths, methods, access and parameters come from the route table, so that no route can be missing;
 * the shapes of bodies and answers are openapi_schemas.json.
 */
#include "api/private.h"

#include <stdio.h>

extern const char tk_openapi_components[]; /* openapi_schemas.S */

struct param {
    const char *name;  /* as the routes' `params` call it */
    const char *query; /* as it stands in the address */
    const char *schema;
    const char *about;
};

static const struct param params[] = {
    {"q", "q", "{\"type\":\"string\"}",
     "TraceQL, shorthand (words AND-ed on one span), a trace id, or nothing: everything"},
    {"start", "start", "{\"type\":\"string\"}",
     "First start time: RFC 3339 or integer nanoseconds since the epoch; default all time"},
    {"end", "end", "{\"type\":\"string\"}", "Start times before this; the same forms"},
    {"metrics_start", "start", "{\"type\":\"string\"}",
     "Spans that start then or later; default one hour before the end"},
    {"metrics_end", "end", "{\"type\":\"string\"}", "Spans that start before; default now"},
    {"sample_start", "start", "{\"type\":\"string\"}",
     "Traces that start then or later; default one hour before the end"},
    {"sample_end", "end", "{\"type\":\"string\"}", "Traces that start before; default now"},
    {"sample", "limit", "{\"type\":\"integer\",\"minimum\":1,\"maximum\":1000,\"default\":200}",
     "Most traces to look at"},
    {"map_sample", "limit",
     "{\"type\":\"integer\",\"minimum\":1,\"maximum\":100000,\"default\":10000}",
     "Most traces to count, the newest"},
    {"step", "step", "{\"type\":\"string\"}",
     "Length of a step: a duration such as 30s, or nanoseconds; default about a sixtieth of it "
     "all"},
    {"by", "by", "{\"type\":\"string\"}",
     "A series for each value of these: fields of TraceQL with commas between them, or service"},
    {"span_start", "start", "{\"type\":\"string\"}",
     "Spans that start then or later: RFC 3339 or integer nanoseconds since the epoch; default "
     "all"},
    {"span_end", "end", "{\"type\":\"string\"}", "Spans that start before; the same forms"},
    {"rest", "rest", "{\"type\":\"string\"}",
     "What they are compared with, less what q selects; default everything"},
    {"rest_start", "rest_start", "{\"type\":\"string\"}", "As start"},
    {"rest_end", "rest_end", "{\"type\":\"string\"}", "As end"},
    {"differences_limit", "limit",
     "{\"type\":\"integer\",\"minimum\":1,\"maximum\":200,\"default\":20}",
     "Most differences to answer"},
    {"first", "first", "{\"type\":\"string\"}", "The trace to compare with: its id"},
    {"second", "second", "{\"type\":\"string\"}", "The trace that is compared: its id"},
    {"first_span", "first_span", "{\"type\":\"string\"}",
     "Of the first trace only this span and what is below it"},
    {"second_span", "second_span", "{\"type\":\"string\"}", "The same of the second"},
    {"limit", "limit", "{\"type\":\"integer\",\"minimum\":1,\"maximum\":1000,\"default\":20}",
     "Most traces to answer"},
    {"cursor", "cursor", "{\"type\":\"string\"}", "Of the page before: goes on behind it"},
    {"format", "format", "{\"type\":\"string\",\"enum\":[\"otlp\"]}",
     "otlp: lossless TracesData, as protobuf or, with Accept: application/json, JSON"},
    {"gaps", "gaps", "{\"type\":\"string\",\"enum\":[\"1\"]}", "1: with `gap` rows"},
    {"view", "view", "{\"type\":\"string\",\"enum\":[\"services\",\"tree\"]}",
     "services: rows of the unified waterfall; tree: one a span, depth first"},
    {"rows_offset", "offset", "{\"type\":\"integer\",\"minimum\":0,\"default\":0}",
     "The first row to answer"},
    {"rows_limit", "limit", "{\"type\":\"integer\",\"minimum\":0,\"default\":0}",
     "Most rows to answer; 0: all"},
    {"ids", "ids", "{\"type\":\"string\",\"enum\":[\"1\"]}", "1: span ids too"},
    {"prefix", "prefix", "{\"type\":\"string\"}", "Only what begins with this"},
    {"values_limit", "limit",
     "{\"type\":\"integer\",\"minimum\":1,\"maximum\":1000,\"default\":100}",
     "Most values to answer"},
    {"retention", "retention", "{\"type\":\"string\"}",
     "A time like 7d, none or default; left out: as it is"},
    {"disk", "disk", "{\"type\":\"string\"}",
     "A size like 10GiB, none or default; left out: as it is"},
    {"project", "project", "{\"type\":\"string\"}",
     "A session or --dev may name a project; a key has one"},
    {"api_key", "api_key", "{\"type\":\"string\"}", "A browser key, for beacons"},
    {"token", "token", "{\"type\":\"string\"}", "The one-time token"},
};

static const char *const access_texts[] = {
    [TK_ACCESS_PUBLIC] = "Open to all.",
    [TK_ACCESS_INGEST] = "A server key, or a browser key from its origins.",
    [TK_ACCESS_READ] = "A read or admin key, or a session.",
    [TK_ACCESS_ADMIN] = "An admin key, or a session that may manage.",
};

/* What a route may answer besides `answer`. */
static const struct error_answer {
    const char *about;
    int status;
    unsigned access; /* bits of enum tk_access */
} error_answers[] = {
    {"The body or a parameter is wrong; `detail` says where", 400,
     1 << TK_ACCESS_INGEST | 1 << TK_ACCESS_READ | 1 << TK_ACCESS_ADMIN},
    {"No key, or an unknown or revoked one", 401,
     1 << TK_ACCESS_INGEST | 1 << TK_ACCESS_READ | 1 << TK_ACCESS_ADMIN},
    {"A key of the wrong kind, project or origin", 403,
     1 << TK_ACCESS_INGEST | 1 << TK_ACCESS_READ | 1 << TK_ACCESS_ADMIN},
    {"Not found", 404, 1 << TK_ACCESS_READ | 1 << TK_ACCESS_ADMIN},
    {"Beyond --max-body after decompression", 413, 1 << TK_ACCESS_INGEST},
    {"Another content type or encoding", 415, 1 << TK_ACCESS_INGEST},
    {"Too much at once; after Retry-After seconds again", 429, 1 << TK_ACCESS_INGEST},
    {"Not now (disk full, too busy); after Retry-After seconds again", 503,
     1 << TK_ACCESS_INGEST | 1 << TK_ACCESS_READ | 1 << TK_ACCESS_ADMIN},
};

static void
member(struct tk_json_writer *json, const char *key, const char *value)
{
    tk_json_key(json, tk_str_from(key));
    tk_json_string(json, tk_str_from(value));
}

static void
open_member(struct tk_json_writer *json, const char *key)
{
    tk_json_key(json, tk_str_from(key));
    tk_json_object(json);
}

static void
write_param(struct tk_json_writer *json, const char *in, tk_str name, tk_str schema, tk_str about)
{
    tk_json_object(json);
    member(json, "in", in);
    tk_json_key(json, TK_STR("name"));
    tk_json_string(json, name);
    tk_json_key(json, TK_STR("required"));
    tk_json_bool(json, strcmp(in, "path") == 0);
    tk_json_key(json, TK_STR("schema"));
    tk_json_raw(json, schema);
    if (about.len > 0) {
        tk_json_key(json, TK_STR("description"));
        tk_json_string(json, about);
    }
    tk_json_object_end(json);
}

static void
write_query_param(struct tk_json_writer *json, tk_str name)
{
    for (size_t i = 0; i < sizeof params / sizeof *params; i++)
        if (tk_str_eq(name, tk_str_from(params[i].name)))
            write_param(json, "query", tk_str_from(params[i].query), tk_str_from(params[i].schema),
                        tk_str_from(params[i].about));
}

static void
write_params(struct tk_json_writer *json, const struct tk_route *route)
{
    tk_str path = tk_str_from(route->path), names = tk_str_from(route->params);
    tk_json_key(json, TK_STR("parameters"));
    tk_json_array(json);
    while (path.len > 0) {
        tk_str segment = tk_str_split(&path, '/');
        if (segment.len > 2 && segment.ptr[0] == '{')
            write_param(json, "path", (tk_str){segment.ptr + 1, segment.len - 2},
                        TK_STR("{\"type\":\"string\"}"), TK_STR(""));
    }
    while (names.len > 0)
        write_query_param(json, tk_str_split(&names, ' '));
    tk_json_array_end(json);
}

/* "content": one entry for each media type, each with the schema. */
static void
write_content(struct tk_json_writer *json, tk_str media_types, tk_str schema)
{
    open_member(json, "content");
    while (media_types.len > 0) {
        tk_json_key(json, tk_str_split(&media_types, ' '));
        tk_json_object(json);
        open_member(json, "schema");
        tk_json_key(json, TK_STR("$ref"));
        struct tk_buf ref;
        tk_buf_init(&ref, 256);
        tk_buf_printf(&ref, "#/components/schemas/%.*s", TK_STR_ARG(schema));
        tk_json_string(json, tk_buf_str(&ref));
        tk_buf_release(&ref);
        tk_json_object_end(json);
        tk_json_object_end(json);
    }
    tk_json_object_end(json);
}

static tk_str
media_types(const struct tk_route *route)
{
    tk_str path = tk_str_from(route->path);
    if (tk_str_ends_with(path, TK_STR("/Export")))
        return TK_STR("application/grpc");
    if (tk_str_starts_with(path, TK_STR("/v1/")))
        return TK_STR("application/x-protobuf application/json");
    if (tk_str_ends_with(path, TK_STR("/columns")))
        return TK_STR("application/vnd.tracekit.columns");
    if (tk_str_eq(path, TK_STR("/metrics")))
        return TK_STR("text/plain");
    if (tk_str_ends_with(path, TK_STR("/tail")))
        return TK_STR("text/event-stream");
    return TK_STR("application/json");
}

static void
write_answers(struct tk_json_writer *json, const struct tk_route *route)
{
    tk_str answer = tk_str_from(route->answer);
    bool ingest = route->access == TK_ACCESS_INGEST;
    open_member(json, "responses");
    tk_json_key(json, tk_str_split(&answer, ' '));
    tk_json_object(json);
    member(json, "description", "Done");
    if (answer.len > 0)
        write_content(json, media_types(route), answer);
    tk_json_object_end(json);
    for (size_t i = 0; i < sizeof error_answers / sizeof *error_answers; i++) {
        char status[16];
        if ((error_answers[i].access & 1u << route->access) == 0)
            continue;
        (void)snprintf(status, sizeof status, "%d", error_answers[i].status);
        open_member(json, status);
        member(json, "description", error_answers[i].about);
        write_content(json, ingest ? media_types(route) : TK_STR("application/problem+json"),
                      ingest ? TK_STR("Status") : TK_STR("Problem"));
        tk_json_object_end(json);
    }
    tk_json_object_end(json);
}

static void
write_security(struct tk_json_writer *json, const struct tk_route *route)
{
    static const char *const schemes[] = {"apiKey", "bearer", "session"};
    size_t count = route->access == TK_ACCESS_INGEST ? 2 : 3; /* ingest takes no session */
    tk_json_key(json, TK_STR("security"));
    tk_json_array(json);
    for (size_t i = 0; i < count && route->access != TK_ACCESS_PUBLIC; i++) {
        tk_json_object(json);
        tk_json_key(json, tk_str_from(schemes[i]));
        tk_json_array(json);
        tk_json_array_end(json);
        tk_json_object_end(json);
    }
    tk_json_array_end(json);
}

static void
write_route(struct tk_json_writer *json, const struct tk_route *route)
{
    char method[8] = {0};
    for (size_t i = 0; route->method[i] != '\0' && i < sizeof method - 1; i++)
        method[i] = (char)(route->method[i] | 0x20);
    open_member(json, method);
    member(json, "summary", route->summary);
    member(json, "description", access_texts[route->access]);
    write_security(json, route);
    write_params(json, route);
    if (route->body != NULL) {
        open_member(json, "requestBody");
        tk_json_key(json, TK_STR("required"));
        tk_json_bool(json, true);
        write_content(json, media_types(route), tk_str_from(route->body));
        tk_json_object_end(json);
    }
    write_answers(json, route);
    tk_json_object_end(json);
}

static bool
stands_before(size_t index)
{
    for (size_t i = 0; i < index; i++)
        if (strcmp(tk_routes[i].path, tk_routes[index].path) == 0)
            return true;
    return false;
}

static void
write_paths(struct tk_json_writer *json)
{
    open_member(json, "paths");
    for (size_t i = 0; i < tk_route_count; i++) {
        if (stands_before(i))
            continue;
        open_member(json, tk_routes[i].path);
        for (size_t k = i; k < tk_route_count; k++)
            if (strcmp(tk_routes[k].path, tk_routes[i].path) == 0)
                write_route(json, &tk_routes[k]);
        tk_json_object_end(json);
    }
    tk_json_object_end(json);
}

void
tk_route_openapi(struct tk_call *call)
{
    struct tk_json_writer json;
    struct tk_buf body;
    tk_buf_init(&body, TK_REPLY_SIZE_MAX);
    tk_json_writer_init(&json, &body);
    tk_json_object(&json);
    member(&json, "openapi", "3.0.3");
    open_member(&json, "info");
    member(&json, "title", "TraceKit");
    member(&json, "version", TK_VERSION);
    member(&json, "description",
           "Times are RFC 3339 or integer nanoseconds since the epoch; answers carry nanoseconds "
           "as decimal strings, ids as lower-case hexadecimal. Under --dev, requests from "
           "loopback need no key.");
    tk_json_object_end(&json);
    write_paths(&json);
    tk_json_key(&json, TK_STR("components"));
    tk_json_raw(&json, tk_str_from(tk_openapi_components));
    tk_json_object_end(&json);
    tk_reply_json(call, 200, &body);
}
