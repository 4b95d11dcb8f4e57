/* SPDX-License-Identifier: Apache-2.0 */
/* cmd-random - `kcf random`: bytes from the provider's DRBG. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kcf.h"
#include "session.h"
#include "tool.h"

#define PIECE 65536u

static const struct args_usage usage = {
	.synopsis = "random BYTES [-o FILE]",
	.text = "Write random bytes (SP 800-90A), BYTES with an optional suffix K, M or G.\n\n"
		"  kcf random --hex 16\n"
		"  kcf random 32 -o key\n",
	.groups = ARGS_COMMON | ARGS_OUTPUT | ARGS_HEX,
	.min_words = 1,
	.max_words = 1,
};

static int write_piece(struct session *s, struct sink *sink, const unsigned char *buf, size_t len)
{
	static char text[2 * PIECE + 1];
	int code;

	if (!s->args.hex)
		return sink_write(sink, buf, len);
	tool_hex(buf, len, text);
	code = sink_write(sink, text, 2 * len);
	explicit_bzero(text, 2 * len);
	return code;
}

static int generate(struct session *s, struct sink *sink, unsigned long long n,
		    struct stream_result *done)
{
	static unsigned char buf[PIECE];
	int code = TOOL_OK;

	while (n && code == TOOL_OK) {
		struct kcf_data out = kcf_flat(buf, n < PIECE ? (size_t)n : PIECE);
		enum kcf_status status = kcf_random(s->client, &out, NULL);

		if (status != KCF_SUCCESS)
			return tool_fail(status, "random bytes");
		n -= out.len;
		done->pieces++;
		done->bytes_out += out.len;
		code = write_piece(s, sink, buf, out.len);
	}
	explicit_bzero(buf, sizeof(buf));
	if (code == TOOL_OK && s->args.hex)
		code = sink_write(sink, "\n", 1);
	return code;
}

int cmd_random(int argc, char **argv)
{
	struct session s;
	struct sink sink;
	struct stream_result done = {0};
	unsigned long long n;
	double started = tool_now();
	int code;

	if (!session_open(&s, "random", argc, argv, &usage, &code))
		return code;
	s.data_on_stdout = !s.args.output || !strcmp(s.args.output, "-");
	snprintf(s.mech.info.name, sizeof(s.mech.info.name), "KCF_RANDOM");
	if (!tool_number(s.args.words[0], 1ull << 50, &n)) {
		tool_error("%s: not a number of bytes", s.args.words[0]);
		return session_close(&s, TOOL_USAGE);
	}
	/* Most random files become keys: nobody else may read them. */
	code = sink_open(&sink, s.args.output, 0600);
	if (code == TOOL_OK)
		code = generate(&s, &sink, n, &done);
	if (code == TOOL_OK)
		code = sink_commit(&sink);
	sink_close(&sink);
	if (code == TOOL_OK)
		session_note(&s, s.args.output ? s.args.output : "-", &done, tool_now() - started,
			     NULL, NULL);
	return session_close(&s, code);
}
