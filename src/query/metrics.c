/*
 * metrics - see metrics.h.
 *
 * Three steps: numbers are gathered by group and step, from the store's counts (metrics_count.c) or
 * span by span (here); then they become series (metrics_series.c).
 */
#include "query/eval.h"
#include "query/metrics_int.h"
#include "query/parser.h"

#include <math.h>
#include <stdlib.h>

static bool
is_expired(void *arg)
{
    const struct tk_metrics_ask *ask = arg;
    return ask->deadline_nano != 0 && ask->env->mono_nano(ask->env) > ask->deadline_nano;
}

/* ---- by ---- */

static struct tk_ql_parser
new_parser(struct tk_query *query, tk_str text, struct tk_query_error *error)
{
    return (struct tk_ql_parser){
        .query = query,
        .error = error,
        .lexer = {.text = text, .arena = query->arena, .error = error},
    };
}

/* `service` as in shorthand. */
static enum tk_err
parse_service(struct tk_query *query, struct tk_query_error *error, struct tk_ql_node **ret_node)
{
    struct tk_ql_parser parser = new_parser(query, TK_STR("resource.service.name"), error);
    enum tk_err result = tk_ql_advance(&parser);
    return result == TK_OK ? tk_ql_parse_field(&parser, ret_node) : result;
}

enum tk_err
tk_metrics_by(struct tk_query *query, tk_str by, struct tk_query_error *ret_error)
{
    struct tk_ql_parser parser = new_parser(query, by, ret_error);
    struct tk_ql_node **link = &query->by;
    *ret_error = (struct tk_query_error){.position = 0};
    enum tk_err result = tk_ql_advance(&parser);
    for (size_t count = 0; result == TK_OK && parser.token.type != TK_QL_TOKEN_END; count++) {
        if (count == TK_QL_BY_MAX)
            return tk_ql_unexpected(&parser, "fewer keys to group by");
        if (tk_str_eq(parser.token.raw, TK_STR("service"))) {
            if ((result = parse_service(query, ret_error, link)) == TK_OK)
                result = tk_ql_advance(&parser);
        } else {
            result = tk_ql_parse_field(&parser, link);
        }
        if (result != TK_OK || parser.token.type == TK_QL_TOKEN_END)
            return result;
        link = &(*link)->next;
        result = tk_ql_take(&parser, TK_QL_TOKEN_COMMA, ", or nothing more");
    }
    return result;
}

/* ---- groups ---- */

static void
append_value(struct tk_buf *key, const struct tk_ql_value *value)
{
    struct tk_value plain = tk_ql_plain(value);
    tk_buf_append_char(key, (char)plain.type);
    if (plain.type == TK_VALUE_STRING) {
        tk_buf_append(key, (tk_str){(const char *)&plain.len, sizeof plain.len});
        tk_buf_append(key, tk_value_str(plain));
    } else if (plain.type == TK_VALUE_BOOL) {
        tk_buf_append_char(key, (char)plain.b);
    } else if (plain.type == TK_VALUE_INT || plain.type == TK_VALUE_DOUBLE) {
        tk_buf_append(key, (tk_str){(const char *)&plain.i, sizeof plain.i});
    }
}

static enum tk_err
copy_labels(struct tk_gather *gather, const struct tk_ql_value *values,
            const struct tk_field **ret_labels)
{
    struct tk_field *labels = tk_arena_zalloc(gather->ask->arena, gather->by_count + 1,
                                              sizeof *labels); /* + 1: a quantile */
    if (labels == NULL)
        return TK_ERR_LIMIT;
    for (size_t i = 0; i < gather->by_count; i++) {
        labels[i].name = gather->by[i]->text;
        labels[i].value = tk_ql_plain(&values[i]);
        labels[i].nano = values[i].type == TK_QL_DURATION;
        if (labels[i].value.type != TK_VALUE_STRING)
            continue;
        tk_str text = tk_arena_copy(gather->ask->arena, tk_value_str(labels[i].value));
        if (text.ptr == NULL)
            return TK_ERR_LIMIT;
        labels[i].value.ptr = text.ptr;
    }
    *ret_labels = labels;
    return TK_OK;
}

enum tk_err
tk_gather_group(struct tk_gather *gather, const struct tk_ql_value *values,
                struct tk_cells **ret_cells)
{
    struct tk_arena *arena = gather->ask->arena;
    uint32_t number, known = gather->keys.count;
    tk_buf_clear(&gather->key);
    for (size_t i = 0; i < gather->by_count; i++)
        append_value(&gather->key, &values[i]);
    *ret_cells = NULL;
    if (gather->key.status != TK_OK)
        return gather->key.status;
    tk_str key = gather->key.len > 0 ? tk_buf_str(&gather->key) : TK_STR("");
    if (known == TK_METRICS_GROUPS_MAX) {
        if (tk_intern_find(&gather->keys, key, &number))
            *ret_cells = &gather->groups[number];
        return TK_OK;
    }
    if (tk_intern_copy(&gather->keys, arena, key, &number) != TK_OK)
        return TK_ERR_LIMIT;
    struct tk_cells *cells = &gather->groups[number];
    if (number == known) {
        enum tk_err result = copy_labels(gather, values, &cells->labels);
        if (result != TK_OK)
            return result;
        cells->cell = tk_arena_zalloc(arena, gather->step_count, sizeof *cells->cell);
        if (cells->cell == NULL)
            return TK_ERR_LIMIT;
    }
    *ret_cells = cells;
    return TK_OK;
}

/* After something was added: what the histogram has grown by is paid from the budget. */
static enum tk_err
pay(struct tk_gather *gather, const struct tk_histogram *histogram, uint32_t capacity_before)
{
    gather->histogram_bytes +=
        (histogram->_capacity - capacity_before) * sizeof *histogram->_buckets;
    return gather->histogram_bytes + gather->ask->arena->used > gather->ask->memory ? TK_ERR_LIMIT
                                                                                    : TK_OK;
}

enum tk_err
tk_gather_counted(struct tk_gather *gather, struct tk_cell *cell,
                  const struct tk_store_count *count)
{
    uint32_t capacity = cell->above._capacity;
    cell->count += count->span_count;
    cell->error_count += count->error_count;
    if (!gather->want_histogram || count->durations == NULL)
        return TK_OK;
    enum tk_err result = tk_histogram_merge(&cell->above, count->durations);
    return result == TK_OK ? pay(gather, &cell->above, capacity) : result;
}

/* ---- span by span ---- */

static enum tk_err
add_to_histogram(struct tk_gather *gather, struct tk_cell *cell, double number)
{
    struct tk_histogram *histogram = number < 0 ? &cell->below : &cell->above;
    uint32_t capacity = histogram->_capacity;
    double scaled = fabs(number) * gather->scale;
    uint64_t whole = scaled < 0x1p63 ? (uint64_t)scaled : (uint64_t)1 << 63;
    enum tk_err result = tk_histogram_add(histogram, tk_histogram_bucket(whole), 1);
    return result == TK_OK ? pay(gather, histogram, capacity) : result;
}

static enum tk_err
add_number(struct tk_gather *gather, struct tk_cell *cell, const struct tk_ql_value *value)
{
    double number = value->type == TK_QL_FLOAT ? value->d : (double)value->i;
    if (!tk_ql_is_number(value->type) || isnan(number))
        return TK_OK;
    cell->min = cell->count == 0 || number < cell->min ? number : cell->min;
    cell->max = cell->count == 0 || number > cell->max ? number : cell->max;
    cell->sum += number;
    cell->count++;
    return gather->want_histogram ? add_to_histogram(gather, cell, number) : TK_OK;
}

static enum tk_err
add_span(struct tk_gather *gather, struct tk_eval *eval, struct tk_cell *cell, uint32_t row)
{
    const struct tk_batch *t = eval->trace;
    enum tk_err result = TK_OK;
    if (gather->metrics == NULL || gather->metrics->field == NULL) {
        uint64_t duration = t->end_nano[row] - t->start_nano[row];
        cell->count++;
        cell->error_count += t->status[row] == TK_STATUS_ERROR;
        if (!gather->want_histogram)
            return TK_OK;
        uint32_t capacity = cell->above._capacity;
        result = tk_histogram_add(&cell->above, tk_histogram_bucket(duration), 1);
        return result == TK_OK ? pay(gather, &cell->above, capacity) : result;
    }
    tk_eval_first(eval, gather->metrics->field, row);
    do {
        struct tk_ql_value value = tk_eval_value(eval, gather->metrics->field, row);
        result = add_number(gather, cell, &value);
    } while (result == TK_OK && tk_eval_next(eval, gather->metrics->field, row));
    return result;
}

static enum tk_err
gather_span(struct tk_gather *gather, struct tk_eval *eval, uint32_t row)
{
    struct tk_ql_value values[TK_QL_BY_MAX];
    struct tk_cells *cells;
    uint64_t start = eval->trace->start_nano[row];
    if (start < gather->ask->begin_nano || start >= gather->ask->end_nano)
        return TK_OK;
    for (size_t i = 0; i < gather->by_count; i++) {
        tk_eval_first(eval, gather->by[i], row);
        values[i] = tk_eval_value(eval, gather->by[i], row);
        if (values[i].type == TK_QL_ARRAY || values[i].type == TK_QL_OPAQUE)
            values[i].type = TK_QL_NIL; /* as the store counts them */
    }
    enum tk_err result = eval->status;
    if (result == TK_OK)
        result = tk_gather_group(gather, values, &cells);
    if (result != TK_OK)
        return result;
    if (cells == NULL) {
        gather->spans_left_out++;
        return TK_OK;
    }
    cells->span_count++;
    return add_span(gather, eval,
                    &cells->cell[(start - gather->ask->begin_nano) / gather->ask->step_nano], row);
}

static enum tk_err
gather_trace(void *arg, const struct tk_store_trace *found)
{
    struct tk_gather *gather = arg;
    struct tk_query *query = gather->ask->query;
    const struct tk_batch *trace = found->spans;
    bool matches;
    if (trace->span_count > gather->selected_capacity) {
        bool *grown = realloc(gather->selected, trace->span_count * sizeof *grown);
        if (grown == NULL)
            return TK_ERR_MEMORY;
        gather->selected = grown;
        gather->selected_capacity = trace->span_count;
    }
    enum tk_err result = tk_query_select(query, trace, gather->selected, &matches);
    /* keys are looked up, and memory is clear */
    struct tk_eval eval = {.query = query, .trace = trace};
    for (uint32_t row = 0; row < trace->span_count && result == TK_OK; row++) {
        if (gather->selected[row])
            result = gather_span(gather, &eval, row);
    }
    return result != TK_OK ? result : eval.status;
}

/* A trace may begin before the spans that count, so the search has no beginning. */
static enum tk_err
gather_spans(struct tk_gather *gather, struct tk_error *err)
{
    const struct tk_metrics_ask *ask = gather->ask;
    struct tk_search search = {
        .query = ask->query,
        .end_nano = ask->end_nano,
        .ended_nano = ask->begin_nano,
        .lean = true,
        .env = ask->env,
        .deadline_nano = ask->deadline_nano,
        .memory = ask->memory,
        .each = gather_trace,
        .arg = gather,
    };
    struct tk_cursor last;
    bool more;
    return tk_search_run(ask->view, &search, &last, &more, err);
}

/* ---- running ---- */

static void
begin(struct tk_gather *gather, const struct tk_metrics_ask *ask)
{
    const struct tk_ql_metrics *metrics = ask->query->metrics;
    const struct tk_ql_node *by = metrics != NULL ? metrics->by : ask->query->by;
    gather->ask = ask;
    gather->metrics = metrics;
    for (; by != NULL && gather->by_count < TK_QL_BY_MAX; by = by->next)
        gather->by[gather->by_count++] = by;
    gather->want_histogram = metrics == NULL || metrics->metric == TK_QL_QUANTILE_OVER_TIME ||
                             metrics->metric == TK_QL_HISTOGRAM_OVER_TIME;
    /* what may have a fraction keeps six digits of it */
    gather->scale =
        metrics != NULL && metrics->field != NULL && metrics->field->value_type != TK_QL_DURATION
            ? 1 << 20
            : 1;
    gather->step_count =
        (uint32_t)((ask->end_nano - ask->begin_nano + ask->step_nano - 1) / ask->step_nano);
    tk_intern_init(&gather->keys, TK_METRICS_GROUPS_MAX);
    tk_buf_init(&gather->key, SIZE_MAX / 2); /* values are of spans, which the store bounds */
    tk_query_set_budget(ask->query, ask->memory, is_expired, (void *)(uintptr_t)ask);
}

static void
release(struct tk_gather *gather)
{
    for (uint32_t i = 0; i < gather->keys.count; i++) {
        for (uint32_t step = 0; gather->groups[i].cell != NULL && step < gather->step_count;
             step++) {
            tk_histogram_release(&gather->groups[i].cell[step].above);
            tk_histogram_release(&gather->groups[i].cell[step].below);
        }
    }
    tk_intern_release(&gather->keys);
    tk_buf_release(&gather->key);
    free(gather->selected);
    free(gather);
}

static enum tk_err
explain(const struct tk_metrics_ask *ask, enum tk_err code, struct tk_error *err)
{
    if (code == TK_ERR_TIMEOUT)
        return tk_error_set(err, code,
                            "the time of one query was over; ask for a shorter span of time, or "
                            "for fewer spans");
    if (code == TK_ERR_LIMIT && tk_query_hit(ask->query) == TK_BUDGET_REGEX)
        return tk_error_set(err, code, "a regular expression of the query takes too many steps");
    if (code == TK_ERR_LIMIT)
        return tk_error_set(err, code,
                            "more than the %zu MiB of memory of one query are needed; ask for "
                            "fewer groups, or longer steps",
                            ask->memory >> 20);
    return code;
}

enum tk_err
tk_metrics_run(const struct tk_metrics_ask *ask, struct tk_metrics *ret_metrics,
               struct tk_error *err)
{
    struct tk_gather *gather = calloc(1, sizeof *gather);
    bool done = false;
    if (gather == NULL)
        return TK_ERR_MEMORY;
    begin(gather, ask);
    enum tk_err result = tk_gather_counts(gather, &done, err);
    if (result == TK_OK && !done)
        result = gather_spans(gather, err);
    if (result == TK_OK)
        result = tk_gather_series(gather, ret_metrics);
    release(gather);
    return explain(ask, result, err);
}
