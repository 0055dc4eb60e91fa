/*
 * generate - see generate.h.
 *
 * A failure (memory) sticks in `_code`, so that the making of spans reads without checks.
 */
#include "generate.h"

#include <stdlib.h>

struct span { /* where a span stands that will have children */
    uint32_t row;
    uint32_t service;
    uint64_t start_nano, end_nano;
};

static const char *const service_names[] = {
    "gateway",  "users",   "orders",    "catalog", "payments", "inventory",
    "shipping", "search",  "mailer",    "auth",    "pricing",  "recommendations",
    "reviews",  "billing", "analytics", "media",
};
static const char *const languages[] = {"go", "nodejs", "python", "java"};
static const char *const resources[] = {"users", "orders",   "items",
                                        "carts", "invoices", "sessions"};
static const char *const methods[] = {"GET", "GET", "GET", "POST", "PUT", "DELETE"};
static const char *const tables[] = {"users", "orders", "order_items", "products", "sessions"};
static const char *const topics[] = {"order.created", "payment.settled", "mail.requested"};
static const char *const agents[] = {
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/126.0 Safari/537.36",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 Mobile/15E148",
    "okhttp/4.12.0",
};

#define COUNT(array) (sizeof(array) / sizeof *(array))
#define PICK(generate, array) ((array)[random_below((generate), COUNT(array))])

/* splitmix64 */
static uint64_t
random_u64(struct tk_generate *generate)
{
    uint64_t z = generate->random += 0x9E3779B97F4A7C15u;
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9u;
    z = (z ^ z >> 27) * 0x94D049BB133111EBu;
    return z ^ z >> 31;
}

static uint64_t
random_below(struct tk_generate *generate, uint64_t limit)
{
    return random_u64(generate) % limit;
}

static void
keep(struct tk_generate *generate, enum tk_err code)
{
    if (code != TK_OK)
        generate->_code = code;
}

#define TEXT(generate, ...) tk_arena_printf(&(generate)->_batch->arena, __VA_ARGS__)

static tk_str
random_uuid(struct tk_generate *generate)
{
    uint64_t a = random_u64(generate), b = random_u64(generate);
    return TEXT(generate, "%08x-%04x-4%03x-%04x-%012llx", (unsigned)(a >> 32),
                (unsigned)(a >> 16 & 0xFFFF), (unsigned)(a & 0xFFF),
                (unsigned)(b >> 48 & 0x3FFF) | 0x8000, (unsigned long long)(b & 0xFFFFFFFFFFFF));
}

static void
attr(struct tk_generate *generate, const char *key, tk_str text)
{
    struct tk_value value = {.type = TK_VALUE_STRING, .len = (uint32_t)text.len, .ptr = text.ptr};
    keep(generate, tk_batch_add_attr(generate->_batch, tk_str_from(key), value));
}

static void
attr_text(struct tk_generate *generate, const char *key, const char *text)
{
    attr(generate, key, tk_str_from(text));
}

static void
attr_int(struct tk_generate *generate, const char *key, uint64_t number)
{
    struct tk_value value = {.type = TK_VALUE_INT, .i = (int64_t)number};
    keep(generate, tk_batch_add_attr(generate->_batch, tk_str_from(key), value));
}

static tk_str
service_name(struct tk_generate *generate, uint32_t service)
{
    if (service < COUNT(service_names))
        return tk_str_from(service_names[service]);
    return TEXT(generate, "service-%u", service);
}

static void
add_resource_attrs(struct tk_generate *generate, uint32_t service, uint32_t instance)
{
    tk_str name = service_name(generate, service);
    uint64_t random = generate->random; /* an instance is the same in every batch */
    generate->random = generate->options.seed + service * 1000u + instance;
    attr(generate, "service.name", name);
    attr_text(generate, "service.namespace", "shop");
    attr(generate, "service.version", TEXT(generate, "%u.%u.3", 1 + service % 3, service));
    attr(generate, "service.instance.id", random_uuid(generate));
    attr_text(generate, "deployment.environment.name", "production");
    attr_text(generate, "telemetry.sdk.name", "opentelemetry");
    attr_text(generate, "telemetry.sdk.language", languages[service % COUNT(languages)]);
    attr_text(generate, "telemetry.sdk.version", "1.30.0");
    attr(generate, "host.name", TEXT(generate, "node-%u.eu.internal", (service + instance) % 7));
    attr(generate, "host.id", TEXT(generate, "%016llx", (unsigned long long)random_u64(generate)));
    attr_text(generate, "host.arch", "amd64");
    attr_text(generate, "os.type", "linux");
    attr_text(generate, "os.version", "6.1.0-28-amd64");
    attr_int(generate, "process.pid", 1 + random_below(generate, 60000));
    attr_text(generate, "process.runtime.name", languages[service % COUNT(languages)]);
    attr_text(generate, "process.runtime.version", "1.24.1");
    attr(generate, "k8s.pod.name",
         TEXT(generate, "%.*s-%08x-%05x", TK_STR_ARG(name), (unsigned)random_u64(generate),
              (unsigned)random_below(generate, 1 << 20)));
    attr_text(generate, "k8s.namespace.name", "shop");
    attr(generate, "k8s.node.name", TEXT(generate, "node-%u", (service + instance) % 7));
    attr_text(generate, "cloud.region", "eu-central-1");
    generate->random = random;
}

/* The resource of some instance of a service. */
static uint32_t
resource_of(struct tk_generate *generate, uint32_t service)
{
    struct tk_batch *batch = generate->_batch;
    uint32_t instance = (uint32_t)random_below(generate, generate->options.instances);
    uint32_t *known = &generate->_resources[service * generate->options.instances + instance];
    uint32_t index = 0;
    if (*known != 0)
        return *known - 1;
    keep(generate, tk_batch_add_resource(batch, &index));
    if (generate->_code != TK_OK)
        return 0;
    batch->resources[index].attrs.begin = batch->attr_count;
    add_resource_attrs(generate, service, instance);
    batch->resources[index].attrs.count = batch->attr_count - batch->resources[index].attrs.begin;
    batch->resources[index].schema_url = TK_STR("https://opentelemetry.io/schemas/1.30.0");
    *known = index + 1;
    return index;
}

enum { SCOPE_HTTP, SCOPE_DB, SCOPE_QUEUE, SCOPE_APP, SCOPE_COUNT };

static void
add_scopes(struct tk_generate *generate)
{
    static const char *const names[SCOPE_COUNT] = {"@opentelemetry/instrumentation-http",
                                                   "database/sql", "kafka-clients", "shop"};
    for (uint32_t i = 0; i < SCOPE_COUNT; i++) {
        uint32_t index;
        enum tk_err code = tk_batch_add_scope(generate->_batch, &index);
        keep(generate, code);
        if (code != TK_OK)
            return;
        generate->_batch->scopes[index].name = tk_str_from(names[i]);
        generate->_batch->scopes[index].version = TK_STR("0.57.1");
    }
}

/* A span; its attributes follow, until finish().  `resource` is of its service. */
static struct span
begin(struct tk_generate *generate, const struct span *parent, uint32_t service, uint32_t resource,
      enum tk_kind kind, uint32_t scope, tk_str name)
{
    struct tk_batch *batch = generate->_batch;
    struct span span = {.service = service};
    keep(generate, tk_batch_add_span(batch, &span.row));
    if (generate->_code != TK_OK)
        return span;
    uint64_t duration = parent != NULL ? parent->end_nano - parent->start_nano : 0;
    if (parent != NULL) {
        span.start_nano = parent->start_nano + random_below(generate, duration / 3 + 1);
        span.end_nano = parent->end_nano - random_below(generate, duration / 3 + 1);
        batch->trace_id[span.row] = batch->trace_id[parent->row];
        batch->parent_id[span.row] = batch->span_id[parent->row];
    } else {
        span.start_nano = generate->now_nano;
        span.end_nano = span.start_nano + 2000000 + random_below(generate, 300000000);
        batch->trace_id[span.row] =
            (struct tk_trace_id){random_u64(generate) | 1, random_u64(generate)};
    }
    batch->span_id[span.row] = random_u64(generate) | 1;
    batch->start_nano[span.row] = span.start_nano;
    batch->end_nano[span.row] = span.end_nano;
    batch->name[span.row] = name;
    batch->kind[span.row] = (int32_t)kind;
    batch->scope[span.row] = scope;
    batch->flags[span.row] = parent != NULL && kind == TK_KIND_SERVER ? 0x301 : 0x101;
    batch->resource[span.row] = resource;
    batch->attrs[span.row].begin = batch->attr_count;
    return span;
}

static void
finish(struct tk_generate *generate, const struct span *span)
{
    struct tk_range *attrs = &generate->_batch->attrs[span->row];
    if (generate->_code == TK_OK)
        attrs->count = generate->_batch->attr_count - attrs->begin;
}

static void
fail(struct tk_generate *generate, const struct span *span)
{
    struct tk_batch *batch = generate->_batch;
    uint32_t index;
    if (generate->_code != TK_OK)
        return;
    batch->status[span->row] = TK_STATUS_ERROR;
    batch->status_message[span->row] = TK_STR("upstream request timeout");
    keep(generate, tk_batch_add_event(batch, &index));
    if (generate->_code != TK_OK)
        return;
    batch->events[span->row] = (struct tk_range){index, 1};
    batch->event[index] = (struct tk_event){
        .time_nano = span->end_nano,
        .name = TK_STR("exception"),
        .attrs.begin = batch->attr_count,
    };
    attr_text(generate, "exception.type", "TimeoutError");
    attr(generate, "exception.message",
         TEXT(generate, "no answer from 10.0.%u.%u:8080 within 3000 ms",
              (unsigned)random_below(generate, 256), (unsigned)random_below(generate, 256)));
    attr_text(generate, "exception.stacktrace",
              "TimeoutError: no answer within 3000 ms\n"
              "    at Client.request (/app/node_modules/undici/lib/client.js:412:15)\n"
              "    at async OrderService.load (/app/src/orders/service.js:88:20)\n"
              "    at async handler (/app/src/orders/routes.js:31:18)\n"
              "    at async Layer.handle (/app/node_modules/express/lib/router/layer.js:95:5)");
    batch->event[index].attrs.count = batch->attr_count - batch->event[index].attrs.begin;
}

static void
add_database_span(struct tk_generate *generate, const struct span *parent)
{
    const char *table = PICK(generate, tables);
    struct span span =
        begin(generate, parent, parent->service, generate->_batch->resource[parent->row],
              TK_KIND_CLIENT, SCOPE_DB, TEXT(generate, "SELECT %s", table));
    attr_text(generate, "db.system.name", "postgresql");
    attr_text(generate, "db.namespace", "shop");
    attr_text(generate, "db.operation.name", "SELECT");
    attr_text(generate, "db.collection.name", table);
    attr(generate, "db.query.text",
         TEXT(generate, "SELECT id, name, state FROM %s WHERE id = $1 LIMIT 50", table));
    attr(generate, "server.address", TEXT(generate, "postgres-%u.shop.svc", parent->service % 3));
    attr_int(generate, "server.port", 5432);
    attr_int(generate, "db.response.returned_rows", random_below(generate, 50));
    attr(generate, "db.query.parameter.0", random_uuid(generate));
    finish(generate, &span);
}

static void
add_internal_span(struct tk_generate *generate, const struct span *parent)
{
    struct span span =
        begin(generate, parent, parent->service, generate->_batch->resource[parent->row],
              TK_KIND_INTERNAL, SCOPE_APP, TK_STR("validate-auth"));
    struct tk_value value = {.type = TK_VALUE_DOUBLE};
    attr_text(generate, "code.function.name", "validateAuth");
    attr_text(generate, "code.file.path", "/app/src/middleware/auth.js");
    attr_int(generate, "code.line.number", 20 + random_below(generate, 300));
    attr(generate, "enduser.id",
         TEXT(generate, "user-%u", (unsigned)random_below(generate, 100000)));
    attr(generate, "app.tenant", TEXT(generate, "tenant-%u", (unsigned)random_below(generate, 40)));
    attr(generate, "app.session.id", random_uuid(generate));
    value.d = (double)random_below(generate, 1000) / 1000;
    keep(generate, tk_batch_add_attr(generate->_batch, TK_STR("app.risk.score"), value));
    value = (struct tk_value){.type = TK_VALUE_BOOL, .b = random_below(generate, 2) == 1};
    keep(generate, tk_batch_add_attr(generate->_batch, TK_STR("app.feature.fast"), value));
    finish(generate, &span);
}

static void
add_queue_attrs(struct tk_generate *generate, const char *topic, tk_str message_id, bool consumer)
{
    attr_text(generate, "messaging.system", "kafka");
    attr_text(generate, "messaging.destination.name", topic);
    attr_text(generate, "messaging.operation.type", consumer ? "process" : "send");
    attr(generate, "messaging.message.id", message_id);
    attr_int(generate, "messaging.message.body.size", 200 + random_below(generate, 4000));
    attr_int(generate, "messaging.destination.partition.id", random_below(generate, 12));
    attr_int(generate, "messaging.kafka.offset", random_below(generate, 1u << 30));
    attr_text(generate, "server.address", "kafka.shop.svc");
    if (consumer)
        attr_text(generate, "messaging.consumer.group.name", "shop-workers");
}

static void
add_queue_spans(struct tk_generate *generate, const struct span *parent)
{
    const char *topic = PICK(generate, topics);
    tk_str message_id = random_uuid(generate);
    struct tk_batch *batch = generate->_batch;
    struct span producer = begin(generate, parent, parent->service, batch->resource[parent->row],
                                 TK_KIND_PRODUCER, SCOPE_QUEUE, TEXT(generate, "send %s", topic));
    add_queue_attrs(generate, topic, message_id, false);
    finish(generate, &producer);
    uint32_t service = (uint32_t)random_below(generate, generate->options.services);
    uint32_t index, resource = resource_of(generate, service);
    struct span consumer = begin(generate, &producer, service, resource, TK_KIND_CONSUMER,
                                 SCOPE_QUEUE, TEXT(generate, "process %s", topic));
    add_queue_attrs(generate, topic, message_id, true);
    finish(generate, &consumer);
    if (generate->_code == TK_OK)
        keep(generate, tk_batch_add_link(batch, &index));
    if (generate->_code != TK_OK)
        return;
    batch->link[index].trace_id = batch->trace_id[producer.row];
    batch->link[index].span_id = batch->span_id[producer.row];
    batch->links[consumer.row] = (struct tk_range){index, 1};
}

static void add_server_span(struct tk_generate *generate, const struct span *parent,
                            uint32_t service, uint32_t depth);

static void
add_client_span(struct tk_generate *generate, const struct span *parent, uint32_t depth)
{
    uint32_t service = (uint32_t)random_below(generate, generate->options.services);
    tk_str name = service_name(generate, service);
    struct span span =
        begin(generate, parent, parent->service, generate->_batch->resource[parent->row],
              TK_KIND_CLIENT, SCOPE_HTTP, TK_STR("GET"));
    attr_text(generate, "http.request.method", "GET");
    attr(generate, "url.full",
         TEXT(generate, "http://%.*s.shop.svc:8080/v1/%s/%u", TK_STR_ARG(name),
              PICK(generate, resources), (unsigned)random_below(generate, 1000000)));
    attr(generate, "server.address", TEXT(generate, "%.*s.shop.svc", TK_STR_ARG(name)));
    attr_int(generate, "server.port", 8080);
    attr_int(generate, "http.response.status_code", 200);
    attr(generate, "network.peer.address",
         TEXT(generate, "10.0.%u.%u", service, (unsigned)random_below(generate, 256)));
    attr_text(generate, "network.protocol.version", "1.1");
    attr(generate, "http.request.header.x-request-id", random_uuid(generate));
    finish(generate, &span);
    add_server_span(generate, &span, service, depth + 1);
}

static void
add_children(struct tk_generate *generate, const struct span *span, uint32_t depth)
{
    uint64_t count = 1 + random_below(generate, 3);
    for (uint64_t i = 0; i < count && generate->_code == TK_OK; i++) {
        uint64_t what = random_below(generate, 10);
        if (what < 4 && depth < generate->options.depth_max)
            add_client_span(generate, span, depth);
        else if (what < 7)
            add_database_span(generate, span);
        else if (what < 9)
            add_internal_span(generate, span);
        else
            add_queue_spans(generate, span);
    }
}

static void
add_server_span(struct tk_generate *generate, const struct span *parent, uint32_t service,
                uint32_t depth)
{
    const char *method = PICK(generate, methods), *what = PICK(generate, resources);
    bool failed = random_below(generate, generate->options.error_in) == 0;
    uint32_t resource = resource_of(generate, service);
    struct span span = begin(generate, parent, service, resource, TK_KIND_SERVER, SCOPE_HTTP,
                             TEXT(generate, "%s /v1/%s/{id}", method, what));
    unsigned id = (unsigned)random_below(generate, 1000000);
    attr_text(generate, "http.request.method", method);
    attr(generate, "http.route", TEXT(generate, "/v1/%s/{id}", what));
    attr(generate, "url.path", TEXT(generate, "/v1/%s/%u", what, id));
    attr_text(generate, "url.scheme", "https");
    attr(generate, "server.address",
         TEXT(generate, "%.*s.example.com", TK_STR_ARG(service_name(generate, service))));
    attr(generate, "client.address",
         TEXT(generate, "192.0.2.%u", (unsigned)random_below(generate, 256)));
    attr_text(generate, "user_agent.original", PICK(generate, agents));
    attr_int(generate, "http.response.status_code", failed ? 504 : 200);
    attr_text(generate, "network.protocol.version", "2");
    attr(generate, "http.request.header.x-request-id", random_uuid(generate));
    attr(generate, "enduser.id",
         TEXT(generate, "user-%u", (unsigned)random_below(generate, 100000)));
    attr_int(generate, "order.id", id);
    finish(generate, &span);
    if (failed)
        fail(generate, &span);
    add_children(generate, &span, depth);
}

enum tk_err
tk_generate_init(struct tk_generate *generate, const struct tk_generate_options *options)
{
    *generate = (struct tk_generate){.options = *options};
    struct tk_generate_options *o = &generate->options;
    o->services = o->services != 0 ? o->services : 12;
    o->instances = o->instances != 0 ? o->instances : 3;
    o->depth_max = o->depth_max != 0 ? o->depth_max : 4;
    o->error_in = o->error_in != 0 ? o->error_in : 50;
    o->start_nano = o->start_nano != 0 ? o->start_nano : 1767225600000000000u;
    o->step_nano = o->step_nano != 0 ? o->step_nano : 1000000;
    generate->random = o->seed;
    generate->now_nano = o->start_nano;
    generate->_resources = calloc((size_t)o->services * o->instances, sizeof(uint32_t));
    return generate->_resources != NULL ? TK_OK : TK_ERR_MEMORY;
}

void
tk_generate_release(struct tk_generate *generate)
{
    free(generate->_resources);
    generate->_resources = NULL;
}

enum tk_err
tk_generate_spans(struct tk_generate *generate, uint32_t span_count, struct tk_batch *batch)
{
    size_t instances = (size_t)generate->options.services * generate->options.instances;
    generate->_batch = batch;
    generate->_code = TK_OK;
    memset(generate->_resources, 0, instances * sizeof *generate->_resources);
    add_scopes(generate);
    while (generate->_code == TK_OK && batch->span_count < span_count) {
        add_server_span(generate, NULL, 0, 1);
        generate->now_nano += generate->options.step_nano;
    }
    return generate->_code;
}
