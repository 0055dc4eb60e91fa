/*
 * cache - see cache.h.
 *
 * Invariant: an item is in a bucket and in the list of ages together, and then the cache's own
 * reference is one of those counted.  Values are freed outside the lock.
 */
#include "store/segment/cache.h"

#include "base/hash.h"

#include <stdlib.h>

void
tk_cache_init(struct tk_cache *cache, size_t bytes_max)
{
    *cache = (struct tk_cache){._bytes_max = bytes_max};
    pthread_mutex_init(&cache->_lock, NULL);
}

static struct tk_cache_item **
bucket_of(struct tk_cache *cache, struct tk_cache_key key)
{
    uint64_t hash = tk_hash((tk_str){(const char *)&key, sizeof key});
    return &cache->_buckets[hash % TK_CACHE_BUCKETS];
}

static void
unlink_age(struct tk_cache *cache, struct tk_cache_item *item)
{
    *(item->_newer != NULL ? &item->_newer->_older : &cache->_newest) = item->_older;
    *(item->_older != NULL ? &item->_older->_newer : &cache->_oldest) = item->_newer;
}

static void
link_newest(struct tk_cache *cache, struct tk_cache_item *item)
{
    item->_newer = NULL;
    item->_older = cache->_newest;
    *(item->_older != NULL ? &item->_older->_newer : &cache->_oldest) = item;
    cache->_newest = item;
}

/* Drops one reference; the item when it was the last.  Under the lock. */
static bool
drop(struct tk_cache_item *item)
{
    return --item->_references == 0;
}

static void
destroy(struct tk_cache_item *item)
{
    item->_free(item->value);
    free(item);
}

/* Takes the item out; returns it when nobody holds it. */
static struct tk_cache_item *
take_out(struct tk_cache *cache, struct tk_cache_item *item)
{
    struct tk_cache_item **at = bucket_of(cache, item->_key);
    while (*at != item)
        at = &(*at)->_next_in_bucket;
    *at = item->_next_in_bucket;
    unlink_age(cache, item);
    cache->_bytes -= item->_bytes;
    item->_out = true;
    return drop(item) ? item : NULL;
}

/* Until it is within the bound.  Chains what is to be freed by _next_in_bucket. */
static struct tk_cache_item *
shrink(struct tk_cache *cache, size_t bytes_max)
{
    struct tk_cache_item *dead = NULL;
    while (cache->_oldest != NULL && cache->_bytes > bytes_max) {
        struct tk_cache_item *item = take_out(cache, cache->_oldest);
        if (item != NULL) {
            item->_next_in_bucket = dead;
            dead = item;
        }
    }
    return dead;
}

static void
destroy_all(struct tk_cache_item *dead)
{
    while (dead != NULL) {
        struct tk_cache_item *next = dead->_next_in_bucket;
        destroy(dead);
        dead = next;
    }
}

void
tk_cache_release_all(struct tk_cache *cache)
{
    cache->_bytes_max = 0;
    while (cache->_oldest != NULL) {
        struct tk_cache_item *item = take_out(cache, cache->_oldest);
        if (item != NULL)
            destroy(item);
    }
    pthread_mutex_destroy(&cache->_lock);
}

/* NULL: it is not there.  Under the lock. */
static struct tk_cache_item *
find(struct tk_cache *cache, struct tk_cache_key key)
{
    struct tk_cache_item *item = *bucket_of(cache, key);
    while (item != NULL && (item->_key.segment != key.segment || item->_key.part != key.part))
        item = item->_next_in_bucket;
    return item;
}

bool
tk_cache_has(struct tk_cache *cache, struct tk_cache_key key)
{
    pthread_mutex_lock(&cache->_lock);
    bool there = find(cache, key) != NULL;
    pthread_mutex_unlock(&cache->_lock);
    return there;
}

struct tk_cache_item *
tk_cache_get(struct tk_cache *cache, struct tk_cache_key key)
{
    pthread_mutex_lock(&cache->_lock);
    struct tk_cache_item *item = find(cache, key);
    if (item != NULL) {
        unlink_age(cache, item);
        link_newest(cache, item);
        item->_references++;
    }
    *(item != NULL ? &cache->_hits : &cache->_misses) += 1;
    pthread_mutex_unlock(&cache->_lock);
    return item;
}

void
tk_cache_stats(struct tk_cache *cache, uint64_t *ret_bytes, uint64_t *ret_hits,
               uint64_t *ret_misses)
{
    pthread_mutex_lock(&cache->_lock);
    *ret_bytes = cache->_bytes;
    *ret_hits = cache->_hits;
    *ret_misses = cache->_misses;
    pthread_mutex_unlock(&cache->_lock);
}

struct tk_cache_item *
tk_cache_put(struct tk_cache *cache, struct tk_cache_key key, void *value, size_t bytes,
             void (*free_value)(void *value))
{
    struct tk_cache_item *item = calloc(1, sizeof *item);
    if (item == NULL) {
        free_value(value);
        return NULL;
    }
    *item = (struct tk_cache_item){.value = value,
                                   ._cache = cache,
                                   ._key = key,
                                   ._bytes = bytes,
                                   ._free = free_value,
                                   ._references = 2 /* the cache's and the caller's */};
    pthread_mutex_lock(&cache->_lock);
    item->_number = ++cache->_puts;
    struct tk_cache_item **bucket = bucket_of(cache, key);
    item->_next_in_bucket = *bucket;
    *bucket = item;
    link_newest(cache, item);
    cache->_bytes += bytes;
    struct tk_cache_item *dead = shrink(cache, cache->_bytes_max);
    pthread_mutex_unlock(&cache->_lock);
    destroy_all(dead);
    return item;
}

void
tk_cache_grow(struct tk_cache_item *item, size_t bytes)
{
    struct tk_cache *cache = item->_cache;
    struct tk_cache_item *dead = NULL;
    pthread_mutex_lock(&cache->_lock);
    item->_bytes += bytes;
    if (!item->_out) {
        cache->_bytes += bytes;
        dead = shrink(cache, cache->_bytes_max);
    }
    pthread_mutex_unlock(&cache->_lock);
    destroy_all(dead);
}

uint64_t
tk_cache_number(struct tk_cache *cache)
{
    pthread_mutex_lock(&cache->_lock);
    uint64_t number = cache->_puts;
    pthread_mutex_unlock(&cache->_lock);
    return number;
}

void
tk_cache_forget(struct tk_cache *cache, uint64_t segment, uint64_t after)
{
    struct tk_cache_item *dead = NULL, *older;
    pthread_mutex_lock(&cache->_lock);
    for (struct tk_cache_item *item = cache->_newest; item != NULL; item = older) {
        older = item->_older;
        if ((segment != 0 && item->_key.segment != segment) || item->_number <= after)
            continue;
        item = take_out(cache, item);
        if (item != NULL) {
            item->_next_in_bucket = dead;
            dead = item;
        }
    }
    pthread_mutex_unlock(&cache->_lock);
    destroy_all(dead);
}

struct tk_cache_item *
tk_cache_hold(struct tk_cache_item *item)
{
    pthread_mutex_lock(&item->_cache->_lock);
    item->_references++;
    pthread_mutex_unlock(&item->_cache->_lock);
    return item;
}

void
tk_cache_release(struct tk_cache_item *item)
{
    if (item == NULL)
        return;
    struct tk_cache *cache = item->_cache;
    pthread_mutex_lock(&cache->_lock);
    bool dead = drop(item);
    pthread_mutex_unlock(&cache->_lock);
    if (dead)
        destroy(item);
}
