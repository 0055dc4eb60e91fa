/*
 * auth - who calls, and is this route open to them?
 *
 *                 server key  browser key  read key  admin key  session       --dev, loopback
 *   ingest        yes         (1)          403       403        401           (2)
 *   read          403         403          yes       yes        yes           (2)
 *   admin         403         403          403       yes        of admin (3)  (2)
 *
 *  (1) from its origins, at a limited rate.
 *  (2) without a key; a key that is there counts.  A page of another site can make the browser of
 *      somebody on this machine call us, directly or by pointing its own name at 127.0.0.1 (DNS
 *      rebinding), so the Host and, when there is one, the Origin must be loopback too.
 *  (3) what changes something needs the header X-TraceKit-CSRF: 1, which no other site's page can
 *      send.
 */
#include "api/private.h"

#include <arpa/inet.h>

bool
tk_host_is_loopback(tk_str host)
{
    char text[INET_ADDRSTRLEN];
    struct in_addr address;
    if (tk_str_starts_with(host, TK_STR("[::1]")))
        return host.len == 5 || host.ptr[5] == ':';
    host = tk_str_split(&host, ':');
    if (tk_str_eq_nocase(host, TK_STR("localhost")))
        return true;
    if (host.len > 10 &&
        tk_str_eq_nocase((tk_str){host.ptr + host.len - 10, 10}, TK_STR(".localhost")))
        return true;
    if (host.len == 0 || host.len >= sizeof text)
        return false;
    memcpy(text, host.ptr, host.len);
    text[host.len] = '\0';
    return inet_pton(AF_INET, text, &address) == 1 && ntohl(address.s_addr) >> 24 == 127;
}

bool
tk_origin_is_loopback(tk_str origin)
{
    if (tk_str_starts_with(origin, TK_STR("http://")))
        return tk_host_is_loopback((tk_str){origin.ptr + 7, origin.len - 7});
    if (tk_str_starts_with(origin, TK_STR("https://")))
        return tk_host_is_loopback((tk_str){origin.ptr + 8, origin.len - 8});
    return false;
}

/* An empty header is what a client without a key sends: no key. */
static tk_str
find_key(struct tk_request *request, bool *ret_in_address)
{
    tk_str key = tk_request_header(request, TK_STR("x-api-key"));
    *ret_in_address = false;
    if (key.len > 0)
        return key;
    tk_str value = tk_request_header(request, TK_STR("authorization"));
    if (value.len > 7 && tk_str_eq_nocase((tk_str){value.ptr, 7}, TK_STR("bearer ")))
        return tk_str_trim((tk_str){value.ptr + 7, value.len - 7});
    key = tk_request_param(request, TK_STR("api_key"));
    *ret_in_address = key.len > 0;
    return key;
}

static bool
refuse(struct tk_call *call, int status, const char *detail)
{
    if (status == 401)
        tk_reply_header(call, TK_STR("www-authenticate"), TK_STR("Bearer"));
    tk_reply_problem(call, status, status == 401 ? "Unauthorized" : "Forbidden", "%s", detail);
    return false;
}

static bool
identify_key(struct tk_call *call, tk_str key, bool in_address)
{
    if (tk_account_authenticate(call->api->options.account, key, &call->identity) != TK_OK)
        return refuse(call, 401, "unknown or revoked key");
    call->credential = TK_CREDENTIAL_KEY;
    if (in_address && call->identity.kind != TK_KEY_BROWSER)
        return refuse(call, 403, "only a browser key may stand in the address");
    return true;
}

static bool
identify_dev(struct tk_call *call)
{
    struct tk_request *request = call->request;
    tk_str origin = tk_request_header(request, TK_STR("origin"));
    if (!tk_host_is_loopback(tk_request_header(request, TK_STR("host"))))
        return refuse(call, 403, "without a key the Host must be a loopback name or address");
    if (origin.len > 0 && !tk_origin_is_loopback(origin))
        return refuse(call, 403, "without a key the Origin must be a loopback one");
    tk_str name = TK_STR("default");
    call->credential = TK_CREDENTIAL_DEV;
    call->identity = (struct tk_identity){.kind = TK_KEY_ADMIN, .all_projects = true};
    memcpy(call->identity.project, name.ptr, name.len);
    if (tk_account_project_find(call->api->options.account, name, &call->identity.project_id) !=
        TK_OK)
        call->identity.project_id = 0; /* deleted; ?project= may name another */
    return true;
}

static bool
identify(struct tk_call *call)
{
    const struct tk_api_options *options = &call->api->options;
    bool in_address;
    tk_str key = find_key(call->request, &in_address);
    if (key.len > 0)
        return identify_key(call, key, in_address);
    if (call->route->access != TK_ACCESS_INGEST &&
        tk_account_session(options->account, tk_session_cookie(call->request), &call->identity) ==
            TK_OK) {
        call->credential = TK_CREDENTIAL_SESSION;
        return true;
    }
    if (options->dev && call->request->loopback)
        return identify_dev(call);
    return refuse(call, 401,
                  call->route->access == TK_ACCESS_INGEST
                      ? "no API key: send it as X-API-Key or Authorization: Bearer"
                      : "no API key and not signed in");
}

/* ?project=: for those who may see several. */
static bool
choose_project(struct tk_call *call)
{
    struct tk_identity *identity = &call->identity;
    tk_str name = tk_request_param(call->request, TK_STR("project"));
    if (name.len == 0 || tk_str_eq(name, tk_str_from(identity->project))) {
        if (identity->project_id != 0 || call->route->access == TK_ACCESS_ADMIN)
            return true;
        tk_reply_problem(call, 404, "Not found", "there is no project `%s`", identity->project);
        return false;
    }
    if (!identity->all_projects)
        return refuse(call, 403, "the key belongs to another project");
    if (name.len > TK_PROJECT_NAME_MAX ||
        tk_account_project_find(call->api->options.account, name, &identity->project_id) != TK_OK) {
        tk_reply_problem(call, 404, "Not found", "there is no project `%.*s`", TK_STR_ARG(name));
        return false;
    }
    memset(identity->project, 0, sizeof identity->project);
    memcpy(identity->project, name.ptr, name.len);
    return true;
}

/* The table above. */
static bool
kind_fits(const struct tk_call *call)
{
    enum tk_key_kind kind = call->identity.kind;
    switch (call->route->access) {
    case TK_ACCESS_INGEST:
        return kind == TK_KEY_SERVER || kind == TK_KEY_BROWSER ||
               call->credential == TK_CREDENTIAL_DEV;
    case TK_ACCESS_READ:
        return kind == TK_KEY_READ || kind == TK_KEY_ADMIN;
    case TK_ACCESS_ADMIN:
        return kind == TK_KEY_ADMIN;
    case TK_ACCESS_PUBLIC:
        break;
    }
    return true;
}

static bool
check_kind(struct tk_call *call)
{
    static const char *const wanted[] = {
        [TK_ACCESS_INGEST] = "spans are sent with a server or browser key",
        [TK_ACCESS_READ] = "this is read with a read or admin key",
        [TK_ACCESS_ADMIN] = "this is managed with an admin key",
    };
    if (kind_fits(call))
        return true;
    tk_reply_problem(call, 403, "Forbidden", "this is %s %s key; %s",
                     call->identity.kind == TK_KEY_ADMIN ? "an" : "a",
                     tk_key_kind_text(call->identity.kind), wanted[call->route->access]);
    return false;
}

static bool
check_browser(struct tk_call *call)
{
    const struct tk_api_options *options = &call->api->options;
    tk_str origin = tk_request_header(call->request, TK_STR("origin"));
    bool local = options->dev && call->request->loopback && tk_origin_is_loopback(origin);
    if (!local && !tk_account_origin_allowed(options->account, call->identity.key_id, origin)) {
        if (origin.len == 0)
            return refuse(call, 403, "a browser key is taken from a page, with its Origin header");
        tk_reply_problem(call, 403, "Forbidden", "the browser key does not allow the origin `%.*s`",
                         TK_STR_ARG(origin));
        return false;
    }
    if (!tk_limit_take(&call->api->browser_limit, call->identity.key_id,
                       options->env->mono_nano(options->env))) {
        tk_reply_problem(call, 429, "Too many requests",
                         "a browser key may make %d requests a second", TK_BROWSER_REQUESTS_PER_S);
        return false;
    }
    return true;
}

/* A cookie comes along whoever wrote the form; the header cannot be set from another site. */
static bool
check_csrf(struct tk_call *call)
{
    struct tk_request *request = call->request;
    if (strcmp(call->route->method, "GET") == 0 ||
        tk_str_eq(tk_request_header(request, TK_STR("x-tracekit-csrf")), TK_STR("1")))
        return true;
    return refuse(call, 403, "a change by a signed-in session needs the header X-TraceKit-CSRF: 1");
}

bool
tk_authorize(struct tk_call *call)
{
    if (call->route->access == TK_ACCESS_PUBLIC)
        return true;
    if (!identify(call) || !check_kind(call) || !choose_project(call))
        return false;
    if (call->credential == TK_CREDENTIAL_KEY && call->identity.kind == TK_KEY_BROWSER)
        return check_browser(call);
    return call->credential != TK_CREDENTIAL_SESSION || check_csrf(call);
}
