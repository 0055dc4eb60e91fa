/* mcp - the command and its transports; see mcp.h. */
#include "cli/mcp.h"
#include "cli/cli.h"
#include "net/server.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

enum { OUT_MAX = TK_MCP_OUTPUT_MAX * 7, STOP_GRACE_MS = 2000 };

/* ---- lines -------------------------------------------------------------------------------------
 */

/* One message a line, in and out, one after the other, until the input ends. */
static enum tk_exit
serve_lines(void)
{
    char *line = NULL;
    size_t capacity = 0;
    ssize_t size;
    while ((size = getline(&line, &capacity, stdin)) >= 0) {
        struct tk_buf out;
        tk_str message = tk_str_trim((tk_str){line, (size_t)size});
        while (message.len > 0 && strchr("\r\n", message.ptr[message.len - 1]) != NULL)
            message.len--;
        if (message.len == 0)
            continue;
        tk_buf_init(&out, OUT_MAX);
        tk_mcp_answer(message, &out);
        if (out.len > 0 && out.status == TK_OK)
            (void)printf("%.*s\n", TK_STR_ARG(tk_buf_str(&out)));
        (void)fflush(stdout);
        tk_buf_release(&out);
    }
    free(line);
    return TK_EXIT_GOOD;
}

/* ---- HTTP --------------------------------------------------------------------------------------
 */

static void
respond(struct tk_request *request, int status, const char *text)
{
    struct tk_response response = {
        .status = status, .content_type = TK_STR("text/plain"), .body = tk_str_from(text)};
    tk_request_respond(request, &response);
}

/* A page in a browser on this machine must not reach in: the transport's rule about Origin. */
static bool
is_local(const struct tk_request *request)
{
    static const char *const hosts[] = {"localhost", "127.0.0.1", "[::1]"};
    tk_str origin = tk_request_header(request, TK_STR("origin"));
    tk_str parts[] = {tk_request_header(request, TK_STR("host")), origin};
    if (!request->loopback)
        return false;
    if (tk_str_starts_with(origin, TK_STR("http://")))
        parts[1] = (tk_str){origin.ptr + 7, origin.len - 7};
    for (size_t p = 0; p < 2; p++) {
        bool known = parts[p].ptr == NULL;
        for (size_t i = 0; i < sizeof hosts / sizeof *hosts; i++) {
            tk_str host = tk_str_from(hosts[i]);
            known = known || (tk_str_starts_with(parts[p], host) &&
                              (parts[p].len == host.len || parts[p].ptr[host.len] == ':'));
        }
        if (!known)
            return false;
    }
    return true;
}

static size_t
on_head(void *arg, struct tk_request *request)
{
    (void)arg;
    if (!is_local(request))
        respond(request, 403, "only for this machine, and for no page of another host\n");
    else if (!tk_str_eq(request->path, TK_STR("/mcp")))
        respond(request, 404, "the endpoint is /mcp\n");
    else if (!tk_str_eq(request->method, TK_STR("POST")))
        respond(request, 405, "only POST: nothing is sent unasked\n");
    else
        return TK_MCP_MESSAGE_MAX;
    return TK_BODY_ANSWERED;
}

static void
work(struct tk_request *request, void *arg)
{
    struct tk_buf out;
    struct tk_response response = {.status = 202};
    (void)arg;
    tk_buf_init(&out, OUT_MAX);
    tk_mcp_answer(request->body, &out);
    if (out.len > 0 && out.status == TK_OK) {
        response.status = 200;
        response.content_type = TK_STR("application/json");
        response.body = tk_buf_str(&out);
    }
    tk_request_respond(request, &response);
    tk_buf_release(&out);
}

static void
on_request(void *arg, struct tk_request *request)
{
    if (tk_request_offload(request, work, arg) != TK_OK)
        respond(request, 503, "too many calls at once\n");
}

static enum tk_exit
serve_http(const char *listen)
{
    struct tk_server_options options = {.listen = &listen, .listen_count = 1, .threads = 1};
    struct tk_server_handler handler = {.on_head = on_head, .on_request = on_request};
    struct tk_server *server;
    struct tk_error err = {0};
    sigset_t signals;
    int number;
    (void)sigemptyset(&signals);
    (void)sigaddset(&signals, SIGTERM);
    (void)sigaddset(&signals, SIGINT);
    (void)pthread_sigmask(SIG_BLOCK, &signals, NULL); /* before any thread is started */
    if (tk_server_start(&options, &handler, &server, &err) != TK_OK)
        return tk_cli_fail(TK_EXIT_CANNOT_START, "mcp", "%s", err.message);
    const char *colon = strrchr(listen, ':');
    (void)printf("tracekit mcp ready http://%.*s:%d/mcp\n",
                 colon != NULL ? (int)(colon - listen) : (int)strlen(listen), listen,
                 tk_server_port(server, 0));
    (void)fflush(stdout);
    (void)sigwait(&signals, &number);
    tk_server_stop(server, STOP_GRACE_MS);
    return TK_EXIT_GOOD;
}

enum tk_exit
tk_cli_mcp(int argc, char **argv)
{
    const char *server = NULL, *api_key = NULL, *project = NULL, *listen = NULL;
    const struct tk_option table[] = {
        {"server", TK_OPTION_STRING, &server, "URL", "[http://127.0.0.1:4318]", NULL,
         "TRACEKIT_ENDPOINT"},
        {"api-key", TK_OPTION_STRING, &api_key, "KEY",
         "a read or admin key; better in TRACEKIT_API_KEY", NULL, "TRACEKIT_API_KEY"},
        {"project", TK_OPTION_STRING, &project, "P", "under --dev: which project", NULL, NULL},
        {"listen", TK_OPTION_STRING, &listen, "HOST:PORT",
         "speak HTTP there, at /mcp, to this machine only; without it: stdin and stdout", NULL,
         "TRACEKIT_MCP_LISTEN"},
    };
    struct tk_options options = {.options = table, .option_count = sizeof table / sizeof *table};
    static const struct tk_cli_usage usage = {
        .command = "mcp",
        .usage = "tracekit mcp [options]",
        .about = "Speaks the Model Context Protocol, so that a coding assistant can search, open "
                 "and compare\ntraces, and check a set-up. Its tools are this program's commands.",
    };
    struct tk_arena arena;
    enum tk_exit status = TK_EXIT_GOOD;
    tk_arena_init(&arena, 4096, 1 << 20);
    if (tk_cli_parse(&usage, &options, argc, argv, &arena, &status)) {
        /* The commands that the tools run read the same from their environment. */
        if ((server != NULL && setenv("TRACEKIT_ENDPOINT", server, 1) != 0) ||
            (api_key != NULL && setenv("TRACEKIT_API_KEY", api_key, 1) != 0) ||
            (project != NULL && setenv("TRACEKIT_PROJECT", project, 1) != 0))
            status = tk_cli_fail(TK_EXIT_CANNOT_START, "mcp", "out of memory");
        else
            status = listen != NULL ? serve_http(listen) : serve_lines();
    }
    tk_arena_release(&arena);
    return status;
}
