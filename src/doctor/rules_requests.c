/*
 * rules_requests - what a request meets on its way: is it a target, does the client pass the trace
 * on, does CORS let the headers through, does a middleware take them up?
 */
#include "doctor/rules.h"

#define EACH_FACT(service, fact)                                                                   \
    for (size_t i_ = 0; i_ < (service)->_facts->file_count; i_++)                                  \
        for (const struct fact *fact = (service)->_facts->files[i_]->facts; (fact) != NULL;        \
             (fact) = (fact)->next)

/* Other people's servers, or nobody's own code: no trace goes on behind them. */
static const char infrastructure[] =
    "(?i)^(redis|postgres|postgresql|mysql|mariadb|mongo|mongodb|kafka|rabbitmq|nats|elasticsearch|"
    "opensearch|minio|vault|consul|etcd|localstack|prometheus|grafana|loki|jaeger|zipkin|tempo|"
    "otel-?collector|collector|tracekit|mailhog|mailpit|keycloak|ollama|host\\.docker\\.internal)$";
static const uint32_t infrastructure_ports[] = {
    2379, 4317, 4318, 4566, 5432, 5672, 6379,  8200,  8500,  8983,
    9000, 9090, 9092, 9200, 9411, 9411, 11434, 15672, 16686, 27017,
};

struct tk_doctor_url
tk_doctor_url(tk_str text)
{
    struct tk_doctor_url url = {0};
    uint64_t port;
    const char *scheme = memmem(text.ptr, text.len, "://", 3);
    if (scheme != NULL)
        text = (tk_str){scheme + 3, text.len - (size_t)(scheme + 3 - text.ptr)};
    size_t end = 0;
    while (end < text.len && memchr("/?#", text.ptr[end], 3) == NULL)
        end++;
    url.path = (tk_str){text.ptr + end, text.len - end};
    for (size_t i = 0; i < url.path.len; i++)
        if (url.path.ptr[i] == '?' || url.path.ptr[i] == '#')
            url.path.len = i;
    text.len = end;
    const char *user = memchr(text.ptr, '@', text.len);
    if (user != NULL)
        text = (tk_str){user + 1, text.len - (size_t)(user + 1 - text.ptr)};
    url.host = text;
    const char *colon = memrchr(text.ptr, ':', text.len);
    if (colon != NULL && !tk_str_ends_with(text, TK_STR("]"))) {
        url.host.len = (size_t)(colon - text.ptr);
        if (tk_str_to_u64((tk_str){colon + 1, text.len - url.host.len - 1}, &port) && port < 65536)
            url.port = (uint32_t)port;
    }
    url.loopback = tk_str_eq(url.host, TK_STR("localhost")) ||
                   tk_str_eq(url.host, TK_STR("127.0.0.1")) ||
                   tk_str_eq(url.host, TK_STR("[::1]")) || tk_str_eq(url.host, TK_STR("0.0.0.0"));
    return url;
}

/* 3001, "8080", ":8080", "0.0.0.0:8080"; the last of them: process.env.PORT || 3001. */
uint32_t
tk_doctor_port(const struct tk_doctor_service *service)
{
    uint32_t found = 0;
    EACH_FACT(service, fact)
    {
        if (!tk_doctor_kind(fact, "listen"))
            continue;
        for (const struct item *item = fact->value.items; item != NULL; item = item->next) {
            tk_str text = item->text;
            const char *colon = text.len > 0 ? memrchr(text.ptr, ':', text.len) : NULL;
            uint64_t port;
            if (item->kind == ITEM_UNKNOWN || item->kind == ITEM_REGEX)
                continue;
            if (colon != NULL)
                text = (tk_str){colon + 1, text.len - (size_t)(colon + 1 - text.ptr)};
            if (tk_str_to_u64(text, &port) && port >= 80 && port < 65536 && found == 0)
                found = (uint32_t)port;
        }
    }
    return found;
}

/* ---- middleware --------------------------------------------------------------------------------
 */

/* The same server's routes that stand before its first middleware. */
static void
rule_order(struct doctor *doctor, const struct tk_doctor_service *service)
{
    const struct fact *middleware = NULL, *route = NULL;
    EACH_FACT(service, fact)
    if (tk_doctor_kind(fact, "middleware") && fact->name.len > 0 &&
        (middleware == NULL || (fact->file == middleware->file && fact->start < middleware->start)))
        middleware = fact;
    if (middleware == NULL)
        return;
    for (const struct fact *fact = middleware->file->facts; fact != NULL; fact = fact->next)
        if (tk_doctor_kind(fact, "route") && tk_str_eq(fact->name, middleware->name) &&
            fact->start < middleware->start && (route == NULL || fact->start < route->start))
            route = fact;
    if (route != NULL)
        (void)tk_doctor_find(
            doctor, "middleware-after-routes", TK_DOCTOR_ERROR, middleware->file->path,
            middleware->line,
            SAY("TraceKit's middleware stands behind a route (line %u): requests of that route are "
                "not traced",
                (unsigned)route->line),
            SAY("move it in front of all routes of %.*s", TK_STR_ARG(middleware->name)));
}

/* SDKs that a framework asks for its middleware; and of the document's Java SDK nobody knows. */
static bool
brings_middleware(const struct tk_doctor_service *service)
{
    return tk_doctor_matches(TK_STR("^tracekit(-spring-boot.*|-java|/laravel-apm)$"), service->sdk);
}

static void
rule_middleware(struct doctor *doctor, const struct tk_doctor_service *service)
{
    const struct fact *app = NULL;
    bool has = brings_middleware(service);
    EACH_FACT(service, fact)
    {
        if (app == NULL && tk_doctor_kind(fact, "app"))
            app = fact;
        has = has || tk_doctor_kind(fact, "middleware");
    }
    if (has) {
        rule_order(doctor, service);
    } else if (app != NULL) {
        struct tk_doctor_finding *finding = tk_doctor_find(
            doctor, "middleware-missing", TK_DOCTOR_ERROR, app->file->path, app->line,
            SAY("%s has no TraceKit middleware: the caller's traceparent is not taken up, and each "
                "service begins a trace of its own",
                app->framework),
            SAY("%s, before the routes", app->cure));
        if (finding != NULL)
            finding->sure = false;
    }
}

/* ---- requests ----------------------------------------------------------------------------------
 */

static const struct item *
url_of(const struct fact *request)
{
    for (const struct item *item = request->value.items; item != NULL; item = item->next)
        if ((item->kind == ITEM_TEXT || item->kind == ITEM_UNKNOWN) &&
            (tk_str_starts_with(item->text, TK_STR("http://")) ||
             tk_str_starts_with(item->text, TK_STR("https://"))))
            return item;
    return NULL;
}

/* "Users Service" and services/users-service are both called users-service. */
static bool
same_host(tk_str host, tk_str name)
{
    if (host.len == 0 || host.len != name.len)
        return false;
    for (size_t i = 0; i < host.len; i++) {
        char c = name.ptr[i];
        if (c == ' ' || c == '_')
            c = '-';
        if ((host.ptr[i] | 32) != (c | 32))
            return false;
    }
    return true;
}

static bool
is_container(const struct doctor *doctor, tk_str host)
{
    for (const struct file *file = doctor->settings; file != NULL; file = file->next_setting)
        for (const struct fact *fact = file->facts; fact != NULL; fact = fact->next)
            if (tk_doctor_kind(fact, "container") && tk_str_eq(fact->name, host))
                return true;
    return false;
}

/* Whose is the URL: another service's of this project? *ret_sure: it was seen there. */
static bool
is_own(const struct doctor *doctor, const struct tk_doctor_service *from, tk_str text,
       bool *ret_sure)
{
    struct tk_doctor_url url = tk_doctor_url(text);
    size_t others = 0;
    *ret_sure = true;
    const struct tk_doctor_service *service = doctor->report->services;
    for (; service != NULL; service = service->next) {
        tk_str base = service->dir;
        for (size_t i = 0; i < base.len; i++)
            if (base.ptr[i] == '/')
                base = (tk_str){base.ptr + i + 1, base.len - i - 1}, i = 0;
        if (service == from)
            continue;
        others++;
        if ((url.loopback && service->port != 0 && service->port == url.port) ||
            same_host(url.host, base) || same_host(url.host, service->name))
            return true;
    }
    *ret_sure = false;
    for (size_t i = 0; i < sizeof infrastructure_ports / sizeof *infrastructure_ports; i++)
        if (url.port == infrastructure_ports[i])
            return false;
    if (url.host.len == 0 || tk_doctor_matches(TK_STR(infrastructure), url.host))
        return false;
    if (url.loopback)
        return others > 0 && url.port != 0 && url.port != from->port;
    return is_container(doctor, url.host) || memchr(url.host.ptr, '.', url.host.len) == NULL ||
           tk_doctor_matches(TK_STR("\\.(svc|internal|svc\\.cluster\\.local)$"), url.host);
}

/* The name was made of the SDK's own client: const { fetch } = tracekit. */
static bool
is_traced(const struct fact *request)
{
    tk_str rest = request->name, first = tk_str_split(&rest, '.');
    for (const struct fact *fact = request->file->facts; fact != NULL; fact = fact->next)
        if (tk_doctor_kind(fact, "traced") && tk_str_eq(fact->name, first))
            return true;
    return false;
}

static bool
has_raw_client(const struct file *file)
{
    for (const struct fact *fact = file->facts; fact != NULL; fact = fact->next)
        if (tk_doctor_kind(fact, "raw.client"))
            return true;
    return false;
}

static bool
is_instrumented(struct doctor *doctor, const struct tk_doctor_service *service)
{
    EACH_FACT(service, fact)
    if (tk_doctor_kind(fact, "option") &&
        tk_doctor_matches(TK_STR("(?i)^auto_?instrument"), fact->name) &&
        fact->value.items != NULL && tk_str_eq_nocase(fact->value.items->text, TK_STR("true")))
        return true;
    (void)doctor;
    return false;
}

static void
find_raw_client(struct doctor *doctor, const struct tk_doctor_service *service,
                const struct fact *request, tk_str url, bool sure)
{
    bool javascript = tk_str_eq(service->language, TK_STR("javascript"));
    bool python = tk_str_eq(service->language, TK_STR("python"));
    static const char *const clients[][2] = {
        {"javascript", "tracekit.fetch"},
        {"python", "tracekit.requests"},
        {"go", "tracekit.HTTPClient"},
        {"php", "getHttpClientInstrumentation(): wrapCurlExec, or Guzzle's getGuzzleMiddleware"},
        {"java", "a RestTemplate, RestClient or WebClient that Spring's builder made"},
    };
    const char *instead = "the SDK's traced HTTP client";
    for (size_t i = 0; i < sizeof clients / sizeof *clients; i++)
        if (tk_str_eq(service->language, tk_str_from(clients[i][0])))
            instead = clients[i][1];
    struct tk_doctor_finding *finding =
        tk_doctor_find(doctor, "raw-client", TK_DOCTOR_WARNING, request->file->path, request->line,
                       SAY("%.*s to %.*s carries no traceparent: the trace ends here",
                           TK_STR_ARG(request->name), TK_STR_ARG(url)),
                       SAY("use %s for requests between your own services", instead));
    if (finding == NULL)
        return;
    finding->sure = sure;
    bool bare_fetch = tk_str_eq(request->name, TK_STR("fetch"));
    bool requests = tk_str_starts_with(request->name, TK_STR("requests."));
    tk_str needs =
        javascript ? TK_STR("\\btracekit\\b[^\n]*@tracekit/node") : TK_STR("(?m)^import tracekit$");
    if (((javascript && bare_fetch) || (python && requests)) &&
        tk_doctor_matches(needs, request->file->text))
        finding->edit = (struct tk_doctor_edit){request->start, 0, TK_STR("tracekit."),
                                                request->file->text_hash};
}

/* With its port: other services share the host. */
static tk_str
target_for(struct doctor *doctor, tk_str text)
{
    struct tk_doctor_url url = tk_doctor_url(text);
    return url.port != 0 ? SAY("%.*s:%u", TK_STR_ARG(url.host), (unsigned)url.port) : url.host;
}

static void
rule_requests(struct doctor *doctor, const struct tk_doctor_service *service)
{
    tk_str place;
    uint32_t line;
    if ((service->_facts->init == NULL &&
         !tk_doctor_options_place(doctor, service, &place, &line)) ||
        is_instrumented(doctor, service))
        return;
    const struct fact *targets =
        service->frontend ? tk_doctor_option(doctor, service, "tracepropagationtargets") : NULL;
    EACH_FACT(service, fact)
    {
        bool built = tk_doctor_kind(fact, "request.built"), sure;
        if (!tk_doctor_kind(fact, "request") && !(built && has_raw_client(fact->file)))
            continue;
        const struct item *url = url_of(fact);
        if (url == NULL || is_traced(fact) || !is_own(doctor, service, url->text, &sure))
            continue;
        if (!service->frontend) {
            find_raw_client(doctor, service, fact, url->text, sure);
            continue;
        }
        const struct item *target = targets != NULL ? targets->value.items : NULL;
        if (target == NULL || tk_doctor_is_unknown(&targets->value))
            continue;
        while (target != NULL && !tk_doctor_target_covers(target, url->text))
            target = target->next;
        if (target == NULL)
            (void)tk_doctor_find(
                doctor, "targets-uncovered", TK_DOCTOR_WARNING, fact->file->path, fact->line,
                SAY("%.*s is no target of tracePropagationTargets (%.*s:%u): no traceparent is "
                    "sent",
                    TK_STR_ARG(url->text), TK_STR_ARG(targets->file->path),
                    (unsigned)targets->line),
                SAY("add '%.*s'", TK_STR_ARG(target_for(doctor, url->text))));
    }
}

/* ---- CORS --------------------------------------------------------------------------------------
 */

static bool
says(const struct value *value, const char *pattern)
{
    for (const struct item *item = value->items; item != NULL; item = item->next)
        if (tk_doctor_matches(tk_str_from(pattern), item->text))
            return true;
    return false;
}

/* 'traceparent', 'tracestate' into a list, behind what is there. */
static struct tk_doctor_edit
edit_list(struct doctor *doctor, const struct fact *headers, bool parent, bool state)
{
    struct tk_doctor_edit none = {0};
    tk_str text = headers->file->text;
    const struct value *value = &headers->value;
    const struct item *item = value->items;
    bool one_text = item != NULL && item->next == NULL && item->start == value->start &&
                    item->end == value->end && headers->file->language != NULL;
    const char *between = parent && state ? ", " : "";
    if (one_text && item->text.len > 0) /* "Content-Type, Authorization" */
        return (struct tk_doctor_edit){
            item->end - 1, 0,
            SAY(", %s%s%s", parent ? "traceparent" : "", between, state ? "tracestate" : ""),
            headers->file->text_hash};
    if (value->end <= value->start || memchr("])}", text.ptr[value->end - 1], 3) == NULL ||
        item == NULL || item->start < value->start || item->end > value->end)
        return none;
    const struct item *last = item;
    while (last->next != NULL)
        last = last->next;
    if (last->end > value->end || last->kind != ITEM_TEXT)
        return none;
    char quote = text.ptr[last->start];
    if (quote != '"' && quote != '\'')
        return none;
    return (struct tk_doctor_edit){last->end, 0,
                                   SAY(", %c%s%c%s%c%s%c", quote,
                                       parent ? "traceparent" : "tracestate", quote, between, quote,
                                       state ? "tracestate" : "", quote),
                                   headers->file->text_hash};
}

static void
check_headers(struct doctor *doctor, const struct fact *headers, bool credentials)
{
    const struct value *value = &headers->value;
    bool frontend = doctor->report->advice == TK_DOCTOR_PROCEED;
    bool any = says(value, "^(\\*|:?any)$");
    bool no_parent = !says(value, "(?i)traceparent"), no_state = !says(value, "(?i)tracestate");
    if ((any && (!credentials || headers->headers != NULL)) || (!no_parent && !no_state))
        return;
    for (const struct item *item = value->items; item != NULL; item = item->next)
        if (item->kind == ITEM_UNKNOWN && !any)
            return; /* more may be added when it runs */
    struct tk_doctor_finding *finding = tk_doctor_find(
        doctor, "cors-headers", frontend ? TK_DOCTOR_ERROR : TK_DOCTOR_WARNING, headers->file->path,
        headers->line,
        any ? TK_STR("\"*\" allows no header by that name when credentials are sent: the browser "
                     "refuses requests with traceparent")
            : SAY("CORS does not allow %s%s%s: the browser refuses requests that carry %s",
                  no_parent ? "traceparent" : "", no_parent && no_state ? " and " : "",
                  no_state ? "tracestate" : "", no_parent && no_state ? "them" : "it"),
        TK_STR("add traceparent and tracestate to the headers that are allowed"));
    if (finding != NULL && !any) {
        finding->edit = edit_list(doctor, headers, no_parent, no_state);
        if (finding->edit.insert.ptr != NULL && !(no_parent && no_state) &&
            memchr(finding->edit.insert.ptr, '\'', finding->edit.insert.len) != NULL)
            finding->edit.insert = no_parent ? TK_STR(", 'traceparent'") : TK_STR(", 'tracestate'");
    }
}

/* The parts of one CORS set-up: those inside of it, or behind it where nothing holds them. */
struct cors {
    const struct fact *headers, *origin, *credentials;
};

static bool
is_inside(const struct fact *part, const struct fact *whole)
{
    return part->file == whole->file &&
           ((part->start >= whole->start && part->end <= whole->end) ||
            (part->start >= whole->also_start && part->end <= whole->also_end));
}

static const struct fact *
whole_of(const struct fact *part)
{
    const struct fact *before = NULL;
    for (const struct fact *fact = part->file->facts; fact != NULL; fact = fact->next) {
        if (!tk_doctor_kind(fact, "cors"))
            continue;
        if (is_inside(part, fact))
            return fact;
        if (fact->start < part->start && (before == NULL || fact->start > before->start))
            before = fact;
    }
    /* config := cors.DefaultConfig(); config.AllowHeaders = ... */
    return before != NULL && memchr(".(", part->file->text.ptr[part->end - 1], 2) == NULL &&
                   tk_str_ends_with(part->file->name, TK_STR(".go"))
               ? before
               : NULL;
}

static struct cors
parts_of(const struct fact *whole)
{
    struct cors cors = {0};
    for (const struct fact *fact = whole->file->facts; fact != NULL; fact = fact->next) {
        const struct fact **to = tk_doctor_kind(fact, "cors.headers")       ? &cors.headers
                                 : tk_doctor_kind(fact, "cors.origin")      ? &cors.origin
                                 : tk_doctor_kind(fact, "cors.credentials") ? &cors.credentials
                                                                            : NULL;
        if (to != NULL && whole_of(fact) == whole)
            *to = fact;
    }
    return cors;
}

static void
check_wildcard(struct doctor *doctor, const struct fact *at, bool all,
               const struct fact *credentials)
{
    if (all && credentials != NULL && says(&credentials->value, "(?i)^true$"))
        (void)tk_doctor_find(
            doctor, "cors-wildcard-credentials", TK_DOCTOR_ERROR, at->file->path, at->line,
            TK_STR("every origin is allowed, with credentials: browsers refuse such answers"),
            TK_STR("name the page's origin, such as http://localhost:3000"));
}

static void
rule_cors_of(struct doctor *doctor, const struct fact *whole)
{
    struct cors cors = parts_of(whole);
    bool credentials = cors.credentials != NULL && says(&cors.credentials->value, "(?i)^true$");
    bool all = cors.origin != NULL
                   ? says(&cors.origin->value, "^(\\*|true|True)$") &&
                         !(whole->headers != NULL && says(&cors.origin->value, "^true$"))
                   : whole->framework != NULL && strcmp(whole->framework, "cors") == 0 &&
                         !whole->uncertain;
    check_wildcard(doctor, cors.origin != NULL ? cors.origin : whole, all, cors.credentials);
    if (cors.headers != NULL) {
        check_headers(doctor, cors.headers, credentials);
    } else if (whole->headers == NULL && !whole->uncertain) {
        (void)tk_doctor_find(
            doctor, "cors-headers",
            doctor->report->advice == TK_DOCTOR_PROCEED ? TK_DOCTOR_ERROR : TK_DOCTOR_WARNING,
            whole->file->path, whole->line,
            SAY("%s allows neither traceparent nor tracestate unless told: the browser refuses "
                "requests that carry them",
                whole->framework),
            TK_STR("add traceparent and tracestate to the headers that are allowed"));
    }
}

/* Does the same policy, or where none is to be seen the same file, allow credentials too? */
static bool
with_credentials(const struct fact *any_origin)
{
    const struct fact *whole = whole_of(any_origin);
    for (const struct fact *fact = any_origin->file->facts; fact != NULL; fact = fact->next)
        if (tk_doctor_kind(fact, "cors.alone.with-credentials") && whole_of(fact) == whole)
            return true;
    return false;
}

/* Headers that are set by hand, and settings that stand alone: together they are their file's. */
static void
rule_cors_alone(struct doctor *doctor, const struct file *file)
{
    const struct fact *origin = NULL, *credentials = NULL, *headers = NULL, *any_origin = NULL;
    for (const struct fact *fact = file->facts; fact != NULL; fact = fact->next) {
        if (tk_doctor_kind(fact, "cors.alone.origin"))
            origin = fact;
        else if (tk_doctor_kind(fact, "cors.alone.credentials"))
            credentials = fact;
        else if (tk_doctor_kind(fact, "cors.alone.headers"))
            headers = headers != NULL ? headers : fact;
        else if (tk_doctor_kind(fact, "cors.alone.any-origin") && with_credentials(fact))
            any_origin = fact;
    }
    if (headers != NULL)
        check_headers(doctor, headers,
                      credentials != NULL && says(&credentials->value, "(?i)^true$"));
    if (origin != NULL)
        check_wildcard(doctor, origin, says(&origin->value, "^(\\*|True)$"), credentials);
    if (any_origin != NULL)
        (void)tk_doctor_find(
            doctor, "cors-wildcard-credentials", TK_DOCTOR_ERROR, file->path, any_origin->line,
            TK_STR("every origin is allowed, with credentials: browsers refuse such answers"),
            TK_STR("name the page's origin, such as http://localhost:3000"));
}

void
tk_doctor_judge_requests(struct doctor *doctor, const struct tk_doctor_service *service)
{
    rule_requests(doctor, service);
    if (!service->frontend) {
        rule_middleware(doctor, service);
        EACH_FACT(service, fact)
        if (tk_doctor_kind(fact, "cors"))
            rule_cors_of(doctor, fact);
        for (size_t i = 0; i < service->_facts->file_count; i++)
            rule_cors_alone(doctor, service->_facts->files[i]);
    }
    EACH_FACT(service, fact)
    if (tk_doctor_kind(fact, "header"))
        (void)tk_doctor_find(doctor, "proprietary-header", TK_DOCTOR_WARNING, fact->file->path,
                             fact->line,
                             SAY("%.*s is no W3C header: others cannot continue the trace by it",
                                 TK_STR_ARG(fact->name)),
                             TK_STR("leave it out: the SDK sends traceparent by itself"));
}
