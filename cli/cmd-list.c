/* SPDX-License-Identifier: Apache-2.0 */
/* cmd-list - `kcf list`: the mechanisms this user can use now, and where a call with key bytes
 * would run. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kcf.h"
#include "session.h"
#include "tool.h"

static const struct args_usage usage = {
	.synopsis = "list [CLASS]",
	.text = "List the mechanisms that are offered, by PKCS#11 name and by the name of the "
		"openssl\n"
		"command; of one class only: digest, mac, cipher, aead, sign, verify, derive, "
		"random,\n"
		"keygen.\n",
	.groups = ARGS_COMMON,
	.min_words = 0,
	.max_words = 1,
};

static const struct {
	uint32_t bit;
	const char *word;
} classes[] = {
#define KCF__X(name, bit, text) {KCF_CLASS_##name, text},
	KCF_CLASS_LIST(KCF__X)
#undef KCF__X
};

#define N_CLASSES (sizeof(classes) / sizeof(classes[0]))

static const char *const places[] = {"none", "caller", "kcfd", "hardware"};

/* The list, malloc'ed; it may grow between two looks. */
static enum kcf_status get(struct kcf_client *client, struct kcf_mech_info **ret, size_t *ret_n)
{
	size_t n = 256;

	for (;;) {
		struct kcf_mech_info *list = calloc(n, sizeof(*list));
		enum kcf_status status = list ? kcf_mech_list(client, list, &n) : KCF_HOST_MEMORY;

		*ret = list;
		*ret_n = n;
		if (status == KCF_SUCCESS)
			return status;
		free(list);
		*ret = NULL;
		if (status != KCF_BUFFER_TOO_SMALL)
			return status;
	}
}

static void class_text(uint32_t bits, char *text, size_t room)
{
	size_t len = 0;

	text[0] = 0;
	for (size_t i = 0; i < N_CLASSES && len < room; i++) {
		if (bits & classes[i].bit)
			len += (size_t)snprintf(text + len, room - len, "%s%s", len ? "," : "",
						classes[i].word);
	}
}

static void print_text(const struct kcf_mech_info *m)
{
	const struct kcf_mech_name *fixed = kcf_mech_name(m->number);
	char words[128], bits[32] = "";

	class_text(m->classes, words, sizeof(words));
	if (m->key_max_bits)
		snprintf(bits, sizeof(bits), "%u-%u", m->key_min_bits, m->key_max_bits);
	printf("%-30s %-20s %-12s %-11s %-8s", m->name, fixed ? fixed->alias : "", words, bits,
	       places[m->place]);
	for (uint32_t i = 0; i < m->n_providers; i++)
		printf(" %s", m->providers[i]);
	putchar('\n');
}

static json_t *to_json(const struct kcf_mech_info *m)
{
	const struct kcf_mech_name *fixed = kcf_mech_name(m->number);
	json_t *o = json_pack("{s:s, s:i, s:i, s:i, s:s}", "name", m->name, "number",
			      (int)m->number, "key_min_bits", (int)m->key_min_bits, "key_max_bits",
			      (int)m->key_max_bits, "place", places[m->place]);
	json_t *words = json_array(), *providers = json_array();

	for (size_t i = 0; i < N_CLASSES; i++) {
		if (m->classes & classes[i].bit)
			json_array_append_new(words, json_string(classes[i].word));
	}
	for (uint32_t i = 0; i < m->n_providers; i++)
		json_array_append_new(providers, json_string(m->providers[i]));
	json_object_set_new(o, "alias", fixed ? json_string(fixed->alias) : json_null());
	json_object_set_new(o, "classes", words);
	json_object_set_new(o, "providers", providers);
	return o;
}

static int class_find(const char *word, uint32_t *ret)
{
	const char *near = NULL;
	unsigned best = 255;

	*ret = ~0u;
	if (!word)
		return TOOL_OK;
	for (size_t i = 0; i < N_CLASSES; i++) {
		if (!strcmp(word, classes[i].word)) {
			*ret = classes[i].bit;
			return TOOL_OK;
		}
		if (tool_is_nearer(word, classes[i].word, &best))
			near = classes[i].word;
	}
	tool_error("no class '%s'", word);
	if (near)
		tool_hint("did you mean '%s'?", near);
	return TOOL_NOT_FOUND;
}

static int run(struct session *s)
{
	struct kcf_mech_info *list;
	json_t *array = s->args.json ? json_array() : NULL;
	uint32_t wanted;
	size_t n;
	enum kcf_status status;
	int code = class_find(s->args.n_words ? s->args.words[0] : NULL, &wanted);

	if (code != TOOL_OK)
		return code;
	status = get(s->client, &list, &n);
	if (status != KCF_SUCCESS)
		return tool_fail(status, "list of mechanisms");
	for (size_t i = 0; i < n; i++) {
		if (!(list[i].classes & wanted))
			continue;
		if (array)
			json_array_append_new(array, to_json(&list[i]));
		else
			print_text(&list[i]);
	}
	if (array) {
		json_dumpf(array, stdout, JSON_INDENT(2));
		putchar('\n');
		json_decref(array);
	}
	free(list);
	return TOOL_OK;
}

int cmd_list(int argc, char **argv)
{
	struct session s;
	int code;

	if (!session_open(&s, "list", argc, argv, &usage, &code))
		return code;
	/* It has a JSON form of its own. */
	json_decref(s.files);
	s.files = NULL;
	return session_close(&s, run(&s));
}
