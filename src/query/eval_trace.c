/*
 * eval_trace - spansets and pipelines over a whole trace.
 *
 * The spans at hand are in groups: one at first, more after by().  A spanset is asked of each group
 * by itself, so that `{ } && { }` or `{ } >> { }` hold between spans of one group only.  A span is
 * in one group or in none, so groups are one number a row; whatever is done to all groups is one
 * pass over the trace.
 *
 * Relations walk the tree in display order, parents before children, with a count for each group of
 * the spans that are open (descendants) or have been seen (ancestors): linear, however deep.
 */
#include "query/eval.h"

#include "base/assert.h"

struct groups {
    uint32_t *of; /* by row; TK_NO_GROUP */
    uint32_t count;
    const struct tk_field_list **fields; /* by group: what stages said of it */
};

static void eval_spansets(struct tk_eval *eval, const struct tk_ql_node *node,
                          const struct groups *in, bool *out);
static void run_pipeline(struct tk_eval *eval, const struct tk_ql_node *node,
                         struct groups *groups);

/* ---- and, or ---- */

static void
eval_filter(struct tk_eval *eval, const struct tk_ql_node *node, const struct groups *in, bool *out)
{
    for (uint32_t row = 0; row < eval->trace->span_count && tk_eval_tick(eval); row++)
        out[row] = in->of[row] != TK_NO_GROUP &&
                   (node->child == NULL || tk_eval_holds(eval, node->child, row));
}

/* AND: the spans of all children, in the groups where each child has some.  OR: of any child. */
static void
eval_several(struct tk_eval *eval, const struct tk_ql_node *node, const struct groups *in,
             bool *out)
{
    uint32_t span_count = eval->trace->span_count, wanted = 0;
    bool *one = tk_eval_alloc(eval, span_count, sizeof *one);
    uint32_t *met = tk_eval_alloc(eval, in->count, sizeof *met); /* children, by group */
    if (one == NULL || met == NULL)
        return;
    memset(out, 0, span_count);
    for (const struct tk_ql_node *child = node->child; child != NULL; child = child->next) {
        eval_spansets(eval, child, in, one);
        if (eval->status != TK_OK)
            return;
        for (uint32_t row = 0; row < span_count; row++) {
            if (one[row] && met[in->of[row]] == wanted)
                met[in->of[row]]++;
            out[row] = out[row] || one[row];
        }
        wanted++;
    }
    if (node->type == TK_QL_NODE_SPANSET_OR)
        return;
    for (uint32_t row = 0; row < span_count; row++)
        out[row] = out[row] && met[in->of[row]] == wanted;
}

/* ---- relations ---- */

struct relation {
    struct tk_eval *eval;
    const struct tk_structure *structure;
    const struct groups *in;
    uint32_t *count; /* by group */
    uint32_t *stack; /* positions */
};

/* Marks the spans of `to` that are a child of one of `from`, or the parent of one. */
static void
mark_family(const struct relation *r, bool parents, const bool *from, const bool *to, bool *out)
{
    const struct tk_tree *tree = &r->structure->tree;
    for (uint32_t i = 0; i < tree->span_count; i++) {
        uint32_t child = tree->row[i];
        if (tree->parent[i] == TK_NO_SPAN)
            continue;
        uint32_t parent = tree->row[tree->parent[i]];
        if (r->in->of[child] != r->in->of[parent])
            continue;
        if (parents)
            out[parent] = out[parent] || (from[child] && to[parent]);
        else
            out[child] = out[child] || (from[parent] && to[child]);
    }
}

/* Leaves the spans that `position` is not below. */
static uint32_t
close_spans(const struct relation *r, const bool *from, uint32_t height, uint32_t position)
{
    while (height > 0 && r->structure->end[r->stack[height - 1]] <= position) {
        uint32_t row = r->structure->tree.row[r->stack[--height]];
        if (from[row])
            r->count[r->in->of[row]]--;
    }
    return height;
}

/* Spans of `to` below one of `from`: some of its group is open when the walk comes by. */
static void
mark_descendants(const struct relation *r, const bool *from, const bool *to, bool *out)
{
    const struct tk_tree *tree = &r->structure->tree;
    uint32_t height = 0;
    memset(r->count, 0, r->in->count * sizeof *r->count);
    for (uint32_t i = 0; i < tree->span_count; i++) {
        uint32_t row = tree->row[i];
        height = close_spans(r, from, height, i);
        if (to[row] && r->count[r->in->of[row]] > 0)
            out[row] = true;
        if (from[row])
            r->count[r->in->of[row]]++;
        r->stack[height++] = i;
    }
}

/* Spans of `to` above one of `from`: its group has seen some between its opening and its end. */
static void
mark_ancestors(const struct relation *r, const bool *from, const bool *to, bool *out)
{
    const struct tk_tree *tree = &r->structure->tree;
    uint32_t *before = tk_eval_alloc(r->eval, tree->span_count, sizeof *before); /* by position */
    uint32_t height = 0;
    if (before == NULL)
        return;
    memset(r->count, 0, r->in->count * sizeof *r->count);
    for (uint32_t i = 0; i <= tree->span_count; i++) {
        while (height > 0 && r->structure->end[r->stack[height - 1]] <= i) {
            uint32_t position = r->stack[--height], row = tree->row[position];
            if (to[row] && r->count[r->in->of[row]] > before[position])
                out[row] = true;
        }
        if (i == tree->span_count)
            break;
        uint32_t row = tree->row[i], group = r->in->of[row];
        r->stack[height++] = i;
        if (group != TK_NO_GROUP) {
            r->count[group] += from[row];
            before[i] = r->count[group]; /* itself counted: what follows is below it */
        }
    }
}

/* Spans of `to` with the parent of another one of `from`.  Children are chained by parent; each
   chain is gone through three times: count, ask, and set the counts back. */
static void
mark_siblings(const struct relation *r, const bool *from, const bool *to, bool *out)
{
    const struct tk_tree *tree = &r->structure->tree;
    uint32_t *first = tk_eval_alloc(r->eval, tree->span_count, sizeof *first);
    uint32_t *next = tk_eval_alloc(r->eval, tree->span_count, sizeof *next);
    if (first == NULL || next == NULL)
        return;
    memset(r->count, 0, r->in->count * sizeof *r->count);
    for (uint32_t i = 0; i < tree->span_count; i++) { /* position + 1; 0: none */
        uint32_t parent = tree->parent[i];
        if (parent == TK_NO_SPAN || r->in->of[tree->row[i]] == TK_NO_GROUP)
            continue;
        next[i] = first[parent];
        first[parent] = i + 1;
    }
    for (uint32_t parent = 0; parent < tree->span_count; parent++) {
        for (uint32_t at = first[parent]; at != 0; at = next[at - 1])
            r->count[r->in->of[tree->row[at - 1]]] += from[tree->row[at - 1]];
        for (uint32_t at = first[parent]; at != 0; at = next[at - 1]) {
            uint32_t row = tree->row[at - 1];
            if (to[row] && r->count[r->in->of[row]] > from[row])
                out[row] = true;
        }
        for (uint32_t at = first[parent]; at != 0; at = next[at - 1])
            r->count[r->in->of[tree->row[at - 1]]] = 0;
    }
}

static void
mark_related(const struct relation *r, enum tk_ql_relation relation, const bool *from,
             const bool *to, bool *out)
{
    switch (relation) {
    case TK_QL_CHILD:
    case TK_QL_PARENT:
        mark_family(r, relation == TK_QL_PARENT, from, to, out);
        break;
    case TK_QL_DESCENDANT:
        mark_descendants(r, from, to, out);
        break;
    case TK_QL_ANCESTOR:
        mark_ancestors(r, from, to, out);
        break;
    case TK_QL_SIBLING:
        mark_siblings(r, from, to, out);
        break;
    }
}

static enum tk_ql_relation
reverse(enum tk_ql_relation relation)
{
    static const enum tk_ql_relation reverses[] = {
        [TK_QL_CHILD] = TK_QL_PARENT,        [TK_QL_PARENT] = TK_QL_CHILD,
        [TK_QL_DESCENDANT] = TK_QL_ANCESTOR, [TK_QL_ANCESTOR] = TK_QL_DESCENDANT,
        [TK_QL_SIBLING] = TK_QL_SIBLING,
    };
    return reverses[relation];
}

/* The spans on the right that stand so to some on the left (or, negated, to none of them); `both`:
   those on the left too. */
static void
eval_relation(struct tk_eval *eval, const struct tk_ql_node *node, const struct groups *in,
              bool *out)
{
    uint32_t span_count = eval->trace->span_count;
    bool *left = tk_eval_alloc(eval, span_count, sizeof *left);
    bool *right = tk_eval_alloc(eval, span_count, sizeof *right);
    struct relation r = {.eval = eval, .in = in};
    if (left == NULL || right == NULL)
        return;
    eval_spansets(eval, node->child, in, left);
    eval_spansets(eval, node->child->next, in, right);
    r.structure = tk_eval_structure(eval);
    r.count = tk_eval_alloc(eval, in->count, sizeof *r.count);
    r.stack = tk_eval_alloc(eval, span_count, sizeof *r.stack);
    if (eval->status != TK_OK)
        return;
    memset(out, 0, span_count);
    mark_related(&r, node->relation, left, right, out);
    if (node->both)
        mark_related(&r, reverse(node->relation), right, left, out);
    for (uint32_t row = 0; row < span_count && node->negated; row++)
        out[row] = right[row] && !out[row];
}

static void
eval_wrapped(struct tk_eval *eval, const struct tk_ql_node *node, const struct groups *in,
             bool *out)
{
    uint32_t span_count = eval->trace->span_count;
    struct groups groups = {.count = in->count};
    groups.of = tk_eval_alloc(eval, span_count, sizeof *groups.of);
    groups.fields = tk_eval_alloc(eval, in->count, sizeof *groups.fields);
    if (groups.of == NULL || groups.fields == NULL)
        return;
    memcpy(groups.of, in->of, span_count * sizeof *groups.of);
    run_pipeline(eval, node, &groups);
    for (uint32_t row = 0; row < span_count; row++)
        out[row] = groups.of[row] != TK_NO_GROUP;
}

static void
eval_spansets(struct tk_eval *eval, const struct tk_ql_node *node, const struct groups *in,
              bool *out)
{
    if (node->type == TK_QL_NODE_SPANSET)
        eval_filter(eval, node, in, out);
    else if (node->type == TK_QL_NODE_RELATION)
        eval_relation(eval, node, in, out);
    else if (node->type == TK_QL_NODE_PIPELINE)
        eval_wrapped(eval, node, in, out);
    else
        eval_several(eval, node, in, out);
}

/* ---- stages ---- */

/* `field` in front of what is known of a group. */
static const struct tk_field_list *
add_field(struct tk_eval *eval, tk_str name, const struct tk_ql_value *value,
          const struct tk_field_list *rest)
{
    struct tk_field_list *list = tk_eval_alloc(eval, 1, sizeof *list);
    if (list == NULL)
        return rest;
    list->field.name = name;
    list->field.value = tk_ql_plain(value);
    list->field.nano = value->type == TK_QL_DURATION;
    if (value->type == TK_QL_STRING) { /* ids are formatted, and gone soon */
        tk_str text = tk_arena_copy(&eval->query->scratch, value->text);
        if (text.ptr == NULL)
            tk_eval_out_of_memory(eval);
        list->field.value.ptr = text.ptr;
    }
    list->next = rest;
    return list;
}

/* What makes two values one group: the bytes behind group and type. */
static tk_str
group_key(struct tk_buf *key, uint32_t group, const struct tk_ql_value *value)
{
    struct tk_value plain = tk_ql_plain(value);
    tk_buf_clear(key);
    tk_buf_append(key, (tk_str){(const char *)&group, sizeof group});
    tk_buf_append_char(key, (char)plain.type);
    if (plain.type == TK_VALUE_BOOL)
        tk_buf_append_char(key, (char)plain.b);
    else if (plain.type == TK_VALUE_INT || plain.type == TK_VALUE_DOUBLE)
        tk_buf_append(key, (tk_str){(const char *)&plain.i, sizeof plain.i});
    else if (plain.type != TK_VALUE_EMPTY)
        tk_buf_append(key, tk_value_str(plain));
    return tk_buf_str(key);
}

static void
split_groups(struct tk_eval *eval, const struct tk_ql_node *node, struct groups *groups)
{
    uint32_t span_count = eval->trace->span_count;
    const struct tk_field_list **fields = tk_eval_alloc(eval, span_count, sizeof *fields);
    struct tk_intern keys;
    struct tk_buf key;
    enum tk_err result = TK_OK;
    if (fields == NULL)
        return;
    tk_intern_init(&keys, span_count);
    tk_buf_init(&key, SIZE_MAX / 2); /* values are of spans, which the store bounds */
    for (uint32_t row = 0; row < span_count && tk_eval_tick(eval); row++) {
        uint32_t group = groups->of[row], known = keys.count;
        if (group == TK_NO_GROUP)
            continue;
        tk_eval_first(eval, node->child, row);
        struct tk_ql_value value = tk_eval_value(eval, node->child, row);
        tk_str text = group_key(&key, group, &value);
        result = key.status;
        if (result == TK_OK)
            result = tk_intern_copy(&keys, &eval->query->scratch, text, &groups->of[row]);
        if (result != TK_OK) {
            tk_eval_out_of_memory(eval);
            break;
        }
        if (keys.count > known)
            fields[known] = add_field(eval, node->child->text, &value, groups->fields[group]);
    }
    groups->count = keys.count;
    groups->fields = fields;
    tk_buf_release(&key);
    tk_intern_release(&keys);
}

static void
join_groups(struct groups *groups, uint32_t span_count)
{
    for (uint32_t row = 0; row < span_count; row++) {
        if (groups->of[row] != TK_NO_GROUP)
            groups->of[row] = 0;
    }
    if (groups->count > 0)
        groups->fields[0] = NULL;
    groups->count = groups->count > 0 ? 1 : 0;
}

/* Takes one more value of one span into the aggregate of its group. */
static void
add_value(enum tk_ql_aggregate how, struct tk_ql_value *total, const struct tk_ql_value *value)
{
    enum tk_ql_order order = TK_QL_NO_ORDER;
    if (!tk_ql_is_number(value->type))
        return;
    if (total->type == TK_QL_NIL) {
        *total = *value;
        return;
    }
    if (how == TK_QL_SUM || how == TK_QL_AVG)
        *total = tk_ql_calculate(TK_QL_ADD, total, value);
    else if (tk_ql_order(value, total, &order) &&
             order == (how == TK_QL_MAX ? TK_QL_MORE : TK_QL_LESS))
        *total = *value;
}

static void
aggregate(struct tk_eval *eval, const struct tk_ql_node *node, const struct groups *groups)
{
    struct tk_ql_value *totals = tk_eval_alloc(eval, groups->count, sizeof *totals);
    int64_t *counts = tk_eval_alloc(eval, groups->count, sizeof *counts);
    eval->aggregates[node->number] = totals;
    if (totals == NULL || counts == NULL)
        return;
    for (uint32_t group = 0; group < groups->count; group++)
        totals[group].type = TK_QL_NIL;
    for (uint32_t row = 0; row < eval->trace->span_count && tk_eval_tick(eval); row++) {
        uint32_t group = groups->of[row];
        if (group == TK_NO_GROUP)
            continue;
        if (node->child == NULL) {
            counts[group]++;
            continue;
        }
        tk_eval_first(eval, node->child, row);
        do {
            struct tk_ql_value value = tk_eval_value(eval, node->child, row);
            counts[group] += tk_ql_is_number(value.type);
            add_value(node->aggregate, &totals[group], &value);
        } while (tk_eval_next(eval, node->child, row));
    }
    for (uint32_t group = 0; group < groups->count; group++) {
        struct tk_ql_value count = {.type = TK_QL_INT, .i = counts[group]};
        if (node->aggregate == TK_QL_COUNT)
            totals[group] = count;
        if (node->aggregate != TK_QL_AVG || totals[group].type == TK_QL_NIL)
            continue;
        bool times = totals[group].type == TK_QL_DURATION;
        count = (struct tk_ql_value){.type = TK_QL_FLOAT, .d = (double)counts[group]};
        totals[group] = tk_ql_calculate(TK_QL_DIV, &totals[group], &count);
        if (times && totals[group].type == TK_QL_FLOAT && totals[group].d < 0x1p62)
            totals[group] =
                (struct tk_ql_value){.type = TK_QL_DURATION, .i = (int64_t)(totals[group].d + 0.5)};
    }
}

/* All aggregates below, and their values as what is known of the groups. */
static void
aggregate_all(struct tk_eval *eval, const struct tk_ql_node *node, struct groups *groups)
{
    if (node->type != TK_QL_NODE_AGGREGATE) {
        for (const struct tk_ql_node *child = node->child; child != NULL; child = child->next)
            aggregate_all(eval, child, groups);
        return;
    }
    aggregate(eval, node, groups);
    for (uint32_t group = 0; group < groups->count && eval->status == TK_OK; group++)
        groups->fields[group] = add_field(eval, node->text, &eval->aggregates[node->number][group],
                                          groups->fields[group]);
}

static void
keep_groups(struct tk_eval *eval, const struct tk_ql_node *node, struct groups *groups)
{
    uint32_t span_count = eval->trace->span_count;
    bool *keep = tk_eval_alloc(eval, groups->count, sizeof *keep);
    if (eval->aggregates == NULL)
        eval->aggregates =
            tk_eval_alloc(eval, eval->query->aggregate_count, sizeof *eval->aggregates);
    if (keep == NULL || eval->aggregates == NULL)
        return;
    aggregate_all(eval, node->child, groups);
    for (uint32_t group = 0; group < groups->count && eval->status == TK_OK; group++)
        keep[group] = tk_eval_holds(eval, node->child, group);
    for (uint32_t row = 0; row < span_count; row++) {
        if (groups->of[row] != TK_NO_GROUP && !keep[groups->of[row]])
            groups->of[row] = TK_NO_GROUP;
    }
}

/* Groups without spans are none: count() is of spans there are. */
static void
drop_empty(struct tk_eval *eval, struct groups *groups)
{
    uint32_t count = 0;
    uint32_t *number = tk_eval_alloc(eval, groups->count, sizeof *number); /* new + 1 */
    if (number == NULL)
        return;
    for (uint32_t row = 0; row < eval->trace->span_count; row++) {
        if (groups->of[row] != TK_NO_GROUP)
            number[groups->of[row]] = 1;
    }
    for (uint32_t group = 0; group < groups->count; group++) {
        if (number[group] == 0)
            continue;
        groups->fields[count] = groups->fields[group];
        number[group] = ++count;
    }
    for (uint32_t row = 0; row < eval->trace->span_count; row++) {
        if (groups->of[row] != TK_NO_GROUP)
            groups->of[row] = number[groups->of[row]] - 1;
    }
    groups->count = count;
}

static void
filter_groups(struct tk_eval *eval, const struct tk_ql_node *node, struct groups *groups)
{
    uint32_t span_count = eval->trace->span_count;
    bool *selected = tk_eval_alloc(eval, span_count, sizeof *selected);
    if (selected == NULL)
        return;
    eval_spansets(eval, node, groups, selected);
    for (uint32_t row = 0; row < span_count; row++) {
        if (!selected[row])
            groups->of[row] = TK_NO_GROUP;
    }
}

static void
run_stage(struct tk_eval *eval, const struct tk_ql_node *stage, struct groups *groups)
{
    switch (stage->type) {
    case TK_QL_NODE_BY:
        split_groups(eval, stage, groups);
        break;
    case TK_QL_NODE_COALESCE:
        join_groups(groups, eval->trace->span_count);
        break;
    case TK_QL_NODE_SCALAR:
        keep_groups(eval, stage, groups);
        break;
    case TK_QL_NODE_SELECT:
        return; /* says what to show */
    default:
        filter_groups(eval, stage, groups);
        break;
    }
    if (eval->status == TK_OK)
        drop_empty(eval, groups);
}

static void
run_pipeline(struct tk_eval *eval, const struct tk_ql_node *node, struct groups *groups)
{
    if (node->type != TK_QL_NODE_PIPELINE) {
        run_stage(eval, node, groups);
        return;
    }
    for (const struct tk_ql_node *stage = node->child; stage != NULL && eval->status == TK_OK;
         stage = stage->next)
        run_stage(eval, stage, groups);
}

/* ---- the whole query ---- */

static void
run(struct tk_eval *eval, struct groups *groups)
{
    uint32_t span_count = eval->trace->span_count;
    *groups = (struct groups){.count = span_count > 0};
    groups->of = tk_eval_alloc(eval, span_count, sizeof *groups->of);
    groups->fields = tk_eval_alloc(eval, 1, sizeof *groups->fields);
    if (groups->of != NULL && groups->fields != NULL)
        run_pipeline(eval, eval->query->root, groups);
}

/* Spansets without relations hold at the first span that fulfils them: no groups are needed. */
static bool
is_plain(const struct tk_ql_node *node)
{
    if (node->type == TK_QL_NODE_SPANSET)
        return true;
    if (node->type != TK_QL_NODE_SPANSET_AND && node->type != TK_QL_NODE_SPANSET_OR)
        return false;
    for (const struct tk_ql_node *child = node->child; child != NULL; child = child->next) {
        if (!is_plain(child))
            return false;
    }
    return true;
}

static bool
plain_holds(struct tk_eval *eval, const struct tk_ql_node *node)
{
    bool all = node->type == TK_QL_NODE_SPANSET_AND;
    if (node->type == TK_QL_NODE_SPANSET) {
        for (uint32_t row = 0; row < eval->trace->span_count && tk_eval_tick(eval); row++) {
            if (node->child == NULL || tk_eval_holds(eval, node->child, row))
                return true;
        }
        return false;
    }
    for (const struct tk_ql_node *child = node->child; child != NULL; child = child->next) {
        if (plain_holds(eval, child) != all)
            return !all;
    }
    return all;
}

enum tk_err
tk_query_matches(struct tk_query *query, const struct tk_batch *trace, bool *ret_matches)
{
    struct tk_eval eval;
    struct groups groups = {.count = 0};
    bool matches = false;
    tk_eval_begin(&eval, query, trace);
    if (is_plain(query->root))
        matches = plain_holds(&eval, query->root);
    else
        run(&eval, &groups);
    if (eval.status != TK_OK)
        return eval.status;
    *ret_matches = matches || groups.count > 0;
    return TK_OK;
}

enum tk_err
tk_query_group(struct tk_query *query, const struct tk_batch *trace,
               struct tk_query_groups *ret_groups)
{
    struct tk_eval eval;
    struct groups groups;
    tk_eval_begin(&eval, query, trace);
    run(&eval, &groups);
    if (eval.status != TK_OK)
        return eval.status;
    *ret_groups = (struct tk_query_groups){groups.of, groups.count, groups.fields};
    return TK_OK;
}

const struct tk_field_list *
tk_query_shown(struct tk_query *query, const struct tk_batch *trace, uint32_t row)
{
    struct tk_eval eval = {.query = query, .trace = trace};
    const struct tk_field_list *first = NULL;
    if (query->root->type != TK_QL_NODE_PIPELINE)
        return NULL;
    for (const struct tk_ql_node *stage = query->root->child; stage != NULL; stage = stage->next) {
        if (stage->type != TK_QL_NODE_SELECT)
            continue;
        for (const struct tk_ql_node *field = stage->child; field != NULL; field = field->next) {
            tk_eval_first(&eval, field, row);
            struct tk_ql_value value = tk_eval_value(&eval, field, row);
            if (value.type != TK_QL_NIL)
                first = add_field(&eval, field->text, &value, first);
        }
    }
    return first;
}

enum tk_err
tk_query_select(struct tk_query *query, const struct tk_batch *trace, bool *ret_selected,
                bool *ret_matches)
{
    struct tk_query_groups groups;
    memset(ret_selected, 0, trace->span_count);
    enum tk_err result = tk_query_group(query, trace, &groups);
    if (result != TK_OK)
        return result;
    for (uint32_t row = 0; row < trace->span_count; row++)
        ret_selected[row] = groups.of[row] != TK_NO_GROUP;
    *ret_matches = groups.count > 0;
    return TK_OK;
}
