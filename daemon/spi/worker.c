/* SPDX-License-Identifier: Apache-2.0 */
#include "spi/worker.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define HOLD_NS 1000000u

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

/* A fair part of what waits, so that one worker does not hold what others could start. Lock held.
 */
static unsigned take_burst(struct worker_pool *p, struct work **works)
{
	unsigned n = p->n_todo / p->max, taken = 0; /* others may be starting yet */
	struct list *l;

	n = n > WORKER_BURST ? WORKER_BURST : at_least(n, 1);
	while (taken < n && (l = list_pop(&p->todo)))
		works[taken++] = list_entry(l, struct work, link);
	p->n_todo -= taken;
	return taken;
}

static void post(struct worker_pool *p, struct work **works, unsigned n)
{
	for (unsigned i = 1; i < n; i++)
		works[i]->node.next = &works[i - 1]->node;
	if (n)
		wake_post_chain(p->wake, &works[n - 1]->node, &works[0]->node);
}

/* What is done waits for company, for one wake-up of the loop a millisecond and not one each; but
 * never for what may take longer. */
static void run_burst(struct worker_pool *p, struct work **works, unsigned n)
{
	unsigned posted = 0;
	uint64_t held_ns = 0;

	for (unsigned i = 0; i < n; i++) {
		struct work *w = works[i];

		if (!w->cost_ns || held_ns + w->cost_ns > HOLD_NS) {
			post(p, works + posted, i - posted);
			posted = i;
			held_ns = 0;
		}
		w->run(w);
		held_ns += w->cost_ns;
	}
	post(p, works + posted, n - posted);
}

static void *thread_main(void *arg)
{
	struct thread *self = arg;
	struct worker_pool *p = self->pool;
	struct work *works[WORKER_BURST];

	pthread_mutex_lock(&p->lock);
	for (;;) {
		unsigned n;

		if (list_empty(&p->todo) && !wait_for_work(p))
			break;
		n = take_burst(p, works);
		pthread_mutex_unlock(&p->lock);
		run_burst(p, works, n);
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
	struct work *works[WORKER_BURST];

	for (;;) {
		unsigned n = 0;
		struct list *l;

		pthread_mutex_lock(&p->lock);
		while (n < WORKER_BURST && (l = list_pop(&p->todo)))
			works[n++] = list_entry(l, struct work, link);
		p->n_todo -= n;
		pthread_mutex_unlock(&p->lock);
		if (!n)
			return;
		run_burst(p, works, n);
	}
}

void worker_submit(struct worker_pool *p, struct work *const *works, unsigned n)
{
	unsigned grow, threads, wake;
	bool ended;

	p->outstanding += n;
	pthread_mutex_lock(&p->lock);
	for (unsigned i = 0; i < n; i++)
		list_push(&p->todo, &works[i]->link);
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
