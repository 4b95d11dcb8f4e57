/* SPDX-License-Identifier: Apache-2.0 */
/* The library's daemon-facing half against a scripted kcfd: handshake, calls, waiting, cancelling, closing. */
#include <fcntl.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>
#include "client-fixture.h"
#include "test-main.h"

static void setup(void)
{
	fixture_setup();
}

static void teardown(void)
{
	fixture_teardown();
}

/* ---- open ---- */

START_TEST(opens_and_closes)
{
	struct kcf_client *c = open_client(0);

	ck_assert(kcf_client_connected(c));
	ck_assert_int_eq(kcf_client_fd(c), -1);
	ck_assert_int_eq(kcf_client_close(c), KCF_SUCCESS);
}
END_TEST

START_TEST(reports_that_kcfd_is_not_there)
{
	struct kcf_client_options o = {.size = sizeof(o), .socket = "/tmp/kcf-no-such-socket"};
	struct kcf_client *c;

	ck_assert_int_eq(kcf_client_open(&o, &c), KCF_NO_DAEMON);
	o.flags = KCF_CLIENT_STANDALONE;
	ck_assert_int_eq(kcf_client_open(&o, &c), KCF_SUCCESS);
	ck_assert(!kcf_client_connected(c));
	ck_assert_int_eq(digest(c, NULL), KCF_NO_DAEMON);
	kcf_client_close(c);
}
END_TEST

START_TEST(reports_why_kcfd_refuses)
{
	static const enum kcf_status why[] = {KCF_VERSION_MISMATCH, KCF_PERMISSION_DENIED,
					      KCF_QUOTA_EXCEEDED};
	struct kcf_client_options o = {.size = sizeof(o), .socket = fake.path};
	struct kcf_client *c;

	for (int i = 0; i < 3; i++) {
		FAKE_SET(&fake, fatal, why[i]);
		ck_assert_int_eq(kcf_client_open(&o, &c), why[i]);
	}
}
END_TEST

START_TEST(refuses_a_version_it_does_not_know)
{
	struct kcf_client_options o = {.size = sizeof(o), .socket = fake.path};
	struct kcf_client *c;

	FAKE_SET(&fake, version, 2);
	ck_assert_int_eq(kcf_client_open(&o, &c), KCF_VERSION_MISMATCH);
}
END_TEST

START_TEST(refuses_options_it_does_not_know)
{
	struct kcf_client_options o = {.size = sizeof(o), .socket = fake.path};
	struct kcf_client *c;

	ck_assert_int_eq(kcf_client_open(&o, NULL), KCF_ARGUMENTS_BAD);
	o.flags = 0x80;
	ck_assert_int_eq(kcf_client_open(&o, &c), KCF_ARGUMENTS_BAD);
	o.flags = KCF_CLIENT_NO_DAEMON;
	ck_assert_int_eq(kcf_client_open(&o, &c), KCF_ARGUMENTS_BAD);
	o.flags = 0;
	o.label = "a label that is far too long for a label";
	ck_assert_int_eq(kcf_client_open(&o, &c), KCF_ARGUMENTS_BAD);
	o.label = NULL;
	o.size = 3;
	ck_assert_int_eq(kcf_client_open(&o, &c), KCF_ARGUMENTS_BAD);
	o.size = sizeof(o) + 8;
	ck_assert_int_eq(kcf_client_open(&o, &c), KCF_ARGUMENTS_BAD);
}
END_TEST

START_TEST(never_connects_without_daemon)
{
	struct kcf_client *c = open_client(KCF_CLIENT_STANDALONE | KCF_CLIENT_NO_DAEMON);

	ck_assert(!kcf_client_connected(c));
	ck_assert_uint_eq(fake_count(&fake, FRAME_HELLO), 0);
	ck_assert_int_eq(kcf_client_reopen(c), KCF_ARGUMENTS_BAD);
	kcf_client_close(c);
}
END_TEST

/* ---- calls ---- */

START_TEST(answers_a_synchronous_call)
{
	struct kcf_client *c = open_client(0);
	uint8_t in[64] = "input", out[64] = {0};
	struct kcf_data din = kcf_flat(in, sizeof(in)), dout = kcf_flat(out, sizeof(out));

	ck_assert_int_eq(kcf_digest(c, &sha256, &din, &dout, NULL), KCF_SUCCESS);
	ck_assert_uint_eq(dout.used, sizeof(in));
	expect_mixed(out, in, sizeof(in));
	kcf_client_close(c);
}
END_TEST

START_TEST(calls_back_an_asynchronous_call)
{
	struct kcf_client *c = open_client(0);
	struct result r = RESULT_INIT;
	struct kcf_call_req req = {.callback = on_done, .arg = &r};

	ck_assert_int_eq(digest(c, &req), KCF_QUEUED);
	ck_assert_uint_ne(req.id, 0);
	wait_result(&r, 1);
	ck_assert_int_eq(r.last.status, KCF_SUCCESS);
	ck_assert_uint_eq(r.last.step, KCF_FINAL);
	ck_assert_uint_eq(r.last.len, sizeof(data_in));
	ck_assert_uint_eq(r.last.id, req.id);
	ck_assert_str_eq(r.provider, "fake");
	ck_assert(!pthread_equal(r.thread, pthread_self()));
	expect_mixed(data_out, data_in, sizeof(data_in));
	kcf_client_close(c);
	ck_assert_uint_eq(r.n, 1);
}
END_TEST

START_TEST(hides_the_id_when_asked)
{
	struct kcf_client *c = open_client(0);
	struct result r = RESULT_INIT;
	struct kcf_call_req req = {.callback = on_done, .arg = &r, .flags = KCF_SKIP_REQID,
				   .id = 99};

	ck_assert_int_eq(digest(c, &req), KCF_QUEUED);
	ck_assert_uint_eq(req.id, 0);
	wait_result(&r, 1);
	ck_assert_uint_eq(r.last.id, 0);
	kcf_client_close(c);
}
END_TEST

START_TEST(passes_scattered_data)
{
	struct kcf_client *c = open_client(0);
	uint8_t in[10] = "0123456789", out[10], want[10];
	struct iovec vin[4] = {{in, 3}, {in + 3, 0}, {in + 3, 4}, {in + 7, 3}};
	struct iovec vout[3] = {{out, 1}, {out + 1, 5}, {out + 6, 4}};
	struct kcf_data din = kcf_iov(vin, 4), dout = kcf_iov(vout, 3);

	ck_assert_int_eq(kcf_digest(c, &sha256, &din, &dout, NULL), KCF_SUCCESS);
	for (int i = 0; i < 10; i++)
		want[i] = in[i] ^ FAKE_XOR;
	ck_assert_mem_eq(out, want, 10);
	kcf_client_close(c);
}
END_TEST

START_TEST(returns_lengths_and_errors_of_kcfd)
{
	struct kcf_client *c = open_client(0);
	struct kcf_data din = kcf_flat(data_in, sizeof(data_in));
	struct kcf_data dout = kcf_flat(data_out, sizeof(data_out));

	FAKE_SET(&fake, status, KCF_BUFFER_TOO_SMALL);
	ck_assert_int_eq(kcf_digest(c, &sha256, &din, &dout, NULL), KCF_BUFFER_TOO_SMALL);
	ck_assert_uint_eq(dout.used, 12345);
	FAKE_SET(&fake, status, KCF_DEVICE_ERROR);
	ck_assert_int_eq(kcf_digest(c, &sha256, &din, &dout, NULL), KCF_DEVICE_ERROR);
	kcf_client_close(c);
}
END_TEST

START_TEST(refuses_bad_requests)
{
	struct kcf_client *c = open_client(0);
	struct kcf_call_req req = {0};

	ck_assert_int_eq(digest(c, &req), KCF_ARGUMENTS_BAD); /* no callback */
	req.flags = KCF_WAIT;
	ck_assert_int_eq(digest(c, &req), KCF_SUCCESS);
	req.flags = KCF_WAIT | KCF_ALWAYS_QUEUE;
	ck_assert_int_eq(digest(c, &req), KCF_ARGUMENTS_BAD);
	req.flags = KCF_WAIT;
	req.callback = on_done;
	ck_assert_int_eq(digest(c, &req), KCF_ARGUMENTS_BAD);
	req.flags = KCF_ALWAYS_QUEUE | KCF_NEVER_QUEUE;
	ck_assert_int_eq(digest(c, &req), KCF_ARGUMENTS_BAD);
	req.flags = 0x4000;
	ck_assert_int_eq(digest(c, &req), KCF_ARGUMENTS_BAD);
	req.flags = 0;
	req.preference = KCF_ONLY_PROVIDER;
	ck_assert_int_eq(digest(c, &req), KCF_ARGUMENTS_BAD);
	req.preference = 77;
	ck_assert_int_eq(digest(c, &req), KCF_ARGUMENTS_BAD);
	ck_assert_uint_eq(fake_count(&fake, FRAME_OP), 1);
	kcf_client_close(c);
}
END_TEST

START_TEST(refuses_bad_data)
{
	struct kcf_client *c = open_client(0);
	struct kcf_data none = kcf_flat(NULL, 5), in = kcf_flat(data_in, 32);
	struct kcf_data out = kcf_flat(data_out, 32), over = kcf_flat(data_in + 16, 32);

	ck_assert_int_eq(kcf_digest(c, &sha256, &none, &out, NULL), KCF_ARGUMENTS_BAD);
	ck_assert_int_eq(kcf_digest(c, &sha256, &in, &none, NULL), KCF_ARGUMENTS_BAD);
	ck_assert_int_eq(kcf_digest(c, &sha256, &in, &over, NULL), KCF_ARGUMENTS_BAD);
	ck_assert_int_eq(kcf_digest(c, NULL, &in, &out, NULL), KCF_ARGUMENTS_BAD);
	ck_assert_int_eq(kcf_digest(c, &sha256, NULL, &out, NULL), KCF_ARGUMENTS_BAD);
	ck_assert_int_eq(kcf_digest(NULL, &sha256, &in, &out, NULL), KCF_ARGUMENTS_BAD);
	ck_assert_int_eq(kcf_digest(c, &sha256, &in, &in, NULL), KCF_SUCCESS); /* in place */
	kcf_client_close(c);
}
END_TEST

START_TEST(sends_nothing_that_runs_here)
{
	struct kcf_client *c = open_client(0);

	fake_direct_done = true;
	fake_direct_status = KCF_FAILED;
	ck_assert_int_eq(digest(c, NULL), KCF_FAILED);
	ck_assert_uint_eq(fake_count(&fake, FRAME_OP), 0);
	kcf_client_close(c);
}
END_TEST

START_TEST(attaches_a_template_once)
{
	struct kcf_client *c = open_client(0);
	struct kcf_key raw = kcf_key_bytes("0123456789abcdef", 16), key;
	struct kcf_mechanism mech = {.number = KCF_M_AES_CMAC};
	struct kcf_data in = kcf_flat(data_in, 16), out = kcf_flat(data_out, 16);
	struct kcf_template *t;

	ck_assert_int_eq(kcf_template_create(c, mech.number, &raw, &t), KCF_SUCCESS);
	key = kcf_key_tmpl(t);
	for (int i = 0; i < 3; i++)
		ck_assert_int_eq(kcf_mac(c, &mech, &key, &in, &out, NULL), KCF_SUCCESS);
	ck_assert_uint_eq(fake_count(&fake, FRAME_TEMPLATE_ATTACH), 1);
	ck_assert_uint_ne(fake.last_op.tmpl, 0);
	ck_assert_int_eq(fake.last_op.key.kind, KCF_KEY_NONE);
	mech.number = KCF_M_AES_GMAC;
	ck_assert_int_eq(kcf_mac(c, &mech, &key, &in, &out, NULL), KCF_ARGUMENTS_BAD);
	kcf_template_destroy(t);
	fake_wait(&fake, FRAME_TEMPLATE_DROP, 1);
	kcf_client_close(c);
}
END_TEST

START_TEST(sends_the_key_when_a_template_cannot_be_attached)
{
	struct kcf_client *c = open_client(0);
	struct kcf_key raw = kcf_key_bytes("0123456789abcdef", 16), key;
	struct kcf_mechanism mech = {.number = KCF_M_AES_CMAC};
	struct kcf_data in = kcf_flat(data_in, 16), out = kcf_flat(data_out, 16);
	struct kcf_template *t;

	FAKE_SET(&fake, attach_status, KCF_QUOTA_EXCEEDED);
	FAKE_SET(&fake, status, KCF_ARGUMENTS_BAD);
	ck_assert_int_eq(kcf_template_create(c, mech.number, &raw, &t), KCF_SUCCESS);
	key = kcf_key_tmpl(t);
	ck_assert_int_eq(kcf_mac(c, &mech, &key, &in, &out, NULL), KCF_QUOTA_EXCEEDED);
	FAKE_SET(&fake, status, KCF_SUCCESS);
	ck_assert_int_eq(kcf_mac(c, &mech, &key, &in, &out, NULL), KCF_SUCCESS);
	ck_assert_uint_eq(fake.last_op.tmpl, 0);
	ck_assert_int_eq(fake.last_op.key.kind, KCF_KEY_BYTES);
	kcf_client_close(c); /* frees the template */
}
END_TEST

START_TEST(separates_ciphertext_and_mac)
{
	struct kcf_client *c = open_client(0);
	struct kcf_key key = kcf_key_bytes("0123456789abcdef", 16);
	struct kcf_param_iv iv = {data_in, 16};
	struct kcf_mechanism cipher = {KCF_M_AES_CBC, sizeof(iv), &iv};
	struct kcf_mechanism mac = {.number = KCF_M_SHA256_HMAC};
	struct kcf_dual dual = {&cipher, &key, &mac, &key};
	uint8_t tag[32];
	struct kcf_data in = kcf_flat(data_in, 48), out = kcf_flat(data_out, 48);
	struct kcf_data dtag = kcf_flat(tag, sizeof(tag));

	ck_assert_int_eq(kcf_encrypt_mac(c, &dual, &in, &out, &dtag, NULL), KCF_SUCCESS);
	expect_mixed(data_out, data_in, 48);
	ck_assert_uint_eq(out.used, 48);
	ck_assert_uint_eq(dtag.used, 4);
	ck_assert_mem_eq(tag, "MAC!", 4);
	kcf_client_close(c);
}
END_TEST

START_TEST(returns_a_generated_iv)
{
	struct kcf_client *c = open_client(0);
	uint8_t iv[12] = {0};
	struct kcf_param_aead aead = {.iv_out = iv, .flags = KCF_IV_GENERATED};
	struct kcf_mechanism mech = {KCF_M_AES_GCM, sizeof(aead), &aead};
	struct kcf_key key = kcf_key_named("disk");
	struct kcf_data in = kcf_flat(data_in, 16), out = kcf_flat(data_out, 32);

	ck_assert_int_eq(kcf_encrypt(c, &mech, &key, &in, &out, NULL), KCF_SUCCESS);
	ck_assert_mem_eq(iv, "generated-iv", 12);
	kcf_client_close(c);
}
END_TEST

START_TEST(makes_and_ends_keys)
{
	struct kcf_client *c = open_client(0);
	struct kcf_key raw = kcf_key_bytes("0123456789abcdef", 16), key = {0}, key2 = {0};
	struct kcf_param_keygen gen = {.bits = 128};
	struct kcf_mechanism mech = {KCF_M_AES_KEY_GEN, sizeof(gen), &gen};
	struct kcf_data out = kcf_flat(data_out, 64), small = kcf_flat(data_out, 2);
	struct result r = RESULT_INIT;
	struct kcf_call_req req = {.callback = on_done, .arg = &r};

	memset(fake.key_handle, 9, 16);
	ck_assert_int_eq(kcf_key_import(c, &raw, 0, &key, NULL), KCF_SUCCESS);
	ck_assert_int_eq(key.kind, KCF_KEY_HANDLE);
	ck_assert_mem_eq(key.handle.id, fake.key_handle, 16);
	ck_assert_int_eq(kcf_key_generate(c, &mech, 0, &key2, &req), KCF_QUEUED);
	wait_result(&r, 1);
	ck_assert_int_eq(r.last.status, KCF_SUCCESS);
	ck_assert_int_eq(key2.kind, KCF_KEY_HANDLE);
	ck_assert_int_eq(kcf_key_export_public(c, &key, &out, NULL), KCF_SUCCESS);
	ck_assert_uint_eq(out.used, 6);
	ck_assert_int_eq(kcf_key_export_public(c, &key, &small, NULL), KCF_BUFFER_TOO_SMALL);
	ck_assert_uint_eq(small.used, 6);
	ck_assert_int_eq(kcf_key_destroy(c, &key, NULL), KCF_SUCCESS);
	ck_assert_int_eq(kcf_key_destroy(c, &raw, NULL), KCF_ARGUMENTS_BAD);
	kcf_client_close(c);
}
END_TEST

START_TEST(finds_mechanisms_that_kcfd_loads)
{
	struct kcf_client *c = open_client(0);
	kcf_mech_t number;

	ck_assert_int_eq(kcf_mech_find(c, "CKM_AES_GCM", &number), KCF_SUCCESS);
	ck_assert_uint_eq(number, KCF_M_AES_GCM);
	ck_assert_uint_eq(fake_count(&fake, FRAME_MECH_FIND), 0);
	ck_assert_int_eq(kcf_mech_find(c, "NEW", &number), KCF_SUCCESS);
	ck_assert_uint_eq(number, KCF_M_DYNAMIC + 7);
	ck_assert_int_eq(kcf_mech_find(c, "UNKNOWN", &number), KCF_MECH_NOT_SUPPORTED);
	kcf_client_close(c);
}
END_TEST

/* ---- contexts and steps ---- */

START_TEST(runs_a_context_in_kcfd)
{
	struct kcf_client *c = open_client(0);
	struct kcf_how how = {.op = KCF_OP_DIGEST, .mech = &sha256};
	struct kcf_data in = kcf_flat(data_in, 16), out = kcf_flat(data_out, 64);
	struct kcf_context *ctx;

	ck_assert_int_eq(kcf_init(c, &how, &ctx, NULL), KCF_SUCCESS);
	ck_assert_int_eq(kcf_update(ctx, &in, NULL, NULL), KCF_SUCCESS);
	FAKE_SET(&fake, status, KCF_BUFFER_TOO_SMALL);
	ck_assert_int_eq(kcf_final(ctx, NULL, &out, NULL), KCF_BUFFER_TOO_SMALL);
	FAKE_SET(&fake, status, KCF_SUCCESS);
	ck_assert_int_eq(kcf_final(ctx, NULL, &out, NULL), KCF_SUCCESS);
	ck_assert_int_eq(kcf_update(ctx, &in, NULL, NULL), KCF_INVALID_CONTEXT);
	kcf_context_free(ctx);
	ck_assert_uint_eq(fake_count(&fake, FRAME_CONTEXT_DROP), 0);
	ck_assert_int_eq(kcf_init(c, &how, &ctx, NULL), KCF_SUCCESS);
	kcf_context_free(ctx);
	fake_wait(&fake, FRAME_CONTEXT_DROP, 1);
	kcf_client_close(c);
}
END_TEST

START_TEST(queues_the_calls_of_a_context_in_order)
{
	struct kcf_client *c = open_client(0);
	struct kcf_how how = {.op = KCF_OP_DIGEST, .mech = &sha256};
	struct kcf_data in = kcf_flat(data_in, 16), out = kcf_flat(data_out, 64);
	struct result r = RESULT_INIT;
	struct kcf_call_req req = {.callback = on_done, .arg = &r};
	struct kcf_context *ctx;

	FAKE_SET(&fake, hold, true);
	ck_assert_int_eq(kcf_init(c, &how, &ctx, &req), KCF_QUEUED);
	ck_assert_int_eq(kcf_update(ctx, &in, NULL, &req), KCF_QUEUED);
	ck_assert_int_eq(kcf_final(ctx, NULL, &out, &req), KCF_QUEUED);
	kcf_context_free(ctx); /* what is queued keeps it */
	fake_wait(&fake, FRAME_OP, 3);
	fake_release(&fake);
	wait_result(&r, 3);
	kcf_client_close(c);
}
END_TEST

START_TEST(submits_steps_as_one_request)
{
	struct kcf_client *c = open_client(0);
	struct kcf_how how = {.op = KCF_OP_DIGEST, .mech = &sha256};
	uint8_t out[64];
	struct kcf_step steps[4] = {
		{.kind = KCF_STEP_INIT},
		{.kind = KCF_STEP_UPDATE, .in = kcf_flat(data_in, 5), .out = kcf_flat(out, 5)},
		{.kind = KCF_STEP_UPDATE, .in = kcf_flat(data_in + 5, 9), .out = kcf_flat(out + 5, 20)},
		{.kind = KCF_STEP_FINAL, .in = kcf_flat(data_in + 14, 2),
		 .out = kcf_flat(out + 14, 2)},
	};
	struct result r = RESULT_INIT;
	struct kcf_call_req req = {.callback = on_done, .arg = &r, .flags = KCF_NOTIFY_OPDONE};

	ck_assert_int_eq(kcf_submit_steps(c, &how, steps, 4, NULL), KCF_SUCCESS);
	ck_assert_uint_eq(steps[1].out.used, 5);
	ck_assert_uint_eq(steps[2].out.used, 9);
	ck_assert_uint_eq(steps[3].out.used, 2);
	expect_mixed(out, data_in, 16);
	memset(out, 0, sizeof(out));
	ck_assert_int_eq(kcf_submit_steps(c, &how, steps, 4, &req), KCF_QUEUED);
	wait_result(&r, 5);
	ck_assert_uint_eq(r.last.step, KCF_FINAL);
	ck_assert_uint_eq(r.last.len, 16);
	expect_mixed(out, data_in, 16);
	steps[1].kind = KCF_STEP_FINAL;
	ck_assert_int_eq(kcf_submit_steps(c, &how, steps, 4, NULL), KCF_ARGUMENTS_BAD);
	ck_assert_int_eq(kcf_submit_steps(c, &how, steps, 1, NULL), KCF_ARGUMENTS_BAD);
	kcf_client_close(c);
}
END_TEST

/* ---- status, cancel, close ---- */

START_TEST(tells_where_a_request_is)
{
	struct kcf_client *c = open_client(0);
	struct result r = RESULT_INIT;
	struct kcf_call_req req = {.callback = on_done, .arg = &r};
	struct kcf_req_info info;

	FAKE_SET(&fake, hold, true);
	ck_assert_int_eq(digest(c, &req), KCF_QUEUED);
	ck_assert_int_eq(kcf_request_status(c, req.id, &info), KCF_SUCCESS);
	ck_assert_int_eq(info.state, KCF_REQ_WAITING);
	ck_assert_uint_eq(info.position, 3);
	ck_assert_str_eq(info.provider, "fake");
	ck_assert_int_eq(kcf_request_status(c, req.id + 1, &info), KCF_NOT_FOUND);
	fake_release(&fake);
	wait_result(&r, 1);
	ck_assert_int_eq(kcf_request_status(c, req.id, &info), KCF_NOT_FOUND);
	kcf_client_close(c);
}
END_TEST

START_TEST(cancels_a_request_once)
{
	struct kcf_client *c = open_client(0);
	struct result r = RESULT_INIT;
	struct kcf_call_req req = {.callback = on_done, .arg = &r};

	FAKE_SET(&fake, hold, true);
	ck_assert_int_eq(digest(c, &req), KCF_QUEUED);
	ck_assert_int_eq(kcf_cancel(c, req.id), KCF_SUCCESS);
	wait_result(&r, 1);
	ck_assert_int_eq(r.last.status, KCF_CANCELED);
	ck_assert_int_eq(kcf_cancel(c, req.id), KCF_NOT_FOUND);
	kcf_client_close(c);
	ck_assert_uint_eq(r.n, 1);
}
END_TEST

START_TEST(completes_everything_when_closed)
{
	struct kcf_client *c = open_client(0);
	struct result r = RESULT_INIT;
	struct kcf_call_req req = {.callback = on_done, .arg = &r};

	FAKE_SET(&fake, hold, true);
	for (int i = 0; i < 5; i++)
		ck_assert_int_eq(digest(c, &req), KCF_QUEUED);
	ck_assert_int_eq(kcf_client_close(c), KCF_SUCCESS);
	ck_assert_uint_eq(r.n, 5);
	ck_assert_int_eq(r.last.status, KCF_CANCELED);
}
END_TEST

static enum kcf_status close_status, nested_status;

static void close_inside(void *arg, const struct kcf_completion *done)
{
	struct result *r = arg;

	close_status = kcf_client_close(r->client);
	nested_status = digest(r->client, NULL);
	on_done(arg, done);
}

START_TEST(refuses_to_close_inside_a_callback_where_other_calls_work)
{
	struct kcf_client *c = open_client(0);
	struct result r = RESULT_INIT;
	struct kcf_call_req req = {.callback = close_inside, .arg = &r};

	r.client = c;
	ck_assert_int_eq(digest(c, &req), KCF_QUEUED);
	wait_result(&r, 1);
	ck_assert_int_eq(close_status, KCF_ARGUMENTS_BAD);
	ck_assert_int_eq(nested_status, KCF_SUCCESS);
	ck_assert_int_eq(kcf_client_close(c), KCF_SUCCESS);
}
END_TEST

/* ---- the application's loop ---- */

START_TEST(dispatches_in_the_applications_loop)
{
	struct kcf_client *c = open_client(KCF_CLIENT_APP_LOOP);
	struct result r = RESULT_INIT;
	struct kcf_call_req req = {.callback = on_done, .arg = &r};
	int fd = kcf_client_fd(c);
	struct epoll_event ev;

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(digest(c, &req), KCF_QUEUED);
	while (!r.n) {
		struct epoll_event watch = {.events = EPOLLIN};
		int outer = epoll_create1(0);

		ck_assert_int_eq(epoll_ctl(outer, EPOLL_CTL_ADD, fd, &watch), 0);
		ck_assert_int_eq(epoll_wait(outer, &ev, 1, -1), 1);
		close(outer);
		ck_assert_int_eq(kcf_client_dispatch(c), KCF_SUCCESS);
	}
	ck_assert(pthread_equal(r.thread, pthread_self()));
	kcf_client_close(c);
	c = open_client(0);
	ck_assert_int_eq(kcf_client_dispatch(c), KCF_ARGUMENTS_BAD);
	kcf_client_close(c);
}
END_TEST

START_TEST(defers_callbacks_that_a_waiting_thread_reads)
{
	struct kcf_client *c = open_client(KCF_CLIENT_APP_LOOP);
	struct result r = RESULT_INIT;
	struct kcf_call_req req = {.callback = on_done, .arg = &r};

	ck_assert_int_eq(digest(c, &req), KCF_QUEUED);
	ck_assert_int_eq(digest(c, NULL), KCF_SUCCESS); /* answered after the first */
	ck_assert_uint_eq(r.n, 0);
	ck_assert_int_eq(kcf_client_dispatch(c), KCF_SUCCESS);
	ck_assert_uint_eq(r.n, 1);
	kcf_client_close(c);
}
END_TEST

static void submit_more(void *arg, const struct kcf_completion *done)
{
	struct result *r = arg;
	struct kcf_call_req req = {.callback = on_done, .arg = r};

	for (int i = 0; i < 10; i++)
		ck_assert_int_eq(digest(r->client, &req), KCF_QUEUED);
}

START_TEST(sends_what_callbacks_submit)
{
	struct kcf_client *c = open_client(0);
	struct result r = RESULT_INIT;
	struct kcf_call_req req = {.callback = submit_more, .arg = &r};

	r.client = c;
	ck_assert_int_eq(digest(c, &req), KCF_QUEUED);
	wait_result(&r, 10);
	kcf_client_close(c);
}
END_TEST

/* ---- threads ---- */

static void *many_calls(void *arg)
{
	uint8_t in[32], out[32];
	struct kcf_data din = kcf_flat(in, 32), dout = kcf_flat(out, 32);

	memset(in, 5, sizeof(in));
	for (int i = 0; i < 200; i++) {
		if (kcf_digest(arg, &sha256, &din, &dout, NULL) != KCF_SUCCESS ||
		    out[7] != (in[7] ^ FAKE_XOR))
			return (void *)1;
	}
	return NULL;
}

START_TEST(serves_many_threads)
{
	struct kcf_client *c;
	struct result r = RESULT_INIT;
	struct kcf_call_req req = {.callback = on_done, .arg = &r, .flags = KCF_SKIP_REQID};
	pthread_t threads[4];
	unsigned queued = 0;
	void *failed;

	FAKE_SET(&fake, lease, 4096); /* enough for all: this kcfd has no other room */
	c = open_client(0);
	for (int i = 0; i < 4; i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, many_calls, c), 0);
	for (int i = 0; i < 200; i++)
		queued += digest(c, &req) == KCF_QUEUED;
	for (int i = 0; i < 4; i++) {
		pthread_join(threads[i], &failed);
		ck_assert_ptr_null(failed);
	}
	wait_result(&r, queued);
	kcf_client_close(c);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("client");
	TCase *tc = tcase_create("client");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, opens_and_closes);
	tcase_add_test(tc, reports_that_kcfd_is_not_there);
	tcase_add_test(tc, reports_why_kcfd_refuses);
	tcase_add_test(tc, refuses_a_version_it_does_not_know);
	tcase_add_test(tc, refuses_options_it_does_not_know);
	tcase_add_test(tc, never_connects_without_daemon);
	tcase_add_test(tc, answers_a_synchronous_call);
	tcase_add_test(tc, calls_back_an_asynchronous_call);
	tcase_add_test(tc, hides_the_id_when_asked);
	tcase_add_test(tc, passes_scattered_data);
	tcase_add_test(tc, returns_lengths_and_errors_of_kcfd);
	tcase_add_test(tc, refuses_bad_requests);
	tcase_add_test(tc, refuses_bad_data);
	tcase_add_test(tc, sends_nothing_that_runs_here);
	tcase_add_test(tc, attaches_a_template_once);
	tcase_add_test(tc, sends_the_key_when_a_template_cannot_be_attached);
	tcase_add_test(tc, separates_ciphertext_and_mac);
	tcase_add_test(tc, returns_a_generated_iv);
	tcase_add_test(tc, makes_and_ends_keys);
	tcase_add_test(tc, finds_mechanisms_that_kcfd_loads);
	tcase_add_test(tc, runs_a_context_in_kcfd);
	tcase_add_test(tc, queues_the_calls_of_a_context_in_order);
	tcase_add_test(tc, submits_steps_as_one_request);
	tcase_add_test(tc, tells_where_a_request_is);
	tcase_add_test(tc, cancels_a_request_once);
	tcase_add_test(tc, completes_everything_when_closed);
	tcase_add_test(tc, refuses_to_close_inside_a_callback_where_other_calls_work);
	tcase_add_test(tc, dispatches_in_the_applications_loop);
	tcase_add_test(tc, defers_callbacks_that_a_waiting_thread_reads);
	tcase_add_test(tc, sends_what_callbacks_submit);
	tcase_add_test(tc, serves_many_threads);
	suite_add_tcase(s, tc);
	return test_main(s);
}
