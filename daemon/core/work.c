/* SPDX-License-Identifier: Apache-2.0 */
#include "core/work.h"


#define STEP_NS 300u /* an HMAC, or a block of scrypt both ways */
#define BLOCK   32u

static uint64_t times(uint64_t a, uint64_t b)
{
	return __builtin_mul_overflow(a, b, &a) ? UINT64_MAX : a;
}

/* Searching takes the fourth power of the length: 2048 bits 65,536 steps, 4096 bits a million. */
static uint64_t rsa_steps(uint64_t bits)
{
	uint64_t square = times(bits / 128, bits / 128);

	return times(square, square);
}

uint64_t work_steps(const struct request *r)
{
	const struct kcf_param_pbkdf2 *pbkdf2 = r->param;
	const struct kcf_param_scrypt *scrypt = r->param;
	const struct kcf_param_keygen *keygen = r->param;

	if (!r->param || !r->tmpl)
		return 0;
	switch (r->tmpl->mech->param_kind) {
	case KCF_PARAM_PBKDF2:
		return times(pbkdf2->iterations, (r->out.len + BLOCK - 1) / BLOCK);
	case KCF_PARAM_SCRYPT:
		return times(times(scrypt->n, scrypt->r), scrypt->p);
	case KCF_PARAM_KEYGEN:
		return r->tmpl->mech->number == KCF_M_RSA_PKCS_KEY_PAIR_GEN
			       ? rsa_steps(keygen->bits)
			       : 0;
	default:
		return 0;
	}
}

size_t work_bytes(const struct request *r)
{
	const struct stage *st = &r->sched->stage;
	size_t in = st->in ? st->in->len : 0, out = st->out ? st->out->len : 0;
	const struct kcf_param_digest *xof = st->param;

	if (st->op == KCF_OP_DERIVE || st->op == KCF_OP_RANDOM)
		return out;
	if (st->op == KCF_OP_DIGEST && st->mech->param_kind == KCF_PARAM_DIGEST)
		return in + (xof && xof->out_len < out ? xof->out_len : out);
	return in;
}

uint64_t work_extra_ns(const struct request *r)
{
	uint64_t more = times(work_steps(r), STEP_NS);

	return more < UINT64_MAX / 4 ? more : UINT64_MAX / 4;
}

bool work_in_company(const struct core *core, const struct request *r, const struct mech *m)
{
	return m->company || r->flags & REQUEST_ALWAYS_QUEUE || core->software.depth > 0 ||
	       !list_empty(&core->turn);
}

uint64_t work_cost_ns(const struct core *core, const struct request *r, const struct offer *offer)
{
	bool burst = !offer->provider->hardware && work_in_company(core, r, offer->mech);

	return cost_expect(&offer_cost(offer, burst)->line, work_bytes(r)) +
	       work_extra_ns(r);
}
