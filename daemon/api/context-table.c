/* SPDX-License-Identifier: Apache-2.0 */
#include "api/context-table.h"

#include <stdlib.h>
#include "api/conn.h"
#include "api/handle.h"

struct context_entry {
	struct context *context;
	uint16_t op;
};

enum kcf_status context_table_open(struct conn *c, uint32_t number, uint16_t op, struct tmpl *t,
				   struct tmpl *t2, struct context **ret)
{
	struct context_entry *e;
	enum kcf_status status;

	if (number == 0)
		return KCF_ARGUMENTS_BAD;
	if (idmap_find(&c->contexts, number))
		return KCF_ALREADY_EXISTS;
	e = calloc(1, sizeof(*e));
	if (!e)
		return KCF_HOST_MEMORY;
	e->op = op;
	status = context_new(c->api->core, c->consumer, op, t, t2, &e->context);
	if (status != KCF_SUCCESS) {
		free(e);
		return status;
	}
	if (!idmap_add(&c->contexts, number, e)) {
		context_close(e->context);
		free(e);
		return KCF_HOST_MEMORY;
	}
	*ret = e->context;
	return KCF_SUCCESS;
}

enum kcf_status context_table_find(struct conn *c, uint32_t number, uint16_t op,
				   struct context **ret)
{
	const struct context_entry *e = idmap_find(&c->contexts, number);

	if (!e || e->op != op)
		return KCF_INVALID_CONTEXT;
	*ret = e->context;
	return KCF_SUCCESS;
}

void context_table_drop(struct conn *c, uint32_t number)
{
	struct context_entry *e = idmap_remove(&c->contexts, number);

	if (!e)
		return;
	context_close(e->context);
	free(e);
}

void context_table_check(struct conn *c, uint32_t number)
{
	const struct context_entry *e = idmap_find(&c->contexts, number);

	if (e && !context_is_open(e->context))
		context_table_drop(c, number);
}

void context_table_clear(struct conn *c)
{
	uint64_t number;

	while (idmap_any(&c->contexts, &number))
		context_table_drop(c, (uint32_t)number);
	idmap_deinit(&c->contexts);
}

void handle_context_drop(struct conn *c, const struct dispatch_frame *f)
{
	context_table_drop(c, f->msg->slot);
}
