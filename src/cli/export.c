/*
 * export - traces as OTLP, newest first: from a server, or straight from a data directory that no
 * server has open.
 *
 * One trace is in memory at a time, and of what is written about a MiB: a long trace becomes
 * several documents (JSON lines), messages (protobuf: one after the other they are one message) or
 * elements (JSON), which import puts together again.
 */
#include "cli/local.h"
#include "cli/portion.h"
#include "cli/remote.h"
#include "query/timestamp.h"
#include "wire/otlp.h"

#include <stdio.h>
#include <unistd.h>

enum { PAGE = 1000, ARENA_LIMIT = 1 << 30 };

static const tk_str json_begin = {"{\"resourceSpans\":[", 18}, json_end = {"]}", 2};

enum form { FORM_JSONL, FORM_JSON, FORM_PB };

struct export
{
    const char *data, *query, *start, *end, *output, *format;
    enum form form;
    FILE *to;
    struct tk_buf portion;
    uint64_t trace_count;
    bool begun; /* something was written */
};

static enum tk_exit
write_bytes(struct export *export, tk_str bytes)
{
    if (bytes.len > 0 && fwrite(bytes.ptr, 1, bytes.len, export->to) != bytes.len)
        return tk_cli_fail(TK_EXIT_CANNOT_START, "export", "cannot write");
    return TK_EXIT_GOOD;
}

/* What has been encoded, in its form: a document's elements alone, for one long document. */
static enum tk_exit
write_portion(struct export *export)
{
    tk_str text = tk_buf_str(&export->portion);
    if (export->portion.status != TK_OK)
        return tk_cli_fail(TK_EXIT_CANNOT_START, "export", "out of memory");
    if (export->form == FORM_JSON)
        text = (tk_str){text.ptr + json_begin.len, text.len - json_begin.len - json_end.len};
    enum tk_exit status = TK_EXIT_GOOD;
    if (export->form == FORM_JSON && export->begun)
        status = write_bytes(export, TK_STR(",\n"));
    if (status == TK_EXIT_GOOD)
        status = write_bytes(export, text);
    if (status == TK_EXIT_GOOD && export->form == FORM_JSONL)
        status = write_bytes(export, TK_STR("\n"));
    export->begun = true;
    return status;
}

static enum tk_exit
write_trace(struct export *export, const struct tk_batch *spans)
{
    enum tk_exit status = TK_EXIT_GOOD;
    uint32_t begin = 0, count;
    while (status == TK_EXIT_GOOD && (count = tk_portion_rows(spans, begin)) > 0) {
        tk_buf_clear(&export->portion);
        if (export->form == FORM_PB)
            tk_otlp_protobuf_encode(spans, (struct tk_range){begin, count}, &export->portion);
        else
            tk_otlp_json_encode(spans, (struct tk_range){begin, count}, &export->portion);
        status = write_portion(export);
        begin += count;
    }
    export->trace_count++;
    return status;
}

static enum tk_exit
export_body(struct export *export, tk_str body)
{
    struct tk_rejected rejected;
    struct tk_error err = {0};
    enum tk_exit status;
    struct tk_batch *batch = tk_batch_new();
    enum tk_err result = batch != NULL ? TK_OK : TK_ERR_MEMORY;
    if (result == TK_OK)
        result = tk_otlp_protobuf_decode(body, batch, &rejected, &err);
    if (result == TK_OK && rejected.span_count > 0)
        result = tk_error_set(&err, TK_ERR_CORRUPT, "the server's answer: %s", rejected.reason);
    if (result == TK_OK)
        status = write_trace(export, batch);
    else
        status = tk_cli_fail(TK_EXIT_CANNOT_START, "export", "%s",
                             err.message[0] != '\0' ? err.message : tk_err_text(result));
    tk_batch_free(batch);
    return status;
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
        status = tk_remote_get(remote, &path, "application/x-protobuf", &body);
        if (status == TK_EXIT_GOOD)
            status = export_body(export, body);
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

/* The range of --start and --end; false: one of them is no time. */
static bool
parse_range(const struct export *export, struct tk_store_range *ret_range)
{
    *ret_range = (struct tk_store_range){0};
    bool good =
        (export->start == NULL ||
         tk_timestamp_parse(tk_str_from(export->start), &ret_range->begin_nano)) &&
        (export->end == NULL || tk_timestamp_parse(tk_str_from(export->end), &ret_range->end_nano));
    if (export->end != NULL && ret_range->end_nano == 0)
        ret_range->end_nano = 1; /* 0 would mean no end, and nothing starts at 0 */
    return good;
}

static enum tk_exit
export_local(struct export *export, const char *project)
{
    struct tk_local local = {0};
    struct tk_store_view *view = NULL;
    struct tk_store_scan *scan = NULL;
    struct tk_store_range range;
    struct tk_error err = {0};
    enum tk_err result = TK_OK;
    if (!parse_range(export, &range))
        return tk_cli_fail(TK_EXIT_USAGE, "export",
                           "--start and --end: RFC 3339, or nanoseconds since the epoch");
    if (access(export->data, F_OK) != 0)
        return tk_cli_fail(TK_EXIT_USAGE, "export", "--data %s: there is no such directory",
                           export->data);
    enum tk_exit status = tk_local_open(&local, "export", export->data, project);
    if (status != TK_EXIT_GOOD)
        goto out;
    result = tk_store_view_open(local.store, local.project, &view, &err);
    if (result == TK_OK)
        result = tk_store_scan_open(view, &range, &scan, &err);
    while (result == TK_OK && status == TK_EXIT_GOOD) {
        struct tk_store_trace trace;
        result = tk_store_scan_next(scan, &trace, &err);
        if (result == TK_OK)
            status = write_trace(export, trace.spans);
    }
    if (result != TK_OK && result != TK_ERR_END)
        status = tk_cli_fail(TK_EXIT_CANNOT_START, "export", "%s",
                             err.message[0] != '\0' ? err.message : tk_err_text(result));
out:
    tk_store_scan_close(scan);
    tk_store_view_close(view);
    tk_local_close(&local);
    return status;
}

static enum form
form_of(const char *format)
{
    if (strcmp(format, "pb") == 0)
        return FORM_PB;
    return strcmp(format, "json") == 0 ? FORM_JSON : FORM_JSONL;
}

static enum tk_exit
export_all(struct export *export, struct tk_remote *remote)
{
    enum tk_exit status = TK_EXIT_GOOD;
    tk_buf_init(&export->portion, INT32_MAX);
    if (export->form == FORM_JSON)
        status = write_bytes(export, json_begin);
    if (status == TK_EXIT_GOOD)
        status = export->data != NULL ? export_local(export, remote->project)
                                      : export_remote(export, remote);
    if (status == TK_EXIT_GOOD && export->form == FORM_JSON)
        status = write_bytes(export, TK_STR("]}\n"));
    if (fflush(export->to) != 0 && status == TK_EXIT_GOOD)
        status = tk_cli_fail(TK_EXIT_CANNOT_START, "export", "cannot write");
    if (status == TK_EXIT_GOOD)
        (void)fprintf(stderr, "%llu traces\n", (unsigned long long)export->trace_count);
    tk_buf_release(&export->portion);
    return status;
}

enum tk_exit
tk_cli_export(int argc, char **argv)
{
    struct tk_remote remote = TK_REMOTE_DEFAULTS;
    struct export export = {.to = stdout, .format = "jsonl"};
    const struct tk_option table[] = {
        TK_REMOTE_OPTIONS(&remote),
        {"data", TK_OPTION_STRING, &export.data, "DIR",
         "read this directory itself; no server may have it open", NULL, NULL},
        {"query", TK_OPTION_STRING, &export.query, "Q", "only traces it selects (with a server)",
         NULL, NULL},
        {"start", TK_OPTION_STRING, &export.start, "TIME",
         "traces that began then or later: RFC 3339 or nanoseconds", NULL, NULL},
        {"end", TK_OPTION_STRING, &export.end, "TIME", "traces that began before", NULL, NULL},
        {"format", TK_OPTION_CHOICE, &export.format, "FORMAT",
         "jsonl: many documents; json: one; pb: protobuf [jsonl]", "jsonl|json|pb", NULL},
        {"output", TK_OPTION_STRING, &export.output, "FILE", "[stdout]", NULL, NULL},
    };
    struct tk_options options = {.options = table, .option_count = sizeof table / sizeof *table};
    static const struct tk_cli_usage usage = {
        .command = "export",
        .usage = "tracekit export [options] > FILE.jsonl",
        .about =
            "Writes a project's traces as OTLP, lossless: as JSON lines a trace a line, a long\n"
            "trace several.",
    };
    struct tk_arena arena;
    enum tk_exit status = TK_EXIT_GOOD;

    tk_arena_init(&arena, 4096, ARENA_LIMIT);
    if (!tk_cli_parse(&usage, &options, argc, argv, &arena, &status))
        goto out;
    export.form = form_of(export.format);
    if (export.data != NULL && export.query != NULL) {
        status = tk_cli_fail(TK_EXIT_USAGE, "export", "--query needs a server");
        goto out;
    }
    if (export.output != NULL && (export.to = fopen(export.output, "w")) == NULL) {
        status = tk_cli_fail(TK_EXIT_CANNOT_START, "export", "cannot write %s", export.output);
        goto out;
    }
    status = export_all(&export, &remote);
out:
    if (export.to != NULL && export.to != stdout)
        (void)fclose(export.to);
    tk_arena_release(&arena);
    return status;
}
