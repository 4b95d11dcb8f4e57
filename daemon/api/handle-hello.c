/* SPDX-License-Identifier: Apache-2.0 */
/* HELLO: choose the version, make the page, lease the first credits. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "api/handle.h"
#include "table/page.h"

static bool agree_version(struct conn *c, const struct wire_hello *hello)
{
	if (hello->version_min <= FRAME_VERSION && FRAME_VERSION <= hello->version_max)
		return true;
	conn_fatal(c, KCF_VERSION_MISMATCH, "kcfd speaks version %d, the client %u to %u",
		   FRAME_VERSION, hello->version_min, hello->version_max);
	return false;
}

static bool make_page(struct conn *c)
{
	int r = page_new(c->id, &c->page, &c->page_fd);

	if (r < 0) {
		conn_fatal(c, KCF_HOST_MEMORY, "no connection page: %s", strerror(-r));
		return false;
	}
	if (credit_open(&c->api->credit, &c->credit, c->consumer, c, c->page))
		return true;
	page_unmap(c->page);
	close(c->page_fd);
	c->page = NULL;
	c->page_fd = -1;
	conn_fatal(c, KCF_QUOTA_EXCEEDED, "no credits left for another connection");
	return false;
}

void handle_hello(struct conn *c, const struct dispatch_frame *f)
{
	const struct wire_hello *hello = &f->msg->hello;
	struct wire_msg msg = {.type = FRAME_HELLO_REPLY};
	struct wire_hello_reply *reply = &msg.hello_reply;
	struct core_module modules[WIRE_MAX_MODULES];
	int fds[2 + WIRE_MAX_MODULES];
	bool owned[2 + WIRE_MAX_MODULES] = {false};
	unsigned n;

	if (!agree_version(c, hello) || !make_page(c))
		return;
	snprintf(c->label, sizeof(c->label), "%s", hello->label ? hello->label : "");
	n = core_modules(c->api->core, modules, WIRE_MAX_MODULES);
	c->features = hello->features & (FEATURE_MODULES | FEATURE_RING);
	reply->version = FRAME_VERSION;
	reply->features = c->features;
	reply->max_inline = WIRE_MAX_INLINE;
	reply->max_request = core_limits(c->api->core)->max_request;
	reply->lease = c->credit.leased;
	reply->daemon_id = c->api->daemon_id;
	fds[0] = core_table_fd(c->api->core);
	fds[1] = c->page_fd;
	for (unsigned i = 0; i < n; i++) {
		reply->modules[i] =
			(struct wire_module){modules[i].name, modules[i].row, modules[i].size};
		fds[2 + i] = modules[i].fd;
	}
	reply->n_modules = n;
	if (!conn_send_fds(c, fds, owned, 2 + n))
		return;
	c->label_number = consumer_label_get(c->consumer, c->label);
	conn_set_state(c, CONN_SERVED);
	conn_send(c, &msg, f->h->id);
}
