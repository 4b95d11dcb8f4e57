/* SPDX-License-Identifier: Apache-2.0 */
/* module-error - one line that puts a reason into struct module_error. */
#pragma once

#include <stdarg.h>
#include <stdio.h>
#include "module/module.h"

/* Returns status; err may be NULL. */
__attribute__((format(printf, 3, 4))) static inline int
module_fail(struct module_error *err, int status, const char *fmt, ...)
{
	va_list ap;

	if (!err)
		return status;
	va_start(ap, fmt);
	vsnprintf(err->text, sizeof(err->text), fmt, ap);
	va_end(ap);
	return status;
}
