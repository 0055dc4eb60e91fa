/*
 * plan - see plan.h.
 *
 * Every node of the query becomes a filter that holds for at least the spans for which the node
 * holds.  `!` is pushed down to the comparisons first: under it AND becomes OR, and a comparison
 * either turns around exactly (what every span has exactly one of) or excludes nothing, because a
 * span without the attribute fulfils it too.
 *
 * Two filters stand for themselves: `anything` excludes nothing and `nothing` everything.  They
 * vanish from, or swallow, the ALL or ANY they are in, so that neither has siblings.
 *
 * What speaks of another span than the one at hand (the root's name, the trace's id) gives a filter
 * of its own, and only where it must hold: at the top of a spanset and below its ANDs.
 */
#include "query/plan.h"

#include "query/ast.h"

static struct tk_filter anything = {.type = TK_FILTER_ALL};
static struct tk_filter nothing = {.type = TK_FILTER_ANY};

struct planner {
    struct tk_query *query;
    struct tk_plan *plan;
    tk_str *keys; /* of plan->want */
    enum tk_err status;
};

/* Filters of one part of the query, each to hold for some span of the trace. */
struct filters {
    const struct tk_filter *filter[TK_PLAN_FILTERS_MAX];
    size_t count;
};

static void
add_filter(struct filters *filters, const struct tk_filter *filter)
{
    if (filter != &anything && filters->count < TK_PLAN_FILTERS_MAX)
        filters->filter[filters->count++] = filter;
}

static struct tk_filter *
new_filter(struct planner *planner, struct tk_filter filter)
{
    struct tk_filter *kept = tk_arena_alloc(planner->query->arena, sizeof *kept);
    if (kept == NULL) {
        planner->status = TK_ERR_MEMORY;
        return &anything;
    }
    *kept = filter;
    return kept;
}

/* ALL or ANY of filters that are added one by one. */
struct joint {
    enum tk_filter_type type;
    struct tk_filter *first, *last;
    struct tk_filter *whole; /* not NULL: one of them decides alone */
};

static void
join(struct joint *joint, struct tk_filter *filter)
{
    struct tk_filter *neutral = joint->type == TK_FILTER_ALL ? &anything : &nothing;
    struct tk_filter *deciding = joint->type == TK_FILTER_ALL ? &nothing : &anything;
    if (filter == deciding)
        joint->whole = deciding;
    if (filter == neutral || joint->whole != NULL)
        return;
    if (joint->last == NULL)
        joint->first = filter;
    else
        joint->last->next = filter;
    joint->last = filter;
}

static struct tk_filter *
joined(struct planner *planner, const struct joint *joint)
{
    if (joint->whole != NULL)
        return joint->whole;
    if (joint->first == NULL)
        return joint->type == TK_FILTER_ALL ? &anything : &nothing;
    if (joint->first == joint->last)
        return joint->first;
    return new_filter(planner, (struct tk_filter){.type = joint->type, .child = joint->first});
}

/* ---- tests ---- */

static bool
regex_matches(void *arg, tk_str text)
{
    bool matches = true;
    /* where it is too costly for this text, who decides will say so */
    return tk_regex_match(arg, text, &matches) != TK_OK || matches;
}

static bool
test_value(const struct tk_ql_value *value, struct tk_value *ret_value)
{
    switch (value->type) {
    case TK_QL_BOOL:
        *ret_value = (struct tk_value){.type = TK_VALUE_BOOL, .b = value->b};
        return true;
    case TK_QL_INT:
    case TK_QL_DURATION:
    case TK_QL_STATUS:
    case TK_QL_KIND:
        *ret_value = (struct tk_value){.type = TK_VALUE_INT, .i = value->i};
        return true;
    case TK_QL_FLOAT:
        *ret_value = (struct tk_value){.type = TK_VALUE_DOUBLE, .d = value->d};
        return true;
    case TK_QL_STRING:
        if (value->text.len > UINT32_MAX)
            return false;
        *ret_value = (struct tk_value){
            .type = TK_VALUE_STRING, .len = (uint32_t)value->text.len, .ptr = value->text.ptr};
        return true;
    default:
        return false;
    }
}

static enum tk_filter_op
filter_op(enum tk_ql_op op)
{
    switch (op) {
    case TK_QL_EQ:
        return TK_FILTER_EQ;
    case TK_QL_LT:
        return TK_FILTER_LT;
    case TK_QL_LE:
        return TK_FILTER_LE;
    case TK_QL_GT:
        return TK_FILTER_GT;
    case TK_QL_GE:
        return TK_FILTER_GE;
    case TK_QL_RE:
        return TK_FILTER_MATCHES;
    case TK_QL_NE:
    case TK_QL_NRE:
        break;
    }
    return TK_FILTER_EXISTS;
}

/* One comparison with a constant, the field on the left. */
struct comparison {
    const struct tk_ql_operand *field;
    enum tk_ql_op op;
    const struct tk_ql_value *value;
    struct tk_regex *regex; /* RE, NRE */
};

/* The test that `comparison` is; an EXISTS where a test cannot say it. */
static struct tk_filter
test_of(const struct comparison *comparison, enum tk_filter_field field)
{
    struct tk_filter test = {.type = TK_FILTER_TEST, .field = field};
    bool ordered = comparison->value->type != TK_QL_STRING || comparison->op == TK_QL_EQ;
    test.op = filter_op(comparison->op);
    if (test.op == TK_FILTER_MATCHES) {
        test.matches = regex_matches;
        test.arg = comparison->regex;
    } else if (!ordered || !test_value(comparison->value, &test.value)) {
        test.op = TK_FILTER_EXISTS;
    }
    return test;
}

static unsigned
owners_of(enum tk_ql_scope scope)
{
    switch (scope) {
    case TK_QL_SPAN:
        return TK_OWNER_SPAN;
    case TK_QL_RESOURCE:
        return TK_OWNER_RESOURCE;
    case TK_QL_EVENT:
        return TK_OWNER_EVENT;
    case TK_QL_LINK:
        return TK_OWNER_LINK;
    case TK_QL_INSTRUMENTATION:
        return TK_OWNER_SCOPE;
    case TK_QL_UNSCOPED:
        break;
    }
    return TK_OWNER_SPAN | TK_OWNER_RESOURCE;
}

/* `test` of the attribute under any of its names. */
static struct tk_filter *
test_attribute(struct planner *planner, const struct tk_ql_operand *attribute,
               struct tk_filter test)
{
    struct joint names = {.type = TK_FILTER_ANY};
    test.field = TK_FIELD_ATTRIBUTE;
    test.owners = owners_of(attribute->scope);
    for (size_t i = 0; i < attribute->name_count; i++) {
        test.key = attribute->names[i];
        join(&names, new_filter(planner, test));
    }
    return joined(planner, &names);
}

/* A filter that the span's parent must pass is one for some span; `others` takes it.  NULL: nothing
   can be said of another span here. */
static struct tk_filter *
of_span(const struct tk_ql_operand *operand, struct tk_filter *filter, struct filters *others)
{
    if (!operand->parent)
        return filter;
    if (others != NULL)
        add_filter(others, filter);
    return &anything;
}

/* Every span is of a service: of "unknown_service" where its resource names none. */
static bool
is_service(const struct tk_ql_operand *attribute)
{
    return (attribute->scope == TK_QL_RESOURCE || attribute->scope == TK_QL_UNSCOPED) &&
           tk_str_eq(attribute->names[0], TK_STR("service.name"));
}

static bool
nameless_may_fulfil(const struct comparison *comparison)
{
    const tk_str nameless = TK_STR("unknown_service");
    if (comparison->op == TK_QL_RE)
        return regex_matches(comparison->regex, nameless);
    return comparison->op != TK_QL_EQ || (comparison->value->type == TK_QL_STRING &&
                                          tk_str_eq(comparison->value->text, nameless));
}

/* What the value needs to be one: every attribute that it is calculated of. */
static struct tk_filter *
exists(struct planner *planner, const struct tk_ql_node *node, struct filters *others)
{
    const struct tk_filter test = {.type = TK_FILTER_TEST, .op = TK_FILTER_EXISTS};
    struct joint all = {.type = TK_FILTER_ALL};
    if (node->type == TK_QL_NODE_OPERAND) {
        const struct tk_ql_operand *operand = &node->operand;
        if (operand->form != TK_QL_ATTRIBUTE || is_service(operand))
            return &anything;
        return of_span(operand, test_attribute(planner, operand, test), others);
    }
    if (node->type != TK_QL_NODE_NEGATE && node->type != TK_QL_NODE_ARITHMETIC)
        return &anything;
    for (const struct tk_ql_node *child = node->child; child != NULL; child = child->next)
        join(&all, exists(planner, child, others));
    return joined(planner, &all);
}

static struct tk_filter *
plan_attribute(struct planner *planner, const struct comparison *comparison, bool negated,
               struct filters *others)
{
    struct tk_filter *filter;
    if (negated || (is_service(comparison->field) && nameless_may_fulfil(comparison)))
        return &anything;
    filter = test_attribute(planner, comparison->field, test_of(comparison, TK_FIELD_ATTRIBUTE));
    return of_span(comparison->field, filter, others);
}

/* ---- intrinsics ---- */

static enum tk_ql_op
opposite(enum tk_ql_op op)
{
    static const enum tk_ql_op opposites[] = {
        [TK_QL_EQ] = TK_QL_NE,  [TK_QL_NE] = TK_QL_EQ,  [TK_QL_LT] = TK_QL_GE,
        [TK_QL_GE] = TK_QL_LT,  [TK_QL_GT] = TK_QL_LE,  [TK_QL_LE] = TK_QL_GT,
        [TK_QL_RE] = TK_QL_NRE, [TK_QL_NRE] = TK_QL_RE,
    };
    return opposites[op];
}

/* Only the trace of this id; `must`: the query selects nothing where this does not hold. */
static struct tk_filter *
plan_trace_id(struct planner *planner, const struct comparison *comparison, bool must)
{
    struct tk_plan *plan = planner->plan;
    struct tk_trace_id id;
    if (comparison->op != TK_QL_EQ || comparison->value->type != TK_QL_STRING)
        return &anything;
    if (!tk_trace_id_parse(comparison->value->text, &id))
        return &nothing;
    if (!must)
        return &anything;
    if (plan->one_trace && !tk_trace_id_eq(plan->trace_id, id))
        return &nothing;
    plan->one_trace = true;
    plan->trace_id = id;
    return &anything;
}

/* `others` takes what must hold for some span, not this one; NULL: nothing can be said of it. */
static struct tk_filter *
plan_intrinsic(struct planner *planner, struct comparison *comparison, bool negated,
               struct filters *others)
{
    enum tk_filter_field field = TK_FIELD_NAME;
    enum tk_ql_intrinsic intrinsic = comparison->field->intrinsic;
    struct tk_filter *filter;
    if (negated && (intrinsic == TK_QL_EVENT_NAME || comparison->field->parent))
        return &anything; /* there may be no event, no parent */
    if (negated)
        comparison->op = opposite(comparison->op);
    switch (intrinsic) {
    case TK_QL_NAME:
    case TK_QL_ROOT_NAME:
        break;
    case TK_QL_ROOT_SERVICE:
        if (others != NULL && !nameless_may_fulfil(comparison)) {
            struct tk_filter test = test_of(comparison, TK_FIELD_ATTRIBUTE);
            test.owners = TK_OWNER_RESOURCE;
            test.key = TK_STR("service.name");
            add_filter(others, new_filter(planner, test));
        }
        return &anything;
    case TK_QL_SPAN_KIND:
        field = TK_FIELD_KIND;
        break;
    case TK_QL_SPAN_STATUS:
        field = TK_FIELD_STATUS;
        break;
    case TK_QL_STATUS_MESSAGE:
        field = TK_FIELD_STATUS_MESSAGE;
        break;
    case TK_QL_SPAN_DURATION:
        field = TK_FIELD_DURATION;
        break;
    case TK_QL_EVENT_NAME:
        field = TK_FIELD_EVENT_NAME;
        break;
    case TK_QL_SCOPE_NAME:
        field = TK_FIELD_SCOPE_NAME;
        break;
    case TK_QL_SCOPE_VERSION:
        field = TK_FIELD_SCOPE_VERSION;
        break;
    case TK_QL_TRACE_ID:
        return plan_trace_id(planner, comparison, others != NULL);
    default:
        return &anything;
    }
    struct tk_filter test = test_of(comparison, field);
    if (test.op == TK_FILTER_EXISTS)
        return &anything;
    filter = new_filter(planner, test);
    if (intrinsic != TK_QL_ROOT_NAME)
        return of_span(comparison->field, filter, others);
    if (others != NULL)
        add_filter(others, filter);
    return &anything;
}

/* ---- the tree ---- */

static enum tk_ql_op
mirrored(enum tk_ql_op op)
{
    switch (op) {
    case TK_QL_LT:
        return TK_QL_GT;
    case TK_QL_LE:
        return TK_QL_GE;
    case TK_QL_GT:
        return TK_QL_LT;
    case TK_QL_GE:
        return TK_QL_LE;
    default:
        return op;
    }
}

static bool
is_constant(const struct tk_ql_node *node)
{
    return node->type == TK_QL_NODE_OPERAND && node->operand.form == TK_QL_STATIC;
}

static struct tk_filter *
plan_comparison(struct planner *planner, const struct tk_ql_node *node, bool negated,
                struct filters *others)
{
    const struct tk_ql_node *field = node->child, *constant = node->child->next;
    struct comparison comparison = {.op = node->op, .regex = node->regex};
    struct joint both = {.type = TK_FILTER_ALL};
    if (is_constant(field)) {
        field = constant;
        constant = node->child;
        comparison.op = mirrored(node->op);
    }
    comparison.field = &field->operand;
    comparison.value = &constant->operand.value;
    if (is_constant(constant) && constant->value_type == TK_QL_NIL)
        return (comparison.op == TK_QL_EQ) != negated ? &anything : exists(planner, field, others);
    if (is_constant(constant) && field->type == TK_QL_NODE_OPERAND) {
        if (field->operand.form == TK_QL_ATTRIBUTE)
            return plan_attribute(planner, &comparison, negated, others);
        if (field->operand.form == TK_QL_INTRINSIC)
            return plan_intrinsic(planner, &comparison, negated, others);
    }
    if (negated)
        return &anything;
    join(&both, exists(planner, field, others)); /* what is not there compares with nothing */
    join(&both, exists(planner, constant, others));
    return joined(planner, &both);
}

static struct tk_filter *
plan_truth(struct planner *planner, const struct tk_ql_node *node, bool negated,
           struct filters *others)
{
    static const struct tk_ql_value truth = {.type = TK_QL_BOOL, .b = true};
    struct comparison comparison = {&node->operand, TK_QL_EQ, &truth, NULL};
    if (node->type != TK_QL_NODE_OPERAND)
        return &anything;
    if (node->operand.form == TK_QL_STATIC && node->value_type == TK_QL_BOOL)
        return node->operand.value.b != negated ? &anything : &nothing;
    if (node->operand.form == TK_QL_ATTRIBUTE)
        return plan_attribute(planner, &comparison, negated, others);
    return &anything;
}

static struct tk_filter *
plan_span(struct planner *planner, const struct tk_ql_node *node, bool negated,
          struct filters *others)
{
    struct joint joint = {.type = TK_FILTER_ALL};
    switch (node->type) {
    case TK_QL_NODE_AND:
    case TK_QL_NODE_OR:
        if ((node->type == TK_QL_NODE_AND) == negated)
            joint.type = TK_FILTER_ANY;
        for (const struct tk_ql_node *child = node->child; child != NULL; child = child->next)
            join(&joint,
                 plan_span(planner, child, negated, joint.type == TK_FILTER_ALL ? others : NULL));
        return joined(planner, &joint);
    case TK_QL_NODE_NOT:
        return plan_span(planner, node->child, !negated, others);
    case TK_QL_NODE_COMPARE:
        return plan_comparison(planner, node, negated, others);
    default:
        return plan_truth(planner, node, negated, others);
    }
}

/* Either side's filters hold: of each pair, one of them holds for some span. */
static void
plan_either(struct planner *planner, const struct filters *a, const struct filters *b,
            struct filters *to)
{
    for (size_t i = 0; i < a->count; i++) {
        for (size_t k = 0; k < b->count; k++) {
            struct tk_filter *x = new_filter(planner, *a->filter[i]);
            struct tk_filter *y = new_filter(planner, *b->filter[k]);
            if (planner->status != TK_OK)
                return;
            x->next = y;
            add_filter(to,
                       new_filter(planner, (struct tk_filter){.type = TK_FILTER_ANY, .child = x}));
        }
    }
}

static void plan_spansets(struct planner *planner, const struct tk_ql_node *node,
                          struct filters *filters, bool must);

/* One of the children holds. */
static void
plan_one_of(struct planner *planner, const struct tk_ql_node *node, struct filters *filters)
{
    struct filters any = {.count = 0};
    for (const struct tk_ql_node *child = node->child; child != NULL; child = child->next) {
        struct filters both = {.count = 0}, one = {.count = 0};
        plan_spansets(planner, child, &one, false);
        if (child == node->child)
            both = one;
        else
            plan_either(planner, &any, &one, &both);
        any = both;
    }
    for (size_t i = 0; i < any.count; i++)
        add_filter(filters, any.filter[i]);
}

/* What groups must have, and whether a comparison of them holds, the store cannot tell; but each
   spanset on the way must find something. */
static void
plan_spansets(struct planner *planner, const struct tk_ql_node *node, struct filters *filters,
              bool must)
{
    const struct tk_ql_node *child = node->child;
    switch (node->type) {
    case TK_QL_NODE_SPANSET:
        if (child != NULL)
            add_filter(filters, plan_span(planner, child, false, must ? filters : NULL));
        break;
    case TK_QL_NODE_SPANSET_OR:
        plan_one_of(planner, node, filters);
        break;
    case TK_QL_NODE_RELATION:
        if (node->negated) { /* of those on the left there may be none */
            plan_spansets(planner, child->next, filters, must);
            break;
        }
        /* fall through */
    case TK_QL_NODE_SPANSET_AND:
    case TK_QL_NODE_PIPELINE:
        for (; child != NULL; child = child->next)
            plan_spansets(planner, child, filters, must);
        break;
    default:
        break;
    }
}

/* ---- how much of the spans ---- */

static void
want_operand(struct planner *planner, const struct tk_ql_operand *operand)
{
    struct tk_store_want *want = &planner->plan->want;
    if (operand->form == TK_QL_INTRINSIC) {
        switch (operand->intrinsic) {
        case TK_QL_STATUS_MESSAGE:
        case TK_QL_EVENT_NAME:
        case TK_QL_EVENT_SINCE_START:
        case TK_QL_LINK_TRACE_ID:
        case TK_QL_LINK_SPAN_ID:
            want->lean = false;
            break;
        default:
            break;
        }
    }
    if (operand->form != TK_QL_ATTRIBUTE)
        return;
    if (operand->scope == TK_QL_EVENT || operand->scope == TK_QL_LINK)
        want->lean = false;
    if (operand->scope != TK_QL_SPAN && operand->scope != TK_QL_UNSCOPED)
        return;
    for (size_t i = 0; i < operand->name_count; i++)
        planner->keys[want->key_count++] = operand->names[i];
}

static void
want_node(struct planner *planner, const struct tk_ql_node *node)
{
    if (node->type == TK_QL_NODE_OPERAND)
        want_operand(planner, &node->operand);
    for (const struct tk_ql_node *child = node->child; child != NULL; child = child->next)
        want_node(planner, child);
}

enum tk_err
tk_plan_make(struct tk_query *query, struct tk_plan *ret_plan)
{
    struct tk_plan plan = {.want = {.lean = true}};
    struct planner planner = {.query = query, .plan = &plan};
    struct filters filters = {.count = 0};
    size_t key_max = 0;
    for (struct tk_ql_operand *a = query->attributes; a != NULL; a = a->next)
        key_max += a->name_count;
    if (key_max > 0) {
        planner.keys = tk_arena_alloc(query->arena, key_max * sizeof *planner.keys);
        if (planner.keys == NULL)
            return TK_ERR_MEMORY;
    }
    plan.want.keys = planner.keys;
    want_node(&planner, query->root);
    if (query->metrics != NULL && query->metrics->field != NULL)
        want_node(&planner, query->metrics->field);
    for (struct tk_ql_node *by = query->metrics != NULL ? query->metrics->by : query->by;
         by != NULL; by = by->next)
        want_node(&planner, by);
    plan_spansets(&planner, query->root, &filters, true);
    if (planner.status != TK_OK)
        return planner.status;
    memcpy(plan.filters, filters.filter, filters.count * sizeof *filters.filter);
    plan.filter_count = filters.count;
    *ret_plan = plan;
    return TK_OK;
}
