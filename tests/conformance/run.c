/* SPDX-License-Identifier: Apache-2.0 */
/*
 * run: see run.h.
 *
 * A published vector counts once for a provider and door, whatever number of runs it needed, and
 * only if all of them were right: verdicts[] keeps the worst answer per vector until the set is
 * done.
 */
#include "run.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SLOTS_MAX 64

struct runner {
	struct set *set;
	struct door *door;
	const char *provider;
	const struct options *options;
	struct run slots[SLOTS_MAX];
	uint8_t *answers; /* enum answer by published vector */
};

/* ---- buffers --------------------------------------------------------------------------------- */

static void *buf_alloc(struct door *door, size_t len)
{
	void *buf = door->buf_alloc ? door->buf_alloc(door, len) : malloc(len);

	if (!buf)
		die("door %s: no buffer of %zu bytes", door->name, len);
	return buf;
}

static void buf_free(struct door *door, void *buf)
{
	if (door->buf_free)
		door->buf_free(door, buf);
	else
		free(buf);
}

/* Room of at least len and one byte more, so that nothing is NULL. */
static void make_room(struct door *door, uint8_t **buf, size_t *room, size_t len)
{
	if (*room > len)
		return;
	if (*buf)
		buf_free(door, *buf);
	*room = len < 4096 ? 4096 : 2 * len;
	*buf = buf_alloc(door, *room);
}

/* Uneven pieces; n is at most PIECES_MAX. */
static unsigned cut(struct iovec *iov, uint8_t *at, size_t len)
{
	static const size_t sizes[] = {1, 0, 15, 17, 2, 33, 5};
	unsigned n = 0;
	size_t size;

	while (len > 0 && n < PIECES_MAX - 1) {
		size = sizes[n % 7] < len ? sizes[n % 7] : len;
		iov[n++] = (struct iovec){at, size};
		at += size;
		len -= size;
	}
	iov[n++] = (struct iovec){at, len};
	return n;
}

/* ---- judging --------------------------------------------------------------------------------- */

static bool same_output(const struct run *run)
{
	const struct vector *v = run->v;
	uint8_t *at = run->variant == IN_PLACE ? run->in_buf : run->out_buf;

	return run->out_len == v->out.len && memcmp(at, v->out.at, v->out.len) == 0;
}

static bool is_right(const struct run *run)
{
	const struct vector *v = run->v;
	bool ok = run->status == KCF_SUCCESS;

	if (run->variant == TAMPERED)
		return !ok || (has_output(v) && (v->undo || !same_output(run)));
	if (v->verdict == MAY_PASS)
		return true;
	if (v->verdict == MUST_FAIL) {
		bool compare = v->op == KCF_OP_DERIVE && !v->no_answer;

		return !ok || (compare && !same_output(run));
	}
	if (!ok)
		return false;
	if (run->undoing && v->op != KCF_OP_DECRYPT)
		return true;
	return !has_output(v) || v->undo || same_output(run);
}

static const char *const variant_names[N_VARIANTS] = {
	"", " tampered", " scattered", " in place", " in odd parts", " in parts of a byte"};

static const char *op_name(enum kcf_op op)
{
	switch (op) {
#define KCF__X(name, value, text, classes)                                                         \
	case KCF_OP_##name:                                                                        \
		return text;
		KCF_OP_LIST(KCF__X)
#undef KCF__X
	default:
		return "?";
	}
}

static const char *status_name(enum kcf_status status)
{
	switch (status) {
#define KCF__X(name, value, text)                                                                  \
	case KCF_##name:                                                                           \
		return #name;
		KCF_STATUS_LIST(KCF__X)
#undef KCF__X
	default:
		return "?";
	}
}

static void tell(const char *what, const struct run *run)
{
	const struct runner *r = run->runner;
	const struct vector *v = run->published;

	printf("%s %s:%u %s %s%s%s, provider %s, door %s: %s, %zu bytes\n", what, v->file, v->line,
	       v->mech, op_name(run->v->op), variant_names[run->variant],
	       run->undoing ? " (undone)" : "", r->provider, r->door->name,
	       status_name(run->status), run->out_len);
}

/* A key length or a curve that a provider does not do is no wrong answer: it says so by these
 * statuses. Nor is an EdDSA context, which libraries learned late. */
static bool is_skip(const struct run *run)
{
	const struct vector *v = run->v;

	if (v->kind == KCF_PARAM_SIGN && v->param.sign.context_len > 0 &&
	    run->status == KCF_MECHANISM_PARAM_INVALID)
		return true;
	/* nor a nonce longer than any protocol has */
	if (v->kind == KCF_PARAM_AEAD && v->param.aead.iv_len > 128 &&
	    run->status == KCF_MECHANISM_PARAM_INVALID)
		return true;
	/* nor associated data beyond what a message carries: a limit PROTOCOL.md states */
	if (v->kind == KCF_PARAM_AEAD && v->param.aead.aad_len > 16384 &&
	    run->status == KCF_BUFFER_TOO_BIG)
		return true;
	/* the last: PKCS #1 v1.5 decryption by handle is off on purpose */
	return run->status == KCF_KEY_SIZE_RANGE || run->status == KCF_MECH_NOT_SUPPORTED ||
	       run->status == KCF_KEY_FUNCTION_NOT_PERMITTED;
}

static void note(struct run *run)
{
	struct runner *r = run->runner;
	struct tally *t = tally_of(run->v->mech, r->provider, r->door->name);
	uint8_t *answer = &r->answers[run->published->id];
	bool right = is_right(run);

	if (is_skip(run)) {
		if (r->options->verbose)
			tell("skipped", run);
		if (*answer == NOT_RUN)
			*answer = SKIPPED;
		return;
	}
	if (!right) {
		tell("WRONG", run);
		*answer = WRONG;
		return;
	}
	if (run->variant == TAMPERED)
		t->twins++;
	else if (run->variant != PLAIN)
		t->variants++;
	if (*answer != WRONG && run->variant == PLAIN)
		*answer = RIGHT;
}

void run_over(struct run *run)
{
	if (run->v->undo && run->status == KCF_SUCCESS && run->variant == PLAIN && !run->undoing) {
		run->state = RUN_TO_UNDO;
		return;
	}
	note(run);
	run->state = RUN_FREE;
}

/* ---- running --------------------------------------------------------------------------------- */

static void fill(struct run *run)
{
	const struct vector *v = run->v;
	struct door *door = run->runner->door;
	size_t room = vector_room(v);

	run->room = room;
	make_room(door, &run->in_buf, &run->in_room, v->in.len > room ? v->in.len : room);
	make_room(door, &run->out_buf, &run->out_room, room);
	memcpy(run->in_buf, v->in.at ? v->in.at : (const uint8_t *)"", v->in.len);
	run->status = KCF_QUEUED;
	run->out_len = 0;
}

static void lay_out(struct run *run)
{
	size_t len = run->v->in.len;

	if (run->variant == SCATTERED) {
		run->n_in = cut(run->in, run->in_buf, len);
		run->n_out = cut(run->out, run->out_buf, run->room);
		return;
	}
	run->in[0] = (struct iovec){run->in_buf, len};
	run->out[0] =
		(struct iovec){run->variant == IN_PLACE ? run->in_buf : run->out_buf, run->room};
	run->n_in = run->n_out = 1;
}

static void start(struct run *run)
{
	struct runner *r = run->runner;

	run->state = RUN_BUSY;
	r->door->start(r->door, r->provider, run);
}

/* The output of the run becomes what the second one verifies or decrypts. */
static void start_undo(struct run *run)
{
	struct bytes made = set_copy(run->set, run->out_buf, run->out_len);

	run->changed = *run->v->undo;
	if (run->changed.op == KCF_OP_DECRYPT)
		run->changed.in = made;
	else
		run->changed.check = made;
	run->v = &run->changed;
	run->undoing = true;
	fill(run);
	lay_out(run);
	start(run);
}

static bool all_free(struct runner *r)
{
	unsigned i;
	bool free_all = true;

	for (i = 0; i < r->door->n_slots; i++) {
		if (r->slots[i].state == RUN_TO_UNDO)
			start_undo(&r->slots[i]);
		free_all = free_all && r->slots[i].state == RUN_FREE;
	}
	return free_all;
}

static struct run *free_slot(struct runner *r)
{
	unsigned i;

	for (;;) {
		all_free(r);
		for (i = 0; i < r->door->n_slots; i++) {
			if (r->slots[i].state == RUN_FREE)
				return &r->slots[i];
		}
		if (r->door->wait)
			r->door->wait(r->door);
	}
}

static void run_one(struct runner *r, const struct vector *v, enum variant variant)
{
	struct run *run = free_slot(r);

	run->runner = r;
	run->set = r->set; /* for copies that live as long */
	run->published = v;
	run->v = v;
	run->variant = variant;
	run->undoing = false;
	fill(run);
	if (variant == TAMPERED) {
		run->changed = *v;
		run->v = &run->changed;
		if (!run_tamper(run))
			return;
	}
	lay_out(run);
	start(run);
}

static bool fits_variant(const struct vector *v, enum variant variant)
{
	switch (variant) {
	case TAMPERED:
		return v->verdict == MUST_PASS && !v->undo;
	case IN_PLACE:
		return (v->op == KCF_OP_ENCRYPT || v->op == KCF_OP_DECRYPT) && v->in.len > 0 &&
		       !v->undo && v->verdict == MUST_PASS;
	case PARTS_ODD:
		return v->op != KCF_OP_DERIVE && !v->undo;
	case PARTS_ONE:
		return v->op != KCF_OP_DERIVE && v->in.len <= 512 && !v->undo;
	default:
		return !v->undo;
	}
}

static void run_vector(struct runner *r, const struct vector *v)
{
	const struct options *o = r->options;
	unsigned variant;

	if (!r->door->offers(r->door, r->provider, v, PLAIN))
		return;
	run_one(r, v, PLAIN);
	for (variant = TAMPERED; variant < N_VARIANTS; variant++) {
		if (variant != TAMPERED && (v->id / o->sample) % o->variant_every != 0)
			continue;
		if (fits_variant(v, variant) && r->door->offers(r->door, r->provider, v, variant))
			run_one(r, v, variant);
	}
}

static void count_answers(struct runner *r)
{
	unsigned i, done = ~0u;
	struct tally *t;

	for (i = 0; i < r->set->n; i++) {
		const struct vector *v = r->set->vectors[i];

		if (v->id == done || r->answers[v->id] == NOT_RUN)
			continue;
		done = v->id;
		t = tally_of(v->mech, r->provider, r->door->name);
		t->passed += r->answers[v->id] == RIGHT;
		t->failed += r->answers[v->id] == WRONG;
		t->skipped += r->answers[v->id] == SKIPPED;
		if (r->set->worst && r->set->worst[v->id] < r->answers[v->id])
			r->set->worst[v->id] = r->answers[v->id];
	}
}

void run_set(struct set *set, struct door *door, const char *provider,
	     const struct options *options)
{
	struct runner r = {.set = set, .door = door, .provider = provider, .options = options};
	unsigned i;

	r.answers = calloc(set->n_ids + 1, 1);
	if (!r.answers || door->n_slots > SLOTS_MAX)
		die("out of memory");
	for (i = 0; i < set->n; i++) {
		const struct vector *v = set->vectors[i];

		if (v->id % options->sample != 0)
			continue;
		if (options->only && strcmp(options->only, v->mech) != 0)
			continue;
		run_vector(&r, v);
	}
	while (!all_free(&r)) {
		if (door->wait)
			door->wait(door);
	}
	count_answers(&r);
	for (i = 0; i < door->n_slots; i++) {
		if (r.slots[i].in_buf)
			buf_free(door, r.slots[i].in_buf);
		if (r.slots[i].out_buf)
			buf_free(door, r.slots[i].out_buf);
	}
	free(r.answers);
}
