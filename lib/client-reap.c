/* SPDX-License-Identifier: Apache-2.0 */
/*
 * client-reap - completions off the ring, and looking for them.
 *
 * kcfd's words are taken for no more than the room that was given; an id that is not under way by
 * ring ends the connection. The dispatcher gives requests back as it reads, many under one lock,
 * and calls back from a copy, because here every instruction counts.
 */
#include "client-core.h"

#include <unistd.h>

static struct pending *find(struct kcf_client *c, const struct ring_done *d)
{
	struct pending *p = pending_find(&c->pending, d->id);

	return p && p->state == PENDING_SENT && p->by_ring && d->status < KCF_STATUS_COUNT ? p
											   : NULL;
}

static enum kcf_status status_of(const struct ring_done *d)
{
	return d->status == KCF_QUEUED ? KCF_FAILED : (enum kcf_status)d->status;
}

/* For a thread that waits, or a notice. */
static void finish(struct kcf_client *c, struct pending *p, const struct ring_done *d)
{
	static const uint8_t no_payload[1];
	const struct wire_op_reply r = {
		.status = d->status,
		.provider = d->provider,
		.busy_reason = d->status == KCF_BUSY ? d->more : 0,
		.queue_hops = d->queue_hops,
		.mac_len = p->op == KCF_OP_ENCRYPT_MAC ? d->more : 0,
		.out_len = d->len,
		.required = d->status == KCF_BUFFER_TOO_SMALL ? d->len : 0,
	};

	p->cold = true;
	op_result(p, &r, no_payload, 0);
	op_finish(c, p, p->status);
}

static size_t written(const struct payload *pl, size_t len)
{
	if (len > pl->at.len)
		len = pl->at.len;
	if (pl->way == WAY_BOUNCE)
		iov_scatter(pl->at.v, pl->at.n, pl->bounce, len);
	return len;
}

/* The same for the dispatcher: what is to be called, and the request given back. */
static void take_call(struct kcf_client *c, struct pending *p, const struct ring_done *d,
		      struct ring_call *ret)
{
	enum kcf_status st = status_of(d);

	*ret = (struct ring_call){.callback = p->callback, .arg = p->arg, .provider = d->provider};
	ret->done.status = st;
	ret->done.step = KCF_FINAL;
	ret->done.id = p->visible ? p->id : 0;
	ret->done.queue_hops = d->queue_hops;
	if (__builtin_expect(st == KCF_SUCCESS, 1)) {
		ret->done.len = written(&p->out, d->len);
		if (p->mac.at.len)
			written(&p->mac, d->more);
	} else if (st == KCF_BUFFER_TOO_SMALL) {
		ret->done.required = d->len;
	} else if (st == KCF_BUSY) {
		ret->done.busy_reason = d->more;
		if (d->more == KCF_BUSY_NO_ROOM && (p->flags & KCF_NOTIFY_SPACE))
			client_notify_room(c, p->units, d->provider);
	}
	op_release(c, p);
}

bool client_ring_reap(struct kcf_client *c, struct ring_call *calls, unsigned *ret_n)
{
	struct ring_done done[RING_BATCH];
	unsigned n_calls = 0, n = 0;
	bool ok = true;

	if (client_ring_is_up(&c->ring))
		n = ring_reap(&c->ring.rc, done, RING_BATCH);
	if (n > RING_BATCH)
		return false;
	if (n) {
		client_ring_awake(c);
		c->ring.done_at = client_now();
	}
	for (unsigned i = 0; i < n && ok; i++) {
		struct pending *p;

		if (__builtin_expect(done[i].id >= RING_SLOT_ID, 0)) {
			ok = ring_slot_done(c, &done[i], calls, &n_calls);
			continue;
		}
		p = find(c, &done[i]);
		ok = p != NULL;
		if (ok && calls && p->callback)
			take_call(c, p, &done[i], &calls[n_calls++]);
		else if (ok)
			finish(c, p, &done[i]);
	}
	if (calls)
		*ret_n = n_calls;
	return ok;
}

void client_ring_run(struct kcf_client *c, const struct ring_call *calls, unsigned n)
{
	struct kcf_completion done;
	const char *name = "";
	uint32_t named = 0;

	if (!n)
		return;
	pthread_mutex_unlock(&c->lock);
	for (unsigned i = 0; i < n; i++) {
		if (calls[i].provider != named) {
			named = calls[i].provider;
			name = direct_provider_name(c->direct, named);
		}
		done = calls[i].done;
		done.provider = name;
		calls[i].callback(calls[i].arg, &done);
	}
	pthread_mutex_lock(&c->lock);
}

/* ---- spinning, sleeping ---- */

static inline void relax(void)
{
#if defined(__x86_64__)
	__builtin_ia32_pause();
#elif defined(__aarch64__)
	__asm__ volatile("yield");
#endif
}

/* kcfd's count of who spins is some microseconds old: this client may be in it. */
static bool may_spin(struct kcf_client *c, uint64_t now)
{
	uint64_t spun_at = __atomic_load_n(&c->ring.spun_at, __ATOMIC_RELAXED);

	return direct_may_spin(c->direct, c->n_cpus, now - spun_at < RING_COUNTED);
}

bool client_ring_may_spin(struct kcf_client *c)
{
	return may_spin(c, client_now());
}

bool client_ring_spin(struct kcf_client *c)
{
	struct client_ring *r = &c->ring;
	uint64_t now, until;

	if (!client_ring_is_up(r))
		return false;
	if (ring_has_done(&r->rc))
		return true;
	now = client_now();
	if (!may_spin(c, now))
		return false;
	__atomic_store_n(&r->rc.r->spins, 1, __ATOMIC_RELAXED);
	until = now + RING_SPIN;
	do {
		for (unsigned i = 0; i < 16 && !client_ring_has_done(r); i++)
			relax();
		now = client_now();
	} while (!client_ring_has_done(r) && client_ring_is_up(r) && now < until);
	__atomic_store_n(&r->rc.r->spins, 0, __ATOMIC_RELAXED);
	__atomic_store_n(&r->spun_at, now, __ATOMIC_RELAXED);
	return client_ring_has_done(r);
}

void client_ring_awake(struct kcf_client *c)
{
	ring_awake(&c->ring.rc);
	c->ring.quiet = true;
}

bool client_ring_sleep(struct kcf_client *c)
{
	c->ring.quiet = false;
	return !client_ring_is_up(&c->ring) || ring_sleep(&c->ring.rc);
}
