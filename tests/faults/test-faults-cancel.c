/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Faults that schedulers of this kind have had around cancelling: slots that leak, requests unlinked twice, chains that stop,
 * handles that name nothing or somebody else's request.
 */
#include <string.h>
#include "bed.h"
#include "test-main.h"

#define ROUNDS 20
#define FILL 4
#define STORM 64

static struct bed bed;
static uint8_t data[64] = "work", buf[STORM][64];
static struct kcf_data in;
static const struct kcf_mechanism sha = {KCF_M_SHA256, 0, NULL};

/* One worker, that holds two jobs of KCF_TEST_HELD_A; one device with one slot and room for FILL behind it. */
static void setup(void)
{
	bed_open(&bed, "[limits]\nhardware_queue = 4\nworkers_max = 1\nlease = 16\n");
	admin_do(&bed.kcfd, "load", "held-a", NULL);
	admin_do(&bed.kcfd, "load", "fault", "instance=fault0", "slots=1", NULL);
	in = kcf_flat(data, sizeof(data));
}

static void teardown(void)
{
	bed_close(&bed);
}

static void gates(const char *word)
{
	admin_do(&bed.kcfd, "set", "held-a.gate", word, NULL);
	admin_do(&bed.kcfd, "set", "fault0.gate", word, NULL);
}

static kcf_req_id queue_one(const struct kcf_mechanism *m, uint32_t flags)
{
	struct kcf_call_req req = collect_req(&bed.done, KCF_ALWAYS_QUEUE | flags);
	struct kcf_data out = kcf_flat(buf[0], sizeof(buf[0]));

	ck_assert_int_eq(kcf_digest(bed.client, m, &in, &out, &req), KCF_QUEUED);
	return req.id;
}

static void fill_and_cancel(const struct kcf_mechanism *m)
{
	kcf_req_id ids[FILL];

	collect_reset(&bed.done);
	for (unsigned i = 0; i < FILL; i++)
		ids[i] = queue_one(m, 0);
	admin_wait_requests(&bed.kcfd, "waiting", FILL);
	for (unsigned i = 0; i < FILL; i++)
		ck_assert_int_eq(kcf_cancel(bed.client, ids[i]), KCF_SUCCESS);
	collect_wait(&bed.done, FILL);
	ck_assert_uint_eq(bed.done.n_status[KCF_CANCELED], FILL);
}

/* Class of fault 1: unlinking a cancelled job did not count the queue down. */
START_TEST(cancelling_gives_every_queue_slot_back)
{
	static const char *const names[] = {"KCF_TEST_HELD_A", "KCF_FAULT_ONLY"};
	struct kcf_mechanism m = bed_mech(&bed, names[_i]);
	unsigned running = _i ? 1 : 2;

	gates("closed");
	for (unsigned i = 0; i < running; i++)
		queue_one(&m, 0);
	admin_wait_requests(&bed.kcfd, "running", running);
	for (unsigned round = 0; round < ROUNDS; round++)
		fill_and_cancel(&m);
	ck_assert_uint_eq(bed_stat(&bed, "software_depth"), 0);
	ck_assert_uint_eq(bed_stat(&bed, "software_units"), 0);
	ck_assert_uint_eq(bed_provider(&bed, "fault0", "depth"), 0);
	collect_reset(&bed.done);
	for (unsigned i = 0; i < FILL; i++)
		queue_one(&m, 0);
	gates("open");
	collect_wait(&bed.done, running + FILL);
	ck_assert_uint_eq(bed.done.n_status[KCF_SUCCESS], running + FILL);
}
END_TEST

static kcf_req_id storm_ids[STORM];

static void *cancel_main(void *arg)
{
	for (unsigned i = 0; i < STORM; i++) {
		kcf_req_id id;

		while (!(id = __atomic_load_n(&storm_ids[i], __ATOMIC_ACQUIRE)))
			;
		kcf_cancel(bed.client, id);
	}
	return NULL;
}

/* Class of fault 2: a job already taken from the queue was taken out once more by a cancel. */
START_TEST(cancelling_what_is_being_taken_ends_it_once)
{
	for (unsigned round = 0; round < ROUNDS; round++) {
		pthread_t thread;
		unsigned ended;

		collect_reset(&bed.done);
		memset(storm_ids, 0, sizeof(storm_ids));
		pthread_create(&thread, NULL, cancel_main, NULL);
		for (unsigned i = 0; i < STORM;) {
			struct kcf_call_req req = collect_req(&bed.done, KCF_ALWAYS_QUEUE);
			struct kcf_data out = kcf_flat(buf[i], sizeof(buf[i]));
			enum kcf_status st = kcf_digest(bed.client, &sha, &in, &out, &req);

			if (st == KCF_BUSY)
				continue;
			ck_assert_int_eq(st, KCF_QUEUED);
			__atomic_store_n(&storm_ids[i++], req.id, __ATOMIC_RELEASE);
		}
		pthread_join(thread, NULL);
		collect_wait(&bed.done, STORM);
		ended = bed.done.n_status[KCF_SUCCESS] + bed.done.n_status[KCF_CANCELED];
		ck_assert_uint_eq(ended, STORM);
	}
	bed_wait_stat(&bed, "software_units", 0);
	ck_assert_uint_eq(bed.done.n_final, STORM);
	harness_raw_check_service(&bed.kcfd);
}
END_TEST

#define CHAIN 4

/* A context on the device, behind its closed gate: three updates and a final. */
static struct kcf_context *chain(kcf_req_id *ids, uint32_t flags)
{
	static uint8_t result[32];
	struct kcf_data out = kcf_flat(result, sizeof(result));
	struct kcf_mechanism m = bed_mech(&bed, "KCF_FAULT_ONLY");
	struct kcf_how how = {KCF_OP_DIGEST, &m, NULL, NULL};
	struct kcf_call_req req = collect_req(&bed.done, KCF_ALWAYS_QUEUE | flags);
	struct kcf_context *ctx;

	ck_assert_int_eq(kcf_init(bed.client, &how, &ctx, &req), KCF_QUEUED);
	collect_wait(&bed.done, 1);
	ck_assert_int_eq(bed.done.status, KCF_SUCCESS);
	collect_reset(&bed.done);
	gates("closed");
	for (unsigned i = 0; i < CHAIN - 1; i++) {
		ck_assert_int_eq(kcf_update(ctx, &in, NULL, &req), KCF_QUEUED);
		ids[i] = req.id;
	}
	ck_assert_int_eq(kcf_final(ctx, NULL, &out, &req), KCF_QUEUED);
	ids[CHAIN - 1] = req.id;
	admin_wait_requests(&bed.kcfd, "running", 1);
	admin_wait_requests(&bed.kcfd, "waiting", CHAIN - 1);
	return ctx;
}

/* Class of fault 3: the turn of a cancelled request was not passed on, the next slept for ever. */
START_TEST(cancelling_one_of_a_context_lets_the_others_end)
{
	kcf_req_id ids[CHAIN];
	struct kcf_context *ctx = chain(ids, 0);

	ck_assert_int_eq(kcf_cancel(bed.client, ids[_i]), KCF_SUCCESS);
	collect_wait(&bed.done, 1);
	gates("open");
	collect_wait(&bed.done, CHAIN);
	/* the context is over: what stood before may be done, what stood behind cannot */
	ck_assert_uint_ge(bed.done.n_status[KCF_CANCELED], 1);
	ck_assert_uint_le(bed.done.n_status[KCF_SUCCESS], (unsigned)_i);
	ck_assert_uint_eq(bed.done.n_status[KCF_CANCELED] + bed.done.n_status[KCF_SUCCESS] +
				  bed.done.n_status[KCF_INVALID_CONTEXT],
			  CHAIN);
	kcf_context_free(ctx);
	admin_do(&bed.kcfd, "unload", "fault0", NULL);
	ck_assert_uint_eq(collect_n(&bed.done), CHAIN);
}
END_TEST

/* Class of fault 5: ending a context whose requests had no handles took an id out of nowhere. */
START_TEST(freeing_a_context_without_handles_ends_its_own_requests_only)
{
	struct kcf_mechanism m = bed_mech(&bed, "KCF_FAULT_ONLY");
	kcf_req_id ids[CHAIN], stranger;
	struct kcf_context *ctx = chain(ids, KCF_SKIP_REQID);

	for (unsigned i = 0; i < CHAIN; i++)
		ck_assert_uint_eq(ids[i], 0);
	stranger = queue_one(&m, 0);
	kcf_context_free(ctx);
	collect_wait(&bed.done, CHAIN - 1);
	ck_assert_uint_ge(bed.done.n_status[KCF_CANCELED], CHAIN - 1);
	gates("open");
	collect_wait(&bed.done, CHAIN + 1);
	ck_assert_uint_ge(bed.done.n_status[KCF_SUCCESS], 1);
	ck_assert_uint_eq(bed.done.order[CHAIN], stranger);
	ck_assert_int_eq(bed.done.status, KCF_SUCCESS);
}
END_TEST

static struct kcf_key cipher_key, mac_key;
static uint8_t iv[16], tag[32];
static const struct kcf_param_iv iv_param = {iv, sizeof(iv)};
static const struct kcf_mechanism cbc = {KCF_M_AES_CBC, sizeof(iv_param), &iv_param};
static const struct kcf_mechanism hmac = {KCF_M_SHA256_HMAC, 0, NULL};
static const struct kcf_dual dual = {&cbc, &cipher_key, &hmac, &mac_key};

static enum kcf_status call_dual(bool decrypt, const struct kcf_data *d, struct kcf_data *out,
				 struct kcf_data *mac, struct kcf_call_req *req)
{
	return decrypt ? kcf_mac_decrypt(bed.client, &dual, d, mac, out, req)
		       : kcf_encrypt_mac(bed.client, &dual, d, out, mac, req);
}

/* Let the device finish the first half; the second is then on it. */
static void finish_first_half(const char *second)
{
	admin_do(&bed.kcfd, "set", "fault0.release", "1", NULL);
	for (;;) {
		json_t *rows = bed_trace(&bed, 1);
		bool is = !strcmp(bed_text(json_array_get(rows, 0), "operation"), second);

		json_decref(rows);
		if (is)
			break;
	}
	admin_wait_requests(&bed.kcfd, "running", 1);
}

/* Class of fault 6: an operation done in two steps had no handle, so that nobody could cancel it. */
START_TEST(a_dual_operation_in_two_steps_is_cancelled_by_its_handle)
{
	bool decrypt = _i & 1, in_second = _i & 2;
	struct kcf_call_req req = collect_req(&bed.done, 0);
	uint8_t cipher[64], result[64];
	struct kcf_data c = kcf_flat(cipher, 64), t = kcf_flat(tag, 32), r = kcf_flat(result, 64);

	cipher_key = kcf_key_bytes("0123456789abcdef", 16);
	mac_key = kcf_key_bytes("another key here", 16);
	ck_assert_int_eq(kcf_encrypt_mac(bed.client, &dual, &in, &c, &t, NULL), KCF_SUCCESS);
	memset(result, 0x55, sizeof(result));
	gates("closed");
	req.preference = KCF_PREFER_HARDWARE;
	ck_assert_int_eq(call_dual(decrypt, decrypt ? &c : &in, &r, &t, &req), KCF_QUEUED);
	ck_assert_uint_ne(req.id, 0);
	admin_wait_requests(&bed.kcfd, "running", 1);
	if (in_second)
		finish_first_half(decrypt ? "decrypt" : "mac");
	ck_assert_int_eq(kcf_cancel(bed.client, req.id), KCF_SUCCESS);
	collect_wait(&bed.done, 1);
	ck_assert_int_eq(bed.done.status, KCF_CANCELED);
	ck_assert_uint_eq(bed.done.id, req.id);
	for (unsigned i = 0; i < sizeof(result); i++)
		ck_assert_uint_eq(result[i], 0x55);
	gates("open");
	req.flags = KCF_SKIP_REQID;
	ck_assert_int_eq(call_dual(decrypt, decrypt ? &c : &in, &r, &t, &req), KCF_QUEUED);
	ck_assert_uint_eq(req.id, 0);
	collect_wait(&bed.done, 2);
	ck_assert_int_eq(bed.done.status, KCF_SUCCESS);
	ck_assert_mem_eq(result, decrypt ? data : cipher, 64);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("faults-cancel");
	TCase *t = tcase_create("faults-cancel");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_set_timeout(t, 120);
	tcase_add_loop_test(t, cancelling_gives_every_queue_slot_back, 0, 2);
	tcase_add_test(t, cancelling_what_is_being_taken_ends_it_once);
	tcase_add_loop_test(t, cancelling_one_of_a_context_lets_the_others_end, 0, CHAIN);
	tcase_add_test(t, freeing_a_context_without_handles_ends_its_own_requests_only);
	tcase_add_loop_test(t, a_dual_operation_in_two_steps_is_cancelled_by_its_handle, 0, 4);
	suite_add_tcase(s, t);
	return test_main(s);
}
