/*
 * cors - which web pages may send spans here (Fetch Standard, CORS protocol).
 *
 * Only ingest is open to other origins; pages of the world cannot read the query API.  An origin is
 * let in when any browser key names it (a preflight carries no key, so it cannot be asked for one),
 * under --dev every loopback origin.  Whether the key that then comes may be used from there is
 * auth.c's question.
 */
#include "api/private.h"

void
tk_cors_begin(struct tk_call *call)
{
    struct tk_request *request = call->request;
    const struct tk_api_options *options = &call->api->options;
    tk_str origin = tk_request_header(request, TK_STR("origin"));
    const struct tk_route *route = call->route;
    tk_str args[TK_PATH_ARGS_MAX];
    if (origin.len == 0)
        return;
    if (route == NULL) /* a preflight asks with OPTIONS for the method that it names */
        route = tk_route_find(tk_request_header(request, TK_STR("access-control-request-method")),
                              request->path, &request->arena, args);
    if (route == NULL || route->access != TK_ACCESS_INGEST)
        return;
    if ((options->dev && request->loopback && tk_origin_is_loopback(origin)) ||
        tk_account_origin_known(options->account, origin))
        call->cors_origin = origin;
}

void
tk_cors_preflight(struct tk_call *call, tk_str methods)
{
    tk_str origin = tk_request_header(call->request, TK_STR("origin"));
    if (origin.len > 0 && call->cors_origin.len == 0) {
        tk_reply_problem(call, 403, "Origin not allowed", "no browser key names the origin %.*s",
                         TK_STR_ARG(origin));
        return;
    }
    tk_reply_header(call, TK_STR("allow"), methods);
    if (call->cors_origin.len > 0) {
        tk_reply_header(call, TK_STR("access-control-allow-methods"), TK_STR("POST"));
        tk_reply_header(call, TK_STR("access-control-allow-headers"),
                        TK_STR("content-type, x-api-key, authorization, x-sdk, x-sdk-version, "
                               "content-encoding, traceparent, tracestate"));
        tk_reply_header(call, TK_STR("access-control-max-age"), TK_STR("7200"));
    }
    tk_reply_empty(call, 204);
}
