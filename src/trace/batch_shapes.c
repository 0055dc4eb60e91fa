/*
 * batch_shapes - tk_batch_find_shapes(): which spans carry the same keys with the same types.
 *
 * A table of a fixed size, one shape to a slot, the newest wins: nothing to grow, and no set of
 * keys, however chosen, makes it slow.  What was pushed out of its slot is numbered anew when it
 * comes again; so equal numbers are a promise, different ones are not (batch.h).
 */
#include "trace/batch.h"

#include <stdlib.h>

enum { SLOTS_MIN = 16, SLOTS_MAX = 1024 };

/* Any odd number with its bits well spread. */
#define SPREAD 0x9E3779B97F4A7C15u

static uint32_t
hash_shape(const struct tk_batch *batch, struct tk_range attrs)
{
    const uint32_t *key = batch->attr_key + attrs.begin;
    const struct tk_value *value = batch->attr_value + attrs.begin;
    uint64_t hash = attrs.count;
    for (uint32_t i = 0; i < attrs.count; i++)
        hash = (hash ^ ((uint64_t)key[i] << 3 ^ value[i].type)) * SPREAD;
    return (uint32_t)(hash >> 32);
}

static bool
is_same_shape(const struct tk_batch *batch, struct tk_range a, struct tk_range b)
{
    if (a.count != b.count)
        return false;
    for (uint32_t i = 0; i < a.count; i++)
        if (batch->attr_key[a.begin + i] != batch->attr_key[b.begin + i] ||
            batch->attr_value[a.begin + i].type != batch->attr_value[b.begin + i].type)
            return false;
    return true;
}

enum tk_err
tk_batch_find_shapes(struct tk_batch *batch)
{
    uint32_t slots[SLOTS_MAX]; /* shape + 1; 0: free */
    uint32_t slot_count = SLOTS_MIN, count = 0, rows = batch->span_count;
    uint32_t *shape = malloc((rows + 1) * sizeof *shape);
    struct tk_range *shapes = malloc((rows + 1) * sizeof *shapes);
    if (shape == NULL || shapes == NULL) {
        free(shape);
        free(shapes);
        return TK_ERR_MEMORY;
    }
    while (slot_count < SLOTS_MAX && slot_count < rows)
        slot_count *= 2;
    memset(slots, 0, slot_count * sizeof *slots);
    for (uint32_t row = 0; row < rows; row++) {
        struct tk_range attrs = batch->attrs[row];
        uint32_t *slot = &slots[hash_shape(batch, attrs) & (slot_count - 1)];
        if (*slot == 0 || !is_same_shape(batch, shapes[*slot - 1], attrs)) {
            shapes[count] = attrs;
            *slot = ++count;
        }
        shape[row] = *slot - 1;
    }
    free(batch->shape);
    free(batch->shapes);
    batch->shape = shape;
    batch->shape_count = count;
    struct tk_range *fitted = realloc(shapes, (count + 1) * sizeof *shapes);
    batch->shapes = fitted != NULL ? fitted : shapes;
    return TK_OK;
}
