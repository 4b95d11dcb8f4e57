/* SPDX-License-Identifier: Apache-2.0 */
/* tool - see tool.h. */
#include "tool.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "base/near.h"
#include "kcf-config.h"

#define NAME_MAX_LEN 64

static void say(const char *prefix, const char *format, va_list ap)
{
	fflush(stdout);
	fputs(prefix, stderr);
	vfprintf(stderr, format, ap);
	fputc('\n', stderr);
}

void tool_error(const char *format, ...)
{
	char prefix[NAME_MAX_LEN];
	va_list ap;

	snprintf(prefix, sizeof(prefix), "%s: ", program_invocation_short_name);
	va_start(ap, format);
	say(prefix, format, ap);
	va_end(ap);
}

void tool_hint(const char *format, ...)
{
	char prefix[NAME_MAX_LEN];
	va_list ap;

	snprintf(prefix, sizeof(prefix), "%*s", (int)strlen(program_invocation_short_name) + 2, "");
	va_start(ap, format);
	say(prefix, format, ap);
	va_end(ap);
}

int tool_exit_of(enum kcf_status status)
{
	switch (status) {
	case KCF_SUCCESS:
		return TOOL_OK;
	case KCF_NO_DAEMON:
		return TOOL_NO_DAEMON;
	case KCF_NOT_FOUND:
	case KCF_KEY_HANDLE_INVALID:
	case KCF_MECH_NOT_SUPPORTED:
	case KCF_MECHANISM_INVALID:
		return TOOL_NOT_FOUND;
	case KCF_PERMISSION_DENIED:
	case KCF_KEY_FUNCTION_NOT_PERMITTED:
		return TOOL_DENIED;
	default:
		return TOOL_FAILED;
	}
}

static const struct {
	enum kcf_status status;
	const char *hint;
} hints[] = {
	{KCF_NO_DAEMON, "start kcfd (systemctl start kcfd), or name its socket with --socket or "
			"KCF_SOCKET"},
	{KCF_PERMISSION_DENIED, "ask the administrator of kcfd for access"},
	{KCF_KEY_FUNCTION_NOT_PERMITTED,
	 "the key's section in kcfd's configuration lists its uses"},
	{KCF_KEY_HANDLE_INVALID,
	 "named keys are the [key NAME] sections of kcfd's configuration that "
	 "list your user"},
	{KCF_MECH_NOT_SUPPORTED, "see what is offered with: kcfadm list -m"},
	{KCF_KEY_SIZE_RANGE, "the key has a length this mechanism cannot use; kcfadm list -m shows "
			     "the lengths"},
	{KCF_KEY_TYPE_INCONSISTENT,
	 "the key file holds another type of key than the mechanism uses"},
	{KCF_MECHANISM_PARAM_INVALID, "check --iv, --length and the other parameters of the "
				      "mechanism"},
	{KCF_DATA_LEN_RANGE, "the mechanism needs another input length (whole blocks, or a hash)"},
	{KCF_ENCRYPTED_DATA_LEN_RANGE, "the input is not whole, or not made by this mechanism"},
	{KCF_INVALID_MAC, "wrong key or parameters, or the data was changed"},
	{KCF_SIGNATURE_INVALID, "wrong key or mechanism, or the data was changed"},
	{KCF_QUOTA_EXCEEDED, "limits are shown by: kcfadm list -p"},
	{KCF_BUFFER_TOO_BIG, "this mechanism takes its input in one piece; kcfadm list -p shows "
			     "max_request"},
	{KCF_VERSION_MISMATCH, "install the same version of kcfd and of this tool"},
};

int tool_fail(enum kcf_status status, const char *format, ...)
{
	char what[512];
	va_list ap;

	va_start(ap, format);
	vsnprintf(what, sizeof(what), format, ap);
	va_end(ap);
	tool_error("%s: %s", what, kcf_strstatus(status));
	for (size_t i = 0; i < sizeof(hints) / sizeof(hints[0]); i++) {
		if (hints[i].status == status)
			tool_hint("%s", hints[i].hint);
	}
	return tool_exit_of(status);
}

int tool_fail_errno(const char *verb, const char *path)
{
	int e = errno;

	tool_error("cannot %s %s: %s", verb, path, strerror(e));
	return e == EACCES || e == EPERM ? TOOL_DENIED : e == ENOENT ? TOOL_NOT_FOUND : TOOL_FAILED;
}

bool tool_is_nearer(const char *word, const char *candidate, unsigned *best)
{
	struct near near;

	near_init(&near, word);
	if (near.distance > *best)
		near.distance = *best;
	near_look(&near, candidate);
	*best = near.best ? near.distance : *best;
	return near.best;
}

static void print_help(const struct tool_command *commands, const char *intro, const char *outro)
{
	printf("%s\nCommands:\n", intro);
	for (const struct tool_command *c = commands; c->name; c++)
		printf("  %-11s %s\n", c->name, c->text);
	printf("\n%s", outro);
}

static int unknown_command(const char *word, const struct tool_command *commands)
{
	const char *near = NULL;
	unsigned best = 255;

	for (const struct tool_command *c = commands; c->name; c++) {
		if (tool_is_nearer(word, c->name, &best))
			near = c->name;
	}
	tool_error("no command '%s'", word);
	if (near)
		tool_hint("did you mean '%s'?", near);
	else
		tool_hint("see: %s --help", program_invocation_short_name);
	return TOOL_USAGE;
}

static int flush_stdout(int code)
{
	if (fflush(stdout) != 0 || ferror(stdout)) {
		tool_error("cannot write standard output: %s", strerror(errno));
		return code ? code : TOOL_FAILED;
	}
	return code;
}

/* Options before the command count as if they came after it; of those that have a value only
 * --socket is known here. */
static void put_command_first(int argc, char **argv)
{
	int n = 1;
	char *command;

	while (n < argc && !strncmp(argv[n], "--", 2))
		n += strcmp(argv[n], "--socket") ? 1 : 2;
	if (n >= argc)
		return;
	command = argv[n];
	memmove(argv + 2, argv + 1, (size_t)(n - 1) * sizeof(*argv));
	argv[1] = command;
}

int tool_main(int argc, char **argv, const struct tool_command *commands, const char *intro,
	      const char *outro)
{
	const char *word = argc > 1 ? argv[1] : NULL;

	if (!word) {
		tool_error("no command given");
		tool_hint("see: %s --help", program_invocation_short_name);
		return TOOL_USAGE;
	}
	if (!strcmp(word, "--help") || !strcmp(word, "-h") || !strcmp(word, "help")) {
		print_help(commands, intro, outro);
		return flush_stdout(TOOL_OK);
	}
	if (!strcmp(word, "--version")) {
		printf("%s %s\n", program_invocation_short_name, KCF_VERSION);
		return flush_stdout(TOOL_OK);
	}
	put_command_first(argc, argv);
	word = argv[1];
	for (const struct tool_command *c = commands; c->name; c++) {
		if (!strcmp(c->name, word))
			return flush_stdout(c->run(argc - 1, argv + 1));
	}
	return unknown_command(word, commands);
}

bool tool_number(const char *text, unsigned long long max, unsigned long long *ret)
{
	static const char suffixes[] = "KMG";
	char *end;
	unsigned long long v;
	unsigned shift = 0;

	if (!isdigit((unsigned char)text[0]))
		return false;
	errno = 0;
	v = strtoull(text, &end, 10);
	if (errno)
		return false;
	if (*end) {
		const char *s = strchr(suffixes, toupper((unsigned char)*end));

		if (!s || end[1])
			return false;
		shift = 10 * (unsigned)(s - suffixes + 1);
	}
	if (v > max >> shift)
		return false;
	*ret = v << shift;
	return true;
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = (char)tolower((unsigned char)c);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

long tool_unhex(const char *text, unsigned char *buf, size_t room)
{
	size_t n = strlen(text);

	if (n % 2 || n / 2 > room)
		return -1;
	for (size_t i = 0; i < n / 2; i++) {
		int hi = hex_digit(text[2 * i]), lo = hex_digit(text[2 * i + 1]);

		if (hi < 0 || lo < 0)
			return -1;
		buf[i] = (unsigned char)(hi << 4 | lo);
	}
	return (long)(n / 2);
}

void tool_hex(const unsigned char *bytes, size_t len, char *text)
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < len; i++) {
		text[2 * i] = digits[bytes[i] >> 4];
		text[2 * i + 1] = digits[bytes[i] & 15];
	}
	text[2 * len] = 0;
}

double tool_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}
