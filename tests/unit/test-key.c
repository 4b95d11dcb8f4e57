/* SPDX-License-Identifier: Apache-2.0 */
/* Keys: handles, named keys and their policy, files, nonces made by kcfd, secret memory. */
#include "unit/core-world.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include "core/key-file.h"

static const uint8_t bytes[16] = "0123456789abcdef";
static const uint8_t iv[12] = "nonce-nonce-";
static struct kcf_key_data data = {.bytes = bytes, .len = 16};
static int conn_a, conn_b;
static char dir[64];
static char path[80];
static struct sent s;

static void setup(void)
{
	world_setup();
	ck_assert_ptr_nonnull(mkdtemp(test_tmp_path("key-XXXXXX", dir, sizeof(dir))));
	snprintf(path, sizeof(path), "%s/key", dir);
}

static void teardown(void)
{
	unlink(path);
	rmdir(dir);
	world_teardown();
}

static void write_file(const void *text, size_t len, mode_t mode)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	ck_assert_int_eq(write(fd, text, len), (ssize_t)len);
	fchmod(fd, mode);
	close(fd);
}

static struct key *import(uint32_t usage)
{
	struct key *k;

	ck_assert_int_eq(key_import(world.core, world.consumer, &conn_a, &data, usage, &k),
			 KCF_SUCCESS);
	return k;
}

static struct tmpl *tmpl_of(uint32_t mech, struct key *k)
{
	struct tmpl *t;

	ck_assert_int_eq(tmpl_new(world.core, world.consumer, mech, NULL, k, &t), KCF_SUCCESS);
	return t;
}

START_TEST(a_handle_works_for_its_connection_alone)
{
	struct kcf_key_handle h, wrong;
	struct key *k = import(0), *found = NULL;

	key_handle(k, &h);
	ck_assert_int_eq(key_find(world.core, world.consumer, &conn_a, &h, NULL, &found),
			 KCF_SUCCESS);
	ck_assert_ptr_eq(found, k);
	ck_assert_int_eq(key_find(world.core, world.consumer, &conn_b, &h, NULL, &found),
			 KCF_KEY_HANDLE_INVALID);
	wrong = h;
	wrong.id[15] ^= 1;
	ck_assert_int_eq(key_find(world.core, world.consumer, &conn_a, &wrong, NULL, &found),
			 KCF_KEY_HANDLE_INVALID);
	key_destroy(world.core, k);
	ck_assert_int_eq(key_find(world.core, world.consumer, &conn_a, &h, NULL, &found),
			 KCF_KEY_HANDLE_INVALID);
	ck_assert_uint_eq(world.consumer->charged[CHARGE_KEY], 0);
}
END_TEST

START_TEST(handles_are_never_alike)
{
	struct kcf_key_handle h[50];

	for (unsigned i = 0; i < 50; i++) {
		key_handle(import(0), &h[i]);
		for (unsigned k = 0; k < i; k++)
			ck_assert_mem_ne(&h[i], &h[k], sizeof(h[i]));
	}
	ck_assert_uint_eq(world.consumer->charged[CHARGE_KEY], 50);
	key_destroy_owner(world.core, &conn_b);
	ck_assert_uint_eq(world.consumer->charged[CHARGE_KEY], 50);
	key_destroy_owner(world.core, &conn_a);
	ck_assert_uint_eq(world.consumer->charged[CHARGE_KEY], 0);
}
END_TEST

START_TEST(a_template_keeps_a_destroyed_key)
{
	struct key *k = import(0);
	struct tmpl *t = tmpl_of(KCF_M_SHA256_HMAC, k);

	key_destroy(world.core, k);
	ck_assert_uint_eq(world.consumer->charged[CHARGE_KEY], 1);
	ck_assert_int_eq(sent_do(&s, t, KCF_OP_MAC, "abc", 3), KCF_SUCCESS);
	sent_free(&s);
	tmpl_unref(t);
	ck_assert_uint_eq(world.consumer->charged[CHARGE_KEY], 0);
}
END_TEST

START_TEST(keys_are_bounded_per_user)
{
	struct key *k;

	world_set("user_keys", "2");
	import(0);
	import(0);
	ck_assert_int_eq(key_import(world.core, world.consumer, &conn_a, &data, 0, &k),
			 KCF_QUOTA_EXCEEDED);
	key_destroy_owner(world.core, &conn_a);
	import(0);
	key_destroy_owner(world.core, &conn_a);
}
END_TEST

START_TEST(usage_bits_bind)
{
	struct key *k = import(KCF_KEY_USE(KCF_OP_MAC));
	struct tmpl *t = tmpl_of(KCF_M_SHA256_HMAC, k);

	ck_assert_int_eq(sent_do(&s, t, KCF_OP_MAC, "abc", 3), KCF_SUCCESS);
	sent_free(&s);
	sent_init(&s, t, KCF_OP_MAC_VERIFY, "abc", 3);
	s.iov[2] = (struct iovec){s.out, 32};
	s.r->check = (struct request_data){&s.iov[2], 1, false, 32};
	sent_submit(&s);
	sent_wait(&s);
	ck_assert_int_eq(s.r->status, KCF_KEY_FUNCTION_NOT_PERMITTED);
	sent_free(&s);
	tmpl_unref(t);
	key_destroy_owner(world.core, &conn_a);
}
END_TEST

static enum kcf_status add(const char *name, bool pkcs1, bool generated, char *err)
{
	static const uid_t uids[] = {1000};
	static const gid_t gids[] = {77};
	struct named_key spec = {.name = name,
				 .file = path,
				 .uids = uids,
				 .n_uids = 1,
				 .gids = gids,
				 .n_gids = 1,
				 .pkcs1_decrypt = pkcs1,
				 .iv_generated = generated};

	return key_add_named(world.core, &spec, err, 256);
}

START_TEST(named_keys_are_for_those_listed)
{
	struct consumer *stranger = consumer_get(world.core, 1001, 1001);
	struct consumer *member = consumer_get(world.core, 1002, 77);
	struct key *k;
	char err[256] = "";

	write_file(bytes, 16, 0600);
	ck_assert_msg(add("backup", false, false, err) == KCF_SUCCESS, "%s", err);
	ck_assert_int_eq(add("backup", false, false, err), KCF_ALREADY_EXISTS);
	ck_assert_int_eq(key_find(world.core, world.consumer, NULL, NULL, "backup", &k),
			 KCF_SUCCESS);
	ck_assert_mem_eq(k->bytes, bytes, 16);
	ck_assert_int_eq(key_find(world.core, member, NULL, NULL, "backup", &k), KCF_SUCCESS);
	ck_assert_int_eq(key_find(world.core, stranger, NULL, NULL, "backup", &k),
			 KCF_PERMISSION_DENIED);
	ck_assert_int_eq(key_find(world.core, stranger, NULL, NULL, "none", &k),
			 KCF_KEY_HANDLE_INVALID);
	consumer_put(stranger);
	consumer_put(member);
}
END_TEST

START_TEST(files_others_can_touch_are_refused)
{
	char err[256] = "";

	write_file(bytes, 16, 0604);
	ck_assert_int_eq(add("open", false, false, err), KCF_PERMISSION_DENIED);
	ck_assert_ptr_nonnull(strstr(err, "chmod 600"));
	write_file(bytes, 16, 0620);
	ck_assert_int_eq(add("open", false, false, err), KCF_PERMISSION_DENIED);
	unlink(path);
	ck_assert_int_eq(add("open", false, false, err), KCF_NOT_FOUND);
	write_file("", 0, 0600);
	ck_assert_int_eq(add("open", false, false, err), KCF_PERMISSION_DENIED);
}
END_TEST

static const char ed25519_pem[] =
	"-----BEGIN PRIVATE KEY-----\n"
	"MC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC\n"
	"-----END PRIVATE KEY-----\n";

START_TEST(pem_and_der_are_recognised_and_damage_is_told)
{
	struct kcf_key_data k;
	uint8_t *buf, der[48];
	char err[256], broken[sizeof(ed25519_pem)];

	write_file(ed25519_pem, sizeof(ed25519_pem) - 1, 0600);
	ck_assert_int_eq(key_file_read(path, &buf, &k, err, sizeof(err)), KCF_SUCCESS);
	ck_assert_int_eq(k.format, KCF_KEY_PKCS8);
	ck_assert_uint_eq(k.len, 48);
	ck_assert_uint_eq(key_public_mech(&k), KCF_M_EC_EDWARDS_KEY_PAIR_GEN);
	memcpy(der, k.bytes, 48);
	secret_free(buf);
	write_file(der, 48, 0600);
	ck_assert_int_eq(key_file_read(path, &buf, &k, err, sizeof(err)), KCF_SUCCESS);
	ck_assert_int_eq(k.format, KCF_KEY_PKCS8);
	secret_free(buf);
	write_file(der, 47, 0600); /* truncated DER is no DER: raw bytes */
	ck_assert_int_eq(key_file_read(path, &buf, &k, err, sizeof(err)), KCF_SUCCESS);
	ck_assert_int_eq(k.format, KCF_KEY_RAW);
	secret_free(buf);
	strcpy(broken, ed25519_pem);
	broken[40] = '!';
	write_file(broken, sizeof(broken) - 1, 0600);
	ck_assert_int_eq(key_file_read(path, &buf, &k, err, sizeof(err)), KCF_ARGUMENTS_BAD);
	write_file("-----BEGIN EC PRIVATE KEY-----\nAAAA\n", 36, 0600);
	ck_assert_int_eq(key_file_read(path, &buf, &k, err, sizeof(err)), KCF_ARGUMENTS_BAD);
	ck_assert_ptr_nonnull(strstr(err, "openssl pkcs8"));
}
END_TEST

START_TEST(a_named_key_signs_and_shows_its_public_half)
{
	struct kcf_key_data k;
	struct tmpl *t, *p;
	struct key *named;
	char err[256];

	write_file(ed25519_pem, sizeof(ed25519_pem) - 1, 0600);
	ck_assert_int_eq(add("sign", false, false, err), KCF_SUCCESS);
	key_find(world.core, world.consumer, NULL, NULL, "sign", &named);
	t = tmpl_of(KCF_M_EDDSA, named);
	ck_assert_int_eq(sent_do(&s, t, KCF_OP_SIGN, "abc", 3), KCF_SUCCESS);
	ck_assert_uint_eq(s.r->out_len, 64);
	sent_free(&s);
	k = (struct kcf_key_data){
		.format = named->format, .bytes = named->bytes, .len = named->len};
	p = tmpl_of(key_public_mech(&k), named);
	ck_assert_int_eq(sent_do(&s, p, KCF_OP_PUBLIC, NULL, 0), KCF_SUCCESS);
	ck_assert_uint_eq(s.r->out_len, 44);
	sent_free(&s);
	tmpl_unref(t);
	tmpl_unref(p);
}
END_TEST

START_TEST(pkcs1_decryption_is_off_unless_allowed)
{
	struct key *k = import(0);

	ck_assert_int_eq(
		key_permits(k, KCF_KEY_USE(KCF_OP_DECRYPT), KCF_M_RSA_PKCS, KCF_OP_DECRYPT),
		KCF_KEY_FUNCTION_NOT_PERMITTED);
	ck_assert_int_eq(
		key_permits(k, KCF_KEY_USE(KCF_OP_DECRYPT), KCF_M_RSA_PKCS_OAEP, KCF_OP_DECRYPT),
		KCF_SUCCESS);
	ck_assert_int_eq(key_permits(k, KCF_KEY_USE(KCF_OP_SIGN), KCF_M_RSA_PKCS, KCF_OP_SIGN),
			 KCF_SUCCESS);
	k->pkcs1_decrypt = true;
	ck_assert_int_eq(
		key_permits(k, KCF_KEY_USE(KCF_OP_DECRYPT), KCF_M_RSA_PKCS, KCF_OP_DECRYPT),
		KCF_SUCCESS);
	key_destroy_owner(world.core, &conn_a);
}
END_TEST

/* ---- nonces made by kcfd ---- */

static void generated(struct tmpl *t, struct kcf_param_aead *param)
{
	*param = (struct kcf_param_aead){.flags = KCF_IV_GENERATED};
	sent_init(&s, t, KCF_OP_ENCRYPT, "attack", 6);
	s.r->param = param;
	sent_submit(&s);
	sent_wait(&s);
}

START_TEST(every_request_gets_a_nonce_of_its_own)
{
	struct kcf_param_aead param, back = {.iv_len = 12};
	struct key *k = import(0);
	struct tmpl *t = tmpl_of(KCF_M_AES_GCM, k);
	uint8_t seen[20][12], text[22];

	for (unsigned i = 0; i < 20; i++) {
		generated(t, &param);
		ck_assert_int_eq(s.r->status, KCF_SUCCESS);
		ck_assert(s.r->iv_made);
		memcpy(seen[i], s.r->iv, 12);
		memcpy(text, s.out, 22);
		for (unsigned j = 0; j < i; j++)
			ck_assert_mem_ne(seen[i], seen[j], 12);
		sent_free(&s);
	}
	ck_assert_uint_eq(k->nonces, 20);
	back.iv = seen[19];
	sent_init(&s, t, KCF_OP_DECRYPT, text, 22);
	s.r->param = &back;
	sent_submit(&s);
	sent_wait(&s);
	ck_assert_mem_eq(s.out, "attack", 6);
	sent_free(&s);
	tmpl_unref(t);
	key_destroy_owner(world.core, &conn_a);
}
END_TEST

START_TEST(a_failover_draws_another_nonce)
{
	struct kcf_param_aead param;
	struct key *k = import(0);
	struct tmpl *t = tmpl_of(KCF_M_AES_GCM, k);

	ck_assert_int_eq(world_load("fault", "dev", "fail=device-error", NULL), KCF_SUCCESS);
	param = (struct kcf_param_aead){.flags = KCF_IV_GENERATED};
	sent_init(&s, t, KCF_OP_ENCRYPT, "attack", 6);
	s.r->param = &param;
	s.r->preference = KCF_PREFER_HARDWARE;
	sent_submit(&s);
	sent_wait(&s);
	ck_assert_int_eq(s.r->status, KCF_SUCCESS);
	ck_assert_uint_eq(k->nonces, 2);
	sent_free(&s);
	tmpl_unref(t);
	key_destroy_owner(world.core, &conn_a);
}
END_TEST

START_TEST(nonces_are_made_for_handles_only_and_may_be_required)
{
	struct kcf_param_aead param, own = {.iv = iv, .iv_len = 12};
	struct tmpl *t = world_tmpl(KCF_M_AES_GCM, bytes, 16);
	struct key *k = import(0);

	generated(t, &param);
	ck_assert_int_eq(s.r->status, KCF_ARGUMENTS_BAD);
	ck_assert(!s.r->iv_made);
	sent_free(&s);
	tmpl_unref(t);
	t = tmpl_of(KCF_M_AES_GCM, k);
	k->iv_generated = true;
	sent_init(&s, t, KCF_OP_ENCRYPT, "attack", 6);
	s.r->param = &own;
	sent_submit(&s);
	sent_wait(&s);
	ck_assert_int_eq(s.r->status, KCF_KEY_FUNCTION_NOT_PERMITTED);
	sent_free(&s);
	generated(t, &param);
	ck_assert_int_eq(s.r->status, KCF_SUCCESS);
	sent_free(&s);
	tmpl_unref(t);
	key_destroy_owner(world.core, &conn_a);
}
END_TEST

START_TEST(nonces_run_out_per_load_of_a_key)
{
	struct kcf_param_aead param;
	struct key *k = import(0);
	struct tmpl *t = tmpl_of(KCF_M_AES_GCM, k);

	k->nonces = KEY_NONCES - 1;
	generated(t, &param);
	ck_assert_int_eq(s.r->status, KCF_SUCCESS);
	sent_free(&s);
	generated(t, &param);
	ck_assert_int_eq(s.r->status, KCF_KEY_FUNCTION_NOT_PERMITTED);
	ck_assert(!s.r->iv_made);
	sent_free(&s);
	tmpl_unref(t);
	key_destroy_owner(world.core, &conn_a);
}
END_TEST

/* ---- secret memory ---- */

START_TEST(secret_memory_is_zeroed_aligned_and_reused)
{
	static const size_t sizes[] = {0, 1, 32, 48, 49, 1000, 16384, 16385, 200000};
	uint8_t *p[9];

	for (unsigned round = 0; round < 3; round++) {
		for (unsigned i = 0; i < 9; i++) {
			p[i] = secret_alloc(sizes[i]);
			ck_assert_ptr_nonnull(p[i]);
			ck_assert_uint_eq((uintptr_t)p[i] % 16, 0);
			for (size_t k = 0; k < sizes[i]; k++)
				ck_assert_uint_eq(p[i][k], 0);
			memset(p[i], 0xa5, sizes[i]);
		}
		for (unsigned i = 0; i < 9; i++)
			secret_free(p[i]);
	}
	secret_free(NULL);
	ck_assert_ptr_null(secret_alloc(SIZE_MAX));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("key");
	TCase *tc = tcase_create("key");

	tcase_set_timeout(tc, 60);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, a_handle_works_for_its_connection_alone);
	tcase_add_test(tc, handles_are_never_alike);
	tcase_add_test(tc, a_template_keeps_a_destroyed_key);
	tcase_add_test(tc, keys_are_bounded_per_user);
	tcase_add_test(tc, usage_bits_bind);
	tcase_add_test(tc, named_keys_are_for_those_listed);
	tcase_add_test(tc, files_others_can_touch_are_refused);
	tcase_add_test(tc, pem_and_der_are_recognised_and_damage_is_told);
	tcase_add_test(tc, a_named_key_signs_and_shows_its_public_half);
	tcase_add_test(tc, pkcs1_decryption_is_off_unless_allowed);
	tcase_add_test(tc, every_request_gets_a_nonce_of_its_own);
	tcase_add_test(tc, a_failover_draws_another_nonce);
	tcase_add_test(tc, nonces_are_made_for_handles_only_and_may_be_required);
	tcase_add_test(tc, nonces_run_out_per_load_of_a_key);
	tcase_add_test(tc, secret_memory_is_zeroed_aligned_and_reused);
	suite_add_tcase(suite, tc);
	return test_main(suite);
}
