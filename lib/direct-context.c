/* SPDX-License-Identifier: Apache-2.0 */
/*
 * direct-context - multi-part operations on the caller's threads.
 *
 * A context belongs to one provider for its whole life. What must not come out before it is checked
 * (AEAD decryption, MAC+decrypt), and what a provider does in one piece only (CCM of unknown
 * length), is collected and done at the end, within AEAD_BUFFER. Any thread, one at a time: the
 * lock is the turn.
 */
#include <stdlib.h>
#include <string.h>
#include "direct-private.h"

#define AEAD_BUFFER (1024u * 1024)
#define TAIL_MAX    512u /* the rest of a cipher and a MAC: block, tag, or digest */

/* A mechanism with its key on one provider. */
struct part {
	struct prepared *prep;
	struct plan_step step;
	uint32_t number;
	void *ctx;   /* the provider's; NULL when none was begun or it ended */
	void *param; /* deep copy, for what is done at the end */
};

struct direct_context {
	struct direct *direct;
	enum kcf_op op;
	struct part main, mac; /* mac: of a dual operation */
	bool collect;          /* everything is done at the end */
	bool ended;
	pthread_mutex_t turn;
	uint8_t *buf; /* collected input; wiped */
	size_t len, room;
	/* ENCRYPT_MAC: what final made and could not deliver yet */
	bool has_tail;
	size_t tail_len;
	uint8_t tail[TAIL_MAX];
};

/* ---- jobs ---- */

static enum kcf_status part_run(struct direct_context *c, struct part *part, struct kcf_job *job)
{
	enum kcf_status status;
	struct tstate *ts = prepared_thread(part->prep, &status);
	struct count_at at;

	if (!ts)
		return status;
	count_find(c->direct, ts, part->number, part->step.provider, &at);
	job->ctx = part->ctx;
	tstate_run(ts, job);
	part->ctx = job->ctx;
	count_call(c->direct, &at, (enum kcf_op)c->op, job->status, job->in_len, 0);
	return job->status;
}

static void part_end(struct part *part)
{
	if (part->ctx)
		part->prep->inst->desc->ops->context_free(part->prep->inst->prov, part->ctx);
	part->ctx = NULL;
}

static enum kcf_status part_begin(struct direct_context *c, struct part *part, enum kcf_op op,
				  const void *param)
{
	struct kcf_job job = {.op = (uint16_t)op, .phase = KCF_INIT, .param = param};

	return part_run(c, part, &job);
}

static enum kcf_status part_update(struct direct_context *c, struct part *part, enum kcf_op op,
				   const struct data_iov *in, const struct data_iov *out,
				   size_t *ret_len)
{
	struct kcf_job job = {
		.op = (uint16_t)op,
		.phase = KCF_UPDATE,
		.in = in->iov,
		.n_in = in->n,
		.in_len = in->len,
		.out = out->iov,
		.n_out = out->n,
		.out_room = out->len,
	};
	enum kcf_status status = part_run(c, part, &job);

	*ret_len = job.out_len;
	return status;
}

static enum kcf_status part_final(struct direct_context *c, struct part *part, enum kcf_op op,
				  const struct data_iov *check, const struct data_iov *out,
				  size_t *ret_len)
{
	struct kcf_job job = {
		.op = (uint16_t)op,
		.phase = KCF_FINAL_PHASE,
		.check = check->iov,
		.n_check = check->n,
		.check_len = check->len,
		.out = out->iov,
		.n_out = out->n,
		.out_room = out->len,
	};
	enum kcf_status status = part_run(c, part, &job);

	*ret_len = job.out_len;
	return status;
}

/* ---- collected input ---- */

static enum kcf_status collect(struct direct_context *c, const struct data_iov *in)
{
	size_t room = c->room ? c->room : 4096;
	uint8_t *buf;

	if (in->len > AEAD_BUFFER - c->len)
		return KCF_BUFFER_TOO_BIG;
	while (room < c->len + in->len)
		room *= 2;
	if (room > c->room) {
		buf = malloc(room);
		if (!buf)
			return KCF_HOST_MEMORY;
		if (c->len) {
			memcpy(buf, c->buf, c->len);
			explicit_bzero(c->buf, c->len);
		}
		free(c->buf);
		c->buf = buf;
		c->room = room;
	}
	iov_gather(in->iov, in->n, c->buf + c->len);
	c->len += in->len;
	return KCF_SUCCESS;
}

/* All of it in one job. A failed decryption leaves nothing in out. */
static enum kcf_status collected_run(struct direct_context *c, const struct data_iov *out,
				     size_t *ret_len)
{
	struct iovec in = {c->buf, c->len};
	struct kcf_job job = {
		.op = (uint16_t)c->op,
		.phase = KCF_SINGLE,
		.param = c->main.param,
		.in = &in,
		.n_in = 1,
		.in_len = c->len,
		.out = out->iov,
		.n_out = out->n,
		.out_room = out->len,
	};
	enum kcf_status status = part_run(c, &c->main, &job);

	*ret_len = job.out_len;
	if (c->op == KCF_OP_DECRYPT && job_failed_late(status))
		iov_wipe(out->iov, out->n, c->len < out->len ? c->len : out->len);
	return status;
}

static void dual_count(struct direct_context *c, const struct dual_job *job)
{
	enum kcf_status status;
	struct tstate *ts = prepared_thread(c->main.prep, &status);
	struct count_at at;

	if (!ts)
		return;
	count_find(c->direct, ts, c->main.number, c->main.step.provider, &at);
	count_call(c->direct, &at, c->op, job->status, job->in_len, 0);
}

static enum kcf_status collected_dual(struct direct_context *c, const struct data_iov *check,
				      const struct data_iov *out, size_t *ret_len)
{
	struct iovec in = {c->buf, c->len};
	struct dual_job job = {
		.op = KCF_OP_MAC_DECRYPT,
		.cipher = c->main.prep,
		.mac = c->mac.prep,
		.cipher_param = c->main.param,
		.mac_param = c->mac.param,
		.in = &in,
		.n_in = 1,
		.in_len = c->len,
		.out = out->iov,
		.n_out = out->n,
		.out_room = out->len,
		.check = check->iov,
		.n_check = check->n,
		.check_len = check->len,
	};

	dual_run(&job);
	dual_count(c, &job);
	*ret_len = job.out_len;
	return job.status;
}

/* ---- encrypt+MAC ---- */

static enum kcf_status mac_part_of(struct direct_context *c, const struct data_iov *out, size_t len)
{
	struct iovec pieces[IOV_COUNT_MAX];
	const struct data_iov none = {.iov = pieces, .n = 0};
	struct data_iov made = {.iov = pieces, .len = len};
	size_t unused;

	made.n = iov_slice(out->iov, out->n, 0, len, pieces);
	return part_update(c, &c->mac, KCF_OP_MAC, &made, &none, &unused);
}

static enum kcf_status dual_update(struct direct_context *c, const struct data_iov *in,
				   const struct data_iov *out, size_t *ret_len)
{
	enum kcf_status status = part_update(c, &c->main, KCF_OP_ENCRYPT, in, out, ret_len);

	if (status != KCF_SUCCESS || !*ret_len)
		return status;
	status = mac_part_of(c, out, *ret_len);
	/* the cipher went on without its MAC: there is no way back */
	return status == KCF_BUFFER_TOO_SMALL ? KCF_FAILED : status;
}

/* The rest of the ciphertext and the MAC into the tail, from where they are delivered as soon as
 * there is room. */
static enum kcf_status dual_tail(struct direct_context *c)
{
	struct iovec at = {c->tail, TAIL_MAX / 2};
	const struct data_iov none = {.iov = &at, .n = 0};
	struct data_iov out = {.iov = &at, .n = 1, .len = at.iov_len};
	size_t len = 0, unused;
	enum kcf_status status = part_final(c, &c->main, KCF_OP_ENCRYPT, &none, &out, &len);

	if (status != KCF_SUCCESS)
		return status;
	at.iov_len = out.len = len;
	if (len)
		status = part_update(c, &c->mac, KCF_OP_MAC, &out, &none, &unused);
	c->tail_len = len;
	at = (struct iovec){c->tail + len, TAIL_MAX - len};
	out.len = at.iov_len;
	if (status == KCF_SUCCESS)
		status = part_final(c, &c->mac, KCF_OP_MAC, &none, &out, &len);
	if (status != KCF_SUCCESS)
		return status == KCF_BUFFER_TOO_SMALL ? KCF_FAILED : status;
	c->tail_len += len;
	c->has_tail = true;
	return KCF_SUCCESS;
}

static enum kcf_status dual_final(struct direct_context *c, const struct data_iov *out,
				  size_t *ret_len)
{
	enum kcf_status status = c->has_tail ? KCF_SUCCESS : dual_tail(c);

	if (status != KCF_SUCCESS)
		return status;
	*ret_len = c->tail_len;
	if (out->len < c->tail_len)
		return KCF_BUFFER_TOO_SMALL;
	iov_scatter(out->iov, out->n, c->tail, c->tail_len);
	return KCF_SUCCESS;
}

/* ---- turns ---- */

static enum kcf_status turn_take(struct direct_context *c, bool wait)
{
	if (wait)
		pthread_mutex_lock(&c->turn);
	else if (pthread_mutex_trylock(&c->turn))
		return KCF_BUSY;
	if (!c->ended)
		return KCF_SUCCESS;
	pthread_mutex_unlock(&c->turn);
	return KCF_INVALID_CONTEXT;
}

/* Ends what cannot go on and gives the turn away. */
static enum kcf_status turn_give(struct direct_context *c, enum kcf_status status, bool last)
{
	if (status != KCF_BUFFER_TOO_SMALL && (last || status != KCF_SUCCESS)) {
		c->ended = true;
		part_end(&c->main);
		part_end(&c->mac);
		if (c->buf)
			explicit_bzero(c->buf, c->len);
		explicit_bzero(c->tail, sizeof(c->tail));
	}
	pthread_mutex_unlock(&c->turn);
	return status;
}

static void set_used(struct kcf_data *out, enum kcf_status status, size_t len)
{
	if (out)
		out->used = status == KCF_SUCCESS || status == KCF_BUFFER_TOO_SMALL ? len : 0;
}

enum kcf_status direct_context_update(struct direct_context *c, const struct kcf_data *in,
				      struct kcf_data *out, bool wait)
{
	struct call_io io;
	enum kcf_status status;
	size_t len = 0;

	if (!data_get(in, &io.in) || !data_get(out, &io.out) || !data_may_share(&io.in, &io.out))
		return KCF_ARGUMENTS_BAD;
	status = turn_take(c, wait);
	if (status != KCF_SUCCESS)
		return status;
	if (c->has_tail)
		status = KCF_INVALID_CONTEXT; /* final was called; it only waits for room */
	else if (c->collect)
		status = collect(c, &io.in);
	else if (c->op == KCF_OP_ENCRYPT_MAC)
		status = dual_update(c, &io.in, &io.out, &len);
	else
		status = part_update(c, &c->main, c->op, &io.in, &io.out, &len);
	status = turn_give(c, status, false);
	set_used(out, status, len);
	return status;
}

enum kcf_status direct_context_final(struct direct_context *c, const struct kcf_data *check,
				     struct kcf_data *out, bool wait)
{
	struct call_io io;
	enum kcf_status status;
	size_t len = 0;
	bool checks =
		c->op == KCF_OP_MAC_VERIFY || c->op == KCF_OP_VERIFY || c->op == KCF_OP_MAC_DECRYPT;

	if (!data_get(check, &io.check) || !data_get(out, &io.out) || (checks && !io.check.len))
		return KCF_ARGUMENTS_BAD;
	status = turn_take(c, wait);
	if (status != KCF_SUCCESS)
		return status;
	if (c->op == KCF_OP_MAC_DECRYPT)
		status = collected_dual(c, &io.check, &io.out, &len);
	else if (c->collect)
		status = collected_run(c, &io.out, &len);
	else if (c->op == KCF_OP_ENCRYPT_MAC)
		status = dual_final(c, &io.out, &len);
	else
		status = part_final(c, &c->main, c->op, &io.check, &io.out, &len);
	status = turn_give(c, status, true);
	set_used(out, status, len);
	return status;
}

/* ---- beginning ---- */

static void part_free(struct part *part)
{
	if (!part->prep)
		return;
	part_end(part);
	prepared_unref(part->prep);
	if (part->param)
		free(part->param);
}

static bool is_ccm(kcf_mech_t number)
{
	return number == KCF_M_AES_CCM || number == KCF_M_ARIA_CCM;
}

/* Must (or can only) everything be done at the end? */
static bool must_collect(const struct direct_context *c, const struct half *h,
			 const struct plan_step *s)
{
	const struct kcf_param_aead *aead = h->mech->param;

	if (c->op == KCF_OP_MAC_DECRYPT)
		return true;
	if (!(s->classes & KCF_CLASS_AEAD) || (c->op != KCF_OP_ENCRYPT && c->op != KCF_OP_DECRYPT))
		return false;
	return c->op == KCF_OP_DECRYPT || !(s->row_flags & KCF_ROW_MULTI_PART) ||
	       (is_ccm(h->mech->number) && !aead->data_len);
}

static enum kcf_status keep_param(struct part *part, const struct half *h)
{
	size_t len = param_copy_len(h->plan->kind, h->mech->param);

	if (!h->mech->param)
		return KCF_SUCCESS;
	part->param = malloc(len);
	if (!part->param)
		return KCF_HOST_MEMORY;
	param_copy(h->plan->kind, h->mech->param, part->param);
	return KCF_SUCCESS;
}

/* Takes a share of the prepared, and begins unless everything is done at the end. */
static enum kcf_status part_new(struct direct_context *c, struct part *part, struct half *h,
				const struct plan_step *s, enum kcf_op op)
{
	enum kcf_status status;
	bool owned;

	status = half_prepare(c->direct, h, s, &part->prep, &owned);
	if (status != KCF_SUCCESS) {
		part->prep = NULL;
		return status;
	}
	if (!owned)
		prepared_ref(part->prep);
	part->step = *s;
	part->number = h->plan->number;
	if (!c->collect)
		return part_begin(c, part, op, h->mech->param);
	/* a beginning for nothing shows whether the parameter is good, so that this call says it */
	if (c->op != KCF_OP_MAC_DECRYPT && (s->row_flags & KCF_ROW_MULTI_PART)) {
		status = part_begin(c, part, op, h->mech->param);
		part_end(part);
	}
	return status == KCF_SUCCESS ? keep_param(part, h) : status;
}

/* The first provider that can run here and takes it. none: nobody here can. */
static enum kcf_status part_choose(struct direct_context *c, struct part *part, struct half *h,
				   enum kcf_op op, bool *ret_none)
{
	enum kcf_status status = KCF_MECH_NOT_SUPPORTED;

	*ret_none = true;
	for (unsigned i = 0; i < h->n; i++) {
		const struct plan_step *s = h->order[i];

		if (!s->here)
			continue;
		if (part == &c->main)
			c->collect = must_collect(c, h, s);
		if (!c->collect && !(s->row_flags & KCF_ROW_MULTI_PART))
			continue;
		status = part_new(c, part, h, s, op);
		*ret_none &= status == KCF_DEVICE_REMOVED; /* not here, after all */
		if (!status_is_provider_fault(status))
			return status;
		part_free(part);
		*part = (struct part){0};
	}
	return status;
}

static bool how_ok(const struct kcf_how *how)
{
	uint8_t shape;

	if ((unsigned)how->op >= KCF_OP_COUNT)
		return false;
	shape = op_shape[how->op];
	if (!shape || (shape & IN_KCFD) || how->op == KCF_OP_DERIVE || how->op == KCF_OP_RANDOM)
		return false;
	if (!(shape & IS_DUAL))
		return how->mech && half_key_ok(how->key, shape);
	return how->dual && how->dual->cipher && how->dual->mac &&
	       half_key_ok(how->dual->cipher_key, HAS_KEY) &&
	       half_key_ok(how->dual->mac_key, HAS_KEY);
}

/* Does the caller want it in kcfd? */
static bool wants_kcfd(const struct half *h, const struct kcf_call_req *req)
{
	enum kcf_preference pref = req && req->preference ? req->preference : h->plan->preference;

	return (req && (req->flags & KCF_ALWAYS_QUEUE)) || pref == KCF_PREFER_HARDWARE ||
	       pref == KCF_ONLY_HARDWARE || !half_is_here(h);
}

static struct direct_context *context_alloc(struct direct *d, enum kcf_op op)
{
	struct direct_context *c = calloc(1, sizeof(*c));

	if (!c)
		return NULL;
	c->direct = d;
	c->op = op;
	pthread_mutex_init(&c->turn, NULL);
	return c;
}

struct halves {
	struct half main, mac;
	bool dual;
};

static enum kcf_status halves_find(struct direct *d, const struct kcf_how *how,
				   const struct kcf_call_req *req, struct halves *h)
{
	enum kcf_status status;

	h->dual = op_shape[how->op] & IS_DUAL;
	if (!h->dual) {
		status = half_find(d, how->mech, how->key, &h->main);
		if (status == KCF_SUCCESS)
			half_order(d, &h->main, req, op_classes[how->op], LEN_UNKNOWN);
		return status;
	}
	status = half_find(d, how->dual->cipher, how->dual->cipher_key, &h->main);
	if (status == KCF_SUCCESS)
		status = half_find(d, how->dual->mac, how->dual->mac_key, &h->mac);
	if (status != KCF_SUCCESS)
		return status;
	half_order(d, &h->main, req, KCF_CLASS_CIPHER, LEN_UNKNOWN);
	half_order(d, &h->mac, req, KCF_CLASS_MAC, LEN_UNKNOWN);
	return h->mac.n ? KCF_SUCCESS : h->mac.none;
}

/* Begin here; KCF_NO_DAEMON stands for "only kcfd can". */
static enum kcf_status begin(struct direct_context *c, struct halves *h)
{
	bool none;
	enum kcf_status status =
		part_choose(c, &c->main, &h->main, h->dual ? KCF_OP_ENCRYPT : c->op, &none);

	if (none)
		return KCF_NO_DAEMON;
	if (status != KCF_SUCCESS || !h->dual)
		return status;
	status = part_choose(c, &c->mac, &h->mac, KCF_OP_MAC, &none);
	return none ? KCF_NO_DAEMON : status;
}

enum direct_verdict direct_context_new(struct direct *d, const struct kcf_how *how,
				       const struct kcf_call_req *req, struct direct_context **ret,
				       enum kcf_status *ret_status)
{
	struct direct_context *c;
	struct halves h;
	bool may_send;

	*ret_status = KCF_ARGUMENTS_BAD;
	if (!how_ok(how))
		return DIRECT_DONE;
	*ret_status = halves_find(d, how, req, &h);
	if (*ret_status != KCF_SUCCESS)
		return DIRECT_DONE;
	may_send = direct_attached(d) && !plan_is_denied(d, h.main.plan);
	*ret_status = h.main.none;
	if (!h.main.n && *ret_status != KCF_SUCCESS)
		return DIRECT_DONE;
	*ret_status = direct_attached(d) ? KCF_PERMISSION_DENIED : KCF_NO_DAEMON;
	if (wants_kcfd(&h.main, req) || (h.dual && wants_kcfd(&h.mac, req)))
		return may_send ? DIRECT_SEND : DIRECT_DONE;
	c = context_alloc(d, how->op);
	*ret_status = c ? begin(c, &h) : KCF_HOST_MEMORY;
	if (*ret_status == KCF_SUCCESS) {
		*ret = c;
		return DIRECT_DONE;
	}
	direct_context_free(c);
	if (*ret_status != KCF_NO_DAEMON)
		return DIRECT_DONE;
	*ret_status = direct_attached(d) ? KCF_PERMISSION_DENIED : KCF_MECH_NOT_SUPPORTED;
	return may_send ? DIRECT_SEND : DIRECT_DONE;
}

/* ---- end ---- */

void direct_context_free(struct direct_context *c)
{
	if (!c)
		return;
	part_free(&c->main);
	part_free(&c->mac);
	if (c->buf) {
		explicit_bzero(c->buf, c->len);
		free(c->buf);
	}
	pthread_mutex_destroy(&c->turn);
	explicit_bzero(c, sizeof(*c));
	free(c);
}
