/* Any bytes as JSON: what the reader takes, the writer writes, and the reader takes again. */
#include "base/assert.h"
#include "base/json.h"

enum { LIMIT = 1 << 24 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
write_token(struct tk_json_writer *writer, const struct tk_json_token *token)
{
    switch (token->type) {
    case TK_JSON_OBJECT:
        tk_json_object(writer);
        break;
    case TK_JSON_OBJECT_END:
        tk_json_object_end(writer);
        break;
    case TK_JSON_ARRAY:
        tk_json_array(writer);
        break;
    case TK_JSON_ARRAY_END:
        tk_json_array_end(writer);
        break;
    case TK_JSON_KEY:
        tk_json_key(writer, token->text);
        break;
    case TK_JSON_STRING:
        tk_json_string(writer, token->text);
        break;
    case TK_JSON_NUMBER:
        tk_json_raw(writer, token->text);
        break;
    case TK_JSON_TRUE:
    case TK_JSON_FALSE:
        tk_json_bool(writer, token->type == TK_JSON_TRUE);
        break;
    case TK_JSON_NULL:
        tk_json_null(writer);
        break;
    case TK_JSON_DONE:
        break;
    }
}

/* Reads `text` and writes it into `out` without spaces. */
static enum tk_err
rewrite(tk_str text, struct tk_arena *arena, struct tk_buf *out)
{
    struct tk_json_reader reader;
    struct tk_json_writer writer;
    struct tk_json_token token = {.type = TK_JSON_NULL};
    struct tk_error err = {0};
    tk_json_reader_init(&reader, text, arena);
    tk_json_writer_init(&writer, out);
    while (token.type != TK_JSON_DONE) {
        size_t before = reader.at;
        enum tk_err code = tk_json_next(&reader, &token, &err);
        if (code != TK_OK) {
            TK_ASSERT(code == TK_ERR_INPUT && err.message[0] != '\0' && reader.at <= text.len);
            return code;
        }
        TK_ASSERT(token.offset >= before && token.offset <= reader.at && reader.at <= text.len);
        TK_ASSERT(tk_utf8_valid(token.text, NULL));
        write_token(&writer, &token);
    }
    return TK_OK;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct tk_arena arena;
    struct tk_buf first, second;
    struct tk_json_reader reader;
    tk_str text = {(const char *)data, size};
    tk_arena_init(&arena, 4096, LIMIT);
    tk_buf_init(&first, LIMIT);
    tk_buf_init(&second, LIMIT);
    enum tk_err code = rewrite(text, &arena, &first);
    if (code == TK_OK) {
        TK_ASSERT(rewrite(tk_buf_str(&first), &arena, &second) == TK_OK);
        TK_ASSERT(tk_str_eq(tk_buf_str(&first), tk_buf_str(&second)));
        tk_json_reader_init(&reader, text, &arena);
        TK_ASSERT(tk_json_skip(&reader, NULL) == TK_OK);
    }
    tk_buf_release(&first);
    tk_buf_release(&second);
    tk_arena_release(&arena);
    return 0;
}
