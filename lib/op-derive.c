/* SPDX-License-Identifier: Apache-2.0 */
/* op-derive - key derivation and agreement; the bytes go to the caller. Any thread. */
#include "client-private.h"

enum kcf_status kcf_derive(struct kcf_client *client, const struct kcf_mechanism *mech,
			   const struct kcf_key *key, struct kcf_data *out,
			   struct kcf_call_req *req)
{
	const struct op_call call = {
		.client = client,
		.op = KCF_OP_DERIVE,
		.mech = mech,
		.key = key,
		.out = out,
		.req = req,
	};

	if (!key || !out)
		return KCF_ARGUMENTS_BAD;
	return op_submit(&call);
}
