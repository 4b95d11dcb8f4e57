/* SPDX-License-Identifier: Apache-2.0 */
/*
 * names - the words of <kcf/types.h> as strings: statuses and fixed mechanisms.
 *
 * Constant tables made from the lists in the header, so that there is one list of each. Thread: any.
 */
#include <kcf/client.h>
#include <strings.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static const char *const status_names[KCF_STATUS_COUNT] = {
#define KCF__X(name, value, text) [value] = #name,
	KCF_STATUS_LIST(KCF__X)
#undef KCF__X
};

static const char *const status_texts[KCF_STATUS_COUNT] = {
#define KCF__X(name, value, text) [value] = text,
	KCF_STATUS_LIST(KCF__X)
#undef KCF__X
};

/* By number, so that looking one up costs nothing; most requests do. Gaps have no name. */
static const struct kcf_mech_name mechs[] = {
#define KCF__X(ident, number, name, alias, classes, kind)                                          \
	[number] = {number, name, alias, classes, KCF_PARAM_##kind},
	KCF_MECH_LIST(KCF__X)
#undef KCF__X
};

const char *kcf_strstatus(enum kcf_status status)
{
	return (unsigned)status < KCF_STATUS_COUNT ? status_texts[status] : "?";
}

const char *kcf_status_name(enum kcf_status status)
{
	return (unsigned)status < KCF_STATUS_COUNT ? status_names[status] : "?";
}

const struct kcf_mech_name *kcf_mech_name(kcf_mech_t number)
{
	return number < COUNT(mechs) && mechs[number].name ? &mechs[number] : NULL;
}

/* An alias may stand for two mechanisms (AES-CBC with and without padding): names come first, then the
 * lowest number. */
const struct kcf_mech_name *kcf_mech_by_name(const char *name)
{
	if (!name)
		return NULL;
	for (size_t i = 0; i < COUNT(mechs); i++)
		if (mechs[i].name && !strcasecmp(mechs[i].name, name))
			return &mechs[i];
	for (size_t i = 0; i < COUNT(mechs); i++)
		if (mechs[i].name && !strcasecmp(mechs[i].alias, name))
			return &mechs[i];
	return NULL;
}
