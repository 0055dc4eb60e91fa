#ifndef TK_QUERY_CATALOG_H
#define TK_QUERY_CATALOG_H
/*
 * catalog - what there is to ask for: services, their operations, attribute keys and values.
 *
 * The store counts (tk_store_operations, keys, values), unless a query chooses the spans: then they
 * are read.  Results lie in the arena, and so does what is counted: TK_ERR_LIMIT when there are
 * more distinct things than fit, or what a search says.  TK_ERR_TIMEOUT: the deadline passed.
 */
#include "query/search.h"

struct tk_catalog {
    struct tk_store_view *view;
    struct tk_query *query;        /* counts the spans it selects; the query of everything is "" */
    uint64_t begin_nano, end_nano; /* begin <= start of the span < end; end 0: no end */
    struct tk_env *env;
    uint64_t deadline_nano; /* of env->mono_nano; 0: none */
    size_t memory;          /* budget for deciding on one trace; 0: the query's default */
    struct tk_arena *arena; /* its limit is the budget of what is counted */
};

struct tk_service_entry {
    tk_str name;
    uint64_t span_count, error_count, last_seen_nano; /* the latest end of a span */
};
/* By name. */
enum tk_err tk_catalog_services(const struct tk_catalog *catalog,
                                struct tk_service_entry **ret_entries, size_t *ret_count,
                                struct tk_error *err) TK_MUST_USE;

struct tk_operation_entry {
    tk_str name;
    int32_t kind;
    uint64_t span_count, error_count, p50_nano, p95_nano, p99_nano;
};
/* By name, then kind.  Quantiles are exact while the service has TK_QUANTILES_EXACT spans or fewer.
 */
enum tk_err tk_catalog_operations(const struct tk_catalog *catalog, tk_str service,
                                  struct tk_operation_entry **ret_entries, size_t *ret_count,
                                  struct tk_error *err) TK_MUST_USE;

enum tk_tag_scope {
    TK_TAG_SPAN,
    TK_TAG_RESOURCE,
    TK_TAG_EVENT,
    TK_TAG_LINK,
    TK_TAG_INSTRUMENTATION,
};
struct tk_tag_entry {
    tk_str key;
    enum tk_tag_scope scope;
    enum tk_value_type type;
};
/* Keys that begin with `prefix`, by key, scope, type.  Without a query: of all times. */
enum tk_err tk_catalog_tags(const struct tk_catalog *catalog, tk_str prefix,
                            struct tk_tag_entry **ret_entries, size_t *ret_count,
                            struct tk_error *err) TK_MUST_USE;

struct tk_tag_value_entry {
    struct tk_value value;
    /* spans that have it, or whose resource, scope, events or links have it; those that failed */
    uint64_t count, error_count;
};
/* Values of `key` (old and new names are one) whose text begins with `prefix`, the most frequent
   first: texts, numbers and booleans. */
enum tk_err tk_catalog_values(const struct tk_catalog *catalog, tk_str key, tk_str prefix,
                              struct tk_tag_value_entry **ret_entries, size_t *ret_count,
                              struct tk_error *err) TK_MUST_USE;

#endif
