/* thin - see thin.h. */
#include "store/thin.h"

#include "base/options.h"

/* Digits behind a point as a part of 2^56, to the nearest below. */
static bool
parse_ratio(tk_str text, uint64_t *ret_part)
{
    uint64_t digits = 0, scale = 1;
    if (text.len == 0 || text.ptr[0] != '0' || (text.len > 1 && text.ptr[1] != '.') ||
        text.len == 2 || text.len > 2 + TK_THIN_DIGITS_MAX)
        return false;
    for (size_t i = 2; i < text.len; i++) {
        if (text.ptr[i] < '0' || text.ptr[i] > '9')
            return false;
        digits = digits * 10 + (uint64_t)(text.ptr[i] - '0');
        scale *= 10;
    }
    *ret_part = TK_THIN_ALL / scale * digits + TK_THIN_ALL % scale * digits / scale;
    return true;
}

bool
tk_thin_parse(tk_str text, struct tk_thin_step *ret_step)
{
    uint64_t part, age_nano;
    tk_str rest = tk_str_trim(text);
    tk_str ratio = tk_str_split(&rest, '@');
    if (!parse_ratio(ratio, &part) || !tk_parse_duration(rest, &age_nano))
        return false;
    *ret_step = (struct tk_thin_step){age_nano, TK_THIN_ALL - part};
    return true;
}

uint64_t
tk_thin_threshold(const struct tk_thin_step *steps, size_t count, uint64_t age_nano)
{
    uint64_t threshold = 0;
    for (size_t i = 0; i < count; i++)
        if (age_nano >= steps[i].age_nano && steps[i].threshold > threshold)
            threshold = steps[i].threshold;
    return threshold;
}

bool
tk_thin_stays(uint64_t threshold, struct tk_trace_id id)
{
    return (id.low & (TK_THIN_ALL - 1)) >= threshold;
}
