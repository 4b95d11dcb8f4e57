/* SPDX-License-Identifier: Apache-2.0 */
/*
 * client-io - bytes out, bytes in, and what epoll watches.
 *
 * Senders append under the lock; one thread at a time sends, outside it, and goes on until nothing
 * is left, so that what others append meanwhile goes out with the next sendmsg. A full socket is
 * left to the driver. Bytes sent and read may hold keys and plain text: they are wiped once they
 * have been used.
 */
#include "client-core.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#define TX_KEEP (256u * 1024) /* larger buffers are not kept */
#define TX_MIN  (16u * 1024)

uint64_t client_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * NSEC_PER_SEC + (uint64_t)ts.tv_nsec;
}

/* ---- out ---- */

uint8_t *client_tx_room(struct kcf_client *c, size_t n)
{
	struct tx *tx = &c->tx;
	size_t cap = tx->fill_cap ? tx->fill_cap : TX_MIN;
	uint8_t *buf;

	if (n <= tx->fill_cap - tx->fill_len)
		return tx->fill + tx->fill_len;
	while (cap - tx->fill_len < n)
		cap *= 2;
	buf = malloc(cap);
	if (!buf)
		return NULL;
	if (tx->fill) {
		memcpy(buf, tx->fill, tx->fill_len);
		explicit_bzero(tx->fill, tx->fill_len);
		free(tx->fill);
	}
	tx->fill = buf;
	tx->fill_cap = cap;
	return tx->fill + tx->fill_len;
}

void client_tx_commit(struct kcf_client *c, size_t n)
{
	c->tx.fill_len += n;
}

bool client_tx_msg(struct kcf_client *c, const struct wire_msg *msg, uint64_t id,
		   uint64_t deadline_us)
{
	size_t room = 1024, len = SIZE_MAX;

	while (len == SIZE_MAX) {
		uint8_t *at = client_tx_room(c, room);

		if (!at)
			return false;
		len = codec_encode_frame(msg, id, deadline_us, 0, at, room);
		if (len == SIZE_MAX && room > FRAME_MESSAGE_MAX)
			return false;
		room = FRAME_HEADER_LEN + FRAME_MESSAGE_MAX + 1;
	}
	client_tx_commit(c, len);
	return true;
}

bool client_tx_msg_fd(struct kcf_client *c, const struct wire_msg *msg, uint64_t id, int fd)
{
	struct tx *tx = &c->tx;
	size_t at = tx->fill_len;

	if (tx->n_fill_fds == TX_FDS || !client_tx_msg(c, msg, id, 0)) {
		close(fd);
		return false;
	}
	tx->fill_fds[tx->n_fill_fds++] = (struct tx_fd){at, fd};
	return true;
}

/* The sender's buffer: what is left of it, or what was appended. False: nothing to send. */
static bool next_out(struct tx *tx)
{
	uint8_t *buf = tx->out;
	size_t cap = tx->out_cap;

	if (tx->out_pos < tx->out_len)
		return true;
	if (tx->out_len)
		explicit_bzero(tx->out, tx->out_len);
	tx->out_pos = tx->out_len = 0;
	if (tx->fill_len == 0)
		return false;
	if (cap > TX_KEEP) {
		free(buf);
		buf = NULL;
		cap = 0;
	}
	tx->out = tx->fill;
	tx->out_len = tx->fill_len;
	tx->out_cap = tx->fill_cap;
	tx->fill = buf;
	tx->fill_cap = cap;
	tx->fill_len = tx->fill_work = 0;
	memcpy(tx->out_fds, tx->fill_fds, sizeof(tx->out_fds));
	tx->n_out_fds = tx->n_fill_fds;
	tx->n_fill_fds = 0;
	return true;
}

static ssize_t send_with(int sock, const uint8_t *buf, size_t len, int fd)
{
	union {
		struct cmsghdr align;
		char buf[CMSG_SPACE(sizeof(int))];
	} control = {0};
	struct iovec iov = {(void *)buf, len};
	struct msghdr mh = {.msg_iov = &iov,
			    .msg_iovlen = 1,
			    .msg_control = control.buf,
			    .msg_controllen = sizeof(control.buf)};
	struct cmsghdr *cm = CMSG_FIRSTHDR(&mh);

	cm->cmsg_level = SOL_SOCKET;
	cm->cmsg_type = SCM_RIGHTS;
	cm->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(cm), &fd, sizeof(fd));
	return sendmsg(sock, &mh, MSG_NOSIGNAL | MSG_DONTWAIT);
}

/* -errno, or bytes. fd, if there is one, goes with the first. */
static ssize_t send_out(int sock, const uint8_t *buf, size_t len, int fd)
{
	ssize_t n;

	do {
		n = fd < 0 ? send(sock, buf, len, MSG_NOSIGNAL | MSG_DONTWAIT)
			   : send_with(sock, buf, len, fd);
	} while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : n;
}

/* What goes in one write: no descriptor but at its beginning. */
static size_t next_write(const struct tx *tx, int *ret_fd)
{
	const struct tx_fd *f = tx->out_fds;
	unsigned n = tx->n_out_fds;

	*ret_fd = -1;
	if (n && f->at == tx->out_pos) {
		*ret_fd = f->fd;
		f++;
		n--;
	}
	return (n ? f->at : tx->out_len) - tx->out_pos;
}

/* n bytes, not none, were written, and the descriptor with them. */
static void written(struct tx *tx, size_t n, int fd)
{
	tx->out_pos += n;
	if (fd < 0)
		return;
	close(fd);
	memmove(tx->out_fds, tx->out_fds + 1, --tx->n_out_fds * sizeof(*tx->out_fds));
}

/* The socket is of no use any more: whoever drives is to see it. Lock held. */
static void mark_broken(struct kcf_client *c)
{
	if (c->broken || c->fd < 0)
		return;
	c->broken = true;
	shutdown(c->fd, SHUT_RDWR); /* wakes a driver in poll, and epoll */
	client_poke(c);
}

void client_flush(struct kcf_client *c)
{
	struct tx *tx = &c->tx;

	if (tx->sending || tx->blocked || c->fd < 0 || c->broken)
		return;
	tx->sending = true;
	while (next_out(tx)) {
		int fd = c->fd, with;
		size_t len = next_write(tx, &with);
		ssize_t n;

		pthread_mutex_unlock(&c->lock);
		n = send_out(fd, tx->out + tx->out_pos, len, with);
		pthread_mutex_lock(&c->lock);
		if (n == -EAGAIN) {
			tx->blocked = true;
			break;
		}
		if (n < 0) {
			mark_broken(c);
			break;
		}
		written(tx, (size_t)n, with);
		if (c->broken)
			break;
	}
	tx->sending = false;
	pthread_cond_broadcast(&c->tx_idle);
	if (tx->blocked != c->out_armed)
		client_watch(c, c->in_armed, tx->blocked);
}

void client_tx_reset(struct kcf_client *c)
{
	struct tx *tx = &c->tx;

	while (tx->sending)
		pthread_cond_wait(&c->tx_idle, &c->lock);
	if (tx->out)
		explicit_bzero(tx->out, tx->out_len);
	if (tx->fill)
		explicit_bzero(tx->fill, tx->fill_len);
	for (unsigned i = 0; i < tx->n_out_fds; i++)
		close(tx->out_fds[i].fd);
	for (unsigned i = 0; i < tx->n_fill_fds; i++)
		close(tx->fill_fds[i].fd);
	free(tx->out);
	free(tx->fill);
	memset(tx, 0, sizeof(*tx));
}

int client_send_fd(struct kcf_client *c, const struct wire_msg *msg, uint64_t id, int fd)
{
	uint8_t buf[256];
	size_t len = codec_encode_frame(msg, id, 0, 0, buf, sizeof(buf));
	ssize_t n;

	if (len == SIZE_MAX)
		return -EMSGSIZE;
	n = send_out(c->fd, buf, len, fd);
	if (n < 0)
		return (int)n;
	return (size_t)n == len ? 0 : -EAGAIN;
}

/* ---- in ---- */

/* At least half the buffer free, or a whole frame's room if one is begun. */
static bool rx_make_room(struct rx *rx)
{
	const size_t max = FRAME_HEADER_MAX + FRAME_MESSAGE_MAX + FRAME_PAYLOAD_MAX;
	size_t len = rx->end - rx->start;
	uint8_t *buf;

	if (rx->start && len)
		memmove(rx->buf, rx->buf + rx->start, len);
	rx->start = 0;
	rx->end = len;
	if (rx->cap && rx->end < rx->cap)
		return true;
	if (rx->cap >= max)
		return false; /* no frame is longer: it would have been handled */
	buf = malloc(rx->cap ? max : RX_MIN);
	if (!buf)
		return false;
	if (rx->buf) {
		memcpy(buf, rx->buf, len);
		explicit_bzero(rx->buf, rx->cap);
		free(rx->buf);
	}
	rx->buf = buf;
	rx->cap = rx->cap ? max : RX_MIN;
	return true;
}

/* Every descriptor is kept or closed; more than fit are a protocol error. */
static bool take_fds(struct rx *rx, struct msghdr *mh)
{
	struct cmsghdr *cm;
	bool ok = !(mh->msg_flags & MSG_CTRUNC);

	for (cm = CMSG_FIRSTHDR(mh); cm; cm = CMSG_NXTHDR(mh, cm)) {
		size_t n = (cm->cmsg_len - CMSG_LEN(0)) / sizeof(int), i;

		if (cm->cmsg_level != SOL_SOCKET || cm->cmsg_type != SCM_RIGHTS)
			continue;
		for (i = 0; i < n; i++) {
			int fd;

			memcpy(&fd, CMSG_DATA(cm) + i * sizeof(int), sizeof(fd));
			if (rx->n_fds == RX_FDS) {
				close(fd);
				ok = false;
			} else {
				rx->fds[rx->n_fds++] = fd;
			}
		}
	}
	return ok;
}

bool client_read(struct kcf_client *c, int fd, bool *ret_more)
{
	union {
		struct cmsghdr align;
		char buf[CMSG_SPACE(WIRE_MAX_FDS * sizeof(int))];
	} control;
	struct rx *rx = &c->rx;
	struct iovec iov;
	struct msghdr mh = {.msg_iov = &iov,
			    .msg_iovlen = 1,
			    .msg_control = control.buf,
			    .msg_controllen = sizeof(control.buf)};
	ssize_t n;

	*ret_more = false;
	if (!rx_make_room(rx))
		return false;
	iov = (struct iovec){rx->buf + rx->end, rx->cap - rx->end};
	do {
		n = recvmsg(fd, &mh, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		return errno == EAGAIN;
	if (n == 0 || !take_fds(rx, &mh))
		return false;
	rx->end += (size_t)n;
	*ret_more = (size_t)n == iov.iov_len;
	return true;
}

int client_take_fd(struct kcf_client *c)
{
	struct rx *rx = &c->rx;
	int fd;

	if (rx->n_fds == 0)
		return -1;
	fd = rx->fds[0];
	rx->n_fds--;
	memmove(rx->fds, rx->fds + 1, rx->n_fds * sizeof(rx->fds[0]));
	return fd;
}

void client_rx_reset(struct kcf_client *c)
{
	struct rx *rx = &c->rx;

	while (rx->n_fds)
		close(rx->fds[--rx->n_fds]);
	if (rx->buf)
		explicit_bzero(rx->buf, rx->cap);
	free(rx->buf);
	memset(rx, 0, sizeof(*rx));
}

/* ---- epoll, timer ---- */

void client_watch(struct kcf_client *c, bool in, bool out)
{
	struct epoll_event ev = {.events = EPOLLRDHUP, .data.fd = c->fd};

	c->in_armed = in;
	c->out_armed = out;
	if (c->epfd < 0 || c->fd < 0)
		return;
	if (in)
		ev.events |= EPOLLIN;
	if (out)
		ev.events |= EPOLLOUT;
	epoll_ctl(c->epfd, EPOLL_CTL_MOD, c->fd, &ev);
	if (client_ring_is_up(&c->ring)) {
		ev = (struct epoll_event){.events = in ? EPOLLIN : 0, .data.fd = c->ring.bell};
		epoll_ctl(c->epfd, EPOLL_CTL_MOD, c->ring.bell, &ev);
	}
}

void client_timer(struct kcf_client *c, uint64_t at)
{
	struct itimerspec its = {0};

	if (!at || (c->timer_at && c->timer_at <= at) || c->timerfd < 0)
		return;
	c->timer_at = at;
	its.it_value.tv_sec = (time_t)(at / NSEC_PER_SEC);
	its.it_value.tv_nsec = (long)(at % NSEC_PER_SEC);
	timerfd_settime(c->timerfd, TFD_TIMER_ABSTIME, &its, NULL);
}
