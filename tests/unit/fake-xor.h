/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fake-xor - a provider in this program that counts what lives and remembers what it was given.
 *
 * Row 0 is a "cipher", exclusive or with the key's first byte (0xee fails after it has written);
 * row 1 a MAC, the sum of all bytes plus the key, 4 bytes; rows 2 and 3 only have names. The native
 * instance does rows 0 and 1 in one job, and like much hardware it decrypts before it compares.
 */
#pragma once

#include "module/prepared.h"

extern const struct instance fake_inst, fake_native;
extern int fake_templates, fake_states; /* alive */
extern void (*fake_during_run)(void);   /* called once, by the next submit */

/* Calls of submit, the oldest first. */
struct fake_submit {
	unsigned n;
	uint32_t row, row2;
	bool alike; /* all jobs have the same rows */
};

#define FAKE_LOG 64
extern struct fake_submit fake_log[FAKE_LOG];
extern int fake_submits;

/* With a key of one byte, of instance inst. */
struct prepared *fake_make_of(const struct instance *inst, uint32_t row, uint8_t key);
struct prepared *fake_make(uint32_t row, uint8_t key);
