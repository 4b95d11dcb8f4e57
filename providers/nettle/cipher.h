/* SPDX-License-Identifier: Apache-2.0 */
/* cipher: which AES mode a row means. */
#ifndef NETTLE_CIPHER_H
#define NETTLE_CIPHER_H

enum cipher_mode { MODE_ECB, MODE_CBC, MODE_CTR };

struct cipher_alg {
	enum cipher_mode mode;
};

#endif
