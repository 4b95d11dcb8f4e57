/* SPDX-License-Identifier: Apache-2.0 */
/* speed-limit-evp - the probe's engine where the multi-buffer library is not there: libcrypto, one
 * operation after the other, each done at once. */
#include "speed-evp.h"
#include "speed-limit.h"

static struct speed_evp evp;
static unsigned char *base;

bool limit_engine_open(enum speed_work_kind work, size_t size, unsigned char *payload)
{
	base = payload;
	return speed_evp_open(&evp, work, size);
}

int limit_engine_submit(const struct limit_entry *e)
{
	return evp.operate(&evp, e->number, base + e->in, base + e->out) ? (int)e->slot
									 : LIMIT_FAILED;
}

int limit_engine_flush(void)
{
	return LIMIT_NONE;
}
