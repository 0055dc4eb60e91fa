/*
 * api - from a request to its route.
 *
 * on_head: find the route, find out who calls, refuse what can be refused before a body is read.
 * on_request: run the route, on the loop or on a worker.  A call lives in its request's arena, and
 * belongs to whoever handles the request: first the loop, then a worker or the store's thread,
 * until somebody replies.
 */
#include "api/private.h"
#include "api/tail.h"

#include <stdlib.h>

enum tk_err
tk_api_new(const struct tk_api_options *options, struct tk_api **ret_api, struct tk_error *err)
{
    struct tk_api *api = calloc(1, sizeof *api);
    if (api == NULL)
        return tk_error_set(err, TK_ERR_MEMORY, "out of memory");
    api->options = *options;
    enum tk_err result = tk_tails_new(options->store, options->env, &api->tails, err);
    if (result != TK_OK) {
        free(api);
        return result;
    }
    tk_opened_last_init(&api->opened, options->opened_max);
    *ret_api = api;
    return TK_OK;
}

void
tk_api_stop(struct tk_api *api)
{
    tk_tails_stop(api->tails);
}

void
tk_api_free(struct tk_api *api)
{
    tk_tails_free(api->tails);
    tk_opened_last_release(&api->opened);
    free(api);
}

void
tk_api_set_server(struct tk_api *api, const struct tk_server *server)
{
    atomic_store(&api->server, server);
}

const struct tk_api_options *
tk_api_options(const struct tk_api *api)
{
    return &api->options;
}

/* Where clients of other protocols knock: what they could send instead, or NULL. */
static const char *
not_taken(tk_str path)
{
    static const struct {
        const char *path, *instead;
    } doors[] = {
        {"/api/v1/spans", "Zipkin v1 is not taken; send Zipkin v2 as JSON to /api/v2/spans, or "
                          "OTLP to /v1/traces"},
        {"/api/traces", "Jaeger's Thrift is not taken; send OTLP to /v1/traces"},
        {"/v1/metrics", "metrics are not kept; spans go to /v1/traces"},
        {"/v1/logs", "logs are not kept; spans go to /v1/traces"},
    };
    for (size_t i = 0; i < sizeof doors / sizeof *doors; i++)
        if (tk_str_eq(path, tk_str_from(doors[i].path)))
            return doors[i].instead;
    return NULL;
}

/* No route for this path and method: a preflight, a page, or an error. */
static void
answer_unrouted(struct tk_call *call)
{
    struct tk_request *request = call->request;
    tk_str methods = tk_route_methods(request->path, &request->arena);
    if (methods.len == 0) {
        const char *instead = not_taken(request->path);
        tk_reply_problem(call, 404, "Not found", "there is no %.*s%s%s", TK_STR_ARG(request->path),
                         instead != NULL ? ": " : "", instead != NULL ? instead : "");
    } else if (tk_str_eq(request->method, TK_STR("OPTIONS"))) {
        tk_cors_preflight(call, methods);
    } else {
        tk_reply_header(call, TK_STR("allow"), methods);
        tk_reply_problem(call, 405, "Method not allowed", "%.*s takes %.*s",
                         TK_STR_ARG(request->path), TK_STR_ARG(methods));
    }
}

static size_t
on_head(void *arg, struct tk_request *request)
{
    struct tk_call *call = tk_arena_zalloc(&request->arena, 1, sizeof *call);
    if (call == NULL) {
        tk_request_respond(request, &(struct tk_response){.status = 503, .grpc_status = 14});
        return TK_BODY_ANSWERED;
    }
    request->user = call;
    call->api = arg;
    call->request = request;
    call->route = tk_route_find(request->method, request->path, &request->arena, call->args);
    if (call->route == NULL)
        call->route = tk_page_find(request);
    tk_cors_begin(call);
    if (call->route == NULL) {
        answer_unrouted(call);
        return TK_BODY_ANSWERED;
    }
    if (!tk_authorize(call))
        return TK_BODY_ANSWERED;
    return call->route->head != NULL ? call->route->head(call) : TK_JSON_BODY_MAX;
}

static void
run(struct tk_request *request, void *arg)
{
    struct tk_call *call = arg;
    (void)request;
    call->route->function(call);
}

static void
on_request(void *arg, struct tk_request *request)
{
    struct tk_call *call = request->user;
    (void)arg;
    if (call->route->run == TK_RUN_LOOP)
        call->route->function(call);
    else if (tk_request_offload(request, run, call) != TK_OK)
        tk_reply_problem(call, 503, "Busy", "too many queries are waiting; try again");
}

struct tk_server_handler
tk_api_handler(struct tk_api *api)
{
    return (struct tk_server_handler){
        .arg = api, .on_head = on_head, .on_request = on_request, .on_refused = tk_reply_refused};
}
