#ifndef TK_WIRE_VALUE_H
#define TK_WIRE_VALUE_H
/*
 * value - AnyValue and KeyValue of OTLP (common.proto), read in place.
 *
 * A nested value stays the bytes it came as, after every byte of it has been checked.  protobuf's
 * merge rule for a message field that comes twice (the lists are joined) cannot be kept by a view:
 * then pb->must_merge is set, and the caller has tk_key_value_merge() write the attribute anew,
 * each field once.  What lies in a batch is therefore always good to walk by tk_value_each().
 */
#include "base/arena.h"
#include "trace/batch.h"
#include "wire/protobuf.h"

/* Reads fields up to `end` into *value, which may hold what came before in the same field.
   `depth` counts the arrays and maps around it. */
bool tk_any_value_read(struct tk_pb *pb, const char *end, uint32_t depth, struct tk_value *value);
/* The same for a KeyValue.  The key is not checked for UTF-8: the caller may know it already. */
bool tk_key_value_read(struct tk_pb *pb, const char *end, uint32_t depth, tk_str *key,
                       struct tk_value *value);
/* `key_value` has been read without a problem.  A copy in `arena`, in which no field comes twice.
 */
enum tk_err tk_key_value_merge(struct tk_arena *arena, tk_str key_value,
                               tk_str *ret_merged) TK_MUST_USE;

/* The fields of an AnyValue, a KeyValue. */
void tk_any_value_put(struct tk_buf *out, struct tk_value value);
void tk_key_value_put(struct tk_buf *out, uint32_t number, tk_str key, struct tk_value value);

#endif
