/* Any bytes as a body of otlp_protobuf: refused with a place, or a batch that keeps its promises.
 */
#include "invariants.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    return check_decoder(tk_otlp_protobuf_decode, data, size);
}
