/* SPDX-License-Identifier: Apache-2.0 */
/* key-file - see key-file.h. */
#include "key-file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tool.h"

#define BUFFER_LEN (2 * KEY_FILE_MAX) /* PEM is longer than its DER */

static unsigned char *locked_new(void)
{
	void *p =
		mmap(NULL, BUFFER_LEN, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		return NULL;
	/* Best effort: a small RLIMIT_MEMLOCK is no reason to refuse the key. */
	mlock(p, BUFFER_LEN);
	madvise(p, BUFFER_LEN, MADV_DONTDUMP);
	return p;
}

void key_file_deinit(struct key_file *k)
{
	if (!k->bytes)
		return;
	explicit_bzero(k->bytes, BUFFER_LEN);
	munmap(k->bytes, BUFFER_LEN);
	memset(k, 0, sizeof(*k));
}

/* The whole DER element at p, its header's length in *ret_header; 0 if it is not len bytes. */
static bool der_is_whole(const unsigned char *p, size_t len, size_t *ret_header)
{
	size_t n, header = 2;

	if (len < 2 || p[0] != 0x30)
		return false;
	n = p[1];
	if (n & 0x80) {
		unsigned count = n & 0x7f;

		if (count == 0 || count > 2 || len < 2u + count)
			return false;
		n = count == 1 ? p[2] : (size_t)p[2] << 8 | p[3];
		header += count;
	}
	*ret_header = header;
	return header + n == len;
}

/* PKCS#8 begins with a version number, SubjectPublicKeyInfo with a sequence. */
static bool der_format(const unsigned char *p, size_t len, enum kcf_key_format *ret)
{
	size_t header;

	if (!der_is_whole(p, len, &header) || header >= len)
		return false;
	if (p[header] == 0x02)
		*ret = KCF_KEY_PKCS8;
	else if (p[header] == 0x30)
		*ret = KCF_KEY_SPKI;
	else
		return false;
	return true;
}

static int read_key(const char *path, unsigned char *buf, size_t *ret_len)
{
	int fd = strcmp(path, "-") ? open(path, O_RDONLY | O_CLOEXEC) : dup(0);
	size_t len = 0;
	ssize_t n = 0;

	if (fd < 0)
		return tool_fail_errno("open key file", path);
	while (len < BUFFER_LEN && (n = read(fd, buf + len, BUFFER_LEN - len)) != 0) {
		if (n < 0 && errno != EINTR) {
			int code = tool_fail_errno("read key file", path);

			close(fd);
			return code;
		}
		len += n > 0 ? (size_t)n : 0;
	}
	close(fd);
	if (len == 0 || len == BUFFER_LEN) {
		tool_error("key file %s is %s", path, len ? "too long for a key" : "empty");
		return TOOL_FAILED;
	}
	*ret_len = len;
	return TOOL_OK;
}

static int load_file(struct key_file *k, const char *path, enum key_need need)
{
	static const char begin[] = "-----BEGIN ";
	const char *problem = NULL;
	size_t len = 0;
	int code = read_key(path, k->bytes, &len);

	if (code != TOOL_OK)
		return code;
	k->key.kind = KCF_KEY_BYTES;
	k->key.bytes = k->bytes;
	k->key.format = KCF_KEY_RAW;
	k->key.len = len;
	if (need == KEY_SECRET)
		return TOOL_OK;
	if (len > sizeof(begin) && !memcmp(k->bytes, begin, sizeof(begin) - 1)) {
		long n = key_pem_decode((char *)k->bytes, len, &k->key.format, &problem);

		if (n < 0) {
			tool_error("key file %s: %s", path, problem);
			return TOOL_FAILED;
		}
		k->key.len = (size_t)n;
	} else if (!der_format(k->bytes, len, &k->key.format) && len > 114) {
		/* The longest raw key of the Ed and X curves is 57 bytes. */
		tool_error("key file %s is neither PEM, nor PKCS#8 or SubjectPublicKeyInfo DER",
			   path);
		tool_hint("convert it with: openssl pkcs8 -topk8 -nocrypt -in KEY -out NEW");
		return TOOL_FAILED;
	}
	if (need == KEY_PRIVATE && k->key.format == KCF_KEY_SPKI) {
		tool_error("key file %s holds a public key, a private key is needed", path);
		return TOOL_FAILED;
	}
	return TOOL_OK;
}

int key_file_load(struct key_file *k, const struct args *a, enum key_need need)
{
	long n;

	memset(k, 0, sizeof(*k));
	if (a->key_name) {
		k->key = kcf_key_named(a->key_name);
		return TOOL_OK;
	}
	if (!a->key_file && !a->key_hex) {
		tool_error("no key given");
		tool_hint("give --key-file FILE, --key-hex HEX, or --key NAME for a key in kcfd");
		return TOOL_USAGE;
	}
	k->bytes = locked_new();
	if (!k->bytes)
		return tool_fail(KCF_HOST_MEMORY, "key");
	if (a->key_file)
		return load_file(k, a->key_file, need);
	n = tool_unhex(a->key_hex, k->bytes, KEY_FILE_MAX);
	/* From here on the list of processes does not show it any more. */
	memset((char *)a->key_hex, 'x', strlen(a->key_hex));
	if (n < 0) {
		tool_error("--key-hex: not an even number of hex digits, or too long");
		return TOOL_USAGE;
	}
	k->key = kcf_key_bytes(k->bytes, (size_t)n);
	return TOOL_OK;
}

/* ---- PEM, RFC 7468 ---- */

static int base64_value(unsigned char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	return c == '+' ? 62 : c == '/' ? 63 : -1;
}

static const struct {
	const char *label;
	int format; /* or -1 */
	const char *problem;
} labels[] = {
	{"PRIVATE KEY", KCF_KEY_PKCS8, NULL},
	{"PUBLIC KEY", KCF_KEY_SPKI, NULL},
	{"ENCRYPTED PRIVATE KEY", -1,
	 "the key is encrypted; decrypt it with: openssl pkcs8 -in KEY -out NEW"},
	{"RSA PRIVATE KEY", -1,
	 "PKCS#1 form; convert it with: openssl pkcs8 -topk8 -nocrypt -in KEY -out NEW"},
	{"EC PRIVATE KEY", -1,
	 "SEC1 form; convert it with: openssl pkcs8 -topk8 -nocrypt -in KEY -out NEW"},
	{"EC PARAMETERS", -1,
	 "it begins with EC parameters; convert it with: openssl pkcs8 -topk8 -nocrypt -in KEY "
	 "-out NEW"},
	{"CERTIFICATE", -1,
	 "a certificate; take its key with: openssl x509 -pubkey -noout -in CERT"},
};

static long base64_decode(const char *text, const char *end, unsigned char *out)
{
	unsigned long group = 0;
	unsigned n = 0, pads = 0;
	long len = 0;

	for (; text < end; text++) {
		int v = base64_value((unsigned char)*text);

		if (strchr(" \t\r\n", *text))
			continue;
		if (*text == '=')
			v = 0, pads++;
		if (v < 0 || pads > 2 || (pads && *text != '='))
			return -1;
		group = group << 6 | (unsigned)v;
		if (++n < 4)
			continue;
		out[len++] = (unsigned char)(group >> 16);
		out[len++] = (unsigned char)(group >> 8);
		out[len++] = (unsigned char)group;
		n = 0;
		group = 0;
	}
	return n ? -1 : len - (long)pads;
}

long key_pem_decode(char *text, size_t len, enum kcf_key_format *ret_format,
		    const char **ret_problem)
{
	static const char begin[] = "-----BEGIN ";
	char *label = text + sizeof(begin) - 1;
	char *label_end, *body_end;
	long n;

	label_end = memmem(label, len - (size_t)(label - text), "-----", 5);
	body_end = label_end ? memmem(label_end + 5, len - (size_t)(label_end + 5 - text),
				      "-----END ", 9)
			     : NULL;
	*ret_problem = "damaged PEM";
	if (!body_end)
		return -1;
	for (size_t i = 0; i < sizeof(labels) / sizeof(labels[0]); i++) {
		size_t l = strlen(labels[i].label);

		if (l != (size_t)(label_end - label) || memcmp(label, labels[i].label, l))
			continue;
		if (labels[i].format < 0) {
			*ret_problem = labels[i].problem;
			return -1;
		}
		n = base64_decode(label_end + 5, body_end, (unsigned char *)text);
		*ret_format = (enum kcf_key_format)labels[i].format;
		return n > 0 && n <= (long)KEY_FILE_MAX ? n : -1;
	}
	*ret_problem = "PEM of another kind than PRIVATE KEY or PUBLIC KEY";
	return -1;
}

size_t key_pem_encode(const char *label, const unsigned char *der, size_t len, char *text)
{
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	char *p = text + sprintf(text, "-----BEGIN %s-----\n", label);

	for (size_t i = 0; i < len; i += 3) {
		unsigned n = len - i < 3 ? (unsigned)(len - i) : 3;
		unsigned long group = (unsigned long)der[i] << 16;

		if (n > 1)
			group |= (unsigned long)der[i + 1] << 8;
		if (n > 2)
			group |= der[i + 2];
		*p++ = digits[group >> 18];
		*p++ = digits[group >> 12 & 63];
		*p++ = n > 1 ? digits[group >> 6 & 63] : '=';
		*p++ = n > 2 ? digits[group & 63] : '=';
		if (i % 48 == 45 || i + 3 >= len)
			*p++ = '\n';
	}
	p += sprintf(p, "-----END %s-----\n", label);
	return (size_t)(p - text);
}
