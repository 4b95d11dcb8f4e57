/* SPDX-License-Identifier: Apache-2.0 */
#include "api/credit.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include "core/consumer.h"
#include "core/core.h"
#include "table/page.h"

void credit_init(struct credit *cr,
		 void (*room)(struct credit_account *a, uint32_t units, uint32_t provider_row1))
{
	memset(cr, 0, sizeof(*cr));
	list_init(&cr->accounts);
	list_init(&cr->shares);
	list_init(&cr->wants);
	cr->room = room;
}

void credit_set_core(struct credit *cr, struct core *core)
{
	cr->core = core;
	cr->limits = core_limits(core);
}

/* ---- shares ---- */

static struct credit_share *share_get(struct credit *cr, struct consumer *consumer)
{
	struct credit_share *s;

	list_for_each(l, &cr->shares)
	{
		s = list_entry(l, struct credit_share, link);
		if (s->consumer == consumer)
			goto found;
	}
	s = calloc(1, sizeof(*s));
	if (!s)
		return NULL;
	s->consumer = consumer;
	list_push(&cr->shares, &s->link);
found:
	s->n_accounts++;
	return s;
}

static void share_put(struct credit *cr, struct credit_share *s)
{
	if (--s->n_accounts)
		return;
	list_remove(&s->link);
	free(s);
}

/* ---- the float ---- */

/* Set aside for the floors of connections still to come. */
static uint64_t set_aside(const struct credit *cr)
{
	uint64_t limit = cr->limits->connections;

	return limit > cr->n_accounts ? (limit - cr->n_accounts) * CREDIT_FLOOR : 0;
}

static uint32_t spare(const struct credit *cr)
{
	uint64_t units = sched_units_free(cr->core), aside = set_aside(cr);

	return units > aside ? (uint32_t)(units - aside) : 0;
}

/* By weight between users, then equally between the connections of one. */
uint32_t credit_fair(const struct credit_account *a)
{
	const struct credit *cr = a->credit;
	uint64_t queue = cr->limits->software_queue, aside = set_aside(cr);
	uint64_t all = queue > aside ? queue - aside : 0, weights = 0, fair;

	list_for_each(l, &cr->shares)
	{
		weights += list_entry(l, struct credit_share, link)->consumer->weight;
	}
	fair = all * a->share->consumer->weight / weights / a->share->n_accounts;

	return fair > CREDIT_FLOOR ? (uint32_t)fair : CREDIT_FLOOR;
}

static void lease(struct credit_account *a, uint32_t n)
{
	a->leased += n;
	a->share->leased += n;
}

static void unlease(struct credit_account *a, uint32_t n)
{
	assert(n <= a->leased);
	a->leased -= n;
	a->share->leased -= n;
	sched_units_give(a->credit->core, n);
}

/* Take up to n units out of the account's word, leaving it `keep` in all. */
static uint32_t take_back(struct credit_account *a, uint32_t n, uint32_t keep)
{
	uint32_t most = a->leased > keep ? a->leased - keep : 0, got;

	if (most > a->leased - a->held)
		most = a->leased - a->held;
	if (most > n)
		most = n;
	if (most == 0)
		return 0;
	/* The word is the client's to write too: whatever it says, no more than asked is taken. */
	got = page_credit_reclaim(a->page, most);
	if (got > most)
		got = most;
	unlease(a, got);
	return got;
}

static bool is_idle(const struct credit_account *a)
{
	return a->held == 0 && a->used_ms + CREDIT_IDLE_MS <= a->credit->now_ms &&
	       a->reserved_ms <= a->credit->now_ms && !a->wants;
}

/* Make the float grow by n for `who`: idle ones first, then those above their share. */
static void reclaim(struct credit *cr, uint32_t n, const struct credit_account *who)
{
	list_for_each(l, &cr->accounts)
	{
		struct credit_account *a = list_entry(l, struct credit_account, link);

		if (n == 0)
			return;
		if (a != who && is_idle(a))
			n -= take_back(a, n, CREDIT_FLOOR);
	}
	list_for_each(l, &cr->accounts)
	{
		struct credit_account *a = list_entry(l, struct credit_account, link);

		if (n == 0)
			return;
		if (a != who && a->reserved_ms <= cr->now_ms)
			n -= take_back(a, n, credit_fair(a));
	}
}

/* ---- accounts ---- */

bool credit_open(struct credit *cr, struct credit_account *a, struct consumer *consumer,
		 const void *conn, struct page *page)
{
	uint32_t want = (uint32_t)cr->limits->lease, more, fair;

	memset(a, 0, sizeof(*a));
	list_init(&a->want_link);
	a->credit = cr;
	a->conn = conn;
	a->page = page;
	a->used_ms = cr->now_ms;
	a->share = share_get(cr, consumer);
	if (!a->share)
		return false;
	if (sched_units_free(cr->core) < CREDIT_FLOOR)
		reclaim(cr, CREDIT_FLOOR, a);
	if (!sched_units_take(cr->core, CREDIT_FLOOR)) {
		share_put(cr, a->share);
		return false;
	}
	list_push(&cr->accounts, &a->link);
	cr->n_accounts++;
	lease(a, CREDIT_FLOOR);
	fair = credit_fair(a);
	if (want > fair)
		want = fair;
	more = want > CREDIT_FLOOR ? want - CREDIT_FLOOR : 0;
	if (more > spare(cr))
		reclaim(cr, more - spare(cr), a);
	if (more > spare(cr))
		more = spare(cr);
	if (more && sched_units_take(cr->core, more))
		lease(a, more);
	page_credit_give(page, a->leased);
	a->open = true;
	return true;
}

static void want_end(struct credit_account *a)
{
	list_remove(&a->want_link);
	a->wants = false;
	a->want_units = a->want_rows = 0;
}

void credit_close(struct credit_account *a)
{
	struct credit *cr = a->credit;

	if (!a->open)
		return;
	a->open = false;
	want_end(a);
	a->page = NULL;
	unlease(a, a->leased - a->held);
	list_remove(&a->link);
	cr->n_accounts--;
	if (a->held == 0)
		share_put(cr, a->share);
	sched_unreserve(cr->core, a->conn);
	credit_serve(cr);
}

bool credit_spend(struct credit_account *a, uint32_t units)
{
	if (units > a->leased - a->held)
		return false;
	a->held += units;
	a->used_ms = a->credit->now_ms;
	return true;
}

void credit_done(struct credit_account *a, uint32_t units)
{
	struct credit *cr = a->credit;
	bool others_wait;

	assert(units <= a->held);
	a->held -= units;
	if (!a->open) {
		unlease(a, units);
		if (a->held == 0)
			share_put(cr, a->share);
		credit_serve(cr);
		return;
	}
	others_wait = !list_empty(&cr->wants) && cr->wants.next != &a->want_link;
	if (others_wait && a->leased - units >= credit_fair(a)) {
		unlease(a, units);
		credit_serve(cr);
		return;
	}
	page_credit_give(a->page, units);
	if (a->wants) /* nobody else has a use for them */
		credit_serve(cr);
}

/* ---- those who wait ---- */

void credit_want(struct credit_account *a, uint32_t units, uint32_t provider_row1)
{
	if (provider_row1 > TABLE_PROVIDERS) { /* nobody: nothing to wait for */
		a->credit->room(a, 0, provider_row1);
		return;
	}
	if (units > CREDIT_WANT_MAX)
		units = CREDIT_WANT_MAX;
	if (provider_row1)
		a->want_rows |= 1u << (provider_row1 - 1);
	else if (units > a->want_units)
		a->want_units = units;
	else if (!a->want_units)
		a->want_units = 1;
	if (!a->wants) {
		a->wants = true;
		list_push(&a->credit->wants, &a->want_link);
	}
	credit_serve(a->credit);
}

/* More than asked for while there is plenty, so that a busy connection stops asking. */
static uint32_t growth(const struct credit_account *a, uint32_t need)
{
	uint32_t room = spare(a->credit), fair = credit_fair(a), more = a->leased / 2;

	if (a->leased + need + more > fair)
		more = fair > a->leased + need ? fair - a->leased - need : 0;
	room = room > need ? (room - need) / 8 : 0;
	return more < room ? more : room;
}

/* Units for the account: those in its own word, else more from the float unless others come first
 * there. */
static bool serve_units(struct credit_account *a, bool may_lease)
{
	struct credit *cr = a->credit;
	uint64_t word = __atomic_load_n(&a->page->credit, __ATOMIC_RELAXED);
	uint32_t own = a->leased - a->held, need, got;

	if (word < own)
		own = (uint32_t)word;
	got = a->want_units;
	if (own < a->want_units) {
		if (!may_lease)
			return false;
		need = a->want_units - own;
		if (need > spare(cr))
			reclaim(cr, need - spare(cr), a);
		if (need > spare(cr))
			return false;
		need += growth(a, need);
		if (!sched_units_take(cr->core, need))
			return false;
		lease(a, need);
		page_credit_give(a->page, need);
		got = need > got ? need : got;
	}
	a->reserved_ms = cr->now_ms + CREDIT_RESERVED_MS;
	a->want_units = 0;
	cr->room(a, got, 0);
	return true;
}

static void serve_rows(struct credit_account *a)
{
	for (uint32_t left = a->want_rows; left; left &= left - 1) {
		uint32_t row1 = (uint32_t)__builtin_ctz(left) + 1;

		if (!sched_reserve(a->credit->core, a->conn, row1))
			continue;
		a->want_rows &= ~(1u << (row1 - 1));
		a->credit->room(a, 0, row1);
	}
}

bool credit_serve(struct credit *cr)
{
	bool units_blocked = false;

	list_for_each_safe(l, next, &cr->wants)
	{
		struct credit_account *a = list_entry(l, struct credit_account, want_link);

		serve_rows(a);
		/* Nobody overtakes the first who waits for more units. */
		if (a->want_units && !serve_units(a, !units_blocked))
			units_blocked = true;
		if (!a->want_units && !a->want_rows)
			want_end(a);
	}
	return !list_empty(&cr->wants);
}
