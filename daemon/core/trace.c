/* SPDX-License-Identifier: Apache-2.0 */
#include "core/trace.h"

#include <stdlib.h>
#include <string.h>
#include "core/private.h"

bool trace_init(struct trace *t, uint64_t room)
{
	struct trace_entry *ring = calloc(room, sizeof(*ring));

	if (!ring)
		return false;
	*t = (struct trace){.ring = ring, .room = room, .next = 1};
	return true;
}

void trace_deinit(struct trace *t)
{
	free(t->ring);
	*t = (struct trace){0};
}

struct trace_entry *trace_new(struct trace *t)
{
	struct trace_entry *e = &t->ring[t->next % t->room];

	e->number = t->next++;
	e->requests = 1;
	e->n_considered = 0;
	e->chosen = 0;
	e->status = KCF_QUEUED;
	e->queue_ns = e->service_ns = 0;
	e->queue_hops = 0;
	e->mode = 0;
	e->probe = e->pinned = false;
	e->provider[0] = 0;
	return e;
}

struct trace_entry *trace_find(struct trace *t, uint64_t number)
{
	struct trace_entry *e = &t->ring[number % t->room];

	return number && e->number == number ? e : NULL;
}

static const char *const why_words[WHY_COUNT] = {
	[WHY_CHOSEN] = "chosen",          [WHY_NOT_REACHED] = "not reached",
	[WHY_DISABLED] = "disabled",      [WHY_STATE] = "out of service",
	[WHY_CLASS] = "other operations", [WHY_PARTS] = "single-part only",
	[WHY_KEY_SIZE] = "key length",    [WHY_KEY_FORMAT] = "key format",
	[WHY_INPUT] = "input too long",   [WHY_FILTER] = "preference",
	[WHY_TRIED] = "already tried",    [WHY_BUSY] = "would wait",
	[WHY_FULL] = "queue full",        [WHY_TEMPLATE] = "key refused",
};

static const char *provider_word(struct core *core, unsigned row1)
{
	return row1 && core->providers[row1 - 1] ? core->providers[row1 - 1]->name : "";
}

static void considered_json(struct core *core, const struct trace_considered *c, struct json *j)
{
	json_object(j, NULL);
	json_string(j, "provider", provider_word(core, c->row1));
	json_string(j, "why", why_words[c->why]);
	if (c->place) {
		json_u64(j, "place", c->place);
		json_u64(j, "rank", c->rank);
		json_u64(j, "by", c->by);
		json_u64(j, "wait_ns", c->wait_ns);
		json_u64(j, "cost_ns", c->cost_ns);
		json_u64(j, "setup_ns", c->line.setup_ns);
		json_u64(j, "ns_per_kib", c->line.ns_per_kib);
	}
	json_end_object(j);
}

static void entry_json(struct core *core, const struct trace_entry *e, struct json *j)
{
	static const char *const places[] = {"kcfd", "hardware", "caller"};
	struct mech *m = mech_by_number(core, e->mech);

	json_object(j, NULL);
	json_u64(j, "decision", e->number);
	json_u64(j, "request", e->id);
	json_u64(j, "requests", e->requests);
	json_u64(j, "uid", e->uid);
	json_string(j, "operation", op_word(e->op));
	json_string(j, "mechanism", m ? m->name : "");
	json_u64(j, "bytes", e->bytes);
	json_string(j, "mode", e->pinned ? "context" : mode_word(e->mode));
	if (!e->pinned) {
		json_u64(j, "threshold", e->threshold);
		json_bool(j, "probe", e->probe);
	}
	json_array(j, "considered");
	for (unsigned i = 0; i < e->n_considered; i++)
		considered_json(core, &e->considered[i], j);
	json_end_array(j);
	json_string(j, "chosen", e->provider);
	json_string(j, "place", e->chosen ? places[e->place] : "");
	json_u64(j, "queue_hops", e->queue_hops);
	json_u64(j, "queue_ns", e->queue_ns);
	json_u64(j, "service_ns", e->service_ns);
	json_string(j, "status", e->status == KCF_QUEUED ? "RUNNING" : kcf_status_name(e->status));
	json_end_object(j);
}

void core_trace(struct core *core, struct json *j, unsigned max)
{
	struct trace *t = &core->trace;
	uint64_t n = t->next - 1 < t->room ? t->next - 1 : t->room;

	if (max && n > max)
		n = max;
	json_array(j, "trace");
	for (uint64_t number = t->next - n; number < t->next; number++)
		entry_json(core, &t->ring[number % t->room], j);
	json_end_array(j);
}
