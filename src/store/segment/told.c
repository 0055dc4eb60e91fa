/* told - see told.h; docs/formats/segment.md, "Told beside others". */
#include "store/segment/told.h"

#include "store/segment/texts_words.h"

#include <stdlib.h>

/* A trace that begins in the group, most often with the span that is the trace. */
static void
by_duration(const struct tk_told_traces *traces, uint32_t begin, uint32_t count, uint64_t *numbers)
{
    for (uint32_t t = 0; t < traces->count; t++) {
        uint32_t row = traces->row[t];
        if (row >= begin && row - begin < count && traces->before[t] == 0)
            numbers[row - begin] ^= traces->duration[t];
    }
}

/* Links lead to spans of the same trace more often than to any other. */
static void
by_id(const struct tk_told_traces *traces, uint32_t begin, uint32_t count, uint64_t *numbers)
{
    for (uint32_t t = 0; t < traces->count; t++) {
        uint32_t link = traces->link[traces->row[t]], end = traces->link[traces->row[t + 1]];
        for (; link < end; link++)
            if (link >= begin && link - begin < count)
                numbers[link - begin] ^= traces->id[t];
    }
}

void
tk_told_by_trace(const struct tk_told_traces *traces, uint32_t column, uint32_t begin,
                 uint32_t count, uint64_t *numbers)
{
    if (column == TK_COLUMN_TRACE_TOTAL)
        for (uint32_t i = 0; i < count; i++)
            numbers[i] ^= traces->before[begin + i] + traces->rows[begin + i];
    else if (column == TK_COLUMN_DURATION)
        by_duration(traces, begin, count, numbers);
    else
        by_id(traces, begin, count, numbers);
}

bool
tk_told_names(const uint64_t *codes, const tk_str *texts, uint32_t count, uint32_t distinct,
              uint32_t *names, uint32_t *ret_name_count)
{
    uint32_t name_count = 0;
    if (codes == NULL) {
        struct tk_distinct once;
        if (!tk_distinct_make(texts, count, &once))
            return false;
        for (uint32_t i = 0; i < count; i++)
            names[i] = (uint32_t)once.which[i];
        *ret_name_count = once.count;
        tk_distinct_release(&once);
        return true;
    }
    uint32_t *met = calloc((size_t)distinct + 1, sizeof *met); /* number + 1 */
    if (met == NULL)
        return false;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t *number = &met[codes[i]];
        if (*number == 0)
            *number = ++name_count;
        names[i] = *number - 1;
    }
    free(met);
    *ret_name_count = name_count;
    return true;
}

/* What a name mostly has, found in one pass: exact if more than half have it. */
static bool
find_usual(const uint32_t *names, uint32_t name_count, const uint64_t *numbers, uint32_t count,
           uint64_t *usual)
{
    uint32_t *lead = calloc((size_t)name_count + 1, sizeof *lead);
    if (lead == NULL)
        return false;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t name = names[i];
        if (lead[name] == 0)
            usual[name] = numbers[i];
        lead[name] += usual[name] == numbers[i] ? 1 : UINT32_MAX;
    }
    free(lead);
    return true;
}

bool
tk_told_put_by_name(const uint32_t *names, uint32_t name_count, uint64_t *numbers, uint32_t count,
                    int level, struct tk_buf *out)
{
    uint64_t *usual = malloc(((size_t)name_count + 1) * sizeof *usual);
    if (usual == NULL || !find_usual(names, name_count, numbers, count, usual)) {
        free(usual);
        return false;
    }
    for (uint32_t i = 0; i < count; i++)
        numbers[i] ^= usual[names[i]];
    tk_numbers_encode(usual, name_count, 0, out);
    tk_numbers_encode(numbers, count, level, out);
    free(usual);
    return true;
}

enum tk_err
tk_told_get_by_name(tk_str *in, const uint32_t *names, uint32_t name_count, uint32_t count,
                    uint32_t begin, uint32_t part_count, uint64_t *numbers)
{
    uint64_t *usual = malloc(((size_t)name_count + 1) * sizeof *usual);
    if (usual == NULL)
        return TK_ERR_MEMORY;
    enum tk_err code = tk_numbers_decode(in, name_count, usual);
    if (code == TK_OK)
        code = tk_numbers_decode_part(in, count, begin, part_count, numbers);
    for (uint32_t i = 0; i < part_count && code == TK_OK; i++)
        numbers[i] ^= usual[names[begin + i]];
    free(usual);
    return code;
}
