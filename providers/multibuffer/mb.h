/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mb: the instance, the pool of lanes, and the classes behind the rows.
 *
 * libipsec-mb works on many messages at once, one in each lane of the vector registers, behind a
 * manager (IMB_MGR) which is large and for one thread at a time. So the instance keeps a pool:
 * a submit that needs lanes takes a pair of managers and gives it back, without a lock. What gains
 * nothing from lanes goes through functions of the library that need no manager; their addresses
 * are read from one that runs no jobs. Templates are only read, and are their own thread states.
 */
#ifndef MB_H
#define MB_H

#define NO_COMPAT_IMB_API_053
#include <intel-ipsec-mb.h>
#include "common/object.h"

#define likely(x)   __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)

#define BURST_MAX   64         /* jobs in lanes at a time */
#define TAG_MAX     64         /* the longest digest */
#define SCRATCH_LEN (1u << 18) /* room for messages that are not crypted in place */

/* The library counts in 16 bits what is in a lane. */
#define LANE_LEN_MAX 65534

/* A pair of managers with work space, for one thread at a time. */
struct lanes {
	IMB_MGR *wide;   /* the widest vectors of this CPU */
	IMB_MGR *narrow; /* fewer lanes, each faster: for few jobs; may be the same as wide */
	size_t n_scratch;
	IMB_JOB jobs[BURST_MAX];
	struct kcf_job *pending[BURST_MAX];
	struct kcf_job halves[2][BURST_MAX], *half[BURST_MAX]; /* of dual jobs */
	uint8_t tags[BURST_MAX][TAG_MAX] __attribute__((aligned(64)));
	uint8_t scratch[SCRATCH_LEN + 64] __attribute__((aligned(64))); /* some is read beyond */
};

#define POOL_SLOTS 64

struct pool_slot {
	struct lanes *lanes; /* atomic: exchanged */
} __attribute__((aligned(64)));

struct mb {
	const struct kcf_host *host;
	IMB_MGR *fns;       /* runs no jobs: its function pointers are constant */
	init_mb_mgr_t init; /* of every manager */
	bool is_auto;       /* the library chooses the vectors */
	struct pool_slot pool[POOL_SLOTS];
};

/* Takes lanes nobody uses, or makes some; NULL if out of memory. Thread: any. */
struct lanes *lanes_take(struct mb *mb);
/* Wipes what was in the work space. */
void lanes_give(struct mb *mb, struct lanes *l);
/* Frees all lanes: none is taken any more. */
void pool_deinit(struct mb *mb);

struct class_ops {
	enum kcf_status (*template_new)(struct mb *mb, const void *alg,
					const struct kcf_key_data *key, void **ret);
	/* Single-part jobs of one row; sets their status, and out_len which was 0. */
	void (*run)(struct mb *mb, const void *alg, struct kcf_job *const *jobs, unsigned n);
	/* INIT, UPDATE and FINAL_PHASE of one context; NULL if the rows have no contexts. */
	enum kcf_status (*step)(struct mb *mb, const void *alg, struct kcf_job *job);
};

extern const struct class_ops aead_class, ccm_class, cipher_class, gmac_class, hash_class;

/* How a row is done; in the row's priv. */
struct entry {
	const struct class_ops *ops;
	const void *alg;
};

extern const struct kcf_provider_ops mb_ops;
extern const struct kcf_mech_row mb_rows[];
extern const uint32_t mb_n_rows;

static inline const struct entry *entry_of(uint32_t row)
{
	return (const struct entry *)mb_rows[row].priv;
}

/* Fails all. */
void jobs_fail(struct kcf_job *const *jobs, unsigned n, enum kcf_status status);
bool equal_sec(const void *a, const void *b, size_t len);

/* explicit_bzero that the compiler may unroll: for a few words on the fast path. */
static inline __attribute__((always_inline)) void wipe_small(void *p, size_t len)
{
	__builtin_memset(p, 0, len);
	__asm__ volatile("" : : "r"(p) : "memory");
}

/* Dual jobs of one operation and one pair of rows. */
void dual_run(struct mb *mb, struct kcf_job *const *jobs, unsigned n);
bool dual_possible(uint32_t cipher_row, uint32_t mac_row);

enum kcf_status mb_self_test(struct mb *mb);

#endif
