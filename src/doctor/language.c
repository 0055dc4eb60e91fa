/*
 * language - which grammar a file has, and the queries that are asked of it.
 *
 * A language is one line here and one file in rules/, which also says in its head what files are
 * called and what a file must hold to be parsed at all.  Queries are compiled when the first file
 * of their language is met, and kept.  One thread compiles; matching what is compiled may any.
 */
#define PCRE2_CODE_UNIT_WIDTH 8
#include "doctor/private.h"

#include <assert.h>
#include <fnmatch.h>
#include <pcre2.h>
#include <stdio.h>
#include <stdlib.h>

const TSLanguage *tree_sitter_tsx(void);
const TSLanguage *tree_sitter_go(void);
const TSLanguage *tree_sitter_python(void);
const TSLanguage *tree_sitter_java(void);
const TSLanguage *tree_sitter_php(void);
const TSLanguage *tree_sitter_c_sharp(void);
const TSLanguage *tree_sitter_ruby(void);
const TSLanguage *tree_sitter_toml(void);
const TSLanguage *tree_sitter_yaml(void);

/* rules/rules.S */
extern const char tk_doctor_rules_javascript[], tk_doctor_rules_go[], tk_doctor_rules_python[],
    tk_doctor_rules_java[], tk_doctor_rules_php[], tk_doctor_rules_csharp[], tk_doctor_rules_ruby[],
    tk_doctor_rules_toml[], tk_doctor_rules_yaml[];

/* The grammar of TSX takes JavaScript, JSX and TypeScript too. */
static const struct language languages[] = {
    {"javascript", tree_sitter_tsx, tk_doctor_rules_javascript},
    {"go", tree_sitter_go, tk_doctor_rules_go},
    {"python", tree_sitter_python, tk_doctor_rules_python},
    {"java", tree_sitter_java, tk_doctor_rules_java},
    {"php", tree_sitter_php, tk_doctor_rules_php},
    {"csharp", tree_sitter_c_sharp, tk_doctor_rules_csharp},
    {"ruby", tree_sitter_ruby, tk_doctor_rules_ruby},
    {"toml", tree_sitter_toml, tk_doctor_rules_toml},
    {"yaml", tree_sitter_yaml, tk_doctor_rules_yaml},
};
enum {
    LANGUAGE_COUNT = sizeof languages / sizeof *languages,
    HEAD_MAX = 1024,
    MATCH_LIMIT = 100000, /* backtracking steps: a project's own expression may be a bad one */
    PATTERNS_MAX = 256,
    BEGIN_BYTES = 4, /* literal, of each expression of "parsed if" */
    BEGIN_BITS = 14, /* of their hash */
};

static TSQuery *queries[LANGUAGE_COUNT];
static struct {
    tk_str pattern;
    pcre2_code *code; /* NULL: it is no expression */
} patterns[PATTERNS_MAX];
static size_t pattern_count;

/* "parsed if" of a language. Nearly all bytes of a project are looked at by it alone: so no
   expression is tried where the text does not begin as one of them. */
static struct worth {
    pcre2_code *code; /* any of them, at one place */
    uint64_t begins[(1 << BEGIN_BITS) / 64];
} worths[LANGUAGE_COUNT];

tk_str
tk_doctor_language_head(const struct language *language, const char *key)
{
    tk_str text = {language->queries, strnlen(language->queries, HEAD_MAX)};
    while (text.len > 0) {
        tk_str line = tk_str_split(&text, '\n');
        if (!tk_str_starts_with(line, TK_STR(";; ")))
            break;
        tk_str rest = {line.ptr + 3, line.len - 3};
        tk_str name = tk_str_split(&rest, ':');
        if (tk_str_eq(name, tk_str_from(key)))
            return tk_str_trim(rest);
    }
    return TK_STR_NONE;
}

const struct language *
tk_doctor_language_of(tk_str name)
{
    for (size_t i = 0; i < LANGUAGE_COUNT; i++)
        for (tk_str ends = tk_doctor_language_head(&languages[i], "files"); ends.len > 0;)
            if (tk_str_ends_with(name, tk_str_split(&ends, ' ')))
                return &languages[i];
    return NULL;
}

const struct language *
tk_doctor_language_named(const char *name)
{
    for (size_t i = 0; i < LANGUAGE_COUNT; i++)
        if (strcmp(languages[i].name, name) == 0)
            return &languages[i];
    return NULL;
}

TSQuery *
tk_doctor_query(const struct language *language, uint32_t *ret_offset)
{
    size_t i = (size_t)(language - languages);
    TSQueryError wrong = TSQueryErrorNone;
    if (queries[i] == NULL)
        queries[i] = ts_query_new(language->grammar(), language->queries,
                                  (uint32_t)strlen(language->queries), ret_offset, &wrong);
    return queries[i];
}

static pcre2_code *
compiled(tk_str pattern)
{
    int code;
    PCRE2_SIZE at;
    for (size_t i = 0; i < pattern_count; i++)
        if (tk_str_eq(patterns[i].pattern, pattern))
            return patterns[i].code;
    if (pattern_count == PATTERNS_MAX)
        return NULL;
    char *kept = strndup(pattern.ptr, pattern.len);
    if (kept == NULL)
        return NULL;
    patterns[pattern_count].pattern = (tk_str){kept, pattern.len};
    pcre2_code *expression = pcre2_compile((PCRE2_SPTR)kept, pattern.len, 0, &code, &at, NULL);
    if (expression != NULL)
        (void)pcre2_jit_compile(expression, PCRE2_JIT_COMPLETE);
    patterns[pattern_count++].code = expression;
    return expression;
}

bool
tk_doctor_matches(tk_str pattern, tk_str text)
{
    size_t at;
    return tk_doctor_match(pattern, text, &at);
}

bool
tk_doctor_match(tk_str pattern, tk_str text, size_t *ret_at)
{
    pcre2_code *code = compiled(pattern);
    if (code == NULL)
        return false;
    pcre2_match_data *data = pcre2_match_data_create(1, NULL);
    pcre2_match_context *context = pcre2_match_context_create(NULL);
    int found = -1;
    if (data != NULL && context != NULL) {
        (void)pcre2_set_match_limit(context, MATCH_LIMIT);
        found = pcre2_match(code, (PCRE2_SPTR)(text.len > 0 ? text.ptr : ""), text.len, 0, 0, data,
                            context);
    }
    if (found >= 0)
        *ret_at = pcre2_get_ovector_pointer(data)[0];
    pcre2_match_context_free(context);
    pcre2_match_data_free(data);
    return found >= 0;
}

/* Of BEGIN_BYTES bytes, letters in either case alike. */
static uint32_t
hash_begin(const char *bytes)
{
    uint32_t word;
    memcpy(&word, bytes, sizeof word);
    return ((word | UINT32_C(0x20202020)) * UINT32_C(2654435761)) >> (32 - BEGIN_BITS);
}

/* The literal bytes that an expression begins with: `\b` is none, `\(` is one. */
static void
add_begin(struct worth *worth, tk_str expression)
{
    char begin[BEGIN_BYTES];
    size_t at = 0;
    if (tk_str_starts_with(expression, TK_STR("\\b")))
        at = 2;
    for (size_t i = 0; i < BEGIN_BYTES; i++, at++) {
        assert(at < expression.len && memchr("([^$*+?|", expression.ptr[at], 8) == NULL);
        at += expression.ptr[at] == '\\';
        begin[i] = expression.ptr[at];
    }
    assert(at == expression.len || memchr("*+?{|", expression.ptr[at], 5) == NULL);
    uint32_t hash = hash_begin(begin);
    worth->begins[hash / 64] |= UINT64_C(1) << hash % 64;
}

static void
compile_worth(struct worth *worth, tk_str expressions)
{
    int code;
    PCRE2_SIZE at;
    char all[HEAD_MAX];
    size_t len = 0;
    while (expressions.len > 0) {
        tk_str one = tk_str_split(&expressions, ' ');
        add_begin(worth, one);
        len += (size_t)snprintf(all + len, sizeof all - len, "%s%.*s", len > 0 ? "|" : "",
                                TK_STR_ARG(one));
    }
    assert(len < sizeof all);
    worth->code = pcre2_compile(
        (PCRE2_SPTR)all, len, PCRE2_ANCHORED | PCRE2_CASELESS | PCRE2_MULTILINE, &code, &at, NULL);
    assert(worth->code != NULL);
    (void)pcre2_jit_compile(worth->code, PCRE2_JIT_COMPLETE);
}

bool
tk_doctor_worth_parsing(const struct language *language, tk_str text)
{
    struct worth *worth = &worths[language - languages];
    tk_str expressions = tk_doctor_language_head(language, "parsed if");
    if (expressions.len == 0)
        return true;
    if (worth->code == NULL)
        compile_worth(worth, expressions);
    pcre2_match_data *data = pcre2_match_data_create(1, NULL);
    bool found = data == NULL; /* parsed in vain, then */
    for (size_t i = 0; !found && i + BEGIN_BYTES <= text.len; i++) {
        uint32_t hash = hash_begin(text.ptr + i);
        if ((worth->begins[hash / 64] >> hash % 64 & 1) != 0)
            found = pcre2_match(worth->code, (PCRE2_SPTR)text.ptr, text.len, i, 0, data, NULL) >= 0;
    }
    pcre2_match_data_free(data);
    return found;
}

void
tk_doctor_languages_release(void)
{
    for (size_t i = 0; i < LANGUAGE_COUNT; i++) {
        if (queries[i] != NULL)
            ts_query_delete(queries[i]);
        queries[i] = NULL;
        pcre2_code_free(worths[i].code);
        worths[i].code = NULL;
    }
    for (size_t i = 0; i < pattern_count; i++) {
        pcre2_code_free(patterns[i].code);
        free((void *)(uintptr_t)patterns[i].pattern.ptr);
    }
    pattern_count = 0;
}
