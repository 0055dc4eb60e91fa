#ifndef TK_BASE_ARENA_H
#define TK_BASE_ARENA_H
/*
 * arena - memory that is freed all at once: one arena per request, per batch, per query.
 *
 * Chunks double from `chunk_size` up to TK_ARENA_CHUNK_MAX.  An arena has a limit over all its
 * chunks; an allocation beyond it, or one that malloc refuses, is NULL.  Not thread-safe.
 */
#include "base/bytes.h"

enum { TK_ARENA_CHUNK_MAX = 1 << 20 };

struct tk_arena_chunk;

struct tk_arena {
    struct tk_arena_chunk *chunk; /* newest first */
    size_t chunk_size;            /* of the next chunk */
    size_t used;                  /* bytes of all chunks */
    size_t limit;
};

void tk_arena_init(struct tk_arena *arena, size_t chunk_size, size_t limit);
void tk_arena_release(struct tk_arena *arena);
/* Frees all but one chunk, which is kept for the next round. */
void tk_arena_clear(struct tk_arena *arena);
/* Aligned to 16 bytes, not zeroed. */
void *tk_arena_alloc(struct tk_arena *arena, size_t size) TK_MUST_USE;
void *tk_arena_zalloc(struct tk_arena *arena, size_t count, size_t size) TK_MUST_USE;
/* A copy with a NUL behind it that `len` does not count; ptr is NULL when memory ran out. */
tk_str tk_arena_copy(struct tk_arena *arena, tk_str bytes);
tk_str tk_arena_printf(struct tk_arena *arena, const char *format, ...) TK_PRINTF(2, 3);

#endif
