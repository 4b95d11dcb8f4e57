/* SPDX-License-Identifier: Apache-2.0 */
/*
 * world - kcfd in this process, without its listener, and two clients: one that an input speaks for, and one that
 * behaves and stays. Promises: every frame kcfd sends is well formed; when the bad client has gone everything it
 * made kcfd hold goes too; the good one is served all the time.
 */
#pragma once

#include "api/api.h"

#define PEER_FDS 16

/* The other end of a connection. */
struct peer {
	int fd;
	struct codec_arena arena;
	uint8_t *buf;
	size_t len;
	unsigned n_answers;
	bool closed;
	int fds[PEER_FDS]; /* received and not taken */
	unsigned n_fds;
};

extern struct peer bad;

/* Once. */
void world_init(void);
/* A new connection for bad, that has said hello. */
void world_begin(uint32_t features);
/* It goes, and everything of it. */
void world_end(void);
/* A turn of kcfd's loop; both read what came. */
void world_turn(void);
/* The good client asks something and gets its answer. */
void world_check_good(void);
/* As much as the socket takes; kcfd works in between. */
void peer_write(struct peer *p, const uint8_t *bytes, size_t len, bool with_fd);
void peer_send(struct peer *p, const struct wire_msg *msg, uint64_t id);
/* The first descriptor received. */
int peer_take_fd(struct peer *p);
