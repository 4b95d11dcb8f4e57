/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The doors of kcf-speed count what they do and notice wrong results. kcf's functions are called
 * through functions of the same names here, which count, and spoil a result when told to.
 */
#include <dlfcn.h>
#include "../../cli/speed.h"
#include "test-main.h"

#define SIZE  64u
#define DEPTH 8u

static struct speed_daemon kcfd;
static struct kcf_client *client;
static uint64_t n_calls;
static bool spoil;

/* ---- in front of the library ---- */

struct wrapped {
	kcf_callback callback;
	void *arg;
	unsigned char *out;
};

static void on_done(void *arg, const struct kcf_completion *completion)
{
	struct wrapped *w = arg;
	struct wrapped copy = *w;

	free(w);
	if (spoil)
		copy.out[3] ^= 0x10;
	copy.callback(copy.arg, completion);
}

/* Before and after a call; copy is what the library gets instead of req. */
static struct kcf_call_req *before(const struct kcf_call_req *req, struct kcf_call_req *copy,
				   struct kcf_data *out)
{
	struct wrapped *w;

	n_calls++;
	if (!req)
		return NULL;
	w = malloc(sizeof(*w));
	*w = (struct wrapped){req->callback, req->arg, out->base};
	*copy = *req;
	copy->callback = on_done;
	copy->arg = w;
	return copy;
}

static enum kcf_status after(enum kcf_status status, const struct kcf_call_req *copy,
			     struct kcf_data *out)
{
	if (copy && status != KCF_QUEUED) {
		free(copy->arg);
		n_calls--;
	}
	if (!copy && status == KCF_SUCCESS && spoil)
		((unsigned char *)out->base)[3] ^= 0x10;
	return status;
}

#define WRAP(name)                                                                                 \
	enum kcf_status name(struct kcf_client *c, const struct kcf_mechanism *mech,               \
			     const struct kcf_key *key, const struct kcf_data *in,                 \
			     struct kcf_data *out, struct kcf_call_req *req)                       \
	{                                                                                          \
		enum kcf_status (*real)(struct kcf_client *, const struct kcf_mechanism *,         \
					const struct kcf_key *, const struct kcf_data *,           \
					struct kcf_data *, struct kcf_call_req *);                 \
                                                                                                   \
		struct kcf_call_req copy;                                                          \
                                                                                                   \
		*(void **)&real = dlsym(RTLD_NEXT, #name);                                         \
		req = before(req, &copy, out);                                                     \
		return after(real(c, mech, key, in, out, req), req, out);                          \
	}

enum kcf_status kcf_submit_batch(struct kcf_client *c, struct kcf_batch_op *ops, size_t n,
				 struct kcf_call_req *req)
{
	enum kcf_status (*real)(struct kcf_client *, struct kcf_batch_op *, size_t,
				struct kcf_call_req *);
	enum kcf_status status;

	*(void **)&real = dlsym(RTLD_NEXT, "kcf_submit_batch");
	status = real(c, ops, n, req);
	n_calls += n;
	if (spoil)
		((unsigned char *)ops[n - 1].out.base)[3] ^= 0x10;
	return status;
}

WRAP(kcf_encrypt)
WRAP(kcf_decrypt)
WRAP(kcf_mac)
WRAP(kcf_sign)

enum kcf_status kcf_encrypt_mac(struct kcf_client *c, const struct kcf_dual *dual,
				const struct kcf_data *in, struct kcf_data *out,
				struct kcf_data *mac, struct kcf_call_req *req)
{
	enum kcf_status (*real)(struct kcf_client *, const struct kcf_dual *,
				const struct kcf_data *, struct kcf_data *, struct kcf_data *,
				struct kcf_call_req *);

	struct kcf_call_req copy;

	*(void **)&real = dlsym(RTLD_NEXT, "kcf_encrypt_mac");
	req = before(req, &copy, mac);
	return after(real(c, dual, in, out, mac, req), req, mac);
}

enum kcf_status kcf_mac_decrypt(struct kcf_client *c, const struct kcf_dual *dual,
				const struct kcf_data *in, const struct kcf_data *mac,
				struct kcf_data *out, struct kcf_call_req *req)
{
	enum kcf_status (*real)(struct kcf_client *, const struct kcf_dual *,
				const struct kcf_data *, const struct kcf_data *, struct kcf_data *,
				struct kcf_call_req *);

	struct kcf_call_req copy;

	*(void **)&real = dlsym(RTLD_NEXT, "kcf_mac_decrypt");
	req = before(req, &copy, out);
	return after(real(c, dual, in, mac, out, req), req, out);
}

/* ---- doors ---- */

static void setup(void)
{
	ck_assert(speed_daemon_start(&kcfd, TEST_KCFD, TEST_MODULE_DIR, -1));
	client = speed_connect(kcfd.socket, TEST_MODULE_DIR);
	ck_assert_ptr_nonnull(client);
	n_calls = 0;
	spoil = false;
}

static void teardown(void)
{
	kcf_client_close(client);
	speed_daemon_stop(&kcfd);
}

static struct speed_case case_of(int work)
{
	return (struct speed_case){.work = (enum speed_work_kind)work,
				   .size = SIZE,
				   .depth = DEPTH,
				   .cpu_client = -1,
				   .cpu_server = -1,
				   .socket = kcfd.socket,
				   .modules = TEST_MODULE_DIR};
}

static const struct speed_door *const doors[] = {&speed_caller, &speed_batch,  &speed_inline,
						 &speed_arena,  &speed_handle, &speed_round_trip};

#define N_DOORS (sizeof(doors) / sizeof(doors[0]))

START_TEST(doors_count_what_was_called)
{
	struct speed_case c = case_of(_i);

	for (unsigned i = 0; i < N_DOORS; i++) {
		void *state = doors[i]->open(&c, client);
		struct speed_turn turn = {0};

		if (!state)
			continue;
		for (unsigned j = 0; j < 2; j++) {
			n_calls = 0;
			ck_assert_msg(doors[i]->run(state, 0.002, NULL, &turn), "%s",
				      doors[i]->name);
			ck_assert_uint_gt(turn.n, 0);
			ck_assert_uint_eq(turn.n, n_calls);
			ck_assert_double_gt(turn.seconds, 0.002);
		}
		doors[i]->close(state);
	}
}
END_TEST

START_TEST(wrong_results_fail_the_run)
{
	struct speed_case c = case_of(_i);

	for (unsigned i = 0; i < N_DOORS; i++) {
		void *state = doors[i]->open(&c, client);
		struct speed_turn turn;

		if (!state)
			continue;
		spoil = true;
		ck_assert_msg(!doors[i]->run(state, 0.002, NULL, &turn), "%s", doors[i]->name);
		spoil = false;
		doors[i]->close(state);
	}
}
END_TEST

START_TEST(every_symmetric_work_has_a_door_in_the_caller_and_one_through_kcfd)
{
	for (int w = 0; w < SPEED_WORKS; w++) {
		struct speed_case c = case_of(w);
		bool sign = speed_is_sign(c.work);
		void *caller = speed_caller.open(&c, client), *arena = speed_arena.open(&c, client);

		ck_assert_int_eq(caller != NULL, !sign);
		ck_assert_int_eq(arena != NULL, !sign);
		if (caller)
			speed_caller.close(caller);
		if (arena)
			speed_arena.close(arena);
	}
}
END_TEST

START_TEST(paced_operations_are_those_that_were_due)
{
	struct speed_case c = case_of(SPEED_HMAC);
	struct speed_latency latency = {.ns = calloc(SPEED_SAMPLES, sizeof(uint32_t)),
					.rate = 1000};
	void *state = speed_arena.open(&c, client);
	struct speed_turn turn;

	ck_assert_ptr_nonnull(state);
	ck_assert(speed_arena.run(state, 0.05, &latency, &turn));
	ck_assert_uint_ge(turn.n, 1);
	ck_assert_uint_le(turn.n, 51);
	ck_assert_uint_eq(turn.n, latency.n);
	speed_arena.close(state);
	free(latency.ns);
}
END_TEST

START_TEST(clients_add_up)
{
	struct speed_case c = case_of(SPEED_CBC_ENC);
	struct speed_turn turn;
	void *state;

	c.clients = 3;
	state = speed_clients.open(&c, client);
	ck_assert_ptr_nonnull(state);
	ck_assert(speed_clients.run(state, 0.01, NULL, &turn));
	ck_assert_uint_ge(turn.n, 3 * DEPTH);
	speed_clients.close(state);
}
END_TEST

START_TEST(wrong_results_of_one_client_fail_the_run_of_all)
{
	struct speed_case c = case_of(SPEED_CBC_ENC);
	struct speed_turn turn;
	void *state;

	c.clients = 3;
	spoil = true; /* inherited */
	state = speed_clients.open(&c, client);
	ck_assert_ptr_nonnull(state);
	ck_assert(!speed_clients.run(state, 0.01, NULL, &turn));
	speed_clients.close(state);
}
END_TEST

START_TEST(socket_trip_comes_back)
{
	struct speed_case c = case_of(SPEED_HMAC);
	void *state = speed_socket_trip.open(&c, NULL);
	struct speed_turn turn;

	ck_assert_ptr_nonnull(state);
	ck_assert(speed_socket_trip.run(state, 0.002, NULL, &turn));
	ck_assert_uint_gt(turn.n, 0);
	speed_socket_trip.close(state);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("speed");
	TCase *tc = tcase_create("all");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 60);
	tcase_add_loop_test(tc, doors_count_what_was_called, 0, SPEED_WORKS);
	tcase_add_loop_test(tc, wrong_results_fail_the_run, 0, SPEED_WORKS);
	tcase_add_test(tc, every_symmetric_work_has_a_door_in_the_caller_and_one_through_kcfd);
	tcase_add_test(tc, paced_operations_are_those_that_were_due);
	tcase_add_test(tc, clients_add_up);
	tcase_add_test(tc, wrong_results_of_one_client_fail_the_run_of_all);
	tcase_add_test(tc, socket_trip_comes_back);
	suite_add_tcase(suite, tc);
	return test_main(suite);
}
