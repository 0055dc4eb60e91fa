/*
 * segment_write - see segment_write.h; docs/formats/segment.md.
 *
 * Rows are gathered in a group (group_write.h).  When it is full it is looked through column by
 * column - postings, zones, value indexes, counts - then encoded and written.  What belongs to the
 * whole file stays in memory until the end, but for value indexes, whose pages are written between
 * groups whenever all of them together grow large.
 */
#include "store/segment/segment_write.h"

#include "base/assert.h"
#include "store/segment/group_write.h"
#include "store/segment/segment_sections.h"
#include "store/segment/summary.h"
#include "store/segment/value_index.h"

#include <stdlib.h>

enum {
    PAIRS_MAX = 1 << 20,       /* of all indexes of values together */
    TRACE_PAIRS_MAX = 2 << 20, /* of that of traces: as many as the largest segment mostly has */
    SPLIT_ROWS = TK_GROUP_ROWS / 4, /* a smaller trace does not begin in a group without room */
    MEAN_ROWS = TK_GROUP_ROWS / 2,  /* of groups, at least, whatever is copied */
    OPERATION_SLOT_BITS = 12,
    COUNTED_AT_ONCE = 32, /* values */
};
static const uint32_t NO_OPERATION = UINT32_MAX;

/* What is known of a column over all groups. */
struct column_state {
    uint64_t value_count;
    struct tk_postings *postings; /* dictionary */
    struct tk_zones zones;        /* attributes */
    struct tk_value_index index;  /* plain, and trace ids */
    struct tk_counts counts;
    bool has_counts, is_indexed;
};

/* The operation of a (service, name, kind), as last looked up. */
struct operation_slot {
    uint32_t service, name; /* the name's code */
    int32_t kind;
    uint32_t next; /* number + 1; 0: free */
};

struct tk_segment_writer {
    struct tk_file_writer out;
    const struct tk_schema *schema;
    int level;
    struct tk_group_writer group;
    struct column_state *columns; /* [column_count] */
    uint64_t *codes_met;          /* a bit a code; of the largest dictionary */
    size_t pair_count;            /* of all indexes of values, since they were last written */
    struct tk_buf bytes;          /* scratch */
    struct tk_group_entry *groups;
    uint32_t group_count, group_capacity;

    struct tk_arena arena;
    struct tk_intern service_names;
    uint32_t *services; /* [resource_count]; number of its name + 1, 0: not looked at yet */
    struct tk_operations *operations;
    struct operation_slot *operation_slots;
    struct tk_summary_writer summaries;

    struct { /* the trace under construction */
        struct tk_trace_id id;
        uint64_t start_nano, end_nano;
        uint32_t total, done;
    } trace;
    struct tk_footer footer;
};

static enum tk_err
failed(enum tk_err code, struct tk_error *err)
{
    return tk_error_set(err, code, "%s while writing a segment",
                        code == TK_ERR_MEMORY ? "out of memory" : tk_err_text(code));
}

/* Column of attributes, or of those that have no columns. */
static bool
has_zones(uint32_t column)
{
    return column >= TK_COLUMN_FIXED || column == TK_COLUMN_OTHER ||
           column == TK_COLUMN_EVENT_OTHER || column == TK_COLUMN_LINK_OTHER;
}

static bool
has_counts(const struct tk_column *of, uint32_t column)
{
    return of->kind == TK_COLUMN_DICTIONARY &&
           (column >= TK_COLUMN_FIXED || column == TK_COLUMN_RESOURCE || column == TK_COLUMN_SCOPE);
}

/* ---- opening ----------------------------------------------------------------------------------
 */

static enum tk_err
init_columns(struct tk_segment_writer *writer)
{
    const struct tk_schema *schema = writer->schema;
    uint32_t codes_max = 0;
    for (uint32_t c = 0; c < schema->column_count; c++) {
        const struct tk_column *column = &schema->columns[c].column;
        struct column_state *state = &writer->columns[c];
        enum tk_err code = TK_OK;
        if (column->kind == TK_COLUMN_DICTIONARY) {
            codes_max = column->distinct > codes_max ? column->distinct : codes_max;
            state->postings = tk_postings_new(column->distinct);
            code = state->postings != NULL ? TK_OK : TK_ERR_MEMORY;
        } else if ((column->kind == TK_COLUMN_PLAIN && (c >= TK_COLUMN_FIXED || !has_zones(c))) ||
                   c == TK_COLUMN_TRACE_HIGH) {
            state->is_indexed = true;
            tk_value_index_init(&state->index, c == TK_COLUMN_TRACE_HIGH ? TK_VALUE_INDEX_TRACE_TAG
                                                                         : TK_VALUE_INDEX_TAG);
        }
        if (code == TK_OK && has_counts(column, c)) {
            code = tk_counts_init(&state->counts, column->distinct);
            state->has_counts = code == TK_OK;
        }
        if (code != TK_OK)
            return code;
    }
    writer->codes_met = calloc(codes_max / 64 + 1, sizeof *writer->codes_met);
    return writer->codes_met != NULL ? TK_OK : TK_ERR_MEMORY;
}

static enum tk_err
init(struct tk_segment_writer *writer)
{
    const struct tk_schema *schema = writer->schema;
    tk_buf_init(&writer->bytes, SIZE_MAX / 2);
    tk_arena_init(&writer->arena, 4096, SIZE_MAX / 2);
    tk_intern_init(&writer->service_names, schema->resource_count + 1);
    writer->columns = calloc(schema->column_count, sizeof *writer->columns);
    writer->operation_slots = calloc(1 << OPERATION_SLOT_BITS, sizeof *writer->operation_slots);
    writer->operations = tk_operations_new();
    writer->services = calloc((size_t)schema->resource_count + 1, sizeof *writer->services);
    if (writer->columns == NULL || writer->operation_slots == NULL || writer->operations == NULL ||
        writer->services == NULL)
        return TK_ERR_MEMORY;
    enum tk_err code = tk_group_writer_init(&writer->group, schema);
    if (code == TK_OK)
        code = tk_summary_writer_init(&writer->summaries, schema->resource_count);
    return code == TK_OK ? init_columns(writer) : code;
}

enum tk_err
tk_segment_writer_open(struct tk_env *env, const char *path, struct tk_segment_name name,
                       const struct tk_schema *schema, int level,
                       struct tk_segment_writer **ret_writer, struct tk_error *err)
{
    TK_ASSERT(schema->column_count >= TK_COLUMN_FIXED && schema->column_count <= TK_COLUMNS_MAX);
    struct tk_segment_writer *writer = calloc(1, sizeof *writer);
    if (writer == NULL)
        return failed(TK_ERR_MEMORY, err);
    writer->schema = schema;
    writer->level = level;
    writer->footer = (struct tk_footer){.version = TK_SEGMENT_VERSION,
                                        .project = name.project,
                                        .first = name.first,
                                        .last = name.last,
                                        .start_min = UINT64_MAX,
                                        .column_count = schema->column_count};
    enum tk_err code = init(writer);
    if (code != TK_OK)
        (void)failed(code, err);
    else
        code = tk_file_writer_open(&writer->out, env, path, level > 0, err);
    if (code != TK_OK)
        tk_segment_writer_abort(writer);
    else
        *ret_writer = writer;
    return code;
}

void
tk_segment_writer_abort(struct tk_segment_writer *writer)
{
    if (writer == NULL)
        return;
    for (uint32_t c = 0; writer->columns != NULL && c < writer->schema->column_count; c++) {
        struct column_state *state = &writer->columns[c];
        tk_postings_free(state->postings);
        tk_zones_release(&state->zones);
        if (state->is_indexed)
            tk_value_index_release(&state->index);
        if (state->has_counts)
            tk_counts_release(&state->counts);
    }
    if (writer->group.schema != NULL)
        tk_group_writer_release(&writer->group);
    tk_file_writer_release(&writer->out);
    tk_operations_free(writer->operations);
    tk_summary_writer_release(&writer->summaries);
    tk_buf_release(&writer->bytes);
    tk_arena_release(&writer->arena);
    free(writer->columns);
    free(writer->codes_met);
    free(writer->groups);
    free(writer->services);
    tk_intern_release(&writer->service_names);
    free(writer->operation_slots);
    free(writer);
}

/* ---- looking through a group ------------------------------------------------------------------
 */

static enum tk_err
add_postings(struct tk_segment_writer *writer, struct tk_postings *postings,
             const struct tk_group_column *values, uint32_t distinct)
{
    uint64_t *met = writer->codes_met;
    uint32_t words = distinct / 64 + 1;
    enum tk_err code = TK_OK;
    for (uint32_t i = 0; i < values->count; i++) {
        TK_ASSERT(values->number[i] < distinct);
        met[values->number[i] / 64] |= (uint64_t)1 << values->number[i] % 64;
    }
    for (uint32_t w = 0; w < words; w++) {
        for (; met[w] != 0 && code == TK_OK; met[w] &= met[w] - 1)
            code = tk_postings_add(postings, w * 64 + (uint32_t)__builtin_ctzll(met[w]),
                                   writer->group_count);
        met[w] = 0;
    }
    return code;
}

static enum tk_err
add_zone(struct tk_segment_writer *writer, struct column_state *state,
         const struct tk_column *column, const struct tk_group_column *values)
{
    uint64_t least = UINT64_MAX, greatest = 0;
    bool ranged = column->kind == TK_COLUMN_NUMBERS;
    for (uint32_t i = 0; ranged && i < values->count; i++) {
        uint64_t number = tk_zones_order(column->type, values->number[i]);
        least = number < least ? number : least;
        greatest = number > greatest ? number : greatest;
    }
    return tk_zones_add(&state->zones, writer->group_count, ranged, least, greatest);
}

static enum tk_err
add_texts_to_index(struct tk_segment_writer *writer, struct tk_value_index *index,
                   const struct tk_group_column *values)
{
    enum tk_err code = TK_OK;
    size_t before = index->count;
    for (uint32_t i = 0; i < values->count && code == TK_OK; i++)
        if (i == 0 || !tk_str_eq(values->text[i], values->text[i - 1]))
            code = tk_value_index_add(index, tk_hash_stable(values->text[i]), writer->group_count);
    writer->pair_count += index->count - before;
    return code;
}

static enum tk_err
add_traces_to_index(struct tk_segment_writer *writer)
{
    const struct tk_group_column *columns = writer->group.columns;
    struct tk_value_index *index = &writer->columns[TK_COLUMN_TRACE_HIGH].index;
    enum tk_err code = TK_OK;
    for (uint32_t i = 0; i < columns[TK_COLUMN_TRACE_HIGH].count && code == TK_OK; i++) {
        struct tk_trace_id id = {columns[TK_COLUMN_TRACE_HIGH].number[i],
                                 columns[TK_COLUMN_TRACE_LOW].number[i]};
        if (columns[TK_COLUMN_TRACE_BEFORE].number[i] > 0)
            continue; /* its first group has it */
        code = tk_value_index_add(index, tk_hash_stable((tk_str){(const char *)&id, sizeof id}),
                                  writer->group_count);
    }
    return code;
}

/* What a fixed column of numbers, or of codes of numbers, says. */
static uint64_t
fixed_number(const struct tk_segment_writer *writer, uint32_t column, uint32_t row)
{
    uint64_t number = writer->group.columns[column].number[row];
    const struct tk_schema_column *of = &writer->schema->columns[column];
    return of->column.kind == TK_COLUMN_DICTIONARY ? of->numbers[number] : number;
}

/* Has the same row this value before, in the column of an event or a link?  It has few. */
static bool
is_again(const struct tk_group_column *values, uint32_t at)
{
    for (uint32_t k = at; k > 0 && values->row[k - 1] == values->row[at]; k--)
        if (values->number[k - 1] == values->number[at])
            return true;
    return false;
}

/* Those of a group's values that count, a few at a time: first their memory is asked for. */
static enum tk_err
count_column(const struct tk_segment_writer *writer, uint32_t column,
             const struct tk_counted_span *rows)
{
    const struct tk_group_column *values = &writer->group.columns[column];
    bool events = writer->schema->columns[column].column.owner > TK_COLUMN_OF_SPAN;
    struct tk_counts *counts = &writer->columns[column].counts;
    enum tk_err code = TK_OK;
    for (uint32_t begin = 0, end; begin < values->count && code == TK_OK; begin = end) {
        end = values->count - begin < COUNTED_AT_ONCE ? values->count : begin + COUNTED_AT_ONCE;
        for (uint32_t i = begin; i < end; i++)
            tk_counts_fetch(counts, (uint32_t)values->number[i],
                            &rows[values->row != NULL ? values->row[i] : i]);
        for (uint32_t i = begin; i < end && code == TK_OK; i++) {
            uint32_t row = values->row != NULL ? values->row[i] : i;
            if (writer->group.counted[row] && !(events && is_again(values, i)))
                code = tk_counts_span(counts, (uint32_t)values->number[i], &rows[row]);
        }
    }
    return code;
}

/* The number of a resource's service.name, which is as tk_batch_service says it. */
static enum tk_err
service_of(struct tk_segment_writer *writer, uint64_t resource, uint32_t *ret_service)
{
    if (writer->services[resource] == 0) {
        tk_str name;
        uint32_t number;
        enum tk_err code =
            tk_message_service(writer->schema->resources[resource], &writer->arena, &name);
        if (code == TK_OK)
            code = tk_intern_add(&writer->service_names, name, &number);
        if (code != TK_OK)
            return code;
        writer->services[resource] = number + 1;
    }
    *ret_service = writer->services[resource] - 1;
    return TK_OK;
}

static enum tk_err
operation_of(struct tk_segment_writer *writer, uint32_t row, uint32_t *ret_number)
{
    const struct tk_group_column *columns = writer->group.columns;
    const struct tk_schema_column *names = &writer->schema->columns[TK_COLUMN_NAME];
    int32_t kind = (int32_t)tk_unzigzag(fixed_number(writer, TK_COLUMN_KIND, row));
    uint32_t service, number;
    enum tk_err code = service_of(writer, columns[TK_COLUMN_RESOURCE].number[row], &service);
    if (code != TK_OK)
        return code;
    tk_str service_name = writer->service_names.strings[service];
    if (names->column.kind == TK_COLUMN_PLAIN)
        return tk_operations_intern(writer->operations, service_name,
                                    columns[TK_COLUMN_NAME].text[row], kind, ret_number);
    uint32_t name = (uint32_t)columns[TK_COLUMN_NAME].number[row];
    uint64_t hash = ((uint64_t)service << 32 ^ name << 3 ^ (uint32_t)kind) * 0x9E3779B97F4A7C15u;
    struct operation_slot *slot = &writer->operation_slots[hash >> (64 - OPERATION_SLOT_BITS)];
    if (slot->next == 0 || slot->service != service || slot->name != name || slot->kind != kind) {
        code = tk_operations_intern(writer->operations, service_name, names->texts[name], kind,
                                    &number);
        if (code != TK_OK)
            return code;
        /* too many of them: number + 1 is 0, and the slot stays free */
        *slot = (struct operation_slot){service, name, kind, number + 1};
    }
    *ret_number = slot->next - 1;
    return TK_OK;
}

static enum tk_err
count_group(struct tk_segment_writer *writer)
{
    struct tk_counted_span rows[TK_GROUP_ROWS];
    const struct tk_group_writer *group = &writer->group;
    uint32_t count = group->entry.row_count, begin = 0; /* begin: of rows that have an operation */
    enum tk_err code = TK_OK;
    for (uint32_t i = 0; i < count && code == TK_OK; i++) {
        uint64_t duration = group->columns[TK_COLUMN_DURATION].number[i];
        rows[i].bucket = (uint16_t)tk_histogram_bucket(duration);
        rows[i].is_error = fixed_number(writer, TK_COLUMN_STATUS, i) == tk_zigzag(TK_STATUS_ERROR);
        rows[i].end_nano = group->end_nano[i];
        rows[i].code = NO_OPERATION;
        if (group->counted[i])
            code = operation_of(writer, i, &rows[i].code);
        if (code != TK_OK || rows[i].code != NO_OPERATION)
            continue;
        code = tk_operations_add(writer->operations, rows + begin, i - begin);
        begin = i + 1;
    }
    if (code == TK_OK)
        code = tk_operations_add(writer->operations, rows + begin, count - begin);
    for (uint32_t c = 0; c < writer->schema->column_count && code == TK_OK; c++)
        if (writer->columns[c].has_counts)
            code = count_column(writer, c, rows);
    return code;
}

/* Whoever counts them, and of a group that is copied too. */
static enum tk_err
summarize_group(struct tk_segment_writer *writer)
{
    struct tk_counted_span rows[TK_GROUP_ROWS];
    const struct tk_group_column *columns = writer->group.columns;
    const uint64_t *resources = columns[TK_COLUMN_RESOURCE].number;
    uint32_t count = writer->group.entry.row_count;
    enum tk_err code = TK_OK;
    for (uint32_t i = 0; i < count && code == TK_OK; i++) {
        uint64_t duration = columns[TK_COLUMN_DURATION].number[i];
        rows[i].bucket = (uint16_t)tk_histogram_bucket(duration);
        rows[i].is_error = fixed_number(writer, TK_COLUMN_STATUS, i) == tk_zigzag(TK_STATUS_ERROR);
        rows[i].end_nano = 0;
        code = service_of(writer, resources[i], &rows[i].code);
        if (code != TK_OK && code != TK_ERR_MEMORY) { /* a resource that is merged unseen */
            rows[i].code = TK_SUMMARY_SERVICES_MAX;
            code = TK_OK;
        }
    }
    return code == TK_OK ? tk_summary_writer_rows(&writer->summaries, rows, resources, count)
                         : code;
}

static enum tk_err
look_through(struct tk_segment_writer *writer)
{
    const struct tk_group_writer *group = &writer->group;
    enum tk_err code = add_traces_to_index(writer);
    for (uint32_t c = 0; c < writer->schema->column_count && code == TK_OK; c++) {
        const struct tk_group_column *values = &group->columns[c];
        const struct tk_column *column = &writer->schema->columns[c].column;
        struct column_state *state = &writer->columns[c];
        state->value_count += values->chunk_count > 0 ? values->chunk_count : values->count;
        if (values->count == 0)
            continue;
        if (column->kind == TK_COLUMN_DICTIONARY)
            code = add_postings(writer, state->postings, values, column->distinct);
        else if (state->is_indexed && c != TK_COLUMN_TRACE_HIGH)
            code = add_texts_to_index(writer, &state->index, values);
        if (code == TK_OK && has_zones(c))
            code = add_zone(writer, state, column, values);
    }
    if (code == TK_OK)
        code = summarize_group(writer);
    if (code == TK_OK && group->any_counted)
        code = count_group(writer);
    return code;
}

/* ---- groups -----------------------------------------------------------------------------------
 */

/* Writes what the index of a column has gathered. */
static enum tk_err
flush_index(struct tk_segment_writer *writer, uint32_t column, struct tk_error *err)
{
    struct tk_value_index *index = &writer->columns[column].index;
    tk_buf_clear(&writer->bytes);
    enum tk_err code = tk_value_index_flush(index, writer->out.offset, &writer->bytes);
    if (code == TK_OK)
        code = writer->bytes.status;
    if (code != TK_OK)
        return failed(code, err);
    return tk_file_writer_bytes(&writer->out, tk_buf_str(&writer->bytes), err);
}

/* Who looks for a trace looks into each run of every segment: their index has a room of its own,
   and so is not cut into runs by whatever else there is. */
static enum tk_err
flush_indexes(struct tk_segment_writer *writer, size_t pairs_max, size_t trace_pairs_max,
              struct tk_error *err)
{
    enum tk_err code = TK_OK;
    if (writer->columns[TK_COLUMN_TRACE_HIGH].index.count > trace_pairs_max)
        code = flush_index(writer, TK_COLUMN_TRACE_HIGH, err);
    if (writer->pair_count <= pairs_max)
        return code;
    for (uint32_t c = 0; c < writer->schema->column_count && code == TK_OK; c++)
        if (writer->columns[c].is_indexed && c != TK_COLUMN_TRACE_HIGH)
            code = flush_index(writer, c, err);
    writer->pair_count = 0;
    return code;
}

static void
add_to_footer(struct tk_segment_writer *writer)
{
    const struct tk_group_entry *entry = &writer->group.entry;
    writer->footer.row_count += entry->row_count;
    if (entry->trace_start_min < writer->footer.start_min)
        writer->footer.start_min = entry->trace_start_min;
    if (entry->trace_start_max > writer->footer.start_max)
        writer->footer.start_max = entry->trace_start_max;
}

static enum tk_err
remember_group(struct tk_segment_writer *writer)
{
    if (writer->group_count == writer->group_capacity) {
        uint32_t capacity = writer->group_capacity > 0 ? writer->group_capacity * 2 : 64;
        struct tk_group_entry *groups = realloc(writer->groups, capacity * sizeof *groups);
        if (groups == NULL)
            return TK_ERR_MEMORY;
        writer->groups = groups;
        writer->group_capacity = capacity;
    }
    writer->groups[writer->group_count++] = writer->group.entry;
    return TK_OK;
}

static enum tk_err
flush_group(struct tk_segment_writer *writer, struct tk_error *err)
{
    struct tk_group_writer *group = &writer->group;
    tk_group_writer_end_trace(group);
    if (group->status != TK_OK)
        return failed(group->status, err);
    if (group->entry.row_count == 0)
        return TK_OK;
    enum tk_err code = look_through(writer);
    tk_buf_clear(&writer->bytes);
    if (code == TK_OK) {
        tk_group_writer_encode(group, writer->level, &writer->bytes);
        code = writer->bytes.status;
    }
    group->entry.offset = writer->out.offset;
    if (code == TK_OK)
        code = remember_group(writer);
    if (code != TK_OK)
        return failed(code, err);
    add_to_footer(writer);
    tk_summary_writer_end_group(&writer->summaries, group->entry.size);
    code = tk_file_writer_bytes(&writer->out, tk_buf_str(&writer->bytes), err);
    tk_group_writer_clear(group);
    return code == TK_OK ? flush_indexes(writer, PAIRS_MAX, TRACE_PAIRS_MAX, err) : code;
}

enum tk_err
tk_segment_writer_trace(struct tk_segment_writer *writer, struct tk_trace_id id,
                        uint64_t start_nano, uint64_t end_nano, uint32_t total,
                        struct tk_error *err)
{
    TK_ASSERT(writer->trace.done == writer->trace.total && total > 0);
    tk_group_writer_end_trace(&writer->group);
    writer->trace.id = id;
    writer->trace.start_nano = start_nano;
    writer->trace.end_nano = end_nano;
    writer->trace.total = total;
    writer->trace.done = 0;
    writer->footer.trace_count++;
    if (end_nano > writer->footer.end_max)
        writer->footer.end_max = end_nano;
    if (total <= SPLIT_ROWS && writer->group.entry.row_count + total > TK_GROUP_ROWS)
        return flush_group(writer, err);
    return TK_OK;
}

enum tk_err
tk_segment_writer_row(struct tk_segment_writer *writer, const struct tk_row *row,
                      struct tk_error *err)
{
    bool full = tk_group_writer_is_full(&writer->group);
    TK_ASSERT(writer->trace.done < writer->trace.total);
    if (full) {
        enum tk_err code = flush_group(writer, err);
        if (code != TK_OK)
            return code;
    }
    if (full || writer->trace.done == 0)
        tk_group_writer_trace(&writer->group, writer->trace.id, writer->trace.start_nano,
                              writer->trace.end_nano, writer->trace.done, writer->trace.total);
    tk_group_writer_row(&writer->group, row);
    writer->trace.done++;
    return writer->group.status == TK_OK ? TK_OK : failed(writer->group.status, err);
}

void
tk_segment_writer_number(struct tk_segment_writer *writer, uint32_t column, uint64_t number)
{
    tk_group_writer_number(&writer->group, column, number);
}

void
tk_segment_writer_text(struct tk_segment_writer *writer, uint32_t column, tk_str text)
{
    tk_group_writer_text(&writer->group, column, text);
}

struct tk_group_writer *
tk_segment_writer_group(struct tk_segment_writer *writer)
{
    return &writer->group;
}

/* ---- copying a group ---------------------------------------------------------------------------
 */

bool
tk_segment_writer_may_copy(const struct tk_segment_writer *writer, uint32_t row_count)
{
    uint32_t gathered = writer->group.entry.row_count;
    uint64_t rows = writer->footer.row_count + gathered + row_count;
    uint64_t groups = (uint64_t)writer->group_count + (gathered > 0) + 1;
    return rows >= groups * MEAN_ROWS;
}

bool
tk_segment_writer_wants(const struct tk_segment_writer *writer, uint32_t column)
{
    return writer->schema->columns[column].column.kind != TK_COLUMN_NUMBERS ||
           column >= TK_COLUMN_FIXED || column == TK_COLUMN_TRACE_HIGH ||
           column == TK_COLUMN_TRACE_LOW || column == TK_COLUMN_TRACE_BEFORE ||
           column == TK_COLUMN_STATUS || column == TK_COLUMN_DURATION;
}

enum tk_err
tk_segment_writer_copy_begin(struct tk_segment_writer *writer, struct tk_error *err)
{
    TK_ASSERT(writer->trace.done == writer->trace.total);
    return flush_group(writer, err);
}

void
tk_segment_writer_copy_chunk(struct tk_segment_writer *writer, uint32_t column, uint32_t count,
                             tk_str chunk, uint32_t checksum)
{
    struct tk_group_column *to = &writer->group.columns[column];
    to->chunk = chunk;
    to->chunk_checksum = checksum;
    to->chunk_count = count;
}

void
tk_segment_writer_copy_values(struct tk_segment_writer *writer, uint32_t column, uint32_t count,
                              const uint64_t *numbers, const tk_str *texts)
{
    tk_group_writer_values(&writer->group, column, count, numbers, texts);
}

enum tk_err
tk_segment_writer_copy_end(struct tk_segment_writer *writer, const struct tk_group_entry *entry,
                           uint32_t trace_count, uint64_t end_max, struct tk_error *err)
{
    tk_group_writer_copied(&writer->group, entry);
    writer->footer.trace_count += trace_count;
    if (end_max > writer->footer.end_max)
        writer->footer.end_max = end_max;
    return flush_group(writer, err);
}

struct tk_counts *
tk_segment_writer_counts(struct tk_segment_writer *writer, uint32_t column)
{
    return writer->columns[column].has_counts ? &writer->columns[column].counts : NULL;
}

struct tk_operations *
tk_segment_writer_operations(struct tk_segment_writer *writer)
{
    return writer->operations;
}

/* ---- the end ----------------------------------------------------------------------------------
 */

/* The sections of one column; where they lie in *column. */
static enum tk_err
write_column(struct tk_segment_writer *writer, uint32_t c, struct tk_column *column,
             struct tk_error *err)
{
    struct column_state *state = &writer->columns[c];
    struct tk_buf *raw = &writer->bytes;
    enum tk_err code = TK_OK;
    column->value_count = state->value_count;
    if (column->kind == TK_COLUMN_DICTIONARY && column->distinct > 0) {
        tk_section_put_dictionary(&writer->schema->columns[c], raw);
        code = tk_file_writer_part(&writer->out, raw, &column->dictionary, err);
        if (code == TK_OK) {
            tk_postings_write(state->postings, raw);
            code = tk_file_writer_part(&writer->out, raw, &column->index, err);
        }
    } else if (state->is_indexed) {
        tk_buf_append(raw, tk_value_index_section(&state->index));
        code = tk_file_writer_part(&writer->out, raw, &column->index, err);
    }
    if (code == TK_OK && has_zones(c) && state->value_count > 0) {
        tk_zones_write(&state->zones, writer->group_count, raw);
        code = tk_file_writer_part(&writer->out, raw, &column->zones, err);
    }
    if (code == TK_OK && state->has_counts && column->distinct > 0) {
        tk_counts_write(&state->counts, raw);
        code = tk_file_writer_part(&writer->out, raw, &column->counts, err);
    }
    return code;
}

static enum tk_err
write_columns(struct tk_segment_writer *writer, struct tk_error *err)
{
    const struct tk_schema *schema = writer->schema;
    struct tk_buf section;
    enum tk_err code = TK_OK;
    tk_buf_init(&section, SIZE_MAX / 2);
    for (uint32_t c = 0; c < schema->column_count && code == TK_OK; c++) {
        struct tk_column column = schema->columns[c].column;
        code = write_column(writer, c, &column, err);
        tk_section_put_column(&column, &section);
    }
    if (code == TK_OK)
        code = tk_file_writer_part(&writer->out, &section, &writer->footer.columns, err);
    tk_buf_release(&section);
    return code;
}

static enum tk_err
write_summaries(struct tk_segment_writer *writer, struct tk_error *err)
{
    tk_str section;
    enum tk_err code = tk_summary_writer_section(&writer->summaries, &section);
    if (code != TK_OK)
        return failed(code, err);
    tk_buf_append(&writer->bytes, section);
    return tk_file_writer_part(&writer->out, &writer->bytes, &writer->footer.summaries, err);
}

static enum tk_err
write_sections(struct tk_segment_writer *writer, struct tk_error *err)
{
    const struct tk_schema *schema = writer->schema;
    struct tk_footer *footer = &writer->footer;
    struct tk_buf *raw = &writer->bytes;
    tk_buf_clear(raw);
    enum tk_err code = write_columns(writer, err);
    if (code == TK_OK) {
        tk_section_put_shapes(schema, raw);
        code = tk_file_writer_part(&writer->out, raw, &footer->shapes, err);
    }
    if (code == TK_OK)
        code = tk_file_writer_messages(&writer->out, schema->resources, schema->resource_count,
                                       &footer->resources, err);
    if (code == TK_OK)
        code = tk_file_writer_messages(&writer->out, schema->scopes, schema->scope_count,
                                       &footer->scopes, err);
    if (code == TK_OK) {
        tk_operations_write(writer->operations, raw);
        code = tk_file_writer_part(&writer->out, raw, &footer->operations, err);
    }
    if (code == TK_OK)
        code = write_summaries(writer, err);
    if (code == TK_OK) {
        tk_str bytes = {(const char *)writer->groups, writer->group_count * sizeof *writer->groups};
        tk_buf_append(raw, bytes);
        footer->group_count = writer->group_count;
        code = tk_file_writer_part(&writer->out, raw, &footer->groups, err);
    }
    return code;
}

enum tk_err
tk_segment_writer_finish(struct tk_segment_writer *writer, uint64_t thinned, struct tk_error *err)
{
    TK_ASSERT(writer->trace.done == writer->trace.total);
    enum tk_err code = flush_group(writer, err);
    if (code == TK_OK)
        code = flush_indexes(writer, 0, 0, err);
    if (code == TK_OK)
        code = write_sections(writer, err);
    writer->footer.thinned = thinned;
    if (code == TK_OK)
        code = tk_file_writer_footer(&writer->out, &writer->footer, err);
    tk_segment_writer_abort(writer);
    return code;
}
