/* generation - what gathers in memory beside one log file (internal.h).  Under the store's lock. */
#include "store/embedded/internal.h"

#include "base/assert.h"

#include <stdlib.h>

struct tk_generation *
tk_generation_new(uint64_t number)
{
    struct tk_generation *generation = calloc(1, sizeof *generation);
    if (generation != NULL)
        generation->number = number;
    return generation;
}

void
tk_generation_free(struct tk_generation *generation)
{
    if (generation == NULL)
        return;
    for (uint32_t i = 0; i < generation->buffer_count; i++)
        tk_buffer_unref(generation->buffers[i]);
    free(generation->buffers);
    free(generation);
}

/* Where the project's buffer is, or belongs. */
static uint32_t
position_of(const struct tk_generation *generation, uint32_t project)
{
    uint32_t low = 0, high = generation->buffer_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (tk_buffer_project(generation->buffers[middle]) < project)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

struct tk_buffer *
tk_generation_find(const struct tk_generation *generation, uint32_t project)
{
    uint32_t at = position_of(generation, project);
    if (at == generation->buffer_count || tk_buffer_project(generation->buffers[at]) != project)
        return NULL;
    return generation->buffers[at];
}

static struct tk_buffer *
add_buffer(struct tk_generation *generation, uint32_t project)
{
    if (generation->buffer_count == generation->buffer_capacity) {
        uint32_t capacity = generation->buffer_capacity > 0 ? generation->buffer_capacity * 2 : 4;
        struct tk_buffer **buffers = realloc(generation->buffers, capacity * sizeof *buffers);
        if (buffers == NULL)
            return NULL;
        generation->buffers = buffers;
        generation->buffer_capacity = capacity;
    }
    struct tk_buffer *buffer = tk_buffer_new(project);
    if (buffer == NULL)
        return NULL;
    uint32_t at = position_of(generation, project);
    memmove(&generation->buffers[at + 1], &generation->buffers[at],
            (generation->buffer_count - at) * sizeof *generation->buffers);
    generation->buffers[at] = buffer;
    generation->buffer_count++;
    return buffer;
}

enum tk_err
tk_generation_add(struct tk_embedded *store, struct tk_generation *generation, uint32_t project,
                  struct tk_batch *batch, size_t bytes)
{
    uint32_t span_count = batch->span_count;
    struct tk_buffer *buffer = tk_generation_find(generation, project);
    if (buffer == NULL)
        buffer = add_buffer(generation, project);
    if (buffer == NULL || tk_buffer_add(buffer, batch) != TK_OK)
        return TK_ERR_MEMORY;
    if (generation->span_count == 0)
        generation->opened_nano = store->env->mono_nano(store->env);
    generation->bytes += bytes;
    generation->span_count += span_count;
    store->unsealed_bytes += bytes;
    return TK_OK;
}

void
tk_generation_remove(struct tk_generation *generation, uint32_t project)
{
    uint32_t at = position_of(generation, project);
    if (at == generation->buffer_count || tk_buffer_project(generation->buffers[at]) != project)
        return;
    tk_buffer_unref(generation->buffers[at]);
    generation->buffer_count--;
    memmove(&generation->buffers[at], &generation->buffers[at + 1],
            (generation->buffer_count - at) * sizeof *generation->buffers);
}

enum tk_err
tk_generation_rotate(struct tk_embedded *store)
{
    struct tk_generation *full = store->open;
    TK_ASSERT(full->newer == NULL);
    if (full->buffer_count == 0 && full->log_bytes == 0)
        return TK_OK;
    struct tk_generation *open = tk_generation_new(full->number + 1);
    if (open == NULL)
        return TK_ERR_MEMORY;
    full->newer = open;
    store->open = open;
    pthread_cond_signal(&store->sealing);
    return TK_OK;
}
