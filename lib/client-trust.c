/* SPDX-License-Identifier: Apache-2.0 */
/*
 * client-trust - may code that comes from the peer of this socket run in this process?
 *
 * Yes if the peer is root, this very user (not in a set-id program), or the user that the
 * administrator named in CLIENT_CONF: lines "kcfd_user = NAME" or "kcfd_user = NUMBER", '#' begins
 * a comment. The file counts only if it is root's and nobody else can write it. Any thread.
 */
#include "client-core.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define CLIENT_CONF "/etc/kcf/client.conf"
#define CONF_KEY    "kcfd_user"

static bool user_is(const char *name, uid_t uid)
{
	char buf[4096], *end;
	struct passwd pw, *found = NULL;
	unsigned long number;

	errno = 0;
	number = strtoul(name, &end, 10);
	if (*end == '\0' && errno == 0)
		return number == uid;
	if (getpwnam_r(name, &pw, buf, sizeof(buf), &found) != 0 || !found)
		return false;
	return pw.pw_uid == uid;
}

static char *trim(char *s)
{
	size_t len;

	while (isspace((unsigned char)*s))
		s++;
	len = strcspn(s, "#\n");
	while (len && isspace((unsigned char)s[len - 1]))
		len--;
	s[len] = '\0';
	return s;
}

static bool line_names(char *line, uid_t uid)
{
	char *key = trim(line), *value = strchr(key, '=');

	if (!value)
		return false;
	*value++ = '\0';
	value = trim(value);
	return strcmp(trim(key), CONF_KEY) == 0 && *value && user_is(value, uid);
}

static bool conf_names(uid_t uid)
{
	int fd = open(CLIENT_CONF, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	struct stat st;
	char line[512];
	bool ret = false;
	FILE *f;

	if (fd < 0)
		return false;
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_uid != 0 ||
	    (st.st_mode & (S_IWGRP | S_IWOTH)) || !(f = fdopen(fd, "re"))) {
		close(fd);
		return false;
	}
	while (!ret && fgets(line, sizeof(line), f))
		ret = line_names(line, uid);
	fclose(f);
	return ret;
}

bool client_peer_trusted(int fd)
{
	struct ucred cred;
	socklen_t len = sizeof(cred);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) < 0)
		return false;
	if (cred.uid == 0)
		return true;
	if (cred.uid == geteuid() && !getauxval(AT_SECURE))
		return true;
	return conf_names(cred.uid);
}
