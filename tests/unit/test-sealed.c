/* SPDX-License-Identifier: Apache-2.0 */
/* test-sealed - the header of sealed files: what is written is read, and nothing else is. */
#include <string.h>
#include "cli/sealed.h"
#include "test-main.h"

static struct sealed_header header;
static uint8_t bytes[SEALED_HEADER_LEN];

static void setup(void)
{
	header = (struct sealed_header){.mech = KCF_M_AES_GCM, .segment = 65536, .key_len = 32};
	memset(header.prefix, 0xa5, sizeof(header.prefix));
	memset(header.salt, 0x5a, sizeof(header.salt));
	sealed_put(bytes, &header);
}

START_TEST(reads_what_was_written)
{
	struct sealed_header back;

	ck_assert_ptr_null(sealed_get(bytes, &back));
	ck_assert_uint_eq(back.mech, KCF_M_AES_GCM);
	ck_assert_uint_eq(back.segment, 65536);
	ck_assert_uint_eq(back.key_len, 32);
	ck_assert_mem_eq(back.prefix, header.prefix, sizeof(back.prefix));
	ck_assert_mem_eq(back.salt, header.salt, sizeof(back.salt));
}
END_TEST

START_TEST(header_is_laid_out_as_documented)
{
	static const uint8_t begin[32] = {'K', 'C', 'F', 'S', 'E', 'A', 'L', '1', 0, 0, 0, 96,
					  0,   1,   0,	 0,   16,  32,	12,  0,	  0xa5, 0xa5, 0xa5,
					  0xa5, 0xa5, 0xa5, 0xa5};

	ck_assert_mem_eq(bytes, begin, sizeof(begin));
	ck_assert_mem_eq(bytes + 32, header.salt, 32);
}
END_TEST

START_TEST(refuses_any_other_magic_length_or_padding)
{
	/* magic, tag length, key length, nonce length, zero bytes */
	static const unsigned at[] = {0, 7, 16, 17, 18, 19, 27, 31};
	struct sealed_header back;

	for (unsigned i = 0; i < sizeof(at) / sizeof(at[0]); i++) {
		bytes[at[i]] ^= 1;
		ck_assert_ptr_nonnull(sealed_get(bytes, &back));
		bytes[at[i]] ^= 1;
	}
	ck_assert_ptr_null(sealed_get(bytes, &back));
}
END_TEST

START_TEST(refuses_segment_sizes_out_of_range)
{
	static const uint32_t bad[] = {0, 1, 4095, 4097, SEALED_SEGMENT_MAX + 4096, UINT32_MAX};
	struct sealed_header back;

	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		header.segment = bad[i];
		sealed_put(bytes, &header);
		ck_assert_ptr_nonnull(sealed_get(bytes, &back));
	}
	header.segment = SEALED_SEGMENT_MAX;
	sealed_put(bytes, &header);
	ck_assert_ptr_null(sealed_get(bytes, &back));
}
END_TEST

START_TEST(nonces_differ_by_number_and_by_being_last)
{
	uint8_t a[SEALED_NONCE_LEN], b[SEALED_NONCE_LEN];
	static const uint8_t tail[5] = {0x01, 0x02, 0x03, 0x04, 1};

	sealed_nonce(&header, 0x01020304, true, a);
	ck_assert_mem_eq(a, header.prefix, SEALED_PREFIX_LEN);
	ck_assert_mem_eq(a + SEALED_PREFIX_LEN, tail, sizeof(tail));
	sealed_nonce(&header, 0x01020304, false, b);
	ck_assert_mem_ne(a, b, sizeof(a));
	sealed_nonce(&header, 0x01020305, true, b);
	ck_assert_mem_ne(a, b, sizeof(a));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("sealed");
	TCase *tc = tcase_create("header");

	tcase_add_checked_fixture(tc, setup, NULL);
	tcase_add_test(tc, reads_what_was_written);
	tcase_add_test(tc, header_is_laid_out_as_documented);
	tcase_add_test(tc, refuses_any_other_magic_length_or_padding);
	tcase_add_test(tc, refuses_segment_sizes_out_of_range);
	tcase_add_test(tc, nonces_differ_by_number_and_by_being_last);
	suite_add_tcase(suite, tc);
	return test_main(suite);
}
