/*
 * traceql - the door to the query language: tells TraceQL from shorthand, and a bare trace id from
 * both.  The parser sees TraceQL only; shorthand is translated first, and an error in the
 * translation is led back to the word it came from.
 */
#include "query/lexer.h"
#include "query/names.h"

enum { SCRATCH_CHUNK = 4096 };

static tk_str
trim(tk_str text)
{
    while (text.len > 0 && tk_ql_is_space(text.ptr[0]))
        text = (tk_str){text.ptr + 1, text.len - 1};
    while (text.len > 0 && tk_ql_is_space(text.ptr[text.len - 1]))
        text.len--;
    return text;
}

static void
move_position(struct tk_query_error *error, tk_str given, tk_str translated,
              const struct tk_ql_places *places)
{
    size_t byte = 0, place = 0;
    for (size_t i = 0; i < error->position && byte < translated.len; i++) {
        byte++;
        while (byte < translated.len && ((unsigned char)translated.ptr[byte] & 0xc0) == 0x80)
            byte++;
    }
    while (place + 1 < places->count && places->place[place + 1].from <= byte)
        place++;
    error->position = 0;
    for (size_t i = 0; places->count > 0 && i < places->place[place].to; i++)
        error->position += ((unsigned char)given.ptr[i] & 0xc0) != 0x80;
}

/* `{ trace:id = "..." }` alone can be looked up instead of searched for. */
static void
note_trace_id(struct tk_query *query)
{
    const struct tk_ql_node *node = query->root;
    if (node->type != TK_QL_NODE_SPANSET || node->child == NULL || query->metrics != NULL)
        return;
    node = node->child;
    if (node->type != TK_QL_NODE_COMPARE || node->op != TK_QL_EQ)
        return;
    const struct tk_ql_operand *id = &node->child->operand, *text = &node->child->next->operand;
    query->is_trace_id = node->child->type == TK_QL_NODE_OPERAND &&
                         node->child->next->type == TK_QL_NODE_OPERAND &&
                         id->form == TK_QL_INTRINSIC && id->intrinsic == TK_QL_TRACE_ID &&
                         text->form == TK_QL_STATIC && text->type == TK_QL_STRING &&
                         tk_trace_id_parse(text->value.text, &query->trace_id);
}

/* TraceQL begins with { or (, or with a stage: `count() > 2 | ...`.  The rest is shorthand. */
static bool
is_traceql(tk_str text)
{
    size_t len = 0;
    if (text.ptr[0] == '{' || text.ptr[0] == '(')
        return true;
    while (len < text.len && tk_ql_is_word_byte(text.ptr[len]))
        len++;
    if (!tk_ql_is_stage((tk_str){text.ptr, len}))
        return false;
    while (len < text.len && tk_ql_is_space(text.ptr[len]))
        len++;
    return len < text.len && text.ptr[len] == '(';
}

static enum tk_err
parse(tk_str given, struct tk_query *query, struct tk_query_error *error)
{
    tk_str text = trim(given);
    struct tk_ql_places places = {0};
    enum tk_err result;
    if (text.len == 0) {
        query->text = TK_STR("{}");
        return tk_ql_parse(query, error);
    }
    if (is_traceql(text)) {
        /* the text from its first byte, so that positions need no moving */
        query->text = (tk_str){given.ptr, (size_t)(text.ptr + text.len - given.ptr)};
        query->parsed = query->text;
        result = tk_ql_parse(query, error);
        query->text = text;
        return result;
    }
    result = tk_ql_translate(given, query->arena, &query->text, &places, error);
    if (result != TK_OK)
        return result;
    result = tk_ql_parse(query, error);
    if (result == TK_ERR_INPUT)
        move_position(error, given, query->text, &places);
    return result;
}

enum tk_err
tk_query_parse(tk_str text, struct tk_arena *arena, struct tk_query **ret_query,
               struct tk_query_error *ret_error)
{
    *ret_error = (struct tk_query_error){.position = 0};
    if (text.len > TK_QUERY_TEXT_MAX)
        return tk_ql_fail(ret_error, text, TK_QUERY_TEXT_MAX, "a shorter query",
                          "the query is longer than %d bytes", TK_QUERY_TEXT_MAX);
    struct tk_query *query = tk_arena_zalloc(arena, 1, sizeof *query);
    if (query == NULL)
        return TK_ERR_MEMORY;
    query->arena = arena;
    tk_arena_init(&query->scratch, SCRATCH_CHUNK, TK_QUERY_MEMORY_MAX);
    tk_str copy = tk_arena_copy(arena, text); /* the query must not depend on the caller's bytes */
    if (copy.ptr == NULL)
        return TK_ERR_MEMORY;
    enum tk_err result = parse(copy, query, ret_error);
    if (result != TK_OK) {
        tk_query_release(query);
        return result;
    }
    note_trace_id(query);
    *ret_query = query;
    return TK_OK;
}

void
tk_query_release(struct tk_query *query)
{
    if (query == NULL)
        return;
    for (struct tk_ql_node *node = query->regexes; node != NULL; node = node->next_regex) {
        tk_regex_free(node->regex);
        node->regex = NULL;
    }
    tk_arena_release(&query->scratch);
}

tk_str
tk_query_text(const struct tk_query *query)
{
    return query->text;
}

bool
tk_query_trace_id(const struct tk_query *query, struct tk_trace_id *ret_id)
{
    if (query->is_trace_id)
        *ret_id = query->trace_id;
    return query->is_trace_id;
}

bool
tk_query_is_metrics(const struct tk_query *query, size_t *ret_position)
{
    size_t position = 0;
    for (size_t i = 0; query->metrics != NULL && i < query->metrics_position; i++)
        position += ((unsigned char)query->parsed.ptr[i] & 0xc0) != 0x80;
    *ret_position = position;
    return query->metrics != NULL;
}

bool
tk_query_has_fields(const struct tk_query *query)
{
    return query->root->type == TK_QL_NODE_PIPELINE;
}

void
tk_query_set_budget(struct tk_query *query, size_t memory, bool (*expired)(void *arg), void *arg)
{
    query->scratch.limit = memory;
    query->expired = expired;
    query->expired_arg = arg;
}

enum tk_query_budget
tk_query_hit(const struct tk_query *query)
{
    return query->hit;
}
