/* SPDX-License-Identifier: Apache-2.0 */
/*
 * client-timer - what happens because time passed: the next attempt to connect, a handshake that
 * takes too long, kcfd silent beyond a deadline, held requests whose time is over. Driver, lock
 * held.
 */
#include "client-core.h"

static uint64_t earlier(uint64_t a, uint64_t b)
{
	if (!a || !b)
		return a ? a : b;
	return a < b ? a : b;
}

/* When to look at this request; 0 = never. */
static uint64_t look_at(const struct pending *p)
{
	if (p->state == PENDING_HELD)
		return p->cancel ? 1 : p->held_until;
	return p->deadline ? p->deadline + CLIENT_SILENCE : 0;
}

void client_set_deadline_at(struct kcf_client *c, struct pending *p, uint64_t deadline)
{
	p->deadline = deadline;
	if (!c->next_deadline || p->deadline + CLIENT_SILENCE < c->next_deadline) {
		c->next_deadline = p->deadline + CLIENT_SILENCE;
		client_timer(c, c->next_deadline);
	}
}

void client_set_deadline(struct kcf_client *c, struct pending *p, uint32_t timeout_ms)
{
	if (timeout_ms)
		client_set_deadline_at(c, p, client_now() + timeout_ms * NSEC_PER_MSEC);
}

static void end_held(struct kcf_client *c, struct pending *p, uint64_t now)
{
	enum kcf_status st = KCF_NO_DAEMON;

	if (p->cancel)
		st = KCF_CANCELED;
	else if (p->deadline && p->deadline <= now)
		st = KCF_TIMED_OUT;
	client_lose_buffers(c, p);
	op_finish(c, p, st);
}

/* True: kcfd is silent and must be given up. */
static bool look_at_requests(struct kcf_client *c, uint64_t now)
{
	struct pending *p, *next;
	bool lost = false;

	c->next_deadline = ring_slots_end(c, now, KCF_NO_DAEMON, true);
	for (p = c->pending.first; p; p = next) {
		uint64_t at = look_at(p);

		next = p->next;
		if (!at || at > now)
			c->next_deadline = earlier(c->next_deadline, at);
		else if (p->state == PENDING_HELD)
			end_held(c, p, now);
		else
			p->timed_out = lost = true;
	}
	return lost;
}

void client_tick(struct kcf_client *c, uint64_t now)
{
	bool lost = c->broken;

	if (c->next_deadline && now >= c->next_deadline)
		lost |= look_at_requests(c, now);
	if ((c->state == CLIENT_HELLO || c->state == CLIENT_OFFER) && now >= c->handshake_until)
		lost = true;
	if (lost && c->fd >= 0)
		client_disconnect(c, true);
	if (c->state == CLIENT_DOWN && now >= c->next_connect)
		client_connect(c);
	if (c->rearm_at && now >= c->rearm_at) {
		c->rearm_at = 0;
		if (!c->in_armed)
			client_watch(c, true, c->out_armed);
	}
}

uint64_t client_next_timer(const struct kcf_client *c)
{
	uint64_t at = earlier(c->next_deadline, c->rearm_at);

	if (c->state == CLIENT_DOWN)
		at = earlier(at, c->next_connect);
	if (c->state == CLIENT_HELLO || c->state == CLIENT_OFFER)
		at = earlier(at, c->handshake_until);
	return at;
}
