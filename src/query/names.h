#ifndef TK_QUERY_NAMES_H
#define TK_QUERY_NAMES_H
/* names - the words of the query language: intrinsics, scopes, values of status and kind. */
#include "query/ast.h"

/* `name`, `span:name` ... */
bool tk_ql_find_intrinsic(tk_str word, enum tk_ql_intrinsic *ret_intrinsic,
                          enum tk_ql_type *ret_type);
/* true, false, nil, ok, error, unset, server, ... */
bool tk_ql_find_keyword(tk_str word, struct tk_ql_value *ret_value);
/* Cuts `span.`, `resource.` ... or `.` from the front of *word. */
bool tk_ql_cut_scope(tk_str *word, enum tk_ql_scope *ret_scope);
/* What Tempo knows and we do not yet; NULL when it is not that. */
const char *tk_ql_find_unsupported(tk_str word);
/* "a duration", "a status" ... for messages. */
const char *tk_ql_type_text(enum tk_ql_type type);

#endif
