/* SPDX-License-Identifier: Apache-2.0 */
/* iov - small helpers over arrays of iovecs. Pure functions, any thread. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/uio.h>

#define IOV_COUNT_MAX 1024u /* pieces of one buffer; as the kernel's own limit */

/* dst (room for n) becomes the part [off, off + len) of src. Returns the pieces used; fewer bytes
 * than len if src ends before. */
static inline uint32_t iov_slice(const struct iovec *src, uint32_t n, size_t off, size_t len,
				 struct iovec *dst)
{
	uint32_t used = 0;

	for (uint32_t i = 0; i < n && len; i++) {
		size_t part = src[i].iov_len;

		if (off >= part) {
			off -= part;
			continue;
		}
		part -= off;
		part = part < len ? part : len;
		dst[used].iov_base = (uint8_t *)src[i].iov_base + off;
		dst[used++].iov_len = part;
		len -= part;
		off = 0;
	}
	return used;
}

/* Wipe the first len bytes. */
static inline void iov_wipe(const struct iovec *iov, uint32_t n, size_t len)
{
	for (uint32_t i = 0; i < n && len; i++) {
		size_t part = iov[i].iov_len < len ? iov[i].iov_len : len;

		if (part)
			explicit_bzero(iov[i].iov_base, part);
		len -= part;
	}
}

/* Copy all of iov to a flat buffer that is large enough. */
static inline void iov_gather(const struct iovec *iov, uint32_t n, uint8_t *to)
{
	for (uint32_t i = 0; i < n; i++) {
		if (iov[i].iov_len)
			memcpy(to, iov[i].iov_base, iov[i].iov_len);
		to += iov[i].iov_len;
	}
}

/* Copy len bytes into iov, which has that much room. */
static inline void iov_scatter(const struct iovec *iov, uint32_t n, const uint8_t *from, size_t len)
{
	for (uint32_t i = 0; i < n && len; i++) {
		size_t part = iov[i].iov_len < len ? iov[i].iov_len : len;

		if (part)
			memcpy(iov[i].iov_base, from, part);
		from += part;
		len -= part;
	}
}
