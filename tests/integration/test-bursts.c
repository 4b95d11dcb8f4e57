/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test-bursts - what kcfd finds when it looks goes to each provider together: of many templates and
 * clients, on the loop and on workers, dual operations too.
 *
 * kcfd is stopped while requests are sent, so that it finds all of them in one turn, and what it
 * counts is exact. The module `lanes` gives answers that are easily said.
 */
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include "../bed.h"
#include "../test-main.h"

#define N   64u
#define LEN 32u
#define MAC 4u

static struct bed bed;
static struct kcf_mechanism xor, sum, slow;

static void setup(void)
{
	bed_open(&bed, "[limits]\nworkers_max = 1\n");
	modules_add(&bed.modules, "lanes", "lanes");
	admin_do(&bed.kcfd, "load", "lanes", NULL);
	collect_wait_event(&bed.done, KCF_EVENT_PROVIDER_ADDED); /* and here, too */
	xor = bed_mech(&bed, "KCF_TEST_XOR");
	sum = bed_mech(&bed, "KCF_TEST_SUM");
	slow = bed_mech(&bed, "KCF_TEST_SLOW");
}

static void teardown(void)
{
	bed_close(&bed);
}

/* ---- requests ---- */

static uint8_t in[N][LEN], out[N][LEN], macs[N][MAC];
static kcf_req_id ids[N];
/* Of each request alone. */
static struct collect ends[N];

static struct kcf_key template_of(struct kcf_client *client, const struct kcf_mechanism *mech,
				  uint8_t key, size_t len)
{
	uint8_t bytes[32];
	struct kcf_key k = kcf_key_bytes(bytes, len);
	struct kcf_template *t;

	memset(bytes, key, sizeof(bytes));
	ck_assert_int_eq(kcf_template_create(client, mech->number, &k, &t), KCF_SUCCESS);
	return kcf_key_tmpl(t);
}

static struct kcf_call_req queued(unsigned i)
{
	collect_init(&ends[i]);
	return collect_req(&ends[i], KCF_ALWAYS_QUEUE);
}

static void fill(unsigned i)
{
	for (unsigned k = 0; k < LEN; k++)
		in[i][k] = (uint8_t)(i * 7 + k);
	memset(out[i], 0, LEN);
	memset(macs[i], 0, MAC);
}

static void send_cipher(struct kcf_client *client, unsigned i, const struct kcf_mechanism *mech,
			const struct kcf_key *key)
{
	struct kcf_data i_ = kcf_flat(in[i], LEN), o = kcf_flat(out[i], LEN);
	struct kcf_call_req req = queued(i);

	fill(i);
	ck_assert_int_eq(kcf_encrypt(client, mech, key, &i_, &o, &req), KCF_QUEUED);
	ids[i] = req.id;
}

static void send_mac(struct kcf_client *client, unsigned i, const struct kcf_key *key)
{
	struct kcf_data i_ = kcf_flat(in[i], LEN), o = kcf_flat(macs[i], MAC);
	struct kcf_call_req req = queued(i);

	fill(i);
	ck_assert_int_eq(kcf_mac(client, &sum, key, &i_, &o, &req), KCF_QUEUED);
}

static enum kcf_status end_of(unsigned i)
{
	collect_wait(&ends[i], 1);
	return ends[i].status;
}

static void check_cipher(unsigned i, uint8_t key)
{
	ck_assert_int_eq(end_of(i), KCF_SUCCESS);
	ck_assert_uint_eq(ends[i].len, LEN);
	for (unsigned k = 0; k < LEN; k++)
		ck_assert_uint_eq(out[i][k], in[i][k] ^ key);
}

static uint32_t sum_of(const uint8_t *bytes, uint8_t key)
{
	uint32_t n = key;

	for (unsigned k = 0; k < LEN; k++)
		n += bytes[k];
	return n;
}

static void check_mac(unsigned i, const uint8_t *bytes, uint8_t key)
{
	uint32_t n = sum_of(bytes, key);

	for (unsigned k = 0; k < MAC; k++)
		ck_assert_uint_eq(macs[i][k], (uint8_t)(n >> 8 * k));
}

/* ---- kcfd ---- */

/* Now it finds nothing, */
static void stop(void)
{
	int status;

	ck_assert_int_eq(kill(bed.kcfd.pid, SIGSTOP), 0);
	ck_assert_int_eq(waitpid(bed.kcfd.pid, &status, WUNTRACED), bed.kcfd.pid);
	ck_assert(WIFSTOPPED(status));
}

/* and then all at once. */
static void go_on(void)
{
	ck_assert_int_eq(kill(bed.kcfd.pid, SIGCONT), 0);
}

/* Submits of a mechanism: in all, of the bucket, jobs in them, places in lanes, jobs in them. */
struct counted {
	uint64_t submits, jobs, lane_slots, lane_jobs, buckets[7];
};

static struct counted counted_of(const char *provider, const char *mech)
{
	json_t *j = admin_json(&bed.kcfd, "stats", NULL), *row, *log2;
	struct counted c = {0};
	size_t i;

	json_array_foreach(json_object_get(j, "rows"), i, row)
	{
		if (strcmp(bed_text(row, "provider"), provider) != 0 ||
		    strcmp(bed_text(row, "mechanism"), mech) != 0 ||
		    strcmp(bed_text(row, "place"), "caller") == 0)
			continue;
		c.submits += (uint64_t)json_integer_value(json_object_get(row, "submits"));
		c.jobs += (uint64_t)json_integer_value(json_object_get(row, "submitted"));
		c.lane_slots += (uint64_t)json_integer_value(json_object_get(row, "lane_slots"));
		c.lane_jobs += (uint64_t)json_integer_value(json_object_get(row, "lane_jobs"));
		log2 = json_object_get(row, "submit_jobs_log2");
		for (unsigned k = 0; k < 7; k++)
			c.buckets[k] += (uint64_t)json_integer_value(json_array_get(log2, k));
	}
	json_decref(j);
	return c;
}

/* ---- tests ---- */

/* kcfd has seen them once: attached, prepared. */
static void warm(struct kcf_client *client, const struct kcf_mechanism *mech,
		 const struct kcf_key *keys, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		if (mech == &sum)
			send_mac(client, 0, &keys[i]);
		else
			send_cipher(client, 0, mech, &keys[i]);
		end_of(0);
	}
}

START_TEST(kinds_of_a_mixed_burst_go_side_by_side)
{
	struct kcf_key x[3], s, wide = template_of(bed.client, &xor, 9, 2);
	struct counted before[2], now;

	for (uint8_t k = 0; k < 3; k++)
		x[k] = template_of(bed.client, &xor, k, 1);
	s = template_of(bed.client, &sum, 5, 1);
	warm(bed.client, &xor, x, 3);
	warm(bed.client, &xor, &wide, 1);
	warm(bed.client, &sum, &s, 1);
	before[0] = counted_of("lanes", "KCF_TEST_XOR");
	before[1] = counted_of("lanes", "KCF_TEST_SUM");
	ck_assert_uint_eq(before[0].submits, 4);
	ck_assert_uint_eq(before[0].buckets[0], 4);
	ck_assert_uint_eq(before[0].lane_slots, 32);
	ck_assert_uint_eq(before[0].lane_jobs, 4);
	stop();
	for (unsigned i = 0; i < 20; i++) {
		if (i % 4 == 0)
			send_mac(bed.client, i, &s); /* 5 */
		else if (i % 7 == 1)
			send_cipher(bed.client, i, &xor, &wide); /* 1, 15 */
		else
			send_cipher(bed.client, i, &xor, &x[i % 3]); /* 13 */
	}
	go_on();
	for (unsigned i = 0; i < 20; i++) {
		if (i % 4 == 0) {
			ck_assert_int_eq(end_of(i), KCF_SUCCESS);
			check_mac(i, in[i], 5);
		} else {
			check_cipher(i, i % 7 == 1 ? 9 : (uint8_t)(i % 3));
		}
	}
	now = counted_of("lanes", "KCF_TEST_XOR");
	ck_assert_uint_eq(now.submits - before[0].submits, 2);
	ck_assert_uint_eq(now.jobs - before[0].jobs, 15);
	ck_assert_uint_eq(now.buckets[1], 1); /* of 2 */
	ck_assert_uint_eq(now.buckets[4], 1); /* of 13 */
	ck_assert_uint_eq(now.lane_slots - before[0].lane_slots, 16 + 8);
	ck_assert_uint_eq(now.lane_jobs - before[0].lane_jobs, 15);
	now = counted_of("lanes", "KCF_TEST_SUM");
	ck_assert_uint_eq(now.submits - before[1].submits, 1);
	ck_assert_uint_eq(now.buckets[3], 1); /* of 5 */
}
END_TEST

START_TEST(clients_fill_lanes_together)
{
	struct kcf_client *clients[4] = {bed.client};
	struct kcf_mechanism mechs[4] = {xor};
	struct kcf_key keys[4];
	struct counted before, now;

	for (unsigned c = 0; c < 4; c++) {
		if (c) {
			ck_assert_int_eq(kcf_client_open(&bed.options, &clients[c]), KCF_SUCCESS);
			ck_assert_int_eq(
				kcf_mech_find(clients[c], "KCF_TEST_XOR", &mechs[c].number),
				KCF_SUCCESS);
		}
		keys[c] = template_of(clients[c], &mechs[c], (uint8_t)c, 1);
		warm(clients[c], &mechs[c], &keys[c], 1);
	}
	before = counted_of("lanes", "KCF_TEST_XOR");
	stop();
	for (unsigned i = 0; i < 16; i++)
		send_cipher(clients[i % 4], i, &mechs[i % 4], &keys[i % 4]);
	go_on();
	for (unsigned i = 0; i < 16; i++)
		check_cipher(i, (uint8_t)(i % 4));
	now = counted_of("lanes", "KCF_TEST_XOR");
	ck_assert_uint_eq(now.submits - before.submits, 1);
	ck_assert_uint_eq(now.lane_jobs - before.lane_jobs, 16);
	ck_assert_uint_eq(now.lane_slots - before.lane_slots, 16);
	for (unsigned c = 1; c < 4; c++)
		kcf_client_close(clients[c]);
}
END_TEST

START_TEST(one_that_fails_is_alone_in_that)
{
	struct kcf_key good = template_of(bed.client, &xor, 1, 1),
		       bad = template_of(bed.client, &xor, 0xee, 1);

	warm(bed.client, &xor, &good, 1);
	warm(bed.client, &xor, &bad, 1);
	stop();
	for (unsigned i = 0; i < 12; i++)
		send_cipher(bed.client, i, &xor, i == 5 ? &bad : &good);
	go_on();
	for (unsigned i = 0; i < 12; i++) {
		if (i != 5)
			check_cipher(i, 1);
		else
			ck_assert_int_eq(end_of(i), KCF_FAILED);
	}
	for (unsigned k = 0; k < LEN; k++)
		ck_assert_uint_eq(out[5][k], 0);
}
END_TEST

START_TEST(long_ones_fill_lanes_on_a_worker)
{
	struct kcf_key k[2] = {template_of(bed.client, &slow, 1, 1),
			       template_of(bed.client, &slow, 2, 1)};
	struct counted before, now;

	warm(bed.client, &slow, k, 2);
	before = counted_of("lanes", "KCF_TEST_SLOW");
	stop();
	for (unsigned i = 0; i < 8; i++)
		send_cipher(bed.client, i, &slow, &k[i % 2]);
	go_on();
	for (unsigned i = 0; i < 8; i++)
		check_cipher(i, (uint8_t)(i % 2 + 1));
	now = counted_of("lanes", "KCF_TEST_SLOW");
	ck_assert_uint_eq(now.submits - before.submits, 2);
	ck_assert_uint_eq(now.lane_jobs - before.lane_jobs, 8);
	ck_assert_uint_eq(now.lane_slots - before.lane_slots, 8);
}
END_TEST

START_TEST(one_of_a_work_can_be_cancelled)
{
	struct kcf_key k = template_of(bed.client, &slow, 1, 1);

	warm(bed.client, &slow, &k, 1);
	admin_do(&bed.kcfd, "set", "lanes.gate", "closed", NULL);
	stop();
	for (unsigned i = 0; i < 4; i++)
		send_cipher(bed.client, i, &slow, &k);
	go_on();
	admin_wait_requests(&bed.kcfd, "running", 4);
	ck_assert_int_eq(kcf_cancel(bed.client, ids[0]), KCF_SUCCESS); /* stands for all */
	ck_assert_int_eq(kcf_cancel(bed.client, ids[2]), KCF_SUCCESS);
	ck_assert_int_eq(end_of(0), KCF_CANCELED);
	ck_assert_int_eq(end_of(2), KCF_CANCELED);
	ck_assert_uint_eq(collect_n(&ends[1]), 0);
	admin_do(&bed.kcfd, "set", "lanes.gate", "open", NULL);
	check_cipher(1, 1);
	check_cipher(3, 1);
	ck_assert_uint_eq(collect_n(&ends[0]), 1);
	ck_assert_uint_eq(collect_n(&ends[2]), 1);
}
END_TEST

static struct kcf_batch_op together[8];

static void *submit_together(void *arg)
{
	return (void *)(uintptr_t)kcf_submit_batch(bed.client, together, 8, NULL);
}

START_TEST(what_a_batch_has_for_kcfd_is_there_at_once)
{
	struct kcf_key bytes = kcf_key_bytes("\1", 1), handle, k;
	struct kcf_template *t;
	pthread_t thread;
	void *status;

	ck_assert_int_eq(kcf_key_import(bed.client, &bytes, 0, &handle, NULL), KCF_SUCCESS);
	ck_assert_int_eq(kcf_template_create(bed.client, slow.number, &handle, &t), KCF_SUCCESS);
	k = kcf_key_tmpl(t);
	warm(bed.client, &slow, &k, 1);
	memset(together, 0, sizeof(together));
	for (unsigned i = 0; i < 8; i++) {
		fill(i);
		together[i].how = (struct kcf_how){KCF_OP_ENCRYPT, &slow, &k, NULL};
		together[i].in = kcf_flat(in[i], LEN);
		together[i].out = kcf_flat(out[i], i == 5 ? LEN - 1 : LEN);
	}
	admin_do(&bed.kcfd, "set", "lanes.gate", "closed", NULL);
	ck_assert_int_eq(pthread_create(&thread, NULL, submit_together, NULL), 0);
	admin_wait_requests(&bed.kcfd, "running", 8);
	admin_do(&bed.kcfd, "set", "lanes.gate", "open", NULL);
	pthread_join(thread, &status);
	ck_assert_int_eq((enum kcf_status)(uintptr_t)status, KCF_BUFFER_TOO_SMALL);
	for (unsigned i = 0; i < 8; i++) {
		ck_assert_int_eq(together[i].status, i == 5 ? KCF_BUFFER_TOO_SMALL : KCF_SUCCESS);
		ck_assert_uint_eq(together[i].out.used, LEN);
		for (unsigned b = 0; b < LEN && i != 5; b++)
			ck_assert_uint_eq(out[i][b], in[i][b] ^ 1);
	}
}
END_TEST

/* ---- dual ---- */

static struct kcf_key dual_keys[2];

static uint8_t back[N][LEN];

static void send_dual(unsigned i, enum kcf_op op, const char *provider)
{
	struct kcf_dual dual = {&xor, &dual_keys[0], &sum, &dual_keys[1]};
	struct kcf_data plain = kcf_flat(in[i], LEN), cipher = kcf_flat(out[i], LEN);
	struct kcf_data mac = kcf_flat(macs[i], MAC);
	struct kcf_call_req req = queued(i);

	req.preference = KCF_ONLY_PROVIDER;
	req.provider = provider;
	if (op == KCF_OP_ENCRYPT_MAC) {
		fill(i);
		ck_assert_int_eq(kcf_encrypt_mac(bed.client, &dual, &plain, &cipher, &mac, &req),
				 KCF_QUEUED);
		return;
	}
	plain = kcf_flat(back[i], LEN);
	memset(back[i], 'z', LEN);
	ck_assert_int_eq(kcf_mac_decrypt(bed.client, &dual, &cipher, &mac, &plain, &req),
			 KCF_QUEUED);
}

static void make_dual_keys(void)
{
	dual_keys[0] = template_of(bed.client, &xor, 0x5a, 1);
	dual_keys[1] = template_of(bed.client, &sum, 5, 1);
}

static void check_duals(unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		check_cipher(i, 0x5a);
		check_mac(i, out[i], 5);
	}
}

START_TEST(native_duals_are_one_submit_and_say_what_two_jobs_say)
{
	struct counted now;

	make_dual_keys();
	admin_do(&bed.kcfd, "load", "lanes", "instance=plain", "native=no", NULL);
	send_dual(0, KCF_OP_ENCRYPT_MAC, "lanes");
	check_duals(1);
	send_dual(0, KCF_OP_ENCRYPT_MAC, "plain");
	check_duals(1);
	stop();
	for (unsigned i = 0; i < 20; i++)
		send_dual(i, KCF_OP_ENCRYPT_MAC, i % 2 ? "plain" : "lanes");
	go_on();
	check_duals(20);
	now = counted_of("lanes", "KCF_TEST_XOR");
	ck_assert_uint_eq(now.submits, 2);
	ck_assert_uint_eq(now.jobs, 11);
	now = counted_of("plain", "KCF_TEST_XOR");
	ck_assert_uint_eq(now.submits, 11);
	ck_assert_uint_eq(now.jobs, 11);
	/* and back; the tampered twin leaves nothing */
	macs[3][0] ^= 1;
	macs[4][0] ^= 1;
	stop();
	for (unsigned i = 0; i < 20; i++)
		send_dual(i, KCF_OP_MAC_DECRYPT, i % 2 ? "plain" : "lanes");
	go_on();
	for (unsigned i = 0; i < 20; i++) {
		bool bad = i == 3 || i == 4;

		ck_assert_int_eq(end_of(i), bad ? KCF_INVALID_MAC : KCF_SUCCESS);
		for (unsigned k = 0; k < LEN; k++)
			ck_assert_uint_eq(back[i][k], bad ? 'z' : in[i][k]);
	}
	now = counted_of("lanes", "KCF_TEST_XOR");
	ck_assert_uint_eq(now.submits, 3);
	ck_assert_uint_eq(now.jobs, 21);
}
END_TEST

START_TEST(who_does_both_at_once_does_the_mac_too)
{
	struct counted now;

	make_dual_keys();
	admin_do(&bed.kcfd, "unload", "lanes", NULL);
	admin_do(&bed.kcfd, "load", "lanes", "instance=plain", "native=no", NULL);
	admin_do(&bed.kcfd, "load", "lanes", NULL);
	admin_do(&bed.kcfd, "disable", "plain", "KCF_TEST_XOR", NULL);
	stop();
	for (unsigned i = 0; i < 8; i++) {
		struct kcf_dual dual = {&xor, &dual_keys[0], &sum, &dual_keys[1]};
		struct kcf_data plain = kcf_flat(in[i], LEN), cipher = kcf_flat(out[i], LEN);
		struct kcf_data mac = kcf_flat(macs[i], MAC);
		struct kcf_call_req req = queued(i);

		fill(i);
		ck_assert_int_eq(kcf_encrypt_mac(bed.client, &dual, &plain, &cipher, &mac, &req),
				 KCF_QUEUED);
	}
	go_on();
	check_duals(8);
	now = counted_of("lanes", "KCF_TEST_XOR");
	ck_assert_uint_eq(now.jobs, 8);
	ck_assert_uint_eq(now.submits, 1);
	ck_assert_uint_eq(counted_of("plain", "KCF_TEST_SUM").jobs, 0);
}
END_TEST

START_TEST(batch_in_the_callers_thread_has_native_duals)
{
	struct kcf_dual dual = {&xor, &dual_keys[0], &sum, &dual_keys[1]};
	struct kcf_batch_op ops[N];

	make_dual_keys();
	for (unsigned round = 0; round < 2; round++) {
		memset(ops, 0, sizeof(ops));
		for (unsigned i = 0; i < N; i++) {
			fill(i);
			ops[i].how = (struct kcf_how){.op = KCF_OP_ENCRYPT_MAC, .dual = &dual};
			ops[i].in = kcf_flat(in[i], LEN);
			ops[i].out = kcf_flat(out[i], LEN);
			ops[i].mac = kcf_flat(macs[i], MAC);
		}
		ops[7].mac.len = 3;
		ck_assert_int_eq(kcf_submit_batch(bed.client, ops, N, NULL), KCF_BUFFER_TOO_SMALL);
		for (unsigned i = 0; i < N; i++) {
			if (i == 7) {
				ck_assert_int_eq(ops[i].status, KCF_BUFFER_TOO_SMALL);
				ck_assert_uint_eq(ops[i].mac.used, MAC);
				continue;
			}
			ck_assert_int_eq(ops[i].status, KCF_SUCCESS);
			ck_assert_uint_eq(ops[i].out.used, LEN);
			ck_assert_uint_eq(ops[i].mac.used, MAC);
			check_mac(i, out[i], 5);
		}
	}
	for (unsigned i = 0; i < N; i++) {
		ops[i].how.op = KCF_OP_MAC_DECRYPT;
		ops[i].in = kcf_flat(out[i], LEN);
		ops[i].out = kcf_flat(in[i], LEN);
		ops[i].mac = kcf_flat(macs[i], MAC);
		memset(in[i], 'z', LEN);
	}
	macs[9][1] ^= 1;
	ck_assert_int_eq(kcf_submit_batch(bed.client, ops, N, NULL), KCF_INVALID_MAC);
	for (unsigned i = 0; i < N; i++) {
		uint8_t expected[LEN];

		for (unsigned k = 0; k < LEN; k++)
			expected[k] = (uint8_t)(i == 9 ? 0 : i * 7 + k);
		ck_assert_int_eq(ops[i].status, i == 7 || i == 9 ? KCF_INVALID_MAC : KCF_SUCCESS);
		if (i != 7)
			ck_assert_mem_eq(in[i], expected, LEN);
	}
	ck_assert_uint_eq(admin_stat(&bed.kcfd, "ops", "caller", "KCF_TEST_XOR", "lanes"), 3 * N);
	ck_assert_uint_eq(admin_stat(&bed.kcfd, "errors", "caller", "KCF_TEST_XOR", "lanes"), 4);
	ck_assert_uint_eq(admin_stat(&bed.kcfd, "ops", "caller", "KCF_TEST_SUM", "lanes"), 0);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("bursts");
	TCase *tc = tcase_create("bursts"), *dual = tcase_create("dual");

	tcase_set_timeout(tc, 60);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, kinds_of_a_mixed_burst_go_side_by_side);
	tcase_add_test(tc, clients_fill_lanes_together);
	tcase_add_test(tc, one_that_fails_is_alone_in_that);
	tcase_add_test(tc, long_ones_fill_lanes_on_a_worker);
	tcase_add_test(tc, one_of_a_work_can_be_cancelled);
	tcase_add_test(tc, what_a_batch_has_for_kcfd_is_there_at_once);
	suite_add_tcase(s, tc);
	tcase_set_timeout(dual, 60);
	tcase_add_checked_fixture(dual, setup, teardown);
	tcase_add_test(dual, native_duals_are_one_submit_and_say_what_two_jobs_say);
	tcase_add_test(dual, who_does_both_at_once_does_the_mac_too);
	tcase_add_test(dual, batch_in_the_callers_thread_has_native_duals);
	suite_add_tcase(s, dual);
	return test_main(s);
}
