/*
 * count - see count.h.
 *
 * A span counts by its own start, a scan goes by that of the trace, which is the earliest of its
 * spans: so a scan for what begins in a range has an end but no beginning.
 */
#include "store/count.h"

/* One span, as it counts. */
static enum tk_err
count_of(const struct tk_batch *batch, uint32_t row, uint32_t step, struct tk_histogram *duration,
         struct tk_store_count *ret_count)
{
    *ret_count = (struct tk_store_count){
        .span_count = 1,
        .error_count = batch->status[row] == TK_STATUS_ERROR,
        .last_nano = batch->end_nano[row],
        .durations = duration,
        .step = step,
    };
    if (duration == NULL)
        return TK_OK;
    tk_histogram_clear(duration);
    return tk_histogram_add(duration,
                            tk_histogram_bucket(batch->end_nano[row] - batch->start_nano[row]), 1);
}

/* ---- operations ---- */

static enum tk_err
count_operation(struct tk_count_rows *rows, const struct tk_batch *batch, uint32_t row,
                uint32_t step)
{
    struct tk_store_count count;
    bool durations = (rows->range->details & TK_COUNT_DURATIONS) != 0;
    enum tk_err code = count_of(batch, row, step, durations ? &rows->_duration : NULL, &count);
    return code == TK_OK ? rows->operation(rows->arg, tk_batch_service(batch, row),
                                           batch->name[row], batch->kind[row], &count)
                         : code;
}

/* ---- keys ---- */

typedef enum tk_err each_key(void *arg, enum tk_owner owner, tk_str key, enum tk_value_type type);

enum tk_err
tk_count_keys_of(const struct tk_batch *batch, enum tk_owner owner, struct tk_range attrs,
                 each_key *each, void *arg)
{
    enum tk_err code = TK_OK;
    for (uint32_t i = attrs.begin; i < attrs.begin + attrs.count && code == TK_OK; i++)
        code = each(arg, owner, batch->keys.strings[batch->attr_key[i]],
                    (enum tk_value_type)batch->attr_value[i].type);
    return code;
}

enum tk_err
tk_count_row_keys(const struct tk_batch *b, uint32_t row, each_key *each, void *arg)
{
    const struct tk_event *event = b->event + b->events[row].begin;
    const struct tk_link *link = b->link + b->links[row].begin;
    enum tk_err code = tk_count_keys_of(b, TK_OWNER_SPAN, b->attrs[row], each, arg);
    if (code == TK_OK)
        code =
            tk_count_keys_of(b, TK_OWNER_RESOURCE, b->resources[b->resource[row]].attrs, each, arg);
    if (code == TK_OK)
        code = tk_count_keys_of(b, TK_OWNER_SCOPE, b->scopes[b->scope[row]].attrs, each, arg);
    for (uint32_t i = 0; i < b->events[row].count && code == TK_OK; i++)
        code = tk_count_keys_of(b, TK_OWNER_EVENT, event[i].attrs, each, arg);
    for (uint32_t i = 0; i < b->links[row].count && code == TK_OK; i++)
        code = tk_count_keys_of(b, TK_OWNER_LINK, link[i].attrs, each, arg);
    return code;
}

/* ---- values ---- */

void
tk_count_values_release(struct tk_count_values *values)
{
    tk_histogram_release(&values->_duration);
    for (size_t i = 0; i < sizeof values->_seen / sizeof *values->_seen; i++)
        tk_intern_release(&values->_seen[i]);
}

bool
tk_count_is_value(const struct tk_count_values *values, const struct tk_value *value)
{
    if (value->type == TK_VALUE_STRING)
        return tk_str_starts_with(tk_value_str(*value), values->prefix);
    return value->type > TK_VALUE_STRING && value->type <= TK_VALUE_DOUBLE;
}

/* Has the row at hand had this value already?  Remembers it. */
static enum tk_err
is_new(struct tk_count_values *values, const struct tk_value *value, bool *ret_new)
{
    struct tk_intern *seen = &values->_seen[value->type];
    tk_str bytes = value->type == TK_VALUE_STRING ? tk_value_str(*value)
                   : value->type == TK_VALUE_BOOL ? (tk_str){(const char *)&value->b, 1}
                                                  : (tk_str){(const char *)&value->i, 8};
    uint32_t number, before = seen->count;
    seen->limit = TK_BATCH_ELEMENTS_MAX;
    enum tk_err code = tk_intern_add(seen, bytes, &number);
    *ret_new = code == TK_OK && number == before;
    return code;
}

/* Every value of the key there; `several`: what comes twice counts once. */
static enum tk_err
count_values_of(struct tk_count_values *values, const struct tk_batch *batch, struct tk_range attrs,
                bool several, const struct tk_store_count *count)
{
    enum tk_err code = TK_OK;
    for (uint32_t i = attrs.begin; i < attrs.begin + attrs.count && code == TK_OK; i++) {
        const struct tk_value *value = &batch->attr_value[i];
        bool counts = tk_str_eq(batch->keys.strings[batch->attr_key[i]], values->key) &&
                      tk_count_is_value(values, value);
        if (counts && several)
            code = is_new(values, value, &counts);
        if (counts && code == TK_OK)
            code = values->each(values->arg, *value, count);
    }
    return code;
}

static void
forget_seen(struct tk_count_values *values)
{
    for (size_t i = 0; i < sizeof values->_seen / sizeof *values->_seen; i++)
        if (values->_seen[i].count > 0)
            tk_intern_clear(&values->_seen[i]);
}

static enum tk_err
count_values_of_events(struct tk_count_values *values, const struct tk_batch *b, uint32_t row,
                       const struct tk_store_count *count)
{
    enum tk_err code = TK_OK;
    for (uint32_t i = 0; i < b->events[row].count && code == TK_OK; i++)
        code = count_values_of(values, b, b->event[b->events[row].begin + i].attrs, true, count);
    forget_seen(values);
    return code;
}

static enum tk_err
count_values_of_links(struct tk_count_values *values, const struct tk_batch *b, uint32_t row,
                      const struct tk_store_count *count)
{
    enum tk_err code = TK_OK;
    for (uint32_t i = 0; i < b->links[row].count && code == TK_OK; i++)
        code = count_values_of(values, b, b->link[b->links[row].begin + i].attrs, true, count);
    forget_seen(values);
    return code;
}

enum tk_err
tk_count_row_values(struct tk_count_values *values, const struct tk_batch *b, uint32_t row)
{
    struct tk_store_count count;
    struct tk_range none = {0, 0};
    unsigned owners = values->owners;
    enum tk_err code =
        count_of(b, row, values->_step, values->want_durations ? &values->_duration : NULL, &count);
    struct tk_range attrs[] = {
        owners & TK_OWNER_SPAN ? b->attrs[row] : none,
        owners & TK_OWNER_RESOURCE ? b->resources[b->resource[row]].attrs : none,
        owners & TK_OWNER_SCOPE ? b->scopes[b->scope[row]].attrs : none,
    };
    for (size_t i = 0; i < sizeof attrs / sizeof *attrs && code == TK_OK; i++)
        code = count_values_of(values, b, attrs[i], false, &count);
    if (code == TK_OK && (owners & TK_OWNER_EVENT))
        code = count_values_of_events(values, b, row, &count);
    if (code == TK_OK && (owners & TK_OWNER_LINK))
        code = count_values_of_links(values, b, row, &count);
    return code;
}

/* ---- many rows ---- */

void
tk_count_rows_release(struct tk_count_rows *rows)
{
    tk_histogram_release(&rows->_duration);
}

static enum tk_err
count_row(struct tk_count_rows *rows, const struct tk_batch *batch, uint32_t row)
{
    uint32_t step = tk_count_step(rows->range, batch->start_nano[row]);
    if (rows->operation != NULL)
        return count_operation(rows, batch, row, step);
    if (rows->key != NULL)
        return tk_count_row_keys(batch, row, rows->key, rows->arg);
    rows->values->_step = step;
    return tk_count_row_values(rows->values, batch, row);
}

enum tk_err
tk_count_batch(struct tk_count_rows *rows, const struct tk_batch *batch)
{
    const struct tk_store_range *range = rows->range;
    enum tk_err code = TK_OK;
    for (uint32_t row = 0; row < batch->span_count && code == TK_OK; row++) {
        uint64_t start = batch->start_nano[row];
        if (tk_count_is_within(range, start) &&
            (rows->is_counted == NULL || !rows->is_counted(rows->is_counted_arg, batch, row)))
            code = count_row(rows, batch, row);
    }
    return code;
}

enum tk_err
tk_count_go_on(const struct tk_store_range *range, struct tk_error *err)
{
    bool expired = range->expired != NULL && range->expired(range->expired_arg);
    return expired ? tk_error_set(err, TK_ERR_TIMEOUT, "counting took too long") : TK_OK;
}

struct tk_store_want
tk_count_want(const struct tk_count_rows *rows)
{
    const struct tk_count_values *values = rows->values;
    if (rows->key != NULL)
        return (struct tk_store_want){.lean = false};
    if (values == NULL)
        return (struct tk_store_want){.lean = true};
    return (struct tk_store_want){
        .lean = (values->owners & (TK_OWNER_EVENT | TK_OWNER_LINK)) == 0,
        .keys = &values->key,
        .key_count = 1,
    };
}

/* Values are only where their key is. */
static struct tk_filter
filter_of(const struct tk_count_values *values)
{
    return (struct tk_filter){
        .type = TK_FILTER_TEST,
        .field = TK_FIELD_ATTRIBUTE,
        .owners = values->owners,
        .key = values->key,
        .op = TK_FILTER_EXISTS,
    };
}

enum tk_err
tk_count_scan(struct tk_count_rows *rows, struct tk_store_view *view, struct tk_error *err)
{
    struct tk_filter filter;
    const struct tk_filter *filters[] = {&filter};
    struct tk_store_range range = {.end_nano = rows->range->end_nano,
                                   .ended_nano = rows->range->begin_nano,
                                   .want = tk_count_want(rows),
                                   .expired = rows->range->expired,
                                   .expired_arg = rows->range->expired_arg};
    struct tk_store_scan *scan;
    struct tk_store_trace trace;
    if (rows->values != NULL) {
        filter = filter_of(rows->values);
        range.filters = filters;
        range.filter_count = 1;
    }
    enum tk_err code = tk_store_scan_open(view, &range, &scan, err);
    if (code != TK_OK)
        return code;
    while (code == TK_OK) {
        code = tk_count_go_on(rows->range, err);
        if (code == TK_OK)
            code = tk_store_scan_next(scan, &trace, err);
        if (code == TK_OK)
            code = tk_count_batch(rows, trace.spans);
    }
    tk_store_scan_close(scan);
    return code == TK_ERR_END ? TK_OK : code;
}

enum tk_err
tk_count_operations(struct tk_store_view *view, const struct tk_store_range *range,
                    enum tk_err (*each)(void *arg, tk_str service, tk_str name, int32_t kind,
                                        const struct tk_store_count *count),
                    void *arg, struct tk_error *err)
{
    struct tk_count_rows rows = {.range = range, .operation = each, .arg = arg};
    enum tk_err code = tk_count_scan(&rows, view, err);
    tk_count_rows_release(&rows);
    return code;
}

enum tk_err
tk_count_keys(struct tk_store_view *view, each_key *each, void *arg, struct tk_error *err)
{
    static const struct tk_store_range everything = {0};
    struct tk_count_rows rows = {.range = &everything, .key = each, .arg = arg};
    return tk_count_scan(&rows, view, err);
}

enum tk_err
tk_count_values(struct tk_store_view *view, const struct tk_store_range *range,
                struct tk_count_values *values, struct tk_error *err)
{
    struct tk_count_rows rows = {.range = range, .values = values};
    return tk_count_scan(&rows, view, err);
}
