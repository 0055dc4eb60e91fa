#ifndef TK_STORE_NUMBER_MAP_H
#define TK_STORE_NUMBER_MAP_H
/*
 * number_map - numbers to small numbers; emptied in an instant, so that there can be one per trace.
 */
#include "base/error.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

struct tk_number_slot {
    uint64_t key;
    uint32_t value, round;
};
struct tk_number_map {
    struct tk_number_slot *_slots;
    uint32_t _slot_count, _count, _round;
};

static inline void
tk_number_map_release(struct tk_number_map *map)
{
    free(map->_slots);
    *map = (struct tk_number_map){0};
}

static inline void
tk_number_map_clear(struct tk_number_map *map)
{
    map->_count = 0;
    if (++map->_round == 0) { /* after 2^32 rounds: slots of old rounds would come alive */
        for (uint32_t i = 0; i < map->_slot_count; i++)
            map->_slots[i].round = 0;
        map->_round = 1;
    }
}

static inline struct tk_number_slot *
tk_number_map_slot(const struct tk_number_map *map, uint64_t key)
{
    uint64_t at = key * 0x9E3779B97F4A7C15u >> 32;
    for (;; at++) {
        struct tk_number_slot *slot = &map->_slots[at & (map->_slot_count - 1)];
        if (slot->round != map->_round || slot->key == key)
            return slot;
    }
}

static inline bool
tk_number_map_find(const struct tk_number_map *map, uint64_t key, uint32_t *ret_value)
{
    if (map->_count == 0)
        return false;
    const struct tk_number_slot *slot = tk_number_map_slot(map, key);
    if (slot->round != map->_round)
        return false;
    *ret_value = slot->value;
    return true;
}

/* A key that is not there yet. */
static inline enum tk_err
tk_number_map_add(struct tk_number_map *map, uint64_t key, uint32_t value)
{
    if (map->_count * 2 >= map->_slot_count) {
        struct tk_number_map grown = {NULL, map->_slot_count > 0 ? map->_slot_count * 2 : 64, 0, 1};
        grown._slots = calloc(grown._slot_count, sizeof *grown._slots);
        if (grown._slots == NULL)
            return TK_ERR_MEMORY;
        for (uint32_t i = 0; i < map->_slot_count; i++)
            if (map->_slots[i].round == map->_round && map->_count > 0) {
                struct tk_number_slot *to = tk_number_map_slot(&grown, map->_slots[i].key);
                *to = map->_slots[i];
                to->round = 1;
            }
        grown._count = map->_count;
        free(map->_slots);
        *map = grown;
    }
    struct tk_number_slot *slot = tk_number_map_slot(map, key);
    *slot = (struct tk_number_slot){key, value, map->_round};
    map->_count++;
    return TK_OK;
}

#endif
