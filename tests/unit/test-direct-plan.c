/* SPDX-License-Identifier: Apache-2.0 */
/* test-direct-plan - the local decision: here, to kcfd, or refused; and what it is made of. */
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include "direct-calls.h"

/* ---- where ---- */

START_TEST(always_queue_and_keys_in_kcfd_are_sent)
{
	struct kcf_call_req req = {.flags = KCF_ALWAYS_QUEUE};
	struct kcf_key named = kcf_key_named("k"), handle = {.kind = KCF_KEY_HANDLE};
	uint8_t in[16], out[32];
	struct kcf_data i = kcf_flat(in, 16), o = kcf_flat(out, 32);

	ck_send(digest("abc", 3, out, &req));
	ck_send(gcm(KCF_OP_ENCRYPT, &named, &i, &o, NULL));
	ck_send(gcm(KCF_OP_ENCRYPT, &handle, &i, &o, NULL));
	req.flags = KCF_NEVER_QUEUE;
	ck_send(gcm(KCF_OP_ENCRYPT, &handle, &i, &o, &req));
}
END_TEST

START_TEST(asynchronous_call_computes_here_only_if_it_is_short)
{
	struct kcf_param_pbkdf2 p = {KCF_M_SHA256, 1000, (const uint8_t *)"salt", 4};
	struct kcf_mechanism m = {KCF_M_PKCS5_PBKD2, sizeof(p), &p};
	struct kcf_key k = kcf_key_bytes("password", 8);
	struct kcf_call_req req = {0};
	uint8_t out[32];
	struct kcf_data o = kcf_flat(out, 32);
	struct op_call call = {.op = KCF_OP_DERIVE, .mech = &m, .key = &k, .out = &o, .req = &req};

	ck_done(digest("abc", 3, out, &req), SUCCESS);
	ck_assert_uint_ge(direct_predict_ns(w.d, KCF_M_PKCS5_PBKD2, 0), 200000);
	ck_send(call_of(&call));
	req.flags = KCF_NEVER_QUEUE;
	ck_send(call_of(&call));
	req.flags = KCF_WAIT;
	ck_done(call_of(&call), SUCCESS);
	call.req = NULL;
	ck_done(call_of(&call), SUCCESS);
}
END_TEST

START_TEST(hardware_is_asked_from_its_threshold_on)
{
	uint8_t in[8192] = {0}, out[32];

	world_add_hardware(&w, "CKM_SHA256", 4096);
	ck_done(digest(in, 4095, out, NULL), SUCCESS);
	ck_send(digest(in, 4096, out, NULL));
	w.writer.t->thresholds[table_find_name(w.d->view.copy, "CKM_SHA256")] = 8192;
	ck_done(digest(in, 4096, out, NULL), SUCCESS);
}
END_TEST

START_TEST(busy_hardware_is_passed_over_for_software_here)
{
	struct table_live *live = &w.writer.t->live[WORLD_HARDWARE];
	uint8_t in[8192] = {0}, out[32];

	world_add_hardware(&w, "CKM_SHA256", 0);
	ck_send(digest(in, 1, out, NULL));
	live->depth = 1;
	ck_done(digest(in, 1, out, NULL), SUCCESS);
	live->depth = 0;
	live->state = PROVIDER_BUSY;
	ck_done(digest(in, 1, out, NULL), SUCCESS);
	live->state = PROVIDER_FAILED;
	ck_done(digest(in, 1, out, NULL), SUCCESS);
	live->state = PROVIDER_READY;
	live->free_slots = 0;
	ck_done(digest(in, 1, out, NULL), SUCCESS);
}
END_TEST

START_TEST(never_queue_is_refused_where_only_a_queue_is_left)
{
	struct table_live *live = &w.writer.t->live[WORLD_HARDWARE];
	struct kcf_call_req req = {.flags = KCF_NEVER_QUEUE, .preference = KCF_ONLY_HARDWARE};
	uint8_t out[32];

	world_add_hardware(&w, "CKM_SHA256", 0);
	ck_send(digest("abc", 3, out, &req));
	live->depth = 3;
	ck_done(digest("abc", 3, out, &req), BUSY);
	ck_assert_int_eq(req.busy_reason, KCF_BUSY_WOULD_QUEUE);
	/* adaptive queues, synchronous waits */
	req.flags = 0;
	ck_send(digest("abc", 3, out, &req));
	req.flags = KCF_WAIT;
	ck_send(digest("abc", 3, out, &req));
	/* order only: software serves at once */
	req.flags = KCF_NEVER_QUEUE;
	req.preference = KCF_PREFER_HARDWARE;
	ck_done(digest("abc", 3, out, &req), SUCCESS);
}
END_TEST

START_TEST(preference_orders_and_filters)
{
	struct kcf_call_req req = {.flags = KCF_WAIT};
	uint8_t in[8192] = {0}, out[32];

	world_add_hardware(&w, "CKM_SHA256", 4096);
	req.preference = KCF_PREFER_HARDWARE;
	ck_send(digest(in, 1, out, &req));
	req.preference = KCF_PREFER_SOFTWARE;
	ck_done(digest(in, 8192, out, &req), SUCCESS);
	req.preference = KCF_ONLY_SOFTWARE;
	ck_done(digest(in, 8192, out, &req), SUCCESS);
	ck_assert_uint_eq(world_counted(w.page, KCF_M_SHA256, NETTLE).ops, 0);
	req.preference = KCF_ONLY_PROVIDER;
	req.provider = "nettle";
	ck_done(digest(in, 8192, out, &req), SUCCESS);
	ck_assert_uint_eq(world_counted(w.page, KCF_M_SHA256, NETTLE).ops, 1);
	req.provider = "device";
	ck_send(digest(in, 1, out, &req));
	req.provider = "nobody";
	ck_done(digest(in, 1, out, &req), MECH_NOT_SUPPORTED);
}
END_TEST

START_TEST(administrators_change_reaches_a_running_client)
{
	uint8_t out[32];

	for (int i = 0; i < 3; i++)
		ck_done(digest("abc", 3, out, NULL), SUCCESS);
	ck_assert_uint_eq(world_counted(w.page, KCF_M_SHA256, OPENSSL).ops, 3);
	world_enable(&w, "CKM_SHA256", "openssl", false);
	ck_done(digest("abc", 3, out, NULL), SUCCESS);
	ck_assert_mem_eq(out, abc_digest, 32);
	ck_assert_uint_eq(world_counted(w.page, KCF_M_SHA256, NETTLE).ops, 1);
	world_enable(&w, "CKM_SHA256", "nettle", false);
	ck_done(digest("abc", 3, out, NULL), MECH_NOT_SUPPORTED);
	world_enable(&w, "CKM_SHA256", "openssl", true);
	ck_done(digest("abc", 3, out, NULL), SUCCESS);
	ck_assert_uint_eq(world_counted(w.page, KCF_M_SHA256, OPENSSL).ops, 4);
}
END_TEST

START_TEST(plans_that_return_are_used_again)
{
	uint8_t out[32];
	unsigned n = 0;

	for (int i = 0; i < 50; i++) {
		ck_done(digest("abc", 3, out, NULL), SUCCESS);
		world_enable(&w, "CKM_SHA256", "openssl", i & 1);
	}
	for (struct template_plan *p = w.d->hidden[KCF_M_SHA256]->plans; p; p = p->next)
		n++;
	/* both providers or one, before and after their modules were opened */
	ck_assert_uint_le(n, 4);
}
END_TEST

START_TEST(templates_of_a_mechanism_share_its_plan_and_nothing_else)
{
	struct kcf_template *a = template(KCF_M_AES_GCM, key_bytes, 32);
	struct kcf_template *b = template(KCF_M_AES_GCM, key_bytes, 16);
	struct kcf_template *other = template(KCF_M_SHA256_HMAC, key_bytes, 32);
	struct kcf_key ka = kcf_key_tmpl(a), kb = kcf_key_tmpl(b);
	uint8_t in[16] = "text", x[32], y[32];
	struct kcf_data i = kcf_flat(in, 16), ox = kcf_flat(x, 32), oy = kcf_flat(y, 32);

	ck_done(gcm(KCF_OP_ENCRYPT, &ka, &i, &ox, NULL), SUCCESS);
	ck_done(gcm(KCF_OP_ENCRYPT, &kb, &i, &oy, NULL), SUCCESS);
	ck_assert_ptr_eq(a->plan->plan, b->plan->plan);
	ck_assert_ptr_ne(a->plan->plan, other->plan->plan);
	ck_assert_ptr_ne(a->plan, b->plan);
	ck_assert_mem_ne(x, y, 32);
	template_unref(a);
	template_unref(b);
	template_unref(other);
}
END_TEST

START_TEST(generation_makes_templates_anew)
{
	struct kcf_template *t = template(KCF_M_AES_GCM, key_bytes, 32);
	struct kcf_key k = kcf_key_tmpl(t);
	uint8_t in[16] = "text", x[32], y[32];
	struct kcf_data i = kcf_flat(in, 16), ox = kcf_flat(x, 32), oy = kcf_flat(y, 32);
	struct prepared *before = t->preps->prepared;

	ck_done(gcm(KCF_OP_ENCRYPT, &k, &i, &ox, NULL), SUCCESS);
	table_edit(&w.writer)->providers[OPENSSL].generation++;
	table_publish(&w.writer);
	ck_done(gcm(KCF_OP_ENCRYPT, &k, &i, &oy, NULL), SUCCESS);
	ck_assert_mem_eq(x, y, 32);
	ck_assert_ptr_ne(t->preps->prepared, before);
	template_unref(t);
}
END_TEST

START_TEST(untrusted_kcfd_runs_nothing_here)
{
	uint8_t out[32];

	world_attach(&w, false);
	ck_send(digest("abc", 3, out, NULL));
}
END_TEST

static int sealed_openssl(void)
{
	struct module_error err = {""};
	int fd = module_seal(TEST_MODULE_DIR "/kcf-openssl.so", &err);

	ck_assert_msg(fd >= 0, "%s", err.text);
	return fd;
}

START_TEST(module_that_comes_later_runs_here_if_kcfd_is_trusted)
{
	uint8_t out[32];
	int fd = sealed_openssl();

	world_attach(&w, false);
	ck_send(digest("abc", 3, out, NULL));
	direct_attach_module(w.d, OPENSSL, fd, false);
	ck_assert_int_eq(fcntl(fd, F_GETFD), -1);
	ck_send(digest("abc", 3, out, NULL));
	direct_attach_module(w.d, OPENSSL, sealed_openssl(), true);
	ck_done(digest("abc", 3, out, NULL), SUCCESS);
	ck_assert_mem_eq(out, abc_digest, 32);
	/* the row's next one takes its place, opened or not */
	direct_attach_module(w.d, OPENSSL, sealed_openssl(), true);
	direct_attach_module(w.d, OPENSSL, sealed_openssl(), true);
	ck_done(digest("abc", 3, out, NULL), SUCCESS);
	direct_attach_module(w.d, TABLE_PROVIDERS, sealed_openssl(), true);
}
END_TEST

START_TEST(another_version_in_the_row_is_not_run_here)
{
	struct table_copy *c;
	uint8_t out[32];
	struct kcf_call_req req = {
		.flags = KCF_WAIT, .preference = KCF_ONLY_PROVIDER, .provider = "openssl"};

	ck_done(digest("abc", 3, out, &req), SUCCESS);
	c = table_edit(&w.writer);
	c->providers[OPENSSL].version++;
	c->providers[OPENSSL].generation++;
	table_publish(&w.writer);
	ck_send(digest("abc", 3, out, &req));
}
END_TEST

START_TEST(modules_of_another_version_leave_everything_to_kcfd)
{
	struct kcf_param_iv p = {iv, 16};
	struct kcf_mechanism ctr = {KCF_M_AES_CTR, sizeof(p), &p};
	struct kcf_mechanism hmac = {KCF_M_SHA256_HMAC, 0, NULL};
	struct kcf_key k1 = kcf_key_bytes(key_bytes, 16), k2 = kcf_key_bytes(key_bytes, 32);
	uint8_t in[16] = "text", out[16], mac[32], iv16[16] = "sixteen bytes iv";
	struct kcf_data i = kcf_flat(in, 16), o = kcf_flat(out, 16), m = kcf_flat(mac, 32);
	struct op_call dual = {.op = KCF_OP_ENCRYPT_MAC,
			       .mech = &ctr,
			       .mech2 = &hmac,
			       .key = &k1,
			       .key2 = &k2,
			       .in = &i,
			       .out = &o,
			       .mac = &m};
	struct op_call one = {.op = KCF_OP_MAC, .mech = &hmac, .key = &k1, .in = &i, .out = &m};
	struct kcf_how how = {KCF_OP_MAC, &hmac, &k2, NULL};
	struct direct_context *ctx;
	enum kcf_status status;
	struct table_copy *c = table_edit(&w.writer);
	struct kcf_template *t;

	p.iv = iv16;
	c->providers[OPENSSL].version++;
	c->providers[NETTLE].version++;
	table_publish(&w.writer);
	t = template(KCF_M_SHA256_HMAC, key_bytes, 32);
	k1 = kcf_key_tmpl(t);
	ck_send(call_of(&one));
	k1 = kcf_key_bytes(key_bytes, 16);
	ck_send(call_of(&one));
	ck_send(call_of(&dual));
	ck_assert_int_eq(direct_context_new(w.d, &how, NULL, &ctx, &status), DIRECT_SEND);
	template_unref(t);
}
END_TEST

START_TEST(row_of_the_next_kcfd_may_be_another_provider)
{
	static const char *const turned[] = {"kcf-nettle.so", "kcf-openssl.so", NULL};
	struct kcf_template *t = template(KCF_M_AES_GCM, key_bytes, 32);
	struct kcf_key k = kcf_key_tmpl(t);
	uint8_t in[16] = "text", x[32], y[32];
	struct kcf_data i = kcf_flat(in, 16), ox = kcf_flat(x, 32), oy = kcf_flat(y, 32);
	struct world next;
	unsigned n = 0;
	int gcm_at;

	ck_done(gcm(KCF_OP_ENCRYPT, &k, &i, &ox, NULL), SUCCESS);
	ck_done(gcm(KCF_OP_ENCRYPT, &k, &i, &ox, NULL), SUCCESS);
	direct_detach(w.d);
	/* the same generations, the same numbers of rows */
	world_open(&next, turned);
	/* and nettle is first there, as the cheapest */
	gcm_at = table_find(&next.writer.t->copies[next.writer.t->generation & 1], KCF_M_AES_GCM);
	next.writer.t->costs[gcm_at][0][0] = TABLE_COST(1, 1);
	table_writer_deinit(&w.writer);
	w.writer = next.writer;
	w.modules[0] = turned[0];
	w.modules[1] = turned[1];
	world_attach(&w, true);
	ck_done(gcm(KCF_OP_ENCRYPT, &k, &i, &oy, NULL), SUCCESS);
	ck_done(gcm(KCF_OP_ENCRYPT, &k, &i, &oy, NULL), SUCCESS);
	ck_assert_mem_eq(x, y, 32);
	for (struct direct_prep *p = t->preps; p; p = p->next, n++)
		ck_assert_str_eq(p->inst->desc->name, n ? "openssl" : "nettle");
	ck_assert_uint_eq(n, 2);
	template_unref(t);
	direct_free(next.d);
	page_unmap(next.page);
}
END_TEST

static struct kcf_template *shared_template;
static int stop;

/* Every call ends in one of the ways the moment allows, and a result is always right. */
static void *work_for_ever(void *arg)
{
	struct kcf_key k = kcf_key_tmpl(shared_template);
	uint8_t in[16] = "text", out[32];
	struct kcf_data i = kcf_flat(in, 16), o;
	const uint8_t *want = arg;
	struct result r;

	while (!__atomic_load_n(&stop, __ATOMIC_RELAXED)) {
		o = kcf_flat(out, 32);
		r = gcm(KCF_OP_ENCRYPT, &k, &i, &o, NULL);
		ck_assert(r.verdict == DIRECT_SEND || r.status == KCF_SUCCESS ||
			  r.status == KCF_NO_DAEMON);
		if (r.verdict == DIRECT_DONE && r.status == KCF_SUCCESS)
			ck_assert_mem_eq(out, want, 32);
		r = digest("abc", 3, out, NULL);
		ck_assert(r.verdict == DIRECT_SEND || r.status == KCF_SUCCESS ||
			  r.status == KCF_NO_DAEMON);
		if (r.verdict == DIRECT_DONE && r.status == KCF_SUCCESS)
			ck_assert_mem_eq(out, abc_digest, 32);
	}
	return NULL;
}

START_TEST(threads_go_on_while_everything_changes)
{
	uint8_t in[16] = "text", want[32];
	struct kcf_data d = kcf_flat(in, 16), o = kcf_flat(want, 32);
	struct kcf_key k;
	pthread_t threads[3];

	w.client.standalone = true;
	shared_template = template(KCF_M_AES_GCM, key_bytes, 32);
	k = kcf_key_tmpl(shared_template);
	ck_done(gcm(KCF_OP_ENCRYPT, &k, &d, &o, NULL), SUCCESS);
	for (int i = 0; i < 3; i++)
		pthread_create(&threads[i], NULL, work_for_ever, want);
	for (int i = 0; i < 150; i++) {
		world_enable(&w, "CKM_SHA256", "openssl", i & 1);
		world_enable(&w, "CKM_AES_GCM", "openssl", i & 2);
		table_edit(&w.writer)->providers[OPENSSL].generation += i % 8 == 0;
		table_publish(&w.writer);
		if (i % 8 == 3)
			direct_detach(w.d);
		if (i % 8 == 5)
			world_attach(&w, i % 16 != 5);
		sched_yield();
	}
	__atomic_store_n(&stop, 1, __ATOMIC_RELAXED);
	for (int i = 0; i < 3; i++)
		pthread_join(threads[i], NULL);
	template_unref(shared_template);
}
END_TEST

START_TEST(denied_mechanism_is_not_sent_but_may_run_here)
{
	struct kcf_call_req req = {.flags = KCF_ALWAYS_QUEUE};
	uint8_t in[8192] = {0}, out[32];
	int i;

	ck_done(digest("abc", 3, out, NULL), SUCCESS);
	i = table_find_name(w.d->view.copy, "CKM_SHA256");
	w.page->denied[i / 8] |= (uint8_t)(1 << i % 8);
	ck_done(digest("abc", 3, out, &req), PERMISSION_DENIED);
	ck_done(digest("abc", 3, out, NULL), SUCCESS);
	world_add_hardware(&w, "CKM_SHA256", 0);
	ck_done(digest(in, 8192, out, NULL), SUCCESS);
}
END_TEST

START_TEST(after_the_end_of_kcfd_standalone_goes_on_by_the_last_table)
{
	struct kcf_call_req req = {.flags = KCF_ALWAYS_QUEUE};
	uint8_t out[32];

	ck_done(digest("abc", 3, out, NULL), SUCCESS);
	direct_detach(w.d);
	ck_assert_ptr_null(direct_page(w.d));
	ck_done(digest("abc", 3, out, NULL), NO_DAEMON);
	w.client.standalone = true;
	direct_detach(w.d);
	ck_done(digest("abc", 3, out, NULL), SUCCESS);
	ck_done(digest("abc", 3, out, &req), NO_DAEMON);
	world_attach(&w, true);
	ck_assert_ptr_nonnull(direct_page(w.d));
	ck_done(digest("abc", 3, out, NULL), SUCCESS);
	ck_assert_uint_eq(world_counted(w.page, KCF_M_SHA256, OPENSSL).ops, 1);
}
END_TEST

START_TEST(client_that_never_had_a_kcfd_loads_the_folder)
{
	struct kcf_client alone = {.standalone = true};
	struct kcf_data i = kcf_flat("abc", 3), o;
	uint8_t out[32];
	struct op_call call = {.op = KCF_OP_DIGEST, .mech = &sha256, .in = &i, .out = &o};
	struct kcf_mech_info info[256];
	enum kcf_status status;
	size_t n = 256;

	o = kcf_flat(out, 32);
	alone.direct = direct_new(&alone);
	ck_assert_int_eq(direct_standalone(alone.direct, TEST_MODULE_DIR), KCF_SUCCESS);
	ck_assert_int_eq(direct_call(alone.direct, &call, &status), DIRECT_DONE);
	ck_assert_int_eq(status, KCF_SUCCESS);
	ck_assert_mem_eq(out, abc_digest, 32);
	ck_assert_int_eq(direct_mech_list(alone.direct, info, &n), KCF_SUCCESS);
	ck_assert_uint_gt(n, 20);
	for (size_t j = 0; j < n; j++) {
		ck_assert_int_eq(info[j].place, KCF_PLACE_CALLER);
		for (uint32_t k = 0; k < info[j].n_providers; k++)
			ck_assert_str_ne(info[j].providers[k], "fault");
	}
	direct_free(alone.direct);
	/* and without leave to stand alone nothing runs */
	alone.standalone = false;
	alone.direct = direct_new(&alone);
	ck_assert_int_eq(direct_call(alone.direct, &call, &status), DIRECT_DONE);
	ck_assert_int_eq(status, KCF_NO_DAEMON);
	direct_free(alone.direct);
}
END_TEST

START_TEST(child_of_fork_works_alone_and_counts_nothing_of_the_parents)
{
	struct kcf_call_req req = {.flags = KCF_ALWAYS_QUEUE};
	uint8_t out[32];
	int status;
	pid_t pid;

	w.client.standalone = true;
	ck_done(digest("abc", 3, out, NULL), SUCCESS);
	pid = fork();
	if (!pid) {
		bool ok = digest("abc", 3, out, NULL).status == KCF_SUCCESS &&
			  digest("abc", 3, out, &req).status == KCF_NO_DAEMON && !direct_page(w.d);

		w.client.standalone = false;
		direct_detach(w.d);
		ok = ok && digest("abc", 3, out, NULL).status == KCF_NO_DAEMON;
		_exit(ok ? 0 : 1);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert(WIFEXITED(status) && !WEXITSTATUS(status));
	ck_assert_uint_eq(world_counted(w.page, KCF_M_SHA256, OPENSSL).ops, 1);
}
END_TEST

/* ---- look-up ---- */

START_TEST(info_tells_where_a_call_would_run)
{
	struct kcf_mech_info info;
	kcf_mech_t number;

	ck_assert_int_eq(direct_mech_find(w.d, "sha2-256", &number), KCF_SUCCESS);
	ck_assert_uint_eq(number, KCF_M_SHA256);
	ck_assert_int_eq(direct_mech_info(w.d, number, &info), KCF_SUCCESS);
	ck_assert_str_eq(info.name, "CKM_SHA256");
	ck_assert_uint_eq(info.n_providers, 2);
	ck_assert_str_eq(info.providers[0], "openssl");
	ck_assert_int_eq(info.place, KCF_PLACE_CALLER);
	world_add_hardware(&w, "CKM_SHA256", 4096);
	ck_assert_int_eq(direct_mech_info(w.d, number, &info), KCF_SUCCESS);
	ck_assert_uint_eq(info.threshold, 4096);
	ck_assert_int_eq(info.place, KCF_PLACE_CALLER);
	world_enable(&w, "CKM_SHA256", "openssl", false);
	world_enable(&w, "CKM_SHA256", "nettle", false);
	ck_assert_int_eq(direct_mech_info(w.d, number, &info), KCF_SUCCESS);
	ck_assert_int_eq(info.place, KCF_PLACE_HARDWARE);
	ck_assert_int_eq(direct_mech_info(w.d, 3000, &info), KCF_MECHANISM_INVALID);
	ck_assert_str_eq(direct_provider_name(w.d, WORLD_HARDWARE + 1), "device");
	ck_assert_str_eq(direct_provider_name(w.d, 0), "");
}
END_TEST

START_TEST(list_tells_how_many_there_are)
{
	struct kcf_mech_info info[2];
	size_t n = 2;

	ck_assert_int_eq(direct_mech_list(w.d, info, &n), KCF_BUFFER_TOO_SMALL);
	ck_assert_uint_gt(n, 40);
	ck_assert_uint_gt(info[1].n_providers, 0);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("direct-plan");
	TCase *t = tcase_create("direct-plan");

	if (access(TEST_MODULE_DIR "/kcf-nettle.so", R_OK) < 0)
		test_skip_all("the nettle provider was not built");
	tcase_add_checked_fixture(t, calls_setup, calls_teardown);
	tcase_add_test(t, always_queue_and_keys_in_kcfd_are_sent);
	tcase_add_test(t, asynchronous_call_computes_here_only_if_it_is_short);
	tcase_add_test(t, hardware_is_asked_from_its_threshold_on);
	tcase_add_test(t, busy_hardware_is_passed_over_for_software_here);
	tcase_add_test(t, never_queue_is_refused_where_only_a_queue_is_left);
	tcase_add_test(t, preference_orders_and_filters);
	tcase_add_test(t, administrators_change_reaches_a_running_client);
	tcase_add_test(t, plans_that_return_are_used_again);
	tcase_add_test(t, templates_of_a_mechanism_share_its_plan_and_nothing_else);
	tcase_add_test(t, generation_makes_templates_anew);
	tcase_add_test(t, untrusted_kcfd_runs_nothing_here);
	tcase_add_test(t, module_that_comes_later_runs_here_if_kcfd_is_trusted);
	tcase_add_test(t, another_version_in_the_row_is_not_run_here);
	tcase_add_test(t, modules_of_another_version_leave_everything_to_kcfd);
	tcase_add_test(t, row_of_the_next_kcfd_may_be_another_provider);
	tcase_add_test(t, threads_go_on_while_everything_changes);
	tcase_add_test(t, denied_mechanism_is_not_sent_but_may_run_here);
	tcase_add_test(t, after_the_end_of_kcfd_standalone_goes_on_by_the_last_table);
	tcase_add_test(t, client_that_never_had_a_kcfd_loads_the_folder);
	tcase_add_test(t, child_of_fork_works_alone_and_counts_nothing_of_the_parents);
	tcase_add_test(t, info_tells_where_a_call_would_run);
	tcase_add_test(t, list_tells_how_many_there_are);
	suite_add_tcase(s, t);
	return test_main(s);
}
