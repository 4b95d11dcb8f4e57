/* SPDX-License-Identifier: Apache-2.0 */
/* private-kcfd: see private-kcfd.h. */
#include "private-kcfd.h"
#include "vector.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define READY_MS 30000

static char dir[] = "/tmp/kcf-conf-XXXXXX", socket_path[64], log_path[64];
static pid_t pid;

static const char *from_env(const char *name, const char *fallback)
{
	const char *value = getenv(name);

	return value ? value : fallback;
}

static void stop(void)
{
	char lock[80];

	if (pid > 0) {
		kill(pid, SIGTERM);
		waitpid(pid, NULL, 0);
	}
	snprintf(lock, sizeof(lock), "%s.lock", socket_path);
	unlink(lock);
	unlink(socket_path);
	unlink(log_path);
	rmdir(dir);
}

static _Noreturn void run_child(int ready, int log)
{
	char ready_text[16];
	const char *argv[] = {from_env("KCF_TEST_KCFD", TEST_KCFD),
			      "--foreground",
			      "--socket",
			      socket_path,
			      "--modules",
			      from_env("KCF_TEST_MODULES", TEST_MODULE_DIR),
			      "--ready-fd",
			      ready_text,
			      NULL};

	snprintf(ready_text, sizeof(ready_text), "%d", ready);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	dup2(log, STDOUT_FILENO);
	dup2(log, STDERR_FILENO);
	execv(argv[0], (char **)argv);
	_exit(127);
}

static _Noreturn void complain(void)
{
	char text[1024] = "";
	int fd = open(log_path, O_RDONLY | O_CLOEXEC);

	if (fd < 0 || read(fd, text, sizeof(text) - 1) < 0)
		text[0] = '\0';
	die("kcfd does not come up: %s", text);
}

/* A provider of mechanisms that others offer too is loaded by name, not on demand. False: it does not load. */
static bool load_module(const char *name)
{
	const char *argv[] = {
		TEST_BUILD_DIR "/cli/kcfadm", "load", name, "--socket", socket_path, NULL};
	posix_spawn_file_actions_t quiet;
	int status;
	pid_t child;

	posix_spawn_file_actions_init(&quiet);
	posix_spawn_file_actions_addopen(&quiet, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
	errno = posix_spawn(&child, argv[0], &quiet, NULL, (char **)argv, environ);
	posix_spawn_file_actions_destroy(&quiet);
	if (errno != 0 || waitpid(child, &status, 0) != child)
		die("%s: %s", argv[0], strerror(errno));
	return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

const char *private_kcfd_start(void)
{
	struct pollfd p = {.events = POLLIN};
	int ready[2], log;
	char byte;

	if (!mkdtemp(dir))
		die("%s: %s", dir, strerror(errno));
	snprintf(socket_path, sizeof(socket_path), "%s/sock", dir);
	snprintf(log_path, sizeof(log_path), "%s/log", dir);
	atexit(stop);
	log = open(log_path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	if (log < 0 || pipe(ready) < 0)
		die("%s: %s", log_path, strerror(errno));
	pid = fork();
	if (pid < 0)
		die("fork: %s", strerror(errno));
	if (pid == 0)
		run_child(ready[1], log);
	close(log);
	close(ready[1]);
	p.fd = ready[0];
	if (poll(&p, 1, READY_MS) != 1 || read(ready[0], &byte, 1) != 1)
		complain();
	close(ready[0]);
	if (access(TEST_MODULE_DIR "/kcf-nettle.so", F_OK) == 0 && !load_module("nettle"))
		die("nettle does not load");
	/* which needs a CPU that can: whoever counts providers knows */
	if (access(TEST_MODULE_DIR "/kcf-multibuffer.so", F_OK) == 0)
		load_module("multibuffer");
	return socket_path;
}
