/* SPDX-License-Identifier: Apache-2.0 */
/* op-dual - encrypt and MAC the ciphertext, or check that MAC and decrypt. Any thread. */
#include "client-private.h"

static bool dual_ok(const struct kcf_dual *dual)
{
	return dual && dual->cipher && dual->cipher_key && dual->mac && dual->mac_key;
}

enum kcf_status kcf_encrypt_mac(struct kcf_client *client, const struct kcf_dual *dual,
				const struct kcf_data *in, struct kcf_data *out,
				struct kcf_data *mac, struct kcf_call_req *req)
{
	struct op_call call = {
		.client = client,
		.op = KCF_OP_ENCRYPT_MAC,
		.in = in,
		.out = out,
		.mac = mac,
		.req = req,
	};

	if (!dual_ok(dual) || !in || !out || !mac)
		return KCF_ARGUMENTS_BAD;
	call.mech = dual->cipher;
	call.key = dual->cipher_key;
	call.mech2 = dual->mac;
	call.key2 = dual->mac_key;
	return op_submit(&call);
}

enum kcf_status kcf_mac_decrypt(struct kcf_client *client, const struct kcf_dual *dual,
				const struct kcf_data *in, const struct kcf_data *mac,
				struct kcf_data *out, struct kcf_call_req *req)
{
	struct op_call call = {
		.client = client,
		.op = KCF_OP_MAC_DECRYPT,
		.in = in,
		.check = mac,
		.out = out,
		.req = req,
	};

	if (!dual_ok(dual) || !in || !out || !mac)
		return KCF_ARGUMENTS_BAD;
	call.mech = dual->cipher;
	call.key = dual->cipher_key;
	call.mech2 = dual->mac;
	call.key2 = dual->mac_key;
	return op_submit(&call);
}
