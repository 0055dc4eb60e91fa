/* output - see output.h. */
#include "net/output.h"

#include "base/assert.h"

#include <stdlib.h>

void
tk_output_init(struct tk_output *output)
{
    output->_first = NULL;
    output->_last = &output->_first;
    output->size = 0;
}

static void
drop_first(struct tk_output *output)
{
    struct tk_chunk *chunk = output->_first;
    output->_first = chunk->_next;
    if (output->_first == NULL)
        output->_last = &output->_first;
    output->size -= chunk->bytes.len;
    chunk->done(chunk);
}

void
tk_output_release(struct tk_output *output)
{
    while (output->_first != NULL)
        drop_first(output);
    TK_ASSERT(output->size == 0);
}

void
tk_output_add(struct tk_output *output, struct tk_chunk *chunk)
{
    chunk->_next = NULL;
    *output->_last = chunk;
    output->_last = &chunk->_next;
    output->size += chunk->bytes.len;
}

static void
free_chunk(struct tk_chunk *chunk)
{
    free(chunk);
}

struct tk_chunk *
tk_chunk_new(size_t size, char **ret_bytes)
{
    struct tk_chunk *chunk = malloc(sizeof *chunk + size);
    if (chunk == NULL)
        return NULL;
    *ret_bytes = (char *)(chunk + 1);
    *chunk = (struct tk_chunk){.bytes = {*ret_bytes, size}, .done = free_chunk};
    return chunk;
}

enum tk_err
tk_output_copy(struct tk_output *output, tk_str bytes)
{
    char *copy;
    struct tk_chunk *chunk = tk_chunk_new(bytes.len, &copy);
    if (chunk == NULL)
        return TK_ERR_MEMORY;
    memcpy(copy, bytes.ptr, bytes.len);
    tk_output_add(output, chunk);
    return TK_OK;
}

size_t
tk_output_peek(const struct tk_output *output, struct iovec *views, size_t max)
{
    size_t count = 0;
    for (struct tk_chunk *chunk = output->_first; chunk != NULL && count < max;
         chunk = chunk->_next)
        if (chunk->bytes.len > 0)
            views[count++] = (struct iovec){(void *)chunk->bytes.ptr, chunk->bytes.len};
    return count;
}

void
tk_output_consume(struct tk_output *output, size_t size)
{
    TK_ASSERT(size <= output->size);
    while (output->_first != NULL) {
        struct tk_chunk *chunk = output->_first;
        size_t part = size < chunk->bytes.len ? size : chunk->bytes.len;
        if (part > 0)
            chunk->bytes = (tk_str){chunk->bytes.ptr + part, chunk->bytes.len - part};
        output->size -= part;
        size -= part;
        if (chunk->bytes.len > 0)
            return;
        drop_first(output);
    }
}
