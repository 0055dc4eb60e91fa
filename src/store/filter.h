#ifndef TK_STORE_FILTER_H
#define TK_STORE_FILTER_H
/*
 * filter - what a span must have for its trace to be worth yielding.
 *
 * A promise in one direction: a scan with filters yields every trace that, for each filter, has a
 * span for which it holds.  It may yield others, so who asks decides again over the whole trace.
 * A store turns filters into dictionary lookups, postings and zone maps; one that knows none of
 * these may ignore them.
 *
 * A filter is a tree over one span: ALL and ANY of their children, TEST at the leaves.  There is no
 * "not": what excludes is left out of a filter, or becomes EXISTS.
 *
 * What TEST holds for (a store may be more generous, never stricter):
 *   - numbers compare by value, whether the span has an INT or a DOUBLE and `value` is either;
 *   - strings compare as bytes; EQ only, and MATCHES asks `matches` of each distinct text;
 *   - an attribute that is an ARRAY, a MAP, BYTES or EMPTY passes every test of its key;
 *   - of equal keys on one span any may hold.
 * Ownership: views; everything must outlive the scan.
 */
#include "trace/batch.h"

enum tk_filter_type { TK_FILTER_ALL, TK_FILTER_ANY, TK_FILTER_TEST };

enum tk_filter_field {
    TK_FIELD_ATTRIBUTE,      /* `key` in any of `owners` */
    TK_FIELD_NAME,           /* STRING */
    TK_FIELD_STATUS_MESSAGE, /* STRING */
    TK_FIELD_EVENT_NAME,     /* STRING */
    TK_FIELD_SCOPE_NAME,     /* STRING */
    TK_FIELD_SCOPE_VERSION,  /* STRING */
    TK_FIELD_STATUS,         /* INT, enum tk_status */
    TK_FIELD_KIND,           /* INT, enum tk_kind */
    TK_FIELD_DURATION,       /* INT, ns */
};

enum tk_owner { /* bits: whose attributes */
                TK_OWNER_SPAN = 1,
                TK_OWNER_RESOURCE = 2,
                TK_OWNER_SCOPE = 4,
                TK_OWNER_EVENT = 8,
                TK_OWNER_LINK = 16,
};

enum tk_filter_op {
    TK_FILTER_EXISTS, /* attributes: the key is there; fields: always */
    TK_FILTER_EQ,
    TK_FILTER_LT,
    TK_FILTER_LE,
    TK_FILTER_GT,
    TK_FILTER_GE,
    TK_FILTER_MATCHES, /* strings */
};

struct tk_filter {
    enum tk_filter_type type;
    const struct tk_filter *child; /* ALL, ANY: the first; none: ALL holds, ANY does not */
    const struct tk_filter *next;  /* sibling */
    /* TEST */
    enum tk_filter_field field;
    unsigned owners; /* ATTRIBUTE: enum tk_owner, or-ed */
    tk_str key;      /* ATTRIBUTE */
    enum tk_filter_op op;
    struct tk_value value;                   /* STRING, BOOL, INT or DOUBLE */
    bool (*matches)(void *arg, tk_str text); /* MATCHES; may be called from one thread at a time */
    void *arg;
};

#endif
