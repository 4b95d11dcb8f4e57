/* SPDX-License-Identifier: Apache-2.0 */
/* Multi-part operations: contexts, requests of steps, dual operations. */
#include "unit/core-world.h"

#include <semaphore.h>
#include "core/context.h"

static const uint8_t key[32] = "0123456789abcdef0123456789abcdef";
static const uint8_t iv[16] = "nonce-nonce-nonc";
static struct kcf_param_aead gcm = {.iv = iv, .iv_len = 12};
static struct kcf_param_iv cbc = {.iv = iv, .iv_len = 16};
static uint8_t data[65536];
static struct tmpl *sha, *aes, *cipher, *mac;
static struct context *ctx;
static struct sent s[40];

static void setup(void)
{
	world_setup();
	sha = world_tmpl(KCF_M_SHA256, NULL, 0);
	aes = world_tmpl(KCF_M_AES_GCM, key, 32);
	cipher = world_tmpl(KCF_M_AES_CBC, key, 16);
	mac = world_tmpl(KCF_M_SHA256_HMAC, key, 32);
	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (uint8_t)(i * 7);
}

static void teardown(void)
{
	if (ctx)
		context_close(ctx);
	ctx = NULL;
	world_turn();
	ck_assert_uint_eq(world.consumer->charged[CHARGE_CONTEXT], 0);
	tmpl_unref(sha);
	tmpl_unref(aes);
	tmpl_unref(cipher);
	tmpl_unref(mac);
	world_teardown();
}

static void open_context(uint16_t op, struct tmpl *t, struct tmpl *t2)
{
	ck_assert_int_eq(context_new(world.core, world.consumer, op, t, t2, &ctx), KCF_SUCCESS);
}

/* Prepare a call on the context. */
static void part(struct sent *one, uint16_t phase, const void *in, size_t len)
{
	sent_init(one, NULL, ctx->op, in, len);
	one->r->context = ctx;
	one->r->phase = phase;
	one->r->tmpl = phase == KCF_INIT ? tmpl_ref(ctx->tmpl) : NULL;
}

static void call(struct sent *one, uint16_t phase, const void *in, size_t len)
{
	part(one, phase, in, len);
	sent_submit(one);
}

static enum kcf_status wait(struct sent *one)
{
	enum kcf_status status;

	sent_wait(one);
	status = one->r->status;
	sent_free(one);
	return status;
}

static void digest_of(const void *in, size_t len, uint8_t *ret)
{
	struct sent one;

	ck_assert_int_eq(sent_do(&one, sha, KCF_OP_DIGEST, in, len), KCF_SUCCESS);
	memcpy(ret, one.out, 32);
	sent_free(&one);
}

START_TEST(digests_in_parts_all_submitted_at_once)
{
	uint8_t expect[32];

	digest_of(data, 1000, expect);
	open_context(KCF_OP_DIGEST, sha, NULL);
	call(&s[0], KCF_INIT, NULL, 0);
	call(&s[1], KCF_UPDATE, data, 10);
	call(&s[2], KCF_UPDATE, data + 10, 990);
	call(&s[3], KCF_FINAL_PHASE, NULL, 0);
	for (unsigned i = 0; i < 4; i++) {
		sent_wait(&s[i]);
		ck_assert_int_eq(s[i].r->status, KCF_SUCCESS);
		ck_assert_uint_eq(s[i].order, s[0].order + i);
	}
	ck_assert_mem_eq(s[3].out, expect, 32);
	ck_assert(!context_is_open(ctx));
	for (unsigned i = 0; i < 4; i++)
		sent_free(&s[i]);
	call(&s[0], KCF_UPDATE, data, 10);
	ck_assert_int_eq(wait(&s[0]), KCF_INVALID_CONTEXT);
}
END_TEST

START_TEST(too_small_an_output_keeps_the_context)
{
	open_context(KCF_OP_DIGEST, sha, NULL);
	call(&s[0], KCF_INIT, NULL, 0);
	ck_assert_int_eq(wait(&s[0]), KCF_SUCCESS);
	part(&s[1], KCF_FINAL_PHASE, NULL, 0);
	s[1].r->out.len = s[1].iov[1].iov_len = 31;
	sent_submit(&s[1]);
	sent_wait(&s[1]);
	ck_assert_uint_eq(s[1].r->out_len, 32);
	ck_assert_int_eq(wait(&s[1]), KCF_BUFFER_TOO_SMALL);
	ck_assert(context_is_open(ctx));
	call(&s[2], KCF_FINAL_PHASE, NULL, 0);
	ck_assert_int_eq(wait(&s[2]), KCF_SUCCESS);
}
END_TEST

START_TEST(cancel_of_the_first_passes_the_turn)
{
	ck_assert_int_eq(world_load("fault", "dev", "gate=closed", NULL), KCF_SUCCESS);
	open_context(KCF_OP_DIGEST, sha, NULL);
	part(&s[0], KCF_INIT, NULL, 0);
	s[0].r->preference = KCF_ONLY_HARDWARE;
	sent_submit(&s[0]);
	for (unsigned i = 1; i < 30; i++)
		call(&s[i], KCF_UPDATE, data, 10);
	world_turn();
	ck_assert_int_eq(s[0].r->state, REQUEST_RUNNING);
	sched_cancel(world.core, s[0].r);
	ck_assert_int_eq(wait(&s[0]), KCF_CANCELED);
	for (unsigned i = 1; i < 30; i++)
		ck_assert_int_eq(wait(&s[i]), KCF_INVALID_CONTEXT);
	context_close(ctx);
	ctx = NULL;
	while (world_provider("dev")->n_flying)
		uv_run(&world.loop, UV_RUN_ONCE);
}
END_TEST

START_TEST(cancel_of_one_that_waits_for_its_turn_ends_the_context)
{
	open_context(KCF_OP_DIGEST, sha, NULL);
	call(&s[0], KCF_INIT, NULL, 0);
	call(&s[1], KCF_UPDATE, data, 10);
	call(&s[2], KCF_FINAL_PHASE, NULL, 0);
	sched_cancel(world.core, s[1].r);
	ck_assert_uint_eq(s[1].completed, 1);
	ck_assert_int_eq(wait(&s[1]), KCF_CANCELED);
	sent_wait(&s[0]);
	sent_free(&s[0]);
	ck_assert_int_eq(wait(&s[2]), KCF_INVALID_CONTEXT);
}
END_TEST

START_TEST(close_cancels_what_is_queued_on_it)
{
	open_context(KCF_OP_DIGEST, sha, NULL);
	call(&s[0], KCF_INIT, NULL, 0);
	call(&s[1], KCF_UPDATE, data, 10);
	call(&s[2], KCF_FINAL_PHASE, NULL, 0);
	context_close(ctx);
	ctx = NULL;
	for (unsigned i = 0; i < 3; i++)
		ck_assert_int_eq(wait(&s[i]), KCF_CANCELED);
	ck_assert_uint_eq(world.consumer->charged[CHARGE_CONTEXT], 0);
	ck_assert(list_empty(&world_provider("openssl")->contexts));
}
END_TEST

START_TEST(a_closed_context_is_charged_until_its_job_is_back)
{
	const struct provider *dev;

	ck_assert_int_eq(world_load("fault", "dev", "gate=closed", NULL), KCF_SUCCESS);
	dev = world_provider("dev");
	open_context(KCF_OP_DIGEST, sha, NULL);
	part(&s[0], KCF_INIT, NULL, 0);
	s[0].r->preference = KCF_ONLY_HARDWARE;
	sent_submit(&s[0]);
	world_turn();
	ck_assert_uint_eq(dev->n_flying, 1);
	context_close(ctx);
	ctx = NULL;
	ck_assert_uint_eq(world.consumer->charged[CHARGE_CONTEXT], 1);
	ck_assert_int_eq(wait(&s[0]), KCF_CANCELED);
	while (dev->n_flying) {
		ck_assert_uint_eq(world.consumer->charged[CHARGE_CONTEXT], 1);
		uv_run(&world.loop, UV_RUN_ONCE);
	}
	ck_assert_uint_eq(world.consumer->charged[CHARGE_CONTEXT], 0);
}
END_TEST

/* openssl, whose inits wait for a word and whose contexts are counted. */
static struct {
	const struct kcf_provider_desc *desc;
	sem_t go;
	unsigned n_made, n_freed;
} slow;

static unsigned slow_submit(void *prov, struct kcf_job *const *jobs, unsigned n)
{
	if (jobs[0]->phase == KCF_INIT)
		sem_wait(&slow.go);
	n = slow.desc->ops->submit(prov, jobs, n);
	slow.n_made += jobs[0]->phase == KCF_INIT && jobs[0]->status == KCF_SUCCESS;
	return n;
}

static void slow_context_free(void *prov, void *context)
{
	slow.n_freed++;
	slow.desc->ops->context_free(prov, context);
}

START_TEST(a_context_begun_after_its_request_was_done_is_freed)
{
	struct instance *inst = &world_provider("openssl")->inst;
	struct kcf_provider_desc desc = *inst->desc;
	struct kcf_provider_ops ops = *inst->desc->ops;
	struct tmpl *sha3 = world_tmpl(KCF_M_SHA3_512, NULL, 0); /* long: a worker's */

	slow.desc = inst->desc;
	sem_init(&slow.go, 0, 0);
	ops.submit = slow_submit;
	ops.context_free = slow_context_free;
	desc.ops = &ops;
	inst->desc = &desc;
	open_context(KCF_OP_DIGEST, sha3, NULL);
	call(&s[0], KCF_INIT, NULL, 0);
	world_turn();
	ck_assert_int_eq(s[0].r->state, REQUEST_RUNNING);
	context_close(ctx);
	ctx = NULL;
	ck_assert_int_eq(wait(&s[0]), KCF_CANCELED);
	sem_post(&slow.go);
	while (world.consumer->charged[CHARGE_CONTEXT])
		uv_run(&world.loop, UV_RUN_ONCE);
	ck_assert_uint_eq(slow.n_made, 1);
	ck_assert_uint_eq(slow.n_freed, 1);
	inst->desc = slow.desc;
	tmpl_unref(sha3);
}
END_TEST

START_TEST(never_queue_does_not_wait_for_a_turn)
{
	open_context(KCF_OP_DIGEST, sha, NULL);
	call(&s[0], KCF_INIT, NULL, 0);
	part(&s[1], KCF_UPDATE, data, 10);
	s[1].r->flags = REQUEST_NEVER_QUEUE;
	sent_submit(&s[1]);
	sent_wait(&s[1]);
	ck_assert_int_eq(s[1].r->busy_reason, KCF_BUSY_WOULD_QUEUE);
	ck_assert_int_eq(wait(&s[1]), KCF_BUSY);
	ck_assert_int_eq(wait(&s[0]), KCF_SUCCESS);
	ck_assert(context_is_open(ctx));
}
END_TEST

START_TEST(a_bad_beginning_ends_it)
{
	static struct kcf_param_aead bad = {.iv = iv, .iv_len = 0};

	open_context(KCF_OP_ENCRYPT, aes, NULL);
	part(&s[0], KCF_INIT, NULL, 0);
	s[0].r->param = &bad;
	sent_submit(&s[0]);
	call(&s[1], KCF_UPDATE, data, 10);
	ck_assert_int_eq(wait(&s[0]), KCF_MECHANISM_PARAM_INVALID);
	ck_assert_int_eq(wait(&s[1]), KCF_INVALID_CONTEXT);
}
END_TEST

static size_t encrypt(uint8_t *ret, size_t len)
{
	size_t out;

	sent_init(&s[39], aes, KCF_OP_ENCRYPT, data, len);
	s[39].r->param = &gcm;
	sent_submit(&s[39]);
	sent_wait(&s[39]);
	ck_assert_int_eq(s[39].r->status, KCF_SUCCESS);
	out = s[39].r->out_len;
	memcpy(ret, s[39].out, out);
	sent_free(&s[39]);
	return out;
}

static void decrypt_in_parts(const uint8_t *text, size_t len, enum kcf_status expect)
{
	open_context(KCF_OP_DECRYPT, aes, NULL);
	part(&s[0], KCF_INIT, NULL, 0);
	s[0].r->param = &gcm;
	sent_submit(&s[0]);
	ck_assert_int_eq(wait(&s[0]), KCF_SUCCESS);
	call(&s[1], KCF_UPDATE, text, 100);
	sent_wait(&s[1]);
	ck_assert_int_eq(s[1].r->status, KCF_SUCCESS);
	ck_assert_uint_eq(s[1].r->out_len, 0);
	sent_free(&s[1]);
	call(&s[2], KCF_UPDATE, text + 100, len - 100);
	ck_assert_int_eq(wait(&s[2]), KCF_SUCCESS);
	call(&s[3], KCF_FINAL_PHASE, NULL, 0);
	sent_wait(&s[3]);
	ck_assert_int_eq(s[3].r->status, expect);
	context_close(ctx);
	ctx = NULL;
}

START_TEST(aead_decryption_shows_nothing_before_its_tag_was_right)
{
	uint8_t text[1100];
	size_t len = encrypt(text, 1000);

	decrypt_in_parts(text, len, KCF_SUCCESS);
	ck_assert_uint_eq(s[3].r->out_len, 1000);
	ck_assert_mem_eq(s[3].out, data, 1000);
	sent_free(&s[3]);
	text[500] ^= 1;
	decrypt_in_parts(text, len, KCF_INVALID_MAC);
	ck_assert_uint_eq(s[3].r->out_len, 0);
	for (unsigned i = 0; i < 1000; i++)
		ck_assert_uint_eq(s[3].out[i], 0);
	sent_free(&s[3]);
}
END_TEST

START_TEST(aead_decryption_in_parts_is_bounded)
{
	world_set("aead_buffer", "4096");
	open_context(KCF_OP_DECRYPT, aes, NULL);
	part(&s[0], KCF_INIT, NULL, 0);
	s[0].r->param = &gcm;
	sent_submit(&s[0]);
	ck_assert_int_eq(wait(&s[0]), KCF_SUCCESS);
	call(&s[1], KCF_UPDATE, data, 4096);
	ck_assert_int_eq(wait(&s[1]), KCF_SUCCESS);
	call(&s[2], KCF_UPDATE, data, 1);
	ck_assert_int_eq(wait(&s[2]), KCF_BUFFER_TOO_BIG);
	call(&s[3], KCF_FINAL_PHASE, NULL, 0);
	ck_assert_int_eq(wait(&s[3]), KCF_INVALID_CONTEXT);
}
END_TEST

START_TEST(aead_encryption_streams)
{
	uint8_t text[1100], streamed[1100];
	size_t len = encrypt(text, 1000), at = 0;

	open_context(KCF_OP_ENCRYPT, aes, NULL);
	part(&s[0], KCF_INIT, NULL, 0);
	s[0].r->param = &gcm;
	sent_submit(&s[0]);
	ck_assert_int_eq(wait(&s[0]), KCF_SUCCESS);
	for (unsigned i = 0; i < 10; i++) {
		call(&s[1], KCF_UPDATE, data + 100 * i, 100);
		sent_wait(&s[1]);
		ck_assert_int_eq(s[1].r->status, KCF_SUCCESS);
		memcpy(streamed + at, s[1].out, s[1].r->out_len);
		at += s[1].r->out_len;
		sent_free(&s[1]);
	}
	ck_assert_uint_gt(at, 0);
	call(&s[2], KCF_FINAL_PHASE, NULL, 0);
	sent_wait(&s[2]);
	memcpy(streamed + at, s[2].out, s[2].r->out_len);
	at += s[2].r->out_len;
	sent_free(&s[2]);
	ck_assert_uint_eq(at, len);
	ck_assert_mem_eq(streamed, text, len);
}
END_TEST

START_TEST(a_context_stays_on_its_device)
{
	uint8_t expect[32];

	digest_of(data, 300, expect);
	ck_assert_int_eq(world_load("fault", "dev", NULL), KCF_SUCCESS);
	open_context(KCF_OP_DIGEST, sha, NULL);
	part(&s[0], KCF_INIT, NULL, 0);
	s[0].r->preference = KCF_PREFER_HARDWARE;
	sent_submit(&s[0]);
	for (unsigned i = 1; i <= 3; i++)
		call(&s[i], KCF_UPDATE, data + 100 * (i - 1), 100);
	call(&s[4], KCF_FINAL_PHASE, NULL, 0);
	for (unsigned i = 0; i < 5; i++) {
		sent_wait(&s[i]);
		ck_assert_int_eq(s[i].r->status, KCF_SUCCESS);
		ck_assert_uint_eq(s[i].r->provider_row1, world_provider("dev")->row + 1);
	}
	ck_assert_mem_eq(s[4].out, expect, 32);
	for (unsigned i = 0; i < 5; i++)
		sent_free(&s[i]);
}
END_TEST

START_TEST(a_context_begins_in_software_unless_told_otherwise)
{
	ck_assert_int_eq(world_load("fault", "dev", NULL), KCF_SUCCESS);
	world_set("threshold CKM_SHA256", "0");
	open_context(KCF_OP_DIGEST, sha, NULL);
	call(&s[0], KCF_INIT, NULL, 0);
	sent_wait(&s[0]);
	ck_assert_uint_eq(s[0].r->provider_row1, world_provider("openssl")->row + 1);
	sent_free(&s[0]);
}
END_TEST

START_TEST(an_init_fails_over_and_an_update_does_not)
{
	ck_assert_int_eq(world_load("fault", "dev", NULL), KCF_SUCCESS);
	world_set("dev.fail", "device-error");
	world_set("dev.fail-count", "1");
	open_context(KCF_OP_DIGEST, sha, NULL);
	part(&s[0], KCF_INIT, NULL, 0);
	s[0].r->preference = KCF_PREFER_HARDWARE;
	sent_submit(&s[0]);
	sent_wait(&s[0]);
	ck_assert_uint_eq(s[0].r->provider_row1, world_provider("openssl")->row + 1);
	ck_assert_int_eq(wait(&s[0]), KCF_SUCCESS);
	context_close(ctx);
	open_context(KCF_OP_DIGEST, sha, NULL);
	part(&s[0], KCF_INIT, NULL, 0);
	s[0].r->preference = KCF_PREFER_HARDWARE;
	sent_submit(&s[0]);
	ck_assert_int_eq(wait(&s[0]), KCF_SUCCESS);
	world_set("dev.fail-count", "1");
	call(&s[1], KCF_UPDATE, data, 100);
	ck_assert_int_eq(wait(&s[1]), KCF_DEVICE_ERROR);
	call(&s[2], KCF_FINAL_PHASE, NULL, 0);
	ck_assert_int_eq(wait(&s[2]), KCF_INVALID_CONTEXT);
}
END_TEST

START_TEST(a_failing_device_ends_its_contexts)
{
	ck_assert_int_eq(world_load("fault", "dev", NULL), KCF_SUCCESS);
	open_context(KCF_OP_DIGEST, sha, NULL);
	part(&s[0], KCF_INIT, NULL, 0);
	s[0].r->preference = KCF_PREFER_HARDWARE;
	sent_submit(&s[0]);
	ck_assert_int_eq(wait(&s[0]), KCF_SUCCESS);
	world_set("dev.die", "");
	world_until(&world.events[KCF_EVENT_PROVIDER_RETURNED]);
	call(&s[1], KCF_UPDATE, data, 100);
	ck_assert_int_eq(wait(&s[1]), KCF_DEVICE_REMOVED);
}
END_TEST

/* ---- steps ---- */

static void steps_init(struct sent *one, struct tmpl *t, uint16_t op, unsigned updates,
		       unsigned each)
{
	sent_init(one, t, op, NULL, 0);
	one->r->in.n_iov = one->r->out.n_iov = 0;
	one->r->out.len = 0;
	one->r->steps = one->step;
	one->r->n_steps = updates + 2;
	one->step[0].kind = KCF_STEP_INIT;
	for (unsigned i = 1; i <= updates + 1; i++) {
		one->step_iov[2 * i] = (struct iovec){data + (i - 1) * each, each};
		one->step_iov[2 * i + 1] = (struct iovec){one->out + 64 * i, 64};
		one->step[i].kind = i <= updates ? KCF_STEP_UPDATE : KCF_STEP_FINAL;
		if (i <= updates)
			one->step[i].in =
				(struct request_data){&one->step_iov[2 * i], 1, false, each};
		one->step[i].out = (struct request_data){&one->step_iov[2 * i + 1], 1, false, 64};
	}
}

START_TEST(steps_are_one_request_and_one_completion)
{
	uint8_t expect[32];

	digest_of(data, 500, expect);
	steps_init(&s[0], sha, KCF_OP_DIGEST, 5, 100);
	sent_submit(&s[0]);
	sent_wait(&s[0]);
	ck_assert_int_eq(s[0].r->status, KCF_SUCCESS);
	ck_assert_uint_eq(s[0].n_steps, 0);
	ck_assert_uint_eq(s[0].r->steps_done, 7);
	ck_assert_uint_eq(s[0].step[6].out_len, 32);
	ck_assert_mem_eq(s[0].out + 64 * 6, expect, 32);
	sent_free(&s[0]);
}
END_TEST

START_TEST(each_step_is_told_once_and_in_order_when_asked_for)
{
	steps_init(&s[0], sha, KCF_OP_DIGEST, 10, 10);
	s[0].r->flags = REQUEST_NOTIFY_STEPS | REQUEST_ALWAYS_QUEUE;
	sent_submit(&s[0]);
	ck_assert_uint_eq(s[0].n_steps, 0);
	sent_wait(&s[0]);
	ck_assert_int_eq(s[0].r->status, KCF_SUCCESS);
	ck_assert_uint_eq(s[0].n_steps, 12);
	for (unsigned i = 0; i < 12; i++)
		ck_assert_uint_eq(s[0].steps[i], i);
	ck_assert_uint_eq(s[0].r->queue_hops, 1);
	sent_free(&s[0]);
}
END_TEST

START_TEST(steps_out_of_order_are_refused)
{
	steps_init(&s[0], sha, KCF_OP_DIGEST, 2, 10);
	s[0].step[1].kind = KCF_STEP_FINAL;
	sent_submit(&s[0]);
	ck_assert_int_eq(wait(&s[0]), KCF_ARGUMENTS_BAD);
	steps_init(&s[0], sha, KCF_OP_DIGEST, 2, 10);
	s[0].step[0].kind = KCF_STEP_UPDATE;
	sent_submit(&s[0]);
	ck_assert_int_eq(wait(&s[0]), KCF_ARGUMENTS_BAD);
}
END_TEST

START_TEST(steps_begin_anew_elsewhere_while_none_was_reported)
{
	uint8_t expect[32];

	digest_of(data, 300, expect);
	ck_assert_int_eq(world_load("fault", "dev", "gate=closed", NULL), KCF_SUCCESS);
	steps_init(&s[0], sha, KCF_OP_DIGEST, 3, 100);
	s[0].r->preference = KCF_PREFER_HARDWARE;
	sent_submit(&s[0]);
	world_turn();
	world_set("dev.release", "1"); /* the init */
	while (s[0].r->steps_done < 1)
		uv_run(&world.loop, UV_RUN_ONCE);
	world_set("dev.fail", "device-error");
	world_set("dev.gate", "open");
	sent_wait(&s[0]);
	ck_assert_uint_eq(s[0].r->provider_row1, world_provider("openssl")->row + 1);
	ck_assert_mem_eq(s[0].out + 64 * 4, expect, 32);
	ck_assert_int_eq(wait(&s[0]), KCF_SUCCESS);
}
END_TEST

START_TEST(steps_do_not_begin_anew_once_one_was_reported)
{
	ck_assert_int_eq(world_load("fault", "dev", "gate=closed", NULL), KCF_SUCCESS);
	steps_init(&s[0], sha, KCF_OP_DIGEST, 3, 100);
	s[0].r->preference = KCF_PREFER_HARDWARE;
	s[0].r->flags = REQUEST_NOTIFY_STEPS;
	sent_submit(&s[0]);
	world_turn();
	world_set("dev.release", "1");
	while (s[0].n_steps < 1)
		uv_run(&world.loop, UV_RUN_ONCE);
	world_set("dev.fail", "device-error");
	world_set("dev.gate", "open");
	ck_assert_int_eq(wait(&s[0]), KCF_DEVICE_ERROR);
	/* the one the device held already, and none twice */
	ck_assert_uint_eq(s[0].n_steps, 2);
}
END_TEST

START_TEST(canceled_steps_complete_once_with_their_device_still_busy)
{
	ck_assert_int_eq(world_load("fault", "dev", "gate=closed", NULL), KCF_SUCCESS);
	steps_init(&s[0], sha, KCF_OP_DIGEST, 3, 100);
	s[0].r->preference = KCF_ONLY_HARDWARE;
	sent_submit(&s[0]);
	world_turn();
	ck_assert_int_eq(s[0].r->state, REQUEST_RUNNING);
	sched_cancel(world.core, s[0].r);
	ck_assert_int_eq(wait(&s[0]), KCF_CANCELED);
	while (world_provider("dev")->n_using || world_provider("dev")->n_flying)
		uv_run(&world.loop, UV_RUN_ONCE);
}
END_TEST

/* ---- dual ---- */

static uint8_t mac_out[64];

static void dual_init(struct sent *one, uint16_t op, const void *in, size_t len)
{
	sent_init(one, cipher, op, in, len);
	one->r->tmpl2 = tmpl_ref(mac);
	one->r->param = &cbc;
	one->r->out.len = one->iov[1].iov_len = len;
	one->iov[2] = (struct iovec){mac_out, 32};
	if (op == KCF_OP_ENCRYPT_MAC)
		one->r->mac = (struct request_data){&one->iov[2], 1, false, 32};
	else
		one->r->check = (struct request_data){&one->iov[2], 1, false, 32};
}

static void dual_both_ways(enum kcf_preference preference)
{
	uint8_t text[320], expect[32];

	dual_init(&s[0], KCF_OP_ENCRYPT_MAC, data, 320);
	s[0].r->preference = preference;
	sent_submit(&s[0]);
	sent_wait(&s[0]);
	ck_assert_int_eq(s[0].r->status, KCF_SUCCESS);
	ck_assert_uint_eq(s[0].r->out_len, 320);
	ck_assert_uint_eq(s[0].r->mac_len, 32);
	memcpy(text, s[0].out, 320);
	memcpy(expect, mac_out, 32);
	sent_free(&s[0]);
	sent_init(&s[1], mac, KCF_OP_MAC, text, 320);
	sent_submit(&s[1]);
	sent_wait(&s[1]);
	ck_assert_mem_eq(s[1].out, expect, 32);
	sent_free(&s[1]);
	dual_init(&s[2], KCF_OP_MAC_DECRYPT, text, 320);
	s[2].r->preference = preference;
	sent_submit(&s[2]);
	sent_wait(&s[2]);
	ck_assert_int_eq(s[2].r->status, KCF_SUCCESS);
	ck_assert_uint_eq(s[2].r->out_len, 320);
	ck_assert_mem_eq(s[2].out, data, 320);
	sent_free(&s[2]);
	text[17] ^= 1;
	dual_init(&s[3], KCF_OP_MAC_DECRYPT, text, 320);
	s[3].r->preference = preference;
	sent_submit(&s[3]);
	sent_wait(&s[3]);
	ck_assert_uint_eq(s[3].r->out_len, 0);
	for (unsigned i = 0; i < 320; i++)
		ck_assert_uint_eq(s[3].out[i], 0);
	ck_assert_int_eq(wait(&s[3]), KCF_INVALID_MAC);
}

START_TEST(dual_operations_in_software)
{
	dual_both_ways(KCF_PREFER_DEFAULT);
}
END_TEST

START_TEST(dual_operations_on_a_device_step_by_step)
{
	ck_assert_int_eq(world_load("fault", "dev", NULL), KCF_SUCCESS);
	dual_both_ways(KCF_PREFER_HARDWARE);
	ck_assert_uint_gt(world_provider("dev")->offers[1].stat->ops, 0);
}
END_TEST

START_TEST(dual_operations_fail_over_in_either_step)
{
	ck_assert_int_eq(world_load("fault", "dev", NULL), KCF_SUCCESS);
	world_set("dev.fail", "device-error");
	world_set("dev.fail-count", "2");
	dual_both_ways(KCF_PREFER_HARDWARE);
	ck_assert_uint_eq(world.core->stats.failovers, 2);
}
END_TEST

START_TEST(dual_operations_work_on_shared_memory_through_private_copies)
{
	dual_init(&s[0], KCF_OP_ENCRYPT_MAC, data, 320);
	s[0].r->in.shared = s[0].r->out.shared = s[0].r->mac.shared = true;
	sent_submit(&s[0]);
	sent_wait(&s[0]);
	ck_assert_int_eq(s[0].r->status, KCF_SUCCESS);
	dual_init(&s[1], KCF_OP_MAC_DECRYPT, s[0].out, 320);
	s[1].r->in.shared = s[1].r->out.shared = s[1].r->check.shared = true;
	sent_submit(&s[1]);
	sent_wait(&s[1]);
	ck_assert_mem_eq(s[1].out, data, 320);
	ck_assert_int_eq(wait(&s[1]), KCF_SUCCESS);
	sent_free(&s[0]);
}
END_TEST

START_TEST(dual_operations_in_parts_end_with_the_mac)
{
	struct sent whole;

	dual_init(&whole, KCF_OP_ENCRYPT_MAC, data, 320);
	sent_submit(&whole);
	sent_wait(&whole);
	open_context(KCF_OP_ENCRYPT_MAC, cipher, mac);
	part(&s[0], KCF_INIT, NULL, 0);
	s[0].r->param = &cbc;
	sent_submit(&s[0]);
	ck_assert_int_eq(wait(&s[0]), KCF_SUCCESS);
	call(&s[1], KCF_UPDATE, data, 20);
	ck_assert_int_eq(wait(&s[1]), KCF_SUCCESS);
	call(&s[2], KCF_UPDATE, data + 20, 300);
	ck_assert_int_eq(wait(&s[2]), KCF_SUCCESS);
	part(&s[3], KCF_FINAL_PHASE, NULL, 0);
	s[3].r->out.len = s[3].iov[1].iov_len = 351;
	sent_submit(&s[3]);
	sent_wait(&s[3]);
	ck_assert_uint_eq(s[3].r->out_len, 352);
	ck_assert_int_eq(wait(&s[3]), KCF_BUFFER_TOO_SMALL);
	call(&s[3], KCF_FINAL_PHASE, NULL, 0);
	sent_wait(&s[3]);
	ck_assert_int_eq(s[3].r->status, KCF_SUCCESS);
	ck_assert_uint_eq(s[3].r->out_len, 352);
	ck_assert_mem_eq(s[3].out, whole.out, 320);
	ck_assert_mem_eq(s[3].out + 320, mac_out, 32);
	sent_free(&s[3]);
	sent_free(&whole);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("context");
	TCase *tc = tcase_create("context");

	tcase_set_timeout(tc, 60);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, digests_in_parts_all_submitted_at_once);
	tcase_add_test(tc, too_small_an_output_keeps_the_context);
	tcase_add_test(tc, cancel_of_the_first_passes_the_turn);
	tcase_add_test(tc, cancel_of_one_that_waits_for_its_turn_ends_the_context);
	tcase_add_test(tc, close_cancels_what_is_queued_on_it);
	tcase_add_test(tc, a_closed_context_is_charged_until_its_job_is_back);
	tcase_add_test(tc, a_context_begun_after_its_request_was_done_is_freed);
	tcase_add_test(tc, never_queue_does_not_wait_for_a_turn);
	tcase_add_test(tc, a_bad_beginning_ends_it);
	tcase_add_test(tc, aead_decryption_shows_nothing_before_its_tag_was_right);
	tcase_add_test(tc, aead_decryption_in_parts_is_bounded);
	tcase_add_test(tc, aead_encryption_streams);
	tcase_add_test(tc, a_context_stays_on_its_device);
	tcase_add_test(tc, a_context_begins_in_software_unless_told_otherwise);
	tcase_add_test(tc, an_init_fails_over_and_an_update_does_not);
	tcase_add_test(tc, a_failing_device_ends_its_contexts);
	tcase_add_test(tc, steps_are_one_request_and_one_completion);
	tcase_add_test(tc, each_step_is_told_once_and_in_order_when_asked_for);
	tcase_add_test(tc, steps_out_of_order_are_refused);
	tcase_add_test(tc, steps_begin_anew_elsewhere_while_none_was_reported);
	tcase_add_test(tc, steps_do_not_begin_anew_once_one_was_reported);
	tcase_add_test(tc, canceled_steps_complete_once_with_their_device_still_busy);
	tcase_add_test(tc, dual_operations_in_software);
	tcase_add_test(tc, dual_operations_on_a_device_step_by_step);
	tcase_add_test(tc, dual_operations_fail_over_in_either_step);
	tcase_add_test(tc, dual_operations_work_on_shared_memory_through_private_copies);
	tcase_add_test(tc, dual_operations_in_parts_end_with_the_mac);
	suite_add_tcase(suite, tc);
	return test_main(suite);
}
