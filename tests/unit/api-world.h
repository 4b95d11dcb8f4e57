/* SPDX-License-Identifier: Apache-2.0 */
/*
 * api-world - the api layer over a socketpair, on a core that completes requests when the test says
 * so.
 */
#pragma once

#include "../harness.h"
#include "api/conn.h"
#include "fake-core.h"
#include "test-main.h"

extern uv_loop_t loop;
extern struct api api;
extern struct harness_raw raw;

void pump(void *arg);
/* A few turns of the loop. */
void pump_some(void);
/* A connection of this user, over a socketpair, in a loop of the test. */
void connect_raw(struct harness_raw *r, uid_t uid);
/* Check fixtures: an api on a fake core, and a connection; served: that has said hello. */
void world_setup(void);
void world_setup_served(void);
/* Whatever a test did: nothing is left of its connections once they are closed. */
void world_teardown(void);
/* SHA-256 of three bytes. */
struct wire_op digest_op(void);
/* The oldest request the core was given. */
struct request *wait_request(void);
/* The next frame answers operation id. */
struct wire_op_reply expect_op(uint64_t id, struct harness_frame *f);
/* The connection is closed with this status, and nothing is left of it. */
void expect_violation(enum kcf_status want);
void send_msg(const struct wire_msg *msg, uint64_t id);
/* Put an AES or HMAC key into a template slot. */
enum kcf_status attach(uint32_t slot, uint32_t mech);
struct wire_key some_bytes(void);
