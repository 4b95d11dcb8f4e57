/* SPDX-License-Identifier: Apache-2.0 */
/*
 * direct-count - what ran in the caller's threads, counted where kcfd can read it.
 *
 * A thread takes a cell of a client's page at its first count and gives it back when it ends. The
 * row for a (mechanism, provider) is cached with the thread's state of a template, together with
 * the page's epoch: after another page took the place of the old one, or in a child, it is found
 * anew. One lock, held over fork, keeps ends of threads and of clients apart. Thread: any.
 */
#include <pthread.h>
#include <stdlib.h>
#include <time.h>
#include "direct-private.h"

/* A thread's cell of one client. The thread's own but for direct and the list of the client, which
 * are locked. */
struct count_thread {
	struct count_thread *next; /* of the thread */
	struct direct *direct;     /* NULL: the client is gone */
	struct page_cell *cell;
	uint64_t page_epoch;
	struct count_thread *d_next, **d_link;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static pthread_key_t exit_key;
static bool exit_key_made;
static __thread struct count_thread *mine __attribute__((tls_model("initial-exec")));

void count_lock(void)
{
	pthread_mutex_lock(&lock);
}

void count_unlock(void)
{
	pthread_mutex_unlock(&lock);
}

uint64_t count_now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

/* Locked. */
static void leave(struct count_thread *t)
{
	if (!t->direct)
		return;
	*t->d_link = t->d_next;
	if (t->d_next)
		t->d_next->d_link = t->d_link;
	t->direct = NULL;
}

static void thread_end(void *arg)
{
	struct count_thread *next;

	if (mine == arg)
		mine = NULL;
	count_lock();
	for (struct count_thread *t = arg; t; t = next) {
		next = t->next;
		if (t->direct && t->cell && t->page_epoch == t->direct->mark->page_epoch)
			page_cell_drop(t->cell);
		leave(t);
		free(t);
	}
	count_unlock();
}

static void init(void)
{
	pthread_atfork(count_lock, count_unlock, count_unlock);
	exit_key_made = !pthread_key_create(&exit_key, thread_end);
}

void count_forget(struct direct *d)
{
	while (d->threads)
		leave(d->threads);
}

/* Entries of clients that are gone are used again. Locked. */
static struct count_thread *join(struct direct *d)
{
	struct count_thread *t = mine;

	while (t && t->direct)
		t = t->next;
	if (!t) {
		t = calloc(1, sizeof(*t));
		if (!t)
			return NULL;
		t->next = mine;
		if (pthread_setspecific(exit_key, t)) {
			free(t);
			return NULL;
		}
		mine = t;
	}
	t->cell = NULL;
	t->direct = d;
	t->d_next = d->threads;
	t->d_link = &d->threads;
	if (t->d_next)
		t->d_next->d_link = &t->d_next;
	d->threads = t;
	return t;
}

/* The calling thread's cell of this client; NULL: it is not counted. */
static struct page_cell *find_cell(struct direct *d, uint64_t *ret_epoch)
{
	struct page_cell *cell = NULL;
	struct count_thread *t;

	pthread_once(&once, init);
	if (!exit_key_made)
		return NULL;
	count_lock(); /* the page does not change meanwhile */
	for (t = mine; t && t->direct != d;)
		t = t->next;
	if (!t)
		t = join(d);
	if (!d->mark->page_epoch)
		t = NULL;
	if (t && (!t->cell || t->page_epoch != d->mark->page_epoch)) {
		t->cell = page_cell_take(d->page);
		t->page_epoch = d->mark->page_epoch;
	}
	if (t) {
		cell = t->cell;
		*ret_epoch = t->page_epoch;
	}
	count_unlock();
	return cell;
}

void count_find(struct direct *d, struct tstate *ts, uint32_t mech, uint16_t provider,
		struct count_at *ret)
{
	void **data = tstate_data(ts);

	ret->cell = find_cell(d, &ret->page_epoch);
	ret->row = ret->cell ? page_row(d->page, ret->cell, mech, provider + 1u) : NULL;
	data[0] = ret->row;
	data[1] = ret->cell;
	data[2] = (void *)(uintptr_t)ret->page_epoch;
}

void count_call(struct direct *d, const struct count_at *at, enum kcf_op op, enum kcf_status status,
		size_t bytes, uint64_t ns)
{
	/* A page that changed under the call is not written with the old one's places. */
	if (!at->row || at->page_epoch != __atomic_load_n(&d->mark->page_epoch, __ATOMIC_RELAXED))
		return;
	page_count(d->page, at->cell, at->row, op, status, bytes);
	if (ns)
		page_sample(d->page, at->cell, at->row, ns);
}

void count_calls(struct direct *d, const struct count_at *at, enum kcf_op op,
		 const struct page_sum *sum, uint64_t ns)
{
	if (!at->row || at->page_epoch != __atomic_load_n(&d->mark->page_epoch, __ATOMIC_RELAXED))
		return;
	page_count_many(d->page, at->cell, at->row, op, sum);
	if (ns)
		page_sample(d->page, at->cell, at->row, ns);
}
