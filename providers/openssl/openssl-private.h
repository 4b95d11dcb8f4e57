/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Private to the openssl provider: what its files share.
 *
 * A template (struct openssl_tmpl) is a row and a checked key; it is immutable, so any number of
 * threads read it. A state is live libcrypto objects of one template, used by one thread at a time;
 * the framework keeps one per thread and each multi-part context owns one of its own. Digests,
 * ciphers and MACs call the functions of libcrypto's default provider directly
 * (provider-cipher(7)): the EVP layer above them costs more than 64 bytes of AES-GCM do. Keys and
 * signatures use EVP_PKEY.
 *
 * Thread: a state or context by one thread at a time, everything else by any.
 */
#ifndef KCF_OPENSSL_PRIVATE_H
#define KCF_OPENSSL_PRIVATE_H

#include <string.h>
#include <openssl/core_dispatch.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <kcf/provider.h>

#define OPENSSL_PROPS        "provider=default"
#define OPENSSL_BLOCK_MAX    16
#define OPENSSL_DIGEST_MAX   64
#define OPENSSL_MAC_MAX      512        /* KMAC may be asked for more than its strength */
#define OPENSSL_AEAD_BUFFER  (1u << 20) /* what an AEAD context holds back at most */
#define OPENSSL_AEAD_TAG_MAX 16
#define OPENSSL_DH_MAX       1024         /* bytes of a prime */
#define OPENSSL_KEY_DER_MAX  (64u * 1024) /* longest PKCS#8 or SubjectPublicKeyInfo looked at */

#define likely(x)   __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)

/* ---- rows ------------------------------------------------------------------------------------ */

enum openssl_kind {
	OPENSSL_KIND_NONE = 0,
	/* ciphers: how the data may be cut */
	OPENSSL_STREAM,
	OPENSSL_BLOCKS,
	OPENSSL_PADDED,
	OPENSSL_XTS,
	OPENSSL_CTS,
	OPENSSL_WRAP,
	OPENSSL_WRAP_PAD,
	/* AEAD */
	OPENSSL_GCM,
	OPENSSL_CCM,
	OPENSSL_CHACHA,
	OPENSSL_OCB,
	/* MAC */
	OPENSSL_HMAC,
	OPENSSL_CMAC,
	OPENSSL_GMAC,
	OPENSSL_POLY1305,
	OPENSSL_KMAC,
	OPENSSL_SIPHASH,
	/* signatures, key agreement, key generation: the family of the key */
	OPENSSL_RSA_PKCS1,
	OPENSSL_RSA_PSS,
	OPENSSL_RSA_OAEP,
	OPENSSL_ECDSA,
	OPENSSL_EDDSA,
	OPENSSL_DSA,
	OPENSSL_ECDH,
	OPENSSL_DH,
	OPENSSL_KEYGEN_SECRET,
	OPENSSL_KEYGEN_RSA,
	OPENSSL_KEYGEN_EC,
	OPENSSL_KEYGEN_ED,
	OPENSSL_KEYGEN_X,
	/* key derivation */
	OPENSSL_HKDF,
	OPENSSL_PBKDF2,
	OPENSSL_KBKDF,
	OPENSSL_SCRYPT,
};

struct openssl_class;

/* What a row's priv points to. */
struct openssl_spec {
	const struct openssl_class *cls;
	kcf_mech_t mech;
	enum openssl_kind kind;
	const char *alg[3]; /* name in libcrypto, by key length where there are several */
	kcf_mech_t hash;    /* digest of HMAC and hashing signatures; 0 = none */
	uint16_t len;       /* digest or MAC length, or the IV's */
	uint16_t block;     /* block length of a digest or cipher */
};

extern const struct kcf_mech_row openssl_rows[];
extern const uint32_t openssl_n_rows;
extern const struct kcf_provider_ops openssl_ops;

static inline const struct openssl_spec *openssl_spec(const struct kcf_mech_row *row)
{
	return (const struct openssl_spec *)row->priv;
}

/* The row of a mechanism number; -1 if there is none. */
int openssl_row_find(kcf_mech_t mech);

/* ---- functions of the default provider ------------------------------------------------------- */

struct openssl_digest_fns {
	OSSL_FUNC_digest_newctx_fn *newctx;
	OSSL_FUNC_digest_freectx_fn *freectx;
	OSSL_FUNC_digest_init_fn *init;
	OSSL_FUNC_digest_update_fn *update;
	OSSL_FUNC_digest_final_fn *final;
};

struct openssl_cipher_fns {
	OSSL_FUNC_cipher_newctx_fn *newctx;
	OSSL_FUNC_cipher_freectx_fn *freectx;
	OSSL_FUNC_cipher_encrypt_init_fn *init[2]; /* [1] decrypts */
	OSSL_FUNC_cipher_update_fn *update;
	OSSL_FUNC_cipher_final_fn *final;
	OSSL_FUNC_cipher_cipher_fn *cipher; /* as update, but never keeps a partial block */
	OSSL_FUNC_cipher_get_ctx_params_fn *get;
	OSSL_FUNC_cipher_set_ctx_params_fn *set;
};

struct openssl_mac_fns {
	OSSL_FUNC_mac_newctx_fn *newctx;
	OSSL_FUNC_mac_freectx_fn *freectx;
	OSSL_FUNC_mac_init_fn *init;
	OSSL_FUNC_mac_update_fn *update;
	OSSL_FUNC_mac_final_fn *final;
};

bool openssl_digest_fns_init(const OSSL_DISPATCH *impl, struct openssl_digest_fns *ret);
bool openssl_cipher_fns_init(const OSSL_DISPATCH *impl, struct openssl_cipher_fns *ret);
bool openssl_mac_fns_init(const OSSL_DISPATCH *impl, struct openssl_mac_fns *ret);

/* ---- instance, template, context ------------------------------------------------------------- */

struct openssl_prov {
	const struct kcf_host *host;
	OSSL_LIB_CTX *lib;
	OSSL_PROVIDER *module; /* libcrypto's default provider in lib */
	void *provctx;
	const OSSL_DISPATCH *(*impl)[3]; /* by row and alg index; NULL: this libcrypto lacks it */
};

struct openssl_tmpl {
	struct openssl_prov *prov;
	const struct kcf_mech_row *row;
	const struct openssl_spec *spec;
	const struct openssl_class *cls;
	uint8_t *key; /* raw key bytes; never NULL if the row takes raw keys and one was given */
	size_t key_len;
	EVP_PKEY *priv; /* NULL: not given */
	EVP_PKEY *pub;  /* the private key also serves as the public one; NULL: raw Ed, see key */
	unsigned bits;
	unsigned width; /* bytes of an integer of a signature, a coordinate or the modulus */
	union {
		struct openssl_digest_fns digest;
		struct openssl_cipher_fns cipher;
	} fns;
};

struct openssl_ctx {
	struct openssl_tmpl *tmpl;
	void *state;
	uint16_t op;
	bool dead;  /* finished or failed */
	void *data; /* the class's own */
};

/* One class of mechanisms. init, update and final may be NULL (no multi-part). */
struct openssl_class {
	bool quiet; /* its jobs leave nothing on libcrypto's error queue */
	enum kcf_status (*tmpl_init)(struct openssl_tmpl *t, const struct kcf_key_data *key);
	enum kcf_status (*state_new)(struct openssl_tmpl *t, void **ret);
	void (*state_free)(void *state);
	enum kcf_status (*single)(struct openssl_tmpl *t, void *state, struct kcf_job *job);
	enum kcf_status (*init)(struct openssl_ctx *c, struct kcf_job *job);
	enum kcf_status (*update)(struct openssl_ctx *c, struct kcf_job *job);
	/* job->in may hold more data. */
	enum kcf_status (*final)(struct openssl_ctx *c, struct kcf_job *job);
	void (*data_free)(struct openssl_ctx *c);
};

extern const struct openssl_class openssl_digest_class, openssl_mac_class, openssl_cipher_class,
	openssl_aead_class, openssl_sign_class, openssl_rsa_crypt_class, openssl_agree_class,
	openssl_kdf_class, openssl_random_class, openssl_keygen_class;

/* template_new of this module, also used for keyless jobs that come without a template. */
enum kcf_status openssl_tmpl_new(struct openssl_prov *prov, uint32_t row,
				 const struct kcf_key_data *key, struct openssl_tmpl **ret);
void openssl_tmpl_free(struct openssl_tmpl *t);
/* Copy a raw key into the template after a look at the row's range. */
enum kcf_status openssl_tmpl_raw_key(struct openssl_tmpl *t, const struct kcf_key_data *key);
/* Runs the known answers through submit. */
enum kcf_status openssl_self_test(struct openssl_prov *prov);
void openssl_job_run(struct openssl_prov *prov, struct kcf_job *job);

/* ---- iovecs ---------------------------------------------------------------------------------- */

struct openssl_pos {
	const struct iovec *v, *end;
	size_t off;
};

static inline struct openssl_pos openssl_pos(const struct iovec *v, uint32_t n)
{
	struct openssl_pos p = {v, n ? v + n : v, 0}; /* v may be NULL */
	return p;
}

/* The rest of the current piece; *ret_len 0 at the end. */
static inline uint8_t *openssl_pos_piece(struct openssl_pos *p, size_t *ret_len)
{
	while (p->v != p->end && p->off == p->v->iov_len) {
		p->v++;
		p->off = 0;
	}
	*ret_len = p->v == p->end ? 0 : p->v->iov_len - p->off;
	return p->v == p->end ? NULL : (uint8_t *)p->v->iov_base + p->off;
}

/* How much was moved: less than len only at the end of the iovecs. */
size_t openssl_pos_read(struct openssl_pos *p, uint8_t *to, size_t len);
size_t openssl_pos_write(struct openssl_pos *p, const uint8_t *from, size_t len);
void openssl_pos_skip(struct openssl_pos *p, size_t len);
void openssl_iov_wipe(const struct iovec *v, uint32_t n, size_t len);

/* A range in one piece: the caller's own memory if it is one, else a copy that close wipes. */
struct openssl_flat {
	uint8_t *p;
	size_t len;
	bool heap, copy;
	uint8_t small[1024];
};

/* Input: the copy holds the data. */
enum kcf_status openssl_flat_in(struct openssl_flat *f, const struct iovec *v, uint32_t n,
				size_t len);
/* Scratch of len bytes. */
enum kcf_status openssl_flat_new(struct openssl_flat *f, size_t len);
void openssl_flat_close(struct openssl_flat *f);

/* Moves data through a cipher function in pieces of whole blocks, in == out included. */
struct openssl_pump {
	OSSL_FUNC_cipher_cipher_fn *crypt;
	void *ctx;
	unsigned block; /* 1: any cut */
};

/* Bytes of an earlier update that did not fill a block. */
struct openssl_carry {
	uint8_t buf[2 * OPENSSL_BLOCK_MAX];
	unsigned n;
};

/* len: a multiple of block. */
bool openssl_pump(const struct openssl_pump *p, struct openssl_pos *in, struct openssl_pos *out,
		  size_t len);
/* carry + in_len bytes of in, of which produce bytes (whole blocks) go out and the rest is carried.
 */
bool openssl_pump_carry(const struct openssl_pump *p, struct openssl_carry *carry,
			struct openssl_pos *in, size_t in_len, struct openssl_pos *out,
			size_t produce);

/* ---- digests --------------------------------------------------------------------------------- */

/* By mechanism number. KCF_MECHANISM_PARAM_INVALID if it is not a digest of fixed length. */
enum kcf_status openssl_digest_find(struct openssl_prov *prov, kcf_mech_t mech,
				    const struct openssl_spec **ret_spec,
				    struct openssl_digest_fns *ret_fns);
/* One digest over iovecs with a context that newctx made. */
bool openssl_digest_iov(const struct openssl_digest_fns *f, void *md, const struct iovec *v,
			uint32_t n);

/* ---- HMAC and the other MACs as pseudo-random functions -------------------------------------- */

struct openssl_hmac;
struct openssl_hmac *openssl_hmac_new(struct openssl_prov *prov, kcf_mech_t hash,
				      const uint8_t *key, size_t key_len);
void openssl_hmac_free(struct openssl_hmac *h);
bool openssl_hmac_start(struct openssl_hmac *h);
bool openssl_hmac_add(struct openssl_hmac *h, const void *p, size_t len);
bool openssl_hmac_end(struct openssl_hmac *h, uint8_t *out);

struct openssl_kmac;
struct openssl_kmac *openssl_kmac_new(struct openssl_prov *prov, const OSSL_DISPATCH *impl,
				      unsigned rate, const uint8_t *key, size_t key_len);
void openssl_kmac_free(struct openssl_kmac *k);
/* len: of the MAC. */
bool openssl_kmac_start(struct openssl_kmac *k, const uint8_t *custom, size_t custom_len,
			size_t len);
bool openssl_kmac_add(struct openssl_kmac *k, const void *p, size_t len);
bool openssl_kmac_end(struct openssl_kmac *k, uint8_t *out);

struct openssl_mac;
/* mech: any MAC row; key of a length the row allows (HMAC: any). */
enum kcf_status openssl_mac_new(struct openssl_prov *prov, const struct openssl_spec *spec,
				const uint8_t *key, size_t key_len, struct openssl_mac **ret);
void openssl_mac_free(struct openssl_mac *m);
/* param may be NULL. *ret_len: the length that end will write. */
enum kcf_status openssl_mac_start(struct openssl_mac *m, const struct kcf_param_mac *param,
				  size_t *ret_len);
bool openssl_mac_add(struct openssl_mac *m, const void *p, size_t len);
bool openssl_mac_end(struct openssl_mac *m, uint8_t *out);

/* ---- parameters of libcrypto ----------------------------------------------------------------- */

/* OSSL_PARAM holds constant text too, but has no constant pointer for it. */
static inline OSSL_PARAM openssl_text(const char *key, const char *value)
{
	return OSSL_PARAM_construct_utf8_string(key, (char *)value, 0);
}

/* ---- keys ------------------------------------------------------------------------------------ */

/* Fills priv, pub, bits, width of the template and checks them against the row. */
enum kcf_status openssl_key_load(struct openssl_tmpl *t, const struct kcf_key_data *key);
/* A public key of any type from SubjectPublicKeyInfo; NULL if it is not one, exactly. */
EVP_PKEY *openssl_key_spki(struct openssl_prov *prov, const uint8_t *der, size_t len);
/* The key that verifies, a reference of the caller's; NULL: out of memory. */
EVP_PKEY *openssl_key_verifying(const struct openssl_tmpl *t);
/* KCF_OP_PUBLIC. */
enum kcf_status openssl_key_public(struct openssl_tmpl *t, struct kcf_job *job);
/* KCF_OP_ENCRYPT and KCF_OP_DECRYPT of a row that signs too. */
enum kcf_status openssl_rsa_crypt(struct openssl_tmpl *t, struct kcf_job *job);

/* Writes a result or says how long it would be. */
enum kcf_status openssl_job_put(struct kcf_job *job, const uint8_t *from, size_t len);

static inline enum kcf_status openssl_too_small(struct kcf_job *job, size_t required)
{
	job->out_len = required;
	return KCF_BUFFER_TOO_SMALL;
}

#endif
