/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Payload of every size, in every shape, through kcfd: the bytes are those that the caller's own thread makes.
 */
#include <string.h>
#include "collect.h"
#include "harness.h"
#include "test-main.h"

#define LARGEST (16u << 20)

static struct harness_kcfd kcfd;
static struct kcf_client *client;
static struct collect done;
static uint8_t *plain, *want, *got;

static const size_t sizes[] = {1,     15,    64,	4095,	 4096,	  4097,	   8192,   16383,
			       16384, 16385, 65536, 65537, 1u << 20, 3000001, LARGEST};
#define N_SIZES ((int)(sizeof(sizes) / sizeof(sizes[0])))

static void setup(void)
{
	struct kcf_client_options o = {.size = sizeof(o)};

	collect_init(&done);
	harness_kcfd_start(&kcfd, NULL);
	o.socket = kcfd.socket;
	ck_assert_int_eq(kcf_client_open(&o, &client), KCF_SUCCESS);
	plain = malloc(LARGEST + 64);
	want = malloc(LARGEST + 64);
	got = calloc(1, LARGEST + 64);
	for (size_t i = 0; i < LARGEST + 64; i++)
		plain[i] = (uint8_t)(i * 31 + i / 257);
}

static void teardown(void)
{
	kcf_client_close(client);
	harness_kcfd_stop(&kcfd);
	collect_deinit(&done);
	free(plain);
	free(want);
	free(got);
}

/* AES-CTR: output as long as input. req NULL: in the caller's thread. */
static enum kcf_status ctr(struct kcf_data *in, struct kcf_data *out, struct kcf_call_req *req)
{
	static const uint8_t iv[16] = "sixteen bytes IV", key_bytes[32] = "thirty-two bytes of key material";
	const struct kcf_param_iv param = {iv, sizeof(iv)};
	const struct kcf_mechanism mech = {KCF_M_AES_CTR, sizeof(param), &param};
	const struct kcf_key key = kcf_key_bytes(key_bytes, sizeof(key_bytes));

	return kcf_encrypt(client, &mech, &key, in, out, req);
}

static void expect(const uint8_t *out, const uint8_t *in, size_t len)
{
	struct kcf_data din = kcf_flat(in, len), dout = kcf_flat(want, len);

	ck_assert_int_eq(ctr(&din, &dout, NULL), KCF_SUCCESS);
	ck_assert(memcmp(out, want, len) == 0);
}

static void queue(struct kcf_data *in, struct kcf_data *out, size_t len)
{
	struct kcf_call_req req = collect_req(&done, KCF_ALWAYS_QUEUE);
	unsigned n = collect_n(&done);

	ck_assert_int_eq(ctr(in, out, &req), KCF_QUEUED);
	collect_wait(&done, n + 1);
	ck_assert_int_eq(done.status, KCF_SUCCESS);
	ck_assert_uint_eq(done.len, len);
}

START_TEST(flat_payload_of_any_size)
{
	size_t len = sizes[_i];
	struct kcf_data in = kcf_flat(plain, len), out = kcf_flat(got, len);

	queue(&in, &out, len);
	expect(got, plain, len);
	ck_assert_uint_eq(got[len], 0);
}
END_TEST

START_TEST(payload_in_place)
{
	size_t len = sizes[_i];
	struct kcf_data data = kcf_flat(got, len);

	memcpy(got, plain, len);
	queue(&data, &data, len);
	expect(got, plain, len);
}
END_TEST

START_TEST(arena_payload_of_any_size)
{
	size_t len = sizes[_i];
	uint8_t *a = kcf_buf_alloc(client, len), *b = kcf_buf_alloc(client, len);
	struct kcf_data in = kcf_flat(a, len), out = kcf_flat(b, len);

	ck_assert_ptr_nonnull(a);
	ck_assert_ptr_nonnull(b);
	memcpy(a, plain, len);
	queue(&in, &out, len);
	expect(b, plain, len);
	queue(&in, &in, len); /* and in place */
	ck_assert(memcmp(a, b, len) == 0);
	kcf_buf_free(client, a);
	kcf_buf_free(client, b);
}
END_TEST

/* Cut into n pieces of different lengths. */
static unsigned cut(uint8_t *p, size_t len, struct iovec *v, unsigned n)
{
	unsigned i;

	for (i = 0; i + 1 < n && len > 1; i++) {
		size_t part = len / (n - i) + (i & 1);

		v[i] = (struct iovec){p, part};
		p += part;
		len -= part;
	}
	v[i] = (struct iovec){p, len};
	return i + 1;
}

START_TEST(payload_in_many_pieces)
{
	size_t len = sizes[_i];
	struct iovec vin[100], vout[37];
	struct kcf_data in = kcf_iov(vin, cut(plain, len, vin, 100));
	struct kcf_data out = kcf_iov(vout, cut(got, len, vout, 37));

	queue(&in, &out, len);
	expect(got, plain, len);
}
END_TEST

START_TEST(arena_payload_in_many_pieces)
{
	size_t len = sizes[_i];
	struct iovec vin[100], vout[64];
	uint8_t *a = kcf_buf_alloc(client, len), *b = kcf_buf_alloc(client, len);
	struct kcf_data in = kcf_iov(vin, cut(a, len, vin, 100)); /* more than a message holds */
	struct kcf_data out = kcf_iov(vout, cut(b, len, vout, 64));

	memcpy(a, plain, len);
	queue(&in, &out, len);
	expect(b, plain, len);
	in = kcf_iov(vin, cut(a, len, vin, 60));
	queue(&in, &out, len);
	ck_assert(memcmp(b, want, len) == 0);
}
END_TEST

START_TEST(more_than_the_largest_request_is_refused)
{
	struct kcf_data in = kcf_flat(plain, LARGEST + 1), out = kcf_flat(got, LARGEST + 1);
	struct kcf_call_req req = collect_req(&done, KCF_ALWAYS_QUEUE);

	ck_assert_int_eq(ctr(&in, &out, &req), KCF_BUFFER_TOO_BIG);
	ck_assert_int_eq(ctr(&in, &out, NULL), KCF_SUCCESS); /* no limit in the caller's thread */
	ck_assert_uint_eq(collect_n(&done), 0);
}
END_TEST

/* More than there are credits: what is refused is done at once instead. */
START_TEST(a_flood_beyond_the_credits)
{
	enum { N = 2000, LEN = 300 };
	unsigned queued = 0, refused = 0;

	for (unsigned i = 0; i < N; i++) {
		struct kcf_call_req req = collect_req(&done, KCF_ALWAYS_QUEUE);
		struct kcf_data in = kcf_flat(plain + i, LEN), out = kcf_flat(got + i * LEN, LEN);
		enum kcf_status st = ctr(&in, &out, &req);

		if (st == KCF_QUEUED) {
			queued++;
			continue;
		}
		ck_assert_int_eq(st, KCF_BUSY);
		ck_assert_int_eq(req.busy_reason, KCF_BUSY_NO_ROOM);
		refused++;
		req = (struct kcf_call_req){.flags = KCF_WAIT, .preference = KCF_ONLY_SOFTWARE};
		ck_assert_int_eq(ctr(&in, &out, &req), KCF_SUCCESS);
	}
	ck_assert_uint_eq(queued + refused, N);
	collect_wait(&done, queued);
	ck_assert_uint_eq(done.n_status[KCF_SUCCESS], queued);
	for (unsigned i = 0; i < N; i += 97)
		expect(got + i * LEN, plain + i, LEN);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("payload");
	TCase *tc = tcase_create("payload");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 60);
	tcase_add_loop_test(tc, flat_payload_of_any_size, 0, N_SIZES);
	tcase_add_loop_test(tc, payload_in_place, 0, N_SIZES);
	tcase_add_loop_test(tc, arena_payload_of_any_size, 0, N_SIZES);
	tcase_add_loop_test(tc, payload_in_many_pieces, 0, N_SIZES);
	tcase_add_loop_test(tc, arena_payload_in_many_pieces, 0, N_SIZES);
	tcase_add_test(tc, more_than_the_largest_request_is_refused);
	tcase_add_test(tc, a_flood_beyond_the_credits);
	suite_add_tcase(s, tc);
	return test_main(s);
}
