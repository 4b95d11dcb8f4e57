/* SPDX-License-Identifier: Apache-2.0 */
#include "log.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define N_RATES 64

static enum kcf_log_level max_level = KCF_LOG_INFO;
static int log_fd = STDERR_FILENO;
static struct log_rate rates[N_RATES];

struct line {
	char text[LOG_LINE_MAX];
	size_t len;
};

void log_set_level(enum kcf_log_level level)
{
	__atomic_store_n(&max_level, level, __ATOMIC_RELAXED);
}

void log_set_fd(int fd)
{
	log_fd = fd;
}

/* One byte is kept for the line feed. */
static void vappend(struct line *l, const char *fmt, va_list args)
{
	size_t room = sizeof(l->text) - 1 - l->len;
	int n = vsnprintf(l->text + l->len, room, fmt, args);

	if (n > 0)
		l->len += (size_t)n < room ? (size_t)n : room - 1;
}

static __attribute__((format(printf, 2, 3))) void append(struct line *l, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vappend(l, fmt, args);
	va_end(args);
}

static void append_about(struct line *l, const struct log_about *a)
{
	if (a->has_uid)
		append(l, " uid=%u", (unsigned)a->uid);
	if (a->connection)
		append(l, " connection=%llu", (unsigned long long)a->connection);
	if (a->request)
		append(l, " request=%llu", (unsigned long long)a->request);
	if (a->provider)
		append(l, " provider=%s", a->provider);
	if (a->mechanism)
		append(l, " mechanism=%s", a->mechanism);
}

static void clean(struct line *l)
{
	for (size_t i = 0; i < l->len; i++) {
		unsigned char ch = (unsigned char)l->text[i];

		if (ch < 0x20 || ch == 0x7f)
			l->text[i] = '?';
	}
}

static void vlog(enum kcf_log_level level, const struct log_about *about, const char *fmt,
		 va_list args)
{
	struct line l = {.len = 0};

	if (level > __atomic_load_n(&max_level, __ATOMIC_RELAXED))
		return;
	append(&l, "<%d>", (int)level);
	vappend(&l, fmt, args);
	if (about)
		append_about(&l, about);
	clean(&l);
	l.text[l.len++] = '\n';
	/* Nobody to tell if the log itself cannot be written. */
	if (write(log_fd, l.text, l.len) < 0)
		return;
}

void log_line(enum kcf_log_level level, const struct log_about *about, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vlog(level, about, fmt, args);
	va_end(args);
}

bool log_rate_take(struct log_rate *rate, uint64_t now_ms)
{
	uint64_t back = (now_ms - rate->last_ms) * LOG_PER_SECOND;

	rate->last_ms = now_ms;
	rate->used = back < rate->used ? rate->used - (uint32_t)back : 0;
	if (rate->used + 1000 > LOG_BURST * 1000) {
		if (rate->left_out < UINT32_MAX)
			rate->left_out++;
		return false;
	}
	rate->used += 1000;
	return true;
}

static uint64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

void log_client(enum kcf_log_level level, const struct log_about *about, const char *fmt, ...)
{
	struct log_rate *rate = &rates[about->uid % N_RATES];
	va_list args;

	if (!log_rate_take(rate, now_ms()))
		return;
	if (rate->left_out) {
		log_line(KCF_LOG_WARNING, &(struct log_about){.uid = about->uid, .has_uid = true},
			 "left out %u lines this user caused", rate->left_out);
		rate->left_out = 0;
	}
	va_start(args, fmt);
	vlog(level, about, fmt, args);
	va_end(args);
}
