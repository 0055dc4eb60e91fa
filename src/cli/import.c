/*
 * import - OTLP files into a server, or into a data directory that no server has open.
 *
 * What a file is, its bytes say: zstd or gzip by magic number, then JSON when the first character
 * is
 * `{`, else protobuf.  JSON may be one document over many lines or many documents in one file; each
 * document is one request, and is either taken whole or refused with a message.
 */
#include "cli/local.h"
#include "cli/remote.h"
#include "wire/compress.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

enum { ARENA_LIMIT = 1 << 30 };
static const size_t file_size_max = (size_t)8 << 30;

struct import {
    const char *data;
    struct tk_remote remote;
    struct tk_local local;
    uint64_t document_count, rejected_count;
};

/* Lets the importing thread wait until the store has made one append durable. */
struct waiter {
    pthread_mutex_t mutex;
    pthread_cond_t done_signal;
    bool done;
    enum tk_err result;
    struct tk_error err;
};

static void
append_done(void *arg, enum tk_err result, const struct tk_error *err)
{
    struct waiter *waiter = arg;
    (void)pthread_mutex_lock(&waiter->mutex);
    waiter->done = true;
    waiter->result = result;
    if (err != NULL)
        waiter->err = *err;
    (void)pthread_cond_signal(&waiter->done_signal);
    (void)pthread_mutex_unlock(&waiter->mutex);
}

static enum tk_err
append_and_wait(struct tk_store *store, struct tk_store_append *append, struct tk_error *err)
{
    struct waiter waiter = {.mutex = PTHREAD_MUTEX_INITIALIZER,
                            .done_signal = PTHREAD_COND_INITIALIZER};
    append->done = append_done;
    append->arg = &waiter;
    enum tk_err result = tk_store_append(store, append, err);
    if (result != TK_OK) {
        tk_batch_free(append->batch); /* refused: still ours */
        return result;
    }
    (void)pthread_mutex_lock(&waiter.mutex);
    while (!waiter.done)
        (void)pthread_cond_wait(&waiter.done_signal, &waiter.mutex);
    (void)pthread_mutex_unlock(&waiter.mutex);
    if (waiter.result != TK_OK && err != NULL)
        *err = waiter.err;
    return waiter.result;
}

static enum tk_exit
import_local(struct import *import, enum tk_format format, tk_str document, const char *file)
{
    struct tk_rejected rejected = {0};
    struct tk_error err = {0};
    struct tk_batch *batch = tk_batch_new();
    enum tk_err result = batch != NULL ? TK_OK : TK_ERR_MEMORY;
    if (result == TK_OK)
        result = tk_wire_decode(format, TK_ENCODING_NONE, document, NULL, document.len, batch,
                                &rejected, &err);
    if (result != TK_OK || batch->span_count == 0) {
        tk_batch_free(batch);
    } else {
        struct tk_store_append append = {.project = import->local.project,
                                         .format = format,
                                         .encoding = TK_ENCODING_NONE,
                                         .body = document,
                                         .batch = batch};
        result = append_and_wait(import->local.store, &append, &err);
    }
    import->rejected_count += rejected.span_count;
    if (rejected.span_count > 0)
        (void)fprintf(stderr, "%s: %llu spans refused: %s\n", file,
                      (unsigned long long)rejected.span_count, rejected.reason);
    if (result != TK_OK)
        return tk_cli_fail(result == TK_ERR_INPUT ? TK_EXIT_USAGE : TK_EXIT_CANNOT_START, "import",
                           "%s: %s", file,
                           err.message[0] != '\0' ? err.message : tk_err_text(result));
    return TK_EXIT_GOOD;
}

static enum tk_exit
import_remote(struct import *import, enum tk_format format, tk_str document, const char *file)
{
    tk_str answer;
    const char *type =
        format == TK_FORMAT_OTLP_JSON ? "application/json" : "application/x-protobuf";
    enum tk_exit status = tk_remote_post(&import->remote, type, document, &answer);
    if (status != TK_EXIT_GOOD)
        return tk_cli_fail(status, "import", "%s: stopped at document %llu", file,
                           (unsigned long long)import->document_count + 1);
    struct tk_json_node *root;
    if (format == TK_FORMAT_OTLP_JSON &&
        tk_json_tree_parse(answer, import->remote.arena, &root, NULL) == TK_OK) {
        const struct tk_json_node *partial = tk_json_get(root, "partialSuccess");
        uint64_t rejected = tk_json_get_u64(partial, "rejectedSpans");
        import->rejected_count += rejected;
        if (rejected > 0)
            (void)fprintf(stderr, "%s: %llu spans refused: %.*s\n", file,
                          (unsigned long long)rejected,
                          TK_STR_ARG(tk_json_get_str(partial, "errorMessage")));
    }
    return TK_EXIT_GOOD;
}

static enum tk_exit
import_document(struct import *import, enum tk_format format, tk_str document, const char *file)
{
    enum tk_exit status = import->data != NULL ? import_local(import, format, document, file)
                                               : import_remote(import, format, document, file);
    if (status == TK_EXIT_GOOD)
        import->document_count++;
    tk_arena_clear(import->remote.arena);
    return status;
}

static bool
is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* Bytes of the JSON document at the front: up to its matching bracket, all of it when unbalanced
   (the decoder then says what is wrong). */
static size_t
document_size(tk_str text)
{
    size_t depth = 0;
    bool in_string = false;
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        if (in_string && c == '\\')
            i++;
        else if (c == '"')
            in_string = !in_string;
        else if (!in_string && (c == '{' || c == '['))
            depth++;
        else if (!in_string && (c == '}' || c == ']') && --depth == 0)
            return i + 1;
    }
    return text.len;
}

static enum tk_exit
import_bytes(struct import *import, tk_str bytes, const char *file)
{
    tk_str rest = bytes;
    enum tk_exit status = TK_EXIT_GOOD;
    while (rest.len > 0 && is_space(rest.ptr[0]))
        rest = (tk_str){rest.ptr + 1, rest.len - 1};
    if (rest.len == 0 || rest.ptr[0] != '{')
        return import_document(import, TK_FORMAT_OTLP_PROTOBUF, bytes, file);
    while (rest.len > 0 && status == TK_EXIT_GOOD) {
        size_t size = document_size(rest);
        status = import_document(import, TK_FORMAT_OTLP_JSON, (tk_str){rest.ptr, size}, file);
        rest = (tk_str){rest.ptr + size, rest.len - size};
        while (rest.len > 0 && is_space(rest.ptr[0]))
            rest = (tk_str){rest.ptr + 1, rest.len - 1};
    }
    return status;
}

static enum tk_err
read_file(const char *path, struct tk_buf *bytes)
{
    FILE *file = strcmp(path, "-") == 0 ? stdin : fopen(path, "rb");
    size_t got = 1;
    if (file == NULL)
        return TK_ERR_NOT_FOUND;
    while (got > 0) {
        char *at = tk_buf_reserve(bytes, 1 << 16);
        got = at != NULL ? fread(at, 1, 1 << 16, file) : 0;
        bytes->len += got;
    }
    enum tk_err result = ferror(file) ? TK_ERR_IO : bytes->status;
    if (file != stdin)
        (void)fclose(file);
    return result;
}

static enum tk_exit
import_file(struct import *import, const char *path)
{
    enum tk_exit status;
    struct tk_error err = {0};
    struct tk_buf bytes;
    char *plain = NULL;
    size_t plain_len = 0;
    tk_buf_init(&bytes, file_size_max);
    enum tk_err result = read_file(path, &bytes);
    enum tk_encoding encoding = tk_encoding_sniff(tk_buf_str(&bytes));
    if (result == TK_OK && encoding != TK_ENCODING_NONE)
        result =
            tk_decompress(encoding, tk_buf_str(&bytes), file_size_max, &plain, &plain_len, &err);
    if (result != TK_OK)
        status = tk_cli_fail(TK_EXIT_USAGE, "import", "%s: %s", path,
                             err.message[0] != '\0' ? err.message : tk_err_text(result));
    else
        status = import_bytes(
            import, plain != NULL ? (tk_str){plain, plain_len} : tk_buf_str(&bytes), path);
    free(plain);
    tk_buf_release(&bytes);
    return status;
}

enum tk_exit
tk_cli_import(int argc, char **argv)
{
    struct import import = {.remote = TK_REMOTE_DEFAULTS};
    const struct tk_option table[] = {
        TK_REMOTE_OPTIONS(&import.remote),
        {"data", TK_OPTION_STRING, &import.data, "DIR",
         "write into this directory itself; no server may have it open", NULL, NULL},
    };
    struct tk_options options = {.options = table, .option_count = sizeof table / sizeof *table};
    static const struct tk_cli_usage usage = {
        .command = "import",
        .usage = "tracekit import FILE... [options]",
        .about =
            "Reads OTLP files: JSON, JSON lines or protobuf, plain or compressed with zstd or\n"
            "gzip, told by their content; `-` is stdin. Through a server the key must be a\n"
            "server key. What was imported before is not doubled.",
        .positional_min = 1,
        .positional_max = SIZE_MAX,
    };
    struct tk_arena arena, documents;
    enum tk_exit status = TK_EXIT_GOOD;

    tk_arena_init(&arena, 4096, ARENA_LIMIT);
    tk_arena_init(&documents, 4096, ARENA_LIMIT);
    if (!tk_cli_parse(&usage, &options, argc, argv, &arena, &status))
        goto out;
    import.remote.command = "import";
    import.remote.arena = &documents;
    status = import.data != NULL
                 ? tk_local_open(&import.local, "import", import.data, import.remote.project)
                 : tk_remote_open(&import.remote, "import", &documents);
    for (size_t i = 0; i < options.positional_count && status == TK_EXIT_GOOD; i++)
        status = import_file(&import, options.positional[i]);
    if (import.document_count > 0)
        (void)fprintf(stderr, "%llu documents imported, %llu spans refused\n",
                      (unsigned long long)import.document_count,
                      (unsigned long long)import.rejected_count);
out:
    tk_remote_close(&import.remote);
    tk_local_close(&import.local);
    tk_arena_release(&documents);
    tk_arena_release(&arena);
    return status;
}
