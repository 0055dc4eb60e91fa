#ifndef TK_API_JSON_BODY_H
#define TK_API_JSON_BODY_H
/*
 * json_body - the small JSON objects that people and the page send: strings and lists of strings.
 */
#include "api/api.h"

struct tk_json_field {
    tk_str name;
    tk_str *text;             /* a string; or */
    struct tk_str_list *list; /* an array of strings */
};

struct tk_str_list {
    tk_str items[TK_ORIGINS_MAX];
    size_t count;
};

/* Reads the request's body; views lie in it or in the request's arena.  A member that is not in
   `fields` is TK_ERR_INPUT: a misspelt one must not be passed over.  A content type other than
   application/json is TK_ERR_INPUT too (a form of another site can send any other). */
enum tk_err tk_json_body_read(struct tk_call *call, const struct tk_json_field *fields,
                              size_t field_count, struct tk_error *err) TK_MUST_USE;

#endif
