/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Requests from signal handlers. What the library calls in there is watched: the kernel's syscall
 * user dispatch turns every system call of the thread into SIGSYS; malloc, locks and send are
 * wrapped.
 */
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include "client-core.h"
#include "client-fixture.h"
#include "fake-ring.h"
#include "test-main.h"

#ifndef PR_SET_SYSCALL_USER_DISPATCH
#define PR_SET_SYSCALL_USER_DISPATCH 59
#endif
#define DISPATCH_ON 1
#define BLOCK       1
#define ALLOW       0

/* Of the thread that is watched. */
static __thread volatile char selector;
static __thread volatile sig_atomic_t n_calls, n_sends, n_locks, watching;

/* ---- what is watched ---- */

/* The library's: waking kcfd is permitted. */
ssize_t send(int fd, const void *buf, size_t len, int flags)
{
	char was = selector;
	ssize_t n;

	selector = ALLOW;
	if (watching)
		n_sends++;
	n = sendto(fd, buf, len, flags, NULL, 0);
	selector = was;
	return n;
}

int pthread_mutex_lock(pthread_mutex_t *m)
{
	if (watching)
		n_locks++;
	while (pthread_mutex_trylock(m) == EBUSY)
		sched_yield();
	return 0;
}

static void on_sigsys(int sig, siginfo_t *info, void *context)
{
	selector = ALLOW; /* or the return from here would be the next one */
	n_calls++;
}

static bool watch(void)
{
	struct sigaction sa = {.sa_sigaction = on_sigsys, .sa_flags = SA_SIGINFO};

	sigaction(SIGSYS, &sa, NULL);
	return !prctl(PR_SET_SYSCALL_USER_DISPATCH, DISPATCH_ON, 0, 0, &selector);
}

/* ---- fixture ---- */

static struct kcf_client *client;
static struct kcf_template *gcm, *hmac;
static struct kcf_ring_slot *slot;
static struct kcf_ring_op op;
static uint8_t *in, *out;
static struct result result;
static const struct result none = RESULT_INIT;
static const struct kcf_key raw_key = {KCF_KEY_BYTES, KCF_KEY_RAW, "0123456789abcdef", 16};
static uint8_t nonce[17] = "a nonce of bytes", aad[480];
static volatile enum kcf_status handler_status;
static volatile int handler_errno;

static void attach(void)
{
	const struct kcf_param_aead aead = {.iv = nonce, .iv_len = 12};
	const struct kcf_mechanism mech = {KCF_M_AES_GCM, sizeof(aead), &aead};
	const struct kcf_mechanism mac = {KCF_M_SHA256_HMAC, 0, NULL};
	struct kcf_key key = kcf_key_tmpl(gcm), mac_key = kcf_key_tmpl(hmac);
	struct kcf_data din = kcf_flat(in, 64), dout = kcf_flat(out, 80);

	ck_assert_int_eq(kcf_encrypt(client, &mech, &key, &din, &dout, NULL), KCF_SUCCESS);
	ck_assert_int_eq(kcf_mac(client, &mac, &mac_key, &din, &dout, NULL), KCF_SUCCESS);
}

static void open_up(void)
{
	client = open_client(0);
	in = kcf_buf_alloc(client, 4096);
	out = kcf_buf_alloc(client, 4096);
	memcpy(in, data_in, 64);
	ck_assert_int_eq(kcf_template_create(client, KCF_M_AES_GCM, &raw_key, &gcm), KCF_SUCCESS);
	ck_assert_int_eq(kcf_template_create(client, KCF_M_SHA256_HMAC, &raw_key, &hmac),
			 KCF_SUCCESS);
	ck_assert_int_eq(kcf_ring_slot_new(client, on_done, &result, &slot), KCF_SUCCESS);
	attach();
	memset(out, 0, 80);
	op = (struct kcf_ring_op){
		.op = KCF_OP_ENCRYPT,
		.tmpl = gcm,
		.iv = nonce,
		.iv_len = 12,
		.aad = aad,
		.aad_len = 13,
		.tag_len = 16,
		.in = in,
		.in_len = 64,
		.out = out,
		.out_len = 80,
	};
}

static void setup(void)
{
	fixture_setup();
	FAKE_SET(&fake, features, FEATURE_RING);
	FAKE_SET(&fake, lease, 4096);
	result = none;
	for (size_t i = 0; i < sizeof(aad); i++)
		aad[i] = (uint8_t)(i + 9);
	n_calls = n_sends = n_locks = watching = 0;
	client = NULL;
}

static void teardown(void)
{
	if (client)
		ck_assert_int_eq(kcf_client_close(client), KCF_SUCCESS);
	fixture_teardown();
}

/* ---- in a handler ---- */

static void on_signal(int sig)
{
	errno = 77;
	watching = 1;
	selector = BLOCK;
	handler_status = kcf_ring_submit(slot, &op);
	selector = ALLOW;
	watching = 0;
	handler_errno = errno;
}

static void interrupt(void)
{
	struct sigaction sa = {.sa_handler = on_signal};

	sigaction(SIGUSR1, &sa, NULL);
	ck_assert(watch());
	raise(SIGUSR1);
}

/* kcfd is awake, or as good as that, while this is its word. */
static void set_kcfd_sleeps(uint32_t value)
{
	__atomic_store_n(&client->ring.rc.r->kcfd_sleeps, value, __ATOMIC_SEQ_CST);
}

START_TEST(submits_while_the_thread_it_interrupts_has_the_lock)
{
	open_up();
	FAKE_SET(&fake, silent, true); /* it does not go to sleep meanwhile */
	fake_wake(&fake);
	pthread_mutex_lock(&client->lock);
	set_kcfd_sleeps(0);
	interrupt();
	pthread_mutex_unlock(&client->lock);
	ck_assert_int_eq(handler_status, KCF_QUEUED);
	ck_assert_int_eq(n_calls, 0);
	ck_assert_int_eq(n_sends, 0);
	ck_assert_int_eq(n_locks, 0);
	FAKE_SET(&fake, silent, false);
	fake_wake(&fake);
	wait_result(&result, 1);
	ck_assert_int_eq(result.last.status, KCF_SUCCESS);
	ck_assert_uint_eq(result.last.len, 64);
	ck_assert_uint_eq(result.last.id, 0);
	expect_mixed(out, in, 64);
}
END_TEST

START_TEST(wakes_kcfd_and_does_nothing_else)
{
	open_up();
	FAKE_SET(&fake, silent, true);
	fake_wake(&fake);
	set_kcfd_sleeps(1);
	shutdown(client->ring.bell, SHUT_WR); /* errno would be EPIPE */
	interrupt();
	ck_assert_int_eq(handler_status, KCF_QUEUED);
	ck_assert_int_eq(handler_errno, 77);
	ck_assert_int_eq(n_calls, 0);
	ck_assert_int_eq(n_sends, 1);
	ck_assert_int_eq(n_locks, 0);
}
END_TEST

START_TEST(notices_what_a_handler_may_not_do)
{
	open_up();
	ck_assert(watch());
	watching = 1;
	selector = BLOCK;
	kcf_buf_status(client, in); /* takes a lock */
	getppid();
	selector = ALLOW;
	watching = 0;
	ck_assert_int_ge(n_locks, 1);
	ck_assert_int_ge(n_calls, 1);
}
END_TEST

/* ---- what it takes ---- */

START_TEST(says_what_is_missing)
{
	struct kcf_ring_op bad;
	struct kcf_template *fresh;
	static uint8_t heap[64];

	open_up();
	ck_assert_int_eq(kcf_template_create(client, KCF_M_AES_GCM, &raw_key, &fresh), KCF_SUCCESS);
#define BAD(change)                                                                                \
	bad = op;                                                                                  \
	change;                                                                                    \
	ck_assert_int_eq(kcf_ring_submit(slot, &bad), KCF_ARGUMENTS_BAD)
	BAD(bad.tmpl = NULL);
	BAD(bad.tmpl = fresh); /* not attached */
	BAD(bad.op = KCF_OP_ENCRYPT_MAC);
	BAD(bad.op = KCF_OP_DERIVE);
	BAD(bad.op = 0);
	BAD(bad.in = heap);
	BAD(bad.out = heap);
	BAD(bad.in = NULL);
	BAD(bad.out = NULL);
	BAD(bad.out_len = 0);
	BAD(bad.in_len = (size_t)1 << 32);
	BAD(bad.out = in + 1);
	BAD(bad.iv_len = 17);
	BAD(bad.iv = NULL);
	BAD(bad.aad_len = 256);
	BAD(bad.aad = NULL);
	BAD(bad.tag_len = 256);
	BAD(bad.check = aad; bad.check_len = 16);
	BAD(bad.tmpl = hmac); /* no aad there */
	BAD(bad.tmpl = hmac; bad.aad_len = 0; bad.op = KCF_OP_MAC_VERIFY);
	ck_assert_int_eq(kcf_ring_submit(NULL, &op), KCF_ARGUMENTS_BAD);
	ck_assert_int_eq(kcf_ring_submit(slot, NULL), KCF_ARGUMENTS_BAD);
	ck_assert_int_eq(kcf_ring_submit(slot, &op), KCF_QUEUED);
	wait_result(&result, 1);
	ck_assert_uint_eq(fake_entries(&fake), 1);
}
END_TEST

START_TEST(takes_all_that_an_entry_holds)
{
	struct kcf_ring_op most = {.op = KCF_OP_MAC_VERIFY,
				   .tag_len = 255,
				   .in = NULL,
				   .check = aad,
				   .check_len = 480};
	struct fake_entry k;

	open_up();
	most.tmpl = hmac;
	most.in = in;
	most.in_len = 64;
	FAKE_SET(&fake, hold, true);
	ck_assert_int_eq(kcf_ring_submit(slot, &most), KCF_QUEUED);
	fake_wait_entries(&fake, 1);
	k = fake_entry(&fake, 0);
	ck_assert_uint_eq(k.e.op, KCF_OP_MAC_VERIFY);
	ck_assert_uint_eq(k.e.slot, hmac->slot);
	ck_assert_uint_eq(k.e.param, KCF_PARAM_MAC);
	ck_assert_uint_eq(k.e.len, 255);
	ck_assert_uint_eq(k.e.check_len, 480);
	ck_assert_mem_eq(k.extra, aad, 480);
	fake_release(&fake);
	wait_result(&result, 1);
	most.check_len = 481;
	ck_assert_int_eq(kcf_ring_submit(slot, &most), KCF_ARGUMENTS_BAD);
}
END_TEST

START_TEST(has_one_request_at_a_time)
{
	open_up();
	FAKE_SET(&fake, hold, true);
	ck_assert_int_eq(kcf_ring_submit(slot, &op), KCF_QUEUED);
	ck_assert_int_eq(kcf_ring_submit(slot, &op), KCF_BUSY);
	fake_wait_entries(&fake, 1);
	fake_release(&fake);
	wait_result(&result, 1);
	ck_assert_int_eq(kcf_ring_submit(slot, &op), KCF_QUEUED);
	wait_result(&result, 2);
	ck_assert_uint_eq(fake_entries(&fake), 2);
}
END_TEST

START_TEST(says_busy_without_credit_and_without_place)
{
	struct kcf_ring_slot *slots[RING_ENTRIES + 1];
	uint32_t units;

	open_up();
	FAKE_SET(&fake, keep_credits, true);
	units = page_credit_reclaim(fake.page, UINT32_MAX);
	ck_assert_int_eq(kcf_ring_submit(slot, &op), KCF_BUSY);
	fake_give(&fake, units);
	FAKE_SET(&fake, silent, true);
	for (unsigned i = 0; i <= RING_ENTRIES; i++)
		ck_assert_int_eq(kcf_ring_slot_new(client, on_done, &result, &slots[i]),
				 KCF_SUCCESS);
	op.aad_len = 0;
	for (unsigned i = 0; i < RING_ENTRIES; i++)
		ck_assert_int_eq(kcf_ring_submit(slots[i], &op), KCF_QUEUED);
	ck_assert_int_eq(kcf_ring_submit(slots[RING_ENTRIES], &op), KCF_BUSY);
	ck_assert_uint_eq(__atomic_load_n(&fake.page->credit, __ATOMIC_RELAXED),
			  units - RING_ENTRIES); /* it was given back */
	FAKE_SET(&fake, silent, false);
	fake_wake(&fake);
	wait_result(&result, RING_ENTRIES);
	ck_assert_int_eq(kcf_ring_submit(slots[RING_ENTRIES], &op), KCF_QUEUED);
	wait_result(&result, RING_ENTRIES + 1);
}
END_TEST

START_TEST(makes_no_slot_without_rings)
{
	FAKE_SET(&fake, features, 0);
	client = open_client(0);
	ck_assert_int_eq(kcf_ring_slot_new(client, on_done, &result, &slot), KCF_VERSION_MISMATCH);
	kcf_client_close(client);
	FAKE_SET(&fake, features, FEATURE_RING);
	FAKE_SET(&fake, ring_status, KCF_QUOTA_EXCEEDED);
	client = open_client(0);
	ck_assert_int_eq(kcf_ring_slot_new(client, on_done, &result, &slot), KCF_QUOTA_EXCEEDED);
	ck_assert_int_eq(kcf_ring_slot_new(client, NULL, &result, &slot), KCF_ARGUMENTS_BAD);
	kcf_ring_slot_free(NULL);
}
END_TEST

/* ---- completion ---- */

static void submit_again(void *arg, const struct kcf_completion *done)
{
	if (result.n < 9)
		ck_assert_int_eq(kcf_ring_submit(slot, &op), KCF_QUEUED);
	on_done(arg, done);
}

START_TEST(is_free_again_in_its_callback)
{
	open_up();
	kcf_ring_slot_free(slot);
	ck_assert_int_eq(kcf_ring_slot_new(client, submit_again, &result, &slot), KCF_SUCCESS);
	ck_assert_int_eq(kcf_ring_submit(slot, &op), KCF_QUEUED);
	wait_result(&result, 10);
	ck_assert_uint_eq(fake_entries(&fake), 10);
}
END_TEST

static void *wait_for_mac(void *arg)
{
	const struct kcf_mechanism mech = {KCF_M_SHA256_HMAC, 0, NULL};
	struct kcf_key key = kcf_key_tmpl(hmac);
	struct kcf_data din = kcf_flat(in, 64), dout = kcf_flat(out + 512, 32);

	ck_assert_int_eq(kcf_mac(client, &mech, &key, &din, &dout, NULL), KCF_SUCCESS);
	return NULL;
}

START_TEST(is_called_back_when_a_waiter_reads)
{
	pthread_t waiter;

	open_up();
	FAKE_SET(&fake, hold, true);
	ck_assert_int_eq(pthread_create(&waiter, NULL, wait_for_mac, NULL), 0);
	fake_wait_entries(&fake, 1);
	ck_assert_int_eq(kcf_ring_submit(slot, &op), KCF_QUEUED);
	fake_wait_entries(&fake, 2);
	fake_answer(&fake, 1, false);
	wait_result(&result, 1);
	ck_assert(!pthread_equal(result.thread, waiter));
	ck_assert_int_eq(kcf_ring_submit(slot, &op), KCF_QUEUED);
	fake_wait_entries(&fake, 3);
	fake_answer(&fake, 2, true); /* by socket */
	wait_result(&result, 2);
	ck_assert_int_eq(result.last.status, KCF_SUCCESS);
	ck_assert_uint_eq(result.last.len, 64);
	fake_answer(&fake, 0, false);
	pthread_join(waiter, NULL);
}
END_TEST

enum lie { LIE_IDLE, LIE_NONE, LIE_OLD, LIE_STATUS, LIE_SOCKET, LIES };

START_TEST(leaves_a_kcfd_that_completes_what_no_slot_did)
{
	struct wire_msg msg = {.type = FRAME_OP_REPLY};
	struct ring_done d = {.id = RING_SLOT_ID | 1 << RING_SLOT_BITS};

	open_up();
	if (_i != LIE_IDLE) {
		ck_assert_int_eq(kcf_ring_submit(slot, &op), KCF_QUEUED);
		wait_result(&result, 1);
		FAKE_SET(&fake, hold, true);
		FAKE_SET(&fake, daemon_id, 2);
		ck_assert_int_eq(kcf_ring_submit(slot, &op), KCF_QUEUED);
		fake_wait_entries(&fake, 2);
	}
	if (_i == LIE_NONE)
		d.id |= 0xffff;
	if (_i == LIE_STATUS) {
		d.id = RING_SLOT_ID | 2 << RING_SLOT_BITS;
		d.status = KCF_STATUS_COUNT;
	}
	if (_i == LIE_SOCKET)
		fake_send(&fake, &msg, d.id);
	else
		fake_complete(&fake, &d);
	wait_event(KCF_EVENT_DAEMON_LOST, 1);
	if (_i != LIE_IDLE) {
		wait_result(&result, 2);
		ck_assert_int_eq(result.last.status, KCF_NO_DAEMON);
	}
}
END_TEST

/* ---- ends ---- */

START_TEST(completes_when_the_connection_is_lost)
{
	open_up();
	FAKE_SET(&fake, hold, true);
	ck_assert_int_eq(kcf_ring_submit(slot, &op), KCF_QUEUED);
	fake_wait_entries(&fake, 1);
	fake_forget(&fake);
	FAKE_SET(&fake, daemon_id, 2); /* another one: the memory is at rest */
	fake_drop(&fake);
	wait_result(&result, 1);
	ck_assert_int_eq(result.last.status, KCF_NO_DAEMON);
	ck_assert_int_eq(kcf_buf_status(client, out), KCF_SUCCESS);
	wait_event(KCF_EVENT_DAEMON_REGAINED, 1);
	fake_wait(&fake, FRAME_RING_NEW, 2); /* slots want a ring before any request does */
	while (kcf_ring_submit(slot, &op) == KCF_NO_DAEMON)
		sched_yield();
	ck_assert_int_eq(kcf_ring_submit(slot, &op), KCF_ARGUMENTS_BAD);
	attach();
	ck_assert_int_eq(kcf_ring_submit(slot, &op), KCF_QUEUED);
	wait_result(&result, 2);
	ck_assert_int_eq(result.last.status, KCF_SUCCESS);
}
END_TEST

START_TEST(loses_its_buffer_to_a_kcfd_that_lives_on)
{
	open_up();
	FAKE_SET(&fake, hold, true);
	ck_assert_int_eq(kcf_ring_submit(slot, &op), KCF_QUEUED);
	fake_wait_entries(&fake, 1);
	fake_forget(&fake);
	fake_drop(&fake);
	wait_result(&result, 1);
	ck_assert_int_eq(result.last.status, KCF_NO_DAEMON);
	ck_assert_int_eq(kcf_buf_status(client, out), KCF_BUFFER_LOST);
}
END_TEST

START_TEST(completes_when_kcfd_does_not_come_back)
{
	open_up();
	FAKE_SET(&fake, hold, true);
	ck_assert_int_eq(kcf_ring_submit(slot, &op), KCF_QUEUED);
	fake_wait_entries(&fake, 1);
	fake_unlisten(&fake);
	fake_drop(&fake);
	wait_result(&result, 1);
	ck_assert_int_eq(result.last.status, KCF_NO_DAEMON);
	ck_assert_int_eq(kcf_buf_status(client, out), KCF_BUFFER_LOST);
	ck_assert_int_eq(kcf_ring_submit(slot, &op), KCF_NO_DAEMON);
	fake_forget(&fake);
}
END_TEST

START_TEST(ends_without_callback_when_it_is_freed)
{
	struct kcf_ring_slot *other;

	open_up();
	ck_assert_int_eq(kcf_ring_slot_new(client, on_done, &result, &other), KCF_SUCCESS);
	FAKE_SET(&fake, hold, true);
	ck_assert_int_eq(kcf_ring_submit(slot, &op), KCF_QUEUED);
	fake_wait_entries(&fake, 1);
	kcf_ring_slot_free(slot);
	fake_release(&fake);
	ck_assert_int_eq(kcf_ring_submit(other, &op), KCF_QUEUED);
	wait_result(&result, 1);
	ck_assert_uint_eq(result.n, 1);
	pthread_mutex_lock(&client->lock);
	ck_assert_uint_eq(client->n_ring_slots, 1);
	pthread_mutex_unlock(&client->lock);
}
END_TEST

START_TEST(is_cancelled_by_close)
{
	open_up();
	FAKE_SET(&fake, hold, true);
	ck_assert_int_eq(kcf_ring_submit(slot, &op), KCF_QUEUED);
	fake_wait_entries(&fake, 1);
	ck_assert_int_eq(kcf_client_close(client), KCF_SUCCESS);
	client = NULL;
	ck_assert_uint_eq(result.n, 1);
	ck_assert_int_eq(result.last.status, KCF_CANCELED);
}
END_TEST

START_TEST(has_no_kcfd_in_a_child)
{
	int status;
	pid_t pid;

	open_up();
	FAKE_SET(&fake, hold, true);
	ck_assert_int_eq(kcf_ring_submit(slot, &op), KCF_QUEUED);
	fake_wait_entries(&fake, 1);
	pid = fork();
	if (pid == 0) {
		bool ok = kcf_ring_submit(slot, &op) == KCF_NO_DAEMON;

		kcf_buf_status(client, in); /* now the child knows */
		ok = ok && kcf_ring_submit(slot, &op) == KCF_NO_DAEMON &&
		     kcf_client_close(client) == KCF_SUCCESS && !result.n;
		_exit(ok ? 0 : 1);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
	fake_release(&fake);
	wait_result(&result, 1);
	ck_assert_int_eq(result.last.status, KCF_SUCCESS);
}
END_TEST

/* ---- the race of a handler and the end of a connection ---- */

#define DROPS 8 /* the library waits longer each time before it connects again */

static unsigned n_queued, n_called; /* atomic */
static bool over;                   /* atomic */

static void count_done(void *arg, const struct kcf_completion *done)
{
	__atomic_add_fetch(&n_called, 1, __ATOMIC_RELAXED);
}

static void on_storm(int sig)
{
	if (kcf_ring_submit(slot, &op) == KCF_QUEUED)
		__atomic_add_fetch(&n_queued, 1, __ATOMIC_RELAXED);
}

/* Busy with the client's lock all the time, for the handler to interrupt. */
static void *be_busy(void *arg)
{
	while (!__atomic_load_n(&over, __ATOMIC_RELAXED)) {
		pthread_mutex_lock(&client->lock);
		pthread_mutex_unlock(&client->lock);
	}
	return NULL;
}

static void *storm(void *arg)
{
	pthread_t *busy = arg;

	while (!__atomic_load_n(&over, __ATOMIC_RELAXED)) {
		pthread_kill(*busy, SIGUSR2);
		sched_yield();
	}
	return NULL;
}

/* Every request that was queued is called back once, whenever the connection went. */
START_TEST(completes_once_whatever_happens)
{
	struct sigaction sa = {.sa_handler = on_storm};
	pthread_t busy, thunder;

	open_up();
	kcf_ring_slot_free(slot);
	ck_assert_int_eq(kcf_ring_slot_new(client, count_done, NULL, &slot), KCF_SUCCESS);
	sigaction(SIGUSR2, &sa, NULL);
	ck_assert_int_eq(pthread_create(&busy, NULL, be_busy, NULL), 0);
	ck_assert_int_eq(pthread_create(&thunder, NULL, storm, &busy), 0);
	for (unsigned i = 1; i <= DROPS; i++) {
		unsigned before = __atomic_load_n(&n_queued, __ATOMIC_RELAXED);

		while (__atomic_load_n(&n_queued, __ATOMIC_RELAXED) < before + 20)
			sched_yield();
		FAKE_SET(&fake, daemon_id, i + 1);
		fake_drop(&fake);
		wait_event(KCF_EVENT_DAEMON_REGAINED, i);
		attach();
	}
	__atomic_store_n(&over, true, __ATOMIC_RELAXED);
	pthread_join(thunder, NULL);
	pthread_join(busy, NULL);
	ck_assert_int_eq(kcf_client_close(client), KCF_SUCCESS);
	client = NULL;
	ck_assert_uint_ge(n_queued, 20 * DROPS);
	ck_assert_uint_eq(n_called, n_queued);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("ring-slot");
	TCase *tc = tcase_create("slot");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, submits_while_the_thread_it_interrupts_has_the_lock);
	tcase_add_test(tc, wakes_kcfd_and_does_nothing_else);
	tcase_add_test(tc, notices_what_a_handler_may_not_do);
	tcase_add_test(tc, says_what_is_missing);
	tcase_add_test(tc, takes_all_that_an_entry_holds);
	tcase_add_test(tc, has_one_request_at_a_time);
	tcase_add_test(tc, says_busy_without_credit_and_without_place);
	tcase_add_test(tc, makes_no_slot_without_rings);
	tcase_add_test(tc, is_free_again_in_its_callback);
	tcase_add_test(tc, is_called_back_when_a_waiter_reads);
	tcase_add_loop_test(tc, leaves_a_kcfd_that_completes_what_no_slot_did, 0, LIES);
	tcase_add_test(tc, completes_when_the_connection_is_lost);
	tcase_add_test(tc, loses_its_buffer_to_a_kcfd_that_lives_on);
	tcase_add_test(tc, completes_when_kcfd_does_not_come_back);
	tcase_add_test(tc, ends_without_callback_when_it_is_freed);
	tcase_add_test(tc, is_cancelled_by_close);
	tcase_add_test(tc, has_no_kcfd_in_a_child);
	tcase_add_test(tc, completes_once_whatever_happens);
	suite_add_tcase(s, tc);
	return test_main(s);
}
