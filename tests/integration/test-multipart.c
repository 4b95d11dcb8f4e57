/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Operations in parts: contexts in the caller's thread and in kcfd, requests of steps, dual operations.
 */
#include <string.h>
#include "admin.h"
#include "collect.h"
#include "test-main.h"

static struct harness_kcfd kcfd;
static struct kcf_client *client;
static struct collect done;
static uint8_t data[1000], buf[2048], want[2048], key_bytes[16] = "0123456789abcde";
static const uint8_t iv[16] = {1, 2, 3};
static const struct kcf_param_iv iv_param = {iv, sizeof(iv)};
static const struct kcf_param_aead gcm_param = {.iv = iv, .iv_len = 12, .aad = iv, .aad_len = 7};
static const struct kcf_mechanism sha = {KCF_M_SHA256, 0, NULL};
static const struct kcf_mechanism hmac = {KCF_M_SHA256_HMAC, 0, NULL};
static const struct kcf_mechanism cbc = {KCF_M_AES_CBC_PAD, sizeof(iv_param), &iv_param};
static const struct kcf_mechanism gcm = {KCF_M_AES_GCM, sizeof(gcm_param), &gcm_param};
static struct kcf_key key;

static void setup(void)
{
	struct kcf_client_options options = {.size = sizeof(options)};

	collect_init(&done);
	harness_kcfd_start(&kcfd, NULL);
	options.socket = kcfd.socket;
	ck_assert_int_eq(kcf_client_open(&options, &client), KCF_SUCCESS);
	for (unsigned i = 0; i < sizeof(data); i++)
		data[i] = i * 7;
	key = kcf_key_bytes(key_bytes, 16);
}

static void teardown(void)
{
	kcf_client_close(client);
	harness_kcfd_stop(&kcfd);
	collect_deinit(&done);
}

/* Single-part result in want. */
static size_t single(enum kcf_op op, const struct kcf_mechanism *mech)
{
	struct kcf_data in = kcf_flat(data, sizeof(data)), w = kcf_flat(want, sizeof(want));
	enum kcf_status st = op == KCF_OP_DIGEST ? kcf_digest(client, mech, &in, &w, NULL)
			     : op == KCF_OP_MAC	 ? kcf_mac(client, mech, &key, &in, &w, NULL)
						 : kcf_encrypt(client, mech, &key, &in, &w, NULL);

	ck_assert_int_eq(st, KCF_SUCCESS);
	return w.used;
}

/* The same in parts of this size, in the caller's thread or in kcfd. */
static size_t in_parts(enum kcf_op op, const struct kcf_mechanism *mech, size_t part, bool in_kcfd)
{
	struct kcf_how how = {op, mech, op == KCF_OP_DIGEST ? NULL : &key, NULL};
	struct kcf_call_req req = collect_req(&done, KCF_ALWAYS_QUEUE);
	struct kcf_context *ctx;
	size_t n = 0;

	collect_reset(&done);
	memset(buf, 0, sizeof(buf));
	if (in_kcfd) {
		ck_assert_int_eq(kcf_init(client, &how, &ctx, &req), KCF_QUEUED);
		collect_wait(&done, 1);
		ck_assert_int_eq(done.status, KCF_SUCCESS);
	} else {
		ck_assert_int_eq(kcf_init(client, &how, &ctx, NULL), KCF_SUCCESS);
	}
	for (size_t at = 0; at < sizeof(data); at += part) {
		struct kcf_data in = kcf_flat(data + at, part < sizeof(data) - at ? part : sizeof(data) - at);
		struct kcf_data out = kcf_flat(buf + n, sizeof(buf) - n);
		bool has_out = op == KCF_OP_ENCRYPT;

		ck_assert_int_eq(kcf_update(ctx, &in, has_out ? &out : NULL, NULL), KCF_SUCCESS);
		n += has_out ? out.used : 0;
	}
	struct kcf_data out = kcf_flat(buf + n, sizeof(buf) - n);
	ck_assert_int_eq(kcf_final(ctx, NULL, &out, NULL), KCF_SUCCESS);
	n += out.used;
	kcf_context_free(ctx);
	return n;
}

static const struct family {
	enum kcf_op op;
	const struct kcf_mechanism *mech;
} families[] = {
	{KCF_OP_DIGEST, &sha},
	{KCF_OP_MAC, &hmac},
	{KCF_OP_ENCRYPT, &cbc},
	{KCF_OP_ENCRYPT, &gcm},
};

START_TEST(parts_of_any_size_equal_the_whole)
{
	static const size_t parts[] = {1, 7, 16, 64, 999, 1000};
	const struct family *f = &families[_i / 2];
	size_t len = single(f->op, f->mech);

	for (unsigned i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		ck_assert_uint_eq(in_parts(f->op, f->mech, parts[i], _i % 2), len);
		ck_assert_mem_eq(buf, want, len);
	}
}
END_TEST

START_TEST(always_queue_on_a_context_of_the_callers_thread_is_bad)
{
	struct kcf_how how = {KCF_OP_DIGEST, &sha, NULL, NULL};
	struct kcf_call_req req = collect_req(&done, KCF_ALWAYS_QUEUE);
	struct kcf_data in = kcf_flat(data, 10);
	struct kcf_context *ctx;

	ck_assert_int_eq(kcf_init(client, &how, &ctx, NULL), KCF_SUCCESS);
	ck_assert_int_eq(kcf_update(ctx, &in, NULL, &req), KCF_ARGUMENTS_BAD);
	ck_assert_int_eq(kcf_update(ctx, &in, NULL, NULL), KCF_SUCCESS);
	kcf_context_free(ctx);
}
END_TEST

START_TEST(queued_updates_run_in_the_order_given)
{
	struct kcf_how how = {KCF_OP_MAC, &hmac, &key, NULL};
	struct kcf_call_req req = collect_req(&done, KCF_ALWAYS_QUEUE);
	struct kcf_data out = kcf_flat(buf, 32);
	kcf_req_id ids[22];
	struct kcf_context *ctx;
	unsigned n = 0;

	single(KCF_OP_MAC, &hmac);
	ck_assert_int_eq(kcf_init(client, &how, &ctx, &req), KCF_QUEUED);
	ids[n++] = req.id;
	for (unsigned i = 0; i < 20; i++) {
		struct kcf_data in = kcf_flat(data + i * 50, 50);

		ck_assert_int_eq(kcf_update(ctx, &in, NULL, &req), KCF_QUEUED);
		ids[n++] = req.id;
	}
	ck_assert_int_eq(kcf_final(ctx, NULL, &out, &req), KCF_QUEUED);
	ids[n++] = req.id;
	collect_wait(&done, n);
	ck_assert_uint_eq(done.n_status[KCF_SUCCESS], n);
	for (unsigned i = 0; i < n; i++)
		ck_assert_uint_eq(done.order[i], ids[i]);
	ck_assert_mem_eq(buf, want, 32);
	kcf_context_free(ctx);
}
END_TEST

START_TEST(a_context_survives_thousands_of_updates_in_flight)
{
	struct kcf_how how = {KCF_OP_MAC, &hmac, &key, NULL};
	struct kcf_call_req req = collect_req(&done, KCF_ALWAYS_QUEUE);
	struct kcf_data in = kcf_flat(data, 16), out = kcf_flat(buf, 32);
	struct kcf_context *ctx;
	unsigned n = 1;

	ck_assert_int_eq(kcf_init(client, &how, &ctx, &req), KCF_QUEUED);
	while (n < 20000) {
		enum kcf_status st = kcf_update(ctx, &in, NULL, &req);

		if (st == KCF_BUSY) {
			collect_wait(&done, n); /* credits come back */
			continue;
		}
		ck_assert_int_eq(st, KCF_QUEUED);
		n++;
	}
	ck_assert_int_eq(kcf_final(ctx, NULL, &out, NULL), KCF_SUCCESS);
	collect_wait(&done, n);
	ck_assert_uint_eq(done.n_status[KCF_SUCCESS], n);
	kcf_context_free(ctx);
}
END_TEST

START_TEST(a_short_buffer_keeps_the_context)
{
	struct kcf_how how = {KCF_OP_MAC, &hmac, &key, NULL};
	struct kcf_call_req always = collect_req(&done, KCF_ALWAYS_QUEUE);
	struct kcf_data in = kcf_flat(data, sizeof(data)), small = kcf_flat(buf, 5),
			out = kcf_flat(buf, 32);

	single(KCF_OP_MAC, &hmac);
	for (int in_kcfd = 0; in_kcfd < 2; in_kcfd++) {
		struct kcf_context *ctx;

		ck_assert_int_eq(kcf_init(client, &how, &ctx, in_kcfd ? &always : NULL),
				 in_kcfd ? KCF_QUEUED : KCF_SUCCESS);
		ck_assert_int_eq(kcf_update(ctx, &in, NULL, NULL), KCF_SUCCESS);
		ck_assert_int_eq(kcf_final(ctx, NULL, &small, NULL), KCF_BUFFER_TOO_SMALL);
		ck_assert_uint_eq(small.used, 32);
		ck_assert_int_eq(kcf_final(ctx, NULL, &out, NULL), KCF_SUCCESS);
		ck_assert_mem_eq(buf, want, 32);
		kcf_context_free(ctx);
	}
}
END_TEST

START_TEST(aead_decryption_in_parts_yields_nothing_before_the_tag_is_right)
{
	struct kcf_how how = {KCF_OP_DECRYPT, &gcm, &key, NULL};
	struct kcf_call_req always = collect_req(&done, KCF_ALWAYS_QUEUE);
	size_t len = single(KCF_OP_ENCRYPT, &gcm);

	for (int i = 0; i < 4; i++) {
		bool in_kcfd = i & 1, tamper = i & 2;
		struct kcf_data a = kcf_flat(want, 500), b = kcf_flat(want + 500, len - 500);
		struct kcf_data out = kcf_flat(buf, sizeof(buf));
		struct kcf_context *ctx;

		memset(buf, 0xaa, sizeof(buf));
		if (tamper)
			want[3] ^= 1;
		ck_assert_int_eq(kcf_init(client, &how, &ctx, in_kcfd ? &always : NULL),
				 in_kcfd ? KCF_QUEUED : KCF_SUCCESS);
		ck_assert_int_eq(kcf_update(ctx, &a, &out, NULL), KCF_SUCCESS);
		ck_assert_uint_eq(out.used, 0);
		ck_assert_int_eq(kcf_update(ctx, &b, &out, NULL), KCF_SUCCESS);
		ck_assert_uint_eq(out.used, 0);
		for (unsigned k = 0; k < sizeof(buf); k++)
			ck_assert_uint_eq(buf[k], 0xaa);
		ck_assert_int_eq(kcf_final(ctx, NULL, &out, NULL),
				 tamper ? KCF_INVALID_MAC : KCF_SUCCESS);
		if (tamper) {
			want[3] ^= 1;
			for (unsigned k = 0; k < sizeof(data); k++)
				ck_assert(buf[k] == 0xaa || buf[k] == 0);
		} else {
			ck_assert_uint_eq(out.used, sizeof(data));
			ck_assert_mem_eq(buf, data, sizeof(data));
		}
		kcf_context_free(ctx);
	}
}
END_TEST

/* init, n updates, final. */
static unsigned make_steps(struct kcf_step *steps, unsigned n)
{
	memset(steps, 0, (n + 2) * sizeof(*steps));
	steps[0].kind = KCF_STEP_INIT;
	for (unsigned i = 0; i < n; i++) {
		steps[i + 1].kind = KCF_STEP_UPDATE;
		steps[i + 1].in = kcf_flat(data + i * (sizeof(data) / n), sizeof(data) / n);
	}
	steps[n + 1].kind = KCF_STEP_FINAL;
	steps[n + 1].out = kcf_flat(buf, 32);
	return n + 2;
}

START_TEST(steps_call_back_once_or_once_each)
{
	struct kcf_how how = {KCF_OP_MAC, &hmac, &key, NULL};
	struct kcf_step steps[12];
	unsigned n = make_steps(steps, 10);

	single(KCF_OP_MAC, &hmac);
	for (int each = 0; each < 2; each++) {
		struct kcf_call_req req = collect_req(&done, KCF_ALWAYS_QUEUE | (each ? KCF_NOTIFY_OPDONE : 0));

		collect_reset(&done);
		memset(buf, 0, 32);
		ck_assert_int_eq(kcf_submit_steps(client, &how, steps, n, &req), KCF_QUEUED);
		collect_wait(&done, 1);
		ck_assert_int_eq(done.status, KCF_SUCCESS);
		ck_assert_uint_eq(done.n_steps, each ? n : 0);
		ck_assert_uint_eq(done.n_final, 1);
		ck_assert_mem_eq(buf, want, 32);
		ck_assert_uint_eq(steps[n - 1].out.used, 32);
	}
	memset(buf, 0, 32);
	ck_assert_int_eq(kcf_submit_steps(client, &how, steps, n, NULL), KCF_SUCCESS);
	ck_assert_mem_eq(buf, want, 32);
}
END_TEST

/* Without the nonce nobody could decrypt what was made under it. */
START_TEST(steps_under_a_generated_nonce_return_it)
{
	uint8_t nonce[12] = {0}, none[12] = {0};
	struct kcf_param_aead made = {.iv_out = nonce, .flags = KCF_IV_GENERATED};
	struct kcf_param_aead given = {.iv = nonce, .iv_len = sizeof(nonce)};
	struct kcf_mechanism enc = {KCF_M_AES_GCM, sizeof(made), &made};
	struct kcf_mechanism dec = {KCF_M_AES_GCM, sizeof(given), &given};
	struct kcf_key handle;
	struct kcf_how how = {KCF_OP_ENCRYPT, &enc, &handle, NULL};
	struct kcf_step steps[3] = {
		{.kind = KCF_STEP_INIT},
		{KCF_STEP_UPDATE, kcf_flat(data, 100), kcf_flat(buf, 100)},
		{.kind = KCF_STEP_FINAL, .out = kcf_flat(buf + 100, 16)},
	};
	struct kcf_data sealed = kcf_flat(buf, 116), plain = kcf_flat(want, 100);
	struct kcf_call_req req = collect_req(&done, _i ? KCF_NOTIFY_OPDONE : 0);

	ck_assert_int_eq(kcf_key_import(client, &key, 0, &handle, NULL), KCF_SUCCESS);
	ck_assert_int_eq(kcf_submit_steps(client, &how, steps, 3, &req), KCF_QUEUED);
	collect_wait(&done, 1);
	ck_assert_int_eq(done.status, KCF_SUCCESS);
	ck_assert_mem_ne(nonce, none, sizeof(nonce));
	ck_assert_int_eq(kcf_decrypt(client, &dec, &handle, &sealed, &plain, NULL), KCF_SUCCESS);
	ck_assert_mem_eq(want, data, 100);
	buf[50] ^= 1;
	ck_assert_int_eq(kcf_decrypt(client, &dec, &handle, &sealed, &plain, NULL), KCF_INVALID_MAC);
}
END_TEST

START_TEST(steps_must_be_one_whole_operation)
{
	struct kcf_how how = {KCF_OP_MAC, &hmac, &key, NULL};
	struct kcf_step steps[70];
	unsigned n = make_steps(steps, 10);

	ck_assert_int_eq(kcf_submit_steps(client, &how, steps + 1, n - 1, NULL), KCF_ARGUMENTS_BAD);
	ck_assert_int_eq(kcf_submit_steps(client, &how, steps, n - 1, NULL), KCF_ARGUMENTS_BAD);
	ck_assert_int_eq(kcf_submit_steps(client, &how, steps, 0, NULL), KCF_ARGUMENTS_BAD);
	n = make_steps(steps, 64);
	ck_assert_int_eq(kcf_submit_steps(client, &how, steps, n, NULL), KCF_ARGUMENTS_BAD);
}
END_TEST

START_TEST(dual_encrypts_then_macs_and_verifies_before_it_decrypts)
{
	static const struct kcf_mechanism plain_cbc = {KCF_M_AES_CBC, sizeof(iv_param), &iv_param};
	struct kcf_key mac_key = kcf_key_bytes("another key here", 16);
	struct kcf_dual dual = {&plain_cbc, &key, &hmac, &mac_key};
	uint8_t cipher[992], tag[32], check[32], back[992];

	for (int in_kcfd = 0; in_kcfd < 2; in_kcfd++) {
		struct kcf_call_req req = collect_req(&done, KCF_ALWAYS_QUEUE);
		struct kcf_call_req *r = in_kcfd ? &req : NULL;
		enum kcf_status ok = in_kcfd ? KCF_QUEUED : KCF_SUCCESS, st;
		struct kcf_data in = kcf_flat(data, 992), c = kcf_flat(cipher, 992), m = kcf_flat(tag, 32),
				k = kcf_flat(check, 32), b = kcf_flat(back, 992);

		collect_reset(&done);
		ck_assert_int_eq(kcf_encrypt_mac(client, &dual, &in, &c, &m, r), ok);
		if (in_kcfd)
			collect_wait(&done, 1);
		ck_assert_int_eq(kcf_mac(client, &hmac, &mac_key, &c, &k, NULL), KCF_SUCCESS);
		ck_assert_mem_eq(tag, check, 32);
		memset(back, 0x55, sizeof(back));
		ck_assert_int_eq(kcf_mac_decrypt(client, &dual, &c, &m, &b, r), ok);
		if (in_kcfd)
			collect_wait(&done, 2);
		ck_assert_mem_eq(back, data, 992);
		memset(back, 0x55, sizeof(back));
		tag[0] ^= 1;
		st = kcf_mac_decrypt(client, &dual, &c, &m, &b, r);
		if (in_kcfd) {
			collect_wait(&done, 3);
			st = done.status;
		}
		ck_assert_int_eq(st, KCF_INVALID_MAC);
		for (unsigned i = 0; i < 992; i++)
			ck_assert(back[i] == 0x55 || back[i] == 0);
		tag[0] ^= 1;
	}
}
END_TEST

START_TEST(freeing_a_context_cancels_what_is_queued_on_it)
{
	struct kcf_mechanism m = {0, 0, NULL};
	struct kcf_how how = {KCF_OP_DIGEST, &m, NULL, NULL};
	struct kcf_call_req req = collect_req(&done, KCF_ALWAYS_QUEUE);
	struct kcf_data in = kcf_flat(data, 10);
	struct kcf_context *ctx;

	admin_do(&kcfd, "load", "fault", "instance=fault0", "slots=1", NULL);
	ck_assert_int_eq(kcf_mech_find(client, "KCF_FAULT_ONLY", &m.number), KCF_SUCCESS);
	ck_assert_int_eq(kcf_init(client, &how, &ctx, &req), KCF_QUEUED);
	collect_wait(&done, 1);
	ck_assert_int_eq(done.status, KCF_SUCCESS);
	admin_do(&kcfd, "set", "fault0.gate", "closed", NULL);
	for (unsigned i = 0; i < 3; i++)
		ck_assert_int_eq(kcf_update(ctx, &in, NULL, &req), KCF_QUEUED);
	kcf_context_free(ctx);
	admin_do(&kcfd, "set", "fault0.gate", "open", NULL);
	collect_wait(&done, 4);
	ck_assert_uint_ge(done.n_status[KCF_CANCELED], 2);
	ck_assert_uint_eq(collect_n(&done), 4);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("multipart");
	TCase *t = tcase_create("multipart");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_set_timeout(t, 120);
	tcase_add_loop_test(t, parts_of_any_size_equal_the_whole, 0, 8);
	tcase_add_test(t, always_queue_on_a_context_of_the_callers_thread_is_bad);
	tcase_add_test(t, queued_updates_run_in_the_order_given);
	tcase_add_test(t, a_context_survives_thousands_of_updates_in_flight);
	tcase_add_test(t, a_short_buffer_keeps_the_context);
	tcase_add_test(t, aead_decryption_in_parts_yields_nothing_before_the_tag_is_right);
	tcase_add_test(t, steps_call_back_once_or_once_each);
	tcase_add_loop_test(t, steps_under_a_generated_nonce_return_it, 0, 2);
	tcase_add_test(t, steps_must_be_one_whole_operation);
	tcase_add_test(t, dual_encrypts_then_macs_and_verifies_before_it_decrypts);
	tcase_add_test(t, freeing_a_context_cancels_what_is_queued_on_it);
	suite_add_tcase(s, t);
	return test_main(s);
}
