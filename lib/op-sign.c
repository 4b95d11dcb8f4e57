/* SPDX-License-Identifier: Apache-2.0 */
/* op-sign - signatures: make, verify. Any thread. */
#include "client-private.h"

enum kcf_status kcf_sign(struct kcf_client *client, const struct kcf_mechanism *mech,
			 const struct kcf_key *key, const struct kcf_data *in, struct kcf_data *out,
			 struct kcf_call_req *req)
{
	const struct op_call call = {
		.client = client,
		.op = KCF_OP_SIGN,
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

enum kcf_status kcf_verify(struct kcf_client *client, const struct kcf_mechanism *mech,
			   const struct kcf_key *key, const struct kcf_data *in,
			   const struct kcf_data *sig, struct kcf_call_req *req)
{
	const struct op_call call = {
		.client = client,
		.op = KCF_OP_VERIFY,
		.mech = mech,
		.key = key,
		.in = in,
		.check = sig,
		.req = req,
	};

	if (!key || !in || !sig)
		return KCF_ARGUMENTS_BAD;
	return op_submit(&call);
}
