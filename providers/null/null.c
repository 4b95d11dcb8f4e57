/* SPDX-License-Identifier: Apache-2.0 */
/*
 * null: the smallest complete provider, to learn from (providers/README.md walks through it).
 *
 * It protects nothing. It offers two mechanisms under names nobody has heard of, which shows that
 * new names need no change anywhere else:
 *   KCF_NULL_DIGEST  all input bytes folded into 8 by XOR, byte i into place i % 8
 *   KCF_NULL_CIPHER  every byte XOR the one key byte; decryption is the same
 *
 * Software: submit() has finished every job when it returns. No state is global. Thread: any, as
 * the contract in <kcf/provider.h> says: templates are shared and never written, a thread state or
 * a context is used by one thread at a time.
 */
#include <kcf/provider.h>

#include <stdlib.h>
#include <string.h>

/* ---- what is offered ------------------------------------------------------------------------- */

/* A job names its row by index, so the order here is the order everywhere below. */
enum { ROW_DIGEST, ROW_CIPHER, N_ROWS };

/* Both read each input byte once and check nothing of what they write (SHARED_OK), have contexts
 * (MULTI_PART), and are quick enough for kcfd's loop thread (SHORT). The two costs are measured
 * guesses that steer the scheduler, nothing else depends on them. */
#define FLAGS (KCF_ROW_MULTI_PART | KCF_ROW_SHARED_OK | KCF_ROW_SHORT)

static const struct kcf_mech_row rows[N_ROWS] = {
	[ROW_DIGEST] =
		{
			.name = "KCF_NULL_DIGEST",
			.classes = KCF_CLASS_DIGEST,
			.param_kind = KCF_PARAM_NONE,
			.flags = FLAGS,
			.setup_ns = 30,
			.ns_per_kib = 500,
		},
	[ROW_CIPHER] =
		{
			.name = "KCF_NULL_CIPHER",
			.classes = KCF_CLASS_CIPHER,
			.param_kind = KCF_PARAM_NONE,
			.flags = FLAGS,
			/* the framework turns other lengths away before we see them */
			.key_min_bits = 8,
			.key_max_bits = 8,
			.setup_ns = 30,
			.ns_per_kib = 300,
		},
};

/* ---- the mechanisms -------------------------------------------------------------------------- */

#define DIGEST_LEN 8

/* A template is what one key (here: one byte, or none) becomes once, however often it is used. */
struct tmpl {
	uint32_t row;
	uint8_t key;
};

/* State of one digest: of a single-part job on the stack, of a multi-part one in its context. */
struct digest {
	uint8_t sum[DIGEST_LEN];
	uint64_t n_bytes;
};

/* A multi-part operation between its jobs. A real provider would refer to the template here; it
 * outlives its contexts. */
struct context {
	struct digest digest;
	uint8_t key;
};

static void digest_update(struct digest *d, const struct kcf_job *job)
{
	uint32_t i;
	size_t k;

	/* input comes in pieces: an array of (address, length), any number, empty ones too */
	for (i = 0; i < job->n_in; i++) {
		const uint8_t *bytes = job->in[i].iov_base;

		for (k = 0; k < job->in[i].iov_len; k++)
			d->sum[d->n_bytes++ % DIGEST_LEN] ^= bytes[k];
	}
}

/* Output goes to pieces as well, filled in order. */
static enum kcf_status digest_write(const struct digest *d, struct kcf_job *job)
{
	size_t done = 0, n;
	uint32_t i;

	/* Not enough room: say how much is needed and change nothing, so that the caller can try
	 * again with more. */
	if (job->out_room < DIGEST_LEN) {
		job->out_len = DIGEST_LEN;
		return KCF_BUFFER_TOO_SMALL;
	}
	for (i = 0; i < job->n_out && done < DIGEST_LEN; i++) {
		n = job->out[i].iov_len < DIGEST_LEN - done ? job->out[i].iov_len
							    : DIGEST_LEN - done;
		memcpy(job->out[i].iov_base, d->sum + done, n);
		done += n;
	}
	job->out_len = done;
	return KCF_SUCCESS;
}

/* Input and output pieces need not have the same lengths; and they may be the same memory. */
static enum kcf_status cipher_bytes(uint8_t key, struct kcf_job *job)
{
	const struct iovec *out = job->out;
	size_t at = 0, k;
	uint32_t i;

	if (job->out_room < job->in_len) {
		job->out_len = job->in_len;
		return KCF_BUFFER_TOO_SMALL;
	}
	for (i = 0; i < job->n_in; i++) {
		const uint8_t *bytes = job->in[i].iov_base;

		for (k = 0; k < job->in[i].iov_len; k++) {
			for (; at == out->iov_len; at = 0)
				out++;
			((uint8_t *)out->iov_base)[at++] = bytes[k] ^ key;
		}
	}
	job->out_len = job->in_len;
	return KCF_SUCCESS;
}

/* ---- jobs ------------------------------------------------------------------------------------ */

/* A whole operation in one job. */
static enum kcf_status run_single(struct kcf_job *job)
{
	const struct tmpl *tmpl = job->tmpl;
	struct digest d = {{0}, 0};

	if (job->row == ROW_CIPHER)
		return cipher_bytes(tmpl->key, job);
	digest_update(&d, job);
	return digest_write(&d, job);
}

static enum kcf_status run_init(struct kcf_job *job)
{
	const struct tmpl *tmpl = job->tmpl;
	struct context *ctx = calloc(1, sizeof(*ctx));

	if (!ctx)
		return KCF_HOST_MEMORY;
	ctx->key = tmpl->key;
	job->ctx = ctx; /* the framework hands it back with every further job of this operation */
	return KCF_SUCCESS;
}

static enum kcf_status run_update(struct kcf_job *job)
{
	struct context *ctx = job->ctx;

	if (job->row == ROW_CIPHER)
		return cipher_bytes(ctx->key, job);
	digest_update(&ctx->digest, job);
	return KCF_SUCCESS;
}

static enum kcf_status run_final(struct kcf_job *job)
{
	struct context *ctx = job->ctx;

	/* a stream cipher holds nothing back; the framework frees the context by context_free */
	return job->row == ROW_CIPHER ? KCF_SUCCESS : digest_write(&ctx->digest, job);
}

/* Jobs come in bursts. Software finishes all of them here: status and out_len, then the count. */
static unsigned null_submit(void *prov, struct kcf_job *const *jobs, unsigned n)
{
	static enum kcf_status (*const run[])(struct kcf_job * job) = {
		[KCF_SINGLE] = run_single,
		[KCF_INIT] = run_init,
		[KCF_UPDATE] = run_update,
		[KCF_FINAL_PHASE] = run_final,
	};
	unsigned i;

	for (i = 0; i < n; i++) {
		jobs[i]->out_len = 0;
		jobs[i]->status = run[jobs[i]->phase](jobs[i]);
	}
	return n;
}

/* ---- keys, threads, instances ---------------------------------------------------------------- */

static enum kcf_status null_template_new(void *prov, uint32_t row, const struct kcf_key_data *key,
					 void **ret)
{
	struct tmpl *tmpl = calloc(1, sizeof(*tmpl));

	if (!tmpl)
		return KCF_HOST_MEMORY;
	tmpl->row = row;
	if (key) /* NULL for the digest; the bytes are the caller's, so copy what is kept */
		tmpl->key = key->bytes[0];
	*ret = tmpl;
	return KCF_SUCCESS;
}

static void null_template_free(void *prov, void *tmpl)
{
	explicit_bzero(tmpl, sizeof(struct tmpl)); /* it held a key */
	free(tmpl);
}

/* Each thread that uses a template gets its own state for it: the place for a cipher context one
 * cannot share. We write to nothing shared, so the template itself serves. */
static enum kcf_status null_thread_state_new(void *prov, void *tmpl, void **ret)
{
	*ret = tmpl;
	return KCF_SUCCESS;
}

static void null_thread_state_free(void *prov, void *thread)
{
}

static void null_context_free(void *prov, void *ctx)
{
	explicit_bzero(ctx, sizeof(struct context));
	free(ctx);
}

/* One module may be started several times; what start returns is "this instance" everywhere else.
 */
static enum kcf_status null_start(const struct kcf_host *host, void **ret)
{
	*ret = (void *)host;
	return KCF_SUCCESS;
}

static void null_stop(void *prov)
{
}

/* A known answer, asked for at load and before a failed provider is used again. */
static enum kcf_status null_self_test(void *prov)
{
	static const uint8_t want[DIGEST_LEN] = {'a' ^ 'i', 'b', 'c', 'd', 'e', 'f', 'g', 'h'};
	struct iovec in = {(void *)"abcdefghi", 9};
	struct kcf_job job = {.in = &in, .n_in = 1, .in_len = 9};
	struct digest d = {{0}, 0};

	digest_update(&d, &job);
	return memcmp(d.sum, want, sizeof(want)) == 0 ? KCF_SUCCESS : KCF_FAILED;
}

/* ---- the module ------------------------------------------------------------------------------ */

static const struct kcf_provider_ops ops = {
	.start = null_start,
	.stop = null_stop,
	.self_test = null_self_test,
	.submit = null_submit,
	.template_new = null_template_new,
	.template_free = null_template_free,
	.thread_state_new = null_thread_state_new,
	.thread_state_free = null_thread_state_free,
	.context_free = null_context_free,
};

KCF_PROVIDER_EXPORT = {
	.abi = KCF_PROVIDER_ABI,
	.size = sizeof(struct kcf_provider_desc),
	.name = "null",
	.description = "teaching example, protects nothing",
	.version = 1 << 16,
	.kind = KCF_SOFTWARE,
	.n_rows = N_ROWS,
	.rows = rows,
	.ops = &ops,
};
