/* SPDX-License-Identifier: Apache-2.0 */
/* op-buf - the application's buffers in memory shared with kcfd. Any thread. */
#include "op-send.h"

void *kcf_buf_alloc(struct kcf_client *client, size_t len)
{
	void *ret;

	if (!client || !len)
		return NULL;
	client_enter(client);
	if (!kcf_client_connected(client))
		return NULL;
	return place_alloc(client, NULL, len, &ret) == KCF_SUCCESS ? ret : NULL;
}

void kcf_buf_free(struct kcf_client *client, void *buf)
{
	if (!client || !buf)
		return;
	client_enter(client);
	pthread_mutex_lock(&client->lock);
	client_buf_free(client, buf);
	if (!client_in_callback(client))
		client_flush(client);
	client_wake_memory(client);
	pthread_mutex_unlock(&client->lock);
}

enum kcf_status kcf_buf_status(struct kcf_client *client, const void *buf)
{
	if (!client || !buf)
		return KCF_ARGUMENTS_BAD;
	client_enter(client);
	return arena_status(&client->arena, buf);
}
