/*
 * rules_calls - a request left one service and was served by another: was it one trace?
 */
#include "query/findings/around.h"
#include "query/findings/rules.h"

enum {
    OWN_SERVERS_MAX = 64, /* of a trace, whose callees are looked for */
    HOST_TEXT_MAX = 300,
};

/* ---- words ---- */

/* "localhost:3001"; the ports that everybody knows are left out. */
static tk_str
host_text(struct tk_exam *exam, const struct tk_address *address)
{
    tk_str text = address->host;
    if (text.len > HOST_TEXT_MAX)
        text.len = HOST_TEXT_MAX;
    if (address->port != 0 && address->port != 80 && address->port != 443)
        text = tk_arena_printf(exam->arena, "%.*s:%u", TK_STR_ARG(text), address->port);
    if (text.ptr == NULL)
        exam->book->out_of_memory = true;
    return text;
}

/* The service at the other end of a call, or the host where it is not known. */
static tk_str
callee_text(const struct tk_call *call, tk_str host)
{
    if (call->answer != NULL)
        return call->answer->service;
    return call->host != NULL && call->host->known && !call->host->several ? call->host->service
                                                                           : host;
}

static struct tk_finding_other
other_of(const struct tk_server *server)
{
    return (struct tk_finding_other){
        .trace_id = server->trace_id, .span_id = server->span_id, .service = server->service};
}

static bool
is_web(const struct tk_exam *exam, const struct tk_call *call)
{
    return tk_str_eq(tk_exam_language(exam, call->position), TK_STR("webjs"));
}

static bool
is_ours(const struct tk_call *call)
{
    return call->answer != NULL || (call->host != NULL && call->host->known);
}

/* ---- headers that were not sent ---- */

static void
report_unsent(struct tk_exam *exam, const struct tk_rule *rule, const struct tk_call *call,
              enum tk_confidence confidence)
{
    struct tk_report report = tk_report_at(exam, call->position, confidence);
    report.host = host_text(exam, &call->address);
    report.peer = callee_text(call, report.host);
    if (call->answer != NULL)
        report.other = other_of(call->answer);
    tk_exam_report(exam, rule, &report,
                   "`%.*s` calls %.*s%.*s without trace headers: what `%.*s` does there is in "
                   "other traces",
                   TK_STR_ARG(report.service), TK_STR_ARG(report.host),
                   TK_STR_ARG(call->address.path), TK_STR_ARG(report.peer));
}

/* What goes to hosts of others is as it should be. */
void
tk_check_not_target(struct tk_exam *exam, const struct tk_rule *rule)
{
    for (uint32_t i = 0; i < exam->call_count; i++) {
        const struct tk_call *call = &exam->call[i];
        if (call->propagation == TK_PROPAGATION_NOT_TARGET && is_ours(call))
            report_unsent(exam, rule, call,
                          call->answer != NULL ? TK_CONFIDENCE_CERTAIN : TK_CONFIDENCE_LIKELY);
        else if (call->propagation == TK_PROPAGATION_UNKNOWN && is_web(exam, call) &&
                 call->answer != NULL)
            report_unsent(exam, rule, call, TK_CONFIDENCE_LIKELY);
    }
}

void
tk_check_same_origin_default(struct tk_exam *exam, const struct tk_rule *rule)
{
    for (uint32_t i = 0; i < exam->call_count; i++) {
        const struct tk_call *call = &exam->call[i];
        if (call->propagation == TK_PROPAGATION_SAME_ORIGIN && is_ours(call))
            report_unsent(exam, rule, call,
                          call->answer != NULL ? TK_CONFIDENCE_CERTAIN : TK_CONFIDENCE_LIKELY);
    }
}

/* ---- headers that were sent ---- */

static bool
was_given_up(tk_str error)
{
    return tk_str_eq(error, TK_STR("AbortError")) || tk_str_eq(error, TK_STR("TimeoutError"));
}

void
tk_check_cors_refused(struct tk_exam *exam, const struct tk_rule *rule)
{
    for (uint32_t i = 0; i < exam->call_count; i++) {
        const struct tk_call *call = &exam->call[i];
        if (call->propagation != TK_PROPAGATION_SENT || !is_web(exam, call) || call->status != 0 ||
            call->error.len == 0 || was_given_up(call->error) || !call->crosses_origin)
            continue;
        struct tk_report report = tk_report_at(
            exam, call->position, is_ours(call) ? TK_CONFIDENCE_LIKELY : TK_CONFIDENCE_POSSIBLE);
        tk_str page = report.service;
        report.host = host_text(exam, &call->address);
        report.service = callee_text(call, report.host);
        report.language = is_ours(call) ? call->host->language : TK_STR("");
        report.peer = page;
        tk_exam_report(exam, rule, &report,
                       "a request of `%.*s` to %.*s%.*s failed in the browser before any answer, "
                       "as it does where CORS does not allow `traceparent`",
                       TK_STR_ARG(page), TK_STR_ARG(report.host), TK_STR_ARG(call->address.path));
    }
}

void
tk_check_backend_silent(struct tk_exam *exam, const struct tk_rule *rule)
{
    for (uint32_t i = 0; i < exam->call_count; i++) {
        const struct tk_call *call = &exam->call[i];
        if (call->propagation != TK_PROPAGATION_SENT || call->status == 0 || call->host == NULL ||
            call->host->known || call->inner.span_id != 0 || !call->crosses_origin)
            continue;
        struct tk_report report = tk_report_at(exam, call->position, TK_CONFIDENCE_LIKELY);
        tk_str caller = report.service;
        report.service = report.language = TK_STR("");
        report.peer = report.host = host_text(exam, &call->address);
        tk_exam_report(exam, rule, &report,
                       "`%.*s` sent trace headers to %.*s and got an answer, but no span has come "
                       "from there within a day",
                       TK_STR_ARG(caller), TK_STR_ARG(report.host));
    }
}

/* Calls with headers, as far as is known. */
static bool
carries_headers(const struct tk_exam *exam, const struct tk_call *call)
{
    return call->propagation == TK_PROPAGATION_SENT ||
           (call->propagation == TK_PROPAGATION_UNKNOWN && !is_web(exam, call));
}

/* Does whoever answered read the headers of others? */
static bool
reads_headers(const struct tk_call *call)
{
    return call->host->joins || tk_str_eq(call->answer->sdk, TK_STR("tracekit"));
}

static void
report_inner(struct tk_exam *exam, const struct tk_rule *rule, const struct tk_call *call)
{
    struct tk_report report = tk_report_at(exam, call->position, TK_CONFIDENCE_LIKELY);
    report.peer = report.service;
    report.service = call->inner.service;
    report.language = call->inner_language;
    report.other = call->inner;
    report.cause = "It makes spans, but none for the requests that it serves: its middleware is "
                   "not registered, or stands behind the routes.";
    tk_exam_report(exam, rule, &report,
                   "while `%.*s` waited for %.*s, `%.*s` began a trace of its own instead of "
                   "continuing this one",
                   TK_STR_ARG(report.peer), TK_STR_ARG(host_text(exam, &call->address)),
                   TK_STR_ARG(report.service));
}

void
tk_check_not_extracted(struct tk_exam *exam, const struct tk_rule *rule)
{
    for (uint32_t i = 0; i < exam->call_count; i++) {
        const struct tk_call *call = &exam->call[i];
        if (call->inner.span_id != 0)
            report_inner(exam, rule, call);
        if (call->answer == NULL || !carries_headers(exam, call) || reads_headers(call))
            continue;
        struct tk_report report = tk_report_at(exam, call->position, TK_CONFIDENCE_LIKELY);
        report.peer = report.service;
        report.service = call->answer->service;
        report.language = call->answer->language;
        report.other = other_of(call->answer);
        tk_exam_report(exam, rule, &report,
                       "`%.*s` serves the request of `%.*s` in a trace of its own: it does not "
                       "continue the trace that `traceparent` names",
                       TK_STR_ARG(report.service), TK_STR_ARG(report.peer));
    }
}

void
tk_check_header_stripped(struct tk_exam *exam, const struct tk_rule *rule)
{
    for (uint32_t i = 0; i < exam->call_count; i++) {
        const struct tk_call *call = &exam->call[i];
        if (call->answer == NULL || !carries_headers(exam, call) || !reads_headers(call))
            continue;
        bool sent = call->propagation == TK_PROPAGATION_SENT;
        struct tk_report report = tk_report_at(
            exam, call->position, sent ? TK_CONFIDENCE_LIKELY : TK_CONFIDENCE_POSSIBLE);
        report.host = host_text(exam, &call->address);
        report.peer = call->answer->service;
        report.other = other_of(call->answer);
        if (!sent)
            report.cause = "Something between the two (a proxy, a gateway, a load balancer) takes "
                           "`traceparent` out, or the caller's tracePropagationTargets do not "
                           "cover this host.";
        tk_exam_report(exam, rule, &report,
                       "trace headers of `%.*s` are lost on the way to %.*s: `%.*s`, which does "
                       "continue traces, began a new one",
                       TK_STR_ARG(report.service), TK_STR_ARG(report.host),
                       TK_STR_ARG(report.peer));
    }
}

/* ---- calls without a client span ---- */

static bool
is_probe(tk_str path)
{
    static const char *const probes[] = {"/health", "/healthz", "/ready",   "/readyz", "/live",
                                         "/livez",  "/ping",    "/metrics", "/status", "/"};
    for (size_t i = 0; i < sizeof probes / sizeof *probes; i++)
        if (tk_str_eq(path, tk_str_from(probes[i])))
            return true;
    return false;
}

/* Was `callee` running within `caller`, called by a program in its language?  Times first: each is
   asked about each, and few of them fit. */
static bool
could_call(const struct tk_server *caller, const struct tk_server *callee)
{
    if (caller->start_nano > callee->start_nano || caller->end_nano < callee->end_nano ||
        callee->joined)
        return false;
    tk_str language = tk_agent_language(callee->agent);
    return language.len > 0 && tk_str_eq(caller->language, language) &&
           !is_probe(callee->address.path) && !tk_str_eq(caller->service, callee->service);
}

static bool
own_server(const struct tk_exam *exam, uint32_t position, struct tk_server *ret_server)
{
    const struct tk_batch *trace = exam->trace;
    uint32_t row = tk_exam_row(exam, position);
    struct tk_server server = {
        .trace_id = trace->trace_id[row],
        .span_id = trace->span_id[row],
        .service = tk_exam_service(exam, position),
        .language = tk_exam_language(exam, position),
        .agent = tk_span_text(trace, row, "user_agent.original", "http.user_agent"),
        .start_nano = trace->start_nano[row],
        .end_nano = trace->end_nano[row],
        .joined = trace->parent_id[row] != 0,
    };
    if (!tk_server_address(trace, row, &server.address))
        return false;
    *ret_server = server;
    return true;
}

static const char raw_message[] =
    "`%.*s` calls `%.*s` with an HTTP client that is not traced: the two are not one trace";

/* This trace is what was called: who was at it meanwhile? */
static void
look_for_caller(struct tk_exam *exam, const struct tk_rule *rule)
{
    const struct tk_server *caller = NULL;
    struct tk_server own;
    if (!own_server(exam, exam->tree.root, &own))
        return;
    for (uint32_t i = 0; i < exam->server_count; i++) {
        const struct tk_server *server = &exam->servers[i];
        if (server->calls || !could_call(server, &own))
            continue;
        if (caller != NULL && !tk_str_eq(caller->service, server->service))
            return;
        caller = server;
    }
    if (caller == NULL)
        return;
    struct tk_report report = tk_report_at(exam, exam->tree.root, TK_CONFIDENCE_LIKELY);
    report.peer = report.service;
    report.service = caller->service;
    report.language = caller->language;
    report.other = other_of(caller);
    tk_exam_report(exam, rule, &report, raw_message, TK_STR_ARG(report.service),
                   TK_STR_ARG(report.peer));
}

static bool
calls_host(const struct tk_exam *exam, const struct tk_address *address)
{
    for (uint32_t i = 0; i < exam->call_count; i++)
        if (tk_same_host(&exam->call[i].address, address))
            return true;
    return false;
}

static bool
has_other_caller(const struct tk_exam *exam, const struct tk_server *callee)
{
    for (uint32_t i = 0; i < exam->server_count; i++)
        if (could_call(&exam->servers[i], callee))
            return true;
    return false;
}

/* A server span of this trace may be the caller of a trace that ran within it. */
static void
look_for_callees(struct tk_exam *exam, const struct tk_rule *rule, uint32_t position,
                 const struct tk_server *own)
{
    for (uint32_t i = 0; i < exam->server_count; i++) {
        const struct tk_server *callee = &exam->servers[i];
        if (!could_call(own, callee) || calls_host(exam, &callee->address) ||
            has_other_caller(exam, callee))
            continue;
        struct tk_report report = tk_report_at(exam, position, TK_CONFIDENCE_LIKELY);
        report.peer = callee->service;
        report.other = other_of(callee);
        tk_exam_report(exam, rule, &report, raw_message, TK_STR_ARG(report.service),
                       TK_STR_ARG(report.peer));
    }
}

void
tk_check_raw_client(struct tk_exam *exam, const struct tk_rule *rule)
{
    struct tk_server own;
    uint32_t servers = 0;
    if (exam->server_count == 0)
        return;
    look_for_caller(exam, rule);
    for (uint32_t i = 0; i < exam->tree.span_count && servers < OWN_SERVERS_MAX; i++) {
        if (!own_server(exam, i, &own))
            continue;
        servers++;
        look_for_callees(exam, rule, i, &own);
    }
}
