/* SPDX-License-Identifier: Apache-2.0 */
/*
 * curve: Ed25519 (RFC 8032) and X25519 (RFC 7748). alg: unused.
 *
 * Keys are 32 raw bytes, or PKCS#8 (RFC 8410, 5958) and SubjectPublicKeyInfo whose few fields are
 * read here. A raw key means what the operation needs: the private key to sign and derive, the
 * public key to verify. A key of another curve is KCF_KEY_SIZE_RANGE, so that another provider gets
 * its chance; what is no key at all is KCF_KEY_TYPE_INCONSISTENT. Thread: any.
 */
#include "common/iov.h"
#include "class.h"

#include <nettle/curve25519.h>
#include <nettle/eddsa.h>
#include <nettle/memops.h>
#include <stdlib.h>
#include <string.h>

#define KEY_LEN     32
#define OID_X25519  0x6e /* 1.3.101.110 */
#define OID_ED25519 0x70

struct curve_template {
	struct object obj;
	bool has_private, has_public;
	uint8_t private[KEY_LEN], public[KEY_LEN];
};

/* ---- keys ------------------------------------------------------------------------------------ */

struct der {
	const uint8_t *at;
	size_t len;
};

/* Enter the element of this tag at the front of der; der moves past it. Lengths below 64 KiB. */
static bool der_enter(struct der *der, uint8_t tag, struct der *ret)
{
	size_t len, head = 2;

	if (der->len < 2 || der->at[0] != tag)
		return false;
	len = der->at[1];
	if (len == 0x81 && der->len >= 3) {
		len = der->at[2];
		head = 3;
	} else if (len == 0x82 && der->len >= 4) {
		len = (size_t)der->at[2] << 8 | der->at[3];
		head = 4;
	} else if (len >= 0x80) {
		return false;
	}
	if (len > der->len - head)
		return false;
	ret->at = der->at + head;
	ret->len = len;
	der->at += head + len;
	der->len -= head + len;
	return true;
}

/* AlgorithmIdentifier with OID 1.3.101.n and no parameters. */
static enum kcf_status read_algorithm(struct der *der, uint8_t oid)
{
	struct der algorithm, id;

	if (!der_enter(der, 0x30, &algorithm) || !der_enter(&algorithm, 0x06, &id))
		return KCF_KEY_TYPE_INCONSISTENT;
	if (id.len != 3 || id.at[0] != 0x2b || id.at[1] != 0x65 || id.at[2] != oid)
		return KCF_KEY_SIZE_RANGE;
	return algorithm.len == 0 ? KCF_SUCCESS : KCF_KEY_TYPE_INCONSISTENT;
}

static enum kcf_status read_pkcs8(const struct kcf_key_data *key, uint8_t oid, uint8_t *ret)
{
	struct der all = {key->bytes, key->len}, info, version, octets, inner;
	enum kcf_status status;

	if (!der_enter(&all, 0x30, &info) || all.len != 0 || !der_enter(&info, 0x02, &version))
		return KCF_KEY_TYPE_INCONSISTENT;
	status = read_algorithm(&info, oid);
	if (status != KCF_SUCCESS)
		return status;
	if (!der_enter(&info, 0x04, &octets) || !der_enter(&octets, 0x04, &inner) ||
	    octets.len != 0 || inner.len != KEY_LEN)
		return KCF_KEY_TYPE_INCONSISTENT;
	memcpy(ret, inner.at, KEY_LEN);
	return KCF_SUCCESS;
}

static enum kcf_status read_spki(const uint8_t *bytes, size_t len, uint8_t oid, uint8_t *ret)
{
	struct der all = {bytes, len}, info, bits;
	enum kcf_status status;

	if (!der_enter(&all, 0x30, &info) || all.len != 0)
		return KCF_KEY_TYPE_INCONSISTENT;
	status = read_algorithm(&info, oid);
	if (status != KCF_SUCCESS)
		return status;
	if (!der_enter(&info, 0x03, &bits) || info.len != 0 || bits.len != 1 + KEY_LEN ||
	    bits.at[0] != 0)
		return KCF_KEY_TYPE_INCONSISTENT;
	memcpy(ret, bits.at + 1, KEY_LEN);
	return KCF_SUCCESS;
}

/* Fills what the key tells; a raw key goes to both halves. */
static enum kcf_status read_key(struct curve_template *tmpl, const struct kcf_key_data *key,
				uint8_t oid)
{
	switch (key->format) {
	case KCF_KEY_RAW:
		if (key->len != KEY_LEN)
			return KCF_KEY_SIZE_RANGE;
		memcpy(tmpl->private, key->bytes, KEY_LEN);
		memcpy(tmpl->public, key->bytes, KEY_LEN);
		tmpl->has_private = tmpl->has_public = true;
		return KCF_SUCCESS;
	case KCF_KEY_PKCS8:
		tmpl->has_private = true;
		return read_pkcs8(key, oid, tmpl->private);
	case KCF_KEY_SPKI:
		tmpl->has_public = true;
		return read_spki(key->bytes, key->len, oid, tmpl->public);
	}
	return KCF_KEY_TYPE_INCONSISTENT;
}

/* ---- Ed25519 --------------------------------------------------------------------------------- */

struct eddsa_template {
	struct curve_template key;
	uint8_t own_public[KEY_LEN]; /* that of the private half */
};

static enum kcf_status eddsa_template_new(const void *alg, const struct kcf_key_data *key,
					  void **ret)
{
	struct eddsa_template *tmpl = object_new(sizeof(*tmpl), NULL);
	enum kcf_status status;

	if (!tmpl)
		return KCF_HOST_MEMORY;
	status = read_key(&tmpl->key, key, OID_ED25519);
	if (status != KCF_SUCCESS) {
		object_free(tmpl);
		return status;
	}
	if (tmpl->key.has_private)
		ed25519_sha512_public_key(tmpl->own_public, tmpl->key.private);
	if (!tmpl->key.has_public)
		memcpy(tmpl->key.public, tmpl->own_public, KEY_LEN);
	tmpl->key.has_public = true;
	*ret = tmpl;
	return KCF_SUCCESS;
}

static enum kcf_status sign(const struct eddsa_template *tmpl, const uint8_t *msg,
			    struct kcf_job *job)
{
	struct cursor out = cursor_at(job->out, job->n_out);
	uint8_t sig[ED25519_SIGNATURE_SIZE];

	ed25519_sha512_sign(tmpl->own_public, tmpl->key.private, job->in_len, msg, sig);
	job->out_len = cursor_write(&out, sig, sizeof(sig));
	return KCF_SUCCESS;
}

static enum kcf_status verify(const struct eddsa_template *tmpl, const uint8_t *msg,
			      const struct kcf_job *job)
{
	struct cursor check = cursor_at(job->check, job->n_check);
	uint8_t sig[ED25519_SIGNATURE_SIZE];

	if (job->check_len != sizeof(sig))
		return KCF_SIGNATURE_INVALID;
	cursor_read(&check, sig, sizeof(sig));
	if (!ed25519_sha512_verify(tmpl->key.public, job->in_len, msg, sig))
		return KCF_SIGNATURE_INVALID;
	return KCF_SUCCESS;
}

static enum kcf_status eddsa_run(const void *alg, struct kcf_job *job)
{
	const struct eddsa_template *tmpl = job->tmpl;
	const struct kcf_param_sign *p = job->param;
	struct cursor in = cursor_at(job->in, job->n_in);
	enum kcf_status status;
	uint8_t *msg;

	if (job->phase != KCF_SINGLE)
		return KCF_MECH_NOT_SUPPORTED;
	if (p && (p->flags != 0 || p->context_len != 0))
		return KCF_MECHANISM_PARAM_INVALID;
	if (job->op == KCF_OP_SIGN && !tmpl->key.has_private)
		return KCF_KEY_TYPE_INCONSISTENT;
	if (job->op == KCF_OP_SIGN && !job_has_room(job, ED25519_SIGNATURE_SIZE))
		return KCF_BUFFER_TOO_SMALL;
	/* the message is read twice: it must be in one piece */
	msg = malloc(job->in_len + 1);
	if (!msg)
		return KCF_HOST_MEMORY;
	cursor_read(&in, msg, job->in_len);
	status = job->op == KCF_OP_SIGN ? sign(tmpl, msg, job) : verify(tmpl, msg, job);
	explicit_bzero(msg, job->in_len);
	free(msg);
	return status;
}

const struct class_ops eddsa_class = {eddsa_template_new, eddsa_run};

/* ---- X25519 ---------------------------------------------------------------------------------- */

static enum kcf_status x25519_template_new(const void *alg, const struct kcf_key_data *key,
					   void **ret)
{
	struct curve_template *tmpl = object_new(sizeof(*tmpl), NULL);
	enum kcf_status status;

	if (!tmpl)
		return KCF_HOST_MEMORY;
	status = read_key(tmpl, key, OID_X25519);
	if (status == KCF_SUCCESS && !tmpl->has_private)
		status = KCF_KEY_TYPE_INCONSISTENT;
	if (status != KCF_SUCCESS)
		object_free(tmpl);
	else
		*ret = tmpl;
	return status;
}

static enum kcf_status x25519_run(const void *alg, struct kcf_job *job)
{
	static const uint8_t zero[CURVE25519_SIZE];
	const struct curve_template *tmpl = job->tmpl;
	const struct kcf_param_ecdh *p = job->param;
	struct cursor out = cursor_at(job->out, job->n_out);
	uint8_t peer[KEY_LEN], secret[CURVE25519_SIZE];
	enum kcf_status status = KCF_SUCCESS;

	if (!p || (p->peer_len != KEY_LEN &&
		   read_spki(p->peer, p->peer_len, OID_X25519, peer) != KCF_SUCCESS))
		return KCF_MECHANISM_PARAM_INVALID;
	if (!job_has_room(job, sizeof(secret)))
		return KCF_BUFFER_TOO_SMALL;
	if (p->peer_len == KEY_LEN)
		memcpy(peer, p->peer, KEY_LEN);
	curve25519_mul(secret, tmpl->private, peer);
	/* a peer of low order leaves nothing secret: RFC 7748, section 6.1 */
	if (memeql_sec(secret, zero, sizeof(secret)))
		status = KCF_MECHANISM_PARAM_INVALID;
	else
		job->out_len = cursor_write(&out, secret, sizeof(secret));
	explicit_bzero(secret, sizeof(secret));
	return status;
}

const struct class_ops x25519_class = {x25519_template_new, x25519_run};
