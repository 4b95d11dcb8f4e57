/* SPDX-License-Identifier: Apache-2.0 */
/* op-mac - message authentication codes: make, compare. Any thread. */
#include "client-private.h"

enum kcf_status kcf_mac(struct kcf_client *client, const struct kcf_mechanism *mech,
			const struct kcf_key *key, const struct kcf_data *in, struct kcf_data *out,
			struct kcf_call_req *req)
{
	const struct op_call call = {
		.client = client,
		.op = KCF_OP_MAC,
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

enum kcf_status kcf_mac_verify(struct kcf_client *client, const struct kcf_mechanism *mech,
			       const struct kcf_key *key, const struct kcf_data *in,
			       const struct kcf_data *mac, struct kcf_call_req *req)
{
	const struct op_call call = {
		.client = client,
		.op = KCF_OP_MAC_VERIFY,
		.mech = mech,
		.key = key,
		.in = in,
		.check = mac,
		.req = req,
	};

	if (!key || !in || !mac)
		return KCF_ARGUMENTS_BAD;
	return op_submit(&call);
}
