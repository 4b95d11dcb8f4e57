/* SPDX-License-Identifier: Apache-2.0 */
/* Requests by ring: what goes there, what comes back, and that nothing else changes by it. */
#include <poll.h>
#include <sched.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include "client-core.h"
#include "client-fixture.h"
#include "fake-ring.h"
#include "test-main.h"

static struct kcf_client *client;
static struct kcf_template *gcm, *hmac, *cbc;
static uint8_t *in, *out, *mac;
static struct result result;
static const struct kcf_key raw_key = {KCF_KEY_BYTES, KCF_KEY_RAW, "0123456789abcdef", 16};
static uint8_t nonce[17], aad[512];
static struct kcf_param_aead aead;

static const struct result none = RESULT_INIT;

static struct kcf_call_req async_req(void)
{
	return (struct kcf_call_req){
		.flags = KCF_ALWAYS_QUEUE, .callback = on_done, .arg = &result};
}

static enum kcf_status encrypt(struct kcf_template *t, const void *from, void *to, size_t len,
			       struct kcf_call_req *req)
{
	const struct kcf_mechanism mech = {KCF_M_AES_GCM, sizeof(aead), &aead};
	struct kcf_key key = kcf_key_tmpl(t);
	struct kcf_data din = kcf_flat(from, len), dout = kcf_flat(to, len + 16);

	return kcf_encrypt(client, &mech, &key, &din, &dout, req);
}

static enum kcf_status make_mac(struct kcf_call_req *req)
{
	const struct kcf_mechanism mech = {KCF_M_SHA256_HMAC, 0, NULL};
	struct kcf_key key = kcf_key_tmpl(hmac);
	struct kcf_data din = kcf_flat(in, 64), dout = kcf_flat(out, 32);

	return kcf_mac(client, &mech, &key, &din, &dout, req);
}

static struct kcf_template *template(kcf_mech_t mech)
{
	struct kcf_template *t;

	ck_assert_int_eq(kcf_template_create(client, mech, &raw_key, &t), KCF_SUCCESS);
	return t;
}

/* Dual operations need both templates there. */
static enum kcf_status dual(const struct kcf_param_mac *param, uint8_t *to, uint8_t *mac_at,
			    struct kcf_call_req *req)
{
	const struct kcf_param_iv iv = {nonce, 16};
	const struct kcf_mechanism cipher = {KCF_M_AES_CBC, sizeof(iv), &iv};
	const struct kcf_mechanism m = {KCF_M_SHA256_HMAC, param ? sizeof(*param) : 0, param};
	const struct kcf_key cipher_key = kcf_key_tmpl(cbc), mac_key = kcf_key_tmpl(hmac);
	const struct kcf_dual how = {&cipher, &cipher_key, &m, &mac_key};
	struct kcf_data din = kcf_flat(in, 64), dout = kcf_flat(to, 64);
	struct kcf_data dmac = kcf_flat(mac_at, 32);

	return kcf_encrypt_mac(client, &how, &din, &dout, &dmac, req);
}

/* A client whose ring is up and whose templates are there. */
static void open_up(uint32_t flags)
{
	struct kcf_call_req req = async_req();

	client = open_client(flags);
	in = kcf_buf_alloc(client, 8192);
	out = kcf_buf_alloc(client, 8192);
	mac = kcf_buf_alloc(client, 64);
	memcpy(in, data_in, 64);
	gcm = template(KCF_M_AES_GCM);
	hmac = template(KCF_M_SHA256_HMAC);
	cbc = template(KCF_M_AES_CBC);
	if (flags & KCF_CLIENT_APP_LOOP) {
		ck_assert_int_eq(encrypt(gcm, in, out, 64, NULL), KCF_SUCCESS);
		return;
	}
	ck_assert_int_eq(encrypt(gcm, in, out, 64, &req), KCF_QUEUED);
	ck_assert_int_eq(dual(NULL, out, mac, &req), KCF_QUEUED);
	wait_result(&result, 2);
	ck_assert(client_ring_is_up(&client->ring));
	ck_assert_uint_eq(fake_entries(&fake), 0);
	result = none;
	memset(out, 0, 80);
}

static void setup(void)
{
	fixture_setup();
	FAKE_SET(&fake, features, FEATURE_RING);
	FAKE_SET(&fake, lease, 4096);
	result = none;
	for (size_t i = 0; i < sizeof(aad); i++)
		aad[i] = (uint8_t)(i * 5 + 1);
	for (size_t i = 0; i < sizeof(nonce); i++)
		nonce[i] = (uint8_t)(i + 100);
	aead = (struct kcf_param_aead){.iv = nonce, .iv_len = 12, .aad = aad, .aad_len = 13};
	client = NULL;
}

static void teardown(void)
{
	if (client)
		ck_assert_int_eq(kcf_client_close(client), KCF_SUCCESS);
	fixture_teardown();
}

/* ---- getting one ---- */

START_TEST(asks_once_and_goes_by_ring_from_then_on)
{
	struct kcf_call_req req = async_req();

	open_up(0);
	for (unsigned i = 1; i <= 100; i++) {
		memset(out, 0, 64);
		ck_assert_int_eq(encrypt(gcm, in, out, 64, &req), KCF_QUEUED);
		wait_result(&result, i);
		ck_assert_int_eq(result.last.status, KCF_SUCCESS);
		ck_assert_uint_eq(result.last.len, 64);
		ck_assert_uint_eq(result.last.id, req.id);
		ck_assert_str_eq(result.provider, "fake");
		expect_mixed(out, in, 64);
	}
	ck_assert_uint_eq(fake_entries(&fake), 100);
	ck_assert_uint_eq(fake_count(&fake, FRAME_RING_NEW), 1);
	ck_assert_uint_eq(fake_count(&fake, FRAME_OP), 2);
	ck_assert_uint_eq(__atomic_load_n(&fake.page->credit, __ATOMIC_RELAXED), 4096);
}
END_TEST

START_TEST(asks_nobody_who_does_not_know_rings)
{
	struct kcf_call_req req = async_req();

	FAKE_SET(&fake, features, 0);
	client = open_client(0);
	gcm = template(KCF_M_AES_GCM);
	for (unsigned i = 1; i <= 3; i++) {
		ck_assert_int_eq(encrypt(gcm, data_in, data_out, 48, &req), KCF_QUEUED);
		wait_result(&result, i);
	}
	ck_assert_uint_eq(fake_count(&fake, FRAME_RING_NEW), 0);
	ck_assert_uint_eq(fake_count(&fake, FRAME_OP), 3);
}
END_TEST

START_TEST(does_without_when_kcfd_has_none_to_give)
{
	struct kcf_call_req req = async_req();

	FAKE_SET(&fake, ring_status, KCF_QUOTA_EXCEEDED);
	client = open_client(0);
	gcm = template(KCF_M_AES_GCM);
	for (unsigned i = 1; i <= 3; i++) {
		ck_assert_int_eq(encrypt(gcm, data_in, data_out, 48, &req), KCF_QUEUED);
		wait_result(&result, i);
		ck_assert_int_eq(result.last.status, KCF_SUCCESS);
	}
	ck_assert_uint_eq(fake_count(&fake, FRAME_RING_NEW), 1);
	ck_assert_uint_eq(fake_count(&fake, FRAME_OP), 3);
}
END_TEST

START_TEST(takes_no_ring_without_a_bell)
{
	struct kcf_call_req req = async_req();

	FAKE_SET(&fake, ring_fds, 1);
	client = open_client(0);
	ck_assert_int_eq(digest(client, &req), KCF_QUEUED);
	wait_event(KCF_EVENT_DAEMON_LOST, 1);
	ck_assert(!client_ring_is_up(&client->ring));
}
END_TEST

START_TEST(has_another_ring_on_another_connection)
{
	struct kcf_call_req req = async_req();

	open_up(0);
	fake_drop(&fake);
	wait_event(KCF_EVENT_DAEMON_REGAINED, 1);
	ck_assert(!client_ring_is_up(&client->ring));
	ck_assert_int_eq(encrypt(gcm, in, out, 64, &req), KCF_QUEUED);
	wait_result(&result, 1);
	ck_assert_uint_eq(fake_entries(&fake), 0);
	ck_assert_uint_eq(fake_count(&fake, FRAME_RING_NEW), 2);
	ck_assert_int_eq(encrypt(gcm, in, out, 64, &req), KCF_QUEUED);
	wait_result(&result, 2);
	ck_assert_int_eq(result.last.status, KCF_SUCCESS);
	ck_assert_uint_eq(fake_entries(&fake), 1);
}
END_TEST

/* ---- what fits ---- */

static struct ring_entry put_one(struct kcf_call_req *req, uint8_t *extra)
{
	struct fake_entry k;

	FAKE_SET(&fake, hold, true);
	ck_assert_int_eq(encrypt(gcm, in, out, 64, req), KCF_QUEUED);
	fake_wait_entries(&fake, 1);
	k = fake_entry(&fake, 0);
	memcpy(extra, k.extra, sizeof(k.extra));
	fake_release(&fake);
	wait_result(&result, 1);
	return k.e;
}

START_TEST(says_all_of_an_aead_call_in_an_entry)
{
	struct kcf_call_req req = async_req();
	uint8_t extra[RING_EXTRA_ROOM];
	struct ring_entry e;

	open_up(0);
	aead.tag_len = 15;
	req.timeout_ms = 5000;
	req.preference = KCF_PREFER_SOFTWARE;
	e = put_one(&req, extra);
	ck_assert_uint_eq(e.op, KCF_OP_ENCRYPT);
	ck_assert_uint_eq(e.flags, RING_ALWAYS_QUEUE);
	ck_assert_uint_eq(e.param, KCF_PARAM_AEAD);
	ck_assert_uint_eq(e.n_extra, 1);
	ck_assert_uint_eq(e.id, req.id);
	ck_assert_uint_eq(e.slot, gcm->slot);
	ck_assert_uint_eq(e.iv_len, 12);
	ck_assert_mem_eq(e.iv, nonce, 12);
	ck_assert_uint_eq(e.len, 15);
	ck_assert_uint_eq(e.in_len, 64);
	ck_assert_uint_eq(e.out_room, 80);
	ck_assert_uint_eq(e.deadline_us, 5000000);
	ck_assert_uint_eq(e.preference, KCF_PREFER_SOFTWARE);
	ck_assert_uint_eq(e.aad_len, 13);
	ck_assert_uint_eq(e.check_len, 0);
	ck_assert_mem_eq(extra, aad, 13);
	expect_mixed(out, in, 64);
}
END_TEST

START_TEST(says_all_of_a_dual_call_in_an_entry)
{
	const struct kcf_param_mac param = {.mac_len = 20};
	struct kcf_call_req req = async_req();
	struct ring_dual d;
	struct fake_entry k;

	open_up(0);
	FAKE_SET(&fake, hold, true);
	ck_assert_int_eq(dual(&param, out, mac, &req), KCF_QUEUED);
	fake_wait_entries(&fake, 1);
	k = fake_entry(&fake, 0);
	memcpy(&d, k.extra, sizeof(d));
	ck_assert_uint_eq(k.e.op, KCF_OP_ENCRYPT_MAC);
	ck_assert_uint_eq(k.e.slot, cbc->slot);
	ck_assert_uint_eq(k.e.param, KCF_PARAM_IV);
	ck_assert_uint_eq(k.e.iv_len, 16);
	ck_assert_uint_eq(d.slot2, hmac->slot);
	ck_assert_uint_eq(d.len2, 20);
	ck_assert_uint_eq(d.mac_room, 32);
	fake_release(&fake);
	wait_result(&result, 1);
	ck_assert_int_eq(result.last.status, KCF_SUCCESS);
	ck_assert_mem_eq(mac, "MAC!", 4);
	expect_mixed(out, in, 64);
}
END_TEST

START_TEST(names_a_mechanism_without_key_by_its_number)
{
	struct kcf_call_req req = async_req();
	struct kcf_data din, dout;
	struct fake_entry k;

	open_up(0);
	FAKE_SET(&fake, hold, true);
	din = kcf_flat(in, 64);
	dout = kcf_flat(out, 64);
	ck_assert_int_eq(kcf_digest(client, &sha256, &din, &dout, &req), KCF_QUEUED);
	fake_wait_entries(&fake, 1);
	k = fake_entry(&fake, 0);
	ck_assert_uint_eq(k.e.flags, RING_ALWAYS_QUEUE | RING_MECH);
	ck_assert_uint_eq(k.e.slot, KCF_M_SHA256);
	ck_assert_uint_eq(k.e.param, 0);
	fake_release(&fake);
	wait_result(&result, 1);
	expect_mixed(out, in, 64);
}
END_TEST

START_TEST(takes_the_bytes_to_compare_along)
{
	const struct kcf_mechanism mech = {KCF_M_SHA256_HMAC, 0, NULL};
	struct kcf_call_req req = async_req();
	struct kcf_data din, check = kcf_flat(aad, RING_EXTRA_ROOM);
	struct kcf_key key;
	struct fake_entry k;

	open_up(0);
	key = kcf_key_tmpl(hmac);
	din = kcf_flat(in, 64);
	FAKE_SET(&fake, hold, true);
	ck_assert_int_eq(kcf_mac_verify(client, &mech, &key, &din, &check, &req), KCF_QUEUED);
	fake_wait_entries(&fake, 1);
	k = fake_entry(&fake, 0);
	ck_assert_uint_eq(k.e.check_len, RING_EXTRA_ROOM);
	ck_assert_mem_eq(k.extra, aad, RING_EXTRA_ROOM);
	check.len++; /* one byte more than there is room for */
	ck_assert_int_eq(kcf_mac_verify(client, &mech, &key, &din, &check, &req), KCF_QUEUED);
	fake_wait(&fake, FRAME_OP, 3);
	ck_assert_uint_eq(fake.last_op.check_len, RING_EXTRA_ROOM + 1);
	fake_release(&fake);
	wait_result(&result, 2);
}
END_TEST

/* Each row: by how much one thing is too long for an entry, or what else does not fit. */
START_TEST(goes_by_socket_with_what_does_not_fit)
{
	const struct iovec pieces[2] = {{data_in, 32}, {data_in + 32, 32}};
	const struct kcf_mechanism mech = {KCF_M_AES_GCM, sizeof(aead), &aead};
	struct kcf_call_req req = async_req(), named = req;
	struct kcf_data din = kcf_iov(pieces, 2), dout;
	struct kcf_key key;
	unsigned n = 0;

	open_up(0);
	key = kcf_key_tmpl(gcm);
	dout = kcf_flat(out, 80);
	aead.aad_len = 255;
	aead.iv_len = 16;
	aead.tag_len = 255;
	ck_assert_int_eq(encrypt(gcm, in, out, 64, &req), KCF_QUEUED);
	wait_result(&result, ++n);
	ck_assert_uint_eq(fake_entries(&fake), 1);

	aead.aad_len = 256;
	ck_assert_int_eq(encrypt(gcm, in, out, 64, &req), KCF_QUEUED);
	wait_result(&result, ++n);
	aead.aad_len = 255;
	aead.iv_len = 17;
	ck_assert_int_eq(encrypt(gcm, in, out, 64, &req), KCF_QUEUED);
	wait_result(&result, ++n);
	aead.iv_len = 16;
	aead.tag_len = 256;
	ck_assert_int_eq(encrypt(gcm, in, out, 64, &req), KCF_QUEUED);
	wait_result(&result, ++n);
	aead.tag_len = 0;
	ck_assert_int_eq(kcf_encrypt(client, &mech, &key, &din, &dout, &req), KCF_QUEUED);
	wait_result(&result, ++n);
	named.preference = KCF_ONLY_PROVIDER;
	named.provider = "fake";
	ck_assert_int_eq(encrypt(gcm, in, out, 64, &named), KCF_QUEUED);
	wait_result(&result, ++n);
	din = kcf_flat(in, 64);
	ck_assert_int_eq(kcf_encrypt(client, &mech, &raw_key, &din, &dout, &req), KCF_QUEUED);
	wait_result(&result, ++n);
	ck_assert_uint_eq(fake_entries(&fake), 1);
	ck_assert_uint_eq(fake_count(&fake, FRAME_OP), 2 + 6);
	ck_assert_uint_eq(fake_count(&fake, FRAME_HELLO), 1);
}
END_TEST

START_TEST(copies_what_is_little_into_the_arena)
{
	static uint8_t from[4097], to[4097 + 16];
	struct kcf_call_req req = async_req();

	open_up(0);
	for (size_t i = 0; i < sizeof(from); i++)
		from[i] = (uint8_t)(i % 251);
	ck_assert_int_eq(encrypt(gcm, from, to, 4080, &req), KCF_QUEUED);
	memset(from, 1, 16); /* it was copied; the rest is payload that must stay */
	wait_result(&result, 1);
	ck_assert_uint_eq(fake_entries(&fake), 1);
	for (size_t i = 16; i < 4080; i++)
		ck_assert_uint_eq(to[i], from[i] ^ FAKE_XOR);
	ck_assert_uint_eq(to[4080], 0);
	ck_assert_int_eq(encrypt(gcm, from, to, 4081, &req), KCF_QUEUED);
	wait_result(&result, 2);
	ck_assert_uint_eq(fake_entries(&fake), 1);
	expect_mixed(to, from, 4081);
}
END_TEST

/* ---- completions ---- */

START_TEST(completes_in_any_order_and_by_either_way)
{
	struct kcf_call_req req = async_req();
	uint64_t ids[3];

	open_up(0);
	FAKE_SET(&fake, hold, true);
	for (unsigned i = 0; i < 3; i++) {
		ck_assert_int_eq(encrypt(gcm, in, out + 128 * i, 64, &req), KCF_QUEUED);
		ids[i] = req.id;
	}
	fake_wait_entries(&fake, 3);
	fake_answer(&fake, 2, false);
	wait_result(&result, 1);
	ck_assert_uint_eq(last_of(&result).id, ids[2]);
	fake_answer(&fake, 0, true);
	wait_result(&result, 2);
	ck_assert_uint_eq(last_of(&result).id, ids[0]);
	ck_assert_uint_eq(last_of(&result).len, 64);
	fake_answer(&fake, 1, false);
	wait_result(&result, 3);
	ck_assert_uint_eq(last_of(&result).id, ids[1]);
	for (unsigned i = 0; i < 3; i++)
		expect_mixed(out + 128 * i, in, 64);
}
END_TEST

START_TEST(passes_on_what_kcfd_says)
{
	struct kcf_call_req req = async_req();

	open_up(0);
	FAKE_SET(&fake, status, KCF_INVALID_MAC);
	ck_assert_int_eq(encrypt(gcm, in, out, 64, &req), KCF_QUEUED);
	wait_result(&result, 1);
	ck_assert_int_eq(result.last.status, KCF_INVALID_MAC);
	ck_assert_uint_eq(result.last.len, 0);
	FAKE_SET(&fake, status, KCF_BUFFER_TOO_SMALL);
	ck_assert_int_eq(encrypt(gcm, in, out, 64, &req), KCF_QUEUED);
	wait_result(&result, 2);
	ck_assert_int_eq(result.last.status, KCF_BUFFER_TOO_SMALL);
	ck_assert_uint_eq(result.last.required, 12345);
	FAKE_SET(&fake, n_busy, 1);
	FAKE_SET(&fake, busy_provider, 3);
	req.flags |= KCF_NOTIFY_SPACE;
	ck_assert_int_eq(encrypt(gcm, in, out, 64, &req), KCF_QUEUED);
	wait_result(&result, 3);
	ck_assert_int_eq(result.last.status, KCF_BUSY);
	ck_assert_int_eq(result.last.busy_reason, KCF_BUSY_NO_ROOM);
	fake_wait(&fake, FRAME_WANT, 1);
}
END_TEST

static struct ring_done done_for(uint64_t id)
{
	return (struct ring_done){.id = id, .len = 64};
}

START_TEST(believes_no_length_beyond_the_room)
{
	struct kcf_call_req req = async_req();
	struct ring_done d;

	open_up(0);
	FAKE_SET(&fake, hold, true);
	ck_assert_int_eq(encrypt(gcm, data_in, data_out, 32, &req), KCF_QUEUED);
	d = done_for(req.id);
	d.len = UINT32_MAX;
	d.provider = 255;
	fake_wait_entries(&fake, 1);
	fake_complete(&fake, &d);
	wait_result(&result, 1);
	ck_assert_int_eq(result.last.status, KCF_SUCCESS);
	ck_assert_uint_eq(result.last.len, 48);
	ck_assert_uint_eq(fake_count(&fake, FRAME_HELLO), 1);
	/* the same of a dual operation, whose MAC is copied */
	ck_assert_int_eq(dual(NULL, out, data_out, &req), KCF_QUEUED);
	d = done_for(req.id);
	d.more = 255;
	fake_wait_entries(&fake, 2);
	fake_complete(&fake, &d);
	wait_result(&result, 2);
	ck_assert_int_eq(result.last.status, KCF_SUCCESS);
}
END_TEST

enum lie { LIE_UNKNOWN, LIE_TWICE, LIE_STATUS, LIE_OF_SOCKET, LIE_TOO_MANY, LIES };

static void lie(enum lie which, uint64_t id, uint64_t other)
{
	struct ring_done d = done_for(id);

	switch (which) {
	case LIE_UNKNOWN:
		d.id = 12345678;
		break;
	case LIE_TWICE:
		fake_complete(&fake, &d);
		break;
	case LIE_STATUS:
		d.status = KCF_STATUS_COUNT;
		break;
	case LIE_OF_SOCKET:
		d.id = other;
		break;
	default:
		fake_set_done(&fake, UINT32_MAX / 2);
		return;
	}
	fake_complete(&fake, &d);
}

START_TEST(leaves_a_kcfd_that_completes_what_it_was_not_given)
{
	struct kcf_call_req req = async_req(), socket = req;

	open_up(0);
	FAKE_SET(&fake, hold, true);
	socket.preference = KCF_ONLY_PROVIDER;
	socket.provider = "fake";
	ck_assert_int_eq(encrypt(gcm, in, out + 256, 64, &socket), KCF_QUEUED);
	fake_wait(&fake, FRAME_OP, 3);
	ck_assert_int_eq(encrypt(gcm, in, out, 64, &req), KCF_QUEUED);
	fake_wait_entries(&fake, 1);
	FAKE_SET(&fake, daemon_id, 2);
	fake_forget(&fake);
	lie((enum lie)_i, req.id, socket.id);
	wait_event(KCF_EVENT_DAEMON_LOST, 1);
	wait_result(&result, 2); /* they may be done again */
	ck_assert_int_eq(result.last.status, KCF_SUCCESS);
	ck_assert_uint_eq(result.n, 2);
	ck_assert_uint_eq(fake_count(&fake, FRAME_HELLO), 2);
}
END_TEST

START_TEST(leaves_a_kcfd_that_closes_the_bell)
{
	struct kcf_call_req req = async_req();

	open_up(0);
	pthread_mutex_lock(&fake.lock);
	shutdown(fake.bell, SHUT_RDWR);
	pthread_mutex_unlock(&fake.lock);
	wait_event(KCF_EVENT_DAEMON_LOST, 1);
	wait_event(KCF_EVENT_DAEMON_REGAINED, 1);
	ck_assert_int_eq(encrypt(gcm, in, out, 64, &req), KCF_QUEUED);
	wait_result(&result, 1);
	ck_assert_int_eq(result.last.status, KCF_SUCCESS);
}
END_TEST

/* ---- synchronous ---- */

START_TEST(waits_for_a_completion_itself)
{
	open_up(0);
	ck_assert_int_eq(encrypt(gcm, in, out, 64, NULL), KCF_SUCCESS);
	expect_mixed(out, in, 64);
	ck_assert_int_eq(make_mac(NULL), KCF_SUCCESS);
	expect_mixed(out, in, 32);
	ck_assert_uint_eq(fake_entries(&fake), 2);
}
END_TEST

START_TEST(stands_in_line_by_socket)
{
	open_up(0);
	FAKE_SET(&fake, n_busy, 1);
	FAKE_SET(&fake, hold, false);
	FAKE_SET(&fake, busy_provider, 2);
	client->timeout_ms = 50;
	/* the ring says BUSY, the socket then does it */
	ck_assert_int_eq(encrypt(gcm, in, out, 64, NULL), KCF_SUCCESS);
	ck_assert_uint_eq(fake_entries(&fake), 1);
	ck_assert_uint_eq(fake_count(&fake, FRAME_OP), 3);
	expect_mixed(out, in, 64);
}
END_TEST

static void *wait_for_mac(void *arg)
{
	enum kcf_status *st = arg;

	*st = make_mac(NULL);
	return NULL;
}

START_TEST(leaves_callbacks_to_their_thread_when_a_waiter_reads)
{
	struct kcf_call_req req = async_req();
	enum kcf_status st = KCF_FAILED;
	pthread_t waiter;

	open_up(0);
	FAKE_SET(&fake, hold, true);
	ck_assert_int_eq(pthread_create(&waiter, NULL, wait_for_mac, &st), 0);
	fake_wait_entries(&fake, 1);
	ck_assert_int_eq(encrypt(gcm, in, out + 128, 64, &req), KCF_QUEUED);
	fake_wait_entries(&fake, 2);
	fake_answer(&fake, 1, false);
	wait_result(&result, 1);
	ck_assert_int_eq(result.last.status, KCF_SUCCESS);
	ck_assert(!pthread_equal(result.thread, waiter));
	fake_answer(&fake, 0, false);
	pthread_join(waiter, NULL);
	ck_assert_int_eq(st, KCF_SUCCESS);
}
END_TEST

/* ---- room ---- */

START_TEST(says_busy_without_credit)
{
	struct kcf_call_req req = async_req();

	FAKE_SET(&fake, lease, 6);
	open_up(0);
	FAKE_SET(&fake, keep_credits, true);
	page_credit_reclaim(fake.page, 5);
	ck_assert_int_eq(encrypt(gcm, in, out, 64, &req), KCF_QUEUED);
	wait_result(&result, 1);
	ck_assert_int_eq(encrypt(gcm, in, out, 64, &req), KCF_BUSY);
	ck_assert_int_eq(req.busy_reason, KCF_BUSY_NO_ROOM);
	ck_assert_uint_eq(fake_count(&fake, FRAME_WANT), 0);
	req.flags |= KCF_NOTIFY_SPACE;
	ck_assert_int_eq(encrypt(gcm, in, out, 64, &req), KCF_BUSY);
	fake_wait(&fake, FRAME_WANT, 1);
	ck_assert_uint_eq(fake_entries(&fake), 1);
}
END_TEST

START_TEST(goes_by_socket_when_the_ring_is_full)
{
	struct kcf_call_req req = async_req();

	open_up(0);
	FAKE_SET(&fake, silent, true);
	for (unsigned i = 0; i < RING_ENTRIES + 5; i++)
		ck_assert_int_eq(make_mac(&req), KCF_QUEUED);
	ck_assert_uint_eq(client->ring.rc.claimed - fake.ring.taken, RING_ENTRIES);
	FAKE_SET(&fake, silent, false);
	fake_wake(&fake);
	wait_result(&result, RING_ENTRIES + 5);
	ck_assert_uint_eq(fake_entries(&fake), RING_ENTRIES);
	ck_assert_uint_eq(fake_count(&fake, FRAME_OP), 2 + 5);
}
END_TEST

/* ---- ends ---- */

START_TEST(cancels_what_is_on_the_ring)
{
	struct kcf_call_req req = async_req();

	open_up(0);
	FAKE_SET(&fake, hold, true);
	ck_assert_int_eq(encrypt(gcm, in, out, 64, &req), KCF_QUEUED);
	ck_assert_int_eq(kcf_cancel(client, req.id), KCF_SUCCESS);
	wait_result(&result, 1);
	ck_assert_int_eq(result.last.status, KCF_CANCELED);
	ck_assert_int_eq(kcf_cancel(client, req.id), KCF_NOT_FOUND);
	ck_assert_uint_eq(fake_count(&fake, FRAME_CANCEL), 1);
}
END_TEST

START_TEST(completes_what_is_on_the_ring_when_it_closes)
{
	struct kcf_call_req req = async_req();

	open_up(0);
	FAKE_SET(&fake, hold, true);
	for (unsigned i = 0; i < 10; i++)
		ck_assert_int_eq(encrypt(gcm, in, out, 64, &req), KCF_QUEUED);
	fake_wait_entries(&fake, 10);
	ck_assert_int_eq(kcf_client_close(client), KCF_SUCCESS);
	client = NULL;
	ck_assert_uint_eq(result.n, 10);
	for (unsigned i = 0; i < 10; i++)
		ck_assert_int_eq(result.statuses[i], KCF_CANCELED);
}
END_TEST

START_TEST(keeps_a_template_for_what_is_under_way)
{
	struct kcf_call_req req = async_req();

	open_up(0);
	FAKE_SET(&fake, hold, true);
	ck_assert_int_eq(encrypt(gcm, in, out, 64, &req), KCF_QUEUED);
	ck_assert_int_eq(encrypt(gcm, in, out + 128, 64, &req), KCF_QUEUED);
	fake_wait_entries(&fake, 2);
	kcf_template_destroy(gcm);
	fake_answer(&fake, 0, false);
	wait_result(&result, 1);
	FAKE_SET(&fake, daemon_id, 2);
	fake_forget(&fake);
	fake_drop(&fake); /* the other is sent again, with the key of the template */
	wait_result(&result, 2);
	ck_assert_int_eq(result.last.status, KCF_SUCCESS);
	ck_assert_int_eq(fake.last_op.key.kind, KCF_KEY_BYTES);
	expect_mixed(out + 128, in, 64);
}
END_TEST

START_TEST(sends_again_what_may_be_done_twice)
{
	struct kcf_call_req req = async_req();

	open_up(0);
	FAKE_SET(&fake, hold, true);
	aead.tag_len = 14;
	ck_assert_int_eq(encrypt(gcm, in, out, 64, &req), KCF_QUEUED);
	fake_wait_entries(&fake, 1);
	memset(nonce, 0, sizeof(nonce)); /* the call has copied them */
	memset(aad, 0, sizeof(aad));
	FAKE_SET(&fake, daemon_id, 2);
	fake_forget(&fake);
	fake_drop(&fake);
	wait_result(&result, 1);
	ck_assert_int_eq(result.last.status, KCF_SUCCESS);
	ck_assert_uint_eq(fake_count(&fake, FRAME_OP), 3);
	ck_assert_uint_eq(fake.last_op.op, KCF_OP_ENCRYPT);
	ck_assert_uint_eq(fake.last_op.flags, OPF_ALWAYS_QUEUE);
	ck_assert_int_eq(fake.last_op.param.kind, KCF_PARAM_AEAD);
	ck_assert_uint_eq(fake.last_op.mech, KCF_M_AES_GCM);
	ck_assert_uint_eq(fake.last_op.n_in, 1);
	ck_assert_uint_eq(fake.last_op.n_out, 1);
	ck_assert_uint_eq(fake.last_aead.tag_len, 14);
	ck_assert_uint_eq(fake.last_aead.iv_len, 12);
	ck_assert_uint_eq(fake.last_aead.aad_len, 13);
	ck_assert_uint_eq(fake.last_aead_bytes[0], 100); /* nonce, then aad */
	ck_assert_uint_eq(fake.last_aead_bytes[12], 1);
	ck_assert_uint_eq(fake.last_aead_bytes[13], 6);
	expect_mixed(out, in, 64);
}
END_TEST

START_TEST(sends_again_both_halves_of_a_dual_call)
{
	const struct kcf_param_mac param = {.mac_len = 20};
	struct kcf_call_req req = async_req();

	open_up(0);
	FAKE_SET(&fake, hold, true);
	ck_assert_int_eq(dual(&param, out, mac, &req), KCF_QUEUED);
	fake_wait_entries(&fake, 1);
	FAKE_SET(&fake, daemon_id, 2);
	fake_forget(&fake);
	fake_drop(&fake);
	wait_result(&result, 1);
	ck_assert_int_eq(result.last.status, KCF_SUCCESS);
	ck_assert_uint_eq(fake.last_op.op, KCF_OP_ENCRYPT_MAC);
	ck_assert_int_eq(fake.last_op.param.kind, KCF_PARAM_IV);
	ck_assert_int_eq(fake.last_op.param2.kind, KCF_PARAM_MAC);
	ck_assert_uint_eq(fake.last_op.mech2, KCF_M_SHA256_HMAC);
	ck_assert_uint_eq(fake.last_op.n_mac, 1);
	ck_assert_uint_ne(fake.last_op.tmpl, 0);
	ck_assert_uint_ne(fake.last_op.tmpl2, 0);
}
END_TEST

START_TEST(does_not_send_again_what_may_not)
{
	const struct kcf_key handle = {.kind = KCF_KEY_HANDLE};
	struct kcf_call_req req = async_req();
	struct kcf_template *t;

	open_up(0);
	ck_assert_int_eq(kcf_template_create(client, KCF_M_AES_GCM, &handle, &t), KCF_SUCCESS);
	ck_assert_int_eq(encrypt(t, in, out, 64, NULL), KCF_SUCCESS);
	FAKE_SET(&fake, hold, true);
	ck_assert_int_eq(encrypt(gcm, in, in, 64, &req), KCF_QUEUED); /* in place */
	ck_assert_int_eq(encrypt(t, in + 128, out, 64, &req), KCF_QUEUED);
	fake_wait_entries(&fake, 2);
	FAKE_SET(&fake, daemon_id, 2);
	fake_forget(&fake);
	fake_drop(&fake);
	wait_result(&result, 2);
	for (unsigned i = 0; i < 2; i++)
		ck_assert_int_eq(result.statuses[i], KCF_NO_DAEMON);
	ck_assert_uint_eq(fake_count(&fake, FRAME_OP), 3);
	ck_assert_int_eq(kcf_buf_status(client, in), KCF_SUCCESS); /* another kcfd: at rest */
}
END_TEST

START_TEST(loses_buffers_of_a_kcfd_that_lives_on)
{
	struct kcf_call_req req = async_req();

	open_up(0);
	FAKE_SET(&fake, hold, true);
	ck_assert_int_eq(encrypt(gcm, in, out, 64, &req), KCF_QUEUED);
	fake_wait_entries(&fake, 1);
	fake_forget(&fake);
	fake_drop(&fake);
	wait_result(&result, 1);
	ck_assert_int_eq(result.last.status, KCF_NO_DAEMON);
	ck_assert_int_eq(kcf_buf_status(client, out), KCF_BUFFER_LOST);
	ck_assert_int_eq(kcf_buf_status(client, in), KCF_SUCCESS);
}
END_TEST

START_TEST(sends_again_what_was_copied_to_a_kcfd_that_lives_on)
{
	struct kcf_call_req req = async_req();

	open_up(0);
	FAKE_SET(&fake, hold, true);
	ck_assert_int_eq(encrypt(gcm, data_in, data_out, 48, &req), KCF_QUEUED);
	fake_wait_entries(&fake, 1);
	fake_forget(&fake);
	fake_drop(&fake);
	wait_result(&result, 1);
	ck_assert_int_eq(result.last.status, KCF_SUCCESS);
	ck_assert_uint_eq(fake.last_op.out_room, 64);
	expect_mixed(data_out, data_in, 48);
}
END_TEST

START_TEST(gives_up_a_kcfd_that_is_silent_beyond_the_deadline)
{
	struct kcf_call_req req = async_req();

	open_up(0);
	FAKE_SET(&fake, hold, true);
	req.timeout_ms = 1;
	ck_assert_int_eq(encrypt(gcm, in, out, 64, &req), KCF_QUEUED);
	fake_wait_entries(&fake, 1);
	wait_result(&result, 1);
	ck_assert_int_eq(result.last.status, KCF_TIMED_OUT);
	ck_assert_int_eq(kcf_buf_status(client, out), KCF_BUFFER_LOST);
}
END_TEST

START_TEST(leaves_the_ring_to_the_parent)
{
	struct kcf_call_req req = async_req();
	int status;
	pid_t pid;

	open_up(0);
	FAKE_SET(&fake, hold, true);
	ck_assert_int_eq(encrypt(gcm, in, out, 64, &req), KCF_QUEUED);
	fake_wait_entries(&fake, 1);
	pid = fork();
	if (pid == 0) {
		uint8_t local[64];
		bool ok = encrypt(gcm, data_in, local, 32, &req) == KCF_NO_DAEMON &&
			  kcf_cancel(client, 1) == KCF_NOT_FOUND && !client->ring.rc.r &&
			  kcf_client_close(client) == KCF_SUCCESS;

		_exit(ok && result.n == 0 ? 0 : 1);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
	fake_release(&fake);
	wait_result(&result, 1);
	ck_assert_int_eq(result.last.status, KCF_SUCCESS);
}
END_TEST

/* ---- the application's loop ---- */

static void pump_until(unsigned n)
{
	struct pollfd p = {kcf_client_fd(client), POLLIN, 0};

	while (result.n < n) {
		ck_assert_int_eq(poll(&p, 1, 30000), 1);
		ck_assert_int_eq(kcf_client_dispatch(client), KCF_SUCCESS);
	}
}

START_TEST(wakes_the_applications_loop)
{
	struct kcf_call_req req = async_req();

	open_up(KCF_CLIENT_APP_LOOP);
	for (unsigned i = 1; i <= 50; i++) {
		ck_assert_int_eq(encrypt(gcm, in, out, 64, &req), KCF_QUEUED);
		if (i % 3)
			pump_until(i);
	}
	pump_until(50);
	ck_assert_uint_eq(fake_entries(&fake), 50);
}
END_TEST

START_TEST(comes_to_rest_in_the_applications_loop)
{
	struct kcf_call_req req = async_req();
	struct pollfd p;

	open_up(KCF_CLIENT_APP_LOOP);
	p = (struct pollfd){kcf_client_fd(client), POLLIN, 0};
	ck_assert_int_eq(encrypt(gcm, in, out, 64, &req), KCF_QUEUED);
	pump_until(1);
	while (poll(&p, 1, 0) == 1) /* readable for a while at most */
		ck_assert_int_eq(kcf_client_dispatch(client), KCF_SUCCESS);
	ck_assert_uint_eq(__atomic_load_n(&client->ring.rc.r->client_sleeps, __ATOMIC_RELAXED), 1);
}
END_TEST

/* ---- threads ---- */

#define PRODUCERS 4
#define EACH      500

static void count_done(void *arg, const struct kcf_completion *done)
{
	unsigned *n = arg;

	ck_assert_int_eq(done->status, KCF_SUCCESS);
	__atomic_add_fetch(n, 1, __ATOMIC_RELEASE);
}

static void *produce(void *arg)
{
	unsigned n = 0;
	struct kcf_call_req req = {.flags = KCF_ALWAYS_QUEUE, .callback = count_done, .arg = &n};
	uint8_t *to = arg;

	for (unsigned i = 0; i < EACH; i++) {
		enum kcf_status st = encrypt(gcm, in, to, 64, &req);

		ck_assert_int_eq(st, KCF_QUEUED);
		if (i % 50 == 0)
			ck_assert_int_eq(encrypt(gcm, in, to + 256, 64, NULL), KCF_SUCCESS);
	}
	while (__atomic_load_n(&n, __ATOMIC_ACQUIRE) < EACH)
		sched_yield();
	return NULL;
}

START_TEST(serves_many_threads)
{
	pthread_t threads[PRODUCERS];

	open_up(0);
	for (unsigned i = 0; i < PRODUCERS; i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, produce, out + 1024 * i), 0);
	for (unsigned i = 0; i < PRODUCERS; i++)
		pthread_join(threads[i], NULL);
	for (unsigned i = 0; i < PRODUCERS; i++)
		expect_mixed(out + 1024 * i, in, 64);
	ck_assert_uint_eq(client->n_requests, 0);
	ck_assert_uint_eq(client->pending.n_open, 0);
	ck_assert_uint_eq(__atomic_load_n(&fake.page->credit, __ATOMIC_RELAXED), 4096);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("client-ring");
	TCase *tc = tcase_create("ring");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, asks_once_and_goes_by_ring_from_then_on);
	tcase_add_test(tc, asks_nobody_who_does_not_know_rings);
	tcase_add_test(tc, does_without_when_kcfd_has_none_to_give);
	tcase_add_test(tc, takes_no_ring_without_a_bell);
	tcase_add_test(tc, has_another_ring_on_another_connection);
	tcase_add_test(tc, says_all_of_an_aead_call_in_an_entry);
	tcase_add_test(tc, says_all_of_a_dual_call_in_an_entry);
	tcase_add_test(tc, names_a_mechanism_without_key_by_its_number);
	tcase_add_test(tc, takes_the_bytes_to_compare_along);
	tcase_add_test(tc, goes_by_socket_with_what_does_not_fit);
	tcase_add_test(tc, copies_what_is_little_into_the_arena);
	tcase_add_test(tc, completes_in_any_order_and_by_either_way);
	tcase_add_test(tc, passes_on_what_kcfd_says);
	tcase_add_test(tc, believes_no_length_beyond_the_room);
	tcase_add_loop_test(tc, leaves_a_kcfd_that_completes_what_it_was_not_given, 0, LIES);
	tcase_add_test(tc, leaves_a_kcfd_that_closes_the_bell);
	tcase_add_test(tc, waits_for_a_completion_itself);
	tcase_add_test(tc, stands_in_line_by_socket);
	tcase_add_test(tc, leaves_callbacks_to_their_thread_when_a_waiter_reads);
	tcase_add_test(tc, says_busy_without_credit);
	tcase_add_test(tc, goes_by_socket_when_the_ring_is_full);
	tcase_add_test(tc, cancels_what_is_on_the_ring);
	tcase_add_test(tc, completes_what_is_on_the_ring_when_it_closes);
	tcase_add_test(tc, keeps_a_template_for_what_is_under_way);
	tcase_add_test(tc, sends_again_what_may_be_done_twice);
	tcase_add_test(tc, sends_again_both_halves_of_a_dual_call);
	tcase_add_test(tc, does_not_send_again_what_may_not);
	tcase_add_test(tc, loses_buffers_of_a_kcfd_that_lives_on);
	tcase_add_test(tc, sends_again_what_was_copied_to_a_kcfd_that_lives_on);
	tcase_add_test(tc, gives_up_a_kcfd_that_is_silent_beyond_the_deadline);
	tcase_add_test(tc, leaves_the_ring_to_the_parent);
	tcase_add_test(tc, wakes_the_applications_loop);
	tcase_add_test(tc, comes_to_rest_in_the_applications_loop);
	tcase_add_test(tc, serves_many_threads);
	suite_add_tcase(s, tc);
	return test_main(s);
}
