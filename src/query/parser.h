#ifndef TK_QUERY_PARSER_H
#define TK_QUERY_PARSER_H
/*
 * parser - what the two halves of the parser share.  Internal to the query floor.
 *
 * parser.c reads spansets, pipelines and metrics, parser_field.c what is asked of one span.
 */
#include "query/lexer.h"
#include "query/names.h"

/* Frames of the recursive functions that walk the tree. */
enum { TK_QUERY_HEIGHT_MAX = 400 };

struct tk_ql_parser {
    struct tk_query *query;
    struct tk_query_error *error;
    struct tk_ql_lexer lexer;
    struct tk_ql_token token; /* the one at hand */
    int depth;
    bool of_group; /* values are aggregates of a group of spans, not of one span */
};

size_t tk_ql_position(const struct tk_ql_parser *parser, tk_str raw);
enum tk_err tk_ql_advance(struct tk_ql_parser *parser) TK_MUST_USE;
/* The token at hand does not fit. */
enum tk_err tk_ql_unexpected(struct tk_ql_parser *parser, const char *expected) TK_MUST_USE;
/* Takes a token of this type, or fails. */
enum tk_err tk_ql_take(struct tk_ql_parser *parser, enum tk_ql_token_type type,
                       const char *expected) TK_MUST_USE;
/* A node that begins at the token at hand. */
enum tk_err tk_ql_new_node(struct tk_ql_parser *parser, enum tk_ql_node_type type,
                           struct tk_ql_node **ret_node) TK_MUST_USE;
/* A node of two, which stands where they do. */
enum tk_err tk_ql_new_pair(struct tk_ql_parser *parser, enum tk_ql_node_type type,
                           struct tk_ql_node *left, struct tk_ql_node *right,
                           struct tk_ql_node **ret_node) TK_MUST_USE;
/* The node's text ends before the token at hand; its height is that of its children. */
enum tk_err tk_ql_close_node(struct tk_ql_parser *parser, struct tk_ql_node *node) TK_MUST_USE;
enum tk_err tk_ql_enter(struct tk_ql_parser *parser) TK_MUST_USE; /* one level deeper */
/* item { separator item }: one item stays itself, several become children of a `type` node. */
enum tk_err tk_ql_parse_list(struct tk_ql_parser *parser, enum tk_ql_token_type separator,
                             enum tk_ql_node_type type,
                             enum tk_err (*parse_item)(struct tk_ql_parser *, struct tk_ql_node **),
                             struct tk_ql_node **ret_node) TK_MUST_USE;

/* parser_field.c */
/* A condition: true or false of a span. */
enum tk_err tk_ql_parse_condition(struct tk_ql_parser *parser,
                                  struct tk_ql_node **ret_node) TK_MUST_USE;
/* Anything that has a value for a span. */
enum tk_err tk_ql_parse_value(struct tk_ql_parser *parser,
                              struct tk_ql_node **ret_node) TK_MUST_USE;
/* An attribute or an intrinsic. */
enum tk_err tk_ql_parse_field(struct tk_ql_parser *parser,
                              struct tk_ql_node **ret_node) TK_MUST_USE;
/* A comparison of aggregates: count() > 2 */
enum tk_err tk_ql_parse_scalar(struct tk_ql_parser *parser,
                               struct tk_ql_node **ret_node) TK_MUST_USE;
/* A number or duration, maybe with a minus. */
enum tk_err tk_ql_parse_number(struct tk_ql_parser *parser, double *ret_number) TK_MUST_USE;
/* Does it speak of the span at all? */
bool tk_ql_is_constant(const struct tk_ql_node *node);

#endif
