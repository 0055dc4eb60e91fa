/* portion - see portion.h. */
#include "cli/portion.h"

enum { SPAN_BYTES = 128, ATTR_BYTES = 24 };

static size_t
attrs_bytes(const struct tk_batch *batch, struct tk_range attrs)
{
    size_t bytes = 0;
    for (uint32_t i = attrs.begin; i < attrs.begin + attrs.count; i++) {
        uint8_t type = batch->attr_value[i].type;
        bool has_text = type == TK_VALUE_STRING || type >= TK_VALUE_BYTES;
        bytes += ATTR_BYTES + (has_text ? batch->attr_value[i].len : 0);
    }
    return bytes;
}

/* About what the row takes, encoded. */
static size_t
row_bytes(const struct tk_batch *batch, uint32_t row)
{
    size_t bytes = SPAN_BYTES + batch->name[row].len + attrs_bytes(batch, batch->attrs[row]);
    struct tk_range events = batch->events[row], links = batch->links[row];
    for (uint32_t i = events.begin; i < events.begin + events.count; i++)
        bytes += SPAN_BYTES + attrs_bytes(batch, batch->event[i].attrs);
    for (uint32_t i = links.begin; i < links.begin + links.count; i++)
        bytes += SPAN_BYTES + attrs_bytes(batch, batch->link[i].attrs);
    return bytes;
}

uint32_t
tk_portion_rows(const struct tk_batch *batch, uint32_t begin)
{
    size_t bytes = 0;
    uint32_t row = begin;
    while (row < batch->span_count && (row == begin || bytes < TK_PORTION_BYTES))
        bytes += row_bytes(batch, row++);
    return row - begin;
}
