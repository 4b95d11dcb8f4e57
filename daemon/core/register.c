/* SPDX-License-Identifier: Apache-2.0 */
/*
 * register - a started module enters the registry and the table, and leaves them.
 */
#include <stdlib.h>
#include <string.h>
#include "core/private.h"

static void on_complete(void *owner, struct kcf_job *job)
{
	sched_device_returned(owner, job);
}

static const struct host_ops host_ops = {
	.complete = on_complete,
	.notify = provider_on_notice,
};

unsigned provider_ask_slots(const struct provider *p)
{
	const struct kcf_provider_ops *ops = p->inst.desc->ops;

	return p->hardware && ops->slots ? ops->slots(p->inst.prov) : 64;
}

static int free_row(const struct core *core)
{
	for (int i = 0; i < TABLE_PROVIDERS; i++)
		if (!core->providers[i])
			return i;
	return -1;
}

static void costs_init(struct offer *offer)
{
	const struct kcf_mech_row *row = offer->desc;
	bool gains = row->burst_setup_ns || row->burst_ns_per_kib;

	cost_init(&offer->alone, row->setup_ns, row->ns_per_kib);
	cost_init(&offer->burst, gains ? row->burst_setup_ns : row->setup_ns,
		  gains ? row->burst_ns_per_kib : row->ns_per_kib);
}

static void add_offers(struct provider *p)
{
	const struct kcf_provider_desc *desc = p->inst.desc;
	struct core *core = p->core;

	for (uint32_t i = 0; i < desc->n_rows; i++) {
		struct offer *offer = &p->offers[i];
		struct mech *m = mech_get(core, &desc->rows[i]);

		*offer = (struct offer){
			.provider = p, .row = i, .desc = &desc->rows[i], .enabled = true};
		costs_init(offer);
		if (!m || !mech_add_offer(core, m, offer)) {
			p->host->base.log(
				&p->host->base, KCF_LOG_WARNING, "%s is left out: %s",
				desc->rows[i].name,
				m ? "too many providers offer it"
				  : "its parameter kind is another, or the table is full");
			continue;
		}
		offer->stat = stats_get(core, m->number, p->name,
					p->hardware ? STAT_HARDWARE : STAT_KCFD);
	}
}

static void tell(struct provider *p)
{
	core_event(p->core, KCF_EVENT_PROVIDER_ADDED, NULL, p->name);
	for (uint32_t i = 0; i < p->inst.desc->n_rows; i++)
		if (p->offers[i].mech)
			core_event(p->core, KCF_EVENT_MECH_ADDED, p->offers[i].mech->name, p->name);
}

enum kcf_status provider_register(struct core *core, const struct module *module,
				  const char *module_name, const char *name, struct host *host,
				  void *prov)
{
	const struct kcf_provider_desc *desc = module->desc;
	int row = free_row(core);
	struct provider *p;

	if (row < 0)
		return KCF_QUOTA_EXCEEDED;
	p = calloc(1, sizeof(*p));
	if (p)
		p->offers = calloc(desc->n_rows ? desc->n_rows : 1, sizeof(*p->offers));
	if (!p || !p->offers) {
		free(p);
		return KCF_HOST_MEMORY;
	}
	p->core = core;
	p->row = (unsigned)row;
	strncpy(p->name, name, sizeof(p->name) - 1);
	strncpy(p->module_name, module_name, sizeof(p->module_name) - 1);
	p->module = module;
	p->host = host;
	p->hardware = desc->kind == KCF_HARDWARE;
	p->inst = (struct instance){
		.desc = desc, .prov = prov, .generation = ++core->next_generation};
	cost_init(&p->behind, 1000, 1);
	p->behind.line = (struct cost_line){0}; /* it may work on many at once */
	list_init(&p->contexts);
	list_init(&p->batch);
	list_init(&p->flying);
	queue_init(&p->queue, core->limits.hardware_queue);
	p->nudge.fn = provider_on_nudge;
	provider_set_state(p, PROVIDER_STARTING);
	p->slots = provider_ask_slots(p);
	core->providers[row] = p;
	add_offers(p);
	provider_set_state(p, PROVIDER_READY);
	host_set_owner(host, &host_ops, p);
	provider_update_live(p);
	mechs_publish(core);
	tell(p);
	return KCF_SUCCESS;
}

bool provider_unregister(struct provider *p)
{
	struct core *core = p->core;
	struct table_live *live = &core->table.t->live[p->row];
	bool idle = !p->n_flying && !p->n_using;

	for (uint32_t i = 0; i < p->inst.desc->n_rows; i++)
		if (p->offers[i].mech)
			mech_remove_offer(core, p->offers[i].mech, &p->offers[i]);
	tmpl_forget_provider(core, p);
	core->providers[p->row] = NULL;
	__atomic_store_n(&live->state, PROVIDER_NONE, __ATOMIC_RELAXED);
	list_push(&core->gone, &p->link);
	mechs_publish(core);
	if (idle)
		p->inst.desc->ops->stop(p->inst.prov);
	return idle;
}

static void provider_free(struct provider *p)
{
	host_free(p->host);
	for (uint32_t i = 0; i < p->inst.desc->n_rows; i++) {
		cost_deinit(&p->offers[i].alone);
		cost_deinit(&p->offers[i].burst);
	}
	cost_deinit(&p->behind);
	free(p->offers);
	free(p);
}

void providers_deinit(struct core *core)
{
	struct list *l;

	for (unsigned i = 0; i < TABLE_PROVIDERS; i++) {
		struct provider *p = core->providers[i];

		if (!p)
			continue;
		wheel_disarm(&core->wheel, &p->drain);
		wheel_disarm(&core->wheel, &p->retry);
		wheel_disarm(&core->wheel, &p->nudge);
		provider_unregister(p);
	}
	while ((l = list_pop(&core->gone)))
		provider_free(list_entry(l, struct provider, link));
}
