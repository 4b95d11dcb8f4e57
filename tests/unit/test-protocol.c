/* SPDX-License-Identifier: Apache-2.0 */
/* proto/PROTOCOL.md agrees with the headers: numbers, names and the layouts of shared memory. */
#include "table/page.h"
#include "table/ring.h"
#include "test-main.h"
#include "wire/codec.h"

#include "kcf.pb-c.h"

#include <stdarg.h>
#include <stddef.h>
#include <string.h>

static char *text;

static void setup(void)
{
	FILE *f = fopen(TEST_SOURCE_DIR "/proto/PROTOCOL.md", "r");
	size_t len;

	ck_assert_ptr_nonnull(f);
	text = calloc(1, 1 << 20);
	len = fread(text, 1, (1 << 20) - 1, f);
	ck_assert_uint_gt(len, 10000);
	fclose(f);
}

static void teardown(void)
{
	free(text);
}

static bool has_line(const char *line)
{
	char begin[512];

	snprintf(begin, sizeof(begin), "\n%s", line);
	return strstr(text, begin) != NULL;
}

__attribute__((format(printf, 1, 2))) static void expect_line(const char *format, ...)
{
	char line[500];
	va_list args;

	va_start(args, format);
	vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	ck_assert_msg(has_line(line), "PROTOCOL.md has no line \"%s\"", line);
}

START_TEST(names_every_status)
{
#define KCF__X(name, value, words) expect_line("| %d | %s | %s |\n", value, #name, words);
	KCF_STATUS_LIST(KCF__X)
#undef KCF__X
}
END_TEST

START_TEST(lists_every_fixed_mechanism)
{
#define KCF__X(ident, number, name, alias, classes, kind) expect_line("| %d | `%s` |", number, name);
	KCF_MECH_LIST(KCF__X)
#undef KCF__X
}
END_TEST

START_TEST(lists_every_frame_type)
{
	for (unsigned t = 1; t < FRAME_TYPE_COUNT; t++)
		expect_line("| %u | %s | ", t, frame_type_name(t));
}
END_TEST

static void expect_fields(const ProtobufCMessageDescriptor *d)
{
	for (unsigned i = 0; i < d->n_fields; i++)
		expect_line("| %u | %s | ", d->fields[i].id, d->fields[i].name);
}

START_TEST(lists_every_field_of_op_and_its_reply)
{
	expect_fields(&kcf__wire__op__descriptor);
	expect_fields(&kcf__wire__op_reply__descriptor);
}
END_TEST

START_TEST(says_the_number_of_every_field)
{
	static const ProtobufCMessageDescriptor *const all[] = {
		&kcf__wire__hello__descriptor,	      &kcf__wire__hello_reply__descriptor,
		&kcf__wire__module__descriptor,	      &kcf__wire__key_ref__descriptor,
		&kcf__wire__param__descriptor,	      &kcf__wire__step__descriptor,
		&kcf__wire__template_attach__descriptor, &kcf__wire__template_drop__descriptor,
		&kcf__wire__context_drop__descriptor, &kcf__wire__key_op__descriptor,
		&kcf__wire__key_reply__descriptor,    &kcf__wire__cancel__descriptor,
		&kcf__wire__status_query__descriptor, &kcf__wire__status_reply__descriptor,
		&kcf__wire__mech_find__descriptor,    &kcf__wire__mech_reply__descriptor,
		&kcf__wire__done__descriptor,	      &kcf__wire__arena_new__descriptor,
		&kcf__wire__arena_offer__descriptor,  &kcf__wire__arena_free__descriptor,
		&kcf__wire__arena_reply__descriptor,  &kcf__wire__want__descriptor,
		&kcf__wire__room__descriptor,	      &kcf__wire__event__descriptor,
		&kcf__wire__fatal__descriptor,	      &kcf__wire__admin__descriptor,
		&kcf__wire__admin_reply__descriptor,  &kcf__wire__ring_new__descriptor,
		&kcf__wire__ring_reply__descriptor,
	};

	for (unsigned i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		expect_fields(all[i]);
}
END_TEST

START_TEST(says_the_layout_of_the_table)
{
	ck_assert_uint_eq(sizeof(struct table), 265872);
	ck_assert(strstr(text, "265,872"));
	ck_assert_uint_eq(offsetof(struct table, daemon_id), 16);
	ck_assert_uint_eq(offsetof(struct table, generation), 24);
	ck_assert_uint_eq(offsetof(struct table, spinners), 40);
	ck_assert_uint_eq(offsetof(struct table, crowded), 44);
	ck_assert_uint_eq(offsetof(struct table, thresholds), 128);
	ck_assert_uint_eq(offsetof(struct table, live), 1152);
	ck_assert_uint_eq(offsetof(struct table, copies), 2176);
	ck_assert_uint_eq(offsetof(struct table, costs), 233104);
	ck_assert_uint_eq(sizeof(struct table_copy), 115464);
	ck_assert_uint_eq(offsetof(struct table_copy, mechs), 776);
	ck_assert_uint_eq(sizeof(struct table_provider), 48);
	ck_assert_uint_eq(sizeof(struct table_mech), 448);
	ck_assert_uint_eq(offsetof(struct table_mech, offers), 64);
	ck_assert_uint_eq(sizeof(struct table_offer), 48);
	ck_assert_uint_eq(offsetof(struct table_offer, max_input), 32);
}
END_TEST

START_TEST(says_the_layout_of_the_page)
{
	ck_assert_uint_eq(sizeof(struct page), 123904);
	ck_assert(strstr(text, "123,904"));
	ck_assert_uint_eq(offsetof(struct page, credit), 4096);
	ck_assert_uint_eq(offsetof(struct page, cells), 8192);
	ck_assert_uint_eq(sizeof(struct page_cell), 7232);
	ck_assert_uint_eq(offsetof(struct page_cell, rows), 64);
	ck_assert_uint_eq(offsetof(struct page_cell, decisions), 6208);
	ck_assert_uint_eq(sizeof(struct page_row), 64);
	ck_assert_uint_eq(sizeof(struct page_decision), 16);
}
END_TEST

/* Members of an entry as the text lists them: offset, size, name. */
#define IN_ENTRY(m)                                                                                \
	expect_line("| %zu | %zu | " #m " | ", offsetof(struct ring_entry, m),                     \
		    sizeof(((struct ring_entry *)0)->m));
#define IN_DONE(m)                                                                                 \
	expect_line("| %zu | %zu | " #m " | ", offsetof(struct ring_done, m),                      \
		    sizeof(((struct ring_done *)0)->m));

START_TEST(says_the_layout_of_the_ring)
{
	ck_assert_uint_eq(sizeof(struct ring), 53248);
	ck_assert(strstr(text, "53,248"));
	ck_assert_uint_eq(offsetof(struct ring, seen), 192);
	ck_assert_uint_eq(offsetof(struct ring, spins), 196);
	ck_assert_uint_eq(offsetof(struct ring, entries), 4096);
	ck_assert_uint_eq(offsetof(struct ring, completions), 36864);
	IN_ENTRY(seq) IN_ENTRY(op) IN_ENTRY(flags) IN_ENTRY(param) IN_ENTRY(n_extra) IN_ENTRY(id)
	IN_ENTRY(slot) IN_ENTRY(in_seg) IN_ENTRY(out_seg) IN_ENTRY(iv_len) IN_ENTRY(len)
	IN_ENTRY(in_off) IN_ENTRY(in_len) IN_ENTRY(out_off) IN_ENTRY(out_room)
	IN_ENTRY(deadline_us) IN_ENTRY(preference) IN_ENTRY(aad_len) IN_ENTRY(check_len)
	IN_ENTRY(iv)
	IN_DONE(id) IN_DONE(len) IN_DONE(status) IN_DONE(provider) IN_DONE(queue_hops) IN_DONE(more)
	ck_assert_uint_eq(offsetof(struct ring_dual, mac_off), 4);
	ck_assert_uint_eq(offsetof(struct ring_dual, mac_seg), 8);
	ck_assert_uint_eq(offsetof(struct ring_dual, len2), 10);
	ck_assert_uint_eq(sizeof(struct ring_dual), 12);
}
END_TEST

START_TEST(says_every_limit)
{
	ck_assert_uint_eq(FRAME_MESSAGE_MAX, 65536);
	ck_assert_uint_eq(FRAME_PAYLOAD_MAX, 65536);
	expect_line("| message | 65,536 bytes |");
	expect_line("| payload | 65,536 bytes; ADMIN_REPLY 4 MiB |");
	ck_assert_uint_eq(WIRE_MAX_KEY, 16384);
	expect_line("| key bytes | 16,384 |");
	ck_assert_uint_eq(WIRE_MAX_PARAM, 32768);
	expect_line("| byte strings of a Param together | 32,768 |");
	ck_assert_uint_eq(WIRE_MAX_INLINE, 16384);
	expect_line("| inline input, inline output of a request | 16,384 each |");
	ck_assert_uint_eq(WIRE_MAX_RANGES, 64);
	ck_assert_uint_eq(WIRE_MAX_STEP_RANGES, 512);
	expect_line("| ranges per direction; of all steps together | 64; 512 |");
	ck_assert_uint_eq(KCF_STEPS_MAX, 64);
	expect_line("| steps | 64 |");
	ck_assert_uint_eq(WIRE_MAX_FDS, 16);
	expect_line("| descriptors per write, waiting | 16 |");
	ck_assert_uint_eq(CODEC_ARENA_SIZE, 163840);
	ck_assert_uint_eq(CODEC_MAX_ALLOCS, 512);
	expect_line("| decoding of one message | 163,840 bytes, 512 allocations |");
}
END_TEST

int main(void)
{
	Suite *s = suite_create("protocol");
	TCase *t = tcase_create("protocol");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, names_every_status);
	tcase_add_test(t, lists_every_fixed_mechanism);
	tcase_add_test(t, lists_every_frame_type);
	tcase_add_test(t, lists_every_field_of_op_and_its_reply);
	tcase_add_test(t, says_the_number_of_every_field);
	tcase_add_test(t, says_the_layout_of_the_table);
	tcase_add_test(t, says_the_layout_of_the_page);
	tcase_add_test(t, says_the_layout_of_the_ring);
	tcase_add_test(t, says_every_limit);
	suite_add_tcase(s, t);
	return test_main(s);
}
