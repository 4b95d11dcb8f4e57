/* SPDX-License-Identifier: Apache-2.0 */
/* kcfadm - see and change what kcfd does. */
#include "kcfadm.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "adm-client.h"
#include "kcf-config.h"
#include "tool.h"

static const struct tool_command commands[] = {
	{"list", "providers; -m mechanisms; -p limits and policy", adm_list},
	{"stats", "what was done, by mechanism, provider and place", adm_stats},
	{"requests", "requests waiting and running", adm_requests},
	{"consumers", "users, what they hold and have done", adm_consumers},
	{"connections", "connections and what they hold", adm_connections},
	{"trace", "the last scheduling decisions", adm_trace},
	{"enable", "let a provider offer its mechanisms again", adm_enable},
	{"disable", "take a provider, or one of its mechanisms, out of service", adm_disable},
	{"load", "load a provider module", adm_load},
	{"unload", "drain a provider, then unload it", adm_unload},
	{"set", "change a limit, a threshold or a mode", adm_set},
	{"cancel", "cancel a request", adm_cancel},
	{0},
};

static const char intro[] =
	"Usage: kcfadm COMMAND [OPTION]... [WORD]...\n\n"
	"See and change what kcfd does. For root and for kcfd's own user. Changes last until kcfd\n"
	"ends.\n";

static const char outro[] =
	"Options of every command:\n"
	"  --json           kcfd's whole answer as JSON\n"
	"  --socket PATH    kcfd's socket (else KCF_SOCKET, " KCF_SOCKET_PATH ")\n"
	"  --help           a command's own text\n"
	"Exit codes: 0 done, 1 failed, 2 usage, 3 kcfd is not running, 4 no such object, 5 "
	"denied.\n";

static void print_help(const struct adm_usage *u)
{
	printf("Usage: kcfadm %s\n\n%s\nOptions:\n", u->synopsis, u->text);
	if (u->list_options)
		printf("  -m, --mechanisms  mechanisms, who offers them, where they run\n"
		       "  -p, --policy      limits and their bounds\n");
	printf("  -v, --verbose     more columns\n"
	       "  --json            kcfd's whole answer as JSON\n"
	       "  --socket PATH     kcfd's socket (else KCF_SOCKET, " KCF_SOCKET_PATH ")\n"
	       "  -h, --help        this text\n");
}

static bool check_words(const struct adm_options *o, const struct adm_usage *u)
{
	if (o->n_words < u->min_words)
		tool_error("something is missing; usage: kcfadm %s", u->synopsis);
	else if (u->max_words >= 0 && o->n_words > u->max_words)
		tool_error("one word too many: '%s'; usage: kcfadm %s", o->words[u->max_words],
			   u->synopsis);
	else
		return true;
	return false;
}

bool adm_parse(struct adm_options *o, int argc, char **argv, const struct adm_usage *usage,
	       int *ret_exit)
{
	static const struct option longs[] = {
		{"json", 0, NULL, 'j'},
		{"socket", 1, NULL, 's'},
		{"verbose", 0, NULL, 'v'},
		{"help", 0, NULL, 'h'},
		{"mechanisms", 0, NULL, 'm'},
		{"policy", 0, NULL, 'p'},
		{0},
	};
	int c;

	memset(o, 0, sizeof(*o));
	*ret_exit = TOOL_USAGE;
	optind = 0;
	opterr = 0;
	while ((c = getopt_long(argc, argv, ":vhmp", longs, NULL)) != -1) {
		if (c == 'j')
			o->json = true;
		else if (c == 's')
			o->socket = optarg;
		else if (c == 'v')
			o->verbose = true;
		else if (c == 'm' && usage->list_options)
			o->mechanisms = true;
		else if (c == 'p' && usage->list_options)
			o->policy = true;
		else if (c == 'h') {
			print_help(usage);
			*ret_exit = TOOL_OK;
			return false;
		} else {
			tool_error("%s %s",
				   c == ':' ? "a value is missing after" : "unknown option",
				   argv[optind - 1]);
			tool_hint("see: kcfadm %s --help", argv[0]);
			return false;
		}
	}
	o->words = argv + optind;
	o->n_words = argc - optind;
	return check_words(o, usage);
}

int adm_request(const struct adm_options *o, const char *command, const char *const *args,
		unsigned n_args, json_t **ret)
{
	struct adm_client client;
	json_t *answer = NULL;
	int code = adm_open(&client, o->socket);

	*ret = NULL;
	if (code == TOOL_OK)
		code = adm_ask(&client, command, args, n_args, &answer);
	adm_close(&client);
	if (code != TOOL_OK)
		return code;
	if (o->json) {
		json_dumpf(answer, stdout, JSON_INDENT(2));
		putchar('\n');
		json_decref(answer);
		return TOOL_OK;
	}
	*ret = answer;
	return TOOL_OK;
}

int main(int argc, char **argv)
{
	return tool_main(argc, argv, commands, intro, outro);
}
