/* SPDX-License-Identifier: Apache-2.0 */
/*
 * log - one line a message to standard error, with the <N> prefix that the journal reads as its
 * priority.
 *
 *   <4>connection closed: a frame is not completed in time uid=1000 connection=17
 *
 * Fields come as a structure, so that a line can be searched by them; control characters are
 * replaced, because names and labels are clients'. What a client can trigger goes through
 * log_client(), which lets each user have a few lines a second and then says how many it left out.
 * Any thread; one write per line.
 */
#pragma once

#include <kcf/provider.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define LOG_LINE_MAX 1024

/* What a line is about; zero and NULL members are left out. */
struct log_about {
	uint64_t connection;
	uint64_t request;
	const char *provider, *mechanism;
	uid_t uid;
	bool has_uid;
};

/* Lines above this level are dropped; KCF_LOG_INFO at first. */
void log_set_level(enum kcf_log_level level);
/* Where lines go; standard error at first. For tests. */
void log_set_fd(int fd);

/* about may be NULL. */
void log_line(enum kcf_log_level level, const struct log_about *about, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
#define log_error(...)   log_line(KCF_LOG_ERROR, NULL, __VA_ARGS__)
#define log_warning(...) log_line(KCF_LOG_WARNING, NULL, __VA_ARGS__)
#define log_info(...)    log_line(KCF_LOG_INFO, NULL, __VA_ARGS__)
#define log_debug(...)   log_line(KCF_LOG_DEBUG, NULL, __VA_ARGS__)

/* For lines a client can cause: at most LOG_BURST at once and LOG_PER_SECOND on average for each
 * user (users that share a bucket share the allowance). about with its uid is required. Loop
 * thread. */
#define LOG_BURST      10
#define LOG_PER_SECOND 1
void log_client(enum kcf_log_level level, const struct log_about *about, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* A token bucket. */
struct log_rate {
	uint64_t last_ms;
	uint32_t used; /* in thousandths of a line */
	uint32_t left_out;
};

/* May a line be written now? */
bool log_rate_take(struct log_rate *rate, uint64_t now_ms);
