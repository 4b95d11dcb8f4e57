/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mech-name - what users call mechanisms: PKCS#11 names, or the names of the openssl command
 * ("sha256", "aes-256-gcm", "hmac-sha256", "ecdsa-sha256", "ed25519"). One thread.
 */
#pragma once

#include <kcf/client.h>
#include <stdbool.h>

struct mech_choice {
	struct kcf_mech_info info;
	unsigned key_bytes; /* the name says so ("aes-256-..."); 0 = any */
	bool by_alias;      /* an OpenSSL name, with OpenSSL's defaults (CBC pads) */
};

/* Find a mechanism offered for one of these classes (enum kcf_class bits). Prints why not and the
 * nearest name; returns an exit code. */
int mech_choose(struct kcf_client *client, const char *word, unsigned classes,
		struct mech_choice *ret);
