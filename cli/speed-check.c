/* SPDX-License-Identifier: Apache-2.0 */
/* speed-check - a fast wrong answer is none: results are compared with libcrypto's. */
#include <stdlib.h>

#include "speed.h"
#include "tool.h"

#define EVERY 1021u /* then; a prime, so that every key's turn comes */

static const char *const names[SPEED_WORKS] = {
	[SPEED_GCM_ENC] = "aes256gcm-enc",
	[SPEED_GCM_DEC] = "aes256gcm-dec",
	[SPEED_CBC_ENC] = "aes128cbc-enc",
	[SPEED_CBC_DEC] = "aes128cbc-dec",
	[SPEED_HMAC] = "hmacsha256",
	[SPEED_DUAL_ENC] = "aes128cbc-hmacsha256-enc",
	[SPEED_DUAL_DEC] = "aes128cbc-hmacsha256-dec",
	[SPEED_RSA_SIGN] = "rsa2048-sign",
	[SPEED_ECDSA_SIGN] = "ecdsap256-sign",
};

static volatile uint64_t consumed;

const char *speed_work_name(enum speed_work_kind work)
{
	return names[work];
}

void speed_turn_end(struct speed_turn *ret, uint64_t n, double started, uint64_t sum)
{
	consumed += sum;
	ret->n = n;
	ret->seconds = speed_now() - started;
}

bool speed_check_open(struct speed_check *k, const struct speed_case *c)
{
	k->next = 0;
	k->out = aligned_alloc(64, speed_lines(speed_out_len(c->work, c->size)));
	if (speed_evp_open(&k->evp, c->work, c->size) && k->out &&
	    speed_evp_auth(c->work, c->size, &k->auth))
		return true;
	tool_error("libcrypto could not prepare %s", names[c->work]);
	speed_check_close(k);
	return false;
}

void speed_check_close(struct speed_check *k)
{
	speed_evp_close(&k->evp);
	free(k->out);
	k->out = NULL;
}

bool speed_check_result(struct speed_check *k, uint64_t n, const unsigned char *in,
			const unsigned char *out)
{
	bool ok;

	k->next = n + (n < SPEED_TEMPLATES ? 1 : EVERY);
	if (k->evp.work == SPEED_ECDSA_SIGN)
		ok = speed_evp_verify(&k->evp, n, in, out);
	else
		ok = k->evp.operate(&k->evp, n, in, k->out) &&
		     !memcmp(k->out, out, speed_out_len(k->evp.work, k->evp.size));
	if (!ok)
		tool_error("result %llu of %s is wrong", (unsigned long long)n, names[k->evp.work]);
	return ok;
}
