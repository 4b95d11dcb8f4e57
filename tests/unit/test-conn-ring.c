/* SPDX-License-Identifier: Apache-2.0 */
/* test-conn-ring - entries become requests and their answers completions; what is fatal. */
#include <string.h>
#include "api/conn-ring.h"
#include "ring-world.h"

/* The entry is refused with this status. */
static void expect_refusal(struct ring_entry e, enum kcf_status want)
{
	struct ring_done done;

	harness_ring_put(&ring, &e, NULL, 0);
	done = wait_done(e.id);
	ck_assert_uint_eq(done.status, want);
	ck_assert_uint_eq(done.len, 0);
	ck_assert_uint_eq(raw.page->credit, 256);
	ck_assert_uint_eq(fake.n_submitted, 0);
}

static void expect_fatal(const struct ring_entry *e, const void *extra, size_t extra_len)
{
	harness_ring_put(&ring, e, extra, extra_len);
	expect_violation(KCF_PROTOCOL_ERROR);
	ck_assert_uint_eq(fake.n_submitted, 0);
}

/* ---- asking for one ---- */

START_TEST(gives_a_ring_once)
{
	ck_assert_uint_eq(harness_ring_ask(&raw, RING_VERSION), KCF_ALREADY_EXISTS);
	ck_assert_uint_eq(fake.charged[CHARGE_ARENA], sizeof(struct ring) + 65536);
}
END_TEST

START_TEST(gives_no_ring_of_another_version)
{
	raw.features = FEATURE_RING;
	harness_raw_hello(&raw, NULL);
	ck_assert_uint_eq(harness_ring_ask(&raw, RING_VERSION + 1), KCF_VERSION_MISMATCH);
	ck_assert_uint_eq(raw.n_fds, 0);
	ck_assert_int_eq(fake.charged[CHARGE_ARENA], 0);
}
END_TEST

START_TEST(charges_the_ring_to_the_user)
{
	raw.features = FEATURE_RING;
	harness_raw_hello(&raw, NULL);
	fake.refuse[CHARGE_ARENA] = KCF_QUOTA_EXCEEDED;
	ck_assert_uint_eq(harness_ring_ask(&raw, RING_VERSION), KCF_QUOTA_EXCEEDED);
	ck_assert_uint_eq(raw.n_fds, 0);
	fake.refuse[CHARGE_ARENA] = KCF_SUCCESS;
	ck_assert_uint_eq(harness_ring_ask(&raw, RING_VERSION), KCF_SUCCESS);
}
END_TEST

START_TEST(closes_a_client_that_asks_without_the_feature)
{
	struct wire_msg msg = {.type = FRAME_RING_NEW};

	harness_raw_hello(&raw, NULL);
	msg.version = RING_VERSION;
	send_msg(&msg, 3);
	expect_violation(KCF_PROTOCOL_ERROR);
}
END_TEST

/* ---- entries ---- */

START_TEST(makes_a_request_of_an_entry)
{
	struct ring_entry e = seal(5);
	struct kcf_param_aead *p;
	struct ring_done done;
	struct request *r;

	e.flags = RING_ALWAYS_QUEUE;
	e.preference = KCF_ONLY_SOFTWARE;
	e.len = 16;
	e.aad_len = 70;
	harness_ring_put(&ring, &e, memset((uint8_t[70]){0}, 'a', 70), 70);
	r = wait_request();
	ck_assert(r->op == KCF_OP_ENCRYPT && r->phase == KCF_SINGLE && r->id == 5);
	ck_assert_uint_eq(r->flags, REQUEST_ALWAYS_QUEUE);
	ck_assert_uint_eq(r->preference, KCF_ONLY_SOFTWARE);
	ck_assert_uint_eq(r->deadline_ns, 0);
	ck_assert_uint_eq(tmpl_mech(r->tmpl), KCF_M_AES_GCM);
	ck_assert(r->in.shared && r->in.len == 64 && r->in.n_iov == 1);
	ck_assert(r->out.shared && r->out.len == 80);
	ck_assert_ptr_eq((uint8_t *)r->in.iov->iov_base + 4096, r->out.iov->iov_base);
	p = r->param;
	ck_assert(p->iv_len == 12 && !memcmp(p->iv, "twelve bytes", 12));
	ck_assert(p->aad_len == 70 && p->aad[0] == 'a' && p->aad[69] == 'a');
	ck_assert_uint_eq(p->tag_len, 16);
	ck_assert_uint_eq(raw.page->credit, 255);
	fake_complete(r, KCF_SUCCESS, 0x5a);
	done = wait_done(5);
	ck_assert(done.status == KCF_SUCCESS && done.len == 80 && done.more == 0);
	ck_assert(ring.mem[4096] == 0x5a && ring.mem[4096 + 79] == 0x5a && ring.mem[4176] == 0);
	ck_assert_uint_eq(raw.page->credit, 256);
}
END_TEST

/* What may run at once runs together, without requests. */
START_TEST(runs_small_entries_together)
{
	struct ring_entry e;

	fake.quick = true;
	for (uint64_t id = 1; id <= 100; id++) {
		e = seal(id);
		e.out_off = (uint32_t)(4096 + id * 128);
		e.flags = id % 2 ? RING_ALWAYS_QUEUE : 0;
		harness_ring_put_silently(&ring, &e, NULL, 0);
	}
	harness_ring_bell(&ring);
	for (uint64_t id = 1; id <= 100; id++) {
		struct ring_done done = wait_done(id);

		ck_assert(done.status == KCF_SUCCESS && done.len == 80 && done.provider == 3);
		ck_assert_uint_eq(done.queue_hops, id % 2);
		ck_assert_uint_eq(ring.mem[4096 + id * 128 + 79], id);
	}
	ck_assert_uint_eq(fake.n_quick, 100);
	ck_assert_uint_eq(fake.most_quick, QUICK_OPS);
	ck_assert_uint_eq(fake.n_submitted, 0);
	ck_assert_uint_eq(raw.page->credit, 256);
}
END_TEST

/* What is kept refers to its connection, so it cannot outlive it. */
START_TEST(runs_what_is_kept_before_a_connection_closes)
{
	struct conn *c = list_entry(api.conns.next, struct conn, link);
	struct ring_entry e;

	fake.quick = true;
	for (uint64_t id = 1; id <= 3; id++) {
		e = seal(id);
		harness_ring_put_silently(&ring, &e, NULL, 0);
	}
	ck_assert_uint_eq(conn_ring_take(c->ring, 64), 3);
	ck_assert(api.quick.n == 3 && fake.n_quick == 0);
	conn_close(c);
	ck_assert(api.quick.n == 0 && fake.n_quick == 3);
}
END_TEST

START_TEST(makes_a_request_of_what_cannot_run_at_once)
{
	struct ring_entry sealed = seal(21), opened = seal(22), again = seal(23);

	fake.quick = true;
	fake.quick_again = 23;
	opened.op = KCF_OP_DECRYPT;
	harness_ring_put_silently(&ring, &sealed, NULL, 0);
	harness_ring_put_silently(&ring, &opened, NULL, 0);
	harness_ring_put(&ring, &again, NULL, 0);
	wait_done(21);
	ck_assert_uint_eq(wait_request()->id, 22);
	fake_complete(fake_first(), KCF_INVALID_MAC, 0);
	ck_assert_uint_eq(wait_done(22).status, KCF_INVALID_MAC);
	ck_assert_uint_eq(wait_request()->id, 23);
	fake_complete(fake_first(), KCF_SUCCESS, 1);
	ck_assert_uint_eq(wait_done(23).status, KCF_SUCCESS);
	ck_assert_uint_eq(fake.n_quick_runs, 2);
	ck_assert_uint_eq(raw.page->credit, 256);
}
END_TEST

/* A preference for hardware is looked into. */
START_TEST(runs_nothing_at_once_that_prefers_hardware)
{
	struct ring_entry e = seal(24);

	fake.quick = true;
	e.preference = KCF_PREFER_HARDWARE;
	harness_ring_put(&ring, &e, NULL, 0);
	ck_assert_uint_eq(wait_request()->preference, KCF_PREFER_HARDWARE);
	ck_assert_uint_eq(fake.n_quick, 0);
}
END_TEST

START_TEST(makes_a_request_of_a_dual_entry)
{
	struct ring_entry e = seal(6);
	struct ring_dual d = {.slot2 = MAC_SLOT,
			      .mac_off = 8192,
			      .mac_seg = (uint8_t)ring.segment,
			      .mac_room = 32,
			      .len2 = 20};
	struct ring_done done;
	struct request *r;

	e.op = KCF_OP_ENCRYPT_MAC;
	harness_ring_put(&ring, &e, &d, sizeof(d));
	r = wait_request();
	ck_assert_uint_eq(tmpl_mech(r->tmpl2), KCF_M_SHA256_HMAC);
	ck_assert_uint_eq(((struct kcf_param_mac *)r->param2)->mac_len, 20);
	ck_assert(r->mac.shared && r->mac.len == 32);
	fake_complete(r, KCF_SUCCESS, 0x21);
	done = wait_done(6);
	ck_assert(done.len == 80 && done.more == 32);
	ck_assert(ring.mem[8192] == 0x21 && ring.mem[8192 + 31] == 0x21);
}
END_TEST

START_TEST(brings_what_is_to_be_compared)
{
	struct ring_entry e = seal(7);
	uint8_t check[100];
	struct request *r;

	memset(check, 0x77, sizeof(check));
	e.op = KCF_OP_MAC_VERIFY;
	e.slot = MAC_SLOT;
	e.param = KCF_PARAM_NONE;
	e.out_room = 0;
	e.check_len = sizeof(check);
	harness_ring_put(&ring, &e, check, sizeof(check));
	r = wait_request();
	ck_assert(!r->check.shared && r->check.len == 100 && r->out.len == 0 && !r->param);
	ck_assert_mem_eq(r->check.iov->iov_base, check, sizeof(check));
	fake_complete(r, KCF_INVALID_MAC, 0);
	ck_assert_uint_eq(wait_done(7).status, KCF_INVALID_MAC);
}
END_TEST

START_TEST(takes_a_mechanism_without_key)
{
	struct ring_entry e = {.op = KCF_OP_DIGEST,
			       .flags = RING_MECH,
			       .id = 8,
			       .slot = KCF_M_SHA256,
			       .out_seg = (uint8_t)ring.segment,
			       .out_room = 32};
	struct request *r;

	for (; e.id < 12; e.id++) {
		e.slot = e.id % 2 ? KCF_M_SHA256 : KCF_M_RANDOM;
		harness_ring_put(&ring, &e, NULL, 0);
		r = wait_request();
		ck_assert_uint_eq(tmpl_mech(r->tmpl), e.slot);
		ck_assert_uint_eq(r->in.len, 0);
		fake_complete(r, KCF_SUCCESS, 1);
		ck_assert_uint_eq(wait_done(e.id).len, 32);
	}
}
END_TEST

START_TEST(tells_the_room_that_is_needed_and_why_it_was_busy)
{
	struct ring_entry e = seal(9);
	struct ring_done done;
	struct request *r;

	harness_ring_put(&ring, &e, NULL, 0);
	r = wait_request();
	r->out_len = 96;
	fake_complete(r, KCF_BUFFER_TOO_SMALL, 0);
	done = wait_done(9);
	ck_assert(done.status == KCF_BUFFER_TOO_SMALL && done.len == 96);
	e = seal(10);
	harness_ring_put(&ring, &e, NULL, 0);
	r = wait_request();
	r->busy_reason = KCF_BUSY_NO_ROOM;
	r->provider_row1 = 3;
	r->queue_hops = 1000;
	fake_complete(r, KCF_BUSY, 0);
	done = wait_done(10);
	ck_assert(done.status == KCF_BUSY && done.len == 0 && done.more == KCF_BUSY_NO_ROOM);
	ck_assert(done.provider == 3 && done.queue_hops == 255);
}
END_TEST

START_TEST(refuses_what_is_not_there)
{
	struct ring_entry e = seal(1);

	e.slot = 9;
	expect_refusal(e, KCF_ARGUMENTS_BAD);
	e = seal(2);
	e.in_seg++;
	expect_refusal(e, KCF_ARGUMENTS_BAD);
	e = seal(3);
	e.in_off = 65536 - 63;
	expect_refusal(e, KCF_ARGUMENTS_BAD);
	e = seal(4);
	e.out_off = UINT32_MAX;
	expect_refusal(e, KCF_ARGUMENTS_BAD);
	e = seal(5);
	e.flags = RING_ALWAYS_QUEUE | RING_NEVER_QUEUE;
	expect_refusal(e, KCF_ARGUMENTS_BAD);
	e = seal(6);
	e.param = KCF_PARAM_IV;
	expect_refusal(e, KCF_MECHANISM_PARAM_INVALID);
	e = seal(7);
	e.flags = RING_MECH;
	e.slot = 4000;
	expect_refusal(e, KCF_MECHANISM_INVALID);
}
END_TEST

START_TEST(refuses_input_beyond_the_greatest_request)
{
	struct ring_entry e = seal(1);

	fake.limits.max_request = 63;
	expect_refusal(e, KCF_BUFFER_TOO_BIG);
}
END_TEST

START_TEST(refuses_beyond_the_users_requests)
{
	struct ring_entry e = seal(1);

	fake.refuse[CHARGE_REQUEST] = KCF_QUOTA_EXCEEDED;
	expect_refusal(e, KCF_QUOTA_EXCEEDED);
}
END_TEST

/* ---- fatal ---- */

START_TEST(closes_a_client_whose_entry_cannot_be)
{
	struct ring_entry e = seal(1);

	switch (_i) {
	case 0:
		e.id = 0;
		break;
	case 1:
		e.op = 0;
		break;
	case 2:
		e.op = KCF_OP_DERIVE;
		break;
	case 3:
		e.flags = 0x04;
		break;
	case 4:
		e.flags = 0x80;
		break;
	case 5:
		e.param = KCF_PARAM_DIGEST;
		break;
	case 6:
		e.iv_len = 17;
		break;
	case 7:
		e.preference = KCF_ONLY_PROVIDER;
		break;
	case 8:
		e.aad_len = 1;
		break; /* without a place for it */
	case 9:
		e.check_len = 481;
		break;
	default:
		e.op = KCF_OP_MAC_DECRYPT;
		break; /* without its other half */
	}
	expect_fatal(&e, NULL, 0);
}
END_TEST

START_TEST(closes_a_client_with_places_it_does_not_need)
{
	struct ring_entry e = seal(1);

	e.aad_len = 60;
	expect_fatal(&e, (uint8_t[61]){0}, 61);
}
END_TEST

START_TEST(closes_a_client_whose_places_are_too_many)
{
	struct ring_entry e = seal(1);

	ck_assert(page_credit_take(raw.page, 1));
	ck_assert(ring_put(&ring.client, &e, NULL, 0));
	ring.client.r->entries[0].n_extra = RING_EXTRA_MAX + 1;
	harness_ring_bell(&ring);
	expect_violation(KCF_PROTOCOL_ERROR);
}
END_TEST

START_TEST(closes_a_client_that_uses_an_id_twice)
{
	struct ring_entry e = seal(1);

	harness_ring_put(&ring, &e, NULL, 0);
	wait_request();
	harness_ring_put(&ring, &e, NULL, 0);
	expect_violation(KCF_PROTOCOL_ERROR);
	ck_assert_uint_eq(fake.n_submitted, 1);
}
END_TEST

START_TEST(closes_a_client_that_uses_an_id_of_the_socket)
{
	struct wire_op op = digest_op();
	struct ring_entry e = seal(5);

	harness_raw_send_op(&raw, &op, 5, "abc", 3);
	wait_request();
	harness_ring_put(&ring, &e, NULL, 0);
	expect_violation(KCF_PROTOCOL_ERROR);
	ck_assert_uint_eq(fake.n_submitted, 1);
}
END_TEST

START_TEST(closes_a_client_whose_entries_exceed_its_account)
{
	struct ring_entry e = seal(1);

	for (; e.id <= 257; e.id++)
		ck_assert(ring_put(&ring.client, &e, NULL, 0)); /* without asking for credit */
	harness_ring_bell(&ring);
	expect_violation(KCF_PROTOCOL_ERROR);
	ck_assert_uint_eq(fake.n_submitted, 256);
}
END_TEST

START_TEST(closes_a_client_that_has_seen_what_was_not_written)
{
	struct ring_entry e = seal(1);

	fill_completions();
	e.slot = 99;
	ring.client.r->seen = RING_COMPLETIONS + 1;
	harness_ring_put(&ring, &e, NULL, 0);
	expect_violation(KCF_PROTOCOL_ERROR);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("conn-ring");
	TCase *t = tcase_create("asking");

	tcase_add_checked_fixture(t, world_setup, world_teardown);
	tcase_add_test(t, gives_no_ring_of_another_version);
	tcase_add_test(t, charges_the_ring_to_the_user);
	tcase_add_test(t, closes_a_client_that_asks_without_the_feature);
	suite_add_tcase(s, t);
	t = tcase_create("entries");
	tcase_add_checked_fixture(t, ring_setup, ring_teardown);
	tcase_add_test(t, gives_a_ring_once);
	tcase_add_test(t, makes_a_request_of_an_entry);
	tcase_add_test(t, runs_small_entries_together);
	tcase_add_test(t, runs_what_is_kept_before_a_connection_closes);
	tcase_add_test(t, makes_a_request_of_what_cannot_run_at_once);
	tcase_add_test(t, runs_nothing_at_once_that_prefers_hardware);
	tcase_add_test(t, makes_a_request_of_a_dual_entry);
	tcase_add_test(t, brings_what_is_to_be_compared);
	tcase_add_test(t, takes_a_mechanism_without_key);
	tcase_add_test(t, tells_the_room_that_is_needed_and_why_it_was_busy);
	tcase_add_test(t, refuses_what_is_not_there);
	tcase_add_test(t, refuses_input_beyond_the_greatest_request);
	tcase_add_test(t, refuses_beyond_the_users_requests);
	suite_add_tcase(s, t);
	t = tcase_create("fatal");
	tcase_add_checked_fixture(t, ring_setup, ring_teardown);
	tcase_add_loop_test(t, closes_a_client_whose_entry_cannot_be, 0, 11);
	tcase_add_test(t, closes_a_client_with_places_it_does_not_need);
	tcase_add_test(t, closes_a_client_whose_places_are_too_many);
	tcase_add_test(t, closes_a_client_that_uses_an_id_twice);
	tcase_add_test(t, closes_a_client_that_uses_an_id_of_the_socket);
	tcase_add_test(t, closes_a_client_whose_entries_exceed_its_account);
	tcase_add_test(t, closes_a_client_that_has_seen_what_was_not_written);
	suite_add_tcase(s, t);
	return test_main(s);
}
