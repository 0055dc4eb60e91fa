/* match_json - see match_json.h. */
#include "api/match_json.h"

#include "wire/otlp.h"

void
tk_field_json(struct tk_json_writer *json, const struct tk_field *field)
{
    if (field->value.type == TK_VALUE_EMPTY)
        tk_json_null(json);
    else if (field->nano && field->value.type == TK_VALUE_INT)
        tk_json_int_string(json, field->value.i);
    else
        tk_value_json(json, field->value);
}

/* The list has the last one first. */
static void
fields_json(struct tk_json_writer *json, const struct tk_field_list *fields)
{
    size_t count = 0;
    for (const struct tk_field_list *one = fields; one != NULL; one = one->next)
        count++;
    tk_json_object(json);
    for (; count > 0; count--) {
        const struct tk_field_list *one = fields;
        for (size_t i = 1; i < count; i++)
            one = one->next;
        tk_json_key(json, one->field.name);
        tk_field_json(json, &one->field);
    }
    tk_json_object_end(json);
}

static void
span_json(struct tk_json_writer *json, struct tk_query *query, const struct tk_batch *t,
          uint32_t row)
{
    char id[TK_SPAN_ID_HEX + 1];
    tk_span_id_format(t->span_id[row], id);
    tk_json_object(json);
    tk_json_key(json, TK_STR("spanId"));
    tk_json_string(json, tk_str_from(id));
    tk_json_key(json, TK_STR("name"));
    tk_json_string(json, t->name[row]);
    tk_json_key(json, TK_STR("serviceName"));
    tk_json_string(json, tk_batch_service(t, row));
    tk_json_key(json, TK_STR("startTimeUnixNano"));
    tk_json_uint_string(json, t->start_nano[row]);
    tk_json_key(json, TK_STR("durationNano"));
    tk_json_uint_string(json, t->end_nano[row] - t->start_nano[row]);
    tk_json_key(json, TK_STR("attributes"));
    fields_json(json, tk_query_shown(query, t, row));
    tk_json_object_end(json);
}

static void
spans_json(struct tk_json_writer *json, struct tk_query *query, const struct tk_batch *t,
           const struct tk_query_groups *groups, uint32_t group)
{
    uint64_t count = 0;
    tk_json_key(json, TK_STR("spans"));
    tk_json_array(json);
    for (uint32_t row = 0; row < t->span_count; row++) {
        if (groups->of[row] == group && count++ < TK_MATCH_SPANS_MAX)
            span_json(json, query, t, row);
    }
    tk_json_array_end(json);
    tk_json_key(json, TK_STR("matched"));
    tk_json_uint(json, count);
}

enum tk_err
tk_match_json(struct tk_json_writer *json, struct tk_query *query, const struct tk_batch *trace)
{
    struct tk_query_groups groups;
    if (!tk_query_has_fields(query))
        return TK_OK;
    enum tk_err result = tk_query_group(query, trace, &groups);
    if (result != TK_OK)
        return result;
    tk_json_key(json, TK_STR("spanSets"));
    tk_json_array(json);
    for (uint32_t group = 0; group < groups.count && group < TK_MATCH_SETS_MAX; group++) {
        tk_json_object(json);
        tk_json_key(json, TK_STR("values"));
        fields_json(json, groups.fields[group]);
        spans_json(json, query, trace, &groups, group);
        tk_json_object_end(json);
    }
    tk_json_array_end(json);
    if (groups.count > TK_MATCH_SETS_MAX) {
        tk_json_key(json, TK_STR("spanSetCount"));
        tk_json_uint(json, groups.count);
    }
    return TK_OK;
}
