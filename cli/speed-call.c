/* SPDX-License-Identifier: Apache-2.0 */
/* speed-call - an operation of each work by kcf's functions, with templates. */
#include <string.h>

#include "speed.h"
#include "tool.h"

kcf_mech_t speed_call_mechanism(enum speed_work_kind work)
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
	status = kcf_template_create(call->client, speed_call_mechanism(call->work), &key,
				     &call->templates[i]);
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
		if (status == KCF_SUCCESS &&
		    (c->work == SPEED_DUAL_ENC || c->work == SPEED_DUAL_DEC))
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

static enum kcf_status dual(struct speed_call *call, uint64_t n, unsigned char *in,
			    unsigned char *out, struct kcf_call_req *req)
{
	unsigned char iv[SPEED_IV_LEN];
	struct kcf_param_iv param = {iv, sizeof(iv)};
	struct kcf_mechanism cbc = {KCF_M_AES_CBC, sizeof(param), &param};
	struct kcf_mechanism hmac = {.number = KCF_M_SHA256_HMAC};
	struct kcf_dual d = {&cbc, &call->keys[n % SPEED_TEMPLATES], &hmac,
			     &call->mac_keys[n % SPEED_TEMPLATES]};
	struct kcf_data from = kcf_flat(in, call->size), to = kcf_flat(out, call->size);
	bool encrypt = call->work == SPEED_DUAL_ENC;
	struct kcf_data mac = kcf_flat((encrypt ? out : in) + call->size, SPEED_MAC_LEN);

	speed_iv(iv, speed_seed(call->work, n));
	return encrypt ? kcf_encrypt_mac(call->client, &d, &from, &to, &mac, req)
		       : kcf_mac_decrypt(call->client, &d, &from, &mac, &to, req);
}

enum kcf_status speed_call(struct speed_call *call, uint64_t n, unsigned char *in,
			   unsigned char *out, struct kcf_call_req *req)
{
	const struct kcf_key *key = &call->keys[n % SPEED_TEMPLATES];
	struct kcf_data from = kcf_flat(in, speed_in_len(call->work, call->size));
	struct kcf_data to = kcf_flat(out, speed_out_len(call->work, call->size));
	struct kcf_mechanism mech = {.number = speed_call_mechanism(call->work)};
	unsigned char iv[SPEED_IV_LEN];
	struct kcf_param_aead aead = {.iv = iv, .iv_len = SPEED_NONCE_LEN};
	struct kcf_param_iv cbc = {iv, sizeof(iv)};

	if (speed_is_sign(call->work))
		return kcf_sign(call->client, &mech, key, &from, &to, req);
	switch (call->work) {
	case SPEED_HMAC:
		return kcf_mac(call->client, &mech, key, &from, &to, req);
	case SPEED_GCM_ENC:
	case SPEED_GCM_DEC:
		mech.param = &aead;
		mech.param_len = sizeof(aead);
		break;
	case SPEED_CBC_ENC:
	case SPEED_CBC_DEC:
		mech.param = &cbc;
		mech.param_len = sizeof(cbc);
		break;
	default:
		return dual(call, n, in, out, req);
	}
	speed_iv(iv, speed_seed(call->work, n));
	return call->work == SPEED_GCM_ENC || call->work == SPEED_CBC_ENC
		       ? kcf_encrypt(call->client, &mech, key, &from, &to, req)
		       : kcf_decrypt(call->client, &mech, key, &from, &to, req);
}
