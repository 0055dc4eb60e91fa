/* remote - see remote.h. */
#include "cli/remote.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

enum { HEADERS_MAX = 4, URL_MAX = 64 << 10 };

enum tk_exit
tk_remote_open(struct tk_remote *remote, const char *command, struct tk_arena *arena)
{
    struct tk_error err = {0};
    remote->command = command;
    remote->arena = arena;
    if (tk_client_new(&remote->client, &err) != TK_OK)
        return tk_cli_fail(TK_EXIT_UNREACHABLE, command, "%s", err.message);
    return TK_EXIT_GOOD;
}

void
tk_remote_close(struct tk_remote *remote)
{
    if (remote->client != NULL)
        tk_client_free(remote->client);
}

void
tk_remote_param(struct tk_buf *path, const char *name, const char *value)
{
    if (value == NULL)
        return;
    bool first = path->len == 0 || memchr(path->ptr, '?', path->len) == NULL;
    tk_buf_printf(path, "%c%s=", first ? '?' : '&', name);
    for (const char *c = value; *c != '\0'; c++) {
        if (isalnum((unsigned char)*c) || strchr("-._~", *c) != NULL)
            tk_buf_append_char(path, *c);
        else
            tk_buf_printf(path, "%%%02X", (unsigned char)*c);
    }
}

/* "http://host:4318/" and ".../v1/traces" mean the base too (decisions: one endpoint variable). */
static tk_str
base_url(const struct tk_remote *remote)
{
    tk_str url = tk_str_from(remote->server);
    if (tk_str_ends_with(url, TK_STR("/v1/traces")))
        url.len -= sizeof "/v1/traces" - 1;
    while (url.len > 0 && url.ptr[url.len - 1] == '/')
        url.len--;
    return url;
}

/* The problem's detail, and for a query the place under its text. */
static void
print_problem(struct tk_remote *remote, tk_str body)
{
    struct tk_json_node *root;
    if (tk_json_tree_parse(body, remote->arena, &root, NULL) != TK_OK) {
        (void)fprintf(stderr, "tracekit %s: %.*s\n", remote->command, TK_STR_ARG(body));
        return;
    }
    tk_str detail = tk_json_get_str(root, "detail");
    tk_str title = tk_json_get_str(root, "title");
    (void)fprintf(stderr, "tracekit %s: %.*s%s%.*s\n", remote->command, TK_STR_ARG(title),
                  title.len > 0 && detail.len > 0 ? ": " : "", TK_STR_ARG(detail));
    tk_str expected = tk_json_get_str(root, "expected");
    if (tk_json_get(root, "position")->type == TK_JSON_NUMBER)
        (void)fprintf(stderr, "  at character %llu",
                      (unsigned long long)tk_json_get_u64(root, "position"));
    if (expected.len > 0)
        (void)fprintf(stderr, ", expected %.*s", TK_STR_ARG(expected));
    if (expected.len > 0 || tk_json_get(root, "position")->type == TK_JSON_NUMBER)
        (void)fputc('\n', stderr);
}

static enum tk_exit
status_of(struct tk_remote *remote, const struct tk_client_response *response)
{
    if (response->status == 200)
        return TK_EXIT_GOOD;
    if (response->status == 401 || response->status == 403) {
        (void)tk_cli_fail(
            TK_EXIT_DENIED, remote->command, "%s refuses %s (status %d)", remote->server,
            remote->api_key != NULL ? "this key" : "a request without a key", response->status);
        print_problem(remote, response->body);
        return TK_EXIT_DENIED;
    }
    print_problem(remote, response->body);
    if (response->status == 404)
        return TK_EXIT_FINDING;
    return response->status == 400 ? TK_EXIT_USAGE : TK_EXIT_UNREACHABLE;
}

static enum tk_exit
send_request(struct tk_remote *remote, struct tk_client_request request, tk_str url,
             tk_str *ret_body)
{
    const char *headers[HEADERS_MAX];
    struct tk_client_response response;
    struct tk_error err = {0};
    for (size_t i = 0; i < request.header_count; i++)
        headers[i] = request.headers[i];
    if (remote->api_key != NULL && remote->api_key[0] != '\0') {
        tk_str header = tk_arena_printf(remote->arena, "X-API-Key: %s", remote->api_key);
        if (header.ptr == NULL)
            return tk_cli_fail(TK_EXIT_CANNOT_START, remote->command, "out of memory");
        headers[request.header_count++] = header.ptr;
    }
    request.headers = headers;
    request.url = url.ptr;
    if (tk_client_send(remote->client, &request, &response, &err) != TK_OK)
        return tk_cli_fail(TK_EXIT_UNREACHABLE, remote->command, "%s", err.message);
    enum tk_exit status = status_of(remote, &response);
    if (status == TK_EXIT_GOOD)
        *ret_body = response.body;
    return status;
}

enum tk_exit
tk_remote_get(struct tk_remote *remote, const struct tk_buf *path, const char *accept,
              tk_str *ret_body)
{
    tk_str base = base_url(remote);
    tk_str header = tk_arena_printf(remote->arena, "Accept: %s", accept);
    tk_str url =
        tk_arena_printf(remote->arena, "%.*s%.*s%s%s", TK_STR_ARG(base), (int)path->len, path->ptr,
                        remote->project == NULL                     ? ""
                        : memchr(path->ptr, '?', path->len) != NULL ? "&project="
                                                                    : "?project=",
                        remote->project != NULL ? remote->project : "");
    const char *headers[] = {header.ptr};
    struct tk_client_request request = {.headers = headers, .header_count = 1};
    if (url.ptr == NULL || header.ptr == NULL || url.len > URL_MAX)
        return tk_cli_fail(TK_EXIT_USAGE, remote->command, "the query is too long");
    return send_request(remote, request, url, ret_body);
}

enum tk_exit
tk_remote_post(struct tk_remote *remote, const char *content_type, tk_str body, tk_str *ret_body)
{
    tk_str header = tk_arena_printf(remote->arena, "Content-Type: %s", content_type);
    tk_str base = base_url(remote);
    tk_str url = tk_arena_printf(remote->arena, "%.*s/v1/traces", TK_STR_ARG(base));
    const char *headers[] = {header.ptr};
    struct tk_client_request request = {
        .method = "POST", .headers = headers, .header_count = 1, .body = body};
    if (url.ptr == NULL || header.ptr == NULL)
        return tk_cli_fail(TK_EXIT_CANNOT_START, remote->command, "out of memory");
    return send_request(remote, request, url, ret_body);
}

enum tk_exit
tk_remote_get_json(struct tk_remote *remote, const struct tk_buf *path,
                   struct tk_json_node **ret_root)
{
    struct tk_error err = {0};
    tk_str body;
    enum tk_exit status = tk_remote_get(remote, path, "application/json", &body);
    if (status != TK_EXIT_GOOD)
        return status;
    body = tk_arena_copy(remote->arena, body);
    if (body.ptr == NULL || tk_json_tree_parse(body, remote->arena, ret_root, &err) != TK_OK)
        return tk_cli_fail(TK_EXIT_UNREACHABLE, remote->command, "%s answered what is no JSON: %s",
                           remote->server, err.message);
    remote->answer = body;
    return TK_EXIT_GOOD;
}

static void
print_line(tk_str body)
{
    (void)fwrite(body.ptr, 1, body.len, stdout);
    (void)fputc('\n', stdout);
}

void
tk_remote_print_answer(const struct tk_remote *remote)
{
    print_line(remote->answer);
}

enum tk_exit
tk_remote_print(struct tk_remote *remote, const struct tk_buf *path)
{
    tk_str body;
    enum tk_exit status = tk_remote_get(remote, path, "application/json", &body);
    if (status == TK_EXIT_GOOD)
        print_line(body);
    return status;
}
