/* query - the parameters of a request's query string (server.h: tk_request_param). */
#include "net/server.h"

static int
hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

tk_str
tk_percent_decode(struct tk_arena *arena, tk_str text, bool plus_is_space)
{
    char *out = tk_arena_alloc(arena, text.len + 1);
    size_t len = 0;
    if (out == NULL)
        return TK_STR_NONE;
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        if (c == '+' && plus_is_space) {
            c = ' ';
        } else if (c == '%' && i + 2 < text.len && hex_digit(text.ptr[i + 1]) >= 0 &&
                   hex_digit(text.ptr[i + 2]) >= 0) {
            c = (char)(hex_digit(text.ptr[i + 1]) << 4 | hex_digit(text.ptr[i + 2]));
            i += 2;
        }
        out[len++] = c;
    }
    out[len] = '\0';
    return (tk_str){out, len};
}

tk_str
tk_request_param(struct tk_request *request, tk_str name)
{
    tk_str rest = request->query;
    while (rest.len > 0) {
        tk_str value = tk_str_split(&rest, '&');
        tk_str key = tk_str_split(&value, '=');
        key = tk_percent_decode(&request->arena, key, true);
        if (key.ptr != NULL && tk_str_eq(key, name))
            return tk_percent_decode(&request->arena, value, true);
    }
    return TK_STR_NONE;
}
