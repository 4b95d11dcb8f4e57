/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The same call at every door - the caller's thread, queued in kcfd, with a key by handle - answers
 * alike, right or wrong: status, length, required length, bytes; and what it does not write stays
 * as it was.
 *
 * Calls are made up from a seed: any mechanism, keys, parameters and lengths near the edges.
 * KCF_DOORS_CALLS makes more of them, KCF_DOORS_SEED others.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "../bed.h"
#include "made-up.h"
#include "../test-main.h"

#define FILL 0xa7

static struct bed bed;

enum door { CALLER, QUEUED, HANDLE, N_DOORS };

static const char *const doors[N_DOORS] = {"the caller's thread", "kcfd's queue", "a handle"};

struct result {
	enum kcf_status status;
	size_t used, mac_used;
	uint8_t out[ROOM], mac[128];
};

/* ---- calling ---- */

static const struct kcf_key *key_at(enum door door, const struct kcf_key *bytes,
				    struct kcf_key *room)
{
	if (door != HANDLE)
		return bytes;
	ck_assert_int_eq(kcf_key_import(bed.client, bytes, 0, room, NULL), KCF_SUCCESS);
	return room;
}

static enum kcf_status ask(const struct call *c, const struct kcf_key *key,
			   const struct kcf_key *key2, struct kcf_data *out, struct kcf_data *mac,
			   struct kcf_call_req *req)
{
	struct kcf_data in = kcf_flat(c->in_len && c->has_in ? c->in : NULL, c->in_len);
	struct kcf_data check = kcf_flat(c->in, c->check_len);
	struct kcf_dual dual = {&c->mech, key, &c->mech2, key2};
	struct kcf_client *client = bed.client;

	switch (c->op) {
	case KCF_OP_DIGEST:
		return kcf_digest(client, &c->mech, &in, out, req);
	case KCF_OP_MAC:
		return kcf_mac(client, &c->mech, key, &in, out, req);
	case KCF_OP_MAC_VERIFY:
		return kcf_mac_verify(client, &c->mech, key, &in, &check, req);
	case KCF_OP_ENCRYPT:
		return kcf_encrypt(client, &c->mech, key, &in, out, req);
	case KCF_OP_DECRYPT:
		return kcf_decrypt(client, &c->mech, key, &in, out, req);
	case KCF_OP_SIGN:
		return kcf_sign(client, &c->mech, key, &in, out, req);
	case KCF_OP_VERIFY:
		return kcf_verify(client, &c->mech, key, &in, &check, req);
	case KCF_OP_ENCRYPT_MAC:
		return kcf_encrypt_mac(client, &dual, &in, out, mac, req);
	case KCF_OP_MAC_DECRYPT:
		return kcf_mac_decrypt(client, &dual, &in, &check, out, req);
	default:
		return kcf_derive(client, &c->mech, key, out, req);
	}
}

static void call_at(enum door door, const struct call *c, struct result *ret)
{
	struct kcf_call_req wait = {.flags = KCF_WAIT},
			    req = collect_req(&bed.done, KCF_ALWAYS_QUEUE);
	struct kcf_data out = kcf_flat(ret->out, c->room), mac = kcf_flat(ret->mac, c->mac_room);
	struct kcf_key room, room2;
	const struct kcf_key *key = key_at(door, &c->key, &room), *key2 = &c->key2;
	unsigned n = collect_n(&bed.done);
	bool dual = c->op == KCF_OP_ENCRYPT_MAC || c->op == KCF_OP_MAC_DECRYPT;

	if (dual)
		key2 = key_at(door, &c->key2, &room2);
	memset(ret->out, FILL, sizeof(ret->out));
	memset(ret->mac, FILL, sizeof(ret->mac));
	ret->status = ask(c, key, key2, &out, &mac, door == QUEUED ? &req : &wait);
	ret->used = out.used;
	ret->mac_used = mac.used;
	if (ret->status == KCF_QUEUED) {
		collect_wait(&bed.done, n + 1);
		ret->status = bed.done.status;
		ret->used = ret->status == KCF_BUFFER_TOO_SMALL ? bed.done.required : bed.done.len;
	}
	if (key == &room)
		kcf_key_destroy(bed.client, &room, NULL);
	if (key2 == &room2)
		kcf_key_destroy(bed.client, &room2, NULL);
}

/* ---- comparing ---- */

static char *describe(const struct call *c, enum door door, const struct result *a,
		      const struct result *b)
{
	static char text[512];

	snprintf(text, sizeof(text),
		 "op %d %s key %zu (format %d) in %zu room %zu check %zu mac %zu param %u/%s: "
		 "caller %s %zu, %s %s %zu",
		 c->op, c->name->name, c->key.len, c->key.format, c->in_len, c->room, c->check_len,
		 c->mac_room, c->mech.param_len, c->mech.param ? "given" : "none",
		 kcf_status_name(a->status), a->used, doors[door], kcf_status_name(b->status),
		 b->used);
	return text;
}

static bool is_filled(const uint8_t *p, size_t from, size_t to)
{
	for (; from < to; from++)
		if (p[from] != FILL)
			return false;
	return true;
}

static bool writes(const struct call *c)
{
	return c->op != KCF_OP_MAC_VERIFY && c->op != KCF_OP_VERIFY;
}

/* NULL, or what is wrong. */
static const char *differ(const struct call *c, const struct result *a, const struct result *b,
			  bool queued)
{
	if (a->status != b->status)
		return "another status";
	if (!writes(c))
		return NULL;
	if (a->status == KCF_SUCCESS && (a->used != b->used || memcmp(a->out, b->out, a->used)))
		return "another output";
	if (a->status == KCF_BUFFER_TOO_SMALL && a->used != b->used)
		return "another required length";
	/* a callback is told one length alone */
	if (c->op == KCF_OP_ENCRYPT_MAC && !queued && a->status == KCF_BUFFER_TOO_SMALL &&
	    a->mac_used != b->mac_used)
		return "another required length of the MAC";
	if (c->op == KCF_OP_ENCRYPT_MAC && a->status == KCF_SUCCESS &&
	    memcmp(a->mac, b->mac, sizeof(a->mac)))
		return "another MAC";
	if (!is_filled(b->out, c->room, ROOM))
		return "written beyond the room";
	if (b->status != KCF_SUCCESS && c->op == KCF_OP_DECRYPT && b != a &&
	    !is_filled(b->out, 0, ROOM))
		return "something was written though it failed";
	return NULL;
}

START_TEST(answers_alike_at_every_door)
{
	const char *calls = getenv("KCF_DOORS_CALLS"), *begin = getenv("KCF_DOORS_SEED");
	unsigned n = calls ? (unsigned)atoi(calls) : 4000, bad = 0;
	static struct call c;
	static struct result r[N_DOORS];

	made_up_seed = begin ? (unsigned)atoi(begin) : 1;
	for (unsigned i = 0; i < n; i++) {
		make_up(&c);
		for (enum door door = CALLER; door < N_DOORS; door++) {
			const char *what;

			if (door == HANDLE && c.op == KCF_OP_DIGEST)
				continue;
			call_at(door, &c, &r[door]);
			what = differ(&c, &r[CALLER], &r[door], door == QUEUED);
			if (what && ++bad <= 40)
				fprintf(stderr, "# %s: %s\n", what,
					describe(&c, door, &r[CALLER], &r[door]));
		}
	}
	ck_assert_uint_eq(bad, 0);
}
END_TEST

/* ---- in parts ---- */

#define PARTS 4u

struct parts {
	struct call call;
	size_t cut[PARTS + 1]; /* of the input */
	bool small;            /* the rooms are too small at first */
	bool by_steps;
};

struct parts_result {
	enum kcf_status init, update, final; /* update: the first that failed */
	size_t len, required;
	uint8_t out[ROOM], check[ROOM];
};

static void make_parts(struct parts *p)
{
	struct call *c = &p->call;
	uint8_t check[64];
	size_t n;

	do
		make_up(c);
	while (class_of(c->op) == KCF_CLASS_DERIVE || c->op == KCF_OP_SIGN ||
	       c->op == KCF_OP_VERIFY || !(c->name->classes & class_of(c->op)));
	if (c->mech.param_len && c->name->param_kind == KCF_PARAM_AEAD && any(2))
		c->param.aead.data_len = c->in_len;
	n = any(5) ? make_right(bed.client, c, check) : 0;
	c->check_len = n ? n : 16;
	memcpy(c->in + ROOM - 128, check, n);
	p->cut[0] = 0;
	for (unsigned i = 1; i < PARTS; i++)
		p->cut[i] = p->cut[i - 1] + any((unsigned)(c->in_len - p->cut[i - 1]) + 1);
	p->cut[PARTS] = c->in_len;
	p->small = c->op != KCF_OP_ENCRYPT_MAC && !any(3);
	p->by_steps = !any(3);
}

static bool has_check(enum kcf_op op)
{
	return op == KCF_OP_MAC_VERIFY || op == KCF_OP_MAC_DECRYPT;
}

static enum kcf_status begin(enum door door, const struct kcf_how *how, struct kcf_context **ctx)
{
	struct kcf_call_req req = collect_req(&bed.done, KCF_ALWAYS_QUEUE);
	unsigned n = collect_n(&bed.done);
	enum kcf_status status = kcf_init(bed.client, how, ctx, door == QUEUED ? &req : NULL);

	if (status != KCF_QUEUED)
		return status;
	collect_wait(&bed.done, n + 1);
	status = bed.done.status;
	if (status != KCF_SUCCESS)
		kcf_context_free(*ctx);
	return status;
}

/* One part: into too little room first if it is to be so, then into enough. */
static enum kcf_status part(struct kcf_context *ctx, const struct kcf_data *in,
			    const struct kcf_data *check, bool small, struct parts_result *r)
{
	struct kcf_data out = kcf_flat(r->out + r->len, small ? 0 : ROOM - r->len);
	enum kcf_status status =
		in ? kcf_update(ctx, in, &out, NULL) : kcf_final(ctx, check, &out, NULL);

	if (status == KCF_BUFFER_TOO_SMALL) {
		if (!in)
			r->required = out.used;
		out.len = out.used;
		status = in ? kcf_update(ctx, in, &out, NULL) : kcf_final(ctx, check, &out, NULL);
		ck_assert_int_ne(status, KCF_BUFFER_TOO_SMALL);
	}
	if (status == KCF_SUCCESS)
		r->len += out.used;
	return status;
}

static void run_context(enum door door, const struct parts *p, const struct kcf_how *how,
			struct parts_result *r)
{
	const struct call *c = &p->call;
	struct kcf_data check = kcf_flat(c->in + ROOM - 128, c->check_len);
	struct kcf_context *ctx;

	r->init = begin(door, how, &ctx);
	if (r->init != KCF_SUCCESS)
		return;
	for (unsigned i = 0; i < PARTS && r->update == KCF_SUCCESS; i++) {
		struct kcf_data in = kcf_flat(c->in + p->cut[i], p->cut[i + 1] - p->cut[i]);

		r->update = part(ctx, &in, NULL, p->small, r);
	}
	r->final = part(ctx, NULL, has_check(c->op) ? &check : NULL, p->small, r);
	ck_assert_int_eq(kcf_final(ctx, NULL, NULL, NULL), KCF_INVALID_CONTEXT);
	kcf_context_free(ctx);
}

static void run_steps(enum door door, const struct parts *p, const struct kcf_how *how,
		      struct parts_result *r)
{
	const struct call *c = &p->call;
	struct kcf_call_req req = collect_req(&bed.done, KCF_ALWAYS_QUEUE);
	unsigned n = collect_n(&bed.done);
	struct kcf_step steps[PARTS + 2] = {{.kind = KCF_STEP_INIT}};
	static uint8_t out[PARTS + 2][ROOM];

	for (unsigned i = 0; i < PARTS; i++)
		steps[i + 1] = (struct kcf_step){
			.kind = KCF_STEP_UPDATE,
			.in = kcf_flat(c->in + p->cut[i], p->cut[i + 1] - p->cut[i]),
			.out = kcf_flat(out[i + 1], p->small ? 0 : ROOM)};
	steps[PARTS + 1] =
		(struct kcf_step){.kind = KCF_STEP_FINAL, .out = kcf_flat(out[PARTS + 1], ROOM)};
	if (has_check(c->op))
		steps[PARTS + 1].in = kcf_flat(c->in + ROOM - 128, c->check_len);
	r->init = kcf_submit_steps(bed.client, how, steps, PARTS + 2, door == QUEUED ? &req : NULL);
	if (r->init == KCF_QUEUED) {
		collect_wait(&bed.done, n + 1);
		r->init = bed.done.status;
	}
	/* The step that failed is the last of which anything is said. */
	for (unsigned i = 1; i < PARTS + 2 && r->init == KCF_BUFFER_TOO_SMALL; i++)
		if (steps[i].out.used)
			r->required = steps[i].out.used;
	for (unsigned i = 1; i < PARTS + 2 && r->init == KCF_SUCCESS; i++) {
		memcpy(r->out + r->len, out[i], steps[i].out.used);
		r->len += steps[i].out.used;
	}
}

static void parts_at(enum door door, const struct parts *p, struct parts_result *r)
{
	const struct call *c = &p->call;
	struct kcf_key room, room2;
	const struct kcf_key *key = key_at(door, &c->key, &room),
			     *key2 = key_at(door, &c->key2, &room2);
	struct kcf_dual dual = {&c->mech, key, &c->mech2, key2};
	bool is_dual = c->op == KCF_OP_ENCRYPT_MAC || c->op == KCF_OP_MAC_DECRYPT;
	struct kcf_how how = {.op = c->op,
			      .mech = is_dual ? NULL : &c->mech,
			      .key = is_dual || c->op == KCF_OP_DIGEST ? NULL : key,
			      .dual = is_dual ? &dual : NULL};

	memset(r, 0, sizeof(*r));
	if (p->by_steps)
		run_steps(door, p, &how, r);
	else
		run_context(door, p, &how, r);
	if (door == HANDLE) {
		kcf_key_destroy(bed.client, &room, NULL);
		kcf_key_destroy(bed.client, &room2, NULL);
	}
}

static enum kcf_status first_error(const struct parts_result *r)
{
	return r->init ? r->init : r->update ? r->update : r->final;
}

/* kcfd does dual operations in one piece when all data is there: it finds some faults later than a
 * caller that goes by parts. A mechanism without parts it refuses before it looks at the key. */
static const char *parts_differ(const struct parts *p, const struct parts_result *a,
				const struct parts_result *b)
{
	bool dual = p->call.op == KCF_OP_ENCRYPT_MAC || p->call.op == KCF_OP_MAC_DECRYPT;

	if (a->init == KCF_KEY_SIZE_RANGE && b->init == KCF_MECH_NOT_SUPPORTED)
		return NULL;
	if (first_error(a) != first_error(b))
		return "another error";
	if (!dual && a->init != b->init)
		return "another beginning";
	if (!dual && a->update != b->update)
		return "another end of a part";
	if (first_error(a) != KCF_SUCCESS && (dual || first_error(a) != KCF_BUFFER_TOO_SMALL))
		return NULL;
	if (a->required != b->required)
		return "another required length at the end";
	return a->len != b->len || memcmp(a->out, b->out, a->len) ? "another output" : NULL;
}

START_TEST(answers_alike_in_parts)
{
	const char *calls = getenv("KCF_DOORS_CALLS"), *from = getenv("KCF_DOORS_SEED");
	unsigned n = calls ? (unsigned)atoi(calls) : 2000, bad = 0, right = 0;
	static struct parts p;
	static struct parts_result r[N_DOORS];

	made_up_seed = from ? (unsigned)atoi(from) : 1;
	for (unsigned i = 0; i < n; i++) {
		make_parts(&p);
		for (enum door door = CALLER; door < N_DOORS; door++) {
			const char *what;

			if (door == HANDLE && p.call.op == KCF_OP_DIGEST)
				continue;
			parts_at(door, &p, &r[door]);
			what = parts_differ(&p, &r[CALLER], &r[door]);
			right += r[door].init == KCF_SUCCESS && r[door].final == KCF_SUCCESS;
			if (what && ++bad <= 40)
				fprintf(stderr,
					"# %s at %s%s%s: op %d %s key %zu in %zu (%zu %zu %zu): %s "
					"%s %s %zu/%zu, %s %s %s %zu/%zu\n",
					what, doors[door], p.small ? ", small" : "",
					p.by_steps ? ", steps" : "", p.call.op, p.call.name->name,
					p.call.key.len, p.call.in_len, p.cut[1], p.cut[2], p.cut[3],
					kcf_status_name(r[CALLER].init),
					kcf_status_name(r[CALLER].update),
					kcf_status_name(r[CALLER].final), r[CALLER].len,
					r[CALLER].required, kcf_status_name(r[door].init),
					kcf_status_name(r[door].update),
					kcf_status_name(r[door].final), r[door].len,
					r[door].required);
		}
	}
	ck_assert_uint_eq(bad, 0);
	ck_assert_uint_gt(right, n / 10);
}
END_TEST

static void setup(void)
{
	bed_open(&bed, NULL);
}

static void teardown(void)
{
	bed_close(&bed);
}

int main(void)
{
	Suite *s = suite_create("doors");
	TCase *t = tcase_create("doors");

	tcase_set_timeout(t, 0);
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, answers_alike_at_every_door);
	tcase_add_test(t, answers_alike_in_parts);
	suite_add_tcase(s, t);
	return test_main(s);
}
