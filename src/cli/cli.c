/* cli - see cli.h. */
#include "cli/cli.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum tk_exit
tk_cli_fail(enum tk_exit status, const char *command, const char *format, ...)
{
    va_list args;
    (void)fprintf(stderr, "tracekit %s: ", command);
    va_start(args, format);
    (void)vfprintf(stderr, format, args);
    va_end(args);
    (void)fputc('\n', stderr);
    return status;
}

enum tk_exit
tk_cli_status(enum tk_err code)
{
    switch (code) {
    case TK_OK:
        return TK_EXIT_GOOD;
    case TK_ERR_UNREACHABLE:
    case TK_ERR_TIMEOUT:
        return TK_EXIT_UNREACHABLE;
    case TK_ERR_DENIED:
        return TK_EXIT_DENIED;
    case TK_ERR_INPUT:
    case TK_ERR_EXISTS:
    case TK_ERR_LIMIT:
        return TK_EXIT_USAGE;
    case TK_ERR_NOT_FOUND:
        return TK_EXIT_FINDING;
    default:
        return TK_EXIT_CANNOT_START;
    }
}

static void
print_help(const struct tk_cli_usage *usage, const struct tk_options *options)
{
    struct tk_buf text;
    tk_buf_init(&text, 1 << 20);
    tk_buf_printf(&text, "usage: %s\n\n%s\n\n", usage->usage, usage->about);
    tk_options_help(options, &text);
    tk_buf_append(&text, TK_STR("\nEach is also an environment variable, --some-flag being "
                                "TRACEKIT_SOME_FLAG, and a line of the\nconfig file. A flag counts "
                                "before the environment, the environment before the file.\n"));
    (void)fwrite(text.ptr, 1, text.len, stdout);
    tk_buf_release(&text);
}

bool
tk_cli_parse(const struct tk_cli_usage *usage, struct tk_options *options, int argc, char **argv,
             struct tk_arena *arena, enum tk_exit *ret_status)
{
    struct tk_error err = {0};
    enum tk_err result = tk_options_parse(options, argc, argv, arena, &err);
    if (result != TK_OK) {
        *ret_status = tk_cli_fail(TK_EXIT_USAGE, usage->command, "%s",
                                  err.message[0] != '\0' ? err.message : tk_err_text(result));
        return false;
    }
    if (options->help) {
        print_help(usage, options);
        *ret_status = TK_EXIT_GOOD;
        return false;
    }
    if (options->positional_count < usage->positional_min ||
        options->positional_count > usage->positional_max) {
        *ret_status = tk_cli_fail(TK_EXIT_USAGE, usage->command, "usage: %s", usage->usage);
        return false;
    }
    return true;
}

bool
tk_cli_colour(void)
{
    const char *no_color = getenv("NO_COLOR");
    const char *term = getenv("TERM");
    return isatty(STDOUT_FILENO) && (no_color == NULL || no_color[0] == '\0') &&
           (term == NULL || strcmp(term, "dumb") != 0);
}

unsigned
tk_cli_width(void)
{
    struct winsize size;
    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col >= 40)
        return size.ws_col;
    return 100;
}

unsigned
tk_cli_columns(tk_str text)
{
    unsigned count = 0;
    for (size_t i = 0; i < text.len; i++)
        count += ((unsigned char)text.ptr[i] & 0xC0) != 0x80;
    return count;
}

unsigned
tk_cli_print(tk_str name, unsigned width)
{
    bool cut = tk_cli_columns(name) > width;
    unsigned shown = 0, room = cut ? width - 1 : width;
    for (size_t i = 0; i < name.len; i++) {
        unsigned char c = (unsigned char)name.ptr[i];
        bool starts = (c & 0xC0) != 0x80;
        if (starts && shown == room)
            break;
        (void)putchar(c < 0x20 || c == 0x7F ? '?' : c);
        shown += starts;
    }
    if (cut)
        (void)fputs("\xE2\x80\xA6", stdout);
    return shown + cut;
}

void
tk_cli_duration(uint64_t nano, char text[24])
{
    static const struct {
        uint64_t factor;
        const char *name;
    } units[] = {{1000000000, "s"}, {1000000, "ms"}, {1000, "us"}};
    if (nano >= 60ull * 1000000000) {
        uint64_t seconds = nano / 1000000000;
        (void)snprintf(text, 24, "%llum%02llus", (unsigned long long)(seconds / 60),
                       (unsigned long long)(seconds % 60));
        return;
    }
    for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
        if (nano < units[i].factor)
            continue;
        double value = (double)nano / (double)units[i].factor;
        int decimals = value < 10 ? 2 : value < 100 ? 1 : 0;
        int len = snprintf(text, 24, "%.*f", decimals, value);
        while (decimals > 0 && len > 0 && (text[len - 1] == '0' || text[len - 1] == '.'))
            if (text[--len] == '.')
                decimals = 0;
        (void)snprintf(text + len, 24 - (size_t)len, "%s", units[i].name);
        return;
    }
    (void)snprintf(text, 24, "%lluns", (unsigned long long)nano);
}
