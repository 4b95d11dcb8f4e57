/* SPDX-License-Identifier: Apache-2.0 */
/*
 * op-wire - keys, parameters and mechanism numbers in the form in which they travel. Everything is
 * borrowed. Any thread.
 */
#include "client-private.h"

#include <string.h>

void op_template_key(const struct kcf_template *tmpl, struct wire_key *ret)
{
	*ret = (struct wire_key){
		.kind = tmpl->kind,
		.format = tmpl->format,
		.bytes = {tmpl->bytes, tmpl->len},
		.handle = tmpl->handle,
		.name = tmpl->name,
	};
}

enum kcf_status op_wire_key(const struct kcf_key *key, struct wire_key *ret)
{
	*ret = (struct wire_key){0};
	if (!key)
		return KCF_SUCCESS;
	if (key->kind == KCF_KEY_TEMPLATE) {
		op_template_key(key->tmpl, ret);
		return KCF_SUCCESS;
	}
	if (key->kind == KCF_KEY_BYTES && key->len > WIRE_MAX_KEY)
		return KCF_KEY_SIZE_RANGE;
	ret->kind = key->kind;
	ret->format = key->format;
	ret->bytes = (struct wire_bytes){key->bytes, key->len};
	ret->handle = key->handle;
	ret->name = key->name;
	return KCF_SUCCESS;
}

enum kcf_status op_wire_param(struct kcf_client *client, const struct kcf_mechanism *mech,
			      struct wire_param *ret)
{
	enum kcf_param_kind kind;
	enum kcf_status st = direct_check_param(client_direct(client), mech, &kind);

	if (st != KCF_SUCCESS)
		return st;
	*ret = (struct wire_param){0};
	if (!mech->param || kind == KCF_PARAM_NONE)
		return KCF_SUCCESS;
	/* kcfd would take more for a violation of the protocol and close the connection */
	if (param_copy_len(kind, mech->param) - param_size(kind) > WIRE_MAX_PARAM)
		return KCF_BUFFER_TOO_BIG;
	ret->kind = kind;
	ret->data = mech->param;
	return KCF_SUCCESS;
}

uint32_t op_wire_mech(struct kcf_client *client, kcf_mech_t number)
{
	uint32_t n = direct_to_daemon(client_direct(client), number);

	return n || number >= KCF_M_DYNAMIC ? n : number;
}
