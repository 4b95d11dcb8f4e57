/* SPDX-License-Identifier: Apache-2.0 */
/*
 * object: what templates and contexts of this provider have in common, and the classes behind the
 * rows.
 *
 * A template or context starts with a struct object that knows how large it is, so that freeing can
 * wipe it. Templates never change after they are made: any number of threads use one at a time. A
 * context is used by one thread at a time.
 */
#ifndef NETTLE_OBJECT_H
#define NETTLE_OBJECT_H

#include <kcf/provider.h>

struct object {
	size_t size;
	void (*deinit)(void *obj); /* frees what the object owns besides itself, or NULL */
};

/* Returns owned, zeroed; NULL if out of memory. */
void *object_new(size_t size, void (*deinit)(void *obj));
/* Wipes. NULL is ignored. */
void object_free(void *obj);

/* One row of the provider: what the framework sees, and how it is done. */
struct entry {
	const struct class_ops *ops;
	const void *alg; /* struct nettle_hash, struct aead_alg...: the class knows */
};

struct class_ops {
	/* key: within the row's range if raw; NULL for keyless rows. */
	enum kcf_status (*template_new)(const void *alg, const struct kcf_key_data *key,
					void **ret);
	/* Does one job; returns its status and may set job->out_len and job->ctx. */
	enum kcf_status (*run)(const void *alg, struct kcf_job *job);
};

extern const struct class_ops digest_class, mac_class, cipher_class, aead_class, eddsa_class,
	x25519_class, hkdf_class, pbkdf2_class;

/* The room check every operation starts with: false leaves the required length in the job. */
static inline bool job_has_room(struct kcf_job *job, size_t need)
{
	if (job->out_room >= need)
		return true;
	job->out_len = need;
	return false;
}

#endif
