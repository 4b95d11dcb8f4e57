/* SPDX-License-Identifier: Apache-2.0 */
#include "core/quick.h"
#include "fake-core.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include "base/json.h"
#include "core/consumer.h"
#include "core/key.h"

struct fake_core fake;

struct tmpl {
	uint32_t mech;
	int refs;
};

struct context {
	bool open, closed;
};

static struct consumer consumers[4];
static struct key keys[16]; /* refs: in use */

struct core *fake_core(void)
{
	return (struct core *)&fake;
}

void fake_core_reset(void)
{
	memset(&fake, 0, sizeof(fake));
	memset(consumers, 0, sizeof(consumers));
	memset(keys, 0, sizeof(keys));
	list_init(&fake.waiting);
	limits_init(&fake.limits);
	fake.units_free = (uint32_t)fake.limits.software_queue;
}

void fake_check_clean(void)
{
	for (unsigned i = 0; i < CHARGE_KINDS; i++)
		ck_assert_msg(fake.charged[i] == 0, "charge %u: %d left", i, (int)fake.charged[i]);
	ck_assert_int_eq(fake.n_consumers, 0);
	ck_assert_int_eq(fake.n_labels, 0);
	ck_assert_int_eq(fake.n_templates, 0);
	ck_assert_int_eq(fake.n_contexts, 0);
	ck_assert_int_eq(fake.n_keys, 0);
	ck_assert_int_eq(fake.n_requests, 0);
	ck_assert_uint_eq(fake.units_taken, 0);
	ck_assert(list_empty(&fake.waiting));
}

struct limits *core_limits(struct core *core)
{
	return &fake.limits;
}

int core_table_fd(struct core *core)
{
	static int fd = -1;

	if (fd < 0)
		fd = memfd_create("fake-table", MFD_CLOEXEC);
	return fd;
}

const struct table_copy *core_table(struct core *core)
{
	static struct table_copy copy;

	return &copy;
}

unsigned core_modules(struct core *core, struct core_module *ret, unsigned max)
{
	return 0;
}

/* ---- consumers ---- */

struct consumer *consumer_get(struct core *core, uid_t uid, gid_t gid)
{
	for (unsigned i = 0; i < 4; i++) {
		if (consumers[i].refs == 0 || consumers[i].uid == uid) {
			consumers[i].uid = uid;
			if (!consumers[i].refs)
				consumers[i].weight = 1;
			consumers[i].refs++;
			fake.n_consumers++;
			return &consumers[i];
		}
	}
	return NULL;
}

void consumer_put(struct consumer *c)
{
	ck_assert_uint_gt(c->refs, 0);
	c->refs--;
	fake.n_consumers--;
}

/* By its length. */
uint8_t consumer_label_get(struct consumer *c, const char *label)
{
	fake.n_labels++;
	return (uint8_t)strlen(label);
}

void consumer_label_put(struct consumer *c, uint8_t number)
{
	fake.n_labels--;
}

enum kcf_status consumer_charge(struct consumer *c, enum charge_kind kind, uint64_t n)
{
	if (fake.refuse[kind] != KCF_SUCCESS)
		return fake.refuse[kind];
	fake.charged[kind] += (int64_t)n;
	return KCF_SUCCESS;
}

void consumer_uncharge(struct consumer *c, enum charge_kind kind, uint64_t n)
{
	fake.charged[kind] -= (int64_t)n;
	ck_assert_int_ge(fake.charged[kind], 0);
}

/* ---- mechanisms ---- */

enum kcf_status mech_find(struct core *core, const char *name,
			  void (*done)(void *arg, enum kcf_status status, uint32_t number),
			  void *arg, uint32_t *ret_number)
{
	if (!strcmp(name, "later")) {
		fake.find_done = done;
		fake.find_arg = arg;
		return KCF_QUEUED;
	}
	if (strcmp(name, "CKM_SHA256"))
		return KCF_MECH_NOT_SUPPORTED;
	*ret_number = KCF_M_SHA256;
	return KCF_SUCCESS;
}

int mech_param_kind(struct core *core, uint32_t number)
{
	switch (number) {
	case KCF_M_SHA256:
	case KCF_M_RANDOM:
		return KCF_PARAM_NONE;
	case KCF_M_AES_GCM:
		return KCF_PARAM_AEAD;
	case KCF_M_SHA256_HMAC:
		return KCF_PARAM_MAC;
	case KCF_M_AES_KEY_GEN:
	case KCF_M_RSA_PKCS_KEY_PAIR_GEN:
	case KCF_M_EC_KEY_PAIR_GEN:
	case KCF_M_EC_EDWARDS_KEY_PAIR_GEN:
	case KCF_M_EC_MONTGOMERY_KEY_PAIR_GEN:
		return KCF_PARAM_KEYGEN;
	default:
		return -1;
	}
}

/* ---- keys ---- */

enum kcf_status key_import(struct core *core, struct consumer *c, const void *owner,
			   const struct kcf_key_data *bytes, uint32_t usage, struct key **ret)
{
	for (uint8_t i = 0; i < 16; i++) {
		if (keys[i].refs)
			continue;
		keys[i] = (struct key){.handle = {{i + 1}},
				       .owner = owner,
				       .refs = 1,
				       .format = bytes->format,
				       .usage = usage};
		fake.n_keys++;
		*ret = &keys[i];
		return KCF_SUCCESS;
	}
	return KCF_QUOTA_EXCEEDED;
}

enum kcf_status key_find(struct core *core, struct consumer *c, const void *owner,
			 const struct kcf_key_handle *handle, const char *name, struct key **ret)
{
	for (unsigned i = 0; handle && i < 16; i++) {
		if (keys[i].refs && keys[i].owner == owner &&
		    !memcmp(&keys[i].handle, handle, sizeof(*handle))) {
			*ret = &keys[i];
			return KCF_SUCCESS;
		}
	}
	return KCF_KEY_HANDLE_INVALID;
}

void key_handle(const struct key *k, struct kcf_key_handle *ret)
{
	*ret = k->handle;
}

void key_destroy(struct core *core, struct key *k)
{
	k->refs = 0;
	fake.n_keys--;
}

void key_destroy_owner(struct core *core, const void *owner)
{
	for (unsigned i = 0; i < 16; i++) {
		if (keys[i].refs && keys[i].owner == owner)
			key_destroy(core, &keys[i]);
	}
}

/* ---- templates and contexts ---- */

enum kcf_status tmpl_new(struct core *core, struct consumer *c, uint32_t mech,
			 const struct kcf_key_data *bytes, struct key *key, struct tmpl **ret)
{
	if (mech_param_kind(core, mech) < 0)
		return KCF_MECHANISM_INVALID;
	*ret = calloc(1, sizeof(**ret));
	ck_assert_ptr_nonnull(*ret);
	(*ret)->mech = mech;
	(*ret)->refs = 1;
	fake.n_templates++;
	return KCF_SUCCESS;
}

struct tmpl *tmpl_ref(struct tmpl *t)
{
	t->refs++;
	return t;
}

void tmpl_unref(struct tmpl *t)
{
	if (--t->refs)
		return;
	fake.n_templates--;
	free(t);
}

uint32_t tmpl_mech(const struct tmpl *t)
{
	return t->mech;
}

enum kcf_status context_new(struct core *core, struct consumer *c, uint16_t op, struct tmpl *t,
			    struct tmpl *t2, struct context **ret)
{
	*ret = calloc(1, sizeof(**ret));
	ck_assert_ptr_nonnull(*ret);
	(*ret)->open = true;
	fake.n_contexts++;
	return KCF_SUCCESS;
}

void context_close(struct context *c)
{
	fake.n_contexts--;
	free(c);
}

bool context_is_open(const struct context *c)
{
	return c->open;
}

/* ---- requests ---- */

struct request *request_new(size_t mem_len)
{
	struct request *r = calloc(1, sizeof(*r));

	ck_assert_ptr_nonnull(r);
	r->mem = malloc(mem_len + 1);
	ck_assert_ptr_nonnull(r->mem);
	r->mem_len = mem_len;
	list_init(&r->link);
	list_init(&r->conn_link);
	fake.n_requests++;
	return r;
}

void request_free(struct request *r)
{
	if (r->tmpl)
		tmpl_unref(r->tmpl);
	if (r->tmpl2)
		tmpl_unref(r->tmpl2);
	free(r->mem);
	free(r);
	fake.n_requests--;
}

void sched_submit(struct core *core, struct request *r)
{
	r->state = REQUEST_WAITING;
	fake.n_submitted++;
	if (++fake.n_fresh > fake.most_fresh)
		fake.most_fresh = fake.n_fresh;
	list_push(&fake.waiting, &r->link);
}

static void finish(struct request *r, enum kcf_status status)
{
	list_remove(&r->link);
	r->status = status;
	r->state = REQUEST_DONE;
	if (r->context && r->phase == KCF_FINAL_PHASE)
		r->context->open = false;
	r->ops->complete(r);
}

void sched_cancel(struct core *core, struct request *r)
{
	fake.n_canceled++;
	if (r->state == REQUEST_WAITING)
		finish(r, KCF_CANCELED);
}

uint32_t sched_position(struct core *core, const struct request *r)
{
	uint32_t n = 0;

	list_for_each(l, &fake.waiting)
	{
		if (list_entry(l, struct request, link) == r)
			return n;
		n++;
	}
	return n;
}

void sched_kick(struct core *core)
{
	fake.n_fresh = 0;
}

bool sched_is_full(const struct core *core)
{
	return fake.turn && fake.n_fresh >= fake.turn;
}

/* ---- quick runs: all but decryption ---- */

bool quick_may(const struct core *core)
{
	return fake.quick;
}

bool quick_is_full(const struct core *core)
{
	return false;
}

bool quick_take(struct core *core, struct quick_op *op)
{
	return op->op != KCF_OP_DECRYPT;
}

unsigned quick_missing(struct quick_op *const *ops, unsigned n)
{
	return fake.lanes > n ? fake.lanes - n : 0;
}

void quick_run(struct core *core, struct quick_op *const *ops, unsigned n)
{
	fake.n_quick_runs++;
	fake.n_quick += n;
	fake.most_quick = n > fake.most_quick ? n : fake.most_quick;
	for (unsigned i = 0; i < n; i++) {
		ops[i]->again = ops[i]->id == fake.quick_again;
		ops[i]->status = KCF_SUCCESS;
		ops[i]->out_len = ops[i]->out.iov_len;
		ops[i]->mac_len = ops[i]->mac.iov_len;
		ops[i]->provider_row1 = 3;
		if (!ops[i]->again && ops[i]->out_len)
			memset(ops[i]->out.iov_base, (int)ops[i]->id, ops[i]->out_len);
	}
}

void quick_rest(struct core *core)
{
}

bool sched_is_due(const struct core *core)
{
	return false;
}

void core_tell_spinners(struct core *core, uint32_t n, bool crowded)
{
	fake.spinners = n;
	fake.crowded = crowded;
}

struct request *fake_first(void)
{
	return list_empty(&fake.waiting) ? NULL
					 : list_entry(fake.waiting.next, struct request, link);
}

void fake_start(struct request *r)
{
	r->state = REQUEST_RUNNING;
}

static void fill(struct request_data *d, uint8_t byte, size_t *ret_len)
{
	for (uint32_t i = 0; i < d->n_iov; i++)
		memset(d->iov[i].iov_base, byte, d->iov[i].iov_len);
	*ret_len = d->len;
}

void fake_complete(struct request *r, enum kcf_status status, uint8_t byte)
{
	if (status == KCF_SUCCESS) {
		fill(&r->out, byte, &r->out_len);
		fill(&r->mac, byte, &r->mac_len);
		for (uint32_t i = 0; i < r->n_steps; i++)
			fill(&r->steps[i].out, (uint8_t)(byte + i), &r->steps[i].out_len);
	}
	finish(r, status);
}

/* ---- units ---- */

void sched_unreserve(struct core *core, const void *conn)
{
}

bool sched_reserve(struct core *core, const void *conn, uint32_t provider_row1)
{
	if (!fake.free_slots)
		return false;
	fake.free_slots--;
	return true;
}

uint32_t sched_units_free(struct core *core)
{
	return fake.units_free;
}

bool sched_units_take(struct core *core, uint32_t n)
{
	if (n > fake.units_free)
		return false;
	fake.units_free -= n;
	fake.units_taken += n;
	return true;
}

void sched_units_give(struct core *core, uint32_t n)
{
	ck_assert_uint_le(n, fake.units_taken);
	fake.units_free += n;
	fake.units_taken -= n;
}

/* ---- administration ---- */

static void put(struct json *j, const char *what)
{
	json_object(j, NULL);
	json_string(j, "fake", what);
	json_end_object(j);
}

void core_list(struct core *core, struct json *j, bool mechanisms, bool policy)
{
	put(j, mechanisms ? policy ? "list mechanisms policy" : "list mechanisms" : "list");
}

void core_stats(struct core *core, struct json *j)
{
	json_string(j, "fake", "stats");
}

void core_requests(struct core *core, struct json *j)
{
	put(j, "requests");
}

void core_consumers(struct core *core, struct json *j)
{
	put(j, "consumers");
}

void core_trace(struct core *core, struct json *j, unsigned max)
{
	json_array(j, "trace");
	json_u64(j, NULL, max);
	json_end_array(j);
}

void core_caller_counts(struct core *core, const void *conn, struct consumer *c,
			const struct caller_count *counts, unsigned n, bool closed)
{
}

enum kcf_status core_set(struct core *core, const char *name, const char *value, char *err,
			 size_t err_len)
{
	const char *near;

	return limits_set(&fake.limits, name, strtoull(value, NULL, 10), &near) == 0
		       ? KCF_SUCCESS
		       : KCF_NOT_FOUND;
}

enum kcf_status core_enable(struct core *core, const char *provider, const char *mechanism,
			    bool enable, char *err, size_t err_len)
{
	return KCF_SUCCESS;
}

void core_load(struct core *core, const char *name, const char *instance,
	       const char *const *options, unsigned n_options, core_done done, void *arg)
{
	fake.load_done = done;
	fake.load_arg = arg;
}

void core_unload(struct core *core, const char *instance, core_done done, void *arg)
{
	done(arg, KCF_NOT_FOUND, "there is no such provider");
}
