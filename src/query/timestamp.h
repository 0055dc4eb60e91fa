#ifndef TK_QUERY_TIMESTAMP_H
#define TK_QUERY_TIMESTAMP_H
/* timestamp - points in time as users write them: RFC 3339, or integer nanoseconds since 1970. */
#include "base/bytes.h"

/* Nanoseconds since the epoch; what lies before 1970 is 0.  False when it is neither. */
bool tk_timestamp_parse(tk_str text, uint64_t *ret_nano);

#endif
