/* SPDX-License-Identifier: Apache-2.0 */
/*
 * listener - the socket that clients connect to.
 *
 * A lock file beside it makes sure that one kcfd serves a path; a socket left over by one that died
 * is replaced, anything else at the path is not. Who connects is known by SO_PEERCRED; those beyond
 * a limit are told so and closed. A descriptor in reserve keeps refusing possible when there are no
 * more descriptors. Loop thread.
 */
#pragma once

#include <sys/types.h>
#include <uv.h>

struct api;

struct listener_config {
	const char *path;
	mode_t mode;
	gid_t group; /* (gid_t)-1: the process's */
};

struct listener {
	struct api *api;
	uv_poll_t poll;
	int fd, lock_fd, spare_fd;
	ino_t inode; /* of the socket file we made */
	char path[108];
};

/* Zero and mark closed. */
void listener_init(struct listener *l, struct api *a);
/* 0 or -errno; what went wrong is logged. */
int listener_open(struct listener *l, const struct listener_config *config);
/* Remove the socket file and stop accepting. Harmless twice. */
void listener_close(struct listener *l);
