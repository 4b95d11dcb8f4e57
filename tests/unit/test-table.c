/* SPDX-License-Identifier: Apache-2.0 */
/* test-table - the published table: writer and reader in one process, over two mappings. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include "table/table.h"
#include "test-main.h"

static struct table_writer writer;

static void setup(void)
{
	ck_assert_int_eq(table_writer_init(&writer, 7), 0);
}

static void teardown(void)
{
	table_writer_deinit(&writer);
}

static void add_mech(struct table_copy *c, uint32_t number, const char *name)
{
	struct table_mech *m = &c->mechs[c->n_mechs++];

	memset(m, 0, sizeof(*m));
	m->number = number;
	snprintf(m->name, sizeof(m->name), "%s", name);
}

static void open_view(struct table_view *v)
{
	memset(v, 0, sizeof(*v));
	ck_assert_int_eq(table_view_open(v, dup(writer.fd)), 0);
}

START_TEST(reader_sees_what_was_published)
{
	struct table_view v;

	add_mech(table_edit(&writer), 3, "CKM_SHA256");
	table_publish(&writer);
	open_view(&v);
	ck_assert_uint_eq(v.copy->n_mechs, 1);
	ck_assert_int_eq(table_find(v.copy, 3), 0);
	ck_assert_int_eq(table_find_name(v.copy, "CKM_SHA256"), 0);
	ck_assert_int_eq(table_find(v.copy, 4), -1);
	ck_assert_int_eq(table_find_name(v.copy, "CKM_SHA25"), -1);
	table_view_close(&v);
}
END_TEST

START_TEST(reader_keeps_snapshot_until_refresh)
{
	struct table_view v;
	uint64_t epoch;

	open_view(&v);
	epoch = v.epoch;
	add_mech(table_edit(&writer), 3, "CKM_SHA256");
	ck_assert(table_view_current(&v));
	table_publish(&writer);
	ck_assert(!table_view_current(&v));
	ck_assert_uint_eq(v.copy->n_mechs, 0);
	ck_assert(table_view_refresh(&v));
	ck_assert_uint_eq(v.copy->n_mechs, 1);
	ck_assert_uint_gt(v.epoch, epoch);
	table_view_close(&v);
}
END_TEST

START_TEST(edit_starts_from_the_copy_in_force)
{
	add_mech(table_edit(&writer), 3, "CKM_SHA256");
	table_publish(&writer);
	add_mech(table_edit(&writer), 4, "CKM_SHA384");
	table_publish(&writer);
	ck_assert_uint_eq(table_edit(&writer)->n_mechs, 2);
}
END_TEST

START_TEST(mapping_of_a_client_cannot_be_written)
{
	void *map =
		mmap(NULL, sizeof(struct table), PROT_READ | PROT_WRITE, MAP_SHARED, writer.fd, 0);

	ck_assert_ptr_eq(map, MAP_FAILED);
	ck_assert_int_lt(ftruncate(writer.fd, 4096), 0);
	ck_assert_int_lt(pwrite(writer.fd, "x", 1, 0), 0);
}
END_TEST

START_TEST(refuses_a_table_that_could_shrink)
{
	struct table_view v = {0};
	int fd = memfd_create("t", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	ck_assert_int_eq(ftruncate(fd, sizeof(struct table)), 0);
	ck_assert_int_eq(table_view_open(&v, fd), -EPERM);
	ck_assert_int_lt(fcntl(fd, F_GETFD), 0);
}
END_TEST

START_TEST(refuses_wrong_size_magic_and_version)
{
	struct table_view v = {0};
	struct table head = {
		.magic = TABLE_MAGIC, .version = TABLE_VERSION + 1, .size = sizeof(head)};
	int fd = memfd_create("t", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	ck_assert_int_eq(fcntl(dup(fd), F_ADD_SEALS, F_SEAL_SHRINK), 0);
	ck_assert_int_eq(table_view_open(&v, dup(fd)), -EMSGSIZE);
	ck_assert_int_eq(ftruncate(fd, sizeof(struct table)), 0);
	ck_assert_int_eq(table_view_open(&v, dup(fd)), -EPROTO);
	ck_assert_int_eq(pwrite(fd, &head, 64, 0), 64);
	ck_assert_int_eq(table_view_open(&v, dup(fd)), -EPROTO);
	head.version = TABLE_VERSION;
	ck_assert_int_eq(pwrite(fd, &head, 64, 0), 64);
	ck_assert_int_eq(table_view_open(&v, fd), 0);
	table_view_close(&v);
}
END_TEST

START_TEST(cuts_offers_that_point_outside)
{
	struct table_view v;
	struct table_copy *c = table_edit(&writer);

	add_mech(c, 3, "CKM_SHA256");
	c->mechs[0].n_offers = TABLE_OFFERS + 5;
	c->mechs[0].offers[0].provider = TABLE_PROVIDERS;
	c->mechs[0].offers[1].provider = 2;
	memset(c->mechs[0].name, 'x', sizeof(c->mechs[0].name));
	for (int i = 2; i < TABLE_OFFERS; i++)
		c->mechs[0].offers[i].provider = 65535;
	table_publish(&writer);
	open_view(&v);
	ck_assert_uint_eq(v.copy->mechs[0].n_offers, 1);
	ck_assert_uint_eq(v.copy->mechs[0].offers[0].provider, 2);
	ck_assert_uint_eq(strlen(v.copy->mechs[0].name), sizeof(v.copy->mechs[0].name) - 1);
	table_view_close(&v);
}
END_TEST

START_TEST(next_daemons_table_takes_the_same_address)
{
	struct table_writer next;
	struct table_view v;
	const struct table *before;

	open_view(&v);
	before = v.t;
	ck_assert_int_eq(table_writer_init(&next, 8), 0);
	add_mech(table_edit(&next), 5, "CKM_SHA512");
	table_publish(&next);
	ck_assert_int_eq(table_view_open(&v, dup(next.fd)), 0);
	ck_assert_ptr_eq(v.t, before);
	ck_assert_uint_eq(v.t->daemon_id, 8);
	ck_assert_int_eq(table_find(v.copy, 5), 0);
	table_view_close(&v);
	table_writer_deinit(&next);
}
END_TEST

static void *publish_for_ever(void *stop)
{
	for (uint32_t n = 1; !__atomic_load_n((int *)stop, __ATOMIC_RELAXED); n++) {
		struct table_copy *c = table_edit(&writer);

		c->n_mechs = 64;
		for (unsigned i = 0; i < 64; i++)
			c->mechs[i].number = c->mechs[i].param_kind = n;
		table_publish(&writer);
		sched_yield();
	}
	return NULL;
}

START_TEST(snapshots_are_never_torn)
{
	struct table_view v;
	pthread_t thread;
	int stop = 0;

	open_view(&v);
	ck_assert_int_eq(pthread_create(&thread, NULL, publish_for_ever, &stop), 0);
	while (v.epoch < 100) {
		table_view_refresh(&v);
		for (unsigned j = 0; j < v.copy->n_mechs; j++) {
			ck_assert_uint_eq(v.copy->mechs[j].number, v.copy->mechs[0].number);
			ck_assert_uint_eq(v.copy->mechs[j].param_kind, v.copy->mechs[0].number);
		}
	}
	__atomic_store_n(&stop, 1, __ATOMIC_RELAXED);
	pthread_join(thread, NULL);
	ck_assert(table_view_refresh(&v));
	ck_assert_uint_eq(v.copy->n_mechs, 64);
	table_view_close(&v);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("table");
	TCase *tc = tcase_create("table");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, reader_sees_what_was_published);
	tcase_add_test(tc, reader_keeps_snapshot_until_refresh);
	tcase_add_test(tc, edit_starts_from_the_copy_in_force);
	tcase_add_test(tc, mapping_of_a_client_cannot_be_written);
	tcase_add_test(tc, refuses_a_table_that_could_shrink);
	tcase_add_test(tc, refuses_wrong_size_magic_and_version);
	tcase_add_test(tc, cuts_offers_that_point_outside);
	tcase_add_test(tc, next_daemons_table_takes_the_same_address);
	tcase_add_test(tc, snapshots_are_never_torn);
	suite_add_tcase(s, tc);
	return test_main(s);
}
