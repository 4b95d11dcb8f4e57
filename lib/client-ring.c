/* SPDX-License-Identifier: Apache-2.0 */
/* client-ring - where the ring comes from and where it goes, and kcfd's bell. */
#include "client-core.h"

#include <sched.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

void client_ring_ask(struct kcf_client *c)
{
	struct wire_msg msg = {.type = FRAME_RING_NEW, .version = RING_VERSION};
	struct pending *p;

	if (c->ring.asked || !(c->features & FEATURE_RING))
		return;
	p = pending_new(&c->pending, PENDING_RING);
	if (!p)
		return;
	pending_open(&c->pending, p);
	c->ring.asked = client_tx_msg(c, &msg, p->id, 0);
	if (!c->ring.asked)
		pending_free(&c->pending, p);
}

/* ---- memory ---- */

static bool map_at(struct ring_client *rc, int fd, struct ring *at)
{
	struct ring *r;

	if (ring_map(rc, fd) < 0)
		return false;
	if (at) {
		r = mremap(rc->r, sizeof(*r), sizeof(*r), MREMAP_MAYMOVE | MREMAP_FIXED, at);
		if (r == MAP_FAILED) {
			ring_unmap(rc);
			return false;
		}
		rc->r = r;
	}
	madvise(rc->r, sizeof(*rc->r), MADV_DONTFORK);
	madvise(rc->r, sizeof(*rc->r), MADV_DONTDUMP);
	return true;
}

enum kcf_status client_ring_attach(struct kcf_client *c)
{
	int fd = client_take_fd(c), bell = client_take_fd(c);
	struct epoll_event ev = {.data.fd = bell};
	struct ring_client rc;

	if (bell < 0 || !map_at(&rc, fd, c->ring.rc.r)) {
		if (fd >= 0 && bell < 0)
			close(fd);
		if (bell >= 0)
			close(bell);
		return bell >= 0 ? KCF_HOST_MEMORY : KCF_PROTOCOL_ERROR;
	}
	pthread_mutex_lock(&c->lock);
	c->ring.rc = rc;
	c->ring.bell = bell;
	c->ring.quiet = true;
	if (c->in_armed)
		ev.events = EPOLLIN;
	if (c->epfd >= 0)
		epoll_ctl(c->epfd, EPOLL_CTL_ADD, bell, &ev);
	__atomic_store_n(&c->ring.epoch, c->epoch, __ATOMIC_SEQ_CST);
	pthread_mutex_unlock(&c->lock);
	return KCF_SUCCESS;
}

void client_ring_drop(struct kcf_client *c)
{
	struct client_ring *r = &c->ring;

	r->asked = r->bell_due = false;
	r->refusal = KCF_SUCCESS;
	if (!r->epoch)
		return;
	__atomic_store_n(&r->epoch, 0, __ATOMIC_SEQ_CST);
	while (__atomic_load_n(&r->inside, __ATOMIC_SEQ_CST)) /* pairs with kcf_ring_submit */
		sched_yield();
	mmap(r->rc.r, sizeof(*r->rc.r), PROT_READ | PROT_WRITE,
	     MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	if (c->epfd >= 0)
		epoll_ctl(c->epfd, EPOLL_CTL_DEL, r->bell, NULL);
	close(r->bell);
	r->bell = -1;
}

void client_ring_forget(struct kcf_client *c)
{
	if (c->ring.epoch)
		close(c->ring.bell);
	c->ring = (struct client_ring){.bell = -1};
}

void client_ring_deinit(struct kcf_client *c)
{
	client_ring_drop(c);
	ring_unmap(&c->ring.rc);
}

/* ---- the bell ---- */

void client_ring_bell(struct client_ring *r)
{
	if (ring_wants_bell(&r->rc)) /* full: then it has been rung */
		(void)!send(r->bell, "", 1, MSG_DONTWAIT | MSG_NOSIGNAL);
}

void client_ring_kick(struct kcf_client *c)
{
	struct client_ring *r = &c->ring;

	/* Without the fence this may come too late, but not for the look at the round's end. */
	if (client_in_callback(c) && !__atomic_load_n(&r->rc.r->kcfd_sleeps, __ATOMIC_RELAXED))
		r->bell_due = true;
	else
		client_ring_bell(r);
}

void client_ring_watch(struct kcf_client *c)
{
	if (c->ring.quiet && !c->driving && !c->dispatching && !client_ring_sleep(c))
		client_poke(c);
}

void client_ring_flush(struct kcf_client *c)
{
	if (!c->ring.bell_due)
		return;
	c->ring.bell_due = false;
	if (client_ring_is_up(&c->ring))
		client_ring_bell(&c->ring);
}

bool client_ring_hush(int bell)
{
	char bytes[64];
	ssize_t n;

	do {
		n = recv(bell, bytes, sizeof(bytes), MSG_DONTWAIT);
	} while (n == (ssize_t)sizeof(bytes));
	return n != 0;
}
