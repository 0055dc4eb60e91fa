/*
 * parser - TraceQL by recursive descent over the lexer's tokens: spansets, pipelines, metrics.
 *
 *     query     = pipeline [ "|" metrics ] [ "with" "(" hints ")" ] END
 *     pipeline  = stage { "|" stage }
 *     stage     = spansets | scalar | "by" "(" value ")" | "select" "(" fields ")" | "coalesce"
 * "()" spansets  = and { "||" and } and       = related { "&&" related } related   = one { relation
 * one } one       = "(" pipeline ")" | "{" [ condition ] "}" metrics   = function [ "by" "(" fields
 * ")" ] { "|" topk "(" n ")" | op number }
 *
 * && binds tighter than ||, relations (> >> < << ~, with ! or & in front) tighter than both, and
 * are read from left to right.  Only what has parentheses recurses, and `depth` bounds it; the
 * height of the tree is bounded for those who walk it.
 */
#include "query/parser.h"

#include "base/assert.h"

static const char stage_words[] =
    "{ }, by( ), select( ), coalesce(), a comparison such as count() > 2, or rate() and its likes";

size_t
tk_ql_position(const struct tk_ql_parser *parser, tk_str raw)
{
    return (size_t)(raw.ptr - parser->lexer.text.ptr);
}

enum tk_err
tk_ql_advance(struct tk_ql_parser *parser)
{
    return tk_ql_next(&parser->lexer, &parser->token);
}

enum tk_err
tk_ql_unexpected(struct tk_ql_parser *parser, const char *expected)
{
    tk_str raw = parser->token.raw;
    size_t position = tk_ql_position(parser, raw);
    if (parser->token.type == TK_QL_TOKEN_END)
        return tk_ql_fail(parser->error, parser->lexer.text, position, expected,
                          "the query ends too early");
    return tk_ql_fail(parser->error, parser->lexer.text, position, expected, "unexpected \"%.*s\"",
                      (int)(raw.len < 60 ? raw.len : 60), raw.ptr);
}

enum tk_err
tk_ql_take(struct tk_ql_parser *parser, enum tk_ql_token_type type, const char *expected)
{
    return parser->token.type == type ? tk_ql_advance(parser) : tk_ql_unexpected(parser, expected);
}

/* ---- nodes ---- */

enum tk_err
tk_ql_new_node(struct tk_ql_parser *parser, enum tk_ql_node_type type, struct tk_ql_node **ret_node)
{
    struct tk_ql_node *node = tk_arena_zalloc(parser->query->arena, 1, sizeof *node);
    if (node == NULL)
        return TK_ERR_MEMORY;
    node->type = type;
    node->text = parser->token.raw;
    *ret_node = node;
    return TK_OK;
}

enum tk_err
tk_ql_close_node(struct tk_ql_parser *parser, struct tk_ql_node *node)
{
    const char *end = parser->token.raw.ptr;
    for (const struct tk_ql_node *child = node->child; child != NULL; child = child->next) {
        if (child->height >= node->height)
            node->height = child->height + 1;
    }
    if (node->height > TK_QUERY_HEIGHT_MAX)
        return tk_ql_fail(parser->error, parser->lexer.text, tk_ql_position(parser, node->text),
                          "fewer of them", "more than %d operators in a row", TK_QUERY_HEIGHT_MAX);
    while (end > node->text.ptr + 1 && tk_ql_is_space(end[-1]))
        end--;
    node->text.len = (size_t)(end - node->text.ptr);
    return TK_OK;
}

enum tk_err
tk_ql_new_pair(struct tk_ql_parser *parser, enum tk_ql_node_type type, struct tk_ql_node *left,
               struct tk_ql_node *right, struct tk_ql_node **ret_node)
{
    enum tk_err result = tk_ql_new_node(parser, type, ret_node);
    if (result != TK_OK)
        return result;
    (*ret_node)->text = left->text;
    (*ret_node)->child = left;
    left->next = right;
    return tk_ql_close_node(parser, *ret_node);
}

enum tk_err
tk_ql_enter(struct tk_ql_parser *parser)
{
    if (parser->depth == TK_QUERY_DEPTH_MAX)
        return tk_ql_fail(parser->error, parser->lexer.text,
                          tk_ql_position(parser, parser->token.raw), "fewer parentheses",
                          "nested deeper than %d", TK_QUERY_DEPTH_MAX);
    parser->depth++;
    return TK_OK;
}

enum tk_err
tk_ql_parse_list(struct tk_ql_parser *parser, enum tk_ql_token_type separator,
                 enum tk_ql_node_type type,
                 enum tk_err (*parse_item)(struct tk_ql_parser *, struct tk_ql_node **),
                 struct tk_ql_node **ret_node)
{
    struct tk_ql_node *list, *last = NULL;
    enum tk_err result = tk_ql_new_node(parser, type, &list);
    for (; result == TK_OK; result = tk_ql_advance(parser)) {
        struct tk_ql_node *item = NULL;
        if ((result = parse_item(parser, &item)) != TK_OK)
            return result;
        TK_ASSERT(item != NULL);
        if (last == NULL)
            list->child = item;
        else
            last->next = item;
        last = item;
        if (parser->token.type != separator) {
            *ret_node = last == list->child ? last : list;
            return last == list->child ? TK_OK : tk_ql_close_node(parser, list);
        }
    }
    return result;
}

/* ---- spansets ---- */

static enum tk_err parse_pipeline(struct tk_ql_parser *parser, struct tk_ql_node **ret_node);

static bool
is_word(const struct tk_ql_parser *parser, const char *word)
{
    return parser->token.type == TK_QL_TOKEN_WORD &&
           tk_str_eq(parser->token.raw, tk_str_from(word));
}

static bool
is_metric(const struct tk_ql_parser *parser)
{
    enum tk_ql_metric metric;
    return parser->token.type == TK_QL_TOKEN_WORD &&
           (tk_ql_find_metric(parser->token.raw, &metric) || is_word(parser, "compare"));
}

static enum tk_err
parse_braces(struct tk_ql_parser *parser, struct tk_ql_node **ret_node)
{
    struct tk_ql_node *node;
    enum tk_err result = tk_ql_new_node(parser, TK_QL_NODE_SPANSET, &node);
    if (result != TK_OK || (result = tk_ql_advance(parser)) != TK_OK)
        return result;
    if (parser->token.type != TK_QL_TOKEN_CLOSE_BRACE &&
        (result = tk_ql_parse_condition(parser, &node->child)) != TK_OK)
        return result;
    if ((result = tk_ql_take(parser, TK_QL_TOKEN_CLOSE_BRACE, "&&, || or }")) != TK_OK)
        return result;
    *ret_node = node;
    return tk_ql_close_node(parser, node);
}

static enum tk_err
parse_one(struct tk_ql_parser *parser, struct tk_ql_node **ret_node)
{
    enum tk_err result = tk_ql_enter(parser);
    if (result != TK_OK)
        return result;
    if (parser->token.type == TK_QL_TOKEN_OPEN_BRACE) {
        result = parse_braces(parser, ret_node);
    } else if (parser->token.type == TK_QL_TOKEN_OPEN_PAREN) {
        if ((result = tk_ql_advance(parser)) != TK_OK ||
            (result = parse_pipeline(parser, ret_node)) != TK_OK)
            return result;
        if (is_metric(parser))
            return tk_ql_fail(parser->error, parser->lexer.text,
                              tk_ql_position(parser, parser->token.raw),
                              "one metrics query without parentheses around it",
                              "calculating with metrics is not supported");
        result = tk_ql_take(parser, TK_QL_TOKEN_CLOSE_PAREN, "&&, ||, | or )");
    } else {
        result = tk_ql_unexpected(parser, "{ or (");
    }
    parser->depth--;
    return result;
}

static bool
is_relation(const struct tk_ql_token *token)
{
    return token->type == TK_QL_TOKEN_STRUCTURAL ||
           (token->type == TK_QL_TOKEN_COMPARE &&
            (token->op == TK_QL_GT || token->op == TK_QL_LT || token->op == TK_QL_NRE));
}

static enum tk_err
parse_related(struct tk_ql_parser *parser, struct tk_ql_node **ret_node)
{
    struct tk_ql_node *left, *right, *node;
    enum tk_err result = parse_one(parser, &left);
    while (result == TK_OK && is_relation(&parser->token)) {
        enum tk_ql_relation relation;
        bool negated, both;
        if (!tk_ql_find_relation(parser->token.raw, &relation, &negated, &both))
            return tk_ql_unexpected(parser, "&&, || or |");
        if ((result = tk_ql_advance(parser)) != TK_OK ||
            (result = parse_one(parser, &right)) != TK_OK ||
            (result = tk_ql_new_pair(parser, TK_QL_NODE_RELATION, left, right, &node)) != TK_OK)
            return result;
        node->relation = relation;
        node->negated = negated;
        node->both = both;
        left = node;
    }
    if (result == TK_OK)
        *ret_node = left;
    return result;
}

static enum tk_err
parse_spanset_and(struct tk_ql_parser *parser, struct tk_ql_node **ret_node)
{
    return tk_ql_parse_list(parser, TK_QL_TOKEN_AND, TK_QL_NODE_SPANSET_AND, parse_related,
                            ret_node);
}

static enum tk_err
parse_spansets(struct tk_ql_parser *parser, struct tk_ql_node **ret_node)
{
    return tk_ql_parse_list(parser, TK_QL_TOKEN_OR, TK_QL_NODE_SPANSET_OR, parse_spanset_and,
                            ret_node);
}

/* ---- stages ---- */

/* "(" fields ")" as siblings, `max` at most. */
static enum tk_err
parse_fields(struct tk_ql_parser *parser, size_t max, struct tk_ql_node **ret_first)
{
    struct tk_ql_node *last = NULL;
    size_t count = 0;
    enum tk_err result = tk_ql_take(parser, TK_QL_TOKEN_OPEN_PAREN, "(");
    while (result == TK_OK) {
        struct tk_ql_node *field;
        if (count++ == max)
            return tk_ql_unexpected(parser, "fewer of them");
        if ((result = tk_ql_parse_field(parser, &field)) != TK_OK)
            return result;
        if (last == NULL)
            *ret_first = field;
        else
            last->next = field;
        last = field;
        if (parser->token.type != TK_QL_TOKEN_COMMA)
            return tk_ql_take(parser, TK_QL_TOKEN_CLOSE_PAREN, ", or )");
        result = tk_ql_advance(parser);
    }
    return result;
}

static enum tk_err
parse_by(struct tk_ql_parser *parser, struct tk_ql_node *node)
{
    enum tk_err result = tk_ql_take(parser, TK_QL_TOKEN_OPEN_PAREN, "(");
    if (result != TK_OK || (result = tk_ql_parse_value(parser, &node->child)) != TK_OK)
        return result;
    if (tk_ql_is_constant(node->child))
        return tk_ql_fail(parser->error, parser->lexer.text,
                          tk_ql_position(parser, node->child->text), "an attribute or an intrinsic",
                          "this is the same for every span");
    return tk_ql_take(parser, TK_QL_TOKEN_CLOSE_PAREN, ")");
}

static enum tk_err
parse_coalesce(struct tk_ql_parser *parser)
{
    enum tk_err result = tk_ql_take(parser, TK_QL_TOKEN_OPEN_PAREN, "(");
    return result == TK_OK ? tk_ql_take(parser, TK_QL_TOKEN_CLOSE_PAREN, ")") : result;
}

static enum tk_err
parse_stage(struct tk_ql_parser *parser, struct tk_ql_node **ret_node)
{
    struct tk_ql_node *node;
    enum tk_ql_aggregate aggregate;
    enum tk_ql_token_type type = parser->token.type;
    enum tk_err result;
    if (type == TK_QL_TOKEN_OPEN_BRACE || type == TK_QL_TOKEN_OPEN_PAREN)
        return parse_spansets(parser, ret_node);
    if (type != TK_QL_TOKEN_WORD && type != TK_QL_TOKEN_VALUE && type != TK_QL_TOKEN_MINUS)
        return tk_ql_unexpected(parser, stage_words);
    if ((result = tk_ql_new_node(parser, TK_QL_NODE_SCALAR, &node)) != TK_OK)
        return result;
    if (type != TK_QL_TOKEN_WORD || tk_ql_find_aggregate(parser->token.raw, &aggregate)) {
        result = tk_ql_parse_scalar(parser, &node->child);
    } else {
        node->type = is_word(parser, "by")       ? TK_QL_NODE_BY
                     : is_word(parser, "select") ? TK_QL_NODE_SELECT
                                                 : TK_QL_NODE_COALESCE;
        if (node->type == TK_QL_NODE_COALESCE && !is_word(parser, "coalesce"))
            return tk_ql_unexpected(parser, stage_words);
        if ((result = tk_ql_advance(parser)) != TK_OK)
            return result;
        result = node->type == TK_QL_NODE_BY       ? parse_by(parser, node)
                 : node->type == TK_QL_NODE_SELECT ? parse_fields(parser, SIZE_MAX, &node->child)
                                                   : parse_coalesce(parser);
    }
    if (result != TK_OK)
        return result;
    *ret_node = node;
    return tk_ql_close_node(parser, node);
}

static bool
is_spansets(const struct tk_ql_node *node)
{
    return node->type == TK_QL_NODE_SPANSET || node->type == TK_QL_NODE_SPANSET_AND ||
           node->type == TK_QL_NODE_SPANSET_OR || node->type == TK_QL_NODE_RELATION ||
           node->type == TK_QL_NODE_PIPELINE;
}

/* Stops behind the "|" in front of a metric.  A pipeline of spansets alone is just these. */
static enum tk_err
parse_pipeline(struct tk_ql_parser *parser, struct tk_ql_node **ret_node)
{
    struct tk_ql_node *node, *last = NULL, *stage;
    enum tk_err result = tk_ql_new_node(parser, TK_QL_NODE_PIPELINE, &node);
    if (result == TK_OK && is_word(parser, "coalesce"))
        return tk_ql_unexpected(parser, "groups to put together: by( ) | coalesce()");
    while (result == TK_OK) {
        if (last != NULL && is_metric(parser))
            break;
        if ((result = parse_stage(parser, &stage)) != TK_OK)
            return result;
        if (last == NULL)
            node->child = stage;
        else
            last->next = stage;
        last = stage;
        if (parser->token.type != TK_QL_TOKEN_PIPE)
            break;
        result = tk_ql_advance(parser);
    }
    if (result != TK_OK)
        return result;
    *ret_node = last == node->child && is_spansets(last) ? last : node;
    return tk_ql_close_node(parser, node);
}

/* ---- metrics ---- */

/* A share of all; `.95` too, which elsewhere is an attribute. */
static enum tk_err
parse_share(struct tk_ql_parser *parser, double *ret_share)
{
    struct tk_ql_value value;
    tk_str raw = parser->token.raw;
    if (parser->token.type != TK_QL_TOKEN_WORD || raw.len < 2 || raw.ptr[0] != '.')
        return tk_ql_parse_number(parser, ret_share);
    tk_str text = tk_arena_printf(parser->query->arena, "0%.*s", TK_STR_ARG(raw));
    if (text.ptr == NULL)
        return TK_ERR_MEMORY;
    if (!tk_ql_number(text, &value) || value.type != TK_QL_FLOAT)
        return tk_ql_unexpected(parser, "a number from 0 to 1");
    *ret_share = value.d;
    return tk_ql_advance(parser);
}

static enum tk_err
parse_quantiles(struct tk_ql_parser *parser, struct tk_ql_metrics *metrics)
{
    enum tk_err result = TK_OK;
    while (parser->token.type == TK_QL_TOKEN_COMMA) {
        if ((result = tk_ql_advance(parser)) != TK_OK)
            return result;
        size_t position = tk_ql_position(parser, parser->token.raw);
        double share;
        if ((result = parse_share(parser, &share)) != TK_OK)
            return result;
        if (!(share >= 0 && share <= 1))
            return tk_ql_fail(parser->error, parser->lexer.text, position, "a number from 0 to 1",
                              "a quantile is a share of all");
        if (metrics->quantile_count == TK_QL_QUANTILES_MAX)
            return tk_ql_fail(parser->error, parser->lexer.text, position, "fewer quantiles",
                              "more than %d quantiles", TK_QL_QUANTILES_MAX);
        metrics->quantiles[metrics->quantile_count++] = share;
    }
    return metrics->quantile_count > 0 ? TK_OK : tk_ql_unexpected(parser, "a quantile: , 0.95");
}

static enum tk_err
parse_function(struct tk_ql_parser *parser, struct tk_ql_metrics *metrics)
{
    enum tk_err result;
    metrics->text = parser->token.raw;
    if (is_word(parser, "compare"))
        return tk_ql_fail(parser->error, parser->lexer.text,
                          tk_ql_position(parser, parser->token.raw),
                          "rate() by (key) for each of the two", "compare() is not supported");
    if (!tk_ql_find_metric(parser->token.raw, &metrics->metric))
        return tk_ql_unexpected(parser, stage_words);
    if ((result = tk_ql_advance(parser)) != TK_OK ||
        (result = tk_ql_take(parser, TK_QL_TOKEN_OPEN_PAREN, "(")) != TK_OK)
        return result;
    if (metrics->metric != TK_QL_RATE && metrics->metric != TK_QL_COUNT_OVER_TIME) {
        if ((result = tk_ql_parse_field(parser, &metrics->field)) != TK_OK)
            return result;
        enum tk_ql_type type = metrics->field->value_type;
        if (type != TK_QL_ANY && !tk_ql_is_number(type))
            return tk_ql_fail(parser->error, parser->lexer.text,
                              tk_ql_position(parser, metrics->field->text),
                              "a number such as duration", "this is not a number");
    }
    if (metrics->metric == TK_QL_QUANTILE_OVER_TIME &&
        (result = parse_quantiles(parser, metrics)) != TK_OK)
        return result;
    if ((result = tk_ql_take(parser, TK_QL_TOKEN_CLOSE_PAREN, ")")) != TK_OK)
        return result;
    if (!is_word(parser, "by"))
        return TK_OK;
    if ((result = tk_ql_advance(parser)) != TK_OK)
        return result;
    return parse_fields(parser, TK_QL_BY_MAX, &metrics->by);
}

static enum tk_err
parse_second(struct tk_ql_parser *parser, struct tk_ql_second *second)
{
    enum tk_err result;
    if (parser->token.type == TK_QL_TOKEN_COMPARE) {
        second->type = TK_QL_KEEP;
        second->op = parser->token.op;
        if (second->op == TK_QL_RE || second->op == TK_QL_NRE)
            return tk_ql_unexpected(parser, "= != < <= > >=");
        result = tk_ql_advance(parser);
        return result == TK_OK ? tk_ql_parse_number(parser, &second->number) : result;
    }
    if ((result = tk_ql_advance(parser)) != TK_OK)
        return result;
    second->type = is_word(parser, "bottomk") ? TK_QL_BOTTOMK : TK_QL_TOPK;
    if (!is_word(parser, "bottomk") && !is_word(parser, "topk"))
        return tk_ql_unexpected(parser, "topk( ) or bottomk( )");
    if ((result = tk_ql_advance(parser)) != TK_OK ||
        (result = tk_ql_take(parser, TK_QL_TOKEN_OPEN_PAREN, "(")) != TK_OK)
        return result;
    if (parser->token.type != TK_QL_TOKEN_VALUE || parser->token.value.type != TK_QL_INT ||
        parser->token.value.i <= 0)
        return tk_ql_unexpected(parser, "how many series to keep, 1 or more");
    second->number = (double)parser->token.value.i;
    if ((result = tk_ql_advance(parser)) != TK_OK)
        return result;
    return tk_ql_take(parser, TK_QL_TOKEN_CLOSE_PAREN, ")");
}

static enum tk_err
parse_metrics(struct tk_ql_parser *parser)
{
    struct tk_query *query = parser->query;
    struct tk_ql_second **link;
    query->metrics = tk_arena_zalloc(query->arena, 1, sizeof *query->metrics);
    if (query->metrics == NULL)
        return TK_ERR_MEMORY;
    query->metrics_position = tk_ql_position(parser, parser->token.raw);
    enum tk_err result = parse_function(parser, query->metrics);
    if (result == TK_OK && query->metrics->metric == TK_QL_HISTOGRAM_OVER_TIME &&
        parser->token.type != TK_QL_TOKEN_END && !is_word(parser, "with"))
        return tk_ql_unexpected(parser, "the end of the query");
    link = &query->metrics->second;
    while (result == TK_OK &&
           (parser->token.type == TK_QL_TOKEN_PIPE || parser->token.type == TK_QL_TOKEN_COMPARE)) {
        struct tk_ql_second *second = tk_arena_zalloc(query->arena, 1, sizeof *second);
        if (second == NULL)
            return TK_ERR_MEMORY;
        result = parse_second(parser, second);
        *link = second;
        link = &second->next;
    }
    return result;
}

/* with(name=value, ...): hints for how to run it, which change no answer: read and forgotten. */
static enum tk_err
parse_hints(struct tk_ql_parser *parser)
{
    enum tk_err result = tk_ql_advance(parser);
    if (result == TK_OK)
        result = tk_ql_take(parser, TK_QL_TOKEN_OPEN_PAREN, "(");
    while (result == TK_OK) {
        struct tk_ql_value value;
        if ((result = tk_ql_take(parser, TK_QL_TOKEN_WORD, "a hint: name=value")) != TK_OK)
            return result;
        if (parser->token.type != TK_QL_TOKEN_COMPARE || parser->token.op != TK_QL_EQ)
            return tk_ql_unexpected(parser, "= and the hint's value");
        if ((result = tk_ql_advance(parser)) != TK_OK)
            return result;
        if (parser->token.type != TK_QL_TOKEN_VALUE &&
            !(parser->token.type == TK_QL_TOKEN_WORD &&
              tk_ql_find_keyword(parser->token.raw, &value)))
            return tk_ql_unexpected(parser, "the hint's value");
        if ((result = tk_ql_advance(parser)) != TK_OK)
            return result;
        if (parser->token.type != TK_QL_TOKEN_COMMA)
            return tk_ql_take(parser, TK_QL_TOKEN_CLOSE_PAREN, ", or )");
        result = tk_ql_advance(parser);
    }
    return result;
}

enum tk_err
tk_ql_parse(struct tk_query *query, struct tk_query_error *error)
{
    struct tk_ql_parser parser = {
        .query = query,
        .error = error,
        .lexer = {.text = query->text, .arena = query->arena, .error = error},
    };
    enum tk_err result = tk_ql_advance(&parser);
    if (result == TK_OK)
        result = parse_pipeline(&parser, &query->root);
    if (result == TK_OK && is_metric(&parser))
        result = parse_metrics(&parser);
    if (result == TK_OK && is_word(&parser, "with"))
        result = parse_hints(&parser);
    if (result != TK_OK)
        return result;
    if (parser.token.type != TK_QL_TOKEN_END)
        return tk_ql_unexpected(&parser, "&&, ||, | or the end of the query");
    return TK_OK;
}
