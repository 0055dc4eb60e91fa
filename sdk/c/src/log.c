/* log - see log.h. A line leaves in one write, so that lines of several threads do not mix. */
#include "log.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

static tracekit_log *log_function;
static void *log_data;

void
tk_log_to(tracekit_log *log, void *data)
{
    log_function = log;
    log_data = data;
}

/* A full disk, a closed descriptor, a pipe that nobody reads: nobody is left to tell, and it is no
 * reason for the program to end, or to find another errno than before. */
static void
write_line(const char *line, size_t size)
{
    sigset_t broken_pipe, before, pending;
    int error = errno;
    sigemptyset(&broken_pipe);
    sigaddset(&broken_pipe, SIGPIPE);
    sigpending(&pending);
    pthread_sigmask(SIG_BLOCK, &broken_pipe, &before);
    if (write(STDERR_FILENO, line, size) < 0 && errno == EPIPE && !sigismember(&pending, SIGPIPE))
        sigtimedwait(&broken_pipe, NULL, &(struct timespec){0});
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    errno = error;
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
    write_line(line, size);
}
