#ifndef TK_QUERY_REGEX_H
#define TK_QUERY_REGEX_H
/*
 * regex - regular expressions of queries, by PCRE2: anchored at both ends, UTF-8, `.` matches a
 * newline too.  A match that takes too many steps fails instead of taking the worker.  What was
 * asked before is answered from memory.
 *
 * Threads: one at a time per expression.
 */
#include "base/bytes.h"

struct tk_regex;

/* TK_ERR_INPUT: *err says what is wrong with the pattern. */
enum tk_err tk_regex_compile(tk_str pattern, struct tk_regex **ret_regex,
                             struct tk_error *err) TK_MUST_USE;
void tk_regex_free(struct tk_regex *regex); /* NULL is fine */
/* TK_ERR_LIMIT: too many steps or too much memory for this subject. */
enum tk_err tk_regex_match(struct tk_regex *regex, tk_str subject, bool *ret_matches) TK_MUST_USE;

#endif
