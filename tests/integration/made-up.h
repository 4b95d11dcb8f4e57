/* SPDX-License-Identifier: Apache-2.0 */
/*
 * made-up - calls made up from a seed: any mechanism, keys, parameters and lengths near the edges;
 * most are wrong in some way.
 */
#pragma once

#include <kcf/client.h>
#include <stdbool.h>

#define ROOM 2048u

extern unsigned made_up_seed;

struct call {
	enum kcf_op op;
	const struct kcf_mech_name *name;
	struct kcf_mechanism mech, mech2;
	union {
		struct kcf_param_iv iv;
		struct kcf_param_aead aead;
		struct kcf_param_mac mac;
		struct kcf_param_digest digest;
		struct kcf_param_hkdf hkdf;
		struct kcf_param_kbkdf kbkdf;
		struct kcf_param_pbkdf2 pbkdf2;
		struct kcf_param_sign sign;
		struct kcf_param_ecdh ecdh;
	} param;
	struct kcf_key key, key2;
	size_t in_len, room, check_len, mac_room;
	bool has_in;
	uint8_t key_bytes[600];
	uint8_t in[ROOM];
};

/* Below n. */
unsigned any(unsigned n);
void make_up(struct call *c);
/* Data that the operation finds right, made by the operation it undoes: else decryption and checks
 * only ever fail. check has 64 bytes; returns how many. */
size_t make_right(struct kcf_client *client, struct call *c, uint8_t *check);
/* Classes of mechanisms that do an operation. */
uint32_t class_of(enum kcf_op op);
