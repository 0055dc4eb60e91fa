#ifndef TK_STORE_MATCH_INT_H
#define TK_STORE_MATCH_INT_H
/* match_int - filters as they were turned into questions to one segment: match.c, match_group.c. */
#include "store/embedded/match.h"

/* A test asked of one column. */
struct tk_match_probe {
    uint32_t column;
    enum tk_column_owner owner;
    bool any;               /* whoever has the column passes */
    bool other;             /* the column is one of OTHER: attributes of all keys */
    uint64_t *codes;        /* bits by code, of a dictionary; NULL: values are tested */
    uint32_t code, matched; /* the code when exactly one matches; how many do */
    uint64_t *shapes;       /* which have the column; made when first needed */
};

struct tk_match_node {
    const struct tk_filter *filter;
    uint32_t child, next;         /* numbers of nodes; 0: none */
    uint64_t *groups;             /* where it may hold; NULL: anywhere */
    bool always;                  /* a test that holds for every row */
    struct tk_match_probe *probe; /* [probe_count] */
    uint32_t probe_count, probe_capacity;
    uint64_t *resources, *scopes; /* that pass; NULL: not asked */
};

struct tk_match {
    struct tk_segment *segment;
    struct tk_filters filters;
    struct tk_cache_item *schema_item;
    const struct tk_schema_view *schema;
    struct tk_match_node *nodes; /* [node_count]; 0 is nobody */
    uint32_t node_count, node_capacity;
    uint32_t roots[TK_MATCH_MAX];
    uint32_t group; /* whose masks these are; UINT32_MAX: none */
    uint32_t needed;
    bool is_complete; /* all filters were looked at, not only `needed` */
    uint32_t masks[TK_GROUP_ROWS];
};

/* Values as tests see them. */
struct tk_value tk_match_number(const struct tk_match *match, uint32_t column, uint64_t number);
struct tk_value tk_match_text(tk_str text);

#endif
