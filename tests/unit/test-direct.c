/* SPDX-License-Identifier: Apache-2.0 */
/* test-direct - work done in the caller's thread, and what it refuses. */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "direct-calls.h"

/* ---- here ---- */

START_TEST(digest_runs_here)
{
	uint8_t out[32];

	ck_done(digest("abc", 3, out, NULL), SUCCESS);
	ck_assert_mem_eq(out, abc_digest, 32);
	ck_done(digest("abd", 3, out, NULL), SUCCESS);
	ck_assert_mem_ne(out, abc_digest, 32);
}
END_TEST

START_TEST(template_and_raw_key_give_the_same)
{
	struct kcf_template *t = template(KCF_M_AES_GCM, key_bytes, 32);
	struct kcf_key a = kcf_key_tmpl(t), b = kcf_key_bytes(key_bytes, 32);
	uint8_t in[64] = "plaintext", x[80], y[80], back[64];
	struct kcf_data i = kcf_flat(in, 64), ox = kcf_flat(x, 80), oy = kcf_flat(y, 80);
	struct kcf_data ob = kcf_flat(back, 64);

	for (int n = 0; n < 3; n++)
		ck_done(gcm(KCF_OP_ENCRYPT, &a, &i, &ox, NULL), SUCCESS);
	ck_assert_uint_eq(ox.used, 80);
	ck_done(gcm(KCF_OP_ENCRYPT, &b, &i, &oy, NULL), SUCCESS);
	ck_assert_mem_eq(x, y, 80);
	ck_done(gcm(KCF_OP_DECRYPT, &a, &ox, &ob, NULL), SUCCESS);
	ck_assert_mem_eq(in, back, 64);
	template_unref(t);
}
END_TEST

START_TEST(failed_decryption_leaves_no_plaintext)
{
	struct kcf_template *t = template(KCF_M_AES_GCM, key_bytes, 32);
	struct kcf_key k = kcf_key_tmpl(t);
	uint8_t in[64] = "plaintext", x[80], back[64];
	static const uint8_t zero[64];
	struct kcf_data i = kcf_flat(in, 64), o = kcf_flat(x, 80), b = kcf_flat(back, 64);

	ck_done(gcm(KCF_OP_ENCRYPT, &k, &i, &o, NULL), SUCCESS);
	x[79] ^= 1;
	memset(back, 'z', 64);
	ck_done(gcm(KCF_OP_DECRYPT, &k, &o, &b, NULL), INVALID_MAC);
	ck_assert_uint_eq(b.used, 0);
	ck_assert_mem_eq(back, zero, 64);
	template_unref(t);
}
END_TEST

/* A provider that writes what it decrypted and then finds the tag wrong, or refuses before it
 * writes. */
static enum kcf_status sloppy_status;

static unsigned sloppy_submit(void *prov, struct kcf_job *const *jobs, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		jobs[i]->status = sloppy_status;
		if (job_failed_late(sloppy_status))
			for (uint32_t j = 0; j < jobs[i]->n_out; j++)
				memset(jobs[i]->out[j].iov_base, 'p', jobs[i]->out[j].iov_len);
	}
	return n;
}

static enum kcf_status sloppy_new(void *prov, uint32_t row, const struct kcf_key_data *key,
				  void **ret)
{
	*ret = NULL;
	return KCF_SUCCESS;
}

static enum kcf_status sloppy_state(void *prov, void *tmpl, void **ret)
{
	*ret = NULL;
	return KCF_SUCCESS;
}

static void sloppy_free(void *prov, void *p)
{
}

START_TEST(what_a_failed_decryption_wrote_is_wiped)
{
	static const struct kcf_mech_row row = {
		.name = "KCF_X", .classes = KCF_CLASS_AEAD, .key_max_bits = 8};
	static const struct kcf_provider_ops ops = {.submit = sloppy_submit,
						    .template_new = sloppy_new,
						    .template_free = sloppy_free,
						    .thread_state_new = sloppy_state,
						    .thread_state_free = sloppy_free};
	const struct kcf_provider_desc desc = {.n_rows = 1, .rows = &row, .ops = &ops};
	const struct instance inst = {.desc = &desc};
	const struct kcf_key_data key = {KCF_KEY_RAW, key_bytes, 1};
	const struct kcf_mechanism m = {KCF_M_AES_GCM, 0, NULL};
	struct direct_plan plan = {.number = KCF_M_AES_GCM};
	struct template_plan own = {.plan = &plan};
	const struct plan_step step = {.provider = 5};
	uint8_t in[40] = "ciphertext", out[40];
	struct iovec pieces[3] = {{out, 10}, {out + 10, 10}, {out + 20, 20}};
	struct kcf_data i = kcf_flat(in, 40), o = kcf_iov(pieces, 3);
	struct op_call call = {.op = KCF_OP_DECRYPT, .mech = &m, .in = &i, .out = &o};
	struct call_io io;
	struct prepared *p;
	static const uint8_t zero[40];

	ck_assert(data_get(&i, &io.in) && data_get(&o, &io.out) && data_get(NULL, &io.check));
	ck_assert_int_eq(prepared_new(&inst, 0, &key, &p), KCF_SUCCESS);
	sloppy_status = KCF_INVALID_MAC;
	ck_assert_int_eq(run_single(w.d, &own, &step, p, &call, &io), KCF_INVALID_MAC);
	ck_assert_mem_eq(out, zero, 40);
	/* refused before it began: what is there may be the input */
	memset(out, 'i', 40);
	sloppy_status = KCF_DATA_LEN_RANGE;
	ck_assert_int_eq(run_single(w.d, &own, &step, p, &call, &io), KCF_DATA_LEN_RANGE);
	ck_assert_int_eq(out[0], 'i');
	ck_assert_uint_eq(world_counted(w.page, KCF_M_AES_GCM, 5).errors, 2);
	prepared_unref(p);
}
END_TEST

START_TEST(too_small_output_tells_the_length)
{
	struct kcf_key k = kcf_key_bytes(key_bytes, 32);
	uint8_t in[64], x[79];
	struct kcf_data i = kcf_flat(in, 64), o = kcf_flat(x, 79);

	ck_done(gcm(KCF_OP_ENCRYPT, &k, &i, &o, NULL), BUFFER_TOO_SMALL);
	ck_assert_uint_eq(o.used, 80);
}
END_TEST

START_TEST(pieces_and_place_do_not_matter)
{
	struct kcf_key k = kcf_key_bytes(key_bytes, 32);
	uint8_t in[64] = "some text that is longer than one block", flat[80], buf[80], other[80];
	struct iovec iv_in[3] = {{in, 1}, {in + 1, 30}, {in + 31, 33}};
	struct iovec iv_out[3] = {{other, 64}, {other + 64, 3}, {other + 67, 13}};
	struct kcf_data i = kcf_flat(in, 64), o = kcf_flat(flat, 80);
	struct kcf_data pi = kcf_iov(iv_in, 3), po = kcf_iov(iv_out, 3);
	struct kcf_data same_in = kcf_flat(buf, 64), same_out = kcf_flat(buf, 80);

	ck_done(gcm(KCF_OP_ENCRYPT, &k, &i, &o, NULL), SUCCESS);
	ck_done(gcm(KCF_OP_ENCRYPT, &k, &pi, &po, NULL), SUCCESS);
	ck_assert_mem_eq(flat, other, 80);
	memcpy(buf, in, 64);
	ck_done(gcm(KCF_OP_ENCRYPT, &k, &same_in, &same_out, NULL), SUCCESS);
	ck_assert_mem_eq(flat, buf, 80);
}
END_TEST

static void *digest_thread(void *arg)
{
	uint8_t out[32];

	for (int i = 0; i < 100; i++)
		ck_done(digest("abc", 3, out, NULL), SUCCESS);
	return NULL;
}

START_TEST(work_of_all_threads_is_counted)
{
	pthread_t threads[4];
	uint8_t out[32];
	struct page_row sum;

	for (int i = 0; i < 4; i++)
		pthread_create(&threads[i], NULL, digest_thread, NULL);
	for (int i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	for (int i = 0; i < 600; i++)
		ck_done(digest("abc", 3, out, NULL), SUCCESS);
	sum = world_counted(w.page, KCF_M_SHA256, OPENSSL);
	ck_assert_uint_eq(sum.ops, 1000);
	ck_assert_uint_eq(sum.bytes, 3000);
	ck_assert_uint_eq(sum.errors, 0);
	ck_assert_uint_ge(sum.samples, 2);
	/* cells of threads that ended are free again */
	for (unsigned i = 0, n = 0; i < PAGE_CELLS; i++) {
		n += w.page->cells[i].owner != 0;
		ck_assert_uint_le(n, 1);
	}
}
END_TEST

START_TEST(dual_encrypts_and_decrypts_here)
{
	struct kcf_param_iv p = {iv, 16};
	uint8_t iv16[16] = "sixteen bytes iv";
	struct kcf_mechanism ctr = {KCF_M_AES_CTR, sizeof(p), &p},
			     hmac = {KCF_M_SHA256_HMAC, 0, NULL};
	struct kcf_key k1 = kcf_key_bytes(key_bytes, 16), k2 = kcf_key_bytes(key_bytes, 32);
	uint8_t in[100] = "text", out[100], mac[32], back[100];
	struct kcf_data i = kcf_flat(in, 100), o = kcf_flat(out, 100), m = kcf_flat(mac, 32);
	struct kcf_data b = kcf_flat(back, 100);
	struct op_call call = {.op = KCF_OP_ENCRYPT_MAC,
			       .mech = &ctr,
			       .mech2 = &hmac,
			       .key = &k1,
			       .key2 = &k2,
			       .in = &i,
			       .out = &o,
			       .mac = &m};

	p.iv = iv16;
	ck_done(call_of(&call), SUCCESS);
	ck_assert_uint_eq(o.used, 100);
	ck_assert_uint_eq(m.used, 32);
	call.op = KCF_OP_MAC_DECRYPT;
	call.in = &o;
	call.check = &m;
	call.mac = NULL;
	call.out = &b;
	ck_done(call_of(&call), SUCCESS);
	ck_assert_mem_eq(in, back, 100);
	memset(back, 'z', 100);
	mac[0] ^= 1;
	ck_done(call_of(&call), INVALID_MAC);
	ck_assert_int_eq(back[0], 'z');
}
END_TEST

START_TEST(dual_works_with_templates_that_did_their_halves_alone)
{
	uint8_t iv16[16] = "sixteen bytes iv";
	struct kcf_param_iv p = {iv16, 16};
	struct kcf_mechanism ctr = {KCF_M_AES_CTR, sizeof(p), &p},
			     hmac = {KCF_M_SHA256_HMAC, 0, NULL};
	struct kcf_template *t1 = template(KCF_M_AES_CTR, key_bytes, 16),
			    *t2 = template(KCF_M_SHA256_HMAC, key_bytes, 32);
	struct kcf_key k1 = kcf_key_tmpl(t1), k2 = kcf_key_tmpl(t2);
	uint8_t in[100] = "text", out[100], mac[32], again[100], mac_again[32];
	struct kcf_data i = kcf_flat(in, 100), o = kcf_flat(out, 100), m = kcf_flat(mac, 32);
	struct kcf_data o2 = kcf_flat(again, 100), m2 = kcf_flat(mac_again, 32);
	struct op_call encrypt = {
		.op = KCF_OP_ENCRYPT, .mech = &ctr, .key = &k1, .in = &i, .out = &o};
	struct op_call sum = {.op = KCF_OP_MAC, .mech = &hmac, .key = &k2, .in = &o, .out = &m};
	struct op_call dual = {.op = KCF_OP_ENCRYPT_MAC,
			       .mech = &ctr,
			       .mech2 = &hmac,
			       .key = &k1,
			       .key2 = &k2,
			       .in = &i,
			       .out = &o2,
			       .mac = &m2};

	ck_done(call_of(&encrypt), SUCCESS);
	ck_done(call_of(&sum), SUCCESS);
	ck_done(call_of(&dual), SUCCESS);
	ck_assert_mem_eq(out, again, 100);
	ck_assert_mem_eq(mac, mac_again, 32);
	template_unref(t1);
	template_unref(t2);
}
END_TEST

START_TEST(names_not_listed_work_by_the_clients_number)
{
	struct table_copy *c;
	uint8_t out[32];
	struct kcf_data i = kcf_flat("abc", 3), o = kcf_flat(out, 32);
	struct kcf_mechanism m = {0};
	struct op_call call = {.op = KCF_OP_DIGEST, .mech = &m, .in = &i, .out = &o};

	ck_assert_int_eq(direct_mech_find(w.d, "KCF_UNHEARD", &m.number), KCF_MECH_NOT_SUPPORTED);
	/* the table calls it so, the module's row does not: it is refused here */
	c = table_edit(&w.writer);
	c->mechs[c->n_mechs] = c->mechs[table_find_name(c, "CKM_SHA256")];
	snprintf(c->mechs[c->n_mechs].name, 48, "KCF_UNHEARD");
	c->mechs[c->n_mechs++].number = 9999;
	table_publish(&w.writer);
	ck_assert_int_eq(direct_mech_find(w.d, "KCF_UNHEARD", &m.number), KCF_SUCCESS);
	ck_assert_uint_ge(m.number, KCF_M_DYNAMIC);
	ck_assert_uint_eq(direct_to_daemon(w.d, m.number), 9999);
	ck_assert_uint_eq(direct_from_daemon(w.d, 9999), m.number);
	ck_send(call_of(&call));
	m.number++;
	ck_done(call_of(&call), MECHANISM_INVALID);
}
END_TEST

/* ---- failover, keys, arguments ---- */

START_TEST(next_provider_takes_a_key_length_the_first_does_not)
{
	struct table_copy *c = table_edit(&w.writer);
	struct table_mech *m = &c->mechs[table_find_name(c, "CKM_AES_GCM")];
	struct kcf_key k = kcf_key_bytes(key_bytes, 32), odd = kcf_key_bytes(key_bytes, 17);
	uint8_t in[16], out[32];
	struct kcf_data i = kcf_flat(in, 16), o = kcf_flat(out, 32);

	m->offers[0].key_max_bits = 128;
	table_publish(&w.writer);
	ck_done(gcm(KCF_OP_ENCRYPT, &k, &i, &o, NULL), SUCCESS);
	ck_assert_uint_eq(world_counted(w.page, KCF_M_AES_GCM, NETTLE).ops, 1);
	ck_done(gcm(KCF_OP_ENCRYPT, &odd, &i, &o, NULL), KEY_SIZE_RANGE);
}
END_TEST

START_TEST(input_beyond_every_limit_is_too_big)
{
	struct table_copy *c = table_edit(&w.writer);
	struct table_mech *m = &c->mechs[table_find_name(c, "CKM_SHA256")];
	uint8_t in[100] = {0}, out[32];

	m->offers[0].max_input = 10;
	m->offers[1].max_input = 20;
	table_publish(&w.writer);
	ck_done(digest(in, 10, out, NULL), SUCCESS);
	ck_done(digest(in, 20, out, NULL), SUCCESS);
	ck_assert_uint_eq(world_counted(w.page, KCF_M_SHA256, NETTLE).ops, 1);
	ck_done(digest(in, 21, out, NULL), BUFFER_TOO_BIG);
}
END_TEST

START_TEST(bad_keys_are_refused_when_the_template_is_made)
{
	struct kcf_key k = kcf_key_bytes(key_bytes, 17), none = {0};
	struct kcf_template *t;

	ck_assert_int_eq(direct_template_new(w.d, KCF_M_AES_GCM, &k, &t), KCF_KEY_SIZE_RANGE);
	ck_assert_int_eq(direct_template_new(w.d, KCF_M_SHA256_RSA_PKCS, &k, &t),
			 KCF_KEY_TYPE_INCONSISTENT);
	ck_assert_int_eq(direct_template_new(w.d, KCF_M_SHA256, &k, &t), KCF_KEY_TYPE_INCONSISTENT);
	ck_assert_int_eq(direct_template_new(w.d, 3000, &k, &t), KCF_MECHANISM_INVALID);
	ck_assert_int_eq(direct_template_new(w.d, KCF_M_AES_GCM, &none, &t),
			 KCF_KEY_TYPE_INCONSISTENT);
	k.bytes = NULL;
	ck_assert_int_eq(direct_template_new(w.d, KCF_M_AES_GCM, &k, &t), KCF_ARGUMENTS_BAD);
	ck_assert_int_eq(direct_template_new(w.d, KCF_M_AES_GCM, NULL, &t), KCF_ARGUMENTS_BAD);
}
END_TEST

START_TEST(mechanism_without_the_class_is_not_supported)
{
	struct kcf_key k = kcf_key_bytes(key_bytes, 32);
	uint8_t in[16], out[32];
	struct kcf_data i = kcf_flat(in, 16), o = kcf_flat(out, 32);
	struct op_call call = {.op = KCF_OP_MAC, .mech = &sha256, .key = &k, .in = &i, .out = &o};

	ck_done(call_of(&call), MECH_NOT_SUPPORTED);
}
END_TEST

START_TEST(bad_arguments_are_refused)
{
	struct kcf_key k = kcf_key_bytes(key_bytes, 32);
	struct kcf_template *t = template(KCF_M_AES_GCM, key_bytes, 32);
	struct kcf_key kt = kcf_key_tmpl(t);
	uint8_t buf[200], out[32];
	struct kcf_data i = kcf_flat(buf, 16), o = kcf_flat(out, 32), bad = kcf_flat(NULL, 16);
	static struct iovec many[1025];
	struct iovec huge[2] = {{buf, SIZE_MAX}, {buf, 16}};
	struct kcf_data d;
	struct op_call call = {.op = KCF_OP_DIGEST, .in = &i, .out = &o};

	ck_done(call_of(&call), ARGUMENTS_BAD);
	call.mech = &sha256;
	call.out = NULL;
	ck_done(call_of(&call), ARGUMENTS_BAD);
	call.out = &o;
	call.op = (enum kcf_op)99;
	ck_done(call_of(&call), ARGUMENTS_BAD);
	ck_done(gcm(KCF_OP_ENCRYPT, NULL, &i, &o, NULL), ARGUMENTS_BAD);
	ck_done(gcm(KCF_OP_ENCRYPT, &k, &bad, &o, NULL), ARGUMENTS_BAD);
	ck_done(gcm(KCF_OP_ENCRYPT, &k, &i, &bad, NULL), ARGUMENTS_BAD);
	d = kcf_iov(huge, 2);
	ck_done(gcm(KCF_OP_ENCRYPT, &k, &d, &o, NULL), ARGUMENTS_BAD);
	d = kcf_iov(many, 1025);
	ck_done(gcm(KCF_OP_ENCRYPT, &k, &d, &o, NULL), ARGUMENTS_BAD);
	d = kcf_iov(many, 1024);
	ck_done(gcm(KCF_OP_ENCRYPT, &k, &d, &o, NULL), SUCCESS);
	/* overlap by one byte, from either side */
	d = kcf_flat(buf + 15, 100);
	ck_done(gcm(KCF_OP_ENCRYPT, &k, &i, &d, NULL), ARGUMENTS_BAD);
	i = kcf_flat(buf + 1, 16);
	d = kcf_flat(buf, 100);
	ck_done(gcm(KCF_OP_ENCRYPT, &k, &i, &d, NULL), ARGUMENTS_BAD);
	d = kcf_flat(buf + 17, 100);
	ck_done(gcm(KCF_OP_ENCRYPT, &k, &i, &d, NULL), SUCCESS);
	/* a template of another mechanism */
	call = (struct op_call){.op = KCF_OP_ENCRYPT, .key = &kt, .in = &i, .out = &o};
	call.mech = &(struct kcf_mechanism){KCF_M_AES_CTR, 0, NULL};
	ck_done(call_of(&call), ARGUMENTS_BAD);
	template_unref(t);
}
END_TEST

START_TEST(bad_parameters_are_refused)
{
	struct kcf_template *t = template(KCF_M_AES_GCM, key_bytes, 32);
	struct kcf_param_aead p = {.iv = iv, .iv_len = 12};
	struct kcf_mechanism m = {KCF_M_AES_GCM, sizeof(p), &p};
	struct kcf_key keys[2] = {kcf_key_tmpl(t), kcf_key_bytes(key_bytes, 32)};
	uint8_t in[16], out[32];
	struct kcf_data i = kcf_flat(in, 16), o = kcf_flat(out, 32);
	struct op_call call = {.op = KCF_OP_ENCRYPT, .mech = &m, .in = &i, .out = &o};

	for (int n = 0; n < 2; n++) {
		call.key = &keys[n];
		m.param_len = sizeof(p);
		m.param = &p;
		p.iv = iv;
		p.flags = 0;
		ck_done(call_of(&call), SUCCESS);
		m.param_len--;
		ck_done(call_of(&call), MECHANISM_PARAM_INVALID);
		m.param_len = 0;
		m.param = NULL;
		ck_done(call_of(&call), MECHANISM_PARAM_INVALID);
		m.param = &p;
		m.param_len = sizeof(p);
		p.iv = NULL;
		ck_done(call_of(&call), MECHANISM_PARAM_INVALID);
		p.iv = iv;
		p.flags = 0x80;
		ck_done(call_of(&call), MECHANISM_PARAM_INVALID);
		p.flags = KCF_IV_GENERATED; /* not with a key that is here */
		p.iv_out = out;
		ck_done(call_of(&call), MECHANISM_PARAM_INVALID);
		p.iv_out = NULL;
	}
	template_unref(t);
}
END_TEST

START_TEST(verification_of_nothing_is_refused)
{
	struct kcf_key k = kcf_key_bytes(key_bytes, 32);
	struct kcf_mechanism m = {KCF_M_SHA256_HMAC, 0, NULL};
	struct kcf_data i = kcf_flat("abc", 3), c = kcf_flat("", 0);
	struct op_call call = {
		.op = KCF_OP_MAC_VERIFY, .mech = &m, .key = &k, .in = &i, .check = &c};

	ck_done(call_of(&call), ARGUMENTS_BAD);
	call.check = NULL;
	ck_done(call_of(&call), ARGUMENTS_BAD);
	c = kcf_flat("01234567890123456789012345678901", 32);
	call.check = &c;
	ck_done(call_of(&call), INVALID_MAC);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("direct");
	TCase *t = tcase_create("direct");

	if (access(TEST_MODULE_DIR "/kcf-nettle.so", R_OK) < 0)
		test_skip_all("the nettle provider was not built");
	tcase_add_checked_fixture(t, calls_setup, calls_teardown);
	tcase_add_test(t, digest_runs_here);
	tcase_add_test(t, template_and_raw_key_give_the_same);
	tcase_add_test(t, failed_decryption_leaves_no_plaintext);
	tcase_add_test(t, what_a_failed_decryption_wrote_is_wiped);
	tcase_add_test(t, too_small_output_tells_the_length);
	tcase_add_test(t, pieces_and_place_do_not_matter);
	tcase_add_test(t, work_of_all_threads_is_counted);
	tcase_add_test(t, dual_encrypts_and_decrypts_here);
	tcase_add_test(t, dual_works_with_templates_that_did_their_halves_alone);
	tcase_add_test(t, names_not_listed_work_by_the_clients_number);
	tcase_add_test(t, next_provider_takes_a_key_length_the_first_does_not);
	tcase_add_test(t, input_beyond_every_limit_is_too_big);
	tcase_add_test(t, bad_keys_are_refused_when_the_template_is_made);
	tcase_add_test(t, mechanism_without_the_class_is_not_supported);
	tcase_add_test(t, bad_arguments_are_refused);
	tcase_add_test(t, bad_parameters_are_refused);
	tcase_add_test(t, verification_of_nothing_is_refused);
	suite_add_tcase(s, t);
	return test_main(s);
}
