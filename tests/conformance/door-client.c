/* SPDX-License-Identifier: Apache-2.0 */
/*
 * door-client: see door-client.h.
 *
 * The last few keys are kept in the form the door uses: bytes at first, a template from the second
 * run on (a connection's templates cost kcfd memory, and most keys are used once), a handle at the
 * door that works by handle. Handles live on for a while, since runs are in flight.
 */
#include "door-client.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define IN_FLIGHT 32
#define KEPT      4   /* a key pair's halves take turns */
#define HANDLES   128 /* more than can be kept and in flight */
#define MECHS_MAX 512
#define WAIT_MS   30000

enum way_in { CALLER, INLINE, ARENA, ASYNC };

struct shared {
	struct kcf_client *client;
	struct kcf_mech_info mechs[MECHS_MAX];
	size_t n_mechs;
};

struct kept {
	const char *mech; /* NULL: empty */
	enum kcf_key_format format;
	struct bytes key; /* owned */
	unsigned n_uses;
	struct kcf_template *tmpl;
	struct kcf_key handle;
};

struct client_door {
	struct door door;
	struct shared *shared;
	enum way_in way;
	unsigned n_over;        /* runs that ended, for wait */
	struct kept kept[KEPT]; /* the oldest goes first */
	unsigned next_kept;
	struct kcf_key handles[HANDLES];
	unsigned n_handles; /* ever made */
};

/* What a request needs beyond the call. */
struct flight {
	struct run *run;
	struct client_door *door;
	struct kcf_data in, out, check;
	struct kcf_step steps[KCF_STEPS_MAX];
};

/* ---- mechanisms ------------------------------------------------------------------------------ */

static const struct kcf_mech_info *mech_find(const struct shared *s, const char *name)
{
	size_t i;

	for (i = 0; i < s->n_mechs; i++) {
		if (!strcmp(s->mechs[i].name, name))
			return &s->mechs[i];
	}
	return NULL;
}

static bool has_provider(const struct kcf_mech_info *m, const char *provider)
{
	uint32_t i;

	for (i = 0; i < m->n_providers && i < KCF_MECH_PROVIDERS_MAX; i++) {
		if (!strcmp(m->providers[i], provider))
			return true;
	}
	return false;
}

static bool offers(struct door *door, const char *provider, const struct vector *v,
		   enum variant variant)
{
	struct client_door *d = (struct client_door *)door;
	const struct kcf_mech_info *m = mech_find(d->shared, v->mech);

	if (!m || !(m->classes & op_classes(v->op)) || !has_provider(m, provider))
		return false;
	/* a request has at most so many steps */
	return variant != PARTS_ONE || d->way == CALLER || d->way == ASYNC ||
	       v->in.len + 2 <= KCF_STEPS_MAX;
}

/* ---- keys ------------------------------------------------------------------------------------ */

static bool same_key(const struct kept *k, const struct vector *v)
{
	return k->mech && !strcmp(k->mech, v->mech) && k->format == v->key_format &&
	       k->key.len == v->key.len &&
	       (v->key.len == 0 || memcmp(k->key.at, v->key.at, v->key.len) == 0);
}

static void kept_deinit(struct kept *k)
{
	kcf_template_destroy(k->tmpl);
	free(k->key.at);
	memset(k, 0, sizeof(*k));
}

/* The key as it is kept, or a new place for it. */
static struct kept *keep(struct client_door *d, const struct vector *v)
{
	struct kept *k;
	unsigned i;

	for (i = 0; i < KEPT; i++) {
		if (same_key(&d->kept[i], v))
			return &d->kept[i];
	}
	k = &d->kept[d->next_kept++ % KEPT];
	kept_deinit(k);
	k->key.at = malloc(v->key.len + 1);
	if (!k->key.at)
		die("out of memory");
	if (v->key.len)
		memcpy(k->key.at, v->key.at, v->key.len);
	k->key.len = v->key.len;
	k->format = v->key_format;
	k->mech = mech_find(d->shared, v->mech)->name; /* the vector's own dies with its file */
	return k;
}

static struct kcf_key key_bytes(const struct vector *v)
{
	struct kcf_key key = kcf_key_bytes(v->key.at, v->key.len);

	key.format = v->key_format;
	return key;
}

static enum kcf_status import_key(struct client_door *d, const struct kcf_key *bytes,
				  struct kcf_key *ret)
{
	struct kcf_key *slot = &d->handles[d->n_handles % HANDLES];
	enum kcf_status status;

	if (d->n_handles >= HANDLES)
		kcf_key_destroy(d->shared->client, slot, NULL);
	status = kcf_key_import(d->shared->client, bytes, 0, slot, NULL);
	if (status != KCF_SUCCESS)
		return status;
	d->n_handles++;
	*ret = *slot;
	return KCF_SUCCESS;
}

static enum kcf_status use_key(struct client_door *d, const struct vector *v, kcf_mech_t number,
			       struct kcf_key *ret)
{
	struct kcf_key bytes = key_bytes(v);
	enum kcf_status status = KCF_SUCCESS;
	struct kept *k;

	memset(ret, 0, sizeof(*ret));
	if (!v->has_key)
		return KCF_SUCCESS;
	k = keep(d, v);
	k->n_uses++;
	if (d->way == ASYNC && k->n_uses == 1)
		status = import_key(d, &bytes, &k->handle);
	if (d->way != ASYNC && k->n_uses == 2)
		status = kcf_template_create(d->shared->client, number, &bytes, &k->tmpl);
	if (status != KCF_SUCCESS) {
		kept_deinit(k);
		return status;
	}
	*ret = d->way == ASYNC ? k->handle : k->tmpl ? kcf_key_tmpl(k->tmpl) : bytes;
	return KCF_SUCCESS;
}

/* ---- one run --------------------------------------------------------------------------------- */

static size_t param_len(enum kcf_param_kind kind)
{
	static const size_t lens[KCF_PARAM_COUNT] = {
		[KCF_PARAM_IV] = sizeof(struct kcf_param_iv),
		[KCF_PARAM_AEAD] = sizeof(struct kcf_param_aead),
		[KCF_PARAM_MAC] = sizeof(struct kcf_param_mac),
		[KCF_PARAM_DIGEST] = sizeof(struct kcf_param_digest),
		[KCF_PARAM_RSA_PSS] = sizeof(struct kcf_param_rsa_pss),
		[KCF_PARAM_RSA_OAEP] = sizeof(struct kcf_param_rsa_oaep),
		[KCF_PARAM_SIGN] = sizeof(struct kcf_param_sign),
		[KCF_PARAM_ECDH] = sizeof(struct kcf_param_ecdh),
		[KCF_PARAM_HKDF] = sizeof(struct kcf_param_hkdf),
		[KCF_PARAM_PBKDF2] = sizeof(struct kcf_param_pbkdf2),
		[KCF_PARAM_KBKDF] = sizeof(struct kcf_param_kbkdf),
		[KCF_PARAM_SCRYPT] = sizeof(struct kcf_param_scrypt),
	};

	return lens[kind];
}

static void land(struct flight *f, enum kcf_status status, size_t len)
{
	struct run *run = f->run;

	run->status = status;
	run->out_len = len;
	f->door->n_over++;
	free(f);
	run_over(run);
}

static void on_completion(void *arg, const struct kcf_completion *completion)
{
	land(arg, completion->status, completion->len);
}

static size_t steps_used(const struct flight *f)
{
	size_t len = 0;
	unsigned i;

	for (i = 0; i < KCF_STEPS_MAX && f->steps[i].kind; i++)
		len += f->steps[i].out.used;
	return len;
}

static void on_steps(void *arg, const struct kcf_completion *completion)
{
	land(arg, completion->status, steps_used(arg));
}

static struct kcf_data data_of(const struct iovec *iov, unsigned n)
{
	return n == 1 ? kcf_flat(iov[0].iov_base, iov[0].iov_len) : kcf_iov(iov, n);
}

static enum kcf_status call(struct client_door *d, struct flight *f,
			    const struct kcf_mechanism *mech, const struct kcf_key *key,
			    struct kcf_call_req *req)
{
	struct kcf_client *c = d->shared->client;

	switch (f->run->v->op) {
	case KCF_OP_DIGEST:
		return kcf_digest(c, mech, &f->in, &f->out, req);
	case KCF_OP_MAC:
		return kcf_mac(c, mech, key, &f->in, &f->out, req);
	case KCF_OP_MAC_VERIFY:
		return kcf_mac_verify(c, mech, key, &f->in, &f->check, req);
	case KCF_OP_ENCRYPT:
		return kcf_encrypt(c, mech, key, &f->in, &f->out, req);
	case KCF_OP_DECRYPT:
		return kcf_decrypt(c, mech, key, &f->in, &f->out, req);
	case KCF_OP_SIGN:
		return kcf_sign(c, mech, key, &f->in, &f->out, req);
	case KCF_OP_VERIFY:
		return kcf_verify(c, mech, key, &f->in, &f->check, req);
	case KCF_OP_DERIVE:
		return kcf_derive(c, mech, key, &f->out, req);
	default:
		return KCF_ARGUMENTS_BAD;
	}
}

static size_t next_part(const struct run *run, size_t at, unsigned i)
{
	static const size_t odd[] = {13, 1, 31, 7, 129, 5};
	size_t total = run->v->in.len, len = run->variant == PARTS_ONE ? 1 : odd[i % 6];

	return len < total - at ? len : total - at;
}

/* Where the rest of the output goes. */
static struct kcf_data rest(const struct run *run)
{
	uint8_t *at = run->out[0].iov_base;

	return kcf_flat(at + run->out_len, run->out[0].iov_len - run->out_len);
}

/* init, updates, final as calls of their own, each waited for. */
static void parts(struct client_door *d, struct flight *f, const struct kcf_mechanism *mech,
		  const struct kcf_key *key, const char *provider)
{
	struct kcf_how how = {f->run->v->op, mech, key, NULL};
	struct kcf_call_req req = {
		.flags = KCF_WAIT, .preference = KCF_ONLY_PROVIDER, .provider = provider};
	struct run *run = f->run;
	struct kcf_context *ctx = NULL;
	enum kcf_status status = kcf_init(d->shared->client, &how, &ctx, &req);
	size_t at = 0;
	unsigned i;

	for (i = 0; at < run->v->in.len && status == KCF_SUCCESS; i++) {
		f->in = kcf_flat((uint8_t *)run->in[0].iov_base + at, next_part(run, at, i));
		f->out = rest(run);
		status = kcf_update(ctx, &f->in, run->room ? &f->out : NULL, NULL);
		at += f->in.len;
		run->out_len += status == KCF_SUCCESS && run->room ? f->out.used : 0;
	}
	if (status == KCF_SUCCESS) {
		f->out = rest(run);
		status = kcf_final(ctx, run->v->check.len ? &f->check : NULL,
				   run->room ? &f->out : NULL, NULL);
		run->out_len += status == KCF_SUCCESS && run->room ? f->out.used : 0;
	}
	kcf_context_free(ctx);
	land(f, status, run->out_len);
}

/* The same as one request. */
static enum kcf_status steps(struct client_door *d, struct flight *f,
			     const struct kcf_mechanism *mech, const struct kcf_key *key,
			     struct kcf_call_req *req)
{
	struct kcf_how how = {f->run->v->op, mech, key, NULL};
	struct run *run = f->run;
	unsigned n = 0, left;
	size_t at = 0, len;

	f->steps[n++].kind = KCF_STEP_INIT;
	while (at < run->v->in.len) {
		left = KCF_STEPS_MAX - 1 - n;
		len = left > 1 ? next_part(run, at, n) : run->v->in.len - at;
		f->steps[n].kind = KCF_STEP_UPDATE;
		f->steps[n++].in = kcf_flat((uint8_t *)run->in[0].iov_base + at, len);
		at += len;
	}
	f->steps[n].kind = KCF_STEP_FINAL;
	f->steps[n].in = f->check;
	f->steps[n++].out = run->room ? rest(run) : kcf_flat(NULL, 0);
	return kcf_submit_steps(d->shared->client, &how, f->steps, n, req);
}

/* Steps write to buffers that are named beforehand: fine where all output comes at the end. */
static bool fits_steps(const struct vector *v)
{
	return v->op != KCF_OP_ENCRYPT && v->op != KCF_OP_DECRYPT;
}

static void wait(struct door *door)
{
	struct client_door *d = (struct client_door *)door;
	struct pollfd p = {.fd = kcf_client_fd(d->shared->client), .events = POLLIN};
	unsigned before = d->n_over;

	while (d->n_over == before) {
		if (poll(&p, 1, WAIT_MS) == 0)
			die("door %s: no completion in %d s", door->name, WAIT_MS / 1000);
		if (kcf_client_dispatch(d->shared->client) != KCF_SUCCESS)
			die("door %s: the connection is lost", door->name);
	}
}

static struct flight *take_off(struct client_door *d, struct run *run)
{
	struct flight *f = calloc(1, sizeof(*f));

	if (!f)
		die("out of memory");
	f->run = run;
	f->door = d;
	f->in = data_of(run->in, run->n_in);
	f->out = data_of(run->out, run->n_out);
	f->check = kcf_flat(run->v->check.at, run->v->check.len);
	return f;
}

static void start(struct door *door, const char *provider, struct run *run)
{
	struct client_door *d = (struct client_door *)door;
	struct flight *f = take_off(d, run);
	const struct vector *v = run->v;
	bool in_parts = run->variant == PARTS_ODD || run->variant == PARTS_ONE;
	bool in_steps = in_parts && (d->way == INLINE || d->way == ARENA) && fits_steps(v);
	struct kcf_mechanism mech = {mech_find(d->shared, v->mech)->number, 0, NULL};
	struct kcf_key key;
	struct kcf_call_req req;
	enum kcf_status status = use_key(d, v, mech.number, &key);

	if (v->kind != KCF_PARAM_NONE) {
		mech.param = &v->param;
		mech.param_len = (uint32_t)param_len(v->kind);
	}
	if (status != KCF_SUCCESS) {
		land(f, status, 0);
		return;
	}
	if (in_parts && !in_steps) {
		parts(d, f, &mech, v->has_key ? &key : NULL, provider);
		return;
	}
	do {
		memset(&req, 0, sizeof(req));
		req.flags = d->way == CALLER  ? KCF_WAIT
			    : d->way == ASYNC ? KCF_SKIP_REQID
					      : KCF_ALWAYS_QUEUE | KCF_SKIP_REQID;
		req.callback = d->way == CALLER ? NULL : in_steps ? on_steps : on_completion;
		req.arg = d->way == CALLER ? NULL : f;
		req.preference = KCF_ONLY_PROVIDER;
		req.provider = provider;
		status = in_steps ? steps(d, f, &mech, v->has_key ? &key : NULL, &req)
				  : call(d, f, &mech, &key, &req);
		if (status == KCF_BUSY)
			wait(door);
	} while (status == KCF_BUSY);
	if (status != KCF_QUEUED)
		land(f, status, in_steps ? steps_used(f) : f->out.used);
}

/* ---- buffers, opening ------------------------------------------------------------------------ */

static void *arena_alloc(struct door *door, size_t len)
{
	return kcf_buf_alloc(((struct client_door *)door)->shared->client, len);
}

static void arena_free(struct door *door, void *buf)
{
	kcf_buf_free(((struct client_door *)door)->shared->client, buf);
}

static void list_mechs(struct shared *s)
{
	enum kcf_status status;

	s->n_mechs = MECHS_MAX;
	status = kcf_mech_list(s->client, s->mechs, &s->n_mechs);
	if (status != KCF_SUCCESS)
		die("mechanisms cannot be listed: %s", kcf_strstatus(status));
}

static struct client_door *door_new(struct shared *s, enum way_in way)
{
	static const char *const names[CLIENT_DOORS] = {"caller", "inline", "arena", "async"};
	struct client_door *d = calloc(1, sizeof(*d));

	if (!d)
		die("out of memory");
	d->door.name = names[way];
	d->way = way;
	d->shared = s;
	d->door.n_slots = way == CALLER ? 1 : IN_FLIGHT;
	d->door.offers = offers;
	d->door.start = start;
	d->door.wait = way == CALLER ? NULL : wait;
	if (way == ARENA) {
		d->door.buf_alloc = arena_alloc;
		d->door.buf_free = arena_free;
	}
	return d;
}

void door_client_open(const char *socket, const char *module_dir, struct door *ret[CLIENT_DOORS])
{
	struct kcf_client_options options = {.size = sizeof(options),
					     .socket = socket,
					     .module_dir = module_dir,
					     .flags = KCF_CLIENT_APP_LOOP};
	struct shared *s = calloc(1, sizeof(*s));
	enum kcf_status status;
	unsigned i;

	if (!s)
		die("out of memory");
	if (!socket)
		options.flags |= KCF_CLIENT_STANDALONE | KCF_CLIENT_NO_DAEMON;
	status = kcf_client_open(&options, &s->client);
	if (status != KCF_SUCCESS)
		die("%s: %s", socket ? socket : module_dir, kcf_strstatus(status));
	list_mechs(s);
	for (i = 0; i < CLIENT_DOORS; i++)
		ret[i] = socket || i == CALLER ? &door_new(s, (enum way_in)i)->door : NULL;
}

void door_client_close(struct door *doors[CLIENT_DOORS])
{
	struct shared *s = ((struct client_door *)doors[0])->shared;
	unsigned i, k;

	for (i = 0; i < CLIENT_DOORS; i++) {
		struct client_door *d = (struct client_door *)doors[i];

		if (!d)
			continue;
		for (k = 0; k < KEPT; k++)
			kept_deinit(&d->kept[k]);
		free(d);
	}
	kcf_client_close(s->client);
	free(s);
}

void door_client_providers(struct door *door, const char **ret, unsigned *n)
{
	struct shared *s = ((struct client_door *)door)->shared;
	unsigned room = *n, k;
	size_t i;
	uint32_t p;

	*n = 0;
	for (i = 0; i < s->n_mechs; i++) {
		for (p = 0; p < s->mechs[i].n_providers && p < KCF_MECH_PROVIDERS_MAX; p++) {
			const char *name = s->mechs[i].providers[p];

			for (k = 0; k < *n && strcmp(ret[k], name) != 0; k++)
				;
			if (k == *n && *n < room)
				ret[(*n)++] = name;
		}
	}
}
