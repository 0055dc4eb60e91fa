/*
 * buffer - see buffer.h.
 *
 * The index: `traces` in order of first sight, found by an open-addressing table (seeded hash, so
 * that nobody can aim at a slot); the rows of a trace are a chain through `rows`, in order of
 * arrival.  Invariants:
 *   (1) the index holds exactly the rows of the first `indexed` batches;
 *   (2) a chain's batch numbers never fall, so a picture of N batches is a prefix of each chain;
 *   (3) batches[0..batch_count) never change.
 *
 * Two locks: `lock` for the list of batches (held for an instant; the writer takes only this one),
 * `index_lock` for the index (held while it catches up, and by whoever reads it).
 */
#include "store/embedded/buffer.h"

#include "base/hash.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#define NONE UINT32_MAX

struct row {
    uint32_t batch, row;
    uint32_t next; /* of the same trace, or NONE */
};

struct trace {
    struct tk_trace_id id;
    uint64_t start_nano, end_nano; /* over the indexed rows */
    uint32_t first, last;          /* into rows */
    uint32_t count;
};

struct tk_buffer {
    uint32_t project;
    uint64_t serial;
    atomic_uint references;
    pthread_mutex_t lock;
    struct tk_batch **batches;
    uint32_t batch_count, batch_capacity;

    pthread_mutex_t index_lock;
    uint32_t indexed; /* batches */
    struct row *rows;
    uint32_t row_count, row_capacity;
    struct trace *traces;
    uint32_t trace_count, trace_capacity;
    struct trace *last; /* of the row before, in the same batch; NULL: none */
    uint32_t *slots;    /* trace number + 1; 0: free */
    uint32_t slot_count;
};

static atomic_uint_fast64_t last_serial;

struct tk_buffer *
tk_buffer_new(uint32_t project)
{
    struct tk_buffer *buffer = calloc(1, sizeof *buffer);
    if (buffer == NULL)
        return NULL;
    buffer->project = project;
    buffer->serial = atomic_fetch_add(&last_serial, 1) + 1;
    atomic_init(&buffer->references, 1);
    pthread_mutex_init(&buffer->lock, NULL);
    pthread_mutex_init(&buffer->index_lock, NULL);
    return buffer;
}

struct tk_buffer *
tk_buffer_ref(struct tk_buffer *buffer)
{
    atomic_fetch_add_explicit(&buffer->references, 1, memory_order_relaxed);
    return buffer;
}

void
tk_buffer_unref(struct tk_buffer *buffer)
{
    if (buffer == NULL ||
        atomic_fetch_sub_explicit(&buffer->references, 1, memory_order_acq_rel) != 1)
        return;
    for (uint32_t i = 0; i < buffer->batch_count; i++)
        tk_batch_free(buffer->batches[i]);
    free(buffer->batches);
    free(buffer->rows);
    free(buffer->traces);
    free(buffer->slots);
    pthread_mutex_destroy(&buffer->lock);
    pthread_mutex_destroy(&buffer->index_lock);
    free(buffer);
}

uint64_t
tk_buffer_serial(const struct tk_buffer *buffer)
{
    return buffer->serial;
}

uint32_t
tk_buffer_project(const struct tk_buffer *buffer)
{
    return buffer->project;
}

/* Room for `more` elements behind `count`; the column at *column_ptr may move. */
static bool
make_room(void *column_ptr, uint32_t count, uint32_t more, uint32_t *capacity, size_t size)
{
    void *column;
    if (more <= *capacity - count)
        return true;
    size_t grown = *capacity > 0 ? (size_t)*capacity * 2 : 64;
    if (grown < (size_t)count + more)
        grown = (size_t)count + more;
    if (grown >= NONE)
        return false;
    memcpy(&column, column_ptr, sizeof column);
    column = realloc(column, grown * size);
    if (column == NULL)
        return false;
    memcpy(column_ptr, &column, sizeof column);
    *capacity = (uint32_t)grown;
    return true;
}

enum tk_err
tk_buffer_add(struct tk_buffer *buffer, struct tk_batch *batch)
{
    pthread_mutex_lock(&buffer->lock);
    bool ok = make_room(&buffer->batches, buffer->batch_count, 1, &buffer->batch_capacity,
                        sizeof *buffer->batches);
    if (ok)
        buffer->batches[buffer->batch_count++] = batch;
    pthread_mutex_unlock(&buffer->lock);
    return ok ? TK_OK : TK_ERR_MEMORY;
}

uint32_t
tk_buffer_batch_count(struct tk_buffer *buffer)
{
    pthread_mutex_lock(&buffer->lock);
    uint32_t count = buffer->batch_count;
    pthread_mutex_unlock(&buffer->lock);
    return count;
}

static struct tk_batch *
batch_at(struct tk_buffer *buffer, uint32_t number)
{
    pthread_mutex_lock(&buffer->lock);
    struct tk_batch *batch = buffer->batches[number];
    pthread_mutex_unlock(&buffer->lock);
    return batch;
}

/* The slot of `id`, or the free one where it belongs. */
static uint32_t *
find_slot(const struct tk_buffer *buffer, struct tk_trace_id id)
{
    uint32_t mask = buffer->slot_count - 1;
    uint32_t at = (uint32_t)tk_hash((tk_str){(const char *)&id, sizeof id}) & mask;
    while (buffer->slots[at] != 0 && !tk_trace_id_eq(buffer->traces[buffer->slots[at] - 1].id, id))
        at = (at + 1) & mask;
    return &buffer->slots[at];
}

/* At most half of the slots are taken after `more` further traces. */
static bool
make_slots(struct tk_buffer *buffer, uint32_t more)
{
    uint64_t slot_count = buffer->slot_count > 0 ? buffer->slot_count : 256;
    while (slot_count / 2 < (uint64_t)buffer->trace_count + more)
        slot_count *= 2;
    if (slot_count == buffer->slot_count)
        return true;
    if (slot_count >= NONE)
        return false;
    uint32_t *slots = calloc(slot_count, sizeof *slots);
    if (slots == NULL)
        return false;
    free(buffer->slots);
    buffer->slots = slots;
    buffer->slot_count = (uint32_t)slot_count;
    for (uint32_t i = 0; i < buffer->trace_count; i++)
        *find_slot(buffer, buffer->traces[i].id) = i + 1;
    return true;
}

static void
index_row(struct tk_buffer *buffer, const struct tk_batch *batch, uint32_t batch_number,
          uint32_t row)
{
    uint32_t added = buffer->row_count++;
    buffer->rows[added] = (struct row){batch_number, row, NONE};
    struct trace *trace = buffer->last;
    if (trace == NULL || !tk_trace_id_eq(trace->id, batch->trace_id[row])) {
        uint32_t *slot = find_slot(buffer, batch->trace_id[row]);
        if (*slot == 0) {
            buffer->last = &buffer->traces[buffer->trace_count++];
            *buffer->last = (struct trace){batch->trace_id[row],
                                           batch->start_nano[row],
                                           batch->end_nano[row],
                                           added,
                                           added,
                                           1};
            *slot = buffer->trace_count;
            return;
        }
        trace = buffer->last = &buffer->traces[*slot - 1];
    }
    buffer->rows[trace->last].next = added;
    trace->last = added;
    trace->count++;
    if (batch->start_nano[row] < trace->start_nano)
        trace->start_nano = batch->start_nano[row];
    if (batch->end_nano[row] > trace->end_nano)
        trace->end_nano = batch->end_nano[row];
}

/* Indexes what is missing of the first `batch_count` batches.  Under index_lock. */
static enum tk_err
catch_up(struct tk_buffer *buffer, uint32_t batch_count)
{
    while (buffer->indexed < batch_count) {
        const struct tk_batch *batch = batch_at(buffer, buffer->indexed);
        uint32_t count = batch->span_count;
        if (!make_room(&buffer->rows, buffer->row_count, count, &buffer->row_capacity,
                       sizeof *buffer->rows) ||
            !make_room(&buffer->traces, buffer->trace_count, count, &buffer->trace_capacity,
                       sizeof *buffer->traces) ||
            !make_slots(buffer, count))
            return TK_ERR_MEMORY;
        for (uint32_t row = 0; row < count; row++)
            index_row(buffer, batch, buffer->indexed, row);
        buffer->last = NULL; /* traces may move */
        buffer->indexed++;
    }
    return TK_OK;
}

/* The trace as it was when there were `batch_count` batches; false: it was not there yet. */
static bool
entry_of(struct tk_buffer *buffer, uint32_t batch_count, const struct trace *trace,
         struct tk_trace_entry *ret_entry)
{
    struct tk_trace_entry entry = {.id = trace->id,
                                   .start_nano = trace->start_nano,
                                   .end_nano = trace->end_nano,
                                   .row = (uint32_t)(trace - buffer->traces),
                                   .row_count = trace->count};
    if (buffer->rows[trace->last].batch >= batch_count) { /* some of it came later */
        entry.row_count = 0;
        entry.start_nano = UINT64_MAX;
        entry.end_nano = 0;
        for (uint32_t at = trace->first; buffer->rows[at].batch < batch_count;
             at = buffer->rows[at].next) {
            const struct tk_batch *batch = batch_at(buffer, buffer->rows[at].batch);
            uint32_t row = buffer->rows[at].row;
            if (batch->start_nano[row] < entry.start_nano)
                entry.start_nano = batch->start_nano[row];
            if (batch->end_nano[row] > entry.end_nano)
                entry.end_nano = batch->end_nano[row];
            entry.row_count++;
        }
    }
    if (entry.row_count > 0)
        *ret_entry = entry;
    return entry.row_count > 0;
}

static int
compare_entries(const void *a, const void *b)
{
    const struct tk_trace_entry *x = a, *y = b;
    return tk_trace_entry_cmp(x->start_nano, x->id, y->start_nano, y->id);
}

/* Bits of the traces that have one of these rows; NULL: out of memory. */
static uint64_t *
mark_traces(struct tk_buffer *buffer, uint32_t batch_count, uint64_t *const *rows)
{
    uint64_t *marks = calloc(buffer->trace_count / 64 + 1, sizeof *marks);
    for (uint32_t b = 0; b < batch_count && marks != NULL; b++) {
        const struct tk_batch *batch = batch_at(buffer, b);
        for (uint32_t row = 0; row < batch->span_count; row++) {
            if ((rows[b][row >> 6] >> (row & 63) & 1) == 0)
                continue;
            uint32_t trace = *find_slot(buffer, batch->trace_id[row]) - 1;
            marks[trace >> 6] |= (uint64_t)1 << (trace & 63);
        }
    }
    return marks;
}

enum tk_err
tk_buffer_list(struct tk_buffer *buffer, uint32_t batch_count, uint64_t *const *rows,
               struct tk_trace_entry **ret_entries, uint32_t *ret_count)
{
    struct tk_trace_entry *entries = NULL;
    uint64_t *marks = NULL;
    uint32_t count = 0;
    pthread_mutex_lock(&buffer->index_lock);
    enum tk_err code = catch_up(buffer, batch_count);
    if (code == TK_OK)
        entries = malloc(((size_t)buffer->trace_count + 1) * sizeof *entries);
    if (code == TK_OK && rows != NULL)
        marks = mark_traces(buffer, batch_count, rows);
    if (entries == NULL || (rows != NULL && marks == NULL))
        code = TK_ERR_MEMORY;
    for (uint32_t i = 0; code == TK_OK && i < buffer->trace_count; i++)
        if ((marks == NULL || (marks[i >> 6] >> (i & 63) & 1) != 0) &&
            entry_of(buffer, batch_count, &buffer->traces[i], &entries[count]))
            count++;
    free(marks);
    pthread_mutex_unlock(&buffer->index_lock);
    if (code != TK_OK) {
        free(entries);
        return code;
    }
    qsort(entries, count, sizeof *entries, compare_entries);
    *ret_entries = entries;
    *ret_count = count;
    return TK_OK;
}

/* NULL in *ret_trace: not there.  Under index_lock. */
static enum tk_err
find_trace(struct tk_buffer *buffer, uint32_t batch_count, struct tk_trace_id id,
           const struct trace **ret_trace)
{
    enum tk_err code = catch_up(buffer, batch_count);
    if (code != TK_OK)
        return code;
    uint32_t slot = buffer->slot_count > 0 ? *find_slot(buffer, id) : 0;
    *ret_trace = slot > 0 ? &buffer->traces[slot - 1] : NULL;
    return TK_OK;
}

enum tk_err
tk_buffer_find(struct tk_buffer *buffer, uint32_t batch_count, struct tk_trace_id id,
               struct tk_trace_entry *ret_entry)
{
    const struct trace *trace;
    pthread_mutex_lock(&buffer->index_lock);
    enum tk_err code = find_trace(buffer, batch_count, id, &trace);
    if (code == TK_OK && (trace == NULL || !entry_of(buffer, batch_count, trace, ret_entry)))
        code = TK_ERR_NOT_FOUND;
    pthread_mutex_unlock(&buffer->index_lock);
    return code;
}

enum tk_err
tk_buffer_collect(struct tk_buffer *buffer, uint32_t batch_count, struct tk_trace_id id,
                  struct tk_pieces *pieces)
{
    const struct trace *trace;
    pthread_mutex_lock(&buffer->index_lock);
    enum tk_err code = find_trace(buffer, batch_count, id, &trace);
    uint32_t at = code == TK_OK && trace != NULL ? trace->first : NONE;
    while (code == TK_OK && at != NONE && buffer->rows[at].batch < batch_count) {
        struct row row = buffer->rows[at];
        code = tk_pieces_add(pieces, batch_at(buffer, row.batch), row.row);
        at = row.next;
    }
    pthread_mutex_unlock(&buffer->index_lock);
    return code;
}

const struct tk_batch *
tk_buffer_batch(struct tk_buffer *buffer, uint32_t number)
{
    return batch_at(buffer, number);
}

void
tk_buffer_rows(struct tk_buffer *buffer, const struct tk_trace_entry *entry,
               struct tk_buffer_row *rows)
{
    pthread_mutex_lock(&buffer->index_lock);
    uint32_t at = buffer->traces[entry->row].first;
    for (uint32_t i = 0; i < entry->row_count; i++) {
        rows[i] = (struct tk_buffer_row){buffer->rows[at].batch, buffer->rows[at].row};
        at = buffer->rows[at].next;
    }
    pthread_mutex_unlock(&buffer->index_lock);
}
