/* SPDX-License-Identifier: Apache-2.0 */
/*
 * harness - a private kcfd for a test, and a raw connection to it.
 *
 * harness_kcfd_start() runs the built kcfd in the foreground as a child, in a runtime directory of
 * its own under /tmp, and returns when it serves. The child dies with the test. Its standard error
 * is kept in a file there. harness_raw_* speak frames without the client library, well formed or
 * not. Every wait is bounded by HARNESS_PATIENCE_MS, after which the test fails: nothing is ever
 * measured by it.
 */
#pragma once

#include <stdbool.h>
#include <sys/types.h>
#include "table/page.h"
#include "wire/codec.h"

#define HARNESS_PATIENCE_MS 30000
#define HARNESS_DIR_LEN     64

struct harness_kcfd {
	pid_t pid;
	char dir[HARNESS_DIR_LEN]; /* private, removed by stop */
	char socket[96]; /* to connect to */
	char log[96];    /* its standard error */
};

/* extra_args: NULL-terminated, may be NULL; a later one wins. Without "--set", "measure=1" there kcfd
 * gives devices no jobs of its own, so that a test may count theirs. Fails the test if kcfd does not come
 * up. KCF_TEST_KCFD and KCF_TEST_MODULES replace the built program and module directory. */
void harness_kcfd_start(struct harness_kcfd *h, const char *const extra_args[]);
/* The same with a configuration file of this text. */
void harness_kcfd_start_config(struct harness_kcfd *h, const char *config,
			       const char *const extra_args[]);
/* SIGTERM, wait, remove the directory. Returns the wait status; harmless twice (0). */
int harness_kcfd_stop(struct harness_kcfd *h);
/* SIGKILL and wait; the directory stays, so that harness_kcfd_restart can use it. */
void harness_kcfd_kill(struct harness_kcfd *h);
/* Start again on the same directory and socket, with the arguments of the start. */
void harness_kcfd_restart(struct harness_kcfd *h, const char *const extra_args[]);
/* Is the child still there? */
bool harness_kcfd_alive(const struct harness_kcfd *h);
/* What it wrote to standard error so far. Owned by the caller. */
char *harness_kcfd_log(const struct harness_kcfd *h);
/* Run kcfd to its end with these arguments; returns the exit status, *ret_text (owned) its stderr
 * and stdout. */
int harness_kcfd_run(const char *const args[], char **ret_text);
/* Make a private directory PREFIX-XXXXXX, in $KCF_TEST_TMP (which must be short: sockets are in it) or /tmp. */
void harness_dir(const char *prefix, char dir[static HARNESS_DIR_LEN]);
/* DIR/name with this content, mode 0600. */
void harness_file(const struct harness_kcfd *h, const char *name, const void *bytes, size_t len,
		  char path[static 128]);

/* ---- raw connections ---- */

struct harness_raw {
	int fd;
	uint32_t features; /* to be said in hello */
	struct page *page; /* after hello */
	uint8_t *buf;      /* received, not yet parsed */
	size_t len, room;
	int fds[WIRE_MAX_FDS]; /* received, not yet claimed */
	unsigned n_fds;
	struct codec_arena arena;
	void (*pump)(void *arg); /* instead of sleeping: lets the other side run in this process */
	void *pump_arg;
};

struct harness_frame {
	struct frame_header h;
	struct wire_msg msg;    /* until the next harness_raw_recv */
	const uint8_t *payload; /* likewise */
};

void harness_raw_open(struct harness_raw *r, const struct harness_kcfd *h);
/* Speak over an existing socket (taken). */
void harness_raw_attach(struct harness_raw *r, int fd);
void harness_raw_close(struct harness_raw *r);
/* Any bytes, with up to WIRE_MAX_FDS descriptors. false: the other side has closed. */
bool harness_raw_write(struct harness_raw *r, const void *bytes, size_t len, const int *fds,
		       unsigned n_fds);
bool harness_raw_send(struct harness_raw *r, const struct wire_msg *msg, uint64_t id,
		      const void *payload, uint32_t payload_len);
/* The next frame, or false at the end of the stream. */
bool harness_raw_recv(struct harness_raw *r, struct harness_frame *ret);
/* The next frame that is no event; fails the test unless it is of this type. */
void harness_raw_expect(struct harness_raw *r, enum frame_type type, struct harness_frame *ret);
/* Frames are skipped until kcfd closes; *ret_status (may be NULL): of the FATAL frame, else
 * KCF_SUCCESS. Fails the test if it does not close. */
void harness_raw_expect_closed(struct harness_raw *r, enum kcf_status *ret_status);
/* Say hello and map the page. */
void harness_raw_hello(struct harness_raw *r, struct wire_hello_reply *ret);
/* Take a received descriptor; -1 if none. */
int harness_raw_take_fd(struct harness_raw *r);
/* Fill the units and take them from the page, then send. */
bool harness_raw_send_op(struct harness_raw *r, struct wire_op *op, uint64_t id,
			 const void *payload, uint32_t payload_len);
/* Give a command (NULL-terminated words) and return its status; *ret_text (may be NULL; owned): the
 * JSON, or what is wrong. Nothing else may be under way on this connection. */
enum kcf_status harness_raw_admin(struct harness_raw *r, const char *const words[],
				  char **ret_text);
/* The first number behind "key": in a JSON text; fails the test if there is none. */
uint64_t harness_json_u64(const char *text, const char *key);
/* A connection with hello, a SHA-256 through kcfd, the right answer: kcfd serves others as before.
 */
void harness_raw_check_service(const struct harness_kcfd *h);
