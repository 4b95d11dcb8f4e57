/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test-multibuffer - bursts of mixed jobs, each of which must be what the openssl provider makes of
 * it alone.
 *
 * A burst is made from a seed: mechanisms, keys, lengths, pieces, in place or not, too little room,
 * tags that do not match. Both modules run under a fake host.
 */
#include "fake-host.h"
#include "test-main.h"

#include <pthread.h>
#include <sys/mman.h>

#define N(a)         (sizeof(a) / sizeof((a)[0]))
#define JOBS_MAX     64
#define LEN_MAX      (16384 + 40)
#define BUF_LEN      (LEN_MAX + 128)
#define PIECES_MAX   4
#define KEYS_PER_ROW 3
#define FENCED       4096

static struct fake_host mb, ref;

/* ---- what there is ------------------------------------------------------------------------- */

struct kind {
	const char *name;
	uint32_t class;
	unsigned key_lens[KEYS_PER_ROW];
	unsigned iv_len, block;
};

static const struct kind kinds[] = {
	{"CKM_SHA_1", KCF_CLASS_DIGEST, {0, 0, 0}, 0, 1},
	{"CKM_SHA224", KCF_CLASS_DIGEST, {0, 0, 0}, 0, 1},
	{"CKM_SHA256", KCF_CLASS_DIGEST, {0, 0, 0}, 0, 1},
	{"CKM_SHA384", KCF_CLASS_DIGEST, {0, 0, 0}, 0, 1},
	{"CKM_SHA512", KCF_CLASS_DIGEST, {0, 0, 0}, 0, 1},
	{"CKM_SHA_1_HMAC", KCF_CLASS_MAC, {20, 64, 200}, 0, 1},
	{"CKM_SHA224_HMAC", KCF_CLASS_MAC, {28, 64, 65}, 0, 1},
	{"CKM_SHA256_HMAC", KCF_CLASS_MAC, {32, 1, 100}, 0, 1},
	{"CKM_SHA384_HMAC", KCF_CLASS_MAC, {48, 128, 129}, 0, 1},
	{"CKM_SHA512_HMAC", KCF_CLASS_MAC, {64, 128, 400}, 0, 1},
	{"CKM_AES_CMAC", KCF_CLASS_MAC, {16, 32, 16}, 0, 1},
	{"CKM_AES_GMAC", KCF_CLASS_MAC, {16, 24, 32}, 12, 1},
	{"CKM_POLY1305", KCF_CLASS_MAC, {32, 32, 32}, 0, 1},
	{"CKM_AES_ECB", KCF_CLASS_CIPHER, {16, 24, 32}, 0, 16},
	{"CKM_AES_CBC", KCF_CLASS_CIPHER, {16, 24, 32}, 16, 16},
	{"CKM_AES_CBC_PAD", KCF_CLASS_CIPHER, {16, 24, 32}, 16, 1},
	{"CKM_AES_CTR", KCF_CLASS_CIPHER, {16, 24, 32}, 16, 1},
	{"CKM_AES_CFB128", KCF_CLASS_CIPHER, {16, 24, 32}, 16, 1},
	{"CKM_AES_OFB", KCF_CLASS_CIPHER, {16, 24, 32}, 16, 1},
	{"CKM_AES_GCM", KCF_CLASS_AEAD, {16, 24, 32}, 12, 1},
	{"CKM_AES_CCM", KCF_CLASS_AEAD, {16, 24, 32}, 13, 1},
	{"CKM_CHACHA20_POLY1305", KCF_CLASS_AEAD, {32, 32, 32}, 12, 1},
};

/* A kind with one key, in both modules. */
struct keyed {
	const struct kind *kind;
	struct fake_template mb, ref;
};

static struct keyed keyed[N(kinds)][KEYS_PER_ROW];

static void fill(uint8_t *bytes, size_t len, unsigned seed)
{
	for (size_t i = 0; i < len; i++) {
		seed = seed * 1103515245 + 12345;
		bytes[i] = (uint8_t)(seed >> 16);
	}
}

static struct fake_template template_of(struct fake_host *f, const struct kind *k, unsigned key)
{
	uint8_t bytes[512];
	struct kcf_key_data data = {KCF_KEY_RAW, bytes, k->key_lens[key]};
	struct fake_template t;
	int row = fake_row(f, k->name, k->class);

	fill(bytes, sizeof(bytes), key * 97 + 5);
	ck_assert_msg(row >= 0, "%s", k->name);
	ck_assert_int_eq(fake_template_new(f, (uint32_t)row, data.len ? &data : NULL, &t),
			 KCF_SUCCESS);
	return t;
}

/* All tests run with the vectors of this CPU; some again with each kind that other CPUs have. */
static const char *const vectors[] = {"auto", "sse", "avx", "avx2", "avx512"};

static enum kcf_status open_with(const char *name, struct fake_host *ret)
{
	const char *config[] = {"vectors", name, NULL};
	enum kcf_status status = fake_host_open(ret, TEST_MODULE_DIR "/kcf-multibuffer.so", config);

	ret->config = NULL;
	return status;
}

static void setup_with(const char *name)
{
	ck_assert_int_eq(open_with(name, &mb), KCF_SUCCESS);
	ck_assert_int_eq(fake_host_open(&ref, TEST_MODULE_DIR "/kcf-openssl.so", NULL),
			 KCF_SUCCESS);
	for (unsigned i = 0; i < N(kinds); i++)
		for (unsigned k = 0; k < KEYS_PER_ROW; k++)
			keyed[i][k] = (struct keyed){&kinds[i], template_of(&mb, &kinds[i], k),
						     template_of(&ref, &kinds[i], k)};
}

static void setup(void)
{
	setup_with("auto");
}

static void teardown(void)
{
	for (unsigned i = 0; i < N(kinds); i++) {
		for (unsigned k = 0; k < KEYS_PER_ROW; k++) {
			fake_template_free(&mb, &keyed[i][k].mb);
			fake_template_free(&ref, &keyed[i][k].ref);
		}
	}
	fake_host_close(&mb);
	fake_host_close(&ref);
}

static struct keyed *keyed_of(const char *name, unsigned key)
{
	for (unsigned i = 0; i < N(kinds); i++)
		if (strcmp(kinds[i].name, name) == 0)
			return &keyed[i][key];
	ck_abort_msg("%s", name);
	return NULL;
}

/* ---- one job, twice ------------------------------------------------------------------------- */

/* One side of a case: what a module gets. */
struct side {
	uint8_t in[BUF_LEN], out[BUF_LEN], check[64];
	struct iovec in_iov[PIECES_MAX], out_iov[PIECES_MAX], check_iov;
	struct kcf_job job;
};

struct work {
	const struct keyed *keyed, *mac; /* mac: of a dual job, else NULL */
	enum kcf_op op;
	size_t len, room;
	bool in_place;
	unsigned n_pieces;
	uint8_t iv[64], aad[80];
	union {
		struct kcf_param_iv iv;
		struct kcf_param_aead aead;
		struct kcf_param_mac mac;
	} param;
	struct kcf_param_mac mac_param;
	const void *param_at;
	struct side mb, ref;
};

static unsigned seed_state;

static unsigned rnd(unsigned n)
{
	seed_state = seed_state * 1664525 + 1013904223;
	return (seed_state >> 8) % n;
}

static unsigned cut(uint8_t *bytes, size_t len, unsigned n, struct iovec *iov)
{
	size_t at = 0;

	for (unsigned i = 0; i < n; i++) {
		size_t piece = i == n - 1 ? len - at : (len - at) * (i + 1) / (n + 1);

		iov[i] = (struct iovec){bytes + at, piece};
		at += piece;
	}
	return n;
}

static void side_job(struct work *w, struct side *s, const struct fake_template *t)
{
	uint8_t *out = w->in_place ? s->in : s->out;

	fake_job(&s->job, t, w->op, KCF_SINGLE, w->param_at);
	fake_job_in(&s->job, s->in_iov, cut(s->in, w->len, w->n_pieces, s->in_iov));
	fake_job_out(&s->job, s->out_iov,
		     cut(out, w->room, w->n_pieces > 1 ? w->n_pieces - 1 : 1, s->out_iov));
	fake_job_check(&s->job, &s->check_iov, 1);
}

static size_t random_len(const struct kind *k)
{
	static const size_t edges[] = {0, 1, 15, 16, 17, 31, 63, 64, 65, 127, 128, 129, 255, 256};
	size_t len = rnd(3) ? rnd(2000) : edges[rnd(N(edges))];

	if (rnd(8) == 0)
		len = rnd(LEN_MAX);
	return len / k->block * k->block;
}

static void random_param(struct work *w)
{
	const struct kind *k = w->keyed->kind;

	fill(w->iv, sizeof(w->iv), rnd(1000));
	fill(w->aad, sizeof(w->aad), rnd(1000));
	if (rnd(8) == 0) /* a counter about to wrap */
		memset(w->iv + 8, 0xff, 8);
	w->param_at = &w->param;
	if (k->class == KCF_CLASS_AEAD) {
		w->param.aead = (struct kcf_param_aead){
			.iv = w->iv,
			.iv_len = k->iv_len,
			.aad = w->aad,
			.aad_len = rnd(2) ? 13 : rnd(sizeof(w->aad)),
		};
		if (rnd(4) == 0 && strcmp(k->name, "CKM_AES_GCM") == 0)
			w->param.aead.iv_len = 1 + rnd(60);
		if (rnd(4) == 0 && k->key_lens[0] == 16)
			w->param.aead.tag_len = 12 + 2 * rnd(3);
	} else if (k->class == KCF_CLASS_CIPHER && k->iv_len) {
		w->param.iv = (struct kcf_param_iv){w->iv, k->iv_len};
	} else if (k->class == KCF_CLASS_MAC) {
		w->param.mac = (struct kcf_param_mac){.mac_len = rnd(3) ? 0 : 4 + rnd(12)};
		if (k->iv_len) {
			w->param.mac.iv = w->iv;
			w->param.mac.iv_len = rnd(4) ? k->iv_len : 1 + rnd(60);
		}
	} else {
		w->param_at = NULL;
	}
}

/* Room for what comes out, with some to spare; or one byte too little. */
static void random_room(struct work *w)
{
	size_t need = w->len;

	if (w->op == KCF_OP_MAC || w->op == KCF_OP_DIGEST)
		need = 64;
	else if (w->op == KCF_OP_ENCRYPT && w->keyed->kind->class == KCF_CLASS_AEAD)
		need += w->param.aead.tag_len ? w->param.aead.tag_len : 16;
	else if (strcmp(w->keyed->kind->name, "CKM_AES_CBC_PAD") == 0)
		need += 16;
	w->room = need + rnd(20);
	if (rnd(10) == 0 && need > 0)
		w->room = need - 1 - (w->op == KCF_OP_MAC ? 61 : 0);
	w->in_place = w->op == KCF_OP_ENCRYPT || w->op == KCF_OP_DECRYPT ? rnd(3) == 0 : false;
}

/* The input of a decryption or verification is what the reference made; sometimes with a flaw. */
static void seal_input(struct work *w, size_t len)
{
	struct kcf_job *job = &w->ref.job;
	enum kcf_op op = w->op;

	w->op = op == KCF_OP_DECRYPT ? KCF_OP_ENCRYPT : KCF_OP_MAC;
	w->len = len;
	w->room = sizeof(w->ref.out);
	side_job(w, &w->ref, &w->keyed->ref);
	ck_assert_int_eq(fake_run(&ref, job), KCF_SUCCESS);
	w->op = op;
	if (op == KCF_OP_DECRYPT) {
		memcpy(w->ref.in, w->ref.out, job->out_len);
		w->len = job->out_len;
		if (rnd(5) == 0 && w->len > 0)
			w->ref.in[rnd((unsigned)w->len)] ^= 1;
		return;
	}
	memcpy(w->ref.check, w->ref.out, job->out_len);
	w->ref.check_iov = (struct iovec){w->ref.check, job->out_len};
	if (rnd(4) == 0)
		w->ref.check[rnd((unsigned)job->out_len)] ^= 0x80;
	else if (rnd(6) == 0)
		w->ref.check_iov.iov_len--;
}

static const enum kcf_op ops_of[][2] = {{KCF_OP_DIGEST, KCF_OP_DIGEST},
					{KCF_OP_MAC, KCF_OP_MAC_VERIFY},
					{KCF_OP_ENCRYPT, KCF_OP_DECRYPT}};

static void random_work(struct work *w, const struct keyed *keyed_by)
{
	const struct kind *k = keyed_by->kind;
	unsigned row = k->class == KCF_CLASS_DIGEST ? 0 : k->class == KCF_CLASS_MAC ? 1 : 2;
	size_t len = random_len(k);

	memset(w, 0, sizeof(*w));
	w->keyed = keyed_by;
	w->op = ops_of[row][rnd(2)];
	w->n_pieces = 1;
	random_param(w);
	fill(w->ref.in, sizeof(w->ref.in), rnd(1 << 20));
	w->len = len;
	if (w->op == KCF_OP_DECRYPT || w->op == KCF_OP_MAC_VERIFY)
		seal_input(w, len);
	w->n_pieces = rnd(3) ? 1 : 1 + rnd(PIECES_MAX);
	random_room(w);
	memset(w->ref.out, 0xee, sizeof(w->ref.out));
	w->mb = w->ref;
	w->mb.check_iov.iov_base = w->mb.check;
	side_job(w, &w->mb, &w->keyed->mb);
	side_job(w, &w->ref, &w->keyed->ref);
}

static bool has_only(const uint8_t *bytes, size_t len, uint8_t one, uint8_t other)
{
	for (size_t i = 0; i < len; i++)
		if (bytes[i] != one && bytes[i] != other)
			return false;
	return true;
}

static void ck_same(const struct work *w, unsigned at, unsigned n)
{
	const struct kcf_job *a = &w->mb.job, *b = &w->ref.job;
	const uint8_t *in = w->in_place ? w->mb.in : w->mb.out;
	const uint8_t *want = w->in_place ? w->ref.in : w->ref.out;

	ck_assert_msg(a->status == b->status && a->out_len == b->out_len,
		      "%s op %d, job %u of %u, %zu bytes in %u pieces, room %zu: status %d for %d, "
		      "length %zu for %zu",
		      w->keyed->kind->name, w->op, at, n, w->len, w->n_pieces, w->room, a->status,
		      b->status, a->out_len, b->out_len);
	if (b->status == KCF_SUCCESS)
		ck_assert_msg(memcmp(in, want, b->out_len) == 0,
			      "%s op %d, job %u of %u, %zu bytes in %u pieces",
			      w->keyed->kind->name, w->op, at, n, w->len, w->n_pieces);
	else if (b->status == KCF_BUFFER_TOO_SMALL && !w->in_place)
		ck_assert(has_only(w->mb.out, BUF_LEN, 0xee, 0xee));
	if (b->status == KCF_INVALID_MAC && w->op == KCF_OP_DECRYPT && !w->in_place)
		ck_assert(has_only(w->mb.out, BUF_LEN, 0xee, 0));
}

static void run_burst(struct work *works, unsigned n)
{
	struct kcf_job *jobs[JOBS_MAX];

	for (unsigned i = 0; i < n; i++) {
		jobs[i] = &works[i].mb.job;
		fake_run(&ref, &works[i].ref.job);
	}
	ck_assert_uint_eq(mb.desc->ops->submit(mb.prov, jobs, n), n);
	for (unsigned i = 0; i < n; i++)
		ck_same(&works[i], i, n);
}

static struct work *works_new(void)
{
	struct work *works = calloc(JOBS_MAX, sizeof(*works));

	ck_assert_ptr_nonnull(works);
	return works;
}

/* ---- tests ---------------------------------------------------------------------------------- */

START_TEST(rows_are_what_the_contract_allows)
{
	ck_assert_int_eq(mb.desc->kind, KCF_SOFTWARE);
	for (uint32_t i = 0; i < mb.desc->n_rows; i++) {
		const struct kcf_mech_row *row = &mb.desc->rows[i];

		ck_assert_uint_le(row->key_min_bits, row->key_max_bits);
		ck_assert_uint_gt(row->setup_ns, 0);
		ck_assert_msg(!row->lanes || (row->burst_setup_ns &&
					      row->burst_ns_per_kib < row->ns_per_kib),
			      "%s", row->name);
		ck_assert(!!(row->flags & KCF_ROW_MULTI_PART) == !row->max_input || row->lanes);
	}
}
END_TEST

START_TEST(passes_its_known_answers)
{
	ck_assert_int_eq(mb.desc->ops->self_test(mb.prov), KCF_SUCCESS);
}
END_TEST

/* Has this CPU the vectors? If so the test goes on with them. */
static bool use_vectors(int i)
{
	struct fake_host f;

	if (i == 0)
		return true;
	if (open_with(vectors[i], &f) != KCF_SUCCESS)
		return false;
	fake_host_close(&f);
	teardown();
	setup_with(vectors[i]);
	return true;
}

/* A burst of every size, of jobs in random order: any row may stand beside any other. */
START_TEST(mixed_bursts_are_what_each_job_is_alone)
{
	struct work *works;

	if (!use_vectors(_i))
		return;
	works = works_new();
	for (unsigned n = 1; n <= JOBS_MAX; n += 1 + (_i != 0)) {
		seed_state = n * 7919;
		for (unsigned i = 0; i < n; i++)
			random_work(&works[i], &keyed[rnd(N(kinds))][rnd(KEYS_PER_ROW)]);
		run_burst(works, n);
	}
	free(works);
}
END_TEST

/* As kcfd groups them: jobs of one row side by side, so that lanes fill up and run over. */
START_TEST(bursts_of_one_row_are_what_each_job_is_alone)
{
	struct work *works = works_new();
	unsigned row = (unsigned)_i;

	for (unsigned n = 1; n <= JOBS_MAX; n += 1 + n / 8) {
		seed_state = n * 104729 + row;
		for (unsigned i = 0; i < n; i++)
			random_work(&works[i], &keyed[row][i * KEYS_PER_ROW / n]);
		run_burst(works, n);
	}
	free(works);
}
END_TEST

/* The library takes an HMAC of nothing for one of 64 KiB, and its lane is wrong from then on. */
START_TEST(an_empty_message_spoils_no_lane)
{
	struct work *works = works_new();

	for (unsigned round = 0; round < 4; round++) {
		for (unsigned i = 0; i < 20; i++) {
			seed_state = round + i;
			random_work(&works[i], keyed_of("CKM_SHA512_HMAC", 0));
			works[i].op = KCF_OP_MAC;
			works[i].len = i % 3 == 0 ? 0 : 100;
			works[i].room = 64;
			works[i].n_pieces = 1;
			side_job(&works[i], &works[i].mb, &works[i].keyed->mb);
			side_job(&works[i], &works[i].ref, &works[i].keyed->ref);
		}
		run_burst(works, 20);
	}
	free(works);
}
END_TEST

/* ---- dual ------------------------------------------------------------------------------------ */

static void dual_side(struct work *w, struct side *s, const struct fake_template *cipher,
		      const struct fake_template *mac)
{
	side_job(w, s, cipher);
	s->job.row2 = mac->row;
	s->job.tmpl2 = mac->tmpl;
	s->job.thread2 = mac->thread;
	s->job.param2 = &w->mac_param;
}

/* What the two halves make one after the other: w->ref becomes what a dual job should leave behind.
 */
static void dual_reference(struct work *w)
{
	struct side *s = &w->ref;
	struct kcf_job mac;
	struct iovec iov;

	w->op = KCF_OP_ENCRYPT;
	side_job(w, s, &w->keyed->ref);
	ck_assert_int_eq(fake_run(&ref, &s->job), KCF_SUCCESS);
	fake_job(&mac, &w->mac->ref, KCF_OP_MAC, KCF_SINGLE, &w->mac_param);
	iov = (struct iovec){s->out, s->job.out_len};
	fake_job_in(&mac, &iov, 1);
	s->check_iov = (struct iovec){s->check, sizeof(s->check)};
	fake_job_out(&mac, &s->check_iov, 1);
	ck_assert_int_eq(fake_run(&ref, &mac), KCF_SUCCESS);
	s->job.mac_len = mac.out_len;
}

static const char *const dual_ciphers[] = {"CKM_AES_CBC", "CKM_AES_CTR", "CKM_AES_CBC_PAD"};
static const char *const dual_macs[] = {"CKM_SHA256_HMAC", "CKM_SHA_1_HMAC", "CKM_SHA512_HMAC",
					"CKM_AES_CMAC"};

static void dual_work(struct work *w)
{
	memset(w, 0, sizeof(*w));
	w->keyed = keyed_of(dual_ciphers[rnd(3)], rnd(KEYS_PER_ROW));
	w->mac = keyed_of(dual_macs[rnd(4)], rnd(KEYS_PER_ROW));
	w->n_pieces = 1;
	w->len = random_len(w->keyed->kind);
	w->room = w->len + 16;
	random_param(w);
	w->mac_param.mac_len = rnd(2) ? 0 : 12;
	fill(w->ref.in, sizeof(w->ref.in), rnd(1 << 20));
	dual_reference(w);
}

/* flaw: 0 none, 1 the MAC's room is short by one, 2 the cipher's room is. */
static void dual_encrypt(struct work *w, unsigned flaw)
{
	struct kcf_job *job = &w->mb.job;

	w->op = KCF_OP_ENCRYPT_MAC;
	memcpy(w->mb.in, w->ref.in, sizeof(w->mb.in));
	memset(w->mb.out, 0xee, sizeof(w->mb.out));
	w->in_place = rnd(3) == 0;
	w->n_pieces = 1 + rnd(PIECES_MAX);
	w->room = w->ref.job.out_len - (flaw == 2);
	w->mb.check_iov = (struct iovec){w->mb.check, w->ref.job.mac_len - (flaw == 1)};
	dual_side(w, &w->mb, &w->keyed->mb, &w->mac->mb);
	ck_assert_uint_eq(job->check_len, w->mb.check_iov.iov_len);
}

static void ck_dual_encrypted(const struct work *w, unsigned flaw)
{
	const struct kcf_job *job = &w->mb.job;

	if (flaw) {
		ck_assert_int_eq(job->status, KCF_BUFFER_TOO_SMALL);
		ck_assert_uint_eq(flaw == 1 ? job->mac_len : job->out_len,
				  flaw == 1 ? w->ref.job.mac_len : w->ref.job.out_len);
		ck_assert_mem_eq(w->mb.in, w->ref.in, w->len);
		return;
	}
	ck_assert_int_eq(job->status, KCF_SUCCESS);
	ck_assert_uint_eq(job->out_len, w->ref.job.out_len);
	ck_assert_uint_eq(job->mac_len, w->ref.job.mac_len);
	ck_assert_mem_eq(w->mb.check, w->ref.check, job->mac_len);
	if (job->out_len)
		ck_assert_mem_eq(w->in_place ? w->mb.in : w->mb.out, w->ref.out, job->out_len);
}

START_TEST(dual_encrypts_then_macs_the_ciphertext)
{
	struct work *works = works_new();
	struct kcf_job *jobs[JOBS_MAX];

	for (unsigned n = 1; n <= JOBS_MAX; n += 3) {
		seed_state = n * 15485863;
		for (unsigned i = 0; i < n; i++) {
			dual_work(&works[i]);
			if (works[i].ref.job.out_len == 0)
				dual_encrypt(&works[i], 0);
			else
				dual_encrypt(&works[i], i % 7 == 3 ? 1 + i % 2 : 0);
			jobs[i] = &works[i].mb.job;
		}
		ck_assert_uint_eq(mb.desc->ops->submit(mb.prov, jobs, n), n);
		for (unsigned i = 0; i < n; i++)
			ck_dual_encrypted(&works[i],
					  works[i].room < works[i].ref.job.out_len
						  ? 2
						  : jobs[i]->check_len < works[i].ref.job.mac_len);
	}
	free(works);
}
END_TEST

static void dual_decrypt(struct work *w, bool flawed)
{
	w->op = KCF_OP_MAC_DECRYPT;
	memcpy(w->mb.in, w->ref.out, sizeof(w->mb.in));
	memset(w->mb.out, 0xee, sizeof(w->mb.out));
	memcpy(w->mb.check, w->ref.check, sizeof(w->mb.check));
	w->mb.check_iov = (struct iovec){w->mb.check, w->ref.job.mac_len};
	w->in_place = rnd(3) == 0;
	w->n_pieces = 1 + rnd(PIECES_MAX);
	w->room = w->ref.job.out_len;
	if (flawed)
		w->mb.check[rnd((unsigned)w->ref.job.mac_len)] ^= 4;
}

static void ck_dual_decrypted(const struct work *w, size_t len, bool flawed)
{
	const struct kcf_job *job = &w->mb.job;

	if (flawed) {
		ck_assert_int_eq(job->status, KCF_INVALID_MAC);
		ck_assert_uint_eq(job->out_len, 0);
		ck_assert(has_only(w->mb.out, w->room, 0xee, 0xee));
		ck_assert_mem_eq(w->mb.in, w->ref.out, w->room + 1); /* in place, too */
		return;
	}
	ck_assert_int_eq(job->status, KCF_SUCCESS);
	ck_assert_uint_eq(job->out_len, len);
	if (len)
		ck_assert_mem_eq(w->in_place ? w->mb.in : w->mb.out, w->ref.in, len);
}

START_TEST(dual_verifies_before_it_decrypts)
{
	struct work *works = works_new();
	struct kcf_job *jobs[JOBS_MAX];
	size_t lens[JOBS_MAX];

	for (unsigned n = 1; n <= JOBS_MAX; n += 3) {
		seed_state = n * 32452843;
		for (unsigned i = 0; i < n; i++) {
			dual_work(&works[i]);
			lens[i] = works[i].len;
			dual_decrypt(&works[i], i % 5 == 2);
			works[i].len = works[i].room;
			dual_side(&works[i], &works[i].mb, &works[i].keyed->mb, &works[i].mac->mb);
			jobs[i] = &works[i].mb.job;
		}
		ck_assert_uint_eq(mb.desc->ops->submit(mb.prov, jobs, n), n);
		for (unsigned i = 0; i < n; i++)
			ck_dual_decrypted(&works[i], lens[i], i % 5 == 2);
	}
	free(works);
}
END_TEST

START_TEST(dual_is_offered_for_ciphers_with_macs_alone)
{
	bool (*dual)(void *, uint32_t, uint32_t) = mb.desc->ops->dual;
	uint32_t cbc = keyed_of("CKM_AES_CBC", 0)->mb.row, gcm = keyed_of("CKM_AES_GCM", 0)->mb.row;
	uint32_t hmac = keyed_of("CKM_SHA256_HMAC", 0)->mb.row,
		 sha = keyed_of("CKM_SHA256", 0)->mb.row;

	ck_assert(dual(mb.prov, cbc, hmac));
	ck_assert(!dual(mb.prov, hmac, cbc));
	ck_assert(!dual(mb.prov, cbc, sha));
	ck_assert(!dual(mb.prov, gcm, hmac));
	ck_assert(!dual(mb.prov, mb.desc->n_rows, hmac));
	ck_assert(!dual(mb.prov, cbc, mb.desc->n_rows));
}
END_TEST

/* ---- beyond lanes ---------------------------------------------------------------------------- */

#define LONG_LEN 200016

/* Both modules, one flat job; returns the status, which must be the same, as must be the bytes. */
static enum kcf_status run_long(const char *name, enum kcf_op op, const uint8_t *iv, size_t len)
{
	struct keyed *k = keyed_of(name, 1);
	uint8_t *in = malloc(LONG_LEN), *out = malloc(LONG_LEN + 16), *want = malloc(LONG_LEN + 16);
	struct kcf_param_iv p = {iv, 16};
	struct iovec in_iov = {in, len}, out_iov = {out, LONG_LEN + 16},
		     want_iov = {want, LONG_LEN + 16};
	struct kcf_job a, b;

	fill(in, LONG_LEN, 4711);
	fake_job(&a, &k->mb, op, KCF_SINGLE, k->kind->iv_len ? &p : NULL);
	fake_job_in(&a, &in_iov, 1);
	fake_job_out(&a, &out_iov, 1);
	fake_job(&b, &k->ref, op, KCF_SINGLE, a.param);
	fake_job_in(&b, &in_iov, 1);
	fake_job_out(&b, &want_iov, 1);
	fake_run(&mb, &a);
	fake_run(&ref, &b);
	if (a.status == KCF_SUCCESS) {
		ck_assert_uint_eq(a.out_len, b.out_len);
		ck_assert_mem_eq(out, want, a.out_len);
	}
	free(in);
	free(out);
	free(want);
	return a.status;
}

START_TEST(messages_longer_than_a_lane_are_done_in_pieces)
{
	static const char *const names[] = {"CKM_AES_CBC", "CKM_AES_CTR", "CKM_AES_ECB",
					    "CKM_AES_CFB128", "CKM_AES_OFB"};
	static const size_t lens[] = {65488, 65504, 65520, 65536, 131040, LONG_LEN};
	uint8_t iv[16] = {1, 2, 3};

	for (unsigned i = 0; i < N(names); i++) {
		for (unsigned j = 0; j < N(lens); j++) {
			ck_assert_int_eq(run_long(names[i], KCF_OP_ENCRYPT, iv, lens[j]),
					 KCF_SUCCESS);
			ck_assert_int_eq(run_long(names[i], KCF_OP_DECRYPT, iv, lens[j]),
					 KCF_SUCCESS);
		}
	}
	for (unsigned j = 0; j < N(lens); j++)
		ck_assert_int_eq(run_long("CKM_AES_CBC_PAD", KCF_OP_ENCRYPT, iv, lens[j] - j),
				 KCF_SUCCESS);
}
END_TEST

START_TEST(padding_of_long_messages_is_judged_too)
{
	struct keyed *k = keyed_of("CKM_AES_CBC_PAD", 2);
	uint8_t *text = malloc(LONG_LEN), *sealed = malloc(LONG_LEN), iv[16] = {9};
	struct kcf_param_iv p = {iv, 16};
	struct iovec in = {text, LONG_LEN - 30}, out = {sealed, LONG_LEN};
	struct kcf_job job;

	fill(text, LONG_LEN, 5);
	fake_job(&job, &k->mb, KCF_OP_ENCRYPT, KCF_SINGLE, &p);
	fake_job_in(&job, &in, 1);
	fake_job_out(&job, &out, 1);
	ck_assert_int_eq(fake_run(&mb, &job), KCF_SUCCESS);
	in.iov_len = job.out_len;
	in.iov_base = sealed;
	out.iov_base = text;
	memset(text, 0, LONG_LEN);
	fake_job(&job, &k->mb, KCF_OP_DECRYPT, KCF_SINGLE, &p);
	fake_job_in(&job, &in, 1);
	fake_job_out(&job, &out, 1);
	ck_assert_int_eq(fake_run(&mb, &job), KCF_SUCCESS);
	ck_assert_uint_eq(job.out_len, LONG_LEN - 30);
	sealed[in.iov_len - 1] ^= 0x10;
	memset(text, 0xee, LONG_LEN);
	ck_assert_int_eq(fake_run(&mb, &job), KCF_INVALID_MAC);
	ck_assert_uint_eq(text[0], 0xee);
	free(text);
	free(sealed);
}
END_TEST

START_TEST(counters_wrap_in_all_their_128_bits)
{
	uint8_t iv[16];

	memset(iv, 0xff, 16);
	ck_assert_int_eq(run_long("CKM_AES_CTR", KCF_OP_ENCRYPT, iv, 1000), KCF_SUCCESS);
	iv[15] = 0xf0;
	ck_assert_int_eq(run_long("CKM_AES_CTR", KCF_OP_ENCRYPT, iv, 1000), KCF_SUCCESS);
	memset(iv, 0, 12);
	ck_assert_int_eq(run_long("CKM_AES_CTR", KCF_OP_DECRYPT, iv, 1001), KCF_SUCCESS);
}
END_TEST

START_TEST(hashes_end_where_a_lane_ends)
{
	const struct kcf_mech_row *row = &mb.desc->rows[keyed_of("CKM_SHA256", 0)->mb.row];

	ck_assert_uint_eq(row->max_input, 65534);
	row = &mb.desc->rows[keyed_of("CKM_SHA256_HMAC", 0)->mb.row];
	ck_assert_uint_eq(row->max_input, 65518); /* padding may make a block more of it */
	ck_assert_int_eq(run_long("CKM_SHA256", KCF_OP_DIGEST, NULL, 65534), KCF_SUCCESS);
	ck_assert_int_eq(run_long("CKM_SHA512", KCF_OP_DIGEST, NULL, 65534), KCF_SUCCESS);
	ck_assert_int_eq(run_long("CKM_SHA_1_HMAC", KCF_OP_MAC, NULL, 65534), KCF_SUCCESS);
	ck_assert_int_eq(run_long("CKM_AES_CMAC", KCF_OP_MAC, NULL, 65534), KCF_SUCCESS);
	ck_assert_int_eq(run_long("CKM_SHA256", KCF_OP_DIGEST, NULL, 65535), KCF_BUFFER_TOO_BIG);
}
END_TEST

/* ---- borders -------------------------------------------------------------------------------- */

/* A page between two that nobody may touch. */
static uint8_t *fenced_page(void)
{
	uint8_t *p = mmap(NULL, 3 * FENCED, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	ck_assert_ptr_ne(p, MAP_FAILED);
	ck_assert_int_eq(mprotect(p + FENCED, FENCED, PROT_READ | PROT_WRITE), 0);
	return p + FENCED;
}

/* len bytes of a fenced page, at its end or at its beginning. */
static uint8_t *at_border(uint8_t *page, size_t len, bool end)
{
	return end ? page + FENCED - len : page;
}

/* Everything a job points to lies against a border. */
static enum kcf_status run_at_border(const struct keyed *k, enum kcf_op op, size_t len, size_t room,
				     bool end, uint8_t *const pages[4], unsigned n)
{
	union {
		struct kcf_param_iv iv;
		struct kcf_param_aead aead;
		struct kcf_param_mac mac;
	} param;
	uint8_t *iv = at_border(pages[2], k->kind->iv_len, end);
	struct iovec in = {at_border(pages[0], len, end), len};
	struct iovec out = {at_border(pages[1], room, end), room};
	struct kcf_job jobs[JOBS_MAX], *list[JOBS_MAX];

	if (k->kind->class == KCF_CLASS_AEAD)
		param.aead = (struct kcf_param_aead){
			.iv = iv,
			.iv_len = k->kind->iv_len,
			.aad = at_border(pages[3], len % 47, end),
			.aad_len = len % 47,
		};
	else if (k->kind->class == KCF_CLASS_CIPHER)
		param.iv = (struct kcf_param_iv){iv, k->kind->iv_len};
	else
		param.mac = (struct kcf_param_mac){.iv = iv, .iv_len = k->kind->iv_len};
	for (unsigned i = 0; i < n; i++) {
		bool plain = k->kind->class == KCF_CLASS_DIGEST;

		fake_job(&jobs[i], &k->mb, op, KCF_SINGLE, plain ? NULL : &param);
		fake_job_in(&jobs[i], &in, 1);
		fake_job_out(&jobs[i], &out, 1);
		list[i] = &jobs[i];
	}
	mb.desc->ops->submit(mb.prov, list, n);
	return jobs[n - 1].status;
}

START_TEST(nothing_outside_the_payload_is_touched)
{
	unsigned row = (unsigned)_i % N(kinds);
	const struct kind *k = &kinds[row];
	uint8_t *pages[4];

	if (!use_vectors(_i / (int)N(kinds)))
		return;
	for (unsigned i = 0; i < 4; i++)
		pages[i] = fenced_page();
	for (size_t len = k->block; len < 700; len += k->block + len / 64 * k->block) {
		for (unsigned way = 0; way < 4; way++) {
			struct keyed *key = &keyed[row][len % KEYS_PER_ROW];
			unsigned n = way < 2 ? 1 : 20; /* both managers */
			size_t tag = k->class == KCF_CLASS_AEAD ? 16 : 0, room = len + tag;
			enum kcf_op op = KCF_OP_ENCRYPT;

			if (strcmp(k->name, "CKM_AES_CBC_PAD") == 0)
				room = len / 16 * 16 + 16;
			if (k->class == KCF_CLASS_DIGEST || k->class == KCF_CLASS_MAC) {
				op = k->class == KCF_CLASS_MAC ? KCF_OP_MAC : KCF_OP_DIGEST;
				room = 64;
			}
			ck_assert_int_eq(run_at_border(key, op, len, room, way & 1, pages, n),
					 KCF_SUCCESS);
			if (op != KCF_OP_ENCRYPT)
				continue;
			memcpy(at_border(pages[0], room, way & 1),
			       at_border(pages[1], room, way & 1), room);
			ck_assert_int_eq(
				run_at_border(key, KCF_OP_DECRYPT, room, len, way & 1, pages, 1),
				k->class == KCF_CLASS_AEAD ? KCF_INVALID_MAC : KCF_SUCCESS);
		}
	}
	for (unsigned i = 0; i < 4; i++)
		munmap(pages[i] - FENCED, 3 * FENCED);
}
END_TEST

/* ---- contexts -------------------------------------------------------------------------------- */

/* In parts of piece bytes, output over input if in_place; must be what the reference makes of it
 * whole. */
static void run_parts(const struct keyed *k, enum kcf_op op, const void *param, size_t len,
		      size_t piece, bool in_place)
{
	static uint8_t text[3000], out[3100], want[3100];
	struct iovec in_iov = {text, len}, out_iov = {want, sizeof(want)};
	struct kcf_job job;
	size_t done = 0, n_out = 0;
	void *ctx;

	fill(text, sizeof(text), (unsigned)(len + piece));
	fake_job(&job, &k->ref, op, KCF_SINGLE, param);
	fake_job_in(&job, &in_iov, 1);
	fake_job_out(&job, &out_iov, 1);
	ck_assert_int_eq(fake_run(&ref, &job), KCF_SUCCESS);
	fake_job(&job, &k->mb, op, KCF_INIT, param);
	ck_assert_int_eq(fake_run(&mb, &job), KCF_SUCCESS);
	for (ctx = job.ctx; done <= len; done += piece) {
		bool last = len - done < piece;

		in_iov = (struct iovec){text + done, last ? len - done : piece};
		out_iov = (struct iovec){in_place ? text + done : out + n_out,
					 in_place && !last ? piece : 200};
		fake_job(&job, &k->mb, op, last ? KCF_FINAL_PHASE : KCF_UPDATE, NULL);
		job.ctx = ctx;
		fake_job_in(&job, &in_iov, 1);
		fake_job_out(&job, &out_iov, 1);
		ck_assert_int_eq(fake_run(&mb, &job), KCF_SUCCESS);
		if (in_place)
			memcpy(out + n_out, text + done, job.out_len);
		n_out += job.out_len;
	}
	mb.desc->ops->context_free(mb.prov, ctx);
	ck_assert_mem_eq(out, want, n_out);
	ck_assert_uint_ge(n_out, len);
}

START_TEST(parts_of_any_size_equal_the_whole)
{
	static const size_t pieces[] = {1, 7, 15, 16, 17, 33, 100, 128};
	uint8_t iv[16];
	struct kcf_param_iv p = {iv, 16};
	struct kcf_param_aead aead = {.iv = iv, .iv_len = 12, .aad = iv, .aad_len = 16};

	memset(iv, 0xff, sizeof(iv));
	for (unsigned i = 0; i < N(pieces); i++) {
		run_parts(keyed_of("CKM_AES_CTR", 0), KCF_OP_ENCRYPT, &p, 1003, pieces[i], true);
		run_parts(keyed_of("CKM_AES_CTR", 0), KCF_OP_ENCRYPT, &p, 1003, pieces[i], false);
		for (unsigned place = 0; place < 1 + (pieces[i] % 16 == 0); place++) {
			run_parts(keyed_of("CKM_AES_CBC", 1), KCF_OP_ENCRYPT, &p, 1008, pieces[i],
				  place);
			run_parts(keyed_of("CKM_AES_CBC", 1), KCF_OP_DECRYPT, &p, 1008, pieces[i],
				  place);
			run_parts(keyed_of("CKM_AES_ECB", 2), KCF_OP_DECRYPT, NULL, 1008, pieces[i],
				  place);
			run_parts(keyed_of("CKM_AES_GCM", 2), KCF_OP_ENCRYPT, &aead, 1003,
				  pieces[i], false);
		}
	}
}
END_TEST

START_TEST(an_unfinished_block_is_an_error_of_final)
{
	struct keyed *k = keyed_of("CKM_AES_CBC", 0);
	uint8_t iv[16] = {0}, bytes[17] = {0}, out[32];
	struct kcf_param_iv p = {iv, 16};
	struct iovec in_iov = {bytes, 17}, out_iov = {out, 32};
	struct kcf_job job;
	void *ctx;

	fake_job(&job, &k->mb, KCF_OP_DECRYPT, KCF_INIT, &p);
	ck_assert_int_eq(fake_run(&mb, &job), KCF_SUCCESS);
	ctx = job.ctx;
	fake_job(&job, &k->mb, KCF_OP_DECRYPT, KCF_UPDATE, NULL);
	job.ctx = ctx;
	fake_job_in(&job, &in_iov, 1);
	fake_job_out(&job, &out_iov, 1);
	ck_assert_int_eq(fake_run(&mb, &job), KCF_SUCCESS);
	ck_assert_uint_eq(job.out_len, 16);
	fake_job(&job, &k->mb, KCF_OP_DECRYPT, KCF_FINAL_PHASE, NULL);
	job.ctx = ctx;
	ck_assert_int_eq(fake_run(&mb, &job), KCF_ENCRYPTED_DATA_LEN_RANGE);
	mb.desc->ops->context_free(mb.prov, ctx);
}
END_TEST

START_TEST(hashes_have_no_contexts)
{
	struct kcf_job job;

	fake_job(&job, &keyed_of("CKM_SHA256", 0)->mb, KCF_OP_DIGEST, KCF_INIT, NULL);
	ck_assert_int_eq(fake_run(&mb, &job), KCF_MECH_NOT_SUPPORTED);
}
END_TEST

/* ---- threads --------------------------------------------------------------------------------- */

#define N_THREADS 6

/* NULL, or what went wrong. */
static void *thread_run(void *arg)
{
	static char taken[] = "not all were taken", different[] = "something else came out";
	struct work *works = arg;
	struct kcf_job *jobs[20];

	for (unsigned round = 0; round < 50; round++) {
		for (unsigned i = 0; i < N(jobs); i++) {
			jobs[i] = &works[i].mb.job;
			memset(works[i].mb.out, 0, works[i].room);
		}
		if (mb.desc->ops->submit(mb.prov, jobs, N(jobs)) != N(jobs))
			return taken;
		for (unsigned i = 0; i < N(jobs); i++)
			if (jobs[i]->status != works[i].ref.job.status ||
			    (jobs[i]->status == KCF_SUCCESS &&
			     memcmp(works[i].mb.out, works[i].ref.out, jobs[i]->out_len)))
				return different;
	}
	return NULL;
}

/* All templates are shared, and more threads than processors make them meet in the pool. */
START_TEST(threads_share_templates_and_the_pool)
{
	struct work *works[N_THREADS];
	pthread_t threads[N_THREADS];

	seed_state = 99;
	for (unsigned t = 0; t < N_THREADS; t++) {
		works[t] = works_new();
		for (unsigned i = 0; i < 20; i++) {
			do {
				random_work(&works[t][i], &keyed[rnd(N(kinds))][rnd(KEYS_PER_ROW)]);
			} while (works[t][i].in_place);
			fake_run(&ref, &works[t][i].ref.job);
		}
	}
	for (unsigned t = 0; t < N_THREADS; t++)
		ck_assert_int_eq(pthread_create(&threads[t], NULL, thread_run, works[t]), 0);
	for (unsigned t = 0; t < N_THREADS; t++) {
		void *what;

		pthread_join(threads[t], &what);
		ck_assert_msg(!what, "%s", (const char *)what);
		free(works[t]);
	}
}
END_TEST

START_TEST(vectors_it_does_not_know_are_refused)
{
	struct fake_host f;

	ck_assert_int_eq(open_with("mmx", &f), KCF_ARGUMENTS_BAD);
	ck_assert_uint_eq(f.n_logged, 1);
	f.desc = NULL;
	fake_host_close(&f);
}
END_TEST

START_TEST(instances_live_side_by_side)
{
	struct fake_host other;

	ck_assert_int_eq(fake_host_open(&other, TEST_MODULE_DIR "/kcf-multibuffer.so", NULL),
			 KCF_SUCCESS);
	ck_assert_ptr_ne(other.prov, mb.prov);
	ck_assert_int_eq(other.desc->ops->self_test(other.prov), KCF_SUCCESS);
	fake_host_close(&other);
	ck_assert_int_eq(mb.desc->ops->self_test(mb.prov), KCF_SUCCESS);
}
END_TEST

static bool cpu_can(void)
{
	struct fake_host f;
	bool can = fake_host_open(&f, TEST_MODULE_DIR "/kcf-multibuffer.so", NULL) == KCF_SUCCESS;

	if (can)
		fake_host_close(&f);
	return can;
}

int main(void)
{
	Suite *suite = suite_create("multibuffer");
	TCase *tc = tcase_create("multibuffer");

	if (!cpu_can())
		test_skip_all("libipsec-mb cannot use this CPU");
	tcase_set_timeout(tc, 120);
	tcase_add_checked_fixture(tc, setup, teardown);
	suite_add_tcase(suite, tc);
	tcase_add_test(tc, rows_are_what_the_contract_allows);
	tcase_add_test(tc, passes_its_known_answers);
	tcase_add_loop_test(tc, mixed_bursts_are_what_each_job_is_alone, 0, N(vectors));
	tcase_add_loop_test(tc, bursts_of_one_row_are_what_each_job_is_alone, 0, N(kinds));
	tcase_add_test(tc, an_empty_message_spoils_no_lane);
	tcase_add_test(tc, dual_encrypts_then_macs_the_ciphertext);
	tcase_add_test(tc, dual_verifies_before_it_decrypts);
	tcase_add_test(tc, dual_is_offered_for_ciphers_with_macs_alone);
	tcase_add_test(tc, messages_longer_than_a_lane_are_done_in_pieces);
	tcase_add_test(tc, padding_of_long_messages_is_judged_too);
	tcase_add_test(tc, counters_wrap_in_all_their_128_bits);
	tcase_add_test(tc, hashes_end_where_a_lane_ends);
	tcase_add_loop_test(tc, nothing_outside_the_payload_is_touched, 0,
			    (int)(N(kinds) * N(vectors)));
	tcase_add_test(tc, parts_of_any_size_equal_the_whole);
	tcase_add_test(tc, an_unfinished_block_is_an_error_of_final);
	tcase_add_test(tc, hashes_have_no_contexts);
	tcase_add_test(tc, threads_share_templates_and_the_pool);
	tcase_add_test(tc, vectors_it_does_not_know_are_refused);
	tcase_add_test(tc, instances_live_side_by_side);
	return test_main(suite);
}
