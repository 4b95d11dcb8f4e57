/* SPDX-License-Identifier: Apache-2.0 */
/* speed-caller - kcf's in-caller door: synchronous calls with templates, one thread, pinned where
 * direct is. */
#include <stdlib.h>
#include <string.h>

#include "speed.h"
#include "tool.h"

struct caller {
	struct speed_case c;
	struct kcf_client *client;
	struct kcf_template *templates[SPEED_TEMPLATES];
	unsigned char *in, *out;
	uint64_t n;
};

static kcf_mech_t mechanism(enum speed_work_kind work)
{
	return work == SPEED_AES256GCM ? KCF_M_AES_GCM : KCF_M_SHA256_HMAC;
}

static void caller_close(void *state)
{
	struct caller *d = state;

	for (unsigned i = 0; i < SPEED_TEMPLATES; i++)
		kcf_template_destroy(d->templates[i]);
	free(d->in);
	free(d->out);
	free(d);
}

static void *caller_open(const struct speed_case *c, struct kcf_client *client)
{
	enum kcf_status status = KCF_SUCCESS;
	struct caller *d;

	if (c->work == SPEED_RSA2048_SIGN)
		return NULL;
	d = calloc(1, sizeof(*d));
	if (!d)
		return NULL;
	d->c = *c;
	d->client = client;
	d->in = aligned_alloc(64, (c->size + 63) / 64 * 64);
	d->out = aligned_alloc(64, (speed_out_len(c) + 63) / 64 * 64);
	for (unsigned i = 0; status == KCF_SUCCESS && i < SPEED_TEMPLATES; i++) {
		unsigned char bytes[32];
		struct kcf_key key = kcf_key_bytes(bytes, sizeof(bytes));

		speed_key(bytes, sizeof(bytes), i);
		status = kcf_template_create(client, mechanism(c->work), &key, &d->templates[i]);
	}
	if (status == KCF_SUCCESS && d->in && d->out)
		return d;
	tool_fail(status, "templates for the caller's thread");
	caller_close(d);
	return NULL;
}

static enum kcf_status operate(struct caller *d)
{
	struct kcf_key key = kcf_key_tmpl(d->templates[d->n % SPEED_TEMPLATES]);
	struct kcf_data in = kcf_flat(d->in, d->c.size);
	struct kcf_data out = kcf_flat(d->out, speed_out_len(&d->c));
	unsigned char nonce[SPEED_NONCE_LEN];
	struct kcf_param_aead aead = {.iv = nonce, .iv_len = sizeof(nonce)};
	struct kcf_mechanism gcm = {KCF_M_AES_GCM, sizeof(aead), &aead};
	struct kcf_mechanism hmac = {KCF_M_SHA256_HMAC, 0, NULL};

	if (d->c.work == SPEED_HMACSHA256)
		return kcf_mac(d->client, &hmac, &key, &in, &out, NULL);
	speed_nonce(nonce, d->n);
	return kcf_encrypt(d->client, &gcm, &key, &in, &out, NULL);
}

static double caller_run(void *state, double seconds, struct speed_latency *latency)
{
	struct caller *d = state;
	unsigned batch = speed_batch(&d->c);
	size_t out_len = speed_out_len(&d->c);
	double started, now;
	uint64_t first = d->n, sum = 0;

	speed_pin(d->c.cpu_client);
	for (started = now = speed_now(); now - started < seconds; now = speed_now()) {
		for (unsigned i = 0; i < batch; i++, d->n++) {
			uint64_t t = latency ? speed_now_ns() : 0;
			enum kcf_status status;

			speed_fill(d->in, d->c.size, d->n);
			status = operate(d);
			if (status != KCF_SUCCESS) {
				tool_fail(status, "in the caller's thread");
				return -1;
			}
			sum += speed_read(d->out, out_len);
			if (latency)
				speed_sample(latency, speed_now_ns() - t);
		}
	}
	speed_consume(sum);
	return (double)(d->n - first) / (now - started);
}

const struct speed_door speed_caller = {"caller", caller_open, caller_run, caller_close};
