/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test-symbol-clash - the openssl provider inside a program that exports functions with libcrypto's
 * names.
 *
 * They end the program. The provider must find libcrypto's own.
 */
#include <kcf/client.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "test-main.h"

#define CLASH(name)                                                                                \
	__attribute__((visibility("default"))) void name(void);                                    \
	void name(void)                                                                            \
	{                                                                                          \
		static const char text[] = "clash: " #name "\n";                                   \
                                                                                                   \
		if (write(STDERR_FILENO, text, sizeof(text) - 1) < 0)                              \
			_exit(99);                                                                 \
		abort();                                                                           \
	}

CLASH(OPENSSL_init_crypto)
CLASH(OSSL_LIB_CTX_new)
CLASH(OSSL_PROVIDER_load)
CLASH(CRYPTO_malloc)
CLASH(CRYPTO_zalloc)
CLASH(CRYPTO_memcmp)
CLASH(OPENSSL_cleanse)
CLASH(EVP_MD_fetch)
CLASH(EVP_MAC_fetch)
CLASH(EVP_CIPHER_fetch)
CLASH(EVP_MD_CTX_new)
CLASH(EVP_CIPHER_CTX_new)
CLASH(EVP_DigestInit_ex)
CLASH(EVP_DigestInit_ex2)
CLASH(EVP_DigestUpdate)
CLASH(EVP_DigestFinal_ex)
CLASH(EVP_MAC_init)
CLASH(EVP_MAC_update)
CLASH(EVP_EncryptInit_ex2)
CLASH(EVP_CipherInit_ex2)
CLASH(EVP_EncryptUpdate)
CLASH(EVP_CipherUpdate)
CLASH(EVP_PKEY_new)
CLASH(d2i_AutoPrivateKey)

static struct kcf_client *client;
static uint8_t key_bytes[32], iv[12], in[64], out[80], back[64];

static void setup(void)
{
	struct kcf_client_options o = {
		.size = sizeof(o),
		.flags = KCF_CLIENT_STANDALONE | KCF_CLIENT_NO_DAEMON,
		.module_dir = TEST_MODULE_DIR,
		.preference = KCF_PREFER_SOFTWARE,
	};

	ck_assert_int_eq(kcf_client_open(&o, &client), KCF_SUCCESS);
}

static void teardown(void)
{
	kcf_client_close(client);
}

static struct kcf_call_req openssl = {
	.flags = KCF_WAIT,
	.preference = KCF_ONLY_PROVIDER,
	.provider = "openssl",
};

START_TEST(digest_uses_the_right_libcrypto)
{
	static const uint8_t abc[4] = {0xba, 0x78, 0x16, 0xbf};
	struct kcf_mechanism m = {KCF_M_SHA256, 0, NULL};
	struct kcf_data i = kcf_flat("abc", 3), o = kcf_flat(out, 32);

	ck_assert_int_eq(kcf_digest(client, &m, &i, &o, &openssl), KCF_SUCCESS);
	ck_assert_mem_eq(out, abc, 4);
}
END_TEST

START_TEST(aead_uses_the_right_libcrypto)
{
	/* McGrew and Viega, test case 13: no text, key and nonce of zeroes */
	static const uint8_t tag[4] = {0x53, 0x0f, 0x8a, 0xfb};
	struct kcf_param_aead p = {.iv = iv, .iv_len = 12};
	struct kcf_mechanism m = {KCF_M_AES_GCM, sizeof(p), &p};
	struct kcf_key k = kcf_key_bytes(key_bytes, 32);
	struct kcf_data none = kcf_flat(NULL, 0), i = kcf_flat(in, 64), o = kcf_flat(out, 80);
	struct kcf_data b = kcf_flat(back, 64);

	ck_assert_int_eq(kcf_encrypt(client, &m, &k, &none, &o, &openssl), KCF_SUCCESS);
	ck_assert_mem_eq(out, tag, 4);
	memset(in, 7, sizeof(in));
	ck_assert_int_eq(kcf_encrypt(client, &m, &k, &i, &o, &openssl), KCF_SUCCESS);
	ck_assert_int_eq(kcf_decrypt(client, &m, &k, &o, &b, &openssl), KCF_SUCCESS);
	ck_assert_mem_eq(in, back, 64);
}
END_TEST

START_TEST(mac_uses_the_right_libcrypto)
{
	/* RFC 4231, test case 2 */
	static const uint8_t want[4] = {0x5b, 0xdc, 0xc1, 0x46};
	struct kcf_mechanism m = {KCF_M_SHA256_HMAC, 0, NULL};
	struct kcf_key k = kcf_key_bytes("Jefe", 4);
	struct kcf_data i = kcf_flat("what do ya want for nothing?", 28), o = kcf_flat(out, 32);

	ck_assert_int_eq(kcf_mac(client, &m, &k, &i, &o, &openssl), KCF_SUCCESS);
	ck_assert_mem_eq(out, want, 4);
}
END_TEST

START_TEST(random_uses_the_right_libcrypto)
{
	static const uint8_t zero[32];
	struct kcf_data o = kcf_flat(out, 32);

	memset(out, 0, 32);
	ck_assert_int_eq(kcf_random(client, &o, &openssl), KCF_SUCCESS);
	ck_assert_mem_ne(out, zero, 32);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("symbol-clash");
	TCase *tc = tcase_create("symbol-clash");

#ifdef KCF_SANITIZED
	test_skip_all("sanitizers refuse the way modules are kept apart");
#endif
	if (access(TEST_MODULE_DIR "/kcf-openssl.so", R_OK) < 0)
		test_skip_all("the openssl provider was not built");
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, digest_uses_the_right_libcrypto);
	tcase_add_test(tc, aead_uses_the_right_libcrypto);
	tcase_add_test(tc, mac_uses_the_right_libcrypto);
	tcase_add_test(tc, random_uses_the_right_libcrypto);
	suite_add_tcase(s, tc);
	return test_main(s);
}
