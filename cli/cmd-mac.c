/* SPDX-License-Identifier: Apache-2.0 */
/* cmd-mac - `kcf mac`: one context per file, like `kcf digest`. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "context.h"
#include "kcf.h"
#include "session.h"
#include "tool.h"

static const struct args_usage usage = {
	.synopsis = "mac MECHANISM KEY-OPTION [FILE]...",
	.text = "Compute message authentication codes, or check one with --verify.\n\n"
		"  kcf mac hmac-sha256 --key-hex 0011.. FILE\n"
		"      same as: openssl dgst -sha256 -mac HMAC -macopt hexkey:0011.. FILE\n"
		"  kcf mac aes-cmac --key NAME FILE\n"
		"  kcf mac hmac-sha256 --key-file K --verify HEX FILE\n",
	.groups = ARGS_COMMON | ARGS_RUN | ARGS_KEY | ARGS_MAC | ARGS_IV,
	.min_words = 1,
	.max_words = -1,
};

struct mac_work {
	struct session s;
	struct kcf_param_mac param;
	unsigned char *iv, *check;
	size_t check_len;
};

static int mac_file(struct mac_work *w, const char *path)
{
	struct session *s = &w->s;
	struct kcf_mechanism mech = {.number = s->mech.info.number};
	struct kcf_how how = {
		.op = w->check ? KCF_OP_MAC_VERIFY : KCF_OP_MAC, .mech = &mech, .key = &s->key.key};
	struct kcf_data check = kcf_flat(w->check, w->check_len);
	struct context_output out;
	char text[2 * CONTEXT_OUTPUT_MAX + 1];
	int code;

	if (w->param.mac_len || w->param.iv) {
		mech.param = &w->param;
		mech.param_len = sizeof(w->param);
	}
	code = context_run(s, path, &how, w->check ? &check : NULL, &out);
	if (out.status == KCF_INVALID_MAC) {
		session_note(s, path, &out.done, out.seconds, "result", "bad");
		if (!s->files)
			printf("%s: MAC does not match\n", path);
		return TOOL_FAILED;
	}
	if (code != TOOL_OK)
		return code;
	tool_hex(out.bytes, w->check ? 0 : out.len, text);
	if (s->files)
		session_note(s, path, &out.done, out.seconds, w->check ? "result" : "mac",
			     w->check ? "ok" : text);
	else if (w->check)
		printf("%s: OK\n", path);
	else
		printf("%s  %s\n", text, path);
	return TOOL_OK;
}

static int mac_files(struct mac_work *w)
{
	const struct args *a = &w->s.args;
	int code = TOOL_OK;

	if (a->n_words == 1)
		return mac_file(w, "-");
	if (w->check && a->n_words > 2) {
		tool_error("--verify compares one file");
		return TOOL_USAGE;
	}
	for (int i = 1; i < a->n_words; i++) {
		int one = mac_file(w, a->words[i]);

		code = code ? code : one;
	}
	return code;
}

int cmd_mac(int argc, char **argv)
{
	struct mac_work w = {0};
	int code;

	if (!session_open(&w.s, "mac", argc, argv, &usage, &code))
		return code;
	code = session_mech(&w.s, KCF_CLASS_MAC);
	if (code == TOOL_OK)
		code = session_key(&w.s, KEY_SECRET);
	if (code == TOOL_OK)
		code = session_hex("--iv", w.s.args.iv, &w.iv, &w.param.iv_len);
	if (code == TOOL_OK)
		code = session_hex("--verify", w.s.args.check, &w.check, &w.check_len);
	w.param.iv = w.iv;
	w.param.mac_len = w.s.args.length;
	if (code == TOOL_OK)
		code = mac_files(&w);
	free(w.iv);
	free(w.check);
	return session_close(&w.s, code);
}
