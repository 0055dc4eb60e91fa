/*
 * export - traces as OTLP JSON, one trace a line, newest first: from a server, or straight from a
 * data directory that no server has open.
 */
#include "cli/local.h"
#include "cli/remote.h"
#include "wire/otlp.h"

#include <stdio.h>

enum { PAGE = 1000, ARENA_LIMIT = 1 << 30, LINE_MAX_SIZE = INT32_MAX };

struct export
{
    const char *data, *query, *start, *end, *output;
    FILE *to;
    uint64_t trace_count;
};

static enum tk_exit
write_line(struct export *export, tk_str line)
{
    if (fwrite(line.ptr, 1, line.len, export->to) != line.len || fputc('\n', export->to) == EOF)
        return tk_cli_fail(TK_EXIT_CANNOT_START, "export", "cannot write");
    export->trace_count++;
    return TK_EXIT_GOOD;
}

static enum tk_exit
export_page(struct export *export, struct tk_remote *remote, const struct tk_json_node *page)
{
    enum tk_exit status = TK_EXIT_GOOD;
    struct tk_buf path;
    tk_buf_init(&path, 4096);
    const struct tk_json_node *trace = tk_json_get(page, "traces")->child;
    for (; trace != NULL && status == TK_EXIT_GOOD; trace = trace->next) {
        tk_str id = tk_json_get_str(trace, "traceId"), body;
        tk_buf_clear(&path);
        tk_buf_printf(&path, "/api/v1/traces/%.*s?format=otlp", TK_STR_ARG(id));
        status = tk_remote_get(remote, &path, "application/json", &body);
        if (status == TK_EXIT_GOOD)
            status = write_line(export, body);
    }
    tk_buf_release(&path);
    return status;
}

static enum tk_exit
export_remote(struct export *export, struct tk_remote *remote)
{
    enum tk_exit status;
    struct tk_arena page_arena;
    char cursor[512] = "";
    struct tk_buf path;
    tk_buf_init(&path, 1 << 20);
    tk_arena_init(&page_arena, 1 << 16, ARENA_LIMIT);
    status = tk_remote_open(remote, "export", &page_arena);
    while (status == TK_EXIT_GOOD) {
        struct tk_json_node *page;
        tk_buf_clear(&path);
        tk_buf_printf(&path, "/api/v1/traces?limit=%d", PAGE);
        tk_remote_param(&path, "q", export->query);
        tk_remote_param(&path, "start", export->start);
        tk_remote_param(&path, "end", export->end);
        tk_remote_param(&path, "cursor", cursor[0] != '\0' ? cursor : NULL);
        status = tk_remote_get_json(remote, &path, &page);
        if (status != TK_EXIT_GOOD)
            break;
        tk_str next = tk_json_get_str(page, "cursor");
        (void)snprintf(cursor, sizeof cursor, "%.*s", TK_STR_ARG(next));
        status = export_page(export, remote, page);
        if (cursor[0] == '\0')
            break;
        tk_arena_clear(&page_arena);
    }
    tk_remote_close(remote);
    tk_arena_release(&page_arena);
    tk_buf_release(&path);
    return status;
}

static enum tk_exit
export_local(struct export *export, const char *project)
{
    struct tk_local local = {0};
    struct tk_store_view *view = NULL;
    struct tk_store_scan *scan = NULL;
    struct tk_store_range all = {0};
    struct tk_error err = {0};
    struct tk_buf line;
    enum tk_err result = TK_OK;
    tk_buf_init(&line, LINE_MAX_SIZE);
    enum tk_exit status = tk_local_open(&local, "export", export->data, project);
    if (status != TK_EXIT_GOOD)
        goto out;
    result = tk_store_view_open(local.store, local.project, &view, &err);
    if (result == TK_OK)
        result = tk_store_scan_open(view, &all, &scan, &err);
    while (result == TK_OK && status == TK_EXIT_GOOD) {
        struct tk_store_trace trace;
        result = tk_store_scan_next(scan, &trace, &err);
        if (result != TK_OK)
            break;
        tk_buf_clear(&line);
        tk_otlp_json_encode(trace.spans, (struct tk_range){0, trace.spans->span_count}, &line);
        result = line.status;
        if (result == TK_OK)
            status = write_line(export, tk_buf_str(&line));
    }
    if (result != TK_OK && result != TK_ERR_END)
        status = tk_cli_fail(TK_EXIT_CANNOT_START, "export", "%s",
                             err.message[0] != '\0' ? err.message : tk_err_text(result));
out:
    tk_store_scan_close(scan);
    tk_store_view_close(view);
    tk_local_close(&local);
    tk_buf_release(&line);
    return status;
}

enum tk_exit
tk_cli_export(int argc, char **argv)
{
    struct tk_remote remote = TK_REMOTE_DEFAULTS;
    struct export export = {.to = stdout};
    const struct tk_option table[] = {
        TK_REMOTE_OPTIONS(&remote),
        {"data", TK_OPTION_STRING, &export.data, "DIR",
         "read this directory itself; no server may have it open", NULL, NULL},
        {"query", TK_OPTION_STRING, &export.query, "Q", "only traces it selects (with a server)",
         NULL, NULL},
        {"start", TK_OPTION_STRING, &export.start, "TIME", "began then or later (with a server)",
         NULL, NULL},
        {"end", TK_OPTION_STRING, &export.end, "TIME", "began before (with a server)", NULL, NULL},
        {"output", TK_OPTION_STRING, &export.output, "FILE", "[stdout]", NULL, NULL},
    };
    struct tk_options options = {.options = table, .option_count = sizeof table / sizeof *table};
    static const struct tk_cli_usage usage = {
        .command = "export",
        .usage = "tracekit export [options] > FILE.jsonl",
        .about = "Writes a project's traces as OTLP JSON lines, one trace a line, lossless.",
    };
    struct tk_arena arena;
    enum tk_exit status = TK_EXIT_GOOD;

    tk_arena_init(&arena, 4096, ARENA_LIMIT);
    if (!tk_cli_parse(&usage, &options, argc, argv, &arena, &status))
        goto out;
    if (export.data != NULL &&
        (export.query != NULL || export.start != NULL || export.end != NULL)) {
        status = tk_cli_fail(TK_EXIT_USAGE, "export", "--query, --start and --end need a server");
        goto out;
    }
    if (export.output != NULL && (export.to = fopen(export.output, "w")) == NULL) {
        status = tk_cli_fail(TK_EXIT_CANNOT_START, "export", "cannot write %s", export.output);
        goto out;
    }
    status = export.data != NULL ? export_local(&export, remote.project)
                                 : export_remote(&export, &remote);
    if (fflush(export.to) != 0 && status == TK_EXIT_GOOD)
        status = tk_cli_fail(TK_EXIT_CANNOT_START, "export", "cannot write");
    if (status == TK_EXIT_GOOD)
        (void)fprintf(stderr, "%llu traces\n", (unsigned long long)export.trace_count);
out:
    if (export.to != NULL && export.to != stdout)
        (void)fclose(export.to);
    tk_arena_release(&arena);
    return status;
}
