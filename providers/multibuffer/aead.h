/* SPDX-License-Identifier: Apache-2.0 */
/*
 * aead: what gcm.c and chacha.c give to aead.c, which knows jobs, scattered data, tags and
 * contexts.
 */
#ifndef MB_AEAD_H
#define MB_AEAD_H

#include "mb.h"

#define AEAD_TAG_MAX 16

union aead_state {
	struct gcm_context_data gcm;
	struct chacha20_poly1305_context_data chacha;
};

struct aead_alg {
	/* Are these lengths possible? */
	bool (*params_fit)(const struct kcf_param_aead *p, size_t tag_len);
	uint64_t total_max;
	enum kcf_status (*template_new)(struct mb *mb, const struct kcf_key_data *key, void **ret);
	/* A whole message in one piece; tag gets 16 bytes. */
	void (*whole)(const void *tmpl, bool encrypt, const struct kcf_param_aead *p, size_t len,
		      uint8_t *dst, const uint8_t *src, uint8_t *tag);
	/* The same in parts; len may be anything each time. */
	void (*start)(const void *tmpl, union aead_state *state, const struct kcf_param_aead *p);
	void (*crypt)(const void *tmpl, union aead_state *state, bool encrypt, size_t len,
		      uint8_t *dst, const uint8_t *src);
	void (*finish)(const void *tmpl, union aead_state *state, bool encrypt, uint8_t *tag);
};

extern const struct aead_alg aead_gcm, aead_chacha;

/* The expanded key of GCM and GMAC. false: no AES key has this length. */
bool gcm_key_init(const IMB_MGR *m, const struct kcf_key_data *key, struct gcm_key_data *ret);

#endif
