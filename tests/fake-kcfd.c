/* SPDX-License-Identifier: Apache-2.0 */
#include "fake-ring.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* ---- send; lock held ---- */

static void write_all(struct fake_kcfd *f, const uint8_t *p, size_t len, const int *fds, unsigned n)
{
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(4 * sizeof(int))] = {0};

	while (len && f->fd >= 0) {
		struct iovec iov = {(void *)p, len};
		struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1};
		ssize_t done;

		if (n) {
			struct cmsghdr *cm;

			m.msg_control = control;
			m.msg_controllen = CMSG_SPACE(n * sizeof(int));
			cm = CMSG_FIRSTHDR(&m);
			cm->cmsg_level = SOL_SOCKET;
			cm->cmsg_type = SCM_RIGHTS;
			cm->cmsg_len = CMSG_LEN(n * sizeof(int));
			memcpy(CMSG_DATA(cm), fds, n * sizeof(int));
		}
		done = sendmsg(f->fd, &m, MSG_NOSIGNAL);
		if (done < 0)
			return;
		p += done;
		len -= (size_t)done;
		n = 0;
	}
}

static void send_msg(struct fake_kcfd *f, const struct wire_msg *msg, uint64_t id,
		     const uint8_t *payload, size_t payload_len, const int *fds, unsigned n_fds)
{
	uint8_t buf[8192 + FRAME_PAYLOAD_MAX];
	size_t len = codec_encode_frame(msg, id, 0, (uint32_t)payload_len, buf, 8192);

	if (len == SIZE_MAX)
		abort();
	if (payload_len)
		memcpy(buf + len, payload, payload_len);
	write_all(f, buf, len + payload_len, fds, n_fds);
}

void fake_send_locked(struct fake_kcfd *f, const struct wire_msg *msg, uint64_t id, const int *fds,
		      unsigned n_fds)
{
	send_msg(f, msg, id, NULL, 0, fds, n_fds);
}

/* ---- handshake ---- */

static void on_hello(struct fake_kcfd *f, uint64_t id)
{
	struct wire_msg msg = {.type = FRAME_HELLO_REPLY};
	int fds[2];

	if (f->fatal != KCF_SUCCESS) {
		struct wire_msg fatal = {.type = FRAME_FATAL,
					 .fatal = {.status = f->fatal, .text = "no"}};

		send_msg(f, &fatal, 0, NULL, 0, NULL, 0);
		shutdown(f->fd, SHUT_RDWR);
		return;
	}
	if (f->page)
		page_unmap(f->page);
	if (page_new(f->connection, &f->page, &fds[1]) < 0)
		abort();
	page_credit_give(f->page, f->lease);
	fds[0] = memfd_create("fake-table", MFD_CLOEXEC);
	msg.hello_reply.version = f->version;
	msg.hello_reply.features = f->features;
	msg.hello_reply.max_inline = WIRE_MAX_INLINE;
	msg.hello_reply.max_request = WIRE_MAX_REQUEST;
	msg.hello_reply.lease = f->lease;
	msg.hello_reply.daemon_id = f->daemon_id;
	send_msg(f, &msg, id, NULL, 0, fds, 2);
	close(fds[0]);
	close(fds[1]);
}

/* ---- operations ---- */

uint8_t *fake_range(struct fake_kcfd *f, const struct wire_range *r)
{
	for (int i = 0; i < FAKE_SEGMENTS; i++) {
		const struct fake_segment *s = &f->segments[i];

		if (s->number == r->segment && r->offset <= s->size &&
		    r->len <= s->size - r->offset)
			return s->base + r->offset;
	}
	abort();
}

static size_t gather(struct fake_kcfd *f, const struct wire_range *r, uint32_t n,
		     const uint8_t **payload, size_t inline_len, uint8_t *to)
{
	size_t len = inline_len;

	if (!n) {
		memcpy(to, *payload, inline_len);
		*payload += inline_len;
		return len;
	}
	for (uint32_t i = 0; i < n; i++) {
		memcpy(to + len, fake_range(f, &r[i]), r[i].len);
		len += r[i].len;
	}
	return len;
}

static size_t room_of(const struct wire_range *r, uint32_t n, size_t inline_room)
{
	for (uint32_t i = 0; i < n; i++)
		inline_room += r[i].len;
	return inline_room;
}

/* Inline output goes to reply; returns how much of it there is. */
static size_t scatter(struct fake_kcfd *f, const struct wire_range *r, uint32_t n,
		      const uint8_t *from, size_t len, uint8_t *reply)
{
	if (!n) {
		memcpy(reply, from, len);
		return len;
	}
	for (uint32_t i = 0; i < n && len; i++) {
		size_t part = r[i].len < len ? r[i].len : len;

		memcpy(fake_range(f, &r[i]), from, part);
		from += part;
		len -= part;
	}
	return 0;
}

static void mix(uint8_t *p, size_t len)
{
	for (size_t i = 0; i < len; i++)
		p[i] ^= FAKE_XOR;
}

static uint8_t scratch[WIRE_MAX_REQUEST];

static void answer_steps(struct fake_kcfd *f, uint64_t id, const struct wire_op *op,
			 const uint8_t *payload)
{
	struct wire_msg msg = {.type = FRAME_OP_REPLY};
	uint8_t reply[FRAME_PAYLOAD_MAX];
	uint64_t lens[KCF_STEPS_MAX];
	size_t all = 0;

	for (uint32_t i = 0; i < op->n_steps; i++) {
		const struct wire_step *s = &op->steps[i];
		size_t len = gather(f, s->in, s->n_in, &payload, s->in_len, scratch), part;
		size_t room = room_of(s->out, s->n_out, s->out_room);
		struct wire_msg step = {.type = FRAME_OP_STEP};

		mix(scratch, len);
		lens[i] = len < room ? len : room;
		part = scatter(f, s->out, s->n_out, scratch, lens[i], reply + all);
		if (op->flags & OPF_NOTIFY_STEPS) {
			step.op_reply.step = i;
			step.op_reply.out_len = lens[i];
			send_msg(f, &step, id, reply, part, NULL, 0);
		} else {
			all += part;
		}
		msg.op_reply.out_len += lens[i];
	}
	msg.op_reply.step_lens = lens;
	msg.op_reply.n_step_lens = op->n_steps;
	msg.op_reply.provider = 1;
	send_msg(f, &msg, id, reply, all, NULL, 0);
}

static bool has_segments(struct fake_kcfd *f, const struct wire_range *ranges, uint32_t n)
{
	while (n--) {
		int i = 0;

		while (i < FAKE_SEGMENTS && f->segments[i].number != ranges[n].segment)
			i++;
		if (i == FAKE_SEGMENTS)
			return false;
	}
	return true;
}

static bool has_ranges(struct fake_kcfd *f, const struct wire_op *op)
{
	bool ok = has_segments(f, op->in, op->n_in) && has_segments(f, op->out, op->n_out);

	for (uint32_t i = 0; i < op->n_steps; i++)
		ok = ok && has_segments(f, op->steps[i].in, op->steps[i].n_in) &&
		     has_segments(f, op->steps[i].out, op->steps[i].n_out);
	return ok;
}

static void answer_op(struct fake_kcfd *f, uint64_t id, const struct wire_op *op,
		      const uint8_t *payload)
{
	struct wire_msg msg = {.type = FRAME_OP_REPLY};
	struct wire_op_reply *r = &msg.op_reply;
	uint8_t reply[2 * WIRE_MAX_INLINE];
	size_t len, room, n = 0;

	if (!f->keep_credits)
		page_credit_give(f->page, op->units);
	r->provider = 1;
	r->status = f->status;
	if (f->n_busy) {
		f->n_busy--;
		r->status = KCF_BUSY;
		r->busy_reason = KCF_BUSY_NO_ROOM;
		r->provider = f->busy_provider;
	}
	if (!has_ranges(f, op))
		r->status = KCF_ARGUMENTS_BAD;
	if (r->status != KCF_SUCCESS) {
		r->required = r->status == KCF_BUFFER_TOO_SMALL ? 12345 : 0;
		send_msg(f, &msg, id, NULL, 0, NULL, 0);
		return;
	}
	if (op->n_steps) {
		answer_steps(f, id, op, payload);
		return;
	}
	len = gather(f, op->in, op->n_in, &payload, op->in_len, scratch);
	mix(scratch, len);
	room = room_of(op->out, op->n_out, op->out_room);
	if (op->op == KCF_OP_RANDOM)
		memset(scratch, 7, len = room);
	r->out_len = len < room ? len : room;
	n = scatter(f, op->out, op->n_out, scratch, r->out_len, reply);
	if (op->mac_room) {
		r->mac_len = 4;
		memcpy(reply + n, "MAC!", 4);
		n += 4;
	}
	if (op->param.kind == KCF_PARAM_AEAD &&
	    (((const struct kcf_param_aead *)op->param.data)->flags & KCF_IV_GENERATED))
		r->iv = (struct wire_bytes){(const uint8_t *)"generated-iv", WIRE_IV_LEN};
	send_msg(f, &msg, id, reply, n, NULL, 0);
}

static void answer_key_op(struct fake_kcfd *f, uint64_t id, const struct wire_key_op_msg *op)
{
	struct wire_msg msg = {.type = FRAME_KEY_REPLY, .key_reply.status = f->status};

	if (f->status == KCF_SUCCESS && op->kind <= KEYOP_DERIVE) {
		msg.key_reply.has_handle = true;
		memcpy(msg.key_reply.handle.id, f->key_handle, 16);
	} else if (op->kind == KEYOP_EXPORT) {
		msg.key_reply.data = (struct wire_bytes){(const uint8_t *)"public", 6};
	}
	send_msg(f, &msg, id, NULL, 0, NULL, 0);
}

/* ---- arena ---- */

static struct fake_segment *segment(struct fake_kcfd *f, uint32_t number)
{
	for (int i = 0; i < FAKE_SEGMENTS; i++) {
		if (f->segments[i].number == number)
			return &f->segments[i];
	}
	abort();
}

/* 0: a number of its own choice, another on every connection. */
static uint32_t map_segment(struct fake_kcfd *f, int fd, size_t size, uint32_t number)
{
	struct fake_segment *s = segment(f, 0);

	s->size = size;
	s->base = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	s->number = number ? number : (uint32_t)(s - f->segments) + 1 + 10 * f->connection;
	f->arena_used += size;
	return s->number;
}

static void drop_segment(struct fake_kcfd *f, struct fake_segment *s)
{
	if (!s->number)
		return;
	munmap(s->base, s->size);
	f->arena_used -= s->size;
	*s = (struct fake_segment){0};
}

static void on_arena_new(struct fake_kcfd *f, uint64_t id, uint64_t size)
{
	struct wire_msg msg = {.type = FRAME_ARENA_REPLY, .arena.status = f->arena_status};
	int fd = -1;

	if (f->arena_quota && f->arena_used + size > f->arena_quota)
		msg.arena.status = KCF_QUOTA_EXCEEDED;
	if (msg.arena.status == KCF_SUCCESS) {
		fd = memfd_create("fake-segment", MFD_CLOEXEC | MFD_ALLOW_SEALING);
		if (ftruncate(fd, (off_t)size) < 0 ||
		    fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW) < 0)
			abort();
		msg.arena.size = size;
		msg.arena.segment = map_segment(f, fd, size, 0);
	}
	send_msg(f, &msg, id, NULL, 0, &fd, fd >= 0);
	if (fd >= 0)
		close(fd);
}

static void on_arena_offer(struct fake_kcfd *f, uint64_t id, const struct wire_arena *offer, int fd)
{
	struct wire_msg msg = {.type = FRAME_ARENA_REPLY, .arena.status = f->arena_status};

	if (f->arena_quota && f->arena_used + offer->size > f->arena_quota)
		msg.arena.status = KCF_QUOTA_EXCEEDED;
	if (msg.arena.status == KCF_SUCCESS && fd >= 0) {
		msg.arena.size = offer->size;
		msg.arena.segment = map_segment(f, fd, offer->size,
						offer->segment > 64 ? offer->segment : 0);
	}
	send_msg(f, &msg, id, NULL, 0, NULL, 0);
}

/* ---- frames ---- */

static void handle(struct fake_kcfd *f, struct codec_arena *arena, const struct frame_header *h,
		   const uint8_t *bytes, int fd)
{
	struct wire_msg msg, reply = {0};

	if (!codec_decode(arena, h->type, bytes, h->msg_len, &msg))
		abort();
	switch (h->type) {
	case FRAME_HELLO:
		on_hello(f, h->id);
		break;
	case FRAME_OP:
		answer_op(f, h->id, &msg.op, bytes + h->msg_len);
		break;
	case FRAME_KEY_OP:
		answer_key_op(f, h->id, &msg.key_op);
		break;
	case FRAME_RING_NEW:
		fake_ring_new(f, h->id);
		break;
	case FRAME_TEMPLATE_ATTACH:
		reply.type = FRAME_DONE;
		reply.status = f->attach_status;
		send_msg(f, &reply, h->id, NULL, 0, NULL, 0);
		break;
	case FRAME_ARENA_NEW:
		on_arena_new(f, h->id, msg.arena.size);
		break;
	case FRAME_ARENA_OFFER:
		on_arena_offer(f, h->id, &msg.arena, fd);
		break;
	case FRAME_ARENA_FREE:
		drop_segment(f, segment(f, msg.slot));
		break;
	case FRAME_MECH_FIND:
		reply.type = FRAME_MECH_REPLY;
		reply.mech_reply.status =
			strcmp(msg.name, "NEW") ? KCF_MECH_NOT_SUPPORTED : KCF_SUCCESS;
		reply.mech_reply.mech = KCF_M_DYNAMIC + 7;
		send_msg(f, &reply, h->id, NULL, 0, NULL, 0);
		break;
	case FRAME_STATUS:
		reply.type = FRAME_STATUS_REPLY;
		reply.status_reply.state = KCF_REQ_WAITING;
		reply.status_reply.position = 3;
		reply.status_reply.provider = 1;
		send_msg(f, &reply, h->id, NULL, 0, NULL, 0);
		break;
	default:
		break;
	}
	codec_reset(arena);
}

/* CANCEL: the held request is answered CANCELED. */
static void cancel_held(struct fake_kcfd *f, uint64_t id)
{
	struct wire_msg msg = {.type = FRAME_OP_REPLY, .op_reply.status = KCF_CANCELED};
	struct fake_frame **at, *frame;

	fake_ring_cancel(f, id);
	for (at = &f->held; (frame = *at) != NULL; at = &frame->next) {
		if (frame->h.id != id)
			continue;
		*at = frame->next;
		if (!*at)
			f->held_end = at;
		free(frame->bytes);
		free(frame);
		send_msg(f, &msg, id, NULL, 0, NULL, 0);
		return;
	}
}

static void keep(struct fake_kcfd *f, const struct frame_header *h, const uint8_t *bytes)
{
	struct fake_frame *frame = calloc(1, sizeof(*frame));
	size_t len = h->msg_len + h->payload_len;

	frame->h = *h;
	frame->connection = f->connection;
	frame->bytes = malloc(len + 1);
	memcpy(frame->bytes, bytes, len);
	*f->held_end = frame;
	f->held_end = &frame->next;
}

static void note_aead(struct fake_kcfd *f, const struct wire_param *p)
{
	const struct kcf_param_aead *a = p->data;
	size_t n = sizeof(f->last_aead_bytes);

	if (p->kind != KCF_PARAM_AEAD)
		return;
	f->last_aead = *a;
	for (size_t i = 0; i < n && i < a->iv_len + a->aad_len; i++)
		f->last_aead_bytes[i] = i < a->iv_len ? a->iv[i] : a->aad[i - a->iv_len];
}

static void on_frame(struct fake_kcfd *f, struct codec_arena *arena, const struct frame_header *h,
		     const uint8_t *bytes, int fd)
{
	struct wire_msg msg;
	bool is_request = h->type == FRAME_OP || h->type == FRAME_KEY_OP;

	if (h->type == FRAME_OP || h->type == FRAME_CANCEL) {
		if (!codec_decode(arena, h->type, bytes, h->msg_len, &msg))
			abort();
		if (h->type == FRAME_CANCEL)
			cancel_held(f, msg.id);
		else
			f->last_op = msg.op;
		if (h->type == FRAME_OP)
			note_aead(f, &msg.op.param);
		f->last_id = h->id;
		codec_reset(arena);
	}
	if (is_request && f->hold)
		keep(f, h, bytes);
	else
		handle(f, arena, h, bytes, fd);
	f->n_frames[h->type]++;
	pthread_cond_broadcast(&f->changed);
}

/* ---- thread ---- */

struct stream {
	uint8_t buf[2 * (FRAME_HEADER_MAX + FRAME_MESSAGE_MAX + FRAME_PAYLOAD_MAX)];
	size_t len;
	int fds[16];
	unsigned n_fds;
	struct codec_arena arena;
};

static bool read_some(struct stream *s, int fd)
{
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(16 * sizeof(int))];
	struct iovec iov = {s->buf + s->len, sizeof(s->buf) - s->len};
	struct msghdr m = {.msg_iov = &iov,
			   .msg_iovlen = 1,
			   .msg_control = control,
			   .msg_controllen = sizeof(control)};
	ssize_t n = recvmsg(fd, &m, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
	struct cmsghdr *cm;

	if (n < 0)
		return errno == EAGAIN || errno == EINTR;
	for (cm = CMSG_FIRSTHDR(&m); cm; cm = CMSG_NXTHDR(&m, cm)) {
		size_t count = (cm->cmsg_len - CMSG_LEN(0)) / sizeof(int);

		memcpy(s->fds + s->n_fds, CMSG_DATA(cm), count * sizeof(int));
		s->n_fds += (unsigned)count;
	}
	s->len += (size_t)n;
	return n > 0;
}

static int next_fd(struct stream *s)
{
	int fd;

	if (!s->n_fds)
		return -1;
	fd = s->fds[0];
	memmove(s->fds, s->fds + 1, --s->n_fds * sizeof(int));
	return fd;
}

static void frames(struct fake_kcfd *f, struct stream *s)
{
	struct frame_header h;

	while (frame_get(s->buf, s->len, FRAME_PAYLOAD_MAX, &h) == FRAME_OK &&
	       frame_len(&h) <= s->len) {
		int fd = h.type == FRAME_ARENA_OFFER ? next_fd(s) : -1;

		on_frame(f, &s->arena, &h, s->buf + h.header_len, fd);
		if (fd >= 0)
			close(fd);
		s->len -= frame_len(&h);
		memmove(s->buf, s->buf + frame_len(&h), s->len);
	}
}

static void close_connection(struct fake_kcfd *f, struct stream *s)
{
	fake_ring_drop(f);
	close(f->fd);
	f->fd = -1;
	s->len = 0;
	while (s->n_fds)
		close(s->fds[--s->n_fds]);
	for (int i = 0; i < FAKE_SEGMENTS; i++)
		drop_segment(f, &f->segments[i]);
}

static void *serve(void *arg)
{
	struct stream *s = calloc(1, sizeof(*s));
	struct fake_kcfd *f = arg;
	uint64_t count;

	codec_init(&s->arena);
	pthread_mutex_lock(&f->lock);
	while (!f->stop) {
		bool more = f->ring.r && !f->silent && fake_ring_serve(f);
		struct pollfd p[4] = {{f->wake_fd, POLLIN, 0},
				      {f->fd >= 0 ? -1 : f->listen_fd, POLLIN, 0},
				      {f->silent ? -1 : f->fd, POLLIN, 0},
				      {f->silent ? -1 : f->bell, POLLIN, 0}};

		pthread_mutex_unlock(&f->lock);
		poll(p, 4, more ? 0 : -1);
		pthread_mutex_lock(&f->lock);
		if (p[0].revents && read(f->wake_fd, &count, sizeof(count)) < 0)
			abort();
		if (p[1].revents && f->listen_fd >= 0) {
			f->fd = accept4(f->listen_fd, NULL, NULL, SOCK_CLOEXEC);
			f->connection++;
		} else if (p[2].revents && !f->silent) {
			/* what was put before a frame was sent comes before it */
			if (read_some(s, f->fd)) {
				if (f->ring.r)
					fake_ring_serve(f);
				frames(f, s);
			} else {
				close_connection(f, s);
			}
		}
	}
	if (f->fd >= 0)
		close_connection(f, s);
	pthread_mutex_unlock(&f->lock);
	codec_deinit(&s->arena);
	free(s);
	return NULL;
}

void fake_wake(struct fake_kcfd *f)
{
	uint64_t one = 1;

	ck_assert_int_eq(write(f->wake_fd, &one, sizeof(one)), sizeof(one));
}

/* ---- for tests ---- */

void fake_listen(struct fake_kcfd *f)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};

	strcpy(sa.sun_path, f->path);
	pthread_mutex_lock(&f->lock);
	f->listen_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	ck_assert_int_eq(bind(f->listen_fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
	ck_assert_int_eq(listen(f->listen_fd, 8), 0);
	pthread_mutex_unlock(&f->lock);
	fake_wake(f);
}

void fake_unlisten(struct fake_kcfd *f)
{
	pthread_mutex_lock(&f->lock);
	unlink(f->path);
	close(f->listen_fd);
	f->listen_fd = -1;
	pthread_mutex_unlock(&f->lock);
	fake_wake(f);
}

void fake_start(struct fake_kcfd *f)
{
	const char *top = getenv("KCF_TEST_TMP");

	memset(f, 0, sizeof(*f));
	snprintf(f->dir, sizeof(f->dir), "%s/fake-XXXXXX", top ? top : "/tmp");
	ck_assert_ptr_nonnull(mkdtemp(f->dir));
	snprintf(f->path, sizeof(f->path), "%s/sock", f->dir);
	pthread_mutex_init(&f->lock, NULL);
	pthread_cond_init(&f->changed, NULL);
	f->held_end = &f->held;
	f->fd = f->listen_fd = f->bell = -1;
	f->ring_fds = 2;
	f->wake_fd = eventfd(0, EFD_CLOEXEC);
	f->daemon_id = 1;
	f->lease = 64;
	f->version = FRAME_VERSION;
	fake_listen(f);
	ck_assert_int_eq(pthread_create(&f->thread, NULL, serve, f), 0);
}

void fake_stop(struct fake_kcfd *f)
{
	FAKE_SET(f, stop, true);
	fake_wake(f);
	pthread_join(f->thread, NULL);
	fake_forget(f);
	if (f->listen_fd >= 0)
		close(f->listen_fd);
	close(f->wake_fd);
	if (f->page)
		page_unmap(f->page);
	unlink(f->path);
	rmdir(f->dir);
}

void fake_wait(struct fake_kcfd *f, enum frame_type type, unsigned n)
{
	pthread_mutex_lock(&f->lock);
	while (f->n_frames[type] < n)
		pthread_cond_wait(&f->changed, &f->lock);
	pthread_mutex_unlock(&f->lock);
}

unsigned fake_count(struct fake_kcfd *f, enum frame_type type)
{
	unsigned n;

	pthread_mutex_lock(&f->lock);
	n = f->n_frames[type];
	pthread_mutex_unlock(&f->lock);
	return n;
}

static void end_hold(struct fake_kcfd *f, bool answer)
{
	struct codec_arena arena;
	struct fake_frame *frame;

	codec_init(&arena);
	pthread_mutex_lock(&f->lock);
	f->hold = false;
	while ((frame = f->held) != NULL) {
		f->held = frame->next;
		if (answer && frame->connection == f->connection && f->fd >= 0)
			handle(f, &arena, &frame->h, frame->bytes, -1);
		free(frame->bytes);
		free(frame);
	}
	f->held_end = &f->held;
	fake_ring_release(f, answer && f->fd >= 0);
	pthread_mutex_unlock(&f->lock);
	codec_deinit(&arena);
}

void fake_release(struct fake_kcfd *f)
{
	end_hold(f, true);
}

void fake_forget(struct fake_kcfd *f)
{
	end_hold(f, false);
}

void fake_speak(struct fake_kcfd *f)
{
	FAKE_SET(f, silent, false);
	fake_wake(f);
}

void fake_drop(struct fake_kcfd *f)
{
	pthread_mutex_lock(&f->lock);
	if (f->fd >= 0)
		shutdown(f->fd, SHUT_RDWR);
	f->silent = false;
	pthread_mutex_unlock(&f->lock);
	fake_wake(f);
}

void fake_send(struct fake_kcfd *f, const struct wire_msg *msg, uint64_t id)
{
	pthread_mutex_lock(&f->lock);
	send_msg(f, msg, id, NULL, 0, NULL, 0);
	pthread_mutex_unlock(&f->lock);
}

void fake_send_fd(struct fake_kcfd *f, const struct wire_msg *msg, uint64_t id, int fd)
{
	pthread_mutex_lock(&f->lock);
	send_msg(f, msg, id, NULL, 0, &fd, 1);
	pthread_mutex_unlock(&f->lock);
}

void fake_send_bytes(struct fake_kcfd *f, const void *bytes, size_t len)
{
	pthread_mutex_lock(&f->lock);
	write_all(f, bytes, len, NULL, 0);
	pthread_mutex_unlock(&f->lock);
}

void fake_give(struct fake_kcfd *f, uint32_t units)
{
	pthread_mutex_lock(&f->lock);
	page_credit_give(f->page, units);
	pthread_mutex_unlock(&f->lock);
}
