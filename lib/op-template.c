/* SPDX-License-Identifier: Apache-2.0 */
/*
 * op-template - mechanism and key prepared once. The key stays here; kcfd gets it at the template's
 * first use there. Any thread.
 */
#include "client-core.h"

enum kcf_status kcf_template_create(struct kcf_client *client, kcf_mech_t mech,
				    const struct kcf_key *key, struct kcf_template **ret)
{
	struct kcf_template *tmpl;
	enum kcf_status st;

	if (!client || !ret || (key && key->kind == KCF_KEY_TEMPLATE))
		return KCF_ARGUMENTS_BAD;
	client_enter(client);
	st = op_check_key(client, NULL, key);
	if (st == KCF_SUCCESS)
		st = direct_template_new(client->direct, mech, key, &tmpl);
	if (st != KCF_SUCCESS)
		return st;
	pthread_mutex_lock(&client->lock);
	st = client_slot_new(client, tmpl);
	pthread_mutex_unlock(&client->lock);
	if (st != KCF_SUCCESS)
		template_unref(tmpl);
	else
		*ret = tmpl;
	return st;
}

void kcf_template_destroy(struct kcf_template *tmpl)
{
	struct kcf_client *c;

	if (!tmpl)
		return;
	c = tmpl->client;
	client_enter(c);
	pthread_mutex_lock(&c->lock);
	client_slot_free(c, tmpl);
	if (!client_in_callback(c))
		client_flush(c);
	pthread_mutex_unlock(&c->lock);
	template_unref(tmpl);
}
