/* rejected - see rejected.h. */
#include "wire/rejected.h"

#include <stdio.h>

enum { NAME_MAX_BYTES = 60 };

/* At most so many bytes of a name, cut between characters: a reason is UTF-8 too. */
static tk_str
shorten(tk_str name)
{
    if (name.len <= NAME_MAX_BYTES)
        return name;
    name.len = NAME_MAX_BYTES;
    while (name.len > 0 && ((unsigned char)name.ptr[name.len] & 0xC0) == 0x80)
        name.len--;
    return name;
}

void
tk_rejected_add(struct tk_rejected *rejected, const char *place, tk_str name, const char *reason)
{
    if (rejected->span_count++ > 0)
        return;
    name = shorten(name);
    (void)snprintf(rejected->reason, sizeof rejected->reason, "%s: %s (span \"%.*s\")", place,
                   reason, TK_STR_ARG(name));
}

const char *
tk_rejected_times(uint64_t start_nano, uint64_t end_nano)
{
    if (start_nano == 0)
        return "the start time is 0";
    if (start_nano > INT64_MAX || end_nano > INT64_MAX)
        return "a time is beyond 2^63-1 ns";
    if (end_nano < start_nano)
        return "the end time is before the start time";
    return NULL;
}
