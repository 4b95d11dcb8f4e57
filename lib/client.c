/* SPDX-License-Identifier: Apache-2.0 */
/*
 * client - the handle: open, close, reopen, fork.
 *
 * A page that the kernel wipes on fork tells a child that it is one. At its first call there the
 * locks are made anew and everything of the connection is dropped: the parent's requests are the
 * parent's, no callback of theirs comes in the child. Only the epoll descriptor keeps its number,
 * because the application may be watching it.
 */
#include "client-core.h"

#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <fcntl.h>
#include <sys/auxv.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "kcf-config.h"

#define FLAGS_ALL (KCF_CLIENT_APP_LOOP | KCF_CLIENT_STANDALONE | KCF_CLIENT_NO_DAEMON)
#define PAGE_LEN  4096u

struct direct *client_direct(struct kcf_client *client)
{
	return client->direct;
}

bool client_forked(const struct kcf_client *client)
{
	return !client_is_own(client);
}

bool client_standalone(const struct kcf_client *client)
{
	return client->flags & KCF_CLIENT_STANDALONE;
}

enum kcf_preference client_preference(const struct kcf_client *client,
				      const struct kcf_call_req *req)
{
	return req && req->preference ? req->preference : client->preference;
}

bool client_in_callback(const struct kcf_client *c)
{
	return c->dispatching && pthread_equal(c->dispatcher, pthread_self());
}

void client_poke(struct kcf_client *c)
{
	uint64_t one = 1;

	/* Who is dispatching looks again before it stops. */
	if (c->poked || c->dispatching || c->evfd < 0)
		return;
	c->poked = write(c->evfd, &one, sizeof(one)) == sizeof(one);
}

/* ---- fork ---- */

static void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

static void close_own_fds(struct kcf_client *c)
{
	close_fd(&c->evfd);
	close_fd(&c->timerfd);
	close_fd(&c->kickfd);
}

static void init_locks(struct kcf_client *c)
{
	pthread_mutex_init(&c->lock, NULL);
	pthread_cond_init(&c->tx_idle, NULL);
}

/* In the child, whatever the parent's threads were doing. */
static void forget_parent(struct kcf_client *c)
{
	init_locks(c);
	c->state = CLIENT_OFF;
	c->tx.sending = c->tx.blocked = false;
	c->driving = c->dispatching = false;
	c->driver = c->sleepers = c->room_line = c->memory_line = NULL;
	c->want_units = c->want_rows = c->notify_units = c->notify_rows = c->held_units = 0;
	c->notify_memory = c->broken = false;
	c->thread_running = c->stop = false;
	c->next_deadline = c->rearm_at = 0;
	c->n_requests = 0;
	c->in_armed = c->out_armed = c->was_up = false;
	close_fd(&c->fd);
	close_own_fds(c);
	pending_deinit(&c->pending);
	client_tx_reset(c);
	client_rx_reset(c);
	codec_deinit(&c->decode);
	codec_init(&c->decode);
	arena_forget(&c->arena);
	client_ring_forget(c);
	ring_slots_forget(c);
	direct_after_fork(c->direct);
}

void client_enter(struct kcf_client *c)
{
	uint32_t mark = __atomic_load_n(c->fork_mark, __ATOMIC_ACQUIRE);

	if (mark == MARK_OWN || mark == MARK_CHILD)
		return;
	mark = MARK_FORKED;
	if (__atomic_compare_exchange_n(c->fork_mark, &mark, MARK_FORGETTING, false,
					__ATOMIC_ACQUIRE, __ATOMIC_ACQUIRE)) {
		forget_parent(c);
		__atomic_store_n(c->fork_mark, MARK_CHILD, __ATOMIC_RELEASE);
	}
	while (mark == MARK_FORGETTING) {
		sched_yield();
		mark = __atomic_load_n(c->fork_mark, __ATOMIC_ACQUIRE);
	}
}

static bool map_fork_mark(struct kcf_client *c)
{
	void *p = mmap(NULL, PAGE_LEN, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		return false;
	if (madvise(p, PAGE_LEN, MADV_WIPEONFORK) < 0) {
		munmap(p, PAGE_LEN);
		return false;
	}
	c->fork_mark = p;
	*c->fork_mark = MARK_OWN;
	return true;
}

/* ---- open ---- */

static bool watch_fd(int epfd, int fd)
{
	struct epoll_event ev = {.events = EPOLLIN, .data.fd = fd};

	return epoll_ctl(epfd, EPOLL_CTL_ADD, fd, &ev) == 0;
}

/* epfd keeps its number if it has one: applications watch it. */
static enum kcf_status open_fds(struct kcf_client *c)
{
	int epfd = epoll_create1(EPOLL_CLOEXEC);

	if (epfd < 0)
		return KCF_HOST_MEMORY;
	if (c->epfd >= 0) {
		int err = dup3(epfd, c->epfd, O_CLOEXEC);

		close(epfd);
		if (err < 0)
			return KCF_HOST_MEMORY;
	} else {
		c->epfd = epfd;
	}
	c->evfd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	c->timerfd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	c->kickfd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	c->timer_at = 0;
	c->poked = c->kicked = false;
	if (c->kickfd < 0 || c->evfd < 0 || c->timerfd < 0 || !watch_fd(c->epfd, c->evfd) ||
	    !watch_fd(c->epfd, c->timerfd))
		return KCF_HOST_MEMORY;
	return KCF_SUCCESS;
}

static char *copy_path(const char *given, const char *variable, const char *compiled)
{
	const char *path = given ? given : secure_getenv(variable);

	return strdup(path && path[0] ? path : compiled);
}

static enum kcf_status set_options(struct kcf_client *c, const struct kcf_client_options *given)
{
	struct kcf_client_options o = {0};

	if (given) {
		if (given->size < offsetof(struct kcf_client_options, label) ||
		    given->size > sizeof(o))
			return KCF_ARGUMENTS_BAD;
		memcpy(&o, given, given->size);
	}
	if ((o.flags & ~(uint32_t)FLAGS_ALL) || (unsigned)o.preference >= KCF_ONLY_PROVIDER ||
	    (o.label && strlen(o.label) > WIRE_MAX_LABEL) ||
	    ((o.flags & KCF_CLIENT_NO_DAEMON) && !(o.flags & KCF_CLIENT_STANDALONE)))
		return KCF_ARGUMENTS_BAD;
	c->flags = o.flags;
	c->timeout_ms = o.timeout_ms ? o.timeout_ms : CLIENT_TIMEOUT_MS;
	c->preference = o.preference;
	c->on_event = o.on_event;
	c->event_arg = o.event_arg;
	if (o.label)
		strcpy(c->label, o.label);
	c->socket = copy_path(o.socket, "KCF_SOCKET", KCF_SOCKET_PATH);
	if (o.module_dir && !getauxval(AT_SECURE))
		c->module_dir = strdup(o.module_dir);
	return c->socket ? KCF_SUCCESS : KCF_HOST_MEMORY;
}

/* Connect and wait for the end of the handshake. Lock held; nobody else drives. */
static enum kcf_status connect_now(struct kcf_client *c)
{
	c->backoff = 0;
	client_connect(c);
	while (c->state == CLIENT_HELLO || c->state == CLIENT_OFFER)
		client_drive_once(c, 0);
	return c->state == CLIENT_UP ? KCF_SUCCESS : c->refusal;
}

enum kcf_status client_start_thread(struct kcf_client *c)
{
	sigset_t all, old;
	int err;

	if ((c->flags & KCF_CLIENT_APP_LOOP) || c->thread_running)
		return KCF_SUCCESS;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	err = pthread_create(&c->thread, NULL, client_thread, c);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	c->thread_running = err == 0;
	return err ? KCF_HOST_MEMORY : KCF_SUCCESS;
}

/* The library is already trying: have it try now, and wait for the outcome. */
static enum kcf_status hurry(struct kcf_client *c)
{
	uint64_t attempts;
	enum kcf_status st;
	struct waiter w;

	client_waiter_init(&w);
	pthread_mutex_lock(&c->lock);
	attempts = c->n_failed;
	if (c->state == CLIENT_DOWN)
		c->next_connect = 1;
	while (c->state != CLIENT_UP && c->state != CLIENT_OFF && c->n_failed == attempts)
		client_wait(c, &w, client_now() + NSEC_PER_MSEC);
	st = c->state == CLIENT_UP ? KCF_SUCCESS : c->refusal;
	pthread_mutex_unlock(&c->lock);
	client_waiter_deinit(&w);
	return st;
}

/* Take the role while there is no connection; false: another thread made one, or is about to. */
static bool drive_offline(struct kcf_client *c)
{
	struct waiter w;

	client_waiter_init(&w);
	while (c->state == CLIENT_OFF && !client_drive(c))
		client_wait(c, &w, client_now() + NSEC_PER_MSEC);
	client_waiter_deinit(&w);
	return c->state == CLIENT_OFF;
}

/* Connection, and the thread that serves it. */
static enum kcf_status go_online(struct kcf_client *c)
{
	enum kcf_status st;

	pthread_mutex_lock(&c->lock);
	if (!drive_offline(c)) {
		pthread_mutex_unlock(&c->lock);
		return hurry(c);
	}
	st = connect_now(c);
	if (st == KCF_SUCCESS)
		st = client_start_thread(c);
	if (st != KCF_SUCCESS) {
		if (c->fd >= 0)
			client_disconnect(c, false);
		c->state = CLIENT_OFF;
	}
	client_undrive(c);
	pthread_mutex_unlock(&c->lock);
	return st;
}

static enum kcf_status open_client(struct kcf_client *c, const struct kcf_client_options *options)
{
	enum kcf_status st = set_options(c, options);

	if (st != KCF_SUCCESS)
		return st;
	c->direct = direct_new(c);
	if (!c->direct || !map_fork_mark(c))
		return KCF_HOST_MEMORY;
	st = open_fds(c);
	if (st != KCF_SUCCESS)
		return st;
	st = c->flags & KCF_CLIENT_NO_DAEMON ? KCF_NO_DAEMON : go_online(c);
	if (st == KCF_NO_DAEMON && client_standalone(c))
		st = direct_standalone(c->direct, c->module_dir);
	return st;
}

/* Everything of a client on which nothing runs any more. */
static void free_client(struct kcf_client *c)
{
	unsigned i;

	context_free_all(c);
	for (i = 0; i < c->n_slots; i++) {
		if (c->slots[i].tmpl)
			template_unref(c->slots[i].tmpl);
	}
	pending_deinit(&c->pending);
	client_tx_reset(c);
	client_rx_reset(c);
	codec_deinit(&c->decode);
	arena_deinit(&c->arena);
	client_ring_deinit(c);
	ring_slots_free(c);
	close_fd(&c->fd);
	close_fd(&c->epfd);
	close_own_fds(c);
	direct_free(c->direct);
	if (c->fork_mark)
		munmap(c->fork_mark, PAGE_LEN);
	pthread_cond_destroy(&c->tx_idle);
	pthread_mutex_destroy(&c->lock);
	free(c->slots);
	free(c->socket);
	free(c->module_dir);
	explicit_bzero(c, sizeof(*c));
	free(c);
}

enum kcf_status kcf_client_open(const struct kcf_client_options *options, struct kcf_client **ret)
{
	struct kcf_client *c;
	enum kcf_status st;

	if (!ret)
		return KCF_ARGUMENTS_BAD;
	c = calloc(1, sizeof(*c));
	if (!c)
		return KCF_HOST_MEMORY;
	init_locks(c);
	pending_init(&c->pending);
	arena_init(&c->arena);
	codec_init(&c->decode);
	c->fd = c->epfd = c->evfd = c->timerfd = c->kickfd = c->ring.bell = -1;
	c->n_cpus = (unsigned)sysconf(_SC_NPROCESSORS_ONLN);
	st = open_client(c, options);
	if (st == KCF_SUCCESS)
		*ret = c;
	else
		free_client(c);
	return st;
}

/* ---- close ---- */

static void stop_thread(struct kcf_client *c)
{
	uint64_t one = 1;

	pthread_mutex_lock(&c->lock);
	c->stop = true;
	pthread_mutex_unlock(&c->lock);
	while (write(c->evfd, &one, sizeof(one)) < 0 && errno == EINTR)
		;
	pthread_join(c->thread, NULL);
	c->thread_running = c->stop = false;
}

/* What is under way ends here; its callbacks run here. No other thread is inside a call. */
static void cancel_all(struct kcf_client *c)
{
	struct pending *p, *next;

	pthread_mutex_lock(&c->lock);
	c->driving = true;
	for (p = c->pending.first; p; p = next) {
		next = p->next;
		if (pending_kind_is_own(p->kind))
			pending_free(&c->pending, p);
		else
			op_finish(c, p, KCF_CANCELED);
	}
	client_ring_drop(c); /* no handler is half way through submitting */
	ring_slots_cancel(c);
	client_disconnect(c, false);
	c->driving = false;
	c->dispatching = true;
	c->dispatcher = pthread_self();
	client_run_notices(c);
	c->dispatching = false;
	pthread_mutex_unlock(&c->lock);
}

enum kcf_status kcf_client_close(struct kcf_client *client)
{
	bool inside;

	if (!client)
		return KCF_ARGUMENTS_BAD;
	client_enter(client);
	if (client_forked(client)) {
		free_client(client);
		return KCF_SUCCESS;
	}
	pthread_mutex_lock(&client->lock);
	inside = client_in_callback(client);
	pthread_mutex_unlock(&client->lock);
	if (inside)
		return KCF_ARGUMENTS_BAD;
	if (client->thread_running)
		stop_thread(client);
	client->on_event = NULL;
	cancel_all(client);
	free_client(client);
	return KCF_SUCCESS;
}

/* ---- reopen ---- */

static enum kcf_status become_own_process(struct kcf_client *c)
{
	enum kcf_status st = KCF_SUCCESS;

	pthread_mutex_lock(&c->lock);
	if (client_forked(c)) { /* no other thread was faster */
		st = open_fds(c);
		if (st == KCF_SUCCESS)
			__atomic_store_n(c->fork_mark, MARK_OWN, __ATOMIC_RELEASE);
		else
			close_own_fds(c);
	}
	pthread_mutex_unlock(&c->lock);
	return st;
}

enum kcf_status kcf_client_reopen(struct kcf_client *client)
{
	enum kcf_status st = KCF_SUCCESS;
	bool off;

	if (!client || (client->flags & KCF_CLIENT_NO_DAEMON))
		return KCF_ARGUMENTS_BAD;
	client_enter(client);
	if (client_forked(client))
		st = become_own_process(client);
	if (st != KCF_SUCCESS)
		return st;
	pthread_mutex_lock(&client->lock);
	off = client->state == CLIENT_OFF;
	pthread_mutex_unlock(&client->lock);
	return off ? go_online(client) : hurry(client);
}

bool kcf_client_connected(struct kcf_client *client)
{
	bool up;

	if (!client || client_forked(client))
		return false;
	pthread_mutex_lock(&client->lock);
	up = client->state == CLIENT_UP;
	pthread_mutex_unlock(&client->lock);
	return up;
}

int kcf_client_fd(struct kcf_client *client)
{
	if (!client || !(client->flags & KCF_CLIENT_APP_LOOP))
		return -1;
	return client->epfd;
}
