/* SPDX-License-Identifier: Apache-2.0 */
/* test-direct - the local decision, and work done here, over kcf-openssl and kcf-nettle of the
 * build tree. */
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include "direct-world.h"
#include "test-main.h"

enum { OPENSSL = 0, NETTLE = 1 };

static const char *const modules[] = {"kcf-openssl.so", "kcf-nettle.so", NULL};
static struct world w;

static void setup(void)
{
	world_open(&w, modules);
}

static void teardown(void)
{
	world_close(&w);
}

/* ---- calls ---- */

static const struct kcf_mechanism sha256 = {KCF_M_SHA256, 0, NULL};
static const uint8_t abc_digest[32] = {
	0xba, 0x78, 0x16, 0xbf, 0x8f, 0x01, 0xcf, 0xea, 0x41, 0x41, 0x40,
	0xde, 0x5d, 0xae, 0x22, 0x23, 0xb0, 0x03, 0x61, 0xa3, 0x96, 0x17,
	0x7a, 0x9c, 0xb4, 0x10, 0xff, 0x61, 0xf2, 0x00, 0x15, 0xad,
};
static uint8_t key_bytes[32] = "0123456789abcdef0123456789abcde";
static uint8_t iv[12] = "nonce-nonce";

struct result {
	enum direct_verdict verdict;
	enum kcf_status status;
};

static struct result call_of(struct op_call *call)
{
	struct result r;

	call->client = &w.client;
	r.verdict = direct_call(w.d, call, &r.status);
	return r;
}

static struct result digest(const void *in, size_t len, uint8_t out[32], struct kcf_call_req *req)
{
	struct kcf_data i = kcf_flat(in, len), o = kcf_flat(out, 32);
	struct op_call call = {
		.op = KCF_OP_DIGEST, .mech = &sha256, .in = &i, .out = &o, .req = req};

	return call_of(&call);
}

#define ck_done(r, s)                                                                              \
	do {                                                                                       \
		struct result r_ = (r);                                                            \
		ck_assert_int_eq(r_.verdict, DIRECT_DONE);                                         \
		ck_assert_str_eq(kcf_status_name(r_.status), #s);                                  \
	} while (0)
#define ck_send(r) ck_assert_int_eq((r).verdict, DIRECT_SEND)

static struct result gcm(enum kcf_op op, const struct kcf_key *key, struct kcf_data *in,
			 struct kcf_data *out, struct kcf_call_req *req)
{
	struct kcf_param_aead p = {.iv = iv, .iv_len = 12};
	struct kcf_mechanism m = {KCF_M_AES_GCM, sizeof(p), &p};
	struct op_call call = {.op = op, .mech = &m, .key = key, .in = in, .out = out, .req = req};

	return call_of(&call);
}

static struct kcf_template *template(kcf_mech_t mech, const void *bytes, size_t len)
{
	struct kcf_key key = kcf_key_bytes(bytes, len);
	struct kcf_template *t = NULL;

	ck_assert_int_eq(direct_template_new(w.d, mech, &key, &t), KCF_SUCCESS);
	return t;
}

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
	const struct direct_plan plan = {.number = KCF_M_AES_GCM};
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
	ck_assert_int_eq(run_single(w.d, &plan, &step, p, &call, &io), KCF_INVALID_MAC);
	ck_assert_mem_eq(out, zero, 40);
	/* refused before it began: what is there may be the input */
	memset(out, 'i', 40);
	sloppy_status = KCF_DATA_LEN_RANGE;
	ck_assert_int_eq(run_single(w.d, &plan, &step, p, &call, &io), KCF_DATA_LEN_RANGE);
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

/* ---- where ---- */

START_TEST(always_queue_and_keys_in_kcfd_are_sent)
{
	struct kcf_call_req req = {.flags = KCF_ALWAYS_QUEUE};
	struct kcf_key named = kcf_key_named("k"), handle = {.kind = KCF_KEY_HANDLE};
	uint8_t in[16], out[32];
	struct kcf_data i = kcf_flat(in, 16), o = kcf_flat(out, 32);

	ck_send(digest("abc", 3, out, &req));
	ck_send(gcm(KCF_OP_ENCRYPT, &named, &i, &o, NULL));
	ck_send(gcm(KCF_OP_ENCRYPT, &handle, &i, &o, NULL));
	req.flags = KCF_NEVER_QUEUE;
	ck_send(gcm(KCF_OP_ENCRYPT, &handle, &i, &o, &req));
}
END_TEST

START_TEST(asynchronous_call_computes_here_only_if_it_is_short)
{
	struct kcf_param_pbkdf2 p = {KCF_M_SHA256, 1000, (const uint8_t *)"salt", 4};
	struct kcf_mechanism m = {KCF_M_PKCS5_PBKD2, sizeof(p), &p};
	struct kcf_key k = kcf_key_bytes("password", 8);
	struct kcf_call_req req = {0};
	uint8_t out[32];
	struct kcf_data o = kcf_flat(out, 32);
	struct op_call call = {.op = KCF_OP_DERIVE, .mech = &m, .key = &k, .out = &o, .req = &req};

	ck_done(digest("abc", 3, out, &req), SUCCESS);
	ck_assert_uint_ge(direct_predict_ns(w.d, KCF_M_PKCS5_PBKD2, 0), 200000);
	ck_send(call_of(&call));
	req.flags = KCF_NEVER_QUEUE;
	ck_send(call_of(&call));
	req.flags = KCF_WAIT;
	ck_done(call_of(&call), SUCCESS);
	call.req = NULL;
	ck_done(call_of(&call), SUCCESS);
}
END_TEST

START_TEST(hardware_is_asked_from_its_threshold_on)
{
	uint8_t in[8192] = {0}, out[32];

	world_add_hardware(&w, "CKM_SHA256", 4096);
	ck_done(digest(in, 4095, out, NULL), SUCCESS);
	ck_send(digest(in, 4096, out, NULL));
	w.writer.t->thresholds[table_find_name(w.d->view.copy, "CKM_SHA256")] = 8192;
	ck_done(digest(in, 4096, out, NULL), SUCCESS);
}
END_TEST

START_TEST(busy_hardware_is_passed_over_for_software_here)
{
	struct table_live *live = &w.writer.t->live[WORLD_HARDWARE];
	uint8_t in[8192] = {0}, out[32];

	world_add_hardware(&w, "CKM_SHA256", 0);
	ck_send(digest(in, 1, out, NULL));
	live->depth = 1;
	ck_done(digest(in, 1, out, NULL), SUCCESS);
	live->depth = 0;
	live->state = PROVIDER_BUSY;
	ck_done(digest(in, 1, out, NULL), SUCCESS);
	live->state = PROVIDER_FAILED;
	ck_done(digest(in, 1, out, NULL), SUCCESS);
	live->state = PROVIDER_READY;
	live->free_slots = 0;
	ck_done(digest(in, 1, out, NULL), SUCCESS);
}
END_TEST

START_TEST(never_queue_is_refused_where_only_a_queue_is_left)
{
	struct table_live *live = &w.writer.t->live[WORLD_HARDWARE];
	struct kcf_call_req req = {.flags = KCF_NEVER_QUEUE, .preference = KCF_ONLY_HARDWARE};
	uint8_t out[32];

	world_add_hardware(&w, "CKM_SHA256", 0);
	ck_send(digest("abc", 3, out, &req));
	live->depth = 3;
	ck_done(digest("abc", 3, out, &req), BUSY);
	ck_assert_int_eq(req.busy_reason, KCF_BUSY_WOULD_QUEUE);
	/* adaptive queues, synchronous waits */
	req.flags = 0;
	ck_send(digest("abc", 3, out, &req));
	req.flags = KCF_WAIT;
	ck_send(digest("abc", 3, out, &req));
	/* order only: software serves at once */
	req.flags = KCF_NEVER_QUEUE;
	req.preference = KCF_PREFER_HARDWARE;
	ck_done(digest("abc", 3, out, &req), SUCCESS);
}
END_TEST

START_TEST(preference_orders_and_filters)
{
	struct kcf_call_req req = {.flags = KCF_WAIT};
	uint8_t in[8192] = {0}, out[32];

	world_add_hardware(&w, "CKM_SHA256", 4096);
	req.preference = KCF_PREFER_HARDWARE;
	ck_send(digest(in, 1, out, &req));
	req.preference = KCF_PREFER_SOFTWARE;
	ck_done(digest(in, 8192, out, &req), SUCCESS);
	req.preference = KCF_ONLY_SOFTWARE;
	ck_done(digest(in, 8192, out, &req), SUCCESS);
	ck_assert_uint_eq(world_counted(w.page, KCF_M_SHA256, NETTLE).ops, 0);
	req.preference = KCF_ONLY_PROVIDER;
	req.provider = "nettle";
	ck_done(digest(in, 8192, out, &req), SUCCESS);
	ck_assert_uint_eq(world_counted(w.page, KCF_M_SHA256, NETTLE).ops, 1);
	req.provider = "device";
	ck_send(digest(in, 1, out, &req));
	req.provider = "nobody";
	ck_done(digest(in, 1, out, &req), MECH_NOT_SUPPORTED);
}
END_TEST

START_TEST(administrators_change_reaches_a_running_client)
{
	uint8_t out[32];

	for (int i = 0; i < 3; i++)
		ck_done(digest("abc", 3, out, NULL), SUCCESS);
	ck_assert_uint_eq(world_counted(w.page, KCF_M_SHA256, OPENSSL).ops, 3);
	world_enable(&w, "CKM_SHA256", "openssl", false);
	ck_done(digest("abc", 3, out, NULL), SUCCESS);
	ck_assert_mem_eq(out, abc_digest, 32);
	ck_assert_uint_eq(world_counted(w.page, KCF_M_SHA256, NETTLE).ops, 1);
	world_enable(&w, "CKM_SHA256", "nettle", false);
	ck_done(digest("abc", 3, out, NULL), MECH_NOT_SUPPORTED);
	world_enable(&w, "CKM_SHA256", "openssl", true);
	ck_done(digest("abc", 3, out, NULL), SUCCESS);
	ck_assert_uint_eq(world_counted(w.page, KCF_M_SHA256, OPENSSL).ops, 4);
}
END_TEST

START_TEST(plans_that_return_are_used_again)
{
	uint8_t out[32];
	unsigned n = 0;

	for (int i = 0; i < 50; i++) {
		ck_done(digest("abc", 3, out, NULL), SUCCESS);
		world_enable(&w, "CKM_SHA256", "openssl", i & 1);
	}
	for (struct direct_plan *p = w.d->hidden[KCF_M_SHA256]->plans; p; p = p->next)
		n++;
	/* both providers or one, before and after their modules were opened */
	ck_assert_uint_le(n, 4);
}
END_TEST

START_TEST(generation_makes_templates_anew)
{
	struct kcf_template *t = template(KCF_M_AES_GCM, key_bytes, 32);
	struct kcf_key k = kcf_key_tmpl(t);
	uint8_t in[16] = "text", x[32], y[32];
	struct kcf_data i = kcf_flat(in, 16), ox = kcf_flat(x, 32), oy = kcf_flat(y, 32);
	struct prepared *before = t->preps->prepared;

	ck_done(gcm(KCF_OP_ENCRYPT, &k, &i, &ox, NULL), SUCCESS);
	table_edit(&w.writer)->providers[OPENSSL].generation++;
	table_publish(&w.writer);
	ck_done(gcm(KCF_OP_ENCRYPT, &k, &i, &oy, NULL), SUCCESS);
	ck_assert_mem_eq(x, y, 32);
	ck_assert_ptr_ne(t->preps->prepared, before);
	template_unref(t);
}
END_TEST

START_TEST(untrusted_kcfd_runs_nothing_here)
{
	uint8_t out[32];

	world_attach(&w, false);
	ck_send(digest("abc", 3, out, NULL));
}
END_TEST

static int sealed_openssl(void)
{
	struct module_error err = {""};
	int fd = module_seal(TEST_MODULE_DIR "/kcf-openssl.so", &err);

	ck_assert_msg(fd >= 0, "%s", err.text);
	return fd;
}

START_TEST(module_that_comes_later_runs_here_if_kcfd_is_trusted)
{
	uint8_t out[32];
	int fd = sealed_openssl();

	world_attach(&w, false);
	ck_send(digest("abc", 3, out, NULL));
	direct_attach_module(w.d, OPENSSL, fd, false);
	ck_assert_int_eq(fcntl(fd, F_GETFD), -1);
	ck_send(digest("abc", 3, out, NULL));
	direct_attach_module(w.d, OPENSSL, sealed_openssl(), true);
	ck_done(digest("abc", 3, out, NULL), SUCCESS);
	ck_assert_mem_eq(out, abc_digest, 32);
	/* the row's next one takes its place, opened or not */
	direct_attach_module(w.d, OPENSSL, sealed_openssl(), true);
	direct_attach_module(w.d, OPENSSL, sealed_openssl(), true);
	ck_done(digest("abc", 3, out, NULL), SUCCESS);
	direct_attach_module(w.d, TABLE_PROVIDERS, sealed_openssl(), true);
}
END_TEST

START_TEST(another_version_in_the_row_is_not_run_here)
{
	struct table_copy *c;
	uint8_t out[32];
	struct kcf_call_req req = {
		.flags = KCF_WAIT, .preference = KCF_ONLY_PROVIDER, .provider = "openssl"};

	ck_done(digest("abc", 3, out, &req), SUCCESS);
	c = table_edit(&w.writer);
	c->providers[OPENSSL].version++;
	c->providers[OPENSSL].generation++;
	table_publish(&w.writer);
	ck_send(digest("abc", 3, out, &req));
}
END_TEST

START_TEST(modules_of_another_version_leave_everything_to_kcfd)
{
	struct kcf_param_iv p = {iv, 16};
	struct kcf_mechanism ctr = {KCF_M_AES_CTR, sizeof(p), &p};
	struct kcf_mechanism hmac = {KCF_M_SHA256_HMAC, 0, NULL};
	struct kcf_key k1 = kcf_key_bytes(key_bytes, 16), k2 = kcf_key_bytes(key_bytes, 32);
	uint8_t in[16] = "text", out[16], mac[32], iv16[16] = "sixteen bytes iv";
	struct kcf_data i = kcf_flat(in, 16), o = kcf_flat(out, 16), m = kcf_flat(mac, 32);
	struct op_call dual = {.op = KCF_OP_ENCRYPT_MAC,
			       .mech = &ctr,
			       .mech2 = &hmac,
			       .key = &k1,
			       .key2 = &k2,
			       .in = &i,
			       .out = &o,
			       .mac = &m};
	struct op_call one = {.op = KCF_OP_MAC, .mech = &hmac, .key = &k1, .in = &i, .out = &m};
	struct kcf_how how = {KCF_OP_MAC, &hmac, &k2, NULL};
	struct direct_context *ctx;
	enum kcf_status status;
	struct table_copy *c = table_edit(&w.writer);
	struct kcf_template *t;

	p.iv = iv16;
	c->providers[OPENSSL].version++;
	c->providers[NETTLE].version++;
	table_publish(&w.writer);
	t = template(KCF_M_SHA256_HMAC, key_bytes, 32);
	k1 = kcf_key_tmpl(t);
	ck_send(call_of(&one));
	k1 = kcf_key_bytes(key_bytes, 16);
	ck_send(call_of(&one));
	ck_send(call_of(&dual));
	ck_assert_int_eq(direct_context_new(w.d, &how, NULL, &ctx, &status), DIRECT_SEND);
	template_unref(t);
}
END_TEST

START_TEST(row_of_the_next_kcfd_may_be_another_provider)
{
	static const char *const turned[] = {"kcf-nettle.so", "kcf-openssl.so", NULL};
	struct kcf_template *t = template(KCF_M_AES_GCM, key_bytes, 32);
	struct kcf_key k = kcf_key_tmpl(t);
	uint8_t in[16] = "text", x[32], y[32];
	struct kcf_data i = kcf_flat(in, 16), ox = kcf_flat(x, 32), oy = kcf_flat(y, 32);
	struct world next;
	unsigned n = 0;

	ck_done(gcm(KCF_OP_ENCRYPT, &k, &i, &ox, NULL), SUCCESS);
	ck_done(gcm(KCF_OP_ENCRYPT, &k, &i, &ox, NULL), SUCCESS);
	direct_detach(w.d);
	/* the same generations, the same numbers of rows */
	world_open(&next, turned);
	table_writer_deinit(&w.writer);
	w.writer = next.writer;
	w.modules[0] = turned[0];
	w.modules[1] = turned[1];
	world_attach(&w, true);
	ck_done(gcm(KCF_OP_ENCRYPT, &k, &i, &oy, NULL), SUCCESS);
	ck_done(gcm(KCF_OP_ENCRYPT, &k, &i, &oy, NULL), SUCCESS);
	ck_assert_mem_eq(x, y, 32);
	for (struct direct_prep *p = t->preps; p; p = p->next, n++)
		ck_assert_str_eq(p->inst->desc->name, n ? "openssl" : "nettle");
	ck_assert_uint_eq(n, 2);
	template_unref(t);
	direct_free(next.d);
	page_unmap(next.page);
}
END_TEST

static struct kcf_template *shared_template;
static int stop;

/* Every call ends in one of the ways the moment allows, and a result is always right. */
static void *work_for_ever(void *arg)
{
	struct kcf_key k = kcf_key_tmpl(shared_template);
	uint8_t in[16] = "text", out[32];
	struct kcf_data i = kcf_flat(in, 16), o;
	const uint8_t *want = arg;
	struct result r;

	while (!__atomic_load_n(&stop, __ATOMIC_RELAXED)) {
		o = kcf_flat(out, 32);
		r = gcm(KCF_OP_ENCRYPT, &k, &i, &o, NULL);
		ck_assert(r.verdict == DIRECT_SEND || r.status == KCF_SUCCESS ||
			  r.status == KCF_NO_DAEMON);
		if (r.verdict == DIRECT_DONE && r.status == KCF_SUCCESS)
			ck_assert_mem_eq(out, want, 32);
		r = digest("abc", 3, out, NULL);
		ck_assert(r.verdict == DIRECT_SEND || r.status == KCF_SUCCESS ||
			  r.status == KCF_NO_DAEMON);
		if (r.verdict == DIRECT_DONE && r.status == KCF_SUCCESS)
			ck_assert_mem_eq(out, abc_digest, 32);
	}
	return NULL;
}

START_TEST(threads_go_on_while_everything_changes)
{
	uint8_t in[16] = "text", want[32];
	struct kcf_data d = kcf_flat(in, 16), o = kcf_flat(want, 32);
	struct kcf_key k;
	pthread_t threads[3];

	w.client.standalone = true;
	shared_template = template(KCF_M_AES_GCM, key_bytes, 32);
	k = kcf_key_tmpl(shared_template);
	ck_done(gcm(KCF_OP_ENCRYPT, &k, &d, &o, NULL), SUCCESS);
	for (int i = 0; i < 3; i++)
		pthread_create(&threads[i], NULL, work_for_ever, want);
	for (int i = 0; i < 150; i++) {
		world_enable(&w, "CKM_SHA256", "openssl", i & 1);
		world_enable(&w, "CKM_AES_GCM", "openssl", i & 2);
		table_edit(&w.writer)->providers[OPENSSL].generation += i % 8 == 0;
		table_publish(&w.writer);
		if (i % 8 == 3)
			direct_detach(w.d);
		if (i % 8 == 5)
			world_attach(&w, i % 16 != 5);
		sched_yield();
	}
	__atomic_store_n(&stop, 1, __ATOMIC_RELAXED);
	for (int i = 0; i < 3; i++)
		pthread_join(threads[i], NULL);
	template_unref(shared_template);
}
END_TEST

START_TEST(denied_mechanism_is_not_sent_but_may_run_here)
{
	struct kcf_call_req req = {.flags = KCF_ALWAYS_QUEUE};
	uint8_t in[8192] = {0}, out[32];
	int i;

	ck_done(digest("abc", 3, out, NULL), SUCCESS);
	i = table_find_name(w.d->view.copy, "CKM_SHA256");
	w.page->denied[i / 8] |= (uint8_t)(1 << i % 8);
	ck_done(digest("abc", 3, out, &req), PERMISSION_DENIED);
	ck_done(digest("abc", 3, out, NULL), SUCCESS);
	world_add_hardware(&w, "CKM_SHA256", 0);
	ck_done(digest(in, 8192, out, NULL), SUCCESS);
}
END_TEST

START_TEST(after_the_end_of_kcfd_standalone_goes_on_by_the_last_table)
{
	struct kcf_call_req req = {.flags = KCF_ALWAYS_QUEUE};
	uint8_t out[32];

	ck_done(digest("abc", 3, out, NULL), SUCCESS);
	direct_detach(w.d);
	ck_assert_ptr_null(direct_page(w.d));
	ck_done(digest("abc", 3, out, NULL), NO_DAEMON);
	w.client.standalone = true;
	direct_detach(w.d);
	ck_done(digest("abc", 3, out, NULL), SUCCESS);
	ck_done(digest("abc", 3, out, &req), NO_DAEMON);
	world_attach(&w, true);
	ck_assert_ptr_nonnull(direct_page(w.d));
	ck_done(digest("abc", 3, out, NULL), SUCCESS);
	ck_assert_uint_eq(world_counted(w.page, KCF_M_SHA256, OPENSSL).ops, 1);
}
END_TEST

START_TEST(client_that_never_had_a_kcfd_loads_the_folder)
{
	struct kcf_client alone = {.standalone = true};
	struct kcf_data i = kcf_flat("abc", 3), o;
	uint8_t out[32];
	struct op_call call = {.op = KCF_OP_DIGEST, .mech = &sha256, .in = &i, .out = &o};
	struct kcf_mech_info info[256];
	enum kcf_status status;
	size_t n = 256;

	o = kcf_flat(out, 32);
	alone.direct = direct_new(&alone);
	ck_assert_int_eq(direct_standalone(alone.direct, TEST_MODULE_DIR), KCF_SUCCESS);
	ck_assert_int_eq(direct_call(alone.direct, &call, &status), DIRECT_DONE);
	ck_assert_int_eq(status, KCF_SUCCESS);
	ck_assert_mem_eq(out, abc_digest, 32);
	ck_assert_int_eq(direct_mech_list(alone.direct, info, &n), KCF_SUCCESS);
	ck_assert_uint_gt(n, 20);
	for (size_t j = 0; j < n; j++) {
		ck_assert_int_eq(info[j].place, KCF_PLACE_CALLER);
		for (uint32_t k = 0; k < info[j].n_providers; k++)
			ck_assert_str_ne(info[j].providers[k], "fault");
	}
	direct_free(alone.direct);
	/* and without leave to stand alone nothing runs */
	alone.standalone = false;
	alone.direct = direct_new(&alone);
	ck_assert_int_eq(direct_call(alone.direct, &call, &status), DIRECT_DONE);
	ck_assert_int_eq(status, KCF_NO_DAEMON);
	direct_free(alone.direct);
}
END_TEST

START_TEST(child_of_fork_works_alone_and_counts_nothing_of_the_parents)
{
	struct kcf_call_req req = {.flags = KCF_ALWAYS_QUEUE};
	uint8_t out[32];
	int status;
	pid_t pid;

	w.client.standalone = true;
	ck_done(digest("abc", 3, out, NULL), SUCCESS);
	pid = fork();
	if (!pid) {
		bool ok = digest("abc", 3, out, NULL).status == KCF_SUCCESS &&
			  digest("abc", 3, out, &req).status == KCF_NO_DAEMON && !direct_page(w.d);

		w.client.standalone = false;
		direct_detach(w.d);
		ok = ok && digest("abc", 3, out, NULL).status == KCF_NO_DAEMON;
		_exit(ok ? 0 : 1);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert(WIFEXITED(status) && !WEXITSTATUS(status));
	ck_assert_uint_eq(world_counted(w.page, KCF_M_SHA256, OPENSSL).ops, 1);
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

/* ---- look-up ---- */

START_TEST(info_tells_where_a_call_would_run)
{
	struct kcf_mech_info info;
	kcf_mech_t number;

	ck_assert_int_eq(direct_mech_find(w.d, "sha2-256", &number), KCF_SUCCESS);
	ck_assert_uint_eq(number, KCF_M_SHA256);
	ck_assert_int_eq(direct_mech_info(w.d, number, &info), KCF_SUCCESS);
	ck_assert_str_eq(info.name, "CKM_SHA256");
	ck_assert_uint_eq(info.n_providers, 2);
	ck_assert_str_eq(info.providers[0], "openssl");
	ck_assert_int_eq(info.place, KCF_PLACE_CALLER);
	world_add_hardware(&w, "CKM_SHA256", 4096);
	ck_assert_int_eq(direct_mech_info(w.d, number, &info), KCF_SUCCESS);
	ck_assert_uint_eq(info.threshold, 4096);
	ck_assert_int_eq(info.place, KCF_PLACE_CALLER);
	world_enable(&w, "CKM_SHA256", "openssl", false);
	world_enable(&w, "CKM_SHA256", "nettle", false);
	ck_assert_int_eq(direct_mech_info(w.d, number, &info), KCF_SUCCESS);
	ck_assert_int_eq(info.place, KCF_PLACE_HARDWARE);
	ck_assert_int_eq(direct_mech_info(w.d, 3000, &info), KCF_MECHANISM_INVALID);
	ck_assert_str_eq(direct_provider_name(w.d, WORLD_HARDWARE + 1), "device");
	ck_assert_str_eq(direct_provider_name(w.d, 0), "");
}
END_TEST

START_TEST(list_tells_how_many_there_are)
{
	struct kcf_mech_info info[2];
	size_t n = 2;

	ck_assert_int_eq(direct_mech_list(w.d, info, &n), KCF_BUFFER_TOO_SMALL);
	ck_assert_uint_gt(n, 40);
	ck_assert_uint_gt(info[1].n_providers, 0);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("direct");
	TCase *here = tcase_create("here"), *where = tcase_create("where"),
	      *bad = tcase_create("bad");

	if (access(TEST_MODULE_DIR "/kcf-nettle.so", R_OK) < 0)
		test_skip_all("the nettle provider was not built");
	tcase_add_checked_fixture(here, setup, teardown);
	tcase_add_checked_fixture(where, setup, teardown);
	tcase_add_checked_fixture(bad, setup, teardown);
	tcase_add_test(here, digest_runs_here);
	tcase_add_test(here, template_and_raw_key_give_the_same);
	tcase_add_test(here, failed_decryption_leaves_no_plaintext);
	tcase_add_test(here, what_a_failed_decryption_wrote_is_wiped);
	tcase_add_test(here, too_small_output_tells_the_length);
	tcase_add_test(here, pieces_and_place_do_not_matter);
	tcase_add_test(here, work_of_all_threads_is_counted);
	tcase_add_test(here, dual_encrypts_and_decrypts_here);
	tcase_add_test(here, names_not_listed_work_by_the_clients_number);
	suite_add_tcase(s, here);
	tcase_add_test(where, always_queue_and_keys_in_kcfd_are_sent);
	tcase_add_test(where, asynchronous_call_computes_here_only_if_it_is_short);
	tcase_add_test(where, hardware_is_asked_from_its_threshold_on);
	tcase_add_test(where, busy_hardware_is_passed_over_for_software_here);
	tcase_add_test(where, never_queue_is_refused_where_only_a_queue_is_left);
	tcase_add_test(where, preference_orders_and_filters);
	tcase_add_test(where, administrators_change_reaches_a_running_client);
	tcase_add_test(where, plans_that_return_are_used_again);
	tcase_add_test(where, generation_makes_templates_anew);
	tcase_add_test(where, untrusted_kcfd_runs_nothing_here);
	tcase_add_test(where, module_that_comes_later_runs_here_if_kcfd_is_trusted);
	tcase_add_test(where, another_version_in_the_row_is_not_run_here);
	tcase_add_test(where, modules_of_another_version_leave_everything_to_kcfd);
	tcase_add_test(where, row_of_the_next_kcfd_may_be_another_provider);
	tcase_add_test(where, threads_go_on_while_everything_changes);
	tcase_add_test(where, denied_mechanism_is_not_sent_but_may_run_here);
	tcase_add_test(where, after_the_end_of_kcfd_standalone_goes_on_by_the_last_table);
	tcase_add_test(where, client_that_never_had_a_kcfd_loads_the_folder);
	tcase_add_test(where, child_of_fork_works_alone_and_counts_nothing_of_the_parents);
	tcase_add_test(where, info_tells_where_a_call_would_run);
	tcase_add_test(where, list_tells_how_many_there_are);
	suite_add_tcase(s, where);
	tcase_add_test(bad, next_provider_takes_a_key_length_the_first_does_not);
	tcase_add_test(bad, input_beyond_every_limit_is_too_big);
	tcase_add_test(bad, bad_keys_are_refused_when_the_template_is_made);
	tcase_add_test(bad, mechanism_without_the_class_is_not_supported);
	tcase_add_test(bad, bad_arguments_are_refused);
	tcase_add_test(bad, bad_parameters_are_refused);
	tcase_add_test(bad, verification_of_nothing_is_refused);
	suite_add_tcase(s, bad);
	return test_main(s);
}
