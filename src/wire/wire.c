/* wire - see wire.h. */
#include "wire/wire.h"

#include "base/assert.h"
#include "wire/compress.h"
#include "wire/otlp.h"
#include "wire/zipkin.h"

#include <stdlib.h>

static enum tk_err
decode(enum tk_format format, tk_str body, struct tk_batch *batch, struct tk_rejected *ret_rejected,
       struct tk_error *err)
{
    switch (format) {
    case TK_FORMAT_OTLP_PROTOBUF:
        return tk_otlp_protobuf_decode(body, batch, ret_rejected, err);
    case TK_FORMAT_OTLP_JSON:
        return tk_otlp_json_decode(body, batch, ret_rejected, err);
    case TK_FORMAT_ZIPKIN_JSON_V2:
        return tk_zipkin_json_decode(body, batch, ret_rejected, err);
    }
    return TK_ERR_UNSUPPORTED;
}

enum tk_err
tk_wire_decode(enum tk_format format, enum tk_encoding encoding, tk_str body, void *body_owned,
               size_t limit, struct tk_batch *batch, struct tk_rejected *ret_rejected,
               struct tk_error *err)
{
    TK_ASSERT(batch->span_count == 0 && batch->resource_count == 0);
    struct tk_rejected rejected = {0};
    char *own = NULL; /* what the batch will view, unless that is body_owned */
    tk_str plain = body;
    if (body.len > limit)
        return tk_error_set(err, TK_ERR_LIMIT, "body beyond %zu bytes", limit);
    if (encoding != TK_ENCODING_NONE || body_owned == NULL) {
        enum tk_err code = tk_decompress(encoding, body, limit, &own, &plain.len, err);
        if (code != TK_OK)
            return code;
        plain.ptr = own;
    }
    if (limit < TK_WIRE_UNLIMITED)
        batch->memory_max = TK_WIRE_COLUMNS_FACTOR * plain.len + TK_WIRE_COLUMNS_MIN;
    enum tk_err code = decode(format, plain, batch, &rejected, err);
    if (code == TK_OK)
        code = tk_batch_find_shapes(batch);
    if (code != TK_OK) {
        tk_batch_clear(batch);
        free(own);
        return code;
    }
    if (own != NULL)
        free(body_owned);
    tk_batch_adopt(batch, own != NULL ? own : body_owned);
    *ret_rejected = rejected;
    return TK_OK;
}

bool
tk_encoding_parse(tk_str name, enum tk_encoding *ret_encoding)
{
    static const struct {
        const char *name;
        enum tk_encoding encoding;
    } names[] = {
        {"", TK_ENCODING_NONE},       {"identity", TK_ENCODING_NONE},   {"gzip", TK_ENCODING_GZIP},
        {"x-gzip", TK_ENCODING_GZIP}, {"deflate", TK_ENCODING_DEFLATE}, {"zstd", TK_ENCODING_ZSTD},
    };
    name = tk_str_trim(name);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (tk_str_eq_nocase(name, tk_str_from(names[i].name))) {
            *ret_encoding = names[i].encoding;
            return true;
        }
    }
    return false;
}
