/*
 * bench_query - asks a server for each line of a file, one after the other over one connection, and
 * says how long each answer took.
 *
 *     bench_query --server URL --targets FILE [--seconds N] [--cold DIR] [--header LINE]
 *
 * Each line is a request target, "/api/v1/traces/...".  To stdout, for each: "STATUS MS BYTES\n",
 * the body, "\n".  After N seconds no more is asked.  With --cold the pages of all files in DIR
 * are dropped from the page cache before each request.
 */
#include "base/options.h"
#include "bench/http.h"

#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

enum { LINE_MAX_BYTES = 8000, FILES_MAX = 32 };

struct config {
    const char *url, *targets, *cold, *header;
    uint64_t seconds;
};

static double
now(void)
{
    struct timespec time;
    (void)clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static bool
parse(struct config *config, int argc, char **argv, struct tk_arena *arena, struct tk_error *err)
{
    const struct tk_option table[] = {
        {"server", TK_OPTION_STRING, &config->url, "URL", "", NULL, NULL},
        {"targets", TK_OPTION_STRING, &config->targets, "FILE", "", NULL, NULL},
        {"cold", TK_OPTION_STRING, &config->cold, "DIR", "", NULL, NULL},
        {"header", TK_OPTION_STRING, &config->header, "LINE", "", NULL, NULL},
        {"seconds", TK_OPTION_NUMBER, &config->seconds, "N", "", NULL, NULL},
    };
    struct tk_options options = {.options = table, .option_count = sizeof table / sizeof *table};
    return tk_options_parse(&options, argc - 1, argv + 1, arena, err) == TK_OK;
}

static int
drop_pages(const char *path, const struct stat *status, int type, struct FTW *where)
{
    (void)status, (void)where;
    int fd = type == FTW_F ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    if (fd >= 0) {
        (void)posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
        (void)close(fd);
    }
    return 0;
}

static enum tk_err
ask(struct tk_http *http, const struct config *config, const char *target, struct tk_error *err)
{
    char headers[256] = "";
    if (config->header != NULL)
        (void)snprintf(headers, sizeof headers, "%s\r\n", config->header);
    if (config->cold != NULL)
        (void)nftw(config->cold, drop_pages, FILES_MAX, FTW_PHYS);
    double begin = now();
    enum tk_err code = tk_http_exchange(http, "GET", target, headers, TK_STR_NONE, err);
    double seconds = now() - begin;
    if (http->status == 0)
        return code;
    (void)printf("%d %.4f %zu\n", http->status, seconds * 1000, http->answer_body.len);
    (void)fwrite(http->answer_body.ptr, 1, http->answer_body.len, stdout);
    (void)putchar('\n');
    return TK_OK;
}

int
main(int argc, char **argv)
{
    static struct tk_http http;
    struct config config = {.url = "http://127.0.0.1:4318"};
    struct tk_arena arena;
    struct tk_error err = {0};
    char host[256], port[16], line[LINE_MAX_BYTES];
    tk_arena_init(&arena, 4096, 1 << 20);
    FILE *targets = NULL;
    if (!parse(&config, argc, argv, &arena, &err) || config.targets == NULL ||
        !tk_http_parse_url(config.url, host, port) ||
        (targets = fopen(config.targets, "r")) == NULL) {
        (void)fprintf(stderr, "bench_query: --server URL --targets FILE; %s\n", err.message);
        return 2;
    }
    enum tk_err code = tk_http_connect(&http, host, port, false, &err);
    double begin = now();
    while (code == TK_OK && fgets(line, sizeof line, targets) != NULL &&
           (config.seconds == 0 || now() < begin + (double)config.seconds)) {
        line[strcspn(line, "\n")] = '\0';
        code = ask(&http, &config, line, &err);
    }
    if (code != TK_OK)
        (void)fprintf(stderr, "bench_query: %s\n", err.message);
    tk_http_close(&http);
    (void)fclose(targets);
    tk_arena_release(&arena);
    return code == TK_OK ? 0 : 3;
}
