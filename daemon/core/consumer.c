/* SPDX-License-Identifier: Apache-2.0 */
#include "core/consumer.h"

#include <assert.h>
#include <stdlib.h>
#include "core/private.h"

void consumers_init(struct core *core)
{
	for (unsigned i = 0; i < CONSUMER_BUCKETS; i++)
		list_init(&core->consumers[i]);
	list_init(&core->idle_consumers);
}

void consumers_deinit(struct core *core)
{
	for (unsigned i = 0; i < CONSUMER_BUCKETS; i++) {
		struct list *l;

		while ((l = list_pop(&core->consumers[i])))
			free(list_entry(l, struct consumer, link));
	}
}

struct consumer *consumer_find(struct core *core, uid_t uid)
{
	list_for_each(l, &core->consumers[uid % CONSUMER_BUCKETS])
	{
		struct consumer *c = list_entry(l, struct consumer, link);

		if (c->uid == uid)
			return c;
	}
	return NULL;
}

static void leave_idle(struct consumer *c)
{
	if (list_empty(&c->idle))
		return;
	list_remove(&c->idle);
	c->core->n_idle_consumers--;
}

struct consumer *consumer_get(struct core *core, uid_t uid, gid_t gid)
{
	struct consumer *c = consumer_find(core, uid);

	if (!c) {
		c = calloc(1, sizeof(*c));
		if (!c)
			return NULL;
		c->core = core;
		c->uid = uid;
		c->weight = 1;
		list_init(&c->idle);
		for (unsigned i = 0; i <= TABLE_PROVIDERS; i++)
			queue_share_init(&c->shares[i], c->weight);
		list_push(&core->consumers[uid % CONSUMER_BUCKETS], &c->link);
	}
	c->gid = gid;
	c->refs++;
	leave_idle(c);
	return c;
}

/* FNV-1a. Whoever makes two of his own labels collide has one. */
static uint64_t hash_of(const char *label)
{
	uint64_t hash = 0xcbf29ce484222325;

	for (; *label; label++)
		hash = (hash ^ (uint8_t)*label) * 0x100000001b3;
	return hash;
}

uint8_t consumer_label_get(struct consumer *c, const char *label)
{
	uint64_t hash = hash_of(label);
	unsigned number = QUEUE_LABELS - 1, i = 0;

	while (i < QUEUE_LABELS && !(c->labels[i].refs && c->labels[i].hash == hash))
		i++;
	if (i < QUEUE_LABELS)
		number = i;
	else
		for (i = QUEUE_LABELS; i-- > 0;)
			if (!c->labels[i].refs)
				number = i;
	if (!c->labels[number].refs++)
		c->labels[number].hash = hash;
	return (uint8_t)number;
}

void consumer_label_put(struct consumer *c, uint8_t number)
{
	assert(c->labels[number].refs > 0);
	c->labels[number].refs--;
}

static bool is_charged(const struct consumer *c)
{
	for (unsigned i = 0; i < CHARGE_KINDS; i++)
		if (c->charged[i])
			return true;
	return false;
}

static void consumer_free(struct consumer *c)
{
	for (unsigned i = 0; i <= TABLE_PROVIDERS; i++)
		assert(c->shares[i].n == 0);
	leave_idle(c);
	list_remove(&c->link);
	free(c);
}

/* What an administrator gave a weight is not dropped: so it is not idle either. */
static void consumer_check(struct consumer *c)
{
	struct core *core = c->core;

	leave_idle(c);
	if (c->refs || is_charged(c) || c->weight != 1)
		return;
	list_push(&core->idle_consumers, &c->idle);
	if (++core->n_idle_consumers > CONSUMERS_IDLE)
		consumer_free(list_entry(core->idle_consumers.next, struct consumer, idle));
}

void consumer_put(struct consumer *c)
{
	assert(c->refs > 0);
	c->refs--;
	consumer_check(c);
}

static uint64_t charge_limit(const struct consumer *c, enum charge_kind kind)
{
	const struct limits *l = &c->core->limits;

	switch (kind) {
	case CHARGE_CONNECTION:
		return l->user_connections;
	case CHARGE_REQUEST:
		return l->user_requests;
	case CHARGE_KEY:
		return l->user_keys;
	case CHARGE_CONTEXT:
		return l->user_contexts;
	case CHARGE_TEMPLATE:
		return l->user_templates;
	default:
		return l->user_arena;
	}
}

bool consumer_has_room(const struct consumer *c, enum charge_kind kind, uint64_t n)
{
	uint64_t limit = charge_limit(c, kind);

	return n <= limit && c->charged[kind] <= limit - n;
}

enum kcf_status consumer_charge(struct consumer *c, enum charge_kind kind, uint64_t n)
{
	if (!consumer_has_room(c, kind, n))
		return KCF_QUOTA_EXCEEDED;
	c->charged[kind] += n;
	leave_idle(c);
	return KCF_SUCCESS;
}

void consumer_uncharge(struct consumer *c, enum charge_kind kind, uint64_t n)
{
	assert(c->charged[kind] >= n);
	c->charged[kind] -= n;
	consumer_check(c);
}

void consumer_set_weight(struct consumer *c, uint32_t weight)
{
	c->weight = weight;
	for (unsigned i = 0; i <= TABLE_PROVIDERS; i++)
		c->shares[i].weight = weight;
	consumer_check(c);
}

static void consumer_json(const struct consumer *c, struct json *j)
{
	static const char *const names[CHARGE_KINDS] = {
		[CHARGE_CONNECTION] = "connections",
		[CHARGE_REQUEST] = "requests",
		[CHARGE_KEY] = "keys",
		[CHARGE_CONTEXT] = "contexts",
		[CHARGE_TEMPLATE] = "templates",
		[CHARGE_ARENA] = "arena_bytes",
	};

	json_object(j, NULL);
	json_u64(j, "uid", c->uid);
	json_u64(j, "weight", c->weight);
	for (unsigned i = 0; i < CHARGE_KINDS; i++)
		json_u64(j, names[i], c->charged[i]);
	json_u64(j, "queued", c->shares[0].n);
	json_u64(j, "ops", c->ops);
	json_u64(j, "bytes", c->bytes);
	json_u64(j, "errors", c->errors);
	json_u64(j, "busy", c->busy);
	json_u64(j, "queue_ns", c->queue_ns);
	json_u64(j, "service_ns", c->service_ns);
	json_u64(j, "caller_ops", c->caller_ops);
	json_u64(j, "caller_bytes", c->caller_bytes);
	json_u64(j, "caller_errors", c->caller_errors);
	json_end_object(j);
}

void core_consumers(struct core *core, struct json *j)
{
	json_object(j, NULL);
	json_array(j, "consumers");
	for (unsigned i = 0; i < CONSUMER_BUCKETS; i++)
		list_for_each(l, &core->consumers[i])
			consumer_json(list_entry(l, struct consumer, link), j);
	json_end_array(j);
	json_end_object(j);
}
