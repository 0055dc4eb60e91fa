/*
 * service_map - see service_map.h.
 *
 * One scan with lean spans; a trace is put together, looked at and forgotten.  What grows is a
 * histogram a node and a call, and of both there is a bounded number.
 */
#include "query/service_map.h"

#include "query/assemble.h"
#include "query/findings/exam.h"

#include <stdlib.h>

enum { SCRATCH_CHUNK = 64 << 10 };

static const tk_str wanted_keys[] = {
#define KEY(text)                                                                                  \
    {                                                                                              \
        text, sizeof(text) - 1                                                                     \
    }
    KEY("db.system.name"),
    KEY("db.system"),
    KEY("messaging.destination.name"),
    KEY("messaging.destination"),
    KEY("messaging.system"),
    KEY("peer.service"),
    KEY("server.address"),
    KEY("net.peer.name"),
    KEY("url.full"),
    KEY("http.url"),
#undef KEY
};

struct tally {
    uint64_t count, error_count;
    struct tk_histogram durations;
};

struct edge {
    uint32_t caller, callee;
};

struct maker {
    const struct tk_map_ask *ask;
    struct tk_arena scratch; /* of one trace */
    struct tk_buf name;      /* of a node that is looked for */
    struct tk_intern names;  /* a node's kind, then its name */
    struct tk_intern edges;  /* the bytes of a struct edge */
    struct tally *node, *call;
    const char **attribute; /* by node */
    struct tk_map map;
};

/* What a node is known by until it has a number. */
struct peer {
    enum tk_map_kind kind;
    tk_str name; /* empty: there is none */
    const char *attribute;
};

/* ---- one trace ---- */

struct picture {
    const struct tk_batch *trace;
    struct tk_tree tree;
    bool *calls; /* by position: does a child of it show whom it called? */
};

static bool
is_call(const struct picture *picture, uint32_t position)
{
    int32_t kind = picture->trace->kind[picture->tree.row[position]];
    return kind == TK_KIND_CLIENT || kind == TK_KIND_PRODUCER;
}

static tk_str
service_of(const struct picture *picture, uint32_t position)
{
    return tk_batch_service(picture->trace, picture->tree.row[position]);
}

/* Does a request come to the service of this span with it? */
static bool
is_entry(const struct picture *picture, uint32_t position)
{
    uint32_t up = picture->tree.parent[position];
    int32_t kind = picture->trace->kind[picture->tree.row[position]];
    if (up == TK_NO_SPAN)
        return true;
    if ((kind == TK_KIND_SERVER || kind == TK_KIND_CONSUMER) && is_call(picture, up))
        return true;
    return !tk_str_eq(service_of(picture, position), service_of(picture, up));
}

static struct peer
queue_of(const struct tk_batch *trace, uint32_t row)
{
    struct peer peer = {.kind = TK_MAP_MESSAGING, .attribute = "messaging.destination.name"};
    peer.name = tk_span_text(trace, row, "messaging.destination.name", "messaging.destination");
    if (peer.name.len == 0) {
        peer.attribute = "messaging.system";
        peer.name = tk_span_text(trace, row, "messaging.system", NULL);
    }
    return peer;
}

/* Whom a call went to that nobody answered. */
static struct peer
peer_of(const struct tk_batch *trace, uint32_t row)
{
    struct peer peer = {.kind = TK_MAP_DATABASE, .attribute = "db.system.name"};
    struct tk_address address;
    peer.name = tk_span_text(trace, row, "db.system.name", "db.system");
    if (peer.name.len > 0)
        return peer;
    peer = queue_of(trace, row);
    if (peer.name.len > 0)
        return peer;
    peer = (struct peer){.kind = TK_MAP_EXTERNAL, .attribute = "peer.service"};
    peer.name = tk_span_text(trace, row, "peer.service", NULL);
    if (peer.name.len > 0)
        return peer;
    peer.attribute = "server.address";
    peer.name = tk_span_text(trace, row, "server.address", "net.peer.name");
    if (peer.name.len == 0 && tk_call_address(trace, row, &address)) {
        peer.attribute = "url.full";
        peer.name = address.host;
    }
    return peer;
}

/* ---- counting ---- */

static enum tk_err
count_span(struct tally *tally, const struct tk_batch *trace, uint32_t row, bool failed)
{
    tally->count++;
    tally->error_count += failed;
    uint64_t nano = trace->end_nano[row] - trace->start_nano[row];
    return tk_histogram_add(&tally->durations, tk_histogram_bucket(nano), 1);
}

/* TK_ERR_LIMIT: there are too many; TK_ERR_MEMORY: or they are too long. */
static enum tk_err
find_node(struct maker *maker, const struct peer *peer, uint32_t *ret_node)
{
    tk_buf_clear(&maker->name);
    tk_buf_append_char(&maker->name, (char)('0' + peer->kind));
    tk_buf_append(&maker->name, peer->name);
    if (maker->name.status != TK_OK)
        return maker->name.status;
    enum tk_err result =
        tk_intern_copy(&maker->names, maker->ask->arena, tk_buf_str(&maker->name), ret_node);
    if (result == TK_OK && maker->attribute[*ret_node] == NULL)
        maker->attribute[*ret_node] = peer->attribute;
    return result;
}

static enum tk_err
find_call(struct maker *maker, uint32_t caller, uint32_t callee, struct tally **ret_tally)
{
    struct edge edge = {caller, callee};
    uint32_t number;
    tk_str bytes = {(const char *)&edge, sizeof edge};
    enum tk_err result = tk_intern_copy(&maker->edges, maker->ask->arena, bytes, &number);
    if (result == TK_OK)
        *ret_tally = &maker->call[number];
    return result;
}

/* `caller` NULL: not known. */
static enum tk_err
count_call(struct maker *maker, const struct picture *picture, uint32_t position,
           const struct peer *caller, const struct peer *callee)
{
    const struct tk_batch *trace = picture->trace;
    uint32_t row = picture->tree.row[position], up = picture->tree.parent[position];
    bool failed = trace->status[row] == TK_STATUS_ERROR ||
                  (up != TK_NO_SPAN && is_call(picture, up) &&
                   trace->status[picture->tree.row[up]] == TK_STATUS_ERROR);
    uint32_t from, to;
    struct tally *call;
    enum tk_err result = find_node(maker, callee, &to);
    if (result == TK_OK)
        result = count_span(&maker->node[to], trace, row, failed);
    if (result != TK_OK || caller == NULL)
        return result;
    result = find_node(maker, caller, &from);
    if (result == TK_OK)
        result = find_call(maker, from, to, &call);
    return result == TK_OK ? count_span(call, trace, row, failed) : result;
}

static enum tk_err
look_at_span(struct maker *maker, const struct picture *picture, uint32_t position)
{
    uint32_t row = picture->tree.row[position], up = picture->tree.parent[position];
    struct peer here = {.kind = TK_MAP_SERVICE, .name = service_of(picture, position)};
    enum tk_err result = TK_OK;
    if (is_entry(picture, position)) {
        struct peer caller = {.kind = TK_MAP_SERVICE};
        if (up != TK_NO_SPAN)
            caller.name = service_of(picture, up);
        else if (picture->trace->kind[row] == TK_KIND_CONSUMER)
            caller = queue_of(picture->trace, row);
        result = count_call(maker, picture, position, caller.name.len > 0 ? &caller : NULL, &here);
    }
    if (result == TK_OK && is_call(picture, position) && !picture->calls[position]) {
        struct peer callee = peer_of(picture->trace, row);
        if (callee.name.len > 0)
            result = count_call(maker, picture, position, &here, &callee);
    }
    return result;
}

/* What is beyond a limit is left out, and said so. */
static enum tk_err
look_at_trace(struct maker *maker, const struct tk_batch *trace)
{
    struct picture picture = {.trace = trace};
    tk_arena_clear(&maker->scratch);
    enum tk_err result = tk_tree_build(trace, &maker->scratch, &picture.tree);
    if (result == TK_OK)
        picture.calls = tk_arena_zalloc(&maker->scratch, trace->span_count, sizeof(bool));
    if (result != TK_OK || picture.calls == NULL) {
        maker->map.cut = TK_MAP_CUT_MEMORY;
        return TK_OK;
    }
    for (uint32_t i = 0; i < trace->span_count; i++)
        if (picture.tree.parent[i] != TK_NO_SPAN && (is_entry(&picture, i) || is_call(&picture, i)))
            picture.calls[picture.tree.parent[i]] = true;
    for (uint32_t i = 0; i < trace->span_count && result == TK_OK; i++) {
        result = look_at_span(maker, &picture, i);
        if (result == TK_ERR_LIMIT || result == TK_ERR_MEMORY) {
            maker->map.cut = result == TK_ERR_LIMIT ? TK_MAP_CUT_NODES : TK_MAP_CUT_MEMORY;
            result = TK_OK;
        }
    }
    maker->map.trace_count++;
    maker->map.span_count += trace->span_count;
    return result;
}

/* ---- all traces ---- */

static bool
is_expired(void *arg)
{
    const struct tk_map_ask *ask = arg;
    return ask->deadline_nano != 0 && ask->env->mono_nano(ask->env) > ask->deadline_nano;
}

static enum tk_err
look_at_all(struct maker *maker, struct tk_store_scan *scan, struct tk_error *err)
{
    const struct tk_map_ask *ask = maker->ask;
    uint64_t oldest_nano = ask->end_nano;
    for (;;) {
        struct tk_store_trace trace;
        enum tk_err result = is_expired((void *)(uintptr_t)ask)
                                 ? TK_ERR_TIMEOUT
                                 : tk_store_scan_next(scan, &trace, err);
        bool is_full = result == TK_OK && maker->map.trace_count >= ask->trace_max;
        if (result == TK_ERR_TIMEOUT || is_full) { /* what was seen until now is true */
            maker->map.begin_nano = oldest_nano;
            maker->map.cut = is_full ? TK_MAP_CUT_TRACES : TK_MAP_CUT_TIME;
            return TK_OK;
        }
        if (result != TK_OK)
            return result == TK_ERR_END ? TK_OK : result;
        oldest_nano = trace.start_nano;
        if ((result = look_at_trace(maker, trace.spans)) != TK_OK)
            return result;
    }
}

static struct tk_map_numbers
numbers_of(const struct tally *tally)
{
    return (struct tk_map_numbers){
        .count = tally->count,
        .error_count = tally->error_count,
        .p50_nano = tk_histogram_quantile(&tally->durations, 0.50),
        .p95_nano = tk_histogram_quantile(&tally->durations, 0.95),
        .p99_nano = tk_histogram_quantile(&tally->durations, 0.99),
    };
}

static int
compare_calls(const void *a, const void *b)
{
    const struct tk_map_call *x = a, *y = b;
    if (x->calls.count != y->calls.count)
        return x->calls.count > y->calls.count ? -1 : 1;
    if (x->caller != y->caller)
        return x->caller < y->caller ? -1 : 1;
    return (x->callee > y->callee) - (x->callee < y->callee);
}

static enum tk_err
finish(struct maker *maker)
{
    struct tk_map *map = &maker->map;
    struct tk_arena *arena = maker->ask->arena;
    map->nodes = tk_arena_zalloc(arena, maker->names.count + 1, sizeof *map->nodes);
    map->calls = tk_arena_zalloc(arena, maker->edges.count + 1, sizeof *map->calls);
    if (map->nodes == NULL || map->calls == NULL)
        return TK_ERR_MEMORY;
    map->node_count = maker->names.count;
    map->call_count = maker->edges.count;
    for (uint32_t i = 0; i < map->node_count; i++) {
        tk_str name = maker->names.strings[i];
        map->nodes[i] = (struct tk_map_node){.name = {name.ptr + 1, name.len - 1},
                                             .kind = (enum tk_map_kind)(name.ptr[0] - '0'),
                                             .attribute = maker->attribute[i],
                                             .calls = numbers_of(&maker->node[i])};
    }
    for (uint32_t i = 0; i < map->call_count; i++) {
        struct edge edge;
        memcpy(&edge, maker->edges.strings[i].ptr, sizeof edge);
        map->calls[i] = (struct tk_map_call){edge.caller, edge.callee, numbers_of(&maker->call[i])};
    }
    qsort(map->calls, map->call_count, sizeof *map->calls, compare_calls);
    return TK_OK;
}

enum tk_err
tk_map_make(const struct tk_map_ask *ask, struct tk_map *ret_map, struct tk_error *err)
{
    struct tk_store_range range = {
        .begin_nano = ask->begin_nano,
        .end_nano = ask->end_nano,
        .want = {.lean = true,
                 .keys = wanted_keys,
                 .key_count = sizeof wanted_keys / sizeof *wanted_keys},
        .expired = is_expired,
        .expired_arg = (void *)(uintptr_t)ask,
    };
    struct maker maker = {.ask = ask, .map = {.begin_nano = ask->begin_nano}};
    struct tk_store_scan *scan;
    maker.node = tk_arena_zalloc(ask->arena, TK_MAP_NODES_MAX, sizeof *maker.node);
    maker.call = tk_arena_zalloc(ask->arena, TK_MAP_CALLS_MAX, sizeof *maker.call);
    maker.attribute = tk_arena_zalloc(ask->arena, TK_MAP_NODES_MAX, sizeof *maker.attribute);
    if (maker.node == NULL || maker.call == NULL || maker.attribute == NULL)
        return TK_ERR_MEMORY;
    tk_arena_init(&maker.scratch, SCRATCH_CHUNK, ask->memory);
    tk_buf_init(&maker.name, SIZE_MAX / 2); /* names are of spans, which the store bounds */
    tk_intern_init(&maker.names, TK_MAP_NODES_MAX);
    tk_intern_init(&maker.edges, TK_MAP_CALLS_MAX);
    enum tk_err result = tk_store_scan_open(ask->view, &range, &scan, err);
    if (result == TK_OK) {
        result = look_at_all(&maker, scan, err);
        tk_store_scan_close(scan);
    }
    if (result == TK_OK && (result = finish(&maker)) == TK_OK)
        *ret_map = maker.map;
    for (uint32_t i = 0; i < maker.names.count; i++)
        tk_histogram_release(&maker.node[i].durations);
    for (uint32_t i = 0; i < maker.edges.count; i++)
        tk_histogram_release(&maker.call[i].durations);
    tk_buf_release(&maker.name);
    tk_intern_release(&maker.names);
    tk_intern_release(&maker.edges);
    tk_arena_release(&maker.scratch);
    return result;
}
