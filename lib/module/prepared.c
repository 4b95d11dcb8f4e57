/* SPDX-License-Identifier: Apache-2.0 */
/*
 * prepared - templates of a provider, and their live states per thread.
 *
 * A tstate is known to two: its thread's table and its prepared's list; whoever lets go last frees
 * it. Its provider state is wiped once, by whoever exchanges IDLE for DEAD: the dropper, the
 * exiting thread, or, when the exchange at the end of a run gives DEAD, the runner.
 *
 * Serials are never used again, so a table may keep dead entries until it grows. The list locks are
 * held over fork.
 */
#include "module/tstate.h"
#include <assert.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

/* ---- locks ---- */

#define N_LOCKS 16

static pthread_mutex_t locks[N_LOCKS];
static pthread_once_t once = PTHREAD_ONCE_INIT;
static pthread_key_t exit_key;
static bool exit_key_made;
static uint64_t last_serial; /* atomic */

static pthread_mutex_t *lock_of(const struct prepared *p)
{
	return &locks[p->serial % N_LOCKS];
}

static void locks_take(void)
{
	for (int i = 0; i < N_LOCKS; i++)
		pthread_mutex_lock(&locks[i]);
}

static void locks_release(void)
{
	for (int i = N_LOCKS - 1; i >= 0; i--)
		pthread_mutex_unlock(&locks[i]);
}

/* ---- the thread's table: open addressing, linear probing, never full ---- */

struct entry {
	uint64_t serial; /* 0 = empty */
	struct tstate *ts;
};

struct ttable {
	uint64_t mask;
	uint64_t used;
	struct entry entries[];
};

static struct ttable_none {
	uint64_t mask;
	uint64_t used;
	struct entry entry;
} table_none;

/* One word: fits the static TLS surplus, so that the library can also be loaded at run time. */
static __thread struct ttable *table __attribute__((tls_model("initial-exec"))) =
	(struct ttable *)&table_none;

static inline struct tstate *table_get(uint64_t serial)
{
	const struct ttable *t = table;

	for (uint64_t i = serial;; i++) {
		const struct entry *e = &t->entries[i & t->mask];

		if (e->serial == serial)
			return e->ts;
		if (!e->serial)
			return NULL;
	}
}

static void table_put(struct ttable *t, uint64_t serial, struct tstate *ts)
{
	uint64_t i = serial & t->mask;

	while (t->entries[i].serial)
		i = (i + 1) & t->mask;
	t->entries[i].serial = serial;
	t->entries[i].ts = ts;
	t->used++;
}

/* Take the entry out and close the gap behind it. */
static void table_remove(uint64_t serial)
{
	struct ttable *t = table;
	uint64_t gap = serial & t->mask;

	while (t->entries[gap].serial != serial) {
		if (!t->entries[gap].serial)
			return;
		gap = (gap + 1) & t->mask;
	}
	for (uint64_t i = (gap + 1) & t->mask; t->entries[i].serial; i = (i + 1) & t->mask) {
		uint64_t home = t->entries[i].serial & t->mask;

		/* May it move to the gap? Only if its home is not between gap and i. */
		if (((i - home) & t->mask) < ((i - gap) & t->mask))
			continue;
		t->entries[gap] = t->entries[i];
		gap = i;
	}
	t->entries[gap].serial = 0;
	t->used--;
}

/* ---- ends ---- */

static void pin_drop(struct prepared *p)
{
	if (!__atomic_sub_fetch(&p->pins, 1, __ATOMIC_ACQ_REL))
		free(p);
}

static void tstate_put(struct tstate *ts)
{
	if (__atomic_sub_fetch(&ts->refs, 1, __ATOMIC_ACQ_REL))
		return;
	pin_drop(ts->p);
	free(ts);
}

static void live_drop(struct prepared *p)
{
	if (!__atomic_sub_fetch(&p->live, 1, __ATOMIC_ACQ_REL))
		p->inst->desc->ops->template_free(p->inst->prov, p->tmpl);
}

/* For whoever made it DEAD. */
static void tstate_wipe(struct tstate *ts)
{
	struct prepared *p = ts->p;

	p->inst->desc->ops->thread_state_free(ts->prov, ts->thread);
	ts->thread = NULL;
	live_drop(p);
}

static void list_remove(struct tstate *ts)
{
	pthread_mutex_t *lock = lock_of(ts->p);
	bool was_in;

	pthread_mutex_lock(lock);
	was_in = ts->link != NULL;
	if (was_in) {
		*ts->link = ts->next;
		if (ts->next)
			ts->next->link = ts->link;
		ts->link = NULL;
	}
	pthread_mutex_unlock(lock);
	if (was_in)
		tstate_put(ts);
}

/* The thread of ts ends, or its table lets go of it. */
static void tstate_leave(struct tstate *ts)
{
	uint32_t idle = STATE_IDLE;

	if (__atomic_compare_exchange_n(&ts->state, &idle, STATE_DEAD, false, __ATOMIC_ACQ_REL,
					__ATOMIC_ACQUIRE)) {
		list_remove(ts);
		tstate_wipe(ts);
	}
	tstate_put(ts);
}

static void table_end(void *arg)
{
	struct ttable *t = arg;

	if (table == t)
		table = (struct ttable *)&table_none;
	for (uint64_t i = 0; i <= t->mask; i++)
		if (t->entries[i].serial)
			tstate_leave(t->entries[i].ts);
	free(t);
}

static void init(void)
{
	for (int i = 0; i < N_LOCKS; i++)
		pthread_mutex_init(&locks[i], NULL);
	pthread_atfork(locks_take, locks_release, locks_release);
	exit_key_made = !pthread_key_create(&exit_key, table_end);
}

/* ---- beginnings ---- */

/* Room for one more entry: dead ones go, then it doubles if still half full. */
static bool table_grow(void)
{
	struct ttable *old = table, *t;
	uint64_t live = 0, size = 16;

	for (uint64_t i = 0; i <= old->mask; i++)
		if (old->entries[i].serial &&
		    __atomic_load_n(&old->entries[i].ts->state, __ATOMIC_RELAXED) != STATE_DEAD)
			live++;
	while (size < 4 * (live + 1))
		size *= 2;
	t = calloc(1, sizeof(*t) + size * sizeof(t->entries[0]));
	if (!t || pthread_setspecific(exit_key, t)) {
		free(t);
		return false;
	}
	t->mask = size - 1;
	table = t;
	for (uint64_t i = 0; i <= old->mask; i++) {
		struct entry *e = &old->entries[i];

		if (!e->serial)
			continue;
		if (__atomic_load_n(&e->ts->state, __ATOMIC_ACQUIRE) == STATE_DEAD)
			tstate_leave(e->ts);
		else
			table_put(t, e->serial, e->ts);
	}
	if (old != (struct ttable *)&table_none)
		free(old);
	return true;
}

static struct tstate *tstate_new(struct prepared *p, enum kcf_status *ret_status)
{
	struct tstate *ts = aligned_alloc(64, (sizeof(*ts) + 63) & ~(size_t)63);

	*ret_status = KCF_HOST_MEMORY;
	if (!ts)
		return NULL;
	memset(ts, 0, sizeof(*ts));
	ts->p = p;
	ts->row = p->row;
	ts->tmpl = p->tmpl;
	ts->inst = p->inst;
	ts->key_len = p->key_len;
	ts->prov = p->inst->prov;
	ts->submit = p->inst->desc->ops->submit;
	ts->refs = 2;
	*ret_status = p->inst->desc->ops->thread_state_new(ts->prov, p->tmpl, &ts->thread);
	if (*ret_status == KCF_SUCCESS)
		return ts;
	free(ts);
	return NULL;
}

/* First use of p on this thread. */
static struct tstate *thread_first(struct prepared *p, enum kcf_status *ret_status)
{
	struct tstate *ts;
	pthread_mutex_t *lock = lock_of(p);

	*ret_status = KCF_HOST_MEMORY;
	if (!exit_key_made)
		return NULL;
	if (2 * (table->used + 1) > table->mask && !table_grow())
		return NULL;
	ts = tstate_new(p, ret_status);
	if (!ts)
		return NULL;
	__atomic_fetch_add(&p->live, 1, __ATOMIC_RELAXED);
	__atomic_fetch_add(&p->pins, 1, __ATOMIC_RELAXED);
	pthread_mutex_lock(lock);
	ts->next = p->states;
	ts->link = &p->states;
	if (ts->next)
		ts->next->link = &ts->next;
	p->states = ts;
	pthread_mutex_unlock(lock);
	table_put(table, p->serial, ts);
	return ts;
}

static bool key_len_ok(const struct kcf_mech_row *row, size_t len)
{
	uint64_t bits = (uint64_t)len * 8;

	return len <= UINT32_MAX && bits >= row->key_min_bits && bits <= row->key_max_bits &&
	       (row->key_step_bits < 2 || !((bits - row->key_min_bits) % row->key_step_bits));
}

/* Is the row's range one of raw key bytes? For asymmetric keys it is the modulus or field, the
 * provider's matter. */
static bool row_key_is_raw(const struct kcf_mech_row *row)
{
	return (row->classes & (KCF_CLASS_MAC | KCF_CLASS_CIPHER | KCF_CLASS_AEAD)) &&
	       !(row->flags & (KCF_ROW_FORMAT(KCF_KEY_PKCS8) | KCF_ROW_FORMAT(KCF_KEY_SPKI)));
}

static bool row_has_format(const struct kcf_mech_row *row, enum kcf_key_format format)
{
	uint32_t formats =
		row->flags & (KCF_ROW_FORMAT(KCF_KEY_RAW) | KCF_ROW_FORMAT(KCF_KEY_PKCS8) |
			      KCF_ROW_FORMAT(KCF_KEY_SPKI));

	return formats ? (formats & KCF_ROW_FORMAT(format)) != 0 : format == KCF_KEY_RAW;
}

static enum kcf_status key_check(const struct kcf_mech_row *row, const struct kcf_key_data *key)
{
	/* Generation needs no key, the public half of one does: the provider knows. */
	if (row->classes & KCF_CLASS_KEYGEN)
		return KCF_SUCCESS;
	if (!key || !row->key_max_bits)
		return !key && !row->key_max_bits ? KCF_SUCCESS : KCF_KEY_TYPE_INCONSISTENT;
	if (!row_has_format(row, key->format))
		return KCF_KEY_TYPE_INCONSISTENT;
	if (row_key_is_raw(row) && !key_len_ok(row, key->len))
		return KCF_KEY_SIZE_RANGE;
	return KCF_SUCCESS;
}

enum kcf_status prepared_new(const struct instance *inst, uint32_t row,
			     const struct kcf_key_data *key, struct prepared **ret)
{
	const struct kcf_provider_desc *desc = inst->desc;
	enum kcf_status status;
	struct prepared *p;

	if (row >= desc->n_rows)
		return KCF_MECH_NOT_SUPPORTED;
	status = key_check(&desc->rows[row], key);
	if (status != KCF_SUCCESS)
		return status;
	pthread_once(&once, init);
	p = calloc(1, sizeof(*p));
	if (!p)
		return KCF_HOST_MEMORY;
	status = desc->ops->template_new(inst->prov, row, key, &p->tmpl);
	if (status != KCF_SUCCESS) {
		free(p);
		return status;
	}
	p->serial = __atomic_add_fetch(&last_serial, 1, __ATOMIC_RELAXED);
	p->inst = inst;
	p->row = row;
	p->key_len = key ? (uint32_t)key->len : 0;
	p->generation = inst->generation;
	p->refs = p->live = p->pins = 1;
	*ret = p;
	return KCF_SUCCESS;
}

struct prepared *prepared_ref(struct prepared *p)
{
	__atomic_fetch_add(&p->refs, 1, __ATOMIC_RELAXED);
	return p;
}

/* Mark all states dead; returns those that were idle, chained by next. */
static struct tstate *states_kill(struct prepared *p)
{
	struct tstate *idle = NULL, *ts, *next;

	pthread_mutex_lock(lock_of(p));
	for (ts = p->states; ts; ts = next) {
		next = ts->next;
		ts->link = NULL;
		/* Pairs with the exchanges of a run. */
		switch (__atomic_exchange_n(&ts->state, STATE_DEAD, __ATOMIC_ACQ_REL)) {
		case STATE_IDLE:
			ts->next = idle;
			idle = ts;
			break;
		case STATE_BUSY: /* the list's reference is the runner's now */
			break;
		default: /* its thread is ending: it waits for the lock and finds itself out of the
			    list */
			tstate_put(ts);
		}
	}
	p->states = NULL;
	pthread_mutex_unlock(lock_of(p));
	return idle;
}

void prepared_unref(struct prepared *p)
{
	struct tstate *ts, *next, *own;

	if (!p || __atomic_sub_fetch(&p->refs, 1, __ATOMIC_ACQ_REL))
		return;
	own = table_get(p->serial);
	for (ts = states_kill(p); ts; ts = next) {
		next = ts->next;
		tstate_wipe(ts);
		tstate_put(ts);
	}
	if (own) {
		table_remove(p->serial);
		tstate_put(own);
	}
	live_drop(p);
	pin_drop(p);
}

/* ---- runs ---- */

struct tstate *prepared_thread(struct prepared *p, enum kcf_status *ret_status)
{
	struct tstate *ts = table_get(p->serial);

	return ts ? ts : thread_first(p, ret_status);
}

void **tstate_data(struct tstate *ts)
{
	return ts->data;
}

static void jobs_fail(struct kcf_job *const *jobs, unsigned n, enum kcf_status status)
{
	for (unsigned i = 0; i < n; i++) {
		jobs[i]->status = status;
		jobs[i]->out_len = 0;
	}
}

static inline void jobs_submit(const struct tstate *ts, void *thread, struct kcf_job *const *jobs,
			       unsigned n)
{
	unsigned taken;

	for (unsigned i = 0; i < n; i++) {
		jobs[i]->row = ts->row;
		jobs[i]->tmpl = ts->tmpl;
		jobs[i]->thread = thread;
	}
	taken = ts->submit(ts->prov, jobs, n);
	if (__builtin_expect(taken < n, 0))
		jobs_fail(jobs + taken, n - taken, KCF_FAILED);
}

/* The state is in use further up this very stack (a signal handler) or dead (a template used after
 * its end): the former gets a state for this run alone. */
static void run_beside(struct tstate *ts, uint32_t state, struct kcf_job *const *jobs, unsigned n)
{
	const struct kcf_provider_ops *ops;
	enum kcf_status status;
	void *thread;

	if (state != STATE_BUSY) {
		jobs_fail(jobs, n, KCF_FAILED);
		return;
	}
	ops = ts->p->inst->desc->ops;
	status = ops->thread_state_new(ts->prov, ts->tmpl, &thread);
	if (status != KCF_SUCCESS) {
		jobs_fail(jobs, n, status);
		return;
	}
	jobs_submit(ts, thread, jobs, n);
	ops->thread_state_free(ts->prov, thread);
}

void tstate_end(struct tstate *ts)
{
	__atomic_store_n(&ts->state, STATE_DEAD, __ATOMIC_RELEASE);
	tstate_wipe(ts);
	tstate_put(ts);
}

static inline void run_jobs(struct tstate *ts, struct kcf_job *const *jobs, unsigned n)
{
	uint32_t state = tstate_claim(ts);

	if (__builtin_expect(state != STATE_IDLE, 0)) {
		run_beside(ts, state, jobs, n);
		return;
	}
	jobs_submit(ts, ts->thread, jobs, n);
	tstate_release(ts);
}

void tstate_run(struct tstate *ts, struct kcf_job *job)
{
	run_jobs(ts, &job, 1);
}

void prepared_run_burst(struct prepared *p, struct kcf_job *const *jobs, unsigned n)
{
	enum kcf_status status;
	struct tstate *ts = prepared_thread(p, &status);

	if (ts)
		run_jobs(ts, jobs, n);
	else
		jobs_fail(jobs, n, status);
}

void prepared_run(struct prepared *p, struct kcf_job *job)
{
	prepared_run_burst(p, &job, 1);
}
