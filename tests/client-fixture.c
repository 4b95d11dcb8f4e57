/* SPDX-License-Identifier: Apache-2.0 */
#include "client-fixture.h"

#include <check.h>
#include <string.h>

struct fake_kcfd fake;
uint8_t data_in[64], data_out[64];
const struct kcf_mechanism sha256 = {.number = KCF_M_SHA256};
struct event_log events = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};

void fixture_setup(void)
{
	fake_start(&fake);
	for (size_t i = 0; i < sizeof(data_in); i++)
		data_in[i] = (uint8_t)(3 * i + 1);
	memset(data_out, 0, sizeof(data_out));
	memset(events.n, 0, sizeof(events.n));
	fake_direct_done = false;
}

void fixture_teardown(void)
{
	fake_stop(&fake);
}

static void on_event(void *arg, const struct kcf_event *event)
{
	pthread_mutex_lock(&events.lock);
	events.n[event->type]++;
	events.last = *event;
	pthread_cond_broadcast(&events.changed);
	pthread_mutex_unlock(&events.lock);
}

void wait_event(enum kcf_event_type type, unsigned n)
{
	pthread_mutex_lock(&events.lock);
	while (events.n[type] < n)
		pthread_cond_wait(&events.changed, &events.lock);
	pthread_mutex_unlock(&events.lock);
}

struct kcf_client *open_client(uint32_t flags)
{
	struct kcf_client_options o = {
		.size = sizeof(o), .socket = fake.path, .flags = flags, .on_event = on_event};
	struct kcf_client *c;

	ck_assert_int_eq(kcf_client_open(&o, &c), KCF_SUCCESS);
	return c;
}

void on_done(void *arg, const struct kcf_completion *done)
{
	struct result *r = arg;

	pthread_mutex_lock(&r->lock);
	if (r->n < 64)
		r->statuses[r->n] = done->status;
	r->n++;
	r->last = *done;
	strncpy(r->provider, done->provider, sizeof(r->provider) - 1);
	r->thread = pthread_self();
	pthread_cond_broadcast(&r->changed);
	pthread_mutex_unlock(&r->lock);
}

void wait_result(struct result *r, unsigned n)
{
	pthread_mutex_lock(&r->lock);
	while (r->n < n)
		pthread_cond_wait(&r->changed, &r->lock);
	pthread_mutex_unlock(&r->lock);
}

struct kcf_completion last_of(struct result *r)
{
	struct kcf_completion last;

	pthread_mutex_lock(&r->lock);
	last = r->last;
	pthread_mutex_unlock(&r->lock);
	return last;
}

enum kcf_status digest(struct kcf_client *c, struct kcf_call_req *req)
{
	struct kcf_data in = kcf_flat(data_in, sizeof(data_in));
	struct kcf_data out = kcf_flat(data_out, sizeof(data_out));

	return kcf_digest(c, &sha256, &in, &out, req);
}

void expect_mixed(const uint8_t *out, const uint8_t *in, size_t len)
{
	for (size_t i = 0; i < len; i++)
		ck_assert_uint_eq(out[i], in[i] ^ FAKE_XOR);
}
