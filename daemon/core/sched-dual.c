/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sched-dual - who does the MAC of a dual operation that is done on one thread.
 *
 * The provider that does the cipher, if it does both in one job; else whoever is expected to take
 * least. Loop thread.
 */
#include "core/sched-mode.h"

static bool is_native(const struct offer *cipher, const struct offer *mac)
{
	const struct instance *inst = &cipher->provider->inst;

	return cipher->provider == mac->provider && inst->desc->ops->dual &&
	       inst->desc->ops->dual(inst->prov, cipher->row, mac->row);
}

/* tried: a bit per provider row. NULL: nobody is left. */
static const struct offer *best(const struct request *r, const struct offer *cipher, bool company,
				uint32_t tried)
{
	const struct mech *m = r->tmpl2->mech;
	uint64_t len = r->sched->stage.in->len, least = UINT64_MAX;
	const struct offer *ret = NULL;

	for (unsigned i = 0; i < m->n_offers; i++) {
		const struct offer *offer = m->offers[i];
		uint64_t ns = cost_expect(&offer_cost(offer, company)->base, len);

		if (!offer->enabled || !provider_is_usable(offer->provider) ||
		    tried >> offer->provider->row & 1 || sched_is_filtered(r, offer->provider))
			continue;
		if (is_native(cipher, offer))
			return offer;
		if (ns >= least)
			continue;
		least = ns;
		ret = offer;
	}
	return ret;
}

uint64_t sched_mac_cost_ns(const struct request *r, const struct offer *cipher, bool company)
{
	const struct offer *mac = best(r, cipher, company, 0);

	return mac ? cost_expect(&offer_cost(mac, company)->base, r->sched->stage.in->len) : 0;
}

enum kcf_status sched_choose_mac(struct core *core, struct request *r, const struct offer *cipher,
				 bool company)
{
	struct request_sched *s = r->sched;
	enum kcf_status status = KCF_MECH_NOT_SUPPORTED;
	const struct offer *offer;
	uint32_t tried = 0;

	while ((offer = best(r, cipher, company, tried))) {
		status = tmpl_prepare(r->tmpl2, offer, &s->prepared_mac);
		if (status == KCF_SUCCESS || status == KCF_QUEUED)
			break;
		tried |= 1u << offer->provider->row;
	}
	if (status == KCF_SUCCESS) {
		offer->provider->n_using++;
	} else if (status == KCF_QUEUED) {
		sched_unchoose(s);
		sched_park(core, r, &r->tmpl2->parked);
	}
	return status;
}
