/*
 * arena - see arena.h.
 *
 * A chunk is one malloc: header, then bytes handed out from `used` upwards.  An allocation larger
 * than the next chunk gets a chunk of its own size.
 */
#include "base/arena.h"

#include "base/memory.h"

#include <stdio.h>
#include <stdlib.h>

enum { ALIGNMENT = 16 };

struct tk_arena_chunk {
    struct tk_arena_chunk *older;
    size_t size; /* of `bytes` */
    size_t used;
    _Alignas(ALIGNMENT) char bytes[];
};

void
tk_arena_init(struct tk_arena *arena, size_t chunk_size, size_t limit)
{
    *arena = (struct tk_arena){.chunk_size = chunk_size, .limit = limit};
}

static void
free_chunks(struct tk_arena_chunk *chunk)
{
    while (chunk != NULL) {
        struct tk_arena_chunk *older = chunk->older;
        free(chunk);
        chunk = older;
    }
}

void
tk_arena_release(struct tk_arena *arena)
{
    free_chunks(arena->chunk);
    arena->chunk = NULL;
    arena->used = 0;
}

void
tk_arena_clear(struct tk_arena *arena)
{
    if (arena->chunk == NULL)
        return;
    free_chunks(arena->chunk->older);
    arena->chunk->older = NULL;
    arena->chunk->used = 0;
    arena->used = arena->chunk->size;
}

static struct tk_arena_chunk *
add_chunk(struct tk_arena *arena, size_t at_least)
{
    size_t size = at_least > arena->chunk_size ? at_least : arena->chunk_size;
    if (arena->used > arena->limit || size > arena->limit - arena->used)
        size = at_least;
    if (arena->used > arena->limit || size > arena->limit - arena->used)
        return NULL;
    struct tk_arena_chunk *chunk = malloc(sizeof *chunk + size);
    if (chunk == NULL)
        return NULL;
    tk_memory_huge(chunk, sizeof *chunk + size);
    *chunk = (struct tk_arena_chunk){.older = arena->chunk, .size = size};
    arena->chunk = chunk;
    arena->used += size;
    if (arena->chunk_size < TK_ARENA_CHUNK_MAX)
        arena->chunk_size *= 2;
    return chunk;
}

void *
tk_arena_alloc(struct tk_arena *arena, size_t size)
{
    struct tk_arena_chunk *chunk = arena->chunk;
    if (size > SIZE_MAX / 2)
        return NULL;
    size = (size + ALIGNMENT - 1) & ~(size_t)(ALIGNMENT - 1);
    if (chunk == NULL || chunk->size - chunk->used < size) {
        chunk = add_chunk(arena, size);
        if (chunk == NULL)
            return NULL;
    }
    void *bytes = chunk->bytes + chunk->used;
    chunk->used += size;
    return bytes;
}

void *
tk_arena_zalloc(struct tk_arena *arena, size_t count, size_t size)
{
    if (size != 0 && count > SIZE_MAX / size)
        return NULL;
    void *bytes = tk_arena_alloc(arena, count * size);
    if (bytes != NULL)
        memset(bytes, 0, count * size);
    return bytes;
}

tk_str
tk_arena_copy(struct tk_arena *arena, tk_str bytes)
{
    char *copy = tk_arena_alloc(arena, bytes.len + 1);
    if (copy == NULL)
        return TK_STR_NONE;
    if (bytes.len > 0)
        memcpy(copy, bytes.ptr, bytes.len);
    copy[bytes.len] = '\0';
    return (tk_str){copy, bytes.len};
}

tk_str
tk_arena_printf(struct tk_arena *arena, const char *format, ...)
{
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    int len = vsnprintf(NULL, 0, format, args);
    char *text = len >= 0 ? tk_arena_alloc(arena, (size_t)len + 1) : NULL;
    if (text != NULL)
        (void)vsnprintf(text, (size_t)len + 1, format, again);
    va_end(again);
    va_end(args);
    return text != NULL ? (tk_str){text, (size_t)len} : TK_STR_NONE;
}
