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

/* The newest trace since the request that `query` finds and that is not ours, or NULL. */
static enum tk_exit
find_other(struct tk_verify *verify, const char *query, const struct tk_json_node **ret_trace)
{
    enum { BEFORE_NANO = 1000000000 }; /* clocks differ a little */
    struct tk_json_node *root = NULL;
    struct tk_buf path;
    char start[24];
    (void)snprintf(start, sizeof start, "%llu",
                   (unsigned long long)(verify->sent_nano - BEFORE_NANO));
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

/* Who could have called the missing service, and whether it sent the header. */
static enum tk_exit
explain_calls(struct tk_verify *verify, const struct tk_json_node *trace)
{
    struct walk walk;
    if (!walk_begin(&walk, trace, verify->remote.arena))
        return tk_cli_fail(TK_EXIT_CANNOT_START, "verify", "out of memory");
    while (walk_next(&walk)) {
        const struct tk_json_node *span = walk.path[walk.depth];
        const struct tk_json_node *attributes = tk_json_get(span, "attributes");
        tk_str sent = tk_json_get_str(attributes, "tracekit.propagation");
        tk_str url = tk_json_get_str(attributes, "url.full");
        tk_str service = service_of(span), name = tk_json_get_str(span, "name");
        if (!is_unanswered(&walk))
            continue;
        if (tk_str_eq(sent, TK_STR("not_target")) || tk_str_eq(sent, TK_STR("same_origin_default")))
            tk_verify_add(verify, "header-not-sent",
                          TK_STR("add its host to tracePropagationTargets of the caller's init"),
                          "%.*s called %.*s without traceparent: the URL is not one of its "
                          "tracePropagationTargets",
                          TK_STR_ARG(service), TK_STR_ARG(url.len > 0 ? url : name));
        else
            tk_verify_add(verify, "unanswered-call",
                          TK_STR("register the SDK's middleware in the called service, before its "
                                 "routes; see that no proxy between the two drops traceparent"),
                          "nothing continues the call %.*s%s%.*s of %.*s", TK_STR_ARG(name),
                          url.len > 0 ? " to " : "", TK_STR_ARG(url), TK_STR_ARG(service));
    }
    return TK_EXIT_GOOD;
}

static void
add_own_trace(struct tk_verify *verify, tk_str service, const struct tk_json_node *other)
{
    tk_verify_add(verify, "not-extracted",
                  TK_STR("register the SDK's middleware before the routes, so that traceparent is "
                         "read; call it with the SDK's client, so that traceparent is sent"),
                  "%.*s began a trace of its own (%.*s) instead of continuing this one",
                  TK_STR_ARG(service), TK_STR_ARG(tk_json_get_str(other, "traceId")));
}

static enum tk_exit
explain_missing(struct tk_verify *verify, tk_str service)
{
    const struct tk_json_node *other;
    tk_str query = query_for(verify, "resource.service.name", service);
    enum tk_exit status = query.ptr != NULL
                              ? find_other(verify, query.ptr, &other)
                              : tk_cli_fail(TK_EXIT_CANNOT_START, "verify", "out of memory");
    if (status != TK_EXIT_GOOD)
        return status;
    if (other != NULL)
        add_own_trace(verify, service, other);
    else
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
        add_own_trace(verify, tk_json_get_str(other, "rootServiceName"), other);
    else
        tk_verify_add(verify, "missing-service",
                      tk_arena_printf(verify->arena, FIX_SENDS_NOTHING, verify->remote.server),
                      "no span arrived: the service behind %s does not send to this project",
                      verify->url);
    return TK_EXIT_GOOD;
}

enum tk_exit
tk_verify_explain(struct tk_verify *verify, const struct tk_json_node *trace)
{
    bool missing = false;
    enum tk_exit status = TK_EXIT_GOOD;
    if (trace == NULL)
        return explain_nothing(verify);
    for (size_t i = 0; i < verify->service_count && status == TK_EXIT_GOOD; i++) {
        if (has_service(trace, verify->services[i]))
            continue;
        missing = true;
        status = explain_missing(verify, verify->services[i]);
    }
    for (size_t i = 0; i < verify->hop_count && status == TK_EXIT_GOOD; i++) {
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
    const struct tk_json_node *span = tk_json_get(trace, "spans")->child;
    for (; span != NULL; span = span->next)
        if (is_orphan(verify, span))
            tk_verify_add(verify, "broken-parent",
                          TK_STR("the service that made the parent does not send its spans here, "
                                 "or lost them: look at its exporter"),
                          "the parent %.*s of %.*s (%.*s) was not received",
                          TK_STR_ARG(tk_json_get_str(span, "parentSpanId")),
                          TK_STR_ARG(tk_json_get_str(span, "name")), TK_STR_ARG(service_of(span)));
    if (missing && status == TK_EXIT_GOOD)
        status = explain_calls(verify, trace);
    return status;
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
