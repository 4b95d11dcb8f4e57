/* SPDX-License-Identifier: Apache-2.0 */
/* args - see args.h. */
#include "args.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "kcf-config.h"
#include "tool.h"

#define DEFAULT_SEGMENT (256u * 1024)
#define MIN_SEGMENT     4096u
#define MAX_SEGMENT     (8u * 1024 * 1024)
#define DEFAULT_DEPTH   8u
#define MAX_DEPTH       64u

struct option_row {
	const char *name;
	char letter; /* or 0 */
	unsigned groups;
	size_t offset;     /* in struct args */
	const char *value; /* name of its value; NULL: a flag */
	const char *text;
};

#define ROW(name, letter, groups, field, value, text)                                              \
	{                                                                                          \
		name, letter, groups, offsetof(struct args, field), value, text                    \
	}

static const struct option_row rows[] = {
	ROW("key", 0, ARGS_KEY, key_name, "NAME",
	    "key named NAME in kcfd's configuration; its bytes never leave kcfd"),
	ROW("key-file", 0, ARGS_KEY, key_file, "FILE",
	    "key in a file: raw bytes, or PKCS#8 / SubjectPublicKeyInfo as DER or PEM"),
	ROW("key-hex", 0, ARGS_KEY, key_hex, "HEX",
	    "raw key as hex (other users can read it in the list of processes)"),
	ROW("iv", 0, ARGS_IV, iv, "HEX", "IV, nonce, counter block or tweak"),
	ROW("aad", 0, ARGS_CIPHER, aad, "HEX",
	    "AEAD: data that is authenticated, not encrypted; RSA-OAEP: label"),
	ROW("raw", 0, ARGS_CIPHER, raw, NULL,
	    "AEAD: one request, output is ciphertext then tag (needs --iv); see Formats"),
	ROW("no-pad", 0, ARGS_CIPHER, no_pad, NULL, "CBC: no padding; input is whole blocks"),
	ROW("oaep-hash", 0, ARGS_CIPHER, oaep_hash, "DIGEST", "RSA-OAEP: the digest (SHA1)"),
	ROW("raw", 0, ARGS_SIGN, raw, NULL, "ECDSA, DSA: signature as r||s instead of DER"),
	ROW("salt-length", 0, ARGS_SIGN, salt, "N",
	    "RSA-PSS: salt bytes, or 'digest' (default) or 'max'; verify: any"),
	ROW("signature", 's', ARGS_VERIFY, signature, "FILE", "the signature to check"),
	ROW("verify", 0, ARGS_MAC, check, "HEX",
	    "compare the MAC with this one instead of printing it"),
	ROW("length", 0, ARGS_MAC | ARGS_XOF, length_text, "N",
	    "bytes of output (MAC: leftmost; XOF: any length)"),
	ROW("hex", 0, ARGS_HEX, hex, NULL, "print hex instead of bytes"),
	ROW("pem", 0, ARGS_FORM, pem, NULL, "write PEM (default)"),
	ROW("der", 0, ARGS_FORM, der, NULL, "write DER"),
	ROW("output", 'o', ARGS_OUTPUT, output, "FILE",
	    "write here: under another name first, renamed when all is well"),
	ROW("async", 0, ARGS_RUN, async, NULL,
	    "through kcfd: segments in shared memory, several in flight"),
	ROW("depth", 0, ARGS_RUN, depth_text, "N", "segments in flight with --async (8)"),
	ROW("segment", 0, ARGS_RUN, segment_text, "SIZE",
	    "bytes of a segment, suffix K or M (256K; sealed files 64K)"),
	ROW("provider", 0, ARGS_RUN, provider, "NAME", "use only this provider"),
	ROW("socket", 0, ARGS_COMMON, socket, "PATH",
	    "kcfd's socket (else KCF_SOCKET, " KCF_SOCKET_PATH ")"),
	ROW("no-daemon", 0, ARGS_COMMON, no_daemon, NULL, "do not connect to kcfd at all"),
	ROW("modules", 0, ARGS_COMMON, modules, "DIR", "provider modules for work without kcfd"),
	ROW("json", 0, ARGS_COMMON, json, NULL, "print what was done as JSON"),
	ROW("quiet", 'q', ARGS_COMMON, quiet, NULL, "no progress bar"),
};

#define N_ROWS   (sizeof(rows) / sizeof(rows[0]))
#define OPT_BASE 256

static void print_help(const struct args_usage *u)
{
	printf("Usage: kcf %s\n\n%s\nOptions:\n", u->synopsis, u->text);
	for (size_t i = 0; i < N_ROWS; i++) {
		char left[48];

		if (!(rows[i].groups & u->groups))
			continue;
		snprintf(left, sizeof(left), "%s%c%s--%s%s%s", rows[i].letter ? "-" : "",
			 rows[i].letter ? rows[i].letter : ' ', rows[i].letter ? ", " : "   ",
			 rows[i].name, rows[i].value ? " " : "",
			 rows[i].value ? rows[i].value : "");
		printf("  %-24s %s\n", left, rows[i].text);
	}
	printf("  %-24s %s\n", "-h, --help", "this text");
}

static void unknown_option(const char *word, unsigned groups)
{
	const char *near = NULL;
	unsigned best = 255;

	for (size_t i = 0; i < N_ROWS; i++) {
		if ((rows[i].groups & groups) &&
		    tool_is_nearer(word + strspn(word, "-"), rows[i].name, &best))
			near = rows[i].name;
	}
	tool_error("unknown option %s", word);
	if (near)
		tool_hint("did you mean --%s?", near);
}

static void store(struct args *a, const struct option_row *row, const char *value)
{
	char *field = (char *)a + row->offset;

	if (row->value)
		*(const char **)field = value;
	else
		*(bool *)field = true;
}

/* The getopt tables of the rows these groups permit. */
static void make_tables(unsigned groups, struct option *longs, char *letters)
{
	size_t n = 0;

	*letters++ = ':';
	*letters++ = 'h';
	for (size_t i = 0; i < N_ROWS; i++) {
		if (!(rows[i].groups & groups))
			continue;
		longs[n++] = (struct option){rows[i].name, rows[i].value != NULL, NULL,
					     OPT_BASE + (int)i};
		if (rows[i].letter) {
			*letters++ = rows[i].letter;
			if (rows[i].value)
				*letters++ = ':';
		}
	}
	longs[n++] = (struct option){"help", 0, NULL, 'h'};
	longs[n] = (struct option){NULL, 0, NULL, 0};
	*letters = 0;
}

static const struct option_row *row_of(int c, unsigned groups)
{
	if (c >= OPT_BASE)
		return &rows[c - OPT_BASE];
	for (size_t i = 0; i < N_ROWS; i++) {
		if (rows[i].letter == c && (rows[i].groups & groups))
			return &rows[i];
	}
	return NULL;
}

static bool number_option(const char *name, const char *text, unsigned long long min,
			  unsigned long long max, unsigned long long *ret)
{
	if (!text)
		return true;
	if (tool_number(text, max, ret) && *ret >= min)
		return true;
	tool_error("--%s %s: a number from %llu to %llu is needed", name, text, min, max);
	return false;
}

static bool check_values(struct args *a)
{
	unsigned long long segment = DEFAULT_SEGMENT, depth = DEFAULT_DEPTH, length = 0;

	if (!number_option("segment", a->segment_text, MIN_SEGMENT, MAX_SEGMENT, &segment) ||
	    !number_option("depth", a->depth_text, 1, MAX_DEPTH, &depth) ||
	    !number_option("length", a->length_text, 1, 65536, &length))
		return false;
	if (segment % MIN_SEGMENT) {
		tool_error("--segment %s: not a multiple of %u", a->segment_text, MIN_SEGMENT);
		return false;
	}
	if ((a->key_name != NULL) + (a->key_file != NULL) + (a->key_hex != NULL) > 1) {
		tool_error("--key, --key-file and --key-hex are alternatives");
		return false;
	}
	if (a->no_daemon && (a->async || a->key_name)) {
		tool_error("--async and --key need kcfd, --no-daemon forbids it");
		return false;
	}
	a->segment = segment;
	a->depth = (unsigned)depth;
	a->length = length;
	return true;
}

static bool check_words(const struct args *a, const struct args_usage *u)
{
	if (a->n_words < u->min_words)
		tool_error("something is missing; usage: kcf %s", u->synopsis);
	else if (u->max_words >= 0 && a->n_words > u->max_words)
		tool_error("one word too many: '%s'; usage: kcf %s", a->words[u->max_words],
			   u->synopsis);
	else
		return true;
	return false;
}

bool args_parse(struct args *a, int argc, char **argv, const struct args_usage *usage,
		int *ret_exit)
{
	struct option longs[N_ROWS + 2];
	char letters[2 * N_ROWS + 3];
	int c;

	memset(a, 0, sizeof(*a));
	make_tables(usage->groups, longs, letters);
	*ret_exit = TOOL_USAGE;
	optind = 0;
	opterr = 0;
	while ((c = getopt_long(argc, argv, letters, longs, NULL)) != -1) {
		const struct option_row *row;

		if (c == 'h') {
			print_help(usage);
			*ret_exit = TOOL_OK;
			return false;
		}
		if (c == ':') {
			tool_error("%s needs a value", argv[optind - 1]);
			return false;
		}
		row = c == '?' ? NULL : row_of(c, usage->groups);
		if (!row) {
			unknown_option(argv[optind - 1], usage->groups);
			return false;
		}
		store(a, row, optarg);
	}
	a->words = argv + optind;
	a->n_words = argc - optind;
	return check_words(a, usage) && check_values(a);
}
