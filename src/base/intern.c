/*
 * intern - see intern.h.
 *
 * Open addressing with linear probing; a slot holds number + 1, 0 is free.  The table is at most
 * half full, hashes are kept beside the strings, so that growing and most misses touch no text.
 *
 * The strings of records from one piece of code come in one order again and again.  So each string
 * remembers which one followed it, and that guess is tried before anything is hashed.
 */
#include "base/intern.h"

#include "base/assert.h"
#include "base/hash.h"

#include <stdlib.h>

enum { SLOTS_MIN = 64 };

void
tk_intern_init(struct tk_intern *table, uint32_t limit)
{
    TK_ASSERT(limit < UINT32_MAX / 4);
    *table = (struct tk_intern){.limit = limit};
}

void
tk_intern_release(struct tk_intern *table)
{
    free(table->strings);
    free(table->_hashes);
    free(table->_followers);
    free(table->_slots);
    tk_intern_init(table, table->limit);
}

void
tk_intern_clear(struct tk_intern *table)
{
    if (table->count > 0)
        memset(table->_slots, 0, table->_slot_count * sizeof *table->_slots);
    table->count = 0;
    table->_last = 0;
}

/* The slot where `string` is, or the free one where it belongs. */
static uint32_t *
find_slot(const struct tk_intern *table, tk_str string, uint64_t hash)
{
    uint32_t mask = table->_slot_count - 1;
    uint32_t at = (uint32_t)hash & mask;
    for (;; at = (at + 1) & mask) {
        uint32_t slot = table->_slots[at];
        if (slot == 0 ||
            (table->_hashes[slot - 1] == hash && tk_str_eq(table->strings[slot - 1], string)))
            return &table->_slots[at];
    }
}

static enum tk_err
grow_slots(struct tk_intern *table)
{
    uint32_t slot_count = table->_slot_count > 0 ? table->_slot_count * 2 : SLOTS_MIN;
    uint32_t *slots = calloc(slot_count, sizeof *slots);
    if (slots == NULL)
        return TK_ERR_MEMORY;
    for (uint32_t id = 0; id < table->count; id++) {
        uint32_t at = (uint32_t)table->_hashes[id] & (slot_count - 1);
        while (slots[at] != 0)
            at = (at + 1) & (slot_count - 1);
        slots[at] = id + 1;
    }
    free(table->_slots);
    table->_slots = slots;
    table->_slot_count = slot_count;
    return TK_OK;
}

static enum tk_err
grow_strings(struct tk_intern *table)
{
    uint32_t capacity = table->_capacity > 0 ? table->_capacity * 2 : SLOTS_MIN / 2;
    tk_str *strings = realloc(table->strings, capacity * sizeof *strings);
    if (strings == NULL)
        return TK_ERR_MEMORY;
    table->strings = strings;
    uint64_t *hashes = realloc(table->_hashes, capacity * sizeof *hashes);
    if (hashes == NULL)
        return TK_ERR_MEMORY;
    table->_hashes = hashes;
    uint32_t *followers = realloc(table->_followers, capacity * sizeof *followers);
    if (followers == NULL)
        return TK_ERR_MEMORY;
    table->_followers = followers;
    table->_capacity = capacity;
    return TK_OK;
}

/* A string that is not there yet; `arena` NULL: keep the view. */
static enum tk_err
add_new(struct tk_intern *table, struct tk_arena *arena, tk_str string, uint64_t hash)
{
    if (table->count >= table->limit)
        return TK_ERR_LIMIT;
    if (table->count == table->_capacity && grow_strings(table) != TK_OK)
        return TK_ERR_MEMORY;
    if (table->count >= table->_slot_count / 2 && grow_slots(table) != TK_OK)
        return TK_ERR_MEMORY;
    if (arena != NULL) {
        string = tk_arena_copy(arena, string);
        if (string.ptr == NULL)
            return TK_ERR_MEMORY;
    }
    uint32_t *slot = find_slot(table, string, hash);
    table->strings[table->count] = string;
    table->_hashes[table->count] = hash;
    table->_followers[table->count] = 0;
    *slot = ++table->count;
    return TK_OK;
}

static enum tk_err
add(struct tk_intern *table, struct tk_arena *arena, tk_str string, uint32_t *ret_id)
{
    uint32_t id;
    if (table->count > 0) {
        id = table->_followers[table->_last];
        if (tk_str_eq(table->strings[id], string))
            goto out;
    }
    uint64_t hash = tk_hash(string);
    uint32_t slot = table->count > 0 ? *find_slot(table, string, hash) : 0;
    if (slot == 0) {
        enum tk_err code = add_new(table, arena, string, hash);
        if (code != TK_OK)
            return code;
        slot = table->count;
    }
    id = slot - 1;
    table->_followers[table->_last] = id;
out:
    table->_last = id;
    *ret_id = id;
    return TK_OK;
}

enum tk_err
tk_intern_add(struct tk_intern *table, tk_str string, uint32_t *ret_id)
{
    return add(table, NULL, string, ret_id);
}

enum tk_err
tk_intern_copy(struct tk_intern *table, struct tk_arena *arena, tk_str string, uint32_t *ret_id)
{
    return add(table, arena, string, ret_id);
}

bool
tk_intern_find(const struct tk_intern *table, tk_str string, uint32_t *ret_id)
{
    if (table->count == 0)
        return false;
    uint32_t slot = *find_slot(table, string, tk_hash(string));
    if (slot == 0)
        return false;
    *ret_id = slot - 1;
    return true;
}
