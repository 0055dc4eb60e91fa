#ifndef TK_BASE_INTERN_H
#define TK_BASE_INTERN_H
/*
 * intern - equal strings become one small number, counted from 0 in order of first sight.
 *
 * The table keeps views: the bytes must outlive it (or be copied into an arena first, see
 * tk_intern_copy).  Not thread-safe.
 */
#include "base/arena.h"

struct tk_intern {
    tk_str *strings; /* [count]; by number */
    uint32_t count;
    uint32_t limit; /* most strings it takes; then TK_ERR_LIMIT */
    uint32_t *_slots;
    uint32_t _slot_count; /* power of two */
    uint32_t _capacity;
    uint64_t *_hashes;
    uint32_t *_followers; /* [_capacity]; by number: which one was asked for next, last time */
    uint32_t _last;       /* asked for */
};

void tk_intern_init(struct tk_intern *table, uint32_t limit);
void tk_intern_release(struct tk_intern *table);
void tk_intern_clear(struct tk_intern *table); /* keeps the memory */
/* The number of `string`, new or known.  Keeps the view. */
enum tk_err tk_intern_add(struct tk_intern *table, tk_str string, uint32_t *ret_id) TK_MUST_USE;
/* The same, but a string seen first is copied into `arena`. */
enum tk_err tk_intern_copy(struct tk_intern *table, struct tk_arena *arena, tk_str string,
                           uint32_t *ret_id) TK_MUST_USE;
bool tk_intern_find(const struct tk_intern *table, tk_str string, uint32_t *ret_id);
/* tk_hash() of a string that is there. */
static inline uint64_t
tk_intern_hash(const struct tk_intern *table, uint32_t id)
{
    return table->_hashes[id];
}

#endif
