/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cmd-digest - `kcf digest`: one context per file, updates in order. With --async the context is in
 * kcfd and its updates come from the arena, several in flight.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "context.h"
#include "kcf.h"
#include "session.h"
#include "tool.h"

static const struct args_usage usage = {
	.synopsis = "digest MECHANISM [FILE]...",
	.text = "Hash files (or standard input) and print the digests as sha256sum does.\n\n"
		"  kcf digest sha256 FILE          same as: openssl dgst -r -sha256 FILE\n"
		"  kcf digest --async sha3-512 FILE\n"
		"  kcf digest --length 64 shake128 FILE\n",
	.groups = ARGS_COMMON | ARGS_RUN | ARGS_XOF,
	.min_words = 1,
	.max_words = -1,
};

static int digest_file(struct session *s, const char *path)
{
	struct kcf_param_digest param = {.out_len = s->args.length};
	struct kcf_mechanism mech = {.number = s->mech.info.number};
	struct kcf_how how = {.op = KCF_OP_DIGEST, .mech = &mech};
	struct context_output out;
	char text[2 * CONTEXT_OUTPUT_MAX + 1];
	int code;

	if (s->mech.info.param_kind == KCF_PARAM_DIGEST && param.out_len) {
		mech.param = &param;
		mech.param_len = sizeof(param);
	} else if (param.out_len) {
		tool_error("%s has a fixed length, --length cannot be used", s->mech.info.name);
		return TOOL_USAGE;
	}
	code = context_run(s, path, &how, NULL, &out);
	if (code != TOOL_OK)
		return code;
	tool_hex(out.bytes, out.len, text);
	if (s->files)
		session_note(s, path, &out.done, out.seconds, "digest", text);
	else
		printf("%s  %s\n", text, path);
	return TOOL_OK;
}

int cmd_digest(int argc, char **argv)
{
	struct session s;
	int code;

	if (!session_open(&s, "digest", argc, argv, &usage, &code))
		return code;
	code = session_mech(&s, KCF_CLASS_DIGEST);
	if (code == TOOL_OK && s.args.n_words == 1)
		code = digest_file(&s, "-");
	else if (code == TOOL_OK) {
		/* One bad file does not stop the others. */
		for (int i = 1; i < s.args.n_words; i++) {
			int one = digest_file(&s, s.args.words[i]);

			code = code ? code : one;
		}
	}
	return session_close(&s, code);
}
