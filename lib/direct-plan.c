/* SPDX-License-Identifier: Apache-2.0 */
/*
 * direct-plan - the table's word on one mechanism, and the order of its providers for one call.
 *
 * Making a plan costs a lock and happens again only when the table, the connection or this side's
 * modules changed; a plan equal to an earlier one of its template is that one again, so their
 * number stays small. Ordering is the walk's first half: who may, and who is asked first. Any
 * thread.
 */
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include "direct-private.h"

#define CONTENT_AT  offsetof(struct direct_plan, refusal)
#define CONTENT_LEN (offsetof(struct direct_plan, fast_prep) - CONTENT_AT)

static const uint64_t generation_none; /* for a view without a table */

/* ---- making ---- */

static void fill_step(struct direct *d, const struct table_offer *o, struct plan_step *s)
{
	const struct table_provider *p = &d->view.copy->providers[o->provider];
	const struct direct_module *m = &d->modules[o->provider];

	s->provider = o->provider;
	s->hardware = p->kind == KCF_HARDWARE;
	if (p->kind == KCF_SOFTWARE && p->in_caller) {
		s->inst = load_opened(d, o->provider);
		/* who comes while another thread opens it waits for that, and stays here too */
		s->here = s->inst || ((m->opening || m->fd >= 0) && !m->failed);
	}
	s->row = o->row;
	s->classes = o->classes;
	s->row_flags = o->row_flags;
	s->generation = p->generation;
	s->setup_ns = o->setup_ns;
	s->ns_per_kib = o->ns_per_kib;
	s->max_input = o->max_input ? o->max_input : UINT64_MAX;
	s->key_min_bits = o->key_min_bits;
	s->key_max_bits = o->key_max_bits;
	s->key_step_bits = o->key_step_bits;
}

static void fill_mech(struct direct *d, const struct table_mech *m, struct direct_plan *p)
{
	p->number = m->number;
	p->mode = m->mode;
	p->kind = (enum kcf_param_kind)m->param_kind;
	p->unlisted = !m->n_offers;
	for (uint32_t i = 0; i < m->n_offers; i++) {
		const struct table_offer *o = &m->offers[i];

		if (!(o->flags & OFFER_ENABLED) || !d->view.copy->providers[o->provider].kind)
			continue;
		fill_step(d, o, &p->steps[p->n_steps]);
		p->any_hardware |= p->steps[p->n_steps++].hardware;
	}
}

/* Locked. */
static void plan_fill(struct direct *d, kcf_mech_t number, struct direct_plan *p)
{
	const struct kcf_mech_name *fixed;

	memset(p, 0, sizeof(*p));
	table_view_refresh(&d->view);
	p->epoch = d->mark->epoch;
	p->generation_at = d->view.t ? &d->view.t->generation : &generation_none;
	p->generation = d->view.t ? d->view.generation : 0;
	p->preference = client_preference(d->client, NULL);
	p->index = mech_index(d, number);
	p->unlisted = true;
	if (!direct_attached(d) && !client_standalone(d->client))
		p->refusal = KCF_NO_DAEMON;
	if (p->index >= 0) {
		fill_mech(d, &d->view.copy->mechs[p->index], p);
	} else {
		fixed = kcf_mech_name(number);
		if (fixed)
			p->kind = (enum kcf_param_kind)fixed->param_kind;
		else if (!mech_name_of(d, number))
			p->refusal = KCF_MECHANISM_INVALID;
	}
}

static struct direct_plan *plan_again(struct kcf_template *t, const struct direct_plan *p)
{
	for (struct direct_plan *old = t->plans; old; old = old->next) {
		if (memcmp((const char *)old + CONTENT_AT, (const char *)p + CONTENT_AT,
			   CONTENT_LEN))
			continue;
		__atomic_store_n(&old->generation_at, p->generation_at, __ATOMIC_RELAXED);
		__atomic_store_n(&old->generation, p->generation, __ATOMIC_RELAXED);
		__atomic_store_n(&old->epoch, p->epoch, __ATOMIC_RELEASE);
		return old;
	}
	return NULL;
}

struct direct_plan *plan_get(struct direct *d, struct kcf_template *t)
{
	struct direct_plan *p = __atomic_load_n(&t->plan, __ATOMIC_ACQUIRE);
	struct direct_plan fresh;

	if (p && plan_is_current(d, p))
		return p;
	direct_lock(d);
	plan_fill(d, t->mech, &fresh);
	p = plan_again(t, &fresh);
	if (!p) {
		p = malloc(sizeof(*p));
		if (p) {
			memcpy(p, &fresh, sizeof(*p)); /* padding too: it is compared */
			p->next = t->plans;
			t->plans = p;
		}
	}
	if (p)
		__atomic_store_n(&t->plan, p, __ATOMIC_RELEASE);
	direct_unlock(d);
	return p;
}

void plan_note_fast(struct direct_plan *p, const struct plan_step *s, struct prepared *prep)
{
	bool fixed =
		p->n_steps == 1 || p->mode == MODE_HARDWARE_FIRST || p->mode == MODE_SOFTWARE_FIRST;
	bool filter = p->preference == KCF_ONLY_HARDWARE || p->preference == KCF_ONLY_PROVIDER;

	if (s == p->steps && s->inst == prep->inst && !p->any_hardware && fixed && !filter)
		__atomic_store_n(&p->fast_prep, prep, __ATOMIC_RELEASE);
}

/* ---- ordering ---- */

uint64_t plan_cost_ns(const struct plan_step *s, size_t len)
{
	return s->setup_ns + (uint64_t)s->ns_per_kib * (len / 1024) +
	       (uint64_t)s->ns_per_kib * (len % 1024) / 1024;
}

/* For hints, without the lock: once there it stays where it is. */
static const struct table *table_of(const struct direct *d)
{
	return __atomic_load_n(&d->view.t, __ATOMIC_ACQUIRE);
}

static const struct table_live *live_of(const struct direct *d, const struct plan_step *s)
{
	const struct table *t = table_of(d);

	return t ? &t->live[s->provider] : NULL;
}

static uint32_t live_word(const uint32_t *word)
{
	return __atomic_load_n(word, __ATOMIC_RELAXED);
}

bool plan_is_free(struct direct *d, const struct plan_step *s)
{
	const struct table_live *l = live_of(d, s);

	return l && live_word(&l->state) == PROVIDER_READY && !live_word(&l->depth) &&
	       live_word(&l->free_slots);
}

/* READY or BUSY. Software that runs here depends on nobody. */
static bool is_usable(struct direct *d, const struct plan_step *s)
{
	const struct table_live *l = live_of(d, s);
	uint32_t state;

	if (s->here)
		return true;
	if (!l)
		return false;
	state = live_word(&l->state);
	return state == PROVIDER_READY || state == PROVIDER_BUSY;
}

bool plan_is_denied(struct direct *d, const struct direct_plan *p)
{
	if (p->index < 0)
		return false;
	return __atomic_load_n(&d->page->denied[p->index / 8], __ATOMIC_RELAXED) >> (p->index % 8) &
	       1;
}

static uint32_t threshold(const struct direct *d, const struct direct_plan *p)
{
	const struct table *t = table_of(d);

	return t && p->index >= 0 ? live_word(&t->thresholds[p->index]) : 0;
}

/* Only raw symmetric keys have a length that says something; the others are judged by the provider.
 */
static bool key_fits(const struct plan_step *s, const struct plan_query *q)
{
	uint64_t bits = (uint64_t)q->key_len * 8;

	if (!q->key || q->format != KCF_KEY_RAW ||
	    !(s->classes & (KCF_CLASS_MAC | KCF_CLASS_CIPHER | KCF_CLASS_AEAD)) ||
	    s->row_flags & (KCF_ROW_FORMAT(KCF_KEY_PKCS8) | KCF_ROW_FORMAT(KCF_KEY_SPKI)))
		return true;
	return bits >= s->key_min_bits && bits <= s->key_max_bits &&
	       (s->key_step_bits < 2 || !((bits - s->key_min_bits) % s->key_step_bits));
}

static bool preferred(struct direct *d, const struct plan_step *s, const struct plan_query *q)
{
	bool same;

	switch (q->preference) {
	case KCF_ONLY_HARDWARE:
		return s->hardware;
	case KCF_ONLY_SOFTWARE:
		return !s->hardware;
	case KCF_ONLY_PROVIDER:
		direct_lock(d);
		same = q->provider &&
		       !strcmp(q->provider, d->view.copy->providers[s->provider].name);
		direct_unlock(d);
		return same;
	default:
		return true;
	}
}

/* Who is asked first: lower comes first. */
static uint64_t rank(struct direct *d, const struct direct_plan *p, const struct plan_query *q,
		     const struct plan_step *s, unsigned turn)
{
	const struct table_live *l = live_of(d, s);
	uint64_t backlog = l ? live_word(&l->depth) + (uint64_t)live_word(&l->in_flight) : 0;
	uint64_t at = (uint64_t)(s - p->steps);
	bool large = q->len >= threshold(d, p);

	if (q->preference == KCF_PREFER_HARDWARE)
		return s->hardware ? backlog : UINT32_MAX + at;
	if (q->preference == KCF_PREFER_SOFTWARE || p->mode == MODE_SOFTWARE_FIRST)
		return s->hardware ? UINT32_MAX + backlog : at;
	if (p->mode == MODE_ADAPTIVE)
		return plan_cost_ns(s, q->len) +
		       (s->here || !l ? 0 : live_word(&l->wait_us) * 1000ull);
	if (p->mode == MODE_ROUND_ROBIN)
		return (at + p->n_steps - turn) % p->n_steps;
	if (s->hardware)
		return large ? backlog : 2ull * UINT32_MAX + backlog;
	return UINT32_MAX + at;
}

/* Why there is no candidate: one obstacle that alone was in the way has a status of its own. */
static enum kcf_status why_none(bool key, bool size)
{
	return key ? KCF_KEY_SIZE_RANGE : size ? KCF_BUFFER_TOO_BIG : KCF_MECH_NOT_SUPPORTED;
}

unsigned plan_order(struct direct *d, const struct direct_plan *p, const struct plan_query *q,
		    const struct plan_step **ret, enum kcf_status *ret_status)
{
	uint64_t ranks[TABLE_OFFERS];
	unsigned n = 0, turn = 0, at;
	bool key = false, size = false;

	if (p->mode == MODE_ROUND_ROBIN && p->n_steps)
		turn = __atomic_fetch_add(&d->round_robin, 1, __ATOMIC_RELAXED) % p->n_steps;
	for (uint32_t i = 0; i < p->n_steps; i++) {
		const struct plan_step *s = &p->steps[i];
		uint64_t r;

		if (!(s->classes & q->classes) || !preferred(d, s, q) || !is_usable(d, s))
			continue;
		if (!key_fits(s, q)) {
			key = true;
			continue;
		}
		if (q->len > s->max_input) {
			size = true;
			continue;
		}
		r = rank(d, p, q, s, turn);
		for (at = n++; at && ranks[at - 1] > r; at--) {
			ranks[at] = ranks[at - 1];
			ret[at] = ret[at - 1];
		}
		ranks[at] = r;
		ret[at] = s;
	}
	if (!n)
		*ret_status = why_none(key, size);
	return n;
}
