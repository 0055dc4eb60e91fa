/*
 * log - see log.h.  A line is put together on the stack and written by one write(2), so lines of
 * several threads never mix.
 */
#include "base/log.h"

#include <stdatomic.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

enum { LINE_SIZE = 1024 };

static _Atomic int lowest_level = TK_LOG_INFO;

void
tk_log_set_level(enum tk_log_level lowest)
{
    atomic_store(&lowest_level, (int)lowest);
}

static const char *
level_text(enum tk_log_level level)
{
    switch (level) {
    case TK_LOG_DEBUG:
        return "debug";
    case TK_LOG_INFO:
        return "info";
    case TK_LOG_WARNING:
        return "warning";
    case TK_LOG_ERROR:
        return "error";
    }
    return "?";
}

void
tk_log(enum tk_log_level level, const char *module, const char *format, ...)
{
    char line[LINE_SIZE];
    struct timespec now;
    struct tm utc;
    if ((int)level < atomic_load(&lowest_level))
        return;
    (void)clock_gettime(CLOCK_REALTIME, &now);
    (void)gmtime_r(&now.tv_sec, &utc);
    size_t len = strftime(line, sizeof line, "%Y-%m-%dT%H:%M:%S", &utc);
    len += (size_t)snprintf(line + len, sizeof line - len, ".%03ldZ %s %s: ", now.tv_nsec / 1000000,
                            level_text(level), module);
    va_list args;
    va_start(args, format);
    int text = vsnprintf(line + len, sizeof line - len - 1, format, args);
    va_end(args);
    len += text > 0 ? (size_t)text : 0;
    if (len > sizeof line - 2)
        len = sizeof line - 2;
    line[len++] = '\n';
    ssize_t written = write(STDERR_FILENO, line, len);
    (void)written; /* a log that cannot be written has nobody to tell */
}

bool
tk_log_due(_Atomic uint64_t *last_ms, uint64_t interval_ms)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    uint64_t now_ms = (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000 + 1;
    uint64_t last = atomic_load(last_ms);
    if (last != 0 && now_ms - last < interval_ms)
        return false;
    return atomic_compare_exchange_strong(last_ms, &last, now_ms);
}
