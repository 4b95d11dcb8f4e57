/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The library's daemon-facing half against a kcfd that says anything: after a right handshake, a few requests of
 * every shape, and threads that wait for answers, each input is a list of frames (script.h) whose ids are turned into
 * those of the requests. Promises: every accepted request calls back exactly once, at the latest when the client is
 * closed; no byte is written beyond the room that was given (buffers are of exactly that size); no thread waits for an
 * answer on a connection that is gone.
 */
#include <errno.h>
#include <fcntl.h>
#include <kcf/client.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include "fuzz.h"
#include "script.h"
#include "table/page.h"

#include <string.h>

#define N_REQUESTS 10
#define N_ASKERS 3
#define LARGE 100000 /* more than a frame holds */
#define SEGMENT (1 << 20)
#define MAX_IDS 32
#define LEASE 1000

/* ---- kcfd's side: a thread that says hello, nothing more ---- */

static struct {
	char dir[64], path[96];
	int listen_fd, fd;
	int table_fd, page_fd;
	struct page *page;
	uint32_t expected; /* atomic: label of the client that is to be served, once; 0 = none */
	sem_t greeted;
} server;

static void send_fds(int fd, const uint8_t *bytes, size_t len, const int *fds, unsigned n)
{
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(2 * sizeof(int))] = {0};
	struct iovec iov = {(void *)bytes, len};
	struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control,
			   .msg_controllen = CMSG_SPACE(n * sizeof(int))};

	*CMSG_FIRSTHDR(&m) = (struct cmsghdr){CMSG_LEN(n * sizeof(int)), SOL_SOCKET, SCM_RIGHTS};
	memcpy(CMSG_DATA(CMSG_FIRSTHDR(&m)), fds, n * sizeof(int));
	sendmsg(fd, &m, MSG_NOSIGNAL);
}

/* Is it the client of this input, for the first time? One whose connection broke may try again by itself. */
static bool is_expected(const uint8_t *frame, const struct frame_header *h)
{
	static struct codec_arena arena;
	struct wire_msg msg;
	uint32_t label = 0;

	if (codec_decode(&arena, h->type, frame + h->header_len, h->msg_len, &msg) && msg.hello.label)
		label = (uint32_t)strtoul(msg.hello.label, NULL, 10);
	codec_reset(&arena);
	return label && __atomic_compare_exchange_n(&server.expected, &label, 0, false, __ATOMIC_ACQ_REL,
						    __ATOMIC_RELAXED);
}

static bool greet(int fd)
{
	struct wire_msg msg = {.type = FRAME_HELLO_REPLY};
	int fds[2] = {server.table_fd, server.page_fd};
	struct frame_header h;
	uint8_t buf[512];
	size_t len = 0;
	ssize_t n;

	while (frame_get(buf, len, 0, &h) != FRAME_OK || frame_len(&h) > len) {
		n = read(fd, buf + len, sizeof(buf) - len);
		if (n <= 0)
			return false;
		len += (size_t)n;
	}
	if (!is_expected(buf, &h))
		return false;
	__atomic_store_n(&server.page->credit, LEASE, __ATOMIC_RELEASE);
	msg.hello_reply = (struct wire_hello_reply){.version = FRAME_VERSION, .lease = LEASE,
						    .max_inline = WIRE_MAX_INLINE,
						    .max_request = WIRE_MAX_REQUEST,
						    .daemon_id = 1};
	len = codec_encode_frame(&msg, h.id, 0, 0, buf, sizeof(buf));
	send_fds(fd, buf, len, fds, 2);
	return true;
}

static void *serve(void *arg)
{
	sigset_t all;

	sigfillset(&all); /* libFuzzer's timer is to interrupt somebody else */
	pthread_sigmask(SIG_SETMASK, &all, NULL);
	for (;;) {
		int fd = accept4(server.listen_fd, NULL, NULL, SOCK_CLOEXEC);

		FUZZ_PROMISE(fd >= 0);
		if (!greet(fd)) {
			close(fd);
			continue;
		}
		fcntl(fd, F_SETFL, O_NONBLOCK);
		__atomic_store_n(&server.fd, fd, __ATOMIC_RELEASE);
		sem_post(&server.greeted);
	}
	return NULL;
}

static void remove_dir(void)
{
	unlink(server.path);
	rmdir(server.dir);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	pthread_t thread;

	strcpy(server.dir, "/tmp/kcf-fuzz.XXXXXX");
	FUZZ_PROMISE(mkdtemp(server.dir));
	snprintf(server.path, sizeof(server.path), "%s/s", server.dir);
	strcpy(sa.sun_path, server.path);
	server.table_fd = memfd_create("table", MFD_CLOEXEC);
	FUZZ_PROMISE(page_new(1, &server.page, &server.page_fd) == 0);
	server.listen_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	FUZZ_PROMISE(bind(server.listen_fd, (struct sockaddr *)&sa, sizeof(sa)) == 0);
	FUZZ_PROMISE(listen(server.listen_fd, 8) == 0 && sem_init(&server.greeted, 0, 0) == 0);
	atexit(remove_dir);
	FUZZ_PROMISE(pthread_create(&thread, NULL, serve, NULL) == 0);
	return 0;
}

/* ---- the client's side ---- */

struct request {
	unsigned n_called, n_steps;
	bool queued;
	uint8_t *out, *mac, *iv; /* exactly as long as the room */
	struct kcf_step steps[3];
	struct kcf_key key;
};

static struct request requests[N_REQUESTS];
static kcf_req_id asked_about; /* one that is under way */
static unsigned n_requests;

static void on_done(void *arg, const struct kcf_completion *done)
{
	struct request *r = arg;

	if (done->step != KCF_FINAL)
		r->n_steps++;
	else
		r->n_called++;
}

static struct request *begin(struct kcf_call_req *req, size_t out_len)
{
	struct request *r = &requests[n_requests++];

	memset(r, 0, sizeof(*r));
	r->out = malloc(out_len);
	r->mac = malloc(32);
	r->iv = malloc(12);
	FUZZ_PROMISE(r->out && r->mac && r->iv);
	*req = (struct kcf_call_req){.flags = KCF_ALWAYS_QUEUE, .callback = on_done, .arg = r};
	return r;
}

static void end(struct request *r, enum kcf_status status)
{
	r->queued = status == KCF_QUEUED;
}

static uint8_t bytes[300];
static const struct kcf_mechanism sha256 = {KCF_M_SHA256, 0, NULL};
static const struct kcf_mechanism hmac = {KCF_M_SHA256_HMAC, 0, NULL};

static void submit_data(struct kcf_client *c)
{
	struct kcf_data in = kcf_flat(bytes, 100), out;
	struct iovec iov[2];
	struct kcf_call_req req;
	struct request *r = begin(&req, 32);

	out = kcf_flat(r->out, 32);
	end(r, kcf_digest(c, &sha256, &in, &out, &req));
	asked_about = req.id;
	r = begin(&req, 64);
	iov[0] = (struct iovec){r->out, 10};
	iov[1] = (struct iovec){r->out + 10, 54};
	out = kcf_iov(iov, 2);
	end(r, kcf_random(c, &out, &req));
}

static void submit_aead(struct kcf_client *c)
{
	struct kcf_data in = kcf_flat(bytes, 64), out;
	struct kcf_key key = {.kind = KCF_KEY_HANDLE};
	struct kcf_call_req req;
	struct request *r = begin(&req, 80);
	struct kcf_param_aead p = {.flags = KCF_IV_GENERATED, .iv_out = r->iv};
	struct kcf_mechanism gcm = {KCF_M_AES_GCM, sizeof(p), &p};

	out = kcf_flat(r->out, 80);
	end(r, kcf_encrypt(c, &gcm, &key, &in, &out, &req));
}

static void submit_dual(struct kcf_client *c)
{
	struct kcf_param_iv iv = {bytes, 16};
	struct kcf_mechanism cbc = {KCF_M_AES_CTR, sizeof(iv), &iv};
	struct kcf_key key = kcf_key_bytes(bytes, 16);
	struct kcf_dual dual = {&cbc, &key, &hmac, &key};
	struct kcf_data in = kcf_flat(bytes, 200), out, mac;
	struct kcf_call_req req;
	struct request *r = begin(&req, 200);

	out = kcf_flat(r->out, 200);
	mac = kcf_flat(r->mac, 32);
	end(r, kcf_encrypt_mac(c, &dual, &in, &out, &mac, &req));
}

static void submit_steps(struct kcf_client *c)
{
	struct kcf_how how = {KCF_OP_DIGEST, &sha256, NULL, NULL};
	struct kcf_call_req req;
	struct request *r = begin(&req, 32);

	req.flags |= KCF_NOTIFY_OPDONE;
	r->steps[0].kind = KCF_STEP_INIT;
	r->steps[1].kind = KCF_STEP_UPDATE;
	r->steps[1].in = kcf_flat(bytes, 50);
	r->steps[2].kind = KCF_STEP_FINAL;
	r->steps[2].out = kcf_flat(r->out, 32);
	end(r, kcf_submit_steps(c, &how, r->steps, 3, &req));
}

static struct kcf_template *submit_template(struct kcf_client *c)
{
	struct kcf_key key = kcf_key_bytes(bytes, 32), by;
	struct kcf_data in = kcf_flat(bytes, 10), out;
	struct kcf_template *t = NULL;
	struct kcf_call_req req;
	struct request *r = begin(&req, 32);

	if (kcf_template_create(c, KCF_M_SHA256_HMAC, &key, &t) != KCF_SUCCESS)
		return NULL;
	by = kcf_key_tmpl(t);
	out = kcf_flat(r->out, 32);
	end(r, kcf_mac(c, &hmac, &by, &in, &out, &req));
	return t;
}

static struct kcf_context *submit_context(struct kcf_client *c)
{
	struct kcf_how how = {KCF_OP_DIGEST, &sha256, NULL, NULL};
	struct kcf_context *ctx = NULL;
	struct kcf_call_req req;
	struct request *r = begin(&req, 1);

	end(r, kcf_init(c, &how, &ctx, &req));
	return ctx;
}

static void submit_keys(struct kcf_client *c)
{
	struct kcf_key key = kcf_key_bytes(bytes, 32), named = kcf_key_named("name");
	struct kcf_call_req req;
	struct kcf_data out;
	struct request *r = begin(&req, 1);

	end(r, kcf_key_import(c, &key, 0, &r->key, &req));
	r = begin(&req, 91);
	out = kcf_flat(r->out, 91);
	end(r, kcf_key_export_public(c, &named, &out, &req));
}

/* In memory that is offered in front of it. */
static void submit_large(struct kcf_client *c)
{
	static uint8_t large[LARGE];
	struct kcf_data in = kcf_flat(large, sizeof(large)), out;
	struct kcf_call_req req;
	struct request *r = begin(&req, 32);

	out = kcf_flat(r->out, 32);
	end(r, kcf_digest(c, &sha256, &in, &out, &req));
}

/* ---- threads that wait for an answer ---- */

static void *ask_mech(void *client)
{
	kcf_mech_t number;

	kcf_mech_find(client, "KCF_NOBODY_HAS_THIS", &number);
	return NULL;
}

static void *ask_status(void *client)
{
	struct kcf_req_info info;

	kcf_request_status(client, asked_about, &info);
	return NULL;
}

static void *ask_memory(void *client)
{
	uint8_t *p = kcf_buf_alloc(client, LARGE);

	if (p)
		memset(p, 1, LARGE);
	kcf_buf_free(client, p);
	return NULL;
}

static const struct {
	void *(*fn)(void *client);
	enum frame_type asks;
} askers[N_ASKERS] = {
	{ask_mech, FRAME_MECH_FIND}, {ask_status, FRAME_STATUS}, {ask_memory, FRAME_ARENA_NEW}};

static void check_requests(void)
{
	for (unsigned i = 0; i < n_requests; i++) {
		struct request *r = &requests[i];

		FUZZ_PROMISE(r->n_called == r->queued && r->n_steps <= 3);
		free(r->out);
		free(r->mac);
		free(r->iv);
	}
	n_requests = 0;
}

/* ---- the conversation ---- */

static uint64_t ids[MAX_IDS];
static unsigned n_ids;

/* The ids of what the client asks; of what threads ask behind the others, in the order of askers. */
static void take_ids(const uint8_t *buf, size_t len)
{
	uint64_t asked[N_ASKERS] = {0};
	struct frame_header h;
	size_t at = 0;

	n_ids = 0;
	while (frame_get(buf + at, len - at, FRAME_PAYLOAD_MAX, &h) == FRAME_OK) {
		unsigned i = 0;

		while (i < N_ASKERS && askers[i].asks != h.type)
			i++;
		if (i < N_ASKERS)
			asked[i] = h.id;
		else if (h.id && n_ids < MAX_IDS - N_ASKERS)
			ids[n_ids++] = h.id;
		at += frame_len(&h);
	}
	for (unsigned i = 0; i < N_ASKERS; i++)
		ids[n_ids++] = asked[i];
}

static unsigned count_asked(const uint8_t *buf, size_t len)
{
	struct frame_header h;
	unsigned n = 0;

	for (size_t at = 0; frame_get(buf + at, len - at, FRAME_PAYLOAD_MAX, &h) == FRAME_OK; at += frame_len(&h))
		for (unsigned i = 0; i < N_ASKERS; i++)
			n += askers[i].asks == h.type;
	return n;
}

/* Until every thread has asked. */
static void read_requests(int fd)
{
	static uint8_t buf[256 * 1024];
	size_t len = 0;

	while (count_asked(buf, len) < N_ASKERS) {
		ssize_t n = read(fd, buf + len, sizeof(buf) - len);

		if (n > 0)
			len += (size_t)n;
		else
			sched_yield();
	}
	take_ids(buf, len);
}

static void put_id(uint8_t *frame)
{
	struct frame_header h;

	if (n_ids == 0 || frame_get(frame, FRAME_HEADER_LEN, UINT32_MAX, &h) != FRAME_OK || h.id == 0)
		return;
	h.id = ids[(h.id - 1) % n_ids];
	frame_put(frame, &h);
}

static void answer(struct kcf_client *c, int fd, struct script_frame *f)
{
	size_t at = 0;
	int page = -1;

	if (!(f->flags & SCRIPT_RAW))
		put_id(f->bytes);
	if ((f->flags & SCRIPT_FD) && f->len) {
		page = memfd_create("fuzz", MFD_CLOEXEC | MFD_ALLOW_SEALING);
		FUZZ_PROMISE(page >= 0 && ftruncate(page, SEGMENT) == 0);
		fcntl(page, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL);
		send_fds(fd, f->bytes, 1, &page, 1);
		close(page);
		at = 1;
	}
	for (unsigned stuck = 0; at < f->len && stuck < 100;) {
		ssize_t n = send(fd, f->bytes + at, f->len - at, MSG_NOSIGNAL);

		if (n > 0) {
			at += (size_t)n;
			continue;
		}
		if (errno != EAGAIN)
			return;
		kcf_client_dispatch(c);
		stuck++;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static struct script_frame f;
	static uint32_t number;
	char label[16];
	struct kcf_client_options o = {.size = sizeof(o), .socket = server.path, .label = label,
				       .flags = KCF_CLIENT_APP_LOOP};
	pthread_t threads[N_ASKERS];
	struct script s = {data, len};
	struct kcf_template *tmpl;
	struct kcf_context *ctx;
	struct kcf_client *c;
	int fd;

	if (!++number)
		number = 1;
	snprintf(label, sizeof(label), "%u", number);
	__atomic_store_n(&server.expected, number, __ATOMIC_RELEASE);
	FUZZ_PROMISE(kcf_client_open(&o, &c) == KCF_SUCCESS);
	sem_wait(&server.greeted);
	fd = __atomic_load_n(&server.fd, __ATOMIC_ACQUIRE);
	submit_data(c);
	submit_aead(c);
	submit_dual(c);
	submit_steps(c);
	tmpl = submit_template(c);
	ctx = submit_context(c);
	submit_keys(c);
	submit_large(c);
	for (unsigned i = 0; i < N_ASKERS; i++)
		FUZZ_PROMISE(pthread_create(&threads[i], NULL, askers[i].fn, c) == 0);
	read_requests(fd);
	while (kcf_client_connected(c) && script_next(&s, &f)) {
		answer(c, fd, &f);
		if (f.flags & SCRIPT_TURN)
			kcf_client_dispatch(c);
	}
	kcf_client_dispatch(c);
	close(fd);
	for (unsigned i = 0; i < N_ASKERS; i++)
		pthread_join(threads[i], NULL);
	kcf_context_free(ctx);
	kcf_template_destroy(tmpl);
	FUZZ_PROMISE(kcf_client_close(c) == KCF_SUCCESS);
	check_requests();
	return 0;
}
