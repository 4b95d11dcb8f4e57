/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mech - mechanisms by name and number. What the table does not offer yet is asked of kcfd, which
 * may load the module that has it. Any thread.
 */
#include "client-core.h"

#include <string.h>

static enum kcf_status ask(struct kcf_client *c, const char *name, uint32_t *ret)
{
	struct wire_msg msg = {.type = FRAME_MECH_FIND, .name = name}, reply;
	struct codec_arena arena;
	enum kcf_status st;

	if (strnlen(name, KCF_NAME_MAX) == KCF_NAME_MAX)
		return KCF_MECH_NOT_SUPPORTED;
	codec_init(&arena);
	st = client_exchange(c, &msg, &arena, &reply, NULL);
	if (st == KCF_SUCCESS && reply.type != FRAME_MECH_REPLY)
		st = KCF_PROTOCOL_ERROR;
	if (st == KCF_SUCCESS)
		st = (enum kcf_status)reply.mech_reply.status;
	if (st == KCF_SUCCESS)
		*ret = reply.mech_reply.mech;
	codec_deinit(&arena);
	if (st == KCF_NO_DAEMON)
		return KCF_MECH_NOT_SUPPORTED;
	return st;
}

enum kcf_status kcf_mech_find(struct kcf_client *client, const char *name, kcf_mech_t *ret)
{
	enum kcf_status st;
	uint32_t number;

	if (!client || !name || !ret)
		return KCF_ARGUMENTS_BAD;
	client_enter(client);
	st = direct_mech_find(client->direct, name, ret);
	if (st != KCF_MECH_NOT_SUPPORTED)
		return st;
	st = ask(client, name, &number);
	if (st != KCF_SUCCESS)
		return st;
	*ret = direct_from_daemon(client->direct, number);
	return *ret ? KCF_SUCCESS : KCF_MECH_NOT_SUPPORTED;
}

enum kcf_status kcf_mech_info(struct kcf_client *client, kcf_mech_t number,
			      struct kcf_mech_info *ret)
{
	const struct kcf_mech_name *fixed = kcf_mech_name(number);
	enum kcf_status st;
	uint32_t loaded;

	if (!client || !ret)
		return KCF_ARGUMENTS_BAD;
	client_enter(client);
	st = direct_mech_info(client->direct, number, ret);
	if (st != KCF_MECH_NOT_SUPPORTED || !fixed)
		return st;
	st = ask(client, fixed->name, &loaded);
	return st == KCF_SUCCESS ? direct_mech_info(client->direct, number, ret) : st;
}

enum kcf_status kcf_mech_list(struct kcf_client *client, struct kcf_mech_info *ret, size_t *n)
{
	if (!client || !n || (*n && !ret))
		return KCF_ARGUMENTS_BAD;
	client_enter(client);
	return direct_mech_list(client->direct, ret, n);
}
