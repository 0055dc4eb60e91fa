/*
 * hash - see hash.h.
 *
 * What depends on the process or the processor (the seed, the CRC table, which CRC to use) is set
 * up once, before main, and only read from then on: no lock, no check on the hot path.
 */
#include "base/hash.h"

#include "base/assert.h"

#include <sys/random.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

enum { LANE = 1 << 10 }; /* bytes */

#define CRC32C_POLYNOMIAL 0x82F63B78u /* Castagnoli, reflected */

static uint64_t hash_seed;
static uint32_t crc_table[8][256];  /* [k][b]: byte b followed by k zero bytes */
static uint32_t lane_table[4][256]; /* [k][b]: byte k of a sum, b, behind LANE zero bytes */

static uint32_t
crc32c_by_table(uint32_t crc, tk_str bytes)
{
    const unsigned char *p = (const unsigned char *)bytes.ptr;
    size_t left = bytes.len;
    for (; left >= 8; left -= 8, p += 8) {
        uint64_t word;
        memcpy(&word, p, sizeof word);
        word ^= crc; /* little-endian, as every machine we build for */
        crc = 0;
        for (unsigned k = 0; k < 8; k++)
            crc ^= crc_table[7 - k][(word >> (8 * k)) & 0xFF];
    }
    for (; left > 0; left--, p++)
        crc = (crc >> 8) ^ crc_table[0][(crc ^ *p) & 0xFF];
    return crc;
}

static uint32_t (*crc32c_update)(uint32_t crc, tk_str bytes) = crc32c_by_table;

#ifdef __x86_64__
#include <nmmintrin.h>

/*
 * One CRC instruction waits for the one before it, three cycles each time; so three lanes are
 * worked on at once.  A lane's sum is put in front of the next lane by moving it over as many zeros
 * as the lane is long (lane_table), which is linear, as all CRCs are.
 */
static uint32_t
crc32c_over_lane(uint32_t crc)
{
    return lane_table[0][crc & 0xFF] ^ lane_table[1][crc >> 8 & 0xFF] ^
           lane_table[2][crc >> 16 & 0xFF] ^ lane_table[3][crc >> 24];
}

__attribute__((target("sse4.2"))) static uint32_t
crc32c_by_sse42(uint32_t crc, tk_str bytes)
{
    const char *p = bytes.ptr;
    size_t left = bytes.len;
    for (; left >= 3 * LANE; left -= 3 * LANE, p += 3 * LANE) {
        uint64_t first = crc, second = 0, third = 0;
        for (size_t i = 0; i < LANE; i += 8) {
            first = _mm_crc32_u64(first, tk_load_u64(p + i));
            second = _mm_crc32_u64(second, tk_load_u64(p + LANE + i));
            third = _mm_crc32_u64(third, tk_load_u64(p + 2 * LANE + i));
        }
        crc = crc32c_over_lane(crc32c_over_lane((uint32_t)first) ^ (uint32_t)second) ^
              (uint32_t)third;
    }
    uint64_t wide = crc;
    for (; left >= 8; left -= 8, p += 8)
        wide = _mm_crc32_u64(wide, tk_load_u64(p));
    crc = (uint32_t)wide;
    for (; left > 0; left--, p++)
        crc = _mm_crc32_u8(crc, (unsigned char)*p);
    return crc;
}
#endif

__attribute__((constructor)) static void
hash_setup(void)
{
    TK_ASSERT(getrandom(&hash_seed, sizeof hash_seed, 0) == sizeof hash_seed);
    for (uint32_t b = 0; b < 256; b++) {
        uint32_t crc = b;
        for (int bit = 0; bit < 8; bit++)
            crc = (crc >> 1) ^ (crc & 1 ? CRC32C_POLYNOMIAL : 0);
        crc_table[0][b] = crc;
    }
    for (unsigned k = 1; k < 8; k++)
        for (uint32_t b = 0; b < 256; b++)
            crc_table[k][b] = (crc_table[k - 1][b] >> 8) ^ crc_table[0][crc_table[k - 1][b] & 0xFF];
    static const char zeros[LANE];
    for (unsigned k = 0; k < 4; k++)
        for (uint32_t b = 0; b < 256; b++) /* linear: from the bits of b, which are there already */
            lane_table[k][b] = (b & (b - 1)) == 0
                                   ? crc32c_by_table(b << (8 * k), (tk_str){zeros, LANE})
                                   : lane_table[k][b & (b - 1)] ^ lane_table[k][b & -b];
#ifdef __x86_64__
    if (__builtin_cpu_supports("sse4.2"))
        crc32c_update = crc32c_by_sse42;
#endif
}

uint64_t
tk_hash(tk_str bytes)
{
    return XXH3_64bits_withSeed(bytes.ptr, bytes.len, hash_seed);
}

uint64_t
tk_hash_stable(tk_str bytes)
{
    return XXH3_64bits(bytes.ptr, bytes.len);
}

uint32_t
tk_crc32c(uint32_t crc, tk_str bytes)
{
    return ~crc32c_update(~crc, bytes);
}
