/* keep - see keep.h. */
#include "api/keep.h"

#include <stdlib.h>

enum { ARENA_LIMIT = 16 << 20 };

struct tk_keep {
    struct tk_arena arena;
    struct tk_query *query;
    struct tk_plan plan;
};

/* In doubt (a regular expression beyond its limit, no memory) it stays. */
static bool
keeps(void *arg, const struct tk_store_trace *trace)
{
    struct tk_keep *keep = arg;
    bool matches = true;
    if (tk_query_matches(keep->query, trace->spans, &matches) != TK_OK)
        return true;
    return matches;
}

static enum tk_err
parse(tk_str text, struct tk_arena *arena, struct tk_query **ret_query, struct tk_error *err)
{
    struct tk_query_error why = {0};
    enum tk_err result = tk_query_parse(text, arena, ret_query, &why);
    if (result != TK_OK)
        return tk_error_set(err, result, "--keep: \"%.*s\", character %zu: %s", TK_STR_ARG(text),
                            why.position + 1, why.detail);
    return TK_OK;
}

/* Takes what stands before the next `||` outside quotes off the front; *more: there was one. */
static tk_str
next_alternative(tk_str *rest, bool *more)
{
    char quote = '\0';
    for (size_t i = 0; i < rest->len; i++) {
        char c = rest->ptr[i];
        if (quote != '\0' && c == '\\')
            i++;
        else if (quote != '\0')
            quote = c == quote ? '\0' : quote;
        else if (c == '"' || c == '`' || c == '\'')
            quote = c;
        else if (c == '|' && i + 1 < rest->len && rest->ptr[i + 1] == '|') {
            tk_str taken = {rest->ptr, i};
            *rest = (tk_str){rest->ptr + i + 2, rest->len - i - 2};
            return tk_str_trim(taken);
        }
    }
    *more = false;
    return tk_str_trim(*rest);
}

/* Shorthand joined by `||` is each alternative's TraceQL, joined. */
static enum tk_err
compile(struct tk_keep *keep, tk_str rule, struct tk_error *err)
{
    struct tk_arena *arena = &keep->arena;
    tk_str rest = tk_str_trim(rule), joined = TK_STR("");
    bool more = true;
    if (rest.len == 0)
        return tk_error_set(err, TK_ERR_INPUT, "--keep is empty: it would keep every trace");
    if (rest.ptr[0] == '{' || rest.ptr[0] == '(')
        return parse(rest, arena, &keep->query, err);
    while (more) {
        struct tk_query *part = NULL;
        tk_str text = next_alternative(&rest, &more);
        enum tk_err result = text.len > 0
                                 ? parse(text, arena, &part, err)
                                 : tk_error_set(err, TK_ERR_INPUT, "--keep: `||` without a side");
        if (result != TK_OK)
            return result;
        joined = tk_arena_printf(arena, "%.*s%s%.*s", TK_STR_ARG(joined),
                                 joined.len > 0 ? " || " : "", TK_STR_ARG(tk_query_text(part)));
        tk_query_release(part);
    }
    return parse(joined, arena, &keep->query, err);
}

void
tk_keep_free(struct tk_keep *keep)
{
    if (keep == NULL)
        return;
    tk_query_release(keep->query);
    tk_arena_release(&keep->arena);
    free(keep);
}

static enum tk_err
parse_steps(const char *const *thin, size_t thin_count, struct tk_store_thinning *thinning,
            struct tk_error *err)
{
    if (thin_count > TK_THIN_STEPS_MAX)
        return tk_error_set(err, TK_ERR_INPUT, "--thin: at most %d steps", TK_THIN_STEPS_MAX);
    for (size_t i = 0; i < thin_count; i++)
        if (!tk_thin_parse(tk_str_from(thin[i]), &thinning->steps[i]))
            return tk_error_set(err, TK_ERR_INPUT,
                                "--thin: \"%s\" is not a ratio below 1 and an age, like 0.1@3d",
                                thin[i]);
    thinning->step_count = thin_count;
    return TK_OK;
}

enum tk_err
tk_keep_new(const char *rule, const char *const *thin, size_t thin_count, struct tk_keep **ret_keep,
            struct tk_store_thinning *ret_thinning, struct tk_error *err)
{
    struct tk_store_thinning thinning = {0};
    struct tk_keep *keep = calloc(1, sizeof *keep);
    if (keep == NULL)
        return tk_error_set(err, TK_ERR_MEMORY, "out of memory");
    tk_arena_init(&keep->arena, 4096, ARENA_LIMIT);
    enum tk_err result = parse_steps(thin, thin_count, &thinning, err);
    if (result == TK_OK && rule != NULL && thin_count == 0)
        result = tk_error_set(err, TK_ERR_INPUT, "--keep says what --thin leaves: give both");
    if (result == TK_OK && rule != NULL) {
        result = compile(keep, tk_str_from(rule), err);
        if (result == TK_OK)
            result = tk_plan_make(keep->query, &keep->plan);
        thinning.want = keep->plan.want;
        thinning.keep = keeps;
        thinning.arg = keep;
    }
    if (result != TK_OK) {
        tk_keep_free(keep);
        return result;
    }
    *ret_keep = keep;
    *ret_thinning = thinning;
    return TK_OK;
}
