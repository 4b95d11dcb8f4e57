/* SPDX-License-Identifier: Apache-2.0 */
/*
 * speed-scale-keys - from one key to ten thousand, in rotation, through three doors: libcrypto
 * itself, which shows what the memory costs, the caller's thread and kcfd. One thread.
 */
#include <openssl/evp.h>
#include <stdlib.h>

#include "speed-scale.h"

/* Three doors under the first n keys of 10,000: libcrypto itself, which shows what the memory
 * costs, the caller's thread and kcfd. */
enum keys_door { KEYS_DIRECT, KEYS_CALLER, KEYS_QUEUE, KEYS_DOORS };

static const char *const keys_names[] = {"keys-direct", "keys-caller", "keys-queue"};
static const unsigned key_counts[] = {1, 10, 100, 1000, SCALE_TEMPLATES};

#define KEY_COUNTS (sizeof(key_counts) / sizeof(key_counts[0]))

struct keys {
	struct scale *scale;
	EVP_MAC_CTX *macs[SCALE_TEMPLATES];
	struct scale_cost costs[KEYS_DOORS][KEY_COUNTS][SCALE_TURNS];
};

static bool make_macs(struct keys *k)
{
	OSSL_PARAM params[] = {OSSL_PARAM_construct_utf8_string("digest", (char *)"SHA2-256", 0),
			       OSSL_PARAM_construct_end()};
	EVP_MAC *hmac = EVP_MAC_fetch(NULL, "HMAC", NULL);
	bool ok = hmac != NULL;

	for (unsigned i = 0; ok && i < SCALE_TEMPLATES; i++) {
		unsigned char bytes[32];

		speed_key(bytes, sizeof(bytes), i);
		k->macs[i] = EVP_MAC_CTX_new(hmac);
		ok = k->macs[i] && EVP_MAC_init(k->macs[i], bytes, sizeof(bytes), params);
	}
	EVP_MAC_free(hmac);
	return ok;
}

static bool operate(struct keys *k, enum keys_door door, uint64_t n, unsigned n_keys)
{
	struct kcf_mechanism mech = {.number = KCF_M_SHA256_HMAC};
	struct kcf_key key = kcf_key_tmpl(k->scale->templates[n % n_keys]);
	unsigned char in[SCALE_SIZE], out[SCALE_OUT];
	struct kcf_data data = kcf_flat(in, sizeof(in)), mac = kcf_flat(out, sizeof(out));
	size_t len;
	bool ok;

	speed_fill(in, sizeof(in), n);
	if (door == KEYS_CALLER)
		ok = kcf_mac(k->scale->connections[0].client, &mech, &key, &data, &mac, NULL) ==
		     KCF_SUCCESS;
	else
		ok = EVP_MAC_init(k->macs[n % n_keys], NULL, 0, NULL) &&
		     EVP_MAC_update(k->macs[n % n_keys], in, sizeof(in)) &&
		     EVP_MAC_final(k->macs[n % n_keys], out, &len, sizeof(out));
	k->scale->sum += speed_read(out, sizeof(out));
	return ok;
}

/* In this thread: every key once, not counted, then for the time of a turn. */
static bool run_here(struct keys *k, enum keys_door door, unsigned n_keys, struct scale_cost *ret)
{
	double started, now;
	uint64_t n = 0, cpu;

	for (uint64_t i = 0; i < n_keys; i++)
		if (!operate(k, door, i, n_keys))
			return false;
	cpu = scale_client_ns();
	started = now = speed_now();
	while (now < started + SCALE_SECONDS / 4) {
		for (unsigned i = 0; i < 256; i++)
			if (!operate(k, door, n++, n_keys))
				return false;
		now = speed_now();
	}
	*ret = (struct scale_cost){(double)n / (now - started), 0,
				   (double)(scale_client_ns() - cpu) / (double)n};
	return true;
}

static bool run_keys(struct keys *k, enum keys_door door, unsigned count, unsigned turn)
{
	struct scale *s = k->scale;
	struct scale_cost *ret = &k->costs[door][count][turn];

	s->n_keys = key_counts[count];
	if (door != KEYS_QUEUE)
		return run_here(k, door, s->n_keys, ret);
	return scale_run(s, 1, SCALE_DEPTH, 0, s->n_keys, ret) && /* attaches them */
	       scale_run(s, 1, SCALE_DEPTH, SCALE_SECONDS, 0, ret);
}

static void print_keys(const struct keys *k)
{
	for (unsigned door = 0; door < KEYS_DOORS; door++) {
		struct scale_cost one = {0};

		for (unsigned i = 0; i < KEY_COUNTS; i++) {
			struct scale_cost c = scale_median(k->costs[door][i], SCALE_TURNS);

			if (i == 0)
				one = c;
			scale_print(k->scale, keys_names[door], key_counts[i], &c,
				    c.ops_per_second / one.ops_per_second);
		}
	}
}

bool scale_keys(struct scale *s)
{
	struct keys *k = calloc(1, sizeof(*k));
	bool ok = k && scale_open(s, 1) && scale_make_templates(s, SCALE_TEMPLATES) && make_macs(k);

	if (k)
		k->scale = s;
	for (unsigned turn = 0; turn < SCALE_TURNS; turn++)
		for (unsigned count = 0; count < KEY_COUNTS; count++)
			for (unsigned door = 0; door < KEYS_DOORS; door++)
				ok = ok && run_keys(k, door, count, turn);
	if (ok)
		print_keys(k);
	for (unsigned i = 0; k && i < SCALE_TEMPLATES; i++)
		EVP_MAC_CTX_free(k->macs[i]);
	free(k);
	return ok;
}
