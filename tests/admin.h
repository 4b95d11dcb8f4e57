/* SPDX-License-Identifier: Apache-2.0 */
/*
 * admin - administration of a test's kcfd: one command, one answer.
 */
#pragma once

#include <jansson.h>
#include "harness.h"

/* Send command and its arguments (NULL-terminated). Fails the test unless kcfd says KCF_SUCCESS. */
void admin_do(const struct harness_kcfd *h, const char *command, ...) __attribute__((sentinel));
/* The status instead; *ret_error (owned, may be NULL): kcfd's words. */
enum kcf_status admin_try(const struct harness_kcfd *h, char **ret_error, const char *command, ...)
	__attribute__((sentinel));
/* The answer as JSON, owned by the caller. */
json_t *admin_json(const struct harness_kcfd *h, const char *command, ...) __attribute__((sentinel));
/* Ask again until `requests` lists at least n of this state ("waiting", "running"). */
void admin_wait_requests(const struct harness_kcfd *h, const char *state, unsigned n);
/* Sum of a counter ("ops", "bytes", "errors") over the rows of `stats` that match; NULL = any. */
uint64_t admin_stat(const struct harness_kcfd *h, const char *counter, const char *place,
		    const char *mechanism, const char *provider);
