/* json_tree - see json_tree.h. */
#include "cli/json_tree.h"

static const struct tk_json_node nothing = {.type = TK_JSON_NULL};

struct builder {
    struct tk_json_node **tail[TK_JSON_DEPTH_MAX + 1]; /* where the next child goes */
    size_t depth;
};

enum tk_err
tk_json_tree_parse(tk_str text, struct tk_arena *arena, struct tk_json_node **ret_root,
                   struct tk_error *err)
{
    struct tk_json_node *root = NULL;
    struct builder *builder = tk_arena_zalloc(arena, 1, sizeof *builder);
    struct tk_json_reader reader;
    tk_str key = TK_STR_NONE;
    if (builder == NULL)
        return TK_ERR_MEMORY;
    builder->tail[0] = &root;
    tk_json_reader_init(&reader, text, arena);
    for (;;) {
        struct tk_json_token token;
        enum tk_err result = tk_json_next(&reader, &token, err);
        if (result != TK_OK)
            return result;
        if (token.type == TK_JSON_DONE)
            break;
        if (token.type == TK_JSON_KEY) {
            key = token.text;
            continue;
        }
        if (token.type == TK_JSON_OBJECT_END || token.type == TK_JSON_ARRAY_END) {
            builder->depth--;
            continue;
        }
        struct tk_json_node *node = tk_arena_zalloc(arena, 1, sizeof *node);
        if (node == NULL)
            return TK_ERR_MEMORY;
        *node = (struct tk_json_node){.type = token.type, .key = key, .text = token.text};
        key = TK_STR_NONE;
        *builder->tail[builder->depth] = node;
        builder->tail[builder->depth] = &node->next;
        if (token.type == TK_JSON_OBJECT || token.type == TK_JSON_ARRAY)
            builder->tail[++builder->depth] = &node->child;
    }
    *ret_root = root;
    return TK_OK;
}

const struct tk_json_node *
tk_json_get(const struct tk_json_node *object, const char *key)
{
    for (const struct tk_json_node *node = object->child; node != NULL; node = node->next)
        if (tk_str_eq(node->key, tk_str_from(key)))
            return node;
    return &nothing;
}

tk_str
tk_json_get_str(const struct tk_json_node *object, const char *key)
{
    return tk_json_get(object, key)->text;
}

uint64_t
tk_json_get_u64(const struct tk_json_node *object, const char *key)
{
    uint64_t value = 0;
    return tk_str_to_u64(tk_json_get_str(object, key), &value) ? value : 0;
}
