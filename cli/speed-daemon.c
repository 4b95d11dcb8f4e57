/* SPDX-License-Identifier: Apache-2.0 */
/*
 * speed-daemon - a private kcfd for a measurement: own directory under /tmp, own socket, one
 * worker, pinned to the server's CPU, gone with this process, also when a signal ends that. One at
 * a time; one thread.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "speed.h"
#include "tool.h"

#define READY_MS 30000
#define STOP_MS  10000

/* Room for a thousand idle connections of one user. */
static const char config_text[] = "[limits]\n"
				  "connections = 1024\n"
				  "user_connections = 1024\n";

const char *speed_daemon_limits = "workers_min = 1\nworkers_max = 1\n";

/* ---- the directory ---- */

/* Whatever kcfd and we make there. */
static const char *const files[] = {"sock", "sock.lock", "kcf.conf", "log"};
static int dir_fd = -1;
static char dir_path[64];

/* Nothing but system calls: also called by a signal. */
static void remove_dir(void)
{
	for (unsigned i = 0; i < sizeof(files) / sizeof(files[0]); i++)
		unlinkat(dir_fd, files[i], 0);
	rmdir(dir_path);
}

static void on_signal(int signal)
{
	struct sigaction by_default = {.sa_handler = SIG_DFL};

	remove_dir();
	sigaction(signal, &by_default, NULL);
	raise(signal);
}

static void handle_signals(void (*handler)(int signal))
{
	static const int signals[] = {SIGHUP, SIGINT, SIGTERM};
	struct sigaction action = {.sa_handler = handler};

	for (unsigned i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
		sigaction(signals[i], &action, NULL);
}

static void forget_dir(void)
{
	handle_signals(SIG_DFL);
	remove_dir();
	close(dir_fd);
	dir_fd = -1;
}

static bool make_dir(struct speed_daemon *d)
{
	strcpy(d->dir, "/tmp/kcf-speed.XXXXXX");
	if (!mkdtemp(d->dir))
		return false;
	strcpy(dir_path, d->dir);
	dir_fd = open(d->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir_fd < 0) {
		rmdir(dir_path);
		return false;
	}
	handle_signals(on_signal);
	return true;
}

/* ---- the program ---- */

/* A path beside this program's build directory; false if nothing is there. */
static bool beside(const char *relative, char *ret, size_t room)
{
	char self[512];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);

	if (n <= 0)
		return false;
	self[n] = 0;
	*strrchr(self, '/') = 0;
	snprintf(ret, room, "%s/%s", self, relative);
	return access(ret, F_OK) == 0;
}

static bool write_config(const struct speed_daemon *d, char *path, size_t room)
{
	int fd;
	bool ok;

	snprintf(path, room, "%s/kcf.conf", d->dir);
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return false;
	ok = dprintf(fd, "%s%s", config_text, speed_daemon_limits) > 0;
	close(fd);
	return ok;
}

static void child(const struct speed_daemon *d, const char *program, const char *modules,
		  const char *config, int ready_fd)
{
	char ready[16];
	const char *argv[12] = {program,    "--foreground", "--socket",   d->socket,
				"--config", config,         "--ready-fd", ready};
	int log;

	prctl(PR_SET_PDEATHSIG, SIGTERM);
	snprintf(ready, sizeof(ready), "%d", ready_fd);
	fcntl(ready_fd, F_SETFD, 0);
	if (modules) {
		argv[8] = "--modules";
		argv[9] = modules;
	}
	if (chdir(d->dir) != 0)
		_exit(127);
	log = open("log", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	dup2(log, 1);
	dup2(log, 2);
	execvp(program, (char *const *)argv);
	_exit(127);
}

/* kcfd writes a byte when it serves, or ends. */
static bool await_ready(int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};
	char byte;
	int n;

	do {
		n = poll(&p, 1, READY_MS);
	} while (n < 0 && errno == EINTR);
	return n == 1 && read(fd, &byte, 1) == 1;
}

static void show_log(const struct speed_daemon *d)
{
	char path[128], line[512];
	FILE *f;

	snprintf(path, sizeof(path), "%s/log", d->dir);
	f = fopen(path, "re");
	while (f && fgets(line, sizeof(line), f))
		fputs(line, stderr);
	if (f)
		fclose(f);
}

bool speed_daemon_start(struct speed_daemon *d, const char *program, const char *modules, int cpu)
{
	char built[600], built_modules[600], config[128];
	int ready[2];
	bool ok;

	memset(d, 0, sizeof(*d));
	if (!program && beside("../daemon/kcfd", built, sizeof(built)))
		program = built;
	if (program == built && !modules &&
	    beside("../providers", built_modules, sizeof(built_modules)))
		modules = built_modules;
	if (!program)
		program = "kcfd";
	if (!make_dir(d)) {
		tool_fail_errno("make", d->dir);
		return false;
	}
	if (pipe2(ready, O_CLOEXEC) != 0) {
		tool_fail_errno("make", "a pipe");
		forget_dir();
		return false;
	}
	snprintf(d->socket, sizeof(d->socket), "%s/sock", d->dir);
	ok = write_config(d, config, sizeof(config));
	d->pid = ok ? fork() : -1;
	if (d->pid == 0)
		child(d, program, modules, config, ready[1]);
	close(ready[1]);
	ok = d->pid > 0 && await_ready(ready[0]);
	close(ready[0]);
	if (ok) {
		/* Only now: a kcfd that was given one CPU to begin with has nobody spin. Threads to
		 * come are where the loop is. */
		if (cpu >= 0)
			speed_daemon_spread(d, cpu, cpu);
		return true;
	}
	tool_error("a private kcfd (%s) did not start", program);
	tool_hint("name the program with --kcfd; its log:");
	show_log(d);
	speed_daemon_stop(d);
	return false;
}

/* It ends by itself, unless something is very wrong. */
static void await_end(pid_t pid)
{
	const struct timespec step = {0, 5000000};

	for (int ms = 0; ms < STOP_MS; ms += 5) {
		if (waitpid(pid, NULL, WNOHANG) != 0)
			return;
		nanosleep(&step, NULL);
	}
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

void speed_daemon_stop(struct speed_daemon *d)
{
	if (d->pid > 0) {
		kill(d->pid, SIGTERM);
		await_end(d->pid);
	}
	if (dir_fd >= 0)
		forget_dir();
	memset(d, 0, sizeof(*d));
}

void speed_daemon_spread(const struct speed_daemon *d, int cpu_loop, int cpu_workers)
{
	struct dirent *entry;
	char path[64];
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%d/task", (int)d->pid);
	dir = opendir(path);
	while (dir && (entry = readdir(dir))) {
		pid_t thread = atoi(entry->d_name);

		if (thread > 0)
			speed_pin_thread(thread, thread == d->pid ? cpu_loop : cpu_workers);
	}
	if (dir)
		closedir(dir);
}

uint64_t speed_daemon_memory(const struct speed_daemon *d)
{
	char path[64], line[256];
	uint64_t total = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/status", (int)d->pid);
	f = fopen(path, "re");
	while (f && fgets(line, sizeof(line), f)) {
		unsigned long long kib;

		if (sscanf(line, "RssAnon: %llu", &kib) == 1 ||
		    sscanf(line, "RssShmem: %llu", &kib) == 1)
			total += kib * 1024;
	}
	if (f)
		fclose(f);
	return total;
}

struct kcf_client *speed_connect(const char *socket, const char *modules)
{
	struct kcf_client_options options = {.size = sizeof(options),
					     .socket = socket,
					     .label = "kcf-speed",
					     .module_dir = modules,
					     .flags = KCF_CLIENT_APP_LOOP};
	struct kcf_client *client = NULL;
	enum kcf_status status = kcf_client_open(&options, &client);

	if (status != KCF_SUCCESS)
		tool_fail(status, "connecting to the private kcfd");
	return client;
}
