/* SPDX-License-Identifier: Apache-2.0 */
/* Everything an application may do inside a callback, around a fork, and while kcfd stands still.
 */
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "../bed.h"
#include "../test-main.h"

static struct bed bed;
static const struct kcf_mechanism sha = {.number = KCF_M_SHA256};

/* SHA-256("abc"), FIPS 180-4 */
static const uint8_t abc[32] = {0xba, 0x78, 0x16, 0xbf, 0x8f, 0x01, 0xcf, 0xea, 0x41, 0x41, 0x40,
				0xde, 0x5d, 0xae, 0x22, 0x23, 0xb0, 0x03, 0x61, 0xa3, 0x96, 0x17,
				0x7a, 0x9c, 0xb4, 0x10, 0xff, 0x61, 0xf2, 0x00, 0x15, 0xad};

static void setup(void)
{
	bed_open(&bed, NULL);
}

static void teardown(void)
{
	bed_close(&bed);
}

static enum kcf_status digest(struct kcf_client *c, uint8_t out[static 32],
			      struct kcf_call_req *req)
{
	struct kcf_data in = kcf_flat("abc", 3), to = kcf_flat(out, 32);

	return kcf_digest(c, &sha, &in, &to, req);
}

/* ---- in callbacks ---- */

#define CHAIN 10000u

static struct {
	uint32_t queued, busy, called, wrong, done; /* atomic */
	uint8_t out[CHAIN][32];
} chain;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;

static void add(uint32_t *n)
{
	pthread_mutex_lock(&lock);
	__atomic_fetch_add(n, 1, __ATOMIC_ACQ_REL);
	pthread_cond_broadcast(&changed);
	pthread_mutex_unlock(&lock);
}

static uint32_t get(const uint32_t *n)
{
	return __atomic_load_n(n, __ATOMIC_ACQUIRE);
}

static bool becomes(const uint32_t *n, uint32_t value)
{
	struct timespec until;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += HARNESS_PATIENCE_MS / 1000;
	pthread_mutex_lock(&lock);
	while (get(n) < value && pthread_cond_timedwait(&changed, &lock, &until) == 0)
		;
	pthread_mutex_unlock(&lock);
	return get(n) == value;
}

static void wait_until(const uint32_t *n, uint32_t value)
{
	ck_assert_msg(becomes(n, value), "%u of %u", get(n), value);
}

static void check_one(void *arg, const struct kcf_completion *done)
{
	chain.wrong += done->status != KCF_SUCCESS || memcmp(arg, abc, 32) != 0;
	add(&chain.called);
}

/* All at once, from inside: what finds no credit is refused by the call itself. */
static void submit_all(void *arg, const struct kcf_completion *done)
{
	for (unsigned i = 0; i < CHAIN; i++) {
		struct kcf_call_req req = {
			.flags = KCF_ALWAYS_QUEUE, .callback = check_one, .arg = chain.out[i]};
		enum kcf_status status = digest(bed.client, chain.out[i], &req);

		if (status == KCF_QUEUED)
			chain.queued++;
		else
			chain.busy += status == KCF_BUSY && req.busy_reason == KCF_BUSY_NO_ROOM;
	}
	add(&chain.done);
}

START_TEST(a_callback_may_submit_ten_thousand)
{
	struct kcf_call_req req = {.flags = KCF_ALWAYS_QUEUE, .callback = submit_all};
	uint8_t out[32];

	ck_assert_int_eq(digest(bed.client, out, &req), KCF_QUEUED);
	wait_until(&chain.done, 1);
	ck_assert_uint_eq(chain.queued + chain.busy, CHAIN);
	ck_assert_uint_gt(chain.queued, 0);
	wait_until(&chain.called, chain.queued);
	ck_assert_uint_eq(chain.wrong, 0);
}
END_TEST

/* One after the other, each from the callback of the one before. */
static void submit_next(void *arg, const struct kcf_completion *done)
{
	struct kcf_call_req req = {.flags = KCF_ALWAYS_QUEUE, .callback = submit_next};

	chain.wrong += done->status != KCF_SUCCESS;
	if (++chain.called == CHAIN)
		add(&chain.done);
	else
		chain.wrong += digest(bed.client, chain.out[0], &req) != KCF_QUEUED;
}

START_TEST(callbacks_may_follow_each_other_ten_thousand_times)
{
	struct kcf_call_req req = {.flags = KCF_ALWAYS_QUEUE, .callback = submit_next};

	ck_assert_int_eq(digest(bed.client, chain.out[0], &req), KCF_QUEUED);
	wait_until(&chain.done, 1);
	ck_assert_uint_eq(chain.wrong, 0);
}
END_TEST

static void do_everything(void *arg, const struct kcf_completion *done)
{
	struct kcf_param_keygen bits = {.bits = 256};
	struct kcf_mechanism gen = {KCF_M_AES_KEY_GEN, sizeof(bits), &bits};
	struct kcf_mechanism hmac = {.number = KCF_M_SHA256_HMAC};
	struct kcf_data in = kcf_flat("abc", 3), to;
	struct kcf_template *tmpl;
	struct kcf_req_info info;
	struct kcf_key key, by_tmpl;
	uint8_t out[32];
	void *shared;

	chain.wrong += kcf_client_close(bed.client) != KCF_ARGUMENTS_BAD;
	chain.wrong += kcf_key_generate(bed.client, &gen, 0, &key, NULL) != KCF_SUCCESS;
	to = kcf_flat(out, 32);
	chain.wrong += kcf_mac(bed.client, &hmac, &key, &in, &to, NULL) != KCF_SUCCESS;
	chain.wrong +=
		kcf_template_create(bed.client, KCF_M_SHA256_HMAC, &key, &tmpl) != KCF_SUCCESS;
	by_tmpl = kcf_key_tmpl(tmpl);
	chain.wrong += kcf_mac(bed.client, &hmac, &by_tmpl, &in, &to, NULL) != KCF_SUCCESS;
	kcf_template_destroy(tmpl);
	chain.wrong += kcf_key_destroy(bed.client, &key, NULL) != KCF_SUCCESS;
	chain.wrong += kcf_request_status(bed.client, done->id, &info) != KCF_NOT_FOUND;
	chain.wrong += kcf_cancel(bed.client, done->id) != KCF_NOT_FOUND;
	shared = kcf_buf_alloc(bed.client, 100000);
	chain.wrong += !shared;
	kcf_buf_free(bed.client, shared);
	add(&chain.done);
}

static void *compute(void *arg)
{
	struct kcf_call_req req = {.flags = KCF_WAIT, .preference = KCF_ONLY_SOFTWARE};
	struct kcf_mechanism hmac = {.number = KCF_M_SHA256_HMAC};
	struct kcf_data in = kcf_flat("abc", 3), to;
	uint8_t out[32];

	while (!get(&chain.done)) {
		to = kcf_flat(out, 32);
		ck_assert_int_eq(kcf_mac(bed.client, &hmac, arg, &in, &to, &req), KCF_SUCCESS);
	}
	return NULL;
}

START_TEST(any_call_works_inside_a_callback_while_other_threads_wait)
{
	struct kcf_call_req req = {.flags = KCF_ALWAYS_QUEUE, .callback = do_everything};
	struct kcf_key bytes = kcf_key_bytes("0123456789abcdef", 16), key;
	pthread_t threads[3];
	uint8_t out[32];

	ck_assert_int_eq(kcf_key_import(bed.client, &bytes, 0, &key, NULL), KCF_SUCCESS);
	for (unsigned i = 0; i < 3; i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, compute, &key), 0);
	ck_assert_int_eq(digest(bed.client, out, &req), KCF_QUEUED);
	wait_until(&chain.done, 1);
	for (unsigned i = 0; i < 3; i++)
		pthread_join(threads[i], NULL);
	ck_assert_uint_eq(chain.wrong, 0);
}
END_TEST

/* ---- kcfd stands still ---- */

START_TEST(a_deadline_ends_a_call_on_a_kcfd_that_stands_still)
{
	struct kcf_key bytes = kcf_key_bytes("0123456789abcdef", 16), key;
	struct kcf_mechanism hmac = {.number = KCF_M_SHA256_HMAC};
	struct kcf_call_req req = {.flags = KCF_WAIT, .timeout_ms = 1};
	struct kcf_call_req later = collect_req(&bed.done, KCF_ALWAYS_QUEUE);
	struct kcf_data in = kcf_flat("abc", 3), to;
	uint8_t out[32], late[32];
	enum kcf_status status;

	ck_assert_int_eq(kcf_key_import(bed.client, &bytes, 0, &key, NULL), KCF_SUCCESS);
	to = kcf_flat(out, 32);
	kill(bed.kcfd.pid, SIGSTOP);
	later.timeout_ms = 5;
	ck_assert_int_eq(digest(bed.client, late, &later), KCF_QUEUED);
	status = kcf_mac(bed.client, &hmac, &key, &in, &to, &req);
	ck_assert(status == KCF_TIMED_OUT || status == KCF_NO_DAEMON);
	collect_wait(&bed.done, 1);
	ck_assert(bed.done.status == KCF_TIMED_OUT || bed.done.status == KCF_NO_DAEMON);
	kill(bed.kcfd.pid, SIGCONT);
	collect_wait_event(&bed.done, KCF_EVENT_DAEMON_REGAINED);
	ck_assert_int_eq(digest(bed.client, out, NULL), KCF_SUCCESS);
}
END_TEST

#define LARGE (3u << 20)

/* In memory that kcfd does not know yet: nobody waits until it does. */
START_TEST(large_calls_do_not_wait_for_a_kcfd_that_stands_still)
{
	static uint8_t in[LARGE], out[4][32], want[32];
	struct kcf_data data = kcf_flat(in, LARGE), to = kcf_flat(want, 32);

	memset(in, 'x', LARGE);
	ck_assert_int_eq(kcf_digest(bed.client, &sha, &data, &to, NULL), KCF_SUCCESS);
	kill(bed.kcfd.pid, SIGSTOP);
	for (unsigned i = 0; i < 4; i++) {
		struct kcf_call_req req = collect_req(&bed.done, KCF_ALWAYS_QUEUE);

		to = kcf_flat(out[i], 32);
		ck_assert_int_eq(kcf_digest(bed.client, &sha, &data, &to, &req), KCF_QUEUED);
	}
	kill(bed.kcfd.pid, SIGCONT);
	collect_wait(&bed.done, 4);
	ck_assert_uint_eq(bed.done.n_status[KCF_SUCCESS], 4);
	for (unsigned i = 0; i < 4; i++)
		ck_assert_mem_eq(out[i], want, 32);
}
END_TEST

START_TEST(what_waits_for_memory_can_be_canceled)
{
	static uint8_t in[LARGE], out[32];
	struct kcf_call_req req = collect_req(&bed.done, KCF_ALWAYS_QUEUE);
	struct kcf_data data = kcf_flat(in, LARGE), to = kcf_flat(out, 32);
	struct kcf_call_req late = collect_req(&bed.done, KCF_ALWAYS_QUEUE);

	late.timeout_ms = 1;
	kill(bed.kcfd.pid, SIGSTOP);
	ck_assert_int_eq(kcf_digest(bed.client, &sha, &data, &to, &req), KCF_QUEUED);
	ck_assert_int_eq(kcf_digest(bed.client, &sha, &data, &to, &late), KCF_QUEUED);
	ck_assert_int_eq(kcf_cancel(bed.client, req.id), KCF_SUCCESS);
	collect_wait(&bed.done, 2); /* the deadline gives kcfd up */
	ck_assert_uint_eq(bed.done.n_status[KCF_TIMED_OUT], 1);
	ck_assert_uint_eq(bed.done.n_status[KCF_SUCCESS], 0);
	kill(bed.kcfd.pid, SIGCONT);
}
END_TEST

#ifndef KCF_SANITIZED /* its allocator does not stand a fork beside other threads */
/* ---- forks ---- */

static uint32_t stop; /* atomic */

/* later: stays when the thread does not. */
static void *keep_busy(void *later)
{
	uint8_t out[32];

	while (!get(&stop)) {
		struct kcf_call_req req = collect_req(&bed.done, KCF_ALWAYS_QUEUE);

		if (digest(bed.client, later, &req) == KCF_BUSY)
			sched_yield();
		digest(bed.client, out, NULL);
	}
	return NULL;
}

static int child(void)
{
	struct kcf_call_req req = {
		.flags = KCF_ALWAYS_QUEUE, .callback = check_one, .arg = chain.out[0]};
	uint8_t out[32];

	if (digest(bed.client, out, &req) != KCF_NO_DAEMON)
		return 1;
	if (kcf_client_reopen(bed.client) != KCF_SUCCESS)
		return 2;
	if (digest(bed.client, out, NULL) != KCF_SUCCESS || memcmp(out, abc, 32))
		return 3;
	if (digest(bed.client, chain.out[0], &req) != KCF_QUEUED)
		return 4;
	if (!becomes(&chain.called, 1) || chain.wrong)
		return 5;
	return kcf_client_close(bed.client) == KCF_SUCCESS ? 0 : 6;
}

START_TEST(forks_in_the_midst_of_many_threads)
{
	static uint8_t later[3][32];
	pthread_t threads[3];
	int status;

	for (unsigned i = 0; i < 3; i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, keep_busy, later[i]), 0);
	for (unsigned i = 0; i < 60; i++) {
		pid_t pid = fork();

		ck_assert_int_ge(pid, 0);
		if (pid == 0) {
			alarm(HARNESS_PATIENCE_MS / 1000);
			_exit(child());
		}
		ck_assert_int_eq(waitpid(pid, &status, 0), pid);
		ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 0, "fork %u: status %x",
			      i, status);
	}
	__atomic_store_n(&stop, 1, __ATOMIC_RELEASE);
	for (unsigned i = 0; i < 3; i++)
		pthread_join(threads[i], NULL);
}
END_TEST
#endif

int main(void)
{
	Suite *s = suite_create("callbacks");
	TCase *t = tcase_create("callbacks");

	tcase_set_timeout(t, 0);
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, a_callback_may_submit_ten_thousand);
	tcase_add_test(t, callbacks_may_follow_each_other_ten_thousand_times);
	tcase_add_test(t, any_call_works_inside_a_callback_while_other_threads_wait);
	tcase_add_test(t, a_deadline_ends_a_call_on_a_kcfd_that_stands_still);
	tcase_add_test(t, large_calls_do_not_wait_for_a_kcfd_that_stands_still);
	tcase_add_test(t, what_waits_for_memory_can_be_canceled);
#ifndef KCF_SANITIZED
	tcase_add_test(t, forks_in_the_midst_of_many_threads);
#endif
	suite_add_tcase(s, t);
	return test_main(s);
}
