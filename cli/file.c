/* SPDX-License-Identifier: Apache-2.0 */
/* file - see file.h. */
#include "file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tool.h"

#define PROGRESS_AFTER 0.5 /* seconds before the bar appears */
#define PROGRESS_EVERY 0.1
#define BAR_WIDTH      30

/* ---- input ---- */

int source_open(struct source *s, const char *path)
{
	struct stat st;

	memset(s, 0, sizeof(*s));
	s->name = strcmp(path, "-") ? path : "standard input";
	s->fd = strcmp(path, "-") ? open(path, O_RDONLY | O_CLOEXEC) : dup(0);
	if (s->fd < 0)
		return tool_fail_errno("open", s->name);
	if (fstat(s->fd, &st) == 0 && S_ISDIR(st.st_mode)) {
		close(s->fd);
		errno = EISDIR;
		return tool_fail_errno("read", s->name);
	}
	if (S_ISREG(st.st_mode))
		s->size = (uint64_t)st.st_size;
	posix_fadvise(s->fd, 0, 0, POSIX_FADV_SEQUENTIAL);
	return TOOL_OK;
}

static long read_full(struct source *s, unsigned char *buf, size_t len)
{
	size_t n = 0;

	while (n < len) {
		ssize_t r = read(s->fd, buf + n, len - n);

		if (r == 0)
			break;
		if (r < 0 && errno == EINTR)
			continue;
		if (r < 0) {
			tool_fail_errno("read", s->name);
			return -1;
		}
		n += (size_t)r;
	}
	return (long)n;
}

long source_read(struct source *s, void *buf, size_t len)
{
	unsigned char *p = buf;
	size_t have = 0;
	long n;

	if (s->at_end || len == 0)
		return 0;
	if (s->has_peeked) {
		p[have++] = s->peeked;
		s->has_peeked = false;
	}
	n = read_full(s, p + have, len - have);
	if (n < 0)
		return -1;
	have += (size_t)n;
	s->offset += have;
	if (have < len) {
		s->at_end = true;
		return (long)have;
	}
	/* One byte ahead, because the last piece is treated differently from the others. */
	n = read_full(s, &s->peeked, 1);
	if (n < 0)
		return -1;
	s->has_peeked = n == 1;
	s->at_end = n == 0;
	return (long)have;
}

void source_close(struct source *s)
{
	explicit_bzero(&s->peeked, 1);
	close(s->fd);
}

/* ---- output ---- */

static int dir_len(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? (int)(slash - path + 1) : 0;
}

static char *temp_name(const char *path)
{
	int n = dir_len(path);
	char *name;

	return asprintf(&name, "%.*s.%s.XXXXXX", n, path, path + n) < 0 ? NULL : name;
}

/* A file in path's directory without a name: nothing is left of it whatever ends this process. -1
 * where the file system has no such files. */
static int open_unnamed(const char *path)
{
	char *dir;
	int fd;

	if (asprintf(&dir, "%.*s.", dir_len(path), path) < 0)
		return -1;
	fd = open(dir, O_TMPFILE | O_WRONLY | O_CLOEXEC, 0600);
	free(dir);
	return fd;
}

/* Give an unnamed file the temporary name. */
static bool link_temp(struct sink *s)
{
	char from[32];

	/* mktemp's weakness does not matter: linkat never replaces, a name that is taken is an
	 * error. */
	for (char *p = s->temp + strlen(s->temp) - 6; *p; p++) {
		unsigned char byte;

		if (getrandom(&byte, 1, 0) != 1)
			return false;
		*p = (char)('a' + byte % 26);
	}
	snprintf(from, sizeof(from), "/proc/self/fd/%d", s->fd);
	if (linkat(AT_FDCWD, from, AT_FDCWD, s->temp, AT_SYMLINK_FOLLOW) != 0)
		return false;
	s->unnamed = false;
	return true;
}

static int open_temp(struct sink *s, const char *path, unsigned mode)
{
	mode_t mask;

	s->temp = temp_name(path);
	s->fd = s->temp ? open_unnamed(path) : -1;
	s->unnamed = s->fd >= 0;
	if (s->temp && s->fd < 0)
		s->fd = mkostemp(s->temp, O_CLOEXEC);
	if (s->fd < 0) {
		int code = tool_fail_errno("create a file beside", path);

		free(s->temp);
		s->temp = NULL;
		return code;
	}
	mask = umask(077);
	umask(mask);
	fchmod(s->fd, mode & ~mask);
	return TOOL_OK;
}

int sink_open(struct sink *s, const char *path, unsigned mode)
{
	struct stat st;

	memset(s, 0, sizeof(*s));
	if (!path || !strcmp(path, "-")) {
		s->fd = 1;
		return TOOL_OK;
	}
	s->path = path;
	if (stat(path, &st) == 0 && !S_ISREG(st.st_mode)) {
		s->fd = open(path, O_WRONLY | O_CLOEXEC | O_TRUNC);
		return s->fd < 0 ? tool_fail_errno("write", path) : TOOL_OK;
	}
	return open_temp(s, path, mode);
}

int sink_write(struct sink *s, const void *buf, size_t len)
{
	const unsigned char *p = buf;

	while (len) {
		ssize_t n = write(s->fd, p, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return tool_fail_errno("write", s->path ? s->path : "standard output");
		p += n;
		len -= (size_t)n;
	}
	return TOOL_OK;
}

int sink_commit(struct sink *s)
{
	if (!s->temp)
		return TOOL_OK;
	if (fsync(s->fd) != 0 || (s->unnamed && !link_temp(s)) || rename(s->temp, s->path) != 0)
		return tool_fail_errno("write", s->path);
	free(s->temp);
	s->temp = NULL;
	return TOOL_OK;
}

void sink_close(struct sink *s)
{
	if (s->temp) {
		if (!s->unnamed)
			unlink(s->temp);
		free(s->temp);
		s->temp = NULL;
	}
	if (s->fd > 2)
		close(s->fd);
	s->fd = -1;
}

/* ---- progress ---- */

void progress_start(struct progress *p, const char *label, uint64_t total, bool quiet)
{
	memset(p, 0, sizeof(*p));
	p->label = label;
	p->total = total;
	p->started = tool_now();
	p->enabled = !quiet && isatty(2);
}

static void draw(struct progress *p, double now)
{
	double seconds = now - p->started;
	double rate = seconds > 0 ? (double)p->done / seconds / 1048576 : 0;
	char bar[BAR_WIDTH + 1];
	unsigned filled = p->total ? (unsigned)(p->done * BAR_WIDTH / p->total) : 0;

	if (filled > BAR_WIDTH)
		filled = BAR_WIDTH;
	memset(bar, '=', filled);
	memset(bar + filled, ' ', BAR_WIDTH - filled);
	bar[BAR_WIDTH] = 0;
	if (p->total)
		fprintf(stderr, "\r%.30s [%s] %3u%% %8.1f MiB/s ", p->label, bar,
			(unsigned)(p->done * 100 / p->total), rate);
	else
		fprintf(stderr, "\r%.30s %10.1f MiB %8.1f MiB/s ", p->label,
			(double)p->done / 1048576, rate);
	fflush(stderr);
	p->visible = true;
	p->shown = now;
}

void progress_add(struct progress *p, uint64_t bytes)
{
	double now;

	p->done += bytes;
	if (!p->enabled)
		return;
	now = tool_now();
	if (now - p->started >= PROGRESS_AFTER && now - p->shown >= PROGRESS_EVERY)
		draw(p, now);
}

void progress_end(struct progress *p)
{
	if (p->visible)
		fprintf(stderr, "\r\033[K");
	p->visible = false;
}
