#ifndef TK_API_MEMBERS_H
#define TK_API_MEMBERS_H
/*
 * members - the small JSON objects that people and the page send: strings and lists of strings.
 */
#include "api/api.h"

struct tk_member {
    tk_str name;
    tk_str *text;                /* a string; or */
    struct tk_member_list *list; /* an array of strings */
};

struct tk_member_list {
    tk_str items[TK_ORIGINS_MAX];
    size_t count;
};

/* Reads the request's body; views lie in it or in the request's arena.  A member that is not in
   `fields` is TK_ERR_INPUT: a misspelt one must not be passed over.  TK_ERR_UNSUPPORTED: a content
   type other than application/json (a form of another site can send those). */
enum tk_err tk_members_read(struct tk_call *call, const struct tk_member *fields,
                            size_t field_count, struct tk_error *err) TK_MUST_USE;

#endif
