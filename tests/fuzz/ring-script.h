/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ring-script - fuzz input for a ring as a list of records: a byte that says what, then its bytes. The last record
 * may be cut short; what is missing is 0.
 */
#pragma once

#define RING_SCRIPT_ENTRY  0 /* 60 bytes: an entry without its seq; then 60 for each of its n_extra, at most 8 */
#define RING_SCRIPT_FIX    1 /* the same, but made to be possible */
#define RING_SCRIPT_POKE   2 /* u16, u8: a byte of the ring */
#define RING_SCRIPT_MEMORY 3 /* u16, u8: a byte of the segment */
#define RING_SCRIPT_FRAME  4 /* u8, u8: which, and a number for it */
#define RING_SCRIPT_TURN   5 /* kcfd works, then completions are read */
#define RING_SCRIPT_BELL   6
#define RING_SCRIPT_KINDS  7

#define RING_SCRIPT_BYTES 60u
