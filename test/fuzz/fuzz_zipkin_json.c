/* Any bytes as a body of zipkin_json: refused with a place, or a batch that keeps its promises. */
#include "invariants.h"
#include "wire/zipkin.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    return check_decoder(tk_zipkin_json_decode, data, size);
}
