/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cmd-sign - `kcf sign` and `kcf verify`. Mechanisms that hash are one context, for files of any
 * size; those that take a hash or the whole message at once (RSA, ECDSA, EdDSA) are one request.
 * One thread.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "context.h"
#include "kcf.h"
#include "tool.h"

#define SINGLE_MAX      (1024u * 1024 * 1024)
#define SINGLE_MAX_KCFD (16u * 1024 * 1024)
#define SIGNATURE_MAX   16384u

static const struct args_usage sign_usage = {
	.synopsis = "sign MECHANISM KEY-OPTION [-o SIGNATURE] [FILE]",
	.text = "Sign a file (or standard input) with a private key.\n\n"
		"  kcf sign rsa-sha256 --key-file PRIVATE.pem -o FILE.sig FILE\n"
		"      same as: openssl dgst -sha256 -sign PRIVATE.pem -out FILE.sig FILE\n"
		"  kcf sign ecdsa-sha256 --key NAME -o FILE.sig FILE\n"
		"  kcf sign ed25519 --key-file PRIVATE.pem -o FILE.sig FILE\n"
		"  kcf sign rsa-pss-sha256 --key NAME --salt-length 32 -o FILE.sig FILE\n\n"
		"ecdsa and rsa without a hash name sign a file that holds a hash (DigestInfo), as\n"
		"openssl pkeyutl does. EdDSA reads the whole file into memory.\n",
	.groups = ARGS_COMMON | ARGS_RUN | ARGS_KEY | ARGS_OUTPUT | ARGS_SIGN,
	.min_words = 1,
	.max_words = 2,
};

static const struct args_usage verify_usage = {
	.synopsis = "verify MECHANISM KEY-OPTION --signature FILE [FILE]",
	.text = "Check a file's signature; exit code 0 if it is right, 1 if it is not. The key is "
		"a\n"
		"public key, or a private key whose public half is used.\n\n"
		"  kcf verify rsa-sha256 --key-file PUBLIC.pem --signature FILE.sig FILE\n"
		"  kcf verify ecdsa-sha256 --key NAME -s FILE.sig FILE\n",
	.groups = ARGS_COMMON | ARGS_RUN | ARGS_KEY | ARGS_SIGN | ARGS_VERIFY,
	.min_words = 1,
	.max_words = 2,
};

struct signing {
	struct session s;
	bool verify;
	unsigned char *signature;
	size_t signature_len;
	union {
		struct kcf_param_sign sign;
		struct kcf_param_rsa_pss pss;
	} param;
	struct kcf_mechanism mech;
};

static int salt_length(struct signing *g, int32_t *ret)
{
	const char *text = g->s.args.salt;
	unsigned long long n;

	*ret = g->verify ? KCF_SALT_AUTO : KCF_SALT_DIGEST;
	if (!text || !strcmp(text, "any"))
		return TOOL_OK;
	if (!strcmp(text, "digest"))
		*ret = KCF_SALT_DIGEST;
	else if (!strcmp(text, "max") || !strcmp(text, "auto"))
		*ret = KCF_SALT_AUTO;
	else if (tool_number(text, 1024, &n))
		*ret = (int32_t)n;
	else {
		tool_error("--salt-length %s: a number, 'digest' or 'max' is needed", text);
		return TOOL_USAGE;
	}
	return TOOL_OK;
}

static int fill_param(struct signing *g)
{
	g->mech.number = g->s.mech.info.number;
	if (g->s.mech.info.param_kind == KCF_PARAM_RSA_PSS) {
		g->mech.param = &g->param.pss;
		g->mech.param_len = sizeof(g->param.pss);
		return salt_length(g, &g->param.pss.salt_len);
	}
	/* EdDSA has one encoding; the others default to what the openssl command writes. */
	if (g->s.mech.info.param_kind == KCF_PARAM_SIGN && g->mech.number != KCF_M_EDDSA &&
	    !g->s.args.raw) {
		g->param.sign.flags = KCF_SIG_DER;
		g->mech.param = &g->param.sign;
		g->mech.param_len = sizeof(g->param.sign);
	}
	return TOOL_OK;
}

static bool is_single(kcf_mech_t number)
{
	return number == KCF_M_EDDSA || number == KCF_M_RSA_PKCS || number == KCF_M_RSA_PKCS_PSS ||
	       number == KCF_M_ECDSA || number == KCF_M_DSA;
}

/* The whole file as one request. */
static int run_single(struct signing *g, const char *path, struct context_output *ret)
{
	struct session *s = &g->s;
	struct kcf_data out = kcf_flat(ret->bytes, sizeof(ret->bytes));
	struct kcf_data sig = kcf_flat(g->signature, g->signature_len);
	struct kcf_data in;
	struct kcf_call_req req;
	unsigned char *buf;
	size_t len;
	double started = tool_now();
	int code = session_read_file(path, session_in_kcfd(s) ? SINGLE_MAX_KCFD : SINGLE_MAX, &buf,
				     &len);

	ret->status = KCF_FAILED;
	if (code != TOOL_OK)
		return code;
	in = kcf_flat(buf, len);
	if (g->verify)
		ret->status = kcf_verify(s->client, &g->mech, &s->key.key, &in, &sig,
					 session_req(s, &req));
	else
		ret->status =
			kcf_sign(s->client, &g->mech, &s->key.key, &in, &out, session_req(s, &req));
	ret->len = out.used;
	ret->seconds = tool_now() - started;
	ret->done = (struct stream_result){ret->status, 1, len, out.used};
	explicit_bzero(buf, len);
	free(buf);
	if (ret->status == KCF_SUCCESS || ret->status == KCF_SIGNATURE_INVALID)
		return ret->status == KCF_SUCCESS ? TOOL_OK : TOOL_FAILED;
	return tool_fail(ret->status, "%s: %s", s->command, path);
}

static int run(struct signing *g, const char *path, struct context_output *ret)
{
	struct kcf_how how = {.op = g->verify ? KCF_OP_VERIFY : KCF_OP_SIGN,
			      .mech = &g->mech,
			      .key = &g->s.key.key};
	struct kcf_data sig = kcf_flat(g->signature, g->signature_len);

	if (is_single(g->mech.number))
		return run_single(g, path, ret);
	return context_run(&g->s, path, &how, g->verify ? &sig : NULL, ret);
}

static int write_signature(struct signing *g, const struct context_output *out)
{
	struct sink sink;
	int code = sink_open(&sink, g->s.args.output, 0666);

	if (code == TOOL_OK)
		code = sink_write(&sink, out->bytes, out->len);
	if (code == TOOL_OK)
		code = sink_commit(&sink);
	sink_close(&sink);
	return code;
}

static int process(struct signing *g)
{
	const char *path = g->s.args.n_words > 1 ? g->s.args.words[1] : "-";
	struct context_output out;
	int code = run(g, path, &out);
	bool wrong = out.status == KCF_SIGNATURE_INVALID;

	if (code == TOOL_OK && !g->verify)
		code = write_signature(g, &out);
	if (code == TOOL_OK || wrong)
		session_note(&g->s, path, &out.done, out.seconds, g->verify ? "result" : NULL,
			     wrong ? "bad" : "ok");
	if (g->verify && !g->s.files && (code == TOOL_OK || wrong))
		printf("%s: %s\n", path, wrong ? "signature does not match" : "OK");
	return code;
}

static int prepare(struct signing *g)
{
	int code = session_mech(&g->s, g->verify ? KCF_CLASS_VERIFY : KCF_CLASS_SIGN);

	if (code == TOOL_OK)
		code = session_key(&g->s, g->verify ? KEY_PUBLIC : KEY_PRIVATE);
	if (code == TOOL_OK)
		code = fill_param(g);
	if (code != TOOL_OK || !g->verify)
		return code;
	if (!g->s.args.signature) {
		tool_error("no signature given; name its file with --signature");
		return TOOL_USAGE;
	}
	return session_read_file(g->s.args.signature, SIGNATURE_MAX, &g->signature,
				 &g->signature_len);
}

static int sign_command(int argc, char **argv, const struct args_usage *usage, bool verify)
{
	struct signing g = {.verify = verify};
	int code;

	if (!session_open(&g.s, verify ? "verify" : "sign", argc, argv, usage, &code))
		return code;
	g.s.data_on_stdout = !verify && (!g.s.args.output || !strcmp(g.s.args.output, "-"));
	code = prepare(&g);
	if (code == TOOL_OK)
		code = process(&g);
	free(g.signature);
	return session_close(&g.s, code);
}

int cmd_sign(int argc, char **argv)
{
	return sign_command(argc, argv, &sign_usage, false);
}

int cmd_verify(int argc, char **argv)
{
	return sign_command(argc, argv, &verify_usage, true);
}
