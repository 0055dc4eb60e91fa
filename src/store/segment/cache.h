#ifndef TK_STORE_CACHE_H
#define TK_STORE_CACHE_H
/*
 * cache - what was read from segments lately (groups, dictionaries, indexes), bounded in bytes.
 *
 * Least recently used goes first.  An item that somebody holds lives on after it was pushed out,
 * so the bound is on what nobody uses.  Thread-safe.
 *
 * Numbers: each item that is put in gets the next one, so that whoever reads much that nobody else
 * will ask for (sealing) can take it out again.
 */
#include "base/error.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

struct tk_cache_key {
    uint64_t segment; /* tk_segment.serial */
    uint64_t part;    /* which part of it */
};

struct tk_cache_item {
    void *value;
    /* private */
    struct tk_cache *_cache;
    struct tk_cache_key _key;
    uint64_t _number;
    size_t _bytes;
    void (*_free)(void *value);
    uint32_t _references;
    bool _out; /* of the cache, but held */
    struct tk_cache_item *_next_in_bucket, *_newer, *_older;
};

enum { TK_CACHE_BUCKETS = 1 << 14 };

struct tk_cache {
    pthread_mutex_t _lock;
    size_t _bytes, _bytes_max;
    uint64_t _hits, _misses, _puts;
    struct tk_cache_item *_newest, *_oldest;
    struct tk_cache_item *_buckets[TK_CACHE_BUCKETS];
};

void tk_cache_init(struct tk_cache *cache, size_t bytes_max);
void tk_cache_release_all(struct tk_cache *cache); /* nobody holds an item any more */

void tk_cache_stats(struct tk_cache *cache, uint64_t *ret_bytes, uint64_t *ret_hits,
                    uint64_t *ret_misses);

/* The item, held for the caller, or NULL. */
struct tk_cache_item *tk_cache_get(struct tk_cache *cache, struct tk_cache_key key);
/* Is it there?  Nobody looked at it: it grows old as before, and no hit or miss is counted. */
bool tk_cache_has(struct tk_cache *cache, struct tk_cache_key key);
/* Puts `value` there and holds it for the caller; NULL when memory ran out (the value is freed). */
struct tk_cache_item *tk_cache_put(struct tk_cache *cache, struct tk_cache_key key, void *value,
                                   size_t bytes, void (*free_value)(void *value));
/* The item, which the caller holds, takes `bytes` more than it did. */
void tk_cache_grow(struct tk_cache_item *item, size_t bytes);
/* The number of the item that was put in last. */
uint64_t tk_cache_number(struct tk_cache *cache);
/* Takes out what is of `segment` (0: of any) and has a number above `after`. */
void tk_cache_forget(struct tk_cache *cache, uint64_t segment, uint64_t after);
/* Once more, for another holder. */
struct tk_cache_item *tk_cache_hold(struct tk_cache_item *item);
void tk_cache_release(struct tk_cache_item *item); /* NULL is fine */

#endif
