/* SPDX-License-Identifier: Apache-2.0 */
/* session - see session.h. */
#include "session.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tool.h"

static int connect_client(struct session *s)
{
	const struct args *a = &s->args;
	struct kcf_client_options options = {.size = sizeof(options)};
	enum kcf_status status;

	options.socket = a->socket;
	options.label = "kcf";
	options.module_dir = a->modules;
	/* Work in this thread needs no daemon; with one it is seen in its statistics. */
	if (!a->async && !a->key_name)
		options.flags = KCF_CLIENT_STANDALONE;
	if (a->no_daemon)
		options.flags |= KCF_CLIENT_NO_DAEMON;
	status = kcf_client_open(&options, &s->client);
	if (status != KCF_NOT_FOUND)
		return status == KCF_SUCCESS ? TOOL_OK : tool_fail(status, "connecting to kcfd");
	tool_error("kcfd is not running, and there are no provider modules to work without it");
	tool_hint("start kcfd, or name the modules' directory with --modules");
	return TOOL_NO_DAEMON;
}

bool session_open(struct session *s, const char *command, int argc, char **argv,
		  const struct args_usage *usage, int *ret_exit)
{
	memset(s, 0, sizeof(*s));
	s->command = command;
	if (!args_parse(&s->args, argc, argv, usage, ret_exit))
		return false;
	*ret_exit = connect_client(s);
	if (*ret_exit != TOOL_OK)
		return false;
	if (s->args.json)
		s->files = json_array();
	return true;
}

int session_close(struct session *s, int code)
{
	if (s->files) {
		json_t *report = json_pack("{s:s, s:s, s:s, s:i, s:o}", "command", s->command,
					   "mechanism", s->mech.info.name, "place",
					   session_place(s), "exit", code, "files", s->files);

		/* A report among data on stdout would damage the data. */
		FILE *to = s->data_on_stdout ? stderr : stdout;

		json_dumpf(report, to, JSON_INDENT(2));
		fputc('\n', to);
		json_decref(report);
	}
	key_file_deinit(&s->key);
	kcf_client_close(s->client);
	return code;
}

int session_mech(struct session *s, unsigned classes)
{
	return mech_choose(s->client, s->args.words[0], classes, &s->mech);
}

int session_key(struct session *s, enum key_need need)
{
	int code = key_file_load(&s->key, &s->args, need);

	if (code == TOOL_OK && s->mech.key_bytes && s->key.key.kind == KCF_KEY_BYTES &&
	    s->key.key.format == KCF_KEY_RAW && s->key.key.len != s->mech.key_bytes) {
		tool_error("the key has %zu bytes, %s needs %u", s->key.key.len, s->args.words[0],
			   s->mech.key_bytes);
		return TOOL_FAILED;
	}
	return code;
}

bool session_in_kcfd(const struct session *s)
{
	return s->args.async || s->args.key_name || s->mech.info.place == KCF_PLACE_HARDWARE ||
	       s->mech.info.place == KCF_PLACE_KCFD;
}

const char *session_place(const struct session *s)
{
	return session_in_kcfd(s) ? "kcfd" : "caller";
}

struct stream_job session_job(const struct session *s, struct source *source, struct sink *sink,
			      struct progress *progress)
{
	struct stream_job job = {
		.client = s->client,
		.source = source,
		.sink = sink,
		.progress = progress,
		.provider = s->args.provider,
		.in_size = s->args.segment,
		.depth = s->args.depth,
		.async = s->args.async,
		.arena = s->args.key_name != NULL,
	};

	return job;
}

struct kcf_call_req *session_req(const struct session *s, struct kcf_call_req *req)
{
	return stream_sync_req(s->args.provider, req);
}

void session_note(struct session *s, const char *file, const struct stream_result *done,
		  double seconds, const char *key, const char *result)
{
	json_t *o;

	if (!s->files)
		return;
	o = json_pack("{s:s, s:I, s:I, s:I, s:f}", "file", file, "pieces", (json_int_t)done->pieces,
		      "bytes_in", (json_int_t)done->bytes_in, "bytes_out",
		      (json_int_t)done->bytes_out, "seconds", seconds);
	if (key)
		json_object_set_new(o, key, json_string(result));
	json_array_append_new(s->files, o);
}

int session_hex(const char *option, const char *text, unsigned char **ret, size_t *ret_len)
{
	size_t room = text ? strlen(text) / 2 + 1 : 0;
	long n;

	*ret = NULL;
	*ret_len = 0;
	if (!text)
		return TOOL_OK;
	*ret = malloc(room);
	n = *ret ? tool_unhex(text, *ret, room) : -1;
	if (n < 0) {
		tool_error("%s %s: not an even number of hex digits", option, text);
		free(*ret);
		*ret = NULL;
		return TOOL_USAGE;
	}
	*ret_len = (size_t)n;
	return TOOL_OK;
}

/* Twice the room; the old bytes, which may be secret, are wiped. */
static unsigned char *grow(unsigned char *buf, size_t len, size_t *room)
{
	unsigned char *more = malloc(*room * 2);

	if (more && buf)
		memcpy(more, buf, len);
	if (buf)
		explicit_bzero(buf, len);
	free(buf);
	*room *= 2;
	return more;
}

int session_read_small(struct source *source, size_t max, unsigned char **ret, size_t *ret_len)
{
	size_t room = 32768, len = 0;
	unsigned char *buf = NULL;

	while (!source->at_end && len <= max) {
		long n;

		buf = grow(buf, len, &room);
		n = buf ? source_read(source, buf + len, room - len) : -1;
		if (n < 0) {
			free(buf);
			return TOOL_FAILED;
		}
		len += (size_t)n;
	}
	if (len > max) {
		tool_error("%s is longer than the %zu bytes this mechanism takes at once",
			   source->name, max);
		explicit_bzero(buf, len);
		free(buf);
		return TOOL_FAILED;
	}
	*ret = buf;
	*ret_len = len;
	return TOOL_OK;
}

int session_read_file(const char *path, size_t max, unsigned char **ret, size_t *ret_len)
{
	struct source source;
	int code = source_open(&source, path);

	if (code != TOOL_OK)
		return code;
	code = session_read_small(&source, max, ret, ret_len);
	source_close(&source);
	return code;
}
