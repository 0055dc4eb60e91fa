/*
 * exam - see exam.h.
 */
#include "query/findings/exam.h"

#include <stdlib.h>

const tk_str tk_exam_keys[] = {
#define KEY(text)                                                                                  \
    {                                                                                              \
        text, sizeof(text) - 1                                                                     \
    }
    KEY("tracekit.propagation"),
    KEY("http.request.method"),
    KEY("http.method"),
    KEY("http.response.status_code"),
    KEY("http.status_code"),
    KEY("url.full"),
    KEY("http.url"),
    KEY("url.path"),
    KEY("http.target"),
    KEY("url.scheme"),
    KEY("http.scheme"),
    KEY("server.address"),
    KEY("server.port"),
    KEY("net.peer.name"),
    KEY("net.peer.port"),
    KEY("net.host.name"),
    KEY("net.host.port"),
    KEY("error.type"),
    KEY("db.system.name"),
    KEY("db.system"),
    KEY("user_agent.original"),
    KEY("http.user_agent"),
#undef KEY
};
const size_t tk_exam_key_count = sizeof tk_exam_keys / sizeof *tk_exam_keys;

/* ---- attributes ---- */

static const struct tk_value *
find_attr(const struct tk_batch *trace, uint32_t row, const char *key, const char *old)
{
    const struct tk_value *value = tk_batch_find_attr(trace, trace->attrs[row], tk_str_from(key));
    if (value == NULL && old != NULL)
        value = tk_batch_find_attr(trace, trace->attrs[row], tk_str_from(old));
    return value;
}

static tk_str
text_of(const struct tk_value *value)
{
    return value != NULL && value->type == TK_VALUE_STRING ? tk_value_str(*value) : TK_STR("");
}

/* Some SDKs send all attributes as texts. */
static uint64_t
number_of(const struct tk_value *value)
{
    uint64_t number = 0;
    if (value != NULL && value->type == TK_VALUE_INT && value->i > 0)
        return (uint64_t)value->i;
    if (value != NULL && value->type == TK_VALUE_DOUBLE && value->d > 0 && value->d < 1e9)
        return (uint64_t)value->d;
    if (value != NULL && value->type == TK_VALUE_STRING &&
        !tk_str_to_u64(tk_value_str(*value), &number))
        return 0;
    return number;
}

tk_str
tk_span_text(const struct tk_batch *trace, uint32_t row, const char *key, const char *old)
{
    return text_of(find_attr(trace, row, key, old));
}

tk_str
tk_resource_text(const struct tk_batch *trace, uint32_t row, const char *key)
{
    return text_of(
        tk_batch_find_attr(trace, trace->resources[trace->resource[row]].attrs, tk_str_from(key)));
}

tk_str
tk_exam_language(const struct tk_exam *exam, uint32_t position)
{
    return tk_resource_text(exam->trace, tk_exam_row(exam, position), "telemetry.sdk.language");
}

/* ---- addresses ---- */

static uint32_t
default_port(tk_str scheme)
{
    if (tk_str_eq_nocase(scheme, TK_STR("https")))
        return 443;
    return tk_str_eq_nocase(scheme, TK_STR("http")) ? 80 : 0;
}

static tk_str
without_query(tk_str path)
{
    for (size_t i = 0; i < path.len; i++)
        if (path.ptr[i] == '?' || path.ptr[i] == '#')
            return (tk_str){path.ptr, i};
    return path;
}

/* "http://user@host:3001/path?query"; false when it is none. */
static bool
split_url(tk_str url, struct tk_address *address)
{
    const char *mark = url.len > 3 ? memmem(url.ptr, url.len, "://", 3) : NULL;
    if (mark == NULL)
        return false;
    tk_str scheme = {url.ptr, (size_t)(mark - url.ptr)};
    tk_str rest = without_query((tk_str){mark + 3, url.len - scheme.len - 3});
    const char *slash = memchr(rest.ptr, '/', rest.len);
    tk_str authority = {rest.ptr, slash != NULL ? (size_t)(slash - rest.ptr) : rest.len};
    const char *at = memrchr(authority.ptr, '@', authority.len);
    if (at != NULL)
        authority = (tk_str){at + 1, authority.len - (size_t)(at + 1 - authority.ptr)};
    const char *colon = memrchr(authority.ptr, ':', authority.len);
    uint64_t port = default_port(scheme);
    address->host = authority;
    if (colon != NULL &&
        memchr(colon, ']', authority.len - (size_t)(colon - authority.ptr)) == NULL) {
        tk_str digits = {colon + 1, authority.len - (size_t)(colon + 1 - authority.ptr)};
        address->host.len = (size_t)(colon - authority.ptr);
        if (!tk_str_to_u64(digits, &port) || port > UINT16_MAX)
            return false;
    }
    address->port = (uint32_t)port;
    address->path =
        slash != NULL ? (tk_str){slash, (size_t)(rest.ptr + rest.len - slash)} : TK_STR("/");
    return address->host.len > 0;
}

bool
tk_call_address(const struct tk_batch *trace, uint32_t row, struct tk_address *ret_address)
{
    struct tk_address address = {
        .method = tk_span_text(trace, row, "http.request.method", "http.method")};
    if (trace->kind[row] != TK_KIND_CLIENT)
        return false;
    if (!split_url(tk_span_text(trace, row, "url.full", "http.url"), &address)) {
        address.host = tk_span_text(trace, row, "server.address", "net.peer.name");
        address.port = (uint32_t)number_of(find_attr(trace, row, "server.port", "net.peer.port"));
        address.path = TK_STR("");
        if (address.method.len == 0 || address.host.len == 0)
            return false;
    }
    *ret_address = address;
    return true;
}

bool
tk_server_address(const struct tk_batch *trace, uint32_t row, struct tk_address *ret_address)
{
    struct tk_address address = {
        .method = tk_span_text(trace, row, "http.request.method", "http.method")};
    if (trace->kind[row] != TK_KIND_SERVER || address.method.len == 0)
        return false;
    if (!split_url(tk_span_text(trace, row, "url.full", "http.url"), &address)) {
        address.host = tk_span_text(trace, row, "server.address", "net.host.name");
        address.port = (uint32_t)number_of(find_attr(trace, row, "server.port", "net.host.port"));
        address.path = without_query(tk_span_text(trace, row, "url.path", "http.target"));
        if (address.port == 0)
            address.port = default_port(tk_span_text(trace, row, "url.scheme", "http.scheme"));
    }
    *ret_address = address;
    return true;
}

bool
tk_same_host(const struct tk_address *a, const struct tk_address *b)
{
    return a->host.len > 0 && tk_str_eq_nocase(a->host, b->host) &&
           (a->port == b->port || a->port == 0 || b->port == 0);
}

/* ---- the trace ---- */

static enum tk_err
mark_spans(struct tk_exam *exam)
{
    const struct tk_tree *tree = &exam->tree;
    uint32_t count = tree->span_count;
    exam->entry = tk_arena_alloc(exam->arena, count * sizeof *exam->entry);
    exam->answered = tk_arena_zalloc(exam->arena, count, sizeof *exam->answered);
    if (exam->entry == NULL || exam->answered == NULL)
        return TK_ERR_MEMORY;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t up = tree->parent[i], kind = (uint32_t)exam->trace->kind[tree->row[i]];
        bool begins = up == TK_NO_SPAN || kind == TK_KIND_SERVER || kind == TK_KIND_CONSUMER ||
                      !tk_str_eq(tk_exam_service(exam, i), tk_exam_service(exam, up));
        exam->entry[i] = begins ? i : exam->entry[up];
    }
    for (uint32_t i = count; i-- > 0;) { /* children stand behind their parents */
        uint32_t up = tree->parent[i];
        if (up != TK_NO_SPAN && (exam->entry[i] == i || exam->answered[i]))
            exam->answered[up] = true;
    }
    return TK_OK;
}

static enum tk_propagation
propagation_of(const struct tk_batch *trace, uint32_t row)
{
    tk_str text = tk_span_text(trace, row, "tracekit.propagation", NULL);
    if (tk_str_eq(text, TK_STR("sent")))
        return TK_PROPAGATION_SENT;
    if (tk_str_eq(text, TK_STR("not_target")))
        return TK_PROPAGATION_NOT_TARGET;
    return tk_str_eq(text, TK_STR("same_origin_default")) ? TK_PROPAGATION_SAME_ORIGIN
                                                          : TK_PROPAGATION_UNKNOWN;
}

/* The page is the address of the nearest span above that has one and makes no request. */
static bool
crosses_origin(const struct tk_exam *exam, uint32_t position, const struct tk_address *address)
{
    enum { ABOVE_MAX = 16 };
    uint32_t up = exam->tree.parent[position];
    for (unsigned i = 0; i < ABOVE_MAX && up != TK_NO_SPAN; i++, up = exam->tree.parent[up]) {
        struct tk_address page = {.port = 0};
        uint32_t row = tk_exam_row(exam, up);
        if (exam->trace->kind[row] != TK_KIND_CLIENT &&
            split_url(tk_span_text(exam->trace, row, "url.full", "http.url"), &page))
            return !tk_same_host(&page, address);
    }
    return true;
}

static bool
is_same_call(const struct tk_exam *exam, const struct tk_call *a, const struct tk_call *b)
{
    return tk_same_host(&a->address, &b->address) && a->propagation == b->propagation &&
           tk_str_eq(a->address.path, b->address.path) &&
           tk_str_eq(a->address.method, b->address.method) && (a->status > 0) == (b->status > 0) &&
           tk_str_eq(tk_exam_service(exam, a->position), tk_exam_service(exam, b->position));
}

static void
add_call(struct tk_exam *exam, uint32_t position)
{
    const struct tk_batch *trace = exam->trace;
    uint32_t row = tk_exam_row(exam, position);
    struct tk_call call = {.position = position};
    if (!tk_call_address(trace, row, &call.address))
        return;
    call.propagation = propagation_of(trace, row);
    call.status = number_of(find_attr(trace, row, "http.response.status_code", "http.status_code"));
    call.error = tk_span_text(trace, row, "error.type", NULL);
    call.crosses_origin = crosses_origin(exam, position, &call.address);
    for (uint32_t i = 0; i < exam->call_count; i++) /* one of each is enough */
        if (is_same_call(exam, &exam->call[i], &call))
            return;
    exam->call[exam->call_count++] = call;
}

enum tk_err
tk_exam_begin(struct tk_exam *exam, const struct tk_batch *trace, struct tk_arena *arena)
{
    enum tk_err result;
    *exam = (struct tk_exam){.trace = trace, .arena = arena};
    if ((result = tk_tree_build(trace, arena, &exam->tree)) != TK_OK ||
        (result = tk_trace_services(trace, &exam->tree, arena, &exam->services)) != TK_OK ||
        (result = mark_spans(exam)) != TK_OK)
        return result;
    for (uint32_t i = 0; i < trace->span_count && exam->call_count < TK_EXAM_CALLS_MAX; i++) {
        int32_t kind = trace->kind[tk_exam_row(exam, i)];
        bool calls = kind == TK_KIND_CLIENT || kind == TK_KIND_PRODUCER;
        exam->loose = exam->loose || exam->tree.orphan[i] || (calls && !exam->answered[i]);
        if (kind == TK_KIND_CLIENT && !exam->answered[i])
            add_call(exam, i);
    }
    return TK_OK;
}

/* ---- spans by id ---- */

static int
compare_known(const void *a, const void *b)
{
    const struct tk_known_span *x = a, *y = b;
    return (x->id > y->id) - (x->id < y->id);
}

enum tk_err
tk_known_sort(struct tk_known *known, const struct tk_batch *spans, const struct tk_tree *tree,
              struct tk_arena *arena)
{
    struct tk_known_span *span = tk_arena_alloc(arena, spans->span_count * sizeof *span);
    if (span == NULL)
        return TK_ERR_MEMORY;
    for (uint32_t i = 0; i < spans->span_count; i++)
        span[i] = (struct tk_known_span){spans->span_id[tree != NULL ? tree->row[i] : i], i};
    qsort(span, spans->span_count, sizeof *span, compare_known);
    *known = (struct tk_known){span, spans->span_count};
    return TK_OK;
}

uint32_t
tk_known_find(const struct tk_known *known, tk_span_id id)
{
    struct tk_known_span wanted = {.id = id};
    if (id == 0 || known->count == 0)
        return TK_NO_SPAN;
    const struct tk_known_span *found =
        bsearch(&wanted, known->span, known->count, sizeof *known->span, compare_known);
    return found != NULL ? found->at : TK_NO_SPAN;
}
