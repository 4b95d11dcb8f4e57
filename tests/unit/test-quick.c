/* SPDX-License-Identifier: Apache-2.0 */
/* test-quick - small operations without requests: what they work on, and what a client may see. */
#include "core/quick.h"
#include "unit/core-world.h"

#define LEN 64u

static const uint8_t key[16] = "0123456789abcdef";
static const uint8_t iv[12] = "nonce-nonce-";
static const struct kcf_param_aead gcm = {.iv = iv, .iv_len = 12};
static uint8_t plain[LEN], sealed[LEN + 16], opened[LEN];
static struct tmpl *t;

static struct quick_op op_of(uint16_t op, const uint8_t *in, size_t in_len, uint8_t *out,
			     size_t room)
{
	return (struct quick_op){.consumer = world.consumer,
				 .tmpl = t,
				 .op = op,
				 .param = &gcm,
				 .in = {(void *)in, in_len},
				 .out = {out, room}};
}

static void run(struct quick_op *op)
{
	struct quick_op *ops[] = {op};

	quick_run(world.core, ops, 1);
}

static void setup(void)
{
	struct quick_op op;

	world_setup();
	t = world_tmpl(KCF_M_AES_GCM, key, sizeof(key));
	memset(plain, 'p', sizeof(plain));
	op = op_of(KCF_OP_ENCRYPT, plain, sizeof(plain), sealed, sizeof(sealed));
	ck_assert(quick_may(world.core) && quick_take(world.core, &op));
	run(&op);
	ck_assert_int_eq(op.status, KCF_SUCCESS);
	ck_assert_uint_eq(op.out_len, sizeof(sealed));
}

static void teardown(void)
{
	tmpl_unref(t);
	world_teardown();
}

/* Whoever owns the key: what is decrypted is what was verified. */
START_TEST(decrypts_what_was_there_when_it_was_taken)
{
	struct quick_op op = op_of(KCF_OP_DECRYPT, sealed, sizeof(sealed), opened, sizeof(opened));

	ck_assert(quick_take(world.core, &op));
	sealed[0] ^= 1; /* too late to matter */
	run(&op);
	ck_assert_int_eq(op.status, KCF_SUCCESS);
	ck_assert_mem_eq(opened, plain, LEN);
	op = op_of(KCF_OP_DECRYPT, sealed, sizeof(sealed), opened, sizeof(opened));
	ck_assert(quick_take(world.core, &op));
	run(&op);
	ck_assert_int_eq(op.status, KCF_INVALID_MAC);
}
END_TEST

START_TEST(shows_nothing_whose_tag_is_wrong)
{
	struct quick_op op = op_of(KCF_OP_DECRYPT, sealed, sizeof(sealed), opened, sizeof(opened));
	uint8_t before[LEN];

	memset(opened, 'x', sizeof(opened));
	memcpy(before, opened, LEN);
	sealed[LEN] ^= 1;
	ck_assert(quick_take(world.core, &op));
	run(&op);
	ck_assert_int_eq(op.status, KCF_INVALID_MAC);
	ck_assert_uint_eq(op.out_len, 0);
	ck_assert_mem_eq(opened, before, LEN);
}
END_TEST

START_TEST(takes_no_more_than_the_users_requests)
{
	struct quick_op op = op_of(KCF_OP_ENCRYPT, plain, LEN, sealed, sizeof(sealed)), more = op;

	core_limits(world.core)->user_requests = 1;
	ck_assert(quick_take(world.core, &op));
	ck_assert(!quick_take(world.core, &more));
	run(&op);
	ck_assert(quick_take(world.core, &op));
	run(&op);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("quick");
	TCase *tc = tcase_create("quick");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, decrypts_what_was_there_when_it_was_taken);
	tcase_add_test(tc, shows_nothing_whose_tag_is_wrong);
	tcase_add_test(tc, takes_no_more_than_the_users_requests);
	suite_add_tcase(s, tc);
	return test_main(s);
}
