/* zones - which groups have a column, and between which values (value_index.h). */
#include "base/assert.h"
#include "store/segment/numbers.h"
#include "store/segment/value_index.h"
#include "trace/batch.h"

#include <stdlib.h>

uint64_t
tk_zones_order(uint8_t type, uint64_t number)
{
    static const uint64_t sign = (uint64_t)1 << 63;
    if (type == TK_VALUE_INT)
        return (uint64_t)tk_unzigzag(number) ^ sign;
    if (type == TK_VALUE_DOUBLE)
        return (number & sign) != 0 ? ~number : number | sign;
    return number;
}

void
tk_zones_release(struct tk_zones *zones)
{
    free(zones->group);
    free(zones->least);
    free(zones->greatest);
    *zones = (struct tk_zones){0};
}

static bool
grow(void *column_ptr, size_t capacity, size_t size)
{
    void *column;
    memcpy(&column, column_ptr, sizeof column);
    column = realloc(column, capacity * size);
    if (column != NULL)
        memcpy(column_ptr, &column, sizeof column);
    return column != NULL;
}

enum tk_err
tk_zones_add(struct tk_zones *zones, uint32_t group, bool ranged, uint64_t least, uint64_t greatest)
{
    TK_ASSERT(zones->count == 0 || zones->group[zones->count - 1] < group);
    if ((zones->count & (zones->count - 1)) == 0) { /* full: capacities are powers of two */
        size_t capacity = zones->count > 0 ? (size_t)zones->count * 2 : 1;
        if (!grow(&zones->group, capacity, sizeof *zones->group) ||
            (ranged && (!grow(&zones->least, capacity, sizeof *zones->least) ||
                        !grow(&zones->greatest, capacity, sizeof *zones->greatest))))
            return TK_ERR_MEMORY;
    }
    zones->group[zones->count] = group;
    if (ranged) {
        zones->least[zones->count] = least;
        zones->greatest[zones->count] = greatest;
    }
    zones->count++;
    return TK_OK;
}

void
tk_zones_write(const struct tk_zones *zones, uint32_t group_count, struct tk_buf *out)
{
    tk_put_varint(out, zones->count);
    if (zones->count < group_count) {
        uint64_t *groups = malloc(zones->count * sizeof *groups + 1);
        if (groups == NULL) {
            out->status = TK_ERR_MEMORY;
            return;
        }
        for (uint32_t i = 0; i < zones->count; i++)
            groups[i] = zones->group[i];
        tk_numbers_encode(groups, zones->count, 0, out);
        free(groups);
    }
    if (zones->least == NULL)
        return;
    tk_numbers_encode(zones->least, zones->count, 0, out);
    tk_numbers_encode(zones->greatest, zones->count, 0, out);
}

static enum tk_err
read_numbers(tk_str *in, uint32_t count, uint64_t **ret_numbers)
{
    *ret_numbers = malloc(count * sizeof **ret_numbers + 1);
    return *ret_numbers != NULL ? tk_numbers_decode(in, count, *ret_numbers) : TK_ERR_MEMORY;
}

/* Which groups; *numbers is scratch. */
static enum tk_err
read_groups(tk_str *in, uint32_t group_count, uint64_t **numbers, struct tk_zones *zones)
{
    enum tk_err code = read_numbers(in, zones->count, numbers);
    if (code != TK_OK)
        return code;
    zones->group = malloc(zones->count * sizeof *zones->group + 1);
    if (zones->group == NULL)
        return TK_ERR_MEMORY;
    for (uint32_t i = 0; i < zones->count; i++) {
        if ((*numbers)[i] >= group_count || (i > 0 && (*numbers)[i] <= (*numbers)[i - 1]))
            return TK_ERR_CORRUPT;
        zones->group[i] = (uint32_t)(*numbers)[i];
    }
    return TK_OK;
}

enum tk_err
tk_zones_read(tk_str section, uint32_t group_count, bool ranged, struct tk_zones *ret_zones)
{
    struct tk_reader in = {(const unsigned char *)section.ptr,
                           (const unsigned char *)section.ptr + section.len, true};
    struct tk_zones zones = {0};
    uint64_t *numbers = NULL;
    enum tk_err code = TK_OK;
    uint64_t count = tk_get_varint(&in);
    if (!in.ok || count > group_count)
        return TK_ERR_CORRUPT;
    zones.count = (uint32_t)count;
    zones.all = count == group_count;
    tk_str rest = {(const char *)in.at, tk_reader_left(&in)};
    if (!zones.all)
        code = read_groups(&rest, group_count, &numbers, &zones);
    if (code == TK_OK && ranged)
        code = read_numbers(&rest, zones.count, &zones.least);
    if (code == TK_OK && ranged)
        code = read_numbers(&rest, zones.count, &zones.greatest);
    if (code == TK_OK && rest.len > 0)
        code = TK_ERR_CORRUPT;
    free(numbers);
    if (code == TK_OK)
        *ret_zones = zones;
    else
        tk_zones_release(&zones);
    return code;
}
