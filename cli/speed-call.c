/* SPDX-License-Identifier: Apache-2.0 */
/* speed-call - an operation of each work by kcf's functions, with templates. All that is the same
 * from one to the next is described once. */
#include <string.h>

#include "speed.h"
#include "tool.h"

static kcf_mech_t mechanism(enum speed_work_kind work)
{
	switch (work) {
	case SPEED_GCM_ENC:
	case SPEED_GCM_DEC:
		return KCF_M_AES_GCM;
	case SPEED_HMAC:
		return KCF_M_SHA256_HMAC;
	case SPEED_RSA_SIGN:
		return KCF_M_SHA256_RSA_PKCS;
	case SPEED_ECDSA_SIGN:
		return KCF_M_ECDSA_SHA256;
	default:
		return KCF_M_AES_CBC;
	}
}

static bool is_dual(enum speed_work_kind work)
{
	return work == SPEED_DUAL_ENC || work == SPEED_DUAL_DEC;
}

/* The template of key i; its handle too if that is wanted. */
static enum kcf_status make(struct speed_call *call, unsigned i, bool handles)
{
	unsigned char bytes[32];
	struct kcf_key key = kcf_key_bytes(bytes, speed_key_len(call->work));
	const unsigned char *der;
	size_t len;
	enum kcf_status status;

	speed_key(bytes, sizeof(bytes), i);
	if (speed_is_sign(call->work)) {
		if (!speed_evp_sign_key(call->work, i, &der, &len))
			return KCF_FAILED;
		key = kcf_key_bytes(der, len);
		key.format = KCF_KEY_PKCS8;
	}
	if (handles) {
		status = kcf_key_import(call->client, &key, 0, &call->handles[i], NULL);
		if (status != KCF_SUCCESS)
			return status;
		key = call->handles[i];
	}
	status =
		kcf_template_create(call->client, mechanism(call->work), &key, &call->templates[i]);
	call->keys[i] = kcf_key_tmpl(call->templates[i]);
	return status;
}

/* The second template of dual work. */
static enum kcf_status make_mac(struct speed_call *call, unsigned i)
{
	unsigned char bytes[SPEED_MAC_LEN];
	struct kcf_key key = kcf_key_bytes(bytes, sizeof(bytes));
	enum kcf_status status;

	speed_key(bytes, sizeof(bytes), SPEED_MAC_KEYS + i);
	status =
		kcf_template_create(call->client, KCF_M_SHA256_HMAC, &key, &call->mac_templates[i]);
	call->mac_keys[i] = kcf_key_tmpl(call->mac_templates[i]);
	return status;
}

bool speed_call_open(struct speed_call *call, const struct speed_case *c, struct kcf_client *client,
		     bool handles)
{
	enum kcf_status status = KCF_SUCCESS;

	memset(call, 0, sizeof(*call));
	call->work = c->work;
	call->size = c->size;
	call->client = client;
	for (unsigned i = 0; status == KCF_SUCCESS && i < SPEED_TEMPLATES; i++) {
		status = make(call, i, handles);
		if (status == KCF_SUCCESS && is_dual(c->work))
			status = make_mac(call, i);
	}
	if (status == KCF_SUCCESS)
		return true;
	tool_fail(status, "keys and templates");
	return false;
}

void speed_call_close(struct speed_call *call)
{
	for (unsigned i = 0; i < SPEED_TEMPLATES; i++) {
		kcf_template_destroy(call->templates[i]);
		kcf_template_destroy(call->mac_templates[i]);
		if (call->handles[i].kind == KCF_KEY_HANDLE)
			kcf_key_destroy(call->client, &call->handles[i], NULL);
	}
}

/* ---- one operation ---- */

static enum kcf_op operation(enum speed_work_kind work)
{
	switch (work) {
	case SPEED_HMAC:
		return KCF_OP_MAC;
	case SPEED_RSA_SIGN:
	case SPEED_ECDSA_SIGN:
		return KCF_OP_SIGN;
	case SPEED_GCM_ENC:
	case SPEED_CBC_ENC:
		return KCF_OP_ENCRYPT;
	case SPEED_DUAL_ENC:
		return KCF_OP_ENCRYPT_MAC;
	case SPEED_DUAL_DEC:
		return KCF_OP_MAC_DECRYPT;
	default:
		return KCF_OP_DECRYPT;
	}
}

void speed_op_init(struct speed_op *op, const struct speed_call *call, unsigned char *in,
		   unsigned char *out)
{
	enum speed_work_kind work = call->work;
	size_t size = call->size;

	memset(op, 0, sizeof(*op));
	op->in = in;
	op->out = out;
	op->how.op = operation(work);
	op->how.mech = &op->mech;
	op->mech.number = mechanism(work);
	op->mac_mech.number = KCF_M_SHA256_HMAC;
	op->aead = (struct kcf_param_aead){.iv = op->iv, .iv_len = SPEED_NONCE_LEN};
	op->cbc = (struct kcf_param_iv){op->iv, SPEED_IV_LEN};
	if (work == SPEED_GCM_ENC || work == SPEED_GCM_DEC) {
		op->mech.param = &op->aead;
		op->mech.param_len = sizeof(op->aead);
	} else if (speed_iv_len(work)) {
		op->mech.param = &op->cbc;
		op->mech.param_len = sizeof(op->cbc);
	}
	op->from = kcf_flat(in, is_dual(work) ? size : speed_in_len(work, size));
	op->to = kcf_flat(out, is_dual(work) ? size : speed_out_len(work, size));
	if (is_dual(work)) {
		op->how.mech = NULL;
		op->how.dual = &op->dual;
		op->mac = kcf_flat((work == SPEED_DUAL_ENC ? out : in) + size, SPEED_MAC_LEN);
	}
}

void speed_op_prepare(struct speed_op *op, const struct speed_call *call,
		      const struct speed_auth *auth, uint64_t n)
{
	const struct kcf_key *key = &call->keys[n % SPEED_TEMPLATES];

	op->n = n;
	if (op->mech.param)
		speed_iv(op->iv, speed_seed(call->work, n));
	speed_input(call->work, call->size, auth, n, op->in);
	if (op->how.dual)
		op->dual = (struct kcf_dual){&op->mech, key, &op->mac_mech,
					     &call->mac_keys[n % SPEED_TEMPLATES]};
	else
		op->how.key = key;
}

enum kcf_status speed_op_call(struct speed_op *op, const struct speed_call *call,
			      struct kcf_call_req *req)
{
	const struct kcf_how *how = &op->how;
	struct kcf_client *client = call->client;

	switch (how->op) {
	case KCF_OP_ENCRYPT:
		return kcf_encrypt(client, how->mech, how->key, &op->from, &op->to, req);
	case KCF_OP_DECRYPT:
		return kcf_decrypt(client, how->mech, how->key, &op->from, &op->to, req);
	case KCF_OP_MAC:
		return kcf_mac(client, how->mech, how->key, &op->from, &op->to, req);
	case KCF_OP_SIGN:
		return kcf_sign(client, how->mech, how->key, &op->from, &op->to, req);
	case KCF_OP_ENCRYPT_MAC:
		return kcf_encrypt_mac(client, how->dual, &op->from, &op->to, &op->mac, req);
	default:
		return kcf_mac_decrypt(client, how->dual, &op->from, &op->mac, &op->to, req);
	}
}
