#ifndef TK_BASE_HASH_H
#define TK_BASE_HASH_H
/*
 * hash - XXH3 for tables (seeded once per process, so that nobody can aim at a bucket) and CRC32C
 * for what lies on disk.
 */
#include "base/bytes.h"

/* Seeded; differs between processes: for tables in memory only. */
uint64_t tk_hash(tk_str bytes);
/* Unseeded XXH3-64, stable: may go to disk. */
uint64_t tk_hash_stable(tk_str bytes);
/* CRC-32C (Castagnoli) of `bytes` continuing from `crc`; 0 to start. */
uint32_t tk_crc32c(uint32_t crc, tk_str bytes);

#endif
