/* SPDX-License-Identifier: Apache-2.0 */
/* mac: the two kinds of MAC of this provider behind one shape, so that mac.c does not tell them
 * apart. */
#ifndef NETTLE_MAC_H
#define NETTLE_MAC_H

#include <nettle/cmac.h>
#include "aes-key.h"
#include "hash.h"
#include "class.h"

struct cmac_key {
	struct aes aes;
	struct cmac128_key sub;
};

/* Read-only once made. */
struct mac_template {
	struct object obj;
	const struct nettle_hash *hash; /* NULL: CMAC */
	size_t mac_len;
	union {
		struct hmac_key hmac;
		struct cmac_key cmac;
	} key;
};

union mac_state {
	union hash_state hmac;
	struct cmac128_ctx cmac;
};

#endif
