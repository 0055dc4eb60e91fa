#ifndef TK_WIRE_JSON_BODY_H
#define TK_WIRE_JSON_BODY_H
/*
 * json_body - a JSON body read member by member, for the decoders of JSON formats.
 *
 * Reading goes by the current token.  tk_json_body_member() and tk_json_body_element() step to the
 * next value; whoever handles it finds its first token in `token` and leaves its last one there.
 * A function that returns false has set `problem` - except those two, when nothing more comes.
 *
 * Numbers are read as protobuf's JSON mapping says: 64-bit ones as a number or a string, in any
 * notation as long as the value is integral; null is the default.
 */
#include "base/json.h"

struct tk_json_body {
    tk_str text;
    struct tk_json_reader reader;
    struct tk_json_token token; /* current */
    enum tk_err code;           /* TK_OK: no problem so far */
    size_t problem_at;
    char problem[128];
};

void tk_json_body_init(struct tk_json_body *body, tk_str text, struct tk_arena *arena);
bool tk_json_body_fail(struct tk_json_body *body, size_t at, const char *problem);
/* A code that is not about the text, TK_ERR_MEMORY say, turned into "go on?". */
bool tk_json_body_keep(struct tk_json_body *body, enum tk_err code);
/* The whole story, with the path: "byte 12: resourceSpans[0].resource: ...". */
enum tk_err tk_json_body_explain(const struct tk_json_body *body, struct tk_error *err);
/* The path to the value at `offset`: "spans[3].name".  Cut to fit; ASCII. */
void tk_json_body_path(tk_str text, size_t offset, char *path, size_t size);

bool tk_json_body_next(struct tk_json_body *body);
bool tk_json_body_skip(struct tk_json_body *body); /* the rest of the current value */
/* Is the current value an object (an array)?  null is not, and no problem; anything else is. */
bool tk_json_body_is_object(struct tk_json_body *body);
bool tk_json_body_is_array(struct tk_json_body *body);
/* The same for an element, where null is a problem. */
bool tk_json_body_must_be_object(struct tk_json_body *body);
bool tk_json_body_member(struct tk_json_body *body, tk_str *ret_key);
bool tk_json_body_element(struct tk_json_body *body);

/* Which of `names` (camelCase, NULL at the end) `key` is, in camelCase or snake_case; or -1. */
int tk_json_body_name(tk_str key, const char *const *names);

/* The current value as ...; null leaves the default: "", 0, false. */
bool tk_json_body_string(struct tk_json_body *body, tk_str *ret_text);
bool tk_json_body_u64(struct tk_json_body *body, uint64_t *ret_value);
bool tk_json_body_i64(struct tk_json_body *body, int64_t *ret_value);
bool tk_json_body_u32(struct tk_json_body *body, uint32_t *ret_value);
/* A number, or a name out of `names` (NULL at the end), which then is its index. */
bool tk_json_body_enum(struct tk_json_body *body, const char *const *names, int32_t *ret_value);
bool tk_json_body_double(struct tk_json_body *body, double *ret_value);
bool tk_json_body_bool(struct tk_json_body *body, bool *ret_value);
bool tk_json_body_base64(struct tk_json_body *body, tk_str *ret_bytes);

#endif
