/* SPDX-License-Identifier: Apache-2.0 */
/* speed-bar - the table of the bars. Each encryption that is compared has its decryption. */
#include <stdio.h>

#include "speed-bar.h"

#define DEPTH 256u

#define CALLER(NAME, WORK, SIZE, AT)                                                               \
	{                                                                                          \
		.name = "caller-" NAME, .c = {.work = (WORK), .size = (SIZE), .depth = 1},         \
		.door = &speed_caller, .direct = &speed_direct, .at = (AT)                         \
	}
#define CALLER_MB(NAME, WORK, SIZE, AT)                                                            \
	{                                                                                          \
		.name = "caller-mb-" NAME, .c = {.work = (WORK), .size = (SIZE), .depth = 1},      \
		.door = &speed_caller, .direct = &speed_direct, .vectors = true, .at = (AT)        \
	}
#define ASYNC(NAME, WORK, SIZE, AT)                                                                \
	{                                                                                          \
		.name = "async-" NAME, .c = {.work = (WORK), .size = (SIZE), .depth = DEPTH},      \
		.door = &speed_arena, .direct = &speed_direct, .crosses = true, .vectors = true,   \
		.at = (AT)                                                                         \
	}
#define BATCH(NAME, WORK, SIZE, AT)                                                                \
	{                                                                                          \
		.name = "batch-" NAME, .c = {.work = (WORK), .size = (SIZE), .depth = 1},          \
		.door = &speed_batch, .direct = &speed_direct, .vectors = true, .at = (AT)         \
	}
#define EIGHT_CLIENTS(NAME, WORK, SIZE, AT)                                                        \
	{                                                                                          \
		.name = "eight-clients-" NAME,                                                     \
		.c = {.work = (WORK), .size = (SIZE), .depth = 4, .clients = 8},                   \
		.door = &speed_clients, .direct = &speed_direct, .crosses = true, .vectors = true, \
		.at = (AT)                                                                         \
	}
#define SIGN(NAME, WORK, AT)                                                                       \
	{                                                                                          \
		.name = NAME, .c = {.work = (WORK), .size = 32, .depth = 64},                      \
		.door = &speed_handle, .direct = &speed_direct, .spread = true, .at = (AT)         \
	}

const struct speed_bar speed_bar_table[] = {
	CALLER("aes256gcm-64", SPEED_GCM_ENC, 64, 0.90),
	CALLER("aes256gcm-16k", SPEED_GCM_ENC, 16384, 0.98),
	CALLER("hmacsha256-64", SPEED_HMAC, 64, 0.90),
	{.name = "arena-aes256gcm-64k",
	 .c = {.work = SPEED_GCM_ENC, .size = 65536, .depth = 8},
	 .door = &speed_arena,
	 .direct = &speed_direct,
	 .crosses = true,
	 .at = 0.90},
	{.name = "inline-aes256gcm-64",
	 .c = {.work = SPEED_GCM_ENC, .size = 64, .depth = 96},
	 .door = &speed_inline,
	 .direct = &speed_direct,
	 .rule = SPEED_KCF_MIN,
	 .at = 300000},
	SIGN("handle-rsa2048-sign", SPEED_RSA_SIGN, 0.95),
	{.name = "idle-connection-bytes", .rule = SPEED_KCF_MAX, .at = 65536},

	ASYNC("aes256gcm-64", SPEED_GCM_ENC, 64, 1.5),
	ASYNC("aes256gcm-dec-64", SPEED_GCM_DEC, 64, SPEED_TWIN * 1.5),
	ASYNC("aes256gcm-1k", SPEED_GCM_ENC, 1024, 2.0),
	ASYNC("aes256gcm-dec-1k", SPEED_GCM_DEC, 1024, SPEED_TWIN * 2.0),
	ASYNC("aes256gcm-16k", SPEED_GCM_ENC, 16384, 1.5),
	ASYNC("aes256gcm-dec-16k", SPEED_GCM_DEC, 16384, SPEED_TWIN * 1.5),
	ASYNC("aes128cbc-enc-1k", SPEED_CBC_ENC, 1024, 3.5),
	ASYNC("aes128cbc-dec-1k", SPEED_CBC_DEC, 1024, SPEED_TWIN * 3.5),
	ASYNC("aes128cbc-enc-16k", SPEED_CBC_ENC, 16384, 4.0),
	ASYNC("aes128cbc-dec-16k", SPEED_CBC_DEC, 16384, SPEED_TWIN * 4.0),
	ASYNC("hmacsha256-1k", SPEED_HMAC, 1024, 1.5),
	ASYNC("aes128cbc-hmacsha256-1k", SPEED_DUAL_ENC, 1024, 1.3),
	ASYNC("aes128cbc-hmacsha256-dec-1k", SPEED_DUAL_DEC, 1024, SPEED_TWIN * 1.3),
	EIGHT_CLIENTS("aes128cbc-enc-1k", SPEED_CBC_ENC, 1024, 3.0),
	EIGHT_CLIENTS("aes128cbc-dec-1k", SPEED_CBC_DEC, 1024, SPEED_TWIN * 3.0),
	CALLER_MB("aes256gcm-64", SPEED_GCM_ENC, 64, 2.0),
	CALLER_MB("aes256gcm-dec-64", SPEED_GCM_DEC, 64, SPEED_TWIN * 2.0),
	CALLER_MB("aes256gcm-16k", SPEED_GCM_ENC, 16384, 2.0),
	CALLER_MB("aes256gcm-dec-16k", SPEED_GCM_DEC, 16384, SPEED_TWIN * 2.0),
	BATCH("aes256gcm-64", SPEED_GCM_ENC, 64, 3.0),
	BATCH("aes256gcm-dec-64", SPEED_GCM_DEC, 64, SPEED_TWIN * 3.0),
	BATCH("aes128cbc-enc-1k", SPEED_CBC_ENC, 1024, 5.0),
	BATCH("aes128cbc-dec-1k", SPEED_CBC_DEC, 1024, SPEED_TWIN * 5.0),
	BATCH("hmacsha256-1k", SPEED_HMAC, 1024, 1.8),
	SIGN("async-rsa2048-sign", SPEED_RSA_SIGN, 0.97),
	SIGN("async-ecdsap256-sign", SPEED_ECDSA_SIGN, 0.90),
	{.name = "roundtrip-hmac-64",
	 .c = {.work = SPEED_HMAC, .size = 64, .depth = 1},
	 .door = &speed_round_trip,
	 .direct = &speed_socket_trip,
	 .times = true,
	 .rule = SPEED_RATIO_MAX,
	 .at = 0.25},
	{0},
};

const struct speed_bar *speed_bar_find(const char *name)
{
	for (const struct speed_bar *b = speed_bar_table; b->name; b++) {
		if (!strcmp(b->name, name))
			return b;
	}
	return NULL;
}

static bool has_word(const char *line, const char *word)
{
	size_t len = strlen(word);

	for (const char *p = line; (p = strstr(p, word)); p += len) {
		if (p > line && p[-1] == ' ' && (p[len] == ' ' || p[len] == '\n' || !p[len]))
			return true;
	}
	return false;
}

bool speed_has_vectors(void)
{
	static const char *const words[] = {"avx512f",  "avx512dq", "avx512bw",
					    "avx512vl", "vaes",     "vpclmulqdq"};
	FILE *f = fopen("/proc/cpuinfo", "re");
	char line[8192];
	bool all = false;

	/* The kernel's word, not the CPU's: it says what programs may use. */
	while (f && !all && fgets(line, sizeof(line), f)) {
		if (strncmp(line, "flags", 5))
			continue;
		all = true;
		for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
			all = all && has_word(line, words[i]);
		break;
	}
	if (f)
		fclose(f);
	return all;
}

static bool is_decryption(enum speed_work_kind work)
{
	return work == SPEED_GCM_DEC || work == SPEED_CBC_DEC || work == SPEED_DUAL_DEC;
}

double speed_bar_at(const struct speed_bar *b, bool vectors)
{
	double without = is_decryption(b->c.work) ? SPEED_TWIN : 1.0;

	return b->vectors && !vectors && b->at > without ? without : b->at;
}

bool speed_bar_is_met(const struct speed_bar *b, bool vectors, const struct speed_result *r)
{
	double at = speed_bar_at(b, vectors);

	switch (b->rule) {
	case SPEED_RATIO_MIN:
		return (r->direct > 0 && r->kcf / r->direct >= at) ||
		       (b->crosses && r->limit > 0 && r->kcf / r->limit >= SPEED_LIMIT_SHARE);
	case SPEED_RATIO_MAX:
		return r->direct > 0 && r->kcf / r->direct <= at;
	case SPEED_KCF_MIN:
		return r->kcf >= at;
	default:
		return r->kcf <= at;
	}
}
