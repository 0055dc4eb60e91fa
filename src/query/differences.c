/*
 * differences - see differences.h.
 *
 * Keys and values become numbers (base/intern.h) with a counter for each side.  A span counts once
 * for a key, whatever it repeats; a key's spans without it are what is left of all.
 */
#include "query/differences.h"

#include <math.h>
#include <stdlib.h>

enum { SELECTED, REST, SIDES };

static const uint64_t SECOND_NANO = 1000000000;

struct key {
    enum tk_difference_scope scope;
    tk_str name;
    uint64_t count[SIDES];
    uint32_t value_count;
    uint64_t last_span; /* that counted for it */
};

struct value {
    uint32_t key;
    struct tk_value value;
    uint64_t count[SIDES];
};

struct count {
    const struct tk_differences_ask *ask;
    unsigned side;
    uint64_t deadline_nano; /* of this side */
    uint64_t spans;         /* seen, of both sides */
    uint64_t span_count[SIDES];
    bool full;
    bool too_many; /* different ones for the memory */
    struct tk_intern key_ids, value_ids;
    struct key keys[TK_DIFFERENCES_KEYS_MAX];
    struct value *values; /* [value_ids.count] */
    size_t value_capacity;
    bool *picked, *taken; /* [capacity]; by row: of this side; of the selected side */
    uint32_t capacity;
    struct tk_buf text;
};

static bool
is_expired(void *arg)
{
    const struct count *count = arg;
    return count->ask->env->mono_nano(count->ask->env) > count->deadline_nano;
}

/* ---- counting ---- */

static enum tk_err
is_full(struct count *count)
{
    count->too_many = true;
    return TK_ERR_LIMIT;
}

static enum tk_err
find_key(struct count *count, enum tk_difference_scope scope, tk_str name, struct key **ret_key)
{
    uint32_t number, known = count->key_ids.count;
    tk_buf_clear(&count->text);
    tk_buf_append_char(&count->text, (char)scope);
    tk_buf_append(&count->text, name);
    *ret_key = NULL;
    if (count->text.status != TK_OK)
        return count->text.status;
    if (known == TK_DIFFERENCES_KEYS_MAX) {
        if (tk_intern_find(&count->key_ids, tk_buf_str(&count->text), &number))
            *ret_key = &count->keys[number];
        return TK_OK;
    }
    enum tk_err result =
        tk_intern_copy(&count->key_ids, count->ask->arena, tk_buf_str(&count->text), &number);
    if (result != TK_OK)
        return is_full(count);
    *ret_key = &count->keys[number];
    if (number == known) {
        tk_str copied = count->key_ids.strings[number];
        (*ret_key)->scope = scope;
        (*ret_key)->name = (tk_str){copied.ptr + 1, copied.len - 1};
    }
    return TK_OK;
}

/* Key, type and value as bytes; false: a value that is not counted. */
static bool
write_value(struct tk_buf *text, uint32_t key, const struct tk_value *value)
{
    tk_buf_clear(text);
    tk_buf_append(text, (tk_str){(const char *)&key, sizeof key});
    tk_buf_append_char(text, (char)value->type);
    switch (value->type) {
    case TK_VALUE_STRING:
        tk_buf_append(text, tk_value_str(*value));
        return value->len <= TK_DIFFERENCES_TEXT_MAX;
    case TK_VALUE_BOOL:
        tk_buf_append_char(text, (char)value->b);
        return true;
    case TK_VALUE_INT:
    case TK_VALUE_DOUBLE:
        tk_buf_append(text, (tk_str){(const char *)&value->i, sizeof value->i});
        return true;
    default:
        return false;
    }
}

static enum tk_err
add_value(struct count *count, uint32_t key, struct tk_value value)
{
    enum { HEAD = sizeof key + 1 };
    if (count->value_ids.count == count->value_capacity) {
        size_t capacity = count->value_capacity * 2 + 1024;
        if (count->ask->arena->used + capacity * sizeof *count->values > count->ask->memory)
            return is_full(count);
        struct value *grown = realloc(count->values, capacity * sizeof *grown);
        if (grown == NULL)
            return TK_ERR_MEMORY;
        count->values = grown;
        count->value_capacity = capacity;
    }
    uint32_t number;
    enum tk_err result =
        tk_intern_copy(&count->value_ids, count->ask->arena, tk_buf_str(&count->text), &number);
    if (result != TK_OK)
        return is_full(count);
    if (value.type == TK_VALUE_STRING)
        value.ptr = count->value_ids.strings[number].ptr + HEAD;
    count->values[number] = (struct value){.key = key, .value = value};
    count->values[number].count[count->side] = 1;
    count->keys[key].value_count++;
    return TK_OK;
}

static enum tk_err
count_value(struct count *count, enum tk_difference_scope scope, tk_str name,
            const struct tk_value *value)
{
    struct key *key;
    uint32_t number;
    enum tk_err result = find_key(count, scope, name, &key);
    if (result != TK_OK || key == NULL || key->last_span == count->spans)
        return result;
    key->last_span = count->spans;
    key->count[count->side]++;
    uint32_t at = (uint32_t)(key - count->keys);
    if (!write_value(&count->text, at, value) || count->text.status != TK_OK)
        return count->text.status;
    if (tk_intern_find(&count->value_ids, tk_buf_str(&count->text), &number)) {
        count->values[number].count[count->side]++;
        return TK_OK;
    }
    return key->value_count < TK_DIFFERENCES_VALUES_MAX ? add_value(count, at, *value) : TK_OK;
}

static enum tk_err
count_attrs(struct count *count, enum tk_difference_scope scope, const struct tk_batch *trace,
            struct tk_range attrs)
{
    enum tk_err result = TK_OK;
    for (uint32_t i = attrs.begin; i < attrs.begin + attrs.count && result == TK_OK; i++)
        result = count_value(count, scope, trace->keys.strings[trace->attr_key[i]],
                             &trace->attr_value[i]);
    return result;
}

static enum tk_err
count_text(struct count *count, tk_str name, tk_str text)
{
    struct tk_value value = {
        .type = TK_VALUE_STRING, .len = (uint32_t)text.len, .ptr = text.len > 0 ? text.ptr : ""};
    return count_value(count, TK_DIFFERENCE_INTRINSIC, name, &value);
}

static enum tk_err
count_span(struct count *count, const struct tk_batch *trace, uint32_t row)
{
    static const char *const kinds[] = {"unspecified", "internal", "server",
                                        "client",      "producer", "consumer"};
    static const char *const statuses[] = {"unset", "ok", "error"};
    uint32_t kind = (uint32_t)trace->kind[row], status = (uint32_t)trace->status[row];
    count->spans++;
    count->span_count[count->side]++;
    enum tk_err result = count_text(count, TK_STR("name"), trace->name[row]);
    if (result == TK_OK && kind < sizeof kinds / sizeof *kinds)
        result = count_text(count, TK_STR("kind"), tk_str_from(kinds[kind]));
    if (result == TK_OK && status < sizeof statuses / sizeof *statuses)
        result = count_text(count, TK_STR("status"), tk_str_from(statuses[status]));
    if (result == TK_OK)
        result = count_attrs(count, TK_DIFFERENCE_SPAN, trace, trace->attrs[row]);
    if (result == TK_OK)
        result = count_attrs(count, TK_DIFFERENCE_RESOURCE, trace,
                             trace->resources[trace->resource[row]].attrs);
    return result;
}

/* ---- which spans ---- */

static bool
is_within(const struct tk_differences_side *side, uint64_t start_nano)
{
    return start_nano >= side->begin_nano && (side->end_nano == 0 || start_nano < side->end_nano);
}

/* The rows that a side has of a trace. */
static enum tk_err
pick(const struct tk_differences_side *side, const struct tk_batch *trace, bool *picked)
{
    bool matches;
    enum tk_err result = tk_query_select(side->query, trace, picked, &matches);
    for (uint32_t row = 0; row < trace->span_count && result == TK_OK; row++)
        picked[row] = picked[row] && is_within(side, trace->start_nano[row]);
    return result;
}

static enum tk_err
make_room(struct count *count, uint32_t rows)
{
    if (rows <= count->capacity)
        return TK_OK;
    bool *picked = realloc(count->picked, rows * sizeof *picked);
    count->picked = picked != NULL ? picked : count->picked;
    bool *taken = realloc(count->taken, rows * sizeof *taken);
    count->taken = taken != NULL ? taken : count->taken;
    if (picked == NULL || taken == NULL)
        return TK_ERR_MEMORY;
    count->capacity = rows;
    return TK_OK;
}

static enum tk_err
count_trace(void *arg, const struct tk_store_trace *found)
{
    struct count *count = arg;
    const struct tk_differences_ask *ask = count->ask;
    const struct tk_batch *trace = found->spans;
    bool of_rest = count->side == REST;
    enum tk_err result = make_room(count, trace->span_count);
    if (result == TK_OK)
        result = pick(of_rest ? &ask->rest : &ask->selected, trace, count->picked);
    if (result == TK_OK && of_rest)
        result = pick(&ask->selected, trace, count->taken);
    for (uint32_t row = 0; row < trace->span_count && result == TK_OK; row++) {
        if (!count->picked[row] || (of_rest && count->taken[row]))
            continue;
        count->full = count->span_count[count->side] == TK_DIFFERENCES_SPANS_MAX;
        result = count->full ? TK_ERR_END : count_span(count, trace, row);
    }
    return result;
}

/* The newest spans of one side, as far as its time goes. */
static enum tk_err
count_side(struct count *count, unsigned side, bool *ret_cut, struct tk_error *err)
{
    const struct tk_differences_ask *ask = count->ask;
    const struct tk_differences_side *of = side == REST ? &ask->rest : &ask->selected;
    struct tk_search search = {
        .query = of->query,
        .end_nano = of->end_nano,
        .ended_nano = of->begin_nano,
        .env = ask->env,
        .memory = ask->memory,
        .each = count_trace,
        .arg = count,
    };
    struct tk_cursor last;
    bool more;
    count->side = side;
    count->full = false;
    count->deadline_nano =
        ask->env->mono_nano(ask->env) + TK_DIFFERENCES_SECONDS * SECOND_NANO / SIDES;
    if (ask->deadline_nano != 0 && ask->deadline_nano < count->deadline_nano)
        count->deadline_nano = ask->deadline_nano;
    search.deadline_nano = count->deadline_nano;
    tk_query_set_budget(ask->selected.query, ask->memory, is_expired, count);
    tk_query_set_budget(ask->rest.query, ask->memory, is_expired, count);
    enum tk_err result = tk_search_run(ask->view, &search, &last, &more, err);
    *ret_cut = count->full || result == TK_ERR_TIMEOUT;
    return *ret_cut ? TK_OK : result; /* what was counted until then is true */
}

/* ---- scores ---- */

static double
score_of(const uint64_t have[SIDES], const uint64_t all[SIDES])
{
    double share[SIDES], variance = 0;
    for (unsigned side = 0; side < SIDES; side++) {
        double spans = (double)all[side] + 2;
        share[side] = ((double)have[side] + 1) / spans;
        variance += share[side] * (1 - share[side]) / spans;
    }
    return share[SELECTED] - share[REST] - 1.96 * sqrt(variance);
}

static void
add_difference(struct tk_differences *differences, const struct key *key, struct tk_value value,
               const uint64_t have[SIDES])
{
    double score = score_of(have, differences->span_count);
    if (score > 0)
        differences->entries[differences->count++] =
            (struct tk_difference){.scope = key->scope,
                                   .key = key->name,
                                   .value = value,
                                   .count = {have[SELECTED], have[REST]},
                                   .score = score};
}

static int
by_score(const void *a, const void *b)
{
    const struct tk_difference *x = a, *y = b;
    if (x->score != y->score)
        return x->score < y->score ? 1 : -1;
    int key = tk_str_cmp(x->key, y->key);
    return key != 0 ? key : (x->scope > y->scope) - (x->scope < y->scope);
}

static enum tk_err
list_differences(const struct count *count, struct tk_differences *differences)
{
    size_t most = (size_t)count->value_ids.count + count->key_ids.count;
    static const struct tk_value none = {.type = TK_VALUE_EMPTY};
    differences->entries =
        tk_arena_alloc(count->ask->arena, (most + 1) * sizeof *differences->entries);
    if (differences->entries == NULL)
        return TK_ERR_LIMIT;
    for (uint32_t i = 0; i < count->value_ids.count; i++)
        add_difference(differences, &count->keys[count->values[i].key], count->values[i].value,
                       count->values[i].count);
    for (uint32_t i = 0; i < count->key_ids.count; i++) {
        const struct key *key = &count->keys[i];
        uint64_t without[SIDES] = {count->span_count[SELECTED] - key->count[SELECTED],
                                   count->span_count[REST] - key->count[REST]};
        add_difference(differences, key, none, without);
    }
    if (differences->count > 1)
        qsort(differences->entries, differences->count, sizeof *differences->entries, by_score);
    return TK_OK;
}

static void
release(struct count *count)
{
    tk_intern_release(&count->key_ids);
    tk_intern_release(&count->value_ids);
    tk_buf_release(&count->text);
    free(count->values);
    free(count->picked);
    free(count->taken);
    free(count);
}

enum tk_err
tk_differences_run(const struct tk_differences_ask *ask, struct tk_differences *ret_differences,
                   struct tk_error *err)
{
    struct tk_differences differences = {.entries = NULL};
    struct count *count = calloc(1, sizeof *count);
    if (count == NULL)
        return TK_ERR_MEMORY;
    count->ask = ask;
    tk_intern_init(&count->key_ids, TK_DIFFERENCES_KEYS_MAX);
    tk_intern_init(&count->value_ids, TK_DIFFERENCES_KEYS_MAX * TK_DIFFERENCES_VALUES_MAX);
    tk_buf_init(&count->text, SIZE_MAX / 2); /* keys are of spans, which the store bounds */
    enum tk_err result = TK_OK;
    for (unsigned side = 0; side < SIDES && result == TK_OK; side++)
        result = count_side(count, side, &differences.cut[side], err);
    for (unsigned side = 0; side < SIDES; side++)
        differences.span_count[side] = count->span_count[side];
    if (result == TK_OK)
        result = list_differences(count, &differences);
    if (count->too_many)
        result = tk_error_set(err, TK_ERR_LIMIT,
                              "too many different values to count; narrow it by q or by time");
    release(count);
    if (result == TK_OK)
        *ret_differences = differences;
    return result;
}
