/* SPDX-License-Identifier: Apache-2.0 */
/* The hardware half of the scheduler, on the pretended device: rows of the contract, failover,
 * health. */
#include "unit/core-world.h"

static const uint8_t key[16] = "0123456789abcdef";
static const uint8_t iv[12] = "nonce-nonce-";
static struct kcf_param_aead gcm = {.iv = iv, .iv_len = 12};
static uint8_t big[8192]; /* above the threshold */
static struct tmpl *sha, *only, *aes;
static struct sent s[40];

static void device(const char *slots)
{
	char option[32];

	snprintf(option, sizeof(option), "slots=%s", slots);
	ck_assert_int_eq(world_load("fault", "dev", "gate=closed", option, NULL), KCF_SUCCESS);
}

static void setup(void)
{
	world_setup();
	sha = world_tmpl(KCF_M_SHA256, NULL, 0);
	aes = world_tmpl(KCF_M_AES_GCM, key, 16);
	memset(big, 7, sizeof(big));
}

static void teardown(void)
{
	tmpl_unref(sha);
	tmpl_unref(aes);
	if (only)
		tmpl_unref(only);
	only = NULL;
	world_teardown();
}

/* A digest only the device offers. */
static struct tmpl *only_device(void)
{
	if (!only)
		only = world_tmpl_named("KCF_FAULT_ONLY");
	return only;
}

static void submit(struct sent *one, struct tmpl *t, uint32_t flags)
{
	sent_init(one, t, KCF_OP_DIGEST, big, sizeof(big));
	one->r->flags = flags;
	sent_submit(one);
}

static void expect(struct sent *one, enum kcf_status status, unsigned hops, const char *provider)
{
	sent_wait(one);
	ck_assert_int_eq(one->r->status, status);
	ck_assert_uint_eq(one->r->queue_hops, hops);
	if (provider)
		ck_assert_uint_eq(one->r->provider_row1, world_provider(provider)->row + 1);
	sent_free(one);
}

START_TEST(adaptive_goes_to_a_ready_device_without_a_hop)
{
	device("4");
	submit(&s[0], sha, 0);
	world_turn();
	ck_assert_uint_eq(world_provider("dev")->n_flying, 1);
	world_set("dev.release", "1");
	expect(&s[0], KCF_SUCCESS, 0, "dev");
}
END_TEST

START_TEST(small_input_stays_in_software_unless_hardware_is_preferred)
{
	device("4");
	sent_init(&s[0], sha, KCF_OP_DIGEST, big, 4095);
	sent_submit(&s[0]);
	expect(&s[0], KCF_SUCCESS, 0, "openssl");
	world_set("threshold CKM_SHA256", "4095");
	world_set("dev.gate", "open");
	sent_init(&s[0], sha, KCF_OP_DIGEST, big, 4095);
	sent_submit(&s[0]);
	expect(&s[0], KCF_SUCCESS, 0, "dev");
	sent_init(&s[0], sha, KCF_OP_DIGEST, big, 10);
	s[0].r->preference = KCF_PREFER_HARDWARE;
	sent_submit(&s[0]);
	expect(&s[0], KCF_SUCCESS, 0, "dev");
	sent_init(&s[0], sha, KCF_OP_DIGEST, big, sizeof(big));
	s[0].r->preference = KCF_ONLY_SOFTWARE;
	sent_submit(&s[0]);
	expect(&s[0], KCF_SUCCESS, 0, "openssl");
}
END_TEST

START_TEST(where_only_a_device_offers_it_the_threshold_is_zero)
{
	device("4");
	world_set("dev.gate", "open");
	ck_assert_uint_eq(mech_by_name(world.core, "KCF_FAULT_ONLY")->threshold, 0);
	ck_assert_uint_eq(mech_by_name(world.core, "CKM_SHA256")->threshold, MECH_THRESHOLD);
	sent_init(&s[0], only_device(), KCF_OP_DIGEST, "abc", 3);
	sent_submit(&s[0]);
	sent_wait(&s[0]);
	ck_assert_int_eq(s[0].r->status, KCF_SUCCESS);
	ck_assert_mem_eq(s[0].out, "\xba\x78\x16\xbf", 4);
	sent_free(&s[0]);
}
END_TEST

START_TEST(a_full_device_queues_and_counts_one_hop)
{
	device("2");
	for (unsigned i = 0; i < 5; i++)
		submit(&s[i], only_device(), 0);
	world_turn();
	ck_assert_uint_eq(world_provider("dev")->n_flying, 2);
	ck_assert_uint_eq(world_provider("dev")->queue.depth, 3);
	ck_assert_uint_eq(sched_position(world.core, s[4].r), 2);
	world_set("dev.gate", "open");
	for (unsigned i = 0; i < 5; i++) {
		expect(&s[i], KCF_SUCCESS, i < 2 ? 0 : 1, "dev");
		ck_assert_uint_eq(s[i].order, i + 1);
	}
}
END_TEST

START_TEST(adaptive_prefers_software_to_waiting_for_a_device)
{
	device("1");
	submit(&s[0], sha, 0);
	submit(&s[1], sha, 0);
	expect(&s[1], KCF_SUCCESS, 0, "openssl");
	world_set("dev.gate", "open");
	expect(&s[0], KCF_SUCCESS, 0, "dev");
}
END_TEST

START_TEST(always_queue_waits_for_the_device_that_is_first)
{
	device("1");
	submit(&s[0], sha, REQUEST_ALWAYS_QUEUE);
	submit(&s[1], sha, REQUEST_ALWAYS_QUEUE);
	world_turn();
	world_set("dev.gate", "open");
	expect(&s[0], KCF_SUCCESS, 1, "dev");
	expect(&s[1], KCF_SUCCESS, 1, "dev");
}
END_TEST

START_TEST(never_queue_is_busy_when_the_device_is)
{
	device("1");
	submit(&s[0], only_device(), 0);
	submit(&s[1], only_device(), REQUEST_NEVER_QUEUE);
	sent_wait(&s[1]);
	ck_assert_int_eq(s[1].r->busy_reason, KCF_BUSY_WOULD_QUEUE);
	expect(&s[1], KCF_BUSY, 0, NULL);
	world_set("dev.gate", "open");
	expect(&s[0], KCF_SUCCESS, 0, "dev");
	submit(&s[1], only_device(), REQUEST_NEVER_QUEUE);
	expect(&s[1], KCF_SUCCESS, 0, "dev");
}
END_TEST

START_TEST(sync_waits_for_a_device_only_without_software)
{
	device("1");
	submit(&s[0], sha, 0);
	submit(&s[1], sha, REQUEST_SYNC);
	expect(&s[1], KCF_SUCCESS, 0, "openssl");
	submit(&s[2], only_device(), REQUEST_SYNC);
	world_turn();
	ck_assert_uint_eq(world_provider("dev")->queue.depth, 1);
	world_set("dev.gate", "open");
	expect(&s[2], KCF_SUCCESS, 1, "dev");
	expect(&s[0], KCF_SUCCESS, 0, "dev");
}
END_TEST

START_TEST(full_queues_are_busy_and_room_is_told_and_reserved)
{
	struct consumer *other = consumer_get(world.core, 1001, 1001);
	uint32_t row1;

	world_set("hardware_queue", "2");
	device("1");
	row1 = world_provider("dev")->row + 1;
	for (unsigned i = 0; i < 4; i++) {
		submit(&s[i], only_device(), 0);
		world_turn();
	}
	sent_wait(&s[3]);
	ck_assert_int_eq(s[3].r->busy_reason, KCF_BUSY_NO_ROOM);
	expect(&s[3], KCF_BUSY, 0, NULL);
	ck_assert(!sched_reserve(world.core, &s[5], row1));
	ck_assert_uint_eq(world.rooms, 0);
	world_set("dev.release", "1");
	world_until(&world.rooms);
	ck_assert_uint_eq(world.room_row1, row1);
	ck_assert(sched_reserve(world.core, &s[5], row1));
	ck_assert(!sched_reserve(world.core, &s[5], row1)); /* one at a time */
	/* the slot is s[5]'s now */
	submit(&s[4], only_device(), 0);
	expect(&s[4], KCF_BUSY, 0, NULL);
	sched_unreserve(world.core, &s[5]); /* nobody's again */
	ck_assert(sched_reserve(world.core, &s[5], row1));
	ck_assert(sched_reserve(world.core, &s[5], row1 + 1)); /* nobody to wait for */
	sent_init(&s[5], only_device(), KCF_OP_DIGEST, big, 8);
	s[5].r->consumer = other;
	sent_submit(&s[5]);
	world_set("dev.gate", "open");
	expect(&s[5], KCF_SUCCESS, 1, "dev");
	for (unsigned i = 0; i < 3; i++) {
		sent_wait(&s[i]);
		sent_free(&s[i]);
	}
	consumer_put(other);
}
END_TEST

START_TEST(cancel_in_a_device_queue_frees_the_place)
{
	struct provider *p;

	device("1");
	p = world_provider("dev");
	submit(&s[0], only_device(), 0);
	world_turn();
	for (unsigned i = 0; i < 20; i++) {
		submit(&s[1], only_device(), 0);
		ck_assert_uint_eq(p->queue.depth, 1);
		sched_cancel(world.core, s[1].r);
		ck_assert_uint_eq(s[1].completed, 1);
		ck_assert_uint_eq(p->queue.depth, 0);
		expect(&s[1], KCF_CANCELED, 1, NULL);
	}
	world_set("dev.gate", "open");
	expect(&s[0], KCF_SUCCESS, 0, "dev");
}
END_TEST

START_TEST(cancel_on_the_device_completes_once_and_releases_nothing)
{
	device("2");
	submit(&s[0], only_device(), 0);
	world_turn();
	ck_assert_int_eq(s[0].r->state, REQUEST_RUNNING);
	sched_cancel(world.core, s[0].r);
	sent_wait(&s[0]);
	ck_assert_int_eq(s[0].r->status, KCF_CANCELED);
	ck_assert_uint_eq(s[0].r->out_len, 0);
	sent_free(&s[0]); /* while the device still has the job */
	while (world_provider("dev")->n_flying)
		uv_run(&world.loop, UV_RUN_ONCE);
	submit(&s[1], only_device(), 0);
	world_set("dev.gate", "open");
	expect(&s[1], KCF_SUCCESS, 0, "dev");
}
END_TEST

START_TEST(device_faults_fail_over_invisibly)
{
	static const char *const faults[] = {"device-error", "device-memory",  "device-removed",
					     "busy",         "buffer-too-big", "key-size-range"};

	device("4");
	world_set("dev.gate", "open");
	for (unsigned i = 0; i < 6; i++) {
		world_set("dev.fail", faults[i]);
		submit(&s[0], sha, 0);
		expect(&s[0], KCF_SUCCESS, 0, "openssl");
		world_set("dev.fail", "none");
		submit(&s[0], sha, 0);
		expect(&s[0], KCF_SUCCESS, 0, "dev");
	}
	ck_assert_uint_eq(world.core->stats.failovers, 6);
}
END_TEST

START_TEST(without_another_provider_the_real_error_is_told)
{
	device("4");
	world_set("dev.gate", "open");
	world_set("dev.fail", "device-memory");
	submit(&s[0], only_device(), 0);
	expect(&s[0], KCF_DEVICE_MEMORY, 0, "dev");
	world_set("dev.fail", "device-removed");
	sent_init(&s[0], sha, KCF_OP_DIGEST, big, sizeof(big));
	s[0].r->preference = KCF_ONLY_PROVIDER;
	strcpy(s[0].r->provider_filter, "dev");
	sent_submit(&s[0]);
	expect(&s[0], KCF_DEVICE_REMOVED, 0, "dev");
	world_set("dev.fail", "failed"); /* no fault of the device: its answer */
	submit(&s[0], sha, 0);
	expect(&s[0], KCF_FAILED, 0, "dev");
}
END_TEST

START_TEST(fails_over_to_a_second_device)
{
	device("4");
	ck_assert_int_eq(world_load("fault", "dev2", NULL), KCF_SUCCESS);
	world_set("dev.gate", "open");
	world_set("dev.fail", "device-error");
	submit(&s[0], only_device(), 0);
	expect(&s[0], KCF_SUCCESS, 0, "dev2");
}
END_TEST

START_TEST(the_least_loaded_device_is_first)
{
	device("8");
	ck_assert_int_eq(world_load("fault", "dev2", "gate=closed", NULL), KCF_SUCCESS);
	for (unsigned i = 0; i < 8; i++)
		submit(&s[i], only_device(), 0);
	world_turn();
	ck_assert_uint_eq(world_provider("dev")->n_flying, 4);
	ck_assert_uint_eq(world_provider("dev2")->n_flying, 4);
	world_set("dev.gate", "open");
	world_set("dev2.gate", "open");
	for (unsigned i = 0; i < 8; i++)
		expect(&s[i], KCF_SUCCESS, 0, NULL);
}
END_TEST

START_TEST(a_result_longer_than_its_room_is_a_device_error)
{
	device("4");
	world_set("dev.gate", "open");
	world_set("dev.wrong-length", "1");
	submit(&s[0], sha, 0);
	expect(&s[0], KCF_SUCCESS, 0, "openssl");
	ck_assert_uint_eq(world.core->stats.failovers, 1);
}
END_TEST

START_TEST(a_lost_job_times_the_device_out_and_runs_elsewhere)
{
	world_set("device_timeout_ms", "20");
	device("4");
	world_set("dev.gate", "open");
	world_set("dev.lose", "1");
	submit(&s[0], sha, 0);
	expect(&s[0], KCF_SUCCESS, 0, "openssl");
	ck_assert_uint_eq(world.events[KCF_EVENT_PROVIDER_FAILED], 1);
	ck_assert_uint_eq(world.events[KCF_EVENT_PROVIDER_RETURNED], 1);
	submit(&s[0], sha, 0);
	expect(&s[0], KCF_SUCCESS, 0, "dev");
}
END_TEST

START_TEST(a_deadline_on_the_device_ends_the_request_and_later_the_device)
{
	world_set("device_timeout_ms", "60");
	device("4");
	world_set("dev.gate", "open");
	world_set("dev.lose", "1");
	sent_init(&s[0], sha, KCF_OP_DIGEST, big, sizeof(big));
	s[0].r->deadline_ns = uv_hrtime() + 5000000;
	sent_submit(&s[0]);
	expect(&s[0], KCF_TIMED_OUT, 0, NULL);
	world_until(&world.events[KCF_EVENT_PROVIDER_FAILED]);
	world_until(&world.events[KCF_EVENT_PROVIDER_RETURNED]);
	ck_assert_uint_eq(world_provider("dev")->n_flying, 0);
}
END_TEST

START_TEST(too_many_errors_in_a_row_take_it_out_of_service_and_known_answers_bring_it_back)
{
	uint32_t generation;

	world_set("device_errors", "3");
	device("4");
	generation = world_provider("dev")->inst.generation;
	world_set("dev.gate", "open");
	world_set("dev.fail", "device-error");
	world_set("dev.fail-count", "3");
	for (unsigned i = 0; i < 3; i++) {
		submit(&s[0], sha, 0);
		expect(&s[0], KCF_SUCCESS, 0, "openssl");
	}
	world_until(&world.events[KCF_EVENT_PROVIDER_RETURNED]);
	ck_assert_uint_eq(world.events[KCF_EVENT_PROVIDER_FAILED], 1);
	ck_assert_uint_ne(world_provider("dev")->inst.generation, generation);
	submit(&s[0], sha, 0);
	expect(&s[0], KCF_SUCCESS, 0, "dev");
}
END_TEST

START_TEST(a_device_that_fails_its_known_answers_stays_out)
{
	device("4");
	world_set("dev.self-test", "fail");
	world_set("dev.die", "");
	world_until(&world.events[KCF_EVENT_PROVIDER_FAILED]);
	submit(&s[0], sha, 0);
	expect(&s[0], KCF_SUCCESS, 0, "openssl");
	submit(&s[0], only_device(), 0);
	expect(&s[0], KCF_MECH_NOT_SUPPORTED, 0, NULL);
	ck_assert_uint_eq(world.events[KCF_EVENT_PROVIDER_RETURNED], 0);
	world_set("dev.self-test", "pass");
	world_set("dev.return", "");
	world_until(&world.events[KCF_EVENT_PROVIDER_RETURNED]);
	world_set("dev.gate", "open");
	submit(&s[0], only_device(), 0);
	expect(&s[0], KCF_SUCCESS, 0, "dev");
}
END_TEST

START_TEST(a_failing_device_gives_its_queue_to_others)
{
	device("1");
	for (unsigned i = 0; i < 5; i++)
		submit(&s[i], sha, REQUEST_ALWAYS_QUEUE);
	world_turn();
	ck_assert_uint_eq(world_provider("dev")->queue.depth, 4);
	world_set("dev.self-test", "fail");
	world_set("dev.die", "");
	for (unsigned i = 0; i < 5; i++) {
		sent_wait(&s[i]);
		ck_assert_int_eq(s[i].r->status, KCF_SUCCESS);
		ck_assert_uint_eq(s[i].r->provider_row1, world_provider("openssl")->row + 1);
		sent_free(&s[i]);
	}
}
END_TEST

START_TEST(output_over_input_can_be_repeated_elsewhere)
{
	static uint8_t buf[8192 + 16];
	struct sent plain;

	device("4");
	world_set("dev.gate", "open");
	/* the device spoils its output and then reports an error: input must not have suffered */
	memset(buf, 9, sizeof(buf));
	sent_init(&plain, aes, KCF_OP_ENCRYPT, big, 4000);
	memset(big, 9, 4000);
	plain.r->param = &gcm;
	plain.r->preference = KCF_ONLY_SOFTWARE;
	sent_submit(&plain);
	sent_wait(&plain);
	ck_assert_int_eq(plain.r->status, KCF_SUCCESS);
	world_set("dev.wrong-length", "1");
	sent_init(&s[0], aes, KCF_OP_ENCRYPT, buf, 4000);
	s[0].r->param = &gcm;
	s[0].r->preference = KCF_PREFER_HARDWARE;
	s[0].iov[1] = (struct iovec){buf, 4016};
	s[0].r->out.len = 4016;
	sent_submit(&s[0]);
	sent_wait(&s[0]);
	ck_assert_int_eq(s[0].r->status, KCF_SUCCESS);
	ck_assert_uint_eq(world.core->stats.failovers, 1);
	ck_assert_mem_eq(buf, plain.out, 4016);
	sent_free(&s[0]);
	sent_free(&plain);
}
END_TEST

START_TEST(a_device_works_on_copies_of_what_the_client_can_change)
{
	device("4");
	sent_init(&s[0], sha, KCF_OP_DIGEST, big, sizeof(big));
	s[0].r->in.shared = s[0].r->out.shared = true;
	sent_submit(&s[0]);
	world_turn();
	ck_assert_uint_eq(world_provider("dev")->n_flying, 1);
	ck_assert_ptr_ne(s[0].r->sched->job.in[0].iov_base, big);
	ck_assert_ptr_ne(s[0].r->sched->job.out[0].iov_base, s[0].out);
	world_set("dev.gate", "open");
	sent_wait(&s[0]);
	ck_assert_int_eq(s[0].r->status, KCF_SUCCESS);
	ck_assert_uint_ne(s[0].out[0] | s[0].out[1] | s[0].out[2], 0);
	sent_free(&s[0]);
}
END_TEST

START_TEST(end_of_the_core_ends_everything_once)
{
	device("2");
	for (unsigned i = 0; i < 5; i++)
		submit(&s[i], only_device(), 0);
	world_turn();
	tmpl_unref(only);
	only = NULL;
	tmpl_unref(sha);
	tmpl_unref(aes);
	consumer_get(world.core, 1000, 1000); /* teardown below puts one */
	core_stop(world.core);
	for (unsigned i = 0; i < 5; i++) {
		ck_assert_uint_eq(s[i].completed, 1);
		ck_assert_int_eq(s[i].r->status, KCF_CANCELED);
		sent_free(&s[i]);
	}
	consumer_put(world.consumer);
	sha = world_tmpl(KCF_M_SHA256, NULL, 0);
	aes = world_tmpl(KCF_M_SHA256, NULL, 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("device");
	TCase *tc = tcase_create("device");

	tcase_set_timeout(tc, 60);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, adaptive_goes_to_a_ready_device_without_a_hop);
	tcase_add_test(tc, small_input_stays_in_software_unless_hardware_is_preferred);
	tcase_add_test(tc, where_only_a_device_offers_it_the_threshold_is_zero);
	tcase_add_test(tc, a_full_device_queues_and_counts_one_hop);
	tcase_add_test(tc, adaptive_prefers_software_to_waiting_for_a_device);
	tcase_add_test(tc, always_queue_waits_for_the_device_that_is_first);
	tcase_add_test(tc, never_queue_is_busy_when_the_device_is);
	tcase_add_test(tc, sync_waits_for_a_device_only_without_software);
	tcase_add_test(tc, full_queues_are_busy_and_room_is_told_and_reserved);
	tcase_add_test(tc, cancel_in_a_device_queue_frees_the_place);
	tcase_add_test(tc, cancel_on_the_device_completes_once_and_releases_nothing);
	tcase_add_test(tc, device_faults_fail_over_invisibly);
	tcase_add_test(tc, without_another_provider_the_real_error_is_told);
	tcase_add_test(tc, fails_over_to_a_second_device);
	tcase_add_test(tc, the_least_loaded_device_is_first);
	tcase_add_test(tc, a_result_longer_than_its_room_is_a_device_error);
	tcase_add_test(tc, a_lost_job_times_the_device_out_and_runs_elsewhere);
	tcase_add_test(tc, a_deadline_on_the_device_ends_the_request_and_later_the_device);
	tcase_add_test(
		tc,
		too_many_errors_in_a_row_take_it_out_of_service_and_known_answers_bring_it_back);
	tcase_add_test(tc, a_device_that_fails_its_known_answers_stays_out);
	tcase_add_test(tc, a_failing_device_gives_its_queue_to_others);
	tcase_add_test(tc, output_over_input_can_be_repeated_elsewhere);
	tcase_add_test(tc, a_device_works_on_copies_of_what_the_client_can_change);
	tcase_add_test(tc, end_of_the_core_ends_everything_once);
	suite_add_tcase(suite, tc);
	return test_main(suite);
}
