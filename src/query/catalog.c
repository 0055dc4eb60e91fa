/*
 * catalog - see catalog.h.
 *
 * Each of the four lists is a table from a name to an entry with counts.  A name is what makes two
 * things one, written as bytes: a service's name; an operation's kind and name; a tag's scope, type
 * and key; a value's type and bytes.  tk_intern numbers the names, `entries` grows beside it.
 */
#include "query/catalog.h"

#include "base/assert.h"
#include "query/quantiles.h"
#include "trace/semconv.h"

#include <stdio.h>
#include <stdlib.h>

enum { ENTRIES_MAX = 1 << 22 };

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

    enum tk_err (*add_span)(struct count *count, const struct tk_batch *trace, uint32_t row);
    tk_str service, prefix;
    size_t key_count;
    tk_str keys[TK_SEMCONV_NAMES_MAX];
};

/* ---- the table ---- */

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
        if (count->selected[row])
            result = count->add_span(count, trace, row);
    }
    return result;
}

static enum tk_err
run(struct count *count, struct tk_error *err)
{
    const struct tk_catalog *catalog = count->catalog;
    struct tk_search search = {
        .query = catalog->query,
        .env = catalog->env,
        .deadline_nano = catalog->deadline_nano,
        .each = count_trace,
        .arg = count,
    };
    struct tk_cursor last;
    bool more;
    tk_intern_init(&count->names, ENTRIES_MAX);
    tk_buf_init(&count->name, SIZE_MAX / 2); /* names are of spans, which the store bounds */
    enum tk_err result = tk_search_run(catalog->view, &search, &last, &more, err);
    if (count->too_many)
        return tk_error_set(err, TK_ERR_LIMIT,
                            "too many different ones to count; narrow it by prefix or q");
    return result;
}

static void
release(struct count *count)
{
    for (uint32_t i = 0; i < count->names.count && i < count->capacity; i++)
        tk_quantiles_release(&count->counters[i].durations);
    free(count->counters);
    free(count->selected);
    tk_buf_release(&count->name);
    tk_intern_release(&count->names);
}

/* ---- services ---- */

static enum tk_err
add_service(struct count *count, const struct tk_batch *trace, uint32_t row)
{
    struct counter *counter;
    begin_name(count);
    tk_buf_append(&count->name, tk_batch_service(trace, row));
    enum tk_err result = find_counter(count, &counter);
    if (result != TK_OK)
        return result;
    counter->span_count++;
    counter->error_count += trace->status[row] == TK_STATUS_ERROR;
    if (trace->end_nano[row] > counter->last_seen_nano)
        counter->last_seen_nano = trace->end_nano[row];
    return TK_OK;
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
    struct count count = {.catalog = catalog, .add_span = add_service};
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

static enum tk_err
add_operation(struct count *count, const struct tk_batch *trace, uint32_t row)
{
    struct counter *counter;
    if (!tk_str_eq(tk_batch_service(trace, row), count->service))
        return TK_OK;
    begin_name(count);
    tk_buf_append(&count->name, (tk_str){(const char *)&trace->kind[row], sizeof(int32_t)});
    tk_buf_append(&count->name, trace->name[row]);
    enum tk_err result = find_counter(count, &counter);
    if (result != TK_OK)
        return result;
    counter->span_count++;
    counter->error_count += trace->status[row] == TK_STATUS_ERROR;
    return tk_quantiles_add(&counter->durations, trace->end_nano[row] - trace->start_nano[row]);
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
    struct count count = {.catalog = catalog, .add_span = add_operation, .service = service};
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

/* ---- tags and values: every attribute that stands at a span ---- */

static enum tk_err
each_attribute(struct count *count, const struct tk_batch *t, uint32_t row,
               enum tk_err (*each)(struct count *, enum tk_tag_scope, const struct tk_batch *,
                                   struct tk_range))
{
    enum tk_err result = each(count, TK_TAG_SPAN, t, t->attrs[row]);
    if (result == TK_OK)
        result = each(count, TK_TAG_RESOURCE, t, t->resources[t->resource[row]].attrs);
    if (result == TK_OK)
        result = each(count, TK_TAG_INSTRUMENTATION, t, t->scopes[t->scope[row]].attrs);
    for (uint32_t i = 0; i < t->events[row].count && result == TK_OK; i++)
        result = each(count, TK_TAG_EVENT, t, t->event[t->events[row].begin + i].attrs);
    for (uint32_t i = 0; i < t->links[row].count && result == TK_OK; i++)
        result = each(count, TK_TAG_LINK, t, t->link[t->links[row].begin + i].attrs);
    return result;
}

static enum tk_err
add_tags_of(struct count *count, enum tk_tag_scope scope, const struct tk_batch *t,
            struct tk_range range)
{
    enum tk_err result = TK_OK;
    for (uint32_t i = range.begin; i < range.begin + range.count && result == TK_OK; i++) {
        struct counter *counter;
        tk_str key = t->keys.strings[t->attr_key[i]];
        if (!tk_str_starts_with(key, count->prefix))
            continue;
        begin_name(count);
        tk_buf_append_char(&count->name, (char)scope);
        tk_buf_append_char(&count->name, (char)t->attr_value[i].type);
        tk_buf_append(&count->name, key);
        result = find_counter(count, &counter);
    }
    return result;
}

static enum tk_err
add_tags(struct count *count, const struct tk_batch *trace, uint32_t row)
{
    return each_attribute(count, trace, row, add_tags_of);
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
    struct count count = {.catalog = catalog, .add_span = add_tags, .prefix = prefix};
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

static bool
has_bytes(uint8_t type)
{
    return type == TK_VALUE_STRING || type == TK_VALUE_BYTES || type == TK_VALUE_ARRAY ||
           type == TK_VALUE_MAP;
}

static bool
begins_with(const struct tk_value *value, tk_str prefix)
{
    char text[32] = "";
    if (prefix.len == 0)
        return true;
    if (value->type == TK_VALUE_STRING)
        return tk_str_starts_with(tk_value_str(*value), prefix);
    if (value->type == TK_VALUE_INT)
        (void)snprintf(text, sizeof text, "%lld", (long long)value->i);
    else if (value->type == TK_VALUE_DOUBLE)
        (void)snprintf(text, sizeof text, "%.15g", value->d);
    else if (value->type == TK_VALUE_BOOL)
        (void)snprintf(text, sizeof text, "%s", value->b ? "true" : "false");
    return tk_str_starts_with(tk_str_from(text), prefix);
}

static enum tk_err
add_values_of(struct count *count, enum tk_tag_scope scope, const struct tk_batch *t,
              struct tk_range range)
{
    enum tk_err result = TK_OK;
    (void)scope;
    for (size_t k = 0; k < count->key_count && result == TK_OK; k++) {
        struct counter *counter;
        const struct tk_value *value = tk_batch_find_attr(t, range, count->keys[k]);
        if (value == NULL || value->type == TK_VALUE_EMPTY || !begins_with(value, count->prefix))
            continue;
        begin_name(count);
        tk_buf_append_char(&count->name, (char)value->type);
        if (has_bytes(value->type))
            tk_buf_append(&count->name, tk_value_str(*value));
        else if (value->type == TK_VALUE_BOOL)
            tk_buf_append_char(&count->name, (char)value->b);
        else
            tk_buf_append(&count->name, (tk_str){(const char *)&value->i, sizeof value->i});
        result = find_counter(count, &counter);
        if (result == TK_OK)
            counter->span_count++;
    }
    return result;
}

static enum tk_err
add_values(struct count *count, const struct tk_batch *trace, uint32_t row)
{
    return each_attribute(count, trace, row, add_values_of);
}

static struct tk_value
value_of_name(tk_str name)
{
    struct tk_value value = {.type = (uint8_t)name.ptr[0]};
    if (has_bytes(value.type)) {
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
    if (has_bytes(x->value.type))
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
    struct count count = {.catalog = catalog, .add_span = add_values, .prefix = prefix};
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
                                                 count.counters[i].span_count};
    qsort(entries, count.names.count, sizeof *entries, compare_values);
    *ret_entries = entries;
    *ret_count = count.names.count;
out:
    release(&count);
    return result;
}
