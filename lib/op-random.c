/* SPDX-License-Identifier: Apache-2.0 */
/* op-random - random bytes from a provider. Any thread. */
#include "client-private.h"

enum kcf_status kcf_random(struct kcf_client *client, struct kcf_data *out,
			   struct kcf_call_req *req)
{
	const struct kcf_mechanism mech = {.number = KCF_M_RANDOM};
	const struct op_call call = {
		.client = client,
		.op = KCF_OP_RANDOM,
		.mech = &mech,
		.out = out,
		.req = req,
	};

	if (!out)
		return KCF_ARGUMENTS_BAD;
	return op_submit(&call);
}
