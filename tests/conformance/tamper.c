/* SPDX-License-Identifier: Apache-2.0 */
/* tamper: the twin of a vector that must be refused, or give something else. */
#include "run.h"

#include <string.h>

static const uint8_t *flipped(struct run *run, const uint8_t *at, size_t len, size_t which)
{
	if (len > sizeof(run->scratch))
		return at;
	memcpy(run->scratch, at, len);
	run->scratch[which] ^= 0x10; /* not bit 0: DES has parity there */
	return run->scratch;
}

static bool flip_key(struct run *run)
{
	struct vector *v = &run->changed;

	if (!v->has_key || v->key_format != KCF_KEY_RAW || v->key.len == 0 ||
	    v->key.len > sizeof(run->scratch))
		return false;
	v->key.at = (uint8_t *)flipped(run, v->key.at, v->key.len, v->key.len / 2);
	return true;
}

/* Changes one bit of what matters; false if there is nothing to change. */
bool run_tamper(struct run *run)
{
	struct vector *v = &run->changed;
	uint8_t *copy;

	if (v->op == KCF_OP_DERIVE && v->kind == KCF_PARAM_ECDH) {
		/* not the lowest bits of a scalar, which do not count */
		if (v->param.ecdh.peer_len > sizeof(run->scratch))
			return false;
		v->param.ecdh.peer = flipped(run, v->param.ecdh.peer, v->param.ecdh.peer_len,
					     v->param.ecdh.peer_len / 2);
		return true;
	}
	if (v->op == KCF_OP_DERIVE)
		return flip_key(run);
	if (!has_output(v)) {
		if (v->check.len <= sizeof(run->scratch)) {
			v->check.at = (uint8_t *)flipped(run, v->check.at, v->check.len,
							 v->check.len / 2);
			return true;
		}
		copy = set_alloc(run->set, v->check.len);
		memcpy(copy, v->check.at, v->check.len);
		copy[v->check.len / 2] ^= 1;
		v->check.at = copy;
		return true;
	}
	/* Poly1305 with r = 0 does not look at its input */
	if (v->in.len > 0 && strcmp(v->mech, "CKM_POLY1305") != 0) {
		run->in_buf[v->in.len / 2] ^= 1;
		return true;
	}
	if (v->op == KCF_OP_DIGEST) {
		v->in.len = 1;
		run->in_buf[0] = 0;
		return true;
	}
	return flip_key(run);
}
