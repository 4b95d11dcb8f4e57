/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cipher: AES without authentication, in lanes.
 *
 * engine.c knows the library: keys, modes, how many bytes a lane can take. cipher.c knows jobs.
 * What fits goes into lanes beside others; what does not (very long, or a counter that wraps) goes
 * through a stream, one piece after the other.
 */
#ifndef MB_CIPHER_H
#define MB_CIPHER_H

#include "mb.h"

#define BLOCK 16

/* FEEDBACK: CFB and OFB. Their key stream is what CBC makes of the right input, so that messages
 * gain from lanes although the library has neither. */
enum cipher_mode { MODE_ECB, MODE_CBC, MODE_CBC_PAD, MODE_CTR, MODE_CFB, MODE_OFB };

struct cipher_alg {
	enum cipher_mode mode;
};

struct cipher_template {
	struct object obj;
	size_t key_len;
	uint8_t enc[15 * 16] __attribute__((aligned(64)));
	uint8_t dec[15 * 16] __attribute__((aligned(64)));
};

/* What a lane does: the mode as the library has it. */
enum lane_mode { LANE_ECB_ENC, LANE_ECB_DEC, LANE_CBC_ENC, LANE_CBC_DEC, LANE_CTR };

/* May a lane take so many bytes from this IV on? */
size_t lane_max(enum lane_mode mode, const uint8_t *iv);
/* len > 0; iv stays until lanes_crypt(). */
void lane_set(IMB_JOB *j, enum lane_mode mode, const struct cipher_template *t, const uint8_t *iv,
	      size_t len, uint8_t *dst, const uint8_t *src);
/* Runs the first n of l->jobs, all of one mode and key length. */
bool lanes_crypt(struct lanes *l, enum lane_mode mode, size_t key_len, unsigned n);

/* A message of any length, alone. */
struct stream {
	struct lanes *l;
	const struct cipher_template *tmpl;
	enum lane_mode mode;
	bool failed;
	uint8_t iv[BLOCK]; /* of the next block */
};

/* A walk_fn: whole blocks, but at the end of a CTR message. */
void stream_crypt(void *arg, size_t len, uint8_t *dst, const uint8_t *src);

extern const struct cipher_alg cipher_ecb, cipher_cbc, cipher_cbc_pad, cipher_ctr, cipher_cfb,
	cipher_ofb;

/* A slot of struct class_ops. */
enum kcf_status cipher_template_new(struct mb *mb, const void *alg, const struct kcf_key_data *key,
				    void **ret);
/* Could an encryption be done? Its status if it could not; the length of what would come out. */
enum kcf_status cipher_check(const void *alg, struct kcf_job *job, size_t *ret_len);
/* Does n jobs of one row in lanes that are the caller's. */
void cipher_run(struct lanes *l, const void *alg, struct kcf_job *const *jobs, unsigned n);

/* The bytes of data in a padded block, or -1; the time does not depend on them. */
int unpad(const uint8_t *block);
/* Contexts; cipher-context.c. */
enum kcf_status cipher_step(struct mb *mb, const void *alg, struct kcf_job *job);

#endif
