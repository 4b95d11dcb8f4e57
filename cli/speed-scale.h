/* SPDX-License-Identifier: Apache-2.0 */
/*
 * speed-scale - what the files of kcf-speed-scale share: the loop of every measurement, its
 * connections, and the lines it prints. One thread.
 */
#pragma once

#include <kcf/client.h>
#include <stdbool.h>
#include <stdint.h>

#include "speed.h"

#define SCALE_SIZE      64u /* bytes of input */
#define SCALE_OUT       32u
#define SCALE_MOST      1000u /* connections */
#define SCALE_TEMPLATES 10000u
#define SCALE_TURNS     5u
#define SCALE_SECONDS   0.4 /* of a turn */
#define SCALE_DEPTH     64u /* in flight, where one connection is enough */

struct scale;

/* One operation under way. */
struct scale_lane {
	struct scale_lane *next; /* that waits for room too */
	struct scale_connection *connection;
	unsigned char in[SCALE_SIZE], out[SCALE_OUT];
};

struct scale_connection {
	struct scale *scale;
	struct kcf_client *client;
	struct scale_lane *waiting; /* refused for want of credit */
};

struct scale {
	struct speed_options o;
	struct speed_daemon daemon;
	struct scale_connection connections[SCALE_MOST];
	unsigned n_connections;
	struct kcf_template *templates[SCALE_TEMPLATES];
	unsigned n_templates, n_keys; /* made, and used in rotation */
	kcf_mech_t digest;            /* not 0: digests of this instead of MACs under templates */
	struct scale_lane *lanes;     /* of this run */
	int epoll;
	uint64_t n, done, last; /* submitted, completed, and when to stop submitting */
	double until;
	unsigned in_flight;
	enum kcf_status failed;
	uint64_t sum;
};

/* What one run cost. */
struct scale_cost {
	double ops_per_second, kcfd_ns, client_ns;
};

/* ---- speed-scale.c ---- */

/* Processor time of all of kcfd's threads, and of this process. */
uint64_t scale_kcfd_ns(const struct scale *s);
uint64_t scale_client_ns(void);
/* `depth` operations under way on each of the first n connections, for so long (0: no limit) or so
 * many operations (0: no limit). Prints what is wrong. */
bool scale_run(struct scale *s, unsigned n, unsigned depth, double seconds, uint64_t ops,
	       struct scale_cost *ret);
/* Until there are n; callbacks on this thread. */
bool scale_open(struct scale *s, unsigned n);
void scale_close(struct scale *s, unsigned keep);
/* n in all, for the connections in rotation. */
bool scale_make_templates(struct scale *s, unsigned n);
void scale_destroy_templates(struct scale *s, unsigned keep);
void scale_print(const struct scale *s, const char *name, uint64_t n, const struct scale_cost *c,
		 double ratio);
struct scale_cost scale_median(const struct scale_cost *costs, unsigned n);

/* ---- the measurements: their kcfd runs. False: printed why not ---- */

bool scale_connections(struct scale *s);
bool scale_operations(struct scale *s);
bool scale_idle(struct scale *s);
bool scale_keys(struct scale *s);
/* Starts a kcfd for each number of workers itself. */
bool scale_workers(struct scale *s);
