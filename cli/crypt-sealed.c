/* SPDX-License-Identifier: Apache-2.0 */
/*
 * crypt-sealed - AEAD files of any size: a header, then segments sealed one by one under a key
 * derived for this file. Every segment's nonce holds its number and whether it is the last, its
 * additional data the header: a segment that is missing, moved, added or changed does not open. One
 * thread.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "crypt.h"
#include "sealed.h"
#include "tool.h"

#define DEFAULT_SEGMENT 65536u

struct sealing {
	struct crypt *crypt;
	struct sealed_header header;
	uint8_t *aad; /* header bytes, then the user's */
	size_t aad_len;
	struct kcf_template *tmpl;
};

static enum kcf_status submit(void *arg, const struct stream_slot *slot, struct kcf_data *out,
			      struct kcf_call_req *req)
{
	const struct sealing *g = arg;
	const struct crypt *c = g->crypt;
	uint8_t nonce[SEALED_NONCE_LEN];
	struct kcf_param_aead param = {.iv = nonce,
				       .iv_len = sizeof(nonce),
				       .aad = g->aad,
				       .aad_len = g->aad_len,
				       .tag_len = SEALED_TAG_LEN};
	struct kcf_mechanism mech = {c->s.mech.info.number, sizeof(param), &param};
	struct kcf_key key = kcf_key_tmpl(g->tmpl);
	struct kcf_data in = kcf_flat(slot->in, slot->in_len);

	if (slot->index > UINT32_MAX)
		return KCF_BUFFER_TOO_BIG;
	sealed_nonce(&g->header, (uint32_t)slot->index, slot->last, nonce);
	return (c->decrypt ? kcf_decrypt : kcf_encrypt)(c->s.client, &mech, &key, &in, out, req);
}

/* The file's own key: HKDF-SHA256 of the user's with the header's salt; a key in kcfd stays there.
 */
static enum kcf_status derive_template(struct sealing *g)
{
	struct crypt *c = g->crypt;
	struct kcf_param_hkdf param = {.hash = KCF_M_SHA256,
				       .salt = g->header.salt,
				       .salt_len = SEALED_SALT_LEN,
				       .info = (const uint8_t *)SEALED_INFO,
				       .info_len = sizeof(SEALED_INFO) - 1};
	struct kcf_mechanism mech = {KCF_M_HKDF_DERIVE, sizeof(param), &param};
	kcf_mech_t number = c->s.mech.info.number;
	uint8_t bytes[32];
	struct kcf_data out = kcf_flat(bytes, g->header.key_len);
	struct kcf_key key;
	enum kcf_status status;

	if (c->s.key.key.kind == KCF_KEY_BYTES) {
		status = kcf_derive(c->s.client, &mech, &c->s.key.key, &out, NULL);
		key = kcf_key_bytes(bytes, g->header.key_len);
	} else {
		status = kcf_key_derive(c->s.client, &mech, &c->s.key.key, g->header.key_len, 0,
					&key, NULL);
	}
	if (status == KCF_SUCCESS)
		status = kcf_template_create(c->s.client, number, &key, &g->tmpl);
	explicit_bzero(bytes, sizeof(bytes));
	return status;
}

static int make_header(struct sealing *g)
{
	const struct crypt *c = g->crypt;
	const struct kcf_key *key = &c->s.key.key;
	unsigned key_len = c->s.mech.key_bytes;

	if (!key_len)
		key_len = key->kind == KCF_KEY_BYTES ? (unsigned)key->len : 32;
	if (key_len != 16 && key_len != 24 && key_len != 32) {
		tool_error("a key of %u bytes cannot be used with %s", key_len,
			   c->s.mech.info.name);
		return TOOL_FAILED;
	}
	g->header.mech = c->s.mech.info.number;
	g->header.segment = c->s.args.segment_text ? (uint32_t)c->s.args.segment : DEFAULT_SEGMENT;
	g->header.key_len = (uint8_t)key_len;
	if (getrandom(g->header.prefix, SEALED_PREFIX_LEN, 0) != SEALED_PREFIX_LEN ||
	    getrandom(g->header.salt, SEALED_SALT_LEN, 0) != SEALED_SALT_LEN)
		return tool_fail_errno("read", "random bytes");
	return TOOL_OK;
}

static int read_header(struct sealing *g, uint8_t *buf)
{
	const struct crypt *c = g->crypt;
	long n = source_read(&g->crypt->source, buf, SEALED_HEADER_LEN);
	const char *problem = NULL;

	if (n < 0)
		return TOOL_FAILED;
	if (n < (long)SEALED_HEADER_LEN)
		problem = "shorter than a header";
	else
		problem = sealed_get(buf, &g->header);
	if (!problem && c->source.at_end)
		problem = "cut off after the header";
	if (problem) {
		tool_error("%s: %s", c->source.name, problem);
		return TOOL_FAILED;
	}
	if (g->header.mech != c->s.mech.info.number) {
		const struct kcf_mech_name *m = kcf_mech_name(g->header.mech);

		tool_error("%s was made with %s, not %s", c->source.name,
			   m ? m->name : "another mechanism", c->s.mech.info.name);
		return TOOL_FAILED;
	}
	return TOOL_OK;
}

static int begin(struct sealing *g)
{
	struct crypt *c = g->crypt;
	int code;

	g->aad_len = SEALED_HEADER_LEN + c->aad_len;
	g->aad = malloc(g->aad_len);
	if (!g->aad)
		return tool_fail(KCF_HOST_MEMORY, "%s", c->s.command);
	if (c->aad_len)
		memcpy(g->aad + SEALED_HEADER_LEN, c->aad, c->aad_len);
	if (c->decrypt)
		return read_header(g, g->aad);
	code = make_header(g);
	if (code != TOOL_OK)
		return code;
	sealed_put(g->aad, &g->header);
	c->done.bytes_out += SEALED_HEADER_LEN;
	return sink_write(&c->sink, g->aad, SEALED_HEADER_LEN);
}

static int run(struct sealing *g)
{
	struct crypt *c = g->crypt;
	struct stream_job job = session_job(&c->s, &c->source, &c->sink, &c->progress);
	uint64_t header_out = c->done.bytes_out;
	int code;

	job.in_size = g->header.segment + (c->decrypt ? SEALED_TAG_LEN : 0);
	job.out_extra = c->decrypt ? 0 : SEALED_TAG_LEN;
	job.empty_piece = true;
	job.submit = submit;
	job.arg = g;
	code = stream_run(&job, &c->done);
	c->done.bytes_out += header_out;
	if (c->done.status == KCF_INVALID_MAC || c->done.status == KCF_ENCRYPTED_DATA_LEN_RANGE) {
		tool_error("%s: segment %llu does not verify", c->source.name,
			   (unsigned long long)c->done.pieces);
		tool_hint("wrong key or --aad, or the file was changed or cut off");
	} else if (c->done.status != KCF_SUCCESS) {
		tool_fail(c->done.status, "%s %s", c->s.command, c->source.name);
	}
	return code;
}

int crypt_sealed(struct crypt *c)
{
	struct sealing g = {.crypt = c};
	enum kcf_status status;
	int code;

	if (c->iv) {
		tool_error("a sealed file makes its own nonces; --iv needs --raw");
		return TOOL_USAGE;
	}
	code = begin(&g);
	if (code == TOOL_OK) {
		status = derive_template(&g);
		code = status == KCF_SUCCESS ? run(&g)
					     : tool_fail(status, "key for %s", c->source.name);
	}
	kcf_template_destroy(g.tmpl);
	free(g.aad);
	return code;
}
