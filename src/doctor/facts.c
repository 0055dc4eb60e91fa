/*
 * facts - a file, parsed by its grammar and asked its language's queries.
 *
 * Of each match of a query the capture that is not `name`, `value` or `_something` names the fact's
 * kind.  Beside tree-sitter's predicates (#eq?, #not-eq?, #match?, #not-match?, #any-of?), which
 * its library leaves to us, there are #proprietary? (a header's name) and `#set! needs TEXT`: the
 * fact holds only in a file with that text; `#set! unless TEXT`: only in one without it.
 *
 * Values are followed in two steps: first all facts, constants among them, then what the values
 * hold; so a constant may stand below its use.
 */
#include "doctor/private.h"

#include <stdio.h>

enum {
    NESTING_MAX = 48, /* of an expression, and of constants that name constants */
    RECENT = 32,
    ITEMS_MAX = 256,        /* of one value */
    FOLLOWED_MAX = 1 << 20, /* nodes of the values of one file */
    PARSE_MICROS = 2 * 1000 * 1000,
};

/* Old formats, and vendors' own: others cannot continue such a trace. */
static const char proprietary[] =
    "(?i)^(x-b3-(traceid|spanid|parentspanid|sampled|flags)|b3|uber-trace-id|"
    "x-(datadog|ddtrace)-(trace|parent)-id|sentry-trace|x-cloud-trace-context|x-amzn-trace-id|"
    "newrelic|x-instana-[ts]|x-(tracekit-)?(trace|span|parent)-?id|x-tracekit-(trace|span)[a-z-]*)"
    "$";

static const char environment[] =
    "process\\.env|import\\.meta\\.env|os\\.environ|[gG]etenv|LookupEnv|\\bENV\\b|\\benv\\(|"
    "Environment\\.GetEnvironmentVariable|System\\.getenv|\\$_ENV|\\$_SERVER|[cC]onfiguration\\[|"
    "useRuntimeConfig|\\bconfig\\(|environ\\.get|decouple|Deno\\.env|\\bRails\\.application\\.";

#define TOO_DEEP "it nests deeper than the doctor looks"

struct context {
    struct doctor *doctor;
    struct file *file;
    TSQuery *query;
    struct pending *pending; /* values to be followed */
    const struct fact *recent[RECENT];
    size_t fact_count;
    uint32_t followed; /* nodes, until FOLLOWED_MAX */
};

struct pending {
    struct pending *next;
    struct fact *fact;
    TSNode node;
};

static void follow(struct context *context, struct value *value, TSNode node, unsigned depth,
                   bool in_call);

uint32_t
tk_doctor_line(tk_str text, size_t offset)
{
    uint32_t line = 1;
    for (size_t i = 0; i < offset && i < text.len; i++)
        line += text.ptr[i] == '\n';
    return line;
}

bool
tk_doctor_is_proprietary(tk_str header)
{
    return tk_doctor_matches(TK_STR(proprietary), header);
}

struct fact *
tk_doctor_fact(struct doctor *doctor, struct file *file, const char *kind, uint32_t line)
{
    struct fact *fact = tk_doctor_new(doctor, sizeof *fact);
    if (fact == NULL)
        return NULL;
    fact->kind = kind;
    fact->file = file;
    fact->line = line;
    *file->facts_end = fact;
    file->facts_end = &fact->next;
    return fact;
}

/* ---- values ------------------------------------------------------------------------------------
 */

static tk_str
text_of(const struct context *context, TSNode node)
{
    uint32_t start = ts_node_start_byte(node), end = ts_node_end_byte(node);
    return (tk_str){context->file->text.ptr + start, end - start};
}

static bool
is_one_of(const char *type, const char *const *names)
{
    for (; *names != NULL; names++)
        if (strcmp(type, *names) == 0)
            return true;
    return false;
}

static bool
is_string(const char *type)
{
    static const char *const types[] = {
        "string",
        "template_string",
        "interpreted_string_literal",
        "string_literal",
        "raw_string_literal",
        "verbatim_string_literal",
        "encapsed_string",
        "interpolated_string_expression",
        "plain_scalar",
        "double_quote_scalar",
        "single_quote_scalar",
        "quoted_key",
        "bare_string",
        "heredoc",
        "raw_string_literal",
        NULL,
    };
    return is_one_of(type, types);
}

static bool
is_word(const char *type)
{
    static const char *const types[] = {
        "number",  "integer",         "int_literal",     "decimal_integer_literal",
        "true",    "integer_literal", "false",           "boolean_literal",
        "boolean", "simple_symbol",   "hash_key_symbol", NULL,
    };
    return is_one_of(type, types);
}

static bool
is_name(const char *type)
{
    static const char *const types[] = {
        "identifier", "shorthand_property_identifier", "variable_name", "constant", "name", NULL,
    };
    return is_one_of(type, types);
}

static bool
is_call(const char *type)
{
    static const char *const types[] = {
        "call_expression",
        "call",
        "method_invocation",
        "function_call_expression",
        "scoped_call_expression",
        "member_call_expression",
        "invocation_expression",
        "new_expression",
        "object_creation_expression",
        NULL,
    };
    return is_one_of(type, types);
}

/* What a framework allows anyway, in a list that adds to it. */
static bool
is_default(tk_str text)
{
    return tk_doctor_matches(TK_STR("(?i)allow(ed)?_?headers$|default"), text);
}

/* Parts of something: what it holds is known when it runs. */
static bool
is_access(const char *type)
{
    static const char *const types[] = {
        "member_expression",
        "selector_expression",
        "attribute",
        "field_access",
        "scope_resolution",
        "member_access_expression",
        "subscript",
        "subscript_expression",
        "element_access_expression",
        "element_reference",
        "index_expression",
        "class_constant_access_expression",
        NULL,
    };
    return is_one_of(type, types);
}

static bool
is_function(const char *type)
{
    return strstr(type, "function") != NULL || strstr(type, "lambda") != NULL ||
           strcmp(type, "func_literal") == 0 || strcmp(type, "block") == 0 ||
           strcmp(type, "do_block") == 0;
}

static struct item *
add_item(struct context *context, struct value *value, enum item_kind kind, TSNode node,
         tk_str text, bool in_call)
{
    struct item **end = &value->items;
    unsigned count = 0;
    for (; *end != NULL; end = &(*end)->next)
        if (++count >= ITEMS_MAX)
            return NULL;
    struct item *item = tk_doctor_new(context->doctor, sizeof *item);
    if (item == NULL)
        return NULL;
    item->kind = kind;
    item->text = text;
    item->line = ts_node_start_point(node).row + 1;
    item->start = ts_node_start_byte(node);
    item->end = ts_node_end_byte(node);
    item->in_call = in_call;
    *end = item;
    return item;
}

/* 'x', "x", `x`, """x""", f"x", @"x", x: without what stands around it. */
static tk_str
unquoted(tk_str text)
{
    size_t prefix = 0;
    while (prefix < text.len && prefix < 3 && memchr("rRbBfFuU@$L", text.ptr[prefix], 11) != NULL)
        prefix++;
    if (prefix == text.len || memchr("'\"`", text.ptr[prefix], 3) == NULL)
        return text; /* a plain scalar */
    text = (tk_str){text.ptr + prefix, text.len - prefix};
    size_t quotes =
        text.len >= 6 && text.ptr[1] == text.ptr[0] && text.ptr[2] == text.ptr[0] ? 3 : 1;
    if (text.len < 2 * quotes)
        return TK_STR_NONE;
    return (tk_str){text.ptr + quotes, text.len - 2 * quotes};
}

static struct fact *
constant(const struct context *context, tk_str name)
{
    for (struct fact *fact = context->file->constants; fact != NULL; fact = fact->next)
        if (tk_str_eq(fact->name, name))
            return fact;
    return NULL;
}

static TSNode
value_node(const struct context *context, const struct fact *fact)
{
    for (const struct pending *at = context->pending; at != NULL; at = at->next)
        if (at->fact == fact)
            return at->node;
    return (TSNode){0};
}

/* Follows the name of a constant of this file; false when there is none. */
static bool
follow_name(struct context *context, struct value *value, tk_str name, unsigned depth, bool in_call)
{
    const struct fact *found = constant(context, name);
    if (found == NULL || depth + 8 >= NESTING_MAX)
        return false;
    TSNode node = value_node(context, found);
    if (ts_node_is_null(node))
        return false;
    follow(context, value, node, depth + 8, in_call);
    return true;
}

static TSNode
interpolation_of(TSNode node)
{
    for (uint32_t i = 0; i < ts_node_named_child_count(node); i++) {
        TSNode child = ts_node_named_child(node, i);
        const char *type = ts_node_type(child);
        if (strcmp(type, "template_substitution") == 0 || strcmp(type, "interpolation") == 0 ||
            strcmp(type, "variable_name") == 0)
            return child;
    }
    return (TSNode){0};
}

/* "a" is known; `a${b}` begins with a; `${A}/b` is what A is, and then /b. */
static void
follow_string(struct context *context, struct value *value, TSNode node, unsigned depth,
              bool in_call)
{
    tk_str all = text_of(context, node), inside = unquoted(all);
    TSNode part = interpolation_of(node);
    if (ts_node_is_null(part)) {
        (void)add_item(context, value, ITEM_TEXT, node, inside, in_call);
        return;
    }
    size_t known = (size_t)(context->file->text.ptr + ts_node_start_byte(part) - inside.ptr);
    if (known > 0) {
        (void)add_item(context, value, ITEM_UNKNOWN, node, (tk_str){inside.ptr, known}, in_call);
        return;
    }
    TSNode name = part;
    while (ts_node_named_child_count(name) > 0 && !is_name(ts_node_type(name)))
        name = ts_node_named_child(name, 0);
    struct value first = {0};
    if (is_name(ts_node_type(name)) && ts_node_end_byte(name) <= ts_node_end_byte(part))
        (void)follow_name(context, &first, text_of(context, name), depth, in_call);
    value->reads_env = value->reads_env || first.reads_env;
    size_t behind = ts_node_end_byte(part) - ts_node_start_byte(part);
    if (behind > inside.len) /* its closing quote is missing */
        behind = inside.len;
    tk_str rest = {inside.ptr + behind, inside.len - behind};
    struct item *begin = first.items;
    while (begin != NULL && begin->next != NULL) /* process.env.X || 'http://...': the last one */
        begin = begin->next;
    if (begin == NULL || begin->kind != ITEM_TEXT) {
        (void)add_item(context, value, ITEM_UNKNOWN, node, TK_STR_NONE, in_call);
        return;
    }
    tk_str whole = tk_arena_printf(context->doctor->arena, "%.*s%.*s", TK_STR_ARG(begin->text),
                                   TK_STR_ARG(rest));
    bool more = memchr(rest.ptr, '{', rest.len) != NULL;
    (void)add_item(context, value, more || first.reads_env ? ITEM_UNKNOWN : ITEM_TEXT, node, whole,
                   in_call);
}

static void
follow_children(struct context *context, struct value *value, TSNode node, unsigned depth,
                bool in_call)
{
    uint32_t count = ts_node_named_child_count(node);
    for (uint32_t i = 0; i < count && i < ITEMS_MAX; i++)
        follow(context, value, ts_node_named_child(node, i), depth + 1, in_call);
}

static void
follow_call(struct context *context, struct value *value, TSNode node, unsigned depth)
{
    TSNode arguments = ts_node_child_by_field_name(node, "arguments", 9);
    TSNode callee = node;
    tk_str text = text_of(context, node);
    if (!ts_node_is_null(arguments))
        text.len = ts_node_start_byte(arguments) - ts_node_start_byte(callee) + 1;
    bool env = text.len < 256 && tk_doctor_matches(TK_STR(environment), text);
    value->reads_env = value->reads_env || env;
    if (ts_node_is_null(arguments))
        return;
    uint32_t count = ts_node_named_child_count(arguments);
    for (uint32_t i = env ? 1 : 0; i < count && i < ITEMS_MAX; i++) /* not the variable's name */
        follow(context, value, ts_node_named_child(arguments, i), depth + 1, !env);
}

static void
follow(struct context *context, struct value *value, TSNode node, unsigned depth, bool in_call)
{
    const char *type = ts_node_type(node);
    if (depth > NESTING_MAX || !ts_node_is_named(node) || strcmp(type, "comment") == 0 ||
        context->followed == FOLLOWED_MAX)
        return;
    context->followed++;
    if (is_string(type)) {
        follow_string(context, value, node, depth, in_call);
    } else if (strcmp(type, "regex") == 0) {
        TSNode pattern = ts_node_child_by_field_name(node, "pattern", 7);
        if (!ts_node_is_null(pattern))
            (void)add_item(context, value, ITEM_REGEX, node, text_of(context, pattern), in_call);
    } else if (is_word(type)) {
        (void)add_item(context, value, ITEM_WORD, node, text_of(context, node), in_call);
    } else if (is_call(type)) {
        follow_call(context, value, node, depth);
    } else if (is_access(type)) {
        if (tk_doctor_matches(TK_STR(environment), text_of(context, node)))
            value->reads_env = true;
        else if (!is_default(text_of(context, node)))
            (void)add_item(context, value, ITEM_UNKNOWN, node, TK_STR_NONE, in_call);
    } else if (is_name(type)) {
        tk_str name = text_of(context, node);
        if (!follow_name(context, value, name, depth, in_call) && !is_default(name))
            (void)add_item(context, value, ITEM_UNKNOWN, node, TK_STR_NONE, in_call);
    } else if (is_function(type)) {
        (void)add_item(context, value, ITEM_UNKNOWN, node, TK_STR_NONE, in_call);
    } else {
        follow_children(context, value, node, depth, in_call);
    }
}

/* ---- queries -----------------------------------------------------------------------------------
 */

static tk_str
capture_text(const struct context *context, const TSQueryMatch *match, uint32_t index)
{
    for (uint16_t i = 0; i < match->capture_count; i++)
        if (match->captures[i].index == index)
            return text_of(context, match->captures[i].node);
    return TK_STR_NONE;
}

static tk_str
query_string(const TSQuery *query, uint32_t id)
{
    uint32_t len;
    const char *text = ts_query_string_value_for_id(query, id, &len);
    return (tk_str){text, len};
}

static bool
has_text(const struct file *file, tk_str text)
{
    return memmem(file->text.ptr, file->text.len, text.ptr, text.len) != NULL;
}

/* One predicate; steps[0] is its name, steps[count] its end. */
static bool
holds(const struct context *context, const TSQueryMatch *match, const TSQueryPredicateStep *steps,
      uint32_t count, struct fact *fact)
{
    tk_str name = query_string(context->query, steps[0].value_id);
    if (tk_str_eq(name, TK_STR("set!"))) {
        tk_str key = query_string(context->query, steps[1].value_id);
        tk_str value = query_string(context->query, steps[2].value_id);
        if (tk_str_eq(key, TK_STR("framework")))
            fact->framework = value.ptr;
        else if (tk_str_eq(key, TK_STR("cure")))
            fact->cure = value.ptr;
        else if (tk_str_eq(key, TK_STR("headers")))
            fact->headers = value.ptr;
        else if (tk_str_eq(key, TK_STR("needs")))
            return has_text(context->file, value);
        else if (tk_str_eq(key, TK_STR("unless")))
            return !has_text(context->file, value);
        return true;
    }
    tk_str subject = capture_text(context, match, steps[1].value_id);
    if (tk_str_eq(name, TK_STR("proprietary?")))
        return tk_doctor_is_proprietary(unquoted(subject));
    bool positive = !tk_str_starts_with(name, TK_STR("not-"));
    bool by_pattern = tk_str_ends_with(name, TK_STR("match?")), found = false;
    for (uint32_t i = 2; i < count && !found; i++) {
        tk_str other = steps[i].type == TSQueryPredicateStepTypeString
                           ? query_string(context->query, steps[i].value_id)
                           : capture_text(context, match, steps[i].value_id);
        found = by_pattern ? tk_doctor_matches(other, subject) : tk_str_eq(other, subject);
    }
    return found == positive;
}

static bool
all_hold(const struct context *context, const TSQueryMatch *match, struct fact *fact)
{
    uint32_t count;
    const TSQueryPredicateStep *steps =
        ts_query_predicates_for_pattern(context->query, match->pattern_index, &count);
    for (uint32_t begin = 0, i = 0; i < count; i++) {
        if (steps[i].type != TSQueryPredicateStepTypeDone)
            continue;
        if (!holds(context, match, steps + begin, i - begin, fact))
            return false;
        begin = i + 1;
    }
    return true;
}

/* The same thing found by two patterns, or by one in two ways: matches of one place come soon after
   each other. */
static bool
is_known(const struct context *context, const struct fact *new)
{
    for (size_t i = 0; i < RECENT; i++) {
        const struct fact *fact = context->recent[i];
        if (fact != NULL && fact->start == new->start && fact->kind == new->kind &&
            fact->name.ptr == new->name.ptr)
            return true;
    }
    return false;
}

static void
note_match(struct context *context, const TSQueryMatch *match)
{
    struct fact found = {.file = context->file};
    TSNode value = {0};
    for (uint16_t i = 0; i < match->capture_count; i++) {
        uint32_t len;
        TSNode node = match->captures[i].node;
        const char *name =
            ts_query_capture_name_for_id(context->query, match->captures[i].index, &len);
        if (strcmp(name, "name") == 0) {
            found.name = text_of(context, node);
            if (is_string(ts_node_type(node)))
                found.name = unquoted(found.name);
        } else if (strcmp(name, "value") == 0) {
            value = node;
        } else if (name[0] != '_') {
            found.kind = name;
            found.line = ts_node_start_point(node).row + 1;
            found.start = ts_node_start_byte(node);
            found.end = ts_node_end_byte(node);
        }
    }
    if (found.kind == NULL || !all_hold(context, match, &found) || is_known(context, &found))
        return;
    bool is_constant = strcmp(found.kind, "constant") == 0;
    struct fact *fact =
        is_constant ? tk_doctor_new(context->doctor, sizeof *fact)
                    : tk_doctor_fact(context->doctor, context->file, found.kind, found.line);
    struct pending *pending = tk_doctor_new(context->doctor, sizeof *pending);
    if (fact == NULL || pending == NULL)
        return;
    *fact = found;
    if (is_constant) {
        fact->next = context->file->constants;
        context->file->constants = fact;
    }
    context->recent[context->fact_count++ % RECENT] = fact;
    if (ts_node_is_null(value))
        return;
    *pending = (struct pending){.next = context->pending, .fact = fact, .node = value};
    context->pending = pending;
    tk_str type = tk_str_from(ts_node_type(value));
    fact->value.type = type;
    fact->value.start = ts_node_start_byte(value);
    fact->value.end = ts_node_end_byte(value);
}

/* init(options): where the constant `options` is made its options stand.  init({...more}): who
   knows. */
static void
find_options(struct context *context, struct fact *init, TSNode arguments, unsigned depth)
{
    uint32_t count = ts_node_named_child_count(arguments);
    for (uint32_t i = 0; i < count && i < ITEMS_MAX && depth < 4; i++) {
        TSNode child = ts_node_named_child(arguments, i);
        const char *type = ts_node_type(child);
        if (strstr(type, "spread") != NULL || strstr(type, "splat") != NULL) {
            init->uncertain = true;
        } else if (is_name(type) && strcmp(type, "shorthand_property_identifier") != 0) {
            const struct fact *made = constant(context, text_of(context, child));
            TSNode node = made != NULL ? value_node(context, made) : (TSNode){0};
            if (ts_node_is_null(node)) {
                init->uncertain = true;
                continue;
            }
            init->also_start = ts_node_start_byte(node);
            init->also_end = ts_node_end_byte(node);
            find_options(context, init, node, depth + 1);
        } else if (is_access(type)) {
            init->uncertain = true; /* init(props.config) */
        } else if (strcmp(type, "object") == 0 || strcmp(type, "jsx_expression") == 0 ||
                   strcmp(type, "argument") == 0 || strcmp(type, "unary_expression") == 0 ||
                   strcmp(type, "jsx_attribute") == 0) {
            find_options(context, init, child, depth + 1);
        } else if (is_call(type) && strstr(type, "object_creation") == NULL && depth == 0 &&
                   !tk_doctor_matches(TK_STR("(?i)config|options|builder"),
                                      text_of(context, child))) {
            init->uncertain = true; /* init(load()) */
        }
    }
}

static void
run_queries(struct context *context, TSNode root)
{
    TSQueryMatch match;
    TSQueryCursor *cursor = ts_query_cursor_new();
    ts_query_cursor_exec(cursor, context->query, root);
    while (context->doctor->status == TK_OK && ts_query_cursor_next_match(cursor, &match))
        note_match(context, &match);
    ts_query_cursor_delete(cursor);
    for (const struct pending *at = context->pending; at != NULL; at = at->next) {
        if (strcmp(at->fact->kind, "constant") == 0)
            continue;
        if (strcmp(at->fact->kind, "init") == 0 || strcmp(at->fact->kind, "cors") == 0)
            find_options(context, at->fact, at->node, 0);
        else
            follow(context, &at->fact->value, at->node, 0, false);
    }
}

/* What a query costs grows with the square of how deep it has to look. */
static bool
nests_too_deep(TSNode root)
{
    TSTreeCursor cursor = ts_tree_cursor_new(root);
    size_t depth = 0;
    bool more = true;
    while (more && depth <= TK_DOCTOR_NESTING_MAX) {
        if (ts_tree_cursor_goto_first_child(&cursor)) {
            depth++;
            continue;
        }
        while (!(more = ts_tree_cursor_goto_next_sibling(&cursor)) &&
               ts_tree_cursor_goto_parent(&cursor))
            depth--;
    }
    ts_tree_cursor_delete(&cursor);
    return more;
}

static void
note_broken(struct doctor *doctor, struct file *file, uint32_t line, tk_str why)
{
    struct fact *fact = tk_doctor_fact(doctor, file, "broken", line);
    if (fact != NULL)
        fact->name = why;
}

/* The first place that the grammar does not take.  No recursion: a file may nest very deep. */
static uint32_t
broken_line(TSNode node)
{
    for (uint32_t i = 0; i < ts_node_child_count(node);) {
        TSNode child = ts_node_child(node, i++);
        if (!ts_node_has_error(child) && !ts_node_is_missing(child))
            continue;
        node = child;
        if (strcmp(ts_node_type(child), "ERROR") == 0 || ts_node_is_missing(child))
            break;
        i = 0;
    }
    return ts_node_start_point(node).row + 1;
}

/* Vue, Svelte, Astro: spaces over all that is no script, so that every place stays the same. */
static tk_str
scripts_only(struct doctor *doctor, tk_str text)
{
    tk_str copy = tk_doctor_copy(doctor, text);
    char *bytes = (char *)(uintptr_t)copy.ptr;
    bool inside = false;
    for (size_t i = 0; bytes != NULL && i < copy.len; i++) {
        tk_str rest = {text.ptr + i, text.len - i};
        if (!inside && tk_str_starts_with(rest, TK_STR("<script"))) {
            const char *end = memchr(rest.ptr, '>', rest.len);
            size_t tag = end != NULL ? (size_t)(end - rest.ptr) + 1 : rest.len;
            for (size_t j = 0; j < tag; j++)
                bytes[i + j] = bytes[i + j] == '\n' ? '\n' : ' ';
            i += tag - 1;
            inside = true;
            continue;
        }
        if (inside && tk_str_starts_with(rest, TK_STR("</script")))
            inside = false;
        if (!inside && bytes[i] != '\n')
            bytes[i] = ' ';
    }
    return copy;
}

static bool
is_single_file_component(tk_str name)
{
    return tk_str_ends_with(name, TK_STR(".vue")) || tk_str_ends_with(name, TK_STR(".svelte")) ||
           tk_str_ends_with(name, TK_STR(".astro"));
}

void
tk_doctor_parse(struct doctor *doctor, struct file *file, const struct language *language)
{
    uint32_t wrong = 0;
    struct context context = {.doctor = doctor, .file = file};
    TSParser *parser = ts_parser_new();
    context.query = tk_doctor_query(language, &wrong);
    if (is_single_file_component(file->name))
        file->text = scripts_only(doctor, file->text);
    if (context.query != NULL && file->text.ptr != NULL &&
        ts_parser_set_language(parser, language->grammar())) {
        ts_parser_set_timeout_micros(parser, PARSE_MICROS);
        TSTree *tree =
            ts_parser_parse_string(parser, NULL, file->text.ptr, (uint32_t)file->text.len);
        if (tree != NULL) {
            TSNode root = ts_tree_root_node(tree);
            bool deep = nests_too_deep(root), toml = strcmp(language->name, "toml") == 0;
            if (!deep)
                run_queries(&context, root);
            if (toml && deep)
                note_broken(doctor, file, 1, TK_STR(TOO_DEEP));
            else if (toml && ts_node_has_error(root))
                note_broken(doctor, file, broken_line(root), TK_STR("this is no TOML"));
            ts_tree_delete(tree);
        }
    }
    ts_parser_delete(parser);
}
