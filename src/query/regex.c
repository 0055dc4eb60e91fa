/*
 * regex - see regex.h.
 *
 * The limits: MATCH_STEPS_MAX bounds the time of one match to a few milliseconds even for patterns
 * that go exponential, HEAP_KIB_MAX the memory it may take for backtracking.
 */
#include "query/regex.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
#include <stdlib.h>

enum { MATCH_STEPS_MAX = 100000, HEAP_KIB_MAX = 4096 };

struct tk_regex {
    pcre2_code *code;
    pcre2_match_data *match;
    pcre2_match_context *limits;
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
    pcre2_match_context_free(regex->limits);
    pcre2_match_data_free(regex->match);
    pcre2_code_free(regex->code);
    free(regex);
}

enum tk_err
tk_regex_match(struct tk_regex *regex, tk_str subject, bool *ret_matches)
{
    int result = pcre2_match(regex->code, (PCRE2_SPTR)(subject.len > 0 ? subject.ptr : ""),
                             subject.len, 0, 0, regex->match, regex->limits);
    if (result < 0 && result != PCRE2_ERROR_NOMATCH)
        return result == PCRE2_ERROR_NOMEMORY ? TK_ERR_MEMORY : TK_ERR_LIMIT;
    *ret_matches = result >= 0;
    return TK_OK;
}
