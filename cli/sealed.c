/* SPDX-License-Identifier: Apache-2.0 */
/* sealed - see sealed.h. */
#include "sealed.h"

#include <string.h>

static const uint8_t magic[8] = {'K', 'C', 'F', 'S', 'E', 'A', 'L', '1'};

#define AT_MECH      8
#define AT_SEGMENT   12
#define AT_TAG_LEN   16
#define AT_KEY_LEN   17
#define AT_NONCE_LEN 18
#define AT_ZERO      19
#define AT_PREFIX    20
#define AT_ZEROS     27
#define AT_SALT      32

static void put32(uint8_t *p, uint32_t v)
{
	p[0] = (uint8_t)(v >> 24);
	p[1] = (uint8_t)(v >> 16);
	p[2] = (uint8_t)(v >> 8);
	p[3] = (uint8_t)v;
}

static uint32_t get32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

void sealed_put(uint8_t *buf, const struct sealed_header *h)
{
	memset(buf, 0, SEALED_HEADER_LEN);
	memcpy(buf, magic, sizeof(magic));
	put32(buf + AT_MECH, h->mech);
	put32(buf + AT_SEGMENT, h->segment);
	buf[AT_TAG_LEN] = SEALED_TAG_LEN;
	buf[AT_KEY_LEN] = h->key_len;
	buf[AT_NONCE_LEN] = SEALED_NONCE_LEN;
	memcpy(buf + AT_PREFIX, h->prefix, SEALED_PREFIX_LEN);
	memcpy(buf + AT_SALT, h->salt, SEALED_SALT_LEN);
}

const char *sealed_get(const uint8_t *buf, struct sealed_header *ret)
{
	static const uint8_t zeros[AT_SALT - AT_ZEROS];
	struct sealed_header h = {0};

	if (memcmp(buf, magic, sizeof(magic)))
		return "not a sealed file (no KCFSEAL1 at its beginning)";
	h.mech = get32(buf + AT_MECH);
	h.segment = get32(buf + AT_SEGMENT);
	h.key_len = buf[AT_KEY_LEN];
	if (h.segment < SEALED_SEGMENT_MIN || h.segment > SEALED_SEGMENT_MAX ||
	    h.segment % SEALED_SEGMENT_MIN)
		return "its segment size is out of range";
	if (buf[AT_TAG_LEN] != SEALED_TAG_LEN || buf[AT_NONCE_LEN] != SEALED_NONCE_LEN ||
	    (h.key_len != 16 && h.key_len != 24 && h.key_len != 32) || buf[AT_ZERO] ||
	    memcmp(buf + AT_ZEROS, zeros, sizeof(zeros)))
		return "its header has values this version does not know";
	memcpy(h.prefix, buf + AT_PREFIX, SEALED_PREFIX_LEN);
	memcpy(h.salt, buf + AT_SALT, SEALED_SALT_LEN);
	*ret = h;
	return NULL;
}

void sealed_nonce(const struct sealed_header *h, uint32_t index, bool last, uint8_t *nonce)
{
	memcpy(nonce, h->prefix, SEALED_PREFIX_LEN);
	put32(nonce + SEALED_PREFIX_LEN, index);
	nonce[SEALED_NONCE_LEN - 1] = last;
}
