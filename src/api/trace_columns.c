/*
 * trace_columns - see trace_columns.h.
 *
 * Names repeat a lot and lie in few places, so a small table from pointer to number stands before
 * the interning of texts.
 */
#include "api/trace_columns.h"

#include <string.h>

static const char MAGIC[8] = {'T', 'K', 'C', 'O', 'L', '\r', '\n', 0x1A};

struct header {
    char magic[8];
    uint32_t version, span_count, error_count, row_total, first_row, row_count;
    uint64_t start_nano, duration_nano;
    uint32_t service_count, text_count, broken, zero;
};
_Static_assert(sizeof(struct header) == 64, "docs/formats/columns.md");

enum column {
    FLAGS,
    DEPTH,
    SERVICE,
    NAME,
    SPAN,
    PARENT,
    START,
    DURATION,
    SELF,
    OWN_START,
    OWN_DURATION,
    IDS,
    COLUMN_COUNT
};
enum {
    FLAG_SPAN = 1,
    FLAG_ERROR = 1 << 2,
    FLAG_ORPHAN = 1 << 3,
    KIND_SHIFT = 4,
    FLAG_NO_SPAN = 1 << 7,
    VARINT_MAX = 10,
    RECENT = 1024,
};

struct recent {
    const char *ptr;
    size_t len;
    uint32_t number;
};

struct encoder {
    const struct tk_batch *trace;
    const struct tk_tree *tree;
    struct tk_intern texts;
    struct recent recent[RECENT];
    char *column[COLUMN_COUNT], *end[COLUMN_COUNT]; /* in the arena */
    uint32_t last_span;
    uint64_t last_start_nano;
};

static void
put(struct encoder *e, enum column column, uint64_t number)
{
    char *at = e->end[column];
    for (; number >= 0x80; number >>= 7)
        *at++ = (char)(number | 0x80);
    *at++ = (char)number;
    e->end[column] = at;
}

static uint64_t
zigzag(uint64_t difference)
{
    return difference << 1 ^ (uint64_t)((int64_t)difference >> 63);
}

static enum tk_err
number_of(struct encoder *e, tk_str text, uint32_t *ret_number)
{
    struct recent *recent = &e->recent[((uintptr_t)text.ptr >> 3 ^ text.len) % RECENT];
    if (recent->ptr != text.ptr || recent->len != text.len || text.ptr == NULL) {
        enum tk_err code = tk_intern_add(&e->texts, text, &recent->number);
        if (code != TK_OK)
            return code;
        recent->ptr = text.ptr;
        recent->len = text.len;
    }
    *ret_number = recent->number;
    return TK_OK;
}

static void
put_span(struct encoder *e, uint32_t position, unsigned *flags)
{
    const struct tk_batch *t = e->trace;
    uint32_t row = e->tree->row[position], parent = e->tree->parent[position];
    int32_t kind = t->kind[row];
    *flags |= t->status[row] == TK_STATUS_ERROR ? FLAG_ERROR : 0;
    *flags |= e->tree->orphan[position] ? FLAG_ORPHAN : 0;
    if (kind >= TK_KIND_UNSPECIFIED && kind <= TK_KIND_CONSUMER)
        *flags |= (unsigned)kind << KIND_SHIFT;
    put(e, SPAN, zigzag((uint64_t)position - e->last_span));
    put(e, PARENT, parent == TK_NO_SPAN ? 0 : position - parent);
    put(e, SELF, e->tree->self_nano[position]);
    if (e->end[IDS] != NULL) {
        memcpy(e->end[IDS], &t->span_id[row], 8);
        e->end[IDS] += 8;
    }
    e->last_span = position;
}

/* The row is the envelope of a visit, the span that folded into it has times of its own. */
static void
put_own_times(struct encoder *e, const struct tk_row *row)
{
    uint32_t span = e->tree->row[row->span];
    put(e, OWN_START, e->trace->start_nano[span] - row->start_nano);
    put(e, OWN_DURATION, e->trace->end_nano[span] - e->trace->start_nano[span]);
}

static enum tk_err
put_row(struct encoder *e, const struct tk_row *row)
{
    unsigned flags = row->type == TK_ROW_SPAN ? FLAG_SPAN : 0;
    uint32_t name;
    enum tk_err code = number_of(e, row->name, &name);
    if (code != TK_OK)
        return code;
    if (row->span != TK_NO_SPAN)
        put_span(e, row->span, &flags);
    else
        flags |= FLAG_NO_SPAN;
    *e->end[FLAGS]++ = (char)flags;
    put(e, DEPTH, row->depth);
    put(e, SERVICE, row->service);
    put(e, NAME, name);
    put(e, START, zigzag(row->start_nano - e->last_start_nano));
    put(e, DURATION, row->duration_nano);
    if (row->type == TK_ROW_SERVICE && row->span != TK_NO_SPAN)
        put_own_times(e, row);
    e->last_start_nano = row->start_nano;
    return TK_OK;
}

static struct tk_row
tree_row(const struct encoder *e, const struct tk_trace_services *services, uint32_t position)
{
    const struct tk_batch *t = e->trace;
    uint32_t row = e->tree->row[position];
    return (struct tk_row){
        .type = TK_ROW_SPAN,
        .depth = e->tree->depth[position],
        .service = services->of_resource[t->resource[row]],
        .name = t->name[row],
        .span = position,
        .start_nano = t->start_nano[row],
        .duration_nano = t->end_nano[row] - t->start_nano[row],
    };
}

static enum tk_err
reserve(struct encoder *e, const struct tk_columns_window *window, uint32_t row_count,
        struct tk_arena *arena)
{
    for (unsigned i = 0; i < COLUMN_COUNT; i++) {
        size_t width = i == FLAGS ? 1 : i == IDS ? 8 : VARINT_MAX;
        if (i == IDS && !window->ids)
            continue;
        e->column[i] = e->end[i] = tk_arena_alloc(arena, row_count * width + 1);
        if (e->column[i] == NULL)
            return TK_ERR_MEMORY;
    }
    return TK_OK;
}

static void
append_varint(struct tk_buf *out, uint64_t number)
{
    for (; number >= 0x80; number >>= 7)
        tk_buf_append_char(out, (char)(number | 0x80));
    tk_buf_append_char(out, (char)number);
}

static enum tk_err
append_tables(struct encoder *e, const struct tk_trace_services *services,
              const struct header *header, struct tk_buf *out)
{
    struct header head = *header;
    uint32_t name;
    for (uint32_t i = 0; i < services->count; i++) {
        enum tk_err code = number_of(e, services->service[i].name, &name);
        if (code != TK_OK)
            return code;
        head.error_count += services->service[i].error_count;
    }
    head.text_count = e->texts.count;
    tk_buf_append(out, (tk_str){(const char *)&head, sizeof head});
    for (uint32_t i = 0; i < services->count; i++) {
        const struct tk_trace_service *service = &services->service[i];
        if (!tk_intern_find(&e->texts, service->name, &name))
            return TK_ERR_MEMORY;
        append_varint(out, name);
        append_varint(out, service->span_count);
        append_varint(out, service->error_count);
    }
    for (uint32_t i = 0; i < e->texts.count; i++) {
        append_varint(out, e->texts.strings[i].len);
        tk_buf_append(out, e->texts.strings[i]);
    }
    return TK_OK;
}

static void
append_columns(const struct encoder *e, struct tk_buf *out)
{
    for (unsigned i = 0; i < COLUMN_COUNT; i++) {
        if (e->column[i] == NULL)
            continue;
        uint32_t size = (uint32_t)(e->end[i] - e->column[i]);
        tk_buf_append(out, (tk_str){(const char *)&size, sizeof size});
        tk_buf_append(out, (tk_str){e->column[i], size});
    }
}

enum tk_err
tk_trace_columns(const struct tk_opened *trace, const struct tk_columns_window *window,
                 struct tk_arena *arena, struct tk_buf *out)
{
    const struct tk_tree *tree = &trace->tree;
    const struct tk_trace_services *services = &trace->services;
    struct tk_rows rows = {0};
    struct tk_rows_want want = {.offset = window->offset, .limit = window->limit};
    struct encoder *e = tk_arena_zalloc(arena, 1, sizeof *e);
    enum tk_err code;
    if (e == NULL)
        return TK_ERR_MEMORY;
    if (!window->tree &&
        (code = tk_rows_build(trace->spans, tree, services, &want, arena, &rows)) != TK_OK)
        return code;
    struct header head = {
        .version = TK_COLUMNS_VERSION,
        .span_count = tree->span_count,
        .row_total = window->tree ? tree->span_count : rows.total,
        .start_nano = tree->start_nano,
        .duration_nano = tree->end_nano - tree->start_nano,
        .service_count = services->count,
        .broken = tree->broken,
    };
    memcpy(head.magic, MAGIC, sizeof MAGIC);
    head.first_row = window->offset < head.row_total ? window->offset : head.row_total;
    head.row_count = head.row_total - head.first_row;
    if (window->limit != 0 && window->limit < head.row_count)
        head.row_count = window->limit;
    e->trace = trace->spans;
    e->tree = tree;
    e->last_start_nano = tree->start_nano;
    tk_intern_init(&e->texts, UINT32_MAX / 4 - 1);
    code = reserve(e, window, head.row_count, arena);
    for (uint32_t i = 0; i < head.row_count && code == TK_OK; i++) {
        struct tk_row row = window->tree ? tree_row(e, services, head.first_row + i) : rows.row[i];
        code = put_row(e, &row);
    }
    if (code == TK_OK)
        code = append_tables(e, services, &head, out);
    if (code == TK_OK)
        append_columns(e, out);
    tk_intern_release(&e->texts);
    return code;
}
