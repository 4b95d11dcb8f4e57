/* SPDX-License-Identifier: Apache-2.0 */
/*
 * direct-order - the walk's first half: which of a plan's providers may serve a call, and who is
 * asked first.
 *
 * The mode and the preference order them, by what kcfd publishes: thresholds, live lines and
 * costs, all of them hints. Where length alone decides between those who can run here, the
 * range of lengths for which one of them is the cheapest is kept with the plan, and calls in it
 * need no walk; the range is looked at again with each sample of time. Any thread.
 */
#include <string.h>
#include "direct-private.h"

#define STREAM_LEN   16384u            /* what a context is judged by */
#define COST_LEN_MAX ((size_t)1 << 30) /* beyond it all sizes cost the same */
#define KCFD_WAY_NS  10000u            /* to kcfd and back, what does not run here */

/* ---- what kcfd publishes ---- */

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

bool plan_is_usable(struct direct *d, const struct plan_step *s)
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

bool direct_may_spin(struct direct *d, unsigned n_cpus, unsigned counted)
{
	const struct table *t = table_of(d);

	return t && n_cpus > 1 && !live_word(&t->crowded) &&
	       live_word(&t->spinners) < n_cpus - 1 + counted;
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

/* ---- costs ---- */

struct line {
	uint64_t setup_ns, ns_per_kib;
};

/* What a job is expected to take: alone, or as one of many. */
static struct line line_of(const struct direct *d, const struct direct_plan *p,
			   const struct plan_step *s, bool company)
{
	const struct table *t = table_of(d);
	const uint64_t *at = t && p->index >= 0 ? &t->costs[p->index][s->offer][company] : NULL;
	uint64_t word = at ? __atomic_load_n(at, __ATOMIC_RELAXED) : 0;

	if (word)
		return (struct line){(uint32_t)word, word >> 32};
	return company ? (struct line){s->burst_setup_ns, s->burst_ns_per_kib}
		       : (struct line){s->setup_ns, s->ns_per_kib};
}

/* What software is ordered by: who was registered later must be an eighth cheaper than the first
 * one, as in kcfd. */
static struct line place_line(const struct direct *d, const struct direct_plan *p,
			      const struct plan_step *s, bool company)
{
	struct line l = line_of(d, p, s, company);

	if (s->offer && p->mode != MODE_ADAPTIVE) {
		l.setup_ns += l.setup_ns / 8;
		l.ns_per_kib += l.ns_per_kib / 8;
	}
	return l;
}

static uint64_t line_ns(struct line l, size_t len)
{
	if (len == LEN_UNKNOWN)
		len = STREAM_LEN;
	return l.setup_ns + (len < COST_LEN_MAX ? len : COST_LEN_MAX) * l.ns_per_kib / 1024;
}

/* Who is asked first: lower comes first. */
struct rank {
	unsigned tier;
	uint64_t place;
};

static bool comes_before(struct rank a, struct rank b)
{
	return a.tier != b.tier ? a.tier < b.tier : a.place < b.place;
}

/* Of the mode. turn: whose it is, of the n candidates there may be. */
static struct rank rank_by_mode(struct direct *d, const struct direct_plan *p,
				const struct plan_query *q, const struct plan_step *s,
				unsigned turn)
{
	const struct table_live *l = live_of(d, s);
	uint64_t load = l ? live_word(&l->depth) + (uint64_t)live_word(&l->in_flight) : 0;
	uint64_t wait_ns = l && !s->here ? live_word(&l->wait_us) * 1000ull : 0;
	uint64_t at = (uint64_t)(s - p->steps);

	switch (p->mode) {
	case MODE_ADAPTIVE:
		return (struct rank){0, wait_ns + (s->here ? 0 : KCFD_WAY_NS) +
						line_ns(line_of(d, p, s, q->company), q->len)};
	case MODE_ROUND_ROBIN:
		return (struct rank){0, (at + p->n_steps - turn) % p->n_steps};
	default:
		break;
	}
	if (!s->hardware)
		return (struct rank){1, line_ns(place_line(d, p, s, q->company), q->len)};
	if (p->mode == MODE_HARDWARE_FIRST && q->len >= threshold(d, p) && q->len != LEN_UNKNOWN)
		return (struct rank){0, load};
	return (struct rank){2, load};
}

/* A preference comes before the mode. */
static struct rank rank(struct direct *d, const struct direct_plan *p, const struct plan_query *q,
			const struct plan_step *s, unsigned turn)
{
	struct rank r = rank_by_mode(d, p, q, s, turn);

	if ((q->preference == KCF_PREFER_HARDWARE && !s->hardware) ||
	    (q->preference == KCF_PREFER_SOFTWARE && s->hardware))
		r.tier += 8;
	return r;
}

/* Why there is no candidate: one obstacle that alone was in the way has a status of its own. */
static enum kcf_status why_none(bool key, bool size)
{
	return key ? KCF_KEY_SIZE_RANGE : size ? KCF_BUFFER_TOO_BIG : KCF_MECH_NOT_SUPPORTED;
}

unsigned plan_order(struct direct *d, const struct direct_plan *p, const struct plan_query *q,
		    const struct plan_step **ret, enum kcf_status *ret_status)
{
	struct rank ranks[TABLE_OFFERS];
	unsigned n = 0, turn = 0, at;
	bool key = false, size = false;

	if (p->mode == MODE_ROUND_ROBIN && p->n_steps)
		turn = __atomic_fetch_add(&d->round_robin, 1, __ATOMIC_RELAXED) % p->n_steps;
	for (uint32_t i = 0; i < p->n_steps; i++) {
		const struct plan_step *s = &p->steps[i];
		struct rank r;

		if (!(s->classes & q->classes) || !preferred(d, s, q) || !plan_is_usable(d, s))
			continue;
		if (!key_fits(s, q)) {
			key = true;
			continue;
		}
		if (q->len > s->max_input && q->len != LEN_UNKNOWN) {
			size = true;
			continue;
		}
		r = rank(d, p, q, s, turn);
		for (at = n++; at && comes_before(r, ranks[at - 1]); at--) {
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

/* ---- the short way ---- */

/* Lengths for which a is no dearer than b. */
static void range_cut(struct line a, struct line b, uint64_t *lo, uint64_t *hi)
{
	uint64_t at;

	if (a.setup_ns > b.setup_ns && a.ns_per_kib >= b.ns_per_kib) {
		*lo = *hi + 1;
	} else if (a.setup_ns > b.setup_ns) {
		at = ((a.setup_ns - b.setup_ns) * 1024 - 1) / (b.ns_per_kib - a.ns_per_kib) + 1;
		*lo = at > *lo ? at : *lo;
	} else if (a.ns_per_kib > b.ns_per_kib) {
		at = (b.setup_ns - a.setup_ns) * 1024 / (a.ns_per_kib - b.ns_per_kib);
		*hi = at < *hi ? at : *hi;
	}
}

static void range_set(const struct direct *d, const struct direct_plan *p, struct plan_fast *f,
		      bool company)
{
	struct line own = place_line(d, p, &p->steps[f->step], company);
	uint64_t lo = 0, hi = UINT32_MAX;

	for (unsigned i = 0; i < p->n_steps && lo <= hi; i++)
		if (f->rivals >> i & 1)
			range_cut(own, place_line(d, p, &p->steps[i], company), &lo, &hi);
	if (lo > hi) { /* no length at all */
		lo = 1;
		hi = 0;
	}
	__atomic_store_n(&f->range, lo | hi << 32, __ATOMIC_RELAXED);
}

bool plan_length_decides(const struct direct_plan *p)
{
	if (p->preference == KCF_ONLY_HARDWARE || p->preference == KCF_ONLY_PROVIDER)
		return false;
	if (p->any_hardware)
		return p->mode == MODE_SOFTWARE_FIRST && p->preference != KCF_PREFER_HARDWARE;
	return p->n_steps == 1 || p->mode != MODE_ROUND_ROBIN;
}

void plan_note_fast(struct direct *d, const struct half *h, struct prepared *prep)
{
	const struct direct_plan *p = h->plan;
	uint16_t step = (uint16_t)(h->order[0] - p->steps), rivals = 0;
	struct plan_fast *f = h->own->fast[h->company], *end = f + PLAN_FAST;

	if (h->order[0]->inst != prep->inst || !plan_length_decides(p))
		return;
	for (unsigned i = 1; i < h->n; i++)
		if (!h->order[i]->hardware)
			rivals |= (uint16_t)(1 << (h->order[i] - p->steps));
	direct_lock(d);
	while (f < end && f->prep && f->step != step)
		f++;
	if (f < end && !f->prep) {
		f->step = step;
		f->rivals = rivals;
		range_set(d, p, f, h->company);
		__atomic_store_n(&f->prep, prep, __ATOMIC_RELEASE);
	}
	direct_unlock(d);
}

void plan_look_again(struct direct *d, struct template_plan *tp)
{
	for (unsigned i = 0; i < 2; i++)
		for (struct plan_fast *f = tp->fast[i]; f < tp->fast[i] + PLAN_FAST; f++)
			if (__atomic_load_n(&f->prep, __ATOMIC_ACQUIRE))
				range_set(d, tp->plan, f, i);
}
