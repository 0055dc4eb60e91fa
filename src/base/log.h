#ifndef TK_BASE_LOG_H
#define TK_BASE_LOG_H
/*
 * log - one line to stderr per event: `2026-01-02T03:04:05.678Z level module: text`.
 * Thread-safe.  A call site that would flood uses TK_LOG_EVERY_MS.
 */
#include "base/bytes.h"

enum tk_log_level { TK_LOG_DEBUG, TK_LOG_INFO, TK_LOG_WARNING, TK_LOG_ERROR };

void tk_log_set_level(enum tk_log_level lowest);
void tk_log(enum tk_log_level level, const char *module, const char *format, ...) TK_PRINTF(3, 4);
/* True at most once per `interval_ms` for the call site that owns `*last_ms`. */
bool tk_log_due(_Atomic uint64_t *last_ms, uint64_t interval_ms);

#define TK_LOG_EVERY_MS(interval_ms, level, module, ...)                                           \
    do {                                                                                           \
        static _Atomic uint64_t tk_log_last_ms;                                                    \
        if (tk_log_due(&tk_log_last_ms, (interval_ms)))                                            \
            tk_log((level), (module), __VA_ARGS__);                                                \
    } while (0)

#endif
