/* SPDX-License-Identifier: Apache-2.0 */
#include "api/out.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

void out_init(struct out *o, struct iobuf_pool *pool)
{
	memset(o, 0, sizeof(*o));
	iobuf_init(&o->buf, pool);
	list_init(&o->fds);
}

static void close_owned(const int *fds, const bool *owned, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		if (owned[i])
			close(fds[i]);
	}
}

static void fds_free(struct out *o, struct out_fds *f)
{
	list_remove(&f->link);
	o->n_fds -= f->n;
	close_owned(f->fds, f->owned, f->n);
	free(f);
}

void out_deinit(struct out *o)
{
	while (!list_empty(&o->fds))
		fds_free(o, list_entry(o->fds.next, struct out_fds, link));
	iobuf_reset(&o->buf);
}

bool out_add_fds(struct out *o, const int *fds, const bool *owned, unsigned n)
{
	struct out_fds *f = calloc(1, sizeof(*f));

	if (!f) {
		close_owned(fds, owned, n);
		return false;
	}
	f->at = o->sent + o->buf.len;
	f->n = n;
	memcpy(f->fds, fds, n * sizeof(*fds));
	memcpy(f->owned, owned, n * sizeof(*owned));
	list_push(&o->fds, &f->link);
	o->n_fds += n;
	return true;
}

static void put_fds(struct msghdr *m, void *control, const struct out_fds *f)
{
	struct cmsghdr *c;

	m->msg_control = control;
	m->msg_controllen = CMSG_SPACE(sizeof(int) * f->n);
	c = CMSG_FIRSTHDR(m);
	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(int) * f->n);
	memcpy(CMSG_DATA(c), f->fds, sizeof(int) * f->n);
}

/* One write: up to the next byte that has descriptors of its own. */
static ssize_t write_some(struct out *o, int fd)
{
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(int) * WIRE_MAX_FDS)] = {0};
	struct iovec iov = {iobuf_data(&o->buf), o->buf.len};
	struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1};
	struct out_fds *first = NULL;
	ssize_t n;

	if (!list_empty(&o->fds)) {
		struct list *next = o->fds.next;

		first = list_entry(next, struct out_fds, link);
		if (first->at == o->sent) {
			put_fds(&m, control, first);
			next = next->next;
		}
		if (next != &o->fds)
			iov.iov_len = list_entry(next, struct out_fds, link)->at - o->sent;
	}
	n = sendmsg(fd, &m, MSG_NOSIGNAL | MSG_DONTWAIT);
	if (n > 0 && m.msg_controllen)
		fds_free(o, first);
	return n;
}

int out_flush(struct out *o, int fd)
{
	while (o->buf.len) {
		ssize_t n = write_some(o, fd);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno == EAGAIN || errno == EWOULDBLOCK ? -EAGAIN : -errno;
		o->sent += (uint64_t)n;
		iobuf_consume(&o->buf, (size_t)n);
	}
	iobuf_reset(&o->buf);
	return 0;
}
