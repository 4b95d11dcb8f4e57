/* SPDX-License-Identifier: Apache-2.0 */
#include "api/admin.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "api/caller.h"
#include "api/conn-ring.h"
#include "config.h"

bool admin_is_allowed(const struct conn *c)
{
	return c->uid == 0 || c->uid == c->api->own_uid;
}

enum kcf_status admin_fail(struct admin_call *call, enum kcf_status status, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vsnprintf(call->error, sizeof(call->error), fmt, args);
	va_end(args);
	return status;
}

static struct core *core_of(const struct admin_call *call)
{
	return call->conn->api->core;
}

static bool has_arg(const struct admin_call *call, const char *arg)
{
	for (unsigned i = 0; i < call->n_args; i++) {
		if (!strcmp(call->args[i], arg))
			return true;
	}
	return false;
}

static bool to_number(const char *text, uint64_t *ret)
{
	char *end;

	errno = 0;
	*ret = strtoull(text, &end, 10);
	return text[0] >= '0' && text[0] <= '9' && !*end && !errno;
}

/* What clients' threads did since the last look. */
static void fold_callers(struct admin_call *call)
{
	list_for_each(l, &call->conn->api->conns)
		caller_fold(list_entry(l, struct conn, link), false);
}

/* ---- looking ---- */

static enum kcf_status run_list(struct admin_call *call)
{
	for (unsigned i = 0; i < call->n_args; i++) {
		if (strcmp(call->args[i], "mechanisms") && strcmp(call->args[i], "policy"))
			return admin_fail(call, KCF_ARGUMENTS_BAD,
					  "\"%s\" is unknown; possible are mechanisms and policy",
					  call->args[i]);
	}
	core_list(core_of(call), &call->json, has_arg(call, "mechanisms"), has_arg(call, "policy"));
	return KCF_SUCCESS;
}

static void put_ring(struct json *j, const struct rings_count *count)
{
	json_u64(j, "ring_entries", count->entries);
	json_u64(j, "ring_completions", count->completions);
	json_u64(j, "ring_by_socket", count->by_socket);
	json_u64(j, "ring_bells_heard", count->bells_heard);
	json_u64(j, "ring_bells_rung", count->bells_rung);
}

static void put_rings(struct json *j, struct api *a)
{
	struct rings_count all = a->rings.closed;
	unsigned n = 0;

	list_for_each(l, &a->conns)
	{
		const struct conn *c = list_entry(l, struct conn, link);

		if (!c->ring)
			continue;
		rings_count_add(&all, &c->ring->count);
		n++;
	}
	json_object(j, "rings");
	json_u64(j, "rings", n);
	put_ring(j, &all);
	json_u64(j, "ring_rounds", a->rings.rounds);
	json_u64(j, "ring_sleeps", a->rings.sleeps);
	json_u64(j, "ring_looked_us", a->rings.looked_ns / 1000);
	json_end_object(j);
}

static enum kcf_status run_stats(struct admin_call *call)
{
	fold_callers(call);
	json_object(&call->json, NULL);
	core_stats(core_of(call), &call->json);
	put_rings(&call->json, call->conn->api);
	json_end_object(&call->json);
	return KCF_SUCCESS;
}

static enum kcf_status run_requests(struct admin_call *call)
{
	core_requests(core_of(call), &call->json);
	return KCF_SUCCESS;
}

static enum kcf_status run_consumers(struct admin_call *call)
{
	fold_callers(call);
	core_consumers(core_of(call), &call->json);
	return KCF_SUCCESS;
}

static enum kcf_status run_trace(struct admin_call *call)
{
	uint64_t max = 0, put = 0, caller_max;

	if (call->n_args && (!to_number(call->args[0], &max) || max > 65536))
		return admin_fail(call, KCF_ARGUMENTS_BAD, "\"%s\" is no number up to 65536",
				  call->args[0]);
	json_object(&call->json, NULL);
	core_trace(core_of(call), &call->json, (unsigned)max);
	json_array(&call->json, "caller");
	caller_max = max ? max : UINT32_MAX;
	list_for_each(l, &call->conn->api->conns)
	{
		put += caller_trace(list_entry(l, struct conn, link), &call->json,
				    (unsigned)(caller_max - put));
	}
	json_end_array(&call->json);
	json_end_object(&call->json);
	return KCF_SUCCESS;
}

static void put_conn(struct json *j, const struct conn *c)
{
	json_object(j, NULL);
	json_u64(j, "connection", c->id);
	json_u64(j, "uid", c->uid);
	json_u64(j, "gid", c->gid);
	json_string(j, "label", c->label);
	json_u64(j, "answers_due", c->pending.n);
	json_u64(j, "templates", c->templates.n);
	json_u64(j, "contexts", c->contexts.n);
	json_u64(j, "segments", c->segments.n);
	json_u64(j, "units_leased", c->credit.leased);
	json_u64(j, "units_held", c->credit.held);
	json_u64(j, "units_wanted", c->credit.want_units);
	json_u64(j, "bytes_unsent", out_len(&c->out));
	if (c->ring)
		put_ring(j, &c->ring->count);
	json_end_object(j);
}

static enum kcf_status run_connections(struct admin_call *call)
{
	json_object(&call->json, NULL);
	json_array(&call->json, "connections");
	list_for_each(l, &call->conn->api->conns)
		put_conn(&call->json, list_entry(l, struct conn, link));
	json_end_array(&call->json);
	json_u64(&call->json, "open", call->conn->api->n_conns);
	json_u64(&call->json, "closing", call->conn->api->n_closing);
	json_u64(&call->json, "all_segments", call->conn->api->n_segments);
	json_end_object(&call->json);
	return KCF_SUCCESS;
}

/* ---- changing ---- */

static enum kcf_status enable(struct admin_call *call, bool on)
{
	return core_enable(core_of(call), call->args[0], call->n_args > 1 ? call->args[1] : NULL,
			   on, call->error, sizeof(call->error));
}

static enum kcf_status run_enable(struct admin_call *call)
{
	return enable(call, true);
}

static enum kcf_status run_disable(struct admin_call *call)
{
	return enable(call, false);
}

/* Limits that do not fit together are not taken, one by one though they are in range. */
static enum kcf_status check_limit(struct admin_call *call, const char *name, const char *value)
{
	struct limits l = *core_limits(core_of(call));
	const char *near;
	uint64_t n;

	if (!to_number(value, &n) || limits_set(&l, name, n, &near) != 0)
		return KCF_SUCCESS; /* no limit, or core_set says what is wrong */
	return config_check_limits(&l, call->error, sizeof(call->error)) ? KCF_SUCCESS
									 : KCF_ARGUMENTS_BAD;
}

/* The value is the last word; a name may have two: "threshold CKM_AES_GCM". */
static enum kcf_status run_set(struct admin_call *call)
{
	char name[128];
	enum kcf_status status;
	int n = snprintf(name, sizeof(name), "%s%s%s", call->args[0], call->n_args > 2 ? " " : "",
			 call->n_args > 2 ? call->args[1] : "");

	if (n < 0 || (size_t)n >= sizeof(name))
		return admin_fail(call, KCF_NOT_FOUND, "the name is too long");
	status = check_limit(call, name, call->args[call->n_args - 1]);
	if (status != KCF_SUCCESS)
		return status;
	status = core_set(core_of(call), name, call->args[call->n_args - 1], call->error,
			  sizeof(call->error));
	credit_serve(&call->conn->api->credit);
	return status;
}

/* The only request with this id, or the one of that connection. */
static struct request *find_request(struct admin_call *call, uint64_t id, uint64_t conn,
				    unsigned *ret_n)
{
	struct request *found = NULL;

	*ret_n = 0;
	list_for_each(l, &call->conn->api->conns)
	{
		struct conn *c = list_entry(l, struct conn, link);

		if (conn && c->id != conn)
			continue;
		list_for_each(k, &c->requests)
		{
			struct request *r = list_entry(k, struct request, conn_link);

			if (r->id != id)
				continue;
			found = r;
			++*ret_n;
		}
	}
	return found;
}

static enum kcf_status run_cancel(struct admin_call *call)
{
	uint64_t id, conn = 0;
	struct request *r;
	unsigned n;

	if (!to_number(call->args[0], &id) ||
	    (call->n_args > 1 && !to_number(call->args[1], &conn)))
		return admin_fail(call, KCF_ARGUMENTS_BAD,
				  "REQUEST and CONNECTION are numbers; see kcfadm requests");
	r = find_request(call, id, conn, &n);
	if (n == 0)
		return admin_fail(call, KCF_NOT_FOUND, "there is no request %llu under way",
				  (unsigned long long)id);
	if (n > 1)
		return admin_fail(call, KCF_ARGUMENTS_BAD,
				  "%u requests have the id %llu; say which: cancel %llu CONNECTION",
				  n, (unsigned long long)id, (unsigned long long)id);
	sched_cancel(core_of(call), r);
	return KCF_SUCCESS;
}

/* ---- loading: answered later ---- */

static void on_done(void *arg, enum kcf_status status, const char *err)
{
	struct admin_call *call = arg;

	if (err)
		snprintf(call->error, sizeof(call->error), "%s", err);
	admin_answer(call, status);
}

static enum kcf_status run_load(struct admin_call *call)
{
	const char *options[WIRE_ADMIN_ARGS], *instance = NULL;
	unsigned n = 0;

	for (unsigned i = 1; i < call->n_args; i++) {
		if (!strncmp(call->args[i], "instance=", 9))
			instance = call->args[i] + 9;
		else if (strchr(call->args[i], '='))
			options[n++] = call->args[i];
		else
			return admin_fail(call, KCF_ARGUMENTS_BAD,
					  "\"%s\" is not of the form key=value", call->args[i]);
	}
	core_load(core_of(call), call->args[0], instance, options, n, on_done, call);
	return KCF_QUEUED;
}

static enum kcf_status run_unload(struct admin_call *call)
{
	core_unload(core_of(call), call->args[0], on_done, call);
	return KCF_QUEUED;
}

/* ---- the table ---- */

struct admin_command {
	const char *name;
	enum kcf_status (*run)(struct admin_call *call);
	unsigned min_args, max_args;
	bool changes; /* logged */
	const char *usage;
};

static const struct admin_command commands[] = {
	{"list", run_list, 0, 2, false, "list [mechanisms] [policy]"},
	{"stats", run_stats, 0, 0, false, "stats"},
	{"requests", run_requests, 0, 0, false, "requests"},
	{"consumers", run_consumers, 0, 0, false, "consumers"},
	{"connections", run_connections, 0, 0, false, "connections"},
	{"trace", run_trace, 0, 1, false, "trace [N]"},
	{"enable", run_enable, 1, 2, true, "enable PROVIDER [MECHANISM]"},
	{"disable", run_disable, 1, 2, true, "disable PROVIDER [MECHANISM]"},
	{"load", run_load, 1, WIRE_ADMIN_ARGS, true, "load MODULE [instance=NAME] [KEY=VALUE]..."},
	{"unload", run_unload, 1, 1, true, "unload INSTANCE"},
	{"set", run_set, 2, 3, true, "set NAME VALUE"},
	{"cancel", run_cancel, 1, 2, true, "cancel REQUEST [CONNECTION]"},
};

static void log_change(const struct admin_call *call, const char *command)
{
	char line[256];
	struct log_about about;
	size_t len = (size_t)snprintf(line, sizeof(line), "administrator: %s", command);

	for (unsigned i = 0; i < call->n_args && len < sizeof(line); i++)
		len += (size_t)snprintf(line + len, sizeof(line) - len, " %s", call->args[i]);
	conn_log(call->conn, &about);
	log_line(KCF_LOG_INFO, &about, "%s", line);
}

enum kcf_status admin_run(struct admin_call *call, const char *command)
{
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		const struct admin_command *cmd = &commands[i];

		if (strcmp(cmd->name, command))
			continue;
		if (call->n_args < cmd->min_args || call->n_args > cmd->max_args)
			return admin_fail(call, KCF_ARGUMENTS_BAD, "usage: %s", cmd->usage);
		if (cmd->changes)
			log_change(call, command);
		return cmd->run(call);
	}
	return admin_fail(call, KCF_NOT_FOUND, "kcfd has no command \"%.64s\"", command);
}
