/*
 * view_count - operations, keys and values of a view (store.h).
 *
 * A segment whose spans all start within one step of the range answers from the counts that it
 * keeps, one that is cut through from counts made of a few columns (range_counts.h); any other
 * source - an open buffer, a column without counts, events and links - answers from its rows.  A
 * span counts where it came first: what segments count was settled when they were sealed, and rows
 * ask the older sources (counted.h).  What is damaged is left out.
 */
#include "store/embedded/internal.h"

#include "base/assert.h"
#include "store/count.h"
#include "store/embedded/counted.h"
#include "store/segment/counts.h"
#include "store/embedded/range_counts.h"
#include "store/segment/varint.h"

static enum tk_err
no_memory(struct tk_error *err)
{
    return tk_error_set(err, TK_ERR_MEMORY, "out of memory for counting");
}

/* What is left out was reported. */
static enum tk_err
skip_damage(enum tk_err code)
{
    return code == TK_ERR_CORRUPT ? TK_OK : code;
}

/* Where the spans of a source start. */
struct lying {
    bool none; /* none within the range */
    bool all;  /* all within one step of it: */
    uint32_t step;
};

static struct lying
judge_segment(const struct tk_segment *segment, const struct tk_store_range *range)
{
    struct lying lying = {.none = true};
    uint64_t least = UINT64_MAX, greatest = 0;
    for (uint32_t g = 0; g < segment->group_count; g++) {
        const struct tk_group_entry *group = &segment->groups[g];
        least = group->start_min < least ? group->start_min : least;
        greatest = group->start_max > greatest ? group->start_max : greatest;
        lying.none = lying.none && tk_count_misses(range, group->start_min, group->start_max);
    }
    if (lying.none || !tk_count_is_within(range, least) || !tk_count_is_within(range, greatest))
        return lying;
    lying.step = tk_count_step(range, least);
    lying.all = lying.step == tk_count_step(range, greatest);
    return lying;
}

/* An open buffer may have spans of any time. */
static struct lying
judge(const struct tk_source *source, const struct tk_store_range *range)
{
    return source->segment != NULL ? judge_segment(source->segment, range)
                                   : (struct lying){.none = false};
}

/* As many spans were counted as there are rows: then each row is one of them, and no older source
   is to be asked about it. */
static bool
counts_every_row(struct tk_segment *segment)
{
    struct tk_cache_item *item;
    struct tk_error err;
    if (segment->thinned != 0 || tk_segment_operations(segment, &item, &err) != TK_OK)
        return false;
    bool every = tk_operations_total(item->value) == segment->row_count;
    tk_cache_release(item);
    return every;
}

/* To ask about the rows of source `number`. */
static enum tk_err
begin_counted(struct tk_counted *counted, const struct tk_view *view, uint32_t number,
              struct tk_error *err)
{
    struct tk_segment *segment = view->sources.source[number].segment;
    uint32_t older = segment != NULL && counts_every_row(segment) ? 0 : number;
    return tk_counted_init(counted, view->sources.source, older) == TK_OK ? TK_OK : no_memory(err);
}

/* ---- rows --------------------------------------------------------------------------------------
 */

static bool
is_counted(void *arg, const struct tk_batch *batch, uint32_t row)
{
    return tk_counted_has(arg, batch->trace_id[row], batch->span_id[row], batch->start_nano[row]);
}

static enum tk_err
copy_group(struct tk_row_copy *copy, struct tk_segment *segment, struct tk_group *group,
           struct tk_error *err)
{
    struct tk_values high, low;
    const void *array;
    enum tk_err code = tk_group_values(group, TK_COLUMN_TRACE_HIGH, &high, err);
    if (code == TK_OK)
        code = tk_group_values(group, TK_COLUMN_TRACE_LOW, &low, err);
    if (code == TK_OK)
        code = tk_group_array(group, TK_GROUP_TRACE_ROW, &array, err);
    for (uint32_t t = 0; code == TK_OK && t < high.count; t++) {
        const uint32_t *first = (const uint32_t *)array + t;
        struct tk_trace_id id = {high.number[t], low.number[t]};
        code = tk_row_copy_add(copy, segment, group, id, first[0], first[1] - first[0], err);
    }
    return code;
}

static enum tk_err
count_group(struct tk_count_rows *rows, struct tk_row_copy *copy, struct tk_segment *segment,
            uint32_t number, struct tk_error *err)
{
    struct tk_cache_item *item;
    enum tk_err code = tk_segment_group(segment, number, false, &item, err);
    if (code != TK_OK)
        return code;
    code = copy_group(copy, segment, item->value, err);
    if (code == TK_OK)
        code = tk_count_batch(rows, copy->to);
    tk_batch_clear(copy->to);
    tk_row_copy_clear(copy);
    tk_cache_release(item);
    return code;
}

static enum tk_err
count_segment_rows(struct tk_count_rows *rows, struct tk_segment *segment, struct tk_error *err)
{
    struct tk_store_want want = tk_count_want(rows);
    struct tk_row_copy copy;
    enum tk_err code = TK_OK;
    tk_row_copy_init(&copy);
    copy.want = &want;
    copy.to = tk_batch_new();
    if (copy.to == NULL)
        code = no_memory(err);
    for (uint32_t g = 0; g < segment->group_count && code == TK_OK; g++) {
        const struct tk_group_entry *group = &segment->groups[g];
        if (tk_count_misses(rows->range, group->start_min, group->start_max))
            continue;
        code = tk_count_go_on(rows->range, err);
        if (code == TK_OK)
            code = skip_damage(count_group(rows, &copy, segment, g, err));
    }
    tk_batch_free(copy.to);
    tk_row_copy_release(&copy);
    return code;
}

/* The rows of source `number`, those left out that an older one counts. */
static enum tk_err
count_rows(const struct tk_view *view, uint32_t number, struct tk_count_rows *rows,
           struct tk_error *err)
{
    struct tk_source *source = &view->sources.source[number];
    struct tk_view alone = {.base = view->base, .sources = {.source = source, .count = 1}};
    struct tk_counted counted;
    enum tk_err code = begin_counted(&counted, view, number, err);
    rows->is_counted = is_counted;
    rows->is_counted_arg = &counted;
    if (code == TK_OK)
        code = source->segment != NULL ? count_segment_rows(rows, source->segment, err)
                                       : tk_count_scan(rows, &alone.base, err);
    rows->is_counted = NULL;
    rows->is_counted_arg = NULL;
    tk_counted_release(&counted);
    return code;
}

/* ---- operations --------------------------------------------------------------------------------
 */

typedef enum tk_err each_operation(void *arg, tk_str service, tk_str name, int32_t kind,
                                   const struct tk_store_count *count);

/* Who is told, in one step. */
struct operation_teller {
    each_operation *each;
    void *arg;
    uint32_t step;
};

static enum tk_err
tell_operation(void *arg, tk_str service, tk_str name, int32_t kind,
               const struct tk_store_count *count)
{
    const struct operation_teller *teller = arg;
    struct tk_store_count of_step = *count;
    of_step.step = teller->step;
    return teller->each(teller->arg, service, name, kind, &of_step);
}

/* *ret_done: the segment keeps operations, and these were told. */
static enum tk_err
tell_operations(struct tk_segment *segment, bool want_durations, struct operation_teller *teller,
                bool *ret_done, struct tk_error *err)
{
    struct tk_cache_item *item;
    enum tk_err code = tk_segment_operations(segment, &item, err);
    *ret_done = code == TK_OK;
    if (code != TK_OK)
        return code == TK_ERR_NOT_FOUND ? TK_OK : skip_damage(code);
    code = tk_operations_each(item->value, want_durations, tell_operation, teller);
    tk_cache_release(item);
    return code;
}

/* The same of a segment that is cut through. */
static enum tk_err
tell_range_operations(const struct tk_view *view, uint32_t number,
                      const struct tk_store_range *range, each_operation *each, void *arg,
                      bool *ret_done, struct tk_error *err)
{
    struct tk_source *source = &view->sources.source[number];
    struct tk_cache_item *schema;
    struct tk_counted counted;
    enum tk_err code = tk_segment_schema(source->segment, &schema, err);
    if (code != TK_OK)
        return skip_damage(code);
    code = begin_counted(&counted, view, number, err);
    if (code == TK_OK) {
        struct tk_range_counts of = {source->segment, schema->value, range, &counted};
        code = tk_range_operations(&of, each, arg, err);
        *ret_done = code == TK_OK;
    }
    tk_counted_release(&counted);
    tk_cache_release(schema);
    return code == TK_ERR_NOT_FOUND ? TK_OK : skip_damage(code);
}

enum tk_err
tk_view_operations(struct tk_store_view *base, const struct tk_store_range *range,
                   each_operation *each, void *arg, struct tk_error *err)
{
    const struct tk_view *view = (const struct tk_view *)base;
    struct tk_count_rows rows = {.range = range, .operation = each, .arg = arg};
    struct operation_teller teller = {.each = each, .arg = arg};
    bool want_durations = (range->details & TK_COUNT_DURATIONS) != 0;
    enum tk_err code = TK_OK;
    for (uint32_t i = 0; i < view->sources.count && code == TK_OK; i++) {
        struct tk_source *source = &view->sources.source[i];
        struct lying lying = judge(source, range);
        bool done = lying.none;
        code = tk_count_go_on(range, err);
        teller.step = lying.step;
        if (code == TK_OK && lying.all)
            code = tell_operations(source->segment, want_durations, &teller, &done, err);
        if (code == TK_OK && source->segment != NULL && !done)
            code = tell_range_operations(view, i, range, each, arg, &done, err);
        if (code == TK_OK && !done)
            code = count_rows(view, i, &rows, err);
    }
    tk_count_rows_release(&rows);
    return code;
}

/* ---- keys --------------------------------------------------------------------------------------
 */

typedef enum tk_err each_key(void *arg, enum tk_owner owner, tk_str key, enum tk_value_type type);

static enum tk_err
tell_keys_of_messages(const struct tk_batch *batch, each_key *each, void *arg)
{
    enum tk_err code = TK_OK;
    for (uint32_t i = 0; i < batch->resource_count && code == TK_OK; i++)
        code = tk_count_keys_of(batch, TK_OWNER_RESOURCE, batch->resources[i].attrs, each, arg);
    for (uint32_t i = 0; i < batch->scope_count && code == TK_OK; i++)
        code = tk_count_keys_of(batch, TK_OWNER_SCOPE, batch->scopes[i].attrs, each, arg);
    return code;
}

/* Spans of one shape have the same keys. */
static enum tk_err
tell_keys_of_batch(const struct tk_batch *b, each_key *each, void *arg)
{
    enum tk_err code = tell_keys_of_messages(b, each, arg);
    for (uint32_t i = 0; b->shape != NULL && i < b->shape_count && code == TK_OK; i++)
        code = tk_count_keys_of(b, TK_OWNER_SPAN, b->shapes[i], each, arg);
    for (uint32_t i = 0; b->shape == NULL && i < b->span_count && code == TK_OK; i++)
        code = tk_count_keys_of(b, TK_OWNER_SPAN, b->attrs[i], each, arg);
    for (uint32_t i = 0; i < b->event_count && code == TK_OK; i++)
        code = tk_count_keys_of(b, TK_OWNER_EVENT, b->event[i].attrs, each, arg);
    for (uint32_t i = 0; i < b->link_count && code == TK_OK; i++)
        code = tk_count_keys_of(b, TK_OWNER_LINK, b->link[i].attrs, each, arg);
    return code;
}

static enum tk_err
tell_keys_of_buffer(const struct tk_source *source, each_key *each, void *arg)
{
    enum tk_err code = TK_OK;
    for (uint32_t i = 0; i < source->batch_count && code == TK_OK; i++)
        code = tell_keys_of_batch(tk_buffer_batch(source->buffer, i), each, arg);
    return code;
}

static enum tk_owner
owner_of(enum tk_column_owner owner)
{
    return owner == TK_COLUMN_OF_SPAN    ? TK_OWNER_SPAN
           : owner == TK_COLUMN_OF_EVENT ? TK_OWNER_EVENT
                                         : TK_OWNER_LINK;
}

/* *ret_rest: some attributes have no columns. */
static enum tk_err
tell_keys_of_columns(struct tk_segment *segment, each_key *each, void *arg, bool *ret_rest,
                     struct tk_error *err)
{
    struct tk_cache_item *item;
    enum tk_err code = tk_segment_schema(segment, &item, err);
    if (code != TK_OK)
        return code;
    const struct tk_schema_view *schema = item->value;
    *ret_rest = schema->columns[TK_COLUMN_OTHER].value_count > 0 ||
                schema->columns[TK_COLUMN_EVENT_OTHER].value_count > 0 ||
                schema->columns[TK_COLUMN_LINK_OTHER].value_count > 0;
    for (uint32_t c = TK_COLUMN_FIXED; c < schema->column_count && code == TK_OK; c++) {
        const struct tk_column *column = &schema->columns[c];
        if (column->value_count > 0)
            code = each(arg, owner_of(column->owner), column->key, column->type);
    }
    tk_cache_release(item);
    return code;
}

/* Calls for each page of resources, or scopes. */
static enum tk_err
each_page(struct tk_segment *segment, enum tk_message what,
          enum tk_err (*each)(void *arg, const struct tk_batch *page, uint32_t first), void *arg,
          struct tk_error *err)
{
    uint32_t count;
    enum tk_err code = tk_segment_message_count(segment, what, &count, err);
    for (uint32_t i = 0; code == TK_OK && i < count; i += TK_RESOURCE_PAGE) {
        struct tk_cache_item *item;
        code = tk_segment_decoded(segment, what, i / TK_RESOURCE_PAGE, &item, err);
        if (code != TK_OK)
            return code;
        code = each(arg, item->value, i);
        tk_cache_release(item);
    }
    return code;
}

struct key_teller {
    each_key *each;
    void *arg;
};

static enum tk_err
tell_keys_of_page(void *arg, const struct tk_batch *page, uint32_t first)
{
    const struct key_teller *teller = arg;
    (void)first;
    return tell_keys_of_messages(page, teller->each, teller->arg);
}

static enum tk_err
tell_keys_of_segment(const struct tk_view *view, uint32_t number, each_key *each, void *arg,
                     struct tk_error *err)
{
    static const struct tk_store_range everything = {0};
    struct tk_segment *segment = view->sources.source[number].segment;
    struct tk_count_rows rows = {.range = &everything, .key = each, .arg = arg};
    struct key_teller teller = {each, arg};
    bool rest = false;
    enum tk_err code = tell_keys_of_columns(segment, each, arg, &rest, err);
    if (code == TK_OK)
        code = each_page(segment, TK_MESSAGE_RESOURCE, tell_keys_of_page, &teller, err);
    if (code == TK_OK)
        code = each_page(segment, TK_MESSAGE_SCOPE, tell_keys_of_page, &teller, err);
    if (code == TK_OK && rest)
        code = count_segment_rows(&rows, segment, err);
    tk_count_rows_release(&rows);
    return skip_damage(code);
}

enum tk_err
tk_view_keys(struct tk_store_view *base, each_key *each, void *arg, struct tk_error *err)
{
    const struct tk_view *view = (const struct tk_view *)base;
    enum tk_err code = TK_OK;
    for (uint32_t i = 0; i < view->sources.count && code == TK_OK; i++)
        code = view->sources.source[i].segment != NULL
                   ? tell_keys_of_segment(view, i, each, arg, err)
                   : tell_keys_of_buffer(&view->sources.source[i], each, arg);
    return code;
}

/* ---- values ------------------------------------------------------------------------------------
 */

/* One segment is asked. */
struct value_teller {
    struct tk_segment *segment;
    const struct tk_count_values *values;
    const struct tk_range_counts *of; /* the range; NULL: all of it lies within one step */
    enum tk_err result;               /* what `each` said */
    /* what is told of at the moment */
    const struct tk_schema_view *schema;
    uint32_t column;
    const struct tk_dictionary *dictionary; /* of the column; NULL: resources or scopes */
    const struct tk_counts *counts;
    uint32_t step;
    struct tk_histogram scratch;
    struct tk_error *err;
};

static enum tk_err
tell_value(struct value_teller *teller, uint32_t code, struct tk_value value)
{
    const struct tk_counts *counts = teller->counts;
    struct tk_store_count count = {
        .span_count = counts->span_count[code],
        .error_count = counts->error_count[code],
        .last_nano = counts->last_nano[code],
        .step = teller->step,
    };
    if (count.span_count == 0)
        return TK_OK;
    if (teller->values->want_durations &&
        tk_counts_durations(counts, code, &teller->scratch, &count.durations) != TK_OK)
        return teller->result = no_memory(teller->err);
    return teller->result = teller->values->each(teller->values->arg, value, &count);
}

static struct tk_value
value_of(uint8_t type, uint64_t number)
{
    struct tk_value value = {.type = type};
    if (type == TK_VALUE_INT)
        value.i = tk_unzigzag(number);
    else if (type == TK_VALUE_BOOL)
        value.b = number != 0;
    else
        memcpy(&value.d, &number, sizeof value.d);
    return value;
}

/* The first text that does not stand before `prefix`. */
static uint32_t
find_first(const struct tk_dictionary *dictionary, tk_str prefix)
{
    uint32_t low = 0, high = dictionary->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (tk_str_cmp(dictionary->texts[middle], prefix) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static enum tk_err
tell_dictionary(struct value_teller *teller)
{
    const struct tk_column *column = &teller->schema->columns[teller->column];
    const struct tk_dictionary *dictionary = teller->dictionary;
    tk_str prefix = teller->values->prefix;
    enum tk_err code = TK_OK;
    if (dictionary->texts == NULL) {
        for (uint32_t i = 0; i < dictionary->count && code == TK_OK; i++)
            code = tell_value(teller, i, value_of(column->type, dictionary->numbers[i]));
        return code;
    }
    uint32_t i = find_first(dictionary, prefix);
    for (; i < dictionary->count && code == TK_OK; i++) {
        tk_str text = dictionary->texts[i];
        if (!tk_str_starts_with(text, prefix))
            break;
        code = tell_value(
            teller, i,
            (struct tk_value){.type = TK_VALUE_STRING, .len = (uint32_t)text.len, .ptr = text.ptr});
    }
    return code;
}

static enum tk_err
tell_message(void *arg, const struct tk_batch *page, struct tk_range attrs, uint32_t number)
{
    struct value_teller *teller = arg;
    const struct tk_count_values *values = teller->values;
    enum tk_err code = TK_OK;
    if (number >= teller->counts->code_count)
        return TK_ERR_CORRUPT;
    if (teller->counts->span_count[number] == 0)
        return TK_OK;
    for (uint32_t i = attrs.begin; i < attrs.begin + attrs.count && code == TK_OK; i++)
        if (tk_str_eq(page->keys.strings[page->attr_key[i]], values->key) &&
            tk_count_is_value(values, &page->attr_value[i]))
            code = tell_value(teller, number, page->attr_value[i]);
    return code;
}

static enum tk_err
tell_page(void *arg, const struct tk_batch *page, uint32_t first)
{
    enum tk_err code = TK_OK;
    for (uint32_t i = 0; i < page->resource_count && code == TK_OK; i++)
        code = tell_message(arg, page, page->resources[i].attrs, first + i);
    for (uint32_t i = 0; i < page->scope_count && code == TK_OK; i++)
        code = tell_message(arg, page, page->scopes[i].attrs, first + i);
    return code;
}

/* Counts of one step, by code of the column. */
static enum tk_err
tell_counts(void *arg, uint32_t step, const struct tk_counts *counts)
{
    struct value_teller *teller = arg;
    enum tk_message what =
        teller->column == TK_COLUMN_RESOURCE ? TK_MESSAGE_RESOURCE : TK_MESSAGE_SCOPE;
    teller->counts = counts;
    teller->step = step;
    return teller->dictionary != NULL
               ? tell_dictionary(teller)
               : each_page(teller->segment, what, tell_page, teller, teller->err);
}

/* Values of an attribute's column; of resources, or scopes. */
static enum tk_err
tell_column(struct value_teller *teller, uint32_t column, struct tk_error *err)
{
    struct tk_cache_item *dictionary = NULL, *counts;
    enum tk_err code = TK_OK;
    if (column >= TK_COLUMN_FIXED)
        code = tk_segment_dictionary(teller->segment, teller->schema, column, &dictionary, err);
    if (code != TK_OK)
        return code;
    teller->column = column;
    teller->dictionary = dictionary != NULL ? dictionary->value : NULL;
    teller->err = err;
    if (teller->of != NULL) {
        code = tk_range_codes(teller->of, column, tell_counts, teller, err);
    } else {
        code = tk_segment_counts(teller->segment, teller->schema, column, &counts, err);
        if (code == TK_OK) {
            code = tell_counts(teller, teller->step, counts->value);
            tk_cache_release(counts);
        }
    }
    tk_cache_release(dictionary);
    return code;
}

/* Are there counts as they are wanted? */
static bool
has_counts(const struct tk_column *column, bool want_durations)
{
    return column->kind == TK_COLUMN_DICTIONARY && column->counts.size > 0 &&
           (!want_durations || column->distinct <= TK_COUNTS_HISTOGRAMS_MAX);
}

static bool
is_asked(const struct tk_column *column, const struct tk_count_values *values)
{
    return column->value_count > 0 && (owner_of(column->owner) & values->owners) != 0 &&
           column->type >= TK_VALUE_STRING && column->type <= TK_VALUE_DOUBLE &&
           tk_str_eq(column->key, values->key);
}

/* Those of the owners whose rows must be read. */
static unsigned
owners_without_counts(const struct tk_schema_view *schema, const struct tk_count_values *values)
{
    const struct tk_column *columns = schema->columns;
    bool durations = values->want_durations;
    unsigned owners = 0;
    if (columns[TK_COLUMN_OTHER].value_count > 0)
        owners |= TK_OWNER_SPAN;
    if (columns[TK_COLUMN_EVENT_OTHER].value_count > 0)
        owners |= TK_OWNER_EVENT;
    if (columns[TK_COLUMN_LINK_OTHER].value_count > 0)
        owners |= TK_OWNER_LINK;
    if (!has_counts(&columns[TK_COLUMN_RESOURCE], durations))
        owners |= TK_OWNER_RESOURCE;
    if (!has_counts(&columns[TK_COLUMN_SCOPE], durations))
        owners |= TK_OWNER_SCOPE;
    for (uint32_t c = TK_COLUMN_FIXED; c < schema->column_count; c++)
        if (is_asked(&columns[c], values) && !has_counts(&columns[c], durations))
            owners |= owner_of(columns[c].owner);
    return owners & values->owners;
}

/* Columns of attributes, resources and scopes, as far as `owners` are asked. */
static enum tk_err
tell_columns(struct value_teller *teller, unsigned owners, struct tk_error *err)
{
    const struct tk_schema_view *schema = teller->schema;
    enum tk_err code = TK_OK;
    for (uint32_t c = TK_COLUMN_FIXED; c < schema->column_count && code == TK_OK; c++)
        if (is_asked(&schema->columns[c], teller->values) &&
            (owner_of(schema->columns[c].owner) & owners) != 0)
            code = tell_column(teller, c, err);
    if (code == TK_OK && (owners & TK_OWNER_RESOURCE))
        code = tell_column(teller, TK_COLUMN_RESOURCE, err);
    if (code == TK_OK && (owners & TK_OWNER_SCOPE))
        code = tell_column(teller, TK_COLUMN_SCOPE, err);
    return code;
}

/* What the segment keeps counts of, or, if it is cut through, what counts can be made of;
 *ret_rest: owners whose rows are to be read. */
static enum tk_err
tell_values(const struct tk_view *view, uint32_t number, struct lying lying,
            const struct tk_store_range *range, const struct tk_count_values *values,
            unsigned *ret_rest, struct tk_error *err)
{
    struct tk_segment *segment = view->sources.source[number].segment;
    struct value_teller teller = {.segment = segment, .values = values, .step = lying.step};
    struct tk_range_counts of = {.segment = segment, .range = range};
    struct tk_cache_item *item;
    struct tk_counted counted = {0};
    enum tk_err code = tk_segment_schema(segment, &item, err);
    if (code != TK_OK)
        return skip_damage(code);
    teller.schema = of.schema = item->value;
    *ret_rest = owners_without_counts(teller.schema, values);
    if (!lying.all) {
        of.counted = &counted;
        teller.of = &of;
        *ret_rest |= values->owners & (TK_OWNER_EVENT | TK_OWNER_LINK);
        code = begin_counted(&counted, view, number, err);
    }
    if (code == TK_OK)
        code = tell_columns(&teller, values->owners & ~*ret_rest, err);
    tk_counted_release(&counted);
    tk_histogram_release(&teller.scratch);
    tk_cache_release(item);
    return teller.result != TK_OK ? teller.result : skip_damage(code);
}

enum tk_err
tk_view_values(struct tk_store_view *base, const struct tk_store_range *range,
               struct tk_count_values *values, struct tk_error *err)
{
    const struct tk_view *view = (const struct tk_view *)base;
    struct tk_count_rows rows = {.range = range, .values = values};
    unsigned owners = values->owners;
    enum tk_err code = TK_OK;
    for (uint32_t i = 0; i < view->sources.count && code == TK_OK; i++) {
        const struct tk_source *source = &view->sources.source[i];
        struct lying lying = judge(source, range);
        unsigned rest = lying.none ? 0 : owners;
        code = tk_count_go_on(range, err);
        if (code == TK_OK && source->segment != NULL && !lying.none)
            code = tell_values(view, i, lying, range, values, &rest, err);
        values->owners = rest;
        if (code == TK_OK && rest != 0)
            code = count_rows(view, i, &rows, err);
        values->owners = owners;
    }
    return code;
}
