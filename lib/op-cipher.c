/* SPDX-License-Identifier: Apache-2.0 */
/* op-cipher - encryption and decryption: ciphers, AEAD, key wrap, RSA. Any thread. */
#include "client-private.h"

enum kcf_status kcf_encrypt(struct kcf_client *client, const struct kcf_mechanism *mech,
			    const struct kcf_key *key, const struct kcf_data *in,
			    struct kcf_data *out, struct kcf_call_req *req)
{
	const struct op_call call = {
		.client = client,
		.op = KCF_OP_ENCRYPT,
		.mech = mech,
		.key = key,
		.in = in,
		.out = out,
		.req = req,
	};

	if (!key || !in || !out)
		return KCF_ARGUMENTS_BAD;
	return op_submit(&call);
}

enum kcf_status kcf_decrypt(struct kcf_client *client, const struct kcf_mechanism *mech,
			    const struct kcf_key *key, const struct kcf_data *in,
			    struct kcf_data *out, struct kcf_call_req *req)
{
	const struct op_call call = {
		.client = client,
		.op = KCF_OP_DECRYPT,
		.mech = mech,
		.key = key,
		.in = in,
		.out = out,
		.req = req,
	};

	if (!key || !in || !out)
		return KCF_ARGUMENTS_BAD;
	return op_submit(&call);
}
