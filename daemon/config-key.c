/* SPDX-License-Identifier: Apache-2.0 */
/* The [key NAME] sections. */
#include "config-private.h"

#include <ctype.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const key_names[] = {"file",          "uids",         "gids", "usage",
					"pkcs1-decrypt", "iv-generated", NULL};

bool config_key_begin(struct config_parser *p, const char *name)
{
	struct config *c = p->config;
	struct config_key *keys;

	while (*name == ' ')
		name++;
	if (!*name || strlen(name) > KCF_KEY_NAME_MAX)
		return config_fail(p, "a key's name has 1 to %d bytes", KCF_KEY_NAME_MAX);
	for (unsigned i = 0; i < c->n_keys; i++) {
		if (!strcmp(c->keys[i].name, name))
			return config_fail(p, "there are two keys \"%s\"", name);
	}
	if (c->n_keys == CONFIG_MAX_KEYS)
		return config_fail(p, "more than %d keys", CONFIG_MAX_KEYS);
	keys = reallocarray(c->keys, c->n_keys + 1, sizeof(*keys));
	if (!keys)
		return config_fail(p, "out of memory");
	c->keys = keys;
	p->key = &keys[c->n_keys++];
	memset(p->key, 0, sizeof(*p->key));
	strcpy(p->key->name, name);
	p->key->line = p->line;
	return true;
}

bool config_key_end(struct config_parser *p)
{
	const struct config_key *k = p->key;

	if (k->file[0] && (k->n_uids || k->n_gids))
		return true;
	p->line = k->line;
	if (!k->file[0])
		return config_fail(p, "key \"%s\" has no file = PATH", k->name);
	return config_fail(p, "nobody may use key \"%s\"; give it uids = or gids =", k->name);
}

static bool set_file(struct config_parser *p, const char *value)
{
	const char *credentials = getenv("CREDENTIALS_DIRECTORY");
	struct config_key *k = p->key;
	int n;

	if (value[0] == '/')
		n = snprintf(k->file, sizeof(k->file), "%s", value);
	else
		n = snprintf(k->file, sizeof(k->file), "%s/%s", credentials ? credentials : p->dir,
			     value);
	if (!*value || n < 0 || (size_t)n >= sizeof(k->file))
		return config_fail(p, "not a file name");
	return true;
}

static bool number_of_user(const char *name, uint32_t *ret)
{
	struct passwd *pw = getpwnam(name);

	if (pw)
		*ret = pw->pw_uid;
	return pw != NULL;
}

static bool number_of_group(const char *name, uint32_t *ret)
{
	struct group *g = getgrnam(name);

	if (g)
		*ret = g->gr_gid;
	return g != NULL;
}

/* The next word of a list separated by commas or blanks; false at its end. */
static bool next_word(const char **list, char *to, size_t room)
{
	const char *s = *list;
	size_t n;

	s += strspn(s, ", \t");
	n = strcspn(s, ", \t");
	*list = s + n;
	if (n >= room)
		n = room - 1;
	memcpy(to, s, n);
	to[n] = 0;
	return n > 0;
}

static bool set_ids(struct config_parser *p, const char *value, const char *what,
		    bool (*by_name)(const char *, uint32_t *), uint32_t *ids, unsigned *ret_n)
{
	char word[64];
	uint64_t n;

	while (next_word(&value, word, sizeof(word))) {
		if (*ret_n == CONFIG_MAX_IDS)
			return config_fail(p, "more than %d %ss", CONFIG_MAX_IDS, what);
		if (isdigit((unsigned char)word[0])) {
			if (!config_number(word, &n) || n >= UINT32_MAX)
				return config_fail(p, "\"%s\" is no %s number", word, what);
			ids[*ret_n] = (uint32_t)n;
		} else if (!by_name(word, &ids[*ret_n])) {
			return config_fail(p, "there is no %s \"%s\"", what, word);
		}
		++*ret_n;
	}
	return true;
}

static bool set_usage(struct config_parser *p, const char *value)
{
	static const char *const names[] = {
#define KCF__X(name, number, text, classes) text,
		KCF_OP_LIST(KCF__X)
#undef KCF__X
			NULL};
	static const uint32_t numbers[] = {
#define KCF__X(name, number, text, classes) number,
		KCF_OP_LIST(KCF__X)
#undef KCF__X
	};
	char word[64];

	while (next_word(&value, word, sizeof(word))) {
		unsigned i;

		for (i = 0; names[i] && strcmp(names[i], word); i++)
			;
		if (!names[i])
			return config_unknown(p, "operation", word, config_nearest(word, names));
		p->key->usage |= KCF_KEY_USE(numbers[i]);
	}
	if (!p->key->usage)
		return config_fail(p, "usage names no operation");
	return true;
}

bool config_key_value(struct config_parser *p, const char *name, const char *value)
{
	struct config_key *k = p->key;

	if (!strcmp(name, "file"))
		return set_file(p, value);
	if (!strcmp(name, "uids"))
		return set_ids(p, value, "user", number_of_user, k->uids, &k->n_uids);
	if (!strcmp(name, "gids"))
		return set_ids(p, value, "group", number_of_group, k->gids, &k->n_gids);
	if (!strcmp(name, "usage"))
		return set_usage(p, value);
	if (!strcmp(name, "pkcs1-decrypt"))
		return config_bool(p, value, &k->pkcs1_decrypt);
	if (!strcmp(name, "iv-generated"))
		return config_bool(p, value, &k->iv_generated);
	return config_unknown(p, "name", name, config_nearest(name, key_names));
}

struct named_key config_named_key(const struct config_key *k)
{
	return (struct named_key){.name = k->name,
				  .file = k->file,
				  .uids = k->uids,
				  .gids = k->gids,
				  .n_uids = k->n_uids,
				  .n_gids = k->n_gids,
				  .usage = k->usage,
				  .pkcs1_decrypt = k->pkcs1_decrypt,
				  .iv_generated = k->iv_generated};
}
