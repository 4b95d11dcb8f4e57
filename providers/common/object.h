/* SPDX-License-Identifier: Apache-2.0 */
/*
 * object: what templates and contexts of a provider have in common.
 *
 * A template or context starts with a struct object that knows how large it is, so that freeing can
 * wipe it. Templates never change after they are made: any number of threads use one at a time. A
 * context is used by one thread at a time.
 */
#ifndef PROVIDERS_OBJECT_H
#define PROVIDERS_OBJECT_H

#include <kcf/provider.h>

struct object {
	size_t size;
	void (*deinit)(void *obj); /* frees what the object owns besides itself, or NULL */
};

#define OBJECT_ALIGN ((size_t)64) /* a cache line, a vector register */

/* Returns owned, zeroed, aligned; NULL if out of memory. */
void *object_new(size_t size, void (*deinit)(void *obj));
/* Wipes. NULL is ignored. */
void object_free(void *obj);

/* The room check every operation starts with: false leaves the required length in the job. */
static inline bool job_has_room(struct kcf_job *job, size_t need)
{
	if (job->out_room >= need)
		return true;
	job->out_len = need;
	return false;
}

#endif
