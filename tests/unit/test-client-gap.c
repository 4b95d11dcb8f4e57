/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Gaps between threads of the library, held open by the test: here between the callbacks of a round
 * and its end, while the round's messages are sent without the lock.
 */
#include <sched.h>
#include <string.h>
#include <sys/socket.h>
#include "client-core.h"
#include "client-fixture.h"
#include "test-main.h"

enum gate { GATE_NONE = 0, GATE_ARMED, GATE_ENTERED, GATE_OPEN };

static enum gate gate; /* atomic */
static pthread_t gate_thread;

static void gate_wait(enum gate state)
{
	while (__atomic_load_n(&gate, __ATOMIC_ACQUIRE) != state)
		sched_yield();
}

/* The library's: the dispatcher's first message after the gate was armed waits for it. */
ssize_t send(int fd, const void *buf, size_t len, int flags)
{
	if (__atomic_load_n(&gate, __ATOMIC_ACQUIRE) == GATE_ARMED &&
	    pthread_equal(gate_thread, pthread_self())) {
		__atomic_store_n(&gate, GATE_ENTERED, __ATOMIC_RELEASE);
		gate_wait(GATE_OPEN);
	}
	return sendto(fd, buf, len, flags, NULL, 0);
}

static struct result first = RESULT_INIT, late = RESULT_INIT, third = RESULT_INIT;

static struct kcf_call_req async_req(struct result *r)
{
	return (struct kcf_call_req){.flags = KCF_ALWAYS_QUEUE, .callback = on_done, .arg = r};
}

/* Something to be sent at the end of the round. */
static void submit_more(void *arg, const struct kcf_completion *done)
{
	struct kcf_call_req req = async_req(&third);
	struct kcf_client *c = first.client;

	gate_thread = pthread_self();
	__atomic_store_n(&gate, GATE_ARMED, __ATOMIC_RELEASE);
	ck_assert_int_eq(digest(c, &req), KCF_QUEUED);
	on_done(arg, done);
}

static void *wait_for_reply(void *client)
{
	ck_assert_int_eq(digest(client, NULL), KCF_SUCCESS);
	return NULL;
}

static void answer(uint64_t id)
{
	struct wire_msg msg = {.type = FRAME_OP_REPLY};

	fake_send(&fake, &msg, id);
}

/* Until the dispatcher has left its round, or has nothing left to do in it. */
static bool is_forgotten(struct kcf_client *c)
{
	bool done = false, forgotten = false;

	while (!done) {
		pthread_mutex_lock(&c->lock);
		forgotten = !c->dispatching && c->pending.notices && !c->poked;
		done = forgotten || !c->pending.notices;
		pthread_mutex_unlock(&c->lock);
		sched_yield();
	}
	return forgotten;
}

static void wait_notice(struct kcf_client *c)
{
	bool there = false;

	while (!there) {
		pthread_mutex_lock(&c->lock);
		there = c->pending.notices != NULL;
		pthread_mutex_unlock(&c->lock);
		sched_yield();
	}
}

START_TEST(runs_a_callback_that_comes_due_while_a_round_sends)
{
	struct kcf_client *c = open_client(0);
	struct kcf_call_req a = {.flags = KCF_ALWAYS_QUEUE, .callback = submit_more, .arg = &first};
	struct kcf_call_req b = async_req(&late);
	pthread_t reader;

	first.client = c;
	FAKE_SET(&fake, hold, true);
	ck_assert_int_eq(digest(c, &a), KCF_QUEUED);
	ck_assert_int_eq(digest(c, &b), KCF_QUEUED);
	/* A thread in a synchronous call reads the socket meanwhile. */
	ck_assert_int_eq(pthread_create(&reader, NULL, wait_for_reply, c), 0);
	fake_wait(&fake, FRAME_OP, 3);
	answer(a.id);
	gate_wait(GATE_ENTERED);
	answer(b.id);
	wait_notice(c);
	__atomic_store_n(&gate, GATE_OPEN, __ATOMIC_RELEASE);
	ck_assert(!is_forgotten(c));
	wait_result(&late, 1);
	kcf_cancel(c, a.id);
	fake_forget(&fake);
	fake_drop(&fake); /* ends the synchronous call, which is sent again */
	pthread_join(reader, NULL);
	ck_assert_int_eq(kcf_client_close(c), KCF_SUCCESS);
	ck_assert_uint_eq(first.n, 1);
	ck_assert_uint_eq(late.n, 1);
	ck_assert_uint_eq(third.n, 1);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("client-gap");
	TCase *tc = tcase_create("gap");

	tcase_add_checked_fixture(tc, fixture_setup, fixture_teardown);
	tcase_add_test(tc, runs_a_callback_that_comes_due_while_a_round_sends);
	suite_add_tcase(s, tc);
	return test_main(s);
}
