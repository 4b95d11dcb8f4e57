/* SPDX-License-Identifier: Apache-2.0 */
#include "spi/worker.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define HOLD_NS    1000000u
#define COMPANY_NS 200000u /* less than this done is told only when nothing is left */

struct thread {
	struct list link; /* of ended ones */
	struct worker_pool *pool;
	pthread_t id;
};

static unsigned processors(void)
{
	long n = sysconf(_SC_NPROCESSORS_ONLN);

	return n > 0 ? (unsigned)n : 1;
}

static unsigned at_least(unsigned n, unsigned min)
{
	return n > min ? n : min;
}

int worker_pool_init(struct worker_pool *p, struct wake *wake, unsigned min, unsigned max,
		     unsigned idle_ms)
{
	pthread_condattr_t attr;
	int err;

	*p = (struct worker_pool){.wake = wake, .idle_ms = idle_ms};
	list_init(&p->todo);
	list_init(&p->ended);
	p->min = min;
	p->max = at_least(max ? max : processors(), at_least(min, 1));
	err = pthread_condattr_init(&attr);
	if (err)
		return -err;
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_mutex_init(&p->lock, NULL);
	pthread_cond_init(&p->gone, NULL);
	err = pthread_cond_init(&p->more, &attr);
	pthread_condattr_destroy(&attr);
	return -err;
}

void worker_pool_set(struct worker_pool *p, unsigned min, unsigned max, unsigned idle_ms)
{
	pthread_mutex_lock(&p->lock);
	p->min = min;
	p->max = at_least(max ? max : processors(), at_least(min, 1));
	p->idle_ms = idle_ms;
	pthread_cond_broadcast(&p->more);
	pthread_mutex_unlock(&p->lock);
}

/* Wait for work. False: idle for long, or the pool ends. Lock held. */
static bool wait_for_work(struct worker_pool *p)
{
	struct timespec until;
	int err = 0;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += p->idle_ms / 1000;
	until.tv_nsec += (long)(p->idle_ms % 1000) * 1000000;
	if (until.tv_nsec >= 1000000000) {
		until.tv_sec++;
		until.tv_nsec -= 1000000000;
	}
	p->n_idle++;
	while (list_empty(&p->todo) && !p->stopping && p->n_threads <= p->max && !err) {
		err = pthread_cond_timedwait(&p->more, &p->lock, &until);
		if (err && p->n_threads <= p->min) { /* one that is kept waits on */
			err = 0;
			until.tv_sec += 3600;
		}
	}
	p->n_idle--;
	return !list_empty(&p->todo);
}

/* What one worker has done and not told yet. */
struct company {
	struct wake_node *newest, *oldest;
	uint64_t held_ns;     /* what it took */
	uint64_t expected_ns; /* what it was expected to take */
};

static void tell(struct worker_pool *p, struct company *c)
{
	if (c->newest)
		wake_post_chain(p->wake, c->newest, c->oldest);
	*c = (struct company){.newest = NULL};
}

static void keep(struct company *c, struct work *w, uint64_t expected_ns)
{
	w->node.next = c->newest;
	c->newest = &w->node;
	if (!c->oldest)
		c->oldest = &w->node;
	c->held_ns += w->cost_ns;
	c->expected_ns += expected_ns;
}

struct burst {
	struct work *works[WORKER_BURST];
	unsigned n;
	unsigned share;   /* of what waits this worker will do one part in so many */
	uint64_t left_ns; /* expected */
};

/* Lock held; a running worker looks without it, for a hint. */
static void add_todo_ns(struct worker_pool *p, uint64_t ns)
{
	__atomic_store_n(&p->todo_ns, p->todo_ns + ns, __ATOMIC_RELAXED);
}

/* A fair part of what waits, so that one worker does not hold what others could start. Lock held.
 */
static void take_burst(struct worker_pool *p, struct burst *b)
{
	unsigned n = p->n_todo / p->max; /* others may be starting yet */
	uint64_t taken_ns = 0;
	struct list *l;

	n = n > WORKER_BURST ? WORKER_BURST : at_least(n, 1);
	b->share = p->max;
	for (b->n = 0; b->n < n && (l = list_pop(&p->todo)); b->n++) {
		b->works[b->n] = list_entry(l, struct work, link);
		taken_ns += b->works[b->n]->cost_ns;
	}
	p->n_todo -= b->n;
	add_todo_ns(p, 0 - taken_ns);
	b->left_ns = taken_ns;
}

/* Expected work of this worker: the rest of its burst and its part of what waits. */
static uint64_t left_ns(const struct worker_pool *p, const struct burst *b)
{
	return b->left_ns + __atomic_load_n(&p->todo_ns, __ATOMIC_RELAXED) / b->share;
}

/* What is done waits for company, because a wake-up of the loop is dear: a millisecond at most, not
 * for work that may take longer, and only while more is left than is done, so that the loop brings
 * new work before the old is at its end. */
static void run_burst(struct worker_pool *p, struct company *c, struct burst *b)
{
	for (unsigned i = 0; i < b->n; i++) {
		struct work *w = b->works[i];
		uint64_t expected_ns = w->cost_ns;

		if (!expected_ns || c->held_ns + expected_ns > HOLD_NS)
			tell(p, c);
		w->run(w);
		keep(c, w, expected_ns);
		b->left_ns -= expected_ns;
		if (c->held_ns >= COMPANY_NS && c->expected_ns >= left_ns(p, b))
			tell(p, c);
	}
}

static void *thread_main(void *arg)
{
	struct thread *self = arg;
	struct worker_pool *p = self->pool;
	struct company company = {.newest = NULL};
	struct burst burst;

	pthread_mutex_lock(&p->lock);
	for (;;) {
		if (list_empty(&p->todo) && company.newest) {
			pthread_mutex_unlock(&p->lock);
			tell(p, &company);
			pthread_mutex_lock(&p->lock);
		}
		if (list_empty(&p->todo) && !wait_for_work(p))
			break;
		take_burst(p, &burst);
		pthread_mutex_unlock(&p->lock);
		run_burst(p, &company, &burst);
		pthread_mutex_lock(&p->lock);
	}
	p->n_threads--;
	list_push(&p->ended, &self->link);
	pthread_cond_signal(&p->gone);
	pthread_mutex_unlock(&p->lock);
	return NULL;
}

static void join_ended(struct worker_pool *p)
{
	struct list ended, *l;

	list_init(&ended);
	pthread_mutex_lock(&p->lock);
	list_splice(&ended, &p->ended);
	pthread_mutex_unlock(&p->lock);
	while ((l = list_pop(&ended))) {
		struct thread *t = list_entry(l, struct thread, link);

		pthread_join(t->id, NULL);
		free(t);
	}
}

/* Another thread, all signals blocked: they are the loop's. */
static bool thread_start(struct worker_pool *p)
{
	struct thread *t = calloc(1, sizeof(*t));
	sigset_t all, old;
	int err;

	if (!t)
		return false;
	t->pool = p;
	list_init(&t->link);
	pthread_mutex_lock(&p->lock);
	p->n_threads++;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	err = pthread_create(&t->id, NULL, thread_main, t);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (err) {
		p->n_threads--;
		free(t);
	}
	pthread_mutex_unlock(&p->lock);
	return !err;
}

/* Only when no thread could be had at all: the work is done here rather than never. */
static void run_here(struct worker_pool *p)
{
	struct company company = {.newest = NULL};
	struct burst burst;

	pthread_mutex_lock(&p->lock);
	while (!list_empty(&p->todo)) {
		take_burst(p, &burst);
		pthread_mutex_unlock(&p->lock);
		run_burst(p, &company, &burst);
		pthread_mutex_lock(&p->lock);
	}
	pthread_mutex_unlock(&p->lock);
	tell(p, &company);
}

void worker_submit(struct worker_pool *p, struct work *const *works, unsigned n)
{
	unsigned grow, threads, wake;
	uint64_t cost_ns = 0;
	bool ended;

	p->outstanding += n;
	pthread_mutex_lock(&p->lock);
	for (unsigned i = 0; i < n; i++) {
		list_push(&p->todo, &works[i]->link);
		cost_ns += works[i]->cost_ns;
	}
	add_todo_ns(p, cost_ns);
	p->n_todo += n;
	threads = p->n_threads;
	grow = p->n_todo > p->n_idle ? p->n_todo - p->n_idle : 0;
	if (grow > p->max - (threads < p->max ? threads : p->max))
		grow = p->max - (threads < p->max ? threads : p->max);
	wake = p->n_idle < n ? p->n_idle : n;
	ended = !list_empty(&p->ended);
	pthread_mutex_unlock(&p->lock);
	/* Not under the lock, which a woken worker wants first of all. */
	while (wake-- > 0)
		pthread_cond_signal(&p->more);
	if (ended)
		join_ended(p);
	while (grow-- > 0 && thread_start(p))
		threads++;
	if (!threads)
		run_here(p);
}

unsigned worker_threads(struct worker_pool *p)
{
	unsigned n;

	pthread_mutex_lock(&p->lock);
	n = p->n_threads;
	pthread_mutex_unlock(&p->lock);
	return n;
}

void worker_pool_deinit(struct worker_pool *p)
{
	pthread_mutex_lock(&p->lock);
	p->stopping = true;
	pthread_cond_broadcast(&p->more);
	while (p->n_threads > 0)
		pthread_cond_wait(&p->gone, &p->lock);
	pthread_mutex_unlock(&p->lock);
	join_ended(p);
	pthread_cond_destroy(&p->more);
	pthread_cond_destroy(&p->gone);
	pthread_mutex_destroy(&p->lock);
}
