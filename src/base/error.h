#ifndef TK_BASE_ERROR_H
#define TK_BASE_ERROR_H
/*
 * error - the one list of error codes, and a message that says where and why.
 *
 * A function that can fail returns enum tk_err and is marked TK_MUST_USE; what it makes comes back
 * through a `ret_` parameter that is untouched on failure.  Who can say more than a code takes a
 * `struct tk_error *`, which may be NULL; tk_error_set() fills it and returns the code, so that
 * `return tk_error_set(err, TK_ERR_INPUT, "...")` reads well.
 */
#include <stdarg.h>
#include <stddef.h>

#define TK_MUST_USE __attribute__((warn_unused_result))
#define TK_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))

/* code, number, what it guarantees */
#define TK_ERR_LIST(X)                                                                             \
    X(MEMORY, -1, "out of memory")                                                                 \
    X(INPUT, -2, "bad input")                                                                      \
    X(LIMIT, -3, "beyond a limit")                                                                 \
    X(UNSUPPORTED, -4, "not supported")                                                            \
    X(NOT_FOUND, -5, "not found")                                                                  \
    X(EXISTS, -6, "exists already")                                                                \
    X(DENIED, -7, "denied")                                                                        \
    X(BUSY, -8, "busy, try again later")                                                           \
    X(FULL, -9, "no space left")                                                                   \
    X(IO, -10, "input/output error")                                                               \
    X(CORRUPT, -11, "damaged data")                                                                \
    X(LOCKED, -12, "in use by another process")                                                    \
    X(UNREACHABLE, -13, "cannot be reached")                                                       \
    X(TIMEOUT, -14, "timed out")                                                                   \
    X(END, -15, "nothing more")

enum tk_err {
    TK_OK = 0,
#define X(name, number, text) TK_ERR_##name = (number),
    TK_ERR_LIST(X)
#undef X
};

enum { TK_ERROR_MESSAGE_SIZE = 512 };

struct tk_error {
    enum tk_err code;
    char message[TK_ERROR_MESSAGE_SIZE]; /* NUL-terminated, no newline; "" when code says it all */
};

/* The text of a code, as in the list above. */
const char *tk_err_text(enum tk_err code);

/* Fills *err (when not NULL; the message is cut to fit) and returns `code`. */
enum tk_err tk_error_set(struct tk_error *err, enum tk_err code, const char *format, ...)
    TK_PRINTF(3, 4);

#endif
