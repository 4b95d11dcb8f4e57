/* SPDX-License-Identifier: Apache-2.0 */
/*
 * speed-trip - one operation after the other, each awaited: by kcf_mac with a key in kcfd, and what
 * a service over a socket costs at least: a message of the same length there and back between two
 * processes that block. This program is on the client's CPU, the other side on the server's.
 */
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "speed.h"
#include "tool.h"

#define BATCH 16u

/* ---- kcf ---- */

struct trip {
	struct speed_case c;
	struct speed_call call;
	struct speed_check check;
	struct speed_op op;
	unsigned char *in, out[SPEED_MAC_LEN];
	uint64_t n;
};

static void trip_close(void *state)
{
	struct trip *d = state;

	speed_call_close(&d->call);
	speed_check_close(&d->check);
	free(d->in);
	free(d);
}

static void *trip_open(const struct speed_case *c, struct kcf_client *client)
{
	struct trip *d = c->work == SPEED_HMAC ? calloc(1, sizeof(*d)) : NULL;

	if (!d)
		return NULL;
	d->c = *c;
	d->in = aligned_alloc(64, speed_lines(c->size));
	if (d->in && speed_call_open(&d->call, c, client, true) && speed_check_open(&d->check, c)) {
		speed_op_init(&d->op, &d->call, d->in, d->out);
		return d;
	}
	trip_close(d);
	return NULL;
}

static bool trip_run(void *state, double seconds, struct speed_latency *latency,
		     struct speed_turn *ret)
{
	struct trip *d = state;
	double started = speed_now();
	uint64_t first = d->n, sum = 0;

	speed_pin(d->c.cpu_client);
	while (speed_now() - started < seconds) {
		for (unsigned i = 0; i < BATCH; i++, d->n++) {
			uint64_t t = latency ? speed_now_ns() : 0;
			enum kcf_status status;

			speed_op_prepare(&d->op, &d->call, &d->check.auth, d->n);
			status = speed_op_call(&d->op, &d->call, NULL);
			if (status != KCF_SUCCESS) {
				tool_fail(status, "by handle");
				return false;
			}
			sum += speed_read(d->out, SPEED_MAC_LEN);
			if (latency)
				speed_sample(latency, speed_now_ns() - t);
			else if (!speed_check(&d->check, d->n, d->in, d->out))
				return false;
		}
	}
	speed_turn_end(ret, d->n - first, started, sum);
	return true;
}

const struct speed_door speed_round_trip = {"round-trip", trip_open, trip_run, trip_close};

/* ---- a socket ---- */

struct socket_trip {
	struct speed_case c;
	unsigned char *buf;
	int fd;
	pid_t echo;
};

static bool transfer(int fd, unsigned char *buf, size_t len)
{
	return send(fd, buf, len, MSG_NOSIGNAL) == (ssize_t)len &&
	       recv(fd, buf, len, MSG_WAITALL) == (ssize_t)len;
}

static int echo_main(const struct speed_case *c, int fd, unsigned char *buf)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	speed_pin(c->cpu_server);
	if (recv(fd, buf, c->size, MSG_WAITALL) != (ssize_t)c->size)
		return 1;
	while (transfer(fd, buf, c->size))
		;
	return 0;
}

static void socket_close(void *state)
{
	struct socket_trip *d = state;

	close(d->fd);
	if (d->echo > 0)
		waitpid(d->echo, NULL, 0);
	free(d->buf);
	free(d);
}

static void *socket_open(const struct speed_case *c, struct kcf_client *client)
{
	struct socket_trip *d = calloc(1, sizeof(*d));
	int fds[2];

	if (!d)
		return NULL;
	d->c = *c;
	d->buf = aligned_alloc(64, speed_lines(c->size));
	if (!d->buf || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) != 0) {
		free(d->buf);
		free(d);
		return NULL;
	}
	d->fd = fds[0];
	d->echo = fork();
	if (d->echo == 0) {
		close(fds[0]);
		_exit(echo_main(c, fds[1], d->buf));
	}
	close(fds[1]);
	return d;
}

static bool socket_run(void *state, double seconds, struct speed_latency *latency,
		       struct speed_turn *ret)
{
	struct socket_trip *d = state;
	double started = speed_now();
	uint64_t n = 0, sum = 0;

	speed_pin(d->c.cpu_client);
	while (speed_now() - started < seconds) {
		for (unsigned i = 0; i < BATCH; i++, n++) {
			uint64_t t = latency ? speed_now_ns() : 0;

			speed_fill(d->buf, d->c.size, n);
			if (!transfer(d->fd, d->buf, d->c.size)) {
				tool_fail_errno("send over", "a socket");
				return false;
			}
			sum += speed_read(d->buf, d->c.size);
			if (latency)
				speed_sample(latency, speed_now_ns() - t);
		}
	}
	speed_turn_end(ret, n, started, sum);
	return true;
}

const struct speed_door speed_socket_trip = {"socket", socket_open, socket_run, socket_close};
