#ifndef TK_STORE_NUMBERS_H
#define TK_STORE_NUMBERS_H
/*
 * numbers, texts - how a column lies in a segment: many values of one kind, as short as a cheap
 * codec makes them (docs/formats/segment.md, "Numbers and texts").
 *
 * Encoders append; failure (memory) shows in out->status.  Decoders take their bytes off the front
 * of *in, which needs no slack behind it; TK_ERR_CORRUPT when it is not what an encoder writes.
 */
#include "base/arena.h"
#include "store/segment/varint.h"

/* level 0: no zstd (sealing of short-lived segments may use 1); else the level of zstd. */
void tk_numbers_encode(const uint64_t *numbers, uint32_t count, int level, struct tk_buf *out);
/* Did zstd come of use in what tk_numbers_encode wrote? */
bool tk_numbers_is_zstd(tk_str numbers);
enum tk_err tk_numbers_decode(tk_str *in, uint32_t count, uint64_t *numbers) TK_MUST_USE;
/* Of these only [begin, begin + part_count): numbers is [part_count]. */
enum tk_err tk_numbers_decode_part(tk_str *in, uint32_t count, uint32_t begin, uint32_t part_count,
                                   uint64_t *numbers) TK_MUST_USE;

void tk_texts_encode(const tk_str *texts, uint32_t count, int level, struct tk_buf *out);
/* Texts view the arena.  At most `bytes_max` bytes in all, or TK_ERR_CORRUPT. */
enum tk_err tk_texts_decode(tk_str *in, uint32_t count, size_t bytes_max, struct tk_arena *arena,
                            tk_str *texts) TK_MUST_USE;
/* Of these only [begin, begin + part_count): texts is [part_count]. */
enum tk_err tk_texts_decode_part(tk_str *in, uint32_t count, uint32_t begin, uint32_t part_count,
                                 size_t bytes_max, struct tk_arena *arena,
                                 tk_str *texts) TK_MUST_USE;

#endif
