/*
 * catalog - see catalog.h.
 *
 * Each of the four lists is a table from a name to an entry with counts.  A name is what makes two
 * things one, written as bytes: a service's name; an operation's kind and name; a tag's scope, type
 * and key; a value's type and bytes.  tk_intern numbers the names, `entries` grows beside it.
 *
 * The table is filled by the store's counts, or span by span when a query chooses the spans.
 */
#include "query/catalog.h"

#include "base/assert.h"
#include "query/ast.h"
#include "query/quantiles.h"
#include "store/count.h"
#include "trace/semconv.h"

#include <stdio.h>
#include <stdlib.h>

enum { ENTRIES_MAX = 1 << 22 };

static const unsigned ALL_OWNERS =
    TK_OWNER_SPAN | TK_OWNER_RESOURCE | TK_OWNER_SCOPE | TK_OWNER_EVENT | TK_OWNER_LINK;

struct counter {
    uint64_t span_count, error_count, last_seen_nano;
    struct tk_quantiles durations; /* of operations only */
};

struct count {
    const struct tk_catalog *catalog;
    struct tk_intern names;
    struct counter *counters; /* by number of the name */
    uint32_t capacity;
    struct tk_buf name; /* the one being looked up */
    bool too_many;      /* the names did not fit */
    bool *selected;     /* by row of the trace at hand */
    uint32_t selected_capacity;

    /* One span that the query chose; or all of the store's counts. */
    enum tk_err (*add_span)(struct count *count, const struct tk_batch *trace, uint32_t row);
    enum tk_err (*ask_store)(struct count *count, const struct tk_store_range *range,
                             struct tk_error *err);
    unsigned details; /* what the store is to tell */
    bool lean;        /* add_span needs no attributes, events or links */
    tk_str service, prefix;
    size_t key_count;
    tk_str keys[TK_SEMCONV_NAMES_MAX];
};

/* ---- the table ---- */

/* Counters grow outside of the arena, and are paid from its limit. */
static bool
fits_budget(const struct tk_arena *arena, uint32_t capacity)
{
    return arena->used + capacity * sizeof(struct counter) <= arena->limit;
}

/* The entry of the name in count->name. */
static enum tk_err
find_counter(struct count *count, struct counter **ret_counter)
{
    uint32_t number, before = count->names.count;
    if (count->name.status != TK_OK)
        return count->name.status;
    enum tk_err result =
        tk_intern_copy(&count->names, count->catalog->arena, tk_buf_str(&count->name), &number);
    if (result != TK_OK) {
        count->too_many = true;
        return TK_ERR_LIMIT;
    }
    if (number == before) {
        if (number == count->capacity) {
            uint32_t capacity = count->capacity == 0 ? 64 : count->capacity * 2;
            if (!fits_budget(count->catalog->arena, capacity)) {
                count->too_many = true;
                return TK_ERR_LIMIT;
            }
            struct counter *grown = realloc(count->counters, capacity * sizeof *grown);
            if (grown == NULL)
                return TK_ERR_MEMORY;
            count->counters = grown;
            count->capacity = capacity;
        }
        count->counters[number] = (struct counter){.span_count = 0};
    }
    *ret_counter = &count->counters[number];
    return TK_OK;
}

static void
begin_name(struct count *count)
{
    tk_buf_clear(&count->name);
}

static bool
is_in_range(const struct tk_catalog *catalog, uint64_t start_nano)
{
    return start_nano >= catalog->begin_nano &&
           (catalog->end_nano == 0 || start_nano < catalog->end_nano);
}

static enum tk_err
count_trace(void *arg, const struct tk_store_trace *found)
{
    struct count *count = arg;
    const struct tk_batch *trace = found->spans;
    bool matches;
    if (trace->span_count > count->selected_capacity) {
        bool *grown = realloc(count->selected, trace->span_count * sizeof *grown);
        if (grown == NULL)
            return TK_ERR_MEMORY;
        count->selected = grown;
        count->selected_capacity = trace->span_count;
    }
    enum tk_err result = tk_query_select(count->catalog->query, trace, count->selected, &matches);
    for (uint32_t row = 0; row < trace->span_count && result == TK_OK; row++) {
        if (count->selected[row] && is_in_range(count->catalog, trace->start_nano[row]))
            result = count->add_span(count, trace, row);
    }
    return result;
}

/* Is it the query that chooses every span? */
static bool
is_everything(const struct tk_query *query)
{
    return query->root->type == TK_QL_NODE_SPANSET && query->root->child == NULL;
}

static bool
is_expired(void *arg)
{
    const struct tk_catalog *catalog = arg;
    return catalog->deadline_nano != 0 &&
           catalog->env->mono_nano(catalog->env) > catalog->deadline_nano;
}

static struct tk_store_range
range_of(const struct tk_catalog *catalog)
{
    return (struct tk_store_range){
        .begin_nano = catalog->begin_nano,
        .end_nano = catalog->end_nano,
        .expired = is_expired,
        .expired_arg = (void *)(uintptr_t)catalog,
    };
}

/* A trace may begin before the spans that count: so the search has no beginning. */
static enum tk_err
read_spans(struct count *count, struct tk_error *err)
{
    const struct tk_catalog *catalog = count->catalog;
    struct tk_search search = {
        .query = catalog->query,
        .end_nano = catalog->end_nano,
        .lean = count->lean,
        .env = catalog->env,
        .deadline_nano = catalog->deadline_nano,
        .memory = catalog->memory,
        .each = count_trace,
        .arg = count,
    };
    struct tk_cursor last;
    bool more;
    return tk_search_run(catalog->view, &search, &last, &more, err);
}

static enum tk_err
run(struct count *count, struct tk_error *err)
{
    struct tk_store_range range = range_of(count->catalog);
    range.details = count->details;
    tk_intern_init(&count->names, ENTRIES_MAX);
    tk_buf_init(&count->name, SIZE_MAX / 2); /* names are of spans, which the store bounds */
    enum tk_err result = is_everything(count->catalog->query) ? count->ask_store(count, &range, err)
                                                              : read_spans(count, err);
    if (count->too_many)
        return tk_error_set(err, TK_ERR_LIMIT,
                            "too many different ones to count; narrow it by prefix or q");
    if (result == TK_ERR_TIMEOUT)
        return tk_error_set(err, result, "counting took too long; ask for a shorter span of time");
    return result;
}

static void
forget_counters(struct count *count)
{
    for (uint32_t i = 0; i < count->names.count && i < count->capacity; i++)
        tk_quantiles_release(&count->counters[i].durations);
    tk_intern_clear(&count->names);
}

static void
release(struct count *count)
{
    forget_counters(count);
    free(count->counters);
    free(count->selected);
    tk_buf_release(&count->name);
    tk_intern_release(&count->names);
}

/* ---- services ---- */

static enum tk_err
add_to_service(struct count *count, tk_str service, uint64_t span_count, uint64_t error_count,
               uint64_t last_nano)
{
    struct counter *counter;
    begin_name(count);
    tk_buf_append(&count->name, service);
    enum tk_err result = find_counter(count, &counter);
    if (result != TK_OK)
        return result;
    counter->span_count += span_count;
    counter->error_count += error_count;
    if (last_nano > counter->last_seen_nano)
        counter->last_seen_nano = last_nano;
    return TK_OK;
}

static enum tk_err
add_service_of_span(struct count *count, const struct tk_batch *trace, uint32_t row)
{
    return add_to_service(count, tk_batch_service(trace, row), 1,
                          trace->status[row] == TK_STATUS_ERROR, trace->end_nano[row]);
}

static enum tk_err
add_service(void *arg, tk_str service, tk_str name, int32_t kind,
            const struct tk_store_count *found)
{
    (void)name;
    (void)kind;
    return add_to_service(arg, service, found->span_count, found->error_count, found->last_nano);
}

static enum tk_err
ask_for_services(struct count *count, const struct tk_store_range *range, struct tk_error *err)
{
    return tk_store_operations(count->catalog->view, range, add_service, count, err);
}

static int
compare_services(const void *a, const void *b)
{
    const struct tk_service_entry *x = a, *y = b;
    return tk_str_cmp(x->name, y->name);
}

enum tk_err
tk_catalog_services(const struct tk_catalog *catalog, struct tk_service_entry **ret_entries,
                    size_t *ret_count, struct tk_error *err)
{
    struct count count = {.catalog = catalog,
                          .add_span = add_service_of_span,
                          .ask_store = ask_for_services,
                          .details = TK_COUNT_LAST,
                          .lean = true};
    struct tk_service_entry *entries;
    enum tk_err result = run(&count, err);
    if (result != TK_OK)
        goto out;
    entries = tk_arena_alloc(catalog->arena, count.names.count * sizeof *entries);
    if (entries == NULL) {
        result = TK_ERR_MEMORY;
        goto out;
    }
    for (uint32_t i = 0; i < count.names.count; i++) {
        const struct counter *counter = &count.counters[i];
        entries[i] = (struct tk_service_entry){count.names.strings[i], counter->span_count,
                                               counter->error_count, counter->last_seen_nano};
    }
    qsort(entries, count.names.count, sizeof *entries, compare_services);
    *ret_entries = entries;
    *ret_count = count.names.count;
out:
    release(&count);
    return result;
}

/* ---- operations ---- */

/* The counter of an operation of the service that is asked for. */
static enum tk_err
find_operation(struct count *count, tk_str name, int32_t kind, struct counter **ret_counter)
{
    begin_name(count);
    tk_buf_append(&count->name, (tk_str){(const char *)&kind, sizeof kind});
    tk_buf_append(&count->name, name);
    return find_counter(count, ret_counter);
}

static enum tk_err
add_operation_of_span(struct count *count, const struct tk_batch *trace, uint32_t row)
{
    struct counter *counter;
    if (!tk_str_eq(tk_batch_service(trace, row), count->service))
        return TK_OK;
    enum tk_err result = find_operation(count, trace->name[row], trace->kind[row], &counter);
    if (result != TK_OK)
        return result;
    counter->span_count++;
    counter->error_count += trace->status[row] == TK_STATUS_ERROR;
    return tk_quantiles_add(&counter->durations, trace->end_nano[row] - trace->start_nano[row]);
}

static enum tk_err
add_operation(void *arg, tk_str service, tk_str name, int32_t kind,
              const struct tk_store_count *found)
{
    struct count *count = arg;
    struct counter *counter;
    if (!tk_str_eq(service, count->service))
        return TK_OK;
    enum tk_err result = find_operation(count, name, kind, &counter);
    if (result != TK_OK)
        return result;
    counter->span_count += found->span_count;
    counter->error_count += found->error_count;
    return tk_quantiles_merge(&counter->durations, found->durations);
}

/* The traces in which the service has a part; a span may have none by leaving its name out. */
static enum tk_err
read_service(struct count *count, struct tk_error *err)
{
    const struct tk_catalog *catalog = count->catalog;
    struct tk_filter filter = {
        .type = TK_FILTER_TEST,
        .field = TK_FIELD_ATTRIBUTE,
        .owners = TK_OWNER_RESOURCE,
        .key = TK_STR("service.name"),
        .op = TK_FILTER_EQ,
        .value = {.type = TK_VALUE_STRING,
                  .len = (uint32_t)count->service.len,
                  .ptr = count->service.ptr},
    };
    const struct tk_filter *filters[] = {&filter};
    struct tk_store_range range = range_of(catalog);
    range.begin_nano = 0;
    range.want.lean = true;
    range.filters = filters;
    range.filter_count = !tk_str_eq(count->service, TK_STR("unknown_service"));
    struct tk_store_scan *scan;
    struct tk_store_trace trace;
    enum tk_err result = tk_store_scan_open(catalog->view, &range, &scan, err);
    if (result != TK_OK)
        return result;
    while (result == TK_OK) {
        if (is_expired(range.expired_arg))
            result = TK_ERR_TIMEOUT;
        else
            result = tk_store_scan_next(scan, &trace, err);
        for (uint32_t row = 0; result == TK_OK && row < trace.spans->span_count; row++)
            if (is_in_range(catalog, trace.spans->start_nano[row]))
                result = add_operation_of_span(count, trace.spans, row);
    }
    tk_store_scan_close(scan);
    return result == TK_ERR_END ? TK_OK : result;
}

/* A service of few spans is read, for the sake of exact quantiles. */
static enum tk_err
ask_for_operations(struct count *count, const struct tk_store_range *range, struct tk_error *err)
{
    uint64_t span_count = 0;
    enum tk_err result =
        tk_store_operations(count->catalog->view, range, add_operation, count, err);
    if (result != TK_OK)
        return result;
    for (uint32_t i = 0; i < count->names.count; i++)
        span_count += count->counters[i].span_count;
    if (span_count > TK_QUANTILES_EXACT || span_count == 0)
        return TK_OK;
    forget_counters(count);
    return read_service(count, err);
}

static int
compare_operations(const void *a, const void *b)
{
    const struct tk_operation_entry *x = a, *y = b;
    int order = tk_str_cmp(x->name, y->name);
    return order != 0 ? order : (x->kind > y->kind) - (x->kind < y->kind);
}

enum tk_err
tk_catalog_operations(const struct tk_catalog *catalog, tk_str service,
                      struct tk_operation_entry **ret_entries, size_t *ret_count,
                      struct tk_error *err)
{
    struct count count = {.catalog = catalog,
                          .add_span = add_operation_of_span,
                          .ask_store = ask_for_operations,
                          .details = TK_COUNT_NAMES | TK_COUNT_DURATIONS,
                          .lean = true,
                          .service = service};
    struct tk_operation_entry *entries;
    enum tk_err result = run(&count, err);
    if (result != TK_OK)
        goto out;
    entries = tk_arena_zalloc(catalog->arena, count.names.count, sizeof *entries);
    if (entries == NULL) {
        result = TK_ERR_MEMORY;
        goto out;
    }
    for (uint32_t i = 0; i < count.names.count; i++) {
        tk_str name = count.names.strings[i];
        struct counter *counter = &count.counters[i];
        memcpy(&entries[i].kind, name.ptr, sizeof entries[i].kind);
        entries[i].name = (tk_str){name.ptr + sizeof(int32_t), name.len - sizeof(int32_t)};
        entries[i].span_count = counter->span_count;
        entries[i].error_count = counter->error_count;
        entries[i].p50_nano = tk_quantiles_get(&counter->durations, 50);
        entries[i].p95_nano = tk_quantiles_get(&counter->durations, 95);
        entries[i].p99_nano = tk_quantiles_get(&counter->durations, 99);
    }
    qsort(entries, count.names.count, sizeof *entries, compare_operations);
    *ret_entries = entries;
    *ret_count = count.names.count;
out:
    release(&count);
    return result;
}

/* ---- tags ---- */

static enum tk_tag_scope
scope_of(enum tk_owner owner)
{
    switch (owner) {
    case TK_OWNER_SPAN:
        return TK_TAG_SPAN;
    case TK_OWNER_RESOURCE:
        return TK_TAG_RESOURCE;
    case TK_OWNER_SCOPE:
        return TK_TAG_INSTRUMENTATION;
    case TK_OWNER_EVENT:
        return TK_TAG_EVENT;
    case TK_OWNER_LINK:
        return TK_TAG_LINK;
    }
    TK_ASSERT(false);
    return TK_TAG_SPAN;
}

static enum tk_err
add_tag(void *arg, enum tk_owner owner, tk_str key, enum tk_value_type type)
{
    struct count *count = arg;
    struct counter *counter;
    if (!tk_str_starts_with(key, count->prefix))
        return TK_OK;
    begin_name(count);
    tk_buf_append_char(&count->name, (char)scope_of(owner));
    tk_buf_append_char(&count->name, (char)type);
    tk_buf_append(&count->name, key);
    enum tk_err result = find_counter(count, &counter);
    /* the store is told no deadline, and may have many rows to read */
    if (result == TK_OK && ++counter->span_count % 1024 == 0 &&
        is_expired((void *)(uintptr_t)count->catalog))
        result = TK_ERR_TIMEOUT;
    return result;
}

static enum tk_err
add_tags_of_span(struct count *count, const struct tk_batch *trace, uint32_t row)
{
    return tk_count_row_keys(trace, row, add_tag, count);
}

static enum tk_err
ask_for_tags(struct count *count, const struct tk_store_range *range, struct tk_error *err)
{
    (void)range;
    return tk_store_keys(count->catalog->view, add_tag, count, err);
}

static int
compare_tags(const void *a, const void *b)
{
    const struct tk_tag_entry *x = a, *y = b;
    int order = tk_str_cmp(x->key, y->key);
    if (order != 0)
        return order;
    if (x->scope != y->scope)
        return x->scope < y->scope ? -1 : 1;
    return (x->type > y->type) - (x->type < y->type);
}

enum tk_err
tk_catalog_tags(const struct tk_catalog *catalog, tk_str prefix, struct tk_tag_entry **ret_entries,
                size_t *ret_count, struct tk_error *err)
{
    struct count count = {.catalog = catalog,
                          .add_span = add_tags_of_span,
                          .ask_store = ask_for_tags,
                          .prefix = prefix};
    struct tk_tag_entry *entries;
    enum tk_err result = run(&count, err);
    if (result != TK_OK)
        goto out;
    entries = tk_arena_alloc(catalog->arena, count.names.count * sizeof *entries);
    if (entries == NULL) {
        result = TK_ERR_MEMORY;
        goto out;
    }
    for (uint32_t i = 0; i < count.names.count; i++) {
        tk_str name = count.names.strings[i];
        entries[i] = (struct tk_tag_entry){{name.ptr + 2, name.len - 2},
                                           (enum tk_tag_scope)name.ptr[0],
                                           (enum tk_value_type)name.ptr[1]};
    }
    qsort(entries, count.names.count, sizeof *entries, compare_tags);
    *ret_entries = entries;
    *ret_count = count.names.count;
out:
    release(&count);
    return result;
}

/* ---- values ---- */

static bool
begins_with(struct tk_value value, tk_str prefix)
{
    char text[32] = "";
    if (prefix.len == 0)
        return true;
    if (value.type == TK_VALUE_STRING)
        return tk_str_starts_with(tk_value_str(value), prefix);
    if (value.type == TK_VALUE_INT)
        (void)snprintf(text, sizeof text, "%lld", (long long)value.i);
    else if (value.type == TK_VALUE_DOUBLE)
        (void)snprintf(text, sizeof text, "%.15g", value.d);
    else
        (void)snprintf(text, sizeof text, "%s", value.b ? "true" : "false");
    return tk_str_starts_with(tk_str_from(text), prefix);
}

static enum tk_err
add_value(void *arg, struct tk_value value, const struct tk_store_count *found)
{
    struct count *count = arg;
    struct counter *counter;
    if (!begins_with(value, count->prefix))
        return TK_OK;
    begin_name(count);
    tk_buf_append_char(&count->name, (char)value.type);
    if (value.type == TK_VALUE_STRING)
        tk_buf_append(&count->name, tk_value_str(value));
    else if (value.type == TK_VALUE_BOOL)
        tk_buf_append_char(&count->name, (char)value.b);
    else
        tk_buf_append(&count->name, (tk_str){(const char *)&value.i, sizeof value.i});
    enum tk_err result = find_counter(count, &counter);
    if (result == TK_OK) {
        counter->span_count += found->span_count;
        counter->error_count += found->error_count;
    }
    return result;
}

static enum tk_err
add_values_of_span(struct count *count, const struct tk_batch *trace, uint32_t row)
{
    enum tk_err result = TK_OK;
    for (size_t k = 0; k < count->key_count && result == TK_OK; k++) {
        struct tk_count_values values = {
            .owners = ALL_OWNERS,
            .key = count->keys[k],
            .prefix = TK_STR(""),
            .each = add_value,
            .arg = count,
        };
        result = tk_count_row_values(&values, trace, row);
        tk_count_values_release(&values);
    }
    return result;
}

static enum tk_err
ask_for_values(struct count *count, const struct tk_store_range *range, struct tk_error *err)
{
    enum tk_err result = TK_OK;
    for (size_t k = 0; k < count->key_count && result == TK_OK; k++)
        result = tk_store_values(count->catalog->view, ALL_OWNERS, count->keys[k], count->prefix,
                                 range, add_value, count, err);
    return result;
}

static struct tk_value
value_of_name(tk_str name)
{
    struct tk_value value = {.type = (uint8_t)name.ptr[0]};
    if (value.type == TK_VALUE_STRING) {
        value.ptr = name.ptr + 1;
        value.len = (uint32_t)(name.len - 1);
    } else if (value.type == TK_VALUE_BOOL) {
        value.b = name.ptr[1] != 0;
    } else {
        TK_ASSERT(name.len == 1 + sizeof value.i);
        memcpy(&value.i, name.ptr + 1, sizeof value.i);
    }
    return value;
}

static int
compare_values(const void *a, const void *b)
{
    const struct tk_tag_value_entry *x = a, *y = b;
    if (x->count != y->count)
        return x->count > y->count ? -1 : 1;
    if (x->value.type != y->value.type)
        return x->value.type < y->value.type ? -1 : 1;
    if (x->value.type == TK_VALUE_STRING)
        return tk_str_cmp(tk_value_str(x->value), tk_value_str(y->value));
    if (x->value.type == TK_VALUE_DOUBLE)
        return (x->value.d > y->value.d) - (x->value.d < y->value.d);
    if (x->value.type == TK_VALUE_BOOL)
        return (int)x->value.b - (int)y->value.b;
    return (x->value.i > y->value.i) - (x->value.i < y->value.i);
}

enum tk_err
tk_catalog_values(const struct tk_catalog *catalog, tk_str key, tk_str prefix,
                  struct tk_tag_value_entry **ret_entries, size_t *ret_count, struct tk_error *err)
{
    struct count count = {.catalog = catalog,
                          .add_span = add_values_of_span,
                          .ask_store = ask_for_values,
                          .prefix = prefix};
    struct tk_tag_value_entry *entries;
    count.key_count = tk_semconv_names(key, count.keys);
    enum tk_err result = run(&count, err);
    if (result != TK_OK)
        goto out;
    entries = tk_arena_alloc(catalog->arena, count.names.count * sizeof *entries);
    if (entries == NULL) {
        result = TK_ERR_MEMORY;
        goto out;
    }
    for (uint32_t i = 0; i < count.names.count; i++)
        entries[i] = (struct tk_tag_value_entry){value_of_name(count.names.strings[i]),
                                                 count.counters[i].span_count,
                                                 count.counters[i].error_count};
    qsort(entries, count.names.count, sizeof *entries, compare_values);
    *ret_entries = entries;
    *ret_count = count.names.count;
out:
    release(&count);
    return result;
}
