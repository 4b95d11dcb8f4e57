/* SPDX-License-Identifier: Apache-2.0 */
/* The nettle provider as kcfd sees it: statuses, lengths, scattered and multi-part data, keys. */
#include "fake-host.h"
#include "test-main.h"

#include <nettle/base16.h>
#include <string.h>

static struct fake_host fake;

static void setup(void)
{
	ck_assert_int_eq(fake_host_open(&fake, TEST_MODULE_DIR "/kcf-nettle.so", NULL),
			 KCF_SUCCESS);
}

static void teardown(void)
{
	fake_host_close(&fake);
}

/* Bytes from hex; the test's own constants. */
static size_t hex(const char *text, uint8_t *ret)
{
	struct base16_decode_ctx ctx;
	size_t len = 0;

	base16_decode_init(&ctx);
	ck_assert_int_eq(base16_decode_update(&ctx, &len, ret, strlen(text), text), 1);
	return len;
}

static struct fake_template template_of(const char *name, uint32_t class, const void *key,
					size_t len)
{
	struct kcf_key_data data = {KCF_KEY_RAW, key, len};
	struct fake_template t;
	int row = fake_row(&fake, name, class);

	ck_assert_int_ge(row, 0);
	ck_assert_int_eq(fake_template_new(&fake, (uint32_t)row, key ? &data : NULL, &t),
			 KCF_SUCCESS);
	return t;
}

/* One flat single-part job. */
static enum kcf_status run(const struct fake_template *t, enum kcf_op op, const void *param,
			   const void *in, size_t in_len, void *out, size_t room, size_t *ret_len)
{
	struct iovec in_iov = {(void *)in, in_len}, out_iov = {out, room};
	struct kcf_job job;
	enum kcf_status status;

	fake_job(&job, t, op, KCF_SINGLE, param);
	fake_job_in(&job, &in_iov, 1);
	fake_job_out(&job, &out_iov, 1);
	status = fake_run(&fake, &job);
	if (ret_len)
		*ret_len = job.out_len;
	return status;
}

static enum kcf_status verify(const struct fake_template *t, enum kcf_op op, const void *param,
			      const void *in, size_t in_len, const void *check, size_t check_len)
{
	struct iovec in_iov = {(void *)in, in_len}, check_iov = {(void *)check, check_len};
	struct kcf_job job;

	fake_job(&job, t, op, KCF_SINGLE, param);
	fake_job_in(&job, &in_iov, 1);
	fake_job_check(&job, &check_iov, 1);
	return fake_run(&fake, &job);
}

/* A context run in pieces of the given size; out gets everything in order. The job's status. */
static enum kcf_status run_parts(const struct fake_template *t, enum kcf_op op, const void *param,
				 const uint8_t *in, size_t in_len, size_t piece, uint8_t *out,
				 size_t room, size_t *ret_len)
{
	struct kcf_job job;
	struct iovec in_iov, out_iov;
	enum kcf_status status;
	size_t done, len = 0;
	void *ctx;

	fake_job(&job, t, op, KCF_INIT, param);
	status = fake_run(&fake, &job);
	if (status != KCF_SUCCESS)
		return status;
	ctx = job.ctx;
	for (done = 0; done < in_len && status == KCF_SUCCESS; done += in_iov.iov_len) {
		in_iov.iov_base = (void *)(in + done);
		in_iov.iov_len = in_len - done < piece ? in_len - done : piece;
		out_iov.iov_base = out + len;
		out_iov.iov_len = room - len;
		fake_job(&job, t, op, KCF_UPDATE, NULL);
		job.ctx = ctx;
		fake_job_in(&job, &in_iov, 1);
		fake_job_out(&job, &out_iov, 1);
		status = fake_run(&fake, &job);
		len += job.out_len;
	}
	if (status == KCF_SUCCESS) {
		out_iov.iov_base = out + len;
		out_iov.iov_len = room - len;
		fake_job(&job, t, op, KCF_FINAL_PHASE, NULL);
		job.ctx = ctx;
		fake_job_out(&job, &out_iov, 1);
		status = fake_run(&fake, &job);
		len += job.out_len;
	}
	fake.desc->ops->context_free(fake.prov, ctx);
	*ret_len = len;
	return status;
}

static void fill(uint8_t *bytes, size_t len)
{
	for (size_t i = 0; i < len; i++)
		bytes[i] = (uint8_t)(i * 7 + 3);
}

START_TEST(exports_rows_the_contract_allows)
{
	ck_assert_int_eq(fake.desc->kind, KCF_SOFTWARE);
	for (uint32_t i = 0; i < fake.desc->n_rows; i++) {
		const struct kcf_mech_row *row = &fake.desc->rows[i];

		ck_assert_uint_le(strlen(row->name), 47);
		ck_assert_uint_ne(row->classes, 0);
		ck_assert_uint_lt(row->param_kind, KCF_PARAM_COUNT);
		ck_assert_uint_le(row->key_min_bits, row->key_max_bits);
	}
}
END_TEST

START_TEST(passes_its_known_answers)
{
	ck_assert_int_eq(fake.desc->ops->self_test(fake.prov), KCF_SUCCESS);
}
END_TEST

START_TEST(digests_scattered_bytes_into_scattered_room)
{
	struct fake_template t = template_of("CKM_SHA256", KCF_CLASS_DIGEST, NULL, 0);
	uint8_t flat[32], split[32];
	struct iovec in[] = {{(void *)"a", 1}, {NULL, 0}, {(void *)"bc", 2}};
	struct iovec out[] = {{split, 5}, {split + 5, 27}};
	struct kcf_job job;

	ck_assert_int_eq(run(&t, KCF_OP_DIGEST, NULL, "abc", 3, flat, 32, NULL), KCF_SUCCESS);
	fake_job(&job, &t, KCF_OP_DIGEST, KCF_SINGLE, NULL);
	fake_job_in(&job, in, 3);
	fake_job_out(&job, out, 2);
	ck_assert_int_eq(fake_run(&fake, &job), KCF_SUCCESS);
	ck_assert_uint_eq(job.out_len, 32);
	ck_assert_mem_eq(flat, split, 32);
	ck_assert_int_eq(run(&t, KCF_OP_DIGEST, NULL, "abd", 3, flat, 32, NULL), KCF_SUCCESS);
	ck_assert_mem_ne(flat, split, 32);
	fake_template_free(&fake, &t);
}
END_TEST

START_TEST(too_little_room_returns_the_length_and_consumes_nothing)
{
	struct fake_template t = template_of("CKM_SHA256", KCF_CLASS_DIGEST, NULL, 0);
	struct iovec in = {(void *)"abc", 3}, out;
	uint8_t want[32], got[32] = {0};
	struct kcf_job job;
	size_t len;
	void *ctx;

	ck_assert_int_eq(run(&t, KCF_OP_DIGEST, NULL, "abc", 3, want, 31, &len),
			 KCF_BUFFER_TOO_SMALL);
	ck_assert_uint_eq(len, 32);
	ck_assert_int_eq(run(&t, KCF_OP_DIGEST, NULL, "abc", 3, want, 32, &len), KCF_SUCCESS);

	fake_job(&job, &t, KCF_OP_DIGEST, KCF_INIT, NULL);
	fake_run(&fake, &job);
	ctx = job.ctx;
	fake_job(&job, &t, KCF_OP_DIGEST, KCF_UPDATE, NULL);
	job.ctx = ctx;
	fake_job_in(&job, &in, 1);
	fake_run(&fake, &job);
	for (size_t room = 31; room <= 32; room++) {
		fake_job(&job, &t, KCF_OP_DIGEST, KCF_FINAL_PHASE, NULL);
		job.ctx = ctx;
		out = (struct iovec){got, room};
		fake_job_out(&job, &out, 1);
		ck_assert_int_eq(fake_run(&fake, &job),
				 room < 32 ? KCF_BUFFER_TOO_SMALL : KCF_SUCCESS);
		ck_assert_uint_eq(job.out_len, 32);
	}
	ck_assert_mem_eq(got, want, 32);
	fake.desc->ops->context_free(fake.prov, ctx);
	fake_template_free(&fake, &t);
}
END_TEST

START_TEST(verifies_whole_and_truncated_macs_and_refuses_others)
{
	struct fake_template t = template_of("CKM_SHA256_HMAC", KCF_CLASS_MAC, "key", 3);
	struct kcf_param_mac half = {.mac_len = 16}, whole = {.mac_len = 32},
			     more = {.mac_len = 33};
	uint8_t mac[33] = {0};

	ck_assert_int_eq(run(&t, KCF_OP_MAC, NULL, "data", 4, mac, 32, NULL), KCF_SUCCESS);
	ck_assert_int_eq(verify(&t, KCF_OP_MAC_VERIFY, NULL, "data", 4, mac, 32), KCF_SUCCESS);
	ck_assert_int_eq(verify(&t, KCF_OP_MAC_VERIFY, NULL, "data", 4, mac, 10), KCF_SUCCESS);
	ck_assert_int_eq(verify(&t, KCF_OP_MAC_VERIFY, &half, "data", 4, mac, 16), KCF_SUCCESS);
	ck_assert_int_eq(verify(&t, KCF_OP_MAC_VERIFY, &half, "data", 4, mac, 15), KCF_INVALID_MAC);
	ck_assert_int_eq(verify(&t, KCF_OP_MAC_VERIFY, &whole, "data", 4, mac, 31),
			 KCF_INVALID_MAC);
	ck_assert_int_eq(verify(&t, KCF_OP_MAC_VERIFY, NULL, "data", 4, mac, 33), KCF_INVALID_MAC);
	ck_assert_int_eq(verify(&t, KCF_OP_MAC_VERIFY, NULL, "data", 4, mac, 0), KCF_INVALID_MAC);
	ck_assert_int_eq(run(&t, KCF_OP_MAC, &more, "data", 4, mac, 33, NULL),
			 KCF_MECHANISM_PARAM_INVALID);
	mac[31] ^= 1;
	ck_assert_int_eq(verify(&t, KCF_OP_MAC_VERIFY, NULL, "data", 4, mac, 32), KCF_INVALID_MAC);
	fake_template_free(&fake, &t);
}
END_TEST

static const struct {
	const char *name;
	uint32_t class;
	size_t key_len, iv_len, block;
} pieces[] = {
	{"CKM_AES_ECB", KCF_CLASS_CIPHER, 16, 0, 16},
	{"CKM_AES_CBC", KCF_CLASS_CIPHER, 24, 16, 16},
	{"CKM_AES_CTR", KCF_CLASS_CIPHER, 32, 16, 1},
	{"CKM_AES_GCM", KCF_CLASS_AEAD, 32, 12, 1},
	{"CKM_AES_CCM", KCF_CLASS_AEAD, 16, 13, 1},
	{"CKM_CHACHA20_POLY1305", KCF_CLASS_AEAD, 32, 12, 1},
};

/* Whole, in pieces of many sizes, and in place, both ways. */
START_TEST(pieces_of_any_size_and_in_place_give_the_same)
{
	static const size_t sizes[] = {1, 3, 15, 16, 17, 63, 64, 65, 500, 1200};
	uint8_t key[32], iv[16], plain[1200], whole[1216], part[1216];
	size_t i = (size_t)_i, n, len, want;
	struct kcf_param_iv p_iv = {iv, pieces[i].iv_len};
	struct kcf_param_aead p_aead = {
		.iv = iv, .iv_len = pieces[i].iv_len, .aad = key, .aad_len = 20};
	bool aead = pieces[i].class == KCF_CLASS_AEAD;
	const void *param = aead ? (void *)&p_aead : (void *)&p_iv;
	struct fake_template t;

	fill(key, sizeof(key));
	fill(iv, sizeof(iv));
	fill(plain, sizeof(plain));
	t = template_of(pieces[i].name, pieces[i].class, key, pieces[i].key_len);
	want = sizeof(plain) + (aead ? 16 : 0);
	ck_assert_int_eq(run(&t, KCF_OP_ENCRYPT, param, plain, sizeof(plain), whole, want, &len),
			 KCF_SUCCESS);
	ck_assert_uint_eq(len, want);
	for (n = 0; n < sizeof(sizes) / sizeof(sizes[0]); n++) {
		memset(part, 0, sizeof(part));
		ck_assert_int_eq(run_parts(&t, KCF_OP_ENCRYPT, param, plain, sizeof(plain),
					   sizes[n], part, want, &len),
				 KCF_SUCCESS);
		ck_assert_uint_eq(len, want);
		ck_assert_mem_eq(part, whole, want);
		ck_assert_int_eq(run_parts(&t, KCF_OP_DECRYPT, param, whole, want, sizes[n], part,
					   sizeof(plain), &len),
				 KCF_SUCCESS);
		ck_assert_uint_eq(len, sizeof(plain));
		ck_assert_mem_eq(part, plain, sizeof(plain));
	}
	memcpy(part, plain, sizeof(plain));
	ck_assert_int_eq(run(&t, KCF_OP_ENCRYPT, param, part, sizeof(plain), part, want, &len),
			 KCF_SUCCESS);
	ck_assert_mem_eq(part, whole, want);
	ck_assert_int_eq(run(&t, KCF_OP_DECRYPT, param, part, want, part, sizeof(plain), &len),
			 KCF_SUCCESS);
	ck_assert_mem_eq(part, plain, sizeof(plain));
	fake_template_free(&fake, &t);
}
END_TEST

/* An update that starts inside a block writes ahead of where it reads. */
START_TEST(updates_over_their_own_input_give_the_same)
{
	uint8_t key[16], iv[16], plain[3000], want[3000], got[3000];
	struct kcf_param_iv p = {iv, sizeof(iv)};
	struct fake_template t;
	struct kcf_job job;
	struct iovec iov;
	size_t len, done = 0;
	void *ctx;

	fill(key, sizeof(key));
	fill(iv, sizeof(iv));
	fill(plain, sizeof(plain));
	t = template_of("CKM_AES_CBC", KCF_CLASS_CIPHER, key, sizeof(key));
	run(&t, KCF_OP_ENCRYPT, &p, plain, 2992, want, 2992, &len);
	fake_job(&job, &t, KCF_OP_ENCRYPT, KCF_INIT, &p);
	fake_run(&fake, &job);
	ctx = job.ctx;
	for (size_t at = 0, n = 9; at < 2992; at += n, n = at == 9 ? 1500 : 1483) {
		uint8_t buf[1600];

		memcpy(buf, plain + at, n);
		iov = (struct iovec){buf, n + 15};
		fake_job(&job, &t, KCF_OP_ENCRYPT, KCF_UPDATE, NULL);
		job.ctx = ctx;
		fake_job_out(&job, &iov, 1);
		struct iovec in = {buf, n};
		fake_job_in(&job, &in, 1);
		ck_assert_int_eq(fake_run(&fake, &job), KCF_SUCCESS);
		memcpy(got + done, buf, job.out_len);
		done += job.out_len;
	}
	ck_assert_uint_eq(done, 2992);
	ck_assert_mem_eq(got, want, done);
	fake.desc->ops->context_free(fake.prov, ctx);
	fake_template_free(&fake, &t);
}
END_TEST

START_TEST(a_bad_tag_wipes_the_output)
{
	uint8_t key[32], iv[13], text[40], sealed[56], out[40];
	size_t i = 3 + (size_t)_i, len;
	struct kcf_param_aead p = {.iv = iv, .iv_len = pieces[i].iv_len};
	struct fake_template t;

	fill(key, sizeof(key));
	fill(iv, sizeof(iv));
	fill(text, sizeof(text));
	t = template_of(pieces[i].name, KCF_CLASS_AEAD, key, pieces[i].key_len);
	ck_assert_int_eq(run(&t, KCF_OP_ENCRYPT, &p, text, 40, sealed, 56, &len), KCF_SUCCESS);
	for (size_t bit = 0; bit < 2; bit++) {
		sealed[bit ? 55 : 0] ^= 1;
		memset(out, 0xee, sizeof(out));
		ck_assert_int_eq(run(&t, KCF_OP_DECRYPT, &p, sealed, 56, out, 40, &len),
				 KCF_INVALID_MAC);
		ck_assert_uint_eq(len, 0);
		for (size_t k = 0; k < sizeof(out); k++)
			ck_assert_uint_eq(out[k], 0);
		ck_assert_int_eq(run_parts(&t, KCF_OP_DECRYPT, &p, sealed, 56, 7, out, 40, &len),
				 KCF_INVALID_MAC);
		sealed[bit ? 55 : 0] ^= 1;
	}
	ck_assert_int_eq(run(&t, KCF_OP_DECRYPT, &p, sealed, 15, out, 40, &len),
			 KCF_ENCRYPTED_DATA_LEN_RANGE);
	fake_template_free(&fake, &t);
}
END_TEST

START_TEST(refuses_parameters_and_lengths_that_cannot_be)
{
	uint8_t buf[64] = {0};
	struct kcf_param_iv short_iv = {buf, 15}, iv = {buf, 16};
	struct kcf_param_aead no_iv = {.iv = buf},
			      bad_tag = {.iv = buf, .iv_len = 12, .tag_len = 5};
	struct fake_template cbc = template_of("CKM_AES_CBC", KCF_CLASS_CIPHER, buf, 16);
	struct fake_template gcm = template_of("CKM_AES_GCM", KCF_CLASS_AEAD, buf, 16);
	struct kcf_key_data key = {KCF_KEY_RAW, buf, 17};
	struct fake_template t;

	ck_assert_int_eq(run(&cbc, KCF_OP_ENCRYPT, &short_iv, buf, 16, buf, 16, NULL),
			 KCF_MECHANISM_PARAM_INVALID);
	ck_assert_int_eq(run(&cbc, KCF_OP_ENCRYPT, &iv, buf, 17, buf, 32, NULL),
			 KCF_DATA_LEN_RANGE);
	ck_assert_int_eq(run(&cbc, KCF_OP_DECRYPT, &iv, buf, 17, buf, 32, NULL),
			 KCF_ENCRYPTED_DATA_LEN_RANGE);
	ck_assert_int_eq(run(&gcm, KCF_OP_ENCRYPT, &no_iv, buf, 16, buf, 32, NULL),
			 KCF_MECHANISM_PARAM_INVALID);
	ck_assert_int_eq(run(&gcm, KCF_OP_ENCRYPT, &bad_tag, buf, 16, buf, 32, NULL),
			 KCF_MECHANISM_PARAM_INVALID);
	ck_assert_int_eq(fake_template_new(&fake, gcm.row, &key, &t), KCF_KEY_SIZE_RANGE);
	fake_template_free(&fake, &cbc);
	fake_template_free(&fake, &gcm);
}
END_TEST

/* RFC 8410, section 10.3, and RFC 8032, section 7.1, test 1. */
START_TEST(reads_private_and_public_keys_in_der)
{
	static const char *pkcs8 =
		"302e020100300506032b657004220420"
		"9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60";
	static const char *spki =
		"302a300506032b6570032100"
		"d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a";
	uint8_t private[48], public[44], sig[64];
	struct kcf_key_data prv = {KCF_KEY_PKCS8, private, hex(pkcs8, private)};
	struct kcf_key_data pub = {KCF_KEY_SPKI, public, hex(spki, public)};
	uint32_t row = (uint32_t)fake_row(&fake, "CKM_EDDSA", KCF_CLASS_SIGN);
	struct fake_template signer, verifier, none;

	ck_assert_int_eq(fake_template_new(&fake, row, &prv, &signer), KCF_SUCCESS);
	ck_assert_int_eq(fake_template_new(&fake, row, &pub, &verifier), KCF_SUCCESS);
	ck_assert_int_eq(run(&signer, KCF_OP_SIGN, NULL, "m", 1, sig, 64, NULL), KCF_SUCCESS);
	ck_assert_int_eq(verify(&verifier, KCF_OP_VERIFY, NULL, "m", 1, sig, 64), KCF_SUCCESS);
	ck_assert_int_eq(verify(&signer, KCF_OP_VERIFY, NULL, "m", 1, sig, 64), KCF_SUCCESS);
	ck_assert_int_eq(verify(&verifier, KCF_OP_VERIFY, NULL, "n", 1, sig, 64),
			 KCF_SIGNATURE_INVALID);
	ck_assert_int_eq(verify(&verifier, KCF_OP_VERIFY, NULL, "m", 1, sig, 63),
			 KCF_SIGNATURE_INVALID);
	ck_assert_int_eq(run(&verifier, KCF_OP_SIGN, NULL, "m", 1, sig, 64, NULL),
			 KCF_KEY_TYPE_INCONSISTENT);
	fake_template_free(&fake, &signer);
	fake_template_free(&fake, &verifier);

	private[11] = 0x6e; /* X25519: another curve, not nonsense */
	ck_assert_int_eq(fake_template_new(&fake, row, &prv, &none), KCF_KEY_SIZE_RANGE);
	for (size_t len = 0; len < sizeof(public); len++) {
		pub.len = len;
		ck_assert_int_eq(fake_template_new(&fake, row, &pub, &none),
				 KCF_KEY_TYPE_INCONSISTENT);
	}
}
END_TEST

START_TEST(a_peer_of_low_order_is_refused)
{
	uint8_t key[32] = {9}, peer[32] = {0}, secret[32];
	struct kcf_param_ecdh p = {peer, sizeof(peer)};
	struct fake_template t = template_of("CKM_ECDH1_DERIVE", KCF_CLASS_DERIVE, key, 32);

	ck_assert_int_eq(run(&t, KCF_OP_DERIVE, &p, NULL, 0, secret, 32, NULL),
			 KCF_MECHANISM_PARAM_INVALID);
	peer[0] = 9;
	ck_assert_int_eq(run(&t, KCF_OP_DERIVE, &p, NULL, 0, secret, 32, NULL), KCF_SUCCESS);
	ck_assert_int_eq(run(&t, KCF_OP_DERIVE, &p, NULL, 0, secret, 31, NULL),
			 KCF_BUFFER_TOO_SMALL);
	fake_template_free(&fake, &t);
}
END_TEST

/* RFC 5869, appendix A.1, and RFC 6070, second vector. */
START_TEST(derives_into_flat_and_scattered_room)
{
	uint8_t ikm[22], salt[13], info[10], want[42], got[42];
	struct kcf_param_hkdf hkdf = {
		.hash = KCF_M_SHA256, .salt = salt, .salt_len = 13, .info = info, .info_len = 10};
	struct kcf_param_pbkdf2 pbkdf2 = {KCF_M_SHA_1, 2, (const uint8_t *)"salt", 4};
	struct iovec out[] = {{got, 1}, {got + 1, 41}};
	struct fake_template t;
	struct kcf_job job;

	memset(ikm, 0x0b, sizeof(ikm));
	hex("000102030405060708090a0b0c", salt);
	hex("f0f1f2f3f4f5f6f7f8f9", info);
	hex("3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865",
	    want);
	t = template_of("CKM_HKDF_DERIVE", KCF_CLASS_DERIVE, ikm, sizeof(ikm));
	fake_job(&job, &t, KCF_OP_DERIVE, KCF_SINGLE, &hkdf);
	fake_job_out(&job, out, 2);
	ck_assert_int_eq(fake_run(&fake, &job), KCF_SUCCESS);
	ck_assert_mem_eq(got, want, 42);
	hkdf.hash = KCF_M_AES_GCM;
	ck_assert_int_eq(fake_run(&fake, &job), KCF_MECHANISM_PARAM_INVALID);
	fake_template_free(&fake, &t);

	t = template_of("CKM_PKCS5_PBKD2", KCF_CLASS_DERIVE, "password", 8);
	hex("ea6c014dc72d6f8ccd1ed92ace1d41f0d8de8957", want);
	ck_assert_int_eq(run(&t, KCF_OP_DERIVE, &pbkdf2, NULL, 0, got, 20, NULL), KCF_SUCCESS);
	ck_assert_mem_eq(got, want, 20);
	fake_template_free(&fake, &t);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("nettle");
	TCase *t = tcase_create("nettle");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, exports_rows_the_contract_allows);
	tcase_add_test(t, passes_its_known_answers);
	tcase_add_test(t, digests_scattered_bytes_into_scattered_room);
	tcase_add_test(t, too_little_room_returns_the_length_and_consumes_nothing);
	tcase_add_test(t, verifies_whole_and_truncated_macs_and_refuses_others);
	tcase_add_loop_test(t, pieces_of_any_size_and_in_place_give_the_same, 0, 6);
	tcase_add_test(t, updates_over_their_own_input_give_the_same);
	tcase_add_loop_test(t, a_bad_tag_wipes_the_output, 0, 3);
	tcase_add_test(t, refuses_parameters_and_lengths_that_cannot_be);
	tcase_add_test(t, reads_private_and_public_keys_in_der);
	tcase_add_test(t, a_peer_of_low_order_is_refused);
	tcase_add_test(t, derives_into_flat_and_scattered_room);
	suite_add_tcase(s, t);
	return test_main(s);
}
