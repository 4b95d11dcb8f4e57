/* SPDX-License-Identifier: Apache-2.0 */
/* aes-key: an AES key of any size, expanded both ways; read-only once set. */
#ifndef NETTLE_PROVIDER_AES_H
#define NETTLE_PROVIDER_AES_H

#include <nettle/aes.h>
#include <kcf/types.h>

union aes_schedule {
	struct aes128_ctx k128;
	struct aes192_ctx k192;
	struct aes256_ctx k256;
};

struct aes {
	nettle_cipher_func *encrypt, *decrypt;
	union aes_schedule enc, dec;
};

/* len: 16, 24 or 32; else KCF_KEY_SIZE_RANGE. */
enum kcf_status aes_init(struct aes *aes, const uint8_t *key, size_t len);

#endif
