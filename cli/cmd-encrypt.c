/* SPDX-License-Identifier: Apache-2.0 */
/* cmd-encrypt - `kcf encrypt` and `kcf decrypt`: options, files and the choice of crypt.h's ways.
 */
#include <stdlib.h>
#include <string.h>

#include "crypt.h"
#include "kcf.h"
#include "tool.h"

#define FORMATS                                                                                    \
	"Formats: AEAD mechanisms write and read sealed files: segments of 64 KiB, each with "     \
	"its\n"                                                                                    \
	"own tag, under a key derived for the file, so that files of any size stream and no\n"     \
	"unverified byte is ever written (kcf-file-format). With --raw an AEAD is one request "    \
	"of\n"                                                                                     \
	"ciphertext then tag. Other ciphers write bare ciphertext as the openssl command does; "   \
	"they\n"                                                                                   \
	"do not notice changes: add a MAC.\n"

#define GROUPS (ARGS_COMMON | ARGS_RUN | ARGS_KEY | ARGS_OUTPUT | ARGS_IV | ARGS_CIPHER)

static const struct args_usage encrypt_usage = {
	.synopsis = "encrypt MECHANISM KEY-OPTION [-o OUTPUT] [FILE]",
	.text = "Encrypt a file (or standard input).\n\n"
		"  kcf encrypt aes-256-gcm --key-file K -o FILE.sealed FILE\n"
		"  kcf encrypt aes-256-cbc --key-hex KEY --iv IV -o OUT FILE\n"
		"      same as: openssl enc -aes-256-cbc -K KEY -iv IV -in FILE -out OUT\n"
		"  kcf encrypt rsa-oaep --key-file PUBLIC.pem -o OUT SMALL-FILE\n\n" FORMATS,
	.groups = GROUPS,
	.min_words = 1,
	.max_words = 2,
};

static const struct args_usage decrypt_usage = {
	.synopsis = "decrypt MECHANISM KEY-OPTION [-o OUTPUT] [FILE]",
	.text = "Decrypt what kcf encrypt, or the openssl command, encrypted. An output file gets "
		"its\n"
		"name only when all of it was verified; on standard output a sealed file's "
		"segments\n"
		"appear as they are verified, and the exit code tells whether the end was "
		"reached.\n\n"
		"  kcf decrypt aes-256-gcm --key-file K -o FILE FILE.sealed\n\n" FORMATS,
	.groups = GROUPS,
	.min_words = 1,
	.max_words = 2,
};

/* openssl's CBC pads; PKCS#11's CKM_AES_CBC does not, CKM_AES_CBC_PAD does. */
static int choose_padding(struct crypt *c)
{
	struct mech_choice *m = &c->s.mech;
	unsigned key_bytes = m->key_bytes;
	int code = TOOL_OK;

	if (c->s.args.no_pad && m->info.number == KCF_M_AES_CBC_PAD)
		code = mech_choose(c->s.client, "CKM_AES_CBC", KCF_CLASS_CIPHER, m);
	else if (!c->s.args.no_pad && m->by_alias && m->info.number == KCF_M_AES_CBC)
		code = mech_choose(c->s.client, "CKM_AES_CBC_PAD", KCF_CLASS_CIPHER, m);
	m->key_bytes = key_bytes;
	return code;
}

static bool is_asymmetric(kcf_mech_t number)
{
	return number == KCF_M_RSA_PKCS || number == KCF_M_RSA_PKCS_OAEP;
}

static bool is_single(kcf_mech_t number)
{
	return is_asymmetric(number) || number == KCF_M_AES_KEY_WRAP ||
	       number == KCF_M_AES_KEY_WRAP_KWP || number == KCF_M_AES_XTS;
}

static int load_key(struct crypt *c)
{
	if (!is_asymmetric(c->s.mech.info.number))
		return session_key(&c->s, KEY_SECRET);
	return session_key(&c->s, c->decrypt ? KEY_PRIVATE : KEY_PUBLIC);
}

static int prepare(struct crypt *c)
{
	const struct args *a = &c->s.args;
	int code = session_mech(&c->s, KCF_CLASS_CIPHER | KCF_CLASS_AEAD);

	if (code == TOOL_OK)
		code = choose_padding(c);
	if (code == TOOL_OK)
		code = load_key(c);
	if (code == TOOL_OK)
		code = session_hex("--iv", a->iv, &c->iv, &c->iv_len);
	if (code == TOOL_OK)
		code = session_hex("--aad", a->aad, &c->aad, &c->aad_len);
	return code;
}

static int run(struct crypt *c)
{
	bool aead = c->s.mech.info.param_kind == KCF_PARAM_AEAD;

	if (aead && !c->s.args.raw)
		return crypt_sealed(c);
	if (aead || is_single(c->s.mech.info.number))
		return crypt_single(c);
	return crypt_stream(c);
}

static int process(struct crypt *c, const char *path)
{
	double started = tool_now();
	int code = source_open(&c->source, path);

	if (code != TOOL_OK)
		return code;
	code = sink_open(&c->sink, c->s.args.output, 0666);
	if (code == TOOL_OK) {
		progress_start(&c->progress, c->source.name, c->source.size, c->s.args.quiet);
		code = run(c);
		progress_end(&c->progress);
		if (code == TOOL_OK)
			code = sink_commit(&c->sink);
		sink_close(&c->sink);
	}
	source_close(&c->source);
	if (code == TOOL_OK)
		session_note(&c->s, path, &c->done, tool_now() - started, NULL, NULL);
	return code;
}

static int crypt_command(int argc, char **argv, const struct args_usage *usage, bool decrypt)
{
	struct crypt c = {.decrypt = decrypt};
	int code;

	if (!session_open(&c.s, decrypt ? "decrypt" : "encrypt", argc, argv, usage, &code))
		return code;
	c.s.data_on_stdout = !c.s.args.output || !strcmp(c.s.args.output, "-");
	code = prepare(&c);
	if (code == TOOL_OK)
		code = process(&c, c.s.args.n_words > 1 ? c.s.args.words[1] : "-");
	free(c.iv);
	free(c.aad);
	return session_close(&c.s, code);
}

int cmd_encrypt(int argc, char **argv)
{
	return crypt_command(argc, argv, &encrypt_usage, false);
}

int cmd_decrypt(int argc, char **argv)
{
	return crypt_command(argc, argv, &decrypt_usage, true);
}
