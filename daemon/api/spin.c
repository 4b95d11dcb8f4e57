/* SPDX-License-Identifier: Apache-2.0 */
#include "api/spin.h"

#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

static unsigned own_cpus(void)
{
	cpu_set_t set;

	if (sched_getaffinity(0, sizeof(set), &set) == 0)
		return (unsigned)CPU_COUNT(&set);
	return (unsigned)sysconf(_SC_NPROCESSORS_ONLN);
}

void spin_init(struct spin *sp, const char *path, unsigned cpus)
{
	long online = sysconf(_SC_NPROCESSORS_ONLN);

	memset(sp, 0, sizeof(*sp));
	sp->fd = open(path, O_RDONLY | O_CLOEXEC);
	sp->cpus = cpus ? cpus : own_cpus();
	sp->running = cpus ? cpus : online > 0 ? (unsigned)online : 1;
}

void spin_deinit(struct spin *sp)
{
	if (sp->fd >= 0)
		close(sp->fd);
	sp->fd = -1;
}

/* "0.20 0.18 0.12 3/80 11206": the number before the slash. -1: not to be read. */
static long running(int fd)
{
	char text[64];
	ssize_t n = fd >= 0 ? pread(fd, text, sizeof(text) - 1, 0) : -1;
	const char *slash, *p;

	if (n <= 0)
		return -1;
	text[n] = 0;
	slash = strchr(text, '/');
	if (!slash)
		return -1;
	for (p = slash; p > text && p[-1] >= '0' && p[-1] <= '9';)
		p--;
	return p < slash ? strtol(p, NULL, 10) : -1;
}

/* Was this thread interrupted for another one since the last look? */
static bool was_interrupted(struct spin *sp)
{
	struct rusage u;
	bool more;

	if (getrusage(RUSAGE_THREAD, &u) < 0)
		return false;
	more = sp->asked_ns && u.ru_nivcsw > sp->interrupted;
	sp->interrupted = u.ru_nivcsw;
	return more;
}

bool spin_is_crowded(struct spin *sp, uint64_t now_ns)
{
	long n;

	if (sp->asked_ns && now_ns - sp->asked_ns < SPIN_ASK_NS)
		return sp->crowded;
	n = running(sp->fd);
	sp->crowded = n >= 0 ? n > (long)sp->running : was_interrupted(sp);
	sp->asked_ns = now_ns;
	return sp->crowded;
}
