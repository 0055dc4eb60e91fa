/*
 * metrics_count - metrics of all spans out of what the store has counted already.
 *
 * The store counts all spans and those of them that failed, so `{ status = error }` is answered
 * too.  By service, name and kind tk_store_operations tells, and so spans of one service alone can
 * be asked for (`{ resource.service.name = "api" }`); by one attribute tk_store_values tells, as
 * far as spans have it: what is left of all spans is the group of those that have not.  An
 * attribute that may be the span's or its resource's, or that has an old and a new name, is counted
 * only where just one of them occurs: else a span could count twice.
 */
#include "query/metrics_int.h"

#include "base/assert.h"

struct counting {
    struct tk_gather *gather;
    bool only_errors;
    const tk_str *only_service; /* NULL: all */
    /* by one attribute */
    unsigned owners;
    tk_str key;
    struct tk_cell *with;  /* [step_count]; all that have it */
    struct tk_cell *total; /* the same of all spans */
};

static bool
is_service(const struct tk_ql_operand *operand, enum tk_ql_scope scope)
{
    return operand->form == TK_QL_ATTRIBUTE && operand->scope == scope && !operand->parent &&
           tk_str_eq(operand->names[0], TK_STR("service.name"));
}

static bool
is_intrinsic(const struct tk_ql_operand *operand, enum tk_ql_intrinsic intrinsic)
{
    return operand->form == TK_QL_INTRINSIC && operand->intrinsic == intrinsic && !operand->parent;
}

/* { status = error } */
static bool
is_error_test(const struct tk_ql_node *node)
{
    if (node->type != TK_QL_NODE_COMPARE || node->op != TK_QL_EQ ||
        node->child->type != TK_QL_NODE_OPERAND || node->child->next->type != TK_QL_NODE_OPERAND)
        return false;
    const struct tk_ql_operand *status = &node->child->operand,
                               *error = &node->child->next->operand;
    return is_intrinsic(status, TK_QL_SPAN_STATUS) && error->form == TK_QL_STATIC &&
           error->value.type == TK_QL_STATUS && error->value.i == TK_STATUS_ERROR;
}

/* { resource.service.name = "api" } */
static bool
is_service_test(const struct tk_ql_node *node)
{
    return node->type == TK_QL_NODE_COMPARE && node->op == TK_QL_EQ &&
           node->child->type == TK_QL_NODE_OPERAND &&
           node->child->next->type == TK_QL_NODE_OPERAND &&
           is_service(&node->child->operand, TK_QL_RESOURCE) &&
           node->child->next->operand.form == TK_QL_STATIC &&
           node->child->next->operand.value.type == TK_QL_STRING;
}

/* Notes the condition, or each of several; false: the store does not count by it. */
static bool
note_condition(struct counting *counting, const struct tk_ql_node *node)
{
    if (is_error_test(node)) {
        counting->only_errors = true;
        return true;
    }
    if (is_service_test(node) && counting->only_service == NULL) {
        counting->only_service = &node->child->next->operand.value.text;
        return true;
    }
    bool countable = node->type == TK_QL_NODE_AND;
    const struct tk_ql_node *child = countable ? node->child : NULL;
    for (; child != NULL && countable; child = child->next)
        countable = note_condition(counting, child);
    return countable;
}

/* Is it of all spans, those of a service or those that failed, and of nothing but what is counted
   of them? */
static bool
is_countable(struct counting *counting)
{
    const struct tk_ql_node *root = counting->gather->ask->query->root;
    const struct tk_ql_metrics *metrics = counting->gather->metrics;
    if (root->type != TK_QL_NODE_SPANSET ||
        (root->child != NULL && !note_condition(counting, root->child)))
        return false;
    if (counting->only_errors) /* how long errors took is not counted apart */
        return metrics != NULL && metrics->field == NULL;
    if (metrics == NULL || metrics->field == NULL)
        return true;
    return (metrics->metric == TK_QL_QUANTILE_OVER_TIME ||
            metrics->metric == TK_QL_HISTOGRAM_OVER_TIME) &&
           is_intrinsic(&metrics->field->operand, TK_QL_SPAN_DURATION);
}

/* Of what the store counted, that which is asked for; false: nothing. */
static bool
asked_of(const struct counting *counting, const struct tk_store_count *count,
         struct tk_store_count *ret_asked)
{
    *ret_asked = *count;
    if (counting->only_errors)
        *ret_asked = (struct tk_store_count){.span_count = count->error_count,
                                             .error_count = count->error_count,
                                             .step = count->step};
    return ret_asked->span_count > 0;
}

/* All steps at once. */
static struct tk_store_range
range_of(const struct counting *counting, unsigned details)
{
    const struct tk_gather *gather = counting->gather;
    return (struct tk_store_range){
        .begin_nano = gather->ask->begin_nano,
        .end_nano = gather->ask->end_nano,
        .step_nano = gather->ask->step_nano,
        .details = details | (gather->want_histogram ? TK_COUNT_DURATIONS : 0),
        .expired = gather->ask->query->expired,
        .expired_arg = gather->ask->query->expired_arg,
    };
}

static enum tk_err
add_count(struct counting *counting, const struct tk_ql_value *values,
          const struct tk_store_count *count)
{
    struct tk_gather *gather = counting->gather;
    struct tk_cells *cells;
    enum tk_err result = tk_gather_group(gather, values, &cells);
    if (result != TK_OK)
        return result;
    if (cells == NULL) {
        gather->spans_left_out += count->span_count;
        return TK_OK;
    }
    cells->span_count += count->span_count;
    return tk_gather_counted(gather, &cells->cell[count->step], count);
}

/* ---- by service, name, kind ---- */

static enum tk_err
add_operation(void *arg, tk_str service, tk_str name, int32_t kind,
              const struct tk_store_count *count)
{
    struct counting *counting = arg;
    const struct tk_gather *gather = counting->gather;
    struct tk_ql_value values[TK_QL_BY_MAX];
    struct tk_store_count asked;
    if ((counting->only_service != NULL && !tk_str_eq(service, *counting->only_service)) ||
        !asked_of(counting, count, &asked))
        return TK_OK;
    for (size_t i = 0; i < gather->by_count; i++) {
        const struct tk_ql_operand *operand = &gather->by[i]->operand;
        if (operand->form == TK_QL_ATTRIBUTE)
            values[i] = (struct tk_ql_value){.type = TK_QL_STRING, .text = service};
        else if (operand->intrinsic == TK_QL_NAME)
            values[i] = (struct tk_ql_value){.type = TK_QL_STRING, .text = name};
        else
            values[i] = (struct tk_ql_value){.type = TK_QL_KIND, .i = kind};
    }
    return add_count(counting, values, &asked);
}

static enum tk_err
count_operations(struct counting *counting, struct tk_error *err)
{
    const struct tk_gather *gather = counting->gather;
    bool names = false;
    for (size_t i = 0; i < gather->by_count; i++)
        names = names || gather->by[i]->operand.form == TK_QL_INTRINSIC;
    struct tk_store_range range = range_of(counting, names ? TK_COUNT_NAMES : 0);
    return tk_store_operations(gather->ask->view, &range, add_operation, counting, err);
}

static bool
is_by_operation(const struct tk_gather *gather)
{
    for (size_t i = 0; i < gather->by_count; i++) {
        const struct tk_ql_operand *operand = &gather->by[i]->operand;
        if (!is_service(operand, TK_QL_RESOURCE) && !is_intrinsic(operand, TK_QL_NAME) &&
            !is_intrinsic(operand, TK_QL_SPAN_KIND))
            return false;
    }
    return true;
}

/* ---- by one attribute ---- */

struct places { /* where the attribute occurs */
    const struct tk_ql_operand *operand;
    unsigned owners[TK_SEMCONV_NAMES_MAX]; /* by name */
};

static enum tk_err
note_key(void *arg, enum tk_owner owner, tk_str key, enum tk_value_type type)
{
    struct places *places = arg;
    (void)type;
    for (size_t i = 0; i < places->operand->name_count; i++) {
        if (tk_str_eq(places->operand->names[i], key))
            places->owners[i] |= owner;
    }
    return TK_OK;
}

static unsigned
owners_of(enum tk_ql_scope scope)
{
    switch (scope) {
    case TK_QL_SPAN:
        return TK_OWNER_SPAN;
    case TK_QL_RESOURCE:
        return TK_OWNER_RESOURCE;
    case TK_QL_INSTRUMENTATION:
        return TK_OWNER_SCOPE;
    case TK_QL_UNSCOPED:
        return TK_OWNER_SPAN | TK_OWNER_RESOURCE;
    default:
        return 0;
    }
}

/* The one name and owner that the attribute occurs with; false when there are several. */
static enum tk_err
find_place(struct counting *counting, const struct tk_ql_operand *operand, bool *ret_one,
           struct tk_error *err)
{
    struct places places = {.operand = operand};
    size_t found = 0;
    *ret_one = false;
    if (owners_of(operand->scope) == 0 || operand->parent)
        return TK_OK;
    enum tk_err result = tk_store_keys(counting->gather->ask->view, note_key, &places, err);
    if (result != TK_OK)
        return result;
    counting->key = operand->names[0];
    counting->owners = owners_of(operand->scope) & ~(unsigned)TK_OWNER_RESOURCE;
    for (size_t i = 0; i < operand->name_count; i++) {
        unsigned owners = places.owners[i] & owners_of(operand->scope);
        if (owners == 0)
            continue;
        counting->key = operand->names[i];
        counting->owners = owners;
        found += (owners & (owners - 1)) == 0 ? 1 : 2;
    }
    if (counting->owners == 0)
        counting->owners = TK_OWNER_RESOURCE;
    *ret_one = found <= 1;
    return TK_OK;
}

static enum tk_err
add_value(void *arg, struct tk_value value, const struct tk_store_count *count)
{
    struct counting *counting = arg;
    struct tk_ql_value by = tk_ql_value_of(&value);
    struct tk_store_count asked;
    if (!asked_of(counting, count, &asked))
        return TK_OK;
    enum tk_err result = add_count(counting, &by, &asked);
    if (result == TK_OK)
        result = tk_gather_counted(counting->gather, &counting->with[count->step], &asked);
    return result;
}

static enum tk_err
add_total(void *arg, tk_str service, tk_str name, int32_t kind, const struct tk_store_count *count)
{
    struct counting *counting = arg;
    struct tk_store_count asked;
    (void)service;
    (void)name;
    (void)kind;
    return asked_of(counting, count, &asked)
               ? tk_gather_counted(counting->gather, &counting->total[count->step], &asked)
               : TK_OK;
}

/* What all spans of a step are without those that have the attribute. */
static enum tk_err
add_rest(struct counting *counting, uint32_t step)
{
    static const struct tk_ql_value none = {.type = TK_QL_NIL};
    const struct tk_cell *with = &counting->with[step], *total = &counting->total[step];
    struct tk_histogram rest = {.count = 0};
    enum tk_err result = TK_OK;
    for (uint32_t i = total->above.begin; i < total->above.end && result == TK_OK; i++) {
        uint64_t all = tk_histogram_get(&total->above, i), some = tk_histogram_get(&with->above, i);
        if (all > some)
            result = tk_histogram_add(&rest, i, all - some);
    }
    struct tk_store_count count = {
        .span_count = total->count > with->count ? total->count - with->count : 0,
        .error_count =
            total->error_count > with->error_count ? total->error_count - with->error_count : 0,
        .durations = &rest,
        .step = step,
    };
    if (result == TK_OK && count.span_count > 0)
        result = add_count(counting, &none, &count);
    tk_histogram_release(&rest);
    return result;
}

static enum tk_err
count_values(struct counting *counting, struct tk_error *err)
{
    struct tk_gather *gather = counting->gather;
    struct tk_store_range range = range_of(counting, 0);
    uint32_t steps = gather->step_count;
    struct tk_cell *cells = tk_arena_zalloc(gather->ask->arena, (size_t)steps * 2, sizeof *cells);
    if (cells == NULL)
        return TK_ERR_LIMIT;
    counting->with = cells;
    counting->total = cells + steps;
    enum tk_err result = tk_store_values(gather->ask->view, counting->owners, counting->key,
                                         TK_STR(""), &range, add_value, counting, err);
    if (result == TK_OK)
        result = tk_store_operations(gather->ask->view, &range, add_total, counting, err);
    for (uint32_t step = 0; step < steps && result == TK_OK; step++)
        result = add_rest(counting, step);
    for (uint32_t i = 0; i < steps * 2; i++)
        tk_histogram_release(&cells[i].above);
    return result;
}

enum tk_err
tk_gather_counts(struct tk_gather *gather, bool *ret_done, struct tk_error *err)
{
    struct counting counting = {.gather = gather};
    *ret_done = false;
    if (!is_countable(&counting))
        return TK_OK;
    if (is_by_operation(gather)) {
        *ret_done = true;
        return count_operations(&counting, err);
    }
    if (gather->by_count != 1 || gather->by[0]->operand.form != TK_QL_ATTRIBUTE ||
        counting.only_service != NULL)
        return TK_OK;
    enum tk_err result = find_place(&counting, &gather->by[0]->operand, ret_done, err);
    if (result != TK_OK || !*ret_done)
        return result;
    /* every span is of a service, whether its resource names it or not */
    if (is_service(&gather->by[0]->operand, TK_QL_UNSCOPED) && counting.owners != TK_OWNER_SPAN)
        return count_operations(&counting, err);
    return count_values(&counting, err);
}
