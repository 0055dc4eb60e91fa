/*
 * echo_server - the net floor with the smallest handler that exercises all of it; the black-box
 * tests beside this file talk to it.
 *
 *   net_echo_server [--OPTION VALUE]...     options are those of struct tk_server_options
 *
 * Prints "ready PORT" and serves until SIGTERM; SIGHUP reads the TLS files again; stdin's end
 * stops it, too, so that it never outlives its test.
 */
#include "net/server.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static struct tk_server *_Atomic server;
static _Atomic int on_worker;
static _Atomic bool stopping;

static void
reply(struct tk_request *request, int status, tk_str body)
{
    struct tk_response response = {
        .status = status, .content_type = TK_STR("text/plain"), .body = body};
    tk_request_respond(request, &response);
}

static uint64_t
number(struct tk_request *request, tk_str name, uint64_t otherwise)
{
    uint64_t value;
    return tk_str_to_u64(tk_request_param(request, name), &value) ? value : otherwise;
}

/* ---- what a path does ---- */

static void
echo(struct tk_request *request, void *arg)
{
    struct tk_response response = {.status = 200, .content_type = TK_STR("text/plain")};
    (void)arg;
    response.body = request->body;
    response.body_owned = tk_request_take_body(request);
    tk_request_respond(request, &response);
}

static void
sleep_and_echo(struct tk_request *request, void *arg)
{
    on_worker++;
    usleep((useconds_t)number(request, TK_STR("ms"), 100) * 1000);
    on_worker--;
    echo(request, arg);
}

/* Answers only once the server has begun to stop. */
static void
hold(struct tk_request *request, void *arg)
{
    (void)arg;
    on_worker++;
    while (!stopping)
        usleep(10000);
    usleep(500000);
    on_worker--;
    reply(request, 200, TK_STR("held\n"));
}

static void
sleep_and_greet(struct tk_request *request, void *arg)
{
    (void)arg;
    usleep((useconds_t)number(request, TK_STR("ms"), 100) * 1000);
    reply(request, 200, TK_STR("hello\n"));
}

static void
show_headers(struct tk_request *request)
{
    struct tk_buf body;
    tk_buf_init(&body, 1 << 20);
    tk_buf_printf(&body, "%.*s %.*s ? %.*s h%d loopback=%d tls=%d\n", TK_STR_ARG(request->method),
                  TK_STR_ARG(request->path), TK_STR_ARG(request->query),
                  request->protocol == TK_PROTOCOL_HTTP2 ? 2 : 1, request->loopback, request->tls);
    for (size_t i = 0; i < request->header_count; i++)
        tk_buf_printf(&body, "%.*s: %.*s\n", TK_STR_ARG(request->headers[i].name),
                      TK_STR_ARG(request->headers[i].value));
    reply(request, 200, tk_buf_str(&body));
    tk_buf_release(&body);
}

static void
stream(struct tk_request *request, void *arg)
{
    struct tk_response head = {.status = 200, .content_type = TK_STR("text/plain")};
    uint64_t count = number(request, TK_STR("n"), 3), size = number(request, TK_STR("size"), 5);
    char *piece = malloc(size + 1);
    (void)arg;
    tk_response_start(request, &head);
    for (uint64_t i = 0; i < count && piece != NULL; i++) {
        memset(piece, 'a' + (int)(i % 26), size);
        if (tk_response_write(request, (tk_str){piece, size}) != TK_OK)
            break;
    }
    free(piece);
    tk_response_end(request);
}

static void
big(struct tk_request *request)
{
    size_t size = number(request, TK_STR("size"), 1 << 20);
    struct tk_response response = {.status = 200, .body_owned = malloc(size + 1)};
    if (response.body_owned != NULL)
        memset(response.body_owned, 'x', size);
    response.body = (tk_str){response.body_owned, response.body_owned != NULL ? size : 0};
    tk_request_respond(request, &response);
}

static void
show_stats(struct tk_request *request)
{
    struct tk_server_stats stats;
    tk_server_stats(server, &stats);
    reply(request, 200,
          tk_arena_printf(
              &request->arena,
              "{\"connections_open\":%llu,\"connections_total\":%llu,"
              "\"requests_total\":%llu,\"refused_total\":%llu,\"bytes_in\":%llu,"
              "\"bytes_out\":%llu,\"on_worker\":%d}",
              (unsigned long long)stats.connections_open,
              (unsigned long long)stats.connections_total, (unsigned long long)stats.requests_total,
              (unsigned long long)stats.refused_total, (unsigned long long)stats.bytes_in,
              (unsigned long long)stats.bytes_out, on_worker));
}

static void
call(struct tk_request *request)
{
    struct tk_response response = {.body = request->body};
    if (tk_str_eq(request->path, TK_STR("/echo.Echo/Fail"))) {
        response.grpc_status = 3;
        response.grpc_message = TK_STR("100% w\xc3\xb6rse\n");
        response.grpc_details = TK_STR("\x08\x03\xff");
    } else if (!tk_str_eq(request->path, TK_STR("/echo.Echo/Echo"))) {
        response.grpc_status = 12;
    } else {
        response.body_owned = tk_request_take_body(request);
    }
    tk_request_respond(request, &response);
}

/* ---- the handler ---- */

static size_t
on_head(void *arg, struct tk_request *request)
{
    (void)arg;
    if (tk_str_eq(request->path, TK_STR("/deny"))) {
        reply(request, 401, TK_STR("no\n"));
        return TK_BODY_ANSWERED;
    }
    if (tk_str_eq(request->path, TK_STR("/limit")))
        return 1000;
    return 64 << 20;
}

static void
offload(struct tk_request *request, void (*work)(struct tk_request *request, void *arg))
{
    if (tk_request_offload(request, work, NULL) != TK_OK)
        reply(request, 503, TK_STR("busy\n"));
}

static void
on_request(void *arg, struct tk_request *request)
{
    tk_str path = request->path;
    (void)arg;
    if (request->grpc)
        call(request);
    else if (tk_str_eq(path, TK_STR("/hello")))
        reply(request, 200, TK_STR("hello\n"));
    else if (tk_str_eq(path, TK_STR("/echo")) || tk_str_eq(path, TK_STR("/limit")))
        echo(request, NULL);
    else if (tk_str_eq(path, TK_STR("/worker")))
        offload(request, echo);
    else if (tk_str_eq(path, TK_STR("/sleep")))
        offload(request, sleep_and_echo);
    else if (tk_str_eq(path, TK_STR("/hold")))
        offload(request, hold);
    else if (tk_str_eq(path, TK_STR("/swallow")))
        offload(request, sleep_and_greet);
    else if (tk_str_eq(path, TK_STR("/stream")))
        offload(request, stream);
    else if (tk_str_eq(path, TK_STR("/headers")))
        show_headers(request);
    else if (tk_str_eq(path, TK_STR("/param")))
        reply(request, 200, tk_request_param(request, TK_STR("x")));
    else if (tk_str_eq(path, TK_STR("/big")))
        big(request);
    else if (tk_str_eq(path, TK_STR("/stats")))
        show_stats(request);
    else if (tk_str_eq(path, TK_STR("/nothing")))
        reply(request, 204, TK_STR(""));
    else
        reply(request, 404, TK_STR("not found\n"));
}

static void
on_refused(void *arg, struct tk_request *request, int status, const char *reason,
           struct tk_response *response)
{
    (void)arg;
    response->body = tk_arena_printf(&request->arena, "refused %d: %s\n", status, reason);
}

/* ---- options ---- */

static bool
set_option(struct tk_server_options *options, const char **address, const char *name,
           const char *value)
{
    const struct {
        const char *name;
        unsigned *number;
    } numbers[] = {{"--threads", &options->threads},
                   {"--workers", &options->workers},
                   {"--worker-queue-max", &options->worker_queue_max},
                   {"--connections-max", &options->connections_max},
                   {"--head-timeout-ms", &options->head_timeout_ms},
                   {"--body-timeout-ms", &options->body_timeout_ms},
                   {"--idle-timeout-ms", &options->idle_timeout_ms}};
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
        if (strcmp(name, numbers[i].name) == 0) {
            *numbers[i].number = (unsigned)strtoul(value, NULL, 10);
            return true;
        }
    if (strcmp(name, "--listen") == 0)
        *address = value;
    else if (strcmp(name, "--head-size-max") == 0)
        options->head_size_max = strtoul(value, NULL, 10);
    else if (strcmp(name, "--buffered-max") == 0)
        options->buffered_max = strtoul(value, NULL, 10);
    else if (strcmp(name, "--tls-cert") == 0)
        options->tls_cert = value;
    else if (strcmp(name, "--tls-key") == 0)
        options->tls_key = value;
    else
        return false;
    return true;
}

/* True when it is time to stop. */
static bool
wait_for_signal(const sigset_t *signals)
{
    const struct timespec moment = {.tv_nsec = 100 * 1000 * 1000};
    struct pollfd input = {.fd = STDIN_FILENO, .events = POLLIN};
    struct tk_error err;
    char byte;
    int which = sigtimedwait(signals, NULL, &moment);
    if (which == SIGHUP && tk_server_reload_tls(server, &err) != TK_OK)
        (void)fprintf(stderr, "%s\n", err.message);
    else if (which == SIGHUP)
        (void)fprintf(stderr, "reloaded\n");
    return which == SIGTERM || (poll(&input, 1, 0) > 0 && read(STDIN_FILENO, &byte, 1) <= 0);
}

int
main(int argc, char **argv)
{
    const char *address = "127.0.0.1:0";
    struct tk_server_options options = {.listen = &address, .listen_count = 1};
    const struct tk_server_handler handler = {
        .on_head = on_head, .on_request = on_request, .on_refused = on_refused};
    struct tk_error err;
    sigset_t signals;
    for (int i = 1; i < argc; i += 2)
        if (i + 1 == argc || !set_option(&options, &address, argv[i], argv[i + 1])) {
            (void)fprintf(stderr, "unknown option %s\n", argv[i]);
            return 2;
        }
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGHUP);
    sigprocmask(SIG_BLOCK, &signals, NULL);
    struct tk_server *started;
    if (tk_server_start(&options, &handler, &started, &err) != TK_OK) {
        (void)fprintf(stderr, "%s\n", err.message);
        return 5;
    }
    server = started; /* the loops run already */
    printf("ready %d\n", tk_server_port(server, 0));
    (void)fflush(stdout);
    while (!wait_for_signal(&signals))
        ;
    stopping = true;
    tk_server_stop(server, 3000);
    return 0;
}
