/* session - signing in and out, and who one is.  The cookie is HttpOnly and SameSite=Strict. */
#include "api/private.h"

#include "api/members.h"

enum { SECONDS_PER_DAY = 86400 };

tk_str
tk_session_cookie(const struct tk_request *request)
{
    for (size_t i = 0; i < request->header_count; i++) {
        tk_str rest = request->headers[i].value;
        if (!tk_str_eq(request->headers[i].name, TK_STR("cookie")))
            continue;
        while (rest.len > 0) {
            tk_str value = tk_str_trim(tk_str_split(&rest, ';'));
            if (tk_str_eq(tk_str_split(&value, '='), TK_STR("tracekit_session")))
                return value;
        }
    }
    return TK_STR_NONE;
}

static void
set_cookie(struct tk_call *call, tk_str session, int seconds)
{
    tk_reply_header(
        call, TK_STR("set-cookie"),
        tk_arena_printf(&call->request->arena,
                        "tracekit_session=%.*s; Path=/; HttpOnly; SameSite=Strict; Max-Age=%d%s",
                        TK_STR_ARG(session), seconds, call->request->tls ? "; Secure" : ""));
}

void
tk_route_session_create(struct tk_call *call)
{
    struct tk_account *account = call->api->options.account;
    struct tk_error err = {0};
    struct tk_identity identity;
    char session[TK_TOKEN_TEXT + 1];
    tk_str key = TK_STR_NONE;
    const struct tk_member fields[] = {{TK_STR("key"), &key, NULL}};
    enum tk_err result = tk_members_read(call, fields, 1, &err);
    if (result != TK_OK) {
        tk_reply_error(call, result, &err);
        return;
    }
    if (tk_account_authenticate(account, key, &identity) != TK_OK) {
        tk_reply_problem(call, 401, "Unauthorized", "unknown or revoked key");
        return;
    }
    result = tk_account_session_from_key(account, key, session, &err);
    if (result != TK_OK) {
        tk_reply_error(call, result, &err);
        return;
    }
    struct tk_buf body;
    tk_buf_init(&body, TK_REPLY_SIZE_MAX);
    tk_buf_printf(&body, "{\"project\":\"%s\",\"kind\":\"%s\"}", identity.project,
                  tk_key_kind_text(identity.kind));
    set_cookie(call, tk_str_from(session), TK_SESSION_DAYS * SECONDS_PER_DAY);
    tk_reply_json(call, 200, &body);
}

void
tk_route_session_end(struct tk_call *call)
{
    tk_str session = tk_session_cookie(call->request);
    enum tk_err result = TK_OK;
    if (session.len > 0)
        result = tk_account_session_end(call->api->options.account, session);
    if (result != TK_OK) {
        tk_reply_error(call, result, NULL);
        return;
    }
    set_cookie(call, TK_STR(""), 0);
    tk_reply_empty(call, 204);
}

void
tk_route_signin(struct tk_call *call)
{
    static const char refused[] =
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>Sign-in link</title>"
        "<h1>This sign-in link does not work any more</h1>"
        "<p>It was used already, or is too old. Make a new one with <code>tracekit signin</code>.";
    struct tk_error err = {0};
    char session[TK_TOKEN_TEXT + 1];
    tk_str token = tk_request_param(call->request, TK_STR("token"));
    tk_reply_header(call, TK_STR("cache-control"), TK_STR("no-store"));
    tk_reply_header(call, TK_STR("referrer-policy"), TK_STR("no-referrer"));
    enum tk_err result =
        tk_account_session_from_token(call->api->options.account, token, session, &err);
    if (result == TK_ERR_DENIED) {
        tk_reply_static(call, 403, TK_STR("text/html; charset=utf-8"), tk_str_from(refused));
        return;
    }
    if (result != TK_OK) {
        tk_reply_error(call, result, &err);
        return;
    }
    set_cookie(call, tk_str_from(session), TK_SESSION_DAYS * SECONDS_PER_DAY);
    tk_reply_header(call, TK_STR("location"), TK_STR("/traces"));
    tk_reply_empty(call, 303);
}

/* What the page goes by: may one manage, and which projects are there to choose from? */
static const char *
caller_kind(const struct tk_call *call)
{
    if (call->credential == TK_CREDENTIAL_DEV)
        return "dev";
    if (call->credential == TK_CREDENTIAL_SESSION && call->identity.all_projects)
        return "session";
    return tk_key_kind_text(call->identity.kind);
}

static void
write_project(struct tk_json_writer *json, uint32_t id, tk_str name)
{
    tk_json_object(json);
    tk_json_key(json, TK_STR("id"));
    tk_json_uint(json, id);
    tk_json_key(json, TK_STR("name"));
    tk_json_string(json, name);
    tk_json_object_end(json);
}

void
tk_route_whoami(struct tk_call *call)
{
    const struct tk_identity *identity = &call->identity;
    struct tk_error err = {0};
    struct tk_project own = {.id = identity->project_id, .name = tk_str_from(identity->project)};
    struct tk_project *projects = &own;
    size_t count = 1;
    struct tk_json_writer json;
    struct tk_buf body;
    if (identity->all_projects) {
        enum tk_err result = tk_account_project_list(
            call->api->options.account, &call->request->arena, &projects, &count, &err);
        if (result != TK_OK) {
            tk_reply_error(call, result, &err);
            return;
        }
    }
    tk_buf_init(&body, TK_REPLY_SIZE_MAX);
    tk_json_writer_init(&json, &body);
    tk_json_object(&json);
    tk_json_key(&json, TK_STR("project"));
    write_project(&json, own.id, own.name);
    tk_json_key(&json, TK_STR("kind"));
    tk_json_string(&json, tk_str_from(caller_kind(call)));
    tk_json_key(&json, TK_STR("projects"));
    tk_json_array(&json);
    for (size_t i = 0; i < count; i++)
        write_project(&json, projects[i].id, projects[i].name);
    tk_json_array_end(&json);
    tk_json_object_end(&json);
    tk_reply_json(call, 200, &body);
}
