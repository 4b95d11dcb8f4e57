/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Faults that frameworks of this kind have had in their lists: of those who wait for room, of those who hear events, of
 * providers and of what they offer.
 */
#include <string.h>
#include "bed.h"
#include "test-main.h"

#define WAITERS 3
#define MANY 40
#define THREADS 3

static struct bed bed;
static uint8_t data[8192] = "work", buf[MANY][32], want[32];
static struct kcf_data in;
static struct kcf_key key;
static const struct kcf_mechanism hmac = {KCF_M_SHA256_HMAC, 0, NULL};

static void setup(void)
{
	struct kcf_data out = kcf_flat(want, sizeof(want));

	bed_open(&bed, "[limits]\nhardware_queue = 1\n");
	in = kcf_flat(data, sizeof(data));
	key = kcf_key_bytes("0123456789abcdef", 16);
	ck_assert_int_eq(kcf_mac(bed.client, &hmac, &key, &in, &out, NULL), KCF_SUCCESS);
}

static void teardown(void)
{
	bed_close(&bed);
}

/* ---- those who wait ---- */

struct waiter {
	struct kcf_client *client;
	struct collect done;
};

static void waiter_open(struct waiter *w)
{
	struct kcf_client_options options = bed.options;

	collect_init(&w->done);
	options.event_arg = &w->done;
	ck_assert_int_eq(kcf_client_open(&options, &w->client), KCF_SUCCESS);
}

static void waiter_close(struct waiter *w)
{
	if (!w->client)
		return;
	ck_assert_int_eq(kcf_client_close(w->client), KCF_SUCCESS);
	w->client = NULL;
	collect_deinit(&w->done);
}

/* The device is full: refused, and to be told. */
static void waiter_arm(struct waiter *w)
{
	struct kcf_call_req req = collect_req(&w->done, KCF_NOTIFY_SPACE);
	struct kcf_data out = kcf_flat(buf[0], 32);
	struct kcf_mechanism m = {0, 0, NULL};
	enum kcf_status st;

	ck_assert_int_eq(kcf_mech_find(w->client, "KCF_FAULT_ONLY", &m.number), KCF_SUCCESS);
	st = kcf_digest(w->client, &m, &in, &out, &req);
	if (st == KCF_QUEUED) {
		collect_wait(&w->done, 1);
		st = w->done.status;
	}
	ck_assert_int_eq(st, KCF_BUSY);
}

/* Class of fault 9: taking one out of the list of those who wait left a pointer to it. */
START_TEST(one_who_leaves_the_list_of_those_who_wait_takes_nobody_along)
{
	struct kcf_mechanism m;
	struct waiter w[WAITERS];

	admin_do(&bed.kcfd, "load", "fault", "instance=fault0", "slots=1", "gate=closed", NULL);
	m = bed_mech(&bed, "KCF_FAULT_ONLY");
	for (unsigned i = 0; i < 2; i++) { /* its slot and its queue */
		struct kcf_call_req req = collect_req(&bed.done, KCF_ALWAYS_QUEUE);
		struct kcf_data out = kcf_flat(buf[i], 32);

		ck_assert_int_eq(kcf_digest(bed.client, &m, &in, &out, &req), KCF_QUEUED);
		admin_wait_requests(&bed.kcfd, i ? "waiting" : "running", 1);
	}
	for (unsigned i = 0; i < WAITERS; i++) {
		waiter_open(&w[i]);
		waiter_arm(&w[i]);
	}
	waiter_close(&w[_i]);
	admin_do(&bed.kcfd, "set", "fault0.gate", "open", NULL);
	for (unsigned i = 0; i < WAITERS; i++) {
		if (w[i].client)
			collect_wait_event(&w[i].done, KCF_EVENT_ROOM);
		waiter_close(&w[i]);
	}
	collect_wait(&bed.done, 2);
	ck_assert_uint_eq(bed.done.n_status[KCF_SUCCESS], 2);
}
END_TEST

/* ---- those who hear ---- */

static struct kcf_client *listener;
static unsigned n_heard, n_wrong;

static void on_event(void *arg, const struct kcf_event *event)
{
	struct kcf_mech_info info;
	kcf_mech_t number;

	if (!__atomic_load_n(&listener, __ATOMIC_ACQUIRE) || event->type != KCF_EVENT_PROVIDER_ADDED)
		return;
	if (kcf_client_close(listener) != KCF_ARGUMENTS_BAD ||
	    kcf_mech_find(listener, "CKM_SHA256", &number) != KCF_SUCCESS ||
	    kcf_mech_info(listener, number, &info) != KCF_SUCCESS)
		__atomic_fetch_add(&n_wrong, 1, __ATOMIC_RELAXED);
	__atomic_fetch_add(&n_heard, 1, __ATOMIC_RELEASE);
}

/* Class of fault 10: the list of listeners was walked while it changed; leaving from inside a callback hung. */
START_TEST(listeners_come_and_go_and_call_back_while_events_are_told)
{
	struct kcf_client_options options = bed.options;
	struct kcf_client *client;
	unsigned rounds = 20;

	options.on_event = on_event;
	ck_assert_int_eq(kcf_client_open(&options, &client), KCF_SUCCESS);
	__atomic_store_n(&listener, client, __ATOMIC_RELEASE);
	for (unsigned round = 0; round < rounds; round++) {
		struct harness_raw raw[4];

		for (unsigned i = 0; i < 4; i++) {
			harness_raw_open(&raw[i], &bed.kcfd);
			harness_raw_hello(&raw[i], NULL);
		}
		admin_do(&bed.kcfd, "load", "null", NULL);
		harness_raw_close(&raw[1]);
		harness_raw_close(&raw[2]);
		admin_do(&bed.kcfd, "unload", "null", NULL);
		harness_raw_close(&raw[0]);
		harness_raw_close(&raw[3]);
	}
	while (__atomic_load_n(&n_heard, __ATOMIC_ACQUIRE) < rounds)
		;
	ck_assert_uint_eq(n_wrong, 0);
	ck_assert_int_eq(kcf_client_close(client), KCF_SUCCESS);
}
END_TEST

/* ---- providers and what they offer ---- */

static bool stop;
static unsigned n_done, n_bad;

static void *work_main(void *arg)
{
	struct kcf_client *client;
	struct kcf_template *tmpl;
	struct collect done;
	struct kcf_key k;

	collect_init(&done);
	if (kcf_client_open(&bed.options, &client) != KCF_SUCCESS ||
	    kcf_template_create(client, KCF_M_SHA256_HMAC, &key, &tmpl) != KCF_SUCCESS) {
		__atomic_fetch_add(&n_bad, 1, __ATOMIC_RELAXED);
		return NULL;
	}
	k = kcf_key_tmpl(tmpl);
	while (!__atomic_load_n(&stop, __ATOMIC_ACQUIRE)) {
		struct kcf_call_req req = collect_req(&done, KCF_ALWAYS_QUEUE);
		uint8_t mac[32] = {0};
		struct kcf_data out = kcf_flat(mac, 32);
		enum kcf_status st = kcf_mac(client, &hmac, &k, &in, &out, &req);

		if (st == KCF_QUEUED) {
			collect_wait(&done, 1);
			st = done.status;
			collect_reset(&done);
		}
		if (st != KCF_SUCCESS || memcmp(mac, want, 32))
			__atomic_fetch_add(&n_bad, 1, __ATOMIC_RELAXED);
		__atomic_fetch_add(&n_done, 1, __ATOMIC_RELAXED);
	}
	kcf_template_destroy(tmpl);
	kcf_client_close(client);
	collect_deinit(&done);
	return NULL;
}

/* Class of fault 11: what policy took away was freed although somebody still used it. */
START_TEST(disabling_and_unloading_in_the_middle_of_work_breaks_none_of_it)
{
	pthread_t threads[THREADS];

	admin_do(&bed.kcfd, "load", "nettle", NULL);
	for (unsigned i = 0; i < THREADS; i++)
		pthread_create(&threads[i], NULL, work_main, NULL);
	for (unsigned round = 0; round < 15; round++) {
		unsigned before = __atomic_load_n(&n_done, __ATOMIC_RELAXED);

		admin_do(&bed.kcfd, "load", "fault", "instance=fault0", "slots=2", NULL);
		admin_do(&bed.kcfd, "disable", "openssl", "CKM_SHA256_HMAC", NULL);
		admin_do(&bed.kcfd, "disable", "fault0", NULL);
		admin_do(&bed.kcfd, "enable", "openssl", "CKM_SHA256_HMAC", NULL);
		admin_do(&bed.kcfd, "enable", "fault0", NULL);
		admin_do(&bed.kcfd, "unload", "nettle", NULL);
		admin_do(&bed.kcfd, "load", "nettle", NULL);
		admin_do(&bed.kcfd, "unload", "openssl", NULL);
		admin_do(&bed.kcfd, "load", "openssl", NULL);
		admin_do(&bed.kcfd, "unload", "fault0", NULL);
		while (__atomic_load_n(&n_done, __ATOMIC_RELAXED) < before + 10)
			;
	}
	__atomic_store_n(&stop, true, __ATOMIC_RELEASE);
	for (unsigned i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	ck_assert_uint_eq(n_bad, 0);
}
END_TEST

/* Class of fault 12: a table of what a provider offers that was smaller than what one may offer. */
START_TEST(a_provider_may_offer_more_than_the_table_holds)
{
	struct kcf_data out = kcf_flat(buf[0], 32);
	struct kcf_mechanism m = {0, 0, NULL};
	unsigned n_found = 0, n_refused = 0;
	static const uint32_t steps[] = {1, 17, 255, 4099, 1u << 20};

	modules_add(&bed.modules, "rich", "rich");
	admin_do(&bed.kcfd, "load", "rich", NULL);
	for (unsigned i = 0; i < 300; i++) {
		char name[32];

		snprintf(name, sizeof(name), "KCF_TEST_ROW_R_%03u", i);
		if (kcf_mech_find(bed.client, name, &m.number) != KCF_SUCCESS) {
			n_refused++;
			continue;
		}
		n_found++;
		ck_assert_int_eq(kcf_digest(bed.client, &m, &in, &out, NULL), KCF_SUCCESS);
	}
	ck_assert_uint_gt(n_found, 50);
	ck_assert_uint_gt(n_refused, 0); /* openssl's are there too */
	for (unsigned i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		for (uint32_t k = 0; k < 300; k++) {
			struct kcf_mechanism bad = {m.number + 1000 + k * steps[i], 0, NULL};

			ck_assert_int_eq(kcf_digest(bed.client, &bad, &in, &out, NULL),
					 KCF_MECHANISM_INVALID);
		}
	}
	harness_raw_check_service(&bed.kcfd);
}
END_TEST

static enum kcf_status on_device(const char *name, struct collect *done)
{
	struct kcf_call_req req = collect_req(done, 0);
	struct kcf_data out = kcf_flat(buf[0], 32);
	enum kcf_status st;

	req.preference = KCF_ONLY_PROVIDER;
	req.provider = name;
	collect_reset(done);
	st = kcf_mac(bed.client, &hmac, &key, &in, &out, &req);
	if (st == KCF_QUEUED) {
		collect_wait(done, 1);
		st = done->status;
	}
	return st;
}

/* The same asked of kcfd itself: the library would not even send it. */
static enum kcf_status ask_kcfd(const char *provider)
{
	struct wire_op op = {.op = KCF_OP_DIGEST, .mech = KCF_M_SHA256, .in_len = 3, .out_room = 32,
			     .preference = KCF_ONLY_PROVIDER, .provider = provider};
	struct harness_frame f;
	struct harness_raw raw;
	enum kcf_status st;

	harness_raw_open(&raw, &bed.kcfd);
	harness_raw_hello(&raw, NULL);
	ck_assert(harness_raw_send_op(&raw, &op, 1, "abc", 3));
	harness_raw_expect(&raw, FRAME_OP_REPLY, &f);
	st = f.msg.op_reply.status;
	harness_raw_close(&raw);
	return st;
}

/* Class of fault 13: a change of policy made a provider ready that had failed. */
START_TEST(enabling_does_not_bring_a_failed_provider_back)
{
	struct collect done;

	collect_init(&done);
	admin_do(&bed.kcfd, "load", "fault", "instance=fault0", NULL);
	ck_assert_int_eq(on_device("fault0", &done), KCF_SUCCESS);
	ck_assert_int_eq(ask_kcfd("fault0"), KCF_SUCCESS);
	admin_do(&bed.kcfd, "set", "fault0.self-test", "fail", NULL);
	admin_do(&bed.kcfd, "set", "fault0.die", "1", NULL);
	collect_wait_event(&bed.done, KCF_EVENT_PROVIDER_FAILED);
	admin_do(&bed.kcfd, "disable", "fault0", NULL);
	admin_do(&bed.kcfd, "enable", "fault0", NULL);
	ck_assert_int_eq(on_device("fault0", &done), KCF_MECH_NOT_SUPPORTED);
	ck_assert_int_eq(ask_kcfd("fault0"), KCF_MECH_NOT_SUPPORTED);
	ck_assert_uint_eq(collect_n_events(&bed.done, KCF_EVENT_PROVIDER_RETURNED), 0);
	collect_deinit(&done);
}
END_TEST

/* Class of fault 14: what a provider offers counted as work it has. */
START_TEST(load_does_not_depend_on_how_much_a_provider_offers)
{
	struct kcf_template *held[MANY];

	admin_do(&bed.kcfd, "load", "fault", "instance=fault0", "gate=closed", NULL);
	admin_do(&bed.kcfd, "load", "fault", "instance=fault1", "gate=closed", NULL);
	admin_do(&bed.kcfd, "disable", "fault1", NULL);
	admin_do(&bed.kcfd, "enable", "fault1", "CKM_SHA256_HMAC", NULL);
	for (unsigned i = 0; i < MANY; i++)
		ck_assert_int_eq(kcf_template_create(bed.client, KCF_M_AES_CBC, &key, &held[i]),
				 KCF_SUCCESS);
	for (unsigned i = 0; i < MANY; i++) {
		struct kcf_call_req req = collect_req(&bed.done, 0);
		struct kcf_data out = kcf_flat(buf[i], 32);

		req.preference = KCF_ONLY_HARDWARE;
		ck_assert_int_eq(kcf_mac(bed.client, &hmac, &key, &in, &out, &req), KCF_QUEUED);
	}
	admin_wait_requests(&bed.kcfd, "running", MANY);
	ck_assert_uint_eq(bed_provider(&bed, "fault0", "in_flight"), MANY / 2);
	ck_assert_uint_eq(bed_provider(&bed, "fault1", "in_flight"), MANY / 2);
	admin_do(&bed.kcfd, "set", "fault0.gate", "open", NULL);
	admin_do(&bed.kcfd, "set", "fault1.gate", "open", NULL);
	collect_wait(&bed.done, MANY);
	ck_assert_uint_eq(bed.done.n_status[KCF_SUCCESS], MANY);
	for (unsigned i = 0; i < MANY; i++)
		kcf_template_destroy(held[i]);
}
END_TEST

/* Class of fault 15: taking one of several out of a list looked at the wrong neighbour. */
START_TEST(unloading_one_of_three_leaves_the_others_as_they_were)
{
	static const char *const names[] = {"fault0", "fault1", "fault2"};
	struct collect done;

	collect_init(&done);
	for (unsigned i = 0; i < 3; i++) {
		char option[32];

		snprintf(option, sizeof(option), "instance=%s", names[i]);
		admin_do(&bed.kcfd, "load", "fault", option, NULL);
	}
	admin_do(&bed.kcfd, "unload", names[_i], NULL);
	for (int i = 0; i < 3; i++)
		ck_assert_int_eq(on_device(names[i], &done),
				 i == _i ? KCF_MECH_NOT_SUPPORTED : KCF_SUCCESS);
	for (int i = 0; i < 3; i++)
		if (i != _i)
			admin_do(&bed.kcfd, "unload", names[i], NULL);
	ck_assert_int_eq(on_device("fault0", &done), KCF_MECH_NOT_SUPPORTED);
	ck_assert_int_eq(on_device("openssl", &done), KCF_SUCCESS);
	collect_deinit(&done);
}
END_TEST

/* Class of fault 16: a provider's number of a consumer's choice was used without a look at its size. Who wants a slot of
 * nobody's has nothing to wait for, and is told so under the number it gave. */
START_TEST(a_provider_number_beyond_the_table_is_nobodys)
{
	static const uint32_t numbers[] = {2, 16, 17, 33, 255, 65537, INT32_MAX, UINT32_MAX};
	struct wire_msg m = {.type = FRAME_WANT};
	struct harness_frame f;
	struct harness_raw raw;

	harness_raw_open(&raw, &bed.kcfd);
	harness_raw_hello(&raw, NULL);
	for (unsigned i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		m.room.provider = numbers[i];
		ck_assert(harness_raw_send(&raw, &m, 0, NULL, 0));
		do {
			ck_assert(harness_raw_recv(&raw, &f));
		} while (f.h.type != FRAME_ROOM);
		ck_assert_uint_eq(f.msg.room.provider, numbers[i]);
		ck_assert_uint_eq(f.msg.room.units, 0);
	}
	harness_raw_close(&raw);
	harness_raw_check_service(&bed.kcfd);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("faults-registry");
	TCase *t = tcase_create("faults-registry");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_set_timeout(t, 120);
	tcase_add_loop_test(t, one_who_leaves_the_list_of_those_who_wait_takes_nobody_along, 0, WAITERS);
	tcase_add_test(t, listeners_come_and_go_and_call_back_while_events_are_told);
	tcase_add_test(t, disabling_and_unloading_in_the_middle_of_work_breaks_none_of_it);
	tcase_add_test(t, a_provider_may_offer_more_than_the_table_holds);
	tcase_add_test(t, enabling_does_not_bring_a_failed_provider_back);
	tcase_add_test(t, load_does_not_depend_on_how_much_a_provider_offers);
	tcase_add_loop_test(t, unloading_one_of_three_leaves_the_others_as_they_were, 0, 3);
	tcase_add_test(t, a_provider_number_beyond_the_table_is_nobodys);
	suite_add_tcase(s, t);
	return test_main(s);
}
