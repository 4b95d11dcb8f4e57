/* SPDX-License-Identifier: Apache-2.0 */
/*
 * key-file - a key's bytes from a file: PEM (PRIVATE KEY, PUBLIC KEY), DER of the same, or raw.
 *
 * The file must belong to root or this user and be closed to others. Everything read stays in
 * secret memory. Any thread.
 */
#pragma once

#include <kcf/client.h>
#include <kcf/provider.h>

#define KEY_FILE_MAX 65536u

/* *ret_buf: what ret->bytes points into, to be freed by secret_free. err: what, why, what to do. */
enum kcf_status key_file_read(const char *path, uint8_t **ret_buf, struct kcf_key_data *ret,
			      char *err, size_t err_len);
/* The mechanism of class keygen whose providers know keys of this type (for KCF_OP_PUBLIC); 0:
 * unknown. */
uint32_t key_public_mech(const struct kcf_key_data *key);
