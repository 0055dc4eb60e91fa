#ifndef TK_QUERY_NAMES_H
#define TK_QUERY_NAMES_H
/* names - the words of the query language: intrinsics, scopes, values, functions, relations. */
#include "query/ast.h"

/* `name`, `span:name` ... */
bool tk_ql_find_intrinsic(tk_str word, enum tk_ql_intrinsic *ret_intrinsic,
                          enum tk_ql_type *ret_type);
/* true, false, nil, ok, error, unset, server, ... */
bool tk_ql_find_keyword(tk_str word, struct tk_ql_value *ret_value);
/* Cuts `span.`, `resource.` ... or `.` from the front of *word. */
bool tk_ql_cut_scope(tk_str *word, enum tk_ql_scope *ret_scope);
/* count, avg ... and rate, count_over_time ... */
bool tk_ql_find_aggregate(tk_str word, enum tk_ql_aggregate *ret_aggregate);
bool tk_ql_find_metric(tk_str word, enum tk_ql_metric *ret_metric);
/* A word that with a "(" behind it begins a stage of a pipeline. */
bool tk_ql_is_stage(tk_str word);
/* >, !>, &> ... between spansets. */
bool tk_ql_find_relation(tk_str symbol, enum tk_ql_relation *ret_relation, bool *ret_negated,
                         bool *ret_both);
/* "a duration", "a status" ... for messages. */
const char *tk_ql_type_text(enum tk_ql_type type);

#endif
