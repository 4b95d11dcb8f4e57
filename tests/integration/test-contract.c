/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The contract between consumer, framework and provider in one piece: every way to call, every family, four providers at
 * once, and what a call may and may not keep.
 */
#include <string.h>
#include "bed.h"
#include "test-main.h"

#define LEN 64
#define MANY 250 /* of each kind and thread */
#define THREADS 4

static struct bed bed;
static uint8_t data[LEN] = "contract", iv[16] = {3};
static struct kcf_data in;
static struct kcf_key key, key2, ed;
static const struct kcf_param_iv iv_param = {iv, sizeof(iv)};
static const struct kcf_param_aead gcm_param = {.iv = iv, .iv_len = 12};
static const struct kcf_mechanism sha = {KCF_M_SHA256, 0, NULL};
static const struct kcf_mechanism hmac = {KCF_M_SHA256_HMAC, 0, NULL};
static const struct kcf_mechanism cbc = {KCF_M_AES_CBC, sizeof(iv_param), &iv_param};
static const struct kcf_mechanism gcm = {KCF_M_AES_GCM, sizeof(gcm_param), &gcm_param};
static const struct kcf_mechanism eddsa = {KCF_M_EDDSA, 0, NULL};

static void setup(void)
{
	static const struct kcf_param_keygen curve = {0, KCF_CURVE_ED25519};
	struct kcf_mechanism gen = {KCF_M_EC_EDWARDS_KEY_PAIR_GEN, sizeof(curve), &curve};

	bed_open(&bed, NULL);
	in = kcf_flat(data, LEN);
	key = kcf_key_bytes("0123456789abcdef", 16);
	key2 = kcf_key_bytes("another key here", 16);
	ck_assert_int_eq(kcf_key_generate(bed.client, &gen, 0, &ed, NULL), KCF_SUCCESS);
}

static void teardown(void)
{
	bed_close(&bed);
}

/* ---- every way to call ---- */

START_TEST(one_digest_in_every_way_to_call)
{
	struct kcf_call_req req = collect_req(&bed.done, 0);
	uint64_t here = admin_stat(&bed.kcfd, "ops", "caller", "CKM_SHA256", NULL);
	uint64_t there = admin_stat(&bed.kcfd, "ops", "kcfd", "CKM_SHA256", NULL);
	uint8_t want[32], got[32];
	struct kcf_data w = kcf_flat(want, 32), g = kcf_flat(got, 32);

	/* synchronous, and asynchronous without the wish to queue: inside the call, in this thread */
	ck_assert_int_eq(kcf_digest(bed.client, &sha, &in, &w, NULL), KCF_SUCCESS);
	ck_assert_int_eq(kcf_digest(bed.client, &sha, &in, &g, &req), KCF_SUCCESS);
	ck_assert_mem_eq(got, want, 32);
	req.flags = KCF_NEVER_QUEUE;
	ck_assert_int_eq(kcf_digest(bed.client, &sha, &in, &g, &req), KCF_SUCCESS);
	ck_assert_uint_eq(req.id, 0);
	ck_assert_uint_eq(admin_stat(&bed.kcfd, "ops", "caller", "CKM_SHA256", NULL), here + 3);
	ck_assert_uint_eq(admin_stat(&bed.kcfd, "ops", "kcfd", "CKM_SHA256", NULL), there);
	ck_assert_uint_eq(collect_n(&bed.done), 0);
	/* queued: a handle now, the result later on another thread */
	memset(got, 0, 32);
	req.flags = KCF_ALWAYS_QUEUE;
	ck_assert_int_eq(kcf_digest(bed.client, &sha, &in, &g, &req), KCF_QUEUED);
	ck_assert_uint_ne(req.id, 0);
	collect_wait(&bed.done, 1);
	ck_assert_int_eq(bed.done.status, KCF_SUCCESS);
	ck_assert_uint_eq(bed.done.id, req.id);
	ck_assert_uint_eq(bed.done.queue_hops, 1);
	ck_assert(!pthread_equal(bed.done.thread, pthread_self()));
	ck_assert_mem_eq(got, want, 32);
	ck_assert_uint_eq(admin_stat(&bed.kcfd, "ops", "kcfd", "CKM_SHA256", NULL), there + 1);
	ck_assert_uint_eq(admin_stat(&bed.kcfd, "ops", "caller", "CKM_SHA256", NULL), here + 3);
}
END_TEST

START_TEST(the_request_steers_where_its_work_is_done)
{
	static const struct {
		uint32_t flags;
		enum kcf_preference preference;
		const char *provider, *by;
	} rows[] = {
		{KCF_ALWAYS_QUEUE, KCF_ONLY_SOFTWARE, NULL, "openssl"},
		{0, KCF_ONLY_HARDWARE, NULL, "fault"},
		{KCF_ALWAYS_QUEUE, KCF_ONLY_PROVIDER, "nettle", "nettle"},
		{KCF_ALWAYS_QUEUE, KCF_PREFER_HARDWARE, NULL, "fault"},
		{KCF_ALWAYS_QUEUE, KCF_PREFER_SOFTWARE, NULL, "openssl"},
	};
	uint8_t want[32], got[32];
	struct kcf_data w = kcf_flat(want, 32), g = kcf_flat(got, 32);

	admin_do(&bed.kcfd, "load", "nettle", NULL);
	admin_do(&bed.kcfd, "load", "fault", NULL);
	ck_assert_int_eq(kcf_digest(bed.client, &sha, &in, &w, NULL), KCF_SUCCESS);
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct kcf_call_req req = collect_req(&bed.done, rows[i].flags);
		uint64_t before = admin_stat(&bed.kcfd, "ops", NULL, "CKM_SHA256", rows[i].by);

		req.preference = rows[i].preference;
		req.provider = rows[i].provider;
		memset(got, 0, 32);
		ck_assert_int_eq(kcf_digest(bed.client, &sha, &in, &g, &req), KCF_QUEUED);
		collect_wait(&bed.done, i + 1);
		ck_assert_str_eq(bed.done.provider, rows[i].by);
		ck_assert_mem_eq(got, want, 32);
		ck_assert_uint_eq(admin_stat(&bed.kcfd, "ops", NULL, "CKM_SHA256", rows[i].by),
				  before + 1);
	}
}
END_TEST

struct waiting {
	bool returned;
	enum kcf_status status;
};

static void *wait_main(void *arg)
{
	struct kcf_mechanism m = bed_mech(&bed, "KCF_FAULT_ONLY");
	struct waiting *w = arg;
	uint8_t got[32];
	struct kcf_data g = kcf_flat(got, 32);

	w->status = kcf_digest(bed.client, &m, &in, &g, NULL);
	__atomic_store_n(&w->returned, true, __ATOMIC_RELEASE);
	return NULL;
}

START_TEST(without_a_structure_a_call_waits_with_one_it_returns)
{
	struct kcf_call_req req = collect_req(&bed.done, 0);
	struct waiting w = {false, KCF_FAILED};
	struct kcf_mechanism m;
	uint8_t got[32];
	struct kcf_data g = kcf_flat(got, 32);
	pthread_t thread;

	admin_do(&bed.kcfd, "load", "fault", "gate=closed", NULL);
	m = bed_mech(&bed, "KCF_FAULT_ONLY");
	ck_assert_int_eq(kcf_digest(bed.client, &m, &in, &g, &req), KCF_QUEUED);
	pthread_create(&thread, NULL, wait_main, &w);
	admin_wait_requests(&bed.kcfd, "running", 2);
	ck_assert(!__atomic_load_n(&w.returned, __ATOMIC_ACQUIRE));
	ck_assert_uint_eq(collect_n(&bed.done), 0);
	admin_do(&bed.kcfd, "set", "fault.gate", "open", NULL);
	pthread_join(thread, NULL);
	ck_assert_int_eq(w.status, KCF_SUCCESS);
	collect_wait(&bed.done, 1);
	ck_assert_int_eq(bed.done.status, KCF_SUCCESS);
}
END_TEST

START_TEST(what_a_call_was_given_may_be_overwritten_when_it_returns)
{
	struct kcf_call_req req = collect_req(&bed.done, KCF_ALWAYS_QUEUE);
	uint8_t own_iv[16], own_key[16], want[LEN], got[LEN];
	char provider[8] = "fault";
	struct kcf_param_iv param = {own_iv, sizeof(own_iv)};
	struct kcf_mechanism m = {KCF_M_AES_CBC, sizeof(param), &param};
	struct kcf_key k = kcf_key_bytes(own_key, 16);
	struct iovec in_v[2] = {{data, 10}, {data + 10, LEN - 10}}, out_v[2] = {{got, 30}, {got + 30, LEN - 30}};
	struct kcf_data i = kcf_iov(in_v, 2), o = kcf_iov(out_v, 2), w = kcf_flat(want, LEN);

	admin_do(&bed.kcfd, "load", "fault", "gate=closed", NULL);
	memcpy(own_iv, iv, 16);
	memcpy(own_key, key.bytes, 16);
	ck_assert_int_eq(kcf_encrypt(bed.client, &m, &k, &i, &w, NULL), KCF_SUCCESS);
	req.preference = KCF_ONLY_PROVIDER;
	req.provider = provider;
	ck_assert_int_eq(kcf_encrypt(bed.client, &m, &k, &i, &o, &req), KCF_QUEUED);
	memset(&req, 0xee, sizeof(req));
	memset(own_iv, 0xee, sizeof(own_iv));
	memset(own_key, 0xee, sizeof(own_key));
	memset(provider, 0xee, sizeof(provider));
	memset(&param, 0xee, sizeof(param));
	memset(&m, 0xee, sizeof(m));
	memset(&k, 0xee, sizeof(k));
	memset(in_v, 0xee, sizeof(in_v));
	memset(out_v, 0xee, sizeof(out_v));
	memset(&i, 0xee, sizeof(i));
	memset(&o, 0xee, sizeof(o));
	admin_do(&bed.kcfd, "set", "fault.gate", "open", NULL);
	collect_wait(&bed.done, 1);
	ck_assert_int_eq(bed.done.status, KCF_SUCCESS);
	ck_assert_mem_eq(got, want, LEN);
}
END_TEST

START_TEST(a_handle_of_another_client_cancels_nothing)
{
	struct kcf_call_req req = collect_req(&bed.done, 0);
	struct kcf_client *other;
	struct kcf_mechanism m;
	uint8_t got[32];
	struct kcf_data g = kcf_flat(got, 32);

	admin_do(&bed.kcfd, "load", "fault", "gate=closed", NULL);
	m = bed_mech(&bed, "KCF_FAULT_ONLY");
	ck_assert_int_eq(kcf_client_open(&bed.options, &other), KCF_SUCCESS);
	ck_assert_int_eq(kcf_digest(bed.client, &m, &in, &g, &req), KCF_QUEUED);
	admin_wait_requests(&bed.kcfd, "running", 1);
	ck_assert_int_eq(kcf_cancel(other, req.id), KCF_NOT_FOUND);
	ck_assert_int_eq(kcf_client_close(other), KCF_SUCCESS);
	admin_do(&bed.kcfd, "set", "fault.gate", "open", NULL);
	collect_wait(&bed.done, 1);
	ck_assert_int_eq(bed.done.status, KCF_SUCCESS);
}
END_TEST

/* ---- every family ---- */

enum family { DIGEST, MAC, MAC_VERIFY, SIGN, VERIFY, ENCRYPT, DECRYPT, AEAD, AEAD_OPEN, DUAL, DUAL_OPEN, N_FAMILIES };

struct results {
	uint8_t bytes[N_FAMILIES][LEN + 32];
};

/* Each on what the one before made. */
static enum kcf_status call(enum family f, struct results *r, struct kcf_call_req *req)
{
	const struct kcf_dual dual = {&cbc, &key, &hmac, &key2};
	struct kcf_data o = kcf_flat(r->bytes[f], LEN), mac = kcf_flat(r->bytes[DUAL] + LEN, 32);
	struct kcf_data p = kcf_flat(r->bytes[f ? f - 1 : 0], LEN);
	struct kcf_client *c = bed.client;

	switch (f) {
	case DIGEST:
		return kcf_digest(c, &sha, &in, &o, req);
	case MAC:
		return kcf_mac(c, &hmac, &key, &in, &o, req);
	case MAC_VERIFY:
		p.len = 32;
		return kcf_mac_verify(c, &hmac, &key, &in, &p, req);
	case SIGN:
		return kcf_sign(c, &eddsa, &ed, &in, &o, req);
	case VERIFY:
		return kcf_verify(c, &eddsa, &ed, &in, &p, req);
	case ENCRYPT:
		return kcf_encrypt(c, &cbc, &key, &in, &o, req);
	case DECRYPT:
		return kcf_decrypt(c, &cbc, &key, &p, &o, req);
	case AEAD:
		o.len = LEN + 16;
		return kcf_encrypt(c, &gcm, &key, &in, &o, req);
	case AEAD_OPEN:
		p.len = LEN + 16;
		return kcf_decrypt(c, &gcm, &key, &p, &o, req);
	case DUAL:
		return kcf_encrypt_mac(c, &dual, &in, &o, &mac, req);
	default:
		return kcf_mac_decrypt(c, &dual, &p, &mac, &o, req);
	}
}

START_TEST(every_family_gives_the_same_in_both_ways)
{
	struct results here = {0}, queued = {0};

	for (enum family f = 0; f < N_FAMILIES; f++) {
		struct kcf_call_req req = collect_req(&bed.done, KCF_ALWAYS_QUEUE);

		ck_assert_int_eq(call(f, &here, NULL), KCF_SUCCESS);
		ck_assert_int_eq(call(f, &queued, &req), KCF_QUEUED);
		collect_wait(&bed.done, f + 1u);
		ck_assert_int_eq(bed.done.status, KCF_SUCCESS);
		ck_assert_mem_eq(queued.bytes[f], here.bytes[f], LEN + 32);
	}
	ck_assert_mem_eq(here.bytes[DECRYPT], data, LEN);
	ck_assert_mem_eq(here.bytes[AEAD_OPEN], data, LEN);
	ck_assert_mem_eq(here.bytes[DUAL_OPEN], data, LEN);
	/* the twins: one bit, and each is refused in both ways */
	for (unsigned i = 0; i < 4; i++) {
		static const enum family f[] = {MAC_VERIFY, VERIFY, AEAD_OPEN, DUAL_OPEN};
		struct kcf_call_req req = collect_req(&bed.done, KCF_ALWAYS_QUEUE);

		collect_reset(&bed.done);
		here.bytes[f[i] - 1][5] ^= 4;
		ck_assert_int_ne(call(f[i], &here, NULL), KCF_SUCCESS);
		ck_assert_int_ne(bed_end(&bed, call(f[i], &here, &req), 1), KCF_SUCCESS);
	}
}
END_TEST

START_TEST(a_dual_operation_by_steps_gives_what_one_step_gives)
{
	struct kcf_call_req req = collect_req(&bed.done, 0);
	struct results here = {0}, device = {0};

	admin_do(&bed.kcfd, "load", "fault", NULL);
	req.preference = KCF_ONLY_HARDWARE;
	for (enum family f = DUAL; f <= DUAL_OPEN; f++) {
		json_t *rows;

		ck_assert_int_eq(call(f, &here, NULL), KCF_SUCCESS);
		collect_reset(&bed.done);
		ck_assert_int_eq(bed_end(&bed, call(f, &device, &req), 1), KCF_SUCCESS);
		ck_assert_mem_eq(device.bytes[f], here.bytes[f], LEN + 32);
		/* two decisions, one request, one callback */
		rows = bed_trace(&bed, 2);
		ck_assert_str_eq(bed_text(json_array_get(rows, 0), "operation"),
				 f == DUAL ? "encrypt" : "mac-verify");
		ck_assert_str_eq(bed_text(json_array_get(rows, 1), "operation"),
				 f == DUAL ? "mac" : "decrypt");
		for (unsigned i = 0; i < 2; i++)
			ck_assert_uint_eq((kcf_req_id)json_integer_value(json_object_get(
						  json_array_get(rows, i), "request")),
					  req.id);
		ck_assert_uint_eq(collect_n(&bed.done), 1);
		json_decref(rows);
	}
}
END_TEST

/* ---- many at once ---- */

static unsigned n_bad;

/* Synchronous and queued calls in turn, every result looked at. */
static void *mixed_main(void *arg)
{
	struct collect done;
	uint8_t want[32], here[32], queued[32];
	struct kcf_data w = kcf_flat(want, 32), h = kcf_flat(here, 32), q = kcf_flat(queued, 32);
	uint32_t text[16] = {(uint32_t)(uintptr_t)arg};
	struct kcf_data d = kcf_flat(text, sizeof(text));

	collect_init(&done);
	for (unsigned i = 1; i <= MANY; i++) {
		struct kcf_call_req req = collect_req(&done, KCF_ALWAYS_QUEUE);
		enum kcf_status st;

		text[1] = i;
		st = kcf_mac(bed.client, &hmac, &key, &d, &q, &req);
		if (st == KCF_QUEUED) {
			if (kcf_mac(bed.client, &hmac, &key, &d, &h, NULL) != KCF_SUCCESS)
				__atomic_fetch_add(&n_bad, 1, __ATOMIC_RELAXED);
			collect_wait(&done, i);
			st = done.status;
		}
		if (st != KCF_SUCCESS || memcmp(here, queued, 32) ||
		    kcf_mac(bed.client, &hmac, &key, &d, &w, NULL) != KCF_SUCCESS ||
		    memcmp(want, here, 32))
			__atomic_fetch_add(&n_bad, 1, __ATOMIC_RELAXED);
	}
	collect_deinit(&done);
	return NULL;
}

START_TEST(a_thousand_of_each_kind_from_several_threads)
{
	pthread_t threads[THREADS];
	uint64_t here = admin_stat(&bed.kcfd, "ops", "caller", "CKM_SHA256_HMAC", NULL);

	for (uintptr_t i = 0; i < THREADS; i++)
		pthread_create(&threads[i], NULL, mixed_main, (void *)i);
	for (unsigned i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	ck_assert_uint_eq(n_bad, 0);
	ck_assert_uint_eq(admin_stat(&bed.kcfd, "ops", "kcfd", "CKM_SHA256_HMAC", NULL),
			  THREADS * MANY);
	ck_assert_uint_eq(admin_stat(&bed.kcfd, "ops", "caller", "CKM_SHA256_HMAC", NULL) - here,
			  2 * THREADS * MANY);
}
END_TEST

static const char *const four[] = {"openssl", "nettle", "fault0", "fault1"};

/* One provider: three families, queued together. */
static void *provider_main(void *arg)
{
	const char *provider = arg;
	struct results want = {0}, got = {0};
	struct collect done;
	static const enum family families[] = {DIGEST, MAC, ENCRYPT};

	collect_init(&done);
	for (unsigned round = 1; round <= 50; round++) {
		for (unsigned i = 0; i < 3; i++) {
			struct kcf_call_req req = collect_req(&done, KCF_ALWAYS_QUEUE);

			req.preference = KCF_ONLY_PROVIDER;
			req.provider = provider;
			if (call(families[i], &want, NULL) != KCF_SUCCESS ||
			    call(families[i], &got, &req) != KCF_QUEUED)
				__atomic_fetch_add(&n_bad, 1, __ATOMIC_RELAXED);
		}
		collect_wait(&done, 3 * round);
		if (done.n_status[KCF_SUCCESS] != 3 * round || strcmp(done.provider, provider) ||
		    memcmp(&got, &want, sizeof(got)))
			__atomic_fetch_add(&n_bad, 1, __ATOMIC_RELAXED);
		memset(&got, 0, sizeof(got));
	}
	collect_deinit(&done);
	return NULL;
}

START_TEST(four_providers_serve_three_families_at_once)
{
	pthread_t threads[4];

	admin_do(&bed.kcfd, "load", "nettle", NULL);
	admin_do(&bed.kcfd, "load", "fault", "instance=fault0", "slots=2", NULL);
	admin_do(&bed.kcfd, "load", "fault", "instance=fault1", "slots=2", NULL);
	for (unsigned i = 0; i < 4; i++)
		pthread_create(&threads[i], NULL, provider_main, (void *)four[i]);
	for (unsigned i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	ck_assert_uint_eq(n_bad, 0);
	for (unsigned i = 0; i < 4; i++) {
		const char *place = i < 2 ? "kcfd" : "hardware";

		ck_assert_uint_eq(admin_stat(&bed.kcfd, "ops", place, "CKM_SHA256", four[i]), 50);
		ck_assert_uint_eq(admin_stat(&bed.kcfd, "ops", place, "CKM_SHA256_HMAC", four[i]), 50);
		ck_assert_uint_eq(admin_stat(&bed.kcfd, "ops", place, "CKM_AES_CBC", four[i]), 50);
	}
}
END_TEST

START_TEST(completions_name_the_provider_that_did_the_work)
{
	kcf_req_id ids[4];
	uint8_t got[4][32];
	struct collect each[4];

	admin_do(&bed.kcfd, "load", "nettle", NULL);
	admin_do(&bed.kcfd, "load", "fault", "instance=fault0", "latency-us=3000", NULL);
	admin_do(&bed.kcfd, "load", "fault", "instance=fault1", "latency-us=1000", NULL);
	for (unsigned i = 0; i < 4; i++) {
		struct kcf_call_req req = collect_req(&each[i], KCF_ALWAYS_QUEUE);
		struct kcf_data o = kcf_flat(got[i], 32);

		collect_init(&each[i]);
		req.preference = KCF_ONLY_PROVIDER;
		req.provider = four[i];
		ck_assert_int_eq(kcf_digest(bed.client, &sha, &in, &o, &req), KCF_QUEUED);
		ids[i] = req.id;
	}
	for (unsigned i = 0; i < 4; i++) {
		json_t *rows = NULL;

		collect_wait(&each[i], 1);
		ck_assert_int_eq(each[i].status, KCF_SUCCESS);
		ck_assert_uint_eq(each[i].id, ids[i]);
		ck_assert_str_eq(each[i].provider, four[i]);
		rows = bed_trace(&bed, 4);
		ck_assert_str_eq(bed_text(json_array_get(rows, i), "chosen"), four[i]);
		json_decref(rows);
	}
}
END_TEST

START_TEST(a_context_stays_with_its_provider_to_the_end)
{
	struct kcf_how how = {KCF_OP_MAC, &hmac, &key, NULL};
	struct kcf_call_req req = collect_req(&bed.done, 0);
	struct kcf_context *ctx;
	uint8_t mac[32];
	struct kcf_data o = kcf_flat(mac, 32);
	uint64_t n;

	admin_do(&bed.kcfd, "load", "fault", "instance=fault0", NULL);
	admin_do(&bed.kcfd, "load", "fault", "instance=fault1", NULL);
	req.preference = KCF_ONLY_PROVIDER;
	req.provider = "fault0";
	ck_assert_int_eq(bed_end(&bed, kcf_init(bed.client, &how, &ctx, &req), 1), KCF_SUCCESS);
	for (unsigned i = 0; i < 5; i++)
		ck_assert_int_eq(kcf_update(ctx, &in, NULL, NULL), KCF_SUCCESS);
	ck_assert_uint_eq(admin_stat(&bed.kcfd, "ops", NULL, "CKM_SHA256_HMAC", "fault0"), 6);
	admin_do(&bed.kcfd, "set", "fault0.die", "1", NULL);
	collect_wait_event(&bed.done, KCF_EVENT_PROVIDER_FAILED);
	/* the others are idle, but it began elsewhere */
	ck_assert_int_eq(kcf_update(ctx, &in, NULL, NULL), KCF_DEVICE_REMOVED);
	ck_assert_int_ne(kcf_final(ctx, NULL, &o, NULL), KCF_SUCCESS);
	n = admin_stat(&bed.kcfd, "ops", NULL, "CKM_SHA256_HMAC", "fault1");
	ck_assert_uint_eq(n, 0);
	kcf_context_free(ctx);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("contract");
	TCase *t = tcase_create("contract");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_set_timeout(t, 120);
	tcase_add_test(t, one_digest_in_every_way_to_call);
	tcase_add_test(t, the_request_steers_where_its_work_is_done);
	tcase_add_test(t, without_a_structure_a_call_waits_with_one_it_returns);
	tcase_add_test(t, what_a_call_was_given_may_be_overwritten_when_it_returns);
	tcase_add_test(t, a_handle_of_another_client_cancels_nothing);
	tcase_add_test(t, every_family_gives_the_same_in_both_ways);
	tcase_add_test(t, a_dual_operation_by_steps_gives_what_one_step_gives);
	tcase_add_test(t, a_thousand_of_each_kind_from_several_threads);
	tcase_add_test(t, four_providers_serve_three_families_at_once);
	tcase_add_test(t, completions_name_the_provider_that_did_the_work);
	tcase_add_test(t, a_context_stays_with_its_provider_to_the_end);
	suite_add_tcase(s, t);
	return test_main(s);
}
