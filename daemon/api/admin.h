/* SPDX-License-Identifier: Apache-2.0 */
/*
 * admin - the commands of ADMIN: who may give them, what they are, and their answers.
 *
 *   list [mechanisms] [policy]     stats          requests        consumers
 *   trace [N]  (0: all)             enable PROVIDER [MECHANISM]    disable PROVIDER [MECHANISM]
 *   load MODULE [instance=NAME] [KEY=VALUE]...                    unload INSTANCE
 *   set NAME VALUE                 cancel REQUEST [CONNECTION]    connections
 *
 * set: NAME is a limit, "threshold MECH", "mode MECH", or "PROVIDER.key", in one argument or two.
 * An answer is JSON, or a status with a text that says what is wrong and what to do. Loop thread.
 */
#pragma once

#include <stdbool.h>
#include "api/conn.h"
#include "base/json.h"

#define ADMIN_ERROR_MAX 512

/* One command under way; owned by whoever answers it. */
struct admin_call {
	struct pending pending; /* first */
	struct conn *conn;
	const char *const *args; /* the message's; only while the command's function runs */
	unsigned n_args;
	struct json json;
	char error[ADMIN_ERROR_MAX];
};

/* May this connection give commands? */
bool admin_is_allowed(const struct conn *c);
/* Run the command. KCF_QUEUED: admin_answer comes later; else the caller answers with the status.
 */
enum kcf_status admin_run(struct admin_call *call, const char *command);
/* Send the answer and free the call. */
void admin_answer(struct admin_call *call, enum kcf_status status);
/* Remember what is wrong; returns status. */
enum kcf_status admin_fail(struct admin_call *call, enum kcf_status status, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
