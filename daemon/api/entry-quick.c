/* SPDX-License-Identifier: Apache-2.0 */
#include "api/entry-quick.h"

#include <stdlib.h>
#include <string.h>
#include "api/api.h"
#include "api/conn-ring.h"
#include "api/entry.h"

bool quick_entries_init(struct quick_entries *qe)
{
	qe->n = 0;
	qe->places = calloc(QUICK_OPS + 1, sizeof(*qe->places));
	return qe->places;
}

void quick_entries_deinit(struct quick_entries *qe)
{
	free(qe->places);
	qe->places = NULL;
}

/* A preference for hardware takes a look at who there is. */
static bool prefers_hardware(const struct ring_entry *e)
{
	return e->preference == KCF_PREFER_HARDWARE || e->preference == KCF_ONLY_HARDWARE;
}

static const struct conn *quick_conn(const struct quick_entries *qe, unsigned i)
{
	return qe->places[i].conn;
}

bool quick_entries_keep(struct conn *c, const struct entry *en)
{
	struct quick_entries *qe = &c->api->quick;
	struct quick_entry *q = quick_entries_place(qe);
	struct quick_op *op = &q->op;
	const struct ring_entry *e = &q->e;

	if (prefers_hardware(e) || !quick_may(c->api->core))
		return false;
	op->consumer = c->consumer;
	op->tmpl = en->tmpl;
	op->tmpl2 = en->tmpl2;
	op->op = e->op;
	op->queued = e->flags & RING_ALWAYS_QUEUE;
	op->param = entry_param(e, e->iv, en->aad, &q->param);
	op->param2 = NULL;
	if (en->mac_len2) {
		q->param2 = (struct kcf_param_mac){.mac_len = en->mac_len2};
		op->param2 = &q->param2;
	}
	op->in = en->in.iov;
	op->out = en->out.iov;
	op->mac = en->mac.iov;
	op->check = (struct iovec){(void *)en->check, e->check_len};
	op->id = e->id;
	q->conn = c;
	if (!quick_take(c->api->core, op))
		return false;
	if (!qe->n || quick_conn(qe, qe->n - 1) != c)
		qe->n_conns++;
	qe->impatient |= (e->flags & RING_SYNC) || e->deadline_us;
	qe->ops[qe->n++] = op;
	if (qe->n == QUICK_OPS)
		quick_entries_run(c->api);
	return true;
}

static void answer(struct quick_entry *q)
{
	const struct quick_op *op = &q->op;
	const struct entry_result result = {.id = op->id,
					    .status = op->status,
					    .len = op->out_len,
					    .mac_len = op->mac_len,
					    .provider_row1 = op->provider_row1,
					    .queue_hops = op->queued};

	entry_answer(q->conn, &result);
	conn_ring_units(q->conn->ring, 1);
}

bool quick_entries_wait(struct api *a, unsigned n_rings, uint64_t now)
{
	struct quick_entries *qe = &a->quick;

	return qe->n && !qe->impatient && qe->n_conns < n_rings && quick_missing(qe->ops, qe->n) &&
	       company_wait(&qe->company, qe->n, now, core_limits(a->core)->company_us * 1000);
}

void quick_entries_run(struct api *a)
{
	struct quick_entries *qe = &a->quick;
	unsigned n = qe->n;

	if (!n)
		return;
	company_end(&qe->company, n);
	qe->n_conns = 0;
	qe->impatient = false;
	quick_run(a->core, qe->ops, n);
	for (unsigned i = 0; i < n; i++)
		if (!qe->places[i].op.again)
			answer(&qe->places[i]);
	qe->n = 0;
	/* Requests may now be submitted: nothing is kept any more. */
	for (unsigned i = 0; i < n; i++)
		if (qe->places[i].op.again)
			entry_submit(qe->places[i].conn, &qe->places[i].e, qe->places[i].extra);
}
