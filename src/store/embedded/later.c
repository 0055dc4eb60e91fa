/* later - see later.h. */
#include "store/embedded/later.h"

#include <stdlib.h>

void
tk_later_release(struct tk_later *later)
{
    free(later->place);
    *later = (struct tk_later){0};
}

enum tk_err
tk_later_add(struct tk_later *later, struct tk_place place)
{
    if (later->count == later->_capacity) {
        uint32_t capacity = later->_capacity > 0 ? later->_capacity * 2 : 16;
        struct tk_place *grown = realloc(later->place, capacity * sizeof *grown);
        if (grown == NULL)
            return TK_ERR_MEMORY;
        later->place = grown;
        later->_capacity = capacity;
    }
    uint32_t at = later->count++;
    for (; at > 0 && tk_place_cmp(place, later->place[(at - 1) / 2]) < 0; at = (at - 1) / 2)
        later->place[at] = later->place[(at - 1) / 2];
    later->place[at] = place;
    return TK_OK;
}

struct tk_place
tk_later_take(struct tk_later *later)
{
    struct tk_place first = later->place[0], last = later->place[--later->count];
    uint32_t at = 0;
    for (;;) {
        uint32_t child = 2 * at + 1;
        if (child + 1 < later->count &&
            tk_place_cmp(later->place[child + 1], later->place[child]) < 0)
            child++;
        if (child >= later->count || tk_place_cmp(later->place[child], last) >= 0)
            break;
        later->place[at] = later->place[child];
        at = child;
    }
    later->place[at] = last;
    return first;
}
