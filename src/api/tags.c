/* tags - GET /api/v1/tags and GET /api/v1/tags/{key}/values. */
#include "api/catalog_answer.h"
#include "wire/otlp.h"

enum { VALUES_DEFAULT = 100 };

/* What of a key's values is asked for. */
struct value_terms {
    tk_str key, prefix;
    uint32_t limit;
};

static void
member(struct tk_json_writer *json, const char *key, const char *value)
{
    tk_json_key(json, tk_str_from(key));
    tk_json_string(json, tk_str_from(value));
}

static const char *
type_text(uint8_t type)
{
    static const char *const names[] = {
        [TK_VALUE_EMPTY] = "empty", [TK_VALUE_STRING] = "string", [TK_VALUE_BOOL] = "bool",
        [TK_VALUE_INT] = "int",     [TK_VALUE_DOUBLE] = "double", [TK_VALUE_BYTES] = "bytes",
        [TK_VALUE_ARRAY] = "array", [TK_VALUE_MAP] = "map",
    };
    return names[type];
}

static const char *
scope_text(enum tk_tag_scope scope)
{
    static const char *const names[] = {
        [TK_TAG_SPAN] = "span", [TK_TAG_RESOURCE] = "resource",     [TK_TAG_EVENT] = "event",
        [TK_TAG_LINK] = "link", [TK_TAG_INSTRUMENTATION] = "scope",
    };
    return names[scope];
}

static enum tk_err
write_tags(const struct tk_catalog *catalog, void *arg, struct tk_json_writer *json,
           struct tk_error *err)
{
    struct tk_tag_entry *entries;
    size_t count;
    const tk_str *prefix = arg;
    enum tk_err result = tk_catalog_tags(catalog, *prefix, &entries, &count, err);
    if (result != TK_OK)
        return result;
    tk_json_object(json);
    tk_json_key(json, TK_STR("tags"));
    tk_json_array(json);
    for (size_t i = 0; i < count; i++) {
        tk_json_object(json);
        tk_json_key(json, TK_STR("key"));
        tk_json_string(json, entries[i].key);
        member(json, "scope", scope_text(entries[i].scope));
        member(json, "type", type_text((uint8_t)entries[i].type));
        tk_json_object_end(json);
    }
    tk_json_array_end(json);
    tk_json_object_end(json);
    return TK_OK;
}

static enum tk_err
write_values(const struct tk_catalog *catalog, void *arg, struct tk_json_writer *json,
             struct tk_error *err)
{
    struct tk_tag_value_entry *entries;
    size_t count;
    uint64_t span_count = 0, error_count = 0;
    const struct value_terms *terms = arg;
    enum tk_err result =
        tk_catalog_values(catalog, terms->key, terms->prefix, &entries, &count, err);
    if (result != TK_OK)
        return result;
    tk_json_object(json);
    tk_json_key(json, TK_STR("values"));
    tk_json_array(json);
    for (size_t i = 0; i < count && i < terms->limit; i++) {
        tk_json_object(json);
        tk_json_key(json, TK_STR("value"));
        tk_value_json(json, entries[i].value);
        member(json, "type", type_text(entries[i].value.type));
        tk_json_key(json, TK_STR("count"));
        tk_json_uint(json, entries[i].count);
        tk_json_key(json, TK_STR("errorCount"));
        tk_json_uint(json, entries[i].error_count);
        tk_json_object_end(json);
    }
    tk_json_array_end(json);
    for (size_t i = 0; i < count; i++) {
        span_count += entries[i].count;
        error_count += entries[i].error_count;
    }
    tk_json_key(json, TK_STR("valueCount"));
    tk_json_uint(json, count);
    tk_json_key(json, TK_STR("spanCount"));
    tk_json_uint(json, span_count);
    tk_json_key(json, TK_STR("errorCount"));
    tk_json_uint(json, error_count);
    tk_json_object_end(json);
    return TK_OK;
}

void
tk_route_tags(struct tk_call *call)
{
    tk_str prefix = tk_request_param(call->request, TK_STR("prefix"));
    tk_answer_catalog(call, write_tags, &prefix);
}

void
tk_route_tag_values(struct tk_call *call)
{
    struct value_terms terms = {
        .key = call->args[0],
        .prefix = tk_request_param(call->request, TK_STR("prefix")),
    };
    if (tk_param_limit(call, VALUES_DEFAULT, TK_LIMIT_MAX, &terms.limit))
        tk_answer_catalog(call, write_values, &terms);
}
