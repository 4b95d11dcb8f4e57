/* SPDX-License-Identifier: Apache-2.0 */
/* op-digest - digests and extendable output functions. Any thread. */
#include "client-private.h"

enum kcf_status kcf_digest(struct kcf_client *client, const struct kcf_mechanism *mech,
			   const struct kcf_data *in, struct kcf_data *out,
			   struct kcf_call_req *req)
{
	const struct op_call call = {
		.client = client,
		.op = KCF_OP_DIGEST,
		.mech = mech,
		.in = in,
		.out = out,
		.req = req,
	};

	if (!in || !out)
		return KCF_ARGUMENTS_BAD;
	return op_submit(&call);
}
