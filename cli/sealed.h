/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sealed - the header of sealed files; docs/kcf-file-format.md is the text. Pure functions over
 * bytes.
 */
#pragma once

#include <kcf/client.h>
#include <stdbool.h>

#define SEALED_HEADER_LEN  64u
#define SEALED_SALT_LEN    32u
#define SEALED_PREFIX_LEN  7u
#define SEALED_NONCE_LEN   12u
#define SEALED_TAG_LEN     16u
#define SEALED_SEGMENT_MIN 4096u
#define SEALED_SEGMENT_MAX (8u * 1024 * 1024)
#define SEALED_INFO        "kcf sealed file 1" /* HKDF info, without the zero */

struct sealed_header {
	uint32_t mech;
	uint32_t segment; /* plaintext bytes of each segment but the last */
	uint8_t key_len;  /* of the file's derived key */
	uint8_t prefix[SEALED_PREFIX_LEN];
	uint8_t salt[SEALED_SALT_LEN];
};

void sealed_put(uint8_t *buf, const struct sealed_header *h);
/* NULL, or what is wrong with it. */
const char *sealed_get(const uint8_t *buf, struct sealed_header *ret);
/* Nonce of segment index: prefix, 32-bit big-endian counter, 1 for the last segment else 0. */
void sealed_nonce(const struct sealed_header *h, uint32_t index, bool last, uint8_t *nonce);
