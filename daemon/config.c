/* SPDX-License-Identifier: Apache-2.0 */
/* Reading: the file, its lines, its sections. What the values of a key mean is in config-key.c. */
#include "config-private.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <ini.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/near.h"

static const char *const sections[] = {"limits", "modules", "socket", "key", NULL};
static const char *const modules_names[] = {"start", NULL};
static const char *const socket_names[] = {"mode", "group", "overflow-uid", NULL};

void config_init(struct config *c)
{
	memset(c, 0, sizeof(*c));
	limits_init(&c->limits);
	c->socket_mode = 0666;
	c->socket_group = (gid_t)-1;
}

void config_deinit(struct config *c)
{
	free(c->keys);
	c->keys = NULL;
	c->n_keys = 0;
}

bool config_fail(struct config_parser *p, const char *fmt, ...)
{
	va_list args;
	int n;

	if (p->failed)
		return false;
	p->failed = true;
	n = snprintf(p->err, p->err_len, "%s:%d: ", p->name, p->line);
	if (n < 0 || (size_t)n >= p->err_len)
		return false;
	va_start(args, fmt);
	vsnprintf(p->err + n, p->err_len - (size_t)n, fmt, args);
	va_end(args);
	return false;
}

const char *config_nearest(const char *name, const char *const *names)
{
	struct near near;

	near_init(&near, name);
	for (; *names; names++)
		near_look(&near, *names);
	return near.best;
}

bool config_unknown(struct config_parser *p, const char *what, const char *name, const char *near)
{
	if (near)
		return config_fail(p, "unknown %s \"%s\"; did you mean \"%s\"?", what, name, near);
	return config_fail(p, "unknown %s \"%s\"", what, name);
}

bool config_bool(struct config_parser *p, const char *value, bool *ret)
{
	if (!strcmp(value, "yes") || !strcmp(value, "true") || !strcmp(value, "on"))
		*ret = true;
	else if (!strcmp(value, "no") || !strcmp(value, "false") || !strcmp(value, "off"))
		*ret = false;
	else
		return config_fail(p, "\"%s\" is neither yes nor no", value);
	return true;
}

bool config_number(const char *text, uint64_t *ret)
{
	static const char suffixes[] = "KMG";
	const char *suffix;
	uint64_t n;
	char *end;

	if (text[0] < '0' || text[0] > '9')
		return false;
	errno = 0;
	n = strtoull(text, &end, 10);
	if (errno)
		return false;
	if (*end && (suffix = strchr(suffixes, *end))) {
		unsigned shift = 10 * (unsigned)(suffix - suffixes + 1);

		if (n > UINT64_MAX >> shift)
			return false;
		n <<= shift;
		end++;
	}
	if (*end)
		return false;
	*ret = n;
	return true;
}

/* Named once in one file. */
static bool once(struct config_parser *p, const char *name)
{
	char full[160];

	snprintf(full, sizeof(full), "%s\n%s", p->section, name);
	for (unsigned i = 0; i < p->n_seen; i++) {
		if (!strcmp(p->seen[i], full))
			return config_fail(p, "\"%s\" is given twice in [%s]", name, p->section);
	}
	char **seen = reallocarray(p->seen, p->n_seen + 1, sizeof(*seen));
	if (!seen)
		return config_fail(p, "out of memory");
	p->seen = seen;
	p->seen[p->n_seen] = strdup(full);
	if (!p->seen[p->n_seen])
		return config_fail(p, "out of memory");
	p->n_seen++;
	return true;
}

static bool on_limit(struct config_parser *p, const char *name, const char *value)
{
	const struct limits_row *row;
	const char *near = NULL;
	uint64_t n;
	int r;

	if (!config_number(value, &n))
		return config_fail(p, "\"%s\" is no number (digits, then K, M or G if wanted)",
				   value);
	r = limits_set(&p->config->limits, name, n, &near);
	if (r == -ENOENT)
		return config_unknown(p, "limit", name, near);
	if (r == 0)
		return true;
	for (row = limits_rows(); row->name && strcmp(row->name, name); row++)
		;
	return config_fail(p, "%s = %s is out of range; possible are %llu to %llu", name, value,
			   row->name ? (unsigned long long)row->min : 0,
			   row->name ? (unsigned long long)row->max : 0);
}

static bool on_socket(struct config_parser *p, const char *name, const char *value)
{
	struct config *c = p->config;
	struct group *g;
	char *end;

	if (!strcmp(name, "mode")) {
		unsigned long mode = strtoul(value, &end, 8);

		if (!*value || *end || mode > 0777 || !(mode & 0600))
			return config_fail(p, "\"%s\" is no file mode such as 0660", value);
		c->socket_mode = (mode_t)mode;
		return true;
	}
	if (!strcmp(name, "group")) {
		g = getgrnam(value);
		if (!g)
			return config_fail(p, "there is no group \"%s\"", value);
		c->socket_group = g->gr_gid;
		return true;
	}
	if (!strcmp(name, "overflow-uid"))
		return config_bool(p, value, &c->overflow_uid);
	return config_unknown(p, "name", name, config_nearest(name, socket_names));
}

static bool is_module_name(const char *name)
{
	return strlen(name) < 32 &&
	       strspn(name, "abcdefghijklmnopqrstuvwxyz"
			    "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-") == strlen(name);
}

static bool on_modules(struct config_parser *p, const char *name, const char *value)
{
	struct config *c = p->config;
	char text[CONFIG_MODULES * KCF_NAME_MAX], *rest = text, *word;
	unsigned n = 0;

	if (strcmp(name, "start") != 0)
		return config_unknown(p, "name", name, config_nearest(name, modules_names));
	snprintf(text, sizeof(text), "%s", value);
	while ((word = strtok_r(rest, " \t,", &rest))) {
		if (!is_module_name(word))
			return config_fail(p, "\"%s\" is no module name (letters, digits, -)",
					   word);
		if (n == CONFIG_MODULES)
			return config_fail(p, "at most %d modules are loaded at start",
					   CONFIG_MODULES);
		snprintf(c->module[n], sizeof(c->module[n]), "%s", word);
		c->modules[n] = c->module[n];
		n++;
	}
	return n || config_fail(p, "start needs a module name, such as openssl");
}

static bool on_section(struct config_parser *p, const char *section)
{
	snprintf(p->section, sizeof(p->section), "%s", section);
	p->key = NULL;
	if (!strcmp(section, "limits") || !strcmp(section, "modules") || !strcmp(section, "socket"))
		return true;
	if (!strncmp(section, "key ", 4))
		return config_key_begin(p, section + 4);
	if (!strcmp(section, "key"))
		return config_fail(p, "a key's section is [key NAME]");
	return config_unknown(p, "section", section, config_nearest(section, sections));
}

static int on_value(void *arg, const char *section, const char *name, const char *value)
{
	struct config_parser *p = arg;

	if (p->failed)
		return 0;
	if (!*section)
		return config_fail(p, "\"%s\" is in no section", name);
	if (strcmp(section, p->section) && !on_section(p, section))
		return 0;
	if (!once(p, name))
		return 0;
	if (p->key)
		return config_key_value(p, name, value);
	if (!strcmp(section, "limits"))
		return on_limit(p, name, value);
	if (!strcmp(section, "modules"))
		return on_modules(p, name, value);
	return on_socket(p, name, value);
}

/* Sections are noticed here, because the parser is silent about one that has no names in it. */
static bool see_section(struct config_parser *p, const char *line)
{
	char section[sizeof(p->section)];
	const char *end = strchr(line, ']');

	if (line[0] != '[')
		return true;
	if (!end || (size_t)(end - line) > sizeof(section))
		return config_fail(
			p,
			"not understood; a section is [limits], [modules], [socket] or [key NAME]");
	memcpy(section, line + 1, (size_t)(end - line) - 1);
	section[end - line - 1] = 0;
	if (p->key && !config_key_end(p))
		return false;
	return on_section(p, section);
}

/* As fgets, for the parser: counts lines and never splits one. */
static char *next_line(char *to, int room, void *arg)
{
	struct config_parser *p = arg;
	const char *end = strchrnul(p->next, '\n');
	size_t len = (size_t)(end - p->next);

	if (p->failed || !*p->next)
		return NULL;
	p->line++;
	if (len + 2 > (size_t)room) {
		config_fail(p, "the line has more than %d bytes", room - 2);
		return NULL;
	}
	memcpy(to, p->next, len);
	to[len] = 0;
	p->next = *end ? end + 1 : end;
	return see_section(p, to) ? to : NULL;
}

bool config_parse(struct config *c, const char *text, const char *name, const char *dir, char *err,
		  size_t err_len)
{
	struct config_parser p = {.config = c,
				  .name = name,
				  .dir = dir,
				  .next = text,
				  .err = err,
				  .err_len = err_len};
	int bad = ini_parse_stream(next_line, &p, on_value, &p);

	if (!p.failed && bad) {
		p.line = bad;
		config_fail(&p, "not understood; expected [section], name = value, or a comment");
	}
	if (!p.failed && p.key)
		config_key_end(&p);
	for (unsigned i = 0; i < p.n_seen; i++)
		free(p.seen[i]);
	free(p.seen);
	return !p.failed;
}

bool config_check_limits(const struct limits *l, char *err, size_t err_len)
{
	if (l->connections * 8 > l->software_queue / 2) {
		snprintf(err, err_len,
			 "connections = %llu needs software_queue = %llu or more (8 credits for "
			 "each "
			 "connection, at most half the queue)",
			 (unsigned long long)l->connections,
			 (unsigned long long)l->connections * 16);
		return false;
	}
	if (l->workers_max && l->workers_min > l->workers_max) {
		snprintf(err, err_len, "workers_min = %llu is more than workers_max = %llu",
			 (unsigned long long)l->workers_min, (unsigned long long)l->workers_max);
		return false;
	}
	return true;
}

static char *read_all(int fd, size_t len)
{
	char *text = calloc(1, len + 1);
	size_t got = 0;

	while (text && got < len) {
		ssize_t n = read(fd, text + got, len - got);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		got += (size_t)n;
	}
	return text;
}

/* The open file, or -1. */
static int open_safe(const char *path, struct stat *st, char *err, size_t err_len)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

	if (fd < 0 || fstat(fd, st) < 0) {
		snprintf(err, err_len, "%s: %s", path, strerror(errno));
	} else if (!S_ISREG(st->st_mode)) {
		snprintf(err, err_len, "%s: not a regular file", path);
	} else if ((st->st_uid != 0 && st->st_uid != geteuid()) || (st->st_mode & 022)) {
		snprintf(err, err_len,
			 "%s: refused, because others could have written it; its owner must be "
			 "root or uid "
			 "%u and its mode without write for group and others",
			 path, (unsigned)geteuid());
	} else if (st->st_size > CONFIG_MAX_LEN) {
		snprintf(err, err_len, "%s: larger than %d bytes", path, CONFIG_MAX_LEN);
	} else {
		return fd;
	}
	if (fd >= 0)
		close(fd);
	return -1;
}

bool config_read(struct config *c, const char *path, char *err, size_t err_len)
{
	char dir[1024];
	struct stat st;
	char *text, *slash;
	bool ok = false;
	int fd = open_safe(path, &st, err, err_len);

	if (fd < 0)
		return false;
	snprintf(dir, sizeof(dir), "%s", path);
	slash = strrchr(dir, '/');
	if (slash)
		*slash = 0;
	else
		strcpy(dir, ".");
	text = read_all(fd, (size_t)st.st_size);
	close(fd);
	if (!text)
		snprintf(err, err_len, "%s: out of memory", path);
	else
		ok = config_parse(c, text, path, dir, err, err_len);
	free(text);
	return ok;
}
