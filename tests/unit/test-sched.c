/* SPDX-License-Identifier: Apache-2.0 */
/* The software half of the scheduler: where a request runs, in which order, how it ends. */
#include "unit/core-world.h"

static const uint8_t key[16] = "0123456789abcdef";
static const uint8_t iv[12] = "nonce-nonce-";
static struct kcf_param_aead gcm = {.iv = iv, .iv_len = 12};
static struct kcf_param_pbkdf2 slow = {
	.hash = KCF_M_SHA256, .iterations = 2000, .salt = iv, .salt_len = 12};

static void gcm_init(struct sent *s, struct tmpl *t, uint16_t op, const void *in, size_t len)
{
	sent_init(s, t, op, in, len);
	s->r->param = &gcm;
}

static struct kcf_param_pbkdf2 very_slow = {
	.hash = KCF_M_SHA256, .iterations = 400000, .salt = iv, .salt_len = 12};

static void pbkdf2_init(struct sent *s, struct kcf_param_pbkdf2 *param)
{
	struct tmpl *t = world_tmpl(KCF_M_PKCS5_PBKD2, "password", 8);

	sent_init(s, t, KCF_OP_DERIVE, NULL, 0);
	s->r->in.n_iov = 0;
	s->r->param = param;
	s->r->out.len = s->iov[1].iov_len = 32;
	tmpl_unref(t);
}

START_TEST(digests_what_is_given)
{
	static const uint8_t abc[] = {0xba, 0x78, 0x16, 0xbf, 0x8f, 0x01, 0xcf, 0xea};
	struct tmpl *t = world_tmpl(KCF_M_SHA256, NULL, 0);
	struct sent s;

	ck_assert_int_eq(sent_do(&s, t, KCF_OP_DIGEST, "abc", 3), KCF_SUCCESS);
	ck_assert_uint_eq(s.r->out_len, 32);
	ck_assert_mem_eq(s.out, abc, sizeof(abc));
	ck_assert_uint_eq(s.r->queue_hops, 0);
	sent_free(&s);
	ck_assert_int_eq(sent_do(&s, t, KCF_OP_DIGEST, "abd", 3), KCF_SUCCESS);
	ck_assert_mem_ne(s.out, abc, sizeof(abc));
	sent_free(&s);
	tmpl_unref(t);
}
END_TEST

START_TEST(encrypts_and_decrypts_and_refuses_a_wrong_tag)
{
	struct tmpl *t = world_tmpl(KCF_M_AES_GCM, key, 16);
	struct sent e, d;
	uint8_t text[64];

	gcm_init(&e, t, KCF_OP_ENCRYPT, "attack at dawn", 14);
	sent_submit(&e);
	sent_wait(&e);
	ck_assert_int_eq(e.r->status, KCF_SUCCESS);
	ck_assert_uint_eq(e.r->out_len, 30);
	memcpy(text, e.out, 30);
	gcm_init(&d, t, KCF_OP_DECRYPT, text, 30);
	sent_submit(&d);
	sent_wait(&d);
	ck_assert_int_eq(d.r->status, KCF_SUCCESS);
	ck_assert_mem_eq(d.out, "attack at dawn", 14);
	sent_free(&d);
	text[3] ^= 1;
	gcm_init(&d, t, KCF_OP_DECRYPT, text, 30);
	sent_submit(&d);
	sent_wait(&d);
	ck_assert_int_eq(d.r->status, KCF_INVALID_MAC);
	ck_assert_uint_eq(d.r->out_len, 0);
	sent_free(&d);
	sent_free(&e);
	tmpl_unref(t);
}
END_TEST

START_TEST(always_queue_takes_one_hop_and_adaptive_none)
{
	struct tmpl *t = world_tmpl(KCF_M_SHA256, NULL, 0);
	struct sent s;

	sent_init(&s, t, KCF_OP_DIGEST, "abc", 3);
	s.r->flags = REQUEST_ALWAYS_QUEUE;
	sent_submit(&s);
	ck_assert_uint_eq(world.core->software.depth, 1);
	sent_wait(&s);
	ck_assert_int_eq(s.r->status, KCF_SUCCESS);
	ck_assert_uint_eq(s.r->queue_hops, 1);
	ck_assert_uint_eq(world.core->software.depth, 0);
	sent_free(&s);
	sent_init(&s, t, KCF_OP_DIGEST, "abc", 3);
	s.r->flags = REQUEST_NEVER_QUEUE;
	sent_submit(&s);
	sent_wait(&s);
	ck_assert_int_eq(s.r->status, KCF_SUCCESS);
	ck_assert_uint_eq(s.r->queue_hops, 0);
	sent_free(&s);
	tmpl_unref(t);
}
END_TEST

START_TEST(never_queue_is_refused_when_it_would_wait)
{
	struct tmpl *t = world_tmpl(KCF_M_SHA256, NULL, 0);
	struct sent first, s;

	sent_init(&first, t, KCF_OP_DIGEST, "abc", 3);
	first.r->flags = REQUEST_ALWAYS_QUEUE;
	sent_submit(&first);
	sent_init(&s, t, KCF_OP_DIGEST, "abc", 3);
	s.r->flags = REQUEST_NEVER_QUEUE;
	sent_submit(&s);
	sent_wait(&s);
	ck_assert_int_eq(s.r->status, KCF_BUSY);
	ck_assert_int_eq(s.r->busy_reason, KCF_BUSY_WOULD_QUEUE);
	sent_wait(&first);
	ck_assert_int_eq(first.r->status, KCF_SUCCESS);
	sent_free(&s);
	sent_free(&first);
	tmpl_unref(t);
}
END_TEST

START_TEST(without_room_it_is_busy)
{
	struct tmpl *t = world_tmpl(KCF_M_SHA256, NULL, 0);
	struct sent s;

	world.core->software.bound = 2;
	sent_init(&s, t, KCF_OP_DIGEST, "abc", 3);
	s.r->flags = REQUEST_ALWAYS_QUEUE;
	s.r->units = 3;
	sent_submit(&s);
	sent_wait(&s);
	ck_assert_int_eq(s.r->status, KCF_BUSY);
	ck_assert_int_eq(s.r->busy_reason, KCF_BUSY_NO_ROOM);
	sent_free(&s);
	tmpl_unref(t);
}
END_TEST

START_TEST(long_work_runs_on_a_worker)
{
	struct sent s[6];

	for (unsigned i = 0; i < 6; i++) {
		pbkdf2_init(&s[i], &slow);
		sent_submit(&s[i]);
	}
	ck_assert_uint_gt(world.core->workers.outstanding, 0);
	for (unsigned i = 0; i < 6; i++) {
		sent_wait(&s[i]);
		ck_assert_int_eq(s[i].r->status, KCF_SUCCESS);
		ck_assert_mem_eq(s[i].out, s[0].out, 32);
		sent_free(&s[i]);
	}
	ck_assert_uint_eq(world.core->workers.outstanding, 0);
}
END_TEST

/* Little input, much to compute. */
START_TEST(what_makes_much_of_little_does_not_run_on_the_loop)
{
	static const struct kcf_param_digest xof = {.out_len = 1 << 20};
	static const struct kcf_param_kbkdf kbkdf = {.mac = KCF_M_SHA256_HMAC};
	static const struct {
		uint32_t mech;
		uint16_t op;
		const void *param;
	} greedy[] = {{KCF_M_SHAKE256, KCF_OP_DIGEST, &xof},
		      {KCF_M_SP800_108_KDF, KCF_OP_DERIVE, &kbkdf},
		      {KCF_M_RANDOM, KCF_OP_RANDOM, NULL}};
	static uint8_t room[1 << 20];

	for (unsigned i = 0; i < 3; i++) {
		bool keyed = greedy[i].op == KCF_OP_DERIVE;
		struct tmpl *t = world_tmpl(greedy[i].mech, keyed ? key : NULL, keyed ? 16 : 0);
		struct sent s;

		sent_init(&s, t, greedy[i].op, "", 0);
		s.r->param = (void *)greedy[i].param;
		s.iov[1] = (struct iovec){room, sizeof(room)};
		s.r->out.len = sizeof(room);
		sent_submit(&s);
		ck_assert_uint_eq(world.core->workers.outstanding, 1);
		sent_wait(&s);
		ck_assert_int_eq(s.r->status, KCF_SUCCESS);
		ck_assert_uint_eq(s.r->out_len, sizeof(room));
		sent_free(&s);
		tmpl_unref(t);
	}
}
END_TEST

START_TEST(refuses_what_would_hold_a_worker_for_ever)
{
	static const struct kcf_param_pbkdf2 pbkdf2 = {.hash = KCF_M_SHA256,
						       .iterations = UINT32_MAX};
	static const struct kcf_param_scrypt scrypt = {.n = 1 << 22, .r = 1, .p = 1 << 22};
	struct sent s;

	for (unsigned i = 0; i < 2; i++) {
		struct tmpl *t = world_tmpl(i ? KCF_M_SCRYPT : KCF_M_PKCS5_PBKD2, key, 16);

		sent_init(&s, t, KCF_OP_DERIVE, "", 0);
		s.r->param = i ? (void *)&scrypt : (void *)&pbkdf2;
		s.r->out.len = s.iov[1].iov_len = 32;
		sent_submit(&s);
		ck_assert_uint_eq(world.core->workers.outstanding, 0);
		sent_wait(&s);
		ck_assert_int_eq(s.r->status, KCF_QUOTA_EXCEEDED);
		sent_free(&s);
		tmpl_unref(t);
	}
}
END_TEST

START_TEST(cancel_of_a_waiting_request_completes_it_and_frees_its_slot)
{
	struct tmpl *t = world_tmpl(KCF_M_SHA256, NULL, 0);
	struct sent s;

	for (unsigned i = 0; i < 50; i++) {
		sent_init(&s, t, KCF_OP_DIGEST, "abc", 3);
		s.r->flags = REQUEST_ALWAYS_QUEUE;
		sent_submit(&s);
		sched_cancel(world.core, s.r);
		ck_assert_uint_eq(s.completed, 1);
		ck_assert_int_eq(s.r->status, KCF_CANCELED);
		ck_assert_uint_eq(s.r->out_len, 0);
		ck_assert_uint_eq(world.core->software.depth, 0);
		ck_assert_uint_eq(world.core->software.units, 0);
		sched_cancel(world.core, s.r);
		ck_assert_uint_eq(s.completed, 1);
		sent_free(&s);
	}
	world_turn();
	tmpl_unref(t);
}
END_TEST

START_TEST(cancel_of_a_running_request_completes_it_once)
{
	struct sent s;

	for (unsigned i = 0; i < 20; i++) {
		pbkdf2_init(&s, &slow);
		sent_submit(&s);
		ck_assert_int_eq(s.r->state, REQUEST_RUNNING);
		sched_cancel(world.core, s.r);
		sent_wait(&s);
		ck_assert_int_eq(s.r->status, KCF_CANCELED);
		sent_free(&s);
		while (world.core->workers.outstanding)
			uv_run(&world.loop, UV_RUN_ONCE);
	}
	ck_assert_uint_eq(world_provider("openssl")->n_using, 0);
}
END_TEST

START_TEST(a_deadline_ends_what_waits)
{
	struct sent s[8];

	for (unsigned i = 0; i < 8; i++) {
		pbkdf2_init(&s[i], &very_slow);
		s[i].r->deadline_ns = uv_hrtime() + 10000000;
		sent_submit(&s[i]);
	}
	for (unsigned i = 0; i < 8; i++) {
		sent_wait(&s[i]);
		ck_assert_int_eq(s[i].r->status, KCF_TIMED_OUT);
		sent_free(&s[i]);
	}
	ck_assert_uint_eq(world.core->software.depth, 0);
	while (world.core->workers.outstanding)
		uv_run(&world.loop, UV_RUN_ONCE);
}
END_TEST

START_TEST(a_deadline_in_the_past_ends_it_at_once)
{
	struct tmpl *t = world_tmpl(KCF_M_SHA256, NULL, 0);
	struct sent s;

	sent_init(&s, t, KCF_OP_DIGEST, "abc", 3);
	s.r->deadline_ns = 1;
	sent_submit(&s);
	sent_wait(&s);
	ck_assert_int_eq(s.r->status, KCF_TIMED_OUT);
	sent_free(&s);
	tmpl_unref(t);
}
END_TEST

START_TEST(names_what_stood_in_the_way)
{
	struct tmpl *t = world_tmpl(KCF_M_AES_GCM, key, 15);
	struct sent s;

	gcm_init(&s, t, KCF_OP_ENCRYPT, "abc", 3);
	sent_submit(&s);
	sent_wait(&s);
	ck_assert_int_eq(s.r->status, KCF_KEY_SIZE_RANGE);
	sent_free(&s);
	tmpl_unref(t);
	t = world_tmpl(KCF_M_AES_GCM, key, 16);
	gcm_init(&s, t, KCF_OP_SIGN, "abc", 3);
	sent_submit(&s);
	sent_wait(&s);
	ck_assert_int_eq(s.r->status, KCF_MECH_NOT_SUPPORTED);
	sent_free(&s);
	gcm_init(&s, t, KCF_OP_ENCRYPT, "abc", 3);
	s.r->preference = KCF_ONLY_HARDWARE;
	sent_submit(&s);
	sent_wait(&s);
	ck_assert_int_eq(s.r->status, KCF_MECH_NOT_SUPPORTED);
	sent_free(&s);
	tmpl_unref(t);
}
END_TEST

START_TEST(preference_and_policy_choose_among_software)
{
	struct tmpl *t = world_tmpl(KCF_M_SHA256, NULL, 0);
	char err[128];
	struct sent s;

	if (world_load("nettle", NULL, NULL) != KCF_SUCCESS) {
		tmpl_unref(t); /* built without nettle */
		return;
	}
	sent_init(&s, t, KCF_OP_DIGEST, "abc", 3);
	s.r->preference = KCF_ONLY_PROVIDER;
	strcpy(s.r->provider_filter, "nettle");
	sent_submit(&s);
	sent_wait(&s);
	ck_assert_int_eq(s.r->status, KCF_SUCCESS);
	ck_assert_uint_eq(s.r->provider_row1, world_provider("nettle")->row + 1);
	sent_free(&s);
	ck_assert_int_eq(sent_do(&s, t, KCF_OP_DIGEST, "abc", 3), KCF_SUCCESS);
	ck_assert_uint_eq(s.r->provider_row1, world_provider("openssl")->row + 1);
	sent_free(&s);
	ck_assert_int_eq(core_enable(world.core, "openssl", "CKM_SHA256", false, err, sizeof(err)),
			 KCF_SUCCESS);
	ck_assert_int_eq(sent_do(&s, t, KCF_OP_DIGEST, "abc", 3), KCF_SUCCESS);
	ck_assert_uint_eq(s.r->provider_row1, world_provider("nettle")->row + 1);
	sent_free(&s);
	ck_assert_uint_eq(world.events[KCF_EVENT_MECH_REMOVED], 1);
	tmpl_unref(t);
}
END_TEST

START_TEST(a_disabled_offer_is_not_used_by_what_was_queued_for_it)
{
	struct tmpl *t = world_tmpl(KCF_M_SHA256, NULL, 0);
	char err[128];
	struct sent s;

	sent_init(&s, t, KCF_OP_DIGEST, "abc", 3);
	s.r->flags = REQUEST_ALWAYS_QUEUE;
	sent_submit(&s);
	core_enable(world.core, "openssl", "CKM_SHA256", false, err, sizeof(err));
	sent_wait(&s);
	ck_assert_int_eq(s.r->status, KCF_MECH_NOT_SUPPORTED);
	sent_free(&s);
	tmpl_unref(t);
}
END_TEST

START_TEST(shares_the_queue_between_consumers)
{
	struct consumer *other = consumer_get(world.core, 1001, 1001);
	struct tmpl *t = world_tmpl(KCF_M_SHA256, NULL, 0);
	static struct sent flood[400], one, long_one;
	static uint8_t big[16384];

	/* the one worker is busy, so that all of this is the loop's */
	world_set("workers_max", "1");
	pbkdf2_init(&long_one, &very_slow);
	sent_submit(&long_one);
	for (unsigned i = 0; i < 400; i++) {
		sent_init(&flood[i], t, KCF_OP_DIGEST, big, sizeof(big));
		flood[i].r->flags = REQUEST_ALWAYS_QUEUE;
		sent_submit(&flood[i]);
	}
	sent_init(&one, t, KCF_OP_DIGEST, "abc", 3);
	one.r->flags = REQUEST_ALWAYS_QUEUE;
	one.r->consumer = other;
	sent_submit(&one);
	for (unsigned i = 0; i < 400; i++)
		sent_wait(&flood[i]);
	sent_wait(&one);
	ck_assert_uint_lt(one.order, 60);
	for (unsigned i = 1; i < 400; i++) /* its own order is kept */
		ck_assert_uint_lt(flood[i - 1].order, flood[i].order);
	for (unsigned i = 0; i < 400; i++)
		sent_free(&flood[i]);
	sent_free(&one);
	sched_cancel(world.core, long_one.r);
	sent_wait(&long_one);
	sent_free(&long_one);
	consumer_put(other);
	tmpl_unref(t);
}
END_TEST

START_TEST(shares_the_queue_between_labels)
{
	struct tmpl *t = world_tmpl(KCF_M_SHA256, NULL, 0);
	static struct sent flood[400], one, long_one;
	static uint8_t big[16384];

	world_set("workers_max", "1");
	pbkdf2_init(&long_one, &very_slow);
	sent_submit(&long_one);
	for (unsigned i = 0; i < 400; i++) {
		sent_init(&flood[i], t, KCF_OP_DIGEST, big, sizeof(big));
		flood[i].r->flags = REQUEST_ALWAYS_QUEUE;
		sent_submit(&flood[i]);
	}
	sent_init(&one, t, KCF_OP_DIGEST, "abc", 3);
	one.r->flags = REQUEST_ALWAYS_QUEUE;
	one.r->label = 1;
	sent_submit(&one);
	for (unsigned i = 0; i < 400; i++) {
		sent_wait(&flood[i]);
		sent_free(&flood[i]);
	}
	sent_wait(&one);
	ck_assert_uint_lt(one.order, 60);
	sent_free(&one);
	sched_cancel(world.core, long_one.r);
	sent_wait(&long_one);
	sent_free(&long_one);
	tmpl_unref(t);
}
END_TEST

/* How many works workers have after one turn of the loop with n short requests in the queue. */
static unsigned works_of_one_turn(unsigned n)
{
	static struct sent s[400];
	static uint8_t big[16384];
	struct tmpl *t = world_tmpl(KCF_M_SHA256, NULL, 0);
	unsigned works;

	for (unsigned i = 0; i < n; i++) {
		sent_init(&s[i], t, KCF_OP_DIGEST, big, sizeof(big));
		s[i].r->flags = REQUEST_ALWAYS_QUEUE;
		sent_submit(&s[i]);
	}
	sched_kick(world.core);
	works = world.core->workers.outstanding;
	for (unsigned i = 0; i < n; i++) {
		sent_wait(&s[i]);
		ck_assert_int_eq(s[i].r->status, KCF_SUCCESS);
		sent_free(&s[i]);
	}
	tmpl_unref(t);
	return works;
}

START_TEST(under_backlog_workers_have_enough_until_the_loop_comes_again)
{
	world_set("workers_max", "2");
	ck_assert_uint_gt(works_of_one_turn(400), 2); /* more than one each */
	ck_assert_uint_eq(works_of_one_turn(20), 0);  /* the loop does it sooner itself */
}
END_TEST

START_TEST(counts_and_traces_what_it_did)
{
	struct tmpl *t = world_tmpl(KCF_M_SHA256, NULL, 0);
	struct json j;
	struct sent s;

	for (unsigned i = 0; i < 3; i++) {
		ck_assert_int_eq(sent_do(&s, t, KCF_OP_DIGEST, "abcde", 5), KCF_SUCCESS);
		sent_free(&s);
	}
	json_init(&j);
	json_object(&j, NULL);
	core_stats(world.core, &j);
	json_end_object(&j);
	ck_assert(json_ok(&j));
	ck_assert_ptr_nonnull(strstr(j.text,
				     "{\"provider\":\"openssl\",\"mechanism\":\"CKM_SHA256\","
				     "\"place\":\"kcfd\",\"ops\":3,\"bytes\":15,\"errors\":0"));
	json_deinit(&j);
	json_init(&j);
	json_object(&j, NULL);
	core_trace(world.core, &j, 1);
	json_end_object(&j);
	ck_assert_ptr_nonnull(
		strstr(j.text, "\"mode\":\"hardware-first\",\"threshold\":4096,\"probe\":false,"
			       "\"considered\":[{\"provider\":\"openssl\",\"why\":\"chosen\","
			       "\"place\":1,\"rank\":0,\"by\":0,\"wait_ns\":0,\"cost_ns\":"));
	ck_assert_ptr_nonnull(
		strstr(j.text, "\"chosen\":\"openssl\",\"place\":\"kcfd\",\"queue_hops\":0"));
	json_deinit(&j);
	json_init(&j);
	core_consumers(world.core, &j);
	ck_assert_ptr_nonnull(strstr(j.text, "\"ops\":3,\"bytes\":15"));
	json_deinit(&j);
	tmpl_unref(t);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("sched");
	TCase *tc = tcase_create("sched");

	tcase_set_timeout(tc, 60);
	tcase_add_checked_fixture(tc, world_setup, world_teardown);
	tcase_add_test(tc, digests_what_is_given);
	tcase_add_test(tc, encrypts_and_decrypts_and_refuses_a_wrong_tag);
	tcase_add_test(tc, always_queue_takes_one_hop_and_adaptive_none);
	tcase_add_test(tc, never_queue_is_refused_when_it_would_wait);
	tcase_add_test(tc, without_room_it_is_busy);
	tcase_add_test(tc, long_work_runs_on_a_worker);
	tcase_add_test(tc, what_makes_much_of_little_does_not_run_on_the_loop);
	tcase_add_test(tc, refuses_what_would_hold_a_worker_for_ever);
	tcase_add_test(tc, cancel_of_a_waiting_request_completes_it_and_frees_its_slot);
	tcase_add_test(tc, cancel_of_a_running_request_completes_it_once);
	tcase_add_test(tc, a_deadline_ends_what_waits);
	tcase_add_test(tc, a_deadline_in_the_past_ends_it_at_once);
	tcase_add_test(tc, names_what_stood_in_the_way);
	tcase_add_test(tc, preference_and_policy_choose_among_software);
	tcase_add_test(tc, a_disabled_offer_is_not_used_by_what_was_queued_for_it);
	tcase_add_test(tc, shares_the_queue_between_consumers);
	tcase_add_test(tc, shares_the_queue_between_labels);
	tcase_add_test(tc, under_backlog_workers_have_enough_until_the_loop_comes_again);
	tcase_add_test(tc, counts_and_traces_what_it_did);
	suite_add_tcase(s, tc);
	return test_main(s);
}
