/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kcf/client.h - the application's side of kcf.
 *
 * One handle (struct kcf_client) per connection, usable from many threads. Every operation is one
 * function whose last parameter is a struct kcf_call_req:
 *
 *   req == NULL   synchronous: the final status is returned, never KCF_QUEUED or KCF_BUSY.
 *   req != NULL   asynchronous is permitted. Exactly three outcomes:
 *                   KCF_QUEUED   accepted; the callback runs exactly once
 *                   KCF_BUSY     refused, nothing kept, no callback; req->busy_reason says why
 *                   other        finished inside the call, no callback
 *
 * The call copies the structures, key bytes, parameters and iovec arrays; only payload buffers (in,
 * out, iv_out) must stay, unmodified, until completion. Work with key bytes (or no key) on a software
 * provider runs in the calling thread: no message, no system call.
 *
 * Every function may be called from any thread, and from inside a callback, unless it says otherwise.
 */
#ifndef KCF_CLIENT_H
#define KCF_CLIENT_H

#include <stdbool.h>
#include <kcf/types.h>

#ifdef __cplusplus
extern "C" {
#endif

#define KCF_API __attribute__((visibility("default")))

struct kcf_client;
struct kcf_template;
struct kcf_context;

/* Names a queued request within its client; never 0, never reused by the client. */
typedef uint64_t kcf_req_id;

/* ---- requests -------------------------------------------------------------------------------- */

#define KCF_ALWAYS_QUEUE 0x01  /* queue even where it could be served at once; a callback always comes */
#define KCF_NEVER_QUEUE 0x02   /* serve at once or KCF_BUSY */
#define KCF_WAIT 0x04	       /* synchronous, with this structure's deadline and preference */
#define KCF_NOTIFY_OPDONE 0x08 /* kcf_submit_steps: the callback also runs once per step */
#define KCF_SKIP_REQID 0x10    /* make no handle: req->id = 0, cannot be cancelled alone */
#define KCF_NOTIFY_SPACE 0x20  /* refused for room: KCF_EVENT_ROOM comes when room is reserved */

enum kcf_preference {
	KCF_PREFER_DEFAULT = 0, /* the client handle's, else the mode's order */
	KCF_PREFER_HARDWARE,	/* order only */
	KCF_PREFER_SOFTWARE,	/* order only */
	KCF_ONLY_HARDWARE,	/* filter */
	KCF_ONLY_SOFTWARE,	/* filter */
	KCF_ONLY_PROVIDER,	/* filter: kcf_call_req.provider; no failover outside it */
};

enum kcf_busy_reason {
	KCF_BUSY_NONE = 0,
	KCF_BUSY_WOULD_QUEUE, /* it would have to wait */
	KCF_BUSY_NO_ROOM,     /* no queue permitted has room, or no credit */
};

#define KCF_FINAL 0xffffffffu /* kcf_completion.step of the last notification */

/* What a callback gets. Valid during the call only. */
struct kcf_completion {
	enum kcf_status status;
	uint32_t step;		/* index of the finished step, or KCF_FINAL */
	size_t len;		/* bytes written to the output */
	size_t required;	/* with KCF_BUFFER_TOO_SMALL: the length needed */
	kcf_req_id id;
	const char *provider;	/* who did it, or "" */
	enum kcf_busy_reason busy_reason;
	uint32_t queue_hops;	/* how often it was put behind a queue */
};

typedef void (*kcf_callback)(void *arg, const struct kcf_completion *completion);

/* Zero it, then set what matters; it may be on the stack and reused as soon as the call returns. */
struct kcf_call_req {
	uint32_t flags;
	uint32_t timeout_ms; /* relative deadline; 0 = none, or with KCF_WAIT the handle's */
	kcf_callback callback; /* never on the submitting thread inside the call; may precede its return */
	void *arg;
	enum kcf_preference preference;
	const char *provider; /* with KCF_ONLY_PROVIDER */
	kcf_req_id id;	      /* out: set before the callback can run */
	enum kcf_busy_reason busy_reason; /* out, with KCF_BUSY */
};

/* ---- data, keys, mechanisms ------------------------------------------------------------------ */

/* Bytes in one piece or several. As output, len (or the sum of the iovecs) is the room; used is set
 * when the call itself finishes: bytes written, or with KCF_BUFFER_TOO_SMALL the bytes required. */
struct kcf_data {
	void *base;		 /* flat, when iov is NULL */
	size_t len;		 /* flat */
	const struct iovec *iov; /* else these */
	unsigned n_iov;
	size_t used;
};

static inline struct kcf_data kcf_flat(const void *base, size_t len)
{
	struct kcf_data d = {(void *)base, len, NULL, 0, 0};
	return d;
}

static inline struct kcf_data kcf_iov(const struct iovec *iov, unsigned n_iov)
{
	struct kcf_data d = {NULL, 0, iov, n_iov, 0};
	return d;
}

/* A mechanism as an operation uses it. param: the structure of the mechanism's parameter kind, and its
 * size; NULL and 0 where the kind is optional or NONE. */
struct kcf_mechanism {
	kcf_mech_t number;
	uint32_t param_len;
	const void *param;
};

enum kcf_key_kind {
	KCF_KEY_NONE = 0,
	KCF_KEY_BYTES,	  /* bytes, len, format */
	KCF_KEY_HANDLE,	  /* handle from kcf_key_import, _generate, _derive */
	KCF_KEY_NAMED,	  /* name: a key of kcfd's configuration */
	KCF_KEY_TEMPLATE, /* tmpl: its key and mechanism */
};

#define KCF_KEY_NAME_MAX 64

struct kcf_key_handle {
	uint8_t id[16];
};

struct kcf_key {
	enum kcf_key_kind kind;
	enum kcf_key_format format;
	const void *bytes;
	size_t len;
	struct kcf_key_handle handle;
	const char *name;
	struct kcf_template *tmpl;
};

/* Encrypt+MAC: the MAC is over the ciphertext. MAC+decrypt: it is verified before anything is
 * released. */
struct kcf_dual {
	const struct kcf_mechanism *cipher;
	const struct kcf_key *cipher_key;
	const struct kcf_mechanism *mac;
	const struct kcf_key *mac_key;
};

/* ---- client handle --------------------------------------------------------------------------- */

#define KCF_CLIENT_APP_LOOP 0x1	  /* completions through kcf_client_fd/_dispatch, no library thread */
#define KCF_CLIENT_STANDALONE 0x2 /* in-caller work also without kcfd */
#define KCF_CLIENT_NO_DAEMON 0x4  /* with STANDALONE: never connect */

enum kcf_event_type {
	KCF_EVENT_ROOM = 1,	    /* room is reserved for this connection for one second */
	KCF_EVENT_MECH_ADDED,	    /* mechanism, provider */
	KCF_EVENT_MECH_REMOVED,	    /* by this provider; another may still offer it */
	KCF_EVENT_PROVIDER_ADDED,
	KCF_EVENT_PROVIDER_REMOVED,
	KCF_EVENT_PROVIDER_FAILED,
	KCF_EVENT_PROVIDER_RETURNED,
	KCF_EVENT_DAEMON_LOST,
	KCF_EVENT_DAEMON_REGAINED,
};

struct kcf_event {
	enum kcf_event_type type;
	const char *mechanism; /* or NULL */
	const char *provider;  /* or NULL */
	uint32_t units;	       /* ROOM: credits reserved; 0 = a hardware slot of provider, or arena memory */
};

typedef void (*kcf_event_callback)(void *arg, const struct kcf_event *event);

/* Zeroed = defaults. */
struct kcf_client_options {
	size_t size;		 /* sizeof this structure */
	const char *socket;	 /* NULL: $KCF_SOCKET (not under AT_SECURE), else the compiled-in path */
	const char *label;	 /* subdivides the user's share; at most 32 bytes */
	uint32_t flags;
	uint32_t timeout_ms;	 /* for synchronous calls; 0 = 30 s */
	enum kcf_preference preference;
	kcf_event_callback on_event; /* on the thread that runs callbacks */
	void *event_arg;
	const char *module_dir; /* standalone: NULL = the compiled-in directory; ignored under AT_SECURE */
};

/* Connect. KCF_NO_DAEMON unless kcfd answers or KCF_CLIENT_STANDALONE is set; KCF_VERSION_MISMATCH,
 * KCF_PERMISSION_DENIED, KCF_QUOTA_EXCEEDED. options may be NULL. */
KCF_API enum kcf_status kcf_client_open(const struct kcf_client_options *options,
					struct kcf_client **ret);
/* Completes everything open with KCF_CANCELED, runs those callbacks, frees templates, contexts and
 * arena buffers. Not from a callback (KCF_ARGUMENTS_BAD there, nothing done); no other thread may be
 * inside a call. */
KCF_API enum kcf_status kcf_client_close(struct kcf_client *client);
/* After fork in the child: connect anew. Templates with key bytes stay valid; contexts in the daemon,
 * session keys and arena buffers do not. Also usable to connect a client that was opened without
 * kcfd. Takes no lock inherited from the parent. */
KCF_API enum kcf_status kcf_client_reopen(struct kcf_client *client);
/* Is the connection up? */
KCF_API bool kcf_client_connected(struct kcf_client *client);
/* KCF_CLIENT_APP_LOOP: one epoll descriptor, readable when kcf_client_dispatch has work. It stays the
 * same over reconnects and is closed by kcf_client_close. -1 without APP_LOOP. */
KCF_API int kcf_client_fd(struct kcf_client *client);
/* Run what is ready: read replies, run callbacks, send what callbacks submitted. Never blocks. */
KCF_API enum kcf_status kcf_client_dispatch(struct kcf_client *client);

/* ---- mechanisms ------------------------------------------------------------------------------ */

enum kcf_place { KCF_PLACE_NONE = 0, KCF_PLACE_CALLER, KCF_PLACE_KCFD, KCF_PLACE_HARDWARE };

#define KCF_MECH_PROVIDERS_MAX 8
#define KCF_NAME_MAX 48

struct kcf_mech_info {
	kcf_mech_t number;
	char name[KCF_NAME_MAX];
	uint32_t classes; /* enum kcf_class bits of the enabled offers */
	uint32_t param_kind;
	uint32_t key_min_bits;
	uint32_t key_max_bits;
	uint32_t threshold; /* bytes from which hardware is considered */
	enum kcf_place place; /* where a synchronous call with key bytes would run now */
	uint32_t n_providers;
	char providers[KCF_MECH_PROVIDERS_MAX][KCF_NAME_MAX];
};

/* Look a mechanism up by name (PKCS#11 name, KCF_ name, or the OpenSSL alias). May load the module
 * that offers it. KCF_MECH_NOT_SUPPORTED if nobody does. Synchronous. */
KCF_API enum kcf_status kcf_mech_find(struct kcf_client *client, const char *name, kcf_mech_t *ret);
KCF_API enum kcf_status kcf_mech_info(struct kcf_client *client, kcf_mech_t number,
				      struct kcf_mech_info *ret);
/* Fill ret[0..*n); *n in: room; out: how many there are (KCF_BUFFER_TOO_SMALL if more than room). */
KCF_API enum kcf_status kcf_mech_list(struct kcf_client *client, struct kcf_mech_info *ret,
				      size_t *n);
/* Fixed mechanism by number; NULL if none. No client needed. */
KCF_API const struct kcf_mech_name *kcf_mech_name(kcf_mech_t number);
/* Fixed mechanism by PKCS#11, KCF_ or OpenSSL name, case-insensitive. */
KCF_API const struct kcf_mech_name *kcf_mech_by_name(const char *name);
/* "success", ...; "?" for an unknown value. */
KCF_API const char *kcf_strstatus(enum kcf_status status);
/* "SUCCESS", ... */
KCF_API const char *kcf_status_name(enum kcf_status status);

/* ---- single-part operations ------------------------------------------------------------------ */

/* Statuses common to all: ARGUMENTS_BAD, MECHANISM_INVALID, MECHANISM_PARAM_INVALID, KEY_SIZE_RANGE,
 * KEY_TYPE_INCONSISTENT, KEY_HANDLE_INVALID, MECH_NOT_SUPPORTED, DATA_LEN_RANGE, BUFFER_TOO_SMALL (out->used =
 * required), BUFFER_TOO_BIG, HOST_MEMORY, FAILED, CANCELED, TIMED_OUT, NO_DAEMON, DEVICE_*,
 * PERMISSION_DENIED, QUOTA_EXCEEDED. in and out may be the same buffer (in place), or not overlap. */

/* out: digest length, or the XOF length of the parameter. FIPS 180-4, FIPS 202. */
KCF_API enum kcf_status kcf_digest(struct kcf_client *client, const struct kcf_mechanism *mech,
				   const struct kcf_data *in, struct kcf_data *out,
				   struct kcf_call_req *req);
/* FIPS 198-1, SP 800-38B. */
KCF_API enum kcf_status kcf_mac(struct kcf_client *client, const struct kcf_mechanism *mech,
				const struct kcf_key *key, const struct kcf_data *in,
				struct kcf_data *out, struct kcf_call_req *req);
/* Compares in constant time; KCF_INVALID_MAC. mac: the length to compare (at least 1 byte, at most
 * the full length, or what the parameter says). */
KCF_API enum kcf_status kcf_mac_verify(struct kcf_client *client, const struct kcf_mechanism *mech,
				       const struct kcf_key *key, const struct kcf_data *in,
				       const struct kcf_data *mac, struct kcf_call_req *req);
/* Ciphers, AEAD (output: ciphertext then tag), key wrap, RSA encryption. */
KCF_API enum kcf_status kcf_encrypt(struct kcf_client *client, const struct kcf_mechanism *mech,
				    const struct kcf_key *key, const struct kcf_data *in,
				    struct kcf_data *out, struct kcf_call_req *req);
/* AEAD input: ciphertext then tag; KCF_INVALID_MAC, and nothing is written to out. */
KCF_API enum kcf_status kcf_decrypt(struct kcf_client *client, const struct kcf_mechanism *mech,
				    const struct kcf_key *key, const struct kcf_data *in,
				    struct kcf_data *out, struct kcf_call_req *req);
/* ECDSA, DSA: r||s unless KCF_SIG_DER. */
KCF_API enum kcf_status kcf_sign(struct kcf_client *client, const struct kcf_mechanism *mech,
				 const struct kcf_key *key, const struct kcf_data *in,
				 struct kcf_data *out, struct kcf_call_req *req);
/* KCF_SIGNATURE_INVALID. */
KCF_API enum kcf_status kcf_verify(struct kcf_client *client, const struct kcf_mechanism *mech,
				   const struct kcf_key *key, const struct kcf_data *in,
				   const struct kcf_data *sig, struct kcf_call_req *req);
/* out: the ciphertext; mac: the MAC over it. */
KCF_API enum kcf_status kcf_encrypt_mac(struct kcf_client *client, const struct kcf_dual *dual,
					const struct kcf_data *in, struct kcf_data *out,
					struct kcf_data *mac, struct kcf_call_req *req);
KCF_API enum kcf_status kcf_mac_decrypt(struct kcf_client *client, const struct kcf_dual *dual,
					const struct kcf_data *in, const struct kcf_data *mac,
					struct kcf_data *out, struct kcf_call_req *req);
/* out: as many bytes as there is room, or for ECDH the shared secret. */
KCF_API enum kcf_status kcf_derive(struct kcf_client *client, const struct kcf_mechanism *mech,
				   const struct kcf_key *key, struct kcf_data *out,
				   struct kcf_call_req *req);
/* SP 800-90A, from the provider. */
KCF_API enum kcf_status kcf_random(struct kcf_client *client, struct kcf_data *out,
				   struct kcf_call_req *req);

/* ---- templates ------------------------------------------------------------------------------- */

/* Prepare mechanism + key once. The key bytes are copied; a template of a handle or named key works
 * through kcfd. Use it as a key of kind KCF_KEY_TEMPLATE with the same mechanism number. */
KCF_API enum kcf_status kcf_template_create(struct kcf_client *client, kcf_mech_t mech,
					    const struct kcf_key *key, struct kcf_template **ret);
/* Drop it. Requests under way finish with it; its memory is wiped after the last. NULL is ignored. */
KCF_API void kcf_template_destroy(struct kcf_template *tmpl);

static inline struct kcf_key kcf_key_bytes(const void *bytes, size_t len)
{
	struct kcf_key k = {KCF_KEY_BYTES, KCF_KEY_RAW, bytes, len, {{0}}, NULL, NULL};
	return k;
}

static inline struct kcf_key kcf_key_tmpl(struct kcf_template *tmpl)
{
	struct kcf_key k = {KCF_KEY_TEMPLATE, KCF_KEY_RAW, NULL, 0, {{0}}, NULL, tmpl};
	return k;
}

static inline struct kcf_key kcf_key_named(const char *name)
{
	struct kcf_key k = {KCF_KEY_NAMED, KCF_KEY_RAW, NULL, 0, {{0}}, name, NULL};
	return k;
}

/* ---- multi-part ------------------------------------------------------------------------------ */

/* What a context or a request of steps does. dual instead of mech and key for the two dual ops. */
struct kcf_how {
	enum kcf_op op;
	const struct kcf_mechanism *mech;
	const struct kcf_key *key;
	const struct kcf_dual *dual;
};

/* Begin. The place (this thread or kcfd) and the provider are fixed here for the context's whole
 * life. With KCF_QUEUED the context may be used at once; its calls run in the order given. */
KCF_API enum kcf_status kcf_init(struct kcf_client *client, const struct kcf_how *how,
				 struct kcf_context **ret, struct kcf_call_req *req);
/* AEAD decryption and MAC+decrypt write nothing before kcf_final. out may be NULL for digest, MAC,
 * sign, verify. KCF_BUFFER_TOO_SMALL keeps the context. */
KCF_API enum kcf_status kcf_update(struct kcf_context *ctx, const struct kcf_data *in,
				   struct kcf_data *out, struct kcf_call_req *req);
/* check: the MAC or signature to compare (mac-verify, verify, mac-decrypt), else NULL. out: digest,
 * MAC, signature, or the rest of the data then the tag or MAC. Ends the context unless
 * KCF_BUFFER_TOO_SMALL or KCF_BUSY. */
KCF_API enum kcf_status kcf_final(struct kcf_context *ctx, const struct kcf_data *check,
				  struct kcf_data *out, struct kcf_call_req *req);
/* Ends what is unfinished, completes what is queued with KCF_CANCELED, frees. NULL is ignored. */
KCF_API void kcf_context_free(struct kcf_context *ctx);

enum kcf_step_kind { KCF_STEP_INIT = 1, KCF_STEP_UPDATE, KCF_STEP_FINAL };

#define KCF_STEPS_MAX 64

/* in: update; for FINAL the MAC or signature to check. out: update and final. */
struct kcf_step {
	enum kcf_step_kind kind;
	struct kcf_data in;
	struct kcf_data out; /* used: bytes written, set before its notification */
};

/* init, updates and final of one operation as one request: one handle, one callback at the end, with
 * KCF_NOTIFY_OPDONE one per step as well (not when finished inside the call). steps[0] is INIT and the
 * last is FINAL; the array must stay until completion. */
KCF_API enum kcf_status kcf_submit_steps(struct kcf_client *client, const struct kcf_how *how,
					 struct kcf_step *steps, size_t n_steps,
					 struct kcf_call_req *req);

/* ---- keys in kcfd ---------------------------------------------------------------------------- */

/* usage bits: which operations the key permits; 0 = all of its type. 1 << enum kcf_op. */
#define KCF_KEY_USE(op) (1u << (op))

/* Hand kcfd a key; it comes back only as a handle, usable by this connection until it closes. */
KCF_API enum kcf_status kcf_key_import(struct kcf_client *client, const struct kcf_key *bytes,
				       uint32_t usage, struct kcf_key *ret, struct kcf_call_req *req);
/* mech: a KEYGEN mechanism with struct kcf_param_keygen. */
KCF_API enum kcf_status kcf_key_generate(struct kcf_client *client,
					 const struct kcf_mechanism *mech, uint32_t usage,
					 struct kcf_key *ret, struct kcf_call_req *req);
/* Derive len bytes from base (a handle) into a new key that stays in kcfd. */
KCF_API enum kcf_status kcf_key_derive(struct kcf_client *client, const struct kcf_mechanism *mech,
				       const struct kcf_key *base, size_t len, uint32_t usage,
				       struct kcf_key *ret, struct kcf_call_req *req);
/* The public half of a handle, a named key, or private key bytes; SubjectPublicKeyInfo DER. */
KCF_API enum kcf_status kcf_key_export_public(struct kcf_client *client, const struct kcf_key *key,
					      struct kcf_data *out, struct kcf_call_req *req);
KCF_API enum kcf_status kcf_key_destroy(struct kcf_client *client, const struct kcf_key *key,
					struct kcf_call_req *req);

/* ---- requests under way ---------------------------------------------------------------------- */

enum kcf_req_state { KCF_REQ_UNKNOWN = 0, KCF_REQ_WAITING, KCF_REQ_RUNNING, KCF_REQ_DONE };

struct kcf_req_info {
	enum kcf_req_state state; /* DONE: complete in kcfd, callback not yet run */
	uint32_t position;	  /* WAITING: requests before it, 0 = next */
	uint32_t steps_done;
	char provider[KCF_NAME_MAX];
};

/* KCF_NOT_FOUND for an id that is unknown or whose callback has run. Synchronous. */
KCF_API enum kcf_status kcf_request_status(struct kcf_client *client, kcf_req_id id,
					   struct kcf_req_info *ret);
/* Ask. A waiting request completes at once with KCF_CANCELED; a running one completes once, with its
 * result or KCF_CANCELED. Harmless for an unknown id (KCF_NOT_FOUND). Does not wait. */
KCF_API enum kcf_status kcf_cancel(struct kcf_client *client, kcf_req_id id);

/* ---- arena ----------------------------------------------------------------------------------- */

/* Memory shared with kcfd: payload in it travels by reference. Page-aligned from 4 KiB, else 64 bytes.
 * NULL without kcfd or beyond the quota. */
KCF_API void *kcf_buf_alloc(struct kcf_client *client, size_t len);
/* Not while a request uses it. NULL is ignored. */
KCF_API void kcf_buf_free(struct kcf_client *client, void *buf);
/* KCF_SUCCESS, KCF_BUFFER_LOST (contents may still change; free it), KCF_NOT_FOUND. */
KCF_API enum kcf_status kcf_buf_status(struct kcf_client *client, const void *buf);

#ifdef __cplusplus
}
#endif
#endif
