/*
 * routes - the one table of what can be asked of this server, and finding a row of it.
 *
 * A path is literal segments and {names}, which take one segment each.  GET routes answer HEAD too.
 */
#include "api/private.h"

#define READ TK_ACCESS_READ, TK_RUN_WORKER
#define ADMIN TK_ACCESS_ADMIN, TK_RUN_WORKER
#define PUBLIC TK_ACCESS_PUBLIC
#define INGEST(function) TK_ACCESS_INGEST, TK_RUN_LOOP, function, tk_ingest_head

/* What comes most stands first. */
const struct tk_route tk_routes[] = {
    {"POST", "/v1/traces", INGEST(tk_route_ingest),
     "Takes spans: OTLP over HTTP, protobuf or JSON, plain or gzip, deflate, zstd", "api_key",
     "ExportTraceServiceRequest", "200 ExportTraceServiceResponse"},
    {"POST", "/opentelemetry.proto.collector.trace.v1.TraceService/Export", INGEST(tk_route_ingest),
     "Takes spans: OTLP over gRPC", "", "ExportTraceServiceRequest",
     "200 ExportTraceServiceResponse"},
    {"POST", "/api/v2/spans", INGEST(tk_route_ingest), "Takes spans: Zipkin JSON v2", "api_key",
     "ZipkinSpans", "202"},
    /* Some clients append the path to an endpoint that already ends in it. */
    {"POST", "/v1/traces/v1/traces", INGEST(tk_route_ingest),
     "The same as /v1/traces, for clients that append the path to a whole URL", "api_key",
     "ExportTraceServiceRequest", "200 ExportTraceServiceResponse"},

    {"GET", "/api/v1/traces", READ, tk_route_traces, NULL,
     "Searches traces, newest first by start, ties by trace id ascending",
     "q start end limit cursor project", NULL, "200 TraceList"},
    {"GET", "/api/v1/traces/{traceId}", READ, tk_route_trace, NULL,
     "One trace, its spans in display order and the rows of its waterfall", "format gaps project",
     NULL, "200 Trace"},
    {"GET", "/api/v1/traces/{traceId}/columns", READ, tk_route_trace_columns, NULL,
     "The rows of a trace as binary columns, docs/formats/columns.md: for traces of any size",
     "view rows_offset rows_limit ids project", NULL, "200 Columns"},
    {"GET", "/api/v1/traces/{traceId}/spans/{spanId}", READ, tk_route_trace_span, NULL,
     "One span with its resource and scope", "project", NULL, "200 SingleSpan"},
    {"GET", "/api/v1/traces/{traceId}/findings", READ, tk_route_trace_findings, NULL,
     "Why is it not connected?  What the doctor says of one trace: docs/findings.md has its rules",
     "project", NULL, "200 TraceFindings"},
    {"GET", "/api/v1/findings", READ, tk_route_findings, NULL,
     "The same of a project, by a sample of its traces", "sample_start sample_end sample project",
     NULL, "200 ProjectFindings"},
    {"GET", "/api/v1/compare", READ, tk_route_compare, NULL,
     "Why the second trace took longer than the first: each operation's time on the critical paths "
     "of both; the changes add up to the change of the whole",
     "first second first_span second_span project", NULL, "200 Comparison"},
    {"GET", "/api/v1/differences", READ, tk_route_differences, NULL,
     "What is special about the spans that q selects: values that are more frequent among them "
     "than among the rest; docs/query.md tells of the score",
     "q span_start span_end rest rest_start rest_end differences_limit project", NULL,
     "200 Differences"},
    {"GET", "/api/v1/tail", READ, tk_route_tail, NULL,
     "Server-sent events: a Summary whenever spans of a trace that the query selects arrive; says "
     "how many were dropped for who reads too slowly",
     "q project", NULL, "200 EventStream"},
    {"GET", "/api/v1/metrics", READ, tk_route_metrics_query, NULL,
     "Numbers over time of the spans that a query selects: rate, errors, latencies, or what its "
     "function says",
     "q metrics_start metrics_end step by project", NULL, "200 Metrics"},
    {"GET", "/api/v1/services", READ, tk_route_services, NULL, "The services seen",
     "q start end project", NULL, "200 ServiceList"},
    {"GET", "/api/v1/services/{name}/operations", READ, tk_route_operations, NULL,
     "The operations of a service with their latencies", "q start end project", NULL,
     "200 OperationList"},
    {"GET", "/api/v1/map", READ, tk_route_map, NULL,
     "Who calls whom: services, databases, queues and other hosts, and the calls between them, of "
     "the newest traces; a cut map starts with the oldest of them",
     "sample_start sample_end map_sample project", NULL, "200 ServiceMap"},
    {"GET", "/api/v1/tags", READ, tk_route_tags, NULL, "The attribute keys seen",
     "prefix q project", NULL, "200 TagList"},
    {"GET", "/api/v1/tags/{key}/values", READ, tk_route_tag_values, NULL,
     "The values of an attribute key, the most frequent first",
     "prefix q start end values_limit project", NULL, "200 ValueList"},

    {"GET", "/api/v1/whoami", READ, tk_route_whoami, NULL,
     "Who the caller is, and what they may see", "project", NULL, "200 Whoami"},
    {"GET", "/api/v1/projects", READ, tk_route_projects, NULL,
     "The projects one may see: what is kept of each, and what it takes; and what the server keeps",
     "", NULL, "200 ProjectList"},
    {"POST", "/api/v1/projects", ADMIN, tk_route_project_create, NULL, "Makes a project", "",
     "ProjectRequest", "201 Project"},
    {"PATCH", "/api/v1/projects/{name}", ADMIN, tk_route_project_change, NULL,
     "Says what is kept of a project; a member that is left out stays as it is", "",
     "ProjectChange", "200 Project"},
    {"GET", "/api/v1/projects/{name}/due", ADMIN, tk_route_project_due, NULL,
     "What would be deleted at once if these were the project's limits; changes nothing",
     "retention disk", NULL, "200 Due"},
    {"DELETE", "/api/v1/projects/{name}", ADMIN, tk_route_project_delete, NULL,
     "Deletes a project, its keys and its data", "", NULL, "204"},
    {"GET", "/api/v1/keys", ADMIN, tk_route_keys, NULL,
     "The keys of a project, revoked ones too; without ?project= all that one may manage",
     "project", NULL, "200 KeyList"},
    {"POST", "/api/v1/keys", ADMIN, tk_route_key_create, NULL,
     "Makes a key; the answer shows it, once", "", "KeyRequest", "201 NewKey"},
    {"DELETE", "/api/v1/keys/{id}", ADMIN, tk_route_key_revoke, NULL, "Revokes a key", "", NULL,
     "204"},
    {"POST", "/api/v1/session", PUBLIC, TK_RUN_WORKER, tk_route_session_create, NULL,
     "Signs in with a read or admin key: sets the session cookie", "", "SessionRequest",
     "200 Signed"},
    {"DELETE", "/api/v1/session", PUBLIC, TK_RUN_WORKER, tk_route_session_end, NULL, "Signs out",
     "", NULL, "204"},
    {"GET", "/signin", PUBLIC, TK_RUN_WORKER, tk_route_signin, NULL,
     "Where a one-time sign-in link leads", "token", NULL, "303"},

    {"GET", "/api/v1/openapi.json", PUBLIC, TK_RUN_WORKER, tk_route_openapi, NULL,
     "This description", "", NULL, "200 Object"},
    {"GET", "/healthz", PUBLIC, TK_RUN_LOOP, tk_route_healthz, NULL, "Alive?", "", NULL,
     "200 Health"},
    {"GET", "/readyz", PUBLIC, TK_RUN_WORKER, tk_route_readyz, NULL,
     "Ready for spans: the store is open and the disk is not full?", "", NULL, "200 Health"},
    {"GET", "/metrics", PUBLIC, TK_RUN_WORKER, tk_route_metrics, NULL,
     "The server's own numbers, for Prometheus", "", NULL, "200 Prometheus"},
};
const size_t tk_route_count = sizeof tk_routes / sizeof *tk_routes;

/* Does `path` fit `pattern`?  args are the raw segments. */
static bool
path_fits(const char *pattern, tk_str path, tk_str args[TK_PATH_ARGS_MAX])
{
    tk_str left = tk_str_from(pattern);
    size_t arg_count = 0;
    while (left.len > 0 && path.len > 0) {
        bool last = memchr(left.ptr, '/', left.len) == NULL;
        if (last != (memchr(path.ptr, '/', path.len) == NULL))
            return false;
        tk_str wanted = tk_str_split(&left, '/'), found = tk_str_split(&path, '/');
        if (wanted.len > 0 && wanted.ptr[0] == '{') {
            if (found.len == 0)
                return false;
            args[arg_count++] = found;
        } else if (!tk_str_eq(wanted, found)) {
            return false;
        }
        if (last)
            return true;
    }
    return false;
}

static bool
method_fits(const char *method, tk_str asked)
{
    if (tk_str_eq(asked, TK_STR("HEAD")))
        asked = TK_STR("GET");
    return tk_str_eq(tk_str_from(method), asked);
}

const struct tk_route *
tk_route_find(tk_str method, tk_str path, struct tk_arena *arena, tk_str args[TK_PATH_ARGS_MAX])
{
    for (size_t i = 0; i < tk_route_count; i++) {
        const struct tk_route *route = &tk_routes[i];
        tk_str raw[TK_PATH_ARGS_MAX] = {0};
        if (!method_fits(route->method, method) || !path_fits(route->path, path, raw))
            continue;
        for (size_t k = 0; k < TK_PATH_ARGS_MAX; k++)
            args[k] = raw[k].len > 0 ? tk_percent_decode(arena, raw[k], false) : TK_STR_NONE;
        return route;
    }
    return NULL;
}

tk_str
tk_route_methods(tk_str path, struct tk_arena *arena)
{
    tk_str methods = TK_STR("");
    for (size_t i = 0; i < tk_route_count; i++) {
        const struct tk_route *route = &tk_routes[i];
        tk_str raw[TK_PATH_ARGS_MAX];
        if (path_fits(route->path, path, raw))
            methods =
                tk_arena_printf(arena, "%.*s%s, ", TK_STR_ARG(methods),
                                strcmp(route->method, "GET") == 0 ? "GET, HEAD" : route->method);
    }
    return methods.len > 0 ? tk_arena_printf(arena, "%.*sOPTIONS", TK_STR_ARG(methods)) : methods;
}
