/* Any bytes as a block of a segment, past its checksum: what decodes is a batch that encodes and
   decodes to the same again. */
#include "base/assert.h"
#include "store/embedded/block.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct tk_batch *
decode(const void *data, size_t size)
{
    struct tk_batch *batch = tk_batch_new();
    char *bytes = malloc(size + 1);
    TK_ASSERT(batch != NULL && bytes != NULL);
    memcpy(bytes, data, size);
    enum tk_err code = tk_block_decode(bytes, size, batch);
    TK_ASSERT(code == TK_OK || code == TK_ERR_CORRUPT);
    if (code == TK_OK)
        return batch;
    TK_ASSERT(batch->span_count == 0);
    free(bytes);
    tk_batch_free(batch);
    return NULL;
}

static void
check_spans(const struct tk_batch *batch)
{
    for (uint32_t row = 0; row < batch->span_count; row++) {
        TK_ASSERT(!tk_trace_id_is_none(batch->trace_id[row]) && batch->span_id[row] != 0);
        TK_ASSERT(0 < batch->start_nano[row] && batch->start_nano[row] <= batch->end_nano[row]);
        TK_ASSERT(batch->resource[row] < batch->resource_count);
        TK_ASSERT(batch->scope[row] < batch->scope_count);
        TK_ASSERT(batch->attrs[row].begin + batch->attrs[row].count <= batch->attr_count);
        TK_ASSERT(batch->events[row].begin + batch->events[row].count <= batch->event_count);
        TK_ASSERT(batch->links[row].begin + batch->links[row].count <= batch->link_count);
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct tk_buf once, twice;
    struct tk_batch *batch = decode(data, size);
    if (batch == NULL)
        return 0;
    check_spans(batch);
    tk_buf_init(&once, SIZE_MAX / 2);
    tk_block_encode(batch, &once);
    struct tk_batch *again = decode(once.ptr, once.len);
    TK_ASSERT(again != NULL && again->span_count == batch->span_count);
    tk_buf_init(&twice, SIZE_MAX / 2);
    tk_block_encode(again, &twice);
    TK_ASSERT(tk_str_eq(tk_buf_str(&once), tk_buf_str(&twice)));
    tk_buf_release(&once);
    tk_buf_release(&twice);
    tk_batch_free(batch);
    tk_batch_free(again);
    return 0;
}
