/* SPDX-License-Identifier: Apache-2.0 */
/*
 * openssl-calls: runs one operation of the openssl provider in every way it can be asked for -
 * whole, in pieces, in place, in several parts - and checks that all give the same. One thread.
 */
#ifndef KCF_OPENSSL_CALLS_H
#define KCF_OPENSSL_CALLS_H

#include "../fake-host.h"

#define N(a)     (sizeof(a) / sizeof((a)[0]))
#define DATA_MAX 1100

/* A mechanism and what EVP calls it. */
struct row_case {
	const char *name;
	const char *evp;
	const char *sub; /* MAC: its digest or cipher */
	unsigned key_len, iv_len, block;
	bool padded;
};

struct call {
	const struct fake_template *t;
	enum kcf_op op;
	const void *param;
	const uint8_t *in;
	size_t in_len;
	uint8_t *out;
	size_t room;
	const uint8_t *check;
	size_t check_len;
	size_t out_len; /* result */
};

#define N_LENGTHS 25
extern const size_t lengths[N_LENGTHS];
extern struct fake_host fake;

/* Fixture: the module under a fake host; at the end libcrypto's error queue must be empty. */
void calls_setup(void);
void calls_teardown(void);

void fill(uint8_t *bytes, size_t len, unsigned seed);
/* Even number of hex digits to bytes; the count. */
size_t unhex(const char *hex, uint8_t *ret);

struct fake_template template_format(const char *name, enum kcf_key_format format, const void *key,
				     size_t len);
/* Raw key; NULL for keyless rows. */
struct fake_template template_of(const char *name, const void *key, size_t len);
/* With the key fill(key, len, 1). */
struct fake_template template_case(const struct row_case *c);
/* The status of making a template that must not come to be. */
enum kcf_status template_status(const char *name, enum kcf_key_format format, const void *key,
				size_t len);

/* One single-part job; in and out cut into pieces. */
enum kcf_status run_cut(struct call *c, size_t in_piece, size_t out_piece);
enum kcf_status run(struct call *c);
/* As a context, in updates of piece bytes; with a too-small attempt before every step. */
enum kcf_status run_parts(struct call *c, size_t piece, bool data_in_final);

void ck_bytes(const struct row_case *c, const char *how, const uint8_t *got, size_t got_len,
	      const uint8_t *expect, size_t len);
/* Every way a call that puts data out can be made; all must give expect. */
void all_ways(const struct row_case *rc, struct call *c, const uint8_t *expect, size_t expect_len,
	      bool multi);
/* In-place updates, where what a context carries shifts output against input. */
void in_place_parts(const struct row_case *rc, struct call *c, const uint8_t *expect,
		    size_t expect_len);

#endif
