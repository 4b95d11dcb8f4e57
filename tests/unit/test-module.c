/* SPDX-License-Identifier: Apache-2.0 */
/* test-module - what is loaded and what is refused. The module is kcf-nettle of the build tree. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include "module/module.h"
#include "test-main.h"

#define MODULE TEST_MODULE_DIR "/kcf-nettle.so"

static char dir[64], file[80];
static struct module_error err;

/* A private folder with a copy of the module. */
static void setup(void)
{
	char buf[65536];
	ssize_t n;
	int from, to;

	umask(022);
	ck_assert_ptr_nonnull(mkdtemp(test_tmp_path("module-XXXXXX", dir, sizeof(dir))));
	snprintf(file, sizeof(file), "%s/m.so", dir);
	from = open(MODULE, O_RDONLY | O_CLOEXEC);
	to = open(file, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
	ck_assert_int_ge(from, 0);
	ck_assert_int_ge(to, 0);
	while ((n = read(from, buf, sizeof(buf))) > 0)
		ck_assert_int_eq(write(to, buf, (size_t)n), n);
	close(from);
	close(to);
	err.text[0] = 0;
}

static void teardown(void)
{
	chmod(dir, 0700);
	unlink(file);
	rmdir(dir);
}

static int sealed(const void *bytes, size_t len)
{
	int fd = memfd_create("m", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	ck_assert_int_eq(write(fd, bytes, len), (ssize_t)len);
	ck_assert_int_eq(
		fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL),
		0);
	return fd;
}

START_TEST(loads_a_module_from_a_safe_folder)
{
	struct module *m;
	int fd = module_seal(file, &err);

	ck_assert_msg(fd >= 0, "%s", err.text);
	ck_assert_msg(module_open(fd, &m, &err) == KCF_SUCCESS, "%s", err.text);
	ck_assert_str_eq(m->desc->name, "nettle");
	ck_assert_int_ge(module_row(m, "CKM_SHA256"), 0);
	ck_assert_int_eq(module_row(m, "CKM_SHA25"), -1);
}
END_TEST

START_TEST(sealed_bytes_cannot_be_changed)
{
	int fd = module_seal(file, &err);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_lt(pwrite(fd, "x", 1, 0), 0);
	ck_assert_int_lt(ftruncate(fd, 1), 0);
	ck_assert_ptr_eq(mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0), MAP_FAILED);
	close(fd);
}
END_TEST

START_TEST(finds_the_module_with_the_same_content)
{
	struct module *a, *b, *c;

	ck_assert_int_eq(module_open(module_seal(file, &err), &a, &err), KCF_SUCCESS);
	ck_assert_int_eq(module_open(module_seal(MODULE, &err), &b, &err), KCF_SUCCESS);
	ck_assert_ptr_eq(a, b);
	/* One byte more is another module, with an own address for its code. */
	ck_assert_int_eq(chmod(file, 0600), 0);
	FILE *f = fopen(file, "a");
	fputc(0, f);
	fclose(f);
	ck_assert_int_eq(module_open(module_seal(file, &err), &c, &err), KCF_SUCCESS);
	ck_assert_ptr_ne(a, c);
	ck_assert_ptr_ne(a->desc, c->desc);
}
END_TEST

START_TEST(loads_another_module_under_a_descriptor_number_used_before)
{
	struct module *a, *b;
	int fd = module_seal(file, &err), n;

	ck_assert_int_eq(module_open(fd, &a, &err), KCF_SUCCESS);
	/* A program that closes every descriptor, as daemons do. */
	close(fd);
	FILE *f = fopen(file, "a");
	fputc(0, f);
	fclose(f);
	n = module_seal(file, &err);
	ck_assert_int_eq(n, fd);
	ck_assert_int_eq(module_open(n, &b, &err), KCF_SUCCESS);
	ck_assert_ptr_ne(a->desc, b->desc);
}
END_TEST

START_TEST(refuses_writable_file)
{
	ck_assert_int_eq(chmod(file, 0664), 0);
	ck_assert_int_eq(module_seal(file, &err), -EPERM);
	ck_assert_ptr_nonnull(strstr(err.text, "chmod go-w"));
}
END_TEST

START_TEST(refuses_writable_folder)
{
	ck_assert_int_eq(chmod(dir, 0777), 0);
	ck_assert_int_eq(module_seal(file, &err), -EPERM);
	ck_assert_ptr_nonnull(strstr(err.text, "folder"));
}
END_TEST

START_TEST(refuses_foreign_owner)
{
	if (geteuid() != 0)
		return;
	ck_assert_int_eq(chown(file, 12345, 12345), 0);
	ck_assert_int_eq(module_seal(file, &err), -EPERM);
	ck_assert_int_eq(chown(file, 0, 0), 0);
	ck_assert_int_eq(chown(dir, 12345, 12345), 0);
	ck_assert_int_eq(module_seal(file, &err), -EPERM);
}
END_TEST

START_TEST(refuses_symbolic_link)
{
	char link[80];

	snprintf(link, sizeof(link), "%s/l.so", dir);
	ck_assert_int_eq(symlink(file, link), 0);
	ck_assert_int_eq(module_seal(link, &err), -ELOOP);
	unlink(link);
}
END_TEST

START_TEST(refuses_what_is_not_a_regular_file)
{
	unlink(file);
	ck_assert_int_eq(mkfifo(file, 0600), 0);
	ck_assert_int_eq(module_seal(file, &err), -EINVAL);
	unlink(file);
	ck_assert_int_eq(module_seal(file, &err), -ENOENT);
}
END_TEST

START_TEST(refuses_empty_and_huge_files)
{
	ck_assert_int_eq(truncate(file, 0), 0);
	ck_assert_int_eq(module_seal(file, &err), -EFBIG);
	ck_assert_int_eq(truncate(file, (off_t)MODULE_MAX + 1), 0);
	ck_assert_int_eq(module_seal(file, &err), -EFBIG);
}
END_TEST

START_TEST(refuses_bytes_that_are_not_sealed)
{
	struct module *m;
	int from = open(file, O_RDONLY | O_CLOEXEC);
	int fd = memfd_create("m", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	char buf[65536];
	ssize_t n;

	while ((n = read(from, buf, sizeof(buf))) > 0)
		ck_assert_int_eq(write(fd, buf, (size_t)n), n);
	ck_assert_int_eq(module_verify(fd, &err), -EPERM);
	ck_assert_int_eq(module_open(fd, &m, &err), KCF_MODULE_INVALID);
	ck_assert_int_lt(fcntl(fd, F_GETFD), 0);
	ck_assert_int_eq(module_open(from, &m, &err), KCF_MODULE_INVALID);
}
END_TEST

START_TEST(refuses_bytes_of_another_kind_or_machine)
{
	unsigned char elf[64] = {0};
	struct module *m;
	int from = open(file, O_RDONLY | O_CLOEXEC);

	ck_assert_int_eq(module_open(sealed("#!/bin/sh\n", 10), &m, &err), KCF_MODULE_INVALID);
	ck_assert_int_eq(read(from, elf, sizeof(elf)), (ssize_t)sizeof(elf));
	close(from);
	ck_assert_int_eq(module_open(sealed(elf, sizeof(elf)), &m, &err), KCF_MODULE_INVALID);
	elf[18] ^= 0x40; /* e_machine */
	ck_assert_int_eq(module_open(sealed(elf, sizeof(elf)), &m, &err), KCF_MODULE_INVALID);
	ck_assert_ptr_nonnull(strstr(err.text, "machine"));
}
END_TEST

START_TEST(refuses_a_library_that_was_cut_off)
{
	static unsigned char bytes[1 << 20];
	int from = open(file, O_RDONLY | O_CLOEXEC);
	ssize_t n = read(from, bytes, sizeof(bytes));
	struct module *m;

	ck_assert_int_gt(n, 8192);
	close(from);
	for (size_t len = 64; len < 8192; len += 61) {
		ck_assert_int_eq(module_open(sealed(bytes, len), &m, &err), KCF_MODULE_INVALID);
		ck_assert_ptr_nonnull(strstr(err.text, "cut off"));
	}
}
END_TEST

START_TEST(refuses_a_library_without_the_symbol)
{
	struct module *m;
	int fd = module_seal("/usr/lib/x86_64-linux-gnu/libnettle.so.8.6", &err);

	if (fd < 0)
		return;
	ck_assert_int_eq(module_open(fd, &m, &err), KCF_MODULE_INVALID);
	ck_assert_ptr_nonnull(strstr(err.text, "symbol"));
}
END_TEST

static unsigned no_submit(void *prov, struct kcf_job *const *jobs, unsigned n)
{
	return 0;
}

static enum kcf_status no_start(const struct kcf_host *host, void **ret)
{
	return KCF_SUCCESS;
}

static void no_stop(void *prov)
{
}

static enum kcf_status no_template(void *prov, uint32_t row, const struct kcf_key_data *key,
				   void **ret)
{
	return KCF_SUCCESS;
}

static void no_free(void *prov, void *p)
{
}

static enum kcf_status no_state(void *prov, void *tmpl, void **ret)
{
	return KCF_SUCCESS;
}

START_TEST(judges_descriptors)
{
	static const struct kcf_provider_ops ops = {
		.start = no_start,
		.stop = no_stop,
		.submit = no_submit,
		.template_new = no_template,
		.template_free = no_free,
		.thread_state_new = no_state,
		.thread_state_free = no_free,
	};
	struct kcf_mech_row rows[2] = {{.name = "KCF_A", .classes = KCF_CLASS_DIGEST},
				       {.name = "KCF_B", .classes = KCF_CLASS_KEYGEN}};
	const struct kcf_provider_desc good = {
		KCF_PROVIDER_ABI, sizeof(good), "a-1", "", 1, KCF_SOFTWARE, 0, 2, rows, &ops};
	struct kcf_provider_desc d = good;
	struct kcf_provider_ops o = ops;

	ck_assert(module_desc_ok(&d, &err));
	d.abi++;
	ck_assert(!module_desc_ok(&d, &err));
	d = good;
	d.size--;
	ck_assert(!module_desc_ok(&d, &err));
	d = good;
	d.name = "a name";
	ck_assert(!module_desc_ok(&d, &err));
	d.name = "a-name-of-more-than-thirty-one-bytes";
	ck_assert(!module_desc_ok(&d, &err));
	d = good;
	d.kind = 3;
	ck_assert(!module_desc_ok(&d, &err));
	d = good;
	d.n_rows = 0;
	ck_assert(!module_desc_ok(&d, &err));
	d = good;
	o.thread_state_new = NULL;
	d.ops = &o;
	ck_assert(!module_desc_ok(&d, &err));
	d.kind = KCF_HARDWARE;
	ck_assert(module_desc_ok(&d, &err));
	d = good;
	rows[1].flags = KCF_ROW_MULTI_PART; /* and no context_free */
	ck_assert(!module_desc_ok(&d, &err));
	rows[1].flags = 0;
	rows[1].name = "KCF_A";
	ck_assert(!module_desc_ok(&d, &err));
	rows[1].name = "KCF_B";
	rows[1].classes = 1 << 20;
	ck_assert(!module_desc_ok(&d, &err));
	rows[1].classes = KCF_CLASS_MAC;
	rows[1].key_min_bits = 256;
	rows[1].key_max_bits = 128;
	ck_assert(!module_desc_ok(&d, &err));
}
END_TEST

static void *open_in_thread(void *arg)
{
	struct module *m = NULL;
	struct module_error e;

	module_open(module_seal(MODULE, &e), &m, &e);
	return m;
}

START_TEST(threads_that_load_at_once_get_one_module)
{
	pthread_t threads[4];
	void *m[4];

	for (int i = 0; i < 4; i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, open_in_thread, NULL), 0);
	for (int i = 0; i < 4; i++)
		pthread_join(threads[i], &m[i]);
	ck_assert_ptr_nonnull(m[0]);
	for (int i = 1; i < 4; i++)
		ck_assert_ptr_eq(m[i], m[0]);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("module");
	TCase *tc = tcase_create("module");

	if (access(MODULE, R_OK) < 0)
		test_skip_all("the nettle provider was not built");
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, loads_a_module_from_a_safe_folder);
	tcase_add_test(tc, sealed_bytes_cannot_be_changed);
	tcase_add_test(tc, finds_the_module_with_the_same_content);
	tcase_add_test(tc, loads_another_module_under_a_descriptor_number_used_before);
	tcase_add_test(tc, refuses_writable_file);
	tcase_add_test(tc, refuses_writable_folder);
	tcase_add_test(tc, refuses_foreign_owner);
	tcase_add_test(tc, refuses_symbolic_link);
	tcase_add_test(tc, refuses_what_is_not_a_regular_file);
	tcase_add_test(tc, refuses_empty_and_huge_files);
	tcase_add_test(tc, refuses_bytes_that_are_not_sealed);
	tcase_add_test(tc, refuses_bytes_of_another_kind_or_machine);
	tcase_add_test(tc, refuses_a_library_that_was_cut_off);
	tcase_add_test(tc, refuses_a_library_without_the_symbol);
	tcase_add_test(tc, judges_descriptors);
	tcase_add_test(tc, threads_that_load_at_once_get_one_module);
	suite_add_tcase(s, tc);
	return test_main(s);
}
