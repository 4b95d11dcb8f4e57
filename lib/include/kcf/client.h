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
 * Memory. The call copies the structures, key bytes, parameters (AAD, nonces, labels too) and iovec
 * arrays. Only what is read or written later must stay, unmodified, until completion: payload
 * buffers, iv_out, the key a kcf_key_ function returns, the steps of kcf_submit_steps. Nothing of
 * the caller's is kept after completion, but templates keep a copy of their key until they are
 * destroyed.
 *
 * Place. Work with key bytes (or no key) on a software provider runs in the calling thread: no
 * message, no system call; it takes the time it takes, whatever the deadline. Everything else is
 * kcfd's, and takes at most max_request bytes a request (16 MiB; KCF_BUFFER_TOO_BIG beyond).
 *
 * Threads. Every function may be called from any thread, and from inside a callback, unless it says
 * otherwise; a client and its templates may be used by many threads at once. Nothing here but
 * kcf_ring_submit is async-signal-safe. The library's own thread has all signals blocked; no
 * handler is installed, no SIGPIPE is caused. Statuses not named at a function are those every
 * operation has, see below.
 */
#ifndef KCF_CLIENT_H
#define KCF_CLIENT_H

#include <stdbool.h>
#include <kcf/types.h>

#ifdef __cplusplus
extern "C" {
#endif

#define KCF_API __attribute__((visibility("default")))

/* A structure as a value. By way of a variable, compilers store it in small pieces and copy it in
 * large ones, which takes longer than all the rest of making it. */
#ifdef __cplusplus
#define KCF__VALUE(type) type
#else
#define KCF__VALUE(type) (struct type)
#endif

struct kcf_client;   /* kcf_client_open to kcf_client_close */
struct kcf_template; /* kcf_template_create to kcf_template_destroy, or the client's end */
struct kcf_context;  /* kcf_init to kcf_context_free, or the client's end */

/* Names a queued request within its client; never 0, never reused by the client. */
typedef uint64_t kcf_req_id;

/* ---- requests -------------------------------------------------------------------------------- */

#define KCF_ALWAYS_QUEUE  0x01 /* queue what could be served now, too: a callback always comes */
#define KCF_NEVER_QUEUE   0x02 /* serve at once or KCF_BUSY */
#define KCF_WAIT          0x04 /* synchronous, with this structure's deadline and preference */
#define KCF_NOTIFY_OPDONE 0x08 /* kcf_submit_steps: the callback also runs once per step */
#define KCF_SKIP_REQID    0x10 /* make no handle: req->id = 0, cannot be cancelled alone */
#define KCF_NOTIFY_SPACE  0x20 /* refused for room: KCF_EVENT_ROOM comes when room is reserved */

enum kcf_preference {
	KCF_PREFER_DEFAULT = 0, /* the client handle's, else the mode's order */
	KCF_PREFER_HARDWARE,    /* order only */
	KCF_PREFER_SOFTWARE,    /* order only */
	KCF_ONLY_HARDWARE,      /* filter */
	KCF_ONLY_SOFTWARE,      /* filter */
	KCF_ONLY_PROVIDER,      /* filter: the one that kcf_call_req.provider names; no failover */
};

enum kcf_busy_reason {
	KCF_BUSY_NONE = 0,
	KCF_BUSY_WOULD_QUEUE, /* it would have to wait */
	KCF_BUSY_NO_ROOM,     /* no queue permitted has room, or no credit, or no arena memory */
};

#define KCF_FINAL 0xffffffffu /* kcf_completion.step of the last notification */

/* What a callback gets. Valid during the call only. */
struct kcf_completion {
	enum kcf_status status;
	uint32_t step; /* index of the finished step, or KCF_FINAL */
	size_t len;    /* bytes written to out; of all steps with kcf_submit_steps. 0 on failure */
	size_t required;      /* with KCF_BUFFER_TOO_SMALL: the length out needs */
	kcf_req_id id;        /* 0 with KCF_SKIP_REQID */
	const char *provider; /* who did it, or "" */
	enum kcf_busy_reason busy_reason;
	uint32_t queue_hops; /* how often it was put behind a queue */
};

typedef void (*kcf_callback)(void *arg, const struct kcf_completion *completion);

/* Zero it, then set what matters; it may be on the stack and reused as soon as the call returns. A
 * deadline bounds waiting and kcfd's work (KCF_TIMED_OUT), not computing in the caller's thread. */
struct kcf_call_req {
	uint32_t flags;
	uint32_t timeout_ms;   /* relative deadline; 0 = none, or with KCF_WAIT the handle's */
	kcf_callback callback; /* required but with KCF_WAIT. Never on the submitting thread inside
				  the call; may precede its return */
	void *arg;
	enum kcf_preference preference;
	const char *provider; /* with KCF_ONLY_PROVIDER: a name as in kcf_mech_info.providers */
	kcf_req_id id;        /* out: set before the callback can run */
	enum kcf_busy_reason busy_reason; /* out, with KCF_BUSY */
};

/* ---- data, keys, mechanisms ------------------------------------------------------------------ */

/* Bytes in one piece or several, at most 1024. As output, len (or the sum of the iovecs) is the
 * room; used is set when the call itself finishes: bytes written, with KCF_BUFFER_TOO_SMALL the
 * bytes required; with another status it means nothing. After KCF_QUEUED it is not touched: the
 * completion has the length. Input is never written to, but for work in place. */
struct kcf_data {
	void *base;              /* flat, when iov is NULL */
	size_t len;              /* flat */
	const struct iovec *iov; /* else these */
	unsigned n_iov;
	size_t used;
};

static inline struct kcf_data kcf_flat(const void *base, size_t len)
{
	return KCF__VALUE(kcf_data){(void *)base, len, NULL, 0, 0};
}

static inline struct kcf_data kcf_iov(const struct iovec *iov, unsigned n_iov)
{
	return KCF__VALUE(kcf_data){NULL, 0, iov, n_iov, 0};
}

/* A mechanism as an operation uses it. param: the structure of the mechanism's parameter kind
 * (kcf/types.h says which), and its size; NULL and 0 where the kind is optional or NONE. */
struct kcf_mechanism {
	kcf_mech_t number;
	uint32_t param_len;
	const void *param;
};

enum kcf_key_kind {
	KCF_KEY_NONE = 0,
	KCF_KEY_BYTES,    /* bytes, len, format */
	KCF_KEY_HANDLE,   /* handle from kcf_key_import, _generate, _derive */
	KCF_KEY_NAMED,    /* name: a key of kcfd's configuration */
	KCF_KEY_TEMPLATE, /* tmpl: its key and mechanism */
};

#define KCF_KEY_NAME_MAX 64

/* Random; means nothing on another connection. */
struct kcf_key_handle {
	uint8_t id[16];
};

/* At most 16384 bytes. Bytes are prepared anew at each call: a template is what makes many fast. */
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

#define KCF_CLIENT_APP_LOOP   0x1 /* callbacks run in kcf_client_dispatch: no library thread */
#define KCF_CLIENT_STANDALONE 0x2 /* in-caller work also without kcfd */
#define KCF_CLIENT_NO_DAEMON  0x4 /* with STANDALONE: never connect */

enum kcf_event_type {
	KCF_EVENT_ROOM = 1,     /* room is reserved for this connection for one second: resubmit */
	KCF_EVENT_MECH_ADDED,   /* mechanism, provider */
	KCF_EVENT_MECH_REMOVED, /* by this provider; another may still offer it */
	KCF_EVENT_PROVIDER_ADDED,
	KCF_EVENT_PROVIDER_REMOVED,
	KCF_EVENT_PROVIDER_FAILED,
	KCF_EVENT_PROVIDER_RETURNED,
	KCF_EVENT_DAEMON_LOST,
	KCF_EVENT_DAEMON_REGAINED,
};

/* What an event callback gets. Valid during the call only. */
struct kcf_event {
	enum kcf_event_type type;
	const char *mechanism; /* or NULL */
	const char *provider;  /* or NULL */
	uint32_t units;        /* ROOM: credits; 0 = a hardware slot of provider, or arena memory */
};

typedef void (*kcf_event_callback)(void *arg, const struct kcf_event *event);

/* Zeroed = defaults. Everything is copied. */
struct kcf_client_options {
	size_t size;        /* sizeof this structure */
	const char *socket; /* NULL: $KCF_SOCKET (not under AT_SECURE), else the compiled-in path */
	const char *label;  /* divides the user's share of kcfd's queues; at most 32 bytes */
	uint32_t flags;
	uint32_t timeout_ms; /* for synchronous calls; 0 = 30 s */
	/* Of calls without one of their own; not KCF_ONLY_PROVIDER. */
	enum kcf_preference preference;
	/* On the thread that runs callbacks; not any more once kcf_client_close was called. */
	kcf_event_callback on_event;
	void *event_arg;
	const char *module_dir; /* standalone: where provider modules are; NULL = the compiled-in
				   directory, and so it is under AT_SECURE */
};

/* Connect; waits at most 5 s for kcfd to answer. options may be NULL. *ret is the caller's until
 * kcf_client_close. A lost connection is made again by itself (with
 * KCF_CLIENT_APP_LOOP by kcf_client_dispatch).
 *
 * KCF_NO_DAEMON unless kcfd answers or KCF_CLIENT_STANDALONE is set; KCF_NOT_FOUND if there is
 * neither kcfd nor a module to stand alone with; KCF_VERSION_MISMATCH, KCF_PERMISSION_DENIED,
 * KCF_QUOTA_EXCEEDED, KCF_HOST_MEMORY; KCF_ARGUMENTS_BAD for unknown flags, a long label, a wrong
 * size.
 *
 * Without KCF_CLIENT_STANDALONE all work ends with KCF_NO_DAEMON while kcfd is away. Provider
 * modules run in this process only if they come from a kcfd of root's or this user's, or of the
 * user that kcfd_user in /etc/kcf/client.conf names; from another kcfd's they do not, and all work
 * is kcfd's. */
KCF_API enum kcf_status kcf_client_open(const struct kcf_client_options *options,
					struct kcf_client **ret);
/* Completes everything open with KCF_CANCELED, runs those callbacks (on this thread), frees
 * templates, contexts and arena buffers: their handles must not be used any more. Not from a
 * callback (KCF_ARGUMENTS_BAD there, nothing done); no other thread may be inside a call. In a
 * child after fork it frees the child's copy and leaves the parent's connection alone. */
KCF_API enum kcf_status kcf_client_close(struct kcf_client *client);
/* After fork in the child: connect anew. Until then in-caller work goes on if KCF_CLIENT_STANDALONE
 * is set, and all else is KCF_NO_DAEMON; no callback of the parent's requests runs in the child.
 * Templates with key bytes stay valid; contexts in kcfd, session keys and arena buffers do not.
 * Also usable to connect a client that was opened without kcfd. Takes no lock inherited from the
 * parent. Statuses as kcf_client_open; KCF_ARGUMENTS_BAD with KCF_CLIENT_NO_DAEMON. */
KCF_API enum kcf_status kcf_client_reopen(struct kcf_client *client);
/* Is the connection up? */
KCF_API bool kcf_client_connected(struct kcf_client *client);
/* KCF_CLIENT_APP_LOOP: one epoll descriptor, readable when kcf_client_dispatch has work, and at
 * times when it has not: watch it level-triggered. It stays the same over reconnects and
 * kcf_client_reopen, and is closed by kcf_client_close. Poll it for reading; do nothing else with
 * it. -1 without APP_LOOP. */
KCF_API int kcf_client_fd(struct kcf_client *client);
/* KCF_CLIENT_APP_LOOP: run what is ready: read replies, run callbacks and events, send what
 * callbacks submitted. Never blocks. May be called at any time, too, without waiting for the
 * descriptor: an application that has a CPU to spare and polls is served without system calls of
 * its own or of kcfd's. KCF_SUCCESS also if there was nothing; KCF_ARGUMENTS_BAD without APP_LOOP,
 * KCF_NO_DAEMON in a child after fork. Synchronous calls need no dispatching. */
KCF_API enum kcf_status kcf_client_dispatch(struct kcf_client *client);

/* ---- mechanisms ------------------------------------------------------------------------------ */

enum kcf_place { KCF_PLACE_NONE = 0, KCF_PLACE_CALLER, KCF_PLACE_KCFD, KCF_PLACE_HARDWARE };

#define KCF_MECH_PROVIDERS_MAX 8
#define KCF_NAME_MAX           48

struct kcf_mech_info {
	kcf_mech_t number;
	char name[KCF_NAME_MAX];
	uint32_t classes;      /* enum kcf_class bits of the enabled offers */
	uint32_t param_kind;   /* enum kcf_param_kind */
	uint32_t key_min_bits; /* over all providers; 0, 0 = no key */
	uint32_t key_max_bits;
	uint32_t threshold;   /* bytes from which hardware is considered */
	enum kcf_place place; /* where a synchronous call with key bytes would run now */
	uint32_t n_providers; /* enabled ones; 0 = nobody offers it at the moment */
	char providers[KCF_MECH_PROVIDERS_MAX][KCF_NAME_MAX];
};

/* Look a mechanism up by name: a PKCS#11 or KCF_ name, or an alias of kcf/types.h; those that are
 * in types.h in any case. Has kcfd load the module that offers it if none does yet. The number is
 * good for this client's life, over reconnects too. KCF_MECH_NOT_SUPPORTED if nobody offers it.
 * Synchronous. */
KCF_API enum kcf_status kcf_mech_find(struct kcf_client *client, const char *name, kcf_mech_t *ret);
/* Who offers it, for what, and where it would run. Has a module loaded like kcf_mech_find.
 * KCF_MECHANISM_INVALID for a number that is none, KCF_MECH_NOT_SUPPORTED. Synchronous. */
KCF_API enum kcf_status kcf_mech_info(struct kcf_client *client, kcf_mech_t number,
				      struct kcf_mech_info *ret);
/* What loaded providers offer. Fill ret[0..*n); *n in: room; out: how many there are
 * (KCF_BUFFER_TOO_SMALL if more than room; *n 0 with ret NULL asks for the number). Asks nobody. */
KCF_API enum kcf_status kcf_mech_list(struct kcf_client *client, struct kcf_mech_info *ret,
				      size_t *n);
/* Fixed mechanism by number; NULL if none. No client needed; a constant. */
KCF_API const struct kcf_mech_name *kcf_mech_name(kcf_mech_t number);
/* Fixed mechanism by PKCS#11, KCF_ or OpenSSL name, case-insensitive; where an alias stands for
 * several, the one with the lowest number. NULL if none. No client needed; a constant. */
KCF_API const struct kcf_mech_name *kcf_mech_by_name(const char *name);
/* "success", ...; "?" for an unknown value. A constant. */
KCF_API const char *kcf_strstatus(enum kcf_status status);
/* "SUCCESS", ...; "?" for an unknown value. A constant. */
KCF_API const char *kcf_status_name(enum kcf_status status);

/* ---- single-part operations ------------------------------------------------------------------ */

/* in and out may be the same buffer (in place: they begin at the same byte, and pieces are cut
 * alike), or not overlap at all; the room of out counts, not what will be written.
 *
 * Statuses of every operation, beside those named below. With any of them out holds no result.
 *   ARGUMENTS_BAD             NULL where something is needed, flags excluding each other, overlap
 *   MECHANISM_INVALID         no such number
 *   MECHANISM_PARAM_INVALID   its parameter is missing, of another kind, or out of range
 *   MECH_NOT_SUPPORTED        nobody offers it for this operation within the preference
 *   KEY_SIZE_RANGE            a length this mechanism cannot use
 *   KEY_TYPE_INCONSISTENT     not a key of this mechanism's
 *   KEY_HANDLE_INVALID        no such key for this connection or user
 *   KEY_FUNCTION_NOT_PERMITTED  the key's usage or policy forbids it
 *   DATA_LEN_RANGE            a length of input that cannot be; ENCRYPTED_DATA_LEN_RANGE likewise
 *   BUFFER_TOO_SMALL          nothing was done; used, or the completion's required: what it needs
 *   BUFFER_TOO_BIG            more than one request takes: use the multi-part functions
 *   CANCELED, TIMED_OUT       by kcf_cancel or kcf_client_close; the deadline passed
 *   NO_DAEMON                 kcfd is needed and not there
 *   QUOTA_EXCEEDED            the user has all it may have, and nothing under way to wait for
 *   PERMISSION_DENIED, HOST_MEMORY
 *   DEVICE_ERROR, DEVICE_MEMORY, DEVICE_REMOVED, FAILED   every provider that could do it failed */

/* out: digest length, or the XOF length of the parameter. FIPS 180-4, FIPS 202, RFC 7693 (BLAKE2),
 * GB/T 32905 (SM3), RFC 1321 (MD5). */
KCF_API enum kcf_status kcf_digest(struct kcf_client *client, const struct kcf_mechanism *mech,
				   const struct kcf_data *in, struct kcf_data *out,
				   struct kcf_call_req *req);
/* out: the MAC, of its full length or the parameter's. FIPS 198-1, SP 800-38B, SP 800-38D (GMAC),
 * SP 800-185 (KMAC), RFC 8439 (Poly1305). */
KCF_API enum kcf_status kcf_mac(struct kcf_client *client, const struct kcf_mechanism *mech,
				const struct kcf_key *key, const struct kcf_data *in,
				struct kcf_data *out, struct kcf_call_req *req);
/* Compares in constant time; KCF_INVALID_MAC if it differs. mac: the bytes to compare: of the
 * length that the parameter says, or else from 1 byte to the full length, which are compared with
 * the leftmost ones. */
KCF_API enum kcf_status kcf_mac_verify(struct kcf_client *client, const struct kcf_mechanism *mech,
				       const struct kcf_key *key, const struct kcf_data *in,
				       const struct kcf_data *mac, struct kcf_call_req *req);
/* Ciphers (SP 800-38A, SP 800-38E, RFC 8439), AEAD (output: ciphertext then tag; SP 800-38C, SP
 * 800-38D, RFC 7253, RFC 8439), key wrap (SP 800-38F), RSA encryption (RFC 8017; with a public or a
 * private key). DATA_LEN_RANGE if the mechanism needs whole blocks. */
KCF_API enum kcf_status kcf_encrypt(struct kcf_client *client, const struct kcf_mechanism *mech,
				    const struct kcf_key *key, const struct kcf_data *in,
				    struct kcf_data *out, struct kcf_call_req *req);
/* AEAD input: ciphertext then tag. KCF_INVALID_MAC if the tag, a key wrap's check value or a
 * padding is wrong. Of a decryption that failed nothing decrypted is left in out: kcfd has written
 * nothing, the caller's thread has wiped it. In place that wipes the input too: keep a copy to try
 * again. */
KCF_API enum kcf_status kcf_decrypt(struct kcf_client *client, const struct kcf_mechanism *mech,
				    const struct kcf_key *key, const struct kcf_data *in,
				    struct kcf_data *out, struct kcf_call_req *req);
/* in: the message, or where the mechanism's name has no hash (CKM_ECDSA, CKM_DSA, CKM_RSA_PKCS_PSS)
 * the hash, and for CKM_RSA_PKCS the DigestInfo. out: the signature; ECDSA, DSA: r||s, or DER with
 * KCF_SIG_DER. RFC 8017, FIPS 186-4, RFC 8032. */
KCF_API enum kcf_status kcf_sign(struct kcf_client *client, const struct kcf_mechanism *mech,
				 const struct kcf_key *key, const struct kcf_data *in,
				 struct kcf_data *out, struct kcf_call_req *req);
/* As kcf_sign; KCF_SIGNATURE_INVALID if it does not match, whatever is wrong with it. key: the
 * public key, or the private one. */
KCF_API enum kcf_status kcf_verify(struct kcf_client *client, const struct kcf_mechanism *mech,
				   const struct kcf_key *key, const struct kcf_data *in,
				   const struct kcf_data *sig, struct kcf_call_req *req);
/* out: the ciphertext; mac: the MAC over it, in memory of its own. An asynchronous caller knows the
 * MAC's length from its mechanism or parameter. KCF_BUFFER_TOO_SMALL if either is too small. */
KCF_API enum kcf_status kcf_encrypt_mac(struct kcf_client *client, const struct kcf_dual *dual,
					const struct kcf_data *in, struct kcf_data *out,
					struct kcf_data *mac, struct kcf_call_req *req);
/* in: the ciphertext; mac: the MAC over it, compared first: KCF_INVALID_MAC, and nothing is
 * decrypted. */
KCF_API enum kcf_status kcf_mac_decrypt(struct kcf_client *client, const struct kcf_dual *dual,
					const struct kcf_data *in, const struct kcf_data *mac,
					struct kcf_data *out, struct kcf_call_req *req);
/* key: HKDF's input keying material, the password of PBKDF2 and scrypt, KBKDF's key, one's own
 * private key of ECDH and DH. out: as many bytes as there is room, or for ECDH and DH the shared
 * secret. RFC 5869, RFC 8018, RFC 7914, SP 800-108, SP 800-56A. */
KCF_API enum kcf_status kcf_derive(struct kcf_client *client, const struct kcf_mechanism *mech,
				   const struct kcf_key *key, struct kcf_data *out,
				   struct kcf_call_req *req);
/* Fills out. SP 800-90A, from the provider. */
KCF_API enum kcf_status kcf_random(struct kcf_client *client, struct kcf_data *out,
				   struct kcf_call_req *req);

/* ---- templates ------------------------------------------------------------------------------- */

/* Prepare mechanism + key once. The key bytes are copied; a template of a handle or named key works
 * through kcfd, which judges it at its first use. Use it as a key of kind KCF_KEY_TEMPLATE with the
 * same mechanism number and the same client, from any number of threads at once. *ret is the
 * caller's until kcf_template_destroy. KCF_KEY_SIZE_RANGE, KCF_KEY_TYPE_INCONSISTENT,
 * KCF_MECHANISM_INVALID, KCF_MECH_NOT_SUPPORTED, KCF_NO_DAEMON, KCF_HOST_MEMORY. */
KCF_API enum kcf_status kcf_template_create(struct kcf_client *client, kcf_mech_t mech,
					    const struct kcf_key *key, struct kcf_template **ret);
/* Drop it. It is as with free(): no thread may be inside a synchronous call that names it, or about
 * to make one. Asynchronous requests under way finish with it; its memory is wiped after the last.
 * NULL is ignored. Not after kcf_client_close. */
KCF_API void kcf_template_destroy(struct kcf_template *tmpl);

static inline struct kcf_key kcf_key_bytes(const void *bytes, size_t len)
{
	return KCF__VALUE(kcf_key){KCF_KEY_BYTES, KCF_KEY_RAW, bytes, len, {{0}}, NULL, NULL};
}

static inline struct kcf_key kcf_key_tmpl(struct kcf_template *tmpl)
{
	return KCF__VALUE(kcf_key){KCF_KEY_TEMPLATE, KCF_KEY_RAW, NULL, 0, {{0}}, NULL, tmpl};
}

static inline struct kcf_key kcf_key_named(const char *name)
{
	return KCF__VALUE(kcf_key){KCF_KEY_NAMED, KCF_KEY_RAW, NULL, 0, {{0}}, name, NULL};
}

/* ---- multi-part ------------------------------------------------------------------------------ */

/* What a context or a request of steps does: digest, MAC, cipher, AEAD, sign, verify and their
 * opposites. dual instead of mech and key for the two dual operations; no key for digests. */
struct kcf_how {
	enum kcf_op op;
	const struct kcf_mechanism *mech;
	const struct kcf_key *key;
	const struct kcf_dual *dual;
};

/* Begin. The place (this thread or kcfd) and the provider are fixed here for the context's whole
 * life: kcfd with KCF_ALWAYS_QUEUE, a preference for hardware, a key by handle or name, or where
 * only hardware offers it; else the caller's thread. *ret is set with KCF_SUCCESS and with
 * KCF_QUEUED, and is the caller's until kcf_context_free. With KCF_QUEUED the context may be used
 * at once: in kcfd its calls run in the order given. In the caller's thread a second call at the
 * same time waits if it is synchronous, else it is KCF_BUSY; KCF_ALWAYS_QUEUE there is
 * KCF_ARGUMENTS_BAD. */
KCF_API enum kcf_status kcf_init(struct kcf_client *client, const struct kcf_how *how,
				 struct kcf_context **ret, struct kcf_call_req *req);
/* out may be NULL for digest, MAC, sign, verify; else room for the input and one block more is
 * always enough. AEAD decryption and MAC+decrypt write nothing before kcf_final: what they keep is
 * bounded by aead_buffer (1 MiB; KCF_BUFFER_TOO_BIG). KCF_BUFFER_TOO_SMALL and KCF_BUSY keep the
 * context as it was before the call; other errors of the operation end it, and KCF_INVALID_CONTEXT
 * is what an ended one answers. */
KCF_API enum kcf_status kcf_update(struct kcf_context *ctx, const struct kcf_data *in,
				   struct kcf_data *out, struct kcf_call_req *req);
/* check: the MAC or signature to compare (mac-verify, verify, mac-decrypt), else NULL. out: digest,
 * MAC, signature, or the rest of the data then the tag or MAC. Ends the context unless
 * KCF_BUFFER_TOO_SMALL or KCF_BUSY. */
KCF_API enum kcf_status kcf_final(struct kcf_context *ctx, const struct kcf_data *check,
				  struct kcf_data *out, struct kcf_call_req *req);
/* Ends what is unfinished, completes what is queued with KCF_CANCELED, frees; to be called for
 * every context, ended or not. No other thread may be inside a call of it. NULL is ignored. */
KCF_API void kcf_context_free(struct kcf_context *ctx);

enum kcf_step_kind { KCF_STEP_INIT = 1, KCF_STEP_UPDATE, KCF_STEP_FINAL };

#define KCF_STEPS_MAX 64

/* in: update; for FINAL the MAC or signature to check. out: update and final. */
struct kcf_step {
	enum kcf_step_kind kind;
	struct kcf_data in;
	struct kcf_data out; /* used: bytes written, set before its notification */
};

/* init, updates and final of one operation as one request: one handle, one callback at the end,
 * with KCF_NOTIFY_OPDONE one per step as well (not when finished inside the call). steps[0] is INIT
 * and the last is FINAL, 2 to KCF_STEPS_MAX in all; the array must stay until completion. A step
 * without room for its output fails the request. */
KCF_API enum kcf_status kcf_submit_steps(struct kcf_client *client, const struct kcf_how *how,
					 struct kcf_step *steps, size_t n_steps,
					 struct kcf_call_req *req);

/* ---- batches --------------------------------------------------------------------------------- */

/* One single-part operation of a batch: digest, MAC, cipher, AEAD, sign, verify, their opposites,
 * the two dual operations, derive. how: as for contexts, but also KCF_OP_DERIVE. Which of in, out
 * and mac it has is what its own function has: mac is what kcf_mac_verify, kcf_verify and
 * kcf_mac_decrypt compare, and where kcf_encrypt_mac puts the MAC. Zero what it has not. */
struct kcf_batch_op {
	struct kcf_how how;
	struct kcf_data in;
	struct kcf_data out;    /* used is set, as by a call of its own */
	struct kcf_data mac;    /* used is set for KCF_OP_ENCRYPT_MAC */
	enum kcf_status status; /* out: as its own function would have returned it */
};

/* Many operations at once, synchronously: each has its final status when this returns, whatever
 * became of the others. What would run in the calling thread runs there, those of one mechanism and
 * key size side by side, which is how providers that do several at once are filled; what is kcfd's
 * work is sent there and waited for. They run in any order: none may write what another reads or
 * writes. Of any mechanisms, keys and templates; templates are what makes it fast: with them there
 * is no system call, lock or allocation after a thread's first use.
 *
 * req: NULL, or with KCF_WAIT alone, for all of them. Returns KCF_SUCCESS if all succeeded, else
 * the status of the first in the array that did not; KCF_ARGUMENTS_BAD in all of them for a req
 * that is neither. */
KCF_API enum kcf_status kcf_submit_batch(struct kcf_client *client, struct kcf_batch_op *ops,
					 size_t n_ops, struct kcf_call_req *req);

/* ---- from signal handlers -------------------------------------------------------------------- */

/* One request at a time, with everything it needs made before. */
struct kcf_ring_slot;

/* One operation: KCF_OP_DIGEST, _MAC, _MAC_VERIFY, _ENCRYPT, _DECRYPT, _SIGN or _VERIFY. Zero what
 * it has not. */
struct kcf_ring_op {
	enum kcf_op op;
	struct kcf_template *tmpl; /* mechanism and key, attached: see kcf_ring_submit */
	const uint8_t *iv;         /* cipher, AEAD, GMAC; at most 16 bytes */
	size_t iv_len;
	const uint8_t *aad; /* at most 255 bytes */
	size_t aad_len;
	size_t tag_len; /* of the tag or MAC, at most 255; 0 = full */
	const void *in; /* memory of kcf_buf_alloc, as out */
	size_t in_len;
	void *out;
	size_t out_len;
	const void *check; /* MAC or signature to compare; with aad at most 480 bytes */
	size_t check_len;
};

/* A slot, with the callback of its requests; the ring is asked for if there is none yet, and waited
 * for. KCF_NO_DAEMON, KCF_VERSION_MISMATCH if kcfd has no rings, KCF_QUOTA_EXCEEDED,
 * KCF_HOST_MEMORY. *ret is the caller's until kcf_ring_slot_free or kcf_client_close. */
KCF_API enum kcf_status kcf_ring_slot_new(struct kcf_client *client, kcf_callback callback,
					  void *arg, struct kcf_ring_slot **ret);
/* A request still under way ends without callback; its buffers must stay until then. NULL is
 * ignored. */
KCF_API void kcf_ring_slot_free(struct kcf_ring_slot *slot);
/* Hand one operation to kcfd as with KCF_ALWAYS_QUEUE and KCF_SKIP_REQID. Async-signal-safe: it
 * never blocks, allocates or locks, makes no system call but to wake kcfd, and keeps errno. iv, aad
 * and check are copied; in, out and the template must stay until completion. out may be in, or does
 * not overlap it.
 *
 * The template is attached once a request with it was done by kcfd on this connection, as with
 * KCF_ALWAYS_QUEUE or a key by handle; kcfd restarted, it has to be done again.
 *
 * KCF_QUEUED: the slot's callback will run exactly once, as other callbacks do; inside it the slot
 * is free again. After a loss of the connection that is with KCF_NO_DAEMON (kcf_buf_status tells
 * whether out may still change). KCF_BUSY: a request of the slot is under way, or there is no
 * credit or no place in the ring. KCF_NO_DAEMON: no connection, or its ring is not there yet.
 * KCF_ARGUMENTS_BAD for whatever else is missing. */
KCF_API enum kcf_status kcf_ring_submit(struct kcf_ring_slot *slot, const struct kcf_ring_op *op);

/* ---- keys in kcfd ---------------------------------------------------------------------------- */

/* These are always kcfd's work (KCF_NO_DAEMON without it) and need no credit. Asynchronous ones
 * write *ret or out before the callback runs: both must stay until then. At most 64 generations,
 * derivations and exports are under way on a connection: one more is KCF_BUSY, by callback, or
 * KCF_QUOTA_EXCEEDED of a synchronous call. A key in kcfd counts against the user's limit
 * (KCF_QUOTA_EXCEEDED), and dies with the connection that made it: after KCF_EVENT_DAEMON_LOST its
 * handle is KCF_KEY_HANDLE_INVALID.
 *
 * usage: bits of the operations the key permits, KCF_KEY_USE(KCF_OP_SIGN) | ...; 0 = all of its
 * type. */
#define KCF_KEY_USE(op) (1u << (op))

/* Hand kcfd a key (of kind KCF_KEY_BYTES, any format); it comes back only as a handle. */
KCF_API enum kcf_status kcf_key_import(struct kcf_client *client, const struct kcf_key *bytes,
				       uint32_t usage, struct kcf_key *ret,
				       struct kcf_call_req *req);
/* Make a key, or a pair, in kcfd. mech: a KEYGEN mechanism with struct kcf_param_keygen. */
KCF_API enum kcf_status kcf_key_generate(struct kcf_client *client,
					 const struct kcf_mechanism *mech, uint32_t usage,
					 struct kcf_key *ret, struct kcf_call_req *req);
/* Derive len bytes from base (a handle or a named key) into a new secret key that stays in kcfd.
 * KCF_KEY_SIZE_RANGE for 0 and for more than 16384. */
KCF_API enum kcf_status kcf_key_derive(struct kcf_client *client, const struct kcf_mechanism *mech,
				       const struct kcf_key *base, size_t len, uint32_t usage,
				       struct kcf_key *ret, struct kcf_call_req *req);
/* The public half of a handle, a named key, or private key bytes; SubjectPublicKeyInfo DER. A raw
 * key of 32 bytes is taken for Ed25519, or X25519 if its usage has derive and not sign; one that
 * has neither, or was generated as a secret key, is KCF_KEY_TYPE_INCONSISTENT. */
KCF_API enum kcf_status kcf_key_export_public(struct kcf_client *client, const struct kcf_key *key,
					      struct kcf_data *out, struct kcf_call_req *req);
/* Wipe a key that a function above returned. What is under way finishes with it, and so do
 * templates that kcfd has seen. Named keys stay: KCF_ARGUMENTS_BAD. */
KCF_API enum kcf_status kcf_key_destroy(struct kcf_client *client, const struct kcf_key *key,
					struct kcf_call_req *req);

/* ---- requests under way ---------------------------------------------------------------------- */

enum kcf_req_state { KCF_REQ_UNKNOWN = 0, KCF_REQ_WAITING, KCF_REQ_RUNNING, KCF_REQ_DONE };

struct kcf_req_info {
	enum kcf_req_state state; /* DONE: complete in kcfd, callback not yet run */
	uint32_t position;        /* WAITING: requests before it, 0 = next */
	uint32_t steps_done;
	char provider[KCF_NAME_MAX];
};

/* Where is it? Asks kcfd, and so may wait for it. KCF_NOT_FOUND for an id that is unknown or whose
 * callback has run, KCF_NO_DAEMON, KCF_TIMED_OUT. */
KCF_API enum kcf_status kcf_request_status(struct kcf_client *client, kcf_req_id id,
					   struct kcf_req_info *ret);
/* Ask. A waiting request completes at once with KCF_CANCELED; a running one completes once, with
 * its result or KCF_CANCELED. Harmless for an unknown id (KCF_NOT_FOUND). Does not wait. */
KCF_API enum kcf_status kcf_cancel(struct kcf_client *client, kcf_req_id id);

/* ---- arena ----------------------------------------------------------------------------------- */

/* Memory shared with kcfd: payload in it travels by reference. Page-aligned from 4 KiB, else to 64
 * bytes; its contents are not defined. It stays the caller's until kcf_buf_free or
 * kcf_client_close, and over reconnects. Keys do not belong there. May ask kcfd for memory and wait
 * for the answer. NULL without kcfd or beyond the user's quota. */
KCF_API void *kcf_buf_alloc(struct kcf_client *client, size_t len);
/* buf: as kcf_buf_alloc gave it. Not while a request uses it. NULL is ignored. */
KCF_API void kcf_buf_free(struct kcf_client *client, void *buf);
/* KCF_SUCCESS, KCF_BUFFER_LOST (contents may still change; free it), KCF_NOT_FOUND. */
KCF_API enum kcf_status kcf_buf_status(struct kcf_client *client, const void *buf);

#ifdef __cplusplus
}
#endif
#endif
