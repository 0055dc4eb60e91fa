/* error - see error.h. */
#include "base/error.h"

#include <stdio.h>

const char *
tk_err_text(enum tk_err code)
{
    switch (code) {
    case TK_OK:
        return "ok";
#define X(name, number, text)                                                                      \
    case TK_ERR_##name:                                                                            \
        return text;
        TK_ERR_LIST(X)
#undef X
    }
    return "unknown error";
}

enum tk_err
tk_error_set(struct tk_error *err, enum tk_err code, const char *format, ...)
{
    if (err != NULL) {
        va_list args;
        va_start(args, format);
        err->code = code;
        (void)vsnprintf(err->message, sizeof err->message, format, args);
        va_end(args);
    }
    return code;
}
