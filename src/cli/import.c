/*
 * import - OTLP files into a server, or into a data directory that no server has open.
 *
 * What a file is, its bytes say: zstd or gzip by magic number, then JSON when the first character
 * is `{`, else protobuf.  JSON may be one document over many lines or many documents in one file.
 * A file is read as far as the document at hand needs, so its size does not matter; a compressed
 * one is unpacked in memory.  Protobuf is taken apart between its resource_spans: a message is no
 * more than these, one after the other.
 */
#include "cli/outlet.h"
#include "wire/compress.h"
#include "wire/protobuf.h"

#include <stdio.h>
#include <stdlib.h>

enum { ARENA_LIMIT = 1 << 30, READ_SIZE = 1 << 20, PROTOBUF_BYTES = 4 << 20 };
static const size_t document_size_max = (size_t)8 << 30; /* and of a compressed file, unpacked */

struct import {
    const char *data;
    struct tk_remote remote;
    struct tk_local local;
    struct tk_outlet *outlet;
    uint64_t document_count, rejected_count;
};

/* A file, as much of it as is in memory: bytes[at..]. */
struct input {
    const char *name;
    FILE *file;
    struct tk_buf bytes;
    size_t at;
    bool ended; /* nothing more comes */
    enum tk_err result;
};

static tk_str
rest_of(const struct input *input)
{
    return (tk_str){input->bytes.ptr + input->at, input->bytes.len - input->at};
}

/* Reads on; false: there is nothing more. */
static bool
read_more(struct input *input)
{
    if (input->ended)
        return false;
    if (input->at > 0) {
        memmove(input->bytes.ptr, input->bytes.ptr + input->at, input->bytes.len - input->at);
        input->bytes.len -= input->at;
        input->at = 0;
    }
    size_t size = input->bytes.len > READ_SIZE ? input->bytes.len : READ_SIZE; /* doubles */
    char *at = tk_buf_reserve(&input->bytes, size);
    size_t got = at != NULL ? fread(at, 1, size, input->file) : 0;
    input->bytes.len += got;
    input->ended = got == 0;
    if (at == NULL)
        input->result = input->bytes.status;
    else if (ferror(input->file))
        input->result = TK_ERR_IO;
    return got > 0;
}

static enum tk_exit
import_document(struct import *import, enum tk_format format, tk_str document, const char *file)
{
    struct tk_rejected rejected = {0};
    struct tk_error err = {0};
    enum tk_exit status = TK_EXIT_GOOD;
    struct tk_batch *batch = tk_batch_new();
    enum tk_err result = batch != NULL ? TK_OK : TK_ERR_MEMORY;
    if (result == TK_OK)
        result = tk_wire_decode(format, TK_ENCODING_NONE, document, NULL, document.len, batch,
                                &rejected, &err);
    if (result == TK_OK)
        status = tk_outlet_add(import->outlet, batch);
    tk_batch_free(batch);
    import->rejected_count += rejected.span_count;
    if (rejected.span_count > 0)
        (void)fprintf(stderr, "%s: %llu spans refused: %s\n", file,
                      (unsigned long long)rejected.span_count, rejected.reason);
    if (result != TK_OK)
        return tk_cli_fail(result == TK_ERR_INPUT ? TK_EXIT_USAGE : TK_EXIT_CANNOT_START, "import",
                           "%s: document %llu: %s", file,
                           (unsigned long long)import->document_count + 1,
                           err.message[0] != '\0' ? err.message : tk_err_text(result));
    if (status == TK_EXIT_GOOD)
        import->document_count++;
    return status;
}

static bool
is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* Where a scan for the end of a JSON document stands. */
struct scan {
    size_t at, depth;
    bool in_string, done;
};

/* On to the bracket that matches the first one, or to the end of what there is. */
static void
scan_document(struct scan *scan, tk_str text)
{
    for (; scan->at < text.len && !scan->done; scan->at++) {
        char c = text.ptr[scan->at];
        if (scan->in_string && c == '\\') {
            if (scan->at + 1 == text.len)
                return; /* what it escapes has not been read */
            scan->at++;
        } else if (c == '"')
            scan->in_string = !scan->in_string;
        else if (!scan->in_string && (c == '{' || c == '['))
            scan->depth++;
        else if (!scan->in_string && (c == '}' || c == ']'))
            scan->done = --scan->depth == 0;
    }
}

/* The next document; all that is left when its brackets do not match (the decoder then says what is
   wrong). Nothing but space: *ret_document is empty. */
static void
next_json(struct input *input, tk_str *ret_document)
{
    struct scan scan = {0};
    do
        while (input->at < input->bytes.len && is_space(input->bytes.ptr[input->at]))
            input->at++;
    while (input->at == input->bytes.len && read_more(input));
    do
        scan_document(&scan, rest_of(input));
    while (!scan.done && read_more(input));
    *ret_document =
        (tk_str){input->bytes.ptr + input->at, scan.done ? scan.at : rest_of(input).len};
    input->at += ret_document->len;
}

/* Bytes of the whole fields at the front, at most PROTOBUF_BYTES unless the first one is larger; 0:
   not even that one is whole. */
static size_t
whole_fields(tk_str text)
{
    struct tk_pb pb = tk_pb_reader(text);
    const char *end = text.ptr + text.len, *good = text.ptr;
    tk_str field;
    uint32_t tag;
    while (good < end && good - text.ptr < PROTOBUF_BYTES && tk_pb_read_tag(&pb, end, &tag) &&
           (tag & 7) == TK_PB_LENGTH && tk_pb_read_bytes(&pb, end, &field))
        good = pb.at;
    return (size_t)(good - text.ptr);
}

/* The same for protobuf. */
static void
next_protobuf(struct input *input, tk_str *ret_document)
{
    size_t size;
    while ((size = whole_fields(rest_of(input))) == 0 && read_more(input))
        continue;
    *ret_document = rest_of(input);
    if (size > 0)
        ret_document->len = size;
    input->at += ret_document->len;
}

static enum tk_exit
import_documents(struct import *import, struct input *input)
{
    enum tk_exit status = TK_EXIT_GOOD;
    tk_str text = rest_of(input), document;
    while (text.len > 0 && is_space(text.ptr[0]))
        text = (tk_str){text.ptr + 1, text.len - 1};
    bool json = text.len > 0 && text.ptr[0] == '{';
    do {
        if (json)
            next_json(input, &document);
        else
            next_protobuf(input, &document);
        if (input->result != TK_OK)
            return tk_cli_fail(TK_EXIT_USAGE, "import", "%s: %s", input->name,
                               tk_err_text(input->result));
        if (document.len > 0)
            status = import_document(import, json ? TK_FORMAT_OTLP_JSON : TK_FORMAT_OTLP_PROTOBUF,
                                     document, input->name);
    } while (document.len > 0 && status == TK_EXIT_GOOD);
    return status;
}

/* A compressed file is read to its end and unpacked. */
static enum tk_err
unpack(struct input *input, enum tk_encoding encoding, struct tk_error *err)
{
    char *plain = NULL;
    size_t len = 0;
    while (read_more(input))
        continue;
    if (input->result != TK_OK)
        return input->result;
    enum tk_err result =
        tk_decompress(encoding, tk_buf_str(&input->bytes), document_size_max, &plain, &len, err);
    if (result != TK_OK)
        return result;
    tk_buf_release(&input->bytes);
    tk_buf_init(&input->bytes, document_size_max);
    input->bytes.ptr = plain;
    input->bytes.len = input->bytes.capacity = len;
    return TK_OK;
}

static enum tk_exit
import_file(struct import *import, const char *path)
{
    struct input input = {.name = path};
    struct tk_error err = {0};
    enum tk_exit status;
    input.file = strcmp(path, "-") == 0 ? stdin : fopen(path, "rb");
    if (input.file == NULL)
        return tk_cli_fail(TK_EXIT_USAGE, "import", "%s: %s", path, tk_err_text(TK_ERR_NOT_FOUND));
    tk_buf_init(&input.bytes, document_size_max);
    (void)read_more(&input);
    enum tk_encoding encoding = tk_encoding_sniff(tk_buf_str(&input.bytes));
    enum tk_err result = encoding != TK_ENCODING_NONE ? unpack(&input, encoding, &err) : TK_OK;
    if (result != TK_OK)
        status = tk_cli_fail(TK_EXIT_USAGE, "import", "%s: %s", path,
                             err.message[0] != '\0' ? err.message : tk_err_text(result));
    else
        status = import_documents(import, &input);
    tk_buf_release(&input.bytes);
    if (input.file != stdin)
        (void)fclose(input.file);
    return status;
}

static enum tk_exit
import_files(struct import *import, const struct tk_options *options)
{
    enum tk_exit status = TK_EXIT_GOOD;
    uint64_t refused = 0;
    import->outlet = tk_outlet_new(import->data == NULL ? &import->remote : NULL,
                                   import->data != NULL ? &import->local : NULL);
    if (import->outlet == NULL)
        return tk_cli_fail(TK_EXIT_CANNOT_START, "import", "out of memory");
    for (size_t i = 0; i < options->positional_count && status == TK_EXIT_GOOD; i++)
        status = import_file(import, options->positional[i]);
    /* Also after a failure: what came before it was good. */
    enum tk_exit finished = tk_outlet_finish(import->outlet, &refused);
    if (status == TK_EXIT_GOOD)
        status = finished;
    if (finished == TK_EXIT_GOOD && import->document_count > 0)
        (void)fprintf(stderr, "%llu documents imported, %llu spans refused\n",
                      (unsigned long long)import->document_count,
                      (unsigned long long)import->rejected_count + refused);
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
    struct tk_arena arena, requests;
    enum tk_exit status = TK_EXIT_GOOD;

    tk_arena_init(&arena, 4096, ARENA_LIMIT);
    tk_arena_init(&requests, 4096, ARENA_LIMIT);
    if (!tk_cli_parse(&usage, &options, argc, argv, &arena, &status))
        goto out;
    import.remote.command = "import";
    import.remote.arena = &requests;
    status = import.data != NULL
                 ? tk_local_open(&import.local, "import", import.data, import.remote.project)
                 : tk_remote_open(&import.remote, "import", &requests);
    if (status == TK_EXIT_GOOD)
        status = import_files(&import, &options);
out:
    tk_outlet_free(import.outlet);
    tk_remote_close(&import.remote);
    tk_local_close(&import.local);
    tk_arena_release(&requests);
    tk_arena_release(&arena);
    return status;
}
