/* grpc - see grpc.h. */
#include "net/grpc.h"

bool
tk_grpc_is_content_type(tk_str content_type)
{
    tk_str type = tk_str_trim(tk_str_split(&content_type, ';'));
    return tk_str_eq_nocase(type, TK_STR("application/grpc")) ||
           tk_str_eq_nocase(type, TK_STR("application/grpc+proto"));
}

size_t
tk_grpc_message_size(const char *body)
{
    const unsigned char *prefix = (const unsigned char *)body;
    return (size_t)prefix[1] << 24 | (size_t)prefix[2] << 16 | (size_t)prefix[3] << 8 | prefix[4];
}

int
tk_grpc_open_message(tk_str *body, bool *ret_compressed, const char **ret_reason)
{
    if (body->len < TK_GRPC_PREFIX_SIZE) {
        *ret_reason = "the call holds no whole message";
        return 400;
    }
    unsigned char flag = (unsigned char)body->ptr[0];
    size_t size = tk_grpc_message_size(body->ptr);
    if (flag > 1) {
        *ret_reason = "the message's compression flag is neither 0 nor 1";
        return 400;
    }
    if (size > body->len - TK_GRPC_PREFIX_SIZE) {
        *ret_reason = "the message is shorter than its prefix says";
        return 400;
    }
    if (size < body->len - TK_GRPC_PREFIX_SIZE) {
        *ret_reason = "a unary call takes one message; there is more behind it";
        return 501;
    }
    *ret_compressed = flag == 1;
    *body = (tk_str){body->ptr + TK_GRPC_PREFIX_SIZE, size};
    return 0;
}

void
tk_grpc_write_prefix(char prefix[TK_GRPC_PREFIX_SIZE], size_t message_size)
{
    prefix[0] = 0;
    for (int i = 1; i < TK_GRPC_PREFIX_SIZE; i++)
        prefix[i] = (char)(message_size >> 8 * (TK_GRPC_PREFIX_SIZE - 1 - i) & 0xff);
}

int
tk_grpc_status_of(int http_status)
{
    switch (http_status) {
    case 408:
        return TK_GRPC_DEADLINE_EXCEEDED;
    case 413:
    case 431:
        return TK_GRPC_RESOURCE_EXHAUSTED;
    case 501:
        return TK_GRPC_UNIMPLEMENTED;
    case 503:
        return TK_GRPC_UNAVAILABLE;
    default:
        return TK_GRPC_INTERNAL;
    }
}

tk_str
tk_grpc_percent_encode(struct tk_arena *arena, tk_str text)
{
    static const char digits[] = "0123456789ABCDEF";
    char *out = tk_arena_alloc(arena, 3 * text.len + 1);
    size_t len = 0;
    if (out == NULL)
        return TK_STR_NONE;
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.ptr[i];
        if (c >= ' ' && c <= '~' && c != '%') {
            out[len++] = (char)c;
            continue;
        }
        out[len++] = '%';
        out[len++] = digits[c >> 4];
        out[len++] = digits[c & 15];
    }
    out[len] = '\0';
    return (tk_str){out, len};
}

tk_str
tk_grpc_base64(struct tk_arena *arena, tk_str bytes)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    char *out = tk_arena_alloc(arena, bytes.len / 3 * 4 + 4);
    size_t len = 0;
    unsigned bits = 0, bit_count = 0;
    if (out == NULL)
        return TK_STR_NONE;
    for (size_t i = 0; i < bytes.len; i++) {
        bits = bits << 8 | (unsigned char)bytes.ptr[i];
        for (bit_count += 8; bit_count >= 6; bit_count -= 6)
            out[len++] = digits[bits >> (bit_count - 6) & 63];
    }
    if (bit_count > 0)
        out[len++] = digits[bits << (6 - bit_count) & 63];
    return (tk_str){out, len};
}
