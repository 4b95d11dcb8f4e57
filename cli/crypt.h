/* SPDX-License-Identifier: Apache-2.0 */
/*
 * crypt - the ways `kcf encrypt` and `kcf decrypt` treat a file, chosen by the mechanism:
 *
 *   sealed   AEAD: segments of a documented format, any size (docs/kcf-file-format.md)
 *   stream   ciphers: one context, or independent pieces where the mode permits (CTR, ECB)
 *   single   one request: --raw AEAD, key wrap, RSA
 *
 * Each reads source, writes sink, and returns an exit code after printing what is wrong. One
 * thread.
 */
#pragma once

#include "session.h"

struct crypt {
	struct session s;
	bool decrypt;
	unsigned char *iv, *aad;
	size_t iv_len, aad_len;
	struct source source;
	struct sink sink;
	struct progress progress;
	struct stream_result done;
};

int crypt_sealed(struct crypt *c);
int crypt_stream(struct crypt *c);
int crypt_single(struct crypt *c);
