/* SPDX-License-Identifier: Apache-2.0 */
#include "fake-ring.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* ---- fake-kcfd's ---- */

static void ring_bell(struct fake_kcfd *f)
{
	(void)!send(f->bell, "", 1, MSG_DONTWAIT | MSG_NOSIGNAL);
}

void fake_ring_new(struct fake_kcfd *f, uint64_t id)
{
	struct wire_msg msg = {.type = FRAME_RING_REPLY, .status = f->ring_status};
	int fds[2] = {-1, -1}, pair[2];

	if (f->ring_status == KCF_SUCCESS) {
		if (ring_new(&f->ring, &fds[0]) < 0 ||
		    socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
			abort();
		f->bell = pair[0];
		fds[1] = pair[1];
	}
	fake_send_locked(f, &msg, id, fds, fds[0] >= 0 ? f->ring_fds : 0);
	for (int i = 0; i < 2; i++) {
		if (fds[i] >= 0)
			close(fds[i]);
	}
}

void fake_ring_drop(struct fake_kcfd *f)
{
	if (!f->ring.r)
		return;
	ring_free(&f->ring);
	close(f->bell);
	f->bell = -1;
	f->n_kept = 0;
}

static uint8_t *at(struct fake_kcfd *f, uint32_t segment, uint32_t offset, uint32_t len)
{
	const struct wire_range r = {segment, offset, len};

	return len ? fake_range(f, &r) : NULL;
}

/* What answer_op does to an OP. */
static struct ring_done do_entry(struct fake_kcfd *f, const struct fake_entry *k)
{
	const struct ring_entry *e = &k->e;
	struct ring_done d = {.id = e->id, .status = (uint8_t)f->status, .provider = 1};
	const uint8_t *in = at(f, e->in_seg, e->in_off, e->in_len);
	uint8_t *out = at(f, e->out_seg, e->out_off, e->out_room);
	struct ring_dual dual;

	if (f->n_busy) {
		f->n_busy--;
		d.status = KCF_BUSY;
		d.more = KCF_BUSY_NO_ROOM;
		d.provider = (uint8_t)f->busy_provider;
	}
	if (d.status != KCF_SUCCESS) {
		d.len = d.status == KCF_BUFFER_TOO_SMALL ? 12345 : 0;
		return d;
	}
	d.len = e->in_len < e->out_room ? e->in_len : e->out_room;
	for (uint32_t i = 0; i < d.len; i++)
		out[i] = in[i] ^ FAKE_XOR;
	if (e->op == KCF_OP_ENCRYPT_MAC) {
		memcpy(&dual, k->extra, sizeof(dual));
		memcpy(at(f, dual.mac_seg, dual.mac_off, dual.mac_room), "MAC!", 4);
		d.more = 4;
	}
	return d;
}

static void answer(struct fake_kcfd *f, const struct fake_entry *k, bool by_socket)
{
	struct ring_done d = do_entry(f, k);
	struct wire_msg msg = {.type = FRAME_OP_REPLY,
			       .op_reply = {.status = d.status,
					    .out_len = d.status == KCF_SUCCESS ? d.len : 0,
					    .required = d.status == KCF_SUCCESS ? 0 : d.len,
					    .provider = d.provider}};

	if (!f->keep_credits)
		page_credit_give(f->page, 1);
	if (by_socket)
		fake_send_locked(f, &msg, d.id, NULL, 0);
	else if (!ring_answer(&f->ring, &d))
		abort();
}

bool fake_ring_serve(struct fake_kcfd *f)
{
	struct fake_entry k;
	char bytes[64];

	while (recv(f->bell, bytes, sizeof(bytes), MSG_DONTWAIT) == sizeof(bytes))
		;
	while (ring_take(&f->ring, &k.e, k.extra)) {
		ring_taken(&f->ring);
		if (f->hold) {
			if (f->n_kept == FAKE_KEPT)
				abort();
			f->kept[f->n_kept++] = k;
		} else {
			answer(f, &k, false);
		}
		f->n_entries++;
		pthread_cond_broadcast(&f->changed);
	}
	if (ring_flush(&f->ring))
		ring_bell(f);
	return !ring_server_sleep(&f->ring);
}

static void flush(struct fake_kcfd *f)
{
	if (ring_flush(&f->ring))
		ring_bell(f);
}

void fake_ring_cancel(struct fake_kcfd *f, uint64_t id)
{
	const struct ring_done d = {.id = id, .status = KCF_CANCELED};

	for (unsigned i = 0; i < f->n_kept; i++) {
		if (f->kept[i].e.id != id)
			continue;
		f->kept[i].e.id = 0;
		if (!ring_answer(&f->ring, &d))
			abort();
		flush(f);
	}
}

void fake_ring_release(struct fake_kcfd *f, bool do_answer)
{
	for (unsigned i = 0; i < f->n_kept && do_answer; i++) {
		if (f->kept[i].e.id)
			answer(f, &f->kept[i], false);
	}
	if (do_answer && f->n_kept)
		flush(f);
	f->n_kept = 0;
}

/* ---- for tests ---- */

void fake_wait_entries(struct fake_kcfd *f, unsigned n)
{
	pthread_mutex_lock(&f->lock);
	while (f->n_entries < n)
		pthread_cond_wait(&f->changed, &f->lock);
	pthread_mutex_unlock(&f->lock);
}

unsigned fake_entries(struct fake_kcfd *f)
{
	unsigned n;

	pthread_mutex_lock(&f->lock);
	n = f->n_entries;
	pthread_mutex_unlock(&f->lock);
	return n;
}

struct fake_entry fake_entry(struct fake_kcfd *f, unsigned i)
{
	struct fake_entry k;

	pthread_mutex_lock(&f->lock);
	ck_assert_uint_lt(i, f->n_kept);
	k = f->kept[i];
	pthread_mutex_unlock(&f->lock);
	return k;
}

void fake_answer(struct fake_kcfd *f, unsigned i, bool by_socket)
{
	pthread_mutex_lock(&f->lock);
	ck_assert_uint_lt(i, f->n_kept);
	answer(f, &f->kept[i], by_socket);
	flush(f);
	pthread_mutex_unlock(&f->lock);
}

void fake_complete(struct fake_kcfd *f, const struct ring_done *done)
{
	pthread_mutex_lock(&f->lock);
	ck_assert(ring_answer(&f->ring, done));
	flush(f);
	pthread_mutex_unlock(&f->lock);
}

void fake_set_done(struct fake_kcfd *f, uint32_t done)
{
	pthread_mutex_lock(&f->lock);
	f->ring.done = done;
	flush(f);
	pthread_mutex_unlock(&f->lock);
}
