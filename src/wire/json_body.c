/* json_body - see json_body.h: walking.  Scalars are in json_scalar.c. */
#include "wire/json_body.h"

#include <stdio.h>
#include <stdlib.h>

enum { PATH_KEY_MAX = 40 };

void
tk_json_body_init(struct tk_json_body *body, tk_str text, struct tk_arena *arena)
{
    *body = (struct tk_json_body){.text = text, .code = TK_OK};
    tk_json_reader_init(&body->reader, text, arena);
}

bool
tk_json_body_fail(struct tk_json_body *body, size_t at, const char *problem)
{
    body->code = TK_ERR_INPUT;
    body->problem_at = at;
    (void)snprintf(body->problem, sizeof body->problem, "%.100s", problem);
    return false;
}

bool
tk_json_body_keep(struct tk_json_body *body, enum tk_err code)
{
    if (code == TK_OK)
        return true;
    body->code = code;
    body->problem_at = body->token.offset;
    (void)snprintf(body->problem, sizeof body->problem, "%s",
                   code == TK_ERR_LIMIT ? "more spans, attributes, events, links or attribute "
                                          "keys than one body may hold"
                                        : tk_err_text(code));
    return false;
}

bool
tk_json_body_next(struct tk_json_body *body)
{
    struct tk_error err;
    if (body->code != TK_OK) /* the loops around the one that failed end here too */
        return false;
    enum tk_err code = tk_json_next(&body->reader, &body->token, &err);
    if (code == TK_ERR_INPUT) {
        const char *text = strstr(err.message, ": "); /* "byte 17: ..." */
        return tk_json_body_fail(body, body->reader.at, text != NULL ? text + 2 : err.message);
    }
    return tk_json_body_keep(body, code);
}

bool
tk_json_body_skip(struct tk_json_body *body)
{
    if (body->token.type != TK_JSON_OBJECT && body->token.type != TK_JSON_ARRAY)
        return true;
    struct tk_arena *arena = body->reader.arena;
    uint32_t depth = body->reader.depth;
    bool good = true;
    body->reader.arena = NULL; /* nobody will look at the text */
    while (good && body->reader.depth >= depth)
        good = tk_json_body_next(body);
    body->reader.arena = arena;
    return good;
}

static bool
is_container(struct tk_json_body *body, enum tk_json_type type, const char *problem)
{
    if (body->token.type == TK_JSON_NULL)
        return false;
    return body->token.type == type || tk_json_body_fail(body, body->token.offset, problem);
}

bool
tk_json_body_is_object(struct tk_json_body *body)
{
    return is_container(body, TK_JSON_OBJECT, "an object is expected");
}

bool
tk_json_body_must_be_object(struct tk_json_body *body)
{
    return body->token.type == TK_JSON_OBJECT ||
           tk_json_body_fail(body, body->token.offset, "an object is expected");
}

bool
tk_json_body_is_array(struct tk_json_body *body)
{
    return is_container(body, TK_JSON_ARRAY, "an array is expected");
}

bool
tk_json_body_member(struct tk_json_body *body, tk_str *ret_key)
{
    if (!tk_json_body_next(body) || body->token.type == TK_JSON_OBJECT_END)
        return false;
    *ret_key = body->token.text;
    return tk_json_body_next(body);
}

bool
tk_json_body_element(struct tk_json_body *body)
{
    return tk_json_body_next(body) && body->token.type != TK_JSON_ARRAY_END;
}

/* camelCase `name` against `key` in camelCase or snake_case. */
static bool
is_named(tk_str key, const char *name)
{
    size_t at = 0;
    for (; *name != '\0'; name++, at++) {
        if (at < key.len && key.ptr[at] == *name)
            continue;
        if (*name < 'A' || *name > 'Z' || at + 1 >= key.len || key.ptr[at] != '_' ||
            key.ptr[at + 1] != *name - 'A' + 'a')
            return false;
        at++;
    }
    return at == key.len;
}

int
tk_json_body_name(tk_str key, const char *const *names)
{
    for (int i = 0; names[i] != NULL; i++)
        if (is_named(key, names[i]))
            return i;
    return -1;
}

/* Where a walk stands in one open container. */
struct step {
    bool is_array;
    uint32_t index; /* of the next element */
    tk_str key;
};

static void
format_path(const struct step *steps, uint32_t depth, char *path, size_t size)
{
    size_t len = 0;
    path[0] = '\0';
    for (uint32_t i = 0; i < depth && len + PATH_KEY_MAX + 2 < size; i++) {
        if (steps[i].is_array && steps[i].index > 0) {
            len += (size_t)snprintf(path + len, size - len, "[%u]", steps[i].index - 1);
            continue;
        }
        if (steps[i].key.len > 0 && len > 0)
            path[len++] = '.';
        for (size_t k = 0; k < steps[i].key.len && k < PATH_KEY_MAX; k++) {
            char c = steps[i].key.ptr[k];
            path[len++] = c > ' ' && c < 0x7F ? c : '?';
        }
        path[len] = '\0';
    }
}

void
tk_json_body_path(tk_str text, size_t offset, char *path, size_t size)
{
    struct step steps[TK_JSON_DEPTH_MAX + 1] = {{.is_array = false}};
    struct tk_json_reader reader;
    struct tk_json_token token;
    uint32_t depth = 0;
    tk_json_reader_init(&reader, text, NULL);
    while (reader.at <= offset) {
        if (depth > 0 && steps[depth - 1].is_array && reader.at < text.len)
            steps[depth - 1].index++; /* its next element, unless it ends */
        if (tk_json_next(&reader, &token, NULL) != TK_OK || token.type == TK_JSON_DONE ||
            token.offset > offset)
            break;
        if (token.type == TK_JSON_KEY) {
            steps[depth - 1].key = token.text;
        } else if (token.type == TK_JSON_OBJECT || token.type == TK_JSON_ARRAY) {
            if (token.offset == offset)
                break;
            steps[depth++] = (struct step){.is_array = token.type == TK_JSON_ARRAY};
        } else if (token.type == TK_JSON_OBJECT_END || token.type == TK_JSON_ARRAY_END) {
            depth--;
        }
    }
    format_path(steps, depth, path, size);
}

enum tk_err
tk_json_body_explain(const struct tk_json_body *body, struct tk_error *err)
{
    char path[200];
    if (body->code != TK_ERR_INPUT)
        return tk_error_set(err, body->code, "%s", body->problem);
    tk_json_body_path(body->text, body->problem_at, path, sizeof path);
    return tk_error_set(err, TK_ERR_INPUT, "byte %zu: %s%s%s", body->problem_at, path,
                        path[0] != '\0' ? ": " : "", body->problem);
}
