/*
 * eval - does a condition hold for a span?
 *
 * The keys of the query's attributes are looked up in the batch's table once; after that a span
 * costs integer comparisons.  A comparison holds when it holds for some value of its operands: an
 * attribute of an event has as many values as the span has such events, and all combinations are
 * tried.  A value that is not there is nil, and compares with nothing but the word nil.  Values of
 * different types are never equal and never unequal, so `!=` too finds only spans that have the
 * attribute.  A list is equal to what one of its elements is equal to, and unequal to what none of
 * them is.
 */
#include "query/eval.h"

#include "base/assert.h"
#include "wire/otlp.h"

enum { TICKS_PER_CLOCK = 4096 };

/* ---- budgets ---- */

void
tk_eval_out_of_memory(struct tk_eval *eval)
{
    eval->status = TK_ERR_LIMIT;
    eval->query->hit = TK_BUDGET_MEMORY;
}

void *
tk_eval_alloc(struct tk_eval *eval, size_t count, size_t size)
{
    struct tk_arena *scratch = &eval->query->scratch;
    void *memory = tk_arena_zalloc(scratch, count > 0 ? count : 1, size);
    if (memory == NULL)
        tk_eval_out_of_memory(eval);
    return memory;
}

bool
tk_eval_tick(struct tk_eval *eval)
{
    struct tk_query *query = eval->query;
    if (++eval->ticks % TICKS_PER_CLOCK == 0 && query->expired != NULL &&
        query->expired(query->expired_arg)) {
        eval->status = TK_ERR_TIMEOUT;
        query->hit = TK_BUDGET_TIME;
    }
    return eval->status == TK_OK;
}

/* ---- keys ---- */

void
tk_eval_begin(struct tk_eval *eval, struct tk_query *query, const struct tk_batch *trace)
{
    *eval = (struct tk_eval){.query = query, .trace = trace};
    query->hit = TK_BUDGET_NONE;
    tk_arena_clear(&query->scratch);
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

static char *
next_id_text(struct tk_eval *eval)
{
    return eval->id_text[eval->id_text_at++ % TK_EVAL_ID_TEXTS];
}

static struct tk_ql_value
trace_id_value(struct tk_eval *eval, struct tk_trace_id id)
{
    char *text = next_id_text(eval);
    tk_trace_id_format(id, text);
    return string_value((tk_str){text, TK_TRACE_ID_HEX});
}

static struct tk_ql_value
span_id_value(struct tk_eval *eval, tk_span_id id)
{
    char *text = next_id_text(eval);
    if (id == 0)
        return string_value(TK_STR_NONE);
    tk_span_id_format(id, text);
    return string_value((tk_str){text, TK_SPAN_ID_HEX});
}

/* ---- structure ---- */

static struct tk_structure *
build_structure(struct tk_eval *eval)
{
    uint32_t count = eval->trace->span_count;
    struct tk_structure *s = tk_eval_alloc(eval, 1, sizeof *s);
    if (s == NULL)
        return NULL;
    s->position = tk_eval_alloc(eval, count, sizeof *s->position);
    s->end = tk_eval_alloc(eval, count, sizeof *s->end);
    s->child_count = tk_eval_alloc(eval, count, sizeof *s->child_count);
    if (s->position == NULL || s->end == NULL || s->child_count == NULL)
        return NULL;
    if (tk_tree_build(eval->trace, &eval->query->scratch, &s->tree) != TK_OK) {
        tk_eval_out_of_memory(eval);
        return NULL;
    }
    for (uint32_t i = count; i-- > 0;) { /* children stand behind their parent */
        uint32_t parent = s->tree.parent[i];
        s->position[s->tree.row[i]] = i;
        if (s->end[i] == 0)
            s->end[i] = i + 1;
        if (parent == TK_NO_SPAN)
            continue;
        s->child_count[parent]++;
        if (s->end[parent] < s->end[i])
            s->end[parent] = s->end[i];
    }
    return s;
}

const struct tk_structure *
tk_eval_structure(struct tk_eval *eval)
{
    if (eval->structure == NULL && eval->status == TK_OK)
        eval->structure = build_structure(eval);
    return eval->structure;
}

/* TK_NO_SPAN at the top. */
static uint32_t
parent_row(struct tk_eval *eval, uint32_t row)
{
    const struct tk_structure *structure = tk_eval_structure(eval);
    if (structure == NULL)
        return TK_NO_SPAN;
    uint32_t parent = structure->tree.parent[structure->position[row]];
    return parent == TK_NO_SPAN ? TK_NO_SPAN : structure->tree.row[parent];
}

static uint32_t
root_of(struct tk_eval *eval)
{
    if (!eval->have_root)
        eval->root = tk_trace_root(eval->trace);
    eval->have_root = true;
    return eval->root;
}

static int64_t
trace_duration(struct tk_eval *eval)
{
    if (!eval->have_times)
        tk_trace_times(eval->trace, &eval->start_nano, &eval->end_nano);
    eval->have_times = true;
    return (int64_t)(eval->end_nano - eval->start_nano);
}

/* Numbers that a walk through the tree gives out, one on the way into a span and one on the way
   out: a span's descendants lie between its two. */
static int64_t
nested_left(const struct tk_tree *tree, uint32_t position)
{
    return 2 * (int64_t)position - tree->depth[position] + 1;
}

static struct tk_ql_value
structure_value(struct tk_eval *eval, enum tk_ql_intrinsic intrinsic, uint32_t row)
{
    const struct tk_structure *structure = tk_eval_structure(eval);
    if (structure == NULL)
        return int_value(TK_QL_NIL, 0);
    const struct tk_tree *tree = &structure->tree;
    uint32_t position = structure->position[row], parent = tree->parent[position];
    switch (intrinsic) {
    case TK_QL_CHILD_COUNT:
        return int_value(TK_QL_INT, structure->child_count[position]);
    case TK_QL_NESTED_LEFT:
        return int_value(TK_QL_INT, nested_left(tree, position));
    case TK_QL_NESTED_RIGHT:
        return int_value(TK_QL_INT, nested_left(tree, position) +
                                        2 * (int64_t)(structure->end[position] - position) - 1);
    default:
        return int_value(TK_QL_INT, parent == TK_NO_SPAN ? -1 : nested_left(tree, parent));
    }
}

static struct tk_ql_value
intrinsic_value(struct tk_eval *eval, enum tk_ql_intrinsic intrinsic, uint32_t row, uint32_t at)
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
        return span_id_value(eval, t->span_id[row]);
    case TK_QL_PARENT_ID:
        return span_id_value(eval, t->parent_id[row]);
    case TK_QL_TRACE_ID:
        return trace_id_value(eval, t->trace_id[row]);
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
        return trace_id_value(eval, t->link[at].trace_id);
    case TK_QL_LINK_SPAN_ID:
        return span_id_value(eval, t->link[at].span_id);
    case TK_QL_SCOPE_NAME:
        return string_value(t->scopes[t->scope[row]].name);
    case TK_QL_SCOPE_VERSION:
        return string_value(t->scopes[t->scope[row]].version);
    case TK_QL_CHILD_COUNT:
    case TK_QL_NESTED_LEFT:
    case TK_QL_NESTED_RIGHT:
    case TK_QL_NESTED_PARENT:
        return structure_value(eval, intrinsic, row);
    }
    return int_value(TK_QL_NIL, 0);
}

/* A resource without service.name is of the service "unknown_service", everywhere. */
static struct tk_ql_value
resource_value(struct tk_eval *eval, const struct tk_ql_operand *operand, uint32_t row)
{
    const struct tk_batch *t = eval->trace;
    if (tk_str_eq(operand->names[0], TK_STR("service.name")))
        return string_value(tk_batch_service(t, row));
    return tk_ql_value_of(find_attr(t, t->resources[t->resource[row]].attrs, operand));
}

static struct tk_ql_value
span_attribute(struct tk_eval *eval, const struct tk_ql_operand *operand, uint32_t row)
{
    const struct tk_batch *t = eval->trace;
    const struct tk_value *value;
    switch (operand->scope) {
    case TK_QL_RESOURCE:
        return resource_value(eval, operand, row);
    case TK_QL_INSTRUMENTATION:
        return tk_ql_value_of(find_attr(t, t->scopes[t->scope[row]].attrs, operand));
    default:
        value = find_attr(t, t->attrs[row], operand);
        if (value == NULL && operand->scope == TK_QL_UNSCOPED)
            return resource_value(eval, operand, row);
        return tk_ql_value_of(value);
    }
}

/* ---- events and links: many values ---- */

static bool
is_of_event(const struct tk_ql_operand *operand)
{
    return operand->form == TK_QL_ATTRIBUTE ? operand->scope == TK_QL_EVENT
                                            : operand->intrinsic == TK_QL_EVENT_NAME ||
                                                  operand->intrinsic == TK_QL_EVENT_SINCE_START;
}

static bool
is_of_link(const struct tk_ql_operand *operand)
{
    return operand->form == TK_QL_ATTRIBUTE ? operand->scope == TK_QL_LINK
                                            : operand->intrinsic == TK_QL_LINK_TRACE_ID ||
                                                  operand->intrinsic == TK_QL_LINK_SPAN_ID;
}

/* The first event or link from `from` on (counted within the span) that has the value; TK_NO_SPAN
   when there is none. */
static uint32_t
find_at(struct tk_eval *eval, const struct tk_ql_operand *operand, uint32_t row, uint32_t from)
{
    const struct tk_batch *t = eval->trace;
    bool of_event = is_of_event(operand);
    if (operand->parent)
        row = parent_row(eval, row);
    if (row == TK_NO_SPAN)
        return TK_NO_SPAN;
    struct tk_range range = of_event ? t->events[row] : t->links[row];
    for (uint32_t i = from; i < range.count; i++) {
        uint32_t at = range.begin + i;
        if (operand->form == TK_QL_INTRINSIC)
            return i;
        const struct tk_value *value =
            find_attr(t, of_event ? t->event[at].attrs : t->link[at].attrs, operand);
        if (value != NULL && value->type != TK_VALUE_EMPTY)
            return i;
    }
    return TK_NO_SPAN;
}

void
tk_eval_first(struct tk_eval *eval, const struct tk_ql_node *owner, uint32_t row)
{
    for (struct tk_ql_node *one = owner->many; one != NULL; one = one->next_many)
        one->operand.at = find_at(eval, &one->operand, row, 0);
}

bool
tk_eval_next(struct tk_eval *eval, const struct tk_ql_node *owner, uint32_t row)
{
    for (struct tk_ql_node *one = owner->many; one != NULL && tk_eval_tick(eval);
         one = one->next_many) {
        struct tk_ql_operand *operand = &one->operand;
        uint32_t next =
            operand->at == TK_NO_SPAN ? TK_NO_SPAN : find_at(eval, operand, row, operand->at + 1);
        if (next != TK_NO_SPAN) {
            operand->at = next;
            return true;
        }
        operand->at = find_at(eval, operand, row, 0); /* and the next operand moves on */
    }
    return false;
}

static struct tk_ql_value
operand_value(struct tk_eval *eval, const struct tk_ql_operand *operand, uint32_t row)
{
    const struct tk_batch *t = eval->trace;
    uint32_t at = 0;
    if (operand->form == TK_QL_STATIC)
        return operand->value;
    if (operand->parent)
        row = parent_row(eval, row);
    if (row == TK_NO_SPAN)
        return int_value(TK_QL_NIL, 0);
    bool of_event = is_of_event(operand), of_link = is_of_link(operand);
    if (of_event || of_link) {
        if (operand->at == TK_NO_SPAN)
            return int_value(TK_QL_NIL, 0);
        at = (of_event ? t->events[row].begin : t->links[row].begin) + operand->at;
    }
    if (operand->form == TK_QL_INTRINSIC)
        return intrinsic_value(eval, operand->intrinsic, row, at);
    if (of_event || of_link)
        return tk_ql_value_of(
            find_attr(t, of_event ? t->event[at].attrs : t->link[at].attrs, operand));
    return span_attribute(eval, operand, row);
}

struct tk_ql_value
tk_eval_value(struct tk_eval *eval, const struct tk_ql_node *node, uint32_t row)
{
    static const struct tk_ql_value zero = {.type = TK_QL_INT};
    struct tk_ql_value a, b;
    switch (node->type) {
    case TK_QL_NODE_OPERAND:
        return operand_value(eval, &node->operand, row);
    case TK_QL_NODE_NEGATE:
        a = tk_eval_value(eval, node->child, row);
        return tk_ql_calculate(TK_QL_SUB, &zero, &a);
    case TK_QL_NODE_ARITHMETIC:
        a = tk_eval_value(eval, node->child, row);
        b = tk_eval_value(eval, node->child->next, row);
        return tk_ql_calculate(node->arithmetic, &a, &b);
    case TK_QL_NODE_AGGREGATE:
        return eval->aggregates[node->number][row];
    default:
        return (struct tk_ql_value){.type = TK_QL_BOOL, .b = tk_eval_holds(eval, node, row)};
    }
}

/* ---- comparing ---- */

struct comparison {
    struct tk_eval *eval;
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
    struct tk_ql_value value = tk_ql_value_of(&element);
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
        c->eval->query->hit = TK_BUDGET_REGEX;
        return false;
    }
    return matches == (c->node->op == TK_QL_RE);
}

/* The word nil. */
static bool
is_nil(const struct tk_ql_node *node)
{
    return node->type == TK_QL_NODE_OPERAND && node->operand.form == TK_QL_STATIC &&
           node->value_type == TK_QL_NIL;
}

static bool
compare(struct comparison *c, const struct tk_ql_value *a, const struct tk_ql_value *b)
{
    enum tk_ql_op op = c->node->op;
    enum tk_ql_order order;
    if (a->type == TK_QL_NIL || b->type == TK_QL_NIL) {
        if (!is_nil(c->node->child) && !is_nil(c->node->child->next))
            return false; /* two that are not there are not equal */
        return op == (a->type == b->type ? TK_QL_EQ : TK_QL_NE);
    }
    if (a->type == TK_QL_ARRAY || b->type == TK_QL_ARRAY)
        return compare_list(c, a, b);
    if (op == TK_QL_RE || op == TK_QL_NRE)
        return compare_regex(c, a);
    if (!tk_ql_order(a, b, &order))
        return false;
    c->comparable = true;
    switch (op) {
    case TK_QL_EQ:
        return order == TK_QL_SAME;
    case TK_QL_NE:
        return order != TK_QL_SAME;
    case TK_QL_LT:
        return order == TK_QL_LESS;
    case TK_QL_LE:
        return order == TK_QL_LESS || order == TK_QL_SAME;
    case TK_QL_GT:
        return order == TK_QL_MORE;
    case TK_QL_GE:
        return order == TK_QL_MORE || order == TK_QL_SAME;
    case TK_QL_RE:
    case TK_QL_NRE:
        break;
    }
    return false;
}

/* ---- conditions ---- */

static bool
compare_node(struct tk_eval *eval, const struct tk_ql_node *node, uint32_t row)
{
    tk_eval_first(eval, node, row);
    do {
        struct tk_ql_value a = tk_eval_value(eval, node->child, row);
        struct tk_ql_value b = tk_eval_value(eval, node->child->next, row);
        struct comparison comparison = {.eval = eval, .node = node};
        if (compare(&comparison, &a, &b))
            return true;
    } while (tk_eval_next(eval, node, row));
    return false;
}

static bool
truth_node(struct tk_eval *eval, const struct tk_ql_node *node, uint32_t row)
{
    tk_eval_first(eval, node, row);
    do {
        struct tk_ql_value value = tk_eval_value(eval, node, row);
        if (value.type == TK_QL_BOOL && value.b)
            return true;
    } while (tk_eval_next(eval, node, row));
    return false;
}

bool
tk_eval_holds(struct tk_eval *eval, const struct tk_ql_node *node, uint32_t row)
{
    const struct tk_ql_node *child;
    switch (node->type) {
    case TK_QL_NODE_AND:
        for (child = node->child; child != NULL; child = child->next) {
            if (!tk_eval_holds(eval, child, row))
                return false;
        }
        return true;
    case TK_QL_NODE_OR:
        for (child = node->child; child != NULL; child = child->next) {
            if (tk_eval_holds(eval, child, row))
                return true;
        }
        return false;
    case TK_QL_NODE_NOT:
        return !tk_eval_holds(eval, node->child, row);
    case TK_QL_NODE_COMPARE:
        return compare_node(eval, node, row);
    default:
        return truth_node(eval, node, row);
    }
}
