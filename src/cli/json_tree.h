#ifndef TK_CLI_JSON_TREE_H
#define TK_CLI_JSON_TREE_H
/*
 * json_tree - a server's JSON answer as a tree, for commands that print a few members of it.
 * Everything lives in the arena.  Looking up what is not there gives an empty value, so that
 * lookups can be chained.
 */
#include "base/json.h"

struct tk_json_node {
    enum tk_json_type type; /* OBJECT, ARRAY, STRING, NUMBER, TRUE, FALSE, NULL */
    tk_str key;             /* in an object */
    tk_str text;            /* STRING, NUMBER */
    struct tk_json_node *child, *next;
};

enum tk_err tk_json_tree_parse(tk_str text, struct tk_arena *arena, struct tk_json_node **ret_root,
                               struct tk_error *err) TK_MUST_USE;
const struct tk_json_node *tk_json_get(const struct tk_json_node *object, const char *key);
tk_str tk_json_get_str(const struct tk_json_node *object, const char *key);
uint64_t tk_json_get_u64(const struct tk_json_node *object, const char *key); /* or in a string */

#endif
