#ifndef TK_QUERY_AST_H
#define TK_QUERY_AST_H
/*
 * ast - a parsed query: a tree of typed conditions.  Internal to the query floor.
 *
 * The upper part of the tree (SPANSET_AND, SPANSET_OR over SPANSET) is asked of a whole trace, what
 * lies below a SPANSET is asked of one span.  AND and OR have any number of children, so that only
 * parentheses and `!` make a tree deep.
 *
 * Every attribute of the query is on one list: whoever runs a query resolves the keys to numbers
 * once per batch, and a planner reads there what must be looked up.
 */
#include "query/regex.h"
#include "query/traceql.h"
#include "trace/semconv.h"

enum tk_ql_type {
    TK_QL_ANY, /* of an attribute: known only with the span */
    TK_QL_NIL,
    TK_QL_BOOL,
    TK_QL_INT,
    TK_QL_FLOAT,
    TK_QL_DURATION,
    TK_QL_STRING,
    TK_QL_STATUS,
    TK_QL_KIND,
    TK_QL_ARRAY,  /* of a span only */
    TK_QL_OPAQUE, /* bytes and maps of a span: there, but equal to nothing */
};

struct tk_ql_value {
    enum tk_ql_type type;
    union {
        bool b;
        int64_t i; /* INT; DURATION in ns; STATUS and KIND by their numbers */
        double d;
        tk_str text;
        struct tk_value array;
    };
};

enum tk_ql_scope {
    TK_QL_UNSCOPED, /* span, then resource */
    TK_QL_SPAN,
    TK_QL_RESOURCE,
    TK_QL_EVENT,
    TK_QL_LINK,
    TK_QL_INSTRUMENTATION,
};

enum tk_ql_intrinsic {
    TK_QL_NAME,
    TK_QL_SPAN_KIND,
    TK_QL_SPAN_STATUS,
    TK_QL_STATUS_MESSAGE,
    TK_QL_SPAN_DURATION,
    TK_QL_SPAN_ID,
    TK_QL_PARENT_ID,
    TK_QL_TRACE_ID,
    TK_QL_TRACE_DURATION,
    TK_QL_ROOT_NAME,
    TK_QL_ROOT_SERVICE,
    TK_QL_EVENT_NAME,
    TK_QL_EVENT_SINCE_START,
    TK_QL_LINK_TRACE_ID,
    TK_QL_LINK_SPAN_ID,
    TK_QL_SCOPE_NAME,
    TK_QL_SCOPE_VERSION,
};

enum tk_ql_form { TK_QL_STATIC, TK_QL_ATTRIBUTE, TK_QL_INTRINSIC };

struct tk_ql_operand {
    enum tk_ql_form form;
    enum tk_ql_type type;
    size_t position;          /* byte of the text where it stands */
    struct tk_ql_value value; /* STATIC */
    enum tk_ql_intrinsic intrinsic;
    /* ATTRIBUTE: the key and its other names (semconv), and their numbers in the batch at hand */
    enum tk_ql_scope scope;
    size_t name_count;
    tk_str names[TK_SEMCONV_NAMES_MAX];
    uint32_t keys[TK_SEMCONV_NAMES_MAX]; /* [key_count], the best first */
    uint32_t key_count;
    struct tk_ql_operand *next; /* on the query's list of attributes */
};

enum tk_ql_op {
    TK_QL_EQ,
    TK_QL_NE,
    TK_QL_LT,
    TK_QL_LE,
    TK_QL_GT,
    TK_QL_GE,
    TK_QL_RE,
    TK_QL_NRE,
};

enum tk_ql_node_type {
    TK_QL_NODE_SPANSET_AND,
    TK_QL_NODE_SPANSET_OR,
    TK_QL_NODE_SPANSET, /* one child, or none: every span */
    TK_QL_NODE_AND,
    TK_QL_NODE_OR,
    TK_QL_NODE_NOT,
    TK_QL_NODE_COMPARE, /* left op right */
    TK_QL_NODE_TRUTH,   /* left is true */
};

struct tk_ql_node {
    enum tk_ql_node_type type;
    struct tk_ql_node *child; /* the first */
    struct tk_ql_node *next;  /* sibling */
    enum tk_ql_op op;
    struct tk_ql_operand left, right;
    struct tk_regex *regex; /* of RE and NRE */
    struct tk_ql_node *next_regex;
};

struct tk_query {
    struct tk_arena *arena;
    tk_str text; /* TraceQL */
    struct tk_ql_node *root;
    struct tk_ql_operand *attributes;
    struct tk_ql_node *regexes;
    bool is_trace_id;
    struct tk_trace_id trace_id;
};

/* What the parsers share. */
enum tk_err tk_ql_fail(struct tk_query_error *error, tk_str text, size_t byte, const char *expected,
                       const char *detail, ...) TK_PRINTF(5, 6);
/* Parses `query->text`; on failure error->position counts in that text. */
enum tk_err tk_ql_parse(struct tk_query *query, struct tk_query_error *error) TK_MUST_USE;

/* shorthand.c: TraceQL for `text` into *ret_text.  places[] tells which byte of `text` a byte of
   the translation comes from. */
struct tk_ql_place {
    size_t from; /* byte of the translation where the word's condition begins */
    size_t to;   /* byte of the shorthand where the word begins */
};
struct tk_ql_places {
    struct tk_ql_place *place;
    size_t count;
};
enum tk_err tk_ql_translate(tk_str text, struct tk_arena *arena, tk_str *ret_text,
                            struct tk_ql_places *ret_places,
                            struct tk_query_error *error) TK_MUST_USE;

#endif
