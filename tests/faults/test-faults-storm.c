/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Many threads use one client in every way at once while kcfd is killed, stopped and started again:
 * each queued request calls back exactly once, what succeeds is right, nothing hangs.
 *
 * KCF_STORM_ROUNDS makes it longer than the few rounds of an ordinary run.
 */
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include "../bed.h"
#include "../test-main.h"

#define N_THREADS 6
#define LEN_MAX   100000u
#define MAC_LEN   32u
#define SLOTS     64u /* requests of a thread under way at most */

static struct bed bed;
static struct kcf_client *judge; /* computes everything in this process */
static uint8_t text[LEN_MAX];
static const uint8_t key_bytes[32] = "a key that everybody here knows";
static const struct kcf_mechanism hmac = {.number = KCF_M_SHA256_HMAC};
static const struct kcf_mechanism sha = {.number = KCF_M_SHA256};

static uint32_t stop;                                 /* atomic */
static uint64_t n_queued, n_called, n_right, n_calls; /* atomic */
static uint64_t n_ends[KCF_STATUS_COUNT];             /* atomic */

static void add(uint64_t *n)
{
	__atomic_fetch_add(n, 1, __ATOMIC_RELAXED);
}

static uint64_t get(const uint64_t *n)
{
	return __atomic_load_n(n, __ATOMIC_ACQUIRE);
}

/* What a kcfd that comes and goes may answer. */
static void expect_possible(enum kcf_status status)
{
	switch (status) {
	case KCF_SUCCESS:
	case KCF_CANCELED:
	case KCF_TIMED_OUT:
	case KCF_NO_DAEMON:
	case KCF_BUSY:
	case KCF_INVALID_CONTEXT:
	case KCF_KEY_HANDLE_INVALID:
	case KCF_QUOTA_EXCEEDED:
		break;
	default:
		ck_abort_msg("a request ended with %s", kcf_status_name(status));
	}
	add(&n_ends[status]);
}

struct slot {
	struct storm *storm;
	bool used;      /* atomic */
	uint32_t calls; /* atomic */
	kcf_req_id id;
	size_t off, len;
	bool digest;
	uint8_t *out; /* MAC_LEN bytes, in an arena buffer for some */
	uint8_t inside[MAC_LEN];
	struct kcf_step steps[4];
};

struct storm {
	pthread_t thread;
	unsigned seed, number;
	struct slot slots[SLOTS];
};

static unsigned any(struct storm *s, unsigned n)
{
	return (unsigned)rand_r(&s->seed) % n;
}

static void expect_right(bool digest, size_t off, size_t len, const uint8_t *got)
{
	struct kcf_key key = kcf_key_bytes(key_bytes, sizeof(key_bytes));
	struct kcf_data in = kcf_flat(text + off, len);
	uint8_t want[MAC_LEN];
	struct kcf_data out = kcf_flat(want, sizeof(want));

	if (digest)
		ck_assert_int_eq(kcf_digest(judge, &sha, &in, &out, NULL), KCF_SUCCESS);
	else
		ck_assert_int_eq(kcf_mac(judge, &hmac, &key, &in, &out, NULL), KCF_SUCCESS);
	ck_assert_mem_eq(want, got, sizeof(want));
	add(&n_right);
}

static void on_end(void *arg, const struct kcf_completion *done)
{
	struct slot *slot = arg;

	if (done->step != KCF_FINAL)
		return;
	ck_assert_uint_eq(__atomic_add_fetch(&slot->calls, 1, __ATOMIC_ACQ_REL), 1);
	expect_possible(done->status);
	if (done->status == KCF_SUCCESS)
		expect_right(slot->digest, slot->off, slot->len, slot->out);
	__atomic_store_n(&slot->used, false, __ATOMIC_RELEASE);
	add(&n_called);
}

/* Arguments of some request, with a slot for its end. NULL: all are under way. */
static struct slot *slot_get(struct storm *s)
{
	struct slot *slot = NULL;

	for (unsigned i = 0; i < SLOTS && !slot; i++) {
		if (!__atomic_load_n(&s->slots[i].used, __ATOMIC_ACQUIRE))
			slot = &s->slots[i];
	}
	if (!slot)
		return NULL;
	slot->storm = s;
	slot->calls = 0;
	slot->len = any(s, 4) ? any(s, 6000) : any(s, LEN_MAX / 2);
	slot->off = any(s, LEN_MAX / 2);
	slot->digest = any(s, 2);
	__atomic_store_n(&slot->used, true, __ATOMIC_RELEASE);
	return slot;
}

static struct kcf_call_req request(struct storm *s, struct slot *slot)
{
	static const uint32_t flags[] = {KCF_ALWAYS_QUEUE, KCF_ALWAYS_QUEUE, KCF_NEVER_QUEUE, 0,
					 KCF_ALWAYS_QUEUE | KCF_NOTIFY_SPACE};
	struct kcf_call_req req = {.flags = flags[any(s, 5)], .callback = on_end, .arg = slot};

	if (!any(s, 6))
		req.timeout_ms = 1 + any(s, 30);
	return req;
}

/* What an asynchronous call said. */
static void began(struct slot *slot, const struct kcf_call_req *req, enum kcf_status status)
{
	add(&n_calls);
	if (status == KCF_QUEUED) {
		add(&n_queued);
		return;
	}
	expect_possible(status);
	if (status == KCF_SUCCESS)
		expect_right(slot->digest, slot->off, slot->len, slot->out);
	ck_assert_uint_eq(slot->calls, 0);
	__atomic_store_n(&slot->used, false, __ATOMIC_RELEASE);
}

static struct kcf_key some_key(struct storm *s)
{
	return any(s, 2) ? kcf_key_named("storm") : kcf_key_bytes(key_bytes, sizeof(key_bytes));
}

static void one_async(struct storm *s)
{
	struct slot *slot = slot_get(s);
	struct kcf_key key = some_key(s);
	struct kcf_call_req req;
	struct kcf_data in, out;
	enum kcf_status status;

	if (!slot)
		return;
	req = request(s, slot);
	in = kcf_flat(text + slot->off, slot->len);
	out = kcf_flat(slot->out, MAC_LEN);
	if (slot->digest)
		status = kcf_digest(bed.client, &sha, &in, &out, &req);
	else
		status = kcf_mac(bed.client, &hmac, &key, &in, &out, &req);
	/* The slot may be another request's by now: only its id is ours. */
	if (status == KCF_QUEUED && !any(s, 8))
		kcf_cancel(bed.client, req.id);
	if (status == KCF_QUEUED && !any(s, 16)) {
		struct kcf_req_info info;

		kcf_request_status(bed.client, req.id, &info);
	}
	began(slot, &req, status);
}

static void one_sync(struct storm *s)
{
	struct kcf_key key = kcf_key_named("storm");
	size_t off = any(s, LEN_MAX / 2), len = any(s, 20000);
	struct kcf_call_req req = {.flags = KCF_WAIT, .timeout_ms = any(s, 3) ? 0 : 1 + any(s, 50)};
	struct kcf_data in = kcf_flat(text + off, len);
	uint8_t got[MAC_LEN];
	struct kcf_data out = kcf_flat(got, sizeof(got));
	enum kcf_status status = kcf_mac(bed.client, &hmac, &key, &in, &out, &req);

	ck_assert_int_ne(status, KCF_BUSY);
	ck_assert_int_ne(status, KCF_QUEUED);
	expect_possible(status);
	if (status == KCF_SUCCESS)
		expect_right(false, off, len, got);
}

static void one_steps(struct storm *s)
{
	struct slot *slot = slot_get(s);
	struct kcf_key key = some_key(s);
	struct kcf_how how = {.op = KCF_OP_MAC, .mech = &hmac, .key = &key};
	struct kcf_call_req req;
	size_t half;

	if (!slot)
		return;
	req = request(s, slot);
	slot->digest = false;
	half = slot->len / 2;
	memset(slot->steps, 0, sizeof(slot->steps));
	slot->steps[0].kind = KCF_STEP_INIT;
	slot->steps[1].kind = slot->steps[2].kind = KCF_STEP_UPDATE;
	slot->steps[1].in = kcf_flat(text + slot->off, half);
	slot->steps[2].in = kcf_flat(text + slot->off + half, slot->len - half);
	slot->steps[3].kind = KCF_STEP_FINAL;
	slot->steps[3].out = kcf_flat(slot->out, MAC_LEN);
	began(slot, &req, kcf_submit_steps(bed.client, &how, slot->steps, 4, &req));
}

/* Init, two updates, final; each call synchronous, in kcfd. */
static void one_context(struct storm *s)
{
	struct kcf_key key = kcf_key_named("storm");
	struct kcf_how how = {.op = KCF_OP_MAC, .mech = &hmac, .key = &key};
	size_t off = any(s, LEN_MAX / 2), len = any(s, 6000);
	struct kcf_data a = kcf_flat(text + off, len / 2),
			b = kcf_flat(text + off + len / 2, len - len / 2);
	struct kcf_context *ctx;
	uint8_t got[MAC_LEN];
	struct kcf_data out = kcf_flat(got, sizeof(got));
	enum kcf_status status = kcf_init(bed.client, &how, &ctx, NULL);

	expect_possible(status);
	if (status != KCF_SUCCESS)
		return;
	status = kcf_update(ctx, &a, NULL, NULL);
	if (status == KCF_SUCCESS)
		status = kcf_update(ctx, &b, NULL, NULL);
	if (status == KCF_SUCCESS && any(s, 8))
		status = kcf_final(ctx, NULL, &out, NULL);
	else
		out.used = 0;
	expect_possible(status);
	if (status == KCF_SUCCESS && out.used)
		expect_right(false, off, len, got);
	kcf_context_free(ctx);
}

static void one_template(struct storm *s)
{
	struct slot *slot = slot_get(s);
	struct kcf_key key = some_key(s), by_tmpl;
	struct kcf_template *tmpl;
	struct kcf_call_req req;
	struct kcf_data in, out;
	enum kcf_status status;

	if (!slot)
		return;
	req = request(s, slot);
	slot->digest = false;
	in = kcf_flat(text + slot->off, slot->len);
	out = kcf_flat(slot->out, MAC_LEN);
	status = kcf_template_create(bed.client, KCF_M_SHA256_HMAC, &key, &tmpl);
	if (status == KCF_SUCCESS) {
		by_tmpl = kcf_key_tmpl(tmpl);
		status = kcf_mac(bed.client, &hmac, &by_tmpl, &in, &out, &req);
		kcf_template_destroy(tmpl); /* what is under way finishes with it */
	}
	began(slot, &req, status);
}

static void one_session_key(struct storm *s)
{
	struct kcf_key key = kcf_key_bytes(key_bytes, sizeof(key_bytes)), handle;
	size_t off = any(s, LEN_MAX / 2), len = any(s, 3000);
	struct kcf_data in = kcf_flat(text + off, len);
	uint8_t got[MAC_LEN];
	struct kcf_data out = kcf_flat(got, sizeof(got));
	enum kcf_status status = kcf_key_import(bed.client, &key, 0, &handle, NULL);

	expect_possible(status);
	if (status != KCF_SUCCESS)
		return;
	status = kcf_mac(bed.client, &hmac, &handle, &in, &out, NULL);
	expect_possible(status);
	if (status == KCF_SUCCESS)
		expect_right(false, off, len, got);
	expect_possible(kcf_key_destroy(bed.client, &handle, NULL));
}

static void *storm_run(void *arg)
{
	static void (*const ways[])(struct storm * s) = {one_async,    one_async,      one_async,
							 one_sync,     one_steps,      one_context,
							 one_template, one_session_key};
	struct storm *s = arg;

	while (!__atomic_load_n(&stop, __ATOMIC_ACQUIRE)) {
		ways[any(s, sizeof(ways) / sizeof(ways[0]))](s);
		if (!kcf_client_connected(bed.client) && !any(s, 50))
			usleep(1000);
	}
	return NULL;
}

static void pause_ms(unsigned ms)
{
	struct timespec t = {ms / 1000, (long)(ms % 1000) * 1000000};

	nanosleep(&t, NULL);
}

static void weather(unsigned round)
{
	switch (round % 4) {
	case 0:
		kill(bed.kcfd.pid, SIGSTOP);
		pause_ms(20);
		kill(bed.kcfd.pid, SIGCONT);
		break;
	case 1:
		harness_kcfd_kill(&bed.kcfd);
		harness_kcfd_restart(&bed.kcfd,
				     (const char *const[]){"--modules", bed.modules.dir, NULL});
		break;
	case 2:
		harness_kcfd_kill(&bed.kcfd);
		pause_ms(30);
		harness_kcfd_restart(&bed.kcfd,
				     (const char *const[]){"--modules", bed.modules.dir, NULL});
		break;
	default:
		kcf_client_reopen(bed.client);
	}
	pause_ms(100);
}

static void setup(void)
{
	static const char config[] = "[key storm]\nfile = storm.key\nuids = 0\n";
	struct kcf_client_options o = {.size = sizeof(o),
				       .flags = KCF_CLIENT_STANDALONE | KCF_CLIENT_NO_DAEMON};
	char path[128];

	bed_open(&bed, NULL);
	kcf_client_close(bed.client);
	harness_file(&bed.kcfd, "storm.key", key_bytes, sizeof(key_bytes), path);
	harness_file(&bed.kcfd, "kcfd.conf", config, strlen(config), path);
	harness_kcfd_kill(&bed.kcfd);
	harness_kcfd_restart(&bed.kcfd, (const char *const[]){"--modules", bed.modules.dir, NULL});
	ck_assert_int_eq(kcf_client_open(&bed.options, &bed.client), KCF_SUCCESS);
	o.module_dir = bed.modules.dir;
	ck_assert_int_eq(kcf_client_open(&o, &judge), KCF_SUCCESS);
	for (size_t i = 0; i < LEN_MAX; i++)
		text[i] = (uint8_t)(i * 7 + i / 251);
}

static void teardown(void)
{
	kcf_client_close(judge);
	bed_close(&bed);
}

START_TEST(every_request_ends_once_in_any_weather)
{
	static struct storm storms[N_THREADS];
	const char *more = getenv("KCF_STORM_ROUNDS");
	unsigned rounds = more ? (unsigned)atoi(more) : 8;

	for (unsigned i = 0; i < N_THREADS; i++) {
		storms[i].seed = 12345 + i;
		storms[i].number = i;
		for (unsigned k = 0; k < SLOTS; k++) {
			void *shared = k % 4 ? NULL : kcf_buf_alloc(bed.client, MAC_LEN);

			storms[i].slots[k].out = shared ? shared : storms[i].slots[k].inside;
		}
		ck_assert_int_eq(pthread_create(&storms[i].thread, NULL, storm_run, &storms[i]), 0);
	}
	for (unsigned round = 0; round < rounds; round++) {
		weather(round);
		if (more && round % 20 == 0)
			fprintf(stderr, "# %u: %llu queued, %llu called, %llu right\n", round,
				(unsigned long long)get(&n_queued),
				(unsigned long long)get(&n_called),
				(unsigned long long)get(&n_right));
	}
	__atomic_store_n(&stop, 1, __ATOMIC_RELEASE);
	for (unsigned i = 0; i < N_THREADS; i++)
		ck_assert_int_eq(pthread_join(storms[i].thread, NULL), 0);
	for (unsigned ms = 0; ms < HARNESS_PATIENCE_MS && get(&n_called) < get(&n_queued); ms++)
		pause_ms(1);
	ck_assert_uint_eq(get(&n_called), get(&n_queued));
	ck_assert_uint_gt(get(&n_right), 0);
	if (more)
		for (unsigned i = 0; i < KCF_STATUS_COUNT; i++)
			if (n_ends[i])
				fprintf(stderr, "# %s %llu\n", kcf_status_name(i),
					(unsigned long long)n_ends[i]);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("storm");
	TCase *t = tcase_create("storm");

	if (geteuid() != 0)
		test_skip_all("its named key is root's");
	tcase_set_timeout(t, 0);
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, every_request_ends_once_in_any_weather);
	suite_add_tcase(s, t);
	return test_main(s);
}
