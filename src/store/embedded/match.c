/*
 * match - filters against one segment: which groups may have what (match.h).
 *
 * A test becomes probes, one for each column that can pass it; what only the index knows narrows
 * the groups, and what cannot be read does not: a damaged dictionary's texts are lost, so nothing
 * passes there, but a damaged index only costs time.
 */
#include "store/embedded/match_int.h"

#include <stdlib.h>

enum { CODES_LISTED = 64, GROUPS_LISTED = 4096 };

static enum tk_err
no_memory(struct tk_error *err)
{
    return tk_error_set(err, TK_ERR_MEMORY, "out of memory for a filter");
}

static size_t
words_of(uint64_t bits)
{
    return (size_t)((bits + 63) / 64);
}

static uint64_t *
new_bits(uint64_t bits)
{
    return calloc(words_of(bits) + 1, sizeof(uint64_t));
}

/* Groups that a probe may pass in, gathered; `all` once it is any. */
struct gather {
    struct tk_match *match;
    uint64_t *bits;
    bool all;
    struct tk_error *err;
};

/* Groups that have the column; of these such as may have a number that passes. */
static enum tk_err
add_zones(struct gather *gather, uint32_t column, const struct tk_filter *test)
{
    struct tk_match *match = gather->match;
    struct tk_cache_item *item;
    const struct tk_column *of = &match->schema->columns[column];
    if (column < TK_COLUMN_FIXED && of->zones.size == 0) {
        gather->all = true;
        return TK_OK;
    }
    enum tk_err code = tk_segment_zones(match->segment, match->schema, column, &item, gather->err);
    if (code == TK_ERR_CORRUPT) {
        gather->all = true;
        return TK_OK;
    }
    if (code != TK_OK)
        return code;
    const struct tk_zones *zones = item->value;
    bool ranged = test != NULL && zones->least != NULL;
    if (zones->all && !ranged)
        gather->all = true;
    for (uint32_t i = 0; i < zones->count && !gather->all; i++) {
        struct tk_value least = {.type = of->type}, greatest = {.type = of->type};
        if (ranged && of->type == TK_VALUE_INT) {
            least.i = (int64_t)(zones->least[i] ^ (uint64_t)1 << 63);
            greatest.i = (int64_t)(zones->greatest[i] ^ (uint64_t)1 << 63);
        } else if (ranged && of->type == TK_VALUE_DOUBLE) {
            uint64_t low = zones->least[i], high = zones->greatest[i];
            low = low >> 63 != 0 ? low ^ (uint64_t)1 << 63 : ~low;
            high = high >> 63 != 0 ? high ^ (uint64_t)1 << 63 : ~high;
            memcpy(&least.d, &low, sizeof low);
            memcpy(&greatest.d, &high, sizeof high);
        }
        bool is_number = of->type == TK_VALUE_INT || of->type == TK_VALUE_DOUBLE;
        if (!ranged || !is_number || tk_match_between(test, least, greatest))
            tk_bit_set(gather->bits, zones->all ? i : zones->group[i]);
    }
    tk_cache_release(item);
    return TK_OK;
}

/* Groups of the codes (or numbers of resources) whose bits are set. */
static enum tk_err
add_postings(struct gather *gather, uint32_t column, const uint64_t *codes, uint32_t code_count,
             uint32_t matched)
{
    struct tk_match *match = gather->match;
    const struct tk_part *part = &match->schema->columns[column].index;
    struct tk_cache_item *item;
    uint32_t groups[TK_POSTINGS_MAX], count;
    bool all = part->size == 0 || matched > CODES_LISTED;
    if (matched == 0 || gather->all)
        return TK_OK;
    if (all)
        return add_zones(gather, column, NULL);
    enum tk_err code = tk_segment_section(match->segment, part, &item, gather->err);
    if (code == TK_ERR_CORRUPT)
        return add_zones(gather, column, NULL);
    if (code != TK_OK)
        return code;
    for (uint32_t i = 0; i < code_count && !all; i++) {
        if (codes[i >> 6] == 0) {
            i |= 63;
            continue;
        }
        if (!tk_bit(codes, i))
            continue;
        code =
            tk_postings_lookup(*(const tk_str *)item->value, code_count, i, groups, &count, &all);
        all = all || code != TK_OK;
        for (uint32_t k = 0; k < count && !all; k++)
            if (groups[k] < match->segment->group_count)
                tk_bit_set(gather->bits, groups[k]);
    }
    tk_cache_release(item);
    return all ? add_zones(gather, column, NULL) : TK_OK;
}

/* Groups of a text in a plain column. */
static enum tk_err
add_indexed(struct gather *gather, uint32_t column, tk_str text)
{
    struct tk_match *match = gather->match;
    const struct tk_part *part = &match->schema->columns[column].index;
    struct tk_cache_item *item;
    struct tk_value_index_run run;
    static _Thread_local uint32_t groups[GROUPS_LISTED];
    uint32_t count;
    if (part->size == 0)
        return add_zones(gather, column, NULL);
    enum tk_err code = tk_segment_section(match->segment, part, &item, gather->err);
    if (code == TK_ERR_CORRUPT)
        return add_zones(gather, column, NULL);
    if (code != TK_OK)
        return code;
    tk_str rest = *(const tk_str *)item->value;
    uint64_t hash = tk_hash_stable(text);
    while (tk_value_index_next(&rest, &run) == TK_OK)
        tk_segment_lookup_ahead(match->segment, &run, hash);
    rest = *(const tk_str *)item->value;
    while ((code = tk_value_index_next(&rest, &run)) == TK_OK) {
        code = tk_segment_lookup(match->segment, &run, hash, groups, GROUPS_LISTED, &count,
                                 gather->err);
        if (code != TK_OK || count > GROUPS_LISTED)
            break;
        for (uint32_t i = 0; i < count; i++)
            if (groups[i] < match->segment->group_count)
                tk_bit_set(gather->bits, groups[i]);
    }
    tk_cache_release(item);
    if (code == TK_ERR_END)
        return TK_OK;
    return code == TK_OK || code == TK_ERR_CORRUPT ? add_zones(gather, column, NULL) : code;
}

static struct tk_match_probe *
add_probe(struct tk_match_node *node, uint32_t column, enum tk_column_owner owner)
{
    if (node->probe_count == node->probe_capacity) {
        uint32_t capacity = node->probe_capacity > 0 ? node->probe_capacity * 2 : 4;
        struct tk_match_probe *probe = realloc(node->probe, capacity * sizeof *probe);
        if (probe == NULL)
            return NULL;
        node->probe = probe;
        node->probe_capacity = capacity;
    }
    struct tk_match_probe *probe = &node->probe[node->probe_count++];
    *probe = (struct tk_match_probe){.column = column, .owner = owner};
    return probe;
}

/* What a number in a column of this type means. */
static struct tk_value
number_value(uint8_t type, uint64_t number)
{
    struct tk_value value = {.type = type};
    if (type == TK_VALUE_INT)
        value.i = tk_unzigzag(number);
    else if (type == TK_VALUE_BOOL)
        value.b = number != 0;
    else if (type == TK_VALUE_DOUBLE)
        memcpy(&value.d, &number, sizeof number);
    return value;
}

struct tk_value
tk_match_number(const struct tk_match *match, uint32_t column, uint64_t number)
{
    struct tk_value value = {.type = TK_VALUE_INT};
    if (column >= TK_COLUMN_FIXED)
        return number_value(match->schema->columns[column].type, number);
    if (column == TK_COLUMN_STATUS || column == TK_COLUMN_KIND)
        value.i = tk_unzigzag(number);
    else
        value.i = (int64_t)number;
    return value;
}

struct tk_value
tk_match_text(tk_str text)
{
    struct tk_value value = {.type = TK_VALUE_STRING, .len = (uint32_t)text.len};
    value.ptr = text.ptr;
    return value;
}

/* Which codes of a dictionary pass. */
static enum tk_err
find_codes(struct tk_match *match, const struct tk_filter *test, struct tk_match_probe *probe,
           struct tk_error *err)
{
    struct tk_cache_item *item;
    probe->codes = new_bits(match->schema->columns[probe->column].distinct);
    if (probe->codes == NULL)
        return no_memory(err);
    enum tk_err code =
        tk_segment_dictionary(match->segment, match->schema, probe->column, &item, err);
    if (code != TK_OK)
        return code == TK_ERR_CORRUPT ? TK_OK : code; /* damaged: none */
    const struct tk_dictionary *dictionary = item->value;
    bool is_text = dictionary->texts != NULL;
    if (is_text && test->op == TK_FILTER_EQ && test->value.type == TK_VALUE_STRING) {
        if (tk_dictionary_find_text(dictionary, tk_value_str(test->value), &probe->code)) {
            tk_bit_set(probe->codes, probe->code);
            probe->matched = 1;
        }
    } else {
        for (uint32_t i = 0; i < dictionary->count; i++) {
            struct tk_value value =
                is_text ? tk_match_text(dictionary->texts[i])
                        : tk_match_number(match, probe->column, dictionary->numbers[i]);
            if (!tk_match_value(test, value))
                continue;
            tk_bit_set(probe->codes, i);
            probe->code = i;
            probe->matched++;
        }
    }
    tk_cache_release(item);
    return TK_OK;
}

/* Could any value of the type pass? */
static bool
type_fits(const struct tk_filter *test, uint8_t type)
{
    if (test->op == TK_FILTER_EXISTS)
        return true;
    switch (type) {
    case TK_VALUE_STRING:
        return test->op == TK_FILTER_MATCHES || test->value.type == TK_VALUE_STRING;
    case TK_VALUE_BOOL:
        return test->op != TK_FILTER_MATCHES && test->value.type == TK_VALUE_BOOL;
    case TK_VALUE_INT:
    case TK_VALUE_DOUBLE:
        return test->op != TK_FILTER_MATCHES &&
               (test->value.type == TK_VALUE_INT || test->value.type == TK_VALUE_DOUBLE);
    default:
        return true;
    }
}

/* A test of column `column`; *gather gets the groups. */
static enum tk_err
probe_column(struct gather *gather, struct tk_match_node *node, uint32_t column,
             enum tk_column_owner owner)
{
    struct tk_match *match = gather->match;
    const struct tk_filter *test = node->filter;
    const struct tk_column *of = &match->schema->columns[column];
    bool is_fixed = column < TK_COLUMN_FIXED, is_text = tk_column_is_text(match->schema, column);
    uint8_t type = !is_fixed ? of->type : is_text ? TK_VALUE_STRING : TK_VALUE_INT;
    if (!type_fits(test, type))
        return TK_OK;
    struct tk_match_probe *probe = add_probe(node, column, owner);
    if (probe == NULL)
        return no_memory(gather->err);
    probe->any = test->op == TK_FILTER_EXISTS || (is_text && type != TK_VALUE_STRING) ||
                 type == TK_VALUE_EMPTY;
    if (probe->any)
        return add_zones(gather, column, NULL);
    if (of->kind == TK_COLUMN_DICTIONARY) {
        enum tk_err code = find_codes(match, test, probe, gather->err);
        if (code != TK_OK)
            return code;
        return add_postings(gather, column, probe->codes, of->distinct, probe->matched);
    }
    if (is_text && test->op == TK_FILTER_EQ)
        return add_indexed(gather, column, tk_value_str(test->value));
    return add_zones(gather, column, test);
}

/* Attributes that lie in no column of their own. */
static enum tk_err
probe_other(struct gather *gather, struct tk_match_node *node, uint32_t column,
            enum tk_column_owner owner)
{
    if (gather->match->schema->columns[column].value_count == 0)
        return TK_OK;
    struct tk_match_probe *probe = add_probe(node, column, owner);
    if (probe == NULL)
        return no_memory(gather->err);
    probe->other = true;
    return add_zones(gather, column, NULL);
}

/* Resources (scopes) that pass, and the groups that have one. */
static enum tk_err
probe_messages(struct gather *gather, struct tk_match_node *node, enum tk_message what)
{
    struct tk_match *match = gather->match;
    uint32_t count = 0, matched = 0;
    enum tk_err code = tk_segment_message_count(match->segment, what, &count, gather->err);
    uint64_t *bits = new_bits(count);
    *(what == TK_MESSAGE_RESOURCE ? &node->resources : &node->scopes) = bits;
    if (bits == NULL)
        return no_memory(gather->err);
    for (uint32_t first = 0; first < count && code == TK_OK; first += TK_RESOURCE_PAGE) {
        struct tk_cache_item *item;
        code =
            tk_segment_decoded(match->segment, what, first / TK_RESOURCE_PAGE, &item, gather->err);
        if (code == TK_OK) {
            if (what == TK_MESSAGE_RESOURCE)
                tk_match_resources(node->filter, item->value, bits, first);
            else
                tk_match_scopes(node->filter, item->value, bits, first);
            tk_cache_release(item);
        } else if (code == TK_ERR_CORRUPT) {
            code = TK_OK; /* lost */
        }
    }
    if (code != TK_OK)
        return code == TK_ERR_CORRUPT ? TK_OK : code;
    for (size_t i = 0; i < words_of(count); i++)
        matched += (uint32_t)__builtin_popcountll(bits[i]);
    uint32_t column = what == TK_MESSAGE_RESOURCE ? TK_COLUMN_RESOURCE : TK_COLUMN_SCOPE;
    if (matched == count && count > 0)
        gather->all = true;
    return add_postings(gather, column, bits, count, matched);
}

static enum tk_err
probe_attribute(struct gather *gather, struct tk_match_node *node)
{
    static const struct {
        unsigned bit;
        enum tk_column_owner owner;
        uint32_t other;
    } owners[] = {{TK_OWNER_SPAN, TK_COLUMN_OF_SPAN, TK_COLUMN_OTHER},
                  {TK_OWNER_EVENT, TK_COLUMN_OF_EVENT, TK_COLUMN_EVENT_OTHER},
                  {TK_OWNER_LINK, TK_COLUMN_OF_LINK, TK_COLUMN_LINK_OTHER}};
    const struct tk_schema_view *schema = gather->match->schema;
    enum tk_err code = TK_OK;
    for (size_t o = 0; o < 3 && code == TK_OK; o++) {
        if ((node->filter->owners & owners[o].bit) == 0)
            continue;
        code = probe_other(gather, node, owners[o].other, owners[o].owner);
        for (uint32_t c = TK_COLUMN_FIXED; c < schema->column_count && code == TK_OK; c++)
            if (schema->columns[c].owner == owners[o].owner &&
                tk_str_eq(schema->columns[c].key, node->filter->key))
                code = probe_column(gather, node, c, owners[o].owner);
    }
    if (code == TK_OK && (node->filter->owners & TK_OWNER_RESOURCE) != 0)
        code = probe_messages(gather, node, TK_MESSAGE_RESOURCE);
    if (code == TK_OK && (node->filter->owners & TK_OWNER_SCOPE) != 0)
        code = probe_messages(gather, node, TK_MESSAGE_SCOPE);
    return code;
}

/* Spans' durations have no zones: the group index knows the greatest. */
static enum tk_err
probe_duration(struct gather *gather, struct tk_match_node *node)
{
    if (!type_fits(node->filter, TK_VALUE_INT))
        return TK_OK;
    if (add_probe(node, TK_COLUMN_DURATION, TK_COLUMN_OF_SPAN) == NULL)
        return no_memory(gather->err);
    const struct tk_segment *segment = gather->match->segment;
    for (uint32_t i = 0; i < segment->group_count; i++) {
        struct tk_value least = {.type = TK_VALUE_INT}, greatest = {.type = TK_VALUE_INT};
        greatest.i = (int64_t)segment->groups[i].duration_max;
        if (tk_match_between(node->filter, least, greatest))
            tk_bit_set(gather->bits, i);
    }
    return TK_OK;
}

static enum tk_err
probe_test(struct gather *gather, struct tk_match_node *node)
{
    const struct tk_filter *test = node->filter;
    if (test->field != TK_FIELD_ATTRIBUTE && test->op == TK_FILTER_EXISTS) {
        node->always = true;
        gather->all = true;
        return TK_OK;
    }
    switch (test->field) {
    case TK_FIELD_ATTRIBUTE:
        return probe_attribute(gather, node);
    case TK_FIELD_NAME:
        return probe_column(gather, node, TK_COLUMN_NAME, TK_COLUMN_OF_SPAN);
    case TK_FIELD_STATUS_MESSAGE:
        return probe_column(gather, node, TK_COLUMN_STATUS_MESSAGE, TK_COLUMN_OF_SPAN);
    case TK_FIELD_EVENT_NAME:
        return probe_column(gather, node, TK_COLUMN_EVENT_NAME, TK_COLUMN_OF_EVENT);
    case TK_FIELD_SCOPE_NAME:
    case TK_FIELD_SCOPE_VERSION:
        return probe_messages(gather, node, TK_MESSAGE_SCOPE);
    case TK_FIELD_STATUS:
        return probe_column(gather, node, TK_COLUMN_STATUS, TK_COLUMN_OF_SPAN);
    case TK_FIELD_KIND:
        return probe_column(gather, node, TK_COLUMN_KIND, TK_COLUMN_OF_SPAN);
    case TK_FIELD_DURATION:
        return probe_duration(gather, node);
    }
    return TK_OK;
}

static enum tk_err
compile_test(struct tk_match *match, struct tk_match_node *node, struct tk_error *err)
{
    struct gather gather = {.match = match, .err = err};
    gather.bits = new_bits(match->segment->group_count);
    if (gather.bits == NULL)
        return no_memory(err);
    enum tk_err code = probe_test(&gather, node);
    if (gather.all || code != TK_OK)
        free(gather.bits);
    else
        node->groups = gather.bits;
    return code;
}

/* The groups of ALL or ANY out of those of the children. */
static enum tk_err
combine(struct tk_match *match, struct tk_match_node *node, struct tk_error *err)
{
    bool all = node->filter->type == TK_FILTER_ALL;
    size_t words = words_of(match->segment->group_count);
    uint64_t *bits = new_bits(match->segment->group_count);
    if (bits == NULL)
        return no_memory(err);
    bool any_group = all; /* bits mean nothing: every group */
    for (uint32_t at = node->child; at != 0; at = match->nodes[at].next) {
        const uint64_t *of = match->nodes[at].groups;
        if (of == NULL) {
            any_group = all ? any_group : true;
            continue;
        }
        for (size_t i = 0; i < words; i++)
            bits[i] = !all ? bits[i] | of[i] : any_group ? of[i] : bits[i] & of[i];
        any_group = all ? false : any_group;
    }
    if (any_group)
        free(bits);
    else
        node->groups = bits;
    return TK_OK;
}

static enum tk_err
compile(struct tk_match *match, const struct tk_filter *filter, uint32_t *ret_node,
        struct tk_error *err)
{
    if (match->node_count == match->node_capacity) {
        uint32_t capacity = match->node_capacity * 2 + 8;
        struct tk_match_node *nodes = realloc(match->nodes, capacity * sizeof *nodes);
        if (nodes == NULL)
            return no_memory(err);
        match->nodes = nodes;
        match->node_capacity = capacity;
    }
    if (match->node_count == 0)
        match->nodes[match->node_count++] = (struct tk_match_node){0};
    uint32_t number = match->node_count;
    if (number == match->node_capacity)
        return no_memory(err);
    match->node_count++;
    match->nodes[number] = (struct tk_match_node){.filter = filter};
    *ret_node = number;
    if (filter->type == TK_FILTER_TEST)
        return compile_test(match, &match->nodes[number], err);
    uint32_t last = 0, made;
    for (const struct tk_filter *child = filter->child; child != NULL; child = child->next) {
        enum tk_err code = compile(match, child, &made, err);
        if (code != TK_OK)
            return code;
        *(last == 0 ? &match->nodes[number].child : &match->nodes[last].next) = made;
        last = made;
    }
    return combine(match, &match->nodes[number], err);
}

enum tk_err
tk_match_open(struct tk_segment *segment, struct tk_filters filters, struct tk_match **ret_match,
              struct tk_error *err)
{
    struct tk_match *match = calloc(1, sizeof *match);
    if (match == NULL)
        return no_memory(err);
    match->segment = segment;
    match->filters = filters;
    match->group = UINT32_MAX;
    enum tk_err code = tk_segment_schema(segment, &match->schema_item, err);
    if (code == TK_OK)
        match->schema = match->schema_item->value;
    for (uint32_t i = 0; i < filters.count && code == TK_OK; i++)
        code = compile(match, filters.filter[i], &match->roots[i], err);
    if (code != TK_OK)
        tk_match_close(match);
    else
        *ret_match = match;
    return code;
}

void
tk_match_close(struct tk_match *match)
{
    if (match == NULL)
        return;
    for (uint32_t i = 0; i < match->node_count; i++) {
        struct tk_match_node *node = &match->nodes[i];
        for (uint32_t k = 0; k < node->probe_count; k++) {
            free(node->probe[k].codes);
            free(node->probe[k].shapes);
        }
        free(node->probe);
        free(node->groups);
        free(node->resources);
        free(node->scopes);
    }
    free(match->nodes);
    tk_cache_release(match->schema_item);
    free(match);
}

const uint64_t *
tk_match_groups(const struct tk_match *match, uint32_t number)
{
    return match->nodes[match->roots[number]].groups;
}
