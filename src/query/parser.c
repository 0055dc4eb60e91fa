/*
 * parser - TraceQL's spanset filters, by recursive descent over the lexer's tokens.
 *
 *     query      = spansets END
 *     spansets   = spanset-and { "||" spanset-and }
 *     spanset-and= spanset-one { "&&" spanset-one }
 *     spanset-one= "(" spansets ")" | "{" [ fields ] "}"
 *     fields     = field-and { "||" field-and }
 *     field-and  = field-one { "&&" field-one }
 *     field-one  = "!" field-one | "(" fields ")" | operand [ op operand ]
 *     operand    = [ "-" ] value | keyword | intrinsic | attribute
 *
 * && binds tighter than ||.  Types are checked here, so that evaluation meets only what makes
 * sense; an attribute's type is known only with the span.  Only "(" and "!" recurse, and `depth`
 * bounds them.
 */
#include "base/assert.h"
#include "query/lexer.h"
#include "query/names.h"

struct parser {
    struct tk_query *query;
    struct tk_query_error *error;
    struct tk_ql_lexer lexer;
    struct tk_ql_token token; /* the one at hand */
    int depth;
};

static size_t
position_of(const struct parser *parser, tk_str raw)
{
    return (size_t)(raw.ptr - parser->lexer.text.ptr);
}

static enum tk_err
advance(struct parser *parser)
{
    return tk_ql_next(&parser->lexer, &parser->token);
}

/* The token at hand does not fit. */
static enum tk_err
fail_unexpected(struct parser *parser, const char *expected)
{
    tk_str raw = parser->token.raw;
    size_t position = position_of(parser, raw);
    const char *what = NULL;
    if (parser->token.type == TK_QL_TOKEN_STRUCTURAL)
        what = "structural operators are";
    else if (parser->token.type == TK_QL_TOKEN_PIPE)
        what = "pipelines (|) are";
    else if (parser->token.type == TK_QL_TOKEN_ARITHMETIC ||
             parser->token.type == TK_QL_TOKEN_MINUS)
        what = "arithmetic is";
    if (what != NULL)
        return tk_ql_fail(parser->error, parser->lexer.text, position, expected,
                          "%s not supported yet", what);
    if (parser->token.type == TK_QL_TOKEN_END)
        return tk_ql_fail(parser->error, parser->lexer.text, position, expected,
                          "the query ends too early");
    return tk_ql_fail(parser->error, parser->lexer.text, position, expected, "unexpected \"%.*s\"",
                      (int)(raw.len < 60 ? raw.len : 60), raw.ptr);
}

/* The same between spansets, where > < !~ are structural. */
static enum tk_err
fail_between_spansets(struct parser *parser, const char *expected)
{
    if (parser->token.type == TK_QL_TOKEN_COMPARE &&
        (parser->token.op == TK_QL_GT || parser->token.op == TK_QL_LT ||
         parser->token.op == TK_QL_NRE))
        parser->token.type = TK_QL_TOKEN_STRUCTURAL;
    return fail_unexpected(parser, expected);
}

static enum tk_err
new_node(struct parser *parser, enum tk_ql_node_type type, struct tk_ql_node **ret_node)
{
    struct tk_ql_node *node = tk_arena_zalloc(parser->query->arena, 1, sizeof *node);
    if (node == NULL)
        return TK_ERR_MEMORY;
    node->type = type;
    *ret_node = node;
    return TK_OK;
}

static enum tk_err
enter(struct parser *parser)
{
    if (parser->depth == TK_QUERY_DEPTH_MAX)
        return tk_ql_fail(parser->error, parser->lexer.text, position_of(parser, parser->token.raw),
                          "fewer parentheses", "nested deeper than %d", TK_QUERY_DEPTH_MAX);
    parser->depth++;
    return TK_OK;
}

/* item { separator item }: one item stays itself, several become children of a `type` node. */
static enum tk_err
parse_list(struct parser *parser, enum tk_ql_token_type separator, enum tk_ql_node_type type,
           enum tk_err (*parse_item)(struct parser *, struct tk_ql_node **),
           struct tk_ql_node **ret_node)
{
    struct tk_ql_node *first = NULL, *last = NULL;
    enum tk_err result;
    for (;;) {
        struct tk_ql_node *item = NULL;
        if ((result = parse_item(parser, &item)) != TK_OK)
            return result;
        TK_ASSERT(item != NULL);
        if (last == NULL)
            first = item;
        else
            last->next = item;
        last = item;
        if (parser->token.type != separator)
            break;
        if ((result = advance(parser)) != TK_OK)
            return result;
    }
    if (first == last) {
        *ret_node = first;
        return TK_OK;
    }
    if ((result = new_node(parser, type, ret_node)) == TK_OK)
        (*ret_node)->child = first;
    return result;
}

/* ---- operands ---- */

static enum tk_err
make_attribute(struct parser *parser, tk_str name, struct tk_ql_operand *operand)
{
    operand->form = TK_QL_ATTRIBUTE;
    operand->type = TK_QL_ANY;
    enum tk_err result = tk_ql_unquote_name(&parser->lexer, name, &name);
    if (result != TK_OK)
        return result;
    if (name.len == 0)
        return fail_unexpected(parser, "the name of an attribute behind the \".\"");
    operand->name_count = tk_semconv_names(name, operand->names);
    return TK_OK;
}

static enum tk_err
parse_word(struct parser *parser, struct tk_ql_operand *operand)
{
    tk_str word = parser->token.raw;
    const char *unsupported = tk_ql_find_unsupported(word);
    if (unsupported != NULL)
        return tk_ql_fail(parser->error, parser->lexer.text, operand->position, "",
                          "%s is not supported yet", unsupported);
    if (tk_ql_find_keyword(word, &operand->value)) {
        operand->form = TK_QL_STATIC;
        operand->type = operand->value.type;
        return TK_OK;
    }
    if (tk_ql_find_intrinsic(word, &operand->intrinsic, &operand->type)) {
        operand->form = TK_QL_INTRINSIC;
        return TK_OK;
    }
    if (tk_ql_cut_scope(&word, &operand->scope) || memchr(word.ptr, '.', word.len) != NULL)
        return make_attribute(parser, word, operand);
    return tk_ql_fail(parser->error, parser->lexer.text, operand->position,
                      "an intrinsic such as name, duration, status, kind, or an attribute such as "
                      ".key, span.key, resource.key",
                      "unknown name \"%.*s\"", (int)(word.len < 60 ? word.len : 60), word.ptr);
}

static enum tk_err
parse_operand(struct parser *parser, struct tk_ql_operand *operand)
{
    enum tk_err result;
    bool minus = parser->token.type == TK_QL_TOKEN_MINUS;
    *operand = (struct tk_ql_operand){.position = position_of(parser, parser->token.raw)};
    if (minus && (result = advance(parser)) != TK_OK)
        return result;
    if (parser->token.type == TK_QL_TOKEN_VALUE) {
        struct tk_ql_value *value = &operand->value;
        *value = parser->token.value;
        operand->type = value->type;
        if (minus && value->type == TK_QL_STRING)
            return fail_unexpected(parser, "a number behind the \"-\"");
        if (minus && value->type == TK_QL_FLOAT)
            value->d = -value->d;
        else if (minus)
            value->i = -value->i;
    } else if (minus) {
        return tk_ql_fail(parser->error, parser->lexer.text, operand->position,
                          "a number behind the \"-\"", "arithmetic is not supported yet");
    } else if (parser->token.type == TK_QL_TOKEN_WORD) {
        if ((result = parse_word(parser, operand)) != TK_OK)
            return result;
    } else {
        return fail_unexpected(parser, "a condition such as duration > 200ms");
    }
    return advance(parser);
}

/* ---- types ---- */

static bool
is_number(enum tk_ql_type type)
{
    return type == TK_QL_INT || type == TK_QL_FLOAT || type == TK_QL_DURATION;
}

/* What stands on the right must suit what stands on the left. */
static enum tk_err
check_types(struct parser *parser, const struct tk_ql_node *node)
{
    const struct tk_ql_operand *left = &node->left, *right = &node->right;
    bool equality = node->op == TK_QL_EQ || node->op == TK_QL_NE;
    bool left_open = left->type == TK_QL_ANY, right_open = right->type == TK_QL_ANY;
    enum tk_ql_type known = left_open ? right->type : left->type;
    tk_str text = parser->lexer.text;
    if (node->op == TK_QL_RE || node->op == TK_QL_NRE) {
        if (right->form != TK_QL_STATIC || right->type != TK_QL_STRING)
            return tk_ql_fail(parser->error, text, right->position,
                              "a regular expression in quotes", "not a regular expression");
        if (!left_open && left->type != TK_QL_STRING)
            return tk_ql_fail(parser->error, text, left->position, "an attribute or a string",
                              "a regular expression matches strings only");
        return TK_OK;
    }
    if (!equality && !(left_open && right_open) && !is_number(known) && known != TK_QL_STRING)
        return tk_ql_fail(parser->error, text, left_open ? right->position : left->position,
                          "= or !=", "only numbers, durations and strings have an order");
    if (left->type == TK_QL_NIL || right->type == TK_QL_NIL || (left_open && right_open))
        return TK_OK;
    if (left_open || right_open) {
        if (known == TK_QL_STATUS || known == TK_QL_KIND)
            if ((left_open ? right : left)->form == TK_QL_STATIC)
                return tk_ql_fail(parser->error, text, left_open ? right->position : left->position,
                                  "a string in quotes, or the intrinsic status or kind",
                                  "an attribute never holds a status or a kind");
        return TK_OK;
    }
    if (left->type == right->type || (is_number(left->type) && is_number(right->type)))
        return TK_OK;
    return tk_ql_fail(parser->error, text, right->position, tk_ql_type_text(left->type),
                      "these two can never be equal");
}

static enum tk_err
compile_regex(struct parser *parser, struct tk_ql_node *node)
{
    struct tk_error err = {.message = ""};
    if (node->op != TK_QL_RE && node->op != TK_QL_NRE)
        return TK_OK;
    enum tk_err result = tk_regex_compile(node->right.value.text, &node->regex, &err);
    if (result == TK_ERR_INPUT)
        return tk_ql_fail(parser->error, parser->lexer.text, node->right.position,
                          "a valid regular expression", "%s", err.message);
    if (result != TK_OK)
        return result;
    node->next_regex = parser->query->regexes;
    parser->query->regexes = node;
    return TK_OK;
}

/* Ids are compared as lower-case hex. */
static enum tk_err
lower_ids(struct parser *parser, const struct tk_ql_operand *id, struct tk_ql_operand *literal)
{
    bool is_id = id->form == TK_QL_INTRINSIC &&
                 (id->intrinsic == TK_QL_TRACE_ID || id->intrinsic == TK_QL_SPAN_ID ||
                  id->intrinsic == TK_QL_PARENT_ID || id->intrinsic == TK_QL_LINK_TRACE_ID ||
                  id->intrinsic == TK_QL_LINK_SPAN_ID);
    if (!is_id || literal->form != TK_QL_STATIC || literal->type != TK_QL_STRING)
        return TK_OK;
    tk_str text = literal->value.text;
    char *lower = tk_arena_alloc(parser->query->arena, text.len + 1);
    if (lower == NULL)
        return TK_ERR_MEMORY;
    for (size_t i = 0; i < text.len; i++)
        lower[i] =
            (char)(text.ptr[i] >= 'A' && text.ptr[i] <= 'F' ? text.ptr[i] + 32 : text.ptr[i]);
    literal->value.text.ptr = lower;
    return TK_OK;
}

/* ---- conditions on one span ---- */

static enum tk_err parse_fields(struct parser *parser, struct tk_ql_node **ret_node);

static void
list_attribute(struct tk_query *query, struct tk_ql_operand *operand)
{
    if (operand->form != TK_QL_ATTRIBUTE)
        return;
    operand->next = query->attributes;
    query->attributes = operand;
}

static enum tk_err
parse_comparison(struct parser *parser, struct tk_ql_node **ret_node)
{
    struct tk_ql_node *node;
    enum tk_err result;
    if ((result = new_node(parser, TK_QL_NODE_TRUTH, &node)) != TK_OK ||
        (result = parse_operand(parser, &node->left)) != TK_OK)
        return result;
    if (parser->token.type == TK_QL_TOKEN_COMPARE) {
        node->type = TK_QL_NODE_COMPARE;
        node->op = parser->token.op;
        if ((result = advance(parser)) != TK_OK ||
            (result = parse_operand(parser, &node->right)) != TK_OK ||
            (result = check_types(parser, node)) != TK_OK ||
            (result = lower_ids(parser, &node->left, &node->right)) != TK_OK ||
            (result = lower_ids(parser, &node->right, &node->left)) != TK_OK ||
            (result = compile_regex(parser, node)) != TK_OK)
            return result;
    } else if (node->left.type != TK_QL_BOOL && node->left.type != TK_QL_ANY) {
        if (parser->token.type == TK_QL_TOKEN_CLOSE_BRACE ||
            parser->token.type == TK_QL_TOKEN_CLOSE_PAREN ||
            parser->token.type == TK_QL_TOKEN_AND || parser->token.type == TK_QL_TOKEN_OR)
            return tk_ql_fail(parser->error, parser->lexer.text, node->left.position,
                              "a comparison", "this is neither true nor false");
        return fail_unexpected(parser, "a comparison: = != < <= > >= =~ !~");
    }
    list_attribute(parser->query, &node->left);
    list_attribute(parser->query, &node->right);
    *ret_node = node;
    return TK_OK;
}

static enum tk_err
parse_field(struct parser *parser, struct tk_ql_node **ret_node)
{
    struct tk_ql_node *node;
    enum tk_err result;
    if (parser->token.type == TK_QL_TOKEN_NOT) {
        if ((result = enter(parser)) != TK_OK || (result = advance(parser)) != TK_OK ||
            (result = new_node(parser, TK_QL_NODE_NOT, &node)) != TK_OK)
            return result;
        size_t position = position_of(parser, parser->token.raw);
        if ((result = parse_field(parser, &node->child)) != TK_OK)
            return result;
        if (node->child->type == TK_QL_NODE_COMPARE && parser->lexer.text.ptr[position] != '(')
            return tk_ql_fail(parser->error, parser->lexer.text, position,
                              "parentheses around the comparison: !( ... )",
                              "\"!\" turns a truth around, not a value");
        parser->depth--;
    } else if (parser->token.type == TK_QL_TOKEN_OPEN_PAREN) {
        if ((result = enter(parser)) != TK_OK || (result = advance(parser)) != TK_OK ||
            (result = parse_fields(parser, &node)) != TK_OK)
            return result;
        if (parser->token.type != TK_QL_TOKEN_CLOSE_PAREN)
            return fail_unexpected(parser, "&&, || or )");
        parser->depth--;
        if ((result = advance(parser)) != TK_OK)
            return result;
    } else {
        return parse_comparison(parser, ret_node);
    }
    *ret_node = node;
    return TK_OK;
}

static enum tk_err
parse_field_and(struct parser *parser, struct tk_ql_node **ret_node)
{
    return parse_list(parser, TK_QL_TOKEN_AND, TK_QL_NODE_AND, parse_field, ret_node);
}

static enum tk_err
parse_fields(struct parser *parser, struct tk_ql_node **ret_node)
{
    return parse_list(parser, TK_QL_TOKEN_OR, TK_QL_NODE_OR, parse_field_and, ret_node);
}

/* ---- conditions on a trace ---- */

static enum tk_err parse_spansets(struct parser *parser, struct tk_ql_node **ret_node);

static enum tk_err
parse_spanset(struct parser *parser, struct tk_ql_node **ret_node)
{
    struct tk_ql_node *node;
    enum tk_err result;
    enum tk_ql_token_type open = parser->token.type;
    if (open != TK_QL_TOKEN_OPEN_PAREN && open != TK_QL_TOKEN_OPEN_BRACE)
        return fail_unexpected(parser, "{ or (");
    if ((result = enter(parser)) != TK_OK || (result = advance(parser)) != TK_OK)
        return result;
    if (open == TK_QL_TOKEN_OPEN_PAREN) {
        if ((result = parse_spansets(parser, &node)) != TK_OK)
            return result;
        if (parser->token.type != TK_QL_TOKEN_CLOSE_PAREN)
            return fail_between_spansets(parser, "&&, || or )");
    } else {
        if ((result = new_node(parser, TK_QL_NODE_SPANSET, &node)) != TK_OK)
            return result;
        if (parser->token.type != TK_QL_TOKEN_CLOSE_BRACE &&
            (result = parse_fields(parser, &node->child)) != TK_OK)
            return result;
        if (parser->token.type != TK_QL_TOKEN_CLOSE_BRACE)
            return fail_unexpected(parser, "&&, || or }");
    }
    parser->depth--;
    if ((result = advance(parser)) != TK_OK)
        return result;
    *ret_node = node;
    return TK_OK;
}

static enum tk_err
parse_spanset_and(struct parser *parser, struct tk_ql_node **ret_node)
{
    return parse_list(parser, TK_QL_TOKEN_AND, TK_QL_NODE_SPANSET_AND, parse_spanset, ret_node);
}

static enum tk_err
parse_spansets(struct parser *parser, struct tk_ql_node **ret_node)
{
    return parse_list(parser, TK_QL_TOKEN_OR, TK_QL_NODE_SPANSET_OR, parse_spanset_and, ret_node);
}

enum tk_err
tk_ql_parse(struct tk_query *query, struct tk_query_error *error)
{
    struct parser parser = {
        .query = query,
        .error = error,
        .lexer = {.text = query->text, .arena = query->arena, .error = error},
    };
    enum tk_err result;
    if ((result = advance(&parser)) != TK_OK ||
        (result = parse_spansets(&parser, &query->root)) != TK_OK)
        return result;
    if (parser.token.type != TK_QL_TOKEN_END)
        return fail_between_spansets(&parser, "&&, || or the end of the query");
    return TK_OK;
}
