/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz - what the targets share. A target is one function over bytes; a broken promise aborts.
 *
 * tests/fuzz/run builds the targets with clang, makes seeds with fuzz-seeds and runs each for a moment.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);
/* Optional: before the first input. */
int LLVMFuzzerInitialize(int *argc, char ***argv);

#define FUZZ_PROMISE(what)                                                                         \
	do {                                                                                       \
		if (!(what)) {                                                                     \
			fprintf(stderr, "broken promise: %s\n", #what);                            \
			abort();                                                                   \
		}                                                                                  \
	} while (0)
