/* SPDX-License-Identifier: Apache-2.0 */
/*
 * args - the options of kcf's commands: one table of all options, each in a group; a command names
 * the groups it takes, and its --help prints those. One thread.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

enum args_group {
	ARGS_COMMON = 0x01, /* connection, output form */
	ARGS_RUN = 0x02,    /* --async, --depth, --segment, --provider */
	ARGS_KEY = 0x04,
	ARGS_OUTPUT = 0x08,
	ARGS_MAC = 0x10,
	ARGS_CIPHER = 0x20,
	ARGS_SIGN = 0x40,
	ARGS_VERIFY = 0x80,
	ARGS_IV = 0x100,
	ARGS_HEX = 0x200,
	ARGS_FORM = 0x400, /* --pem, --der */
	ARGS_XOF = 0x800,
};

struct args {
	const char *socket, *modules, *provider;
	const char *key_name, *key_file, *key_hex;
	const char *output, *iv, *aad, *check, *signature, *salt, *segment_text, *depth_text,
		*length_text, *oaep_hash;
	bool async, no_daemon, json, quiet, no_pad, raw, hex, der, pem;
	size_t segment; /* bytes of one piece of the stream */
	unsigned depth; /* pieces in flight with --async */
	size_t length;  /* of a MAC or XOF output; 0 = the mechanism's own */
	char **words;   /* positional */
	int n_words;
};

struct args_usage {
	const char *synopsis; /* after "kcf " */
	const char *text;     /* what it does, examples */
	unsigned groups;
	int min_words, max_words; /* positional words; max -1 = any number */
};

/* Parse. Returns true; or false with *ret_exit set, after --help or a usage error was printed. */
bool args_parse(struct args *a, int argc, char **argv, const struct args_usage *usage,
		int *ret_exit);
