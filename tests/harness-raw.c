/* SPDX-License-Identifier: Apache-2.0 */
/* harness: frames by hand. */
#include <check.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include "harness.h"

#define READ_CHUNK 65536

void harness_raw_attach(struct harness_raw *r, int fd)
{
	memset(r, 0, sizeof(*r));
	codec_init(&r->arena);
	r->fd = fd;
}

void harness_raw_open(struct harness_raw *r, const struct harness_kcfd *h)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};

	harness_raw_attach(r, socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
	snprintf(a.sun_path, sizeof(a.sun_path), "%s", h->socket);
	ck_assert_int_ge(r->fd, 0);
	ck_assert_msg(connect(r->fd, (struct sockaddr *)&a, sizeof(a)) == 0, "connect: %s",
		      strerror(errno));
}

void harness_raw_close(struct harness_raw *r)
{
	if (r->fd >= 0)
		close(r->fd);
	for (unsigned i = 0; i < r->n_fds; i++)
		close(r->fds[i]);
	if (r->page)
		page_unmap(r->page);
	free(r->buf);
	codec_deinit(&r->arena);
	memset(r, 0, sizeof(*r));
	r->fd = -1;
}

#define PUMP_TURNS 100000

static void must_poll(struct harness_raw *r, short events)
{
	struct pollfd p = {.fd = r->fd, .events = events};

	for (int i = 0; r->pump && i < PUMP_TURNS && poll(&p, 1, 0) == 0; i++)
		r->pump(r->pump_arg);
	ck_assert_msg(poll(&p, 1, r->pump ? 0 : HARNESS_PATIENCE_MS) == 1, "kcfd is silent");
}

bool harness_raw_write(struct harness_raw *r, const void *bytes, size_t len, const int *fds,
		       unsigned n_fds)
{
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(int) * 32)];
	const uint8_t *p = bytes;

	while (len) {
		struct iovec iov = {(void *)p, len};
		struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1};

		if (n_fds) {
			m.msg_control = control;
			m.msg_controllen = CMSG_SPACE(sizeof(int) * n_fds);
			struct cmsghdr *c = CMSG_FIRSTHDR(&m);
			c->cmsg_level = SOL_SOCKET;
			c->cmsg_type = SCM_RIGHTS;
			c->cmsg_len = CMSG_LEN(sizeof(int) * n_fds);
			memcpy(CMSG_DATA(c), fds, sizeof(int) * n_fds);
		}
		must_poll(r, POLLOUT);
		ssize_t n = sendmsg(r->fd, &m, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n < 0 && errno != EAGAIN)
			return false;
		if (n <= 0)
			continue;
		p += n;
		len -= (size_t)n;
		n_fds = 0;
	}
	return true;
}

bool harness_raw_send(struct harness_raw *r, const struct wire_msg *msg, uint64_t id,
		      const void *payload, uint32_t payload_len)
{
	uint8_t *buf = malloc(FRAME_HEADER_LEN + FRAME_MESSAGE_MAX + payload_len);
	size_t n;
	bool ok;

	ck_assert_ptr_nonnull(buf);
	n = codec_encode_frame(msg, id, 0, payload_len, buf, FRAME_HEADER_LEN + FRAME_MESSAGE_MAX);
	ck_assert_uint_ne(n, SIZE_MAX);
	if (payload_len)
		memcpy(buf + n, payload, payload_len);
	ok = harness_raw_write(r, buf, n + payload_len, NULL, 0);
	free(buf);
	return ok;
}

bool harness_raw_send_op(struct harness_raw *r, struct wire_op *op, uint64_t id,
			 const void *payload, uint32_t payload_len)
{
	struct wire_msg msg = {.type = FRAME_OP};

	op->units = codec_op_units(op);
	ck_assert_msg(page_credit_take(r->page, op->units), "no credit for %u units", op->units);
	msg.op = *op;
	return harness_raw_send(r, &msg, id, payload, payload_len);
}

static void take_fds(struct harness_raw *r, struct msghdr *m)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c)) {
		size_t n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);

		ck_assert_uint_le(r->n_fds + n, WIRE_MAX_FDS);
		memcpy(r->fds + r->n_fds, CMSG_DATA(c), n * sizeof(int));
		r->n_fds += (unsigned)n;
	}
}

/* More bytes; false at the end of the stream. */
static bool fill(struct harness_raw *r)
{
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(int) * WIRE_MAX_FDS)];
	struct iovec iov;
	struct msghdr m = {.msg_iov = &iov,
			   .msg_iovlen = 1,
			   .msg_control = control,
			   .msg_controllen = sizeof(control)};
	ssize_t n;

	if (r->room - r->len < READ_CHUNK) {
		r->room = r->len + 2 * READ_CHUNK;
		r->buf = realloc(r->buf, r->room);
		ck_assert_ptr_nonnull(r->buf);
	}
	iov = (struct iovec){r->buf + r->len, r->room - r->len};
	must_poll(r, POLLIN);
	n = recvmsg(r->fd, &m, MSG_CMSG_CLOEXEC);
	if (n <= 0)
		return false;
	take_fds(r, &m);
	r->len += (size_t)n;
	return true;
}

bool harness_raw_recv(struct harness_raw *r, struct harness_frame *ret)
{
	static __thread uint8_t *last; /* the frame handed out before */
	enum frame_result res;
	size_t len;

	while ((res = frame_get(r->buf, r->len, FRAME_ADMIN_PAYLOAD_MAX, &ret->h)) == FRAME_MORE ||
	       (res == FRAME_OK && frame_len(&ret->h) > r->len)) {
		if (!fill(r))
			return false;
	}
	ck_assert_msg(res == FRAME_OK, "kcfd sent a bad frame (%d)", res);
	len = frame_len(&ret->h);
	free(last);
	last = malloc(len);
	ck_assert_ptr_nonnull(last);
	memcpy(last, r->buf, len);
	r->len -= len;
	memmove(r->buf, r->buf + len, r->len);
	codec_reset(&r->arena);
	memset(&ret->msg, 0, sizeof(ret->msg));
	ck_assert_msg(codec_decode(&r->arena, ret->h.type, last + ret->h.header_len, ret->h.msg_len,
				   &ret->msg),
		      "kcfd sent a malformed %s", frame_type_name(ret->h.type));
	ret->msg.type = ret->h.type;
	ret->payload = last + ret->h.header_len + ret->h.msg_len;
	return true;
}

void harness_raw_expect(struct harness_raw *r, enum frame_type type, struct harness_frame *ret)
{
	do {
		ck_assert_msg(harness_raw_recv(r, ret), "kcfd closed the connection; %s expected",
			      frame_type_name(type));
	} while (ret->h.type == FRAME_EVENT && type != FRAME_EVENT);
	ck_assert_msg(ret->h.type == type, "%s instead of %s: %s", frame_type_name(ret->h.type),
		      frame_type_name(type), ret->h.type == FRAME_FATAL ? ret->msg.fatal.text : "");
}

void harness_raw_expect_closed(struct harness_raw *r, enum kcf_status *ret_status)
{
	struct harness_frame f;
	enum kcf_status status = KCF_SUCCESS;

	while (harness_raw_recv(r, &f)) {
		if (f.h.type == FRAME_FATAL)
			status = f.msg.fatal.status;
	}
	if (ret_status)
		*ret_status = status;
}

int harness_raw_take_fd(struct harness_raw *r)
{
	int fd;

	if (r->n_fds == 0)
		return -1;
	fd = r->fds[0];
	memmove(r->fds, r->fds + 1, --r->n_fds * sizeof(int));
	return fd;
}

void harness_raw_hello(struct harness_raw *r, struct wire_hello_reply *ret)
{
	struct wire_msg msg = {.type = FRAME_HELLO};
	struct harness_frame f;

	msg.hello.version_min = msg.hello.version_max = FRAME_VERSION;
	msg.hello.label = "raw";
	msg.hello.features = r->features;
	harness_raw_send(r, &msg, 1, NULL, 0);
	harness_raw_expect(r, FRAME_HELLO_REPLY, &f);
	if (ret)
		*ret = f.msg.hello_reply;
	ck_assert_uint_ge(r->n_fds, 2);
	close(harness_raw_take_fd(r)); /* the table */
	ck_assert_int_eq(page_map(harness_raw_take_fd(r), &r->page), 0);
	while (r->n_fds)
		close(harness_raw_take_fd(r)); /* the modules */
}

enum kcf_status harness_raw_admin(struct harness_raw *r, const char *const words[], char **ret_text)
{
	struct wire_msg msg = {.type = FRAME_ADMIN};
	struct harness_frame f;

	msg.admin.command = words[0];
	while (words[1 + msg.admin.n_args]) {
		msg.admin.args[msg.admin.n_args] = words[1 + msg.admin.n_args];
		msg.admin.n_args++;
	}
	ck_assert(harness_raw_send(r, &msg, 0xad317, NULL, 0));
	harness_raw_expect(r, FRAME_ADMIN_REPLY, &f);
	if (ret_text && f.msg.admin_reply.status == KCF_SUCCESS)
		*ret_text = strndup((const char *)f.payload, f.h.payload_len);
	else if (ret_text)
		*ret_text = strdup(f.msg.admin_reply.error);
	return f.msg.admin_reply.status;
}

uint64_t harness_json_u64(const char *text, const char *key)
{
	char quoted[64];
	const char *p;

	snprintf(quoted, sizeof(quoted), "\"%s\":", key);
	p = strstr(text, quoted);
	ck_assert_msg(p != NULL, "no %s in %s", key, text);
	return strtoull(p + strlen(quoted), NULL, 10);
}

void harness_raw_check_service(const struct harness_kcfd *h)
{
	/* FIPS 180-4: SHA-256("abc") */
	static const uint8_t digest[32] = {0xba, 0x78, 0x16, 0xbf, 0x8f, 0x01, 0xcf, 0xea,
					   0x41, 0x41, 0x40, 0xde, 0x5d, 0xae, 0x22, 0x23,
					   0xb0, 0x03, 0x61, 0xa3, 0x96, 0x17, 0x7a, 0x9c,
					   0xb4, 0x10, 0xff, 0x61, 0xf2, 0x00, 0x15, 0xad};
	struct wire_op op = {
		.op = KCF_OP_DIGEST, .mech = KCF_M_SHA256, .in_len = 3, .out_room = 32};
	struct harness_frame f;
	struct harness_raw r;

	harness_raw_open(&r, h);
	harness_raw_hello(&r, NULL);
	ck_assert(harness_raw_send_op(&r, &op, 7, "abc", 3));
	harness_raw_expect(&r, FRAME_OP_REPLY, &f);
	ck_assert_uint_eq(f.h.id, 7);
	ck_assert_uint_eq(f.msg.op_reply.status, KCF_SUCCESS);
	ck_assert_uint_eq(f.h.payload_len, sizeof(digest));
	ck_assert_mem_eq(f.payload, digest, sizeof(digest));
	harness_raw_close(&r);
}
