/* SPDX-License-Identifier: Apache-2.0 */
/* out and the buffer beneath it. */
#include "api/out.h"
#include "test-main.h"
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static struct iobuf_pool pool;
static struct out out;
static int fds[2];

static void setup(void)
{
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds),
			 0);
	out_init(&out, &pool);
}

static void teardown(void)
{
	out_deinit(&out);
	iobuf_pool_deinit(&pool);
	close(fds[0]);
	close(fds[1]);
}

static void append(uint8_t byte, size_t n)
{
	uint8_t *to = iobuf_reserve(&out.buf, n);

	ck_assert_ptr_nonnull(to);
	memset(to, byte, n);
	iobuf_commit(&out.buf, n);
}

static unsigned received_fds(struct msghdr *m)
{
	struct cmsghdr *c = CMSG_FIRSTHDR(m);
	unsigned n = c ? (unsigned)((c->cmsg_len - CMSG_LEN(0)) / sizeof(int)) : 0;
	int fd;

	for (unsigned i = 0; i < n; i++) {
		memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof(fd));
		close(fd);
	}
	return n;
}

static ssize_t receive(uint8_t *buf, size_t room, unsigned *ret_fds)
{
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(int) * 16)];
	struct iovec iov = {buf, room};
	struct msghdr m = {.msg_iov = &iov,
			   .msg_iovlen = 1,
			   .msg_control = control,
			   .msg_controllen = sizeof(control)};
	ssize_t n = recvmsg(fds[1], &m, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);

	*ret_fds = n > 0 ? received_fds(&m) : 0;
	return n;
}

START_TEST(sends_descriptors_with_the_first_byte_of_their_frame)
{
	static const bool owned[2] = {true, true};
	uint8_t buf[64];
	unsigned n_fds;
	int pair[2];

	append(1, 10);
	ck_assert_int_eq(pipe2(pair, O_CLOEXEC), 0);
	ck_assert(out_add_fds(&out, pair, owned, 2));
	append(2, 5);
	append(3, 5);
	ck_assert_int_eq(pipe2(pair, O_CLOEXEC), 0);
	ck_assert(out_add_fds(&out, pair, owned, 2));
	append(4, 7);
	ck_assert_int_eq(out_flush(&out, fds[0]), 0);
	ck_assert_uint_eq(out.n_fds, 0);
	/* A read ends before bytes that have descriptors of their own. */
	ck_assert_int_eq(receive(buf, 10, &n_fds), 10);
	ck_assert_uint_eq(n_fds, 0);
	ck_assert_int_eq(receive(buf, sizeof(buf), &n_fds), 10);
	ck_assert_uint_eq(n_fds, 2);
	ck_assert_uint_eq(buf[0], 2);
	ck_assert_int_eq(receive(buf, sizeof(buf), &n_fds), 7);
	ck_assert_uint_eq(n_fds, 2);
	ck_assert_uint_eq(buf[0], 4);
}
END_TEST

START_TEST(keeps_what_does_not_go_and_sends_it_in_order)
{
	static uint8_t buf[1 << 20];
	size_t total = 0, sent = 0;
	unsigned n_fds;
	uint8_t byte = 0;
	ssize_t n;

	while (out_flush(&out, fds[0]) == 0) {
		append(byte++, 50000);
		total += 50000;
	}
	ck_assert_uint_gt(out_len(&out), 0);
	append(byte++, 200000); /* beyond a pooled buffer */
	total += 200000;
	for (int turns = 0; sent < total && turns < 10000; turns++) {
		n = receive(buf, sizeof(buf), &n_fds);
		for (ssize_t i = 0; i < n; i++) {
			size_t at = sent + (size_t)i;
			unsigned want = at / 50000 < byte ? (unsigned)(at / 50000) : 0;

			if (want >= byte)
				want = byte - 1u;
			if (at < total - 200000)
				ck_assert_uint_eq(buf[i], want);
		}
		sent += n > 0 ? (size_t)n : 0;
		ck_assert_int_ne(out_flush(&out, fds[0]), -EPIPE);
	}
	ck_assert_uint_eq(sent, total);
	ck_assert_ptr_null(out.buf.mem);
}
END_TEST

START_TEST(notices_a_peer_that_is_gone)
{
	close(fds[1]);
	append(1, 10);
	ck_assert_int_eq(out_flush(&out, fds[0]), -EPIPE);
	fds[1] = dup(fds[0]);
}
END_TEST

START_TEST(closes_descriptors_that_are_never_sent)
{
	static const bool owned[2] = {true, false};
	int pair[2];

	ck_assert_int_eq(pipe2(pair, O_CLOEXEC), 0);
	ck_assert(out_add_fds(&out, pair, owned, 2));
	append(1, 1);
	out_deinit(&out);
	ck_assert_int_eq(fcntl(pair[0], F_GETFD), -1);
	ck_assert_int_ne(fcntl(pair[1], F_GETFD), -1);
	close(pair[1]);
	out_init(&out, &pool);
}
END_TEST

START_TEST(wipes_a_buffer_before_another_gets_it)
{
	struct iobuf b;
	uint8_t *mem;

	append(0xaa, 1000);
	mem = out.buf.mem;
	iobuf_reset(&out.buf);
	iobuf_init(&b, &pool);
	ck_assert_ptr_eq(iobuf_reserve(&b, 1), mem); /* the same memory, from the pool */
	for (int i = 0; i < 1000; i++)
		ck_assert_uint_eq(mem[i], 0);
	iobuf_reset(&b);
}
END_TEST

START_TEST(moves_queued_bytes_to_the_front_when_room_runs_out)
{
	append(1, IOBUF_SIZE - 10);
	iobuf_consume(&out.buf, IOBUF_SIZE - 20);
	append(2, 100);
	ck_assert_uint_eq(out.buf.room, IOBUF_SIZE);
	ck_assert_uint_eq(out_len(&out), 110);
	ck_assert_uint_eq(iobuf_data(&out.buf)[9], 1);
	ck_assert_uint_eq(iobuf_data(&out.buf)[10], 2);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("out");
	TCase *t = tcase_create("out");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, sends_descriptors_with_the_first_byte_of_their_frame);
	tcase_add_test(t, keeps_what_does_not_go_and_sends_it_in_order);
	tcase_add_test(t, notices_a_peer_that_is_gone);
	tcase_add_test(t, closes_descriptors_that_are_never_sent);
	tcase_add_test(t, wipes_a_buffer_before_another_gets_it);
	tcase_add_test(t, moves_queued_bytes_to_the_front_when_room_runs_out);
	suite_add_tcase(s, t);
	return test_main(s);
}
