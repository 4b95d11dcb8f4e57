/* SPDX-License-Identifier: Apache-2.0 */
#include "core/key.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include "base/secret.h"
#include "core/key-file.h"
#include "core/private.h"

void keys_init(struct core *core)
{
	for (unsigned i = 0; i < KEY_BUCKETS; i++)
		list_init(&core->keys.buckets[i]);
	list_init(&core->keys.named);
}

static void key_free(struct key *k)
{
	if (k->consumer)
		consumer_uncharge(k->consumer, CHARGE_KEY, 1);
	secret_free(k->bytes);
	free(k->name);
	free(k->uids);
	free(k->gids);
	free(k);
}

struct key *key_ref(struct key *k)
{
	k->refs++;
	return k;
}

void key_unref(struct key *k)
{
	assert(k->refs > 0);
	if (--k->refs == 0)
		key_free(k);
}

void keys_deinit(struct core *core)
{
	struct list *l;

	for (unsigned i = 0; i < KEY_BUCKETS; i++)
		while ((l = list_pop(&core->keys.buckets[i])))
			key_unref(list_entry(l, struct key, link));
	while ((l = list_pop(&core->keys.named)))
		key_unref(list_entry(l, struct key, link));
}

enum kcf_status key_new_bytes(const struct kcf_key_data *data, struct key **ret)
{
	struct key *k;

	if (data->len > KEY_MAX)
		return KCF_KEY_SIZE_RANGE;
	k = calloc(1, sizeof(*k));
	if (!k)
		return KCF_HOST_MEMORY;
	list_init(&k->link);
	k->refs = 1;
	k->format = data->format;
	k->len = data->len;
	k->bytes = secret_alloc(data->len);
	if (!k->bytes) {
		free(k);
		return KCF_HOST_MEMORY;
	}
	if (data->len)
		memcpy(k->bytes, data->bytes, data->len);
	*ret = k;
	return KCF_SUCCESS;
}

static struct list *bucket_of(struct core *core, const struct kcf_key_handle *handle)
{
	uint32_t hash;

	memcpy(&hash, handle->id, sizeof(hash)); /* random already */
	return &core->keys.buckets[hash % KEY_BUCKETS];
}

enum kcf_status key_import(struct core *core, struct consumer *c, const void *owner,
			   const struct kcf_key_data *bytes, uint32_t usage, struct key **ret)
{
	enum kcf_status status = consumer_charge(c, CHARGE_KEY, 1);
	struct key *k;

	if (status != KCF_SUCCESS)
		return status;
	status = key_new_bytes(bytes, &k);
	if (status != KCF_SUCCESS) {
		consumer_uncharge(c, CHARGE_KEY, 1);
		return status;
	}
	k->consumer = c;
	if (!core_random(core, k->handle.id, sizeof(k->handle.id))) {
		key_unref(k);
		return KCF_FAILED;
	}
	k->owner = owner;
	k->usage = usage;
	k->by_handle = true;
	list_push(bucket_of(core, &k->handle), &k->link);
	core->keys.n_session++;
	*ret = k;
	return KCF_SUCCESS;
}

static bool is_listed(const struct key *k, const struct consumer *c)
{
	for (unsigned i = 0; i < k->n_uids; i++)
		if (k->uids[i] == c->uid)
			return true;
	for (unsigned i = 0; i < k->n_gids; i++)
		if (k->gids[i] == c->gid)
			return true;
	return false;
}

static struct key *named_find(struct core *core, const char *name)
{
	list_for_each(l, &core->keys.named)
	{
		struct key *k = list_entry(l, struct key, link);

		if (!strcmp(k->name, name))
			return k;
	}
	return NULL;
}

/* Compares all bytes in any case: a handle is a capability. */
static bool handle_equal(const struct kcf_key_handle *a, const struct kcf_key_handle *b)
{
	uint8_t diff = 0;

	for (unsigned i = 0; i < sizeof(a->id); i++)
		diff |= a->id[i] ^ b->id[i];
	return diff == 0;
}

enum kcf_status key_find(struct core *core, struct consumer *c, const void *owner,
			 const struct kcf_key_handle *handle, const char *name, struct key **ret)
{
	struct key *k;

	if (name) {
		k = named_find(core, name);
		if (!k)
			return KCF_KEY_HANDLE_INVALID;
		if (!is_listed(k, c))
			return KCF_PERMISSION_DENIED;
		*ret = k;
		return KCF_SUCCESS;
	}
	list_for_each(l, bucket_of(core, handle))
	{
		k = list_entry(l, struct key, link);
		if (!handle_equal(&k->handle, handle))
			continue;
		if (k->owner != owner) /* another connection's: as good as none */
			return KCF_KEY_HANDLE_INVALID;
		*ret = k;
		return KCF_SUCCESS;
	}
	return KCF_KEY_HANDLE_INVALID;
}

void key_handle(const struct key *k, struct kcf_key_handle *ret)
{
	*ret = k->handle;
}

void key_destroy(struct core *core, struct key *k)
{
	if (k->name || list_empty(&k->link)) /* named keys stay; a destroyed one is destroyed */
		return;
	list_remove(&k->link);
	k->owner = NULL;
	core->keys.n_session--;
	key_unref(k);
}

void key_destroy_owner(struct core *core, const void *owner)
{
	if (!core->keys.n_session)
		return;
	for (unsigned i = 0; i < KEY_BUCKETS; i++) {
		list_for_each_safe(l, tmp, &core->keys.buckets[i])
		{
			struct key *k = list_entry(l, struct key, link);

			if (k->owner == owner)
				key_destroy(core, k);
		}
	}
}

enum kcf_status key_permits(const struct key *k, uint32_t use, uint32_t mech, uint16_t op)
{
	if (!k || !k->by_handle)
		return KCF_SUCCESS;
	if (k->usage && !(k->usage & use))
		return KCF_KEY_FUNCTION_NOT_PERMITTED;
	/* whoever may ask can be an oracle for a message somebody else encrypted */
	if (mech == KCF_M_RSA_PKCS && (op == KCF_OP_DECRYPT || op == KCF_OP_MAC_DECRYPT) &&
	    !k->pkcs1_decrypt)
		return KCF_KEY_FUNCTION_NOT_PERMITTED;
	return KCF_SUCCESS;
}

static void *copy_array(const void *src, size_t size)
{
	void *copy = malloc(size ? size : 1);

	if (copy && size)
		memcpy(copy, src, size);
	return copy;
}

enum kcf_status key_add_named(struct core *core, const struct named_key *spec, char *err,
			      size_t err_len)
{
	struct kcf_key_data data = {0};
	uint8_t *buf = NULL;
	enum kcf_status status;
	struct key *k;

	if (named_find(core, spec->name)) {
		snprintf(err, err_len, "key %s: there is one of this name already", spec->name);
		return KCF_ALREADY_EXISTS;
	}
	status = key_file_read(spec->file, &buf, &data, err, err_len);
	if (status != KCF_SUCCESS)
		return status;
	status = key_new_bytes(&data, &k);
	secret_free(buf);
	if (status != KCF_SUCCESS) {
		snprintf(err, err_len, "key %s: %s", spec->name, kcf_strstatus(status));
		return status;
	}
	k->name = strdup(spec->name);
	k->uids = copy_array(spec->uids, spec->n_uids * sizeof(*spec->uids));
	k->gids = copy_array(spec->gids, spec->n_gids * sizeof(*spec->gids));
	k->n_uids = spec->n_uids;
	k->n_gids = spec->n_gids;
	k->usage = spec->usage;
	k->by_handle = true;
	k->pkcs1_decrypt = spec->pkcs1_decrypt;
	k->iv_generated = spec->iv_generated;
	if (!k->name || !k->uids || !k->gids) {
		key_unref(k);
		snprintf(err, err_len, "key %s: out of memory", spec->name);
		return KCF_HOST_MEMORY;
	}
	list_push(&core->keys.named, &k->link);
	return KCF_SUCCESS;
}

void keys_list(struct core *core, struct json *j)
{
	static const char *const formats[] = {"raw", "PKCS#8", "SubjectPublicKeyInfo"};

	json_array(j, "keys");
	list_for_each(l, &core->keys.named)
	{
		const struct key *k = list_entry(l, struct key, link);

		json_object(j, NULL);
		json_string(j, "name", k->name);
		json_string(j, "format", formats[k->format]);
		json_u64(j, "usage", k->usage);
		json_bool(j, "pkcs1_decrypt", k->pkcs1_decrypt);
		json_bool(j, "iv_generated", k->iv_generated);
		json_u64(j, "nonces_generated", k->nonces);
		json_end_object(j);
	}
	json_end_array(j);
}
