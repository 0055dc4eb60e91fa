/* ids - see ids.h. */
#include "trace/ids.h"

#include <endian.h>

static uint64_t
read_u64(const void *bytes)
{
    uint64_t word;
    memcpy(&word, bytes, sizeof word);
    return be64toh(word);
}

static void
write_u64(uint64_t word, void *bytes)
{
    word = htobe64(word);
    memcpy(bytes, &word, sizeof word);
}

struct tk_trace_id
tk_trace_id_read(const void *bytes)
{
    return (struct tk_trace_id){read_u64(bytes), read_u64((const char *)bytes + 8)};
}

void
tk_trace_id_write(struct tk_trace_id id, void *bytes)
{
    write_u64(id.high, bytes);
    write_u64(id.low, (char *)bytes + 8);
}

tk_span_id
tk_span_id_read(const void *bytes)
{
    return read_u64(bytes);
}

void
tk_span_id_write(tk_span_id id, void *bytes)
{
    write_u64(id, bytes);
}

static bool
parse_u64(const char *hex, uint64_t *ret_word) /* 16 digits */
{
    uint64_t word = 0;
    for (int i = 0; i < 16; i++) {
        char c = hex[i];
        unsigned digit;
        if (c >= '0' && c <= '9')
            digit = (unsigned)(c - '0');
        else if (c >= 'a' && c <= 'f')
            digit = (unsigned)(c - 'a') + 10;
        else if (c >= 'A' && c <= 'F')
            digit = (unsigned)(c - 'A') + 10;
        else
            return false;
        word = word << 4 | digit;
    }
    *ret_word = word;
    return true;
}

bool
tk_trace_id_parse(tk_str hex, struct tk_trace_id *ret_id)
{
    struct tk_trace_id id;
    if (hex.len != TK_TRACE_ID_HEX || !parse_u64(hex.ptr, &id.high) ||
        !parse_u64(hex.ptr + 16, &id.low) || tk_trace_id_is_none(id))
        return false;
    *ret_id = id;
    return true;
}

bool
tk_span_id_parse(tk_str hex, tk_span_id *ret_id)
{
    tk_span_id id;
    if (hex.len != TK_SPAN_ID_HEX || !parse_u64(hex.ptr, &id) || id == 0)
        return false;
    *ret_id = id;
    return true;
}

static void
format_u64(uint64_t word, char *text)
{
    for (int i = 15; i >= 0; i--, word >>= 4)
        text[i] = "0123456789abcdef"[word & 15];
}

void
tk_trace_id_format(struct tk_trace_id id, char text[TK_TRACE_ID_HEX + 1])
{
    format_u64(id.high, text);
    format_u64(id.low, text + 16);
    text[TK_TRACE_ID_HEX] = '\0';
}

void
tk_span_id_format(tk_span_id id, char text[TK_SPAN_ID_HEX + 1])
{
    format_u64(id, text);
    text[TK_SPAN_ID_HEX] = '\0';
}
