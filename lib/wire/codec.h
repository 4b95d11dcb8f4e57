/* SPDX-License-Identifier: Apache-2.0 */
/*
 * wire/codec - plain structures for every message, and the only door to protobuf.
 *
 * Encoding appends to a caller's buffer. Decoding takes its memory from a struct codec_arena: a bounded
 * bump allocator (bytes and allocations budgeted) that is wiped when reset, so no key byte stays on the
 * heap. Decoded pointers point into the arena or into the message bytes and live until codec_reset.
 * Everything decoded has been checked for range here: lengths, counts, enum values; meaning is checked by the
 * receiver. Any thread, one arena per thread at a time.
 */
#pragma once

#include <kcf/client.h>
#include <stdbool.h>
#include "wire/frame.h"

/* ---- memory of one decoded message ---- */

#define CODEC_ARENA_SIZE (160u * 1024)
#define CODEC_MAX_ALLOCS 512u

struct codec_arena {
	uint8_t *mem; /* allocated at first use, CODEC_ARENA_SIZE */
	size_t used;
	size_t high; /* bytes to wipe */
	unsigned n_allocs;
};

void codec_init(struct codec_arena *arena);
/* Wipe what was used and forget it. */
void codec_reset(struct codec_arena *arena);
void codec_deinit(struct codec_arena *arena);

/* ---- messages ---- */

struct wire_bytes {
	const uint8_t *p;
	size_t len;
};

struct wire_range {
	uint32_t segment;
	uint64_t offset;
	uint64_t len;
};

struct wire_key {
	enum kcf_key_kind kind; /* NONE, BYTES, HANDLE or NAMED */
	enum kcf_key_format format;
	struct wire_bytes bytes;
	struct kcf_key_handle handle;
	const char *name;
};

/* A parameter in its public form: data points to the structure of kind, its byte strings into the
 * arena. kind NONE: data NULL. */
struct wire_param {
	enum kcf_param_kind kind;
	const void *data;
};

struct wire_module {
	const char *name;
	uint32_t provider;
	uint64_t size;
};

/* Bits of HELLO: EVENT brings the modules of software providers added later. */
#define FEATURE_MODULES 0x1u
/* And: the client may ask for a ring. */
#define FEATURE_RING 0x2u

struct wire_hello {
	uint32_t version_min, version_max, features;
	const char *label;
};

struct wire_hello_reply {
	uint32_t version, features, max_inline, lease;
	uint64_t max_request, daemon_id;
	struct wire_module modules[WIRE_MAX_MODULES];
	uint32_t n_modules;
};

struct wire_step {
	uint32_t kind; /* enum kcf_step_kind */
	uint32_t in_len, out_room;
	const struct wire_range *in, *out;
	uint32_t n_in, n_out;
};

struct wire_op {
	uint32_t op, phase, flags, mech, tmpl, context;
	struct wire_key key;
	struct wire_param param;
	uint32_t in_len, check_len, out_room, mac_room;
	const struct wire_range *in, *out, *mac;
	uint32_t n_in, n_out, n_mac;
	uint32_t preference, units;
	const char *provider;
	uint32_t mech2, tmpl2;
	struct wire_key key2;
	struct wire_param param2;
	const struct wire_step *steps;
	uint32_t n_steps;
};

struct wire_op_reply {
	uint32_t status, provider, busy_reason, queue_hops, step, mac_len;
	uint64_t out_len, required;
	struct wire_bytes iv;
	const uint64_t *step_lens;
	uint32_t n_step_lens;
};

struct wire_template_attach {
	uint32_t slot, mech;
	struct wire_key key;
};

enum wire_key_op { KEYOP_IMPORT = 1, KEYOP_GENERATE, KEYOP_DERIVE, KEYOP_EXPORT, KEYOP_DESTROY };

struct wire_key_op_msg {
	uint32_t kind, mech, usage, len;
	struct wire_key key;
	struct wire_param param;
};

struct wire_key_reply {
	uint32_t status;
	struct kcf_key_handle handle;
	bool has_handle;
	struct wire_bytes data;
};

struct wire_status_reply {
	uint32_t status, state, position, steps_done, provider;
};

struct wire_mech_reply {
	uint32_t status, mech;
};

struct wire_arena {
	uint32_t status, segment;
	uint64_t size;
};

struct wire_room {
	uint32_t units, provider;
};

struct wire_event {
	uint32_t type;
	const char *mechanism, *provider; /* "" = none */
	uint32_t module; /* row + 1 if the module comes with the frame */
};

struct wire_fatal {
	uint32_t status;
	const char *text;
};

#define WIRE_ADMIN_ARGS 32u

struct wire_admin {
	const char *command;
	const char *args[WIRE_ADMIN_ARGS];
	uint32_t n_args;
};

struct wire_admin_reply {
	uint32_t status;
	const char *error;
};

/* One message of any type. */
struct wire_msg {
	enum frame_type type;
	union {
		struct wire_hello hello;
		struct wire_hello_reply hello_reply;
		struct wire_op op;
		struct wire_op_reply op_reply; /* OP_REPLY, OP_STEP */
		struct wire_template_attach attach;
		uint32_t slot; /* TEMPLATE_DROP, CONTEXT_DROP, ARENA_FREE */
		struct wire_key_op_msg key_op;
		struct wire_key_reply key_reply;
		uint64_t id; /* CANCEL, STATUS */
		struct wire_status_reply status_reply;
		const char *name; /* MECH_FIND */
		struct wire_mech_reply mech_reply;
		uint32_t status;  /* DONE, RING_REPLY */
		uint32_t version; /* RING_NEW: of the ring */
		struct wire_arena arena; /* ARENA_NEW, _OFFER, _REPLY */
		struct wire_room room;	 /* WANT, ROOM */
		struct wire_event event;
		struct wire_fatal fatal;
		struct wire_admin admin;
		struct wire_admin_reply admin_reply;
	};
};

/* Encode msg's protobuf bytes to buf (room bytes). Returns the length; 0 for a message without fields
 * set is valid, so failure (too little room) is SIZE_MAX. */
size_t codec_encode(const struct wire_msg *msg, uint8_t *buf, size_t room);
/* Header and message together, payload_len counted in the header but not written. Returns the bytes
 * written or SIZE_MAX. */
size_t codec_encode_frame(const struct wire_msg *msg, uint64_t id, uint64_t deadline_us,
			  uint32_t payload_len, uint8_t *buf, size_t room);
/* Decode len bytes of a message of this type. false: malformed, out of range or over budget. */
bool codec_decode(struct codec_arena *arena, enum frame_type type, const uint8_t *buf, size_t len,
		  struct wire_msg *ret);

/* Units a request costs: one, and one per started WIRE_UNIT_BYTES of everything inline, both ways (in_len,
 * check_len, out_room, mac_room, and those of its steps). Both sides count by this. */
uint32_t codec_op_units(const struct wire_op *op);

/* ---- parameters, also used away from the wire ---- */

/* sizeof the structure of a kind; 0 for NONE or unknown. */
size_t param_size(enum kcf_param_kind kind);
/* Is a missing parameter fine for this kind? */
bool param_is_optional(enum kcf_param_kind kind);
/* Bytes needed for a deep copy of the structure and its byte strings; SIZE_MAX: more than there can be. */
size_t param_copy_len(enum kcf_param_kind kind, const void *param);
/* Deep copy into mem (param_copy_len bytes, aligned to 8); the result is mem. iv_out is kept. */
void *param_copy(enum kcf_param_kind kind, const void *param, void *mem);
