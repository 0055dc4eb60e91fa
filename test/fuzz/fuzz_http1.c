/* Feeds a connection, whole and in pieces: the handler must see the same requests both times. */
#include "net_conn.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1)
        return 0;
    tk_str input = {(const char *)data + 1, size - 1};
    struct seen whole = run_conn(input, 0);
    struct seen pieces = run_conn(input, data[0] * 0x9e3779b97f4a7c15u | 1);
    if (!tk_str_starts_with(input, TK_STR("PRI "))) { /* nghttp2 may see the pieces differently */
        TK_ASSERT(whole.requests == pieces.requests);
        TK_ASSERT(whole.hash == pieces.hash);
    }
    return 0;
}
