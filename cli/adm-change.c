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

static int run_change(const struct adm_options *o, const char *command, const char *const *args,
		      unsigned n_args, const char *done)
{
	json_t *answer;
	int code = adm_request(o, command, args, n_args, &answer);

	if (code != TOOL_OK || !answer)
		return code;
	printf("%s", done);
	for (unsigned i = 0; i < n_args; i++)
		printf(" %s", args[i]);
	putchar('\n');
	adm_fields(stdout, answer);
	json_decref(answer);
	return TOOL_OK;
}

static int change(int argc, char **argv, const struct adm_usage *usage, const char *done)
{
	struct adm_options o;
	int code;

	if (!adm_parse(&o, argc, argv, usage, &code))
		return code;
	return run_change(&o, argv[0], (const char *const *)o.words, (unsigned)o.n_words, done);
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
		.synopsis = "set NAME VALUE | set threshold MECHANISM BYTES|never|auto |\n"
			    "              set mode MECHANISM|all MODE | set weight UID WEIGHT |\n"
			    "              set PROVIDER.KEY VALUE",
		.text = "Change a limit (kcfadm list -p shows them), the size from which hardware "
			"is used for\n"
			"a mechanism, how providers are chosen (hardware-first, adaptive, "
			"software-first,\n"
			"round-robin), a user's share of the queues against others (1 unless set, "
			"at most\n"
			"1000), or a provider's own setting. It lasts until kcfd ends.\n\n"
			"  kcfadm set workers_max 4\n"
			"  kcfadm set threshold CKM_AES_GCM 4096\n"
			"  kcfadm set mode all adaptive\n"
			"  kcfadm set weight 1000 4\n",
		.min_words = 2,
		.max_words = 3,
	};

	struct adm_options o;
	char name[128];
	const char *args[2] = {name};
	int code;

	if (!adm_parse(&o, argc, argv, &usage, &code))
		return code;
	/* "threshold MECHANISM" is one name to kcfd. */
	snprintf(name, sizeof(name), "%s%s%s", o.words[0], o.n_words > 2 ? " " : "",
		 o.n_words > 2 ? o.words[1] : "");
	args[1] = o.words[o.n_words - 1];
	return run_change(&o, argv[0], args, 2, "set");
}

int adm_cancel(int argc, char **argv)
{
	static const struct adm_usage usage = {
		.synopsis = "cancel REQUEST [CONNECTION]",
		.text = "Cancel a request that kcfadm requests shows; where two clients use the "
			"same number,\n"
			"the connection says which. One that waits ends at once; one that runs "
			"ends once,\n"
			"with its result or as cancelled.\n",
		.min_words = 1,
		.max_words = 2,
	};

	return change(argc, argv, &usage, "asked to cancel");
}
