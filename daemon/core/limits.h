/* SPDX-License-Identifier: Apache-2.0 */
/*
 * limits - every number an operator may set, with its default and bounds.
 *
 * The configuration file, `kcfadm set` and `kcfadm list -p` all read this one list.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* X(name, default, min, max, text). Units in the text; sizes in bytes. */
#define LIMITS_LIST(X)                                                                             \
	X(software_queue, 16384, 256, 1048576, "credits in the software queue")                    \
	X(hardware_queue, 1024, 1, 65536, "requests waiting per hardware provider")                \
	X(connections, 1024, 1, 65536, "connections; times 8 at most half of software_queue")      \
	X(lease, 256, 8, 65536, "credits leased to a connection at first")                         \
	X(workers_min, 1, 0, 256, "worker threads kept")                                           \
	X(workers_max, 0, 0, 256, "worker threads at most; 0 = number of CPUs")                    \
	X(worker_idle_ms, 10000, 10, 3600000, "ms before a surplus worker ends")                   \
	X(max_request, 16777216, 65536, 268435456, "bytes of one request")                         \
	X(aead_buffer, 1048576, 4096, 268435456, "bytes an AEAD decryption in parts may hold")     \
	X(request_steps, 33554432, 1000, 1099511627776,                                            \
	  "PBKDF2 iterations, or scrypt n*r*p, of one request")                                    \
	X(user_requests, 8192, 1, 1048576, "requests in flight per user")                          \
	X(user_connections, 1024, 1, 65536, "connections per user")                                \
	X(user_keys, 4096, 1, 1048576, "session keys per user")                                    \
	X(user_contexts, 4096, 1, 1048576, "open contexts per user")                               \
	X(user_templates, 65536, 1, 1048576, "attached templates per user")                        \
	X(user_arena, 1073741824, 65536, 1099511627776, "bytes of arena memory per user")          \
	X(segment_max, 268435456, 65536, 1099511627776, "bytes of one arena segment")              \
	X(short_ns, 50000, 0, 10000000, "predicted ns up to which the loop runs a job itself")     \
	X(device_timeout_ms, 1000, 10, 3600000, "ms a device has for a request without deadline")  \
	X(device_errors, 8, 1, 1000000, "errors in a row before a device leaves service")          \
	X(frame_ms, 5000, 10, 3600000, "ms a client has for hello, and to complete a frame")       \
	X(spin_us, 20, 0, 20, "us kcfd looks for entries of rings without sleeping; 0 = never")    \
	X(company_us, 5, 0, 1000, "us entries of rings wait for others to fill lanes; 0 = never")  \
	X(measure, 1, 0, 1, "1: find out in idle moments what providers take, 0: do not")          \
	X(trace, 1024, 16, 65536, "scheduling decisions remembered")

struct limits {
#define LIMITS__X(name, def, min, max, text) uint64_t name;
	LIMITS_LIST(LIMITS__X)
#undef LIMITS__X
};

void limits_init(struct limits *l);
/* 0, -ENOENT (no such name; *ret_near: the nearest one or NULL), -ERANGE. */
int limits_set(struct limits *l, const char *name, uint64_t value, const char **ret_near);
/* Row i for listing; NULL name after the last. */
struct limits_row {
	const char *name, *text;
	uint64_t def, min, max;
	size_t offset;
};
const struct limits_row *limits_rows(void);
