/* verify_browser - what a browser would refuse; see verify.h. */
#include "cli/verify.h"

#define FIX_ORIGIN                                                                                 \
    TK_STR("allow this origin in the backend's CORS set-up; without it a browser shows the page "  \
           "nothing of the answer")

/* Is `name` one of the names in a list with commas? */
static bool
lists(tk_str list, const char *name)
{
    while (list.len > 0)
        if (tk_str_eq_nocase(tk_str_trim(tk_str_split(&list, ',')), tk_str_from(name)))
            return true;
    return false;
}

/* "http://host:port" of a URL, as an Origin header has it. */
static tk_str
origin_of(const char *url)
{
    tk_str text = tk_str_from(url);
    const char *host = strstr(url, "://");
    if (host == NULL)
        return text;
    size_t end = (size_t)(host - url) + 3;
    end += strcspn(url + end, "/?#");
    text.len = end;
    return text;
}

static bool
allows_credentials(struct tk_client *client)
{
    return tk_str_eq(tk_client_header(client, "access-control-allow-credentials", NULL),
                     TK_STR("true"));
}

static void
check_origin(struct tk_verify *verify, struct tk_client *client, const char *answer)
{
    size_t count;
    tk_str allowed = tk_client_header(client, "access-control-allow-origin", &count);
    if (count == 0) {
        tk_verify_add(verify, "cors-origin", FIX_ORIGIN,
                      "the %s has no Access-Control-Allow-Origin: a page of %s may not call %s",
                      answer, verify->origin, verify->url);
    } else if (count > 1 || memchr(allowed.ptr, ',', allowed.len) != NULL) {
        tk_verify_add(verify, "cors-origin",
                      TK_STR("set the header in one place: the application or the proxy before it"),
                      "the %s names more than one Access-Control-Allow-Origin; browsers refuse it",
                      answer);
    } else if (tk_str_eq(allowed, TK_STR("*"))) {
        if (allows_credentials(client))
            tk_verify_add(verify, "cors-credentials",
                          TK_STR("name the origin instead of `*` where credentials are allowed"),
                          "the %s allows `*` together with credentials; browsers refuse that",
                          answer);
    } else if (!tk_str_eq(allowed, tk_str_from(verify->origin))) {
        tk_verify_add(verify, "cors-origin", FIX_ORIGIN, "the %s allows the origin %.*s, not %s",
                      answer, TK_STR_ARG(allowed), verify->origin);
    }
}

static void
check_headers(struct tk_verify *verify, struct tk_client *client)
{
    static const char *const needed[] = {"traceparent", "tracestate"};
    tk_str allowed = tk_client_header(client, "access-control-allow-headers", NULL);
    bool any = lists(allowed, "*") && !allows_credentials(client);
    for (size_t i = 0; i < sizeof needed / sizeof *needed; i++)
        if (!any && !lists(allowed, needed[i]))
            tk_verify_add(verify, "cors-headers",
                          TK_STR("add 'traceparent' and 'tracestate' to the allowed headers of the "
                                 "backend's CORS set-up"),
                          "the preflight's Access-Control-Allow-Headers does not name %s%s%.*s",
                          needed[i], allowed.len > 0 ? ": " : "", TK_STR_ARG(allowed));
}

enum tk_exit
tk_verify_preflight(struct tk_verify *verify, struct tk_client *client)
{
    struct tk_error err = {0};
    struct tk_client_response response;
    tk_str origin = tk_arena_printf(verify->arena, "Origin: %s", verify->origin);
    tk_str method =
        tk_arena_printf(verify->arena, "Access-Control-Request-Method: %s", verify->method);
    const char *headers[] = {origin.ptr, method.ptr,
                             "Access-Control-Request-Headers: traceparent,tracestate"};
    struct tk_client_request request = {
        .method = "OPTIONS", .url = verify->url, .headers = headers, .header_count = 3};
    if (origin.ptr == NULL || method.ptr == NULL)
        return tk_cli_fail(TK_EXIT_CANNOT_START, "verify", "out of memory");
    if (tk_str_eq(origin_of(verify->url), tk_str_from(verify->origin)))
        return TK_EXIT_GOOD; /* the same origin: nothing is asked */
    if (tk_client_send(client, &request, &response, &err) != TK_OK)
        return tk_cli_fail(TK_EXIT_UNREACHABLE, "verify", "%s", err.message);
    if (response.status < 200 || response.status > 299)
        tk_verify_add(verify, "cors-preflight",
                      TK_STR("answer OPTIONS in the CORS middleware, before authentication and "
                             "routes; no redirect"),
                      "the preflight (OPTIONS) is answered %d; a browser goes on only after 2xx",
                      response.status);
    check_origin(verify, client, "preflight");
    check_headers(verify, client);
    return TK_EXIT_GOOD;
}

void
tk_verify_answer(struct tk_verify *verify, struct tk_client *client)
{
    if (verify->origin != NULL && verify->findings == NULL &&
        !tk_str_eq(origin_of(verify->url), tk_str_from(verify->origin)))
        check_origin(verify, client, "answer");
}
