/* SPDX-License-Identifier: Apache-2.0 */
#include "core/key-file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/secret.h"

#define DER_INTEGER  0x02
#define DER_OID      0x06
#define DER_SEQUENCE 0x30

struct der {
	const uint8_t *p;
	size_t len;
};

/* The next element: its tag and content; false if there is none that fits. */
static bool der_next(struct der *d, uint8_t *ret_tag, struct der *ret)
{
	size_t header = 2, len;

	if (d->len < 2)
		return false;
	len = d->p[1];
	if (len & 0x80) {
		unsigned n = len & 0x7f;

		if (n < 1 || n > 4 || d->len < 2 + (size_t)n)
			return false;
		len = 0;
		for (unsigned i = 0; i < n; i++)
			len = len << 8 | d->p[2 + i];
		header += n;
	}
	if (len > d->len - header)
		return false;
	*ret_tag = d->p[0];
	*ret = (struct der){d->p + header, len};
	d->p += header + len;
	d->len -= header + len;
	return true;
}

/* PKCS#8: version, algorithm, key. SubjectPublicKeyInfo: algorithm, key. *ret_algorithm: the
 * sequence. */
static bool der_format(const uint8_t *bytes, size_t len, enum kcf_key_format *ret_format,
		       struct der *ret_algorithm)
{
	struct der all = {bytes, len}, body, element;
	uint8_t tag;

	if (!der_next(&all, &tag, &body) || tag != DER_SEQUENCE || all.len != 0)
		return false;
	if (!der_next(&body, &tag, &element))
		return false;
	*ret_format = KCF_KEY_SPKI;
	if (tag == DER_INTEGER) {
		*ret_format = KCF_KEY_PKCS8;
		if (element.len != 1 || element.p[0] > 1 || !der_next(&body, &tag, &element))
			return false;
	}
	*ret_algorithm = element;
	return tag == DER_SEQUENCE && body.len > 0;
}

uint32_t key_public_mech(const struct kcf_key_data *key)
{
	static const struct {
		uint8_t len, oid[9];
		uint32_t mech;
	} types[] = {
		{9, {0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 1}, KCF_M_RSA_PKCS_KEY_PAIR_GEN},
		{9, {0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 10}, KCF_M_RSA_PKCS_KEY_PAIR_GEN},
		{7, {0x2a, 0x86, 0x48, 0xce, 0x3d, 2, 1}, KCF_M_EC_KEY_PAIR_GEN},
		{3, {0x2b, 0x65, 0x70}, KCF_M_EC_EDWARDS_KEY_PAIR_GEN},
		{3, {0x2b, 0x65, 0x71}, KCF_M_EC_EDWARDS_KEY_PAIR_GEN},
		{3, {0x2b, 0x65, 0x6e}, KCF_M_EC_MONTGOMERY_KEY_PAIR_GEN},
		{3, {0x2b, 0x65, 0x6f}, KCF_M_EC_MONTGOMERY_KEY_PAIR_GEN},
	};
	enum kcf_key_format format;
	struct der algorithm, oid;
	uint8_t tag;

	if (key->format == KCF_KEY_RAW || !der_format(key->bytes, key->len, &format, &algorithm))
		return 0;
	if (!der_next(&algorithm, &tag, &oid) || tag != DER_OID)
		return 0;
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		if (oid.len == types[i].len && !memcmp(oid.p, types[i].oid, oid.len))
			return types[i].mech;
	return 0;
}

static enum kcf_status fail(char *err, size_t err_len, enum kcf_status status, const char *path,
			    const char *why)
{
	snprintf(err, err_len, "key file %s: %s", path, why);
	return status;
}

static const char *judge(const struct stat *st)
{
	if (!S_ISREG(st->st_mode))
		return "not a regular file";
	if (st->st_uid != 0 && st->st_uid != geteuid())
		return "must belong to root or to kcfd's user";
	if (st->st_mode & (S_IWGRP | S_IRWXO))
		return "others may read or change it; chmod 600";
	if (st->st_size <= 0 || st->st_size > KEY_FILE_MAX)
		return "must have 1 to 65536 bytes";
	return NULL;
}

static int base64_value(uint8_t c)
{
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	const char *at = c ? strchr(digits, c) : NULL;

	return at ? (int)(at - digits) : -1;
}

/* Decode base64 lines up to the next '-', in place of itself. */
static bool base64_decode(uint8_t *text, size_t len, size_t *ret_len)
{
	uint32_t bits = 0;
	unsigned n_bits = 0;
	size_t out = 0;
	bool padded = false;

	for (size_t i = 0; i < len && text[i] != '-'; i++) {
		int value = base64_value(text[i]);

		if (text[i] == '\n' || text[i] == '\r' || text[i] == ' ')
			continue;
		if (text[i] == '=') {
			padded = true;
			continue;
		}
		if (value < 0 || padded)
			return false;
		bits = bits << 6 | (unsigned)value;
		n_bits += 6;
		if (n_bits >= 8) {
			n_bits -= 8;
			text[out++] = (uint8_t)(bits >> n_bits);
		}
	}
	*ret_len = out;
	return out > 0;
}

/* buf: len bytes and a zero behind them. NULL, or what is wrong. */
static const char *parse(uint8_t *buf, size_t len, struct kcf_key_data *ret)
{
	static const struct {
		const char *label;
		enum kcf_key_format format;
	} labels[] = {{"-----BEGIN PRIVATE KEY-----", KCF_KEY_PKCS8},
		      {"-----BEGIN PUBLIC KEY-----", KCF_KEY_SPKI}};
	struct der algorithm;
	uint8_t *body;
	bool is_der;

	for (unsigned i = 0; i < 2; i++) {
		body = (uint8_t *)strstr((char *)buf, labels[i].label);
		if (!body)
			continue;
		body += strlen(labels[i].label);
		ret->bytes = body;
		is_der = base64_decode(body, len - (size_t)(body - buf), &ret->len) &&
			 der_format(body, ret->len, &ret->format, &algorithm) &&
			 ret->format == labels[i].format;
		return is_der ? NULL : "its PEM block is damaged";
	}
	if (strstr((char *)buf, "-----BEGIN "))
		return "of this PEM kind no key can be read; convert it with: openssl pkcs8 -topk8 "
		       "-nocrypt";
	ret->bytes = buf;
	ret->len = len;
	if (!der_format(buf, len, &ret->format, &algorithm))
		ret->format = KCF_KEY_RAW;
	return NULL;
}

static bool read_all(int fd, uint8_t *buf, size_t len)
{
	for (size_t have = 0; have < len;) {
		ssize_t n = read(fd, buf + have, len - have);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		have += (size_t)n;
	}
	return true;
}

enum kcf_status key_file_read(const char *path, uint8_t **ret_buf, struct kcf_key_data *ret,
			      char *err, size_t err_len)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	const char *why;
	uint8_t *buf;
	struct stat st;

	if (fd < 0)
		return fail(err, err_len, KCF_NOT_FOUND, path, strerror(errno));
	if (fstat(fd, &st) < 0)
		why = strerror(errno);
	else
		why = judge(&st);
	if (why) {
		close(fd);
		return fail(err, err_len, KCF_PERMISSION_DENIED, path, why);
	}
	buf = secret_alloc((size_t)st.st_size + 1);
	why = !buf                                    ? "out of memory"
	      : read_all(fd, buf, (size_t)st.st_size) ? NULL
						      : "cannot be read";
	close(fd);
	if (!why)
		why = parse(buf, (size_t)st.st_size, ret);
	if (why) {
		secret_free(buf);
		return fail(err, err_len, KCF_ARGUMENTS_BAD, path, why);
	}
	*ret_buf = buf;
	return KCF_SUCCESS;
}
