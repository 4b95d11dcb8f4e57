/* SPDX-License-Identifier: Apache-2.0 */
/*
 * settings: how the pretended device behaves. Each is a key with a value in text, given at start
 * (the instance's configuration) or at run time (ops->set).
 *
 *   slots N            jobs it takes at a time (64)
 *   latency-us N       from taking a job to finishing it (0)
 *   gate open|closed   closed: jobs are held until it opens (open)
 *   fail LIST          statuses given instead of answers, in turn: device-error, device-memory,
 *                      device-removed, failed, busy, buffer-too-big, key-size-range, host-memory;
 *                      none = stop it
 *   fail-count N       to the next N jobs; -1 = to all (-1)
 *   lose N             the next N jobs are never completed
 *   wrong N            the next N answers have a bit flipped
 *   wrong-length N     the next N answers claim to be longer than their room
 *   max-input N        more than this is KCF_BUFFER_TOO_BIG; 0 = no limit (0)
 *   self-test pass|fail
 *
 * and, at run time only, without lasting effect: release N (finish the N oldest jobs held by the
 * gate), die (announce failure, take nothing), return (announce recovery).
 */
#ifndef FAULT_SETTINGS_H
#define FAULT_SETTINGS_H

#include <kcf/provider.h>

#define FAIL_MAX 8

struct settings {
	int64_t slots, latency_us, fail_count, lose, wrong, wrong_length, max_input;
	bool gate_closed, self_test_fails;
	enum kcf_status fail[FAIL_MAX];
	unsigned n_fail, next_fail;
};

void settings_init(struct settings *s);
/* KCF_NOT_FOUND: no such key; KCF_ARGUMENTS_BAD: no such value. */
enum kcf_status settings_set(struct settings *s, const char *key, const char *value);
/* Sets what the instance's configuration gives. */
enum kcf_status settings_load(struct settings *s, const struct kcf_host *host);
/* A whole decimal number. */
bool settings_number(const char *text, int64_t *ret);

/* What is to happen to one job. */
enum plan { PLAN_ANSWER, PLAN_FAIL, PLAN_LOSE, PLAN_WRONG, PLAN_WRONG_LENGTH };

/* Decides about the next job, counting down; ret_status with PLAN_FAIL. */
enum plan settings_plan(struct settings *s, enum kcf_status *ret_status);

#endif
