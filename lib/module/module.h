/* SPDX-License-Identifier: Apache-2.0 */
/*
 * module - provider modules: read, checked, mapped. Used by kcfd and inside applications.
 *
 * A module file is copied into a sealed memfd, those bytes are checked, and that descriptor is mapped under a
 * spelling of its path never used before. Loaded modules, known by content, are the only process-wide state; none is
 * ever unmapped. Nothing runs before the check. Any thread.
 */
#pragma once

#include <kcf/provider.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MODULE_MAX (64u * 1024 * 1024)

struct module {
	struct module *next;
	const struct kcf_provider_desc *desc;
	int fd; /* sealed memfd, open for ever */
	size_t size;
	const void *image; /* read-only mapping of fd: content identity */
};

struct module_error {
	char text[256]; /* what, why, what to do */
};

/* Copy the file into a sealed memfd. The file and folder must be owned by root or the caller's uid and not be
 * writable by others. Returns the descriptor or -errno. */
int module_seal(const char *path, struct module_error *err);
/* May these bytes be loaded? The one place where signatures are judged. 0 or -errno. */
int module_verify(int fd, struct module_error *err);
/* Map a sealed memfd (takes fd in every case), or find the module with the same content. Checks seals, ABI, sizes,
 * names and rows of the descriptor. */
enum kcf_status module_open(int fd, struct module **ret, struct module_error *err);
/* Is desc well formed? */
bool module_desc_ok(const struct kcf_provider_desc *desc, struct module_error *err);
/* Index of the row with this name; -1. */
int module_row(const struct module *m, const char *name);
/* Keep the list whole over fork; the first module_open() does it otherwise. Who holds a lock of its own around
 * module_open() and over fork calls this before it registers that. */
void module_guard_fork(void);
