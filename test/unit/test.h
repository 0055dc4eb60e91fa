#ifndef TK_TEST_H
#define TK_TEST_H
/* test - cmocka with what it wants included before it, and a few shorthands. */
#include "base/bytes.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* Equal bytes; `literal` is a string literal and may hold NUL. */
#define assert_text(actual, literal)                                                               \
    do {                                                                                           \
        tk_str tk_test_text = (actual);                                                            \
        if (!tk_str_eq(tk_test_text, TK_STR(literal)))                                             \
            fail_msg("\"%.*s\" is not \"%s\"", TK_STR_ARG(tk_test_text), literal);                 \
    } while (0)

/* A tk_error's message, or any C string, holds `part`. */
#define assert_says(text, part)                                                                    \
    do {                                                                                           \
        if (strstr((text), (part)) == NULL)                                                        \
            fail_msg("\"%s\" does not say \"%s\"", (text), (part));                                \
    } while (0)

#endif
