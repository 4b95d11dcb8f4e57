/* SPDX-License-Identifier: Apache-2.0 */
#include "api/listener.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include "api/api.h"
#include "api/conn.h"

#define BACKLOG          512
#define ACCEPTS_PER_TURN 64
/* Connections beyond the limit for the administrator, so that a flood cannot lock kcfadm out. */
#define ADMIN_RESERVE 8
#define OVERFLOW_UID  65534u

void listener_init(struct listener *l, struct api *a)
{
	memset(l, 0, sizeof(*l));
	l->api = a;
	l->fd = l->lock_fd = l->spare_fd = -1;
}

/* ---- who may come in ---- */

/* The overflow uid stands for every user that has no number here: nobody in particular. Read once.
 */
static uid_t overflow_uid(void)
{
	static unsigned uid;
	FILE *in;

	if (uid)
		return uid;
	in = fopen("/proc/sys/kernel/overflowuid", "re");
	if (!in || fscanf(in, "%u", &uid) != 1 || uid == 0)
		uid = OVERFLOW_UID;
	if (in)
		fclose(in);
	return uid;
}

static enum kcf_status admit(struct api *a, const struct ucred *who, struct consumer **ret)
{
	bool admin = who->uid == 0 || who->uid == a->own_uid;
	uint64_t most = core_limits(a->core)->connections + (admin ? ADMIN_RESERVE : 0);
	enum kcf_status status;

	if (a->stopping)
		return KCF_NO_DAEMON;
	if (who->uid == overflow_uid() && !a->overflow_uid)
		return KCF_PERMISSION_DENIED;
	if (a->n_conns >= most)
		return KCF_QUOTA_EXCEEDED;
	*ret = consumer_get(a->core, who->uid, who->gid);
	if (!*ret)
		return KCF_HOST_MEMORY;
	status = consumer_charge(*ret, CHARGE_CONNECTION, 1);
	if (status != KCF_SUCCESS)
		consumer_put(*ret);
	return status;
}

/* Say why and close; the socket's buffer is empty, so one try is enough. */
static void refuse(int fd, const struct ucred *who, enum kcf_status status)
{
	struct wire_msg msg = {.type = FRAME_FATAL};
	struct log_about about = {.uid = who->uid, .has_uid = true};
	uint8_t buf[256];
	size_t n;

	msg.fatal.status = status;
	msg.fatal.text = status == KCF_QUOTA_EXCEEDED ? "too many connections"
						      : "not served; see kcfd's log";
	n = codec_encode_frame(&msg, 0, 0, 0, buf, sizeof(buf));
	if (n != SIZE_MAX && send(fd, buf, n, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
		log_client(KCF_LOG_DEBUG, &about, "refusal could not be sent: %s", strerror(errno));
	close(fd);
	log_client(KCF_LOG_WARNING, &about, "connection refused: %s",
		   status == KCF_QUOTA_EXCEEDED ? "connection limit reached"
		   : status == KCF_PERMISSION_DENIED
			   ? "overflow uid is not served ([socket] overflow-uid)"
			   : "no resources");
}

static void on_accepted(struct api *a, int fd)
{
	struct consumer *consumer = NULL;
	struct ucred who;
	socklen_t len = sizeof(who);
	enum kcf_status status;

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &len) < 0) {
		close(fd);
		return;
	}
	status = admit(a, &who, &consumer);
	if (status != KCF_SUCCESS) {
		refuse(fd, &who, status);
		return;
	}
	if (!conn_new(a, fd, who.uid, who.gid, consumer)) {
		consumer_uncharge(consumer, CHARGE_CONNECTION, 1);
		consumer_put(consumer);
		log_error("no memory for a connection; it is closed");
	}
}

/* No descriptors left: use the one in reserve to take a connection off the queue and close it. */
static void refuse_for_descriptors(struct listener *l)
{
	int fd;

	close(l->spare_fd);
	fd = accept4(l->fd, NULL, NULL, SOCK_CLOEXEC);
	if (fd >= 0)
		close(fd);
	l->spare_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	log_client(KCF_LOG_ERROR, &(struct log_about){0},
		   "out of file descriptors, a connection was closed; raise LimitNOFILE");
}

static void on_readable(uv_poll_t *poll, int status, int events)
{
	struct listener *l = poll->data;

	for (int i = 0; i < ACCEPTS_PER_TURN && l->fd >= 0; i++) {
		int fd = accept4(l->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

		if (fd >= 0) {
			on_accepted(l->api, fd);
		} else if (errno == EMFILE || errno == ENFILE) {
			refuse_for_descriptors(l);
			return;
		} else if (errno != ECONNABORTED && errno != EINTR) {
			return;
		}
	}
}

/* ---- the socket file ---- */

static int fail(const struct listener *l, const char *what)
{
	int err = errno;

	log_error("socket %s: %s: %s", l->path, what, strerror(err));
	return -err;
}

static int take_lock(struct listener *l)
{
	char path[sizeof(l->path) + 8];

	snprintf(path, sizeof(path), "%s.lock", l->path);
	l->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (l->lock_fd < 0 && errno == ENOENT)
		return fail(l, "its folder is not there; make it, or name another with --socket");
	if (l->lock_fd < 0)
		return fail(l, "the lock file beside it cannot be opened");
	if (flock(l->lock_fd, LOCK_EX | LOCK_NB) < 0) {
		if (errno != EWOULDBLOCK)
			return fail(l, "the lock file beside it cannot be locked");
		log_error("socket %s: another kcfd serves it", l->path);
		return -EADDRINUSE;
	}
	return 0;
}

/* We hold the lock, so a socket that is there was left over. */
static int remove_stale(struct listener *l)
{
	struct stat st;

	if (lstat(l->path, &st) < 0)
		return errno == ENOENT ? 0 : fail(l, "lstat");
	if (!S_ISSOCK(st.st_mode)) {
		log_error("socket %s: something that is no socket is there; it is left alone",
			  l->path);
		return -EEXIST;
	}
	return unlink(l->path) < 0 ? fail(l, "a stale socket cannot be removed") : 0;
}

static int make_socket(struct listener *l, const struct listener_config *config)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	struct stat st;
	mode_t mask;
	int r;

	memcpy(addr.sun_path, l->path, sizeof(addr.sun_path));
	l->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (l->fd < 0)
		return fail(l, "socket");
	/* Nobody else until mode and group are as configured. */
	mask = umask(0177);
	r = bind(l->fd, (struct sockaddr *)&addr, sizeof(addr));
	umask(mask);
	if (r < 0)
		return fail(l, "bind");
	if (lstat(l->path, &st) < 0)
		return fail(l, "lstat");
	l->inode = st.st_ino;
	if (config->group != (gid_t)-1 && lchown(l->path, (uid_t)-1, config->group) < 0)
		return fail(l, "its group cannot be set");
	if (chmod(l->path, config->mode) < 0)
		return fail(l, "its mode cannot be set");
	return listen(l->fd, BACKLOG) < 0 ? fail(l, "listen") : 0;
}

int listener_open(struct listener *l, const struct listener_config *config)
{
	int r;

	if (strlen(config->path) >= sizeof(l->path)) {
		log_error("socket %s: its path may have at most %zu bytes", config->path,
			  sizeof(l->path) - 1);
		return -ENAMETOOLONG;
	}
	memset(l->path, 0, sizeof(l->path));
	strcpy(l->path, config->path);
	r = take_lock(l);
	if (r == 0)
		r = remove_stale(l);
	if (r == 0)
		r = make_socket(l, config);
	if (r == 0) {
		l->spare_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
		r = uv_poll_init(l->api->loop, &l->poll, l->fd);
	}
	if (r == 0) {
		l->poll.data = l;
		r = uv_poll_start(&l->poll, UV_READABLE, on_readable);
		assert(r == 0);
		return 0;
	}
	if (l->fd >= 0)
		close(l->fd);
	l->fd = -1;
	listener_close(l);
	return r;
}

void listener_close(struct listener *l)
{
	struct stat st;

	if (l->fd >= 0) {
		uv_poll_stop(&l->poll);
		uv_close((uv_handle_t *)&l->poll, NULL);
		close(l->fd);
	}
	if (l->inode && lstat(l->path, &st) == 0 && st.st_ino == l->inode)
		unlink(l->path);
	if (l->lock_fd >= 0)
		close(l->lock_fd);
	if (l->spare_fd >= 0)
		close(l->spare_fd);
	l->fd = l->lock_fd = l->spare_fd = -1;
	l->inode = 0;
}
