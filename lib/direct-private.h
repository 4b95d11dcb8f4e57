/* SPDX-License-Identifier: Apache-2.0 */
/*
 * direct-private - what the files of direct share.
 *
 * A plan is the table's word on one mechanism, reduced to what a call needs. It is current while
 * the epoch (which any change on this side moves, and fork wipes to 0) and the table's generation
 * are what they were. A mechanism's templates share it. Plans live as long as the client, prepared
 * ones as long as their template, so that a thread may look at them without a reference. d->lock
 * covers the view's copy, modules, names and the making of plans; it is never held while calling a
 * provider.
 */
#pragma once

#include "client-private.h"
#include "direct-data.h"

#define DIRECT_ASYNC_MAX_NS                                                                        \
	200000u            /* an asynchronous call computes in the caller's thread below this */
#define LEN_UNKNOWN   SIZE_MAX /* at the beginning of a context */
#define PLAN_FAST     2u   /* providers a plan can lead to without a walk */
#define DIRECT_HIDDEN 256u /* fixed mechanism numbers below this have a hidden template each */

/* On a page of its own that a fork wipes. */
struct direct_mark {
	uint64_t epoch;      /* plans */
	uint64_t page_epoch; /* another for each page that takes the place of the old one */
	uint32_t awake;      /* 0: a child nobody has looked after yet; 1: being done; 2: normal */
};

/* A provider's module, by table row. */
struct direct_module {
	int fd; /* to be opened at first need; -1 */
	bool opening, failed;
	const struct instance *inst; /* started, for the life of the process */
};

struct direct_name {
	struct direct_name *next;
	char text[];
};

struct direct {
	struct kcf_client *client;
	struct direct_mark *mark;
	struct page *page; /* one address for ever; shared with kcfd while attached */
	bool attached;     /* atomic */
	pthread_mutex_t lock;
	struct table_view view;
	struct direct_module modules[TABLE_PROVIDERS];
	struct kcf_template
		*hidden[DIRECT_HIDDEN];   /* atomic; for keyless work, and plans of raw keys */
	struct kcf_template **hidden_dyn; /* the same, by number - KCF_M_DYNAMIC; locked */
	char (*dyn_names)[KCF_NAME_MAX];  /* by number - KCF_M_DYNAMIC */
	uint32_t n_dyn;
	struct direct_name *names; /* provider names that were given out */
	struct direct_plan
		*plans; /* all there were; a thread may still look at an older one. Locked */
	struct count_thread *threads;
	uint32_t round_robin; /* atomic */
};

/* One offer. */
struct plan_step {
	uint16_t provider; /* table row */
	uint16_t offer;    /* place among the mechanism's offers in the table */
	bool hardware;
	bool here;                   /* its module can run in this process */
	const struct instance *inst; /* here, once its module was opened */
	uint32_t row;
	uint32_t classes;
	uint32_t row_flags;
	uint32_t generation;
	uint32_t setup_ns, ns_per_kib;
	uint32_t burst_setup_ns, burst_ns_per_kib;
	uint64_t max_input;
	uint32_t key_min_bits, key_max_bits, key_step_bits;
};

struct half;

/* A step, and what is prepared with it, where every call of a length in range ends whose class the
 * step permits. */
struct plan_fast {
	struct prepared *prep; /* atomic; NULL: not used yet. What follows is set before */
	uint64_t range;        /* atomic; first length, and last one << 32 */
	uint16_t step;
	uint16_t rivals; /* steps that could do it too; a bit each */
};

struct direct_plan {
	struct direct_plan *next;
	/* relaxed: a plan that is still right is given the new values */
	uint64_t epoch, generation;
	const uint64_t *generation_at;
	/* content: compared from here to the end of the used steps */
	enum kcf_status refusal; /* not SUCCESS: nothing can be served at all */
	int32_t index;           /* in the table, -1 */
	bool unlisted;           /* nobody offers it, not even disabled: kcfd may load who does */
	uint32_t number;         /* kcfd's */
	uint32_t mode;
	enum kcf_param_kind kind;
	enum kcf_preference preference; /* the client handle's */
	uint32_t n_steps;
	bool any_hardware;
	struct plan_step steps[TABLE_OFFERS];
};

/* A template's use of a plan. What calls look at is one cache line, for there may be ten thousand
 * templates. */
struct template_plan {
	struct template_plan *next;
	struct direct_plan *plan;
	struct plan_fast fast[2][PLAN_FAST]; /* alone, in company */
	/* a software step with which a call was sent; NULL until one was */
	const struct plan_step *sent_step; /* atomic */
};

/* A template with one provider. */
struct direct_prep {
	struct direct_prep *next;
	const struct instance *inst;
	uint16_t provider;
	uint32_t row, generation;
	enum kcf_status status; /* why there is none */
	struct prepared *prepared;
};

/* ---- direct-attach.c ---- */

/* The child after fork, if it is one. Called where an epoch did not match. */
void direct_wake(struct direct *d);
void direct_lock(struct direct *d);
void direct_unlock(struct direct *d);
/* Plans are to be made anew. Locked. */
void direct_new_epoch(struct direct *d);
static inline bool direct_attached(const struct direct *d)
{
	return __atomic_load_n(&d->attached, __ATOMIC_ACQUIRE);
}

/* ---- direct-load.c ---- */

/* The started provider of a table row, opened now if need be; NULL if it cannot run here. */
const struct instance *load_provider(struct direct *d, uint16_t row);
/* The started instance of a row if it is the provider the table speaks of. Locked. */
const struct instance *load_opened(struct direct *d, uint16_t row);
/* The software modules of a folder, by file name; not those for tests. Returns how many. */
unsigned load_folder(const char *dir, const struct instance **ret, unsigned room);
/* A started instance of the module in fd (taken), one per process. */
const struct instance *load_instance(int fd, struct module_error *err);

/* ---- direct-mech.c ---- */

/* Index in the view's copy, -1. Locked. */
int mech_index(struct direct *d, kcf_mech_t number);
/* The name of a mechanism this client knows; NULL. Locked. */
const char *mech_name_of(struct direct *d, kcf_mech_t number);
/* A number for a name, made if need be; 0: out of memory. Locked. */
kcf_mech_t mech_number_for(struct direct *d, const char *name);

/* ---- direct-param.c ---- */

/* Is param what the kind says, with bytes where it says bytes are? */
bool direct_param_ok(enum kcf_param_kind kind, const void *param, uint32_t param_len);
static inline bool param_bytes_ok(const void *p, size_t len)
{
	return p || !len;
}
/* KCF_IV_GENERATED is for keys that never leave kcfd: the caller's own nonce would be gone with
 * them. */
static inline bool param_aead_ok(const struct kcf_param_aead *a)
{
	return param_bytes_ok(a->iv, a->iv_len) && param_bytes_ok(a->aad, a->aad_len) &&
	       !(a->flags & ~KCF_IV_GENERATED) && (!(a->flags & KCF_IV_GENERATED) || a->iv_out);
}

/* ---- direct-plan.c ---- */

static inline bool plan_is_current(const struct direct *d, const struct direct_plan *p)
{
	return __atomic_load_n(&p->epoch, __ATOMIC_RELAXED) ==
		       __atomic_load_n(&d->mark->epoch, __ATOMIC_RELAXED) &&
	       __atomic_load_n(&p->generation, __ATOMIC_RELAXED) ==
		       __atomic_load_n(__atomic_load_n(&p->generation_at, __ATOMIC_RELAXED),
				       __ATOMIC_RELAXED);
}

/* The current plan of a template, made if need be; NULL: out of memory. */
struct template_plan *plan_get(struct direct *d, struct kcf_template *t);
/* Thread: the last one. */
void plans_free(struct direct *d);

/* ---- direct-order.c ---- */

/* What a call asks of a plan. */
struct plan_query {
	uint32_t classes;
	size_t len;
	enum kcf_key_format format;
	const void *key; /* raw bytes, or NULL for none or one that is not here */
	size_t key_len;
	enum kcf_preference preference;
	const char *provider;
	bool company; /* runs together with many others */
};
/* The steps that permit it, best first. Returns how many; if none, *ret_status says why. */
unsigned plan_order(struct direct *d, const struct direct_plan *p, const struct plan_query *q,
		    const struct plan_step **ret, enum kcf_status *ret_status);
/* The first of h's order was prepared: where no call of such a length can have another choice, the next
 * ones need not ask. */
void plan_note_fast(struct direct *d, const struct half *h, struct prepared *prep);
/* Does length alone decide between those who can run here? */
bool plan_length_decides(const struct direct_plan *p);
/* The costs may have moved: are the ranges still right? */
void plan_look_again(struct direct *d, struct template_plan *tp);
/* NULL: the long way. */
static inline const struct plan_fast *plan_fast(const struct template_plan *tp, size_t len,
						 bool company)
{
	for (unsigned i = 0; i < PLAN_FAST; i++) {
		const struct plan_fast *f = &tp->fast[company][i];
		uint64_t range;

		if (!__atomic_load_n(&f->prep, __ATOMIC_ACQUIRE))
			return NULL;
		range = __atomic_load_n(&f->range, __ATOMIC_RELAXED);
		if (len >= (uint32_t)range && len <= range >> 32)
			return f;
	}
	return NULL;
}
/* READY or BUSY; a hint. Software that runs here depends on nobody. */
bool plan_is_usable(struct direct *d, const struct plan_step *s);
/* May the device be given work without waiting? A hint. */
bool plan_is_free(struct direct *d, const struct plan_step *s);
bool plan_is_denied(struct direct *d, const struct direct_plan *p);
/* By the mechanism row, whatever was learned. */
uint64_t plan_cost_ns(const struct plan_step *s, size_t len);

/* ---- direct-template.c ---- */

/* The hidden template of a mechanism; NULL: out of memory. */
struct kcf_template *template_hidden(struct direct *d, kcf_mech_t number);
/* The template prepared with the step's provider, made at first use. Borrowed from t. */
enum kcf_status template_prepare(struct direct *d, struct kcf_template *t,
				 const struct plan_step *s, struct prepared **ret);
/* For raw key bytes: a prepared for one call. Owned. */
enum kcf_status template_transient(struct direct *d, kcf_mech_t mech, const struct kcf_key *key,
				   const struct plan_step *s, struct prepared **ret);

/* ---- direct-count.c ---- */

/* Where the calling thread counts work of (mech, provider). */
struct count_at {
	struct page_row *row;
	struct page_cell *cell;
	uint64_t page_epoch;
};

/* From the thread's state of a prepared, filled in at its first use. */
void count_find(struct direct *d, struct tstate *ts, uint32_t mech, uint16_t provider,
		struct count_at *ret);
/* ns 0 = not timed. */
void count_call(struct direct *d, const struct count_at *at, enum kcf_op op, enum kcf_status status,
		size_t bytes, uint64_t ns);
/* Calls of one kind that ran together. */
void count_calls(struct direct *d, const struct count_at *at, enum kcf_op op,
		 const struct page_sum *sum, uint64_t ns);
/* Are the next n calls to be timed? */
static inline bool count_is_sample(const struct count_at *at, unsigned n)
{
	uint64_t at_call;

	if (!at->row)
		return false;
	at_call = __atomic_load_n(&at->row->ops, __ATOMIC_RELAXED) % PAGE_SAMPLE;
	return at_call <= PAGE_SAMPLE / 2 && PAGE_SAMPLE / 2 < at_call + n;
}
/* The thread's counters, from its state of the template. */
static inline void count_get(struct direct *d, struct tstate *ts, const struct direct_plan *p,
			     const struct plan_step *s, struct count_at *ret)
{
	void **data = tstate_data(ts);

	if (__builtin_expect(data[0] && (uintptr_t)data[2] == __atomic_load_n(&d->mark->page_epoch,
									      __ATOMIC_RELAXED),
			     1)) {
		ret->row = data[0];
		ret->cell = data[1];
		ret->page_epoch = (uintptr_t)data[2];
		return;
	}
	count_find(d, ts, p->number, s->provider, ret);
}
uint64_t count_now_ns(void);
/* The page is about to change its content, or to go; returns with the lock that thread exits need.
 */
void count_lock(void);
void count_unlock(void);
/* No thread counts here any more. count_lock is held. */
void count_forget(struct direct *d);

/* ---- direct-half.c ---- */

/* What an operation has besides the mechanism. */
#define HAS_KEY   0x1
#define HAS_OUT   0x2
#define HAS_CHECK 0x4
#define IS_DUAL   0x8
#define IN_KCFD   0x10 /* never here */
#define HAS_IN    0x20

extern const uint8_t op_shape[KCF_OP_COUNT];

/* A mechanism with its key. */
struct half {
	const struct kcf_mechanism *mech;
	const struct kcf_key *key;
	struct kcf_template *tmpl;
	struct template_plan *own; /* tmpl's */
	struct direct_plan *plan;
	enum kcf_key_kind kind; /* of the key itself */
	const struct plan_step *order[TABLE_OFFERS];
	unsigned n;
	bool company;         /* comes with many others */
	enum kcf_status none; /* why n is 0 */
};

/* Is a key of a kind the operation can have? */
bool half_key_ok(const struct kcf_key *key, uint8_t shape);
/* Fills h but for order; it has no company. */
enum kcf_status half_find(struct direct *d, const struct kcf_mechanism *mech,
			  const struct kcf_key *key, struct half *h);
/* Fills order, n, none. none SUCCESS with n 0: only kcfd can tell. company stays only where it will
 * run together with others. */
void half_order(struct direct *d, struct half *h, const struct kcf_call_req *req, uint32_t classes,
		size_t len);
/* Prepared with the step's provider. *ret_owned: to be dropped after the call. */
enum kcf_status half_prepare(struct direct *d, struct half *h, const struct plan_step *s,
			     struct prepared **ret, bool *ret_owned);
static inline bool half_is_here(const struct half *h)
{
	return h->kind == KCF_KEY_BYTES || h->kind == KCF_KEY_NONE;
}

/* A nonce that kcfd makes goes with a key that kcfd has. */
static inline bool half_param_ok(const struct direct_plan *p, const struct kcf_mechanism *mech,
				 bool key_here)
{
	const struct kcf_param_aead *aead = mech->param;

	if (__builtin_expect(!direct_param_ok(p->kind, mech->param, mech->param_len), 0))
		return false;
	return !key_here || p->kind != KCF_PARAM_AEAD || !(aead->flags & KCF_IV_GENERATED);
}

/* ---- direct-run.c ---- */

/* One job of a single-part call on the calling thread: counted, output wiped if decryption failed.
 * Sets out->used. */
enum kcf_status run_single(struct direct *d, struct template_plan *tp, const struct plan_step *s,
			   struct prepared *prep, const struct op_call *call,
			   const struct call_io *io);

/* Which classes permit an operation. */
extern const uint32_t op_classes[KCF_OP_COUNT];

/* Statuses that send a request to the next candidate. */
static inline bool status_is_provider_fault(enum kcf_status status)
{
	return status == KCF_DEVICE_ERROR || status == KCF_DEVICE_REMOVED ||
	       status == KCF_DEVICE_MEMORY || status == KCF_BUSY || status == KCF_BUFFER_TOO_BIG ||
	       status == KCF_KEY_SIZE_RANGE;
}
