/* SPDX-License-Identifier: Apache-2.0 */
/*
 * multibuffer-works - made-up jobs for the multibuffer provider, each with what the openssl
 * provider makes of it alone.
 *
 * Works are made from seed_state: mechanism, key, length, pieces, in place or not, too little room,
 * tags that do not match. Both modules run under a fake host. One thread, but for the jobs
 * themselves.
 */
#ifndef KCF_MULTIBUFFER_WORKS_H
#define KCF_MULTIBUFFER_WORKS_H

#include "../fake-host.h"

#define N(a)         (sizeof(a) / sizeof((a)[0]))
#define JOBS_MAX     64
#define LEN_MAX      (16384 + 40)
#define BUF_LEN      (LEN_MAX + 128)
#define PIECES_MAX   4
#define KEYS_PER_ROW 3
#define N_KINDS      22
#define N_VECTORS    5

extern struct fake_host mb, ref;
extern unsigned seed_state;

/* A mechanism. */
struct kind {
	const char *name;
	uint32_t class;
	unsigned key_lens[KEYS_PER_ROW];
	unsigned iv_len, block;
};

extern const struct kind kinds[N_KINDS];

/* A kind with one key, in both modules. */
struct keyed {
	const struct kind *kind;
	struct fake_template mb, ref;
};

extern struct keyed keyed[N_KINDS][KEYS_PER_ROW];

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

/* Fixture. */
void works_setup(void);
void works_teardown(void);
/* Instead of the library's choice, vectors 1 to N_VECTORS - 1. false: this CPU has not got them. */
bool works_use_vectors(int i);
bool works_cpu_can(void);
enum kcf_status open_with(const char *vectors_name, struct fake_host *ret);

void fill(uint8_t *bytes, size_t len, unsigned seed);
unsigned rnd(unsigned n);
struct keyed *keyed_of(const char *name, unsigned key);
/* JOBS_MAX of them. */
struct work *works_new(void);
size_t random_len(const struct kind *k);
void random_param(struct work *w);
/* Makes both sides of w. */
void random_work(struct work *w, const struct keyed *keyed_by);
/* Fills a side's job from what w says. */
void side_job(struct work *w, struct side *s, const struct fake_template *t);
/* Submits n at once; each must be what the reference makes of it. */
void run_burst(struct work *works, unsigned n);
bool has_only(const uint8_t *bytes, size_t len, uint8_t one, uint8_t other);

#endif
