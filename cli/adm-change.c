/* SPDX-License-Identifier: Apache-2.0 */
/*
 * adm-change - enable, disable, load, unload, set, cancel: words go to kcfd as they are, it checks
 * them and says what was wrong. One thread.
 */
#include <stdio.h>
#include <string.h>

#include "adm-table.h"
#include "kcfadm.h"
#include "tool.h"

static int change(int argc, char **argv, const struct adm_usage *usage, const char *done)
{
	struct adm_options o;
	json_t *answer;
	int code;

	if (!adm_parse(&o, argc, argv, usage, &code))
		return code;
	code = adm_request(&o, argv[0], (const char *const *)o.words, (unsigned)o.n_words, &answer);
	if (code != TOOL_OK || !answer)
		return code;
	printf("%s", done);
	for (int i = 0; i < o.n_words; i++)
		printf(" %s", o.words[i]);
	putchar('\n');
	adm_fields(stdout, answer);
	json_decref(answer);
	return TOOL_OK;
}

int adm_enable(int argc, char **argv)
{
	static const struct adm_usage usage = {
		.synopsis = "enable PROVIDER [MECHANISM]",
		.text = "Let a provider offer all its mechanisms, or this one, again. Running "
			"clients take\n"
			"notice at once.\n",
		.min_words = 1,
		.max_words = 2,
	};

	return change(argc, argv, &usage, "enabled");
}

int adm_disable(int argc, char **argv)
{
	static const struct adm_usage usage = {
		.synopsis = "disable PROVIDER [MECHANISM]",
		.text = "Take a provider, or one of its mechanisms, out of service. What waits is "
			"given to\n"
			"another provider; what runs, and open contexts, finish. It also stops "
			"being used\n"
			"in the clients' own threads.\n",
		.min_words = 1,
		.max_words = 2,
	};

	return change(argc, argv, &usage, "disabled");
}

int adm_load(int argc, char **argv)
{
	static const struct adm_usage usage = {
		.synopsis = "load MODULE [instance=NAME] [KEY=VALUE]...",
		.text = "Load a provider module from kcfd's module directory. It offers its "
			"mechanisms once\n"
			"its known answers are right. KEY=VALUE are the provider's own options.\n",
		.min_words = 1,
		.max_words = -1,
	};

	return change(argc, argv, &usage, "loaded");
}

int adm_unload(int argc, char **argv)
{
	static const struct adm_usage usage = {
		.synopsis = "unload PROVIDER",
		.text = "Give a provider no new work, wait for what it has (at most 5 seconds), "
			"end its\n"
			"contexts, unload it.\n",
		.min_words = 1,
		.max_words = 1,
	};

	return change(argc, argv, &usage, "unloaded");
}

int adm_set(int argc, char **argv)
{
	static const struct adm_usage usage = {
		.synopsis = "set NAME VALUE | set threshold MECHANISM BYTES | set mode "
			    "MECHANISM|all MODE |\n"
			    "              set PROVIDER.KEY VALUE",
		.text = "Change a limit (kcfadm list -p shows them), the size from which hardware "
			"is used for\n"
			"a mechanism, or a provider's own setting. It lasts until kcfd ends.\n\n"
			"  kcfadm set workers_max 4\n"
			"  kcfadm set threshold CKM_AES_GCM 4096\n",
		.min_words = 2,
		.max_words = 3,
	};

	return change(argc, argv, &usage, "set");
}

int adm_cancel(int argc, char **argv)
{
	static const struct adm_usage usage = {
		.synopsis = "cancel CONNECTION ID",
		.text = "Cancel a request, named by the first two columns of kcfadm requests. One "
			"that waits\n"
			"ends at once; one that runs ends once, with its result or as cancelled.\n",
		.min_words = 2,
		.max_words = 2,
	};

	return change(argc, argv, &usage, "asked to cancel");
}
