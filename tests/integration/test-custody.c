/* SPDX-License-Identifier: Apache-2.0 */
/* Keys that kcfd keeps are used for what they may be used for, by whatever way it is asked. */
#include <fcntl.h>
#include <kcf/provider.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>
#include "../harness.h"
#include "../test-main.h"

static struct harness_kcfd kcfd;
static struct harness_raw raw;

static void setup(void)
{
	harness_kcfd_start(&kcfd, NULL);
	harness_raw_open(&raw, &kcfd);
	harness_raw_hello(&raw, NULL);
}

static void teardown(void)
{
	harness_raw_close(&raw);
	ck_assert_int_eq(harness_kcfd_stop(&kcfd), 0);
}

static struct wire_key key_op(const struct wire_key_op_msg *op)
{
	struct wire_msg m = {.type = FRAME_KEY_OP};
	struct harness_frame f;

	m.key_op = *op;
	ck_assert(harness_raw_send(&raw, &m, 9, NULL, 0));
	harness_raw_expect(&raw, FRAME_KEY_REPLY, &f);
	ck_assert_uint_eq(f.msg.key_reply.status, KCF_SUCCESS);
	return (struct wire_key){.kind = KCF_KEY_HANDLE, .handle = f.msg.key_reply.handle};
}

static struct wire_key generate_rsa(void)
{
	struct kcf_param_keygen param = {.bits = 2048};
	struct wire_key_op_msg op = {.kind = KEYOP_GENERATE,
				     .mech = KCF_M_RSA_PKCS_KEY_PAIR_GEN,
				     .param = {KCF_PARAM_KEYGEN, &param}};

	return key_op(&op);
}

static struct wire_key bytes_key(const void *bytes, size_t len)
{
	return (struct wire_key){.kind = KCF_KEY_BYTES, .bytes = {bytes, len}};
}

static enum kcf_status run(struct wire_op *op, const void *in, size_t in_len, uint8_t *out,
			   size_t *out_len)
{
	struct harness_frame f;

	ck_assert(harness_raw_send_op(&raw, op, 7, in, (uint32_t)in_len));
	harness_raw_expect(&raw, FRAME_OP_REPLY, &f);
	*out_len = f.h.payload_len;
	memcpy(out, f.payload, f.h.payload_len);
	return f.msg.op_reply.status;
}

/* Encrypt-then-MAC of a PKCS#1 v1.5 ciphertext with a MAC key of the client's own: what follows is
 * still decryption. */
START_TEST(refuses_pkcs1_decryption_by_handle_inside_a_dual_operation)
{
	static const uint8_t mac_key[32] = {7};
	struct wire_key rsa = generate_rsa();
	struct wire_op op = {.op = KCF_OP_ENCRYPT,
			     .mech = KCF_M_RSA_PKCS,
			     .key = rsa,
			     .in_len = 16,
			     .out_room = 256};
	uint8_t in[512], out[512];
	size_t len, mac_len;

	ck_assert_uint_eq(run(&op, "sixteen bytes...", 16, in, &len), KCF_SUCCESS);
	ck_assert_uint_eq(len, 256);
	op = (struct wire_op){.op = KCF_OP_MAC,
			      .mech = KCF_M_SHA256_HMAC,
			      .key = bytes_key(mac_key, 32),
			      .in_len = 256,
			      .out_room = 32};
	ck_assert_uint_eq(run(&op, in, 256, in + 256, &mac_len), KCF_SUCCESS);
	op = (struct wire_op){.op = KCF_OP_DECRYPT,
			      .mech = KCF_M_RSA_PKCS,
			      .key = rsa,
			      .in_len = 256,
			      .out_room = 256};
	ck_assert_uint_eq(run(&op, in, 256, out, &len), KCF_KEY_FUNCTION_NOT_PERMITTED);
	op = (struct wire_op){.op = KCF_OP_MAC_DECRYPT,
			      .mech = KCF_M_RSA_PKCS,
			      .key = rsa,
			      .mech2 = KCF_M_SHA256_HMAC,
			      .key2 = bytes_key(mac_key, 32),
			      .in_len = 256,
			      .check_len = 32,
			      .out_room = 256};
	ck_assert_uint_eq(run(&op, in, 288, out, &len), KCF_KEY_FUNCTION_NOT_PERMITTED);
}
END_TEST

/* ---- nonces ---- */

static void setup_named(void)
{
	static const char config[] = "[key disk]\nfile = disk.key\nuids = 0\niv-generated = yes\n";
	char path[128];

	/* The key's file must be there before kcfd starts: begin with one that has no keys. */
	harness_kcfd_start(&kcfd, NULL);
	harness_file(&kcfd, "disk.key", "0123456789abcdef0123456789abcdef", 32, path);
	harness_file(&kcfd, "kcfd.conf", config, strlen(config), path);
	harness_kcfd_kill(&kcfd);
	harness_kcfd_restart(&kcfd, NULL);
	harness_raw_open(&raw, &kcfd);
	harness_raw_hello(&raw, NULL);
}

/* All of these give the client the cipher under an input block of its choice, and with it every
 * nonce. */
START_TEST(gives_a_key_of_generated_nonces_to_no_other_mode)
{
	static const struct kcf_param_iv iv = {(const uint8_t *)"sixteen bytes iv", 16};
	static const struct kcf_param_mac gmac = {.iv = (const uint8_t *)"twelve bytes",
						  .iv_len = 12};
	static const struct {
		uint16_t op;
		uint32_t mech;
		struct wire_param param;
	} ways[] = {
		{KCF_OP_DECRYPT, KCF_M_AES_CTR, {KCF_PARAM_IV, &iv}},
		{KCF_OP_ENCRYPT, KCF_M_AES_CTR, {KCF_PARAM_IV, &iv}},
		{KCF_OP_DECRYPT, KCF_M_AES_OFB, {KCF_PARAM_IV, &iv}},
		{KCF_OP_ENCRYPT, KCF_M_AES_ECB, {0}},
		{KCF_OP_MAC, KCF_M_AES_GMAC, {KCF_PARAM_MAC, &gmac}},
		{KCF_OP_MAC, KCF_M_AES_CMAC, {0}},
	};
	struct kcf_param_aead aead = {.flags = KCF_IV_GENERATED};
	struct wire_key disk = {.kind = KCF_KEY_NAMED, .name = "disk"};
	struct wire_op op = {.op = KCF_OP_ENCRYPT,
			     .mech = KCF_M_AES_GCM,
			     .key = disk,
			     .param = {KCF_PARAM_AEAD, &aead},
			     .in_len = 16,
			     .out_room = 32};
	uint8_t in[16] = {0}, out[64];
	size_t len;

	ck_assert_uint_eq(run(&op, in, 16, out, &len), KCF_SUCCESS);
	for (unsigned i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
		op = (struct wire_op){.op = ways[i].op,
				      .mech = ways[i].mech,
				      .key = disk,
				      .param = ways[i].param,
				      .in_len = 16,
				      .out_room = 16};
		ck_assert_msg(run(&op, in, 16, out, &len) == KCF_KEY_FUNCTION_NOT_PERMITTED,
			      "way %u is open", i);
	}
}
END_TEST

/* ---- what is left of a key ---- */

/* Where in kcfd's readable memory the bytes are; 0 = nowhere. */
static unsigned long find_in_kcfd(const void *bytes, size_t len, char where[static 256])
{
	char path[64], line[256];
	unsigned long from, to, found = 0;
	uint8_t *buf;
	FILE *maps;
	int mem;

	snprintf(path, sizeof(path), "/proc/%d/mem", kcfd.pid);
	mem = open(path, O_RDONLY | O_CLOEXEC);
	snprintf(path, sizeof(path), "/proc/%d/maps", kcfd.pid);
	maps = fopen(path, "re");
	ck_assert_int_ge(mem, 0);
	ck_assert_ptr_nonnull(maps);
	while (!found && fgets(line, sizeof(line), maps)) {
		uint8_t *hit;
		ssize_t n;
		size_t have = 0;

		if (sscanf(line, "%lx-%lx rw", &from, &to) != 2 || !strstr(line, " rw") ||
		    to - from > (256ul << 20))
			continue;
		buf = malloc(to - from);
		ck_assert_ptr_nonnull(buf);
		while (have < to - from &&
		       (n = pread(mem, buf + have, to - from - have, (off_t)(from + have))) > 0)
			have += (size_t)n;
		hit = memmem(buf, have, bytes, len);
		if (hit) {
			found = from + (unsigned long)(hit - buf);
			memcpy(where, line, 256);
		}
		explicit_bzero(buf, to - from);
		free(buf);
	}
	fclose(maps);
	close(mem);
	return found;
}

static void expect_nowhere(const uint8_t *key, size_t len, const char *what)
{
	uint8_t masked[64];
	char where[256];
	unsigned long at = find_in_kcfd(key, len, where);

	ck_assert_msg(at == 0, "%s: the key is at %lx in %s", what, at, where);
	for (size_t i = 0; i < len; i++)
		masked[i] = key[i] ^ 0x36;
	at = find_in_kcfd(masked, len, where);
	ck_assert_msg(at == 0, "%s: the inner HMAC key is at %lx in %s", what, at, where);
	for (size_t i = 0; i < len; i++)
		masked[i] = key[i] ^ 0x5c;
	at = find_in_kcfd(masked, len, where);
	ck_assert_msg(at == 0, "%s: the outer HMAC key is at %lx in %s", what, at, where);
}

static const struct kcf_param_aead gcm = {.iv = (const uint8_t *)"twelve bytes", .iv_len = 12};
static const struct kcf_param_iv cbc = {(const uint8_t *)"sixteen bytes iv", 16};

static void use_everywhere(struct wire_key key)
{
	static const struct kcf_param_hkdf hkdf = {.hash = KCF_M_SHA256};
	static const struct {
		uint16_t op;
		uint32_t mech;
		struct wire_param param;
	} uses[] = {
		{KCF_OP_MAC, KCF_M_SHA256_HMAC, {0}},
		{KCF_OP_MAC, KCF_M_AES_CMAC, {0}},
		{KCF_OP_ENCRYPT, KCF_M_AES_GCM, {KCF_PARAM_AEAD, &gcm}},
		{KCF_OP_ENCRYPT, KCF_M_AES_CBC, {KCF_PARAM_IV, &cbc}},
		{KCF_OP_ENCRYPT, KCF_M_CHACHA20_POLY1305, {KCF_PARAM_AEAD, &gcm}},
		{KCF_OP_DERIVE, KCF_M_HKDF_DERIVE, {KCF_PARAM_HKDF, &hkdf}},
		{KCF_OP_SIGN, KCF_M_EDDSA, {0}},
	};
	uint8_t in[32] = {0}, out[256];
	size_t len;

	for (unsigned i = 0; i < 2 * sizeof(uses) / sizeof(uses[0]); i++) {
		unsigned k = i / 2;
		struct wire_op op = {.op = uses[k].op,
				     .mech = uses[k].mech,
				     .key = key,
				     .param = uses[k].param,
				     .in_len = uses[k].op == KCF_OP_DERIVE ? 0 : 32,
				     .out_room = 64,
				     .flags = i % 2 ? OPF_ALWAYS_QUEUE : 0};

		ck_assert_msg(run(&op, in, op.in_len, out, &len) == KCF_SUCCESS, "use %u", k);
	}
}

START_TEST(forgets_every_byte_of_a_key_that_came_with_a_request)
{
	uint8_t key[32];

	ck_assert_int_eq(getrandom(key, sizeof(key), 0), sizeof(key));
	use_everywhere(bytes_key(key, sizeof(key)));
	expect_nowhere(key, sizeof(key), "after the answers");
}
END_TEST

START_TEST(forgets_every_byte_of_a_destroyed_key)
{
	struct wire_key_op_msg op = {.kind = KEYOP_IMPORT};
	struct wire_key handle;
	uint8_t key[32];

	ck_assert_int_eq(getrandom(key, sizeof(key), 0), sizeof(key));
	op.key = bytes_key(key, sizeof(key));
	handle = key_op(&op);
	use_everywhere(handle);
	op = (struct wire_key_op_msg){.kind = KEYOP_DESTROY, .key = handle};
	key_op(&op);
	expect_nowhere(key, sizeof(key), "after destroy");
}
END_TEST

START_TEST(forgets_the_keys_of_a_client_that_left)
{
	struct wire_msg m = {.type = FRAME_TEMPLATE_ATTACH};
	struct harness_raw other;
	struct harness_frame f;
	uint8_t key[32], out[64];
	size_t len;

	ck_assert_int_eq(getrandom(key, sizeof(key), 0), sizeof(key));
	m.attach.slot = 1;
	m.attach.mech = KCF_M_AES_GCM;
	m.attach.key = bytes_key(key, sizeof(key));
	ck_assert(harness_raw_send(&raw, &m, 3, NULL, 0));
	harness_raw_expect(&raw, FRAME_DONE, &f);
	for (unsigned i = 0; i < 8; i++) {
		struct wire_op op = {.op = KCF_OP_ENCRYPT,
				     .mech = KCF_M_AES_GCM,
				     .tmpl = 1,
				     .param = {KCF_PARAM_AEAD, &gcm},
				     .in_len = 4,
				     .out_room = 64,
				     .flags = i % 2 ? OPF_ALWAYS_QUEUE : 0};

		ck_assert_uint_eq(run(&op, "text", 4, out, &len), KCF_SUCCESS);
	}
	harness_raw_open(&other, &kcfd);
	harness_raw_close(&raw);
	harness_raw_hello(&other, NULL); /* after kcfd saw the other leave */
	raw = other;
	expect_nowhere(key, sizeof(key), "after the client left");
}
END_TEST

int main(void)
{
	Suite *s = suite_create("custody");
	TCase *t = tcase_create("custody"), *named = tcase_create("named");
	bool root = geteuid() ==
		    0; /* else kcfd cannot be looked into, and the named key is another's */

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, refuses_pkcs1_decryption_by_handle_inside_a_dual_operation);
	if (root) {
		tcase_add_test(t, forgets_every_byte_of_a_key_that_came_with_a_request);
		tcase_add_test(t, forgets_every_byte_of_a_destroyed_key);
		tcase_add_test(t, forgets_the_keys_of_a_client_that_left);
	}
	suite_add_tcase(s, t);
	tcase_add_checked_fixture(named, setup_named, teardown);
	if (root)
		tcase_add_test(named, gives_a_key_of_generated_nonces_to_no_other_mode);
	suite_add_tcase(s, named);
	return test_main(s);
}
