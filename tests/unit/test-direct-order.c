/* SPDX-License-Identifier: Apache-2.0 */
/* test-direct-order - the mode's order in the caller's thread, by costs that are made up here. */
#include <string.h>
#include "direct-calls.h"

static uint8_t in[16384], out[32];

static int at_sha(void)
{
	return table_find(&w.writer.t->copies[w.writer.t->generation & 1], KCF_M_SHA256);
}

/* offer: in order of registration; the device comes last. */
static void cost(unsigned offer, uint32_t setup_ns, uint32_t ns_per_kib)
{
	w.writer.t->costs[at_sha()][offer][0] = TABLE_COST(setup_ns, ns_per_kib);
}

static void mode(enum table_mode mode)
{
	table_edit(&w.writer)->mechs[at_sha()].mode = mode;
	table_publish(&w.writer);
}

/* n digests of len bytes; how many of them the provider did here. */
static unsigned done_by(uint32_t provider, size_t len, unsigned n)
{
	uint64_t before = world_counted(w.page, KCF_M_SHA256, provider).ops;

	for (unsigned i = 0; i < n; i++)
		ck_done(digest(in, len, out, NULL), SUCCESS);
	return (unsigned)(world_counted(w.page, KCF_M_SHA256, provider).ops - before);
}

START_TEST(software_here_is_chosen_by_cost_for_the_length)
{
	cost(OPENSSL, 100, 1000);
	cost(NETTLE, 1000, 300);
	for (unsigned i = 0; i < 20; i++) {
		ck_assert_uint_eq(done_by(OPENSSL, 64, 1), 1);
		ck_assert_uint_eq(done_by(NETTLE, 8192, 1), 1);
	}
	/* 100 + n = (1000 + 0.3 n) * 9 / 8, in KiB */
	ck_assert_uint_eq(done_by(OPENSSL, 1500, 1), 1);
	ck_assert_uint_eq(done_by(NETTLE, 1700, 1), 1);
}
END_TEST

START_TEST(who_was_registered_later_must_be_an_eighth_cheaper)
{
	cost(OPENSSL, 900, 900);
	cost(NETTLE, 820, 820);
	ck_assert_uint_eq(done_by(OPENSSL, 64, 5), 5);
	cost(NETTLE, 780, 780);
	done_by(NETTLE, 64, PAGE_SAMPLE);
	ck_assert_uint_eq(done_by(NETTLE, 64, 5), 5);
}
END_TEST

START_TEST(calls_of_every_length_go_the_short_way_once_both_were_used)
{
	const struct template_plan *own;
	const struct direct_plan *p;

	cost(OPENSSL, 100, 1000);
	cost(NETTLE, 1000, 300);
	done_by(OPENSSL, 64, 1);
	done_by(NETTLE, 8192, 1);
	/* modules are opened at first use, and that makes a plan anew */
	done_by(OPENSSL, 64, 1);
	done_by(NETTLE, 8192, 1);
	own = w.d->hidden[KCF_M_SHA256]->plan;
	p = own->plan;
	for (size_t len = 0; len < 16384; len += 100) {
		const struct plan_fast *f = plan_fast(own, len, false);

		ck_assert_ptr_nonnull(f);
		ck_assert_uint_eq(p->steps[f->step].provider, len < 1600 ? OPENSSL : NETTLE);
	}
}
END_TEST

START_TEST(costs_learned_later_change_the_choice_with_the_next_timed_call)
{
	cost(OPENSSL, 100, 1000);
	cost(NETTLE, 1000, 3000);
	ck_assert_uint_eq(done_by(OPENSSL, 64, 300), 300);
	cost(NETTLE, 10, 10);
	done_by(NETTLE, 64, PAGE_SAMPLE);
	ck_assert_uint_eq(done_by(NETTLE, 64, 300), 300);
	cost(NETTLE, 5000, 10);
	done_by(OPENSSL, 64, PAGE_SAMPLE);
	ck_assert_uint_eq(done_by(OPENSSL, 64, 300), 300);
}
END_TEST

/* n digests of 1024 bytes handed over at once; how many of them the provider did. */
static unsigned batch_by(uint32_t provider, unsigned n)
{
	uint64_t before = world_counted(w.page, KCF_M_SHA256, provider).ops;
	static uint8_t outs[32][32];
	struct kcf_batch_op ops[32];

	for (unsigned i = 0; i < n; i++)
		ops[i] = (struct kcf_batch_op){.how = {.op = KCF_OP_DIGEST, .mech = &sha256},
					       .in = kcf_flat(in, 1024),
					       .out = kcf_flat(outs[i], 32)};
	ck_assert_uint_eq(direct_batch(w.d, ops, n, NULL), 0);
	return (unsigned)(world_counted(w.page, KCF_M_SHA256, provider).ops - before);
}

START_TEST(many_calls_at_once_go_where_one_of_many_costs_least)
{
	uint64_t(*costs)[2] = w.writer.t->costs[at_sha()];

	costs[OPENSSL][0] = costs[OPENSSL][1] = TABLE_COST(100, 1000);
	costs[NETTLE][0] = TABLE_COST(5000, 5000);
	costs[NETTLE][1] = TABLE_COST(50, 200);
	for (unsigned i = 0; i < 3; i++) {
		ck_assert_uint_eq(done_by(OPENSSL, 1024, 1), 1);
		ck_assert_uint_eq(batch_by(NETTLE, 32), 32);
		ck_assert_uint_eq(batch_by(OPENSSL, 4), 4); /* no company to speak of */
	}
	costs[NETTLE][1] = TABLE_COST(50, 2000);
	batch_by(NETTLE, 32); /* a whole chunk is timed, or none of it */
	for (unsigned i = 0; i < PAGE_SAMPLE / 32; i++)
		batch_by(OPENSSL, 32);
	ck_assert_uint_eq(batch_by(OPENSSL, 32), 32);
}
END_TEST

START_TEST(one_calls_preference_is_not_the_next_ones)
{
	struct kcf_call_req req = {
		.flags = KCF_WAIT, .preference = KCF_ONLY_PROVIDER, .provider = "nettle"};

	ck_done(digest(in, 64, out, &req), SUCCESS);
	ck_done(digest(in, 64, out, &req), SUCCESS);
	ck_assert_uint_eq(world_counted(w.page, KCF_M_SHA256, NETTLE).ops, 2);
	ck_assert_uint_eq(done_by(OPENSSL, 64, 10), 10);
	ck_done(digest(in, 64, out, &req), SUCCESS);
	ck_assert_uint_eq(world_counted(w.page, KCF_M_SHA256, NETTLE).ops, 3);
}
END_TEST

START_TEST(adaptive_asks_a_device_only_if_it_is_done_first_with_the_way_and_the_wait)
{
	struct table_live *live = &w.writer.t->live[WORLD_HARDWARE];

	world_add_hardware(&w, "CKM_SHA256", 0);
	mode(MODE_ADAPTIVE);
	cost(OPENSSL, 1000, 10000);
	cost(NETTLE, 1000, 20000);
	cost(2, 20000, 1000);
	ck_assert_uint_eq(done_by(OPENSSL, 1024, 3), 3);
	ck_send(digest(in, 8192, out, NULL));
	ck_assert_uint_eq(done_by(OPENSSL, 2600, 3), 3); /* 26.4 us; the device 22.5, and 10 */
	live->wait_us = 100;
	ck_assert_uint_eq(done_by(OPENSSL, 8192, 3), 3);
	live->wait_us = 0;
	ck_send(digest(in, 8192, out, NULL));
	live->state = PROVIDER_BUSY; /* first, but does not serve at once */
	ck_assert_uint_eq(done_by(OPENSSL, 8192, 3), 3);
}
END_TEST

START_TEST(software_first_stays_here_whatever_the_size_and_the_device)
{
	struct kcf_call_req req = {.flags = KCF_WAIT, .preference = KCF_PREFER_HARDWARE};

	world_add_hardware(&w, "CKM_SHA256", 0);
	cost(2, 1, 1);
	ck_send(digest(in, 8192, out, NULL));
	mode(MODE_SOFTWARE_FIRST);
	ck_assert_uint_eq(done_by(OPENSSL, 8192, 3), 3);
	ck_send(digest(in, 64, out, &req));
	ck_assert_uint_eq(done_by(OPENSSL, 8192, 3), 3);
	mode(MODE_HARDWARE_FIRST);
	ck_send(digest(in, 8192, out, NULL));
}
END_TEST

START_TEST(round_robin_gives_each_its_turn)
{
	unsigned sent = 0;

	world_add_hardware(&w, "CKM_SHA256", UINT32_MAX);
	mode(MODE_ROUND_ROBIN);
	for (unsigned i = 0; i < 12; i++)
		sent += digest(in, 64, out, NULL).verdict == DIRECT_SEND;
	ck_assert_uint_eq(sent, 4);
	ck_assert_uint_eq(world_counted(w.page, KCF_M_SHA256, OPENSSL).ops, 4);
	ck_assert_uint_eq(world_counted(w.page, KCF_M_SHA256, NETTLE).ops, 4);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("direct-order");
	TCase *tc = tcase_create("direct-order");

	tcase_add_checked_fixture(tc, calls_setup, calls_teardown);
	tcase_add_test(tc, software_here_is_chosen_by_cost_for_the_length);
	tcase_add_test(tc, who_was_registered_later_must_be_an_eighth_cheaper);
	tcase_add_test(tc, calls_of_every_length_go_the_short_way_once_both_were_used);
	tcase_add_test(tc, costs_learned_later_change_the_choice_with_the_next_timed_call);
	tcase_add_test(tc, many_calls_at_once_go_where_one_of_many_costs_least);
	tcase_add_test(tc, one_calls_preference_is_not_the_next_ones);
	tcase_add_test(tc,
		       adaptive_asks_a_device_only_if_it_is_done_first_with_the_way_and_the_wait);
	tcase_add_test(tc, software_first_stays_here_whatever_the_size_and_the_device);
	tcase_add_test(tc, round_robin_gives_each_its_turn);
	suite_add_tcase(suite, tc);
	return test_main(suite);
}
