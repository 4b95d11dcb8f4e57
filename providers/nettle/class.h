/* SPDX-License-Identifier: Apache-2.0 */
/* class: the kinds of mechanism behind this provider's rows. */
#ifndef NETTLE_CLASS_H
#define NETTLE_CLASS_H

#include "common/object.h"

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

#endif
