/*
 * eval - does a query hold for a trace?
 *
 * The keys of the query's attributes are looked up in the batch's table once; after that a span
 * costs integer comparisons.  A comparison holds when it holds for some value of its operands: an
 * attribute of an event has as many values as the span has such events.  A value that is not there
 * is nil.  Values of different types are never equal and never unequal, so `!=` too finds only
 * spans that have the attribute.  A list is equal to what one of its elements is equal to, and
 * unequal to what none of them is.
 */
#include "query/assemble.h"
#include "query/ast.h"

#include "wire/otlp.h"

#include <math.h>

struct eval {
    struct tk_query *query;
    const struct tk_batch *trace;
    enum tk_err status; /* of a regular expression */
    bool have_root, have_times;
    uint32_t root;
    uint64_t start_nano, end_nano;
    char id_text[2][TK_TRACE_ID_HEX + 1]; /* ids being compared: of the left and the right side */
};

/* The values of one operand for one span, one after the other. */
struct values {
    const struct tk_ql_operand *operand;
    char *id_text;
    uint32_t at; /* the next event or link, or 1 when the only value has been given */
    bool any;
};

/* ---- keys ---- */

static void
resolve_keys(struct tk_query *query, const struct tk_batch *trace)
{
    for (struct tk_ql_operand *a = query->attributes; a != NULL; a = a->next) {
        a->key_count = 0;
        for (size_t i = 0; i < a->name_count; i++) {
            if (tk_intern_find(&trace->keys, a->names[i], &a->keys[a->key_count]))
                a->key_count++;
        }
    }
}

static const struct tk_value *
find_attr(const struct tk_batch *trace, struct tk_range range, const struct tk_ql_operand *operand)
{
    const struct tk_value *best = NULL;
    uint32_t rank = operand->key_count;
    for (uint32_t i = range.begin; i < range.begin + range.count && rank > 0; i++) {
        for (uint32_t k = 0; k < rank; k++) {
            if (trace->attr_key[i] == operand->keys[k]) {
                best = &trace->attr_value[i];
                rank = k;
            }
        }
    }
    return best;
}

/* ---- values ---- */

static struct tk_ql_value
string_value(tk_str text)
{
    return (struct tk_ql_value){.type = TK_QL_STRING, .text = text};
}

static struct tk_ql_value
int_value(enum tk_ql_type type, int64_t number)
{
    return (struct tk_ql_value){.type = type, .i = number};
}

static struct tk_ql_value
trace_id_value(struct tk_trace_id id, char *text)
{
    tk_trace_id_format(id, text);
    return string_value((tk_str){text, TK_TRACE_ID_HEX});
}

static struct tk_ql_value
span_id_value(tk_span_id id, char *text)
{
    if (id == 0)
        return string_value(TK_STR_NONE);
    tk_span_id_format(id, text);
    return string_value((tk_str){text, TK_SPAN_ID_HEX});
}

static struct tk_ql_value
attribute_value(const struct tk_value *value)
{
    struct tk_ql_value result = {.type = TK_QL_NIL};
    if (value == NULL)
        return result;
    switch ((enum tk_value_type)value->type) {
    case TK_VALUE_EMPTY:
        break;
    case TK_VALUE_STRING:
        return string_value(tk_value_str(*value));
    case TK_VALUE_BOOL:
        result.type = TK_QL_BOOL;
        result.b = value->b;
        break;
    case TK_VALUE_INT:
        return int_value(TK_QL_INT, value->i);
    case TK_VALUE_DOUBLE:
        result.type = TK_QL_FLOAT;
        result.d = value->d;
        break;
    case TK_VALUE_ARRAY:
        result.type = TK_QL_ARRAY;
        result.array = *value;
        break;
    case TK_VALUE_BYTES:
    case TK_VALUE_MAP:
        result.type = TK_QL_OPAQUE;
        break;
    }
    return result;
}

static uint32_t
root_of(struct eval *eval)
{
    if (!eval->have_root)
        eval->root = tk_trace_root(eval->trace);
    eval->have_root = true;
    return eval->root;
}

static int64_t
trace_duration(struct eval *eval)
{
    if (!eval->have_times)
        tk_trace_times(eval->trace, &eval->start_nano, &eval->end_nano);
    eval->have_times = true;
    return (int64_t)(eval->end_nano - eval->start_nano);
}

static struct tk_ql_value
intrinsic_value(struct eval *eval, enum tk_ql_intrinsic intrinsic, uint32_t row, uint32_t at,
                char *id_text)
{
    const struct tk_batch *t = eval->trace;
    switch (intrinsic) {
    case TK_QL_NAME:
        return string_value(t->name[row]);
    case TK_QL_SPAN_KIND:
        return int_value(TK_QL_KIND, t->kind[row]);
    case TK_QL_SPAN_STATUS:
        return int_value(TK_QL_STATUS, t->status[row]);
    case TK_QL_STATUS_MESSAGE:
        return string_value(t->status_message[row]);
    case TK_QL_SPAN_DURATION:
        return int_value(TK_QL_DURATION, (int64_t)(t->end_nano[row] - t->start_nano[row]));
    case TK_QL_SPAN_ID:
        return span_id_value(t->span_id[row], id_text);
    case TK_QL_PARENT_ID:
        return span_id_value(t->parent_id[row], id_text);
    case TK_QL_TRACE_ID:
        return trace_id_value(t->trace_id[row], id_text);
    case TK_QL_TRACE_DURATION:
        return int_value(TK_QL_DURATION, trace_duration(eval));
    case TK_QL_ROOT_NAME:
        return string_value(t->name[root_of(eval)]);
    case TK_QL_ROOT_SERVICE:
        return string_value(tk_batch_service(t, root_of(eval)));
    case TK_QL_EVENT_NAME:
        return string_value(t->event[at].name);
    case TK_QL_EVENT_SINCE_START:
        return int_value(TK_QL_DURATION, (int64_t)(t->event[at].time_nano - t->start_nano[row]));
    case TK_QL_LINK_TRACE_ID:
        return trace_id_value(t->link[at].trace_id, id_text);
    case TK_QL_LINK_SPAN_ID:
        return span_id_value(t->link[at].span_id, id_text);
    case TK_QL_SCOPE_NAME:
        return string_value(t->scopes[t->scope[row]].name);
    case TK_QL_SCOPE_VERSION:
        return string_value(t->scopes[t->scope[row]].version);
    }
    return int_value(TK_QL_NIL, 0);
}

/* A resource without service.name is of the service "unknown_service", everywhere. */
static struct tk_ql_value
resource_value(struct eval *eval, const struct tk_ql_operand *operand, uint32_t row)
{
    const struct tk_batch *t = eval->trace;
    if (tk_str_eq(operand->names[0], TK_STR("service.name")))
        return string_value(tk_batch_service(t, row));
    return attribute_value(find_attr(t, t->resources[t->resource[row]].attrs, operand));
}

static struct tk_ql_value
span_attribute(struct eval *eval, const struct tk_ql_operand *operand, uint32_t row)
{
    const struct tk_batch *t = eval->trace;
    const struct tk_value *value;
    switch (operand->scope) {
    case TK_QL_RESOURCE:
        return resource_value(eval, operand, row);
    case TK_QL_INSTRUMENTATION:
        return attribute_value(find_attr(t, t->scopes[t->scope[row]].attrs, operand));
    default:
        value = find_attr(t, t->attrs[row], operand);
        if (value == NULL && operand->scope == TK_QL_UNSCOPED)
            return resource_value(eval, operand, row);
        return attribute_value(value);
    }
}

enum place { PLACE_SPAN, PLACE_EVENT, PLACE_LINK };

static enum place
place_of(const struct tk_ql_operand *operand)
{
    if (operand->form == TK_QL_ATTRIBUTE)
        return operand->scope == TK_QL_EVENT  ? PLACE_EVENT
               : operand->scope == TK_QL_LINK ? PLACE_LINK
                                              : PLACE_SPAN;
    if (operand->form == TK_QL_INTRINSIC) {
        if (operand->intrinsic == TK_QL_EVENT_NAME || operand->intrinsic == TK_QL_EVENT_SINCE_START)
            return PLACE_EVENT;
        if (operand->intrinsic == TK_QL_LINK_TRACE_ID || operand->intrinsic == TK_QL_LINK_SPAN_ID)
            return PLACE_LINK;
    }
    return PLACE_SPAN;
}

static bool
next_of_list(struct eval *eval, struct values *values, uint32_t row, enum place place,
             struct tk_ql_value *ret_value)
{
    const struct tk_batch *t = eval->trace;
    const struct tk_ql_operand *operand = values->operand;
    struct tk_range range = place == PLACE_EVENT ? t->events[row] : t->links[row];
    while (values->at < range.count) {
        uint32_t at = range.begin + values->at++;
        if (operand->form == TK_QL_INTRINSIC) {
            *ret_value = intrinsic_value(eval, operand->intrinsic, row, at, values->id_text);
        } else {
            const struct tk_range attrs =
                place == PLACE_EVENT ? t->event[at].attrs : t->link[at].attrs;
            *ret_value = attribute_value(find_attr(t, attrs, operand));
            if (ret_value->type == TK_QL_NIL)
                continue;
        }
        values->any = true;
        return true;
    }
    if (values->any)
        return false;
    values->any = true;
    *ret_value = int_value(TK_QL_NIL, 0);
    return true;
}

static bool
next_value(struct eval *eval, struct values *values, uint32_t row, struct tk_ql_value *ret_value)
{
    const struct tk_ql_operand *operand = values->operand;
    enum place place = place_of(operand);
    if (place != PLACE_SPAN)
        return next_of_list(eval, values, row, place, ret_value);
    if (values->at++ > 0)
        return false;
    if (operand->form == TK_QL_STATIC)
        *ret_value = operand->value;
    else if (operand->form == TK_QL_INTRINSIC)
        *ret_value = intrinsic_value(eval, operand->intrinsic, row, 0, values->id_text);
    else
        *ret_value = span_attribute(eval, operand, row);
    return true;
}

/* ---- comparing ---- */

enum order { ORDER_LESS = -1, ORDER_EQUAL, ORDER_MORE, ORDER_NONE /* NaN */ };

static enum order
order_doubles(double a, double b)
{
    if (isnan(a) || isnan(b))
        return ORDER_NONE;
    return a < b ? ORDER_LESS : a > b ? ORDER_MORE : ORDER_EQUAL;
}

/* Exact: an int64 does not fit into a double. */
static enum order
order_int_double(int64_t a, double b)
{
    if (isnan(b))
        return ORDER_NONE;
    if (b >= 0x1p63)
        return ORDER_LESS;
    if (b < -0x1p63)
        return ORDER_MORE;
    int64_t whole = (int64_t)b; /* towards zero */
    if (a != whole)
        return a < whole ? ORDER_LESS : ORDER_MORE;
    return order_doubles(0, b - (double)whole);
}

static bool
is_integral(enum tk_ql_type type)
{
    return type == TK_QL_INT || type == TK_QL_DURATION;
}

/* False when the types do not go together. */
static bool
order_values(const struct tk_ql_value *a, const struct tk_ql_value *b, enum order *ret_order)
{
    if (is_integral(a->type) && b->type == TK_QL_FLOAT) {
        *ret_order = order_int_double(a->i, b->d);
    } else if (a->type == TK_QL_FLOAT && is_integral(b->type)) {
        enum order order = order_int_double(b->i, a->d);
        *ret_order = order == ORDER_NONE ? order : (enum order)(-(int)order);
    } else if (is_integral(a->type) && is_integral(b->type)) {
        *ret_order = (enum order)((a->i > b->i) - (a->i < b->i));
    } else if (a->type != b->type) {
        return false;
    } else if (a->type == TK_QL_FLOAT) {
        *ret_order = order_doubles(a->d, b->d);
    } else if (a->type == TK_QL_STRING) {
        int order = tk_str_cmp(a->text, b->text);
        *ret_order = (enum order)((order > 0) - (order < 0));
    } else if (a->type == TK_QL_BOOL) {
        *ret_order = a->b == b->b ? ORDER_EQUAL : ORDER_NONE;
    } else if (a->type == TK_QL_STATUS || a->type == TK_QL_KIND) {
        *ret_order = a->i == b->i ? ORDER_EQUAL : ORDER_NONE;
    } else {
        return false;
    }
    return true;
}

struct comparison {
    struct eval *eval;
    const struct tk_ql_node *node;
    const struct tk_ql_value *other; /* what an element of a list is compared with */
    bool element_is_left;
    bool all, some, comparable;
};

static bool compare(struct comparison *comparison, const struct tk_ql_value *a,
                    const struct tk_ql_value *b);

static bool
compare_element(void *arg, tk_str key, struct tk_value element)
{
    struct comparison *list = arg;
    struct comparison single = {.eval = list->eval, .node = list->node};
    struct tk_ql_value value = attribute_value(&element);
    (void)key;
    if (value.type == TK_QL_ARRAY)
        return true;
    bool holds = list->element_is_left ? compare(&single, &value, list->other)
                                       : compare(&single, list->other, &value);
    list->comparable = list->comparable || single.comparable;
    list->some = list->some || holds;
    list->all = list->all && (holds || !single.comparable);
    return list->eval->status == TK_OK;
}

static bool
compare_list(struct comparison *c, const struct tk_ql_value *a, const struct tk_ql_value *b)
{
    bool negative = c->node->op == TK_QL_NE || c->node->op == TK_QL_NRE;
    struct comparison list = {.eval = c->eval, .node = c->node, .all = true};
    list.element_is_left = a->type == TK_QL_ARRAY;
    list.other = list.element_is_left ? b : a;
    if (list.other->type == TK_QL_ARRAY)
        return false;
    tk_value_each(list.element_is_left ? a->array : b->array, compare_element, &list);
    return negative ? list.comparable && list.all : list.some;
}

static bool
compare_regex(struct comparison *c, const struct tk_ql_value *subject)
{
    bool matches = false;
    if (subject->type != TK_QL_STRING)
        return false;
    c->comparable = true;
    enum tk_err result = tk_regex_match(c->node->regex, subject->text, &matches);
    if (result != TK_OK) {
        c->eval->status = result;
        return false;
    }
    return matches == (c->node->op == TK_QL_RE);
}

static bool
compare(struct comparison *c, const struct tk_ql_value *a, const struct tk_ql_value *b)
{
    enum tk_ql_op op = c->node->op;
    enum order order;
    if (a->type == TK_QL_NIL || b->type == TK_QL_NIL) {
        if (c->node->left.type != TK_QL_NIL && c->node->right.type != TK_QL_NIL)
            return false; /* two that are not there are not equal */
        return op == (a->type == b->type ? TK_QL_EQ : TK_QL_NE);
    }
    if (a->type == TK_QL_ARRAY || b->type == TK_QL_ARRAY)
        return compare_list(c, a, b);
    if (op == TK_QL_RE || op == TK_QL_NRE)
        return compare_regex(c, a);
    if (!order_values(a, b, &order))
        return false;
    c->comparable = true;
    switch (op) {
    case TK_QL_EQ:
        return order == ORDER_EQUAL;
    case TK_QL_NE:
        return order != ORDER_EQUAL;
    case TK_QL_LT:
        return order == ORDER_LESS;
    case TK_QL_LE:
        return order == ORDER_LESS || order == ORDER_EQUAL;
    case TK_QL_GT:
        return order == ORDER_MORE;
    case TK_QL_GE:
        return order == ORDER_MORE || order == ORDER_EQUAL;
    case TK_QL_RE:
    case TK_QL_NRE:
        break;
    }
    return false;
}

/* ---- the tree ---- */

static bool
compare_node(struct eval *eval, const struct tk_ql_node *node, uint32_t row)
{
    struct values left = {.operand = &node->left, .id_text = eval->id_text[0]};
    struct tk_ql_value a, b;
    while (eval->status == TK_OK && next_value(eval, &left, row, &a)) {
        struct values right = {.operand = &node->right, .id_text = eval->id_text[1]};
        while (eval->status == TK_OK && next_value(eval, &right, row, &b)) {
            struct comparison comparison = {.eval = eval, .node = node};
            if (compare(&comparison, &a, &b))
                return true;
        }
    }
    return false;
}

static bool
truth_node(struct eval *eval, const struct tk_ql_node *node, uint32_t row)
{
    struct values values = {.operand = &node->left, .id_text = eval->id_text[0]};
    struct tk_ql_value value;
    while (next_value(eval, &values, row, &value)) {
        if (value.type == TK_QL_BOOL && value.b)
            return true;
    }
    return false;
}

static bool
span_holds(struct eval *eval, const struct tk_ql_node *node, uint32_t row)
{
    const struct tk_ql_node *child;
    switch (node->type) {
    case TK_QL_NODE_AND:
        for (child = node->child; child != NULL; child = child->next) {
            if (!span_holds(eval, child, row))
                return false;
        }
        return true;
    case TK_QL_NODE_OR:
        for (child = node->child; child != NULL; child = child->next) {
            if (span_holds(eval, child, row))
                return true;
        }
        return false;
    case TK_QL_NODE_NOT:
        return !span_holds(eval, node->child, row);
    case TK_QL_NODE_COMPARE:
        return compare_node(eval, node, row);
    default:
        return truth_node(eval, node, row);
    }
}

static bool
spanset_holds(struct eval *eval, const struct tk_ql_node *node)
{
    if (node->child == NULL)
        return eval->trace->span_count > 0;
    for (uint32_t row = 0; row < eval->trace->span_count && eval->status == TK_OK; row++) {
        if (span_holds(eval, node->child, row))
            return true;
    }
    return false;
}

static bool
trace_holds(struct eval *eval, const struct tk_ql_node *node)
{
    bool all = node->type == TK_QL_NODE_SPANSET_AND;
    if (node->type == TK_QL_NODE_SPANSET)
        return spanset_holds(eval, node);
    for (const struct tk_ql_node *child = node->child; child != NULL; child = child->next) {
        if (trace_holds(eval, child) != all)
            return !all;
    }
    return all;
}

/* Marks the spans of a node that holds. */
static void
select_spans(struct eval *eval, const struct tk_ql_node *node, bool *selected)
{
    if (node->type == TK_QL_NODE_SPANSET) {
        for (uint32_t row = 0; row < eval->trace->span_count && eval->status == TK_OK; row++)
            selected[row] =
                selected[row] || node->child == NULL || span_holds(eval, node->child, row);
        return;
    }
    for (const struct tk_ql_node *child = node->child; child != NULL; child = child->next) {
        if (node->type == TK_QL_NODE_SPANSET_AND || trace_holds(eval, child))
            select_spans(eval, child, selected);
    }
}

enum tk_err
tk_query_matches(struct tk_query *query, const struct tk_batch *trace, bool *ret_matches)
{
    struct eval eval = {.query = query, .trace = trace};
    resolve_keys(query, trace);
    bool matches = trace_holds(&eval, query->root);
    if (eval.status != TK_OK)
        return eval.status;
    *ret_matches = matches;
    return TK_OK;
}

enum tk_err
tk_query_select(struct tk_query *query, const struct tk_batch *trace, bool *ret_selected,
                bool *ret_matches)
{
    struct eval eval = {.query = query, .trace = trace};
    resolve_keys(query, trace);
    memset(ret_selected, 0, trace->span_count);
    bool matches = trace_holds(&eval, query->root);
    if (matches && eval.status == TK_OK)
        select_spans(&eval, query->root, ret_selected);
    if (eval.status != TK_OK)
        return eval.status;
    *ret_matches = matches;
    return TK_OK;
}
