/* SPDX-License-Identifier: Apache-2.0 */
/*
 * batch - many small operations in one call: encrypts 1,000 packets of 256 bytes, 50 at a time,
 * then decrypts them, one of which was changed on the way.
 *
 *   cc batch.c $(pkg-config --cflags --libs kcf-client)
 *
 * They run in the calling thread, side by side where a provider does several at once. Each has its
 * own parameter, buffers and status.
 */
#include <stdio.h>
#include <string.h>
#include <kcf/client.h>

#define PACKETS 1000u
#define BATCH   50u
#define LEN     256u
#define TAG     16u

static uint8_t packets[PACKETS][LEN], sealed[PACKETS][LEN + TAG];

/* One batch of op, from in to out. Returns how many failed. */
static unsigned run(struct kcf_client *client, enum kcf_op op, const struct kcf_key *key,
		    unsigned first)
{
	struct kcf_param_aead params[BATCH];
	struct kcf_mechanism mechs[BATCH];
	struct kcf_batch_op ops[BATCH];
	unsigned failed = 0;
	uint8_t ivs[BATCH][12];

	memset(params, 0, sizeof(params));
	memset(ops, 0, sizeof(ops));
	memset(ivs, 0, sizeof(ivs));
	for (unsigned i = 0; i < BATCH; i++) {
		struct kcf_data plain = kcf_flat(packets[first + i], LEN);
		struct kcf_data cipher = kcf_flat(sealed[first + i], LEN + TAG);
		unsigned number = first + i; /* never the same nonce twice under a key */

		memcpy(ivs[i], &number, sizeof(number));
		params[i].iv = ivs[i];
		params[i].iv_len = sizeof(ivs[i]);
		mechs[i] = (struct kcf_mechanism){KCF_M_AES_GCM, sizeof(params[i]), &params[i]};
		ops[i].how = (struct kcf_how){.op = op, .mech = &mechs[i], .key = key};
		ops[i].in = op == KCF_OP_ENCRYPT ? plain : cipher;
		ops[i].out = op == KCF_OP_ENCRYPT ? cipher : plain;
	}
	if (kcf_submit_batch(client, ops, BATCH, NULL) == KCF_SUCCESS)
		return 0;
	for (unsigned i = 0; i < BATCH; i++)
		failed += ops[i].status != KCF_SUCCESS;
	return failed;
}

int main(void)
{
	static const uint8_t key_bytes[32] = "an example, not a key for real  ";
	struct kcf_client_options options = {.size = sizeof(options),
					     .flags = KCF_CLIENT_STANDALONE};
	struct kcf_key bytes = kcf_key_bytes(key_bytes, sizeof(key_bytes)), key;
	unsigned not_sealed = 0, not_opened = 0;
	struct kcf_client *client;
	struct kcf_template *tmpl;

	if (kcf_client_open(&options, &client) != KCF_SUCCESS)
		return 1;
	if (kcf_template_create(client, KCF_M_AES_GCM, &bytes, &tmpl) != KCF_SUCCESS)
		return 1;
	key = kcf_key_tmpl(tmpl);
	for (unsigned i = 0; i < PACKETS; i += BATCH)
		not_sealed += run(client, KCF_OP_ENCRYPT, &key, i);
	sealed[700][0] ^= 1;
	for (unsigned i = 0; i < PACKETS; i += BATCH)
		not_opened += run(client, KCF_OP_DECRYPT, &key, i);
	printf("%u not encrypted, %u not decrypted\n", not_sealed, not_opened);
	kcf_template_destroy(tmpl);
	return kcf_client_close(client) != KCF_SUCCESS;
}
