/* members - see members.h. */
#include "api/members.h"

static bool
is_json(const struct tk_request *request)
{
    tk_str rest = tk_request_header(request, TK_STR("content-type"));
    tk_str type = tk_str_trim(tk_str_split(&rest, ';'));
    return tk_str_eq_nocase(type, TK_STR("application/json"));
}

static enum tk_err
read_list(struct tk_json_reader *json, const struct tk_member *field, struct tk_error *err)
{
    struct tk_json_token token;
    for (;;) {
        enum tk_err result = tk_json_next(json, &token, err);
        if (result != TK_OK)
            return result;
        if (token.type == TK_JSON_ARRAY_END)
            return TK_OK;
        if (token.type != TK_JSON_STRING || field->list->count == TK_ORIGINS_MAX)
            return tk_error_set(err, TK_ERR_INPUT,
                                "byte %zu: `%.*s` is a list of at most %d strings", token.offset,
                                TK_STR_ARG(field->name), TK_ORIGINS_MAX);
        field->list->items[field->list->count++] = token.text;
    }
}

static enum tk_err
read_value(struct tk_json_reader *json, const struct tk_member *field, struct tk_error *err)
{
    struct tk_json_token token;
    enum tk_err result = tk_json_next(json, &token, err);
    if (result != TK_OK)
        return result;
    if (field->list != NULL && token.type == TK_JSON_ARRAY)
        return read_list(json, field, err);
    if (field->text == NULL || token.type != TK_JSON_STRING)
        return tk_error_set(err, TK_ERR_INPUT, "byte %zu: `%.*s` is a %s", token.offset,
                            TK_STR_ARG(field->name), field->text != NULL ? "string" : "list");
    *field->text = token.text;
    return TK_OK;
}

static const struct tk_member *
find_field(const struct tk_member *fields, size_t field_count, tk_str name)
{
    for (size_t i = 0; i < field_count; i++)
        if (tk_str_eq(fields[i].name, name))
            return &fields[i];
    return NULL;
}

enum tk_err
tk_members_read(struct tk_call *call, const struct tk_member *fields, size_t field_count,
                struct tk_error *err)
{
    struct tk_json_reader json;
    struct tk_json_token token;
    if (!is_json(call->request))
        return tk_error_set(err, TK_ERR_UNSUPPORTED, "the content type must be application/json");
    tk_json_reader_init(&json, call->request->body, &call->request->arena);
    enum tk_err result = tk_json_next(&json, &token, err);
    if (result == TK_OK && token.type != TK_JSON_OBJECT)
        return tk_error_set(err, TK_ERR_INPUT, "byte %zu: expected an object", token.offset);
    while (result == TK_OK) {
        result = tk_json_next(&json, &token, err);
        if (result != TK_OK || token.type == TK_JSON_OBJECT_END)
            break;
        const struct tk_member *field = find_field(fields, field_count, token.text);
        if (field == NULL)
            return tk_error_set(err, TK_ERR_INPUT, "byte %zu: unknown member `%.*s`", token.offset,
                                TK_STR_ARG(token.text));
        result = read_value(&json, field, err);
    }
    if (result == TK_OK)
        result = tk_json_next(&json, &token, err); /* nothing may follow */
    return result;
}
