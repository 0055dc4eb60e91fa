#ifndef TK_QUERY_DIFFERENCES_H
#define TK_QUERY_DIFFERENCES_H
/*
 * differences - what is special about the spans that a query selects: the values that are more
 * frequent among them than among the rest.
 *
 * Of each side the newest spans are counted, value by value.  The score of a value is the lower
 * bound (95 %) of the difference of its shares, by Agresti and Caffo, so that few spans prove
 * little: with a of the n selected spans and b of the m others,
 *
 *     p = (a + 1) / (n + 2)    q = (b + 1) / (m + 2)
 *     score = p - q - 1.96 * sqrt(p * (1 - p) / (n + 2) + q * (1 - q) / (m + 2))
 *
 * What scores 0 or less is no difference.  An id is another one on every span and so never scores.
 */
#include "query/search.h"

enum {
    TK_DIFFERENCES_SPANS_MAX = 50000, /* of each side, the newest traces' */
    TK_DIFFERENCES_SECONDS = 4,       /* for both sides; then what was counted until there */
    TK_DIFFERENCES_KEYS_MAX = 1000,   /* of attributes; further ones are not counted */
    TK_DIFFERENCES_VALUES_MAX = 1000, /* of one key; the same */
    TK_DIFFERENCES_TEXT_MAX = 256,    /* bytes; longer values are not counted */
};

/* What counts on one side. */
struct tk_differences_side {
    struct tk_query *query;
    uint64_t begin_nano, end_nano; /* begin <= start of the span < end; end 0: no end */
};

struct tk_differences_ask {
    struct tk_store_view *view;
    /* `rest` without what is `selected` too */
    struct tk_differences_side selected, rest;
    struct tk_env *env;
    uint64_t deadline_nano; /* of env->mono_nano; 0: none */
    size_t memory;          /* budget, bytes */
    struct tk_arena *arena; /* of the result */
};

enum tk_difference_scope { TK_DIFFERENCE_SPAN, TK_DIFFERENCE_RESOURCE, TK_DIFFERENCE_INTRINSIC };

struct tk_difference {
    enum tk_difference_scope scope;
    tk_str key;            /* of an attribute; or "name", "kind", "status" */
    struct tk_value value; /* STRING, BOOL, INT, DOUBLE; EMPTY: the spans that have none */
    uint64_t count[2];     /* spans that have it: selected, rest */
    double score;          /* more than 0, less than 1 */
};

struct tk_differences {
    struct tk_difference *entries; /* by score, the greatest first */
    size_t count;
    uint64_t span_count[2]; /* counted: selected, rest */
    bool cut[2];            /* there are more, or the time was up */
};

/* TK_ERR_LIMIT: a regular expression was too costly, or the memory was used up. */
enum tk_err tk_differences_run(const struct tk_differences_ask *ask,
                               struct tk_differences *ret_differences,
                               struct tk_error *err) TK_MUST_USE;

#endif
