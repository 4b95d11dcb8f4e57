/* SPDX-License-Identifier: Apache-2.0 */
/* mac: how jobs ask for a tag - a digest or a MAC - and get it. Thread: any. */
#ifndef MB_MAC_H
#define MB_MAC_H

#include "mb.h"

/* Bytes of tag that the parameter asks for, of full; 0 if they cannot be had. */
size_t tag_wanted(const struct kcf_param_mac *p, size_t full);
/* Is there room for the tag, if it is to be written? Also judges the parameter. */
enum kcf_status tag_check(struct kcf_job *job, size_t full);
/* Writes or compares the tag, full bytes of which are at tag. */
enum kcf_status tag_finish(struct kcf_job *job, const uint8_t *tag, size_t full);

#endif
