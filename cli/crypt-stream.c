/* SPDX-License-Identifier: Apache-2.0 */
/*
 * crypt-stream - ciphers without a tag. Chained modes are one context with ordered updates; in CTR
 * and ECB every piece stands alone (its counter follows from its place), so that kcfd can run
 * several at once. One thread.
 */
#include <string.h>

#include "context.h"
#include "crypt.h"
#include "tool.h"

#define BLOCK 16u

struct pieces {
	struct crypt *crypt;
	struct kcf_template *tmpl;
	bool counter;
};

static int check_iv(const struct crypt *c)
{
	bool needs = c->s.mech.info.param_kind == KCF_PARAM_IV;

	if (needs && !c->iv) {
		tool_error("%s needs --iv HEX", c->s.mech.info.name);
		tool_hint("a fresh one for every file: kcf random --hex 16");
		return TOOL_USAGE;
	}
	if (!needs && c->iv) {
		tool_error("%s takes no --iv", c->s.mech.info.name);
		return TOOL_USAGE;
	}
	return TOOL_OK;
}

/* The 128-bit big-endian counter of a piece: start + blocks, modulo 2^128. */
static void counter_add(uint8_t *counter, uint64_t blocks)
{
	uint64_t carry = blocks;

	for (int i = BLOCK - 1; i >= 0 && carry; i--) {
		carry += counter[i];
		counter[i] = (uint8_t)carry;
		carry >>= 8;
	}
}

static enum kcf_status submit_piece(void *arg, const struct stream_slot *slot, struct kcf_data *out,
				    struct kcf_call_req *req)
{
	const struct pieces *p = arg;
	const struct crypt *c = p->crypt;
	struct kcf_data in = kcf_flat(slot->in, slot->in_len);
	struct kcf_key key = kcf_key_tmpl(p->tmpl);
	uint8_t counter[BLOCK];
	struct kcf_param_iv param = {counter, sizeof(counter)};
	struct kcf_mechanism mech = {.number = c->s.mech.info.number};

	if (p->counter) {
		memcpy(counter, c->iv, sizeof(counter));
		counter_add(counter, slot->index * (c->s.args.segment / BLOCK));
		mech.param = &param;
		mech.param_len = sizeof(param);
	}
	return (c->decrypt ? kcf_decrypt : kcf_encrypt)(c->s.client, &mech, &key, &in, out, req);
}

static int run_pieces(struct crypt *c, bool counter)
{
	struct pieces p = {.crypt = c, .counter = counter};
	struct stream_job job = session_job(&c->s, &c->source, &c->sink, &c->progress);
	enum kcf_status status;
	int code;

	if (counter && c->iv_len != BLOCK) {
		tool_error("--iv: %s needs %u bytes", c->s.mech.info.name, BLOCK);
		return TOOL_USAGE;
	}
	status = kcf_template_create(c->s.client, c->s.mech.info.number, &c->s.key.key, &p.tmpl);
	if (status != KCF_SUCCESS)
		return tool_fail(status, "key for %s", c->s.mech.info.name);
	job.submit = submit_piece;
	job.arg = &p;
	code = stream_run(&job, &c->done);
	kcf_template_destroy(p.tmpl);
	if (c->done.status != KCF_SUCCESS)
		tool_fail(c->done.status, "%s %s", c->s.command, c->source.name);
	return code;
}

static int finish(struct crypt *c, struct kcf_context *context)
{
	unsigned char rest[64];
	struct kcf_data out = kcf_flat(rest, sizeof(rest));
	enum kcf_status status = kcf_final(context, NULL, &out, NULL);
	int code;

	if (status != KCF_SUCCESS)
		return tool_fail(status, "%s %s", c->s.command, c->source.name);
	c->done.bytes_out += out.used;
	code = sink_write(&c->sink, rest, out.used);
	explicit_bzero(rest, sizeof(rest));
	return code;
}

static int run_context(struct crypt *c)
{
	struct kcf_param_iv param = {c->iv, c->iv_len};
	struct kcf_mechanism mech = {.number = c->s.mech.info.number};
	struct kcf_how how = {.op = c->decrypt ? KCF_OP_DECRYPT : KCF_OP_ENCRYPT,
			      .mech = &mech,
			      .key = &c->s.key.key};
	struct stream_job job = session_job(&c->s, &c->source, &c->sink, &c->progress);
	struct kcf_context *context;
	enum kcf_status status;
	int code;

	if (c->iv) {
		mech.param = &param;
		mech.param_len = sizeof(param);
	}
	status = context_begin(&c->s, &how, &context);
	if (status != KCF_SUCCESS)
		return tool_fail(status, "%s with %s", c->s.command, c->s.mech.info.name);
	job.submit = context_update;
	job.arg = context;
	job.out_extra = 64; /* a block held back from the update before */
	code = stream_run(&job, &c->done);
	if (c->done.status != KCF_SUCCESS)
		tool_fail(c->done.status, "%s %s", c->s.command, c->source.name);
	if (code == TOOL_OK)
		code = finish(c, context);
	kcf_context_free(context);
	return code;
}

int crypt_stream(struct crypt *c)
{
	kcf_mech_t number = c->s.mech.info.number;
	bool counter = number == KCF_M_AES_CTR;
	int code = check_iv(c);

	if (code != TOOL_OK)
		return code;
	if (counter || number == KCF_M_AES_ECB)
		return run_pieces(c, counter);
	return run_context(c);
}
