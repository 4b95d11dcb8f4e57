/* SPDX-License-Identifier: Apache-2.0 */
/*
 * direct-calls - calls of the half in the caller's thread, over kcf-openssl and kcf-nettle of the
 * build tree.
 */
#pragma once

#include "direct-world.h"
#include "test-main.h"

enum { OPENSSL = 0, NETTLE = 1 };

extern struct world w;
extern const struct kcf_mechanism sha256;
extern const uint8_t abc_digest[32];
extern uint8_t key_bytes[32];
extern uint8_t iv[12];

struct result {
	enum direct_verdict verdict;
	enum kcf_status status;
};

#define ck_done(r, s)                                                                              \
	do {                                                                                       \
		struct result r_ = (r);                                                            \
		ck_assert_int_eq(r_.verdict, DIRECT_DONE);                                         \
		ck_assert_str_eq(kcf_status_name(r_.status), #s);                                  \
	} while (0)
#define ck_send(r) ck_assert_int_eq((r).verdict, DIRECT_SEND)

/* Check fixtures. */
void calls_setup(void);
void calls_teardown(void);

struct result call_of(struct op_call *call);
struct result digest(const void *in, size_t len, uint8_t out[32], struct kcf_call_req *req);
struct result gcm(enum kcf_op op, const struct kcf_key *key, struct kcf_data *in,
		  struct kcf_data *out, struct kcf_call_req *req);
/* With key bytes; fails the test if that is refused. */
struct kcf_template *template(kcf_mech_t mech, const void *bytes, size_t len);
