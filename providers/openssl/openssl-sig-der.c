/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ECDSA and DSA signatures between r||s and DER (X.690, RFC 3279 2.2.2). Thread: any; no state.
 */
#include "openssl-sign.h"

/* Contents of an INTEGER of at most width bytes, and its header. */
#define INTEGER_MAX(width) ((width) + 3)

size_t openssl_sig_der_max(unsigned width)
{
	size_t body = 2 * INTEGER_MAX(width);

	return body + (body < 128 ? 2 : 3);
}

static size_t put_integer(const uint8_t *n, unsigned width, uint8_t *der)
{
	unsigned zero;

	while (width > 1 && n[0] == 0) {
		n++;
		width--;
	}
	zero = n[0] >> 7;
	der[0] = 0x02;
	der[1] = width + zero;
	der[2] = 0;
	memcpy(der + 2 + zero, n, width);
	return 2 + zero + width;
}

size_t openssl_sig_to_der(const uint8_t *rs, unsigned width, uint8_t *der)
{
	uint8_t body[2 * INTEGER_MAX(OPENSSL_SIG_WIDTH_MAX)];
	size_t len, head;

	len = put_integer(rs, width, body);
	len += put_integer(rs + width, width, body + len);
	head = len < 128 ? 2 : 3;
	der[0] = 0x30;
	der[1] = 0x81;
	der[head - 1] = len;
	memcpy(der + head, body, len);
	return head + len;
}

/* One INTEGER at *pos; false if it is not minimal, negative, or too long. */
static bool get_integer(const uint8_t *der, size_t len, size_t *pos, unsigned width, uint8_t *n)
{
	size_t left = len - *pos, n_len;
	const uint8_t *p = der + *pos;

	if (left < 3 || p[0] != 0x02 || p[1] >= 128 || p[1] == 0 || (size_t)p[1] + 2 > left)
		return false;
	n_len = p[1];
	*pos += n_len + 2;
	p += 2;
	if ((p[0] & 0x80) || (n_len > 1 && p[0] == 0 && !(p[1] & 0x80)))
		return false;
	if (p[0] == 0) {
		p++;
		n_len--;
	}
	if (n_len > width)
		return false;
	memset(n, 0, width - n_len);
	memcpy(n + width - n_len, p, n_len);
	return true;
}

bool openssl_sig_from_der(const uint8_t *der, size_t len, unsigned width, uint8_t *rs)
{
	size_t pos = 2;

	if (len < 8 || der[0] != 0x30)
		return false;
	if (der[1] == 0x81) {
		if (der[2] < 128)
			return false;
		pos = 3;
	} else if (der[1] >= 128) {
		return false;
	}
	if (der[pos - 1] != len - pos)
		return false;
	return get_integer(der, len, &pos, width, rs) &&
	       get_integer(der, len, &pos, width, rs + width) && pos == len;
}
