/* services - GET /api/v1/services and GET /api/v1/services/{name}/operations. */
#include "api/catalog_answer.h"
#include "api/trace_json.h"

static void
services_json(struct tk_json_writer *json, const struct tk_service_entry *entries, size_t count)
{
    tk_json_object(json);
    tk_json_key(json, TK_STR("services"));
    tk_json_array(json);
    for (size_t i = 0; i < count; i++) {
        tk_json_object(json);
        tk_json_key(json, TK_STR("name"));
        tk_json_string(json, entries[i].name);
        tk_json_key(json, TK_STR("spanCount"));
        tk_json_uint(json, entries[i].span_count);
        tk_json_key(json, TK_STR("errorCount"));
        tk_json_uint(json, entries[i].error_count);
        tk_json_key(json, TK_STR("lastSeenUnixNano"));
        tk_json_uint_string(json, entries[i].last_seen_nano);
        tk_json_object_end(json);
    }
    tk_json_array_end(json);
    tk_json_object_end(json);
}

static void
operations_json(struct tk_json_writer *json, const struct tk_operation_entry *entries, size_t count)
{
    tk_json_object(json);
    tk_json_key(json, TK_STR("operations"));
    tk_json_array(json);
    for (size_t i = 0; i < count; i++) {
        const char *kind = tk_kind_text(entries[i].kind);
        tk_json_object(json);
        tk_json_key(json, TK_STR("name"));
        tk_json_string(json, entries[i].name);
        if (kind != NULL) {
            tk_json_key(json, TK_STR("kind"));
            tk_json_string(json, tk_str_from(kind));
        }
        tk_json_key(json, TK_STR("spanCount"));
        tk_json_uint(json, entries[i].span_count);
        tk_json_key(json, TK_STR("errorCount"));
        tk_json_uint(json, entries[i].error_count);
        tk_json_key(json, TK_STR("p50Nano"));
        tk_json_uint_string(json, entries[i].p50_nano);
        tk_json_key(json, TK_STR("p95Nano"));
        tk_json_uint_string(json, entries[i].p95_nano);
        tk_json_key(json, TK_STR("p99Nano"));
        tk_json_uint_string(json, entries[i].p99_nano);
        tk_json_object_end(json);
    }
    tk_json_array_end(json);
    tk_json_object_end(json);
}

static enum tk_err
write_services(const struct tk_catalog *catalog, void *arg, struct tk_json_writer *json,
               struct tk_error *err)
{
    struct tk_service_entry *entries;
    size_t count;
    (void)arg;
    enum tk_err result = tk_catalog_services(catalog, &entries, &count, err);
    if (result == TK_OK)
        services_json(json, entries, count);
    return result;
}

static enum tk_err
write_operations(const struct tk_catalog *catalog, void *arg, struct tk_json_writer *json,
                 struct tk_error *err)
{
    const tk_str *service = arg;
    struct tk_operation_entry *entries;
    size_t count;
    enum tk_err result = tk_catalog_operations(catalog, *service, &entries, &count, err);
    if (result == TK_OK)
        operations_json(json, entries, count);
    return result;
}

void
tk_route_services(struct tk_call *call)
{
    tk_answer_catalog(call, write_services, NULL);
}

void
tk_route_operations(struct tk_call *call)
{
    tk_answer_catalog(call, write_operations, &call->args[0]);
}
