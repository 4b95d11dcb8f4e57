/* SPDX-License-Identifier: Apache-2.0 */
/* The pool, the mailbox and the wheel, on a real loop. */
#include "spi/worker.h"

#include <semaphore.h>
#include "spi/wheel.h"
#include "test-main.h"

static uv_loop_t loop;
static struct wake wake;
static struct worker_pool pool;
static uv_timer_t alive; /* a mailbox alone does not keep the loop running */

static void never(uv_timer_t *t)
{
	ck_abort_msg("nothing happened for a minute");
}

static void setup(void)
{
	ck_assert_int_eq(uv_loop_init(&loop), 0);
	ck_assert_int_eq(wake_init(&wake, &loop), 0);
	uv_timer_init(&loop, &alive);
	uv_timer_start(&alive, never, 60000, 0);
}

static void teardown(void)
{
	uv_close((uv_handle_t *)&alive, NULL);
	wake_close(&wake, NULL);
	uv_run(&loop, UV_RUN_DEFAULT);
	ck_assert_int_eq(uv_loop_close(&loop), 0);
}

struct counted {
	struct work work;
	pthread_t ran_on;
	unsigned runs;
};

static struct counted jobs[200];
static unsigned n_done;
static sem_t gate, started;

static void on_done(struct wake_node *node)
{
	worker_done(&pool);
	n_done++;
}

static void run_counted(struct work *w)
{
	struct counted *c = container_of(w, struct counted, work);

	c->ran_on = pthread_self();
	c->runs++;
}

static void run_gated(struct work *w)
{
	run_counted(w);
	sem_post(&started);
	sem_wait(&gate);
}

static void submit(unsigned n, void (*run)(struct work *w))
{
	struct work *works[200];

	for (unsigned i = 0; i < n; i++) {
		jobs[i] = (struct counted){.work = {.node = {.fn = on_done}, .run = run}};
		works[i] = &jobs[i].work;
	}
	worker_submit(&pool, works, n);
}

static void run_until(unsigned done)
{
	while (n_done < done)
		uv_run(&loop, UV_RUN_ONCE);
}

START_TEST(runs_each_work_once_off_the_loop_and_reports_on_it)
{
	worker_pool_init(&pool, &wake, 1, 4, 1000);
	submit(200, run_counted);
	ck_assert_uint_eq(pool.outstanding, 200);
	run_until(200);
	for (unsigned i = 0; i < 200; i++) {
		ck_assert_uint_eq(jobs[i].runs, 1);
		ck_assert(!pthread_equal(jobs[i].ran_on, pthread_self()));
	}
	ck_assert_uint_eq(pool.outstanding, 0);
	worker_pool_deinit(&pool);
}
END_TEST

START_TEST(grows_to_its_bound_and_no_further)
{
	sem_init(&gate, 0, 0);
	sem_init(&started, 0, 0);
	worker_pool_init(&pool, &wake, 0, 3, 1000);
	ck_assert_uint_eq(worker_threads(&pool), 0);
	submit(8, run_gated);
	for (unsigned i = 0; i < 3; i++)
		sem_wait(&started);
	ck_assert_uint_eq(worker_threads(&pool), 3);
	ck_assert(!worker_is_free(&pool));
	for (unsigned i = 0; i < 8; i++)
		sem_post(&gate);
	run_until(8);
	ck_assert(worker_is_free(&pool));
	worker_pool_deinit(&pool);
}
END_TEST

START_TEST(shrinks_when_idle_but_keeps_its_minimum)
{
	sem_init(&gate, 0, 0);
	sem_init(&started, 0, 0);
	worker_pool_init(&pool, &wake, 1, 3, 10);
	submit(3, run_gated);
	for (unsigned i = 0; i < 3; i++)
		sem_wait(&started);
	for (unsigned i = 0; i < 3; i++)
		sem_post(&gate);
	run_until(3);
	while (worker_threads(&pool) > 1) /* the pool's own clock decides when */
		sched_yield();
	submit(1, run_counted);
	run_until(4);
	ck_assert_uint_eq(jobs[0].runs, 1);
	worker_pool_deinit(&pool);
	ck_assert_uint_eq(pool.n_threads, 0);
}
END_TEST

START_TEST(finishes_what_was_handed_over_before_it_ends)
{
	worker_pool_init(&pool, &wake, 0, 2, 1000);
	submit(100, run_counted);
	worker_pool_deinit(&pool);
	wake_drain(&wake);
	ck_assert_uint_eq(n_done, 100);
}
END_TEST

static bool told_before[4];

static void run_looking(struct work *w)
{
	run_counted(w);
	told_before[container_of(w, struct counted, work) - jobs] =
		__atomic_load_n(&wake.head, __ATOMIC_RELAXED) != NULL;
}

/* One worker takes four works in one burst, expected to take so many microseconds each. */
static void run_burst_of_four(const unsigned *usec)
{
	struct work *works[4];

	worker_pool_init(&pool, &wake, 1, 1, 1000);
	for (unsigned i = 0; i < 4; i++) {
		jobs[i] = (struct counted){.work = {.node = {.fn = on_done}, .run = run_looking}};
		jobs[i].work.cost_ns = usec[i] * UINT64_C(1000);
		works[i] = &jobs[i].work;
	}
	worker_submit(&pool, works, 4);
	worker_pool_deinit(&pool); /* they are run, and the loop has not looked yet */
	wake_drain(&wake);
	ck_assert_uint_eq(n_done, 4);
	ck_assert_uint_eq(pool.todo_ns, 0);
}

START_TEST(short_works_of_a_burst_are_told_together)
{
	run_burst_of_four((unsigned[]){40, 40, 40, 40});
	for (unsigned i = 0; i < 4; i++)
		ck_assert(!told_before[i]);
}
END_TEST

START_TEST(half_of_a_burst_is_told_while_the_rest_is_run)
{
	run_burst_of_four((unsigned[]){150, 150, 150, 150});
	ck_assert(!told_before[1] && told_before[2]);
}
END_TEST

START_TEST(what_is_done_waits_a_millisecond_at_most)
{
	run_burst_of_four((unsigned[]){400, 400, 400, 800});
	ck_assert(!told_before[1] && told_before[2]);
}
END_TEST

START_TEST(what_is_done_does_not_wait_for_longer_work)
{
	run_burst_of_four((unsigned[]){40, 40, 40, 990});
	ck_assert(!told_before[2] && told_before[3]);
}
END_TEST

START_TEST(what_is_done_does_not_wait_for_work_of_unknown_length)
{
	run_burst_of_four((unsigned[]){40, 40, 40, 0});
	ck_assert(!told_before[2] && told_before[3]);
}
END_TEST

static unsigned order[4], n_order;

struct posted {
	struct wake_node node;
	unsigned n;
};

static void on_posted(struct wake_node *node)
{
	order[n_order++] = ((struct posted *)node)->n;
}

START_TEST(mailbox_keeps_the_order_of_posts)
{
	struct posted p[4];

	for (unsigned i = 0; i < 4; i++) {
		p[i] = (struct posted){{.fn = on_posted}, i};
		wake_post(&wake, &p[i].node);
	}
	ck_assert(wake_drain(&wake));
	ck_assert(!wake_drain(&wake));
	ck_assert_uint_eq(n_order, 4);
	for (unsigned i = 0; i < 4; i++)
		ck_assert_uint_eq(order[i], i);
}
END_TEST

static struct wheel wheel;
static uint64_t fired_at;
static unsigned n_fired;

static void on_fire(struct wheel_entry *e)
{
	n_fired++;
	fired_at = uv_hrtime();
}

static void close_wheel(void)
{
	wheel_close(&wheel, NULL);
	uv_run(&loop, UV_RUN_NOWAIT);
}

START_TEST(wheel_fires_never_early_and_in_the_end)
{
	struct wheel_entry e[3] = {{.fn = on_fire}, {.fn = on_fire}, {.fn = on_fire}};
	uint64_t now = uv_hrtime();

	ck_assert_int_eq(wheel_init(&wheel, &loop), 0);
	wheel_arm(&wheel, &e[0], now + 1000000);
	wheel_arm(&wheel, &e[1], now + 9000000);
	wheel_arm(&wheel, &e[2], now + 5000000);
	wheel_disarm(&wheel, &e[2]);
	while (n_fired < 2)
		uv_run(&loop, UV_RUN_ONCE);
	ck_assert_uint_ge(fired_at, now + 9000000);
	ck_assert_uint_eq(wheel.n, 0);
	close_wheel();
}
END_TEST

START_TEST(wheel_keeps_what_is_a_turn_away)
{
	struct wheel_entry far = {.fn = on_fire}, near = {.fn = on_fire};
	uint64_t now = uv_hrtime();
	uint64_t turn = (uint64_t)WHEEL_SLOTS * WHEEL_TICK;

	ck_assert_int_eq(wheel_init(&wheel, &loop), 0);
	wheel_arm(&wheel, &far, now + 3 * turn);
	wheel_arm(&wheel, &near, now + turn / 2);
	wheel_run(&wheel, now + 2 * turn);
	ck_assert_uint_eq(n_fired, 1);
	ck_assert_uint_eq(near.at_ns, 0);
	wheel_run(&wheel, now + 3 * turn - WHEEL_TICK);
	ck_assert_uint_eq(n_fired, 1);
	wheel_run(&wheel, now + 3 * turn + 2 * WHEEL_TICK);
	ck_assert_uint_eq(n_fired, 2);
	close_wheel();
}
END_TEST

START_TEST(wheel_moves_an_entry_armed_again)
{
	struct wheel_entry e = {.fn = on_fire};
	uint64_t now = uv_hrtime();

	ck_assert_int_eq(wheel_init(&wheel, &loop), 0);
	wheel_arm(&wheel, &e, now + 10000000);
	wheel_arm(&wheel, &e, now + 1000000000);
	ck_assert_uint_eq(wheel.n, 1);
	wheel_run(&wheel, now + 500000000);
	ck_assert_uint_eq(n_fired, 0);
	wheel_run(&wheel, now + 1100000000);
	ck_assert_uint_eq(n_fired, 1);
	close_wheel();
}
END_TEST

int main(void)
{
	Suite *s = suite_create("worker");
	TCase *tc = tcase_create("worker");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, runs_each_work_once_off_the_loop_and_reports_on_it);
	tcase_add_test(tc, grows_to_its_bound_and_no_further);
	tcase_add_test(tc, shrinks_when_idle_but_keeps_its_minimum);
	tcase_add_test(tc, finishes_what_was_handed_over_before_it_ends);
	tcase_add_test(tc, short_works_of_a_burst_are_told_together);
	tcase_add_test(tc, half_of_a_burst_is_told_while_the_rest_is_run);
	tcase_add_test(tc, what_is_done_waits_a_millisecond_at_most);
	tcase_add_test(tc, what_is_done_does_not_wait_for_longer_work);
	tcase_add_test(tc, what_is_done_does_not_wait_for_work_of_unknown_length);
	tcase_add_test(tc, mailbox_keeps_the_order_of_posts);
	tcase_add_test(tc, wheel_fires_never_early_and_in_the_end);
	tcase_add_test(tc, wheel_keeps_what_is_a_turn_away);
	tcase_add_test(tc, wheel_moves_an_entry_armed_again);
	suite_add_tcase(s, tc);
	return test_main(s);
}
