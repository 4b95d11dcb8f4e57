/* SPDX-License-Identifier: Apache-2.0 */
/* aes-key: see aes-key.h. FIPS 197. Thread: any. */
#include "aes-key.h"

enum kcf_status aes_init(struct aes *aes, const uint8_t *key, size_t len)
{
	switch (len) {
	case AES128_KEY_SIZE:
		aes128_set_encrypt_key(&aes->enc.k128, key);
		aes128_invert_key(&aes->dec.k128, &aes->enc.k128);
		aes->encrypt = (nettle_cipher_func *)aes128_encrypt;
		aes->decrypt = (nettle_cipher_func *)aes128_decrypt;
		return KCF_SUCCESS;
	case AES192_KEY_SIZE:
		aes192_set_encrypt_key(&aes->enc.k192, key);
		aes192_invert_key(&aes->dec.k192, &aes->enc.k192);
		aes->encrypt = (nettle_cipher_func *)aes192_encrypt;
		aes->decrypt = (nettle_cipher_func *)aes192_decrypt;
		return KCF_SUCCESS;
	case AES256_KEY_SIZE:
		aes256_set_encrypt_key(&aes->enc.k256, key);
		aes256_invert_key(&aes->dec.k256, &aes->enc.k256);
		aes->encrypt = (nettle_cipher_func *)aes256_encrypt;
		aes->decrypt = (nettle_cipher_func *)aes256_decrypt;
		return KCF_SUCCESS;
	default:
		return KCF_KEY_SIZE_RANGE;
	}
}
