/* Any bytes as a compressed body: the first says which encoding, the rest is the body. */
#include "base/assert.h"
#include "wire/compress.h"

enum { LIMIT = 1 << 20 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check_round_trip(enum tk_encoding encoding, tk_str plain)
{
    char *packed, *again;
    size_t packed_len, again_len;
    TK_ASSERT(tk_compress(encoding, 1, plain, &packed, &packed_len) == TK_OK);
    TK_ASSERT(tk_decompress(encoding, (tk_str){packed, packed_len}, plain.len, &again, &again_len,
                            NULL) == TK_OK);
    TK_ASSERT(tk_str_eq(plain, (tk_str){again, again_len}));
    free(packed);
    free(again);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    enum tk_encoding encoding = (enum tk_encoding)(data[0] % (TK_ENCODING_ZSTD + 1));
    tk_str body = {(const char *)data + 1, size - 1};
    struct tk_error err = {0};
    char *plain;
    size_t len;
    enum tk_err code = tk_decompress(encoding, body, LIMIT, &plain, &len, &err);
    TK_ASSERT(code == TK_OK || code == TK_ERR_INPUT || code == TK_ERR_LIMIT);
    if (code == TK_OK) {
        TK_ASSERT(len <= LIMIT);
        check_round_trip(encoding, (tk_str){plain, len});
        free(plain);
    } else {
        TK_ASSERT(err.message[0] != '\0');
    }
    return 0;
}
