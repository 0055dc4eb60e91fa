/*
 * regex - see regex.h.
 *
 * The same few texts are asked about again and again (names, routes, services): each is remembered
 * with its answer until there are TEXTS_MAX of them or their copies fill TEXT_BYTES_MAX.
 *
 * The limits: MATCH_STEPS_MAX bounds the time of one match to a few milliseconds even for patterns
 * that go exponential, HEAP_KIB_MAX the memory it may take for backtracking.
 */
#include "query/regex.h"

#include "base/intern.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
#include <stdlib.h>

enum {
    MATCH_STEPS_MAX = 100000,
    HEAP_KIB_MAX = 4096,
    TEXTS_MAX = 1 << 14,
    TEXT_LENGTH_MAX = 512, /* longer ones are seldom asked about twice */
    TEXT_BYTES_MAX = 4 << 20,
};

struct tk_regex {
    pcre2_code *code;
    pcre2_match_data *match;
    pcre2_match_context *limits;
    struct tk_intern texts;
    struct tk_arena copies;
    int32_t answers[TEXTS_MAX]; /* by number of the text: enum tk_err, or 1 where it matches */
};

enum tk_err
tk_regex_compile(tk_str pattern, struct tk_regex **ret_regex, struct tk_error *err)
{
    enum tk_err result = TK_ERR_MEMORY;
    int number = 0;
    PCRE2_SIZE offset = 0;
    struct tk_regex *regex = calloc(1, sizeof *regex);
    if (regex == NULL)
        return TK_ERR_MEMORY;
    regex->code = pcre2_compile((PCRE2_SPTR)(pattern.len > 0 ? pattern.ptr : ""), pattern.len,
                                PCRE2_UTF | PCRE2_DOTALL | PCRE2_ANCHORED | PCRE2_ENDANCHORED |
                                    PCRE2_NEVER_BACKSLASH_C | PCRE2_MATCH_INVALID_UTF,
                                &number, &offset, NULL);
    if (regex->code == NULL) {
        char text[128] = "";
        pcre2_get_error_message(number, (PCRE2_UCHAR *)text, sizeof text);
        result = tk_error_set(err, TK_ERR_INPUT, "%s", text);
        goto out;
    }
    regex->match = pcre2_match_data_create(1, NULL);
    regex->limits = pcre2_match_context_create(NULL);
    if (regex->match == NULL || regex->limits == NULL)
        goto out;
    pcre2_set_match_limit(regex->limits, MATCH_STEPS_MAX);
    pcre2_set_heap_limit(regex->limits, HEAP_KIB_MAX);
    tk_intern_init(&regex->texts, TEXTS_MAX);
    tk_arena_init(&regex->copies, 1 << 12, TEXT_BYTES_MAX);
    *ret_regex = regex;
    return TK_OK;
out:
    tk_regex_free(regex);
    return result;
}

void
tk_regex_free(struct tk_regex *regex)
{
    if (regex == NULL)
        return;
    tk_intern_release(&regex->texts);
    tk_arena_release(&regex->copies);
    pcre2_match_context_free(regex->limits);
    pcre2_match_data_free(regex->match);
    pcre2_code_free(regex->code);
    free(regex);
}

/* 1: matches, 0: does not, or the error. */
static int32_t
match(struct tk_regex *regex, tk_str subject)
{
    int result = pcre2_match(regex->code, (PCRE2_SPTR)(subject.len > 0 ? subject.ptr : ""),
                             subject.len, 0, 0, regex->match, regex->limits);
    if (result < 0 && result != PCRE2_ERROR_NOMATCH)
        return result == PCRE2_ERROR_NOMEMORY ? TK_ERR_MEMORY : TK_ERR_LIMIT;
    return result >= 0;
}

enum tk_err
tk_regex_match(struct tk_regex *regex, tk_str subject, bool *ret_matches)
{
    uint32_t number, known = regex->texts.count;
    int32_t answer;
    if (subject.len > TEXT_LENGTH_MAX ||
        tk_intern_copy(&regex->texts, &regex->copies, subject, &number) != TK_OK) {
        answer = match(regex, subject);
    } else {
        if (number == known)
            regex->answers[number] = match(regex, subject);
        answer = regex->answers[number];
    }
    if (answer < 0)
        return (enum tk_err)answer;
    *ret_matches = answer > 0;
    return TK_OK;
}
