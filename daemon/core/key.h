/* SPDX-License-Identifier: Apache-2.0 */
/*
 * key - bytes that never leave kcfd, named by a random handle or by a name of the configuration.
 *
 * A session key belongs to the connection that made it; a named key to the uids and gids its
 * section lists. Key bytes given with a request are a key too, without handle, for the life of
 * their template. Bytes are in secret memory and wiped with the last reference. Loop thread; bytes
 * are constant and may be read by a worker that holds a reference.
 */
#pragma once

#include "core/core.h"

#define KEY_BUCKETS 1024u
#define KEY_MAX     16384u       /* bytes */
#define KEY_NONCES  (1ull << 32) /* generated nonces per load of a key */

struct key {
	struct list link; /* of its bucket, or of named keys */
	struct kcf_key_handle handle;
	const void *owner;         /* session key: the connection */
	struct consumer *consumer; /* charged, or NULL */
	uint32_t refs;
	uint32_t usage; /* KCF_KEY_USE bits, 0 = all */
	bool by_handle; /* session or named: policy applies, generated nonces are possible */
	bool symmetric; /* made by kcfd as a secret key: there is no public half */
	bool pkcs1_decrypt, iv_generated;
	uint64_t nonces;
	enum kcf_key_format format;
	uint8_t *bytes; /* secret */
	size_t len;
	char *name; /* named keys */
	uid_t *uids;
	gid_t *gids;
	unsigned n_uids, n_gids;
};

struct keys {
	struct list buckets[KEY_BUCKETS]; /* session keys by handle */
	struct list named;
	uint32_t n_session;
};

void keys_init(struct core *core);
void keys_deinit(struct core *core);
/* Bytes of a request: no handle, no charge. */
enum kcf_status key_new_bytes(const struct kcf_key_data *data, struct key **ret);
struct key *key_ref(struct key *k);
void key_unref(struct key *k);
/* May k be used for op with this mechanism? KCF_KEY_FUNCTION_NOT_PERMITTED. use: the bits any of
 * which permits it. */
enum kcf_status key_permits(const struct key *k, uint32_t use, uint32_t mech, uint16_t op);
void keys_list(struct core *core, struct json *j);
