/* SPDX-License-Identifier: Apache-2.0 */
/* openssl-calls: see openssl-calls.h. Thread: the test's. */
#include <check.h>
#include <openssl/err.h>
#include <stdlib.h>
#include <string.h>
#include "openssl-calls.h"

#define SPLIT_MAX 4096

struct fake_host fake;

const size_t lengths[N_LENGTHS] = {0,   1,   7,   8,   15,  16,   17,      31,  32,
				   33,  48,  63,  64,  65,  100,  128,     255, 256,
				   257, 272, 500, 512, 600, 1024, DATA_MAX};

void calls_setup(void)
{
	ck_assert_int_eq(fake_host_open(&fake, TEST_MODULE_DIR "/kcf-openssl.so", NULL),
			 KCF_SUCCESS);
}

void calls_teardown(void)
{
	fake_host_close(&fake);
	ck_assert_uint_eq(ERR_peek_error(), 0);
}

void fill(uint8_t *bytes, size_t len, unsigned seed)
{
	for (size_t i = 0; i < len; i++)
		bytes[i] = (uint8_t)(i * 7 + seed * 31 + (i >> 8) + 3);
}

struct fake_template template_format(const char *name, enum kcf_key_format format, const void *key,
				     size_t len)
{
	struct kcf_key_data data = {format, key, len};
	struct fake_template t;
	int row = fake_row(&fake, name, ~0u);

	ck_assert_msg(row >= 0, "%s", name);
	ck_assert_int_eq(fake_template_new(&fake, (uint32_t)row, key ? &data : NULL, &t),
			 KCF_SUCCESS);
	return t;
}

struct fake_template template_of(const char *name, const void *key, size_t len)
{
	return template_format(name, KCF_KEY_RAW, key, len);
}

enum kcf_status template_status(const char *name, enum kcf_key_format format, const void *key,
				size_t len)
{
	struct kcf_key_data data = {format, key, len};
	struct fake_template t;
	int row = fake_row(&fake, name, ~0u);

	ck_assert_msg(row >= 0, "%s", name);
	return fake_template_new(&fake, (uint32_t)row, key ? &data : NULL, &t);
}

size_t unhex(const char *hex, uint8_t *ret)
{
	size_t n = 0;

	for (; hex[0] && hex[1]; hex += 2) {
		char pair[3] = {hex[0], hex[1], 0};

		ret[n++] = (uint8_t)strtoul(pair, NULL, 16);
	}
	return n;
}

struct fake_template template_case(const struct row_case *c)
{
	uint8_t key[256];

	fill(key, sizeof(key), 1);
	return template_of(c->name, c->key_len ? key : NULL, c->key_len);
}

static uint32_t pieces(struct iovec *v, uint8_t *p, size_t len, size_t piece)
{
	uint32_t n = 0;

	for (size_t done = 0; done < len; done += v[n++].iov_len) {
		v[n].iov_base = p + done;
		v[n].iov_len = len - done < piece ? len - done : piece;
		ck_assert_uint_lt(n + 1, SPLIT_MAX);
	}
	return n;
}

/* One single-part job; in and out cut into pieces. */
enum kcf_status run_cut(struct call *c, size_t in_piece, size_t out_piece)
{
	static struct iovec in[SPLIT_MAX], out[SPLIT_MAX], check[SPLIT_MAX];
	struct kcf_job job;
	enum kcf_status status;

	fake_job(&job, c->t, c->op, KCF_SINGLE, c->param);
	fake_job_in(&job, in, pieces(in, (uint8_t *)c->in, c->in_len, in_piece));
	fake_job_out(&job, out, pieces(out, c->out, c->room, out_piece));
	fake_job_check(&job, check, pieces(check, (uint8_t *)c->check, c->check_len, in_piece));
	status = fake_run(&fake, &job);
	c->out_len = job.out_len;
	return status;
}

enum kcf_status run(struct call *c)
{
	return run_cut(c, SIZE_MAX / 2, SIZE_MAX / 2);
}

/* As a context, in updates of piece bytes; with a too-small attempt before every step. */
enum kcf_status run_parts(struct call *c, size_t piece, bool data_in_final)
{
	struct kcf_job job;
	enum kcf_status status;
	size_t done = 0, len = 0;
	void *ctx;

	fake_job(&job, c->t, c->op, KCF_INIT, c->param);
	status = fake_run(&fake, &job);
	if (status != KCF_SUCCESS)
		return status;
	ctx = job.ctx;
	for (bool last = false; !last && status == KCF_SUCCESS;) {
		size_t n = c->in_len - done < piece ? c->in_len - done : piece;
		struct iovec in = {(void *)(c->in + done), n},
			     out = {c->out ? c->out + len : NULL, 0};
		struct iovec check = {(void *)c->check, c->check_len};

		last = data_in_final ? done + n == c->in_len : n == 0;
		fake_job(&job, c->t, c->op, last ? KCF_FINAL_PHASE : KCF_UPDATE, NULL);
		job.ctx = ctx;
		fake_job_in(&job, &in, 1);
		fake_job_out(&job, &out, 1);
		if (last)
			fake_job_check(&job, &check, 1);
		status = fake_run(&fake, &job);
		if (status == KCF_BUFFER_TOO_SMALL) {
			out.iov_len = job.out_len;
			ck_assert_uint_le(len + out.iov_len, c->room + 16);
			fake_job_out(&job, &out, 1);
			status = fake_run(&fake, &job);
		}
		len += job.out_len;
		done += n;
	}
	fake_job(&job, c->t, c->op, KCF_UPDATE, NULL);
	job.ctx = ctx;
	ck_assert_int_eq(fake_run(&fake, &job),
			 KCF_INVALID_CONTEXT); /* the end is the end, good or bad */
	fake.desc->ops->context_free(fake.prov, ctx);
	c->out_len = len;
	return status;
}

void ck_bytes(const struct row_case *c, const char *how, const uint8_t *got, size_t got_len,
	      const uint8_t *expect, size_t len)
{
	ck_assert_msg(got_len == len && memcmp(got, expect, len) == 0, "%s: %s, %zu bytes", c->name,
		      how, len);
}

/* Every way a call that puts data out can be made; all must give expect. */
void all_ways(const struct row_case *rc, struct call *c, const uint8_t *expect, size_t expect_len,
	      bool multi)
{
	static uint8_t in[DATA_MAX + 200], out[DATA_MAX + 200];
	static const size_t cuts[][2] = {{1, 1}, {16, 3}, {5, 16}, {1, 64}, {33, 1}, {300, 299}};
	const uint8_t *data = c->in;

	memcpy(in, data, c->in_len);
	c->in = in;
	c->out = out;
	c->room = expect_len;
	ck_assert_int_eq(run(c), KCF_SUCCESS);
	ck_bytes(rc, "whole", out, c->out_len, expect, expect_len);
	for (size_t i = 0; i < N(cuts); i++) {
		memset(out, 0, sizeof(out));
		ck_assert_int_eq(run_cut(c, cuts[i][0], cuts[i][1]), KCF_SUCCESS);
		ck_bytes(rc, "cut", out, c->out_len, expect, expect_len);
	}
	if (expect_len > 0) {
		c->room = expect_len - 1;
		ck_assert_int_eq(run(c), KCF_BUFFER_TOO_SMALL);
		ck_assert_uint_eq(c->out_len, expect_len);
	}
	c->room = expect_len;
	for (size_t i = 0; multi && i < N(cuts); i++) {
		memset(out, 0, sizeof(out));
		ck_assert_int_eq(run_parts(c, cuts[i][0], i & 1), KCF_SUCCESS);
		ck_bytes(rc, "parts", out, c->out_len, expect, expect_len);
	}
	if (c->op == KCF_OP_ENCRYPT || c->op == KCF_OP_DECRYPT) { /* in place, also cut alike */
		c->out = in;
		for (size_t piece = 1; piece <= DATA_MAX; piece = piece * 3 + 2) {
			memcpy(in, data, c->in_len);
			ck_assert_int_eq(run_cut(c, piece, piece), KCF_SUCCESS);
			ck_bytes(rc, "in place", in, c->out_len, expect, expect_len);
		}
	}
	c->in = data;
}

/* In-place updates, where what a context carries shifts output against input. */
void in_place_parts(const struct row_case *rc, struct call *c, const uint8_t *expect,
		    size_t expect_len)
{
	uint8_t buf[DATA_MAX], all[DATA_MAX + 64];
	size_t cut[] = {5, 300, 16, 1, 700}, done = 0, len = 0;
	struct kcf_job job;
	void *ctx;

	fake_job(&job, c->t, c->op, KCF_INIT, c->param);
	ck_assert_int_eq(fake_run(&fake, &job), KCF_SUCCESS);
	ctx = job.ctx;
	for (size_t i = 0; i <= N(cut); i++) {
		size_t n = i < N(cut) && cut[i] < c->in_len - done ? cut[i] : c->in_len - done;
		struct iovec in = {buf, n}, out = {buf, sizeof(buf)};

		memcpy(buf, c->in + done, n);
		fake_job(&job, c->t, c->op, i < N(cut) ? KCF_UPDATE : KCF_FINAL_PHASE, NULL);
		job.ctx = ctx;
		fake_job_in(&job, &in, 1);
		fake_job_out(&job, &out, 1);
		ck_assert_int_eq(fake_run(&fake, &job), KCF_SUCCESS);
		memcpy(all + len, buf, job.out_len);
		len += job.out_len;
		done += n;
	}
	fake.desc->ops->context_free(fake.prov, ctx);
	ck_bytes(rc, "in place, in parts", all, len, expect, expect_len);
}
