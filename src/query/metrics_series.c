/* metrics_series - from numbers by group and step to series. */
#include "query/metrics_int.h"

#include <math.h>
#include <stdlib.h>

struct maker {
    struct tk_gather *gather;
    struct tk_metrics *metrics;
};

/* ---- one number ---- */

static double
seconds_of(const struct tk_gather *gather, uint32_t step)
{
    return (double)(tk_step_end(gather, step) - tk_step_begin(gather, step)) / 1e9;
}

/* The smallest number that `share` of all do not exceed; negative ones are the first. */
static double
quantile_of(const struct tk_gather *gather, const struct tk_cell *cell, double share)
{
    double all = (double)(cell->below.count + cell->above.count);
    double below = (double)cell->below.count, rank = share * all;
    if (all == 0)
        return (double)NAN;
    if (cell->below.count > 0 && rank <= below)
        return -(double)tk_histogram_quantile(&cell->below, 1 - rank / below) / gather->scale;
    return (double)tk_histogram_quantile(&cell->above, (rank - below) / (all - below)) /
           gather->scale;
}

enum number { RATE, ERRORS, COUNT, MIN, MAX, AVG, SUM, QUANTILE };

static double
number_of(const struct tk_gather *gather, const struct tk_cell *cell, uint32_t step,
          enum number number, double share)
{
    switch (number) {
    case RATE:
        return (double)cell->count / seconds_of(gather, step);
    case ERRORS:
        return (double)cell->error_count / seconds_of(gather, step);
    case COUNT:
        return (double)cell->count;
    case QUANTILE:
        return quantile_of(gather, cell, share);
    default:
        break;
    }
    if (cell->count == 0)
        return (double)NAN;
    return number == MIN   ? cell->min
           : number == MAX ? cell->max
           : number == SUM ? cell->sum
                           : cell->sum / (double)cell->count;
}

/* ---- one series ---- */

static struct tk_series *
new_series(struct maker *maker, const struct tk_cells *cells, const char *name, const char *unit)
{
    struct tk_series *series = &maker->metrics->series[maker->metrics->series_count++];
    *series = (struct tk_series){
        .name = name,
        .unit = unit,
        .labels = cells->labels,
        .label_count = maker->gather->by_count,
    };
    return series;
}

static enum tk_err
add_series(struct maker *maker, const struct tk_cells *cells, const char *name, const char *unit,
           enum number number, double share)
{
    const struct tk_gather *gather = maker->gather;
    double *values = tk_arena_alloc(gather->ask->arena, gather->step_count * sizeof *values);
    if (values == NULL)
        return TK_ERR_LIMIT;
    for (uint32_t step = 0; step < gather->step_count; step++)
        values[step] = number_of(gather, &cells->cell[step], step, number, share);
    new_series(maker, cells, name, unit)->values = values;
    return TK_OK;
}

/* The power of two that the numbers of a bucket are below. */
static unsigned
power_above(uint32_t bucket)
{
    uint64_t least = tk_histogram_least(bucket);
    return least == 0 ? 0 : 64 - (unsigned)__builtin_clzll(least);
}

static enum tk_err
add_histogram(struct maker *maker, const struct tk_cells *cells, const char *name)
{
    const struct tk_gather *gather = maker->gather;
    unsigned low = 64, high = 0;
    bool negative = false;
    for (uint32_t step = 0; step < gather->step_count; step++) {
        const struct tk_histogram *h = &cells->cell[step].above;
        negative = negative || cells->cell[step].below.count > 0;
        if (h->begin == h->end)
            continue;
        low = power_above(h->begin) < low ? power_above(h->begin) : low;
        high = power_above(h->end - 1) > high ? power_above(h->end - 1) : high;
    }
    if (negative) /* one bucket more in front */
        low = low == 64 || low == 0 ? 0 : low - 1;
    size_t count = low <= high ? high - low + 1 : 0;
    double *bounds = tk_arena_zalloc(gather->ask->arena, count + 1, sizeof *bounds);
    uint64_t *counts =
        tk_arena_zalloc(gather->ask->arena, count * gather->step_count + 1, sizeof *counts);
    if (bounds == NULL || counts == NULL)
        return TK_ERR_LIMIT;
    for (size_t i = 0; i < count; i++)
        bounds[i] = ldexp(1, (int)(low + i)) / gather->scale;
    for (uint32_t step = 0; step < gather->step_count && count > 0; step++) {
        const struct tk_histogram *h = &cells->cell[step].above;
        uint64_t *to = counts + step * count;
        to[0] += cells->cell[step].below.count;
        for (uint32_t i = h->begin; i < h->end; i++)
            to[power_above(i) - low] += tk_histogram_get(h, i);
    }
    struct tk_series *series = new_series(maker, cells, name, gather->scale == 1 ? "ns" : "");
    series->bounds = bounds;
    series->bound_count = count;
    series->counts = counts;
    return TK_OK;
}

static enum tk_err
add_quantiles(struct maker *maker, const struct tk_cells *cells, const char *name)
{
    const struct tk_gather *gather = maker->gather;
    const struct tk_ql_metrics *metrics = gather->metrics;
    enum tk_err result = TK_OK;
    for (size_t i = 0; i < metrics->quantile_count && result == TK_OK; i++) {
        double share = metrics->quantiles[i];
        struct tk_field *labels =
            tk_arena_alloc(gather->ask->arena, (gather->by_count + 1) * sizeof *labels);
        if (labels == NULL)
            return TK_ERR_LIMIT;
        memcpy(labels, cells->labels, gather->by_count * sizeof *labels);
        labels[gather->by_count] = (struct tk_field){
            .name = TK_STR("quantile"), .value = {.type = TK_VALUE_DOUBLE, .d = share}};
        result = add_series(maker, cells, name, gather->scale == 1 ? "ns" : "", QUANTILE, share);
        if (result != TK_OK)
            return result;
        struct tk_series *series = &maker->metrics->series[maker->metrics->series_count - 1];
        series->labels = labels;
        series->label_count++;
    }
    return result;
}

static enum tk_err
add_group(struct maker *maker, const struct tk_cells *cells)
{
    static const char *const names[] = {
        "rate",          "count_over_time", "min_over_time",      "max_over_time",
        "avg_over_time", "sum_over_time",   "quantile_over_time", "histogram_over_time"};
    static const enum number numbers[] = {RATE, COUNT, MIN, MAX, AVG, SUM};
    const struct tk_ql_metrics *metrics = maker->gather->metrics;
    enum tk_err result;
    if (metrics == NULL) {
        if ((result = add_series(maker, cells, "rate", "1/s", RATE, 0)) != TK_OK ||
            (result = add_series(maker, cells, "errors", "1/s", ERRORS, 0)) != TK_OK ||
            (result = add_series(maker, cells, "p50", "ns", QUANTILE, 0.50)) != TK_OK ||
            (result = add_series(maker, cells, "p95", "ns", QUANTILE, 0.95)) != TK_OK ||
            (result = add_series(maker, cells, "p99", "ns", QUANTILE, 0.99)) != TK_OK)
            return result;
        return add_histogram(maker, cells, "histogram");
    }
    const char *name = names[metrics->metric];
    if (metrics->metric == TK_QL_HISTOGRAM_OVER_TIME)
        return add_histogram(maker, cells, name);
    if (metrics->metric == TK_QL_QUANTILE_OVER_TIME)
        return add_quantiles(maker, cells, name);
    bool of_time = metrics->field != NULL && metrics->field->value_type == TK_QL_DURATION;
    const char *unit = metrics->metric == TK_QL_RATE ? "1/s" : of_time ? "ns" : "";
    return add_series(maker, cells, name, unit, numbers[metrics->metric], 0);
}

/* ---- what is done with them ---- */

static bool
keeps(const struct tk_ql_second *second, double value)
{
    switch (second->op) {
    case TK_QL_EQ:
        return value == second->number;
    case TK_QL_NE:
        return value != second->number;
    case TK_QL_LT:
        return value < second->number;
    case TK_QL_LE:
        return value <= second->number;
    case TK_QL_GT:
        return value > second->number;
    default:
        return value >= second->number;
    }
}

struct place {
    double value;
    size_t series;
};

/* What is none comes last, of equal ones the series of more spans first. */
static int
compare_places(const void *a, const void *b, void *arg)
{
    const struct place *x = a, *y = b;
    const bool *top = arg;
    if (isnan(x->value) != isnan(y->value))
        return isnan(x->value) ? 1 : -1;
    if (x->value < y->value || x->value > y->value)
        return (x->value > y->value) == *top ? -1 : 1;
    return (x->series > y->series) - (x->series < y->series);
}

/* In each step by itself, a value that does not stay is none. */
static void
choose(struct tk_metrics *metrics, const struct tk_ql_second *second, struct place *places)
{
    bool top = second->type == TK_QL_TOPK;
    for (uint32_t step = 0; step < metrics->step_count; step++) {
        for (size_t i = 0; i < metrics->series_count; i++)
            places[i] = (struct place){metrics->series[i].values[step], i};
        if (second->type != TK_QL_KEEP)
            qsort_r(places, metrics->series_count, sizeof *places, compare_places, &top);
        for (size_t i = 0; i < metrics->series_count; i++) {
            bool keep = second->type == TK_QL_KEEP ? keeps(second, places[i].value)
                                                   : (double)i < second->number;
            if (!keep)
                metrics->series[places[i].series].values[step] = (double)NAN;
        }
    }
}

static void
drop_empty(struct tk_metrics *metrics)
{
    size_t kept = 0;
    for (size_t i = 0; i < metrics->series_count; i++) {
        bool some = false;
        for (uint32_t step = 0; step < metrics->step_count; step++)
            some = some || !isnan(metrics->series[i].values[step]);
        if (some)
            metrics->series[kept++] = metrics->series[i];
    }
    metrics->series_count = kept;
}

/* ---- all ---- */

static int
compare_groups(const void *a, const void *b, void *arg)
{
    const struct tk_gather *gather = arg;
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    uint64_t of_x = gather->groups[x].span_count, of_y = gather->groups[y].span_count;
    if (of_x != of_y)
        return of_x > of_y ? -1 : 1;
    return tk_str_cmp(gather->keys.strings[x], gather->keys.strings[y]);
}

enum tk_err
tk_gather_series(struct tk_gather *gather, struct tk_metrics *ret_metrics)
{
    enum { SERIES_OF_GROUP = 6 };
    struct tk_arena *arena = gather->ask->arena;
    struct tk_metrics metrics = {
        .step_count = gather->step_count,
        .spans_left_out = gather->spans_left_out,
    };
    struct maker maker = {.gather = gather, .metrics = &metrics};
    uint32_t group_count = gather->keys.count;
    size_t each = gather->metrics == NULL ? SERIES_OF_GROUP : TK_QL_QUANTILES_MAX;
    uint32_t *order = tk_arena_alloc(arena, (group_count + 1) * sizeof *order);
    struct place *places = tk_arena_alloc(arena, (group_count * each + 1) * sizeof *places);
    metrics.series = tk_arena_zalloc(arena, group_count * each + 1, sizeof *metrics.series);
    if (order == NULL || places == NULL || metrics.series == NULL)
        return TK_ERR_LIMIT;
    for (uint32_t i = 0; i < group_count; i++)
        order[i] = i;
    qsort_r(order, group_count, sizeof *order, compare_groups, gather);
    for (uint32_t i = 0; i < group_count; i++) {
        enum tk_err result = add_group(&maker, &gather->groups[order[i]]);
        if (result != TK_OK)
            return result;
    }
    const struct tk_ql_second *second = gather->metrics != NULL ? gather->metrics->second : NULL;
    for (; second != NULL; second = second->next) {
        choose(&metrics, second, places);
        drop_empty(&metrics);
    }
    *ret_metrics = metrics;
    return TK_OK;
}
