/* SPDX-License-Identifier: Apache-2.0 */
/* wycheproof: see wycheproof.h. */
#include "wycheproof.h"

#include <string.h>

const char *json_text(json_t *object, const char *name)
{
	const char *text = json_string_value(json_object_get(object, name));

	return text ? text : "";
}

struct bytes json_hex(struct set *set, json_t *object, const char *name)
{
	return set_hex(set, json_text(object, name));
}

size_t json_number(json_t *object, const char *name, size_t fallback)
{
	json_t *number = json_object_get(object, name);

	return json_is_integer(number) ? (size_t)json_integer_value(number) : fallback;
}

struct vector *group_add(struct group *g, json_t *test, enum kcf_op op, enum verdict verdict)
{
	struct vector *v = set_add(g->set, (unsigned)json_number(test, "tcId", 0), g->mech, op);

	v->verdict = verdict;
	v->no_answer = verdict == MUST_FAIL;
	if (g->key.at)
		vector_key(v, g->key, g->key_format);
	return v;
}

static const struct group_type *type_find(const struct group_type *types, const char *name)
{
	for (; types->name; types++) {
		if (!strcmp(types->name, name))
			return types;
	}
	return NULL;
}

static enum verdict verdict_of(const struct set *set, json_t *test)
{
	const char *result = json_text(test, "result");

	if (!strcmp(result, "valid"))
		return MUST_PASS;
	if (!strcmp(result, "invalid"))
		return MUST_FAIL;
	if (!strcmp(result, "acceptable"))
		return MAY_PASS;
	die("%s: result \"%s\" of test %zu", set->file, result, json_number(test, "tcId", 0));
}

static void read_group(struct group *g)
{
	const struct group_type *type = type_find(group_types_sym, g->type);
	json_t *tests = json_object_get(g->json, "tests"), *test;
	size_t i;

	if (!type)
		type = type_find(group_types_pub, g->type);
	if (!type || !type->begin(g)) {
		g->set->n_skipped += (unsigned)json_array_size(tests);
		return;
	}
	json_array_foreach(tests, i, test)
	{
		if (!type->test(g, test, verdict_of(g->set, test)))
			g->set->n_skipped++;
	}
}

void wycheproof_read(struct set *set, const char *path)
{
	json_error_t error;
	json_t *root = json_load_file(path, 0, &error), *groups, *group;
	size_t i;

	if (!root)
		die("%s:%d: %s", path, error.line, error.text);
	groups = json_object_get(root, "testGroups");
	if (!json_is_array(groups))
		die("%s: no testGroups", path);
	json_array_foreach(groups, i, group)
	{
		struct group g = {.set = set, .root = root, .json = group};

		g.algorithm = json_text(root, "algorithm");
		g.type = json_text(group, "type");
		read_group(&g);
	}
	json_decref(root);
}
