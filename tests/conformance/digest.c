/* SPDX-License-Identifier: Apache-2.0 */
/* digest: see digest.h. */
#include "digest.h"

#include <openssl/evp.h>

struct bytes digest(struct set *set, kcf_mech_t hash, struct bytes msg)
{
	static const struct {
		kcf_mech_t number;
		const char *name;
	} names[] = {
		{KCF_M_SHA_1, "SHA1"},
		{KCF_M_SHA224, "SHA224"},
		{KCF_M_SHA256, "SHA256"},
		{KCF_M_SHA384, "SHA384"},
		{KCF_M_SHA512, "SHA512"},
		{KCF_M_SHA512_224, "SHA512-224"},
		{KCF_M_SHA512_256, "SHA512-256"},
		{KCF_M_SHA3_224, "SHA3-224"},
		{KCF_M_SHA3_256, "SHA3-256"},
		{KCF_M_SHA3_384, "SHA3-384"},
		{KCF_M_SHA3_512, "SHA3-512"},
	};
	struct bytes b = {set_alloc(set, EVP_MAX_MD_SIZE), 0};
	const EVP_MD *md = NULL;
	unsigned len = 0;
	size_t i;

	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (names[i].number == hash)
			md = EVP_get_digestbyname(names[i].name);
	}
	if (!md || !EVP_Digest(msg.at, msg.len, b.at, &len, md, NULL))
		die("no digest number %u", hash);
	b.len = len;
	return b;
}
