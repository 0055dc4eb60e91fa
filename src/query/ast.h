#ifndef TK_QUERY_AST_H
#define TK_QUERY_AST_H
/*
 * ast - a parsed query: a tree of typed nodes.  Internal to the query floor.
 *
 * Three kinds of node, from the leaves up: values and conditions are asked of one span, spansets
 * and stages of a whole trace.  AND, OR and their likes for spansets have any number of children,
 * so that only parentheses and chains of operators make a tree high; its height is bounded.
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
    TK_QL_CHILD_COUNT,
    TK_QL_NESTED_LEFT,
    TK_QL_NESTED_RIGHT,
    TK_QL_NESTED_PARENT,
};

enum tk_ql_form { TK_QL_STATIC, TK_QL_ATTRIBUTE, TK_QL_INTRINSIC };

struct tk_ql_operand {
    enum tk_ql_form form;
    enum tk_ql_type type;
    struct tk_ql_value value; /* STATIC */
    bool parent;              /* of the span's parent */
    enum tk_ql_intrinsic intrinsic;
    /* ATTRIBUTE: the key and its other names (semconv), and their numbers in the batch at hand */
    enum tk_ql_scope scope;
    size_t name_count;
    tk_str names[TK_SEMCONV_NAMES_MAX];
    uint32_t keys[TK_SEMCONV_NAMES_MAX]; /* [key_count], the best first */
    uint32_t key_count;
    struct tk_ql_operand *next; /* on the query's list of attributes */
    uint32_t at;                /* of events and links: which one, while evaluating */
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

enum tk_ql_arithmetic { TK_QL_ADD, TK_QL_SUB, TK_QL_MUL, TK_QL_DIV, TK_QL_MOD, TK_QL_POW };

enum tk_ql_relation {
    TK_QL_CHILD,      /* > */
    TK_QL_PARENT,     /* < */
    TK_QL_DESCENDANT, /* >> */
    TK_QL_ANCESTOR,   /* << */
    TK_QL_SIBLING,    /* ~ */
};

enum tk_ql_aggregate { TK_QL_COUNT, TK_QL_AVG, TK_QL_MAX, TK_QL_MIN, TK_QL_SUM };

enum tk_ql_node_type {
    /* a value of one span; an AGGREGATE is one of a group of spans, of its child if not COUNT */
    TK_QL_NODE_OPERAND,
    TK_QL_NODE_NEGATE,
    TK_QL_NODE_ARITHMETIC, /* of two children */
    TK_QL_NODE_AGGREGATE,
    /* true or false of one span; a value stands for itself where a truth is asked for */
    TK_QL_NODE_AND,
    TK_QL_NODE_OR,
    TK_QL_NODE_NOT,
    TK_QL_NODE_COMPARE, /* two children */
    /* spans of a trace */
    TK_QL_NODE_SPANSET, /* one child, or none: every span */
    TK_QL_NODE_SPANSET_AND,
    TK_QL_NODE_SPANSET_OR,
    TK_QL_NODE_RELATION, /* two children */
    TK_QL_NODE_PIPELINE, /* children: stages, that is spansets and those below */
    /* stages: groups of spans to groups of spans */
    TK_QL_NODE_BY,       /* child: a value */
    TK_QL_NODE_SELECT,   /* children: operands */
    TK_QL_NODE_COALESCE, /* no child */
    TK_QL_NODE_SCALAR,   /* child: a COMPARE of aggregates */
};

struct tk_ql_node {
    enum tk_ql_node_type type;
    enum tk_ql_type value_type; /* of a value or a condition */
    struct tk_ql_node *child;   /* the first */
    struct tk_ql_node *next;    /* sibling */
    uint32_t height;            /* of the tree below; a leaf has 0 */
    tk_str text;                /* as it stands in the query */
    struct tk_ql_operand operand;
    enum tk_ql_op op;
    enum tk_ql_arithmetic arithmetic;
    enum tk_ql_aggregate aggregate;
    uint32_t number; /* of an aggregate in its query */
    enum tk_ql_relation relation;
    bool negated, both;     /* !> and its likes, &> and its likes */
    struct tk_regex *regex; /* of RE and NRE */
    struct tk_ql_node *next_regex;
    /* Operands below that have a value for each event or link: whoever asks goes through them. */
    struct tk_ql_node *many;
    struct tk_ql_node *next_many;
};

/* | rate() by (key) and its likes */
enum tk_ql_metric {
    TK_QL_RATE,
    TK_QL_COUNT_OVER_TIME,
    TK_QL_MIN_OVER_TIME,
    TK_QL_MAX_OVER_TIME,
    TK_QL_AVG_OVER_TIME,
    TK_QL_SUM_OVER_TIME,
    TK_QL_QUANTILE_OVER_TIME,
    TK_QL_HISTOGRAM_OVER_TIME,
};

enum { TK_QL_QUANTILES_MAX = 16, TK_QL_BY_MAX = 8 };

/* What is done with the series: topk(number), bottomk(number), or a comparison of each value. */
struct tk_ql_second {
    enum { TK_QL_TOPK, TK_QL_BOTTOMK, TK_QL_KEEP } type;
    enum tk_ql_op op;
    double number;
    struct tk_ql_second *next;
};

struct tk_ql_metrics {
    enum tk_ql_metric metric;
    tk_str text;              /* "quantile_over_time" */
    struct tk_ql_node *field; /* NULL: counts spans */
    double quantiles[TK_QL_QUANTILES_MAX];
    size_t quantile_count;
    struct tk_ql_node *by; /* operands, siblings; NULL: one series */
    struct tk_ql_second *second;
};

struct tk_query {
    struct tk_arena *arena;
    tk_str text;   /* TraceQL */
    tk_str parsed; /* the same with the spaces in front, in which positions count */
    struct tk_ql_node *root;
    struct tk_ql_metrics *metrics; /* NULL: a query for traces */
    size_t metrics_position;       /* byte of the text where the function stands */
    struct tk_ql_node *by;         /* groups asked for beside the text: operands, siblings */
    struct tk_ql_operand *attributes;
    struct tk_ql_node *regexes;
    uint32_t aggregate_count;
    bool is_trace_id;
    struct tk_trace_id trace_id;
    /* While it runs. */
    struct tk_arena scratch;  /* emptied before each trace */
    enum tk_query_budget hit; /* what the last run failed at */
    bool (*expired)(void *arg);
    void *expired_arg;
};

/* What the parsers share. */
enum tk_err tk_ql_fail(struct tk_query_error *error, tk_str text, size_t byte, const char *expected,
                       const char *detail, ...) TK_PRINTF(5, 6);
/* parser.c: parses `query->text`; on failure error->position counts in that text. */
enum tk_err tk_ql_parse(struct tk_query *query, struct tk_query_error *error) TK_MUST_USE;

/* value.c: nothing but numbers has a result; what is not there has none (NIL) either.  Integers
   stay integers as long as they fit. */
struct tk_ql_value tk_ql_calculate(enum tk_ql_arithmetic how, const struct tk_ql_value *a,
                                   const struct tk_ql_value *b);
enum tk_ql_order { TK_QL_LESS = -1, TK_QL_SAME, TK_QL_MORE, TK_QL_NO_ORDER /* NaN */ };
/* False when the types do not go together. */
bool tk_ql_order(const struct tk_ql_value *a, const struct tk_ql_value *b,
                 enum tk_ql_order *ret_order);
bool tk_ql_is_number(enum tk_ql_type type);
struct tk_ql_value tk_ql_value_of(const struct tk_value *value); /* NULL: NIL */
/* As an attribute would hold it; a status or kind by its name. */
struct tk_value tk_ql_plain(const struct tk_ql_value *value);

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
