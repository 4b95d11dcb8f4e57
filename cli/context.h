/* SPDX-License-Identifier: Apache-2.0 */
/*
 * context - a whole file through one multi-part operation without output of its own but the last:
 * digest, MAC, signature and their checks. One thread.
 */
#pragma once

#include "session.h"

#define CONTEXT_OUTPUT_MAX 65536u

struct context_output {
	unsigned char bytes[CONTEXT_OUTPUT_MAX];
	size_t len;
	double seconds;
	enum kcf_status status;
	struct stream_result done;
};

/* Update with the file, then final; check: what to compare, or NULL for output. Prints failures but
 * INVALID_MAC and SIGNATURE_INVALID, which are answers. Exit code. */
int context_run(struct session *s, const char *path, const struct kcf_how *how,
		const struct kcf_data *check, struct context_output *ret);
/* One update of a stream: submit function, arg is the struct kcf_context. */
enum kcf_status context_update(void *arg, const struct stream_slot *slot, struct kcf_data *out,
			       struct kcf_call_req *req);
/* Begin a context where the options say. */
enum kcf_status context_begin(struct session *s, const struct kcf_how *how,
			      struct kcf_context **ret);
