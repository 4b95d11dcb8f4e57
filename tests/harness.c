/* SPDX-License-Identifier: Apache-2.0 */
/* harness: the daemon as a child process. */
#include "harness.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define MAX_ARGS 48

static const char *kcfd_path(void)
{
	const char *path = getenv("KCF_TEST_KCFD");

	return path ? path : TEST_KCFD;
}

static const char *module_dir(void)
{
	const char *dir = getenv("KCF_TEST_MODULES");

	return dir ? dir : TEST_MODULE_DIR;
}

/* In the child: only what is async-signal-safe. */
static void child_exec(char *const argv[], int out_fd, int keep_fd)
{
	sigset_t none;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (dup2(out_fd, STDOUT_FILENO) < 0 || dup2(out_fd, STDERR_FILENO) < 0)
		_exit(126);
	if (keep_fd >= 0)
		fcntl(keep_fd, F_SETFD, 0);
	execv(argv[0], argv);
	_exit(127);
}

static void append_args(char **argv, unsigned *n, const char *const *args)
{
	for (; args && *args; args++) {
		ck_assert_uint_lt(*n, MAX_ARGS - 1);
		argv[(*n)++] = (char *)*args;
	}
}

char *harness_kcfd_log(const struct harness_kcfd *h)
{
	FILE *in = fopen(h->log, "re");
	char *text = calloc(1, 65536);

	ck_assert_ptr_nonnull(text);
	if (!in)
		return text;
	if (fread(text, 1, 65535, in) == 0)
		text[0] = 0;
	fclose(in);
	return text;
}

static void wait_ready(struct harness_kcfd *h, int ready)
{
	struct pollfd p = {.fd = ready, .events = POLLIN};
	char byte;

	if (poll(&p, 1, HARNESS_PATIENCE_MS) == 1 && read(ready, &byte, 1) == 1)
		return;
	char *text = harness_kcfd_log(h);
	kill(h->pid, SIGKILL);
	waitpid(h->pid, NULL, 0);
	h->pid = 0;
	ck_abort_msg("kcfd does not come up:\n%s", text);
}

static void spawn(struct harness_kcfd *h, const char *const extra_args[])
{
	char ready_text[16], config[96];
	const char *const args[] = {kcfd_path(),  "--foreground", "--socket",
				    h->socket,    "--modules",    module_dir(),
				    "--ready-fd", ready_text,     "--set",
				    "measure=0",  NULL};
	char *argv[MAX_ARGS] = {NULL};
	unsigned n = 0;
	int ready[2], log;

	append_args(argv, &n, args);
	snprintf(config, sizeof(config), "%s/kcfd.conf", h->dir);
	if (access(config, F_OK) == 0)
		append_args(argv, &n, (const char *const[]){"--config", config, NULL});
	append_args(argv, &n, extra_args);
	log = open(h->log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	ck_assert_int_ge(log, 0);
	ck_assert_int_eq(pipe2(ready, O_CLOEXEC), 0);
	snprintf(ready_text, sizeof(ready_text), "%d", ready[1]);
	h->pid = fork();
	ck_assert_int_ge(h->pid, 0);
	if (h->pid == 0)
		child_exec(argv, log, ready[1]);
	close(log);
	close(ready[1]);
	wait_ready(h, ready[0]);
	close(ready[0]);
}

void harness_dir(const char *prefix, char dir[static HARNESS_DIR_LEN])
{
	const char *top = getenv("KCF_TEST_TMP");
	int n = snprintf(dir, HARNESS_DIR_LEN, "%s/%s-XXXXXX", top ? top : "/tmp", prefix);

	ck_assert_int_lt(n, HARNESS_DIR_LEN);
	ck_assert_ptr_nonnull(mkdtemp(dir));
}

static void make_dir(struct harness_kcfd *h)
{
	memset(h, 0, sizeof(*h));
	harness_dir("kcf", h->dir);
	snprintf(h->socket, sizeof(h->socket), "%s/kcfd.sock", h->dir);
	snprintf(h->log, sizeof(h->log), "%s/log", h->dir);
}

void harness_kcfd_start(struct harness_kcfd *h, const char *const extra_args[])
{
	make_dir(h);
	spawn(h, extra_args);
}

void harness_kcfd_start_config(struct harness_kcfd *h, const char *config,
			       const char *const extra_args[])
{
	char path[128];

	make_dir(h);
	harness_file(h, "kcfd.conf", config, strlen(config), path);
	spawn(h, extra_args);
}

void harness_kcfd_restart(struct harness_kcfd *h, const char *const extra_args[])
{
	ck_assert_int_eq(h->pid, 0);
	spawn(h, extra_args);
}

void harness_file(const struct harness_kcfd *h, const char *name, const void *bytes, size_t len,
		  char path[static 128])
{
	int fd;

	snprintf(path, 128, "%s/%s", h->dir, name);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, bytes, len), (ssize_t)len);
	close(fd);
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	return remove(path);
}

/* Wait for the end; after HARNESS_PATIENCE_MS end it. */
static int reap(struct harness_kcfd *h)
{
	int pidfd = (int)syscall(SYS_pidfd_open, h->pid, 0), status = 0;
	struct pollfd p = {.fd = pidfd, .events = POLLIN};
	bool late = pidfd < 0 || poll(&p, 1, HARNESS_PATIENCE_MS) != 1;

	if (late)
		kill(h->pid, SIGKILL);
	waitpid(h->pid, &status, 0);
	if (pidfd >= 0)
		close(pidfd);
	h->pid = 0;
	return status;
}

int harness_kcfd_stop(struct harness_kcfd *h)
{
	int status = 0;

	if (h->pid > 0) {
		kill(h->pid, SIGTERM);
		status = reap(h);
	}
	if (h->dir[0])
		nftw(h->dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
	h->dir[0] = 0;
	return status;
}

void harness_kcfd_kill(struct harness_kcfd *h)
{
	if (h->pid <= 0)
		return;
	kill(h->pid, SIGKILL);
	reap(h);
}

bool harness_kcfd_alive(const struct harness_kcfd *h)
{
	siginfo_t info = {0};

	if (h->pid <= 0)
		return false;
	return waitid(P_PID, (id_t)h->pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0 &&
	       info.si_pid == 0;
}

int harness_kcfd_run(const char *const args[], char **ret_text)
{
	char *argv[MAX_ARGS] = {(char *)kcfd_path()};
	struct harness_kcfd h;
	unsigned n = 1;
	int log, status;

	make_dir(&h);
	append_args(argv, &n, args);
	log = open(h.log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	ck_assert_int_ge(log, 0);
	h.pid = fork();
	ck_assert_int_ge(h.pid, 0);
	if (h.pid == 0)
		child_exec(argv, log, -1);
	close(log);
	status = reap(&h);
	*ret_text = harness_kcfd_log(&h);
	harness_kcfd_stop(&h);
	ck_assert_msg(WIFEXITED(status), "kcfd ended with wait status %d: %s", status, *ret_text);
	return WEXITSTATUS(status);
}
