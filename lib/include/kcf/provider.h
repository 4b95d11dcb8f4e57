/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kcf/provider.h - what a provider module implements and what the framework lends it.
 *
 * A module is a shared object that exports one symbol, kcf_provider (a const struct
 * kcf_provider_desc; KCF_PROVIDER_EXPORT emits it). It may be instantiated several times in kcfd
 * and, if it is software, also inside application processes, where it must stand being a guest: no
 * global configuration, no atexit, no threads, no signal handlers, no output.
 *
 * The framework guarantees: parameters are of the row's kind and copied out of anybody's reach;
 * keys are within the row's range (raw keys) and of a format the row lists; jobs of one context
 * come one at a time and in order; lengths add up. Payload bytes may change while they are read if
 * the row has KCF_ROW_SHARED_OK; otherwise they are private.
 *
 * Two kinds. software: submit() has every job finished (status set) when it returns. hardware:
 * submit() accepts a job and later calls host->complete(host, job) exactly once.
 */
#ifndef KCF_PROVIDER_H
#define KCF_PROVIDER_H

#include <stdarg.h>
#include <stdbool.h>
#include <kcf/types.h>

#ifdef __cplusplus
extern "C" {
#endif

#define KCF_PROVIDER_ABI 2

enum kcf_provider_kind { KCF_SOFTWARE = 1, KCF_HARDWARE = 2 };

/* ---- mechanism rows -------------------------------------------------------------------------- */

#define KCF_ROW_MULTI_PART 0x01 /* contexts: INIT, UPDATE, FINAL */
#define KCF_ROW_SHARED_OK  0x02 /* reads each input byte once, and output needs no check */
#define KCF_ROW_SHORT      0x04 /* cheap enough for the loop thread (under 50 us for 16 KiB) */
#define KCF_ROW_LEGACY     0x08 /* listed as legacy */
#define KCF_ROW_FORMAT(f)  (0x100u << (f)) /* key formats accepted; none set = KCF_KEY_RAW */

struct kcf_mech_row {
	const char *name;    /* PKCS#11 name or KCF_ name; at most 47 bytes */
	uint32_t classes;    /* enum kcf_class bits */
	uint32_t param_kind; /* enum kcf_param_kind */
	uint32_t flags;
	/* Of raw symmetric keys, checked for you; of the modulus or field, which you check. 0, 0 =
	 * no key. */
	uint32_t key_min_bits;
	uint32_t key_max_bits;
	uint32_t key_step_bits; /* 0 or 1 = any between; 64: 128, 192, 256... */
	uint32_t block_len;     /* input granularity of single-part requests; 0 or 1 = any */
	uint64_t max_input;     /* bytes a single-part request may have; 0 = no limit */
	uint32_t setup_ns;      /* cost: fixed part of one request */
	uint32_t ns_per_kib;    /* cost: per 1024 input bytes */
	/* Rows that gain from company: how many jobs of one row and key size are done at once, and
	 * what one of so many costs. 0: a job costs the same alone. */
	uint32_t lanes;
	uint32_t burst_setup_ns;
	uint32_t burst_ns_per_kib;
	uintptr_t priv;         /* the provider's own: table index, EVP name... */
};

/* ---- jobs ------------------------------------------------------------------------------------ */

enum kcf_phase { KCF_SINGLE = 0, KCF_INIT, KCF_UPDATE, KCF_FINAL_PHASE };

/* Key bytes as a provider sees them; valid during template_new only. */
struct kcf_key_data {
	enum kcf_key_format format;
	const uint8_t *bytes;
	size_t len;
};

/*
 * One operation. The framework owns it; the provider may use priv[] from submit to completion.
 * Software gets thread (this thread's live state of the template); hardware gets tmpl only.
 * AEAD: in of decrypt is ciphertext then tag; out of encrypt is ciphertext then tag.
 * check: the MAC or signature of MAC_VERIFY and VERIFY (FINAL_PHASE or SINGLE).
 * KEYGEN: out gets raw bytes or PKCS#8. PUBLIC: template's key -> SubjectPublicKeyInfo.
 * Dual operations come only to a provider whose ops->dual said yes: row, tmpl, thread and param are
 * the cipher's, row2, tmpl2, thread2 and param2 the MAC's; the MAC is over the ciphertext. check is
 * the MAC of MAC_DECRYPT, and the room for the MAC of ENCRYPT_MAC, which sets mac_len; nothing
 * decrypted is left in out unless the MAC was right.
 * On return: status; out_len = bytes written, or with KCF_BUFFER_TOO_SMALL the bytes required (and
 * nothing consumed). Output iovecs are filled in order. in and out are equal ranges or disjoint.
 */
struct kcf_job {
	uint16_t op;       /* enum kcf_op */
	uint16_t phase;    /* enum kcf_phase */
	uint32_t row;      /* index into the descriptor's rows */
	const void *param; /* struct of the row's kind; NULL if optional and not given */
	void *tmpl;
	void *thread;
	void *ctx; /* INIT sets it; UPDATE, FINAL_PHASE use it */
	const struct iovec *in;
	const struct iovec *out;
	const struct iovec *check;
	uint32_t n_in, n_out, n_check;
	enum kcf_status status;
	size_t in_len, out_room, check_len;
	size_t out_len;
	uint32_t row2; /* dual operations only, from here */
	const void *param2;
	void *tmpl2;
	void *thread2;
	size_t mac_len;
	void *priv[4];
};

/* ---- host services --------------------------------------------------------------------------- */

enum kcf_log_level { KCF_LOG_ERROR = 3, KCF_LOG_WARNING = 4, KCF_LOG_INFO = 6, KCF_LOG_DEBUG = 7 };

enum kcf_provider_notice { KCF_NOTICE_BUSY = 1, KCF_NOTICE_READY, KCF_NOTICE_FAILED };

struct kcf_host_timer;

/* Thread lines: "any" = any thread; "loop" = kcfd's loop thread, from which start, submit,
 * reset, cancel, set of a hardware provider and timer callbacks are called. Inside an application
 * only log and config are there; the others are NULL. */
struct kcf_host {
	uint32_t abi;
	uint32_t size; /* of this structure: members beyond it do not exist */
	/* Thread: any. */
	void (*log)(const struct kcf_host *host, enum kcf_log_level level, const char *fmt, ...)
		__attribute__((format(printf, 3, 4)));
	/* Instance setting by key ("latency-us"), as kcfadm load gave it; NULL if not given, and
	 * always in an application. Ask for every key you know: kcfd refuses a load with one nobody
	 * asked for. Thread: any, during start. */
	const char *(*config)(const struct kcf_host *host, const char *key);
	/* Exactly once per accepted job of a hardware provider. The job is the framework's again.
	 * Thread: any. */
	void (*complete)(const struct kcf_host *host, struct kcf_job *job);
	/* State of a hardware provider: no free slot, slots again, broken. Thread: loop. */
	void (*notify)(const struct kcf_host *host, enum kcf_provider_notice notice);
	/* One-shot timer; NULL if out of memory. Free it, in the callback or any time.
	 * Thread: loop. */
	struct kcf_host_timer *(*timer_start)(const struct kcf_host *host, uint64_t usec,
					      void (*fn)(void *arg), void *arg);
	void (*timer_free)(const struct kcf_host *host, struct kcf_host_timer *timer);
};

/* ---- the module ------------------------------------------------------------------------------ */

/* Every slot: prov is what start returned. Slots marked (opt) may be NULL. */
struct kcf_provider_ops {
	/* Make an instance. KCF_SUCCESS, or why not. Thread: loop or worker in kcfd, any in an
	 * application. */
	enum kcf_status (*start)(const struct kcf_host *host, void **ret_prov);
	/* No job is under way. Thread: as start. */
	void (*stop)(void *prov);
	/* (opt) Known answers, at load and before re-admission. At most 50 ms. Thread: as start. */
	enum kcf_status (*self_test)(void *prov);
	/* jobs[0..n) all of this instance, of any rows and templates, those of one row and key size
	 * side by side; no two of one context. Returns how many were taken from the front. software:
	 * all, and each is finished. hardware: fewer = no free slot now. Thread: software: any,
	 * concurrently, but never two threads with one thread state or context; hardware: loop. */
	unsigned (*submit)(void *prov, struct kcf_job *const *jobs, unsigned n);
	/* Prepare row + key (key NULL for keyless rows). Checks the key: KEY_SIZE_RANGE,
	 * KEY_TYPE_INCONSISTENT. Must copy what it keeps. Thread: any, concurrently. */
	enum kcf_status (*template_new)(void *prov, uint32_t row, const struct kcf_key_data *key,
					void **ret_tmpl);
	/* Wipes. No thread state, context or job uses it any more. Thread: any. */
	void (*template_free)(void *prov, void *tmpl);
	/* software: live state of a template for one thread at a time. Thread: any. */
	enum kcf_status (*thread_state_new)(void *prov, void *tmpl, void **ret_thread);
	void (*thread_state_free)(void *prov, void *thread);
	/* End a context before or after FINAL_PHASE; wipes. Thread: any one. */
	void (*context_free)(void *prov, void *ctx);
	/* (opt) hardware: ask that a job end soon; it still completes once. It may have completed
	 * already without the loop having seen that: then there is nothing to do. Thread: loop. */
	void (*cancel)(void *prov, struct kcf_job *job);
	/* (opt) hardware: stop the device so that it provably writes nothing any more, then
	 * complete every job with KCF_DEVICE_ERROR, then make it usable again. Thread: loop. */
	enum kcf_status (*reset)(void *prov);
	/* (opt) hardware: slots in all; queue depth the device likes. Thread: loop. */
	unsigned (*slots)(void *prov);
	/* (opt) Change an instance setting at run time. KCF_NOT_FOUND, KCF_ARGUMENTS_BAD. Thread:
	 * loop. */
	enum kcf_status (*set)(void *prov, const char *key, const char *value);
	/* (opt) software: can one job do both halves of a dual operation with these rows? Without
	 * it the framework composes them of two jobs. Thread: any. */
	bool (*dual)(void *prov, uint32_t cipher_row, uint32_t mac_row);
};

#define KCF_DESC_TEST_ONLY 0x1 /* never loaded on demand */

struct kcf_provider_desc {
	uint32_t abi;     /* KCF_PROVIDER_ABI */
	uint32_t size;    /* sizeof this structure */
	const char *name; /* at most 31 bytes: letters, digits, '-' */
	const char *description;
	uint32_t version; /* major << 16 | minor */
	uint32_t kind;    /* enum kcf_provider_kind */
	uint32_t flags;
	uint32_t n_rows;
	const struct kcf_mech_row *rows;
	const struct kcf_provider_ops *ops;
};

#define KCF_PROVIDER_SYMBOL "kcf_provider"
#define KCF_PROVIDER_EXPORT                                                                        \
	__attribute__((visibility("default"))) extern const struct kcf_provider_desc kcf_provider; \
	const struct kcf_provider_desc kcf_provider

#ifdef __cplusplus
}
#endif
#endif
