/* SPDX-License-Identifier: Apache-2.0 */
/* mech-name - see mech-name.h. */
#include "mech-name.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "tool.h"

#define WORD_MAX 40

/* Spellings that no rule below makes. */
static const struct {
	const char *word, *name;
	unsigned classes;
} spellings[] = {
	{"ED25519", "CKM_EDDSA", KCF_CLASS_SIGN | KCF_CLASS_VERIFY},
	{"ED448", "CKM_EDDSA", KCF_CLASS_SIGN | KCF_CLASS_VERIFY},
	{"RSA-PKCS1", "CKM_RSA_PKCS", KCF_CLASS_SIGN | KCF_CLASS_VERIFY | KCF_CLASS_CIPHER},
	{"CHACHA20POLY1305", "CKM_CHACHA20_POLY1305", KCF_CLASS_AEAD},
	{"AES-CMAC", "CKM_AES_CMAC", KCF_CLASS_MAC},
	{"AES-GMAC", "CKM_AES_GMAC", KCF_CLASS_MAC},
	{"DES3", "CKM_DES3_CBC", KCF_CLASS_CIPHER},
	{"BLAKE2B512", "CKM_BLAKE2B_512", KCF_CLASS_DIGEST},
	{"BLAKE2S256", "KCF_BLAKE2S-256", KCF_CLASS_DIGEST},
};

static void upper(const char *word, char *ret)
{
	size_t i;

	for (i = 0; i < WORD_MAX - 1 && word[i]; i++)
		ret[i] = (char)toupper((unsigned char)word[i]);
	ret[i] = 0;
}

/* "SHA256", "SHA-256", "SHA512-256", "SHA512/256" -> "SHA2-512/256". False: not of that form. */
static bool sha2_name(const char *word, char *ret, size_t room)
{
	const char *rest = word + 3;
	const char *half;

	if (strncmp(word, "SHA", 3))
		return false;
	if (*rest == '-')
		rest++;
	if (strncmp(rest, "224", 3) && strncmp(rest, "256", 3) && strncmp(rest, "384", 3) &&
	    strncmp(rest, "512", 3))
		return false;
	half = rest[3] ? rest + 4 : "";
	return (size_t)snprintf(ret, room, "SHA2-%.3s%s%s", rest, *half ? "/" : "", half) < room;
}

/* "HMAC-SHA256" -> "HMAC-SHA2-256". */
static bool hmac_name(const char *word, char *ret, size_t room)
{
	char digest[WORD_MAX];

	if (strncmp(word, "HMAC-", 5) || !sha2_name(word + 5, digest, sizeof(digest)))
		return false;
	return (size_t)snprintf(ret, room, "HMAC-%s", digest) < room;
}

/* "AES-256-GCM" -> "AES-GCM" and 32 bytes; "CMAC-AES-128" likewise. */
static bool sized_name(const char *word, char *ret, size_t room, unsigned *ret_bytes)
{
	static const char *const sizes[] = {"-128", "-192", "-256"};

	for (unsigned i = 0; i < 3; i++) {
		const char *at = strstr(word, sizes[i]);

		if (!at || (at[4] && at[4] != '-'))
			continue;
		if (strncmp(word, "AES", 3) && strncmp(word, "ARIA", 4) &&
		    strncmp(word, "CAMELLIA", 8) && strncmp(word, "CMAC-AES", 8))
			continue;
		snprintf(ret, room, "%.*s%s", (int)(at - word), word, at + 4);
		*ret_bytes = 16 + 8 * i;
		if (strstr(ret, "-XTS"))
			*ret_bytes *= 2;
		return true;
	}
	return false;
}

/* The fixed mechanism an OpenSSL-like word means, or NULL. */
static const struct kcf_mech_name *alias_find(const char *word, unsigned classes,
					      unsigned *ret_bytes)
{
	const struct kcf_mech_name *m;
	char name[WORD_MAX], other[WORD_MAX];

	*ret_bytes = 0;
	upper(word, name);
	for (size_t i = 0; i < sizeof(spellings) / sizeof(spellings[0]); i++) {
		if (!strcmp(name, spellings[i].word) && (spellings[i].classes & classes))
			return kcf_mech_by_name(spellings[i].name);
	}
	m = kcf_mech_by_name(name);
	if (m && (m->classes & classes))
		return m;
	if (sha2_name(name, other, sizeof(other)) || hmac_name(name, other, sizeof(other)) ||
	    sized_name(name, other, sizeof(other), ret_bytes)) {
		m = kcf_mech_by_name(other);
		if (m && (m->classes & classes))
			return m;
	}
	return NULL;
}

static void hint_nearest(const char *word, unsigned classes)
{
	static const struct kcf_mech_name list[] = {
#define KCF__X(ident, number, name, alias, classes, kind)                                          \
	{number, name, alias, classes, KCF_PARAM_##kind},
		KCF_MECH_LIST(KCF__X)
#undef KCF__X
	};
	const char *near = NULL;
	unsigned best = 255;

	for (size_t i = 0; i < sizeof(list) / sizeof(list[0]); i++) {
		if (!(list[i].classes & classes))
			continue;
		if (tool_is_nearer(word, list[i].name, &best))
			near = list[i].name;
		if (tool_is_nearer(word, list[i].alias, &best))
			near = list[i].alias;
	}
	if (near)
		tool_hint("did you mean %s?", near);
	else
		tool_hint("see what is offered with: kcfadm list -m");
}

int mech_choose(struct kcf_client *client, const char *word, unsigned classes,
		struct mech_choice *ret)
{
	const struct kcf_mech_name *fixed;
	kcf_mech_t number;
	enum kcf_status status;

	memset(ret, 0, sizeof(*ret));
	fixed = alias_find(word, classes, &ret->key_bytes);
	ret->by_alias = fixed && strncasecmp(word, fixed->name, strlen(fixed->name));
	status = kcf_mech_find(client, fixed ? fixed->name : word, &number);
	if (status == KCF_SUCCESS)
		status = kcf_mech_info(client, number, &ret->info);
	if (status == KCF_SUCCESS && !(ret->info.classes & classes))
		status = KCF_MECH_NOT_SUPPORTED;
	if (status == KCF_SUCCESS)
		return TOOL_OK;
	if (!fixed && (status == KCF_MECH_NOT_SUPPORTED || status == KCF_MECHANISM_INVALID)) {
		tool_error("no mechanism '%s' for this operation", word);
		hint_nearest(word, classes);
		return TOOL_NOT_FOUND;
	}
	return tool_fail(status, "mechanism %s", fixed ? fixed->name : word);
}
