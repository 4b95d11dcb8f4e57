/* SPDX-License-Identifier: Apache-2.0 */
/* adm-client - see adm-client.h. */
#include "adm-client.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "kcf-config.h"
#include "tool.h"

#define ANSWER_SECONDS 60 /* unload drains a provider first */
#define BUFFER_LEN     (FRAME_HEADER_MAX + FRAME_MESSAGE_MAX + FRAME_ADMIN_PAYLOAD_MAX)

static int connect_to(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	struct timeval patience = {.tv_sec = ANSWER_SECONDS};
	int fd;

	if (strlen(path) >= sizeof(address.sun_path)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	strcpy(address.sun_path, path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -1;
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) != 0) {
		int e = errno;

		close(fd);
		errno = e;
		return -1;
	}
	return fd;
}

static bool send_msg(struct adm_client *c, const struct wire_msg *msg)
{
	size_t len = codec_encode_frame(msg, c->next_id++, 0, 0, c->buf, BUFFER_LEN);
	size_t sent = 0;

	if (len == SIZE_MAX)
		return false;
	while (sent < len) {
		ssize_t n = send(c->fd, c->buf + sent, len - sent, MSG_NOSIGNAL);

		if (n < 0 && errno != EINTR)
			return false;
		sent += n > 0 ? (size_t)n : 0;
	}
	return true;
}

/* The table, the page and the modules come with HELLO_REPLY; this connection has no use for them.
 */
static void close_received(struct msghdr *h)
{
	for (struct cmsghdr *m = CMSG_FIRSTHDR(h); m; m = CMSG_NXTHDR(h, m)) {
		size_t n = (m->cmsg_len - CMSG_LEN(0)) / sizeof(int);

		if (m->cmsg_level != SOL_SOCKET || m->cmsg_type != SCM_RIGHTS)
			continue;
		for (size_t i = 0; i < n; i++) {
			int fd;

			memcpy(&fd, CMSG_DATA(m) + i * sizeof(int), sizeof(fd));
			close(fd);
		}
	}
}

static bool recv_full(struct adm_client *c, uint8_t *buf, size_t len)
{
	while (len) {
		char control[CMSG_SPACE(WIRE_MAX_FDS * sizeof(int))];
		struct iovec iov = {buf, len};
		struct msghdr h = {.msg_iov = &iov,
				   .msg_iovlen = 1,
				   .msg_control = control,
				   .msg_controllen = sizeof(control)};
		ssize_t n = recvmsg(c->fd, &h, MSG_CMSG_CLOEXEC);

		if (n < 0 && errno == EINTR)
			continue;
		if (n == 0)
			errno = ECONNRESET;
		if (n <= 0)
			return false;
		close_received(&h);
		buf += n;
		len -= (size_t)n;
	}
	return true;
}

/* One frame; its message in *ret, payload borrowed until the next. */
static bool recv_msg(struct adm_client *c, struct wire_msg *ret, const char **ret_payload,
		     size_t *ret_len)
{
	struct frame_header h;
	uint8_t *msg;

	errno = EPROTO;
	if (!recv_full(c, c->buf, FRAME_HEADER_LEN))
		return false;
	errno = EPROTO;
	if (frame_get(c->buf, FRAME_HEADER_LEN, FRAME_ADMIN_PAYLOAD_MAX, &h) != FRAME_OK)
		return false;
	if (!recv_full(c, c->buf + FRAME_HEADER_LEN, frame_len(&h) - FRAME_HEADER_LEN))
		return false;
	msg = c->buf + h.header_len;
	codec_reset(&c->arena);
	errno = EPROTO;
	if (!codec_decode(&c->arena, h.type, msg, h.msg_len, ret))
		return false;
	*ret_payload = (const char *)msg + h.msg_len;
	*ret_len = h.payload_len;
	return true;
}

static int say_lost(void)
{
	if (errno == EAGAIN || errno == EWOULDBLOCK)
		tool_error("kcfd did not answer within %d seconds", ANSWER_SECONDS);
	else
		tool_error("the connection to kcfd broke: %s", strerror(errno));
	tool_hint("kcfd's log says why (journalctl -u kcfd)");
	return TOOL_FAILED;
}

/* Wait for a message of this type; events in between are not for us. */
static int expect(struct adm_client *c, enum frame_type type, struct wire_msg *ret,
		  const char **ret_payload, size_t *ret_len)
{
	do {
		if (!recv_msg(c, ret, ret_payload, ret_len))
			return say_lost();
		if (ret->type == FRAME_FATAL) {
			tool_error("kcfd refused: %s", ret->fatal.text);
			return tool_exit_of(ret->fatal.status);
		}
	} while (ret->type != type);
	return TOOL_OK;
}

static int hello(struct adm_client *c)
{
	struct wire_msg msg = {.type = FRAME_HELLO};
	const char *payload;
	size_t len;

	msg.hello.version_min = FRAME_VERSION;
	msg.hello.version_max = FRAME_VERSION;
	msg.hello.label = "kcfadm";
	if (!send_msg(c, &msg))
		return say_lost();
	return expect(c, FRAME_HELLO_REPLY, &msg, &payload, &len);
}

int adm_open(struct adm_client *c, const char *path)
{
	const char *from_env = secure_getenv("KCF_SOCKET");
	int code;

	memset(c, 0, sizeof(*c));
	c->fd = -1;
	if (!path)
		path = from_env && *from_env ? from_env : KCF_SOCKET_PATH;
	c->buf = malloc(BUFFER_LEN);
	codec_init(&c->arena);
	c->next_id = 1;
	if (!c->buf)
		return tool_fail(KCF_HOST_MEMORY, "connecting to kcfd");
	c->fd = connect_to(path);
	if (c->fd >= 0) {
		code = hello(c);
		return code;
	}
	if (errno == EACCES || errno == EPERM) {
		tool_error("kcfd's socket %s: %s", path, strerror(errno));
		tool_hint("kcfadm is for root and for kcfd's own user");
		return TOOL_DENIED;
	}
	tool_error("kcfd is not running: cannot connect to %s: %s", path, strerror(errno));
	tool_hint(
		"start it (systemctl start kcfd), or name its socket with --socket or KCF_SOCKET");
	return TOOL_NO_DAEMON;
}

void adm_close(struct adm_client *c)
{
	if (c->fd >= 0)
		close(c->fd);
	codec_deinit(&c->arena);
	free(c->buf);
}

static int say_refused(const struct wire_msg *msg, const char *command)
{
	const char *error = msg->admin_reply.error;

	if (error && *error)
		tool_error("%s: %s", command, error);
	else
		return tool_fail(msg->admin_reply.status, "%s", command);
	if (msg->admin_reply.status == KCF_PERMISSION_DENIED)
		tool_hint("kcfadm is for root and for kcfd's own user");
	return msg->admin_reply.status == KCF_ARGUMENTS_BAD ? TOOL_USAGE
							    : tool_exit_of(msg->admin_reply.status);
}

int adm_ask(struct adm_client *c, const char *command, const char *const *args, unsigned n_args,
	    json_t **ret)
{
	struct wire_msg msg = {.type = FRAME_ADMIN};
	const char *payload;
	json_error_t error;
	size_t len;
	int code;

	*ret = NULL;
	if (n_args > WIRE_ADMIN_ARGS) {
		tool_error("%s: more than %u words", command, WIRE_ADMIN_ARGS);
		return TOOL_USAGE;
	}
	msg.admin.command = command;
	for (unsigned i = 0; i < n_args; i++)
		msg.admin.args[i] = args[i];
	msg.admin.n_args = n_args;
	if (!send_msg(c, &msg))
		return say_lost();
	code = expect(c, FRAME_ADMIN_REPLY, &msg, &payload, &len);
	if (code != TOOL_OK)
		return code;
	if (msg.admin_reply.status != KCF_SUCCESS)
		return say_refused(&msg, command);
	*ret = len ? json_loadb(payload, len, 0, &error) : json_object();
	if (*ret)
		return TOOL_OK;
	tool_error("%s: kcfd's answer is not JSON: %s", command, error.text);
	return TOOL_FAILED;
}
