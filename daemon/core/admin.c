/* SPDX-License-Identifier: Apache-2.0 */
/*
 * admin - what an administrator asks and changes: lists, limits, thresholds, offers, settings of
 * providers.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "base/near.h"
#include "core/private.h"

static const char *const state_words[] = {
	[PROVIDER_NONE] = "none",     [PROVIDER_STARTING] = "starting",
	[PROVIDER_READY] = "ready",   [PROVIDER_BUSY] = "busy",
	[PROVIDER_FAILED] = "failed", [PROVIDER_DRAINING] = "draining",
	[PROVIDER_GONE] = "gone",
};

/* ---- lists ---- */

static void provider_json(const struct provider *p, struct json *j)
{
	unsigned n_mechs = 0, n_enabled = 0;
	char version[16];

	for (uint32_t i = 0; i < p->inst.desc->n_rows; i++) {
		n_mechs += p->offers[i].mech != NULL;
		n_enabled += p->offers[i].mech && p->offers[i].enabled;
	}
	snprintf(version, sizeof(version), "%u.%u", p->inst.desc->version >> 16,
		 p->inst.desc->version & 0xffff);
	json_object(j, NULL);
	json_string(j, "name", p->name);
	json_string(j, "module", p->module_name);
	json_string(j, "description", p->inst.desc->description);
	json_string(j, "kind", p->hardware ? "hardware" : "software");
	json_string(j, "state", state_words[p->state]);
	json_string(j, "version", version);
	json_u64(j, "generation", p->inst.generation);
	json_u64(j, "mechanisms", n_mechs);
	json_u64(j, "enabled", n_enabled);
	json_u64(j, "slots", p->hardware ? p->slots : 0);
	json_u64(j, "in_flight", p->n_flying);
	json_u64(j, "depth", p->queue.depth);
	json_end_object(j);
}

static void classes_json(uint32_t classes, struct json *j)
{
	static const struct {
		uint32_t bit;
		const char *word;
	} words[] = {
#define KCF__X(name, bit, text) {1u << (bit), text},
		KCF_CLASS_LIST(KCF__X)
#undef KCF__X
	};

	json_array(j, "classes");
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (classes & words[i].bit)
			json_string(j, NULL, words[i].word);
	json_end_array(j);
}

/* Learned from work, and by itself. */
static void cost_json(const struct cost *c, const char *name, struct json *j)
{
	json_object(j, name);
	json_u64(j, "setup_ns", c->line.setup_ns);
	json_u64(j, "ns_per_kib", c->line.ns_per_kib);
	json_bool(j, "learned", c->fits > 0);
	json_u64(j, "samples", cost_samples(c));
	json_u64(j, "base_setup_ns", c->base.setup_ns);
	json_u64(j, "base_ns_per_kib", c->base.ns_per_kib);
	json_bool(j, "measured", c->measured);
	json_end_object(j);
}

static void offer_json(const struct offer *o, struct json *j)
{
	json_object(j, NULL);
	json_string(j, "name", o->provider->name);
	json_bool(j, "enabled", o->enabled);
	json_bool(j, "multi_part", o->desc->flags & KCF_ROW_MULTI_PART);
	json_bool(j, "legacy", o->desc->flags & KCF_ROW_LEGACY);
	json_u64(j, "key_min_bits", o->desc->key_min_bits);
	json_u64(j, "key_max_bits", o->desc->key_max_bits);
	json_u64(j, "max_input", o->desc->max_input);
	cost_json(&o->alone, "alone", j);
	cost_json(&o->burst, "burst", j);
	json_end_object(j);
}

static void mech_json(const struct mech *m, struct json *j)
{
	const struct kcf_mech_name *fixed = kcf_mech_name(m->number);

	if (!m->n_offers)
		return;
	json_object(j, NULL);
	json_string(j, "name", m->name);
	json_string(j, "alias", fixed ? fixed->alias : "");
	json_u64(j, "number", m->number);
	classes_json(m->classes, j);
	json_string(j, "mode", mode_word(m->mode));
	json_u64(j, "threshold", m->threshold);
	json_string(j, "threshold_from", mech_threshold_word(m));
	json_array(j, "providers");
	for (unsigned i = 0; i < m->n_offers; i++)
		offer_json(m->offers[i], j);
	json_end_array(j);
	json_end_object(j);
}

static void limits_json(const struct limits *l, struct json *j)
{
	json_array(j, "limits");
	for (const struct limits_row *row = limits_rows(); row->name; row++) {
		json_object(j, NULL);
		json_string(j, "name", row->name);
		json_u64(j, "value", *(const uint64_t *)((const char *)l + row->offset));
		json_u64(j, "default", row->def);
		json_u64(j, "min", row->min);
		json_u64(j, "max", row->max);
		json_string(j, "text", row->text);
		json_end_object(j);
	}
	json_end_array(j);
}

void core_list(struct core *core, struct json *j, bool mechanisms, bool policy)
{
	json_object(j, NULL);
	json_array(j, "providers");
	for (unsigned i = 0; i < TABLE_PROVIDERS; i++)
		if (core->providers[i])
			provider_json(core->providers[i], j);
	json_end_array(j);
	if (mechanisms) {
		json_array(j, "mechanisms");
		for (unsigned i = 0; i < core->mechs.n_rows; i++)
			mech_json(core->mechs.rows[i], j);
		json_end_array(j);
	}
	if (policy) {
		limits_json(&core->limits, j);
		keys_list(core, j);
	}
	json_end_object(j);
}

static const char *at_word(const struct request_sched *s)
{
	switch (s->at) {
	case AT_SOFTWARE_QUEUE:
		return "software queue";
	case AT_HARDWARE_QUEUE:
		return "hardware queue";
	case AT_PARKED:
		return "module or key being prepared";
	case AT_CONTEXT:
		return "behind others of its context";
	case AT_WORKER:
		return "worker";
	case AT_DEVICE:
		return "device";
	default:
		return "loop";
	}
}

void core_requests(struct core *core, struct json *j)
{
	uint64_t now = uv_hrtime();

	json_object(j, NULL);
	json_array(j, "requests");
	list_for_each(l, &core->live)
	{
		const struct request_sched *s = list_entry(l, struct request_sched, live);
		const struct request *r = s->r;

		json_object(j, NULL);
		json_u64(j, "connection", r->conn_id);
		json_u64(j, "id", r->id);
		json_u64(j, "uid", r->consumer->uid);
		json_string(j, "operation", op_word(r->op));
		json_string(j, "mechanism", r->tmpl ? r->tmpl->mech->name : "");
		json_string(j, "state", r->state == REQUEST_RUNNING ? "running" : "waiting");
		json_string(j, "at", at_word(s));
		json_string(j, "provider", s->provider && s->prepared ? s->provider->name : "");
		json_u64(j, "position", sched_position(core, r));
		json_u64(j, "bytes", r->in.len);
		json_u64(j, "steps_done", r->steps_done);
		json_u64(j, "queue_hops", r->queue_hops);
		json_u64(j, "age_us", now > s->arrived_ns ? (now - s->arrived_ns) / 1000 : 0);
		json_end_object(j);
	}
	json_end_array(j);
	json_end_object(j);
}

/* ---- changes ---- */

/* NULL: err says so. */
static struct mech *find_mech(struct core *core, const char *name, char *err, size_t err_len)
{
	struct mech *m = mech_by_name(core, name);
	struct near near;

	if (m)
		return m;
	near_init(&near, name);
	for (unsigned i = 0; i < core->mechs.n_rows; i++)
		if (core->mechs.rows[i]->n_offers)
			near_look(&near, core->mechs.rows[i]->name);
	near_say(&near, "mechanism", "see kcfadm list -m", err, err_len);
	return NULL;
}

static bool parse_number(const char *text, uint64_t *ret)
{
	char *end;

	errno = 0;
	*ret = strtoull(text, &end, 10);
	return errno == 0 && end != text && *end == 0 && *text != '-';
}

static enum kcf_status set_limit(struct core *core, const char *name, const char *value, char *err,
				 size_t err_len)
{
	const char *near = NULL;
	struct limits l = core->limits;
	uint64_t n;
	int res;

	if (!parse_number(value, &n)) {
		snprintf(err, err_len, "%s: \"%s\" is not a whole number", name, value);
		return KCF_ARGUMENTS_BAD;
	}
	res = limits_set(&l, name, n, &near);
	if (res == -ENOENT) {
		near_say(&(struct near){.word = name, .best = near}, "setting",
			 "see kcfadm list -p", err, err_len);
		return KCF_NOT_FOUND;
	}
	if (res == -ERANGE) {
		snprintf(err, err_len, "%s: %s is out of range; see kcfadm list -p", name, value);
		return KCF_ARGUMENTS_BAD;
	}
	if (l.connections * 8 > l.software_queue / 2) {
		snprintf(err, err_len,
			 "connections times 8 must be at most half of software_queue");
		return KCF_ARGUMENTS_BAD;
	}
	core->limits = l;
	core_limits_changed(core);
	return KCF_SUCCESS;
}

static enum kcf_status set_threshold(struct core *core, const char *name, const char *value,
				     char *err, size_t err_len)
{
	struct mech *m = find_mech(core, name, err, err_len);
	uint64_t n;

	if (!m)
		return KCF_NOT_FOUND;
	if (!strcmp(value, "auto")) {
		mech_auto_threshold(core, m);
		measure_first_use(core, m);
		return KCF_SUCCESS;
	}
	if (!strcmp(value, "never"))
		n = UINT32_MAX;
	else if (!parse_number(value, &n) || n > UINT32_MAX) {
		snprintf(err, err_len, "threshold: give bytes, at most %u, \"never\" or \"auto\"",
			 UINT32_MAX);
		return KCF_ARGUMENTS_BAD;
	}
	mech_set_threshold(core, m, (uint32_t)n);
	return KCF_SUCCESS;
}

static enum kcf_status set_mode(struct core *core, const char *name, const char *value, char *err,
				size_t err_len)
{
	bool all = !strcmp(name, "all");
	enum table_mode mode;
	struct mech *m;

	if (!mode_find(value, &mode)) {
		snprintf(err, err_len,
			 "mode: \"%s\" is none of hardware-first, adaptive, software-first, "
			 "round-robin",
			 value);
		return KCF_ARGUMENTS_BAD;
	}
	m = all ? NULL : find_mech(core, name, err, err_len);
	if (!all && !m)
		return KCF_NOT_FOUND;
	mech_set_mode(core, m, mode);
	return KCF_SUCCESS;
}

static enum kcf_status set_weight(struct core *core, const char *name, const char *value, char *err,
				  size_t err_len)
{
	uint64_t uid, weight;
	struct consumer *c;

	if (!parse_number(name, &uid) || uid > UINT32_MAX || !parse_number(value, &weight) ||
	    weight < 1 || weight > 1000) {
		snprintf(err, err_len, "weight: give a numeric uid and a weight from 1 to 1000");
		return KCF_ARGUMENTS_BAD;
	}
	c = consumer_find(core, (uid_t)uid);
	if (!c) {
		snprintf(err, err_len, "uid %s has not been connected", name);
		return KCF_NOT_FOUND;
	}
	consumer_set_weight(c, (uint32_t)weight);
	return KCF_SUCCESS;
}

static enum kcf_status set_provider(struct core *core, const char *name, const char *value,
				    char *err, size_t err_len)
{
	const char *dot = strchr(name, '.');
	char instance[KCF_NAME_MAX];
	enum kcf_status status;
	struct provider *p;

	snprintf(instance, sizeof(instance), "%.*s", (int)(dot - name), name);
	p = provider_find_or_say(core, instance, err, err_len);
	if (!p)
		return KCF_NOT_FOUND;
	status = p->inst.desc->ops->set ? p->inst.desc->ops->set(p->inst.prov, dot + 1, value)
					: KCF_NOT_FOUND;
	if (status != KCF_SUCCESS)
		snprintf(err, err_len, "%s: %s", name,
			 status == KCF_NOT_FOUND ? "this provider has no such setting"
						 : "not a value for it");
	else if (p->hardware)
		p->slots = provider_ask_slots(p);
	sched_arm(core);
	return status;
}

enum kcf_status core_set(struct core *core, const char *name, const char *value, char *err,
			 size_t err_len)
{
	static const struct {
		const char *prefix;
		enum kcf_status (*set)(struct core *core, const char *name, const char *value,
				       char *err, size_t err_len);
		const char *usage;
	} kinds[] = {{"threshold ", set_threshold, "MECHANISM BYTES"},
		     {"mode ", set_mode, "MECHANISM|all MODE"},
		     {"weight ", set_weight, "UID WEIGHT"}};

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		size_t len = strlen(kinds[i].prefix);

		if (!strncmp(name, kinds[i].prefix, len))
			return kinds[i].set(core, name + len, value, err, err_len);
		if (strncmp(name, kinds[i].prefix, len - 1) || name[len - 1])
			continue;
		snprintf(err, err_len, "usage: set %s %s", name, kinds[i].usage);
		return KCF_ARGUMENTS_BAD;
	}
	if (strchr(name, '.'))
		return set_provider(core, name, value, err, err_len);
	return set_limit(core, name, value, err, err_len);
}

/* Queued for an offer that is off now: decided about again. The software queue is looked at when it
 * is taken from. */
static void redecide(struct core *core, struct provider *p)
{
	if (p->hardware && p->queue.depth > 0)
		sched_redispatch(core, p, true);
	sched_arm(core);
}

/* True: it was the other way round. */
static bool offer_switch(struct core *core, struct offer *offer, bool enable)
{
	if (!offer->mech || offer->enabled == enable)
		return false;
	offer->enabled = enable;
	core_event(core, enable ? KCF_EVENT_MECH_ADDED : KCF_EVENT_MECH_REMOVED, offer->mech->name,
		   offer->provider->name);
	return true;
}

enum kcf_status core_enable(struct core *core, const char *provider, const char *mechanism,
			    bool enable, char *err, size_t err_len)
{
	struct provider *p = provider_find_or_say(core, provider, err, err_len);
	struct mech *m = p && mechanism ? find_mech(core, mechanism, err, err_len) : NULL;
	bool found = !mechanism, changed = false;

	if (!p || (mechanism && !m))
		return KCF_NOT_FOUND;
	for (uint32_t i = 0; i < p->inst.desc->n_rows; i++) {
		if (m && p->offers[i].mech != m)
			continue;
		found = true;
		changed |= offer_switch(core, &p->offers[i], enable);
	}
	if (!found) {
		snprintf(err, err_len, "%s does not offer %s; see kcfadm list -m", provider,
			 m->name);
		return KCF_NOT_FOUND;
	}
	if (changed)
		mechs_publish(core);
	if (changed && !enable)
		redecide(core, p);
	return KCF_SUCCESS;
}
