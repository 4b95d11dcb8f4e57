/* SPDX-License-Identifier: Apache-2.0 */
#include "modules.h"

#include <check.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#define PATH_LEN 512

void modules_init(struct modules *m)
{
	char text[65536], path[PATH_LEN];
	ssize_t n;
	int fd;

	harness_dir("kcf-mod", m->dir);
	modules_add(m, "openssl", "openssl");
	snprintf(path, sizeof(path), "%s/kcf-openssl.manifest", TEST_MODULE_DIR);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	n = read(fd, text, sizeof(text) - 1);
	ck_assert_int_gt(n, 0);
	close(fd);
	text[n] = 0;
	modules_manifest(m, "openssl", text);
}

static int open_built(const char *name)
{
	char path[PATH_LEN];
	int fd;

	snprintf(path, sizeof(path), "%s/kcf-%s.so", TEST_MODULE_DIR, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd >= 0)
		return fd;
	snprintf(path, sizeof(path), "%s/tests/modules/kcf-%s.so", TEST_BUILD_DIR, name);
	return open(path, O_RDONLY | O_CLOEXEC);
}

void modules_add(const struct modules *m, const char *name, const char *as)
{
	char path[PATH_LEN];
	struct stat st;
	int from = open_built(name), to;

	snprintf(path, sizeof(path), "%s/kcf-%s.so", m->dir, as);
	to = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0700);
	ck_assert_int_ge(from, 0);
	ck_assert_int_ge(to, 0);
	ck_assert_int_eq(fstat(from, &st), 0);
	ck_assert_int_eq(sendfile(to, from, NULL, (size_t)st.st_size), st.st_size);
	close(from);
	close(to);
}

void modules_manifest(const struct modules *m, const char *name, const char *lines)
{
	char path[PATH_LEN];
	FILE *f;

	snprintf(path, sizeof(path), "%s/kcf-%s.manifest", m->dir, name);
	f = fopen(path, "we");
	ck_assert_ptr_nonnull(f);
	ck_assert_int_ge(fputs(lines, f), 0);
	ck_assert_int_eq(fclose(f), 0);
}

void modules_start(const struct modules *m, struct harness_kcfd *h, const char *config)
{
	const char *const args[] = {"--modules", m->dir, NULL};

	if (config)
		harness_kcfd_start_config(h, config, args);
	else
		harness_kcfd_start(h, args);
}

void modules_deinit(struct modules *m)
{
	DIR *dir = opendir(m->dir);
	struct dirent *e;

	while (dir && (e = readdir(dir)))
		unlinkat(dirfd(dir), e->d_name, 0);
	if (dir)
		closedir(dir);
	rmdir(m->dir);
}
