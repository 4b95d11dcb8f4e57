/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fake-kcfd - the daemon's side of the socket, scripted, for tests of the library.
 *
 * A thread serves one connection at a time on a socket in a folder of its own. It answers OP with
 * the input, each byte XOR FAKE_XOR, unless it is told to hold, to refuse or to be silent; the test
 * waits for frames by number, never by time. Members are changed under the lock through the
 * functions below.
 */
#pragma once

#include <pthread.h>
#include "table/page.h"
#include "table/ring.h"
#include "wire/codec.h"

#define FAKE_XOR      0x5a
#define FAKE_SEGMENTS 8
#define FAKE_KEPT     64

struct fake_frame {
	struct fake_frame *next;
	struct frame_header h;
	unsigned connection;
	uint8_t *bytes; /* message, then payload */
};

struct fake_segment {
	uint32_t number; /* 0 = none */
	size_t size;
	uint8_t *base;
};

/* An entry of the ring. */
struct fake_entry {
	struct ring_entry e;
	uint8_t extra[RING_EXTRA_ROOM];
};

struct fake_kcfd {
	char dir[64], path[96];
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	int listen_fd, fd, wake_fd;
	bool stop;
	unsigned connection; /* running number */

	/* behaviour */
	uint64_t daemon_id;
	uint32_t lease;
	enum kcf_status fatal;  /* answer to HELLO, if not SUCCESS */
	uint32_t version;       /* in HELLO_REPLY */
	bool hold;              /* keep OPs and KEY_OPs instead of answering */
	bool silent;            /* do not even read */
	enum kcf_status status; /* of OP answers */
	uint32_t busy_provider;
	unsigned n_busy; /* so many OPs are answered BUSY first */
	enum kcf_status attach_status;
	enum kcf_status arena_status;
	uint64_t arena_quota;
	bool keep_credits;
	uint8_t key_handle[16];
	uint32_t features;
	enum kcf_status ring_status;
	unsigned ring_fds; /* so many descriptors come with RING_REPLY; 2 */

	/* what came */
	unsigned n_frames[FRAME_TYPE_COUNT];
	struct fake_frame *held, **held_end;
	struct wire_op last_op; /* pointers not valid */
	struct kcf_param_aead last_aead; /* likewise */
	uint8_t last_aead_bytes[32];     /* its nonce, then aad, as far as there is room */
	uint64_t last_id;
	struct page *page;
	struct fake_segment segments[FAKE_SEGMENTS];
	uint64_t arena_used;
	struct ring_server ring;
	int bell;
	unsigned n_entries, n_kept;
	struct fake_entry kept[FAKE_KEPT];
};

/* For fake-ring.c, lock held: a message with descriptors (not taken); memory of a segment. */
void fake_send_locked(struct fake_kcfd *f, const struct wire_msg *msg, uint64_t id, const int *fds,
		      unsigned n_fds);
uint8_t *fake_range(struct fake_kcfd *f, const struct wire_range *r);

void fake_start(struct fake_kcfd *f);
void fake_stop(struct fake_kcfd *f);
/* Run under the lock: f->member = value. */
#define FAKE_SET(f, member, value)                                                                 \
	do {                                                                                       \
		pthread_mutex_lock(&(f)->lock);                                                    \
		(f)->member = (value);                                                             \
		pthread_mutex_unlock(&(f)->lock);                                                  \
	} while (0)
/* Wait until n frames of this type have come in all. */
void fake_wait(struct fake_kcfd *f, enum frame_type type, unsigned n);
unsigned fake_count(struct fake_kcfd *f, enum frame_type type);
/* Answer what is held, and hold no more. */
void fake_release(struct fake_kcfd *f);
/* Hold no more; what is held is forgotten. */
void fake_forget(struct fake_kcfd *f);
/* Be silent no more. */
void fake_speak(struct fake_kcfd *f);
/* Close the connection. */
void fake_drop(struct fake_kcfd *f);
/* Stop and start listening. */
void fake_unlisten(struct fake_kcfd *f);
void fake_listen(struct fake_kcfd *f);
/* Send a message by itself. */
void fake_send(struct fake_kcfd *f, const struct wire_msg *msg, uint64_t id);
void fake_send_bytes(struct fake_kcfd *f, const void *bytes, size_t len);
/* The same with a descriptor (not taken). */
void fake_send_fd(struct fake_kcfd *f, const struct wire_msg *msg, uint64_t id, int fd);
/* Have the thread look at its members again. */
void fake_wake(struct fake_kcfd *f);
/* Put units into the credit word. */
void fake_give(struct fake_kcfd *f, uint32_t units);
