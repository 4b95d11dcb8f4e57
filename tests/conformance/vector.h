/* SPDX-License-Identifier: Apache-2.0 */
/*
 * vector: one published test vector in the words of kcf, whatever file it came from.
 *
 * Parsers fill sets; doors run what is in them. Everything a vector points to belongs to its set
 * and dies with it. Nothing here is shared between threads.
 */
#ifndef CONFORMANCE_VECTOR_H
#define CONFORMANCE_VECTOR_H

#include <stdbool.h>
#include <kcf/types.h>

struct bytes {
	uint8_t *at;
	size_t len;
};

enum verdict {
	MUST_PASS,
	MUST_FAIL, /* the published answer is "invalid" */
	MAY_PASS,  /* acceptable either way */
};

union vector_param {
	struct kcf_param_iv iv;
	struct kcf_param_aead aead;
	struct kcf_param_mac mac;
	struct kcf_param_digest digest;
	struct kcf_param_rsa_pss pss;
	struct kcf_param_rsa_oaep oaep;
	struct kcf_param_sign sign;
	struct kcf_param_ecdh ecdh;
	struct kcf_param_hkdf hkdf;
	struct kcf_param_pbkdf2 pbkdf2;
	struct kcf_param_kbkdf kbkdf;
	struct kcf_param_scrypt scrypt;
};

struct vector {
	const char *file; /* where it was published, to name it in messages */
	unsigned line;
	const char *mech; /* PKCS#11 or KCF_ name */
	enum kcf_op op;
	enum kcf_key_format key_format;
	bool has_key;
	struct bytes key;
	enum kcf_param_kind kind; /* KCF_PARAM_NONE: no parameter is given */
	union vector_param param;
	struct bytes in;
	struct bytes out;   /* expected output; for random results only its length counts */
	struct bytes check; /* MAC or signature to verify */
	enum verdict verdict;
	bool no_answer; /* out tells the room only: whatever comes out is wrong */
	/* Set where the true output is random: the operation that must undo or accept it. Its input
	 * (decrypt) or check (verify) is taken from this one's output. */
	const struct vector *undo;
	unsigned id; /* position in the set; several operations of one published vector share it */
};

/* What became of a published vector, the worst last. */
enum answer { NOT_RUN, SKIPPED, RIGHT, WRONG };

struct set {
	const char *file;
	struct vector **vectors;
	size_t n, room;
	unsigned n_ids;     /* published vectors */
	unsigned n_skipped; /* published, but not expressible: bit lengths, other curves */
	uint8_t *worst;     /* enum answer by id, over all doors; NULL if nobody asks */
	struct chunk *chunks;
};

void set_init(struct set *set, const char *file);
void set_deinit(struct set *set);
/* Zeroed memory that lives as long as the set. Ends the program if there is none. */
void *set_alloc(struct set *set, size_t len);
struct bytes set_copy(struct set *set, const void *at, size_t len);
/* A new published vector. */
struct vector *set_add(struct set *set, unsigned line, const char *mech, enum kcf_op op);
/* Another operation of the vector added last: a copy to change. */
struct vector *set_add_twin(struct set *set, enum kcf_op op);
/* A vector that is only referred to. */
struct vector *set_aside(struct set *set, const struct vector *from, enum kcf_op op);

/* Hex, an odd digit count read as if a 0 came first; anything else ends the program. */
struct bytes set_hex(struct set *set, const char *text);
void vector_key(struct vector *v, struct bytes key, enum kcf_key_format format);
void vector_iv(struct vector *v, struct bytes iv);
void vector_aead(struct vector *v, struct bytes iv, struct bytes aad, size_t tag_len);

/* Class bits under which an operation may be offered. */
uint32_t op_classes(enum kcf_op op);
/* Bytes of output the operation is expected to give; room for it. */
size_t vector_room(const struct vector *v);
/* Number of a fixed digest by any of the spellings in vector files (SHA-256, SHA256, sha256,
 * SHA2-256, SHA512/256); 0 if none. */
kcf_mech_t digest_by_name(const char *name);
/* Name of a fixed mechanism, NULL if the number has none. */
const char *mech_name(kcf_mech_t number);

_Noreturn void die(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

#endif
