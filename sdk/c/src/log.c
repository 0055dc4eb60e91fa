/* log - see log.h. A line leaves in one write, so that lines of several threads do not mix. */
#include "log.h"

#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

static tracekit_log *log_function;
static void *log_data;

void
tk_log_to(tracekit_log *log, void *data)
{
    log_function = log;
    log_data = data;
}

void
tk_log(const char *format, ...)
{
    char line[1024] = "[tracekit] ";
    size_t size = strlen(line);
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(line + size, sizeof line - size - 1, format, arguments);
    va_end(arguments);
    if (length < 0)
        return;
    size = strlen(line);
    for (size_t i = 0; i < size; i++)
        if (line[i] == '\n' || line[i] == '\r')
            line[i] = ' ';
    if (log_function != NULL) {
        log_function(log_data, line);
        return;
    }
    line[size++] = '\n';
    ssize_t written = write(STDERR_FILENO, line, size);
    (void)written; /* nobody is left to tell */
}
