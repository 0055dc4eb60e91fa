/*
 * http - spans of requests, with the names of OpenTelemetry's stable conventions for HTTP (1.23 and
 * later).
 */
#include "record.h"
#include "tracer.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

/* What a client can invent is kept out of names and of attributes that are counted. */
static bool
known_method(const char *method)
{
    static const char *const methods[] = {"GET",    "HEAD",    "POST",    "PUT",   "PATCH",
                                          "DELETE", "CONNECT", "OPTIONS", "TRACE", "QUERY"};
    for (size_t i = 0; i < sizeof methods / sizeof methods[0]; i++)
        if (strcmp(method, methods[i]) == 0)
            return true;
    return false;
}

static const char *
method_name(const char *method)
{
    return method != NULL && known_method(method) ? method : "HTTP";
}

static void
set_method(tracekit_span *span, const char *method)
{
    if (method == NULL)
        return;
    bool known = known_method(method);
    tracekit_set_string(span, "http.request.method", known ? method : "_OTHER");
    if (!known)
        tracekit_set_string(span, "http.request.method_original", method);
}

/* `port_default` is what the scheme implies, -1 for none. */
static void
set_address(tracekit_span *span, const char *where, int port_default)
{
    char host[256];
    int port;
    if (where == NULL || !tk_url_host(where, host, &port))
        return;
    tracekit_set_string(span, "server.address", host);
    if (port < 0)
        port = port_default;
    if (port >= 0)
        tracekit_set_int(span, "server.port", port);
}

void
tracekit_set_route(tracekit_span *span, const char *method, const char *route)
{
    char name[512];
    if (!tracekit_is_recording(span) || route == NULL)
        return;
    snprintf(name, sizeof name, "%s %s", method_name(method), route);
    tracekit_set_name(span, name);
    tracekit_set_string(span, "http.route", route);
}

tracekit_span *
tracekit_start_server(const tracekit_request *request, const tracekit_context *caller)
{
    static const tracekit_request unknown;
    if (request == NULL)
        request = &unknown;
    tracekit_span *span = tracekit_start_from(caller, method_name(request->method));
    tracekit_set_kind(span, TRACEKIT_SERVER);
    if (!tracekit_is_recording(span))
        return span;
    tracekit_set_route(span, request->method, request->route);
    set_method(span, request->method);
    tracekit_set_string(span, "url.scheme", request->scheme);
    tracekit_set_string(span, "url.path", request->path);
    if (request->query != NULL && request->query[0] != '\0') {
        char query[TK_URL_MAX];
        size_t size = tk_url_redact_query(request->query, query);
        tracekit_set_string_n(span, "url.query", strlen("url.query"), query, size);
    }
    set_address(span, request->host, -1);
    tracekit_set_string(span, "client.address", request->client_address);
    tracekit_set_string(span, "user_agent.original", request->user_agent);
    return span;
}

tracekit_span *
tracekit_start_client(const tracekit_span *parent, const char *method, const char *url,
                      tracekit_headers *ret_headers)
{
    tracekit_span *span = tracekit_start_child(parent, method_name(method));
    tracekit_set_kind(span, TRACEKIT_CLIENT);
    bool sent = url != NULL && tk_targets_match(&tk_tracer.config.targets, url);
    if (ret_headers != NULL)
        tracekit_inject(sent ? span : NULL, ret_headers);
    if (!tracekit_is_recording(span))
        return span;
    set_method(span, method);
    if (url != NULL) {
        char redacted[TK_URL_MAX];
        size_t size = tk_url_redact(url, redacted);
        tracekit_set_string_n(span, "url.full", strlen("url.full"), redacted, size);
        set_address(span, url, strncasecmp(url, "https:", 6) == 0 ? 443 : 80);
    }
    return span;
}

void
tracekit_set_http_status(tracekit_span *span, int status)
{
    char text[16];
    if (!tracekit_is_recording(span))
        return;
    tracekit_set_int(span, "http.response.status_code", status);
    if (status < (span->identity.kind == TRACEKIT_SERVER ? 500 : 400) || span->record.failed)
        return;
    snprintf(text, sizeof text, "%d", status);
    tracekit_set_string(span, "error.type", text);
    tracekit_set_status(span, TRACEKIT_STATUS_ERROR, NULL);
}
