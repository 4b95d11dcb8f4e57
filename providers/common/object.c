/* SPDX-License-Identifier: Apache-2.0 */
/* object: memory of templates and contexts; wiped before it is given back. Thread: any. */
#include "common/object.h"

#include <stdlib.h>
#include <string.h>

void *object_new(size_t size, void (*deinit)(void *obj))
{
	struct object *obj = aligned_alloc(OBJECT_ALIGN, (size + OBJECT_ALIGN - 1) & -OBJECT_ALIGN);

	if (!obj)
		return NULL;
	memset(obj, 0, size);
	obj->size = size;
	obj->deinit = deinit;
	return obj;
}

void object_free(void *obj)
{
	struct object *o = obj;

	if (!o)
		return;
	if (o->deinit)
		o->deinit(o);
	explicit_bzero(o, o->size);
	free(o);
}
