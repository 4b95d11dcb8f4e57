/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every status of the contract through the public API, by its natural cause; the fault provider stands in for a device's
 * own errors only.
 */
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include "admin.h"
#include "collect.h"
#include "test-main.h"

static struct harness_kcfd kcfd;
static struct kcf_client *client;
static struct collect done;
static struct kcf_key aes;
static uint8_t buf[256], in_bytes[64];
static struct kcf_data in, out;
static const uint8_t iv[16];
static const struct kcf_param_iv cbc_param = {iv, sizeof(iv)};
static const struct kcf_param_aead gcm_param = {.iv = iv, .iv_len = 12};
static const struct kcf_mechanism sha256 = {KCF_M_SHA256, 0, NULL};
static const struct kcf_mechanism hmac = {KCF_M_SHA256_HMAC, 0, NULL};
static const struct kcf_mechanism cbc = {KCF_M_AES_CBC, sizeof(cbc_param), &cbc_param};
static const struct kcf_mechanism gcm = {KCF_M_AES_GCM, sizeof(gcm_param), &gcm_param};

/* Memory runs out for the armed thread alone. */
#ifndef KCF_SANITIZED
static _Thread_local bool no_memory;
void *__libc_malloc(size_t);
void *__libc_calloc(size_t, size_t);

__attribute__((visibility("default"))) void *malloc(size_t n)
{
	return no_memory ? NULL : __libc_malloc(n);
}

__attribute__((visibility("default"))) void *calloc(size_t n, size_t size)
{
	return no_memory ? NULL : __libc_calloc(n, size);
}
#endif

static void setup(void)
{
	struct kcf_client_options options = {.size = sizeof(options)};

	collect_init(&done);
	harness_kcfd_start(&kcfd, NULL);
	options.socket = kcfd.socket;
	ck_assert_int_eq(kcf_client_open(&options, &client), KCF_SUCCESS);
	aes = kcf_key_bytes("0123456789abcdef", 16);
	in = kcf_flat(in_bytes, sizeof(in_bytes));
	out = kcf_flat(buf, sizeof(buf));
}

static void teardown(void)
{
	kcf_client_close(client);
	harness_kcfd_stop(&kcfd);
	collect_deinit(&done);
}

START_TEST(success_and_queued)
{
	struct kcf_call_req req = collect_req(&done, KCF_ALWAYS_QUEUE);

	ck_assert_int_eq(kcf_digest(client, &sha256, &in, &out, NULL), KCF_SUCCESS);
	ck_assert_uint_eq(out.used, 32);
	ck_assert_int_eq(kcf_digest(client, &sha256, &in, &out, &req), KCF_QUEUED);
	collect_wait(&done, 1);
	ck_assert_int_eq(done.status, KCF_SUCCESS);
}
END_TEST

#ifndef KCF_SANITIZED /* whose allocator is its own */
START_TEST(host_memory)
{
	struct kcf_template *tmpl = NULL;
	enum kcf_status st;

	no_memory = true;
	st = kcf_template_create(client, KCF_M_AES_GCM, &aes, &tmpl);
	no_memory = false;
	ck_assert_int_eq(st, KCF_HOST_MEMORY);
	ck_assert_ptr_null(tmpl);
}
END_TEST
#endif

START_TEST(arguments_bad)
{
	struct kcf_call_req req = {.flags = KCF_WAIT | KCF_ALWAYS_QUEUE};

	ck_assert_int_eq(kcf_digest(client, &sha256, NULL, &out, NULL), KCF_ARGUMENTS_BAD);
	ck_assert_int_eq(kcf_digest(client, NULL, &in, &out, NULL), KCF_ARGUMENTS_BAD);
	ck_assert_int_eq(kcf_digest(client, &sha256, &in, NULL, NULL), KCF_ARGUMENTS_BAD);
	ck_assert_int_eq(kcf_digest(NULL, &sha256, &in, &out, NULL), KCF_ARGUMENTS_BAD);
	ck_assert_int_eq(kcf_digest(client, &sha256, &in, &out, &req), KCF_ARGUMENTS_BAD);
	req.flags = KCF_WAIT;
	req.callback = collect_cb;
	ck_assert_int_eq(kcf_digest(client, &sha256, &in, &out, &req), KCF_ARGUMENTS_BAD);
	req = (struct kcf_call_req){.flags = 0};
	ck_assert_int_eq(kcf_digest(client, &sha256, &in, &out, &req), KCF_ARGUMENTS_BAD);
}
END_TEST

START_TEST(buffer_too_small_tells_the_length)
{
	struct kcf_call_req req = collect_req(&done, KCF_ALWAYS_QUEUE);
	struct kcf_data small = kcf_flat(buf, 10);

	ck_assert_int_eq(kcf_digest(client, &sha256, &in, &small, NULL), KCF_BUFFER_TOO_SMALL);
	ck_assert_uint_eq(small.used, 32);
	ck_assert_int_eq(kcf_digest(client, &sha256, &in, &small, &req), KCF_QUEUED);
	collect_wait(&done, 1);
	ck_assert_int_eq(done.status, KCF_BUFFER_TOO_SMALL);
	ck_assert_uint_eq(done.required, 32);
}
END_TEST

START_TEST(buffer_too_big_beyond_max_request)
{
	struct kcf_call_req req = collect_req(&done, KCF_ALWAYS_QUEUE);
	size_t len = 17 << 20;
	uint8_t *big = calloc(1, len);
	struct kcf_data huge = kcf_flat(big, len);

	ck_assert_int_eq(kcf_digest(client, &sha256, &huge, &out, &req), KCF_BUFFER_TOO_BIG);
	ck_assert_int_eq(kcf_digest(client, &sha256, &huge, &out, NULL), KCF_SUCCESS);
	free(big);
}
END_TEST

START_TEST(buffer_too_big_for_a_message_of_parameters)
{
	static uint8_t aad[32768];
	struct kcf_param_aead param = gcm_param;
	struct kcf_mechanism m = {KCF_M_AES_GCM, sizeof(param), &param};
	struct kcf_call_req req = collect_req(&done, KCF_ALWAYS_QUEUE);

	param.aad = aad;
	param.aad_len = sizeof(aad) - param.iv_len;
	ck_assert_int_eq(kcf_encrypt(client, &m, &aes, &in, &out, &req), KCF_QUEUED);
	collect_wait(&done, 1);
	ck_assert_int_eq(done.status, KCF_SUCCESS);
	param.aad_len++;
	ck_assert_int_eq(kcf_encrypt(client, &m, &aes, &in, &out, &req), KCF_BUFFER_TOO_BIG);
	ck_assert_int_eq(kcf_encrypt(client, &m, &aes, &in, &out, NULL), KCF_SUCCESS);
}
END_TEST

START_TEST(invalid_context_after_final)
{
	struct kcf_how how = {KCF_OP_DIGEST, &sha256, NULL, NULL};
	struct kcf_context *ctx;

	ck_assert_int_eq(kcf_init(client, &how, &ctx, NULL), KCF_SUCCESS);
	ck_assert_int_eq(kcf_update(ctx, &in, NULL, NULL), KCF_SUCCESS);
	ck_assert_int_eq(kcf_final(ctx, NULL, &out, NULL), KCF_SUCCESS);
	ck_assert_int_eq(kcf_update(ctx, &in, NULL, NULL), KCF_INVALID_CONTEXT);
	kcf_context_free(ctx);
}
END_TEST

static void both_ways(enum kcf_status want, enum kcf_op op, const struct kcf_mechanism *mech,
		      const struct kcf_key *key, size_t len)
{
	struct kcf_call_req req = collect_req(&done, KCF_ALWAYS_QUEUE);
	struct kcf_data d = kcf_flat(in_bytes, len);
	enum kcf_status st;

	for (int queued = 0; queued < 2; queued++) {
		struct kcf_call_req *r = queued ? &req : NULL;

		if (op == KCF_OP_ENCRYPT)
			st = kcf_encrypt(client, mech, key, &d, &out, r);
		else if (op == KCF_OP_DECRYPT)
			st = kcf_decrypt(client, mech, key, &d, &out, r);
		else if (op == KCF_OP_MAC)
			st = kcf_mac(client, mech, key, &d, &out, r);
		else
			st = kcf_sign(client, mech, key, &d, &out, r);
		if (st == KCF_QUEUED) {
			collect_wait(&done, 1);
			st = done.status;
		}
		ck_assert_msg(st == want, "%s, wanted %s", kcf_status_name(st),
			      kcf_status_name(want));
	}
}

START_TEST(data_len_range)
{
	both_ways(KCF_DATA_LEN_RANGE, KCF_OP_ENCRYPT, &cbc, &aes, 15);
}
END_TEST

START_TEST(encrypted_data_len_range)
{
	both_ways(KCF_ENCRYPTED_DATA_LEN_RANGE, KCF_OP_DECRYPT, &cbc, &aes, 15);
}
END_TEST

START_TEST(mechanism_invalid)
{
	struct kcf_mechanism m = {3999, 0, NULL};

	both_ways(KCF_MECHANISM_INVALID, KCF_OP_MAC, &m, &aes, 16);
}
END_TEST

START_TEST(mechanism_param_invalid)
{
	struct kcf_mechanism m = {KCF_M_AES_GCM, 0, NULL};

	both_ways(KCF_MECHANISM_PARAM_INVALID, KCF_OP_ENCRYPT, &m, &aes, 16);
}
END_TEST

START_TEST(key_size_range)
{
	struct kcf_key five = kcf_key_bytes("12345", 5);

	both_ways(KCF_KEY_SIZE_RANGE, KCF_OP_ENCRYPT, &cbc, &five, 16);
}
END_TEST

START_TEST(mech_not_supported)
{
	both_ways(KCF_MECH_NOT_SUPPORTED, KCF_OP_SIGN, &hmac, &aes, 16);
}
END_TEST

START_TEST(key_type_inconsistent)
{
	static const struct kcf_param_keygen p256 = {0, KCF_CURVE_P256};
	struct kcf_mechanism gen = {KCF_M_EC_KEY_PAIR_GEN, sizeof(p256), &p256};
	struct kcf_mechanism rsa_sign = {KCF_M_SHA256_RSA_PKCS, 0, NULL};
	struct kcf_key ec;

	ck_assert_int_eq(kcf_key_generate(client, &gen, 0, &ec, NULL), KCF_SUCCESS);
	ck_assert_int_eq(kcf_sign(client, &rsa_sign, &ec, &in, &out, NULL),
			 KCF_KEY_TYPE_INCONSISTENT);
}
END_TEST

START_TEST(canceled)
{
	struct kcf_call_req req = collect_req(&done, KCF_ALWAYS_QUEUE);
	kcf_mech_t only;
	struct kcf_mechanism m = {0, 0, NULL};

	admin_do(&kcfd, "load", "fault", "instance=fault0", "slots=1", "gate=closed", NULL);
	ck_assert_int_eq(kcf_mech_find(client, "KCF_FAULT_ONLY", &only), KCF_SUCCESS);
	m.number = only;
	ck_assert_int_eq(kcf_digest(client, &m, &in, &out, &req), KCF_QUEUED);
	ck_assert_int_eq(kcf_digest(client, &m, &in, &out, &req), KCF_QUEUED);
	admin_wait_requests(&kcfd, "waiting", 1);
	ck_assert_int_eq(kcf_cancel(client, req.id), KCF_SUCCESS);
	collect_wait(&done, 1);
	ck_assert_int_eq(done.status, KCF_CANCELED);
	ck_assert_uint_eq(done.id, req.id);
	ck_assert_int_eq(kcf_cancel(client, req.id), KCF_NOT_FOUND);
	admin_do(&kcfd, "set", "fault0.gate", "open", NULL);
	collect_wait(&done, 2);
	ck_assert_int_eq(done.status, KCF_SUCCESS);
}
END_TEST

START_TEST(failed_on_a_useless_peer_key)
{
	static const uint8_t zero[32], key[32] = {8, 1};
	struct kcf_param_ecdh peer = {zero, 32};
	struct kcf_mechanism m = {KCF_M_ECDH1_DERIVE, sizeof(peer), &peer};
	struct kcf_key k = kcf_key_bytes(key, 32);

	ck_assert_int_eq(kcf_derive(client, &m, &k, &out, NULL), KCF_FAILED);
}
END_TEST

START_TEST(invalid_mac)
{
	struct kcf_data mac = kcf_flat(buf, 32);

	ck_assert_int_eq(kcf_mac(client, &hmac, &aes, &in, &out, NULL), KCF_SUCCESS);
	ck_assert_int_eq(kcf_mac_verify(client, &hmac, &aes, &in, &mac, NULL), KCF_SUCCESS);
	buf[31] ^= 1;
	ck_assert_int_eq(kcf_mac_verify(client, &hmac, &aes, &in, &mac, NULL), KCF_INVALID_MAC);
	ck_assert_int_eq(kcf_decrypt(client, &gcm, &aes, &in, &out, NULL), KCF_INVALID_MAC);
}
END_TEST

START_TEST(signature_invalid)
{
	static const struct kcf_param_keygen ed = {0, KCF_CURVE_ED25519};
	struct kcf_mechanism gen = {KCF_M_EC_EDWARDS_KEY_PAIR_GEN, sizeof(ed), &ed};
	struct kcf_mechanism eddsa = {KCF_M_EDDSA, 0, NULL};
	struct kcf_data sig = kcf_flat(buf, 64);
	struct kcf_key k;

	ck_assert_int_eq(kcf_key_generate(client, &gen, 0, &k, NULL), KCF_SUCCESS);
	ck_assert_int_eq(kcf_sign(client, &eddsa, &k, &in, &out, NULL), KCF_SUCCESS);
	ck_assert_int_eq(kcf_verify(client, &eddsa, &k, &in, &sig, NULL), KCF_SUCCESS);
	buf[0] ^= 1;
	ck_assert_int_eq(kcf_verify(client, &eddsa, &k, &in, &sig, NULL), KCF_SIGNATURE_INVALID);
}
END_TEST

START_TEST(key_handle_invalid_for_another_connection)
{
	struct kcf_client_options options = {.size = sizeof(options), .socket = kcfd.socket};
	struct kcf_client *other;
	struct kcf_key k;

	ck_assert_int_eq(kcf_key_import(client, &aes, 0, &k, NULL), KCF_SUCCESS);
	ck_assert_int_eq(kcf_mac(client, &hmac, &k, &in, &out, NULL), KCF_SUCCESS);
	ck_assert_int_eq(kcf_client_open(&options, &other), KCF_SUCCESS);
	ck_assert_int_eq(kcf_mac(other, &hmac, &k, &in, &out, NULL), KCF_KEY_HANDLE_INVALID);
	kcf_client_close(other);
	ck_assert_int_eq(kcf_key_destroy(client, &k, NULL), KCF_SUCCESS);
	ck_assert_int_eq(kcf_mac(client, &hmac, &k, &in, &out, NULL), KCF_KEY_HANDLE_INVALID);
}
END_TEST

START_TEST(key_function_not_permitted)
{
	struct kcf_key k;

	ck_assert_int_eq(kcf_key_import(client, &aes, KCF_KEY_USE(KCF_OP_ENCRYPT), &k, NULL),
			 KCF_SUCCESS);
	ck_assert_int_eq(kcf_encrypt(client, &cbc, &k, &in, &out, NULL), KCF_SUCCESS);
	ck_assert_int_eq(kcf_decrypt(client, &cbc, &k, &in, &out, NULL),
			 KCF_KEY_FUNCTION_NOT_PERMITTED);
}
END_TEST

START_TEST(permission_denied_for_a_named_key_of_others)
{
	struct kcf_client_options options = {.size = sizeof(options)};
	struct kcf_key k = kcf_key_named("foreign");
	char text[512], path[128];

	kcf_client_close(client);
	harness_file(&kcfd, "foreign.bin", "0123456789abcdef", 16, path);
	snprintf(text, sizeof(text), "[key foreign]\nfile = %s\nuids = 4242\n", path);
	harness_file(&kcfd, "kcfd.conf", text, strlen(text), path);
	harness_kcfd_kill(&kcfd);
	harness_kcfd_restart(&kcfd, (const char *[]){"--config", path, NULL});
	options.socket = kcfd.socket;
	ck_assert_int_eq(kcf_client_open(&options, &client), KCF_SUCCESS);
	ck_assert_int_eq(kcf_mac(client, &hmac, &k, &in, &out, NULL), KCF_PERMISSION_DENIED);
	k = kcf_key_named("nobody-has-this");
	ck_assert_int_eq(kcf_mac(client, &hmac, &k, &in, &out, NULL), KCF_KEY_HANDLE_INVALID);
}
END_TEST

START_TEST(timed_out_while_a_device_holds_it)
{
	struct kcf_call_req req = {.flags = KCF_WAIT, .timeout_ms = 50};
	struct kcf_mechanism m = {0, 0, NULL};

	admin_do(&kcfd, "load", "fault", "instance=fault0", "gate=closed", NULL);
	ck_assert_int_eq(kcf_mech_find(client, "KCF_FAULT_ONLY", &m.number), KCF_SUCCESS);
	ck_assert_int_eq(kcf_digest(client, &m, &in, &out, &req), KCF_TIMED_OUT);
}
END_TEST

static void device_status(const char *fail, enum kcf_status want)
{
	struct kcf_call_req req = {.flags = KCF_WAIT};
	struct kcf_mechanism m = {0, 0, NULL};

	admin_do(&kcfd, "load", "fault", "instance=fault0", NULL);
	ck_assert_int_eq(kcf_mech_find(client, "KCF_FAULT_ONLY", &m.number), KCF_SUCCESS);
	ck_assert_int_eq(kcf_digest(client, &m, &in, &out, &req), KCF_SUCCESS);
	admin_do(&kcfd, "set", "fault0.fail", fail, NULL);
	ck_assert_int_eq(kcf_digest(client, &m, &in, &out, &req), want);
	admin_do(&kcfd, "set", "fault0.fail", "none", NULL);
	ck_assert_int_eq(kcf_digest(client, &m, &in, &out, &req), KCF_SUCCESS);
}

START_TEST(device_error)
{
	device_status("device-error", KCF_DEVICE_ERROR);
}
END_TEST

START_TEST(device_memory)
{
	device_status("device-memory", KCF_DEVICE_MEMORY);
}
END_TEST

START_TEST(device_removed)
{
	device_status("device-removed", KCF_DEVICE_REMOVED);
}
END_TEST

START_TEST(failed_by_a_device)
{
	device_status("failed", KCF_FAILED);
}
END_TEST

START_TEST(no_daemon)
{
	struct kcf_client_options options = {.size = sizeof(options), .socket = "/nonexistent/s"};
	struct kcf_client *none = NULL;
	struct kcf_key k;

	ck_assert_int_eq(kcf_client_open(&options, &none), KCF_NO_DAEMON);
	ck_assert_ptr_null(none);
	options.flags = KCF_CLIENT_STANDALONE;
	options.module_dir = TEST_MODULE_DIR;
	ck_assert_int_eq(kcf_client_open(&options, &none), KCF_SUCCESS);
	ck_assert_int_eq(kcf_digest(none, &sha256, &in, &out, NULL), KCF_SUCCESS);
	ck_assert_int_eq(kcf_key_import(none, &aes, 0, &k, NULL), KCF_NO_DAEMON);
	kcf_client_close(none);
}
END_TEST

START_TEST(quota_exceeded)
{
	struct kcf_key k[3];

	admin_do(&kcfd, "set", "user_keys", "2", NULL);
	ck_assert_int_eq(kcf_key_import(client, &aes, 0, &k[0], NULL), KCF_SUCCESS);
	ck_assert_int_eq(kcf_key_import(client, &aes, 0, &k[1], NULL), KCF_SUCCESS);
	ck_assert_int_eq(kcf_key_import(client, &aes, 0, &k[2], NULL), KCF_QUOTA_EXCEEDED);
	ck_assert_int_eq(kcf_key_destroy(client, &k[0], NULL), KCF_SUCCESS);
	ck_assert_int_eq(kcf_key_import(client, &aes, 0, &k[2], NULL), KCF_SUCCESS);
}
END_TEST

START_TEST(not_found)
{
	struct kcf_req_info info;

	ck_assert_int_eq(kcf_request_status(client, 12345, &info), KCF_NOT_FOUND);
	ck_assert_int_eq(kcf_buf_status(client, buf), KCF_NOT_FOUND);
	ck_assert_int_eq(admin_try(&kcfd, NULL, "unload", "nothing", NULL), KCF_NOT_FOUND);
}
END_TEST

START_TEST(already_exists)
{
	ck_assert_int_eq(admin_try(&kcfd, NULL, "load", "openssl", NULL), KCF_ALREADY_EXISTS);
}
END_TEST

START_TEST(module_invalid)
{
	char path[128], args[160];

	harness_file(&kcfd, "kcf-junk.so", "not an ELF file", 15, path);
	*strrchr(path, '/') = 0;
	snprintf(args, sizeof(args), "%s", path);
	harness_kcfd_kill(&kcfd);
	harness_kcfd_restart(&kcfd, (const char *[]){"--modules", args, NULL});
	ck_assert_int_eq(admin_try(&kcfd, NULL, "load", "junk", NULL), KCF_MODULE_INVALID);
}
END_TEST

START_TEST(version_mismatch)
{
	struct wire_msg msg = {.type = FRAME_HELLO,
			       .hello = {.version_min = 77, .version_max = 78, .label = ""}};
	enum kcf_status st;
	struct harness_raw r;

	harness_raw_open(&r, &kcfd);
	ck_assert(harness_raw_send(&r, &msg, 1, NULL, 0));
	harness_raw_expect_closed(&r, &st);
	ck_assert_int_eq(st, KCF_VERSION_MISMATCH);
	harness_raw_close(&r);
}
END_TEST

START_TEST(protocol_error)
{
	static const char garbage[64] = "GET / HTTP/1.1\r\n";
	enum kcf_status st;
	struct harness_raw r;

	harness_raw_open(&r, &kcfd);
	ck_assert(harness_raw_write(&r, garbage, sizeof(garbage), NULL, 0));
	harness_raw_expect_closed(&r, &st);
	ck_assert_int_eq(st, KCF_PROTOCOL_ERROR);
	harness_raw_close(&r);
	harness_raw_check_service(&kcfd);
}
END_TEST

START_TEST(a_silent_kcfd_costs_the_buffer_not_the_caller)
{
	struct kcf_call_req req = {.flags = KCF_WAIT, .timeout_ms = 100,
				   .preference = KCF_PREFER_DEFAULT};
	uint8_t *arena = kcf_buf_alloc(client, 65536);
	struct kcf_data d;
	struct kcf_key k;

	ck_assert_ptr_nonnull(arena);
	memset(arena, 1, 65536);
	d = kcf_flat(arena, 65536);
	ck_assert_int_eq(kcf_key_import(client, &aes, 0, &k, NULL), KCF_SUCCESS);
	ck_assert_int_eq(kcf_encrypt(client, &cbc, &k, &d, &d, NULL), KCF_SUCCESS);
	ck_assert_int_eq(kcf_buf_status(client, arena), KCF_SUCCESS);
	kill(kcfd.pid, SIGSTOP);
	ck_assert_int_eq(kcf_encrypt(client, &cbc, &k, &d, &d, &req), KCF_TIMED_OUT);
	ck_assert_int_eq(kcf_buf_status(client, arena), KCF_BUFFER_LOST);
	kill(kcfd.pid, SIGCONT);
	kcf_buf_free(client, arena);
}
END_TEST

START_TEST(every_status_has_words)
{
	for (unsigned i = 0; i < KCF_STATUS_COUNT; i++) {
		ck_assert_str_ne(kcf_strstatus(i), "?");
		ck_assert_str_ne(kcf_status_name(i), "?");
	}
	ck_assert_str_eq(kcf_strstatus(KCF_STATUS_COUNT), "?");
}
END_TEST

int main(void)
{
	Suite *s = suite_create("status");
	TCase *t = tcase_create("status");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_set_timeout(t, 120);
	tcase_add_test(t, success_and_queued);
#ifndef KCF_SANITIZED
	tcase_add_test(t, host_memory);
#endif
	tcase_add_test(t, arguments_bad);
	tcase_add_test(t, buffer_too_small_tells_the_length);
	tcase_add_test(t, buffer_too_big_beyond_max_request);
	tcase_add_test(t, buffer_too_big_for_a_message_of_parameters);
	tcase_add_test(t, invalid_context_after_final);
	tcase_add_test(t, data_len_range);
	tcase_add_test(t, encrypted_data_len_range);
	tcase_add_test(t, mechanism_invalid);
	tcase_add_test(t, mechanism_param_invalid);
	tcase_add_test(t, key_size_range);
	tcase_add_test(t, mech_not_supported);
	tcase_add_test(t, key_type_inconsistent);
	tcase_add_test(t, canceled);
	tcase_add_test(t, failed_on_a_useless_peer_key);
	tcase_add_test(t, invalid_mac);
	tcase_add_test(t, signature_invalid);
	tcase_add_test(t, key_handle_invalid_for_another_connection);
	tcase_add_test(t, key_function_not_permitted);
	tcase_add_test(t, permission_denied_for_a_named_key_of_others);
	tcase_add_test(t, timed_out_while_a_device_holds_it);
	tcase_add_test(t, device_error);
	tcase_add_test(t, device_memory);
	tcase_add_test(t, device_removed);
	tcase_add_test(t, failed_by_a_device);
	tcase_add_test(t, no_daemon);
	tcase_add_test(t, quota_exceeded);
	tcase_add_test(t, not_found);
	tcase_add_test(t, already_exists);
	tcase_add_test(t, module_invalid);
	tcase_add_test(t, version_mismatch);
	tcase_add_test(t, protocol_error);
	tcase_add_test(t, a_silent_kcfd_costs_the_buffer_not_the_caller);
	tcase_add_test(t, every_status_has_words);
	suite_add_tcase(s, t);
	return test_main(s);
}
