/* SPDX-License-Identifier: Apache-2.0 */
/* test-direct-context - multi-part operations in the caller's threads, over kcf-openssl of the
 * build tree. */
#include <pthread.h>
#include <string.h>
#include <unistd.h>
#include "direct-world.h"
#include "test-main.h"

static const char *const modules[] = {"kcf-openssl.so", NULL};
static struct world w;
static uint8_t key_bytes[32] = "0123456789abcdef0123456789abcde";
static uint8_t iv[16] = "sixteen bytes iv";
static uint8_t text[1000];

static void setup(void)
{
	world_open(&w, modules);
	for (unsigned i = 0; i < sizeof(text); i++)
		text[i] = (uint8_t)(i * 7);
}

static void teardown(void)
{
	world_close(&w);
}

static struct kcf_param_iv p_iv = {iv, 16};
static struct kcf_param_aead p_aead = {.iv = iv, .iv_len = 12};
static const struct kcf_mechanism sha256 = {KCF_M_SHA256, 0, NULL};
static const struct kcf_mechanism hmac = {KCF_M_SHA256_HMAC, 0, NULL};
static const struct kcf_mechanism ctr = {KCF_M_AES_CTR, sizeof(p_iv), &p_iv};
static const struct kcf_mechanism cbc_pad = {KCF_M_AES_CBC_PAD, sizeof(p_iv), &p_iv};
static const struct kcf_mechanism gcm = {KCF_M_AES_GCM, sizeof(p_aead), &p_aead};
static const struct kcf_mechanism ccm = {KCF_M_AES_CCM, sizeof(p_aead), &p_aead};
static struct kcf_key key;

static struct direct_context *begin_how(const struct kcf_how *how)
{
	struct direct_context *c = NULL;
	enum kcf_status status;

	ck_assert_int_eq(direct_context_new(w.d, how, NULL, &c, &status), DIRECT_DONE);
	ck_assert_str_eq(kcf_status_name(status), "SUCCESS");
	return c;
}

static struct direct_context *begin(enum kcf_op op, const struct kcf_mechanism *mech)
{
	struct kcf_how how = {.op = op, .mech = mech, .key = &key};

	key = kcf_key_bytes(key_bytes, 32);
	return begin_how(&how);
}

static struct direct_context *begin_dual(enum kcf_op op, const struct kcf_mechanism *cipher)
{
	static struct kcf_dual dual;

	key = kcf_key_bytes(key_bytes, 32);
	dual = (struct kcf_dual){cipher, &key, &hmac, &key};
	return begin_how(&(struct kcf_how){.op = op, .dual = &dual});
}

#define ck_is(call, s) ck_assert_str_eq(kcf_status_name(call), #s)

/* The whole in one call, for comparison. */
static size_t single(enum kcf_op op, const struct kcf_mechanism *mech, const void *in, size_t len,
		     uint8_t *out, size_t room)
{
	struct kcf_data i = kcf_flat(in, len), o = kcf_flat(out, room);
	struct op_call call = {.op = op, .mech = mech, .in = &i, .out = &o};
	enum kcf_status status;

	key = kcf_key_bytes(key_bytes, 32);
	call.key = op == KCF_OP_DIGEST ? NULL : &key;
	ck_assert_int_eq(direct_call(w.d, &call, &status), DIRECT_DONE);
	ck_is(status, SUCCESS);
	return o.used;
}

/* All of in through updates of these lengths (0 ends the list, the rest goes in one), then final.
 */
static size_t parts(struct direct_context *c, const size_t *cut, const void *in, size_t len,
		    uint8_t *out, size_t room)
{
	size_t at = 0, made = 0;
	struct kcf_data i, o;

	while (at < len) {
		size_t n = *cut && *cut < len - at ? *cut : len - at;

		i = kcf_flat((const uint8_t *)in + at, n);
		o = kcf_flat(out + made, room - made);
		ck_is(direct_context_update(c, &i, &o, true), SUCCESS);
		made += o.used;
		at += n;
		cut += *cut != 0;
	}
	o = kcf_flat(out + made, room - made);
	ck_is(direct_context_final(c, NULL, &o, true), SUCCESS);
	return made + o.used;
}

static const size_t cuts[] = {1, 1, 62, 1, 300, 15, 17, 0};

START_TEST(digest_in_parts_is_the_digest)
{
	struct kcf_how how = {.op = KCF_OP_DIGEST, .mech = &sha256};
	struct direct_context *c = begin_how(&how);
	uint8_t a[32], b[32];

	single(KCF_OP_DIGEST, &sha256, text, 1000, a, 32);
	ck_assert_uint_eq(parts(c, cuts, text, 1000, b, 32), 32);
	ck_assert_mem_eq(a, b, 32);
	direct_context_free(c);
	c = begin_how(&how);
	parts(c, cuts, text, 999, b, 32);
	ck_assert_mem_ne(a, b, 32);
	direct_context_free(c);
}
END_TEST

START_TEST(cipher_in_parts_is_the_ciphertext)
{
	struct direct_context *c = begin(KCF_OP_ENCRYPT, &cbc_pad);
	uint8_t a[1016], b[1016], back[1016];
	size_t n = single(KCF_OP_ENCRYPT, &cbc_pad, text, 1000, a, sizeof(a));

	ck_assert_uint_eq(n, 1008);
	ck_assert_uint_eq(parts(c, cuts, text, 1000, b, sizeof(b)), n);
	ck_assert_mem_eq(a, b, n);
	direct_context_free(c);
	c = begin(KCF_OP_DECRYPT, &cbc_pad);
	ck_assert_uint_eq(parts(c, cuts, b, n, back, sizeof(back)), 1000);
	ck_assert_mem_eq(back, text, 1000);
	direct_context_free(c);
}
END_TEST

START_TEST(aead_encryption_streams)
{
	struct direct_context *c = begin(KCF_OP_ENCRYPT, &gcm);
	struct kcf_data i = kcf_flat(text, 600), o;
	uint8_t a[1016], b[1016];

	single(KCF_OP_ENCRYPT, &gcm, text, 1000, a, 1016);
	o = kcf_flat(b, 1016);
	ck_is(direct_context_update(c, &i, &o, true), SUCCESS);
	ck_assert_uint_eq(o.used, 600);
	i = kcf_flat(text + 600, 400);
	o = kcf_flat(b + 600, 416);
	ck_is(direct_context_update(c, &i, &o, true), SUCCESS);
	o = kcf_flat(b + 1000, 16);
	ck_is(direct_context_final(c, NULL, &o, true), SUCCESS);
	ck_assert_mem_eq(a, b, 1016);
	direct_context_free(c);
}
END_TEST

START_TEST(aead_decryption_yields_nothing_before_final)
{
	struct direct_context *c;
	struct kcf_data i, o;
	uint8_t a[1016], back[1000];
	static const uint8_t zero[1000];

	single(KCF_OP_ENCRYPT, &gcm, text, 1000, a, 1016);
	for (int tampered = 0; tampered < 2; tampered++) {
		a[1015] ^= (uint8_t)tampered;
		memset(back, 0, sizeof(back));
		c = begin(KCF_OP_DECRYPT, &gcm);
		i = kcf_flat(a, 1016);
		o = kcf_flat(back, 1000);
		ck_is(direct_context_update(c, &i, &o, true), SUCCESS);
		ck_assert_uint_eq(o.used, 0);
		ck_assert_mem_eq(back, zero, 1000);
		o = kcf_flat(back, 999);
		if (!tampered) {
			ck_is(direct_context_final(c, NULL, &o, true), BUFFER_TOO_SMALL);
			ck_assert_uint_eq(o.used, 1000);
		}
		o = kcf_flat(back, 1000);
		if (tampered) {
			ck_is(direct_context_final(c, NULL, &o, true), INVALID_MAC);
			ck_assert_mem_eq(back, zero, 1000);
		} else {
			ck_is(direct_context_final(c, NULL, &o, true), SUCCESS);
			ck_assert_mem_eq(back, text, 1000);
		}
		ck_is(direct_context_final(c, NULL, &o, true), INVALID_CONTEXT);
		direct_context_free(c);
	}
}
END_TEST

START_TEST(collected_input_is_bounded)
{
	static uint8_t big[1 << 20];
	struct direct_context *c = begin(KCF_OP_DECRYPT, &gcm);
	struct kcf_data i = kcf_flat(big, sizeof(big)), one = kcf_flat(big, 1), o;

	o = kcf_flat(NULL, 0);
	ck_is(direct_context_update(c, &i, &o, true), SUCCESS);
	ck_is(direct_context_update(c, &one, &o, true), BUFFER_TOO_BIG);
	ck_is(direct_context_update(c, &one, &o, true), INVALID_CONTEXT);
	direct_context_free(c);
}
END_TEST

START_TEST(ccm_of_unknown_length_is_collected)
{
	struct direct_context *c;
	uint8_t a[1016], b[1016];
	struct kcf_data i = kcf_flat(text, 1000), o;

	single(KCF_OP_ENCRYPT, &ccm, text, 1000, a, 1016);
	c = begin(KCF_OP_ENCRYPT, &ccm);
	o = kcf_flat(b, 1016);
	ck_is(direct_context_update(c, &i, &o, true), SUCCESS);
	ck_assert_uint_eq(o.used, 0);
	ck_is(direct_context_final(c, NULL, &o, true), SUCCESS);
	ck_assert_uint_eq(o.used, 1016);
	ck_assert_mem_eq(a, b, 1016);
	direct_context_free(c);
}
END_TEST

START_TEST(mac_is_verified_at_final)
{
	struct direct_context *c = begin(KCF_OP_MAC_VERIFY, &hmac);
	uint8_t mac[32];
	struct kcf_data i = kcf_flat(text, 1000), m = kcf_flat(mac, 32);

	single(KCF_OP_MAC, &hmac, text, 1000, mac, 32);
	ck_is(direct_context_update(c, &i, NULL, true), SUCCESS);
	ck_is(direct_context_final(c, &m, NULL, true), SUCCESS);
	direct_context_free(c);
	mac[31] ^= 1;
	c = begin(KCF_OP_MAC_VERIFY, &hmac);
	ck_is(direct_context_update(c, &i, NULL, true), SUCCESS);
	ck_is(direct_context_final(c, NULL, NULL, true), ARGUMENTS_BAD);
	ck_is(direct_context_final(c, &m, NULL, true), INVALID_MAC);
	direct_context_free(c);
}
END_TEST

START_TEST(dual_in_parts_goes_both_ways)
{
	const struct kcf_mechanism *ciphers[] = {&ctr, &cbc_pad};
	uint8_t out[1100], back[1100], mac[32];
	struct direct_context *c;
	struct kcf_data i, o, m;
	size_t n, made;

	for (unsigned k = 0; k < 2; k++) {
		c = begin_dual(KCF_OP_ENCRYPT_MAC, ciphers[k]);
		i = kcf_flat(text, 500);
		o = kcf_flat(out, sizeof(out));
		ck_is(direct_context_update(c, &i, &o, true), SUCCESS);
		made = o.used;
		i = kcf_flat(text + 500, 500);
		o = kcf_flat(out + made, sizeof(out) - made);
		ck_is(direct_context_update(c, &i, &o, true), SUCCESS);
		made += o.used;
		/* the context stays until there is room for the rest and the MAC */
		o = kcf_flat(out + made, 31);
		ck_is(direct_context_final(c, NULL, &o, true), BUFFER_TOO_SMALL);
		n = o.used;
		ck_is(direct_context_update(c, &i, &o, true), INVALID_CONTEXT);
		direct_context_free(c);

		c = begin_dual(KCF_OP_ENCRYPT_MAC, ciphers[k]);
		ck_assert_uint_eq(parts(c, cuts, text, 1000, out, sizeof(out)), made + n);
		direct_context_free(c);
		n = made + n - 32;
		memcpy(mac, out + n, 32);
		single(KCF_OP_MAC, &hmac, out, n, back, 32);
		ck_assert_mem_eq(mac, back, 32);

		c = begin_dual(KCF_OP_MAC_DECRYPT, ciphers[k]);
		i = kcf_flat(out, n);
		o = kcf_flat(back, sizeof(back));
		m = kcf_flat(mac, 32);
		ck_is(direct_context_update(c, &i, &o, true), SUCCESS);
		ck_assert_uint_eq(o.used, 0);
		ck_is(direct_context_final(c, &m, &o, true), SUCCESS);
		ck_assert_uint_eq(o.used, 1000);
		ck_assert_mem_eq(back, text, 1000);
		direct_context_free(c);

		c = begin_dual(KCF_OP_MAC_DECRYPT, ciphers[k]);
		memset(back, 'z', sizeof(back));
		mac[0] ^= 1;
		ck_is(direct_context_update(c, &i, &o, true), SUCCESS);
		ck_is(direct_context_final(c, &m, &o, true), INVALID_MAC);
		ck_assert_int_eq(back[0], 'z');
		direct_context_free(c);
	}
}
END_TEST

START_TEST(context_outlives_its_template_and_table)
{
	struct kcf_template *t;
	struct direct_context *c;
	struct kcf_key k;
	uint8_t a[32], b[32];
	struct kcf_data i = kcf_flat(text, 1000), o = kcf_flat(b, 32);

	single(KCF_OP_MAC, &hmac, text, 1000, a, 32);
	k = kcf_key_bytes(key_bytes, 32);
	ck_assert_int_eq(direct_template_new(w.d, KCF_M_SHA256_HMAC, &k, &t), KCF_SUCCESS);
	k = kcf_key_tmpl(t);
	c = begin_how(&(struct kcf_how){.op = KCF_OP_MAC, .mech = &hmac, .key = &k});
	template_unref(t);
	world_enable(&w, "CKM_SHA256_HMAC", "openssl", false);
	ck_is(direct_context_update(c, &i, NULL, true), SUCCESS);
	ck_is(direct_context_final(c, NULL, &o, true), SUCCESS);
	ck_assert_mem_eq(a, b, 32);
	direct_context_free(c);
}
END_TEST

static void *update_in_thread(void *c)
{
	struct kcf_data i = kcf_flat(text, 1000);

	return (void *)(uintptr_t)direct_context_update(c, &i, NULL, true);
}

START_TEST(threads_take_turns)
{
	struct direct_context *c = begin(KCF_OP_MAC, &hmac);
	pthread_t threads[4];
	uint8_t a[32], b[32], all[4000];
	struct kcf_data o = kcf_flat(b, 32);
	void *status;

	for (int i = 0; i < 4; i++) {
		memcpy(all + 1000 * i, text, 1000);
		pthread_create(&threads[i], NULL, update_in_thread, c);
	}
	for (int i = 0; i < 4; i++) {
		pthread_join(threads[i], &status);
		ck_assert_ptr_null(status);
	}
	ck_is(direct_context_final(c, NULL, &o, true), SUCCESS);
	single(KCF_OP_MAC, &hmac, all, 4000, a, 32);
	ck_assert_mem_eq(a, b, 32);
	direct_context_free(c);
}
END_TEST

static enum direct_verdict place(const struct kcf_mechanism *mech, const struct kcf_key *k,
				 const struct kcf_call_req *req, enum kcf_status *ret)
{
	struct kcf_how how = {.op = KCF_OP_ENCRYPT, .mech = mech, .key = k};
	struct direct_context *c = NULL;
	enum direct_verdict v = direct_context_new(w.d, &how, req, &c, ret);

	direct_context_free(c);
	return v;
}

START_TEST(place_is_fixed_at_init)
{
	struct kcf_key bytes = kcf_key_bytes(key_bytes, 32), named = kcf_key_named("k");
	struct kcf_call_req req = {0};
	enum kcf_status status;

	ck_assert_int_eq(place(&gcm, &bytes, NULL, &status), DIRECT_DONE);
	ck_is(status, SUCCESS);
	ck_assert_int_eq(place(&gcm, &named, NULL, &status), DIRECT_SEND);
	req.flags = KCF_ALWAYS_QUEUE;
	ck_assert_int_eq(place(&gcm, &bytes, &req, &status), DIRECT_SEND);
	req.flags = 0;
	req.preference = KCF_PREFER_HARDWARE;
	ck_assert_int_eq(place(&gcm, &bytes, &req, &status), DIRECT_SEND);
	/* a mode alone does not choose hardware */
	world_add_hardware(&w, "CKM_AES_GCM", 0);
	ck_assert_int_eq(place(&gcm, &bytes, NULL, &status), DIRECT_DONE);
	ck_is(status, SUCCESS);
	world_enable(&w, "CKM_AES_GCM", "openssl", false);
	ck_assert_int_eq(place(&gcm, &bytes, NULL, &status), DIRECT_SEND);
	world_enable(&w, "CKM_AES_GCM", "device", false);
	ck_assert_int_eq(place(&gcm, &bytes, NULL, &status), DIRECT_DONE);
	ck_is(status, MECH_NOT_SUPPORTED);
}
END_TEST

START_TEST(bad_beginnings_are_refused)
{
	struct kcf_key bytes = kcf_key_bytes(key_bytes, 32), odd = kcf_key_bytes(key_bytes, 5);
	struct kcf_mechanism no_param = {KCF_M_AES_GCM, 0, NULL};
	struct kcf_how how = {.op = KCF_OP_DERIVE, .mech = &gcm, .key = &bytes};
	struct direct_context *c;
	enum kcf_status status;

	ck_assert_int_eq(place(&gcm, NULL, NULL, &status), DIRECT_DONE);
	ck_is(status, ARGUMENTS_BAD);
	ck_assert_int_eq(place(NULL, &bytes, NULL, &status), DIRECT_DONE);
	ck_is(status, ARGUMENTS_BAD);
	ck_assert_int_eq(place(&no_param, &bytes, NULL, &status), DIRECT_DONE);
	ck_is(status, MECHANISM_PARAM_INVALID);
	ck_assert_int_eq(place(&gcm, &odd, NULL, &status), DIRECT_DONE);
	ck_is(status, KEY_SIZE_RANGE);
	ck_assert_int_eq(direct_context_new(w.d, &how, NULL, &c, &status), DIRECT_DONE);
	ck_is(status, ARGUMENTS_BAD);
	how.op = KCF_OP_ENCRYPT_MAC; /* without .dual */
	ck_assert_int_eq(direct_context_new(w.d, &how, NULL, &c, &status), DIRECT_DONE);
	ck_is(status, ARGUMENTS_BAD);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("direct-context");
	TCase *tc = tcase_create("context");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, digest_in_parts_is_the_digest);
	tcase_add_test(tc, cipher_in_parts_is_the_ciphertext);
	tcase_add_test(tc, aead_encryption_streams);
	tcase_add_test(tc, aead_decryption_yields_nothing_before_final);
	tcase_add_test(tc, collected_input_is_bounded);
	tcase_add_test(tc, ccm_of_unknown_length_is_collected);
	tcase_add_test(tc, mac_is_verified_at_final);
	tcase_add_test(tc, dual_in_parts_goes_both_ways);
	tcase_add_test(tc, context_outlives_its_template_and_table);
	tcase_add_test(tc, threads_take_turns);
	tcase_add_test(tc, place_is_fixed_at_init);
	tcase_add_test(tc, bad_beginnings_are_refused);
	suite_add_tcase(s, tc);
	return test_main(s);
}
