/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Scattered data: reading, writing, making one piece of it, and moving it through a cipher.
 *
 * Positions never run past the iovecs. In-place work is safe because output never gets ahead of
 * what was read: whole blocks go piece by piece at equal offsets, and where carried bytes shift the
 * output against the input, one chunk is read ahead.
 *
 * Thread: any; no state.
 */
#include <stdlib.h>
#include "openssl-private.h"

#define CHUNK 256

size_t openssl_pos_read(struct openssl_pos *p, uint8_t *to, size_t len)
{
	size_t done = 0;

	while (done < len) {
		size_t n;
		const uint8_t *piece = openssl_pos_piece(p, &n);

		if (n == 0)
			break;
		if (n > len - done)
			n = len - done;
		memcpy(to + done, piece, n);
		p->off += n;
		done += n;
	}
	return done;
}

size_t openssl_pos_write(struct openssl_pos *p, const uint8_t *from, size_t len)
{
	size_t done = 0;

	while (done < len) {
		size_t n;
		uint8_t *piece = openssl_pos_piece(p, &n);

		if (n == 0)
			break;
		if (n > len - done)
			n = len - done;
		memcpy(piece, from + done, n);
		p->off += n;
		done += n;
	}
	return done;
}

void openssl_pos_skip(struct openssl_pos *p, size_t len)
{
	while (len > 0) {
		size_t n;

		openssl_pos_piece(p, &n);
		if (n == 0)
			return;
		if (n > len)
			n = len;
		p->off += n;
		len -= n;
	}
}

void openssl_iov_wipe(const struct iovec *v, uint32_t n, size_t len)
{
	for (uint32_t i = 0; i < n && len > 0; i++) {
		size_t part = v[i].iov_len < len ? v[i].iov_len : len;

		if (part > 0)
			explicit_bzero(v[i].iov_base, part);
		len -= part;
	}
}

enum kcf_status openssl_flat_new(struct openssl_flat *f, size_t len)
{
	f->len = len;
	f->copy = true;
	f->heap = len > sizeof(f->small);
	f->p = f->heap ? malloc(len) : f->small;
	return f->p ? KCF_SUCCESS : KCF_HOST_MEMORY;
}

enum kcf_status openssl_flat_in(struct openssl_flat *f, const struct iovec *v, uint32_t n,
				size_t len)
{
	struct openssl_pos pos = openssl_pos(v, n);
	size_t first;
	uint8_t *piece = openssl_pos_piece(&pos, &first);

	if (first >= len) {
		f->p = len > 0 ? piece : f->small;
		f->len = len;
		f->copy = f->heap = false;
		return KCF_SUCCESS;
	}
	enum kcf_status status = openssl_flat_new(f, len);
	if (status == KCF_SUCCESS)
		openssl_pos_read(&pos, f->p, len);
	return status;
}

void openssl_flat_close(struct openssl_flat *f)
{
	if (f->copy && f->p)
		explicit_bzero(f->p, f->len);
	if (f->heap)
		free(f->p);
	f->p = NULL;
}

bool openssl_pump(const struct openssl_pump *p, struct openssl_pos *in, struct openssl_pos *out,
		  size_t len)
{
	while (len > 0) {
		uint8_t bounce[OPENSSL_BLOCK_MAX];
		size_t n_from, n_to, done, n;
		uint8_t *from = openssl_pos_piece(in, &n_from);
		uint8_t *to = openssl_pos_piece(out, &n_to);

		n = n_from < n_to ? n_from : n_to;
		n = n < len ? n : len;
		if (p->block > 1)
			n -= n % p->block;
		if (n > 0) {
			if (!p->crypt(p->ctx, to, &done, n, from, n) || done != n)
				return false;
			in->off += n;
			out->off += n;
		} else { /* a block across a border of pieces */
			n = p->block;
			if (openssl_pos_read(in, bounce, n) != n)
				return false;
			bool ok = p->crypt(p->ctx, bounce, &done, n, bounce, n) && done == n &&
				  openssl_pos_write(out, bounce, n) == n;
			explicit_bzero(bounce, sizeof(bounce));
			if (!ok)
				return false;
		}
		len -= n;
	}
	return true;
}

/* Next bytes of the stream: first the carried ones, then the input. */
static size_t stream_read(struct openssl_carry *carry, struct openssl_pos *in, uint8_t *to,
			  size_t len)
{
	size_t n = carry->n < len ? carry->n : len;

	memcpy(to, carry->buf, n);
	memmove(carry->buf, carry->buf + n, carry->n - n);
	carry->n -= n;
	return n + openssl_pos_read(in, to + n, len - n);
}

bool openssl_pump_carry(const struct openssl_pump *p, struct openssl_carry *carry,
			struct openssl_pos *in, size_t in_len, struct openssl_pos *out,
			size_t produce)
{
	size_t keep = carry->n + in_len - produce, left = produce;
	uint8_t chunk[2][CHUNK];
	unsigned cur = 0;
	bool ok = true;

	if (carry->n == 0) {
		if (!openssl_pump(p, in, out, produce))
			return false;
		carry->n = openssl_pos_read(in, carry->buf, keep);
		return carry->n == keep;
	}
	size_t n = stream_read(carry, in, chunk[cur], left < CHUNK ? left : CHUNK);
	left -= n;
	while (ok) {
		size_t done,
			next = stream_read(carry, in, chunk[!cur], left < CHUNK ? left : CHUNK);

		left -= next;
		if (next == 0) /* all that stays is read before the last bytes are written */
			carry->n += openssl_pos_read(in, carry->buf + carry->n, keep - carry->n);
		if (n > 0)
			ok = p->crypt(p->ctx, chunk[cur], &done, n, chunk[cur], n) && done == n &&
			     openssl_pos_write(out, chunk[cur], n) == n;
		if (next == 0)
			break;
		n = next;
		cur = !cur;
	}
	explicit_bzero(chunk, sizeof(chunk));
	return ok;
}

enum kcf_status openssl_job_put(struct kcf_job *job, const uint8_t *from, size_t len)
{
	struct openssl_pos out = openssl_pos(job->out, job->n_out);

	if (job->out_room < len)
		return openssl_too_small(job, len);
	openssl_pos_write(&out, from, len);
	job->out_len = len;
	return KCF_SUCCESS;
}
