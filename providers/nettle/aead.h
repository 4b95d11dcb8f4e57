/* SPDX-License-Identifier: Apache-2.0 */
/*
 * aead: GCM, CCM and ChaCha20-Poly1305 behind one shape.
 *
 * aead-alg.c adapts nettle's functions; aead.c knows jobs, scattered data, tags and contexts. A
 * template is only read; a message's state is a union aead_state.
 */
#ifndef NETTLE_AEAD_H
#define NETTLE_AEAD_H

#include <nettle/ccm.h>
#include <nettle/chacha-poly1305.h>
#include <nettle/gcm.h>
#include "aes-key.h"
#include "class.h"

#define TAG_MAX 16

struct aead_alg;

struct aead_template {
	struct object obj;
	const struct aead_alg *alg;
	struct aes aes;
	union {
		struct gcm_key gcm;
		struct chacha_poly1305_ctx chacha;
	} key;
};

union aead_state {
	struct gcm_ctx gcm;
	struct ccm_ctx ccm;
	struct chacha_poly1305_ctx chacha;
};

struct aead_alg {
	size_t block;     /* crypt: all calls but the last have a multiple of this */
	bool needs_total; /* start must know the message length */
	/* Is this nonce length, tag length and message length possible? */
	bool (*fits)(const struct kcf_param_aead *p, size_t tag_len, uint64_t total);
	enum kcf_status (*set_key)(struct aead_template *tmpl, const struct kcf_key_data *key);
	/* Takes nonce and associated data. */
	void (*start)(const struct aead_template *tmpl, union aead_state *state,
		      const struct kcf_param_aead *p, size_t total, size_t tag_len);
	void (*crypt)(const struct aead_template *tmpl, union aead_state *state, bool encrypt,
		      size_t len, uint8_t *dst, const uint8_t *src);
	void (*tag)(const struct aead_template *tmpl, union aead_state *state, size_t len,
		    uint8_t *ret);
};

extern const struct aead_alg aead_gcm, aead_ccm, aead_chacha;

#endif
