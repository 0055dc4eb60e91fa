/* verify_hops - what must be in the trace, and why it is not; see verify.h. */
#include "cli/verify.h"

#include <stdio.h>

#define FIX_SENDS_NOTHING                                                                          \
    "see that its SDK is initialised before anything else, that TRACEKIT_ENDPOINT is %s and that " \
    "TRACEKIT_API_KEY is of this project; TRACEKIT_DEBUG=1 tells what its exporter does"

/* A walk over the spans in display order: depth first, so that the spans before it of a smaller
   depth are a span's ancestors. */
struct walk {
    const struct tk_json_node *span;
    const struct tk_json_node **path; /* [depth + 1]: from the top down to this span */
    size_t depth;
    bool leaf; /* nothing is below it */
};

static bool
walk_begin(struct walk *walk, const struct tk_json_node *trace, struct tk_arena *arena)
{
    size_t count = 0, depth = 0;
    const struct tk_json_node *first = tk_json_get(trace, "spans")->child;
    for (const struct tk_json_node *span = first; span != NULL; span = span->next, count++)
        if (tk_json_get_u64(span, "depth") > depth)
            depth = tk_json_get_u64(span, "depth");
    *walk = (struct walk){0};
    if (depth > count) /* no server of ours says so */
        return false;
    walk->path = tk_arena_zalloc(arena, depth + 1, sizeof *walk->path);
    walk->span = first;
    return walk->path != NULL;
}

static bool
walk_next(struct walk *walk)
{
    const struct tk_json_node *span = walk->span;
    if (span == NULL)
        return false;
    walk->depth = tk_json_get_u64(span, "depth");
    walk->path[walk->depth] = span;
    walk->span = span->next;
    walk->leaf = span->next == NULL || tk_json_get_u64(span->next, "depth") <= walk->depth;
    return true;
}

static tk_str
service_of(const struct tk_json_node *span)
{
    return tk_json_get_str(span, "serviceName");
}

/* The nearest service above the walk's span that is another one; empty at the top. */
static tk_str
caller_of(const struct walk *walk)
{
    tk_str own = service_of(walk->path[walk->depth]);
    for (size_t depth = walk->depth; depth-- > 0;)
        if (walk->path[depth] != NULL && !tk_str_eq(service_of(walk->path[depth]), own))
            return service_of(walk->path[depth]);
    return TK_STR_NONE;
}

static bool
has_service(const struct tk_json_node *trace, tk_str service)
{
    const struct tk_json_node *one = tk_json_get(trace, "services")->child;
    for (; one != NULL; one = one->next)
        if (tk_str_eq(tk_json_get_str(one, "name"), service))
            return true;
    return false;
}

static bool
has_hop(const struct tk_json_node *trace, const struct tk_verify_hop *hop, struct tk_arena *arena)
{
    struct walk walk;
    if (!walk_begin(&walk, trace, arena))
        return false;
    while (walk_next(&walk))
        if (tk_str_eq(service_of(walk.path[walk.depth]), hop->called) &&
            tk_str_eq(caller_of(&walk), hop->caller))
            return true;
    return false;
}

static bool
is_orphan(const struct tk_verify *verify, const struct tk_json_node *span)
{
    return tk_json_get(span, "orphan")->type == TK_JSON_TRUE &&
           !tk_str_eq(tk_json_get_str(span, "parentSpanId"), tk_str_from(verify->span_id));
}

bool
tk_verify_complete(const struct tk_verify *verify, const struct tk_json_node *trace)
{
    const struct tk_json_node *span = tk_json_get(trace, "spans")->child;
    for (size_t i = 0; i < verify->service_count; i++)
        if (!has_service(trace, verify->services[i]))
            return false;
    for (size_t i = 0; i < verify->hop_count; i++)
        if (!has_hop(trace, &verify->hops[i], verify->remote.arena))
            return false;
    for (; span != NULL; span = span->next)
        if (is_orphan(verify, span))
            return false;
    return true;
}

/* ---- why ---------------------------------------------------------------------------------------
 */

/* The newest trace since `start_nano` that `query` finds and that is not ours, or NULL. */
static enum tk_exit
find_since(struct tk_verify *verify, const char *query, uint64_t start_nano,
           const struct tk_json_node **ret_trace)
{
    struct tk_json_node *root = NULL;
    struct tk_buf path;
    char start[24];
    (void)snprintf(start, sizeof start, "%llu", (unsigned long long)start_nano);
    *ret_trace = NULL;
    tk_buf_init(&path, 1 << 16);
    tk_buf_append(&path, TK_STR("/api/v1/traces"));
    tk_remote_param(&path, "q", query);
    tk_remote_param(&path, "start", start);
    enum tk_exit status = tk_remote_get_json(&verify->remote, &path, &root);
    tk_buf_release(&path);
    if (status != TK_EXIT_GOOD)
        return status;
    const struct tk_json_node *trace = tk_json_get(root, "traces")->child;
    for (; trace != NULL && *ret_trace == NULL; trace = trace->next)
        if (!tk_str_eq(tk_json_get_str(trace, "traceId"), tk_str_from(verify->trace_id)))
            *ret_trace = trace;
    return TK_EXIT_GOOD;
}

/*
 * The trace that was begun instead of ours, or NULL: one that has a beginning, and as clocks differ
 * a little maybe shortly before the request; else one whose caller we do not know, such as a proxy,
 * not before it: shortly before it that is what another `verify` asked for.
 */
static enum tk_exit
find_other(struct tk_verify *verify, const char *query, const struct tk_json_node **ret_trace)
{
    enum { BEFORE_NANO = 1000000000 };
    tk_str begun = tk_arena_printf(verify->arena, "%s && { span:parentID = \"\" }", query);
    if (begun.ptr == NULL)
        return tk_cli_fail(TK_EXIT_CANNOT_START, "verify", "out of memory");
    enum tk_exit status = find_since(verify, begun.ptr, verify->sent_nano - BEFORE_NANO, ret_trace);
    if (status == TK_EXIT_GOOD && *ret_trace == NULL)
        status = find_since(verify, query, verify->sent_nano, ret_trace);
    return status;
}

/* A query that finds what has `key` = `value`. */
static tk_str
query_for(struct tk_verify *verify, const char *key, tk_str value)
{
    struct tk_buf text;
    tk_buf_init(&text, 1 << 16);
    tk_buf_printf(&text, "{ %s = \"", key);
    for (size_t i = 0; i < value.len; i++) {
        if (value.ptr[i] == '"' || value.ptr[i] == '\\')
            tk_buf_append_char(&text, '\\');
        tk_buf_append_char(&text, value.ptr[i]);
    }
    tk_buf_append(&text, TK_STR("\" }"));
    tk_str query = tk_arena_copy(verify->arena, tk_buf_str(&text));
    tk_buf_release(&text);
    return query;
}

/* The span of a call that nothing continued: a client span at the end of its branch which is no
   call of a database.  The walk stands on it. */
static bool
is_unanswered(const struct walk *walk)
{
    const struct tk_json_node *span = walk->path[walk->depth];
    const struct tk_json_node *attributes = tk_json_get(span, "attributes");
    return walk->leaf && tk_str_eq(tk_json_get_str(span, "kind"), TK_STR("CLIENT")) &&
           tk_json_get_str(attributes, "db.system.name").len == 0 &&
           tk_json_get_str(attributes, "db.system").len == 0;
}

static bool
told(const struct tk_verify *verify, const char *rule)
{
    const struct tk_verify_finding *one = verify->findings;
    while (one != NULL && !tk_str_eq(one->rule, tk_str_from(rule)))
        one = one->next;
    return one != NULL;
}

/* What the server's own rules say of the trace, as far as it is here. */
static enum tk_exit
add_findings(struct tk_verify *verify)
{
    struct tk_json_node *root = NULL;
    struct tk_buf path;
    tk_buf_init(&path, 4096);
    tk_buf_printf(&path, "/api/v1/traces/%s/findings", verify->trace_id);
    enum tk_exit status = tk_remote_get_json(&verify->remote, &path, &root);
    tk_buf_release(&path);
    if (status != TK_EXIT_GOOD)
        return status;
    for (const struct tk_json_node *one = tk_json_get(root, "findings")->child; one != NULL;
         one = one->next) {
        struct tk_verify_finding *finding = tk_arena_zalloc(verify->arena, 1, sizeof *finding);
        if (finding == NULL)
            return tk_cli_fail(TK_EXIT_CANNOT_START, "verify", "out of memory");
        *finding = (struct tk_verify_finding){
            .rule = tk_arena_copy(verify->arena, tk_json_get_str(one, "rule")),
            .severity = tk_arena_copy(verify->arena, tk_json_get_str(one, "severity")),
            .message = tk_arena_copy(verify->arena, tk_json_get_str(one, "message")),
            .fix = tk_arena_copy(verify->arena, tk_json_get_str(one, "fix"))};
        *verify->findings_end = finding;
        verify->findings_end = &finding->next;
        verify->broken = verify->broken || tk_str_eq(finding->severity, TK_STR("error"));
    }
    return TK_EXIT_GOOD;
}

/* The calls of a trace that nobody continued. */
struct calls {
    bool any, unsent; /* unsent: one was made without headers */
};

static bool
is_unsent(const struct tk_json_node *span)
{
    tk_str sent = tk_json_get_str(tk_json_get(span, "attributes"), "tracekit.propagation");
    return tk_str_eq(sent, TK_STR("not_target")) || tk_str_eq(sent, TK_STR("same_origin_default"));
}

static bool
find_calls(struct tk_verify *verify, const struct tk_json_node *trace, struct calls *ret_calls)
{
    struct walk walk;
    *ret_calls = (struct calls){.any = false};
    if (trace == NULL)
        return true;
    if (!walk_begin(&walk, trace, verify->remote.arena))
        return false;
    while (walk_next(&walk)) {
        bool unanswered = is_unanswered(&walk);
        ret_calls->any = ret_calls->any || unanswered;
        ret_calls->unsent = ret_calls->unsent || (unanswered && is_unsent(walk.path[walk.depth]));
    }
    return true;
}

/* Who could have called the missing service, and whether it sent the header. */
static enum tk_exit
explain_calls(struct tk_verify *verify, const struct tk_json_node *trace)
{
    struct walk walk;
    if (!walk_begin(&walk, trace, verify->remote.arena))
        return tk_cli_fail(TK_EXIT_CANNOT_START, "verify", "out of memory");
    while (walk_next(&walk)) {
        const struct tk_json_node *span = walk.path[walk.depth];
        tk_str url = tk_json_get_str(tk_json_get(span, "attributes"), "url.full");
        tk_str service = service_of(span), name = tk_json_get_str(span, "name");
        if (!is_unanswered(&walk))
            continue;
        if (!is_unsent(span))
            tk_verify_add(verify, "unanswered-call",
                          TK_STR("register the SDK's middleware in the called service, before its "
                                 "routes; see that no proxy between the two drops traceparent"),
                          "nothing continues the call %.*s%s%.*s of %.*s", TK_STR_ARG(name),
                          url.len > 0 ? " to " : "", TK_STR_ARG(url), TK_STR_ARG(service));
        else if (!told(verify, "not-a-target") && !told(verify, "same-origin-default"))
            tk_verify_add(verify, "header-not-sent",
                          TK_STR("add its host to tracePropagationTargets of the caller's init"),
                          "%.*s called %.*s without traceparent: the URL is not one of its "
                          "tracePropagationTargets",
                          TK_STR_ARG(service), TK_STR_ARG(url.len > 0 ? url : name));
    }
    return TK_EXIT_GOOD;
}

/* `other` began instead of continuing this trace.  Who called its first service left no span of the
   call where no call is unanswered: it has no client of ours.  Who sent no headers is told by
   explain_calls. */
static void
add_own_trace(struct tk_verify *verify, const struct tk_json_node *other, bool called_raw)
{
    tk_str first = tk_json_get_str(other, "rootServiceName");
    tk_str began = tk_arena_printf(verify->arena, "%.*s began a trace", TK_STR_ARG(first));
    for (const struct tk_verify_finding *one = verify->findings; one != NULL; one = one->next)
        if (tk_str_starts_with(one->message, began))
            return; /* several of the missing services are below it */
    tk_verify_add(verify, called_raw ? "raw-client" : "not-extracted",
                  called_raw ? TK_STR("call it with the SDK's client, so that traceparent is sent: "
                                      "tracekit.fetch, tracekit.HTTPClient, tracekit.requests")
                             : TK_STR("register the SDK's middleware before the routes, so that "
                                      "traceparent is read"),
                  "%.*s began a trace of its own (%.*s) instead of continuing this one%s",
                  TK_STR_ARG(first), TK_STR_ARG(tk_json_get_str(other, "traceId")),
                  called_raw ? ": no span of this one is a call to it" : "");
}

static enum tk_exit
explain_missing(struct tk_verify *verify, const struct tk_json_node *trace, tk_str service)
{
    const struct tk_json_node *other;
    struct calls calls;
    tk_str query = query_for(verify, "resource.service.name", service);
    if (query.ptr == NULL || !find_calls(verify, trace, &calls))
        return tk_cli_fail(TK_EXIT_CANNOT_START, "verify", "out of memory");
    enum tk_exit status = find_other(verify, query.ptr, &other);
    if (status != TK_EXIT_GOOD)
        return status;
    if (other != NULL && !calls.unsent)
        add_own_trace(verify, other, trace != NULL && !calls.any);
    else if (other == NULL)
        tk_verify_add(verify, "missing-service",
                      tk_arena_printf(verify->arena, FIX_SENDS_NOTHING, verify->remote.server),
                      "%.*s sent no span of this request, and of no other since",
                      TK_STR_ARG(service));
    return TK_EXIT_GOOD;
}

/* The path of the URL that was called, "/" at least. */
static tk_str
path_of(const char *url)
{
    const char *host = strstr(url, "://");
    const char *path = strchr(host != NULL ? host + 3 : url, '/');
    if (path == NULL)
        return TK_STR("/");
    return (tk_str){path, strcspn(path, "?#")};
}

static enum tk_exit
explain_nothing(struct tk_verify *verify)
{
    const struct tk_json_node *other;
    tk_str query = query_for(verify, "span.url.path", path_of(verify->url));
    enum tk_exit status = query.ptr != NULL
                              ? find_other(verify, query.ptr, &other)
                              : tk_cli_fail(TK_EXIT_CANNOT_START, "verify", "out of memory");
    if (status != TK_EXIT_GOOD)
        return status;
    if (other != NULL)
        add_own_trace(verify, other, false);
    else
        tk_verify_add(verify, "missing-service",
                      tk_arena_printf(verify->arena, FIX_SENDS_NOTHING, verify->remote.server),
                      "no span arrived: the service behind %s does not send to this project",
                      verify->url);
    return TK_EXIT_GOOD;
}

static enum tk_exit
explain_services(struct tk_verify *verify, const struct tk_json_node *trace, bool *missing)
{
    enum tk_exit status = TK_EXIT_GOOD;
    for (size_t i = 0; i < verify->service_count && status == TK_EXIT_GOOD; i++) {
        if (trace != NULL && has_service(trace, verify->services[i]))
            continue;
        *missing = true;
        status = explain_missing(verify, trace, verify->services[i]);
    }
    return status;
}

static bool
explain_hops(struct tk_verify *verify, const struct tk_json_node *trace)
{
    bool missing = false;
    for (size_t i = 0; i < verify->hop_count; i++) {
        const struct tk_verify_hop *hop = &verify->hops[i];
        if (has_hop(trace, hop, verify->remote.arena))
            continue;
        missing = true;
        tk_verify_add(verify, "missing-hop",
                      TK_STR("make the call with the caller's SDK client, and register the "
                             "middleware in the called service"),
                      "no span of %.*s is below one of %.*s", TK_STR_ARG(hop->called),
                      TK_STR_ARG(hop->caller));
    }
    return missing;
}

static void
explain_parents(struct tk_verify *verify, const struct tk_json_node *trace)
{
    const struct tk_json_node *span = tk_json_get(trace, "spans")->child;
    if (told(verify, "parent-in-other-project"))
        return;
    for (; span != NULL; span = span->next)
        if (is_orphan(verify, span))
            tk_verify_add(verify, "broken-parent",
                          TK_STR("the service that made the parent does not send its spans here, "
                                 "or lost them: look at its exporter"),
                          "the parent %.*s of %.*s (%.*s) was not received",
                          TK_STR_ARG(tk_json_get_str(span, "parentSpanId")),
                          TK_STR_ARG(tk_json_get_str(span, "name")), TK_STR_ARG(service_of(span)));
}

enum tk_exit
tk_verify_explain(struct tk_verify *verify, const struct tk_json_node *trace)
{
    bool missing = false;
    enum tk_exit status = trace != NULL ? add_findings(verify) : TK_EXIT_GOOD;
    if (status == TK_EXIT_GOOD)
        status = explain_services(verify, trace, &missing);
    if (status != TK_EXIT_GOOD)
        return status;
    if (trace == NULL)
        return missing ? TK_EXIT_GOOD : explain_nothing(verify);
    missing = explain_hops(verify, trace) || missing;
    explain_parents(verify, trace);
    return missing ? explain_calls(verify, trace) : TK_EXIT_GOOD;
}

/* ---- what is asked for -------------------------------------------------------------------------
 */

bool
tk_verify_parse_services(struct tk_verify *verify, tk_str text)
{
    while (text.len > 0) {
        tk_str name = tk_str_trim(tk_str_split(&text, ','));
        if (name.len == 0)
            continue;
        if (verify->service_count == TK_VERIFY_NAMES_MAX)
            return false;
        verify->services[verify->service_count++] = name;
    }
    return true;
}

/* service:a, service:"a b", or the name alone. */
static tk_str
parse_service(tk_str text)
{
    text = tk_str_trim(text);
    if (tk_str_starts_with(text, TK_STR("service:"))) {
        text.ptr += sizeof "service:" - 1;
        text.len -= sizeof "service:" - 1;
    }
    text = tk_str_trim(text);
    if (text.len >= 2 && text.ptr[0] == '"' && text.ptr[text.len - 1] == '"')
        text = (tk_str){text.ptr + 1, text.len - 2};
    return text;
}

bool
tk_verify_parse_hops(struct tk_verify *verify, tk_str text)
{
    tk_str caller = parse_service(tk_str_split(&text, '>'));
    if (caller.len == 0 || text.len == 0)
        return false;
    while (text.len > 0) {
        tk_str called = parse_service(tk_str_split(&text, '>'));
        if (called.len == 0 || verify->hop_count == TK_VERIFY_NAMES_MAX)
            return false;
        verify->hops[verify->hop_count++] = (struct tk_verify_hop){caller, called};
        caller = called;
    }
    return true;
}
