/*
 * utf8 - validation as Unicode's table 3-7 has it: no overlong forms, no surrogates, nothing beyond
 * U+10FFFF. A wrong byte is replaced alone, and the next one is looked at anew.
 */
#include "utf8.h"

#include <stdbool.h>
#include <string.h>

static bool
is_tail(uint8_t byte, uint8_t least, uint8_t most)
{
    return byte >= least && byte <= most;
}

/* The size of the character at `at`, 0 when there is none. */
static size_t
character_size(const uint8_t *at, size_t left)
{
    uint8_t first = at[0], least = 0x80, most = 0xbf;
    if (first < 0x80)
        return 1;
    size_t size = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
    if (first < 0xc2 || first > 0xf4 || left < size)
        return 0;
    if (first == 0xe0)
        least = 0xa0;
    else if (first == 0xed)
        most = 0x9f;
    else if (first == 0xf0)
        least = 0x90;
    else if (first == 0xf4)
        most = 0x8f;
    if (!is_tail(at[1], least, most))
        return 0;
    for (size_t i = 2; i < size; i++)
        if (!is_tail(at[i], 0x80, 0xbf))
            return 0;
    return size;
}

size_t
tk_utf8_cut(const char *text, size_t size, size_t max)
{
    if (size <= max)
        return size;
    size_t end = max;
    while (end > 0 && max - end < 3 && ((uint8_t)text[end] & 0xc0) == 0x80)
        end--;
    return ((uint8_t)text[end] & 0xc0) == 0x80 ? max : end;
}

size_t
tk_utf8_size(const char *text, size_t size)
{
    const uint8_t *in = (const uint8_t *)text;
    size_t sum = size;
    for (size_t i = 0; i < size;) {
        uint64_t eight = 0;
        if (size - i >= sizeof eight)
            memcpy(&eight, in + i, sizeof eight);
        if (size - i >= sizeof eight && (eight & 0x8080808080808080ULL) == 0) {
            i += sizeof eight;
            continue;
        }
        size_t character = character_size(in + i, size - i);
        sum += character > 0 ? 0 : 2;
        i += character > 0 ? character : 1;
    }
    return sum;
}

size_t
tk_utf8_copy(uint8_t *to, const char *from, size_t size)
{
    const uint8_t *in = (const uint8_t *)from;
    uint8_t *out = to;
    for (size_t i = 0; i < size;) {
        size_t character = character_size(in + i, size - i);
        memcpy(out, character > 0 ? in + i : (const uint8_t *)"\xef\xbf\xbd",
               character > 0 ? character : 3);
        out += character > 0 ? character : 3;
        i += character > 0 ? character : 1;
    }
    return (size_t)(out - to);
}
