/* SPDX-License-Identifier: Apache-2.0 */
/*
 * key-file - keys from the command line and from files: raw, hex, DER, PEM. Key bytes live in one
 * locked buffer that is wiped by key_file_deinit. One thread.
 */
#pragma once

#include <kcf/client.h>
#include <stdbool.h>

#include "args.h"

#define KEY_FILE_MAX 16384u

struct key_file {
	struct kcf_key key; /* points into bytes, or to the name */
	unsigned char *bytes;
};

enum key_need {
	KEY_SECRET,  /* symmetric: raw bytes, whatever they look like */
	KEY_PRIVATE, /* PKCS#8, or a raw X or Ed key */
	KEY_PUBLIC,  /* SubjectPublicKeyInfo, or PKCS#8, of which the public half is used */
};

/* What the options name. Prints what is wrong; returns an exit code. */
int key_file_load(struct key_file *k, const struct args *a, enum key_need need);
void key_file_deinit(struct key_file *k);

/* Base64 body of a PEM text to DER, in place. Returns the length or -1; *ret_format is set from the
 * label. */
long key_pem_decode(char *text, size_t len, enum kcf_key_format *ret_format,
		    const char **ret_problem);
/* Writes PEM of label ("PUBLIC KEY"); returns the length, at most 2 * len + 128. */
size_t key_pem_encode(const char *label, const unsigned char *der, size_t len, char *text);
