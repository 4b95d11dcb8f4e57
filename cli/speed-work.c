/* SPDX-License-Identifier: Apache-2.0 */
/* speed-work - long buffers are written and read with the widest words the CPU has: in the least
 * time, as this is no part of what is compared. */
#include "speed-work.h"

#if defined(__x86_64__)
#define WIDE __attribute__((target_clones("avx2", "default")))
#else
#define WIDE
#endif

WIDE static void fill(unsigned char *buf, size_t len, uint64_t seed)
{
	speed_fill_words(buf, len, seed);
}

WIDE static uint64_t sum(const unsigned char *buf, size_t len)
{
	return speed_read_words(buf, len);
}

void speed_fill_long(unsigned char *buf, size_t len, uint64_t seed)
{
	fill(buf, len, seed);
}

uint64_t speed_read_long(const unsigned char *buf, size_t len)
{
	return sum(buf, len);
}
