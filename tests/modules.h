/* SPDX-License-Identifier: Apache-2.0 */
/*
 * modules - a module folder of a test's own.
 *
 * It begins with openssl and its manifest. More are copies of what was built: of providers/, or of tests/modules/.
 */
#pragma once

#include "harness.h"

struct modules {
	char dir[HARNESS_DIR_LEN];
};

void modules_init(struct modules *m);
/* Copy kcf-NAME.so in, as kcf-AS.so. */
void modules_add(const struct modules *m, const char *name, const char *as);
/* Write kcf-NAME.manifest: one mechanism a line. */
void modules_manifest(const struct modules *m, const char *name, const char *lines);
/* Start kcfd on the folder. config may be NULL. */
void modules_start(const struct modules *m, struct harness_kcfd *h, const char *config);
void modules_deinit(struct modules *m);
