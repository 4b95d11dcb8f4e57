/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bed - what most tests of the whole chain stand on: a module folder, a kcfd on it, a client, a collector of its
 * callbacks and events. openssl, nettle, multibuffer where it was built, fault, null, held-a and held-b are in the folder; only
 * openssl is loaded.
 */
#pragma once

#include "admin.h"
#include "collect.h"
#include "modules.h"

struct bed {
	struct modules modules;
	struct harness_kcfd kcfd;
	struct kcf_client_options options;
	struct kcf_client *client;
	struct collect done;
};

/* config: text of the configuration file, may be NULL. */
void bed_open(struct bed *b, const char *config);
void bed_close(struct bed *b);
/* Look a mechanism up. Fails the test if nobody offers it. */
struct kcf_mechanism bed_mech(struct bed *b, const char *name);
/* A number of kcfd's `stats`. */
uint64_t bed_stat(struct bed *b, const char *key);
/* Ask until it has this value. */
void bed_wait_stat(struct bed *b, const char *key, uint64_t value);
/* A number of one provider's row in `list`; fails the test if it is not there. */
uint64_t bed_provider(struct bed *b, const char *provider, const char *key);
bool bed_has_provider(struct bed *b, const char *provider);
/* The final status of what a call returned: waits for n callbacks in all if it was queued. */
enum kcf_status bed_end(struct bed *b, enum kcf_status status, unsigned n);
/* Operation and provider of the last n scheduling decisions, the newest last; owned by the caller. */
json_t *bed_trace(struct bed *b, unsigned n);
const char *bed_text(const json_t *row, const char *key);
