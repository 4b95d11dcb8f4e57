/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kcfd - the daemon as a whole: owns the loop, the core and the api layer; the one place that says
 * in which order they start and stop.
 *
 *   start: loop -> hooks -> core -> named keys -> listener -> ready
 *   SIGTERM, SIGINT: listener -> what is under way -> connections -> core -> hooks -> loop
 *
 * What is under way has two seconds; a second signal does not wait.
 */
#pragma once

#include "config.h"

struct kcfd_options {
	const char *socket;
	const char *module_dir;
	const struct config *config;
	int ready_fd; /* gets one byte when kcfd serves, then is closed; -1: none */
};

/* Serve until told to stop. The exit status of the process. */
int kcfd_run(const struct kcfd_options *options);
