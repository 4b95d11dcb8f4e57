/* SPDX-License-Identifier: Apache-2.0 */
#include "world.h"

#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>
#include "api/conn.h"
#include "core/consumer.h"
#include "fuzz.h"
#include "log.h"

#define FUZZ_UID 12345
#define GOOD_UID 12346
#define TURNS_MAX 100000

#define PEER_ROOM (8u * 1024 * 1024)

static uv_loop_t loop;
static struct api api;
static struct core *core;
static struct peer good;
static uint32_t units_free; /* while only the good client is there */

struct peer bad;

static void peer_open(struct peer *p, uid_t uid)
{
	struct consumer *consumer = consumer_get(core, uid, uid);
	int fds[2];

	FUZZ_PROMISE(consumer && consumer_charge(consumer, CHARGE_CONNECTION, 1) == KCF_SUCCESS);
	FUZZ_PROMISE(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds) == 0);
	FUZZ_PROMISE(conn_new(&api, fds[0], uid, uid, consumer));
	p->fd = fds[1];
	p->len = 0;
	p->n_answers = 0;
	p->closed = false;
	p->n_fds = 0;
	if (!p->buf)
		p->buf = malloc(PEER_ROOM);
	FUZZ_PROMISE(p->buf);
}

static void check_frames(struct peer *p)
{
	struct frame_header h;
	struct wire_msg msg;
	size_t at = 0;

	while (frame_get(p->buf + at, p->len - at, FRAME_ADMIN_PAYLOAD_MAX, &h) == FRAME_OK &&
	       frame_len(&h) <= p->len - at) {
		FUZZ_PROMISE(codec_decode(&p->arena, h.type, p->buf + at + h.header_len, h.msg_len,
					  &msg));
		codec_reset(&p->arena);
		p->n_answers++;
		at += frame_len(&h);
	}
	p->len -= at;
	memmove(p->buf, p->buf + at, p->len);
	FUZZ_PROMISE(frame_get(p->buf, p->len, FRAME_ADMIN_PAYLOAD_MAX, &h) <= FRAME_MORE);
}

/* The latest ones are kept, in order; a peer takes those it has a use for. */
static void keep_fds(struct peer *p, struct msghdr *m)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c)) {
		size_t n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		int fds[32];

		memcpy(fds, CMSG_DATA(c), n * sizeof(int));
		for (size_t i = 0; i < n; i++) {
			if (p->n_fds == PEER_FDS)
				close(peer_take_fd(p));
			p->fds[p->n_fds++] = fds[i];
		}
	}
}

int peer_take_fd(struct peer *p)
{
	int fd;

	FUZZ_PROMISE(p->n_fds > 0);
	fd = p->fds[0];
	memmove(p->fds, p->fds + 1, --p->n_fds * sizeof(int));
	return fd;
}

static void peer_read(struct peer *p)
{
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(int) * 32)];

	while (!p->closed) {
		struct iovec iov = {p->buf + p->len, PEER_ROOM - p->len};
		struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control,
				   .msg_controllen = sizeof(control)};
		ssize_t n = recvmsg(p->fd, &m, MSG_CMSG_CLOEXEC);

		if (n < 0)
			return;
		keep_fds(p, &m);
		p->closed = n == 0;
		p->len += (size_t)n;
		check_frames(p);
	}
}

void world_turn(void)
{
	uv_run(&loop, UV_RUN_NOWAIT);
	peer_read(&bad);
	peer_read(&good);
}

static int page_fd(void)
{
	int fd = memfd_create("fuzz", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	FUZZ_PROMISE(fd >= 0 && ftruncate(fd, 4096) == 0);
	fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL);
	return fd;
}

/* As much as the socket takes; kcfd works in between. */
void peer_write(struct peer *p, const uint8_t *bytes, size_t len, bool with_fd)
{
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(int))];
	unsigned stuck = 0;

	while (len && !p->closed && stuck < 100) {
		struct iovec iov = {(void *)bytes, len};
		struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1};
		int fd = with_fd ? page_fd() : -1;
		ssize_t n;

		if (fd >= 0) {
			m.msg_control = control;
			m.msg_controllen = sizeof(control);
			*CMSG_FIRSTHDR(&m) = (struct cmsghdr){CMSG_LEN(sizeof(int)), SOL_SOCKET,
							      SCM_RIGHTS};
			memcpy(CMSG_DATA(CMSG_FIRSTHDR(&m)), &fd, sizeof(fd));
		}
		n = sendmsg(p->fd, &m, MSG_NOSIGNAL);
		if (fd >= 0)
			close(fd);
		if (n > 0) {
			bytes += n;
			len -= (size_t)n;
			with_fd = false;
			continue;
		}
		world_turn();
		stuck++;
	}
}

void peer_send(struct peer *p, const struct wire_msg *msg, uint64_t id)
{
	uint8_t buf[512];
	size_t len = codec_encode_frame(msg, id, 0, 0, buf, sizeof(buf));

	FUZZ_PROMISE(len != SIZE_MAX);
	peer_write(p, buf, len, false);
}

static void peer_hello(struct peer *p, uint32_t features)
{
	struct wire_msg msg = {.type = FRAME_HELLO};

	msg.hello = (struct wire_hello){FRAME_VERSION, FRAME_VERSION, features, "fuzz"};
	peer_send(p, &msg, 255);
}

/* The other client asks something and gets its answer. */
void world_check_good(void)
{
	struct wire_msg msg = {.type = FRAME_STATUS, .id = 1};
	unsigned turns = 0, before = good.n_answers;

	peer_send(&good, &msg, 9);
	while (good.n_answers == before) {
		FUZZ_PROMISE(!good.closed && ++turns < TURNS_MAX);
		world_turn();
	}
}

static bool is_charged(void)
{
	const struct consumer *c = consumer_find(core, FUZZ_UID);

	for (int kind = 0; c && kind < CHARGE_KINDS; kind++)
		if (c->charged[kind])
			return true;
	return false;
}

/* All goes but the connection that stays, and the hooks. A worker may still be at something: its context is charged
 * until it is back. What never goes is found by libFuzzer's time-out. */
static void wait_gone(void)
{
	while (api.open > API_HOOKS + 1 || is_charged())
		uv_run(&loop, UV_RUN_ONCE);
}

static void check_nothing_stays(void)
{
	FUZZ_PROMISE(api.n_conns == 1 && api.n_segments == 0);
	/* The good client may have lost idle credit meanwhile, nobody can have gained any. */
	FUZZ_PROMISE(sched_units_free(core) >= units_free);
}

void world_begin(uint32_t features)
{
	peer_open(&bad, FUZZ_UID);
	peer_hello(&bad, features);
	world_turn();
}

void world_end(void)
{
	world_turn();
	world_check_good();
	close(bad.fd);
	bad.closed = true;
	while (bad.n_fds)
		close(peer_take_fd(&bad));
	wait_gone();
	check_nothing_stays();
}

void world_init(void)
{
	struct core_config config = {.loop = &loop, .module_dir = TEST_MODULE_DIR,
				     .events = &api.events, .daemon_id = 1};

	FUZZ_PROMISE(uv_loop_init(&loop) == 0 && api_init(&api, &loop, 1) == 0);
	log_set_level(KCF_LOG_ERROR);
	limits_init(&config.limits);
	config.limits.workers_min = config.limits.workers_max = 1;
	config.limits.user_arena = config.limits.segment_max = 1 << 20;
	FUZZ_PROMISE(core_new(&config, &core) == KCF_SUCCESS);
	api_set_core(&api, core);
	peer_open(&good, GOOD_UID);
	peer_hello(&good, 0);
	bad.closed = true;
	while (!good.n_answers)
		world_turn();
	units_free = sched_units_free(core);
}
