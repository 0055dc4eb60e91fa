/*
 * row_copy - see row_copy.h.
 *
 * Work is done once for what repeats: a column is looked up once a group, a shape once a group, a
 * resource and a scope once a trace, and a text of a dictionary is copied about once; a row then
 * costs its values.  Fixed columns are copied one after the other, and zeroes not at all: a new row
 * has them.
 */
#include "store/segment/row_copy.h"

#include "base/assert.h"
#include "wire/otlp.h"

#include <stdlib.h>

#define SKIPPED UINT32_MAX
enum { ARENA_CHUNK = 64 << 10, FEW = 4 /* a part is at most so small a share of the group */ };
static const size_t ARENA_LIMIT = (size_t)1 << 32;

/* A column of the group at hand, with what its codes mean. */
struct tk_row_view {
    struct tk_values values; /* from `begin` on; those that the rows at hand need */
    uint32_t begin;
    const struct tk_dictionary *dictionary; /* NULL: none */
    uint8_t type;
};

/* A column of a shape: the key's number in `to`, and the view; SKIPPED: not wanted. */
struct tk_row_entry {
    uint32_t key, view;
};

/* One run under way; the first failure sticks in `code`, the rest then does nothing. */
struct run {
    struct tk_row_copy *copy;
    struct tk_segment *segment;
    struct tk_group *group;
    const struct tk_schema_view *schema;
    bool part; /* only what the rows need is decoded */
    struct tk_error *err;
    enum tk_err code;
};

void
tk_row_copy_init(struct tk_row_copy *copy)
{
    *copy = (struct tk_row_copy){0};
    tk_arena_init(&copy->_part, ARENA_CHUNK, ARENA_LIMIT);
}

void
tk_row_copy_clear(struct tk_row_copy *copy)
{
    for (uint32_t i = 0; i < copy->_item_count; i++)
        tk_cache_release(copy->_items[i]);
    copy->_item_count = 0;
    tk_number_map_clear(&copy->_resources);
    tk_number_map_clear(&copy->_scopes);
    if (copy->deep)
        memset(copy->_texts, 0, sizeof copy->_texts);
}

void
tk_row_copy_release(struct tk_row_copy *copy)
{
    tk_row_copy_clear(copy);
    tk_number_map_release(&copy->_resources);
    tk_number_map_release(&copy->_scopes);
    tk_number_map_release(&copy->_shapes);
    tk_number_map_release(&copy->_columns);
    free(copy->_entries);
    free(copy->_views);
    free(copy->_items);
    tk_arena_release(&copy->_part);
    tk_row_copy_init(copy);
}

static bool
fail(struct run *run, enum tk_err code)
{
    if (code == TK_OK || run->code != TK_OK)
        return run->code != TK_OK;
    run->code = code == TK_ERR_CORRUPT
                    ? tk_segment_corrupt(run->segment, tk_group_entry(run->group)->offset,
                                         "a group", "its rows make no sense", run->err)
                    : tk_error_set(run->err, code, "out of memory for spans");
    return true;
}

/* What was said already, by whom it failed. */
static bool
failed(struct run *run, enum tk_err code)
{
    if (run->code == TK_OK)
        run->code = code;
    return run->code != TK_OK;
}

/* Room for one more element; the column at *column_ptr may move. */
static bool
make_room(void *column_ptr, uint32_t count, uint32_t *capacity, size_t size)
{
    void *column;
    if (count < *capacity)
        return true;
    uint32_t grown = *capacity > 0 ? *capacity * 2 : 32;
    memcpy(&column, column_ptr, sizeof column);
    column = realloc(column, grown * size);
    if (column == NULL)
        return false;
    memcpy(column_ptr, &column, sizeof column);
    *capacity = grown;
    return true;
}

/* Takes over a reference, until the copy is cleared. */
static bool
hold(struct run *run, struct tk_cache_item *item)
{
    struct tk_row_copy *copy = run->copy;
    if (!make_room(&copy->_items, copy->_item_count, &copy->_item_capacity, sizeof *copy->_items)) {
        tk_cache_release(item);
        return !fail(run, TK_ERR_MEMORY);
    }
    copy->_items[copy->_item_count++] = item;
    return true;
}

static tk_str
put_text(struct run *run, tk_str text)
{
    if (text.len == 0)
        return TK_STR_NONE;
    if (!run->copy->deep || run->code != TK_OK)
        return text;
    tk_str own = tk_arena_copy(&run->copy->to->arena, text);
    if (own.ptr == NULL)
        (void)fail(run, TK_ERR_MEMORY);
    return own;
}

static uint32_t
put_key(struct run *run, tk_str key)
{
    struct tk_batch *to = run->copy->to;
    uint32_t id = 0;
    (void)fail(run, run->copy->deep ? tk_intern_copy(&to->keys, &to->arena, key, &id)
                                    : tk_intern_add(&to->keys, key, &id));
    return id;
}

static void
put_attr(struct run *run, uint32_t key, struct tk_value value)
{
    switch (value.type) {
    case TK_VALUE_STRING:
    case TK_VALUE_BYTES:
    case TK_VALUE_ARRAY:
    case TK_VALUE_MAP:
        value.ptr = put_text(run, tk_value_str(value)).ptr;
        break;
    default:
        break;
    }
    if (run->code == TK_OK)
        (void)fail(run, tk_batch_add_attr_id(run->copy->to, key, value));
}

static bool
is_wanted(const struct tk_row_copy *copy, tk_str key)
{
    if (copy->want == NULL || !copy->want->lean)
        return true;
    for (size_t i = 0; i < copy->want->key_count; i++)
        if (tk_str_eq(copy->want->keys[i], key))
            return true;
    return false;
}

static bool
wants_attrs(const struct tk_row_copy *copy) /* of spans */
{
    return copy->want == NULL || !copy->want->lean || copy->want->key_count > 0;
}

/* Columns. */

/* The column; with run->part, if `count` is not 0, only so many of its values from `begin` on. */
static struct tk_row_view
open_view(struct run *run, uint32_t column, uint32_t begin, uint32_t count)
{
    struct tk_row_view view = {.type = run->schema->columns[column].type};
    struct tk_cache_item *item;
    bool part = run->part && count > 0;
    view.begin = part ? begin : 0;
    if (failed(run, part ? tk_group_part(run->group, column, begin, count, &run->copy->_part,
                                         &view.values, run->err)
                         : tk_group_values(run->group, column, &view.values, run->err)))
        return view;
    if (run->schema->columns[column].dictionary.size == 0 || view.values.count == 0)
        return view;
    if (!failed(run, tk_segment_dictionary(run->segment, run->schema, column, &item, run->err)) &&
        hold(run, item))
        view.dictionary = item->value;
    return view;
}

static tk_str
text_at(const struct tk_row_view *view, uint32_t at)
{
    at -= view->begin;
    return view->dictionary != NULL ? view->dictionary->texts[view->values.number[at]]
                                    : view->values.text[at];
}

static uint64_t
number_at(const struct tk_row_view *view, uint32_t at)
{
    at -= view->begin;
    return view->dictionary != NULL ? view->dictionary->numbers[view->values.number[at]]
                                    : view->values.number[at];
}

static struct tk_value
value_at(const struct tk_row_view *view, uint32_t at)
{
    struct tk_value value = {.type = view->type};
    tk_str text;
    uint64_t bits;
    switch (view->type) {
    case TK_VALUE_EMPTY:
        break;
    case TK_VALUE_BOOL:
        value.b = number_at(view, at) != 0;
        break;
    case TK_VALUE_INT:
        value.i = tk_unzigzag(number_at(view, at));
        break;
    case TK_VALUE_DOUBLE:
        bits = number_at(view, at);
        memcpy(&value.d, &bits, sizeof value.d);
        break;
    default:
        text = text_at(view, at);
        value.ptr = text.ptr;
        value.len = (uint32_t)text.len;
    }
    return value;
}

/* As open_view; the rows at hand need no others. */
static uint32_t
view_of(struct run *run, uint32_t column, uint32_t begin, uint32_t count)
{
    struct tk_row_copy *copy = run->copy;
    uint32_t at = 0;
    if (tk_number_map_find(&copy->_columns, column, &at))
        return at;
    struct tk_row_view view = open_view(run, column, begin, count);
    if (run->code != TK_OK)
        return 0;
    if (!make_room(&copy->_views, copy->_view_count, &copy->_view_capacity, sizeof view)) {
        (void)fail(run, TK_ERR_MEMORY);
        return 0;
    }
    copy->_views[copy->_view_count] = view;
    (void)fail(run, tk_number_map_add(&copy->_columns, column, copy->_view_count));
    return copy->_view_count++;
}

/* Attributes. */

/* The shape's columns as entries, from *ret_begin on.  `left` owners, of which the one at hand has
   its values at places[], may have it: at most so many values of each column are needed. */
static bool
open_shape(struct run *run, uint32_t number, const uint32_t *places, uint32_t left,
           uint32_t *ret_begin)
{
    struct tk_row_copy *copy = run->copy;
    if (tk_number_map_find(&copy->_shapes, number, ret_begin))
        return true;
    const struct tk_shape *shape = &run->schema->shapes[number];
    *ret_begin = copy->_entry_count;
    for (uint32_t k = 0; k < shape->count && run->code == TK_OK; k++) {
        const struct tk_column *column = &run->schema->columns[shape->columns[k]];
        struct tk_row_entry entry = {SKIPPED, 0};
        bool wanted = is_wanted(copy, column->key);
        if (wanted) {
            entry.view = view_of(run, shape->columns[k], places[k], left);
            entry.key = run->code == TK_OK ? put_key(run, column->key) : 0;
        }
        if (wanted && run->code == TK_OK && copy->_views[entry.view].values.count == 0)
            return !fail(run, TK_ERR_CORRUPT); /* there are values, but no chunk */
        if (!make_room(&copy->_entries, copy->_entry_count, &copy->_entry_capacity, sizeof entry))
            return !fail(run, TK_ERR_MEMORY);
        copy->_entries[copy->_entry_count++] = entry;
    }
    if (run->code == TK_OK)
        (void)fail(run, tk_number_map_add(&copy->_shapes, number, *ret_begin));
    return run->code == TK_OK;
}

static bool
put_member(void *arg, tk_str key, struct tk_value value)
{
    struct run *run = arg;
    if (is_wanted(run->copy, key)) {
        uint32_t id = put_key(run, key);
        put_attr(run, id, value);
    }
    return run->code == TK_OK;
}

/* The attributes of owner `at`, the first of `left` at hand; 0: it is not known how many. */
static struct tk_range
put_attrs(struct run *run, const struct tk_group_attrs *attrs, uint32_t other, uint32_t at,
          uint32_t left)
{
    struct tk_batch *to = run->copy->to;
    struct tk_range range = {to->attr_count, 0};
    uint32_t shape = attrs->shape[at], begin, count = run->schema->shapes[shape].count;
    const uint32_t *places = attrs->at + attrs->begin[at];
    if (shape == 0) {
        uint32_t view = view_of(run, other, places[0], left);
        if (run->code == TK_OK) {
            tk_str list = text_at(&run->copy->_views[view], places[0]);
            struct tk_value map = {.type = TK_VALUE_MAP, .len = (uint32_t)list.len};
            map.ptr = list.ptr;
            tk_value_each(map, put_member, run);
        }
    } else if (open_shape(run, shape, places, left, &begin)) {
        for (uint32_t k = 0; k < count && run->code == TK_OK; k++) {
            struct tk_row_entry entry = run->copy->_entries[begin + k];
            if (entry.key != SKIPPED)
                put_attr(run, entry.key, value_at(&run->copy->_views[entry.view], places[k]));
        }
    }
    range.count = to->attr_count - range.begin;
    return range;
}

static struct tk_range
put_range(struct run *run, const struct tk_batch *from, struct tk_range range)
{
    struct tk_range made = {run->copy->to->attr_count, range.count};
    for (uint32_t i = range.begin; i < range.begin + range.count && run->code == TK_OK; i++) {
        uint32_t key = put_key(run, from->keys.strings[from->attr_key[i]]);
        put_attr(run, key, from->attr_value[i]);
    }
    return made;
}

/* Resources and scopes. */

static const struct tk_batch *
decoded(struct run *run, enum tk_message what, uint64_t number)
{
    struct tk_cache_item *item;
    uint32_t count;
    if (failed(run, tk_segment_message_count(run->segment, what, &count, run->err)) ||
        (number >= count && fail(run, TK_ERR_CORRUPT)) ||
        failed(run, tk_segment_decoded(run->segment, what, (uint32_t)number / TK_RESOURCE_PAGE,
                                       &item, run->err)) ||
        !hold(run, item))
        return NULL;
    return item->value;
}

static uint32_t
put_resource(struct run *run, uint64_t number)
{
    struct tk_batch *to = run->copy->to;
    uint64_t key = run->segment->serial << 32 | number;
    uint32_t index = 0;
    if (run->code != TK_OK || tk_number_map_find(&run->copy->_resources, key, &index))
        return index;
    const struct tk_batch *from = decoded(run, TK_MESSAGE_RESOURCE, number);
    if (from == NULL || fail(run, tk_batch_add_resource(to, &index)))
        return 0;
    const struct tk_resource *resource = &from->resources[number % TK_RESOURCE_PAGE];
    struct tk_range attrs = put_range(run, from, resource->attrs);
    to->resources[index] = (struct tk_resource){.attrs = attrs,
                                                .dropped_attrs = resource->dropped_attrs,
                                                .schema_url = put_text(run, resource->schema_url)};
    (void)fail(run, tk_number_map_add(&run->copy->_resources, key, index));
    return index;
}

static uint32_t
put_scope(struct run *run, uint64_t number)
{
    struct tk_batch *to = run->copy->to;
    uint64_t key = run->segment->serial << 32 | number;
    uint32_t index = 0;
    if (run->code != TK_OK || tk_number_map_find(&run->copy->_scopes, key, &index))
        return index;
    const struct tk_batch *from = decoded(run, TK_MESSAGE_SCOPE, number);
    if (from == NULL || fail(run, tk_batch_add_scope(to, &index)))
        return 0;
    const struct tk_scope *scope = &from->scopes[number % TK_RESOURCE_PAGE];
    struct tk_range attrs = put_range(run, from, scope->attrs);
    to->scopes[index] = (struct tk_scope){.name = put_text(run, scope->name),
                                          .version = put_text(run, scope->version),
                                          .schema_url = put_text(run, scope->schema_url),
                                          .attrs = attrs,
                                          .dropped_attrs = scope->dropped_attrs};
    (void)fail(run, tk_number_map_add(&run->copy->_scopes, key, index));
    return index;
}

/* Rows. */

/* Views of fixed columns by number, of which `count` from `first` on are opened. */
struct fixed {
    uint32_t view[TK_COLUMN_FIXED];
};

/* Of each `count` values from `begin` on; 0: all. */
static void
open_fixed(struct run *run, struct fixed *fixed, uint32_t first, uint32_t end, uint32_t begin,
           uint32_t count)
{
    for (uint32_t column = first; column < end && run->code == TK_OK; column++)
        fixed->view[column] = view_of(run, column, begin, count);
}

/* A dictionary is held until the copy is cleared: where its text lies says which one it is. */
static tk_str
fixed_text(struct run *run, const struct fixed *fixed, uint32_t column, uint32_t at)
{
    const struct tk_row_view *view = &run->copy->_views[fixed->view[column]];
    tk_str text = text_at(view, at);
    if (text.len == 0 || !run->copy->deep || view->dictionary == NULL)
        return put_text(run, text);
    struct tk_row_text *known = &run->copy->_texts[((uintptr_t)text.ptr >> 3) % TK_ROW_TEXTS];
    if (known->from == text.ptr)
        return known->own;
    tk_str own = put_text(run, text);
    if (run->code == TK_OK) /* else it still is the dictionary's */
        *known = (struct tk_row_text){text.ptr, own};
    return own;
}

static uint64_t
fixed_number(const struct run *run, const struct fixed *fixed, uint32_t column, uint32_t at)
{
    return number_at(&run->copy->_views[fixed->view[column]], at);
}

static tk_span_id
parent_of(struct run *run, const struct fixed *fixed, uint32_t row, uint32_t *parents)
{
    uint64_t parent = fixed_number(run, fixed, TK_COLUMN_PARENT, row);
    if (parent == 0)
        return 0;
    if (parent == 1)
        return fixed_number(run, fixed, TK_COLUMN_PARENT_ID, (*parents)++);
    int64_t at = (int64_t)row - tk_unzigzag(parent - 2);
    if (at < 0 || at >= tk_group_entry(run->group)->row_count) {
        (void)fail(run, TK_ERR_CORRUPT);
        return 0;
    }
    return fixed_number(run, fixed, TK_COLUMN_SPAN_ID, (uint32_t)at);
}

/* Rows of the group, and where they go to: row `to` of the batch and following. */
struct rows {
    uint32_t begin, count, to;
};

static void
put_ids(struct run *run, const struct fixed *fixed, struct rows rows, struct tk_trace_id id,
        uint32_t parents)
{
    struct tk_batch *to = run->copy->to;
    for (uint32_t i = 0; i < rows.count && run->code == TK_OK; i++) {
        uint32_t from = rows.begin + i, row = rows.to + i;
        to->trace_id[row] = id;
        to->span_id[row] = fixed_number(run, fixed, TK_COLUMN_SPAN_ID, from);
        to->parent_id[row] = parent_of(run, fixed, from, &parents);
        if (to->span_id[row] == 0)
            (void)fail(run, TK_ERR_CORRUPT);
    }
}

static void
put_times(struct run *run, const struct fixed *fixed, struct rows rows, const uint64_t *starts)
{
    struct tk_batch *to = run->copy->to;
    for (uint32_t i = 0; i < rows.count && run->code == TK_OK; i++) {
        uint64_t start = starts[rows.begin + i];
        uint64_t end = start + fixed_number(run, fixed, TK_COLUMN_DURATION, rows.begin + i);
        to->start_nano[rows.to + i] = start;
        to->end_nano[rows.to + i] = end;
        if (end < start)
            (void)fail(run, TK_ERR_CORRUPT);
    }
}

static void
put_names(struct run *run, const struct fixed *fixed, struct rows rows)
{
    struct tk_batch *to = run->copy->to;
    for (uint32_t i = 0; i < rows.count && run->code == TK_OK; i++)
        to->name[rows.to + i] = fixed_text(run, fixed, TK_COLUMN_NAME, rows.begin + i);
}

static void
put_numbers(const struct run *run, const struct fixed *fixed, uint32_t column, struct rows rows,
            uint32_t *to)
{
    for (uint32_t i = 0; i < rows.count; i++) {
        uint32_t number = (uint32_t)fixed_number(run, fixed, column, rows.begin + i);
        if (number != 0)
            to[rows.to + i] = number;
    }
}

static void
put_signed(const struct run *run, const struct fixed *fixed, uint32_t column, struct rows rows,
           int32_t *to)
{
    for (uint32_t i = 0; i < rows.count; i++) {
        uint64_t number = fixed_number(run, fixed, column, rows.begin + i);
        if (number != 0)
            to[rows.to + i] = (int32_t)tk_unzigzag(number);
    }
}

/* Of what each row refers to, which often is what the row before does. */
static void
put_messages(struct run *run, const struct fixed *fixed, enum tk_message what, struct rows rows,
             uint32_t *to)
{
    uint32_t column = what == TK_MESSAGE_RESOURCE ? TK_COLUMN_RESOURCE : TK_COLUMN_SCOPE;
    uint64_t last = 0;
    uint32_t index = 0;
    for (uint32_t i = 0; i < rows.count && run->code == TK_OK; i++) {
        /* codes as they are: these columns have no dictionary */
        uint64_t number = fixed_number(run, fixed, column, rows.begin + i);
        if (i == 0 || number != last)
            index =
                what == TK_MESSAGE_RESOURCE ? put_resource(run, number) : put_scope(run, number);
        last = number;
        to[rows.to + i] = index;
    }
}

/* Parents that lie in column PARENT_ID before this row. */
static uint32_t
count_parents(const struct run *run, const struct fixed *fixed, uint32_t row)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < row; i++)
        count += fixed_number(run, fixed, TK_COLUMN_PARENT, i) == 1;
    return count;
}

/* Of the rows at hand, or of all. */
static enum tk_err
open_attrs(struct run *run, uint32_t begin, uint32_t count, struct tk_group_attrs *attrs)
{
    return run->part
               ? tk_group_attrs_part(run->group, begin, count, &run->copy->_part, attrs, run->err)
               : tk_group_attrs(run->group, TK_COLUMN_OF_SPAN, attrs, run->err);
}

static void
put_rows(struct run *run, struct tk_trace_id id, uint32_t begin, uint32_t count)
{
    struct tk_batch *to = run->copy->to;
    struct fixed fixed = {0};
    struct tk_group_attrs attrs;
    const void *starts;
    uint32_t row;
    uint32_t first = run->part ? begin : 0; /* whom attrs begin with */
    if ((wants_attrs(run->copy) && failed(run, open_attrs(run, begin, count, &attrs))) ||
        failed(run, tk_group_array(run->group, TK_GROUP_STARTS, &starts, run->err)))
        return;
    /* a parent is a row before, and which of PARENT_ID is one's own depends on all before */
    open_fixed(run, &fixed, TK_COLUMN_SPAN_ID, TK_COLUMN_START, 0, 0);
    open_fixed(run, &fixed, TK_COLUMN_DURATION, TK_COLUMN_TRACE_STATE, begin, count);
    open_fixed(run, &fixed, TK_COLUMN_STATUS, TK_COLUMN_SHAPE, begin, count);
    open_fixed(run, &fixed, TK_COLUMN_DROPPED_ATTRS, TK_COLUMN_EVENTS, begin, count);
    if (run->code != TK_OK)
        return;
    struct rows rows = {begin, count, to->span_count};
    for (uint32_t i = 0; i < count; i++)
        if (fail(run, tk_batch_add_span(to, &row)))
            return;
    put_ids(run, &fixed, rows, id, count_parents(run, &fixed, begin));
    put_times(run, &fixed, rows, starts);
    put_names(run, &fixed, rows);
    put_signed(run, &fixed, TK_COLUMN_STATUS, rows, to->status);
    put_signed(run, &fixed, TK_COLUMN_KIND, rows, to->kind);
    put_numbers(run, &fixed, TK_COLUMN_FLAGS, rows, to->flags);
    put_numbers(run, &fixed, TK_COLUMN_DROPPED_ATTRS, rows, to->dropped_attrs);
    put_numbers(run, &fixed, TK_COLUMN_DROPPED_EVENTS, rows, to->dropped_events);
    put_numbers(run, &fixed, TK_COLUMN_DROPPED_LINKS, rows, to->dropped_links);
    put_messages(run, &fixed, TK_MESSAGE_RESOURCE, rows, to->resource);
    put_messages(run, &fixed, TK_MESSAGE_SCOPE, rows, to->scope);
    for (uint32_t i = 0; i < count && run->code == TK_OK && wants_attrs(run->copy); i++) {
        struct tk_range range =
            put_attrs(run, &attrs, TK_COLUMN_OTHER, begin + i - first, count - i);
        to->attrs[rows.to + i] = range;
    }
}

/* What a lean search leaves out. */

static void
put_texts(struct run *run, uint32_t first, uint32_t begin, uint32_t count)
{
    struct tk_batch *to = run->copy->to;
    struct fixed fixed = {0};
    open_fixed(run, &fixed, TK_COLUMN_TRACE_STATE, TK_COLUMN_STATUS, begin, count);
    for (uint32_t i = 0; i < count && run->code == TK_OK; i++) {
        to->trace_state[first + i] = fixed_text(run, &fixed, TK_COLUMN_TRACE_STATE, begin + i);
        to->status_message[first + i] =
            fixed_text(run, &fixed, TK_COLUMN_STATUS_MESSAGE, begin + i);
    }
}

static void
put_event(struct run *run, const struct fixed *fixed, const struct tk_group_attrs *attrs,
          uint32_t at, uint64_t start)
{
    struct tk_batch *to = run->copy->to;
    uint32_t index;
    if (fail(run, tk_batch_add_event(to, &index)))
        return;
    uint64_t time =
        start + (uint64_t)tk_unzigzag(fixed_number(run, fixed, TK_COLUMN_EVENT_TIME, at));
    struct tk_range range = put_attrs(run, attrs, TK_COLUMN_EVENT_OTHER, at, 0);
    to->event[index] = (struct tk_event){
        .time_nano = time,
        .name = fixed_text(run, fixed, TK_COLUMN_EVENT_NAME, at),
        .attrs = range,
        .dropped_attrs = (uint32_t)fixed_number(run, fixed, TK_COLUMN_EVENT_DROPPED, at)};
}

static void
put_link(struct run *run, const struct fixed *fixed, const struct tk_group_attrs *attrs,
         uint32_t at)
{
    struct tk_batch *to = run->copy->to;
    uint32_t index;
    if (fail(run, tk_batch_add_link(to, &index)))
        return;
    struct tk_range range = put_attrs(run, attrs, TK_COLUMN_LINK_OTHER, at, 0);
    to->link[index] = (struct tk_link){
        .trace_id = {fixed_number(run, fixed, TK_COLUMN_LINK_HIGH, at),
                     fixed_number(run, fixed, TK_COLUMN_LINK_LOW, at)},
        .span_id = fixed_number(run, fixed, TK_COLUMN_LINK_SPAN, at),
        .trace_state = fixed_text(run, fixed, TK_COLUMN_LINK_STATE, at),
        .attrs = range,
        .dropped_attrs = (uint32_t)fixed_number(run, fixed, TK_COLUMN_LINK_DROPPED, at),
        .flags = (uint32_t)fixed_number(run, fixed, TK_COLUMN_LINK_FLAGS, at)};
}

static void
put_events(struct run *run, uint32_t first, uint32_t begin, uint32_t count)
{
    struct tk_batch *to = run->copy->to;
    struct fixed fixed = {0};
    struct tk_group_attrs attrs;
    const void *array;
    if (run->code != TK_OK ||
        failed(run, tk_group_array(run->group, TK_GROUP_EVENT_BEGIN, &array, run->err)))
        return;
    const uint32_t *events = array;
    if (events[begin + count] == events[begin] ||
        failed(run, tk_group_attrs(run->group, TK_COLUMN_OF_EVENT, &attrs, run->err)))
        return;
    open_fixed(run, &fixed, TK_COLUMN_EVENT_TIME, TK_COLUMN_EVENT_OTHER, 0, 0);
    for (uint32_t i = 0; i < count && run->code == TK_OK; i++) {
        to->events[first + i].begin = to->event_count;
        for (uint32_t at = events[begin + i]; at < events[begin + i + 1] && run->code == TK_OK;
             at++)
            put_event(run, &fixed, &attrs, at, to->start_nano[first + i]);
        to->events[first + i].count = to->event_count - to->events[first + i].begin;
    }
}

static void
put_links(struct run *run, uint32_t first, uint32_t begin, uint32_t count)
{
    struct tk_batch *to = run->copy->to;
    struct fixed fixed = {0};
    struct tk_group_attrs attrs;
    const void *array;
    if (run->code != TK_OK ||
        failed(run, tk_group_array(run->group, TK_GROUP_LINK_BEGIN, &array, run->err)))
        return;
    const uint32_t *links = array;
    if (links[begin + count] == links[begin] ||
        failed(run, tk_group_attrs(run->group, TK_COLUMN_OF_LINK, &attrs, run->err)))
        return;
    open_fixed(run, &fixed, TK_COLUMN_LINK_HIGH, TK_COLUMN_LINK_OTHER, 0, 0);
    for (uint32_t i = 0; i < count && run->code == TK_OK; i++) {
        to->links[first + i].begin = to->link_count;
        for (uint32_t at = links[begin + i]; at < links[begin + i + 1] && run->code == TK_OK; at++)
            put_link(run, &fixed, &attrs, at);
        to->links[first + i].count = to->link_count - to->links[first + i].begin;
    }
}

enum tk_err
tk_row_copy_add(struct tk_row_copy *copy, struct tk_segment *segment, struct tk_group *group,
                struct tk_trace_id id, uint32_t begin, uint32_t count, struct tk_error *err)
{
    struct run run = {.copy = copy,
                      .segment = segment,
                      .group = group,
                      .schema = tk_group_schema(group),
                      .part = copy->alone && count <= tk_group_entry(group)->row_count / FEW,
                      .err = err};
    struct tk_batch_mark before = tk_batch_mark(copy->to);
    uint32_t first = copy->to->span_count;
    TK_ASSERT(copy->deep || !copy->alone); /* else texts would go on being looked at */
    tk_arena_clear(&copy->_part);
    tk_number_map_clear(&copy->_shapes);
    tk_number_map_clear(&copy->_columns);
    copy->_entry_count = 0;
    copy->_view_count = 0;
    put_rows(&run, id, begin, count);
    if (run.code == TK_OK && (copy->want == NULL || !copy->want->lean)) {
        put_texts(&run, first, begin, count);
        put_events(&run, first, begin, count);
        put_links(&run, first, begin, count);
    }
    if (run.code != TK_OK) /* resources that came keep their attributes: these stay */
        copy->to->span_count = before.span_count;
    return run.code;
}

static bool
count_member(void *arg, tk_str key, struct tk_value value)
{
    (void)key;
    (void)value;
    ++*(uint32_t *)arg;
    return true;
}

enum tk_err
tk_row_copy_count(struct tk_segment *segment, struct tk_group *group, uint32_t place,
                  uint32_t *ret_count, struct tk_error *err)
{
    struct tk_row_copy copy;
    tk_row_copy_init(&copy);
    struct run run = {.copy = &copy,
                      .segment = segment,
                      .group = group,
                      .schema = tk_group_schema(group),
                      .err = err};
    struct tk_row_view view = open_view(&run, TK_COLUMN_OTHER, 0, 0);
    *ret_count = 0;
    if (run.code == TK_OK) {
        tk_str list = text_at(&view, place);
        struct tk_value map = {.type = TK_VALUE_MAP, .len = (uint32_t)list.len};
        map.ptr = list.ptr;
        tk_value_each(map, count_member, ret_count);
    }
    tk_row_copy_release(&copy);
    return run.code;
}
