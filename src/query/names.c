/* names - see names.h.  Spelt as in Tempo, the older bare forms and the scoped ones. */
#include "query/names.h"

static const struct {
    const char *name;
    enum tk_ql_intrinsic intrinsic;
    enum tk_ql_type type;
} intrinsics[] = {
    {"name", TK_QL_NAME, TK_QL_STRING},
    {"kind", TK_QL_SPAN_KIND, TK_QL_KIND},
    {"status", TK_QL_SPAN_STATUS, TK_QL_STATUS},
    {"statusMessage", TK_QL_STATUS_MESSAGE, TK_QL_STRING},
    {"duration", TK_QL_SPAN_DURATION, TK_QL_DURATION},
    {"spanID", TK_QL_SPAN_ID, TK_QL_STRING},
    {"traceID", TK_QL_TRACE_ID, TK_QL_STRING},
    {"traceDuration", TK_QL_TRACE_DURATION, TK_QL_DURATION},
    {"rootName", TK_QL_ROOT_NAME, TK_QL_STRING},
    {"rootServiceName", TK_QL_ROOT_SERVICE, TK_QL_STRING},
    {"span:name", TK_QL_NAME, TK_QL_STRING},
    {"span:kind", TK_QL_SPAN_KIND, TK_QL_KIND},
    {"span:status", TK_QL_SPAN_STATUS, TK_QL_STATUS},
    {"span:statusMessage", TK_QL_STATUS_MESSAGE, TK_QL_STRING},
    {"span:duration", TK_QL_SPAN_DURATION, TK_QL_DURATION},
    {"span:id", TK_QL_SPAN_ID, TK_QL_STRING},
    {"span:parentID", TK_QL_PARENT_ID, TK_QL_STRING},
    {"trace:id", TK_QL_TRACE_ID, TK_QL_STRING},
    {"trace:duration", TK_QL_TRACE_DURATION, TK_QL_DURATION},
    {"trace:rootName", TK_QL_ROOT_NAME, TK_QL_STRING},
    {"trace:rootService", TK_QL_ROOT_SERVICE, TK_QL_STRING},
    {"event:name", TK_QL_EVENT_NAME, TK_QL_STRING},
    {"event:timeSinceStart", TK_QL_EVENT_SINCE_START, TK_QL_DURATION},
    {"link:traceID", TK_QL_LINK_TRACE_ID, TK_QL_STRING},
    {"link:spanID", TK_QL_LINK_SPAN_ID, TK_QL_STRING},
    {"instrumentation:name", TK_QL_SCOPE_NAME, TK_QL_STRING},
    {"instrumentation:version", TK_QL_SCOPE_VERSION, TK_QL_STRING},
    {"childCount", TK_QL_CHILD_COUNT, TK_QL_INT},
    {"span:childCount", TK_QL_CHILD_COUNT, TK_QL_INT},
    {"nestedSetLeft", TK_QL_NESTED_LEFT, TK_QL_INT},
    {"nestedSetRight", TK_QL_NESTED_RIGHT, TK_QL_INT},
    {"nestedSetParent", TK_QL_NESTED_PARENT, TK_QL_INT},
};

static const struct {
    const char *name;
    enum tk_ql_type type;
    int64_t number;
} keywords[] = {
    {"nil", TK_QL_NIL, 0},
    {"true", TK_QL_BOOL, 1},
    {"false", TK_QL_BOOL, 0},
    {"unset", TK_QL_STATUS, TK_STATUS_UNSET},
    {"ok", TK_QL_STATUS, TK_STATUS_OK},
    {"error", TK_QL_STATUS, TK_STATUS_ERROR},
    {"unspecified", TK_QL_KIND, TK_KIND_UNSPECIFIED},
    {"internal", TK_QL_KIND, TK_KIND_INTERNAL},
    {"server", TK_QL_KIND, TK_KIND_SERVER},
    {"client", TK_QL_KIND, TK_KIND_CLIENT},
    {"producer", TK_QL_KIND, TK_KIND_PRODUCER},
    {"consumer", TK_QL_KIND, TK_KIND_CONSUMER},
    {"minInt", TK_QL_INT, INT64_MIN},
    {"maxInt", TK_QL_INT, INT64_MAX},
};

static const struct {
    const char *prefix;
    enum tk_ql_scope scope;
} scopes[] = {
    {".", TK_QL_UNSCOPED},   {"span.", TK_QL_SPAN}, {"resource.", TK_QL_RESOURCE},
    {"event.", TK_QL_EVENT}, {"link.", TK_QL_LINK}, {"instrumentation.", TK_QL_INSTRUMENTATION},
};

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

bool
tk_ql_find_intrinsic(tk_str word, enum tk_ql_intrinsic *ret_intrinsic, enum tk_ql_type *ret_type)
{
    for (size_t i = 0; i < COUNT(intrinsics); i++) {
        if (tk_str_eq(word, tk_str_from(intrinsics[i].name))) {
            *ret_intrinsic = intrinsics[i].intrinsic;
            *ret_type = intrinsics[i].type;
            return true;
        }
    }
    return false;
}

bool
tk_ql_find_keyword(tk_str word, struct tk_ql_value *ret_value)
{
    for (size_t i = 0; i < COUNT(keywords); i++) {
        if (!tk_str_eq(word, tk_str_from(keywords[i].name)))
            continue;
        *ret_value = (struct tk_ql_value){.type = keywords[i].type, .i = keywords[i].number};
        if (keywords[i].type == TK_QL_BOOL)
            ret_value->b = keywords[i].number != 0;
        return true;
    }
    return false;
}

bool
tk_ql_cut_scope(tk_str *word, enum tk_ql_scope *ret_scope)
{
    for (size_t i = 0; i < COUNT(scopes); i++) {
        tk_str prefix = tk_str_from(scopes[i].prefix);
        if (tk_str_starts_with(*word, prefix)) {
            *word = (tk_str){word->ptr + prefix.len, word->len - prefix.len};
            *ret_scope = scopes[i].scope;
            return true;
        }
    }
    return false;
}

static bool
find_word(const char *const *words, size_t count, tk_str word, uint32_t *ret_number)
{
    for (uint32_t i = 0; i < count; i++) {
        if (words[i] != NULL && tk_str_eq(word, tk_str_from(words[i]))) {
            *ret_number = i;
            return true;
        }
    }
    return false;
}

bool
tk_ql_find_aggregate(tk_str word, enum tk_ql_aggregate *ret_aggregate)
{
    static const char *const words[] = {"count", "avg", "max", "min", "sum"};
    uint32_t number;
    if (!find_word(words, COUNT(words), word, &number))
        return false;
    *ret_aggregate = (enum tk_ql_aggregate)number;
    return true;
}

bool
tk_ql_find_metric(tk_str word, enum tk_ql_metric *ret_metric)
{
    static const char *const words[] = {
        "rate",          "count_over_time", "min_over_time",      "max_over_time",
        "avg_over_time", "sum_over_time",   "quantile_over_time", "histogram_over_time",
    };
    uint32_t number;
    if (!find_word(words, COUNT(words), word, &number))
        return false;
    *ret_metric = (enum tk_ql_metric)number;
    return true;
}

bool
tk_ql_is_stage(tk_str word)
{
    static const char *const words[] = {"by", "select", "coalesce", "compare"};
    uint32_t number;
    enum tk_ql_aggregate aggregate;
    enum tk_ql_metric metric;
    return find_word(words, COUNT(words), word, &number) ||
           tk_ql_find_aggregate(word, &aggregate) || tk_ql_find_metric(word, &metric);
}

bool
tk_ql_find_relation(tk_str symbol, enum tk_ql_relation *ret_relation, bool *ret_negated,
                    bool *ret_both)
{
    static const char *const symbols[] = {">", "<", ">>", "<<", "~"};
    uint32_t number;
    *ret_negated = symbol.len > 1 && symbol.ptr[0] == '!';
    *ret_both = symbol.len > 1 && symbol.ptr[0] == '&';
    if (*ret_negated || *ret_both)
        symbol = (tk_str){symbol.ptr + 1, symbol.len - 1};
    if (!find_word(symbols, COUNT(symbols), symbol, &number))
        return false;
    *ret_relation = (enum tk_ql_relation)number;
    return true;
}

const char *
tk_ql_type_text(enum tk_ql_type type)
{
    switch (type) {
    case TK_QL_NIL:
        return "nil";
    case TK_QL_BOOL:
        return "true or false";
    case TK_QL_INT:
    case TK_QL_FLOAT:
        return "a number";
    case TK_QL_DURATION:
        return "a duration such as 200ms";
    case TK_QL_STRING:
        return "a string in quotes";
    case TK_QL_STATUS:
        return "a status: ok, error or unset";
    case TK_QL_KIND:
        return "a kind: server, client, internal, producer, consumer or unspecified";
    case TK_QL_ANY:
    case TK_QL_ARRAY:
    case TK_QL_OPAQUE:
        break;
    }
    return "an attribute";
}
