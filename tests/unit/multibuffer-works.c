/* SPDX-License-Identifier: Apache-2.0 */
/* multibuffer-works: see multibuffer-works.h. */
#include "multibuffer-works.h"
#include "../test-main.h"

struct fake_host mb, ref;

/* ---- what there is ------------------------------------------------------------------------- */

const struct kind kinds[N_KINDS] = {
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

struct keyed keyed[N_KINDS][KEYS_PER_ROW];

void fill(uint8_t *bytes, size_t len, unsigned seed)
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
static const char *const vectors[N_VECTORS] = {"auto", "sse", "avx", "avx2", "avx512"};

enum kcf_status open_with(const char *name, struct fake_host *ret)
{
	const char *config[] = {"vectors", name, NULL};
	enum kcf_status status = fake_host_open(ret, TEST_MODULE_DIR "/kcf-multibuffer.so", config);

	ret->config = NULL;
	return status;
}

static void works_setup_with(const char *name)
{
	ck_assert_int_eq(open_with(name, &mb), KCF_SUCCESS);
	ck_assert_int_eq(fake_host_open(&ref, TEST_MODULE_DIR "/kcf-openssl.so", NULL),
			 KCF_SUCCESS);
	for (unsigned i = 0; i < N(kinds); i++)
		for (unsigned k = 0; k < KEYS_PER_ROW; k++)
			keyed[i][k] = (struct keyed){&kinds[i], template_of(&mb, &kinds[i], k),
						     template_of(&ref, &kinds[i], k)};
}

void works_setup(void)
{
	works_setup_with("auto");
}

void works_teardown(void)
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

struct keyed *keyed_of(const char *name, unsigned key)
{
	for (unsigned i = 0; i < N(kinds); i++)
		if (strcmp(kinds[i].name, name) == 0)
			return &keyed[i][key];
	ck_abort_msg("%s", name);
	return NULL;
}

/* ---- one job, twice ------------------------------------------------------------------------- */

unsigned seed_state;

unsigned rnd(unsigned n)
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

void side_job(struct work *w, struct side *s, const struct fake_template *t)
{
	uint8_t *out = w->in_place ? s->in : s->out;

	fake_job(&s->job, t, w->op, KCF_SINGLE, w->param_at);
	fake_job_in(&s->job, s->in_iov, cut(s->in, w->len, w->n_pieces, s->in_iov));
	fake_job_out(&s->job, s->out_iov,
		     cut(out, w->room, w->n_pieces > 1 ? w->n_pieces - 1 : 1, s->out_iov));
	fake_job_check(&s->job, &s->check_iov, 1);
}

size_t random_len(const struct kind *k)
{
	static const size_t edges[] = {0, 1, 15, 16, 17, 31, 63, 64, 65, 127, 128, 129, 255, 256};
	size_t len = rnd(3) ? rnd(2000) : edges[rnd(N(edges))];

	if (rnd(8) == 0)
		len = rnd(LEN_MAX);
	return len / k->block * k->block;
}

void random_param(struct work *w)
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

void random_work(struct work *w, const struct keyed *keyed_by)
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

bool has_only(const uint8_t *bytes, size_t len, uint8_t one, uint8_t other)
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

void run_burst(struct work *works, unsigned n)
{
	struct kcf_job *jobs[JOBS_MAX] = {NULL};

	for (unsigned i = 0; i < n; i++) {
		jobs[i] = &works[i].mb.job;
		fake_run(&ref, &works[i].ref.job);
	}
	ck_assert_uint_eq(mb.desc->ops->submit(mb.prov, jobs, n), n);
	for (unsigned i = 0; i < n; i++)
		ck_same(&works[i], i, n);
}

struct work *works_new(void)
{
	struct work *works = calloc(JOBS_MAX, sizeof(*works));

	ck_assert_ptr_nonnull(works);
	return works;
}

/* Has this CPU the vectors? If so the test goes on with them. */
bool works_use_vectors(int i)
{
	struct fake_host f;

	if (i == 0)
		return true;
	if (open_with(vectors[i], &f) != KCF_SUCCESS)
		return false;
	fake_host_close(&f);
	works_teardown();
	works_setup_with(vectors[i]);
	return true;
}

bool works_cpu_can(void)
{
	struct fake_host f;
	bool can = fake_host_open(&f, TEST_MODULE_DIR "/kcf-multibuffer.so", NULL) == KCF_SUCCESS;

	if (can)
		fake_host_close(&f);
	return can;
}
