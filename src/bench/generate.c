/*
 * generate - see generate.h.
 *
 * A span is decided first (begin), its children are made, and only then is it added to its
 * process's batch (add), followed by its attributes: so children come before their parents.  A
 * failure (memory) sticks in `_code`, so that the making of spans reads without checks.
 */
#include "bench/generate.h"

#include <stdio.h>
#include <stdlib.h>

struct span {
    uint32_t service, process;
    tk_span_id id, parent_id;
    uint64_t start_nano, end_nano;
    uint32_t row; /* once it was added */
};

static const char *const service_names[] = {
    "gateway",  "users",   "orders",    "catalog", "payments", "inventory",
    "shipping", "search",  "mailer",    "auth",    "pricing",  "recommendations",
    "reviews",  "billing", "analytics", "media",
};
static const char *const languages[] = {"go", "nodejs", "python", "java"};
static const char *const resources[] = {"users",    "orders",   "items", "carts",
                                        "invoices", "sessions", "stock", "prices"};
static const char *const methods[] = {"GET", "GET", "GET", "POST", "PUT", "DELETE"};
static const char *const tables[] = {"users", "orders", "order_items", "products", "sessions"};
static const char *const topics[] = {"order.created", "payment.settled", "mail.requested"};
static const char *const functions[] = {"load", "validate", "render", "authorize", "price"};
static const char *const item_keys[] = {"app.load.items", "app.validate.items", "app.render.items",
                                        "app.authorize.items", "app.price.items"};
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

static void
write_uuid(struct tk_generate *generate, char text[40])
{
    uint64_t a = random_u64(generate), b = random_u64(generate);
    (void)snprintf(text, 40, "%08x-%04x-4%03x-%04x-%012llx", (unsigned)(a >> 32),
                   (unsigned)(a >> 16 & 0xFFFF), (unsigned)(a & 0xFFF),
                   (unsigned)(b >> 48 & 0x3FFF) | 0x8000, (unsigned long long)(b & 0xFFFFFFFFFFFF));
}

static tk_str
random_uuid(struct tk_generate *generate)
{
    char text[40];
    write_uuid(generate, text);
    return TEXT(generate, "%s", text);
}

/* Eight digits: round.h makes them new in every sending. */
static unsigned
random_number(struct tk_generate *generate)
{
    return 10000000 + (unsigned)random_below(generate, 90000000);
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

/* Ten digits, which are made new as well. */
static void
attr_serial(struct tk_generate *generate, const char *key)
{
    attr_int(generate, key, 1000000000u + random_below(generate, 9000000000u));
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
    uint64_t random = generate->random; /* a process is the same in every batch */
    unsigned node = (service + instance) % 7;
    generate->random = generate->options.seed + service * 1000003u + instance;
    attr(generate, "service.name", name);
    attr_text(generate, "service.namespace", "shop");
    attr(generate, "service.version", TEXT(generate, "%u.%u.3", 1 + service % 3, service));
    attr(generate, "service.instance.id", random_uuid(generate));
    attr_text(generate, "deployment.environment.name", "production");
    attr_text(generate, "telemetry.sdk.name", "opentelemetry");
    attr_text(generate, "telemetry.sdk.language", languages[service % COUNT(languages)]);
    attr_text(generate, "telemetry.sdk.version", "1.30.0");
    attr(generate, "host.name", TEXT(generate, "node-%u.eu.internal", node));
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
    attr(generate, "k8s.node.name", TEXT(generate, "node-%u", node));
    attr_text(generate, "cloud.region", "eu-central-1");
    generate->random = random;
}

enum { SCOPE_HTTP, SCOPE_DB, SCOPE_QUEUE, SCOPE_APP, SCOPE_COUNT };

/* What a process says of itself, in front of each of its batches. */
static void
add_process(struct tk_generate *generate, uint32_t process)
{
    static const char *const names[SCOPE_COUNT] = {"@opentelemetry/instrumentation-http",
                                                   "database/sql", "kafka-clients", "shop"};
    struct tk_batch *batch = generate->_batch;
    uint32_t index, instances = generate->options.instances;
    keep(generate, tk_batch_add_resource(batch, &index));
    if (generate->_code != TK_OK)
        return;
    batch->resources[index].attrs.begin = batch->attr_count;
    add_resource_attrs(generate, process / instances, process % instances);
    batch->resources[index].attrs.count = batch->attr_count - batch->resources[index].attrs.begin;
    batch->resources[index].schema_url = TK_STR("https://opentelemetry.io/schemas/1.30.0");
    for (uint32_t i = 0; i < SCOPE_COUNT; i++) {
        enum tk_err code = tk_batch_add_scope(batch, &index);
        keep(generate, code);
        if (code != TK_OK)
            return;
        batch->scopes[index].name = tk_str_from(names[i]);
        batch->scopes[index].version = TK_STR("0.57.1");
    }
}

static uint32_t
some_process(struct tk_generate *generate, uint32_t service)
{
    uint32_t instances = generate->options.instances;
    return service * instances + (uint32_t)random_below(generate, instances);
}

static struct span
begin(struct tk_generate *generate, const struct span *parent, uint32_t service, uint32_t process)
{
    struct span span = {
        .service = service, .process = process, .id = random_u64(generate) | 1 << 8};
    generate->_left -= generate->_left > 0;
    if (parent == NULL) {
        span.start_nano = generate->now_nano + random_below(generate, generate->options.step_nano);
        span.end_nano = span.start_nano + 2000000 + random_below(generate, 300000000);
        return span;
    }
    uint64_t duration = parent->end_nano - parent->start_nano;
    span.parent_id = parent->id;
    span.start_nano = parent->start_nano + random_below(generate, duration / 3 + 1);
    span.end_nano = parent->end_nano - random_below(generate, duration / 3 + 1);
    return span;
}

/* In the process of its parent. */
static struct span
begin_inside(struct tk_generate *generate, const struct span *parent)
{
    return begin(generate, parent, parent->service, parent->process);
}

/* Its attributes follow, until finish().  `name` may need the batch's arena: see enter(). */
static void
add(struct tk_generate *generate, struct span *span, enum tk_kind kind, uint32_t scope, tk_str name)
{
    struct tk_batch *batch = generate->_batch;
    keep(generate, tk_batch_add_span(batch, &span->row));
    if (generate->_code != TK_OK)
        return;
    batch->trace_id[span->row] = generate->_trace_id;
    batch->span_id[span->row] = span->id;
    batch->parent_id[span->row] = span->parent_id;
    batch->start_nano[span->row] = span->start_nano;
    batch->end_nano[span->row] = span->end_nano;
    batch->name[span->row] = name;
    batch->kind[span->row] = (int32_t)kind;
    batch->scope[span->row] = scope;
    batch->flags[span->row] = span->parent_id != 0 && kind == TK_KIND_SERVER ? 0x301 : 0x101;
    batch->attrs[span->row].begin = batch->attr_count;
}

/* From here on, text and attributes go to the batch of the span's process. */
static void
enter(struct tk_generate *generate, const struct span *span)
{
    generate->_batch = generate->processes[span->process];
    if (generate->_batch->resource_count == 0)
        add_process(generate, span->process);
}

static void
finish(struct tk_generate *generate, const struct span *span)
{
    if (generate->_code != TK_OK)
        return;
    struct tk_range *attrs = &generate->_batch->attrs[span->row];
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
    if (generate->_code == TK_OK)
        batch->event[index].attrs.count = batch->attr_count - batch->event[index].attrs.begin;
}

static tk_str
statement(struct tk_generate *generate, const char *operation, const char *table)
{
    if (strcmp(operation, "INSERT") == 0)
        return TEXT(generate, "INSERT INTO %s (id, name, state) VALUES ($1, $2, $3)", table);
    if (strcmp(operation, "UPDATE") == 0)
        return TEXT(generate, "UPDATE %s SET state = $2 WHERE id = $1", table);
    return TEXT(generate, "SELECT id, name, state FROM %s WHERE id = $1 LIMIT 50", table);
}

static void
add_database_span(struct tk_generate *generate, const struct span *parent)
{
    static const char *const operations[] = {"SELECT", "SELECT", "SELECT", "INSERT", "UPDATE"};
    const char *table = PICK(generate, tables), *operation = PICK(generate, operations);
    struct span span = begin_inside(generate, parent);
    enter(generate, &span);
    add(generate, &span, TK_KIND_CLIENT, SCOPE_DB, TEXT(generate, "%s %s", operation, table));
    attr_text(generate, "db.system.name", "postgresql");
    attr_text(generate, "db.namespace", "shop");
    attr_text(generate, "db.operation.name", operation);
    attr_text(generate, "db.collection.name", table);
    attr(generate, "db.query.text", statement(generate, operation, table));
    attr(generate, "server.address", TEXT(generate, "postgres-%u.shop.svc", parent->service % 3));
    attr_int(generate, "server.port", 5432);
    if (strcmp(operation, "SELECT") == 0)
        attr_int(generate, "db.response.returned_rows", random_below(generate, 50));
    attr(generate, "db.query.parameter.0", random_uuid(generate));
    finish(generate, &span);
}

static void add_children(struct tk_generate *generate, const struct span *span, uint32_t most);

static void
add_internal_span(struct tk_generate *generate, const struct span *parent)
{
    struct span span = begin_inside(generate, parent);
    uint64_t which = random_below(generate, COUNT(functions));
    const char *function = functions[which], *items = item_keys[which];
    struct tk_value cost = {.type = TK_VALUE_DOUBLE,
                            .d = (double)random_below(generate, 100000) / 100};
    struct tk_value cached = {.type = TK_VALUE_BOOL, .b = random_below(generate, 4) == 0};
    if (random_below(generate, 3) == 0)
        add_children(generate, &span, 2);
    enter(generate, &span);
    add(generate, &span, TK_KIND_INTERNAL, SCOPE_APP, TEXT(generate, "%s order", function));
    attr(generate, "code.function.name", TEXT(generate, "shop.orders.%s", function));
    attr(generate, "code.file.path", TEXT(generate, "/app/src/orders/%s.go", function));
    attr_int(generate, "code.line.number", 10 + random_below(generate, 400));
    attr_int(generate, "thread.id", 1 + random_below(generate, 64));
    keep(generate, tk_batch_add_attr(generate->_batch, TK_STR("app.cache.hit"), cached));
    attr(generate, "app.cache.key", TEXT(generate, "order:%u", random_number(generate)));
    attr_int(generate, items, 1 + random_below(generate, 20));
    keep(generate, tk_batch_add_attr(generate->_batch, TK_STR("app.order.total"), cost));
    finish(generate, &span);
}

static void
add_queue_attrs(struct tk_generate *generate, const char *topic, const char *message_id,
                uint64_t partition, uint64_t size)
{
    attr_text(generate, "messaging.system", "kafka");
    attr_text(generate, "messaging.destination.name", topic);
    attr(generate, "messaging.message.id", TEXT(generate, "%s", message_id));
    attr_int(generate, "messaging.message.body.size", size);
    attr_int(generate, "messaging.destination.partition.id", partition);
    attr_serial(generate, "messaging.kafka.offset");
    attr_text(generate, "server.address", "kafka.shop.svc");
    attr_int(generate, "server.port", 9092);
}

static void
add_queue_spans(struct tk_generate *generate, const struct span *parent)
{
    const char *topic = PICK(generate, topics);
    char message_id[40];
    uint32_t service = (uint32_t)random_below(generate, generate->options.services);
    uint64_t partition = random_below(generate, 12), size = 200 + random_below(generate, 4000);
    uint32_t index;
    write_uuid(generate, message_id);
    struct span producer = begin_inside(generate, parent);
    struct span consumer = begin(generate, &producer, service, some_process(generate, service));
    add_children(generate, &consumer, 2);
    enter(generate, &consumer);
    add(generate, &consumer, TK_KIND_CONSUMER, SCOPE_QUEUE, TEXT(generate, "process %s", topic));
    add_queue_attrs(generate, topic, message_id, partition, size);
    attr_text(generate, "messaging.consumer.group.name", "shop-workers");
    finish(generate, &consumer);
    keep(generate, tk_batch_add_link(generate->_batch, &index));
    if (generate->_code != TK_OK)
        return;
    generate->_batch->link[index].trace_id = generate->_trace_id;
    generate->_batch->link[index].span_id = producer.id;
    generate->_batch->links[consumer.row] = (struct tk_range){index, 1};
    enter(generate, &producer);
    add(generate, &producer, TK_KIND_PRODUCER, SCOPE_QUEUE, TEXT(generate, "send %s", topic));
    add_queue_attrs(generate, topic, message_id, partition, size);
    finish(generate, &producer);
}

static void add_server_span(struct tk_generate *generate, const struct span *parent,
                            uint32_t service);

static void
add_client_span(struct tk_generate *generate, const struct span *parent)
{
    uint32_t service = (uint32_t)random_below(generate, generate->options.services);
    struct span span = begin_inside(generate, parent);
    add_server_span(generate, &span, service);
    enter(generate, &span);
    tk_str name = service_name(generate, service);
    add(generate, &span, TK_KIND_CLIENT, SCOPE_HTTP, TK_STR("GET"));
    attr_text(generate, "http.request.method", "GET");
    attr(generate, "url.full",
         TEXT(generate, "http://%.*s.shop.svc:8080/v1/%s/%u", TK_STR_ARG(name),
              PICK(generate, resources), random_number(generate)));
    attr(generate, "server.address", TEXT(generate, "%.*s.shop.svc", TK_STR_ARG(name)));
    attr_int(generate, "server.port", 8080);
    attr_int(generate, "http.response.status_code", 200);
    attr(generate, "network.peer.address",
         TEXT(generate, "10.0.%u.%u", service, (unsigned)random_below(generate, 256)));
    attr_text(generate, "network.protocol.version", "1.1");
    if (random_below(generate, 20) == 0)
        attr_int(generate, "http.request.resend_count", 1 + random_below(generate, 2));
    attr(generate, "http.request.header.x-request-id", TEXT(generate, "%s", generate->_request_id));
    finish(generate, &span);
}

/* At most `most`, and as many as the trace may still have. */
static void
add_children(struct tk_generate *generate, const struct span *span, uint32_t most)
{
    for (uint32_t i = 0; i < most && generate->_left > 0 && generate->_code == TK_OK; i++) {
        uint64_t what = random_below(generate, 20);
        if (what < 7 && generate->_left >= 2)
            add_client_span(generate, span);
        else if (what < 9 && generate->_left >= 2)
            add_queue_spans(generate, span);
        else if (what < 15)
            add_database_span(generate, span);
        else
            add_internal_span(generate, span);
    }
}

static void
add_server_attrs(struct tk_generate *generate, const struct span *span, const char *method,
                 const char *what, unsigned status)
{
    attr_text(generate, "http.request.method", method);
    attr(generate, "http.route", TEXT(generate, "/v1/%s/{id}", what));
    attr(generate, "url.path", TEXT(generate, "/v1/%s/%u", what, random_number(generate)));
    if (strcmp(method, "GET") == 0)
        attr_text(generate, "url.scheme", "https");
    else
        attr_int(generate, "http.request.body.size", random_below(generate, 5000));
    attr(generate, "server.address",
         TEXT(generate, "%.*s.example.com", TK_STR_ARG(service_name(generate, span->service))));
    attr(generate, "client.address",
         TEXT(generate, "192.0.2.%u", (unsigned)random_below(generate, 256)));
    attr_text(generate, "user_agent.original", PICK(generate, agents));
    attr_int(generate, "http.response.status_code", status);
    attr_text(generate, "network.protocol.version", "2");
    attr(generate, "http.request.header.x-request-id", TEXT(generate, "%s", generate->_request_id));
    attr(generate, "enduser.id",
         TEXT(generate, "user-%u", 10000000 + (unsigned)random_below(generate, 1000000)));
    if (random_below(generate, 3) > 0)
        attr_serial(generate, "order.id");
}

static void
add_server_span(struct tk_generate *generate, const struct span *parent, uint32_t service)
{
    static const unsigned failures[] = {504, 500, 503, 404};
    const char *method = PICK(generate, methods), *what = PICK(generate, resources);
    bool failed = random_below(generate, generate->options.error_in) == 0;
    unsigned status = failed ? PICK(generate, failures) : 200;
    struct span span = begin(generate, parent, service, some_process(generate, service));
    /* Fewer than one call leads on from each, or the first branch would take all. */
    add_children(generate, &span,
                 parent == NULL ? generate->_left : (uint32_t)random_below(generate, 4));
    enter(generate, &span);
    add(generate, &span, TK_KIND_SERVER, SCOPE_HTTP,
        TEXT(generate, "%s /v1/%s/{id}", method, what));
    add_server_attrs(generate, &span, method, what, status);
    finish(generate, &span);
    if (failed)
        fail(generate, &span);
}

/* Most traces are small, a few are long: 10 in the mean. */
static uint32_t
trace_size(struct tk_generate *generate)
{
    enum { LONGEST = 200 };
    uint64_t kind = random_below(generate, 100), u = random_below(generate, 1000);
    if (generate->options.trace_spans > 0)
        return generate->options.trace_spans;
    if (kind < 30)
        return 1 + (uint32_t)(u % 3);
    if (kind < 80)
        return 3 + (uint32_t)(u % 10);
    if (kind < 97)
        return 10 + (uint32_t)(u % 21);
    return 30 + (uint32_t)(u * u * (LONGEST - 29) / 1000000);
}

enum tk_err
tk_generate_init(struct tk_generate *generate, const struct tk_generate_options *options)
{
    *generate = (struct tk_generate){.options = *options};
    struct tk_generate_options *o = &generate->options;
    o->services = o->services != 0 ? o->services : 30;
    o->instances = o->instances != 0 ? o->instances : 8;
    o->error_in = o->error_in != 0 ? o->error_in : 50;
    o->start_nano = o->start_nano != 0 ? o->start_nano : 1767225600000000000u;
    o->step_nano = o->step_nano != 0 ? o->step_nano : 1000000;
    generate->random = o->seed;
    generate->now_nano = o->start_nano;
    generate->process_count = o->services * o->instances;
    generate->processes = calloc(generate->process_count, sizeof *generate->processes);
    if (generate->processes == NULL)
        return TK_ERR_MEMORY;
    for (uint32_t i = 0; i < generate->process_count; i++) {
        generate->processes[i] = tk_batch_new();
        if (generate->processes[i] == NULL) {
            tk_generate_release(generate);
            return TK_ERR_MEMORY;
        }
    }
    return TK_OK;
}

void
tk_generate_release(struct tk_generate *generate)
{
    for (uint32_t i = 0; i < generate->process_count && generate->processes != NULL; i++)
        tk_batch_free(generate->processes[i]);
    free(generate->processes);
    *generate = (struct tk_generate){0};
}

enum tk_err
tk_generate_trace(struct tk_generate *generate, struct tk_trace_id *ret_trace_id,
                  uint32_t *ret_span_count)
{
    uint32_t size = trace_size(generate);
    generate->_left = size;
    generate->_trace_id = (struct tk_trace_id){random_u64(generate), random_u64(generate)};
    write_uuid(generate, generate->_request_id);
    add_server_span(generate, NULL, 0);
    generate->now_nano += generate->options.step_nano;
    *ret_trace_id = generate->_trace_id;
    *ret_span_count = size - generate->_left;
    return generate->_code;
}
