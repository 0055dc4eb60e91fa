/*
 * parser_field - conditions and values of one span, by recursive descent.
 *
 *     condition = and { "||" and }
 *     and       = compared { "&&" compared }
 *     compared  = sum { op sum }
 *     sum       = product { ( "+" | "-" ) product }
 *     product   = unary { ( "*" | "/" | "%" ) unary }
 *     unary     = ( "!" | "-" ) unary | power
 *     power     = primary [ "^" unary ]
 *     primary   = "(" condition ")" | value | keyword | intrinsic | attribute | aggregate
 *
 * && binds tighter than ||.  Types are checked here, so that evaluation meets only what makes
 * sense; an attribute's type is known only with the span.  Constants are calculated here.
 */
#include "query/parser.h"

#include <math.h>

static enum tk_err parse_or(struct tk_ql_parser *parser, struct tk_ql_node **ret_node);

static enum tk_err
fail_at(struct tk_ql_parser *parser, const struct tk_ql_node *node, const char *expected,
        const char *detail)
{
    return tk_ql_fail(parser->error, parser->lexer.text, tk_ql_position(parser, node->text),
                      expected, "%s", detail);
}

static bool
is_static(const struct tk_ql_node *node)
{
    return node->type == TK_QL_NODE_OPERAND && node->operand.form == TK_QL_STATIC;
}

static bool
is_value(const struct tk_ql_node *node)
{
    return node->type == TK_QL_NODE_OPERAND || node->type == TK_QL_NODE_NEGATE ||
           node->type == TK_QL_NODE_ARITHMETIC;
}

bool
tk_ql_is_constant(const struct tk_ql_node *node)
{
    if (node->type == TK_QL_NODE_OPERAND)
        return node->operand.form == TK_QL_STATIC;
    if (node->type == TK_QL_NODE_AGGREGATE)
        return false;
    for (const struct tk_ql_node *child = node->child; child != NULL; child = child->next) {
        if (!tk_ql_is_constant(child))
            return false;
    }
    return true;
}

/* ---- many values ---- */

static bool
has_many(const struct tk_ql_operand *operand)
{
    if (operand->form == TK_QL_ATTRIBUTE)
        return operand->scope == TK_QL_EVENT || operand->scope == TK_QL_LINK;
    return operand->form == TK_QL_INTRINSIC &&
           (operand->intrinsic == TK_QL_EVENT_NAME ||
            operand->intrinsic == TK_QL_EVENT_SINCE_START ||
            operand->intrinsic == TK_QL_LINK_TRACE_ID || operand->intrinsic == TK_QL_LINK_SPAN_ID);
}

/* `owner` goes through the values of the operands below `node`; a condition in between does so
   itself. */
static void
own_many(struct tk_ql_node *owner, struct tk_ql_node *node)
{
    if (node->type == TK_QL_NODE_OPERAND && has_many(&node->operand)) {
        node->next_many = owner->many;
        owner->many = node;
    } else if (is_value(node)) {
        for (struct tk_ql_node *child = node->child; child != NULL; child = child->next)
            own_many(owner, child);
    }
}

static void
own_values(struct tk_ql_node *node)
{
    if (is_value(node) && node->many == NULL)
        own_many(node, node);
}

/* ---- operands ---- */

static enum tk_err
make_attribute(struct tk_ql_parser *parser, tk_str name, struct tk_ql_operand *operand)
{
    operand->form = TK_QL_ATTRIBUTE;
    operand->type = TK_QL_ANY;
    enum tk_err result = tk_ql_unquote_name(&parser->lexer, name, &name);
    if (result != TK_OK)
        return result;
    if (name.len == 0)
        return tk_ql_unexpected(parser, "the name of an attribute behind the \".\"");
    operand->name_count = tk_semconv_names(name, operand->names);
    operand->next = parser->query->attributes;
    parser->query->attributes = operand;
    return TK_OK;
}

static bool
cut_parent(tk_str *word)
{
    tk_str prefix = TK_STR("parent.");
    if (!tk_str_starts_with(*word, prefix))
        return false;
    *word = (tk_str){word->ptr + prefix.len, word->len - prefix.len};
    return true;
}

static enum tk_err
parse_word(struct tk_ql_parser *parser, struct tk_ql_operand *operand)
{
    tk_str word = parser->token.raw;
    if (tk_ql_find_keyword(word, &operand->value)) {
        operand->form = TK_QL_STATIC;
        operand->type = operand->value.type;
        return TK_OK;
    }
    operand->parent = cut_parent(&word);
    if (tk_ql_find_intrinsic(word, &operand->intrinsic, &operand->type)) {
        operand->form = TK_QL_INTRINSIC;
        return TK_OK;
    }
    if (tk_ql_cut_scope(&word, &operand->scope) || operand->parent ||
        memchr(word.ptr, '.', word.len) != NULL)
        return make_attribute(parser, word, operand);
    word = parser->token.raw;
    return tk_ql_fail(parser->error, parser->lexer.text, tk_ql_position(parser, word),
                      "an intrinsic such as name, duration, status, kind, or an attribute such as "
                      ".key, span.key, resource.key",
                      "unknown name \"%.*s\"", (int)(word.len < 60 ? word.len : 60), word.ptr);
}

static enum tk_err
parse_operand(struct tk_ql_parser *parser, struct tk_ql_node **ret_node)
{
    struct tk_ql_node *node;
    enum tk_err result = tk_ql_new_node(parser, TK_QL_NODE_OPERAND, &node);
    if (result != TK_OK)
        return result;
    if (parser->token.type == TK_QL_TOKEN_VALUE) {
        node->operand.value = parser->token.value;
        node->operand.type = parser->token.value.type;
    } else if (parser->of_group) {
        return tk_ql_unexpected(parser, "count(), avg( ), max( ), min( ), sum( ) or a number");
    } else if (parser->token.type != TK_QL_TOKEN_WORD) {
        return tk_ql_unexpected(parser, "a condition such as duration > 200ms");
    } else if ((result = parse_word(parser, &node->operand)) != TK_OK) {
        return result;
    }
    node->value_type = node->operand.type;
    if ((result = tk_ql_advance(parser)) != TK_OK)
        return result;
    *ret_node = node;
    return tk_ql_close_node(parser, node);
}

enum tk_err
tk_ql_parse_field(struct tk_ql_parser *parser, struct tk_ql_node **ret_node)
{
    struct tk_ql_node *node;
    if (parser->token.type != TK_QL_TOKEN_WORD)
        return tk_ql_unexpected(parser, "an attribute or an intrinsic");
    enum tk_err result = parse_operand(parser, &node);
    if (result != TK_OK)
        return result;
    if (is_static(node))
        return fail_at(parser, node, "an attribute or an intrinsic", "this is a value");
    own_values(node);
    *ret_node = node;
    return TK_OK;
}

/* ---- types ---- */

static bool
may_be_number(const struct tk_ql_node *node)
{
    return node->value_type == TK_QL_ANY || tk_ql_is_number(node->value_type);
}

/* What stands on the right must suit what stands on the left. */
static enum tk_err
check_types(struct tk_ql_parser *parser, const struct tk_ql_node *node)
{
    const struct tk_ql_node *left = node->child, *right = node->child->next;
    bool equality = node->op == TK_QL_EQ || node->op == TK_QL_NE;
    bool left_open = left->value_type == TK_QL_ANY, right_open = right->value_type == TK_QL_ANY;
    const struct tk_ql_node *known = left_open ? right : left;
    if (node->op == TK_QL_RE || node->op == TK_QL_NRE) {
        if (!is_static(right) || right->value_type != TK_QL_STRING)
            return fail_at(parser, right, "a regular expression in quotes",
                           "not a regular expression");
        if (!left_open && left->value_type != TK_QL_STRING)
            return fail_at(parser, left, "an attribute or a string",
                           "a regular expression matches strings only");
        return TK_OK;
    }
    if (!equality && !(left_open && right_open) && !tk_ql_is_number(known->value_type) &&
        known->value_type != TK_QL_STRING)
        return fail_at(parser, known,
                       "= or !=", "only numbers, durations and strings have an order");
    if (left->value_type == TK_QL_NIL || right->value_type == TK_QL_NIL ||
        (left_open && right_open))
        return TK_OK;
    if (left_open || right_open) {
        if ((known->value_type == TK_QL_STATUS || known->value_type == TK_QL_KIND) &&
            is_static(known))
            return fail_at(parser, known, "a string in quotes, or the intrinsic status or kind",
                           "an attribute never holds a status or a kind");
        return TK_OK;
    }
    if (left->value_type == right->value_type ||
        (tk_ql_is_number(left->value_type) && tk_ql_is_number(right->value_type)))
        return TK_OK;
    return fail_at(parser, right, tk_ql_type_text(left->value_type),
                   "these two can never be equal");
}

static enum tk_err
check_truth(struct tk_ql_parser *parser, struct tk_ql_node *node)
{
    enum tk_ql_token_type next = parser->token.type;
    own_values(node);
    if (node->value_type == TK_QL_BOOL || node->value_type == TK_QL_ANY)
        return TK_OK;
    if (next == TK_QL_TOKEN_CLOSE_BRACE || next == TK_QL_TOKEN_CLOSE_PAREN ||
        next == TK_QL_TOKEN_AND || next == TK_QL_TOKEN_OR)
        return fail_at(parser, node, "a comparison", "this is neither true nor false");
    return tk_ql_unexpected(parser, "a comparison: = != < <= > >= =~ !~");
}

static enum tk_err
compile_regex(struct tk_ql_parser *parser, struct tk_ql_node *node)
{
    struct tk_error err = {.message = ""};
    const struct tk_ql_node *pattern = node->child->next;
    if (node->op != TK_QL_RE && node->op != TK_QL_NRE)
        return TK_OK;
    enum tk_err result = tk_regex_compile(pattern->operand.value.text, &node->regex, &err);
    if (result == TK_ERR_INPUT)
        return fail_at(parser, pattern, "a valid regular expression", err.message);
    if (result != TK_OK)
        return result;
    node->next_regex = parser->query->regexes;
    parser->query->regexes = node;
    return TK_OK;
}

/* Ids are compared as lower-case hex. */
static enum tk_err
lower_ids(struct tk_ql_parser *parser, const struct tk_ql_node *field, struct tk_ql_node *literal)
{
    const struct tk_ql_operand *id = &field->operand;
    bool is_id = field->type == TK_QL_NODE_OPERAND && id->form == TK_QL_INTRINSIC &&
                 (id->intrinsic == TK_QL_TRACE_ID || id->intrinsic == TK_QL_SPAN_ID ||
                  id->intrinsic == TK_QL_PARENT_ID || id->intrinsic == TK_QL_LINK_TRACE_ID ||
                  id->intrinsic == TK_QL_LINK_SPAN_ID);
    if (!is_id || !is_static(literal) || literal->value_type != TK_QL_STRING)
        return TK_OK;
    tk_str text = literal->operand.value.text;
    char *lower = tk_arena_alloc(parser->query->arena, text.len + 1);
    if (lower == NULL)
        return TK_ERR_MEMORY;
    for (size_t i = 0; i < text.len; i++)
        lower[i] =
            (char)(text.ptr[i] >= 'A' && text.ptr[i] <= 'F' ? text.ptr[i] + 32 : text.ptr[i]);
    literal->operand.value.text.ptr = lower;
    return TK_OK;
}

/* ---- arithmetic ---- */

/* A node of constants becomes a constant, where it has a value. */
static void
fold(struct tk_ql_node *node, struct tk_ql_value value)
{
    if (value.type == TK_QL_NIL || (value.type == TK_QL_FLOAT && !isfinite(value.d)))
        return;
    node->type = TK_QL_NODE_OPERAND;
    node->child = NULL;
    node->operand = (struct tk_ql_operand){.type = value.type, .value = value};
    node->value_type = value.type;
}

static enum tk_err parse_primary(struct tk_ql_parser *parser, struct tk_ql_node **ret_node);

static enum tk_err
parse_not(struct tk_ql_parser *parser, struct tk_ql_node *node)
{
    node->value_type = TK_QL_BOOL;
    own_values(node->child);
    if (node->child->value_type == TK_QL_BOOL || node->child->value_type == TK_QL_ANY)
        return TK_OK;
    return fail_at(parser, node->child, "parentheses around the comparison: !( ... )",
                   "\"!\" turns a truth around, not a value");
}

static enum tk_err
parse_negate(struct tk_ql_parser *parser, struct tk_ql_node *node)
{
    static const struct tk_ql_value zero = {.type = TK_QL_INT};
    const struct tk_ql_node *child = node->child;
    if (!may_be_number(child))
        return fail_at(parser, child, "a number behind the \"-\"", "only numbers are negated");
    node->value_type = child->value_type == TK_QL_ANY ? TK_QL_INT : child->value_type;
    if (is_static(child))
        fold(node, tk_ql_calculate(TK_QL_SUB, &zero, &child->operand.value));
    return TK_OK;
}

static enum tk_err
parse_unary(struct tk_ql_parser *parser, struct tk_ql_node **ret_node)
{
    struct tk_ql_node *node, *base, *exponent;
    bool is_not = parser->token.type == TK_QL_TOKEN_NOT;
    enum tk_err result;
    if (is_not || parser->token.type == TK_QL_TOKEN_MINUS) {
        if ((result = tk_ql_enter(parser)) != TK_OK ||
            (result = tk_ql_new_node(parser, is_not ? TK_QL_NODE_NOT : TK_QL_NODE_NEGATE, &node)) !=
                TK_OK ||
            (result = tk_ql_advance(parser)) != TK_OK ||
            (result = parse_unary(parser, &node->child)) != TK_OK ||
            (result = is_not ? parse_not(parser, node) : parse_negate(parser, node)) != TK_OK)
            return result;
        parser->depth--;
        *ret_node = node;
        return tk_ql_close_node(parser, node);
    }
    if ((result = parse_primary(parser, &base)) != TK_OK)
        return result;
    *ret_node = base;
    if (parser->token.type != TK_QL_TOKEN_ARITHMETIC || parser->token.raw.ptr[0] != '^')
        return TK_OK;
    if (!may_be_number(base))
        return tk_ql_unexpected(parser, "a comparison");
    if ((result = tk_ql_enter(parser)) != TK_OK || (result = tk_ql_advance(parser)) != TK_OK ||
        (result = parse_unary(parser, &exponent)) != TK_OK)
        return result;
    parser->depth--;
    if (!may_be_number(exponent))
        return fail_at(parser, exponent, "a number", "arithmetic is of numbers only");
    if ((result = tk_ql_new_pair(parser, TK_QL_NODE_ARITHMETIC, base, exponent, ret_node)) != TK_OK)
        return result;
    node = *ret_node;
    node->arithmetic = TK_QL_POW;
    node->value_type = TK_QL_FLOAT;
    if (is_static(base) && is_static(exponent))
        fold(node, tk_ql_calculate(TK_QL_POW, &base->operand.value, &exponent->operand.value));
    return TK_OK;
}

static bool
arithmetic_of(const struct tk_ql_token *token, bool products, enum tk_ql_arithmetic *ret_how)
{
    static const char symbols[] = "+-*/%";
    if (token->type != TK_QL_TOKEN_ARITHMETIC && token->type != TK_QL_TOKEN_MINUS)
        return false;
    const char *found = strchr(symbols, token->raw.ptr[0]);
    if (found == NULL || (found - symbols >= 2) != products)
        return false;
    *ret_how = (enum tk_ql_arithmetic)(found - symbols);
    return true;
}

static enum tk_ql_type
type_of_result(const struct tk_ql_node *left, const struct tk_ql_node *right)
{
    if (left->value_type == TK_QL_FLOAT || right->value_type == TK_QL_FLOAT)
        return TK_QL_FLOAT;
    if (left->value_type == TK_QL_DURATION || right->value_type == TK_QL_DURATION)
        return TK_QL_DURATION;
    return TK_QL_INT;
}

/* Left to right; `products` binds tighter and is what sums are of. */
static enum tk_err
parse_arithmetic(struct tk_ql_parser *parser, bool products, struct tk_ql_node **ret_node)
{
    struct tk_ql_node *left, *right, *node;
    enum tk_ql_arithmetic how;
    enum tk_err result =
        products ? parse_unary(parser, &left) : parse_arithmetic(parser, true, &left);
    while (result == TK_OK && arithmetic_of(&parser->token, products, &how)) {
        if (!may_be_number(left))
            return fail_at(parser, left, "a number", "arithmetic is of numbers only");
        if ((result = tk_ql_advance(parser)) != TK_OK)
            return result;
        result = products ? parse_unary(parser, &right) : parse_arithmetic(parser, true, &right);
        if (result != TK_OK)
            return result;
        if (!may_be_number(right))
            return fail_at(parser, right, "a number", "arithmetic is of numbers only");
        result = tk_ql_new_pair(parser, TK_QL_NODE_ARITHMETIC, left, right, &node);
        if (result != TK_OK)
            return result;
        node->arithmetic = how;
        node->value_type = type_of_result(left, right);
        if (is_static(left) && is_static(right))
            fold(node, tk_ql_calculate(how, &left->operand.value, &right->operand.value));
        left = node;
    }
    if (result == TK_OK)
        *ret_node = left;
    return result;
}

/* ---- aggregates ---- */

static enum tk_err
parse_aggregate(struct tk_ql_parser *parser, enum tk_ql_aggregate aggregate,
                struct tk_ql_node **ret_node)
{
    struct tk_ql_node *node;
    enum tk_err result = tk_ql_new_node(parser, TK_QL_NODE_AGGREGATE, &node);
    if (result != TK_OK || (result = tk_ql_advance(parser)) != TK_OK ||
        (result = tk_ql_take(parser, TK_QL_TOKEN_OPEN_PAREN, "(")) != TK_OK)
        return result;
    node->aggregate = aggregate;
    node->number = parser->query->aggregate_count++;
    node->value_type = TK_QL_INT;
    if (aggregate != TK_QL_COUNT) {
        parser->of_group = false;
        if ((result = tk_ql_parse_value(parser, &node->child)) != TK_OK)
            return result;
        if (!may_be_number(node->child))
            return fail_at(parser, node->child, "a number", "only numbers are added up");
        if (tk_ql_is_constant(node->child))
            return fail_at(parser, node->child, "an attribute or an intrinsic",
                           "this is the same for every span");
        parser->of_group = true;
        if (node->child->value_type != TK_QL_ANY)
            node->value_type = node->child->value_type;
    }
    if ((result = tk_ql_take(parser, TK_QL_TOKEN_CLOSE_PAREN, ")")) != TK_OK)
        return result;
    *ret_node = node;
    return tk_ql_close_node(parser, node);
}

static enum tk_err
parse_primary(struct tk_ql_parser *parser, struct tk_ql_node **ret_node)
{
    enum tk_ql_aggregate aggregate;
    enum tk_err result;
    if (parser->of_group && parser->token.type == TK_QL_TOKEN_WORD &&
        tk_ql_find_aggregate(parser->token.raw, &aggregate))
        return parse_aggregate(parser, aggregate, ret_node);
    if (parser->token.type != TK_QL_TOKEN_OPEN_PAREN)
        return parse_operand(parser, ret_node);
    if ((result = tk_ql_enter(parser)) != TK_OK || (result = tk_ql_advance(parser)) != TK_OK ||
        (result = parse_or(parser, ret_node)) != TK_OK ||
        (result = tk_ql_take(parser, TK_QL_TOKEN_CLOSE_PAREN, "&&, || or )")) != TK_OK)
        return result;
    parser->depth--;
    return TK_OK;
}

/* ---- conditions ---- */

static enum tk_err
parse_compared(struct tk_ql_parser *parser, struct tk_ql_node **ret_node)
{
    struct tk_ql_node *left, *right, *node;
    enum tk_err result = parse_arithmetic(parser, false, &left);
    while (result == TK_OK && parser->token.type == TK_QL_TOKEN_COMPARE) {
        enum tk_ql_op op = parser->token.op;
        if ((result = tk_ql_advance(parser)) != TK_OK ||
            (result = parse_arithmetic(parser, false, &right)) != TK_OK ||
            (result = tk_ql_new_pair(parser, TK_QL_NODE_COMPARE, left, right, &node)) != TK_OK)
            return result;
        node->op = op;
        node->value_type = TK_QL_BOOL;
        if ((result = check_types(parser, node)) != TK_OK ||
            (result = lower_ids(parser, left, right)) != TK_OK ||
            (result = lower_ids(parser, right, left)) != TK_OK ||
            (result = compile_regex(parser, node)) != TK_OK)
            return result;
        own_many(node, left);
        own_many(node, right);
        left = node;
    }
    if (result == TK_OK)
        *ret_node = left;
    return result;
}

/* Of a list of several each must be a truth. */
static enum tk_err
parse_and(struct tk_ql_parser *parser, struct tk_ql_node **ret_node)
{
    return tk_ql_parse_list(parser, TK_QL_TOKEN_AND, TK_QL_NODE_AND, parse_compared, ret_node);
}

static enum tk_err
check_children(struct tk_ql_parser *parser, struct tk_ql_node *node)
{
    enum tk_err result = TK_OK;
    if (node->type != TK_QL_NODE_AND && node->type != TK_QL_NODE_OR)
        return TK_OK;
    node->value_type = TK_QL_BOOL;
    for (struct tk_ql_node *child = node->child; child != NULL && result == TK_OK;
         child = child->next) {
        if (child->type == TK_QL_NODE_AND)
            result = check_children(parser, child);
        else if (child->value_type != TK_QL_BOOL && child->value_type != TK_QL_ANY)
            result = fail_at(parser, child, "a comparison", "this is neither true nor false");
        own_values(child);
    }
    return result;
}

static enum tk_err
parse_or(struct tk_ql_parser *parser, struct tk_ql_node **ret_node)
{
    enum tk_err result =
        tk_ql_parse_list(parser, TK_QL_TOKEN_OR, TK_QL_NODE_OR, parse_and, ret_node);
    return result == TK_OK ? check_children(parser, *ret_node) : result;
}

enum tk_err
tk_ql_parse_condition(struct tk_ql_parser *parser, struct tk_ql_node **ret_node)
{
    enum tk_err result = parse_or(parser, ret_node);
    return result == TK_OK ? check_truth(parser, *ret_node) : result;
}

enum tk_err
tk_ql_parse_value(struct tk_ql_parser *parser, struct tk_ql_node **ret_node)
{
    enum tk_err result = parse_or(parser, ret_node);
    if (result == TK_OK)
        own_values(*ret_node);
    return result;
}

/* ---- scalars ---- */

enum tk_err
tk_ql_parse_scalar(struct tk_ql_parser *parser, struct tk_ql_node **ret_node)
{
    struct tk_ql_node *node;
    parser->of_group = true;
    enum tk_err result = parse_compared(parser, &node);
    if (result != TK_OK)
        return result;
    parser->of_group = false;
    if (node->type != TK_QL_NODE_COMPARE)
        return tk_ql_unexpected(parser, "a comparison: = != < <= > >=");
    if (node->op == TK_QL_RE || node->op == TK_QL_NRE || !may_be_number(node->child) ||
        !may_be_number(node->child->next))
        return fail_at(parser, node, "a comparison of numbers", "aggregates are numbers");
    if (tk_ql_is_constant(node))
        return fail_at(parser, node, "count(), avg( ), max( ), min( ) or sum( )",
                       "this is the same for every trace");
    *ret_node = node;
    return TK_OK;
}

enum tk_err
tk_ql_parse_number(struct tk_ql_parser *parser, double *ret_number)
{
    struct tk_ql_node *node;
    enum tk_err result = parse_arithmetic(parser, false, &node);
    if (result != TK_OK)
        return result;
    if (!is_static(node) || !tk_ql_is_number(node->value_type))
        return fail_at(parser, node, "a number", "not a number");
    const struct tk_ql_value *value = &node->operand.value;
    *ret_number = value->type == TK_QL_FLOAT ? value->d : (double)value->i;
    return TK_OK;
}
