/* segment_sections - see segment_sections.h; docs/formats/segment.md. */
#include "store/segment/segment_sections.h"

#include "store/segment/zstd.h"
#include "wire/otlp.h"

static const char MAGIC[8] = {'T', 'K', 'S', 'E', 'G', '\r', '\n', 0x1A};

enum { SECTION_LEVEL = 3, COMPRESS_MIN = 64 };
/* A large file is synced as it grows: all of it at the end would keep the log waiting for the disk.
 */
static const uint64_t SYNC_BYTES = 8 << 20;

enum tk_err
tk_file_writer_open(struct tk_file_writer *out, struct tk_env *env, const char *path,
                    bool compressed, struct tk_error *err)
{
    *out = (struct tk_file_writer){._level = compressed ? SECTION_LEVEL : 0, ._env = env};
    tk_buf_init(&out->_packed, SIZE_MAX / 2);
    tk_buf_init(&out->_texts, SIZE_MAX / 2);
    return env->open(env, path, TK_OPEN_CREATE, &out->_file, err);
}

void
tk_file_writer_release(struct tk_file_writer *out)
{
    if (out->_file != NULL)
        out->_env->close(out->_env, out->_file);
    tk_buf_release(&out->_packed);
    tk_buf_release(&out->_texts);
    *out = (struct tk_file_writer){0};
}

enum tk_err
tk_file_writer_bytes(struct tk_file_writer *out, tk_str bytes, struct tk_error *err)
{
    if (bytes.len == 0)
        return TK_OK;
    enum tk_err code =
        out->_env->write_at(out->_env, out->_file, bytes.ptr, bytes.len, out->offset, err);
    if (code == TK_OK)
        out->offset += bytes.len;
    if (code == TK_OK && out->offset - out->_synced >= SYNC_BYTES) {
        code = out->_env->sync(out->_env, out->_file, err);
        out->_synced = out->offset;
    }
    return code;
}

enum tk_err
tk_file_writer_part(struct tk_file_writer *out, struct tk_buf *raw, struct tk_part *ret_part,
                    struct tk_error *err)
{
    tk_str bytes = tk_buf_str(raw);
    if (raw->status != TK_OK)
        return tk_error_set(err, raw->status, "cannot make a section of a segment");
    if (raw->len == 0) {
        *ret_part = (struct tk_part){0};
        return TK_OK;
    }
    if (out->_level > 0 && raw->len >= COMPRESS_MIN) {
        tk_buf_clear(&out->_packed);
        tk_zstd_compress(bytes, out->_level, &out->_packed);
        if (out->_packed.status != TK_OK)
            return tk_error_set(err, out->_packed.status, "cannot compress a section");
        if (out->_packed.len < raw->len)
            bytes = tk_buf_str(&out->_packed);
    }
    *ret_part = (struct tk_part){out->offset, bytes.len, raw->len, tk_hash_stable(bytes)};
    tk_buf_clear(raw);
    return tk_file_writer_bytes(out, bytes, err);
}

enum tk_err
tk_file_writer_messages(struct tk_file_writer *out, const tk_str *messages, uint32_t count,
                        struct tk_part *ret_part, struct tk_error *err)
{
    struct tk_buf section;
    uint64_t written = count;
    enum tk_err code = TK_OK;
    tk_buf_init(&section, SIZE_MAX / 2);
    tk_put_bytes(&section, &written, sizeof written);
    for (uint32_t at = 0; at < count && code == TK_OK; at += TK_RESOURCE_PAGE) {
        uint32_t more = count - at < TK_RESOURCE_PAGE ? count - at : TK_RESOURCE_PAGE;
        struct tk_buf *texts = &out->_texts;
        tk_buf_clear(texts);
        tk_texts_encode(messages + at, more, out->_level, texts);
        if (texts->status != TK_OK || texts->len > UINT32_MAX) {
            code = tk_error_set(err, TK_ERR_MEMORY, "cannot make a page of resources");
            break;
        }
        struct tk_page page = {out->offset, (uint32_t)texts->len,
                               tk_page_checksum(tk_buf_str(texts))};
        tk_put_bytes(&section, &page, sizeof page);
        code = tk_file_writer_bytes(out, tk_buf_str(texts), err);
    }
    if (code == TK_OK)
        code = tk_file_writer_part(out, &section, ret_part, err);
    tk_buf_release(&section);
    return code;
}

enum tk_err
tk_file_writer_footer(struct tk_file_writer *out, struct tk_footer *footer, struct tk_error *err)
{
    memcpy(footer->magic, MAGIC, sizeof footer->magic);
    footer->crc = tk_crc32c(0, (tk_str){(const char *)footer, offsetof(struct tk_footer, crc)});
    enum tk_err code =
        tk_file_writer_bytes(out, (tk_str){(const char *)footer, sizeof *footer}, err);
    if (code == TK_OK)
        code = out->_env->sync(out->_env, out->_file, err);
    return code;
}

enum tk_err
tk_message_service(tk_str resource, struct tk_arena *arena, tk_str *ret_service)
{
    struct tk_batch *batch = tk_batch_new();
    if (batch == NULL)
        return TK_ERR_MEMORY;
    enum tk_err code = tk_otlp_resource_decode(resource, batch, NULL);
    if (code == TK_OK) {
        *ret_service = tk_arena_copy(arena, tk_batch_resource_service(batch, 0));
        code = ret_service->ptr != NULL ? TK_OK : TK_ERR_MEMORY;
    }
    tk_batch_free(batch);
    return code;
}

void
tk_section_put_dictionary(const struct tk_schema_column *column, struct tk_buf *out)
{
    if (column->texts != NULL)
        tk_texts_encode(column->texts, column->column.distinct, 0, out);
    else if (column->numbers != NULL)
        tk_numbers_encode(column->numbers, column->column.distinct, 0, out);
}

void
tk_section_put_column(const struct tk_column *column, struct tk_buf *out)
{
    const char head[4] = {(char)column->owner, (char)column->type, (char)column->kind, 0};
    tk_put_bytes(out, head, sizeof head);
    tk_put_varint(out, column->key.len);
    tk_buf_append(out, column->key);
    tk_put_varint(out, column->value_count);
    tk_put_varint(out, column->distinct);
    tk_put_bytes(out, &column->dictionary, sizeof column->dictionary);
    tk_put_bytes(out, &column->zones, sizeof column->zones);
    tk_put_bytes(out, &column->index, sizeof column->index);
    tk_put_bytes(out, &column->counts, sizeof column->counts);
}

void
tk_section_put_shapes(const struct tk_schema *schema, struct tk_buf *out)
{
    tk_put_varint(out, schema->shape_count);
    for (uint32_t i = 0; i < schema->shape_count; i++) {
        tk_put_varint(out, schema->shapes[i].count);
        for (uint32_t k = 0; k < schema->shapes[i].count; k++)
            tk_put_varint(out, schema->shapes[i].columns[k]);
    }
}
