/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test-batch - kcf_submit_batch: each operation of a batch answers as its own function would, bad
 * ones among good ones, whoever does the work.
 *
 * KCF_BATCH_ROUNDS makes more batches of made-up calls, KCF_BATCH_SEED others.
 */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "../bed.h"
#include "../test-main.h"
#include "made-up.h"

#define MOST 80u
#define FILL 0xa7

static struct bed bed;

static void setup(void)
{
	bed_open(&bed, NULL);
}

static void teardown(void)
{
	bed_close(&bed);
}

/* ---- made-up calls ---- */

struct result {
	enum kcf_status status;
	size_t used, mac_used;
	uint8_t out[ROOM], mac[128];
};

/* One operation with all it points to. */
struct made {
	struct call call;
	struct kcf_key key, key2;
	struct kcf_dual dual;
	uint8_t check[ROOM];
	struct result alone, together;
};

static struct made made[MOST];
static struct kcf_batch_op ops[MOST];

/* A template of the key, or its handle in kcfd, or its bytes. */
static struct kcf_key some_key(kcf_mech_t mech, const struct kcf_key *bytes)
{
	struct kcf_template *tmpl;
	struct kcf_key handle;
	unsigned kind = any(8);

	if (kind < 5 && kcf_template_create(bed.client, mech, bytes, &tmpl) == KCF_SUCCESS)
		return kcf_key_tmpl(tmpl);
	if (kind == 5 && kcf_key_import(bed.client, bytes, 0, &handle, NULL) == KCF_SUCCESS)
		return handle;
	return *bytes;
}

static void drop_key(const struct kcf_key *key)
{
	if (key->kind == KCF_KEY_TEMPLATE)
		kcf_template_destroy(key->tmpl);
	if (key->kind == KCF_KEY_HANDLE)
		kcf_key_destroy(bed.client, key, NULL);
}

static bool is_dual(enum kcf_op op)
{
	return op == KCF_OP_ENCRYPT_MAC || op == KCF_OP_MAC_DECRYPT;
}

/* Like the one before with other data, or something else. */
static void make_one(unsigned i)
{
	struct made *m = &made[i];
	uint8_t check[64] = {0};
	size_t n;

	if (i && any(4)) {
		m->call = made[i - 1].call;
		m->key = made[i - 1].key;
		m->key2 = made[i - 1].key2;
		if (m->call.mech.param == &made[i - 1].call.param)
			m->call.mech.param = &m->call.param;
	} else {
		make_up(&m->call);
		m->key = some_key(m->call.mech.number, &m->call.key);
		m->key2 = is_dual(m->call.op) ? some_key(m->call.mech2.number, &m->call.key2)
					      : m->call.key2;
		n = any(4) ? make_right(bed.client, &m->call, check) : 0;
		if (n)
			m->call.check_len = n;
		memcpy(m->call.key_bytes + 300, check, sizeof(check));
	}
	memcpy(m->check, m->call.key_bytes + 300, sizeof(check));
	if (!any(6))
		m->check[0] ^= 1;
	m->dual = (struct kcf_dual){&m->call.mech, &m->key, &m->call.mech2, &m->key2};
}

static bool owns_keys(unsigned i, unsigned n)
{
	return i + 1 == n || made[i + 1].key.tmpl != made[i].key.tmpl ||
	       memcmp(&made[i + 1].key.handle, &made[i].key.handle, sizeof(made[i].key.handle));
}

static struct kcf_batch_op op_of(struct made *m)
{
	struct call *c = &m->call;
	struct kcf_batch_op op = {
		.how = {c->op, &c->mech, c->op == KCF_OP_DIGEST ? NULL : &m->key, NULL},
		.in = kcf_flat(c->in_len && c->has_in ? c->in : NULL, c->in_len),
		.out = kcf_flat(m->together.out, c->room),
	};

	if (is_dual(c->op))
		op.how = (struct kcf_how){c->op, NULL, NULL, &m->dual};
	if (c->op == KCF_OP_ENCRYPT_MAC)
		op.mac = kcf_flat(m->together.mac, c->mac_room);
	else
		op.mac = kcf_flat(m->check, c->check_len);
	memset(m->together.out, FILL, sizeof(m->together.out));
	memset(m->together.mac, FILL, sizeof(m->together.mac));
	return op;
}

static enum kcf_status ask(struct made *m, struct kcf_data *out, struct kcf_data *mac)
{
	struct call *c = &m->call;
	struct kcf_data in = kcf_flat(c->in_len && c->has_in ? c->in : NULL, c->in_len);
	struct kcf_data check = kcf_flat(m->check, c->check_len);

	switch (c->op) {
	case KCF_OP_DIGEST:
		return kcf_digest(bed.client, &c->mech, &in, out, NULL);
	case KCF_OP_MAC:
		return kcf_mac(bed.client, &c->mech, &m->key, &in, out, NULL);
	case KCF_OP_MAC_VERIFY:
		return kcf_mac_verify(bed.client, &c->mech, &m->key, &in, &check, NULL);
	case KCF_OP_ENCRYPT:
		return kcf_encrypt(bed.client, &c->mech, &m->key, &in, out, NULL);
	case KCF_OP_DECRYPT:
		return kcf_decrypt(bed.client, &c->mech, &m->key, &in, out, NULL);
	case KCF_OP_SIGN:
		return kcf_sign(bed.client, &c->mech, &m->key, &in, out, NULL);
	case KCF_OP_VERIFY:
		return kcf_verify(bed.client, &c->mech, &m->key, &in, &check, NULL);
	case KCF_OP_ENCRYPT_MAC:
		return kcf_encrypt_mac(bed.client, &m->dual, &in, out, mac, NULL);
	case KCF_OP_MAC_DECRYPT:
		return kcf_mac_decrypt(bed.client, &m->dual, &in, &check, out, NULL);
	default:
		return kcf_derive(bed.client, &c->mech, &m->key, out, NULL);
	}
}

static void run_alone(struct made *m)
{
	struct result *r = &m->alone;
	struct kcf_data out = kcf_flat(r->out, m->call.room),
			mac = kcf_flat(r->mac, m->call.mac_room);

	memset(r->out, FILL, sizeof(r->out));
	memset(r->mac, FILL, sizeof(r->mac));
	r->status = ask(m, &out, &mac);
	r->used = out.used;
	r->mac_used = mac.used;
}

static bool writes(enum kcf_op op)
{
	return op != KCF_OP_MAC_VERIFY && op != KCF_OP_VERIFY;
}

/* What fails may leave its output as it was, or wiped. */
static bool is_untouched(const uint8_t *out, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (out[i] != FILL && out[i] != 0)
			return false;
	return true;
}

static bool same_output(enum kcf_status status, const uint8_t *a, const uint8_t *b, size_t len)
{
	return memcmp(a, b, len) == 0 || (status != KCF_SUCCESS && is_untouched(b, len));
}

/* NULL, or what is wrong. */
static const char *differ(const struct made *m)
{
	const struct result *a = &m->alone, *b = &m->together;
	bool lengths = a->status == KCF_SUCCESS || a->status == KCF_BUFFER_TOO_SMALL;

	if (a->status != b->status)
		return "another status";
	if (writes(m->call.op) && lengths && a->used != b->used)
		return "another length";
	if (m->call.op == KCF_OP_ENCRYPT_MAC && lengths && a->mac_used != b->mac_used)
		return "another length of the MAC";
	if (!same_output(a->status, a->out, b->out, ROOM) ||
	    !same_output(a->status, a->mac, b->mac, sizeof(a->mac)))
		return "another output";
	return NULL;
}

static unsigned compare(unsigned n, enum kcf_status all)
{
	enum kcf_status first = KCF_SUCCESS;
	unsigned bad = 0;

	for (unsigned i = 0; i < n; i++) {
		struct made *m = &made[i];
		const char *what;

		m->together.status = ops[i].status;
		m->together.used = ops[i].out.used;
		m->together.mac_used = ops[i].mac.used;
		if (first == KCF_SUCCESS)
			first = ops[i].status;
		what = differ(m);
		if (what && ++bad <= 40)
			fprintf(stderr,
				"# %s: op %d %s key %zu kind %d in %zu room %zu: alone %s %zu, "
				"together %s %zu\n",
				what, m->call.op, m->call.name->name, m->call.key.len, m->key.kind,
				m->call.in_len, m->call.room, kcf_status_name(m->alone.status),
				m->alone.used, kcf_status_name(m->together.status),
				m->together.used);
	}
	ck_assert_int_eq(first, all);
	return bad;
}

/* With openssl alone, then with multibuffer beside it, which takes what gains from company. */
START_TEST(each_answers_as_it_would_alone)
{
	const char *rounds = getenv("KCF_BATCH_ROUNDS"), *begin = getenv("KCF_BATCH_SEED");
	unsigned bad = 0, n_rounds = rounds ? (unsigned)atoi(rounds) : 150;

	if (_i && admin_try(&bed.kcfd, NULL, "load", "multibuffer", NULL) != KCF_SUCCESS)
		return; /* not built, or not for this CPU */
	made_up_seed = begin ? (unsigned)atoi(begin) : 1;
	for (unsigned round = 0; round < n_rounds; round++) {
		unsigned n = 1 + any(MOST);

		for (unsigned i = 0; i < n; i++) {
			make_one(i);
			run_alone(&made[i]);
			ops[i] = op_of(&made[i]);
		}
		bad += compare(n, kcf_submit_batch(bed.client, ops, n, NULL));
		for (unsigned i = 0; i < n; i++) {
			if (!owns_keys(i, n))
				continue;
			drop_key(&made[i].key);
			if (is_dual(made[i].call.op))
				drop_key(&made[i].key2);
		}
	}
	ck_assert_uint_eq(bad, 0);
	if (_i)
		ck_assert_uint_gt(admin_stat(&bed.kcfd, "ops", "caller", NULL, "multibuffer"), 100);
}
END_TEST

/* ---- one thing at a time ---- */

static uint8_t key_bytes[32] = "0123456789abcdef0123456789abcde";
static uint8_t iv[12] = "nonce-nonce";
static const struct kcf_param_aead aead = {.iv = iv, .iv_len = 12};
static const struct kcf_mechanism gcm = {KCF_M_AES_GCM, sizeof(aead), &aead};
static const struct kcf_mechanism hmac = {KCF_M_SHA256_HMAC, 0, NULL};
static uint8_t texts[MOST][64], sealed[MOST][80], opened[MOST][80];

static struct kcf_template *template(kcf_mech_t mech)
{
	struct kcf_key k = kcf_key_bytes(key_bytes, 32);
	struct kcf_template *t;

	ck_assert_int_eq(kcf_template_create(bed.client, mech, &k, &t), KCF_SUCCESS);
	return t;
}

static struct kcf_batch_op seal(const struct kcf_key *key, unsigned i)
{
	memset(texts[i], (int)i, 64);
	return (struct kcf_batch_op){.how = {KCF_OP_ENCRYPT, &gcm, key, NULL},
				     .in = kcf_flat(texts[i], 64),
				     .out = kcf_flat(sealed[i], 80)};
}

static struct kcf_batch_op open_sealed(const struct kcf_key *key, unsigned i)
{
	memset(opened[i], FILL, 80);
	return (struct kcf_batch_op){.how = {KCF_OP_DECRYPT, &gcm, key, NULL},
				     .in = kcf_flat(sealed[i], 80),
				     .out = kcf_flat(opened[i], 80)};
}

/* Into kcfd, and from there into this process. */
static void load_nettle(void)
{
	collect_reset(&bed.done);
	admin_do(&bed.kcfd, "load", "nettle", NULL);
	collect_wait_event(&bed.done, KCF_EVENT_PROVIDER_ADDED);
}

START_TEST(bad_ones_do_not_touch_good_ones)
{
	struct kcf_key key = kcf_key_tmpl(template(KCF_M_AES_GCM));
	unsigned n = 70;

	for (unsigned i = 0; i < n; i++)
		ops[i] = seal(&key, i);
	ck_assert_int_eq(kcf_submit_batch(bed.client, ops, n, NULL), KCF_SUCCESS);
	for (unsigned i = 0; i < n; i++) {
		ck_assert_int_eq(ops[i].status, KCF_SUCCESS);
		ck_assert_uint_eq(ops[i].out.used, 80);
		ops[i] = open_sealed(&key, i);
	}
	sealed[9][70] ^= 1;   /* its tag */
	ops[11].out.len = 63; /* too little room */
	ops[20].how.key = NULL;
	ops[21].how.mech = NULL;
	ops[22].how.op = 99;
	ops[23].how.op = KCF_OP_KEYGEN;
	ops[24].how.op = KCF_OP_ENCRYPT_MAC; /* without dual */
	ops[25].in = kcf_flat(NULL, 5);
	ops[26].out = kcf_flat(sealed[26] + 1, 64); /* overlaps */
	ck_assert_int_eq(kcf_submit_batch(bed.client, ops, n, NULL), KCF_INVALID_MAC);
	for (unsigned i = 0; i < n; i++) {
		if (i == 9) {
			ck_assert_int_eq(ops[i].status, KCF_INVALID_MAC);
			for (unsigned k = 0; k < 64; k++) /* wiped, or never written */
				ck_assert(opened[i][k] == 0 || opened[i][k] == FILL);
		} else if (i == 11) {
			ck_assert_int_eq(ops[i].status, KCF_BUFFER_TOO_SMALL);
			ck_assert_uint_eq(ops[i].out.used, 64);
		} else if (i >= 20 && i <= 26) {
			ck_assert_int_eq(ops[i].status, KCF_ARGUMENTS_BAD);
		} else {
			ck_assert_int_eq(ops[i].status, KCF_SUCCESS);
			ck_assert_uint_eq(ops[i].out.used, 64);
			ck_assert_mem_eq(opened[i], texts[i], 64);
		}
	}
}
END_TEST

START_TEST(keys_in_kcfd_and_here_mix)
{
	struct kcf_key here = kcf_key_tmpl(template(KCF_M_AES_GCM)), handle, kcfd;
	struct kcf_key bytes = kcf_key_bytes(key_bytes, 32);
	struct kcf_template *t;
	uint64_t before;

	ck_assert_int_eq(kcf_key_import(bed.client, &bytes, 0, &handle, NULL), KCF_SUCCESS);
	ck_assert_int_eq(kcf_template_create(bed.client, KCF_M_AES_GCM, &handle, &t), KCF_SUCCESS);
	kcfd = kcf_key_tmpl(t);
	before = admin_stat(&bed.kcfd, "ops", "kcfd", "CKM_AES_GCM", "openssl");
	for (unsigned i = 0; i < 60; i++)
		ops[i] = seal(i % 3 == 0 ? &here : i % 3 == 1 ? &handle : &kcfd, i);
	ck_assert_int_eq(kcf_submit_batch(bed.client, ops, 60, NULL), KCF_SUCCESS);
	ck_assert_uint_eq(admin_stat(&bed.kcfd, "ops", "kcfd", "CKM_AES_GCM", "openssl") - before,
			  40);
	for (unsigned i = 0; i < 60; i++)
		ops[i] = open_sealed(&here, i);
	ck_assert_int_eq(kcf_submit_batch(bed.client, ops, 60, NULL), KCF_SUCCESS);
	for (unsigned i = 0; i < 60; i++)
		ck_assert_mem_eq(opened[i], texts[i], 64);
}
END_TEST

static struct kcf_key by_handle(void)
{
	struct kcf_key bytes = kcf_key_bytes(key_bytes, 32), handle;
	struct kcf_template *t;

	ck_assert_int_eq(kcf_key_import(bed.client, &bytes, 0, &handle, NULL), KCF_SUCCESS);
	ck_assert_int_eq(kcf_template_create(bed.client, KCF_M_AES_GCM, &handle, &t), KCF_SUCCESS);
	return kcf_key_tmpl(t);
}

/* kcfd's own words when there is room for few requests, and little memory for their data. */
static void setup_narrow(void)
{
	bed_open(&bed, "[limits]\nlease = 8\nuser_arena = 2097152\n");
}

#define LARGE 100000u

START_TEST(what_has_no_room_takes_its_turn)
{
	static uint8_t large[MOST][LARGE + 16];
	struct kcf_key key = by_handle();

	for (unsigned i = 0; i < MOST; i++)
		ops[i] = seal(&key, i);
	ck_assert_int_eq(kcf_submit_batch(bed.client, ops, MOST, NULL), KCF_SUCCESS);
	for (unsigned i = 0; i < MOST; i++) {
		memset(large[i], (int)i, LARGE);
		ops[i] = seal(&key, i);
		ops[i].in = kcf_flat(large[i], LARGE); /* in place */
		ops[i].out = kcf_flat(large[i], LARGE + 16);
	}
	ck_assert_int_eq(kcf_submit_batch(bed.client, ops, MOST, NULL), KCF_SUCCESS);
	for (unsigned i = 0; i < MOST; i++) {
		ck_assert_uint_eq(ops[i].out.used, LARGE + 16);
		ops[i].how.op = KCF_OP_DECRYPT;
		ops[i].in = kcf_flat(large[i], LARGE + 16);
		ops[i].out = kcf_flat(large[i], LARGE);
	}
	large[17][5] ^= 1;
	ck_assert_int_eq(kcf_submit_batch(bed.client, ops, MOST, NULL), KCF_INVALID_MAC);
	for (unsigned i = 0; i < MOST; i++) {
		ck_assert_int_eq(ops[i].status, i == 17 ? KCF_INVALID_MAC : KCF_SUCCESS);
		if (i != 17)
			ck_assert(large[i][0] == i && large[i][LARGE - 1] == i);
	}
}
END_TEST

START_TEST(without_kcfd_only_its_work_fails)
{
	struct kcf_client_options options = bed.options;
	struct kcf_key here, there;

	options.flags = KCF_CLIENT_STANDALONE;
	options.on_event = NULL;
	kcf_client_close(bed.client);
	ck_assert_int_eq(kcf_client_open(&options, &bed.client), KCF_SUCCESS);
	here = kcf_key_tmpl(template(KCF_M_AES_GCM));
	there = by_handle();
	for (unsigned i = 0; i < 40; i++)
		ops[i] = seal(i % 2 ? &there : &here, i);
	ck_assert_int_eq(kcf_submit_batch(bed.client, ops, 40, NULL), KCF_SUCCESS);
	harness_kcfd_kill(&bed.kcfd);
	while (kcf_client_connected(bed.client))
		usleep(1000);
	ck_assert_int_eq(kcf_submit_batch(bed.client, ops, 40, NULL), KCF_NO_DAEMON);
	for (unsigned i = 0; i < 40; i++)
		ck_assert_int_eq(ops[i].status, i % 2 ? KCF_NO_DAEMON : KCF_SUCCESS);
}
END_TEST

START_TEST(work_is_counted_exactly)
{
	struct kcf_key key = kcf_key_tmpl(template(KCF_M_AES_GCM));
	struct kcf_key mac_key = kcf_key_tmpl(template(KCF_M_SHA256_HMAC));

	for (unsigned i = 0; i < 40; i++) {
		ops[i] = seal(&key, i);
		if (i % 4 == 3)
			ops[i].how = (struct kcf_how){KCF_OP_MAC, &hmac, &mac_key, NULL};
	}
	ops[0].out.len = 3;
	for (unsigned round = 0; round < 5; round++)
		ck_assert_int_eq(kcf_submit_batch(bed.client, ops, 40, NULL), KCF_BUFFER_TOO_SMALL);
	ck_assert_uint_eq(admin_stat(&bed.kcfd, "ops", "caller", "CKM_AES_GCM", "openssl"), 150);
	ck_assert_uint_eq(admin_stat(&bed.kcfd, "bytes", "caller", "CKM_AES_GCM", "openssl"),
			  150 * 64);
	ck_assert_uint_eq(admin_stat(&bed.kcfd, "errors", "caller", "CKM_AES_GCM", "openssl"), 5);
	ck_assert_uint_eq(admin_stat(&bed.kcfd, "ops", "caller", "CKM_SHA256_HMAC", "openssl"), 50);
	ck_assert_uint_eq(admin_stat(&bed.kcfd, "ops", "kcfd", NULL, NULL), 0);
}
END_TEST

START_TEST(request_may_only_wait)
{
	struct kcf_key key = kcf_key_tmpl(template(KCF_M_AES_GCM));
	struct kcf_call_req req = collect_req(&bed.done, KCF_ALWAYS_QUEUE),
			    wait = {.flags = KCF_WAIT,
				    .preference = KCF_ONLY_PROVIDER,
				    .provider = "nettle"};

	for (unsigned i = 0; i < 40; i++)
		ops[i] = seal(&key, i);
	ck_assert_int_eq(kcf_submit_batch(bed.client, ops, 40, &req), KCF_ARGUMENTS_BAD);
	for (unsigned i = 0; i < 40; i++)
		ck_assert_int_eq(ops[i].status, KCF_ARGUMENTS_BAD);
	load_nettle();
	ck_assert_int_eq(kcf_submit_batch(bed.client, ops, 40, &wait), KCF_SUCCESS);
	ck_assert_uint_eq(admin_stat(&bed.kcfd, "ops", "caller", "CKM_AES_GCM", "nettle"), 40);
	ck_assert_uint_eq(admin_stat(&bed.kcfd, "ops", "caller", "CKM_AES_GCM", "openssl"), 0);
	ck_assert_int_eq(kcf_submit_batch(NULL, ops, 40, NULL), KCF_ARGUMENTS_BAD);
	ck_assert_int_eq(kcf_submit_batch(bed.client, NULL, 40, NULL), KCF_ARGUMENTS_BAD);
	ck_assert_int_eq(kcf_submit_batch(bed.client, NULL, 0, NULL), KCF_SUCCESS);
}
END_TEST

START_TEST(disabled_offers_are_not_used_by_the_next_batch)
{
	struct kcf_key key = kcf_key_tmpl(template(KCF_M_AES_GCM));

	for (unsigned i = 0; i < 40; i++)
		ops[i] = seal(&key, i);
	ck_assert_int_eq(kcf_submit_batch(bed.client, ops, 40, NULL), KCF_SUCCESS);
	load_nettle();
	admin_do(&bed.kcfd, "disable", "openssl", "CKM_AES_GCM", NULL);
	ck_assert_int_eq(kcf_submit_batch(bed.client, ops, 40, NULL), KCF_SUCCESS);
	ck_assert_uint_eq(admin_stat(&bed.kcfd, "ops", "caller", "CKM_AES_GCM", "nettle"), 40);
	admin_do(&bed.kcfd, "disable", "nettle", "CKM_AES_GCM", NULL);
	ck_assert_int_eq(kcf_submit_batch(bed.client, ops, 40, NULL), KCF_MECH_NOT_SUPPORTED);
	for (unsigned i = 0; i < 40; i++)
		ck_assert_int_eq(ops[i].status, KCF_MECH_NOT_SUPPORTED);
}
END_TEST

/* ---- threads ---- */

static struct kcf_key shared;

static void *batches(void *arg)
{
	static const uint8_t text[64] = "shared by all";
	struct kcf_batch_op mine[40];
	uint8_t out[40][80], back[40][64];

	for (unsigned round = 0; round < 20; round++) {
		struct kcf_key own = kcf_key_tmpl(template(KCF_M_AES_GCM));

		for (unsigned i = 0; i < 40; i++)
			mine[i] = (struct kcf_batch_op){
				.how = {KCF_OP_ENCRYPT, &gcm, i % 2 ? &shared : &own, NULL},
				.in = kcf_flat(text, 64),
				.out = kcf_flat(out[i], 80)};
		ck_assert_int_eq(kcf_submit_batch(bed.client, mine, 40, NULL), KCF_SUCCESS);
		for (unsigned i = 0; i < 40; i++)
			mine[i] = (struct kcf_batch_op){
				.how = {KCF_OP_DECRYPT, &gcm, i % 2 ? &own : &shared, NULL},
				.in = kcf_flat(out[i], 80),
				.out = kcf_flat(back[i], 64)};
		ck_assert_int_eq(kcf_submit_batch(bed.client, mine, 40, NULL), KCF_SUCCESS);
		for (unsigned i = 0; i < 40; i++)
			ck_assert_mem_eq(back[i], text, 64);
		kcf_template_destroy(own.tmpl);
	}
	return NULL;
}

START_TEST(threads_share_templates)
{
	pthread_t threads[4];

	shared = kcf_key_tmpl(template(KCF_M_AES_GCM));
	for (int i = 0; i < 4; i++)
		pthread_create(&threads[i], NULL, batches, NULL);
	for (int i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	ck_assert_uint_eq(admin_stat(&bed.kcfd, "ops", "caller", "CKM_AES_GCM", "openssl"),
			  4 * 20 * 80);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("batch");
	TCase *tc = tcase_create("batch"), *narrow = tcase_create("narrow");

	tcase_set_timeout(tc, 120);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_loop_test(tc, each_answers_as_it_would_alone, 0, 2);
	tcase_add_test(tc, bad_ones_do_not_touch_good_ones);
	tcase_add_test(tc, keys_in_kcfd_and_here_mix);
	tcase_add_test(tc, work_is_counted_exactly);
	tcase_add_test(tc, request_may_only_wait);
	tcase_add_test(tc, disabled_offers_are_not_used_by_the_next_batch);
	tcase_add_test(tc, threads_share_templates);
	tcase_add_test(tc, without_kcfd_only_its_work_fails);
	suite_add_tcase(s, tc);
	tcase_set_timeout(narrow, 120);
	tcase_add_checked_fixture(narrow, setup_narrow, teardown);
	tcase_add_test(narrow, what_has_no_room_takes_its_turn);
	suite_add_tcase(s, narrow);
	return test_main(s);
}
