/* SPDX-License-Identifier: Apache-2.0 */
/*
 * adm-client - one connection to kcfd for administration: HELLO, then ADMIN frames, one at a time,
 * each answered by JSON text. It needs no arena, table or library thread, so it speaks frames
 * itself. One thread.
 */
#pragma once

#include <jansson.h>
#include <kcf/client.h>
#include <stdbool.h>

#include "wire/codec.h"

struct adm_client {
	int fd;
	uint64_t next_id;
	uint8_t *buf; /* one frame */
	struct codec_arena arena;
};

/* socket NULL: KCF_SOCKET, else the compiled-in path. Prints what is wrong; exit code. */
int adm_open(struct adm_client *c, const char *socket);
void adm_close(struct adm_client *c);
/* Ask; *ret is the answer (owned; an empty object when there was no text). Prints what is wrong;
 * exit code. */
int adm_ask(struct adm_client *c, const char *command, const char *const *args, unsigned n_args,
	    json_t **ret);
