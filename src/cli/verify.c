/*
 * verify - proves that a trace stays whole: sends one request with a fresh traceparent, waits until
 * its spans are there, draws the waterfall and says which hop is missing, and the cure.
 *
 * The request itself leaves no span: the first service's span has a parent that only we know.
 */
#include "cli/verify.h"

#include "base/env.h"
#include "cli/waterfall.h"

#include <stdarg.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

enum {
    ARENA_LIMIT = 1 << 30,
    LOOK_EVERY_MS = 200,
    /* SDKs send a batch every 5 s: longer without a new span, and nothing more will come. */
    QUIET_SECONDS = 6,
    HEADERS_MAX = TK_OPTION_LIST_MAX + 3,
};
static const uint64_t second_nano = 1000000000;

void
tk_verify_add(struct tk_verify *verify, const char *rule, tk_str fix, const char *format, ...)
{
    char text[2048];
    va_list arguments;
    va_start(arguments, format);
    int len = vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    struct tk_verify_finding *finding = tk_arena_zalloc(verify->arena, 1, sizeof *finding);
    tk_str message = tk_arena_copy(verify->arena, tk_str_from(len >= 0 ? text : ""));
    if (finding == NULL || message.ptr == NULL)
        return; /* the arena has room for millions */
    *finding = (struct tk_verify_finding){
        .rule = tk_str_from(rule), .severity = TK_STR("error"), .message = message, .fix = fix};
    *verify->findings_end = finding;
    verify->findings_end = &finding->next;
    verify->broken = true;
}

static void
draw_ids(struct tk_verify *verify)
{
    struct tk_trace_id trace_id;
    tk_span_id span_id;
    do {
        tk_env_host()->random(tk_env_host(), &trace_id, sizeof trace_id);
        tk_env_host()->random(tk_env_host(), &span_id, sizeof span_id);
    } while (tk_trace_id_is_none(trace_id) || span_id == 0);
    tk_trace_id_format(trace_id, verify->trace_id);
    tk_span_id_format(span_id, verify->span_id);
}

/* The request to the application; *ret_status is its HTTP status.  The tracestate says whose it is,
   so that the server does not look for the beginning of its trace. */
static enum tk_exit
send_request(struct tk_verify *verify, struct tk_client *client, int *ret_status)
{
    const char *headers[HEADERS_MAX];
    struct tk_error err = {0};
    struct tk_client_response response;
    tk_str traceparent = tk_arena_printf(verify->arena, "traceparent: 00-%s-%s-03",
                                         verify->trace_id, verify->span_id);
    tk_str origin =
        tk_arena_printf(verify->arena, "Origin: %s", verify->origin != NULL ? verify->origin : "");
    struct tk_client_request request = {
        .method = verify->method, .url = verify->url, .headers = headers};
    if (traceparent.ptr == NULL || origin.ptr == NULL)
        return tk_cli_fail(TK_EXIT_CANNOT_START, "verify", "out of memory");
    headers[request.header_count++] = traceparent.ptr;
    headers[request.header_count++] = "tracestate: tracekit=verify";
    if (verify->origin != NULL)
        headers[request.header_count++] = origin.ptr;
    for (size_t i = 0; i < verify->headers.count; i++)
        headers[request.header_count++] = verify->headers.items[i];
    verify->sent_nano = tk_env_host()->wall_nano(tk_env_host());
    if (tk_client_send(client, &request, &response, &err) != TK_OK)
        return tk_cli_fail(TK_EXIT_UNREACHABLE, "verify", "%s", err.message);
    tk_verify_answer(verify, client);
    *ret_status = response.status;
    return TK_EXIT_GOOD;
}

static enum tk_exit
call_application(struct tk_verify *verify, int *ret_status)
{
    struct tk_error err = {0};
    struct tk_client *client;
    enum tk_exit status = TK_EXIT_GOOD;
    if (tk_client_new(&client, &err) != TK_OK)
        return tk_cli_fail(TK_EXIT_CANNOT_START, "verify", "%s", err.message);
    if (verify->origin != NULL)
        status = tk_verify_preflight(verify, client);
    if (status == TK_EXIT_GOOD)
        status = send_request(verify, client, ret_status);
    tk_client_free(client);
    return status;
}

/* How many spans of the trace the server has. */
static enum tk_exit
count_spans(struct tk_verify *verify, uint64_t *ret_count)
{
    struct tk_json_node *root = NULL;
    struct tk_buf path;
    tk_buf_init(&path, 4096);
    tk_buf_append(&path, TK_STR("/api/v1/traces"));
    tk_remote_param(&path, "q", verify->trace_id);
    enum tk_exit status = tk_remote_get_json(&verify->remote, &path, &root);
    tk_buf_release(&path);
    if (status != TK_EXIT_GOOD)
        return status;
    const struct tk_json_node *trace = tk_json_get(root, "traces")->child;
    *ret_count = trace != NULL ? tk_json_get_u64(trace, "spanCount") : 0;
    return TK_EXIT_GOOD;
}

static enum tk_exit
get_trace(struct tk_verify *verify, struct tk_json_node **ret_trace)
{
    struct tk_buf path;
    tk_buf_init(&path, 4096);
    tk_buf_printf(&path, "/api/v1/traces/%s", verify->trace_id);
    enum tk_exit status = tk_remote_get_json(&verify->remote, &path, ret_trace);
    tk_buf_release(&path);
    return status;
}

static void
tell_waiting(uint64_t count)
{
    if (isatty(STDERR_FILENO))
        (void)fprintf(stderr, "\rwaiting for the trace: %llu spans so far ",
                      (unsigned long long)count);
}

/*
 * Looks until everything asked for is there, or nothing new has come for QUIET_SECONDS when nothing
 * was asked for, or the time is over.  *ret_trace stays NULL when nothing arrived.
 */
static enum tk_exit
await_trace(struct tk_verify *verify, uint64_t timeout_nano, struct tk_json_node **ret_trace)
{
    struct tk_env *env = tk_env_host();
    uint64_t begin = env->mono_nano(env), changed = begin, before = 0, count = 0;
    bool asked = verify->service_count + verify->hop_count > 0, over = false;
    while (!over) {
        uint64_t now = env->mono_nano(env);
        tk_arena_clear(verify->remote.arena);
        *ret_trace = NULL;
        over = now - begin >= timeout_nano;
        enum tk_exit status = count_spans(verify, &count);
        if (count != before)
            changed = now;
        over = over || (!asked && count > 0 && now - changed >= QUIET_SECONDS * second_nano);
        if (status == TK_EXIT_GOOD && count > 0 && (count != before || over)) /* may be long */
            status = get_trace(verify, ret_trace);
        if (status != TK_EXIT_GOOD)
            return status;
        over = over || (asked && *ret_trace != NULL && tk_verify_complete(verify, *ret_trace));
        before = count;
        tell_waiting(count);
        if (!over)
            (void)usleep(LOOK_EVERY_MS * 1000);
    }
    if (isatty(STDERR_FILENO))
        (void)fputs("\r\033[K", stderr);
    return TK_EXIT_GOOD;
}

static void
report_json(const struct tk_verify *verify, int status, const struct tk_json_node *trace)
{
    struct tk_json_writer json;
    struct tk_buf out;
    tk_buf_init(&out, 1 << 24);
    tk_json_writer_init(&json, &out);
    tk_json_object(&json);
    tk_json_key(&json, TK_STR("url"));
    tk_json_string(&json, tk_str_from(verify->url));
    tk_json_key(&json, TK_STR("status"));
    tk_json_int(&json, status);
    tk_json_key(&json, TK_STR("traceId"));
    tk_json_string(&json, tk_str_from(verify->trace_id));
    tk_json_key(&json, TK_STR("connected"));
    tk_json_bool(&json, !verify->broken);
    tk_json_key(&json, TK_STR("spanCount"));
    tk_json_uint(&json, trace != NULL ? tk_json_get_u64(trace, "spanCount") : 0);
    tk_json_key(&json, TK_STR("services"));
    tk_json_array(&json);
    if (trace != NULL)
        for (const struct tk_json_node *one = tk_json_get(trace, "services")->child; one != NULL;
             one = one->next)
            tk_json_string(&json, tk_json_get_str(one, "name"));
    tk_json_array_end(&json);
    tk_json_key(&json, TK_STR("findings"));
    tk_json_array(&json);
    for (const struct tk_verify_finding *one = verify->findings; one != NULL; one = one->next) {
        tk_json_object(&json);
        tk_json_key(&json, TK_STR("rule"));
        tk_json_string(&json, one->rule);
        tk_json_key(&json, TK_STR("severity"));
        tk_json_string(&json, one->severity);
        tk_json_key(&json, TK_STR("message"));
        tk_json_string(&json, one->message);
        tk_json_key(&json, TK_STR("fix"));
        tk_json_string(&json, one->fix);
        tk_json_object_end(&json);
    }
    tk_json_array_end(&json);
    tk_json_object_end(&json);
    (void)printf("%.*s\n", TK_STR_ARG(tk_buf_str(&out)));
    tk_buf_release(&out);
}

static bool
report(const struct tk_verify *verify, int status, const struct tk_json_node *trace)
{
    bool colour = tk_cli_colour(), connected = !verify->broken;
    (void)printf("%s %s was answered %d\n", verify->method, verify->url, status);
    if (trace != NULL &&
        !tk_cli_waterfall(trace, tk_str_from(verify->span_id), verify->remote.arena))
        return false;
    (void)printf("\n%s%s%s", colour ? connected ? "\033[1;32m" : "\033[1;31m" : "",
                 connected ? "connected" : "not connected", colour ? "\033[0m" : "");
    if (trace != NULL) {
        const char *between = ": ";
        const struct tk_json_node *one = tk_json_get(trace, "services")->child;
        for (; one != NULL; one = one->next, between = ", ") {
            tk_str name = tk_json_get_str(one, "name");
            (void)fputs(between, stdout);
            (void)tk_cli_print(name, tk_cli_columns(name));
        }
        (void)printf(" in one trace");
    }
    (void)putchar('\n');
    for (const struct tk_verify_finding *f = verify->findings; f != NULL; f = f->next) {
        bool error = tk_str_eq(f->severity, TK_STR("error"));
        (void)printf("\n  %s%.*s%s",
                     !colour ? ""
                     : error ? "\033[31m"
                             : "\033[33m",
                     TK_STR_ARG(f->rule), colour ? "\033[0m" : "");
        if (!error)
            (void)printf(" (%.*s)", TK_STR_ARG(f->severity));
        (void)printf(": ");
        (void)tk_cli_print(f->message, tk_cli_columns(f->message));
        (void)printf("\n    cure: ");
        (void)tk_cli_print(f->fix, tk_cli_columns(f->fix));
        (void)putchar('\n');
    }
    return true;
}

static enum tk_exit
run(struct tk_verify *verify, uint64_t timeout_nano, bool json)
{
    struct tk_json_node *trace = NULL;
    uint64_t none;
    int http_status = 0;
    draw_ids(verify);
    enum tk_exit status = count_spans(verify, &none); /* before the application is troubled */
    if (status == TK_EXIT_GOOD)
        status = call_application(verify, &http_status);
    if (status == TK_EXIT_GOOD)
        status = await_trace(verify, timeout_nano, &trace);
    if (status == TK_EXIT_GOOD)
        status = tk_verify_explain(verify, trace);
    if (status != TK_EXIT_GOOD)
        return status;
    if (json)
        report_json(verify, http_status, trace);
    else if (!report(verify, http_status, trace))
        return tk_cli_fail(TK_EXIT_CANNOT_START, "verify", "out of memory");
    return verify->broken ? TK_EXIT_FINDING : TK_EXIT_GOOD;
}

static bool
is_web_address(const char *text)
{
    const char *host = strstr(text, "://");
    return host != NULL && host[3] != '\0' &&
           (tk_str_starts_with(tk_str_from(text), TK_STR("http://")) ||
            tk_str_starts_with(tk_str_from(text), TK_STR("https://")));
}

/* What libcurl would take as something else, or leave out. */
static enum tk_exit
check_request(const struct tk_verify *verify)
{
    if (strstr(verify->url, "://") != NULL && !is_web_address(verify->url))
        return tk_cli_fail(TK_EXIT_USAGE, "verify", "%s: expected http:// or https://",
                           verify->url);
    if (verify->origin != NULL && !is_web_address(verify->origin))
        return tk_cli_fail(TK_EXIT_USAGE, "verify",
                           "--browser '%s': expected an origin, such as http://localhost:3000",
                           verify->origin);
    for (size_t i = 0; i < verify->headers.count; i++)
        if (strchr(verify->headers.items[i], ':') == NULL)
            return tk_cli_fail(TK_EXIT_USAGE, "verify", "--header '%s': expected 'Name: value'",
                               verify->headers.items[i]);
    return TK_EXIT_GOOD;
}

enum tk_exit
tk_cli_verify(int argc, char **argv)
{
    struct tk_verify verify = {.remote = TK_REMOTE_DEFAULTS, .method = "GET"};
    struct tk_option_list hops = {.count = 0};
    const char *services = NULL;
    uint64_t timeout_nano = 15 * second_nano;
    bool json = false;
    const struct tk_option table[] = {
        TK_REMOTE_OPTIONS(&verify.remote),
        {"services", TK_OPTION_STRING, &services, "A,B,C", "services that must be in the trace",
         NULL, NULL},
        {"expect", TK_OPTION_LIST, &hops, "HOPS",
         "'service:a > service:b': b must be called by a; may be given again", NULL, NULL},
        {"browser", TK_OPTION_STRING, &verify.origin, "ORIGIN",
         "ask first as a browser on a page of this origin would (CORS)", NULL, NULL},
        {"method", TK_OPTION_STRING, &verify.method, "M", "of the request [GET]", NULL, NULL},
        {"header", TK_OPTION_LIST, &verify.headers, "LINE",
         "'Name: value', sent with the request; may be given again", NULL, NULL},
        {"timeout", TK_OPTION_DURATION, &timeout_nano, "TIME", "to wait for the trace [15s]", NULL,
         NULL},
        {"json", TK_OPTION_BOOL, &json, NULL, "the result for programs", NULL, NULL},
    };
    struct tk_options options = {.options = table, .option_count = sizeof table / sizeof *table};
    static const struct tk_cli_usage usage = {
        .command = "verify",
        .usage = "tracekit verify URL [options]",
        .about =
            "Sends one request to URL with a fresh traceparent, waits until its spans are in the "
            "server,\ndraws the trace, and says whether it is connected or which hop is missing "
            "and the cure.\nExit status 0: connected; 1: not; 3: URL or the server cannot be "
            "reached.",
        .positional_min = 1,
        .positional_max = 1,
    };
    struct tk_arena arena, looks;
    enum tk_exit status = TK_EXIT_GOOD;

    tk_arena_init(&arena, 1 << 16, ARENA_LIMIT);
    tk_arena_init(&looks, 1 << 16, ARENA_LIMIT);
    verify.arena = &arena;
    verify.findings_end = &verify.findings;
    if (!tk_cli_parse(&usage, &options, argc, argv, &arena, &status))
        goto out;
    verify.url = options.positional[0];
    status = check_request(&verify);
    if (status != TK_EXIT_GOOD)
        goto out;
    if (!tk_verify_parse_services(&verify, tk_str_from(services)))
        status = tk_cli_fail(TK_EXIT_USAGE, "verify", "--services: at most %d names",
                             TK_VERIFY_NAMES_MAX);
    for (size_t i = 0; i < hops.count && status == TK_EXIT_GOOD; i++)
        if (!tk_verify_parse_hops(&verify, tk_str_from(hops.items[i])))
            status = tk_cli_fail(TK_EXIT_USAGE, "verify",
                                 "--expect '%s': expected 'service:a > service:b'", hops.items[i]);
    if (status == TK_EXIT_GOOD)
        status = tk_remote_open(&verify.remote, "verify", &looks);
    if (status == TK_EXIT_GOOD)
        status = run(&verify, timeout_nano, json);
out:
    tk_remote_close(&verify.remote);
    tk_arena_release(&looks);
    tk_arena_release(&arena);
    return status;
}
