/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sched-hardware-first - the order of candidates in the default mode.
 *
 * A device from the mechanism's threshold up, the least loaded first; then software; then a device
 * below the threshold. A preference comes before the threshold. The beginning of a context has no
 * size, so only a preference makes it begin on a device where software could do it.
 */
#include "core/private.h"

unsigned sched_rank(const struct request *r, const struct offer *offer, size_t size)
{
	bool hardware = offer->provider->hardware;

	switch (r->preference) {
	case KCF_PREFER_HARDWARE:
	case KCF_ONLY_HARDWARE:
		return hardware ? 0 : 1;
	case KCF_PREFER_SOFTWARE:
		return hardware ? 1 : 0;
	default:
		break;
	}
	if (!hardware)
		return 1;
	return size != SIZE_MAX && size >= offer->mech->threshold ? 0 : 2;
}
