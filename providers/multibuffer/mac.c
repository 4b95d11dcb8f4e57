/* SPDX-License-Identifier: Apache-2.0 */
/* mac: see mac.h. Comparison is constant-time. Thread: any. */
#include "mac.h"
#include "common/iov.h"

#include <string.h>

bool equal_sec(const void *a, const void *b, size_t len)
{
	const volatile uint8_t *x = a, *y = b;
	uint8_t diff = 0;

	for (size_t i = 0; i < len; i++)
		diff |= x[i] ^ y[i];
	return diff == 0;
}

size_t tag_wanted(const struct kcf_param_mac *p, size_t full)
{
	if (!p || p->mac_len == 0)
		return full;
	return p->mac_len <= full ? p->mac_len : 0;
}

enum kcf_status tag_check(struct kcf_job *job, size_t full)
{
	size_t len;

	if (job->op == KCF_OP_DIGEST)
		return job_has_room(job, full) ? KCF_SUCCESS : KCF_BUFFER_TOO_SMALL;
	len = tag_wanted(job->param, full);
	if (len == 0)
		return KCF_MECHANISM_PARAM_INVALID;
	if (job->op == KCF_OP_MAC && !job_has_room(job, len))
		return KCF_BUFFER_TOO_SMALL;
	return KCF_SUCCESS;
}

/* Unless a length was asked for, any from 1 up is compared. */
static enum kcf_status verify(const struct kcf_job *job, const uint8_t *tag, size_t full)
{
	const struct kcf_param_mac *p = job->param;
	struct cursor check = cursor_at(job->check, job->n_check);
	size_t len = tag_wanted(p, full);
	uint8_t given[TAG_MAX];

	if (job->check_len == 0 || job->check_len > len)
		return KCF_INVALID_MAC;
	if (p && p->mac_len && job->check_len != len)
		return KCF_INVALID_MAC;
	cursor_read(&check, given, job->check_len);
	return equal_sec(tag, given, job->check_len) ? KCF_SUCCESS : KCF_INVALID_MAC;
}

enum kcf_status tag_finish(struct kcf_job *job, const uint8_t *tag, size_t full)
{
	struct cursor out = cursor_at(job->out, job->n_out);
	size_t len = full;

	if (job->op == KCF_OP_MAC_VERIFY)
		return verify(job, tag, full);
	if (job->op == KCF_OP_MAC)
		len = tag_wanted(job->param, full);
	job->out_len = cursor_write(&out, tag, len);
	return KCF_SUCCESS;
}
