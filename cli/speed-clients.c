/* SPDX-License-Identifier: Apache-2.0 */
/*
 * speed-clients - several client processes on the client's CPU, each with its own connection and
 * few operations under way, through kcf's arena: what their requests gain from meeting in kcfd. The
 * rates add up. The processes wait on a pipe between turns and end with this one.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "speed.h"
#include "tool.h"

#define MAX_CLIENTS 16u

struct member {
	pid_t pid;
	int to, from; /* seconds of a turn; a struct speed_turn */
};

struct clients {
	unsigned n;
	struct member members[MAX_CLIENTS];
};

static int member_main(const struct speed_case *c, int in, int out)
{
	struct kcf_client *client;
	struct speed_turn turn;
	double seconds;
	void *state;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	speed_pin(c->cpu_client);
	client = speed_connect(c->socket, c->modules);
	state = client ? speed_arena.open(c, client) : NULL;
	while (state && read(in, &seconds, sizeof(seconds)) == sizeof(seconds)) {
		if (!speed_arena.run(state, seconds, NULL, &turn) ||
		    write(out, &turn, sizeof(turn)) != sizeof(turn))
			return 1;
	}
	if (client)
		kcf_client_close(client);
	return state == NULL;
}

static void clients_close(void *state)
{
	struct clients *d = state;

	for (unsigned i = 0; i < d->n; i++) {
		close(d->members[i].to);
		close(d->members[i].from);
	}
	for (unsigned i = 0; i < d->n; i++)
		waitpid(d->members[i].pid, NULL, 0);
	free(d);
}

static bool member_start(struct clients *d, const struct speed_case *c)
{
	struct member *m = &d->members[d->n];
	int to[2], from[2];

	if (pipe2(to, O_CLOEXEC) != 0)
		return false;
	if (pipe2(from, O_CLOEXEC) != 0) {
		close(to[0]);
		close(to[1]);
		return false;
	}
	m->pid = fork();
	if (m->pid == 0) {
		/* Those of the others too: their end is to be seen. */
		for (unsigned i = 0; i < d->n; i++)
			close(d->members[i].to);
		close(to[1]);
		_exit(member_main(c, to[0], from[1]));
	}
	close(to[0]);
	close(from[1]);
	m->to = to[1];
	m->from = from[0];
	if (m->pid > 0)
		d->n++;
	return m->pid > 0;
}

static void *clients_open(const struct speed_case *c, struct kcf_client *client)
{
	struct clients *d = calloc(1, sizeof(*d));

	if (!d || !c->clients || c->clients > MAX_CLIENTS || speed_is_sign(c->work)) {
		free(d);
		return NULL;
	}
	while (d->n < c->clients) {
		if (!member_start(d, c)) {
			tool_fail_errno("start", "a client process");
			clients_close(d);
			return NULL;
		}
	}
	return d;
}

static bool clients_run(void *state, double seconds, struct speed_latency *latency,
			struct speed_turn *ret)
{
	struct clients *d = state;
	struct speed_turn turn;
	double rate = 0;

	ret->n = 0;

	for (unsigned i = 0; i < d->n; i++) {
		if (write(d->members[i].to, &seconds, sizeof(seconds)) != sizeof(seconds))
			return false;
	}
	for (unsigned i = 0; i < d->n; i++) {
		if (read(d->members[i].from, &turn, sizeof(turn)) != sizeof(turn))
			return false;
		ret->n += turn.n;
		rate += speed_rate(&turn);
	}
	ret->seconds = rate > 0 ? (double)ret->n / rate : 0;
	return true;
}

const struct speed_door speed_clients = {"clients", clients_open, clients_run, clients_close};
