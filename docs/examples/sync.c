/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sync - the shortest program that uses libkcf-client: read standard input, print its SHA-256, then
 * encrypt and decrypt a message under a template.
 *
 *   cc sync.c $(pkg-config --cflags --libs kcf-client)
 *   ./a.out < file
 *
 * Work like this runs in the calling thread. With KCF_CLIENT_STANDALONE it does so without kcfd,
 * too.
 */
#include <stdio.h>
#include <string.h>
#include <kcf/client.h>

static int fail(const char *what, enum kcf_status status)
{
	fprintf(stderr, "sync: %s: %s\n", what, kcf_strstatus(status));
	return 1;
}

/* Data of any length goes through a context. */
static enum kcf_status digest_stdin(struct kcf_client *client, uint8_t digest[32])
{
	struct kcf_mechanism mech = {.number = KCF_M_SHA256};
	struct kcf_how how = {.op = KCF_OP_DIGEST, .mech = &mech};
	struct kcf_data out = kcf_flat(digest, 32);
	static uint8_t buf[65536];
	struct kcf_context *ctx;
	enum kcf_status status = kcf_init(client, &how, &ctx, NULL);
	size_t n;

	if (status != KCF_SUCCESS)
		return status;
	while (status == KCF_SUCCESS && (n = fread(buf, 1, sizeof(buf), stdin)) > 0) {
		struct kcf_data in = kcf_flat(buf, n);

		status = kcf_update(ctx, &in, NULL, NULL);
	}
	if (status == KCF_SUCCESS)
		status = kcf_final(ctx, NULL, &out, NULL);
	kcf_context_free(ctx);
	return status;
}

/* Many messages under one key: prepare it once. Ciphertext is followed by the tag's 16 bytes. */
static enum kcf_status there_and_back(struct kcf_client *client)
{
	static const uint8_t key_bytes[32] = "an example, not a key for real  ",
			     iv[12] = "once only";
	static const char text[] = "attack at dawn";
	uint8_t sealed[sizeof(text) + 16], opened[sizeof(text)];
	struct kcf_param_aead aead = {.iv = iv, .iv_len = sizeof(iv)};
	struct kcf_mechanism mech = {KCF_M_AES_GCM, sizeof(aead), &aead};
	struct kcf_data plain = kcf_flat(text, sizeof(text));
	struct kcf_data cipher = kcf_flat(sealed, sizeof(sealed));
	struct kcf_data back = kcf_flat(opened, sizeof(opened));
	struct kcf_key bytes = kcf_key_bytes(key_bytes, sizeof(key_bytes)), key;
	struct kcf_template *tmpl;
	enum kcf_status status = kcf_template_create(client, mech.number, &bytes, &tmpl);

	if (status != KCF_SUCCESS)
		return status;
	key = kcf_key_tmpl(tmpl);
	status = kcf_encrypt(client, &mech, &key, &plain, &cipher, NULL);
	if (status == KCF_SUCCESS)
		status = kcf_decrypt(client, &mech, &key, &cipher, &back, NULL);
	kcf_template_destroy(tmpl);
	if (status == KCF_SUCCESS && memcmp(opened, text, sizeof(text)) != 0)
		status = KCF_FAILED;
	return status;
}

int main(void)
{
	struct kcf_client_options options = {.size = sizeof(options),
					     .flags = KCF_CLIENT_STANDALONE};
	struct kcf_client *client;
	enum kcf_status status = kcf_client_open(&options, &client);
	uint8_t digest[32];

	if (status != KCF_SUCCESS)
		return fail("open", status);
	status = digest_stdin(client, digest);
	if (status != KCF_SUCCESS)
		return fail("digest", status);
	for (size_t i = 0; i < sizeof(digest); i++)
		printf("%02x", digest[i]);
	printf("\n");
	status = there_and_back(client);
	if (status != KCF_SUCCESS)
		return fail("encrypt, decrypt", status);
	return kcf_client_close(client) == KCF_SUCCESS ? 0 : 1;
}
