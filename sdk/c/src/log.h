#ifndef TK_LOG_H
#define TK_LOG_H
/* log - what the library says: one line each, to stderr or to the caller's function. */
#include <tracekit.h>

void tk_log_to(tracekit_log *log, void *data);

void tk_log(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
