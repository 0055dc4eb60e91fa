/* Feeds an HTTP/2 connection behind the preface, in pieces. */
#include "net_conn.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0"; /* SETTINGS */
    char *input = size > 0 ? malloc(sizeof preface + size) : NULL;
    if (input == NULL)
        return 0;
    memcpy(input, preface, sizeof preface);
    memcpy(input + sizeof preface, data + 1, size - 1);
    (void)run_conn((tk_str){input, sizeof preface + size - 1}, data[0]);
    free(input);
    return 0;
}
