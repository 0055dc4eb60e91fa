/*
 * around - see around.h.
 */
#include "query/findings/around.h"

static const uint64_t SECOND_NANO = 1000000000;

enum {
    HOSTS_MAX = 64,       /* looked up in one question */
    HOST_TRACES_MAX = 32, /* looked at to know a host */
    HOST_HOURS = 24,      /* before a call, that a host may have been seen in */
    ANSWER_TRACES_MAX = 128,
    ANSWER_SECONDS = 2, /* that clocks may differ by */
    INNER_TRACES_MAX = 64,
    SERVER_TRACES_MAX = 512,
    CALLER_SECONDS = 10, /* that a caller may have been at it already */
};

/* ---- looking ---- */

static bool
is_expired(void *arg)
{
    const struct tk_around *around = arg;
    struct tk_env *env = around->ask->env;
    return around->deadline_nano != 0 && env->mono_nano(env) > around->deadline_nano;
}

/* One look: traces of a range to a visitor, until it has seen enough. */
struct look {
    struct tk_around *around;
    struct tk_exam *exam;
    struct tk_call *call;
    struct tk_host *host;
    uint64_t begin_nano, end_nano;
    uint32_t traces_max;
    bool cut; /* there were more */
    enum tk_err (*visit)(struct look *look, const struct tk_batch *trace);
};

static enum tk_err
run_look(struct look *look, const struct tk_filter *filter, struct tk_error *err)
{
    struct tk_store_scan *scan;
    struct tk_store_trace found;
    struct tk_store_range range = {
        .begin_nano = look->begin_nano,
        .end_nano = look->end_nano,
        .filters = &filter,
        .filter_count = filter != NULL,
        .want = {.lean = true, .keys = tk_exam_keys, .key_count = tk_exam_key_count},
        .expired = is_expired,
        .expired_arg = look->around,
    };
    enum tk_err result = tk_store_scan_open(look->around->ask->view, &range, &scan, err);
    if (result != TK_OK)
        return result;
    for (uint32_t seen = 0; result == TK_OK; seen++) {
        result = is_expired(look->around) ? TK_ERR_TIMEOUT : tk_store_scan_next(scan, &found, err);
        look->cut = result == TK_OK && seen == look->traces_max;
        if (look->cut)
            break;
        if (result == TK_OK)
            result = look->visit(look, found.spans);
    }
    tk_store_scan_close(scan);
    return result == TK_ERR_END ? TK_OK : result;
}

/* ---- filters ---- */

static const struct tk_filter is_server = {
    .type = TK_FILTER_TEST,
    .field = TK_FIELD_KIND,
    .op = TK_FILTER_EQ,
    .value = {.type = TK_VALUE_INT, .i = TK_KIND_SERVER},
};

static struct tk_filter
attribute_is(const char *key, struct tk_value value, const struct tk_filter *next)
{
    return (struct tk_filter){.type = TK_FILTER_TEST,
                              .field = TK_FIELD_ATTRIBUTE,
                              .owners = TK_OWNER_SPAN,
                              .key = tk_str_from(key),
                              .op = TK_FILTER_EQ,
                              .value = value,
                              .next = next};
}

/* Server spans that say they were asked at this host. */
struct host_filter {
    struct tk_filter all, kind, host, host_names[2], port, port_names[2];
};

static const struct tk_filter *
filter_host(const struct tk_address *address, struct host_filter *f)
{
    struct tk_value host = {
        .type = TK_VALUE_STRING, .len = (uint32_t)address->host.len, .ptr = address->host.ptr};
    struct tk_value port = {.type = TK_VALUE_INT, .i = address->port};
    f->host_names[1] = attribute_is("net.host.name", host, NULL);
    f->host_names[0] = attribute_is("server.address", host, &f->host_names[1]);
    f->port_names[1] = attribute_is("net.host.port", port, NULL);
    f->port_names[0] = attribute_is("server.port", port, &f->port_names[1]);
    f->port = (struct tk_filter){.type = TK_FILTER_ANY, .child = f->port_names};
    f->host = (struct tk_filter){.type = TK_FILTER_ANY, .child = f->host_names};
    /* Servers leave the ports out that everybody knows. */
    if (address->port != 0 && address->port != 80 && address->port != 443)
        f->host.next = &f->port;
    f->kind = is_server;
    f->kind.next = &f->host;
    f->all = (struct tk_filter){.type = TK_FILTER_ALL, .child = &f->kind};
    return &f->all;
}

/* ---- hosts ---- */

static enum tk_err
visit_host(struct look *look, const struct tk_batch *trace)
{
    struct tk_arena *arena = look->around->ask->arena;
    struct tk_host *host = look->host;
    for (uint32_t row = 0; row < trace->span_count; row++) {
        struct tk_address address;
        if (!tk_server_address(trace, row, &address) || !tk_same_host(&address, &host->address))
            continue;
        tk_str service = tk_batch_service(trace, row);
        host->joins = host->joins || trace->parent_id[row] != 0;
        host->several = host->several || (host->known && !tk_str_eq(service, host->service));
        if (host->known)
            continue;
        host->known = true;
        host->service = tk_arena_copy(arena, service);
        host->language =
            tk_arena_copy(arena, tk_resource_text(trace, row, "telemetry.sdk.language"));
        host->sdk = tk_arena_copy(arena, tk_resource_text(trace, row, "telemetry.sdk.name"));
        if (host->service.ptr == NULL || host->language.ptr == NULL || host->sdk.ptr == NULL)
            return TK_ERR_MEMORY;
    }
    return TK_OK;
}

static uint64_t
before(uint64_t nano, uint64_t by_seconds)
{
    return nano > by_seconds * SECOND_NANO ? nano - by_seconds * SECOND_NANO : 0;
}

static uint64_t
end_of(const struct tk_exam *exam, const struct tk_call *call)
{
    return exam->trace->end_nano[tk_exam_row(exam, call->position)];
}

static uint64_t
start_of(const struct tk_exam *exam, const struct tk_call *call)
{
    return exam->trace->start_nano[tk_exam_row(exam, call->position)];
}

/* *ret_host NULL: too many hosts were looked up. */
static enum tk_err
know_host(struct tk_around *around, struct tk_exam *exam, struct tk_call *call,
          struct tk_host **ret_host, struct tk_error *err)
{
    struct tk_host *host = around->hosts;
    while (host != NULL && !(tk_same_host(&host->address, &call->address) &&
                             host->address.port == call->address.port))
        host = host->next;
    *ret_host = host;
    if (host != NULL || around->host_count == HOSTS_MAX)
        return TK_OK;
    struct tk_arena *arena = around->ask->arena;
    host = tk_arena_zalloc(arena, 1, sizeof *host);
    if (host == NULL)
        return TK_ERR_MEMORY;
    host->address.host = tk_arena_copy(arena, call->address.host);
    host->address.port = call->address.port;
    if (host->address.host.ptr == NULL)
        return TK_ERR_MEMORY;
    host->next = around->hosts;
    around->hosts = host;
    around->host_count++;
    struct host_filter filter;
    struct look look = {.around = around,
                        .host = host,
                        .begin_nano = before(end_of(exam, call), HOST_HOURS * 3600),
                        .end_nano = end_of(exam, call) + HOST_HOURS * 3600 * SECOND_NANO,
                        .traces_max = HOST_TRACES_MAX,
                        .visit = visit_host};
    *ret_host = host;
    return run_look(&look, filter_host(&host->address, &filter), err);
}

/* ---- answers ---- */

static bool
is_browser(tk_str agent)
{
    return tk_str_starts_with(agent, TK_STR("Mozilla/"));
}

/* Could this server span be the other end of the call? */
static bool
fits(const struct tk_exam *exam, const struct tk_call *call, const struct tk_batch *trace,
     uint32_t row, const struct tk_address *address)
{
    tk_str agent = tk_span_text(trace, row, "user_agent.original", "http.user_agent");
    bool from_browser = tk_str_eq(tk_exam_language(exam, call->position), TK_STR("webjs"));
    if (trace->parent_id[row] != 0 || !tk_same_host(&call->address, address) ||
        !tk_str_eq(call->address.path, address->path) ||
        !tk_str_eq_nocase(call->address.method, address->method))
        return false;
    if (agent.len > 0 && is_browser(agent) != from_browser)
        return false;
    return trace->end_nano[row] + ANSWER_SECONDS * SECOND_NANO >= start_of(exam, call) &&
           trace->start_nano[row] <= end_of(exam, call) + ANSWER_SECONDS * SECOND_NANO;
}

static enum tk_err
fill_server(struct tk_arena *arena, const struct tk_batch *trace, uint32_t row,
            const struct tk_address *address, struct tk_server *ret_server)
{
    struct tk_server server = {
        .trace_id = trace->trace_id[row],
        .span_id = trace->span_id[row],
        .service = tk_arena_copy(arena, tk_batch_service(trace, row)),
        .language = tk_arena_copy(arena, tk_resource_text(trace, row, "telemetry.sdk.language")),
        .sdk = tk_arena_copy(arena, tk_resource_text(trace, row, "telemetry.sdk.name")),
        .agent = tk_arena_copy(arena,
                               tk_span_text(trace, row, "user_agent.original", "http.user_agent")),
        .address = {.host = tk_arena_copy(arena, address->host),
                    .port = address->port,
                    .path = tk_arena_copy(arena, address->path)},
        .start_nano = trace->start_nano[row],
        .end_nano = trace->end_nano[row],
        .joined = trace->parent_id[row] != 0,
    };
    if (server.service.ptr == NULL || server.language.ptr == NULL || server.sdk.ptr == NULL ||
        server.agent.ptr == NULL || server.address.host.ptr == NULL ||
        server.address.path.ptr == NULL)
        return TK_ERR_MEMORY;
    *ret_server = server;
    return TK_OK;
}

static uint64_t
distance(uint64_t a, uint64_t b)
{
    return a > b ? a - b : b - a;
}

static enum tk_err
visit_answer(struct look *look, const struct tk_batch *trace)
{
    struct tk_exam *exam = look->exam;
    struct tk_call *call = look->call;
    uint64_t start = start_of(exam, call);
    if (tk_trace_id_eq(trace->trace_id[0], exam->trace->trace_id[0]))
        return TK_OK;
    for (uint32_t row = 0; row < trace->span_count; row++) {
        struct tk_address address;
        if (!tk_server_address(trace, row, &address) || !fits(exam, call, trace, row, &address))
            continue;
        call->answer_count++;
        if (call->answer != NULL &&
            distance(call->answer->start_nano, start) <= distance(trace->start_nano[row], start))
            continue;
        struct tk_server *server = tk_arena_alloc(exam->arena, sizeof *server);
        if (server == NULL || fill_server(exam->arena, trace, row, &address, server) != TK_OK)
            return TK_ERR_MEMORY;
        call->answer = server;
    }
    return TK_OK;
}

/* A trace that began and ended during the call, in a service that is no browser's. */
static enum tk_err
visit_inner(struct look *look, const struct tk_batch *trace)
{
    struct tk_exam *exam = look->exam;
    struct tk_call *call = look->call;
    uint32_t root = tk_trace_root(trace);
    tk_str language = tk_resource_text(trace, root, "telemetry.sdk.language");
    tk_str service = tk_batch_service(trace, root);
    if (trace->parent_id[root] != 0 || trace->kind[root] == TK_KIND_SERVER ||
        trace->kind[root] == TK_KIND_CONSUMER || language.len == 0 ||
        tk_str_eq(language, TK_STR("webjs")) || trace->start_nano[root] < start_of(exam, call) ||
        trace->end_nano[root] > end_of(exam, call))
        return TK_OK;
    if (call->inner.span_id != 0 && !tk_str_eq(call->inner.service, service))
        look->cut = true; /* which of them it was cannot be told */
    call->inner = (struct tk_finding_other){.trace_id = trace->trace_id[root],
                                            .span_id = trace->span_id[root],
                                            .service = tk_arena_copy(exam->arena, service)};
    call->inner_language = tk_arena_copy(exam->arena, language);
    if (look->cut)
        return TK_ERR_END;
    return call->inner.service.ptr != NULL && call->inner_language.ptr != NULL ? TK_OK
                                                                               : TK_ERR_MEMORY;
}

static enum tk_err
look_for_inner(struct tk_around *around, struct tk_exam *exam, struct tk_call *call,
               struct tk_error *err)
{
    struct look look = {.around = around,
                        .exam = exam,
                        .call = call,
                        .begin_nano = start_of(exam, call),
                        .end_nano = end_of(exam, call) + 1,
                        .traces_max = INNER_TRACES_MAX,
                        .visit = visit_inner};
    enum tk_err result = run_look(&look, NULL, err);
    if (look.cut)
        call->inner.span_id = 0;
    return result;
}

/* "users", "users.shop.svc.cluster.local", 10.0.0.7: nothing that the world can reach. */
static bool
is_internal(tk_str host)
{
    static const char *const ends[] = {".local", ".internal", ".svc", ".localhost", ".lan"};
    static const char *const begins[] = {"127.", "10.", "192.168."};
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++)
        if (tk_str_ends_with(host, tk_str_from(ends[i])))
            return true;
    for (size_t i = 0; i < sizeof begins / sizeof *begins; i++)
        if (tk_str_starts_with(host, tk_str_from(begins[i])))
            return true;
    return host.len > 0 && memchr(host.ptr, '.', host.len) == NULL;
}

/* Did headers go to one of ours?  A page says so, and sends them to its targets; a service sends
   them wherever it is told to, so that only the host tells. */
static bool
expects_trace(const struct tk_exam *exam, const struct tk_call *call)
{
    if (call->propagation != TK_PROPAGATION_UNKNOWN)
        return call->propagation == TK_PROPAGATION_SENT;
    return is_internal(call->address.host) &&
           !tk_str_eq(tk_exam_language(exam, call->position), TK_STR("webjs"));
}

static enum tk_err
look_for_answer(struct tk_around *around, struct tk_exam *exam, struct tk_call *call,
                struct tk_error *err)
{
    struct tk_host *host;
    struct host_filter filter;
    struct look look = {.around = around,
                        .exam = exam,
                        .call = call,
                        .begin_nano = before(start_of(exam, call), ANSWER_SECONDS),
                        .end_nano = end_of(exam, call) + ANSWER_SECONDS * SECOND_NANO,
                        .traces_max = ANSWER_TRACES_MAX,
                        .visit = visit_answer};
    enum tk_err result = know_host(around, exam, call, &host, err);
    call->host = host;
    if (result != TK_OK || host == NULL)
        return result;
    if (host->known)
        return run_look(&look, filter_host(&call->address, &filter), err);
    if (call->status > 0 && expects_trace(exam, call))
        return look_for_inner(around, exam, call, err);
    return TK_OK;
}

/* ---- servers beside it, of those who call without headers ---- */

tk_str
tk_agent_language(tk_str agent)
{
    static const struct {
        const char *prefix, *language;
    } agents[] = {
        {"node", "nodejs"},
        {"undici", "nodejs"},
        {"axios/", "nodejs"},
        {"got ", "nodejs"},
        {"Go-http-client/", "go"},
        {"python-requests/", "python"},
        {"python-httpx/", "python"},
        {"Python-urllib/", "python"},
        {"Python/", "python"},
        {"Java/", "java"},
        {"Java-http-client/", "java"},
        {"okhttp/", "java"},
        {"Apache-HttpClient/", "java"},
        {"Ruby", "ruby"},
        {"Faraday ", "ruby"},
        {"GuzzleHttp/", "php"},
    };
    for (size_t i = 0; i < sizeof agents / sizeof *agents; i++)
        if (tk_str_starts_with(agent, tk_str_from(agents[i].prefix)))
            return tk_str_from(agents[i].language);
    return TK_STR("");
}

struct server_list {
    struct look look; /* first */
    struct tk_server *server;
    uint32_t count;
    struct tk_address root; /* of the trace examined, when it is a server span */
};

/* Does it call the host of the trace examined, or one that it does not name? */
static bool
calls_root(const struct server_list *list, const struct tk_batch *trace)
{
    for (uint32_t row = 0; row < trace->span_count; row++) {
        struct tk_address address;
        if (trace->kind[row] == TK_KIND_CLIENT &&
            (!tk_call_address(trace, row, &address) || tk_same_host(&address, &list->root)) &&
            tk_span_text(trace, row, "db.system.name", "db.system").len == 0)
            return true;
    }
    return false;
}

static enum tk_err
visit_server(struct look *look, const struct tk_batch *trace)
{
    struct server_list *list = (struct server_list *)look;
    if (tk_trace_id_eq(trace->trace_id[0], look->exam->trace->trace_id[0]))
        return TK_OK;
    bool calls = calls_root(list, trace);
    for (uint32_t row = 0; row < trace->span_count; row++) {
        struct tk_address address;
        if (!tk_server_address(trace, row, &address))
            continue;
        if (list->count == TK_EXAM_SERVERS_MAX) {
            look->cut = true;
            return TK_ERR_END;
        }
        struct tk_server *server = &list->server[list->count++];
        if (fill_server(look->exam->arena, trace, row, &address, server) != TK_OK)
            return TK_ERR_MEMORY;
        server->calls = calls;
    }
    return TK_OK;
}

/* Is there a server span that could have called, or been called, without a client span? */
static bool
wants_servers(const struct tk_exam *exam)
{
    for (uint32_t i = 0; i < exam->tree.span_count; i++)
        if (exam->trace->kind[tk_exam_row(exam, i)] == TK_KIND_SERVER)
            return true;
    return false;
}

static enum tk_err
look_for_servers(struct tk_around *around, struct tk_exam *exam, struct tk_error *err)
{
    uint32_t root = tk_exam_row(exam, exam->tree.root);
    struct server_list list = {.look = {.around = around,
                                        .exam = exam,
                                        .begin_nano = exam->tree.start_nano,
                                        .end_nano = exam->tree.end_nano + 1,
                                        .traces_max = SERVER_TRACES_MAX,
                                        .visit = visit_server}};
    if (!wants_servers(exam) || around->looks_left == 0)
        return TK_OK;
    around->looks_left--;
    if (tk_server_address(exam->trace, root, &list.root))
        list.look.begin_nano = before(list.look.begin_nano, CALLER_SECONDS);
    list.server = tk_arena_alloc(exam->arena, TK_EXAM_SERVERS_MAX * sizeof *list.server);
    if (list.server == NULL)
        return TK_ERR_MEMORY;
    enum tk_err result = run_look(&list.look, &is_server, err);
    if (list.look.cut) {
        around->looks_left = 0; /* it is as busy beside the next trace */
    } else {
        exam->servers = list.server;
        exam->server_count = list.count;
    }
    return result;
}

enum tk_err
tk_around_look(struct tk_around *around, struct tk_exam *exam, struct tk_error *err)
{
    enum tk_err result = TK_OK;
    for (uint32_t i = 0; i < exam->call_count && result == TK_OK; i++)
        result = look_for_answer(around, exam, &exam->call[i], err);
    return result != TK_OK ? result : look_for_servers(around, exam, err);
}

/* Frees `spans`, or keeps them. */
static enum tk_err
add_elsewhere(struct tk_exam *exam, tk_str project, struct tk_batch *spans)
{
    struct tk_exam_elsewhere *there = tk_arena_zalloc(exam->arena, 1, sizeof *there);
    if (there == NULL || tk_known_sort(&there->known, spans, NULL, exam->arena) != TK_OK) {
        tk_batch_free(spans);
        return TK_ERR_MEMORY;
    }
    there->project = project;
    there->spans = spans;
    there->next = exam->elsewhere;
    exam->elsewhere = there;
    return TK_OK;
}

static enum tk_err
look_in_project(struct tk_around *around, struct tk_exam *exam,
                const struct tk_findings_project *project, struct tk_error *err)
{
    static const struct tk_store_want lean = {.lean = true};
    struct tk_batch *spans = tk_batch_new();
    if (spans == NULL)
        return TK_ERR_MEMORY;
    spans->memory_max = around->ask->memory / 4;
    enum tk_err result = tk_store_find(project->view, exam->trace->trace_id[0], &lean, spans, err);
    if (spans->span_count > 0 && (result == TK_OK || result == TK_ERR_LIMIT))
        return add_elsewhere(exam, project->name, spans);
    tk_batch_free(spans);
    return result == TK_ERR_NOT_FOUND || result == TK_ERR_LIMIT ? TK_OK : result;
}

/* Calls that somebody answers in another project are answered. */
static void
drop_answered(struct tk_exam *exam)
{
    uint32_t kept = 0;
    for (const struct tk_exam_elsewhere *there = exam->elsewhere; there != NULL;
         there = there->next) {
        for (uint32_t row = 0; row < there->spans->span_count; row++) {
            uint32_t caller = tk_known_find(&exam->known, there->spans->parent_id[row]);
            if (caller != TK_NO_SPAN)
                exam->answered[caller] = true;
        }
    }
    for (uint32_t i = 0; i < exam->call_count; i++)
        if (!exam->answered[exam->call[i].position])
            exam->call[kept++] = exam->call[i];
    exam->call_count = kept;
}

enum tk_err
tk_around_elsewhere(struct tk_around *around, struct tk_exam *exam, struct tk_error *err)
{
    const struct tk_findings_ask *ask = around->ask;
    enum tk_err result = TK_OK;
    for (size_t i = 0; i < ask->other_count && exam->loose && result == TK_OK; i++) {
        result = look_in_project(around, exam, &ask->others[i], err);
        if (is_expired(around))
            result = TK_ERR_TIMEOUT;
    }
    if (result == TK_OK && exam->elsewhere != NULL)
        result = tk_known_sort(&exam->known, exam->trace, &exam->tree, exam->arena);
    if (result == TK_OK && exam->elsewhere != NULL)
        drop_answered(exam);
    return result;
}

void
tk_around_forget(struct tk_exam *exam)
{
    for (; exam->elsewhere != NULL; exam->elsewhere = exam->elsewhere->next)
        tk_batch_free(exam->elsewhere->spans);
}
