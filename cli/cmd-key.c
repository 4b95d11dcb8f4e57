/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cmd-key - `kcf key`: make secret keys, publish the public half of a private one, change between
 * PEM and DER, and see whether kcfd takes a key. One thread.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kcf.h"
#include "session.h"
#include "tool.h"

#define GROUPS (ARGS_COMMON | ARGS_KEY | ARGS_OUTPUT)

static const struct args_usage generate_usage = {
	.synopsis = "key generate BITS [-o FILE]",
	.text = "Make a secret key of BITS random bits, raw (mode 0600) or as hex. Private keys "
		"for\n"
		"signatures: openssl genpkey.\n",
	.groups = ARGS_COMMON | ARGS_OUTPUT | ARGS_HEX,
	.min_words = 1,
	.max_words = 1,
};

static const struct args_usage public_usage = {
	.synopsis = "key public KEY-OPTION [-o FILE]",
	.text = "Write the public half (SubjectPublicKeyInfo) of a private key, in a file or in "
		"kcfd.\n\n"
		"  kcf key public --key NAME -o PUBLIC.pem\n",
	.groups = GROUPS | ARGS_FORM,
	.min_words = 0,
	.max_words = 0,
};

static const struct args_usage convert_usage = {
	.synopsis = "key convert --key-file FILE [--pem | --der] [-o FILE]",
	.text = "Write a PKCS#8 or SubjectPublicKeyInfo key in the other form.\n",
	.groups = GROUPS | ARGS_FORM,
	.min_words = 0,
	.max_words = 0,
};

static const struct args_usage check_usage = {
	.synopsis = "key check KEY-OPTION",
	.text = "Hand the key to kcfd, as programs that work by handle do, and say whether kcfd "
		"takes it.\n"
		"It is forgotten at once.\n",
	.groups = GROUPS,
	.min_words = 0,
	.max_words = 0,
};

/* Key bytes under the output's name; private ones for their owner's eyes only. */
static int write_key(struct session *s, const unsigned char *der, size_t len,
		     enum kcf_key_format format)
{
	bool private = format == KCF_KEY_PKCS8;
	size_t room = 2 * len + 128;
	char *text = malloc(room);
	struct sink sink;
	int code = sink_open(&sink, s->args.output, private ? 0600 : 0666);

	if (!text)
		code = tool_fail(KCF_HOST_MEMORY, "key");
	if (code == TOOL_OK && s->args.der)
		code = sink_write(&sink, der, len);
	else if (code == TOOL_OK)
		code = sink_write(
			&sink, text,
			key_pem_encode(private ? "PRIVATE KEY" : "PUBLIC KEY", der, len, text));
	if (code == TOOL_OK)
		code = sink_commit(&sink);
	sink_close(&sink);
	if (text)
		explicit_bzero(text, room);
	free(text);
	return code;
}

static int run_generate(struct session *s)
{
	unsigned char bytes[64];
	struct kcf_data out = kcf_flat(bytes, 0);
	char text[2 * sizeof(bytes) + 2];
	unsigned long long bits;
	struct sink sink;
	enum kcf_status status;
	int code;

	if (!tool_number(s->args.words[0], 8 * sizeof(bytes), &bits) || bits % 8 || bits < 128) {
		tool_error("%s: 128 to %zu bits, a multiple of 8", s->args.words[0],
			   8 * sizeof(bytes));
		return TOOL_USAGE;
	}
	out.len = bits / 8;
	status = kcf_random(s->client, &out, NULL);
	if (status != KCF_SUCCESS)
		return tool_fail(status, "random bytes");
	tool_hex(bytes, out.len, text);
	strcat(text, "\n");
	code = sink_open(&sink, s->args.output, 0600);
	if (code == TOOL_OK)
		code = s->args.hex ? sink_write(&sink, text, 2 * out.len + 1)
				   : sink_write(&sink, bytes, out.len);
	if (code == TOOL_OK)
		code = sink_commit(&sink);
	sink_close(&sink);
	explicit_bzero(bytes, sizeof(bytes));
	explicit_bzero(text, sizeof(text));
	return code;
}

static int run_public(struct session *s)
{
	unsigned char der[KEY_FILE_MAX];
	struct kcf_data out = kcf_flat(der, sizeof(der));
	enum kcf_status status;
	int code = session_key(s, KEY_PRIVATE);

	if (code != TOOL_OK)
		return code;
	status = kcf_key_export_public(s->client, &s->key.key, &out, NULL);
	if (status != KCF_SUCCESS)
		return tool_fail(status, "public half of the key");
	return write_key(s, der, out.used, KCF_KEY_SPKI);
}

static int run_convert(struct session *s)
{
	int code = session_key(s, KEY_PUBLIC);

	if (code != TOOL_OK)
		return code;
	if (s->key.key.kind != KCF_KEY_BYTES || s->key.key.format == KCF_KEY_RAW) {
		tool_error(
			"key convert needs --key-file with a PKCS#8 or SubjectPublicKeyInfo key");
		return TOOL_USAGE;
	}
	return write_key(s, s->key.key.bytes, s->key.key.len, s->key.key.format);
}

static int run_check(struct session *s)
{
	struct kcf_key handle;
	enum kcf_status status;
	int code = session_key(s, KEY_PUBLIC);

	if (code != TOOL_OK)
		return code;
	if (s->key.key.kind == KCF_KEY_NAMED) {
		unsigned char der[KEY_FILE_MAX];
		struct kcf_data out = kcf_flat(der, sizeof(der));

		status = kcf_key_export_public(s->client, &s->key.key, &out, NULL);
		/* A secret key has no public half: it is there all the same. */
		if (status == KCF_KEY_TYPE_INCONSISTENT)
			status = KCF_SUCCESS;
	} else {
		status = kcf_key_import(s->client, &s->key.key, 0, &handle, NULL);
		if (status == KCF_SUCCESS)
			status = kcf_key_destroy(s->client, &handle, NULL);
	}
	if (status != KCF_SUCCESS)
		return tool_fail(status, "key");
	printf("kcfd takes this key\n");
	return TOOL_OK;
}

static const struct {
	const char *name;
	const struct args_usage *usage;
	int (*run)(struct session *s);
} actions[] = {
	{"generate", &generate_usage, run_generate},
	{"public", &public_usage, run_public},
	{"convert", &convert_usage, run_convert},
	{"check", &check_usage, run_check},
};

#define N_ACTIONS (sizeof(actions) / sizeof(actions[0]))

static int unknown_action(const char *word)
{
	bool help = word && (!strcmp(word, "--help") || !strcmp(word, "-h"));
	const char *near = NULL;
	unsigned best = 255;

	for (size_t i = 0; i < N_ACTIONS; i++) {
		if (help)
			printf("Usage: kcf %s\n%s\n", actions[i].usage->synopsis,
			       actions[i].usage->text);
		else if (word && tool_is_nearer(word, actions[i].name, &best))
			near = actions[i].name;
	}
	if (help)
		return TOOL_OK;
	tool_error(word ? "kcf key has no action '%s'" : "kcf key: what? (%s)",
		   word ? word : "generate, public, convert, check");
	if (near)
		tool_hint("did you mean '%s'?", near);
	return TOOL_USAGE;
}

int cmd_key(int argc, char **argv)
{
	struct session s;
	int code;

	for (size_t i = 0; argc > 1 && i < N_ACTIONS; i++) {
		if (strcmp(argv[1], actions[i].name))
			continue;
		if (!session_open(&s, "key", argc - 1, argv + 1, actions[i].usage, &code))
			return code;
		s.data_on_stdout = true;
		return session_close(&s, actions[i].run(&s));
	}
	return unknown_action(argc > 1 ? argv[1] : NULL);
}
